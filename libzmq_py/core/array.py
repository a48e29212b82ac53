# SPDX-License-Identifier: MPL-2.0
"""A list whose items know their place, so that swaps and removals cost the same for any length.

Mirrors: src/array.hpp.
Departs: the place is kept in a dict beside the list, not in the item.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Array(Generic[T]):
    """Order is not stable: `erase` moves the last item into the hole, exactly as libzmq's array_t."""

    __slots__ = ("_index", "items")

    def __init__(self) -> None:
        self.items: list[T] = []
        self._index: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, item: T) -> bool:
        return item in self._index

    def index(self, item: T) -> int:
        """Where the item stands; KeyError if it does not."""
        return self._index[item]

    def push_back(self, item: T) -> None:
        """Append an item, which must not be there yet."""
        self._index[item] = len(self.items)
        self.items.append(item)

    def erase(self, item: T) -> None:
        """Remove an item; the last one takes its place."""
        hole = self._index.pop(item)
        last = self.items.pop()
        if last is not item:
            self.items[hole] = last
            self._index[last] = hole

    def swap(self, i: int, j: int) -> None:
        """Exchange two items by their places."""
        if i == j:
            return
        items = self.items
        items[i], items[j] = items[j], items[i]
        self._index[items[i]] = i
        self._index[items[j]] = j

    def clear(self) -> None:
        """Remove every item."""
        self.items.clear()
        self._index.clear()
