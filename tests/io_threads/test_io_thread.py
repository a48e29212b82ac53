# SPDX-License-Identifier: MPL-2.0
"""A poller and a mailbox in a thread: commands, wake-ups on every kind of system, and the end."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from libzmq_py.core import signaler as signaler_module
from libzmq_py.core.command import CommandType
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.thread import ThreadSettings
from libzmq_py.io_threads import io_thread as io_thread_module
from libzmq_py.io_threads.io_object import IOObject
from libzmq_py.io_threads.io_thread import IOThread
from tests.io_threads.fakes import SELECTORS, Context, Job, Pair, Sink, poller_module_with, run_in
from tests.support.waiting import PATIENCE, SILENCE, wait_until

TID = 2


def start(ctx: Context) -> IOThread:
    thread = IOThread(ctx, TID)
    ctx.mailboxes[TID] = thread.mailbox
    thread.start("IO/0", ThreadSettings())
    return thread


def finish(thread: IOThread) -> None:
    thread.stop()
    assert thread._thread is not None
    thread._thread.join(PATIENCE)
    assert not thread._thread.is_alive(), "the thread does not end"
    thread.join()


@pytest.fixture
def thread() -> Iterator[IOThread]:
    made = start(Context())
    yield made
    finish(made)


SYSTEMS = [(name, has_eventfd) for name in SELECTORS for has_eventfd in (True, False)]


@pytest.fixture(params=SYSTEMS, ids=lambda value: f"{value[0]}-{'eventfd' if value[1] else 'socketpair'}")
def any_thread(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[IOThread]:
    """An I/O thread as it is on systems with and without epoll, poll and eventfd."""
    name, has_eventfd = request.param
    if not has_eventfd:
        monkeypatch.setattr(signaler_module, "_HAS_EVENTFD", False)
    monkeypatch.setattr(io_thread_module, "Poller", poller_module_with(name, monkeypatch).Poller)
    made = start(Context())
    yield made
    finish(made)


def test_commands_are_processed_in_the_thread(thread: IOThread) -> None:
    """A command's handler runs in the I/O thread, whose name tells what it is."""
    assert run_in(thread, lambda: threading.current_thread().name) == "ZMQbg/IO/0"


def test_the_mailbox_is_the_first_load(thread: IOThread) -> None:
    """An idle thread serves one descriptor, its own mailbox."""
    assert thread.load == 1


def test_every_single_command_wakes_the_thread(any_thread: IOThread) -> None:
    """3000 commands, each sent when the thread sleeps again: no wake-up is lost."""
    for number in range(3000):
        assert run_in(any_thread, lambda number=number: number) == number  # type: ignore[misc]


def test_commands_of_many_threads_are_all_processed(any_thread: IOThread) -> None:
    """8 threads send as fast as they can; every command is processed, each sender's in order."""
    seen: list[list[int]] = [[] for _ in range(8)]

    def send(sender: int) -> None:
        for number in range(1000):
            Job(any_thread.open_ctx, TID, lambda: seen[sender].append(number)).start()  # noqa: B023
            last[sender] = Job(any_thread.open_ctx, TID, lambda: None)
        last[sender].start()

    # A late binding of `number` is what is wanted: only the count matters, order is checked by the markers.
    last: dict[int, Job] = {}
    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for job in last.values():
        job.wait()
    assert [len(numbers) for numbers in seen] == [1000] * 8


class Listening:
    """A thread that sleeps on its mailbox, tid 9; what rings there is logged."""

    def __init__(self, thread: IOThread, log: list[Any]) -> None:
        self.mailbox = Mailbox()
        thread.open_ctx.mailboxes[9] = self.mailbox
        ring = self.mailbox._signaler.send
        self.mailbox._signaler.send = lambda: (log.append("ring"), ring())
        assert self.mailbox.arm()

    def close(self) -> None:
        self.mailbox.close()


def test_others_are_woken_at_the_end_of_a_round(thread: IOThread) -> None:
    """Two events, each with a command for a thread that sleeps: both are handled, then the bell rings, once."""
    log: list[Any] = []
    listening = Listening(thread, log)
    sinks: list[Sink] = []

    def handle(sink: Sink, pair: Pair) -> None:
        pair.near.recv(1)
        thread.ctx.send_command(9, (sink, CommandType.PLUG, ()))

    pairs = [Pair(), Pair()]
    for name, pair in zip("ab", pairs, strict=True):
        sink = Sink(name, log)
        sink.then = functools.partial(handle, sink, pair)
        sinks.append(sink)

    def plug() -> None:
        for sink, pair in zip(sinks, pairs, strict=True):
            thread.poller.set_pollin(thread.poller.add_fd(pair.near.fileno(), sink))
            pair.far.send(b"x")

    run_in(thread, plug)
    wait_until(lambda: "ring" in log)
    assert sorted(log[:2]) == [("in", "a"), ("in", "b")]
    assert log[2:] == ["ring"]
    assert len(listening.mailbox.commands) == 2
    listening.close()
    for pair in pairs:
        pair.close()


