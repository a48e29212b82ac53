# SPDX-License-Identifier: MPL-2.0
"""The CURVE handshake, both sides, against scripted peers whose cryptography is not ours (`tests.support.box`)."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.constants import Event, SocketType
from libzmq_py.mechanisms.curve.client import CurveClient
from libzmq_py.mechanisms.curve.server import CurveServer
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status
from libzmq_py.metadata import add_property
from tests.mechanisms.fakes import OK, FakeHost, commands_of, converse, options, reply
from tests.support.box import OpenError, public_of
from tests.support.security import CurveClientScript, CurveServerScript

SERVER_SECRET, CLIENT_SECRET = b"Q" * 32, b"C" * 32
METADATA = add_property("Socket-Type", b"DEALER") + add_property("Identity", b"")
UNEXPECTED = Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
UNSPECIFIED = Event.PROTOCOL_ERROR_ZMTP_UNSPECIFIED
CRYPTOGRAPHIC = Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
KEY_EXCHANGE = Event.PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE
SEQUENCE = Event.PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE
MALFORMED = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
BAD_HELLO = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO
BAD_INITIATE = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE
BAD_READY = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY
BAD_ERROR = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR
BAD_METADATA = Event.PROTOCOL_ERROR_ZMTP_INVALID_METADATA


def server(host: FakeHost | None = None, **changes: object) -> CurveServer:
    made = {"as_server": 1, "curve_secret_key": SERVER_SECRET, **changes}
    return CurveServer(options(SocketType.DEALER, **made), host or FakeHost(handler=False))


def client(**changes: object) -> CurveClient:
    keys = {"curve_public_key": public_of(CLIENT_SECRET), "curve_secret_key": CLIENT_SECRET}
    made = {**keys, "curve_server_key": public_of(SERVER_SECRET), **changes}
    return CurveClient(options(SocketType.DEALER, **made), FakeHost())


def script(**parts: bytes) -> CurveClientScript:
    return CurveClientScript(public_of(SERVER_SECRET), CLIENT_SECRET, **parts)


def welcomed(made: CurveServer, **parts: bytes) -> CurveClientScript:
    """A scripted client that has its WELCOME."""
    peer = script(**parts)
    made.process_handshake_command(peer.hello())
    (welcome,) = commands_of(made)
    peer.take_welcome(welcome)
    return peer


def failure(mechanism: Mechanism, command: bytes) -> MechanismError:
    with pytest.raises(MechanismError) as caught:
        mechanism.process_handshake_command(command)
    return caught.value


# --- both ------------------------------------------------------------------------------------------------------------


def test_two_of_ours_meet() -> None:
    """They are ready, know each other's properties, and share a key."""
    left, right = client(routing_id=b"left"), server(routing_id=b"right", recv_routing_id=True)
    converse(left, right)
    assert (left.status, right.status) == (Status.READY, Status.READY)
    assert right.peer_routing_id == b"left"
    assert list(left.zmtp_properties) == [("Socket-Type", b"DEALER"), ("Identity", b"right")]
    assert left.precom is not None
    assert right.precom is not None
    assert bytes(left.precom) == bytes(right.precom) != bytes(32)


def test_no_two_connections_have_a_key_in_common() -> None:
    """The short-term keys are made for each."""
    keys = set()
    for _ in range(8):
        left, right = client(), server()
        converse(left, right)
        assert left.precom is not None
        keys.add(bytes(left.precom))
    assert len(keys) == 8


def test_keys_are_forgotten_with_the_connection() -> None:
    """As far as Python lets us: the bytes that held them are zeros."""
    left, right = client(), server()
    converse(left, right)
    for side in (left, right):
        key = side.precom
        assert key is not None
        side.destroy()
        assert bytes(key) == bytes(32)
        assert bytes(side._cn_secret) == bytes(32)


