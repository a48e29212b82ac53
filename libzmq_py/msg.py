# SPDX-License-Identifier: MPL-2.0
"""What travels through pipes, encoders and decoders.

Mirrors: src/msg.cpp, src/msg.hpp.
Departs: libzmq's msg_t is one struct per frame.  A Python object per frame costs more than everything else a message
costs, so a pipe carries, in this order of frequency:

    bytes                 a message of one frame
    tuple of frames       a message of several frames, as one unit
    Msg                   anything with something to say: a flag, a release hook, a draft property

Flags say what an item is; MORE needs none, as a tuple's frames are followed by each other.  What is the same for all
messages of a connection (metadata, peer address) hangs on the pipe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

MORE: Final = 1  # on the wire and between decoder and mechanism only
COMMAND: Final = 2
PING: Final = 4
PONG: Final = 8
SUBSCRIBE: Final = 12
CANCEL: Final = 16
CLOSE_CMD: Final = 20
CMD_TYPE_MASK: Final = 0x1C  # a field, to be compared for equality, not a set of bits
CREDENTIAL: Final = 32
ROUTING_ID: Final = 64


class Msg:
    """A frame that is more than its bytes. `data` is bytes or a byte-shaped, contiguous memoryview."""

    __slots__ = ("_release", "data", "flags", "group", "routing_id")

    def __init__(
        self,
        data: bytes | memoryview = b"",
        flags: int = 0,
        release: Callable[[], Any] | None = None,
        routing_id: int = 0,
        group: str = "",
    ) -> None:
        """Hold `data`; `release` is called once, from whatever thread lets go of the message last."""
        self.data = data
        self.flags = flags
        self._release = release
        self.routing_id = routing_id
        self.group = group

    def __len__(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def __del__(self) -> None:
        release = self._release
        if release is not None:
            self._release = None
            release()

    def __repr__(self) -> str:
        return f"<Msg {len(self.data)} bytes, flags {self.flags:#x}>"

    @property
    def is_subscribe(self) -> bool:
        """True for a SUBSCRIBE command."""
        return self.flags & CMD_TYPE_MASK == SUBSCRIBE

    @property
    def is_cancel(self) -> bool:
        """True for a CANCEL command."""
        return self.flags & CMD_TYPE_MASK == CANCEL

    @property
    def is_routing_id(self) -> bool:
        """True for the peer's routing id, the first message of a pipe."""
        return bool(self.flags & ROUTING_ID)


Frame = bytes | memoryview | Msg
"""One frame, as a user hands it over."""

Message = bytes | Msg | tuple[Frame, ...]
"""One item of a pipe: a whole message, or an out-of-band item."""

DELIMITER: Final = Msg(flags=0)
"""The last item of a pipe: everything before it has been consumed when it is read."""


def frame_bytes(frame: Frame) -> bytes:
    """The content of a frame; no copy when it is bytes already."""
    if type(frame) is bytes:
        return frame
    if isinstance(frame, Msg):
        frame = frame.data
    return frame if type(frame) is bytes else bytes(frame)


def prepend(envelope: tuple[Frame, ...], msg: Message | Frame) -> tuple[Frame, ...]:
    """A message with frames before it."""
    return envelope + msg if type(msg) is tuple else (*envelope, msg)  # type: ignore[arg-type]


def message_of(frames: tuple[Frame, ...]) -> Message:
    """At least one frame as a message."""
    return frames if len(frames) > 1 else frames[0]  # type: ignore[return-value]


def frames_of(message: Message) -> tuple[Frame, ...]:
    """The frames of a message."""
    return message if type(message) is tuple else (message,)  # type: ignore[return-value]
