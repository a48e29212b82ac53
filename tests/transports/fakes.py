# SPDX-License-Identifier: MPL-2.0
"""Stand-ins for what listeners and connecters work with, and what they leave behind there to be looked at.

Commands are recorded, not sent; the poller's clock is the test, its descriptors are real.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from libzmq_py.constants import Event
from libzmq_py.core.command import CommandType
from libzmq_py.core.own import Own
from libzmq_py.endpoint import EndpointUriPair
from libzmq_py.io_threads.poller import Handle, Poller
from libzmq_py.options import Options


class FakePoller(Poller):
    """Knows descriptors and timers; the test says what happens."""

    def __init__(self) -> None:
        super().__init__()
        self._selector.close()
        self.handles: list[Handle] = []
        self.timers: list[tuple[int, Any, int]] = []

    def add_fd(self, fd: int, sink: Any) -> Handle:
        handle = super().add_fd(fd, sink)
        self.handles.append(handle)
        return handle

    def rm_fd(self, handle: Handle) -> None:
        super().rm_fd(handle)
        self.handles.remove(handle)

    def _set_events(self, handle: Handle, events: int) -> None:
        handle.events = events

    def add_timer(self, timeout: int, sink: Any, id_: int) -> None:
        self.timers.append((timeout, sink, id_))

    def cancel_timer(self, sink: Any, id_: int) -> None:
        self.timers.remove(next(timer for timer in self.timers if timer[1] is sink and timer[2] == id_))

    @property
    def delays(self) -> list[int]:
        """Milliseconds of the timers that run."""
        return [timeout for timeout, _, _ in self.timers]

    def expire(self) -> None:
        """Let the first timer expire."""
        _, sink, id_ = self.timers.pop(0)
        sink.timer_event(id_)

    def wait(self, timeout: float = 5) -> None:
        """Wait until a descriptor is ready as its handle wants, and tell."""
        reads = {h.fd: h for h in self.handles if h.events & 1}
        writes = {h.fd: h for h in self.handles if h.events & 2}
        readable, writable, _ = select.select(list(reads), list(writes), [], timeout)
        assert readable or writable, "nothing happened"
        for fd in writable:
            writes[fd].sink.out_event()
        for fd in readable:
            reads[fd].sink.in_event()


class FakeContext:
    """Records commands."""

    def __init__(self) -> None:
        self.commands: list[tuple[Any, CommandType, tuple[Any, ...]]] = []
        self.io_thread: FakeIOThread | None = None

    def send_command(self, tid: int, command: Any) -> None:
        self.commands.append(command)

    def choose_io_thread(self, affinity: int) -> Any:
        return self.io_thread

    def sent(self, kind: CommandType) -> list[tuple[Any, tuple[Any, ...]]]:
        """Destination and arguments of the commands of a kind."""
        return [(destination, args) for destination, sent_kind, args in self.commands if sent_kind is kind]


class FakeIOThread:
    """A thread that is the test."""

    def __init__(self) -> None:
        self.ctx = FakeContext()
        self.ctx.io_thread = self
        self.tid = 2
        self.poller = FakePoller()
        self.segments: dict[int, Any] = {}


class FakeSession(Own):
    """Of an accepted connection, or the owner of a connecter."""

    def __init__(self, io_thread: Any, options: Options, socket: Any) -> None:
        super().__init__(io_thread, options)
        self.socket = socket


class FakeSocket:
    """Records events as (name, value, identifier)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, str]] = []
        self.pairs: list[EndpointUriPair] = []
        self.sessions: list[FakeSession] = []
        self.is_disconnected = False

    def create_session(self, io_thread: Any, options: Options) -> FakeSession:
        session = FakeSession(io_thread, options, self)
        self.sessions.append(session)
        return session

    def _event(self, event: Event, pair: EndpointUriPair, value: int) -> None:
        self.events.append((str(event.name), value, pair.identifier))
        self.pairs.append(pair)

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.events]

    def event_connected(self, pair: EndpointUriPair, fd: int) -> None:
        self._event(Event.CONNECTED, pair, fd)

    def event_connect_delayed(self, pair: EndpointUriPair, err: int) -> None:
        self._event(Event.CONNECT_DELAYED, pair, err)

    def event_connect_retried(self, pair: EndpointUriPair, interval: int) -> None:
        self._event(Event.CONNECT_RETRIED, pair, interval)

    def event_listening(self, pair: EndpointUriPair, fd: int) -> None:
        self._event(Event.LISTENING, pair, fd)

    def event_accepted(self, pair: EndpointUriPair, fd: int) -> None:
        self._event(Event.ACCEPTED, pair, fd)

    def event_accept_failed(self, pair: EndpointUriPair, err: int) -> None:
        self._event(Event.ACCEPT_FAILED, pair, err)

    def event_closed(self, pair: EndpointUriPair, fd: int) -> None:
        self._event(Event.CLOSED, pair, fd)

    def event_close_failed(self, pair: EndpointUriPair, err: int) -> None:
        self._event(Event.CLOSE_FAILED, pair, err)


class FakeEngine:
    """Holds the connection."""

    def __init__(self, sock: socket.socket, options: Options, pair: EndpointUriPair, peer: Any = None) -> None:
        self.sock = sock
        self.peer = peer
        self.options = options
        self.pair = pair
