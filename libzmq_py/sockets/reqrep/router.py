# SPDX-License-Identifier: MPL-2.0
"""ROUTER: every peer has a routing id, put before what it sends and asked for before what it gets (RFC 28).

Mirrors: src/router.cpp, src/router.hpp.
Departs: whole messages, so a peer that is handed over can be ended at once.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import Errno, SocketOption, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.errors import zmq_error
from libzmq_py.msg import Frame, Message, Msg, frame_bytes, message_of, prepend
from libzmq_py.sockets.fq import FQ
from libzmq_py.sockets.routing_socket_base import RoutingSocketBase
from libzmq_py.sockets.socket_base import flag_value


class Router(RoutingSocketBase):
    """Pipes whose peer has not said its id yet are anonymous: neither read nor addressable."""

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int = SocketType.ROUTER) -> None:
        super().__init__(ctx, tid, sid, type_)
        self.options.recv_routing_id = True
        self.options.can_send_hello_msg = True
        self.options.can_recv_disconnect_msg = True
        self._fq: FQ = FQ()
        self._anonymous_pipes: set[Pipe] = set()
        # Read by has_in and not yet given to recv.
        self._prefetched: Message | None = None
        # In the middle of an outgoing message, and where it goes (None: it is dropped).
        self._more_out = False
        self._current_out: Pipe | None = None
        self._mandatory = False
        # ROUTER_RAW as it was set last; and whether it ever was, as peers are raw from then on.
        self._raw_socket = False
        self._raw_peers = False
        self._probe_router = False
        self._handover = False

    # -- pipes ------------------------------------------------------------------------------------------------------

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new peer, identified now or when its id comes."""
        if self._probe_router:
            pipe.send(b"")
        if self._identify_peer(pipe, locally_initiated):
            self._fq.attach(pipe)
        else:
            self._anonymous_pipes.add(pipe)

    def _identify_peer(self, pipe: Pipe, locally_initiated: bool) -> bool:
        if locally_initiated and self._connect_routing_id:
            routing_id = self._extract_connect_routing_id()
        elif self.options.raw_socket:
            routing_id = self._generate_routing_id()
        else:
            msg = pipe.read()
            if msg is None:
                return False
            routing_id = frame_bytes(msg)  # type: ignore[arg-type]
            # An id that begins with zero is for us to give; who claims one could pose as another peer.
            if routing_id[:1] in (b"", b"\0"):
                routing_id = self._generate_routing_id()
            old_pipe = self._out_pipes.get(routing_id)
            if old_pipe is not None:
                if not self._handover:
                    # Stays connected and is never read. Over a network its session must know, as for PAIR.
                    if pipe.endpoint_pair is not None:
                        pipe.terminate(False)
                    return False
                self._hand_over(routing_id, old_pipe)
        self._add_out_pipe(routing_id, pipe)
        return True

    def _hand_over(self, routing_id: bytes, old_pipe: Pipe) -> None:
        """The newcomer gets the id; the old peer, under another, may finish what it has sent."""
        del self._out_pipes[routing_id]
        self._add_out_pipe(self._generate_routing_id(), old_pipe)
        old_pipe.terminate(True)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Forget the peer; a message on its way to it is dropped."""
        if pipe in self._anonymous_pipes:
            self._anonymous_pipes.discard(pipe)
            return
        self._erase_out_pipe(pipe)
        self._fq.pipe_terminated(pipe)
        pipe.rollback()
        if pipe is self._current_out:
            self._current_out = None

    def xread_activated(self, pipe: Pipe) -> None:
        """Something from a peer; from an anonymous one its id."""
        if pipe not in self._anonymous_pipes:
            self._fq.activated(pipe)
        elif self._identify_peer(pipe, False):
            self._anonymous_pipes.discard(pipe)
            self._fq.attach(pipe)

    # -- send -------------------------------------------------------------------------------------------------------

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """A frame (the first names the peer), or a whole message."""
        if type(msg) is tuple:
            return self._send_unit(msg)
        if self._more_out:
            self._send_part(msg, more)  # type: ignore[arg-type]
        elif more:
            return self._begin(msg)  # type: ignore[arg-type]
        # A routing id with nothing behind it is dropped.
        return True

    def _send_unit(self, frames: tuple[Frame, ...]) -> bool:
        """Hot path: look the peer up, write the rest as one message."""
        pipe, full = self._select(frames[0])
        if full:
            return False
        if pipe is not None:
            pipe.send(message_of(frames[1:]))
        return True

    def _select(self, routing_id: Frame) -> tuple[Pipe | None, bool]:
        """The peer's pipe, or None if the message is to be dropped; True if the caller must wait for room.

        Raises:
            ZMQError: EHOSTUNREACH, with ROUTER_MANDATORY, no such peer.
        """
        key = frame_bytes(routing_id)
        pipe = self._out_pipes.get(key)
        if pipe is not None and pipe.check_write():
            return pipe, False
        if not self._mandatory:
            return None, False
        if pipe is not None and not pipe.check_hwm():
            return None, True
        raise zmq_error(Errno.EHOSTUNREACH, f"Host unreachable (no peer with routing id {key[:32]!r})")

    def _begin(self, routing_id: Frame) -> bool:
        pipe, full = self._select(routing_id)
        if full:
            return False
        self._current_out = pipe
        self._more_out = True
        return True

    def _send_part(self, frame: Frame, more: bool) -> None:
        if self._raw_peers:
            more = False
        self._more_out = more
        pipe = self._current_out
        if pipe is None:
            return
        if self._raw_socket and not len(frame):
            pipe.terminate(False)  # an empty frame closes a raw peer
        elif not pipe.write_part(frame, more):
            # There was room for it, so the pipe is ending.
            pipe.rollback()
            self._current_out = None
        elif not more:
            pipe.flush()
        if not more:
            self._current_out = None

    def _accepts_units(self) -> bool:
        # A raw peer's messages have one frame, and what follows it is the next message's id.
        return not (self._more_out or self._raw_peers)

    def rollback(self) -> None:
        """Drop the message that was begun."""
        if self._current_out is not None:
            self._current_out.rollback()
        self._current_out = None
        self._more_out = False

    # -- recv -------------------------------------------------------------------------------------------------------

    def xrecv(self) -> Message | None:
        """The next message, its peer's routing id before it."""
        if self._prefetched is not None:
            prefetched, self._prefetched = self._prefetched, None
            return prefetched
        msg = self._fq.recv()
        while type(msg) is Msg and msg.is_routing_id:
            msg = self._fq.recv()  # that was the id of a connection made again
        pipe = self._fq.last_in
        if msg is None or pipe is None:
            return None
        return prepend((pipe.router_socket_routing_id,), msg)

    def xhas_in(self) -> bool:
        """True if a message is there; it is read to be sure."""
        if self._prefetched is None:
            self._prefetched = self.xrecv()
        return self._prefetched is not None

    def xhas_out(self) -> bool:
        """Always, as what cannot be sent is dropped; with ROUTER_MANDATORY if some peer has room."""
        return not self._mandatory or any(pipe.check_hwm() for pipe in self._out_pipes.values())

    def xroom(self, limit: int) -> int:
        """Any number, as what cannot be sent is dropped; with ROUTER_MANDATORY it depends on the peer."""
        return 1 if self._mandatory else limit

    def get_peer_state(self, routing_id: bytes) -> int:
        """POLLOUT if that peer has room, else 0 (zmq_socket_get_peer_state).

        Raises:
            ZMQError: EHOSTUNREACH, no such peer.
        """
        pipe = self._out_pipes.get(routing_id)
        if pipe is None:
            raise zmq_error(Errno.EHOSTUNREACH, f"Host unreachable (no peer with routing id {routing_id[:32]!r})")
        return 2 if pipe.check_hwm() else 0

    # -- options ----------------------------------------------------------------------------------------------------

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """ROUTER_MANDATORY, ROUTER_RAW, ROUTER_HANDOVER, PROBE_ROUTER, CONNECT_ROUTING_ID."""
        if option == SocketOption.ROUTER_MANDATORY:
            self._mandatory = flag_value(option, value)
        elif option == SocketOption.ROUTER_RAW:
            self._raw_socket = flag_value(option, value)
            if self._raw_socket:
                self.options.recv_routing_id = False
                self.options.raw_socket = self._raw_peers = True
        elif option == SocketOption.ROUTER_HANDOVER:
            self._handover = flag_value(option, value)
        elif option == SocketOption.PROBE_ROUTER:
            self._probe_router = flag_value(option, value)
        else:
            return super().xsetsockopt(option, value)
        return True
