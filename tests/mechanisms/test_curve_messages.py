# SPDX-License-Identifier: MPL-2.0
"""MESSAGE commands: sealed and opened in batches, one by one, in any pieces; replayed, reordered, altered.

All of it twice: with the halves of boxes, and as where PyNaCl's module does not export them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import Event
from libzmq_py.mechanisms.curve import boxes, crypto
from libzmq_py.mechanisms.curve.base import CurveDecoder, CurveEncoder, Nonces
from libzmq_py.mechanisms.curve.boxes import BoxKey
from libzmq_py.mechanisms.curve.crypto import Secret
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.msg import CANCEL, COMMAND, SUBSCRIBE, Msg
from tests.support.box import open_, seal
from tests.support.raw_peer import frame, pieces

KEY = b"K" * 32
PREFIX = b"CurveZMQMESSAGEC"
UNEXPECTED = Event.PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
SEQUENCE = Event.PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE
CRYPTOGRAPHIC = Event.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
MALFORMED = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED
BAD_MESSAGE = Event.PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE


@pytest.fixture(scope="module", params=["halves", "boxes"], autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How boxes are made."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "boxes":
            patch.setattr(crypto, "SPLIT", None)
        yield request.param


def encoder(downgrade_sub: bool = False, first: int = 1) -> CurveEncoder:
    nonces = Nonces()
    if first > 1:
        nonces.take(first - 1)
    return CurveEncoder(BoxKey(Secret(KEY), PREFIX), nonces, downgrade_sub)


def decoder(last_nonce: int = 0, maxmsgsize: int = -1) -> CurveDecoder:
    return CurveDecoder(V2Decoder(maxmsgsize), BoxKey(Secret(KEY), PREFIX), last_nonce)


def sealed(payload: bytes, nonce: int, flags: int = 0, key: bytes = KEY) -> bytes:
    """The frame of a MESSAGE command, by the other implementation."""
    short = nonce.to_bytes(8, "big")
    return frame(b"\7MESSAGE" + short + seal(bytes([flags]) + payload, PREFIX + short, key))


def wire(*batches: list[Any], **how: Any) -> bytes:
    """What the encoder makes of batches, one behind the other."""
    made = encoder(**how)
    return b"".join(bytes(piece) for batch in batches for piece in made.encode(batch))


def opened(data: bytes) -> list[tuple[int, bytes]]:
    """Flags and payload of each frame, by the other implementation; the nonces must count up from 1."""
    found = []
    plain = V2Decoder(-1)
    for number, command in enumerate(plain.decode(data), 1):
        assert isinstance(command, bytes)
        assert command[:16] == b"\7MESSAGE" + number.to_bytes(8, "big")
        content = open_(command[16:], PREFIX + command[8:16], KEY)
        found.append((content[0], content[1:]))
    return found


def shown(messages: list[Any]) -> list[Any]:
    return [(bytes(msg.data), msg.flags) if isinstance(msg, Msg) else msg for msg in messages]


# --- out -------------------------------------------------------------------------------------------------------------

BATCHES: dict[str, list[Any]] = {
    "one": [b"hello"],
    "empty": [b""],
    "equal": [b"a" * 100] * 40,
    "equal and empty": [b""] * 40,
    "equal at the largest short frame": [b"a" * 222] * 20,
    "equal at the smallest long frame": [b"a" * 223] * 20,
    "mixed": [bytes([n]) * n for n in range(250)],
    "large": [b"x" * 70_000, b"y" * 300_000],
    "large among others": [b"", b"x" * 70_000, b"y", (b"", b"z" * 24_000, b""), b"x" * 5000, b"z" * 31],
    "equal and large": [b"x" * 9000] * 3,
    "multipart": [(b"a", b"", b"c" * 300), b"single", (b"b",) * 20],
}


@pytest.mark.parametrize("batch", [b for n, b in BATCHES.items() if "large" not in n])
def test_what_is_sealed_opens_elsewhere(batch: list[Any]) -> None:
    """Flags, payloads and nonces, frame by frame, checked by the other implementation."""
    expected = []
    for message in batch:
        frames = message if isinstance(message, tuple) else (message,)
        expected += [(int(index < len(frames) - 1), part) for index, part in enumerate(frames)]
    assert opened(wire(batch)) == expected


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("one_by_one", [True, False])
def test_there_and_back(batch: list[Any], one_by_one: bool) -> None:
    """However it is batched, the same messages come out."""
    data = wire(*([message] for message in batch)) if one_by_one else wire(batch)
    made = decoder()
    assert made.decode(data) == batch
    assert made.error is None


def test_batches_are_the_same_as_single_messages() -> None:
    """The bytes do not depend on how messages are batched."""
    for batch in BATCHES.values():
        assert wire(batch) == wire(*([message] for message in batch))


def test_nonces_go_on_from_the_handshake() -> None:
    """And across the byte boundaries of the counter."""
    first = 2**16 - 5
    data = wire([b"x" * 10] * 40, [b"y"], [b"z", b"zz"], first=first)
    made = decoder(last_nonce=first - 1)
    assert made.decode(data) == [b"x" * 10] * 40 + [b"y", b"z", b"zz"]
    assert decoder(last_nonce=first).decode(data) == []


def test_nonces_are_never_used_twice() -> None:
    """When there are no more, the connection cannot go on."""
    nonces = Nonces()
    nonces.take(2**64 - 3)
    assert list(nonces.take(2)) == [2**64 - 2, 2**64 - 1]
    with pytest.raises(MechanismError):
        nonces.take()


def test_subscriptions() -> None:
    """A command to a peer of 3.1, a message to one of 3.0."""
    batch = [Msg(b"T", SUBSCRIBE), Msg(b"T", CANCEL), Msg(memoryview(b"mem"))]
    assert opened(wire(batch)) == [(2, b"\x09SUBSCRIBET"), (2, b"\x06CANCELT"), (0, b"mem")]
    assert opened(wire(batch, downgrade_sub=True)) == [(0, b"\1T"), (0, b"\0T"), (0, b"mem")]


def test_commands_and_views() -> None:
    """PING goes sealed too; frames may be views of the user's memory."""
    batch = [Msg(b"\4PING\0\0", COMMAND), memoryview(b"view"), (memoryview(b"a"), Msg(b"b"))]
    assert opened(wire(batch)) == [(2, b"\4PING\0\0"), (0, b"view"), (1, b"a"), (0, b"b")]


