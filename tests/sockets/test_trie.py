# SPDX-License-Identifier: MPL-2.0
"""The subscriptions of one socket against a plain multiset."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from libzmq_py.sockets.pubsub.long_prefixes import CHUNK
from libzmq_py.sockets.pubsub.trie import Trie

short_topics = st.one_of(st.text("ab", max_size=4).map(str.encode), st.binary(max_size=3))
# Around one, two and three chunks (see `long_prefixes`), with common beginnings.
long_topics = st.builds(
    lambda size, end: b"x" * (size - len(end)) + end,
    st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 5]),
    st.sampled_from([b"", b"y", b"y" * 130]),
)
topics = st.one_of(short_topics, long_topics)


def test_add_is_true_for_the_first() -> None:
    """Only the first subscription to a prefix is news."""
    trie = Trie()
    assert trie.add(b"a")
    assert not trie.add(b"a")
    assert trie.add(b"ab")
    assert len(trie) == 2


def test_rm_is_true_for_the_last() -> None:
    """Only the end of the last one is news; one that is not there is left alone."""
    trie = Trie()
    trie.add(b"a")
    trie.add(b"a")
    assert not trie.rm(b"a")
    assert trie.check(b"a")
    assert trie.rm(b"a")
    assert not trie.rm(b"a")
    assert not trie.rm(b"never")
    assert not trie.check(b"a")


def test_check_looks_for_prefixes() -> None:
    """A message passes if some prefix of it is subscribed to."""
    trie = Trie()
    trie.add(b"abc")
    assert trie.check(b"abc") and trie.check(b"abcd")
    assert not trie.check(b"ab") and not trie.check(b"xabc") and not trie.check(b"")


def test_the_empty_prefix_passes_everything() -> None:
    """Also the empty message."""
    trie = Trie()
    assert not trie.check(b"")
    trie.add(b"")
    assert trie.check(b"") and trie.check(b"anything")


def test_apply_is_in_byte_order_the_shorter_first() -> None:
    """As libzmq walks its tree."""
    trie = Trie()
    for topic in (b"b", b"ab", b"\xff", b"", b"a", b"aa"):
        trie.add(topic)
    seen: list[bytes] = []
    trie.apply(seen.append)
    assert seen == [b"", b"a", b"aa", b"ab", b"b", b"\xff"]


def test_topics_of_any_length() -> None:
    """Length is the peer's choice, so nothing may recurse over it (GHSA-qq65-x72m-9wr8)."""
    trie = Trie()
    topic = bytes(200_000)
    assert trie.add(topic)
    assert trie.check(topic + b"x")
    assert trie.rm(topic)


@given(st.lists(st.tuples(st.sampled_from(["add", "rm", "check", "apply"]), topics), max_size=60))
@example([("add", b"a"), ("add", b"b"), ("rm", b"a"), ("check", b"b")])
def test_against_a_multiset(steps: list[tuple[str, bytes]]) -> None:
    """Any history of subscriptions answers as a Counter and a loop over its keys."""
    trie, model = Trie(), Counter[bytes]()
    for step, topic in steps:
        if step == "add":
            model[topic] += 1
            assert trie.add(topic) is (model[topic] == 1)
        elif step == "rm":
            assert trie.rm(topic) is (model[topic] == 1)
            model[topic] -= 1
            model = +model
        elif step == "check":
            assert trie.check(topic) is any(topic.startswith(prefix) for prefix in model)
        else:
            seen: list[bytes] = []
            trie.apply(seen.append)
            assert seen == sorted(model)
        assert len(trie) == len(model)
