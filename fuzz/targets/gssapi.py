# SPDX-License-Identifier: MPL-2.0
"""GSSAPI, both sides, and what they seal then (mechanisms/gssapi/); contexts of a word in Kerberos' place.

Any commands and any answers of a handler, in any order, give progress or a MechanismError with its event. READY is
reached only with the peer's right tokens and a READY that opens, and where there is a handler, only after it has said
200. Any stream of MESSAGE commands then gives what was sealed, in order, up to the first that is not in its turn; the
same in any pieces.
"""

from __future__ import annotations

from typing import Any

from fuzz.mechanism import Host, accepts, attempt, commands_of, metadata_of, options_of, reply_of
from fuzz.source import Source, frame, require, ways
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.mechanisms.gssapi.base import GssapiDecoder
from libzmq_py.mechanisms.gssapi.client import GssapiClient
from libzmq_py.mechanisms.gssapi.context import ContextError
from libzmq_py.mechanisms.gssapi.server import GssapiServer
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status

MAX_LEN = 200
TOKENS = (b"\x08INITIATE", b"\7MESSAGE", b"\5READY", b"\x0bSocket-Type\0\0\0\3REP", b"\0\0\0\1")
_SERVER = b"\x80\1"  # with a handler
_CLIENT = b"\0\0"
SEEDS = {
    "server": _SERVER + b"\1\0\5\4\0\0\6\0" + b"\0\5hello\1\1a\0\1b\2\5\4PING",
    "server-alone": b"\0\1" + b"\1\0\5\0\6\0" + b"\0\1x\4\1y\5\1z",
    "denied": _SERVER + b"\1\0\5\4\2\0",
    "client": _CLIENT + b"\0\1\0\6\0\0" + b"\0\5hello\3\0",
    "plaintext": b"\0\3" + b"\1\0\5\0\7\0",
    "wrong-token": _SERVER + b"\2\3bad",
    "empty-token": _SERVER + b"\2\0",
    "any": _CLIENT + b"\0\3\x0a\x08INITIATE\0",
    "no-flags": b"\0\1" + b"\1\0\5\0\6\0" + b"\6",
    "replayed": b"\0\1" + b"\1\0\5\0\6\0" + b"\0\1a\7\0\1b",
    "raw": b"\0\1" + b"\1\0\5\0\6\0" + b"\x08\x09\7MESSAGE\0",
}
_TICKET, _ANSWER = b"ticket", b"answer"


class _Context:
    """One token each way; what is sealed begins with its number."""

    initiator = b"alice@ZMQ.TEST"

    def __init__(self, server: bool) -> None:
        self._server = server
        self._received = 0
        self._sent = 0
        self.right = 0
        self.complete = False

    def step(self, token: bytes) -> bytes:
        if self._server:
            return self._end(token == _TICKET, _ANSWER)
        return self._end(token == _ANSWER, b"") if token else _TICKET

    def _end(self, right: bool, token: bytes) -> bytes:
        if not right:
            raise ContextError("defective token")
        self.right += 1
        self.complete = True
        return token

    def wrap(self, plaintext: bytes) -> bytes:
        self._sent += 1
        return sealed(self._sent, plaintext)

    def unwrap(self, token: bytes) -> bytes:
        self._received += 1
        if token[:1] != bytes((self._received & 0xFF,)):
            raise ContextError("not in its turn")
        return token[1:][::-1]


class _Contexts:
    def __init__(self) -> None:
        self.made: list[_Context] = []

    def initiate(self, options: Any) -> _Context:
        self.made.append(_Context(server=False))
        return self.made[-1]

    def accept(self, options: Any) -> _Context:
        self.made.append(_Context(server=True))
        return self.made[-1]


class _Host(Host):
    def encoding_failed(self, error: MechanismError) -> None:
        require(False, "what we seal", str(error))


def sealed(number: int, plaintext: bytes) -> bytes:
    """What a context makes of its message of that number."""
    return bytes((number & 0xFF,)) + plaintext[::-1]


def _message(token: bytes) -> bytes:
    return b"\7MESSAGE" + len(token).to_bytes(4, "big") + token


