# SPDX-License-Identifier: MPL-2.0
"""Background threads: names, scheduling, and that a refused setting is no reason not to run."""

from __future__ import annotations

import logging
import os
import threading

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


def test_name_with_prefix_is_cut_as_the_kernel_does() -> None:
    """<prefix>/ZMQbg/<name>, 15 characters of it."""
    assert run("Reaper", ThreadSettings(name_prefix="7")).name == "7/ZMQbg/Reaper"
    assert run("Reaper", ThreadSettings(name_prefix="1234567")).name == "1234567/ZMQbg/R"


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


def test_policy_and_priority_reach_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy is set with at least its own minimum priority."""
    if not hasattr(os, "sched_setscheduler"):
        pytest.skip("no scheduling policies here")
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        thread_module.os, "sched_setscheduler", lambda _pid, policy, param: asked.append((policy, param.sched_priority))
    )
    run("IO/0", ThreadSettings(sched_policy=os.SCHED_FIFO, priority=-1))
    run("IO/0", ThreadSettings(sched_policy=os.SCHED_FIFO, priority=7))
    assert asked == [(os.SCHED_FIFO, os.sched_get_priority_min(os.SCHED_FIFO)), (os.SCHED_FIFO, 7)]


def test_a_priority_alone_is_a_niceness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a policy THREAD_PRIORITY goes to nice()."""
    asked: list[int] = []
    monkeypatch.setattr(thread_module.os, "nice", asked.append)
    run("IO/0", ThreadSettings(priority=3))
    run("IO/0", ThreadSettings())
    assert asked == [3]
