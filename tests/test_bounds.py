# SPDX-License-Identifier: MPL-2.0
"""Bounds that SECURITY.md states and no other test holds."""

from __future__ import annotations

import pathlib
from typing import Any

import nacl.bindings
import pytest

from libzmq_py.codecs import decoder
from libzmq_py.engines import stream_engine_base, zmtp_engine
from libzmq_py.mechanisms import mechanism
from libzmq_py.mechanisms.curve.server import CurveServer
from libzmq_py.mechanisms.mechanism import MechanismError, Status
from tests.mechanisms.fakes import FakeHost, commands_of, options
from tests.support.box import public_of
from tests.support.raw_peer import properties
from tests.support.security import CurveClientScript

SECRET = b"Q" * 32
STATED = (pathlib.Path(__file__).resolve().parents[1] / "SECURITY.md").read_text("utf-8")


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each multiplication of a point: the names of libsodium's functions."""
    done: list[str] = []
    for name in ("crypto_box_keypair", "crypto_scalarmult_base", "crypto_box_beforenm", "crypto_scalarmult"):
        original = getattr(nacl.bindings, name)

        def count(*args: Any, _name: str = name, _original: Any = original) -> Any:
            done.append(_name)
            return _original(*args)

        monkeypatch.setattr(nacl.bindings, name, count)
    return done


def test_what_a_handshake_costs_the_server(operations: list[str]) -> None:
    """Two operations until HELLO has opened, three until WELCOME is sent, six in all."""
    server = CurveServer(options(as_server=1, curve_secret_key=SECRET), FakeHost(handler=False))
    script = CurveClientScript(public_of(SECRET))
    server.process_handshake_command(script.hello())
    assert 0 < len(operations) <= 2
    script.take_welcome(commands_of(server)[0])
    assert len(operations) <= 3
    server.process_handshake_command(script.initiate(properties("DEALER")))
    script.take_ready(commands_of(server)[0])
    assert server.status is Status.READY
    assert len(operations) <= 6
    assert "six for a whole handshake" in STATED


def test_what_noise_costs_the_server(operations: list[str]) -> None:
    """Two, and no answer."""
    server = CurveServer(options(as_server=1, curve_secret_key=SECRET), FakeHost(handler=False))
    with pytest.raises(MechanismError):
        server.process_handshake_command(b"\5HELLO\1\0" + b"n" * 192)
    assert commands_of(server) == []
    assert len(operations) <= 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (zmtp_engine._MAX_HANDSHAKE == 64 * 1024, "64 KiB of a handshake command"),
        (stream_engine_base._MAX_READ == 256 * 1024, "256 KiB; once per I/O thread"),
        (stream_engine_base._OUT_BATCH_BYTES == 128 * 1024, "one batch: 128 KiB"),
        (mechanism._MAX_PROPERTIES == 256, "256 properties"),
        (zmtp_engine._MAX_PONGS == 256, "256 that wait"),
        (decoder._MESSAGE_FACTOR == 64, "64 times MAXMSGSIZE"),
        (decoder._MESSAGE_MIN == 16 * 1024 * 1024, "or 16 MiB"),
        (decoder._GROWTH == 4, "four times what has come"),
        (decoder._FIRST_ROOM == 256 * 1024, "or 256 KiB, or as much"),
        (2 * decoder._LARGEST_KEPT == 32 * 1024 * 1024, "above 32 MiB address space only"),
        (decoder._FRAME_COST == 48, "48 bytes for each frame"),
        (options().handshake_ivl == 30_000, "HANDSHAKE_IVL (30 s)"),
    ],
)
def test_the_text_states_what_the_code_has(value: bool, words: str) -> None:
    """A number that is changed in one of them is to be changed in the other."""
    assert value
    assert words in STATED


@pytest.mark.parametrize("name", ["test_advisories", "test_secrets", "test_bounds", "test_bad_peers"])
def test_the_tests_that_are_named_exist(name: str) -> None:
    """At the place where the text says they are."""
    assert f"`{name}.py`" in STATED
    assert (pathlib.Path(__file__).parent / f"{name}.py").exists()
