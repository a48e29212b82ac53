# SPDX-License-Identifier: MPL-2.0
"""The boxes of MESSAGE commands: few or large ones each for itself, and many small ones at once.

No libzmq twin: there, two calls in curve_mechanism_base.cpp.

What a small message costs is not its bytes but the steps around them, so small ones go through a work space of equal
slots: one `join` puts the messages in, each half of the box is one `map` over arguments that were converted when the
slots were made, what all frames have at one place is written for all at once, and one `join` takes the frames out.

    slot   0 .. 22   23 or 30        32          40           48   64     65
           unused    ZMTP header     "\\7MESSAGE"  short nonce  MAC  flags  payload, and what is left of the region
                                     ◀── region: zeros, flags and payload, XORed with the stream of the cipher ──▶

The first 32 bytes of the stream are the key of the MAC, so they lie where the command's head will be.  A region is as
long as the longest message of a batch needs, in whole vectors; what the cipher makes of the rest of it nobody sees.
"""

from __future__ import annotations

import functools
import hmac
import io
import platform
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import add
from typing import Any, Final

from libzmq_py.mechanisms.curve import crypto
from libzmq_py.mechanisms.curve.crypto import MAC_SIZE, Argument, Secret, address_of

COMMAND_NAME: Final = b"\x07MESSAGE"
SHORT_NONCE: Final = 8
# Of a command: name, short nonce, MAC, flags.
OVERHEAD: Final = len(COMMAND_NAME) + SHORT_NONCE + MAC_SIZE + 1
# Larger payloads than this gain nothing from slots.
MAX_SLOT_PAYLOAD: Final = 2015

_HEAD: Final = len(COMMAND_NAME) + SHORT_NONCE
_LARGE_HEADER: Final = struct.Struct(">BQ")

# Places in a slot.
_REGION: Final = 32
_NONCE: Final = _REGION + len(COMMAND_NAME)
_MAC: Final = _NONCE + SHORT_NONCE
_FLAGS: Final = _MAC + MAC_SIZE
_PAYLOAD: Final = _FLAGS + 1
_SHORT_FRAME: Final = _REGION - 2
_LONG_FRAME: Final = _REGION - 9
# The largest payload whose command has a short frame.
_SHORT: Final = 255 - OVERHEAD
# Slots and their count: what the second level of the processor's caches holds beside everything else.
_SPACE: Final = 1 << 17
_MAX_COUNT: Final = 256
# libsodium has vectors for Salsa20 on this processor only, of 256 and 512 bytes.
_VECTOR: Final = 256 if platform.machine().lower() in ("x86_64", "amd64") else 64
_KEY_BYTES: Final = 32
_BLOCK: Final = 64
# From this size on OpenSSL's Poly1305 saves more than the halves of a box cost.
_LARGE: Final = 24_000


class BoxKey:
    """The key of one direction of one connection."""

    __slots__ = ("key", "prefix", "subkey")

    def __init__(self, key: Secret, prefix: bytes) -> None:
        """`key`: what the two sides have agreed on; `prefix`: 16 bytes, the fixed part of the nonces."""
        self.key = key
        self.prefix = prefix
        self.subkey = Secret(bytes(32))
        if crypto.SPLIT is not None:
            crypto.SPLIT.hsalsa20(self.subkey.address, address_of(prefix), key.address, 0)

    def wipe(self) -> None:
        """Forget it."""
        self.key.wipe()
        self.subkey.wipe()


# -- few, or large ----------------------------------------------------------------------------------------------------


class _Heads(dict[int, bytes]):
    """Size of a payload -> ZMTP header of its frame and name of the command; made once, then a lookup in C."""

    def __missing__(self, size: int) -> bytes:
        body = size + OVERHEAD
        head = (bytes((0, body)) if body < 256 else _LARGE_HEADER.pack(2, body)) + COMMAND_NAME
        if len(self) < 4096:  # sizes are the user's: the table must not grow for ever
            self[size] = head
        return head


_HEADS: Final = _Heads()
# Room for a MAC, and flags.
_TAGS: Final = [bytes(MAC_SIZE) + bytes((flags,)) for flags in range(4)]


