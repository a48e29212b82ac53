# SPDX-License-Identifier: MPL-2.0
"""Boxes put together of halves against whole ones: PyNaCl's, and the plain implementation of the tests.

At the lengths where something changes: nothing, the end of the MAC's key (32 bytes of the first block), blocks of 64,
vectors of 256, slots, short frames, OpenSSL's MAC.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from libzmq_py.mechanisms.curve import boxes, crypto
from libzmq_py.mechanisms.curve.base import CurveEncoder, Nonces, in_network_order
from libzmq_py.mechanisms.curve.boxes import COMMAND_NAME, MAX_SLOT_PAYLOAD, OVERHEAD, BoxKey
from libzmq_py.mechanisms.curve.crypto import MAC_SIZE, Secret
from libzmq_py.mechanisms.mechanism import MechanismError
from tests.support import box
from tests.support.raw_peer import frame

EDGES = [0, 1, 15, 16, 17, 30, 31, 32, 33, 62, 63, 64, 65, 95, 96, 127, 128, 222, 223, 224, 254, 255, 256, 512, 2015]
LARGE = [2016, 8191, 8192, 23_999, 24_000, 24_001, 65_536, 262_143, 262_144, 300_001]
LAST = 2**64 - 1


@pytest.fixture(scope="module", params=["halves", "boxes"], autouse=True)
def _way(request: pytest.FixtureRequest) -> Iterator[None]:
    """How boxes are made."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "boxes":
            patch.setattr(crypto, "SPLIT", None)
        yield


def short(number: int) -> bytes:
    return number.to_bytes(8, "big")


def whole(payload: bytes, flags: int, number: int, prefix: bytes, key: bytes) -> bytes:
    """The frame, by PyNaCl."""
    sealed = bindings.crypto_box_afternm(bytes([flags]) + payload, prefix + short(number), key)
    return frame(COMMAND_NAME + short(number) + sealed)


def in_slots(payloads: list[bytes], flags: bytes, first: int, key: BoxKey) -> bytes:
    """Whatever their number, as a batch."""
    sizes = list(map(len, payloads))
    with boxes.borrow() as space:
        nonces = in_network_order(range(first, first + len(payloads)))
        return space.slots_for(max(sizes)).seal(payloads, sizes, flags, nonces, key)


def opened_in_slots(commands: list[bytes], key: BoxKey) -> tuple[bytes, list[bytes]]:
    sizes = list(map(len, commands))
    with boxes.borrow() as space:
        slots = space.slots_for(max(sizes) - OVERHEAD)
        assert slots.load(commands, sizes)[0]
        return slots.open(sizes, key)


def command_of(data: bytes) -> bytes:
    return data[2:] if data[0] == 0 else data[9:]


_KEYS = st.binary(min_size=32, max_size=32)
_PREFIXES = st.sampled_from([b"CurveZMQMESSAGEC", b"CurveZMQMESSAGES", bytes(16), b"\xff" * 16])
_NUMBERS = st.one_of(st.integers(1, 300), st.integers(1, LAST - 100), st.just(LAST - 100))
_SIZES = st.one_of(st.sampled_from(EDGES), st.integers(0, MAX_SLOT_PAYLOAD))


_SHAPES = st.lists(st.tuples(_SIZES, st.integers(0, 3)), min_size=1, max_size=12)


@given(_KEYS, _PREFIXES, _NUMBERS, _SHAPES, st.randoms())
def test_any_batch_is_what_pynacl_makes(
    key: bytes, prefix: bytes, first: int, shapes: list[tuple[int, int]], random: Any
) -> None:
    """In slots and one by one, out and in, whatever was in the space before."""
    payloads = [random.randbytes(size) for size, _ in shapes]
    flags = bytes(flag for _, flag in shapes)
    made = BoxKey(Secret(key), prefix)
    expected = [whole(*each, prefix, key) for each in zip(payloads, flags, range(first, first + 99), strict=False)]
    assert in_slots(payloads, flags, first, made) == b"".join(expected)
    numbers = [short(first + index) for index in range(len(payloads))]
    assert b"".join(map(bytes, boxes.seal_few(payloads, flags, numbers, made))) == b"".join(expected)
    commands = [command_of(each) for each in expected]
    assert opened_in_slots(commands, made) == (flags, payloads)
    assert [boxes.open_one(command, made) for command in commands] == list(zip(flags, payloads, strict=True))


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("count", [1, 4, 60])
def test_equal_sizes_against_the_plain_implementation(size: int, count: int) -> None:
    """Of each length, a batch; its first and last boxes opened by the other code."""
    key, prefix = os.urandom(32), b"CurveZMQMESSAGES"
    made = BoxKey(Secret(key), prefix)
    payloads = [os.urandom(size) for _ in range(count)]
    data = in_slots(payloads, b"\1" * count, 7, made)
    length = len(data) // count
    for index in {0, count - 1}:
        command = command_of(data[index * length : (index + 1) * length])
        assert box.open_(command[16:], prefix + short(7 + index), key) == b"\1" + payloads[index]


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("place", ["bytes", "view of bytes", "window", "odd place in a window"])
def test_large_ones_wherever_they_lie(size: int, place: str) -> None:
    """Opened in place only where that is allowed; never beyond their end."""
    key, prefix = os.urandom(32), b"CurveZMQMESSAGEC"
    made, payload = BoxKey(Secret(key), prefix), os.urandom(size)
    [sealed] = boxes.seal_few([payload], [1], [short(9)], made)
    assert bytes(sealed) == whole(payload, 1, 9, prefix, key)
    command = command_of(bytes(sealed))
    before = 3 if place.startswith("odd") else 0
    window = bytearray(b"<" * before + command + b">" * 600)
    there: Any = {"bytes": command, "view of bytes": memoryview(command)}.get(
        place, memoryview(window)[before : before + len(command)]
    )
    original = bytes(command)
    assert boxes.open_one(there, made) == (1, payload)
    assert command == original
    assert window[:before] == b"<" * before
    assert window[before + len(command) :] == b">" * 600


