# SPDX-License-Identifier: MPL-2.0
"""inproc: names, pending connections, ends of connections (reference/transports.md 4, internals.md 10)."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from tests.sockets.helpers import (
    MakeSocket,
    MakeWatch,
    Sock,
    bind,
    inproc_name,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


def joined(*socks: Sock) -> None:
    for sock in socks:
        settle(sock)


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "with space and/slash", " ", "ü", "tcp://nested", "*", "x" * 200])
def test_a_name_is_any_text(socket: MakeSocket, name: str) -> None:
    """Names are compared as they are; nothing in them is special."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    pull.bind(f"inproc://{name}")
    push.connect(f"inproc://{name}")
    push.send(b"hello")
    assert pull.recv() == b"hello"
    assert last_endpoint(pull) == last_endpoint(push) == f"inproc://{name}"


def test_names_differ_by_case(socket: MakeSocket) -> None:
    """Two names that differ in the case of a letter are two names."""
    lower, upper, push = socket(zmq.PULL), socket(zmq.PULL), socket(zmq.PUSH)
    lower.bind("inproc://name")
    upper.bind("inproc://Name")
    push.connect("inproc://Name")
    push.send(b"x")
    assert upper.recv() == b"x"
    assert is_quiet(lower)


def test_a_name_can_be_bound_once(socket: MakeSocket) -> None:
    """A second bind, by the same socket or another, fails with EADDRINUSE and changes nothing."""
    first, second, push = socket(zmq.PULL), socket(zmq.PULL), socket(zmq.PUSH)
    endpoint = bind(first)
    for sock in (first, second):
        with raises_errno(zmq.EADDRINUSE):
            sock.bind(endpoint)
    push.connect(endpoint)
    push.send(b"x")
    assert first.recv() == b"x"


def test_a_socket_may_have_several_names(socket: MakeSocket) -> None:
    """Each of them leads to it."""
    pull = socket(zmq.PULL)
    endpoints = [bind(pull) for _ in range(3)]
    for endpoint in endpoints:
        push = socket(zmq.PUSH)
        push.connect(endpoint)
        push.send(endpoint.encode())
    assert receive(pull, 3) == [endpoint.encode() for endpoint in endpoints]


def test_names_belong_to_a_context(socket: MakeSocket) -> None:
    """The same name may be bound in two contexts; they are strangers to each other."""
    here = socket(zmq.PULL)
    endpoint = bind(here)
    with zmq.Context() as other, other.socket(zmq.PULL) as there, other.socket(zmq.PUSH) as push:
        push.connect(endpoint)
        push.send(b"x")
        there.bind(endpoint)
        assert there.recv() == b"x"
        assert is_quiet(here)


@pytest.mark.parametrize("give_up", ["unbind", "close"])
def test_a_name_is_free_again(socket: MakeSocket, give_up: str) -> None:
    """After unbind or close somebody else can bind it."""
    old, new, push = socket(zmq.PULL), socket(zmq.PULL), socket(zmq.PUSH)
    endpoint = bind(old)
    if give_up == "unbind":
        old.unbind(endpoint)
    else:
        old.close()

    def bound() -> bool:
        try:
            new.bind(endpoint)
        except zmq.ZMQError as error:
            assert error.errno == zmq.EADDRINUSE
            return False
        return True

    wait_until(bound, "the name to be free")
    push.connect(endpoint)
    push.send(b"x")
    assert new.recv() == b"x"


def test_sockets_of_any_two_types_can_be_joined(socket: MakeSocket) -> None:
    """There is no handshake, so nothing checks whether the types fit."""
    push, dealer = socket(zmq.PUSH), socket(zmq.DEALER)
    link(dealer, push)
    push.send_multipart([b"from", b"push"])
    assert dealer.recv_multipart() == [b"from", b"push"]


@pytest.mark.parametrize("kind", ["PULL", "DEALER", "ROUTER", "PAIR"])
def test_who_is_no_publisher_is_given_a_topic_as_a_message(socket: MakeSocket, kind: str) -> None:
    """inproc asks nobody for its type, so a subscription is what its bytes are."""
    server, sub = socket(getattr(zmq, kind)), socket(zmq.SUB)
    server.bind(f"inproc://topic-{kind}")
    sub.connect(f"inproc://topic-{kind}")
    sub.setsockopt(zmq.SUBSCRIBE, b"a topic")
    assert server.recv_multipart()[-1] == b"a topic"


