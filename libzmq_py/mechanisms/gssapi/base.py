# SPDX-License-Identifier: MPL-2.0
"""Tokens, READY and MESSAGE: what both sides of GSSAPI share.

Mirrors: src/gssapi_mechanism_base.cpp, src/gssapi_mechanism_base.hpp.
Departs: `GssapiEncoder` and `GssapiDecoder` stand in the place of the framing's own pair, as those of CURVE do.  A peer
cannot end the process: what holds no flags, or is signed only, is an error of the connection.  A token cannot be empty.
A subscription goes as
the SUBSCRIBE command that CURVE and ZMTP 3.1 use; libzmq 4.3.5 loses what it is, later ones mark it with a flag, which
is understood.  What cannot be sealed ends the connection.

    command   8 "INITIATE" or 7 "MESSAGE"; size of the token, 4 bytes; token
    token of a MESSAGE, once open:  flags, 1 byte (1 MORE, 2 COMMAND, 4 SUBSCRIBE, 8 CANCEL); payload
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.constants import Event
from libzmq_py.mechanisms.gssapi.context import ContextError, ContextFactory, SecurityContext
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, unexpected_command
from libzmq_py.mechanisms.message_decoder import Body, FrameDecoder, MessageDecoder
from libzmq_py.msg import COMMAND, MORE, Message, Msg, frame_bytes

if TYPE_CHECKING:
    from libzmq_py.mechanisms.mechanism import MechanismHost
    from libzmq_py.options import Options

_INITIATE: Final = b"\x08INITIATE"
_MESSAGE: Final = b"\x07MESSAGE"
_READY: Final = b"\x05READY"
_SUBSCRIBE: Final = b"\x09SUBSCRIBE"
_CANCEL: Final = b"\x06CANCEL"
_SIZE: Final = struct.Struct(">I")
_LARGE_HEADER: Final = struct.Struct(">BQ")
# Flags inside a MESSAGE, beside MORE and COMMAND.
_SUBSCRIBE_FLAG: Final = 4
_CANCEL_FLAG: Final = 8
_MAX_TOKEN: Final = (1 << 32) - 1


class GssapiEncoder:
    """Sans-I/O; see `codecs.encoder.Encoder`. Uses the context in the order of the messages."""

    __slots__ = ("_broken", "_context", "_downgrade_sub", "_failed")

    def __init__(self, context: SecurityContext, downgrade_sub: bool, failed: Callable[[MechanismError], None]) -> None:
        """`downgrade_sub`: the peer knows subscriptions as messages only; `failed` is told what cannot be sealed."""
        self._context = context
        self._downgrade_sub = downgrade_sub
        self._failed = failed
        self._broken = False

    def encode(self, msgs: Sequence[Message]) -> list[bytes]:
        """The bytes of whole messages; none from the first on that cannot be sealed."""
        out: list[bytes] = []
        try:
            for msg in () if self._broken else msgs:
                if type(msg) is tuple:
                    out += [self._seal(MORE, frame_bytes(frame)) for frame in msg[:-1]]
                    out.append(self._seal(0, frame_bytes(msg[-1])))
                elif isinstance(msg, Msg):
                    out.append(self._seal(*self._special(msg)))
                else:
                    out.append(self._seal(0, msg))  # type: ignore[arg-type]
        except MechanismError as error:
            self._broken = True
            self._failed(error)
        return out or [b""]

    def _special(self, msg: Msg) -> tuple[int, bytes]:
        data = bytes(msg.data)
        if msg.is_subscribe or msg.is_cancel:
            if self._downgrade_sub:
                return 0, (b"\1" if msg.is_subscribe else b"\0") + data
            return COMMAND, (_SUBSCRIBE if msg.is_subscribe else _CANCEL) + data
        return msg.flags & COMMAND, data

    def _seal(self, flags: int, payload: bytes) -> bytes:
        command = seal(self._context, flags, payload)
        size = len(command)
        return (bytes((0, size)) if size < 256 else _LARGE_HEADER.pack(2, size)) + command


class GssapiDecoder(MessageDecoder):
    """Sans-I/O; see `MessageDecoder`."""

    __slots__ = ("_context",)

    def __init__(self, frames: FrameDecoder, context: SecurityContext) -> None:
        """`frames`: has taken the stream apart so far."""
        super().__init__(frames)
        self._context = context

    def _unseal(self, commands: list[Body], out: list[Message]) -> None:
        try:
            for command in commands:
                plaintext = unseal(self._context, bytes(command))
                flags, payload = plaintext[0], plaintext[1:]
                if not flags & COMMAND and flags & (_SUBSCRIBE_FLAG | _CANCEL_FLAG):
                    payload = (_SUBSCRIBE if flags & _SUBSCRIBE_FLAG else _CANCEL) + payload
                    flags = COMMAND
                self._deliver((flags,), (payload,), out)
        except MechanismError as error:
            self.error = error


class GssapiMechanismBase(Mechanism):
    """What the two sides share: the context, and the commands made of its tokens."""

    name = b"GSSAPI"

    def __init__(
        self, options: Options, host: MechanismHost | None = None, contexts: ContextFactory | None = None
    ) -> None:
        """`contexts`: makes the context; None: Kerberos does.

        Raises:
            ImportError: the package `gssapi` is missing.
        """
        super().__init__(options, host)
        if contexts is None:
            from libzmq_py.mechanisms.gssapi.kerberos import Kerberos

            contexts = Kerberos()
        self._contexts = contexts
        self._context: SecurityContext | None = None

    def destroy(self) -> None:
        """The connection has ended: forget its key."""
        self._context = None

    def _made_context(self) -> SecurityContext:
        if self._context is None:
            raise AssertionError("the tokens were exchanged, so there is a context")
        return self._context

    def secure(self, encoder: Any, decoder: Any, downgrade_sub: bool) -> tuple[Any, Any]:
        """What encodes and decodes from now on; see `Mechanism.secure`."""
        if self.options.gss_plaintext:
            return encoder, decoder
        context, host = self._made_context(), self._host
        if host is None:
            raise AssertionError("a mechanism that is in use has a host")
        return GssapiEncoder(context, downgrade_sub, host.encoding_failed), GssapiDecoder(decoder, context)

    def produce_token(self, token: bytes) -> bytes:
        """A token as a command; an empty one for no token, which tells the peer that it is its turn."""
        return _INITIATE + _SIZE.pack(len(token)) + token if token else b""

    def process_token(self, command: bytes) -> bytes:
        """The token of a command.

        Raises:
            MechanismError: it has none.
        """
        self.check_basic_command_structure(command)
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE
        token = _token_of(command, _INITIATE, code)
        if not token:
            # To GSSAPI it would mean that we begin, or that we have a choice of mechanisms to offer.
            raise MechanismError("INITIATE with an empty token", code)
        return token

    def produce_ready(self) -> bytes:
        """READY, sealed unless in plaintext mode."""
        ready = _READY + self.basic_properties()
        if self.options.gss_plaintext:
            return ready
        return seal(self._made_context(), 0, ready)

    def process_ready(self, command: bytes) -> None:
        """Take READY.

        Raises:
            MechanismError: it is none, does not open, or says something wrong.
        """
        if not self.options.gss_plaintext:
            command = unseal(self._made_context(), command)[1:]
        self.check_basic_command_structure(command)
        if not command.startswith(_READY):
            raise unexpected_command(command)
        self.parse_peer_metadata(command[len(_READY) :], Event.PROTOCOL_ERROR_ZMTP_INVALID_METADATA)


def seal(context: SecurityContext, flags: int, payload: bytes) -> bytes:
    """A MESSAGE command.

    Raises:
        MechanismError: it cannot be made.
    """
    try:
        token = context.wrap(bytes((flags,)) + payload)
    except ContextError as error:
        raise MechanismError(f"cannot seal a message: {error}") from error
    if len(token) > _MAX_TOKEN:
        raise MechanismError(f"a message of {len(payload)} bytes is too long for GSSAPI")
    return b"".join((_MESSAGE, _SIZE.pack(len(token)), token))


def unseal(context: SecurityContext, command: bytes) -> bytes:
    """Flags and payload of a MESSAGE command.

    Raises:
        MechanismError: it is none, or does not open.
    """
    if len(command) <= 1 or len(command) <= command[0]:
        code = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
        raise MechanismError(f"malformed command of {len(command)} bytes in place of MESSAGE", code)
    malformed = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE
    token = _token_of(command, _MESSAGE, malformed)
    try:
        plaintext = context.unwrap(token)
    except ContextError as error:
        code = Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
        raise MechanismError(f"a MESSAGE that does not open: {error}", code) from error
    if not plaintext:
        raise MechanismError("a MESSAGE without flags", malformed)
    return plaintext


def _token_of(command: bytes, name: bytes, malformed: int) -> bytes:
    if not command.startswith(name):
        raise unexpected_command(command)
    start = len(name) + _SIZE.size
    if len(command) < start or len(command) - start != _SIZE.unpack_from(command, len(name))[0]:
        text = name[1:].decode()
        raise MechanismError(f"{text} of {len(command)} bytes, which is not the size of its token", malformed)
    return command[start:]


def refused(what: str, error: ContextError) -> MechanismError:
    """Kerberos does not go on with the handshake. It may another time: tickets are renewed, keytabs replaced."""
    return MechanismError(f"{what}: {error}", error=errno.EACCES, try_again=True)
