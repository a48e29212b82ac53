# SPDX-License-Identifier: MPL-2.0
"""LINGER: what becomes of unsent messages at close, disconnect, unbind and term (reference/internals.md 9).

The `socket` fixture sets LINGER to 0, so each test says which value it means.
"""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sockets.helpers import (
    LIMIT,
    QUIET,
    Background,
    MakeSocket,
    MakeWatch,
    bind,
    each_network,
    free_endpoint,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    reach,
    receive,
    settle,
    takes,
)
from tests.support.target import zmq
from tests.support.waiting import ms, wait_until


@pytest.fixture
def own_ctx() -> Iterator[Any]:
    """A second context, for tests that terminate one themselves."""
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def queued(ctx: Any, endpoint: str, count: int = 3, linger: int = -1) -> Any:
    """A PUSH of `ctx` with messages for an endpoint that is not up yet."""
    push = ctx.socket(zmq.PUSH)
    push.setsockopt(zmq.LINGER, linger)
    push.setsockopt(zmq.RECONNECT_IVL, 10)
    push.connect(endpoint)
    for number in range(count):
        push.send(b"%d" % number)
    return push


# --- the option ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PAIR", "PUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB"])
def test_sockets_linger_for_ever_by_default(ctx: Any, kind: str) -> None:
    """LINGER is -1 for all types but the subscribers'."""
    with ctx.socket(getattr(zmq, kind)) as sock:
        assert sock.getsockopt(zmq.LINGER) == -1


@pytest.mark.parametrize("kind", ["PUSH", "DEALER", "SUB"])
def test_a_context_that_is_not_blocky_makes_sockets_that_do_not_linger(ctx: Any, kind: str) -> None:
    """BLOCKY = 0 on the context makes 0 the default of sockets created afterwards."""
    assert ctx.get(zmq.BLOCKY) == 1
    with ctx.socket(zmq.PUSH) as before:
        ctx.set(zmq.BLOCKY, 0)
        assert ctx.get(zmq.BLOCKY) == 0
        with ctx.socket(getattr(zmq, kind)) as sock:
            assert sock.getsockopt(zmq.LINGER) == 0
        assert before.getsockopt(zmq.LINGER) == -1


# --- close and term --------------------------------------------------------------------------------------------------


