# SPDX-License-Identifier: MPL-2.0
"""Runs: a number of messages that the user's calls may move to or from a pipe without passing through the socket.

No libzmq twin: there a call costs nanoseconds.  Here each frame between `Socket.recv` and the pipe's queue costs as
much as all the rest of a small message.  So a socket that has one active pipe and nothing else to decide (or, for PUB,
subscribers who all want everything) grants a *run*: up to `RUN` messages are taken from, or put into, the pipe's queue
by the face itself.  It ends when it is used up, and with every other call; then the messages moved are counted as if
they had gone one by one.  A run ends before a credit is due and where a high-water mark is reached, so both keep to the
message.

What the rule costs: recv looks at commands when a run ends, that is every `RUN` messages, as libzmq does
(`inbound_poll_rate`).  send looks at them every time.

Hot path: a run is used through iterators of C.  What counts is a `repeat` object, which gives as many empty tuples as
messages may still be moved; each goes to one thread only, so several may use a run at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import repeat, starmap
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.msg import Message

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe

RUN: Final = 100
# Shorter ones are not worth the grant.
_SHORTEST: Final = 8


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
        # To empty it is to end it for a thread that is just about to use it.
        count = self._count - len(list(self._left))
        self._pipe.count_read(count)
        return count


class OutRun:
    """Room in one or more pipes, which all get the same messages.

    For each item that `room` gives, a message may be `put`; then, if `asleep`, call `flush`.
    """

    __slots__ = ("_all_asleep", "_appends", "_count", "_pipes", "asleep", "commands", "flush", "put", "room")

    def __init__(self, pipes: list[Pipe], count: int, commands: Any) -> None:
        """`count` messages, for which there is room. `commands`: while this is not empty the run rests."""
        self._pipes = pipes
        self._count = count
        self.room: Iterator[tuple[()]] = repeat((), count)
        self.commands = commands
        self.put: Callable[[Message], None]
        self.asleep: Sequence[int]
        if len(pipes) == 1:
            self.put = pipes[0]._out_queue.append
            self.asleep = pipes[0]._out_asleep
            self.flush = pipes[0].flush
        else:
            self._appends = [pipe._out_queue.append for pipe in pipes]
            self._all_asleep = [pipe._out_asleep for pipe in pipes]
            self.put = self._put_to_all
            self.asleep = ()  # `_put_to_all` has seen to it
            self.flush = _nothing

    def _put_to_all(self, msg: Message) -> None:
        """Hot path: nothing but C runs per pipe."""
        for append in self._appends:
            append(msg)
        if any(self._all_asleep):
            for pipe in self._pipes:
                pipe.flush()

    def settle(self) -> int:
        """Count what was put, and say how many that is; the run must not be used any more."""
        count = self._count - len(list(self.room))
        for pipe in self._pipes:
            pipe.count_written(count)
        return count


def grant_in(pipe: Pipe) -> InRun | None:
    """A run of what waits in `pipe`, if it is worth it."""
    # The message that a credit is due with is not among them: it is sent when that message is read, and no later.
    count = min(len(pipe._in_queue), RUN, pipe._credit_at - pipe._msgs_read - 1)
    return InRun(pipe, count) if count >= _SHORTEST and pipe._in_active else None


def grant_out(pipes: Collection[Pipe], commands: Any) -> OutRun | None:
    """A run of the room in all of `pipes`, if it is worth it. Those that are known to be full miss it."""
    with_room = [pipe for pipe in pipes if pipe._out_active]
    count = min((pipe.room for pipe in with_room), default=0)
    return OutRun(with_room, min(count, RUN), commands) if count >= _SHORTEST else None


def _nothing() -> None:
    """Nobody is left to be woken."""
