# SPDX-License-Identifier: MPL-2.0
"""Making TCP connections.

Mirrors: src/tcp_connecter.cpp, src/tcp_connecter.hpp.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from libzmq_py.constants import ReconnectStop
from libzmq_py.transports.address import SocketEnd
from libzmq_py.transports.stream_connecter_base import StreamConnecterBase
from libzmq_py.transports.tcp.address import get_socket_name, tcp_open_socket, tune_connected

if TYPE_CHECKING:
    from libzmq_py.transports.address import Address

CONNECT_TIMER_ID: Final = 2


class TcpConnecter(StreamConnecterBase):
    """`tcp_connecter_t`."""

    _connect_timer_started = False

    def open(self) -> bool:
        """Resolve the address, anew at each attempt, and connect. May block on names, and the I/O thread with it."""
        return self._connect_to(self._addr, fallback_to_ipv4=True)

    def _connect_to(self, addr: Address, fallback_to_ipv4: bool) -> bool:
        # Kept only while it is the truth: see Address.resolved.
        addr.resolved = None
        self._s, resolved = tcp_open_socket(addr.address, self.options, False, fallback_to_ipv4)
        addr.resolved = resolved
        if resolved.source_address is not None:
            # Several connections, to different peers, may come from one port.
            self._s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._s.bind(resolved.source_address.sockaddr)
        number = self._s.connect_ex(resolved.address.sockaddr)
        if number in (errno.EINPROGRESS, errno.EINTR, errno.EWOULDBLOCK):  # the last is Windows'
            return False
        if number:
            raise OSError(number, os.strerror(number))
        return True

    def tune_socket(self, sock: socket.socket) -> None:
        """Set the options of a connection just made."""
        tune_connected(sock, self.options)

    def get_local_address(self, sock: socket.socket) -> str:
        """`tcp://host:port` of the local end."""
        return get_socket_name(sock, SocketEnd.LOCAL)

    def give_up(self, error: OSError) -> bool:
        """RECONNECT_STOP_CONN_REFUSED: a refusal ends the endpoint."""
        if error.errno != errno.ECONNREFUSED or not self.options.reconnect_stop & ReconnectStop.CONN_REFUSED:
            return False
        self.send_conn_failed(self._session)
        self.close()
        self.terminate()
        return True

    # -- CONNECT_TIMEOUT --------------------------------------------------------------------------------------------

    def add_connect_timer(self) -> None:
        """Limit the attempt by CONNECT_TIMEOUT; 0 leaves it to the operating system."""
        if self.options.connect_timeout > 0:
            self.add_timer(self.options.connect_timeout, CONNECT_TIMER_ID)
            self._connect_timer_started = True

    def cancel_connect_timer(self) -> None:
        """The attempt is over."""
        if self._connect_timer_started:
            self.cancel_timer(CONNECT_TIMER_ID)
            self._connect_timer_started = False

    def timer_event(self, id_: int) -> None:
        """The attempt takes too long, or it is time for the next."""
        if id_ != CONNECT_TIMER_ID:
            super().timer_event(id_)
            return
        self._connect_timer_started = False
        self._rm_handle()
        self._attempt_failed(OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
