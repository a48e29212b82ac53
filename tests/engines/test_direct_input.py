# SPDX-License-Identifier: MPL-2.0
"""In a conversation the socket's own thread reads the connection it waits for, and only then."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py.constants import SocketType
from libzmq_py.engines import stream_engine_base
from libzmq_py.engines.i_engine import ErrorReason
from libzmq_py.engines.stream_engine_base import LENT_TIMER, StreamEngineBase
from libzmq_py.engines.zmtp_engine import ZmtpEngine
from libzmq_py.sockets import socket_base
from tests.conftest import SocketFactory
from tests.engines.fakes import Rig
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, ms, wait_until

ROUNDS = 20


class Server:
    """A REP that answers with what it gets, in a thread of its own, until it gets `end`."""

    def __init__(self, rep: Any) -> None:
        self.rep = rep
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        request = b""
        while request != b"end":
            try:
                request = self.rep.recv()
                self.rep.send(request)
            except zmq.ContextTerminated:
                return


def ask(req: Any, text: bytes = b"question") -> None:
    req.send(text)
    assert req.recv() == text


@pytest.fixture
def pair(socket: SocketFactory) -> Iterator[tuple[Any, Server]]:
    """A REQ and the server it is connected to."""
    rep, req = socket(zmq.REP), socket(zmq.REQ, req_relaxed=1, req_correlate=1, reconnect_ivl=1, rcvtimeo=ms(5000))
    req.connect(f"tcp://127.0.0.1:{rep.bind_to_random_port('tcp://127.0.0.1')}")
    server = Server(rep)
    yield req, server
    if server.thread.is_alive() and not req.closed:
        ask(req, b"end")
    server.thread.join(PATIENCE)


def inputs(socket: Any) -> dict[int, Any]:
    """The connections that the socket's thread reads."""
    found: dict[int, Any] = socket._core.mailbox.inputs
    return found


def talk(req: Any, until: Callable[[], object]) -> None:
    """Questions and answers until something is so."""

    def so() -> bool:
        for _ in range(ROUNDS):  # without a pause, as pauses end a conversation
            ask(req)
        return bool(until())

    wait_until(so)


@pytest.fixture
def for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lent is not taken back for being unused."""
    monkeypatch.setattr(stream_engine_base, "_LENT_IVL", 3_600_000)


def test_a_conversation_is_read_by_its_own_threads(
    pair: tuple[Any, Server], for_long: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few rounds no I/O thread stands between the two."""
    req, server = pair
    talk(req, lambda: inputs(req) and inputs(server.rep))
    readers: list[str] = []
    real = StreamEngineBase.in_event

    def in_event(self: StreamEngineBase) -> None:
        readers.append(threading.current_thread().name)
        real(self)

    monkeypatch.setattr(StreamEngineBase, "in_event", in_event)
    for _ in range(ROUNDS):
        ask(req)
    assert set(readers) == {threading.current_thread().name, server.thread.name}


def test_what_is_not_used_is_read_by_the_io_thread(pair: tuple[Any, Server]) -> None:
    """A pause, and the input is back where the end of a connection is noticed."""
    req, server = pair
    talk(req, lambda: inputs(req))
    wait_until(lambda: not inputs(req) and not inputs(server.rep))
    ask(req)


