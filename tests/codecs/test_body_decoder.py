# SPDX-License-Identifier: MPL-2.0
"""Bodies of frames in any pieces, whatever their flags; given to `decode`, or read into the window as engines do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libzmq_py.codecs import body_decoder
from libzmq_py.codecs.body_decoder import WINDOW, BodyDecoder
from libzmq_py.codecs.decoder import LARGE, DecodeError
from libzmq_py.codecs.v2_decoder import V2Decoder
from tests.codecs.strategies import bytewise, cuts, pieces
from tests.support.raw_peer import frame as plain_frame

# Where something changes: a large frame, one that fills a window or does not fit (its header is 9 bytes).
SIZES = [0, 1, 255, 256, LARGE - 1, LARGE, 70_000, WINDOW - 9, WINDOW - 8, WINDOW + 100_000]


def frame(body: bytes, flags: int = 0) -> bytes:
    data = plain_frame(body)
    return bytes([data[0] | flags]) + data[1:]


def decoder(maxmsgsize: int = -1) -> BodyDecoder:
    return V2Decoder(maxmsgsize).bodies()


def read(made: BodyDecoder, chunks: Iterator[bytes], most: int = 1 << 18) -> list[bytes]:
    """As the engine: a read, of bytes or into the window, and what is whole is used before the next."""
    found = []
    stream = bytearray(b"".join(chunks))
    while stream and made.error is None:
        if made.collector.direct:
            with made.collector.window() as window:
                assert 0 < len(window) <= made.collector.missing
                count = min(len(window), len(stream), most)
                window[:count] = stream[:count]
            bodies = made.received(count)
        else:
            count = min(len(stream), most)
            bodies = made.decode(bytes(stream[:count]))
        del stream[:count]
        found += [bytes(body) for body in bodies]
        made.release()
    return found


@pytest.fixture(autouse=True)
def _pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of this test only."""
    monkeypatch.setattr(body_decoder, "_free", [])


@pytest.mark.parametrize("flags", [0, 1, 4, 5, 0xF8, 0xFD])
@pytest.mark.parametrize("size", SIZES)
def test_of_the_flags_only_large_counts(flags: int, size: int) -> None:
    """A body comes with its frame's last byte, and alone."""
    made = decoder()
    for letter in (b"a", b"b"):
        data = frame(letter * size, flags)
        assert made.decode(data[:-1]) == []
        assert [bytes(body) for body in made.decode(data[-1:])] == [letter * size]
    assert [bytes(body) for body in made.decode(frame(b"c", flags) * 200)] == [b"c"] * 200


@pytest.mark.parametrize("most", [1000, 8192, 65_536, 1 << 18, 1 << 20])
def test_bodies_of_all_sizes(most: int) -> None:
    """In reads of any length, each size behind each other one."""
    bodies = [bytes([index]) * size for size in SIZES for index, size in enumerate([size, *SIZES])]
    made = decoder()
    assert read(made, (frame(body) for body in bodies), most) == bodies
    assert made.error is None


def test_byte_by_byte() -> None:
    """Whoever feeds `decode` gets the same as whoever reads into the window."""
    bodies = [b"a", b"b" * 10_000, b"", b"c" * LARGE, b"d" * 300]
    data = b"".join(map(frame, bodies))
    made = decoder()
    assert [bytes(body) for byte in bytewise(data) for body in made.decode(byte)] == bodies
    assert read(decoder(), iter([data]), 1) == bodies


_BODIES = st.lists(st.builds(lambda size, byte: bytes([byte]) * size, st.sampled_from(SIZES[:-3]), st.integers(0, 255)))


