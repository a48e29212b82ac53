# SPDX-License-Identifier: MPL-2.0
"""Who subscribed to what (sockets/pubsub/trie.py, mtrie.py).

Any sequence of subscriptions, cancellations, ends of pipes and look-ups gives what plain sets of pairs give, and both
forget all that is cancelled.
"""

from __future__ import annotations

from collections import Counter

from fuzz.source import Source, require
from libzmq_py.sockets.pubsub.mtrie import MTrie, RmResult
from libzmq_py.sockets.pubsub.trie import Trie

MAX_LEN = 300
TOKENS = (b"\0\0\1a", b"\1\0\1a", b"\2\0\1a", b"\0\0\0")
SEEDS = {
    "one": b"\0\0\1a" + b"\2\0\2ab" + b"\1\0\1a" + b"\2\0\2ab",
    "nested": b"\0\0\0" + b"\0\1\1a" + b"\0\2\2ab" + b"\2\0\3abc" + b"\3\1" + b"\4\2" + b"\2\0\3abc",
    "counted": b"\0\0\1a\0\0\1a\1\0\1a\2\0\1a\1\0\1a\2\0\1a",
    "stranger": b"\0\0\1a\1\1\1a\3\1\3\0",
    "binary": b"\0\0\3\0\xff\0\2\0\5\0\xff\0\xff\xff",
}


def check(data: bytes) -> None:
    """One input: operations."""
    source = Source(data)
    trie, counts = Trie(), Counter[bytes]()
    mtrie: MTrie[int] = MTrie()
    pairs: set[tuple[bytes, int]] = set()
    while source:
        kind, pipe = source.byte() % 5, source.byte() % 4
        if kind >= 3:
            _end_pipe(mtrie, pairs, pipe, kind == 4)
            continue
        size = source.byte()
        topic = source.take(size % 20) * (1 + size // 64)  # there may be another way for long ones
        if kind == 0:
            first = not any(prefix == topic for prefix, _ in pairs)
            pairs.add((topic, pipe))
            require(mtrie.add(topic, pipe) is first, "mtrie.add", topic)
            counts[topic] += 1
            require(trie.add(topic) is (counts[topic] == 1), "trie.add", topic)
        elif kind == 1:
            require(mtrie.rm(topic, pipe) is _rm(pairs, topic, pipe), "mtrie.rm", topic)
            known = counts[topic] > 0
            counts[topic] -= known
            require(trie.rm(topic) is (known and not counts[topic]), "trie.rm", topic)
        _look_up(trie, counts, mtrie, pairs, topic)
    for topic, count in list(counts.items()):
        for _ in range(count):
            trie.rm(topic)
    for pipe in range(4):
        _end_pipe(mtrie, pairs, pipe, False)
    require(len(trie) == 0 and len(mtrie) == 0, "something is left")
    require(not any(getattr(mtrie, name) for name in MTrie.__slots__), "something is left of the mtrie")
    require(not any(getattr(trie, name) for name in Trie.__slots__), "something is left of the trie")


def _rm(pairs: set[tuple[bytes, int]], topic: bytes, pipe: int) -> RmResult:
    if (topic, pipe) not in pairs:
        return RmResult.NOT_FOUND
    pairs.remove((topic, pipe))
    remain = any(prefix == topic for prefix, _ in pairs)
    return RmResult.VALUES_REMAIN if remain else RmResult.LAST_VALUE_REMOVED


def _end_pipe(mtrie: MTrie[int], pairs: set[tuple[bytes, int]], pipe: int, only_last: bool) -> None:
    held = {topic for topic, owner in pairs if owner == pipe}
    pairs -= {(topic, pipe) for topic in held}
    if only_last:
        held -= {topic for topic, _ in pairs}
    told: list[bytes] = []
    mtrie.rm_pipe(pipe, told.append, only_last)
    require(told == sorted(held), "mtrie.rm_pipe", told, held)


def _look_up(
    trie: Trie, counts: Counter[bytes], mtrie: MTrie[int], pairs: set[tuple[bytes, int]], topic: bytes
) -> None:
    require(trie.check(topic) is any(count and topic.startswith(prefix) for prefix, count in counts.items()), "check")
    require(trie.matches_all is bool(counts[b""]), "matches_all")
    matching = list(mtrie.matching(topic))
    require(len(matching) == len(set(matching)), "a pipe twice")
    require(set(matching) == {pipe for prefix, pipe in pairs if topic.startswith(prefix)}, "matching", topic)
    prefixes = {prefix for prefix, _ in pairs}
    every = {pipe for _, pipe in pairs} if prefixes == {b""} else set()
    require(set(mtrie.always_matching()) == every, "always_matching")
    require(len(mtrie) == len(prefixes), "number of prefixes")
    told: list[bytes] = []
    trie.apply(told.append)
    require(told == sorted(prefix for prefix, count in counts.items() if count), "apply")