def seal_few(
    payloads: Sequence[bytes | memoryview], flags: Sequence[int], short_nonces: Sequence[bytes], key: BoxKey
) -> list[bytes | memoryview]:
    """The frames of a few payloads.

    Hot path: of requests and replies, most often two frames, whose time is that of the calls here.
    """
    if max(map(len, payloads)) >= _LARGE and crypto.SPLIT is not None:
        out: list[bytes | memoryview] = []
        for payload, flag, short_nonce in zip(payloads, flags, short_nonces, strict=True):
            if len(payload) >= _LARGE:
                out.append(_seal_large(crypto.SPLIT, payload, flag, short_nonce, key))
            else:
                out += seal_few((payload,), (flag,), (short_nonce,), key)
        return out
    pieces: list[bytes | memoryview] = []
    for payload, flag, short_nonce in zip(payloads, flags, short_nonces, strict=True):
        pieces += (_HEADS[len(payload)], short_nonce, _TAGS[flag], payload)
    frames = bytearray().join(pieces)
    place, prefix, pointer, seal = address_of(frames), key.prefix, key.key.pointer, crypto.seal
    for index, short_nonce in enumerate(short_nonces):
        size = len(payloads[index]) + 1
        place += len(pieces[4 * index]) + SHORT_NONCE
        _sealed(seal(place, place + MAC_SIZE, size, prefix + short_nonce, pointer))
        place += MAC_SIZE + size
    return [memoryview(frames)]


def open_one(command: bytes | memoryview, key: BoxKey) -> tuple[int, bytes] | None:
    """Flags and payload of a command of at least OVERHEAD bytes; None if its box does not open. Hot path, as above."""
    size = len(command) - OVERHEAD
    if size >= _LARGE and crypto.SPLIT is not None:
        return _open_large(crypto.SPLIT, command, key)
    box = bytearray(command)  # opened where it lies
    place, nonce = address_of(box) + _HEAD, key.prefix + command[len(COMMAND_NAME) : _HEAD]
    if crypto.open_(place + MAC_SIZE, place, size + 1 + MAC_SIZE, nonce, key.key.pointer):
        return None
    return box[OVERHEAD - 1], bytes(memoryview(box)[OVERHEAD:])


def _seal_large(
    split: crypto.Split, payload: bytes | memoryview, flags: int, short_nonce: bytes, key: BoxKey
) -> memoryview:
    """Hot path: one copy of the payload, sealed where it lies.

    The stream's first 32 bytes, which are the key of the MAC, come to lie where the command's head, as long, will be.
    """
    header = _HEADS[len(payload)][: -len(COMMAND_NAME)]
    out = bytearray().join((header, bytes(_KEY_BYTES), b"%c" % flags, payload))
    start, flags_at = len(header), len(header) + _KEY_BYTES
    place, size = address_of(out) + start, len(out) - start
    xor = split.stream_xor if size < crypto.RELEASE_FROM else split.stream_xor_long
    xor(place, place, size, short_nonce, key.subkey.pointer)
    view = memoryview(out)
    mac = _mac(split, view[flags_at:], view[start:flags_at].tobytes())
    view[start:flags_at] = b"".join((COMMAND_NAME, short_nonce, mac))
    return view


def _open_large(split: crypto.Split, command: bytes | memoryview, key: BoxKey) -> tuple[int, bytes] | None:
    """Hot path: opened where it lies, if that is a window; else into the bytes object that the user gets.

    `BytesIO` gives its finished bytes away without a copy; see `FrameCollector`.
    """
    box = memoryview(command)
    short_nonce, subkey = box[len(COMMAND_NAME) : _HEAD].tobytes(), key.subkey.pointer
    # The first block of the stream: the key of the MAC, and what hides the flags and the first of the payload.
    first = bytearray(_KEY_BYTES) + box[_KEY_BYTES:_BLOCK]
    place = address_of(first)
    split.stream_xor(place, place, _BLOCK, short_nonce, subkey)
    mac = _mac(split, box[_KEY_BYTES:], bytes(first[:_KEY_BYTES]))
    if not hmac.compare_digest(mac, box[_HEAD:_KEY_BYTES]):
        return None
    xor = split.stream_xor_ic if len(box) < crypto.RELEASE_FROM else split.stream_xor_ic_long
    source, rest = address_of(box) + _BLOCK, len(box) - _BLOCK
    if not box.readonly:
        box[OVERHEAD:_BLOCK] = first[OVERHEAD:]
        xor(source, source, rest, short_nonce, 1, subkey)
        return first[_KEY_BYTES], box[OVERHEAD:].tobytes()
    payload = io.BytesIO(bytes(len(box) - OVERHEAD))
    with payload.getbuffer() as view:
        view[: _BLOCK - OVERHEAD] = first[OVERHEAD:]
        xor(address_of(view) + _BLOCK - OVERHEAD, source, rest, short_nonce, 1, subkey)
    return first[_KEY_BYTES], payload.getvalue()