@each_network
def test_with_linger_zero_term_returns_at_once(own_ctx: Any, transport: str, tmp_path: Path) -> None:
    """What is queued for a connection that is not up is thrown away."""
    queued(own_ctx, free_endpoint(transport, tmp_path), linger=0).close()
    with takes(0, LIMIT // 2):
        own_ctx.term()


@each_network
def test_with_linger_term_returns_when_the_time_is_up(own_ctx: Any, transport: str, tmp_path: Path) -> None:
    """A positive LINGER bounds the wait for a peer that never comes."""
    queued(own_ctx, free_endpoint(transport, tmp_path), linger=ms(60)).close()
    with takes(ms(60), LIMIT // 2):
        own_ctx.term()


@each_network
def test_with_endless_linger_term_waits_for_delivery(
    own_ctx: Any, socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """LINGER = -1: term blocks until a peer came and took everything, in order."""
    endpoint = free_endpoint(transport, tmp_path)
    queued(own_ctx, endpoint).close()
    terminating = Background(own_ctx.term)
    assert terminating.blocks()
    pull = socket(zmq.PULL)
    pull.bind(endpoint)
    terminating.result()
    assert receive(pull, 3) == [b"0", b"1", b"2"]


@each_network
def test_delivery_ends_the_wait_before_the_time_is_up(
    own_ctx: Any, socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """A positive LINGER is a limit, not a delay."""
    endpoint = free_endpoint(transport, tmp_path)
    queued(own_ctx, endpoint, linger=LIMIT * 10).close()
    pull = socket(zmq.PULL)
    pull.bind(endpoint)
    with takes(0, LIMIT):
        own_ctx.term()
    assert receive(pull, 3) == [b"0", b"1", b"2"]


def test_term_waits_until_every_socket_is_closed(own_ctx: Any) -> None:
    """Whatever LINGER says, an open socket keeps term waiting; closing it lets term go on."""
    push = own_ctx.socket(zmq.PUSH)
    push.setsockopt(zmq.LINGER, 0)
    terminating = Background(own_ctx.term)
    assert terminating.blocks()
    push.close()
    terminating.result()


def test_the_value_at_close_is_what_counts(own_ctx: Any, tmp_path: Path) -> None:
    """LINGER may be changed after connecting and sending."""
    push = queued(own_ctx, free_endpoint("tcp", tmp_path), linger=-1)
    push.setsockopt(zmq.LINGER, 0)
    push.close()
    with takes(0, LIMIT // 2):
        own_ctx.term()


def test_close_takes_a_linger_of_its_own(own_ctx: Any, tmp_path: Path) -> None:
    """close(linger=0) means: set LINGER, then close."""
    queued(own_ctx, free_endpoint("tcp", tmp_path), linger=-1).close(linger=0)
    with takes(0, LIMIT // 2):
        own_ctx.term()


def test_destroy_closes_all_sockets_with_the_linger_given(own_ctx: Any, tmp_path: Path) -> None:
    """destroy(linger=0) ends a context whose sockets would linger for ever."""
    push = queued(own_ctx, free_endpoint("tcp", tmp_path), linger=-1)
    with takes(0, LIMIT // 2):
        own_ctx.destroy(linger=0)
    assert push.closed
    assert own_ctx.closed


@each_network
def test_close_delivers_in_the_background(socket: MakeSocket, transport: str) -> None:
    """close returns at once; what was sent before arrives all the same, to the last message."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, linger=-1)
    link(pull, push, transport)
    for number in range(500):
        push.send(b"%d" % number)
    push.close(linger=-1)
    assert receive(pull, 500) == [b"%d" % number for number in range(500)]


def test_a_bound_socket_lingers_too(socket: MakeSocket) -> None:
    """Messages queued for accepted connections are delivered after close."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    link(push, pull, "tcp")
    reach(push, [pull])
    for number in range(500):
        push.send(b"%d" % number)
    push.close(linger=-1)
    assert receive(pull, 500) == [b"%d" % number for number in range(500)]


@pytest.mark.parametrize("linger", [0, -1])
def test_over_inproc_what_was_sent_is_with_the_receiver(socket: MakeSocket, linger: int) -> None:
    """An inproc message crosses at once, so LINGER makes no difference to it."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    link(pull, push)
    for number in range(3):
        push.send(b"%d" % number)
    push.close(linger=linger)
    assert receive(pull, 3) == [b"0", b"1", b"2"]


def test_a_name_never_bound_does_not_hold_up_term(own_ctx: Any) -> None:
    """Messages for an inproc name that nobody bound are given up, even with LINGER = -1."""
    queued(own_ctx, "inproc://nobody").close()
    with takes(0, LIMIT // 2):
        own_ctx.term()


def test_unread_messages_do_not_hold_up_term(own_ctx: Any) -> None:
    """LINGER is about sending; what a closed socket had received is dropped."""
    pull, push = own_ctx.socket(zmq.PULL), own_ctx.socket(zmq.PUSH)
    link(pull, push, "tcp")
    push.send(b"unread")
    assert pull.poll(LIMIT)
    pull.close()
    push.close()
    with takes(0, LIMIT // 2):
        own_ctx.term()


# --- disconnect and unbind -------------------------------------------------------------------------------------------


@each_network
def test_disconnect_with_linger_delivers(socket: MakeSocket, watch: MakeWatch, transport: str, tmp_path: Path) -> None:
    """With LINGER = -1 messages queued for the endpoint still go there once it is up; then the connection ends."""
    push, pull = socket(zmq.PUSH, linger=-1, reconnect_ivl=10), socket(zmq.PULL)
    endpoint = free_endpoint(transport, tmp_path)
    events = watch(pull)
    push.connect(endpoint)
    push.send(b"queued")
    push.disconnect(endpoint)
    pull.bind(endpoint)
    assert pull.recv() == b"queued"
    # Ending a pipe takes both sides, so the sender's thread has to look at its socket.
    wait_until(lambda: settle(push) == 0 and events.values(zmq.EVENT_DISCONNECTED), "the connection to end")


@each_network
def test_disconnect_without_linger_drops(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """With LINGER = 0 they are thrown away, and the socket no longer connects."""
    push, pull = socket(zmq.PUSH, linger=0, reconnect_ivl=10), socket(zmq.PULL)
    endpoint = free_endpoint(transport, tmp_path)
    push.connect(endpoint)
    push.send(b"queued")
    push.disconnect(endpoint)
    pull.bind(endpoint)
    assert is_quiet(pull, 2 * QUIET)


@each_network
def test_after_disconnect_the_socket_sends_no_more_there(socket: MakeSocket, transport: str) -> None:
    """The pipe is gone for the application at once, also while LINGER still delivers."""
    push, pull = socket(zmq.PUSH, linger=-1), socket(zmq.PULL)
    endpoint = link(pull, push, transport)
    push.send(b"before")
    push.disconnect(endpoint)
    settle(push)
    with pytest.raises(zmq.Again):
        push.send(b"after", zmq.DONTWAIT)
    assert pull.recv() == b"before"
    with raises_errno(errno.ENOENT):
        push.disconnect(endpoint)


@each_network
def test_unbind_with_linger_delivers(socket: MakeSocket, transport: str) -> None:
    """unbind ends the accepted connections after what is queued for them was sent."""
    push, pull = socket(zmq.PUSH, linger=-1), socket(zmq.PULL)
    link(push, pull, transport)
    reach(push, [pull])
    for number in range(500):
        push.send(b"%d" % number)
    push.unbind(last_endpoint(push))
    assert receive(pull, 500) == [b"%d" % number for number in range(500)]


def test_linger_while_the_peer_does_not_read(own_ctx: Any, socket: MakeSocket) -> None:
    """A peer that is connected but full holds up term as one that is away; the time limit still holds."""
    pull = socket(zmq.PULL, rcvhwm=1)
    endpoint = bind(pull, "tcp")
    push = own_ctx.socket(zmq.PUSH)
    push.setsockopt(zmq.LINGER, ms(60))
    push.connect(endpoint)
    assert push.poll(LIMIT, zmq.POLLOUT)
    for _ in range(30):
        push.send(bytes(1_000_000))
    push.close()
    with takes(ms(60), LIMIT):
        own_ctx.term()
