# SPDX-License-Identifier: MPL-2.0
"""The benchmark driver: every role works, and ratios compare neighbours. Speed is not tested."""

from __future__ import annotations

import contextlib
import json
import pathlib

import pytest

from bench import micro, run

OURS = "a=libzmq_py,b=libzmq_py"


def one_run(case: run.Case, peer: str) -> dict[str, float]:
    return run.run_once(case, run.Peer.parse(peer), count=30, warmup=10)


def small(case: run.Case) -> run.Case:
    """The same case with few connections, so that a test of all cases stays short."""
    return run.dataclasses.replace(case, peers=min(case.peers, 3))


@pytest.mark.parametrize("name", [case.name for case in run.all_cases()])
def test_every_case_runs_on_libzmq_py(name: str) -> None:
    """Every case yields a positive figure for each of its metrics."""
    [case] = [case for case in run.all_cases() if case.name == name]
    report = one_run(small(case), "libzmq_py")
    for metric in case.metrics:
        # Three connections may fit into memory the process already had.
        assert report[metric.key] > 0 or metric.unit.startswith("KiB")


@pytest.mark.interop
@pytest.mark.parametrize("name", ["pushpull-tcp-100B", "pubsub10-ipc-100B", "reqrep-tcp-10B", "connections200-tcp"])
@pytest.mark.parametrize("peer", ["pyzmq", "mixed=zmq/libzmq_py", "mixed=libzmq_py/zmq"])
def test_cases_run_on_pyzmq_and_across(name: str, peer: str) -> None:
    """The same cases run on pyzmq, and with one library on each side."""
    [case] = run.choose(name)
    assert one_run(small(case), peer)[case.metrics[0].key] > 0


def test_results_are_printed_and_written(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A whole run prints a line per metric and writes samples, medians and ratios of neighbours."""
    out = tmp_path / "out.json"
    assert run.main(["--only", "import", "--runs", "3", "--peers", OURS, "--json", str(out)]) == 0
    assert "import" in capsys.readouterr().out
    written = json.loads(out.read_text(encoding="utf-8"))
    row, _ = written["results"]
    assert len(row["samples"]["a"]) == len(row["samples"]["b"]) == 3
    assert row["ratios"]["b"] == [b / a for a, b in zip(row["samples"]["a"], row["samples"]["b"], strict=True)]
    assert row["median_ratio"]["b"] == sorted(row["ratios"]["b"])[1]
    assert written["failures"] == {}


def test_failing_worker_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that cannot be imported fails its case, with the reason, and the run's status says so."""
    assert run.main(["--only", "reqrep-tcp", "--runs", "1", "--peers", "nothing=no_such_library"]) == 1
    assert "No module named 'no_such_library'" in capsys.readouterr().out


def test_words_choose_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """--only takes words of names, --list prints the names, and a word nobody has is an error."""
    assert [case.name for case in run.choose("import,reqrep-ipc")] == ["reqrep-ipc-10B", "import"]
    assert run.main(["--list", "--only", "1MiB"]) == 0
    assert capsys.readouterr().out.split() == [f"pushpull-{name}-1MiB" for name in ("tcp", "ipc", "inproc")]
    assert run.main(["--only", "nonsense"]) == 2


def test_every_peer_gets_the_same_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count lies between what the slower and the faster peer could do in the time wished for."""
    rates = {"slow": 1000.0, "fast": 4000.0}
    monkeypatch.setattr(run, "run_once", lambda case, peer, count, warmup: {"rate": rates[peer.label]})
    [case] = run.choose("pushpull-tcp-100B")
    assert run.calibrate(case, [run.Peer.parse("slow"), run.Peer.parse("fast")], 0.5) == (1000, 200)


@pytest.mark.parametrize("name", list(micro.CASES))
def test_every_hot_function_is_found(name: str) -> None:
    """The microbenchmarks find the functions they measure, and these survive several rounds."""
    with contextlib.ExitStack() as stack:
        move = micro.CASES[name](stack)
        for _ in range(10):
            move()