@pytest.mark.parametrize("at_once", [True, False])
def test_who_is_asked_about(at_once: bool) -> None:
    """The handler is given the 32 bytes of the client's long-term key; READY waits for its answer."""
    host = FakeHost([OK] if at_once else [None, OK])
    right = server(host, zap_domain=b"dom")
    left = client()
    converse(left, right)
    if not at_once:
        assert right.step == "waiting for the ZAP handler"
        right.zap_msg_available()
        converse(left, right)
    assert host.requests == [(b"", b"1.0", b"1", b"dom", b"192.0.2.1", b"", b"CURVE", public_of(CLIENT_SECRET))]
    assert (left.status, right.status) == (Status.READY, Status.READY)
    assert list(right.zap_properties) == [("User-Id", b"user")]


@pytest.mark.parametrize(
    ("handler", "domain", "enforced", "outcome"),
    [
        (False, b"", False, "accepted"),
        (False, b"dom", False, "accepted"),
        (False, b"", True, "accepted"),
        (False, b"dom", True, "refused"),
        (True, b"", False, "asked"),
        (True, b"dom", False, "asked"),
        (True, b"", True, "accepted"),
        (True, b"dom", True, "asked"),
    ],
)
def test_when_the_handler_is_asked(handler: bool, domain: bytes, enforced: bool, outcome: str) -> None:
    """Always where there is one, but for an enforced domain that is empty; without one an enforced domain refuses."""
    host = FakeHost([OK], handler=handler)
    made = server(host, zap_domain=domain, zap_enforce_domain=enforced)
    peer = welcomed(made)
    if outcome == "refused":
        assert failure(made, peer.initiate(METADATA)).error == errno.EFAULT
        return
    made.process_handshake_command(peer.initiate(METADATA))
    assert len(commands_of(made)) == 1
    assert made.status is Status.READY
    assert bool(host.requests) == (outcome == "asked")


@pytest.mark.parametrize("status", [b"300", b"400", b"500"])
def test_a_refused_client(status: bytes) -> None:
    """ERROR in clear, which the client takes for what it is; nothing for 300."""
    host = FakeHost([reply(status)])
    made = server(host)
    peer = welcomed(made)
    made.process_handshake_command(peer.initiate(METADATA))
    assert commands_of(made) == ([] if status == b"300" else [b"\5ERROR\3" + status])
    assert (made.status, made.refusal) == (Status.ERROR, status)
    assert host.refusals == [(int(status), "why")]


def test_the_metadata_is_looked_at_before_the_answer_is_there() -> None:
    """As in libzmq: a wrong type ends the handshake though the handler has not spoken; no event of its own."""
    made = server(FakeHost())
    peer = welcomed(made)
    assert failure(made, peer.initiate(add_property("Socket-Type", b"PUB"))).protocol_error == 0


# --- server ----------------------------------------------------------------------------------------------------------


def test_against_a_scripted_client() -> None:
    """Every box opens by the other implementation, and what it seals is accepted."""
    made = server(routing_id=b"SRV")
    peer = welcomed(made)
    made.process_handshake_command(peer.initiate(METADATA))
    (ready,) = commands_of(made)
    assert ready[6:14] == b"\0\0\0\0\0\0\0\1"
    assert peer.take_ready(ready) == add_property("Socket-Type", b"DEALER") + add_property("Identity", b"SRV")


def test_every_welcome_is_another() -> None:
    """Short-term key, cookie and nonces are random."""
    one, other = welcomed(server()), welcomed(server())
    assert one.cn_server != other.cn_server
    assert one.cookie != other.cookie


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda hello: b"", MALFORMED),
        (lambda hello: b"\x05", MALFORMED),
        (lambda hello: b"\xff" + hello[1:], MALFORMED),
        (lambda hello: b"\x05READY" + hello[6:], UNEXPECTED),
        (lambda hello: hello[:-1], BAD_HELLO),
        (lambda hello: hello + b"x", BAD_HELLO),
        (lambda hello: hello[:6] + b"\2\0" + hello[8:], BAD_HELLO),
        (lambda hello: hello[:6] + b"\1\1" + hello[8:], BAD_HELLO),
        (lambda hello: hello[:80] + bytes(32) + hello[112:], CRYPTOGRAPHIC),
        (lambda hello: hello[:80] + b"\1" + bytes(31) + hello[112:], CRYPTOGRAPHIC),
        (lambda hello: hello[:119] + b"\2" + hello[120:], CRYPTOGRAPHIC),
        (lambda hello: hello[:-1] + bytes([hello[-1] ^ 1]), CRYPTOGRAPHIC),
    ],
)
def test_a_hello_that_is_none(change: Callable[[bytes], bytes], code: int) -> None:
    """Length, name, version, box; keys of low order are no keys."""
    assert failure(server(), change(script().hello())).protocol_error == code


