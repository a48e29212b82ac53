# SPDX-License-Identifier: MPL-2.0
"""PUB and SUB: prefix subscriptions, fan-out, dropping (reference/socket-types.md 3, internals.md 6.3, 7, 8.6, 8.7)."""

from pathlib import Path

import pytest

from tests.sockets.helpers import (
    MakeSocket,
    Sock,
    bind,
    each_network,
    each_transport,
    free_endpoint,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


def linked(socket: MakeSocket, transport: str = "inproc", *topics: bytes, **options: int) -> tuple[Sock, Sock]:
    """A publisher and a subscriber to `topics`, known to be in force. XPUB, so that the test can wait for them."""
    pub, sub = socket(zmq.XPUB, **options), socket(zmq.SUB, **options)
    link(pub, sub, transport)
    subscribe(pub, sub, *topics)
    return pub, sub


def subscribe(pub: Sock, sub: Sock, *topics: bytes) -> None:
    for topic in topics:
        sub.setsockopt(zmq.SUBSCRIBE, topic)
        assert pub.recv() == b"\x01" + topic


def pub_reaches(pub: Sock, sub: Sock) -> None:
    """Publish until the subscriber hears it, then empty the subscriber. For PUB, which cannot say who subscribed."""

    def heard() -> bool:
        pub.send(b"is it on?")
        return bool(sub.poll(1))

    wait_until(heard, "the subscription to be in force")
    pub.send(b"last of these")
    while sub.recv() != b"last of these":
        pass


# --- matching --------------------------------------------------------------------------------------------------------


@each_transport
def test_a_subscription_is_a_prefix(socket: MakeSocket, transport: str) -> None:
    """Messages that begin with the subscription arrive, all others do not."""
    pub, sub = linked(socket, transport, b"ab")
    for message in (b"ab", b"a", b"abc", b"ba", b"", b"aab", b"ab\x00"):
        pub.send(message)
    assert receive(sub, 3) == [b"ab", b"abc", b"ab\x00"]
    assert is_quiet(sub)


@each_transport
def test_the_empty_subscription_matches_everything(socket: MakeSocket, transport: str) -> None:
    """SUBSCRIBE with no bytes gives all messages, empty ones included."""
    pub, sub = linked(socket, transport, b"")
    for message in (b"a", b"", b"\xff" * 300):
        pub.send(message)
    assert receive(sub, 3) == [b"a", b"", b"\xff" * 300]


def test_the_comparison_is_of_bytes(socket: MakeSocket) -> None:
    """Zero bytes, high bytes and letter case all count."""
    pub, sub = linked(socket, "inproc", b"\x00\xff", b"Ab")
    for message in (b"\x00\xff\x01", b"\x00", b"ab", b"Ab", b"\xff\x00"):
        pub.send(message)
    assert receive(sub, 2) == [b"\x00\xff\x01", b"Ab"]
    assert is_quiet(sub)


@each_transport
def test_only_the_first_part_is_matched(socket: MakeSocket, transport: str) -> None:
    """The whole message follows its first part, whatever the other parts say."""
    pub, sub = linked(socket, transport, b"yes")
    pub.send_multipart([b"no", b"yes"])
    pub.send_multipart([b"yes", b"no", b"", b"never"])
    assert sub.recv_multipart() == [b"yes", b"no", b"", b"never"]
    assert is_quiet(sub)


def test_without_a_subscription_nothing_arrives(socket: MakeSocket) -> None:
    """A new SUB filters everything out."""
    pub, sub = socket(zmq.PUB), socket(zmq.SUB)
    link(pub, sub)
    settle(sub)
    pub.send(b"unheard")
    assert is_quiet(sub)


def test_overlapping_subscriptions_give_one_copy(socket: MakeSocket) -> None:
    """A message that matches several subscriptions of one subscriber arrives once."""
    pub, sub = linked(socket, "inproc", b"", b"a", b"ab")
    pub.send(b"abc")
    pub.send(b"end")
    assert receive(sub, 2) == [b"abc", b"end"]


@pytest.mark.parametrize("size", [1, 245, 246, 247, 254, 256, 300, 5000])
@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_a_topic_may_be_long(socket: MakeSocket, transport: str, size: int) -> None:
    """Subscriptions of any length reach the publisher and match, also around the wire's one-byte length limit."""
    topic = bytes(number % 251 for number in range(size))
    pub, sub = linked(socket, transport, topic)
    pub.send(topic[:-1])
    pub.send(topic + b"!")
    assert sub.recv() == topic + b"!"
    sub.setsockopt(zmq.UNSUBSCRIBE, topic)
    assert pub.recv() == b"\x00" + topic


# --- subscribing and cancelling --------------------------------------------------------------------------------------


@each_transport
def test_unsubscribe_ends_a_subscription(socket: MakeSocket, transport: str) -> None:
    """After UNSUBSCRIBE messages of that topic no longer arrive; others still do."""
    pub, sub = linked(socket, transport, b"a", b"b")
    sub.setsockopt(zmq.UNSUBSCRIBE, b"a")
    assert pub.recv() == b"\x00a"
    pub.send(b"a")
    pub.send(b"b")
    assert sub.recv() == b"b"


def test_subscriptions_are_counted(socket: MakeSocket) -> None:
    """Subscribing twice takes two cancellations; only the second is passed on."""
    pub, sub = linked(socket, "inproc", b"a")
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    sub.setsockopt(zmq.UNSUBSCRIBE, b"a")
    assert is_quiet(pub)
    pub.send(b"a1")
    assert sub.recv() == b"a1"
    sub.setsockopt(zmq.UNSUBSCRIBE, b"a")
    assert pub.recv() == b"\x00a"
    pub.send(b"a2")
    assert is_quiet(sub)


@each_transport
def test_cancelling_what_was_not_subscribed_does_nothing(socket: MakeSocket, transport: str) -> None:
    """UNSUBSCRIBE of an unknown topic succeeds and is not sent to the publisher."""
    pub, sub = linked(socket, transport, b"ab")
    for topic in (b"x", b"a", b"abc", b""):
        sub.setsockopt(zmq.UNSUBSCRIBE, topic)
    assert is_quiet(pub)
    pub.send(b"abc")
    assert sub.recv() == b"abc"


def test_cancelling_filters_what_is_already_queued(socket: MakeSocket) -> None:
    """The subscriber filters too: a queued message whose subscription is gone is not delivered."""
    pub, sub = linked(socket, "inproc", b"a", b"b")
    pub.send_multipart([b"a", b"more"])
    pub.send(b"b")
    sub.setsockopt(zmq.UNSUBSCRIBE, b"a")
    assert sub.recv_multipart() == [b"b"]


def test_a_message_filtered_out_is_skipped_with_all_its_parts(socket: MakeSocket) -> None:
    """The parts of a rejected message are never taken for messages of their own."""
    pub, sub = linked(socket, "inproc", b"old", b"new")
    for _ in range(3):
        pub.send_multipart([b"old", b"new", b"new"])
    pub.send_multipart([b"new", b"old"])
    sub.setsockopt(zmq.UNSUBSCRIBE, b"old")
    assert sub.recv_multipart() == [b"new", b"old"]
    assert is_quiet(sub)


@each_transport
def test_every_publisher_is_told(socket: MakeSocket, transport: str) -> None:
    """Subscriptions made before and after connecting go to each connected publisher."""
    sub = socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"early")
    pubs = [socket(zmq.XPUB) for _ in range(3)]
    for pub in pubs:
        link(pub, sub, transport)
    sub.setsockopt(zmq.SUBSCRIBE, b"late")
    for pub in pubs:
        assert receive(pub, 2) == [b"\x01early", b"\x01late"]
        pub.send(b"early bird")
        assert sub.recv() == b"early bird"


