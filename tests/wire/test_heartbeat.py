# SPDX-License-Identifier: MPL-2.0
"""PING and PONG: what they look like, what answers them, and which silence ends a connection.

Vectors and timing: wire-vectors 4; rules: internals 13.1 (timers) and 13.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Attach, SocketFactory, bind, join
from tests.support.raw_peer import DIALECTS, Dialect, RawPeer, RawPeers, command, frame, greeting, ping, pong, ready
from tests.support.target import zmq
from tests.support.waiting import SILENCE, Stopwatch, ms, seconds
from tests.wire.conftest import Watch
from tests.wire.events import DISCONNECTED, HANDSHAKE_FAILED_NO_DETAIL, HANDSHAKE_SUCCEEDED, OUTCOMES

#: How much later than told a timer may be seen on a busy machine; and earlier, for clocks that differ.
LATE = seconds(0.25)
EARLY = seconds(0.02)

PING_TTL_0 = "04 07 04 50 49 4e 47 00 00"


@pytest.fixture
def pair(socket: SocketFactory, attach: Attach) -> tuple[Any, RawPeer]:
    """A DEALER without heartbeats of its own and a raw ROUTER with the handshake done."""
    dealer = socket(zmq.DEALER)
    peer = attach(dealer)
    peer.handshake("ROUTER")
    return dealer, peer


# --- answering -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stimulus", "reply"),
    [
        ("04 07 04 50 49 4e 47 00 00", "04 05 04 50 4f 4e 47"),
        ("04 0a 04 50 49 4e 47 00 00 63 74 78", "04 08 04 50 4f 4e 47 63 74 78"),
        (
            "04 1a 04 50 49 4e 47 00 00 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 58 59 5a",
            "04 15 04 50 4f 4e 47 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66",
        ),
        ("06 00 00 00 00 00 00 00 08 04 50 49 4e 47 00 00 63", "04 06 04 50 4f 4e 47 63"),
        ("05 08 04 50 49 4e 47 00 00 63", "04 06 04 50 4f 4e 47 63"),
    ],
    ids=["no-context", "context", "context-of-19", "large-frame", "with-more"],
)
def test_pong_echoes_the_context(pair: tuple[Any, RawPeer], stimulus: str, reply: str) -> None:
    """A PING is answered with a PONG that carries the first 16 bytes of its context."""
    dealer, peer = pair
    peer.send(stimulus)
    peer.expect(reply)
    peer.send(frame(b"still here"))
    assert dealer.recv() == b"still here"


def test_long_context(pair: tuple[Any, RawPeer]) -> None:
    """However long the context is, 16 bytes come back."""
    _, peer = pair
    peer.send(ping(0, bytes(range(256)) * 40))
    peer.expect(pong(bytes(range(16))))


@pytest.mark.parametrize(
    "stimulus",
    [
        "04 05 04 50 4f 4e 47",
        "04 08 04 50 4f 4e 47 63 74 78",
        "04 08 07 55 4e 4b 4e 4f 57 4e",
        "04 02 50 58",
        "04 00",
        "04 01 00",
    ],
    ids=["pong", "pong-with-context", "unknown", "malformed", "empty", "no-name"],
)
def test_commands_without_an_answer(pair: tuple[Any, RawPeer], stimulus: str) -> None:
    """PONG, unknown, malformed and empty commands bring nothing back, and the connection stays."""
    dealer, peer = pair
    peer.send(stimulus)
    peer.fence()
    assert not dealer.poll(0)


def test_pings_in_a_row(pair: tuple[Any, RawPeer]) -> None:
    """Every PING of a burst is answered, in order."""
    _, peer = pair
    peer.send(*(ping(0, b"%d" % n) for n in range(20)))
    peer.expect(*(pong(b"%d" % n) for n in range(20)))


def test_a_great_many_pings_in_a_row(pair: tuple[Any, RawPeer]) -> None:
    """Every PING of a burst of 3000 is answered, in order, by whoever takes many of them from the kernel at once."""
    _, peer = pair
    peer.send(b"".join(ping(0, b"%04d" % n) for n in range(3000)))
    peer.expect(b"".join(pong(b"%04d" % n) for n in range(3000)))
    peer.fence()


def test_pong_goes_between_messages(pair: tuple[Any, RawPeer]) -> None:
    """A PONG does not disturb the messages around it, and reaches the peer although the user reads nothing."""
    dealer, peer = pair
    peer.send(frame(b"1"), ping(0, b"c"), frame(b"2"))
    peer.expect(pong(b"c"))
    dealer.send(b"a")
    peer.expect(frame(b"a"))
    assert [dealer.recv(), dealer.recv()] == [b"1", b"2"]


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.metadata], ids=str)
def test_both_3_x_versions_are_answered(socket: SocketFactory, attach: Attach, dialect: Dialect) -> None:
    """A 3.0 peer's PING is answered too."""
    peer = attach(socket(zmq.PULL))
    dialect.open(peer, "PUSH", b"")
    peer.send(PING_TTL_0)
    peer.expect("04 05 04 50 4f 4e 47")


