# SPDX-License-Identifier: MPL-2.0
"""The collector of frames whose end has not come."""

from __future__ import annotations

import struct
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs import decoder as decoder_module
from libzmq_py.codecs.decoder import DecodeError, FrameCollector
from libzmq_py.codecs.v1_decoder import V1Decoder
from libzmq_py.codecs.v2_decoder import V2Decoder
from tests.codecs.strategies import cuts, pieces

KIB, MIB = 1 << 10, 1 << 20
HEADERS = {
    V1Decoder: lambda size: b"\xff" + struct.pack(">QB", size + 1, 0),
    V2Decoder: lambda size: struct.pack(">BQ", 2, size),
}


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=200), st.binary(max_size=50), cuts)
def test_a_body_in_any_pieces(start: bytes, rest: bytes, behind: bytes, where: list[int]) -> None:
    """The body is given once, whole, together with what follows it; until then it says how much is missing."""
    collector = FrameCollector()
    collector.begin(start, len(rest))
    fed = 0
    for piece in pieces(rest + behind, where):
        assert collector.missing == len(rest) - fed
        body, left = collector.add(piece)
        fed += len(piece)
        if body is not None:
            assert body == start + rest
            assert left == (rest + behind)[len(rest) : fed]
            assert collector.missing == 0
            return
        assert left == b""
    raise AssertionError("the body was never whole")


# --- a header is cheap, so memory follows what has come --------------------------------------------------------------


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def take(decoder: Any, count: int, byte: bytes = b"x") -> list[Any]:
    """So many bytes of a body come, as the engine reads them."""
    out = []
    while count:
        with decoder.collector.window() as window:
            size = min(len(window), count)
            assert size
            window[:size] = byte * size
        out += decoder.received(size)
        count -= size
    return out


@pytest.mark.parametrize("size", [300 * KIB, MIB, 16 * MIB, 31 * MIB])
@pytest.mark.parametrize("make", HEADERS, ids=lambda make: make.__name__)
def test_memory_follows_what_has_come(make: Any, size: int, traced: None) -> None:
    """A body of which little has come takes little memory, whatever its header says: 256 KiB or four times as much."""
    decoder = make(-1)
    before, _ = tracemalloc.get_traced_memory()
    decoder.decode(HEADERS[make](size))
    come = 0
    for step in (0, 1, 10 * KIB, 200 * KIB, 80 * KIB, 2 * MIB, 3 * MIB, 20 * MIB):
        if come + step >= size:
            break
        assert take(decoder, step) == []
        come += step
        now, _ = tracemalloc.get_traced_memory()
        assert now - before <= max(256 * KIB, 4 * come) + 8 * KIB, (come, now - before)
    (body,) = take(decoder, size - come)
    assert len(body) == size
    assert body.count(b"x") == size


def test_pages_are_taken_for_what_has_come() -> None:
    """Twice twenty headers of 31 MiB, as an I/O thread would see them, take no 64 MiB of the system.

    Twice, as the C library gives memory that has been used before filled with zeros.
    """
    process, grown = psutil.Process(), []

    def receive() -> None:
        for _ in range(2):
            decoders = [V2Decoder(-1) for _ in range(20)]
            for decoder in decoders:
                decoder.decode(HEADERS[V2Decoder](31 * MIB) + b"body")
            grown.append(process.memory_info().rss - before)

    before = process.memory_info().rss
    thread = threading.Thread(target=receive)
    thread.start()
    thread.join()
    assert max(grown) < 64 * MIB, [size // MIB for size in grown]


def test_who_has_sent_large_bodies_is_believed() -> None:
    """After one large body there is room for the next from its beginning, but for no larger one."""
    decoder = V2Decoder(-1)
    decoder.decode(HEADERS[V2Decoder](MIB))
    with decoder.collector.window() as window:
        assert len(window) == 256 * KIB
    assert [len(body) for body in take(decoder, MIB)] == [MIB]
    decoder.decode(HEADERS[V2Decoder](MIB))
    with decoder.collector.window() as window:
        assert len(window) == MIB
    take(decoder, MIB)
    decoder.decode(HEADERS[V2Decoder](8 * MIB))
    with decoder.collector.window() as window:
        assert len(window) == MIB


@pytest.mark.parametrize("lacking", [1, 5000])
@pytest.mark.parametrize("make", HEADERS, ids=lambda make: make.__name__)
def test_the_rest_of_a_long_frame_byte_by_byte(make: Any, lacking: int) -> None:
    """What has come is not copied again with every byte."""
    decoder = make(-1)
    assert decoder.decode(HEADERS[make](200 * KIB) + b"x" * (200 * KIB - lacking)) == []
    assert decoder.collector.tail == b""
    out: list[Any] = []
    for _ in range(lacking):
        assert out == []
        out = decoder.decode(b"x")
    assert out == [b"x" * 200 * KIB]


@pytest.mark.parametrize("way", ["read into its place", "decoded"])
@pytest.mark.parametrize("make", HEADERS, ids=lambda make: make.__name__)
def test_no_memory_in_the_middle_of_a_body(make: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends this connection, with its reason, and nothing else."""
    decoder = make(-1)
    decoder.decode(HEADERS[make](MIB))

    def refuse(size: int) -> None:
        raise MemoryError

    monkeypatch.setattr(decoder_module, "_maker", lambda: refuse)
    if way == "decoded":
        assert decoder.decode(b"x" * 300 * KIB) == []
    else:
        assert take(decoder, 256 * KIB) == []
    assert isinstance(decoder.error, DecodeError)
    assert str(decoder.error) == f"no memory for a frame of {MIB} bytes"
    assert decoder.decode(b"\0\0") == []


@pytest.mark.parametrize("size", [256 * KIB, 256 * KIB + 1, MIB, 5 * MIB + 1])
@pytest.mark.parametrize("step", [1000, 70_000, 256 * KIB, 3 * MIB])
@pytest.mark.parametrize("make", HEADERS, ids=lambda make: make.__name__)
def test_bodies_that_outgrow_their_room(make: Any, step: int, size: int) -> None:
    """Whatever is moved on the way, the bodies are those that were sent."""
    bodies = [bytes(range(256)) * (size // 256) + b"z" * (size % 256), b"small", b"y" * (size // 2)]
    stream = b"".join(
        HEADERS[make](len(body)) + body if len(body) > 200 else bytes((len(body) + 1, 0)) + body
        if make is V1Decoder
        else bytes((0, len(body))) + body
        for body in bodies
    )
    decoder = make(-1)
    out: list[Any] = []
    for begin in range(0, len(stream), step):
        out += decoder.decode(stream[begin : begin + step])
    assert out == bodies
