# SPDX-License-Identifier: MPL-2.0
"""Frames of ZMTP 2.0 to 3.1 on an open connection: sizes, flags, limits, messages cut short.

Vectors: wire-vectors 2 and 16; rules: internals 14.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.conftest import Attach, SocketFactory, bind
from tests.support.raw_peer import RawPeer, RawPeers, command, frame, message, ping, pong, ready
from tests.support.target import zmq
from tests.support.waiting import SILENCE
from tests.wire.conftest import Watch, in_pieces
from tests.wire.events import DISCONNECTED, HANDSHAKE_SUCCEEDED, OUTCOMES, EventLog


@pytest.fixture
def pair(socket: SocketFactory, attach: Attach) -> tuple[Any, RawPeer]:
    """A DEALER and a raw ROUTER with the handshake done."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer)
    peer.handshake("ROUTER")
    return dealer, peer


# --- sending ---------------------------------------------------------------------------------------------------------


def test_message_with_every_form_of_frame(pair: tuple[Any, RawPeer]) -> None:
    """All parts but the last carry MORE; 255 bytes fit the short form, 256 take the LARGE bit and 8 bytes of size."""
    dealer, peer = pair
    dealer.send_multipart([b"A", b"", b"x" * 255, b"y" * 256])
    peer.expect("01 01 41", "01 00", "01 ff", b"x" * 255, "02 00 00 00 00 00 00 01 00", b"y" * 256)


