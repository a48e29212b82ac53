# SPDX-License-Identifier: MPL-2.0
"""REQ: strict alternation, the delimiter, and what RELAXED and CORRELATE change (reference/internals.md 8.1)."""

import sys

import pytest

from tests.sockets.helpers import (
    QUIET,
    MakeSocket,
    MakeWatch,
    Sock,
    bind,
    each_network,
    each_transport,
    inproc_and_tcp,
    inproc_name,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    refuses_to_send,
    settle,
    takes,
)
from tests.support.target import zmq
from tests.support.waiting import wait_until


def answer(router: Sock, *body: bytes) -> list[bytes]:
    """Let a ROUTER receive a request and answer it; returns the request without its envelope."""
    request: list[bytes] = router.recv_multipart()
    end_of_envelope = request.index(b"") + 1
    router.send_multipart([*request[:end_of_envelope], *body])
    return request[end_of_envelope:]


def known_requester(req: Sock, *routers: Sock) -> None:
    """Join REQ, which has a ROUTING_ID, to several routers that then know it."""
    for router in routers:
        link(router, req)
        settle(router)


# --- alternation -----------------------------------------------------------------------------------------------------


@each_transport
def test_requests_and_replies_alternate(socket: MakeSocket, transport: str) -> None:
    """send, recv, send, recv: each reply belongs to the request before it."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req, transport)
    for number in range(3):
        req.send(b"question %d" % number)
        assert rep.recv() == b"question %d" % number
        rep.send(b"answer %d" % number)
        assert req.recv() == b"answer %d" % number


@each_transport
def test_requests_and_replies_may_have_many_parts(socket: MakeSocket, transport: str) -> None:
    """All parts of both arrive, empty ones too."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req, transport)
    req.send_multipart([b"", b"a", b"", b"b"])
    assert rep.recv_multipart() == [b"", b"a", b"", b"b"]
    rep.send_multipart([b"x", b"", b"y", b""])
    assert req.recv_multipart() == [b"x", b"", b"y", b""]


def test_receiving_before_sending_is_an_error(socket: MakeSocket) -> None:
    """recv without a request outstanding fails with EFSM and leaves the socket usable."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req)
    for flags in (0, zmq.DONTWAIT):
        with raises_errno(zmq.EFSM):
            req.recv(flags)
    req.send(b"question")
    assert rep.recv() == b"question"


def test_sending_twice_is_an_error(socket: MakeSocket) -> None:
    """A second send before the reply fails with EFSM; the reply to the first still comes."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req)
    req.send(b"one")
    for flags in (0, zmq.DONTWAIT, zmq.SNDMORE):
        with raises_errno(zmq.EFSM):
            req.send(b"two", flags)
    assert rep.recv() == b"one"
    rep.send(b"reply")
    assert req.recv() == b"reply"
    with raises_errno(zmq.EFSM):
        req.recv()


def test_a_request_begun_must_be_finished_before_receiving(socket: MakeSocket) -> None:
    """Between the parts of a request recv is EFSM."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req)
    req.send(b"part one", zmq.SNDMORE)
    with raises_errno(zmq.EFSM):
        req.recv()
    req.send(b"part two")
    assert rep.recv_multipart() == [b"part one", b"part two"]


def test_a_reply_begun_must_be_read_before_sending(socket: MakeSocket) -> None:
    """Between the parts of a reply send is EFSM."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    link(rep, req)
    req.send(b"question")
    rep.recv()
    rep.send_multipart([b"part one", b"part two"])
    assert req.recv() == b"part one"
    with raises_errno(zmq.EFSM):
        req.send(b"too early")
    assert req.recv() == b"part two"
    req.send(b"now")
    assert rep.recv() == b"now"


def test_events_follow_the_state(socket: MakeSocket) -> None:
    """Writable until the request is sent, readable once the reply is there, never both."""
    req, rep = socket(zmq.REQ), socket(zmq.REP)
    assert settle(req) == 0
    link(rep, req)
    assert settle(req) == zmq.POLLOUT
    req.send(b"question")
    assert settle(req) == 0
    rep.recv()
    rep.send(b"answer")
    assert settle(req) == zmq.POLLIN
    req.recv()
    assert settle(req) == zmq.POLLOUT


