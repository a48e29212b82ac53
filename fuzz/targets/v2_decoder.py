# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 2.0, 3.0 and 3.1 (codecs/v2_decoder.py).

Any bytes give messages and commands, then at most one DecodeError, after which nothing comes; the same in any pieces,
by `next_frame`, with large bodies read into their place, and by a decoder written here. What is kept of an unfinished
frame is no more than what has come.
"""

from __future__ import annotations

from typing import Any

from fuzz.source import BYTEWISE_MAX, Source, bytewise, cut, frame, require, turns
from libzmq_py.codecs.decoder import DecodeError
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.msg import COMMAND, MORE, Msg

MAX_LEN = 120
TOKENS = (b"\0\0\0\0\0\0\0\1", b"\0\0\0\0\0\0\x20\0", b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"\xff" * 8, b"\5READY")
SEEDS = {
    "raw": b"\0\0" + b"\0\5hello\1\1a\0\1b\4\6\5READY\2\0\0\0\0\0\0\0\3big",
    "limit": b"\0\2" + b"\0\5hello\0\x0btoo-large--",
    "huge": b"\0\0" + b"\2\x7f\xff\xff\xff\xff\xff\xff\xffxx",
    "reserved-bits": b"\0\0" + b"\xf8\1a\xf9\1b\xfc\1c",
    "run": b"\1\0" + b"\0\5\0\x80" + b"\0\6\0\3",
    "long-run": b"\1\0" + b"\2\x10\0\x80" + b"\1\1\0\0",
    "run-broken": b"\1\0" + b"\0\4\0\x45" + b"\4\4\0\1" + b"\0\4\0\x40",
    "large": b"\1\0" + b"\0\x17\0\0" + b"\1\x16\0\0" + b"\0\2\0\0",
    "parts": b"\1\0" + b"\1\2\0\1" + b"\4\2\0\0" + b"\0\2\0\0",
}

LIMITS = (-1, 0, 10, 255, 256, 1000, 70_000)
# Sizes where something changes in the decoder.
SIZES = (0, 1, 2, 3, 5, 8, 33, 127, 128, 200, 253, 254, 255, 256, 257, 300, 1000, 4096, 8182, 8191, 8192, 8193, 20_000)
SIZES += (70_000, 131_072, 140_000)
LONGEST, MOST = 20_000, 140
_PLAIN = frozenset((bytes, tuple))
# A body of this size may or may not find memory.
_UNCERTAIN = 1 << 31


def check(data: bytes) -> None:
    """One input: how it is written, the limit, and the stream."""
    source = Source(data)
    programmed = source.flag()
    limit = source.pick(LIMITS)
    stream = program(source) if programmed else source.rest()
    expected, failed, certain = by_hand(stream, limit)
    compare(V2Decoder, limit, stream, (expected, failed) if certain else None, together)


def compare(make: Any, limit: int, stream: bytes, expected: Any, gather: Any) -> None:
    """Every way of decoding a stream gives `expected`; if that is None, what it gives in one piece.

    Args:
        make: the decoder, of its limit.
        limit: in bytes, of a frame.
        stream: what comes.
        expected: messages, and whether an error ends them.
        gather: makes messages of the frames that `next_frame` gives.
    """
    certain = expected is not None
    if not certain:
        expected = decode(make(limit), [stream])
    for turn in turns(stream, 5 if len(stream) <= BYTEWISE_MAX else 4):
        if turn == 0:
            result = decode(make(limit), [stream])
        elif turn == 1:
            result = decode(make(limit), cut(stream))
        elif turn == 2:
            result = decode_direct(make(limit), cut(stream, 7))
        elif turn == 3:
            frames, failed = one_by_one(make(limit), stream)
            # `next_frame` makes no room for a body, so that there is no memory for it is no error.
            result = gather(frames), failed if certain else expected[1]
        else:
            result = decode(make(limit), bytewise(stream))
        require(result == expected, "two ways, two results", turn, expected, result)


def program(source: Source) -> bytes:
    """A stream of well-formed frames and runs of them, with something odd between."""
    stream, frames = b"", 0
    while source and len(stream) < LONGEST and frames < MOST:
        flags, size, odd, count = source.byte(), source.pick(SIZES), source.byte(), source.byte()
        if odd & 15 == 1:
            stream += source.take(odd >> 4)
            continue
        times = 1 + min(count % 140, 1500 // (size + 1))
        stream += frame(flags, fill(odd, size) * size) * times
        frames += times
    return stream


def fill(byte: int, size: int) -> bytes:
    """What a body of this size consists of: not zeros, if it is large.

    Something odd before it can make frames of its bytes, and tens of thousands of empty ones only take time.
    """
    return bytes((byte | 0x42 if size > 300 else byte,))


def by_hand(stream: bytes, limit: int) -> tuple[list[Any], bool, bool]:
    """Messages, whether an error ends them, and whether that is certain; as RFC 23 has it, without any haste."""
    frames: list[tuple[int, bytes]] = []
    failed, certain, position = False, True, 0
    while len(stream) - position >= 2:
        flags = stream[position]
        if flags & 2:
            if len(stream) - position < 9:
                break
            size, start = int.from_bytes(stream[position + 1 : position + 9], "big"), position + 9
        else:
            size, start = stream[position + 1], position + 2
        if size > (limit if limit >= 0 else 2**48):
            failed = True
            break
        if start + size > len(stream):
            certain = size < _UNCERTAIN
            break
        frames.append((flags & 5, stream[start : start + size]))
        position = start + size
    return together(frames), failed, certain


def together(frames: list[tuple[int, bytes]]) -> list[Any]:
    """Frames (1 MORE, 4 COMMAND) as messages, commands as (flags, body); they may come between two parts."""
    out: list[Any] = []
    parts: list[bytes] = []
    for flags, body in frames:
        if flags & 4:
            out.append((flags, body))
        elif flags & 1:
            parts.append(body)
        elif parts:
            out.append((*parts, body))
            parts = []
        else:
            out.append(body)
    return out


def shown(message: Any) -> Any:
    """A message as `together` has it."""
    if isinstance(message, Msg):
        return (4 if message.flags & COMMAND else 0) | (1 if message.flags & MORE else 0), message.data
    return message


def all_shown(decoder: Any, messages: list[Any]) -> list[Any]:
    """What a decoder has just given."""
    if decoder.has_commands:
        return list(map(shown, messages))
    require(_PLAIN.issuperset(map(type, messages)), "commands that are not told of, or no messages")
    return messages


def decode(decoder: Any, pieces: list[bytes]) -> tuple[list[Any], bool]:
    """All messages of a stream in pieces, and whether it ends with an error."""
    out: list[Any] = []
    come = 0
    for piece in pieces:
        come += len(piece)
        out += all_shown(decoder, decoder.decode(piece))
        require(len(decoder.collector.tail) <= come, "more is kept than has come")
        if decoder.error is not None:
            require(isinstance(decoder.error, DecodeError), "another error", decoder.error)
            require(decoder.decode(b"\0\0\0\0") == [], "messages after an error")
            return out, True
    return out, False


def decode_direct(decoder: Any, pieces: list[bytes]) -> tuple[list[Any], bool]:
    """The same, where large bodies are read into their place, as the engine does it."""
    out: list[Any] = []
    for piece in pieces:
        while piece and decoder.error is None:
            if decoder.collector.missing:
                with decoder.collector.window() as window:
                    count = min(len(window), len(piece))
                    window[:count] = piece[:count]
                out += all_shown(decoder, decoder.received(count))
                piece = piece[count:]
            else:
                out += all_shown(decoder, decoder.decode(piece[: 1 + len(piece) // 2]))
                piece = piece[1 + len(piece) // 2 :]
    return out, decoder.error is not None


def one_by_one(decoder: Any, stream: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The frames by `next_frame`."""
    frames = []
    for piece in cut(stream, 3) if len(stream) > 64 else bytewise(stream):
        decoder.feed(piece)
        try:
            one = decoder.next_frame()
            while one is not None:
                frames.append(shown(one))
                one = decoder.next_frame()
        except DecodeError:
            return frames, True
    return frames, False
