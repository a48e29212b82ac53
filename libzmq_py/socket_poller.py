# SPDX-License-Identifier: MPL-2.0
"""Waiting for sockets and file descriptors together.

Mirrors: zmq_poll and zmq_ppoll of src/zmq.cpp, src/polling_util.hpp, src/socket_poller.cpp, src/socket_poller.hpp.
Departs: the mailboxes of the sockets are armed for the wait only, so sockets that are polled now and then pay nothing
in between. `SocketPoller` has no set of descriptors that it would have to build anew, and waits as `zmq_poll` does.

*Signals.* Python runs a signal's handler between two of its instructions and then goes on with the wait. With a mask of
signals (`zmq_ppoll`) the wait is to end instead, whenever after the mask was put on the signal comes: Python's own
handler, which runs at once, writes the number to a wake-up descriptor that is one of those waited for. It also does so
for a signal that the mask blocks here and that another thread takes; such numbers do not end the wait.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import socket as system_socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from libzmq_py.constants import Errno
from libzmq_py.errors import strerror, zmq_error
from libzmq_py.sockets.commands import PollWait
from libzmq_py.sockets.socket_base import SocketBase

POLLIN: Final = 1
POLLOUT: Final = 2
POLLERR: Final = 4
POLLPRI: Final = 8

_ALL_EVENTS: Final = POLLIN | POLLOUT | POLLERR | POLLPRI

Item = tuple[SocketBase | int, int]


def zmq_ppoll(items: Sequence[Item], timeout: int, sigmask: Iterable[int]) -> list[tuple[int, int]]:
    """As `zmq_poll`, with these signals blocked during the wait, and only these (zmq_ppoll).

    Another signal that comes meanwhile, or was waiting to be unblocked, ends the wait when its handler has run; a
    blocked one never does, though its handler runs during the wait if a thread that does not block it takes it. In a
    thread other than the main one, where Python handles no signals, none ends the wait.

    Raises:
        ZMQError: as `zmq_poll`; EINTR, a signal was handled; ENOTSUP, the system has no masks.
    """
    import signal  # few need it

    if not hasattr(signal, "pthread_sigmask"):
        raise zmq_error(Errno.ENOTSUP, f"{strerror(Errno.ENOTSUP)} (signal masks on this system)")
    blocked = frozenset(sigmask)
    with _alarm_bell() as bell, _masked(blocked):
        if bell is None:
            return zmq_poll(items, timeout)
        deadline = time.monotonic() + timeout / 1000
        remaining = timeout
        while True:
            ready = zmq_poll([*items, (bell.fileno(), POLLIN)], remaining)
            rang = bool(ready) and ready[-1][0] == len(items)
            if rang:
                if not blocked.issuperset(bell.numbers()):
                    raise zmq_error(errno.EINTR)
                del ready[-1]
            if ready or not rang or timeout == 0:
                return ready
            if timeout > 0:
                remaining = _remaining(deadline)
                if remaining <= 0:
                    return []


@contextmanager
def _masked(sigmask: Iterable[int]) -> Iterator[None]:
    import signal

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Runs the handlers of signals that this unblocks.
        signal.pthread_sigmask(signal.SIG_SETMASK, sigmask)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _AlarmBell:
    """The wake-up descriptor during a wait, on loan from whoever had it (asyncio, say), who is told what it is told."""

    def __init__(self, reader: system_socket.socket) -> None:
        self._reader = reader
        self.owner = -1

    def fileno(self) -> int:
        """Can be read once a signal was handled."""
        return self._reader.fileno()

    def numbers(self) -> bytes:
        """The signals that have come since the last call, passed on to the owner."""
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return b""
        if self.owner >= 0:
            with suppress(OSError):  # nobody may be left to tell
                os.write(self.owner, numbers)
        return numbers


@contextmanager
def _alarm_bell() -> Iterator[_AlarmBell | None]:
    """A bell that rings when a signal was handled; None in threads that handle none."""
    import signal

    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    reader, writer = system_socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    bell = _AlarmBell(reader)
    bell.owner = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield bell
    finally:
        signal.set_wakeup_fd(bell.owner)
        bell.numbers()
        reader.close()
        writer.close()


def _remaining(deadline: float) -> int:
    """Whole milliseconds, rounded up."""
    return int((deadline - time.monotonic()) * 1000 + 0.999)


def zmq_poll(items: Sequence[Item], timeout: int) -> list[tuple[int, int]]:
    """Wait until something is ready (zmq_poll).

    Args:
        items: sockets or descriptors, each with a mask of POLLIN, POLLOUT, POLLERR and POLLPRI.
        timeout: milliseconds; 0 does not wait, -1 waits for ever.

    Returns:
        Index and events of every item that is ready; nothing when the time is over.

    Raises:
        ZMQError: ETERM, the context of a socket has ended.
    """
    if len(items) == 1 and isinstance(items[0][0], SocketBase):
        events = items[0][0].poll(items[0][1], timeout)
        return [(0, events)] if events else []
    sockets = [(index, item, events) for index, (item, events) in enumerate(items) if isinstance(item, SocketBase)]
    fds = [(index, item, events) for index, (item, events) in enumerate(items) if isinstance(item, int)]
    ready = _check(sockets, fds)
    if ready or timeout == 0:
        return ready
    deadline = time.monotonic() + timeout / 1000
    remaining = timeout
    while True:
        _wait([socket for _, socket, _ in sockets], fds, remaining)
        ready = _check(sockets, fds)
        if ready:
            return ready
        if timeout > 0:
            remaining = _remaining(deadline)
            if remaining <= 0:
                return []


class PollerEvent(NamedTuple):
    """What `SocketPoller` has found: a socket, or a descriptor and no socket, and what happened there.

    Attributes:
        socket: The socket; None for a descriptor.
        fd: The descriptor; -1 for a socket.
        user_data: What was given to ``add`` or ``add_fd``.
        events: POLLIN, POLLOUT, POLLERR, POLLPRI or a combination.
    """

    socket: Any
    fd: int
    user_data: Any
    events: int


class _Item:
    """A registered socket, or descriptor."""

    __slots__ = ("events", "fd", "socket", "user_data")

    def __init__(self, socket: SocketBase | None, fd: int, user_data: object, events: int) -> None:
        self.socket = socket
        self.fd = fd
        self.user_data = user_data
        self.events = events


class SocketPoller:
    """A set of sockets and descriptors to wait for (zmq_poller). To be used by one thread at a time."""

    def __init__(self) -> None:
        self._items: list[_Item] = []

    def size(self) -> int:
        """How many are registered."""
        return len(self._items)

    def add(self, socket: SocketBase, user_data: object, events: int) -> None:
        """Register a socket.

        Raises:
            ZMQError: EINVAL, it is registered already, or the events are none of those there are.
        """
        self._add(_Item(socket, -1, user_data, _checked(events)), socket)

    def add_fd(self, fd: int, user_data: object, events: int) -> None:
        """Register a descriptor. Raises as `add`; EBADF, it is negative."""
        self._add(_Item(None, _checked_fd(fd), user_data, _checked(events)), fd)

    def _add(self, item: _Item, key: SocketBase | int) -> None:
        if self._index(key) is not None:
            raise zmq_error(Errno.EINVAL, f"{strerror(Errno.EINVAL)} ({key!r} is in the poller already)")
        self._items.append(item)

    def modify(self, socket: SocketBase, events: int) -> None:
        """Change what to wait for; 0 leaves it registered without waiting for it.

        Raises:
            ZMQError: EINVAL, it is not registered, or the events are none of those there are.
        """
        self._items[self._find(socket)].events = _checked(events)

    def modify_fd(self, fd: int, events: int) -> None:
        """As `modify`, for a descriptor. Raises EBADF too, it is negative."""
        self._items[self._find(_checked_fd(fd))].events = _checked(events)

    def remove(self, socket: SocketBase) -> None:
        """Wait for it no longer.

        Raises:
            ZMQError: EINVAL, it is not registered.
        """
        del self._items[self._find(socket)]

    def remove_fd(self, fd: int) -> None:
        """As `remove`, for a descriptor. Raises EBADF too, it is negative."""
        del self._items[self._find(_checked_fd(fd))]

    def _index(self, key: SocketBase | int) -> int | None:
        for index, item in enumerate(self._items):
            if (item.fd == key and item.socket is None) if isinstance(key, int) else item.socket is key:
                return index
        return None

    def _find(self, key: SocketBase | int) -> int:
        index = self._index(key)
        if index is None:
            raise zmq_error(Errno.EINVAL, f"{strerror(Errno.EINVAL)} ({key!r} is not in the poller)")
        return index

    def wait(self, n_events: int, timeout: int) -> list[PollerEvent]:
        """Wait until something happens; at most `n_events` of it, in the order of registration.

        Args:
            n_events: at least 0.
            timeout: milliseconds; 0 does not wait, -1 waits for ever.

        Raises:
            ZMQError: EAGAIN, nothing happened in time; EFAULT, there is nothing to wait for, for ever; EINVAL;
                ENOTSOCK, a socket was closed; ETERM.
        """
        if n_events < 0:
            raise zmq_error(Errno.EINVAL, f"{strerror(Errno.EINVAL)} (n_events {n_events})")
        items = [item for item in self._items if item.events]
        if not items and timeout < 0:
            raise zmq_error(Errno.EFAULT, f"{strerror(Errno.EFAULT)} (the poller has nothing to wait for)")
        for item in items:
            if item.socket is not None and item.socket.closed:
                raise zmq_error(Errno.ENOTSOCK, f"{strerror(Errno.ENOTSOCK)} ({item.socket!r} was closed)")
        targets: list[Item] = [(item.fd if item.socket is None else item.socket, item.events) for item in items]
        ready = zmq_poll(targets, timeout)[:n_events]
        if not ready:
            raise zmq_error(Errno.EAGAIN)
        return [_event(items[index], events) for index, events in ready]

    @property
    def fd(self) -> int:
        """The descriptor that tells of thread-safe sockets in the poller.

        Raises:
            ZMQError: EINVAL, there are none. (No type of socket is thread-safe yet.)
        """
        raise zmq_error(Errno.EINVAL, f"{strerror(Errno.EINVAL)} (the poller has no thread-safe socket)")


def _event(item: _Item, events: int) -> PollerEvent:
    return PollerEvent(item.socket, item.fd, item.user_data, events)


def _checked(events: int) -> int:
    if events & ~_ALL_EVENTS:
        raise zmq_error(Errno.EINVAL, f"{strerror(Errno.EINVAL)} (events {events:#x})")
    return events


def _checked_fd(fd: int) -> int:
    if fd < 0:
        raise zmq_error(errno.EBADF, f"{os.strerror(errno.EBADF)} (descriptor {fd})")
    return fd


def _check(
    sockets: Sequence[tuple[int, SocketBase, int]], fds: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """What is ready now, in the order of the items."""
    ready = []
    for index, socket, wanted in sockets:
        events = socket.events(wanted)
        if events:
            ready.append((index, events))
    if fds:
        ready += _poll_fds(fds, 0)
        ready.sort()
    return ready


def _wait(sockets: Sequence[SocketBase], fds: Sequence[tuple[int, int, int]], timeout: int) -> None:
    """Wait for a command to one of the sockets, or for a descriptor."""
    waits: list[tuple[SocketBase, PollWait]] = []
    rang = set()
    try:
        for socket in sockets:
            wait = PollWait()
            waits.append((socket, wait))
            if not socket.begin_poll(wait):
                return
        # Negative indices are sockets.
        bells = [(~index, wait.fd, POLLIN) for index, (_, wait) in enumerate(waits)]
        rang = {~index for index, _ in _poll_fds([*bells, *fds], timeout) if index < 0}
    finally:
        # The last first, as a socket may be among them twice.
        for index, (socket, wait) in reversed(list(enumerate(waits))):
            socket.end_poll(wait, index in rang)


def _poll_fds(fds: Sequence[tuple[int, int, int]], timeout: int) -> list[tuple[int, int]]:
    """Index and events of the descriptors that are ready."""
    if not hasattr(select, "poll"):
        return _select_fds(fds, timeout)
    poll = select.poll()
    wanted: dict[int, int] = {}
    for _, fd, events in fds:
        wanted[fd] = wanted.get(fd, 0) | events
    for fd, events in wanted.items():
        poll.register(fd, _to_system(events))
    found = dict(poll.poll(None if timeout < 0 else timeout))
    ready = []
    for index, fd, events in fds:
        revents = _from_system(found.get(fd, 0)) & (events | POLLERR)
        if revents:
            ready.append((index, revents))
    return ready


def _to_system(events: int) -> int:
    return (
        (select.POLLIN if events & POLLIN else 0)
        | (select.POLLOUT if events & POLLOUT else 0)
        | (select.POLLPRI if events & POLLPRI else 0)
    )


def _from_system(revents: int) -> int:
    known = select.POLLIN | select.POLLOUT | select.POLLPRI
    return (
        (POLLIN if revents & select.POLLIN else 0)
        | (POLLOUT if revents & select.POLLOUT else 0)
        | (POLLPRI if revents & select.POLLPRI else 0)
        | (POLLERR if revents & ~known else 0)
    )


def _select_fds(fds: Sequence[tuple[int, int, int]], timeout: int) -> list[tuple[int, int]]:
    """As `_poll_fds`, where the system has no poll()."""
    with selectors.DefaultSelector() as selector:
        wanted: dict[int, int] = {}
        for _, fd, events in fds:
            wanted[fd] = wanted.get(fd, 0) | (events & 3)  # EVENT_READ, EVENT_WRITE have the same values
        for fd, events in wanted.items():
            if events:
                selector.register(fd, events)
        found = {key.fd: mask for key, mask in selector.select(None if timeout < 0 else timeout / 1000)}
    return [(index, found[fd] & events) for index, fd, events in fds if found.get(fd, 0) & events]
