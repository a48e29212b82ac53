# SPDX-License-Identifier: MPL-2.0
"""Many threads do everything at once, at random, and nothing may hang, raise or be left over.

    python -m tests.stress.stress --seconds 60 --seed 7 --threads 8

Who takes part (each in threads of its own):

* workers: create sockets of every type in contexts of their own and in shared ones, bind, connect, send, receive, poll,
  watch, hand sockets on to each other, close them, terminate their contexts;
* sleepers: block without a timeout in a shared context, until it is terminated under them;
* terminators: replace a shared context and terminate it while others use it;
* attackers: raw tcp peers that say what `hostile` lists, break off, reset; listeners that do so too;
* breeders: child processes with a real libzmq that join in and are killed.

Messages of workers carry a mark and a checksum in every part; a receiver checks that parts are whole, in order and
complete. At the end: every thread has ended, no unexpected exception, no ERROR in the log of the library, and no
descriptor, thread or object of the library is left. The seed fixes each thread's decisions, not their interleaving.

With the real libzmq for a target (LIBZMQ_PY_TARGET=zmq) a gentle form runs: `GENTLE` lists what it does not survive.
"""

from __future__ import annotations

import argparse
import enum
import faulthandler
import functools
import gc
import logging
import os
import random
import shutil
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from libzmq_py import transports
from tests.stress.actors import Actor, Attacker, Breeder, Hub, Settings, Sleeper, Terminator, Worker, warm_up
from tests.support.target import zmq

# Nothing that should end takes longer than this, in seconds.
STUCK_AFTER = 15.0


@dataclass
class Report:
    """What happened."""

    seed: int
    kinds: list[str]
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class Surroundings:
    """What must be the same after the run as before it: threads, descriptors, objects; and what must not be logged."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._threads = self._library_threads()
        self._fds = self._open_fds()
        for scheme in ("tcp", "ipc", "inproc", "udp"):
            transports.find_transport(scheme)  # made with the first endpoint that needs it, and there for good
        self._objects = self._library_objects()

    @contextmanager
    def watched(self, hub: Hub) -> Iterator[None]:
        """Note exceptions that end a thread or vanish in a destructor, and errors in the library's log."""
        log = _ErrorLog(self.errors)
        logger = logging.getLogger("libzmq_py")
        logger.addHandler(log)
        hooks = threading.excepthook, sys.unraisablehook

        def note_exception(what: Any) -> None:
            text = "".join(traceback.format_exception(what.exc_type, what.exc_value, what.exc_traceback))
            hub.fail(f"in {getattr(what, 'thread', None) or getattr(what, 'object', None)}:\n{text}")

        threading.excepthook = sys.unraisablehook = note_exception
        try:
            yield
        finally:
            threading.excepthook, sys.unraisablehook = hooks
            logger.removeHandler(log)

    def leftovers(self) -> list[str]:
        """What is left over; waits a moment for what ends by itself."""
        deadline = time.monotonic() + 3
        while True:
            gc.collect()
            found = []
            threads = self._library_threads() - self._threads
            if threads:
                found.append(f"threads left: {sorted(threads)}")
            fds = self._open_fds()
            if len(fds) > len(self._fds):
                found.append(f"descriptors left: {({fd: what for fd, what in fds.items() if fd not in self._fds})}")
            objects = self._library_objects() - self._objects
            if objects:
                found.append(f"objects left: {dict(objects)}")
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    @staticmethod
    def _library_threads() -> set[str]:
        return {f"{t.name}/{t.ident}" for t in threading.enumerate() if t.name.startswith("ZMQbg")}

    @staticmethod
    def _open_fds() -> dict[int, str]:
        found = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue
        return found

    @staticmethod
    def _library_objects() -> Counter[str]:
        """How many instances of the library's classes there are, by class; real libzmq has none that Python sees.

        Without enumerations, whose combined members come into being on first use, and what bounded caches keep.
        """
        for thing in gc.get_objects():
            if isinstance(thing, functools._lru_cache_wrapper) and str(thing.__module__).startswith("libzmq_py"):
                thing.cache_clear()
        found: Counter[str] = Counter()
        for thing in gc.get_objects():
            kind = type(thing)
            if str(kind.__module__).startswith("libzmq_py") and not isinstance(thing, enum.Enum):
                found[f"{kind.__module__}.{kind.__qualname__}"] += 1
        return found


