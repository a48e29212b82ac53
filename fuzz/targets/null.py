# SPDX-License-Identifier: MPL-2.0
"""NULL's handshake, with and without a ZAP handler (mechanisms/null.py, zap_client.py).

Any commands and any answers of a handler, in any order, give progress or a MechanismError with its monitor event. READY
is reached by one READY in each direction only; where a handler is to be asked, only after it has said 200, and where it
must be asked and is not there, never.
"""

from __future__ import annotations

from fuzz.mechanism import accepts, attempt, commands_of, metadata_of, options_of, reply_of
from fuzz.source import Source, require
from libzmq_py.mechanisms.mechanism import Status
from libzmq_py.mechanisms.null import NullMechanism

MAX_LEN = 150
TOKENS = (b"\5READY", b"\5ERROR\x03400", b"\x0bSocket-Type\0\0\0\3REP", b"\x08Identity\0\0\0\2id", b"1.0", b"200")
SEEDS = {
    "peers": b"\0" + b"\0" + b"\1\0",
    "first-they": b"\0" + b"\1\0" + b"\0",
    "refused": b"\0" + b"\0" + b"\2\4\x03400",
    "type": b"\1" + b"\1\2\4REP!",
    "raw": b"\0" + b"\3\6\5READY" + b"\0",
    "domain": b"\xa0" + b"\0" + b"\4\0" + b"\0" + b"\1\0",
    "denied": b"\xa0" + b"\0" + b"\4\2" + b"\0",
    "later": b"\xa0" + b"\0" + b"\4\1" + b"\0",
    "gone": b"\xa0" + b"\0" + b"\4\x0b",
    "no-handler": b"\x60" + b"\0" + b"\1\0",
    "odd-answer": b"\xa0" + b"\0" + b"\4\x0a\7\0\3\x31.0\1\x31\x03200\2OK\4user\0" + b"\0\1\0",
    "twice": b"\xa0" + b"\0" + b"\4\0" + b"\4\0",
}


def check(data: bytes) -> None:
    """One input: options, then what happens."""
    source = Source(data)
    options, host = options_of(source)
    mechanism = NullMechanism(options, host)
    said_ready = heard_ready = allowed = False
    going = True
    while source and going:
        kind = source.byte() % 5
        if kind == 0:
            said: list[bytes] = []
            going = attempt(mechanism, lambda said=said: said.extend(commands_of(mechanism)))
            said_ready |= any(command.startswith(b"\5READY") for command in said)
        elif kind == 4:
            reply = reply_of(source)
            asked = len(host.requests)
            host.replies.append(reply)
            going = attempt(mechanism, mechanism.zap_msg_available)
            require(asked or not host.replies or not going, "an answer to no question is kept")
            host.replies.clear()
            allowed |= accepts(reply) and going and bool(asked)
        else:
            prefix = (b"", b"\5READY", b"\5ERROR", b"")[kind]
            command = prefix + (metadata_of(source, options.type) if kind == 1 else source.chunk())
            going = attempt(mechanism, lambda command=command: mechanism.process_handshake_command(command))
            heard_ready |= going and command.startswith(b"\5READY")
    if going and mechanism.status is Status.READY:  # after an error nobody looks at it
        require(said_ready and heard_ready, "ready without READY")
    if said_ready and options.zap_domain:
        require(allowed if host.handler else not options.zap_enforce_domain, "a peer that nobody has let in")
    require(len(host.requests) <= 1 and len(host.refusals) <= 1, "asked twice")