@pytest.mark.parametrize("size", [*EDGES, *LARGE])
def test_what_does_not_open_is_not_touched(size: int) -> None:
    """The MAC is looked at before a byte is deciphered: a window is as it was."""
    key = BoxKey(Secret(os.urandom(32)), b"CurveZMQMESSAGEC")
    [sealed] = boxes.seal_few([os.urandom(size)], [0], [short(9)], key)
    good = command_of(bytes(sealed))
    positions = {8, 15, 16, 31, 32, min(63, len(good) - 1), min(64, len(good) - 1), len(good) - 1}
    for position in positions:
        window = bytearray(good)
        window[position] ^= 1
        altered = bytes(window)
        assert boxes.open_one(memoryview(window), key) is None
        assert window == altered
    for cut in (1, 16):
        if size >= cut:
            assert boxes.open_one(good[:-cut], key) is None
            assert boxes.open_one(good + bytes(cut), key) is None
    other = BoxKey(key.key, b"CurveZMQMESSAGES")  # the other direction
    assert boxes.open_one(good, other) is None


def test_a_bad_box_hides_those_behind_it() -> None:
    """In slots: what the cipher has made of it and of the rest is not given."""
    key = BoxKey(Secret(os.urandom(32)), b"CurveZMQMESSAGEC")
    for sizes in ([40] * 9, list(range(9))):
        commands = [command_of(in_slots([b"x" * size], b"", index, key)) for index, size in enumerate(sizes)]
        for bad in (0, 4, 8):
            altered = [*commands]
            altered[bad] = altered[bad][:-1] + bytes([altered[bad][-1] ^ 1])
            flags, payloads = opened_in_slots(altered, key)
            assert payloads == [b"x" * size for size in sizes[:bad]]
            assert flags == bytes(bad)


def test_a_batch_that_the_nonces_do_not_reach_for_takes_none() -> None:
    """The connection ends before a number comes twice, and nothing of the batch is sealed."""
    nonces = Nonces()
    nonces.take(LAST - 6)
    made = CurveEncoder(BoxKey(Secret(os.urandom(32)), b"CurveZMQMESSAGEC"), nonces, False)
    assert len(made.encode([b"x"] * 5)) == 1
    with pytest.raises(MechanismError):
        made.encode([b"x"] * 5)
    assert len(made.encode([b"x"])) == 1  # the last number of all
    for batch in ([b"x"], [b"x"] * 5, [(b"x", b"y")]):
        with pytest.raises(MechanismError):
            made.encode(batch)


def test_directions_have_streams_of_their_own() -> None:
    """One key, one number, two prefixes: nothing in common."""
    key = Secret(os.urandom(32))
    client, server = (BoxKey(key, b"CurveZMQMESSAGE" + side) for side in (b"C", b"S"))
    for size in (50, 30_000):
        [one], [other] = (boxes.seal_few([bytes(size)], [0], [short(1)], made) for made in (client, server))
        assert not any(a == b for a, b in zip(pieces_of(one), pieces_of(other), strict=True))


def pieces_of(sealed: Any) -> list[bytes]:
    data = command_of(bytes(sealed))[16:]
    return [data[start : start + MAC_SIZE] for start in range(0, len(data) - MAC_SIZE, MAC_SIZE)]


@pytest.mark.parametrize("error", [ImportError, OSError(24, "Too many open files")])
def test_without_openssl(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    """That cannot be imported, as when no descriptor is left: libsodium's MAC does as well."""
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("cryptography"):
            raise error
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    boxes._openssl_poly1305.cache_clear()
    try:
        test_large_ones_wherever_they_lie(30_000, "window")
        assert boxes._openssl_poly1305() is None or crypto.SPLIT is None
    finally:
        boxes._openssl_poly1305.cache_clear()
