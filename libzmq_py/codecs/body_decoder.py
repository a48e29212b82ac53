# SPDX-License-Identifier: MPL-2.0
"""Bodies of frames, each by itself: what a mechanism takes that seals messages, and says inside what they are.

No libzmq twin: there, `v2_decoder.cpp` makes a message of each frame, whose flags stay with what CURVE unseals.
Departs: of the flags only LARGE means anything.  Anybody in between can set the others, so MORE here must neither keep
a frame back nor join two, and COMMAND must not move one.

Large bodies are not copied.  While they come, the engine reads into a window, and what is whole in it is given on as
views, to be unsealed before `release`.  Windows belong to whoever reads at the moment rather than to connections, so
their memory is warm, and a connection that waits has none, unless much of a frame has come.  What was unsealed in one
stays in it until it is read into again, as freed memory keeps what was in it.
"""

from __future__ import annotations

from typing import Final

from libzmq_py.codecs.decoder import LARGE, LARGE_FLAG, DecodeError, FrameCollector, keep_pages
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.msg import Msg

Body = bytes | memoryview

# The size of a window: smaller ones cost more hand-overs of the GIL, larger ones the processor's second cache. So many
# are kept for the next who reads: at least as many as there are I/O threads, mostly.
WINDOW: Final = 1 << 19
_KEPT: Final = 4
# From so many bytes on that have come of a frame, the window that they are in is kept for the rest.
_HELD: Final = 1 << 16
# Of bodies and payloads the C library shall not give back to the system and get anew, a fault for each page.
_PAGES_KEPT: Final = 1 << 20
# Fewer bytes than this are not worth a look for a run of equal frames.
_RUN_FROM: Final = 128
_free: Final[list[bytearray]] = []


def _give_back(window: bytearray) -> None:
    if len(_free) < _KEPT:
        _free.append(window)


class BodyCollector(FrameCollector):
    """Keeps what was read of a frame; once large ones have come (`windowed`), they are read into a window.

    Between reads the window is somebody else's: `tail` has what is kept. A peer that announces a frame and sends little
    of it has us keep as little.
    """

    __slots__ = ("_buffer", "_spent", "end", "used", "windowed")

    def __init__(self, tail: bytes) -> None:
        """`tail`: bytes that have come already."""
        super().__init__()
        self.tail = tail
        self.windowed = False
        self._buffer: bytearray | None = None
        # A window that is read into no longer, while there are views of it.
        self._spent: bytearray | None = None
        # Where in the window what is not used yet begins (0 before a read), and ends.
        self.used = self.end = 0

    def window(self) -> memoryview:
        """Where the next bytes go."""
        return self.view()[self.end :] if self.windowed else super().window()

    def view(self) -> memoryview:
        """All of the window."""
        if self._buffer is not None:
            return memoryview(self._buffer)
        try:
            self._buffer = _free.pop()
        except IndexError:
            keep_pages(_PAGES_KEPT)
            self._buffer = bytearray(WINDOW)
        view = memoryview(self._buffer)
        view[: self.end] = self.tail
        self.tail = b""
        return view

    def begin_window(self, frame: bytes) -> None:
        """A large frame has begun; the rest of it, and what follows, is read behind it."""
        self.windowed = self.direct = True
        self.tail = frame
        self.used, self.end = 0, len(frame)
        self.missing = WINDOW - self.end

    def end_window(self) -> bytes:
        """Read as always from now on; what was not used of the window."""
        rest = self.view()[self.used : self.end].tobytes()
        self._spent, self._buffer = self._buffer, None
        self.used = self.end = self.missing = 0
        self.windowed = self.direct = False
        return rest

    def release(self) -> None:
        """There are no more views of the window."""
        if self._spent is not None:
            _give_back(self._spent)
            self._spent = None
        if self._buffer is None:
            return
        view, rest = memoryview(self._buffer), self.end - self.used
        if rest < _HELD:
            self.tail = view[self.used : self.end].tobytes()
            _give_back(self._buffer)
            self._buffer = None
        elif self.used:
            view[:rest] = view[self.used : self.end]
        self.used, self.end = 0, rest
        self.missing = WINDOW - rest


