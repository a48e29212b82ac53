# SPDX-License-Identifier: MPL-2.0
"""RFC 30 (PIPELINE), clause by clause: PUSH and PULL.

| clause that libzmq reads differently (the test says what it does) | how |
|---|---|
| PULL, general: when a peer disconnects, discard the messages in its queue | what had arrived is delivered first |

| clause that cannot be observed | why |
|---|---|
| none | "a queue for each peer" shows as peers that fill up independently |
"""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    bind,
    drain,
    each_network,
    each_transport,
    inproc_and_tcp,
    link,
    raises_errno,
    reach,
    receive,
    settle,
    takes,
)
from tests.spec.helpers import (
    ODD_PARTS,
    connected_first,
    has_no_peer,
    has_peer,
    hears_nothing,
    limited,
    speakers,
    takes_turns,
)
from tests.support.raw_peer import RawPeers, message
from tests.support.target import zmq

# --- The PUSH Socket Type, general behaviour -------------------------------------------------------------------------


@each_transport
def test_rfc30_push_may_be_connected_to_any_number_of_pull_peers(socket: MakeSocket, transport: str) -> None:
    """A PUSH serves peers it connected to and peers that connected to it. (PUSH, general)"""
    push = socket(zmq.PUSH)
    endpoint = bind(push, transport)
    pulls = [socket(zmq.PULL) for _ in range(4)]
    for pull in pulls[:2]:
        pull.connect(endpoint)
    for pull in pulls[2:]:
        link(pull, push, transport)
    reach(push, pulls)


@each_transport
def test_rfc30_push_shall_only_send_messages(socket: MakeSocket, transport: str) -> None:
    """Receiving is not supported, connected or not. (PUSH, general)"""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    link(pull, push, transport)
    with raises_errno(zmq.ENOTSUP):
        push.recv(zmq.DONTWAIT)
    assert not settle(push) & zmq.POLLIN


@each_transport
def test_rfc30_push_shall_not_filter_or_modify_outgoing_messages(socket: MakeSocket, transport: str) -> None:
    """Whatever bytes and parts are sent, the same arrive. (PUSH, general)"""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    link(pull, push, transport)
    push.send_multipart(ODD_PARTS)
    for part in ODD_PARTS:
        push.send(part)
    assert pull.recv_multipart() == ODD_PARTS
    assert receive(pull, len(ODD_PARTS)) == ODD_PARTS


def test_rfc30_push_shall_put_nothing_but_the_message_on_the_wire(socket: MakeSocket, raw: RawPeers) -> None:
    """A raw peer reads exactly the frames that were sent. (PUSH, general: not modify)"""
    push = socket(zmq.PUSH)
    peer = raw.connect(bind(push, "tcp"))
    peer.handshake("PULL")
    push.send_multipart([b"", b"body"])
    peer.expect(message(b"", b"body"))


@each_transport
def test_rfc30_push_shall_maintain_an_outgoing_queue_for_each_peer(socket: MakeSocket, transport: str) -> None:
    """Messages for a peer that does not read wait in its queue and do not hold up the other's. (PUSH, general)"""
    push, idle, busy = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PULL)
    link(idle, push, transport)
    link(busy, push, transport)
    for number in range(10):
        push.send(b"%d" % number)
    assert receive(busy, 5) == [b"1", b"3", b"5", b"7", b"9"]
    assert receive(idle, 5) == [b"0", b"2", b"4", b"6", b"8"]


@each_transport
def test_rfc30_push_shall_create_its_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """connect makes the queue, and it holds messages while there is no connection. (PUSH, general)"""
    push, pull, bind_it = connected_first(socket, transport, tmp_path, "PUSH", "PULL")
    for number in range(3):
        push.send(b"%d" % number, zmq.DONTWAIT)
    bind_it()
    assert receive(pull, 3) == [b"0", b"1", b"2"]


@each_transport
def test_rfc30_push_shall_create_a_queue_when_a_peer_connects(socket: MakeSocket, transport: str) -> None:
    """A bound PUSH has nowhere to send before a peer connects, and has afterwards. (PUSH, general)"""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = bind(push, transport)
    assert not settle(push) & zmq.POLLOUT
    pull.connect(endpoint)
    has_peer(push)
    push.send(b"x")
    assert pull.recv() == b"x"


@each_transport
def test_rfc30_push_shall_destroy_the_queue_of_a_peer_that_disconnects(socket: MakeSocket, transport: str) -> None:
    """After the peer that connected has left there is no queue, and a new peer gets nothing old. (PUSH, general)"""
    push, leaving, coming = socket(zmq.PUSH), socket(zmq.PULL, rcvhwm=1), socket(zmq.PULL)
    endpoint = bind(push, transport)
    leaving.connect(endpoint)
    has_peer(push)
    for _ in range(10):
        push.send(b"for the one that leaves")
    leaving.close()
    has_no_peer(push)
    coming.connect(endpoint)
    has_peer(push)
    push.send(b"new")
    assert coming.recv() == b"new"
    assert hears_nothing(coming)


