# SPDX-License-Identifier: MPL-2.0
"""Who subscribed to what, against a plain set of pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.sockets.pubsub.long_prefixes import CHUNK
from libzmq_py.sockets.pubsub.mtrie import MTrie, RmResult

short_topics = st.one_of(st.text("ab", max_size=4).map(str.encode), st.binary(max_size=3))
# Around one, two and three chunks (see `long_prefixes`), with common beginnings.
long_topics = st.builds(
    lambda size, end: b"x" * (size - len(end)) + end,
    st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 5]),
    st.sampled_from([b"", b"y", b"y" * 130]),
)
topics = st.one_of(short_topics, long_topics)
pipes = st.sampled_from(["p", "q", "r"])


@pytest.fixture
def mtrie() -> MTrie[str]:
    return MTrie()


def test_add_is_true_for_a_new_prefix(mtrie: MTrie[str]) -> None:
    """News is a prefix that had no subscriber; the same pipe twice is one subscription."""
    assert mtrie.add(b"a", "p")
    assert not mtrie.add(b"a", "q")
    assert not mtrie.add(b"a", "p")
    assert len(mtrie) == 1


def test_rm_says_what_it_found(mtrie: MTrie[str]) -> None:
    """Not a holder, not the last, the last."""
    mtrie.add(b"a", "p")
    mtrie.add(b"a", "q")
    assert mtrie.rm(b"a", "r") is RmResult.NOT_FOUND
    assert mtrie.rm(b"x", "p") is RmResult.NOT_FOUND
    assert mtrie.rm(b"", "p") is RmResult.NOT_FOUND
    assert mtrie.rm(b"a", "p") is RmResult.VALUES_REMAIN
    assert mtrie.rm(b"a", "q") is RmResult.LAST_VALUE_REMOVED
    assert mtrie.rm(b"a", "q") is RmResult.NOT_FOUND
    assert len(mtrie) == 0


def test_matching_gives_every_pipe_once_in_order(mtrie: MTrie[str]) -> None:
    """A pipe with several matching prefixes gets one copy; the shortest prefix's pipes come first."""
    for topic, pipe in ((b"ab", "r"), (b"a", "p"), (b"a", "q"), (b"ab", "p"), (b"", "q"), (b"x", "s")):
        mtrie.add(topic, pipe)
    assert list(mtrie.matching(b"abc")) == ["q", "p", "r"]
    assert list(mtrie.matching(b"b")) == ["q"]


def test_nobody_matches(mtrie: MTrie[str]) -> None:
    """An empty answer for no subscription at all and for none that fits."""
    assert list(mtrie.matching(b"")) == []
    mtrie.add(b"abc", "p")
    assert list(mtrie.matching(b"ab")) == []


def test_asking_changes_nothing(mtrie: MTrie[str]) -> None:
    """The answer may be the store's own: an answer over two prefixes must not write into either."""
    mtrie.add(b"", "p")
    mtrie.add(b"a", "q")
    assert sorted(mtrie.matching(b"a")) == ["p", "q"]
    assert list(mtrie.matching(b"b")) == ["p"]


@pytest.mark.parametrize(("unique", "told"), [(False, [b"", b"a", b"b"]), (True, [b"", b"b"])])
def test_a_pipes_end(mtrie: MTrie[str], unique: bool, told: list[bytes]) -> None:
    """All it held is told, or only where it was the last; others stay."""
    for topic in (b"b", b"", b"a"):
        mtrie.add(topic, "p")
    mtrie.add(b"a", "q")
    seen: list[bytes] = []
    mtrie.rm_pipe("p", seen.append, unique)
    assert seen == told
    assert len(mtrie) == 1
    assert list(mtrie.matching(b"a")) == ["q"]
    mtrie.rm_pipe("p", seen.append, unique)
    assert seen == told


def test_topics_of_any_length(mtrie: MTrie[str]) -> None:
    """Length is the peer's choice, so nothing may recurse over it (GHSA-qq65-x72m-9wr8)."""
    topic = bytes(200_000)
    mtrie.add(topic, "p")
    assert list(mtrie.matching(topic)) == ["p"]
    mtrie.rm_pipe("p", lambda _: None, True)
    assert len(mtrie) == 0


@given(st.lists(st.tuples(st.sampled_from(["add", "add", "rm", "rm_pipe", "match"]), topics, pipes, st.booleans())))
def test_against_a_set_of_pairs(steps: list[tuple[str, bytes, str, bool]]) -> None:
    """Any history answers as a set of (prefix, pipe) does."""
    mtrie: MTrie[str] = MTrie()
    model: set[tuple[bytes, str]] = set()
    for step, topic, pipe, unique in steps:
        holders = {other for prefix, other in model if prefix == topic}
        if step == "add":
            assert mtrie.add(topic, pipe) is (not holders)
            model.add((topic, pipe))
        elif step == "rm":
            expected = RmResult.NOT_FOUND
            if pipe in holders:
                expected = RmResult.LAST_VALUE_REMOVED if len(holders) == 1 else RmResult.VALUES_REMAIN
            assert mtrie.rm(topic, pipe) is expected
            model.discard((topic, pipe))
        elif step == "rm_pipe":
            held = sorted(prefix for prefix, other in model if other == pipe)
            model = {pair for pair in model if pair[1] != pipe}
            seen: list[bytes] = []
            mtrie.rm_pipe(pipe, seen.append, unique)
            still = {prefix for prefix, _ in model}
            assert seen == [prefix for prefix in held if not unique or prefix not in still]
        else:
            found = list(mtrie.matching(topic))
            assert len(found) == len(set(found))
            assert set(found) == {other for prefix, other in model if topic.startswith(prefix)}
        assert len(mtrie) == len({prefix for prefix, _ in model})
