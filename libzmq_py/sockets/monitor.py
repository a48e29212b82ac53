# SPDX-License-Identifier: MPL-2.0
"""Events of a socket, sent to an inproc socket that its user reads; also why connections did not come to be.

Mirrors: the event_* half of src/socket_base.cpp.
Departs: an event for which the reading socket has no room, or which is not connected yet, waits in a list of the
high-water mark's size and is then dropped; libzmq would block the I/O thread that has something to tell.

`SocketMonitoring` is the third part of `SocketBase`, on top of `commands.py`: what I/O threads tell, and the user asks.
"""

from __future__ import annotations

import errno
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.constants import Errno, Event, Flag, SocketOption, SocketType
from libzmq_py.endpoint import EndpointUriPair
from libzmq_py.errors import Again, ZMQError, zmq_error
from libzmq_py.logger import Logger
from libzmq_py.sockets.commands import SocketCommands

if TYPE_CHECKING:
    from libzmq_py.engines.i_engine import HandshakeFailure
    from libzmq_py.sockets.socket_base import SocketBase
    from libzmq_py.transports import Transport

_LOG: Final = Logger("libzmq_py.monitor")
_V1: Final = struct.Struct("=HI")
_V2: Final = struct.Struct("=Q")
_BACKLOG: Final = 1000
_MAX_FAILURES: Final = 32


class Monitor:
    """The monitor of one socket. Events come from several threads; one lock (libzmq: `monitor_sync`)."""

    def __init__(self) -> None:
        self._sync = threading.RLock()
        self._socket: SocketBase | None = None
        # Which events are wanted; read without the lock, so that without a monitor an event costs one test.
        self._events = 0
        self._version = 1
        # Made with the first monitor, as most sockets have none.
        self._backlog: deque[tuple[bytes, ...]] | None = None

    def start(self, ctx: Any, endpoint: str, events: int, version: int, type_: int) -> None:
        """Send the wanted events to `endpoint` from now on, in place of the monitor there was."""
        with self._sync:
            self.stop()
            if type_ not in (SocketType.PAIR, SocketType.PUB, SocketType.PUSH):
                raise zmq_error(errno.EINVAL, f"Invalid argument (monitor socket type {type_!r})")
            socket = ctx.create_socket(type_)
            try:
                socket.setsockopt(SocketOption.LINGER, 0)
                socket.bind(endpoint)
            except ZMQError:
                socket.close()
                raise
            self._backlog = deque(maxlen=_BACKLOG)
            self._socket, self._events, self._version = socket, events, version

    def stop(self, send_event: bool = True) -> None:
        """End the monitor, with a last event. Does nothing when there is none."""
        with self._sync:
            if self._socket is None:
                return
            if send_event and self._events & Event.MONITOR_STOPPED:
                self._send(Event.MONITOR_STOPPED, (0,), None)
            # The name is free at once, not when the reaper comes to it: another monitor may be started on it.
            self._socket.ctx.unregister_endpoints(self._socket)
            self._socket.close()
            self._socket, self._events = None, 0
            self._backlog = None

    @property
    def events(self) -> int:
        """Mask of the events wanted."""
        return self._events

    @property
    def version(self) -> int:
        """Layout of the event messages, 1 or 2."""
        return self._version

    def event(self, pair: EndpointUriPair, event: int, *values: int) -> None:
        """Send one event, if it is wanted. Any thread."""
        if self._events & event:
            with self._sync:
                if self._events & event:
                    self._send(event, values, pair)

    def _send(self, event: int, values: tuple[int, ...], pair: EndpointUriPair | None) -> None:
        local, remote, identifier = (pair.local, pair.remote, pair.identifier) if pair is not None else ("", "", "")
        if self._backlog is None:
            raise AssertionError("there are events to be told, so it was started")
        if self._version == 1:
            value = values[0] & 0xFFFFFFFF
            self._backlog.append((_V1.pack(event, value), identifier.encode()))
        elif self._version == 2:
            numbers = [_V2.pack(number & 0xFFFFFFFFFFFFFFFF) for number in (event, len(values), *values)]
            self._backlog.append((*numbers, local.encode(), remote.encode()))
        self._flush()

    def _flush(self) -> None:
        if self._socket is None or self._backlog is None:
            raise AssertionError("there are events to be told, so it was started")
        while self._backlog:
            try:
                self._socket.send_multipart(self._backlog[0], Flag.DONTWAIT)
            except Again:
                return
            except ZMQError as error:
                _LOG.debug("monitor event lost: %s", error)
                return
            self._backlog.popleft()


# What sockets have that nobody watches: wants no event, and is never started.
_NO_MONITOR: Final = Monitor()
_FAILURES_LOCK: Final = threading.Lock()


