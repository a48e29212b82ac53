# SPDX-License-Identifier: MPL-2.0
"""XPUB: subscriptions as messages, and the options that change what is shown, kept or dropped.

reference/socket-types.md 3 (PUB, XPUB) and internals.md 8.6. Several tests join sockets over inproc that would not fit
over a network (no type check there): a DEALER can so send any bytes to an XPUB, a PUSH any bytes to a SUB.
"""

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    Sock,
    bind,
    each_transport,
    inproc_and_tcp,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
    takes,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


def subscribers(xpub: Sock, socket: MakeSocket, count: int, transport: str = "inproc") -> list[Sock]:
    """`count` XSUB sockets connected to `xpub`, which binds."""
    endpoint = bind(xpub, transport)
    subs = [socket(zmq.XSUB) for _ in range(count)]
    for sub in subs:
        sub.connect(endpoint)
    return subs


# --- what is shown ---------------------------------------------------------------------------------------------------


@each_transport
def test_subscriptions_and_cancellations_are_messages(socket: MakeSocket, transport: str) -> None:
    """01 + topic for a subscription, 00 + topic for a cancellation, in order."""
    xpub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    link(xpub, sub, transport)
    for topic in (b"a", b"", b"\x00\x01"):
        sub.setsockopt(zmq.SUBSCRIBE, topic)
    sub.setsockopt(zmq.UNSUBSCRIBE, b"a")
    assert receive(xpub, 4) == [b"\x01a", b"\x01", b"\x01\x00\x01", b"\x00a"]
    assert not xpub.getsockopt(zmq.RCVMORE)


def test_a_pending_subscription_makes_the_socket_readable(socket: MakeSocket) -> None:
    """POLLIN is set while a subscription waits to be read; POLLOUT always."""
    xpub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    link(xpub, sub)
    assert settle(xpub) == zmq.POLLOUT
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    assert settle(xpub) == zmq.POLLIN | zmq.POLLOUT
    assert xpub.recv() == b"\x01a"
    assert settle(xpub) == zmq.POLLOUT


