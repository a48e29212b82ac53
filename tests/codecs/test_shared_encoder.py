# SPDX-License-Identifier: MPL-2.0
"""What many subscribers get is encoded once, and nobody's bytes differ for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs.encoder import Buffer
from libzmq_py.codecs.shared_encoder import Segments, SharedEncoder
from libzmq_py.codecs.v2_encoder import V2Encoder
from libzmq_py.msg import Message


class Counting(V2Encoder):
    """Counts the messages it encodes."""

    def __init__(self) -> None:
        self.count = 0

    def encode(self, msgs: Sequence[Message]) -> list[Buffer]:
        self.count += len(msgs)
        return super().encode(msgs)


def plain(msgs: list[Any]) -> bytes:
    return b"".join(V2Encoder().encode(msgs))


def shared(count: int) -> tuple[Counting, Segments, list[SharedEncoder]]:
    """Encoders for so many subscribers."""
    inner, segments = Counting(), Segments()
    return inner, segments, [SharedEncoder(inner, segments) for _ in range(count)]


def test_the_same_batch_is_encoded_once() -> None:
    inner, _, encoders = shared(10)
    msgs: list[Any] = [b"%d" % number for number in range(100)]
    assert {b"".join(encoder.encode(list(msgs))) for encoder in encoders} == {plain(msgs)}
    assert inner.count == 100


def test_batches_that_end_elsewhere_share_what_they_have_in_common() -> None:
    """The second encodes what the first had not, the third nothing."""
    inner, _, encoders = shared(3)
    msgs: list[Any] = [b"%d" % number for number in range(100)]
    assert b"".join(encoders[0].encode(msgs[:60])) == plain(msgs[:60])
    assert b"".join(encoders[1].encode(msgs)) == plain(msgs)
    assert b"".join(encoders[2].encode(msgs)) == plain(msgs)
    assert inner.count == 100
    assert b"".join(encoders[0].encode(msgs[60:])) == plain(msgs[60:])
    assert inner.count == 100


def test_a_segment_that_only_begins_alike_is_not_taken() -> None:
    """One object may be the first of two different batches."""
    _, _, encoders = shared(2)
    head = b"the same object"
    first, second = [head, *[b"a"] * 20], [head, *[b"b"] * 20]
    assert b"".join(encoders[0].encode(first)) == plain(first)
    assert b"".join(encoders[1].encode(second)) == plain(second)
    shorter = [head, *[b"b"] * 10]
    assert b"".join(encoders[0].encode(shorter)) == plain(shorter)


def test_little_is_kept() -> None:
    """A few segments, and none that are large."""
    _, segments, (encoder,) = shared(1)
    for start in range(50):
        encoder.encode([b"%d" % (start * 100 + number) for number in range(20)])
    assert len(segments) <= 8
    segments.clear()
    encoder.encode([bytes(100_000) for _ in range(20)])
    encoder.encode([b"few"] * 3)
    assert not segments


@given(st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=12), min_size=1, max_size=4), st.randoms())
def test_any_interleaving_of_any_batches(cuts: list[list[int]], random: Any) -> None:
    """Each subscriber's stream is that of an encoder of its own, however the engines take turns."""
    _, _, encoders = shared(len(cuts))
    objects: list[Any] = [b"x", b"y" * 300, (b"a", b"b"), b""]
    msgs = [random.choice(objects) for _ in range(max(map(sum, cuts)))]
    pending = [(which, iter(sizes)) for which, sizes in enumerate(cuts)]
    streams = [b""] * len(cuts)
    done = [0] * len(cuts)
    while pending:
        entry = random.choice(pending)
        which, sizes = entry
        size = next(sizes, None)
        if size is None:
            pending.remove(entry)
            continue
        streams[which] += b"".join(encoders[which].encode(msgs[done[which] : done[which] + size]))
        done[which] += size
    assert streams == [plain(msgs[:count]) for count in done]