@pytest.mark.departs
@pytest.mark.parametrize("stimulus", [command(b"PING"), command(b"PING", b"\0")], ids=["no-ttl", "half-a-ttl"])
def test_ping_too_short_for_its_ttl(socket: SocketFactory, raw: RawPeers, watch: Watch, stimulus: bytes) -> None:
    """A PING without a whole TTL is a protocol error: DISCONNECTED, nothing sent, no reconnect.

    libzmq answers it with a PONG that carries 16 bytes of foreign memory.
    """
    dealer = socket(zmq.DEALER, reconnect_ivl=1)
    log = watch(dealer, OUTCOMES)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    log.expect(HANDSHAKE_SUCCEEDED)
    peer.send(stimulus)
    peer.expect_close()
    log.expect(DISCONNECTED)
    listener.expect_no_connection()


@pytest.mark.departs
def test_pongs_are_not_lost_while_output_is_blocked(socket: SocketFactory, raw: RawPeers) -> None:
    """PINGs that arrive while the peer reads nothing are all answered once it reads again.

    libzmq has one slot for a pending PONG and forgets the others.
    """
    dealer = socket(zmq.DEALER, sndbuf=8192, sndhwm=0)
    peer = raw.connect(bind(dealer))
    peer.handshake("ROUTER")
    big = b"x" * 1_000_000
    for _ in range(20):  # far more than the kernel keeps for a peer that does not read
        dealer.send(big)
    dealer.send(b"end")
    for n in range(5):
        peer.send(ping(0, b"%d" % n))
        peer.send(frame(b"%d" % n))
        assert dealer.recv() == b"%d" % n  # so the PING before it was seen
    messages: list[bytes] = []
    contexts: list[bytes] = []
    while len(messages) < 21 or len(contexts) < 5:
        got = peer.read_frame()
        if got.flags & 4:
            contexts.append(got.body)
        else:
            messages.append(got.body)
    assert contexts == [b"\x04PONG%d" % n for n in range(5)]
    assert messages == [big] * 20 + [b"end"]


# --- asking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ttl", "field"),
    [
        (0, "00 00"),
        (99, "00 00"),
        (100, "00 01"),
        (1500, "00 0f"),
        (1599, "00 0f"),
        (65_600, "02 90"),
        (6_553_500, "ff ff"),
    ],
)
def test_ping_carries_the_ttl(socket: SocketFactory, attach: Attach, ttl: int, field: str) -> None:
    """HEARTBEAT_IVL makes a PING with the HEARTBEAT_TTL in tenths of a second, rounded down, and no context."""
    peer = attach(socket(zmq.DEALER, heartbeat_ivl=ms(10), heartbeat_ttl=ttl, heartbeat_timeout=ms(5000)))
    peer.handshake("ROUTER")
    peer.expect("04 07 04 50 49 4e 47", field)


@pytest.mark.parametrize("minor", [1, 0])
def test_ping_goes_to_3_0_peers_too(socket: SocketFactory, attach: Attach, minor: int) -> None:
    """Every 3.x peer is asked."""
    peer = attach(socket(zmq.DEALER, heartbeat_ivl=ms(10)))
    peer.handshake("ROUTER", None, minor)
    peer.expect(PING_TTL_0)


def test_no_ping_before_the_handshake_is_done(socket: SocketFactory, attach: Attach) -> None:
    """Heartbeats begin when the handshake ends."""
    peer = attach(socket(zmq.DEALER, heartbeat_ivl=ms(5)))
    peer.greet()
    peer.read_frame()
    peer.expect_silence(SILENCE)


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if not d.metadata], ids=str)
def test_no_ping_to_old_peers(socket: SocketFactory, attach: Attach, dialect: Dialect) -> None:
    """2.0 and 1.0 know no commands: they get no PING, and their silence is no fault."""
    pull = socket(zmq.PULL, heartbeat_ivl=ms(5), heartbeat_timeout=ms(10))
    peer = attach(pull)
    dialect.open(peer, "PUSH", b"")
    peer.expect_silence(SILENCE)
    dialect.send(peer, b"x")
    assert pull.recv() == b"x"


