# SPDX-License-Identifier: MPL-2.0
"""A world of fakes for listeners and connecters, and real libzmq to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zmq

from libzmq_py.core.command import CommandType
from libzmq_py.errors import ZMQError
from libzmq_py.options import Options
from libzmq_py.transports import Address, Listener, find_transport, stream_connecter_base, stream_listener_base
from libzmq_py.transports.stream_connecter_base import StreamConnecterBase
from tests.transports.fakes import FakeEngine, FakeIOThread, FakeSession, FakeSocket


class World:
    """One I/O thread, one socket, one set of options."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        io_thread = FakeIOThread()
        self.io_thread: Any = io_thread
        self.poller = io_thread.poller
        self.commands = io_thread.ctx
        self.socket = FakeSocket()
        self.options = Options()
        self.session = FakeSession(self.io_thread, self.options, self.socket)
        self.engines: list[FakeEngine] = []

    def make_engine(self, *args: Any) -> FakeEngine:
        engine = FakeEngine(*args)
        self.engines.append(engine)
        self.stack.callback(engine.sock.close)
        return engine

    def bind(self, endpoint: str) -> Listener:
        """Bind and plug."""
        scheme, _, address = endpoint.partition("://")
        transport = find_transport(scheme)
        assert transport is not None
        listener = transport.create_listener(self.io_thread, self.socket, self.options)
        listener.set_local_address(address)
        listener.process_plug()

        def end() -> None:
            if not listener.is_terminating:
                listener.process_term(0)

        self.stack.callback(end)
        return listener

    def connecter(self, endpoint: str, delayed_start: bool = False) -> StreamConnecterBase:
        """A connecter that is not plugged yet."""
        scheme, _, address = endpoint.partition("://")
        transport = find_transport(scheme)
        assert transport is not None
        addr: Address = transport.resolve_connect(address, self.options)
        connecter = transport.create_connecter(self.io_thread, self.session, self.options, addr, delayed_start)
        assert isinstance(connecter, StreamConnecterBase)
        self.session.launch_child(connecter)
        self.stack.callback(connecter.close)
        return connecter

    def attached(self) -> list[Any]:
        """The engines handed to sessions."""
        return [args[0] for _, args in self.commands.sent(CommandType.ATTACH)]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def world(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(stack)
    monkeypatch.setattr(stream_listener_base, "make_engine", world.make_engine)
    monkeypatch.setattr(stream_connecter_base, "make_engine", world.make_engine)
    return world


@pytest.fixture
def short_tmp(tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> Path:
    """A directory with a name that leaves room for socket files."""
    import tempfile

    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="z", dir="/tmp")))


def errno_of(call: Callable[[], object]) -> int:
    """errno with which a call fails, 0 if it does not."""
    try:
        call()
    except (ZMQError, zmq.ZMQError) as error:
        return error.errno or -1
    return 0


class RealSockets:
    """Sockets of real libzmq, through pyzmq."""

    def __init__(self, stack: ExitStack) -> None:
        import zmq

        self.context = zmq.Context()
        self.sockets: list[Any] = []
        stack.callback(self.end)
        self.zmq = zmq

    def end(self) -> None:
        """Close everything, and wait until it is closed."""
        for sock in self.sockets:
            sock.close(0)
        self.context.term()

    def make(self, ipv6: bool = False) -> Any:
        sock = self.context.socket(self.zmq.PUSH)
        self.sockets.append(sock)
        sock.linger = 0
        sock.ipv6 = ipv6
        return sock


@pytest.fixture
def real(stack: ExitStack) -> RealSockets:
    return RealSockets(stack)
