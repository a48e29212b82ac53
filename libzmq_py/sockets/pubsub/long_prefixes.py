# SPDX-License-Identifier: MPL-2.0
"""Prefixes of at least `CHUNK` bytes, found by walking along a message.

No libzmq twin: `trie.py` and `mtrie.py` look up one slice per distinct length of prefix, which is fast as long as there
are few lengths.  How many there are is the peers' choice, so only short prefixes are kept that way, and here the long
ones: a tree of chunks, in which a lookup goes as far as chunks match, and in each of them over fewer than `CHUNK`
lengths of what follows.  Nothing recurses.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Any, Final

#: In bytes. A lookup in short prefixes costs one slice per length below this.
CHUNK: Final = 128
# What most parts of most nodes are; never written to.
_NONE: Final[dict[Any, Any]] = {}


class _Node:
    """What may follow after some chunks."""

    __slots__ = ("below", "counts", "ends", "lengths")

    def __init__(self) -> None:
        self.below: dict[bytes, _Node] = _NONE
        # The last bytes of a prefix, fewer than a chunk -> the whole prefix.
        self.ends: dict[bytes, bytes] = _NONE
        # Length of such an end -> how many there are; and the lengths, ascending.
        self.counts: dict[int, int] = _NONE
        self.lengths: list[int] = []


class LongPrefixes:
    """Socket's thread only."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Node()

    def __bool__(self) -> bool:
        return bool(self._root.below)

    def add(self, prefix: bytes) -> None:
        """Add a prefix that is not there."""
        node, pos = self._root, 0
        while len(prefix) - pos >= CHUNK:
            chunk = prefix[pos : pos + CHUNK]
            pos += CHUNK
            following = node.below.get(chunk)
            if following is None:
                following = _Node()
                if node.below is _NONE:
                    node.below = {}
                node.below[chunk] = following
            node = following
        if node.ends is _NONE:
            node.ends, node.counts = {}, {}
        end = prefix[pos:]
        node.ends[end] = prefix
        count = node.counts.get(len(end), 0)
        node.counts[len(end)] = count + 1
        if not count:
            insort(node.lengths, len(end))

    def rm(self, prefix: bytes) -> None:
        """Remove a prefix that is there, and the nodes that led to nothing else."""
        node, pos = self._root, 0
        path: list[tuple[_Node, bytes]] = []
        while len(prefix) - pos >= CHUNK:
            chunk = prefix[pos : pos + CHUNK]
            pos += CHUNK
            path.append((node, chunk))
            node = node.below[chunk]
        end = prefix[pos:]
        del node.ends[end]
        node.counts[len(end)] -= 1
        if not node.counts[len(end)]:
            del node.counts[len(end)]
            node.lengths.remove(len(end))
        while path and not node.ends and not node.below:
            node, chunk = path.pop()
            del node.below[chunk]

    def of(self, data: bytes) -> Iterator[bytes]:
        """The prefixes of `data`, the shorter first."""
        pos = 0
        node = self._root.below.get(data[:CHUNK])
        while node is not None:
            pos += CHUNK
            ends, left = node.ends, len(data) - pos
            for length in node.lengths:
                if length > left:
                    return
                prefix = ends.get(data[pos : pos + length])
                if prefix is not None:
                    yield prefix
            node = node.below.get(data[pos : pos + CHUNK])
