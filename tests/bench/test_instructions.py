# SPDX-License-Identifier: MPL-2.0
"""Counting instructions: what valgrind gives is taken apart rightly, and growth is told from noise."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import instructions, micro

BEFORE = {"push": 1000.0, "pull": 2000.0}


def stored(path: Path, build: str) -> Path:
    figures = {instructions.version(): {"build": build, "instructions": BEFORE}}
    path.write_text(json.dumps(figures), encoding="utf-8")
    return path


def count_as(figures: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "count", lambda tree, only: figures)


def test_what_happens_once_is_not_counted() -> None:
    """Per case there are three counts: before, N rounds, 2 N rounds; what N and 2 N have in common falls away."""
    messages = instructions.ROUNDS * micro.BATCH
    totals = [10**9, 7 * messages + 500, 14 * messages + 500, 10**6, 3 * messages, 6 * messages]
    assert instructions.per_message(["a", "b"], totals) == {"a": 7.0, "b": 3.0}


def test_counts_that_do_not_fit_are_refused() -> None:
    """A mark too many would shift all figures by one."""
    with pytest.raises(instructions.CannotCount, match="4 counts for 1 cases"):
        instructions.per_message(["a"], [1, 2, 3, 4])


def test_counts_are_read_in_the_order_of_the_marks(tmp_path: Path) -> None:
    """`out.10` comes after `out.9`, and `out`, which holds what came after the last mark, is left out."""
    for name in ["out", *(f"out.{index}" for index in range(1, 12))]:
        total = name.rpartition(".")[2]
        (tmp_path / name).write_text(f"version: 1\nevents: Ir\ntotals: {total if total.isdigit() else 99}\n")
    assert instructions.counts(tmp_path / "out") == list(range(1, 12))


def test_growth_beyond_the_limit_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A case that has grown by more than --check says fails the run and is named; one below it does not."""
    path = str(stored(tmp_path / "stored.json", instructions.build_of_python()))
    count_as({"push": 1060.0, "pull": 2080.0, "new": 5.0}, monkeypatch)
    assert instructions.main(["--stored", path, "--check", "5"]) == 1
    out = capsys.readouterr().out
    assert "More than 5 % more instructions: push\n" in out and "+6.0%" in out
    assert instructions.main(["--stored", path, "--check", "7"]) == 0
    assert instructions.main(["--stored", path]) == 0


def test_another_build_is_shown_and_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures of another compiler say nothing about the code."""
    path = str(stored(tmp_path / "stored.json", "3.0 some compiler"))
    count_as({"push": 2000.0}, monkeypatch)
    assert instructions.main(["--stored", path, "--check", "5"]) == 0
    out = capsys.readouterr().out
    assert "not judged" in out and "+100.0%" in out


def test_saved_figures_are_compared_with_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--save keeps the figures of other Pythons and replaces those of this one."""
    path = tmp_path / "stored.json"
    path.write_text(json.dumps({"3.9": {"build": "old", "instructions": {}}}), encoding="utf-8")
    count_as(BEFORE, monkeypatch)
    assert instructions.main(["--stored", str(path), "--save"]) == 0
    assert "Nothing is stored for Python" in capsys.readouterr().out
    written = json.loads(path.read_text(encoding="utf-8"))
    assert set(written) == {"3.9", instructions.version()}
    count_as({"push": 1001.0}, monkeypatch)
    assert instructions.main(["--stored", str(path), "--check", "0.05"]) == 1


def test_without_valgrind_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and how to get it, not a traceback."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert instructions.main(["--stored", str(tmp_path / "none.json")]) == 2
    assert "apt-get install valgrind" in capsys.readouterr().err


def test_the_workload_marks_every_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs under valgrind calls getppid() as often as the counts need."""
    marks: list[None] = []
    monkeypatch.setattr(instructions.os, "getppid", lambda: marks.append(None))
    monkeypatch.setattr(instructions.gc, "disable", lambda: None)
    names = tmp_path / "names.json"
    instructions.workload(str(instructions.ROOT), "lb send", names)
    measured = json.loads(names.read_text(encoding="utf-8"))
    assert measured == ["lb send, fq recv, 1 pipe", "lb send, fq recv, 10 pipes"]
    assert len(marks) == instructions.MARKS * len(measured)


def test_an_earlier_tree_runs_the_present_cases(tmp_path: Path) -> None:
    """The cases are this checkout's, whatever the tree has in its bench; libzmq_py is the tree's."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "micro.py").write_text("raise SystemExit('the cases of the tree')", encoding="utf-8")
    (tmp_path / "libzmq_py").symlink_to(instructions.ROOT / "libzmq_py")
    names = tmp_path / "names.json"
    script = [sys.executable, instructions.__file__, "--only", "deque", "--workload", str(names)]
    subprocess.run([*script, "--tree", str(tmp_path)], check=True, timeout=60)
    assert json.loads(names.read_text(encoding="utf-8")) == ["deque"]
    (tmp_path / "libzmq_py").unlink()
    (tmp_path / "libzmq_py").mkdir()
    ended = subprocess.run([*script, "--tree", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode and "CannotCount" in ended.stderr


@pytest.mark.slow
def test_instructions_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """End to end on one case; where there is no valgrind, that is what is said."""
    status = instructions.main(["--only", "deque"])
    said = capsys.readouterr()
    if shutil.which("valgrind") is None:
        assert status == 2 and "valgrind" in said.err
        return
    assert status == 0, said.err
    [line] = [line for line in said.out.splitlines() if line.startswith("deque ")]
    assert 50 < int(line.split()[1].replace(",", "")) < 5000


def test_stored_figures_are_of_cases_that_exist() -> None:
    """A renamed case must not go on unseen as one that has no stored figure; a new one has none until --save."""
    figures = instructions.load(instructions.STORED)
    assert figures
    assert {name for one in figures.values() for name in one["instructions"]} <= set(micro.CASES)
