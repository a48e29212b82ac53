# SPDX-License-Identifier: MPL-2.0
"""Messages that pass the socket by, in runs (`core/run.py`): nobody must be able to tell."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from libzmq_py.core.run import RUN
from tests.conftest import SocketFactory
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, ms, wait_until

COUNT = 3 * RUN + 7


def joined(socket: SocketFactory, transport: str = "inproc", **options: Any) -> tuple[Any, Any]:
    """A PULL and the PUSH connected to it."""
    pull, push = socket(zmq.PULL, rcvtimeo=ms(5000), **options), socket(zmq.PUSH, sndtimeo=ms(5000), **options)
    connect(push, pull, transport)
    return pull, push


def connect(client: Any, server: Any, transport: str = "inproc") -> None:
    server.bind("tcp://127.0.0.1:*" if transport == "tcp" else f"inproc://runs-{id(server)}")
    client.connect(server.last_endpoint)


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


def send_all(socket: Any, messages: list[bytes]) -> None:
    for message in messages:
        socket.send(message)


@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_both_ends_make_runs_and_keep_the_order(socket: SocketFactory, transport: str) -> None:
    pull, push = joined(socket, transport)
    send_all(push, numbers(COUNT))
    assert push._core.out_run is not None
    received, ran = [], False
    for _ in range(COUNT):
        received.append(pull.recv())
        ran = ran or pull._core.in_run is not None
    assert received == numbers(COUNT)
    assert ran


def test_every_kind_of_message_between_the_others(socket: SocketFactory) -> None:
    """What is more than bytes takes the long way, and its place in the line."""
    pull, push = joined(socket)
    expected: list[list[bytes]] = []
    for round_ in range(20):
        plain = numbers(20, round_ * 20)
        send_all(push, plain)
        push.send_multipart([b"two", b"parts"])
        push.send(zmq.Frame(b"frame"), copy=False)
        push.send(b"at once", zmq.NOBLOCK)
        push.send(b"more", zmq.SNDMORE)
        push.send(b"")
        expected += [[text] for text in plain] + [[b"two", b"parts"], [b"frame"], [b"at once"], [b"more", b""]]
    received = []
    for _ in expected:
        message = [pull.recv()]
        while pull.getsockopt(zmq.RCVMORE):
            message.append(pull.recv())
        received.append(message)
    assert received == expected


def test_recv_in_a_row_meets_a_message_of_several_frames(socket: SocketFactory) -> None:
    """In the middle of a run of the receiver, too."""
    pull, push = joined(socket)
    send_all(push, numbers(10))
    push.send_multipart([b"a", b"b"])
    send_all(push, numbers(10))
    assert [pull.recv() for _ in range(22)] == [*numbers(10), b"a", b"b", *numbers(10)]


@pytest.mark.parametrize("hwm", [1, 9, 40, 250])
def test_high_water_marks_hold(socket: SocketFactory, hwm: int) -> None:
    """As many as both sides allow go in, and when all have been read as many again."""
    pull, push = joined(socket, sndhwm=hwm, rcvhwm=hwm)
    push.sndtimeo = ms(30)
    for _ in range(3):
        sent = 0
        with pytest.raises(zmq.Again):
            while True:
                push.send(b"%d" % sent)
                sent += 1
        assert sent == 2 * hwm
        assert [pull.recv() for _ in range(sent)] == numbers(sent)
        pull.poll(0)
        push.poll(ms(1000), zmq.POLLOUT)


def test_a_slow_reader_lets_a_writer_on(socket: SocketFactory) -> None:
    """Credits come often enough for both to go on with small marks."""
    pull, push = joined(socket, "tcp", sndhwm=10, rcvhwm=10)
    sender = threading.Thread(target=send_all, args=(push, numbers(1000)))
    sender.start()
    assert [pull.recv() for _ in range(1000)] == numbers(1000)
    sender.join(PATIENCE)


def test_a_second_sender_has_its_turn(socket: SocketFactory) -> None:
    """It is heard when the run is over, at the latest."""
    pull, push = joined(socket)
    send_all(push, [b"first"] * 500)
    for _ in range(10):
        assert pull.recv() == b"first"
    assert pull._core.in_run is not None
    other = socket(zmq.PUSH)
    other.connect(pull.last_endpoint)
    send_all(other, [b"second"] * 10)
    received = [pull.recv() for _ in range(500)]
    assert b"second" in received[: RUN + 2]
    assert received.count(b"second") == 10


def test_a_second_receiver_has_its_share(socket: SocketFactory) -> None:
    """The run of a sender ends when another peer comes, at once."""
    pull, push = joined(socket)
    send_all(push, numbers(10))
    assert push._core.out_run is not None
    other = socket(zmq.PULL, rcvtimeo=ms(5000))
    other.bind(f"inproc://runs-{id(other)}")
    push.connect(other.last_endpoint)
    send_all(push, numbers(10))
    assert other.poll(0)
    assert len([pull.recv() for _ in range(15)] + [other.recv() for _ in range(5)]) == 20


def test_what_a_peer_sent_before_it_left_is_read(socket: SocketFactory) -> None:
    pull, push = joined(socket, "tcp")
    send_all(push, numbers(COUNT))
    assert [pull.recv() for _ in range(20)] == numbers(20)
    push.close()
    assert [pull.recv() for _ in range(COUNT - 20)] == numbers(COUNT - 20, 20)


def test_a_peer_that_left_is_sent_nothing(socket: SocketFactory) -> None:
    """What is sent next waits for the peer's successor, or for room."""
    pull, push = joined(socket)
    send_all(push, numbers(10))
    assert push._core.out_run is not None
    pull.close()
    wait_until(lambda: not push.poll(0, zmq.POLLOUT))
    push.sndtimeo = 0
    with pytest.raises(zmq.Again):
        push.send(b"nobody is there")


