# SPDX-License-Identifier: MPL-2.0
"""ZMTP 2.0, 3.0 and 3.1 frames, in and out: any bytes in any pieces, against literal frames and the plain decoder."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libzmq_py.codecs.decoder import DecodeError
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.codecs.v2_encoder import V2Encoder
from libzmq_py.codecs.v3_1_encoder import V31Encoder
from libzmq_py.msg import CANCEL, COMMAND, MORE, SUBSCRIBE, Msg
from tests.codecs.strategies import SIZES, batches, bytewise, cuts, decode_all, joined, oracle, pieces

ENCODERS = [V2Encoder, V31Encoder]


def frame(body: bytes, flags: int = 0, large: bool = False) -> bytes:
    """A frame as RFC 15 and 23 draw it."""
    if large or len(body) > 255:
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


# --- out -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("size", SIZES)
def test_one_frame(encoder: Any, size: int) -> None:
    """Up to 255 bytes the size is one byte, from 256 on eight with the LARGE flag."""
    assert joined(encoder(), [b"x" * size]) == frame(b"x" * size)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_several_frames(encoder: Any) -> None:
    """Every frame but the last has MORE."""
    msg = (b"a", b"b" * 300, b"")
    assert joined(encoder(), [msg]) == frame(b"a", 1) + frame(b"b" * 300, 1) + frame(b"")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_frames_of_every_kind(encoder: Any) -> None:
    """bytes, memoryview and Msg give the same bytes, alone and within a message."""
    for data in (b"data", b"d" * 300):
        for kind in (lambda data: data, memoryview, Msg):
            assert joined(encoder(), [(kind(data), kind(data))]) == frame(data, 1) + frame(data)
            assert joined(encoder(), [kind(data)]) == frame(data)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_command(encoder: Any) -> None:
    """The COMMAND flag, LARGE where the size asks for it."""
    for body in (b"\5READY", b"\5READY" + b"x" * 300):
        assert joined(encoder(), [Msg(body, COMMAND)]) == frame(body, 4)


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 256, 300])
@pytest.mark.parametrize("what", [SUBSCRIBE, CANCEL])
def test_subscriptions_as_messages(size: int, what: int) -> None:
    """2.0 and 3.0: a message that begins with 1 or 0. A topic of 255 bytes makes a LARGE frame (libzmq breaks it)."""
    topic = b"t" * size
    expected = frame((b"\1" if what == SUBSCRIBE else b"\0") + topic)
    assert joined(V2Encoder(), [Msg(topic, what)]) == expected


@pytest.mark.parametrize("size", [0, 1, 244, 245, 246, 248, 249, 250, 255, 256])
@pytest.mark.parametrize(("what", "name"), [(SUBSCRIBE, b"\x09SUBSCRIBE"), (CANCEL, b"\x06CANCEL")])
def test_subscriptions_as_commands(size: int, what: int, name: bytes) -> None:
    """3.1: the commands SUBSCRIBE and CANCEL, LARGE as their whole size asks for."""
    topic = b"t" * size
    assert joined(V31Encoder(), [Msg(topic, what)]) == frame(name + topic, 4)


@given(st.integers(0, 260), st.integers(1, 40), st.sampled_from(ENCODERS))
def test_a_batch_of_one_size(size: int, count: int, encoder: Any) -> None:
    """Messages of one size come out as they would one by one."""
    msgs = [bytes([n]) * size for n in range(count)]
    assert joined(encoder(), msgs) == b"".join(frame(msg) for msg in msgs)


@given(batches, st.sampled_from(ENCODERS))
def test_a_batch_is_its_messages_one_by_one(batch: list[Any], encoder: Any) -> None:
    """How messages are batched does not show on the wire."""
    assert joined(encoder(), batch) == b"".join(joined(encoder(), [msg]) for msg in batch)


def test_large_bodies_are_not_copied() -> None:
    """A large frame's body is handed on as the very object the user gave."""
    body = b"x" * 100_000
    view = memoryview(body)
    assert any(part is body for part in V2Encoder().encode([body]))
    assert any(part is view for part in V2Encoder().encode([(b"", view)]))


def test_the_table_of_headers_does_not_grow_for_ever() -> None:
    """A user who sends a different large size each time does not fill the memory."""
    from libzmq_py.codecs import v2_encoder

    encoder = V2Encoder()
    zeros = memoryview(bytes(20_000))
    for size in range(300, 20_000, 3):
        encoder.encode([(zeros[:size], zeros[:size])])
    assert len(v2_encoder._LAST) <= 4096 and len(v2_encoder._MORE) <= 4096


# --- in --------------------------------------------------------------------------------------------------------------


@given(batches, cuts)
@example([(b"a" * 300, b"b")] * 3, [1, 2, 3, 310, 311, 312])
@example([b"x" * 10] * 130, [700, 701])
@example([b""] * 200, [])
def test_round_trip_in_any_pieces(batch: list[Any], where: list[int]) -> None:
    """What was encoded is decoded, however the bytes arrive."""
    data = joined(V2Encoder(), batch)
    assert decode_all(V2Decoder(-1), pieces(data, where)) == (batch, None)
    assert decode_all(V2Decoder(-1), [data]) == (batch, None)


