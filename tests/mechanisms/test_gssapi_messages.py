# SPDX-License-Identifier: MPL-2.0
"""MESSAGE commands of GSSAPI: sealed, opened, altered, replayed; without Kerberos."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import Event, SocketType
from libzmq_py.mechanisms.gssapi import base
from libzmq_py.mechanisms.gssapi.base import GssapiDecoder, GssapiEncoder
from libzmq_py.mechanisms.gssapi.client import GssapiClient
from libzmq_py.mechanisms.gssapi.server import GssapiServer
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.msg import CANCEL, COMMAND, SUBSCRIBE, Msg
from tests.mechanisms.fakes import OK, FakeHost, converse, options
from tests.mechanisms.gssapi_fakes import FakeContext, FakeContexts
from tests.mechanisms.test_gssapi import message
from tests.support.raw_peer import frame, pieces

UNEXPECTED = Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
CRYPTOGRAPHIC = Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
MALFORMED = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
BAD_MESSAGE = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE


def context() -> FakeContext:
    return FakeContext((), ())


def encoder(downgrade_sub: bool = False, failures: list[MechanismError] | None = None) -> GssapiEncoder:
    return GssapiEncoder(context(), downgrade_sub, [].append if failures is None else failures.append)


def decoder(maxmsgsize: int = -1) -> GssapiDecoder:
    return GssapiDecoder(V2Decoder(maxmsgsize), context())


def wire(batch: list[Any], downgrade_sub: bool = False) -> bytes:
    return b"".join(encoder(downgrade_sub).encode(batch))


def shown(messages: list[Any]) -> list[Any]:
    return [(bytes(msg.data), msg.flags) if isinstance(msg, Msg) else msg for msg in messages]


def code_of(error: Exception | None) -> int:
    assert isinstance(error, MechanismError)
    return error.protocol_error


# --- out -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("msg", "plaintexts"),
    [
        (b"", [b"\0"]),
        (b"hello", [b"\0hello"]),
        (b"x" * 300, [b"\0" + b"x" * 300]),
        ((b"a", b"", memoryview(b"c")), [b"\1a", b"\1", b"\0c"]),
        ((Msg(b"a"), b"b"), [b"\1a", b"\0b"]),
        (Msg(b"mine"), [b"\0mine"]),
        (Msg(memoryview(b"\4PING\0\0"), COMMAND), [b"\2\4PING\0\0"]),
        (Msg(b"topic", SUBSCRIBE), [b"\2\x09SUBSCRIBEtopic"]),
        (Msg(b"topic", CANCEL), [b"\2\6CANCELtopic"]),
    ],
)
def test_what_is_sealed(msg: Any, plaintexts: list[bytes]) -> None:
    """Flags, then the payload; one frame for each part, whose own flags say nothing."""
    expected = b"".join(frame(message(plaintext, number)) for number, plaintext in enumerate(plaintexts, 1))
    assert wire([msg]) == expected


@pytest.mark.parametrize(("flags", "plaintext"), [(SUBSCRIBE, b"\0\1topic"), (CANCEL, b"\0\0topic")])
def test_subscriptions_to_a_3_0_peer(flags: int, plaintext: bytes) -> None:
    """Are messages, as 3.0 has them."""
    assert wire([Msg(b"topic", flags)], downgrade_sub=True) == frame(message(plaintext))


def test_what_cannot_be_sealed_ends_the_connection() -> None:
    """What was sealed before goes out, nothing after it, and the connection is told once."""
    failures: list[MechanismError] = []
    broken = context()
    made = GssapiEncoder(broken, False, failures.append)
    assert made.encode([b"a"]) == [frame(message(b"\0a"))]
    broken.broken = True
    assert made.encode([(b"b", b"c"), b"d"]) == [b""]
    broken.broken = False
    assert made.encode([b"e"]) == [b""]
    assert [str(error) for error in failures] == ["cannot seal a message: expired"]


def test_a_message_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size would not fit into four bytes; libzmq writes what fits."""
    monkeypatch.setattr(base, "_MAX_TOKEN", 100)
    failures: list[MechanismError] = []
    assert encoder(failures=failures).encode([b"a", b"x" * 100]) == [frame(message(b"\0a"))]
    assert len(failures) == 1
    assert "too long" in str(failures[0])


# --- there and back --------------------------------------------------------------------------------------------------

BATCHES: dict[str, list[Any]] = {
    "one": [b"hello"],
    "empty": [b""],
    "many": [b"a" * n for n in range(300)],
    "large": [b"x" * 70_000, b"y" * 1_000_000],
    "multipart": [(b"a", b"", b"c" * 300), b"single", (b"b",) * 20 + (b"",)],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 30])
def test_there_and_back(batch: list[Any], size: int) -> None:
    """In any pieces."""
    data = wire(batch)
    if len(data) // size > 100_000:
        data, batch = wire(batch[:1]), batch[:1]
    made, found = decoder(), []
    for piece in pieces(data, [size]):
        found += made.decode(piece)
    assert found == batch
    assert made.error is None


def test_what_was_fed_and_bodies_read_into_their_place() -> None:
    """The two other ways for bytes to come in."""
    data = wire([b"a", b"x" * 200_000])
    made = decoder()
    made.feed(data[:10])
    assert made.decode(data[10:50_000]) == [b"a"]
    rest = data[50_000:]
    assert made.collector.direct
    with made.collector.window() as window:
        window[: len(rest)] = rest
    assert made.received(len(rest)) == [b"x" * 200_000]


