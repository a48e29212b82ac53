# SPDX-License-Identifier: MPL-2.0
"""Waiting for sockets and file descriptors together.

Mirrors: zmq_poll of src/zmq.cpp, src/polling_util.hpp.
Departs: the mailboxes of the sockets are armed for the wait only, so sockets that are polled now and then pay nothing
in between.
"""

from __future__ import annotations

import select
import selectors
import time
from collections.abc import Sequence
from typing import Final

from libzmq_py.sockets.socket_base import SocketBase

POLLIN: Final = 1
POLLOUT: Final = 2
POLLERR: Final = 4
POLLPRI: Final = 8

Item = tuple[SocketBase | int, int]


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
            remaining = int((deadline - time.monotonic()) * 1000 + 0.999)
            if remaining <= 0:
                return []


def _check(
    sockets: Sequence[tuple[int, SocketBase, int]], fds: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """What is ready now, in the order of the items."""
    ready = []
    for index, socket, wanted in sockets:
        events = socket.events() & wanted
        if events:
            ready.append((index, events))
    if fds:
        ready += _poll_fds(fds, 0)
        ready.sort()
    return ready


def _wait(sockets: Sequence[SocketBase], fds: Sequence[tuple[int, int, int]], timeout: int) -> None:
    """Wait for a command to one of the sockets, or for a descriptor."""
    mailboxes = [socket.mailbox for socket in sockets]
    armed = []
    try:
        for mailbox in mailboxes:
            armed.append(mailbox)
            if not mailbox.arm():
                return
        # Negative indices are mailboxes.
        bells = [(~index, mailbox.fd, POLLIN) for index, mailbox in enumerate(mailboxes)]
        for index, _ in _poll_fds([*bells, *fds], timeout):
            if index < 0:
                mailboxes[~index].silence()
    finally:
        for mailbox in armed:
            if mailbox.keep_armed:
                mailbox.recv_nothing()
            else:
                mailbox.disarm()


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
