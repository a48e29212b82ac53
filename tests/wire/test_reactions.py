# SPDX-License-Identifier: MPL-2.0
"""Stimulus and reaction: what a peer does, and which events and ends follow; reconnecting; garbage.

Tables: wire-vectors 16 (the rows about ZMTP and NULL) and 17; event orders: internals 16.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket as stdlib_socket
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import SocketFactory, bind, pump
from tests.support.raw_peer import (
    DIALECTS,
    Dialect,
    RawPeer,
    RawPeers,
    command,
    frame,
    greeting,
    message,
    prop,
    properties,
    ready,
    signature,
)
from tests.support.target import zmq
from tests.support.waiting import SILENCE, Stopwatch, ms, seconds
from tests.wire.conftest import Watch
from tests.wire.events import (
    ACCEPTED,
    CLOSED,
    CONNECT_DELAYED,
    CONNECT_RETRIED,
    CONNECTED,
    DISCONNECTED,
    HANDSHAKE_FAILED_AUTH,
    HANDSHAKE_FAILED_NO_DETAIL,
    HANDSHAKE_FAILED_PROTOCOL,
    HANDSHAKE_SUCCEEDED,
    LISTENING,
    MALFORMED_COMMAND_ERROR,
    MECHANISM_MISMATCH,
    OUTCOMES,
    UNEXPECTED_COMMAND,
)

PROTOCOL, AUTH, NO_DETAIL = HANDSHAKE_FAILED_PROTOCOL, HANDSHAKE_FAILED_AUTH, HANDSHAKE_FAILED_NO_DETAIL

# --- the table -------------------------------------------------------------------------------------------------------

#: What the peer says after its greeting, and the event before DISCONNECTED (None: there is none).
ENDINGS: dict[str, tuple[bytes, tuple[int, int] | None]] = {
    "READY with Socket-Type PUB": (ready("PUB"), None),
    "READY and 2 junk bytes": (command(b"READY", properties("ROUTER") + b"xx"), None),
    "HELLO": (command(b"HELLO"), (PROTOCOL, UNEXPECTED_COMMAND)),
    "ERROR 400": (command(b"ERROR", b"\x03400"), (AUTH, 400)),
    "ERROR with a length beyond the frame": (command(b"ERROR", b"\x09400"), (PROTOCOL, MALFORMED_COMMAND_ERROR)),
    "a message": (frame(b"message"), (PROTOCOL, UNEXPECTED_COMMAND)),
    "READY larger than MAXMSGSIZE": (frame(b"\x05READY" + bytes(2000), command=True), None),
}


@pytest.mark.parametrize(("said", "event"), ENDINGS.values(), ids=ENDINGS.keys())
@pytest.mark.parametrize("direction", ["binds", "connects"])
def test_stimulus_that_ends_the_connection(
    socket: SocketFactory, raw: RawPeers, watch: Watch, direction: str, said: bytes, event: tuple[int, int] | None
) -> None:
    """Each of these ends the connection after exactly the listed events, and a connecting socket does not come back."""
    dealer = socket(zmq.DEALER, maxmsgsize=1000, reconnect_ivl=1)
    log = watch(dealer, OUTCOMES)
    if direction == "binds":
        peer = raw.connect(bind(dealer))
    else:
        listener = raw.listen()
        dealer.connect(listener.endpoint)
        peer = raw.accept(listener)
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(said)
    if event is not None:
        log.expect(*event)
    log.expect(DISCONNECTED)
    peer.read_to_end()
    if direction == "connects":
        listener.expect_no_connection()


#: What the peer says after its greeting without harm.
HARMLESS = {
    "READY without Socket-Type": ready(None),
    "READY as a message": frame(b"\x05READY" + properties("ROUTER")),
    "READY with a property twice": ready("ROUTER", b"", (b"X-a", b"1"), (b"X-a", b"2")),
    "READY with socket-type in lower case": command(b"READY", prop(b"socket-type", b"ROUTER")),
}


@pytest.mark.parametrize("said", HARMLESS.values(), ids=HARMLESS.keys())
def test_stimulus_without_harm(socket: SocketFactory, raw: RawPeers, watch: Watch, said: bytes) -> None:
    """Each of these completes the handshake."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(said)
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    peer.fence()