@each_transport
def test_the_subscriber_may_be_the_one_that_binds(socket: MakeSocket, transport: str) -> None:
    """Subscriptions travel to publishers that connected."""
    sub, pub = socket(zmq.SUB), socket(zmq.XPUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    link(sub, pub, transport)
    settle(sub)
    # The subscriber's own thread sends the subscription: it must look at its socket for that.
    assert sub.poll(0) == 0
    wait_until(lambda: settle(sub) == 0 and pub.poll(1), "the subscription to arrive")
    assert pub.recv() == b"\x01a"
    pub.send(b"a")
    assert sub.recv() == b"a"


@each_transport
def test_a_subscriber_may_connect_before_the_publisher_binds(
    socket: MakeSocket, transport: str, tmp_path: Path
) -> None:
    """Subscriptions made meanwhile are in force once the publisher is there."""
    sub, pub = socket(zmq.SUB, reconnect_ivl=10), socket(zmq.XPUB)
    endpoint = free_endpoint(transport, tmp_path)
    sub.connect(endpoint)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    pub.bind(endpoint)
    assert pub.recv() == b"\x01a"
    pub.send(b"a")
    assert sub.recv() == b"a"


# --- PUB -------------------------------------------------------------------------------------------------------------


@each_transport
def test_pub_sends_to_every_subscriber_that_asked(socket: MakeSocket, transport: str) -> None:
    """Fan-out: one copy for each matching subscriber."""
    pub = socket(zmq.XPUB)
    endpoint = bind(pub, transport)
    subs = {topic: socket(zmq.SUB) for topic in (b"a", b"b", b"ab")}
    for topic, sub in subs.items():
        sub.connect(endpoint)
        subscribe(pub, sub, topic)
    pub.send_multipart([b"abc", b"body"])
    assert subs[b"a"].recv_multipart() == [b"abc", b"body"]
    assert subs[b"ab"].recv_multipart() == [b"abc", b"body"]
    assert is_quiet(subs[b"b"])


@each_transport
def test_plain_pub_works_like_xpub(socket: MakeSocket, transport: str) -> None:
    """PUB filters by the subscriptions it received, without showing them."""
    pub, sub = socket(zmq.PUB), socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"i")
    sub.setsockopt(zmq.SUBSCRIBE, b"l")
    link(pub, sub, transport)
    pub_reaches(pub, sub)
    pub.send(b"x")
    pub.send_multipart([b"i", b"x"])
    assert sub.recv_multipart() == [b"i", b"x"]


