# SPDX-License-Identifier: MPL-2.0
"""PLAIN, the side that asks about a name and a password (mechanisms/plain/server.py, zap_client.py).

Any commands and any answers of a handler, in any order, give progress or a MechanismError with its monitor event. READY
is reached by HELLO and INITIATE only, and only after the handler, asked with the very name and password, has said 200.
No text shows the password.
"""

from __future__ import annotations

from fuzz.mechanism import SECRET, accepts, attempt, commands_of, metadata_of, options_of, reply_of
from fuzz.source import Source, require
from libzmq_py.mechanisms.mechanism import Status
from libzmq_py.mechanisms.plain.server import PlainServer

MAX_LEN = 150
TOKENS = (b"\5HELLO", b"\x08INITIATE", b"\4user", bytes((len(SECRET),)) + SECRET, b"\x0bSocket-Type\0\0\0\3REP")
_HELLO = b"\1\0\4user"
SEEDS = {
    "accepted": b"\x80" + _HELLO + b"\4\0" + b"\0" + b"\2\0" + b"\0",
    "accepted-domain": b"\xe0" + _HELLO + b"\4\0" + b"\0" + b"\2\1\2id\0" + b"\0",
    "denied": b"\x80" + _HELLO + b"\4\2" + b"\0" + b"\2\0",
    "later": b"\x80" + _HELLO + b"\4\1" + b"\0",
    "no-handler": b"\0" + _HELLO,
    "no-domain": b"\xc0" + _HELLO,
    "malformed": b"\x80" + b"\1\1\4user",
    "raw-hello": b"\x80" + b"\3\x0d\5HELLO\4user\1p" + b"\4\0\0",
    "initiate-first": b"\x80" + b"\2\0",
    "gone": b"\x80" + _HELLO + b"\4\x0b",
    "type": b"\x80" + _HELLO + b"\4\0\0" + b"\2\2\4NONE",
}


def check(data: bytes) -> None:
    """One input: options, then what happens."""
    source = Source(data)
    options, host = options_of(source)
    mechanism = PlainServer(options, host)
    credentials: tuple[bytes, bytes] | None = None
    said: list[bytes] = []
    initiated = allowed = False
    going = True
    while source and going:
        kind = source.byte() % 5
        if kind == 0:
            going = attempt(mechanism, lambda: said.extend(commands_of(mechanism)))
        elif kind == 4:
            reply = reply_of(source)
            host.replies.append(reply)
            going = attempt(mechanism, mechanism.zap_msg_available)
            host.replies.clear()
            allowed |= accepts(reply) and going and bool(host.requests)
        else:
            command, fits = _command(source, kind, options.type)
            going = attempt(mechanism, lambda command=command: mechanism.process_handshake_command(command))
            if going and command.startswith(b"\5HELLO"):
                require(credentials is None and fits is not None, "HELLO accepted", command)
                credentials = fits
            initiated |= going and command.startswith(b"\x08INITIATE")
    if host.requests:
        require(len(host.requests) == 1 and host.requests[0][7:] == (credentials or host.requests[0][7:]), "asked for")
    if b"\7WELCOME" in said:
        require(allowed and credentials is not None, "welcome without a permission")
    if mechanism.status is Status.READY:
        require(said[0] == b"\7WELCOME" and initiated and said[-1].startswith(b"\5READY"), "ready", said)


def _command(source: Source, kind: int, type_: int) -> tuple[bytes, tuple[bytes, bytes] | None]:
    """A command, and the credentials in it if it is a good HELLO."""
    if kind == 2:
        return b"\x08INITIATE" + metadata_of(source, type_), None
    if kind == 1:
        defect = source.byte() % 4
        name = source.chunk()
        tail = b"" if defect < 2 else source.chunk()
        length = len(SECRET) + (defect == 1)
        command = b"".join((b"\5HELLO", bytes((len(name),)), name, bytes((length,)), SECRET, tail))
    else:
        command = source.chunk()
    return command, _credentials(command)


def _credentials(command: bytes) -> tuple[bytes, bytes] | None:
    rest = command[6:]
    fields = []
    for _ in range(2):
        if not rest or len(rest) < 1 + rest[0]:
            return None
        fields.append(rest[1 : 1 + rest[0]])
        rest = rest[1 + rest[0] :]
    return (fields[0], fields[1]) if not rest else None
