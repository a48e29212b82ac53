# SPDX-License-Identifier: MPL-2.0
"""`python -m libzmq_py keygen`, and what the README says of security."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

import libzmq_py
from libzmq_py import auth
from libzmq_py.__main__ import main
from tests.conftest import SocketFactory
from tests.support.target import zmq

ROOT = Path(__file__).resolve().parents[2]


def test_keygen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pair per name, the directory made if need be, fingerprints printed, no secret printed."""
    folder = tmp_path / "keys"
    assert main(["keygen", "server", "client", "--directory", str(folder), "--metadata", "owner=Bob"]) == 0
    assert sorted(os.listdir(folder)) == ["client.key", "client.key_secret", "server.key", "server.key_secret"]
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    printed = capsys.readouterr().out
    for name in ("server", "client"):
        public, secret = auth.load_certificate(folder / f"{name}.key_secret")
        assert secret is not None
        assert libzmq_py.curve_public(secret) == public
        assert auth.fingerprint(public) in printed
        assert secret.decode() not in printed
        assert stat.S_IMODE(os.stat(folder / f"{name}.key_secret").st_mode) == 0o600
    assert "owner = Bob" in (folder / "server.key_secret").read_text()


def test_keygen_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that is lost is lost: `--force` has to be said, and then both files are new."""
    assert main(["keygen", "server", "--directory", str(tmp_path)]) == 0
    before = (tmp_path / "server.key_secret").read_text()
    assert main(["keygen", "other", "server", "--directory", str(tmp_path)]) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "server.key_secret").read_text() == before
    assert not (tmp_path / "other.key").exists()
    assert main(["keygen", "server", "--directory", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "server.key_secret").read_text() != before


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--metadata", "no equals sign"], 2), (["--directory", "/dev/null/keys"], 1)]
)
def test_keygen_that_cannot_be(
    arguments: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A message and a status, no traceback."""
    monkeypatch.chdir(tmp_path)
    assert main(["keygen", "server", *arguments]) == status
    assert capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["y", "x", "y"], "twice"),
        ([""], "empty"),
        (["."], "dot"),
        ([".."], "dot"),
        ([".hidden"], "dot"),
        (["../y"], "dot"),
        (["x/../../y"], "--directory"),
        (["/y"], "--directory"),
        (["y/"], "--directory"),
        (["x\\y"], "--directory"),
        (["y", "x/y"], "--directory"),
    ],
)
def test_names_that_are_none(
    names: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage errors, before anything is written."""
    (tmp_path / "x").mkdir()
    with pytest.raises(SystemExit) as caught:
        main(["keygen", *names, "--directory", str(tmp_path), "--force"])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["x"]


def test_metadata_cannot_be_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A message and a status."""
    assert main(["keygen", "y", "--directory", str(tmp_path), "--metadata", f"secret-key={'x' * 40}"]) == 1
    assert "as a key is" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_what_the_readme_says(
    socket: SocketFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ctx: Any
) -> None:
    """Its lines make a secure server and a client of it, with keys made as it says."""
    text = (ROOT / "README.md").read_text("utf-8")
    _, example = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"`python -m libzmq_py (keygen [^`]*)`", text)
    assert main(command.split()) == 0
    server, client = socket(zmq.REP), socket(zmq.REQ)
    exec(compile(example.replace(":5555", ":*"), "README.md", "exec"), {"server": server, "client": client})
    client.connect(server.last_endpoint.rstrip(b"\0").decode())
    client.send(b"secret")
    assert server.recv() == b"secret"
    assert server.mechanism == client.mechanism == zmq.CURVE
