# SPDX-License-Identifier: MPL-2.0
"""No framing (codecs/raw_decoder.py).

The messages, none of them empty or above the size asked for, are the bytes that came, in order, however they came.
"""

from __future__ import annotations

from fuzz.source import Source, require, ways
from libzmq_py.codecs.raw_decoder import RawDecoder

MAX_LEN = 200
TOKENS = ()
SEEDS = {"empty": b"", "cut": b"\x03hello world", "whole": b"\xffhello"}


def check(data: bytes) -> None:
    """One input: the size, then the stream."""
    source = Source(data)
    size = 1 + source.byte()
    stream = source.rest()
    for pieces in ways(stream):
        decoder = RawDecoder(size)
        messages = [message for piece in [*pieces, b""] for message in decoder.decode(piece)]
        require(b"".join(bytes(message) for message in messages) == stream, "other bytes")
        require(all(0 < len(message) <= size for message in messages), "sizes", list(map(len, messages)))
        require(decoder.error is None and not decoder.has_commands, "an error")
        fed = RawDecoder(size)
        for piece in pieces:
            fed.feed(piece)
        frame = fed.next_frame()
        require((frame.data if frame is not None else b"") == stream, "next_frame gives other bytes")
        require(fed.next_frame() is None, "bytes twice")
