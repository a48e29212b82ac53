# SPDX-License-Identifier: MPL-2.0
"""Background threads: names, scheduling, and that a refused setting is no reason not to run."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

import pytest

from libzmq_py.core import thread as thread_module
from libzmq_py.core.thread import ThreadSettings, start_thread
from tests.support.waiting import PATIENCE


def run(name: str, settings: ThreadSettings) -> threading.Thread:
    """The thread, after it has run."""
    ran = threading.Event()
    thread = start_thread(name, ran.set, settings)
    thread.join(PATIENCE)
    assert ran.is_set()
    return thread


def test_name_without_prefix() -> None:
    """ZMQbg/<name>, a daemon."""
    thread = run("IO/0", ThreadSettings())
    assert thread.name == "ZMQbg/IO/0"
    assert thread.daemon


def system_name() -> str:
    with open(f"/proc/self/task/{threading.get_native_id()}/comm") as comm:
        return comm.read().rstrip("\n")


@pytest.mark.parametrize(
    ("prefix", "name", "seen"),
    [
        ("", "Reaper", "ZMQbg/Reaper"),
        ("7", "Reaper", "7/ZMQbg/Reaper"),
        ("1234567", "Reaper", "1234567/ZMQbg/R"),
        ("x" * 20, "IO/0", "x" * 15),
        ("größe", "IO/0", "größe/ZMQbg/I"),
    ],
)
def test_the_system_knows_the_name(prefix: str, name: str, seen: str) -> None:
    """<prefix>/ZMQbg/<name>, 15 bytes of it in the system, all of it in Python."""
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("no such file system")
    names: list[str] = []
    thread = start_thread(name, lambda: names.append(system_name()), ThreadSettings(name_prefix=prefix))
    thread.join(PATIENCE)
    assert names == [seen]
    assert thread.name == (f"{prefix}/ZMQbg/{name}" if prefix else f"ZMQbg/{name}")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_affinity_is_the_threads_own() -> None:
    """THREAD_AFFINITY_CPU_ADD binds the background thread and leaves the caller alone."""
    mine = os.sched_getaffinity(0)
    cpu = min(mine)
    seen: list[set[int]] = []
    thread = start_thread("IO/0", lambda: seen.append(os.sched_getaffinity(0)), ThreadSettings(affinity_cpus={cpu}))
    thread.join(PATIENCE)
    assert seen == [{cpu}]
    assert os.sched_getaffinity(0) == mine


def test_a_refused_setting_is_logged_and_the_thread_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the system does not allow is a warning, as the messages matter more."""

    def refuse(*_args: object) -> None:
        raise PermissionError("not you")

    monkeypatch.setattr(thread_module.os, "sched_setscheduler", refuse, raising=False)
    with caplog.at_level(logging.WARNING, "libzmq_py.thread"):
        run("IO/0", ThreadSettings(sched_policy=1, priority=50))
    assert "not you" in caplog.text


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"sched_policy": 4711}, "policy"), ({"affinity_cpus": {4711}}, "CPUs"), ({"affinity_cpus": {2**31 - 1}}, "CPUs")],
    ids=["no such policy", "no such CPU", "no CPU at all"],
)
def test_impossible_settings_are_logged(
    settings: dict[str, Any], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """libzmq aborts the process here."""
    with caplog.at_level(logging.WARNING, "libzmq_py.thread"):
        run("IO/0", ThreadSettings(**settings))
    assert what in caplog.text


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked of the system, which does nothing."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        thread_module.os,
        "sched_setscheduler",
        lambda _pid, policy, param: calls.append(("policy", policy, param.sched_priority)),
        raising=False,
    )
    monkeypatch.setattr(thread_module.os, "nice", lambda by: calls.append(("nice", by)))
    return calls


def test_policy_and_priority_reach_the_system(asked: list[tuple[Any, ...]]) -> None:
    """A real-time policy is set with its priority, at least its own minimum; nice() is not for it."""
    run("IO/0", ThreadSettings(sched_policy=os.SCHED_FIFO, priority=-1))
    run("IO/0", ThreadSettings(sched_policy=os.SCHED_RR, priority=7))
    assert asked == [
        ("policy", os.SCHED_FIFO, os.sched_get_priority_min(os.SCHED_FIFO)),
        ("policy", os.SCHED_RR, 7),
    ]


def test_a_priority_without_a_real_time_policy_is_a_niceness(asked: list[tuple[Any, ...]]) -> None:
    """The highest there is, whatever the number, as in libzmq; 0 and -1 ask for nothing."""
    for priority in (3, 0, -1):
        run("IO/0", ThreadSettings(priority=priority))
    run("IO/0", ThreadSettings(priority=1, sched_policy=os.SCHED_BATCH))
    assert asked == [("nice", -20), ("policy", os.SCHED_BATCH, 0), ("nice", -20)]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")
def test_signals_are_for_others() -> None:
    """A library thread blocks all signals but faults of its own; the mask of who started it stays."""
    masks: list[Any] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    thread = start_thread("IO/0", lambda: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())), ThreadSettings())
    thread.join(PATIENCE)
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD} <= masks[0]
    assert not {signal.SIGSEGV, signal.SIGABRT} & masks[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
