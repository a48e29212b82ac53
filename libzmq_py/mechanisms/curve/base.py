# SPDX-License-Identifier: MPL-2.0
"""MESSAGE commands: what both sides of CURVE do with messages once the handshake is over.

Mirrors: src/curve_mechanism_base.cpp, src/curve_mechanism_base.hpp.
Departs: a batch per step.  `CurveEncoder` and `CurveDecoder` stand in the place of the framing's own pair: the frames
of a batch are written one behind the other and sealed where they lie, and opened the same way.  The outer flags of a
frame that comes in mean nothing; libzmq takes an outer COMMAND for the message's own.

    frame     2 or 9 bytes of ZMTP header, flags 0 (LARGE if need be)
    command   7 "MESSAGE"; short nonce, 8 bytes; MAC, 16 bytes; sealed: flags, 1 byte (1 MORE, 2 COMMAND), payload

The long nonce is a prefix that tells the direction, and the short nonce, which grows by one with every command sent.
"""

from __future__ import annotations

import functools
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain, islice, repeat
from operator import add, lt, sub
from typing import Any, Final, NamedTuple, Protocol

from libzmq_py.constants import Event
from libzmq_py.mechanisms.curve.crypto import MAC_SIZE, Secret, address_of, opener, sealer
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.msg import COMMAND, MORE, Frame, Message, Msg, frame_bytes, message_of

_COMMAND: Final = b"\x07MESSAGE"
_SHORT_NONCE: Final = 8
_HEAD_SIZE: Final = len(_COMMAND) + _SHORT_NONCE
_OVERHEAD: Final = _HEAD_SIZE + MAC_SIZE + 1
_LONG_NONCE: Final = 24
_NONCE_LIMIT: Final = 1 << 64
_LARGE_HEADER: Final = struct.Struct(">BQ")
# Frames from this size on, and fewer than so many, are opened each for itself.
_ALONE: Final = 8192
_FEW: Final = 8
# Fewer equal frames than this are not worth the check, and less than so many bytes are not.
_RUN: Final = 16
_MAX_RUN: Final = 256
_RUN_BYTES: Final = 1024
# What precedes a payload that is still to be sealed: room for the MAC, and the flags.
_LAST: Final = bytes(MAC_SIZE + 1)
_MORE: Final = bytes(MAC_SIZE) + b"\1"
_IS_COMMAND: Final = bytes(MAC_SIZE) + b"\2"
_SUBSCRIBE: Final = b"\x09SUBSCRIBE"
_CANCEL: Final = b"\x06CANCEL"


class _Heads(dict[int, bytes]):
    """Size of a payload -> ZMTP header of its frame and name of the command; made once, then a lookup in C."""

    def __missing__(self, size: int) -> bytes:
        body = size + _OVERHEAD
        header = bytes((0, body)) if body < 256 else _LARGE_HEADER.pack(2, body)
        head = header + _COMMAND
        if len(self) < 4096:  # sizes are the user's: the table must not grow for ever
            self[size] = head
        return head


_HEADS: Final = _Heads()


