# SPDX-License-Identifier: MPL-2.0
"""PLAIN, CURVE and ZAP on the wire: what is said byte for byte, and which event follows what a peer does wrong.

Vectors: wire-vectors 8 to 11 and 16; rules: mechanisms sections 3 to 7. The scripted CURVE peers have a cryptography of
their own (`tests.support.box`). All of this is run against real libzmq too, but for what is marked `departs`.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import TARGET_IS_LIBZMQ, SocketFactory, bind
from tests.support.box import public_of
from tests.support.raw_peer import (
    COMMAND,
    RawPeer,
    RawPeers,
    command,
    frame,
    greeting,
    prop,
    properties,
    signature,
    v1_frame,
)
from tests.support.security import CurveClientScript, CurveServerScript
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, Stopwatch, ms, seconds, wait_until
from tests.support.zap import Frames, ZapHandler, answer
from tests.wire.conftest import Watch, in_pieces
from tests.wire.events import (
    DISCONNECTED,
    HANDSHAKE_FAILED_AUTH,
    HANDSHAKE_FAILED_NO_DETAIL,
    HANDSHAKE_FAILED_PROTOCOL,
    HANDSHAKE_SUCCEEDED,
    OUTCOMES,
    UNEXPECTED_COMMAND,
)

PROTOCOL, AUTH, NO_DETAIL = HANDSHAKE_FAILED_PROTOCOL, HANDSHAKE_FAILED_AUTH, HANDSHAKE_FAILED_NO_DETAIL
UNSPECIFIED = 0x10000000
INVALID_SEQUENCE = 0x10000002
KEY_EXCHANGE = 0x10000003
MALFORMED_UNSPECIFIED = 0x10000011
MALFORMED_MESSAGE = 0x10000012
MALFORMED_HELLO = 0x10000013
MALFORMED_INITIATE = 0x10000014
MALFORMED_ERROR = 0x10000015
MALFORMED_READY = 0x10000016
MALFORMED_WELCOME = 0x10000017
INVALID_METADATA = 0x10000018
CRYPTOGRAPHIC = 0x11000001

SERVER_SECRET = b"Q" * 32
PLAIN_HELLO = command(b"HELLO", b"\5admin\6secret")
DEALER = properties("DEALER", b"me")

MakeHandler = Callable[..., ZapHandler]


@pytest.fixture
def handler(ctx: Any) -> Iterator[MakeHandler]:
    """Start a ZAP handler: ``handler()`` accepts everybody, ``handler(answer(b"400"))`` nobody."""
    made: list[ZapHandler] = []

    def make(reply: Frames | Callable[[Frames], Frames | None] | None = None) -> ZapHandler:
        made.append(ZapHandler(zmq, ctx, reply))
        return made[-1]

    yield make
    for one in made:
        one.close()


def plain_server(socket: SocketFactory, **options: Any) -> Any:
    return socket(zmq.DEALER, plain_server=1, **options)


def curve_server(socket: SocketFactory, kind: int = zmq.DEALER, **options: Any) -> Any:
    keys = {"curve_server": 1, "curve_secretkey": SERVER_SECRET, "curve_publickey": public_of(SERVER_SECRET)}
    return socket(kind, **keys, **options)


def curve_client(socket: SocketFactory, kind: int = zmq.DEALER, **options: Any) -> Any:
    public, secret = zmq.curve_keypair()
    return socket(
        kind,
        curve_publickey=public,
        curve_secretkey=secret,
        curve_serverkey=public_of(SERVER_SECRET),
        **options,
    )


def greet(raw: RawPeers, sock: Any, mechanism: bytes, minor: int = 1) -> RawPeer:
    """A peer that has exchanged greetings with a bound socket."""
    peer = raw.connect(bind(sock))
    peer.greet(minor, mechanism)
    return peer


def say(peer: RawPeer, body: bytes) -> None:
    """Send a command."""
    peer.send(frame(body, command=True))


def hear(peer: RawPeer) -> bytes:
    """The next command."""
    got = peer.read_frame()
    assert got.flags & COMMAND, got
    return got.body


# --- PLAIN -----------------------------------------------------------------------------------------------------------


@in_pieces
def test_plain_server(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler, sizes: list[int]
) -> None:
    """HELLO, WELCOME, INITIATE, READY, then plain frames; the handler is given user and password."""
    asked = handler()
    dealer = plain_server(socket, zap_domain=b"dom", routing_id=b"SRV")
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send_pieces(PLAIN_HELLO, sizes)
    peer.expect("04 08 07 57 45 4c 43 4f 4d 45")
    peer.send_pieces(command(b"INITIATE", DEALER), sizes)
    peer.expect(command(b"READY", properties("DEALER", b"SRV")))
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    peer.send(frame(b"hi"))
    message = dealer.recv(copy=False)
    assert bytes(message) == b"hi"
    assert message.get("User-Id") == "user-1"
    assert message.get("Identity") == "me"
    assert asked.requests == [[b"1.0", b"1", b"dom", b"127.0.0.1", b"SRV", b"PLAIN", b"admin", b"secret"]]
    dealer.send(b"ho")
    peer.expect(frame(b"ho"))


@in_pieces
def test_plain_client(socket: SocketFactory, raw: RawPeers, watch: Watch, sizes: list[int]) -> None:
    """The same from the other side."""
    dealer = socket(zmq.DEALER, plain_username=b"admin", plain_password=b"secret", routing_id=b"id")
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(1, b"PLAIN")
    peer.expect(PLAIN_HELLO)
    peer.send_pieces(command(b"WELCOME"), sizes)
    peer.expect(command(b"INITIATE", properties("DEALER", b"id")))
    peer.send_pieces(command(b"READY", properties("ROUTER")), sizes)
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    dealer.send(b"hi")
    peer.expect(frame(b"hi"))


PLAIN_SERVER_ENDINGS = {
    "no name": (b"\0", MALFORMED_UNSPECIFIED),
    "name beyond the frame": (b"\5HEL", MALFORMED_UNSPECIFIED),
    "READY": (b"\5READY" + DEALER, UNEXPECTED_COMMAND),
    "HELLO without user": (b"\5HELLO", MALFORMED_HELLO),
    "HELLO with a short user": (b"\5HELLO\5adm", MALFORMED_HELLO),
    "HELLO without password": (b"\5HELLO\5admin", MALFORMED_HELLO),
    "HELLO with extra bytes": (b"\5HELLO\1a\1bc", MALFORMED_HELLO),
}


@pytest.mark.parametrize(("said", "code"), PLAIN_SERVER_ENDINGS.values(), ids=PLAIN_SERVER_ENDINGS.keys())
def test_what_ends_a_plain_server(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler, said: bytes, code: int
) -> None:
    """Each of these has its event, then DISCONNECTED."""
    handler()
    dealer = plain_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    say(peer, said)
    log.expect(PROTOCOL, code)
    log.expect(DISCONNECTED)
    peer.read_to_end()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\5HELLO\1a\1b", UNEXPECTED_COMMAND),
        (b"\x08INITIATE" + DEALER + b"x", None),
        (b"\x08INITIATE" + properties("PUB"), None),
    ],
)
def test_what_ends_a_plain_server_after_welcome(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler, said: bytes, code: int | None
) -> None:
    """A second HELLO has its event; bad metadata and wrong types have none."""
    handler()
    dealer = plain_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send(PLAIN_HELLO)
    assert hear(peer) == b"\7WELCOME"
    say(peer, said)
    if code is not None:
        log.expect(PROTOCOL, code)
    log.expect(DISCONNECTED)
    peer.read_to_end()


PLAIN_CLIENT_ENDINGS = {
    "WELCOME with more": (b"\7WELCOMEx", PROTOCOL, MALFORMED_WELCOME),
    "READY at once": (b"\5READY" + DEALER, PROTOCOL, UNEXPECTED_COMMAND),
    "HELLO": (b"\5HELLO\0\0", PROTOCOL, UNEXPECTED_COMMAND),
    "nothing": (b"", PROTOCOL, UNEXPECTED_COMMAND),
    "ERROR 400 as libzmq writes it": (b"\x5eRROR\x03400", AUTH, 400),
    "ERROR 300 as libzmq writes it": (b"\x5eRROR\x03300", AUTH, 300),
    "malformed ERROR": (b"\x5eRROR\x09400", PROTOCOL, MALFORMED_ERROR),
    "another reason": (b"\x5eRROR\x02no", None, None),
}


@pytest.mark.parametrize(
    ("said", "event", "value"), PLAIN_CLIENT_ENDINGS.values(), ids=PLAIN_CLIENT_ENDINGS.keys()
)
def test_what_ends_a_plain_client(
    socket: SocketFactory, raw: RawPeers, watch: Watch, said: bytes, event: int | None, value: int | None
) -> None:
    """Each has its event, and the client does not come back."""
    dealer = socket(zmq.DEALER, plain_username=b"admin", plain_password=b"secret", reconnect_ivl=1)
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(1, b"PLAIN")
    peer.expect(PLAIN_HELLO)
    say(peer, said)
    if event is not None:
        log.expect(event, value)
    log.expect(DISCONNECTED)
    peer.read_to_end()
    listener.expect_no_connection()


@pytest.mark.departs
def test_an_error_as_the_rfc_has_it(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """FAILED_AUTH; libzmq's client takes it for an unknown command."""
    dealer = socket(zmq.DEALER, plain_username=b"admin", plain_password=b"secret", reconnect_ivl=1)
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(1, b"PLAIN")
    say(peer, b"\5ERROR\x03400")
    log.expect(AUTH, 400)
    log.expect(DISCONNECTED)


