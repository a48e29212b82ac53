# SPDX-License-Identifier: MPL-2.0
"""RFC 28 (REQREP), clause by clause: REQ, REP, DEALER, ROUTER.

| clause that libzmq reads differently (the test says what it does) | how |
|---|---|
| DEALER, ROUTER: discard the messages of a peer that disconnects | what had arrived is delivered first |
| ROUTER: shall not block on sending | by default; with ROUTER_MANDATORY a full queue blocks or gives EAGAIN |

| clause that cannot be observed as it stands | why |
|---|---|
| ROUTER: maintain the queue while the connection is not established | no id, no address; seen with CONNECT_ROUTING_ID |
"""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    Sock,
    bind,
    each_transport,
    fill,
    free_endpoint,
    inproc_and_tcp,
    inproc_name,
    link,
    raises_errno,
    reach,
    receive,
    settle,
    takes,
)
from tests.spec.helpers import (
    LARGE,
    ODD_PARTS,
    connected_first,
    has_no_peer,
    has_peer,
    hears_nothing,
    kind,
    limited,
    speakers,
    takes_turns,
)
from tests.support.raw_peer import RawPeers, message
from tests.support.target import zmq
from tests.support.waiting import wait_until

# --- The REQ Socket Type ---------------------------------------------------------------------------------------------


@each_transport
@pytest.mark.parametrize("peer", ["REP", "ROUTER"])
def test_rfc28_req_may_be_connected_to_any_number_of_rep_or_router_peers(
    socket: MakeSocket, transport: str, peer: str
) -> None:
    """One REQ works with several peers of either type. (REQ, general)"""
    req = socket(zmq.REQ)
    peers = [socket(kind(peer)) for _ in range(3)]
    for each in peers:
        link(each, req, transport)
    for each in peers:
        req.send(b"question")
        request = each.recv_multipart()
        assert request[-1] == b"question"
        each.send_multipart([*request[:-1], b"answer"])
        assert req.recv() == b"answer"


@each_transport
def test_rfc28_req_shall_send_and_then_receive_exactly_one_message_at_a_time(
    socket: MakeSocket, transport: str
) -> None:
    """Anything else than send, recv, send, recv is EFSM. (REQ, general)"""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req, transport)
    with raises_errno(zmq.EFSM):
        req.recv()
    for _ in range(2):
        req.send_multipart([b"one", b"message"])
        with raises_errno(zmq.EFSM):
            req.send(b"another")
        assert rep.recv_multipart() == [b"one", b"message"]
        rep.send_multipart([b"one", b"reply"])
        assert req.recv_multipart() == [b"one", b"reply"]
        with raises_errno(zmq.EFSM):
            req.recv()


def test_rfc28_req_messages_shall_be_a_delimiter_and_data_frames_on_the_wire(socket: MakeSocket, raw: RawPeers) -> None:
    """An empty frame with MORE, then the frames of the application, both ways. (REQ, wire format)"""
    req = socket(zmq.REQ)
    listener = raw.listen()
    req.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("REP")
    req.send_multipart([b"a", b"b"])
    peer.expect("01 00", "01 01 61", "00 01 62")
    peer.send(message(b"", b"c", b"d"))
    assert req.recv_multipart() == [b"c", b"d"]


@each_transport
def test_rfc28_req_shall_prefix_outgoing_messages_with_an_empty_delimiter_frame(
    socket: MakeSocket, transport: str
) -> None:
    """A DEALER, which adds and removes nothing, sees it. (REQ, outgoing)"""
    req, dealer = socket(zmq.REQ), socket(zmq.ROUTER)
    link(dealer, req, transport)
    req.send_multipart([b"", b"data"])
    assert dealer.recv_multipart()[1:] == [b"", b"", b"data"]


@each_transport
def test_rfc28_req_shall_route_outgoing_messages_round_robin(socket: MakeSocket, transport: str) -> None:
    """Each request goes to the next peer. (REQ, outgoing)"""
    req = socket(zmq.REQ)
    reps = [socket(zmq.REP) for _ in range(3)]
    for rep in reps:
        link(rep, req, transport)
    for rep in reps * 2:
        req.send(b"question")
        assert rep.recv() == b"question"
        rep.send(b"answer")
        assert req.recv() == b"answer"


