# SPDX-License-Identifier: MPL-2.0
"""The handshake of GSSAPI, both sides, every command in every state; without Kerberos."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.constants import Event, SecurityMechanism, SocketType
from libzmq_py.mechanisms import create_mechanism
from libzmq_py.mechanisms.gssapi.client import GssapiClient
from libzmq_py.mechanisms.gssapi.server import GssapiServer
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status
from libzmq_py.metadata import add_property
from tests.mechanisms.fakes import OK, FakeHost, commands_of, converse, options, reply
from tests.mechanisms.gssapi_fakes import FakeContexts

METADATA = add_property("Socket-Type", b"DEALER") + add_property("Identity", b"")
TICKET = b"\x08INITIATE\0\0\0\6ticket"
ANSWER = b"\x08INITIATE\0\0\0\6answer"
PLAIN_READY = b"\5READY" + METADATA


def message(plaintext: bytes, number: int = 1, key: bytes = b"K") -> bytes:
    """A MESSAGE as the fake seals it."""
    token = key + number.to_bytes(4, "big") + plaintext[::-1]
    return b"\7MESSAGE" + len(token).to_bytes(4, "big") + token


READY = message(b"\0" + PLAIN_READY)
UNEXPECTED = Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
MALFORMED = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
BAD_INITIATE = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE
BAD_MESSAGE = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE
BAD_METADATA = Event.PROTOCOL_ERROR_ZMTP_INVALID_METADATA
CRYPTOGRAPHIC = Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC


def client(contexts: FakeContexts | None = None, **changes: object) -> GssapiClient:
    return GssapiClient(options(**changes), FakeHost(), contexts or FakeContexts())


def server(
    host: FakeHost | None = None,
    contexts: FakeContexts | None = None,
    kind: SocketType = SocketType.DEALER,
    **changes: object,
) -> GssapiServer:
    return GssapiServer(options(kind, as_server=1, **changes), host or FakeHost([OK]), contexts or FakeContexts())


def failure(mechanism: Mechanism, command: bytes) -> MechanismError:
    """What a command brings."""
    with pytest.raises(MechanismError) as caught:
        mechanism.process_handshake_command(command)
    return caught.value


# --- the whole way ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plaintext", [False, True])
def test_the_whole_way(plaintext: bool) -> None:
    """Token, token, an empty command, READY and READY, byte for byte, and what both then know."""
    host = FakeHost([OK])
    left = client(gss_plaintext=plaintext)
    right = server(host, zap_domain=b"dom", routing_id=b"SRV", gss_plaintext=plaintext)
    assert commands_of(right) == []
    assert commands_of(left) == [TICKET]
    right.process_handshake_command(TICKET)
    assert commands_of(right) == [ANSWER]
    left.process_handshake_command(ANSWER)
    assert commands_of(left) == [b""]
    assert host.requests == []
    right.process_handshake_command(b"")
    asked = (b"", b"1.0", b"1", b"dom", b"192.0.2.1", b"SRV", b"GSSAPI", b"alice@ZMQ.TEST")
    assert host.requests == [asked]
    ready = b"\5READY" + add_property("Socket-Type", b"DEALER") + add_property("Identity", b"SRV")
    said = ready if plaintext else message(b"\0" + ready)
    assert commands_of(right) == [said]
    left.process_handshake_command(said)
    assert left.status is right.status is Status.HANDSHAKING
    said = PLAIN_READY if plaintext else READY
    assert commands_of(left) == [said]
    assert left.status is Status.READY
    right.process_handshake_command(said)
    assert right.status is Status.READY
    assert list(left.zmtp_properties) == [("Socket-Type", b"DEALER"), ("Identity", b"SRV")]
    assert list(right.zmtp_properties) == [("Socket-Type", b"DEALER"), ("Identity", b"")]
    assert list(right.zap_properties) == [("User-Id", b"user")]


def test_as_many_tokens_as_it_takes() -> None:
    """A context of several rounds."""
    rounds = {"client": (b"one", b"three", b""), "server": (b"two", b"four")}
    left, right = client(FakeContexts(**rounds)), server(contexts=FakeContexts(**rounds))
    converse(left, right)
    assert left.status is right.status is Status.READY


def test_without_a_handler_everybody_with_a_ticket_comes_in() -> None:
    """As in libzmq: Kerberos has decided."""
    left, right = client(), server(FakeHost(handler=False), zap_domain=b"dom")
    converse(left, right)
    assert right.status is Status.READY
    assert right.zap_properties == ()


def test_traffic_in_plaintext_mode_is_plain() -> None:
    """What encodes and decodes stays what it was."""
    assert client(gss_plaintext=True).secure("encoder", "decoder", False) == ("encoder", "decoder")


@pytest.mark.parametrize(("left", "right"), [(True, False), (False, True)])
def test_both_must_agree_whether_messages_are_sealed(left: bool, right: bool) -> None:
    """Nobody can be talked into plaintext."""
    one, other = client(gss_plaintext=left), server(gss_plaintext=right)
    with pytest.raises(MechanismError) as caught:
        converse(one, other)
    assert caught.value.protocol_error == UNEXPECTED
    assert one.status is Status.HANDSHAKING


# --- client ----------------------------------------------------------------------------------------------------------


def client_in(state: str, **changes: object) -> GssapiClient:
    made = client(**changes)
    if state != "asking Kerberos":
        commands_of(made)
    if state == "waiting for READY":
        made.process_handshake_command(ANSWER)
        commands_of(made)
    assert made.step == state
    return made


CLIENT_FAILURES = [
    ("asking Kerberos", ANSWER, UNEXPECTED),
    ("waiting for a token", READY, UNEXPECTED),
    ("waiting for a token", b"\5ERROR\x03400", UNEXPECTED),
    ("waiting for a token", b"", MALFORMED),
    ("waiting for a token", b"\x08INIT", MALFORMED),
    ("waiting for a token", b"\x08INITIATE", BAD_INITIATE),
    ("waiting for a token", b"\x08INITIATE\0\0\0", BAD_INITIATE),
    ("waiting for a token", b"\x08INITIATE\0\0\0\2a", BAD_INITIATE),
    ("waiting for a token", ANSWER + b"x", BAD_INITIATE),
    ("waiting for a token", b"\x08INITIATE\0\0\0\0", BAD_INITIATE),
    ("waiting for a token", b"\x08INITIATE\xff\xff\xff\xffanswer", BAD_INITIATE),
    ("waiting for READY", ANSWER, UNEXPECTED),
    ("waiting for READY", b"\5ERROR\x03400", UNEXPECTED),
    ("waiting for READY", b"", MALFORMED),
    ("waiting for READY", PLAIN_READY, UNEXPECTED),
    ("waiting for READY", b"\7MESSAGE", BAD_MESSAGE),
    ("waiting for READY", READY + b"x", BAD_MESSAGE),
    ("waiting for READY", READY[:-1], BAD_MESSAGE),
    ("waiting for READY", b"\7MESSAGE\0\0\0\0", CRYPTOGRAPHIC),
    ("waiting for READY", message(b"\0" + PLAIN_READY, number=2), CRYPTOGRAPHIC),
    ("waiting for READY", message(b"\0" + PLAIN_READY, key=b"X"), CRYPTOGRAPHIC),
    ("waiting for READY", message(b""), BAD_MESSAGE),
    ("waiting for READY", message(b"\0"), MALFORMED),
    ("waiting for READY", message(b"\0\6READYX" + METADATA), UNEXPECTED),
    ("waiting for READY", message(b"\0\5READYx"), BAD_METADATA),
    ("waiting for READY", message(b"\0\5READY" + add_property("Socket-Type", b"PUB")), BAD_METADATA),
]


@pytest.mark.parametrize(("state", "command", "code"), CLIENT_FAILURES)
def test_what_a_client_refuses(state: str, command: bytes, code: int) -> None:
    """Anything but the command it waits for, whole."""
    assert failure(client_in(state), command).protocol_error == code


@pytest.mark.parametrize("lacks", ["no ticket", "no KDC"])
def test_a_ticket_that_cannot_be_had(lacks: str) -> None:
    """NO_DETAIL (EACCES), to be tried again: there may be one later."""
    made = client(FakeContexts(lacks=lacks))
    with pytest.raises(MechanismError, match=lacks) as caught:
        made.next_handshake_command()
    error = caught.value
    assert (error.error, error.try_again, error.protocol_error) == (errno.EACCES, True, 0)
    assert made.status is Status.HANDSHAKING


def test_a_first_token_that_cannot_be_made() -> None:
    """The same: the peer has said nothing yet that could be wrong."""
    contexts = FakeContexts()
    made = client(contexts)
    contexts.initiate = lambda options: contexts._make((b"ticket",), (b"never",))  # type: ignore[method-assign]
    with pytest.raises(MechanismError, match="defective") as caught:
        made.next_handshake_command()
    assert caught.value.try_again


def test_a_server_that_cannot_prove_who_it_is() -> None:
    """The same: it may not have had its key yet."""
    made = client_in("waiting for a token")
    made.process_handshake_command(b"\x08INITIATE\0\0\0\5other")
    with pytest.raises(MechanismError, match="server's token") as caught:
        made.next_handshake_command()
    error = caught.value
    assert (error.error, error.try_again, error.protocol_error) == (errno.EACCES, True, 0)


# --- server ----------------------------------------------------------------------------------------------------------


def server_in(state: str, host: FakeHost | None = None, **changes: object) -> GssapiServer:
    waits = state == "waiting for the ZAP handler"
    made = server(host or FakeHost([None] if waits else [OK]), **changes)  # type: ignore[arg-type]
    if state == "waiting for a token":
        return made
    made.process_handshake_command(TICKET)
    if state != "sending a token":
        commands_of(made)
        made.process_handshake_command(b"")
    if state == "waiting for READY":
        commands_of(made)
    assert made.step == state
    return made


SERVER_FAILURES = [
    ("waiting for a token", b"", MALFORMED),
    ("waiting for a token", b"\5HELLO\0\0", UNEXPECTED),
    ("waiting for a token", READY, UNEXPECTED),
    ("waiting for a token", b"\x08INITIATE", BAD_INITIATE),
    ("waiting for a token", TICKET + b"x", BAD_INITIATE),
    ("waiting for a token", TICKET[:-1], BAD_INITIATE),
    ("waiting for a token", b"\x08INITIATE\0\0\0\0", BAD_INITIATE),
    ("sending a token", TICKET, UNEXPECTED),
    ("waiting for the ZAP handler", READY, UNEXPECTED),
    ("sending READY", READY, UNEXPECTED),
    ("waiting for READY", TICKET, UNEXPECTED),
    ("waiting for READY", PLAIN_READY, UNEXPECTED),
    ("waiting for READY", b"", MALFORMED),
    ("waiting for READY", message(b"\0" + PLAIN_READY, key=b"X"), CRYPTOGRAPHIC),
    ("waiting for READY", message(b""), BAD_MESSAGE),
    ("waiting for READY", message(b"\0\5READYx"), BAD_METADATA),
    ("waiting for READY", message(b"\0\5READY" + add_property("Socket-Type", b"PUB")), BAD_METADATA),
]


@pytest.mark.parametrize(("state", "command", "code"), SERVER_FAILURES)
def test_what_a_server_refuses(state: str, command: bytes, code: int) -> None:
    """Anything but the command it waits for, whole."""
    made = server_in(state)
    error = failure(made, command)
    assert (error.protocol_error, error.try_again) == (code, False)
    assert made.status is Status.HANDSHAKING


def test_a_token_that_is_refused() -> None:
    """NO_DETAIL (EACCES), and the next one is not looked at."""
    made = server()
    error = failure(made, b"\x08INITIATE\0\0\0\5wrong")
    assert (error.error, error.protocol_error) == (errno.EACCES, 0)
    assert "client's token" in str(error)
    assert commands_of(made) == []


def test_a_key_that_is_missing() -> None:
    """NO_DETAIL (EACCES); not the peer's fault."""
    error = failure(server(contexts=FakeContexts(lacks="no keytab")), TICKET)
    assert (error.error, error.protocol_error) == (errno.EACCES, 0)
    assert "no keytab" in str(error)