def test_the_users_bytes_stay_as_they_are() -> None:
    """They are sealed in a copy."""
    body = os.urandom(100)
    before = bytes(bytearray(body))
    wire([body], [body] * 20, [body, b"other"], [(body, body)])
    assert body == before


# --- in --------------------------------------------------------------------------------------------------------------


def test_what_is_sealed_elsewhere_is_opened() -> None:
    """MORE gathers parts; COMMAND is kept apart; other flags mean nothing."""
    data = b"".join(
        sealed(payload, nonce, flags)
        for nonce, (flags, payload) in enumerate([(0, b"one"), (1, b"a"), (0, b"b"), (2, b"\4PING"), (0xFC, b"x")], 5)
    )
    made = decoder(last_nonce=4)
    assert shown(made.decode(data)) == [b"one", (b"a", b"b"), (b"\4PING", COMMAND), b"x"]
    assert made.has_commands
    assert made.decode(b"") == []
    assert not made.has_commands


@pytest.mark.parametrize("sizes", [[1], [1, 977], [1 << 20]], ids=["bytes", "odd pieces", "whole"])
@pytest.mark.parametrize("flags", [1, 4, 5, 0xFD])
@pytest.mark.parametrize("size", [5, 300, 9000])
def test_outer_flags_mean_nothing(flags: int, size: int, sizes: list[int]) -> None:
    """What a frame is, the box says alone: somebody in between cannot delay a message, nor join it to another."""
    a, b, c, d, e = (letter * size for letter in (b"a", b"b", b"c", b"d", b"e"))
    inside = [(0, a), (1, b), (0, c), (2, d), *[(0, e)] * 20]
    expected = [[a], [], [(b, c)], [(d, COMMAND)], *[[e]] * 20]
    frames = [sealed(payload, nonce, flag) for nonce, (flag, payload) in enumerate(inside, 1)]
    frames = [bytes([data[0] | flags]) + data[1:] for data in frames]
    made = decoder()
    for data, wanted in zip(frames, expected, strict=True):
        found = [made.decode(piece) for piece in pieces(data, sizes)]
        assert [shown(messages) for messages in found if messages] == [wanted] * bool(wanted)
    assert shown(decoder().decode(b"".join(frames))) == sum(expected, [])