def test_slow_conversations_are_left_alone(pair: tuple[Any, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """To lend and to reclaim costs more than it saves when messages are far apart."""
    req, server = pair
    monkeypatch.setattr("libzmq_py.sockets.socket_base._SOON", -1.0)
    for _ in range(ROUNDS):
        ask(req)
    assert not inputs(req) and not inputs(server.rep)


def test_streams_of_small_messages_are_left_to_the_io_thread(socket: SocketFactory) -> None:
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
    for _ in range(ROUNDS):
        push.send(b"")
        pull.recv()
    assert not inputs(pull)


# --- streams of large messages ---------------------------------------------------------------------------------------


class Clock:
    """In the place of the module `time`: before a wait the thread was busy for so long, and the wait took so long."""

    def __init__(self, busy: float, waited: float) -> None:
        # By who asks: a wait begins, or is over.
        self.steps = {"_recv_wait": busy, "_came_soon": waited, "_still_soon": waited}
        self.now = 1.0

    def monotonic(self) -> float:
        self.now += self.steps.get(sys._getframe(1).f_code.co_name, 0.0)
        return self.now


class Stream:
    """Large messages, each different, one at a time or a few ahead."""

    def __init__(self, socket: SocketFactory, sender: int, receiver: int, size: int) -> None:
        self.receiver, self.sender = socket(receiver, rcvtimeo=-1), socket(sender)
        self.sender.connect(f"tcp://127.0.0.1:{self.receiver.bind_to_random_port('tcp://127.0.0.1')}")
        self.size = size
        self.sent = self.received = 0

    def message(self, number: int) -> bytes:
        return b"%08d" % number + b"x" * self.size

    def move(self, ahead: int = 0) -> None:
        while self.sent <= self.received + ahead:
            self.sender.send(self.message(self.sent))
            self.sent += 1
        assert self.receiver.recv() == self.message(self.received)
        self.received += 1

    def move_until(self, reached: Callable[[], object]) -> None:
        def so() -> bool:
            for _ in range(ROUNDS):
                self.move()
            return bool(reached())

        wait_until(so)


@pytest.mark.parametrize("size", [20_000, 64_000, 1_000_000])
@pytest.mark.parametrize("types", [(zmq.PUSH, zmq.PULL), (zmq.DEALER, zmq.DEALER)])
def test_a_stream_of_large_messages_is_read_by_its_own_thread(
    socket: SocketFactory, for_long: None, monkeypatch: pytest.MonkeyPatch, types: Any, size: int
) -> None:
    """One that does little but wait for them. Each is whole, and in its turn."""
    stream = Stream(socket, *types, size)
    monkeypatch.setattr(socket_base, "time", Clock(busy=0.0, waited=0.001))
    stream.move_until(lambda: inputs(stream.receiver))
    for _ in range(ROUNDS):
        stream.move(ahead=3)
    assert inputs(stream.receiver)


def test_who_is_busy_between_large_messages_does_not_read_them(
    socket: SocketFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The I/O thread reads the next one while this thread works on the last."""
    stream = Stream(socket, zmq.PUSH, zmq.PULL, 200_000)
    monkeypatch.setattr(socket_base, "time", Clock(busy=0.001, waited=0.001))
    for _ in range(3 * ROUNDS):
        stream.move()
        assert not inputs(stream.receiver)


def test_who_becomes_busy_gives_back(
    socket: SocketFactory, for_long: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(socket, zmq.PUSH, zmq.PULL, 200_000)
    monkeypatch.setattr(socket_base, "time", Clock(busy=0.0, waited=0.001))
    stream.move_until(lambda: inputs(stream.receiver))
    monkeypatch.setattr(socket_base, "time", Clock(busy=0.002, waited=0.001))
    stream.move_until(lambda: not inputs(stream.receiver))
    stream.move(ahead=5)


def test_several_senders_of_large_messages(socket: SocketFactory) -> None:
    """Each one's messages are whole and in order, whoever reads which connection at which moment."""
    pull = socket(zmq.PULL)
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    pushes = [socket(zmq.PUSH) for _ in range(3)]
    for push in pushes:
        push.connect(f"tcp://127.0.0.1:{port}")
    next_of = [0, 0, 0]
    for number in range(5 * ROUNDS):
        for who, push in enumerate(pushes):
            push.send(b"%d %d " % (who, number) + bytes(30_000 * (who + 1)))
        for _ in pushes:
            who, count, body = pull.recv().split(b" ", 2)
            assert (int(count), len(body)) == (next_of[int(who)], 30_000 * (int(who) + 1))
            next_of[int(who)] += 1


@pytest.mark.parametrize("how", ["poll of two", "look", "DONTWAIT"])
def test_who_waits_elsewhere_gives_back(pair: tuple[Any, Server], for_long: None, how: str) -> None:
    """Nothing is lost when a blocking recv is followed by a poll, or by looking without waiting."""
    req, server = pair
    talk(req, lambda: inputs(req))
    req.send(b"one more")
    if how == "poll of two":
        assert zmq.zmq_poll([(req, zmq.POLLIN), (server.rep, 0)], ms(5000))
    elif how == "look":
        wait_until(lambda: req.poll(0))
    answer: list[bytes] = []

    def came() -> bool:
        try:
            answer.append(req.recv(zmq.DONTWAIT))
        except zmq.Again:
            return False
        return True

    wait_until(came)
    assert answer == [b"one more"]
    assert not inputs(req)


def test_who_polls_that_socket_alone_reads_by_itself(pair: tuple[Any, Server], for_long: None) -> None:
    """A poll of one socket is the same wait: it begins such a conversation, and goes on with one."""
    req, _ = pair

    def asked() -> bool:
        req.send(b"x")
        assert req.poll(ms(5000)) == zmq.POLLIN
        return bool(req.recv(zmq.DONTWAIT) == b"x" and inputs(req))

    wait_until(asked)
    for _ in range(ROUNDS):
        assert asked()


def test_a_peer_that_goes_is_noticed_while_we_wait(pair: tuple[Any, Server], for_long: None, socket: Any) -> None:
    """The waiting thread meets the end of the connection, and serves the next peer."""
    req, server = pair
    talk(req, lambda: inputs(server.rep))
    endpoint = req.last_endpoint
    req.close(linger=0)
    wait_until(lambda: not inputs(server.rep))
    other = socket(zmq.REQ)
    other.connect(endpoint)
    ask(other, b"end")


def test_the_end_of_the_context_wakes_the_reader(for_long: None) -> None:
    """A recv that waits for its connection fails with ETERM as any other."""
    ctx = zmq.Context()
    rep, req = ctx.socket(zmq.REP), ctx.socket(zmq.REQ)
    req.connect(f"tcp://127.0.0.1:{rep.bind_to_random_port('tcp://127.0.0.1')}")
    server = Server(rep)
    talk(req, lambda: inputs(rep))
    req.close()
    ctx.shutdown()
    server.thread.join(PATIENCE)
    assert not server.thread.is_alive()
    rep.close()
    ctx.term()


def signalled_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have SIGUSR1 sent to this thread once, in the middle of its next read of a connection; how often it was."""
    main, real, sent = threading.get_ident(), StreamEngineBase._process_msgs, []

    def process(self: StreamEngineBase, *args: Any) -> None:
        if threading.get_ident() == main and not sent:
            sent.append(signal.SIGUSR1)
            signal.pthread_kill(main, signal.SIGUSR1)
        real(self, *args)

    monkeypatch.setattr(StreamEngineBase, "_process_msgs", process)
    return sent


@pytest.fixture
def handle() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Handle SIGUSR1 so."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, lambda number, frame: handler()) and None
    signal.signal(signal.SIGUSR1, before)


def test_what_a_handler_raises_waits_for_the_end_of_a_read(
    pair: tuple[Any, Server], for_long: None, monkeypatch: pytest.MonkeyPatch, handle: Any
) -> None:
    """Ctrl-C, say: neither the connection nor the message is lost."""
    req, _ = pair

    def interrupt() -> None:
        raise KeyboardInterrupt

    handle(interrupt)
    talk(req, lambda: inputs(req))
    sent = signalled_while_it_reads(monkeypatch)
    req.send(b"not lost")
    with pytest.raises(KeyboardInterrupt):
        req.recv()
    assert sent and inputs(req)
    assert req.recv() == b"not lost"
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_handler_may_wait_for_the_io_thread(
    pair: tuple[Any, Server], socket: SocketFactory, for_long: None, monkeypatch: pytest.MonkeyPatch, handle: Any
) -> None:
    """It does not run while its thread has the I/O thread's turn."""
    req, _ = pair
    pull, push = socket(zmq.PULL, rcvtimeo=ms(5000)), socket(zmq.PUSH)
    push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
    got: list[bytes] = []

    def converse() -> None:
        push.send(b"x")
        got.append(pull.recv())

    handle(converse)
    talk(req, lambda: inputs(req))
    sent = signalled_while_it_reads(monkeypatch)
    ask(req)
    assert sent and got == [b"x"]


def test_ctrl_c_in_the_middle_costs_the_connection_only(
    pair: tuple[Any, Server], for_long: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what has been made of the bytes that were read, so the connection ends, and a new one is made."""
    req, _ = pair
    talk(req, lambda: inputs(req))
    main = threading.current_thread()
    real = StreamEngineBase._process_msgs

    def interrupted(self: StreamEngineBase, *args: Any) -> None:
        if threading.current_thread() is main:
            monkeypatch.setattr(StreamEngineBase, "_process_msgs", real)
            raise KeyboardInterrupt
        real(self, *args)

    monkeypatch.setattr(StreamEngineBase, "_process_msgs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(req, b"lost")
    wait_until(lambda: not inputs(req))
    ask(req, b"on a new connection")


# --- the engine alone ------------------------------------------------------------------------------------------------


class FakeMailbox:
    """Holds what it is lent."""

    def __init__(self, able: bool = True) -> None:
        self.able = able
        self.inputs: dict[int, Any] = {}

    def add_input(self, fd: int, connection: Any, pipe: Any) -> bool:
        if self.able:
            self.inputs[fd] = connection
        return self.able

    def remove_input(self, fd: int) -> None:
        del self.inputs[fd]


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A REP's connection, ready."""
    rig = Rig(ZmtpEngine, SocketType.REP)
    rig.plug()
    greeting = b"\xff" + bytes(8) + b"\x7f\3\1" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\5READY\x0bSocket-Type\0\0\0\3REQ"
    rig.send(greeting + b"\4" + bytes((len(ready),)) + ready)
    assert rig.session.input_offered
    yield rig
    rig.close()


def lend(rig: Rig) -> FakeMailbox:
    mailbox = FakeMailbox()
    rig.engine.lend_input(mailbox, None)
    assert list(mailbox.inputs.values()) == [rig.engine]
    assert not rig.events & 1 and not rig.session.input_offered
    return mailbox


def test_lent_input_is_read_by_the_borrower_alone(rig: Rig) -> None:
    lend(rig)
    rig.peer.send(b"\1\0\0\5hello")
    rig.engine.read_direct()
    assert rig.session.received == [(b"", b"hello")]


def test_reclaimed_input_is_not_read_by_a_late_borrower(rig: Rig) -> None:
    """Between the event and the turn the I/O thread may have taken the connection back."""
    mailbox = lend(rig)
    rig.peer.send(b"\1\0\0\5hello")
    rig.engine.reclaim_input()
    assert not mailbox.inputs and rig.events & 1 and rig.session.input_offered
    rig.engine.read_direct()
    assert rig.session.received == []
    rig.settle()
    assert rig.session.received == [(b"", b"hello")]


def test_a_mailbox_that_cannot_watch_is_lent_nothing(rig: Rig) -> None:
    rig.engine.lend_input(FakeMailbox(able=False), None)
    assert rig.events & 1


def test_use_keeps_the_loan_and_idleness_ends_it(rig: Rig) -> None:
    mailbox = lend(rig)
    rig.engine.timer_event(LENT_TIMER)
    rig.peer.send(b"\1\0\0\5hello")
    rig.engine.read_direct()
    rig.engine.timer_event(LENT_TIMER)
    assert mailbox.inputs
    rig.engine.timer_event(LENT_TIMER)
    assert not mailbox.inputs and rig.events & 1


def test_a_full_session_ends_the_loan(rig: Rig) -> None:
    """What it did not take is held, and nobody reads until it asks."""
    mailbox = lend(rig)
    rig.session.room = 1
    rig.peer.send(b"\1\0\0\1a\1\0\0\1b")
    rig.engine.read_direct()
    assert rig.session.received == [(b"", b"a")]
    assert not mailbox.inputs and not rig.events & 1
    rig.session.room = 10
    rig.engine.restart_input()
    assert rig.session.received == [(b"", b"a"), (b"", b"b")]
    assert rig.events & 1 and rig.session.input_offered


def test_a_broken_peer_ends_the_loan_and_the_connection(rig: Rig) -> None:
    mailbox = lend(rig)
    rig.peer.send(b"\2" + b"\xff" * 8)
    rig.engine.read_direct()
    assert not mailbox.inputs
    assert [reason for _, reason in rig.session.errors] == [ErrorReason.PROTOCOL_ERROR]


def test_nothing_is_lent_while_input_is_stopped(rig: Rig) -> None:
    rig.session.room = 0
    rig.send(b"\1\0\0\1a")
    mailbox = FakeMailbox()
    rig.engine.lend_input(mailbox, None)
    assert not mailbox.inputs


def test_giving_back_is_asked_of_the_io_thread(rig: Rig) -> None:
    lend(rig)
    rig.engine.give_back_input()
    assert rig.session.input_requests == [None]


def test_a_defect_loses_the_connection_s_events_and_nothing_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that 'cannot happen' does not reach the caller of recv."""
    lend(rig)
    monkeypatch.setattr(rig.engine, "_process_input", lambda data: 1 // 0)
    failed: list[Any] = []
    monkeypatch.setattr(rig.poller, "failed", failed.append, raising=False)
    rig.peer.send(b"\1\0\0\1a")
    rig.engine.read_direct()
    assert len(failed) == 1
