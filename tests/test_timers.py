# SPDX-License-Identifier: MPL-2.0
"""zmq_timers: on a clock that the tests turn by hand."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from libzmq_py import clock
from libzmq_py import timers as module
from libzmq_py.errors import ZMQError
from libzmq_py.timers import Timers


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(module, "now_ms", fake)
    return fake


class Calls(list[tuple[int, Any]]):
    """A handler that notes its calls."""

    def __call__(self, timer_id: int, arg: Any) -> None:
        self.append((timer_id, arg))


@contextmanager
def refused(number: int) -> Iterator[None]:
    with pytest.raises(ZMQError) as caught:
        yield
    assert caught.value.errno == number


def test_runs_when_due_and_again(now: Clock) -> None:
    """A timer runs with its id and argument once its interval is over, and again an interval after that."""
    timers, calls = Timers(), Calls()
    assert timers.timeout() == -1
    one = timers.add(100, calls, "arg")
    assert timers.timeout() == 100
    now.now += 99
    timers.execute()
    assert (calls, timers.timeout()) == ([], 1)
    now.now += 31
    assert timers.timeout() == 0
    timers.execute()
    assert calls == [(one, "arg")]
    assert timers.timeout() == 100  # counted from when it ran, not from when it was due
    now.now += 1000
    timers.execute()
    assert len(calls) == 2  # once, however many intervals have passed


def test_order(now: Clock) -> None:
    """Timers run in the order they became due; those due together, in the order they were added. Ids count from 1."""
    timers, calls = Timers(), Calls()
    assert [timers.add(interval, calls) for interval in (30, 20, 30, 10)] == [1, 2, 3, 4]
    assert timers.timeout() == 10
    now.now += 30
    timers.execute()
    assert [timer_id for timer_id, _ in calls] == [4, 2, 1, 3]


def test_set_interval_and_reset_start_anew(now: Clock) -> None:
    """Both count from now; set_interval for good."""
    timers, calls = Timers(), Calls()
    one = timers.add(100, calls)
    now.now += 60
    timers.reset(one)
    assert timers.timeout() == 100
    now.now += 60
    timers.set_interval(one, 50)
    assert timers.timeout() == 50
    now.now += 50
    timers.execute()
    assert len(calls) == 1
    assert timers.timeout() == 50
    timers.add(60, calls)
    timers.reset(one)
    timers.set_interval(one, 70)
    assert timers.timeout() == 60  # the first is now the second


def test_cancel(now: Clock) -> None:
    """A cancelled timer does not count for timeout and does not run; a second cancel is refused."""
    timers, calls = Timers(), Calls()
    one = timers.add(10, calls)
    two = timers.add(20, calls)
    timers.cancel(one)
    with refused(errno.EINVAL):
        timers.cancel(one)
    assert timers.timeout() == 20
    now.now += 20
    timers.execute()
    assert [timer_id for timer_id, _ in calls] == [two]
    timers.cancel(two)
    assert timers.timeout() == -1


def test_cancelled_timer_is_known_until_it_is_passed_over(now: Clock) -> None:
    """set_interval and reset of a cancelled id work, to no effect, until timeout or execute has dropped it."""
    timers, calls = Timers(), Calls()
    one = timers.add(10, calls)
    timers.cancel(one)
    timers.set_interval(one, 5)
    timers.reset(one)
    now.now += 5
    timers.execute()
    assert calls == []
    with refused(errno.EINVAL):
        timers.set_interval(one, 5)
    with refused(errno.EINVAL):
        timers.reset(one)
    with refused(errno.EINVAL):
        timers.cancel(one)


def test_refusals(now: Clock) -> None:
    """No handler is EFAULT; an unknown timer or a negative interval EINVAL."""
    timers = Timers()
    with refused(errno.EFAULT):
        timers.add(10, None)  # type: ignore[arg-type]
    with refused(errno.EINVAL):
        timers.add(-1, print)
    with refused(errno.EINVAL):
        timers.set_interval(1, 5)
    with refused(errno.EINVAL):
        timers.reset(1)
    with refused(errno.EINVAL):
        timers.cancel(1)
    one = timers.add(10, print)
    with refused(errno.EINVAL):
        timers.set_interval(one, -1)
    assert timers.timeout() == 10


def test_handlers_may_change_the_timers(now: Clock) -> None:
    """A handler cancels itself and the next due one, postpones a third and adds a fourth: all of it holds at once."""
    timers, calls = Timers(), Calls()

    def first(timer_id: int, arg: Any) -> None:
        calls(timer_id, arg)
        timers.cancel(timer_id)
        timers.cancel(two)
        timers.set_interval(three, 500)
        timers.add(0, calls, "added")

    one = timers.add(10, first)
    two = timers.add(10, calls)
    three = timers.add(10, calls)
    now.now += 10
    timers.execute()
    assert calls == [(one, None)]
    assert timers.timeout() == 0
    timers.execute()
    assert calls == [(one, None), (4, "added")]
    timers.cancel(4)
    assert timers.timeout() == 500


@pytest.mark.parametrize("interval", [float("nan"), 1.5, 2.0, "5", None, b"5"])
def test_an_interval_is_an_int(interval: Any) -> None:
    """Anything else is a TypeError that names it, and changes nothing."""
    timers = Timers()
    with pytest.raises(TypeError, match=repr(interval)):
        timers.add(interval, Calls())
    one = timers.add(10**6, Calls())
    assert one == 1
    with pytest.raises(TypeError, match=repr(interval)):
        timers.set_interval(one, interval)
    assert timers.timeout() > 10**5


@pytest.mark.parametrize("interval", [-1, 2**63, 2**64])
def test_an_interval_is_a_time(interval: int) -> None:
    """EINVAL below 0, and from where it would wrap in C."""
    timers = Timers()
    one = timers.add(2**63 - 1, Calls())
    for call in (lambda: timers.add(interval, Calls()), lambda: timers.set_interval(one, interval)):
        with pytest.raises(ZMQError, match=f"interval {interval} ms") as caught:
            call()
        assert caught.value.errno == errno.EINVAL
    assert timers.timeout() > 2**62


def test_interval_zero_runs_once_per_execute(now: Clock) -> None:
    timers, calls = Timers(), Calls()
    timers.add(0, calls)
    timers.execute()
    timers.execute()
    assert len(calls) == 2


def test_failing_handler_leaves_the_rest_due(now: Clock) -> None:
    """The exception comes out; the failed timer is scheduled anew and the ones behind it run next time."""
    timers, calls = Timers(), Calls()

    def fail(timer_id: int, arg: Any) -> None:
        raise KeyError("mine")

    timers.add(10, fail)
    timers.add(10, calls)
    now.now += 10
    with pytest.raises(KeyError, match="mine"):
        timers.execute()
    timers.execute()
    assert [timer_id for timer_id, _ in calls] == [2]


def test_on_the_real_clock() -> None:
    """timeout() is about the interval in milliseconds, and the clock does not go back."""
    timers = Timers()
    timers.add(60_000, print)
    assert 30_000 < timers.timeout() <= 60_000
    readings = [clock.now_ms() for _ in range(100)]
    assert readings == sorted(readings)
