# SPDX-License-Identifier: MPL-2.0
"""What sockets share that name their peers: ROUTER and STREAM.

Mirrors: routing_socket_base_t of src/socket_base.cpp, src/socket_base.hpp.
Departs: a CONNECT_ROUTING_ID in use is refused by connect() (libzmq aborts the process), and a generated id is never
one that is in use.  No `active` flag beside a pipe: it is asked at every send.
"""

from __future__ import annotations

import errno
from typing import Any

from libzmq_py.constants import SocketOption
from libzmq_py.core.pipe import Pipe
from libzmq_py.errors import zmq_error
from libzmq_py.options import refused_option
from libzmq_py.random import generate_random
from libzmq_py.sockets.socket_base import SocketBase
from libzmq_py.wire import put_uint32


class RoutingSocketBase(SocketBase):
    """Keeps the pipes by the routing ids of their peers. Socket's thread only."""

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int) -> None:
        super().__init__(ctx, tid, sid, type_)
        self._out_pipes: dict[bytes, Pipe] = {}
        self._connect_routing_id = b""
        self._next_integral_routing_id = generate_random()

    def xcheck_connect(self, endpoint: str) -> None:
        """Two peers cannot have one id."""
        if self.options.immediate and not endpoint.startswith("inproc://"):
            return  # the pipe comes with the connection, too late to be given the id
        if self._connect_routing_id in self._out_pipes:
            raise zmq_error(
                errno.EINVAL, f"Invalid argument (CONNECT_ROUTING_ID {self._connect_routing_id!r} is in use)"
            )

    def _extract_connect_routing_id(self) -> bytes:
        """CONNECT_ROUTING_ID, which serves once."""
        routing_id, self._connect_routing_id = self._connect_routing_id, b""
        return routing_id

    def _generate_routing_id(self) -> bytes:
        while True:
            routing_id = b"\0" + put_uint32(self._next_integral_routing_id)
            self._next_integral_routing_id = (self._next_integral_routing_id + 1) & 0xFFFFFFFF
            if routing_id not in self._out_pipes:
                return routing_id

    def _add_out_pipe(self, routing_id: bytes, pipe: Pipe) -> None:
        pipe.router_socket_routing_id = routing_id
        self._out_pipes[routing_id] = pipe

    def _erase_out_pipe(self, pipe: Pipe) -> None:
        if self._out_pipes.get(pipe.router_socket_routing_id) is pipe:
            del self._out_pipes[pipe.router_socket_routing_id]

    def xwrite_activated(self, pipe: Pipe) -> None:
        """Nothing to do: the pipe is asked at every send."""

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """CONNECT_ROUTING_ID."""
        if option != SocketOption.CONNECT_ROUTING_ID:
            return False
        if not isinstance(value, bytes) or not value:
            raise refused_option(option, value, "at least one byte")
        self._connect_routing_id = value
        return True
