# SPDX-License-Identifier: MPL-2.0
"""The engine with a mechanism that asks a ZAP handler (engines/zmtp_engine.py): NULL, PLAIN and CURVE servers.

Any commands of a peer that knows all keys, any answers of a handler, at any time, and timers that expire give messages
or the end of the connection. Nothing is received, and the socket does not get to know of the peer, before the handler
has said 200; secrets are in no reason of a failure; nothing is left after the end.
"""

from __future__ import annotations

from typing import Any

from fuzz.curve import CLIENT, CONNECTION, SERVER, flip, number, public, seal, shared, unseal
from fuzz.mechanism import SECRET, accepts, metadata_of, reply_of
from fuzz.memory import Connection
from fuzz.source import Source, frame, require
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import SecurityMechanism, SocketType
from libzmq_py.options import Options

MAX_LEN = 120
TOKENS = (b"\5READY", b"\5HELLO", b"\x08INITIATE", b"\7MESSAGE", b"\5ERROR")
SEEDS = {
    "null": b"\0" + b"\3\0" + b"\0\0" + b"\4\5hello",
    "null-refused": b"\0" + b"\0\0" + b"\3\2" + b"\5",
    "null-later": b"\0" + b"\0\0" + b"\3\1",
    "null-gone": b"\0" + b"\0\0" + b"\3\x0b",
    "plain": b"\1" + b"\1\0" + b"\3\0" + b"\2\0\0" + b"\4\5hello",
    "plain-refused": b"\1" + b"\1\0" + b"\3\2" + b"\5",
    "curve": b"\2" + b"\1\0" + b"\2\0\0" + b"\3\0" + b"\4\5hello",
    "curve-flipped": b"\2" + b"\1\0" + b"\2\0\0" + b"\3\0" + b"\4\5hello" + b"\6\7\1x",
    "curve-cookie": b"\2" + b"\1\0" + b"\5" + b"\2\0\0",
    "curve-refused": b"\2" + b"\1\0" + b"\2\0\0" + b"\3\2" + b"\5",
    "silent": b"\2" + b"\5\5",
    "raw": b"\0" + b"\7\x0a\4\x08\7UNKNOWN",
    "twice": b"\0" + b"\3\0" + b"\0\0" + b"\3\0",
}
_NAMES = (b"NULL", b"PLAIN", b"CURVE")
_MECHANISMS = (SecurityMechanism.NULL, SecurityMechanism.PLAIN, SecurityMechanism.CURVE)


def check(data: bytes) -> None:
    """One input: the mechanism, then what happens."""
    source = Source(data)
    which = source.byte() % 3
    options = Options()
    options.type = SocketType.ROUTER
    options.recv_routing_id = True
    options.mechanism = _MECHANISMS[which]
    options.as_server = which > 0
    options.zap_domain = b"domain"
    options.handshake_ivl = 30_000
    options.curve_secret_key, options.curve_public_key = SERVER, public(SERVER)
    peer = _Peer(options, which)
    while source and peer.connection.plugged:
        peer.act(source)
    result = peer.connection.end()
    require(peer.allowed or not (result.ready or result.received or result.routing_ids), "let in by nobody", result)
    text = repr(result.failures)
    require(SECRET.decode() not in text and repr(SERVER)[2:-1] not in text, "a secret in a failure", text)


class _Peer:
    """What is at the other end, and the handler."""

    def __init__(self, options: Options, which: int) -> None:
        self.connection = Connection(options, zap_enabled=True, zap_replies=[])
        self.allowed = False
        self._which = which
        self._nonce = 0
        self._key = b""
        mechanism = _NAMES[which].ljust(20, b"\0")
        self.connection.feed(b"\xff\0\0\0\0\0\0\0\1\x7f\3\1" + mechanism + bytes(32))

    def act(self, source: Source) -> None:
        """One thing that happens."""
        kind = source.byte() % 8
        if kind == 3:
            self._answer(reply_of(source))
        elif kind == 5:
            self.connection.expire()
        elif kind == 7:
            self.connection.feed(source.chunk())
        elif kind in (4, 6):
            self._send(source, altered=kind == 6)
        else:
            command = (self._ready, self._hello, self._initiate)[kind](source)
            self.connection.feed(frame(4, command))

    def _answer(self, reply: Any) -> None:
        session = self.connection.session
        session.zap_replies.append(reply)
        asked = bool(session.zap_requests)
        self.connection.engine.zap_msg_available()
        # An answer before the question lies there until it is asked for.
        self.allowed |= accepts(reply)
        require(asked or not session.received, "received before anybody was asked")

    def _ready(self, source: Source) -> bytes:
        return b"\5READY" + metadata_of(source, SocketType.ROUTER)

    def _hello(self, source: Source) -> bytes:
        where = source.byte()
        if self._which == 1:
            return b"\5HELLO\4user" + bytes((len(SECRET) + where % 2,)) + SECRET
        box = seal(bytes(64), b"CurveZMQHELLO---" + number(1), shared(public(SERVER), CONNECTION))
        box = flip(box, where) if where else box
        return b"\5HELLO\1\0" + bytes(72) + public(CONNECTION) + number(1) + box

    def _initiate(self, source: Source) -> bytes:
        where = source.byte()
        metadata = metadata_of(source, SocketType.ROUTER)
        if self._which != 2:
            return b"\x08INITIATE" + metadata
        server, cookie = self._welcome()
        vouch = seal(public(CONNECTION) + public(SERVER), b"VOUCH---" + bytes(16), shared(server, CLIENT))
        self._key, self._nonce = shared(server, CONNECTION), 2
        content = public(CLIENT) + bytes(16) + vouch + metadata
        box = seal(content, b"CurveZMQINITIATE" + number(2), self._key)
        return b"\x08INITIATE" + cookie + number(2) + (flip(box, where) if where else box)

    def _welcome(self) -> tuple[bytes, bytes]:
        """S' and the cookie, if the server has sent them."""
        for said in V2Decoder(-1).decode(bytes(self.connection.sock.sent[64:])):
            command = bytes(said)  # type: ignore[arg-type]
            if command.startswith(b"\7WELCOME"):
                content = unseal(command[24:], b"WELCOME-" + command[8:24], shared(public(SERVER), CONNECTION))
                return content[:32], content[32:]
        return public(CLIENT), bytes(96)

    def _send(self, source: Source, altered: bool) -> None:
        where = source.byte() if altered else 0
        payload = source.chunk()
        if self._key:
            self._nonce += 1
            box = seal(b"\0" + payload, b"CurveZMQMESSAGEC" + number(self._nonce), self._key)
            payload = b"\7MESSAGE" + number(self._nonce) + (flip(box, where) if altered else box)
        self.connection.feed(frame(0, payload))