def check(data: bytes) -> None:
    """One input: options and side, the handshake, then messages."""
    source = Source(data)
    options, host = options_of(source)
    host = _Host(host.handler)
    how = source.byte()
    options.gss_plaintext = bool(how & 2)
    contexts = _Contexts()
    mechanism: Mechanism = (GssapiServer if how & 1 else GssapiClient)(options, host, contexts)
    going, allowed, said, opened = True, False, [], 0
    while source and going and mechanism.status is Status.HANDSHAKING:
        kind = source.byte() % 8
        if kind == 0:
            going = attempt(mechanism, lambda: said.extend(commands_of(mechanism)))
        elif kind == 4:
            reply = reply_of(source)
            host.replies.append(reply)
            if how & 1:
                going = attempt(mechanism, mechanism.zap_msg_available)  # type: ignore[attr-defined]
            host.replies.clear()
            allowed |= accepts(reply) and going and bool(host.requests)
        else:
            command = _command(source, kind, options, bool(how & 1), opened)
            going = attempt(mechanism, lambda command=command: mechanism.process_handshake_command(command))
            opened += command.startswith(b"\7MESSAGE")
    if mechanism.status is not Status.READY:
        return
    require(len(contexts.made) == 1 and contexts.made[0].right == 1, "ready without a token")
    require(not how & 1 or not host.handler or allowed, "ready without a permission")
    require(not options.zap_enforce_domain or not how & 1 or allowed, "ready without a handler")
    if not options.gss_plaintext:
        _check_messages(source)


def _command(source: Source, kind: int, options: Any, server: bool, opened: int) -> bytes:
    """A good token, any, anything, the sign that it is our turn, READY sealed or not."""
    if kind == 1:
        token = _TICKET if server else _ANSWER
    elif kind == 2:
        token = source.chunk()
    elif kind == 3:
        return source.chunk()
    elif kind == 5:
        return b""
    else:
        told = b"\5READY" + metadata_of(source, options.type)
        return told if kind == 7 else _message(sealed(opened + 1, b"\0" + told))
    return b"\x08INITIATE" + len(token).to_bytes(4, "big") + token


def _check_messages(source: Source) -> None:
    stream, expected, whole = bytearray(), [], True
    number = 0
    while source and len(stream) < 20_000:
        kind = source.byte() % 9
        if kind in (3, 7):  # a large one; one that was sent before
            number += kind == 3
            payload = b"x" * (source.byte() * 40)
        elif kind == 6:
            number, payload = number + 1, b""
        else:
            number += kind < 6
            payload = source.chunk()
        flags = {1: 1, 2: 2, 4: 4, 5: 8}.get(kind, 0)
        if kind == 8:
            body = payload
        else:
            body = _message(sealed(number, bytes((flags,)) * (kind != 6) + payload))
        stream += frame(source.byte() & 5 if kind == 7 else 0, body)
        whole = whole and kind < 6
        if whole:
            expected.append((flags, payload))
    told = _told(expected)
    results = [_decoded(way) for way in ways(bytes(stream))]
    for shown, error in results:
        require((shown, error) == results[0], "pieces", shown, results[0][0])
        require(shown[: len(told)] == told[: len(shown)], "messages", shown, told)
        require(error or not whole or shown == told, "lost", shown, told)
        require(not whole or not error, "refused")


def _told(expected: list[tuple[int, bytes]]) -> list[Any]:
    """What a user gets: parts together, commands apart."""
    shown: list[Any] = []
    parts: list[bytes] = []
    for flags, payload in expected:
        if flags in (2, 4, 8):
            name = {4: b"\x09SUBSCRIBE", 8: b"\x06CANCEL"}.get(flags, b"")
            shown.append(("command", name + payload))
            continue
        parts.append(payload)
        if not flags & 1:
            shown.append(tuple(parts))
            parts = []
    return shown


def _decoded(pieces: list[bytes]) -> tuple[list[Any], bool]:
    decoder = GssapiDecoder(V2Decoder(-1), _Context(server=True))
    shown: list[Any] = []
    for piece in pieces:
        for message in decoder.decode(piece):
            if isinstance(message, tuple):
                shown.append(tuple(map(bytes, message)))
            elif isinstance(message, bytes):
                shown.append((message,))
            else:
                shown.append(("command", bytes(message.data)))
        if decoder.error is not None:
            require(isinstance(decoder.error, Exception), "error")
            return shown, True
    return shown, False
