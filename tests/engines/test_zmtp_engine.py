# SPDX-License-Identifier: MPL-2.0
"""Greeting, handshake, commands and heartbeats, on a real pair of sockets with a clock that the test moves.

What goes over the wire in whole is told in tests/wire; here it is what a peer cannot see: timers, the session, the
order of things when the kernel is full.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import Event, SecurityMechanism, SocketType
from libzmq_py.endpoint import EndpointType
from libzmq_py.engines.i_engine import ErrorReason
from libzmq_py.engines.stream_engine_base import (
    HANDSHAKE_TIMER,
    HEARTBEAT_IVL_TIMER,
    HEARTBEAT_TIMEOUT_TIMER,
    HEARTBEAT_TTL_TIMER,
)
from libzmq_py.engines.zmtp_engine import COOKIE_TIMER, ENCODING_TIMER, ZmtpEngine
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.metadata import add_property
from libzmq_py.msg import CANCEL, SUBSCRIBE, Msg
from tests.engines.fakes import GREETING, GREETING_3_0, PAIR, SIGNATURE, Rig, frame, ready
from tests.support.box import public_of
from tests.support.security import CurveClientScript

T = SocketType
CONNECTION, PROTOCOL, TIMEOUT = ErrorReason.CONNECTION_ERROR, ErrorReason.PROTOCOL_ERROR, ErrorReason.TIMEOUT_ERROR
PING, PONG = b"\4PING", b"\4PONG"
MakeRig = Callable[..., Rig]


@pytest.fixture
def rig() -> Iterator[MakeRig]:
    """Make engines, not plugged yet."""
    made: list[Rig] = []

    def make(type_: SocketType = T.PULL, **options: Any) -> Rig:
        made.append(Rig(ZmtpEngine, type_, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ready_rig(rig: MakeRig, type_: SocketType = T.PULL, peer: str = "PUSH", **options: Any) -> Rig:
    """After the handshake."""
    one = rig(type_, **options)
    one.handshake(peer)
    return one


def plain(messages: list[Any]) -> list[Any]:
    return [(bytes(msg.data), msg.flags) if isinstance(msg, Msg) else msg for msg in messages]


# --- greeting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routing_id", [b"", b"me", b"x" * 255])
def test_the_signature_is_a_1_0_header(rig: MakeRig, routing_id: bytes) -> None:
    """ff, the size of the routing id and its flags byte, 7f; nothing more until the peer has spoken."""
    one = rig(routing_id=routing_id)
    one.plug()
    assert one.recv(10) == b"\xff" + (len(routing_id) + 1).to_bytes(8, "big") + b"\x7f"
    assert one.silent()


def test_the_greeting_grows_with_what_the_peer_shows(rig: MakeRig) -> None:
    """Major version after ten bytes, the rest after the peer's revision, READY after all of it."""
    one = rig()
    one.plug()
    one.recv(10)
    one.send(SIGNATURE[:9])
    assert one.silent()
    one.send(SIGNATURE[9:])
    assert one.recv(1) == b"\3"
    assert one.silent()
    one.send(b"\3")
    assert one.recv(53) == b"\1" + b"NULL".ljust(20, b"\0") + bytes(32)
    one.send(GREETING[11:-1])
    assert one.silent()
    one.send(GREETING[-1:])
    body = b"\5READY" + add_property("Socket-Type", b"PULL")
    assert one.recv(2 + len(body)) == frame(body, 4)


@pytest.mark.parametrize("cut", [1, 9, 10, 11, 12, 63, 64, 65])
def test_a_handshake_in_two_pieces(rig: MakeRig, cut: int) -> None:
    """Wherever the stream is cut, with messages behind the handshake."""
    one = rig()
    one.plug()
    stream = GREETING + ready("PUSH") + frame(b"hello")
    one.send(stream[:cut])
    one.send(stream[cut : -len(frame(b"hello"))])
    one.send(frame(b"hello"))
    assert one.session.readies == 1
    assert one.session.received == [b"hello"]


