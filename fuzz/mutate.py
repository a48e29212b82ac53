# SPDX-License-Identifier: MPL-2.0
"""A plain mutator, for a short run without atheris: the same inputs every time, on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence


def mutations(seeds: Sequence[bytes], tokens: Sequence[bytes], longest: int, count: int, seed: int) -> Iterator[bytes]:
    """So many inputs made of the seeds, none longer than `longest`."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(seeds) if seeds else b"")
        for _ in range(1 + chance.randrange(5)):
            _mutate(data, seeds, tokens, chance)
        yield bytes(data[:longest])


def _mutate(data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random) -> None:
    kind = chance.randrange(7)
    start = chance.randrange(len(data) + 1)
    stop = min(len(data), start + chance.randrange(1, 9))
    if kind == 0 and start < len(data):
        data[start] ^= 1 << chance.randrange(8)
    elif kind == 1 and start < len(data):
        data[start] = chance.choice((0, 1, 2, 4, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)))
    elif kind == 2:
        del data[start:stop]
    elif kind == 3:
        data[start:start] = data[start:stop]
    elif kind == 4 and tokens:
        data[start:start] = chance.choice(tokens)
    elif kind == 5 and seeds:
        other = chance.choice(seeds)
        data[start:] = other[chance.randrange(len(other) + 1) :]
    else:
        data[start:start] = chance.randbytes(chance.randrange(1, 5))
