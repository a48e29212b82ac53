# SPDX-License-Identifier: MPL-2.0
"""Reconnecting, and ending endpoints on purpose: unbind, disconnect, bind again.

reference/internals.md 11.4, 11.5, 12 and transports.md 1, 2.
"""

import errno
from pathlib import Path

import pytest

from tests.sockets.helpers import (
    MakeSocket,
    MakeWatch,
    Sock,
    bind,
    bind_soon,
    closes,
    each_network,
    each_transport,
    free_endpoint,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    reach,
    receive,
    settle,
)
from tests.support.raw_peer import RawPeers, greeting, ready
from tests.support.target import zmq
from tests.support.waiting import ms, wait_until

# --- the connection is made again ------------------------------------------------------------------------------------


@each_network
def test_messages_sent_while_the_link_is_down_arrive(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """The connecting side keeps its queue, however often the other side is restarted."""
    push, pull = socket(zmq.PUSH, reconnect_ivl=10), socket(zmq.PULL)
    events = watch(push)
    endpoint = link(pull, push, transport)
    push.send(b"first")
    assert pull.recv() == b"first"
    for turn in range(1, 3):
        pull.close()
        events.wait(zmq.EVENT_DISCONNECTED, turn)
        for number in range(3):
            push.send(b"%d.%d" % (turn, number))
        pull = socket(zmq.PULL)
        bind_soon(pull, endpoint)
        assert receive(pull, 3) == [b"%d.%d" % (turn, number) for number in range(3)]


@each_network
def test_the_accepting_side_forgets_a_lost_peer(socket: MakeSocket, transport: str) -> None:
    """An accepted connection is not waited for: its queue goes, and without another peer the socket is mute."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    link(push, pull, transport)
    reach(push, [pull])
    pull.close()
    wait_until(lambda: not settle(push), "the peer to be gone")
    with pytest.raises(zmq.Again):
        push.send(b"x", zmq.DONTWAIT)


@each_network
def test_a_named_peer_keeps_its_route(socket: MakeSocket, transport: str) -> None:
    """A DEALER with a ROUTING_ID that comes back is addressed as before."""
    router = socket(zmq.ROUTER, router_mandatory=1)
    endpoint = bind(router, transport)
    for turn in range(2):
        dealer = socket(zmq.DEALER, routing_id=b"me")
        dealer.connect(endpoint)
        dealer.send(b"hello")
        assert router.recv_multipart() == [b"me", b"hello"]
        router.send_multipart([b"me", b"turn %d" % turn])
        assert dealer.recv() == b"turn %d" % turn
        dealer.close()

        def gone() -> bool:
            settle(router)
            try:
                router.send_multipart([b"me", b""], zmq.DONTWAIT)
            except zmq.ZMQError:
                return True
            return False

        wait_until(gone, "the route to be gone")


@each_network
def test_a_router_recognises_its_peer_after_a_reconnect(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """Seen from the connecting ROUTER the peer has the same id, given or generated, over all reconnects."""
    router, old = socket(zmq.ROUTER, reconnect_ivl=10), socket(zmq.DEALER)
    events = watch(router)
    endpoint = link(old, router, transport)
    old.send(b"before")
    routing_id, body = router.recv_multipart()
    assert body == b"before"
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    new = socket(zmq.DEALER)
    bind_soon(new, endpoint)
    new.send(b"after")
    assert router.recv_multipart() == [routing_id, b"after"]
    router.send_multipart([routing_id, b"back"])
    assert new.recv() == b"back"


@each_network
def test_req_waits_for_ever_for_a_reply_lost_with_the_link(
    socket: MakeSocket, watch: MakeWatch, transport: str
) -> None:
    """A request that was on its way when the link broke is not sent again; REQ stays in its state."""
    req, old = socket(zmq.REQ, reconnect_ivl=10), socket(zmq.REP)
    events = watch(req)
    endpoint = link(old, req, transport)
    req.send(b"question")
    assert old.recv() == b"question"
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    new = socket(zmq.REP)
    bind_soon(new, endpoint)
    events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED, 2)
    assert is_quiet(new)
    with raises_errno(zmq.EFSM):
        req.send(b"again")


@each_network
def test_req_sends_a_request_made_while_the_link_is_down(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """A request made after the loss waits for the connection like any message."""
    req, old = socket(zmq.REQ, reconnect_ivl=10), socket(zmq.REP)
    events = watch(req)
    endpoint = link(old, req, transport)
    events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    req.send(b"question")
    new = socket(zmq.REP)
    bind_soon(new, endpoint)
    assert new.recv() == b"question"
    new.send(b"answer")
    assert req.recv() == b"answer"


@each_network
def test_a_bound_subscriber_subscribes_to_a_returning_publisher(socket: MakeSocket, transport: str) -> None:
    """SUB binds: every publisher that connects, or connects again, is told the subscriptions."""
    sub = socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    endpoint = bind(sub, transport)
    for number in range(2):
        pub = socket(zmq.XPUB)
        pub.connect(endpoint)

        def subscribed(pub: Sock = pub) -> bool:
            return not sub.poll(1) and bool(pub.poll(1))

        wait_until(subscribed, "the subscription")
        assert pub.recv() == b"\x01a"
        pub.send(b"a%d" % number)
        assert sub.recv() == b"a%d" % number
        pub.close()


@each_network
@pytest.mark.parametrize("stage", ["before the greeting", "after the greeting", "after the handshake"])
def test_a_peer_that_hangs_up_is_called_again(socket: MakeSocket, raw: RawPeers, transport: str, stage: str) -> None:
    """Whenever the other side closes, the connecting side tries once more, from the greeting on."""
    push = socket(zmq.PUSH, reconnect_ivl=10)
    listener = raw.listen(transport)
    push.connect(listener.endpoint)
    peer = raw.accept(listener)
    if stage == "after the greeting":
        peer.greet()
    elif stage == "after the handshake":
        peer.handshake("PULL")
    peer.close()
    again = raw.accept(listener)
    again.handshake("PULL")
    push.send(b"hello")
    assert again.read_message() == [b"hello"]


@each_network
@pytest.mark.parametrize(
    "offence", [greeting(mechanism=b"PLAIN"), greeting() + ready("PUB")], ids=["other mechanism", "wrong socket type"]
)
def test_a_peer_that_breaks_the_protocol_is_not_called_again(
    socket: MakeSocket, raw: RawPeers, transport: str, offence: bytes
) -> None:
    """A handshake that can never succeed ends the session: the connection is closed and not made again."""
    push = socket(zmq.PUSH, reconnect_ivl=1)
    listener = raw.listen(transport)
    push.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.send(offence)
    peer.read_to_end()
    listener.expect_no_connection()


# --- how long it waits -----------------------------------------------------------------------------------------------


def test_the_pause_varies_between_once_and_twice_the_interval(
    socket: MakeSocket, watch: MakeWatch, tmp_path: Path
) -> None:
    """RECONNECT_IVL plus a random part below it; CONNECT_RETRIED tells the length."""
    push = socket(zmq.PUSH, reconnect_ivl=8)
    events = watch(push)
    push.connect(free_endpoint("tcp", tmp_path))
    events.wait(zmq.EVENT_CONNECT_RETRIED, 6)
    assert all(8 <= pause < 16 for pause in events.values(zmq.EVENT_CONNECT_RETRIED))


def test_the_pause_doubles_up_to_the_maximum(socket: MakeSocket, watch: MakeWatch, tmp_path: Path) -> None:
    """With RECONNECT_IVL_MAX the pauses are exact: RECONNECT_IVL, twice that, and so on, then the maximum."""
    push = socket(zmq.PUSH, reconnect_ivl=5, reconnect_ivl_max=18)
    events = watch(push)
    push.connect(free_endpoint("tcp", tmp_path))
    events.wait(zmq.EVENT_CONNECT_RETRIED, 5)
    assert events.values(zmq.EVENT_CONNECT_RETRIED)[:5] == [5, 10, 18, 18, 18]


def test_a_maximum_below_the_interval_wins(socket: MakeSocket, watch: MakeWatch, tmp_path: Path) -> None:
    """RECONNECT_IVL_MAX smaller than RECONNECT_IVL is used as the pause."""
    push = socket(zmq.PUSH, reconnect_ivl=20, reconnect_ivl_max=5)
    events = watch(push)
    push.connect(free_endpoint("tcp", tmp_path))
    events.wait(zmq.EVENT_CONNECT_RETRIED, 3)
    assert events.values(zmq.EVENT_CONNECT_RETRIED)[:3] == [5, 5, 5]


@pytest.mark.parametrize("interval", [0, -1])
def test_without_an_interval_a_failed_attempt_is_the_last(
    socket: MakeSocket, watch: MakeWatch, tmp_path: Path, interval: int
) -> None:
    """RECONNECT_IVL 0 or -1: no second attempt; the endpoint stays registered and its queue stays open."""
    push = socket(zmq.PUSH, reconnect_ivl=interval)
    endpoint = free_endpoint("tcp", tmp_path)
    events = watch(push)
    push.connect(endpoint)
    events.wait(zmq.EVENT_CLOSED)
    assert events.is_quiet(zmq.EVENT_CONNECT_RETRIED)
    assert len(events.values(zmq.EVENT_CLOSED)) == 1
    push.send(b"in vain", zmq.DONTWAIT)
    push.disconnect(endpoint)


@each_network
@pytest.mark.parametrize("interval", [0, -1])
def test_without_an_interval_a_lost_connection_removes_the_endpoint(
    socket: MakeSocket, watch: MakeWatch, transport: str, interval: int
) -> None:
    """RECONNECT_IVL 0 or -1: when an established connection breaks the socket disconnects by itself."""
    push, pull = socket(zmq.PUSH, reconnect_ivl=interval), socket(zmq.PULL)
    events = watch(push)
    endpoint = link(pull, push, transport)
    push.send(b"x")
    assert pull.recv() == b"x"
    pull.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    wait_until(lambda: not settle(push), "the queue to be gone")
    with raises_errno(errno.ENOENT):
        push.disconnect(endpoint)


def test_a_refused_connection_may_be_the_last(socket: MakeSocket, watch: MakeWatch, tmp_path: Path) -> None:
    """RECONNECT_STOP_CONN_REFUSED: when nobody listens, give up and forget the endpoint."""
    push = socket(zmq.PUSH, reconnect_ivl=1, reconnect_stop=zmq.RECONNECT_STOP_CONN_REFUSED)
    endpoint = free_endpoint("tcp", tmp_path)
    events = watch(push)
    push.connect(endpoint)
    events.wait(zmq.EVENT_CLOSED)
    assert events.is_quiet(zmq.EVENT_CONNECT_RETRIED)
    wait_until(lambda: not settle(push), "the queue to be gone")
    with raises_errno(errno.ENOENT):
        push.disconnect(endpoint)


def test_a_failed_handshake_may_be_the_last(socket: MakeSocket, raw: RawPeers) -> None:
    """RECONNECT_STOP_HANDSHAKE_FAILED: a connection closed during the handshake is not made again."""
    push = socket(zmq.PUSH, reconnect_ivl=1, reconnect_stop=zmq.RECONNECT_STOP_HANDSHAKE_FAILED)
    listener = raw.listen()
    push.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet()
    peer.close()
    listener.expect_no_connection()


def test_the_interval_is_taken_at_connect(socket: MakeSocket, watch: MakeWatch, tmp_path: Path) -> None:
    """A later RECONNECT_IVL does not touch endpoints connected before."""
    push = socket(zmq.PUSH, reconnect_ivl=3, reconnect_ivl_max=3)
    events = watch(push)
    push.connect(free_endpoint("tcp", tmp_path))
    push.setsockopt(zmq.RECONNECT_IVL, ms(10_000))
    push.setsockopt(zmq.RECONNECT_IVL_MAX, 0)
    events.wait(zmq.EVENT_CONNECT_RETRIED, 5)
    assert set(events.values(zmq.EVENT_CONNECT_RETRIED)) == {3}


# --- disconnect ------------------------------------------------------------------------------------------------------


@each_network
def test_disconnect_stops_the_attempts(socket: MakeSocket, raw: RawPeers, transport: str) -> None:
    """After disconnect nobody is called any more, not even by a pending retry."""
    push = socket(zmq.PUSH, reconnect_ivl=1)
    listener = raw.listen(transport)
    push.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("PULL")
    push.disconnect(listener.endpoint)
    closes(push, peer)
    listener.expect_no_connection()


@each_network
def test_a_disconnected_endpoint_can_be_connected_again(socket: MakeSocket, transport: str) -> None:
    """connect after disconnect makes a new connection."""
    dealer, router = socket(zmq.DEALER), socket(zmq.ROUTER)
    endpoint = link(router, dealer, transport)
    dealer.send(b"one")
    first, _ = router.recv_multipart()
    dealer.disconnect(endpoint)
    dealer.connect(endpoint)
    settle(dealer)
    dealer.send(b"two")
    second, body = router.recv_multipart()
    assert body == b"two"
    assert first != second


@each_network
def test_disconnect_ends_all_connections_to_that_text(socket: MakeSocket, transport: str) -> None:
    """A PUSH connected twice to one endpoint is rid of both connections at once."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = link(pull, push, transport)
    push.connect(endpoint)
    push.disconnect(endpoint)
    wait_until(lambda: not settle(push), "both pipes to be gone")
    with raises_errno(errno.ENOENT):
        push.disconnect(endpoint)


@each_network
def test_disconnect_leaves_other_connections_alone(socket: MakeSocket, transport: str) -> None:
    """Only the endpoint named is given up."""
    push, kept, given_up = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PULL)
    link(kept, push, transport)
    push.disconnect(link(given_up, push, transport))
    settle(push)
    for number in range(3):
        push.send(b"%d" % number)
    assert receive(kept, 3) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1", "ipc:///nowhere", "inproc://nobody"])