@each_transport
def test_rfc28_req_shall_block_on_sending_when_it_has_no_connected_peers(socket: MakeSocket, transport: str) -> None:
    """send waits, or fails with EAGAIN. (REQ, outgoing)"""
    req, rep = socket(zmq.REQ, sndtimeo=QUIET), socket(zmq.REP)
    endpoint = bind(req, transport)
    with pytest.raises(zmq.Again):
        req.send(b"x", zmq.DONTWAIT)
    with takes(QUIET), pytest.raises(zmq.Again):
        req.send(b"x")
    req.setsockopt(zmq.SNDTIMEO, -1)
    sending = Background(lambda: req.send(b"waited"))
    assert sending.blocks()
    rep.connect(endpoint)
    sending.result()
    assert rep.recv() == b"waited"


@each_transport
def test_rfc28_req_shall_not_discard_messages_it_cannot_send_to_a_connected_peer(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """A request made before the connection is up is kept until it is. (REQ, outgoing)"""
    req, rep, bind_it = connected_first(socket, transport, tmp_path, "REQ", "REP")
    req.send(b"kept")
    bind_it()
    assert rep.recv() == b"kept"


def test_rfc28_req_shall_accept_a_message_only_from_the_last_peer_it_sent_a_request_to(socket: MakeSocket) -> None:
    """The reply of the peer that was asked is delivered although another one spoke first. (REQ, incoming)"""
    req, asked, other = socket(zmq.REQ, routing_id=b"me"), socket(zmq.ROUTER), socket(zmq.ROUTER)
    for router in (asked, other):
        link(router, req)
        settle(router)
    for turn in range(2):
        req.send(b"question")
        first, second = (asked, other) if turn == 0 else (other, asked)
        second.send_multipart([b"me", b"", b"not asked"])
        first.send_multipart([b"me", b"", b"asked"])
        assert req.recv() == b"asked"


def test_rfc28_req_shall_discard_silently_messages_received_from_other_peers(socket: MakeSocket) -> None:
    """They are not delivered later either. (REQ, incoming)"""
    req, asked, other = socket(zmq.REQ, routing_id=b"me"), socket(zmq.ROUTER), socket(zmq.ROUTER)
    for router in (asked, other):
        link(router, req)
        settle(router)
    req.send(b"question")
    for _ in range(3):
        other.send_multipart([b"me", b"", b"not asked"])
    asked.send_multipart([b"me", b"", b"asked"])
    assert req.recv() == b"asked"
    req.send(b"question to the other")
    assert other.recv_multipart() == [b"me", b"", b"question to the other"]
    req.setsockopt(zmq.RCVTIMEO, QUIET)
    with pytest.raises(zmq.Again):
        req.recv()


# --- The REP Socket Type ---------------------------------------------------------------------------------------------


@each_transport
@pytest.mark.parametrize("peer", ["REQ", "DEALER"])
def test_rfc28_rep_may_be_connected_to_any_number_of_req_or_dealer_peers(
    socket: MakeSocket, transport: str, peer: str
) -> None:
    """One REP serves several peers of either type, whoever connects. (REP, general)"""
    rep = socket(zmq.REP)
    endpoint = bind(rep, transport)
    peers = [socket(kind(peer)) for _ in range(3)]
    peers[0].connect(endpoint)
    peers[1].connect(endpoint)
    link(peers[2], rep, transport)
    delimiter = [b""] if peer == "DEALER" else []
    for each in peers:
        has_peer(each)
        each.send_multipart([*delimiter, b"question"])
        assert rep.recv() == b"question"
        rep.send(b"answer")
        assert each.recv_multipart() == [*delimiter, b"answer"]


@each_transport
def test_rfc28_rep_shall_not_filter_or_modify_messages(socket: MakeSocket, transport: str) -> None:
    """Whatever is asked and answered arrives as it is. (REP, general)"""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    link(rep, req, transport)
    req.send_multipart(ODD_PARTS)
    assert rep.recv_multipart() == ODD_PARTS
    rep.send_multipart(ODD_PARTS[::-1])
    assert req.recv_multipart() == ODD_PARTS[::-1]


@each_transport
def test_rfc28_rep_shall_receive_and_then_send_exactly_one_message_at_a_time(
    socket: MakeSocket, transport: str
) -> None:
    """Anything else than recv, send, recv, send is EFSM. (REP, general)"""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    link(rep, req, transport)
    with raises_errno(zmq.EFSM):
        rep.send(b"x")
    for _ in range(2):
        req.send(b"question")
        assert rep.recv() == b"question"
        with raises_errno(zmq.EFSM):
            rep.recv()
        rep.send(b"answer")
        with raises_errno(zmq.EFSM):
            rep.send(b"another")
        assert req.recv() == b"answer"


def test_rfc28_rep_messages_shall_be_an_envelope_a_delimiter_and_data_frames_on_the_wire(
    socket: MakeSocket, raw: RawPeers
) -> None:
    """A raw requester gets its address frames back before the delimiter and the answer. (REP, wire format)"""
    rep = socket(zmq.REP)
    peer = raw.connect(bind(rep, "tcp"))
    peer.handshake("DEALER")
    for envelope in ([], [b"hop"], [b"hop 1", b"hop 2"]):
        peer.send(message(*envelope, b"", b"question"))
        assert rep.recv_multipart() == [b"question"]
        rep.send_multipart([b"answer", b"end"])
        peer.expect(message(*envelope, b"", b"answer", b"end"))


@inproc_and_tcp
def test_rfc28_rep_shall_receive_from_its_peers_by_fair_queueing(
    socket: MakeSocket, raw: RawPeers, transport: str
) -> None:
    """With all queues filled each round serves one request of each peer. (REP, incoming)"""
    rep = socket(zmq.REP)
    says, arrived = speakers(socket, raw, rep, transport, "DEALER", 3)
    for number, say in enumerate(says):
        for _ in range(3):
            say(b"", b"%d" % number)
    arrived()
    order = []
    for _ in range(9):
        order.append(int(rep.recv()))
        rep.send(b"ok")
    assert takes_turns(order, 3)


@each_transport
def test_rfc28_rep_shall_remove_and_store_the_address_envelope(socket: MakeSocket, transport: str) -> None:
    """The application sees nothing of it, not even the delimiter. (REP, incoming)"""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER)
    link(rep, dealer, transport)
    dealer.send_multipart([b"hop 1", b"hop 2", b"", b"question"])
    assert rep.recv() == b"question"
    assert not rep.getsockopt(zmq.RCVMORE)