def test_commands() -> None:
    """Are told from messages, and a batch without any is known."""
    made = decoder()
    batch = [b"a", Msg(b"\4PONG", COMMAND), b"b"]
    data = wire([*batch, b"c"])
    last = len(frame(message(b"\0c")))
    assert shown(made.decode(data[:-last])) == [b"a", (b"\4PONG", COMMAND), b"b"]
    assert made.has_commands
    assert made.decode(data[-last:]) == [b"c"]
    assert not made.has_commands


@pytest.mark.parametrize(
    ("flags", "command"), [(4, b"\x09SUBSCRIBEtopic"), (8, b"\6CANCELtopic"), (12, b"\x09SUBSCRIBEtopic")]
)
def test_subscriptions_as_later_libzmq_marks_them(flags: int, command: bytes) -> None:
    """A flag instead of a name; the same to the engine."""
    made = decoder()
    assert shown(made.decode(frame(message(bytes([flags]) + b"topic")))) == [(command, COMMAND)]
    assert made.has_commands


@pytest.mark.parametrize("outer", [{"command": True}, {"more": True}])
@pytest.mark.parametrize("size", [1, 300, 9000])
def test_outer_flags_mean_nothing(outer: dict[str, bool], size: int) -> None:
    """Anybody in between could set them: a message is neither delayed nor joined to another."""
    made = decoder()
    a, b, c = b"a" * size, b"b" * size, b"c" * size
    assert made.decode(frame(message(b"\0" + a), **outer)) == [a]
    assert made.decode(frame(message(b"\1" + b, 2), **outer)) == []
    found = made.decode(frame(message(b"\0" + c, 3), **outer) + frame(message(b"\2\4PONG", 4), **outer))
    assert shown(found) == [(b, c), (b"\4PONG", COMMAND)]


# --- in --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"", MALFORMED),
        (b"\7MESS", MALFORMED),
        (b"\5plain text", UNEXPECTED),
        (b"\5READY\0\0\0\0", UNEXPECTED),
        (b"\7MESSAGE\0\0\0", BAD_MESSAGE),
        (message(b"\0c", 3) + b"x", BAD_MESSAGE),
        (message(b"\0c", 3)[:-1], BAD_MESSAGE),
        (message(b"", 3), BAD_MESSAGE),
        (message(b"\0a", 1), CRYPTOGRAPHIC),
        (message(b"\0c", 4), CRYPTOGRAPHIC),
        (message(b"\0c", 3, key=b"X"), CRYPTOGRAPHIC),
        (b"\7MESSAGE\0\0\0\0", CRYPTOGRAPHIC),
    ],
)
def test_what_is_refused(bad: bytes, code: int) -> None:
    """What came before is delivered, and nothing after it."""
    made = decoder()
    good = frame(message(b"\0a")) + frame(message(b"\1b", 2))
    assert made.decode(good + frame(bad) + frame(message(b"\0d", 4))) == [b"a"]
    assert code_of(made.error) == code
    assert made.decode(frame(message(b"\0e", 5))) == []


def test_a_message_that_is_larger_than_maxmsgsize() -> None:
    """Is refused by its frame's header."""
    made = decoder(maxmsgsize=100)
    data = wire([b"a", b"x" * 100])
    assert made.decode(data[:-100]) == [b"a"]
    assert made.error is not None


def test_a_message_that_does_not_end() -> None:
    """The frames inside are counted, and there is a limit; what ends below it may come any number of times."""
    made = decoder(maxmsgsize=100_000)
    made._gathering._limit = 200_000
    numbers = itertools.count(1)
    for _ in range(3):
        for flags in (b"\1",) * 100 + (b"\0",):
            made.decode(frame(message(flags + bytes(1000), next(numbers))))
        assert made.error is None
    taken = 0
    while made.error is None:
        assert made.decode(frame(message(b"\1" + bytes(1000), next(numbers)))) == []
        taken += 1000
        assert taken < 220_000
    assert taken > 150_000
    assert "does not end" in str(made.error)


@given(st.lists(st.binary(max_size=30) | st.binary(max_size=30).map(message), max_size=5))
def test_nothing_a_peer_sends_raises(commands: list[bytes]) -> None:
    """Any bytes in any frames: messages, or an error that ends the connection."""
    made = decoder()
    made.decode(b"".join(map(frame, commands)))
    assert made.error is None or isinstance(made.error, MechanismError)


# --- both sides ------------------------------------------------------------------------------------------------------


def test_after_the_handshake() -> None:
    """READY was the first of the sealed ones; messages follow it, both ways."""
    left = GssapiClient(options(), FakeHost(), FakeContexts())
    right = GssapiServer(options(SocketType.ROUTER, as_server=1), FakeHost([OK]), FakeContexts())
    converse(left, right)
    for one, other in ((left, right), (right, left)):
        out, _ = one.secure(None, V2Decoder(-1), False)
        _, into = other.secure(None, V2Decoder(-1), False)
        assert into.decode(b"".join(out.encode([b"hello", (b"a", b"b")]))) == [b"hello", (b"a", b"b")]
