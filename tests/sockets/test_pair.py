# SPDX-License-Identifier: MPL-2.0
"""PAIR: one peer at a time, both directions (reference/socket-types.md 3, internals.md 8)."""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    MakeWatch,
    Sock,
    bind,
    bind_soon,
    each_network,
    each_transport,
    free_endpoint,
    inproc_name,
    is_quiet,
    link,
    raises_errno,
    receive,
    refuses_to_send,
    settle,
    takes,
    wait_writable,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


@each_transport
def test_messages_go_both_ways(socket: MakeSocket, transport: str) -> None:
    """Either side sends and receives, in order, without taking turns."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right, transport)
    for number in range(3):
        right.send(b"r%d" % number)
    assert receive(left, 3) == [b"r0", b"r1", b"r2"]
    left.send(b"l0")
    left.send(b"l1")
    right.send(b"r3")
    assert receive(right, 2) == [b"l0", b"l1"]
    assert left.recv() == b"r3"


@each_transport
def test_connect_may_come_before_bind(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """The order of bind and connect does not matter; what was sent before the bind arrives after it."""
    early, late = socket(zmq.PAIR, reconnect_ivl=10), socket(zmq.PAIR)
    endpoint = free_endpoint(transport, tmp_path)
    early.connect(endpoint)
    early.send(b"waiting")
    late.bind(endpoint)
    assert late.recv() == b"waiting"
    late.send(b"answer")
    assert early.recv() == b"answer"


@each_transport
def test_a_multipart_message_arrives_as_it_was_sent(socket: MakeSocket, transport: str) -> None:
    """Number, order, content and size of the parts are kept, empty parts included."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right, transport)
    parts = [b"", b"one", bytes(300), b"", bytes(range(256)) * 300, b""]
    right.send_multipart(parts)
    right.send(b"next")
    assert left.recv_multipart() == parts
    assert left.recv_multipart() == [b"next"]


@each_transport
def test_nothing_of_a_message_arrives_before_its_last_part(socket: MakeSocket, transport: str) -> None:
    """Parts sent with SNDMORE stay with the sender until the message is complete."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right, transport)
    wait_writable(right)
    right.send(b"first", zmq.SNDMORE)
    right.send(b"second", zmq.SNDMORE)
    assert is_quiet(left)
    right.send(b"last")
    assert left.recv_multipart() == [b"first", b"second", b"last"]


def test_rcvmore_tells_whether_parts_follow(socket: MakeSocket) -> None:
    """RCVMORE is 1 after every part but the last."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right)
    right.send_multipart([b"a", b"b", b"c"])
    more = []
    for _ in range(3):
        left.recv()
        more.append(left.getsockopt(zmq.RCVMORE))
    assert more == [1, 1, 0]


