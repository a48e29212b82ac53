# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 3.1, out (RFC 37): as 3.0, but subscriptions are commands.

Mirrors: src/v3_1_encoder.cpp, src/v3_1_encoder.hpp.
"""

from __future__ import annotations

from libzmq_py.codecs.encoder import Buffer
from libzmq_py.codecs.v2_encoder import COMMAND_HEADERS, V2Encoder
from libzmq_py.msg import Msg


class V31Encoder(V2Encoder):
    """Sans-I/O; see `Encoder`."""

    __slots__ = ()

    def _encode_subscription(self, msg: Msg, out: list[Buffer]) -> None:
        body = (b"\x09SUBSCRIBE" if msg.is_subscribe else b"\x06CANCEL") + msg.data
        out += (COMMAND_HEADERS[len(body)], body)
