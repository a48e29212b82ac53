# SPDX-License-Identifier: MPL-2.0
"""RFC 31 (EXPAIR), clause by clause: PAIR.

| clause that libzmq reads differently (the test says what it does) | how |
|---|---|
| when the peer disconnects, discard the messages in its queue | what had arrived is delivered first |

| clause that cannot be observed | why |
|---|---|
| none | |
"""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    MakeWatch,
    bind,
    each_network,
    each_transport,
    fill,
    inproc_and_tcp,
    link,
    receive,
    refuses_to_send,
    settle,
    takes,
)
from tests.spec.helpers import ODD_PARTS, connected_first, has_no_peer, has_peer, hears_nothing, limited
from tests.support.raw_peer import RawPeers, message
from tests.support.target import zmq
from tests.support.waiting import wait_until

# --- General behaviour -----------------------------------------------------------------------------------------------


def test_rfc31_pair_may_be_connected_to_at_most_one_peer(socket: MakeSocket) -> None:
    """A second peer is turned away and the first keeps its place (inproc). (General)"""
    pair, first, second = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PAIR)
    second_endpoint = link(pair, first)
    settle(pair)
    second.connect(second_endpoint)
    settle(pair)
    assert refuses_to_send(second)
    pair.send(b"x")
    assert first.recv() == b"x"


@each_network
def test_rfc31_pair_may_be_connected_to_at_most_one_peer_over_a_network(
    socket: MakeSocket, watch: MakeWatch, transport: str
) -> None:
    """Over a network the second connection is made but nothing passes through it. (General)"""
    pair, first, second = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = link(pair, first, transport)
    has_peer(pair)
    events = watch(second)
    second.connect(endpoint)
    second.send(b"x")
    events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    assert hears_nothing(pair)
    pair.send(b"y")
    assert first.recv() == b"y"
    assert hears_nothing(second)


@each_transport
def test_rfc31_pair_may_both_send_and_receive_messages(socket: MakeSocket, transport: str) -> None:
    """Both ends do both, in any order. (General)"""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right, transport)
    right.send(b"1")
    assert left.recv() == b"1"
    left.send(b"2")
    left.send(b"3")
    right.send(b"4")
    assert receive(right, 2) == [b"2", b"3"]
    assert left.recv() == b"4"


@each_transport
def test_rfc31_pair_shall_not_filter_or_modify_messages(socket: MakeSocket, transport: str) -> None:
    """Whatever bytes and parts are sent, the same arrive. (General)"""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right, transport)
    right.send_multipart(ODD_PARTS)
    assert left.recv_multipart() == ODD_PARTS
    for part in ODD_PARTS:
        left.send(part)
    assert receive(right, len(ODD_PARTS)) == ODD_PARTS


def test_rfc31_pair_shall_put_nothing_but_the_message_on_the_wire(socket: MakeSocket, raw: RawPeers) -> None:
    """A raw peer reads and writes exactly the frames of the application. (General: not modify)"""
    pair = socket(zmq.PAIR)
    peer = raw.connect(bind(pair, "tcp"))
    peer.handshake("PAIR")
    pair.send_multipart([b"", b"body"])
    peer.expect(message(b"", b"body"))
    peer.send(message(b"", b"back"))
    assert pair.recv_multipart() == [b"", b"back"]


@inproc_and_tcp
def test_rfc31_pair_shall_maintain_a_double_queue_for_its_peer(socket: MakeSocket, transport: str) -> None:
    """A full outgoing queue does not hinder incoming messages, nor the reverse. (General)"""
    left, right = socket(zmq.PAIR, sndhwm=1, rcvhwm=1), socket(zmq.PAIR, sndhwm=1, rcvhwm=1)
    link(left, right, transport)
    frame = b"x" if transport == "inproc" else bytes(200_000)
    has_peer(left)
    sent = fill(left, frame, most=1000)
    right.send(b"the other way")
    assert left.recv() == b"the other way"
    assert receive(right, sent) == [frame] * sent


@each_transport
def test_rfc31_pair_shall_create_its_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """connect makes the queue, and it holds messages while there is no connection. (General)"""
    left, right, bind_it = connected_first(socket, transport, tmp_path, "PAIR", "PAIR")
    for number in range(3):
        left.send(b"%d" % number, zmq.DONTWAIT)
    bind_it()
    assert receive(right, 3) == [b"0", b"1", b"2"]
    right.send(b"back")
    assert left.recv() == b"back"


@each_transport
def test_rfc31_pair_shall_create_a_queue_when_a_peer_connects(socket: MakeSocket, transport: str) -> None:
    """A bound PAIR has nowhere to send before the peer connects, and has afterwards. (General)"""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = bind(left, transport)
    assert not settle(left) & zmq.POLLOUT
    right.connect(endpoint)
    has_peer(left)
    left.send(b"x")
    assert right.recv() == b"x"