def test_the_padding_of_hello_is_not_looked_at() -> None:
    """RFC 26 has a server ignore it; libzmq does."""
    hello = script().hello()
    made = server()
    made.process_handshake_command(hello[:8] + b"x" * 72 + hello[80:])
    assert made.step == "sending WELCOME"


def test_a_client_of_another_server() -> None:
    """Its HELLO does not open; the reason says what is likely wrong."""
    error = failure(server(), CurveClientScript(public_of(b"X" * 32)).hello())
    assert error.protocol_error == CRYPTOGRAPHIC
    assert "another key" in str(error)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda it: b"", MALFORMED),
        (lambda it: b"\xff\xff\1" + it[9:], UNEXPECTED),
        (lambda it: b"\x05HELLO" + it[6:], UNEXPECTED),
        (lambda it: it[:256], BAD_INITIATE),
        (lambda it: it[:257], CRYPTOGRAPHIC),
        (lambda it: it[:9] + bytes(96) + it[105:], CRYPTOGRAPHIC),
        (lambda it: it[:60] + bytes([it[60] ^ 1]) + it[61:], CRYPTOGRAPHIC),
        (lambda it: it[:112] + b"\3" + it[113:], CRYPTOGRAPHIC),
        (lambda it: it[:-1] + bytes([it[-1] ^ 1]), CRYPTOGRAPHIC),
        (lambda it: it + b"x", CRYPTOGRAPHIC),
    ],
)
def test_an_initiate_that_is_none(change: Callable[[bytes], bytes], code: int) -> None:
    """Length, name, cookie, nonce, box."""
    made = server()
    assert failure(made, change(welcomed(made).initiate(METADATA))).protocol_error == code


def test_a_stolen_public_key() -> None:
    """A client that does not have the secret key of the public key it shows: the vouch does not open."""
    made = server()
    peer = welcomed(made)
    thief = CurveClientScript(peer.server_key, b"T" * 32, peer.cn_secret, peer.cn_server, peer.cookie, peer.key)
    vouch = thief.vouch()
    assert failure(made, peer.initiate(METADATA, vouch=vouch)).protocol_error == CRYPTOGRAPHIC


def test_a_vouch_for_another_connection() -> None:
    """A vouch that somebody else has made for its own connection."""
    made = server()
    peer = welcomed(made)
    vouch = peer.vouch(vouched=public_of(b"O" * 32))
    assert failure(made, peer.initiate(METADATA, vouch=vouch)).protocol_error == KEY_EXCHANGE


def test_a_vouch_to_another_server() -> None:
    """RFC 26 puts S into the vouch so that no server can pass a client's vouch on; libzmq does not look at it."""
    made = server()
    peer = welcomed(made)
    vouch = peer.vouch(server_key=public_of(b"O" * 32))
    assert failure(made, peer.initiate(METADATA, vouch=vouch)).protocol_error == KEY_EXCHANGE


@pytest.mark.parametrize("nonce", [0, 1])
def test_nonces_of_the_handshake_grow(nonce: int) -> None:
    """INITIATE must have a larger one than HELLO; libzmq takes any."""
    made = server()
    assert failure(made, welcomed(made).initiate(METADATA, nonce=nonce)).protocol_error == SEQUENCE


