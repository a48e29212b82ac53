# SPDX-License-Identifier: MPL-2.0
"""The socket types: a table from the number of the type to its class.

No libzmq twin: socket_base_t::create.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from libzmq_py.constants import SocketType
from libzmq_py.late import LateImport
from libzmq_py.sockets.socket_base import SocketBase

SocketFactory = Callable[[Any, int, int], SocketBase]

BUILT_IN: Final[dict[int, tuple[str, str]]] = {
    SocketType.PAIR: ("pair", "Pair"),
    SocketType.PUB: ("pubsub.pub", "Pub"),
    SocketType.SUB: ("pubsub.sub", "Sub"),
    SocketType.REQ: ("reqrep.req", "Req"),
    SocketType.REP: ("reqrep.rep", "Rep"),
    SocketType.DEALER: ("reqrep.dealer", "Dealer"),
    SocketType.ROUTER: ("reqrep.router", "Router"),
    SocketType.PULL: ("pipeline.pull", "Pull"),
    SocketType.PUSH: ("pipeline.push", "Push"),
    SocketType.XPUB: ("pubsub.xpub", "XPub"),
    SocketType.XSUB: ("pubsub.xsub", "XSub"),
    SocketType.STREAM: ("stream", "Stream"),
}
"""Type -> module and class, imported with the first socket of the type: programs have two or three of the twelve."""

SOCKET_TYPES: Final[dict[int, SocketFactory]] = {}
"""Type -> what makes one, from context, slot and socket id: those that are in use, and those that were registered."""


def find_socket_type(type_: int) -> SocketFactory | None:
    """What makes sockets of a type, None if there is no such type.

    Raises:
        ZMQError: EMFILE, no descriptor to import it with.
    """
    factory = SOCKET_TYPES.get(type_)
    if factory is None and type_ in BUILT_IN:
        module, name = BUILT_IN[type_]
        with LateImport():
            factory = SOCKET_TYPES[type_] = getattr(import_module(f"{__name__}.{module}"), name)
    return factory


def register(type_: int, factory: SocketFactory) -> None:
    """Add a socket type, or replace one."""
    SOCKET_TYPES[type_] = factory