def test_without_a_peer_send_would_block(socket: MakeSocket) -> None:
    """A PAIR that was neither bound nor connected has no pipe: no event, EAGAIN for both directions."""
    pair = socket(zmq.PAIR)
    assert settle(pair) == 0
    with pytest.raises(zmq.Again):
        pair.send(b"x", zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        pair.recv(zmq.DONTWAIT)


def test_send_and_recv_give_up_after_their_timeout(socket: MakeSocket) -> None:
    """SNDTIMEO and RCVTIMEO bound the wait, then EAGAIN."""
    pair = socket(zmq.PAIR, sndtimeo=QUIET, rcvtimeo=QUIET)
    pair.bind(inproc_name())
    with takes(QUIET), pytest.raises(zmq.Again):
        pair.send(b"x")
    with takes(QUIET), pytest.raises(zmq.Again):
        pair.recv()


@each_transport
def test_a_blocked_send_goes_on_when_the_peer_arrives(socket: MakeSocket, transport: str) -> None:
    """A bound PAIR waits in send until somebody connects."""
    pair, peer = socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = bind(pair, transport)
    sending = Background(lambda: pair.send(b"at last"))
    assert sending.blocks()
    peer.connect(endpoint)
    sending.result()
    assert peer.recv() == b"at last"


@each_transport
def test_a_blocked_recv_goes_on_when_a_message_arrives(socket: MakeSocket, transport: str) -> None:
    """A PAIR waits in recv until its peer sends."""
    pair, peer = socket(zmq.PAIR), socket(zmq.PAIR)
    link(pair, peer, transport)
    receiving = Background(pair.recv)
    assert receiving.blocks()
    peer.send(b"at last")
    assert receiving.result() == b"at last"


def test_a_second_peer_is_turned_away_over_inproc(socket: MakeSocket) -> None:
    """The pipe of a second connecter is ended at once; the first pair goes on undisturbed."""
    bound, first, second = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = link(bound, first)
    first.send(b"mine")
    assert bound.recv() == b"mine"
    second.connect(endpoint)
    settle(bound)
    assert refuses_to_send(second)
    bound.send(b"to the first")
    assert first.recv() == b"to the first"
    assert is_quiet(second)


def test_a_second_connection_of_one_pair_is_ended(socket: MakeSocket) -> None:
    """A PAIR that connects twice keeps the first pipe only."""
    pair, first, second = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PAIR)
    link(first, pair)
    link(second, pair)
    pair.send(b"one")
    pair.send(b"two")
    assert receive(first, 2) == [b"one", b"two"]
    assert is_quiet(second)
    assert refuses_to_send(second)


@each_network
def test_a_second_peer_is_turned_away_over_a_network(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """The second connection is accepted and shakes hands, but carries nothing in either direction."""
    bound, first, second = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = link(bound, first, transport)
    first.send(b"mine")
    assert bound.recv() == b"mine"
    events = watch(second)
    second.connect(endpoint)
    second.send(b"me too")
    events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    assert is_quiet(bound)
    bound.send(b"to the first")
    assert first.recv() == b"to the first"
    assert is_quiet(second)
    first.send(b"still here")
    assert bound.recv() == b"still here"


@each_transport
def test_after_the_first_peer_left_another_may_take_its_place(socket: MakeSocket, transport: str) -> None:
    """The exclusive place is free again once the peer closed and its pipe ended."""
    bound, first = socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = link(bound, first, transport)
    first.send(b"from the first")
    assert bound.recv() == b"from the first"
    first.close()

    def next_peer() -> Sock:
        peer = socket(zmq.PAIR)
        peer.connect(endpoint)
        peer.send(b"hello")
        if bound.poll(QUIET):
            return peer
        peer.close()  # came too early: the old pipe was still ending
        return None

    second = wait_until(next_peer, "the place to be free")
    assert bound.recv() == b"hello"
    bound.send(b"welcome")
    assert second.recv() == b"welcome"


@each_network
def test_the_pipe_of_a_connecting_pair_survives_a_lost_connection(
    socket: MakeSocket, watch: MakeWatch, transport: str
) -> None:
    """PAIR reconnects like every other type, and what was sent meanwhile arrives."""
    old, connected = socket(zmq.PAIR), socket(zmq.PAIR, reconnect_ivl=10)
    events = watch(connected)
    endpoint = link(old, connected, transport)
    connected.send(b"before")
    assert old.recv() == b"before"
    old.close()
    events.wait(zmq.EVENT_DISCONNECTED)
    connected.send(b"meanwhile")
    new = socket(zmq.PAIR)
    bind_soon(new, endpoint)
    assert new.recv() == b"meanwhile"
    new.send(b"back")
    assert connected.recv() == b"back"


def test_what_the_peer_sent_before_it_closed_can_still_be_read(socket: MakeSocket) -> None:
    """Over inproc a closing peer's queue is drained by its reader before the pipe ends."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR, linger=-1)
    link(left, right)
    right.send(b"one")
    right.send(b"two")
    settle(left)
    right.disconnect(right.getsockopt(zmq.LAST_ENDPOINT).decode())
    assert receive(left, 2) == [b"one", b"two"]
    with raises_errno(zmq.EAGAIN):
        left.recv(zmq.DONTWAIT)
