# SPDX-License-Identifier: MPL-2.0
"""Subscriptions on the wire: commands to ZMTP 3.1 peers, messages to 3.0 peers, both understood by XPUB and PUB.

Vectors: wire-vectors 3; 2.0 and 1.0 peers are in test_zmtp20 and test_zmtp10.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Attach, SocketFactory, bind, pump
from tests.support.raw_peer import RawPeer, RawPeers, cancel, command, frame, message, ready, subscribe
from tests.support.target import zmq
from tests.support.waiting import SILENCE
from tests.wire.conftest import Watch, send_until_heard
from tests.wire.events import DISCONNECTED


def _sub_with_publisher(socket: SocketFactory, attach: Attach, minor: int) -> tuple[Any, RawPeer]:
    """A SUB without subscriptions and a raw PUB; the link is known to the SUB's thread."""
    sub = socket(zmq.SUB, subscribe=b"link")
    peer = attach(sub)
    peer.handshake("PUB", None, minor)
    pump(sub, peer)
    peer.expect(subscribe(b"link") if minor else "00 05 01 6c 69 6e 6b")
    sub.setsockopt(zmq.UNSUBSCRIBE, b"link")
    peer.expect(cancel(b"link") if minor else "00 05 00 6c 69 6e 6b")
    return sub, peer


# --- SUB and XSUB say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "wire"),
    [
        (1, "04 0a 09 53 55 42 53 43 52 49 42 45 04 0f 09 53 55 42 53 43 52 49 42 45 74 6f 70 69 63"),
        (0, "00 01 01 00 06 01 74 6f 70 69 63"),
    ],
    ids=["3.1", "3.0"],
)
def test_subscriptions_are_told_to_a_new_publisher(
    socket: SocketFactory, attach: Attach, minor: int, wire: str
) -> None:
    """Subscriptions made before the connection are sent when it is there, in the byte order of the topics."""
    sub = socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"topic")
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    peer = attach(sub)
    peer.handshake("PUB", None, minor)
    pump(sub, peer)
    peer.expect(wire)
    peer.expect_silence()


def test_order_and_number_of_subscriptions_told(socket: SocketFactory, attach: Attach) -> None:
    """Equal subscriptions are told once; the order is that of the bytes, a prefix before its extensions."""
    sub = socket(zmq.SUB)
    for topic in (b"b", b"ab", b"a", b"\xff", b"a", b"abc", b"\x00", b"B"):
        sub.setsockopt(zmq.SUBSCRIBE, topic)
    peer = attach(sub)
    peer.handshake("PUB")
    pump(sub, peer)
    peer.expect(*(subscribe(topic) for topic in (b"\x00", b"B", b"a", b"ab", b"abc", b"b", b"\xff")))
    peer.expect_silence()


@pytest.mark.parametrize(
    ("minor", "subscribed", "unsubscribed"),
    [
        (1, "04 0d 09 53 55 42 53 43 52 49 42 45 64 75 70", "04 0a 06 43 41 4e 43 45 4c 64 75 70"),
        (0, "00 04 01 64 75 70", "00 04 00 64 75 70"),
    ],
    ids=["3.1", "3.0"],
)
def test_each_action_on_an_open_connection(
    socket: SocketFactory, attach: Attach, minor: int, subscribed: str, unsubscribed: str
) -> None:
    """Every SUBSCRIBE is sent; UNSUBSCRIBE only when the last of equal ones goes, and of an unknown topic never."""
    sub, peer = _sub_with_publisher(socket, attach, minor)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"unknown")
    sub.setsockopt(zmq.SUBSCRIBE, b"dup")
    peer.expect(subscribed)
    sub.setsockopt(zmq.SUBSCRIBE, b"dup")
    peer.expect(subscribed)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"dup")
    peer.expect_silence()
    sub.setsockopt(zmq.UNSUBSCRIBE, b"dup")
    peer.expect(unsubscribed)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"dup")
    peer.expect_silence()


