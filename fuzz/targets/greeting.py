# SPDX-License-Identifier: MPL-2.0
"""The greeting of every version, and the handshake up to its first commands (engines/zmtp_engine.py).

Any bytes from a peer that has said nothing yet give a connection or its end, with one word to the session and nothing
left in the poller; the same in any pieces. A socket with security never takes a peer of 1.0 or 2.0.
"""

from __future__ import annotations

import itertools
from typing import Any

from fuzz.memory import Connection, Result, handshake_cuts, split_at
from fuzz.source import BYTEWISE_MAX, Source, bytewise, cut, require, turns
from libzmq_py.constants import SecurityMechanism, SocketType
from libzmq_py.engines.zmtp_engine import Stage
from libzmq_py.options import Options

MAX_LEN = 250
_SIGNATURE = b"\xff\0\0\0\0\0\0\0\1\x7f"
_NULL = b"NULL".ljust(20, b"\0") + bytes(32)
_READY = b"\4\x1e\5READY\x0bSocket-Type\0\0\0\6DEALER"
TOKENS = (_SIGNATURE, b"\3\1" + _NULL, b"\3\0" + _NULL, b"\1\5", b"\0\5", b"PLAIN" + bytes(47), _READY, b"CURVE")
SEEDS = {
    "3.1": b"\0\0\0" + _SIGNATURE + b"\3\1" + _NULL + _READY + b"\0\5hello",
    "3.0": b"\1\0\0" + _SIGNATURE + b"\3\0" + _NULL + _READY + b"\0\5hello",
    "3.9": b"\0\0\0" + _SIGNATURE + b"\x04\x09" + _NULL + _READY + b"\0\5hello",
    "2.0": b"\0\0\0" + _SIGNATURE + b"\1\5" + b"\0\0" + b"\0\5hello\1\1a\0\1b",
    "2.0-id": b"\2\1\0" + _SIGNATURE + b"\1\5" + b"\0\2me" + b"\0\5hello",
    "1.0-greeting": b"\0\0\0" + _SIGNATURE + b"\0\5" + b"\1\0" + b"\6\0hello",
    "1.0": b"\0\0\0" + b"\1\0" + b"\6\0hello" + b"\2\1a\2\0b",
    "1.0-long": b"\0\0\0" + b"\xff\0\0\0\0\0\0\0\6\0hello" + b"\2\0a",
    "1.0-pub": b"\3\0\0" + b"\1\0" + b"\2\0\1",
    "mechanism": b"\0\0\0" + _SIGNATURE + b"\3\1" + b"PLAIN".ljust(20, b"\0") + bytes(32),
    "security": b"\0\1\1" + _SIGNATURE + b"\1\5" + b"\0\0",
    "plain": b"\0\2\0" + _SIGNATURE + b"\3\1" + b"PLAIN".ljust(20, b"\0") + bytes(32) + b"\4\6\5HELLO",
    "curve": b"\0\3\0" + _SIGNATURE + b"\3\1" + b"CURVE".ljust(20, b"\0") + bytes(32) + b"\4\x08\7WELCOME",
    "cut": b"\0\0\0" + _SIGNATURE[:9],
}
_TYPES = (SocketType.ROUTER, SocketType.DEALER, SocketType.REP, SocketType.PUB, SocketType.XPUB, SocketType.PULL)
_MECHANISMS = (SecurityMechanism.NULL, SecurityMechanism.NULL, SecurityMechanism.PLAIN, SecurityMechanism.CURVE)


def check(data: bytes) -> None:
    """One input: type, mechanism, other options, then what the peer sends."""
    source = Source(data)
    type_, mechanism, more = source.pick(_TYPES), source.pick(_MECHANISMS), source.byte()
    options = Options()
    options.type = type_
    options.mechanism = mechanism
    options.recv_routing_id = type_ in (SocketType.ROUTER, SocketType.REP)
    options.routing_id = b"me" if more & 2 else b""
    options.maxmsgsize = 40 if more & 4 else -1
    options.as_server = bool(more & 8)
    options.handshake_ivl = 0 if more & 16 else 30_000
    zap_enabled = bool(more & 1) or mechanism != SecurityMechanism.NULL
    compare(options, source.rest(), zap_enabled=zap_enabled)


def compare(options: Options, stream: bytes, *, ready_after: int = 0, **how: Any) -> Result:
    """Give one stream to several engines, each in other pieces; what they all make of it.

    Args:
        options: of the socket.
        stream: what the peer sends.
        ready_after: so many bytes are a handshake that is known to be good.
        how: see `Connection`.
    """
    first = Connection(options, **how)
    first.feed(stream[:ready_after])
    if first.engine._stage is Stage.READY:
        cuts = [ready_after]
        first.feed(stream[ready_after:])
        others = [_places(stream, ready_after, salt) for salt in turns(stream, 4)]
    else:
        cuts = [ready_after] if ready_after else []
        cuts += [ready_after + place for place in handshake_cuts(first, stream[ready_after:])]
        last = cuts[-1] if cuts else 0
        others = [_places(stream, last, salt) if salt else [] for salt in turns(stream, 2)]
    expected = first.end()
    require(expected.ready <= 1, "ready twice")
    if how.get("zap_enabled"):
        modern = len(stream) > 10 and stream[0] == 0xFF and stream[9] & 1 and stream[10] > 1
        require(modern or not expected.ready, "an old peer is taken by a socket with security")
    for places in others:
        connection = Connection(options, **how)
        for piece in split_at(stream, [*cuts, *places]):
            connection.feed(piece)
        result = connection.end()
        require(_stripped(result) == _stripped(expected), "two ways, two results", places, expected, result)
    return expected


def _places(stream: bytes, start: int, salt: int) -> list[int]:
    """Where to cut what follows `start`; at every byte if `salt` is 0 and there are few."""
    rest = stream[start:]
    pieces = bytewise(rest) if not salt and len(rest) <= BYTEWISE_MAX else cut(rest, salt)
    return list(itertools.accumulate(map(len, pieces), initial=start))[1:]


def _stripped(result: Result) -> Result:
    """Keys are made anew for each connection, so what CURVE says differs; its amount does not."""
    return result._replace(sent=result.sent[:64] + bytes(len(result.sent[64:])))
