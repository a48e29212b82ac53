# SPDX-License-Identifier: MPL-2.0
"""PUB: a message to every peer that has subscribed to it (RFC 29).

Mirrors: src/pub.cpp, src/pub.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import Errno, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.errors import zmq_error
from libzmq_py.msg import Message
from libzmq_py.sockets.pubsub.xpub import XPub


class Pub(XPub):
    """An XPUB that does not receive."""

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.PUB)
        self._single_connect = True

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """What the pipe holds when it ends is of no interest."""
        pipe.set_nodelay()
        super().xattach_pipe(pipe, subscribe_to_all, locally_initiated)

    def xrecv(self) -> Message | None:
        """A PUB does not receive."""
        raise zmq_error(Errno.ENOTSUP, "Operation not supported (recv on PUB)")

    def xhas_in(self) -> bool:
        """Never."""
        return False
