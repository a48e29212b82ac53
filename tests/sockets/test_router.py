# SPDX-License-Identifier: MPL-2.0
"""ROUTER: routing ids in and out, what happens without a route, the ROUTER options (reference/internals.md 8.2)."""

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    Sock,
    bind,
    closes,
    each_transport,
    inproc_and_tcp,
    is_quiet,
    link,
    raises_errno,
    settle,
    takes,
)
from tests.support.raw_peer import RawPeers
from tests.support.target import zmq
from tests.support.waiting import wait_until


def named_dealer(socket: MakeSocket, endpoint: str, routing_id: bytes, **options: int) -> Sock:
    """A DEALER with this routing id, connected."""
    dealer = socket(zmq.DEALER, routing_id=routing_id, **options)
    dealer.connect(endpoint)
    return dealer


def introduce(router: Sock, dealer: Sock) -> bytes:
    """Let the ROUTER hear from the DEALER, so that it knows the route; returns the routing id."""
    dealer.send(b"hello")
    routing_id, body = router.recv_multipart()
    assert body == b"hello"
    return bytes(routing_id)


# --- routing ids -----------------------------------------------------------------------------------------------------


@each_transport
def test_messages_arrive_with_the_routing_id_of_their_sender(socket: MakeSocket, transport: str) -> None:
    """The peer's ROUTING_ID is the first frame; all other frames follow unchanged."""
    router = socket(zmq.ROUTER)
    dealer = named_dealer(socket, bind(router, transport), b"me")
    dealer.send_multipart([b"a", b"", b"b"])
    dealer.send(b"")
    assert router.recv_multipart() == [b"me", b"a", b"", b"b"]
    assert router.recv_multipart() == [b"me", b""]


@each_transport
def test_messages_go_to_the_peer_their_first_frame_names(socket: MakeSocket, transport: str) -> None:
    """The id is taken off; the peer gets the rest."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router, transport)
    dealers = {name: named_dealer(socket, endpoint, name) for name in (b"a", b"b", b"c")}
    for dealer in dealers.values():
        introduce(router, dealer)
    for name in (b"c", b"a", b"b"):
        router.send_multipart([name, b"for", name])
    for name, dealer in dealers.items():
        assert dealer.recv_multipart() == [b"for", name]
        assert is_quiet(dealer, 1)


@each_transport
def test_peers_without_a_name_get_one(socket: MakeSocket, transport: str) -> None:
    """A generated id has five bytes, the first of them zero, the rest a counter; the reply finds its way by it."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router, transport)
    dealers = []
    ids = []
    for _ in range(3):
        dealers.append(socket(zmq.DEALER))
        dealers[-1].connect(endpoint)
        ids.append(introduce(router, dealers[-1]))
    assert all(len(routing_id) == 5 and routing_id[0] == 0 for routing_id in ids)
    numbers = [int.from_bytes(routing_id[1:], "big") for routing_id in ids]
    assert [(number - numbers[0]) % 2**32 for number in numbers] == [0, 1, 2]
    for routing_id, dealer in zip(ids, dealers, strict=True):
        router.send_multipart([routing_id, routing_id])
        assert dealer.recv() == routing_id


@inproc_and_tcp
@pytest.mark.parametrize("size", [1, 5, 254, 255])
def test_a_routing_id_may_have_up_to_255_bytes(socket: MakeSocket, transport: str, size: int) -> None:
    """Ids of any legal length arrive and route."""
    router = socket(zmq.ROUTER)
    name = b"\xff" + bytes(size - 1)
    dealer = named_dealer(socket, bind(router, transport), name)
    assert introduce(router, dealer) == name
    router.send_multipart([name, b"back"])
    assert dealer.recv() == b"back"


@pytest.mark.departs
@each_transport
def test_a_peer_cannot_take_an_id_of_the_generated_form(socket: MakeSocket, transport: str) -> None:
    """An announced id that begins with zero is not used: the peer is refused or gets a generated id.

    libzmq takes it, so that a peer could pose as another one whose id was generated.
    """
    router = socket(zmq.ROUTER)
    forger = named_dealer(socket, bind(router, transport), b"\x00abcd")
    forger.send(b"hello")
    if not is_quiet(router):
        assert router.recv_multipart()[0] != b"\x00abcd"


