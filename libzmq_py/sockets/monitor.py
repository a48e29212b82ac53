# SPDX-License-Identifier: MPL-2.0
"""Events of a socket, sent to an inproc socket that its user reads.

Mirrors: the event_* half of src/socket_base.cpp.
Departs: an event for which the reading socket has no room, or which is not connected yet, waits in a list of the
high-water mark's size and is then dropped; libzmq would block the I/O thread that has something to tell.
"""

from __future__ import annotations

import errno
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.constants import Event, Flag, SocketOption, SocketType
from libzmq_py.endpoint import EndpointUriPair
from libzmq_py.errors import Again, ZMQError, zmq_error
from libzmq_py.logger import Logger

if TYPE_CHECKING:
    from libzmq_py.sockets.socket_base import SocketBase

_LOG: Final = Logger("libzmq_py.monitor")
_V1: Final = struct.Struct("=HI")
_V2: Final = struct.Struct("=Q")
_BACKLOG: Final = 1000


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
