# SPDX-License-Identifier: MPL-2.0
"""Unsigned numbers as bytes and back, in network byte order (big-endian), as every ZMTP field has them.

Mirrors: src/wire.hpp.
Departs: ``put_*`` returns the bytes rather than writing through a pointer, ``get_*`` takes an offset. A number that
does not fit, or a field that is cut short, raises ``struct.error`` where C would truncate or read on.
"""

from __future__ import annotations

from struct import Struct

_UINT8 = Struct(">B")
_UINT16 = Struct(">H")
_UINT32 = Struct(">I")
_UINT64 = Struct(">Q")

#: Whatever ``get_*`` can read from.
Buffer = bytes | bytearray | memoryview


def put_uint8(value: int) -> bytes:
    """Return ``value`` (0 to 2**8-1) as one byte."""
    return _UINT8.pack(value)


def put_uint16(value: int) -> bytes:
    """Return ``value`` (0 to 2**16-1) as two bytes."""
    return _UINT16.pack(value)


def put_uint32(value: int) -> bytes:
    """Return ``value`` (0 to 2**32-1) as four bytes."""
    return _UINT32.pack(value)


def put_uint64(value: int) -> bytes:
    """Return ``value`` (0 to 2**64-1) as eight bytes."""
    return _UINT64.pack(value)


def get_uint8(buffer: Buffer, offset: int = 0) -> int:
    """Return the number in the byte at ``offset``."""
    number: int = _UINT8.unpack_from(buffer, offset)[0]
    return number


def get_uint16(buffer: Buffer, offset: int = 0) -> int:
    """Return the number in the two bytes from ``offset``."""
    number: int = _UINT16.unpack_from(buffer, offset)[0]
    return number


def get_uint32(buffer: Buffer, offset: int = 0) -> int:
    """Return the number in the four bytes from ``offset``."""
    number: int = _UINT32.unpack_from(buffer, offset)[0]
    return number


def get_uint64(buffer: Buffer, offset: int = 0) -> int:
    """Return the number in the eight bytes from ``offset``."""
    number: int = _UINT64.unpack_from(buffer, offset)[0]
    return number