class Nonces:
    """The short nonces of one direction of one connection: 1, 2, 3 ..."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 1

    def take(self, count: int = 1) -> range:
        """The next `count` numbers.

        Raises:
            MechanismError: there are no more; a number must not be used twice under one key.
        """
        first = self._next
        if first + count > _NONCE_LIMIT:
            raise MechanismError("the nonces of this connection are used up")
        self._next = first + count
        return range(first, first + count)


class CurveEncoder:
    """Sans-I/O; see `codecs.encoder.Encoder`."""

    __slots__ = ("_downgrade_sub", "_key", "_nonces", "_prefix")

    def __init__(self, key: Secret, prefix: bytes, nonces: Nonces, downgrade_sub: bool) -> None:
        """`prefix`: of our nonces; `downgrade_sub`: the peer knows subscriptions as messages only."""
        self._key = key
        self._prefix = prefix
        self._nonces = nonces
        self._downgrade_sub = downgrade_sub

    def encode(self, msgs: Sequence[Message]) -> list[bytes | memoryview]:
        """The bytes of whole messages.

        Hot path: everything but one call per frame, the box itself, is done in C for the whole batch.
        """
        if set(map(type, msgs)) == {bytes}:
            sizes = list(map(len, msgs))
            if len(msgs) == 1:
                return self._seal_one(msgs[0], sizes[0])  # type: ignore[arg-type]
            if sizes.count(sizes[0]) == len(sizes) and sizes[0] < _ALONE:
                return self._seal_equals(msgs, sizes[0])  # type: ignore[arg-type]
            return self._seal(msgs, sizes, repeat(_LAST))  # type: ignore[arg-type]
        payloads: list[bytes | memoryview] = []
        tags: list[bytes] = []
        for msg in msgs:
            if type(msg) is tuple:
                payloads += [frame.data if isinstance(frame, Msg) else frame for frame in msg]
                tags += repeat(_MORE, len(msg) - 1)
                tags.append(_LAST)
            elif isinstance(msg, Msg):
                payload, tag = self._special(msg)
                payloads.append(payload)
                tags.append(tag)
            else:
                payloads.append(msg)  # type: ignore[arg-type]
                tags.append(_LAST)
        return self._seal(payloads, list(map(len, payloads)), tags)

    def _special(self, msg: Msg) -> tuple[bytes | memoryview, bytes]:
        if msg.is_subscribe or msg.is_cancel:
            if self._downgrade_sub:
                return (b"\1" if msg.is_subscribe else b"\0") + msg.data, _LAST
            return (_SUBSCRIBE if msg.is_subscribe else _CANCEL) + msg.data, _IS_COMMAND
        return msg.data, _IS_COMMAND if msg.flags & COMMAND else _LAST

    def _seal_one(self, payload: bytes, size: int) -> list[bytes | memoryview]:
        """One message: what `_seal` does, without its detours."""
        nonce = self._prefix + self._nonces.take()[0].to_bytes(_SHORT_NONCE, "big")
        out = bytearray(_HEADS[size]).join((b"", nonce[-_SHORT_NONCE:] + _LAST + payload))
        end = address_of(out) + len(out)
        sealer(size)(end - size - len(_LAST), end - size - 1, size + 1, address_of(nonce), self._key.address)
        return [memoryview(out)]

    def _seal_equals(self, payloads: Sequence[bytes], size: int) -> list[bytes | memoryview]:
        """The frames of payloads that have one size: all distances are the same, so nothing is to be added up.

        Hot path: most traffic is such.
        """
        count = len(payloads)
        head = _HEADS[size]
        gap = head + bytes(_SHORT_NONCE) + _LAST
        out = bytearray(gap).join((b"", *payloads))
        stride = len(gap) + size
        numbers = self._nonces.take(count)
        short_nonces = _in_network_order(numbers)
        _write_columns(out, len(head), stride, short_nonces.tobytes(), numbers[-1])
        nonces = _long_nonces(self._prefix, short_nonces)
        box = address_of(out) + len(head) + _SHORT_NONCE
        self._call(
            sealer(size),
            range(box, box + count * stride, stride),
            range(box + MAC_SIZE, box + MAC_SIZE + count * stride, stride),
            repeat(size + 1),
            nonces,
            count,
        )
        return [memoryview(out)]

    def _seal(
        self, payloads: Sequence[bytes | memoryview], sizes: list[int], tags: Iterable[bytes]
    ) -> list[bytes | memoryview]:
        """The frames of a batch in one buffer: written with room for each MAC, then sealed where they lie."""
        count = len(payloads)
        numbers = _in_network_order(self._nonces.take(count))
        heads = list(map(_HEADS.__getitem__, sizes))
        short_nonces = map(int.to_bytes, numbers, repeat(_SHORT_NONCE), repeat(sys.byteorder))
        out = bytearray().join(chain.from_iterable(zip(heads, short_nonces, tags, payloads, strict=False)))
        nonces = _long_nonces(self._prefix, numbers)
        # Each box ends where its frame does.
        frame_sizes = map(add, map(len, heads), map(add, sizes, repeat(_SHORT_NONCE + len(_LAST))))
        ends = islice(accumulate(frame_sizes, initial=address_of(out)), 1, None)
        boxes = list(map(sub, ends, map(add, sizes, repeat(len(_LAST)))))
        plain_sizes = map(add, sizes, repeat(1))
        self._call(sealer(max(sizes)), boxes, map(add, boxes, repeat(MAC_SIZE)), plain_sizes, nonces, count)
        return [memoryview(out)]

    def _call(
        self,
        seal: Callable[[int, int, int, int, int], int],
        boxes: Iterable[int],
        plaintexts: Iterable[int],
        sizes: Iterable[int],
        nonces: bytearray,
        count: int,
    ) -> None:
        if any(map(seal, boxes, plaintexts, sizes, _addresses(nonces, count), repeat(self._key.address))):
            raise AssertionError("libsodium seals every message below 2**64 bytes")


class FrameDecoder(Protocol):
    """What takes the stream apart into frames: a decoder of ZMTP 3.x."""

    collector: Any
    error: Any
    gathering: Any
    _limit: int

    def feed(self, data: bytes) -> None:
        """Take bytes."""

    def decode(self, data: bytes) -> list[Message]:
        """All whole messages."""

    def received(self, count: int) -> list[Message]:
        """So many bytes were put into `collector.window()`."""


class CurveDecoder:
    """Sans-I/O; see `codecs.decoder.Decoder`. What is no MESSAGE command in its turn ends up in `error`."""

    __slots__ = (
        "_frames",
        "_gathering",
        "_key",
        "_last_nonce",
        "_parts",
        "_prefix",
        "collector",
        "error",
        "has_commands",
    )

    def __init__(self, frames: FrameDecoder, key: Secret, prefix: bytes, last_nonce: int) -> None:
        """`frames`: takes the stream apart; `prefix`: of the peer's nonces; `last_nonce`: the last it has used."""
        self._frames = frames
        self.collector = frames.collector
        self._key = key
        self._prefix = prefix
        self._last_nonce = last_nonce
        # Frames of the multipart message being gathered.
        self._parts: list[Frame] = []
        self._gathering: Any = frames.gathering.fresh()
        self.has_commands = False
        self.error: Exception | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes for `next_frame`."""
        self._frames.feed(data)

    def next_frame(self) -> Msg | None:
        """Never: the handshake is over."""
        raise AssertionError("frames of a handshake are not encrypted")

    def decode(self, data: bytes) -> list[Message]:
        """All whole messages in what was fed and `data`."""
        collector = self.collector
        out: list[Message] = []
        # A limit that short frames may exceed is checked frame by frame.
        if not collector.missing and len(data) > _RUN_BYTES and self.error is None and self._frames._limit > 0xFF:
            if collector.tail:
                data = collector.tail + data
                collector.tail = b""
            start = 0
            taken = self._decode_run(data, 0, out)
            while taken:
                start += taken
                taken = self._decode_run(data, start, out)
            data = data[start:]
        return self._open(self._frames.decode(data), out)

    def received(self, count: int) -> list[Message]:
        """So many bytes were put into `collector.window()`."""
        return self._open(self._frames.received(count), [])

    def _decode_run(self, data: bytes, start: int, out: list[Message]) -> int:
        """Open a run of short frames of one size; the bytes it takes, 0 if there is no such run at `start`.

        Hot path: the frames are opened where they lie, in a copy that the processor's cache can hold, and taken apart
        after that.
        """
        if len(data) - start < _RUN_BYTES:
            return 0
        size = data[start + 1]
        stride = size + 2
        count = min((len(data) - start) // stride // _RUN * _RUN, _MAX_RUN)
        length = count * stride
        buffer = bytearray(memoryview(data)[start : start + length])
        if size < _OVERHEAD or not count or self._parts or buffer[2:10] != _COMMAND:
            return 0
        for index, byte in enumerate(b"\0" + buffer[1:10]):
            if buffer[index::stride].count(byte) != count:
                return 0
        run = _run(size)
        numbers: list[int] = []
        for offset in range(0, length, stride * _RUN):
            numbers += run.nonces.unpack_from(buffer, offset)
        if self._last_nonce >= numbers[0] or not all(map(lt, numbers, islice(numbers, 1, None))):
            return 0
        box = address_of(buffer) + 2 + _HEAD_SIZE
        nonces = _long_nonces(self._prefix, _in_network_order(numbers))
        if any(
            map(
                opener(size),
                range(box + MAC_SIZE, box + MAC_SIZE + length, stride),
                range(box, box + length, stride),
                repeat(size - _HEAD_SIZE),
                _addresses(nonces, count),
                repeat(self._key.address),
            )
        ) or any(buffer[1 + _OVERHEAD :: stride]):
            return 0  # a box that does not open, or flags: one by one
        self._last_nonce = numbers[-1]
        for offset in range(0, length, stride * _RUN):
            out += run.payloads.unpack_from(buffer, offset)
        return length

    def _open(self, items: list[Message], out: list[Message]) -> list[Message]:
        self.has_commands = False
        if self.error is not None:
            return out
        if items:
            commands = items if set(map(type, items)) == {bytes} else _commands_of(items)
            self._open_commands(commands, out)  # type: ignore[arg-type]
            if self._parts or self._gathering.count:
                too_much = self._gathering.check(self._parts, out)
                if self.error is None:
                    self.error = too_much
        if self.error is None:
            self.error = self._frames.error
        return out

    def _open_commands(self, commands: list[bytes], out: list[Message]) -> None:
        """Hot path: as in `CurveEncoder`, one call per frame."""
        heads = [command[:_HEAD_SIZE] for command in commands]
        sizes = list(map(len, commands))
        # As the peer would have written it. Between two heads that begin with the command's name all that are in order
        # do.
        last_head = _COMMAND + self._last_nonce.to_bytes(_SHORT_NONCE, "big")
        in_order = last_head < heads[0] and all(map(lt, heads, islice(heads, 1, None)))
        if not in_order or min(sizes) < _OVERHEAD or not heads[-1].startswith(_COMMAND):
            commands, heads = self._valid_ones(commands, last_head)
            sizes = list(map(len, commands))
            if not commands:
                return
        self._last_nonce = int.from_bytes(heads[-1][-_SHORT_NONCE:], "big")
        if len(sizes) < _FEW or max(sizes) >= _ALONE:
            plaintexts: Sequence[bytes | bytearray] = self._open_each(commands, heads)
        else:
            plaintexts = self._open_all(commands, heads, sizes)
        self._deliver(plaintexts, out)

    def _valid_ones(self, commands: list[bytes], last: bytes) -> tuple[list[bytes], list[bytes]]:
        """The commands before the first one that is out of order or none; that one is the `error`."""
        heads: list[bytes] = []
        for command in commands:
            head = command[:_HEAD_SIZE]
            self.error = _check(command, head, last)
            if self.error is not None:
                break
            heads.append(head)
            last = head
        return commands[: len(heads)], heads

    def _open_all(self, commands: list[bytes], heads: list[bytes], sizes: list[int]) -> list[bytes]:
        """Flags and payload of each command; fewer if a box does not open."""
        count = len(commands)
        buffer = bytearray().join(commands)
        nonces = _long_nonces(self._prefix, memoryview(b"".join(heads)).cast("Q")[1::2])
        ends = list(accumulate(sizes))
        start = address_of(buffer) + _HEAD_SIZE
        boxes = list(map(add, islice(chain((0,), ends), count), repeat(start)))
        results = list(
            map(
                opener(0),
                map(add, boxes, repeat(MAC_SIZE)),
                boxes,
                map(sub, sizes, repeat(_HEAD_SIZE)),
                _addresses(nonces, count),
                repeat(self._key.address),
            )
        )
        if any(results):
            count = next(index for index, result in enumerate(results) if result)
            self.error = _not_authentic()
        plain = bytes(buffer)
        return [plain[end - size + _OVERHEAD - 1 : end] for end, size in zip(islice(ends, count), sizes, strict=False)]

    def _open_each(self, commands: list[bytes], heads: list[bytes]) -> list[bytearray]:
        """The same, of few or large ones, each into a place of its own."""
        plaintexts = []
        for command, head in zip(commands, heads, strict=True):
            size = len(command) - _HEAD_SIZE - MAC_SIZE
            plaintext = bytearray(size)
            nonce = self._prefix + head[len(_COMMAND) :]
            source = address_of(command) + _HEAD_SIZE
            if opener(size)(address_of(plaintext), source, size + MAC_SIZE, address_of(nonce), self._key.address):
                self.error = _not_authentic()
                break
            plaintexts.append(plaintext)
        return plaintexts

    def _deliver(self, plaintexts: Sequence[bytes | bytearray], out: list[Message]) -> None:
        """Flags off, parts together."""
        parts = self._parts
        for plaintext in plaintexts:
            flags = plaintext[0]
            payload = plaintext[1:] if isinstance(plaintext, bytes) else bytes(memoryview(plaintext)[1:])
            if flags & COMMAND:
                self.has_commands = True
                out.append(Msg(payload, COMMAND))
            elif flags & MORE:
                parts.append(payload)
            elif parts:
                parts.append(payload)
                out.append(message_of(tuple(parts)))
                parts.clear()
            else:
                out.append(payload)


def _commands_of(items: Iterable[Message]) -> list[bytes]:
    """The frames as they came, whatever their outer flags made of them."""
    return [frame_bytes(frame) for item in items for frame in (item if isinstance(item, tuple) else (item,))]


def _check(command: bytes, head: bytes, last_head: bytes) -> MechanismError | None:
    if len(command) <= 1 or len(command) <= command[0]:
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
        return MechanismError(f"malformed command of {len(command)} bytes in place of MESSAGE", code)
    if not head.startswith(_COMMAND):
        return MechanismError("a command that is no MESSAGE", Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND)
    if len(command) < _OVERHEAD:
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE
        return MechanismError(f"MESSAGE of {len(command)} bytes", code)
    if head <= last_head:
        code = Event.PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE
        return MechanismError("a MESSAGE that was sent before, or out of order", code)
    return None


def _not_authentic() -> MechanismError:
    return MechanismError("a MESSAGE whose box does not open", Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)


def _in_network_order(numbers: Iterable[int]) -> array[int]:
    """Numbers of eight bytes each, as they go on the wire."""
    numbers = array("Q", numbers)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _long_nonces(prefix: bytes, short_nonces: array[int] | memoryview) -> bytearray:
    """Long nonces one behind the other, of short ones given as items of eight bytes in network order."""
    nonces = bytearray((prefix + bytes(_SHORT_NONCE)) * len(short_nonces))
    memoryview(nonces).cast("Q")[2::3] = memoryview(short_nonces)
    return nonces


def _write_columns(out: bytearray, start: int, stride: int, short_nonces: bytes, last: int) -> None:
    """Put short nonces into zeros that lie at equal distances: the first bytes of all at once, then the second ..."""
    first = _SHORT_NONCE - (last.bit_length() + 7) // 8
    for index in range(first, _SHORT_NONCE):
        out[start + index :: stride] = short_nonces[index::_SHORT_NONCE]


class _Run(NamedTuple):
    """Takes `_RUN` short frames of one size apart in one call."""

    nonces: struct.Struct
    payloads: struct.Struct


@functools.lru_cache(maxsize=256)
def _run(size: int) -> _Run:
    head, payload = 2 + len(_COMMAND), size - _OVERHEAD
    return _Run(
        struct.Struct(">" + f"{head}xQ{size + 2 - head - _SHORT_NONCE}x" * _RUN),
        struct.Struct(f"{2 + _OVERHEAD}x{payload}s" * _RUN),
    )


def _addresses(nonces: bytearray, count: int) -> range:
    start = address_of(nonces)
    return range(start, start + count * _LONG_NONCE, _LONG_NONCE)


class CurveMechanismBase:
    """What the two sides share: the key of the connection, and the counters of both directions."""

    encode_prefix: bytes
    decode_prefix: bytes

    def __init__(self) -> None:
        self.nonces = Nonces()
        # The last one the peer has used.
        self.peer_nonce = -1
        self.precom: Secret | None = None

    def next_nonce(self) -> bytes:
        """The next short nonce of ours."""
        return self.nonces.take()[0].to_bytes(_SHORT_NONCE, "big")

    def accept_nonce(self, short_nonce: bytes) -> None:
        """The peer has used a nonce; it must be larger than the last.

        Raises:
            MechanismError: INVALID_SEQUENCE.
        """
        number = int.from_bytes(short_nonce, "big")
        if number <= self.peer_nonce:
            code = Event.PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE
            raise MechanismError("a command that was sent before, or out of order", code)
        self.peer_nonce = number

    def secure(self, encoder: Any, decoder: Any, downgrade_sub: bool) -> tuple[CurveEncoder, CurveDecoder]:
        """What encodes and decodes from now on; see `Mechanism.secure`."""
        if self.precom is None:
            raise AssertionError("the handshake has made the key")
        return (
            CurveEncoder(self.precom, self.encode_prefix, self.nonces, downgrade_sub),
            CurveDecoder(decoder, self.precom, self.decode_prefix, self.peer_nonce),
        )


def cryptographic(reason: str) -> MechanismError:
    """A box that does not open, or is not what it should be."""
    return MechanismError(reason, Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
