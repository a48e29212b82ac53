# SPDX-License-Identifier: MPL-2.0
"""What decoders share: bytes in, in any pieces, messages out.

Mirrors: src/decoder.hpp, src/i_decoder.hpp.
Departs: libzmq calls a step per field.  A step is a call, and a call costs as much as a small frame's work, so a
decoder here takes all frames of a buffer in one loop; `next_frame` is the plain version, one frame at a time, for
handshakes and for reading.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from libzmq_py.msg import COMMAND, MORE, Frame, Message, Msg

_NO_BODY: Final = memoryview(b"")
MORE_FLAG: Final = 1
LARGE_FLAG: Final = 2
COMMAND_FLAG: Final = 4
# A frame that lacks more than this many bytes is collected in pieces instead of being scanned again; and one of which
# more than that has come, as a peer may send the rest byte by byte.
LARGE: Final = 8192
LONG_TAIL: Final = 4 * LARGE
# A frame that lacks at least this is read into its place; for smaller ones a read that goes beyond its end is better.
DIRECT: Final = 1 << 17
# For a body that has been announced so much memory is taken at once; see `FrameCollector`.
_FIRST_ROOM: Final = 1 << 18
_GROWTH: Final = 4
# Above twice this size the system gives a block the pages that are used, and no others.
_LARGEST_KEPT: Final = 1 << 24
# Some buffers of reads, and what is made of them: see `keep_pages`.
_LEAST_KEPT: Final = 1 << 22
# What MAXMSGSIZE -1 stands for: a size that no memory holds is an error even so.
NO_LIMIT: Final = 2**48
# See `Gathering`; the last is what a frame costs besides its content, about.
_MESSAGE_FACTOR: Final = 64
_MESSAGE_MIN: Final = 1 << 24
_FRAME_COST: Final = 48


class DecodeError(Exception):
    """The peer broke the framing; the connection cannot go on."""


class FrameCollector:
    """Keeps what was read of a frame whose end has not come: the tail of a buffer, or a large body in the making.

    A large body is filled in place, from `add` or straight from the descriptor through `window` and `advance`.
    `BytesIO` gives the finished bytes away without a copy (its buffer is a bytes object, and nobody else holds it).

    A header costs its sender nine bytes, so it is not believed: there is room for `_GROWTH` times as much as has come,
    and for `_FIRST_ROOM` at least. Hot path: for as much as the largest body that has come before, too, so that one
    large message after the other is made in its final size at once.
    """

    __slots__ = ("_body", "_filled", "_largest", "_view", "direct", "missing", "tail")

    def __init__(self) -> None:
        self.tail = b""
        # Bytes that the body lacks; 0 when there is none in the making.
        self.missing = 0
        # The body is so large that the rest of it is best read into its place.
        self.direct = False
        self._body: io.BytesIO | None = None
        self._view = _NO_BODY
        self._filled = 0
        # Of the bodies that have come.
        self._largest = _FIRST_ROOM

    def begin(self, start: bytes, missing: int) -> None:
        """A large body has begun; `missing` bytes of it are still to come.

        Raises:
            DecodeError: there is no memory for it.
        """
        self._filled = len(start)
        self.missing = missing
        self.direct = missing >= DIRECT
        self._make_room(start)

    def _make_room(self, body: bytes | memoryview) -> None:
        """Move what has come of the body to where there is room for more."""
        room = size = self._filled + self.missing
        if size <= 2 * _LARGEST_KEPT:
            room = min(size, max(_GROWTH * self._filled, self._largest))
            keep_pages(room)
        try:
            self._body = io.BytesIO(_maker()(room))
        except MemoryError as error:
            self.missing = 0
            self.direct = False
            raise DecodeError(f"no memory for a frame of {size} bytes") from error
        view = self._body.getbuffer()
        view[: len(body)] = body
        self._view = view

    def window(self) -> memoryview:
        """Where the next bytes of the body go. Never empty while some are missing."""
        return self._view[self._filled :]

    def release(self) -> None:
        """Nothing was put into `window`, and nothing will be for a while: where it is shared, others may have it."""

    def advance(self, count: int) -> bytes | None:
        """So many bytes were put into `window`; the body, once it is whole.

        Raises:
            DecodeError: there is no memory for the rest of it.
        """
        self._filled += count
        self.missing -= count
        if self._body is None:
            return None
        if self.missing:
            if self._filled == len(self._view):
                self._make_room(self._view)
            return None
        self._view = _NO_BODY
        self.direct = False
        body, self._body = self._body.getvalue(), None
        if self._filled > self._largest:
            self._largest = self._filled
        return body

    def add(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The body once it is whole, and what follows it in `data`.

        Raises:
            DecodeError: as `advance`.
        """
        body = None
        while data and self.missing:
            with self.window() as window:
                count = min(len(data), len(window))
                window[:count] = data[:count]
            data = data[count:]
            body = self.advance(count)
        return body, data