def test_pub_without_subscribers_drops(socket: MakeSocket) -> None:
    """With nobody there, sending succeeds at once, and POLLOUT is always set."""
    pub = socket(zmq.PUB)
    assert settle(pub) == zmq.POLLOUT
    for _ in range(3):
        pub.send_multipart([b"into", b"the void"], zmq.DONTWAIT)
    bind(pub)
    pub.send(b"still")
    assert settle(pub) == zmq.POLLOUT


def test_pub_cannot_receive(socket: MakeSocket) -> None:
    """recv on PUB fails with ENOTSUP, blocking or not, also after a subscription came."""
    pub, sub = socket(zmq.PUB), socket(zmq.SUB)
    link(pub, sub)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    for flags in (0, zmq.DONTWAIT):
        with raises_errno(zmq.ENOTSUP):
            pub.recv(flags)
    assert not settle(pub) & zmq.POLLIN


def test_sub_cannot_send(socket: MakeSocket) -> None:
    """send on SUB fails with ENOTSUP, also what would be a subscription on XSUB; POLLOUT is never set."""
    pub, sub = linked(socket, "inproc", b"a")
    for flags in (0, zmq.DONTWAIT, zmq.SNDMORE):
        with raises_errno(zmq.ENOTSUP):
            sub.send(b"\x01topic", flags)
    assert not settle(sub) & zmq.POLLOUT
    assert is_quiet(pub)


def test_a_burst_over_the_limit_loses_its_end(socket: MakeSocket) -> None:
    """A subscriber whose queue is full misses messages: of a burst the first SNDHWM + RCVHWM stay (inproc)."""
    pub, sub = socket(zmq.PUB, sndhwm=3), socket(zmq.SUB, rcvhwm=3)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(pub, sub)
    settle(pub)
    for number in range(10):
        pub.send(b"%d" % number)
    assert receive(sub, 6) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert is_quiet(sub)


def test_a_full_subscriber_does_not_disturb_the_others(socket: MakeSocket) -> None:
    """Dropping is per subscriber: who reads gets everything."""
    pub = socket(zmq.PUB, sndhwm=1)
    endpoint = bind(pub)
    slow, quick = socket(zmq.SUB, rcvhwm=1), socket(zmq.SUB, rcvhwm=1)
    for sub in (slow, quick):
        sub.setsockopt(zmq.SUBSCRIBE, b"")
        sub.connect(endpoint)
    settle(pub)
    for number in range(5):
        pub.send(b"%d" % number)
        assert quick.recv() == b"%d" % number
        settle(pub)
    assert receive(slow, 2) == [b"0", b"1"]
    assert is_quiet(slow)


def test_a_full_subscriber_is_served_again_once_it_has_read(socket: MakeSocket) -> None:
    """After draining to the low-water mark new messages arrive; those missed do not."""
    pub, sub = socket(zmq.PUB, sndhwm=2), socket(zmq.SUB, rcvhwm=2)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(pub, sub)
    settle(pub)
    for number in range(6):
        pub.send(b"%d" % number)
    assert receive(sub, 4) == [b"0", b"1", b"2", b"3"]
    settle(pub)
    pub.send(b"6")
    assert sub.recv() == b"6"


def test_a_dropped_message_is_dropped_whole(socket: MakeSocket) -> None:
    """The limit counts messages, so a subscriber never gets some parts only."""
    pub, sub = socket(zmq.PUB, sndhwm=1), socket(zmq.SUB, rcvhwm=1)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(pub, sub)
    settle(pub)
    for number in range(4):
        pub.send_multipart([b"%d" % number, b"body", b"end"])
    assert [sub.recv_multipart() for _ in range(2)] == [[b"0", b"body", b"end"], [b"1", b"body", b"end"]]
    assert is_quiet(sub)


