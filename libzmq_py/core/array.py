# SPDX-License-Identifier: MPL-2.0
"""A list whose items know their place, so that swaps and removals cost the same for any length.

Mirrors: src/array.hpp.
Departs: the place is kept in a dict beside the list, not in the item, and only from a length on at which that is
quicker than to look through the list: most sockets have few pipes, and each has three of these.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")

_LONG: Final = 16


class Array(Generic[T]):
    """Order is not stable: `erase` moves the last item into the hole, exactly as libzmq's array_t."""

    __slots__ = ("_index", "items")

    def __init__(self) -> None:
        self.items: list[T] = []
        # None until the list has been long once.
        self._index: dict[T, int] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, item: T) -> bool:
        return item in (self.items if self._index is None else self._index)

    def index(self, item: T) -> int:
        """Where the item stands.

        Raises:
            KeyError, ValueError: it does not.
        """
        return self.items.index(item) if self._index is None else self._index[item]

    def push_back(self, item: T) -> None:
        """Append an item, which must not be there yet."""
        items = self.items
        if self._index is not None:
            self._index[item] = len(items)
        elif len(items) == _LONG:
            self._index = {other: place for place, other in enumerate((*items, item))}
        items.append(item)

    def erase(self, item: T) -> None:
        """Remove an item; the last one takes its place."""
        hole = self.index(item)
        last = self.items.pop()
        if hole < len(self.items):
            self.items[hole] = last
        if self._index is not None:
            self._index[last] = hole
            del self._index[item]

    def swap(self, i: int, j: int) -> None:
        """Exchange two items by their places."""
        if i == j:
            return
        items = self.items
        items[i], items[j] = items[j], items[i]
        if self._index is not None:
            self._index[items[i]] = i
            self._index[items[j]] = j

    def clear(self) -> None:
        """Remove every item."""
        self.items.clear()
        self._index = None