def test_answered_pings_go_on(socket: SocketFactory, attach: Attach) -> None:
    """With every PING answered the connection lives on beyond the timeout, one PING per interval."""
    peer = attach(socket(zmq.DEALER, heartbeat_ivl=ms(30), heartbeat_timeout=ms(60)))
    peer.handshake("ROUTER")
    watch_ = Stopwatch()
    for _ in range(5):
        peer.expect(PING_TTL_0)
        peer.send(pong())
    assert seconds(0.15) - EARLY <= watch_.elapsed <= seconds(0.15) + LATE


@pytest.mark.parametrize("sign_of_life", [frame(b"m"), command(b"OTHER"), ping()], ids=["message", "command", "ping"])
def test_any_traffic_counts_as_an_answer(socket: SocketFactory, attach: Attach, sign_of_life: bytes) -> None:
    """A peer that never answers a PING but says anything else stays connected."""
    peer = attach(socket(zmq.DEALER, heartbeat_ivl=ms(30), heartbeat_timeout=ms(60)))
    peer.handshake("ROUTER")
    pings = 0
    while pings < 6:
        got = peer.read_frame()
        if got.body.startswith(b"\x04PING"):
            pings += 1
            peer.send(sign_of_life)


def test_mute_peer_is_given_up(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """IVL 100, TIMEOUT 300: PINGs at 100, 200 and 300 ms, the end at 400; DISCONNECTED and nothing else.

    The timeout runs from the first PING; the PING due at 400 ms may be sent before the end.
    """
    dealer = socket(zmq.DEALER, heartbeat_ivl=ms(100), heartbeat_timeout=ms(300))
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.handshake("ROUTER")
    since = Stopwatch()
    log.expect(HANDSHAKE_SUCCEEDED)
    for n in (1, 2, 3):
        peer.expect(PING_TTL_0)
        assert seconds(0.1 * n) - EARLY <= since.elapsed <= seconds(0.1 * n) + LATE
    log.expect(DISCONNECTED)
    assert seconds(0.4) - EARLY <= since.elapsed <= seconds(0.4) + LATE
    assert peer.read_to_end() in (b"", bytes.fromhex(PING_TTL_0))


def test_timeout_is_the_interval_unless_given(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """Without HEARTBEAT_TIMEOUT a mute peer is given up one interval after the first PING."""
    dealer = socket(zmq.DEALER, heartbeat_ivl=ms(100))
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.handshake("ROUTER")
    since = Stopwatch()
    log.expect(HANDSHAKE_SUCCEEDED)
    log.expect(DISCONNECTED)
    assert seconds(0.2) - EARLY <= since.elapsed <= seconds(0.2) + LATE


def test_timeout_0_never_gives_up(socket: SocketFactory, attach: Attach) -> None:
    """HEARTBEAT_TIMEOUT 0: PINGs are sent, and a mute peer stays connected."""
    peer = attach(socket(zmq.DEALER, heartbeat_ivl=ms(10), heartbeat_timeout=0))
    peer.handshake("ROUTER")
    for _ in range(10):
        peer.expect(PING_TTL_0)


def test_connecting_socket_comes_back_after_a_timeout(socket: SocketFactory, raw: RawPeers) -> None:
    """A mute peer is no protocol error: the connecting side drops the connection and makes a new one."""
    dealer = socket(zmq.DEALER, heartbeat_ivl=ms(20), reconnect_ivl=1)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    peer.read_to_end()
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    peer.expect(PING_TTL_0)


# --- TTL -------------------------------------------------------------------------------------------------------------


def test_ttl_ends_the_connection(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A PING with TTL 3 and then silence: DISCONNECTED after 300 ms, and nothing else."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.handshake("ROUTER")
    log.expect(HANDSHAKE_SUCCEEDED)
    peer.send(ping(3))
    since = Stopwatch()
    peer.expect(pong())
    log.expect(DISCONNECTED)
    assert 0.3 - EARLY <= since.elapsed <= 0.3 + LATE
    peer.expect_close()


@pytest.mark.parametrize("sign_of_life", [frame(b"m"), pong(), ping()], ids=["message", "pong", "ping"])
def test_any_traffic_stops_the_ttl(pair: tuple[Any, RawPeer], sign_of_life: bytes) -> None:
    """Whatever follows a PING ends its TTL for good: the next one begins with the next PING."""
    _, peer = pair
    peer.send(ping(1, b"x"))
    peer.expect(pong(b"x"))
    peer.send(sign_of_life)
    if sign_of_life == ping():
        peer.expect(pong())
    peer.expect_silence(0.2)
    peer.fence()


def test_ttl_starts_again_with_each_ping(pair: tuple[Any, RawPeer]) -> None:
    """PINGs closer to each other than their TTL keep the connection for as long as they come."""
    _, peer = pair
    for _ in range(6):
        peer.send(ping(2))
        peer.expect(pong())
        peer.expect_silence(0.05)
    peer.expect_close(0.2 + LATE)


def test_ttl_0_means_for_ever(pair: tuple[Any, RawPeer]) -> None:
    """TTL 0 sets no limit."""
    _, peer = pair
    peer.send(PING_TTL_0)
    peer.expect("04 05 04 50 4f 4e 47")
    peer.expect_silence(0.15)


@pytest.mark.departs
@pytest.mark.parametrize("ttl", [656, 657, 1311])
def test_ttl_is_counted_in_full_width(pair: tuple[Any, RawPeer], ttl: int) -> None:
    """A TTL of 65.6 s and more lasts that long; libzmq counts its milliseconds in 16 bits and ends after some tens."""
    _, peer = pair
    peer.send(ping(ttl))
    peer.expect(pong())
    peer.expect_silence(0.5)


# --- handshake timer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda peer: None, id="nothing"),
        pytest.param(lambda peer: peer.send("ff"), id="one-byte"),
        pytest.param(lambda peer: peer.greet(), id="greeting"),
        pytest.param(lambda peer: (peer.greet(), peer.send("04 29 05 52")), id="half-a-ready"),
    ],
)
def test_handshake_must_be_done_in_time(
    socket: SocketFactory, raw: RawPeers, watch: Watch, say: Callable[[RawPeer], object]
) -> None:
    """A peer that stops anywhere in the handshake is given up after HANDSHAKE_IVL: NO_DETAIL (EAGAIN), DISCONNECTED."""
    dealer = socket(zmq.DEALER, handshake_ivl=ms(100))
    log = watch(dealer, OUTCOMES)
    endpoint = bind(dealer)
    since = Stopwatch()
    peer = raw.connect(endpoint)
    say(peer)
    log.expect(HANDSHAKE_FAILED_NO_DETAIL, 11)
    log.expect(DISCONNECTED)
    assert seconds(0.1) - EARLY <= since.elapsed <= seconds(0.1) + LATE
    peer.read_to_end()


def test_slow_talk_does_not_stretch_the_handshake(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """Bytes in between do not restart the handshake timer."""
    dealer = socket(zmq.DEALER, handshake_ivl=ms(100))
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    since = Stopwatch()
    for byte in greeting():
        try:
            peer.send(bytes([byte]))
        except OSError:
            break  # given up, as it should be
        if log.has_event(seconds(0.02)):
            break
    log.expect(HANDSHAKE_FAILED_NO_DETAIL, 11)
    log.expect(DISCONNECTED)
    assert seconds(0.1) - EARLY <= since.elapsed <= seconds(0.1) + LATE


def test_handshake_timer_ends_with_the_handshake(socket: SocketFactory, attach: Attach) -> None:
    """After the handshake HANDSHAKE_IVL does not matter any more."""
    dealer = socket(zmq.DEALER, handshake_ivl=ms(150))
    peer = attach(dealer)
    peer.handshake("ROUTER")
    peer.expect_silence(seconds(0.2))
    peer.fence()


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if not d.metadata], ids=str)
def test_handshake_timer_ends_with_the_greeting_of_an_old_peer(
    socket: SocketFactory, attach: Attach, dialect: Dialect
) -> None:
    """For 2.0 and 1.0 peers the greeting is the handshake."""
    pull = socket(zmq.PULL, handshake_ivl=ms(150))
    peer = attach(pull)
    dialect.open(peer, "PUSH", b"")
    peer.expect_silence(seconds(0.2))
    dialect.send(peer, b"x")
    assert pull.recv() == b"x"


def test_handshake_timer_0_is_off(socket: SocketFactory, raw: RawPeers) -> None:
    """HANDSHAKE_IVL 0 waits for ever."""
    dealer = socket(zmq.DEALER, handshake_ivl=0)
    peer = join(raw, dealer, "binds")
    peer.expect(greeting()[:10])
    peer.expect_silence(seconds(0.1))
    peer.send(greeting(), ready("ROUTER"))
    peer.expect(greeting()[10:], ready("DEALER"))
    peer.fence()


def test_connecting_socket_comes_back_after_a_handshake_timeout(socket: SocketFactory, raw: RawPeers) -> None:
    """A peer that did not greet in time is tried again."""
    dealer = socket(zmq.DEALER, handshake_ivl=ms(200), reconnect_ivl=1)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    raw.accept(listener).read_to_end()
    peer = raw.accept(listener)
    peer.handshake("ROUTER")
    peer.fence()
