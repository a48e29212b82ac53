# SPDX-License-Identifier: MPL-2.0
"""Making connections: what the connecters of all stream transports share.

Mirrors: src/stream_connecter_base.cpp, src/stream_connecter_base.hpp, and what tcp_connecter and ipc_connecter have in
common.
Departs:
- A connection that cannot be tuned is closed, with a CLOSED event (libzmq: leaked).
- RECONNECT_STOP is heeded by every failed attempt; libzmq overlooks it when connect itself fails at once (on Linux it
  never does, for tcp).
- CONNECTED is sent before the engine may run in another thread, so that it precedes all other events of the connection.
- Whether the attempt is over is asked once before it is waited for: over the loopback it is.
- The jitter comes from the system's random source; libzmq's rand() is the same in every process.

    process_plug ──▶ start_connecting ──open──▶ in progress ──out_event──▶ connected: engine to the session, terminate
         │                 ▲                         │
         └─(delayed)─▶ add_reconnect_timer ◀─close── failed (also: name not resolved, no descriptor, time-out)

Out of descriptors is a failed attempt like any other. With RECONNECT_IVL below 1 the first failure is the last: the
connecter stays, idle, until its session ends it.

Threads: the session's I/O thread. A session makes a new connecter after each lost connection, so the
back-off starts over with every connection that was made, whatever became of it.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.core.own import Own
from libzmq_py.endpoint import EndpointType, EndpointUriPair, make_unconnected_connect_endpoint_pair
from libzmq_py.engines.make_engine import make_engine
from libzmq_py.io_threads.io_object import IOObject
from libzmq_py.logger import Logger
from libzmq_py.random import generate_random

if TYPE_CHECKING:
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.io_threads.poller import Handle
    from libzmq_py.options import Options
    from libzmq_py.transports.address import Address
    from libzmq_py.transports.transport import SessionHost

_LOG: Final = Logger("libzmq_py.transports")

RECONNECT_TIMER_ID: Final = 1
_INT_MAX: Final = 2**31 - 1


class StreamConnecterBase(Own, IOObject):
    """`stream_connecter_base_t`. Subclasses open the socket, tune it, and name its local end."""

    # The socket of the attempt under way, and what it is known to be connected to.
    _s: Any = None
    _peer: Any = None
    _handle: Handle | None = None
    _reconnect_timer_started = False
    # Last delay without jitter, -1 before the first.
    _current_reconnect_ivl = -1

    def __init__(
        self, io_thread: IOThread, session: SessionHost, options: Options, addr: Address, delayed_start: bool
    ) -> None:
        super().__init__(io_thread, options)
        self.plug_into(io_thread)
        self._addr = addr
        # Opaque: only commands go there.
        self._session: Any = session
        self._socket = session.socket
        # Wait before the first attempt, as after a connection that was lost.
        self._delayed_start = delayed_start
        # What the events of this connecter carry.
        self.endpoint = addr.to_string()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint}>"

    # -- what a transport decides -----------------------------------------------------------------------------------

    def open(self) -> bool:
        """Open `_s` and connect it, without waiting.

        Returns:
            True if it is connected, False if that is under way.

        Raises:
            OSError: the attempt has failed; `_s` may be open.
        """
        raise NotImplementedError

    def tune_socket(self, sock: socket.socket) -> None:
        """Set the options of a connection just made.

        Raises:
            OSError: it is of no use (any more).
        """

    def get_local_address(self, sock: socket.socket) -> str:
        """Endpoint text of the local end, "" if it cannot be had."""
        raise NotImplementedError

    def add_connect_timer(self) -> None:
        """Limit the time of the attempt that is under way."""

    def cancel_connect_timer(self) -> None:
        """The attempt is over."""

    def give_up(self, error: OSError) -> bool:
        """End trying, if RECONNECT_STOP says so of this failure; False to try again. The socket is still open."""
        return False

    # -- life -------------------------------------------------------------------------------------------------------

    def process_plug(self) -> None:
        """Start, or wait first."""
        if self._delayed_start:
            self.add_reconnect_timer()
        else:
            self.start_connecting()

    def process_term(self, linger: int) -> None:
        """Drop the attempt under way."""
        self.cancel_connect_timer()
        if self._reconnect_timer_started:
            self.cancel_timer(RECONNECT_TIMER_ID)
            self._reconnect_timer_started = False
        self._rm_handle()
        self.close()
        super().process_term(linger)

    def close(self) -> None:
        """Close the socket of an attempt that came to nothing, if there is one, and say so."""
        if self._s is not None:
            fd = self._s.fileno()
            self._s.close()
            self._s = None
            self._socket.event_closed(make_unconnected_connect_endpoint_pair(self.endpoint), fd)

    def _rm_handle(self) -> None:
        if self._handle is not None:
            self.rm_fd(self._handle)
            self._handle = None

    # -- one attempt ------------------------------------------------------------------------------------------------

    def start_connecting(self) -> None:
        """Make one attempt."""
        try:
            connected = self.open()
            if not connected:
                pair = make_unconnected_connect_endpoint_pair(self.endpoint)
                self._socket.event_connect_delayed(pair, errno.EINPROGRESS)
                connected = self._came_through(self._s)
            if not connected:
                self._handle = self.add_fd(self._s.fileno())
                self.set_pollout(self._handle)
        except OSError as error:
            self._rm_handle()
            self._attempt_failed(error)
            return
        if connected:
            self._finish_connecting()
        else:
            self.add_connect_timer()

    def _came_through(self, sock: socket.socket) -> bool:
        """True if what was under way a moment ago is done, as it is over the loopback: there is nothing to wait for."""
        try:
            self._peer = sock.getpeername()
        except OSError:
            self._peer = None
            return False  # whether it has failed is found by who waits
        return True

    def in_event(self) -> None:
        """Not waited for: there is an error, which `out_event` finds."""
        self.out_event()

    def out_event(self) -> None:
        """The attempt is over, one way or the other."""
        self.cancel_connect_timer()
        self._rm_handle()
        self._finish_connecting()

    def _finish_connecting(self) -> None:
        sock = self._s
        try:
            self._check_connection(sock)
            self.create_engine(sock, self.get_local_address(sock))
        except OSError as error:
            self._attempt_failed(error)

    def _check_connection(self, sock: socket.socket) -> None:
        if self._peer is None:  # else it has come through
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
        self.tune_socket(sock)

    def _attempt_failed(self, error: OSError) -> None:
        _LOG.debug("%s: not connected: %s", self.endpoint, error)
        if not self.give_up(error):
            self.close()
            self.add_reconnect_timer()

    def create_engine(self, sock: socket.socket, local_address: str) -> None:
        """Hand the connection to the session, and end.

        Raises:
            OSError: the connection is of no use (any more).
        """
        pair = EndpointUriPair(local_address, self.endpoint, EndpointType.CONNECT)
        engine = make_engine(sock, self.options, pair, self._peer)
        self._s = None  # the engine's from now on
        self._socket.event_connected(pair, sock.fileno())
        self.send_attach(self._session, engine)
        self.depart()

    # -- the next attempt -------------------------------------------------------------------------------------------

    def add_reconnect_timer(self) -> None:
        """Arrange for the next attempt, unless RECONNECT_IVL is below 1."""
        if self.options.reconnect_ivl > 0:
            interval = self.get_new_reconnect_ivl()
            self.add_timer(interval, RECONNECT_TIMER_ID)
            pair = make_unconnected_connect_endpoint_pair(self.endpoint)
            self._socket.event_connect_retried(pair, interval)
            self._reconnect_timer_started = True

    def get_new_reconnect_ivl(self) -> int:
        """Milliseconds to wait before the next attempt.

        With RECONNECT_IVL_MAX: from RECONNECT_IVL on doubled each time up to the maximum (which wins if it is the
        smaller one), without jitter. Otherwise RECONNECT_IVL and a random part of it on top, each time anew.
        """
        ivl, ivl_max = self.options.reconnect_ivl, self.options.reconnect_ivl_max
        if ivl_max > 0:
            candidate = ivl if self._current_reconnect_ivl == -1 else self._current_reconnect_ivl * 2
            self._current_reconnect_ivl = min(candidate, ivl_max)
            return self._current_reconnect_ivl
        return min(ivl + generate_random() % ivl, _INT_MAX)

    def timer_event(self, id_: int) -> None:
        """Time for the next attempt."""
        if id_ != RECONNECT_TIMER_ID:
            raise AssertionError(f"{self!r} has no timer {id_}")
        self._reconnect_timer_started = False
        self.start_connecting()
