# SPDX-License-Identifier: MPL-2.0
"""One socket, several threads: each call is whole, nobody waits for a wait, nothing is lost. (libzmq: undefined.)"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py.core.mailbox import Mailbox
from tests.conftest import SocketFactory
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, ms, wait_until

pytestmark = pytest.mark.departs

Run = Callable[..., "Running"]


class Running:
    """A call in a thread, its result or its error."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self.errno = 0
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except zmq.ZMQError as error:
            self.errno = error.errno

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> Any:
        self._thread.join(PATIENCE * 4)
        assert self.ended, "the call did not end"
        assert not self.errno, zmq.strerror(self.errno)
        return self.result


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a call in a thread."""
    started: list[Running] = []

    def start(call: Callable[[], Any]) -> Running:
        started.append(Running(call))
        return started[-1]

    yield start
    for running in started:
        running._thread.join(PATIENCE)


def joined(socket: SocketFactory, types: tuple[Any, Any], transport: str = "inproc", **options: Any) -> tuple[Any, Any]:
    server, client = (socket(type_, rcvtimeo=ms(8000), sndtimeo=ms(8000), **options) for type_ in types)
    server.bind("tcp://127.0.0.1:*" if transport == "tcp" else f"inproc://threads-{id(server)}")
    client.connect(server.last_endpoint)
    return server, client


def waits(socket: Any, threads: int = 1) -> None:
    """Until so many threads wait in a call of the socket."""
    wait_until(lambda: len({socket._core._watcher, *socket._core._others} - {0}) == threads)


@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_every_message_arrives_whole_and_once(socket: SocketFactory, run: Run, transport: str) -> None:
    """Four senders and four receivers share a socket each, with little room, in messages of three frames."""
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH), transport, sndhwm=20, rcvhwm=20)
    count = 500

    def send(who: int) -> None:
        for number in range(count):
            text = b"%d.%d" % (who, number)
            push.send_multipart([text, b"", text])

    def receive() -> list[list[bytes]]:
        return [pull.recv_multipart() for _ in range(count)]

    senders = [run(lambda who=who: send(who)) for who in range(4)]
    receivers = [run(receive) for _ in range(4)]
    for sender in senders:
        sender.join()
    messages = [message for receiver in receivers for message in receiver.join()]
    assert all(first == last and middle == b"" for first, middle, last in messages)
    assert Counter(message[0] for message in messages) == {
        b"%d.%d" % (who, number): 1 for who in range(4) for number in range(count)
    }


def test_single_frames_too(socket: SocketFactory, run: Run) -> None:
    """They move in runs, which several threads use at a time."""
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH))
    senders = [run(lambda who=who: [push.send(b"%d.%d" % (who, n)) for n in range(2000)]) for who in range(3)]
    receivers = [run(lambda: [pull.recv() for _ in range(2000)]) for _ in range(3)]
    for sender in senders:
        sender.join()
    received = Counter(message for receiver in receivers for message in receiver.join())
    assert len(received) == 6000 and set(received.values()) == {1}


@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_one_sends_while_another_waits_to_receive(socket: SocketFactory, run: Run, transport: str) -> None:
    """A wait does not hold the socket."""
    server, client = joined(socket, (zmq.DEALER, zmq.DEALER), transport)
    answers = run(lambda: [client.recv() for _ in range(200)])
    echo = run(lambda: [server.send(server.recv()) for _ in range(200)])
    waits(client)
    for number in range(200):
        client.send(b"%d" % number)
    echo.join()
    assert answers.join() == [b"%d" % number for number in range(200)]


def test_two_wait_and_both_get_theirs(socket: SocketFactory, run: Run) -> None:
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH))
    receivers = [run(pull.recv) for _ in range(3)]
    waits(pull, 3)
    for text in (b"a", b"b", b"c"):
        push.send(text)
    assert sorted(receiver.join() for receiver in receivers) == [b"a", b"b", b"c"]


def test_a_credit_that_another_thread_has_met(socket: SocketFactory, run: Run) -> None:
    """One thread waits for room; the command that brings it is processed by a recv of another."""
    server, client = joined(socket, (zmq.DEALER, zmq.DEALER), sndhwm=1, rcvhwm=1)
    client.send(b"1")
    client.send(b"2")
    sender = run(lambda: client.send(b"3"))
    waits(client)
    receiver = run(client.recv)
    waits(client, 2)
    assert server.recv() == b"1"
    server.send(b"answer")
    assert receiver.join() == b"answer"
    sender.join()
    assert [server.recv(), server.recv()] == [b"2", b"3"]


def test_options_are_answered_while_a_call_waits(socket: SocketFactory, run: Run) -> None:
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH))
    receiver = run(pull.recv)
    waits(pull)
    assert pull.getsockopt(zmq.TYPE) == zmq.PULL
    pull.setsockopt(zmq.LINGER, 7)
    assert not pull.poll(0)
    push.send(b"x")
    assert receiver.join() == b"x"


def test_a_run_that_began_during_a_wait(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited finds another thread's run settled before it looks into the queues itself."""
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH))
    real = Mailbox.wait
    taken: list[bytes] = []
    waits = []

    def wait(self: Mailbox, timeout: int) -> None:
        waits.append(timeout)
        if len(waits) == 1:
            # What another thread may do: it takes all there is, most of it in a run.
            for number in range(40):
                push.send(b"%d" % number)
            taken.extend(pull.recv() for _ in range(40))
            assert pull._core.in_run is not None
        else:
            push.send(b"last")
        real(self, timeout)

    monkeypatch.setattr(Mailbox, "wait", wait)
    assert pull.recv() == b"last"
    assert taken == [b"%d" % number for number in range(40)]


