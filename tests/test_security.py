# SPDX-License-Identifier: MPL-2.0
"""Security as a user sees it: options that have effect, reasons for failures, sessions and their ZAP pipes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import SocketFactory, bind
from tests.support.raw_peer import COMMAND, RawPeers, frame, ready
from tests.support.target import zmq
from tests.support.waiting import wait_until
from tests.support.zap import ENDPOINT, ZapHandler, answer


def endpoint_of(sock: Any) -> str:
    bound: bytes = sock.last_endpoint
    return bound.rstrip(b"\0").decode()


def curve_pair(socket: SocketFactory, server: int = zmq.ROUTER, client: int = zmq.DEALER) -> tuple[Any, Any]:
    """Two sockets that know each other's keys, connected."""
    public, secret = zmq.curve_keypair()
    own_public, own_secret = zmq.curve_keypair()
    bound = socket(server, curve_server=1, curve_secretkey=secret)
    bound.bind("tcp://127.0.0.1:*")
    connected = socket(client, curve_serverkey=public, curve_publickey=own_public, curve_secretkey=own_secret)
    connected.connect(endpoint_of(bound))
    return bound, connected


@pytest.mark.departs
def test_a_late_answer_is_not_for_the_next_connection(socket: SocketFactory, raw: RawPeers, ctx: Any) -> None:
    """The handler refuses a connection that is gone; the next one is judged by its own answer."""
    rep = socket(zmq.REP)
    rep.bind(ENDPOINT)
    dealer = socket(zmq.DEALER, zap_domain=b"d", reconnect_ivl=1)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    first = raw.accept(listener)
    first.greet()
    rep.recv_multipart()
    first.close()
    second = raw.accept(listener)
    rep.send_multipart(answer(b"400"))
    second.greet()
    rep.recv_multipart()
    rep.send_multipart(answer())
    got = second.read_frame()
    assert got.flags & COMMAND
    assert got.body.startswith(b"\5READY")


def test_a_handler_may_be_closed_while_it_is_asked(socket: SocketFactory, raw: RawPeers, ctx: Any) -> None:
    """Whatever is under way, sockets and context end."""
    rep = ctx.socket(zmq.REP)
    rep.bind(ENDPOINT)
    dealer = socket(zmq.DEALER, zap_domain=b"d")
    dealer.bind("tcp://127.0.0.1:*")
    peers = [raw.connect(endpoint_of(dealer)) for _ in range(20)]
    for peer in peers:
        peer.greet()
    rep.recv_multipart()
    dealer.close()
    rep.close(linger=0)


@pytest.mark.parametrize("kind", ["PUSH", "REQ", "PUB"])
def test_patterns_over_curve(socket: SocketFactory, kind: str) -> None:
    """What a pattern adds of its own (lock-step, subscriptions) works sealed."""
    other = {"PUSH": "PULL", "REQ": "REP", "PUB": "SUB"}[kind]
    bound, connected = curve_pair(socket, getattr(zmq, other), getattr(zmq, kind))
    if kind == "PUB":
        bound.subscribe(b"a")

        def heard() -> bool:
            connected.send(b"b")
            connected.send(b"a")
            return bool(bound.poll(1))

        wait_until(heard, "the subscription to take effect")
        assert bound.recv() == b"a"
        return
    for number in range(300):
        connected.send(b"%d" % number)
        assert bound.recv() == b"%d" % number
        if kind == "REQ":
            bound.send(b"re %d" % number)
            assert connected.recv() == b"re %d" % number


def test_large_and_small_messages_over_curve(socket: SocketFactory) -> None:
    """In bulk, so that batches, runs, and large frames mix."""
    bound, connected = curve_pair(socket, zmq.PULL, zmq.PUSH)
    messages = [[b"x" * (n % 200)] * (1 + n % 3) for n in range(800)] + [[b"y" * 1_000_000], [b""], [b"z" * 70_000] * 2]
    for message in messages:
        connected.send_multipart(message)
    assert [bound.recv_multipart() for _ in messages] == messages