@each_transport
def test_rfc31_pair_shall_destroy_the_queue_of_a_peer_that_disconnects(socket: MakeSocket, transport: str) -> None:
    """After the peer has left there is no queue, and the next peer gets nothing old. (General)"""
    pair, leaving = socket(zmq.PAIR), socket(zmq.PAIR, rcvhwm=1)
    endpoint = bind(pair, transport)
    leaving.connect(endpoint)
    has_peer(pair)
    for _ in range(10):
        pair.send(b"for the one that leaves")
    leaving.close()
    has_no_peer(pair)

    def heard() -> bool:
        coming = socket(zmq.PAIR)
        coming.connect(endpoint)
        if not pair.poll(QUIET, zmq.POLLOUT) or transport == "inproc" and not settle(coming) & zmq.POLLOUT:
            coming.close()  # the old pipe was still ending
            return False
        pair.send(b"new")
        assert coming.recv() == b"new"
        assert hears_nothing(coming)
        return True

    wait_until(heard, "the place to be free")


@inproc_and_tcp
def test_rfc31_pair_shall_still_deliver_what_had_arrived_from_a_peer_that_disconnects(
    socket: MakeSocket, raw: RawPeers, transport: str
) -> None:
    """Read differently: what had arrived before the peer left is delivered, then nothing more comes. (General)"""
    pair = socket(zmq.PAIR)
    if transport == "inproc":
        leaving = socket(zmq.PAIR)
        leaving.connect(bind(pair))
        leaving.send(b"one")
        leaving.send(b"two")
        leaving.close()
    else:
        peer = raw.connect(bind(pair, "tcp"))
        peer.handshake("PAIR")
        peer.send(message(b"one"), message(b"two"))
        peer.fence()
        peer.close()
    assert receive(pair, 2) == [b"one", b"two"]
    assert hears_nothing(pair)


@each_transport
def test_rfc31_pair_should_constrain_queue_sizes_to_configurable_limits(socket: MakeSocket, transport: str) -> None:
    """SNDHWM of the sender and RCVHWM of the receiver bound what waits. (General)"""
    count = limited(socket, transport, "PAIR", "PAIR")
    assert count == 4 if transport == "inproc" else 2 <= count < 1000


# --- Outgoing messages -----------------------------------------------------------------------------------------------


def test_rfc31_pair_shall_consider_its_peer_available_only_when_the_queue_is_not_full(socket: MakeSocket) -> None:
    """POLLOUT goes at the limit and comes back when the peer has read. (Outgoing)"""
    left, right = socket(zmq.PAIR, sndhwm=1), socket(zmq.PAIR, rcvhwm=1)
    link(right, left)
    for _ in range(2):
        assert settle(left) & zmq.POLLOUT
        left.send(b"x")
    assert not settle(left) & zmq.POLLOUT
    receive(right, 2)
    assert settle(left) & zmq.POLLOUT


@each_transport
def test_rfc31_pair_shall_block_on_sending_when_it_has_no_available_peer(socket: MakeSocket, transport: str) -> None:
    """send waits, or fails with EAGAIN at once or after SNDTIMEO. (Outgoing)"""
    left, right = socket(zmq.PAIR, sndtimeo=QUIET), socket(zmq.PAIR)
    endpoint = bind(left, transport)
    with pytest.raises(zmq.Again):
        left.send(b"x", zmq.DONTWAIT)
    with takes(QUIET), pytest.raises(zmq.Again):
        left.send(b"x")
    left.setsockopt(zmq.SNDTIMEO, -1)
    sending = Background(lambda: left.send(b"waited"))
    assert sending.blocks()
    right.connect(endpoint)
    sending.result()
    assert right.recv() == b"waited"


@each_transport
def test_rfc31_pair_shall_not_accept_messages_when_it_has_no_available_peer(socket: MakeSocket, transport: str) -> None:
    """What was refused was not taken: it never arrives. (Outgoing)"""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = bind(left, transport)
    with pytest.raises(zmq.Again):
        left.send(b"refused", zmq.DONTWAIT)
    right.connect(endpoint)
    has_peer(left)
    left.send(b"accepted")
    assert right.recv() == b"accepted"
    assert hears_nothing(right)


@inproc_and_tcp
def test_rfc31_pair_shall_not_discard_messages_it_cannot_queue(socket: MakeSocket, transport: str) -> None:
    """Of all messages accepted up to and after the limit none is missing. (Outgoing)"""
    left, right = socket(zmq.PAIR, sndhwm=2), socket(zmq.PAIR, rcvhwm=2)
    link(right, left, transport)
    frames = [b"%d" % number + bytes(50_000) for number in range(200)]
    sending = Background(lambda: [left.send(frame) for frame in frames])
    for frame in frames:
        assert right.recv() == frame
    sending.result()
    assert hears_nothing(right)


# --- Incoming messages -----------------------------------------------------------------------------------------------


@each_transport
def test_rfc31_pair_shall_receive_from_its_single_peer(socket: MakeSocket, transport: str) -> None:
    """Without a peer there is nothing to receive; with one, its messages, in order. (Incoming)"""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    endpoint = bind(left, transport)
    with pytest.raises(zmq.Again):
        left.recv(zmq.DONTWAIT)
    right.connect(endpoint)
    for number in range(20):
        right.send(b"%d" % number)
    assert receive(left, 20) == [b"%d" % number for number in range(20)]


@each_transport
def test_rfc31_pair_shall_deliver_these_to_its_calling_application(socket: MakeSocket, transport: str) -> None:
    """An application that waits in recv is given the message. (Incoming)"""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right, transport)
    receiving = Background(left.recv_multipart)
    assert receiving.blocks()
    right.send_multipart([b"a", b"b"])
    assert receiving.result() == [b"a", b"b"]
