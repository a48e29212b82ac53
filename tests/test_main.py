# SPDX-License-Identifier: MPL-2.0
"""The command line: the demo passes when everything arrives, and fails when something does not."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
import zmq

import libzmq_py
from libzmq_py import __main__ as main_module
from libzmq_py.__main__ import PATTERNS, demo, main

FEW = 20  # messages in each cell


class Disguised:
    """pyzmq under another identity, so that it can be both the library and the other side of one demo."""

    def __getattr__(self, name: str) -> Any:
        return getattr(zmq, name)


class TamperingSocket(zmq.Socket):  # type: ignore[type-arg]
    """Changes the last frame of everything it sends in several frames."""

    def send_multipart(self, msg_parts: Any, *args: Any, **kwargs: Any) -> Any:
        *head, last = msg_parts
        return super().send_multipart([*head, last + b"!"], *args, **kwargs)


class TamperingContext(zmq.Context):  # type: ignore[type-arg]
    _socket_class = TamperingSocket


class Tampering(Disguised):
    """A library that does not deliver what was sent."""

    Context = TamperingContext


class LosingSocket(zmq.Socket):  # type: ignore[type-arg]
    """Sends nothing, and says it did."""

    def send_multipart(self, *args: Any, **kwargs: Any) -> None:
        """Lose the message."""


class LosingContext(zmq.Context):  # type: ignore[type-arg]
    _socket_class = LosingSocket


class Losing(Disguised):
    """A library that delivers nothing."""

    Context = LosingContext


def test_demo_moves_everything_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Every pattern over every transport, libzmq_py to libzmq_py."""
    assert demo(count=FEW) == 0
    printed = capsys.readouterr().out
    for pattern in PATTERNS:
        assert pattern.name in printed
    assert " 0 failures" in printed
    assert "FAILED" not in printed


@pytest.mark.interop
def test_demo_moves_everything_to_and_from_libzmq(capsys: pytest.CaptureFixture[str]) -> None:
    """Every pattern over tcp and ipc, in both directions, against the real libzmq."""
    assert demo(other=zmq, count=FEW) == 0
    printed = capsys.readouterr().out
    for pattern in PATTERNS:
        assert printed.count(f"\n{pattern.name:<21}") == 3
    assert f"real libzmq {zmq.zmq_version()}" in printed


@pytest.mark.interop
def test_demo_itself_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    """With the real libzmq on both sides the demo passes, so what it expects is what libzmq does."""
    assert demo(Disguised(), other=zmq, count=FEW) == 0
    assert " 0 failures" in capsys.readouterr().out


@pytest.mark.interop
def test_demo_notices_what_arrives_changed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that changes messages fails every cell, and the demo says which message it was."""
    monkeypatch.setattr(main_module, "PATIENCE", 0.2)
    assert demo(Tampering(), count=FEW) == 1
    printed = capsys.readouterr().out
    assert "PUSH > PULL over tcp" in printed
    assert "instead of" in printed


@pytest.mark.interop
def test_demo_notices_what_does_not_arrive_and_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that loses everything fails every cell, within the time the demo allows itself."""
    monkeypatch.setattr(main_module, "PATIENCE", 0.05)
    monkeypatch.setattr(main_module, "LIMIT", 1.0)
    begun = time.monotonic()
    assert demo(Losing(), count=FEW) == 1
    assert time.monotonic() - begun < 10
    printed = capsys.readouterr().out
    assert "0 messages checked" in printed
    assert "not started" in printed


def test_demo_runs_without_pyzmq(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyzmq cannot be imported the demo says so and runs alone."""
    monkeypatch.setitem(sys.modules, "zmq", None)
    assert main(["demo", "--messages", "2"]) == 0
    assert "pyzmq cannot be imported" in capsys.readouterr().out


def test_alone_leaves_libzmq_out(capsys: pytest.CaptureFixture[str]) -> None:
    """--alone runs the demo without the real libzmq, although pyzmq is installed."""
    assert main(["demo", "--alone", "--messages", "2"]) == 0
    assert "real libzmq 4" not in capsys.readouterr().out


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version and succeeds."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"libzmq_py {libzmq_py.__version__}\n"


def test_command_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the status says that the call was wrong."""
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "command" in capsys.readouterr().err


def test_module_runs_as_a_program() -> None:
    """`python -m libzmq_py demo` succeeds and writes nothing to standard error."""
    command = [sys.executable, "-m", "libzmq_py", "demo", "--messages", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
