# SPDX-License-Identifier: MPL-2.0
"""Monitor events, read by hand from the monitor socket so that the library's own parser is not trusted."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from tests.support.target import zmq
from tests.support.waiting import SILENCE, ms

CONNECTED = 0x1
CONNECT_DELAYED = 0x2
CONNECT_RETRIED = 0x4
LISTENING = 0x8
BIND_FAILED = 0x10
ACCEPTED = 0x20
ACCEPT_FAILED = 0x40
CLOSED = 0x80
CLOSE_FAILED = 0x100
DISCONNECTED = 0x200
MONITOR_STOPPED = 0x400
HANDSHAKE_FAILED_NO_DETAIL = 0x800
HANDSHAKE_SUCCEEDED = 0x1000
HANDSHAKE_FAILED_PROTOCOL = 0x2000
HANDSHAKE_FAILED_AUTH = 0x4000

NAMES = {value: name for name, value in list(globals().items()) if name.isupper() and isinstance(value, int)}

#: What tells how a connection fared, without what precedes it on either side.
OUTCOMES = (
    DISCONNECTED | HANDSHAKE_FAILED_NO_DETAIL | HANDSHAKE_SUCCEEDED | HANDSHAKE_FAILED_PROTOCOL | HANDSHAKE_FAILED_AUTH
)

# Values of HANDSHAKE_FAILED_PROTOCOL
UNEXPECTED_COMMAND = 0x10000001
MALFORMED_COMMAND_ERROR = 0x10000015
MECHANISM_MISMATCH = 0x11000002


class Event(NamedTuple):
    """One monitor event, as version 1 of the format tells it."""

    event: int
    value: int
    endpoint: str

    def __str__(self) -> str:
        return f"{NAMES.get(self.event, hex(self.event))}({self.value:#x}) {self.endpoint}"


def parse(frames: list[bytes]) -> Event:
    """Parse a version 1 monitor message: 6 bytes in host order, then the endpoint."""
    if len(frames) != 2 or len(frames[0]) != 6:
        raise AssertionError(f"not a monitor message: {frames!r}")
    event, value = struct.unpack("=HI", frames[0])
    return Event(event, value, frames[1].decode())


class EventLog:
    """The events of one socket, from the moment of creation."""

    def __init__(self, sock: Any, events: int | None = None) -> None:
        self._watched = sock
        self._monitor = sock.get_monitor_socket(events)
        self._monitor.setsockopt(zmq.LINGER, 0)
        self._monitor.setsockopt(zmq.RCVTIMEO, ms(5000))

    def next(self) -> Event:
        """Return the next event."""
        try:
            return parse(self._monitor.recv_multipart())
        except zmq.Again:
            raise AssertionError("no further event came") from None

    def expect(self, event: int, value: int | None = None) -> Event:
        """Demand that the next event is this one (with that value, when given)."""
        got = self.next()
        wanted = Event(event, got.value if value is None else value, got.endpoint)
        assert got == wanted, f"wanted {wanted}, got {got}"
        return got

    def until(self, event: int) -> Event:
        """Return the next event of this kind, passing over others."""
        while True:
            got = self.next()
            if got.event == event:
                return got

    def has_event(self, timeout: float = 0) -> bool:
        """Return whether there is an event to read within ``timeout`` seconds."""
        return bool(self._monitor.poll(timeout * 1000))

    def expect_silence(self, duration: float = SILENCE) -> None:
        """Demand that no event comes for a short while."""
        if self.has_event(duration):
            raise AssertionError(f"wanted no event, got {self.next()}")

    def close(self) -> None:
        """Stop watching; idempotent, also after the socket was closed."""
        if not self._watched.closed:
            self._watched.disable_monitor()
        self._monitor.close(linger=0)