def test_after_disconnect_nothing_is_read(socket: SocketFactory) -> None:
    pull, push = socket(zmq.PULL, rcvtimeo=ms(50)), socket(zmq.PUSH)
    connect(pull, push)
    send_all(push, numbers(200))
    assert [pull.recv() for _ in range(20)] == numbers(20)
    assert pull._core.in_run is not None
    pull.disconnect(push.last_endpoint)
    left = 0
    with pytest.raises(zmq.Again):
        while True:
            pull.recv()
            left += 1
    assert left in (0, 180)  # as without runs: inproc lets what is under way be read


def test_a_subscription_less_holds_for_the_next_message(socket: SocketFactory) -> None:
    """The filter is back in force at once."""
    pub, sub = socket(zmq.PUB), socket(zmq.SUB, rcvtimeo=ms(5000))
    sub.subscribe(b"")
    sub.subscribe(b"7")
    connect(sub, pub)
    wait_until(lambda: (pub.send(b"ready"), sub.poll(0))[1])
    while sub.recv() != b"go":
        pub.send(b"go")
    while sub.poll(0):
        sub.recv()
    send_all(pub, numbers(100))
    assert [sub.recv() for _ in range(20)] == numbers(20)
    assert sub._core.in_run is not None
    sub.unsubscribe(b"")
    assert [sub.recv() for _ in range(10)] == [b"%d" % number for number in range(70, 80)]


def test_subscribers_come_and_go_while_pub_sends(socket: SocketFactory) -> None:
    """A run of PUB goes to those that want everything; it ends when that changes."""
    pub = socket(zmq.XPUB)
    pub.bind("inproc://runs-pub")

    def subscriber(topic: bytes) -> Any:
        sub = socket(zmq.SUB, rcvtimeo=ms(5000))
        sub.subscribe(topic)
        sub.connect("inproc://runs-pub")
        assert pub.recv() == b"\1" + topic
        return sub

    first = subscriber(b"")
    second = socket(zmq.SUB, rcvtimeo=ms(5000))
    second.subscribe(b"")
    second.connect("inproc://runs-pub")
    send_all(pub, numbers(10))
    assert pub._core.out_run is not None
    assert [first.recv() for _ in range(10)] == [second.recv() for _ in range(10)] == numbers(10)
    picky = subscriber(b"4")
    send_all(pub, numbers(10))
    assert pub._core.out_run is None
    assert picky.recv() == b"4" and not picky.poll(0)
    picky.close()
    second.close()
    wait_until(lambda: pub.poll(0))
    send_all(pub, numbers(10, 10))
    assert [first.recv() for _ in range(20)] == numbers(20)


