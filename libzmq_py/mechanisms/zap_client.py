# SPDX-License-Identifier: MPL-2.0
"""Asking the application whether a peer may come in (RFC 27, ZAP 1.0).

Mirrors: src/zap_client.cpp, src/zap_client.hpp.
Departs: a handler that goes before it has answered, or answers twice, ends the connection at once; in libzmq the first
waits for the handshake timer and the second aborts the process.  The text of a refusal is kept for people.

A request and a reply are one message each, over the inproc pipe that the session opens to the handler:

    request   (empty) 1.0 id domain address identity mechanism credentials...
    reply     (empty) 1.0 id status text user-id metadata

`identity` is this socket's own routing id, as in libzmq: the peer's is not known yet.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from libzmq_py.constants import Event
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status

if TYPE_CHECKING:
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options

_VERSION: Final = b"1.0"
# One request is under way per connection, so one id does; libzmq's.
_REQUEST_ID: Final = b"1"
_REPLY_FRAMES: Final = 7
_STATUS: Final = (b"200", b"300", b"400", b"500")
_SUCCESS: Final = b"200"
_TEMPORARY: Final = b"300"
_USER_ID: Final = "User-Id"


class ZapClient(Mechanism):
    """Base of the mechanisms that ask a ZAP handler."""

    status_code = b""

    @property
    def zap_required(self) -> bool:
        """True if a domain is set: the handler is to be asked about every peer."""
        return bool(self.options.zap_domain)

    def zap_connect(self) -> bool:
        """Reach the handler; False if there is none."""
        return self._host is not None and self._host.zap_connect()

    def send_zap_request(self, credentials: Sequence[bytes]) -> None:
        """Ask, once `zap_connect` has succeeded."""
        host, options = self._host, self.options
        if host is None:
            raise AssertionError("zap_connect() has found a host")
        host.write_zap_msg(
            (
                b"",
                _VERSION,
                _REQUEST_ID,
                options.zap_domain,
                host.peer_address.encode(),
                options.routing_id,
                self.name,
                *credentials,
            )
        )

    def receive_and_process_zap_reply(self) -> bool:
        """Take the reply if it is there; False if it is not.

        Raises:
            MechanismError: it is none, or the handler has gone.
        """
        if self._host is None:
            raise AssertionError("zap_connect() has found a host")
        try:
            frames = self._host.read_zap_msg()
        except ConnectionError as error:
            raise no_handler("the ZAP handler has gone without an answer") from error
        if frames is None:
            return False
        self._process_zap_reply(frames)
        return True

    def check_silence(self) -> None:
        """The handler was heard of while no reply is waited for. It may go, but not speak.

        Raises:
            MechanismError: it has spoken.
        """
        if self._host is None:
            raise AssertionError("zap_connect() has found a host")
        try:
            frames = self._host.read_zap_msg()
        except ConnectionError:
            return
        if frames is not None:
            raise MechanismError("the ZAP handler has answered a second time")

    def _process_zap_reply(self, frames: list[bytes]) -> None:
        if len(frames) != _REPLY_FRAMES:
            raise _bad_reply(f"{len(frames)} frames instead of 7", Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY)
        delimiter, version, request_id, status, text, user_id, metadata = frames
        if delimiter:
            raise _bad_reply("no delimiter", Event.PROTOCOL_ERROR_ZAP_UNSPECIFIED)
        if version != _VERSION:
            raise _bad_reply(f"version {version[:8]!r}", Event.PROTOCOL_ERROR_ZAP_BAD_VERSION)
        if request_id != _REQUEST_ID:
            raise _bad_reply(f"request id {request_id[:8]!r}", Event.PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID)
        if status not in _STATUS:
            raise _bad_reply(f"status {status[:8]!r}", Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE)
        code = Event.PROTOCOL_ERROR_ZAP_INVALID_METADATA
        try:
            properties = self._parse_metadata(metadata, code)
        except MechanismError as error:
            raise _bad_reply(str(error), code) from error
        # The first of a name counts, so metadata cannot forge a user id.
        self.zap_properties = ((_USER_ID, user_id), *properties)
        self.status_code = status
        self.handle_zap_status_code(text.decode("utf-8", "backslashreplace")[:255])

    def handle_zap_status_code(self, text: str) -> None:
        """Report a refusal."""
        if self.status_code != _SUCCESS:
            if self._host is None:
                raise AssertionError("zap_connect() has found a host")
            self._host.zap_refused(int(self.status_code), text)


class State(enum.Enum):
    """How far the server's side of a handshake has come."""

    WAITING_FOR_HELLO = "waiting for HELLO"
    SENDING_WELCOME = "sending WELCOME"
    WAITING_FOR_INITIATE = "waiting for INITIATE"
    WAITING_FOR_ZAP_REPLY = "waiting for the ZAP handler"
    SENDING_READY = "sending READY"
    SENDING_ERROR = "sending ERROR"
    ERROR_SENT = "refused"
    READY = "ready"


class ZapClientCommonHandshake(ZapClient):
    """What the servers of PLAIN and CURVE share.

        WAITING_FOR_ZAP_REPLY ──200──▶ `zap_reply_ok_state`
             └──300──▶ ERROR_SENT ◀── SENDING_ERROR ◀──400, 500──┘
    """

    role = "server"
    zap_reply_ok_state: State

    def __init__(self, options: Options, host: MechanismHost | None = None) -> None:
        super().__init__(options, host)
        self.state = State.WAITING_FOR_HELLO

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        if self.state is State.READY:
            return Status.READY
        return Status.ERROR if self.state is State.ERROR_SENT else Status.HANDSHAKING

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        return self.state.value

    @property
    def refusal(self) -> bytes:
        """The status of our refusal."""
        return self.status_code if self.state is State.ERROR_SENT else b""

    def zap_msg_available(self) -> None:
        """The handler has answered, or gone.

        Raises:
            MechanismError: the answer is none, or comes when none is waited for.
        """
        if self.state is State.WAITING_FOR_ZAP_REPLY:
            self.receive_and_process_zap_reply()
        else:
            self.check_silence()

    def handle_zap_status_code(self, text: str) -> None:
        """Report a refusal, and go where the status leads."""
        super().handle_zap_status_code(text)
        if self.status_code == _SUCCESS:
            self.state = self.zap_reply_ok_state
        else:
            # A temporary failure has no ERROR, which would keep the peer from trying again.
            self.state = State.ERROR_SENT if self.status_code == _TEMPORARY else State.SENDING_ERROR

    def out_of_turn(self, command: bytes) -> MechanismError:
        """A command while none is waited for."""
        name = command[1 : 1 + min(command[0], 16)] if command else b""
        return MechanismError(f"command {name!r} while {self.state.value}", Event.PROTOCOL_ERROR_ZMTP_UNSPECIFIED)


def no_handler(reason: str) -> MechanismError:
    """Nobody can be asked about the peer (libzmq: EFAULT)."""
    return MechanismError(reason, error=errno.EFAULT)


def _bad_reply(what: str, code: int) -> MechanismError:
    return MechanismError(f"bad ZAP reply: {what}", code)