@pytest.mark.parametrize(
    ("minor", "size", "subscribed", "unsubscribed"),
    [
        (1, 0, "04 0a 09 53 55 42 53 43 52 49 42 45", "04 07 06 43 41 4e 43 45 4c"),
        (1, 245, "04 ff 09 53 55 42 53 43 52 49 42 45", "04 fc 06 43 41 4e 43 45 4c"),
        (1, 246, "06 00 00 00 00 00 00 01 00 09 53 55 42 53 43 52 49 42 45", "04 fd 06 43 41 4e 43 45 4c"),
        (
            1,
            255,
            "06 00 00 00 00 00 00 01 09 09 53 55 42 53 43 52 49 42 45",
            "06 00 00 00 00 00 00 01 06 06 43 41 4e 43 45 4c",
        ),
        (
            1,
            300,
            "06 00 00 00 00 00 00 01 36 09 53 55 42 53 43 52 49 42 45",
            "06 00 00 00 00 00 00 01 33 06 43 41 4e 43 45 4c",
        ),
        (0, 0, "00 01 01", "00 01 00"),
        (0, 254, "00 ff 01", "00 ff 00"),
        pytest.param(
            0, 255, "02 00 00 00 00 00 00 01 00 01", "02 00 00 00 00 00 00 01 00 00", marks=pytest.mark.departs
        ),
        (0, 256, "02 00 00 00 00 00 00 01 01 01", "02 00 00 00 00 00 00 01 01 00"),
        (0, 300, "02 00 00 00 00 00 00 01 2d 01", "02 00 00 00 00 00 00 01 2d 00"),
    ],
)
def test_length_of_the_topic(
    socket: SocketFactory, attach: Attach, minor: int, size: int, subscribed: str, unsubscribed: str
) -> None:
    """The LARGE bit goes by the size of the frame, prefix or command name included.

    Departs for 255 bytes to a 3.0 peer: libzmq widens the size field and forgets the LARGE bit, which ruins the stream.
    """
    sub, peer = _sub_with_publisher(socket, attach, minor)
    sub.setsockopt(zmq.SUBSCRIBE, b"T" * size)
    peer.expect(subscribed, b"T" * size)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"T" * size)
    peer.expect(unsubscribed, b"T" * size)


@pytest.mark.parametrize("minor", [1, 0])
def test_xsub_messages_are_plain_frames(socket: SocketFactory, attach: Attach, minor: int) -> None:
    """What the user of an XSUB sends goes out as it is, subscriptions and cancellations too, even to a 3.1 peer."""
    xsub = socket(zmq.XSUB)
    peer = attach(xsub)
    peer.handshake("PUB", None, minor)
    send_until_heard(xsub, peer, b"\x02probe")
    xsub.send(b"\x01abc")
    xsub.send(b"\x00abc")
    xsub.send(b"user")
    while (got := peer.read_frame()) == (0, b"\x02probe"):
        pass
    assert got == (0, b"\x01abc")  # 00 04 01 61 62 63
    peer.expect("00 04 00 61 62 63", "00 04 75 73 65 72")


@pytest.mark.parametrize("minor", [1, 0])
def test_xsub_tells_its_subscriptions_to_a_new_publisher_like_sub(
    socket: SocketFactory, raw: RawPeers, minor: int
) -> None:
    """Subscriptions an XSUB remembers are replayed in the form of the peer's version, commands for 3.1."""
    xsub = socket(zmq.XSUB)
    xsub.send(b"\x01abc")
    xsub.send(b"\x01gone")
    xsub.send(b"\x00gone")
    listener = raw.listen()
    xsub.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("XPUB", None, minor)
    peer.expect(subscribe(b"abc") if minor else "00 04 01 61 62 63")
    peer.expect_silence()


@pytest.mark.parametrize("minor", [1, 0])
def test_subscriptions_are_told_again_after_a_reconnect(
    socket: SocketFactory, raw: RawPeers, watch: Watch, minor: int
) -> None:
    """A new connection gets the present subscriptions, and no cancelled ones, once the socket's thread calls in."""
    sub = socket(zmq.SUB, reconnect_ivl=1)
    log = watch(sub, DISCONNECTED)
    for topic in (b"one", b"two"):
        sub.setsockopt(zmq.SUBSCRIBE, topic)
    listener = raw.listen()
    sub.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("PUB", None, minor)
    told = [subscribe(b"one"), subscribe(b"two")] if minor else [frame(b"\x01one"), frame(b"\x01two")]
    peer.expect(*told)
    peer.close()
    log.expect(DISCONNECTED)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"two")
    sub.setsockopt(zmq.SUBSCRIBE, b"zz")
    peer = raw.accept(listener)
    peer.handshake("PUB", None, minor)
    pump(sub, peer)
    found: list[bytes] = []
    while b"zz" not in b"".join(found):
        pump(sub, peer)
        got = peer.read_frame()
        found.append(got.body)
    topics = [body.removeprefix(b"\x09SUBSCRIBE").removeprefix(b"\x01") for body in found]
    assert topics == [b"one", b"zz"]
    peer.expect_silence()


