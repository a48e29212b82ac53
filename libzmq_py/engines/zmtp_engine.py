# SPDX-License-Identifier: MPL-2.0
"""ZMTP: the greeting, the choice of version, the handshake, commands and heartbeats.

Mirrors: src/zmtp_engine.cpp, src/zmtp_engine.hpp.
Departs: control frames (handshake commands, PING, PONG) wait in a list, so none is lost when several come at once.
A PING too short to hold a TTL is a protocol error; a TTL is computed in full width.

    GREETING ──▶ MECHANISM ──▶ READY        a 3.x peer
                     └──────▶ REFUSED       one that our ZAP handler does not want
        └──────▶ ROUTING_ID ─────▲          a 1.0 or 2.0 peer: its first message is its routing id

The greeting grows with what the peer shows (RFC 37 section "Greeting", RFC 15, RFC 13):

    ours      10 bytes: ff, size of a routing id message as 1.0 would write it, 7f
    peer's    first byte not ff, or bit 0 of byte 9 clear: ZMTP 1.0
    ours      after 10 bytes: 3, our major version
    peer's    byte 10 (revision): 0: 1.0 with a greeting; 1: 2.0; anything else: 3.x
    ours      socket type (to 0 and 1); minor version, mechanism and zeros (to the rest)
"""

from __future__ import annotations

import enum
import errno
import functools
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.codecs.decoder import DecodeError, Decoder
from libzmq_py.codecs.shared_encoder import SharedEncoder
from libzmq_py.codecs.v1_decoder import V1Decoder
from libzmq_py.codecs.v1_encoder import V1Encoder
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.codecs.v2_encoder import V2Encoder
from libzmq_py.codecs.v3_1_encoder import V31Encoder
from libzmq_py.constants import Event, SocketType
from libzmq_py.endpoint import EndpointType
from libzmq_py.engines.i_engine import ErrorReason, HandshakeFailure
from libzmq_py.engines.stream_engine_base import (
    HANDSHAKE_TIMER,
    HEARTBEAT_IVL_TIMER,
    HEARTBEAT_TIMEOUT_TIMER,
    HEARTBEAT_TTL_TIMER,
    INTERRUPTED_TIMER,
    JOIN_BELOW,
    LENT_TIMER,
    MIN_READ,
    StreamEngineBase,
)
from libzmq_py.logger import Logger
from libzmq_py.mechanisms import create_mechanism, greeting_name
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, MechanismHost, Status
from libzmq_py.metadata import Metadata
from libzmq_py.msg import CANCEL, COMMAND, SUBSCRIBE, Message, Msg

if TYPE_CHECKING:
    from libzmq_py.endpoint import EndpointUriPair
    from libzmq_py.options import Options

_LOG: Final = Logger("libzmq_py.engine")

COOKIE_TIMER: Final = 0x41
ENCODING_TIMER: Final = 0x42

_SIGNATURE_SIZE: Final = 10
_V2_GREETING_SIZE: Final = 12
_V3_GREETING_SIZE: Final = 64
_REVISION_POS: Final = 10
_MINOR_POS: Final = 11
_MECHANISM: Final = slice(12, 32)
_SIZE: Final = struct.Struct(">Q")
_TTL: Final = struct.Struct(">H")
_PING: Final = b"\4PING"
_PONG: Final = b"\4PONG"
_PING_MIN_SIZE: Final = len(_PING) + 2
_MAX_PING_CONTEXT: Final = 16
# While the kernel takes nothing for a peer, so many answers wait for it, and it gets no more of them.
_MAX_PONGS: Final = 256
# After so many frames with commands among them the next read is small: a command takes longer than a message, and the
# other connections of the thread wait for all of a read.
_MANY_COMMANDS: Final = 2048
# A handshake command above this size is no handshake command; so much may a peer have us keep that nobody knows yet.
_MAX_HANDSHAKE: Final = 1 << 16
# Of a frame of any version, so that a command is refused for its size whether it comes in one piece or not.
_MAX_HEADER: Final = 10
_TOO_LARGE: Final = "a handshake that does not end"
# How long, in milliseconds, a peer that was sent an ERROR has to read it and go.
_REFUSED_IVL: Final = 1000
# RFC 26: the key of a cookie lives for a minute at most.
_COOKIE_IVL: Final = 60_000
_SUBSCRIBE: Final = b"\x09SUBSCRIBE"
_CANCEL: Final = b"\x06CANCEL"
_PUBLISHERS: Final = frozenset({SocketType.PUB, SocketType.XPUB})
# They remember nothing, so one serves all connections.
_V2_ENCODER: Final = V2Encoder()
_V31_ENCODER: Final = V31Encoder()


