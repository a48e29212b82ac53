# SPDX-License-Identifier: MPL-2.0
"""Peers of ZMTP 2.0 (revision 1): a 12-byte greeting, identity frames, v2 frames, no commands and no metadata.

Vectors: wire-vectors 6; rules: internals 13.2 and RFC 15.
"""

from __future__ import annotations

import pytest

from tests.conftest import Attach, SocketFactory, bind, pump
from tests.support.raw_peer import (
    TYPE_NUMBERS,
    ZMTP_20,
    RawPeers,
    cancel,
    command,
    frame,
    message,
    ping,
    signature,
    subscribe,
)
from tests.support.target import zmq
from tests.support.waiting import SILENCE
from tests.wire.conftest import Watch, in_pieces, send_until_heard
from tests.wire.events import DISCONNECTED, HANDSHAKE_FAILED_NO_DETAIL, OUTCOMES


def test_dealer_with_a_2_0_router(socket: SocketFactory, attach: Attach) -> None:
    """The transcript of a DEALER "me" and a 2.0 ROUTER, step by step."""
    dealer = socket(zmq.DEALER, routing_id=b"me")
    peer = attach(dealer)
    peer.expect("ff 00 00 00 00 00 00 00 03 7f")
    peer.send("ff 00 00 00 00 00 00 00 01 7f")
    peer.expect("03")
    peer.expect_silence()
    peer.send("01")
    peer.expect("05")
    peer.expect_silence()
    peer.send("06")
    peer.expect("00 02 6d 65")
    peer.expect_silence()
    peer.send("00 05 70 65 65 72 32")
    peer.expect_silence()
    dealer.send_multipart([b"a", b"b"])
    peer.expect("01 01 61 00 01 62")
    peer.send("01 01 78 00 01 79")
    assert dealer.recv_multipart() == [b"x", b"y"]


@in_pieces
def test_pieces_do_not_matter(socket: SocketFactory, attach: Attach, sizes: list[int]) -> None:
    """Greeting, identity and messages may come all at once (a 2.0 peer waits for nothing) or in any pieces."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    peer.send_pieces(signature() + b"\x01\x08" + frame(b"") + message(b"one", b"", b"x" * 300) + frame(b"two"), sizes)
    assert pull.recv_multipart() == [b"one", b"", b"x" * 300]
    assert pull.recv() == b"two"
    peer.expect(signature(), "03 07", "00 00")


@pytest.mark.parametrize("local", TYPE_NUMBERS)
def test_byte_11_is_the_socket_type(socket: SocketFactory, attach: Attach, local: str) -> None:
    """The last byte of the greeting to a 2.0 peer is the number of the own socket type; an empty identity follows."""
    peer = attach(socket(getattr(zmq, local)))
    peer.send(signature(), "01", "00")
    peer.expect(signature(), "03", bytes([TYPE_NUMBERS[local]]), "00 00")


@pytest.mark.parametrize("theirs", [0, 1, 5, 8, 11, 255])
def test_peers_socket_type_is_not_checked(socket: SocketFactory, attach: Attach, theirs: int) -> None:
    """Any number is accepted as the peer's socket type, fitting or not."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    peer.send(signature(), "01", bytes([theirs]), frame(b""), frame(b"x"))
    assert pull.recv() == b"x"


@pytest.mark.parametrize("identity", [b"p", b"peer 2.0", b"i" * 255], ids=len)
def test_identity_names_the_peer_of_a_router(socket: SocketFactory, attach: Attach, identity: bytes) -> None:
    """The first frame is the peer's identity: a ROUTER sees it in front of each message and sends by it."""
    router = socket(zmq.ROUTER, routing_id=b"R" * 255)
    peer = attach(router)
    assert ZMTP_20.open(peer, "DEALER", identity) == b"R" * 255
    peer.send(frame(b"hello"))
    assert router.recv_multipart() == [identity, b"hello"]
    router.send_multipart([identity, b"hi"])
    peer.expect("00 02 68 69")


def test_router_makes_up_a_name_for_a_nameless_peer(socket: SocketFactory, attach: Attach) -> None:
    """An empty identity gets a name of 5 bytes, the first of them 00."""
    router = socket(zmq.ROUTER)
    peer = attach(router)
    ZMTP_20.open(peer, "DEALER", b"")
    peer.send(frame(b"hello"))
    name, body = router.recv_multipart()
    assert (len(name), name[:1], body) == (5, b"\0", b"hello")