@each_transport
def test_both_ends_may_be_routers(socket: MakeSocket, transport: str) -> None:
    """Two ROUTERs that know each other's id exchange messages."""
    left, right = socket(zmq.ROUTER, routing_id=b"left"), socket(zmq.ROUTER, routing_id=b"right")
    link(left, right, transport)

    def introduced() -> bool:
        right.send_multipart([b"left", b"hello"])
        return bool(left.poll(1))

    wait_until(introduced, "right to know left")
    assert left.recv_multipart() == [b"right", b"hello"]
    left.send_multipart([b"right", b"", b"back"])
    assert right.recv_multipart() == [b"left", b"", b"back"]


def test_peers_are_read_in_turn(socket: MakeSocket) -> None:
    """Fair queueing, whole messages at a time."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router)
    for name in (b"a", b"b", b"c"):
        dealer = named_dealer(socket, endpoint, name)
        for number in (b"0", b"1"):
            dealer.send_multipart([number, b"end"])
    received = [router.recv_multipart() for _ in range(6)]
    assert [message[0] + message[1] for message in received] == [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1"]


def test_the_body_can_be_read_after_other_peers_have_spoken(socket: MakeSocket) -> None:
    """Once the id frame was read, the frames that follow are of the same message, whatever else arrives."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router)
    first, second = named_dealer(socket, endpoint, b"first"), named_dealer(socket, endpoint, b"second")
    first.send_multipart([b"1", b"2"])
    assert router.recv() == b"first"
    second.send(b"interrupting")
    settle(router)
    assert router.recv() == b"1"
    assert router.recv() == b"2"
    assert router.recv_multipart() == [b"second", b"interrupting"]


# --- no route --------------------------------------------------------------------------------------------------------


def test_messages_to_nobody_are_dropped(socket: MakeSocket) -> None:
    """Without ROUTER_MANDATORY an unknown id is no error; the message disappears with all its parts."""
    router = socket(zmq.ROUTER)
    assert settle(router) == zmq.POLLOUT
    router.send_multipart([b"nobody", b"one", b"two"], zmq.DONTWAIT)
    dealer = named_dealer(socket, bind(router), b"me")
    introduce(router, dealer)
    router.send_multipart([b"nobody", b"me", b"three"])
    router.send_multipart([b"me", b"hello"])
    assert dealer.recv_multipart() == [b"hello"]
    assert is_quiet(dealer)


def test_mandatory_makes_an_unknown_id_an_error(socket: MakeSocket) -> None:
    """ROUTER_MANDATORY: EHOSTUNREACH at the id frame, and the socket is ready for the next message."""
    router = socket(zmq.ROUTER, router_mandatory=1)
    dealer = named_dealer(socket, bind(router), b"me")
    for flags in (0, zmq.DONTWAIT):
        with raises_errno(zmq.EHOSTUNREACH):
            router.send(b"nobody", zmq.SNDMORE | flags)
    introduce(router, dealer)
    with raises_errno(zmq.EHOSTUNREACH):
        router.send_multipart([b"nobody", b"me", b"three"])
    router.send_multipart([b"me", b"hello"])
    assert dealer.recv_multipart() == [b"hello"]


def test_mandatory_can_be_switched_at_any_time(socket: MakeSocket) -> None:
    """The option counts for the next message."""
    router = socket(zmq.ROUTER)
    router.send_multipart([b"nobody", b"x"])
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    with raises_errno(zmq.EHOSTUNREACH):
        router.send_multipart([b"nobody", b"x"])
    router.setsockopt(zmq.ROUTER_MANDATORY, 0)
    router.send_multipart([b"nobody", b"x"])


@each_transport
def test_mandatory_notices_that_a_peer_left(socket: MakeSocket, transport: str) -> None:
    """Once the connection is gone its id is unknown again."""
    router = socket(zmq.ROUTER, router_mandatory=1)
    dealer = named_dealer(socket, bind(router, transport), b"me")
    introduce(router, dealer)
    dealer.close()

    def unreachable() -> bool:
        settle(router)
        try:
            router.send_multipart([b"me", b"x"], zmq.DONTWAIT)
        except zmq.ZMQError as error:
            assert error.errno == zmq.EHOSTUNREACH
            return True
        return False

    wait_until(unreachable, "the route to be gone")