@pytest.mark.parametrize("call", ["disconnect", "unbind"])
def test_an_endpoint_not_in_use_cannot_be_ended(socket: MakeSocket, call: str, endpoint: str) -> None:
    """disconnect and unbind of a text that is not in use: ENOENT."""
    sock = socket(zmq.PUSH)
    with raises_errno(errno.ENOENT):
        getattr(sock, call)(endpoint)


# --- unbind ----------------------------------------------------------------------------------------------------------


@each_network
def test_unbind_ends_accepted_connections(socket: MakeSocket, raw: RawPeers, transport: str) -> None:
    """The listener goes, and with it the connections it accepted."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, transport)
    peer = raw.connect(endpoint)
    peer.handshake("PUSH")
    settle(pull)
    pull.unbind(endpoint)
    closes(pull, peer)
    with pytest.raises(OSError):
        raw.connect(endpoint)


@each_transport
def test_after_unbind_the_address_is_free(socket: MakeSocket, transport: str) -> None:
    """The same or another socket can bind it again, and peers come back by themselves where there is a network."""
    old, new, push = socket(zmq.PULL), socket(zmq.PULL), socket(zmq.PUSH, reconnect_ivl=10)
    endpoint = bind(old, transport)
    old.unbind(endpoint)
    bind_soon(new, endpoint)
    push.connect(endpoint)
    push.send(b"to the new one")
    assert new.recv() == b"to the new one"
    new.unbind(endpoint)
    bind_soon(new, endpoint)
    other = socket(zmq.PUSH)
    other.connect(endpoint)
    other.send(b"to the new one again")
    assert new.recv() == b"to the new one again"


@each_network
def test_peers_come_back_to_a_socket_that_binds_again(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """unbind cuts the connections; after bind the peers reconnect and go on."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, reconnect_ivl=10)
    events = watch(push)
    endpoint = link(pull, push, transport)
    push.send(b"before")
    assert pull.recv() == b"before"
    pull.unbind(endpoint)
    wait_until(lambda: settle(pull) == 0 and events.values(zmq.EVENT_DISCONNECTED), "the connection to be cut")
    push.send(b"meanwhile")
    bind_soon(pull, endpoint)
    assert pull.recv() == b"meanwhile"