@each_transport
def test_rfc28_rep_shall_pass_the_remaining_data_frames_to_its_calling_application(
    socket: MakeSocket, transport: str
) -> None:
    """Everything after the first empty frame, further empty frames included. (REP, incoming)"""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER)
    link(rep, dealer, transport)
    dealer.send_multipart([b"hop", b"", b"a", b"", b"b", b""])
    assert rep.recv_multipart() == [b"a", b"", b"b", b""]


def test_rfc28_rep_shall_wait_for_a_single_reply_message(socket: MakeSocket) -> None:
    """Until the reply is complete no other request is handed out. (REP, outgoing)"""
    rep, first, second = socket(zmq.REP), socket(zmq.REQ), socket(zmq.REQ)
    second.connect(link(rep, first))
    first.send(b"first question")
    second.send(b"second question")
    assert rep.recv() == b"first question"
    assert settle(rep) == zmq.POLLOUT
    rep.send(b"part", zmq.SNDMORE)
    with raises_errno(zmq.EFSM):
        rep.recv()
    rep.send(b"end")
    assert rep.recv() == b"second question"


@each_transport
def test_rfc28_rep_shall_prepend_the_address_envelope_and_delimiter(socket: MakeSocket, transport: str) -> None:
    """The reply carries the frames of the request's envelope, in their order. (REP, outgoing)"""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER)
    link(rep, dealer, transport)
    dealer.send_multipart([b"hop 1", b"hop 2", b"", b"question"])
    rep.recv()
    rep.send(b"answer")
    assert dealer.recv_multipart() == [b"hop 1", b"hop 2", b"", b"answer"]


@each_transport
def test_rfc28_rep_shall_deliver_the_reply_to_the_originating_peer(socket: MakeSocket, transport: str) -> None:
    """Nobody else gets it, however many are connected. (REP, outgoing)"""
    rep = socket(zmq.REP)
    endpoint = bind(rep, transport)
    reqs = [socket(zmq.REQ) for _ in range(3)]
    for req in reqs:
        req.connect(endpoint)
    for number in (2, 0, 1):
        reqs[number].send(b"%d" % number)
        assert rep.recv() == b"%d" % number
        rep.send(b"answer %d" % number)
        assert reqs[number].recv() == b"answer %d" % number