# --- CURVE -----------------------------------------------------------------------------------------------------------


def curve_welcome(raw: RawPeers, dealer: Any, minor: int = 1) -> tuple[RawPeer, CurveClientScript]:
    """A scripted client that has its WELCOME."""
    peer = greet(raw, dealer, b"CURVE", minor)
    script = CurveClientScript(public_of(SERVER_SECRET))
    say(peer, script.hello())
    script.take_welcome(hear(peer))
    return peer, script


def curve_ready(
    raw: RawPeers, dealer: Any, metadata: bytes = DEALER, minor: int = 1
) -> tuple[RawPeer, CurveClientScript]:
    """A scripted client that is connected."""
    peer, script = curve_welcome(raw, dealer, minor)
    say(peer, script.initiate(metadata))
    script.take_ready(hear(peer))
    return peer, script


def test_curve_server(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """The whole way against a scripted client; nonces of both directions count up; PING and PONG travel inside."""
    dealer = curve_server(socket, routing_id=b"SRV")
    log = watch(dealer, OUTCOMES)
    peer, script = curve_welcome(raw, dealer)
    say(peer, script.initiate(DEALER))
    assert script.take_ready(hear(peer)) == properties("DEALER", b"SRV")
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    peer.send(frame(script.message(b"hello", 3)))
    assert dealer.recv() == b"hello"
    dealer.send_multipart([b"A", b"BB"])
    for number, (flags, payload) in enumerate([(1, b"A"), (0, b"BB")], 2):
        got = peer.read_frame()
        assert got.flags == 0
        assert script.take_message(got.body) == (number, flags, payload)
    peer.send(frame(script.message(b"\4PING\0\0ab", 4, flags=2)))
    assert script.take_message(peer.read_frame().body) == (4, 2, b"\4PONGab")
    peer.send(frame(script.message(b"a", 10, flags=1)), frame(script.message(b"b" * 300, 11)))
    assert dealer.recv_multipart() == [b"a", b"b" * 300]


def test_curve_client(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """The whole way against a scripted server."""
    dealer = curve_client(socket, routing_id=b"id")
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(1, b"CURVE")
    script = CurveServerScript(SERVER_SECRET)
    script.take_hello(hear(peer))
    say(peer, script.welcome())
    assert script.take_initiate(hear(peer)) == properties("DEALER", b"id")
    say(peer, script.ready(properties("DEALER")))
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    dealer.send(b"hi")
    assert script.take_message(peer.read_frame().body) == (3, 0, b"hi")
    peer.send(frame(script.message(b"ho", 2)))
    assert dealer.recv() == b"ho"


@pytest.mark.parametrize(("minor", "expected"), [(1, (3, 2, b"\x09SUBSCRIBET")), (0, (3, 0, b"\1T"))])
def test_subscriptions_inside(
    socket: SocketFactory, raw: RawPeers, minor: int, expected: tuple[int, int, bytes]
) -> None:
    """A command to a 3.1 peer, a message to one of 3.0; both sealed."""
    sub = curve_client(socket, zmq.SUB, subscribe=b"T")
    listener = raw.listen()
    sub.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(minor, b"CURVE")
    script = CurveServerScript(SERVER_SECRET)
    script.take_hello(hear(peer))
    say(peer, script.welcome())
    script.take_initiate(hear(peer))
    say(peer, script.ready(properties("PUB")))
    assert script.take_message(peer.read_frame().body) == expected
    peer.send(frame(script.message(b"Topic", 2)))
    assert sub.recv() == b"Topic"


@pytest.mark.parametrize(("minor", "wanted"), [(1, (2, b"\x09SUBSCRIBET")), (0, (0, b"\1T"))])
def test_subscriptions_taken_inside(
    socket: SocketFactory, raw: RawPeers, minor: int, wanted: tuple[int, bytes]
) -> None:
    """An XPUB shows a subscription that came sealed."""
    xpub = curve_server(socket, zmq.XPUB)
    peer, script = curve_ready(raw, xpub, properties("SUB"), minor)
    peer.send(frame(script.message(wanted[1], 3, flags=wanted[0])))
    assert xpub.recv() == b"\1T"
    xpub.send(b"Topic")
    assert script.take_message(peer.read_frame().body) == (2, 0, b"Topic")


def _altered(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


CURVE_HELLO_ENDINGS: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "no name": (lambda hello: b"\0", MALFORMED_UNSPECIFIED),
    "another command": (lambda hello: b"\5READY" + hello[6:], UNEXPECTED_COMMAND),
    "199 bytes": (lambda hello: hello[:-1], MALFORMED_HELLO),
    "version 2.0": (lambda hello: hello[:6] + b"\2\0" + hello[8:], MALFORMED_HELLO),
    "altered box": (lambda hello: _altered(hello, 150), CRYPTOGRAPHIC),
    "wrong server key": (lambda hello: CurveClientScript(public_of(b"X" * 32)).hello(), CRYPTOGRAPHIC),
}


@pytest.mark.parametrize(("change", "code"), CURVE_HELLO_ENDINGS.values(), ids=CURVE_HELLO_ENDINGS.keys())
def test_what_ends_a_curve_server_at_hello(
    socket: SocketFactory, raw: RawPeers, watch: Watch, change: Callable[[bytes], bytes], code: int
) -> None:
    """Each has its event, then DISCONNECTED."""
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"CURVE")
    say(peer, change(CurveClientScript(public_of(SERVER_SECRET)).hello()))
    log.expect(PROTOCOL, code)
    log.expect(DISCONNECTED)
    peer.read_to_end()


CURVE_INITIATE_ENDINGS: dict[str, tuple[Callable[[CurveClientScript], bytes], int | None]] = {
    "no name": (lambda it: b"\0", MALFORMED_UNSPECIFIED),
    "another command": (lambda it: b"\5READY" + it.initiate(DEALER)[6:], UNEXPECTED_COMMAND),
    "209 bytes": (lambda it: it.initiate(DEALER)[:209], MALFORMED_INITIATE),
    "altered cookie": (lambda it: _altered(it.initiate(DEALER), 60), CRYPTOGRAPHIC),
    "altered box": (lambda it: _altered(it.initiate(DEALER), 130), CRYPTOGRAPHIC),
    "vouch by another key": (
        lambda it: it.initiate(
            DEALER, vouch=CurveClientScript(it.server_key, b"T" * 32, it.cn_secret, it.cn_server).vouch()
        ),
        CRYPTOGRAPHIC,
    ),
    "vouch for another C'": (
        lambda it: it.initiate(DEALER, vouch=it.vouch(vouched=public_of(b"O" * 32))),
        KEY_EXCHANGE,
    ),
    "bad metadata": (lambda it: it.initiate(DEALER + b"x"), None),
    "wrong type": (lambda it: it.initiate(properties("PUB")), None),
}


@pytest.mark.parametrize(("make", "code"), CURVE_INITIATE_ENDINGS.values(), ids=CURVE_INITIATE_ENDINGS.keys())
def test_what_ends_a_curve_server_at_initiate(
    socket: SocketFactory,
    raw: RawPeers,
    watch: Watch,
    make: Callable[[CurveClientScript], bytes],
    code: int | None,
) -> None:
    """Each has its event, then DISCONNECTED; what is wrong with metadata has none."""
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer, script = curve_welcome(raw, dealer)
    say(peer, make(script))
    if code is not None:
        log.expect(PROTOCOL, code)
    log.expect(DISCONNECTED)
    peer.read_to_end()


@pytest.mark.departs
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda it: it.initiate(DEALER, vouch=it.vouch(server_key=public_of(b"O" * 32))), KEY_EXCHANGE),
        (lambda it: it.initiate(DEALER, nonce=1), INVALID_SEQUENCE),
    ],
    ids=["vouch to another server", "nonce used again"],
)
def test_what_libzmq_lets_pass(
    socket: SocketFactory, raw: RawPeers, watch: Watch, make: Callable[[CurveClientScript], bytes], code: int
) -> None:
    """A vouch that names another server, an INITIATE whose nonce is not larger than HELLO's."""
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer, script = curve_welcome(raw, dealer)
    say(peer, make(script))
    log.expect(PROTOCOL, code)
    log.expect(DISCONNECTED)