class CountingSocket:
    """A socket that remembers what each send took."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.sent: list[int] = []

    def send(self, data: Any) -> int:
        count: int = self._sock.send(data)
        self.sent.append(count)
        return count

    def sendmsg(self, buffers: Any) -> int:
        count: int = self._sock.sendmsg(buffers)
        self.sent.append(count)
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize(
    ("before", "after", "sizes"),
    [
        (b"", SIGNATURE, [10, 1]),
        (SIGNATURE, b"", [11]),
        (SIGNATURE, GREETING[10:], [11, 53 + 28]),
        (b"", GREETING, [10, 54 + 28]),
        (GREETING, b"", [64 + 28]),
        (GREETING + ready("PUSH"), b"", [64 + 28]),
    ],
)
def test_all_that_can_be_said_is_said_in_one_call(rig: MakeRig, before: bytes, after: bytes, sizes: list[int]) -> None:
    """Each send costs both sides a wake-up, so what the peer's bytes allow to say goes out together."""
    one = rig()
    sock = one.engine._sock = CountingSocket(one.sock)
    one.peer.sendall(before)
    one.plug()
    one.settle()
    one.send(after)
    assert sock.sent == sizes


def test_who_connects_speaks_first(rig: MakeRig) -> None:
    """No read that most likely brings nothing: the signature leaves, and the peer's is read when it is told of."""
    one = rig(pair=PAIR._replace(local_type=EndpointType.CONNECT))
    sock = one.engine._sock = CountingSocket(one.sock)
    one.peer.sendall(SIGNATURE)
    one.plug()
    assert sock.sent == [10]
    one.settle()
    assert sock.sent == [10, 1]


def test_the_last_command_leaves_with_the_first_messages(rig: MakeRig) -> None:
    """READY and what waits already are one send, where the peer's READY is there."""
    one = rig(SocketType.PUSH)
    sock = one.engine._sock = CountingSocket(one.sock)
    one.session.to_send += [b"hello", (b"a", b"b")]
    one.plug()
    one.send(GREETING + ready("PULL"))
    expected = SIGNATURE + b"\3\1" + b"NULL".ljust(20, b"\0") + bytes(32) + ready("PUSH")
    expected += frame(b"hello") + frame(b"a", 1) + frame(b"b")
    assert one.recv(len(expected)) == expected
    assert sock.sent == [10, len(expected) - 10]


def test_the_last_command_leaves_before_a_large_message(rig: MakeRig) -> None:
    """Large ones are gathered by the kernel, not copied."""
    one = rig(SocketType.PUSH)
    one.session.to_send += [b"x" * 100_000]
    one.plug()
    one.send(GREETING + ready("PULL"))
    expected = SIGNATURE + b"\3\1" + b"NULL".ljust(20, b"\0") + bytes(32) + ready("PUSH") + frame(b"x" * 100_000)
    assert one.recv(len(expected)) == expected


def test_the_peer_may_have_spoken_before_plug(rig: MakeRig) -> None:
    """What is in the kernel already is read at once."""
    one = rig()
    one.peer.sendall(GREETING + ready("PUSH"))
    one.plug()
    one.settle()
    assert one.session.readies == 1


def test_a_mechanism_mismatch(rig: MakeRig) -> None:
    """MECHANISM_MISMATCH, then the end as a protocol error; no other event but DISCONNECTED."""
    one = rig()
    one.plug()
    fd = one.sock.fileno()
    one.send(SIGNATURE + b"\3\1" + b"PLAIN".ljust(20, b"\0") + bytes(32))
    assert one.session.events == [
        ("handshake_failed_protocol", Event.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH),
        ("disconnected", fd),
    ]
    assert one.session.errors == [(False, PROTOCOL)]


def curve_greeting(rig: MakeRig, **options: Any) -> tuple[Rig, CurveClientScript]:
    """A CURVE server whose peer has been sent its WELCOME."""
    one = rig(mechanism=SecurityMechanism.CURVE, as_server=1, curve_secret_key=b"Q" * 32, **options)
    one.plug()
    script = CurveClientScript(public_of(b"Q" * 32))
    one.send(SIGNATURE + b"\3\1" + b"CURVE".ljust(20, b"\0") + bytes(32) + frame(script.hello(), 4))
    one.recv(64)
    script.take_welcome(one.recv(170)[2:])
    return one, script


