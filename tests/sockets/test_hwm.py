# SPDX-License-Identifier: MPL-2.0
"""High-water marks: how many messages fit, and when there is room again (reference/internals.md 5.4, 5.5, 10).

Only inproc can be counted exactly: the queue is one pipe, its limit is the sender's SNDHWM + the receiver's RCVHWM.
"""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    Background,
    MakeSocket,
    bind,
    each_network,
    fill,
    free_endpoint,
    link,
    receive,
    settle,
)
from tests.support.target import zmq

PAIRS = [("PUSH", "PULL"), ("PAIR", "PAIR"), ("DEALER", "DEALER"), ("DEALER", "ROUTER")]
each_pair = pytest.mark.parametrize(("sender", "receiver"), PAIRS)
each_order = pytest.mark.parametrize("connecter", ["sender", "receiver"])


@each_pair
@each_order
@pytest.mark.parametrize(("sndhwm", "rcvhwm"), [(1, 1), (2, 3), (4, 1), (1, 4)])
def test_the_limits_of_both_sides_add_up(
    socket: MakeSocket, sender: str, receiver: str, connecter: str, sndhwm: int, rcvhwm: int
) -> None:
    """An inproc queue takes SNDHWM + RCVHWM messages, whoever connects."""
    source = socket(getattr(zmq, sender), sndhwm=sndhwm, rcvhwm=77)
    target = socket(getattr(zmq, receiver), rcvhwm=rcvhwm, sndhwm=77)
    link(*((target, source) if connecter == "sender" else (source, target)))
    settle(source)
    assert fill(source) == sndhwm + rcvhwm


@each_pair
@pytest.mark.parametrize(("sndhwm", "rcvhwm"), [(0, 3), (3, 0), (0, 0)])
def test_zero_on_either_side_means_no_limit(
    socket: MakeSocket, sender: str, receiver: str, sndhwm: int, rcvhwm: int
) -> None:
    """With one of the two at 0 an inproc queue never fills."""
    source = socket(getattr(zmq, sender), sndhwm=sndhwm)
    target = socket(getattr(zmq, receiver), rcvhwm=rcvhwm)
    link(target, source)
    for _ in range(3000):
        source.send(b"x", zmq.DONTWAIT)


def test_the_default_limit_is_a_thousand_on_each_side(ctx: object) -> None:
    """SNDHWM and RCVHWM start at 1000."""
    with ctx.socket(zmq.PUSH) as push, ctx.socket(zmq.PULL) as pull:  # type: ignore[attr-defined]
        assert push.getsockopt(zmq.SNDHWM) == pull.getsockopt(zmq.RCVHWM) == 1000
        push.setsockopt(zmq.LINGER, 0)
        link(pull, push)
        assert fill(push) == 2000


@pytest.mark.parametrize(("sndhwm", "rcvhwm", "reads"), [(2, 3, 3), (1, 1, 1), (2, 2, 2), (5, 5, 5), (10, 1, 6)])
def test_a_full_queue_reopens_at_the_low_water_mark(socket: MakeSocket, sndhwm: int, rcvhwm: int, reads: int) -> None:
    """Credit comes after (limit + 1) / 2 reads, not before; then that many messages fit again."""
    push, pull = socket(zmq.PUSH, sndhwm=sndhwm), socket(zmq.PULL, rcvhwm=rcvhwm)
    link(pull, push)
    assert fill(push) == sndhwm + rcvhwm
    for _ in range(reads - 1):
        pull.recv()
        assert not settle(push) & zmq.POLLOUT
    pull.recv()
    assert settle(push) & zmq.POLLOUT
    assert fill(push) == reads


def test_a_multipart_message_counts_as_one(socket: MakeSocket) -> None:
    """The limit is in whole messages, however many parts they have."""
    push, pull = socket(zmq.PUSH, sndhwm=1), socket(zmq.PULL, rcvhwm=2)
    link(pull, push)
    assert fill(push, prefix=[b"part"] * 9) == 3
    for _ in range(3):
        assert len(pull.recv_multipart()) == 10