class SocketMonitoring(SocketCommands):
    """The part of `SocketBase` that tells of its connections."""

    _monitor = _NO_MONITOR
    # The newest, for people.
    handshake_failures: tuple[HandshakeFailure, ...] = ()

    if TYPE_CHECKING:  # of endpoints.py

        def _parse_endpoint(self, endpoint: str) -> tuple[Transport | None, str]: ...

    def monitor(self, endpoint: str | None, events: int, version: int = 1, type_: int = 0) -> None:
        """Send events to an inproc endpoint; None ends the monitor (zmq_socket_monitor).

        Raises:
            ZMQError: ETERM; EINVAL for event bits above 15 with version 1 and a wrong socket type; EPROTONOSUPPORT.
        """
        with self._sync:
            self._check_terminated()
            if version == 1 and events >> 16:
                raise zmq_error(errno.EINVAL, f"Invalid argument (events {events:#x} need monitor version 2)")
            if endpoint is None:
                self._monitor.stop()
                return
            transport, _ = self._parse_endpoint(endpoint)
            if transport is not None:
                raise zmq_error(Errno.EPROTONOSUPPORT, f"Protocol not supported (monitor endpoint {endpoint!r})")
            if self._monitor is _NO_MONITOR:
                self._monitor = Monitor()
            self._monitor.start(self.ctx, endpoint, events, version, type_)

    def monitor_pipes_stats(self) -> None:
        """Ask for one PIPES_STATS event per pipe (zmq_socket_monitor_pipes_stats).

        Raises:
            ZMQError: EINVAL, no monitor of version 2 wants the event; EAGAIN, there is no pipe.
        """
        with self._sync:
            if self._monitor.version != 2 or not self._monitor.events & 0x10000:
                raise zmq_error(errno.EINVAL, "Invalid argument (no monitor for PIPES_STATS)")
            if not len(self._pipes):
                raise zmq_error(Errno.EAGAIN)
            for pipe in list(self._pipes.items):
                pipe.send_stats_to_peer(self)

    def process_pipe_stats_publish(self, outbound: int, inbound: int, endpoint_pair: EndpointUriPair) -> None:
        """Both counts of a pipe are known."""
        self._monitor.event(endpoint_pair, 0x10000, outbound, inbound)

    def event_connected(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection was made."""
        if self._monitor is not _NO_MONITOR:
            self._monitor.event(pair, 0x1, fd)

    def event_connect_delayed(self, pair: EndpointUriPair, err: int) -> None:
        """A connect is under way."""
        if self._monitor is not _NO_MONITOR:
            self._monitor.event(pair, 0x2, err)

    def event_connect_retried(self, pair: EndpointUriPair, interval: int) -> None:
        """The next attempt comes in `interval` milliseconds."""
        self._monitor.event(pair, 0x4, interval)

    def event_listening(self, pair: EndpointUriPair, fd: int) -> None:
        """A listener is open."""
        self._monitor.event(pair, 0x8, fd)

    def event_bind_failed(self, pair: EndpointUriPair, err: int) -> None:
        """A listener could not be opened."""
        self._monitor.event(pair, 0x10, err)

    def event_accepted(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection was accepted."""
        if self._monitor is not _NO_MONITOR:
            self._monitor.event(pair, 0x20, fd)

    def event_accept_failed(self, pair: EndpointUriPair, err: int) -> None:
        """A connection could not be accepted, or was refused by a filter."""
        self._monitor.event(pair, 0x40, err)

    def event_closed(self, pair: EndpointUriPair, fd: int) -> None:
        """A listener, or an attempt to connect, was closed."""
        self._monitor.event(pair, 0x80, fd)

    def event_close_failed(self, pair: EndpointUriPair, err: int) -> None:
        """What a listener left on the file system could not be removed."""
        self._monitor.event(pair, 0x100, err)

    def event_disconnected(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection has ended."""
        self._monitor.event(pair, 0x200, fd)

    def event_handshake_failed_no_detail(self, pair: EndpointUriPair, err: int) -> None:
        """A handshake ended with the connection."""
        self._monitor.event(pair, 0x800, err)

    def event_handshake_succeeded(self, pair: EndpointUriPair, err: int) -> None:
        """A handshake is complete."""
        if self._monitor is not _NO_MONITOR:
            self._monitor.event(pair, 0x1000, err)

    def event_handshake_failed_protocol(self, pair: EndpointUriPair, code: int) -> None:
        """The peer broke the protocol."""
        self._monitor.event(pair, 0x2000, code)

    def event_handshake_failed_auth(self, pair: EndpointUriPair, code: int) -> None:
        """The ZAP handler refused."""
        self._monitor.event(pair, 0x4000, code)

    def handshake_failure(self, failure: HandshakeFailure) -> None:
        """A connection did not come to be. Any thread."""
        with _FAILURES_LOCK:
            self.handshake_failures = (*self.handshake_failures, failure)[-_MAX_FAILURES:]