def test_a_full_subscriber_misses_and_the_others_do_not(socket: SocketFactory) -> None:
    """PUB drops for the one that is full, run or not."""
    pub = socket(zmq.XPUB, sndhwm=20)
    pub.bind("inproc://runs-full")
    slow, quick = socket(zmq.SUB, rcvhwm=20, rcvtimeo=ms(5000)), socket(zmq.SUB, rcvhwm=2000, rcvtimeo=ms(5000))
    for sub in (slow, quick):
        sub.subscribe(b"")
        sub.connect("inproc://runs-full")
    send_all(pub, numbers(1000))
    assert [quick.recv() for _ in range(1000)] == numbers(1000)
    assert [slow.recv() for _ in range(40)] == numbers(40)
    assert not slow.poll(0)


def test_a_poll_before_each_call_makes_no_runs(socket: SocketFactory) -> None:
    """They would be granted and settled each time."""
    pull, push = joined(socket)
    for _ in range(50):
        assert push.poll(0, zmq.POLLOUT)
        push.send(b"")
    for _ in range(50):
        assert pull.poll(0)
        pull.recv()
        assert pull._core.in_run is None
    assert push._core.out_run is None


def test_runs_that_nobody_uses_are_given_up(socket: SocketFactory) -> None:
    """A proxy, for one, does not go through the face."""
    pull, push = joined(socket)
    for _ in range(20):
        push._core.send(b"")
    assert push._core.out_run is None
    for _ in range(20):
        pull._core.recv()
    assert pull._core.in_run is None