class BodyDecoder(V2Decoder):
    """Sans-I/O; as `Decoder`, but it gives bodies. Those that are views are good until `release`."""

    __slots__ = ()

    collector: BodyCollector

    def __init__(self, frames: V2Decoder) -> None:
        """Go on where `frames` has stopped, which is between two frames."""
        super().__init__(-1)
        self._limit = frames._limit
        self.gathering = frames.gathering
        self.error = frames.error
        self.collector = BodyCollector(frames.collector.tail)

    def next_frame(self) -> Msg | None:
        """Never: the handshake is over."""
        raise AssertionError("a handshake is not taken from here")

    def release(self) -> None:
        """What was given is used."""
        self.collector.release()

    def decode(self, data: bytes) -> list[Body]:  # type: ignore[override]
        """All whole bodies in what was fed and `data`.

        Hot path: as `V2Decoder.decode`.
        """
        out: list[Body] = []
        collector = self.collector
        while collector.windowed and data and self.error is None:
            data = self._add_to_window(data, out)
        if collector.windowed or self.error is not None:
            return out
        if collector.missing:
            data = self._add_to_body(data, out)
        elif collector.tail:
            data = collector.tail + data
            collector.tail = b""
        end = len(data)
        pos = 0
        if end >= _RUN_FROM and data[0] in (0, LARGE_FLAG):
            pos = self._decode_run(data, out)  # type: ignore[arg-type]
        limit = self._limit
        while pos + 1 < end:
            size = data[pos + 1]
            if data[pos] & LARGE_FLAG or size > limit:
                try:
                    header = self._header(data, pos)
                except DecodeError as error:
                    self.error = error
                    return out
                if header is None:
                    break
                _, start, stop = header
                size = stop - start
            else:
                start = pos + 2
                stop = start + size
            if size < LARGE:
                if stop > end:
                    break
                out.append(data[start:stop])
            elif stop <= end:
                out.append(memoryview(data)[start:stop])
            else:
                self._begin(data[pos:], start - pos, stop - pos)
                return out
            pos = stop
        if pos < end:
            collector.tail = data[pos:]
        return out

    def received(self, count: int) -> list[Body]:  # type: ignore[override]
        """So many bytes were put into `collector.window()`.

        Hot path of large frames. Where a small one comes, the rest goes the way of small ones.
        """
        out: list[Body] = []
        collector = self.collector
        if not collector.windowed:
            self._advance(count, out)
            return out
        collector.end += count
        pos, view = 0, collector.view()[: collector.end]
        try:
            header = self._header(view, pos)  # type: ignore[arg-type]
            while header is not None:
                _, start, stop = header
                collector.used = pos
                if stop - start < LARGE:
                    out += self.decode(collector.end_window())
                    return out
                if stop > collector.end:
                    if stop - pos > WINDOW:
                        self._begin(collector.end_window(), start - pos, stop - pos)
                    return out
                out.append(view[start:stop])
                pos = stop
                header = self._header(view, pos)  # type: ignore[arg-type]
        except DecodeError as error:
            self.error = error
        collector.used = pos
        return out

    def _begin(self, data: bytes, start: int, stop: int) -> None:
        """A frame has begun whose body is large, between `start` and `stop`."""
        if stop <= WINDOW:
            self.collector.begin_window(data)
        else:
            self._begin_large(data[start:], stop - len(data), 0)

    def _add_to_window(self, data: bytes, out: list[Body]) -> bytes:
        """Do what a read would; what had no room is left."""
        with self.collector.window() as window:
            count = min(len(window), len(data))
            window[:count] = data[:count]
        out += map(bytes, self.received(count))
        self.release()
        return data[count:]

    def _add_to_body(self, data: bytes, out: list[Body]) -> bytes:
        body, data = self._add_to_large(data)
        if body is not None:
            out.append(body)
        return data

    def _advance(self, count: int, out: list[Body]) -> None:
        try:
            body = self.collector.advance(count)
        except DecodeError as error:
            self.error = error
            return
        if body is not None:
            out.append(body)
