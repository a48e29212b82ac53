# SPDX-License-Identifier: MPL-2.0
"""The side of CURVE that has the secret key everybody's CURVE_SERVERKEY belongs to.

Mirrors: src/curve_server.cpp, src/curve_server.hpp.
Departs: the vouch must name our public key (RFC 26), and nonces of the handshake must grow; libzmq looks at neither.
The cookie's key is forgotten with the INITIATE that needs it, or after a minute (`forget_cookie`, called by the
connection; RFC 26), which matters when HANDSHAKE_IVL sets no limit. Secrets are compared in constant time.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from libzmq_py.constants import Event
from libzmq_py.mechanisms.curve.base import CurveMechanismBase, cryptographic
from libzmq_py.mechanisms.curve.crypto import (
    BoxError,
    Secret,
    beforenm,
    keypair,
    open_box,
    open_secret_box,
    public_key,
    random_bytes,
    seal_box,
    seal_secret_box,
)
from libzmq_py.mechanisms.mechanism import MechanismError, unexpected_command
from libzmq_py.mechanisms.zap_client import State, ZapClientCommonHandshake, no_handler

if TYPE_CHECKING:
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options

_HELLO: Final = b"\x05HELLO"
_INITIATE: Final = b"\x08INITIATE"
_HELLO_SIZE: Final = 200
_INITIATE_MIN_SIZE: Final = 257
_VERSION: Final = b"\1\0"


class CurveServer(CurveMechanismBase, ZapClientCommonHandshake):
    """Sans-I/O."""

    name = b"CURVE"
    encode_prefix = b"CurveZMQMESSAGES"
    decode_prefix = b"CurveZMQMESSAGEC"
    zap_reply_ok_state = State.SENDING_READY

    def __init__(self, options: Options, host: MechanismHost | None = None) -> None:
        ZapClientCommonHandshake.__init__(self, options, host)
        CurveMechanismBase.__init__(self)
        self._cn_public, self._cn_secret = keypair()
        # The client's, of the connection.
        self._cn_client = b""
        self._cookie_key: Secret | None = None

    def next_handshake_command(self) -> bytes | None:
        """WELCOME, READY or ERROR, each in its turn."""
        if self.state is State.SENDING_WELCOME:
            self.state = State.WAITING_FOR_INITIATE
            return self._produce_welcome()
        if self.state is State.SENDING_READY:
            self.state = State.READY
            return self._produce_ready()
        if self.state is State.SENDING_ERROR:
            self.state = State.ERROR_SENT
            return b"\x05ERROR\3" + self.status_code
        return None

    def process_handshake_command(self, command: bytes) -> None:
        """HELLO, then INITIATE.

        Raises:
            MechanismError: anything else, or the client is not who it says, or nobody can be asked about it.
        """
        if self.state is State.WAITING_FOR_HELLO:
            self._process_hello(command)
        elif self.state is State.WAITING_FOR_INITIATE:
            self._process_initiate(command)
        else:
            raise self.out_of_turn(command)

    @property
    def holds_cookie(self) -> bool:
        """True between WELCOME and INITIATE."""
        return self._cookie_key is not None

    def forget_cookie(self) -> None:
        """The cookie has expired: an INITIATE that comes now is refused."""
        if self._cookie_key is not None:
            self._cookie_key.wipe()
            self._cookie_key = None

    def destroy(self) -> None:
        """The connection has ended: forget its keys."""
        self.forget_cookie()
        self._cn_secret.wipe()
        self.forget_keys()

    # -- HELLO, WELCOME -----------------------------------------------------------------------------------------------

    def _process_hello(self, command: bytes) -> None:
        self.check_basic_command_structure(command)
        if not command.startswith(_HELLO):
            raise unexpected_command(command)
        if len(command) != _HELLO_SIZE or command[6:8] != _VERSION:
            version = ".".join(map(str, command[6:8]))
            code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO
            raise MechanismError(f"HELLO of {len(command)} bytes, version {version}", code)
        self._cn_client = command[80:112]
        nonce = command[112:120]
        try:
            key = beforenm(self._cn_client, self.options.curve_secret_key)
            try:
                open_box(command[120:], b"CurveZMQHELLO---" + nonce, key)
            finally:
                key.wipe()
        except BoxError as error:
            raise cryptographic("HELLO does not open: the client wants a server with another key") from error
        self.accept_nonce(nonce)
        self.state = State.SENDING_WELCOME

    def _produce_welcome(self) -> bytes:
        cookie_nonce, welcome_nonce = random_bytes(16), random_bytes(16)
        self._cookie_key = Secret(random_bytes(32))
        cookie = seal_secret_box(self._cn_client + bytes(self._cn_secret), b"COOKIE--" + cookie_nonce, self._cookie_key)
        key = beforenm(self._cn_client, self.options.curve_secret_key)
        box = seal_box(self._cn_public + cookie_nonce + cookie, b"WELCOME-" + welcome_nonce, key)
        key.wipe()
        return b"".join((b"\x07WELCOME", welcome_nonce, box))

    # -- INITIATE, READY ----------------------------------------------------------------------------------------------

    def _process_initiate(self, command: bytes) -> None:
        self.check_basic_command_structure(command)
        if not command.startswith(_INITIATE):
            raise unexpected_command(command)
        if len(command) < _INITIATE_MIN_SIZE:
            code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE
            raise MechanismError(f"INITIATE of {len(command)} bytes", code)
        self._check_cookie(command[9:105])
        nonce = command[105:113]
        # Nothing can be wrong with C': HELLO has opened under it.
        self.precom = beforenm(self._cn_client, self._cn_secret)
        try:
            plaintext = open_box(command[113:], b"CurveZMQINITIATE" + nonce, self.precom)
        except BoxError as error:
            raise cryptographic("INITIATE does not open") from error
        self.accept_nonce(nonce)
        client_key = plaintext[:32]
        self._check_vouch(client_key, plaintext[32:48], plaintext[48:128])
        self._cn_secret.wipe()
        self._ask(client_key)
        self.parse_peer_metadata(plaintext[128:])

    def _check_cookie(self, cookie: bytes) -> None:
        """The cookie must be the one of our WELCOME; it can be used once."""
        if self._cookie_key is None:
            raise cryptographic("a cookie that has expired")
        try:
            content = open_secret_box(cookie[16:], b"COOKIE--" + cookie[:16], self._cookie_key)
        except BoxError as error:
            raise cryptographic("a cookie that is not ours") from error
        self.forget_cookie()
        if not hmac.compare_digest(content, self._cn_client + bytes(self._cn_secret)):
            raise cryptographic("a cookie of another connection")

    def _check_vouch(self, client_key: bytes, nonce: bytes, vouch: bytes) -> None:
        """The owner of the long-term key vouches for the key of the connection, to us."""
        try:
            key = beforenm(client_key, self._cn_secret)
            try:
                content = open_box(vouch, b"VOUCH---" + nonce, key)
            finally:
                key.wipe()
        except BoxError as error:
            raise cryptographic("the client does not have the secret key of its public key") from error
        if not hmac.compare_digest(content[:32], self._cn_client):
            code = Event.PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE
            raise MechanismError("the client vouches for another connection's key", code)
        if not hmac.compare_digest(content[32:], public_key(self.options.curve_secret_key)):
            code = Event.PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE
            raise MechanismError("the client vouches to another server", code)

    def _ask(self, client_key: bytes) -> None:
        """Ask the ZAP handler, if there is one; without one the peer comes in unless a domain is enforced."""
        enforced = self.options.zap_enforce_domain
        if enforced and not self.zap_required:
            self.state = State.SENDING_READY
        elif self.zap_connect():
            self.state = State.WAITING_FOR_ZAP_REPLY
            self.send_zap_request((client_key,))
            self.receive_and_process_zap_reply()
        elif not enforced:
            self.state = State.SENDING_READY
        else:
            raise no_handler("no ZAP handler to ask about the key (ZAP_ENFORCE_DOMAIN)")

    def _produce_ready(self) -> bytes:
        if self.precom is None:
            raise AssertionError("INITIATE has made the key")
        nonce = self.next_nonce()
        box = seal_box(self.basic_properties(), b"CurveZMQREADY---" + nonce, self.precom)
        return b"".join((b"\x05READY", nonce, box))
