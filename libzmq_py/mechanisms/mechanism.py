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
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from libzmq_py.constants import Event, SocketType
from libzmq_py.metadata import add_property, parse_metadata

if TYPE_CHECKING:
    from libzmq_py.options import Options


class Status(enum.Enum):
    """How far the handshake has come."""

    HANDSHAKING = "handshaking"
    READY = "ready"
    ERROR = "error"


class MechanismError(Exception):
    """The handshake has failed: close the connection, do not try again. Its text never holds a key or a password."""

    def __init__(
        self, reason: str, protocol_error: int = 0, auth_status: int = 0, error: int = 0, try_again: bool = False
    ) -> None:
        """`protocol_error`, `auth_status`, `error`: which monitor event, by its value (PROTOCOL, AUTH, NO_DETAIL).

        `try_again`: with `error`; the fault is ours and may pass, so the connecting side connects anew.
        """
        super().__init__(reason)
        self.protocol_error = protocol_error
        self.auth_status = auth_status
        self.error = error
        self.try_again = try_again


class MechanismHost(Protocol):
    """The connection, as its mechanism sees it. Same thread."""

    @property
    def peer_address(self) -> str:
        """Where the peer is, for the ZAP handler: an IP address, or `:uid:gid:pid`."""

    def zap_connect(self) -> bool:
        """Reach the ZAP handler; False if there is none."""

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        """Ask it."""

    def read_zap_msg(self) -> list[bytes] | None:
        """Its reply, None if there is none yet.

        Raises:
            ConnectionError: it has gone and will not answer.
        """

    def zap_refused(self, status: int, text: str) -> None:
        """It has refused the peer (300, 400, 500)."""

    def encoding_failed(self, error: MechanismError) -> None:
        """What the mechanism's encoder was given cannot be sealed: end the connection, but not from within this call.

        In whatever thread sends.
        """


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
# An unauthenticated peer must not fill our memory with names. libzmq itself sends two and what METADATA adds.
_MAX_PROPERTIES: Final = 256
# What a peer says of itself is remembered up to this size (bytes): strangers must not fill memory.
_KNOWN_SIZE: Final = 256
# What only a ZAP handler, and we, can know of a peer.
_NOT_FOR_PEERS: Final = frozenset({"user-id", "peer-address", "__fd"})
_ZAP_STATUS: Final = {b"300": 300, b"400": 400, b"500": 500}


def _read_peer(data: bytes, own_type: int) -> tuple[tuple[tuple[str, bytes], ...], tuple[bytes, ...]]:
    """What a peer of a socket of `own_type` says of itself, and which of that are routing ids.

    Raises:
        ValueError: it cannot be read, or the two types do not talk to each other.
    """
    try:
        properties = tuple(parse_metadata(data))
    except ValueError as error:
        raise ValueError(f"metadata: {error}") from error
    if len(properties) > _MAX_PROPERTIES:
        raise ValueError(f"metadata of {len(properties)} properties")
    for name, value in properties:
        if name == "Socket-Type" and value not in _PEERS.get(own_type, ()):
            raise ValueError(f"socket type {value[:16]!r} does not talk to {_NAMES[SocketType(own_type)].decode()}")
    return properties, tuple(value for name, value in properties if name == "Identity")


# Once for all peers that say the same, which most peers of a socket do.
_read_known_peer = functools.lru_cache(maxsize=256)(_read_peer)


@functools.lru_cache(maxsize=256)
def _own_properties(type_: int, routing_id: bytes) -> bytes:
    """The same for all connections of a socket."""
    own = add_property("Socket-Type", _NAMES[SocketType(type_)])
    return own + add_property("Identity", routing_id) if type_ in _IDENTITY_TYPES else own