def test_a_lone_event_wakes_at_once(thread: IOThread) -> None:
    """Nothing else is to be done in this round, and somebody may wait: the bell rings while the event is handled."""
    log: list[Any] = []
    listening = Listening(thread, log)
    pair = Pair()

    def handle() -> None:
        pair.near.recv(1)
        thread.ctx.send_command(9, (None, CommandType.PLUG, ()))
        log.append("handled")

    sink = Sink("a", log, handle)
    run_in(thread, lambda: thread.poller.set_pollin(thread.poller.add_fd(pair.near.fileno(), sink)))
    pair.far.send(b"x")
    wait_until(lambda: "handled" in log)
    assert log == [("in", "a"), "ring", "handled"]
    listening.close()
    pair.close()


def test_an_idle_thread_sleeps(any_thread: IOThread) -> None:
    """After traffic from several threads nothing keeps the loop turning."""
    senders = [
        threading.Thread(target=lambda: [run_in(any_thread, lambda: None) for _ in range(200)]) for _ in range(4)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    waits: list[float | None] = []

    def count() -> None:
        selector: Any = any_thread.poller._selector
        real = selector.wait

        def wait(timeout: float | None) -> Any:
            waits.append(timeout)
            return real(timeout)

        selector.wait = wait

    run_in(any_thread, count)
    wait_until(lambda: waits)
    threading.Event().wait(SILENCE)
    assert len(waits) < 10, "the loop spins"


def test_a_failing_command_is_logged_and_the_next_is_processed(
    thread: IOThread, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that raises ends neither the thread nor the commands behind it."""
    with caplog.at_level(logging.ERROR, "libzmq_py.io_thread"):
        bad = Job(thread.open_ctx, TID, lambda: 1 // 0).start()
        good = Job(thread.open_ctx, TID, lambda: "alive").start()
        assert good.wait() == "alive"
    assert bad.finished.is_set()
    assert "command plug to" in caplog.text and "ZeroDivisionError" in caplog.text


def test_descriptors_and_commands_are_served_together(any_thread: IOThread) -> None:
    """A descriptor taken in by a command is served, and removed again."""
    pair, got = Pair(), bytearray()
    poller = any_thread.poller
    sink = Sink("s", [], lambda: got.extend(pair.near.recv(10)))
    handle = run_in(any_thread, lambda: poller.add_fd(pair.near.fileno(), sink))
    run_in(any_thread, lambda: poller.set_pollin(handle))
    assert any_thread.load == 2
    for count in range(1, 20):
        pair.far.send(b"x")
        wait_until(lambda count=count: len(got) == count)  # type: ignore[misc]
    run_in(any_thread, lambda: poller.rm_fd(handle))
    pair.close()
    assert any_thread.load == 1


def test_stop_behind_commands_lets_them_run_first(thread: IOThread) -> None:
    """Commands are processed in order, so those before stop are."""
    jobs = [Job(thread.open_ctx, TID, lambda: None).start() for _ in range(100)]
    thread.stop()
    for job in jobs:
        job.wait()


def test_its_own_events_cannot_happen() -> None:
    """An I/O thread neither writes nor has timers."""
    thread = IOThread(Context(), TID)
    try:
        for call in (thread.out_event, lambda: thread.timer_event(1)):
            with pytest.raises(AssertionError):
                call()
    finally:
        thread.poller._selector.close()
        thread.join()


def test_no_descriptor_for_the_poller_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that cannot be made gives back what it has opened."""

    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(io_thread_module, "Poller", refuse)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Too many open files"):
        IOThread(Context(), TID)
    assert len(os.listdir("/proc/self/fd")) == before


# --- io_object.py ----------------------------------------------------------------------------------------------------


def test_an_io_object_uses_the_poller_it_is_plugged_into(thread: IOThread) -> None:
    """Descriptors and timers of the object are its thread's; unplugged it has none."""
    events: list[Any] = []

    class Thing(IOObject):
        def timer_event(self, id_: int) -> None:
            events.append((id_, threading.current_thread().name))

    thing = Thing()
    with pytest.raises(AssertionError, match="not plugged"):
        thing.add_timer(1, 1)

    def plug() -> None:
        thing.plug_into(thread)
        thing.add_timer(1, 7)
        thing.add_timer(1, 8)
        thing.cancel_timer(8)

    run_in(thread, plug)
    wait_until(lambda: events)
    assert events == [(7, "ZMQbg/IO/0")]
    run_in(thread, thing.unplug)
    with pytest.raises(AssertionError, match="not plugged"):
        thing.cancel_timer(7)


def test_an_io_object_says_which_event_it_does_not_expect() -> None:
    """The mixin handles nothing by itself."""
    thing = IOObject()
    for call in (thing.in_event, thing.out_event, lambda: thing.timer_event(1)):
        with pytest.raises(AssertionError, match="IOObject"):
            call()


def test_an_io_objects_descriptor(thread: IOThread) -> None:
    """add_fd, set and reset, rm_fd through the mixin."""
    pair = Pair()
    got: list[bytes] = []

    class Reader(IOObject):
        def in_event(self) -> None:
            got.append(pair.near.recv(100))

    reader = Reader()

    def plug() -> Any:
        reader.plug_into(thread)
        handle = reader.add_fd(pair.near.fileno())
        reader.set_pollout(handle)
        reader.reset_pollout(handle)
        reader.set_pollin(handle)
        return handle

    handle = run_in(thread, plug)
    pair.far.send(b"hello")
    wait_until(lambda: got == [b"hello"])

    def unplug() -> None:
        reader.reset_pollin(handle)
        reader.rm_fd(handle)
        reader.unplug()

    run_in(thread, unplug)
    pair.close()
