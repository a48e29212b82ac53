# SPDX-License-Identifier: MPL-2.0
"""An engine whose connection, poller and session are in memory, and what can be seen of it from outside.

No system calls, no clock, no threads: an input costs what the engine itself costs, and comes out the same every time.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

from fuzz.source import BYTEWISE_MAX, require
from libzmq_py.endpoint import EndpointType, EndpointUriPair
from libzmq_py.engines.zmtp_engine import Stage, ZmtpEngine
from libzmq_py.io_threads.poller import Handle
from libzmq_py.msg import Msg
from libzmq_py.options import Options
from tests.engines.fakes import FakeSession

PAIR = EndpointUriPair("tcp://192.0.2.1:1", "tcp://192.0.2.2:2", EndpointType.CONNECT)


class MemorySocket:
    """A connected descriptor: what the peer has sent, and what it was sent."""

    family = socket.AF_INET

    def __init__(self, room: int) -> None:
        self.incoming = b""
        self.ended = False
        self.sent = bytearray()
        # Bytes that the kernel will still take.
        self.room = room
        self.closed = False

    def recv(self, size: int) -> bytes:
        self._check()
        if not self.incoming:
            if self.ended:
                return b""
            raise BlockingIOError
        data, self.incoming = self.incoming[:size], self.incoming[size:]
        return data

    def recv_into(self, window: memoryview) -> int:
        data = self.recv(len(window))
        window[: len(data)] = data
        return len(data)

    def send(self, data: Any) -> int:
        self._check()
        if not self.room:
            raise BlockingIOError
        count = min(len(data), self.room)
        self.sent += bytes(data[:count])
        self.room -= count
        return count

    def sendmsg(self, buffers: Iterable[Any]) -> int:
        return self.send(b"".join(map(bytes, buffers)))

    def fileno(self) -> int:
        return -1 if self.closed else 3

    def getpeername(self) -> tuple[str, int]:
        return "192.0.2.2", 2

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        require(not self.closed, "the descriptor is used after its end")


class MemoryPoller:
    """Remembers interest and timers."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.handle: Handle | None = None
        self.timers: list[int] = []

    def add_fd(self, fd: int, sink: Any) -> Handle:
        self.handle = Handle(fd, sink)
        return self.handle

    def rm_fd(self, handle: Handle) -> None:
        require(handle is self.handle, "another descriptor is taken out")
        self.handle = None

    def set_pollin(self, handle: Handle) -> None:
        handle.events |= 1

    def reset_pollin(self, handle: Handle) -> None:
        handle.events &= ~1

    def set_pollout(self, handle: Handle) -> None:
        handle.events |= 2

    def reset_pollout(self, handle: Handle) -> None:
        handle.events &= ~2

    def add_timer(self, timeout: int, sink: Any, id_: int) -> None:
        require(0 <= timeout < 2**40 and id_ not in self.timers, "timer", id_, timeout)
        self.timers.append(id_)

    def cancel_timer(self, sink: Any, id_: int) -> None:
        require(id_ in self.timers, "a timer that does not run", id_)
        self.timers.remove(id_)


class MemoryThread:
    """An I/O thread that does nothing by itself."""

    def __init__(self) -> None:
        self.poller = MemoryPoller()
        self.segments: dict[int, Any] = {}


class Result(NamedTuple):
    """What an engine has made of a peer."""

    received: list[Any]
    routing_ids: list[bytes]
    metadata: dict[str, str] | None
    ready: int
    errors: list[Any]
    events: list[tuple[str, int]]
    failures: list[tuple[object, ...]]
    sent: bytes


