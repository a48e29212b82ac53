# SPDX-License-Identifier: MPL-2.0
"""Who subscribed to what: prefixes, each with the pipes that want it.

Mirrors: src/mtrie.cpp, src/generic_mtrie.hpp, src/generic_mtrie_impl.hpp.
Departs: a dict of prefixes in place of a tree, for the reasons given in `trie.py`, and a dict from pipe to its
prefixes, so that a pipe's end costs what it held and not a walk over everything.  Long prefixes have a tree besides.
The number of prefixes stays exact when a pipe ends (libzmq's does not).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from libzmq_py.sockets.pubsub.long_prefixes import CHUNK, LongPrefixes

T = TypeVar("T")


class RmResult(enum.Enum):
    """What `rm` found."""

    NOT_FOUND = "not_found"
    LAST_VALUE_REMOVED = "last_value_removed"
    VALUES_REMAIN = "values_remain"


class MTrie(Generic[T]):
    """Socket's thread only. Pipes are kept in the order in which they came."""

    __slots__ = ("_by_pipe", "_by_prefix", "_length_counts", "_lengths", "_long")

    def __init__(self) -> None:
        self._by_prefix: dict[bytes, dict[T, None]] = {}
        self._by_pipe: dict[T, dict[bytes, None]] = {}
        # Of the short prefixes.
        self._length_counts: dict[int, int] = {}
        self._lengths: list[int] = []
        # The long ones, if there are any.
        self._long: LongPrefixes | None = None

    def __len__(self) -> int:
        return len(self._by_prefix)

    def add(self, prefix: bytes, pipe: T) -> bool:
        """Subscribe a pipe; True if the prefix had no subscriber."""
        pipes = self._by_prefix.get(prefix)
        first = pipes is None
        if pipes is None:
            pipes = self._by_prefix[prefix] = {}
            self._remember(prefix)
        pipes[pipe] = None
        self._by_pipe.setdefault(pipe, {})[prefix] = None
        return first

    def rm(self, prefix: bytes, pipe: T) -> RmResult:
        """Unsubscribe a pipe from one prefix."""
        pipes = self._by_prefix.get(prefix)
        if pipes is None or pipe not in pipes:
            return RmResult.NOT_FOUND
        del pipes[pipe]
        prefixes = self._by_pipe[pipe]
        del prefixes[prefix]
        if not prefixes:
            del self._by_pipe[pipe]
        if pipes:
            return RmResult.VALUES_REMAIN
        self._forget(prefix)
        return RmResult.LAST_VALUE_REMOVED

    def rm_pipe(self, pipe: T, func: Callable[[bytes], object], call_on_uniq: bool) -> None:
        """Unsubscribe a pipe from everything.

        Calls `func` with each prefix it held, or with `call_on_uniq` only where it was the last subscriber.
        """
        for prefix in sorted(self._by_pipe.pop(pipe, ())):
            pipes = self._by_prefix[prefix]
            del pipes[pipe]
            if not pipes:
                self._forget(prefix)
            if not call_on_uniq or not pipes:
                func(prefix)

    def matching(self, data: bytes) -> Collection[T]:
        """The pipes subscribed to a prefix of `data`, each once.

        Hot path: once per published message; usually one prefix matches, and its own dict is the answer.
        """
        by_prefix = self._by_prefix
        found: dict[T, None] | None = None
        for length in self._lengths:
            pipes = by_prefix.get(data[:length])
            if pipes is not None:
                found = pipes if found is None else {**found, **pipes}
        if self._long is not None:
            found = dict(found or {})
            for prefix in self._long.of(data):
                found.update(by_prefix[prefix])
        return found if found is not None else ()

    def always_matching(self) -> Collection[T]:
        """The pipes that every message matches, if every message matches the same ones; else none."""
        return self._by_prefix[b""] if self._lengths == [0] and self._long is None else ()

    def _remember(self, prefix: bytes) -> None:
        length = len(prefix)
        if length >= CHUNK:
            if self._long is None:
                self._long = LongPrefixes()
            self._long.add(prefix)
            return
        self._length_counts[length] = self._length_counts.get(length, 0) + 1
        if self._length_counts[length] == 1:
            self._lengths = sorted(self._length_counts)

    def _forget(self, prefix: bytes) -> None:
        del self._by_prefix[prefix]
        length = len(prefix)
        if self._long is not None and length >= CHUNK:
            self._long.rm(prefix)
            if not self._long:
                self._long = None
            return
        self._length_counts[length] -= 1
        if not self._length_counts[length]:
            del self._length_counts[length]
            self._lengths = sorted(self._length_counts)