@pytest.mark.parametrize("kinds", [(zmq.PULL, zmq.PUSH), (zmq.REP, zmq.REQ)])
def test_messages_of_all_lengths_over_curve(socket: SocketFactory, kinds: tuple[int, int]) -> None:
    """Around what is read as bytes, into a window, and into a place of its own; each behind each other one."""
    bound, connected = curve_pair(socket, *kinds)
    lengths = [0, 100, 8159, 8160, 30_000, 65_536, 500_000, 524_246, 524_247, 900_000]
    messages = [[bytes([n]) * length] for n in range(len(lengths)) for length in (lengths[n], *lengths)]
    messages += [[b"id", b"", b"x" * 65_536]] * 20 + [[b"s" * 20]] * 200
    for number, message in enumerate(messages):
        connected.send_multipart(message)
        if connected.type == zmq.REQ:
            assert bound.recv_multipart() == message
            bound.send_multipart(message[::-1])
            assert connected.recv_multipart() == message[::-1]
        elif number >= 10:
            assert bound.recv_multipart() == messages[number - 10]


def test_connections_over_curve_read_in_turn(socket: SocketFactory) -> None:
    """Large messages of several peers come in pieces, between each other's."""
    public, secret = zmq.curve_keypair()
    bound = socket(zmq.PULL, curve_server=1, curve_secretkey=secret)
    bound.bind("tcp://127.0.0.1:*")
    peers = []
    for _ in range(6):
        own_public, own_secret = zmq.curve_keypair()
        peer = socket(zmq.PUSH, curve_serverkey=public, curve_publickey=own_public, curve_secretkey=own_secret)
        peer.connect(endpoint_of(bound))
        peers.append(peer)
    sent = [bytes([number]) * size for number in range(len(peers)) for size in (70_000, 20, 600_000, 9000, 200_000)]
    for index in range(5):
        for number, peer in enumerate(peers):
            peer.send(sent[5 * number + index])
    got = [bound.recv() for _ in sent]
    for number in range(len(peers)):
        assert [body for body in got if body[0] == number] == sent[5 * number : 5 * number + 5]


def test_heartbeats_over_curve(socket: SocketFactory) -> None:
    """PING and PONG are sealed too; the connection stays."""
    public, secret = zmq.curve_keypair()
    bound = socket(zmq.PULL, curve_server=1, curve_secretkey=secret, heartbeat_ivl=20, heartbeat_timeout=400)
    bound.bind("tcp://127.0.0.1:*")
    own_public, own_secret = zmq.curve_keypair()
    connected = socket(
        zmq.PUSH,
        curve_serverkey=public,
        curve_publickey=own_public,
        curve_secretkey=own_secret,
        heartbeat_ivl=20,
        heartbeat_timeout=400,
    )
    connected.connect(endpoint_of(bound))
    monitor = connected.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    connected.send(b"first")
    assert bound.recv() == b"first"
    assert not monitor.poll(150)
    connected.send(b"last")
    assert bound.recv() == b"last"
    connected.disable_monitor()
    monitor.close()


@pytest.mark.departs
def test_a_peer_cannot_name_itself(socket: SocketFactory, raw: RawPeers) -> None:
    """User-Id is what a handler says of it, and its address what the connection says; there is no handler here."""
    pull = socket(zmq.PULL)
    peer = raw.connect(bind(pull))
    claims = [(b"User-Id", b"admin"), (b"user-id", b"admin"), (b"Peer-Address", b"10.0.0.1"), (b"X-mine", b"yes")]
    peer.greet()
    peer.expect(ready("PULL"))
    peer.send(ready("PUSH", None, *claims) + frame(b"x"))
    message = pull.recv(copy=False)
    assert message.get("X-mine") == "yes"
    assert message.get("Peer-Address") == "127.0.0.1"
    for name in ("User-Id", "user-id"):
        with pytest.raises(zmq.ZMQError):
            message.get(name)


def test_properties_of_an_authenticated_peer(socket: SocketFactory, ctx: Any) -> None:
    """User-Id and what the handler adds are shown with every frame."""
    with ZapHandler(zmq, ctx, answer(user=b"bob")):
        bound, connected = curve_pair(socket)
        connected.send_multipart([b"a", b"b"])
        frames = bound.recv_multipart(copy=False)
    assert [frame.get("User-Id") for frame in frames] == ["bob"] * 3
