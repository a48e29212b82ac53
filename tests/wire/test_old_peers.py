# SPDX-License-Identifier: MPL-2.0
"""Every generation of ZMTP, in both roles, exchanges messages in every pattern.

The details of each generation are in the other modules; here is the plain fact that they get along.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Attach, SocketFactory, bind, pump
from tests.support.raw_peer import DIALECTS, ZMTP_10, Dialect, RawPeer, RawPeers
from tests.support.target import zmq
from tests.wire.conftest import send_until_heard

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)
PARTS = [b"one", b"", b"\x00\xff", b"x" * 254, b"y" * 255, b"z" * 256, b"w" * 10_000]


@pytest.fixture
def meet(attach: Attach, dialect: Dialect) -> Any:
    """``peer = meet(sock, "ROUTER")``: a raw peer of the dialect, past its opening."""

    def make(sock: Any, remote: str, identity: bytes = b"") -> RawPeer:
        peer = attach(sock)
        dialect.open(peer, remote, identity)
        return peer

    return make


@every_dialect
@pytest.mark.parametrize(("local", "remote"), [("PAIR", "PAIR"), ("DEALER", "DEALER"), ("DEALER", "ROUTER")])
def test_messages_both_ways(socket: SocketFactory, meet: Any, dialect: Dialect, local: str, remote: str) -> None:
    """Multipart messages of all sizes go both ways, unchanged and in order."""
    sock = socket(getattr(zmq, local))
    peer = meet(sock, remote)
    for parts in (PARTS, [b""], [b"", b""], [b"end"]):
        dialect.send(peer, *parts)
        assert sock.recv_multipart() == parts
        sock.send_multipart(parts)
        assert dialect.receive(peer) == parts


@every_dialect
def test_push(socket: SocketFactory, meet: Any, dialect: Dialect) -> None:
    """PUSH sends to a PULL of any age."""
    push = socket(zmq.PUSH)
    peer = meet(push, "PULL")
    for n in range(50):
        push.send_multipart([b"%d" % n, b"task"])
    assert [dialect.receive(peer) for _ in range(50)] == [[b"%d" % n, b"task"] for n in range(50)]


@every_dialect
def test_pull(socket: SocketFactory, meet: Any, dialect: Dialect) -> None:
    """PULL takes from a PUSH of any age."""
    pull = socket(zmq.PULL)
    peer = meet(pull, "PUSH")
    for n in range(50):
        dialect.send(peer, b"%d" % n, b"task")
    assert [pull.recv_multipart() for _ in range(50)] == [[b"%d" % n, b"task"] for n in range(50)]


@every_dialect
def test_req(socket: SocketFactory, meet: Any, dialect: Dialect) -> None:
    """REQ asks a REP of any age, several times."""
    req = socket(zmq.REQ)
    peer = meet(req, "REP")
    for n in range(3):
        req.send_multipart([b"q%d" % n, b"more"])
        assert dialect.receive(peer) == [b"", b"q%d" % n, b"more"]
        dialect.send(peer, b"", b"a%d" % n)
        assert req.recv_multipart() == [b"a%d" % n]


@every_dialect
def test_rep(socket: SocketFactory, meet: Any, dialect: Dialect) -> None:
    """REP answers a REQ of any age, and gives back whatever envelope came."""
    rep = socket(zmq.REP)
    peer = meet(rep, "REQ")
    for envelope in ([], [b"lbl"], [b"a", b"b" * 300]):
        dialect.send(peer, *envelope, b"", b"q", b"2")
        assert rep.recv_multipart() == [b"q", b"2"]
        rep.send_multipart([b"a", b"2"])
        assert dialect.receive(peer) == [*envelope, b"", b"a", b"2"]


@every_dialect
def test_router(socket: SocketFactory, meet: Any, dialect: Dialect) -> None:
    """ROUTER knows a peer of any age by its identity, both ways."""
    router = socket(zmq.ROUTER, router_mandatory=1)
    peer = meet(router, "DEALER", b"name")
    dialect.send(peer, b"hello", b"there")
    assert router.recv_multipart() == [b"name", b"hello", b"there"]
    router.send_multipart([b"name", b"hi"])
    assert dialect.receive(peer) == [b"hi"]


@every_dialect
@pytest.mark.parametrize("local", ["DEALER", "ROUTER", "REQ"])
def test_own_identity_is_told(attach: Attach, socket: SocketFactory, dialect: Dialect, local: str) -> None:
    """A peer of any age learns the socket's routing id."""
    sock = socket(getattr(zmq, local), routing_id=b"our name")
    assert dialect.open(attach(sock), {"DEALER": "ROUTER", "ROUTER": "DEALER", "REQ": "REP"}[local], b"") == b"our name"