def test_the_cookie_of_another_connection() -> None:
    """Each has its own cookie key."""
    made, other = server(), server()
    peer, stranger = welcomed(made), welcomed(other)
    peer.cookie = stranger.cookie
    assert failure(made, peer.initiate(METADATA)).protocol_error == CRYPTOGRAPHIC


def test_a_cookie_expires() -> None:
    """RFC 26: after a minute, which the connection counts (`forget_cookie`)."""
    made = server()
    peer = welcomed(made)
    assert made.holds_cookie
    made.forget_cookie()
    assert not made.holds_cookie
    error = failure(made, peer.initiate(METADATA))
    assert error.protocol_error == CRYPTOGRAPHIC
    assert "expired" in str(error)


def test_a_cookie_is_good_once() -> None:
    """Its key is forgotten with the INITIATE that shows it."""
    made = server()
    peer = welcomed(made)
    made.process_handshake_command(peer.initiate(METADATA))
    assert not made.holds_cookie


def test_commands_out_of_turn() -> None:
    """A second HELLO before WELCOME is sent, an INITIATE while the handler is asked."""
    made = server(FakeHost())
    peer = script()
    made.process_handshake_command(peer.hello())
    assert failure(made, peer.hello()).protocol_error == UNSPECIFIED
    (welcome,) = commands_of(made)
    peer.take_welcome(welcome)
    assert failure(made, peer.hello(nonce=2)).protocol_error == UNEXPECTED
    made.process_handshake_command(peer.initiate(METADATA))
    assert failure(made, peer.initiate(METADATA, nonce=3)).protocol_error == UNSPECIFIED


# --- client ----------------------------------------------------------------------------------------------------------


def client_with_welcome() -> tuple[CurveClient, CurveServerScript]:
    made, peer = client(), CurveServerScript(SERVER_SECRET)
    (hello,) = commands_of(made)
    peer.take_hello(hello)
    made.process_handshake_command(peer.welcome())
    return made, peer


def test_against_a_scripted_server() -> None:
    """Every box opens by the other implementation, the vouch too, and what it seals is accepted."""
    made, peer = client_with_welcome()
    (initiate,) = commands_of(made)
    assert peer.take_initiate(initiate) == METADATA
    assert peer.client == public_of(CLIENT_SECRET)
    made.process_handshake_command(peer.ready(METADATA))
    assert made.status is Status.READY


def test_a_wrong_server() -> None:
    """A server without the secret key of CURVE_SERVERKEY cannot make a WELCOME."""
    made = client()
    (hello,) = commands_of(made)
    peer = CurveServerScript(b"I" * 32)
    with pytest.raises(OpenError):
        peer.take_hello(hello)
    peer.cn_client = hello[80:112]
    error = failure(made, peer.welcome())
    assert error.protocol_error == CRYPTOGRAPHIC
    assert "CURVE_SERVERKEY" in str(error)


@pytest.mark.parametrize("change", [lambda it: it[:-1], lambda it: it + b"x", lambda it: it[:-1] + bytes([it[-1] ^ 1])])
def test_a_welcome_that_is_none(change: Callable[[bytes], bytes]) -> None:
    """Length or box, the event is the same."""
    made, peer = client(), CurveServerScript(SERVER_SECRET)
    peer.take_hello(commands_of(made)[0])
    assert failure(made, change(peer.welcome())).protocol_error == CRYPTOGRAPHIC