@each_transport
def test_rfc30_push_should_constrain_queue_sizes_to_a_configurable_limit(socket: MakeSocket, transport: str) -> None:
    """SNDHWM bounds what is queued for a peer that does not read. (PUSH, general)"""
    count = limited(socket, transport, "PUSH", "PULL")
    assert count == 4 if transport == "inproc" else 2 <= count < 1000


# --- The PUSH Socket Type, outgoing messages -------------------------------------------------------------------------


def test_rfc30_push_shall_consider_a_peer_available_only_when_its_queue_is_not_full(socket: MakeSocket) -> None:
    """With one peer full all messages go to the other. (PUSH, outgoing)"""
    push, full, roomy = socket(zmq.PUSH, sndhwm=1), socket(zmq.PULL, rcvhwm=1), socket(zmq.PULL, rcvhwm=10)
    link(full, push)
    link(roomy, push)
    for number in range(8):
        push.send(b"%d" % number, zmq.DONTWAIT)
    assert receive(full, 2) == [b"0", b"2"]
    assert receive(roomy, 6) == [b"1", b"3", b"4", b"5", b"6", b"7"]


@each_transport
def test_rfc30_push_shall_route_to_available_peers_round_robin(socket: MakeSocket, transport: str) -> None:
    """One message to each, in the same order every time. (PUSH, outgoing)"""
    push = socket(zmq.PUSH)
    pulls = [socket(zmq.PULL) for _ in range(3)]
    for pull in pulls:
        link(pull, push, transport)
    for number in range(9):
        push.send(b"%d" % number)
    for first, pull in enumerate(pulls):
        assert receive(pull, 3) == [b"%d" % number for number in (first, first + 3, first + 6)]


@each_transport
def test_rfc30_push_shall_block_on_sending_when_it_has_no_available_peers(socket: MakeSocket, transport: str) -> None:
    """send waits, or fails with EAGAIN at once or after SNDTIMEO. (PUSH, outgoing)"""
    push, pull = socket(zmq.PUSH, sndtimeo=QUIET), socket(zmq.PULL)
    endpoint = bind(push, transport)
    with pytest.raises(zmq.Again):
        push.send(b"x", zmq.DONTWAIT)
    with takes(QUIET), pytest.raises(zmq.Again):
        push.send(b"x")
    push.setsockopt(zmq.SNDTIMEO, -1)
    sending = Background(lambda: push.send(b"waited"))
    assert sending.blocks()
    pull.connect(endpoint)
    sending.result()
    assert pull.recv() == b"waited"


@each_transport
def test_rfc30_push_shall_not_accept_messages_when_it_has_no_available_peers(
    socket: MakeSocket, transport: str
) -> None:
    """What was refused was not taken: it never arrives. (PUSH, outgoing)"""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = bind(push, transport)
    with pytest.raises(zmq.Again):
        push.send(b"refused", zmq.DONTWAIT)
    pull.connect(endpoint)
    has_peer(push)
    push.send(b"accepted")
    assert pull.recv() == b"accepted"
    assert hears_nothing(pull)


@inproc_and_tcp
def test_rfc30_push_shall_not_discard_messages_it_cannot_queue(socket: MakeSocket, transport: str) -> None:
    """Of all messages accepted up to and after the limit none is missing. (PUSH, outgoing)"""
    push, pull = socket(zmq.PUSH, sndhwm=2), socket(zmq.PULL, rcvhwm=2)
    link(pull, push, transport)
    frames = [b"%d" % number + bytes(50_000) for number in range(200)]
    sending = Background(lambda: [push.send(frame) for frame in frames])
    for frame in frames:
        assert pull.recv() == frame
    sending.result()
    assert drain(pull) == []


# --- The PULL Socket Type, general behaviour -------------------------------------------------------------------------


@each_transport
def test_rfc30_pull_may_be_connected_to_any_number_of_push_peers(socket: MakeSocket, transport: str) -> None:
    """A PULL hears peers it connected to and peers that connected to it. (PULL, general)"""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, transport)
    pushes = [socket(zmq.PUSH) for _ in range(4)]
    for push in pushes[:2]:
        push.connect(endpoint)
    for push in pushes[2:]:
        link(push, pull, transport)
    for number, push in enumerate(pushes):
        has_peer(push)
        push.send(b"%d" % number)
    assert sorted(receive(pull, 4)) == [b"0", b"1", b"2", b"3"]


@each_transport
def test_rfc30_pull_shall_only_receive_messages(socket: MakeSocket, transport: str) -> None:
    """Sending is not supported, connected or not. (PULL, general)"""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    link(pull, push, transport)
    with raises_errno(zmq.ENOTSUP):
        pull.send(b"x", zmq.DONTWAIT)
    assert not settle(pull) & zmq.POLLOUT