CURVE_MESSAGE_ENDINGS: dict[str, tuple[Callable[[CurveClientScript], bytes], int]] = {
    "replayed": (lambda it: it.message(b"one", 3), INVALID_SEQUENCE),
    "reordered": (lambda it: it.message(b"one", 2), INVALID_SEQUENCE),
    "altered": (lambda it: _altered(it.message(b"two", 4), 35), CRYPTOGRAPHIC),
    "another key": (lambda it: CurveClientScript(b"", key=bytes(32)).message(b"two", 4), CRYPTOGRAPHIC),
    "cut": (lambda it: it.message(b"", 4)[:32], MALFORMED_MESSAGE),
    "another command": (lambda it: b"\5READY" + it.message(b"two", 4), UNEXPECTED_COMMAND),
    "in clear": (lambda it: b"clear", MALFORMED_UNSPECIFIED),
}


@pytest.mark.parametrize(("make", "code"), CURVE_MESSAGE_ENDINGS.values(), ids=CURVE_MESSAGE_ENDINGS.keys())
def test_what_ends_a_connection_after_the_handshake(
    socket: SocketFactory, raw: RawPeers, watch: Watch, make: Callable[[CurveClientScript], bytes], code: int
) -> None:
    """HANDSHAKE_FAILED_PROTOCOL though the handshake is over, and nothing of the message is seen.

    libzmq leaves the connection open when a monitor is attached (its errno is lost); so only the event is compared.
    """
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer, script = curve_ready(raw, dealer)
    log.expect(HANDSHAKE_SUCCEEDED)
    peer.send(frame(script.message(b"one", 3)))
    assert dealer.recv() == b"one"
    peer.send(frame(make(script)))
    log.expect(PROTOCOL, code)
    assert not dealer.poll(0)


