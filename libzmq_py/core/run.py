# SPDX-License-Identifier: MPL-2.0
"""Runs: a number of messages that the user's calls may move to or from pipes without passing through the socket.

No libzmq twin: there a call costs nanoseconds.  Here each frame between `Socket.recv` and the pipe's queue costs as
much as all the rest of a small message.  So a socket that knows already what will become of the next messages grants a
*run*: up to `RUN` messages are taken from, or put into, the queues of its pipes by the face itself.  It ends when it is
used up, and with every other call; then the messages moved are counted as if they had gone one by one.  What can be
known: one pipe after the other has its turn (fair queueing and load balancing), all subscribers want everything, all
that waits passes the filter.  A run ends before a credit is due and where a high-water mark is reached, so both keep to
the message.

What the rule costs: recv looks at commands when a run ends, that is every `RUN` messages, as libzmq does
(`inbound_poll_rate`).  send looks at them every time.

Hot path: a run is used through iterators of C.  What counts is a `repeat` object, which gives one item per message that
may still be moved; each goes to one thread only, so several may use a run at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import compress, cycle, islice, repeat, starmap
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.msg import Message

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe

RUN: Final = 100
# Shorter ones are not worth the grant.
_SHORTEST: Final = 8


# Where more pipes than this take turns, it is not worth looking at them all.
MAX_PIPES: Final = 25


class InRun:
    """Messages that wait in the queues of pipes. `take` gives the next one; StopIteration: the run is over."""

    __slots__ = ("_count", "_left", "_pipes", "pipe", "take")

    def __init__(self, pipes: Sequence[Pipe], count: int) -> None:
        """`count` messages, which are there: nobody but the reader takes them away. Each pipe in turn gives one."""
        self._pipes = pipes
        self._count = count
        #: Where all of it comes from; None if from several.
        self.pipe = pipes[0] if len(pipes) == 1 else None
        self.take: Callable[[], Any]
        if self.pipe is not None:
            self._left: Iterator[Any] = repeat((), count)
            self.take = starmap(self.pipe._in_queue.popleft, self._left).__next__
        else:
            self._left = repeat(True, count)
            queues = cycle([pipe._in_queue for pipe in pipes])
            self.take = map(deque.popleft, compress(queues, self._left)).__next__

    @property
    def metadata(self) -> Mapping[str, str] | None:
        """Properties of the connection that all of it came from."""
        return None if self.pipe is None else self.pipe.metadata

    def put_back(self, msg: Message) -> None:
        """What was taken last needs more than to be handed over. (Never where there are several pipes.)"""
        self._pipes[0]._in_queue.appendleft(msg)
        self._count -= 1

    def settle(self) -> int:
        """Count what was taken, and say how many that is; the run must not be used any more."""
        count = self._count - _empty(self._left)
        for pipe, share in _shares(self._pipes, count):
            pipe.count_read(share)
        return count


class OutRun:
    """Room in one or more pipes.

    For each item that `room` gives, one message may be moved: the item is a function that takes it, whether the reader
    sleeps, and a function that wakes it then.
    """

    __slots__ = ("_appends", "_asleep", "_count", "_left", "_pipes", "_to_all", "commands", "room")

    def __init__(self, pipes: Sequence[Pipe], count: int, commands: Any, to_all: bool) -> None:
        """`count` messages, for which there is room; each goes to the next pipe in turn, or to all.

        `commands`: while this is not empty the run rests.
        """
        self._pipes = pipes
        self._count = count
        self._to_all = to_all
        self.commands = commands
        self.room: Iterator[tuple[Callable[[Message], None], Sequence[int], Callable[[], None]]]
        if to_all and len(pipes) > 1:
            self._appends = [pipe._out_queue.append for pipe in pipes]
            self._asleep = [pipe._out_asleep for pipe in pipes]
            self._left: Iterator[Any] = repeat((self._put_to_all, (), _nothing), count)
            self.room = self._left
            return
        places = [(pipe._out_queue.append, pipe._out_asleep, pipe.flush) for pipe in pipes]
        self._left = repeat(places[0], count)
        self.room = self._left if len(places) == 1 else compress(cycle(places), self._left)

    def _put_to_all(self, msg: Message) -> None:
        """Hot path: nothing but C runs per pipe."""
        for append in self._appends:
            append(msg)
        if any(self._asleep):
            for pipe in self._pipes:
                pipe.flush()

    def settle(self) -> int:
        """Count what was put, and say how many that is; the run must not be used any more."""
        count = self._count - _empty(self._left)
        for pipe, share in _shares(self._pipes, count):
            pipe.count_written(count if self._to_all else share)
        return count


def _empty(left: Iterator[Any]) -> int:
    """To empty it is to end the run for a thread that is just about to use it."""
    return len(list(left))


def _shares(pipes: Sequence[Pipe], count: int) -> Iterator[tuple[Pipe, int]]:
    """How many of `count` messages each of the pipes had in its turns."""
    for place, pipe in enumerate(pipes):
        yield pipe, (count - place + len(pipes) - 1) // len(pipes)


def grant_in(pipes: Sequence[Pipe], accepts: Callable[[list[Message]], bool] | None) -> InRun | None:
    """A run of what waits in `pipes`, which take turns, if it is worth it; only of what `accepts` lets pass."""
    # The message that a credit is due with is not among them: it is sent when that message is read, and no later.
    each = min((min(len(pipe._in_queue), pipe._credit_at - pipe._msgs_read - 1) for pipe in pipes), default=0)
    each = min(each, RUN // max(1, len(pipes)))
    if each * len(pipes) < _SHORTEST or not all(pipe._in_active for pipe in pipes):
        return None
    if len(pipes) > 1 or accepts is not None:
        try:
            waiting = [msg for pipe in pipes for msg in islice(pipe._in_queue, each)]
        except RuntimeError:
            return None  # a writer was quicker (never with the GIL, as no Python runs in between)
        if set(map(type, waiting)) != {bytes} or not (accepts is None or accepts(waiting)):
            return None
    return InRun(pipes, each * len(pipes))


def grant_out_in_turn(pipes: Sequence[Pipe], commands: Any) -> OutRun | None:
    """A run of the room in `pipes`, which take turns, if it is worth it."""
    if not pipes or not all(pipe._out_active for pipe in pipes):
        return None
    count = min(min(pipe.room for pipe in pipes), RUN // len(pipes)) * len(pipes)
    return OutRun(pipes, count, commands, to_all=False) if count >= _SHORTEST else None


def grant_out_to_all(pipes: Collection[Pipe], commands: Any) -> OutRun | None:
    """A run of the room in all of `pipes`, if it is worth it. Those that are known to be full miss it."""
    with_room = [pipe for pipe in pipes if pipe._out_active]
    count = min(min((pipe.room for pipe in with_room), default=0), RUN)
    return OutRun(with_room, count, commands, to_all=True) if count >= _SHORTEST else None


def _nothing() -> None:
    """Nobody is left to be woken."""