@pytest.mark.parametrize("ivl", [0, 60_001])
def test_a_cookie_expires(rig: MakeRig, ivl: int) -> None:
    """RFC 26: after a minute the server has forgotten its key, where the handshake is given longer than that."""
    one, script = curve_greeting(rig, handshake_ivl=ivl)
    assert one.timers[COOKIE_TIMER] == 60_000
    one.expire(COOKIE_TIMER)
    assert one.session.errors == []
    one.send(frame(script.initiate(add_property("Socket-Type", b"PUSH")), 4))
    assert one.session.events[0] == ("handshake_failed_protocol", Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)


@pytest.mark.parametrize("ivl", [1, 60_000])
def test_a_cookie_lives_no_longer_than_the_handshake(rig: MakeRig, ivl: int) -> None:
    """Which is what usually limits it."""
    one, _ = curve_greeting(rig, handshake_ivl=ivl)
    assert one.timers == {HANDSHAKE_TIMER: ivl}


def test_a_cookie_that_was_used_needs_no_timer(rig: MakeRig) -> None:
    """Both timers end with the handshake."""
    one, script = curve_greeting(rig, handshake_ivl=100_000)
    one.send(frame(script.initiate(add_property("Socket-Type", b"PUSH")), 4))
    assert one.session.readies == 1
    assert one.timers == {}


def test_why_a_handshake_failed(rig: MakeRig) -> None:
    """What we are, what the peer offers, what was waited for, the event, and the reason in words."""
    one, _ = curve_greeting(rig)
    one.send(frame(b"\5READY" + bytes(20), 4))
    (failure,) = one.session.failures
    assert (failure.mechanism, failure.role, failure.offered) == ("CURVE", "server", "CURVE")
    assert failure.step == "waiting for INITIATE"
    assert (failure.event, failure.value) == (
        Event.HANDSHAKE_FAILED_PROTOCOL,
        Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND,
    )
    assert "READY" in failure.reason
    assert "CURVE server" in str(failure)


@pytest.mark.parametrize("stream", [b"\1\0" + b"\xff" * 70, SIGNATURE + b"\1\5" + b"\xff" * 70])
def test_an_old_peer_offers_no_mechanism(rig: MakeRig, stream: bytes) -> None:
    """Whatever bytes of its lie where a 3.x greeting has one, in one read (fuzzing)."""
    one = rig()
    one.session.zap_enabled = True
    one.plug()
    one.send(stream)
    assert [(failure.offered, failure.step) for failure in one.session.failures] == [("", "greeting")]


