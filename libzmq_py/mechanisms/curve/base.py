# SPDX-License-Identifier: MPL-2.0
"""MESSAGE commands: what both sides of CURVE do with messages once the handshake is over.

Mirrors: src/curve_mechanism_base.cpp, src/curve_mechanism_base.hpp.
Departs: a batch per step.  `CurveEncoder` and `CurveDecoder` stand in the place of the framing's own pair, and leave
the boxes of a batch to `boxes.py`.  The outer flags of a frame that comes in mean nothing (`message_decoder.py`).

    frame     2 or 9 bytes of ZMTP header, flags 0 (LARGE if need be)
    command   7 "MESSAGE"; short nonce, 8 bytes; MAC, 16 bytes; sealed: flags, 1 byte (1 MORE, 2 COMMAND), payload

The long nonce is a prefix that tells the direction, and the short nonce, which grows by one with every command sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from libzmq_py.constants import Event
from libzmq_py.mechanisms.curve.boxes import (
    COMMAND_NAME,
    MAX_SLOT_PAYLOAD,
    OVERHEAD,
    SHORT_NONCE,
    BoxKey,
    Slots,
    borrow,
    in_network_order,
    open_one,
    seal_few,
)
from libzmq_py.mechanisms.curve.crypto import Secret
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.mechanisms.message_decoder import Body, FrameDecoder, MessageDecoder
from libzmq_py.msg import COMMAND, MORE, Message, Msg

_HEAD_SIZE: Final = len(COMMAND_NAME) + SHORT_NONCE
_NONCE_LIMIT: Final = 1 << 64
# Fewer frames than this are not worth the work space.
_FEW: Final = 4
_SUBSCRIBE: Final = b"\x09SUBSCRIBE"
_CANCEL: Final = b"\x06CANCEL"


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

    def take_each(self, count: int) -> list[bytes]:
        """The same, each as it goes on the wire."""
        return [number.to_bytes(SHORT_NONCE, "big") for number in self.take(count)]


class CurveEncoder:
    """Sans-I/O; see `codecs.encoder.Encoder`."""

    __slots__ = ("_downgrade_sub", "_key", "_nonces")

    def __init__(self, key: BoxKey, nonces: Nonces, downgrade_sub: bool) -> None:
        """`downgrade_sub`: the peer knows subscriptions as messages only."""
        self._key = key
        self._nonces = nonces
        self._downgrade_sub = downgrade_sub

    def encode(self, msgs: Sequence[Message]) -> list[bytes | memoryview]:
        """The bytes of whole messages.

        Hot path: for a batch of plain messages nothing here is done per message.
        """
        if len(msgs) == 1:
            return self._seal_message(msgs[0])
        if set(map(type, msgs)) == {bytes}:
            return self._seal(msgs, b"")  # type: ignore[arg-type]
        payloads: list[bytes | memoryview] = []
        flags = bytearray()
        for msg in msgs:
            if type(msg) is tuple:
                payloads += [frame.data if isinstance(frame, Msg) else frame for frame in msg]
                flags += b"\1" * (len(msg) - 1) + b"\0"
            elif isinstance(msg, Msg):
                payload, is_command = self._special(msg)
                payloads.append(payload)
                flags.append(COMMAND if is_command else 0)
            else:
                payloads.append(msg)  # type: ignore[arg-type]
                flags.append(0)
        return self._seal(payloads, flags)

    def _seal_message(self, msg: Message) -> list[bytes | memoryview]:
        """One, which most often is a request or a reply, with its delimiter."""
        if type(msg) is bytes:
            return seal_few((msg,), (0,), self._nonces.take_each(1), self._key)
        if type(msg) is tuple:
            payloads = [frame.data if isinstance(frame, Msg) else frame for frame in msg]
            return self._seal(payloads, b"\1" * (len(msg) - 1) + b"\0")
        if isinstance(msg, Msg):
            payload, is_command = self._special(msg)
            return self._seal((payload,), b"\2" if is_command else b"\0")
        return self._seal((msg,), b"\0")  # type: ignore[arg-type]

    def _special(self, msg: Msg) -> tuple[bytes | memoryview, bool]:
        """The payload, and whether it is a command."""
        if msg.is_subscribe or msg.is_cancel:
            if self._downgrade_sub:
                return (b"\1" if msg.is_subscribe else b"\0") + msg.data, False
            return (_SUBSCRIBE if msg.is_subscribe else _CANCEL) + msg.data, True
        return msg.data, bool(msg.flags & COMMAND)

    def _seal(self, payloads: Sequence[bytes | memoryview], flags: bytes | bytearray) -> list[bytes | memoryview]:
        sizes = list(map(len, payloads))
        largest, count = max(sizes), len(sizes)
        if count < _FEW or largest > MAX_SLOT_PAYLOAD:
            return seal_few(payloads, flags or bytes(count), self._nonces.take_each(count), self._key)
        if flags:
            payloads = list(map(bytes, payloads))  # of views, a copy
        nonces, key, out = in_network_order(self._nonces.take(count)), self._key, []
        with borrow() as space:
            slots = space.slots_for(largest)
            for start in range(0, count, slots.count):
                some = slice(start, start + slots.count)
                out.append(slots.seal(payloads[some], sizes[some], flags[some], nonces[some], key))  # type: ignore[arg-type]
        return out  # type: ignore[return-value]


class CurveDecoder(MessageDecoder):
    """Sans-I/O; see `MessageDecoder`."""

    __slots__ = ("_key", "_last_nonce")

    def __init__(self, frames: FrameDecoder, key: BoxKey, last_nonce: int) -> None:
        """`frames`: has taken the stream apart so far; `last_nonce`: the last the peer has used."""
        super().__init__(frames)
        self._key = key
        self._last_nonce = last_nonce

    def _unseal(self, commands: list[Body], out: list[Message]) -> None:
        """Hot path: as in `CurveEncoder`."""
        sizes = list(map(len, commands))
        largest, count = max(sizes), len(sizes)
        if count < _FEW or largest > MAX_SLOT_PAYLOAD + OVERHEAD or min(sizes) < OVERHEAD:
            self._open_each(commands, out)
            return
        with borrow() as space:
            slots = space.slots_for(largest - OVERHEAD)
            for start in range(0, count, slots.count):
                some = slice(start, start + slots.count)
                self._open_some(slots, commands[some], sizes[some], out)
                if self.error is not None:
                    break

    def _open_some(self, slots: Slots, commands: list[Body], sizes: list[int], out: list[Message]) -> None:
        named, short_nonces = slots.load(commands, sizes)  # type: ignore[arg-type]  # views are larger than slots
        # As every peer is known to send them: they follow each other.
        expected = range(self._last_nonce + 1, self._last_nonce + 1 + len(sizes))
        if not named or expected[-1] >= _NONCE_LIMIT or short_nonces != in_network_order(expected).tobytes():
            self._open_each(commands, out)
            return
        flags, payloads = slots.open(sizes, self._key)
        self._last_nonce = expected[-1]
        self._deliver(flags, payloads, out)
        if len(payloads) < len(sizes):
            self.error = _not_authentic()

    def _open_each(self, commands: Iterable[Body], out: list[Message]) -> None:
        """Few or large ones, or such as are not what they should be: up to the first one that is an error.

        Hot path: of a request or a reply, whose frames are given on here.
        """
        key, parts, last_nonce = self._key, self._parts, self._last_nonce
        for command in commands:
            number = int.from_bytes(command[len(COMMAND_NAME) : _HEAD_SIZE], "big")
            if number <= last_nonce or len(command) < OVERHEAD or command[: len(COMMAND_NAME)] != COMMAND_NAME:
                self.error = _what_is_wrong_with(command)
                return
            opened = open_one(command, key)
            if opened is None:
                self.error = _not_authentic()
                return
            self._last_nonce = last_nonce = number
            flags, payload = opened
            if flags & (COMMAND | MORE) == MORE:
                parts.append(payload)
            elif flags or parts:
                self._deliver((flags,), (payload,), out)
            else:
                out.append(payload)


def _what_is_wrong_with(command: Body) -> MechanismError:
    if len(command) <= 1 or len(command) <= command[0]:
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
        return MechanismError(f"malformed command of {len(command)} bytes in place of MESSAGE", code)
    if command[: len(COMMAND_NAME)] != COMMAND_NAME:
        return MechanismError("a command that is no MESSAGE", Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND)
    if len(command) < OVERHEAD:
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE
        return MechanismError(f"MESSAGE of {len(command)} bytes", code)
    code = Event.PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE
    return MechanismError("a MESSAGE that was sent before, or out of order", code)


def _not_authentic() -> MechanismError:
    return MechanismError("a MESSAGE whose box does not open", Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)


class CurveMechanismBase:
    """What the two sides share: the key of the connection, and the counters of both directions."""

    encode_prefix: bytes
    decode_prefix: bytes

    def __init__(self) -> None:
        self.nonces = Nonces()
        # The last one the peer has used.
        self.peer_nonce = -1
        self.precom: Secret | None = None
        # What becomes of it when the handshake is over, per direction.
        self._keys: tuple[BoxKey, ...] = ()

    def next_nonce(self) -> bytes:
        """The next short nonce of ours."""
        return self.nonces.take_each(1)[0]

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
        self._keys = BoxKey(self.precom, self.encode_prefix), BoxKey(self.precom, self.decode_prefix)
        encode_key, decode_key = self._keys
        return CurveEncoder(encode_key, self.nonces, downgrade_sub), CurveDecoder(decoder, decode_key, self.peer_nonce)

    def forget_keys(self) -> None:
        """The connection has ended: overwrite what its messages are sealed with."""
        if self.precom is not None:
            self.precom.wipe()
        for key in self._keys:
            key.wipe()


def cryptographic(reason: str) -> MechanismError:
    """A box that does not open, or is not what it should be."""
    return MechanismError(reason, Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
