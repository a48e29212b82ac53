# SPDX-License-Identifier: MPL-2.0
"""No framing: bytes as they come, in messages of at most `in_batch_size` bytes (STREAM, ZMQ_ROUTER_RAW).

Mirrors: src/raw_decoder.cpp, src/raw_decoder.hpp.
Departs: libzmq reads `in_batch_size` bytes at a time and makes each read a message.  Reads here follow the traffic and
may be larger, so they are cut: the user sees messages of the same size, and RCVHWM holds the same amount of memory.
"""

from __future__ import annotations

from libzmq_py.codecs.decoder import DecodeError, FrameCollector
from libzmq_py.msg import Message, Msg


class RawDecoder:
    """Sans-I/O; see `Decoder`."""

    __slots__ = ("_fed", "_size", "collector", "error", "has_commands")

    def __init__(self, in_batch_size: int) -> None:
        """Make messages of at most `in_batch_size` bytes."""
        self._size = in_batch_size
        self._fed = b""
        self.collector = FrameCollector()  # never holds anything: a read is a message
        self.has_commands = False
        self.error: DecodeError | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes for `next_frame`."""
        self._fed += data

    def next_frame(self) -> Msg | None:
        """All that was fed."""
        data, self._fed = self._fed, b""
        return Msg(data) if data else None

    def received(self, count: int) -> list[Message]:
        """Never called: nothing is collected."""
        return []

    def decode(self, data: bytes) -> list[Message]:
        """The bytes as messages."""
        size = self._size
        if len(data) <= size:
            return [data] if data else []
        return [data[start : start + size] for start in range(0, len(data), size)]
