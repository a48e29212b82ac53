# SPDX-License-Identifier: MPL-2.0
"""The bench on several Pythons: which commands run, and what becomes of their figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import publish, versions

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Give the commands that would run; nothing is installed and nothing measured."""
    ran: list[list[str]] = []
    monkeypatch.setattr(versions, "call", lambda *words: ran.append([str(word) for word in words]))
    return ran


def test_version_is_the_interpreters() -> None:
    """The interpreter is asked, its file's name does not matter."""
    assert versions.version_of(sys.executable) == VERSION


def test_each_interpreter_runs_in_its_environment(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment is made where there is none, filled, and used; what follows -- goes to the script."""
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    assert versions.main([sys.executable, "--", "--runs", "2"]) == 0
    python = str(tmp_path / f".venv-bench-{VERSION}" / "bin" / "python")
    make, install, bench = commands
    assert make == [sys.executable, "-m", "venv", str(tmp_path / f".venv-bench-{VERSION}")]
    assert install[0] == python and install[-1] == f"{tmp_path}[bench]"
    assert bench == [python, str(tmp_path / "bench" / "run.py"), "--runs", "2"]


def test_figures_of_all_versions_are_published(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the runs have written are handed on together."""
    published: list[str] = []
    monkeypatch.setattr(publish, "main", lambda files: published.extend(files) or 0)
    assert versions.main(["--publish", sys.executable]) == 0
    assert [commands[-1][-1]] == published and published[0].endswith(f"{VERSION}.json")


def test_failing_command_ends_the_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No page is made from a part of the figures."""

    def call(*words: object) -> None:
        raise subprocess.CalledProcessError(3, "pip")

    monkeypatch.setattr(versions, "call", call)
    monkeypatch.setattr(publish, "main", lambda files: pytest.fail("published"))
    assert versions.main(["--publish", sys.executable]) == 1
    assert "exit status 3" in capsys.readouterr().err


def test_only_the_bench_is_published(capsys: pytest.CaptureFixture[str]) -> None:
    """Other scripts do not write what the pages are made from."""
    assert versions.main(["--publish", "--script", "micro.py", sys.executable]) == 2
    assert "run.py" in capsys.readouterr().err


def test_figures_are_kept_by_version(tmp_path: Path) -> None:
    """The file's own word for its Python decides, not its name."""
    source = tmp_path / "out.json"
    source.write_text(json.dumps({"python": "3.13.0"}), encoding="utf-8")
    publish.take_in(source, tmp_path)
    assert (tmp_path / "results-3.13.json").read_text(encoding="utf-8") == source.read_text(encoding="utf-8")