@given(_BODIES, st.integers(0, 255), cuts, st.integers(1, 1 << 18))
@example([b"x" * 70_000, b"", b"y" * 70_000], 1, [70_008, 70_009, 70_010], 70_010)
def test_any_bodies_in_any_pieces(bodies: list[bytes], flags: int, where: list[int], most: int) -> None:
    """Neither cuts nor flags change what comes out, however it is read."""
    data = b"".join(frame(body, flags & ~2) for body in bodies)
    made = decoder()
    found = []
    for piece in pieces(data, where):
        found += [bytes(body) for body in made.decode(piece)]
        made.release()
    assert found == bodies
    assert read(decoder(), iter([data]), max(most, len(data) // 200 + 1)) == bodies


def test_it_goes_on_where_the_handshake_has_stopped() -> None:
    """Bytes that have come with the last command, and the limit."""
    frames = V2Decoder(100)
    frames.feed(frame(b"READY", 4) + frame(b"a") + frame(b"b" * 50)[:20])
    assert frames.next_frame() is not None
    made = frames.bodies()
    assert made.decode(b"") == [b"a"]
    assert made.decode(frame(b"b" * 50)[20:] + frame(b"c" * 101)) == [b"b" * 50]
    assert isinstance(made.error, DecodeError)
    assert made.decode(frame(b"d")) == []


@pytest.mark.parametrize("size", [9000, 1 << 40])
def test_the_limit_holds_in_the_window(size: int) -> None:
    """A header is refused before its body has come; what was whole before it is given."""
    made = decoder(maxmsgsize=8999)
    stream = frame(b"a" * 8999) * 3 + b"\2" + size.to_bytes(8, "big") + b"x" * 10
    assert read(made, iter([stream]), 8192) == [b"a" * 8999] * 3
    assert isinstance(made.error, DecodeError)


def test_views_are_good_until_release() -> None:
    """Those of a window that a small frame has ended, too, when a large one follows it."""
    first, second = b"a" * 20_000, b"b" * 20_000
    data = frame(first) + frame(second) + frame(b"small") + frame(first) + frame(second)[:15_000]
    made = decoder()
    assert made.decode(data[:100]) == []
    with made.collector.window() as window:
        window[: len(data) - 100] = data[100:]
    bodies = made.received(len(data) - 100)
    assert [bytes(body) for body in bodies] == [first, second, b"small", first]
    made.release()
    assert [bytes(body) for body in made.decode(frame(second)[15_000:])] == [second]


def test_connections_do_not_share_what_has_not_come() -> None:
    """While a frame is on its way: what has come of it is kept, and its window only if that is much."""
    decoders = [decoder() for _ in range(6)]
    bodies = [bytes([number]) * 1000 * size for number, size in enumerate([20, 60, 100, 200, 300, 300])]
    for made, body in zip(decoders, bodies, strict=True):
        read(made, iter([frame(body)[:-5000]]), 30_000)
        assert (made.collector._buffer is None) is (len(body) < 65_000)
    for made, body in zip(decoders, bodies, strict=True):
        assert read(made, iter([frame(body)[-5000:]])) == [body]
        assert made.collector.direct
        assert made.collector._buffer is None
    assert 0 < len(body_decoder._free) <= 4


def test_what_is_announced_is_not_believed() -> None:
    """A header costs nine bytes: until more comes there is no window, whoever wants to read."""
    decoders = [decoder() for _ in range(20)]
    for made in decoders:
        assert made.decode(b"\2" + (300_000).to_bytes(8, "big")) == []
        assert made.collector.direct
    assert all(made.collector._buffer is None for made in decoders)


def test_a_small_frame_ends_the_window() -> None:
    """Reads of small frames bring bytes again, which a run of equal ones is taken out of at once."""
    made = decoder()
    read(made, iter([frame(b"x" * 20_000)]), 100)
    assert made.collector.direct
    assert read(made, iter([frame(b"s" * 30) * 100])) == [b"s" * 30] * 100
    assert not made.collector.direct
    assert made.collector.missing == 0


def test_no_memory_for_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the connection."""

    def none(self: Any, start: bytes, missing: int) -> None:
        raise DecodeError("no memory")

    monkeypatch.setattr(body_decoder.FrameCollector, "begin", none)
    made = decoder()
    assert made.decode(frame(b"a") + frame(b"x" * (WINDOW + 1))[:1000]) == [b"a"]
    assert isinstance(made.error, DecodeError)