@pytest.mark.parametrize("threads", [1, 3])
def test_close_ends_the_calls_of_other_threads(socket: SocketFactory, run: Run, threads: int) -> None:
    """ENOTSOCK, at once, and the context can end."""
    pull, _ = joined(socket, (zmq.PULL, zmq.PUSH))
    receivers = [run(pull.recv) for _ in range(threads)]
    waits(pull, threads)
    pull.close()
    for receiver in receivers:
        receiver._thread.join(PATIENCE)
        assert receiver.errno == zmq.ENOTSOCK


@pytest.mark.parametrize("busy", [False, True])
def test_close_ends_a_proxy_of_another_thread(socket: SocketFactory, run: Run, busy: bool) -> None:
    """ENOTSOCK whether it waits or has work, and the context can end."""
    front, push = joined(socket, (zmq.PULL, zmq.PUSH))
    back, pull = joined(socket, (zmq.PUSH, zmq.PULL))
    proxy = run(lambda: zmq.proxy(front, back))
    push.send(b"x")
    assert pull.recv() == b"x"
    sender = run(lambda: [push.send(b"y", zmq.DONTWAIT) for _ in range(1000)]) if busy else None
    front.close()
    back.close()
    proxy._thread.join(PATIENCE)
    assert proxy.ended and proxy.errno == zmq.ENOTSOCK
    if sender is not None:
        sender._thread.join(PATIENCE)


def test_close_ends_a_poll_of_another_thread(socket: SocketFactory, run: Run) -> None:
    pull, _ = joined(socket, (zmq.PULL, zmq.PUSH))
    other, _ = joined(socket, (zmq.PULL, zmq.PUSH))
    poll = run(lambda: zmq.zmq_poll([(pull, zmq.POLLIN), (other, zmq.POLLIN)], ms(8000)))
    wait_until(lambda: bool(pull._core.mailbox._asleep and other._core.mailbox._asleep))
    other.close()
    poll._thread.join(PATIENCE)
    assert poll.ended and poll.errno == zmq.ENOTSOCK


@pytest.mark.parametrize("watched", [False, True], ids=["", "fd"])
def test_one_receives_while_another_polls(socket: SocketFactory, run: Run, watched: bool) -> None:
    """The poll processes the commands of a socket that another thread waits for: that thread misses nothing."""
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH))
    other, end = joined(socket, (zmq.PULL, zmq.PUSH))
    if watched:
        assert pull.fd >= 0  # from now on its descriptor may be watched from outside, too
    count = 300

    def receive() -> None:
        for number in range(count):
            assert pull.recv() == b"%d" % number
            end.send(b"%d" % number)

    receiver = run(receive)
    for number in range(count):
        push.send(b"%d" % number)
        ready = zmq.zmq_poll([(other, zmq.POLLIN), (pull, 0)], ms(8000))
        assert ready == [(other, zmq.POLLIN)]
        assert other.recv(zmq.DONTWAIT) == b"%d" % number
    receiver.join()


def test_several_poll_the_same_sockets(socket: SocketFactory, run: Run) -> None:
    """Each message wakes one that takes it; a socket may be named twice."""
    pulls, pushes = zip(*(joined(socket, (zmq.PULL, zmq.PUSH)) for _ in range(2)), strict=True)
    count = 200

    def receive(turn: int) -> list[bytes]:
        got: list[bytes] = []
        items = [(pull, zmq.POLLIN) for pull in (*pulls, *pulls)][turn : turn + 3]
        while b"end" not in got:
            ready = dict(zmq.zmq_poll(items, ms(8000)))
            assert ready
            for pull in ready:
                try:
                    got.append(pull.recv(zmq.DONTWAIT))
                except zmq.Again:
                    continue
        return got

    receivers = [run(lambda turn=turn: receive(turn)) for turn in range(2)]
    for number in range(count):
        pushes[number % 2].send(b"%d" % number)
    for receiver in receivers:
        while not receiver.ended:
            for push in pushes:
                push.send(b"end")
                receiver._thread.join(0.05)
    messages = [message for receiver in receivers for message in receiver.join() if message != b"end"]
    assert sorted(map(int, messages)) == list(range(count))


def test_the_end_of_the_context_ends_all_calls(run: Run) -> None:
    ctx = zmq.Context()
    pull = ctx.socket(zmq.PULL)
    pull.bind("inproc://threads-end")
    receivers = [run(pull.recv) for _ in range(3)]
    waits(pull, 3)
    ctx.shutdown()
    for receiver in receivers:
        receiver._thread.join(PATIENCE)
        assert receiver.errno == zmq.ETERM
    pull.close()
    ctx.term()


def test_a_time_out_of_one_is_not_that_of_another(socket: SocketFactory, run: Run) -> None:
    pull, push = joined(socket, (zmq.PULL, zmq.PUSH))
    patient = run(pull.recv)
    waits(pull)
    pull.rcvtimeo = ms(20)
    hasty = run(pull.recv)
    hasty._thread.join(PATIENCE)
    assert hasty.errno == zmq.EAGAIN
    assert not patient.ended
    push.send(b"x")
    assert patient.join() == b"x"


def test_a_conversation_in_changing_threads(socket: SocketFactory, run: Run) -> None:
    """REQ and REP, whose input is read by whoever waits."""
    rep, req = joined(socket, (zmq.REP, zmq.REQ), "tcp")

    def serve() -> None:
        for _ in range(100):
            rep.send(rep.recv())

    servers = [run(serve)]
    for start in range(0, 100, 20):

        def ask(start: int = start) -> list[bytes]:
            answers = []
            for number in range(start, start + 20):
                req.send(b"%d" % number)
                answers.append(req.recv())
            return answers

        assert run(ask).join() == [b"%d" % number for number in range(start, start + 20)]
    servers[0].join()
