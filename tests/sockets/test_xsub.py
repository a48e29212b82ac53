# SPDX-License-Identifier: MPL-2.0
"""XSUB, and what SUB has from it: subscribing by message, counting, replaying (reference/internals.md 7, 8.7)."""

import pytest

from tests.sockets.helpers import (
    MakeSocket,
    MakeWatch,
    bind_soon,
    each_network,
    each_transport,
    inproc_and_tcp,
    is_quiet,
    link,
    receive,
    settle,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


@each_transport
def test_xsub_subscribes_by_sending(socket: MakeSocket, transport: str) -> None:
    """01 + topic subscribes, 00 + topic cancels."""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    xsub.send(b"\x01a")
    assert xpub.recv() == b"\x01a"
    xpub.send(b"a1")
    xpub.send(b"b1")
    assert xsub.recv() == b"a1"
    xsub.send(b"\x00a")
    assert xpub.recv() == b"\x00a"
    xpub.send(b"a2")
    assert is_quiet(xsub)


def test_xsub_is_always_writable(socket: MakeSocket) -> None:
    """Without a publisher sending succeeds, receiving would block."""
    xsub = socket(zmq.XSUB)
    assert settle(xsub) == zmq.POLLOUT
    xsub.send(b"\x01a", zmq.DONTWAIT)
    xsub.send_multipart([b"user", b"message"], zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        xsub.recv(zmq.DONTWAIT)


def test_xsub_does_not_filter(socket: MakeSocket) -> None:
    """Whatever arrives is delivered, with or without a subscription; SUB filters the same traffic."""
    xsub, sub = socket(zmq.XSUB), socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    for sock in (xsub, sub):
        # Over inproc a PUSH may be joined to anything, and sends without asking who wants it.
        push = socket(zmq.PUSH)
        link(sock, push)
        push.send_multipart([b"unasked", b"a"])
        push.send_multipart([b"a", b"asked"])
    assert xsub.recv_multipart() == [b"unasked", b"a"]
    assert xsub.recv_multipart() == [b"a", b"asked"]
    assert sub.recv_multipart() == [b"a", b"asked"]


def test_repeated_subscriptions_are_passed_on(socket: MakeSocket) -> None:
    """Every subscription goes upstream, also one that is in force already."""
    xpub, xsub = socket(zmq.XPUB, xpub_verboser=1), socket(zmq.XSUB)
    link(xpub, xsub)
    for _ in range(3):
        xsub.send(b"\x01a")
    assert receive(xpub, 3) == [b"\x01a"] * 3


def test_only_the_last_cancellation_is_passed_on(socket: MakeSocket) -> None:
    """XSUB counts: cancellations before the last, and unknown ones, are swallowed without an error."""
    xpub, xsub = socket(zmq.XPUB, xpub_verboser=1), socket(zmq.XSUB)
    link(xpub, xsub)
    xsub.send(b"\x01a")
    xsub.send(b"\x01a")
    receive(xpub, 2)
    xsub.send(b"\x00unknown")
    xsub.send(b"\x00a")
    assert is_quiet(xpub)
    xsub.send(b"\x00a")
    assert xpub.recv() == b"\x00a"
    xsub.send(b"\x00a")
    assert is_quiet(xpub)


@inproc_and_tcp
def test_messages_of_xsub_go_to_every_publisher(socket: MakeSocket, transport: str) -> None:
    """Subscriptions and user messages alike are sent up every connection, all parts together."""
    xsub = socket(zmq.XSUB)
    xpubs = [socket(zmq.XPUB) for _ in range(3)]
    for xpub in xpubs:
        link(xpub, xsub, transport)
    xsub.send(b"\x01a")
    xsub.send_multipart([b"user", b"message"])
    for xpub in xpubs:
        assert xpub.recv() == b"\x01a"
        assert xpub.recv_multipart() == [b"user", b"message"]


@inproc_and_tcp
def test_a_new_publisher_is_told_all_subscriptions(socket: MakeSocket, transport: str) -> None:
    """Each distinct topic in force is sent once to a connection made later; cancelled ones are not."""
    first, second, xsub = socket(zmq.XPUB), socket(zmq.XPUB, xpub_verboser=1), socket(zmq.XSUB)
    link(first, xsub, transport)
    for message in (b"\x01a", b"\x01b", b"\x01a", b"\x01c", b"\x00b"):
        xsub.send(message)
    link(second, xsub, transport)
    assert sorted(receive(second, 2)) == [b"\x01a", b"\x01c"]
    assert is_quiet(second)


def test_user_messages_are_not_kept_for_later_publishers(socket: MakeSocket) -> None:
    """Only subscriptions are replayed."""
    xsub, xpub = socket(zmq.XSUB), socket(zmq.XPUB)
    xsub.send(b"user message")
    xsub.send(b"\x01a")
    link(xpub, xsub)
    assert xpub.recv() == b"\x01a"
    assert is_quiet(xpub)


@each_network
@pytest.mark.parametrize("kind", ["SUB", "XSUB"])
def test_subscriptions_are_sent_again_after_a_reconnect(
    socket: MakeSocket, watch: MakeWatch, kind: str, transport: str
) -> None:
    """A restarted publisher learns the topics without the subscriber doing more than looking at its socket."""
    old, sub = socket(zmq.XPUB), socket(getattr(zmq, kind), reconnect_ivl=10)
    events = watch(sub)
    endpoint = link(old, sub, transport)
    for topic in (b"a", b"b"):
        if kind == "SUB":
            sub.setsockopt(zmq.SUBSCRIBE, topic)
        else:
            sub.send(b"\x01" + topic)
    assert receive(old, 2) == [b"\x01a", b"\x01b"]
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    new = socket(zmq.XPUB)
    bind_soon(new, endpoint)
    events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED, 2)
    wait_until(lambda: not sub.poll(1) and new.poll(1), "the subscriptions")
    assert sorted(receive(new, 2)) == [b"\x01a", b"\x01b"]
    new.send(b"b")
    assert sub.recv() == b"b"


@each_network
def test_a_subscription_made_while_disconnected_is_sent_once(
    socket: MakeSocket, watch: MakeWatch, transport: str
) -> None:
    """What was queued for the lost connection is thrown away; the replay says it all."""
    old, sub = socket(zmq.XPUB), socket(zmq.SUB, reconnect_ivl=10)
    events = watch(sub)
    endpoint = link(old, sub, transport)
    sub.setsockopt(zmq.SUBSCRIBE, b"before")
    assert old.recv() == b"\x01before"
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    sub.setsockopt(zmq.SUBSCRIBE, b"meanwhile")
    sub.setsockopt(zmq.UNSUBSCRIBE, b"before")
    new = socket(zmq.XPUB, xpub_verboser=1)
    bind_soon(new, endpoint)
    wait_until(lambda: not sub.poll(1) and new.poll(1), "the subscription")
    assert new.recv() == b"\x01meanwhile"
    assert is_quiet(new)


def test_subscriptions_over_the_limit_are_lost(socket: MakeSocket) -> None:
    """A publisher that does not read gets only as many subscriptions as fit into the queue (SNDHWM + RCVHWM)."""
    xpub, sub = socket(zmq.XPUB, rcvhwm=1), socket(zmq.SUB, sndhwm=1)
    link(xpub, sub)
    for topic in (b"a", b"b", b"c", b"d"):
        sub.setsockopt(zmq.SUBSCRIBE, topic)
    assert receive(xpub, 2) == [b"\x01a", b"\x01b"]
    assert is_quiet(xpub)


@pytest.mark.parametrize("kind", ["SUB", "XSUB"])
def test_linger_of_subscribers_is_zero(ctx: object, kind: str) -> None:
    """SUB and XSUB start with LINGER 0: their subscriptions are not worth waiting for."""
    with ctx.socket(getattr(zmq, kind)) as sock:  # type: ignore[attr-defined]
        assert sock.getsockopt(zmq.LINGER) == 0


@inproc_and_tcp
def test_a_forwarder_passes_subscriptions_up_and_messages_down(socket: MakeSocket, transport: str) -> None:
    """XSUB and XPUB joined by the application make a broker."""
    pub, frontend, backend, sub = socket(zmq.XPUB), socket(zmq.XSUB), socket(zmq.XPUB), socket(zmq.SUB)
    link(pub, frontend, transport)
    link(backend, sub, transport)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    frontend.send(backend.recv())
    assert pub.recv() == b"\x01a"
    pub.send_multipart([b"a", b"body"])
    backend.send_multipart(frontend.recv_multipart())
    assert sub.recv_multipart() == [b"a", b"body"]
