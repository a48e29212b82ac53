# SPDX-License-Identifier: MPL-2.0
"""PLAIN, both sides, every command in every state."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.constants import Event, SocketType
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status
from libzmq_py.mechanisms.plain.client import PlainClient
from libzmq_py.mechanisms.plain.server import PlainServer
from libzmq_py.metadata import add_property
from tests.mechanisms.fakes import OK, FakeHost, commands_of, converse, options, reply

HELLO = b"\5HELLO\5admin\6secret"
WELCOME = b"\7WELCOME"
METADATA = add_property("Socket-Type", b"DEALER") + add_property("Identity", b"")
INITIATE = b"\x08INITIATE" + METADATA
READY = b"\5READY" + METADATA
UNEXPECTED = Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
UNSPECIFIED = Event.PROTOCOL_ERROR_ZMTP_UNSPECIFIED
MALFORMED = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
BAD_HELLO = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO
BAD_WELCOME = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME
BAD_ERROR = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR
BAD_METADATA = Event.PROTOCOL_ERROR_ZMTP_INVALID_METADATA


def client() -> PlainClient:
    return PlainClient(options(plain_username=b"admin", plain_password=b"secret"), FakeHost())


def server(host: FakeHost | None = None, **changes: object) -> PlainServer:
    return PlainServer(options(SocketType.DEALER, as_server=1, **changes), host or FakeHost([OK]))


def code_of(mechanism: Mechanism, command: bytes) -> int:
    """The event value of the failure that a command brings."""
    with pytest.raises(MechanismError) as caught:
        mechanism.process_handshake_command(command)
    assert b"secret" not in str(caught.value).encode()
    return caught.value.protocol_error


def test_the_whole_way() -> None:
    """HELLO, WELCOME, INITIATE, READY, byte for byte, and what both then know."""
    host = FakeHost([OK])
    left, right = client(), server(host, zap_domain=b"dom", routing_id=b"SRV")
    assert commands_of(left) == [HELLO]
    assert commands_of(right) == []
    right.process_handshake_command(HELLO)
    assert host.requests == [(b"", b"1.0", b"1", b"dom", b"192.0.2.1", b"SRV", b"PLAIN", b"admin", b"secret")]
    assert commands_of(right) == [WELCOME]
    left.process_handshake_command(WELCOME)
    assert commands_of(left) == [INITIATE]
    right.process_handshake_command(INITIATE)
    ready = b"\5READY" + add_property("Socket-Type", b"DEALER") + add_property("Identity", b"SRV")
    assert commands_of(right) == [ready]
    assert right.status is Status.READY
    assert left.status is Status.HANDSHAKING
    left.process_handshake_command(ready)
    assert left.status is Status.READY
    assert list(left.zmtp_properties) == [("Socket-Type", b"DEALER"), ("Identity", b"SRV")]
    assert list(right.zap_properties) == [("User-Id", b"user")]


@pytest.mark.parametrize("size", [1, 255])
def test_credentials_of_any_length(size: int) -> None:
    """Each may have 255 bytes, whatever they are."""
    host = FakeHost([OK])
    left = PlainClient(options(plain_username=b"\0" * size, plain_password=b"\xff" * size), FakeHost())
    converse(left, server(host))
    assert host.requests[0][-2:] == (b"\0" * size, b"\xff" * size)


def test_traffic_is_plain() -> None:
    """What encodes and decodes stays what it was."""
    assert client().secure("encoder", "decoder", False) == ("encoder", "decoder")


# --- client ----------------------------------------------------------------------------------------------------------


def client_in(state: str) -> PlainClient:
    made = client()
    if state != "sending HELLO":
        commands_of(made)
    if state in ("sending INITIATE", "waiting for READY"):
        made.process_handshake_command(WELCOME)
    if state == "waiting for READY":
        commands_of(made)
    assert made.step == state
    return made


CLIENT_FAILURES = [
    ("sending HELLO", WELCOME, UNEXPECTED),
    ("sending HELLO", READY, UNEXPECTED),
    ("sending HELLO", b"\5ERROR\x03400", UNEXPECTED),
    ("waiting for WELCOME", READY, UNEXPECTED),
    ("waiting for WELCOME", HELLO, UNEXPECTED),
    ("waiting for WELCOME", b"", UNEXPECTED),
    ("waiting for WELCOME", WELCOME + b"x", BAD_WELCOME),
    ("waiting for WELCOME", b"\5ERROR", BAD_ERROR),
    ("waiting for WELCOME", b"\5ERROR\x04400", BAD_ERROR),
    ("waiting for WELCOME", b"\x5eRROR\x04400", BAD_ERROR),
    ("sending INITIATE", WELCOME, UNEXPECTED),
    ("sending INITIATE", READY, UNEXPECTED),
    ("sending INITIATE", b"\x5eRROR\x03400", UNEXPECTED),
    ("waiting for READY", WELCOME, UNEXPECTED),
    ("waiting for READY", INITIATE, UNEXPECTED),
    ("waiting for READY", b"\5READYx", BAD_METADATA),
    ("waiting for READY", b"\5READY" + add_property("Socket-Type", b"PUB"), BAD_METADATA),
]


@pytest.mark.parametrize(("state", "command", "code"), CLIENT_FAILURES)
def test_what_a_client_does_not_take(state: str, command: bytes, code: int) -> None:
    """Commands out of their turn, malformed ones, others' commands."""
    assert code_of(client_in(state), command) == code


