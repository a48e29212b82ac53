# SPDX-License-Identifier: MPL-2.0
"""Accepting connections: what the listeners of all stream transports share.

Mirrors: src/stream_listener_base.cpp, src/stream_listener_base.hpp, and what tcp_listener and ipc_listener have in
common.
Departs:
- When descriptors or memory run out, or accept fails for another reason that will not pass with the one connection, the
  listener pauses for 100 ms. libzmq is woken again at once, in a loop that takes a whole processor.
- The listening descriptor does not block, so an accept whose connection is gone already cannot stop the thread; this
  holds for one adopted by USE_FD, too.
- A connection refused by a filter is reported with EACCES (libzmq: whatever errno happens to hold), and one that cannot
  be tuned is closed (libzmq: leaked).
- ACCEPTED is sent before the engine may run in another thread, so that it precedes all other events of the connection.
- With BACKLOG left alone the queue is as long as the system allows. Python takes several times as long as C for
  a connection: a hundred places are gone while a hundred handshakes are under way.
- All connections that wait in the backlog are accepted in one event, up to a limit; libzmq accepts one and goes back to
  its poller.

Threads: `set_local_address` runs in the thread that binds, all else in the I/O thread. The owner is the socket; the
sessions of accepted connections are children of the listener, so they end with it.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any, Final

from libzmq_py import ip
from libzmq_py.endpoint import EndpointType, EndpointUriPair, make_unconnected_bind_endpoint_pair
from libzmq_py.engines.make_engine import make_engine
from libzmq_py.io_threads.io_object import IOObject
from libzmq_py.logger import Logger
from libzmq_py.transports.address import SocketEnd
from libzmq_py.transports.transport import Listener

if TYPE_CHECKING:
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.io_threads.poller import Handle
    from libzmq_py.options import Options
    from libzmq_py.transports.transport import SocketHost

_LOG: Final = Logger("libzmq_py.transports")

ACCEPT_TIMER_ID: Final = 1
_ACCEPT_PAUSE: Final = 100
# Connections accepted in one event: as many as the backlog holds by default (BACKLOG), before others have their turn.
_MAX_ACCEPTS: Final = 100
# Failures of accept that concern one connection, which is gone; the next may be accepted at once.
_PASSING: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ECONNABORTED, errno.EPROTO})


class StreamListenerBase(Listener, IOObject):
    """`stream_listener_base_t`. Subclasses open the socket, name its ends, and look at each new connection."""

    def __init__(self, io_thread: IOThread, socket: SocketHost, options: Options) -> None:
        super().__init__(io_thread, options)
        self.plug_into(io_thread)
        self._socket = socket
        # The listening descriptor, from set_local_address to close.
        self._s: Any = None
        self._handle: Handle | None = None
        # True while accepting rests for want of resources.
        self._paused = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint}>"

    # -- what a transport decides -----------------------------------------------------------------------------------

    def get_socket_name(self, sock: socket.socket, end: SocketEnd) -> str:
        """Endpoint text of one end of a socket, "" if it cannot be had."""
        raise NotImplementedError

    def get_own_name(self, sock: socket.socket) -> str:
        """Endpoint text of our end of a connection that was accepted."""
        return self.get_socket_name(sock, SocketEnd.LOCAL)

    def get_peer_name(self, address: Any) -> str:
        """Endpoint text of the address a connection was accepted from."""
        raise NotImplementedError

    def admit(self, sock: socket.socket, address: Any) -> None:
        """Check a new connection against the filters, and tune it.

        Raises:
            OSError: it is not wanted, or not usable (any more); the caller closes it.
        """
        raise NotImplementedError

    # -- life -------------------------------------------------------------------------------------------------------

    def get_local_address(self) -> str:
        """The bound address as the operating system reports it."""
        return "" if self._s is None else self.get_socket_name(self._s, SocketEnd.LOCAL)

    def process_plug(self) -> None:
        """Start to accept."""
        self._handle = self.add_fd(self._listening.fileno())
        self.set_pollin(self._handle)

    def process_term(self, linger: int) -> None:
        """Accept no more, then end the accepted connections."""
        if self._paused:
            self.cancel_timer(ACCEPT_TIMER_ID)
            self._paused = False
        if self._handle is not None:
            self.rm_fd(self._handle)
            self._handle = None
        self.close()
        super().process_term(linger)

    def close(self) -> None:
        """Close the listening descriptor and say so."""
        sock = self._listening
        fd = sock.fileno()
        sock.close()
        self._s = None
        self._socket.event_closed(make_unconnected_bind_endpoint_pair(self.endpoint), fd)

    @property
    def _listening(self) -> socket.socket:
        if self._s is None:
            raise AssertionError(f"{self!r} is not open")
        sock: socket.socket = self._s
        return sock

    @property
    def _backlog(self) -> int:
        """What `listen` is to be called with."""
        options = self.options
        return options.backlog if options.is_set("backlog") else max(options.backlog, socket.SOMAXCONN)

    def _adopt_fd(self) -> None:
        """Take the listening descriptor that USE_FD names; it is ours from now on.

        Raises:
            OSError: it is not open, not a socket, or does not listen (libzmq: abort, once in the I/O thread).
        """
        sock = socket.socket(fileno=self.options.use_fd)
        try:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise OSError(errno.EINVAL, f"descriptor {self.options.use_fd} (USE_FD) does not listen")
            sock.setblocking(False)
        except OSError:
            sock.detach()  # refused: still the caller's
            raise
        self._s = sock

    # -- accepting --------------------------------------------------------------------------------------------------

    def in_event(self) -> None:
        """Accept what has come, then make sessions for it.

        In this order because an accept takes a tenth of the time of the rest, and who finds the backlog full is set
        back for long: over ipc by RECONNECT_IVL, over tcp by the second after which a lost SYN is repeated.
        """
        accepted, error = self._accept_all()
        for sock, address in accepted:
            self._take_in(sock, address)
        if error is not None:
            self._report(error)
            if error.errno not in _PASSING:
                self._pause()

    def _accept_all(self) -> tuple[list[tuple[socket.socket, Any]], OSError | None]:
        """Empty the backlog; what went wrong then, or None if there was just nothing more."""
        accept = self._listening.accept
        accepted: list[tuple[socket.socket, Any]] = []
        try:
            while len(accepted) < _MAX_ACCEPTS:
                accepted.append(accept())
        except OSError as error:
            if not accepted or error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
                return accepted, error
        return accepted, None

    def _take_in(self, sock: socket.socket, address: Any) -> None:
        try:
            ip.unblock_socket(sock)
            self.admit(sock, address)
            self.create_engine(sock, address)
        except OSError as error:
            sock.close()
            self._report(error)

    def timer_event(self, id_: int) -> None:
        """The pause is over."""
        if id_ != ACCEPT_TIMER_ID or self._handle is None:
            raise AssertionError(f"{self!r} has no timer {id_}")
        self._paused = False
        self.set_pollin(self._handle)

    def _pause(self) -> None:
        # The connection stays in the backlog, so the descriptor stays readable: without a pause we would be woken
        # again and again until somebody frees what is missing.
        if self._handle is not None and not self._paused:
            self.reset_pollin(self._handle)
            self.add_timer(_ACCEPT_PAUSE, ACCEPT_TIMER_ID)
            self._paused = True

    def _report(self, error: OSError) -> None:
        _LOG.info("%s: connection not accepted: %s", self.endpoint, error)
        pair = make_unconnected_bind_endpoint_pair(self.endpoint)
        self._socket.event_accept_failed(pair, error.errno or 0)

    def create_engine(self, sock: socket.socket, address: Any) -> None:
        """Hand a connection accepted from `address` to a new session, a child of this listener.

        Raises:
            OSError: the connection is of no use (any more).
        """
        pair = EndpointUriPair(
            self.get_own_name(sock),
            self.get_peer_name(address),
            EndpointType.BIND,
        )
        engine = make_engine(sock, self.options, pair, address)
        io_thread = self.choose_io_thread(self.options.affinity)
        if io_thread is None:
            # This runs in a thread the mask allows, and threads do not go while objects live in them.
            raise AssertionError("no I/O thread, though one runs this")
        session = self._socket.create_session(io_thread, self.options)
        # Counted here, not by send_attach: the session must not end between launch and attach.
        session.inc_seqnum()
        self.launch_child(session)
        self._socket.event_accepted(pair, sock.fileno())
        self.send_attach(session, engine, inc_seqnum=False)
