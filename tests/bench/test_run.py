# SPDX-License-Identifier: MPL-2.0
"""The benchmark driver: every role works, and ratios compare neighbours. Speed is not tested."""

from __future__ import annotations

import contextlib
import importlib
import json
import pathlib
import sys
import types

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
    peers = [run.Peer.parse("slow"), run.Peer.parse("fast")]
    assert run.calibrate(case, peers, 0.5, run.Guests()) == (1000, 200)


@pytest.mark.interop
def test_calls_for_many_messages_stand_beside_single_calls(tmp_path: pathlib.Path) -> None:
    """The same case runs by send_many on libzmq_py and call by call on pyzmq."""
    out = tmp_path / "out.json"
    peers = "pyzmq,libzmq_py"
    words = ["--only", "many-inproc", "--runs", "1", "--seconds", "0.02", "--peers", peers, "--json", str(out)]
    assert run.main(words) == 0
    [row] = json.loads(out.read_text(encoding="utf-8"))["results"]
    assert all(row["samples"][label][0] > 0 for label in ("pyzmq", "libzmq_py"))


def test_each_subscriber_gets_its_share() -> None:
    """With topics the warm-up and the count are rounded up to whole rounds, and every message has one receiver."""
    [case] = run.choose("pubfilter10-inproc")
    assert case.receivers == 1
    report = run.run_once(case, run.Peer.parse("libzmq_py"), count=31, warmup=11)
    assert report["rate"] * report["seconds"] == pytest.approx(40)


def fail_for(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one column fail in the measurement, not yet in the pilot."""

    def run_once(case: run.Case, peer: run.Peer, count: int, warmup: int) -> dict[str, float]:
        if peer.label == label and case.kind != "import":
            raise run.BenchError(f"{label} cannot")
        return {"rate": 1000.0, "import_ms": 1.0, "ready_ms": 2.0}

    monkeypatch.setattr(run, "run_once", run_once)


def test_what_a_guest_cannot_run_is_a_dash(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A guest's failure shows with its reason, leaves the others' figures alone, and is no failure of the run."""
    fail_for("pyomq", monkeypatch)
    out = tmp_path / "out.json"
    words = ["--only", "pushpull-tcp-100B,import", "--runs", "2", "--peers", "pyzmq,libzmq_py,pyomq"]
    assert run.main([*words, "--json", str(out)]) == 0
    assert "– pyomq: pyomq cannot" in capsys.readouterr().out
    rate, *rest = json.loads(out.read_text(encoding="utf-8"))["results"]
    assert rate["median"] == {"pyzmq": 1000.0, "libzmq_py": 1000.0, "pyomq": None}
    assert rate["ratios"] == {"libzmq_py": [1.0, 1.0], "pyomq": []}
    assert rate["absent"] == {"pyomq": "pyomq cannot"}
    assert all(row["median"]["pyomq"] for row in rest)  # the next case starts afresh


def test_what_libzmq_py_cannot_run_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only guests may fail."""
    fail_for("libzmq_py", monkeypatch)
    assert run.main(["--only", "pushpull-tcp-100B", "--runs", "1", "--peers", "pyzmq,libzmq_py"]) == 1


def test_short_form_end_to_end(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The short form runs its few cases with few runs; here one of them."""
    out = tmp_path / "out.json"
    words = ["--short", "--only", "many-tcp", "--seconds", "0.02", "--peers", OURS, "--json", str(out)]
    assert run.main(words) == 0
    assert "many-tcp-100B" in capsys.readouterr().out
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["runs"] == run.SHORT_RUNS and [row["case"] for row in written["results"]] == ["many-tcp-100B"]


def test_short_form_takes_fewer_runs_when_it_is_late(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit each case is still measured, once."""
    fail_for("nobody", monkeypatch)
    monkeypatch.setattr(run, "SHORT_LIMIT", -1.0)
    out = tmp_path / "out.json"
    assert run.main(["--short", "--only", "pushpull-tcp-10B", "--peers", OURS, "--json", str(out)]) == 0
    [row] = json.loads(out.read_text(encoding="utf-8"))["results"]
    assert row["samples"] == {"a": [1000.0], "b": [1000.0]}


def test_short_form_has_cases_of_the_long_one() -> None:
    """Each name of the short form is a case."""
    assert set(run.SHORT) <= {case.name for case in run.all_cases()}


def face_of(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Import the face of pyomq over a stand-in for pyomq, which few Pythons have."""
    pyomq = types.ModuleType("pyomq")
    names = "DEALER DONTWAIT PAIR POLLIN PUB PULL PUSH REP REQ ROUTER SUB SUBSCRIBE OMQ_ON_MUTE".split()
    for number, name in enumerate(names):
        setattr(pyomq, name, number)

    class Socket:
        def setsockopt(self, option: int, value: object) -> str:
            return f"option {option}"

    class Context:
        def socket(self, socket_type: int, socket_class: type) -> object:
            return socket_class()

    for member in (Socket, Context):
        setattr(pyomq, member.__name__, member)
    vars(pyomq).update(ZMQError=KeyError, Poller=object)
    monkeypatch.setitem(sys.modules, "pyomq", pyomq)
    monkeypatch.delitem(sys.modules, "bench.pyomq_face", raising=False)
    return importlib.import_module("bench.pyomq_face")


def test_face_of_pyomq_says_what_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits do not reach pyomq, a PUB that must not drop is refused with the reason, the rest passes."""
    zmq = face_of(monkeypatch)
    sock = zmq.Context().socket(zmq.PUB)
    sock.rcvtimeo = sock.sndtimeo = 10
    assert sock.setsockopt(zmq.SUBSCRIBE, b"") == f"option {zmq.SUBSCRIBE}"
    with pytest.raises(zmq.Unable, match="loses messages"):
        sock.setsockopt(zmq.XPUB_NODROP, 1)
    monkeypatch.delitem(sys.modules, "bench.pyomq_face")


@pytest.mark.parametrize("name", list(micro.CASES))
def test_every_hot_function_is_found(name: str) -> None:
    """The microbenchmarks find the functions they measure, and these survive several rounds."""
    with contextlib.ExitStack() as stack:
        move = micro.CASES[name](stack)
        for _ in range(10):
            move()
