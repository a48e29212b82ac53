# SPDX-License-Identifier: MPL-2.0
"""No framing: the bytes of messages as they are (STREAM, ZMQ_ROUTER_RAW).

Mirrors: src/raw_encoder.cpp, src/raw_encoder.hpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from libzmq_py.codecs.encoder import Buffer
from libzmq_py.msg import Message, Msg, frames_of


class RawEncoder:
    """Sans-I/O; see `Encoder`."""

    __slots__ = ()

    def encode(self, msgs: Sequence[Message]) -> list[Buffer]:
        """The bytes of the frames, one after another."""
        return [
            frame.data if isinstance(frame, Msg) else frame for msg in msgs for frame in frames_of(msg)
        ]