def _mac(split: crypto.Split, data: memoryview, mac_key: bytes) -> bytes:
    generate_tag = _openssl_poly1305()
    if generate_tag is not None:
        tag: bytes = generate_tag(mac_key, data)
        return tag
    mac = bytearray(MAC_SIZE)
    split.authenticate(address_of(mac), address_of(data), len(data), mac_key)
    return bytes(mac)


@functools.cache
def _openssl_poly1305() -> Any:
    """OpenSSL's, which is twice as fast with long messages; None where it has none (FIPS), or cannot be loaded."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.poly1305 import Poly1305
    except (ImportError, OSError):
        return None
    try:
        Poly1305.generate_tag(bytes(_KEY_BYTES), b"")
    except UnsupportedAlgorithm:
        return None
    return Poly1305.generate_tag


def _sealed(failed: int | bool) -> None:
    if failed:
        raise AssertionError("libsodium seals every message below 2**64 bytes")


# -- many at once -----------------------------------------------------------------------------------------------------


class _Lengths(dict[int, Argument]):
    """Size of a payload -> length of what is sealed, the flags included, as libsodium's functions take it."""

    def __missing__(self, size: int) -> Argument:
        length = self[size] = crypto.length(size + 1)  # as many as there are sizes of slots' payloads
        return length


_LENGTHS: Final = _Lengths()


