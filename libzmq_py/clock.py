# SPDX-License-Identifier: MPL-2.0
"""The one clock that timers and time-outs go by.

Mirrors: src/clock.cpp, src/clock.hpp.
Departs: no rdtsc and no cached reading: the operating system's monotonic clock is cheap enough, and true.
"""

from __future__ import annotations

from time import monotonic_ns


def now_ms() -> int:
    """Return whole milliseconds since some moment in the past; never goes back, whatever is done to the date."""
    return monotonic_ns() // 1_000_000