class Gathering:
    """How much there is of a multipart message whose end has not come, once MAXMSGSIZE is set.

    Departs: libzmq, which limits frames, takes as many of them as a peer sends.  Here a message may be
    `_MESSAGE_FACTOR` times as large as a frame, and always `_MESSAGE_MIN` bytes.
    """

    __slots__ = ("_limit", "_size", "count")

    def __init__(self, limit: int) -> None:
        """`limit`: of a frame, in bytes."""
        self._limit = max(limit * _MESSAGE_FACTOR, _MESSAGE_MIN) if limit < NO_LIMIT else NO_LIMIT
        # Of the frames seen so far: how many, and their bytes.
        self.count = 0
        self._size = 0

    def fresh(self) -> Gathering:
        """Another one with the same limit."""
        made = Gathering(0)
        made._limit = self._limit
        return made

    def check(self, parts: Sequence[Frame], out: list[Message]) -> DecodeError | None:
        """What is wrong with the message in the making: its frames so far are `parts`; `out` has just become whole."""
        if not parts or (out and not all(type(msg) is Msg for msg in out)):
            self.count = self._size = 0  # a message has ended, so all of these have come since
        self._size += sum(map(len, parts[self.count :]))
        self.count = len(parts)
        size = self._size + self.count * _FRAME_COST
        return DecodeError(f"a message of more than {size} bytes does not end") if size > self._limit else None


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

    def received(self, count: int) -> list[Message]:
        """So many bytes were put into `collector.window()`: what is whole now."""


@functools.cache
def _maker() -> Callable[[int], bytes]:
    """Makes a bytes object of so many bytes, to be filled: what is in it is left from what lay there before.

    Hot path: `bytes(size)` writes zeros, 9 us for 1 MiB, where the copy from the kernel takes 30. It also makes pages
    resident before a byte of the frame has come.
    """
    if sys.implementation.name != "cpython":
        return bytes
    try:
        import ctypes  # a few milliseconds, and most programs have no large frames
    except (ImportError, OSError):
        return bytes  # not built, or no descriptor is left to read it

    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)
    return functools.partial(prototype(("PyBytes_FromStringAndSize", ctypes.pythonapi)), None)


# The largest block that the C library has been seen to get back.
_largest_freed = [0]


def keep_pages(size: int) -> None:
    """Have the C library keep the pages of blocks of this size, once they are freed, for the next ones.

    Hot path: glibc takes blocks from 128 KiB up from the system one by one, and each page of each costs a fault, which
    for a frame of 1 MiB is more than the copy from the kernel. It stops doing so for blocks below the largest that was
    freed, up to 32 MiB, and gives memory back when twice that is free. So free a larger one, once; it is never touched,
    so it costs no pages.
    """
    if _largest_freed[0] <= size <= _LARGEST_KEPT:
        _largest_freed[0] = max(2 * size, _LEAST_KEPT)
        bytes(_largest_freed[0])


class FrameDecoder:
    """What the decoders of ZMTP share: the limit, the frame and the message in the making."""

    __slots__ = ("_flags", "_limit", "_parts", "collector", "error", "gathering", "has_commands")

    def __init__(self, maxmsgsize: int) -> None:
        """Refuse frames above `maxmsgsize` bytes by their header (-1: accept any size)."""
        self._limit = maxmsgsize if maxmsgsize >= 0 else NO_LIMIT
        self.collector = FrameCollector()
        # Flags of the large frame being collected.
        self._flags = 0
        # Frames of the multipart message being gathered; None before the first such message.
        self._parts: list[Frame] | None = None
        self.gathering = Gathering(self._limit)
        self.has_commands = False
        self.error: DecodeError | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes for `next_frame`."""
        self.collector.tail += data

    def received(self, count: int) -> list[Message]:
        """So many bytes were put into `collector.window()`."""
        self.has_commands = False
        out: list[Message] = []
        try:
            body = self.collector.advance(count)
        except DecodeError as error:
            self.error = error
            return out
        if body is not None:
            self._emit(self._flags, body, out)
        if self._parts or self.gathering.count:
            self._check_parts(out)
        return out

    def _add_to_large(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The large body once it is whole, and what follows it in `data`."""
        try:
            return self.collector.add(data)
        except DecodeError as error:
            self.error = error
            return None, b""

    def _check_parts(self, out: list[Message]) -> None:
        """A message that does not end must not grow for ever. Once per read that ends within one."""
        self.error = self.error or self.gathering.check(self._parts or (), out)

    def _begin_large(self, start: bytes, missing: int, flags: int) -> None:
        try:
            self.collector.begin(start, missing)
        except DecodeError as error:
            self.error = error
        self._flags = flags

    def _emit(self, flags: int, body: bytes, out: list[Message]) -> None:
        """A whole frame with the flags of ZMTP 2 and 3: a command, a part of a message, or its end."""
        if flags & COMMAND_FLAG:
            self.has_commands = True
            out.append(Msg(body, msg_flags(flags)))
            return
        parts = self._parts
        if flags & MORE_FLAG:
            if parts is None:
                parts = self._parts = []
            parts.append(body)
        elif parts:
            parts.append(body)
            out.append(tuple(parts))
            parts.clear()
        else:
            out.append(body)


def msg_flags(flags: int) -> int:
    """The flags of a frame as those of a `Msg`."""
    return (MORE if flags & MORE_FLAG else 0) | (COMMAND if flags & COMMAND_FLAG else 0)
