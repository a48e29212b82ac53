# SPDX-License-Identifier: MPL-2.0
"""pyomq (PyPI; omq.rs, written in Rust) as the bench uses it. Found with 0.21.

No libzmq twin: test support.  pyomq's names are pyzmq's, its high-water marks are 1000 as well, and its calls wait as
pyzmq's do.  What a message passes through is pyomq's own; what differs here:

- RCVTIMEO and SNDTIMEO are left alone: with a time limit its `recv` looks every millisecond, so that a round trip takes
  1100 µs where it takes 55 without.  So a case that hangs is ended by the driver.
- BACKLOG is not known there: the queue of `listen` keeps the length that pyomq gives it.
- `recv` with DONTWAIT raises the error of the layer below when there is nothing; it counts as Again.
- XPUB_NODROP: there is OMQ_ON_MUTE_BLOCK, but a quarter of 100 000 messages was lost even so.  The cases with PUB need
  every message to arrive, so they cannot be run.
"""

from __future__ import annotations

from typing import Any, NoReturn

import pyomq  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only some Pythons have it
from pyomq import (  # type: ignore[import-not-found,import-untyped,unused-ignore]  # as above
    DEALER,
    DONTWAIT,
    PAIR,
    POLLIN,
    PUB,
    PULL,
    PUSH,
    REP,
    REQ,
    ROUTER,
    SUB,
    SUBSCRIBE,
    Poller,
)

__all__ = [
    "DEALER",
    "DONTWAIT",
    "PAIR",
    "POLLIN",
    "PUB",
    "PULL",
    "PUSH",
    "REP",
    "REQ",
    "ROUTER",
    "SUB",
    "SUBSCRIBE",
    "XPUB_NODROP",
    "Again",
    "Context",
    "Poller",
]

XPUB_NODROP = -1
Again = pyomq.ZMQError


class Unable(Exception):
    """pyomq cannot do this."""


class _Socket(pyomq.Socket):  # type: ignore[misc,unused-ignore]  # as above
    # Plain attributes in place of options.
    backlog = rcvtimeo = sndtimeo = -1

    def setsockopt(self, option: int, value: Any) -> Any:
        if option == XPUB_NODROP:
            _refuse("PUB loses messages at its high-water mark, even with OMQ_ON_MUTE_BLOCK")
        return super().setsockopt(option, value)


class Context(pyomq.Context):  # type: ignore[misc,unused-ignore]  # as above
    """Makes such sockets."""

    def socket(self, socket_type: int, *args: Any, **kwargs: Any) -> Any:
        """Make a socket."""
        return super().socket(socket_type, _Socket)


def _refuse(reason: str) -> NoReturn:
    raise Unable(reason)
