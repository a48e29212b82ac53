# SPDX-License-Identifier: MPL-2.0
"""Making connections over unix domain sockets.

Mirrors: src/ipc_connecter.cpp, src/ipc_connecter.hpp.

CONNECT_TIMEOUT does not apply, as in libzmq: the system decides at once, or says EAGAIN when the backlog is full.
"""

from __future__ import annotations

import errno
import os
import socket

from libzmq_py import ip
from libzmq_py.constants import ReconnectStop
from libzmq_py.transports.address import SocketEnd
from libzmq_py.transports.ipc.address import IpcAddress, get_socket_name
from libzmq_py.transports.stream_connecter_base import StreamConnecterBase


class IpcConnecter(StreamConnecterBase):
    """`ipc_connecter_t`."""

    def open(self) -> bool:
        """Connect to the path."""
        resolved = self._addr.resolved
        if not isinstance(resolved, IpcAddress):
            raise AssertionError(f"{self!r} was given an address of another transport")
        self._s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ip.unblock_socket(self._s)
        number = self._s.connect_ex(resolved.sun_path)
        if number in (errno.EINPROGRESS, errno.EINTR):
            return False
        if number:
            raise OSError(number, os.strerror(number))
        return True

    def get_local_address(self, sock: socket.socket) -> str:
        """`ipc://`: the connecting end has no name."""
        return get_socket_name(sock, SocketEnd.LOCAL)

    def give_up(self, error: OSError) -> bool:
        """RECONNECT_STOP_AFTER_DISCONNECT: after a disconnect of the socket, a refusal ends trying, silently."""
        if (
            error.errno != errno.ECONNREFUSED
            or not self.options.reconnect_stop & ReconnectStop.AFTER_DISCONNECT
            or not self._socket.is_disconnected
        ):
            return False
        self.close()
        return True