def test_a_client_without_a_name() -> None:
    """Nobody can be asked about it."""
    contexts = FakeContexts()
    made = server(contexts=contexts)
    made.process_handshake_command(TICKET)
    commands_of(made)
    contexts.contexts[0].initiator_error = True
    assert failure(made, b"").error == errno.EACCES


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_refusal_is_one(status: int, late: bool) -> None:
    """Whenever it comes, nothing more is sent and the connection fails. (libzmq 4.3.5 goes on and lets the peer in.)"""
    refusal = reply(str(status).encode())
    host = FakeHost([None, refusal] if late else [refusal])
    made = server(host)
    made.process_handshake_command(TICKET)
    commands_of(made)
    made.process_handshake_command(b"")
    if late:
        assert made.step == "waiting for the ZAP handler"
        assert commands_of(made) == []
        made.zap_msg_available()
    assert commands_of(made) == []
    assert made.status is Status.ERROR
    assert made.refusal == b""  # nothing is on its way that the peer should have time to read
    assert host.refusals == [(status, "why")]
    assert failure(made, READY).protocol_error == UNEXPECTED


def test_a_late_permission() -> None:
    """READY once the handler has answered."""
    made = server(FakeHost([None, OK]))
    made.process_handshake_command(TICKET)
    commands_of(made)
    made.process_handshake_command(b"")
    assert commands_of(made) == []
    made.zap_msg_available()
    assert len(commands_of(made)) == 1
    assert made.step == "waiting for READY"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (reply(version=b"2.0"), Event.PROTOCOL_ERROR_ZAP_BAD_VERSION),
        (reply(b"600"), Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE),
        (reply()[:-1], Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY),
    ],
)
def test_an_answer_that_is_none(frames: Sequence[bytes], code: int) -> None:
    """Lets nobody in."""
    made = server_in("waiting for the ZAP handler", FakeHost([None, tuple(frames)]))
    with pytest.raises(MechanismError) as caught:
        made.zap_msg_available()
    assert caught.value.protocol_error == code
    assert commands_of(made) == []


