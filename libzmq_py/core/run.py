# SPDX-License-Identifier: MPL-2.0
"""Runs: a number of messages that the user's calls may move to or from a pipe without passing through the socket.

No libzmq twin: there a call costs nanoseconds.  Here each frame between `Socket.recv` and the pipe's queue costs as much
as all the rest of a small message, so a socket that has one active pipe and nothing else to decide grants a *run*: up
to `RUN` messages are taken from, or put into, that pipe's queue by the face itself.  It ends when it is used up, and with
every other call; then the messages moved are counted as if they had been one by one, so high-water marks hold and
credits are late by one run at the most.

What the rule costs: commands are looked at when a run of recv ends, that is every `RUN` messages, as in libzmq
(`inbound_poll_rate`); send looks at them every time.

Hot path: a run is used through iterators of C.  `_left` is a `repeat` object that gives as many empty tuples as messages
may still be moved, and tells how many those are (`__length_hint__`), which is all the counting there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat, starmap
from operator import length_hint
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.msg import Message

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe

RUN: Final = 100
# Shorter ones are not worth the grant.
_SHORTEST: Final = 8
# What a run may be late with its credit, as a part of the messages after which one is due.
_PART_OF_LWM: Final = 4


class InRun:
    """Messages that wait in a pipe's queue. `take` gives the next one; StopIteration: the run is over."""

    __slots__ = ("_count", "_left", "_pipe", "take")

    def __init__(self, pipe: Pipe, count: int) -> None:
        """`count` messages, which are there: nobody but the reader takes them away."""
        self._pipe = pipe
        self._count = count
        self._left = repeat((), count)
        self.take: Callable[[], Any] = starmap(pipe._in_queue.popleft, self._left).__next__

    def put_back(self, msg: Message) -> None:
        """What was taken last needs more than to be handed over."""
        self._pipe._in_queue.appendleft(msg)
        self._count -= 1

    def settle(self) -> int:
        """Count what was taken, and say how many that is; the run must not be used any more."""
        count = self._count - length_hint(self._left)
        self._pipe.count_read(count)
        return count


class OutRun:
    """Room in a pipe. For each item that `room` gives, a message may be `put`; then, if `asleep`, call `flush`."""

    __slots__ = ("_count", "_pipe", "asleep", "commands", "flush", "put", "room")

    def __init__(self, pipe: Pipe, count: int, commands: Any) -> None:
        """`count` messages, for which there is room. `commands`: while this is not empty the run rests."""
        self._pipe = pipe
        self._count = count
        self.room: Iterator[tuple[()]] = repeat((), count)
        self.put: Callable[[Message], None] = pipe._out_queue.append
        self.asleep = pipe._out_asleep
        self.flush = pipe.flush
        self.commands = commands

    def settle(self) -> int:
        """Count what was put, and say how many that is; the run must not be used any more."""
        count = self._count - length_hint(self.room)
        self._pipe.count_written(count)
        return count


def grant_in(pipe: Pipe) -> InRun | None:
    """A run of what waits in `pipe`, if it is worth it."""
    count = min(len(pipe._in_queue), RUN, pipe._lwm // _PART_OF_LWM if pipe._lwm else RUN)
    return InRun(pipe, count) if count >= _SHORTEST and pipe._in_active else None


def grant_out(pipe: Pipe, commands: Any) -> OutRun | None:
    """A run of the room in `pipe`, if it is worth it."""
    count = min(pipe._write_limit - pipe._msgs_written, RUN)
    return OutRun(pipe, count, commands) if count >= _SHORTEST and pipe._out_active else None
