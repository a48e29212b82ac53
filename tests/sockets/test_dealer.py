# SPDX-License-Identifier: MPL-2.0
"""DEALER: round robin out, fair queueing in, nothing added (reference/socket-types.md 3)."""

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    bind,
    each_network,
    each_transport,
    fill,
    inproc_name,
    is_quiet,
    link,
    receive,
    refuses_to_send,
    settle,
    takes,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


@each_transport
def test_messages_are_passed_as_they_are(socket: MakeSocket, transport: str) -> None:
    """Two DEALERs exchange messages without any envelope, in any order of calls."""
    left, right = socket(zmq.DEALER), socket(zmq.DEALER)
    link(left, right, transport)
    right.send(b"one")
    right.send_multipart([b"", b"two", b""])
    left_first = [left.recv_multipart(), left.recv_multipart()]
    assert left_first == [[b"one"], [b"", b"two", b""]]
    left.send(b"")
    assert right.recv_multipart() == [b""]


@each_transport
def test_rep_understands_a_message_with_a_delimiter(socket: MakeSocket, transport: str) -> None:
    """To talk to REP a DEALER sends an empty frame first, and gets it back; several requests may be under way."""
    dealer, rep = socket(zmq.DEALER), socket(zmq.REP)
    link(rep, dealer, transport)
    for number in range(3):
        dealer.send_multipart([b"", b"question %d" % number])
    for number in range(3):
        assert rep.recv() == b"question %d" % number
        rep.send(b"answer %d" % number)
    assert [dealer.recv_multipart() for _ in range(3)] == [[b"", b"answer %d" % number] for number in range(3)]


@each_transport
def test_messages_are_dealt_out_in_turn(socket: MakeSocket, transport: str) -> None:
    """Round robin over all connections in the order they were made."""
    dealer = socket(zmq.DEALER)
    peers = [socket(zmq.DEALER) for _ in range(3)]
    for peer in peers:
        link(peer, dealer, transport)
    for number in range(6):
        dealer.send_multipart([b"%d" % number, b"body"])
    for number, peer in enumerate(peers):
        assert [peer.recv_multipart() for _ in range(2)] == [[b"%d" % number, b"body"], [b"%d" % (number + 3), b"body"]]


def test_peers_are_read_in_turn(socket: MakeSocket) -> None:
    """Fair queueing over all connections."""
    dealer = socket(zmq.DEALER)
    endpoint = bind(dealer)
    for name in b"abc":
        peer = socket(zmq.DEALER)
        peer.connect(endpoint)
        for number in range(2):
            peer.send(b"%c%d" % (name, number))
    assert receive(dealer, 6) == [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1"]


def test_without_a_peer_dealer_blocks(socket: MakeSocket) -> None:
    """No event; EAGAIN at once with DONTWAIT or after the timeout, in both directions."""
    dealer = socket(zmq.DEALER, sndtimeo=QUIET, rcvtimeo=QUIET)
    dealer.bind(inproc_name())
    assert settle(dealer) == 0
    assert refuses_to_send(dealer)
    with takes(QUIET), pytest.raises(zmq.Again):
        dealer.send(b"x")
    with takes(QUIET), pytest.raises(zmq.Again):
        dealer.recv()


def test_dealer_is_mute_when_every_peer_is_full(socket: MakeSocket) -> None:
    """A blocked send goes on as soon as one peer has read."""
    dealer = socket(zmq.DEALER, sndhwm=1)
    first, second = socket(zmq.DEALER, rcvhwm=1), socket(zmq.DEALER, rcvhwm=1)
    for peer in (first, second):
        link(peer, dealer)
    assert fill(dealer) == 4
    sending = Background(lambda: dealer.send(b"late"))
    assert sending.blocks()
    receive(first, 2)
    sending.result()
    assert first.recv() == b"late"


def test_a_full_dealer_can_still_receive(socket: MakeSocket) -> None:
    """The two directions are queued independently."""
    dealer, peer = socket(zmq.DEALER, sndhwm=1), socket(zmq.DEALER, rcvhwm=1)
    link(peer, dealer)
    fill(dealer)
    peer.send(b"hello")
    assert settle(dealer) == zmq.POLLIN
    assert dealer.recv() == b"hello"


def test_the_rest_of_a_message_whose_peer_died_is_dropped(socket: MakeSocket) -> None:
    """The remaining parts go nowhere; the next message goes to a living peer, whole."""
    dealer, dying, other = socket(zmq.DEALER), socket(zmq.DEALER), socket(zmq.DEALER)
    for peer in (dying, other):
        link(peer, dealer)
    dealer.send(b"one", zmq.SNDMORE)
    dying.close()
    settle(dealer)
    dealer.send(b"two")
    dealer.send_multipart([b"whole", b"message"])
    assert other.recv_multipart() == [b"whole", b"message"]
    assert is_quiet(other)


@each_transport
def test_the_routing_id_is_what_a_router_sees(socket: MakeSocket, transport: str) -> None:
    """ROUTING_ID, set before connecting, is the first frame at the ROUTER."""
    dealer, router = socket(zmq.DEALER, routing_id=b"me"), socket(zmq.ROUTER)
    link(router, dealer, transport)
    dealer.send(b"hello")
    assert router.recv_multipart() == [b"me", b"hello"]


@each_transport
def test_probe_router_announces_the_connection(socket: MakeSocket, transport: str) -> None:
    """With PROBE_ROUTER an empty message goes first, so the ROUTER knows the peer before it says anything."""
    dealer, router = socket(zmq.DEALER, probe_router=1, routing_id=b"me"), socket(zmq.ROUTER)
    link(router, dealer, transport)
    assert router.recv_multipart() == [b"me", b""]
    router.send_multipart([b"me", b"hello"])
    assert dealer.recv() == b"hello"


@each_transport
def test_the_binding_side_may_probe_too(socket: MakeSocket, transport: str) -> None:
    """PROBE_ROUTER acts on every pipe attached, also accepted ones."""
    dealer, router = socket(zmq.DEALER, probe_router=1, routing_id=b"me"), socket(zmq.ROUTER)
    link(dealer, router, transport)
    # The probe is sent by the dealer's own thread when it attaches the pipe: it must look at its socket for that.
    wait_until(lambda: settle(dealer) and router.poll(1), "the probe")
    assert router.recv_multipart() == [b"me", b""]


def test_req_probes_too(socket: MakeSocket) -> None:
    """PROBE_ROUTER works on REQ, and does not count as a request."""
    req, router = socket(zmq.REQ, probe_router=1, routing_id=b"me"), socket(zmq.ROUTER)
    link(router, req)
    assert router.recv_multipart() == [b"me", b""]
    req.send(b"question")
    assert router.recv_multipart() == [b"me", b"", b"question"]


@each_network
def test_a_repeated_connect_is_ignored(socket: MakeSocket, transport: str) -> None:
    """DEALER connected twice to one text has one connection, so the turn passes to the other peer at once."""
    dealer, twice, once = socket(zmq.DEALER), socket(zmq.DEALER), socket(zmq.DEALER)
    dealer.connect(link(twice, dealer, transport))
    link(once, dealer, transport)
    for number in range(4):
        dealer.send(b"%d" % number)
    assert receive(twice, 2) == [b"0", b"2"]
    assert receive(once, 2) == [b"1", b"3"]
