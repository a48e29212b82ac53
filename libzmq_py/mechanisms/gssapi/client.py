# SPDX-License-Identifier: MPL-2.0
"""The side of GSSAPI that has a ticket.

Mirrors: src/gssapi_client.cpp, src/gssapi_client.hpp.
Departs: a ticket that cannot be had, or a server that cannot prove who it is, ends the connection at once, to be tried
again; libzmq says nothing and leaves both to the handshake timer.

    CALL_NEXT_INIT ──token──▶ RECV_NEXT_TOKEN          not complete yet
         ▲  └──token or an empty command──▶ RECV_READY ──READY──▶ SEND_READY ──READY──▶ CONNECTED
         └──token───────────────────┘
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from libzmq_py.mechanisms.gssapi.base import GssapiMechanismBase, refused
from libzmq_py.mechanisms.gssapi.context import ContextError
from libzmq_py.mechanisms.mechanism import Status, unexpected_command

if TYPE_CHECKING:
    from libzmq_py.mechanisms.gssapi.context import ContextFactory
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options


class State(enum.Enum):
    """How far the client's side has come."""

    CALL_NEXT_INIT = "asking Kerberos"
    RECV_NEXT_TOKEN = "waiting for a token"  # noqa: S105 - no password
    RECV_READY = "waiting for READY"
    SEND_READY = "sending READY"
    CONNECTED = "ready"


class GssapiClient(GssapiMechanismBase):
    """Sans-I/O, but for what Kerberos does."""

    role = "client"

    def __init__(
        self, options: Options, host: MechanismHost | None = None, contexts: ContextFactory | None = None
    ) -> None:
        super().__init__(options, host, contexts)
        self._state = State.CALL_NEXT_INIT
        # The server's.
        self._token = b""

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        return Status.READY if self._state is State.CONNECTED else Status.HANDSHAKING

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        return self._state.value

    def next_handshake_command(self) -> bytes | None:
        """Tokens, then READY once the server has said it.

        Raises:
            MechanismError: we have no ticket, or the server is not who it should be.
        """
        if self._state is State.CALL_NEXT_INIT:
            return self.produce_token(self._initialize_context())
        if self._state is State.SEND_READY:
            self._state = State.CONNECTED
            return self.produce_ready()
        return None

    def _initialize_context(self) -> bytes:
        """The next token for the server, perhaps none."""
        try:
            if self._context is None:
                self._context = self._contexts.initiate(self.options)
            token = self._context.step(self._token)
            self._state = State.RECV_READY if self._context.complete else State.RECV_NEXT_TOKEN
        except ContextError as error:
            raise refused("the server's token is refused" if self._token else "no ticket", error) from error
        return token

    def process_handshake_command(self, command: bytes) -> None:
        """Tokens, then READY, each in its turn.

        Raises:
            MechanismError: anything else.
        """
        if self._state is State.RECV_NEXT_TOKEN:
            self._token = self.process_token(command)
            self._state = State.CALL_NEXT_INIT
        elif self._state is State.RECV_READY:
            self.process_ready(command)
            self._state = State.SEND_READY
        else:
            raise unexpected_command(command)
