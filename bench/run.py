# SPDX-License-Identifier: MPL-2.0
"""libzmq_py against pyzmq, by whole processes.

No libzmq twin: perf/ in libzmq measures one library; this measures two or three in turn.

Every figure is taken A B A B ... in one run, because machines drift: what counts is the ratio of neighbours, and of
those the median. The number of messages is the same for every library; a short pilot of each chooses it so that a run
takes about `--seconds`.

    python bench/run.py                                     everything, five runs
    python bench/run.py --runs 5 --only tcp --json out.json only cases whose name contains "tcp"
    python bench/run.py --list                              names of all cases
    python bench/run.py --peers pyzmq,libzmq_py             the columns; the first one is the base of the ratio

A peer is `label` or `label=module`; `label=module/module` puts one library on the receiving (or asking) side and the
other on the sending (or answering) side, which shows which side of ours is the slow one:

    python bench/run.py --only tcp --peers pyzmq,ours-recv=libzmq_py/zmq,ours-send=zmq/libzmq_py
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import itertools
import json
import math
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
MODULES = {"pyzmq": "zmq", "libzmq_py": "libzmq_py", "pyomq": "pyomq"}
PROCESS_LIMIT = 120.0
"""Seconds after which a worker that has not answered is killed and its case fails."""


class BenchError(Exception):
    """A worker failed or did not answer; the text says which and what it wrote."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """One column: what it is called, the module on the measuring side and the module on the other."""

    label: str
    near: str
    far: str

    @classmethod
    def parse(cls, text: str) -> Peer:
        label, _, modules = text.partition("=")
        near, _, far = (modules or MODULES.get(label, label)).partition("/")
        return cls(label, near, far or near)


@dataclasses.dataclass(frozen=True)
class Metric:
    """One figure a case yields: its key in the worker's report, its unit, and which direction is better."""

    key: str
    unit: str
    higher_is_better: bool


RATE = (Metric("rate", "msg/s", True),)
LATENCY = (Metric("p50", "us p50", False), Metric("p99", "us p99", False))
WEIGHT = (
    Metric("connect_ms", "ms", False),
    Metric("server_kib", "KiB/conn server", False),
    Metric("client_kib", "KiB/conn client", False),
)
LIVE = (
    Metric("setup_ms", "ms set-up", False),
    Metric("server_kib", "KiB/conn server", False),
    Metric("client_kib", "KiB/conn client", False),
    Metric("rate", "round trips/s", True),
)
IMPORT = (Metric("import_ms", "ms import", False), Metric("ready_ms", "ms to socket", False))


LIVE_CLIENTS = 4
"""Processes that share the connections of a live case: with 1 250 sockets each they fit into 4 096 descriptors."""

LIVE_ROUNDS = 5
"""How many messages each live connection carries."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One benchmark: its roles, its messages, and a first guess at messages per second (0: the count is fixed)."""

    name: str
    kind: str
    transport: str
    metrics: tuple[Metric, ...]
    size: int = 0
    parts: int = 1
    peers: int = 1
    guess: int = 0
    mixed: bool = False
    curve: bool = False