def test_identity_is_no_message(socket: SocketFactory, attach: Attach) -> None:
    """A socket that does not care for identities drops the identity frame."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    ZMTP_20.open(peer, "PUSH", b"name")
    assert not pull.poll(SILENCE * 1000)
    peer.send(frame(b"x"))
    assert pull.recv() == b"x"


def test_sub_with_a_2_0_publisher(socket: SocketFactory, attach: Attach) -> None:
    """SUB sends type, identity and its subscriptions as messages; what the publisher sends is filtered here too."""
    sub = socket(zmq.SUB, subscribe=b"top")
    peer = attach(sub)
    peer.send(signature(), "01 01", "00 00")
    peer.expect(signature())
    peer.expect("03 02 00 00")
    pump(sub, peer)
    peer.expect("00 04 01 74 6f 70")
    sub.setsockopt(zmq.SUBSCRIBE, b"n")
    peer.expect("00 02 01 6e")
    sub.setsockopt(zmq.UNSUBSCRIBE, b"top")
    peer.expect("00 04 00 74 6f 70")
    peer.send(frame(b"other"), message(b"news", b"body"))
    assert sub.recv_multipart() == [b"news", b"body"]


@pytest.mark.parametrize("size", [254, pytest.param(255, marks=pytest.mark.departs), 256, 300])
def test_long_topics(socket: SocketFactory, attach: Attach, size: int) -> None:
    """The LARGE bit goes by the size with the `01` or `00` in front.

    Departs for 255 bytes: libzmq widens the size field and forgets the LARGE bit, which ruins the stream.
    """
    sub = socket(zmq.SUB, subscribe=b"T" * size)
    peer = attach(sub)
    ZMTP_20.open(peer, "PUB", b"")
    pump(sub, peer)
    peer.expect(frame(b"\x01" + b"T" * size))
    sub.setsockopt(zmq.UNSUBSCRIBE, b"T" * size)
    peer.expect(frame(b"\x00" + b"T" * size))


def test_xpub_with_a_2_0_subscriber(socket: SocketFactory, attach: Attach) -> None:
    """Nothing is published to a 2.0 subscriber before it subscribes; then what matches."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    ZMTP_20.open(peer, "SUB", b"")
    peer.send(frame(b"\x01A"))
    assert xpub.recv() == b"\x01A"
    xpub.send(b"B")
    xpub.send_multipart([b"A", b"body"])
    peer.expect(message(b"A", b"body"))
    peer.send(frame(b"\x00A"))
    assert xpub.recv() == b"\x00A"


def test_pub_with_a_2_0_subscriber(socket: SocketFactory, attach: Attach) -> None:
    """The same with PUB, which tells nobody about the subscription."""
    pub = socket(zmq.PUB)
    peer = attach(pub)
    ZMTP_20.open(peer, "SUB", b"")
    peer.send(frame(b"\x01A"))
    send_until_heard(pub, peer, b"A")
    assert peer.read_message() == [b"A"]


def test_commands_are_swallowed(socket: SocketFactory, attach: Attach) -> None:
    """A frame with the COMMAND bit is neither delivered nor answered, a PING least of all."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer)
    ZMTP_20.open(peer, "ROUTER", b"")
    peer.send(ping(1, b"ctx"), command(b"READY"), frame(b"", command=True), frame(b"x" * 300, command=True))
    peer.send(frame(b"message"))
    assert dealer.recv_multipart() == [b"message"]
    peer.expect_silence(0.15)


def test_subscribe_command_is_no_subscription(socket: SocketFactory, attach: Attach) -> None:
    """2.0 knows no SUBSCRIBE command: an XPUB does not hear it."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    ZMTP_20.open(peer, "SUB", b"")
    peer.send(subscribe(b"A"), cancel(b"A"), frame(b"\x01B"))
    assert xpub.recv() == b"\x01B"


def test_messages_tell_no_metadata(socket: SocketFactory, attach: Attach) -> None:
    """Without READY there are no properties of the peer on its messages."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    ZMTP_20.open(peer, "PUSH", b"name")
    peer.send(frame(b"x"))
    got = pull.recv(copy=False)
    for name in ("Socket-Type", "Identity", "Peer-Address"):
        with pytest.raises(zmq.ZMQError):
            got.get(name)


def test_events(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A 2.0 connection has no HANDSHAKE_SUCCEEDED, and ends with NO_DETAIL (EPIPE) and DISCONNECTED."""
    pull = socket(zmq.PULL)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    ZMTP_20.open(peer, "PUSH", b"")
    peer.send(frame(b"x"))
    assert pull.recv() == b"x"
    log.expect_silence()
    peer.close()
    log.expect(HANDSHAKE_FAILED_NO_DETAIL, 32)
    log.expect(DISCONNECTED)


@pytest.mark.parametrize("header", ["00 65", "02 00 00 00 00 00 00 00 65", "02 ff ff ff ff ff ff ff ff"])
def test_limit_is_checked_on_the_header(socket: SocketFactory, raw: RawPeers, watch: Watch, header: str) -> None:
    """A frame above MAXMSGSIZE ends the connection before its body came."""
    pull = socket(zmq.PULL, maxmsgsize=100)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    ZMTP_20.open(peer, "PUSH", b"")
    peer.send(frame(b"x" * 100), header)
    log.until(DISCONNECTED)
    peer.expect_close()
    assert pull.recv() == b"x" * 100


def test_half_a_message_is_rolled_back(socket: SocketFactory, raw: RawPeers) -> None:
    """Half a message of a peer that went away is not delivered, and does not stick to the next one."""
    pull = socket(zmq.PULL, reconnect_ivl=1)
    listener = raw.listen()
    pull.connect(listener.endpoint)
    peer = raw.accept(listener)
    ZMTP_20.open(peer, "PUSH", b"")
    peer.send(frame(b"whole"), frame(b"half", more=True))
    peer.close()
    peer = raw.accept(listener)
    ZMTP_20.open(peer, "PUSH", b"")
    peer.send(message(b"a", b"b"))
    assert [pull.recv_multipart(), pull.recv_multipart()] == [[b"whole"], [b"a", b"b"]]


def test_zap_domain_keeps_2_0_peers_out(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """With a ZAP domain set a peer that cannot be authenticated is refused: DISCONNECTED only."""
    dealer = socket(zmq.DEALER, zap_domain=b"global")
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(signature(), "01 06", frame(b""))
    log.expect(DISCONNECTED)
    peer.read_to_end()