def test_several_threads_in_one_run(socket: SocketFactory) -> None:
    """Each message goes out and comes in once, whoever calls."""
    pull, push = joined(socket, sndhwm=0, rcvhwm=0)
    senders = [threading.Thread(target=send_all, args=(push, numbers(1000, 1000 * n))) for n in range(4)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join(PATIENCE)
    received: list[bytes] = []

    def take() -> None:
        for _ in range(1000):
            received.append(pull.recv())

    takers = [threading.Thread(target=take) for _ in range(4)]
    for thread in takers:
        thread.start()
    for thread in takers:
        thread.join(PATIENCE)
    assert sorted(received, key=int) == numbers(4000)


def test_the_end_of_the_context_ends_a_run() -> None:
    """At the end of the run, or before: then every call fails with ETERM."""
    ctx = zmq.Context()
    pull, push = ctx.socket(zmq.PULL), ctx.socket(zmq.PUSH)
    connect(push, pull)
    send_all(push, numbers(500))
    assert [pull.recv() for _ in range(10)] == numbers(10)
    ctx.shutdown()
    with pytest.raises(zmq.ContextTerminated):
        for _ in range(RUN + 1):
            pull.recv()
    with pytest.raises(zmq.ContextTerminated):
        push.send(b"")
    pull.close()
    push.close()
    ctx.term()


def several(socket: SocketFactory, one: int, many: int, count: int = 3, **options: Any) -> tuple[Any, list[Any]]:
    """A socket that is bound, and others connected to it, in the order in which it has them."""
    server = socket(one, rcvtimeo=ms(5000), sndtimeo=ms(5000), **options)
    server.bind(f"inproc://runs-{id(server)}")
    clients = [socket(many, rcvtimeo=ms(5000), **options) for _ in range(count)]
    for client in clients:
        client.connect(server.last_endpoint)
    server.poll(0)
    return server, clients


def test_several_senders_take_turns_in_runs(socket: SocketFactory) -> None:
    """The order is that of fair queueing, whatever passes by the socket."""
    pull, pushes = several(socket, zmq.PULL, zmq.PUSH)
    for number in range(200):
        for name, push in zip(b"abc", pushes, strict=True):
            push.send(b"%c%d" % (name, number))
    received, ran = [], False
    for _ in range(600):
        received.append(pull.recv())
        ran = ran or (pull._core.in_run is not None and pull._core.in_run.pipe is None)
    assert ran
    assert received == [b"%c%d" % (name, number) for number in range(200) for name in b"abc"]


def test_several_receivers_get_their_shares_in_runs(socket: SocketFactory) -> None:
    push, pulls = several(socket, zmq.PUSH, zmq.PULL)
    send_all(push, numbers(5))
    assert push._core.out_run is not None
    send_all(push, numbers(595, 5))
    assert [[pull.recv() for _ in range(200)] for pull in pulls] == [numbers(600)[place::3] for place in range(3)]


@pytest.mark.parametrize("hwm", [1, 5, 30])
def test_marks_of_several_receivers_hold(socket: SocketFactory, hwm: int) -> None:
    """Each gets as much as it has room for, and who reads goes on getting."""
    push, pulls = several(socket, zmq.PUSH, zmq.PULL, sndhwm=hwm, rcvhwm=hwm)
    push.sndtimeo = ms(30)
    sent = 0
    with pytest.raises(zmq.Again):
        while True:
            push.send(b"%d" % sent)
            sent += 1
    assert sent == 3 * 2 * hwm
    assert len([pulls[1].recv() for _ in range(2 * hwm)]) == 2 * hwm
    push.poll(ms(1000), zmq.POLLOUT)
    send_all(push, numbers(hwm))
    assert [pulls[1].recv() for _ in range(hwm)] == numbers(hwm)


def test_what_has_several_frames_ends_the_turns(socket: SocketFactory) -> None:
    pull, pushes = several(socket, zmq.PULL, zmq.PUSH)
    for push in pushes:
        send_all(push, numbers(20))
        push.send_multipart([b"x", b"y"])
        send_all(push, numbers(20))
    received = [pull.recv_multipart() if place % 7 == 0 else [pull.recv()] for place in range(3 * 20)]
    assert received == [[b"%d" % number] for number in range(20) for _ in pushes]
    assert [pull.recv_multipart() for _ in pushes] == [[b"x", b"y"]] * 3
    assert [pull.recv() for _ in range(60)] == [b"%d" % number for number in range(20) for _ in pushes]


def test_a_frame_knows_its_sender(socket: SocketFactory) -> None:
    """Where several take turns, too."""
    pull, first, second = socket(zmq.PULL, rcvtimeo=ms(5000)), socket(zmq.PUSH), socket(zmq.PUSH)
    pull.bind("tcp://127.0.0.1:*")
    for push in (first, second):
        push.connect(pull.last_endpoint)
        send_all(push, [b"%d" % id(push)] * 100)
    senders: dict[bytes, set[int]] = {}
    for place in range(200):
        frame = pull.recv(copy=False) if place % 25 > 20 else None
        if frame is None:
            pull.recv()
        else:
            senders.setdefault(frame.bytes, set()).add(frame.get(zmq.SRCFD))
    assert sorted(map(len, senders.values())) == [1, 1]
    assert len(set.union(*senders.values())) == 2


def test_a_filter_holds_in_runs(socket: SocketFactory) -> None:
    """What is unsubscribed from in the middle of a run is not received any more."""
    pub, sub = socket(zmq.PUB), socket(zmq.SUB, rcvtimeo=ms(5000))
    connect(sub, pub)
    sub.subscribe(b"a")
    sub.subscribe(b"bb")
    wait_until(lambda: pub.send(b"bb") is None and sub.poll(0))
    for number in range(60):
        pub.send(b"a%d" % number)
        pub.send(b"b%d" % number)
        pub.send(b"bb%d" % number)
    received: list[bytes] = []
    while len(received) < 30 or sub._core.in_run is None:
        received += [msg for msg in [sub.recv()] if msg != b"bb"]
    assert received == [b"%s%d" % (name, number) for number in range(60) for name in (b"a", b"bb")][: len(received)]
    sub.unsubscribe(b"a")
    rest = []
    while sub.poll(0):
        rest.append(sub.recv())
    assert rest == [b"bb%d" % number for number in range(60) if b"bb%d" % number not in received]
