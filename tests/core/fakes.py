# SPDX-License-Identifier: MPL-2.0
"""Stand-ins for what the core talks through: a context that keeps commands until the test delivers them, and a sink.

No libzmq twin: test support. There is one thread, the test; what other threads would do happens when `deliver` is
called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from libzmq_py.core.command import CommandType
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import ZmqObject
from libzmq_py.core.pipe import Pipe, pipepair


class FakeContext:
    """Takes commands and hands them to their destination when told."""

    def __init__(self) -> None:
        self.commands: deque[Any] = deque()
        self.tids: list[int] = []
        self.reaper: Any = ZmqObject(self, 1)
        self.io_thread: Any = None
        self.affinities: list[int] = []

    def send_command(self, tid: int, command: Any) -> None:
        self.tids.append(tid)
        self.commands.append(command)

    def choose_io_thread(self, affinity: int) -> Any:
        self.affinities.append(affinity)
        return self.io_thread

    @property
    def kinds(self) -> list[CommandType]:
        """Kinds of the commands under way."""
        return [command[1] for command in self.commands]

    def deliver(self, count: int = -1) -> None:
        """Let the destinations process `count` commands, or all, with those that come of it."""
        while self.commands and count != 0:
            command = self.commands.popleft()
            command[0].process_command(command)
            count -= 1

    def drop(self) -> list[CommandType]:
        """Forget the commands under way; their kinds."""
        kinds = self.kinds
        self.commands.clear()
        return kinds


class Sink:
    """Records what a pipe tells its user."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def read_activated(self, pipe: Pipe) -> None:
        self.events.append("read_activated")

    def write_activated(self, pipe: Pipe) -> None:
        self.events.append("write_activated")

    def hiccuped(self, pipe: Pipe) -> None:
        self.events.append("hiccuped")

    def pipe_terminated(self, pipe: Pipe) -> None:
        self.events.append("pipe_terminated")


class Ends:
    """Two joined pipe ends with a sink each, in the threads 3 and 7 of one fake context."""

    def __init__(self, hwms: tuple[int, int] = (0, 0), conflate: tuple[bool, bool] = (False, False)) -> None:
        self.ctx = FakeContext()
        self.a, self.b = pipepair((ZmqObject(self.ctx, 3), ZmqObject(self.ctx, 7)), hwms, conflate)
        self.sink_a, self.sink_b = Sink(), Sink()
        self.a.set_event_sink(self.sink_a)
        self.b.set_event_sink(self.sink_b)


def is_ringing(mailbox: Mailbox) -> bool:
    """Whether the descriptor is readable, as a poller outside would see it."""
    return mailbox._signaler.wait(0)


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    try:
        yield mailbox
    finally:
        mailbox.close()
