# SPDX-License-Identifier: MPL-2.0
"""SUB: what was published, filtered by the socket's subscriptions (RFC 29).

Mirrors: src/sub.cpp, src/sub.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import Errno, SocketOption, SocketType
from libzmq_py.errors import zmq_error
from libzmq_py.msg import CANCEL, SUBSCRIBE, Frame, Message, Msg
from libzmq_py.options import refused_option
from libzmq_py.sockets.pubsub.xsub import XSub


class Sub(XSub):
    """An XSUB that filters and whose subscriptions are options."""

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.SUB)
        self._single_connect = True
        # Publishers filter too, but messages may be under way, and over inproc from an XPUB in manual mode.
        self.options.filter = True
        self._choose_recv()

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """SUBSCRIBE, UNSUBSCRIBE: a prefix of any length."""
        if option not in (SocketOption.SUBSCRIBE, SocketOption.UNSUBSCRIBE):
            return False
        if isinstance(value, int):
            raise refused_option(option, value, "bytes")
        flag = SUBSCRIBE if option == SocketOption.SUBSCRIBE else CANCEL
        XSub.xsend(self, Msg(value or b"", flag))
        return True

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """A SUB does not send."""
        raise zmq_error(Errno.ENOTSUP, "Operation not supported (send on SUB)")

    def xhas_out(self) -> bool:
        """Never."""
        return False
