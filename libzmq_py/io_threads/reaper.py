# SPDX-License-Identifier: MPL-2.0
"""The thread that sees closed sockets to their end, so that close() need not wait.

Mirrors: src/reaper.cpp, src/reaper.hpp.
Departs: it is an I/O thread with three more commands.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.io_threads.io_thread import IOThread


class Reaper(IOThread):
    """Runs each closed socket's mailbox until the socket has ended."""

    __slots__ = ("_sockets", "_terminating")

    def __init__(self, ctx: Any, tid: int) -> None:
        super().__init__(ctx, tid)
        self._sockets = 0
        self._terminating = False

    def process_stop(self) -> None:
        """The context ends: stop once the last socket is gone."""
        self._terminating = True
        self._check_done()

    def process_reap(self, socket: Any) -> None:
        """Take over a socket that its user has closed."""
        self._sockets += 1
        socket.start_reaping(self.poller)

    def process_reaped(self) -> None:
        """A socket has ended."""
        self._sockets -= 1
        self._check_done()

    def _check_done(self) -> None:
        if self._terminating and not self._sockets:
            self.send_done()
            self.poller.rm_fd(self._handle)
            self.poller.stop()
