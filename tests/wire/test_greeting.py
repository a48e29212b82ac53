# SPDX-License-Identifier: MPL-2.0
"""The ZMTP greeting: 64 bytes each way, sent in steps, and what each step makes the other side do.

Transcripts: wire-vectors 1.1 and 1.2; rules: internals 13.2 and RFC 37, section on the greeting.
"""

from __future__ import annotations

import pytest

from tests.conftest import Attach, SocketFactory, bind, join, pump
from tests.support.raw_peer import RawPeers, frame, greeting, greeting_head, hx, message, ready, signature
from tests.support.target import zmq
from tests.support.waiting import ms
from tests.wire.conftest import Watch, in_pieces
from tests.wire.events import (
    ACCEPTED,
    CONNECT_DELAYED,
    CONNECTED,
    DISCONNECTED,
    HANDSHAKE_FAILED_PROTOCOL,
    HANDSHAKE_SUCCEEDED,
    LISTENING,
    MECHANISM_MISMATCH,
    OUTCOMES,
)

NULL_TAIL = "4e 55 4c 4c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00" + "00" * 32


def test_bound_socket_answers_each_step_of_the_greeting(socket: SocketFactory, raw: RawPeers) -> None:
    """A bound DEALER sends its signature at once, its major after ours, the rest after our major, then READY."""
    peer = raw.connect(bind(socket(zmq.DEALER, routing_id=b"srv")))
    peer.expect("ff 00 00 00 00 00 00 00 04 7f")
    peer.send("ff")
    peer.expect_silence()
    peer.send("00 00 00 00 00 00 00 01")
    peer.expect_silence()
    peer.send("7f")
    peer.expect("03")
    peer.send("03")
    peer.expect("01", NULL_TAIL)
    peer.send("01 4e 55 4c 4c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00")
    peer.expect_silence()
    peer.send("00" * 32)
    peer.expect(
        "04 2c 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 44 45 41 4c 45 52"
        "08 49 64 65 6e 74 69 74 79 00 00 00 03 73 72 76"
    )
    peer.send(
        "04 29 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 52 4f 55 54 45 52"
        "08 49 64 65 6e 74 69 74 79 00 00 00 00"
    )
    peer.expect_silence()
    peer.fence()


def test_connecting_socket_greets_the_same_way(socket: SocketFactory, raw: RawPeers) -> None:
    """A connecting REQ with routing id "me" greets, says READY, sends its request and delivers the reply."""
    req = socket(zmq.REQ, routing_id=b"me")
    peer = join(raw, req, "connects")
    peer.expect("ff 00 00 00 00 00 00 00 03 7f")
    peer.send("ff 00 00 00 00 00 00 00 01 7f 03 01", NULL_TAIL)
    peer.expect("03 01", NULL_TAIL)
    peer.expect(
        "04 28 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 52 45 51"
        "08 49 64 65 6e 74 69 74 79 00 00 00 02 6d 65"
    )
    peer.send("04 19 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 52 45 50")
    req.send(b"q")
    peer.expect("01 00 00 01 71")
    peer.send("01 00 00 03 61 6e 73")
    assert req.recv() == b"ans"


@pytest.mark.parametrize(
    ("identity", "length"), [(b"", "00 01"), (b"x", "00 02"), (b"y" * 254, "00 ff"), (b"z" * 255, "01 00")], ids=len
)
def test_signature_carries_the_length_of_the_routing_id(
    socket: SocketFactory, attach: Attach, identity: bytes, length: str
) -> None:
    """The 8 length bytes of the signature are the size of the own routing id plus one."""
    peer = attach(socket(zmq.DEALER, **({"routing_id": identity} if identity else {})))
    peer.expect("ff 00 00 00 00 00 00", length, "7f")


def test_silent_peer_gets_the_signature_only(socket: SocketFactory, attach: Attach) -> None:
    """Ten bytes go out unasked; nothing more until the peer has said ten bytes too."""
    peer = attach(socket(zmq.DEALER))
    peer.expect(signature())
    peer.send(signature()[:9])
    peer.expect_silence()


def test_minor_waits_for_the_peers_major(socket: SocketFactory, attach: Attach) -> None:
    """After a signature only the major version goes out: the rest depends on which version the peer names."""
    peer = attach(socket(zmq.DEALER))
    peer.send(signature())
    peer.expect(signature(), "03")
    peer.expect_silence()
    peer.send("03")
    peer.expect("01", NULL_TAIL)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@in_pieces
