# SPDX-License-Identifier: MPL-2.0
"""PAIR: one peer at a time, both ways (RFC 31).

Mirrors: src/pair.cpp, src/pair.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.msg import Frame, Message
from libzmq_py.sockets.socket_base import SocketBase


class Pair(SocketBase):
    """The first pipe is used; those that come while it lives are ended at once."""

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.PAIR)
        self._pipe: Pipe | None = None
        # The pipe that gave the last message.
        self._last_in: Pipe | None = None
        self._more = False

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """Use the pipe, unless there is one."""
        if self._pipe is None:
            self._pipe = pipe
        else:
            pipe.terminate(False)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Be free for the next peer."""
        if pipe is self._pipe:
            self._pipe = None

    def xread_activated(self, pipe: Pipe) -> None:
        """Nothing to do: the pipe is asked at every recv."""

    def xwrite_activated(self, pipe: Pipe) -> None:
        """Nothing to do: the pipe is asked at every send."""

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """To the peer."""
        pipe = self._pipe
        if pipe is None:
            return False
        if not more and not self._more:
            return pipe.send(msg)  # type: ignore[arg-type]
        if not pipe.write_part(msg, more):  # type: ignore[arg-type]
            return False
        self._more = more
        if not more:
            pipe.flush()
        return True

    def _accepts_units(self) -> bool:
        return not self._more

    def xrecv(self) -> Message | None:
        """From the peer."""
        pipe = self._pipe
        if pipe is None:
            return None
        msg = pipe.read()
        if msg is not None:
            self._last_in = pipe
        return msg

    def _last_in_pipe(self) -> Pipe | None:
        return self._last_in

    def xhas_in(self) -> bool:
        """True if the peer has sent something."""
        return self._pipe is not None and self._pipe.check_read()

    def xhas_out(self) -> bool:
        """True if there is a peer with room."""
        return self._pipe is not None and self._pipe.check_write()

    def xroom(self, limit: int) -> int:
        """What the peer has room for."""
        return 0 if self._pipe is None else min(limit, self._pipe.room)
