# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 1.0 (codecs/v1_decoder.py).

As for `v2_decoder`: any bytes give messages, then at most one DecodeError; the same in any pieces and by every way.
"""

from __future__ import annotations

from typing import Any

from fuzz.source import Source
from fuzz.targets.v2_decoder import LIMITS, LONGEST, MOST, SIZES, compare, fill, together
from libzmq_py.codecs.v1_decoder import V1Decoder

MAX_LEN = 120
TOKENS = (b"\xff\0\0\0\0\0\0\0\1", b"\xff\0\0\0\0\0\0\x20\1", b"\xff\x7f\xff\xff\xff\xff\xff\xff\xff", b"\xff" * 9)
SEEDS = {
    "raw": b"\0\0" + b"\6\0hello\2\1a\2\0b\xff\0\0\0\0\0\0\0\4\0big",
    "no-size": b"\0\0" + b"\2\0a\0\0",
    "huge": b"\0\0" + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\0",
    "limit": b"\0\2" + b"\6\0hello\x0f\0too-large-data",
    "program": b"\1\0" + b"\0\5\0\3" + b"\1\x15\0\0" + b"\0\x17\0\0",
}
_UNCERTAIN = 1 << 31


def check(data: bytes) -> None:
    """One input: how it is written, the limit, and the stream."""
    source = Source(data)
    programmed = source.flag()
    limit = source.pick(LIMITS)
    stream = _program(source) if programmed else source.rest()
    expected, failed, certain = _by_hand(stream, limit)
    compare(V1Decoder, limit, stream, (expected, failed) if certain else None, _bare)


def _bare(frames: list[Any]) -> list[Any]:
    return together([(flags & 1, body) for flags, body in frames])


def _program(source: Source) -> bytes:
    stream, frames = b"", 0
    while source and len(stream) < LONGEST and frames < MOST:
        flags, size, odd, count = source.byte(), source.pick(SIZES), source.byte(), source.byte()
        if odd & 15 == 1:
            stream += source.take(odd >> 4)
            continue
        head = bytes((size + 1,)) if size < 254 and not odd & 16 else b"\xff" + (size + 1).to_bytes(8, "big")
        times = 1 + min(count % 20, 600 // (size + 1))
        stream += (head + bytes((flags,)) + fill(odd, size) * size) * times
        frames += times
    return stream


def _by_hand(stream: bytes, limit: int) -> tuple[list[Any], bool, bool]:
    """Messages, whether an error ends them, and whether that is certain; as RFC 13 has it."""
    frames: list[tuple[int, bytes]] = []
    failed, certain, position = False, True, 0
    while position < len(stream):
        size, start = stream[position], position + 1
        if size == 0xFF:
            if len(stream) - position < 9:
                break
            size, start = int.from_bytes(stream[position + 1 : position + 9], "big"), position + 9
        if size == 0 or size - 1 > (limit if limit >= 0 else 2**48):
            failed = True
            break
        if start + size > len(stream):
            certain = size < _UNCERTAIN
            break
        frames.append((stream[start] & 1, stream[start + 1 : start + size]))
        position = start + size
    return together(frames), failed, certain