def test_a_socket_may_talk_to_itself(socket: MakeSocket) -> None:
    """A DEALER connected to its own name gets back what it sends."""
    dealer = socket(zmq.DEALER)
    dealer.connect(bind(dealer))
    settle(dealer)
    dealer.send(b"echo")
    dealer.send(b"echo")
    assert receive(dealer, 2) == [b"echo", b"echo"]


def test_inproc_needs_no_io_thread() -> None:
    """With IO_THREADS = 0 inproc works; everything else fails with EMTHREAD."""
    with zmq.Context(io_threads=0) as ctx, ctx.socket(zmq.PULL) as pull, ctx.socket(zmq.PUSH) as push:
        link(pull, push)
        push.send(b"x")
        assert pull.recv() == b"x"
        with raises_errno(zmq.EMTHREAD):
            pull.bind("tcp://127.0.0.1:*")


# --- connect before bind ---------------------------------------------------------------------------------------------


def test_messages_wait_for_the_name_to_be_bound(socket: MakeSocket) -> None:
    """connect to a name nobody has succeeds; what is sent meanwhile arrives after bind, in order."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = inproc_name()
    push.connect(endpoint)
    assert settle(push) == zmq.POLLOUT
    push.send(b"one")
    push.send_multipart([b"two", b"parts"])
    pull.bind(endpoint)
    assert pull.recv_multipart() == [b"one"]
    assert pull.recv_multipart() == [b"two", b"parts"]
    push.send(b"three")
    assert pull.recv() == b"three"


def test_many_may_wait_for_one_name(socket: MakeSocket) -> None:
    """All of them are joined by the one bind."""
    endpoint = inproc_name()
    pushes = [socket(zmq.PUSH) for _ in range(5)]
    for number, push in enumerate(pushes):
        push.connect(endpoint)
        push.send(b"%d" % number)
    pull = socket(zmq.PULL)
    pull.bind(endpoint)
    assert sorted(receive(pull, 5)) == [b"%d" % number for number in range(5)]


def test_one_socket_may_wait_for_many_names(socket: MakeSocket) -> None:
    """Its messages are dealt out over the pending connections as over any other."""
    push = socket(zmq.PUSH)
    endpoints = [inproc_name() for _ in range(3)]
    for endpoint in endpoints:
        push.connect(endpoint)
    for number in range(6):
        push.send(b"%d" % number)
    for number, endpoint in enumerate(endpoints):
        pull = socket(zmq.PULL)
        pull.bind(endpoint)
        assert receive(pull, 2) == [b"%d" % number, b"%d" % (number + 3)]


def test_what_a_closed_socket_left_for_a_name_arrives(socket: MakeSocket) -> None:
    """A socket may send to a name, close, and still be heard when the name is bound."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = inproc_name()
    push.connect(endpoint)
    push.send(b"legacy")
    push.close()
    pull.bind(endpoint)
    assert pull.recv() == b"legacy"


def test_a_pending_connection_can_be_taken_back(socket: MakeSocket) -> None:
    """disconnect works before the bind; the bind then finds a dead end and nothing breaks."""
    push, pull, other = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PUSH)
    endpoint = inproc_name()
    push.connect(endpoint)
    push.disconnect(endpoint)
    assert settle(push) == 0
    pull.bind(endpoint)
    other.connect(endpoint)
    other.send(b"x")
    assert pull.recv() == b"x"
    assert settle(push) == 0


