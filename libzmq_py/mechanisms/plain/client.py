# SPDX-License-Identifier: MPL-2.0
"""The side of PLAIN that has a name and a password.

Mirrors: src/plain_client.cpp, src/plain_client.hpp.
Departs: an ERROR as the RFC writes it is understood too (see `plain`).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from libzmq_py.constants import Event
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status, refused_by_peer, unexpected_command
from libzmq_py.mechanisms.plain import ERROR, HELLO, INITIATE, LIBZMQ_ERROR, READY, WELCOME

if TYPE_CHECKING:
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options


class State(enum.Enum):
    """How far the client's side has come."""

    SENDING_HELLO = "sending HELLO"
    WAITING_FOR_WELCOME = "waiting for WELCOME"
    SENDING_INITIATE = "sending INITIATE"
    WAITING_FOR_READY = "waiting for READY"
    ERROR_COMMAND_RECEIVED = "refused by the peer"
    READY = "ready"


class PlainClient(Mechanism):
    """Sans-I/O."""

    name = b"PLAIN"
    role = "client"

    def __init__(self, options: Options, host: MechanismHost | None = None) -> None:
        super().__init__(options, host)
        self._state = State.SENDING_HELLO

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        if self._state is State.READY:
            return Status.READY
        return Status.ERROR if self._state is State.ERROR_COMMAND_RECEIVED else Status.HANDSHAKING

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        return self._state.value

    def next_handshake_command(self) -> bytes | None:
        """HELLO, and INITIATE once we are welcome."""
        if self._state is State.SENDING_HELLO:
            self._state = State.WAITING_FOR_WELCOME
            username, password = self.options.plain_username, self.options.plain_password
            return b"".join((HELLO, bytes([len(username)]), username, bytes([len(password)]), password))
        if self._state is State.SENDING_INITIATE:
            self._state = State.WAITING_FOR_READY
            return INITIATE + self.basic_properties()
        return None

    def process_handshake_command(self, command: bytes) -> None:
        """WELCOME, READY or ERROR, each in its turn.

        Raises:
            MechanismError: anything else, or we are refused.
        """
        if command.startswith(WELCOME):
            self._process_welcome(command)
        elif command.startswith(READY):
            self._process_ready(command)
        elif command.startswith((ERROR, LIBZMQ_ERROR)):
            self._process_error(command)
        else:
            raise unexpected_command(command)

    def _process_welcome(self, command: bytes) -> None:
        if self._state is not State.WAITING_FOR_WELCOME:
            raise unexpected_command(command)
        if command != WELCOME:
            code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME
            raise MechanismError(f"WELCOME of {len(command)} bytes", code)
        self._state = State.SENDING_INITIATE

    def _process_ready(self, command: bytes) -> None:
        if self._state is not State.WAITING_FOR_READY:
            raise unexpected_command(command)
        self.parse_peer_metadata(command[len(READY) :], Event.PROTOCOL_ERROR_ZMTP_INVALID_METADATA)
        self._state = State.READY

    def _process_error(self, command: bytes) -> None:
        if self._state not in (State.WAITING_FOR_WELCOME, State.WAITING_FOR_READY):
            raise unexpected_command(command)
        prefix = ERROR if command.startswith(ERROR) else LIBZMQ_ERROR
        refusal = refused_by_peer(command[len(prefix) :])
        if not refusal.protocol_error:
            self._state = State.ERROR_COMMAND_RECEIVED
        raise refusal
