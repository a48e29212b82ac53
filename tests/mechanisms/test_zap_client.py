# SPDX-License-Identifier: MPL-2.0
"""What is asked of a ZAP handler, and what is made of its answers; told on NULL, which adds least of its own."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.constants import Event, SocketType
from libzmq_py.mechanisms.mechanism import MechanismError, Status
from libzmq_py.mechanisms.null import NullMechanism
from libzmq_py.metadata import add_property
from tests.mechanisms.fakes import FakeHost, options, reply

READY = b"\5READY" + add_property("Socket-Type", b"DEALER") + add_property("Identity", b"")


def null(host: FakeHost, **changes: object) -> NullMechanism:
    """A NULL mechanism that has a domain."""
    return NullMechanism(options(SocketType.DEALER, **{"zap_domain": b"global", **changes}), host)


def test_the_request() -> None:
    """Delimiter, version, id, domain, address, our own routing id, mechanism; NULL has no credentials."""
    host = FakeHost()
    assert null(host, routing_id=b"SRV").next_handshake_command() is None
    assert host.requests == [(b"", b"1.0", b"1", b"global", b"192.0.2.1", b"SRV", b"NULL")]


def test_it_is_asked_once() -> None:
    """While the answer is due, nothing is said and nothing is asked again."""
    host = FakeHost()
    mechanism = null(host)
    for _ in range(3):
        assert mechanism.next_handshake_command() is None
    assert len(host.requests) == 1
    assert mechanism.step == "waiting for the ZAP handler"


def test_without_a_domain_nobody_is_asked() -> None:
    """NULL by itself knows no ZAP."""
    host = FakeHost()
    assert null(host, zap_domain=b"").next_handshake_command() == READY
    assert host.requests == []


@pytest.mark.parametrize("at_once", [True, False])
def test_an_accepted_peer(at_once: bool) -> None:
    """200: READY, whether the reply is there at once or comes later."""
    host = FakeHost([reply()] if at_once else [None, reply()])
    mechanism = null(host)
    command = mechanism.next_handshake_command()
    if not at_once:
        assert command is None
        mechanism.zap_msg_available()
        command = mechanism.next_handshake_command()
    assert command == READY
    assert host.refusals == []


@pytest.mark.parametrize("status", [b"300", b"400", b"500"])
def test_a_refused_peer(status: bytes) -> None:
    """ERROR with the status in place of READY, nothing for 300; the refusal is reported with its text."""
    host = FakeHost([reply(status, text=b"no \xff")])
    mechanism = null(host)
    expected = None if status == b"300" else b"\5ERROR\3" + status
    assert mechanism.next_handshake_command() == expected
    assert mechanism.next_handshake_command() is None
    assert host.refusals == [(int(status), "no \\xff")]
    assert mechanism.refusal == status
    assert mechanism.status is Status.HANDSHAKING
    mechanism.process_handshake_command(READY)
    assert mechanism.status is Status.ERROR


BAD_REPLIES = {
    "no frame": ((), Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY),
    "too few": (reply()[:6], Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY),
    "too many": ((*reply(), b""), Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY),
    "too many, and no delimiter": ((*reply(delimiter=b"x"), b""), Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY),
    "delimiter": (reply(delimiter=b"x", version=b"2.0"), Event.PROTOCOL_ERROR_ZAP_UNSPECIFIED),
    "version": (reply(version=b"2.0", id=b"9"), Event.PROTOCOL_ERROR_ZAP_BAD_VERSION),
    "longer version": (reply(version=b"1.0.0"), Event.PROTOCOL_ERROR_ZAP_BAD_VERSION),
    "no version": (reply(version=b""), Event.PROTOCOL_ERROR_ZAP_BAD_VERSION),
    "id": (reply(id=b"9", status=b"201"), Event.PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID),
    "no id": (reply(id=b""), Event.PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID),
    "status 201": (reply(b"201", metadata=b"x"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "status 100": (reply(b"100"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "status 600": (reply(b"600"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "status of four": (reply(b"2000"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "status with a newline": (reply(b"200\n"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "status of one": (reply(b"2"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "no status": (reply(b""), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
    "metadata": (reply(metadata=b"x"), Event.PROTOCOL_ERROR_ZAP_INVALID_METADATA),
    "metadata of a refusal": (reply(b"400", metadata=b"x"), Event.PROTOCOL_ERROR_ZAP_INVALID_METADATA),
    "socket type": (reply(metadata=add_property("Socket-Type", b"PUB")), Event.PROTOCOL_ERROR_ZAP_INVALID_METADATA),
}


@pytest.mark.parametrize(("frames", "code"), BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
def test_a_reply_that_is_none(frames: tuple[bytes, ...], code: int) -> None:
    """Each has its event; where two things are wrong, that of the first frame."""
    host = FakeHost([frames])
    with pytest.raises(MechanismError, match="ZAP") as caught:
        null(host).next_handshake_command()
    assert caught.value.protocol_error == code
    assert host.refusals == []


def test_what_the_handler_tells_of_the_peer() -> None:
    """The user id, then the metadata; a User-Id among the metadata comes too late to count."""
    metadata = add_property("User-Id", b"forged") + add_property("X-k", b"v")
    mechanism = null(FakeHost([reply(metadata=metadata)]))
    mechanism.next_handshake_command()
    assert list(mechanism.zap_properties) == [("User-Id", b"user"), ("User-Id", b"forged"), ("X-k", b"v")]


def test_a_handler_may_name_the_peer() -> None:
    """As libzmq has it: an Identity among the metadata is the peer's routing id, unless the peer's own comes later."""
    mechanism = null(FakeHost([reply(metadata=add_property("Identity", b"named"))]), recv_routing_id=True)
    mechanism.next_handshake_command()
    assert mechanism.peer_routing_id == b"named"
    mechanism.process_handshake_command(b"\5READY" + add_property("Identity", b"own"))
    assert mechanism.peer_routing_id == b"own"


@pytest.mark.parametrize("enforced", [False, True])
def test_no_handler(enforced: bool) -> None:
    """ZAP_ENFORCE_DOMAIN decides: refused (EFAULT), or as without ZAP."""
    mechanism = null(FakeHost(handler=False), zap_enforce_domain=enforced)
    if not enforced:
        assert mechanism.next_handshake_command() == READY
        return
    with pytest.raises(MechanismError) as caught:
        mechanism.next_handshake_command()
    assert caught.value.error == errno.EFAULT


def test_a_handler_that_goes_without_an_answer() -> None:
    """The peer is refused, not let in."""
    mechanism = null(FakeHost([None, ConnectionError()]))
    assert mechanism.next_handshake_command() is None
    with pytest.raises(MechanismError) as caught:
        mechanism.zap_msg_available()
    assert caught.value.error == errno.EFAULT


def test_a_handler_may_go_after_its_answer() -> None:
    """What it has said stays said."""
    mechanism = null(FakeHost([reply(), ConnectionError()]))
    mechanism.next_handshake_command()
    mechanism.process_handshake_command(READY)
    mechanism.zap_msg_available()
    assert mechanism.status is Status.READY


def test_a_handler_that_answers_twice() -> None:
    """An error, as in libzmq's NULL; its other mechanisms abort the process."""
    mechanism = null(FakeHost([reply(), reply()]))
    mechanism.next_handshake_command()
    with pytest.raises(MechanismError, match="second"):
        mechanism.zap_msg_available()


@given(st.lists(st.one_of(st.sampled_from([*reply(), b"400", b"300"]), st.binary(max_size=20)), max_size=9))
def test_any_reply_is_an_answer_or_an_error(frames: list[bytes]) -> None:
    """Whatever a handler says, nothing but a MechanismError comes of it, and nobody is let in but by 200."""
    host = FakeHost([tuple(frames)])
    mechanism = null(host)
    try:
        command = mechanism.next_handshake_command()
    except MechanismError:
        return
    assert (command == READY) == (frames[3] == b"200")
