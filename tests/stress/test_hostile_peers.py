# SPDX-License-Identifier: MPL-2.0
"""A server of ours under attack: its good client (real libzmq) is served all the while and loses nothing, the memory it
takes stays within the bounds that SECURITY.md states, and each peer that is refused can be seen.

The server is a process of its own (`hostile_server`); the strangers are raw sockets of this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq as real

from tests.interop.sides import ROOT, join
from tests.support.box import public_of
from tests.support.raw_peer import RawPeer, RawPeers, command, frame, greeting, ping, prop, properties, ready, subscribe
from tests.support.security import CurveClientScript
from tests.support.waiting import PATIENCE, Deadline, ms, seconds, wait_until

pytestmark = [pytest.mark.stress, pytest.mark.slow, pytest.mark.interop, pytest.mark.departs]

SERVER_SECRET = b"Q" * 32
CURVE = {"CURVE_SERVER": 1, "CURVE_SECRETKEY": "Q" * 32}
KIB = 1
MIB = 1024
PROTOCOL, NO_DETAIL, LOST = "HANDSHAKE_FAILED_PROTOCOL", "HANDSHAKE_FAILED_NO_DETAIL", "DISCONNECTED"
#: What the interpreter takes and gives back for reasons of its own, in KiB.
NOISE = 6 * MIB


class Server:
    """The process, and what it tells of itself."""

    def __init__(self, kind: str, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.hostile_server", kind, json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.kind = kind
        self.open, self.home = self._line()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def _line(self) -> Any:
        try:
            return json.loads(self._lines.get(timeout=2 * PATIENCE))
        except queue.Empty:
            raise AssertionError(f"the server says nothing; its status is {self._process.poll()}") from None

    def report(self) -> dict[str, Any]:
        """Where it stands now."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        report: dict[str, Any] = self._line()
        return report

    def wait_for(self, event: str, count: int, timeout: float = 2 * PATIENCE) -> dict[str, Any]:
        """Until its monitor has told of so many; the report that says so."""

        def told() -> dict[str, Any] | None:
            report = self.report()
            return report if report["events"].get(event, 0) >= count else None

        return wait_until(told, f"{count} {event}", timeout)  # type: ignore[return-value]

    def close(self) -> None:
        """It must end well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(PATIENCE)
            self._process.stdout.close()
        assert status == 0


class GoodClient:
    """Goes to the server and back again and again, in a thread of its own; every trip must succeed.

    Where the server publishes, it subscribes, and must get each of its own messages that way too, in order.
    """

    def __init__(self, server: Server, size: int = 10) -> None:
        self.trips = 0
        self.slowest = 0.0
        self._server = server
        self._padding = bytes(size)
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="good client")
        self._thread.start()

    def _run(self) -> None:
        try:
            with real.Context() as ctx, ctx.socket(real.DEALER) as dealer, ctx.socket(real.SUB) as sub:
                self._set_up(dealer, sub)
                while not self._stop.is_set():
                    started = time.monotonic()
                    self._trip(dealer, sub)
                    self.slowest = max(self.slowest, time.monotonic() - started)
                    self.trips += 1
        except BaseException as error:  # noqa: BLE001 - shown by `more`
            self._error = error

    def _set_up(self, dealer: Any, sub: Any) -> None:
        for sock in (dealer, sub):
            sock.linger = 0
            sock.rcvtimeo = sock.sndtimeo = ms(5000)
        if self._server.kind == "ROUTER-CURVE":
            dealer.curve_serverkey = public_of(SERVER_SECRET)
            dealer.curve_publickey, dealer.curve_secretkey = real.curve_keypair()
        dealer.connect(self._server.home)
        self._listens = self._server.kind in ("PUB", "XPUB")
        if self._listens:
            sub.subscribe(b"good")
            sub.connect(self._server.open)
            deadline = Deadline()
            while not sub.poll(10):
                assert not deadline.expired, "no subscription"
                dealer.send(b"good?")
                dealer.recv()
            while sub.poll(50):
                sub.recv()

    def _trip(self, dealer: Any, sub: Any) -> None:
        message = [b"good %d" % self.trips, self._padding]
        dealer.send_multipart(message)
        assert dealer.recv_multipart() == message
        if self._listens:
            assert sub.recv_multipart() == message

    def more(self, count: int) -> None:
        """It makes so many trips from now on."""
        goal = self.trips + count
        wait_until(lambda: self._error is not None or self.trips >= goal, f"{count} more trips", 3 * PATIENCE)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End it."""
        self._stop.set()
        join(self._thread, "the good client", 2 * PATIENCE)
        if self._error is not None:
            raise self._error


