# SPDX-License-Identifier: MPL-2.0
"""A queue of one place that keeps the newest item only (ZMQ_CONFLATE).

Mirrors: src/ypipe_conflate.hpp, src/dbuffer.hpp.
Departs: a deque of length one drops the older item by itself and atomically, so no double buffer and no lock.
libzmq asks for a wake-up at every flush; the token of `YPipe` asks only when the reader sleeps.
"""

from __future__ import annotations

from typing import TypeVar

from libzmq_py.core.ypipe import YPipe

T = TypeVar("T")


class YPipeConflate(YPipe[T]):
    """One writer, one reader; an unread item is replaced by the next."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(maxlen=1)