@pytest.mark.departs
@pytest.mark.parametrize("watched", [True, False])
def test_a_bad_message_closes_at_once(socket: SocketFactory, raw: RawPeers, watch: Watch, watched: bool) -> None:
    """Watched or not: DISCONNECTED, and the other connections go on."""
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES) if watched else None
    peer, script = curve_ready(raw, dealer)
    good, good_script = peer, script
    endpoint = dealer.last_endpoint.decode()
    bad = raw.connect(endpoint)
    bad.greet(1, b"CURVE")
    bad_script = CurveClientScript(public_of(SERVER_SECRET))
    say(bad, bad_script.hello())
    bad_script.take_welcome(hear(bad))
    say(bad, bad_script.initiate(DEALER))
    bad_script.take_ready(hear(bad))
    bad.send(frame(bad_script.message(b"x", 3)) * 2)
    bad.expect_close()
    if log is not None:
        log.expect(HANDSHAKE_SUCCEEDED)
        log.expect(HANDSHAKE_SUCCEEDED)
        log.expect(PROTOCOL, INVALID_SEQUENCE)
        log.expect(DISCONNECTED)
    good.send(frame(good_script.message(b"still here", 3)))
    assert sorted([dealer.recv(), dealer.recv()]) == [b"still here", b"x"]


