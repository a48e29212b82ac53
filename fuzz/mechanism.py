# SPDX-License-Identifier: MPL-2.0
"""What the targets of the mechanisms share: a host that answers for the ZAP handler, and what every error must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.source import Source, require
from libzmq_py.constants import Event, SocketType
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status
from libzmq_py.metadata import add_property
from libzmq_py.options import Options

_CODES = frozenset({0, *(int(code) for name, code in Event.__members__.items() if name.startswith("PROTOCOL_ERROR_"))})
TYPES = (SocketType.DEALER, SocketType.ROUTER, SocketType.PUB, SocketType.PULL, SocketType.REP)
PEERS = {
    SocketType.DEALER: b"REP",
    SocketType.ROUTER: b"DEALER",
    SocketType.PUB: b"SUB",
    SocketType.PULL: b"PUSH",
    SocketType.REP: b"REQ",
}
#: No text that people see may hold it.
SECRET = b"aSecretThatNobodyMaySee"


class Host:
    """The connection of a mechanism; what the handler answers is put into `replies`."""

    peer_address = "192.0.2.2"

    def __init__(self, handler: bool) -> None:
        self.handler = handler
        self.replies: list[tuple[bytes, ...] | ConnectionError] = []
        self.requests: list[tuple[bytes, ...]] = []
        self.refusals: list[int] = []

    def zap_connect(self) -> bool:
        return self.handler

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        require(self.handler, "a request to nobody")
        self.requests.append(frames)

    def read_zap_msg(self) -> list[bytes] | None:
        if not self.replies:
            return None
        reply = self.replies.pop(0)
        if isinstance(reply, ConnectionError):
            raise reply
        return list(reply)

    def zap_refused(self, status: int, text: str) -> None:
        require(status in (300, 400, 500) and len(text) <= 255, "refusal", status, text)
        self.refusals.append(status)


def options_of(source: Source) -> tuple[Options, Host]:
    """Type, ZAP domain, its enforcement, and whether there is a handler: one byte."""
    how = source.byte()
    options = Options()
    options.type = TYPES[how % len(TYPES)]
    options.recv_routing_id = options.type in (SocketType.ROUTER, SocketType.REP)
    options.zap_domain = b"domain" if how & 32 else b""
    options.zap_enforce_domain = bool(how & 64)
    return options, Host(bool(how & 128))


def metadata_of(source: Source, type_: int) -> bytes:
    """Properties: good ones, or any."""
    kind = source.byte() % 4
    good = add_property("Socket-Type", PEERS[SocketType(type_)])
    if kind == 0:
        return good
    if kind == 1:
        return good + add_property("Identity", source.chunk()) + add_property("X-more", source.chunk())
    if kind == 2:
        return add_property("Socket-Type", source.chunk())
    return source.chunk()


def reply_of(source: Source) -> tuple[bytes, ...] | ConnectionError:
    """What a handler answers: something good, good but for one frame, any frames; or it goes."""
    kind = source.byte() % 12
    frames = [b"", b"1.0", b"1", b"200", b"OK", b"user", b""]
    if kind == 11:
        return ConnectionError()
    if kind == 10:
        return tuple(source.chunk() for _ in range(source.byte() % 9))
    if kind in (1, 2, 3):
        frames[3] = (b"300", b"400", b"500")[kind - 1]
    elif kind >= 4:
        frames[kind - 4 + (kind > 8)] = source.chunk()
    return tuple(frames)


def accepts(reply: Any) -> bool:
    """Whether a reply lets the peer in, whatever its metadata."""
    return isinstance(reply, tuple) and len(reply) == 7 and reply[:4] == (b"", b"1.0", b"1", b"200")


def attempt(mechanism: Mechanism, call: Callable[[], object]) -> bool:
    """Do something to a mechanism; False if it has failed, and how it fails is checked."""
    before = mechanism.status
    try:
        call()
    except MechanismError as error:
        require(error.protocol_error in _CODES, "no event", error.protocol_error)
        require(error.auth_status in (0, 300, 400, 500), "no status", error.auth_status)
        told = bool(error.protocol_error) + bool(error.auth_status) + bool(error.error)
        require(told <= 1, "more than one event")
        require(len(str(error)) < 1200 and SECRET.decode() not in str(error), "text", str(error))
        mechanism.destroy()
        return False
    finally:
        require(bool(mechanism.step), "no step")
        require(mechanism.refusal in (b"", b"300", b"400", b"500"), "refusal", mechanism.refusal)
        require(len(mechanism.zmtp_properties) <= 256, "properties")
        require(len(mechanism.peer_routing_id) <= 255 and mechanism.peer_routing_id[:1] != b"\0", "routing id")
    require(before is Status.HANDSHAKING or mechanism.status is before, "back from", before)
    return True


def commands_of(mechanism: Mechanism) -> list[bytes]:
    """All it has to say now."""
    said = []
    while (command := mechanism.next_handshake_command()) is not None:
        said.append(command)
        require(len(said) < 3, "it does not stop")
    return said