# --- peers -----------------------------------------------------------------------------------------------------------


def test_without_a_peer_sending_blocks(socket: MakeSocket) -> None:
    """EAGAIN at once or after SNDTIMEO, and the request can be sent later."""
    req, rep = socket(zmq.REQ, sndtimeo=QUIET), socket(zmq.REP)
    req.bind(inproc_name())
    assert refuses_to_send(req)
    with takes(QUIET), pytest.raises(zmq.Again):
        req.send(b"x")
    rep.connect(last_endpoint(req))
    settle(req)
    req.send(b"now")
    assert rep.recv() == b"now"


@each_transport
def test_requests_go_to_the_peers_in_turn(socket: MakeSocket, transport: str) -> None:
    """Round robin over all connections, one request each."""
    req = socket(zmq.REQ)
    reps = [socket(zmq.REP) for _ in range(3)]
    for rep in reps:
        link(rep, req, transport)
    for turn in range(2):
        for number, rep in enumerate(reps):
            req.send(b"%d.%d" % (turn, number))
            assert rep.recv() == b"%d.%d" % (turn, number)
            rep.send(b"done")
            assert req.recv() == b"done"


@each_transport
def test_a_request_begins_with_an_empty_frame(socket: MakeSocket, transport: str) -> None:
    """A ROUTER sees its routing id, the delimiter, the body."""
    req, router = socket(zmq.REQ, routing_id=b"me"), socket(zmq.ROUTER)
    link(router, req, transport)
    req.send_multipart([b"a", b"b"])
    assert router.recv_multipart() == [b"me", b"", b"a", b"b"]


def test_only_the_peer_that_was_asked_may_answer(socket: MakeSocket) -> None:
    """A reply-shaped message from another peer is thrown away."""
    req = socket(zmq.REQ, routing_id=b"me")
    asked, other = socket(zmq.ROUTER), socket(zmq.ROUTER)
    known_requester(req, asked, other)
    req.send(b"question")
    other.send_multipart([b"me", b"", b"not you"])
    assert asked.recv_multipart() == [b"me", b"", b"question"]
    asked.send_multipart([b"me", b"", b"answer"])
    assert req.recv() == b"answer"


def test_what_came_unasked_is_thrown_away(socket: MakeSocket) -> None:
    """Messages queued before the request was sent are not taken for its reply."""
    req, router = socket(zmq.REQ, routing_id=b"me"), socket(zmq.ROUTER)
    known_requester(req, router)
    router.send_multipart([b"me", b"", b"unasked"])
    req.send(b"question")
    assert router.recv_multipart() == [b"me", b"", b"question"]
    router.send_multipart([b"me", b"", b"answer"])
    assert req.recv() == b"answer"


def test_replies_without_delimiter_are_skipped(socket: MakeSocket) -> None:
    """Over inproc, where nothing checks the peer, a malformed reply is passed over and the wait goes on."""
    req, router = socket(zmq.REQ), socket(zmq.ROUTER)
    link(router, req)
    req.send(b"question")
    (me, *_) = router.recv_multipart()
    for malformed in ([b"bare"], [b"no", b"delimiter"], [b"no", b"", b"delimiter first"], [b""]):
        router.send_multipart([me, *malformed])
    assert is_quiet_for_recv(req)
    router.send_multipart([me, b"", b"answer"])
    assert req.recv() == b"answer"


def is_quiet_for_recv(req: Sock) -> bool:
    """POLLIN of a REQ may be a false alarm, so only recv tells."""
    timeout = req.getsockopt(zmq.RCVTIMEO)
    req.setsockopt(zmq.RCVTIMEO, QUIET)
    with pytest.raises(zmq.Again):
        req.recv()
    req.setsockopt(zmq.RCVTIMEO, timeout)
    return True