class Scene:
    """A server, its good client, and strangers."""

    def __init__(self, server: Server, good: GoodClient, raw: RawPeers) -> None:
        self.server, self.good, self.raw = server, good, raw
        good.more(20)
        self.start = server.report()

    def strangers(self, count: int) -> list[RawPeer]:
        """So many connections."""
        return [self.raw.connect(self.server.open) for _ in range(count)]

    def grown(self) -> int:
        """KiB: how much more memory the server has taken at most since the scene began, or since last asked."""
        return int(self.server.report()["peak"]) - int(self.start["rss"])

    def events(self, event: str) -> int:
        """How often since the scene began."""
        return int(self.server.report()["events"].get(event, 0)) - int(self.start["events"].get(event, 0))


@pytest.fixture
def scene(raw: RawPeers) -> Iterator[Callable[..., Scene]]:
    """Set one up: ``scene("ROUTER", HANDSHAKE_IVL=1000)``; `size`: of the good client's messages."""
    with contextlib.ExitStack() as stack:

        def make(kind: str, size: int = 10, **options: Any) -> Scene:
            server = Server(kind, **options)
            stack.callback(server.close)
            if "CURVE_SERVER" in options:
                server.kind = "ROUTER-CURVE"
            good = GoodClient(server, size)
            stack.callback(good.close)
            return Scene(server, good, raw)

        yield make


def shout(peer: RawPeer, data: bytes) -> bool:
    """Send as much as can be sent; False if the connection has ended meanwhile."""
    try:
        peer.send(data)
    except TimeoutError:
        raise AssertionError("the server takes no more, and does not refuse either") from None
    except OSError:
        return False
    return True


# --- before the handshake --------------------------------------------------------------------------------------------


def test_silent_connections(scene: Callable[..., Scene]) -> None:
    """1500 that say nothing: 8 KiB each, until HANDSHAKE_IVL cuts them, one by one."""
    it = scene("ROUTER", HANDSHAKE_IVL=ms(4000))
    silent = it.strangers(1500)
    it.server.wait_for("ACCEPTED", 1501)
    it.good.more(50)
    assert it.grown() < 1500 * 8 * KIB + NOISE
    it.server.wait_for(NO_DETAIL, 1500)
    it.server.wait_for(LOST, 1500)
    for peer in silent:
        assert len(peer.read_to_end()) == 10
    it.good.more(50)


def test_garbage(scene: Callable[..., Scene]) -> None:
    """Noise, as the first thing or after a greeting: refused, or taken for an old peer whose messages mean nothing."""
    rng = random.Random(5)
    it = scene("PULL", HANDSHAKE_IVL=ms(2000), MAXMSGSIZE=100_000)
    peers = it.strangers(300)
    for number, peer in enumerate(peers):
        noise = rng.randbytes(rng.randrange(1, 3000))
        shout(peer, (b"", b"\xff", greeting(), greeting() + b"\4\x26\5READY")[number % 4] + noise)
    it.good.more(50)
    for peer in peers:
        peer.close()
    it.server.wait_for(LOST, 300)
    assert it.grown() < 300 * 16 * KIB + NOISE
    it.good.more(50)


def test_slow_greetings(scene: Callable[..., Scene]) -> None:
    """200 peers that speak, a byte now and then: speaking does not lengthen the time they have."""
    it = scene("ROUTER", HANDSHAKE_IVL=ms(1500))
    peers = it.strangers(200)
    started = time.monotonic()
    for byte in greeting() + ready("DEALER")[:-1]:
        alive = [shout(peer, bytes([byte])) for peer in peers]
        it.good.more(1)
        if not any(alive):
            break
        time.sleep(seconds(0.03))  # their pace, not ours
    it.server.wait_for(NO_DETAIL, 200)
    assert time.monotonic() - started < seconds(8)
    assert it.grown() < 200 * 8 * KIB + NOISE
    it.good.more(50)


def test_endless_metadata(scene: Callable[..., Scene]) -> None:
    """A READY that announces 2**40 bytes, and properties without end: 64 KiB are kept of it, no more."""
    it = scene("ROUTER", HANDSHAKE_IVL=ms(10_000))
    peers = it.strangers(60)
    some = prop(b"X-something", b"x" * 50) * 100
    for peer in peers:
        peer.greet()
        shout(peer, bytes([6]) + struct.pack(">Q", 2**40) + b"\5READY" + properties("DEALER"))
        shout(peer, some[:60] * 900)
    it.good.more(50)
    assert it.grown() < 60 * (64 + 8) * KIB + NOISE
    refused = peers[:40]
    for peer in refused:
        while shout(peer, some):
            pass
    report = it.server.wait_for(LOST, len(refused))
    assert all("does not end" in reason for reason in report["reasons"]), report["reasons"]
    assert it.grown() < 60 * (64 + 8) * KIB + MIB + NOISE, "and what one read holds"
    for peer in peers[40:]:
        peer.close()
    many = it.strangers(20)
    for peer in many:
        peer.greet()
        shout(peer, command(b"READY", properties("DEALER") + prop(b"a", b"") * 9000))
        peer.read_to_end()
    report = it.server.wait_for(LOST, 80)
    assert any("9002 properties" in reason for reason in report["reasons"]), report["reasons"]
    it.good.more(50)


