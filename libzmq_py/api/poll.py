# SPDX-License-Identifier: MPL-2.0
"""Waiting for sockets and file descriptors: Poller, zmq_poll, select, SocketPoller; and Timers.

Mirrors: zmq_poll, zmq_ppoll, zmq_poller_* and zmq_timers_* of src/zmq.cpp, by way of socket_poller.py and timers.py;
pyzmq's sugar/poll.py.
Departs: no retries after a signal, which Python's own waits see to. A closed socket can be removed from a SocketPoller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from libzmq_py.api.live import DeadSocket, SocketHandle
from libzmq_py.constants import POLLERR, POLLIN, POLLOUT
from libzmq_py.socket_poller import PollerEvent
from libzmq_py.socket_poller import SocketPoller as _CorePoller
from libzmq_py.socket_poller import zmq_poll as core_poll
from libzmq_py.socket_poller import zmq_ppoll as core_ppoll
from libzmq_py.timers import TimerHandler, Timers

if TYPE_CHECKING:
    from libzmq_py.sockets.socket_base import SocketBase

#: As ``int()`` of an int or flags; of anything else, digits too, it is a TypeError.
plain_int: Final = int.__index__


def zmq_poll(
    sockets: Sequence[tuple[Any, int]], timeout: int = -1, sigmask: Iterable[int] | None = None
) -> list[tuple[Any, int]]:
    """Wait until something happens on a socket or descriptor.

    Args:
        sockets: Pairs of a Socket, a file descriptor, or an object with ``fileno()``, and the events to wait for
            (POLLIN, POLLOUT, POLLERR, POLLPRI). With none at all the answer is [] at once.
        timeout: Milliseconds; negative waits for ever, 0 only looks.
        sigmask: Block these signals, and no others, during the wait; then any other signal that is handled ends it.
            None leaves the mask alone, and goes on waiting when a signal was handled.

    Returns:
        Pairs of what was given, an object with ``fileno()`` as its number, and the events that have happened.

    Raises:
        ZMQError: ENOTSOCK, a socket is closed; ETERM; with ``sigmask`` EINTR (InterruptedSystemCall), and ENOTSUP
            where the system has no masks.
        ValueError: ``fileno()`` fails.
        TypeError: An item is nothing to wait for, or its events are no number.

    zmq_poll, zmq_ppoll.
    """
    if not sockets:
        return []
    names: list[Any] = []
    items: list[tuple[SocketBase | int, int]] = []
    for item, events in sockets:
        target = _target(item)
        names.append(target if isinstance(target, int) else item)
        try:
            wanted = plain_int(events)
        except TypeError:
            wanted = event_mask(events)
        items.append((target, wanted))
    timeout = max(timeout, -1)
    ready = core_poll(items, timeout) if sigmask is None else core_ppoll(items, timeout, sigmask)
    return [(names[index], revents) for index, revents in ready]


def event_mask(events: Any) -> int:
    """Events to wait for, as a plain int; fractions are dropped, as in pyzmq.

    Raises:
        TypeError: They are no number.
    """
    if not hasattr(events, "__int__") and not hasattr(events, "__index__"):
        raise TypeError(f"an integer is required for events, got: {events!r}")
    return int(events)


def _target(item: Any) -> SocketBase | int:
    """What the core knows an item by."""
    if isinstance(item, SocketHandle):
        core = item._core
        if isinstance(core, DeadSocket):
            core.refuse()
        return core
    if isinstance(item, int):
        return item
    if not hasattr(item, "fileno"):
        raise TypeError(f"Socket must be a 0MQ socket, an integer fd or have a fileno() method: {item!r}")
    try:
        return int(item.fileno())
    except Exception as error:
        raise ValueError(f"fileno() must return a valid integer fd: {item!r}") from error


class Poller:
    """A set of sockets and descriptors to wait for, in the manner of ``select.poll``.

    ``item in poller`` tells whether one is registered.

    Attributes:
        sockets: The pairs of item and events, in the order of registration.
    """

    sockets: list[tuple[Any, int]]

    def __init__(self) -> None:
        self.sockets = []
        # Item -> its place in `sockets`.
        self._map: dict[Any, int] = {}

    def __contains__(self, socket: Any) -> bool:
        return socket in self._map

    def register(self, socket: Any, flags: int = POLLIN | POLLOUT) -> None:
        """Wait for these events of a socket, descriptor or object with ``fileno()``, instead of those before.

        Args:
            socket: The item.
            flags: POLLIN, POLLOUT, POLLERR, POLLPRI or a combination; 0 unregisters it.
        """
        place = self._map.get(socket)
        if not flags:
            if place is not None:
                self.unregister(socket)
        elif place is None:
            self._map[socket] = len(self.sockets)
            self.sockets.append((socket, flags))
        else:
            self.sockets[place] = (socket, flags)

    def modify(self, socket: Any, flags: int = POLLIN | POLLOUT) -> None:
        """As ``register``."""
        self.register(socket, flags)

    def unregister(self, socket: Any) -> None:
        """Wait for an item no longer.

        Raises:
            KeyError: It is not registered.
        """
        place = self._map.pop(socket)
        del self.sockets[place]
        for item, _ in self.sockets[place:]:
            self._map[item] -= 1

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Wait until something happens.

        Args:
            timeout: Milliseconds, fractions dropped; None or negative waits for ever, 0 only looks.

        Returns:
            Pairs of item and events, for those on which something has happened; ``dict()`` of it is handy.

        Raises as ``zmq_poll``.
        """
        milliseconds = -1 if timeout is None or timeout < 0 else int(timeout)
        sockets = self.sockets
        if len(sockets) == 1:
            # Hot path: most loops have one socket.
            socket, wanted = sockets[0]
            if isinstance(socket, SocketHandle):
                try:
                    wanted = plain_int(wanted)  # the flags' own arithmetic is slow
                except TypeError:
                    wanted = event_mask(wanted)
                events = socket._core.poll(wanted, milliseconds)
                return [(socket, events)] if events else []
        return zmq_poll(sockets, milliseconds)


