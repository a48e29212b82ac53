# SPDX-License-Identifier: MPL-2.0
"""A thread that moves bytes: a poller and a mailbox.

Mirrors: src/io_thread.cpp, src/io_thread.hpp.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.core.command import CommandType
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import ZmqObject
from libzmq_py.core.thread import ThreadSettings, start_thread
from libzmq_py.io_threads.poller import Poller
from libzmq_py.logger import Logger

if TYPE_CHECKING:
    from libzmq_py.core.command import Command

_LOG: Final = Logger("libzmq_py.io_thread")


class Courier:
    """The context, as the objects of an I/O thread see it: theirs to send commands with, and in this thread only.

    While `hold` is in force commands are queued at once, but readers that sleep are woken by `wake` or `release`. A
    thread that is woken after the first of a hundred messages takes the interpreter lock, finds one message, and goes
    back to sleep, a hundred times.

    No libzmq twin: there two threads do not share a lock, and the woken one has a core to itself.
    """

    __slots__ = ("_ctx", "send_command", "to_wake")

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        # Hot path: the context's own method, so that a command that is not held passes no frame here.
        self.send_command: Callable[[int, Command], None] = ctx.send_command
        # Mailboxes whose readers sleep and have been sent something. (A dict, as it keeps the order.)
        self.to_wake: dict[Mailbox, None] = {}

    def choose_io_thread(self, affinity: int) -> Any:
        """The least loaded I/O thread allowed by the mask, or None."""
        return self._ctx.choose_io_thread(affinity)

    def find_endpoint(self, addr: str) -> Any:
        """The inproc endpoint of that name; None if there is none."""
        return self._ctx.find_endpoint(addr)

    def hold(self) -> None:
        """Wake nobody for a while."""
        self.send_command = self._post

    def release(self) -> None:
        """Wake whoever is to be woken, and from now on at once."""
        self.send_command = self._ctx.send_command
        self.wake()

    def wake(self) -> None:
        """Wake whoever is to be woken."""
        if self.to_wake:
            for mailbox in self.to_wake:
                mailbox.wake()
            self.to_wake.clear()

    def _post(self, tid: int, command: Command) -> None:
        mailbox = self._ctx.post_command(tid, command)
        if mailbox is not None:
            self.to_wake[mailbox] = None


class IOThread(ZmqObject):
    """Created and joined by the context; everything else runs in the thread itself."""

    __slots__ = ("_handle", "_silence", "_thread", "mailbox", "open_ctx", "poller", "segments")

    def __init__(self, ctx: Any, tid: int) -> None:
        """Open mailbox and poller.

        Raises:
            OSError: no file descriptor is left.
        """
        super().__init__(Courier(ctx), tid)
        # For what other threads ask of this object.
        self.open_ctx = ctx
        self.mailbox = Mailbox()
        try:
            self.poller = Poller()
        except OSError:
            self.mailbox.close()
            raise
        self._handle = self.poller.set_guard(self.mailbox, self)
        self.poller.set_courier(self.ctx)
        # A bell that is heard once per ring and never wears out need not be silenced: a system call less per wake-up.
        self._silence = not (self.poller.edge_triggered and self.mailbox.rings_for_ever)
        self._thread: threading.Thread | None = None
        # Belongs to the engines of publishers (`SharedEncoder`), which share what they encode.
        self.segments: dict[int, Any] = {}

    def start(self, name: str, settings: ThreadSettings) -> None:
        """Run the loop in a thread of its own."""
        self._thread = start_thread(name, self.poller.loop, settings)

    def discard(self) -> None:
        """Free what was opened for a thread that was never started."""
        self.poller.close()
        self.mailbox.close()

    def stop(self) -> None:
        """Ask the thread to end, from any thread."""
        self.open_ctx.send_command(self.tid, (self, CommandType.STOP, ()))

    def join(self) -> None:
        """Wait for the end of the thread, then free the mailbox."""
        if self._thread is not None:
            self._thread.join()
        self.mailbox.close()

    @property
    def load(self) -> int:
        """How many descriptors the thread serves, its own mailbox included. Any thread."""
        return self.poller.load

    def in_event(self) -> None:
        """Process what is in the mailbox. `process_command` is written out: a connection needs eight of them."""
        if self._silence:
            self.mailbox.silence()
        commands = self.mailbox.commands
        while commands:
            destination, kind, args = commands.popleft()
            try:
                getattr(destination, kind.handler)(*args)
                if kind.counted:
                    destination.process_seqnum()
            except Exception:  # noqa: BLE001
                # A defect of ours must not end the thread that serves every other connection.
                _LOG.exception("command %s to %r failed", kind.value, destination)

    def out_event(self) -> None:
        """Never: the mailbox is only read."""
        raise AssertionError("an I/O thread does not wait to write")

    def timer_event(self, id_: int) -> None:
        """Never: the thread itself has no timers."""
        raise AssertionError("an I/O thread has no timers")

    def process_stop(self) -> None:
        """Leave the loop."""
        self.poller.rm_fd(self._handle)
        self.poller.stop()
