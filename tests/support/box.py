# SPDX-License-Identifier: MPL-2.0
"""CURVE's primitives a second time, by another route: X25519 from `cryptography`, XSalsa20-Poly1305 written out.

Slow and plain, so that it can be read beside the papers ("Cryptography in NaCl", "Extending the Salsa20 nonce"); shares
nothing with libsodium, which the library under test uses.
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SIGMA = struct.unpack("<4I", b"expand 32-byte k")
_MASK = 0xFFFFFFFF


class OpenError(Exception):
    """The box does not open."""


def public_of(secret: bytes) -> bytes:
    """The public key of a secret key."""
    public = X25519PrivateKey.from_private_bytes(secret).public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def box_key(public: bytes, secret: bytes) -> bytes:
    """What `crypto_box_beforenm` computes: HSalsa20 of the X25519 point under a zero nonce."""
    shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    return _hsalsa20(shared, bytes(16))


def seal(message: bytes, nonce: bytes, key: bytes) -> bytes:
    """MAC (16 bytes) and ciphertext, under a key of `box_key`, or one's own (a secret box)."""
    stream = _xsalsa20(nonce, key, 32 + len(message))
    ciphertext = _xor(message, stream[32:])
    return _poly1305(ciphertext, stream[:32]) + ciphertext


def open_(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """What was sealed."""
    stream = _xsalsa20(nonce, key, 32 + max(len(box) - 16, 0))
    if len(box) < 16 or _poly1305(box[16:], stream[:32]) != box[:16]:
        raise OpenError
    return _xor(box[16:], stream[32:])


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _rotate(word: int, count: int) -> int:
    word &= _MASK
    return word << count & _MASK | word >> 32 - count


def _double_rounds(state: list[int]) -> None:
    columns = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
    rows = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
    for _ in range(10):
        for a, b, c, d in columns + rows:
            state[b] ^= _rotate(state[a] + state[d], 7)
            state[c] ^= _rotate(state[b] + state[a], 9)
            state[d] ^= _rotate(state[c] + state[b], 13)
            state[a] ^= _rotate(state[d] + state[c], 18)


def _initial(key: bytes, middle: bytes) -> list[int]:
    words, four = struct.unpack("<8I", key), struct.unpack("<4I", middle)
    return [_SIGMA[0], *words[:4], _SIGMA[1], *four, _SIGMA[2], *words[4:], _SIGMA[3]]


def _hsalsa20(key: bytes, nonce: bytes) -> bytes:
    state = _initial(key, nonce)
    _double_rounds(state)
    return struct.pack("<8I", *(state[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def _xsalsa20(nonce: bytes, key: bytes, length: int) -> bytes:
    subkey = _hsalsa20(key, nonce[:16])
    stream = b""
    for counter in range((length + 63) // 64):
        initial = _initial(subkey, nonce[16:] + struct.pack("<Q", counter))
        state = initial.copy()
        _double_rounds(state)
        stream += struct.pack("<16I", *((a + b) & _MASK for a, b in zip(state, initial, strict=True)))
    return stream[:length]


def _poly1305(message: bytes, key: bytes) -> bytes:
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    accumulator = 0
    for start in range(0, len(message), 16):
        block = int.from_bytes(message[start : start + 16] + b"\1", "little")
        accumulator = (accumulator + block) * r % (2**130 - 5)
    return ((accumulator + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")
