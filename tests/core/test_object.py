# SPDX-License-Identifier: MPL-2.0
"""Sending and dispatching commands: each `send_x` ends in the `process_x` of its destination, in the right thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from libzmq_py.core.command import CommandType
from libzmq_py.core.object import REAPER_TID, TERM_TID, ZmqObject
from tests.core.fakes import FakeContext

PIPE, CHILD, ENGINE, SOCKET, PAIR = object(), object(), object(), object(), object()

SENDERS: dict[str, tuple[Callable[[Any, Any], None], tuple[Any, ...]]] = {
    "plug": (lambda me, to: me.send_plug(to), ()),
    "attach": (lambda me, to: me.send_attach(to, ENGINE), (ENGINE,)),
    "bind": (lambda me, to: me.send_bind(to, PIPE), (PIPE,)),
    "activate_read": (lambda me, to: me.send_activate_read(to), ()),
    "activate_write": (lambda me, to: me.send_activate_write(to, 7), (7,)),
    "hiccup": (lambda me, to: me.send_hiccup(to, PIPE), (PIPE,)),
    "pipe_term": (lambda me, to: me.send_pipe_term(to), ()),
    "pipe_term_ack": (lambda me, to: me.send_pipe_term_ack(to), ()),
    "pipe_hwm": (lambda me, to: me.send_pipe_hwm(to, 1, 2, True), (1, 2, True)),
    "pipe_peer_stats": (lambda me, to: me.send_pipe_peer_stats(to, 3, SOCKET, PAIR), (3, SOCKET, PAIR)),
    "pipe_stats_publish": (lambda me, to: me.send_pipe_stats_publish(to, 1, 2, PAIR), (1, 2, PAIR)),
    "term_req": (lambda me, to: me.send_term_req(to, CHILD), (CHILD,)),
    "term": (lambda me, to: me.send_term(to, -1), (-1,)),
    "term_ack": (lambda me, to: me.send_term_ack(to), ()),
    "term_endpoint": (lambda me, to: me.send_term_endpoint(to, "tcp://a:1"), ("tcp://a:1",)),
    "inproc_connected": (lambda me, to: me.send_inproc_connected(to), ()),
    "conn_failed": (lambda me, to: me.send_conn_failed(to), ()),
}
TO_FIXED_SLOTS = {"stop", "reap", "reaped", "done"}
TO_ITSELF = {"lend_input"}
COUNTED_BY_SENDER = {"plug", "attach", "bind"}


class Recorder(ZmqObject):
    """Has every handler; keeps what it was called with, and the count of sequence numbers."""

    def __init__(self, ctx: Any, tid: int) -> None:
        super().__init__(ctx, tid)
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.sent = self.processed = 0

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("process_") and name not in ("process_command", "process_seqnum"):
            return lambda *args: self.calls.append((name, args))
        return super().__getattribute__(name)

    def inc_seqnum(self) -> None:
        self.sent += 1

    def process_seqnum(self) -> None:
        assert self.calls, "the number counts after the handler"
        self.processed += 1


def test_every_command_has_a_case_here() -> None:
    """The table above is complete."""
    assert set(SENDERS) | TO_FIXED_SLOTS | TO_ITSELF == {kind.value for kind in CommandType}


@pytest.mark.parametrize("kind", SENDERS)
def test_what_is_sent_is_processed(kind: str) -> None:
    """send_x reaches process_x with its arguments, through the mailbox of the destination's thread."""
    ctx = FakeContext()
    me, to = ZmqObject(ctx, 5), Recorder(ctx, 9)
    send, args = SENDERS[kind]
    send(me, to)
    assert ctx.tids == [9]
    assert to.calls == []
    assert to.sent == (kind in COUNTED_BY_SENDER), "counted before it is queued"
    ctx.deliver()
    assert to.calls == [(f"process_{kind}", args)]
    assert to.processed == (kind in COUNTED_BY_SENDER or kind == "inproc_connected")


@pytest.mark.parametrize("kind", ["plug", "attach", "bind"])
def test_a_number_taken_earlier_is_not_taken_again(kind: str) -> None:
    """With inc_seqnum False the sender has counted before."""
    ctx = FakeContext()
    me, to = ZmqObject(ctx, 5), Recorder(ctx, 9)
    args = () if kind == "plug" else (object(),)
    getattr(me, f"send_{kind}")(to, *args, inc_seqnum=False)
    assert to.sent == 0
    ctx.deliver()
    assert to.processed == 1


def test_stop_goes_to_the_object_itself() -> None:
    """send_stop() from any thread arrives in the object's own mailbox."""
    ctx = FakeContext()
    me = Recorder(ctx, 9)
    me.send_stop()
    assert ctx.tids == [9]
    ctx.deliver()
    assert me.calls == [("process_stop", ())]


def test_reap_and_reaped_go_to_the_reaper() -> None:
    """Slot 1, addressed to the reaper."""
    ctx = FakeContext()
    ctx.reaper = Recorder(ctx, REAPER_TID)
    me = ZmqObject(ctx, 9)
    me.send_reap(SOCKET)
    me.send_reaped()
    assert ctx.tids == [REAPER_TID, REAPER_TID]
    ctx.deliver()
    assert ctx.reaper.calls == [("process_reap", (SOCKET,)), ("process_reaped", ())]


def test_done_goes_to_the_waiting_context() -> None:
    """Slot 0, where terminate() waits."""
    ctx = FakeContext()
    ZmqObject(ctx, 1).send_done()
    assert ctx.tids == [TERM_TID]
    assert ctx.kinds == [CommandType.DONE]


@pytest.mark.parametrize("kind", [kind for kind in CommandType if kind is not CommandType.DONE])
def test_a_command_that_nobody_takes_is_an_error_of_ours(kind: CommandType) -> None:
    """The base handles nothing: the error names class and command."""
    ctx = FakeContext()
    to = ZmqObject(ctx, 9)
    count = {"pipe_hwm": 3, "pipe_peer_stats": 3, "pipe_stats_publish": 3}.get(kind.value)
    if count is None:
        count = int(
            kind.value
            in "own attach bind activate_write lend_input hiccup term_req term term_endpoint reap".split()
        )
    with pytest.raises(AssertionError, match=f"ZmqObject was sent the command {kind.value}"):
        to.process_command((to, kind, (object(),) * count))


def test_the_choice_of_an_io_thread_is_the_contexts() -> None:
    """choose_io_thread() passes the mask on."""
    ctx = FakeContext()
    ctx.io_thread = object()
    assert ZmqObject(ctx, 3).choose_io_thread(0b101) is ctx.io_thread
    assert ctx.affinities == [0b101]