def test_who_joins_in_the_middle_of_a_message_waits_for_the_next(socket: MakeSocket) -> None:
    """A subscriber attached between two parts gets nothing of that message."""
    pub, sub = linked(socket, "inproc", b"")
    pub.send(b"part one", zmq.SNDMORE)
    late = socket(zmq.SUB)
    late.setsockopt(zmq.SUBSCRIBE, b"")
    late.connect(last_endpoint(pub))
    settle(pub)
    pub.send(b"part two")
    pub.send_multipart([b"next", b"message"])
    assert sub.recv_multipart() == [b"part one", b"part two"]
    assert late.recv_multipart() == [b"next", b"message"]


def test_who_leaves_in_the_middle_of_a_message_disturbs_nobody(socket: MakeSocket) -> None:
    """The other subscribers still get all parts."""
    pub = socket(zmq.XPUB)
    endpoint = bind(pub)
    leaving, staying = socket(zmq.SUB), socket(zmq.SUB)
    for sub in (leaving, staying):
        sub.connect(endpoint)
        sub.setsockopt(zmq.SUBSCRIBE, b"")
    assert pub.recv() == b"\x01"
    settle(pub)
    pub.send(b"part one", zmq.SNDMORE)
    leaving.close()
    settle(pub)
    pub.send(b"part two")
    pub.send(b"next")
    assert staying.recv_multipart() == [b"part one", b"part two"]
    assert staying.recv() == b"next"


def test_sub_reads_its_publishers_in_turn(socket: MakeSocket) -> None:
    """Fair queueing over all publishers, whole messages at a time."""
    sub = socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    pubs = [socket(zmq.PUB) for _ in range(3)]
    for pub in pubs:
        link(pub, sub)
        settle(pub)
    for name, pub in zip((b"a", b"b", b"c"), pubs, strict=True):
        for number in (b"0", b"1"):
            pub.send_multipart([name, number])
    received = [b"".join(sub.recv_multipart()) for _ in range(6)]
    assert received == [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1"]


# --- INVERT_MATCHING -------------------------------------------------------------------------------------------------


@each_transport
def test_inverted_on_both_ends_gives_what_does_not_match(socket: MakeSocket, transport: str) -> None:
    """With INVERT_MATCHING on publisher and subscriber the subscriptions say what is not wanted."""
    pub, sub = linked(socket, transport, b"a", b"b", invert_matching=1)
    for message in (b"a", b"c", b"bb", b"", b"d"):
        pub.send(message)
    assert receive(sub, 3) == [b"c", b"", b"d"]
    assert is_quiet(sub)


def test_inverted_without_a_subscription_everything_is_wanted(socket: MakeSocket) -> None:
    """No subscription excludes nothing."""
    pub, sub = socket(zmq.PUB, invert_matching=1), socket(zmq.SUB, invert_matching=1)
    link(pub, sub)
    settle(pub)
    pub.send(b"anything")
    assert sub.recv() == b"anything"


@pytest.mark.parametrize("side", ["publisher", "subscriber"])
def test_inverted_on_one_end_only_nothing_gets_through(socket: MakeSocket, side: str) -> None:
    """The two ends filter independently, so contrary filters let nothing pass."""
    pub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    (pub if side == "publisher" else sub).setsockopt(zmq.INVERT_MATCHING, 1)
    link(pub, sub)
    subscribe(pub, sub, b"a")
    for message in (b"a", b"b"):
        pub.send(message)
    assert is_quiet(sub)


def test_inverting_acts_on_connections_that_exist(socket: MakeSocket) -> None:
    """INVERT_MATCHING is read at every message, not at bind."""
    pub, sub = linked(socket, "inproc", b"a")
    for sock in (pub, sub):
        sock.setsockopt(zmq.INVERT_MATCHING, 1)
    pub.send(b"a")
    pub.send(b"b")
    assert sub.recv() == b"b"
    for sock in (pub, sub):
        sock.setsockopt(zmq.INVERT_MATCHING, 0)
    pub.send(b"b")
    pub.send(b"a")
    assert sub.recv() == b"a"


# --- connecting twice ------------------------------------------------------------------------------------------------


@each_network
def test_a_repeated_connect_is_ignored(socket: MakeSocket, transport: str) -> None:
    """SUB connected twice to one text has one connection, so it gets one copy."""
    pub, sub = linked(socket, transport, b"")
    sub.connect(last_endpoint(pub))
    settle(pub)
    pub.send(b"once")
    pub.send(b"end")
    assert receive(sub, 2) == [b"once", b"end"]
    assert is_quiet(sub)


def test_a_repeated_connect_over_inproc_is_a_second_connection(socket: MakeSocket) -> None:
    """Over inproc a repeated connect is not recognised: every message comes twice."""
    pub, sub = linked(socket, "inproc", b"")
    sub.connect(last_endpoint(pub))
    settle(pub)
    pub.send(b"twice")
    assert receive(sub, 2) == [b"twice", b"twice"]
