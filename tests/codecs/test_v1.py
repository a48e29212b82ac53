# SPDX-License-Identifier: MPL-2.0
"""ZMTP 1.0 frames (RFC 13), in and out."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs.decoder import DecodeError
from libzmq_py.codecs.v1_decoder import V1Decoder
from libzmq_py.codecs.v1_encoder import V1Encoder
from libzmq_py.msg import CANCEL, COMMAND, MORE, SUBSCRIBE, Msg
from tests.codecs.strategies import SIZES, batches, bytewise, cuts, decode_all, joined, oracle, pieces


def frame(body: bytes, flags: int = 0, long: bool = False) -> bytes:
    """A frame as RFC 13 draws it: the size counts the flags byte."""
    size = len(body) + 1
    if long or size >= 255:
        return b"\xff" + struct.pack(">Q", size) + bytes([flags]) + body
    return bytes([size, flags]) + body


@pytest.mark.parametrize("size", SIZES)
def test_one_frame(size: int) -> None:
    """Up to 253 bytes of body the size is one byte, as 255 announces eight."""
    assert joined(V1Encoder(), [b"x" * size]) == frame(b"x" * size)


def test_frames_of_every_kind() -> None:
    """bytes, memoryview and Msg give the same bytes; MORE on all but the last."""
    for kind in (lambda data: data, memoryview, Msg):
        assert joined(V1Encoder(), [(kind(b"a"), kind(b"b" * 300))]) == frame(b"a", 1) + frame(b"b" * 300)
        assert joined(V1Encoder(), [kind(b"a")]) == frame(b"a")


@pytest.mark.parametrize("size", [0, 1, 252, 253, 254, 255, 256])
@pytest.mark.parametrize(("what", "first"), [(SUBSCRIBE, b"\1"), (CANCEL, b"\0")])
def test_subscriptions_are_messages(size: int, what: int, first: bytes) -> None:
    """A byte before the topic says what it is, and counts for the size."""
    assert joined(V1Encoder(), [Msg(b"t" * size, what)]) == frame(first + b"t" * size)


def test_commands_are_left_out() -> None:
    """1.0 has none; messages around them go out."""
    assert joined(V1Encoder(), [b"a", Msg(b"\4PING", COMMAND), b"b"]) == frame(b"a") + frame(b"b")


@given(batches, cuts)
def test_round_trip_in_any_pieces(batch: list[Any], where: list[int]) -> None:
    """What was encoded is decoded, however the bytes arrive."""
    data = joined(V1Encoder(), batch)
    assert decode_all(V1Decoder(-1), pieces(data, where)) == (batch, None)


@given(st.lists(st.one_of(st.binary(max_size=20), st.binary(min_size=250, max_size=260)), max_size=8))
def test_round_trip_one_byte_at_a_time(batch: list[bytes]) -> None:
    """The slowest peer gives the same messages."""
    assert decode_all(V1Decoder(-1), bytewise(joined(V1Encoder(), batch))) == (batch, None)


@given(st.binary(max_size=300), st.sampled_from([-1, 0, 10, 100]), cuts)
def test_garbage_gives_messages_or_a_decode_error(data: bytes, limit: int, where: list[int]) -> None:
    """Whatever the bytes: messages, or one DecodeError, and the same by both ways."""
    assert decode_all(V1Decoder(limit), pieces(data, where)) == oracle(V1Decoder(limit), data)


def test_long_form_of_a_small_size() -> None:
    """Eight bytes of size are accepted for any size: peers send their routing id so."""
    assert decode_all(V1Decoder(-1), [frame(b"id", long=True)]) == ([b"id"], None)


def test_only_more_counts_of_the_flags() -> None:
    """Other bits are ignored."""
    data = frame(b"a", 0xFE) + frame(b"b", 0xFF) + frame(b"c")
    assert decode_all(V1Decoder(-1), [data]) == ([b"a", (b"b", b"c")], None)
    decoder = V1Decoder(-1)
    decoder.feed(frame(b"b", 0xFF))
    first = decoder.next_frame()
    assert first is not None and first.flags == MORE


@pytest.mark.parametrize("data", [b"\0", b"\xff" + bytes(8)])
def test_size_zero_is_an_error(data: bytes) -> None:
    """A frame has at least its flags."""
    messages, error = decode_all(V1Decoder(-1), bytewise(data))
    assert messages == []
    assert error is not None


@pytest.mark.parametrize("size", [0, 5, 253, 254, 100_000])
def test_the_limit_is_about_the_body(size: int) -> None:
    """MAXMSGSIZE does not count the flags byte; it is judged by the header alone."""
    assert decode_all(V1Decoder(size), [frame(b"x" * size)]) == ([b"x" * size], None)
    header = frame(b"x" * (size + 1))[: 1 if size < 253 else 9]
    messages, error = decode_all(V1Decoder(size), bytewise(header))
    assert messages == []
    assert error is not None and "above the limit" in error


def test_messages_before_the_error_are_given() -> None:
    """The error ends the list and stays."""
    decoder = V1Decoder(5)
    assert decoder.decode(frame(b"a") + frame(b"toolong") + frame(b"b")) == [b"a"]
    assert isinstance(decoder.error, DecodeError)
    assert decoder.decode(frame(b"c")) == []


def test_the_routing_id_by_frame_then_the_rest_as_a_batch() -> None:
    """next_frame() leaves what follows for decode()."""
    decoder = V1Decoder(-1)
    decoder.feed(frame(b"id", long=True) + frame(b"one") + b"\4\0t")
    first = decoder.next_frame()
    assert first is not None and first.data == b"id"
    assert decoder.decode(b"wo") == [b"one", b"two"]


def test_missing_tells_what_a_large_frame_lacks() -> None:
    """The hint for the size of the next read."""
    decoder = V1Decoder(-1)
    decoder.decode(frame(b"x" * 100_000)[:1010])
    assert decoder.collector.missing == 99_000
