# SPDX-License-Identifier: MPL-2.0
"""What encoders share: a batch of messages in, a list of buffers out.

Mirrors: src/encoder.hpp, src/i_encoder.hpp.
Departs: libzmq copies frames into a fixed buffer step by step.  Here a batch becomes a list of headers and bodies, and
the engine joins it (small frames) or hands it to the kernel as it is (large ones), so a body is copied at most once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libzmq_py.msg import Message

Buffer = bytes | memoryview


class Encoder(Protocol):
    """Sans-I/O."""

    def encode(self, msgs: Sequence[Message]) -> list[Buffer]:
        """The bytes of whole messages, in order, in pieces."""