@pytest.mark.parametrize("pieces", [1, 30])
@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_of_a_handshake_command(rig: MakeRig, pieces: int, more: int) -> None:
    """64 KiB, whether its end comes in a large read or a small one (fuzzing)."""
    one = rig()
    one.plug()
    head = b"\5READY" + add_property("Socket-Type", b"PUSH") + b"\1x"
    rest = (1 << 16) - len(head) - 4 + more
    stream = frame(head + rest.to_bytes(4, "big") + bytes(rest), 4)
    one.send(GREETING)
    size = -(-len(stream) // pieces)
    one.engine._read_size = 1 << 18
    for start in range(0, len(stream), size):
        one.send(stream[start : start + size])
    assert one.session.readies == 1 - more
    assert one.session.errors == [(False, PROTOCOL)] * more


def test_why_a_handshake_did_not_end(rig: MakeRig) -> None:
    """A peer that closes or is silent has a reason too; one that was connected has none."""
    one = rig()
    one.plug()
    one.hang_up()
    other = rig(handshake_ivl=5)
    other.plug()
    other.send(GREETING)
    other.expire(HANDSHAKE_TIMER)
    assert [(it.event, it.value, it.step) for it in (one.session.failures + other.session.failures)] == [
        (Event.HANDSHAKE_FAILED_NO_DETAIL, errno.EPIPE, "greeting"),
        (Event.HANDSHAKE_FAILED_NO_DETAIL, errno.EAGAIN, "waiting for READY"),
    ]
    good = ready_rig(rig)
    good.hang_up()
    assert good.session.failures == []


@pytest.mark.parametrize("greeting", [SIGNATURE + b"\0", SIGNATURE + b"\1\0", b"\1\0"])
def test_old_peers_are_refused_where_security_was_asked_for(rig: MakeRig, greeting: bytes) -> None:
    """CVE-2014-9721: a 1.0 or 2.0 greeting does not switch authentication off."""
    one = rig()
    one.session.zap_enabled = True
    one.plug()
    one.send(greeting + b"\0")
    assert [reason for _, reason in one.session.errors] == [PROTOCOL]
    assert [name for name, _ in one.session.events] == ["disconnected"]
    assert one.session.readies == 0


def test_security_that_cannot_be_given_lets_nobody_in(rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mechanism we do not have is refused even when the peer offers the same."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    monkeypatch.delitem(sys.modules, "libzmq_py.mechanisms.gssapi.kerberos", raising=False)
    one = rig(mechanism=SecurityMechanism.GSSAPI)
    one.plug()
    one.send(SIGNATURE + b"\3\1" + b"GSSAPI".ljust(20, b"\0") + bytes(32))
    assert [reason for _, reason in one.session.errors] == [PROTOCOL]
    assert one.session.readies == 0


class BrokenEncoder:
    """Cannot seal what it is given."""

    def __init__(self, engine: ZmtpEngine) -> None:
        self._engine = engine

    def encode(self, msgs: list[Any]) -> list[bytes]:
        self._engine.encoding_failed(MechanismError("expired"))
        return [b""]


@pytest.mark.parametrize("direct", [False, True])
def test_what_cannot_be_sealed_ends_the_connection(rig: MakeRig, direct: bool) -> None:
    """From the I/O thread and not at once, as it may be the socket's that sends; it may be made anew."""
    one = ready_rig(rig, T.PUSH, "PULL")
    one.engine._encoder = BrokenEncoder(one.engine)
    one.session.to_send.append(b"lost")
    one.session.direct_output() if direct else one.engine.restart_output()
    assert one.session.errors == []
    assert one.timers == {ENCODING_TIMER: 0}
    one.expire(ENCODING_TIMER)
    assert one.session.errors == [(True, CONNECTION)]
    assert one.session.failures == []
    one.peer.settimeout(5)
    assert one.peer.recv(1) == b""


# --- handshake -------------------------------------------------------------------------------------------------------


def test_when_it_is_complete(rig: MakeRig) -> None:
    """The session is ready, HANDSHAKE_SUCCEEDED, the timer is gone, the properties are shown."""
    one = rig()
    one.plug()
    assert one.timers == {HANDSHAKE_TIMER: 30_000}
    one.send(GREETING + ready("PUSH", **{"X-name": b"value"}))
    assert one.session.events == [("handshake_succeeded", 0)]
    assert one.timers == {}
    assert one.session.metadata is not None
    assert one.session.metadata["X-name"] == "value"
    assert one.session.metadata["Socket-Type"] == "PUSH"


def test_messages_wait_for_the_handshake(rig: MakeRig) -> None:
    """Nothing is pulled before it is over; then all at once, without being asked again."""
    one = rig(T.PUSH)
    one.session.to_send = [b"early"]
    one.plug()
    one.engine.restart_output()
    one.send(GREETING)
    assert one.session.limits == []
    one.send(ready("PULL"))
    sent = one.recv(64 + 2)
    one.recv(sent[-1])
    assert one.recv(7) == frame(b"early")


def test_a_routing_id_is_pushed_first(rig: MakeRig) -> None:
    """Sockets that want it get it before any message."""
    one = rig(T.ROUTER, recv_routing_id=True)
    one.plug()
    one.send(GREETING + ready("DEALER", Identity=b"peer"))
    assert one.session.routing_ids == [b"peer"]


def test_a_pipe_that_is_ending_takes_no_routing_id(rig: MakeRig) -> None:
    """The rest of the handshake is left undone, as the session is about to end the engine."""
    one = rig(T.ROUTER, recv_routing_id=True)
    one.session.takes_routing_id = False
    one.plug()
    one.send(GREETING + ready("DEALER", Identity=b"peer"))
    assert one.session.events == []
    assert one.session.errors == []


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (frame(b"\5HELLO", 4), ("handshake_failed_protocol", Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND)),
        (frame(b"\5ERROR\x03400", 4), ("handshake_failed_auth", 400)),
        (frame(b"\5ERROR\0", 4), None),
        (ready("PUB"), None),
    ],
)
def test_a_handshake_that_fails(rig: MakeRig, command: bytes, event: tuple[str, int] | None) -> None:
    """The reason's event if it has one, DISCONNECTED, and no further attempt."""
    one = rig()
    one.plug()
    fd = one.sock.fileno()
    one.send(GREETING + command)
    assert one.session.events == [*([event] if event else []), ("disconnected", fd)]
    assert [reason for _, reason in one.session.errors] == [PROTOCOL]
    assert one.session.readies == 0