def test_vanishing_connections(scene: Callable[..., Scene]) -> None:
    """1500 that come and go, at every point of a handshake and after it; nothing of them stays."""
    it = scene("ROUTER")
    speech = greeting() + ready("DEALER") + frame(b"x" * 100)
    for number in range(1500):
        peer = RawPeer.connect(it.server.open)
        with contextlib.suppress(OSError):
            peer.send(speech[: number * 7 % (len(speech) + 1)])
        peer.reset() if number % 3 == 0 else peer.close()
        if number == 300:
            it.server.report()
    it.good.more(50)

    def settled() -> bool:
        events = it.server.report()["events"]
        return bool(events.get(LOST, 0) == events["ACCEPTED"] - 1 > 1000)

    wait_until(settled, "all to be gone")
    it.good.more(50)
    assert it.server.report()["rss"] - it.start["rss"] < NOISE


def test_half_open_handshakes(scene: Callable[..., Scene]) -> None:
    """300 that greet and stop there: cut in time, and none takes a place in the socket."""
    it = scene("PUSH", HANDSHAKE_IVL=ms(2000))
    peers = it.strangers(300)
    for peer in peers:
        peer.send(greeting())
    it.good.more(50)
    assert it.grown() < 300 * 8 * KIB + NOISE
    it.server.wait_for(NO_DETAIL, 300)
    for peer in peers:
        assert b"good" not in peer.read_to_end()
    it.good.more(50)


# --- CURVE -----------------------------------------------------------------------------------------------------------


def curve_peer(scene: Scene, metadata: bytes = b"") -> tuple[RawPeer, CurveClientScript]:
    """A scripted client with its WELCOME; with `metadata` through its whole handshake."""
    (peer,) = scene.strangers(1)
    script = CurveClientScript(public_of(SERVER_SECRET))
    peer.greet(1, b"CURVE")
    peer.send(frame(script.hello(), command=True))
    script.take_welcome(peer.read_frame().body)
    if metadata:
        peer.send(frame(script.initiate(metadata), command=True))
        script.take_ready(peer.read_frame().body)
    return peer, script


def test_half_open_curve_handshakes(scene: Callable[..., Scene]) -> None:
    """Clients that stop after WELCOME, or send a HELLO of noise; the good one is served."""
    it = scene("ROUTER", HANDSHAKE_IVL=ms(2500), **CURVE)
    for _ in range(20):
        curve_peer(it)
    noise = it.strangers(200)
    for peer in noise:
        peer.send(greeting(mechanism=b"CURVE"), command(b"HELLO", b"\1\0" + os.urandom(192)))
    it.server.wait_for(PROTOCOL, 200)
    it.good.more(50)
    it.server.wait_for(NO_DETAIL, 20)
    assert it.grown() < 220 * 8 * KIB + NOISE
    it.good.more(50)


def test_replayed_and_reordered_messages(scene: Callable[..., Scene]) -> None:
    """Each ends its connection with its event and reason; the good client's goes on."""
    it = scene("ROUTER", **CURVE)
    orders = ((3, 4, 4), (4, 3), (5, 5, 5), (3, 5, 4))
    for number in range(16):
        peer, script = curve_peer(it, properties("DEALER"))
        peer.send(*(frame(script.message(b"x", nonce)) for nonce in orders[number % 4]))
        peer.read_to_end()
    report = it.server.wait_for(PROTOCOL, 16)
    assert report["events"][LOST] == 16
    assert sum("sent before, or out of order" in reason for reason in report["reasons"]) == 16
    it.good.more(50)


# --- after the handshake ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PUB", "XPUB"])
def test_very_many_subscriptions(scene: Callable[..., Scene], kind: str) -> None:
    """300 000 from one peer, and its end: 400 bytes each at most, and the publisher goes on publishing.

    An XPUB keeps word of each besides, until it is read.
    """
    it = scene(kind)
    (peer,) = it.strangers(1)
    peer.handshake("SUB")
    for start in range(0, 300_000, 1000):
        assert shout(peer, b"".join(subscribe(b"topic %d" % number) for number in range(start, start + 1000)))
    peer.fence()
    it.good.more(50)
    assert it.grown() < 300_000 * (400 if kind == "PUB" else 550) // 1024 + NOISE
    it.server.report()
    peer.close()
    it.server.wait_for(LOST, 1)
    it.good.more(50)
    assert it.server.report()["slowest"] < seconds(2)


