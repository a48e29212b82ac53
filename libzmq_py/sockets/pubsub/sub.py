# SPDX-License-Identifier: MPL-2.0
"""SUB: what was published, filtered by the socket's subscriptions (RFC 29).

Mirrors: src/sub.cpp, src/sub.hpp.
Departs: a subscription is followed by a moment in which the I/O threads may run. They share the interpreter lock with
their users; libzmq's do not, so there a publisher of the same process hears of it while the subscriber goes on.
"""

from __future__ import annotations

import time
from typing import Any, Final

from libzmq_py.constants import Errno, SocketOption, SocketType
from libzmq_py.errors import zmq_error
from libzmq_py.msg import CANCEL, SUBSCRIBE, Frame, Message, Msg
from libzmq_py.options import refused_option
from libzmq_py.sockets.pubsub.xsub import XSub

# Seconds. Subscriptions that follow each other sooner than this are a burst: only its first one gives way.
_BURST: Final = 0.001
# The lock is free meanwhile, until another thread has it: a wake-up and what an I/O thread does with a subscription.
_MOMENT: Final = 1e-4


class Sub(XSub):
    """An XSUB that filters and whose subscriptions are options."""

    # When the last subscription was made.
    _subscribed_at = 0.0

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
        self._give_way()
        return True

    def _give_way(self) -> None:
        if time.monotonic() - self._subscribed_at > _BURST and any(pipe.direct_output for pipe in self._pipes.items):
            time.sleep(_MOMENT)
        self._subscribed_at = time.monotonic()

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """A SUB does not send."""
        raise zmq_error(Errno.ENOTSUP, "Operation not supported (send on SUB)")

    def xhas_out(self) -> bool:
        """Never."""
        return False
