# SPDX-License-Identifier: MPL-2.0
"""Timers for a user's own poll loop: ``timeout()`` says how long to poll, ``execute()`` then runs what is due.

The timers are kept sorted by when they are due; of equal ones the first scheduled runs first. A cancelled timer is
only marked, and goes when ``timeout`` or ``execute`` comes past it; until then its id can still be given a new interval
or reset, to no effect, as in libzmq.

Mirrors: src/timers.cpp, src/timers.hpp (``zmq_timers_*``).
Departs: a timer is scheduled anew before its handler runs, not after: a handler that raises, or that resets, changes or
cancels any timer, its own included, leaves everything in order (in C that is undefined). A due timer runs once in an
``execute``, with an interval of 0 too (in C that never returns).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from errno import EFAULT, EINVAL
from typing import Any, Final

from libzmq_py.clock import now_ms
from libzmq_py.errors import strerror, zmq_error

#: Called with the timer's id and the ``arg`` given to ``add``.
TimerHandler = Callable[[int, Any], object]


#: Milliseconds. In C a longer one (a size_t) would wrap when it is added to the time.
_LONGEST: Final = 2**63 - 1


class _Timer:
    """One timer: everything there is to know, and whether it was cancelled."""

    __slots__ = ("arg", "cancelled", "handler", "id", "interval", "when")

    def __init__(self, timer_id: int, interval: int, handler: TimerHandler, arg: object) -> None:
        self.id = timer_id
        self.interval = interval
        self.handler = handler
        self.arg = arg
        self.when = 0
        self.cancelled = False


class Timers:
    """A set of repeating timers. To be used by one thread at a time. (Not in pyzmq.)

    zmq_timers_new.
    """

    def __init__(self) -> None:
        self._next_timer_id = 0
        self._timers: list[_Timer] = []  # by ``when``

    def add(self, interval: int, handler: TimerHandler, arg: object = None) -> int:
        """Add a timer that is due in ``interval`` milliseconds and every ``interval`` milliseconds after it ran.

        Args:
            interval: Milliseconds, at least 0.
            handler: Called with the timer's id and ``arg``, by ``execute`` and in its thread.
            arg: Anything.

        Returns:
            The id of the timer, from 1 on.

        Raises:
            ZMQError: EFAULT if there is nothing to call, EINVAL if the interval is negative, or 2**63 and more.
            TypeError: The interval is no int.

        zmq_timers_add.
        """
        if not callable(handler):
            raise zmq_error(EFAULT, f"{strerror(EFAULT)} (timer handler {handler!r} cannot be called)")
        _check_interval(interval)
        self._next_timer_id += 1
        self._schedule(_Timer(self._next_timer_id, interval, handler, arg), now_ms())
        return self._next_timer_id

    def cancel(self, timer_id: int) -> None:
        """Let a timer never run again.

        Raises:
            ZMQError: EINVAL if there is no such timer or it was cancelled before.

        zmq_timers_cancel.
        """
        timer = self._find(timer_id)
        if timer.cancelled:
            raise zmq_error(EINVAL, f"{strerror(EINVAL)} (timer {timer_id} was cancelled before)")
        timer.cancelled = True

    def set_interval(self, timer_id: int, interval: int) -> None:
        """Change the interval, in milliseconds; the timer is due that long from now.

        Raises:
            ZMQError: EINVAL if there is no such timer, or the interval is negative, or 2**63 and more.
            TypeError: The interval is no int.

        zmq_timers_set_interval.
        """
        timer = self._find(timer_id)
        _check_interval(interval)
        timer.interval = interval
        self.reset(timer_id)

    def reset(self, timer_id: int) -> None:
        """Start the timer's interval anew from now.

        Raises:
            ZMQError: EINVAL if there is no such timer.

        zmq_timers_reset.
        """
        timer = self._find(timer_id)
        self._timers.remove(timer)
        self._schedule(timer, now_ms())

    def timeout(self) -> int:
        """Return the milliseconds until the next timer is due: 0 if one is, -1 if there are none (as poll wants it).

        zmq_timers_timeout.
        """
        self._purge()
        return max(self._timers[0].when - now_ms(), 0) if self._timers else -1

    def execute(self) -> None:
        """Call the handlers of the timers that are due, in the order in which they became due.

        An exception of a handler comes out here; the timers behind it stay due.

        zmq_timers_execute.
        """
        now = now_ms()
        due = [timer for timer in self._timers if timer.when <= now]
        for timer in due:
            # The handlers before this one may have cancelled or postponed it.
            if timer.cancelled or timer.when > now:
                continue
            self._timers.remove(timer)
            self._schedule(timer, now)
            timer.handler(timer.id, timer.arg)
        self._purge()

    def _schedule(self, timer: _Timer, start: int) -> None:
        timer.when = start + timer.interval
        bisect.insort_right(self._timers, timer, key=lambda other: other.when)

    def _purge(self) -> None:
        """Drop the cancelled timers ahead of the first that is not."""
        while self._timers and self._timers[0].cancelled:
            del self._timers[0]

    def _find(self, timer_id: int) -> _Timer:
        for timer in self._timers:
            if timer.id == timer_id:
                return timer
        raise zmq_error(EINVAL, f"{strerror(EINVAL)} (no timer {timer_id})")


def _check_interval(interval: int) -> None:
    if not isinstance(interval, int):
        raise TypeError(f"timer interval must be an int (milliseconds), got: {interval!r}")
    if not 0 <= interval <= _LONGEST:
        raise zmq_error(EINVAL, f"{strerror(EINVAL)} (timer interval {interval} ms)")