def test_a_welcome_with_a_key_of_low_order() -> None:
    """A key that makes no secret is refused; libzmq aborts the process."""
    made, peer = client(), CurveServerScript(SERVER_SECRET)
    peer.take_hello(commands_of(made)[0])
    from tests.support.box import box_key, seal

    content = bytes(32) + bytes(96)
    welcome = b"\7WELCOME" + b"n" * 16 + seal(content, b"WELCOME-" + b"n" * 16, box_key(peer.cn_client, SERVER_SECRET))
    assert failure(made, welcome).protocol_error == CRYPTOGRAPHIC


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda it: it[:29], BAD_READY),
        (lambda it: it[:30], CRYPTOGRAPHIC),
        (lambda it: it[:-1] + bytes([it[-1] ^ 1]), CRYPTOGRAPHIC),
        (lambda it: it[:13] + b"\2" + it[14:], CRYPTOGRAPHIC),
        (lambda it: b"\7MESSAGE", UNEXPECTED),
        (lambda it: b"", UNEXPECTED),
        (lambda it: b"\5ERROR", BAD_ERROR),
        (lambda it: b"\5ERROR\x04400", BAD_ERROR),
    ],
)
def test_a_ready_that_is_none(change: Callable[[bytes], bytes], code: int) -> None:
    """Length, box, nonce, name."""
    made, peer = client_with_welcome()
    peer.take_initiate(commands_of(made)[0])
    assert failure(made, change(peer.ready(METADATA))).protocol_error == code


def test_metadata_that_a_client_does_not_take() -> None:
    """INVALID_METADATA, which a server does not say."""
    made, peer = client_with_welcome()
    peer.take_initiate(commands_of(made)[0])
    assert failure(made, peer.ready(METADATA + b"x")).protocol_error == BAD_METADATA


def test_a_client_takes_each_command_in_its_turn() -> None:
    """libzmq's takes WELCOME and READY at any time."""
    made, peer = client(), CurveServerScript(SERVER_SECRET)
    assert failure(made, b"\5ERROR\x03400").protocol_error == UNEXPECTED
    peer.take_hello(commands_of(made)[0])
    peer.key = bytes(32)
    assert failure(made, peer.ready(METADATA)).protocol_error == UNEXPECTED
    made.process_handshake_command(peer.welcome())
    assert failure(made, peer.welcome()).protocol_error == UNEXPECTED
    assert failure(made, b"\5ERROR\x03400").protocol_error == UNEXPECTED


@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_client_that_is_refused(status: int) -> None:
    """After HELLO and after INITIATE."""
    made = client()
    commands_of(made)
    error = failure(made, b"\5ERROR\3" + str(status).encode())
    assert (error.auth_status, error.protocol_error) == (status, 0)
    assert made.status is Status.ERROR
    made, _ = client_with_welcome()
    commands_of(made)
    assert failure(made, b"\5ERROR\3" + str(status).encode()).auth_status == status


def test_a_server_key_that_was_never_set() -> None:
    """All zeros is a point of low order: the client says so before it sends anything."""
    with pytest.raises(MechanismError, match="CURVE_SERVERKEY") as caught:
        client(curve_server_key=bytes(32)).next_handshake_command()
    assert caught.value.protocol_error == CRYPTOGRAPHIC


# --- garbage ---------------------------------------------------------------------------------------------------------

_NAMES = (b"\5HELLO", b"\7WELCOME", b"\x08INITIATE", b"\5READY", b"\5ERROR", b"\7MESSAGE")
_COMMANDS = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda name, size, data: (name + data).ljust(size, b"\0"), st.sampled_from(_NAMES),
              st.sampled_from([0, 30, 168, 200, 257, 300]), st.binary(max_size=300)),
)  # fmt: skip


@given(st.booleans(), st.lists(_COMMANDS, max_size=4), st.booleans())
def test_garbage_is_a_mechanism_error_or_nothing(as_server: bool, commands: list[bytes], speaks: bool) -> None:
    """Whatever a peer sends at whatever time, nothing but a MechanismError comes of it, and nobody is let in."""
    made: Mechanism = server() if as_server else client()
    for command in commands:
        if speaks:
            commands_of(made)
        try:
            made.process_handshake_command(command)
        except MechanismError:
            break
    assert made.status is not Status.READY


def test_no_secret_in_a_text() -> None:
    """Neither the keys nor what was derived from them is in a repr or a reason."""
    left, right = client(), server()
    converse(left, right)
    shown = repr([vars(left), vars(right)])
    assert left.precom is not None
    for secret in (CLIENT_SECRET, SERVER_SECRET, bytes(left.precom)):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