def test_sub_filters_what_a_publisher_sends_anyway(socket: SocketFactory, attach: Attach) -> None:
    """A publisher that ignores subscriptions does not reach the user: SUB matches the first part again."""
    sub, peer = _sub_with_publisher(socket, attach, 1)
    sub.setsockopt(zmq.SUBSCRIBE, b"A")
    peer.send(message(b"B", b"A"), frame(b""), frame(b"A"), message(b"AB", b"tail", b"A"))
    assert sub.recv_multipart() == [b"A"]
    assert sub.recv_multipart() == [b"AB", b"tail", b"A"]
    assert not sub.poll(0)


# --- XPUB and PUB hear -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [1, 0])
def test_xpub_hears_both_forms(socket: SocketFactory, attach: Attach, minor: int) -> None:
    """SUBSCRIBE and CANCEL commands and `01`/`00` messages read alike, whatever minor version the peer claims."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    peer.handshake("SUB", None, minor)
    for wire, heard in (
        ("04 0b 09 53 55 42 53 43 52 49 42 45 41", "01 41"),
        ("00 02 01 42", "01 42"),
        ("04 08 06 43 41 4e 43 45 4c 41", "00 41"),
        ("00 02 00 42", "00 42"),
        ("00 05 07 75 73 65 72", "07 75 73 65 72"),
        ("04 0a 09 53 55 42 53 43 52 49 42 45", "01"),
        ("00 01 00", "00"),
    ):
        peer.send(wire)
        assert xpub.recv().hex(" ") == heard


@pytest.mark.parametrize("size", [245, 246, 255, 256, 300, 20_000])
def test_xpub_hears_long_topics(socket: SocketFactory, attach: Attach, size: int) -> None:
    """A topic may be of any length, in either form."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    peer.handshake("SUB")
    peer.send(subscribe(b"c" * size), frame(b"\x01" + b"m" * size), frame(b"\x00" + b"c" * size), cancel(b"m" * size))
    assert [xpub.recv() for _ in range(4)] == [
        b"\x01" + b"c" * size,
        b"\x01" + b"m" * size,
        b"\x00" + b"c" * size,
        b"\x00" + b"m" * size,
    ]


def test_xpub_reports_first_and_last_only(socket: SocketFactory, raw: RawPeers) -> None:
    """Of equal subscriptions of several peers XPUB reports the first; of their cancellations the last."""
    xpub = socket(zmq.XPUB)
    endpoint = bind(xpub)
    one, two = raw.connect(endpoint), raw.connect(endpoint)
    for peer in (one, two):
        peer.handshake("SUB")
    one.send(subscribe(b"A"))
    assert xpub.recv() == b"\x01A"
    two.send(subscribe(b"A"), subscribe(b"mark"))
    assert xpub.recv() == b"\x01mark"
    one.send(cancel(b"A"), subscribe(b"mark 2"))
    assert xpub.recv() == b"\x01mark 2"
    two.send(cancel(b"A"))
    assert xpub.recv() == b"\x00A"


def test_xpub_reports_cancellation_when_the_peer_goes(socket: SocketFactory, raw: RawPeers) -> None:
    """A lost peer's subscriptions are cancelled."""
    xpub = socket(zmq.XPUB)
    peer = raw.connect(bind(xpub))
    peer.handshake("SUB")
    peer.send(subscribe(b"A"))
    assert xpub.recv() == b"\x01A"
    peer.close()
    assert xpub.recv() == b"\x00A"