@each_transport
def test_rfc28_rep_shall_silently_discard_the_reply_if_the_originating_peer_is_gone(
    socket: MakeSocket, transport: str
) -> None:
    """Sending succeeds, and the next requester is served. (REP, outgoing)"""
    rep, leaving, staying = socket(zmq.REP), socket(zmq.REQ), socket(zmq.REQ)
    endpoint = link(rep, leaving, transport)
    leaving.send(b"question")
    rep.recv()
    leaving.close()
    settle(rep)
    rep.send(b"to nobody")
    staying.connect(endpoint)
    staying.send(b"question")
    assert rep.recv() == b"question"


def test_rfc28_rep_shall_not_block_on_sending(socket: MakeSocket) -> None:
    """A requester that does not read loses replies; REP goes on. (REP, outgoing)"""
    rep, dealer = socket(zmq.REP, sndhwm=1, sndtimeo=-1), socket(zmq.DEALER, rcvhwm=1)
    link(rep, dealer)
    for number in range(6):
        dealer.send_multipart([b"", b"%d" % number])

    def serve() -> None:
        for _ in range(6):
            rep.recv()
            rep.send(b"answer")

    Background(serve).result()


# --- The DEALER and ROUTER Socket Types, what they share -------------------------------------------------------------

ADDRESS = {"DEALER": [], "ROUTER": [b"me"]}
asynchronous = pytest.mark.parametrize("name", ["DEALER", "ROUTER"])


@each_transport
@pytest.mark.parametrize("peer", ["REP", "ROUTER", "DEALER"])
def test_rfc28_dealer_may_be_connected_to_any_number_of_peers_and_send_and_receive(
    socket: MakeSocket, transport: str, peer: str
) -> None:
    """One DEALER talks to several REP or ROUTER (or DEALER) peers. (DEALER, general)"""
    dealer = socket(zmq.DEALER, routing_id=b"me")
    peers = [socket(kind(peer)) for _ in range(3)]
    for each in peers:
        link(each, dealer, transport)
    for _ in peers:
        dealer.send_multipart([b"", b"question"])
    for each in peers:
        request = each.recv_multipart()
        assert request[-1] == b"question"
        each.send_multipart([*request[:-1], b"answer"])
    assert [dealer.recv_multipart() for _ in peers] == [[b"", b"answer"]] * 3


def probed(router: Sock, peer: Sock) -> None:
    """Wait for the probe of a bound ROUTER, which its own thread sends when it looks at its socket."""
    wait_until(lambda: settle(router) and peer.poll(1), "the probe")


@each_transport
@pytest.mark.parametrize("peer", ["REQ", "DEALER", "ROUTER"])
def test_rfc28_router_may_be_connected_to_any_number_of_peers_and_send_and_receive(
    socket: MakeSocket, transport: str, peer: str
) -> None:
    """One ROUTER talks to several REQ, DEALER or ROUTER peers. (ROUTER, general)"""
    router = socket(zmq.ROUTER, routing_id=b"router", probe_router=int(peer == "ROUTER"))
    endpoint = bind(router, transport)
    peers = [socket(kind(peer), routing_id=b"%d" % number) for number in range(3)]
    for each in peers:
        each.connect(endpoint)
        if peer == "ROUTER":
            probed(router, each)
            assert each.recv_multipart() == [b"router", b""]
        each.send_multipart([*([b"router"] if peer == "ROUTER" else []), b"question"])
        request = router.recv_multipart()
        assert (request[0], request[-1]) == (each.getsockopt(zmq.ROUTING_ID), b"question")
        router.send_multipart([*request[:-1], b"answer"])
        assert each.recv_multipart()[-1] == b"answer"


@each_transport
def test_rfc28_dealer_shall_not_filter_or_modify_messages(socket: MakeSocket, transport: str) -> None:
    """Whatever bytes and parts are sent, the same arrive, both ways. (DEALER, general)"""
    left, right = socket(zmq.DEALER), socket(zmq.DEALER)
    link(left, right, transport)
    right.send_multipart(ODD_PARTS)
    assert left.recv_multipart() == ODD_PARTS
    for part in ODD_PARTS:
        left.send(part)
    assert receive(right, len(ODD_PARTS)) == ODD_PARTS


