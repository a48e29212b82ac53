# SPDX-License-Identifier: MPL-2.0
"""Messages, and ways of cutting bytes into pieces, for the codec tests.

No libzmq twin: test support.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from libzmq_py.codecs.decoder import DecodeError
from libzmq_py.msg import COMMAND, MORE, Msg

# Sizes where something changes: empty, the last short ones, the first long ones, beyond a collected piece.
SIZES = [0, 1, 2, 33, 252, 253, 254, 255, 256, 257, 1000, 8191, 8192, 8193, 20_000]

frames = st.one_of(
    st.binary(max_size=20),
    st.builds(lambda size, byte: bytes([byte]) * size, st.sampled_from(SIZES), st.integers(0, 255)),
)
messages = st.one_of(frames, st.lists(frames, min_size=2, max_size=4).map(tuple))
#: Many messages of one size: what a decoder takes as a run.
runs = st.builds(
    lambda size, count, byte: [bytes([byte]) * size] * count,
    st.integers(0, 300),
    st.integers(1, 200),
    st.integers(0, 255),
)
batches = st.one_of(
    st.lists(messages, max_size=6), runs, st.builds(lambda a, b, c: [*a, *b, *c], runs, st.lists(messages), runs)
)
#: Where to cut; used modulo the length.
cuts = st.lists(st.integers(0, 1 << 16), max_size=12)


def pieces(data: bytes, where: Iterable[int]) -> list[bytes]:
    """`data` cut at these places (modulo its length)."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in where)})
    return [data[a:b] for a, b in zip(places, places[1:], strict=False)]


def bytewise(data: bytes) -> list[bytes]:
    """`data` one byte at a time."""
    return [data[n : n + 1] for n in range(len(data))]


def plain(message: Any) -> Any:
    """A message as something that can be compared."""
    if isinstance(message, Msg):
        return (bytes(message.data), message.flags)
    return message


def decode_all(decoder: Any, parts: Iterable[bytes]) -> tuple[list[Any], str | None]:
    """Every message of a stream that comes in these parts, and the text of the error that ended it."""
    out: list[Any] = []
    for part in parts:
        out += [plain(message) for message in decoder.decode(part)]
        if decoder.error is not None:
            return out, str(decoder.error)
    return out, None


def oracle(decoder: Any, data: bytes) -> tuple[list[Any], str | None]:
    """The same by `next_frame`, one frame at a time, put together here."""
    decoder.feed(data)
    out: list[Any] = []
    gathered: list[bytes] = []
    while True:
        try:
            frame = decoder.next_frame()
        except DecodeError as error:
            return out, str(error)
        if frame is None:
            return out, None
        if frame.flags & COMMAND:
            out.append(plain(frame))
        elif frame.flags & MORE:
            gathered.append(frame.data)
        else:
            gathered.append(frame.data)
            out.append(tuple(gathered) if len(gathered) > 1 else gathered[0])
            gathered = []


def joined(encoder: Any, msgs: Any) -> bytes:
    """What the encoder makes of a batch, as it goes on the wire."""
    return b"".join(bytes(part) for part in encoder.encode(msgs))


Factory = Callable[..., Any]
