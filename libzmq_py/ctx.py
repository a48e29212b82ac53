# SPDX-License-Identifier: MPL-2.0
"""The context: composition root of sockets, threads and mailboxes.

Mirrors: src/ctx.cpp, src/ctx.hpp.
Departs: inproc names live in `transports/inproc.py`.  Slots are made when they are needed, not MAX_SOCKETS at once.

Slots number the mailboxes: 0 is where `terminate` waits, 1 the reaper, then the I/O threads, then one per socket.  A
command is routed by its destination's number alone.  Threads start with the first socket.

Locks: `_slot_sync` guards sockets, slots and the starting/terminating flags; `_opt_sync` the options; `send_command`
takes none, as a slot never moves once it is in the table, and to read an item of a list is atomic while others append.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from libzmq_py import ip
from libzmq_py.constants import ContextOption, Errno, SocketOption
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import REAPER_TID
from libzmq_py.core.thread import ThreadSettings
from libzmq_py.errors import ZMQError, zmq_error
from libzmq_py.io_threads.io_thread import IOThread
from libzmq_py.io_threads.reaper import Reaper
from libzmq_py.logger import Logger
from libzmq_py.sockets import SocketFactory, find_socket_type
from libzmq_py.sockets.undelivered import describe
from libzmq_py.transports.inproc import InprocEndpoint, InprocRegistry, PendingConnection

if TYPE_CHECKING:
    from libzmq_py.core.command import Command
    from libzmq_py.sockets.socket_base import SocketBase

_LOG: Final = Logger("libzmq_py.ctx")

IO_THREADS: Final = 1
MAX_SOCKETS: Final = 2
SOCKET_LIMIT: Final = 3
THREAD_PRIORITY: Final = 3
THREAD_SCHED_POLICY: Final = 4
MAX_MSGSZ: Final = 5
MSG_T_SIZE: Final = 6
THREAD_AFFINITY_CPU_ADD: Final = 7
THREAD_AFFINITY_CPU_REMOVE: Final = 8
THREAD_NAME_PREFIX: Final = 9
ZERO_COPY_RECV: Final = 10
IPV6: Final = 42
BLOCKY: Final = 70

_MAX_SOCKETS_LIMIT: Final = 65535
#: What the operating system has for the name of a thread, its end included.
_NAME_PREFIX_MAX: Final = 16
#: Options that are numbers, and that are yes or no, and where they are kept.
_STORED: Final = {IO_THREADS: "_io_thread_count", MAX_SOCKETS: "_max_sockets", MAX_MSGSZ: "_max_msgsz"}
_FLAGS: Final = {ZERO_COPY_RECV: "_zero_copy", IPV6: "_ipv6", BLOCKY: "_blocky"}
_PAIR: Final = 0
#: Milliseconds after which a wait for the end is worth a word.
_TERM_PATIENCE: Final = 1000

# Socket ids are unique in the process; the first is 1.
_NEXT_SOCKET_ID: Final = itertools.count(1)


class Ctx:
    """`ctx_t`. Every method may be called by any thread."""

    def __init__(self) -> None:
        """Make a context; its threads start with its first socket (zmq_ctx_new).

        Raises:
            ZMQError: EMFILE, no file descriptor is left.
        """
        # Reentrant, as the collector may run anywhere and close what the user forgot.
        self._slot_sync = threading.RLock()
        self._opt_sync = threading.Lock()
        self._starting = True
        self._terminating = False
        self._sockets: set[SocketBase] = set()
        self._slots: list[Mailbox | None] = []
        # Slots of sockets that have ended; the last to become free is the next to be used.
        self._empty_slots: list[int] = []
        # Length that the table of slots may reach.
        self._slot_limit = 0
        self._io_threads: list[IOThread] = []
        self.reaper: Reaper | None = None
        try:
            self._term_mailbox = Mailbox()
        except OSError as error:
            raise zmq_error(error.errno or errno.EMFILE, f"{error.strerror} (mailbox of a new context)") from error
        self.inproc = InprocRegistry()
        self._thread_settings = ThreadSettings()
        self._io_thread_count = 1
        self._max_sockets = 1023
        self._max_msgsz = 2**31 - 1
        self._ipv6 = False
        self._blocky = True
        self._zero_copy = True

    # -- options ----------------------------------------------------------------------------------------------------

    def set(self, option: int, value: int | bytes) -> None:
        """Set a context option (zmq_ctx_set; with bytes, which THREAD_NAME_PREFIX takes, zmq_ctx_set_ext).

        Raises:
            ZMQError: EINVAL, unknown option or value out of range.
        """
        with self._opt_sync:
            if not (self._set_int(option, int(value)) if isinstance(value, int) else self._set_bytes(option, value)):
                raise zmq_error(errno.EINVAL, f"Invalid argument (context option {_name(option)} = {value!r})")

    def _set_int(self, option: int, value: int) -> bool:
        settings = self._thread_settings
        if option == THREAD_NAME_PREFIX:
            settings.name_prefix = str(value)
            return True
        if value < (1 if option == MAX_SOCKETS else 0):
            return False
        if option in _STORED:
            setattr(self, _STORED[option], value)
        elif option in _FLAGS:
            setattr(self, _FLAGS[option], value != 0)
        elif option == THREAD_PRIORITY:
            settings.priority = value
        elif option == THREAD_SCHED_POLICY:
            settings.sched_policy = value
        elif option == THREAD_AFFINITY_CPU_ADD:
            settings.affinity_cpus.add(value)
        elif option == THREAD_AFFINITY_CPU_REMOVE and value in settings.affinity_cpus:
            settings.affinity_cpus.remove(value)
        else:
            return False
        return True

    def _set_bytes(self, option: int, value: bytes) -> bool:
        if option != THREAD_NAME_PREFIX or not 0 < len(value) <= _NAME_PREFIX_MAX:
            return False
        self._thread_settings.name_prefix = value.decode("utf-8", "replace")
        return True

    def get(self, option: int) -> int:
        """Read a context option (zmq_ctx_get).

        Raises:
            ZMQError: EINVAL, unknown or write-only option.
        """
        with self._opt_sync:
            values: dict[int, int] = {
                SOCKET_LIMIT: _MAX_SOCKETS_LIMIT,
                THREAD_SCHED_POLICY: self._thread_settings.sched_policy,
                MSG_T_SIZE: 64,  # of libzmq's zmq_msg_t
                THREAD_NAME_PREFIX: ip.atoi(self._thread_settings.name_prefix),
                **{number: getattr(self, attribute) for number, attribute in _STORED.items()},
                **{number: int(getattr(self, attribute)) for number, attribute in _FLAGS.items()},
            }
            if option not in values:
                raise zmq_error(errno.EINVAL, f"Invalid argument (context option {_name(option)} cannot be read)")
            return values[option]

    def get_ext(self, option: int) -> int | bytes:
        """Read a context option, THREAD_NAME_PREFIX as bytes (zmq_ctx_get_ext).

        Raises:
            ZMQError: EINVAL, unknown or write-only option.
        """
        if option != THREAD_NAME_PREFIX:
            return self.get(option)
        with self._opt_sync:
            return self._thread_settings.name_prefix.encode()

    @property
    def default_ipv6(self) -> bool:
        """What a new socket's IPV6 option starts with."""
        return self._ipv6

    @property
    def default_linger(self) -> int:
        """What a new socket's LINGER option starts with, in milliseconds."""
        return -1 if self._blocky else 0

    # -- sockets ----------------------------------------------------------------------------------------------------

    def create_socket(self, type_: int) -> SocketBase:
        """Create a socket, starting the threads if it is the first (zmq_socket).

        Raises:
            ZMQError: EINVAL for an unknown type, ETERM while terminating, EMFILE when MAX_SOCKETS are open or no file
                descriptor is left.
        """
        socket_class = find_socket_type(type_)
        if socket_class is None:
            raise zmq_error(errno.EINVAL, f"Invalid argument (socket type {type_!r})")
        with self._slot_sync:
            if self._terminating:
                raise zmq_error(Errno.ETERM)
            if self._starting:
                self._start()
            if not self._empty_slots and len(self._slots) >= self._slot_limit:
                raise zmq_error(errno.EMFILE, f"Too many open files (MAX_SOCKETS is {self._max_sockets})")
            return self._add_socket(socket_class)

    def _add_socket(self, socket_class: SocketFactory) -> SocketBase:
        """Make a socket in a free slot, or a new one, under `_slot_sync`."""
        if not self._empty_slots:
            self._empty_slots.append(len(self._slots))
            self._slots.append(None)
        slot = self._empty_slots.pop()
        try:
            socket = socket_class(self, slot, next(_NEXT_SOCKET_ID))
        except OSError as error:
            self._empty_slots.append(slot)
            raise zmq_error(error.errno or errno.EMFILE, f"{error.strerror} (mailbox of a new socket)") from error
        self._sockets.add(socket)
        self._slots[slot] = socket.mailbox
        return socket

    def sockets(self) -> list[SocketBase]:
        """All sockets that have not ended, the closed ones that still deliver among them."""
        with self._slot_sync:
            return list(self._sockets)

    def _start(self) -> None:
        """Start the reaper and the I/O threads, under `_slot_sync`."""
        with self._opt_sync:
            max_sockets, count = self._max_sockets, self._io_thread_count
        first_socket = 2 + count
        started: list[IOThread] = []
        try:
            reaper = Reaper(self, REAPER_TID)
            started.append(reaper)
            for tid in range(2, first_socket):
                started.append(IOThread(self, tid))
        except OSError as error:
            for thread in started:
                thread.discard()
            raise zmq_error(error.errno or errno.EMFILE, f"{error.strerror} (starting the context)") from error
        self._slots = [self._term_mailbox, *(thread.mailbox for thread in started)]
        self._slot_limit = first_socket + max_sockets
        self.reaper, self._io_threads = reaper, started[1:]
        self._start_threads(started)
        self._starting = False

    def _start_threads(self, threads: list[IOThread]) -> None:
        running: list[IOThread] = []
        try:
            for thread in threads:
                thread.start("Reaper" if thread is self.reaper else f"IO/{thread.tid - 2}", self._thread_settings)
                running.append(thread)
        except RuntimeError as error:
            for thread in threads:
                if thread in running:
                    thread.stop()
                    thread.join()
                else:
                    thread.discard()
            self.reaper, self._io_threads = None, []
            self._term_mailbox.commands.clear()  # the reaper's `done`
            raise zmq_error(errno.ENOMEM, f"{os.strerror(errno.ENOMEM)} (starting the context: {error})") from error

    def destroy_socket(self, socket: SocketBase) -> None:
        """A socket has ended (reaper thread)."""
        with self._slot_sync:
            self._slots[socket.tid] = None
            self._empty_slots.append(socket.tid)
            self._sockets.discard(socket)
            if self._terminating and not self._sockets and self.reaper is not None:
                self.reaper.stop()

    def choose_io_thread(self, affinity: int) -> IOThread | None:
        """The least loaded thread whose bit is set in `affinity` (0: of all), the first of equals; None if none."""
        best: IOThread | None = None
        least = 0
        for index, io_thread in enumerate(self._io_threads):
            if not affinity or affinity >> index & 1:
                load = io_thread.poller.load
                if best is None or load < least:
                    best, least = io_thread, load
        return best

    def send_command(self, tid: int, command: Command) -> None:
        """Put a command into a mailbox."""
        mailbox = self._slots[tid]
        if mailbox is not None:
            mailbox.send(command)

    def post_command(self, tid: int, command: Command) -> Mailbox | None:
        """Put a command into a mailbox and leave the bell alone: the mailbox, if its reader is to be woken."""
        mailbox = self._slots[tid]
        if mailbox is None:
            return None
        mailbox.commands.append(command)
        return mailbox if mailbox._asleep else None

    # -- inproc (see transports/inproc.py) --------------------------------------------------------------------------

    def register_endpoint(self, addr: str, endpoint: InprocEndpoint) -> None:
        """Bind an inproc name."""
        self.inproc.register_endpoint(addr, endpoint)

    def unregister_endpoint(self, addr: str, socket: Any) -> bool:
        """Free an inproc name."""
        return self.inproc.unregister_endpoint(addr, socket)

    def unregister_endpoints(self, socket: Any) -> None:
        """Free every inproc name of a socket."""
        self.inproc.unregister_endpoints(socket)

    def find_endpoint(self, addr: str) -> InprocEndpoint | None:
        """The endpoint of an inproc name."""
        return self.inproc.find_endpoint(addr)

    def pend_connection(self, addr: str, pending: PendingConnection) -> None:
        """Park an inproc connect. While the context ends it must not wait for a bind that cannot come."""
        self.inproc.pend_connection(addr, pending)
        if self._terminating:
            self._connect_parked()

    def connect_pending(self, addr: str, socket: Any) -> None:
        """Join the connects parked under a name."""
        self.inproc.connect_pending(addr, socket)

    # -- the end ----------------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """End every blocking call with ETERM; sockets can only be closed from now on (zmq_ctx_shutdown)."""
        with self._slot_sync:
            self._stop_sockets()

    def _stop_sockets(self) -> None:
        """Under `_slot_sync`; the second call does nothing."""
        if self._terminating:
            return
        self._terminating = True
        if self._starting:
            return
        for socket in self._sockets:
            socket.stop()
        if not self._sockets and self.reaper is not None:
            self.reaper.stop()

    def terminate(self) -> None:
        """End the context (zmq_ctx_term): wait for every socket to be closed and to linger out.

        Then the threads stop. After a second, and then ten times as long each time, the log says what the wait is for.

        Ctrl-C breaks the wait; the call may be repeated.
        """
        with self._slot_sync:
            self._stop_sockets()
            started = not self._starting
        # After the flag is set: a connect that is parked later sees it (`pend_connection`). libzmq does this first, and
        # a connect in between keeps it waiting for ever.
        self._connect_parked()
        if started and self.reaper is not None:
            self._wait_for_done()
            for io_thread in self._io_threads:
                io_thread.stop()
            for io_thread in self._io_threads:
                io_thread.join()
            self.reaper.join()
            self._io_threads = []
            self.reaper = None
        self._term_mailbox.close()

    def _wait_for_done(self) -> None:
        """Wait for `done`, which stays in the mailbox, as this call may be interrupted anywhere and repeated."""
        mailbox = self._term_mailbox
        patience = _TERM_PATIENCE
        mailbox.wait(patience)
        while not mailbox.commands:
            reasons = describe(self.sockets())
            if reasons:
                _LOG.warning("term() has been waiting for %d s:\n%s", patience // 1000, reasons)
            mailbox.wait(9 * patience)
            patience *= 10

    def _connect_parked(self) -> None:
        """Give every parked inproc connect a peer that closes at once, so that it can end."""
        names = self.inproc.pending_names()
        pair = find_socket_type(_PAIR) if names else None
        for name in names:
            if pair is None:
                raise AssertionError("PAIR is always there")
            with self._slot_sync:
                if not self._sockets:
                    return  # somebody else was quicker, and the reaper may be gone
                # Beyond MAX_SOCKETS if need be, as the user's sockets cannot end without it.
                socket = self._add_socket(pair)
            try:
                socket.bind(name)
            except ZMQError as error:
                # Somebody has bound it in the meantime, and so joined what was parked.
                _LOG.debug("= %s is bound already: %s", name, error)
            socket.close()


def _name(option: int) -> str:
    """The name of a context option, or its number as text."""
    if option in (SocketOption.IPV6, SocketOption.BLOCKY):
        return SocketOption(option).name
    return ContextOption(option).name if option in ContextOption._value2member_map_ else str(option)
