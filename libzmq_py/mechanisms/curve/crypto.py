# SPDX-License-Identifier: MPL-2.0
"""The primitives CURVE needs, out of the libsodium that PyNaCl brings: X25519, XSalsa20-Poly1305, random bytes.

No libzmq twin: there, calls into libsodium or tweetnacl.

Two ways lead to the same library.  What happens once per connection goes through `nacl.bindings`.  Boxes of messages
are sealed and opened in place, at addresses, by functions of `ctypes` made from the addresses that PyNaCl's own module
knows.  The ways of PyNaCl cost three times as much per message (checks, a new buffer, a copy), and give the GIL away
for every call: an application that computes would take it for a whole switch interval (5 ms) per message.

`SPLIT` has the two halves of a box by themselves: the cipher, and the MAC under the first 32 bytes of its stream.  They
are faster than a box, for two reasons: what HSalsa20 makes of a key and the fixed part of our nonces is computed once
per connection, and below 256 bytes libsodium computes block by block what it does in vectors from there on, in less
time.  PyNaCl does not offer the halves, but its module exports them, except on Windows; where it does not, boxes it is.

Secrets live in `Secret`, whose bytes are overwritten when they are no longer needed, as far as Python lets us: copies
that `bytes` arguments make on their way to libsodium are the allocator's.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from nacl import _sodium, bindings
from nacl._sodium import ffi, lib  # type: ignore[import-not-found]
from nacl.exceptions import CryptoError

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24
MAC_SIZE: Final = 16

# To seal 64 KiB takes about 40 us; to get the GIL back may take longer.
RELEASE_FROM: Final = 1 << 18

_ADDRESS: Final = ctypes.c_void_p
_LENGTH: Final = ctypes.c_void_p if ctypes.sizeof(ctypes.c_void_p) == 8 else ctypes.c_ulonglong
# (ciphertext, plaintext, length of the plaintext, nonce, key) -> 0, and (plaintext, ciphertext, its length, nonce,
# key) -> 0 or -1; all but the length are addresses. Source and target may be the same place.
_BOX: Final = (_ADDRESS, _ADDRESS, _LENGTH, _ADDRESS, _ADDRESS)

# What a function of libsodium is called with: addresses and lengths as numbers, which ctypes converts for each call,
# or, for those that work on slots, converted beforehand by `pointer` and `length`.
Argument = Any
Function = Callable[..., int]
pointer: Final = _ADDRESS.from_param
length: Final = ctypes.c_ulonglong.from_param


_cast: Final = ffi.cast
_from_buffer: Final = ffi.from_buffer
_NUMBER: Final = ffi.typeof("uintptr_t")


class BoxError(Exception):
    """A box does not open, or a key makes no box."""


def _function(address: int, arguments: tuple[Any, ...] = (), releases_gil: bool = False) -> Function:
    prototype = ctypes.CFUNCTYPE if releases_gil else ctypes.PYFUNCTYPE
    function: Function = prototype(ctypes.c_int, *arguments)(address)
    return function


_SEAL: Final = int(ffi.cast("uintptr_t", ffi.addressof(lib, "crypto_box_easy_afternm")))
_OPEN: Final = int(ffi.cast("uintptr_t", ffi.addressof(lib, "crypto_box_open_easy_afternm")))
seal: Final = _function(_SEAL, _BOX)
open_: Final = _function(_OPEN, _BOX)
# With arguments converted beforehand.
seal_slot: Final = _function(_SEAL)
open_slot: Final = _function(_OPEN)


class Split(NamedTuple):
    """The halves of boxes.

    hsalsa20(key, 16 bytes, key, 0); stream_xor(target, source, length, 8 bytes of nonce, key); stream_xor_ic(target,
    source, length, nonce, number of the first block, key); authenticate(MAC, source, length, key); verify(MAC, source,
    length, key) -> 0 or -1.  Those of slots take converted arguments, those for long messages release the GIL.
    """

    hsalsa20: Function
    stream_xor: Function
    stream_xor_long: Function
    stream_xor_slot: Function
    stream_xor_ic: Function
    stream_xor_ic_long: Function
    authenticate: Function
    authenticate_slot: Function
    verify_slot: Function


def _split() -> Split | None:
    try:
        exported = ctypes.PyDLL(_sodium.__file__)
        stream_xor, stream_xor_ic, authenticate, verify, hsalsa20 = (
            int(ctypes.cast(getattr(exported, name), _ADDRESS).value or 0)
            for name in (
                "crypto_stream_salsa20_xor",
                "crypto_stream_salsa20_xor_ic",
                "crypto_onetimeauth_poly1305",
                "crypto_onetimeauth_poly1305_verify",
                "crypto_core_hsalsa20",
            )
        )
    except (AttributeError, OSError):
        return None
    mac = (_ADDRESS, _ADDRESS, _LENGTH, _ADDRESS)
    from_block = (_ADDRESS, _ADDRESS, _LENGTH, _ADDRESS, ctypes.c_uint64, _ADDRESS)
    return Split(
        _function(hsalsa20, (_ADDRESS,) * 4),
        _function(stream_xor, _BOX),
        _function(stream_xor, _BOX, releases_gil=True),
        _function(stream_xor),
        _function(stream_xor_ic, from_block),
        _function(stream_xor_ic, from_block, releases_gil=True),
        _function(authenticate, mac),
        _function(authenticate),
        _function(verify),
    )


SPLIT: Final = _split()


def address_of(buffer: object) -> int:
    """Where the bytes of a buffer are, as long as it lives and keeps its size."""
    return int(_cast(_NUMBER, _from_buffer(buffer)))


class Secret:
    """A key that can be wiped."""

    __slots__ = ("_bytes", "address", "pointer")

    def __init__(self, key: bytes) -> None:
        self._bytes = bytearray(key)
        self.address = address_of(self._bytes)
        self.pointer = pointer(self.address)

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
