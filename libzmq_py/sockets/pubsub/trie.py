# SPDX-License-Identifier: MPL-2.0
"""The subscriptions of one socket: prefixes, each with a count.

Mirrors: src/trie.cpp, src/trie.hpp, src/radix_tree.cpp.
Departs: a dict of prefixes and the set of their lengths in place of a tree.  The contract is libzmq's; there is no
recursion, whose depth a peer could choose, and a lookup costs one slice per distinct length of short prefix; for long
ones see `long_prefixes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any, Final

from libzmq_py.sockets.pubsub.long_prefixes import CHUNK, LongPrefixes

# More prefixes than this are looked up by their lengths.
_FEW: Final = 16


class Trie:
    """Socket's thread only."""

    __slots__ = ("_counts", "_length_counts", "_lengths", "_long", "matches_all")

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._length_counts: dict[int, int] = {}
        # The lengths of the short prefixes that exist, ascending.
        self._lengths: list[int] = []
        # The long ones, if there are any.
        self._long: LongPrefixes | None = None
        # Hot path: the empty prefix is subscribed to, so everything matches.
        self.matches_all = False

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, prefix: bytes) -> bool:
        """Count one more subscription; True if it is the first of its prefix."""
        count = self._counts.get(prefix, 0)
        self._counts[prefix] = count + 1
        if count:
            return False
        length = len(prefix)
        if length >= CHUNK:
            if self._long is None:
                self._long = LongPrefixes()
            self._long.add(prefix)
            return True
        self._length_counts[length] = self._length_counts.get(length, 0) + 1
        if self._length_counts[length] == 1:
            self._lengths = sorted(self._length_counts)
        self.matches_all = b"" in self._counts
        return True

    def rm(self, prefix: bytes) -> bool:
        """Count one less; True if it was the last of its prefix. A prefix that is not there is left alone."""
        count = self._counts.get(prefix, 0)
        if count > 1:
            self._counts[prefix] = count - 1
        if count != 1:
            return False
        del self._counts[prefix]
        length = len(prefix)
        if self._long is not None and length >= CHUNK:
            self._long.rm(prefix)
            if not self._long:
                self._long = None
            return True
        self._length_counts[length] -= 1
        if not self._length_counts[length]:
            del self._length_counts[length]
            self._lengths = sorted(self._length_counts)
        self.matches_all = b"" in self._counts
        return True

    def check(self, data: bytes) -> bool:
        """True if some prefix of `data` is subscribed to. Hot path: a receiver's filter."""
        counts = self._counts
        for length in self._lengths:  # a loop, as a generator costs more than the lookup
            if data[:length] in counts:
                return True
        return self._long is not None and any(True for _ in self._long.of(data))

    def check_all(self, msgs: list[Any]) -> bool:
        """True if all of these messages, which are bytes, match. Hot path: nothing but C runs per message."""
        if len(self._counts) > _FEW:
            return all(map(self.check, msgs))
        return all(map(bytes.startswith, msgs, repeat(tuple(self._counts))))

    def apply(self, func: Callable[[bytes], object]) -> None:
        """Call `func` with every prefix, in byte order, the shorter first."""
        for prefix in sorted(self._counts):
            func(prefix)
