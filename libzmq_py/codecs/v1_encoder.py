# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 1.0, out (RFC 13).

Mirrors: src/v1_encoder.cpp, src/v1_encoder.hpp.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from libzmq_py.codecs.encoder import Buffer
from libzmq_py.msg import COMMAND, Frame, Message, Msg, frames_of

_LARGE_HEADER: Final = struct.Struct(">BQB")


class V1Encoder:
    """Sans-I/O; see `Encoder`."""

    __slots__ = ()

    def encode(self, msgs: Sequence[Message]) -> list[Buffer]:
        """The bytes of whole messages; commands, which 1.0 does not have, are left out."""
        out: list[Buffer] = []
        for msg in msgs:
            if isinstance(msg, Msg) and (msg.is_subscribe or msg.is_cancel):
                body = (b"\1" if msg.is_subscribe else b"\0") + msg.data
                out += (_header(len(body), 0), body)
            elif not isinstance(msg, Msg) or not msg.flags & COMMAND:
                _append_frames(frames_of(msg), out)
        return out


def _append_frames(frames: tuple[Frame, ...], out: list[Buffer]) -> None:
    last = len(frames) - 1
    for index, frame in enumerate(frames):
        data = frame.data if isinstance(frame, Msg) else frame
        out += (_header(len(data), int(index < last)), data)


def _header(body_size: int, flags: int) -> bytes:
    size = body_size + 1  # the flags count
    return bytes((size, flags)) if size < 255 else _LARGE_HEADER.pack(0xFF, size, flags)