@each_network
def test_a_malformed_reply_over_a_network_ends_the_connection(
    socket: MakeSocket, watch: MakeWatch, transport: str
) -> None:
    """The session checks the structure of replies; a violation is a protocol error, so there is no reconnect."""
    req, router = socket(zmq.REQ, reconnect_ivl=1), socket(zmq.ROUTER)
    link(router, req, transport)
    req.send(b"question")
    (me, *_) = router.recv_multipart()
    events = watch(req)
    router.send_multipart([me, b"no delimiter"])
    events.wait(zmq.EVENT_DISCONNECTED)
    assert events.is_quiet(zmq.EVENT_CONNECTED)
    assert is_quiet_for_recv(req)


def test_a_lost_peer_leaves_the_request_unanswered(socket: MakeSocket) -> None:
    """REQ does not send again to somebody else: it goes on waiting and refuses a second request."""
    req, dying, spare = socket(zmq.REQ), socket(zmq.REP), socket(zmq.REP)
    link(dying, req)
    link(spare, req)
    req.send(b"question")
    assert dying.recv() == b"question"
    dying.close()
    assert is_quiet_for_recv(req)
    assert is_quiet(spare)
    with raises_errno(zmq.EFSM):
        req.send(b"again")


def test_after_its_peer_was_lost_any_peer_may_answer(socket: MakeSocket) -> None:
    """With the asked peer's pipe gone REQ no longer knows whom it asked and takes a reply from anyone."""
    req = socket(zmq.REQ, routing_id=b"me")
    asked, other = socket(zmq.ROUTER), socket(zmq.ROUTER)
    known_requester(req, asked, other)
    req.send(b"question")
    asked.close()
    req.setsockopt(zmq.RCVTIMEO, QUIET)

    def answered() -> bool:
        other.send_multipart([b"me", b"", b"somebody else's answer"])
        try:
            return bool(req.recv() == b"somebody else's answer")
        except zmq.Again:  # the end of the asked peer was not noticed yet
            return False

    wait_until(answered, "somebody else's answer")


@each_network
def test_a_repeated_connect_is_ignored(socket: MakeSocket, transport: str) -> None:
    """REQ connected twice to one text has one connection, so the turn passes to the other peer at once."""
    req, twice, once = socket(zmq.REQ), socket(zmq.REP), socket(zmq.REP)
    req.connect(link(twice, req, transport))
    link(once, req, transport)
    for rep in (twice, once, twice, once):
        req.send(b"question")
        assert rep.recv() == b"question"
        rep.send(b"answer")
        assert req.recv() == b"answer"


# --- REQ_CORRELATE ---------------------------------------------------------------------------------------------------


@inproc_and_tcp
def test_correlated_requests_carry_a_counter(socket: MakeSocket, transport: str) -> None:
    """REQ_CORRELATE puts a 4-byte number before the delimiter, one higher with every request (host byte order)."""
    req, router = socket(zmq.REQ, req_correlate=1), socket(zmq.ROUTER)
    link(router, req, transport)
    numbers = []
    for _ in range(3):
        req.send(b"question")
        me, number, delimiter, body = router.recv_multipart()
        assert (len(number), delimiter, body) == (4, b"", b"question")
        numbers.append(int.from_bytes(number, sys.byteorder))
        router.send_multipart([me, number, b"", b"answer"])
        assert req.recv() == b"answer"
    assert [(number - numbers[0]) % 2**32 for number in numbers] == [0, 1, 2]


@each_transport
def test_correlated_requests_are_answered_by_rep(socket: MakeSocket, transport: str) -> None:
    """REP returns the number with the envelope and does not show it."""
    req, rep = socket(zmq.REQ, req_correlate=1), socket(zmq.REP)
    link(rep, req, transport)
    req.send_multipart([b"a", b"b"])
    assert rep.recv_multipart() == [b"a", b"b"]
    rep.send_multipart([b"c", b"d"])
    assert req.recv_multipart() == [b"c", b"d"]


