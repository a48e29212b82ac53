# SPDX-License-Identifier: MPL-2.0
"""What encoders write is what decoders read (codecs/*_encoder.py, shared_encoder.py).

Any batch of messages comes back as it was, the same bytes however it is batched; subscriptions as the version has them.
"""

from __future__ import annotations

from typing import Any

from fuzz.source import Source, require
from fuzz.targets.v2_decoder import decode
from libzmq_py.codecs.shared_encoder import SharedEncoder
from libzmq_py.codecs.v1_decoder import V1Decoder
from libzmq_py.codecs.v1_encoder import V1Encoder
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.codecs.v2_encoder import V2Encoder
from libzmq_py.codecs.v3_1_encoder import V31Encoder
from libzmq_py.msg import CANCEL, COMMAND, SUBSCRIBE, Msg

MAX_LEN = 200
TOKENS = ()
SEEDS = {
    "one": b"\1\0\5hello",
    "many": b"\1" + b"\0\5hello" * 12,
    "parts": b"\2" + b"\4\2\1a\1b" + b"\5\3\1a\0\1c",
    "commands": b"\2" + b"\1\1T" + b"\2\1T" + b"\3\5\4PING",
    "sizes": b"\0" + b"\6\xfe" + b"\6\xff" + b"\6\x40",
}
_SIZES = (0, 1, 100, 253, 254, 255, 256, 300, 2047, 2048, 8192)


def check(data: bytes) -> None:
    """One input: the version, then messages."""
    source = Source(data)
    name = source.pick(("1", "2", "3.1"))
    msgs: list[Any] = []
    expected: list[Any] = []
    while source and len(msgs) < 200:
        msg, back = _message(source, name)
        msgs.append(msg)
        expected.append(back)
    encoder: Any = {"1": V1Encoder, "2": V2Encoder, "3.1": V31Encoder}[name]()
    one_by_one = b"".join(_bytes(encoder, [msg]) for msg in msgs)
    require(_bytes(encoder, msgs) == one_by_one, "a batch gives other bytes") if msgs else None
    if name != "1" and msgs:
        segments: dict[int, Any] = {}
        for _ in range(3):
            require(_bytes(SharedEncoder(encoder, segments), msgs) == one_by_one, "shared bytes are others")
        require(len(segments) <= 8, "segments", len(segments))
    decoder: Any = V1Decoder(-1) if name == "1" else V2Decoder(-1)
    require(decode(decoder, [one_by_one]) == (expected, False), "another message comes back", expected)


def _bytes(encoder: Any, msgs: list[Any]) -> bytes:
    return b"".join(bytes(part) for part in encoder.encode(msgs))


def _message(source: Source, version: str) -> tuple[Any, Any]:
    """A message, and what comes back of it."""
    kind = source.byte() % 8
    if kind == 6:
        body = bytes(_SIZES[source.byte() % len(_SIZES)])
        return body, body
    if kind in (4, 5):
        frames = tuple(source.chunk() for _ in range(1 + source.byte() % 6))
        sent = frames if kind == 4 else tuple(map(memoryview, frames))
        return (sent, frames) if len(sent) > 1 else (frames[0], frames[0])
    body = source.chunk()
    if kind == 7:
        return Msg(memoryview(body)), body
    if kind == 0 or (version == "1" and kind == 3):
        return body, body
    if kind == 3:
        return Msg(body, COMMAND), (4, body)
    command = Msg(body, SUBSCRIBE if kind == 1 else CANCEL)
    if version == "3.1":
        return command, (4, (b"\x09SUBSCRIBE" if kind == 1 else b"\x06CANCEL") + body)
    return command, (b"\1" if kind == 1 else b"\0") + body
