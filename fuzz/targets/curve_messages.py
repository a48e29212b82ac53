# SPDX-License-Identifier: MPL-2.0
"""MESSAGE commands of CURVE (mechanisms/curve/base.py), the peer knowing the key.

Any stream gives the messages and commands that were sealed in order, up to the first frame that is altered, repeated,
out of order, too short, no MESSAGE, or no frame; then one error with its monitor event, and nothing more. The same in
any pieces, in runs and one by one, whatever the flags of the frames say. What `CurveEncoder` writes is read the same
way.
"""

from __future__ import annotations

from typing import Any

from fuzz.curve import flip, number, seal
from fuzz.source import BYTEWISE_MAX, Source, bytewise, cut, frame, require, turns, ways
from fuzz.targets.v2_decoder import all_shown, together
from libzmq_py.codecs.decoder import DecodeError
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import Event
from libzmq_py.mechanisms.curve.base import CurveMechanismBase
from libzmq_py.mechanisms.curve.crypto import Secret
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.msg import CANCEL, COMMAND, SUBSCRIBE, Msg

MAX_LEN = 120
TOKENS = (b"\7MESSAGE", b"\0\0\0\0\0\0\0\1")
SEEDS = {
    "one": b"\0\0" + b"\0\5hello",
    "parts": b"\0\0" + b"\1\1a\1\1b\0\1c",
    "command": b"\0\0" + b"\2\6\4PING\0\1",
    "run": b"\0\0" + b"\3\x28\x05",
    "run-long": b"\0\0" + b"\3\x7f\xff" + b"\3\x7f\xe0",
    "run-broken": b"\0\0" + b"\3\x28\5" + b"\4\0\1a" + b"\3\x28\5",
    "gap": b"\0\0" + b"\0\1a" + b"\5\7" + b"\0\1b",
    "repeated": b"\0\0" + b"\0\1a" + b"\6\1\1b",
    "raw": b"\0\0" + b"\7\7MESSAGE",
    "raw-frame": b"\0\0" + b"\x08\0\x08\7MESSAGE",
    "short": b"\0\0" + b"\x09\x0e",
    "limit": b"\0\1" + b"\3\x02\x40",
    "encoder": b"\1\0" + b"\0\5hello" + b"\3\x28\x05" + b"\2\4\4PING" + b"\1\1a\0\1b",
    "large": b"\0\0" + b"\x0a\0" + b"\x0a\1" + b"\x0a\2",
}
_KEY = b"K" * 32
_PREFIX = b"CurveZMQMESSAGEC"
_LIMITS = (-1, 64, 300, 20_000)
_LONGEST = 40_000
_SIZES = (222, 223, 8000, 8191, 8192, 9000, 70_000)


class _Side(CurveMechanismBase):
    """A handshake that is over. It talks to itself, so that what is encoded can be decoded."""

    encode_prefix = decode_prefix = _PREFIX

    def __init__(self) -> None:
        super().__init__()
        self.precom = Secret(_KEY)
        self.peer_nonce = 0


def check(data: bytes) -> None:
    """One input: which side writes, the limit, then messages and defects."""
    source = Source(data)
    if source.flag():
        _check_encoder(source)
        return
    limit = source.pick(_LIMITS)
    stream, sealed, known, whole = _program(source, limit)
    expected = (together(sealed), False) if whole else _decode([stream], limit)
    for message in expected[0]:
        parts = [message] if isinstance(message, bytes) else message[1:] if message[0] == 4 else message
        require(known.issuperset(parts), "messages that nobody has sealed", message)
    for turn in turns(stream, 4 if len(stream) <= BYTEWISE_MAX else 3):
        pieces = bytewise(stream) if turn == 3 else cut(stream, turn) if turn else [stream]
        result = _decode(pieces, limit)
        require(result == expected, "two ways, two results", turn, expected, result)


