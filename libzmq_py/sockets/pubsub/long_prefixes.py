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
        # A chunk -> what may follow it; or the prefix itself, while it is the only one that goes on like this.
        self.below: dict[bytes, _Node | bytes] = _NONE
        # The last bytes of a prefix, fewer than a chunk -> the whole prefix.
        self.ends: dict[bytes, bytes] = _NONE
        # Length of such an end -> how many there are; and the lengths, ascending.
        self.counts: dict[int, int] = _NONE
        self.lengths: list[int] = []

    def put(self, prefix: bytes, pos: int) -> None:
        """Add a prefix that nothing here goes on like; `pos` bytes of it have led here."""
        if len(prefix) - pos >= CHUNK:
            if self.below is _NONE:
                self.below = {}
            self.below[prefix[pos : pos + CHUNK]] = prefix
            return
        if self.ends is _NONE:
            self.ends, self.counts = {}, {}
        end = prefix[pos:]
        self.ends[end] = prefix
        count = self.counts.get(len(end), 0)
        self.counts[len(end)] = count + 1
        if not count:
            insort(self.lengths, len(end))

    def remove_end(self, end: bytes) -> None:
        """Remove what `put` has added to `ends`."""
        del self.ends[end]
        self.counts[len(end)] -= 1
        if not self.counts[len(end)]:
            del self.counts[len(end)]
            self.lengths.remove(len(end))


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
            following = node.below.get(chunk)
            if following is None:
                break
            pos += CHUNK
            if isinstance(following, bytes):
                alone, following = following, _Node()
                following.put(alone, pos)
                node.below[chunk] = following
            node = following
        node.put(prefix, pos)

    def rm(self, prefix: bytes) -> None:
        """Remove a prefix that is there, and the nodes that led to nothing else."""
        node, pos = self._root, 0
        path: list[tuple[_Node, bytes]] = []
        while len(prefix) - pos >= CHUNK:
            chunk = prefix[pos : pos + CHUNK]
            following = node.below[chunk]
            if isinstance(following, bytes):
                del node.below[chunk]
                break
            path.append((node, chunk))
            node = following
            pos += CHUNK
        else:
            node.remove_end(prefix[pos:])
        while path and not node.ends and not node.below:
            node, chunk = path.pop()
            del node.below[chunk]

    def of(self, data: bytes) -> Iterator[bytes]:
        """The prefixes of `data`, the shorter first."""
        pos = 0
        node = self._root.below.get(data[:CHUNK])
        while isinstance(node, _Node):
            pos += CHUNK
            ends, left = node.ends, len(data) - pos
            for length in node.lengths:
                if length > left:
                    return
                prefix = ends.get(data[pos : pos + length])
                if prefix is not None:
                    yield prefix
            node = node.below.get(data[pos : pos + CHUNK])
        if node is not None and data.startswith(node):
            yield node
