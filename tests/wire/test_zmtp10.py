# SPDX-License-Identifier: MPL-2.0
"""Peers of ZMTP 1.0, with the versioned header (revision 0) and without: identity first, then v1 frames.

Vectors: wire-vectors 7; rules: internals 13.2 and 14, RFC 13.
"""

from __future__ import annotations

import struct

import pytest

from tests.conftest import Attach, SocketFactory, bind, pump
from tests.support.raw_peer import (
    TYPE_NUMBERS,
    ZMTP_10,
    ZMTP_10_REV0,
    Dialect,
    RawPeers,
    signature,
    v1_frame,
    v1_message,
)
from tests.support.target import zmq
from tests.support.waiting import SILENCE
from tests.wire.conftest import Watch, in_pieces, send_until_heard
from tests.wire.events import DISCONNECTED, HANDSHAKE_FAILED_NO_DETAIL, OUTCOMES

both_headers = pytest.mark.parametrize("dialect", [ZMTP_10, ZMTP_10_REV0], ids=str)


# --- unversioned -----------------------------------------------------------------------------------------------------


def test_dealer_with_an_unversioned_peer(socket: SocketFactory, attach: Attach) -> None:
    """The transcript of a DEALER "me" and an anonymous peer: the signature was the head of the identity message."""
    dealer = socket(zmq.DEALER, routing_id=b"me")
    peer = attach(dealer)
    peer.expect("ff 00 00 00 00 00 00 00 03 7f")
    peer.expect_silence()
    peer.send("01 00")
    peer.expect("6d 65")
    peer.expect_silence()
    dealer.send_multipart([b"a", b"", b"L" * 254, b"M" * 253])
    peer.expect("02 01 61", "01 01", "ff 00 00 00 00 00 00 00 ff 01", b"L" * 254, "fe 00", b"M" * 253)
    peer.send("02 01 78 02 00 79")
    assert dealer.recv_multipart() == [b"x", b"y"]


def test_identity_goes_out_after_the_first_byte_of_a_1_0_peer(socket: SocketFactory, attach: Attach) -> None:
    """One byte that is not ff is enough to know the peer's version."""
    peer = attach(socket(zmq.DEALER, routing_id=b"me"))
    peer.expect("ff 00 00 00 00 00 00 00 03 7f")
    peer.send("05")
    peer.expect("6d 65")


@pytest.mark.parametrize("size", [1, 253, 254, 255])
def test_own_identity_of_any_length(socket: SocketFactory, attach: Attach, size: int) -> None:
    """The rest of the identity message follows the signature whole, whichever length form it would have had."""
    dealer = socket(zmq.DEALER, routing_id=b"i" * size)
    peer = attach(dealer)
    peer.send("01 00")
    dealer.send(b"x")
    peer.expect(signature(size), b"i" * size, "02 00 78")


@in_pieces
def test_pieces_do_not_matter(socket: SocketFactory, attach: Attach, sizes: list[int]) -> None:
    """Identity and messages may come all at once or in any pieces."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    peer.send_pieces(v1_frame(b"name") + v1_message(b"one", b"", b"x" * 300) + v1_frame(b"two"), sizes)
    assert pull.recv_multipart() == [b"one", b"", b"x" * 300]
    assert pull.recv() == b"two"
    peer.expect(signature())


def test_router_with_an_unversioned_dealer(socket: SocketFactory, attach: Attach) -> None:
    """The identity message names the peer; the reply comes right behind the signature."""
    router = socket(zmq.ROUTER)
    peer = attach(router)
    peer.send("06 00 69 64 65 6e 74", "06 00 68 65 6c 6c 6f")
    assert router.recv_multipart() == [b"ident", b"hello"]
    router.send_multipart([b"ident", b"r"])
    peer.expect("ff 00 00 00 00 00 00 00 01 7f 02 00 72")


@pytest.mark.parametrize("flags", ["00", "02", "fe"])
@in_pieces
def test_identity_in_the_long_form(socket: SocketFactory, attach: Attach, sizes: list[int], flags: str) -> None:
    """`ff`, 8 bytes of length and flags with bit 0 clear is no signature but an unversioned identity message."""
    router = socket(zmq.ROUTER)
    peer = attach(router)
    identity = bytes.fromhex("ff 00 00 00 00 00 00 00 04" + flags + "61 62 63")
    peer.send_pieces(identity + v1_frame(b"hello"), sizes)
    assert router.recv_multipart() == [b"abc", b"hello"]


def test_pub_publishes_everything_to_an_unversioned_peer(socket: SocketFactory, attach: Attach) -> None:
    """1.0 subscribers do not tell their subscriptions: they get everything."""
    pub = socket(zmq.PUB)
    peer = attach(pub)
    peer.send("01 00")
    peer.expect(signature())
    send_until_heard(pub, peer, b"anything")
    peer.expect("09 00 61 6e 79 74 68 69 6e 67")


def test_xpub_hears_the_subscription_to_everything(socket: SocketFactory, attach: Attach) -> None:
    """XPUB reports the subscription made up for an unversioned peer like any other."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    peer.send("01 00")
    assert xpub.recv() == b"\x01"
    peer.send(v1_frame(b"\x01more"))
    assert xpub.recv() == b"\x01more"


