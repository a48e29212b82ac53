# SPDX-License-Identifier: MPL-2.0
"""send_many and recv_many: the messages of many calls in one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.conftest import SocketFactory
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, ms, wait_until

pytestmark = pytest.mark.departs  # an addition: libzmq and pyzmq have no such calls

PLAIN = [b"%d" % number for number in range(5000)]
MIXED: list[Any] = [b"one", [b"two", b"parts"], (b"", b"x", bytearray(b"y")), zmq.Frame(b"frame"), b"", bytearray(b"m")]
MIXED_BACK = [b"one", [b"two", b"parts"], [b"", b"x", b"y"], b"frame", b"", b"m"]


def joined(socket: SocketFactory, transport: str = "tcp", types: Any = None, **options: Any) -> tuple[Any, Any]:
    """A receiver and the sender connected to it."""
    receiver, sender = (
        socket(type_, rcvtimeo=ms(5000), sndtimeo=ms(5000), **options) for type_ in types or (zmq.PULL, zmq.PUSH)
    )
    receiver.bind("tcp://127.0.0.1:*" if transport == "tcp" else f"inproc://many-{id(receiver)}")
    sender.connect(receiver.last_endpoint)
    return receiver, sender


def recv_all(socket: Any, count: int, most: int = 1000) -> list[Any]:
    messages: list[Any] = []
    while len(messages) < count:
        messages += socket.recv_many(most)
    return messages


@pytest.mark.parametrize("transport", ["tcp", "inproc"])
def test_many_more_than_the_high_water_marks(socket: SocketFactory, transport: str) -> None:
    """The call waits for room, as so many calls of send would."""
    receiver, sender = joined(socket, transport)
    sent: list[int] = []
    thread = threading.Thread(target=lambda: sent.append(sender.send_many(PLAIN)))
    thread.start()
    assert recv_all(receiver, len(PLAIN)) == PLAIN
    thread.join(PATIENCE)
    assert sent == [len(PLAIN)]


@pytest.mark.parametrize("types", ["PULL PUSH", "DEALER DEALER", "PAIR PAIR", "XSUB PUB"])
def test_messages_of_every_shape(socket: SocketFactory, types: str) -> None:
    """A list or tuple is a message of several frames, and a lone frame is bytes at the other end."""
    receiver, sender = joined(socket, types=[getattr(zmq, name) for name in types.split()])
    if types == "XSUB PUB":
        receiver.send(b"\1")
        wait_until(lambda: (sender.send(b"ready"), receiver.poll(0))[1])
        while receiver.poll(ms(50)):
            receiver.recv()
    assert sender.send_many(MIXED) == len(MIXED)
    assert recv_all(receiver, len(MIXED)) == MIXED_BACK


def test_every_subscriber_gets_all(socket: SocketFactory) -> None:
    pub = socket(zmq.XPUB)
    pub.bind("inproc://many-pub")
    subs = [socket(zmq.SUB, rcvtimeo=ms(5000)) for _ in range(3)]
    for sub in subs:
        sub.subscribe(b"")
        sub.connect("inproc://many-pub")
    assert pub.send_many(PLAIN[:500]) == 500
    for sub in subs:
        assert recv_all(sub, 500) == PLAIN[:500]


def test_topics_are_matched_one_by_one(socket: SocketFactory) -> None:
    pub, sub = socket(zmq.XPUB), socket(zmq.SUB, rcvtimeo=ms(5000))
    pub.bind("inproc://many-topics")
    sub.subscribe(b"4")
    sub.connect("inproc://many-topics")
    assert pub.send_many(PLAIN[:50]) == 50
    assert recv_all(sub, 11) == [b"4", *PLAIN[40:50]]


def test_what_is_there_is_taken_and_no_more_is_waited_for(socket: SocketFactory) -> None:
    receiver, sender = joined(socket, "inproc")
    sender.send_many(PLAIN[:10])
    assert receiver.recv_many(3) == PLAIN[:3]
    assert receiver.recv_many(100) == PLAIN[3:10]
    with pytest.raises(zmq.Again):
        receiver.recv_many(100, zmq.DONTWAIT)


def test_from_several_peers_in_turn(socket: SocketFactory) -> None:
    """Fair queueing holds within one call."""
    receiver, first = joined(socket, "inproc")
    second = socket(zmq.PUSH)
    second.connect(receiver.last_endpoint)
    first.send_many([b"a"] * 5)
    second.send_many([b"b"] * 5)
    assert receiver.recv_many() == [b"a", b"b"] * 5


def test_to_several_peers_in_turn(socket: SocketFactory) -> None:
    """Load balancing holds within one call."""
    first, sender = joined(socket, "inproc")
    second = socket(zmq.PULL, rcvtimeo=ms(5000))
    second.bind(f"inproc://many-{id(second)}")
    sender.connect(second.last_endpoint)
    sender.send_many(PLAIN[:10])
    assert (first.recv_many(), second.recv_many()) == (PLAIN[0:10:2], PLAIN[1:10:2])


def test_without_room_it_says_how_many_went(socket: SocketFactory) -> None:
    _, sender = joined(socket, "inproc", sndhwm=5, rcvhwm=5)
    assert sender.send_many(PLAIN, zmq.DONTWAIT) == 10
    with pytest.raises(zmq.Again):
        sender.send_many(PLAIN, zmq.DONTWAIT)
    sender.sndtimeo = ms(20)
    with pytest.raises(zmq.Again):
        sender.send_many(PLAIN)


def test_the_rest_of_a_message_comes_first(socket: SocketFactory) -> None:
    receiver, sender = joined(socket, "inproc")
    sender.send_many([[b"a", b"b", b"c"], b"next"])
    assert receiver.recv() == b"a"
    assert receiver.recv_many() == [[b"b", b"c"], b"next"]


def test_req_and_rep_take_one(socket: SocketFactory) -> None:
    """Their rule is one at a time."""
    rep, req = joined(socket, types=(zmq.REP, zmq.REQ))
    assert req.send_many([b"question"]) == 1
    assert rep.recv_many() == [b"question"]
    assert rep.send_many([[b"an", b"swer"]]) == 1
    assert req.recv_many() == [[b"an", b"swer"]]
    with pytest.raises(zmq.ZMQError) as caught:
        req.send_many([b"a", b"b"])
    assert caught.value.errno == zmq.EFSM


def test_between_the_other_calls(socket: SocketFactory) -> None:
    """Nothing overtakes anything."""
    receiver, sender = joined(socket, "inproc")
    for start in range(0, 300, 30):
        for text in PLAIN[start : start + 20]:
            sender.send(text)
        sender.send_many(PLAIN[start + 20 : start + 30])
    received: list[Any] = []
    while len(received) < 300:
        received += [receiver.recv() for _ in range(25)]
        received += receiver.recv_many(5)
    assert received == PLAIN[:300]


@pytest.mark.parametrize("bad", ["text", 7, [b"a", "text"], None])
def test_a_bad_message_stops_all_of_them(socket: SocketFactory, bad: Any) -> None:
    receiver, sender = joined(socket, "inproc")
    with pytest.raises(TypeError):
        sender.send_many([b"good", bad])
    assert not receiver.poll(0)


def test_an_empty_message_is_none(socket: SocketFactory) -> None:
    _, sender = joined(socket, "inproc")
    with pytest.raises(IndexError):
        sender.send_many([[]])
    assert sender.send_many([]) == 0


def test_bad_arguments(socket: SocketFactory) -> None:
    receiver, sender = joined(socket, "inproc")
    with pytest.raises(zmq.ZMQError, match="SNDMORE") as caught:
        sender.send_many([b"a"], zmq.SNDMORE)
    assert caught.value.errno == zmq.EINVAL
    with pytest.raises(ValueError, match="max_messages must be at least 1, got 0"):
        receiver.recv_many(0)
    receiver.close()
    with pytest.raises(zmq.ZMQError) as closed:
        receiver.recv_many()
    assert closed.value.errno == zmq.ENOTSOCK


def test_large_messages_are_not_copied_with_copy_false(socket: SocketFactory) -> None:
    receiver, sender = joined(socket)
    large = bytearray(b"x" * 100_000)
    assert sender.send_many([large, [b"a", large]], copy=False) == 2
    assert recv_all(receiver, 2) == [bytes(large), [b"a", bytes(large)]]
