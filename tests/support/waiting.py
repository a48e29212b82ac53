# SPDX-License-Identifier: MPL-2.0
"""Waiting in tests: deadlines instead of sleeps, all stretched together by one environment variable.

On a slow machine set ``LIBZMQ_PY_TIME_SCALE=3``: every period below, and every period a test builds with :func:`ms` or
:func:`seconds`, becomes three times as long. A period that is part of the claim (an option given to the library, the
time it must then keep) and the time allowed for observing it scale alike, so the claim stays the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIME_SCALE = float(os.environ.get("LIBZMQ_PY_TIME_SCALE", "1"))


def seconds(amount: float) -> float:
    """Return ``amount`` seconds, scaled."""
    return amount * TIME_SCALE


def ms(amount: float) -> int:
    """Return ``amount`` milliseconds, scaled, as the integer that socket options want."""
    return round(amount * TIME_SCALE)


#: How long to wait for what must happen. Never spent in full by a passing test.
PATIENCE = seconds(5)
#: How long 'nothing arrives' is watched. Spent in full by every such check, so it is short.
SILENCE = seconds(0.04)


class Deadline:
    """A moment that must not be passed; shared by several waits in a row."""

    def __init__(self, timeout: float = PATIENCE) -> None:
        self._end = time.monotonic() + timeout

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._end

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    def remaining_ms(self) -> int:
        """Return the milliseconds left, rounded up so that a poll does not spin at the end."""
        return int(self.remaining() * 1000) + 1


class Stopwatch:
    """Measures elapsed seconds from its creation, or from the last :meth:`restart`."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def restart(self) -> None:
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start


def wait_until(condition: Callable[[], T], what: str = "the condition", timeout: float = PATIENCE) -> T:
    """Call ``condition`` until it returns something true and return that; fail the test when time runs out.

    The pause between two looks grows from 1 to 20 ms, so that short waits stay short and long ones cost nothing.
    """
    deadline = Deadline(timeout)
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if deadline.expired:
            raise AssertionError(f"{what} did not come true within {timeout:g} s (last value: {value!r})")
        time.sleep(min(pause, deadline.remaining()))
        pause = min(pause * 2, 0.02)
