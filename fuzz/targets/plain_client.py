# SPDX-License-Identifier: MPL-2.0
"""PLAIN, the side that has a name and a password (mechanisms/plain/client.py).

Any commands, in any order, give progress or a MechanismError with its monitor event. READY is reached by WELCOME and
READY in their turn only, INITIATE is sent to nobody who has not said WELCOME, and no text shows the password.
"""

from __future__ import annotations

from fuzz.mechanism import SECRET, attempt, commands_of, metadata_of, options_of
from fuzz.source import Source, require
from libzmq_py.mechanisms.mechanism import Status
from libzmq_py.mechanisms.plain.client import PlainClient

MAX_LEN = 120
TOKENS = (b"\7WELCOME", b"\5READY", b"\5ERROR\x03400", b"\x5eRROR\x03400", b"\x0bSocket-Type\0\0\0\3REP")
SEEDS = {
    "accepted": b"\0" + b"\0\1\0\0\2\0",
    "refused": b"\0" + b"\0\3\4\x03400",
    "refused-libzmq": b"\0" + b"\0\4\4\x03400",
    "refused-later": b"\0" + b"\0\1\0\0\3\4\x03500",
    "malformed": b"\0" + b"\0\1\1x",
    "out-of-turn": b"\0" + b"\0\2\0",
    "raw": b"\0" + b"\0\5\x08\7WELCOME\0",
    "type": b"\0" + b"\0\1\0\0\2\2\4NONE",
}


def check(data: bytes) -> None:
    """One input: options, then what happens."""
    source = Source(data)
    options, _ = options_of(source)
    options.plain_username, options.plain_password = b"user", SECRET
    mechanism = PlainClient(options)
    said: list[bytes] = []
    heard: list[bytes] = []
    going = True
    while source and going:
        kind = source.byte() % 6
        if kind == 0:
            going = attempt(mechanism, lambda: said.extend(commands_of(mechanism)))
            continue
        prefix = (b"", b"\7WELCOME", b"\5READY", b"\5ERROR", b"\x5eRROR", b"")[kind]
        command = prefix + (metadata_of(source, options.type) if kind == 2 else source.chunk())
        going = attempt(mechanism, lambda command=command: mechanism.process_handshake_command(command))
        if going:
            heard.append(command)
    require(said[:1] in ([], [b"\5HELLO\4user" + bytes((len(SECRET),)) + SECRET]), "said first", said)
    if len(said) > 1:
        require(said[1].startswith(b"\x08INITIATE") and heard[:1] == [b"\7WELCOME"], "said", said)
    if mechanism.status is Status.READY:
        require(len(said) == len(heard) == 2 and heard[1].startswith(b"\5READY"), "ready", heard)
