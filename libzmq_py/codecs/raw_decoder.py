# SPDX-License-Identifier: MPL-2.0
"""No framing: what one read gives is one message (STREAM, ZMQ_ROUTER_RAW).

Mirrors: src/raw_decoder.cpp, src/raw_decoder.hpp.
"""

from __future__ import annotations

from libzmq_py.codecs.decoder import DecodeError, FrameCollector
from libzmq_py.msg import Message, Msg


class RawDecoder:
    """Sans-I/O; see `Decoder`."""

    __slots__ = ("_fed", "collector", "error", "has_commands")

    def __init__(self) -> None:
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
        """The bytes as one message."""
        return [data] if data else []
