# SPDX-License-Identifier: MPL-2.0
"""The engine without a protocol (engines/raw_engine.py, stream_engine_base.py).

Any bytes come through as they are, in messages of at most IN_BATCH_SIZE bytes, between the two empty messages that tell
of the connection and its end; also to a session that takes few at a time.
"""

from __future__ import annotations

from fuzz.memory import Connection
from fuzz.source import Source, require, ways
from libzmq_py.constants import SocketType
from libzmq_py.engines.raw_engine import RawEngine
from libzmq_py.options import Options

MAX_LEN = 100
TOKENS = ()
SEEDS = {
    "bytes": b"\0\0hello",
    "quiet": b"\1\0hello",
    "slow": b"\2\3" + b"hello" * 19,
    "empty": b"\0\0",
    "repeated": b"\4\5" + b"hello",
}


def check(data: bytes) -> None:
    """One input: how (notification, slow session, repeated bytes), the size, then the bytes."""
    source = Source(data)
    how, size = source.byte(), 1 + source.byte()
    stream = source.rest() * (10 if how & 4 else 1)
    options = Options()
    options.type = SocketType.STREAM
    options.raw_socket = True
    options.raw_notify = not how & 1
    options.in_batch_size = size
    for pieces in ways(stream):
        connection = Connection(options, engine_class=RawEngine, step=3 if how & 2 else 0)
        for piece in pieces:
            connection.feed(piece)
        connection.session.room = 1 << 30
        received = connection.end().received
        if options.raw_notify:
            require(received[:1] == [b""] and received[-1:] == [b""] and len(received) > 1, "not told", received)
            received = received[1:-1]
        require(b"".join(received) == stream, "other bytes")
        require(all(0 < len(message) <= size for message in received), "sizes")
