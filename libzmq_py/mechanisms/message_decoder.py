# SPDX-License-Identifier: MPL-2.0
"""What mechanisms that seal messages share on the way in: MESSAGE commands become messages.

No libzmq twin: there, `curve_mechanism_base.cpp` and `gssapi_mechanism_base.cpp` decode one message at a time, and its
session puts the parts together.
Departs: what a message is, the flags inside alone decide.  With CURVE, libzmq adds those of the frame, which nobody has
sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from libzmq_py.msg import COMMAND, MORE, Frame, Message, Msg, message_of

Body = bytes | memoryview


class BodyDecoder(Protocol):
    """What takes the stream apart into bodies of frames, whatever the flags of the frames say."""

    collector: Any
    error: Any
    gathering: Any

    def feed(self, data: bytes) -> None:
        """Take bytes."""

    def decode(self, data: bytes) -> list[Body]:
        """All whole bodies."""

    def received(self, count: int) -> list[Body]:
        """So many bytes were put into `collector.window()`."""

    def release(self) -> None:
        """The bodies are used."""


class FrameDecoder(Protocol):
    """A decoder of ZMTP 3.x."""

    def bodies(self) -> BodyDecoder:
        """What takes the rest of the stream apart."""


class MessageDecoder:
    """Sans-I/O; see `codecs.decoder.Decoder`. What is no MESSAGE in its turn ends up in `error`."""

    __slots__ = ("_bodies", "_gathering", "_parts", "collector", "error", "has_commands")

    def __init__(self, frames: FrameDecoder) -> None:
        """`frames`: has taken the stream apart so far."""
        self._bodies = frames.bodies()
        self.collector = self._bodies.collector
        # Frames of the multipart message being gathered.
        self._parts: list[Frame] = []
        self._gathering: Any = self._bodies.gathering.fresh()
        self.has_commands = False
        self.error: Exception | None = None

    def _unseal(self, commands: list[Body], out: list[Message]) -> None:
        """Give the commands that are as they should be to `_deliver`, and the first that is not to `error`."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Take bytes for `decode`."""
        self._bodies.feed(data)

    def next_frame(self) -> Msg | None:
        """Never: the handshake is over."""
        raise AssertionError("frames of a handshake are not sealed")

    def decode(self, data: bytes) -> list[Message]:
        """All whole messages in what was fed and `data`."""
        return self._messages(self._bodies.decode(data))

    def received(self, count: int) -> list[Message]:
        """So many bytes were put into `collector.window()`: what is whole now."""
        msgs = self._messages(self._bodies.received(count))
        self._bodies.release()
        return msgs

    def _messages(self, commands: list[Body]) -> list[Message]:
        self.has_commands = False
        out: list[Message] = []
        if self.error is not None:
            return out
        if commands:
            self._unseal(commands, out)
            if self._parts or self._gathering.count:
                too_much = self._gathering.check(self._parts, out)
                if self.error is None:
                    self.error = too_much
        if self.error is None:
            self.error = self._bodies.error
        return out

    def _deliver(self, flags: Sequence[int], payloads: Sequence[bytes], out: list[Message]) -> None:
        """Parts together, commands apart."""
        parts = self._parts
        if not parts and not any(flags):
            out += payloads
            return
        for flag, payload in zip(flags, payloads, strict=True):
            if flag & COMMAND:
                self.has_commands = True
                out.append(Msg(payload, COMMAND))
            elif flag & MORE:
                parts.append(payload)
            elif parts:
                parts.append(payload)
                out.append(message_of(tuple(parts)))
                parts.clear()
            else:
                out.append(payload)
