# SPDX-License-Identifier: MPL-2.0
"""Names inside one context, and connects that wait for their name to be bound.

Mirrors: the endpoint and pending-connection half of src/ctx.cpp, and the inproc branch of socket_base_t::connect.
Departs: the binder changes nothing in the connecter's pipe end; new limits reach it as a `pipe_hwm` command, so that
each end is touched by one thread only.

No bytes move here: an inproc connection is a pipe between two sockets, so there is no listener, engine or session.
"""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING, Any, Protocol

from libzmq_py.core.command import CommandType
from libzmq_py.errors import zmq_error
from libzmq_py.msg import ROUTING_ID, Msg
from libzmq_py.options import get_effective_conflate_option

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe
    from libzmq_py.options import Options


class InprocSocket(Protocol):
    """What this module needs of a socket."""

    options: Options
    tid: int

    def inc_seqnum(self) -> None:
        """A counted command is on its way."""

    def process_command(self, command: Any) -> None:
        """Process a command (own thread)."""

    def send_bind(self, destination: Any, pipe: Pipe, inc_seqnum: bool = True) -> None:
        """Have another socket adopt a pipe."""

    def send_inproc_connected(self, destination: Any) -> None:
        """Balance the number taken when the connect was parked."""

    @property
    def closed(self) -> bool:
        """True once its user has closed it."""


class InprocEndpoint:
    """A bound name, with the options the socket had then."""

    __slots__ = ("options", "socket")

    def __init__(self, socket: InprocSocket, options: Options) -> None:
        self.socket = socket
        self.options = options


class PendingConnection:
    """A connect that came before its bind. Both pipe ends live in the connecter's thread until then."""

    __slots__ = ("bind_pipe", "connect_pipe", "endpoint")

    def __init__(self, endpoint: InprocEndpoint, connect_pipe: Pipe, bind_pipe: Pipe) -> None:
        self.endpoint = endpoint
        self.connect_pipe = connect_pipe
        self.bind_pipe = bind_pipe


def send_routing_id(pipe: Pipe, options: Options) -> None:
    """Write the own routing id as the first item of a pipe."""
    pipe.write_oob(Msg(options.routing_id, ROUTING_ID))
    pipe.flush()


def send_hello_msg(pipe: Pipe, options: Options) -> None:
    """Write ZMQ_HELLO_MSG."""
    pipe.send(options.hello_msg)


class InprocRegistry:
    """The inproc names (whole endpoints) of one context. Any thread; one lock (libzmq: `endpoints_sync`)."""

    def __init__(self) -> None:
        self._sync = threading.RLock()
        self._endpoints: dict[str, InprocEndpoint] = {}
        self._pending: dict[str, list[PendingConnection]] = {}

    def register_endpoint(self, addr: str, endpoint: InprocEndpoint) -> None:
        """Bind a name.

        Raises:
            ZMQError: EADDRINUSE, the name is bound already.
        """
        with self._sync:
            if addr in self._endpoints:
                raise zmq_error(errno.EADDRINUSE, f"Address already in use ({addr})")
            self._endpoints[addr] = endpoint

    def is_bound(self, addr: str) -> bool:
        """Whether somebody has bound a name now."""
        with self._sync:
            return addr in self._endpoints

    def unregister_endpoint(self, addr: str, socket: InprocSocket) -> bool:
        """Free a name; False if this socket has not bound it."""
        with self._sync:
            endpoint = self._endpoints.get(addr)
            if endpoint is None or endpoint.socket is not socket:
                return False
            del self._endpoints[addr]
            return True

    def unregister_endpoints(self, socket: InprocSocket) -> None:
        """Free every name of a socket."""
        with self._sync:
            for addr in [addr for addr, endpoint in self._endpoints.items() if endpoint.socket is socket]:
                del self._endpoints[addr]

    def find_endpoint(self, addr: str) -> InprocEndpoint | None:
        """The endpoint of that name, or None.

        Its socket's sequence number is incremented, so that it lives until the `bind` command that follows arrives.
        """
        with self._sync:
            endpoint = self._endpoints.get(addr)
            if endpoint is not None:
                endpoint.socket.inc_seqnum()
            return endpoint

    def pend_connection(self, addr: str, pending: PendingConnection) -> None:
        """Park a connect until its name is bound, or join it now if that has just happened (connecter's thread)."""
        with self._sync:
            bound = self._endpoints.get(addr)
            if bound is None:
                # Balanced by inproc_connected: the connecter must outlive its parked pipe.
                pending.endpoint.socket.inc_seqnum()
                self._pending.setdefault(addr, []).append(pending)
            else:
                self._connect(bound.socket, bound.options, pending, bind_side=False)

    def connect_pending(self, addr: str, bind_socket: InprocSocket) -> None:
        """Join every connect parked under a name that has just been bound (binder's thread)."""
        with self._sync:
            endpoint = self._endpoints[addr]
            for pending in self._pending.pop(addr, ()):
                self._connect(bind_socket, endpoint.options, pending, bind_side=True)

    def pending_names(self) -> list[str]:
        """Names that connects wait for."""
        with self._sync:
            return list(self._pending)

    @staticmethod
    def _connect(bind_socket: Any, bind_options: Options, pending: PendingConnection, bind_side: bool) -> None:
        connect_options = pending.endpoint.options
        connect_pipe, bind_pipe = pending.connect_pipe, pending.bind_pipe
        bind_socket.inc_seqnum()
        bind_pipe.set_tid(bind_socket.tid)
        if not bind_options.recv_routing_id:
            bind_pipe.read()  # the connecter writes its routing id without knowing who will read it
        if not get_effective_conflate_option(connect_options):
            bind_pipe.set_hwms(bind_options.rcvhwm, bind_options.sndhwm)
            bind_pipe.set_hwms_boost(connect_options.sndhwm, connect_options.rcvhwm)
            bind_pipe.send_hwms_to_peer(bind_options.sndhwm, bind_options.rcvhwm)
        if bind_options.can_recv_disconnect_msg and bind_options.disconnect_msg:
            connect_pipe.disconnect_msg = bind_options.disconnect_msg
        # Before the binder has its end, and could write. A closed connecter's pipe takes nothing more.
        if connect_options.recv_routing_id and not pending.endpoint.socket.closed:
            send_routing_id(bind_pipe, bind_options)
        if bind_options.can_send_hello_msg and bind_options.hello_msg:
            send_hello_msg(bind_pipe, bind_options)
        if bind_side:
            bind_socket.process_command((bind_socket, CommandType.BIND, (bind_pipe,)))
            bind_socket.send_inproc_connected(pending.endpoint.socket)
        else:
            connect_pipe.send_bind(bind_socket, bind_pipe, False)
