# SPDX-License-Identifier: MPL-2.0
"""A multipart message that does not end, where MAXMSGSIZE is set: it is refused, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py.codecs.v1_decoder import V1Decoder
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.mechanisms.curve.base import CurveDecoder
from libzmq_py.mechanisms.curve.boxes import BoxKey
from libzmq_py.mechanisms.curve.crypto import Secret
from tests.support.box import seal
from tests.support.raw_peer import frame, ping, v1_frame
from tests.support.security import nonce64

KEY = b"k" * 32
LIMIT = 1 << 20
MESSAGE_LIMIT = 64 * LIMIT
SMALL_LIMIT = 1 << 24

Encode = Callable[[bytes, bool], bytes]


def v2(limit: int) -> tuple[Any, Encode]:
    return V2Decoder(limit), lambda body, more: frame(body, more=more)


def v1(limit: int) -> tuple[Any, Encode]:
    return V1Decoder(limit), lambda body, more: v1_frame(body, more=more)


PAIRS = {"v2": v2, "v1": v1}


def refused_after(decoder: Any, pieces: Iterator[bytes], most: int) -> int:
    """How many bytes it takes until there is an error; up to `most`."""
    taken = 0
    while decoder.error is None and taken < most:
        data = next(pieces)
        taken += len(data)
        assert [message for message in decoder.decode(data) if isinstance(message, (bytes, tuple))] == []
    return taken


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@pytest.mark.parametrize("size", [20_000, 300_000])
@pytest.mark.parametrize("kind", PAIRS)
def test_many_frames_below_the_limit(kind: str, size: int) -> None:
    """64 of the largest frames are a message; without an end they are not kept much beyond that."""
    decoder, encode = PAIRS[kind](LIMIT)
    taken = refused_after(decoder, endless(encode(bytes(size), True)), 2 * MESSAGE_LIMIT)
    assert MESSAGE_LIMIT * 0.9 < taken < MESSAGE_LIMIT * 1.1


@pytest.mark.parametrize("kind", PAIRS)
def test_frames_of_nothing(kind: str) -> None:
    """An empty frame is counted for what it costs, and commands in between hide nothing."""
    decoder, encode = PAIRS[kind](100)
    piece = encode(b"", True) * 10_000 + (ping() if kind == "v2" else b"")
    taken = refused_after(decoder, endless(piece), SMALL_LIMIT)
    assert taken < SMALL_LIMIT / 20


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("cut", [1000, 65_537, 10**6])
def test_what_ends_is_not_counted(kind: str, cut: int) -> None:
    """Any amount of messages of many frames passes, however the reads fall."""
    decoder, encode = PAIRS[kind](100_000)
    body = b"x" * 9000
    message = (encode(body, True) * 40 + encode(b"end", False)) * 20
    got = []
    for _ in range(10):
        for start in range(0, len(message), cut):
            got += decoder.decode(message[start : start + cut])
            assert decoder.error is None
    assert got == [(body,) * 40 + (b"end",)] * 200  # 72 MB, in messages of 360 KB


@pytest.mark.parametrize("kind", PAIRS)
def test_a_large_message_that_ends_at_last(kind: str) -> None:
    """Just below the limit, in one piece and followed by another."""
    decoder, encode = PAIRS[kind](LIMIT)
    parts = [bytes(LIMIT)] * 62
    got = []
    for _ in range(3):
        for part in parts:
            got += decoder.decode(encode(part, True))
        got += decoder.decode(encode(b"end", False))
    assert decoder.error is None
    assert got == [(*parts, b"end")] * 3


@pytest.mark.parametrize("kind", PAIRS)
def test_without_maxmsgsize(kind: str) -> None:
    """Nothing is limited, as in libzmq."""
    decoder, encode = PAIRS[kind](-1)
    piece = encode(bytes(1_000_000), True)
    for _ in range(80):
        decoder.decode(piece)
    assert decoder.error is None
    assert len(decoder.decode(encode(b"", False))[0]) == 81


def test_sealed_frames() -> None:
    """CURVE counts the frames inside."""
    decoder = CurveDecoder(V2Decoder(100_000), BoxKey(Secret(KEY), b"CurveZMQMESSAGEC"), 0)

    def sealed() -> Iterator[bytes]:
        number = 0
        while True:
            number += 1
            box = seal(b"\1" + bytes(1000), b"CurveZMQMESSAGEC" + nonce64(number), KEY)
            yield frame(b"\x07MESSAGE" + nonce64(number) + box)

    decoder._gathering._limit = 200_000
    taken = refused_after(decoder, sealed(), 10**6)
    assert 180_000 < taken < 220_000
