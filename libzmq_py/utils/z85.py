# SPDX-License-Identifier: MPL-2.0
"""Z85, binary as printable text, under the names of pyzmq's module.

No libzmq twin: pyzmq's utils/z85.py; the work is done by ``libzmq_py.z85``.
Departs: whatever is no Z85 is a ValueError, a wrong digit too (pyzmq: KeyError).
"""

from __future__ import annotations

from typing import Final

from libzmq_py import z85

_RawBytes = bytes | bytearray | memoryview

#: The digits, by value, and the value of each.
Z85CHARS: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
Z85MAP: Final = {digit: value for value, digit in enumerate(Z85CHARS)}


def encode(rawbytes: _RawBytes) -> bytes:
    """Write bytes as Z85.

    Raises:
        ValueError: The length is no multiple of 4.
        TypeError: It is neither bytes nor another buffer.
    """
    return z85.encode(bytes(memoryview(rawbytes)))


def decode(z85bytes: str | _RawBytes) -> bytes:
    """Read Z85; empty text gives empty bytes.

    Raises:
        ValueError: It is no Z85.
        TypeError: It is no text, such as None.
    """
    if isinstance(z85bytes, str):
        if not z85bytes.isascii():
            raise ValueError("string argument should contain only ASCII characters")
        z85bytes = z85bytes.encode("ascii")
    return z85.decode(bytes(z85bytes)) if len(z85bytes) else b""