@inproc_and_tcp
def test_replies_with_a_wrong_number_are_skipped(socket: MakeSocket, transport: str) -> None:
    """Only the reply that carries the number of the request is taken."""
    req, router = socket(zmq.REQ, req_correlate=1), socket(zmq.ROUTER)
    link(router, req, transport)
    req.send(b"question")
    me, number, _, _ = router.recv_multipart()
    wrong = bytes([number[0] ^ 1]) + number[1:]
    router.send_multipart([me, wrong, b"", b"wrong", b"parts"])
    router.send_multipart([me, b"", b"without"])
    router.send_multipart([me, number, b"", b"right"])
    assert req.recv() == b"right"


# --- REQ_RELAXED -----------------------------------------------------------------------------------------------------


@each_transport
def test_relaxed_allows_another_request(socket: MakeSocket, transport: str) -> None:
    """REQ_RELAXED: a new request may be sent before the reply; it goes to the next peer."""
    req = socket(zmq.REQ, req_relaxed=1, req_correlate=1)
    first, second = socket(zmq.REP), socket(zmq.REP)
    link(first, req, transport)
    link(second, req, transport)
    req.send(b"one")
    assert first.recv() == b"one"
    req.send(b"two")
    assert second.recv() == b"two"
    first.send(b"late")
    second.send(b"answer")
    assert req.recv() == b"answer"


@inproc_and_tcp
def test_a_late_reply_is_not_taken_for_the_new_one(socket: MakeSocket, transport: str) -> None:
    """With REQ_CORRELATE as well, the reply to an abandoned request is passed over, also from the same peer."""
    req, router = socket(zmq.REQ, req_relaxed=1, req_correlate=1), socket(zmq.ROUTER)
    link(router, req, transport)
    req.send(b"one")
    first = router.recv_multipart()
    req.send(b"two")
    second = router.recv_multipart()
    router.send_multipart([*first[:-1], b"late"])
    router.send_multipart([*second[:-1], b"answer"])
    assert req.recv() == b"answer"


def test_relaxed_alone_may_hand_over_a_late_reply(socket: MakeSocket) -> None:
    """Without REQ_CORRELATE nothing tells the replies of one peer apart."""
    req, router = socket(zmq.REQ, req_relaxed=1), socket(zmq.ROUTER)
    link(router, req)
    req.send(b"one")
    me, *_ = router.recv_multipart()
    req.send(b"two")
    assert router.recv_multipart()[1:] == [b"", b"two"]
    router.send_multipart([me, b"", b"late"])
    assert req.recv() == b"late"


def test_a_reply_that_came_before_the_new_request_is_thrown_away(socket: MakeSocket) -> None:
    """Sending empties the queue first, so what is already there is never taken for the new reply."""
    req, router = socket(zmq.REQ, req_relaxed=1), socket(zmq.ROUTER)
    link(router, req)
    req.send(b"one")
    answer(router, b"never read")
    assert settle(req) & zmq.POLLIN
    req.send(b"two")
    assert answer(router, b"answer") == [b"two"]
    assert req.recv() == b"answer"


def test_relaxed_recovers_from_a_lost_peer(socket: MakeSocket) -> None:
    """After the asked peer died the next request goes to another one."""
    req = socket(zmq.REQ, req_relaxed=1, req_correlate=1)
    dying, spare = socket(zmq.REP), socket(zmq.REP)
    link(dying, req)
    link(spare, req)
    req.send(b"one")
    assert dying.recv() == b"one"
    dying.close()
    req.send(b"two")
    assert spare.recv() == b"two"
    spare.send(b"answer")
    assert req.recv() == b"answer"


def test_relaxed_still_needs_a_request_before_receiving(socket: MakeSocket) -> None:
    """REQ_RELAXED lifts only the restriction on sending."""
    req, rep = socket(zmq.REQ, req_relaxed=1), socket(zmq.REP)
    link(rep, req)
    with raises_errno(zmq.EFSM):
        req.recv()


def test_relaxed_is_writable_while_waiting(socket: MakeSocket) -> None:
    """POLLOUT stays set, since a new request would be accepted."""
    req, rep = socket(zmq.REQ, req_relaxed=1), socket(zmq.REP)
    endpoint = bind(rep)
    req.connect(endpoint)
    req.send(b"one")
    assert settle(req) == zmq.POLLOUT
