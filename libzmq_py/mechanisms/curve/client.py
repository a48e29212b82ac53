# SPDX-License-Identifier: MPL-2.0
"""The side of CURVE that knows the server's public key.

Mirrors: src/curve_client.cpp, src/curve_client.hpp, src/curve_client_tools.hpp.
Departs: WELCOME and READY are taken in their turn only; libzmq takes them at any time.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from libzmq_py.constants import Event
from libzmq_py.mechanisms.curve.base import CurveMechanismBase, cryptographic
from libzmq_py.mechanisms.curve.crypto import BoxError, Secret, beforenm, keypair, open_box, random_bytes, seal_box
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status, refused_by_peer, unexpected_command

if TYPE_CHECKING:
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options

_WELCOME: Final = b"\x07WELCOME"
_READY: Final = b"\x05READY"
_ERROR: Final = b"\x05ERROR"
_WELCOME_SIZE: Final = 168
_READY_MIN_SIZE: Final = 30


class State(enum.Enum):
    """How far the client's side has come."""

    SEND_HELLO = "sending HELLO"
    EXPECT_WELCOME = "waiting for WELCOME"
    SEND_INITIATE = "sending INITIATE"
    EXPECT_READY = "waiting for READY"
    ERROR_RECEIVED = "refused by the peer"
    CONNECTED = "ready"


class CurveClient(CurveMechanismBase, Mechanism):
    """Sans-I/O."""

    name = b"CURVE"
    role = "client"
    encode_prefix = b"CurveZMQMESSAGEC"
    decode_prefix = b"CurveZMQMESSAGES"

    def __init__(self, options: Options, host: MechanismHost | None = None) -> None:
        Mechanism.__init__(self, options, host)
        CurveMechanismBase.__init__(self)
        self._state = State.SEND_HELLO
        self._cn_public, self._cn_secret = keypair()
        # Of the connection, from WELCOME.
        self._cn_server = b""
        self._cn_cookie = b""

    @property
    def status(self) -> Status:
        """How far the handshake has come."""
        if self._state is State.CONNECTED:
            return Status.READY
        return Status.ERROR if self._state is State.ERROR_RECEIVED else Status.HANDSHAKING

    @property
    def step(self) -> str:
        """What is being waited for, for people."""
        return self._state.value

    def next_handshake_command(self) -> bytes | None:
        """HELLO, and INITIATE once we are welcome.

        Raises:
            MechanismError: our keys are none.
        """
        if self._state is State.SEND_HELLO:
            self._state = State.EXPECT_WELCOME
            return self._produce_hello()
        if self._state is State.SEND_INITIATE:
            self._state = State.EXPECT_READY
            return self._produce_initiate()
        return None

    def process_handshake_command(self, command: bytes) -> None:
        """WELCOME, READY or ERROR, each in its turn.

        Raises:
            MechanismError: anything else, or we are refused.
        """
        if command.startswith(_WELCOME):
            self._process_welcome(command)
        elif command.startswith(_READY):
            self._process_ready(command)
        elif command.startswith(_ERROR):
            self._process_error(command)
        else:
            raise unexpected_command(command)

    def destroy(self) -> None:
        """The connection has ended: forget its keys."""
        self._forget_handshake()
        self.forget_keys()

    def _forget_handshake(self) -> None:
        self._cn_secret.wipe()
        self._cn_cookie = b""

    def _key(self, public: bytes, secret: bytes | Secret) -> Secret:
        try:
            return beforenm(public, secret)
        except BoxError as error:
            raise cryptographic(f"{error} (is CURVE_SERVERKEY right?)") from error

    def _produce_hello(self) -> bytes:
        nonce = self.next_nonce()
        key = self._key(self.options.curve_server_key, self._cn_secret)
        box = seal_box(bytes(64), b"CurveZMQHELLO---" + nonce, key)
        key.wipe()
        # Padding makes HELLO longer than the WELCOME it asks for.
        return b"".join((b"\x05HELLO", b"\1\0", bytes(72), self._cn_public, nonce, box))

    def _process_welcome(self, command: bytes) -> None:
        if self._state is not State.EXPECT_WELCOME:
            raise unexpected_command(command)
        if len(command) != _WELCOME_SIZE:
            raise cryptographic(f"WELCOME of {len(command)} bytes")
        key = self._key(self.options.curve_server_key, self._cn_secret)
        try:
            plaintext = open_box(command[24:], b"WELCOME-" + command[8:24], key)
        except BoxError as error:
            raise cryptographic("WELCOME does not open: not sealed by the server we know (CURVE_SERVERKEY)") from error
        finally:
            key.wipe()
        self._cn_server, self._cn_cookie = plaintext[:32], plaintext[32:]
        self.precom = self._key(self._cn_server, self._cn_secret)
        self._state = State.SEND_INITIATE

    def _produce_initiate(self) -> bytes:
        if self.precom is None:
            raise AssertionError("WELCOME has made the key")
        options = self.options
        vouch_nonce = random_bytes(16)
        vouch_key = self._key(self._cn_server, options.curve_secret_key)
        vouch = seal_box(self._cn_public + options.curve_server_key, b"VOUCH---" + vouch_nonce, vouch_key)
        vouch_key.wipe()
        nonce = self.next_nonce()
        plaintext = b"".join((options.curve_public_key, vouch_nonce, vouch, self.basic_properties()))
        box = seal_box(plaintext, b"CurveZMQINITIATE" + nonce, self.precom)
        return b"".join((b"\x08INITIATE", self._cn_cookie, nonce, box))

    def _process_ready(self, command: bytes) -> None:
        if self._state is not State.EXPECT_READY:
            raise unexpected_command(command)
        if len(command) < _READY_MIN_SIZE:
            code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY
            raise MechanismError(f"READY of {len(command)} bytes", code)
        if self.precom is None:
            raise AssertionError("WELCOME has made the key")
        try:
            plaintext = open_box(command[14:], b"CurveZMQREADY---" + command[6:14], self.precom)
        except BoxError as error:
            raise cryptographic("READY does not open") from error
        self.accept_nonce(command[6:14])
        self.parse_peer_metadata(plaintext, Event.PROTOCOL_ERROR_ZMTP_INVALID_METADATA)
        self._forget_handshake()
        self._state = State.CONNECTED

    def _process_error(self, command: bytes) -> None:
        if self._state not in (State.EXPECT_WELCOME, State.EXPECT_READY):
            raise unexpected_command(command)
        refusal = refused_by_peer(command[len(_ERROR) :])
        if not refusal.protocol_error:
            self._state = State.ERROR_RECEIVED
        raise refusal
