# SPDX-License-Identifier: MPL-2.0
"""PULL: messages from the peers in turn (RFC 30).

Mirrors: src/pull.cpp, src/pull.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.sockets.fq import FQ
from libzmq_py.sockets.socket_base import SocketBase


class Pull(SocketBase):
    """Receives only."""

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.PULL)
        self._fq: FQ = FQ()
        # Hot path: receiving is fair queueing and nothing else, so there is no call in between.
        self.xrecv = self._fq.recv  # type: ignore[method-assign]
        self._straight_fq = self._fq
        self.read_activated = self._fq.activated  # type: ignore[method-assign]

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new peer."""
        self._fq.attach(pipe)

    def xread_activated(self, pipe: Pipe) -> None:
        """Back in turn."""
        self._fq.activated(pipe)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Out of turn."""
        self._fq.pipe_terminated(pipe)

    def xhas_in(self) -> bool:
        """True if a peer has sent something."""
        return self._fq.has_in()
