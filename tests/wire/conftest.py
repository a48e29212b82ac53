# SPDX-License-Identifier: MPL-2.0
"""Fixture ``watch``: the event log of a socket; and what several wire tests do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.raw_peer import RawPeer
from tests.support.waiting import wait_until
from tests.wire.events import EventLog

Watch = Callable[..., EventLog]

#: How a stream may arrive (argument ``sizes``): in one piece, byte by byte, in pieces that respect no boundary.
in_pieces = pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([100_000], id="at-once"),
        pytest.param([1], id="bytewise"),
        pytest.param([3, 8, 1, 13, 2], id="odd"),
    ],
)


@pytest.fixture
def watch(ctx: Any) -> Iterator[Watch]:
    """Attach an event log before bind or connect: ``log = watch(sock)``, ``log = watch(sock, OUTCOMES)``."""
    logs: list[EventLog] = []

    def make(sock: Any, events: int | None = None) -> EventLog:
        log = EventLog(sock, events)
        logs.append(log)
        return log

    yield make
    for log in logs:
        log.close()


def send_until_heard(sock: Any, peer: RawPeer, probe: bytes) -> None:
    """Send ``probe`` until something reaches the peer.

    A socket that drops what nobody wants (PUB, XSUB) tells in no other way that its thread has learnt of a connection
    or a subscription. Some probes may arrive after what the test sends next has begun to matter; the test skips them.
    """

    def heard() -> bool:
        sock.send(probe)
        return peer.readable()

    wait_until(heard, f"{probe!r} to be heard")