def test_a_tcp_endpoint_may_be_named_in_another_way(socket: MakeSocket) -> None:
    """unbind resolves the text when it is not found as it is: a host name finds the address."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, "tcp")
    pull.unbind(endpoint.replace("127.0.0.1", "localhost"))
    with raises_errno(errno.ENOENT):
        pull.unbind(endpoint)


def test_a_wildcard_does_not_name_a_bound_endpoint(socket: MakeSocket) -> None:
    """unbind of tcp://*:port is ENOENT; the text to give is LAST_ENDPOINT."""
    pull = socket(zmq.PULL)
    pull.bind("tcp://*:*")
    endpoint = last_endpoint(pull)
    assert endpoint.startswith("tcp://0.0.0.0:")
    with raises_errno(errno.ENOENT):
        pull.unbind(endpoint.replace("0.0.0.0", "*"))
    pull.unbind(endpoint)


@each_network
def test_unbind_and_disconnect_are_the_same_call(socket: MakeSocket, transport: str) -> None:
    """disconnect ends a bound endpoint and unbind a connected one."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    endpoint = link(pull, push, transport)
    push.unbind(endpoint)
    pull.disconnect(endpoint)
    for sock in (push, pull):
        with raises_errno(errno.ENOENT):
            sock.unbind(endpoint)


def test_bind_and_connect_give_what_leaving_a_with_block_undoes(socket: MakeSocket) -> None:
    """`with sock.bind(...)` unbinds at the end, `with sock.connect(...)` disconnects."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    with pull.bind("tcp://127.0.0.1:*"):
        endpoint = last_endpoint(pull)
        with push.connect(endpoint):
            push.send(b"x")
            assert pull.recv() == b"x"
        with raises_errno(errno.ENOENT):
            push.disconnect(endpoint)
    with raises_errno(errno.ENOENT):
        pull.unbind(endpoint)