@given(st.lists(st.one_of(st.binary(max_size=20), st.binary(min_size=250, max_size=260)), max_size=8))
def test_round_trip_one_byte_at_a_time(batch: list[bytes]) -> None:
    """The slowest peer gives the same messages."""
    data = joined(V2Encoder(), batch)
    assert decode_all(V2Decoder(-1), bytewise(data)) == (batch, None)


@given(batches, st.integers(-1, 300), cuts, st.data())
def test_decode_agrees_with_the_plain_decoder(batch: list[Any], limit: int, where: list[int], data: Any) -> None:
    """Streams of any flags, with any limit, in any pieces: as `next_frame` takes them apart."""
    stream = bytearray(joined(V2Encoder(), batch))
    for _ in range(data.draw(st.integers(0, 3))):
        if stream:
            stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    expected = oracle(V2Decoder(limit), bytes(stream))
    assert decode_all(V2Decoder(limit), pieces(bytes(stream), where)) == expected


@given(st.binary(max_size=400), st.sampled_from([-1, 0, 10, 100]), cuts)
def test_garbage_gives_messages_or_a_decode_error(data: bytes, limit: int, where: list[int]) -> None:
    """Whatever the bytes: messages, or one DecodeError, and the same by both ways."""
    assert decode_all(V2Decoder(limit), pieces(data, where)) == oracle(V2Decoder(limit), data)


@given(st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 4, 5, 8, 0x80]), st.integers(0, 3)), max_size=300), cuts)
def test_short_frames_of_any_flags(specs: list[tuple[int, int]], where: list[int]) -> None:
    """Runs that break off anywhere, by a flag or by a size: as the plain decoder."""
    data = b"".join(bytes([flags, size]) + b"x" * size for flags, size in specs)
    assert decode_all(V2Decoder(-1), pieces(data, where)) == oracle(V2Decoder(-1), data)


@pytest.mark.parametrize("size", [0, 1, 5, 255, 256, 1000, 8192, 8193])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200])
@pytest.mark.parametrize("then", [b"", frame(b"odd one", 1), frame(b"y" * 300), frame(b"c", 4), b"\0"])
def test_runs_of_equal_frames(size: int, count: int, then: bytes) -> None:
    """A run of equal frames, of any length and followed by anything, gives every message of it."""
    data = frame(b"x" * size) * count + then
    messages, error = decode_all(V2Decoder(-1), [data])
    assert error is None
    assert messages[:count] == [b"x" * size] * count
    assert (messages, error) == oracle(V2Decoder(-1), data)


_LONG_SPECS = st.tuples(st.sampled_from([2, 2, 2, 2, 3, 6, 0]), st.sampled_from([0, 300, 300, 301]))


def _with_header(flags: int, size: int) -> bytes:
    if flags & 2:
        return bytes([flags]) + struct.pack(">Q", size) + b"x" * size
    return bytes([flags, size & 255]) + b"x" * (size & 255)


@given(st.lists(_LONG_SPECS, max_size=60), cuts)
def test_long_headers_of_any_flags(specs: list[tuple[int, int]], where: list[int]) -> None:
    """A long header may announce a short body, too; runs break off anywhere."""
    data = b"".join(_with_header(*spec) for spec in specs * 4)
    assert decode_all(V2Decoder(-1), pieces(data, where)) == oracle(V2Decoder(-1), data)


def test_a_run_is_held_to_the_limit() -> None:
    """MAXMSGSIZE is compared before a run is taken."""
    messages, error = decode_all(V2Decoder(299), [frame(b"x" * 300) * 40])
    assert messages == [] and error is not None


def test_a_run_whose_bodies_look_like_headers() -> None:
    """Bodies are not looked at: a stream of frames of zeros and ones is taken by its sizes."""
    data = b"".join(frame(bytes([n % 2]) * 2) for n in range(200))
    assert decode_all(V2Decoder(-1), [data])[0] == [bytes([n % 2]) * 2 for n in range(200)]


def test_a_run_in_the_middle_of_a_message_belongs_to_it() -> None:
    """The first last-frame behind a MORE frame ends that message, also at the head of a run."""
    decoder = V2Decoder(-1)
    assert decoder.decode(frame(b"head", 1)) == []
    messages = decoder.decode(frame(b"x") * 130)
    assert messages == [(b"head", b"x")] + [b"x"] * 129


def test_unknown_flags_are_ignored() -> None:
    """Bits above COMMAND mean nothing (libzmq ignores them)."""
    assert decode_all(V2Decoder(-1), [frame(b"x", 0xF8)]) == ([b"x"], None)