@pytest.mark.parametrize("said", [b"", SIGNATURE, GREETING])
def test_the_peer_closes_before_the_handshake_is_over(rig: MakeRig, said: bytes) -> None:
    """HANDSHAKE_FAILED_NO_DETAIL with EPIPE, DISCONNECTED, and a reason to try again."""
    one = rig()
    one.plug()
    one.send(said)
    one.hang_up()
    assert [name for name, _ in one.session.events] == ["handshake_failed_no_detail", "disconnected"]
    assert one.session.events[0][1] == errno.EPIPE
    assert one.session.errors == [(False, CONNECTION)]


def test_reconnect_stop_after_a_failed_handshake(rig: MakeRig) -> None:
    """RECONNECT_STOP_HANDSHAKE_FAILED makes it an end for good."""
    one = rig(reconnect_stop=2)
    one.plug()
    one.hang_up()
    assert [reason for _, reason in one.session.errors] == [PROTOCOL]


def test_the_handshake_takes_too_long(rig: MakeRig) -> None:
    """HANDSHAKE_IVL: no detail but EAGAIN, and a reason to try again."""
    one = rig(handshake_ivl=123)
    one.plug()
    assert one.timers == {HANDSHAKE_TIMER: 123}
    one.expire(HANDSHAKE_TIMER)
    assert one.session.events[0] == ("handshake_failed_no_detail", errno.EAGAIN)
    assert one.session.errors == [(False, TIMEOUT)]


def test_handshake_ivl_0_means_no_limit(rig: MakeRig) -> None:
    """No timer runs."""
    one = rig(handshake_ivl=0)
    one.plug()
    assert one.timers == {}


def test_a_handshake_frame_above_the_limit(rig: MakeRig) -> None:
    """MAXMSGSIZE holds for commands, by the header alone."""
    one = rig(maxmsgsize=5)
    one.plug()
    one.send(GREETING + b"\4\6")
    assert [reason for _, reason in one.session.errors] == [PROTOCOL]


# --- 1.0 and 2.0 peers -----------------------------------------------------------------------------------------------


def test_a_2_0_peer(rig: MakeRig) -> None:
    """Type and routing id out, routing id and messages in; no metadata, no HANDSHAKE_SUCCEEDED."""
    one = rig(T.DEALER, routing_id=b"me")
    one.session.to_send = [b"hi"]
    one.plug()
    one.recv(10)
    one.send(SIGNATURE + b"\1" + bytes([T.ROUTER]))
    assert one.recv(2) == b"\3" + bytes([T.DEALER])
    assert one.recv(4 + 4) == frame(b"me") + frame(b"hi")
    one.send(frame(b"you") + frame(b"hello"))
    assert one.session.received == [b"hello"]
    assert (one.session.readies, one.session.events, one.session.metadata, one.timers) == (1, [], None, {})


