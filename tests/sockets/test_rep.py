# SPDX-License-Identifier: MPL-2.0
"""REP: receive, then reply to whoever asked; the envelope kept aside (reference/internals.md 8.3)."""

import pytest

from tests.sockets.helpers import (
    MakeSocket,
    bind,
    each_transport,
    inproc_and_tcp,
    is_quiet,
    link,
    raises_errno,
    receive,
    settle,
)
from tests.support.target import zmq


@inproc_and_tcp
def test_sending_before_receiving_is_an_error(socket: MakeSocket, transport: str) -> None:
    """Without a request there is nobody to reply to: EFSM, connected or not."""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    with raises_errno(zmq.EFSM):
        rep.send(b"x", zmq.DONTWAIT)
    link(rep, req, transport)
    for flags in (0, zmq.DONTWAIT, zmq.SNDMORE):
        with raises_errno(zmq.EFSM):
            rep.send(b"x", flags)
    req.send(b"question")
    assert rep.recv() == b"question"


def test_receiving_twice_is_an_error(socket: MakeSocket) -> None:
    """The next request can be read only after the reply: EFSM."""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    link(rep, req)
    req.send(b"question")
    rep.recv()
    for flags in (0, zmq.DONTWAIT):
        with raises_errno(zmq.EFSM):
            rep.recv(flags)
    rep.send(b"answer")
    assert req.recv() == b"answer"


def test_replying_twice_is_an_error(socket: MakeSocket) -> None:
    """One reply to each request: EFSM."""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    link(rep, req)
    req.send(b"question")
    rep.recv()
    rep.send(b"answer")
    with raises_errno(zmq.EFSM):
        rep.send(b"another")


def test_all_parts_of_a_request_must_be_read_before_replying(socket: MakeSocket) -> None:
    """send between the parts of a request: EFSM."""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    link(rep, req)
    req.send_multipart([b"one", b"two"])
    assert rep.recv() == b"one"
    with raises_errno(zmq.EFSM):
        rep.send(b"too early")
    assert rep.recv() == b"two"
    rep.send(b"answer")
    assert req.recv() == b"answer"


def test_all_parts_of_a_reply_must_be_sent_before_receiving(socket: MakeSocket) -> None:
    """recv between the parts of a reply: EFSM."""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    link(rep, req)
    req.send(b"question")
    rep.recv()
    rep.send(b"one", zmq.SNDMORE)
    with raises_errno(zmq.EFSM):
        rep.recv()
    rep.send(b"two")
    assert req.recv_multipart() == [b"one", b"two"]


def test_events_follow_the_state(socket: MakeSocket) -> None:
    """Readable when a request waits, writable while a reply is due, never both."""
    rep, req, next_req = socket(zmq.REP), socket(zmq.REQ), socket(zmq.REQ)
    assert settle(rep) == 0
    next_req.connect(link(rep, req))
    assert settle(rep) == 0
    req.send(b"question")
    next_req.send(b"next question")
    assert settle(rep) == zmq.POLLIN
    rep.recv()
    assert settle(rep) == zmq.POLLOUT
    rep.send(b"answer")
    assert settle(rep) == zmq.POLLIN


def test_without_a_request_receiving_would_block(socket: MakeSocket) -> None:
    """EAGAIN, connected or not."""
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    with pytest.raises(zmq.Again):
        rep.recv(zmq.DONTWAIT)
    link(rep, req)
    with pytest.raises(zmq.Again):
        rep.recv(zmq.DONTWAIT)


@each_transport
@pytest.mark.parametrize("envelope", [[], [b"hop"], [b"hop 1", b"hop 2", b"\x00\x01"]], ids=len)
def test_the_envelope_goes_back_unchanged(socket: MakeSocket, transport: str, envelope: list[bytes]) -> None:
    """Everything up to the first empty frame is kept from the application and put before its reply."""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER)
    link(rep, dealer, transport)
    dealer.send_multipart([*envelope, b"", b"question", b"", b"end"])
    assert rep.recv_multipart() == [b"question", b"", b"end"]
    rep.send_multipart([b"answer", b"", b"end"])
    assert dealer.recv_multipart() == [*envelope, b"", b"answer", b"", b"end"]


