# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 1.0: size (counting the flags), flags, body (RFC 13).

Mirrors: src/v1_decoder.cpp, src/v1_decoder.hpp.
Departs: see `decoder.py`.

    size: one byte, or ff and eight bytes in network order; flags: 1 MORE
"""

from __future__ import annotations

import struct
from typing import Final

from libzmq_py.codecs.decoder import LARGE, LONG_TAIL, MORE_FLAG, DecodeError, FrameDecoder
from libzmq_py.msg import MORE, Message, Msg

_LONG: Final = struct.Struct(">Q")


class V1Decoder(FrameDecoder):
    """Sans-I/O; see `Decoder`. No hot path: peers that speak 1.0 are older than 2012."""

    __slots__ = ()

    def next_frame(self) -> Msg | None:
        """One frame, the plain way."""
        data = self.collector.tail
        header = self._header(data, 0)
        if header is None or header[2] > len(data):
            return None
        flags, start, end = header
        self.collector.tail = data[end:]
        return Msg(data[start:end], flags & MORE)

    def _header(self, data: bytes, pos: int) -> tuple[int, int, int] | None:
        """Flags, start and end of the body of the frame at `pos`; None if size and flags are not whole.

        Raises:
            DecodeError: size 0, or above the limit.
        """
        available = len(data) - pos
        if available < 1:
            return None
        size, start = data[pos], pos + 1
        if size == 0xFF:
            if available < 9:
                return None
            size, start = _LONG.unpack_from(data, pos + 1)[0], pos + 9
        if size == 0:
            raise DecodeError("ZMTP 1.0 frame of size 0, which lacks its flags")
        if size - 1 > self._limit:
            raise DecodeError(f"frame of {size - 1} bytes is above the limit of {self._limit}")
        if start >= len(data):
            return None
        return data[start], start + 1, start + size

    def decode(self, data: bytes) -> list[Message]:
        """All whole messages."""
        out: list[Message] = []
        if self.error is not None:
            return out
        collector = self.collector
        if collector.missing:
            body, data = self._add_to_large(data)
            if body is None:
                return out
            self._emit(self._flags, body, out)
        else:
            data = collector.tail + data
            collector.tail = b""
        pos = 0
        while True:
            try:
                header = self._header(data, pos)
            except DecodeError as error:
                self.error = error
                return out
            if header is None:
                break
            flags, start, end = header
            if end > len(data):
                if end - len(data) > LARGE or len(data) - start > LONG_TAIL:
                    self._begin_large(data[start:], end - len(data), flags & MORE_FLAG)
                    pos = len(data)
                break
            self._emit(flags & MORE_FLAG, data[start:end], out)
            pos = end
        collector.tail = data[pos:]
        self._check_parts(out)
        return out