class Space:
    """What slots of all sizes lie in, for one batch at a time; `with borrow() as space` keeps everybody else out.

    There are as many as batches were ever worked on at once, so one per I/O thread at most, and a few for sockets whose
    threads send by themselves. (To borrow is to take from a list, which no two threads can do at once.)  The last batch
    stays in it until the next one, as freed memory keeps what was in it.
    """

    __slots__ = ("_nonces", "_slots", "_wire", "_work")

    def __init__(self) -> None:
        size = (_SPACE + _PAYLOAD + MAX_SLOT_PAYLOAD) // 8 * 8
        self._wire, self._work = bytearray(size), bytearray(size)
        self._nonces = array("Q", bytes(_MAX_COUNT * SHORT_NONCE))
        self._slots: dict[int, Slots] = {}

    def slots_for(self, size: int) -> Slots:
        """Slots for payloads of up to `size` bytes, at most MAX_SLOT_PAYLOAD."""
        region = -(-(_PAYLOAD - _REGION + size) // _VECTOR) * _VECTOR
        slots = self._slots.get(region)
        if slots is None:
            slots = self._slots[region] = Slots(region, self._wire, self._work, self._nonces)
        return slots

    def __enter__(self) -> Space:
        return self

    def __exit__(self, *exc_info: object) -> None:
        _free.append(self)


_free: Final[list[Space]] = []


def borrow() -> Space:
    """A space that nobody uses; it goes back at the end of the `with`."""
    try:
        return _free.pop()
    except IndexError:
        return Space()


class Slots:
    """Slots of one size: `wire` holds commands as they travel, `work` what is made of those that came in."""

    __slots__ = (
        "_flags_in_wire",
        "_flags_in_work",
        "_macs_in_wire",
        "_nonces",
        "_nonces_in_wire",
        "_pointers_of_nonces",
        "_region_length",
        "_regions_in_wire",
        "_regions_in_work",
        "_stride",
        "_wire",
        "_wire_words",
        "_words",
        "_work",
        "_work_words",
        "count",
    )

    def __init__(self, region: int, wire: bytearray, work: bytearray, nonces: array[int]) -> None:
        self._stride = _REGION + region
        self._words = self._stride // 8
        self.count = min(_MAX_COUNT, _SPACE // self._stride)
        self._wire, self._work, self._nonces = memoryview(wire), memoryview(work), memoryview(nonces)
        self._wire_words, self._work_words = self._wire.cast("Q"), self._work.cast("Q")
        self._region_length = crypto.length(region)
        self._regions_in_wire = self._pointers(wire, _REGION)
        self._nonces_in_wire = self._pointers(wire, _NONCE)
        self._macs_in_wire = self._pointers(wire, _MAC)
        self._flags_in_wire = self._pointers(wire, _FLAGS)
        self._regions_in_work = self._pointers(work, _REGION)
        self._flags_in_work = self._pointers(work, _FLAGS)
        first = address_of(nonces)
        self._pointers_of_nonces = [crypto.pointer(first + SHORT_NONCE * index) for index in range(self.count)]

    def _pointers(self, space: bytearray, place: int) -> list[Argument]:
        """To one place in each slot."""
        start = address_of(space) + place
        return [crypto.pointer(start + index * self._stride) for index in range(self.count)]

    def seal(
        self, payloads: Sequence[bytes], sizes: Sequence[int], flags: bytes, short_nonces: array[int], key: BoxKey
    ) -> bytes:
        """The frames of up to `count` payloads, one behind the other; no `flags`: all 0.

        Hot path: per message there is nothing but calls from C to C.
        """
        count, stride, words, wire = len(payloads), self._stride, self._words, self._wire
        end, equal = count * stride, sizes.count(sizes[0]) == count
        if equal:
            content = bytes(stride - sizes[0]).join(payloads)
        else:
            content = b"".join(map(bytes.ljust, payloads, repeat(stride), repeat(b"\0")))
        wire[:_PAYLOAD] = bytes(_PAYLOAD)
        wire[_PAYLOAD : _PAYLOAD + len(content)] = content
        if flags:
            wire[_FLAGS:end:stride] = flags
        self._nonces[:count] = short_nonces
        lengths = repeat(_LENGTHS[sizes[0]], count) if equal else map(_LENGTHS.__getitem__, sizes)
        self._seal_boxes(count, lengths, key)
        name = _REGION // 8
        self._wire_words[name : count * words : words] = _NAMES[:count]
        self._wire_words[name + 1 : count * words : words] = short_nonces
        return self._frames(sizes, equal)

    def _seal_boxes(self, count: int, lengths: Iterable[Argument], key: BoxKey) -> None:
        split, regions = crypto.SPLIT, self._regions_in_wire
        if split is None:
            nonces = map(key.prefix.__add__, _eights(self._nonces[:count].tobytes()))
            pointer = repeat(key.key.pointer)
            _sealed(any(map(crypto.seal_slot, self._macs_in_wire, self._flags_in_wire, lengths, nonces, pointer)))
            return
        length, subkey = repeat(self._region_length, count), repeat(key.subkey.pointer)
        any(map(split.stream_xor_slot, regions, regions, length, self._pointers_of_nonces, subkey))
        # Its key is read before the MAC is written over half of it.
        any(map(split.authenticate_slot, self._macs_in_wire, self._flags_in_wire, lengths, regions))

    def _frames(self, sizes: Sequence[int], equal: bool) -> bytes:
        """Put the headers before the commands, and take them out."""
        stride, words, wire, count = self._stride, self._words, self._wire, len(sizes)
        end, largest = count * stride, max(sizes)
        # A short header, 0 and a byte, is also the end of a long one, 2 and eight bytes.
        if largest > _SHORT:
            bodies = in_network_order(map(add, sizes, repeat(OVERHEAD)))
            self._wire_words[_REGION // 8 - 1 : count * words : words] = bodies
            wire[_LONG_FRAME:end:stride] = b"\2" * count
        elif equal:
            wire[_SHORT_FRAME + 1 : end : stride] = bytes((largest + OVERHEAD,)) * count
        else:
            wire[_SHORT_FRAME + 1 : end : stride] = bytes(map(add, sizes, repeat(OVERHEAD)))
        if equal:
            return b"".join(chain.from_iterable(_frame(largest, stride).iter_unpack(wire[:end])))
        data, starts = wire[:end].tobytes(), range(0, end, stride)
        if largest <= _SHORT:
            pieces = [data[at + _SHORT_FRAME : at + _PAYLOAD + size] for at, size in zip(starts, sizes, strict=True)]
        else:
            heads = [_SHORT_FRAME if size <= _SHORT else _LONG_FRAME for size in sizes]
            each = zip(starts, heads, sizes, strict=True)
            pieces = [data[at + head : at + _PAYLOAD + size] for at, head, size in each]
        return b"".join(pieces)

    def load(self, commands: Sequence[bytes], sizes: Sequence[int]) -> tuple[bool, bytes]:
        """Put up to `count` commands in; whether they all are called MESSAGE, and their short nonces."""
        count, stride, words = len(commands), self._stride, self._words
        size = sizes[0]
        if sizes.count(size) == count:
            content = bytes(stride - size).join(commands)
        else:
            content = b"".join(map(bytes.ljust, commands, repeat(stride)))
        self._wire[_REGION : _REGION + len(content)] = content
        name = _REGION // 8
        named = self._wire_words[name : count * words : words].tobytes() == COMMAND_NAME * count
        return named, self._wire_words[name + 1 : count * words : words].tobytes()

    def open(self, sizes: Sequence[int], key: BoxKey) -> tuple[bytes, list[bytes]]:
        """Flags and payloads of the commands that were put in, up to the first whose box does not open.

        Hot path: as `seal`.
        """
        count, stride, largest = len(sizes), self._stride, sizes[0] - OVERHEAD
        equal = sizes.count(sizes[0]) == count
        payload_sizes = repeat(largest, count) if equal else [size - OVERHEAD for size in sizes]
        results = self._open_boxes(count, payload_sizes, key)
        if any(results):
            count = next(index for index, result in enumerate(results) if result)
        end, work = count * stride, self._work
        flags = work[_FLAGS:end:stride].tobytes()
        if equal:
            return flags, list(chain.from_iterable(_payload(largest, stride).iter_unpack(work[:end])))
        data, starts = work[:end].tobytes(), range(_PAYLOAD, end, stride)
        return flags, [data[start : start + size] for start, size in zip(starts, payload_sizes, strict=False)]

    def _open_boxes(self, count: int, sizes: Iterable[int], key: BoxKey) -> list[int]:
        """What libsodium says of each box; what lies in `work` is nobody's unless that is 0."""
        split, words, sources = crypto.SPLIT, self._words, self._macs_in_wire
        if split is None:
            lengths = map(_LENGTHS.__getitem__, map(add, sizes, repeat(MAC_SIZE)))
            short_nonces = self._wire_words[_NONCE // 8 : count * words : words].tobytes()
            nonces = map(key.prefix.__add__, _eights(short_nonces))
            return list(map(crypto.open_slot, self._flags_in_work, sources, lengths, nonces, repeat(key.key.pointer)))
        # The zeros of the region go where the head of the command is, so not into what is still to be verified.
        end, regions = count * self._stride, self._regions_in_work
        self._work[:end] = self._wire[:end]
        for word in range(_REGION // 8, _FLAGS // 8):
            self._work_words[word : count * words : words] = _ZEROS[:count]
        length, subkey = repeat(self._region_length, count), repeat(key.subkey.pointer)
        any(map(split.stream_xor_slot, regions, regions, length, self._nonces_in_wire, subkey))
        return list(map(split.verify_slot, sources, self._flags_in_wire, map(_LENGTHS.__getitem__, sizes), regions))


def in_network_order(numbers: Iterable[int]) -> array[int]:
    """Numbers of eight bytes each, as they go on the wire."""
    numbers = array("Q", numbers)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


_NAMES: Final = array("Q", COMMAND_NAME * _MAX_COUNT)
_ZEROS: Final = array("Q", bytes(8 * _MAX_COUNT))


def _eights(data: bytes) -> Iterable[bytes]:
    return chain.from_iterable(struct.iter_unpack("8s", data))


@functools.lru_cache(maxsize=256)
def _frame(size: int, stride: int) -> struct.Struct:
    """Takes a frame with a payload of `size` bytes out of each slot."""
    start = _SHORT_FRAME if size <= _SHORT else _LONG_FRAME
    end = _PAYLOAD + size
    return struct.Struct(f"{start}x{end - start}s{stride - end}x")


@functools.lru_cache(maxsize=256)
def _payload(size: int, stride: int) -> struct.Struct:
    """Takes a payload of `size` bytes out of each slot."""
    return struct.Struct(f"{_PAYLOAD}x{size}s{stride - _PAYLOAD - size}x")