@inproc_and_tcp
@asynchronous
def test_rfc28_they_shall_maintain_a_double_queue_for_each_connected_peer(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """A full outgoing queue does not hinder incoming messages. (DEALER and ROUTER, general)"""
    sock, peer = socket(kind(name), sndhwm=1), socket(zmq.DEALER, routing_id=b"me", rcvhwm=1)
    if name == "ROUTER":
        sock.setsockopt(zmq.ROUTER_MANDATORY, 1)
    link(sock, peer, transport)
    peer.send(b"hello")
    assert sock.recv_multipart() == [*ADDRESS[name], b"hello"]
    assert fill(sock, b"x" if transport == "inproc" else LARGE, ADDRESS[name], most=1000) >= 2
    peer.send(b"the other way")
    assert sock.recv_multipart() == [*ADDRESS[name], b"the other way"]


@each_transport
def test_rfc28_dealer_shall_create_a_double_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """connect makes the queue, and it holds messages while there is no connection. (DEALER, general)"""
    dealer, peer, bind_it = connected_first(socket, transport, tmp_path, "DEALER", "DEALER")
    for number in range(3):
        dealer.send(b"%d" % number, zmq.DONTWAIT)
    bind_it()
    assert receive(peer, 3) == [b"0", b"1", b"2"]
    peer.send(b"back")
    assert dealer.recv() == b"back"


@each_transport
def test_rfc28_router_shall_create_a_double_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """With CONNECT_ROUTING_ID the queue can be addressed before there is a connection. (ROUTER, general)"""
    router, peer = socket(zmq.ROUTER, reconnect_ivl=10, router_mandatory=1), socket(zmq.DEALER)
    endpoint = free_endpoint(transport, tmp_path)
    router.setsockopt(zmq.CONNECT_ROUTING_ID, b"peer")
    router.connect(endpoint)
    for number in range(3):
        router.send_multipart([b"peer", b"%d" % number], zmq.DONTWAIT)
    peer.bind(endpoint)
    assert receive(peer, 3) == [b"0", b"1", b"2"]
    peer.send(b"back")
    assert router.recv_multipart() == [b"peer", b"back"]


@each_transport
@asynchronous
def test_rfc28_they_shall_create_a_double_queue_when_a_peer_connects(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """Peers that connect can be heard and answered. (DEALER and ROUTER, general)"""
    sock, peer = socket(kind(name)), socket(zmq.DEALER, routing_id=b"me")
    peer.connect(bind(sock, transport))
    peer.send(b"hello")
    assert sock.recv_multipart() == [*ADDRESS[name], b"hello"]
    sock.send_multipart([*ADDRESS[name], b"back"])
    assert peer.recv() == b"back"


@each_transport
def test_rfc28_dealer_shall_destroy_the_queue_of_a_peer_that_disconnects(socket: MakeSocket, transport: str) -> None:
    """After the peer that connected has left, a new one gets nothing old. (DEALER, general)"""
    dealer, leaving, coming = socket(zmq.DEALER), socket(zmq.DEALER, rcvhwm=1), socket(zmq.DEALER)
    endpoint = bind(dealer, transport)
    leaving.connect(endpoint)
    has_peer(dealer)
    for _ in range(10):
        dealer.send(b"for the one that leaves")
    leaving.close()
    has_no_peer(dealer)
    coming.connect(endpoint)
    has_peer(dealer)
    dealer.send(b"new")
    assert coming.recv() == b"new"
    assert hears_nothing(coming)


@each_transport
def test_rfc28_router_shall_destroy_the_queue_of_a_peer_that_disconnects(socket: MakeSocket, transport: str) -> None:
    """After the peer has left its id is unknown; under the same id a new peer gets nothing old. (ROUTER, general)"""
    router = socket(zmq.ROUTER, router_mandatory=1)
    endpoint = bind(router, transport)
    leaving = socket(zmq.DEALER, routing_id=b"me", rcvhwm=1)
    leaving.connect(endpoint)
    leaving.send(b"hello")
    router.recv_multipart()
    for _ in range(10):
        router.send_multipart([b"me", b"for the one that leaves"])
    leaving.close()
    has_no_peer(router)
    coming = socket(zmq.DEALER, routing_id=b"me")
    coming.connect(endpoint)
    coming.send(b"hello again")
    assert router.recv_multipart() == [b"me", b"hello again"]
    router.send_multipart([b"me", b"new"])
    assert coming.recv() == b"new"
    assert hears_nothing(coming)


@inproc_and_tcp
@asynchronous
def test_rfc28_they_shall_still_deliver_what_had_arrived_from_a_peer_that_disconnects(
    socket: MakeSocket, raw: RawPeers, transport: str, name: str
) -> None:
    """Read differently: what had arrived is delivered, then nothing more comes. (DEALER and ROUTER, general)"""
    sock = socket(kind(name))
    if transport == "inproc":
        leaving = socket(zmq.DEALER, routing_id=b"me")
        leaving.connect(bind(sock))
        settle(sock)
        for body in (b"one", b"two"):
            leaving.send(body)
        leaving.close()
    else:
        peer = raw.connect(bind(sock, "tcp"))
        peer.handshake("DEALER", b"me")
        peer.send(message(b"one"), message(b"two"))
        peer.fence()
        peer.close()
    assert [sock.recv_multipart()[-1] for _ in range(2)] == [b"one", b"two"]
    assert hears_nothing(sock)


@each_transport
@pytest.mark.parametrize(("sender", "receiver"), [("DEALER", "DEALER"), ("DEALER", "ROUTER")])
def test_rfc28_they_should_constrain_queue_sizes_to_configurable_limits(
    socket: MakeSocket, transport: str, sender: str, receiver: str
) -> None:
    """SNDHWM of the sender and RCVHWM of the receiver bound what waits. (DEALER and ROUTER, general)"""
    count = limited(socket, transport, sender, receiver)
    assert count == 4 if transport == "inproc" else 2 <= count < 1000


@inproc_and_tcp
def test_rfc28_router_should_constrain_outgoing_queue_sizes(socket: MakeSocket, transport: str) -> None:
    """SNDHWM of a ROUTER bounds what waits for one peer (seen with ROUTER_MANDATORY). (ROUTER, general)"""
    router, peer = socket(zmq.ROUTER, sndhwm=2, router_mandatory=1), socket(zmq.DEALER, routing_id=b"me", rcvhwm=2)
    link(router, peer, transport)
    peer.send(b"hello")
    router.recv_multipart()
    count = fill(router, b"x" if transport == "inproc" else LARGE, [b"me"], most=1000)
    assert count == 4 if transport == "inproc" else 2 <= count < 1000


@inproc_and_tcp
@asynchronous
def test_rfc28_they_shall_receive_from_their_peers_by_fair_queueing(
    socket: MakeSocket, raw: RawPeers, transport: str, name: str
) -> None:
    """With all queues filled each round brings one message of each peer. (DEALER and ROUTER, incoming)"""
    sock = socket(kind(name))
    says, arrived = speakers(socket, raw, sock, transport, "DEALER", 3)
    for number, say in enumerate(says):
        for _ in range(4):
            say(b"more", b"%d" % number)
    arrived()
    assert takes_turns([int(sock.recv_multipart()[-1]) for _ in range(12)], 3)


@each_transport
@asynchronous
def test_rfc28_they_shall_deliver_messages_to_the_calling_application(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """An application that waits in recv is given the message. (DEALER and ROUTER, incoming)"""
    sock, peer = socket(kind(name)), socket(zmq.DEALER, routing_id=b"me")
    link(sock, peer, transport)
    receiving = Background(sock.recv_multipart)
    assert receiving.blocks()
    peer.send_multipart([b"a", b"b"])
    assert receiving.result() == [*ADDRESS[name], b"a", b"b"]


# --- The DEALER Socket Type, outgoing messages -----------------------------------------------------------------------


def test_rfc28_dealer_shall_consider_a_peer_available_only_when_its_queue_is_not_full(socket: MakeSocket) -> None:
    """With one peer full all messages go to the other. (DEALER, outgoing)"""
    dealer, full, roomy = socket(zmq.DEALER, sndhwm=1), socket(zmq.DEALER, rcvhwm=1), socket(zmq.DEALER, rcvhwm=10)
    link(full, dealer)
    link(roomy, dealer)
    for number in range(8):
        dealer.send(b"%d" % number, zmq.DONTWAIT)
    assert receive(full, 2) == [b"0", b"2"]
    assert receive(roomy, 6) == [b"1", b"3", b"4", b"5", b"6", b"7"]


@each_transport
def test_rfc28_dealer_shall_route_to_available_peers_round_robin(socket: MakeSocket, transport: str) -> None:
    """One message to each, in the same order every time. (DEALER, outgoing)"""
    dealer = socket(zmq.DEALER)
    peers = [socket(zmq.DEALER) for _ in range(3)]
    for peer in peers:
        link(peer, dealer, transport)
    for number in range(9):
        dealer.send(b"%d" % number)
    for first, peer in enumerate(peers):
        assert receive(peer, 3) == [b"%d" % number for number in (first, first + 3, first + 6)]


@each_transport
def test_rfc28_dealer_shall_block_on_sending_when_it_has_no_available_peers(socket: MakeSocket, transport: str) -> None:
    """send waits, or fails with EAGAIN at once or after SNDTIMEO. (DEALER, outgoing)"""
    dealer, peer = socket(zmq.DEALER, sndtimeo=QUIET), socket(zmq.DEALER)
    endpoint = bind(dealer, transport)
    with pytest.raises(zmq.Again):
        dealer.send(b"x", zmq.DONTWAIT)
    with takes(QUIET), pytest.raises(zmq.Again):
        dealer.send(b"x")
    dealer.setsockopt(zmq.SNDTIMEO, -1)
    sending = Background(lambda: dealer.send(b"waited"))
    assert sending.blocks()
    peer.connect(endpoint)
    sending.result()
    assert peer.recv() == b"waited"


@each_transport
def test_rfc28_dealer_shall_not_accept_messages_when_it_has_no_available_peers(
    socket: MakeSocket, transport: str
) -> None:
    """What was refused was not taken: it never arrives. (DEALER, outgoing)"""
    dealer, peer = socket(zmq.DEALER), socket(zmq.DEALER)
    endpoint = bind(dealer, transport)
    with pytest.raises(zmq.Again):
        dealer.send(b"refused", zmq.DONTWAIT)
    peer.connect(endpoint)
    reach(dealer, [peer])
    dealer.send(b"accepted")
    assert peer.recv() == b"accepted"
    assert hears_nothing(peer)


@inproc_and_tcp
def test_rfc28_dealer_shall_not_discard_messages_it_cannot_queue(socket: MakeSocket, transport: str) -> None:
    """Of all messages accepted up to and after the limit none is missing. (DEALER, outgoing)"""
    dealer, peer = socket(zmq.DEALER, sndhwm=2), socket(zmq.DEALER, rcvhwm=2)
    link(peer, dealer, transport)
    frames = [b"%d" % number + bytes(50_000) for number in range(200)]
    sending = Background(lambda: [dealer.send(frame) for frame in frames])
    for frame in frames:
        assert peer.recv() == frame
    sending.result()
    assert hears_nothing(peer)


# --- The ROUTER Socket Type, identities and outgoing messages --------------------------------------------------------


@each_transport
def test_rfc28_router_shall_identify_each_double_queue_by_a_unique_binary_string(
    socket: MakeSocket, transport: str
) -> None:
    """Peers without a name of their own get different ones. (ROUTER, general)"""
    router = socket(zmq.ROUTER)
    endpoint = bind(router, transport)
    peers = [socket(zmq.DEALER) for _ in range(10)]
    ids = set()
    for peer in peers:
        peer.connect(endpoint)
        peer.send(b"hello")
        ids.add(router.recv_multipart()[0])
    assert len(ids) == len(peers)
    assert b"" not in ids


@pytest.mark.parametrize("identity", [b"x", b"\xff\x00\xff", b"y" * 255])
def test_rfc28_router_should_allow_the_peer_to_specify_its_identity_in_its_metadata(
    socket: MakeSocket, raw: RawPeers, identity: bytes
) -> None:
    """The Identity property of the peer's handshake is the id. (ROUTER, general)"""
    router = socket(zmq.ROUTER)
    peer = raw.connect(bind(router, "tcp"))
    peer.handshake("DEALER", identity)
    peer.send(message(b"hello"))
    assert router.recv_multipart() == [identity, b"hello"]
    router.send_multipart([identity, b"back"])
    peer.expect(message(b"back"))


@each_transport
def test_rfc28_router_shall_prefix_each_incoming_message_with_the_identity(socket: MakeSocket, transport: str) -> None:
    """One frame before the frames of the message, which stay as they are. (ROUTER, incoming)"""
    router, peer = socket(zmq.ROUTER), socket(zmq.DEALER, routing_id=b"me")
    link(router, peer, transport)
    peer.send_multipart(ODD_PARTS)
    assert router.recv_multipart() == [b"me", *ODD_PARTS]


@each_transport
def test_rfc28_router_shall_remove_the_first_frame_and_use_it_as_the_identity(
    socket: MakeSocket, transport: str
) -> None:
    """The peer gets the other frames, as they are. (ROUTER, outgoing)"""
    router, peer = socket(zmq.ROUTER), socket(zmq.DEALER, routing_id=b"me")
    link(router, peer, transport)
    peer.send(b"hello")
    router.recv_multipart()
    router.send_multipart([b"me", *ODD_PARTS])
    assert peer.recv_multipart() == ODD_PARTS


@each_transport
def test_rfc28_router_shall_route_the_message_if_the_queue_exists_and_has_space(
    socket: MakeSocket, transport: str
) -> None:
    """Each message goes to the peer that is named and to no other. (ROUTER, outgoing)"""
    router = socket(zmq.ROUTER)
    endpoint = bind(router, transport)
    peers = [socket(zmq.DEALER, routing_id=b"%d" % number) for number in range(3)]
    for peer in peers:
        peer.connect(endpoint)
        peer.send(b"hello")
        router.recv_multipart()
    for number in (1, 0, 2, 1):
        router.send_multipart([b"%d" % number, b"for %d" % number])
    for number, count in enumerate((1, 2, 1)):
        assert receive(peers[number], count) == [b"for %d" % number] * count
        assert not peers[number].poll(1)


@pytest.mark.parametrize("mandatory", [0, 1])
def test_rfc28_router_shall_drop_or_fail_when_the_queue_does_not_exist(socket: MakeSocket, mandatory: int) -> None:
    """Silently by default, EHOSTUNREACH with ROUTER_MANDATORY. (ROUTER, outgoing)"""
    router = socket(zmq.ROUTER, router_mandatory=mandatory)
    router.bind(inproc_name())
    if mandatory:
        with raises_errno(zmq.EHOSTUNREACH):
            router.send_multipart([b"nobody", b"x"])
    else:
        router.send_multipart([b"nobody", b"x"])


@pytest.mark.parametrize("mandatory", [0, 1])
def test_rfc28_router_shall_drop_or_fail_when_the_queue_is_full(socket: MakeSocket, mandatory: int) -> None:
    """Silently by default, EAGAIN with ROUTER_MANDATORY. (ROUTER, outgoing)"""
    router = socket(zmq.ROUTER, sndhwm=1, router_mandatory=mandatory)
    peer = socket(zmq.DEALER, routing_id=b"me", rcvhwm=1)
    link(router, peer)
    peer.send(b"hello")
    router.recv_multipart()
    for number in range(2):
        router.send_multipart([b"me", b"%d" % number])
    if mandatory:
        with pytest.raises(zmq.Again):
            router.send_multipart([b"me", b"2"], zmq.DONTWAIT)
    else:
        router.send_multipart([b"me", b"2"])
    assert receive(peer, 2) == [b"0", b"1"]
    assert hears_nothing(peer)


@inproc_and_tcp
def test_rfc28_router_shall_not_block_on_sending(socket: MakeSocket, transport: str) -> None:
    """However much is sent to a peer that does not read, every send returns. (ROUTER, outgoing)"""
    router, peer = socket(zmq.ROUTER, sndhwm=1, sndtimeo=-1), socket(zmq.DEALER, routing_id=b"me", rcvhwm=1)
    peer.connect(bind(router, transport))
    peer.send(b"hello")
    router.recv_multipart()

    Background(lambda: [router.send_multipart([b"me", LARGE]) for _ in range(200)]).result()
    assert settle(router) & zmq.POLLOUT
