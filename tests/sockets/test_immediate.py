# SPDX-License-Identifier: MPL-2.0
"""IMMEDIATE: whether messages are queued for connections that are not up (reference/internals.md 5.7, 11.1, 11.5)."""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    Background,
    MakeSocket,
    MakeWatch,
    bind_soon,
    each_network,
    free_endpoint,
    is_quiet,
    link,
    receive,
    refuses_to_send,
    settle,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


@each_network
@pytest.mark.parametrize("kind", ["PUSH", "DEALER", "PAIR", "REQ"])
def test_by_default_messages_wait_for_the_connection(
    socket: MakeSocket, transport: str, kind: str, tmp_path: Path
) -> None:
    """IMMEDIATE = 0: connect makes the queue, and sending to nobody yet succeeds."""
    sock = socket(getattr(zmq, kind))
    assert sock.getsockopt(zmq.IMMEDIATE) == 0
    sock.connect(free_endpoint(transport, tmp_path))
    assert settle(sock) == zmq.POLLOUT
    sock.send(b"queued", zmq.DONTWAIT)


@each_network
@pytest.mark.parametrize("kind", ["PUSH", "DEALER", "PAIR", "REQ"])
def test_immediate_waits_for_the_connection_itself(
    socket: MakeSocket, transport: str, kind: str, tmp_path: Path
) -> None:
    """IMMEDIATE = 1: no queue before the handshake is done, so sending would block."""
    sock = socket(getattr(zmq, kind), immediate=1)
    sock.connect(free_endpoint(transport, tmp_path))
    assert settle(sock) == 0
    assert refuses_to_send(sock)


@each_network
def test_a_blocked_send_goes_on_when_the_connection_is_up(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """The first message is taken once the handshake is done."""
    push, pull = socket(zmq.PUSH, immediate=1, reconnect_ivl=10), socket(zmq.PULL)
    endpoint = free_endpoint(transport, tmp_path)
    push.connect(endpoint)
    sending = Background(lambda: push.send(b"waited"))
    assert sending.blocks()
    pull.bind(endpoint)
    sending.result()
    assert pull.recv() == b"waited"


@each_network
def test_without_immediate_a_dead_endpoint_gets_its_share(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """Round robin includes the connection that is not up: every other message waits there."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    push.connect(free_endpoint(transport, tmp_path))
    link(pull, push, transport)
    for number in range(6):
        push.send(b"%d" % number)
    assert receive(pull, 3) == [b"1", b"3", b"5"]
    assert is_quiet(pull)


@each_network
def test_with_immediate_a_dead_endpoint_gets_nothing(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """All messages go to the connection that is up."""
    push, pull = socket(zmq.PUSH, immediate=1), socket(zmq.PULL)
    push.connect(free_endpoint(transport, tmp_path))
    link(pull, push, transport)
    for number in range(6):
        push.send(b"%d" % number)
    assert receive(pull, 6) == [b"%d" % number for number in range(6)]


@each_network
def test_a_lost_connection_takes_its_queue_along(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """With IMMEDIATE = 1 the socket is mute from the loss of its only connection until the next one is up."""
    push, old = socket(zmq.PUSH, immediate=1, reconnect_ivl=10), socket(zmq.PULL)
    events = watch(push)
    endpoint = link(old, push, transport)
    push.send(b"before")
    assert old.recv() == b"before"
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    wait_until(lambda: not settle(push), "the queue to be gone")
    assert refuses_to_send(push)
    new = socket(zmq.PULL)
    bind_soon(new, endpoint)
    push.send(b"after")
    assert new.recv() == b"after"


def test_immediate_means_nothing_to_inproc(socket: MakeSocket, tmp_path: Path) -> None:
    """Over inproc a message may be sent before the name is bound."""
    push, pull = socket(zmq.PUSH, immediate=1), socket(zmq.PULL)
    endpoint = free_endpoint("inproc", tmp_path)
    push.connect(endpoint)
    push.send(b"early", zmq.DONTWAIT)
    pull.bind(endpoint)
    assert pull.recv() == b"early"


@each_network
def test_immediate_counts_at_connect(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """A connection made before the option was set keeps its queue."""
    push = socket(zmq.PUSH)
    push.connect(free_endpoint(transport, tmp_path))
    push.setsockopt(zmq.IMMEDIATE, 1)
    push.send(b"queued", zmq.DONTWAIT)
    assert settle(push) == zmq.POLLOUT


@each_network
def test_immediate_subscribers_subscribe_when_connected(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """A SUB with IMMEDIATE sends its subscriptions once the pipe exists."""
    sub, pub = socket(zmq.SUB, immediate=1, reconnect_ivl=10), socket(zmq.XPUB)
    endpoint = free_endpoint(transport, tmp_path)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    sub.connect(endpoint)
    pub.bind(endpoint)
    wait_until(lambda: settle(sub) == 0 and pub.poll(1), "the subscription")
    assert pub.recv() == b"\x01a"
    pub.send(b"a")
    assert sub.recv() == b"a"
