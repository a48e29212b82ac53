# SPDX-License-Identifier: MPL-2.0
"""The queue between exactly one writer thread and one reader thread, without a lock.

Mirrors: src/ypipe.hpp, src/yqueue.hpp, src/ypipe_base.hpp.
Departs: `collections.deque` is the chunked queue, and a whole message is one item, so there is no unflushed tail:
the unfinished part of a message waits with its writer (`Pipe`).  libzmq's compare-and-swap on the shared pointer `c`
becomes one byte in a bytearray, the *asleep* token:

    reader finds the queue empty       writer has appended an item
    --------------------------------   --------------------------------
    1. put the token down              1. append the item
    2. look at the queue again         2. is the token there?
       - still empty: sleep               - no: the reader is awake
       - an item: take the token up       - yes: take it up; whoever gets it owes the wake-up

Each side writes first and looks second, so at least one of them sees the other.  `bytearray.pop` hands the token to one
thread only.  Relied on: `deque.append`, `deque.popleft`, `bytearray.append` and `bytearray.pop` are atomic and act in
program order (documented for deque; true for bytearray with the GIL, and from CPython 3.14 on with the per-object locks
of the free-threaded build).  A list would do as well, but the collector would have to visit it: there are two of these
per connection, and each object that is visited is visited about seven times while thousands of connections are made.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class YPipe(Generic[T]):
    """One writer, one reader.

    The hot functions of `Pipe` and `Mailbox` use `queue` and `asleep` directly; the methods here are the same steps,
    to be read.
    """

    __slots__ = ("asleep", "queue")

    def __init__(self, maxlen: int | None = None) -> None:
        self.queue: deque[T] = deque(maxlen=maxlen)
        # Holds one token while the reader sleeps. A fresh queue counts as 'reader awake'.
        self.asleep = bytearray()

    def write(self, item: T) -> None:
        """Append an item (writer)."""
        self.queue.append(item)

    def flush(self) -> bool:
        """True if the reader is awake; False hands the caller the duty to wake it (writer)."""
        if not self.asleep:
            return True
        try:
            self.asleep.pop()
        except IndexError:
            return True  # another thread (of a many-writer mailbox), or the reader itself, was quicker
        return False

    def check_read(self) -> bool:
        """True if an item waits; False has put the reader to sleep (reader)."""
        if self.queue:
            return True
        if not self.asleep:
            self.asleep.append(True)
        if not self.queue:
            return False
        self.flush()
        return True

    def read(self) -> T | None:
        """The next item, or None, which has put the reader to sleep (reader)."""
        return self.queue.popleft() if self.check_read() else None