def test_xpub_without_subscribers_drops(socket: MakeSocket) -> None:
    """Sending to nobody succeeds; receiving from nobody would block."""
    xpub = socket(zmq.XPUB)
    xpub.send(b"into the void", zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        xpub.recv(zmq.DONTWAIT)


@inproc_and_tcp
def test_a_topic_is_shown_once_however_many_ask(socket: MakeSocket, transport: str) -> None:
    """Only the first subscriber of a topic and the last to cancel it are reported."""
    xpub = socket(zmq.XPUB)
    first, second = subscribers(xpub, socket, 2, transport)
    first.send(b"\x01a")
    assert xpub.recv() == b"\x01a"
    second.send(b"\x01a")
    second.send(b"\x01b")
    assert xpub.recv() == b"\x01b"
    first.send(b"\x00a")
    assert is_quiet(xpub)
    second.send(b"\x00a")
    assert xpub.recv() == b"\x00a"


def test_a_topic_is_shown_once_however_often_one_peer_asks(socket: MakeSocket) -> None:
    """Repeating a subscription shows nothing new."""
    xpub = socket(zmq.XPUB)
    (sub,) = subscribers(xpub, socket, 1)
    for message in (b"\x01a", b"\x01a", b"\x01b", b"\x01a"):
        sub.send(message)
    assert receive(xpub, 2) == [b"\x01a", b"\x01b"]
    assert is_quiet(xpub)


@each_transport
def test_a_lost_subscriber_cancels_its_topics(socket: MakeSocket, transport: str) -> None:
    """When a subscriber goes away, the topics nobody else wants are reported as cancelled."""
    xpub = socket(zmq.XPUB)
    leaving, staying = subscribers(xpub, socket, 2, transport)
    for topic in (b"a", b"b", b"c"):
        leaving.send(b"\x01" + topic)
    assert receive(xpub, 3) == [b"\x01a", b"\x01b", b"\x01c"]
    staying.send(b"\x01b")
    staying.send(b"\x01d")
    assert xpub.recv() == b"\x01d"
    leaving.close()
    assert sorted(receive(xpub, 2)) == [b"\x00a", b"\x00c"]
    assert is_quiet(xpub)
    xpub.send(b"b")
    assert staying.recv() == b"b"


@each_transport
def test_user_messages_reach_xpub(socket: MakeSocket, transport: str) -> None:
    """What an XSUB sends that is neither 00 nor 01 is delivered as it is, with all its parts."""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    xsub.send_multipart([b"hello", b"", b"world"])
    xsub.send(b"\x02x")
    xsub.send(b"")
    assert xpub.recv_multipart() == [b"hello", b"", b"world"]
    assert xpub.recv_multipart() == [b"\x02x"]
    assert xpub.recv_multipart() == [b""]


def test_pub_discards_user_messages(socket: MakeSocket) -> None:
    """PUB drops what subscribers send it and goes on working."""
    pub, xsub = socket(zmq.PUB), socket(zmq.XSUB)
    link(pub, xsub)
    xsub.send_multipart([b"hello", b"world"])
    xsub.send(b"\x01a")
    settle(pub)
    pub.send(b"a")
    assert xsub.recv() == b"a"


@pytest.mark.departs
def test_a_cancellation_by_a_stranger_is_not_shown(socket: MakeSocket) -> None:
    """A 00 topic from a peer that never subscribed changes nothing, so nothing is reported.

    libzmq shows it although others are still subscribed, so that an application could cancel upstream by mistake.
    """
    xpub, sub, stranger = socket(zmq.XPUB), socket(zmq.SUB), socket(zmq.DEALER)
    endpoint = link(xpub, sub)
    sub.setsockopt(zmq.SUBSCRIBE, b"a")
    assert xpub.recv() == b"\x01a"
    stranger.connect(endpoint)
    stranger.send(b"\x00a")
    stranger.send(b"\x00unheard of")
    stranger.send(b"done")
    assert xpub.recv() == b"done"
    xpub.send(b"a")
    assert sub.recv() == b"a"


# --- VERBOSE, VERBOSER -----------------------------------------------------------------------------------------------


def test_verbose_shows_every_subscription(socket: MakeSocket) -> None:
    """XPUB_VERBOSE reports repeated subscriptions; of the cancellations still only the last."""
    xpub = socket(zmq.XPUB, xpub_verbose=1)
    first, second = subscribers(xpub, socket, 2)
    for sub in (first, second, first):
        sub.send(b"\x01a")
    assert receive(xpub, 3) == [b"\x01a"] * 3
    second.send(b"\x00a")
    assert is_quiet(xpub)
    for _ in range(2):
        first.send(b"\x00a")
    assert xpub.recv() == b"\x00a"
    assert is_quiet(xpub)


def test_verbose_can_be_switched_while_connected(socket: MakeSocket) -> None:
    """XPUB_VERBOSE counts for the next subscription that comes in."""
    xpub = socket(zmq.XPUB)
    (sub,) = subscribers(xpub, socket, 1)
    sub.send(b"\x01a")
    assert xpub.recv() == b"\x01a"
    xpub.setsockopt(zmq.XPUB_VERBOSE, 1)
    sub.send(b"\x01a")
    assert xpub.recv() == b"\x01a"
    xpub.setsockopt(zmq.XPUB_VERBOSE, 0)
    sub.send(b"\x01a")
    assert is_quiet(xpub)


def test_verboser_shows_every_cancellation_too(socket: MakeSocket) -> None:
    """XPUB_VERBOSER reports all subscriptions and all cancellations."""
    xpub = socket(zmq.XPUB, xpub_verboser=1)
    first, second = subscribers(xpub, socket, 2)
    for sub in (first, second):
        sub.send(b"\x01a")
    assert receive(xpub, 2) == [b"\x01a"] * 2
    for sub in (first, second):
        sub.send(b"\x00a")
    assert receive(xpub, 2) == [b"\x00a"] * 2


def test_verboser_shows_all_topics_of_a_lost_subscriber(socket: MakeSocket) -> None:
    """When a subscriber goes away each of its topics is reported, also those others still want."""
    xpub = socket(zmq.XPUB, xpub_verboser=1)
    leaving, staying = subscribers(xpub, socket, 2)
    for sub in (leaving, staying):
        sub.send(b"\x01shared")
        assert xpub.recv() == b"\x01shared"
    leaving.send(b"\x01own")
    assert xpub.recv() == b"\x01own"
    leaving.close()
    assert sorted(receive(xpub, 2)) == [b"\x00own", b"\x00shared"]


@pytest.mark.parametrize("value", [0, 1])
def test_setting_verbose_takes_back_half_of_verboser(socket: MakeSocket, value: int) -> None:
    """XPUB_VERBOSE, set to any value, switches the additional cancellations off again."""
    xpub = socket(zmq.XPUB, xpub_verboser=1)
    xpub.setsockopt(zmq.XPUB_VERBOSE, value)
    first, second = subscribers(xpub, socket, 2)
    for sub in (first, second):
        sub.send(b"\x01a")
    assert receive(xpub, 1 + value) == [b"\x01a"] * (1 + value)
    first.send(b"\x00a")
    assert is_quiet(xpub)


def test_verboser_off_switches_verbose_off(socket: MakeSocket) -> None:
    """XPUB_VERBOSER = 0 leaves neither half on."""
    xpub = socket(zmq.XPUB, xpub_verbose=1)
    xpub.setsockopt(zmq.XPUB_VERBOSER, 0)
    first, second = subscribers(xpub, socket, 2)
    for sub in (first, second):
        sub.send(b"\x01a")
    assert xpub.recv() == b"\x01a"
    assert is_quiet(xpub)


# --- NODROP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PUB", "XPUB"])
def test_nodrop_refuses_instead_of_dropping(socket: MakeSocket, kind: str) -> None:
    """With XPUB_NODROP a send fails with EAGAIN when a matching subscriber is full, and goes on when it has read."""
    pub, sub = socket(getattr(zmq, kind), xpub_nodrop=1, sndhwm=2), socket(zmq.SUB, rcvhwm=2)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(pub, sub)
    settle(pub)
    for number in range(4):
        pub.send(b"%d" % number, zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        pub.send(b"refused", zmq.DONTWAIT)
    assert settle(pub) & zmq.POLLOUT  # always set, so poll is no help here
    assert receive(sub, 4) == [b"0", b"1", b"2", b"3"]
    settle(pub)
    pub.send(b"4", zmq.DONTWAIT)
    assert sub.recv() == b"4"


def test_nodrop_sends_to_all_or_to_nobody(socket: MakeSocket) -> None:
    """A refused message goes to no subscriber, not even to those with room."""
    xpub = socket(zmq.XPUB, xpub_nodrop=1, sndhwm=1)
    endpoint = bind(xpub)
    full, roomy = socket(zmq.SUB, rcvhwm=1), socket(zmq.SUB, rcvhwm=10)
    for sub in (full, roomy):
        sub.setsockopt(zmq.SUBSCRIBE, b"a")
        sub.connect(endpoint)
    settle(xpub)
    xpub.send(b"a0", zmq.DONTWAIT)
    xpub.send(b"a1", zmq.DONTWAIT)
    with pytest.raises(zmq.Again):
        xpub.send(b"a2", zmq.DONTWAIT)
    assert receive(roomy, 2) == [b"a0", b"a1"]
    assert is_quiet(roomy)


def test_nodrop_looks_at_matching_subscribers_only(socket: MakeSocket) -> None:
    """A full subscriber that does not want the message is no obstacle."""
    xpub = socket(zmq.XPUB, xpub_nodrop=1, sndhwm=1)
    endpoint = bind(xpub)
    full, other = socket(zmq.SUB, rcvhwm=1), socket(zmq.SUB, rcvhwm=1)
    full.setsockopt(zmq.SUBSCRIBE, b"a")
    other.setsockopt(zmq.SUBSCRIBE, b"b")
    for sub in (full, other):
        sub.connect(endpoint)
    settle(xpub)
    xpub.send(b"a")
    xpub.send(b"a")
    xpub.send(b"b", zmq.DONTWAIT)
    assert other.recv() == b"b"


def test_a_blocking_send_waits_with_nodrop(socket: MakeSocket) -> None:
    """It gives up after SNDTIMEO, or goes on when the subscriber has read."""
    xpub, sub = socket(zmq.XPUB, xpub_nodrop=1, sndhwm=1), socket(zmq.SUB, rcvhwm=1)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(xpub, sub)
    settle(xpub)
    xpub.send(b"0")
    xpub.send(b"1")
    timeout = xpub.getsockopt(zmq.SNDTIMEO)
    xpub.setsockopt(zmq.SNDTIMEO, QUIET)
    with takes(QUIET), pytest.raises(zmq.Again):
        xpub.send(b"too late")
    xpub.setsockopt(zmq.SNDTIMEO, timeout)
    sending = Background(lambda: xpub.send(b"2"))
    assert sending.blocks()
    assert receive(sub, 2) == [b"0", b"1"]
    sending.result()
    assert sub.recv() == b"2"


def test_who_was_skipped_before_nodrop_stays_skipped_until_it_read(socket: MakeSocket) -> None:
    """NODROP set on a live socket does not wait for a subscriber that is already marked full."""
    xpub, sub = socket(zmq.XPUB, sndhwm=1), socket(zmq.SUB, rcvhwm=1)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(xpub, sub)
    settle(xpub)
    for number in range(3):
        xpub.send(b"%d" % number)
    xpub.setsockopt(zmq.XPUB_NODROP, 1)
    xpub.send(b"3", zmq.DONTWAIT)
    assert receive(sub, 2) == [b"0", b"1"]
    settle(xpub)
    xpub.send(b"4", zmq.DONTWAIT)
    assert sub.recv() == b"4"


# --- MANUAL ----------------------------------------------------------------------------------------------------------


@each_transport
def test_in_manual_mode_requests_are_only_reported(socket: MakeSocket, transport: str) -> None:
    """With XPUB_MANUAL a subscription has no effect until the application makes one, of any topic it likes."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    (sub,) = subscribers(xpub, socket, 1, transport)
    sub.send(b"\x01A")
    assert xpub.recv() == b"\x01A"
    xpub.send(b"A")
    xpub.setsockopt(zmq.SUBSCRIBE, b"XA")
    xpub.send(b"A")
    xpub.send(b"XA")
    assert sub.recv() == b"XA"
    assert is_quiet(sub)


def test_in_manual_mode_cancellations_are_only_reported(socket: MakeSocket) -> None:
    """The application ends a subscription with UNSUBSCRIBE, whatever topic the peer named."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    (sub,) = subscribers(xpub, socket, 1)
    sub.send(b"\x01A")
    assert xpub.recv() == b"\x01A"
    xpub.setsockopt(zmq.SUBSCRIBE, b"XA")
    sub.send(b"\x00A")
    assert xpub.recv() == b"\x00A"
    xpub.send(b"XA1")
    assert sub.recv() == b"XA1"
    xpub.setsockopt(zmq.UNSUBSCRIBE, b"XA")
    xpub.send(b"XA2")
    assert is_quiet(sub)


def test_manual_subscriptions_are_for_the_peer_read_last(socket: MakeSocket) -> None:
    """SUBSCRIBE acts on the pipe whose request the application read last, not on the one that sent last."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    first, second = subscribers(xpub, socket, 2)
    first.send(b"\x01A")
    settle(xpub)
    second.send(b"\x01B")
    settle(xpub)
    assert xpub.recv() == b"\x01A"
    xpub.setsockopt(zmq.SUBSCRIBE, b"for the first")
    assert xpub.recv() == b"\x01B"
    xpub.setsockopt(zmq.SUBSCRIBE, b"for the second")
    xpub.send(b"for the second")
    xpub.send(b"for the first")
    assert first.recv() == b"for the first"
    assert second.recv() == b"for the second"
    assert is_quiet(first)
    assert is_quiet(second)


def test_in_manual_mode_every_request_is_reported(socket: MakeSocket) -> None:
    """Duplicates are not held back: each request is the application's to decide."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    first, second = subscribers(xpub, socket, 2)
    for sub in (first, second):
        sub.send(b"\x01A")
        assert xpub.recv() == b"\x01A"
    for sub in (first, second):
        sub.send(b"\x00A")
        assert xpub.recv() == b"\x00A"


def test_in_manual_mode_a_lost_subscriber_is_reported(socket: MakeSocket) -> None:
    """Every topic it had asked for is reported as cancelled; what the application had subscribed for it ends."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    leaving, staying = subscribers(xpub, socket, 2)
    for sub in (staying, leaving):
        sub.send(b"\x01A")
        assert xpub.recv() == b"\x01A"
        xpub.setsockopt(zmq.SUBSCRIBE, b"XA")
    leaving.close()
    assert xpub.recv() == b"\x00A"
    xpub.send(b"XA")
    assert staying.recv() == b"XA"


def test_manual_subscribe_before_any_request_has_no_effect(socket: MakeSocket) -> None:
    """With no request read yet the option is accepted and does nothing."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    (sub,) = subscribers(xpub, socket, 1)
    settle(xpub)
    xpub.setsockopt(zmq.SUBSCRIBE, b"A")
    xpub.setsockopt(zmq.UNSUBSCRIBE, b"A")
    xpub.send(b"A")
    assert is_quiet(sub)


@pytest.mark.parametrize("option", ["SUBSCRIBE", "UNSUBSCRIBE"])
@pytest.mark.parametrize("kind", ["XPUB", "PUB", "XSUB"])
def test_subscribing_by_option_needs_manual_mode(socket: MakeSocket, kind: str, option: str) -> None:
    """Outside manual mode SUBSCRIBE and UNSUBSCRIBE belong to SUB: EINVAL."""
    sock = socket(getattr(zmq, kind))
    with raises_errno(zmq.EINVAL):
        sock.setsockopt(getattr(zmq, option), b"A")


def test_leaving_manual_mode(socket: MakeSocket) -> None:
    """With XPUB_MANUAL back at 0 new requests take effect by themselves again."""
    xpub = socket(zmq.XPUB, xpub_manual=1)
    (sub,) = subscribers(xpub, socket, 1)
    sub.send(b"\x01A")
    assert xpub.recv() == b"\x01A"
    xpub.setsockopt(zmq.XPUB_MANUAL, 0)
    sub.send(b"\x01B")
    assert xpub.recv() == b"\x01B"
    xpub.send(b"A")
    xpub.send(b"B")
    assert sub.recv() == b"B"


def test_manual_mode_silences_pub(socket: MakeSocket) -> None:
    """PUB takes the option too; as nobody can read the requests there, nothing is sent any more."""
    pub, sub = socket(zmq.PUB, xpub_manual=1), socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    link(pub, sub)
    settle(pub)
    pub.send(b"unheard")
    assert is_quiet(sub)


def test_last_value_mode_answers_the_new_subscriber_alone(socket: MakeSocket) -> None:
    """XPUB_MANUAL_LAST_VALUE: the first message after a request goes only to that peer, the next to all again."""
    xpub = socket(zmq.XPUB, xpub_manual_last_value=1)
    first, second = subscribers(xpub, socket, 2)
    for sub in (first, second):
        sub.send(b"\x01A")
        assert xpub.recv() == b"\x01A"
        xpub.setsockopt(zmq.SUBSCRIBE, b"A")
    xpub.send(b"A, cached")
    xpub.send(b"A, live")
    assert first.recv() == b"A, live"
    assert receive(second, 2) == [b"A, cached", b"A, live"]


def test_last_value_mode_sends_nothing_to_a_peer_that_does_not_match(socket: MakeSocket) -> None:
    """The first message after a request is lost when the topic is not the peer's."""
    xpub = socket(zmq.XPUB, xpub_manual_last_value=1)
    first, second = subscribers(xpub, socket, 2)
    for sub, topic in ((first, b"A"), (second, b"B")):
        sub.send(b"\x01" + topic)
        assert xpub.recv() == b"\x01" + topic
        xpub.setsockopt(zmq.SUBSCRIBE, topic)
    xpub.send(b"A, cached")
    xpub.send(b"A, live")
    assert first.recv() == b"A, live"
    assert is_quiet(second)


# --- WELCOME_MSG -----------------------------------------------------------------------------------------------------


@each_transport
def test_a_new_subscriber_is_welcomed(socket: MakeSocket, transport: str) -> None:
    """XPUB_WELCOME_MSG comes first, before anything was published; it must pass the subscriber's own filter."""
    xpub = socket(zmq.XPUB, xpub_welcome_msg=b"Welcome!")
    endpoint = bind(xpub, transport)
    polite, deaf = socket(zmq.SUB), socket(zmq.SUB)
    polite.setsockopt(zmq.SUBSCRIBE, b"W")
    deaf.setsockopt(zmq.SUBSCRIBE, b"x")
    for sub in (polite, deaf):
        sub.connect(endpoint)
    assert sorted(receive(xpub, 2)) == [b"\x01W", b"\x01x"]
    xpub.send(b"xyz")
    assert polite.recv() == b"Welcome!"
    assert deaf.recv() == b"xyz"


def test_xsub_is_welcomed_without_subscribing(socket: MakeSocket) -> None:
    """The publisher sends it unfiltered, and XSUB does not filter either."""
    xpub = socket(zmq.XPUB, xpub_welcome_msg=b"Welcome!")
    (xsub,) = subscribers(xpub, socket, 1)
    settle(xpub)
    assert xsub.recv() == b"Welcome!"


def test_the_welcome_message_can_be_changed_and_taken_back(socket: MakeSocket) -> None:
    """The value counts when a subscriber is attached; an empty one means no message."""
    xpub = socket(zmq.XPUB, xpub_welcome_msg=b"one")
    subs = subscribers(xpub, socket, 1)
    settle(xpub)
    for welcome in (b"two", b""):
        xpub.setsockopt(zmq.XPUB_WELCOME_MSG, welcome)
        subs.append(socket(zmq.XSUB))
        subs[-1].connect(last_endpoint(xpub))
        settle(xpub)
    assert subs[0].recv() == b"one"
    assert subs[1].recv() == b"two"
    assert is_quiet(subs[2])


@inproc_and_tcp
def test_pub_welcomes_too(socket: MakeSocket, transport: str) -> None:
    """The option works on PUB as well."""
    pub, sub = socket(zmq.PUB, xpub_welcome_msg=b"Welcome!"), socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"W")
    link(pub, sub, transport)
    wait_until(lambda: settle(pub) and sub.poll(1), "the welcome")
    assert sub.recv() == b"Welcome!"


# --- ONLY_FIRST_SUBSCRIBE, TOPICS_COUNT ------------------------------------------------------------------------------


@inproc_and_tcp
def test_every_part_may_be_a_subscription(socket: MakeSocket, transport: str) -> None:
    """Without ONLY_FIRST_SUBSCRIBE a later part beginning with 01 subscribes."""
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    xsub.send_multipart([b"data", b"\x01topic"])
    assert xpub.recv_multipart() == [b"data", b"\x01topic"]
    xpub.send(b"topic")
    assert xsub.recv() == b"topic"


PARTS = {
    "at the beginning": ([b"\1hi", b"x"], [[b"\1hi"], [b"x"]]),
    "two": ([b"\1a", b"\1b"], [[b"\1a"], [b"\1b"]]),
    "in the middle": ([b"u", b"\1w", b"x"], [[b"u", b"\1w"], [b"x"]]),
    "at the end": ([b"u", b"v", b"\1w"], [[b"u", b"v", b"\1w"]]),
    "a cancellation nobody has": ([b"\0a", b"z", b"y"], [[b"z", b"y"]]),
}


@inproc_and_tcp
@pytest.mark.parametrize("name", PARTS)
def test_a_subscription_ends_a_message(socket: MakeSocket, transport: str, name: str) -> None:
    """Whatever parts were sent after it, as libzmq gives a notification no MORE."""
    sent, given = PARTS[name]
    xpub, xsub = socket(zmq.XPUB), socket(zmq.XSUB)
    link(xpub, xsub, transport)
    xsub.send_multipart(sent)
    xsub.send(b"end")
    assert [xpub.recv_multipart() for _ in given] == given
    assert xpub.recv_multipart() == [b"end"]


@inproc_and_tcp
def test_only_the_first_part_may_be_a_subscription(socket: MakeSocket, transport: str) -> None:
    """With ONLY_FIRST_SUBSCRIBE the parts after an ordinary first part are data."""
    xpub, xsub = socket(zmq.XPUB, only_first_subscribe=1), socket(zmq.XSUB, only_first_subscribe=1)
    link(xpub, xsub, transport)
    xsub.send_multipart([b"data", b"\x01topic"])
    assert xpub.recv_multipart() == [b"data", b"\x01topic"]
    xpub.send(b"topic")
    assert is_quiet(xsub)
    xsub.send_multipart([b"\x01topic"])
    assert xpub.recv() == b"\x01topic"
    xpub.send(b"topic")
    assert xsub.recv() == b"topic"


@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_topics_count_counts_distinct_subscriptions(socket: MakeSocket, transport: str) -> None:
    """TOPICS_COUNT is the number of different topics, on either side."""
    xpub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    assert xpub.getsockopt(zmq.TOPICS_COUNT) == sub.getsockopt(zmq.TOPICS_COUNT) == 0
    link(xpub, sub, transport)
    for topic in (b"a", b"b", b"a", b"ab"):
        sub.setsockopt(zmq.SUBSCRIBE, topic)
    receive(xpub, 3)
    assert xpub.getsockopt(zmq.TOPICS_COUNT) == sub.getsockopt(zmq.TOPICS_COUNT) == 3
    sub.setsockopt(zmq.UNSUBSCRIBE, b"b")
    assert xpub.recv() == b"\x00b"
    assert xpub.getsockopt(zmq.TOPICS_COUNT) == sub.getsockopt(zmq.TOPICS_COUNT) == 2
