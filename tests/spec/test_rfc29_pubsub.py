# SPDX-License-Identifier: MPL-2.0
"""RFC 29 (PUBSUB), clause by clause: PUB, XPUB, SUB, XSUB.

| clause that libzmq reads differently (the test says what it does) | how |
|---|---|
| SUB, XSUB: discard the messages of a publisher that disconnects | what had arrived is delivered first |
| SUB, XSUB: discard messages when the queue for a publisher is full | they stop reading; the publisher discards |
| XPUB: receive by fair queueing | in order of arrival: all that one subscriber has sent, then the next one's |
| XSUB: send cancellations when closing a connection | nothing is sent; the publisher concludes them from the end |

| clause that cannot be observed | why |
|---|---|
| PUB, XPUB: MAY send all messages to all subscribers | true for multicast transports only, which are not here |
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sockets.helpers import (
    LIMIT,
    QUIET,
    Background,
    MakeSocket,
    Sock,
    bind,
    each_transport,
    free_endpoint,
    inproc_and_tcp,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
    takes,
)
from tests.spec.helpers import LARGE, ODD_PARTS, connected_first, hears_nothing, kind, speakers, takes_turns
from tests.support.raw_peer import RawPeers, cancel, message, subscribe
from tests.support.target import zmq
from tests.support.waiting import wait_until

publishers = pytest.mark.parametrize("name", ["PUB", "XPUB"])
subscribers = pytest.mark.parametrize("name", ["SUB", "XSUB"])


def want(sub: Sock, topic: bytes = b"") -> None:
    """Subscribe, the way the socket's type does it."""
    if sub.getsockopt(zmq.TYPE) == zmq.SUB:
        sub.setsockopt(zmq.SUBSCRIBE, topic)
    else:
        sub.send(b"\x01" + topic)


def unwant(sub: Sock, topic: bytes = b"") -> None:
    """Cancel a subscription."""
    if sub.getsockopt(zmq.TYPE) == zmq.SUB:
        sub.setsockopt(zmq.UNSUBSCRIBE, topic)
    else:
        sub.send(b"\x00" + topic)


def in_force(pub: Sock, *subs: Sock) -> None:
    """Wait until messages that begin with b"?" reach every subscriber, and leave them with nothing to read."""
    for sub in subs:
        numbers = itertools.count(1)

        def heard(sub: Sock = sub, numbers: Iterator[int] = numbers) -> bool:
            settle(sub)  # a bound subscriber sends its subscriptions itself
            probe = b"?%d" % next(numbers)
            pub.send(probe)
            while sub.poll(5):
                if sub.recv() == probe:
                    return True
            return False

        wait_until(heard, "the subscription")
    if len(subs) > 1:  # the first ones heard what was meant for the later ones
        pub.send(b"?end")
        for sub in subs:
            while sub.recv() != b"?end":
                pass


def subscribed(socket: MakeSocket, transport: str, name: str, *topics: bytes, **options: int) -> tuple[Sock, Sock]:
    """A bound publisher of type `name` and a SUB whose subscriptions, and one to b"?", are in force."""
    pub, sub = socket(kind(name), **options), socket(zmq.SUB)
    link(pub, sub, transport)
    for topic in (*topics, b"?"):
        want(sub, topic)
    in_force(pub, sub)
    return pub, sub


# --- PUB and XPUB, general behaviour ---------------------------------------------------------------------------------


@each_transport
@publishers
@pytest.mark.parametrize("peer", ["SUB", "XSUB"])
def test_rfc29_pub_may_be_connected_to_any_number_of_subscribers(
    socket: MakeSocket, transport: str, name: str, peer: str
) -> None:
    """Of either type, connecting to it or connected to. (PUB and XPUB, general)"""
    pub = socket(kind(name))
    endpoint = bind(pub, transport)
    subs = [socket(kind(peer)) for _ in range(4)]
    for sub in subs:
        want(sub)
    for sub in subs[:2]:
        sub.connect(endpoint)
    for sub in subs[2:]:
        link(sub, pub, transport)
    for sub in subs:
        want(sub)
    in_force(pub, *subs)


