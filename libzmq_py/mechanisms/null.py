# SPDX-License-Identifier: MPL-2.0
"""No security: both peers say READY and what they are (RFC 23 and 37, "The NULL Security Mechanism").

Mirrors: src/null_mechanism.cpp, src/null_mechanism.hpp.
Departs: a peer that must be asked about when there is nobody to ask is refused at once (ZAP_ENFORCE_DOMAIN); libzmq
leaves the connection to its handshake timer.

    ready_sent and ready_received: READY; something sent and something received otherwise: ERROR

With ZAP_DOMAIN set, and a handler there, READY waits for its reply; a refusal sends ERROR in its place (nothing for
status 300).  The peer is asked about by its address alone.
"""

from __future__ import annotations

import functools
from typing import Final

from libzmq_py.mechanisms.mechanism import Status, refused_by_peer, unexpected_command
from libzmq_py.mechanisms.zap_client import ZapClient, no_handler
from libzmq_py.options import Options

_READY: Final = b"\x05READY"
_ERROR: Final = b"\x05ERROR"


class NullMechanism(ZapClient):
    """Sans-I/O. Both sides are alike and may speak at once."""

    name = b"NULL"

    # Defaults on the class, as all of them are true for a moment only, or never.
    _ready_sent = False
    _error_sent = False
    _ready_received = False
    _error_received = False
    _zap_request_sent = False
    _zap_reply_received = False

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        if self._ready_sent and self._ready_received:
            return Status.READY
        sent = self._ready_sent or self._error_sent
        received = self._ready_received or self._error_received
        return Status.ERROR if sent and received else Status.HANDSHAKING

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        if self._zap_request_sent and not self._zap_reply_received:
            return "waiting for the ZAP handler"
        return "waiting for READY" if self._ready_sent else self.status.value

    @property
    def refusal(self) -> bytes:
        """The status of our refusal."""
        return self.status_code if self._error_sent else b""

    def next_handshake_command(self) -> bytes | None:
        """READY or ERROR, once.

        Raises:
            MechanismError: nobody can be asked about the peer.
        """
        if self._ready_sent or self._error_sent or not self._permission_known():
            return None
        if self._zap_reply_received and self.status_code != b"200":
            self._error_sent = True
            return None if self.status_code == b"300" else _ERROR + b"\3" + self.status_code
        self._ready_sent = True
        return _READY + self.basic_properties()

    def _permission_known(self) -> bool:
        """False while the ZAP handler has not answered."""
        if not self.zap_required or self._zap_reply_received:
            return True
        if self._zap_request_sent:
            return False
        if not self.zap_connect():
            if self.options.zap_enforce_domain:
                raise no_handler("no ZAP handler to ask about the peer (ZAP_ENFORCE_DOMAIN)")
            return True
        self._zap_request_sent = True
        self.send_zap_request(())
        self._zap_reply_received = self.receive_and_process_zap_reply()
        return self._zap_reply_received

    def zap_msg_available(self) -> None:
        """The handler has answered, or gone.

        Raises:
            MechanismError: the answer is none, or comes when none is waited for.
        """
        if self._zap_request_sent and not self._zap_reply_received:
            self._zap_reply_received = self.receive_and_process_zap_reply()
        else:
            self.check_silence()

    def after_handshake(self) -> NullMechanism:
        """One for all connections whose peers nobody was asked about."""
        return self if self._zap_request_sent else _spent()

    def process_handshake_command(self, command: bytes) -> None:
        """READY or ERROR, once.

        Raises:
            MechanismError: anything else, or a READY that says something wrong.
        """
        if self._ready_received or self._error_received:
            raise unexpected_command(command)
        if command.startswith(_READY):
            self._ready_received = True
            self.parse_peer_metadata(command[len(_READY) :])
        elif command.startswith(_ERROR):
            refusal = refused_by_peer(command[len(_ERROR) :])
            self._error_received = not refusal.protocol_error
            raise refusal
        else:
            raise unexpected_command(command)


@functools.cache
def _spent() -> NullMechanism:
    """One that has come through its handshake."""
    mechanism = NullMechanism(Options())
    mechanism._ready_sent = mechanism._ready_received = True
    return mechanism