class Stage(enum.Enum):
    """How far the connection has come; see the module docstring."""

    GREETING = "greeting"
    MECHANISM = "mechanism"
    REFUSED = "refused"
    ROUTING_ID = "routing_id"
    READY = "ready"


# Names of this module, as to look a member up on its class costs.
_GREETING: Final = Stage.GREETING
_IN_MECHANISM: Final = Stage.MECHANISM
_READY: Final = Stage.READY


class ZmtpEngine(StreamEngineBase):
    """Runs in its session's I/O thread."""

    # Defaults on the class, as few connections fail, and an object of up to 30 attributes of its own needs no dict.

    # Why nothing more can be encoded.
    _encoding_error: MechanismError | None = None
    # What the ZAP handler has said of a peer that it does not want.
    _refusal = ""
    # Which monitor event told of the failure, and its value.
    _failure_event: tuple[int, int] | None = None

    _mechanism: Mechanism | None = None
    _greeting = b""
    # Bytes of our greeting that have been sent.
    _greeting_sent = 0

    def __init__(
        self, sock: Any, options: Options, endpoint_uri_pair: EndpointUriPair, peer: object = None
    ) -> None:
        super().__init__(sock, options, endpoint_uri_pair, peer)
        self._stage = _GREETING
        self._process_input = self._process_greeting_input

    # -- start ------------------------------------------------------------------------------------------------------

    def plug_internal(self) -> None:
        """Say the signature, which a 1.0 peer reads as the header of our routing id, and listen.

        Who has connected speaks first: where we were connected to, the peer may have spoken already, and what follows
        the signature goes out with it.
        """
        if self._handle is None:
            raise AssertionError("plug() has registered the descriptor")
        if self._options.handshake_ivl > 0:
            self._start_timer(self._options.handshake_ivl, HANDSHAKE_TIMER)
        self._out = (b"\xff" + _SIZE.pack(len(self._options.routing_id) + 1) + b"\x7f",)
        self._greeting_sent = _SIGNATURE_SIZE
        self.set_pollin(self._handle)
        if self.endpoint_uri_pair.local_type is not EndpointType.CONNECT:
            self.in_event()
        self._send_greeting()

    def _add_to_greeting(self, data: bytes) -> None:
        """What is ready to be sent leaves in one system call."""
        self._out = (b"".join((*self._out, data)),)

    def _send_greeting(self) -> None:
        """Send what has been added to the greeting, unless some of it waits for the kernel already."""
        if self._out and self._output_stopped and self._handle is not None:
            self._output_stopped = False
            self.out_event()

    def _process_greeting_input(self, data: bytes) -> None:
        rest = self._process_greeting(data)
        if rest is None:
            self._send_greeting()
        else:
            self._process_input = self._process_frames
            self._process_frames(rest)

    def _process_frames(self, data: bytes) -> None:
        """Frame by frame until the connection is ready, then the rest as a batch."""
        decoder = self._decoder
        if decoder is None:
            raise AssertionError("made with the choice of version")
        decoder.feed(data)
        while self._stage is not _READY:
            try:
                frame = self._next_frame(decoder)
            except DecodeError as error:
                self._protocol_error(error)
                return
            if frame is None:
                if len(decoder.collector.tail) > _MAX_HANDSHAKE + _MAX_HEADER:
                    self._protocol_error(_TOO_LARGE)
                return
            if len(frame) > _MAX_HANDSHAKE:
                self._protocol_error(_TOO_LARGE)
                return
            if self._stage is Stage.ROUTING_ID:
                self._process_routing_id(frame)
            else:
                self._process_handshake_command(frame)
            if self._handle is None:
                return
        self._process_batch(b"")

    def _next_frame(self, decoder: Decoder) -> Msg | None:
        """The next frame of the handshake; when there is none, it is our turn to speak."""
        frame = decoder.next_frame()
        if frame is None and self._stage is _IN_MECHANISM:
            # Not before all that has come is read: as in libzmq, what a peer sends in one go with its READY, before it
            # can have seen ours, is still part of the handshake.
            self._send_handshake_commands()
            self._check_mechanism()
        return frame

    # -- greeting ---------------------------------------------------------------------------------------------------

    def _process_greeting(self, data: bytes) -> bytes | None:
        """Collect the peer's greeting and answer what it shows; what follows it, or None if it is not whole."""
        greeting = self._greeting = self._greeting + data
        if greeting[0] != 0xFF or (len(greeting) >= _SIGNATURE_SIZE and not greeting[9] & 1):
            return greeting if self._handshake_v1_unversioned() else None
        if len(greeting) < _SIGNATURE_SIZE:
            return None
        if self._greeting_sent == _SIGNATURE_SIZE:
            self._greeting_sent += 1
            self._add_to_greeting(b"\3")
        if len(greeting) <= _REVISION_POS:
            return None
        revision = greeting[_REVISION_POS]
        size = _V2_GREETING_SIZE if revision in (0, 1) else _V3_GREETING_SIZE
        if self._greeting_sent == _SIGNATURE_SIZE + 1:
            self._greeting_sent += 1
            if revision in (0, 1):
                self._add_to_greeting(bytes((self._options.type,)))
            else:
                self._add_to_greeting(_rest_of_greeting(greeting_name(self._options.mechanism)))
        if len(greeting) < size:
            return None
        return greeting[size:] if self._select_version(revision, greeting) else None

    def _select_version(self, revision: int, greeting: bytes) -> bool:
        if revision == 0:
            return self._handshake_v1()
        if revision == 1:
            return self._handshake_v2()
        minor = greeting[_MINOR_POS]
        return self._handshake_v3(greeting[_MECHANISM], _V2_ENCODER if revision == 3 and minor == 0 else _V31_ENCODER)

    def _refuse_old_peer(self) -> bool:
        """Security that was asked for is not given up for a peer that has none (CVE-2014-9721)."""
        if not self._session.zap_enabled:
            return False
        self._protocol_error("a ZMTP 1.0 or 2.0 peer cannot be authenticated")
        return True

    def _handshake_v1_unversioned(self) -> bool:
        """A 1.0 peer has read our signature as the header of our routing id, so only its body is still to be sent."""
        if self._refuse_old_peer():
            return False
        self._begin_old(V1Encoder(), V1Decoder(self._options.maxmsgsize))
        if self._options.routing_id:
            self._add_to_greeting(self._options.routing_id)
        self._finish_old_greeting()
        return True

    def _handshake_v1(self) -> bool:
        if self._refuse_old_peer():
            return False
        self._begin_old(V1Encoder(), V1Decoder(self._options.maxmsgsize))
        self._control = (*self._control, self._options.routing_id)
        self._finish_old_greeting()
        return True

    def _handshake_v2(self) -> bool:
        if self._refuse_old_peer():
            return False
        self._begin_old(_V2_ENCODER, V2Decoder(self._options.maxmsgsize))
        self._control = (*self._control, self._options.routing_id)
        self._finish_old_greeting()
        return True

    def _begin_old(self, encoder: Any, decoder: Any) -> None:
        self._encoder, self._decoder = encoder, decoder
        self._stage = Stage.ROUTING_ID

    def _finish_old_greeting(self) -> None:
        """No mechanism: the peer may be shown to the socket."""
        self._stop_timer(HANDSHAKE_TIMER)
        self._session.engine_ready()
        self._source = self._session
        self._output_stopped = False
        self.out_event()

    def _handshake_v3(self, mechanism: bytes, encoder: Any) -> bool:
        options = self._options
        self._encoder = SharedEncoder(encoder, self._segments) if options.type in _PUBLISHERS else encoder
        self._decoder = V2Decoder(options.maxmsgsize)
        own_name = greeting_name(options.mechanism)
        if mechanism != own_name.ljust(20, b"\0"):
            offered = mechanism.rstrip(b"\0")
            reason = f"mechanism mismatch: we want {own_name!r}, the peer offers {offered!r}"
            self._protocol_error(MechanismError(reason, Event.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH))
            return False
        try:
            self._mechanism = create_mechanism(options, self)
        except (MechanismError, ImportError) as error:
            self._protocol_error(error)
            return False
        self._stage = _IN_MECHANISM
        return True

    # -- handshake --------------------------------------------------------------------------------------------------

    def _send_handshake_commands(self) -> None:
        mechanism, encoder = self._mechanism, self._encoder
        if mechanism is None or encoder is None:
            raise AssertionError("made with the choice of version")
        out, failure = self._out, None
        try:
            command = mechanism.next_handshake_command()
            while command is not None:
                # As bytes at once: what is encoded later may be encrypted.
                out = [*out, *encoder.encode([Msg(command, COMMAND)])]
                command = mechanism.next_handshake_command()
        except MechanismError as error:
            failure = error
        # With the rest of the greeting, in one system call.
        self._out = (b"".join(out),) if out else ()
        if mechanism.holds_cookie and not 0 < self._options.handshake_ivl <= _COOKIE_IVL:
            self._start_timer(_COOKIE_IVL, COOKIE_TIMER)
        if failure is None and mechanism.status is Status.READY:
            return  # it leaves with the first messages
        self._output_stopped = False
        self.out_event()
        if failure is not None:
            self._protocol_error(failure)

    def zap_msg_available(self) -> None:
        """The ZAP handler has answered, or gone."""
        mechanism = self._mechanism
        if mechanism is None or not self.plugged:
            return
        try:
            mechanism.zap_msg_available()
        except MechanismError as error:
            self._protocol_error(error)
            return
        if self._stage is _IN_MECHANISM:
            self._send_handshake_commands()
            self._check_mechanism()

    def zap_connect(self) -> bool:
        """For the mechanism: reach the ZAP handler; False if there is none."""
        found: bool = self._session.zap_connect()
        return found

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        """For the mechanism: ask the ZAP handler."""
        self._session.write_zap_msg(frames)

    def read_zap_msg(self) -> list[bytes] | None:
        """For the mechanism: the ZAP handler's reply, None if there is none yet; ConnectionError: it has gone."""
        frames: list[bytes] | None = self._session.read_zap_msg()
        return frames

    def zap_refused(self, status: int, text: str) -> None:
        """For the mechanism: the ZAP handler has refused the peer."""
        self._refusal = f"refused by the ZAP handler: {status} {text}"
        self._failure_event = (Event.HANDSHAKE_FAILED_AUTH, status)
        self._session.socket_events.event_handshake_failed_auth(self.endpoint_uri_pair, status)

    def encoding_failed(self, error: MechanismError) -> None:
        """For the mechanism: nothing more can be sealed. A timer, as this may be the socket's thread."""
        self._encoding_error = error
        self._start_timer(0, ENCODING_TIMER)

    def _process_handshake_command(self, frame: Msg) -> None:
        mechanism = self._mechanism
        if mechanism is None:
            raise AssertionError("a handshake has a mechanism")
        try:
            mechanism.process_handshake_command(bytes(frame.data))
        except MechanismError as error:
            if error.auth_status:
                # As libzmq, which has said READY by now: the peer need not think that we were silent.
                self._send_handshake_commands()
            self._protocol_error(error)
            return
        self._check_mechanism()

    def _check_mechanism(self) -> None:
        mechanism = self._mechanism
        if mechanism is None or self._handle is None:
            return
        if mechanism.status is Status.READY:
            self._mechanism_ready(mechanism)
        elif mechanism.refusal and self._stage is _IN_MECHANISM:
            self._refuse(mechanism)
        elif mechanism.status is Status.ERROR:
            self._protocol_error("the handshake was refused")

    def _refuse(self, mechanism: Mechanism) -> None:
        """The ZAP handler does not want the peer; ERROR, where there is one, is on its way."""
        self._stage = Stage.REFUSED
        if mechanism.refusal == b"300":
            self._protocol_error("the peer was refused for the time being")
            return
        # To close now could take ERROR from the peer, as the kernel drops what is under way when input is left unread.
        self._stop_timer(HANDSHAKE_TIMER)
        self._start_timer(_REFUSED_IVL, HANDSHAKE_TIMER)

    def _protocol_error(self, cause: object) -> None:
        if isinstance(cause, MechanismError) and cause.try_again:
            self._errno = cause.error
            self.error(ErrorReason.CONNECTION_ERROR, cause)
            return
        if isinstance(cause, MechanismError) and self._session is not None:
            events, pair = self._session.socket_events, self.endpoint_uri_pair
            if cause.protocol_error:
                self._failure_event = (Event.HANDSHAKE_FAILED_PROTOCOL, cause.protocol_error)
                events.event_handshake_failed_protocol(pair, cause.protocol_error)
            elif cause.auth_status:
                self._failure_event = (Event.HANDSHAKE_FAILED_AUTH, cause.auth_status)
                events.event_handshake_failed_auth(pair, cause.auth_status)
            elif cause.error:
                self._failure_event = (Event.HANDSHAKE_FAILED_NO_DETAIL, cause.error)
                events.event_handshake_failed_no_detail(pair, cause.error)
        super()._protocol_error(cause)

    def error(self, reason: ErrorReason, cause: object = "") -> None:
        """End because of `reason`; a connection that has not come through its handshake leaves word of why."""
        session = self._session
        if session is not None and (not self._handshaked() or isinstance(cause, MechanismError)):
            if self._failure_event is None and reason is not ErrorReason.PROTOCOL_ERROR:
                self._failure_event = (Event.HANDSHAKE_FAILED_NO_DETAIL, self._errno)
            failure = self._failure(cause)
            _LOG.info("handshake failed: %s", failure)
            session.socket_events.handshake_failure(failure)
        super().error(reason, cause)

    def _failure(self, cause: object) -> HandshakeFailure:
        mechanism, (event, value) = self._mechanism, self._failure_event or (0, 0)
        return HandshakeFailure(
            time=time.time(),
            endpoint=self.endpoint_uri_pair.identifier,
            peer_address=self.peer_address,
            mechanism=greeting_name(self._options.mechanism).decode(),
            role=mechanism.role if mechanism is not None else "",
            offered=_offered(self._greeting).decode("ascii", "backslashreplace"),
            step=mechanism.step if mechanism is not None else self._stage.value,
            event=event,
            value=value,
            reason=self._refusal or str(cause),
        )

    def terminate(self) -> None:
        """Close the connection without telling anybody, and forget its keys."""
        super().terminate()
        if self._mechanism is not None:
            self._mechanism.destroy()

    def _mechanism_ready(self, mechanism: Mechanism) -> None:
        if self._options.heartbeat_interval > 0:
            self._start_timer(self._options.heartbeat_interval, HEARTBEAT_IVL_TIMER)
        session = self._session
        session.engine_ready()
        session.set_metadata(self._make_metadata(mechanism))
        self._stage = _READY
        self._encoder, self._decoder = mechanism.secure(
            self._encoder, self._decoder, downgrade_sub=type(self._encoder) is V2Encoder
        )
        if self._options.recv_routing_id and not session.push_routing_id(mechanism.peer_routing_id):
            self._send_greeting()
            return  # the pipe is ending, and this engine with it
        session.flush()
        self._source = session
        if self._out:
            self._add_first_messages()
        self._process_input = None
        self._mechanism = mechanism.after_handshake()
        if self._timers:
            self._stop_timer(HANDSHAKE_TIMER)
            self._stop_timer(COOKIE_TIMER)
        session.socket_events.event_handshake_succeeded(self.endpoint_uri_pair, 0)
        self._output_stopped = False
        self.out_event()
        if self._handle is not None:
            session.set_direct_output(self.write_direct)
            session.offer_input(True)

    def _add_first_messages(self) -> None:
        """Have the last command of the handshake leave with the messages that wait already, in one system call."""
        last = self._out
        msgs = self._source.pull_msgs(self._pull_limit)
        if msgs:
            self._encode(msgs)
            self._out = (*last, *self._out)
            if sum(map(len, self._out)) < JOIN_BELOW:
                self._out = (b"".join(self._out),)

    def _make_metadata(self, mechanism: Mechanism) -> Metadata:
        # Tuples of what the collector need not visit: it stops visiting them, too.
        own: tuple[tuple[str, bytes], ...] = ()
        if self.peer_address:
            own = (("Peer-Address", self.peer_address.encode()), ("__fd", b"%d" % self._sock.fileno()))
        return Metadata(own, mechanism.zap_properties, mechanism.zmtp_properties)

    def _process_routing_id(self, frame: Msg) -> None:
        """The first message of a 1.0 or 2.0 peer."""
        session = self._session
        self._stage = _READY
        self._process_input = None
        if self._options.recv_routing_id and session.push_routing_id(bytes(frame.data)):
            session.flush()
        if self._options.type in _PUBLISHERS and isinstance(self._encoder, V1Encoder) and not self._greeting_was_sent:
            # Before 1.0 had a greeting its subscribers did not forward subscriptions: send them everything.
            session.push_msgs([Msg(b"", SUBSCRIBE)])
            session.flush()

    @property
    def _greeting_was_sent(self) -> bool:
        """True if the peer has shown a revision."""
        return self._greeting_sent > _SIGNATURE_SIZE

    def _handshaked(self) -> bool:
        return self._stage in (_READY, Stage.ROUTING_ID)

    def _handshake_failed(self) -> bool:
        # libzmq: a connection without a mechanism, so every 1.0 and 2.0 one, counts as never having completed it.
        return self._mechanism is None or self._mechanism.status is Status.HANDSHAKING

    # -- traffic ----------------------------------------------------------------------------------------------------

    def _peer_is_alive(self) -> None:
        self._stop_timer(HEARTBEAT_TIMEOUT_TIMER)
        self._stop_timer(HEARTBEAT_TTL_TIMER)

    def _process_commands(self, msgs: list[Message]) -> list[Message]:
        """Answer PING, turn SUBSCRIBE and CANCEL into subscriptions, drop the rest."""
        kept: list[Message] = []
        pongs: list[Message] = []
        for msg in msgs:
            if type(msg) is not Msg or not msg.flags & COMMAND:
                kept.append(msg)
                continue
            if self._mechanism is None:
                continue  # ZMTP 2.0 has no commands
            data = bytes(msg.data)
            if data.startswith(_PING):
                if not self._process_ping(data):
                    break
                pongs.append(Msg(_PONG + data[_PING_MIN_SIZE : _PING_MIN_SIZE + _MAX_PING_CONTEXT], COMMAND))
            elif self._options.type in _PUBLISHERS:
                if data.startswith(_SUBSCRIBE):
                    kept.append(Msg(data[len(_SUBSCRIBE) :], SUBSCRIBE))
                elif data.startswith(_CANCEL):
                    kept.append(Msg(data[len(_CANCEL) :], CANCEL))
        if pongs:
            self._answer(pongs)
        if len(msgs) > _MANY_COMMANDS:
            self._read_size = MIN_READ
        return kept

    def _answer(self, pongs: list[Message]) -> None:
        """Have PONGs sent after what came before their PINGs has been passed on.

        All of a read, which together are no larger than it. What the kernel does not take of them waits, and then
        `_MAX_PONGS` more at most.
        """
        if self._out:
            count = max(0, _MAX_PONGS - len(self._control))  # PINGs of ours wait there, too
            if count < len(pongs):
                _LOG.debug("= %r leaves %d PINGs without an answer: its peer reads none", self, len(pongs) - count)
            pongs = pongs[:count]
        self._control = (*self._control, *pongs)

    def _process_ping(self, data: bytes) -> bool:
        """Obey the TTL of a PING; False if it has none."""
        if len(data) < _PING_MIN_SIZE:
            # As an error of the framing: it ends the connection when the messages before it have been passed on.
            if self._decoder is None:
                raise AssertionError("PING came through it")
            self._decoder.error = DecodeError(f"PING of {len(data)} bytes")
            return False
        ttl = _TTL.unpack_from(data, len(_PING))[0] * 100
        if ttl > 0 and HEARTBEAT_TTL_TIMER not in self._timers:
            self._start_timer(ttl, HEARTBEAT_TTL_TIMER)
        return True

    def timer_event(self, id_: int) -> None:
        """The peer is too slow, or it is time to ask whether it lives."""
        if id_ in (LENT_TIMER, INTERRUPTED_TIMER):
            super().timer_event(id_)
            return
        self._forget_timer(id_)
        if id_ == HEARTBEAT_IVL_TIMER:
            self._send_ping()
            if self._handle is not None:
                self._start_timer(self._options.heartbeat_interval, HEARTBEAT_IVL_TIMER)
            return
        if id_ == COOKIE_TIMER:
            if self._mechanism is not None:
                self._mechanism.forget_cookie()
            return
        if id_ == ENCODING_TIMER:
            self.error(ErrorReason.CONNECTION_ERROR, str(self._encoding_error))
            return
        if self._stage is Stage.REFUSED:
            self._protocol_error("the peer was refused, and did not go")
            return
        self._errno = errno.EAGAIN if id_ == HANDSHAKE_TIMER else errno.ETIMEDOUT
        self.error(ErrorReason.TIMEOUT_ERROR, f"timer {id_:#x}")

    def _send_ping(self) -> None:
        options = self._options
        timeout = options.heartbeat_timeout if options.heartbeat_timeout >= 0 else options.heartbeat_interval
        if timeout > 0 and HEARTBEAT_TIMEOUT_TIMER not in self._timers:
            self._start_timer(timeout, HEARTBEAT_TIMEOUT_TIMER)
        self._control = (*self._control, Msg(_PING + _TTL.pack(options.heartbeat_ttl), COMMAND))
        self._send_control()


@functools.cache
def _rest_of_greeting(mechanism: bytes) -> bytes:
    """What follows the major version: the minor one, the mechanism, and zeros."""
    return b"\1" + mechanism.ljust(20, b"\0") + bytes(32)


def _offered(greeting: bytes) -> bytes:
    """The mechanism in a peer's greeting; empty as long as there is none, and of peers that speak 1.0 or 2.0."""
    if len(greeting) < _V3_GREETING_SIZE or greeting[0] != 0xFF or not greeting[9] & 1 or greeting[_REVISION_POS] <= 1:
        return b""
    return greeting[_MECHANISM].rstrip(b"\0")


if TYPE_CHECKING:
    _host: type[MechanismHost] = ZmtpEngine
