# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 2.0, 3.0 and 3.1 (codecs/v2_decoder.py).

Any bytes give messages and commands, then at most one DecodeError, after which nothing comes; the same in any pieces,
by `next_frame`, with large bodies read into their place, and by a decoder written here. What is kept of an unfinished
frame is no more than what has come.
"""

from __future__ import annotations

from typing import Any

from fuzz.source import Source, bytewise, cut, frame, require, ways
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
# A body of this size may or may not find memory.
_UNCERTAIN = 1 << 31


def check(data: bytes) -> None:
    """One input: how it is written, the limit, and the stream."""
    source = Source(data)
    programmed = source.flag()
    limit = source.pick(LIMITS)
    stream = program(source) if programmed else source.rest()
    expected, failed, certain = by_hand(stream, limit)
    results = [decode(V2Decoder(limit), pieces) for pieces in ways(stream)]
    results.append(decode_direct(V2Decoder(limit), cut(stream, 7)))
    if certain:
        results.append((expected, failed))
        plain, plain_failed = one_by_one(V2Decoder(limit), stream)
        results.append((together(plain), plain_failed))
    for result in results[1:]:
        require(result == results[0], "two ways, two results", results[0], result)


def program(source: Source) -> bytes:
    """A stream of well-formed frames and runs of them, with something odd between."""
    stream, frames = b"", 0
    while source and len(stream) < LONGEST and frames < MOST:
        flags, size, odd, count = source.byte(), source.pick(SIZES), source.byte(), source.byte()
        if odd & 15 == 1:
            stream += source.take(odd >> 4)
            continue
        times = 1 + min(count % 140, 1500 // (size + 1))
        stream += frame(flags, bytes((odd,)) * size) * times
        frames += times
    return stream


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
    """Frames (1 MORE, 4 COMMAND) as messages; a command may come between two parts."""
    out: list[Any] = []
    parts: list[bytes] = []
    for flags, body in frames:
        if flags & 4:
            out.append((flags, body))
            continue
        parts.append(body)
        if not flags & 1:
            out.append(tuple(parts))
            parts = []
    return out


def shown(message: Any) -> Any:
    """A message as `together` has it."""
    if isinstance(message, Msg):
        return (4 if message.flags & COMMAND else 0) | (1 if message.flags & MORE else 0), message.data
    return message if isinstance(message, tuple) else (message,)


def decode(decoder: Any, pieces: list[bytes]) -> tuple[list[Any], bool]:
    """All messages of a stream in pieces, and whether it ends with an error."""
    out: list[Any] = []
    come = 0
    for piece in pieces:
        come += len(piece)
        messages = decoder.decode(piece)
        if any(isinstance(message, Msg) for message in messages):
            require(decoder.has_commands, "commands that are not told of")
        out += map(shown, messages)
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
                out += map(shown, decoder.received(count))
                piece = piece[count:]
            else:
                out += map(shown, decoder.decode(piece[: 1 + len(piece) // 2]))
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
