# SPDX-License-Identifier: MPL-2.0
"""The primitives CURVE needs, out of the libsodium that PyNaCl brings: X25519, XSalsa20-Poly1305, random bytes.

No libzmq twin: there, calls into libsodium or tweetnacl.

Two ways lead to the same library.  What happens once per connection goes through `nacl.bindings`.  Boxes of messages
are sealed and opened in place, at addresses, by `seal` and `open_`: functions of `ctypes` made from the address that
PyNaCl's own module knows.  The ways of PyNaCl cost three times as much per message (checks, a new buffer, a copy), and
give the GIL away for every call: an application that computes would take it for a whole switch interval (5 ms) per
message.  So only boxes that take longer than a change of threads are sealed without the GIL.

Secrets live in `Secret`, whose bytes are overwritten when they are no longer needed, as far as Python lets us: copies
that `bytes` arguments make on their way to libsodium are the allocator's.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Final

from nacl import bindings
from nacl._sodium import ffi, lib  # type: ignore[import-not-found]
from nacl.exceptions import CryptoError

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24
MAC_SIZE: Final = 16

# Of 64 KiB the box takes about 40 us; to get the GIL back may take longer.
_RELEASE_FROM: Final = 1 << 18

# (ciphertext, plaintext, length of the plaintext, nonce, key) -> 0, and (plaintext, ciphertext, its length, nonce,
# key) -> 0 or -1; all but the length are addresses. Source and target may be the same place.
_BoxFunction = Callable[[int, int, int, int, int], int]
_ADDRESS: Final = ctypes.c_void_p
# The length as an address too, which ctypes converts much faster than an unsigned long long.
_PROTOTYPE: Final = (ctypes.c_int, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS)


class BoxError(Exception):
    """A box does not open, or a key makes no box."""


def _function(name: str, releases_gil: bool) -> _BoxFunction:
    address = int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))
    prototype = ctypes.CFUNCTYPE if releases_gil else ctypes.PYFUNCTYPE
    function: _BoxFunction = prototype(*_PROTOTYPE)(address)
    return function


seal: Final = _function("crypto_box_easy_afternm", releases_gil=False)
open_: Final = _function("crypto_box_open_easy_afternm", releases_gil=False)
_seal_long: Final = _function("crypto_box_easy_afternm", releases_gil=True)
_open_long: Final = _function("crypto_box_open_easy_afternm", releases_gil=True)


def sealer(size: int) -> _BoxFunction:
    """`seal` for boxes of about this size."""
    return seal if size < _RELEASE_FROM else _seal_long


def opener(size: int) -> _BoxFunction:
    """`open_` for boxes of about this size."""
    return open_ if size < _RELEASE_FROM else _open_long


def address_of(buffer: object) -> int:
    """Where the bytes of a buffer are, as long as it lives and keeps its size."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(buffer)))


class Secret:
    """A key that can be wiped."""

    __slots__ = ("_bytes", "address")

    def __init__(self, key: bytes) -> None:
        self._bytes = bytearray(key)
        self.address = address_of(self._bytes)

    def __bytes__(self) -> bytes:
        return bytes(self._bytes)

    def __repr__(self) -> str:
        return "<Secret>"

    def wipe(self) -> None:
        """Overwrite it."""
        self._bytes[:] = bytes(len(self._bytes))


def random_bytes(count: int) -> bytes:
    """Bytes that nobody can guess."""
    return os.urandom(count)


def keypair() -> tuple[bytes, Secret]:
    """A new public key and its secret key."""
    public, secret = bindings.crypto_box_keypair()
    return public, Secret(secret)


def public_key(secret_key: bytes) -> bytes:
    """The public key of a secret key."""
    return bindings.crypto_scalarmult_base(secret_key)


def beforenm(public: bytes, secret: bytes | Secret) -> Secret:
    """The key of boxes between the owners of two key pairs.

    Raises:
        BoxError: there is none, as the public key is a point of low order.
    """
    try:
        return Secret(bindings.crypto_box_beforenm(public, bytes(secret)))
    except (CryptoError, RuntimeError) as error:
        raise BoxError("no key can be agreed on with this public key") from error


def seal_box(message: bytes, nonce: bytes, key: Secret) -> bytes:
    """Box[message] under a key of `beforenm`."""
    return bindings.crypto_box_easy_afternm(message, nonce, bytes(key))


def open_box(box: bytes, nonce: bytes, key: Secret) -> bytes:
    """What is in a box.

    Raises:
        BoxError: it was not sealed with this key and nonce, or was altered.
    """
    try:
        return bindings.crypto_box_open_easy_afternm(box, nonce, bytes(key))
    except (CryptoError, TypeError) as error:
        raise BoxError("the box does not open") from error


# A box under the key of two pairs and one under a key of one's own are the same construction.
seal_secret_box: Final = seal_box
open_secret_box: Final = open_box
