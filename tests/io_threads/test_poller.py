# SPDX-License-Identifier: MPL-2.0
"""The event loop: timers, descriptors, what happens within a batch, and handlers that fail."""

from __future__ import annotations

import logging
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.io_threads import poller as poller_module
from libzmq_py.io_threads.poller import Poller
from tests.io_threads.fakes import SELECTORS, Pair, Sink, poller_module_with
from tests.support.waiting import PATIENCE, Stopwatch


class Clock:
    """The time is what the test says."""

    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(poller_module, "now_ms", fake)
    return fake


@pytest.fixture(params=SELECTORS)
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Poller]:
    """A poller on each kind of selector there is here; no thread runs its loop but the test."""
    made: Poller = poller_module_with(request.param, monkeypatch).Poller()
    yield made
    made._selector.close()


@pytest.fixture
def timer_poller(clock: Clock) -> Iterator[Poller]:
    """A poller whose clock is the test's."""
    made = Poller()
    yield made
    made._selector.close()


@pytest.fixture
def pairs() -> Iterator[Callable[[], Pair]]:
    """Make joined sockets; all are closed."""
    made: list[Pair] = []

    def make() -> Pair:
        made.append(Pair())
        return made[-1]

    yield make
    for pair in made:
        pair.close()


@pytest.fixture
def log() -> list[Any]:
    return []


def turn(poller: Poller) -> None:
    """One wait that does not wait, and its events."""
    poller._dispatch(poller._wait(0))


# --- timers ----------------------------------------------------------------------------------------------------------


def test_timers_run_in_the_order_of_their_time(timer_poller: Poller, clock: Clock, log: list[Any]) -> None:
    """The earliest first; of two at the same moment the one that was armed first."""
    sink = Sink("s", log)
    for timeout, id_ in ((30, 1), (10, 2), (20, 3), (10, 4)):
        timer_poller.add_timer(timeout, sink, id_)
    clock.now += 30
    timer_poller._execute_timers()
    assert [id_ for id_, _ in log] == [2, 4, 3, 1]


def test_a_timer_runs_once_and_not_early(timer_poller: Poller, clock: Clock, log: list[Any]) -> None:
    """Nothing happens before the time; the answer is the seconds that are left; afterwards it is gone."""
    timer_poller.add_timer(25, Sink("s", log), 1)
    assert timer_poller._execute_timers() == 0.025
    clock.now += 24
    assert timer_poller._execute_timers() == 0.001
    assert log == []
    clock.now += 1
    assert timer_poller._execute_timers() is None
    clock.now += 100
    timer_poller._execute_timers()
    assert log == [(1, "s")]


def test_a_cancelled_timer_does_not_run(timer_poller: Poller, clock: Clock, log: list[Any]) -> None:
    """Only the timer of that sink and id goes; one that is not there is ignored."""
    a, b = Sink("a", log), Sink("b", log)
    for sink in (a, b):
        for id_ in (1, 2):
            timer_poller.add_timer(10, sink, id_)
    timer_poller.cancel_timer(a, 2)
    timer_poller.cancel_timer(a, 7)
    timer_poller.cancel_timer(a, 2)
    clock.now += 10
    timer_poller._execute_timers()
    assert log == [(1, "a"), (1, "b"), (2, "b")]


def test_of_two_timers_of_one_id_the_first_goes(timer_poller: Poller, clock: Clock, log: list[Any]) -> None:
    """cancel_timer() takes the one that would run first."""
    sink = Sink("s", log)
    for timeout, id_ in ((10, 9), (50, 1), (20, 1)):
        timer_poller.add_timer(timeout, sink, id_)
    timer_poller.cancel_timer(sink, 1)
    clock.now += 30
    timer_poller._execute_timers()
    assert log == [(9, "s")]
    clock.now += 30
    timer_poller._execute_timers()
    assert log == [(9, "s"), (1, "s")]