def test_a_replier_may_come_last(socket: MakeSocket) -> None:
    """A whole dialogue works over a connection made before the bind."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    endpoint = inproc_name()
    req.connect(endpoint)
    req.send(b"question")
    rep.bind(endpoint)
    assert rep.recv() == b"question"
    rep.send(b"answer")
    assert req.recv() == b"answer"


def test_a_subscriber_may_come_first(socket: MakeSocket) -> None:
    """Its subscriptions wait for the publisher."""
    sub, pub = socket(zmq.SUB), socket(zmq.XPUB)
    endpoint = inproc_name()
    sub.setsockopt(zmq.SUBSCRIBE, b"before")
    sub.connect(endpoint)
    sub.setsockopt(zmq.SUBSCRIBE, b"after")
    pub.bind(endpoint)
    assert receive(pub, 2) == [b"\x01before", b"\x01after"]
    pub.send(b"before")
    assert sub.recv() == b"before"


# --- routing ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["connect", "bind"])
@pytest.mark.parametrize("router_binds", [True, False])
def test_routing_ids_are_exchanged(socket: MakeSocket, first: str, router_binds: bool) -> None:
    """A ROUTER knows the ROUTING_ID of its peer whoever binds and whoever comes first."""
    router, dealer = socket(zmq.ROUTER), socket(zmq.DEALER, routing_id=b"me")
    endpoint = inproc_name()
    binder, connecter = (router, dealer) if router_binds else (dealer, router)
    steps: list[Callable[[], Any]] = [lambda: binder.bind(endpoint), lambda: connecter.connect(endpoint)]
    for step in steps if first == "bind" else reversed(steps):
        step()
    joined(router, dealer, router)
    router.send_multipart([b"me", b"hello"])
    assert dealer.recv_multipart() == [b"hello"]
    dealer.send(b"back")
    assert router.recv_multipart() == [b"me", b"back"]


@pytest.mark.parametrize("first", ["connect", "bind"])
def test_a_routing_id_is_no_message(socket: MakeSocket, first: str) -> None:
    """Peers that do not ask for it never see it."""
    left, right = socket(zmq.DEALER, routing_id=b"left"), socket(zmq.DEALER, routing_id=b"right")
    endpoint = inproc_name()
    steps: list[Callable[[], Any]] = [lambda: left.bind(endpoint), lambda: right.connect(endpoint)]
    for step in steps if first == "bind" else reversed(steps):
        step()
    joined(left, right)
    left.send(b"to the right")
    right.send(b"to the left")
    assert left.recv_multipart() == [b"to the left"]
    assert right.recv_multipart() == [b"to the right"]


# --- the end of a connection -----------------------------------------------------------------------------------------


def test_unbind_leaves_connections_alone(socket: MakeSocket) -> None:
    """It takes the name away and nothing else."""
    pull, push, late = socket(zmq.PULL), socket(zmq.PUSH), socket(zmq.PUSH)
    endpoint = link(pull, push)
    pull.unbind(endpoint)
    push.send(b"still here")
    assert pull.recv() == b"still here"
    late.connect(endpoint)
    late.send(b"waits for a new owner of the name")
    assert is_quiet(pull)
    with raises_errno(errno.ENOENT):
        pull.unbind(endpoint)


def test_disconnect_ends_the_connection(socket: MakeSocket) -> None:
    """The peer can still read what was sent; then both ends are without a peer."""
    pair, peer = socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = link(peer, pair)
    settle(peer)
    pair.send(b"last words")
    pair.disconnect(endpoint)
    assert settle(pair) == 0
    assert peer.recv() == b"last words"
    assert settle(peer) == 0
    with raises_errno(errno.ENOENT):
        pair.disconnect(endpoint)


def test_disconnect_ends_all_connections_of_that_name(socket: MakeSocket) -> None:
    """A socket connected twice to a name is rid of both at once."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = link(pull, push)
    push.connect(endpoint)
    push.disconnect(endpoint)
    assert settle(push) == 0
    with raises_errno(errno.ENOENT):
        push.disconnect(endpoint)


def test_a_disconnected_name_can_be_connected_again(socket: MakeSocket) -> None:
    """connect after disconnect makes a new connection."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = link(pull, push)
    push.disconnect(endpoint)
    push.connect(endpoint)
    push.send(b"again")
    assert pull.recv() == b"again"


def test_there_is_no_reconnect(socket: MakeSocket) -> None:
    """When the bound socket closes, the connection is over for good, even if the name is bound again."""
    push, old, new = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PULL)
    endpoint = link(old, push)
    settle(old)
    old.close()
    wait_until(lambda: settle(push) == 0, "the connection to end")
    new.bind(endpoint)
    assert settle(push) == 0
    assert is_quiet(new)


def test_nothing_of_inproc_is_monitored(socket: MakeSocket, watch: MakeWatch) -> None:
    """bind, connect, disconnect and close of inproc connections make no events."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    events = [watch(pull), watch(push)]
    endpoint = link(pull, push)
    push.send(b"x")
    pull.recv()
    push.disconnect(endpoint)
    pull.unbind(endpoint)
    for each in events:
        assert each.is_quiet(zmq.EVENT_LISTENING)
        assert each.seen == []


def test_there_is_no_metadata(socket: MakeSocket) -> None:
    """Asking an inproc message for a property of its connection: EINVAL."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    link(pull, push)
    push.send(b"x")
    frame = pull.recv(copy=False)
    with raises_errno(zmq.EINVAL):
        frame.get("Peer-Address")