def test_large_flag_with_a_small_size() -> None:
    """The eight-byte size is accepted for any size."""
    assert decode_all(V2Decoder(-1), [frame(b"x", large=True) + frame(b"", large=True)]) == ([b"x", b""], None)


def test_commands_come_with_their_flag_and_are_announced() -> None:
    """Command frames are Msg with COMMAND (and MORE if set); `has_commands` is about this batch only."""
    decoder = V2Decoder(-1)
    messages = decoder.decode(frame(b"m") + frame(b"\4PING", 4) + frame(b"odd", 5))
    assert decoder.has_commands
    assert messages[0] == b"m"
    assert [(m.data, m.flags) for m in messages[1:] if isinstance(m, Msg)] == [
        (b"\4PING", COMMAND),
        (b"odd", COMMAND | MORE),
    ]
    decoder.decode(frame(b"m"))
    assert not decoder.has_commands


def test_a_command_between_the_frames_of_a_message() -> None:
    """It does not become part of the message, nor end it."""
    messages, _ = decode_all(V2Decoder(-1), [frame(b"a", 1) + frame(b"c", 4) + frame(b"b")])
    assert messages == [(b"c", COMMAND), (b"a", b"b")]


def test_a_large_command_in_pieces() -> None:
    """A command whose body comes in many reads is a command all the same."""
    body = b"\5READY" + b"x" * 30_000
    decoder = V2Decoder(-1)
    data = frame(body, 4)
    messages = [m for part in pieces(data, range(0, 30_000, 1000)) for m in decoder.decode(part)]
    assert decoder.has_commands
    assert [(m.data, m.flags) for m in messages if isinstance(m, Msg)] == [(body, COMMAND)]


@pytest.mark.parametrize("size", [0, 5, 255, 256, 100_000])
def test_the_limit_is_inclusive(size: int) -> None:
    """MAXMSGSIZE itself is allowed, one more is not."""
    assert decode_all(V2Decoder(size), [frame(b"x" * size)]) == ([b"x" * size], None)
    messages, error = decode_all(V2Decoder(size), [frame(b"x" * (size + 1))])
    assert messages == []
    assert error is not None and str(size + 1) in error and str(size) in error


@pytest.mark.parametrize("header", [b"\0\x0b", b"\2" + struct.pack(">Q", 11), b"\4\x0b", b"\3" + b"\xff" * 8])
def test_the_limit_is_judged_by_the_header(header: bytes) -> None:
    """A frame above the limit is refused before a byte of its body has come; commands too."""
    messages, error = decode_all(V2Decoder(10), bytewise(header))
    assert messages == []
    assert error is not None and "above the limit" in error


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
def test_no_limit_is_no_reason_to_believe_anything(size: int) -> None:
    """A size that no memory holds costs nothing: an error, or a wait for bytes that never come."""
    decoder = V2Decoder(-1)
    messages, _ = decode_all(decoder, [b"\2" + struct.pack(">Q", size) + b"x" * 100])
    assert messages == []


def test_messages_before_the_error_are_given() -> None:
    """The error ends the list and stays; nothing is decoded after it."""
    decoder = V2Decoder(5)
    assert decoder.decode(frame(b"a") * 70 + frame(b"toolong") + frame(b"b")) == [b"a"] * 70
    assert isinstance(decoder.error, DecodeError)
    assert decoder.decode(frame(b"c")) == []


def test_the_handshake_by_frames_then_the_rest_as_a_batch() -> None:
    """next_frame() leaves what follows for decode(b"")."""
    decoder = V2Decoder(-1)
    data = frame(b"\5READY", 4) + frame(b"one") + frame(b"tw", 1) + frame(b"o") + b"\0\5th"
    for part in bytewise(data[:20]):
        decoder.feed(part)
    decoder.feed(data[20:])
    first = decoder.next_frame()
    assert first is not None and (first.data, first.flags) == (b"\5READY", COMMAND)
    assert decoder.decode(b"") == [b"one", (b"tw", b"o")]
    assert decoder.decode(b"ree") == [b"three"]


def test_missing_tells_what_a_large_frame_lacks() -> None:
    """The hint for the size of the next read: what a large body lacks, 0 otherwise."""
    decoder = V2Decoder(-1)
    decoder.decode(b"\0\5ab")
    assert decoder.collector.missing == 0
    decoder = V2Decoder(-1)
    decoder.decode(frame(b"x" * 100_000)[:1009])
    assert decoder.collector.missing == 99_000
    decoder.decode(b"x" * 99_000)
    assert decoder.collector.missing == 0


def test_a_large_frame_is_not_scanned_again_with_each_piece() -> None:
    """A body of 4 MB in pieces of 1 KB costs one copy, not thousands of ever longer ones."""
    body = bytes(4 << 20)
    data = frame(body)
    decoder = V2Decoder(-1)
    messages = [m for part in pieces(data, range(0, len(data), 1024)) for m in decoder.decode(part)]
    assert messages == [body]
    assert decoder.collector.tail == b""
