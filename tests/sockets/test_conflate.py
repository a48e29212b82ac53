# SPDX-License-Identifier: MPL-2.0
"""CONFLATE: only the newest message waits (reference/socket-types.md 2, internals.md 3.1, socket-options.csv)."""

from pathlib import Path

import pytest

from tests.sockets.helpers import MakeSocket, bind, free_endpoint, is_quiet, link, receive, settle
from tests.support.raw_peer import RawPeers, message
from tests.support.target import zmq

CONFLATING = ["PUSH", "PULL", "PUB", "SUB", "DEALER"]
PARTNER = {"PUSH": "PULL", "PULL": "PUSH", "PUB": "SUB", "SUB": "PUB", "DEALER": "DEALER"}


@pytest.mark.parametrize("connecter", CONFLATING)
def test_only_the_newest_message_is_kept(socket: MakeSocket, connecter: str) -> None:
    """Over inproc the connecting socket's CONFLATE makes a one-message queue, whichever side sends."""
    near = socket(getattr(zmq, connecter), conflate=1)
    far = socket(getattr(zmq, PARTNER[connecter]))
    sender, receiver = (far, near) if connecter in ("PULL", "SUB") else (near, far)
    if "SUB" in (connecter, PARTNER[connecter]):
        receiver.setsockopt(zmq.SUBSCRIBE, b"")
    link(far, near)
    settle(far)
    settle(near)
    for number in range(5):
        sender.send(b"%d" % number)
    assert receiver.recv() == b"4"
    assert is_quiet(receiver)
    sender.send(b"5")
    assert receiver.recv() == b"5"


def test_both_directions_of_a_dealer_are_conflated(socket: MakeSocket) -> None:
    """What comes in is conflated as well as what goes out."""
    dealer, peer = socket(zmq.DEALER, conflate=1), socket(zmq.DEALER)
    link(peer, dealer)
    for number in range(3):
        dealer.send(b"out %d" % number)
    assert peer.recv() == b"out 2"
    for number in range(3):
        peer.send(b"in %d" % number)
    assert dealer.recv() == b"in 2"
    assert is_quiet(dealer)


def test_over_inproc_the_binding_side_has_no_say(socket: MakeSocket) -> None:
    """CONFLATE on the bound socket only: every message is kept."""
    pull, push = socket(zmq.PULL, conflate=1), socket(zmq.PUSH)
    link(pull, push)
    for number in range(3):
        push.send(b"%d" % number)
    assert receive(pull, 3) == [b"0", b"1", b"2"]


def test_over_tcp_the_sender_keeps_the_newest_until_it_is_connected(socket: MakeSocket, tmp_path: Path) -> None:
    """A conflating PUSH without a connection yet has one message when the connection comes."""
    push, pull = socket(zmq.PUSH, conflate=1, reconnect_ivl=10), socket(zmq.PULL)
    endpoint = free_endpoint("tcp", tmp_path)
    push.connect(endpoint)
    for number in range(5):
        push.send(b"%d" % number)
    pull.bind(endpoint)
    assert pull.recv() == b"4"
    assert is_quiet(pull)


def test_over_tcp_the_receiver_keeps_the_newest_until_it_is_read(socket: MakeSocket, raw: RawPeers) -> None:
    """A conflating PULL that did not look for a while finds one message."""
    pull = socket(zmq.PULL, conflate=1)
    peer = raw.connect(bind(pull, "tcp"))
    peer.handshake("PUSH")
    for number in range(5):
        peer.send(message(b"%d" % number))
    peer.fence()
    assert pull.recv() == b"4"
    assert is_quiet(pull)


def test_of_a_multipart_message_only_the_last_part_is_kept(socket: MakeSocket) -> None:
    """CONFLATE counts frames, so it destroys multipart messages."""
    push, pull = socket(zmq.PUSH, conflate=1), socket(zmq.PULL)
    link(pull, push)
    push.send_multipart([b"one", b"two", b"three"])
    assert pull.recv_multipart() == [b"three"]
    assert is_quiet(pull)


def test_the_high_water_mark_does_not_count(socket: MakeSocket) -> None:
    """A conflating queue is never full."""
    push, pull = socket(zmq.PUSH, conflate=1, sndhwm=1), socket(zmq.PULL, rcvhwm=1)
    link(pull, push)
    for number in range(100):
        push.send(b"%d" % number, zmq.DONTWAIT)
    assert pull.recv() == b"99"


@pytest.mark.parametrize(
    ("sender", "receiver"), [("PAIR", "PAIR"), ("XPUB", "XSUB"), ("DEALER", "ROUTER"), ("ROUTER", "DEALER")]
)
def test_other_types_store_the_option_and_ignore_it(socket: MakeSocket, sender: str, receiver: str) -> None:
    """CONFLATE on a type it is not for reads back as set and changes nothing."""
    near = socket(getattr(zmq, receiver), routing_id=b"me")
    far = socket(getattr(zmq, sender))
    ignoring = far if sender != "DEALER" else near
    ignoring.setsockopt(zmq.CONFLATE, 1)
    assert ignoring.getsockopt(zmq.CONFLATE) == 1
    link(*((near, far) if ignoring is far else (far, near)))
    if receiver == "XSUB":
        near.send(b"\x01")
    settle(near)
    settle(far)
    prefix = [b"me"] if sender == "ROUTER" else []
    for number in range(3):
        far.send_multipart([*prefix, b"%d" % number])
    assert [near.recv_multipart()[-1] for _ in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("kind", ["PUSH", "SUB", "PAIR"])
def test_conflate_is_off_by_default(socket: MakeSocket, kind: str) -> None:
    """Queues are queues unless told otherwise."""
    assert socket(getattr(zmq, kind)).getsockopt(zmq.CONFLATE) == 0