@every_dialect
@pytest.mark.parametrize("local", ["PUB", "XPUB"])
def test_publisher(socket: SocketFactory, meet: Any, dialect: Dialect, local: str) -> None:
    """A subscriber of any age gets what it subscribed to; the oldest, who cannot say, gets everything."""
    pub = socket(getattr(zmq, local))
    peer = meet(pub, "SUB")
    if dialect is not ZMTP_10:
        peer.send(dialect.subscribe(b"A"))
    send_until_heard(pub, peer, b"A probe")
    pub.send_multipart([b"B", b"not wanted"])
    pub.send_multipart([b"A", b"wanted"])
    got = [dialect.receive(peer)]
    while got[-1] != [b"A", b"wanted"]:
        got.append(dialect.receive(peer))
    assert ([b"B", b"not wanted"] in got) == (dialect is ZMTP_10)


@every_dialect
@pytest.mark.parametrize("local", ["SUB", "XSUB"])
def test_subscriber(socket: SocketFactory, meet: Any, dialect: Dialect, local: str) -> None:
    """A publisher of any age is told the subscriptions and heard."""
    sub = socket(getattr(zmq, local))
    if local == "SUB":
        sub.setsockopt(zmq.SUBSCRIBE, b"A")
    else:
        sub.send(b"\x01A")
    peer = meet(sub, "PUB")
    pump(sub, peer)
    peer.expect(dialect.subscribe(b"A"))
    dialect.send(peer, b"A", b"body")
    assert sub.recv_multipart() == [b"A", b"body"]


def test_all_generations_at_one_socket(socket: SocketFactory, raw: RawPeers) -> None:
    """One ROUTER serves peers of all generations at the same time."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router)
    peers = {}
    for dialect in DIALECTS:
        peer = raw.connect(endpoint)
        dialect.open(peer, "DEALER", dialect.name.encode())
        dialect.send(peer, b"hello from", dialect.name.encode())
        peers[dialect] = peer
    for _ in DIALECTS:
        name, *parts = router.recv_multipart()
        assert parts == [b"hello from", name]
        router.send_multipart([name, b"hello", name])
    for dialect, peer in peers.items():
        assert dialect.receive(peer) == [b"hello", dialect.name.encode()]


@every_dialect
def test_messages_queued_before_the_peer_is_known(socket: SocketFactory, raw: RawPeers, dialect: Dialect) -> None:
    """What was queued before the connection existed goes out in the generation of the peer that answers."""
    push = socket(zmq.PUSH)
    listener = raw.listen()
    push.connect(listener.endpoint)
    push.send_multipart([b"early", b"x" * 300])
    peer = raw.accept(listener)
    dialect.open(peer, "PULL", b"")
    assert dialect.receive(peer) == [b"early", b"x" * 300]


def test_each_reconnect_may_bring_another_generation(socket: SocketFactory, raw: RawPeers) -> None:
    """The version is agreed upon anew with every connection."""
    dealer = socket(zmq.DEALER, reconnect_ivl=1)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    for dialect in (*DIALECTS, *reversed(DIALECTS)):
        peer = raw.accept(listener)
        dialect.open(peer, "DEALER", b"")
        dialect.send(peer, dialect.name.encode(), b"in")
        assert dealer.recv_multipart() == [dialect.name.encode(), b"in"]
        dealer.send_multipart([b"out", dialect.name.encode()])
        assert dialect.receive(peer) == [b"out", dialect.name.encode()]
        peer.close()
