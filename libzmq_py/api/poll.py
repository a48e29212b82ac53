# SPDX-License-Identifier: MPL-2.0
"""Waiting for sockets and file descriptors: Poller, zmq_poll, select.

Mirrors: zmq_poll of src/zmq.cpp, by way of socket_poller.py; pyzmq's sugar/poll.py.
Departs: no retries after a signal, which Python's own waits see to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from libzmq_py.api.live import DeadSocket, SocketHandle
from libzmq_py.constants import POLLERR, POLLIN, POLLOUT
from libzmq_py.socket_poller import zmq_poll as core_poll

if TYPE_CHECKING:
    from libzmq_py.sockets.socket_base import SocketBase


def zmq_poll(sockets: Sequence[tuple[Any, int]], timeout: int = -1) -> list[tuple[Any, int]]:
    """Wait until something happens on a socket or descriptor.

    Args:
        sockets: Pairs of a Socket, a file descriptor, or an object with ``fileno()``, and the events to wait for
            (POLLIN, POLLOUT, POLLERR, POLLPRI). With none at all the answer is [] at once.
        timeout: Milliseconds; negative waits for ever, 0 only looks.

    Returns:
        Pairs of what was given, an object with ``fileno()`` as its number, and the events that have happened.

    Raises:
        ZMQError: ENOTSOCK, a socket is closed; ETERM.
        ValueError: ``fileno()`` fails.
        TypeError: An item is nothing to wait for.

    zmq_poll.
    """
    if not sockets:
        return []
    names: list[Any] = []
    items: list[tuple[SocketBase | int, int]] = []
    for item, events in sockets:
        target = _target(item)
        names.append(target if isinstance(target, int) else item)
        items.append((target, events))
    return [(names[index], revents) for index, revents in core_poll(items, timeout if timeout >= 0 else -1)]


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
        return zmq_poll(self.sockets, milliseconds)


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


__all__ = ["Poller", "select", "zmq_poll"]