@each_transport
def test_rfc29_pub_shall_only_send_messages(socket: MakeSocket, transport: str) -> None:
    """Receiving is not supported, whatever subscribers send. (PUB, general)"""
    pub, sub = subscribed(socket, transport, "PUB")
    want(sub, b"topic")
    with raises_errno(zmq.ENOTSUP):
        pub.recv(zmq.DONTWAIT)
    assert not settle(pub) & zmq.POLLIN


@each_transport
def test_rfc29_xpub_may_both_send_and_receive_messages(socket: MakeSocket, transport: str) -> None:
    """User messages of an XSUB come up, messages go down. (XPUB, general)"""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    xsub.send(b"\x01")
    xsub.send_multipart([b"up", b"wards"])
    assert xpub.recv() == b"\x01"
    assert xpub.recv_multipart() == [b"up", b"wards"]
    xpub.send_multipart([b"down", b"wards"])
    assert xsub.recv_multipart() == [b"down", b"wards"]


@publishers
def test_rfc29_pub_shall_maintain_a_queue_for_each_subscriber(socket: MakeSocket, name: str) -> None:
    """One that does not read does not hinder another that does. (PUB and XPUB, general)"""
    pub = socket(kind(name), sndhwm=1)
    endpoint = bind(pub)
    idle, busy = socket(zmq.SUB, rcvhwm=1), socket(zmq.SUB, rcvhwm=1)
    for sub in (idle, busy):
        want(sub)
        sub.connect(endpoint)
    settle(pub)
    for number in range(5):
        pub.send(b"%d" % number)
        assert busy.recv() == b"%d" % number
        settle(pub)
    assert receive(idle, 2) == [b"0", b"1"]


def test_rfc29_xpub_shall_queue_outgoing_and_incoming_messages_independently(socket: MakeSocket) -> None:
    """With its outgoing queue full a subscriber can still send. (XPUB, general)"""
    xpub, xsub = socket(zmq.XPUB, sndhwm=1, xpub_nodrop=1), socket(zmq.XSUB, rcvhwm=1)
    link(xpub, xsub)
    xsub.send(b"\x01")
    assert xpub.recv() == b"\x01"
    for _ in range(2):
        xpub.send(b"x")
    with pytest.raises(zmq.Again):
        xpub.send(b"x", zmq.DONTWAIT)
    xsub.send(b"hello")
    assert xpub.recv() == b"hello"


@each_transport
@publishers
def test_rfc29_pub_shall_create_a_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, name: str, tmp_path: Path
) -> None:
    """A publisher may connect first; once the subscriber is there it is served. (PUB and XPUB, general)"""
    pub, sub, bind_it = connected_first(socket, transport, tmp_path, name, "SUB")
    pub.send(b"nobody has subscribed yet")
    want(sub)
    bind_it()
    in_force(pub, sub)
    pub.send(b"x")
    assert sub.recv() == b"x"


