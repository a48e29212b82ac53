# SPDX-License-Identifier: MPL-2.0
"""The reaper: takes closed sockets over and says when the last one is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from libzmq_py.core.command import CommandType
from libzmq_py.core.object import REAPER_TID, ZmqObject
from libzmq_py.core.thread import ThreadSettings
from libzmq_py.io_threads.reaper import Reaper
from tests.io_threads.fakes import Context, run_in
from tests.support.waiting import PATIENCE, wait_until


class ClosedSocket(ZmqObject):
    """What the reaper needs of a socket."""

    def __init__(self, ctx: Any) -> None:
        super().__init__(ctx, 9)
        self.poller: Any = None

    def start_reaping(self, poller: Any) -> None:
        self.poller = poller


@pytest.fixture
def reaper() -> Iterator[Reaper]:
    ctx = Context()
    made = ctx.reaper = Reaper(ctx, REAPER_TID)
    ctx.mailboxes[REAPER_TID] = made.mailbox
    made.start("Reaper", ThreadSettings())
    yield made
    if not ctx.done:
        made.stop()
    assert made._thread is not None
    made._thread.join(PATIENCE)
    assert not made._thread.is_alive(), "the reaper does not end"
    made.join()


def test_without_sockets_it_is_done_at_once(reaper: Reaper) -> None:
    """stop: `done` to the waiting context, and the thread ends."""
    reaper.stop()
    wait_until(lambda: reaper.open_ctx.done == [CommandType.DONE])


def test_a_closed_socket_is_taken_over(reaper: Reaper) -> None:
    """The socket is given the reaper's poller, in the reaper's thread."""
    socket = ClosedSocket(reaper.open_ctx)
    socket.send_reap(socket)
    wait_until(lambda: socket.poller is reaper.poller)
    socket.send_reaped()


def test_it_waits_for_the_last_socket(reaper: Reaper) -> None:
    """After stop it goes on until every socket it took over is gone, and says `done` once."""
    sockets = [ClosedSocket(reaper.open_ctx) for _ in range(3)]
    for socket in sockets:
        socket.send_reap(socket)
    reaper.stop()
    for socket in sockets[:2]:
        socket.send_reaped()
    assert run_in(reaper, lambda: list(reaper.open_ctx.done)) == []
    sockets[2].send_reaped()
    wait_until(lambda: reaper.open_ctx.done == [CommandType.DONE])


def test_sockets_that_end_before_stop_do_not_end_it(reaper: Reaper) -> None:
    """The last socket's end means nothing while the context lives."""
    socket = ClosedSocket(reaper.open_ctx)
    socket.send_reap(socket)
    socket.send_reaped()
    assert run_in(reaper, lambda: list(reaper.open_ctx.done)) == []
    reaper.stop()
    wait_until(lambda: reaper.open_ctx.done == [CommandType.DONE])
