# SPDX-License-Identifier: MPL-2.0
"""How a target reads its input, and how it cuts a stream into pieces.

Plain Python, so that inputs replay without atheris. A `Source` never runs dry: it goes on with zeros, so that every
input is valid and a mutation changes one decision, not whether the input can be read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# While inputs come by the million each takes one of the ways there are to take it; see `turns`.
_one_way = False
# Streams above this length are not taken byte by byte.
BYTEWISE_MAX = 300
# Characters of a value in the text of an error.
_SHOWN = 1200


class Source:
    """Decisions read from the front of an input, byte by byte."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        """True while something is left."""
        return self._position < len(self._data)

    def byte(self) -> int:
        """One byte; 0 when nothing is left."""
        position = self._position
        if position >= len(self._data):
            return 0
        self._position = position + 1
        return self._data[position]

    def flag(self) -> bool:
        """One bit."""
        return bool(self.byte() & 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self.byte() % len(choices)]

    def number(self, size: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def take(self, count: int) -> bytes:
        """So many bytes, fewer at the end."""
        start = self._position
        self._position = min(len(self._data), start + count)
        return self._data[start : self._position]

    def chunk(self) -> bytes:
        """As many bytes as the next one says."""
        return self.take(self.byte())

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))


def take_one_way() -> None:
    """From now on (in a process that fuzzes) `turns` gives one way; what is kept of the inputs is replayed in all."""
    global _one_way
    _one_way = True


def turns(data: bytes, count: int) -> Sequence[int]:
    """Which of `count` ways to take: all, or, while fuzzing, one that depends on the data and on nothing else."""
    return (zlib.crc32(data, 1) % count,) if _one_way else range(count)


def bytewise(data: bytes) -> list[bytes]:
    """One byte at a time."""
    return [data[n : n + 1] for n in range(len(data))]


def cut(data: bytes, *salt: int) -> list[bytes]:
    """In pieces of sizes that only depend on the data (and the salt)."""
    pieces = []
    state = zlib.crc32(data, *salt)
    position = 0
    while position < len(data):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        # Mostly small pieces, sometimes large ones, whatever the length.
        size = 1 + (state >> 16) % (len(data) if state & 0x100 else 1 + len(data) // 8)
        pieces.append(data[position : position + size])
        position += size
    return pieces


def ways(data: bytes) -> Iterator[list[bytes]]:
    """Ways in which a stream may arrive: in one piece, in some, byte by byte; see `turns`."""
    for turn in turns(data, 3 if 2 <= len(data) <= BYTEWISE_MAX else 2):
        yield bytewise(data) if turn == 2 else cut(data) if turn else [data] if data else []


def frame(flags: int, body: bytes) -> bytes:
    """A frame of ZMTP 2 or 3; LARGE is set where it must be."""
    if flags & 2 or len(body) > 255:
        return struct.pack(">BQ", flags | 2, len(body)) + body
    return bytes((flags, len(body))) + body


def require(condition: object, *what: object) -> None:
    """Fail unless the condition holds (`assert` would vanish under -O)."""
    if not condition:
        raise Broken(", ".join(part if isinstance(part, str) else _short(repr(part)) for part in what))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} ... {text[-_SHOWN // 2 :]}"


class Broken(Exception):
    """An invariant of a target does not hold."""