def test_subscriptions_of_many_lengths(scene: Callable[..., Scene]) -> None:
    """6000 topics, each a byte longer than the one before: the publisher and its messages are no slower for them."""
    it = scene("PUB", size=20_000)
    (peer,) = it.strangers(1)
    peer.handshake("SUB")
    for length in range(1, 6000, 100):
        assert shout(peer, b"".join(subscribe(b"t" * size) for size in range(length, length + 100)))
    peer.fence()
    it.good.more(50)
    assert it.grown() < 5 * 6000 * 3000 // 1024 + NOISE
    it.server.report()
    peer.close()
    it.server.wait_for(LOST, 1)
    it.good.more(50)
    assert it.server.report()["slowest"] < seconds(2)


@pytest.mark.parametrize("kind", ["PUB", "PUSH", "ROUTER"])
def test_clients_that_never_read(scene: Callable[..., Scene], kind: str) -> None:
    """SNDHWM messages wait for each, and what one batch holds; what is more is dropped, or goes to others."""
    size, hwm = 100_000, 20
    it = scene(kind, size=size if kind != "ROUTER" else 10, SNDHWM=hwm, RCVHWM=hwm, SNDBUF=100_000)
    peers = it.strangers(5)
    for peer in peers:
        peer.take_little()
        peer.handshake({"PUB": "SUB", "PUSH": "PULL", "ROUTER": "DEALER"}[kind])
        if kind == "PUB":
            peer.send(subscribe(b""))
        peer.fence()
    if kind == "ROUTER":
        for _ in range(200):
            for peer in peers:
                assert shout(peer, frame(b"question" + bytes(size)))
    it.good.more(800)
    waiting = hwm + 8 + (hwm if kind == "ROUTER" else 0)  # there it has questions to read besides
    assert it.grown() < len(peers) * waiting * size // 1024 + NOISE, "80 MB and more have been sent"
    it.good.more(50)
    assert it.events(LOST) == 0


def test_oversize_frames_and_commands(scene: Callable[..., Scene]) -> None:
    """Above MAXMSGSIZE the header is enough; below it a command without meaning is read and dropped."""
    it = scene("ROUTER", MAXMSGSIZE=1_000_000)
    peers = it.strangers(60)
    for number, peer in enumerate(peers):
        peer.handshake("DEALER")
        flags, size = ((6, 1_000_001), (2, 2**62), (7, 2**64 - 1), (3, 1_000_001))[number % 4]
        shout(peer, bytes([flags]) + struct.pack(">Q", size) + bytes(10_000))
        peer.read_to_end()
    assert it.events(LOST) == 60
    (peer,) = it.strangers(1)
    peer.handshake("DEALER")
    for _ in range(30):
        assert shout(peer, command(b"NONSENSE", bytes(999_000)))
    peer.fence()
    it.good.more(50)
    assert it.grown() < 60 * 100 * KIB + 4 * MIB + NOISE


def test_sizes_that_are_only_announced(scene: Callable[..., Scene]) -> None:
    """Twice 30 headers of 31 MiB and ten bytes: 256 KiB each, not 1 GB. Twice, as the memory has been used then."""
    it = scene("ROUTER")
    for turn in range(1, 3):
        peers = it.strangers(30)
        for peer in peers:
            peer.handshake("DEALER")
            peer.fence()
            assert shout(peer, b"\2" + struct.pack(">Q", 31 << 20) + b"0123456789")
        it.good.more(50)
        for peer in peers:
            peer.close()
        it.server.wait_for(LOST, turn * len(peers))
    assert it.grown() < 30 * 256 * KIB + NOISE


def test_pings_without_end(scene: Callable[..., Scene]) -> None:
    """Peers that ask and never read the answers: those of one read and 256 wait, the rest is not made."""
    it = scene("ROUTER", SNDBUF=10_000)
    peers = it.strangers(4)
    pings = ping(0, b"0123456789abcdef") * 2000
    for peer in peers:
        peer.handshake("DEALER")
    for _ in range(40):
        for peer in peers:
            assert shout(peer, pings)
    it.good.more(50)
    assert it.grown() < len(peers) * 1 * MIB + NOISE
    assert it.events(LOST) == 0


def test_messages_without_end(scene: Callable[..., Scene]) -> None:
    """Small frames with MORE, one after the other: refused at 16 MiB of what they cost."""
    it = scene("PULL", MAXMSGSIZE=100_000)
    peers = it.strangers(2)
    for peer, part in zip(peers, (b"", b"x" * 2000), strict=True):
        peer.handshake("PUSH")
        parts, sent = frame(part, more=True) * (100_000 // (len(part) + 10)), 0
        while shout(peer, parts):
            sent += len(parts)
            assert sent < 40_000_000
    it.server.wait_for(LOST, 2)
    it.good.more(50)
    assert it.grown() < 2 * 40 * MIB + NOISE
