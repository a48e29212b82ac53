# SPDX-License-Identifier: MPL-2.0
"""Load balancing: messages to many pipes in turn.

Mirrors: src/lb.cpp, src/lb.hpp.
Departs: a message of several frames may come as one unit (a tuple) and then is a single step.  The array of pipes is
the object itself, as in `fq.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from libzmq_py.core.array import Array
from libzmq_py.core.pipe import Pipe
from libzmq_py.core.run import MAX_PIPES

if TYPE_CHECKING:
    from libzmq_py.msg import Frame, Message


class LostPipe(Exception):
    """The pipe that was taking a multipart message has ended; the rest of the message will be dropped."""


class LB(Array[Pipe]):
    """Pipes 0 to `_active` - 1 may have room; the rest are full. Socket's thread only."""

    __slots__ = ("_active", "_current", "_dropping", "_more", "last_out")

    def __init__(self) -> None:
        super().__init__()
        self._active = 0
        self._current = 0
        # In the middle of a message: it goes on to the current pipe.
        self._more = False
        # The pipe that was taking the current message is gone: drop what remains of it.
        self._dropping = False
        # The pipe that took the last frame.
        self.last_out: Pipe | None = None

    def attach(self, pipe: Pipe) -> None:
        """A new pipe, with room."""
        self.push_back(pipe)
        self.activated(pipe)

    def activated(self, pipe: Pipe) -> None:
        """A full pipe has room again. A socket of one pipe has no order to keep."""
        if len(self.items) == 1:
            self._active = 1
            return
        self.swap(self.index(pipe), self._active)
        self._active += 1

    def pipe_terminated(self, pipe: Pipe) -> None:
        """The pipe is gone."""
        index = self.index(pipe)
        lost = index == self._current and self._more
        if lost:
            self._dropping = True
        if index < self._active:
            self._active -= 1
            self.swap(index, self._active)
            if self._current == self._active:
                # The pipe in turn has moved into the hole; a message that was begun follows it (libzmq: not).
                self._current = index if self._more and not lost else 0
        self.erase(pipe)
        if self.last_out is pipe:
            self.last_out = None

    def send(self, msg: Message, more: bool = False) -> bool:
        """Send a frame (`more`: not the last of its message) or a whole message; False if no pipe has room.

        Hot path: the pipe in turn has room; `Pipe.send` is written out for that case, but not for several frames and a
        pipe that conflates.

        Raises:
            LostPipe: the pipe ended in the middle of this message.
        """
        if more or self._more:
            return self._send_part(msg, more)  # type: ignore[arg-type]
        while self._active:
            pipe = self.items[self._current]
            written = pipe._msgs_written
            if pipe._out_active and written < pipe._write_limit and (type(msg) is bytes or type(pipe) is Pipe):
                pipe._msgs_written = written + 1
                pipe._out_queue.append(msg)
                if pipe._out_asleep:
                    pipe.flush()
                sent = True
            else:
                sent = pipe.send(msg)
            if sent:
                self.last_out = pipe
                if self._active > 1:
                    self._current = (self._current + 1) % self._active
                return True
            self._deactivate()
        return False

    def _send_part(self, frame: Frame, more: bool) -> bool:
        if self._dropping:
            self._more = self._dropping = more
            return True
        while self._active:
            pipe = self.items[self._current]
            if pipe.write_part(frame, more):
                self.last_out = pipe
                break
            if self._more:
                pipe.rollback()
                self._more = self._dropping = more
                raise LostPipe
            self._deactivate()
        else:
            return False
        self._more = more
        if not more:
            pipe.flush()
            self._current = (self._current + 1) % self._active
        return True

    def only_pipe(self) -> Collection[Pipe]:
        """The one pipe that all messages go to; none if several take turns, or in the middle of a message."""
        return self.items[:1] if self._active == 1 and not self._more else ()

    def turn(self) -> list[Pipe]:
        """The pipes in the order of their turns; none if they are too many for a run, or in the middle of a message."""
        if self._more or self._dropping or self._active > MAX_PIPES:
            return []
        return self.items[self._current : self._active] + self.items[: self._current]

    def ran(self, count: int) -> None:
        """So many messages were put in that order."""
        if count:
            self.last_out = self.items[(self._current + count - 1) % self._active]
            self._current = (self._current + count) % self._active

    @property
    def in_message(self) -> bool:
        """True between the frames of a message."""
        return self._more

    def has_out(self) -> bool:
        """True if `send` would find room."""
        if self._more:
            return True
        while self._active:
            if self.items[self._current].check_write():
                return True
            self._deactivate()
        return False

    def room(self, limit: int) -> int:
        """How many whole messages fit, up to `limit`."""
        return min(limit, sum(pipe.room for pipe in self.items[: self._active] if pipe.check_hwm()))

    def _deactivate(self) -> None:
        self._active -= 1
        if self._current < self._active:
            self.swap(self._current, self._active)
        else:
            self._current = 0