@pytest.mark.departs
@pytest.mark.parametrize("size", [3, 300, 9000, 70_000])
@pytest.mark.parametrize("flags", [1, 4, 5])
def test_outer_flags_of_a_message_change_nothing(
    socket: SocketFactory, raw: RawPeers, flags: int, size: int
) -> None:
    """Somebody in between sets MORE or COMMAND on what is sealed: nothing is delayed, joined or taken for a command."""
    dealer = curve_server(socket)
    peer, script = curve_ready(raw, dealer)
    nonces = itertools.count(3)

    def flagged(payload: bytes, inner: int = 0) -> bytes:
        sent = frame(script.message(payload, next(nonces), inner))
        return bytes([sent[0] | flags]) + sent[1:]

    for body in (b"x" * size, b"y" * size):
        peer.send(flagged(body))
        assert dealer.recv_multipart() == [body]
    peer.send(flagged(b"a" * size, 1), flagged(b"b" * size, 1), flagged(b"c" * size))
    assert dealer.recv_multipart() == [letter * size for letter in (b"a", b"b", b"c")]
    peer.send(flagged(b"\4PING\0\0ab", 2))
    assert script.take_message(peer.read_frame().body)[1:] == (2, b"\4PONGab")


CURVE_CLIENT_ENDINGS: dict[str, tuple[Callable[[CurveServerScript], bytes], int, int]] = {
    "short WELCOME": (lambda it: it.welcome()[:-1], PROTOCOL, CRYPTOGRAPHIC),
    "altered WELCOME": (lambda it: _altered(it.welcome(), 100), PROTOCOL, CRYPTOGRAPHIC),
    "another command": (lambda it: b"\7MESSAGE" + bytes(40), PROTOCOL, UNEXPECTED_COMMAND),
    "ERROR": (lambda it: b"\5ERROR\x03400", AUTH, 400),
    "malformed ERROR": (lambda it: b"\5ERROR\x09400", PROTOCOL, MALFORMED_ERROR),
}


@pytest.mark.parametrize(
    ("make", "event", "value"), CURVE_CLIENT_ENDINGS.values(), ids=CURVE_CLIENT_ENDINGS.keys()
)
def test_what_ends_a_curve_client(
    socket: SocketFactory,
    raw: RawPeers,
    watch: Watch,
    make: Callable[[CurveServerScript], bytes],
    event: int,
    value: int,
) -> None:
    """Each has its event, and the client does not come back."""
    dealer = curve_client(socket, reconnect_ivl=1)
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(1, b"CURVE")
    script = CurveServerScript(SERVER_SECRET)
    script.take_hello(hear(peer))
    say(peer, make(script))
    log.expect(event, value)
    log.expect(DISCONNECTED)
    peer.read_to_end()
    listener.expect_no_connection()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda it: it.ready(DEALER)[:29], MALFORMED_READY),
        (lambda it: _altered(it.ready(DEALER), 35), CRYPTOGRAPHIC),
        (lambda it: it.ready(DEALER + b"x"), INVALID_METADATA),
        (lambda it: it.ready(properties("PUB")), INVALID_METADATA),
    ],
    ids=["short", "altered", "metadata", "type"],
)
def test_what_ends_a_curve_client_at_ready(
    socket: SocketFactory, raw: RawPeers, watch: Watch, make: Callable[[CurveServerScript], bytes], code: int
) -> None:
    """Each has its event; other than a server, a client says what is wrong with metadata."""
    dealer = curve_client(socket, reconnect_ivl=1)
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet(1, b"CURVE")
    script = CurveServerScript(SERVER_SECRET)
    script.take_hello(hear(peer))
    say(peer, script.welcome())
    script.take_initiate(hear(peer))
    say(peer, make(script))
    log.expect(PROTOCOL, code)
    log.expect(DISCONNECTED)
    peer.read_to_end()


