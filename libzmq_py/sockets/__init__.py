# SPDX-License-Identifier: MPL-2.0
"""The socket types: a table from the number of the type to its class.

No libzmq twin: socket_base_t::create.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from libzmq_py.constants import SocketType
from libzmq_py.sockets.pair import Pair
from libzmq_py.sockets.pipeline.pull import Pull
from libzmq_py.sockets.pipeline.push import Push
from libzmq_py.sockets.pubsub.pub import Pub
from libzmq_py.sockets.pubsub.sub import Sub
from libzmq_py.sockets.pubsub.xpub import XPub
from libzmq_py.sockets.pubsub.xsub import XSub
from libzmq_py.sockets.reqrep.dealer import Dealer
from libzmq_py.sockets.reqrep.rep import Rep
from libzmq_py.sockets.reqrep.req import Req
from libzmq_py.sockets.reqrep.router import Router
from libzmq_py.sockets.socket_base import SocketBase
from libzmq_py.sockets.stream import Stream

SocketFactory = Callable[[Any, int, int], SocketBase]

SOCKET_TYPES: Final[dict[int, SocketFactory]] = {
    SocketType.PAIR: Pair,
    SocketType.PUB: Pub,
    SocketType.SUB: Sub,
    SocketType.REQ: Req,
    SocketType.REP: Rep,
    SocketType.DEALER: Dealer,
    SocketType.ROUTER: Router,
    SocketType.PULL: Pull,
    SocketType.PUSH: Push,
    SocketType.XPUB: XPub,
    SocketType.XSUB: XSub,
    SocketType.STREAM: Stream,
}
"""Type -> what makes one, from context, slot and socket id."""


def register(type_: int, factory: SocketFactory) -> None:
    """Add a socket type, or replace one."""
    SOCKET_TYPES[type_] = factory