def test_a_message_that_was_begun_can_be_finished(socket: MakeSocket) -> None:
    """The limit is checked at the first part only: the other parts of the last message always fit."""
    push, pull = socket(zmq.PUSH, sndhwm=1), socket(zmq.PULL, rcvhwm=1)
    link(pull, push)
    push.send(b"first message")
    for _ in range(20):
        push.send(b"part", zmq.SNDMORE | zmq.DONTWAIT)
    push.send(b"end", zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        push.send(b"refused", zmq.DONTWAIT)
    assert pull.recv_multipart() == [b"first message"]
    assert len(pull.recv_multipart()) == 21


def test_the_limit_is_per_peer(socket: MakeSocket) -> None:
    """Each connection has a queue of its own."""
    push = socket(zmq.PUSH, sndhwm=2)
    for _ in range(3):
        link(socket(zmq.PULL, rcvhwm=1), push)
    assert fill(push) == 9


def test_before_the_name_is_bound_the_connecting_side_s_limit_counts(socket: MakeSocket, tmp_path: Path) -> None:
    """A pending inproc connection takes SNDHWM messages; the bind adds the other side's RCVHWM."""
    push, pull = socket(zmq.PUSH, sndhwm=2), socket(zmq.PULL, rcvhwm=3)
    endpoint = free_endpoint("inproc", tmp_path)
    push.connect(endpoint)
    assert fill(push) == 2
    pull.bind(endpoint)
    settle(pull)
    assert settle(push) & zmq.POLLOUT
    assert fill(push) == 3
    assert receive(pull, 5) == [b"x"] * 5


@each_network
def test_without_a_connection_the_sender_s_limit_counts(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """Over a network exactly SNDHWM messages wait for a connection that is not up."""
    push, pull = socket(zmq.PUSH, sndhwm=7, reconnect_ivl=10), socket(zmq.PULL)
    endpoint = free_endpoint(transport, tmp_path)
    push.connect(endpoint)
    assert fill(push) == 7
    pull.bind(endpoint)
    assert receive(pull, 7) == [b"x"] * 7


@each_network
def test_a_network_sender_is_stopped_by_a_receiver_that_does_not_read(socket: MakeSocket, transport: str) -> None:
    """Queues and kernel buffers fill up, then the sender is mute; nothing is lost and reading sets it free."""
    push, pull = socket(zmq.PUSH, sndhwm=2), socket(zmq.PULL, rcvhwm=2)
    link(pull, push, transport)
    frame = bytes(200_000)
    count = fill(push, frame, most=1000)
    assert 2 <= count < 1000
    sending = Background(lambda: push.send(b"end"))
    for _ in range(count):
        assert pull.recv() == frame
    sending.result()
    assert pull.recv() == b"end"


# --- changing the limit of a live socket -----------------------------------------------------------------------------


@pytest.mark.parametrize(("new", "limit"), [(10, 12), (3, 5), (0, None)])
def test_raising_sndhwm_makes_room_at_once(socket: MakeSocket, new: int, limit: int | None) -> None:
    """SNDHWM acts on pipes that exist: the limit becomes new SNDHWM + the peer's RCVHWM; 0 lifts it."""
    push, pull = socket(zmq.PUSH, sndhwm=2), socket(zmq.PULL, rcvhwm=2)
    link(pull, push)
    assert fill(push) == 4
    # A pipe found full is looked at again when credit comes.
    receive(pull, 2)
    push.setsockopt(zmq.SNDHWM, new)
    settle(push)
    if limit is None:
        for _ in range(2000):
            push.send(b"x", zmq.DONTWAIT)
    else:
        assert fill(push) == limit - 2


def test_lowering_sndhwm_stops_the_sender_earlier(socket: MakeSocket) -> None:
    """The new, smaller limit counts for the next message."""
    push, pull = socket(zmq.PUSH, sndhwm=10), socket(zmq.PULL, rcvhwm=2)
    link(pull, push)
    for _ in range(3):
        push.send(b"x")
    push.setsockopt(zmq.SNDHWM, 2)
    assert fill(push) == 1


def test_raising_rcvhwm_tells_the_sender(socket: MakeSocket) -> None:
    """RCVHWM of the receiver acts on the sender's end of existing pipes."""
    push, pull = socket(zmq.PUSH, sndhwm=2), socket(zmq.PULL, rcvhwm=2)
    link(pull, push)
    settle(pull)
    pull.setsockopt(zmq.RCVHWM, 8)
    settle(push)
    assert fill(push) == 10


@pytest.mark.departs
def test_after_a_change_of_rcvhwm_the_limit_is_the_sum_of_the_present_values(socket: MakeSocket) -> None:
    """The sender's limit is its SNDHWM + the new RCVHWM.

    libzmq adds the old RCVHWM to the new one and forgets the sender's SNDHWM.
    """
    push, pull = socket(zmq.PUSH, sndhwm=1), socket(zmq.PULL, rcvhwm=3)
    link(pull, push)
    settle(pull)
    pull.setsockopt(zmq.RCVHWM, 10)
    settle(push)
    assert fill(push) == 11


def test_a_change_on_the_connecting_side_counts_for_its_next_connection(socket: MakeSocket) -> None:
    """connect takes the present SNDHWM."""
    pull, push = socket(zmq.PULL, rcvhwm=1), socket(zmq.PUSH, sndhwm=1)
    endpoint = bind(pull)
    push.setsockopt(zmq.SNDHWM, 4)
    push.connect(endpoint)
    assert fill(push) == 5


def test_a_bound_name_keeps_the_limit_it_was_bound_with(socket: MakeSocket) -> None:
    """inproc: a change on the binding side does not count for connections made to the name afterwards."""
    pull, push = socket(zmq.PULL, rcvhwm=1), socket(zmq.PUSH, sndhwm=1)
    endpoint = bind(pull)
    pull.setsockopt(zmq.RCVHWM, 7)
    push.connect(endpoint)
    assert fill(push) == 2
