# SPDX-License-Identifier: MPL-2.0
"""Properties of a connection (metadata.py, mechanisms/mechanism.py).

Any bytes give properties or a ValueError, as a parser written here says; written again, the properties are the bytes
they were read from. `Metadata` shows each of them as text, the first of a name. A mechanism takes at most 256, and
keeps no routing id that RFC 37 forbids.
"""

from __future__ import annotations

from fuzz.source import Source, require
from libzmq_py.constants import SocketType
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError
from libzmq_py.metadata import Metadata, add_property, parse_metadata
from libzmq_py.options import Options

MAX_LEN = 400
TOKENS = (b"\x0bSocket-Type\0\0\0\6DEALER", b"\x08Identity\0\0\0\2id", b"\x06X-Name", b"\x0aRouting-Id", b"\0\0\0\0")
_READY = add_property("Socket-Type", b"DEALER") + add_property("Identity", b"me")
SEEDS = {
    "ready": b"\0" + _READY,
    "more": b"\1" + _READY + add_property("X-hi", b"there") + add_property("X-hi", b"twice"),
    "cut": b"\0" + _READY[:-1],
    "name-only": b"\0" + b"\x08Identity",
    "left-over": b"\0" + _READY + b"\0",
    "generated-id": b"\0" + add_property("Identity", b"\0\1\2\3\4"),
    "many": b"\2" + b"\0\0\0\0\0" * 5,
    "bytes": b"\0" + b"\2\xff\xfe\0\0\0\3a\0b",
}
_OPTIONS = Options()
_OPTIONS.type = SocketType.ROUTER
_OPTIONS.recv_routing_id = True


def check(data: bytes) -> None:
    """One input: how often the properties are repeated, then they."""
    source = Source(data)
    repeat = source.pick((1, 1, 60, 300))
    stream = source.rest() * repeat
    expected = _by_hand(stream)
    try:
        properties = parse_metadata(stream)
    except ValueError:
        properties = None
    require(properties == expected, "parsed otherwise", properties, expected)
    if properties is not None:
        written = b"".join(add_property(name, value) for name, value in properties)
        require(stream.startswith(written), "written otherwise")
        _check_shown(properties)
    _check_mechanism(stream)


def _by_hand(stream: bytes) -> list[tuple[str, bytes]] | None:
    """None: an error."""
    found: list[tuple[str, bytes]] = []
    rest = stream
    while len(rest) > 1:
        name, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :] if len(rest) > rest[0] else None
        if rest is None:
            return None
        if not rest:
            return found  # half a property, which libzmq passes over
        if len(rest) < 4:
            return None
        size, rest = int.from_bytes(rest[:4], "big"), rest[4:]
        if size > len(rest):
            return None if rest else found
        found.append((name.decode("utf-8", "surrogateescape"), rest[:size]))
        rest = rest[size:]
    return None if rest else found


def _check_shown(properties: list[tuple[str, bytes]]) -> None:
    shown = Metadata(properties[:1], properties[1:])
    first: dict[str, bytes] = {}
    for name, value in properties:
        first.setdefault(name, value)
    require(set(shown) == set(first) and len(shown) == len(first), "other names")
    for name, value in first.items():
        require(shown[name].encode("utf-8", "surrogateescape") == value.split(b"\0")[0], "another value", name)
    require(bool(repr(shown)), "no repr")


def _check_mechanism(stream: bytes) -> None:
    mechanism = Mechanism(_OPTIONS)
    try:
        mechanism.parse_peer_metadata(stream, 1)
    except MechanismError as error:
        require(error.protocol_error == 1, "another event")
        require(len(str(error)) < 300, "a long text")
    require(len(mechanism.zmtp_properties) <= 256, "too many properties")
    require(len(mechanism.peer_routing_id) <= 255, "a long routing id")
    require(mechanism.peer_routing_id[:1] != b"\0", "a routing id of the generated form")