class _ErrorLog(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self._errors.append(self.format(record))


def run(settings: Settings) -> Report:
    """Run everything; the report tells whether all is well."""
    kinds = warm_up()
    surroundings = Surroundings()
    hub = Hub(settings, kinds)
    # The last resort, should even this thread not get to run any more.
    faulthandler.dump_traceback_later(settings.seconds + 4 * STUCK_AFTER, exit=True)
    try:
        with surroundings.watched(hub):
            counts = _play(hub)
            hub.failures += [f"logged: {error}" for error in surroundings.errors]
            hub.addresses.clear()
            if not any("stuck" in failure for failure in hub.failures):
                hub.failures += surroundings.leftovers()
    finally:
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(hub.directory, ignore_errors=True)
    return Report(settings.seed, kinds, counts, hub.failures)


def _play(hub: Hub) -> Counter[str]:
    settings = hub.settings
    actors: list[Actor] = [Worker(hub, index) for index in range(settings.threads)]
    actors += [Sleeper(hub, index) for index in range(max(1, settings.threads // 3))]
    terminators = [Terminator(hub, index) for index in range(settings.shared_contexts)]
    actors += terminators
    if settings.attackers and hub.allows("attackers"):
        actors += [Attacker(hub, index) for index in range(2)]
    if settings.children:
        actors.append(Breeder(hub, 0))
    for actor in actors:
        actor.start()
    deadline = time.monotonic() + settings.seconds
    while time.monotonic() < deadline and not hub.stop.wait(0.2) and not _stuck(hub):
        pass
    hub.stop.set()
    # Sleepers wake when their context goes.
    last = threading.Thread(target=_terminate_all, args=(hub, terminators[0]), name="last-terminator", daemon=True)
    last.start()
    _join_all([*actors, last], hub)
    counts: Counter[str] = Counter()
    for actor in actors:
        counts += actor.counts
    return counts


def _terminate_all(hub: Hub, terminator: Terminator) -> None:
    for ctx in hub.take_contexts():
        terminator.terminate(ctx)


def _stuck(hub: Hub) -> bool:
    now = time.monotonic()
    stuck = [f"{name} in {what}" for name, (what, since) in hub.activity.copy().items() if now - since > STUCK_AFTER]
    if stuck:
        faulthandler.dump_traceback(all_threads=True)
        hub.fail(f"stuck: {', '.join(stuck)}")
    return bool(stuck)


def _join_all(threads: list[Any], hub: Hub) -> None:
    deadline = time.monotonic() + STUCK_AFTER
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = [thread.name for thread in threads if thread.is_alive()]
    if alive:
        faulthandler.dump_traceback(all_threads=True)
        hub.fail(f"stuck at the end: {alive}, {hub.activity}")


def main() -> int:
    """Run from the command line; the exit status is 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    parser.add_argument("--threads", type=int, default=8, help="number of workers; others come on top")
    parser.add_argument("--no-children", action="store_true", help="no child processes")
    parser.add_argument("--no-attackers", action="store_true", help="no raw peers")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}, {zmq.__name__}", flush=True)
    settings = Settings(
        arguments.seconds,
        seed,
        arguments.threads,
        children=not arguments.no_children,
        attackers=not arguments.no_attackers,
    )
    report = run(settings)
    print(f"socket types: {' '.join(report.kinds)}")
    print(", ".join(f"{name} {count}" for name, count in sorted(report.counts.items())))
    for failure in report.failures:
        print(f"FAILED {failure}")
    print(f"seed {seed}: {'FAILED' if report.failures else 'all well'}", flush=True)
    return 1 if report.failures else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Threads that hang must not keep a failed run from ending.
    os._exit(status)
