# SPDX-License-Identifier: MPL-2.0
"""Requests, replies and subscriptions leave from the socket's own thread, and everything else does not."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from libzmq_py.core.pipe import Pipe
from libzmq_py.engines.stream_engine_base import StreamEngineBase
from libzmq_py.sockets.pubsub import sub as sub_module
from tests.conftest import SocketFactory
from tests.support.target import zmq
from tests.support.waiting import wait_until

ROUNDS = 20


def joined(socket: SocketFactory, bound: int, connected: int) -> tuple[Any, Any]:
    """Two sockets over tcp that have exchanged a first message each way, so that the handshake is over."""
    server, client = socket(bound), socket(connected)
    client.connect(f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}")
    client.send(b"first")
    assert server.recv_multipart()[-1] == b"first"
    return server, client


def senders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on, the name of the thread of every system call that sends."""
    names: list[str] = []
    real = StreamEngineBase._write

    def write(self: StreamEngineBase) -> bool:
        names.append(threading.current_thread().name)
        return real(self)

    monkeypatch.setattr(StreamEngineBase, "_write", write)
    return names


def io_thread_rests(socket: Any) -> None:
    """Wait until the I/O thread has no work: while it has, it is left to send, too."""
    turn = socket._core.ctx._io_threads[0].poller.turn
    wait_until(lambda: not turn.locked())


def test_a_round_trip_wakes_no_io_thread_to_send(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQ and REP write their messages to the connection themselves, unless the I/O thread is just at work."""
    rep, req = joined(socket, zmq.REP, zmq.REQ)
    rep.send(b"first")
    assert req.recv() == b"first"
    names = senders(monkeypatch)
    for number in range(ROUNDS):
        for sender, receiver in ((req, rep), (rep, req)):
            io_thread_rests(sender)
            sender.send(b"%d" % number)
            assert receiver.recv() == b"%d" % number
    assert names.count(threading.current_thread().name) > ROUNDS


def test_streams_are_left_to_the_io_thread(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may come in numbers is gathered into batches."""
    pull, push = joined(socket, zmq.PULL, zmq.PUSH)
    names = senders(monkeypatch)
    for number in range(ROUNDS):
        push.send(b"%d" % number)
        assert pull.recv() == b"%d" % number
    assert names and threading.current_thread().name not in names


def test_a_subscription_leaves_at_once(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SUB writes it itself, and lets the threads that make something of it have the interpreter, once per burst."""
    xpub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    sub.connect(f"tcp://127.0.0.1:{xpub.bind_to_random_port('tcp://127.0.0.1')}")
    sub.subscribe(b"first")
    assert xpub.recv() == b"\1first"
    wait_until(lambda: any(pipe.direct_output for pipe in sub._core._pipes.items))
    io_thread_rests(sub)
    names = senders(monkeypatch)
    given_way: list[float] = []
    now = [time.monotonic() + 1]
    monkeypatch.setattr(sub_module, "time", SimpleNamespace(sleep=given_way.append, monotonic=lambda: now[0]))
    sub.subscribe(b"second")
    assert names[:1] == [threading.current_thread().name]
    sub.subscribe(b"third")
    assert len(given_way) == 1
    now[0] += 1
    sub.unsubscribe(b"third")
    assert len(given_way) == 2
    assert [xpub.recv() for _ in range(3)] == [b"\1second", b"\1third", b"\0third"]


def test_what_the_kernel_does_not_take_at_once(socket: SocketFactory) -> None:
    """A request larger than all buffers arrives whole: the I/O thread sends the rest."""
    rep, req = joined(socket, zmq.REP, zmq.REQ)
    rep.send(b"first")
    req.recv()
    large = bytes(range(256)) * (1 << 16)
    req.send(large)
    assert rep.recv() == large
    rep.send(b"small")
    assert req.recv() == b"small"


def test_while_the_io_thread_sends_it_is_asked(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection busy with something of its own, the message takes the ordinary way."""
    rep, req = joined(socket, zmq.REP, zmq.REQ)
    rep.send(b"first")
    req.recv()
    monkeypatch.setattr(StreamEngineBase, "write_direct", lambda self: False)
    names = senders(monkeypatch)
    (pipe,) = req._core._pipes.items
    pipe.direct_output = lambda: False
    req.send(b"asked")
    assert rep.recv() == b"asked"
    assert threading.current_thread().name not in names


def test_ctrl_c_in_the_middle_costs_the_connection_only(
    socket: SocketFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how much has left, so the connection ends; no half message arrives, and the next ones do."""
    rep, req = socket(zmq.REP), socket(zmq.REQ, req_relaxed=1, req_correlate=1, reconnect_ivl=1)
    req.connect(f"tcp://127.0.0.1:{rep.bind_to_random_port('tcp://127.0.0.1')}")
    req.send(b"first")
    rep.send(rep.recv())
    assert req.recv() == b"first"
    real = StreamEngineBase._write

    main = threading.current_thread()

    def interrupted(self: StreamEngineBase) -> bool:
        if threading.current_thread() is not main:
            return real(self)  # the I/O thread was just at work, and so left to send
        monkeypatch.setattr(StreamEngineBase, "_write", real)
        self._sock.send(b"\1")
        raise KeyboardInterrupt

    monkeypatch.setattr(StreamEngineBase, "_write", interrupted)

    def hit() -> bool:
        io_thread_rests(req)
        try:
            req.send(b"lost or not")
        except KeyboardInterrupt:
            return True
        rep.send(rep.recv())
        req.recv()
        return False

    wait_until(hit)

    def answered() -> bool:
        req.send(b"again")
        if rep.poll(50):
            rep.send(rep.recv())
        return bool(req.poll(50)) and req.recv() == b"again"

    wait_until(answered)


def test_the_end_of_a_pipe_is_not_met_by_the_writer(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delimiter goes to the I/O thread, which alone may end its side of the pipe."""
    rep, req = joined(socket, zmq.REP, zmq.REQ)
    rep.send(b"first")
    req.recv()
    (pipe,) = req._core._pipes.items
    peer = pipe._peer
    readers: list[str] = []
    real = Pipe._process_delimiter

    def process_delimiter(self: Pipe) -> None:
        if self is peer:
            readers.append(threading.current_thread().name)
        real(self)

    monkeypatch.setattr(Pipe, "_process_delimiter", process_delimiter)
    req.disconnect(req.last_endpoint)
    wait_until(lambda: bool(readers))
    assert readers[0].startswith("ZMQbg/IO")


def test_a_lost_connection_takes_the_offer_back(socket: SocketFactory) -> None:
    """After its engine has gone the pipe wakes the session, which queues for the next connection."""
    rep, req = joined(socket, zmq.REP, zmq.REQ)
    (pipe,) = req._core._pipes.items
    wait_until(lambda: pipe.direct_output is not None)
    rep.close(linger=0)
    wait_until(lambda: pipe.direct_output is None)
    assert pipe.is_active
