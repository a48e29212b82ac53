# SPDX-License-Identifier: MPL-2.0
"""What an engine and its session know of each other.

Mirrors: src/i_engine.hpp, and the half of src/session_base.hpp that engines call.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from libzmq_py.msg import Message

if TYPE_CHECKING:
    from libzmq_py.core.mailbox import Mailbox, Wakeable
    from libzmq_py.endpoint import EndpointUriPair
    from libzmq_py.options import Options


class ErrorReason(enum.Enum):
    """Why an engine ended; it decides whether a connecting session tries again."""

    PROTOCOL_ERROR = "protocol error"
    CONNECTION_ERROR = "connection error"
    TIMEOUT_ERROR = "timeout"


class ProtocolError(Exception):
    """The peer sent what its pattern does not allow."""


class HandshakeFailure(NamedTuple):
    """Why a connection did not come to be. Holds no key and no password; ``str`` makes a line of it. (Not in pyzmq.)

    Attributes:
        time: When, in seconds since the epoch.
        endpoint: Where we are bound or connect to.
        peer_address: Where the peer is; of ipc peers ``:uid:gid:pid``.
        mechanism: Ours: "NULL", "PLAIN", "CURVE" ...
        role: Ours: "client", "server"; empty where the sides are alike, or before it mattered.
        offered: The peer's mechanism; empty if it has not said.
        step: What was being waited for.
        event: The monitor event that told of it (a member of ``Event``), 0 if there was none.
        value: Its value: an errno, a protocol error (``Event.PROTOCOL_ERROR_...``), a ZAP status.
        reason: In words.
    """

    time: float
    endpoint: str
    peer_address: str
    mechanism: str
    role: str
    offered: str
    step: str
    event: int
    value: int
    reason: str

    def __str__(self) -> str:
        peer = self.peer_address or "unknown"
        offered = f", it offers {self.offered}" if self.offered else ""
        role = f" {self.role}" if self.role else ""
        text = f"{self.endpoint}, peer {peer}: we are {self.mechanism}{role}{offered}; {self.step}: {self.reason}"
        # Parts of it are the peer's: they must not end a line of a log, nor reach a terminal as they are.
        return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SocketEvents(Protocol):
    """The events an engine reports on its socket's monitor. Any thread."""

    def event_disconnected(self, pair: EndpointUriPair, fd: int) -> None:
        """The connection has ended."""

    def event_handshake_failed_no_detail(self, pair: EndpointUriPair, err: int) -> None:
        """The handshake ended with the connection."""

    def event_handshake_succeeded(self, pair: EndpointUriPair, err: int) -> None:
        """The handshake is complete."""

    def event_handshake_failed_protocol(self, pair: EndpointUriPair, code: int) -> None:
        """The peer broke the protocol."""

    def event_handshake_failed_auth(self, pair: EndpointUriPair, code: int) -> None:
        """One side refused the other."""

    def handshake_failure(self, failure: HandshakeFailure) -> None:
        """A connection did not come to be: what a person wants to know of it (no event of libzmq's)."""


class EngineHost(Protocol):
    """A session, as its engine sees it. Same thread."""

    options: Options

    @property
    def socket_events(self) -> SocketEvents:
        """The socket's monitor."""

    @property
    def zap_enabled(self) -> bool:
        """True if this socket's security asks for more than ZMTP 1 and 2 have."""

    def zap_connect(self) -> bool:
        """Reach the ZAP handler; False if there is none."""

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        """Ask the ZAP handler."""

    def read_zap_msg(self) -> list[bytes] | None:
        """The ZAP handler's reply, None if there is none yet.

        Raises:
            ConnectionError: it has gone and will not answer.
        """

    def engine_ready(self) -> None:
        """The peer may now be shown to the socket."""

    def engine_error(self, handshaked: bool, reason: ErrorReason) -> None:
        """The engine has ended; it must not be used any more."""

    def set_metadata(self, metadata: Mapping[str, str] | None) -> None:
        """Properties of the connection, for messages pushed from now on."""

    def set_direct_output(self, write: Callable[[], bool] | None) -> None:
        """Offer the engine's `write_direct` to the socket's thread; None takes it back."""

    def offer_input(self, offered: bool, always: bool = False) -> None:
        """The engine would let the socket's thread read (`lend_input`), or would not.

        `always`: not only in a conversation of REQ and REP.
        """

    def request_input(self, mailbox: Mailbox | None) -> None:
        """Have `lend_input` called, or (None) `reclaim_input`. Any thread."""

    def pull_msgs(self, limit: int) -> list[Message]:
        """Up to `limit` messages to send; none means that `restart_output` will be called."""

    def push_msgs(self, msgs: list[Message]) -> int:
        """Messages received, to be read at once; how many were taken. Fewer: `restart_input` will be called.

        Raises:
            ProtocolError: a message breaks the rules of the pattern.
        """

    def push_routing_id(self, routing_id: bytes) -> bool:
        """The peer's routing id, before any message; False if it cannot be taken."""

    def flush(self) -> None:
        """What was pushed may be read."""


class Engine(Protocol):
    """An engine, as its session sees it. Same thread."""

    endpoint_uri_pair: EndpointUriPair

    def has_handshake_stage(self) -> bool:
        """False if the engine is ready at once (raw)."""

    def plug(self, io_thread: Any, session: EngineHost) -> None:
        """Start."""

    def terminate(self) -> None:
        """Close the connection without telling anybody."""

    def restart_input(self) -> None:
        """The session takes messages again."""

    def restart_output(self) -> None:
        """The session has messages to send again."""

    def lend_input(self, mailbox: Mailbox, pipe: Wakeable) -> None:
        """Let the thread of `mailbox` read, into `pipe`, while it waits."""

    def reclaim_input(self) -> None:
        """Read again."""

    def zap_msg_available(self) -> None:
        """The ZAP handler has answered, or gone."""