def test_pieces_do_not_matter(socket: SocketFactory, attach: Attach, transport: str, sizes: list[int]) -> None:
    """Greeting, READY and messages are understood however the stream is cut."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer, transport)
    peer.send_pieces(greeting() + ready("ROUTER"), sizes)
    peer.expect(greeting(), ready("DEALER"))
    peer.send_pieces(message(b"one", b"", b"x" * 300) + frame(b"two"), sizes)
    assert dealer.recv_multipart() == [b"one", b"", b"x" * 300]
    assert dealer.recv() == b"two"
    dealer.send(b"back")
    peer.expect(frame(b"back"))


@pytest.mark.parametrize("cut", [1, 9, 10, 11, 12, 32, 63])
def test_greeting_cut_once_anywhere(socket: SocketFactory, attach: Attach, cut: int) -> None:
    """A pause at any step of the greeting, with the answer so far read, changes nothing."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer)
    stream = greeting() + ready("ROUTER")
    answered = 10 if cut < 10 else 11 if cut == 10 else 64
    peer.send(stream[:cut])
    peer.expect(greeting()[:answered])
    peer.send(stream[cut:])
    peer.expect(greeting()[answered:], ready("DEALER"))
    peer.fence()


@pytest.mark.parametrize("length", [0, 1, 5, 255, 2**63, 2**64 - 1])
def test_length_bytes_of_a_versioned_signature_mean_nothing(socket: SocketFactory, attach: Attach, length: int) -> None:
    """A 3.x peer may put anything between ff and 7f."""
    peer = attach(socket(zmq.DEALER))
    peer.send(b"\xff", length.to_bytes(8, "big"), greeting()[9:], ready("ROUTER"))
    peer.expect(greeting(), ready("DEALER"))
    peer.fence()


@pytest.mark.parametrize("last", [0x01, 0x03, 0x7F, 0xFF])
def test_only_bit_0_of_the_tenth_byte_tells_a_versioned_peer(socket: SocketFactory, attach: Attach, last: int) -> None:
    """Any odd tenth byte means that a version number follows."""
    peer = attach(socket(zmq.DEALER))
    peer.send(signature(last=last), greeting()[10:], ready("ROUTER"))
    peer.expect(greeting(), ready("DEALER"))
    peer.fence()


@pytest.mark.parametrize("major", [2, 3, 4, 9, 255])
@pytest.mark.parametrize("minor", [0, 1, 2, 255])
def test_every_later_revision_is_answered_as_3_1(socket: SocketFactory, attach: Attach, major: int, minor: int) -> None:
    """Majors other than 0 and 1 get `03 01`; subscriptions are commands unless the peer is exactly 3.0."""
    sub = socket(zmq.SUB, subscribe=b"T")
    peer = attach(sub)
    peer.send(greeting(minor, major=major), ready("PUB"))
    peer.expect("ff 00 00 00 00 00 00 00 01 7f 03 01", NULL_TAIL, ready("SUB"))
    old = (major, minor) == (3, 0)
    pump(sub, peer)
    peer.expect("00 02 01 54" if old else "04 0b 09 53 55 42 53 43 52 49 42 45 54")


def test_as_server_byte_is_ignored_with_null(socket: SocketFactory, attach: Attach) -> None:
    """A NULL greeting with as-server 1 is accepted, and answered with 0."""
    peer = attach(socket(zmq.DEALER))
    peer.send(greeting(as_server=1), ready("ROUTER"))
    peer.expect(greeting(), ready("DEALER"))
    peer.fence()


def test_filler_is_ignored(socket: SocketFactory, attach: Attach) -> None:
    """The last 31 bytes of the greeting may hold anything."""
    peer = attach(socket(zmq.DEALER))
    peer.send(greeting()[:33], b"\xa5" * 31, ready("ROUTER"))
    peer.expect(greeting(), ready("DEALER"))
    peer.fence()


@pytest.mark.parametrize(
    "mechanism",
    [b"PLAIN", b"CURVE", b"NULLX", b"null", b"", b"NULL" + bytes(15) + b"x"],
    ids=["plain", "curve", "prefix", "lower-case", "none", "byte-20"],
)
def test_mechanism_must_be_ours_in_all_20_bytes(
    socket: SocketFactory, raw: RawPeers, watch: Watch, mechanism: bytes
) -> None:
    """Another mechanism ends the connection: MECHANISM_MISMATCH, then DISCONNECTED; no command is sent."""
    sock = socket(zmq.DEALER)
    log = watch(sock, OUTCOMES)
    peer = raw.connect(bind(sock))
    peer.send(greeting(mechanism=mechanism))
    log.expect(HANDSHAKE_FAILED_PROTOCOL, MECHANISM_MISMATCH)
    log.expect(DISCONNECTED)
    assert greeting().startswith(peer.read_to_end())  # it may close before even its own greeting has left


