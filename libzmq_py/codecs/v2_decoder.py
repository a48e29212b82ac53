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
from typing import TYPE_CHECKING, Final

from libzmq_py.codecs.decoder import COMMAND_FLAG, LARGE, LARGE_FLAG, LONG_TAIL, DecodeError, FrameDecoder, msg_flags
from libzmq_py.msg import Message, Msg

if TYPE_CHECKING:
    from libzmq_py.codecs.body_decoder import BodyDecoder

_LONG: Final = struct.Struct(">Q")
# Frames taken apart in one call: short ones, and those with the long header. Fewer are not worth the check.
_RUN: Final = 64
_LONG_RUN: Final = 16
_LONG_HEADER: Final = 9
# Above this size (bytes) the frames of a read are so few that there is nothing to gain.
_LONG_RUN_MAX: Final = 8192


@functools.lru_cache(maxsize=256)
def _run_struct(header: int, size: int, count: int) -> struct.Struct:
    """Takes `count` frames of `size` bytes, behind headers of `header` bytes, apart in one call."""
    return struct.Struct(f"{header}x{size}s" * count)


class V2Decoder(FrameDecoder):
    """Sans-I/O; see `Decoder`."""

    __slots__ = ()

    def bodies(self) -> BodyDecoder:
        """What takes the rest of the stream apart where frames are sealed. Nothing more can be taken from here."""
        from libzmq_py.codecs.body_decoder import BodyDecoder

        return BodyDecoder(self)

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

        Hot path: the receiving I/O thread's whole work per message. A run of single frames of one size is recognised by
        comparing every n-th byte in C and taken apart by one struct; the loop knows everything else.
        """
        self.has_commands = False
        out: list[Message] = []
        if self.error is not None:
            return out
        collector = self.collector
        if collector.missing:
            body, data = self._add_to_large(data)
            if body is None:
                return out
            self._emit(self._flags, body, out)
        elif collector.tail:
            data = collector.tail + data
            collector.tail = b""
        end = len(data)
        pos = self._decode_run(data, out) if end >= 2 * _RUN and data[0] in (0, LARGE_FLAG) and not self._parts else 0
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
                if stop - end > LARGE or end - start > LONG_TAIL:
                    self._begin_large(data[start:], stop - end, flags)
                    pos = end
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
                if parts is None:
                    parts = self._parts = []
                parts.append(data[start:stop])
        if pos < end:
            collector.tail = data[pos:]
        if parts or self.gathering.count:
            self._check_parts(out)
        return out

    def _decode_run(self, data: bytes, out: list[Message]) -> int:
        """Take a run of last frames that all have the first one's size; 0 if it is no such run."""
        header, size, run = 2, data[1], _RUN
        if data[0]:
            header, size, run = _LONG_HEADER, _LONG.unpack_from(data, 1)[0], _LONG_RUN
        if size > self._limit or size > _LONG_RUN_MAX:
            return 0
        stride = header + size
        count = len(data) // stride // run * run
        end = count * stride
        if not count:
            return 0
        for index in range(header):
            if data[index:end:stride].count(data[index]) != count:
                return 0
        unpack_from = _run_struct(header, size, run).unpack_from
        for offset in range(0, end, stride * run):
            out += unpack_from(data, offset)
        return end
