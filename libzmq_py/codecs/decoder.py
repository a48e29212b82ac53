# SPDX-License-Identifier: MPL-2.0
"""What decoders share: bytes in, in any pieces, messages out.

Mirrors: src/decoder.hpp, src/i_decoder.hpp.
Departs: libzmq calls a step per field.  A step is a call, and a call costs as much as a small frame's work, so a
decoder here takes all frames of a buffer in one loop; `next_frame` is the plain version, one frame at a time, for
handshakes and for reading.
"""

from __future__ import annotations

from typing import Final, Protocol

from libzmq_py.msg import Message, Msg

# A frame that lacks more than this many bytes is collected in pieces instead of being scanned again.
LARGE: Final = 8192
# What MAXMSGSIZE -1 stands for: a size that no memory holds is an error even so.
NO_LIMIT: Final = 2**48


class DecodeError(Exception):
    """The peer broke the framing; the connection cannot go on."""


class FrameCollector:
    """Keeps what was read of a frame whose end has not come: the tail of a buffer, or pieces of a large body."""

    __slots__ = ("missing", "pieces", "tail")

    def __init__(self) -> None:
        self.tail = b""
        self.pieces: list[bytes] = []
        self.missing = 0

    def begin(self, start: bytes, missing: int) -> None:
        """A large body has begun; `missing` bytes of it are still to come."""
        self.pieces = [start]
        self.missing = missing

    def add(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The body once it is whole, and what follows it in `data`."""
        if len(data) < self.missing:
            self.pieces.append(data)
            self.missing -= len(data)
            return None, b""
        self.pieces.append(data if len(data) == self.missing else data[: self.missing])
        rest = data[self.missing :]
        body = b"".join(self.pieces)
        self.pieces = []
        self.missing = 0
        return body, rest


class Decoder(Protocol):
    """Sans-I/O. After a DecodeError only the error is left."""

    has_commands: bool
    error: DecodeError | None
    # What was read of a frame whose end has not come; `missing` is a hint for the size of the next read.
    collector: FrameCollector

    def feed(self, data: bytes) -> None:
        """Take bytes for `next_frame`."""

    def next_frame(self) -> Msg | None:
        """One frame with its flags (MORE, COMMAND), or None until more bytes come.

        Raises:
            DecodeError: the peer broke the framing.
        """

    def decode(self, data: bytes) -> list[Message]:
        """All whole messages in what was fed and `data`.

        An error ends the list and stays in `error`; `has_commands` tells whether the list holds command frames (Msg).
        """
