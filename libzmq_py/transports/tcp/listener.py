# SPDX-License-Identifier: MPL-2.0
"""Accepting TCP connections.

Mirrors: src/tcp_listener.cpp, src/tcp_listener.hpp.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any, Final

from libzmq_py.endpoint import make_unconnected_bind_endpoint_pair
from libzmq_py.transports.address import SocketEnd, refused
from libzmq_py.transports.stream_listener_base import StreamListenerBase
from libzmq_py.transports.tcp.address import (
    get_socket_name,
    set_tos_and_priority,
    sockaddr_to_string,
    tcp_open_socket,
    tune_connected,
)

_WILDCARDS: Final = ("tcp://0.0.0.0:", "tcp://[::]:")


def _allow_rebind(sock: socket.socket) -> None:
    """Bind though connections of an earlier listener linger, but not while it listens."""
    if sys.platform == "win32":
        # There SO_REUSEADDR would let others take the port away, and binding again needs no option.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


class TcpListener(StreamListenerBase):
    """`tcp_listener_t`."""

    def set_local_address(self, address: str) -> None:
        """Open, bind and listen; with USE_FD adopt that descriptor, whatever the address.

        Raises:
            ZMQError: EINVAL, ENODEV, EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE ...
        """
        try:
            if self.options.use_fd != -1:
                self._adopt_fd()
            else:
                self._create_socket(address)
        except OSError as error:
            raise refused(f"tcp://{address}", error) from error
        self.endpoint = self.get_local_address()
        self._socket.event_listening(make_unconnected_bind_endpoint_pair(self.endpoint), self._listening.fileno())

    def _create_socket(self, address: str) -> None:
        sock, resolved = tcp_open_socket(address, self.options, local=True, fallback_to_ipv4=True)
        self._s = sock
        try:
            _allow_rebind(sock)
            sock.bind(resolved.address.sockaddr)
            sock.listen(self._backlog)
        except OSError:
            self.close()
            raise

    def get_socket_name(self, sock: socket.socket, end: SocketEnd) -> str:
        """`tcp://host:port` of one end."""
        return get_socket_name(sock, end)

    def get_own_name(self, sock: socket.socket) -> str:
        """The endpoint itself, unless it stands for all addresses of this host."""
        return super().get_own_name(sock) if self.endpoint.startswith(_WILDCARDS) else self.endpoint

    def get_peer_name(self, address: Any) -> str:
        """`tcp://host:port` of the other end."""
        return sockaddr_to_string(address)

    def admit(self, sock: socket.socket, address: Any) -> None:
        """Apply TCP_ACCEPT_FILTER, then tune."""
        filters = self.options.tcp_accept_filters
        if filters:
            import ipaddress  # it was imported with the first filter

            peer = ipaddress.ip_address(address[0])
            if not any(peer in network for network in filters):
                raise OSError(errno.EACCES, f"no TCP_ACCEPT_FILTER admits {address[0]}")
        set_tos_and_priority(sock, self.options)
        tune_connected(sock, self.options)