class Mechanism:
    """Base of the mechanisms."""

    name: bytes
    #: "client" or "server" where the two sides differ.
    role = ""
    # What the peer told of itself.
    peer_routing_id = b""
    zmtp_properties: Sequence[tuple[str, bytes]] = ()
    # What the ZAP handler told of it.
    zap_properties: Sequence[tuple[str, bytes]] = ()

    def __init__(self, options: Options, host: MechanismHost | None = None) -> None:
        """`host`: None where nothing is to be asked of it."""
        self.options = options
        self._host = host

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        raise NotImplementedError

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        return self.status.value

    @property
    def refusal(self) -> bytes:
        """The ZAP status if it is we who refuse the peer, as soon as there is no more to be sent; else empty."""
        return b""

    def next_handshake_command(self) -> bytes | None:
        """The next command to send, or None if there is none now."""
        raise NotImplementedError

    def process_handshake_command(self, command: bytes) -> None:
        """Take a frame from the peer.

        Raises:
            MechanismError: the handshake has failed.
        """
        raise NotImplementedError

    def zap_msg_available(self) -> None:
        """The ZAP handler has answered, or gone.

        Raises:
            MechanismError: the answer cannot be used, or was not asked for.
        """
        raise MechanismError("an answer from the ZAP handler that nobody asked for")

    def secure(self, encoder: Any, decoder: Any, downgrade_sub: bool) -> tuple[Any, Any]:
        """What is to encode and decode once the handshake is over, in place of the framing's own pair.

        Args:
            encoder: of the version of ZMTP spoken.
            decoder: the same, with what it may have been fed already.
            downgrade_sub: the peer speaks 3.0, where subscriptions are messages.
        """
        return encoder, decoder

    def after_handshake(self) -> Mechanism:
        """What a connection that is ready is to keep: this mechanism, or one that serves many connections."""
        return self

    @property
    def holds_cookie(self) -> bool:
        """True while the peer has something from us that must not be good for ever; see `forget_cookie`."""
        return False

    def forget_cookie(self) -> None:
        """It has expired."""

    def destroy(self) -> None:
        """The connection has ended: forget secrets."""

    def check_basic_command_structure(self, command: bytes) -> None:
        """A command has a name, and more than nothing behind its length.

        Raises:
            MechanismError: MALFORMED_COMMAND_UNSPECIFIED.
        """
        if len(command) <= 1 or len(command) <= command[0]:
            code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
            raise MechanismError(f"malformed command of {len(command)} bytes", code)

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
        told = self._parse_metadata(data, protocol_error)
        self.zmtp_properties = tuple(item for item in told if item[0].lower() not in _NOT_FOR_PEERS)

    def _parse_metadata(self, data: bytes, protocol_error: int) -> Sequence[tuple[str, bytes]]:
        options = self.options
        read = _read_known_peer if len(data) <= _KNOWN_SIZE else _read_peer
        try:
            properties, routing_ids = read(data, options.type)
        except ValueError as error:
            raise MechanismError(str(error), protocol_error) from error
        if options.recv_routing_id:
            for routing_id in routing_ids:
                self._set_peer_routing_id(routing_id, protocol_error)
        return properties

    def _set_peer_routing_id(self, routing_id: bytes, protocol_error: int) -> None:
        # RFC 37: at most 255 bytes, not beginning with a zero byte. libzmq checks neither, and so lets a peer take an
        # id that the socket has generated for another.
        if len(routing_id) > _MAX_ROUTING_ID or routing_id[:1] == b"\0":
            raise MechanismError(f"routing id {routing_id[:16]!r} of {len(routing_id)} bytes", protocol_error)
        self.peer_routing_id = routing_id


def refused_by_peer(data: bytes) -> MechanismError:
    """What the body of an ERROR command (a reason with its length) means: the peer's ZAP handler refuses us, or so."""
    if not data or len(data) - 1 < data[0]:
        return MechanismError("malformed ERROR", Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR)
    reason = data[1 : 1 + data[0]]
    return MechanismError(f"the peer refused: {reason!r}", auth_status=_ZAP_STATUS.get(reason, 0))


def unexpected_command(command: bytes) -> MechanismError:
    """A command that does not belong here; its name is shown, and nothing else of it."""
    name = command[1 : 1 + min(command[0], 16)] if command else b""
    return MechanismError(f"unexpected command {name!r}", Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND)
