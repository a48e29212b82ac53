# SPDX-License-Identifier: MPL-2.0
"""Messages of a monitor (api/monitor.py).

Any frames give a dict with the numbers that struct reads, or a RuntimeError; of both layouts.
"""

from __future__ import annotations

import struct
import sys

from fuzz.source import Source, require
from libzmq_py.constants import Event
from libzmq_py.utils.monitor import parse_monitor_message, parse_monitor_message_v2

MAX_LEN = 100
TOKENS = (b"\2\6", b"\6\6\1\0\0\0\0\0", b"\x08\1\0\0\0\0\0\0\0")
SEEDS = {
    "v1": b"\2" + b"\6" + struct.pack("=HI", 1, 7) + b"\x0ftcp://1.2.3.4:5",
    "v1-high": b"\2" + b"\6" + struct.pack("=HI", 0x8000, 0xFFFFFFFF) + b"\0",
    "v2": b"\5" + b"".join(b"\x08" + struct.pack("=Q", number) for number in (1, 1, 9)) + b"\1a\1b",
    "v2-two": b"\6" + b"".join(b"\x08" + struct.pack("=Q", number) for number in (0x10000, 2, 3, 4)) + b"\1a\1b",
    "none": b"\0",
}


def check(data: bytes) -> None:
    """One input: number of frames, frames."""
    source = Source(data)
    frames = [source.chunk() for _ in range(source.byte() % 12)]
    try:
        first = parse_monitor_message(frames)
    except RuntimeError:
        require(len(frames) != 2 or len(frames[0]) != 6, "version 1 refused", frames)
    else:
        # Of negative numbers an IntFlag makes what the version of Python likes, in pyzmq too.
        event, value = map(Event, struct.unpack("=hi", frames[0]))
        require((first["event"], first["value"], first["endpoint"]) == (event, value, frames[1]), "read otherwise")
    numbers = [int.from_bytes(frame, sys.byteorder) for frame in frames[:-2]]
    fits = len(numbers) >= 2 and all(len(frame) == 8 for frame in frames[:-2])
    try:
        second = parse_monitor_message_v2(frames)
    except RuntimeError:
        require(not fits or numbers[1] != len(numbers) - 2, "version 2 refused", frames)
    else:
        require(fits and second["event"] == numbers[0] and second["values"] == numbers[2:], "read otherwise")
        require([second["local"], second["remote"]] == frames[-2:], "other endpoints")