def test_a_handler_may_arm_its_timer_again(timer_poller: Poller, clock: Clock, log: list[Any]) -> None:
    """The timer is gone before its handler runs, so arming again makes a new one and cancelling finds none."""

    def again() -> None:
        timer_poller.cancel_timer(sink, 1)
        timer_poller.add_timer(10, sink, 1)

    sink = Sink("s", log, again)
    timer_poller.add_timer(10, sink, 1)
    for _ in range(3):
        clock.now += 10
        timer_poller._execute_timers()
    assert log == [(1, "s")] * 3


def test_a_handler_may_cancel_a_timer_that_is_due(timer_poller: Poller, clock: Clock, log: list[Any]) -> None:
    """A timer of the same moment that an earlier handler cancels does not run."""
    b = Sink("b", log)
    a = Sink("a", log, lambda: timer_poller.cancel_timer(b, 1))
    timer_poller.add_timer(10, a, 1)
    timer_poller.add_timer(10, b, 1)
    clock.now += 10
    timer_poller._execute_timers()
    assert log == [(1, "a")]


def test_cancelled_timers_do_not_pile_up(timer_poller: Poller, log: list[Any]) -> None:
    """Arming and cancelling for ever (heartbeats) keeps a bounded list."""
    sink = Sink("s", log)
    timer_poller.add_timer(10**6, sink, 0)
    for _ in range(1000):
        timer_poller.add_timer(10**6, sink, 1)
        timer_poller.cancel_timer(sink, 1)
    assert len(timer_poller._timers) < 10
    assert timer_poller._cancelled < 10
    assert len(timer_poller._armed) == 1


def test_cancelling_does_not_look_at_other_timers(timer_poller: Poller, log: list[Any]) -> None:
    """Thirty thousand handshakes at once: each cancels its timer, in no time (a search would take a minute)."""
    sinks = [Sink(str(number), log) for number in range(30_000)]
    for sink in sinks:
        timer_poller.add_timer(30_000, sink, 1)
    watch = Stopwatch()
    for sink in sinks:
        timer_poller.cancel_timer(sink, 1)
    assert watch.elapsed < PATIENCE
    assert timer_poller._timers == []


def test_a_cancelled_timer_lets_go_of_its_sink(timer_poller: Poller, log: list[Any]) -> None:
    """What a long time-out belonged to is free at once, though its place in the heap is not."""
    kept, sink = Sink("kept", log), Sink("s", log)
    for _ in range(10):
        timer_poller.add_timer(10**6, kept, 1)
    timer_poller.add_timer(10**6, sink, 1)
    gone = weakref.ref(sink)
    timer_poller.cancel_timer(sink, 1)
    del sink
    assert gone() is None