def test_messages_to_a_full_peer_are_dropped(socket: MakeSocket) -> None:
    """Without ROUTER_MANDATORY what does not fit is lost, silently; POLLOUT stays set."""
    router = socket(zmq.ROUTER, sndhwm=1)
    dealer = named_dealer(socket, bind(router), b"me", rcvhwm=1)
    introduce(router, dealer)
    for number in range(4):
        router.send_multipart([b"me", b"%d" % number], zmq.DONTWAIT)
    assert settle(router) == zmq.POLLOUT
    assert [dealer.recv(), dealer.recv()] == [b"0", b"1"]
    assert is_quiet(dealer)
    settle(router)
    router.send_multipart([b"me", b"4"])
    assert dealer.recv() == b"4"


def test_mandatory_waits_for_a_full_peer(socket: MakeSocket) -> None:
    """ROUTER_MANDATORY: EAGAIN with DONTWAIT or after SNDTIMEO, else send blocks until the peer has read."""
    router = socket(zmq.ROUTER, router_mandatory=1, sndhwm=1)
    dealer = named_dealer(socket, bind(router), b"me", rcvhwm=1)
    introduce(router, dealer)
    for number in range(2):
        router.send_multipart([b"me", b"%d" % number], zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        router.send_multipart([b"me", b"refused"], zmq.DONTWAIT)
    timeout = router.getsockopt(zmq.SNDTIMEO)
    router.setsockopt(zmq.SNDTIMEO, QUIET)
    with takes(QUIET), pytest.raises(zmq.Again):
        router.send_multipart([b"me", b"refused"])
    router.setsockopt(zmq.SNDTIMEO, timeout)
    sending = Background(lambda: router.send_multipart([b"me", b"2"]))
    assert sending.blocks()
    assert [dealer.recv(), dealer.recv()] == [b"0", b"1"]
    sending.result()
    assert dealer.recv() == b"2"


def test_mandatory_is_writable_when_any_peer_has_room(socket: MakeSocket) -> None:
    """With ROUTER_MANDATORY POLLOUT depends on the peers: none, one full, one with room."""
    router = socket(zmq.ROUTER, router_mandatory=1, sndhwm=1)
    endpoint = bind(router)
    assert settle(router) == 0
    full = named_dealer(socket, endpoint, b"full", rcvhwm=1)
    introduce(router, full)
    assert settle(router) == zmq.POLLOUT
    for _ in range(2):
        router.send_multipart([b"full", b"x"])
    assert settle(router) == 0
    introduce(router, named_dealer(socket, endpoint, b"roomy"))
    assert settle(router) == zmq.POLLOUT


def test_an_id_alone_is_no_message(socket: MakeSocket) -> None:
    """A message that consists of the id frame only is ignored, known id or not."""
    router = socket(zmq.ROUTER)
    dealer = named_dealer(socket, bind(router), b"me")
    introduce(router, dealer)
    router.send(b"me")
    router.send(b"nobody")
    router.send_multipart([b"me", b"hello"])
    assert dealer.recv_multipart() == [b"hello"]
    assert is_quiet(dealer)


@pytest.mark.parametrize("mandatory", [0, 1])
def test_who_leaves_between_two_parts_gets_neither(socket: MakeSocket, mandatory: int) -> None:
    """The rest of the message is dropped without an error, also with ROUTER_MANDATORY."""
    router = socket(zmq.ROUTER, router_mandatory=mandatory)
    endpoint = bind(router)
    leaving, staying = named_dealer(socket, endpoint, b"leaving"), named_dealer(socket, endpoint, b"staying")
    for dealer in (leaving, staying):
        introduce(router, dealer)
    router.send(b"leaving", zmq.SNDMORE)
    router.send(b"one", zmq.SNDMORE)
    leaving.close()
    settle(router)
    router.send(b"two", zmq.SNDMORE)
    router.send(b"three")
    router.send_multipart([b"staying", b"hello"])
    assert staying.recv_multipart() == [b"hello"]


def test_without_messages_receiving_would_block(socket: MakeSocket) -> None:
    """EAGAIN on an unconnected ROUTER."""
    router = socket(zmq.ROUTER)
    with pytest.raises(zmq.Again):
        router.recv(zmq.DONTWAIT)


# --- the same id twice -----------------------------------------------------------------------------------------------


@each_transport
def test_a_second_peer_of_the_same_name_is_ignored(socket: MakeSocket, transport: str) -> None:
    """Nothing it sends is read, nothing is sent to it; the first one keeps its place."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router, transport)
    first = named_dealer(socket, endpoint, b"me")
    introduce(router, first)
    second = named_dealer(socket, endpoint, b"me")
    second.send(b"me too")
    assert is_quiet(router)
    router.send_multipart([b"me", b"for the first"])
    assert first.recv() == b"for the first"
    assert is_quiet(second)
    first.send(b"still here")
    assert router.recv_multipart() == [b"me", b"still here"]


def test_what_an_ignored_peer_sends_piles_up(socket: MakeSocket) -> None:
    """Its connection stays; its queue fills to the limit and then it is mute."""
    router = socket(zmq.ROUTER, rcvhwm=1)
    endpoint = bind(router)
    introduce(router, named_dealer(socket, endpoint, b"me"))
    second = named_dealer(socket, endpoint, b"me", sndhwm=1)
    settle(router)
    for _ in range(2):
        second.send(b"me too", zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        second.send(b"me too", zmq.DONTWAIT)
    assert is_quiet(router)


@each_transport
def test_handover_gives_the_name_to_the_newcomer(socket: MakeSocket, transport: str) -> None:
    """With ROUTER_HANDOVER the second peer of a name takes it over; the first one is cut off."""
    router = socket(zmq.ROUTER, router_handover=1)
    endpoint = bind(router, transport)
    first = named_dealer(socket, endpoint, b"me")
    introduce(router, first)
    second = named_dealer(socket, endpoint, b"me")
    assert introduce(router, second) == b"me"
    router.send_multipart([b"me", b"for the second"])
    assert second.recv() == b"for the second"
    assert is_quiet(first)


def test_handover_does_not_cut_a_message_in_two(socket: MakeSocket) -> None:
    """The old peer is let go only after the message being read was read to its end."""
    router = socket(zmq.ROUTER, router_handover=1)
    endpoint = bind(router)
    first = named_dealer(socket, endpoint, b"me")
    first.send_multipart([b"one", b"two", b"three"])
    assert router.recv() == b"me"
    assert router.recv() == b"one"
    second = named_dealer(socket, endpoint, b"me")
    second.send(b"from the second")
    settle(router)
    assert router.recv() == b"two"
    assert router.recv() == b"three"
    assert not router.getsockopt(zmq.RCVMORE)
    assert router.recv_multipart() == [b"me", b"from the second"]


# --- CONNECT_ROUTING_ID ----------------------------------------------------------------------------------------------


@each_transport
@pytest.mark.parametrize("name", [b"n", b"\x00\x01\x02\x03\x04", b"x" * 255], ids=["short", "generated form", "long"])
def test_the_connecting_router_may_name_its_peer(socket: MakeSocket, transport: str, name: bytes) -> None:
    """CONNECT_ROUTING_ID is the peer's id from the moment of connect, whatever the peer calls itself."""
    router, dealer = socket(zmq.ROUTER), socket(zmq.DEALER, routing_id=b"own name")
    endpoint = bind(dealer, transport)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, name)
    router.connect(endpoint)
    router.send_multipart([name, b"hello"])
    assert dealer.recv() == b"hello"
    dealer.send(b"back")
    assert router.recv_multipart() == [name, b"back"]
    router.send_multipart([b"own name", b"lost"])
    assert is_quiet(dealer)