@pytest.mark.parametrize(("size", "taken"), [(31, 40), (32, 0), (200, 0)])
def test_the_limit_holds_in_runs(size: int, taken: int) -> None:
    """MAXMSGSIZE is of the frame on the wire, however many equal ones come at once (fuzzing)."""
    made = decoder(maxmsgsize=64)
    assert made.decode(wire([b"x" * size] * 40)) == [b"x" * size] * taken
    assert (made.error is None) is bool(taken)


def test_a_stream_in_any_pieces() -> None:
    """Byte by byte and in odd pieces, across runs and large frames."""
    batch = [b"r" * 50] * 100 + [b"x" * 20_000, b"", (b"p", b"q" * 10_000)] + [b"r" * 50] * 30
    data = wire(batch)
    for sizes in ([1], [7, 300, 1, 5000], [1024], [65536]):
        made = decoder()
        found: list[Any] = []
        for piece in pieces(data, sizes):
            found += made.decode(piece)
        assert found == batch


def test_a_run_is_not_taken_for_one() -> None:
    """Frames of one size that are not one run: with a command, a part, or a foreign frame among them."""
    plain = [sealed(b"x" * 20, nonce) for nonce in range(1, 41)]
    special = {
        "command": (sealed(b"x" * 20, 21, 2), 1),
        "part": (sealed(b"x" * 20, 21, 1), 0),
    }
    for name, (other, commands) in special.items():
        data = b"".join(plain[:20]) + other + b"".join(plain[21:])
        made = decoder()
        messages = made.decode(data)
        assert len(messages) == 40 - (name == "part")
        assert made.has_commands == bool(commands)
        assert made.error is None


BAD = {
    "replayed": (lambda good: good[4], SEQUENCE),
    "replayed long ago": (lambda good: good[0], SEQUENCE),
    "empty": (lambda good: frame(b""), MALFORMED),
    "one byte": (lambda good: frame(b"\7"), MALFORMED),
    "shorter than its name": (lambda good: frame(b"\7MESS"), MALFORMED),
    "another command": (lambda good: frame(b"\5READY" + bytes(40)), UNEXPECTED),
    "no nonce": (lambda good: frame(b"\7MESSAGE" + b"\xff" * 7), BAD_MESSAGE),
    "no flags": (lambda good: frame(b"\7MESSAGE" + b"\xff" * 8 + bytes(16)), BAD_MESSAGE),
    "altered": (lambda good: sealed(b"x" * 20, 99)[:-1] + b"?", CRYPTOGRAPHIC),
    "altered MAC": (lambda good: sealed(b"x" * 20, 99)[:18] + bytes(16) + bytes(21), CRYPTOGRAPHIC),
    "another key": (lambda good: sealed(b"x" * 20, 99, key=bytes(32)), CRYPTOGRAPHIC),
    "another nonce": (lambda good: sealed(b"x" * 20, 99)[:17] + b"\x64" + sealed(b"x" * 20, 99)[18:], CRYPTOGRAPHIC),
    "large and altered": (lambda good: sealed(b"x" * 9000, 99)[:-1] + b"?", CRYPTOGRAPHIC),
}