def test_a_failing_timer_handler_is_logged_and_the_next_one_runs(
    timer_poller: Poller, clock: Clock, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in one object's timer is nobody else's problem."""
    timer_poller.add_timer(10, Sink("bad", log, lambda: 1 // 0), 1)
    timer_poller.add_timer(20, Sink("good", log), 2)
    clock.now += 20
    with caplog.at_level(logging.ERROR, "libzmq_py.poller"):
        timer_poller._execute_timers()
    assert log == [(1, "bad"), (2, "good")]
    assert "ZeroDivisionError" in caplog.text


def test_a_timer_that_is_always_due_does_not_starve_descriptors(log: list[Any], pairs: Callable[[], Pair]) -> None:
    """A handler that takes longer than its interval, or arms 0 ms, leaves the descriptors their turn."""
    poller = Poller()
    served_after: list[int] = []

    def again() -> None:
        if not served_after and len(log) < 20_000:
            poller.add_timer(0, timer, 1)

    def served() -> None:
        served_after.append(len(log))
        poller.stop()

    timer = Sink("timer", log, again)
    pair = pairs()
    handle = poller.add_fd(pair.near.fileno(), Sink("fd", [], served))
    poller.set_pollin(handle)
    pair.far.send(b"x")
    poller.add_timer(0, timer, 1)
    poller.loop()
    assert served_after[0] < 20_000


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 40)), max_size=40))
def test_timers_against_a_model(steps: list[tuple[int, int, int]]) -> None:
    """Any order of arming, cancelling and passing time: a sorted list says what runs and when."""
    clock, log = Clock(), []  # type: ignore[var-annotated]
    original, poller_module.now_ms = poller_module.now_ms, clock
    poller = Poller()
    try:
        sinks = [Sink(str(n), log) for n in range(2)]
        model: list[tuple[int, int, str, int]] = []
        expected: list[Any] = []
        for seq, (step, id_, amount) in enumerate(steps):
            sink = sinks[id_ % 2]
            if step <= 1:
                if not any(name == sink.name and other == id_ for _, _, name, other in model):
                    poller.add_timer(amount, sink, id_)
                    model.append((clock.now + amount, seq, sink.name, id_))
            elif step == 2:
                poller.cancel_timer(sink, id_)
                model = [timer for timer in model if timer[2:] != (sink.name, id_)]
            else:
                clock.now += amount
                rest = poller._execute_timers()
                due = sorted(timer for timer in model if timer[0] <= clock.now)
                model = [timer for timer in model if timer[0] > clock.now]
                expected += [(other, name) for _, _, name, other in due]
                assert rest == ((min(model)[0] - clock.now) / 1000 if model else None)
            assert log == expected
    finally:
        poller_module.now_ms = original
        poller._selector.close()


def test_the_loop_waits_for_the_next_timer(log: list[Any]) -> None:
    """loop() sleeps until a timer is due, runs it and ends after stop()."""
    poller = Poller()
    watch = Stopwatch()
    poller.add_timer(30, Sink("s", log, poller.stop), 1)
    poller.loop()
    assert log == [(1, "s")]
    assert 0.029 <= watch.elapsed < PATIENCE


# --- descriptors -----------------------------------------------------------------------------------------------------


def test_nothing_is_watched_until_asked(poller: Poller, pairs: Callable[[], Pair], log: list[Any]) -> None:
    """add_fd() alone brings no events, and counts as load."""
    pair = pairs()
    pair.far.send(b"x")
    handle = poller.add_fd(pair.near.fileno(), Sink("s", log))
    turn(poller)
    assert (log, poller.load) == ([], 1)
    poller.rm_fd(handle)
    assert poller.load == 0


def test_interest_is_set_and_reset(poller: Poller, pairs: Callable[[], Pair], log: list[Any]) -> None:
    """in_event and out_event come exactly while they are wanted; setting twice is setting once."""
    pair = pairs()
    pair.far.send(b"x")
    handle = poller.add_fd(pair.near.fileno(), Sink("s", log))
    poller.set_pollin(handle)
    poller.set_pollin(handle)
    turn(poller)
    assert log == [("in", "s")]
    poller.set_pollout(handle)
    turn(poller)
    assert log[1:] == [("out", "s"), ("in", "s")], "what can be written first"
    poller.reset_pollin(handle)
    poller.reset_pollin(handle)
    turn(poller)
    assert log[3:] == [("out", "s")]
    poller.reset_pollout(handle)
    poller.reset_pollout(handle)
    turn(poller)
    assert len(log) == 4
    poller.rm_fd(handle)


def test_a_hang_up_is_an_in_event(poller: Poller, pairs: Callable[[], Pair], log: list[Any]) -> None:
    """The end of the connection shows as readable."""
    pair = pairs()
    handle = poller.add_fd(pair.near.fileno(), Sink("s", log))
    poller.set_pollin(handle)
    pair.far.close()
    turn(poller)
    assert log == [("in", "s")]
    poller.rm_fd(handle)


def test_a_hang_up_while_nothing_is_read_does_not_spin(
    poller: Poller, pairs: Callable[[], Pair], log: list[Any]
) -> None:
    """With all interest off the end of the connection makes no noise; it shows when interest returns."""
    pair = pairs()
    handle = poller.add_fd(pair.near.fileno(), Sink("s", log))
    poller.set_pollin(handle)
    poller.reset_pollin(handle)
    pair.far.close()
    turn(poller)
    assert log == []
    poller.set_pollin(handle)
    turn(poller)
    assert log == [("in", "s")]
    poller.rm_fd(handle)


def test_a_failed_connect_is_told_to_the_writer(poller: Poller, log: list[Any]) -> None:
    """An error on a descriptor that waits to write only is an out_event."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    sock = socket.socket()
    sock.setblocking(False)
    handle = poller.add_fd(sock.fileno(), Sink("s", log))
    try:
        sock.connect_ex(address)
        poller.set_pollout(handle)
        poller._dispatch(poller._wait(PATIENCE))
        assert log == [("out", "s")]
    finally:
        poller.rm_fd(handle)
        sock.close()


def test_a_handler_may_remove_another_of_the_same_batch(
    poller: Poller, pairs: Callable[[], Pair], log: list[Any]
) -> None:
    """Of two that are ready, each removes the other: only one is called."""
    handles = []
    for name in "ab":
        pair = pairs()
        pair.far.send(b"x")
        sink = Sink(name, log, lambda: [poller.rm_fd(handle) for handle in handles if not handle.retired])
        handles.append(poller.add_fd(pair.near.fileno(), sink))
        poller.set_pollin(handles[-1])
    turn(poller)
    assert len(log) == 1
    assert poller.load == 0


def test_a_handler_may_remove_itself(poller: Poller, pairs: Callable[[], Pair], log: list[Any]) -> None:
    """out_event that removes the descriptor: its in_event of the same batch does not come."""
    pair = pairs()
    pair.far.send(b"x")
    handle = poller.add_fd(pair.near.fileno(), Sink("s", log, lambda: poller.rm_fd(handle)))
    poller.set_pollin(handle)
    poller.set_pollout(handle)
    turn(poller)
    assert log == [("out", "s")]


def test_a_descriptor_reused_within_a_batch_gets_no_old_event(
    poller: Poller, pairs: Callable[[], Pair], log: list[Any]
) -> None:
    """A new connection that takes the number of one closed in the same batch is not told the old one's events."""
    ready = [pairs(), pairs()]
    fresh: list[Any] = []
    handles: list[Any] = []

    def replace(other: int) -> None:
        if fresh:
            return
        number = ready[other].near.fileno()
        poller.rm_fd(handles[other])
        ready[other].near.close()
        pair = pairs()
        assert number in (pair.near.fileno(), pair.far.fileno())
        sock = pair.near if pair.near.fileno() == number else pair.far
        fresh.append(poller.add_fd(sock.fileno(), Sink("new", log)))
        poller.set_pollin(fresh[0])

    for index, pair in enumerate(ready):
        pair.far.send(b"x")
        sink = Sink(f"old {index}", log, lambda other=1 - index: replace(other))  # type: ignore[misc]
        handles.append(poller.add_fd(pair.near.fileno(), sink))
        poller.set_pollin(handles[-1])
    turn(poller)
    assert [kind for kind, _ in log] == ["in"]
    assert log[0][1] != "new"
    for handle in (*handles, *fresh):
        if not handle.retired:
            poller.rm_fd(handle)


def test_a_failing_handler_loses_its_own_descriptor_only(
    poller: Poller, pairs: Callable[[], Pair], log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The exception is logged, the descriptor is not called again, the others are."""
    handles = []
    for name, then in (("bad", lambda: 1 // 0), ("good", None)):
        pair = pairs()
        pair.far.send(b"x")
        handles.append(poller.add_fd(pair.near.fileno(), Sink(name, log, then)))
        poller.set_pollin(handles[-1])
    with caplog.at_level(logging.ERROR, "libzmq_py.poller"):
        turn(poller)
        turn(poller)
    assert sorted(log) == [("in", "bad"), ("in", "good"), ("in", "good")]
    assert "ZeroDivisionError" in caplog.text
    for handle in handles:
        poller.rm_fd(handle)


def test_more_ready_descriptors_than_one_wait_gives(
    poller: Poller, pairs: Callable[[], Pair], log: list[Any]
) -> None:
    """With more events than a wait returns every descriptor has its turn in a few waits."""
    count = 300
    handles = []
    for number in range(count):
        pair = pairs()
        pair.far.send(b"x")
        sink = Sink(str(number), log, lambda sock=pair.near: sock.recv(1))  # type: ignore[misc]
        handles.append(poller.add_fd(pair.near.fileno(), sink))
        poller.set_pollin(handles[-1])
    for _ in range(3):
        turn(poller)
    assert sorted(int(name) for _, name in log) == list(range(count))
    for handle in handles:
        poller.rm_fd(handle)


def test_an_event_of_an_unknown_descriptor_is_ignored(pairs: Callable[[], Pair], log: list[Any]) -> None:
    """epoll reports a file that lives on in a copy after its number was closed and removed; the loop survives that."""
    poller = Poller()
    pair = pairs()
    copy = pair.near.dup()
    handle = poller.add_fd(pair.near.fileno(), Sink("s", log))
    poller.set_pollin(handle)
    pair.near.close()
    poller.rm_fd(handle)
    pair.far.send(b"x")
    poller.add_timer(20, Sink("timer", log, poller.stop), 1)
    try:
        poller.loop()
    finally:
        copy.close()
    assert log == [(1, "timer")]


# --- the loop and its mailbox ----------------------------------------------------------------------------------------


class Guard:
    """A mailbox whose reader finds a command whenever the test says so."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.commands = 0
        self.calls: list[str] = []

    def arm(self) -> bool:
        self.calls.append("arm")
        return not self.commands

    def disarm(self, drain: bool = True) -> None:
        self.calls.append("disarm")


def test_commands_come_before_waiting(poller: Poller, pairs: Callable[[], Pair], log: list[Any]) -> None:
    """A mailbox that is not empty is looked at, and the descriptors have their turn without a wait."""
    mailbox, pair = pairs(), pairs()
    guard = Guard(mailbox.near.fileno())
    sink = Sink("mailbox", log, lambda: setattr(guard, "commands", 0))
    poller.set_guard(guard, sink)
    handle = poller.add_fd(pair.near.fileno(), Sink("fd", log))
    poller.set_pollin(handle)
    pair.far.send(b"x")
    guard.commands = 1
    poller._dispatch(poller._wait(None))
    assert log == [("in", "mailbox"), ("in", "fd")]
    assert guard.calls == ["arm", "disarm"]


def test_a_failing_command_does_not_end_the_loop(
    poller: Poller, pairs: Callable[[], Pair], log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Even a mailbox handler that raises leaves the loop running."""
    mailbox = pairs()
    guard = Guard(mailbox.near.fileno())
    guard.commands = 1
    poller.set_guard(guard, Sink("mailbox", log, lambda: 1 // 0))
    poller.add_timer(20, Sink("timer", log, poller.stop), 1)
    with caplog.at_level(logging.ERROR, "libzmq_py.poller"):
        poller.loop()
    assert log[0] == ("in", "mailbox")
    assert log[-1] == (1, "timer")


def test_stop_ends_the_loop_after_the_batch(poller: Poller, pairs: Callable[[], Pair], log: list[Any]) -> None:
    """All events of the batch in which stop() is called are handled; then the selector is closed."""
    for name in "ab":
        pair = pairs()
        pair.far.send(b"x")
        poller.set_pollin(poller.add_fd(pair.near.fileno(), Sink(name, log, poller.stop)))
    poller.loop()
    assert sorted(log) == [("in", "a"), ("in", "b")]
    selector = poller._selector
    assert selector._epoll.closed if hasattr(selector, "_epoll") else selector.get_map() is None, "the selector is open"