def all_cases() -> list[Case]:
    """Write out every case, fastest-changing last: kind, size, transport."""
    cases = []
    shapes = [
        ("10B", 10, 1, 400_000),
        ("100B", 100, 1, 400_000),
        ("1KB", 1_000, 1, 300_000),
        ("4x100B", 100, 4, 100_000),
        ("64KiB", 65_536, 1, 20_000),
        ("1MiB", 1_048_576, 1, 1_000),
    ]
    for (label, size, parts, guess), transport in itertools.product(shapes, ("tcp", "ipc", "inproc")):
        cases.append(Case(f"pushpull-{transport}-{label}", "pushpull", transport, RATE, size, parts, guess=guess))
    for transport in ("tcp", "ipc", "inproc"):
        # Real traffic: no two neighbours of one size, so that nothing gained on equal messages hides here.
        name = f"pushpull-{transport}-20to180B"
        cases.append(Case(name, "pushpull", transport, RATE, 100, guess=300_000, mixed=True))
    for label, size, _, guess in [*shapes[1:3], shapes[4]]:
        cases.append(Case(f"pushpull-tcp-curve-{label}", "pushpull", "tcp", RATE, size, guess=guess // 2, curve=True))
    name = "pushpull-tcp-curve-20to180B"
    cases.append(Case(name, "pushpull", "tcp", RATE, 100, guess=150_000, mixed=True, curve=True))
    cases.append(Case("reqrep-tcp-curve-10B", "reqrep", "tcp", LATENCY, 10, guess=8_000, curve=True))
    for transport in ("tcp", "ipc", "inproc"):
        cases.append(Case(f"pubsub10-{transport}-100B", "pubsub", transport, RATE, 100, peers=10, guess=40_000))
    for transport in ("tcp", "ipc", "inproc"):
        cases.append(Case(f"reqrep-{transport}-10B", "reqrep", transport, LATENCY, 10, guess=8_000))
    for transport in ("tcp", "ipc"):
        cases.append(Case(f"connections200-{transport}", "connections", transport, WEIGHT, 5, peers=200))
    cases.append(Case("live5000-tcp", "live", "tcp", LIVE, 100, peers=5000))
    cases.append(Case("import", "import", "none", IMPORT))
    return cases


class Process:
    """A worker process whose standard output is read line by line, with a limit on the waiting."""

    def __init__(self, module: str, role: str, **options: Any) -> None:
        self.what = f"{module} {role}"
        command = [sys.executable, WORKER, "--lib", module, "--role", role]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._buffer = b""

    def line(self, limit: float = PROCESS_LIMIT) -> dict[str, Any]:
        """Read the next report; raise BenchError when the process ends or `limit` seconds pass without one."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + limit
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, left))
            if not ready:
                raise BenchError(f"{self.what}: nothing after {limit:.0f} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise BenchError(f"{self.what}: {self._last_words()}")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\n")
        report: dict[str, Any] = json.loads(text)
        return report

    def go(self) -> None:
        """Tell a worker that waits on its standard input to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def finish(self) -> None:
        """Wait for a normal end."""
        try:
            status = self.process.wait(PROCESS_LIMIT)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self.what}: reported, but did not end within {PROCESS_LIMIT:.0f} s") from None
        if status:
            raise BenchError(f"{self.what}: {self._last_words()}")

    def _last_words(self) -> str:
        assert self.process.stderr is not None
        self.process.wait(PROCESS_LIMIT)
        written = self.process.stderr.read().decode(errors="replace").strip().splitlines()
        return f"exit status {self.process.returncode}: {written[-1] if written else 'no message'}"

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def run_once(case: Case, peer: Peer, count: int, warmup: int) -> dict[str, float]:
    """Run one case once on one peer and return what its measuring side reported."""
    shape = {"size": case.size, "mixed": int(case.mixed), "parts": case.parts, "peers": case.peers}
    shape |= {"count": count, "warmup": warmup, "curve": int(case.curve)}
    if case.kind == "import":
        with Process(peer.near, "import") as only:
            report = only.line()
            only.finish()
        return report
    if case.transport == "inproc":
        role = {"pushpull": "push-pull-threads", "pubsub": "pub-subs-threads", "reqrep": "req-rep-threads"}[case.kind]
        with Process(peer.near, role, bind="inproc://bench", **shape) as only:
            report = only.line()
            only.finish()
        return report
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bind = f"ipc://{folder}/s" if case.transport == "ipc" else "tcp://127.0.0.1:*"
        return RUNNERS[case.kind](peer, bind, shape)


def run_pushpull(peer: Peer, bind: str, shape: dict[str, int]) -> dict[str, float]:
    with Process(peer.near, "pull", bind=bind, **shape) as receiver:
        endpoint = receiver.line()["endpoint"]
        with Process(peer.far, "push", endpoint=endpoint, **shape) as sender:
            report = receiver.line()
            sender.go()
            sender.finish()
        receiver.finish()
    return report


def run_pubsub(peer: Peer, bind: str, shape: dict[str, int]) -> dict[str, float]:
    with Process(peer.far, "pub", bind=bind, **shape) as publisher:
        endpoint = publisher.line()["endpoint"]
        with Process(peer.near, "subs", endpoint=endpoint, **shape) as subscribers:
            subscribers.line()
            publisher.go()
            report = subscribers.line()
            subscribers.finish()
        publisher.go()
        publisher.finish()
    return report


def run_reqrep(peer: Peer, bind: str, shape: dict[str, int]) -> dict[str, float]:
    with Process(peer.far, "rep", bind=bind, **shape) as server:
        endpoint = server.line()["endpoint"]
        with Process(peer.near, "req", endpoint=endpoint, **shape) as client:
            report = client.line()
            client.finish()
        server.finish()
    return report


def run_connections(peer: Peer, bind: str, shape: dict[str, int]) -> dict[str, float]:
    with Process(peer.far, "many-server", bind=bind, **shape) as server:
        endpoint = server.line()["endpoint"]
        with Process(peer.near, "many-clients", endpoint=endpoint, **shape) as clients:
            report = clients.line()
            # Both sides stay connected until the server has taken its own weight, which it does before it reads this.
            server.go()
            report |= server.line()
            clients.go()
            clients.finish()
        server.finish()
    return report


def run_live(peer: Peer, bind: str, shape: dict[str, int]) -> dict[str, float]:
    """Each phase starts in all client processes at once and is over with the last of them."""
    peers = shape["peers"]
    clients = min(LIVE_CLIENTS, peers)
    shape = shape | {"count": LIVE_ROUNDS, "io_threads": 2, "clients": clients}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Process(peer.far, "live-server", bind=bind, **shape))
        endpoint = server.line()["endpoint"]
        processes = []
        for index in range(clients):
            mine = shape | {"peers": (peers + index) // clients}
            processes.append(stack.enter_context(Process(peer.near, "live-clients", endpoint=endpoint, **mine)))
        for process in processes:
            process.line()
        set_up = _phase(processes)
        report = server.line()
        rounds = _phase(processes)
        for process in [*processes, server]:
            process.go()
        for process in [*processes, server]:
            process.finish()
    return {
        "setup_ms": max(one["seconds"] for one in set_up) * 1000,
        "server_kib": report["server_kib"],
        "client_kib": statistics.fmean(one["client_kib"] for one in set_up),
        "rate": peers * LIVE_ROUNDS / max(one["seconds"] for one in rounds),
    }


def _phase(processes: Sequence[Process]) -> list[dict[str, Any]]:
    for process in processes:
        process.go()
    return [process.line() for process in processes]


RUNNERS = {
    "pushpull": run_pushpull,
    "pubsub": run_pubsub,
    "reqrep": run_reqrep,
    "connections": run_connections,
    "live": run_live,
}


def calibrate(case: Case, peers: Sequence[Peer], seconds: float) -> tuple[int, int]:
    """Choose how many messages to measure, the same for every peer, and how many to send before them."""
    if not case.guess:
        for peer in peers:
            run_once(case, peer, 1, 0)
        return 1, 0
    pilot = max(20, int(case.guess * 0.1))
    rates = [run_once(case, peer, pilot, max(10, pilot // 5))["rate"] / case.peers for peer in peers]
    # The geometric mean: a peer twice as fast as the other takes 0.7 of the time wished for, the other 1.4 of it.
    count = max(20, round(math.exp(statistics.fmean(map(math.log, rates))) * seconds))
    return count, max(10, count // 5)


@dataclasses.dataclass
class Row:
    """All samples of one metric of one case, by peer label, and their median ratio to the base."""

    case: Case
    metric: Metric
    count: int
    samples: dict[str, list[float]]

    def ratios(self, base: str, label: str) -> list[float]:
        """Divide each sample by its neighbour of the base."""
        return [ours / theirs for ours, theirs in zip(self.samples[label], self.samples[base], strict=True) if theirs]

    def as_json(self, base: str) -> dict[str, Any]:
        """Return the row as plain data."""
        ratios = {label: self.ratios(base, label) for label in self.samples if label != base}
        return {
            "case": self.case.name,
            "unit": self.metric.unit,
            "higher_is_better": self.metric.higher_is_better,
            "count": self.count,
            "samples": self.samples,
            "median": {label: statistics.median(values) for label, values in self.samples.items()},
            "ratios": ratios,
            "median_ratio": {label: statistics.median(values) if values else None for label, values in ratios.items()},
        }


def measure(case: Case, peers: Sequence[Peer], runs: int, seconds: float) -> list[Row]:
    """Run one case `runs` times on every peer in turn."""
    count, warmup = calibrate(case, peers, seconds)
    rows = [Row(case, metric, count, {peer.label: [] for peer in peers}) for metric in case.metrics]
    for _ in range(runs):
        for peer in peers:
            report = run_once(case, peer, count, warmup)
            for row in rows:
                row.samples[peer.label].append(report[row.metric.key])
    return rows


def number(value: float) -> str:
    """Format a figure so that four digits count."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


class Table:
    """The text output, one line as soon as its figures are known."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.labels = [peer.label for peer in peers]
        self.base = self.labels[0]

    def head(self) -> None:
        columns = "".join(f"{label:>14}" for label in self.labels)
        ratios = "".join(f"{label + ' / ' + self.base:>28}" for label in self.labels[1:])
        print(f"{'case':<26}{'unit':<17}{columns}{ratios}  (median, lowest..highest)", flush=True)

    def line(self, row: Row) -> None:
        columns = "".join(f"{number(statistics.median(row.samples[label])):>14}" for label in self.labels)
        ratios = ""
        for label in self.labels[1:]:
            values = row.ratios(self.base, label)
            text = f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})" if values else "-"
            ratios += f"{text:>28}"
        better = "more is better" if row.metric.higher_is_better else "less is better"
        print(f"{row.case.name:<26}{row.metric.unit:<17}{columns}{ratios}  {better}", flush=True)


def facts(peers: Sequence[Peer]) -> dict[str, Any]:
    """Describe the machine and the libraries, for the JSON file."""
    versions = {}
    for distribution in ("pyzmq", "libzmq_py", "pyomq"):
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "versions": versions,
        "peers": [dataclasses.asdict(peer) for peer in peers],
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def default_peers() -> str:
    """Return the default columns; pyomq makes a third one where it is installed."""
    return "pyzmq,libzmq_py" + (",pyomq" if importlib.util.find_spec("pyomq") else "")


def choose(only: str) -> list[Case]:
    """Return the cases whose name contains one of the comma-separated words; all of them for an empty text."""
    words = [word for word in only.split(",") if word]
    return [case for case in all_cases() if not words or any(word in case.name for word in words)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="measurements of each case on each peer")
    parser.add_argument("--seconds", type=float, default=0.75, help="how long one measurement should take")
    parser.add_argument("--only", default="", metavar="WORDS", help="comma-separated; cases whose name contains one")
    parser.add_argument("--peers", default=default_peers(), help="comma-separated label[=module[/module]]")
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    args = parser.parse_args(argv)
    cases = choose(args.only)
    if args.list or not cases:
        print("\n".join(case.name for case in cases or all_cases()))
        return 0 if cases else 2
    peers = [Peer.parse(text) for text in args.peers.split(",")]
    result: dict[str, Any] = {**facts(peers), "runs": args.runs, "results": [], "failures": {}}
    table = Table(peers)
    table.head()
    for case in cases:
        try:
            rows = measure(case, peers, args.runs, args.seconds)
        except BenchError as error:
            result["failures"][case.name] = str(error)
            print(f"{case.name:<26}FAILED: {error}", flush=True)
            continue
        for row in rows:
            table.line(row)
            result["results"].append(row.as_json(table.base))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
