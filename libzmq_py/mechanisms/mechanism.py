# SPDX-License-Identifier: MPL-2.0
"""The handshake that decides whether, and how, two peers talk.

Mirrors: src/mechanism.cpp, src/mechanism.hpp, src/mechanism_base.cpp.
Departs: sans-I/O.  What is fatal is an exception with its monitor event, never an errno left behind by chance.

A mechanism is asked for its next command until it has none, and is given every frame the peer sends, until its status
leaves HANDSHAKING.
"""

from __future__ import annotations

import enum
import functools
from typing import TYPE_CHECKING, Final

from libzmq_py.constants import SocketType
from libzmq_py.metadata import add_property, parse_metadata

if TYPE_CHECKING:
    from libzmq_py.options import Options


class Status(enum.Enum):
    """How far the handshake has come."""

    HANDSHAKING = "handshaking"
    READY = "ready"
    ERROR = "error"


class MechanismError(Exception):
    """The handshake has failed: close the connection, do not try again."""

    def __init__(self, reason: str, protocol_error: int = 0, auth_status: int = 0) -> None:
        """`protocol_error`, `auth_status`: value of the monitor event, 0 for none."""
        super().__init__(reason)
        self.protocol_error = protocol_error
        self.auth_status = auth_status


# Types by their name in the handshake.
_NAMES: Final = {
    SocketType.PAIR: b"PAIR",
    SocketType.PUB: b"PUB",
    SocketType.SUB: b"SUB",
    SocketType.REQ: b"REQ",
    SocketType.REP: b"REP",
    SocketType.DEALER: b"DEALER",
    SocketType.ROUTER: b"ROUTER",
    SocketType.PULL: b"PULL",
    SocketType.PUSH: b"PUSH",
    SocketType.XPUB: b"XPUB",
    SocketType.XSUB: b"XSUB",
}

# Which peers a type talks to (RFC 23, "Socket-Type"; libzmq: mechanism_t::check_socket_type).
_PEERS: Final[dict[int, frozenset[bytes]]] = {
    SocketType.REQ: frozenset({b"REP", b"ROUTER"}),
    SocketType.REP: frozenset({b"REQ", b"DEALER"}),
    SocketType.DEALER: frozenset({b"REP", b"DEALER", b"ROUTER"}),
    SocketType.ROUTER: frozenset({b"REQ", b"DEALER", b"ROUTER"}),
    SocketType.PUSH: frozenset({b"PULL"}),
    SocketType.PULL: frozenset({b"PUSH"}),
    SocketType.PUB: frozenset({b"SUB", b"XSUB"}),
    SocketType.XPUB: frozenset({b"SUB", b"XSUB"}),
    SocketType.SUB: frozenset({b"PUB", b"XPUB"}),
    SocketType.XSUB: frozenset({b"PUB", b"XPUB"}),
    SocketType.PAIR: frozenset({b"PAIR"}),
}

_IDENTITY_TYPES: Final = frozenset({SocketType.REQ, SocketType.DEALER, SocketType.ROUTER})
_MAX_ROUTING_ID: Final = 255


@functools.lru_cache(maxsize=256)
def _own_properties(type_: int, routing_id: bytes) -> bytes:
    """The same for all connections of a socket."""
    own = add_property("Socket-Type", _NAMES[SocketType(type_)])
    return own + add_property("Identity", routing_id) if type_ in _IDENTITY_TYPES else own


class Mechanism:
    """Base of the mechanisms."""

    name: bytes

    def __init__(self, options: Options) -> None:
        self.options = options
        # What the peer told of itself.
        self.peer_routing_id = b""
        self.zmtp_properties: list[tuple[str, bytes]] = []

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        raise NotImplementedError

    def next_handshake_command(self) -> bytes | None:
        """The next command to send, or None if there is none now."""
        raise NotImplementedError

    def process_handshake_command(self, command: bytes) -> None:
        """Take a frame from the peer.

        Raises:
            MechanismError: the handshake has failed.
        """
        raise NotImplementedError

    def basic_properties(self) -> bytes:
        """What we tell of ourselves."""
        options = self.options
        own = _own_properties(options.type, options.routing_id)
        if not options.app_metadata:
            return own
        return own + b"".join(add_property(name, options.app_metadata[name]) for name in sorted(options.app_metadata))

    def parse_peer_metadata(self, data: bytes, protocol_error: int = 0) -> None:
        """Read what the peer tells of itself.

        Raises:
            MechanismError: it cannot be read, or its socket type is none of our peers'; with that event value.
        """
        try:
            properties = parse_metadata(data)
        except ValueError as error:
            raise MechanismError(f"metadata: {error}", protocol_error) from error
        for name, value in properties:
            if name == "Identity" and self.options.recv_routing_id:
                self._set_peer_routing_id(value, protocol_error)
            elif name == "Socket-Type" and value not in _PEERS.get(self.options.type, ()):
                own = _NAMES[SocketType(self.options.type)].decode()
                raise MechanismError(f"socket type {value!r} does not talk to {own}", protocol_error)
        self.zmtp_properties = properties

    def _set_peer_routing_id(self, routing_id: bytes, protocol_error: int) -> None:
        # RFC 37: at most 255 bytes, not beginning with a zero byte. libzmq checks neither, and so lets a peer take an
        # id that the socket has generated for another.
        if len(routing_id) > _MAX_ROUTING_ID or routing_id[:1] == b"\0":
            raise MechanismError(f"routing id {routing_id[:16]!r} of {len(routing_id)} bytes", protocol_error)
        self.peer_routing_id = routing_id