@inproc_and_tcp
def test_the_name_is_used_up_by_one_connect(socket: MakeSocket, transport: str) -> None:
    """The next connection is identified by the peer again."""
    router = socket(zmq.ROUTER)
    dealers = [socket(zmq.DEALER, routing_id=b"own name") for _ in range(2)]
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"given name")
    seen = []
    for dealer in dealers:
        link(dealer, router, transport)
        dealer.send(b"hello")
        seen.append(router.recv_multipart())
    assert seen == [[b"given name", b"hello"], [b"own name", b"hello"]]


def test_accepted_connections_do_not_use_the_name_up(socket: MakeSocket) -> None:
    """CONNECT_ROUTING_ID waits for a connection this socket makes itself."""
    router, visitor, dealer = socket(zmq.ROUTER), socket(zmq.DEALER, routing_id=b"visitor"), socket(zmq.DEALER)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"given name")
    link(router, visitor)
    assert introduce(router, visitor) == b"visitor"
    link(dealer, router)
    assert introduce(router, dealer) == b"given name"


@inproc_and_tcp
def test_connected_names_can_be_used_with_mandatory(socket: MakeSocket, transport: str) -> None:
    """The route exists at once, so the first message is no error even before the connection is up."""
    router, dealer = socket(zmq.ROUTER, router_mandatory=1), socket(zmq.DEALER)
    endpoint = bind(dealer, transport)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    router.connect(endpoint)
    router.send_multipart([b"name", b"hello"])
    assert dealer.recv() == b"hello"


