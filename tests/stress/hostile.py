# SPDX-License-Identifier: MPL-2.0
"""What bad peers say: a table of byte scripts, none of which a library may fall over."""

from __future__ import annotations

import random
import struct
from typing import NamedTuple

from tests.support.raw_peer import cancel, command, frame, greeting, message, ping, prop, ready, signature, subscribe

_NOISE = random.Random(23).randbytes(4096)


class Script(NamedTuple):
    """One way to misbehave.

    `opening` is what the peer says first. When `joins`, it is preceded by the greeting and the READY of a fitting peer.
    `outcome` is the monitor event by which a libzmq server shows that it refuses the peer at once, None when it has no
    reason to (it waits for more, or the thing is odd but allowed).
    """

    opening: bytes
    outcome: str | None = None
    joins: bool = False


PROTOCOL = "HANDSHAKE_FAILED_PROTOCOL"
GONE = "DISCONNECTED"


def _long_header(flags: int, size: int) -> bytes:
    return bytes([flags]) + struct.pack(">Q", size)


def _greeted(*data: bytes) -> bytes:
    return greeting() + b"".join(data)


SCRIPTS: dict[str, Script] = {
    # Before the handshake
    "nothing": Script(b""),
    "half a signature": Script(signature()[:5]),
    "signature": Script(signature()),
    "half a greeting": Script(greeting()[:40]),
    "greeting": Script(greeting()),
    "zeros": Script(bytes(64)),
    "ones": Script(b"\xff" * 64, PROTOCOL),
    "http": Script(b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + b"x" * 200 + b"\r\n\r\n"),
    "tls": Script(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + _NOISE[:500]),
    "noise": Script(b"\x80" + _NOISE[:99]),
    "unknown mechanism": Script(greeting(mechanism=b"NONSENSE"), PROTOCOL),
    "mechanism in small letters": Script(greeting(mechanism=b"null"), PROTOCOL),
    "noise for a mechanism": Script(greeting(mechanism=_NOISE[:20]), PROTOCOL),
    "plain client": Script(greeting(mechanism=b"PLAIN") + command(b"HELLO", b"\5admin\6secret"), PROTOCOL),
    # Instead of READY
    "message for READY": Script(_greeted(message(b"hello")), PROTOCOL),
    "empty command for READY": Script(_greeted(frame(b"", command=True)), GONE),
    "unknown command for READY": Script(_greeted(command(b"HALLO")), PROTOCOL),
    "truncated command name": Script(_greeted(frame(b"\x05REA", command=True)), GONE),
    "subscription for READY": Script(_greeted(subscribe(b"x")), PROTOCOL),
    "ping for READY": Script(_greeted(ping(10)), PROTOCOL),
    "error for READY": Script(_greeted(command(b"ERROR", b"\x05nope!")), GONE),
    "broken error for READY": Script(_greeted(command(b"ERROR", b"\xffnope")), PROTOCOL),
    "READY of an unknown type": Script(_greeted(ready("NONSENSE")), GONE),
    "READY of a huge type": Script(_greeted(ready("X" * 100_000)), GONE),
    "READY without a type": Script(_greeted(command(b"READY")), GONE),
    "READY with an overlong value": Script(
        _greeted(command(b"READY", b"\x0bSocket-Type\xff\xff\xff\xffDEALER")), GONE
    ),
    "READY with a cut name": Script(_greeted(command(b"READY", b"\x20Socket")), GONE),
    "READY with a nameless property": Script(_greeted(command(b"READY", prop(b"", b"x"))), GONE),
    "READY of noise": Script(_greeted(command(b"READY", _NOISE[:2000])), GONE),
    "noise for READY": Script(_greeted(b"\x06", _NOISE[:300])),
    "READY of 2^62 bytes": Script(_greeted(_long_header(6, 2**62)), GONE),
    # After a good handshake
    "frame of 2^62 bytes": Script(_long_header(2, 2**62) + b"x", GONE, joins=True),
    "frame of 2^63 bytes": Script(_long_header(2, 2**63), GONE, joins=True),
    "frame of 2^64-1 bytes": Script(_long_header(3, 2**64 - 1) + b"x" * 100, GONE, joins=True),
    "command of 2^62 bytes": Script(_long_header(6, 2**62), GONE, joins=True),
    "frame just over the limit": Script(message(bytes(100_001)), GONE, joins=True),
    "large part after small ones": Script(message(b"a", b"b", bytes(100_001)), GONE, joins=True),
    "half a header": Script(b"\x02\x00\x00", joins=True),
    "half a frame": Script(_long_header(2, 5000) + bytes(100), joins=True),
    "half a message": Script(frame(b"", more=True) + frame(b"part", more=True) * 3, joins=True),
    "second READY": Script(ready("DEALER"), joins=True),
    "second greeting": Script(greeting(), joins=True),
    "unknown commands": Script(command(b"NONSENSE", _NOISE[:50]) * 20, joins=True),
    "empty command": Script(frame(b"", command=True), joins=True),
    "truncated commands": Script(frame(b"\x09SUB", command=True) + frame(b"\xffPING", command=True), joins=True),
    "commands with more": Script(frame(b"\x04PING\0\0", more=True, command=True) * 3, joins=True),
    "unasked pongs": Script(command(b"PONG", b"x" * 16) * 50, joins=True),
    "many pings": Script(ping(600, b"context") * 200, joins=True),
    "cancels of nothing": Script(cancel(b"nothing") * 50, joins=True),
    "join and leave": Script(command(b"JOIN", b"group") + command(b"LEAVE", b"group"), joins=True),
}


def opening(script: Script, socket_type: str) -> bytes:
    """All bytes of a script, said by a peer of `socket_type`."""
    return greeting() + ready(socket_type) + script.opening if script.joins else script.opening


def random_script(rng: random.Random, socket_type: str) -> bytes:
    """A script at random, some of them cut short or with a few bytes changed."""
    data = bytearray(opening(rng.choice(list(SCRIPTS.values())), socket_type))
    if data and rng.random() < 0.3:
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    if data and rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    return bytes(data)
