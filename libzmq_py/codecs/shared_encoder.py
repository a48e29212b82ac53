# SPDX-License-Identifier: MPL-2.0
"""What a publisher sends to many subscribers is encoded once.

No libzmq twin: there each session encodes for itself, and only the body is shared.

The engines of a thread ask in turn, each with the batch that its own pipe held.  The batches overlap, and seldom begin
and end alike.  So an encoded batch is kept as a *segment* under its first message: an engine whose batch begins with a
kept segment takes its bytes, and goes on behind it.  After a few rounds all engines cut at the same places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from libzmq_py.codecs.encoder import Buffer, Encoder
from libzmq_py.msg import Message

# Fewer messages are encoded faster than looked up.
_FEW: Final = 8
# Segments that are kept, and what one may hold (bytes): the last ones stay in memory until others follow.
_KEPT: Final = 8
_LARGEST: Final = 1 << 18

Segments = dict[int, tuple[list[Message], list[Buffer]]]
"""By the `id` of the first message, which the segment keeps alive. Belongs to one thread."""


class SharedEncoder:
    """Sans-I/O; see `Encoder`. For engines of one thread that send the same messages, with encoders of one kind."""

    __slots__ = ("_encoder", "_segments")

    def __init__(self, encoder: Encoder, segments: Segments) -> None:
        self._encoder = encoder
        self._segments = segments

    def encode(self, msgs: Sequence[Message]) -> list[Buffer]:
        """The bytes of whole messages.

        Hot path: for all engines but the first the cost of a message is one comparison of two references, in C.
        """
        if len(msgs) < _FEW:
            return self._encoder.encode(msgs)
        out: list[Buffer] = []
        rest = list(msgs)
        while rest:
            known = self._segments.get(id(rest[0]))
            # Equal messages have equal bytes, so it does not matter that one object may be sent many times.
            if known is None or rest[: len(known[0])] != known[0]:
                out += self._encode_new(rest)
                break
            out += known[1]
            del rest[: len(known[0])]
        return out

    def _encode_new(self, msgs: list[Message]) -> list[Buffer]:
        buffers = self._encoder.encode(msgs)
        if len(msgs) >= _FEW and sum(map(len, buffers)) <= _LARGEST:
            while len(self._segments) >= _KEPT:
                del self._segments[next(iter(self._segments))]
            self._segments[id(msgs[0])] = msgs, buffers
        return buffers