@pytest.mark.parametrize("size", [0, 1, 33, 254, 255, 256, 257, 8191, 8192, 8193, 65535, 65536, 1_000_003])
def test_sizes_out(pair: tuple[Any, RawPeer], size: int) -> None:
    """A message of any size goes out as one frame with the shortest size field, followed by nothing."""
    dealer, peer = pair
    body = bytes(range(256)) * (size // 256 + 1)
    dealer.send(body[:size])
    dealer.send(b"next")
    peer.expect(struct.pack(">BQ", 2, size) if size > 255 else bytes([0, size]), body[:size], "00 04 6e 65 78 74")


def test_large_part_with_more(pair: tuple[Any, RawPeer]) -> None:
    """A part of more than 255 bytes that is not the last has flags 03."""
    dealer, peer = pair
    dealer.send_multipart([b"z" * 300, b"end"])
    peer.expect("03 00 00 00 00 00 00 01 2c", b"z" * 300, "00 03 65 6e 64")


def test_unfinished_message_stays_here(pair: tuple[Any, RawPeer]) -> None:
    """Parts sent with SNDMORE leave only when the last one is there."""
    dealer, peer = pair
    dealer.send(b"first", zmq.SNDMORE)
    peer.expect_silence()
    dealer.send(b"last")
    peer.expect(message(b"first", b"last"))


def test_unfinished_message_of_a_closed_socket_never_leaves(pair: tuple[Any, RawPeer]) -> None:
    """Closing in the middle of a message sends the whole ones before it and nothing of it."""
    dealer, peer = pair
    dealer.send(b"whole")
    dealer.send(b"half", zmq.SNDMORE)
    dealer.close(linger=5000)
    peer.expect(frame(b"whole"))
    peer.expect_close()


# --- receiving -------------------------------------------------------------------------------------------------------


@in_pieces
def test_any_cut_of_the_stream(pair: tuple[Any, RawPeer], sizes: list[int]) -> None:
    """Frames are found however the stream is cut."""
    dealer, peer = pair
    first, second, third = [b"a", b"", b"b" * 255], [b"c" * 256], [b"", b"d" * 700, b""]
    peer.send_pieces(message(*first) + message(*second) + message(*third), sizes)
    assert [dealer.recv_multipart() for _ in range(3)] == [first, second, third]


@pytest.mark.parametrize("size", [0, 1, 33, 34, 254, 255, 256, 8180, 8190, 8192, 8193, 65536, 1_000_003])
def test_sizes_in(pair: tuple[Any, RawPeer], size: int) -> None:
    """A body of any size arrives whole, and the frame behind it too."""
    dealer, peer = pair
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    peer.send(frame(body) + frame(b"next"))
    assert dealer.recv() == body
    assert dealer.recv() == b"next"


@pytest.mark.parametrize(
    ("wire", "parts"),
    [
        ("08 01 5a", [b"Z"]),
        ("f8 01 5a", [b"Z"]),
        ("f9 01 59 f0 01 5a", [b"Y", b"Z"]),
        ("02 00 00 00 00 00 00 00 01 5a", [b"Z"]),
        ("02 00 00 00 00 00 00 00 00", [b""]),
        ("03 00 00 00 00 00 00 00 01 59 00 01 5a", [b"Y", b"Z"]),
    ],
    ids=["reserved-bit", "all-reserved", "reserved-and-more", "large-1", "large-0", "large-more"],
)
def test_unusual_flags_and_sizes(pair: tuple[Any, RawPeer], wire: str, parts: list[bytes]) -> None:
    """Reserved flag bits are ignored, and the long size field may hold a small size."""
    dealer, peer = pair
    peer.send(wire)
    assert dealer.recv_multipart() == parts


def test_many_messages_in_one_piece(pair: tuple[Any, RawPeer]) -> None:
    """A thousand messages that arrive together are delivered in order."""
    dealer, peer = pair
    peer.send(b"".join(message(b"%d" % n, b"x" * (n % 300)) for n in range(1000)))
    for n in range(1000):
        assert dealer.recv_multipart() == [b"%d" % n, b"x" * (n % 300)]


def test_command_between_the_parts_of_a_message(pair: tuple[Any, RawPeer]) -> None:
    """A PING in the middle of a message is answered, and the message is delivered without it."""
    dealer, peer = pair
    peer.send(frame(b"one", more=True), ping(0, b"mid"), frame(b"two"))
    peer.expect(pong(b"mid"))
    assert dealer.recv_multipart() == [b"one", b"two"]


def test_parts_are_delivered_only_together(pair: tuple[Any, RawPeer]) -> None:
    """While the last part is missing the socket has nothing to read."""
    dealer, peer = pair
    peer.send(frame(b"one", more=True), frame(b"two", more=True))
    peer.fence()
    assert not dealer.poll(SILENCE * 1000)
    peer.send(frame(b"three"))
    assert dealer.recv_multipart() == [b"one", b"two", b"three"]


def test_messages_of_two_peers_are_not_mixed(socket: SocketFactory, raw: RawPeers) -> None:
    """A peer that stops in the middle of a message holds up nobody else's."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull)
    slow, quick = raw.connect(endpoint), raw.connect(endpoint)
    slow.handshake("PUSH")
    quick.handshake("PUSH")
    slow.send(frame(b"slow 1", more=True))
    slow.fence()
    quick.send(message(b"quick 1", b"quick 2"))
    assert pull.recv_multipart() == [b"quick 1", b"quick 2"]
    slow.send(frame(b"slow 2"))
    assert pull.recv_multipart() == [b"slow 1", b"slow 2"]


# --- MAXMSGSIZE and absurd sizes -------------------------------------------------------------------------------------


def _limited(socket: SocketFactory, raw: RawPeers, watch: Watch, limit: int) -> tuple[Any, RawPeer, EventLog]:
    pull = socket(zmq.PULL, maxmsgsize=limit)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    peer.handshake("PUSH")
    log.expect(HANDSHAKE_SUCCEEDED)
    return pull, peer, log


def test_body_of_exactly_the_limit(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """MAXMSGSIZE bytes pass, part by part: the limit is on frames, not on messages."""
    pull, peer, _ = _limited(socket, raw, watch, 100)
    peer.send(message(b"x" * 100, b"y" * 100), frame(b"z" * 100, large=True))
    assert pull.recv_multipart() == [b"x" * 100, b"y" * 100]
    assert pull.recv() == b"z" * 100


@pytest.mark.parametrize(
    "header",
    [
        "00 65",
        "01 65",
        "02 00 00 00 00 00 00 00 65",
        "02 00 00 00 01 00 00 00 00",
        "02 ff ff ff ff ff ff ff ff",
        "04 65",
    ],
    ids=["short", "more", "large", "4-gib", "2^64-1", "command"],
)
def test_limit_is_checked_on_the_header(socket: SocketFactory, raw: RawPeers, watch: Watch, header: str) -> None:
    """One byte more than MAXMSGSIZE ends the connection before any of the body came: DISCONNECTED only."""
    pull, peer, log = _limited(socket, raw, watch, 100)
    peer.send(frame(b"good"), header)
    log.expect(DISCONNECTED)
    peer.expect_close()
    assert pull.recv() == b"good"


@pytest.mark.parametrize("limit", [0, 25])
def test_ready_larger_than_the_limit(socket: SocketFactory, raw: RawPeers, watch: Watch, limit: int) -> None:
    """MAXMSGSIZE counts for READY too: with a limit below its 26 bytes nobody gets in; DISCONNECTED only."""
    pull = socket(zmq.PULL, maxmsgsize=limit)
    log = watch(pull, OUTCOMES)
    peer = raw.connect(bind(pull))
    peer.greet()
    peer.expect(ready("PULL"))
    peer.send(ready("PUSH")[:2])
    log.expect(DISCONNECTED)
    peer.expect_close()


def test_connecting_socket_gives_up_after_an_oversize_frame(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A frame above MAXMSGSIZE is a protocol error: the connecting side does not try again."""
    pull = socket(zmq.PULL, maxmsgsize=100, reconnect_ivl=1)
    log = watch(pull)
    listener = raw.listen()
    pull.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("PUSH")
    peer.send("00 65")
    log.until(DISCONNECTED)
    log.expect_silence()
    listener.expect_no_connection()


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
def test_size_beyond_all_memory(socket: SocketFactory, raw: RawPeers, watch: Watch, size: int) -> None:
    """Without MAXMSGSIZE a size that no memory can hold ends that connection, and only that."""
    pull = socket(zmq.PULL)
    log = watch(pull, OUTCOMES)
    endpoint = bind(pull)
    good, bad = raw.connect(endpoint), raw.connect(endpoint)
    good.handshake("PUSH")
    bad.handshake("PUSH")
    bad.send(struct.pack(">BQ", 2, size), b"x")
    log.until(DISCONNECTED)
    good.send(frame(b"still here"))
    assert pull.recv() == b"still here"


def test_announcing_much_and_sending_little(socket: SocketFactory, raw: RawPeers) -> None:
    """A frame header of 1 TiB with nothing behind it harms nobody."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull)
    good, bad = raw.connect(endpoint), raw.connect(endpoint)
    good.handshake("PUSH")
    bad.handshake("PUSH")
    bad.send(struct.pack(">BQ", 2, 2**40), b"x")
    for n in range(3):
        good.send(frame(b"%d" % n))
        assert pull.recv() == b"%d" % n


# --- messages cut short ----------------------------------------------------------------------------------------------

CUT_SHORT = {
    "after a part": frame(b"half", more=True),
    "after two parts": frame(b"half", more=True) + frame(b"half", more=True),
    "in a header": frame(b"half", more=True) + b"\x02\0\0",
    "in a body": frame(b"half", more=True) + frame(b"rest")[:4],
    "in a large body": frame(b"half", more=True) + frame(b"x" * 20_000)[:10_000],
    "in the only body": frame(b"x" * 300)[:200],
    "after the flags": b"\0",
}


@pytest.mark.parametrize("cut", CUT_SHORT.values(), ids=CUT_SHORT.keys())
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_half_message_is_rolled_back_after_accept(
    socket: SocketFactory, raw: RawPeers, watch: Watch, cut: bytes, ending: str
) -> None:
    """Half a message of a peer that went away is never delivered; the next peer's messages are."""
    pull = socket(zmq.PULL)
    log = watch(pull, OUTCOMES)
    endpoint = bind(pull)
    peer = raw.connect(endpoint)
    peer.handshake("PUSH")
    log.expect(HANDSHAKE_SUCCEEDED)
    peer.send(frame(b"whole"), cut)
    assert pull.recv() == b"whole"
    getattr(peer, ending)()
    log.expect(DISCONNECTED)
    peer = raw.connect(endpoint)
    peer.handshake("PUSH")
    peer.send(message(b"new", b"message"))
    assert pull.recv_multipart() == [b"new", b"message"]
    assert not pull.poll(0)


@pytest.mark.parametrize("cut", CUT_SHORT.values(), ids=CUT_SHORT.keys())
def test_half_message_is_rolled_back_before_a_reconnect(socket: SocketFactory, raw: RawPeers, cut: bytes) -> None:
    """The same on the connecting side, where the pipe outlives the connection."""
    pull = socket(zmq.PULL, reconnect_ivl=1)
    listener = raw.listen()
    pull.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("PUSH")
    peer.send(frame(b"whole"), cut)
    peer.close()
    peer = raw.accept(listener)
    peer.handshake("PUSH")
    peer.send(message(b"new", b"message"))
    assert pull.recv() == b"whole"
    assert pull.recv_multipart() == [b"new", b"message"]
    assert not pull.poll(0)


def test_messages_before_end_of_stream_are_delivered(socket: SocketFactory, attach: Attach) -> None:
    """A peer that sends and closes at once loses nothing of what it sent."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    peer.handshake("PUSH")
    peer.send(b"".join(frame(b"%d" % n) for n in range(100)))
    peer.close()
    assert [pull.recv() for n in range(100)] == [b"%d" % n for n in range(100)]


def test_queued_messages_go_to_the_next_connection(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """What a connecting PUSH could not send yet goes out, whole and in order, after the reconnect."""
    push = socket(zmq.PUSH, reconnect_ivl=1)
    log = watch(push, DISCONNECTED)
    listener = raw.listen()
    push.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("PULL")
    push.send_multipart([b"a", b"b"])
    peer.expect(message(b"a", b"b"))
    peer.close()
    log.expect(DISCONNECTED)
    push.send_multipart([b"c", b"d"])
    push.send(b"e")
    peer = raw.accept(listener)
    peer.handshake("PULL")
    peer.expect(message(b"c", b"d"), frame(b"e"))


def test_command_frames_are_not_messages(pair: tuple[Any, RawPeer]) -> None:
    """No command, known or unknown, short or large, with MORE or without, is delivered to the user."""
    dealer, peer = pair
    peer.send(command(b"UNKNOWN", b"data"), frame(b"\x05HELLO", command=True, more=True), command(b"ERROR", b"\x03400"))
    peer.send(command(b"READY"), frame(b"\x07UNKNOWN" + bytes(300), command=True), frame(b"message"))
    assert dealer.recv_multipart() == [b"message"]
    peer.fence()
