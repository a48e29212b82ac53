# SPDX-License-Identifier: MPL-2.0
"""Passing messages between two sockets, both ways, until the context ends.

Mirrors: src/proxy.cpp, src/proxy.hpp.
Departs: whole messages are passed, as many at once as the other side has room for, and the poll set is made from what
could be passed next, so a blocked side is never spun on, nor is a paused proxy. PAUSE pauses, RESUME resumes and only a
REP is answered, as zmq_proxy_steerable(3) has it; in the library that pyzmq 27 carries the two are exchanged and
everybody gets an answer. A REP answers a message once, whatever number of commands is in it (there: EFSM ends the
proxy).
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from libzmq_py.constants import SocketType
from libzmq_py.msg import Frame, frame_bytes, frames_of
from libzmq_py.socket_poller import POLLIN, POLLOUT, Item, zmq_poll
from libzmq_py.sockets.socket_base import SocketBase

# Messages in one direction before the other has its turn (libzmq: 1000; what was taken and cannot be sent after all,
# because the peer goes in this moment, should not be much).
_BURST: Final = 200
_COUNT: Final = struct.Struct("=Q")


class State(enum.Enum):
    """What the control socket has asked for."""

    ACTIVE = "active"
    PAUSED = "paused"
    TERMINATED = "terminated"


_STATES: Final = {b"PAUSE": State.PAUSED, b"RESUME": State.ACTIVE, b"TERMINATE": State.TERMINATED}


@dataclass
class SocketStats:
    """Frames and bytes through one socket."""

    recv_msgs: int = 0
    recv_bytes: int = 0
    send_msgs: int = 0
    send_bytes: int = 0

    def frames(self) -> list[bytes]:
        """As STATISTICS shows them."""
        return [_COUNT.pack(value) for value in (self.recv_msgs, self.recv_bytes, self.send_msgs, self.send_bytes)]


@dataclass
class _Side:
    socket: SocketBase
    stats: SocketStats = field(default_factory=SocketStats)


def proxy(
    frontend: SocketBase, backend: SocketBase, capture: SocketBase | None = None, control: SocketBase | None = None
) -> None:
    """Pass messages until TERMINATE comes from `control` (zmq_proxy, zmq_proxy_steerable).

    Args:
        frontend, backend: may be one and the same socket, which then gets back what it gave.
        capture: gets a copy of every message.
        control: takes PAUSE, RESUME, TERMINATE and STATISTICS; KILL and all else is ignored, as since 4.3.5.

    Raises:
        ZMQError: what recv or send of a socket raises; ETERM when the context ends.
    """
    front, back = _Side(frontend), _Side(backend)
    directions = [(front, back)] if frontend is backend else [(front, back), (back, front)]
    state = State.ACTIVE
    while state is not State.TERMINATED:
        moved = False
        if state is State.ACTIVE:
            for source, target in directions:
                moved |= _forward(source, target, capture, counted=control is not None)
        if moved and control is None:
            continue
        events = _wait([] if state is State.PAUSED else directions, control, 0 if moved else -1)
        if control is not None and events.get(control):
            state = _control(control, state, front.stats, back.stats)


def _wait(directions: list[tuple[_Side, _Side]], control: SocketBase | None, timeout: int) -> dict[SocketBase, int]:
    """Wait for what is missing to pass a message in some direction: input, or room for the input there is."""
    wanted: dict[SocketBase, int] = {}
    for source, target in directions:
        if source.socket is not target.socket and source.socket.events() & POLLIN:
            wanted[target.socket] = wanted.get(target.socket, 0) | POLLOUT
        else:
            wanted[source.socket] = wanted.get(source.socket, 0) | POLLIN
    if control is not None:
        wanted[control] = wanted.get(control, 0) | POLLIN
    items: list[Item] = list(wanted.items())
    return {items[index][0]: events & POLLIN for index, events in zmq_poll(items, timeout)}  # type: ignore[misc]


def _forward(source: _Side, target: _Side, capture: SocketBase | None, counted: bool) -> bool:
    """Pass up to a burst of messages; True if any was passed.

    Hot path: where a single pipe is on either side, a burst costs a few calls.
    """
    # One socket for both directions may have to receive before it can send (REP), so its room is not asked about.
    room = 1 if source.socket is target.socket else target.socket.room(_BURST)
    if not room or not source.socket.events(POLLIN):
        return False
    msgs = source.socket.recv_many(room)
    if capture is not None:
        capture.send_many(msgs)
    target.socket.send_many(msgs)
    if counted:
        for msg in msgs:
            _count(frames_of(msg), source.stats, target.stats)
    return True


def _count(frames: Sequence[Frame], source: SocketStats, target: SocketStats) -> None:
    size = sum(len(frame) for frame in frames)
    source.recv_msgs += len(frames)
    source.recv_bytes += size
    target.send_msgs += len(frames)
    target.send_bytes += size


def _control(control: SocketBase, state: State, front: SocketStats, back: SocketStats) -> State:
    """Obey a message of the control socket; each of its frames is a command, and what is none changes nothing."""
    counts_wanted = 0
    for frame in control.recv_multipart():
        command = frame_bytes(frame)
        counts_wanted += command == b"STATISTICS"
        state = _STATES.get(command, state)
    if control.options.type == SocketType.REP:
        # Owes one answer, whatever was asked.
        control.send_multipart(tuple(front.frames() + back.frames()) if counts_wanted else (b"",))
        return state
    for _ in range(counts_wanted):
        control.send_multipart(tuple(front.frames() + back.frames()))
    return state
