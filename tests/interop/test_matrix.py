# SPDX-License-Identifier: MPL-2.0
"""Every compatible pair of socket types, ours on one side and real libzmq on the other.

Each pair runs over tcp and ipc with either side binding, and carries the whole set of payloads in every direction the
pattern allows: sizes around each limit of the wire format (255/256), of the batch buffers (8192), of 16-bit counts and
far beyond, multipart messages, and empty frames in every position.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
import zmq as real

from tests.interop.conftest import Endpoint
from tests.interop.sides import Frames, Side, bound_endpoint, publish_until_heard, send_routed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

COMPATIBLE = {
    "PAIR": ["PAIR"],
    "PUB": ["SUB", "XSUB"],
    "SUB": ["PUB", "XPUB"],
    "REQ": ["REP", "ROUTER"],
    "REP": ["REQ", "DEALER"],
    "DEALER": ["REP", "DEALER", "ROUTER"],
    "ROUTER": ["REQ", "DEALER", "ROUTER"],
    "PULL": ["PUSH"],
    "PUSH": ["PULL"],
    "XPUB": ["SUB", "XSUB"],
    "XSUB": ["PUB", "XPUB"],
}
PAIRS = [(ours, theirs) for ours, peers in COMPATIBLE.items() for theirs in peers]
# Directions that carry user messages: XSUB sends upwards too, but only XPUB hands that to its user.
SEND_ONLY, RECEIVE_ONLY = {"PUB", "PUSH"}, {"SUB", "PULL"}

# No byte below 2, so that no payload is taken for a subscription on its way from XSUB to XPUB.
_PATTERN = bytes(range(2, 256)) * (16 * 1024 * 1024 // 254 + 1)
MIB = 1024 * 1024
SIZES = [0, 1, 255, 256, 8191, 8192, 65535, 65536, MIB]


def pattern(size: int, shift: int = 0) -> bytes:
    """`size` recognisable bytes."""
    return _PATTERN[shift : shift + size]


PAYLOADS: list[Frames] = [
    *([pattern(size, index)] for index, size in enumerate(SIZES)),
    [b"one", b"two", b"three"],
    [b"", b""],
    [b"head", b"", b"tail"],
    [b"", b"body", b""],
    [pattern(65536, 7), b"", pattern(255, 1), pattern(256, 2), pattern(8192, 3)],
    [b"%d" % index for index in range(100, 200)],
]


@dataclass
class End:
    """One socket of a conversation."""

    kind: str
    sock: Any
    routing_id: bytes

    def send(self, peer: End, body: Frames) -> None:
        """Send `body` with the envelope this type needs towards the type of `peer`."""
        if self.kind == "ROUTER":
            send_routed(self.sock, [peer.routing_id, *([b""] if peer.kind == "REQ" else []), *body])
        else:
            self.sock.send_multipart([*([b""] if (self.kind, peer.kind) == ("DEALER", "REP") else []), *body])

    def expect(self, peer: End, body: Frames) -> None:
        """Receive, and compare with `body` in the envelope of `peer`."""
        envelope = [peer.routing_id] if self.kind == "ROUTER" else []
        if (self.kind, peer.kind) in (("ROUTER", "REQ"), ("DEALER", "REP")):
            envelope.append(b"")
        frames = self.sock.recv_multipart()
        assert [len(frame) for frame in frames] == [len(frame) for frame in envelope + body]
        assert frames == envelope + body


def open_end(side: Side, kind: str) -> End:
    """A socket of `kind`, ready to converse: named if it can be, subscribed to everything if it has to be."""
    routing_id = b"" if kind not in ("REQ", "DEALER", "ROUTER") else f"{side.name}-{kind}".encode()
    if side.lib is real and kind == "ROUTER":
        routing_id = b"R" * 255
    options: dict[str, Any] = {"ROUTING_ID": routing_id} if routing_id else {}
    if kind == "ROUTER":
        options["ROUTER_MANDATORY"] = 1
    if kind == "SUB":
        options["SUBSCRIBE"] = b""
    sock = side.socket(kind, **options)
    if kind == "XSUB":
        sock.send(b"\1")
    return End(kind, sock, routing_id)


def await_subscription(publisher: End, subscriber: End) -> None:
    """Wait until what `publisher` sends reaches `subscriber`."""
    if publisher.kind == "XPUB":
        # A SUB that binds subscribes at a new peer only when its own thread calls into it: have it look at its events.
        wait_until(lambda: (subscriber.sock.poll(0), publisher.sock.poll(2))[1], "the subscription")
        assert publisher.sock.recv() == b"\1"
    else:
        publish_until_heard(publisher.sock, subscriber.sock)


def converse(first: End, second: End, payloads: list[Frames]) -> None:
    """Carry every payload in every direction that the two types allow."""
    for publisher, subscriber in ((first, second), (second, first)):
        if publisher.kind in ("PUB", "XPUB"):
            await_subscription(publisher, subscriber)
    for client, server in ((first, second), (second, first)):
        if client.kind == "REQ" or server.kind == "REP":
            for body in payloads:
                client.send(server, body)
                server.expect(client, body)
                server.send(client, body)
                client.expect(server, body)
            return
    for sender, receiver in ((first, second), (second, first)):
        if sender.kind in RECEIVE_ONLY or receiver.kind in SEND_ONLY:
            continue
        for body in payloads:
            sender.send(receiver, body)
        for body in payloads:
            receiver.expect(sender, body)


def join_ends(binder: End, connecter: End, address: str) -> None:
    """Bind one, connect the other."""
    connecter.sock.connect(bound_endpoint(binder.sock, address))


@pytest.mark.parametrize("ours_binds", [True, False], ids=["ours-binds", "real-binds"])
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize(("our_kind", "real_kind"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_every_payload_crosses(
    ours: Side, theirs: Side, endpoint: Endpoint, our_kind: str, real_kind: str, transport: str, ours_binds: bool
) -> None:
    """Frames arrive unchanged, in order, with their boundaries, in both directions."""
    ends = open_end(ours, our_kind), open_end(theirs, real_kind)
    join_ends(*(ends if ours_binds else ends[::-1]), endpoint(transport))
    converse(*ends, PAYLOADS)


@pytest.mark.parametrize("ours_binds", [True, False], ids=["ours-binds", "real-binds"])
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize(("our_kind", "real_kind"), [("PUSH", "PULL"), ("PULL", "PUSH"), ("DEALER", "ROUTER")])
def test_16_mib_cross(
    ours: Side, theirs: Side, endpoint: Endpoint, our_kind: str, real_kind: str, transport: str, ours_binds: bool
) -> None:
    """A frame much larger than every buffer, between small ones, arrives unchanged."""
    ends = open_end(ours, our_kind), open_end(theirs, real_kind)
    join_ends(*(ends if ours_binds else ends[::-1]), endpoint(transport))
    converse(*ends, [[b"before"], [b"head", pattern(16 * MIB), b"tail"], [b"after"]])


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize(
    ("our_kind", "real_kind"), [("PUSH", "PULL"), ("PULL", "PUSH"), ("DEALER", "ROUTER"), ("PAIR", "PAIR")]
)
def test_a_burst_of_small_messages_stays_in_order(
    ours: Side, theirs: Side, endpoint: Endpoint, our_kind: str, real_kind: str, transport: str
) -> None:
    """Thousands of messages of mixed shapes, batched on the way in every possible manner, keep order and boundaries."""
    rng = random.Random(1)
    payloads = [
        [b"%d" % number, *(pattern(rng.choice((0, 1, 30, 254, 257, 900)), number % 9) for _ in range(rng.randrange(3)))]
        for number in range(2000)
    ]
    ends = open_end(ours, our_kind), open_end(theirs, real_kind)
    for end in ends:
        end.sock.setsockopt(real.SNDHWM, 0)
        end.sock.setsockopt(real.RCVHWM, 0)
    join_ends(*ends, endpoint(transport))
    converse(*ends, payloads)


def test_push_spreads_over_pulls_and_pull_collects(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """Round robin: each of three PULLs gets every third message; one PULL gets all of what three PUSHes send."""
    left, right = two_sides
    fan_out = left.socket("PUSH")
    address = bound_endpoint(fan_out, endpoint("tcp"))
    workers = []
    for _ in range(3):
        workers.append(right.socket("PULL"))
        workers[-1].connect(address)
        # The worker is attached once something reaches it; what comes earlier goes to its elders.
        for _ in range(1000):
            fan_out.send(b"warm-up")
            if workers[-1].poll(5):
                break
    for worker in workers:
        while worker.poll(50):
            assert worker.recv() == b"warm-up"
    for number in range(30):
        fan_out.send(b"%d" % number)
    shares = [[int(worker.recv()) for _ in range(10)] for worker in workers]
    assert sorted(sum(shares, [])) == list(range(30))
    assert all(later - earlier == 3 for share in shares for earlier, later in zip(share, share[1:], strict=False))

    collector = left.socket("PULL")
    address = bound_endpoint(collector, endpoint("tcp"))
    sources = [right.socket("PUSH") for _ in range(3)]
    for index, source in enumerate(sources):
        source.connect(address)
        for number in range(50):
            source.send_multipart([b"%d" % index, b"%d" % number])
    received: dict[bytes, list[int]] = {b"0": [], b"1": [], b"2": []}
    for _ in range(150):
        who, what = collector.recv_multipart()
        received[who].append(int(what))
    assert all(numbers == list(range(50)) for numbers in received.values())


def test_each_subscriber_gets_its_topics(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """Prefixes select by the first frame only, duplicates are delivered once, an unsubscribed topic stops."""
    left, right = two_sides
    publisher = left.socket("XPUB")
    address = bound_endpoint(publisher, endpoint("tcp"))
    subscribers = [right.socket("SUB", SUBSCRIBE=topics) for topics in ([b"a"], [b"ab", b"a"], [b"b", b"c"], [b""])]
    for sub in subscribers:
        sub.connect(address)
    assert {publisher.recv() for _ in range(5)} == {b"\1a", b"\1ab", b"\1b", b"\1c", b"\1"}
    subscribers[2].setsockopt(real.UNSUBSCRIBE, b"c")
    assert publisher.recv() == b"\0c"
    # Every topic is known by now, but the last SUB to join (with "a" a second time) was not announced: ask for a sign.
    for index, sub in enumerate(subscribers):
        sub.setsockopt(real.SUBSCRIBE, b"sign%d" % index)
    assert {publisher.recv() for _ in range(4)} == {b"\1sign%d" % index for index in range(4)}

    sent = [[b"a", b"x"], [b"abc"], [b"b", b"a"], [b"c", b"a"], [b"d"], [b""]]
    for body in [*sent, *([b"sign%d" % index] for index in range(4))]:
        publisher.send_multipart(body)
    got: list[list[Frames]] = []
    for index, sub in enumerate(subscribers):
        got.append([])
        while (frames := sub.recv_multipart()) != [b"sign%d" % index]:
            got[-1].append(frames)
    everything = [*sent, *([b"sign%d" % index] for index in range(3))]
    assert got == [sent[:2], sent[:2], [[b"b", b"a"]], everything]


def test_router_tells_many_peers_apart(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """Each of ten peers, some with a name and some without, gets the answer to what it asked itself."""
    left, right = two_sides
    router = left.socket("ROUTER")
    address = bound_endpoint(router, endpoint("ipc"))
    peers = [right.socket("DEALER", **({"ROUTING_ID": b"id%d" % n} if n % 2 else {})) for n in range(10)]
    for number, peer in enumerate(peers):
        peer.connect(address)
        peer.send(b"%d" % number)
    for _ in peers:
        routing_id, question = router.recv_multipart()
        if int(question) % 2:
            assert routing_id == b"id" + question
        else:
            assert len(routing_id) == 5
            assert routing_id[0] == 0
        router.send_multipart([routing_id, b"re " + question])
    assert [peer.recv() for peer in peers] == [b"re %d" % number for number in range(10)]
