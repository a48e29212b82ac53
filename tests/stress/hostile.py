# SPDX-License-Identifier: MPL-2.0
"""What bad peers say: a table of byte scripts, none of which a library may fall over."""

from __future__ import annotations

import random
import struct
from typing import NamedTuple

from tests.support.raw_peer import (
    RawPeer,
    cancel,
    command,
    frame,
    greeting,
    message,
    ping,
    prop,
    ready,
    signature,
    subscribe,
)

_NOISE = random.Random(23).randbytes(4096)


class Script(NamedTuple):
    """One way to misbehave.

    `speech` is what the peer says, as the first thing or after a polite beginning (`stage`). `outcome` is the monitor
    event by which libzmq shows what becomes of the connection.
    """

    speech: bytes
    outcome: str | None
    stage: str = "stranger"

    @property
    def refused(self) -> bool:
        """Whether the library hangs up of its own accord, and at once."""
        return self.outcome in (PROTOCOL, GONE)


PROTOCOL = "HANDSHAKE_FAILED_PROTOCOL"
GONE = "DISCONNECTED"
# It may still become something: the connection goes when HANDSHAKE_IVL is over.
WAITING = "HANDSHAKE_FAILED_NO_DETAIL"
ADMITTED = "HANDSHAKE_SUCCEEDED"
# What came before the bad part: nothing, both greetings and the library's READY, a whole handshake.
STRANGER, GREETED, JOINED = "stranger", "greeted", "joined"
# The first byte is that of a ZMTP 1.0 peer, which has no handshake that could fail: it stays, without an event.
OLD = None


def _long_header(flags: int, size: int) -> bytes:
    return bytes([flags]) + struct.pack(">Q", size)


SCRIPTS: dict[str, Script] = {
    # Before the handshake
    "nothing": Script(b"", WAITING),
    "half a signature": Script(signature()[:5], WAITING),
    "signature": Script(signature(), WAITING),
    "half a greeting": Script(greeting()[:40], WAITING),
    "greeting": Script(greeting(), WAITING),
    "zeros": Script(bytes(64), GONE),
    "ones": Script(b"\xff" * 64, PROTOCOL),
    "http": Script(b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + b"x" * 200 + b"\r\n\r\n", OLD),
    "tls": Script(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + _NOISE[:500], OLD),
    "noise": Script(b"\x80" + _NOISE[:99], OLD),
    "unknown mechanism": Script(greeting(mechanism=b"NONSENSE"), PROTOCOL),
    "mechanism in small letters": Script(greeting(mechanism=b"null"), PROTOCOL),
    "noise for a mechanism": Script(greeting(mechanism=_NOISE[:20]), PROTOCOL),
    "plain client": Script(greeting(mechanism=b"PLAIN") + command(b"HELLO", b"\5admin\6secret"), PROTOCOL),
    # Instead of READY
    "message for READY": Script(message(b"hello"), PROTOCOL, GREETED),
    "empty command for READY": Script(frame(b"", command=True), GONE, GREETED),
    "unknown command for READY": Script(command(b"HALLO"), PROTOCOL, GREETED),
    "truncated command name": Script(frame(b"\x05REA", command=True), GONE, GREETED),
    "subscription for READY": Script(subscribe(b"x"), PROTOCOL, GREETED),
    "ping for READY": Script(ping(10), PROTOCOL, GREETED),
    "error for READY": Script(command(b"ERROR", b"\x05nope!"), GONE, GREETED),
    "broken error for READY": Script(command(b"ERROR", b"\xffnope"), PROTOCOL, GREETED),
    "READY of an unknown type": Script(ready("NONSENSE"), GONE, GREETED),
    "READY of a huge type": Script(ready("X" * 100_000), GONE, GREETED),
    "READY without a type": Script(command(b"READY"), ADMITTED, GREETED),
    "READY with an overlong value": Script(
        command(b"READY", b"\x0bSocket-Type\xff\xff\xff\xffDEALER"), GONE, GREETED
    ),
    "READY with a cut name": Script(command(b"READY", b"\x20Socket"), GONE, GREETED),
    "READY with a nameless property": Script(command(b"READY", prop(b"", b"x")), ADMITTED, GREETED),
    "READY of noise": Script(command(b"READY", _NOISE[:2000]), GONE, GREETED),
    "noise for READY": Script(b"\x06" + _NOISE[:300], GONE, GREETED),
    "READY of 2^62 bytes": Script(_long_header(6, 2**62), GONE, GREETED),
    # After a good handshake
    "frame of 2^62 bytes": Script(_long_header(2, 2**62) + b"x", GONE, JOINED),
    "frame of 2^63 bytes": Script(_long_header(2, 2**63), GONE, JOINED),
    "frame of 2^64-1 bytes": Script(_long_header(3, 2**64 - 1) + b"x" * 100, GONE, JOINED),
    "command of 2^62 bytes": Script(_long_header(6, 2**62), GONE, JOINED),
    "frame just over the limit": Script(message(bytes(100_001)), GONE, JOINED),
    "large part after small ones": Script(message(b"a", b"b", bytes(100_001)), GONE, JOINED),
    "half a header": Script(b"\x02\x00\x00", ADMITTED, JOINED),
    "half a frame": Script(_long_header(2, 5000) + bytes(100), ADMITTED, JOINED),
    "half a message": Script(frame(b"", more=True) + frame(b"part", more=True) * 3, ADMITTED, JOINED),
    "second READY": Script(ready("DEALER"), ADMITTED, JOINED),
    "second greeting": Script(greeting(), GONE, JOINED),
    "unknown commands": Script(command(b"NONSENSE", _NOISE[:50]) * 20, ADMITTED, JOINED),
    "empty command": Script(frame(b"", command=True), ADMITTED, JOINED),
    "truncated commands": Script(
        frame(b"\x09SUB", command=True) + frame(b"\xffPING", command=True), ADMITTED, JOINED
    ),
    "commands with more": Script(frame(b"\x04PING\0\0", more=True, command=True) * 3, ADMITTED, JOINED),
    "unasked pongs": Script(command(b"PONG", b"x" * 16) * 50, ADMITTED, JOINED),
    "many pings": Script(ping(600, b"context") * 200, ADMITTED, JOINED),
    "cancels of nothing": Script(cancel(b"nothing") * 50, ADMITTED, JOINED),
    "join and leave": Script(command(b"JOIN", b"group") + command(b"LEAVE", b"group"), ADMITTED, JOINED),
}


def begin(peer: RawPeer, script: Script, socket_type: str) -> None:
    """Bring `peer` to the stage where the bad part comes, as a fitting peer of `socket_type`."""
    if script.stage == JOINED:
        peer.handshake(socket_type)
    elif script.stage == GREETED:
        peer.greet()
        peer.read_frame()


def hasty_speech(script: Script, socket_type: str) -> bytes:
    """All bytes of a script in one go, said by a peer of `socket_type` that waits for nothing.

    What follows the READY may come too early for a libzmq that has not sent its own, and is refused then.
    """
    beginning = {STRANGER: b"", GREETED: greeting(), JOINED: greeting() + ready(socket_type)}
    return beginning[script.stage] + script.speech


def random_script(rng: random.Random, socket_type: str) -> bytes:
    """A script at random, some of them cut short or with a few bytes changed."""
    data = bytearray(hasty_speech(rng.choice(list(SCRIPTS.values())), socket_type))
    if data and rng.random() < 0.3:
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    if data and rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    return bytes(data)