def test_connecting_socket_gives_up_after_a_mechanism_mismatch(
    socket: SocketFactory, raw: RawPeers, watch: Watch
) -> None:
    """A mechanism mismatch is final: the connecting side does not try again."""
    sock = socket(zmq.DEALER, reconnect_ivl=1)
    log = watch(sock, OUTCOMES)
    listener = raw.listen()
    sock.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.send(greeting(mechanism=b"PLAIN"))
    log.expect(HANDSHAKE_FAILED_PROTOCOL, MECHANISM_MISMATCH)
    log.expect(DISCONNECTED)
    listener.expect_no_connection()


def test_events_of_a_bound_socket(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """LISTENING, ACCEPTED, HANDSHAKE_SUCCEEDED (value 0), DISCONNECTED, all with the bound endpoint."""
    sock = socket(zmq.DEALER)
    log = watch(sock)
    endpoint = bind(sock)
    peer = raw.connect(endpoint)
    listening = log.expect(LISTENING)
    accepted = log.expect(ACCEPTED)
    peer.greet()
    log.expect_silence()
    peer.send(ready("ROUTER"))
    succeeded = log.expect(HANDSHAKE_SUCCEEDED, 0)
    peer.close()
    gone = log.expect(DISCONNECTED, accepted.value)
    assert {event.endpoint for event in (listening, accepted, succeeded, gone)} == {endpoint}
    assert listening.value != accepted.value


def test_events_of_a_connecting_socket(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """CONNECT_DELAYED (115), CONNECTED, HANDSHAKE_SUCCEEDED (0), DISCONNECTED, all with the remote endpoint."""
    sock = socket(zmq.DEALER, reconnect_ivl=-1)
    log = watch(sock)
    listener = raw.listen()
    sock.connect(listener.endpoint)
    peer = raw.accept(listener)
    log.expect(CONNECT_DELAYED, 115)
    connected = log.expect(CONNECTED)
    peer.handshake("ROUTER")
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    peer.close()
    gone = log.expect(DISCONNECTED, connected.value)
    assert connected.endpoint == gone.endpoint == listener.endpoint


def test_events_over_ipc(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """An ipc connection is there at once: CONNECTED without CONNECT_DELAYED before it."""
    sock = socket(zmq.DEALER, reconnect_ivl=-1)
    log = watch(sock)
    listener = raw.listen("ipc")
    sock.connect(listener.endpoint)
    peer = raw.accept(listener)
    log.expect(CONNECTED)
    peer.handshake("ROUTER")
    log.expect(HANDSHAKE_SUCCEEDED, 0)


def test_no_message_is_taken_before_the_handshake_is_done(socket: SocketFactory, raw: RawPeers) -> None:
    """An accepted connection gets no messages until READY came: the socket keeps them for peers that exist."""
    push = socket(zmq.PUSH, sndtimeo=ms(40))
    peer = raw.connect(bind(push))
    peer.greet()
    peer.expect(ready("PUSH"))
    with pytest.raises(zmq.Again):
        push.send(b"too early")
    peer.send(ready("PULL"))
    push.setsockopt(zmq.SNDTIMEO, ms(5000))
    push.send(b"now")
    peer.expect(frame(b"now"))


def test_messages_wait_for_a_connecting_socket(socket: SocketFactory, raw: RawPeers) -> None:
    """A connecting socket queues messages before the connection exists and sends them right after READY, in order."""
    push = socket(zmq.PUSH)
    listener = raw.listen()
    push.connect(listener.endpoint)
    for number in range(3):
        push.send(b"%d" % number)
    peer = raw.accept(listener)
    peer.greet()
    peer.expect(ready("PUSH"))
    peer.expect_silence()
    peer.send(ready("PULL"))
    peer.expect("00 01 30 00 01 31 00 01 32")


def test_vectors_and_builders_agree() -> None:
    """The functions that build bytes for these tests produce the captured vectors."""
    assert greeting() == hx("ff 00 00 00 00 00 00 00 01 7f 03 01") + hx(NULL_TAIL)
    assert greeting_head(0, identity_size=3) == hx("ff 00 00 00 00 00 00 00 04 7f 03 00")
    assert ready("REP") == hx("04 19 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 52 45 50")
    assert message(b"a", b"b") == hx("01 01 61 00 01 62")
