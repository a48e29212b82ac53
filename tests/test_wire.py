# SPDX-License-Identifier: MPL-2.0
"""Numbers in network byte order."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from libzmq_py import wire

SIZES = [
    (1, wire.put_uint8, wire.get_uint8),
    (2, wire.put_uint16, wire.get_uint16),
    (4, wire.put_uint32, wire.get_uint32),
    (8, wire.put_uint64, wire.get_uint64),
]
sizes = pytest.mark.parametrize(("size", "put", "get"), SIZES)


@sizes
def test_most_significant_byte_first(size: int, put: Callable[[int], bytes], get: Callable[..., int]) -> None:
    """A number is written and read big-endian, at any offset, from any kind of buffer."""
    data = bytes(range(0x81, 0x81 + size))
    number = int.from_bytes(data, "big")
    assert put(number) == data
    for buffer in (b"xx" + data, bytearray(b"xx" + data + b"x"), memoryview(b"xx" + data)):
        assert get(buffer, 2) == number
    assert get(data) == number


@sizes
def test_limits(size: int, put: Callable[[int], bytes], get: Callable[..., int]) -> None:
    """0 and the largest number fit, the next one and negative ones do not, and half a field is no field."""
    largest = 256**size - 1
    assert (get(put(0)), get(put(largest))) == (0, largest)
    for bad in (-1, largest + 1):
        with pytest.raises(struct.error):
            put(bad)
    with pytest.raises(struct.error):
        get(bytes(size), 1)