# --- ZAP -------------------------------------------------------------------------------------------------------------

BAD_REPLIES = {
    "version": (answer(version=b"2.0"), 0x20000003),
    "request id": (answer(id=b"9"), 0x20000002),
    "status 201": (answer(b"201"), 0x20000004),
    "status 1": (answer(b"1"), 0x20000004),
    "3 frames": (answer()[:3], 0x20000001),
    "7 frames": ([*answer(), b""], 0x20000001),
    "metadata": (answer(metadata=b"x"), 0x20000005),
    "metadata with a wrong type": (answer(metadata=prop(b"Socket-Type", b"PUB")), 0x20000005),
}


@pytest.mark.parametrize(("reply", "code"), BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
@pytest.mark.parametrize("mechanism", [b"NULL", b"PLAIN", b"CURVE"])
def test_a_zap_reply_that_is_none(
    socket: SocketFactory,
    raw: RawPeers,
    watch: Watch,
    handler: MakeHandler,
    mechanism: bytes,
    reply: Frames,
    code: int,
) -> None:
    """Each has its event, then DISCONNECTED; the peer is told nothing.

    Where NULL's reply is there at once, libzmq loses the error and keeps the connection until HANDSHAKE_IVL.
    """
    handler(reply)
    if mechanism == b"NULL":
        dealer = socket(zmq.DEALER, zap_domain=b"global")
    else:
        dealer = plain_server(socket) if mechanism == b"PLAIN" else curve_server(socket)
    log = watch(dealer, OUTCOMES)
    if mechanism == b"CURVE":
        peer, script = curve_welcome(raw, dealer)
        say(peer, script.initiate(DEALER))
    else:
        peer = greet(raw, dealer, mechanism)
        if mechanism == b"PLAIN":
            peer.send(PLAIN_HELLO)
    log.expect(PROTOCOL, code)
    if not TARGET_IS_LIBZMQ or mechanism != b"NULL":
        log.expect(DISCONNECTED)
        peer.expect_close()


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("mechanism", [b"NULL", b"PLAIN", b"CURVE"])
def test_a_refused_peer(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler, mechanism: bytes, status: int
) -> None:
    """FAILED_AUTH here, ERROR with the status there, DISCONNECTED when the peer goes.

    NO_DETAIL comes before that only if the peer has not said what the mechanism has it say (NULL's READY).
    """
    text = str(status).encode()
    handler(answer(text))
    if mechanism == b"NULL":
        dealer = socket(zmq.DEALER, zap_domain=b"global")
    else:
        dealer = plain_server(socket) if mechanism == b"PLAIN" else curve_server(socket)
    log = watch(dealer, OUTCOMES)
    if mechanism == b"CURVE":
        peer, script = curve_welcome(raw, dealer)
        say(peer, script.initiate(DEALER))
    else:
        peer = greet(raw, dealer, mechanism)
        if mechanism == b"PLAIN":
            peer.send(PLAIN_HELLO)
    assert hear(peer) == (b"\x5eRROR\3" if mechanism == b"PLAIN" else b"\5ERROR\3") + text
    peer.close()
    log.expect(AUTH, status)
    if mechanism == b"NULL":
        log.expect(NO_DETAIL, errno.EPIPE)
    log.expect(DISCONNECTED)
    log.expect_silence()


@pytest.mark.departs
@pytest.mark.parametrize("status", [b"300", b"400"])
def test_a_refused_peer_that_stays_is_closed(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler, status: bytes
) -> None:
    """At once for 300, within a second otherwise; libzmq keeps it until HANDSHAKE_IVL."""
    handler(answer(status))
    dealer = plain_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send(PLAIN_HELLO)
    since = Stopwatch()
    said = peer.read_to_end()
    assert said == (b"" if status == b"300" else frame(b"\x5eRROR\x03400", command=True))
    assert since.elapsed < (0.5 if status == b"300" else 1.0 + seconds(1))
    log.expect(AUTH, int(status))
    log.expect(DISCONNECTED)
    log.expect_silence()


def test_null_asks_only_for_a_domain(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler
) -> None:
    """Without ZAP_DOMAIN a NULL socket does not know of the handler."""
    asked = handler(answer(b"400"))
    dealer = socket(zmq.DEALER)
    peer = raw.connect(bind(dealer))
    peer.handshake("DEALER")
    assert asked.requests == []


def test_what_null_asks(socket: SocketFactory, raw: RawPeers, handler: MakeHandler) -> None:
    """Domain, address, this socket's own routing id; the answer's user id and metadata are shown with messages."""
    asked = handler(answer(metadata=prop(b"X-k", b"v")))
    dealer = socket(zmq.DEALER, zap_domain=b"global", routing_id=b"SRV")
    peer = raw.connect(bind(dealer))
    peer.handshake("DEALER", b"me")
    assert asked.requests == [[b"1.0", b"1", b"global", b"127.0.0.1", b"SRV", b"NULL"]]
    peer.send(frame(b"x"))
    message = dealer.recv(copy=False)
    assert (message.get("User-Id"), message.get("X-k")) == ("user-1", "v")


def test_the_address_of_an_ipc_peer(socket: SocketFactory, raw: RawPeers, handler: MakeHandler) -> None:
    """User, group and process follow what the system calls a local address."""
    asked = handler()
    dealer = socket(zmq.DEALER, zap_domain=b"global")
    peer = raw.connect(bind(dealer, "ipc"))
    peer.handshake("DEALER")
    assert asked.requests[0][3].endswith(b":%d:%d:%d" % (os.getuid(), os.getgid(), os.getpid()))


@pytest.mark.parametrize("enforced", [False, True])
def test_plain_without_a_handler(socket: SocketFactory, raw: RawPeers, watch: Watch, enforced: bool) -> None:
    """Refused whatever ZAP_ENFORCE_DOMAIN says: NO_DETAIL (EFAULT)."""
    dealer = plain_server(socket, zap_domain=b"d", zap_enforce_domain=int(enforced))
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send(PLAIN_HELLO)
    log.expect(NO_DETAIL, errno.EFAULT)


@pytest.mark.parametrize(
    ("domain", "enforced", "accepted"),
    [(b"", False, True), (b"d", False, True), (b"", True, True), (b"d", True, False)],
)
def test_curve_without_a_handler(
    socket: SocketFactory, raw: RawPeers, watch: Watch, domain: bytes, enforced: bool, accepted: bool
) -> None:
    """Everybody may come in who knows the server's key, unless a domain is enforced."""
    options = {"zap_domain": domain} if domain else {}
    dealer = curve_server(socket, zap_enforce_domain=int(enforced), **options)
    log = watch(dealer, OUTCOMES)
    peer, script = curve_welcome(raw, dealer)
    say(peer, script.initiate(DEALER))
    if accepted:
        log.expect(HANDSHAKE_SUCCEEDED)
    else:
        log.expect(NO_DETAIL, errno.EFAULT)


def test_curve_does_not_ask_for_an_enforced_domain_that_is_empty(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler
) -> None:
    """With the handler there: encryption without authentication."""
    asked = handler(answer(b"400"))
    dealer = curve_server(socket, zap_enforce_domain=1)
    log = watch(dealer, OUTCOMES)
    curve_ready(raw, dealer)
    log.expect(HANDSHAKE_SUCCEEDED)
    assert asked.requests == []


def test_what_curve_asks(socket: SocketFactory, raw: RawPeers, handler: MakeHandler) -> None:
    """The 32 bytes of the client's long-term key; also without a domain."""
    asked = handler()
    dealer = curve_server(socket, routing_id=b"SRV")
    _, script = curve_ready(raw, dealer)
    assert asked.requests == [[b"1.0", b"1", b"", b"127.0.0.1", b"SRV", b"CURVE", script.public]]


def test_a_silent_handler_is_waited_for(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler
) -> None:
    """Until HANDSHAKE_IVL ends it: NO_DETAIL (EAGAIN), DISCONNECTED. Nothing else can be said meanwhile."""
    handler(lambda request: None)
    dealer = plain_server(socket, handshake_ivl=ms(150))
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send(PLAIN_HELLO)
    peer.expect_close()
    log.expect(NO_DETAIL, errno.EAGAIN)
    log.expect(DISCONNECTED)


def test_who_speaks_while_the_handler_is_asked(
    socket: SocketFactory, raw: RawPeers, watch: Watch, handler: MakeHandler
) -> None:
    """ZMTP_UNSPECIFIED."""
    asked = handler(lambda request: None)
    dealer = plain_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send(PLAIN_HELLO)
    wait_until(lambda: asked.requests, "the request")
    say(peer, b"\x08INITIATE" + DEALER)
    log.expect(PROTOCOL, UNSPECIFIED)
    log.expect(DISCONNECTED)


@pytest.mark.departs
def test_a_handler_that_closes_without_an_answer(
    socket: SocketFactory, raw: RawPeers, watch: Watch, ctx: Any
) -> None:
    """The peer is refused at once: NO_DETAIL (EFAULT); libzmq waits for HANDSHAKE_IVL."""
    rep = ctx.socket(zmq.REP)
    rep.bind("inproc://zeromq.zap.01")
    dealer = plain_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = greet(raw, dealer, b"PLAIN")
    peer.send(PLAIN_HELLO)
    rep.recv_multipart()
    rep.close(linger=0)
    peer.expect_close(PATIENCE)
    log.expect(NO_DETAIL, errno.EFAULT)
    log.expect(DISCONNECTED)


def test_a_handler_that_is_a_router(socket: SocketFactory, raw: RawPeers, ctx: Any) -> None:
    """It sees its own id for the connection, then the delimiter, and sends both back."""
    router = socket(zmq.ROUTER)
    router.bind("inproc://zeromq.zap.01")
    dealer = socket(zmq.DEALER, zap_domain=b"d")
    peer = raw.connect(bind(dealer))
    peer.greet()
    request = router.recv_multipart()
    assert len(request[0]) == 5
    assert request[1:] == [b"", b"1.0", b"1", b"d", b"127.0.0.1", b"", b"NULL"]
    router.send_multipart([request[0], b"", *answer()])
    assert hear(peer).startswith(b"\5READY")


def test_handlers_may_come_and_go(socket: SocketFactory, raw: RawPeers, ctx: Any) -> None:
    """Connections that were accepted stay; new ones are asked about at the handler that is there."""
    dealer = curve_server(socket)
    with ZapHandler(zmq, ctx) as first:
        peer, script = curve_ready(raw, dealer)
        assert len(first.requests) == 1
    peer.send(frame(script.message(b"still in", 3)))
    assert dealer.recv() == b"still in"
    with ZapHandler(zmq, ctx, answer(b"400")) as second:
        other, other_script = curve_welcome_at(raw, dealer)
        say(other, other_script.initiate(DEALER))
        assert hear(other) == b"\5ERROR\x03400"
        assert len(second.requests) == 1
    peer.send(frame(script.message(b"and still", 4)))
    assert dealer.recv() == b"and still"


def curve_welcome_at(raw: RawPeers, dealer: Any) -> tuple[RawPeer, CurveClientScript]:
    """As `curve_welcome`, of a socket that is bound already."""
    peer = raw.connect(dealer.last_endpoint.rstrip(b"\0").decode())
    peer.greet(1, b"CURVE")
    script = CurveClientScript(public_of(SERVER_SECRET))
    say(peer, script.hello())
    script.take_welcome(hear(peer))
    return peer, script


# --- old peers (CVE-2014-9721) ---------------------------------------------------------------------------------------

OLD = {
    "1.0": v1_frame(b"id"),
    "1.0 with a greeting": signature() + b"\0\5",
    "2.0": signature() + b"\1\5",
}


@pytest.mark.parametrize("greeted", OLD.values(), ids=OLD.keys())
@pytest.mark.parametrize("security", ["domain", "plain", "curve"])
def test_old_peers_are_refused(
    socket: SocketFactory, raw: RawPeers, watch: Watch, security: str, greeted: bytes
) -> None:
    """A peer of a version without security does not switch it off: DISCONNECTED alone."""
    if security == "domain":
        dealer = socket(zmq.DEALER, zap_domain=b"d")
    else:
        dealer = plain_server(socket) if security == "plain" else curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(greeted)
    peer.read_to_end()
    log.expect(DISCONNECTED)


# --- what cannot be mixed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [b"NULL", b"PLAIN", b"CURVE", b"GSSAPI", b"CURVE\0\0\0X", b""])
@pytest.mark.parametrize("own", ["null", "plain", "curve"])
def test_mechanisms_must_be_the_same(
    socket: SocketFactory, raw: RawPeers, watch: Watch, own: str, offered: bytes
) -> None:
    """CVE-2014-7202: our own option decides, all 20 bytes count, and nothing is said before that."""
    if own == "null":
        dealer = socket(zmq.DEALER)
    else:
        dealer = plain_server(socket) if own == "plain" else curve_server(socket)
    if offered == own.upper().encode():
        return
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(greeting(mechanism=offered))
    log.expect(PROTOCOL, 0x11000002)
    log.expect(DISCONNECTED)
    assert len(peer.read_to_end()) <= 64


@pytest.mark.parametrize("as_server", [0, 1])
def test_the_as_server_byte_is_not_looked_at(socket: SocketFactory, raw: RawPeers, as_server: int) -> None:
    """As libzmq: it sends 0 and takes both; only its own option says who it is."""
    dealer = curve_server(socket)
    peer = raw.connect(bind(dealer))
    peer.send(greeting(mechanism=b"CURVE", as_server=as_server))
    assert peer.read(64)[32] == 0
    script = CurveClientScript(public_of(SERVER_SECRET))
    say(peer, script.hello())
    script.take_welcome(hear(peer))