@pytest.mark.parametrize("state", ["waiting for WELCOME", "waiting for READY"])
@pytest.mark.parametrize("prefix", [b"\x5eRROR", b"\5ERROR"], ids=["libzmq", "RFC"])
@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_client_that_is_refused(state: str, prefix: bytes, status: int) -> None:
    """Both forms of ERROR are understood: libzmq's, and the RFC's."""
    made = client_in(state)
    with pytest.raises(MechanismError) as caught:
        made.process_handshake_command(prefix + b"\3" + str(status).encode())
    assert (caught.value.auth_status, caught.value.protocol_error) == (status, 0)
    assert made.status is Status.ERROR


# --- server ----------------------------------------------------------------------------------------------------------


def server_in(state: str) -> PlainServer:
    replies = {"waiting for the ZAP handler": [], "sending ERROR": [reply(b"400")], "refused": [reply(b"300")]}
    made = server(FakeHost(replies.get(state, [OK])))
    if state != "waiting for HELLO":
        made.process_handshake_command(HELLO)
    if state in ("waiting for INITIATE", "sending READY"):
        commands_of(made)
    if state == "sending READY":
        made.process_handshake_command(INITIATE)
    assert made.step == state
    return made


SERVER_FAILURES = [
    ("waiting for HELLO", b"", MALFORMED),
    ("waiting for HELLO", b"\0", MALFORMED),
    ("waiting for HELLO", b"\1\5", UNEXPECTED),
    ("waiting for HELLO", b"\2\5", MALFORMED),
    ("waiting for HELLO", b"\xff" + b"x" * 255, UNEXPECTED),
    ("waiting for HELLO", b"\xff" + b"x" * 254, MALFORMED),
    ("waiting for HELLO", READY, UNEXPECTED),
    ("waiting for HELLO", INITIATE, UNEXPECTED),
    ("waiting for HELLO", b"\5HELLO", BAD_HELLO),
    ("waiting for HELLO", b"\5HELLO\5adm", BAD_HELLO),
    ("waiting for HELLO", b"\5HELLO\5admin", BAD_HELLO),
    ("waiting for HELLO", b"\5HELLO\5admin\6secre", BAD_HELLO),
    ("waiting for HELLO", HELLO + b"x", BAD_HELLO),
    ("waiting for the ZAP handler", HELLO, UNSPECIFIED),
    ("waiting for the ZAP handler", INITIATE, UNSPECIFIED),
    ("sending WELCOME", INITIATE, UNSPECIFIED),
    ("sending ERROR", HELLO, UNSPECIFIED),
    ("refused", b"", UNSPECIFIED),
    ("waiting for INITIATE", HELLO, UNEXPECTED),
    ("waiting for INITIATE", b"", UNEXPECTED),
    ("waiting for INITIATE", INITIATE + b"x", 0),
    ("waiting for INITIATE", b"\x08INITIATE" + add_property("Socket-Type", b"PUB"), 0),
    ("sending READY", INITIATE, UNSPECIFIED),
]


