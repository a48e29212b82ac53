# SPDX-License-Identifier: MPL-2.0
"""DEALER: messages to the peers in turn, and from them in turn (RFC 28).

Mirrors: src/dealer.cpp, src/dealer.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import SocketOption, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.msg import Frame, Message
from libzmq_py.sockets.fq import FQ
from libzmq_py.sockets.lb import LB
from libzmq_py.sockets.socket_base import SocketBase, flag_value


class Dealer(SocketBase):
    """No envelope is added or taken away."""

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int = SocketType.DEALER) -> None:
        super().__init__(ctx, tid, sid, type_)
        self.options.can_send_hello_msg = True
        self.options.can_recv_hiccup_msg = True
        self._single_connect = True
        self._fq: FQ = FQ()
        self._lb = LB()
        self._probe_router = False
        # Hot path: to be readable again is to be back in turn and nothing else, so there is no call in between.
        self.read_activated = self._fq.activated  # type: ignore[method-assign]

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new peer; with PROBE_ROUTER it gets an empty message first."""
        if self._probe_router:
            pipe.send(b"")
        self._fq.attach(pipe)
        self._lb.attach(pipe)

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """PROBE_ROUTER."""
        if option != SocketOption.PROBE_ROUTER:
            return False
        self._probe_router = flag_value(option, value)
        return True

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """To the next peer with room."""
        return self._lb.send(msg, more)  # type: ignore[arg-type]

    def xrecv(self) -> Message | None:
        """From the next peer that has sent something."""
        return self._fq.recv()

    def _accepts_units(self) -> bool:
        return not self._lb.in_message

    def xhas_in(self) -> bool:
        """True if a peer has sent something."""
        return self._fq.has_in()

    def xhas_out(self) -> bool:
        """True if a peer has room."""
        return self._lb.has_out()

    def xroom(self, limit: int) -> int:
        """What all peers together have room for."""
        return self._lb.room(limit)

    def xread_activated(self, pipe: Pipe) -> None:
        """Back in turn to be read."""
        self._fq.activated(pipe)

    def xwrite_activated(self, pipe: Pipe) -> None:
        """Back in turn to be written."""
        self._lb.activated(pipe)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Out of turn."""
        self._fq.pipe_terminated(pipe)
        self._lb.pipe_terminated(pipe)
