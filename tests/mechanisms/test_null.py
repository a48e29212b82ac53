# SPDX-License-Identifier: MPL-2.0
"""The NULL handshake: READY from both, in any order, or an end with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py import mechanisms
from libzmq_py.constants import Event, SecurityMechanism, SocketType
from libzmq_py.mechanisms.mechanism import MechanismError, Status
from libzmq_py.mechanisms.null import NullMechanism
from libzmq_py.metadata import add_property
from libzmq_py.options import Options

READY = b"\x05READY"
ERROR = b"\x05ERROR"
READY_PUSH = READY + add_property("Socket-Type", b"PUSH")
UNEXPECTED = Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
MALFORMED = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR


@pytest.fixture
def null() -> NullMechanism:
    """The mechanism of a PULL socket."""
    options = Options()
    options.type = SocketType.PULL
    return NullMechanism(options)


def test_ready_is_sent_once(null: NullMechanism) -> None:
    """The first command is READY with our properties; there is no other."""
    assert null.next_handshake_command() == READY + add_property("Socket-Type", b"PULL")
    assert null.next_handshake_command() is None
    assert null.status is Status.HANDSHAKING


@pytest.mark.parametrize("first", ["send", "receive"])
def test_ready_when_both_have_spoken(null: NullMechanism, first: str) -> None:
    """Either side may be first."""
    steps = [null.next_handshake_command, lambda: null.process_handshake_command(READY_PUSH)]
    if first == "receive":
        steps.reverse()
    steps[0]()
    assert null.status is Status.HANDSHAKING
    steps[1]()
    assert null.status is Status.READY
    assert list(null.zmtp_properties) == [("Socket-Type", b"PUSH")]


def test_two_mechanisms_meet() -> None:
    """A REQ and a ROUTER, joined in memory, are ready and know each other."""
    sides = []
    for type_, routing_id in ((SocketType.REQ, b"client"), (SocketType.ROUTER, b"server")):
        options = Options()
        options.type, options.routing_id, options.recv_routing_id = type_, routing_id, True
        sides.append(NullMechanism(options))
    commands = [side.next_handshake_command() for side in sides]
    for side, command in zip(sides, reversed(commands), strict=True):
        assert command is not None
        side.process_handshake_command(command)
    assert [side.status for side in sides] == [Status.READY] * 2
    assert [side.peer_routing_id for side in sides] == [b"server", b"client"]


@pytest.mark.parametrize("command", [b"", b"\5", b"READY", b"\5HELLO", b"\5READX", b"\4PING\0\0", b"\6READY!"])
def test_an_unknown_command(null: NullMechanism, command: bytes) -> None:
    """Anything but READY and ERROR breaks the protocol: UNEXPECTED_COMMAND."""
    with pytest.raises(MechanismError) as caught:
        null.process_handshake_command(command)
    assert caught.value.protocol_error == UNEXPECTED


@pytest.mark.parametrize("second", [READY_PUSH, ERROR + b"\0", b"\5HELLO"])
def test_a_second_command(null: NullMechanism, second: bytes) -> None:
    """After READY nothing more belongs to the handshake."""
    null.process_handshake_command(READY_PUSH)
    with pytest.raises(MechanismError) as caught:
        null.process_handshake_command(second)
    assert caught.value.protocol_error == UNEXPECTED


def test_a_ready_from_the_wrong_type(null: NullMechanism) -> None:
    """The handshake fails without an event of its own (libzmq: only DISCONNECTED)."""
    null.next_handshake_command()
    with pytest.raises(MechanismError, match="PUB") as caught:
        null.process_handshake_command(READY + add_property("Socket-Type", b"PUB"))
    assert (caught.value.protocol_error, caught.value.auth_status) == (0, 0)


@pytest.mark.parametrize("data", [b"\1", b"\5abc", b"\1X\0\0\0\2a"])
def test_a_ready_with_broken_metadata(null: NullMechanism, data: bytes) -> None:
    """As the wrong type: no event."""
    with pytest.raises(MechanismError) as caught:
        null.process_handshake_command(READY + data)
    assert caught.value.protocol_error == 0


@pytest.mark.parametrize("status", [300, 400, 500])
def test_an_error_with_a_status_of_zap(null: NullMechanism, status: int) -> None:
    """A refusal by the peer's ZAP handler is an authentication failure with its code."""
    null.next_handshake_command()
    with pytest.raises(MechanismError) as caught:
        null.process_handshake_command(ERROR + b"\3" + str(status).encode())
    assert (caught.value.auth_status, caught.value.protocol_error) == (status, 0)
    assert null.status is Status.ERROR


@pytest.mark.parametrize("reason", [b"", b"200", b"600", b"301", b"3000", b"no"])
def test_an_error_with_any_other_reason(null: NullMechanism, reason: bytes) -> None:
    """No event but the end; the reason is in the text."""
    null.next_handshake_command()
    with pytest.raises(MechanismError, match=repr(reason)[1:]) as caught:
        null.process_handshake_command(ERROR + bytes([len(reason)]) + reason)
    assert (caught.value.auth_status, caught.value.protocol_error) == (0, 0)
    assert null.status is Status.ERROR


def test_an_error_may_have_more_behind_its_reason(null: NullMechanism) -> None:
    """What follows the reason is not looked at."""
    with pytest.raises(MechanismError) as caught:
        null.process_handshake_command(ERROR + b"\x03400trailing")
    assert caught.value.auth_status == 400


@pytest.mark.parametrize("data", [b"", b"\1", b"\x04400", b"\xff" + b"x" * 254])
def test_a_malformed_error(null: NullMechanism, data: bytes) -> None:
    """A reason longer than the command: MALFORMED_COMMAND_ERROR."""
    with pytest.raises(MechanismError) as caught:
        null.process_handshake_command(ERROR + data)
    assert caught.value.protocol_error == MALFORMED


@given(st.lists(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda data: READY + data))))
def test_garbage_is_a_mechanism_error_or_nothing(commands: list[bytes]) -> None:
    """Whatever a peer sends, nothing but a MechanismError comes of it."""
    options = Options()
    options.type = SocketType.PULL
    null = NullMechanism(options)
    null.next_handshake_command()
    for command in commands:
        try:
            null.process_handshake_command(command)
        except MechanismError:
            return


def test_the_table_of_mechanisms(monkeypatch: pytest.MonkeyPatch) -> None:
    """NULL is there under its number, and register() adds another."""
    assert mechanisms.MECHANISMS[SecurityMechanism.NULL] == (b"NULL", NullMechanism, NullMechanism)
    monkeypatch.setattr(mechanisms, "MECHANISMS", dict(mechanisms.MECHANISMS))
    mechanisms.register(99, b"TEST", NullMechanism)
    assert mechanisms.MECHANISMS[99] == (b"TEST", NullMechanism, NullMechanism)


@pytest.mark.parametrize("name", [b"", b"x" * 21, b"a\0b", b"\xe4"])
def test_names_that_no_greeting_can_say(name: bytes) -> None:
    """A greeting has 20 bytes for it, padded with zeros."""
    with pytest.raises(ValueError, match="name"):
        mechanisms.register(1000, name, NullMechanism)