def test_sub_with_an_unversioned_publisher(socket: SocketFactory, attach: Attach) -> None:
    """Subscriptions go out as messages all the same, and what arrives is filtered."""
    sub = socket(zmq.SUB, subscribe=b"top")
    peer = attach(sub)
    peer.send("01 00")
    peer.expect(signature())
    pump(sub, peer)
    peer.expect("05 00 01 74 6f 70")
    peer.send(v1_frame(b"other"), v1_message(b"topic", b"body"))
    assert sub.recv_multipart() == [b"topic", b"body"]
    sub.setsockopt(zmq.UNSUBSCRIBE, b"top")
    peer.expect("05 00 00 74 6f 70")


@both_headers
@pytest.mark.parametrize("size", [252, 253, 254, 255, 300])
def test_long_topics(socket: SocketFactory, attach: Attach, dialect: Dialect, size: int) -> None:
    """The form of the length goes by the size with flags and `01` or `00`: short up to 254."""
    sub = socket(zmq.SUB, subscribe=b"T" * size)
    peer = attach(sub)
    dialect.open(peer, "PUB", b"")
    pump(sub, peer)
    head = bytes([size + 2]) if size + 2 < 255 else b"\xff" + struct.pack(">Q", size + 2)
    peer.expect(head, "00 01", b"T" * size)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"T" * size)
    peer.expect(head, "00 00", b"T" * size)


# --- revision 0 ------------------------------------------------------------------------------------------------------


def test_dealer_with_a_revision_0_peer(socket: SocketFactory, attach: Attach) -> None:
    """The transcript of a DEALER "me" and a revision 0 ROUTER: the identity message follows the greeting whole."""
    dealer = socket(zmq.DEALER, routing_id=b"me")
    peer = attach(dealer)
    peer.expect("ff 00 00 00 00 00 00 00 03 7f")
    peer.send("ff 00 00 00 00 00 00 00 01 7f")
    peer.expect("03")
    peer.send("00")
    peer.expect("05")
    peer.expect_silence()
    peer.send("06")
    peer.expect("03 00 6d 65")
    peer.send("01 00")
    peer.expect_silence()
    dealer.send(b"q")
    peer.expect("02 00 71")
    peer.send("02 01 78 02 00 79")
    assert dealer.recv_multipart() == [b"x", b"y"]


@pytest.mark.parametrize("local", TYPE_NUMBERS)
def test_byte_11_is_the_socket_type(socket: SocketFactory, attach: Attach, local: str) -> None:
    """The last byte of the greeting to a revision 0 peer is the own socket type; an empty identity follows."""
    peer = attach(socket(getattr(zmq, local)))
    peer.send(signature(), "00", "00")
    peer.expect(signature(), "03", bytes([TYPE_NUMBERS[local]]), "01 00")


@in_pieces
def test_pieces_do_not_matter_with_revision_0(socket: SocketFactory, attach: Attach, sizes: list[int]) -> None:
    """Greeting, identity and messages may come all at once or in any pieces."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    peer.send_pieces(signature() + b"\x00\x08" + v1_frame(b"") + v1_message(b"one", b"", b"x" * 300), sizes)
    assert pull.recv_multipart() == [b"one", b"", b"x" * 300]
    peer.expect(signature(), "03 07", "01 00")


def test_revision_0_subscriber_must_subscribe(socket: SocketFactory, attach: Attach) -> None:
    """Only unversioned peers get everything: a revision 0 peer gets what it subscribes to."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    ZMTP_10_REV0.open(peer, "SUB", b"")
    assert not xpub.poll(SILENCE * 1000)
    peer.send(v1_frame(b"\x01A"))
    assert xpub.recv() == b"\x01A"
    xpub.send(b"B")
    xpub.send(b"A")
    peer.expect("02 00 41")


# --- both ------------------------------------------------------------------------------------------------------------


