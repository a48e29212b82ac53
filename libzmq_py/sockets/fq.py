# SPDX-License-Identifier: MPL-2.0
"""Fair queueing: messages from many pipes in turn.

Mirrors: src/fq.cpp, src/fq.hpp.
Departs: a pipe gives whole messages, so a turn never ends in the middle of one and there is no `more` here.  The array
of pipes is the object itself, not a member: each object costs when thousands of sockets are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libzmq_py.core.array import Array
from libzmq_py.core.run import MAX_PIPES
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

        Hot path: `Pipe.read` is written out, but for what is more than frames.
        """
        while self._active:
            pipe = self.items[self._current]
            if not pipe._in_active or not (pipe._in_queue or pipe._look_again()):
                if len(self.items) == 1:
                    self._active = 0  # `_deactivate` written out: a lone message is looked for before it is there
                    return None
                self._deactivate()
                continue
            msg: Message | None = pipe._in_queue.popleft()
            if type(msg) is Msg:
                msg = pipe._read_special(msg)
                if msg is None:
                    self._deactivate()
                    continue
            else:
                n = pipe._msgs_read = pipe._msgs_read + 1
                if n >= pipe._credit_at:
                    pipe._send_credit()
            self.last_in = pipe
            if self._active > 1:
                self._current = (self._current + 1) % self._active
            return msg
        return None

    @property
    def only_pipe(self) -> Pipe | None:
        """The pipe that the next messages come from; None if several take turns."""
        return self.items[0] if self._active == 1 else None

    def turn(self) -> list[Pipe]:
        """The pipes in the order of their turns, the next one first; none if they are too many for a run."""
        if self._active > MAX_PIPES:
            return []
        return self.items[self._current : self._active] + self.items[: self._current]

    def ran(self, count: int) -> None:
        """So many messages were taken in that order."""
        if count:
            self.last_in = self.items[(self._current + count - 1) % self._active]
            self._current = (self._current + count) % self._active

    def has_queued(self) -> bool:
        """True if `recv` would find something; nobody goes to sleep over it."""
        # With many peers only few are awake.
        for index in range(self._active):
            if self.items[index]._in_queue:
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
