# SPDX-License-Identifier: MPL-2.0
"""Starting the library's own threads, with names and, where the system allows, scheduling.

Mirrors: src/thread.cpp, src/thread.hpp, and thread_ctx_t of src/ctx.cpp.
Departs: daemon threads, so that a program that forgets a context still ends (the public face terminates live
contexts at exit, before daemon threads stop).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable

_LOG = logging.getLogger("libzmq_py.thread")


class ThreadSettings:
    """What the context options THREAD_* ask of background threads."""

    def __init__(
        self, priority: int = -1, sched_policy: int = -1, affinity_cpus: Iterable[int] = (), name_prefix: str = ""
    ) -> None:
        """-1 leaves a setting to the system, no CPUs means all of them."""
        self.priority = priority
        self.sched_policy = sched_policy
        self.affinity_cpus = set(affinity_cpus)
        self.name_prefix = name_prefix


def start_thread(name: str, run: Callable[[], None], settings: ThreadSettings) -> threading.Thread:
    """Start a background thread named `[prefix/]ZMQbg/<name>`, cut at 15 characters as the kernel does."""
    full_name = f"{settings.name_prefix}/ZMQbg/{name}" if settings.name_prefix else f"ZMQbg/{name}"

    def main() -> None:
        _apply(settings)
        run()

    thread = threading.Thread(target=main, name=full_name[:15], daemon=True)
    thread.start()
    return thread


def _apply(settings: ThreadSettings) -> None:
    """Apply scheduling to the calling thread; what the system refuses is logged, as it is no reason not to run."""
    try:
        if settings.affinity_cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, settings.affinity_cpus)
        if settings.sched_policy >= 0 and hasattr(os, "sched_setscheduler"):
            priority = max(settings.priority, os.sched_get_priority_min(settings.sched_policy))
            os.sched_setscheduler(0, settings.sched_policy, os.sched_param(priority))
        elif settings.priority > 0 and hasattr(os, "nice"):
            os.nice(settings.priority)
    except OSError as error:
        _LOG.warning("cannot set the scheduling of a background thread: %s", error)
