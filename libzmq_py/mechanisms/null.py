# SPDX-License-Identifier: MPL-2.0
"""No security: both peers say READY and what they are (RFC 23 and 37, "The NULL Security Mechanism").

Mirrors: src/null_mechanism.cpp, src/null_mechanism.hpp.

    ready_sent and ready_received: READY; something sent and something received otherwise: ERROR
"""

from __future__ import annotations

from typing import Final

from libzmq_py.constants import Event
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status

_READY: Final = b"\x05READY"
_ERROR: Final = b"\x05ERROR"
_STATUS_CODES: Final = {b"300": 300, b"400": 400, b"500": 500}


class NullMechanism(Mechanism):
    """Sans-I/O. Both sides are alike and may speak at once."""

    name = b"NULL"

    _ready_sent = False
    _ready_received = False
    _error_received = False

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        if self._ready_sent and self._ready_received:
            return Status.READY
        if self._ready_sent and self._error_received:
            return Status.ERROR
        return Status.HANDSHAKING

    def next_handshake_command(self) -> bytes | None:
        """READY, once."""
        if self._ready_sent:
            return None
        self._ready_sent = True
        return _READY + self.basic_properties()

    def process_handshake_command(self, command: bytes) -> None:
        """READY or ERROR, once.

        Raises:
            MechanismError: anything else, or a READY that says something wrong.
        """
        if self._ready_received or self._error_received:
            raise MechanismError("a second command", Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND)
        if command.startswith(_READY):
            self._ready_received = True
            self.parse_peer_metadata(command[len(_READY) :])
        elif command.startswith(_ERROR):
            self._process_error(command[len(_ERROR) :])
        else:
            raise MechanismError(f"command {command[:16]!r}", Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND)

    def _process_error(self, data: bytes) -> None:
        if not data or len(data) - 1 < data[0]:
            raise MechanismError("malformed ERROR", Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR)
        self._error_received = True
        reason = data[1 : 1 + data[0]]
        raise MechanismError(f"the peer refused: {reason!r}", auth_status=_STATUS_CODES.get(reason, 0))