@pytest.mark.departs
@inproc_and_tcp
def test_a_name_in_use_is_refused(socket: MakeSocket, transport: str) -> None:
    """connect with a CONNECT_ROUTING_ID that another peer has raises and leaves the first peer alone.

    libzmq aborts the process (assertion).
    """
    router, first, second = socket(zmq.ROUTER), socket(zmq.DEALER), socket(zmq.DEALER)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    link(first, router, transport)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    with pytest.raises(zmq.ZMQError):
        link(second, router, transport)
    router.send_multipart([b"name", b"hello"])
    assert first.recv() == b"hello"
    assert is_quiet(second)


# --- PROBE_ROUTER ----------------------------------------------------------------------------------------------------


@each_transport
def test_a_probing_router_makes_itself_known(socket: MakeSocket, transport: str) -> None:
    """PROBE_ROUTER on the connecting ROUTER sends an empty message, so that the other one can speak first."""
    server, client = socket(zmq.ROUTER), socket(zmq.ROUTER, routing_id=b"client", probe_router=1)
    link(server, client, transport)
    assert server.recv_multipart() == [b"client", b""]
    server.send_multipart([b"client", b"welcome"])
    assert client.recv_multipart()[1:] == [b"welcome"]


@each_transport
def test_a_probing_router_that_binds_probes_too(socket: MakeSocket, transport: str) -> None:
    """The probe goes to every peer attached; a DEALER receives it as an empty message."""
    server, client = socket(zmq.ROUTER, probe_router=1), socket(zmq.DEALER)
    link(server, client, transport)
    wait_until(lambda: settle(server) and client.poll(1), "the probe")
    assert client.recv_multipart() == [b""]


def test_rep_passes_over_a_probe(socket: MakeSocket) -> None:
    """To REP the probe is a malformed request, so it goes unnoticed."""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER, probe_router=1)
    link(rep, dealer)
    dealer.send_multipart([b"", b"question"])
    assert rep.recv() == b"question"


# --- ROUTER_RAW ------------------------------------------------------------------------------------------------------


def test_raw_mode_speaks_plain_tcp(socket: MakeSocket, raw: RawPeers) -> None:
    """ROUTER_RAW: no greeting, no framing; an empty message tells of a new peer, another of its end."""
    router = socket(zmq.ROUTER, router_raw=1)
    peer = raw.connect(bind(router, "tcp"))
    routing_id, announcement = router.recv_multipart()
    assert (len(routing_id), routing_id[:1], announcement) == (5, b"\x00", b"")
    peer.send(b"GET /")
    assert router.recv_multipart() == [routing_id, b"GET /"]
    router.send_multipart([routing_id, b"200 OK"])
    assert peer.read(6) == b"200 OK"
    peer.close()
    assert router.recv_multipart() == [routing_id, b""]


def test_raw_mode_has_no_multipart_messages(socket: MakeSocket, raw: RawPeers) -> None:
    """SNDMORE on the body is ignored: what follows is the next message, which needs an id of its own."""
    router = socket(zmq.ROUTER, router_raw=1)
    peer = raw.connect(bind(router, "tcp"))
    routing_id, _ = router.recv_multipart()
    router.send_multipart([routing_id, b"one", b"swallowed as an id without body"])
    router.send_multipart([routing_id, b"two"])
    assert peer.read(6) == b"onetwo"


def test_raw_mode_closes_a_connection_with_an_empty_message(socket: MakeSocket, raw: RawPeers) -> None:
    """Sending no bytes ends the connection."""
    router = socket(zmq.ROUTER, router_raw=1)
    peer = raw.connect(bind(router, "tcp"))
    routing_id, _ = router.recv_multipart()
    router.send_multipart([routing_id, b"bye"])
    assert peer.read(3) == b"bye"
    router.send_multipart([routing_id, b""])
    closes(router, peer)