def _program(source: Source, limit: int) -> tuple[bytes, list[tuple[int, bytes]], set[bytes], bool]:
    """A stream, what was sealed before its first defect, all that was sealed, and whether there is no defect."""
    sealed: list[tuple[int, bytes]] = []
    known: set[bytes] = set()
    stream, nonce, used, whole = b"", 0, 0, True

    def add(flags: int, payload: bytes, alter: bool = False, outer: int = 0) -> None:
        nonlocal stream, nonce, used, whole
        nonce += 1
        used = max(used, nonce)
        box = seal(bytes((flags,)) + payload, _PREFIX + number(nonce), _KEY)
        body = b"\7MESSAGE" + number(nonce) + (flip(box, len(stream)) if alter else box)
        stream += frame(outer, body)
        whole = whole and not alter and (limit < 0 or len(body) <= limit)
        if not alter:
            known.add(payload)
        if whole:
            sealed.append((4, payload) if flags & 2 else (flags & 1, payload))

    while source and len(stream) < _LONGEST:
        kind = source.byte() % 11
        if kind <= 2:
            add(kind, source.chunk())
        elif kind == 3:
            size, byte = source.byte(), source.byte()
            for _ in range(1 + byte // 5):
                add(0, bytes((byte,)) * size)
        elif kind == 4:
            add(source.byte(), source.chunk(), alter=source.flag())
        elif kind == 5:
            nonce += source.byte()
        elif kind == 6:
            nonce -= min(nonce, 1 + source.byte() % 3)
            whole = whole and nonce >= used
            add(0, source.chunk(), outer=source.byte() & 5)
        elif kind == 10:
            add(source.byte() & 1, bytes(source.pick(_SIZES)), outer=2)
        else:
            odd = source.chunk() if kind == 7 else b""
            whole = whole and kind == 7 and not odd
            stream += odd
            if kind == 8:
                stream += frame(source.byte(), source.chunk())
            elif kind == 9:
                stream += frame(0, (b"\7MESSAGE" + number(nonce + 1) + bytes(17))[: source.byte() % 34])
    return stream, sealed, known, whole


def _decode(pieces: list[bytes], limit: int) -> tuple[list[Any], bool]:
    _, decoder = _Side().secure(None, V2Decoder(limit), False)
    out: list[Any] = []
    for piece in pieces:
        out += all_shown(decoder, decoder.decode(piece))
        error = decoder.error
        if error is not None:
            if isinstance(error, MechanismError):
                require(error.protocol_error in _EVENTS, "no event", error.protocol_error)
            else:
                require(isinstance(error, DecodeError), "another error", error)
            require(decoder.decode(b"\0\0\0\0") == [], "messages after an error")
            return out, True
    return out, False


_EVENTS = frozenset(
    {
        Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC,
        Event.PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE,
        Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND,
        Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED,
        Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE,
    }
)


def _check_encoder(source: Source) -> None:
    """Messages, in batches, through the encoder and the decoder."""
    encoder, _ = _Side().secure(None, V2Decoder(-1), source.flag())
    expected: list[Any] = []
    stream = b""
    while source and len(stream) < _LONGEST:
        batch: list[Any] = []
        for _ in range(1 + source.byte() % 20):
            kind = source.byte() % 6
            if kind == 3:
                one = bytes(source.byte())
                batch += [one] * 20
                expected += [one] * 20
                continue
            body = source.chunk()
            if kind == 1:
                batch.append((body, memoryview(body)))
                expected.append((body, body))
            elif kind == 2:
                batch.append(Msg(body, COMMAND))
                expected.append((4, body))
            elif kind == 4:
                batch.append(Msg(body, SUBSCRIBE if body[:1] < b"x" else CANCEL))
                expected.append(None)
            else:
                batch.append(body)
                expected.append(body)
        stream += b"".join(map(bytes, encoder.encode(batch)))
    for pieces in ways(stream):
        messages, failed = _decode(pieces, -1)
        require(not failed and len(messages) == len(expected), "lost", len(messages), len(expected))
        for message, wanted in zip(messages, expected, strict=True):
            require(wanted is None or message == wanted, "another message", message, wanted)
