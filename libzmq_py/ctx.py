# SPDX-License-Identifier: MPL-2.0
"""The context: composition root of sockets, threads and mailboxes.

Mirrors: src/ctx.cpp, src/ctx.hpp.
Departs: inproc names live in `transports/inproc.py`.

Slots number the mailboxes: 0 is where `terminate` waits, 1 the reaper, then the I/O threads, then one per socket.  A
command is routed by its destination's number alone.  Threads start with the first socket.

Locks: `_slot_sync` guards sockets, free slots and the starting/terminating flags; `_opt_sync` the options;
`send_command` takes none, as the table of slots never changes its length once threads run.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.constants import ContextOption, Errno, SocketOption
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import REAPER_TID, TERM_TID
from libzmq_py.core.thread import ThreadSettings
from libzmq_py.errors import ZMQError, zmq_error
from libzmq_py.io_threads.io_thread import IOThread
from libzmq_py.io_threads.reaper import Reaper
from libzmq_py.sockets import SOCKET_TYPES, SocketFactory
from libzmq_py.transports.inproc import InprocEndpoint, InprocRegistry, PendingConnection

if TYPE_CHECKING:
    from libzmq_py.core.command import Command
    from libzmq_py.sockets.socket_base import SocketBase

_LOG: Final = logging.getLogger("libzmq_py.ctx")

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
_PAIR: Final = 0

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
        self._empty_slots: list[int] = []
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

    def set(self, option: int, value: int) -> None:
        """Set a context option (zmq_ctx_set).

        Raises:
            ZMQError: EINVAL, unknown option or value out of range.
        """
        with self._opt_sync:
            if not self._set(option, value):
                raise zmq_error(errno.EINVAL, f"Invalid argument (context option {_name(option)} = {value!r})")

    def _set(self, option: int, value: int) -> bool:
        minimum = 1 if option == MAX_SOCKETS else 0
        settings = self._thread_settings
        if option == THREAD_NAME_PREFIX:
            settings.name_prefix = str(value)
            return True
        if value < minimum:
            return False
        if option == MAX_SOCKETS and value > _MAX_SOCKETS_LIMIT:
            return False
        if option == THREAD_AFFINITY_CPU_REMOVE and value not in settings.affinity_cpus:
            return False
        setter = {
            IO_THREADS: lambda: setattr(self, "_io_thread_count", value),
            MAX_SOCKETS: lambda: setattr(self, "_max_sockets", value),
            THREAD_PRIORITY: lambda: setattr(settings, "priority", value),
            THREAD_SCHED_POLICY: lambda: setattr(settings, "sched_policy", value),
            MAX_MSGSZ: lambda: setattr(self, "_max_msgsz", value),
            THREAD_AFFINITY_CPU_ADD: lambda: settings.affinity_cpus.add(value),
            THREAD_AFFINITY_CPU_REMOVE: lambda: settings.affinity_cpus.remove(value),
            ZERO_COPY_RECV: lambda: setattr(self, "_zero_copy", bool(value)),
            IPV6: lambda: setattr(self, "_ipv6", bool(value)),
            BLOCKY: lambda: setattr(self, "_blocky", bool(value)),
        }.get(option)
        if setter is None:
            return False
        setter()
        return True

    def get(self, option: int) -> int:
        """Read a context option (zmq_ctx_get).

        Raises:
            ZMQError: EINVAL, unknown or write-only option.
        """
        with self._opt_sync:
            prefix = self._thread_settings.name_prefix
            values: dict[int, int] = {
                IO_THREADS: self._io_thread_count,
                MAX_SOCKETS: self._max_sockets,
                SOCKET_LIMIT: _MAX_SOCKETS_LIMIT,
                THREAD_SCHED_POLICY: self._thread_settings.sched_policy,
                MAX_MSGSZ: self._max_msgsz,
                MSG_T_SIZE: 64,  # of libzmq's zmq_msg_t
                THREAD_NAME_PREFIX: int(prefix) if prefix.isdigit() else 0,
                ZERO_COPY_RECV: int(self._zero_copy),
                IPV6: int(self._ipv6),
                BLOCKY: int(self._blocky),
            }
            if option not in values:
                raise zmq_error(errno.EINVAL, f"Invalid argument (context option {_name(option)} cannot be read)")
            return values[option]

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
        socket_class = SOCKET_TYPES.get(type_)
        if socket_class is None:
            raise zmq_error(errno.EINVAL, f"Invalid argument (socket type {type_!r})")
        with self._slot_sync:
            if self._terminating:
                raise zmq_error(Errno.ETERM)
            if self._starting:
                self._start()
            if not self._empty_slots:
                raise zmq_error(errno.EMFILE, f"Too many open files (MAX_SOCKETS is {self._max_sockets})")
            return self._add_socket(socket_class)

    def _add_socket(self, socket_class: SocketFactory) -> SocketBase:
        """Make a socket in a free slot, under `_slot_sync`."""
        slot = self._empty_slots.pop()
        try:
            socket = socket_class(self, slot, next(_NEXT_SOCKET_ID))
        except OSError as error:
            self._empty_slots.append(slot)
            raise zmq_error(error.errno or errno.EMFILE, f"{error.strerror} (mailbox of a new socket)") from error
        self._sockets.add(socket)
        self._slots[slot] = socket.mailbox
        return socket

    def _start(self) -> None:
        """Start the reaper and the I/O threads, under `_slot_sync`."""
        with self._opt_sync:
            max_sockets, count = self._max_sockets, self._io_thread_count
        first_socket = 2 + count
        self._slots = [None] * (first_socket + max_sockets)
        self._slots[TERM_TID] = self._term_mailbox
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
        for thread in started:
            self._slots[thread.tid] = thread.mailbox
        self.reaper, self._io_threads = reaper, started[1:]
        self._start_threads(started)
        # A stack with the lowest number on top.
        self._empty_slots = list(range(len(self._slots) - 1, first_socket - 1, -1))
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
        for index, io_thread in enumerate(self._io_threads):
            if (not affinity or affinity >> index & 1) and (best is None or io_thread.load < best.load):
                best = io_thread
        return best

    def send_command(self, tid: int, command: Command) -> None:
        """Put a command into a mailbox."""
        mailbox = self._slots[tid]
        if mailbox is not None:
            mailbox.send(command)

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

    def has_endpoint(self, addr: str) -> bool:
        """True if an inproc name is bound."""
        return self.inproc.has_endpoint(addr)

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

        Then the threads stop.

        Ctrl-C breaks the wait; the call may be repeated.
        """
        with self._slot_sync:
            self._stop_sockets()
            started = not self._starting
        # After the flag is set: a connect that is parked later sees it (`pend_connection`). libzmq does this first, and
        # a connect in between keeps it waiting for ever.
        self._connect_parked()
        if started and self.reaper is not None:
            # For `done`, which stays in the mailbox, as this call may be interrupted anywhere and repeated.
            self._term_mailbox.wait(-1)
            for io_thread in self._io_threads:
                io_thread.stop()
            for io_thread in self._io_threads:
                io_thread.join()
            self.reaper.join()
            self._io_threads = []
            self.reaper = None
        self._term_mailbox.close()

    def _connect_parked(self) -> None:
        """Give every parked inproc connect a peer that closes at once, so that it can end."""
        for name in self.inproc.pending_names():
            with self._slot_sync:
                if not self._sockets:
                    return  # somebody else was quicker, and the reaper may be gone
                if not self._empty_slots:
                    # Beyond MAX_SOCKETS, as the user's sockets cannot end without it. Appending moves no other slot.
                    self._slots.append(None)
                    self._empty_slots.append(len(self._slots) - 1)
                socket = self._add_socket(SOCKET_TYPES[_PAIR])
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