@pytest.mark.parametrize("local", ["PUB", "XPUB"])
@pytest.mark.parametrize("minor", [1, 0])
def test_only_matching_messages_leave(socket: SocketFactory, attach: Attach, local: str, minor: int) -> None:
    """A publisher sends whole messages that begin with a subscribed topic, and nothing else; a cancellation ends it."""
    pub = socket(getattr(zmq, local))
    peer = attach(pub)
    peer.handshake("SUB", None, minor)
    if minor:
        peer.send(subscribe(b"AB"), subscribe(b"end"))
    else:
        peer.send(frame(b"\x01AB"), frame(b"\x01end"))
    send_until_heard(pub, peer, b"end?")
    for parts in ([b"A"], [b"B", b"AB"], [b"AB"], [b"ABC", b"tail"], [b""], [b"end"]):
        pub.send_multipart(parts)
    while (got := peer.read_message()) == [b"end?"]:
        pass
    assert got == [b"AB"]
    peer.expect(message(b"ABC", b"tail"), frame(b"end"))
    peer.send(cancel(b"AB") if minor else frame(b"\x00AB"), subscribe(b"new"))
    send_until_heard(pub, peer, b"new?")
    pub.send(b"AB")
    pub.send(b"end")
    while (got := peer.read_message()) == [b"new?"]:
        pass
    assert got == [b"end"]


def test_subscribing_twice_takes_one_cancel(socket: SocketFactory, attach: Attach) -> None:
    """A publisher does not count the subscriptions of one peer: one CANCEL ends any number of equal SUBSCRIBEs."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    peer.handshake("SUB")
    peer.send(subscribe(b"A"), subscribe(b"A"), cancel(b"A"), subscribe(b"end"))
    assert [xpub.recv() for _ in range(3)] == [b"\x01A", b"\x00A", b"\x01end"]
    xpub.send(b"A")
    xpub.send(b"end")
    peer.expect(frame(b"end"))


def test_pub_throws_away_what_is_not_a_subscription(socket: SocketFactory, attach: Attach) -> None:
    """Messages sent to a PUB are no subscriptions and do no harm."""
    pub = socket(zmq.PUB)
    peer = attach(pub)
    peer.handshake("SUB")
    peer.send(frame(b""), frame(b"\x02x"), message(b"user", b"message"), frame(b"x" * 1000), subscribe(b"end"))
    send_until_heard(pub, peer, b"end")
    assert peer.read_message() == [b"end"]
    assert not pub.poll(0, zmq.POLLIN)


@pytest.mark.parametrize(
    "stimulus", [command(b"SUBSCRIB", b"A"), command(b"subscribe", b"A"), command(b"CANCELX", b"A")]
)
def test_names_that_only_look_like_subscriptions(socket: SocketFactory, attach: Attach, stimulus: bytes) -> None:
    """A command whose name differs from SUBSCRIBE or CANCEL in one letter is ignored."""
    xpub = socket(zmq.XPUB)
    peer = attach(xpub)
    peer.handshake("SUB")
    peer.send(stimulus, subscribe(b"end"))
    assert xpub.recv() == b"\x01end"
    peer.fence()


@pytest.mark.departs
@pytest.mark.parametrize("local", ["PAIR", "DEALER", "ROUTER", "PULL", "REP", "SUB"])
def test_subscribe_command_to_another_type_is_dropped(socket: SocketFactory, attach: Attach, local: str) -> None:
    """SUBSCRIBE and CANCEL commands to a socket that does not publish are dropped.

    libzmq delivers them to the user as messages."""
    remote = {"PAIR": "PAIR", "DEALER": "DEALER", "ROUTER": "DEALER", "PULL": "PUSH", "REP": "REQ", "SUB": "PUB"}[local]
    sock = socket(getattr(zmq, local), **({"subscribe": b""} if local == "SUB" else {}))
    peer = attach(sock)
    peer.greet()
    peer.expect(ready(local))
    peer.send(ready(remote))
    if local == "SUB":
        pump(sock, peer)
        peer.expect(subscribe(b""))
    peer.send(subscribe(b"A"), cancel(b"A"), subscribe(b""))
    peer.fence()
    assert not sock.poll(SILENCE * 1000)
    peer.send(message(b"", b"real") if local == "REP" else frame(b"real"))
    assert sock.recv_multipart()[-1] == b"real"
