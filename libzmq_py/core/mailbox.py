# SPDX-License-Identifier: MPL-2.0
"""Where a thread finds the commands sent to its objects: many writers, one reader.

Mirrors: src/mailbox.cpp, src/mailbox.hpp, src/i_mailbox.hpp.
Departs: no writer lock on the path of a command, as `deque.append` is atomic.  libzmq's reader is passive (to be
signalled) whenever it is not reading; ours only while it sleeps or is about to (`arm`), because a signal costs a system
call and with it the GIL.  A mailbox whose descriptor is watched from outside (ZMQ_FD, the reaper) stays armed between
calls: `keep_armed`.

States of the reader: *active* (it looks at `commands` before it does anything else) and *armed* (the token of
`YPipe` lies down; the writer that takes it rings the signaler).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from libzmq_py.core.signaler import MAX_EVENTS, Signaler, bell_lost
from libzmq_py.core.ypipe import YPipe
from libzmq_py.errors import ZMQError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from libzmq_py.core.command import Command


class DirectInput(Protocol):
    """A connection (an engine) that the reader of a mailbox may read in the place of the I/O thread."""

    def read_direct(self) -> None:
        """There is something to read."""

    def give_back_input(self) -> None:
        """Ask the I/O thread to read again."""


class Wakeable(Protocol):
    """The reading end of a pipe."""

    def wake_up(self) -> None:
        """There may be something to read."""


class Mailbox:
    """`send` may be called by any thread, the rest by the reader's thread only."""

    __slots__ = (
        "_asleep",
        "_forsaken",
        "_handled",
        "_signaler",
        "_sync",
        "commands",
        "input_sync",
        "inputs",
        "keep_armed",
    )

    def __init__(self) -> None:
        """Open an empty mailbox.

        Raises:
            OSError: no file descriptor is left.
        """
        self._signaler = Signaler()
        # Reentrant: the collector may run inside `_wake` and close a forgotten socket, which sends a command.
        self._sync = threading.RLock()
        # Its two parts, and not itself: an object less per socket.
        cpipe: YPipe[Command] = YPipe()
        self._asleep = cpipe.asleep
        # Hot path: the reader's truth test of this deque is all that a send or recv pays for commands.
        self.commands: deque[Command] = cpipe.queue
        # True once somebody outside waits on `fd`: the reader then goes back to sleep after each look.
        self.keep_armed = False
        # Connections that the reader's thread reads itself while it waits, by descriptor; see `add_input`.
        self.inputs: dict[int, tuple[DirectInput, Wakeable]] = {}
        # Held while `inputs` are read: the lock of the reader, if it is several threads.
        self.input_sync: AbstractContextManager[Any] = self._sync
        # Signals that have handlers; see `defer_handlers`.
        self._handled: Sequence[int] = ()
        # The wait under way is the last of its thread.
        self._forsaken = False

    @property
    def fd(self) -> int:
        """The descriptor that becomes readable when a command arrives for an armed reader."""
        return self._signaler.fd

    def send(self, command: Command) -> None:
        """Queue a command, and wake the reader if it sleeps.

        Hot path: `_wake` is written out.
        """
        asleep = self._asleep
        try:
            self.commands.append(command)
            if asleep:
                with self._sync:
                    try:
                        asleep.pop()
                        self._signaler.send()
                    except IndexError:
                        pass
        except OSError as error:
            raise bell_lost(error) from error
        except BaseException:
            # Ctrl-C in the main thread between two of the steps: what is queued must be found.
            self.ring()
            raise

    def _wake(self) -> None:
        # The lock is for the end of the mailbox: its reader may have processed our command and be closing.
        with self._sync:
            try:
                self._asleep.pop()
                self._signaler.send()
            except IndexError:
                pass  # another writer took the token and rings
            except OSError as error:
                raise bell_lost(error) from error
            except BaseException:
                # Ctrl-C between the two steps: the token is taken, so the bell must ring.
                self._signaler.send()
                raise

    def wake(self) -> None:
        """Wake the reader, if it still sleeps."""
        self._wake()

    def arm(self) -> bool:
        """Put the reader to sleep; False if a command waits after all (the reader must look before it waits)."""
        if not self._asleep:
            self._asleep.append(True)
        return not self.commands

    def disarm(self) -> None:
        """The reader is awake again: take the token up, if no writer has."""
        if self._asleep:  # a test, as an exception costs more than all the rest
            try:
                self._asleep.pop()
            except IndexError:
                pass

    def silence(self) -> None:
        """Stop the bell: for a reader that has found `fd` readable."""
        with self._sync:  # another thread may be closing the socket
            self._signaler.drain()

    def rearm(self) -> bool:
        """As `arm`, for a watched mailbox: whatever rang before this moment is silenced first."""
        self.silence()
        return self.arm()

    @property
    def rings_for_ever(self) -> bool:
        """True if the bell never fails to ring, however often it is not silenced."""
        return self._signaler.counts

    def recv(self, timeout: int) -> Command | None:
        """The next command, or None after `timeout` milliseconds (0: do not wait, -1: for ever)."""
        deadline = time.monotonic() + timeout / 1000
        remaining = timeout
        while not self.commands and (timeout < 0 or remaining > 0):
            self.wait(remaining)
            if timeout > 0:
                remaining = int((deadline - time.monotonic()) * 1000 + 0.999)
        if not self.commands and (not self.keep_armed or self.rearm()):
            return None
        return self.commands.popleft() if self.commands else None

    def recv_nothing(self) -> None:
        """Go back to sleep if nothing waits (of a watched mailbox); otherwise ring, so that the watcher looks."""
        if not self.rearm():
            self._wake()

    def wait(self, timeout: int) -> None:
        """Wait up to `timeout` milliseconds (-1: for ever) until there is a command, or an input was read.

        It may end early, for a late ring of an earlier wait: the caller looks, and waits again.

        Hot path: a lone message is mostly the way into and out of this wait, so `arm` and `disarm` are written out.
        """
        asleep = self._asleep
        ready: Sequence[tuple[int, int]] = ()
        try:
            if not asleep:
                asleep.append(True)
            if not self.commands:
                poll = self._signaler.poll
                if poll is not None:
                    ready = poll(timeout / 1000 if timeout > 0 else -1, MAX_EVENTS)
                else:
                    ready = self._signaler.wait(timeout)
        except BaseException:
            if self.keep_armed and not self._forsaken:
                self.recv_nothing()
            raise
        finally:
            if asleep and not self.keep_armed and not self._forsaken:
                self.disarm()
        if self.inputs:
            self._read_inputs(ready)

    def defer_handlers(self) -> None:
        """Note which signals have handlers, which are not to run in the middle of what an I/O thread else does.

        Python runs them in its main thread. One that waits for something that an I/O thread does would wait for ever,
        as that thread waits for whoever reads in its place; and KeyboardInterrupt would cost the connection.
        """
        import signal  # not needed before there is a socket

        if hasattr(signal, "pthread_sigmask"):
            self._handled = [number for number in range(1, signal.NSIG) if callable(signal.getsignal(number))]

    def _read_inputs(self, ready: Sequence[tuple[int, int]]) -> None:
        if not self._handled or threading.get_ident() != threading.main_thread().ident:
            self._read_ready(ready)
            return
        from signal import SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, pthread_sigmask

        try:
            before = pthread_sigmask(SIG_BLOCK, self._handled)
        except BaseException:
            # Of a handler that was due. What is there to be read is still there for the next wait.
            pthread_sigmask(SIG_UNBLOCK, self._handled)
            raise
        try:
            self._read_ready(ready)
        finally:
            pthread_sigmask(SIG_SETMASK, before)

    def _read_ready(self, ready: Sequence[tuple[int, int]]) -> None:
        with self.input_sync:
            for fd, _ in ready:
                if fd in self.inputs:
                    connection, pipe = self.inputs[fd]
                    # Its messages come from this very thread, so nobody need wake it.
                    pipe.wake_up()
                    connection.read_direct()

    def add_input(self, fd: int, connection: DirectInput, pipe: Wakeable) -> bool:
        """Have the reader read `connection`, which fills `pipe`, when `fd` is readable while it waits (I/O thread).

        False if it cannot.
        """
        with self._sync:
            if not self._signaler.watches:
                return False
            self.inputs[fd] = connection, pipe
            self._signaler.watch(fd)
        return True

    def remove_input(self, fd: int) -> None:
        """The I/O thread reads again."""
        with self._sync:
            del self.inputs[fd]
            self._signaler.unwatch(fd)

    def give_back_inputs(self) -> None:
        """The reader is about to wait elsewhere, or not at all (reader)."""
        for connection, _ in list(self.inputs.values()):
            connection.give_back_input()

    def ring(self) -> None:
        """End the reader's wait, if it waits, without a command."""
        with self._sync:
            self._signaler.send()

    def mend(self) -> None:
        """Silence the bell; hang up a new one if other code has closed its descriptor: the reader must end in order.

        Raises:
            OSError: no file descriptor is left.
        """
        try:
            self._signaler.drain()
        except ZMQError:
            with self._sync:
                self._signaler = Signaler()

    def forsake(self) -> None:
        """Another thread becomes the reader, for good, while this one waits (a signal handler calls): end that wait.

        It ends with an OSError, or as it would anyway.
        """
        self._forsaken = True
        self._signaler.forsake()

    def close(self) -> None:
        """Free the descriptor; commands still queued are dropped."""
        with self._sync:
            self._signaler.close()
        self.commands.clear()
