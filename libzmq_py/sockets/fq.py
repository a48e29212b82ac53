# SPDX-License-Identifier: MPL-2.0
"""Fair queueing: messages from many pipes in turn.

Mirrors: src/fq.cpp, src/fq.hpp.
Departs: a pipe gives whole messages, so a turn never ends in the middle of one and there is no `more` here.  The array
of pipes is the object itself, not a member: each object costs when thousands of sockets are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libzmq_py.core.array import Array
from libzmq_py.msg import Message, Msg

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe


class FQ(Array["Pipe"]):
    """Pipes 0 to `_active` - 1 may have something to read; the rest sleep. Socket's thread only."""

    __slots__ = ("_active", "_current", "last_in")

    def __init__(self) -> None:
        super().__init__()
        self._active = 0
        self._current = 0
        # The pipe that gave the last message; it may have ended since.
        self.last_in: Pipe | None = None

    def attach(self, pipe: Pipe) -> None:
        """A new pipe, active."""
        self.push_back(pipe)
        self.activated(pipe)

    def activated(self, pipe: Pipe) -> None:
        """A sleeping pipe has something to read again. Hot path: a socket of one pipe has no order to keep."""
        if len(self.items) == 1:
            self._active = 1
            return
        self.swap(self.index(pipe), self._active)
        self._active += 1

    def pipe_terminated(self, pipe: Pipe) -> None:
        """The pipe is gone."""
        index = self.index(pipe)
        if index < self._active:
            self._active -= 1
            self.swap(index, self._active)
            if self._current == self._active:
                self._current = 0
        self.erase(pipe)

    def recv(self) -> Message | None:
        """The next message in turn, its pipe in `last_in`; None if there is none.

        Hot path: the pipe in turn usually has a message, so `Pipe.read` is written out for that case.
        """
        while self._active:
            pipe = self.items[self._current]
            msg: Message | None
            if pipe._in_active and pipe._in_queue:
                msg = pipe._in_queue.popleft()
                if type(msg) is Msg:
                    msg = pipe._read_special(msg)
                else:
                    n = pipe._msgs_read = pipe._msgs_read + 1
                    if n >= pipe._credit_at:
                        pipe._send_credit()
            else:
                msg = pipe.read()
            if msg is not None:
                self.last_in = pipe
                if self._active > 1:
                    self._current = (self._current + 1) % self._active
                return msg
            self._deactivate()
        return None

    @property
    def only_pipe(self) -> Pipe | None:
        """The pipe that the next messages come from; None if several take turns."""
        return self.items[0] if self._active == 1 else None

    def has_queued(self) -> bool:
        """True if some pipe holds something; nobody goes to sleep over it."""
        for pipe in self.items:
            if pipe._in_queue:
                return True
        return False

    def has_in(self) -> bool:
        """True if `recv` would give a message; does not take a turn."""
        while self._active:
            if self.items[self._current].check_read():
                return True
            self._deactivate()
        return False

    def _deactivate(self) -> None:
        self._active -= 1
        if not self._active and not self._current:
            return
        self.swap(self._current, self._active)
        if self._current == self._active:
            self._current = 0
