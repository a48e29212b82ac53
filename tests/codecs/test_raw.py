# SPDX-License-Identifier: MPL-2.0
"""No framing: bytes as they come."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs.raw_decoder import RawDecoder
from libzmq_py.codecs.raw_encoder import RawEncoder
from libzmq_py.msg import Msg
from tests.codecs.strategies import batches, joined

SIZE = 8192


@given(st.lists(st.binary(max_size=50)))
def test_what_one_read_gives_is_one_message(reads: list[bytes]) -> None:
    """Reads are not joined; nothing read is no message."""
    decoder = RawDecoder(50)
    assert [message for data in reads for message in decoder.decode(data)] == [data for data in reads if data]
    assert decoder.error is None
    assert not decoder.has_commands
    assert decoder.collector.missing == 0


@given(st.binary(max_size=100), st.integers(1, 40))
def test_large_reads_are_cut(data: bytes, size: int) -> None:
    """Into messages of that size, the last one with what is left: as if it had been read in pieces of that size."""
    assert RawDecoder(size).decode(data) == [data[start : start + size] for start in range(0, len(data), size)]


def test_what_was_fed_is_one_frame() -> None:
    """next_frame() gives all there is, once."""
    decoder = RawDecoder(SIZE)
    assert decoder.next_frame() is None
    decoder.feed(b"a")
    decoder.feed(b"b")
    first = decoder.next_frame()
    assert first is not None and first.data == b"ab"
    assert decoder.next_frame() is None


@given(batches)
def test_frames_go_out_without_headers(batch: list[Any]) -> None:
    """The bytes of all frames in order, and nothing else."""
    flat = [frame for msg in batch for frame in (msg if isinstance(msg, tuple) else (msg,))]
    assert joined(RawEncoder(), batch) == b"".join(flat)


def test_frames_of_every_kind() -> None:
    """bytes, memoryview and Msg."""
    assert joined(RawEncoder(), [b"a", memoryview(b"b"), Msg(b"c"), (b"d", memoryview(b"e"), Msg(b"f"))]) == b"abcdef"