def test_mechanism_mismatch(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A greeting with PLAIN: MECHANISM_MISMATCH, DISCONNECTED."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    raw.connect(bind(dealer)).send(greeting(mechanism=b"PLAIN"))
    log.expect(PROTOCOL, MECHANISM_MISMATCH)
    log.expect(DISCONNECTED)


def test_http_request_passes_for_a_1_0_peer(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """`GET ...` is the head of an identity message of 70 bytes: no event, and the connection stays."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.expect(signature())
    peer.send(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
    peer.expect_silence()
    log.expect_silence()
    dealer.send(b"x")  # there is a pipe
    peer.expect("02 00 78")


# --- closing in the middle -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [0, 1, 9, 10, 11, 12, 40, 63, 64, 65, 100])
def test_close_during_the_handshake(socket: SocketFactory, raw: RawPeers, watch: Watch, said: int) -> None:
    """A peer that goes before its READY is complete: NO_DETAIL (EPIPE), DISCONNECTED."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send((greeting() + ready("ROUTER"))[:said])
    peer.half_close()
    log.expect(NO_DETAIL, errno.EPIPE)
    log.expect(DISCONNECTED)
    peer.read_to_end()


def test_reset_during_the_handshake(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A peer that resets the connection during the handshake: NO_DETAIL (ECONNRESET), DISCONNECTED."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.reset()
    log.expect(NO_DETAIL, errno.ECONNRESET)
    log.expect(DISCONNECTED)


@pytest.mark.parametrize("ending", ["close", "reset", "half_close"])
def test_close_after_the_handshake(socket: SocketFactory, raw: RawPeers, watch: Watch, ending: str) -> None:
    """After the handshake the end of a connection is DISCONNECTED alone, however it came."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.handshake("ROUTER")
    log.expect(HANDSHAKE_SUCCEEDED)
    getattr(peer, ending)()
    log.expect(DISCONNECTED)
    log.expect_silence()


def test_ready_and_goodbye_in_one_go(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A peer that completes the handshake and closes at once has succeeded before it is disconnected."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(ready("ROUTER"))
    peer.close()
    log.expect(HANDSHAKE_SUCCEEDED)
    log.expect(DISCONNECTED)


# --- REQ -------------------------------------------------------------------------------------------------------------

BAD_REPLIES = {
    "no delimiter": frame(b"answer"),
    "text where the delimiter belongs": message(b"lbl", b"", b"answer"),
    "delimiter alone": frame(b""),
    "id without delimiter": message(b"1234", b"5678", b"answer"),
    "id alone": frame(b"1234"),
}


@pytest.mark.parametrize("reply", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
@pytest.mark.parametrize("direction", ["binds", "connects"])
def test_reply_without_a_proper_envelope(
    socket: SocketFactory, raw: RawPeers, watch: Watch, direction: str, reply: bytes
) -> None:
    """A REQ disconnects a peer whose message has no delimiter, and does not connect to it again; DISCONNECTED only."""
    req = socket(zmq.REQ, reconnect_ivl=1)
    log = watch(req, OUTCOMES)
    if direction == "binds":
        peer = raw.connect(bind(req))
    else:
        listener = raw.listen()
        req.connect(listener.endpoint)
        peer = raw.accept(listener)
    peer.handshake("REP")
    log.expect(HANDSHAKE_SUCCEEDED)
    req.send(b"question")
    peer.expect(message(b"", b"question"))
    peer.send(reply)
    log.expect(DISCONNECTED)
    peer.expect_close()
    assert not req.poll(0)
    if direction == "connects":
        listener.expect_no_connection()


def test_reply_with_an_id_nobody_asked_for(socket: SocketFactory, raw: RawPeers) -> None:
    """A frame of 4 bytes may precede the delimiter; without REQ_CORRELATE such a reply is foreign and skipped."""
    req = socket(zmq.REQ)
    peer = raw.connect(bind(req))
    peer.handshake("REP")
    req.send(b"question")
    peer.expect(message(b"", b"question"))
    peer.send(message(b"1234", b"", b"foreign"), message(b"", b"answer"))
    assert req.recv() == b"answer"


def test_req_correlate(socket: SocketFactory, raw: RawPeers) -> None:
    """REQ_CORRELATE puts a 4-byte id, counted up, in front of the delimiter and takes only replies that bear it."""
    req = socket(zmq.REQ, req_correlate=1)
    listener = raw.listen()
    req.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("REP")
    numbers = []
    for _ in range(3):
        req.send(b"q")
        peer.expect("01 04")
        id_ = peer.read(4)
        peer.expect("01 00 00 01 71")
        other = bytes([id_[0] ^ 1]) + id_[1:]
        peer.send(message(other, b"", b"foreign"), message(id_, b"", b"answer"))
        assert req.recv() == b"answer"
        numbers.append(int.from_bytes(id_, "little"))
    assert [(n - numbers[0]) % 2**32 for n in numbers] == [0, 1, 2]


def test_rep_gives_the_envelope_back(socket: SocketFactory, raw: RawPeers) -> None:
    """REP answers with the frames up to and with the delimiter, byte for byte."""
    rep = socket(zmq.REP)
    peer = raw.connect(bind(rep))
    peer.handshake("REQ")
    peer.send("01 03 6c 62 6c 01 00 00 02 51 32")
    assert rep.recv() == b"Q2"
    rep.send(b"A2")
    peer.expect("01 03 6c 62 6c 01 00 00 02 41 32")


def test_rep_skips_a_request_without_delimiter(socket: SocketFactory, raw: RawPeers) -> None:
    """A request without an empty frame is dropped, and the connection stays."""
    rep = socket(zmq.REP)
    peer = raw.connect(bind(rep))
    peer.handshake("REQ")
    peer.send(frame(b"nothing"), message(b"a", b"b"), message(b"", b"real"))
    assert rep.recv() == b"real"
    rep.send(b"answer")
    peer.expect(message(b"", b"answer"))


# --- peers a socket does not want ------------------------------------------------------------------------------------


def test_second_peer_of_a_pair(socket: SocketFactory, raw: RawPeers) -> None:
    """A PAIR has one peer: a second one may do the handshake and is then ignored; the first is not disturbed."""
    pair = socket(zmq.PAIR)
    endpoint = bind(pair)
    first = raw.connect(endpoint)
    first.handshake("PAIR")
    first.send(frame(b"1"))
    assert pair.recv() == b"1"
    second = raw.connect(endpoint)
    second.handshake("PAIR")
    second.send(frame(b"2"))
    assert not pair.poll(SILENCE * 1000)
    for n in range(3):
        pair.send(b"%d" % n)
        first.expect(frame(b"%d" % n))
    first.send(frame(b"3"))
    assert pair.recv() == b"3"


def test_second_peer_of_one_name(socket: SocketFactory, raw: RawPeers) -> None:
    """Of two peers with one identity a ROUTER keeps the first; the second stays connected and is not read."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router)
    first = raw.connect(endpoint)
    first.handshake("DEALER", b"name")
    first.send(frame(b"1"))
    assert router.recv_multipart() == [b"name", b"1"]
    second = raw.connect(endpoint)
    second.handshake("DEALER", b"name")
    second.send(frame(b"2"))
    assert not router.poll(SILENCE * 1000)
    second.fence()
    router.send_multipart([b"name", b"x"])
    first.expect(frame(b"x"))


def test_handover_to_the_second_peer_of_one_name(socket: SocketFactory, raw: RawPeers) -> None:
    """With ROUTER_HANDOVER the second peer takes the name over, and the first is heard no more."""
    router = socket(zmq.ROUTER, router_handover=1)
    endpoint = bind(router)
    first = raw.connect(endpoint)
    first.handshake("DEALER", b"name")
    first.send(frame(b"1"))
    assert router.recv_multipart() == [b"name", b"1"]
    second = raw.connect(endpoint)
    second.handshake("DEALER", b"name")
    second.send(frame(b"2"))
    assert router.recv_multipart() == [b"name", b"2"]
    router.send_multipart([b"name", b"x"])
    second.expect(frame(b"x"))
    with contextlib.suppress(ConnectionError):
        first.send(frame(b"3"))
    assert not router.poll(SILENCE * 1000)


@pytest.mark.departs
@pytest.mark.parametrize("ending", [RawPeer.close, RawPeer.reset], ids=["close", "reset"])
@pytest.mark.parametrize(("kind", "peer_kind"), [("PAIR", "PAIR"), ("ROUTER", "DEALER")])
def test_the_end_of_a_peer_that_has_no_place(
    socket: SocketFactory,
    raw: RawPeers,
    watch: Watch,
    kind: str,
    peer_kind: str,
    ending: Callable[[RawPeer], None],
) -> None:
    """A second peer of a PAIR, or of a ROUTER's peer's name, that says much and goes: it is noticed, and nothing stays.

    libzmq reads no more of it once its queue is full, so its descriptor stays until the socket is closed.
    """
    server = socket(getattr(zmq, kind), rcvhwm=10)
    endpoint = bind(server)
    first = raw.connect(endpoint)
    first.handshake(peer_kind, b"name")
    log = watch(server, DISCONNECTED)
    for _ in range(3):
        second = raw.connect(endpoint)
        second.handshake(peer_kind, b"name")
        second.send(frame(b"x" * 100) * 3000)
        assert not server.poll(SILENCE * 1000)
        second.fence()
        ending(second)
        log.expect(DISCONNECTED)
    first.send(frame(b"1"))
    assert server.recv_multipart()[-1] == b"1"


# --- endings of our own ----------------------------------------------------------------------------------------------


def test_closing_the_socket_closes_connections_quietly(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """close() ends connections and listener: end of stream for peers, CLOSED for the listener, no DISCONNECTED."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer)
    endpoint = bind(dealer)
    peer = raw.connect(endpoint)
    peer.handshake("ROUTER")
    listening = log.expect(LISTENING)
    log.expect(ACCEPTED)
    log.expect(HANDSHAKE_SUCCEEDED)
    dealer.close()
    peer.expect_close()
    log.expect(CLOSED, listening.value)
    with pytest.raises(ConnectionRefusedError):
        raw.connect(endpoint)


def test_unbind_closes_accepted_connections_too(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """unbind() ends the listener (CLOSED) and, once their queues are sent, the connections it accepted (no event)."""
    dealer = socket(zmq.DEALER, linger=-1)
    log = watch(dealer)
    endpoint = bind(dealer)
    peer = raw.connect(endpoint)
    peer.handshake("ROUTER")
    listening = log.expect(LISTENING)
    log.until(HANDSHAKE_SUCCEEDED)
    dealer.send(b"last")
    dealer.unbind(endpoint)
    log.expect(CLOSED, listening.value)
    with pytest.raises(ConnectionRefusedError):
        raw.connect(endpoint)
    peer.expect(frame(b"last"))
    pump(dealer, peer)
    peer.expect_close()
    log.expect_silence()


def test_disconnect_closes_the_connection_quietly(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """disconnect() sends what is queued, ends the connection without DISCONNECTED and does not come back."""
    dealer = socket(zmq.DEALER, reconnect_ivl=1, linger=-1)
    log = watch(dealer)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    log.until(HANDSHAKE_SUCCEEDED)
    dealer.send(b"last")
    dealer.disconnect(listener.endpoint)
    peer.expect(frame(b"last"))
    pump(dealer, peer)
    peer.expect_close()
    log.expect_silence()
    listener.expect_no_connection()


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_linger_delivers_what_was_sent(socket: SocketFactory, raw: RawPeers, dialect: Dialect) -> None:
    """close() with linger sends everything queued, even to a peer that appears later, then ends the connection."""
    push = socket(zmq.PUSH)
    listener = raw.listen()
    push.connect(listener.endpoint)
    for n in range(20):
        push.send(b"%d" % n)
    push.close(linger=ms(5000))
    peer = raw.accept(listener)
    dialect.open(peer, "PULL", b"")
    assert [dialect.receive(peer) for _ in range(20)] == [[b"%d" % n] for n in range(20)]
    peer.expect_close()


@pytest.mark.departs
@pytest.mark.parametrize("watched", [False, True])
def test_missing_zap_handler_closes_at_once(socket: SocketFactory, raw: RawPeers, watch: Watch, watched: bool) -> None:
    """ZAP_DOMAIN with ZAP_ENFORCE_DOMAIN and no handler: NO_DETAIL (EFAULT), DISCONNECTED, watched or not.

    libzmq leaves the connection hanging until the handshake timer.
    """
    dealer = socket(zmq.DEALER, zap_domain=b"global", zap_enforce_domain=1)
    log = watch(dealer, OUTCOMES) if watched else None
    peer = raw.connect(bind(dealer))
    peer.send(greeting(), ready("ROUTER"))
    peer.read_to_end(seconds(2))
    if log is not None:
        log.expect(NO_DETAIL, errno.EFAULT)
        log.expect(DISCONNECTED)


# --- reconnecting ----------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> Iterator[stdlib_socket.socket]:
    """A bound socket that does not listen: nobody else gets its port, and connecting to it is refused."""
    with stdlib_socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def _endpoint(port: stdlib_socket.socket) -> str:
    return f"tcp://127.0.0.1:{port.getsockname()[1]}"


def _waits(socket: SocketFactory, watch: Watch, port: stdlib_socket.socket, count: int, **options: int) -> list[int]:
    """Return the first ``count`` waiting times between refused attempts; demand the order of events around them."""
    dealer = socket(zmq.DEALER, **options)
    log = watch(dealer)
    dealer.connect(_endpoint(port))
    waits = []
    for _ in range(count):
        log.expect(CONNECT_DELAYED, errno.EINPROGRESS)
        log.expect(CLOSED)
        retried = log.expect(CONNECT_RETRIED)
        assert retried.endpoint == _endpoint(port)
        waits.append(retried.value)
    return waits


def test_wait_between_attempts_is_random(
    socket: SocketFactory, watch: Watch, closed_port: stdlib_socket.socket
) -> None:
    """RECONNECT_IVL 10 without a maximum: every wait is 10 to 19 ms, and not always the same."""
    waits = _waits(socket, watch, closed_port, 16, reconnect_ivl=10)
    assert all(10 <= wait <= 19 for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.parametrize(
    ("ivl", "maximum", "expected"),
    [(10, 35, [10, 20, 35, 35, 35]), (10, 10, [10, 10, 10]), (30, 10, [10, 10, 10]), (1, 1000, [1, 2, 4, 8, 16, 32])],
)
def test_wait_doubles_up_to_the_maximum(
    socket: SocketFactory,
    watch: Watch,
    closed_port: stdlib_socket.socket,
    ivl: int,
    maximum: int,
    expected: list[int],
) -> None:
    """With RECONNECT_IVL_MAX the wait doubles from RECONNECT_IVL up to it, without chance; a smaller maximum wins."""
    waits = _waits(socket, watch, closed_port, len(expected), reconnect_ivl=ivl, reconnect_ivl_max=maximum)
    assert waits == expected


def test_announced_wait_is_kept(socket: SocketFactory, watch: Watch, closed_port: stdlib_socket.socket) -> None:
    """The next attempt comes when CONNECT_RETRIED said it would, not before."""
    dealer = socket(zmq.DEALER, reconnect_ivl=100, reconnect_ivl_max=100)
    log = watch(dealer)
    dealer.connect(_endpoint(closed_port))
    log.until(CONNECT_RETRIED)
    since = Stopwatch()
    log.expect(CONNECT_DELAYED)
    assert 0.08 <= since.elapsed <= 0.1 + seconds(0.25)


@pytest.mark.parametrize("ivl", [-1, 0])
def test_no_interval_no_second_attempt(
    socket: SocketFactory, watch: Watch, closed_port: stdlib_socket.socket, ivl: int
) -> None:
    """RECONNECT_IVL -1 or 0: an attempt that fails is the last one."""
    dealer = socket(zmq.DEALER, reconnect_ivl=ivl)
    log = watch(dealer)
    dealer.connect(_endpoint(closed_port))
    log.expect(CONNECT_DELAYED)
    log.expect(CLOSED)
    log.expect_silence()


@pytest.mark.parametrize("ivl", [-1, 0])
def test_no_interval_no_reconnect(socket: SocketFactory, raw: RawPeers, watch: Watch, ivl: int) -> None:
    """RECONNECT_IVL -1 or 0: a lost connection is not replaced, and the endpoint is forgotten."""
    dealer = socket(zmq.DEALER, reconnect_ivl=ivl)
    log = watch(dealer)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    peer.close()
    log.until(DISCONNECTED)
    listener.expect_no_connection()
    dealer.getsockopt(zmq.EVENTS)  # the socket's thread must have heard of it
    with pytest.raises(zmq.ZMQError) as caught:
        dealer.disconnect(listener.endpoint)
    assert caught.value.errno == errno.ENOENT


def test_lost_connection_waits_before_the_next(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """The first attempt after a lost connection waits too: DISCONNECTED, CONNECT_RETRIED, then the attempt."""
    dealer = socket(zmq.DEALER, reconnect_ivl=60, reconnect_ivl_max=60)
    log = watch(dealer)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    log.until(HANDSHAKE_SUCCEEDED)
    peer.close()
    since = Stopwatch()
    log.expect(DISCONNECTED)
    log.expect(CONNECT_RETRIED, 60)
    log.expect(CONNECT_DELAYED)
    log.expect(CONNECTED)
    assert 0.04 <= since.elapsed <= 0.06 + seconds(0.25)
    raw.accept(listener).handshake("ROUTER")
    log.expect(HANDSHAKE_SUCCEEDED)


def test_success_resets_the_wait(
    socket: SocketFactory, raw: RawPeers, watch: Watch, closed_port: stdlib_socket.socket
) -> None:
    """A TCP connection, whatever became of it, sets the doubling wait back to the start."""
    dealer = socket(zmq.DEALER, reconnect_ivl=2, reconnect_ivl_max=1000)
    log = watch(dealer, CONNECT_RETRIED | CONNECTED)
    dealer.connect(_endpoint(closed_port))
    assert [log.expect(CONNECT_RETRIED).value for _ in range(4)] == [2, 4, 8, 16]
    closed_port.listen()
    log.until(CONNECTED)
    accepted, _ = closed_port.accept()
    accepted.close()
    log.expect(CONNECT_RETRIED, 2)


def test_listener_that_appears_later(socket: SocketFactory, raw: RawPeers, closed_port: stdlib_socket.socket) -> None:
    """Messages sent while nobody listens are delivered once somebody does."""
    push = socket(zmq.PUSH, reconnect_ivl=2)
    push.connect(_endpoint(closed_port))
    push.send(b"early")
    push.send(b"bird")
    closed_port.listen()
    closed_port.settimeout(seconds(5))
    connection, _ = closed_port.accept()
    peer = raw.adopt(RawPeer(connection))
    peer.handshake("PULL")
    peer.expect(frame(b"early"), frame(b"bird"))


@pytest.mark.parametrize("said", [b"", b"\xff", greeting(), greeting() + ready("ROUTER")[:9]], ids=len)
def test_connecting_socket_comes_back_after_a_close_in_the_handshake(
    socket: SocketFactory, raw: RawPeers, watch: Watch, said: bytes
) -> None:
    """A peer that closes during the handshake is tried again: NO_DETAIL (EPIPE), DISCONNECTED, CONNECT_RETRIED."""
    dealer = socket(zmq.DEALER, reconnect_ivl=1)
    log = watch(dealer)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.send(said)
    peer.half_close()
    log.until(CONNECTED)
    log.expect(NO_DETAIL, errno.EPIPE)
    log.expect(DISCONNECTED)
    log.expect(CONNECT_RETRIED)
    again = raw.accept(listener)
    again.handshake("ROUTER")
    again.fence()


# --- garbage ---------------------------------------------------------------------------------------------------------


def _random(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


GARBAGE = {
    "http": b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n" * 3,
    "tls": bytes.fromhex("16 03 01 02 00 01 00 01 fc 03 03") + _random(1, 500),
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n" + _random(2, 200),
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "text": b"hello\n" * 1000,
    "random": _random(3, 5000),
    "random after ff": b"\xff" + _random(4, 5000),
    "random after the signature": signature() + _random(5, 5000),
    "random after the greeting": greeting() + _random(6, 5000),
    "random after READY": greeting() + ready("PUSH") + _random(7, 5000),
    "commands of random": greeting() + ready("PUSH") + b"".join(frame(_random(n, 40), command=True) for n in range(50)),
    "2.0 and random": signature() + b"\x01\x08" + _random(8, 5000),
    "1.0 and random": signature() + b"\x00\x08" + _random(9, 5000),
    "1.0 length of 2^64-1": b"\xff" * 9 + b"\x00" + _random(10, 500),
    "READY of 1 MB": greeting() + frame(b"\x05READY" + _random(11, 1_000_000), command=True),
    "greeting again and again": greeting() * 50,
    "nothing": b"",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("ending", ["stay", "close", "reset"])
def test_garbage_does_not_disturb_others(socket: SocketFactory, raw: RawPeers, garbage: bytes, ending: str) -> None:
    """Whatever one peer sends, the messages of another arrive, before and after, and the next peer gets in."""
    pull = socket(zmq.PULL, maxmsgsize=100_000)
    endpoint = bind(pull)

    def deliver(peer_name: bytes) -> None:
        # Garbage may happen to be messages of an old peer; those may be delivered too.
        while pull.recv() != peer_name:
            pass

    good = raw.connect(endpoint)
    good.handshake("PUSH")
    good.send(frame(b"good one before"))
    deliver(b"good one before")
    bad = raw.connect(endpoint)
    with contextlib.suppress(ConnectionError):  # it may be thrown out before it has finished
        bad.send(garbage)
    if ending != "stay":
        getattr(bad, ending)()
    good.send(frame(b"good one after"))
    deliver(b"good one after")
    late = raw.connect(endpoint)
    late.handshake("PUSH")
    late.send(frame(b"late one"))
    deliver(b"late one")
    good.fence()


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_from_a_listener_does_not_disturb_others(socket: SocketFactory, raw: RawPeers, garbage: bytes) -> None:
    """A socket connected to two listeners goes on with the good one, whatever the bad one says."""
    pull = socket(zmq.PULL, maxmsgsize=100_000, reconnect_ivl=1)
    bad_listener, good_listener = raw.listen(), raw.listen()
    pull.connect(bad_listener.endpoint)
    pull.connect(good_listener.endpoint)
    good, bad = raw.accept(good_listener), raw.accept(bad_listener)
    good.handshake("PUSH")
    with contextlib.suppress(ConnectionError):  # it may be thrown out before it has finished
        bad.send(garbage)
    bad.close()
    good.send(frame(b"good one"))
    while pull.recv() != b"good one":
        pass
    good.fence()


def test_many_silent_connections(socket: SocketFactory, raw: RawPeers) -> None:
    """A hundred peers that say nothing keep nobody from being served, and get no messages."""
    push = socket(zmq.PUSH)
    endpoint = bind(push)
    for _ in range(100):
        raw.connect(endpoint)
    good = raw.connect(endpoint)
    good.handshake("PULL")
    for n in range(10):
        push.send(b"%d" % n)
    good.expect(*(frame(b"%d" % n) for n in range(10)))