@each_transport
@publishers
def test_rfc29_pub_shall_create_a_queue_when_a_subscriber_connects(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """Every subscriber that connects is served. (PUB and XPUB, general)"""
    pub = socket(kind(name))
    endpoint = bind(pub, transport)
    subs = []
    for _ in range(3):
        subs.append(socket(zmq.SUB))
        subs[-1].connect(endpoint)
        want(subs[-1])
        in_force(pub, *subs)


@each_transport
@publishers
def test_rfc29_pub_shall_destroy_the_queue_of_a_subscriber_that_disconnects(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """A subscriber that comes back, by the same subscription, gets nothing old. (PUB and XPUB, general)"""
    pub, leaving = subscribed(socket, transport, name, b"a")
    for _ in range(5):
        pub.send(b"a, old")
    leaving.close()
    coming = socket(zmq.SUB)
    coming.connect(last_endpoint(pub))
    for topic in (b"a", b"?"):
        want(coming, topic)
    in_force(pub, coming)
    pub.send(b"a, new")
    assert coming.recv() == b"a, new"


@publishers
def test_rfc29_pub_should_constrain_queue_sizes_to_a_configurable_limit(socket: MakeSocket, name: str) -> None:
    """SNDHWM with the subscriber's RCVHWM bounds what waits (inproc). (PUB and XPUB, general)"""
    pub, sub = socket(kind(name), sndhwm=2), socket(zmq.SUB, rcvhwm=3)
    want(sub)
    link(pub, sub)
    settle(pub)
    for number in range(20):
        pub.send(b"%d" % number)
    assert receive(sub, 5) == [b"0", b"1", b"2", b"3", b"4"]
    assert hears_nothing(sub)


@publishers
def test_rfc29_pub_should_constrain_queue_sizes_over_tcp(socket: MakeSocket, name: str) -> None:
    """Of more than the queues and the kernel can hold some is lost, and what arrives is in order. (general)"""
    pub, sub = socket(kind(name), sndhwm=2), socket(zmq.SUB, rcvhwm=2)
    link(pub, sub, "tcp")
    want(sub)
    in_force(pub, sub)
    for number in range(300):
        pub.send_multipart([b"%d" % number, LARGE])
    arrived = []
    while sub.poll(QUIET):
        arrived.append(int(sub.recv_multipart()[0]))
    assert 0 < len(arrived) < 300
    assert arrived == sorted(arrived)


@each_transport
def test_rfc29_pub_shall_silently_discard_messages_that_subscribers_send_it(socket: MakeSocket, transport: str) -> None:
    """User messages of an XSUB do PUB no harm. (PUB, general)"""
    pub, xsub = socket(zmq.PUB), socket(zmq.XSUB)
    link(pub, xsub, transport)
    xsub.send_multipart([b"unwelcome", b"message"])
    xsub.send(b"")
    want(xsub)
    in_force(pub, xsub)
    with raises_errno(zmq.ENOTSUP):
        pub.recv(zmq.DONTWAIT)


# --- PUB and XPUB, outgoing messages ---------------------------------------------------------------------------------


@each_transport
@publishers
def test_rfc29_pub_shall_not_modify_outgoing_messages(socket: MakeSocket, transport: str, name: str) -> None:
    """Whatever bytes and parts are published, the same arrive. (PUB and XPUB, outgoing)"""
    pub, sub = subscribed(socket, transport, name, b"")
    pub.send_multipart(ODD_PARTS)
    for part in ODD_PARTS:
        pub.send(part)
    assert sub.recv_multipart() == ODD_PARTS
    assert receive(sub, len(ODD_PARTS)) == ODD_PARTS


@publishers
def test_rfc29_pub_may_send_messages_only_to_subscribers_who_match(
    socket: MakeSocket, raw: RawPeers, name: str
) -> None:
    """Over tcp the publisher filters: a raw subscriber reads only what it asked for. (PUB and XPUB, outgoing)"""
    pub = socket(kind(name))
    peer = raw.connect(bind(pub, "tcp"))
    peer.handshake("SUB")
    peer.send(subscribe(b"a"))
    peer.fence()
    settle(pub)
    for text in (b"b", b"a1", b"", b"a2"):
        pub.send(text)
    peer.expect(message(b"a1"), message(b"a2"))
    peer.send(cancel(b"a"))
    peer.fence()
    settle(pub)
    pub.send(b"a3")
    peer.expect_silence()


@each_transport
@publishers
def test_rfc29_pub_shall_compare_the_subscription_with_the_start_of_the_first_frame(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """Byte by byte, the first frame only, the whole subscription. (PUB and XPUB, outgoing)"""
    pub, sub = subscribed(socket, transport, name, b"\x00\xffa")
    for parts in (
        [b"\x00\xffA"],
        [b"\x00\xff"],
        [b"", b"\x00\xffa"],
        [b" \x00\xffa"],
        [b"\x00\xffa"],
        [b"\x00\xffab", b"more"],
    ):
        pub.send_multipart(parts)
    assert sub.recv_multipart() == [b"\x00\xffa"]
    assert sub.recv_multipart() == [b"\x00\xffab", b"more"]
    assert hears_nothing(sub)


@publishers
def test_rfc29_pub_shall_silently_drop_the_message_if_the_queue_for_a_subscriber_is_full(
    socket: MakeSocket, name: str
) -> None:
    """send succeeds, the full subscriber misses the message, another one gets it. (PUB and XPUB, outgoing)"""
    pub = socket(kind(name), sndhwm=1)
    endpoint = bind(pub)
    full, roomy = socket(zmq.SUB, rcvhwm=1), socket(zmq.SUB, rcvhwm=10)
    for sub in (full, roomy):
        want(sub)
        sub.connect(endpoint)
    settle(pub)
    for number in range(4):
        pub.send(b"%d" % number, zmq.DONTWAIT)
    assert receive(roomy, 4) == [b"0", b"1", b"2", b"3"]
    assert receive(full, 2) == [b"0", b"1"]
    assert hears_nothing(full)


@inproc_and_tcp
@publishers
def test_rfc29_pub_shall_not_block_on_sending(socket: MakeSocket, transport: str, name: str) -> None:
    """However little is read, every send returns; POLLOUT is always set. (PUB and XPUB, outgoing)"""
    pub, sub = socket(kind(name), sndhwm=1, sndtimeo=-1), socket(zmq.SUB, rcvhwm=1)
    assert settle(pub) & zmq.POLLOUT
    pub.send(b"nobody there")
    link(pub, sub, transport)
    want(sub)
    in_force(pub, sub)
    Background(lambda: [pub.send(LARGE) for _ in range(100)]).result()
    assert settle(pub) & zmq.POLLOUT


# --- XPUB, incoming messages -----------------------------------------------------------------------------------------


@inproc_and_tcp
def test_rfc29_xpub_shall_receive_from_all_its_subscribers(socket: MakeSocket, raw: RawPeers, transport: str) -> None:
    """Read differently: not in turn but in order of arrival; nobody's messages are missing. (XPUB, incoming)"""
    xpub = socket(zmq.XPUB)
    says, arrived = speakers(socket, raw, xpub, transport, "XSUB", 3)
    for number, say in enumerate(says):
        for turn in range(4):
            say(b"%d" % number, b"%d" % turn)
    arrived()
    received = [xpub.recv_multipart() for _ in range(12)]
    for number in range(3):
        own = [parts[1] for parts in received if parts[0] == b"%d" % number]
        assert own == [b"0", b"1", b"2", b"3"]


@each_transport
def test_rfc29_xpub_shall_deliver_these_messages_to_its_calling_application(socket: MakeSocket, transport: str) -> None:
    """An application that waits in recv is given the message, parts and all. (XPUB, incoming)"""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    receiving = Background(xpub.recv_multipart)
    assert receiving.blocks()
    xsub.send_multipart([b"a", b"", b"b"])
    assert receiving.result() == [b"a", b"", b"b"]


# --- PUB and XPUB, subscriptions -------------------------------------------------------------------------------------


@each_transport
@publishers
def test_rfc29_pub_shall_receive_subscribe_and_unsubscribe_requests(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """A subscription takes effect, a cancellation ends it. (PUB and XPUB, subscriptions)"""
    pub, sub = subscribed(socket, transport, name, b"a")
    pub.send(b"a1")
    assert sub.recv() == b"a1"
    other = socket(zmq.XSUB)
    other.connect(last_endpoint(pub))
    want(other, b"a")
    want(other, b"?")
    in_force(pub, other)
    unwant(other, b"a")

    def cancelled() -> bool:
        pub.send(b"a2")
        pub.send(b"?")
        return bool(other.recv() == b"?")

    wait_until(cancelled, "the cancellation")


@each_transport
def test_rfc29_pub_shall_not_deliver_these_commands_to_its_calling_application(
    socket: MakeSocket, transport: str
) -> None:
    """PUB has no POLLIN and no recv. (PUB, subscriptions)"""
    pub, _ = subscribed(socket, transport, "PUB", b"a")
    assert settle(pub) == zmq.POLLOUT
    with raises_errno(zmq.ENOTSUP):
        pub.recv(zmq.DONTWAIT)


@each_transport
def test_rfc29_xpub_shall_deliver_these_commands_to_its_calling_application(socket: MakeSocket, transport: str) -> None:
    """A byte 1 or 0, then the topic. (XPUB, subscriptions)"""
    xpub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    link(xpub, sub, transport)
    want(sub, b"a")
    want(sub, b"")
    unwant(sub, b"a")
    assert receive(xpub, 3) == [b"\x01a", b"\x01", b"\x00a"]


@pytest.mark.parametrize("verbose", [0, 1])
def test_rfc29_xpub_may_normalize_commands_depending_on_configuration(socket: MakeSocket, verbose: int) -> None:
    """Identical subscriptions give one command by default and each its own with XPUB_VERBOSE. (XPUB, subscriptions)"""
    xpub, xsub = socket(zmq.XPUB, xpub_verbose=verbose), socket(zmq.XSUB)
    link(xpub, xsub)
    for _ in range(3):
        want(xsub, b"a")
    want(xsub, b"b")
    expected = [b"\x01a"] * (3 if verbose else 1) + [b"\x01b"]
    assert receive(xpub, len(expected)) == expected


@each_transport
def test_rfc29_xpub_shall_generate_an_unsubscribe_request_if_a_subscriber_disconnects(
    socket: MakeSocket, transport: str
) -> None:
    """For every topic that nobody else wants. (XPUB, subscriptions)"""
    xpub, leaving, staying = socket(zmq.XPUB), socket(zmq.SUB), socket(zmq.SUB)
    staying.connect(link(xpub, leaving, transport))
    want(leaving, b"own")
    want(leaving, b"shared")
    want(staying, b"shared")
    assert sorted(receive(xpub, 2)) == [b"\x01own", b"\x01shared"]
    want(staying, b"other")
    assert xpub.recv() == b"\x01other"
    leaving.close()
    assert xpub.recv() == b"\x00own"
    assert hears_nothing(xpub)


# --- SUB and XSUB, general behaviour ---------------------------------------------------------------------------------


@each_transport
@subscribers
@pytest.mark.parametrize("peer", ["PUB", "XPUB"])
def test_rfc29_sub_may_be_connected_to_any_number_of_publishers(
    socket: MakeSocket, transport: str, name: str, peer: str
) -> None:
    """Of either type, connecting to it or connected to. (SUB and XSUB, general)"""
    sub = socket(kind(name))
    want(sub)
    endpoint = bind(sub, transport)
    pubs = [socket(kind(peer)) for _ in range(4)]
    for pub in pubs[:2]:
        pub.connect(endpoint)
    for pub in pubs[2:]:
        link(pub, sub, transport)
    for pub in pubs:
        in_force(pub, sub)


@each_transport
def test_rfc29_sub_shall_only_receive_messages(socket: MakeSocket, transport: str) -> None:
    """Sending is not supported, not even of what XSUB would take for a subscription. (SUB, general)"""
    pub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    link(pub, sub, transport)
    with raises_errno(zmq.ENOTSUP):
        sub.send(b"\x01a", zmq.DONTWAIT)
    assert not settle(sub) & zmq.POLLOUT


@each_transport
def test_rfc29_xsub_may_both_send_and_receive_messages(socket: MakeSocket, transport: str) -> None:
    """Up to the publishers and down from them, in any order. (XSUB, general)"""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    for number in range(2):
        xsub.send(b"\x01%d" % number)
        xsub.send(b"up %d" % number)
        assert receive(xpub, 2) == [b"\x01%d" % number, b"up %d" % number]
        xpub.send(b"%d" % number)
        assert xsub.recv() == b"%d" % number


@inproc_and_tcp
@subscribers
def test_rfc29_sub_shall_maintain_an_incoming_queue_for_each_publisher(
    socket: MakeSocket, raw: RawPeers, transport: str, name: str
) -> None:
    """One publisher's backlog does not keep another's message from being read early. (SUB and XSUB, general)"""
    sub = socket(kind(name))
    want(sub)
    (chatty, terse), arrived = speakers(socket, raw, sub, transport, "PUB", 2)
    for _ in range(100):
        chatty(b"chatty")
    terse(b"terse")
    arrived()
    assert b"terse" in receive(sub, 2)


def test_rfc29_xsub_shall_queue_outgoing_and_incoming_messages_independently(socket: MakeSocket) -> None:
    """With its outgoing queue full an XSUB still receives. (XSUB, general)"""
    xpub, xsub = socket(zmq.XPUB, rcvhwm=1), socket(zmq.XSUB, sndhwm=1)
    link(xpub, xsub)
    xsub.send(b"\x01")
    assert xpub.recv() == b"\x01"
    for _ in range(5):
        xsub.send(b"up")
    xpub.send(b"down")
    assert xsub.recv() == b"down"


@each_transport
@subscribers
def test_rfc29_sub_shall_create_a_queue_when_initiating_a_connection(
    socket: MakeSocket, transport: str, name: str, tmp_path: Path
) -> None:
    """A subscriber may connect first, and its subscriptions wait for the publisher. (SUB and XSUB, general)"""
    sub, pub, bind_it = connected_first(socket, transport, tmp_path, name, "XPUB")
    want(sub, b"a")
    bind_it()
    assert pub.recv() == b"\x01a"
    pub.send(b"a")
    assert sub.recv() == b"a"


@each_transport
@subscribers
def test_rfc29_sub_shall_create_a_queue_when_a_publisher_connects(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """Every publisher that connects is subscribed to and heard. (SUB and XSUB, general)"""
    sub = socket(kind(name))
    want(sub)
    endpoint = bind(sub, transport)
    for number in range(3):
        pub = socket(zmq.PUB)
        pub.connect(endpoint)
        in_force(pub, sub)
        pub.send(b"%d" % number)
        assert sub.recv() == b"%d" % number


@inproc_and_tcp
@subscribers
def test_rfc29_sub_shall_still_deliver_what_had_arrived_from_a_publisher_that_disconnects(
    socket: MakeSocket, raw: RawPeers, transport: str, name: str
) -> None:
    """Read differently: what had arrived is delivered, then nothing more comes. (SUB and XSUB, general)"""
    sub = socket(kind(name))
    want(sub)
    if transport == "inproc":
        leaving = socket(zmq.XPUB)
        leaving.connect(bind(sub))
        settle(sub)
        assert leaving.recv() == b"\x01"
        leaving.send(b"one")
        leaving.send(b"two")
        leaving.close()
    else:
        peer = raw.connect(bind(sub, "tcp"))
        peer.handshake("PUB")
        peer.send(message(b"one"), message(b"two"))
        wait_until(lambda: sub.poll(1), "the first message")
        peer.expect(subscribe(b""))
        peer.fence()
        peer.close()
    assert receive(sub, 2) == [b"one", b"two"]
    assert hears_nothing(sub)


@subscribers
def test_rfc29_sub_should_constrain_queue_sizes_to_a_configurable_limit(socket: MakeSocket, name: str) -> None:
    """RCVHWM with the publisher's SNDHWM bounds what waits (inproc). (SUB and XSUB, general)"""
    pub, sub = socket(zmq.PUB, sndhwm=1), socket(kind(name), rcvhwm=4)
    link(pub, sub)
    want(sub)
    settle(pub)
    for number in range(20):
        pub.send(b"%d" % number)
    assert receive(sub, 5) == [b"0", b"1", b"2", b"3", b"4"]
    assert hears_nothing(sub)


# --- SUB and XSUB, incoming messages ---------------------------------------------------------------------------------


@subscribers
def test_rfc29_sub_shall_leave_discarding_to_the_publisher_when_its_queue_is_full(
    socket: MakeSocket, raw: RawPeers, name: str
) -> None:
    """Read differently: over tcp a full subscriber stops reading, so nothing that was sent is lost. (incoming)"""
    sub = socket(kind(name), rcvhwm=1)
    want(sub)
    (publish,), _ = speakers(socket, raw, sub, "tcp", "PUB", 1)
    for number in range(100):
        publish(b"%d" % number)
    assert receive(sub, 100) == [b"%d" % number for number in range(100)]


@inproc_and_tcp
@subscribers
def test_rfc29_sub_shall_receive_from_its_publishers_by_fair_queueing(
    socket: MakeSocket, raw: RawPeers, transport: str, name: str
) -> None:
    """With all queues filled each round brings one message of each publisher. (SUB and XSUB, incoming)"""
    sub = socket(kind(name))
    want(sub)
    says, arrived = speakers(socket, raw, sub, transport, "PUB", 3)
    for number, say in enumerate(says):
        for _ in range(4):
            say(b"%d" % number, b"body")
    arrived()
    assert takes_turns([int(sub.recv_multipart()[0]) for _ in range(12)], 3)


@subscribers
def test_rfc29_sub_shall_not_modify_incoming_messages(socket: MakeSocket, raw: RawPeers, name: str) -> None:
    """What a raw publisher puts on the wire is what is received. (SUB and XSUB, incoming)"""
    sub = socket(kind(name))
    want(sub)
    (publish,), _ = speakers(socket, raw, sub, "tcp", "PUB", 1)
    publish(*ODD_PARTS)
    for part in ODD_PARTS:
        publish(part)
    assert sub.recv_multipart() == ODD_PARTS
    assert receive(sub, len(ODD_PARTS)) == ODD_PARTS


@inproc_and_tcp
@subscribers
def test_rfc29_sub_may_filter_messages_by_prefix_match(
    socket: MakeSocket, raw: RawPeers, transport: str, name: str
) -> None:
    """SUB drops what does not match even if a publisher sends it; XSUB delivers it. (SUB and XSUB, incoming)"""
    sub = socket(kind(name))
    want(sub, b"a")
    if transport == "tcp":
        (publish,), arrived = speakers(socket, raw, sub, "tcp", "PUB", 1)
    else:
        (publish,), arrived = speakers(socket, raw, sub, "inproc", "PUSH", 1)  # sends without asking who wants it
    publish(b"b", b"a")
    publish(b"a", b"b")
    arrived()
    if name == "XSUB":
        assert sub.recv_multipart() == [b"b", b"a"]
    assert sub.recv_multipart() == [b"a", b"b"]


@each_transport
@subscribers
def test_rfc29_sub_shall_deliver_messages_to_its_calling_application(
    socket: MakeSocket, transport: str, name: str
) -> None:
    """An application that waits in recv is given the message, parts and all. (SUB and XSUB, incoming)"""
    pub, sub = socket(zmq.XPUB), socket(kind(name))
    link(pub, sub, transport)
    want(sub)
    assert pub.recv() == b"\x01"
    receiving = Background(sub.recv_multipart)
    assert receiving.blocks()
    pub.send_multipart([b"a", b"", b"b"])
    assert receiving.result() == [b"a", b"", b"b"]


# --- XSUB, outgoing messages -----------------------------------------------------------------------------------------


@each_transport
def test_rfc29_xsub_shall_not_modify_outgoing_messages(socket: MakeSocket, transport: str) -> None:
    """User messages arrive as they were sent. (XSUB, outgoing)"""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    parts = [part for part in ODD_PARTS if part[:1] not in (b"\x00", b"\x01")]
    xsub.send_multipart(parts)
    for part in parts:
        xsub.send(part)
    assert xpub.recv_multipart() == parts
    assert receive(xpub, len(parts)) == parts


@each_transport
def test_rfc29_xsub_shall_send_all_messages_to_all_connected_publishers(socket: MakeSocket, transport: str) -> None:
    """Each publisher gets a copy. (XSUB, outgoing)"""
    xsub = socket(zmq.XSUB)
    xpubs = [socket(zmq.XPUB) for _ in range(3)]
    for xpub in xpubs:
        link(xpub, xsub, transport)
    xsub.send_multipart([b"to", b"all"])
    for xpub in xpubs:
        assert xpub.recv_multipart() == [b"to", b"all"]


def test_rfc29_xsub_shall_silently_drop_the_message_if_the_queue_for_a_publisher_is_full(
    socket: MakeSocket,
) -> None:
    """send succeeds, the full publisher misses the message, another one gets it. (XSUB, outgoing)"""
    xsub = socket(zmq.XSUB, sndhwm=1)
    full, roomy = socket(zmq.XPUB, rcvhwm=1), socket(zmq.XPUB, rcvhwm=10)
    for xpub in (full, roomy):
        link(xpub, xsub)
    for number in range(4):
        xsub.send(b"%d" % number, zmq.DONTWAIT)
    assert receive(roomy, 4) == [b"%d" % number for number in range(4)]
    assert receive(full, 2) == [b"0", b"1"]
    assert hears_nothing(full)


@each_transport
def test_rfc29_xsub_shall_not_block_on_sending(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """Without a publisher, or with one that is not up, every send returns. (XSUB, outgoing)"""
    xsub = socket(zmq.XSUB, sndhwm=1)
    with takes(0, LIMIT):
        xsub.send(b"nobody there")
        xsub.connect(free_endpoint(transport, tmp_path))
        for _ in range(10):
            xsub.send(b"not up yet")
    assert settle(xsub) & zmq.POLLOUT


# --- SUB and XSUB, subscriptions -------------------------------------------------------------------------------------


@subscribers
def test_rfc29_sub_may_send_subscribe_and_unsubscribe_requests_to_publishers(
    socket: MakeSocket, raw: RawPeers, name: str
) -> None:
    """A raw publisher reads them: SUB's as commands (ZMTP 3.1), XSUB's as messages. (SUB and XSUB, subscriptions)"""
    sub = socket(kind(name))
    listener = raw.listen()
    sub.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("PUB")
    want(sub, b"a")
    unwant(sub, b"a")
    if name == "SUB":
        peer.expect(subscribe(b"a"), cancel(b"a"))
    else:
        peer.expect(message(b"\x01a"), message(b"\x00a"))


@each_transport
def test_rfc29_xsub_shall_accept_subscription_commands_from_its_calling_application(
    socket: MakeSocket, transport: str
) -> None:
    """Messages that begin with 1 or 0 take effect as subscription and cancellation. (XSUB, subscriptions)"""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    xsub.send(b"\x01a")
    assert xpub.recv() == b"\x01a"
    xpub.send(b"a1")
    assert xsub.recv() == b"a1"
    xsub.send(b"\x00a")
    assert xpub.recv() == b"\x00a"
    xpub.send(b"a2")
    assert hears_nothing(xsub)


@each_transport
def test_rfc29_xsub_shall_send_subscribe_and_unsubscribe_requests_to_publishers(
    socket: MakeSocket, transport: str
) -> None:
    """To all that are connected, and to those that come later what is still in force. (XSUB, subscriptions)"""
    xsub = socket(zmq.XSUB)
    xpubs = [socket(zmq.XPUB) for _ in range(2)]
    for xpub in xpubs:
        link(xpub, xsub, transport)
    for command in (b"\x01a", b"\x01b", b"\x00a"):
        xsub.send(command)
    for xpub in xpubs:
        assert receive(xpub, 3) == [b"\x01a", b"\x01b", b"\x00a"]
    late = socket(zmq.XPUB)
    link(late, xsub, transport)
    assert late.recv() == b"\x01b"
    assert hears_nothing(late)


@each_transport
def test_rfc29_xsub_should_unsubscribe_when_closing_a_connection(socket: MakeSocket, transport: str) -> None:
    """Read differently: nothing is sent, but the publisher's application hears of it. (XSUB, subscriptions)"""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    endpoint = link(xpub, xsub, transport)
    xsub.send(b"\x01a")
    xsub.send(b"\x01b")
    assert receive(xpub, 2) == [b"\x01a", b"\x01b"]
    xsub.disconnect(endpoint)
    wait_until(lambda: settle(xsub) and xpub.poll(1), "the cancellations")
    assert sorted(receive(xpub, 2)) == [b"\x00a", b"\x00b"]


def test_rfc29_xsub_sends_nothing_more_when_closing_a_connection(socket: MakeSocket, raw: RawPeers) -> None:
    """Read differently: after the subscription the next thing on the wire is the end. (XSUB, subscriptions)"""
    xsub = socket(zmq.XSUB)
    listener = raw.listen()
    xsub.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.handshake("XPUB")
    xsub.send(b"\x01a")
    peer.expect(message(b"\x01a"))
    xsub.close()
    peer.expect_close()
