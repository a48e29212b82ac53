# SPDX-License-Identifier: MPL-2.0
"""Fan-out: one message to every matching pipe.

Mirrors: src/dist.cpp, src/dist.hpp.
Departs: a message of several frames may come as one unit (a tuple) and then is a single step.

The array of pipes has four nested zones, each a prefix of the next; membership changes are swaps:

    | matching | active | eligible | full |
      matching: takes the message being sent        active: will take the next message
      eligible: has room, but came or drained in the middle of a message, so it waits for the next
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from libzmq_py.core.array import Array

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe
    from libzmq_py.msg import Frame, Message


class Dist:
    """Socket's thread only."""

    __slots__ = ("_active", "_eligible", "_items", "_matching", "_more", "_pipes")

    def __init__(self) -> None:
        self._pipes: Array[Pipe] = Array()
        self._items = self._pipes.items
        self._matching = 0
        self._active = 0
        self._eligible = 0
        # In the middle of a multipart message.
        self._more = False

    def attach(self, pipe: Pipe) -> None:
        """A new pipe; in the middle of a message it waits for the next."""
        self._pipes.push_back(pipe)
        self._pipes.swap(self._eligible, len(self._items) - 1)
        if not self._more:
            self._pipes.swap(self._active, self._eligible)
            self._active += 1
        self._eligible += 1

    def has_pipe(self, pipe: Pipe) -> bool:
        """True if the pipe is attached."""
        return pipe in self._pipes

    def match(self, pipe: Pipe) -> None:
        """The message to be sent goes to this pipe too, unless it is full."""
        index = self._pipes.index(pipe)
        if index < self._matching or index >= self._eligible:
            return
        self._pipes.swap(index, self._matching)
        self._matching += 1

    def reverse_match(self) -> None:
        """Those that matched do not, and the others do."""
        previous = self._matching
        self._matching = 0
        for index in range(previous, self._eligible):
            self._pipes.swap(index, self._matching)
            self._matching += 1

    def unmatch(self) -> None:
        """Nobody matches."""
        self._matching = 0

    def pipe_terminated(self, pipe: Pipe) -> None:
        """The pipe is gone."""
        pipes = self._pipes
        if pipes.index(pipe) < self._matching:
            self._matching -= 1
            pipes.swap(pipes.index(pipe), self._matching)
        if pipes.index(pipe) < self._active:
            self._active -= 1
            pipes.swap(pipes.index(pipe), self._active)
        if pipes.index(pipe) < self._eligible:
            self._eligible -= 1
            pipes.swap(pipes.index(pipe), self._eligible)
        pipes.erase(pipe)

    def activated(self, pipe: Pipe) -> None:
        """A full pipe has room again."""
        if self._pipes.index(pipe) >= self._eligible:
            self._pipes.swap(self._pipes.index(pipe), self._eligible)
            self._eligible += 1
        if not self._more and self._pipes.index(pipe) >= self._active:
            self._pipes.swap(self._eligible - 1, self._active)
            self._active += 1

    def send_to_all(self, msg: Message, more: bool = False) -> None:
        """Send a frame or a whole message to every active pipe."""
        self._matching = self._active
        self.send_to_matching(msg, more)

    def send_to_matching(self, msg: Message, more: bool = False) -> None:
        """Send a frame or a whole message to the matching pipes; a full one misses it, the rest of it included.

        Hot path: a whole message, and nobody is full.
        """
        if more or self._more:
            self._send_part(msg, more)  # type: ignore[arg-type]
            return
        items = self._items
        index = 0
        while index < self._matching:
            pipe = items[index]
            if pipe.send(msg):
                index += 1
            else:
                self._drop(pipe)  # another pipe has taken this place
        self._active = self._eligible

    def send_to(self, pipes: Collection[Pipe], msg: Message) -> None:
        """Send a whole message to these pipes; the full ones miss it.

        Hot path: `Pipe.send` is written out, as this runs once per message and subscriber (not for several frames, of
        which a pipe that conflates keeps one). Between messages every pipe with room is active, so the zones matter
        only for one that turns out full.
        """
        single = type(msg) is not tuple
        for pipe in pipes:
            written = pipe._msgs_written
            if single and pipe._out_active and written < pipe._write_limit:
                pipe._msgs_written = written + 1
                pipe._out_queue.append(msg)
                if pipe._out_asleep:
                    pipe.flush()
            elif not pipe.send(msg) and self._pipes.index(pipe) < self._active:
                self._pipes.swap(self._pipes.index(pipe), 0)
                self._matching = 1
                self._drop(pipe)

    def have_room(self, pipes: Collection[Pipe]) -> bool:
        """True if none of these pipes would miss a message now; those that are known to be full do not count."""
        for pipe in pipes:
            if not pipe.check_hwm() and self._pipes.index(pipe) < self._eligible:
                return False
        return True

    def _send_part(self, frame: Frame, more: bool) -> None:
        index = 0
        while index < self._matching:
            pipe = self._items[index]
            if not pipe.write_part(frame, more):
                self._drop(pipe)
                continue
            if not more:
                pipe.flush()
            index += 1
        self._more = more
        if not more:
            # Pipes that came in the meantime join at the message's end.
            self._active = self._eligible

    def _drop(self, pipe: Pipe) -> None:
        """A full pipe leaves all zones until it is activated."""
        pipes = self._pipes
        self._matching -= 1
        pipes.swap(pipes.index(pipe), self._matching)
        self._active -= 1
        pipes.swap(self._matching, self._active)
        self._eligible -= 1
        pipes.swap(self._active, self._eligible)

    @staticmethod
    def has_out() -> bool:
        """Always: what nobody takes is dropped."""
        return True

    def check_hwm(self) -> bool:
        """True if every matching pipe has room."""
        return all(pipe.check_hwm() for pipe in self._items[: self._matching])