def test_a_handler_that_goes() -> None:
    """EFAULT."""
    made = server_in("waiting for the ZAP handler", FakeHost([None, ConnectionError()]))
    with pytest.raises(MechanismError) as caught:
        made.zap_msg_available()
    assert caught.value.error == errno.EFAULT


def test_a_handler_that_answers_twice() -> None:
    """Ends the connection."""
    made = server_in("waiting for READY", FakeHost([OK, OK]))
    with pytest.raises(MechanismError, match="second time"):
        made.zap_msg_available()


@pytest.mark.departs
@pytest.mark.parametrize("domain", [b"", b"dom"])
def test_an_enforced_domain_without_a_handler(domain: bytes) -> None:
    """Nobody comes in; libzmq does not look at the option."""
    made = server(FakeHost(handler=False), zap_domain=domain, zap_enforce_domain=True)
    made.process_handshake_command(TICKET)
    commands_of(made)
    assert failure(made, b"").error == errno.EFAULT


@given(st.data())
def test_nothing_a_peer_sends_raises_anything_else(data: st.DataObject) -> None:
    """Any bytes in any state: taken, or a MechanismError."""
    words = st.sampled_from([b"", TICKET, ANSWER, READY, PLAIN_READY, message(b""), b"\x08INITIATE", b"\7MESSAGE\0\0"])
    for made in (client(), server()):
        for command in data.draw(st.lists(words | st.binary(max_size=40), max_size=6)):
            try:
                commands_of(made)
                made.process_handshake_command(command)
            except MechanismError:
                break
        made.destroy()


# --- what is there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_server", [0, 1])
def test_without_the_package(as_server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no mechanism; the connection that wants it is told."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    monkeypatch.delitem(sys.modules, "libzmq_py.mechanisms.gssapi.kerberos", raising=False)
    with pytest.raises(ImportError):
        create_mechanism(options(mechanism=SecurityMechanism.GSSAPI, as_server=as_server), FakeHost())
