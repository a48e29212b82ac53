# SPDX-License-Identifier: MPL-2.0
"""The budget of a message: every step is found, and layers are told apart by subtraction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import budget, run

STEPS = {
    "loop": 5.0,
    "to LB.send": 105.0,
    "to SocketBase.send": 155.0,
    "to Socket.send": 225.0,
    "from FQ.recv": 95.0,
    "from SocketBase.recv": 90.0,
    "from Socket.recv": 140.0,
    "read_batch": 20.0,
    "encode": 30.0,
    "send (system)": 10.0,
    "recv (system)": 10.0,
    "decode": 30.0,
    "send_batch": 2.0,
    "wake-up": 1.0,
}
NEW = {"send in runs": 65.0, "recv in runs": 60.0, "send_many": 22.0, "recv_many": 40.0}
END = {"single": {"time": 600.0, "user": 700.0, "system": 100.0}}


def test_every_step_is_measured() -> None:
    """What the steps use is still there in the core; a step that is left out would show as a missing bar."""
    figures = budget.measure_steps(turns=1, samples=1)
    assert set(figures) == set(budget.STEPS)
    assert all(value >= 0 for value in figures.values()) and figures["to Socket.send"] > 0


def test_layers_are_told_apart() -> None:
    """Each layer is what its call costs beyond the call that it makes; noise below nothing is nothing."""
    sides = budget.split(STEPS)
    assert list(sides["send"]) == ["one by one"]
    sent, received = sides["send"]["one by one"], sides["receive"]["one by one"]
    assert (sent["Socket.send"], sent["SocketBase.send"], sent["LB.send, queue"]) == (70.0, 50.0, 100.0)
    assert sum(sent.values()) == 280.0
    assert (received["Socket.recv"], received["SocketBase.recv"], received["FQ.recv, queue"]) == (50.0, 0.0, 90.0)
    assert list(sent) == list(budget.SENDING) and list(received) == list(budget.RECEIVING)


def test_runs_and_many_have_bars_of_their_own() -> None:
    """Where a message does not pass the socket, there is one step in its place."""
    sides = budget.split(STEPS | NEW)
    assert list(sides["send"]) == list(sides["receive"]) == list(budget.MODES)
    assert sum(sides["send"]["run"].values()) == 120.0
    assert sum(sides["send"]["many"].values()) == 82.0
    assert sum(sides["receive"]["run"].values()) == 98.0


def test_measurements_are_combined_by_medians() -> None:
    """Each figure is the median of its own, and steps are told apart after that."""
    measured = [{"steps": STEPS | {"encode": value}, "end_to_end": END} for value in (30.0, 90.0, 31.0)]
    state = budget.combine(measured)
    assert state["measured"]["encode"] == state["sides"]["send"]["one by one"]["encode"] == 31.0
    assert state["end_to_end"] == END


def test_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of handing over are measured between two processes of the tree that is named."""
    monkeypatch.setattr(run, "WORKER", run.WORKER)  # put back afterwards
    figures = budget.from_end_to_end(budget.ROOT, messages=2000)
    assert set(figures) == {"single", "many"}
    assert all(set(one) == {"time", "user", "system"} for one in figures.values())
    assert all(one["time"] > 0 for one in figures.values())


def test_states_are_measured_in_turns_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file holds the states, and each was measured as often as it should."""
    measured: list[Path] = []

    def measure_tree(tree: Path) -> dict[str, Any]:
        measured.append(tree)
        return {"steps": STEPS | NEW, "end_to_end": END}

    monkeypatch.setattr(budget, "measure_tree", measure_tree)
    out = tmp_path / "out.json"
    assert budget.main(["--rounds", "2", "--json", str(out)]) == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    assert list(written["states"]) == ["now"] and measured == [budget.ROOT] * 2
    assert written["states"]["now"]["sides"]["send"]["run"]["Socket.send"] == 60.0


def test_unknown_commit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and git's words."""
    assert budget.main(["--against", "no-such-commit"]) == 2
    assert capsys.readouterr().err.strip()