@pytest.mark.parametrize(("make", "code"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("before", [1, 5, 40])
@pytest.mark.parametrize("alone", [True, False])
def test_a_bad_message(make: Any, code: int, before: int, alone: bool) -> None:
    """What came before it is delivered, then the error; nothing behind it counts."""
    good = [sealed(b"x" * 20, nonce) for nonce in range(1, max(before, 5) + 1)]
    bad = make(good)
    sent = good[: max(before, 5)] if "replayed" in str(make) or code == SEQUENCE else good[:before]
    made = decoder()
    if alone:
        assert len(made.decode(b"".join(sent))) == len(sent)
        assert made.decode(bad + sealed(b"late", 1000)) == []
    else:
        assert len(made.decode(b"".join(sent) + bad + sealed(b"late", 1000))) == len(sent)
    assert isinstance(made.error, MechanismError)
    assert made.error.protocol_error == code
    assert made.decode(sealed(b"late", 1001)) == []


@pytest.mark.parametrize("bad", [0, 1, 9])
@pytest.mark.parametrize("sizes", [[100] * 10, list(range(95, 105))])
def test_a_bad_box_in_a_batch(bad: int, sizes: list[int]) -> None:
    """Of boxes that are opened together, those before it count; what the cipher made of the others nobody sees."""
    batch = [b"x" * size for size in sizes]
    made_out = encoder()
    frames = [bytes(made_out.encode([message])[0]) for message in batch]
    frames[bad] = frames[bad][:-1] + bytes([frames[bad][-1] ^ 1])
    made = decoder()
    assert made.decode(b"".join(frames)) == batch[:bad]
    assert isinstance(made.error, MechanismError)
    assert made.error.protocol_error == CRYPTOGRAPHIC


def test_messages_out_of_order() -> None:
    """CVE-2014-7203: two messages exchanged by somebody in the middle; the second one is behind the first."""
    made = decoder()
    assert made.decode(sealed(b"2", 2) + sealed(b"1", 1)) == [b"2"]
    assert isinstance(made.error, MechanismError)
    assert made.error.protocol_error == SEQUENCE


def test_messages_that_were_taken_away_are_not_missed() -> None:
    """Nonces must grow, not follow each other: as libzmq has it."""
    made = decoder()
    assert made.decode(sealed(b"2", 2) + sealed(b"9", 9)) == [b"2", b"9"]
    run = b"".join(sealed(b"x" * 30, nonce) for nonce in range(10, 200, 3))
    assert len(made.decode(run)) == 64
    assert made.error is None


@pytest.mark.parametrize("before", [2, 20])
def test_the_last_nonces_of_all(before: int) -> None:
    """Behind the largest number there is none."""
    last = 2**64 - 1
    data = b"".join(sealed(b"x", nonce) for nonce in [*range(last - before + 1, last + 1), 0, 1])
    made = decoder(last_nonce=last - before)
    assert made.decode(data) == [b"x"] * before
    assert isinstance(made.error, MechanismError)
    assert made.error.protocol_error == SEQUENCE


@pytest.mark.parametrize("size", [boxes.MAX_SLOT_PAYLOAD, boxes.MAX_SLOT_PAYLOAD + 1, 23_999, 24_000, 300_000])
@pytest.mark.parametrize("flags", [0, 1])
def test_around_every_limit(size: int, flags: int) -> None:
    """Payloads at the limits of slots, of OpenSSL's MAC and of the GIL; with flags, and altered at both ends."""
    payload = os.urandom(size)
    key, nonce = BoxKey(Secret(KEY), PREFIX), (7).to_bytes(8, "big")
    [frame_] = boxes.seal_few([payload], [flags], [nonce], key)
    command = bytes(frame_[9:])
    assert command == b"\7MESSAGE" + nonce + crypto.seal_box(bytes([flags]) + payload, PREFIX + nonce, Secret(KEY))
    assert boxes.open_one(command, key) == (flags, payload)
    for position in (16, 31, 32, 33, 64, 65, -1):
        altered = bytearray(command)
        altered[position] ^= 0x80
        assert boxes.open_one(bytes(altered), key) is None


def test_nobody_else_has_the_space() -> None:
    """While a batch is worked on; within a space, slots are made once."""
    with boxes.borrow() as space:
        assert space.slots_for(100) is space.slots_for(101)
        with boxes.borrow() as other:
            assert other is not space
    with boxes.borrow() as again:
        assert again in (space, other)


def test_batches_of_several_threads() -> None:
    """Each comes out as it went in, though all have one size and work at once."""
    wrong: list[int] = []

    def there_and_back(number: int) -> None:
        batch = [bytes([number]) * 100] * 200
        made_out, made_in = encoder(), decoder()
        for _ in range(30):
            if made_in.decode(b"".join(bytes(piece) for piece in made_out.encode(batch))) != batch:
                wrong.append(number)

    threads = [threading.Thread(target=there_and_back, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_keys_are_wiped_and_never_shown() -> None:
    """The key of a direction goes with the connection's."""
    key = BoxKey(Secret(KEY), PREFIX)
    assert repr(KEY)[2:-1] not in repr(key) + repr(key.key) + repr(key.subkey)
    key.wipe()
    assert bytes(key.key) == bytes(key.subkey) == bytes(32)


def test_the_limit_counts_the_frame() -> None:
    """MAXMSGSIZE is compared with the size on the wire, before anything is opened."""
    made = decoder(maxmsgsize=100)
    assert made.decode(sealed(b"x" * 67, 1)) == [b"x" * 67]
    assert made.decode(sealed(b"x" * 68, 2)) == []
    assert "limit" in str(made.error)


_FRAMES = st.binary(max_size=400)
_SIZES = st.one_of(st.integers(0, 300), st.sampled_from([2015, 2016, 23_999, 24_000]))
_MESSAGES = st.one_of(_FRAMES, st.lists(_FRAMES, min_size=2, max_size=4).map(tuple))


@given(st.lists(st.lists(_MESSAGES, min_size=1, max_size=6), max_size=5), st.lists(st.integers(1, 900), min_size=1))
def test_any_messages_in_any_pieces(batches: list[list[Any]], sizes: list[int]) -> None:
    """Neither how messages are batched nor how the stream is cut changes what comes out."""
    data = wire(*batches)
    made = decoder()
    found: list[Any] = []
    for piece in pieces(data, sizes):
        found += made.decode(piece)
    assert found == [message for batch in batches for message in batch]
    assert made.error is None


@given(st.lists(st.lists(_SIZES, min_size=1, max_size=8), max_size=3))
def test_any_sizes_in_one_batch(batches: list[list[int]]) -> None:
    """Small, middling and large ones beside each other."""
    bodies = [[bytes([index]) * size for index, size in enumerate(sizes)] for sizes in batches]
    made = decoder()
    assert made.decode(wire(*bodies)) == [body for batch in bodies for body in batch]
    assert made.error is None


@given(st.binary(max_size=300), st.lists(st.integers(1, 100), min_size=1))
def test_garbage_is_an_error_or_nothing(data: bytes, sizes: list[int]) -> None:
    """No bytes of an attacker become a message."""
    made = decoder()
    for piece in pieces(data, sizes):
        assert made.decode(piece) == []


@given(st.integers(0, 2000), st.integers(1, 255))
def test_no_bit_can_be_changed(position: int, change: int) -> None:
    """A changed byte anywhere behind the headers loses that message and all after it, and never gives another."""
    batch = [b"x" * 30] * 20
    data = bytearray(wire(batch))
    position %= len(data)
    data[position] ^= change
    found = decoder().decode(bytes(data))
    assert found == batch[: len(found)]
