# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 2.0 and 3.0, out (RFC 15, 23).

Mirrors: src/v2_encoder.cpp, src/v2_encoder.hpp.
Departs: the LARGE bit is set after the subscription's prefix byte is counted; libzmq decides before and so sends a
broken frame for a topic of exactly 255 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Final

from libzmq_py.codecs.encoder import Buffer
from libzmq_py.msg import COMMAND, Message, Msg

# A lone frame below this size is copied behind its header.
_COPY_BELOW: Final = 2048
# Below this many messages the loop is as fast.
_FEW: Final = 8
_LARGE_HEADER: Final = struct.Struct(">BQ")


class _Headers(dict[int, bytes]):
    """Size of a body -> header of its frame; made once, then a lookup in C."""

    def __init__(self, flags: int) -> None:
        super().__init__((size, bytes((flags, size))) for size in range(256))
        self._flags = flags

    def __missing__(self, size: int) -> bytes:
        header = _LARGE_HEADER.pack(self._flags | 2, size)
        if len(self) < 4096:  # sizes are the user's: the table must not grow for ever
            self[size] = header
        return header


_LAST: Final = _Headers(0)
_MORE: Final = _Headers(1)
COMMAND_HEADERS: Final = _Headers(4)


class V2Encoder:
    """Sans-I/O; see `Encoder`."""

    __slots__ = ()

    def encode(self, msgs: Sequence[Message]) -> list[Buffer]:
        """The bytes of whole messages.

        Hot path: the sending I/O thread's whole work per message. Messages of one frame and one size need one header,
        so `join` writes them all in C; small ones of any size are chained with their headers, in C too; the loop knows
        everything else.
        """
        if len(msgs) == 1:
            lone = msgs[0]
            if type(lone) is bytes and len(lone) < _COPY_BELOW:
                return [_LAST[len(lone)] + lone]
            if type(lone) is tuple and len(lone) == 2 and type(lone[0]) is bytes and type(lone[1]) is bytes:
                first, last = lone  # most often a request or a reply, with its delimiter
                if len(last) < _COPY_BELOW:
                    return [b"".join((_MORE[len(first)], first, _LAST[len(last)], last))]  # type: ignore[arg-type]
        if len(msgs) > _FEW and set(map(type, msgs)) == {bytes}:
            sizes = set(map(len, msgs))
            if len(sizes) == 1 and len(msgs[0]) < 256:
                header = _LAST[len(msgs[0])]
                return [header + header.join(msgs)]  # type: ignore[arg-type]
            if max(sizes) < _COPY_BELOW:
                headers = map(_LAST.__getitem__, map(len, msgs))
                return [b"".join(chain.from_iterable(zip(headers, msgs, strict=True)))]  # type: ignore[arg-type]
        out: list[Buffer] = []
        for msg in msgs:
            if type(msg) is bytes:
                out += (_LAST[len(msg)], msg)
            elif isinstance(msg, tuple):
                for frame in msg:
                    data = frame.data if isinstance(frame, Msg) else frame
                    out += (_MORE[len(data)], data)
                out[-2] = _LAST[len(out[-1])]
            elif isinstance(msg, Msg):
                self._encode_special(msg, out)
            else:
                out += (_LAST[len(msg)], msg)
        return out

    def _encode_special(self, msg: Msg, out: list[Buffer]) -> None:
        if msg.is_subscribe or msg.is_cancel:
            self._encode_subscription(msg, out)
        else:
            headers = COMMAND_HEADERS if msg.flags & COMMAND else _LAST
            out += (headers[len(msg.data)], msg.data)

    def _encode_subscription(self, msg: Msg, out: list[Buffer]) -> None:
        """A message whose first byte says whether to subscribe (1) or to cancel (0)."""
        body = (b"\1" if msg.is_subscribe else b"\0") + msg.data
        out += (_LAST[len(body)], body)