class Connection:
    """One engine and its peer."""

    def __init__(
        self,
        options: Options,
        *,
        engine_class: Any = ZmtpEngine,
        zap_enabled: bool = False,
        zap_replies: list[Any] | None = None,
        step: int = 0,
        room: int = 1 << 30,
    ) -> None:
        """`step`: so many messages the session takes at a time (0: all); `room`: bytes that the kernel takes."""
        self.sock = MemorySocket(room)
        self.thread = MemoryThread()
        self.session = FakeSession(options)
        self.session.zap_enabled = zap_enabled
        self.session.zap_replies = zap_replies
        self._step = step
        if step:
            self.session.room = step
        self.engine: Any = engine_class(self.sock, options, PAIR)
        self.engine.plug(self.thread, self.session)

    @property
    def plugged(self) -> bool:
        return bool(self.engine.plugged)

    def feed(self, piece: bytes) -> None:
        """The peer sends; the engine reads it all, its session taking messages in time."""
        engine, sock = self.engine, self.sock
        sock.incoming += piece
        turns = 0
        while engine.plugged and (sock.incoming or sock.ended):
            turns += 1
            require(turns < 100 + 50 * len(piece), "the engine does not come on")
            handle = self.thread.poller.handle
            if handle is not None and handle.events & 1:
                engine.in_event()
            else:
                self._make_room()
        while engine.plugged and engine._held:
            turns += 1
            require(turns < 100 + 50 * len(piece), "held messages do not go")
            self._make_room()

    def _make_room(self) -> None:
        require(self._step, "the engine has stopped reading by itself")
        self.session.room = self._step
        self.engine.restart_input()

    def hang_up(self) -> None:
        """The peer closes."""
        self.sock.ended = True
        self.feed(b"")

    def expire(self) -> None:
        """Every timer that runs expires, once."""
        for id_ in list(self.thread.poller.timers):
            if id_ in self.thread.poller.timers:
                self.thread.poller.timers.remove(id_)
                self.engine.timer_event(id_)

    def end(self) -> Result:
        """What there is to see, after the end of the connection; nothing may be left of it."""
        if self.engine.plugged:
            self.hang_up()
        session, poller = self.session, self.thread.poller
        require(not self.engine.plugged and self.sock.closed, "the connection does not end")
        require(poller.handle is None and not poller.timers, "left in the poller", poller.timers)
        require(len(session.errors) == 1, "told of its end", session.errors)
        require(session.direct_output is None and not session.input_offered, "offers after the end")
        require(len(self.thread.segments) <= 8, "segments")
        engine = self.engine
        kept = engine._out or engine._control or engine._held or engine._decoder is not None
        require(not kept, "kept after the end")
        return Result(
            [shown(message) for message in session.received],
            session.routing_ids,
            None if session.metadata is None else dict(session.metadata),
            session.readies,
            session.errors,
            session.events,
            [failure[1:] for failure in session.failures],
            bytes(self.sock.sent),
        )


def shown(message: Any) -> Any:
    """A message as something that can be compared; a session is given nothing else."""
    if isinstance(message, Msg):
        return bytes(message.data), message.flags
    require(isinstance(message, bytes) or isinstance(message, tuple), "no message", type(message))
    if isinstance(message, tuple):
        require(len(message) > 1 and all(isinstance(part, bytes) for part in message), "parts", message)
    return message


def handshake_cuts(connection: Connection, stream: bytes) -> list[int]:
    """Feed a stream byte by byte; where, until the engine is ready, a peer that waits for answers would pause.

    What comes in one go with the last command of a handshake, before the peer can have seen the answer, still is part
    of the handshake, as in libzmq. So streams are compared that are cut there.
    """
    cuts = []
    engine = connection.engine
    size = 1 if len(stream) <= BYTEWISE_MAX else 97 + len(stream) // 50
    for position in range(0, len(stream), size):
        before = len(connection.sock.sent), engine._stage
        handshaking = engine._stage is not Stage.READY
        connection.feed(stream[position : position + size])
        if handshaking and before != (len(connection.sock.sent), engine._stage):
            cuts.append(position + size)
    return cuts


def split_at(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The pieces between these places."""
    places = sorted({0, len(data), *(place for place in cuts if place <= len(data))})
    return [data[a:b] for a, b in zip(places, places[1:], strict=False)]