def select(
    rlist: list[Any], wlist: list[Any], xlist: list[Any], timeout: float | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """Wait as ``select.select`` does, for sockets too.

    Args:
        rlist: Items to read from.
        wlist: Items to write to.
        xlist: Items to watch for errors.
        timeout: Seconds; None or negative waits for ever.

    Returns:
        The items of each list that are ready (objects with ``fileno()`` as numbers).

    Raises as ``zmq_poll``.
    """
    milliseconds = -1 if timeout is None or timeout < 0 else int(timeout * 1000)
    wanted: dict[Any, int] = {}
    for items, flag in ((rlist, POLLIN), (wlist, POLLOUT), (xlist, POLLERR)):
        for item in items:
            wanted[item] = wanted.get(item, 0) | flag
    ready = zmq_poll(list(wanted.items()), milliseconds)

    def having(flag: int) -> list[Any]:
        return [item for item, events in ready if events & flag]

    return having(POLLIN), having(POLLOUT), having(POLLERR)


class SocketPoller:
    """A set of sockets and descriptors to wait for, each with something of the user's that comes back with its events.

    Unlike ``Poller`` it refuses what makes no sense: registering twice, changing or removing what is not there, waiting
    for nothing for ever. To be used by one thread at a time. (Not in pyzmq.)

    zmq_poller_new.
    """

    def __init__(self) -> None:
        self._core = _CorePoller()
        # Core socket by face: a closed face does not know its core any more.
        self._cores: dict[Any, SocketBase] = {}

    def size(self) -> int:
        """How many sockets and descriptors are registered. zmq_poller_size."""
        return self._core.size()

    __len__ = size

    def add(self, socket: Any, events: int = POLLIN | POLLOUT, user_data: object = None) -> None:
        """Register a socket.

        Args:
            socket: The Socket.
            events: POLLIN, POLLOUT, POLLERR, POLLPRI or a combination; 0 waits for nothing yet.
            user_data: Comes back with its events.

        Raises:
            ZMQError: EINVAL, it is registered already, or such events do not exist; ENOTSOCK, it is closed.
            TypeError: It is no Socket.

        zmq_poller_add.
        """
        core = core_of(socket)
        self._core.add(core, (socket, user_data), events)
        self._cores[socket] = core

    def modify(self, socket: Any, events: int) -> None:
        """Change what to wait for on a socket. zmq_poller_modify.

        Raises:
            ZMQError: EINVAL, it is not registered, or such events do not exist; ENOTSOCK, it is closed.
            TypeError: It is no Socket.
        """
        self._core.modify(core_of(socket), events)

    def remove(self, socket: Any) -> None:
        """Wait for a socket no longer; it may be closed by now. zmq_poller_remove.

        Raises:
            ZMQError: EINVAL, it is not registered; ENOTSOCK, it is closed and not registered.
            TypeError: It is no Socket.
        """
        core = self._cores.get(socket) if isinstance(socket, SocketHandle) else None
        self._core.remove(core_of(socket) if core is None else core)
        self._cores.pop(socket, None)

    def add_fd(self, fd: Any, events: int = POLLIN | POLLOUT, user_data: object = None) -> None:
        """Register a file descriptor, or an object that has one (``fileno()``). zmq_poller_add_fd.

        Raises:
            ZMQError: EINVAL, it is registered already, or such events do not exist; EBADF, it is negative.
            TypeError, ValueError: It has no descriptor.
        """
        self._core.add_fd(_fd_of(fd), (None, user_data), events)

    def modify_fd(self, fd: Any, events: int) -> None:
        """Change what to wait for on a descriptor. zmq_poller_modify_fd.

        Raises:
            ZMQError: EINVAL, it is not registered, or such events do not exist; EBADF, it is negative.
            TypeError, ValueError: It has no descriptor.
        """
        self._core.modify_fd(_fd_of(fd), events)

    def remove_fd(self, fd: Any) -> None:
        """Wait for a descriptor no longer. zmq_poller_remove_fd.

        Raises:
            ZMQError: EINVAL, it is not registered; EBADF, it is negative.
            TypeError, ValueError: It has no descriptor.
        """
        self._core.remove_fd(_fd_of(fd))

    def wait(self, timeout: int = -1) -> PollerEvent:
        """Wait until something happens, and tell one thing that has.

        Args:
            timeout: Milliseconds; negative waits for ever, 0 only looks.

        Returns:
            ``socket`` (None for a descriptor), ``fd`` (-1 for a socket), ``user_data`` and ``events``.

        Raises:
            ZMQError: EAGAIN (Again), nothing happened in time; EFAULT, there is nothing to wait for, for ever;
                ENOTSOCK, a socket was closed; ETERM.

        zmq_poller_wait.
        """
        return self.wait_all(1, timeout)[0]

    def wait_all(self, n_events: int | None = None, timeout: int = -1) -> list[PollerEvent]:
        """Wait until something happens, and tell all that has, in the order of registration.

        Args:
            n_events: How many to tell at most; None is without limit.
            timeout: Milliseconds; negative waits for ever, 0 only looks.

        Raises as ``wait``; EINVAL too, ``n_events`` is negative.

        zmq_poller_wait_all.
        """
        limit = self.size() if n_events is None else n_events
        return [
            PollerEvent(event.user_data[0], event.fd, event.user_data[1], event.events)
            for event in self._core.wait(limit, max(timeout, -1))
        ]

    @property
    def fd(self) -> int:
        """The descriptor that tells of the thread-safe sockets registered. zmq_poller_fd.

        Raises:
            ZMQError: EINVAL, there are none.
        """
        return self._core.fd


def core_of(socket: Any) -> SocketBase:
    """The core of a Socket.

    Raises:
        TypeError: It is no Socket.
        ZMQError: ENOTSOCK, it is closed.
    """
    if not isinstance(socket, SocketHandle):
        raise TypeError(f"Cannot convert {type(socket).__name__} to Socket: {socket!r}")
    core = socket._core
    if isinstance(core, DeadSocket):
        core.refuse()
    return core


def _fd_of(item: Any) -> int:
    if isinstance(item, SocketHandle):
        raise TypeError(f"a Socket is no file descriptor: {item!r}")
    return cast(int, _target(item))


__all__ = ["Poller", "PollerEvent", "SocketPoller", "TimerHandler", "Timers", "select", "zmq_poll"]