@both_headers
@pytest.mark.parametrize("size", [0, 1, 252, 253, 254, 255, 256, 8192, 70_000])
def test_sizes_both_ways(socket: SocketFactory, attach: Attach, dialect: Dialect, size: int) -> None:
    """Any size goes both ways; 254 bytes of body are the first to need the long form."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer)
    dialect.open(peer, "DEALER", b"")
    body = b"b" * size
    dealer.send(body)
    peer.expect(bytes([size + 1]) if size < 254 else b"\xff" + struct.pack(">Q", size + 1), "00", body)
    peer.send(v1_frame(body), v1_frame(b"next"))
    assert [dealer.recv(), dealer.recv()] == [body, b"next"]


@both_headers
@pytest.mark.parametrize(
    ("wire", "parts"),
    [
        ("ff 00 00 00 00 00 00 00 02 00 5a", [b"Z"]),
        ("ff 00 00 00 00 00 00 00 01 00", [b""]),
        ("02 fe 5a", [b"Z"]),
        ("02 ff 59 02 00 5a", [b"Y", b"Z"]),
    ],
    ids=["long-form-of-1", "long-form-of-0", "reserved-bits", "reserved-bits-and-more"],
)
def test_unusual_frames(socket: SocketFactory, attach: Attach, dialect: Dialect, wire: str, parts: list[bytes]) -> None:
    """The long form may hold a small length, and of the flags only bit 0 counts."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer)
    dialect.open(peer, "DEALER", b"")
    peer.send(wire)
    assert dealer.recv_multipart() == parts


@both_headers
@pytest.mark.parametrize("wire", ["00", "ff 00 00 00 00 00 00 00 00"], ids=["short", "long"])
def test_length_0_is_an_error(socket: SocketFactory, raw: RawPeers, watch: Watch, dialect: Dialect, wire: str) -> None:
    """A length counts the flags byte, so it cannot be 0: the connection ends."""
    pull = socket(zmq.PULL)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    dialect.open(peer, "PUSH", b"")
    peer.send(v1_frame(b"good"), wire)
    peer.expect_close()
    log.until(DISCONNECTED)
    assert pull.recv() == b"good"


@both_headers
@pytest.mark.parametrize(
    "header", ["66", "ff 00 00 00 00 00 00 00 66", "ff ff ff ff ff ff ff ff ff"], ids=["short", "long", "2^64-1"]
)
def test_limit_is_checked_on_the_header(
    socket: SocketFactory, raw: RawPeers, watch: Watch, dialect: Dialect, header: str
) -> None:
    """A body above MAXMSGSIZE (the flags byte does not count) ends the connection before it came."""
    pull = socket(zmq.PULL, maxmsgsize=100)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    dialect.open(peer, "PUSH", b"")
    peer.send(v1_frame(b"x" * 100), v1_frame(b"y" * 100, long=True), header)
    log.until(DISCONNECTED)
    peer.expect_close()
    assert [pull.recv(), pull.recv()] == [b"x" * 100, b"y" * 100]


@both_headers
def test_events(socket: SocketFactory, raw: RawPeers, watch: Watch, dialect: Dialect) -> None:
    """A 1.0 connection has no HANDSHAKE_SUCCEEDED, and ends with NO_DETAIL (EPIPE) and DISCONNECTED."""
    pull = socket(zmq.PULL)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    dialect.open(peer, "PUSH", b"")
    peer.send(v1_frame(b"x"))
    assert pull.recv() == b"x"
    log.expect_silence()
    peer.close()
    log.expect(HANDSHAKE_FAILED_NO_DETAIL, 32)
    log.expect(DISCONNECTED)


@both_headers
def test_half_a_message_is_rolled_back(socket: SocketFactory, raw: RawPeers, dialect: Dialect) -> None:
    """Half a message of a peer that went away is not delivered, and does not stick to the next one."""
    pull = socket(zmq.PULL, reconnect_ivl=1)
    listener = raw.listen()
    pull.connect(listener.endpoint)
    peer = raw.accept(listener)
    dialect.open(peer, "PUSH", b"")
    peer.send(v1_frame(b"whole"), v1_frame(b"half", more=True), v1_frame(b"body")[:3])
    peer.close()
    peer = raw.accept(listener)
    dialect.open(peer, "PUSH", b"")
    peer.send(v1_message(b"a", b"b"))
    assert [pull.recv_multipart(), pull.recv_multipart()] == [[b"whole"], [b"a", b"b"]]


@both_headers
def test_zap_domain_keeps_1_0_peers_out(socket: SocketFactory, raw: RawPeers, watch: Watch, dialect: Dialect) -> None:
    """With a ZAP domain set a peer that cannot be authenticated is refused: DISCONNECTED only."""
    dealer = socket(zmq.DEALER, zap_domain=b"global")
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(b"" if dialect is ZMTP_10 else signature() + b"\0\5", v1_frame(b""))
    log.expect(DISCONNECTED)
    peer.read_to_end()