def test_a_1_0_subscriber_without_a_greeting_gets_everything(rig: MakeRig) -> None:
    """Its routing id is not a message; a subscription to all is made for it."""
    one = rig(T.XPUB)
    one.plug()
    one.recv(10)
    one.send(b"\1\0")
    assert plain(one.session.received) == [(b"", SUBSCRIBE)]


def test_a_2_0_peer_has_no_commands(rig: MakeRig) -> None:
    """PING is not answered."""
    one = rig(T.DEALER)
    one.plug()
    one.send(SIGNATURE + b"\1" + bytes([T.ROUTER]) + frame(b"id"))
    one.recv(10 + 2 + 2)
    one.send(frame(PING + b"\0\0", 4) + frame(b"m"))
    assert one.session.received == [b"m"]
    assert one.silent()


# --- commands --------------------------------------------------------------------------------------------------------


def test_subscriptions_as_commands(rig: MakeRig) -> None:
    """SUBSCRIBE and CANCEL reach publishers as what they are, in order with messages."""
    one = ready_rig(rig, T.XPUB, "SUB")
    one.send(frame(b"\x09SUBSCRIBEa", 4) + frame(b"m") + frame(b"\6CANCELa", 4))
    one.send(frame(b"\7UNKNOWN", 4) + frame(b"", 4))
    assert plain(one.session.received) == [(b"a", SUBSCRIBE), b"m", (b"a", CANCEL)]


def test_commands_are_no_messages(rig: MakeRig) -> None:
    """A peer cannot slip a command to the user of a socket that knows no subscriptions."""
    one = ready_rig(rig)
    one.send(frame(b"\x09SUBSCRIBEa", 4) + frame(b"\7UNKNOWN", 4) + frame(b"\7UNKNOWN", 5) + frame(b"m"))
    assert one.session.received == [b"m"]


@pytest.mark.parametrize("context", [b"", b"abc", b"x" * 16, b"x" * 40])
def test_ping_is_answered(rig: MakeRig, context: bytes) -> None:
    """PONG with up to 16 bytes of the context."""
    one = ready_rig(rig)
    one.send(frame(PING + b"\0\0" + context, 4))
    expected = frame(PONG + context[:16], 4)
    assert one.recv(len(expected)) == expected
    assert one.silent()


def test_every_ping_is_answered(rig: MakeRig) -> None:
    """Several in one read, messages between them: the answers in order."""
    one = ready_rig(rig)
    one.send(b"".join(frame(PING + b"\0\0" + bytes([n]), 4) + frame(b"m") for n in range(5)))
    assert one.recv(5 * 8) == b"".join(frame(PONG + bytes([n]), 4) for n in range(5))
    assert one.session.received == [b"m"] * 5


@pytest.mark.parametrize("ping", [PING, PING + b"\0"])
def test_a_ping_without_a_ttl_breaks_the_protocol(rig: MakeRig, ping: bytes) -> None:
    """libzmq reads beyond it; here it ends the connection, after what came before it in the same read (fuzzing)."""
    one = ready_rig(rig)
    one.send(frame(b"before") + frame(PING + b"\0\0a", 4) + frame(ping, 4) + frame(b"behind"))
    assert one.session.errors == [(True, PROTOCOL)]
    assert one.session.received == [b"before"]
    assert one.recv(8) == frame(PONG + b"a", 4)


def test_a_bad_ping_while_the_session_is_full(rig: MakeRig) -> None:
    """The connection ends when the messages before it have been taken."""
    one = ready_rig(rig)
    one.session.room = 1
    one.send(frame(b"1") + frame(b"2") + frame(PING, 4))
    assert one.session.errors == []
    one.session.room = 9
    one.engine.restart_input()
    assert one.session.received == [b"1", b"2"]
    assert one.session.errors == [(True, PROTOCOL)]


def stuff(one: Rig) -> int:
    """Fill the kernel, so that the engine holds part of a message; how many bytes are under way in all."""
    message = b"x" * 1_000_000
    one.session.to_send = [message]
    one.engine.restart_output()
    assert one.events & 2
    return len(frame(message))


