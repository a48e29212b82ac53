# SPDX-License-Identifier: MPL-2.0
"""A one-bit alarm bell between threads, with a file descriptor to wait on.

Mirrors: src/signaler.cpp, src/signaler.hpp.
Departs: a signal may be found twice or for nothing (a spurious wake-up), never lost; every waiter loops.  libzmq
counts signals exactly, which in Python would make a Ctrl-C between two steps of a writer fatal.
The fork check lives in the public face, which owns the process id.
"""

from __future__ import annotations

import functools
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Final

MAX_EVENTS: Final = 16
_HAS_EVENTFD: Final = hasattr(os, "eventfd")


class Signaler:
    """Any thread may call `send`; one thread at a time waits and drains.

    Attributes:
        fd: readable while the bell rings; -1 once closed.
        counts: True if every signal makes the descriptor readable anew, drained or not (eventfd).
        send: rings. Hot path: with eventfd a C function, without a frame of Python around it. After `close` nobody
            listens, and it does nothing.
    """

    __slots__ = ("_epoll", "_may_have_epoll", "_reader", "_writer", "counts", "fd", "poll", "send")

    def __init__(self) -> None:
        """Open the descriptor.

        Raises:
            OSError: no descriptor is left (EMFILE, ENFILE).
        """
        self.counts = _HAS_EVENTFD
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None
        if _HAS_EVENTFD:
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.send: Callable[[], object] = functools.partial(os.eventfd_write, self.fd, 1)
        else:
            self._reader, self._writer = socket.socketpair()
            self._reader.setblocking(False)
            self._writer.setblocking(False)
            self.fd = self._reader.fileno()
            self.send = self._send_byte
        self._epoll: select.epoll | None = None
        # Hot path: `wait` without its frame, once there is an epoll; seconds (-1: for ever) and `MAX_EVENTS` go in.
        self.poll: Callable[[float, int], list[tuple[int, int]]] | None = None
        self._may_have_epoll = self.counts and hasattr(select, "epoll")

    def _send_byte(self) -> None:
        try:
            if self._writer is not None:
                self._writer.send(b"\0")
        except BlockingIOError:
            pass  # the buffer is full of signals nobody took: the reader cannot miss them

    @property
    def watches(self) -> bool:
        """True if other descriptors can be waited for together with the bell."""
        return self._epoll is not None

    def watch(self, fd: int) -> None:
        """Wait for this descriptor too (until it is readable no more). Any thread."""
        if self._epoll is not None:
            self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Wait for the bell alone again. Any thread."""
        if self._epoll is not None:
            self._epoll.unregister(fd)

    def wait(self, timeout: int) -> Sequence[tuple[int, int]]:
        """Wait up to `timeout` milliseconds (-1: for ever) for a signal and take it.

        Returns what rang: pairs of a descriptor, `fd` or a watched one, and its events; none after a time-out.

        Hot path: an edge-triggered epoll takes a signal by telling of it, so a wake-up costs one system call and not
        two. The descriptor itself stays readable until `drain`. Ctrl-C interrupts.
        """
        if self._epoll is not None:
            return self._epoll.poll(-1 if timeout < 0 else timeout / 1000, MAX_EVENTS)
        if self._may_have_epoll:
            self._open_epoll()
            return self.wait(timeout)
        if self._wait_level(timeout):
            self.drain()
            return ((self.fd, 1),)
        return ()

    def _open_epoll(self) -> None:
        # With the first wait, as most mailboxes are never waited on. A descriptor may not be left: then without.
        self._may_have_epoll = False
        try:
            epoll = select.epoll()
        except OSError:
            return
        epoll.register(self.fd, select.EPOLLIN | select.EPOLLET)
        self._epoll = epoll
        self.poll = epoll.poll

    def _wait_level(self, timeout: int) -> bool:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            return bool(poll.poll(None if timeout < 0 else timeout))
        return bool(select.select([self.fd], [], [], None if timeout < 0 else timeout / 1000)[0])

    def drain(self) -> None:
        """Silence the bell. Does nothing when it is not ringing, or closed."""
        try:
            if self.fd < 0:
                return
            if self._reader is None:
                os.eventfd_read(self.fd)
            else:
                self._reader.recv(4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Give the descriptors back. Idempotent."""
        self.send = _nothing
        self._may_have_epoll = False
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = self.poll = None
        if self._reader is not None and self._writer is not None:
            self._reader.close()
            self._writer.close()
        elif self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def _nothing() -> None:
    """The bell of a closed signaler."""
