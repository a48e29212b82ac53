# SPDX-License-Identifier: MPL-2.0
"""Both sides of CURVE as somebody who knows the keys plays them, on PyNaCl: each command good, or with one defect."""

from __future__ import annotations

import functools
from typing import Final

from nacl import bindings

ZEROS: Final = bytes(32)


def number(nonce: int) -> bytes:
    """A short nonce."""
    return nonce.to_bytes(8, "big")


@functools.lru_cache(maxsize=64)
def public(secret: bytes) -> bytes:
    """The public key."""
    return bindings.crypto_scalarmult_base(secret)


@functools.lru_cache(maxsize=256)
def shared(other: bytes, secret: bytes) -> bytes:
    """The key of the boxes between two."""
    return bindings.crypto_box_beforenm(other, secret)


def seal(content: bytes, nonce: bytes, key: bytes) -> bytes:
    """A box."""
    return bindings.crypto_box_easy_afternm(content, nonce, key)


def unseal(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """What is in a box; the library under test has made it."""
    return bindings.crypto_box_open_easy_afternm(box, nonce, key)


def flip(data: bytes, where: int) -> bytes:
    """One bit altered."""
    index = where % len(data)
    return data[:index] + bytes((data[index] ^ (1 << where % 8 or 1),)) + data[index + 1 :]


#: Long-term keys of both sides, and the client's of the connection; chosen, so that their products are computed once.
SERVER, CLIENT, CONNECTION, STRANGER = (bytes((byte,)) * 32 for byte in (0x51, 0x62, 0x73, 0x44))
