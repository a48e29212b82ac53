# SPDX-License-Identifier: MPL-2.0
"""PUSH and PULL: round robin out, fair queueing in (reference/socket-types.md 2 and 3, internals.md 6.1, 6.2, 8)."""

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    Sock,
    bind,
    drain,
    each_transport,
    fill,
    inproc_name,
    is_quiet,
    link,
    raises_errno,
    reach,
    receive,
    refuses_to_send,
    settle,
    takes,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


def pulls_of(push: Sock, socket: MakeSocket, count: int, transport: str = "inproc", **options: int) -> list[Sock]:
    """`count` bound PULL sockets that `push` connected to, in this order."""
    pulls = [socket(zmq.PULL, **options) for _ in range(count)]
    for pull in pulls:
        link(pull, push, transport)
    return pulls


@each_transport
def test_push_deals_messages_out_in_turn(socket: MakeSocket, transport: str) -> None:
    """Round robin starts with the first connection and goes through them in order, message by message."""
    push = socket(zmq.PUSH)
    pulls = pulls_of(push, socket, 3, transport)
    for number in range(9):
        push.send(b"%d" % number)
    assert [receive(pull, 3) for pull in pulls] == [
        [b"0", b"3", b"6"],
        [b"1", b"4", b"7"],
        [b"2", b"5", b"8"],
    ]
    assert all(is_quiet(pull, 1) for pull in pulls)