@pytest.mark.parametrize(("state", "command", "code"), SERVER_FAILURES)
def test_what_a_server_does_not_take(state: str, command: bytes, code: int) -> None:
    """Commands out of their turn and malformed ones."""
    assert code_of(server_in(state), command) == code


def test_empty_credentials_are_credentials() -> None:
    """No name and no password is for the handler to judge."""
    host = FakeHost([OK])
    server(host).process_handshake_command(b"\5HELLO\0\0")
    assert host.requests[0][-2:] == (b"", b"")


@pytest.mark.parametrize("enforced", [False, True])
def test_without_a_handler_nobody_comes_in(enforced: bool) -> None:
    """Whatever ZAP_ENFORCE_DOMAIN says."""
    made = server(FakeHost(handler=False), zap_enforce_domain=enforced, zap_domain=b"d")
    with pytest.raises(MechanismError, match="no ZAP handler") as caught:
        made.process_handshake_command(HELLO)
    assert caught.value.error == errno.EFAULT


def test_an_enforced_domain_that_is_not_set() -> None:
    """libzmq aborts the process."""
    with pytest.raises(MechanismError, match="ZAP_DOMAIN") as caught:
        server(zap_enforce_domain=True).process_handshake_command(HELLO)
    assert caught.value.error == errno.EFAULT


@pytest.mark.parametrize("status", [b"400", b"500"])
@pytest.mark.parametrize("late", [True, False])
def test_a_refused_client(status: bytes, late: bool) -> None:
    """ERROR, in libzmq's form, and no way on."""
    host = FakeHost([None, reply(status)] if late else [reply(status)])
    made = server(host)
    made.process_handshake_command(HELLO)
    if late:
        assert commands_of(made) == []
        made.zap_msg_available()
    assert made.refusal == b""
    assert commands_of(made) == [b"\x5eRROR\x03" + status]
    assert made.status is Status.ERROR
    assert made.refusal == status
    assert host.refusals == [(int(status), "why")]


def test_a_client_refused_for_the_time_being() -> None:
    """300: nothing is said, so that the client tries again."""
    made = server(FakeHost([reply(b"300")]))
    made.process_handshake_command(HELLO)
    assert commands_of(made) == []
    assert (made.status, made.refusal) == (Status.ERROR, b"300")


def test_a_handler_that_answers_twice() -> None:
    """libzmq aborts the process; here that connection ends."""
    made = server(FakeHost([OK, OK]))
    made.process_handshake_command(HELLO)
    with pytest.raises(MechanismError, match="second"):
        made.zap_msg_available()


_COMMANDS = st.one_of(
    st.sampled_from([HELLO, WELCOME, INITIATE, READY, b"\5ERROR\x03400", b"\x5eRROR\x03400"]),
    st.binary(max_size=30),
    st.binary(max_size=30).map(lambda data: b"\5HELLO" + data),
    st.binary(max_size=30).map(lambda data: b"\x08INITIATE" + data),
    st.binary(max_size=30).map(lambda data: b"\5READY" + data),
)


@given(st.booleans(), st.lists(_COMMANDS, max_size=6), st.booleans())
def test_garbage_is_a_mechanism_error_or_nothing(as_server: bool, commands: list[bytes], speaks: bool) -> None:
    """Whatever a peer sends at whatever time, nothing but a MechanismError comes of it."""
    made: Mechanism = server() if as_server else client()
    for command in commands:
        if speaks:
            commands_of(made)
        try:
            made.process_handshake_command(command)
        except MechanismError:
            return
