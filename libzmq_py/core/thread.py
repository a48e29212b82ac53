# SPDX-License-Identifier: MPL-2.0
"""Starting the library's own threads, with names and, where the system allows, scheduling.

Mirrors: src/thread.cpp, src/thread.hpp, and thread_ctx_t of src/ctx.cpp.
Departs:
- daemon threads, so that a program that forgets a context still ends (the public face terminates live contexts at exit,
  before daemon threads stop);
- what the system refuses is logged, and the thread runs (libzmq aborts the process for a policy, a CPU or a niceness
  that may not be had);
- a policy in need of a priority gets its lowest when there is none (libzmq: abort).

*gevent.* Where ``gevent.monkey`` has patched the standard library before libzmq_py is imported, background threads are
greenlets, and every wait of the library lets others run. Patching later would leave waits that block them all.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Final

from libzmq_py.logger import Logger

_LOG: Final = Logger("libzmq_py.thread")

#: Longest name the system keeps of a thread, in bytes.
_SYSTEM_NAME_MAX = 15
#: The policies that know priorities.
_REAL_TIME_POLICIES = {getattr(os, name) for name in ("SCHED_FIFO", "SCHED_RR") if hasattr(os, name)}


def _is_patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


#: Whether threads are greenlets here.
_PATCHED = _is_patched()


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
    """Start a background thread named `[prefix/]ZMQbg/<name>`; the system keeps 15 bytes of that.

    Raises:
        RuntimeError: the system has no more, or gevent has patched threads since.
    """
    if _is_patched() and not _PATCHED:
        raise RuntimeError("gevent.monkey.patch_all() was called after libzmq_py was imported: call it first")
    full_name = f"{settings.name_prefix}/ZMQbg/{name}" if settings.name_prefix else f"ZMQbg/{name}"

    def main() -> None:
        _set_system_name(full_name)
        _apply(settings)
        run()

    thread = threading.Thread(target=main, name=full_name, daemon=True)
    _start_deaf(thread)
    return thread


def _start_deaf(thread: threading.Thread) -> None:
    """Start a thread that takes no signals; they are for the user's threads, which may block them and wait for them.

    It inherits the mask that the calling thread has meanwhile.
    """
    import signal  # not needed before there is a socket

    # A greenlet runs in the calling thread.
    if _PATCHED or not hasattr(signal, "pthread_sigmask"):
        thread.start()
        return
    # A fault of this very thread is no message from outside.
    faults = {getattr(signal, name, 0) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP")}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _set_system_name(name: str) -> None:
    """Tell the system the name of the calling thread, for ps and top. (Python does so from 3.14 on.)"""
    if sys.platform != "linux":
        return
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/comm", "wb") as comm:
            comm.write(name.encode()[:_SYSTEM_NAME_MAX])
    except OSError as error:
        _LOG.debug("= %s: cannot be named: %s", name, error)


def _apply(settings: ThreadSettings) -> None:
    """Apply scheduling to the calling thread; what the system refuses is logged, as it is no reason not to run."""
    if settings.sched_policy >= 0 and hasattr(os, "sched_setscheduler"):
        _try("scheduling policy", lambda: _set_policy(settings.sched_policy, settings.priority))
    if settings.priority > 0 and settings.sched_policy not in _REAL_TIME_POLICIES and hasattr(os, "nice"):
        # These policies have no priorities. As in libzmq, any wish for one is a wish for the highest.
        _try("niceness", lambda: os.nice(-20))
    if settings.affinity_cpus and hasattr(os, "sched_setaffinity"):
        _try("CPUs", lambda: os.sched_setaffinity(0, settings.affinity_cpus))


def _set_policy(policy: int, priority: int) -> None:
    lowest = os.sched_get_priority_min(policy)
    if policy not in _REAL_TIME_POLICIES:
        priority = 0
    os.sched_setscheduler(0, policy, os.sched_param(max(priority, lowest)))


def _try(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except (OSError, ValueError, OverflowError) as error:
        _LOG.warning("cannot set the %s of a background thread: %s", what, error)
