# SPDX-License-Identifier: MPL-2.0
"""The side of GSSAPI that has a key of Kerberos, and asks the ZAP handler about the client's principal.

Mirrors: src/gssapi_server.cpp, src/gssapi_server.hpp.
Departs: only 200 from the ZAP handler lets a peer in, and the connection of one who is refused is closed at once;
libzmq 4.3.5 goes on whatever the handler says.  ZAP_ENFORCE_DOMAIN without a handler lets nobody in; libzmq ignores it.
A token that is refused, or a keytab that is missing, ends the connection at once; libzmq leaves both to the handshake
timer.

    RECV_NEXT_TOKEN ──token──▶ SEND_NEXT_TOKEN ──token or an empty command──▶ RECV_NEXT_TOKEN
         └──anything, once complete──▶ EXPECT_ZAP_REPLY ──200──▶ SEND_READY ──READY──▶ RECV_READY ──READY──▶ CONNECTED
                     │                      └──300, 400, 500──▶ CLOSING        ▲
                     └──no handler─────────────────────────────────────────────┘
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from libzmq_py.mechanisms.gssapi.base import GssapiMechanismBase, refused
from libzmq_py.mechanisms.gssapi.context import ContextError
from libzmq_py.mechanisms.mechanism import Status, unexpected_command
from libzmq_py.mechanisms.zap_client import ZapClient, no_handler

if TYPE_CHECKING:
    from libzmq_py.mechanisms.gssapi.context import ContextFactory, SecurityContext
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options

_SUCCESS: Final = b"200"


class State(enum.Enum):
    """How far the server's side has come."""

    RECV_NEXT_TOKEN = "waiting for a token"  # noqa: S105 - no password
    SEND_NEXT_TOKEN = "sending a token"  # noqa: S105 - no password
    EXPECT_ZAP_REPLY = "waiting for the ZAP handler"
    SEND_READY = "sending READY"
    RECV_READY = "waiting for READY"
    CONNECTED = "ready"
    CLOSING = "refused"


class GssapiServer(GssapiMechanismBase, ZapClient):
    """Sans-I/O, but for what Kerberos does."""

    role = "server"

    def __init__(
        self, options: Options, host: MechanismHost | None = None, contexts: ContextFactory | None = None
    ) -> None:
        super().__init__(options, host, contexts)
        self._state = State.RECV_NEXT_TOKEN
        self._established = False
        # Ours, to be sent.
        self._token = b""

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        if self._state is State.CONNECTED:
            return Status.READY
        return Status.ERROR if self._state is State.CLOSING else Status.HANDSHAKING

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        return self._state.value

    def next_handshake_command(self) -> bytes | None:
        """Tokens, then READY.

        Raises:
            MechanismError: READY cannot be sealed.
        """
        if self._state is State.SEND_NEXT_TOKEN:
            self._state = State.RECV_NEXT_TOKEN
            return self.produce_token(self._token)
        if self._state is State.SEND_READY:
            self._state = State.RECV_READY
            return self.produce_ready()
        return None

    def process_handshake_command(self, command: bytes) -> None:
        """Tokens, then a sign that the client is done, then READY.

        Raises:
            MechanismError: anything else, or the client is not who it says, or nobody can be asked about it.
        """
        if self._state is State.RECV_READY:
            self.process_ready(command)
            self._state = State.CONNECTED
        elif self._state is not State.RECV_NEXT_TOKEN:
            raise unexpected_command(command)
        elif self._established:
            self._ask()
        else:
            self._accept_context(self.process_token(command))

    def _accept_context(self, token: bytes) -> None:
        context = self._context or self._acquire()
        try:
            self._token = context.step(token)
            self._established = context.complete
        except ContextError as error:
            raise refused("the client's token is refused", error) from error
        self._state = State.SEND_NEXT_TOKEN

    def _acquire(self) -> SecurityContext:
        try:
            self._context = self._contexts.accept(self.options)
        except ContextError as error:
            raise refused("no key", error) from error
        return self._context

    def _ask(self) -> None:
        """Ask the ZAP handler, if there is one; without one everybody with a ticket comes in."""
        if self.zap_connect():
            self._state = State.EXPECT_ZAP_REPLY
            self.send_zap_request((self._principal(),))
            self.receive_and_process_zap_reply()
        elif self.options.zap_enforce_domain:
            raise no_handler("no ZAP handler to ask about the principal (ZAP_ENFORCE_DOMAIN)")
        else:
            self._state = State.SEND_READY

    def _principal(self) -> bytes:
        try:
            return self._made_context().initiator
        except ContextError as error:
            raise refused("a client without a name", error) from error

    def zap_msg_available(self) -> None:
        """The handler has answered, or gone.

        Raises:
            MechanismError: the answer is none, or comes when none is waited for.
        """
        if self._state is State.EXPECT_ZAP_REPLY:
            self.receive_and_process_zap_reply()
        else:
            self.check_silence()

    def handle_zap_status_code(self, text: str) -> None:
        """Report a refusal, and go where the status leads. GSSAPI has no ERROR: the peer sees the connection end."""
        super().handle_zap_status_code(text)
        self._state = State.SEND_READY if self.status_code == _SUCCESS else State.CLOSING