@each_transport
def test_push_deals_out_to_those_who_connected_to_it(socket: MakeSocket, transport: str) -> None:
    """Round robin also covers accepted connections: in any run of N messages each of N peers gets one."""
    push = socket(zmq.PUSH)
    endpoint = bind(push, transport)
    pulls = [socket(zmq.PULL) for _ in range(3)]
    for pull in pulls:
        pull.connect(endpoint)
    reach(push, pulls)
    for number in range(9):
        push.send(b"%d" % (number // 3))
    for pull in pulls:
        assert receive(pull, 3) == [b"0", b"1", b"2"]


@each_transport
def test_all_parts_of_a_message_go_to_one_peer(socket: MakeSocket, transport: str) -> None:
    """The turn passes on after a message, never within one."""
    push = socket(zmq.PUSH)
    first, second = pulls_of(push, socket, 2, transport)
    push.send_multipart([b"a1", b"a2", b"a3"])
    push.send_multipart([b"b1", b"b2"])
    push.send_multipart([b"c1"])
    assert first.recv_multipart() == [b"a1", b"a2", b"a3"]
    assert second.recv_multipart() == [b"b1", b"b2"]
    assert first.recv_multipart() == [b"c1"]


def test_a_full_peer_is_left_out_until_it_has_read(socket: MakeSocket) -> None:
    """A pipe at its limit leaves the round robin and comes back when the reader reached the low-water mark."""
    push = socket(zmq.PUSH, sndhwm=1)
    slow, quick = pulls_of(push, socket, 2, rcvhwm=1)
    # Two messages fit into each pipe (1 + 1); the quick one is emptied in between.
    for number in range(4):
        push.send(b"%d" % number)
    assert receive(quick, 2) == [b"1", b"3"]
    push.send(b"4")
    push.send(b"5")
    assert receive(quick, 2) == [b"4", b"5"]
    assert receive(slow, 2) == [b"0", b"2"]
    settle(push)
    push.send(b"6")
    push.send(b"7")
    assert sorted(receive(slow, 1) + receive(quick, 1)) == [b"6", b"7"]


def test_push_is_mute_when_every_peer_is_full(socket: MakeSocket) -> None:
    """With all pipes at their limit a send blocks, and goes on as soon as one peer has room."""
    push = socket(zmq.PUSH, sndhwm=1)
    first, second = pulls_of(push, socket, 2, rcvhwm=1)
    assert fill(push) == 4
    assert refuses_to_send(push)
    sending = Background(lambda: push.send(b"late"))
    assert sending.blocks()
    assert receive(second, 2) == [b"x", b"x"]
    sending.result()
    assert second.recv() == b"late"
    assert receive(first, 2) == [b"x", b"x"]


def test_push_without_a_peer_blocks(socket: MakeSocket) -> None:
    """No peer: no POLLOUT, EAGAIN at once with DONTWAIT, after SNDTIMEO otherwise."""
    push = socket(zmq.PUSH, sndtimeo=QUIET)
    push.bind(inproc_name())
    assert settle(push) == 0
    assert refuses_to_send(push)
    with takes(QUIET), pytest.raises(zmq.Again):
        push.send(b"x")


@each_transport
def test_a_blocked_push_goes_on_when_a_puller_connects(socket: MakeSocket, transport: str) -> None:
    """The message that waited for a peer is the first it gets."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = bind(push, transport)
    sending = Background(lambda: push.send(b"waited"))
    assert sending.blocks()
    pull.connect(endpoint)
    sending.result()
    assert pull.recv() == b"waited"


def test_a_late_puller_gets_only_later_messages(socket: MakeSocket) -> None:
    """What is queued for one peer is not dealt out again when another connects."""
    push = socket(zmq.PUSH)
    (early,) = pulls_of(push, socket, 1)
    for number in range(4):
        push.send(b"%d" % number)
    (late,) = pulls_of(push, socket, 1)
    assert is_quiet(late)
    assert receive(early, 4) == [b"0", b"1", b"2", b"3"]
    push.send(b"4")
    push.send(b"5")
    assert sorted(receive(early, 1) + receive(late, 1)) == [b"4", b"5"]


def test_the_rest_of_a_message_whose_peer_died_is_dropped(socket: MakeSocket) -> None:
    """When the peer goes away between parts, the remaining parts are accepted and thrown away, not redirected."""
    push = socket(zmq.PUSH)
    first, second = pulls_of(push, socket, 2)
    push.send(b"part one", zmq.SNDMORE)
    first.close()
    wait_until(lambda: first.closed, "the first peer to be closed")
    settle(push)
    push.send(b"part two", zmq.SNDMORE)
    push.send(b"part three")
    push.send_multipart([b"whole", b"message"])
    assert second.recv_multipart() == [b"whole", b"message"]
    assert is_quiet(second)


def test_what_was_queued_for_a_peer_that_left_is_lost(socket: MakeSocket) -> None:
    """The queue ends with its connection; the other peers do not inherit it."""
    push = socket(zmq.PUSH)
    first, second = pulls_of(push, socket, 2)
    for number in range(4):
        push.send(b"%d" % number)
    first.close()
    assert receive(second, 2) == [b"1", b"3"]
    settle(push)
    assert is_quiet(second)


def test_pull_takes_one_message_from_each_peer_in_turn(socket: MakeSocket) -> None:
    """Fair queueing: with all queues filled, no peer is served twice before the others."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull)
    pushes = [socket(zmq.PUSH) for _ in range(3)]
    for name, push in zip(b"abc", pushes, strict=True):
        push.connect(endpoint)
        for number in range(3):
            push.send(b"%c%d" % (name, number))
    assert receive(pull, 9) == [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1", b"a2", b"b2", b"c2"]


def test_a_peer_with_nothing_to_say_is_not_waited_for(socket: MakeSocket) -> None:
    """An empty queue leaves the fair queue and comes back with its next message."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull)
    talker, silent = socket(zmq.PUSH), socket(zmq.PUSH)
    for push in (talker, silent):
        push.connect(endpoint)
    for number in range(3):
        talker.send(b"t%d" % number)
    assert receive(pull, 3) == [b"t0", b"t1", b"t2"]
    silent.send(b"s0")
    assert pull.recv() == b"s0"
    talker.send(b"t3")
    assert pull.recv() == b"t3"


@each_transport
def test_messages_of_one_peer_stay_in_order(socket: MakeSocket, transport: str) -> None:
    """Fair queueing mixes peers but keeps the order within each, over every transport."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, transport)
    pushes = [socket(zmq.PUSH) for _ in range(3)]
    for name, push in zip(b"abc", pushes, strict=True):
        push.connect(endpoint)
        for number in range(50):
            push.send(b"%c%02d" % (name, number))
    received = receive(pull, 150)
    for name in b"abc":
        own = [message for message in received if message[0] == name]
        assert own == [b"%c%02d" % (name, number) for number in range(50)]


@each_transport
def test_parts_of_different_peers_are_never_interleaved(socket: MakeSocket, transport: str) -> None:
    """The fair queue changes peers only between messages."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, transport)
    pushes = [socket(zmq.PUSH) for _ in range(3)]
    for push in pushes:
        push.connect(endpoint)
    for number in range(10):
        for name, push in zip(b"abc", pushes, strict=True):
            push.send_multipart([b"%c%d" % (name, number)] * 3)
    for _ in range(30):
        parts = pull.recv_multipart()
        assert len(parts) == 3
        assert len(set(parts)) == 1


def test_an_unfinished_message_does_not_hold_up_other_peers(socket: MakeSocket) -> None:
    """A peer that sent only some parts has nothing to deliver yet; complete messages of others pass."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull)
    slow, quick = socket(zmq.PUSH), socket(zmq.PUSH)
    slow.connect(endpoint)
    quick.connect(endpoint)
    slow.send(b"slow 1", zmq.SNDMORE)
    quick.send(b"quick")
    assert pull.recv_multipart() == [b"quick"]
    slow.send(b"slow 2")
    assert pull.recv_multipart() == [b"slow 1", b"slow 2"]


def test_push_cannot_receive(socket: MakeSocket) -> None:
    """recv on PUSH fails with ENOTSUP, blocking or not."""
    push = socket(zmq.PUSH)
    for flags in (0, zmq.DONTWAIT):
        with raises_errno(zmq.ENOTSUP):
            push.recv(flags)
    assert not settle(push) & zmq.POLLIN


def test_pull_cannot_send(socket: MakeSocket) -> None:
    """send on PULL fails with ENOTSUP, also when connected, and POLLOUT is never set."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    link(push, pull)
    for flags in (0, zmq.DONTWAIT, zmq.SNDMORE):
        with raises_errno(zmq.ENOTSUP):
            pull.send(b"x", flags)
    assert not settle(pull) & zmq.POLLOUT


@each_transport
def test_a_connection_is_made_for_each_connect_to_the_same_text(socket: MakeSocket, transport: str) -> None:
    """PUSH opens a second connection to an endpoint it is connected to already (unlike DEALER, REQ, PUB and SUB)."""
    push, pull, other = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PULL)
    endpoint = link(pull, push, transport)
    push.connect(endpoint)
    link(other, push, transport)
    for _ in range(6):
        push.send(b"x")
    assert receive(pull, 4) == [b"x"] * 4
    assert receive(other, 2) == [b"x"] * 2
    assert drain(pull) == []
