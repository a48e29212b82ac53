# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 2.0, 3.0 and 3.1: flags, size, body (RFC 15, 23, 37).

Mirrors: src/v2_decoder.cpp, src/v2_decoder.hpp, src/v2_protocol.hpp.
Departs: see `decoder.py`.  The frames of a multipart message are gathered here, as pipes carry whole messages.

    flags: 1 MORE, 2 LARGE, 4 COMMAND; other bits are ignored, as libzmq does
    size: one byte, or eight in network order when LARGE is set
"""

from __future__ import annotations

import functools
import struct
from typing import Final

from libzmq_py.codecs.decoder import COMMAND_FLAG, LARGE, LARGE_FLAG, DecodeError, FrameDecoder, msg_flags
from libzmq_py.msg import Message, Msg

_LONG: Final = struct.Struct(">Q")
# Fewer equal frames than this are not worth the check.
_RUN: Final = 64


@functools.lru_cache(maxsize=256)
def _run_struct(size: int) -> struct.Struct:
    """Takes `_RUN` short frames of `size` bytes apart in one call."""
    return struct.Struct(f"2x{size}s" * _RUN)


class V2Decoder(FrameDecoder):
    """Sans-I/O; see `Decoder`."""

    __slots__ = ()

    def next_frame(self) -> Msg | None:
        """One frame, the plain way."""
        data = self.collector.tail
        header = self._header(data, 0)
        if header is None:
            return None
        flags, start, end = header
        if end > len(data):
            return None
        self.collector.tail = data[end:]
        return Msg(data[start:end], msg_flags(flags))

    def _header(self, data: bytes, pos: int) -> tuple[int, int, int] | None:
        """Flags, start and end of the body of the frame at `pos`; None if the header is not whole.

        Raises:
            DecodeError: the size is above the limit; it is compared before a byte of the body is allocated.
        """
        available = len(data) - pos
        if available < 2:
            return None
        flags = data[pos]
        if not flags & LARGE_FLAG:
            start = pos + 2
            size = data[pos + 1]
        elif available < 9:
            return None
        else:
            start = pos + 9
            size = _LONG.unpack_from(data, pos + 1)[0]
        if size > self._limit:
            raise DecodeError(f"frame of {size} bytes is above the limit of {self._limit}")
        return flags, start, start + size

    def decode(self, data: bytes) -> list[Message]:
        """All whole messages.

        Hot path: the receiving I/O thread's whole work per message. A run of short single frames of one size is
        recognised by comparing every n-th byte in C and taken apart by one struct; the loop knows everything else.
        """
        self.has_commands = False
        out: list[Message] = []
        if self.error is not None:
            return out
        collector = self.collector
        if collector.missing:
            body, data = collector.add(data)
            if body is None:
                return out
            self._emit(self._flags, body, out)
        elif collector.tail:
            data = collector.tail + data
            collector.tail = b""
        end = len(data)
        pos = self._decode_run(data, out) if end >= 2 * _RUN and not data[0] and not self._parts else 0
        parts = self._parts
        limit = self._limit
        while pos + 1 < end:
            flags = data[pos]
            size = data[pos + 1]
            if flags & LARGE_FLAG or size > limit:
                try:
                    header = self._header(data, pos)
                except DecodeError as error:
                    self.error = error
                    return out
                if header is None:
                    break
                _, start, stop = header
            else:
                start = pos + 2
                stop = start + size
            if stop > end:
                if stop - end > LARGE:
                    self._begin_large(data[start:], stop - end, flags)
                    return out
                break
            pos = stop
            if not flags & 5:
                if parts:
                    parts.append(data[start:stop])
                    out.append(tuple(parts))
                    parts.clear()
                else:
                    out.append(data[start:stop])
            elif flags & COMMAND_FLAG:
                self.has_commands = True
                out.append(Msg(data[start:stop], msg_flags(flags)))
            else:
                parts.append(data[start:stop])
        if pos < end:
            collector.tail = data[pos:]
        return out

    def _decode_run(self, data: bytes, out: list[Message]) -> int:
        """Take a run of last frames that all have the first one's size; 0 if it is no such run."""
        size = data[1]
        if size > self._limit:
            return 0
        stride = size + 2
        count = len(data) // stride // _RUN * _RUN
        end = count * stride
        if not count or data[0:end:stride].count(0) != count or data[1:end:stride].count(size) != count:
            return 0
        unpack_from = _run_struct(size).unpack_from
        for offset in range(0, end, stride * _RUN):
            out += unpack_from(data, offset)
        return end
