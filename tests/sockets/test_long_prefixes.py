# SPDX-License-Identifier: MPL-2.0
"""What many lengths of prefix cost, and that nothing is left of prefixes that are gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.sockets.pubsub.long_prefixes import CHUNK, LongPrefixes
from libzmq_py.sockets.pubsub.mtrie import MTrie
from libzmq_py.sockets.pubsub.trie import Trie


class CountingBytes(bytes):
    """Counts how often, and how much in all, is cut out of it."""

    cuts = 0
    size = 0

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        type(self).cuts += 1
        type(self).size += len(part) if isinstance(part, bytes) else 1
        return part


@pytest.mark.parametrize("kind", [MTrie, Trie])
@pytest.mark.parametrize("alike", [True, False], ids=["all match", "none matches"])
def test_the_cost_of_a_lookup(kind: Any, alike: bool) -> None:
    """Ten thousand prefixes of as many lengths: a message that matches none of them costs next to nothing, and one that
    matches them all not more than a short slice for each."""
    made = kind()
    for length in range(1, 10_000):
        made.add(b"a" * length, *("pipe",) if kind is MTrie else ())
    data = CountingBytes(b"a" * 20_000 if alike else b"b" * 20_000)
    CountingBytes.cuts = CountingBytes.size = 0
    assert bool(made.matching(data) if kind is MTrie else made.check(data)) is alike
    assert CountingBytes.cuts <= (11_000 if alike else CHUNK + 1)
    assert CountingBytes.size <= CountingBytes.cuts * CHUNK


prefixes = st.builds(
    lambda sizes, end: b"".join(letter * size for letter, size in zip((b"a", b"b", b"c"), sizes, strict=True)) + end,
    st.tuples(*[st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])] * 3),
    st.binary(max_size=2),
).filter(lambda prefix: len(prefix) >= CHUNK)


@given(st.sets(prefixes, max_size=12), prefixes)
def test_against_a_set(held: set[bytes], data: bytes) -> None:
    """It finds what begins the message, the shorter first, and is empty when all are gone."""
    made = LongPrefixes()
    for prefix in held:
        made.add(prefix)
    assert list(made.of(data)) == sorted((prefix for prefix in held if data.startswith(prefix)), key=len)
    for prefix in sorted(held):
        assert made
        made.rm(prefix)
        assert prefix not in list(made.of(prefix + data))
    assert not made
    assert not made._root.below
