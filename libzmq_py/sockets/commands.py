# SPDX-License-Identifier: MPL-2.0
"""A socket's mailbox: who waits on it and processes the commands, from the first call to the reaper's last.

Mirrors: of src/socket_base.cpp: process_commands, stop, close, start_reaping, in_event, check_destroy, process_term.
Departs:
- Several threads may call, so one at a time waits on the mailbox, and tells the others.
- Commands are looked for before every send and recv (a truth test of the mailbox), not every 100th time or millisecond,
  so a credit that has arrived is never overlooked.

Second part of `SocketBase`, on top of `runs.py`.

Threads: the caller's, one at a time, until `close`; then the reaper's. `tid` stays the same.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Mapping
from threading import Condition, RLock, get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from libzmq_py.constants import Errno
from libzmq_py.core.array import Array
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import ACTIVATE_READ
from libzmq_py.core.pipe import Pipe
from libzmq_py.core.signaler import Signaler, bell_lost
from libzmq_py.errors import zmq_error
from libzmq_py.logger import Logger
from libzmq_py.sockets.runs import SocketRuns

if TYPE_CHECKING:
    from libzmq_py.io_threads.poller import Handle, Poller
    from libzmq_py.sockets.monitor import Monitor

_LOG: Final = Logger("libzmq_py.socket")
# Stands in for the mailbox's deque once the context ends or the socket is closed: always true, so every call takes the
# path that checks.
_ALWAYS: Final = deque([None])


class _Absent:
    """Of a thread that does not wait to be told."""


_ABSENT: Final = _Absent()


class PollWait:
    """What a wait for several things is to one of the sockets waited for.

    Attributes:
        fd: what to wait for; -1 before.
        bell: whose `fd` it is, where it is not the mailbox's.
    """

    __slots__ = ("bell", "fd", "outer", "outer_watcher")

    def __init__(self) -> None:
        self.fd = -1
        self.bell: Signaler | None = None
        # What the thread did with the socket when a signal interrupted it, whose handler polls.
        self.outer: PollWait | _Absent | None = _ABSENT
        self.outer_watcher = 0

    def watch(self, fd: int, outer_watcher: int) -> None:
        """The thread itself watches the mailbox."""
        self.outer_watcher = outer_watcher
        self.fd = fd

    def hang_up_bell(self, outer: PollWait | _Absent | None) -> None:
        """Another thread watches the mailbox, and tells this one.

        Raises:
            ZMQError: EMFILE, no descriptor is left.
        """
        try:
            self.bell = Signaler()
        except OSError as error:
            raise zmq_error(error.errno or errno.EMFILE) from error
        self.outer = outer
        self.fd = self.bell.fd

    def ring(self) -> None:
        """There may be something to look at."""
        if self.bell is not None:
            self.bell.send()


class SocketCommands(SocketRuns):
    """The part of `SocketBase` that processes commands, and ends."""

    mailbox: Mailbox
    # Held during each call, but not while it waits.
    _sync: RLock
    # Hot path: what send and recv test before anything else.
    _commands: deque[Any]
    _condition: Condition | None = None
    # The thread that waits on the mailbox, or polls its descriptor (0: none does). Those that wait to be told, with the
    # wait of a poll, which has a bell of its own: two threads cannot wait for one, as either may silence it.
    _watcher = 0
    _others: Mapping[int, PollWait | None] = MappingProxyType({})
    _ctx_terminated = False
    _closed = False
    _destroyed = False
    _reaper_poller: Poller | None = None
    _reaper_handle: Handle | None = None

    # Of other parts: what ends with the socket.
    _monitor: Monitor
    _pipes: Array[Pipe]
    _endpoints: dict[str, Any]
    _rcv_parts: deque[Any]

    def process_commands(self, timeout: int) -> None:
        """Process what is in the mailbox, waiting up to `timeout` ms (-1: for ever) for something to process.

        The wait may end early. Meanwhile other threads may use the socket; one at a time waits on the mailbox, and
        tells the others. While it waits it may run a signal handler, which may do anything with the socket: wait for
        something else, close it.

        Hot path: nothing lies between a wait and the command that ended it.

        Raises:
            ContextTerminated: the context has ended.
            ZMQError: ENOTSOCK, another thread, or a signal handler, has closed the socket.
        """
        if self._closed:
            self._refuse_closed()
        if self.in_run is not None or self.out_run is not None:
            self._settle_runs()
        mailbox = self.mailbox
        commands = mailbox.commands
        silenced = False
        if timeout and not commands:
            watcher: int = self._watcher
            me = get_ident()
            if watcher not in (0, me):
                self._wait_to_be_told(timeout)
            else:
                self._watcher = me
                # As Condition.wait does it: the lock may be held several times over.
                held = self._sync._release_save()  # type: ignore[attr-defined]
                try:
                    mailbox.wait(timeout)
                except OSError as error:
                    if not self._closed:
                        raise bell_lost(error) from error
                finally:
                    self._sync._acquire_restore(held)  # type: ignore[attr-defined]
                    self._watcher = watcher
                    if watcher or self._others or self._closed:
                        self._tell_others()
                if self._closed:
                    self._refuse_closed()
            if self.in_run is not None or self.out_run is not None:
                self._settle_runs()  # of those who used the socket meanwhile
        elif commands and (self._watcher or self._others):
            self._tell_others()
            silenced = mailbox.keep_armed
        while commands or (mailbox.keep_armed and not mailbox.rearm()):
            while commands:
                command = commands.popleft()
                if command[1] is ACTIVATE_READ:  # Hot path: the frequent one
                    command[0].process_activate_read()
                else:
                    command[0].process_command(command)
        if silenced:
            self._tell_others()  # `rearm` has silenced the bell, perhaps before they heard it
        if self._ctx_terminated:
            raise zmq_error(Errno.ETERM)

    def _wait_to_be_told(self, timeout: int) -> None:
        me = get_ident()
        outer = self._others.get(me, _ABSENT)
        self._stand_by(me, None)
        try:
            self._changed.wait(None if timeout < 0 else timeout / 1000)
        finally:
            self._stand_by_again(me, outer)
            if self._others or self._closed:
                self._changed.notify_all()
        if self._closed:
            self._refuse_closed()

    @property
    def _changed(self) -> Condition:
        """What threads wait for while another one waits on the mailbox; under `_sync`, made when it is needed."""
        if self._condition is None:
            self._condition = Condition(self._sync)
        return self._condition

    def _stand_by(self, me: int, wait: PollWait | _Absent | None) -> None:
        """This thread waits to be told: on `_changed`, with the bell of a poll, or no longer."""
        others = dict(self._others)
        others.pop(me, None)
        if not isinstance(wait, _Absent):
            others[me] = wait
        self._others = others

    def _stand_by_again(self, me: int, outer: PollWait | _Absent | None) -> None:
        """After a wait in a signal handler: the wait that it interrupted may have missed something."""
        self._stand_by(me, outer)
        if isinstance(outer, PollWait):
            outer.ring()

    def _tell_others(self) -> None:
        """What other threads wait for may have come: they look themselves."""
        self._changed.notify_all()
        for wait in self._others.values():
            if wait is not None:
                wait.ring()
        if self._watcher or self.mailbox.keep_armed:
            self.mailbox.ring()

    def begin_poll(self, wait: PollWait) -> bool:
        """This thread is about to wait for `wait.fd`, with others; False if there are commands to look at first.

        Raises:
            ZMQError: ENOTSOCK, another thread has closed the socket; EMFILE, no descriptor for a bell.
        """
        me = get_ident()
        with self._sync:
            if self._closed:
                self._refuse_closed()
            if self._watcher not in (0, me):
                wait.hang_up_bell(self._others.get(me, _ABSENT))
                self._stand_by(me, wait)
                return not self.mailbox.commands
            wait.watch(self.mailbox.fd, self._watcher)
            self._watcher = me
            return self.mailbox.arm()

    def end_poll(self, wait: PollWait, rang: bool) -> None:
        """The wait is over, or did not begin; `rang`: `wait.fd` was readable."""
        mailbox = self.mailbox
        with self._sync:
            if wait.fd < 0:
                return  # nor did begin_poll
            if wait.bell is not None:
                self._stand_by_again(get_ident(), wait.outer)
                wait.bell.close()
                if self._closed:
                    self._changed.notify_all()
                return
            self._watcher = wait.outer_watcher
            if mailbox.keep_armed:
                mailbox.recv_nothing()
            else:
                if rang:
                    mailbox.silence()
                if not wait.outer_watcher:
                    mailbox.disarm()
            if wait.outer_watcher or self._others or self._closed:
                self._tell_others()

    def arm_fd(self) -> None:
        """From now on the mailbox's descriptor is watched from outside: ring it for every command."""
        with self._sync:
            self.mailbox.keep_armed = True
            self.mailbox.recv_nothing()

    # -- what every call looks at first -----------------------------------------------------------------------------

    def _refuse_closed(self) -> NoReturn:
        raise zmq_error(Errno.ENOTSOCK, "Socket operation on non-socket (closed meanwhile)")

    def _check_terminated(self) -> None:
        if self._closed:
            self._refuse_closed()
        self._settle_runs()
        if self._ctx_terminated:
            raise zmq_error(Errno.ETERM)

    # -- the end ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The context ends. Any thread."""
        self.send_stop()

    def process_stop(self) -> None:
        """Every call fails with ETERM from now on, messages left or not; close() alone works."""
        self._monitor.stop()
        self._ctx_terminated = True
        self._commands = _ALWAYS

    @property
    def closed(self) -> bool:
        """True once `close` was called."""
        return self._closed

    def close(self) -> None:
        """Hand the socket to the reaper (zmq_close). Returns at once; the socket must not be used any more."""
        with self._sync:
            self._closed = True
            self._settle_runs()
            me = get_ident()
            while {self._watcher, *self._others} - {0, me}:
                self._tell_others()
                self._changed.wait(0.01)
            # Who still has this socket (a proxy in another thread, say) learns of it at its next call.
            self._commands = _ALWAYS
            if self._watcher == me:
                # In a signal handler. The wait that it interrupts must end when the handler returns, although the
                # reaper reads the mailbox from now on.
                self.mailbox.forsake()
        self.send_reap(self)

    def start_reaping(self, poller: Poller) -> None:
        """The reaper takes over (reaper thread)."""
        self._reaper_poller = poller
        self.mailbox.mend()
        self._reaper_handle = poller.add_fd(self.mailbox.fd, self)
        poller.set_pollin(self._reaper_handle)
        self.mailbox.keep_armed = True
        self.terminate()
        self.in_event()

    def in_event(self) -> None:
        """Commands for a closed socket (reaper thread)."""
        mailbox = self.mailbox
        mailbox.disarm()
        command = mailbox.recv(0)
        while command is not None:
            try:
                command[0].process_command(command)
            except Exception:  # noqa: BLE001
                # A defect of ours must not keep the socket, and with it term(), from ending.
                _LOG.exception("command %s to %r failed", command[1].value, command[0])
            command = None if self._destroyed else mailbox.recv(0)
        self._check_destroy()

    def out_event(self) -> None:
        """Never: the mailbox is only read."""
        raise AssertionError("a socket does not wait to write")

    def timer_event(self, id_: int) -> None:
        """Never: sockets have no timers."""
        raise AssertionError("a socket has no timers")

    def process_term(self, linger: int) -> None:
        """End the pipes first, so that a session sees its pipe end before it is told to end itself."""
        self.ctx.unregister_endpoints(self)
        pipes = list(self._pipes.items)
        self.register_term_acks(len(pipes))
        for pipe in pipes:
            pipe.send_disconnect_msg()
            pipe.terminate(False)
        super().process_term(linger)

    def process_destroy(self) -> None:
        """Everything has acknowledged; the reaper does the rest."""
        self._destroyed = True

    def _check_destroy(self) -> None:
        if not self._destroyed or self._reaper_poller is None or self._reaper_handle is None:
            return
        self._reaper_poller.rm_fd(self._reaper_handle)
        self._reaper_poller = self._reaper_handle = None
        self._monitor.stop()
        self.ctx.destroy_socket(self)
        self.send_reaped()
        self.mailbox.close()
        self._endpoints.clear()
        self._rcv_parts.clear()