@each_transport
def test_requests_without_delimiter_are_dropped(socket: MakeSocket, transport: str) -> None:
    """A message that has no empty frame, or nothing after it, is passed over without a trace."""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER)
    link(rep, dealer, transport)
    for malformed in ([b"bare"], [b"no", b"delimiter"], [b""], [b"hop", b""]):
        dealer.send_multipart(malformed)
    dealer.send_multipart([b"", b"question"])
    assert rep.recv_multipart() == [b"question"]
    rep.send(b"answer")
    assert dealer.recv_multipart() == [b"", b"answer"]
    assert is_quiet(dealer)


def test_an_empty_body_is_a_request(socket: MakeSocket) -> None:
    """After the delimiter an empty frame is data."""
    rep, dealer = socket(zmq.REP), socket(zmq.DEALER)
    link(rep, dealer)
    dealer.send_multipart([b"", b""])
    assert rep.recv_multipart() == [b""]
    rep.send(b"")
    assert dealer.recv_multipart() == [b"", b""]


@each_transport
def test_the_reply_goes_to_the_requester(socket: MakeSocket, transport: str) -> None:
    """Each of many requesters gets the answer to its own question."""
    rep = socket(zmq.REP)
    endpoint = bind(rep, transport)
    reqs = [socket(zmq.REQ) for _ in range(3)]
    for number, req in enumerate(reqs):
        req.connect(endpoint)
        req.send(b"%d" % number)
    for _ in reqs:
        rep.send(b"answer to " + rep.recv())
    for number, req in enumerate(reqs):
        assert req.recv() == b"answer to %d" % number


def test_requesters_are_served_in_turn(socket: MakeSocket) -> None:
    """Fair queueing: nobody is served twice while another waits."""
    rep = socket(zmq.REP)
    endpoint = bind(rep)
    dealers = [socket(zmq.DEALER) for _ in range(3)]
    for name, dealer in zip((b"a", b"b", b"c"), dealers, strict=True):
        dealer.connect(endpoint)
        for number in (b"0", b"1"):
            dealer.send_multipart([b"", name + number])
    served = []
    for _ in range(6):
        served.append(rep.recv())
        rep.send(b"ok")
    assert served == [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1"]


@each_transport
def test_a_reply_to_somebody_who_left_counts_as_sent(socket: MakeSocket, transport: str) -> None:
    """The reply is dropped without an error and the next requester is served."""
    rep, leaving, staying = socket(zmq.REP), socket(zmq.REQ), socket(zmq.REQ)
    endpoint = link(rep, leaving, transport)
    leaving.send(b"question")
    assert rep.recv() == b"question"
    leaving.close()
    staying.connect(endpoint)
    staying.send(b"next question")
    # Whether the end of the first connection was noticed already or not must not matter.
    rep.send_multipart([b"to", b"nobody"])
    assert rep.recv() == b"next question"
    rep.send(b"answer")
    assert staying.recv() == b"answer"


def test_who_leaves_in_the_middle_of_a_reply_disturbs_nobody(socket: MakeSocket) -> None:
    """The remaining parts are dropped and the socket goes back to receiving."""
    rep, leaving, staying = socket(zmq.REP), socket(zmq.REQ), socket(zmq.REQ)
    endpoint = link(rep, leaving)
    leaving.send(b"question")
    rep.recv()
    rep.send(b"one", zmq.SNDMORE)
    leaving.close()
    settle(rep)
    rep.send(b"two", zmq.SNDMORE)
    rep.send(b"three")
    staying.connect(endpoint)
    staying.send(b"next question")
    assert rep.recv() == b"next question"


def test_rep_never_blocks_on_a_requester_that_does_not_read(socket: MakeSocket) -> None:
    """Replies that do not fit into the requester's queue are dropped."""
    rep, dealer = socket(zmq.REP, sndhwm=1), socket(zmq.DEALER, rcvhwm=1)
    link(rep, dealer)
    for number in range(4):
        dealer.send_multipart([b"", b"%d" % number])
        assert rep.recv() == b"%d" % number
        rep.send(b"answer %d" % number, zmq.DONTWAIT)
    assert receive(dealer, 4) == [b"", b"answer 0", b"", b"answer 1"]
    assert is_quiet(dealer)