def test_rfc30_pull_shall_not_filter_or_modify_incoming_messages(socket: MakeSocket, raw: RawPeers) -> None:
    """What a raw peer puts on the wire is what is received. (PULL, general)"""
    pull = socket(zmq.PULL)
    peer = raw.connect(bind(pull, "tcp"))
    peer.handshake("PUSH")
    peer.send(message(*ODD_PARTS))
    for part in ODD_PARTS:
        peer.send(message(part))
    assert pull.recv_multipart() == ODD_PARTS
    assert receive(pull, len(ODD_PARTS)) == ODD_PARTS


@inproc_and_tcp
def test_rfc30_pull_shall_maintain_an_incoming_queue_for_each_peer(
    socket: MakeSocket, raw: RawPeers, transport: str
) -> None:
    """One peer's backlog does not keep another's message from being read early. (PULL, general)"""
    pull = socket(zmq.PULL)
    (chatty, terse), arrived = speakers(socket, raw, pull, transport, "PUSH", 2)
    for _ in range(100):
        chatty(b"chatty")
    terse(b"terse")
    arrived()
    assert b"terse" in receive(pull, 2)


@each_transport
def test_rfc30_pull_shall_create_its_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """connect is enough: once the peer is there its messages arrive without another call. (PULL, general)"""
    pull, push, bind_it = connected_first(socket, transport, tmp_path, "PULL", "PUSH")
    with pytest.raises(zmq.Again):
        pull.recv(zmq.DONTWAIT)
    bind_it()
    push.send(b"x")
    assert pull.recv() == b"x"


@each_transport
def test_rfc30_pull_shall_create_a_queue_when_a_peer_connects(socket: MakeSocket, transport: str) -> None:
    """Each peer that connects is heard. (PULL, general)"""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, transport)
    for number in range(3):
        push = socket(zmq.PUSH)
        push.connect(endpoint)
        push.send(b"%d" % number)
        assert pull.recv() == b"%d" % number


@inproc_and_tcp
def test_rfc30_pull_shall_destroy_the_queue_of_a_peer_that_disconnects_once_it_is_read(
    socket: MakeSocket, raw: RawPeers, transport: str
) -> None:
    """Read differently: what had arrived is still delivered, then nothing more comes. (PULL, general)"""
    pull = socket(zmq.PULL)
    if transport == "inproc":
        push = socket(zmq.PUSH)
        push.connect(bind(pull))
        push.send(b"one")
        push.send(b"two")
        push.close()
    else:
        peer = raw.connect(bind(pull, "tcp"))
        peer.handshake("PUSH")
        peer.send(message(b"one"), message(b"two"))
        peer.fence()
        peer.close()
    assert receive(pull, 2) == [b"one", b"two"]
    assert hears_nothing(pull)


@each_network
def test_rfc30_pull_shall_discard_the_unfinished_message_of_a_peer_that_disconnects(
    socket: MakeSocket, raw: RawPeers, transport: str
) -> None:
    """Of a message whose last part never came nothing is delivered. (PULL, general)"""
    pull = socket(zmq.PULL)
    peer = raw.connect(bind(pull, transport))
    peer.handshake("PUSH")
    peer.send(message(b"whole"), message(b"begun", b"unfinished")[:-12])
    peer.fence()
    peer.close()
    assert pull.recv_multipart() == [b"whole"]
    assert hears_nothing(pull)


@each_transport
def test_rfc30_pull_should_constrain_incoming_queue_sizes_to_a_configurable_limit(
    socket: MakeSocket, transport: str
) -> None:
    """RCVHWM bounds what one peer can have waiting. (PULL, general)"""
    count = limited(socket, transport, "PUSH", "PULL")
    assert count == 4 if transport == "inproc" else 2 <= count < 1000


# --- The PULL Socket Type, incoming messages -------------------------------------------------------------------------


@inproc_and_tcp
def test_rfc30_pull_shall_receive_from_its_peers_by_fair_queueing(
    socket: MakeSocket, raw: RawPeers, transport: str
) -> None:
    """With all queues filled each round brings one message of each peer. (PULL, incoming)"""
    pull = socket(zmq.PULL)
    says, arrived = speakers(socket, raw, pull, transport, "PUSH", 3)
    for number, say in enumerate(says):
        for _ in range(4):
            say(b"%d" % number, b"body")
    arrived()
    order = [int(pull.recv_multipart()[0]) for _ in range(12)]
    assert takes_turns(order, 3)


@each_transport
def test_rfc30_pull_shall_deliver_these_to_its_calling_application(socket: MakeSocket, transport: str) -> None:
    """Every message of every peer is delivered, once. (PULL, incoming)"""
    pull = socket(zmq.PULL)
    endpoint = bind(pull, transport)
    for name in b"abc":
        push = socket(zmq.PUSH)
        push.connect(endpoint)
        for number in range(20):
            push.send(b"%c%02d" % (name, number))
    expected = sorted(b"%c%02d" % (name, number) for name in b"abc" for number in range(20))
    assert sorted(receive(pull, 60)) == expected
