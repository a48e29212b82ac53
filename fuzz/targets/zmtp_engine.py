# SPDX-License-Identifier: MPL-2.0
"""The whole engine of ZMTP: a valid beginning, then anything (engines/zmtp_engine.py, stream_engine_base.py).

Any frames behind any version's greeting and handshake give messages, answers, or the end of the connection; the same in
any pieces, also when the session takes only a few messages at a time, and without a byte kept after the end. For a
kernel that takes no more, the answers to one read and 256 wait at most. Timers may expire at any end.
"""

from __future__ import annotations

from fuzz.memory import Connection
from fuzz.source import Source, frame, require
from fuzz.targets.greeting import compare
from libzmq_py.constants import SocketType
from libzmq_py.options import Options

MAX_LEN = 250
_SIGNATURE = b"\xff\0\0\0\0\0\0\0\1\x7f"
_NULL = b"NULL".ljust(20, b"\0") + bytes(32)
_GREETINGS = (
    _SIGNATURE + b"\3\1" + _NULL,
    _SIGNATURE + b"\3\0" + _NULL,
    _SIGNATURE + b"\1\5" + b"\0\2me",
    _SIGNATURE + b"\0\5" + b"\3\0me",
    b"\3\0me",
    _SIGNATURE + b"\3\1" + _NULL,
)
_PEERS = {
    SocketType.ROUTER: b"DEALER",
    SocketType.DEALER: b"REP",
    SocketType.PULL: b"PUSH",
    SocketType.XPUB: b"XSUB",
    SocketType.PUB: b"SUB",
    SocketType.SUB: b"PUB",
    SocketType.PAIR: b"PAIR",
    SocketType.REP: b"REQ",
}
_TYPES = tuple(_PEERS)
_SUBSCRIBE, _CANCEL, _PING, _PONG = b"\x09SUBSCRIBE", b"\x06CANCEL", b"\4PING", b"\4PONG"
_MOST_ANSWERS = 256
TOKENS = (_SUBSCRIBE, _CANCEL, _PING + b"\0\1", _PONG, b"\5READY", b"\5ERROR", b"\0\0\0\0\0\0\0\x09", b"\0" * 8)
SEEDS = {
    "messages": b"\0\0\0" + b"\0\5hello\1\1a\0\1b",
    "3.0": b"\1\1\0" + b"\0\5hello",
    "2.0": b"\2\2\0" + b"\0\5hello\1\1a\0\1b",
    "1.0": b"\3\1\0" + b"\1\5hello",
    "unversioned": b"\4\2\0" + b"\1\5hello",
    "subscribe": b"\0\3\2" + b"\5\1T\6\1T\7\4TTTT",
    "ping": b"\0\0\2" + b"\2\2\0\1\2\6\0\1hello\3\0",
    "ping-malformed": b"\0\0\2" + b"\0\5hello\2\1\0",
    "slow": b"\0\2\x0a" + b"\0\1a" * 9,
    "deaf": b"\0\0\x12" + b"\4\x7f\x7f" * 3,
    "limit": b"\0\0\x42" + b"\0\x30" + b"x" * 48,
    "error": b"\5\0\0" + b"\4\6\5ERROR",
    "raw": b"\0\0\1" + b"\0\5hello\4\7\4PING\0\1\2\0\0\0\0\0\0\0\1x\7\0",
    "big": b"\0\2\2" + b"\x08\3",
}


def check(data: bytes) -> None:
    """One input: version, type, how (raw or operations, slow session, deaf kernel, timers, limit), then the traffic."""
    source = Source(data)
    version, type_, how = source.byte() % len(_GREETINGS), source.pick(_TYPES), source.byte()
    options = Options()
    options.type = type_
    options.recv_routing_id = type_ in (SocketType.ROUTER, SocketType.REP)
    options.maxmsgsize = 40 if how & 64 else -1
    options.heartbeat_interval = 1000 if how & 32 else 0
    options.handshake_ivl = 30_000
    stream = _GREETINGS[version]
    if version < 2:
        stream += frame(4, b"\5READY\x0bSocket-Type" + len(_PEERS[type_]).to_bytes(4, "big") + _PEERS[type_])
    traffic = _operations(source, version) if how & 2 else source.rest()
    step = 1 + (how >> 7) * 2 if how & 8 else 0
    if how & 16:
        _check_deaf(options, stream, traffic)
    elif how & 4:
        _check_timers(options, stream, traffic)
    else:
        compare(options, stream + traffic, step=step, ready_after=len(stream))


def _operations(source: Source, version: int) -> bytes:
    """Frames that are well-formed, of commands and messages."""
    traffic = b""
    while source and len(traffic) < 8000:
        kind = source.byte() % 9
        if kind == 8:
            traffic += _frame(version, source.byte() & 7, bytes(source.byte() * 1000))
            continue
        if kind == 4:
            times = source.byte()
            traffic += frame(4, _PING + b"\0\1" + bytes(source.byte() % 20)) * min(times, 255)
            continue
        body = source.chunk()
        flags = 1 if kind == 1 else 0
        if kind in (2, 3, 5, 6, 7):
            flags, body = 4, {2: _PING, 3: _PONG, 5: _SUBSCRIBE, 6: _CANCEL, 7: b""}[kind] + body
        traffic += _frame(version, flags, body)
    return traffic


def _frame(version: int, flags: int, body: bytes) -> bytes:
    if version in (3, 4):
        size = len(body) + 1
        return (bytes((size,)) if size < 255 else b"\xff" + size.to_bytes(8, "big")) + bytes((flags,)) + body
    return frame(flags, body)


def _check_deaf(options: Options, stream: bytes, traffic: bytes) -> None:
    """The kernel takes what the handshake needs and no more: what waits must not grow without an end."""
    connection = Connection(options, room=150)
    connection.feed(stream)
    connection.feed(traffic)
    engine = connection.engine
    require(len(engine._control) <= _MOST_ANSWERS, "answers that wait", len(engine._control))
    require(sum(map(len, engine._out)) <= len(traffic) + 300, "bytes that wait", sum(map(len, engine._out)))
    connection.end()


def _check_timers(options: Options, stream: bytes, traffic: bytes) -> None:
    """Timers expire at the start, in the middle and at the end."""
    connection = Connection(options)
    half = len(traffic) // 2
    for piece in (stream, traffic[:half], traffic[half:]):
        connection.feed(piece)
        connection.expire()
    connection.end()