def test_a_pong_waits_for_the_kernel(rig: MakeRig) -> None:
    """PING while the kernel is full: the PONG follows what is being sent, without waiting for another message."""
    one = ready_rig(rig, T.DEALER, "DEALER")
    size = stuff(one)
    one.send(frame(PING + b"\0\0ctx", 4))
    one.recv(size)
    expected = frame(PONG + b"ctx", 4)
    assert one.recv(len(expected)) == expected
    assert one.events == 1


def test_our_ping_waits_for_the_kernel(rig: MakeRig) -> None:
    """The same for the PING of a heartbeat."""
    one = ready_rig(rig, T.DEALER, "DEALER", heartbeat_interval=100)
    size = stuff(one)
    one.expire(HEARTBEAT_IVL_TIMER)
    one.recv(size)
    expected = frame(PING + b"\0\0", 4)
    assert one.recv(len(expected)) == expected


@pytest.mark.parametrize("unit", [frame(b"", 4), frame(PING + b"\0\0", 4), frame(b"\x09SUBSCRIBEa", 4)])
def test_many_commands_are_read_a_few_at_a_time(rig: MakeRig, unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of them a peer sends: other connections of the thread have their turn between two reads."""
    one = ready_rig(rig, T.DEALER, "DEALER")
    sizes: list[int] = []
    decode = V2Decoder.decode

    def note(self: V2Decoder, data: bytes) -> list[Any]:
        sizes.append(len(data))
        return decode(self, data)

    monkeypatch.setattr(V2Decoder, "decode", note)
    one.send(unit * (600_000 // len(unit)))
    assert max(sizes) <= 1 << 15
    one.session.received.clear()
    one.send(frame(b"x" * 50) * 10_000)
    assert max(sizes) > 1 << 15
    assert one.session.received == [b"x" * 50] * 10_000


@pytest.mark.parametrize("count", [256, 257, 1000])
def test_as_many_pings_as_a_read_holds(rig: MakeRig, count: int) -> None:
    """All are answered, each with its own context, and after the messages before them have been passed on."""
    one = ready_rig(rig, T.DEALER, "DEALER")
    one.engine._read_size = 1 << 18
    contexts = [n.to_bytes(4, "big") for n in range(count)]
    one.send(frame(b"first") + b"".join(frame(PING + b"\0\0" + context, 4) for context in contexts) + frame(b"last"))
    answers = b"".join(frame(PONG + context, 4) for context in contexts)
    assert one.recv(len(answers)) == answers
    assert one.silent()
    assert one.session.received == [b"first", b"last"]


def test_answers_of_which_the_kernel_takes_a_part(rig: MakeRig) -> None:
    """The rest of what one read has asked for waits, and comes in order."""
    one = ready_rig(rig, T.DEALER, "DEALER")
    one.engine._read_size = 1 << 18
    one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    contexts = [n.to_bytes(16, "big") for n in range(2000)]
    one.send(b"".join(frame(PING + b"\0\0" + context, 4) for context in contexts))
    assert one.events & 2
    answers = b"".join(frame(PONG + context, 4) for context in contexts)
    assert one.recv(len(answers)) == answers
    assert one.events == 1


def test_a_peer_that_only_asks_does_not_fill_our_memory(rig: MakeRig) -> None:
    """PINGs without end from a peer that reads nothing: 256 answers wait, and more are made when it has read them."""
    one = ready_rig(rig, T.DEALER, "DEALER")
    size = stuff(one)
    pings = frame(PING + b"\0\0", 4) * 1000
    for _ in range(20):
        one.send(pings)
    assert len(one.engine._control) == 256
    assert one.session.errors == []
    one.recv(size)
    answer = frame(PONG, 4)
    assert one.recv(256 * len(answer)) == answer * 256
    assert one.silent()
    one.send(frame(PING + b"\0\0again", 4))
    assert one.recv(len(answer) + 5) == frame(PONG + b"again", 4)


# --- heartbeats ------------------------------------------------------------------------------------------------------


def test_without_the_option_there_are_none(rig: MakeRig) -> None:
    """No timer runs after the handshake."""
    assert ready_rig(rig).timers == {}


@pytest.mark.parametrize("timeout", [-1, 0, 70])
def test_a_heartbeat(rig: MakeRig, timeout: int) -> None:
    """Every HEARTBEAT_IVL a PING with our TTL; HEARTBEAT_TIMEOUT runs from the first one, IVL by default, 0 never."""
    one = ready_rig(rig, heartbeat_interval=100, heartbeat_timeout=timeout, heartbeat_ttl=300)
    assert one.timers == {HEARTBEAT_IVL_TIMER: 100}
    one.expire(HEARTBEAT_IVL_TIMER)
    expected = frame(PING + (300).to_bytes(2, "big"), 4)
    assert one.recv(len(expected)) == expected
    waits = {-1: {HEARTBEAT_TIMEOUT_TIMER: 100}, 0: {}, 70: {HEARTBEAT_TIMEOUT_TIMER: 70}}[timeout]
    assert one.timers == {HEARTBEAT_IVL_TIMER: 100, **waits}
    one.expire(HEARTBEAT_IVL_TIMER)
    assert one.timers == {HEARTBEAT_IVL_TIMER: 100, **waits}, "not armed again while it runs"


@pytest.mark.parametrize("sign", [frame(PONG, 4), frame(b"message"), frame(b"\7UNKNOWN", 4), frame(PING + b"\0\0", 4)])
def test_any_frame_is_a_sign_of_life(rig: MakeRig, sign: bytes) -> None:
    """Whatever the peer sends stops the time-out; the next PING starts it again."""
    one = ready_rig(rig, heartbeat_interval=100, heartbeat_timeout=50)
    one.expire(HEARTBEAT_IVL_TIMER)
    one.send(sign)
    assert one.timers == {HEARTBEAT_IVL_TIMER: 100}
    one.expire(HEARTBEAT_IVL_TIMER)
    assert HEARTBEAT_TIMEOUT_TIMER in one.timers


def test_a_silent_peer_is_given_up(rig: MakeRig) -> None:
    """HEARTBEAT_TIMEOUT: the connection ends and is made again."""
    one = ready_rig(rig, heartbeat_interval=100, heartbeat_timeout=50)
    one.session.events.clear()
    one.expire(HEARTBEAT_IVL_TIMER)
    one.expire(HEARTBEAT_TIMEOUT_TIMER)
    assert [name for name, _ in one.session.events] == ["disconnected"]
    assert one.session.errors == [(True, TIMEOUT)]
    assert one.timers == {}


@pytest.mark.parametrize(("ttl", "milliseconds"), [(1, 100), (600, 60_000), (656, 65_600), (65535, 6_553_500)])
def test_the_peers_ttl(rig: MakeRig, ttl: int, milliseconds: int) -> None:
    """A PING says how long the peer wants to be believed alive, in tenths of a second (libzmq: cut to 16 bits)."""
    one = ready_rig(rig)
    one.send(frame(PING + ttl.to_bytes(2, "big"), 4))
    assert one.timers == {HEARTBEAT_TTL_TIMER: milliseconds}
    one.expire(HEARTBEAT_TTL_TIMER)
    assert one.session.errors == [(True, TIMEOUT)]


def test_the_peers_ttl_ends_with_any_frame(rig: MakeRig) -> None:
    """It is armed again by the next PING only."""
    one = ready_rig(rig)
    one.send(frame(PING + b"\0\1", 4))
    one.send(frame(b"m"))
    assert one.timers == {}
    one.send(frame(PING + b"\0\2", 4))
    assert one.timers == {HEARTBEAT_TTL_TIMER: 200}


def test_heartbeats_of_3_0(rig: MakeRig) -> None:
    """Sent to 3.0 peers too."""
    one = rig(heartbeat_interval=100)
    one.plug()
    one.send(GREETING_3_0 + ready("PUSH"))
    assert one.timers == {HEARTBEAT_IVL_TIMER: 100}
