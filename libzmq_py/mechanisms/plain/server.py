# SPDX-License-Identifier: MPL-2.0
"""The side of PLAIN that asks the ZAP handler about a name and a password.

Mirrors: src/plain_server.cpp, src/plain_server.hpp.
Departs: ZAP_ENFORCE_DOMAIN without a domain refuses every peer; libzmq aborts the process.

Without a handler nobody comes in, whatever ZAP_ENFORCE_DOMAIN says: there is nobody else to know a password.
"""

from __future__ import annotations

from libzmq_py.constants import Event
from libzmq_py.mechanisms.mechanism import MechanismError, unexpected_command
from libzmq_py.mechanisms.plain import HELLO, INITIATE, LIBZMQ_ERROR, READY, WELCOME
from libzmq_py.mechanisms.zap_client import State, ZapClientCommonHandshake, no_handler


class PlainServer(ZapClientCommonHandshake):
    """Sans-I/O."""

    name = b"PLAIN"
    zap_reply_ok_state = State.SENDING_WELCOME

    def next_handshake_command(self) -> bytes | None:
        """WELCOME, READY or ERROR, each in its turn."""
        if self.state is State.SENDING_WELCOME:
            self.state = State.WAITING_FOR_INITIATE
            return WELCOME
        if self.state is State.SENDING_READY:
            self.state = State.READY
            return READY + self.basic_properties()
        if self.state is State.SENDING_ERROR:
            self.state = State.ERROR_SENT
            return LIBZMQ_ERROR + b"\3" + self.status_code
        return None

    def process_handshake_command(self, command: bytes) -> None:
        """HELLO, then INITIATE.

        Raises:
            MechanismError: anything else, or nobody can be asked about the peer.
        """
        if self.state is State.WAITING_FOR_HELLO:
            self._process_hello(command)
        elif self.state is State.WAITING_FOR_INITIATE:
            self._process_initiate(command)
        else:
            raise self.out_of_turn(command)

    def _process_hello(self, command: bytes) -> None:
        self.check_basic_command_structure(command)
        if not command.startswith(HELLO):
            raise unexpected_command(command)
        credentials = _read_credentials(command[len(HELLO) :])
        if self.options.zap_enforce_domain and not self.zap_required:
            raise no_handler("ZAP_ENFORCE_DOMAIN is set, but no ZAP_DOMAIN")
        if not self.zap_connect():
            raise no_handler("no ZAP handler to ask about the user")
        self.state = State.WAITING_FOR_ZAP_REPLY
        self.send_zap_request(credentials)
        self.receive_and_process_zap_reply()

    def _process_initiate(self, command: bytes) -> None:
        if not command.startswith(INITIATE):
            raise unexpected_command(command)
        self.parse_peer_metadata(command[len(INITIATE) :])
        self.state = State.SENDING_READY


def _read_credentials(data: bytes) -> tuple[bytes, bytes]:
    """User name and password, each with its length, and nothing behind them."""
    name_end = 1 + data[0] if data else 1
    if len(data) <= name_end or len(data) != name_end + 1 + data[name_end]:
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO
        raise MechanismError(f"HELLO of {len(data)} bytes does not hold a name and a password", code)
    return data[1:name_end], data[name_end + 1 :]
