# SPDX-License-Identifier: MPL-2.0
"""PUSH: messages to the peers in turn, none lost for lack of room (RFC 30).

Mirrors: src/push.cpp, src/push.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.core.run import OutRun, grant_out_in_turn
from libzmq_py.sockets.lb import LB
from libzmq_py.sockets.socket_base import SocketBase


class Push(SocketBase):
    """Sends only."""

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.PUSH)
        self._lb = LB()
        # Hot path: sending is load balancing and nothing else, so there is no call in between.
        self.xsend = self._lb.send  # type: ignore[method-assign, assignment]
        self._straight_out = self._lb.only_pipe
        self._settle_out = self._lb.ran

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """Nothing is read from the pipe, so its end need not wait for what it holds."""
        pipe.set_nodelay()
        self._lb.attach(pipe)

    def xwrite_activated(self, pipe: Pipe) -> None:
        """Back in turn."""
        self._lb.activated(pipe)

    def xread_activated(self, pipe: Pipe) -> None:
        """What a peer sends to a PUSH is not read."""

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Out of turn."""
        self._lb.pipe_terminated(pipe)

    def xhas_out(self) -> bool:
        """True if a peer has room."""
        return self._lb.has_out()

    def _grant_out(self) -> OutRun | None:
        return grant_out_in_turn(self._lb.turn(), self._commands)

    def xroom(self, limit: int) -> int:
        """What all peers together have room for."""
        return self._lb.room(limit)

    def _accepts_units(self) -> bool:
        return not self._lb.in_message
