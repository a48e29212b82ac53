# SPDX-License-Identifier: MPL-2.0
"""Mixin of objects that live in an I/O thread and use its poller.

Mirrors: src/io_object.cpp, src/io_object.hpp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.io_threads.poller import Handle, Poller


class _NoPoller:
    """What an object has that is not plugged in: whatever it asks of it is an error of ours."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name}: not plugged into an I/O thread")


_NO_POLLER: Any = _NoPoller()


class IOObject:
    """`io_object_t`. All methods are called by the I/O thread the object is plugged into."""

    # The poller of the thread this object is plugged into.
    poller: Poller = _NO_POLLER

    def plug_into(self, io_thread: IOThread) -> None:
        """Use this thread's poller from now on (a session's engine may be plugged in again after a hand-over)."""
        self.poller = io_thread.poller

    def unplug(self) -> None:
        """Forget the poller; descriptors and timers must be gone already."""
        self.poller = _NO_POLLER

    def add_fd(self, fd: int) -> Handle:
        """Take a descriptor into the poller."""
        return self.poller.add_fd(fd, self)

    def rm_fd(self, handle: Handle) -> None:
        """Take a descriptor out of the poller."""
        self.poller.rm_fd(handle)

    def set_pollin(self, handle: Handle) -> None:
        """Wait for readability."""
        self.poller.set_pollin(handle)

    def reset_pollin(self, handle: Handle) -> None:
        """Do not wait for readability any more."""
        self.poller.reset_pollin(handle)

    def set_pollout(self, handle: Handle) -> None:
        """Wait for room to write."""
        self.poller.set_pollout(handle)

    def reset_pollout(self, handle: Handle) -> None:
        """Do not wait for room to write any more."""
        self.poller.reset_pollout(handle)

    def add_timer(self, timeout: int, id_: int) -> None:
        """Have `timer_event(id_)` called in `timeout` milliseconds."""
        self.poller.add_timer(timeout, self, id_)

    def cancel_timer(self, id_: int) -> None:
        """Forget a timer."""
        self.poller.cancel_timer(self, id_)

    def in_event(self) -> None:
        """Readable."""
        raise AssertionError(f"{type(self).__name__} does not wait to read")

    def out_event(self) -> None:
        """Writable."""
        raise AssertionError(f"{type(self).__name__} does not wait to write")

    def timer_event(self, id_: int) -> None:
        """Expired."""
        raise AssertionError(f"{type(self).__name__} has no timers")
