# SPDX-License-Identifier: MPL-2.0
"""libzmq_py against pyzmq, by whole processes.

No libzmq twin: perf/ in libzmq measures one library; this measures two or three in turn.

Every figure is taken A B A B ... in one run, because machines drift: what counts is the ratio of neighbours, and of
those the median. The number of messages is the same for every library; a short pilot of each chooses it so that a run
takes about `--seconds`.

    python bench/run.py                                     everything, five runs
    python bench/run.py --runs 5 --only tcp --json out.json only cases whose name contains "tcp"
    python bench/run.py --short                             a handful of cases, within a minute
    python bench/run.py --list                              names of all cases
    python bench/run.py --peers pyzmq,libzmq_py             the columns; the first one is the base of the ratio

The cases `many-*` hand over many messages per call where the library has calls for that (libzmq_py: `send_many` and
`recv_many`); where it has none (pyzmq) they go one by one, so the ratio is to what pyzmq's per-message calls reach.

pyomq, a third implementation, makes a column where it is installed. It is not held to anything: what it cannot run
shows as a dash, with the reason below, and is no failure.

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
from typing import Any, TypeAlias

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
MODULES = {"pyzmq": "zmq", "libzmq_py": "libzmq_py", "pyomq": "bench.pyomq_face"}
GUESTS = frozenset({"bench.pyomq_face"})
"""Modules that are measured where they can be; what they cannot run is no failure."""
PROCESS_LIMIT = 120.0
"""Seconds after which a worker that has not answered is killed and its case fails."""
GUEST_LIMIT = 20.0
"""The same for a guest, which may hang and keeps nobody waiting."""


class BenchError(Exception):
    """A worker failed or did not answer; the text says which and what it wrote."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """One column: what it is called, the module on the measuring side and the module on the other."""

    label: str
    near: str
    far: str

    @property
    def is_guest(self) -> bool:
        """True if the peer may fail."""
        return self.near in GUESTS or self.far in GUESTS

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
ROUND_TRIPS = (Metric("rate", "round trips/s", True),)
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
    """One benchmark: its roles, its messages, and a first guess at messages per second (0: the count is fixed).

    `peers` are the subscribers, the connections, or the sockets of the many side.
    """

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
    many: bool = False
    topics: bool = False
    types: str = ""

    @property
    def receivers(self) -> int:
        """How many receivers get each message."""
        return self.peers if self.kind == "pubsub" and not self.topics and self.types != "PUSH/PULL" else 1


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
        cases += patterns(transport)
    for transport in ("tcp", "ipc", "inproc"):
        cases.append(Case(f"reqrep-{transport}-10B", "reqrep", transport, LATENCY, 10, guess=8_000))
    for transport in ("tcp", "ipc"):
        cases.append(Case(f"connections200-{transport}", "connections", transport, WEIGHT, 5, peers=200))
    cases.append(Case("live5000-tcp", "live", "tcp", LIVE, 100, peers=5000))
    cases.append(Case("import", "import", "none", IMPORT))
    return cases


def patterns(transport: str) -> list[Case]:
    """Messages of 100 bytes, by other calls and through other sockets than one PUSH and one PULL."""
    size, guess = 100, 300_000

    def case(name: str, kind: str = "pushpull", peers: int = 1, **more: Any) -> Case:
        share = peers if kind == "pubsub" and not more else 1
        return Case(f"{name}-{transport}-100B", kind, transport, RATE, size, peers=peers, guess=guess // share, **more)

    cases = [
        case("many", many=True),
        case("dealerrouter", types="DEALER/ROUTER"),
        case("pubsub1", "pubsub"),
        case("pubsub10", "pubsub", 10),
        case("pubfilter10", "pubsub", 10, topics=True),
    ]
    if transport != "ipc":
        cases += [
            case("push1pull10", "pubsub", 10, types="PUSH/PULL"),
            case("push10pull1", "pushpull", 10, types="PUSH/PULL"),
        ]
    echo = Case(f"echo100-{transport}-100B", "echo", transport, ROUND_TRIPS, size, guess=50_000)
    return [*cases, echo]


SHORT = (
    "pushpull-tcp-10B",
    "pushpull-tcp-100B",
    "many-tcp-100B",
    "pushpull-inproc-100B",
    "pubsub10-tcp-100B",
    "pubfilter10-tcp-100B",
    "push1pull10-tcp-100B",
    "reqrep-tcp-10B",
    "dealerrouter-tcp-100B",
    "connections200-tcp",
    "import",
)
"""The cases of the short form."""
SHORT_RUNS = 3
SHORT_SECONDS = 0.2
SHORT_PEERS = "pyzmq,libzmq_py"
SHORT_LIMIT = 40.0
"""Seconds after which, on a busy machine, each case that is left is measured once only."""


class Process:
    """A worker process whose standard output is read line by line, with a limit on the waiting."""

    def __init__(self, module: str, role: str, **options: Any) -> None:
        self.what = f"{module} {role}"
        self.limit = GUEST_LIMIT if module in GUESTS else PROCESS_LIMIT
        command = [sys.executable, WORKER, "--lib", module, "--role", role]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._buffer = b""

    def line(self) -> dict[str, Any]:
        """Read the next report; raise BenchError when the process ends or its time limit passes without one."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + self.limit
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, left))
            if not ready:
                raise BenchError(f"{self.what}: nothing after {self.limit:.0f} s")
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
            status = self.process.wait(self.limit)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self.what}: reported, but did not end within {self.limit:.0f} s") from None
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


Shape: TypeAlias = "dict[str, Any]"
"""The options of a worker that say what it moves."""

THREADS = {
    "pushpull": "push-pull-threads",
    "pubsub": "pub-subs-threads",
    "reqrep": "req-rep-threads",
    "echo": "echo-threads",
}
"""The role that has both sides of a kind in one process."""


def run_once(case: Case, peer: Peer, count: int, warmup: int) -> dict[str, float]:
    """Run one case once on one peer and return what its measuring side reported."""
    shape: Shape = {"size": case.size, "mixed": int(case.mixed), "parts": case.parts, "peers": case.peers}
    shape |= {"count": count, "warmup": warmup, "curve": int(case.curve), "many": int(case.many)}
    shape |= {"topics": int(case.topics), "types": case.types}
    if case.kind == "import":
        with Process(peer.near, "import") as only:
            report = only.line()
            only.finish()
        return report
    if case.transport == "inproc":
        with Process(peer.near, THREADS[case.kind], bind="inproc://bench", **shape) as only:
            report = only.line()
            only.finish()
        return report
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bind = f"ipc://{folder}/s" if case.transport == "ipc" else "tcp://127.0.0.1:*"
        return RUNNERS[case.kind](peer, bind, shape)


def run_pushpull(peer: Peer, bind: str, shape: Shape) -> dict[str, float]:
    with Process(peer.near, "pull", bind=bind, **shape) as receiver:
        endpoint = receiver.line()["endpoint"]
        with Process(peer.far, "push", endpoint=endpoint, **shape) as sender:
            report = receiver.line()
            sender.go()
            sender.finish()
        receiver.finish()
    return report


def run_pubsub(peer: Peer, bind: str, shape: Shape) -> dict[str, float]:
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


def run_reqrep(peer: Peer, bind: str, shape: Shape) -> dict[str, float]:
    return _run_client(peer, bind, shape, "rep", "req")


def run_echo(peer: Peer, bind: str, shape: Shape) -> dict[str, float]:
    return _run_client(peer, bind, shape, "echo-server", "echo-client")


def _run_client(peer: Peer, bind: str, shape: Shape, serve: str, ask: str) -> dict[str, float]:
    with Process(peer.far, serve, bind=bind, **shape) as server:
        endpoint = server.line()["endpoint"]
        with Process(peer.near, ask, endpoint=endpoint, **shape) as client:
            report = client.line()
            client.finish()
        server.go()
        server.finish()
    return report


def run_connections(peer: Peer, bind: str, shape: Shape) -> dict[str, float]:
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


def run_live(peer: Peer, bind: str, shape: Shape) -> dict[str, float]:
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
    "echo": run_echo,
    "connections": run_connections,
    "live": run_live,
}


class Guests:
    """Says what became of the peers that may fail: those that have, in the case at hand, and why."""

    def __init__(self) -> None:
        self.absent: dict[str, str] = {}

    def run(self, case: Case, peer: Peer, count: int, warmup: int) -> dict[str, float] | None:
        """Run a case once; None if the peer is a guest and fails, or has failed before."""
        if peer.label in self.absent:
            return None
        try:
            return run_once(case, peer, count, warmup)
        except BenchError as error:
            if not peer.is_guest:
                raise
            self.absent[peer.label] = str(error)
            return None


def calibrate(case: Case, peers: Sequence[Peer], seconds: float, guests: Guests) -> tuple[int, int]:
    """Choose how many messages to measure, the same for every peer, and how many to send before them."""
    if not case.guess:
        for peer in peers:
            guests.run(case, peer, 1, 0)
        return 1, 0
    pilot = max(20, int(case.guess * 0.1))
    reports = [guests.run(case, peer, pilot, max(10, pilot // 5)) for peer in peers]
    rates = [report["rate"] / case.receivers for report in reports if report is not None]
    if not rates:
        return pilot, 0  # nobody is there to be measured
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
    absent: dict[str, str] = dataclasses.field(default_factory=dict)

    def ratios(self, base: str, label: str) -> list[float]:
        """Divide each sample by its neighbour of the base; nothing for a peer that has none."""
        if {base, label} & self.absent.keys():
            return []
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
            "median": {label: self.median(label) for label in self.samples},
            "ratios": ratios,
            "median_ratio": {label: statistics.median(values) if values else None for label, values in ratios.items()},
            "absent": self.absent,
        }

    def median(self, label: str) -> float | None:
        """The median of the samples; None for a peer that cannot run the case."""
        return None if label in self.absent else statistics.median(self.samples[label])


def measure(
    case: Case, peers: Sequence[Peer], runs: int, seconds: float, deadline: float = math.inf
) -> list[Row]:
    """Run one case `runs` times on every peer in turn, but no second time after the deadline."""
    guests = Guests()
    count, warmup = calibrate(case, peers, seconds, guests)
    rows = [Row(case, metric, count, {peer.label: [] for peer in peers}, guests.absent) for metric in case.metrics]
    for turn in range(runs):
        if turn and time.monotonic() > deadline:
            break
        for peer in peers:
            report = guests.run(case, peer, count, warmup)
            if report is not None:
                for row in rows:
                    row.samples[peer.label].append(report[row.metric.key])
    return rows


def number(value: float | None) -> str:
    """Format a figure so that four digits count."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


class Table:
    """The text output, one line as soon as its figures are known."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.labels = [peer.label for peer in peers]
        self.base = self.labels[0]

    def head(self) -> None:
        columns = "".join(f"{label:>14}" for label in self.labels)
        ratios = "".join(f"{label + ' / ' + self.base:>28}" for label in self.labels[1:])
        print(f"{'case':<30}{'unit':<17}{columns}{ratios}  (median, lowest..highest)", flush=True)

    def line(self, row: Row) -> None:
        columns = "".join(f"{number(row.median(label)):>14}" for label in self.labels)
        ratios = ""
        for label in self.labels[1:]:
            values = row.ratios(self.base, label)
            text = f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})" if values else "–"
            ratios += f"{text:>28}"
        better = "more is better" if row.metric.higher_is_better else "less is better"
        print(f"{row.case.name:<30}{row.metric.unit:<17}{columns}{ratios}  {better}", flush=True)

    def absent(self, row: Row) -> None:
        for label, reason in row.absent.items():
            print(f"{'':<30}– {label}: {reason}", flush=True)


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


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="measurements of each case on each peer (5)")
    parser.add_argument("--seconds", type=float, help="how long one measurement should take (0.5)")
    parser.add_argument("--only", default="", metavar="WORDS", help="comma-separated; cases whose name contains one")
    parser.add_argument("--peers", help="comma-separated label[=module[/module]]")
    parser.add_argument("--short", action="store_true", help="a handful of cases, within a minute")
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    args = parser.parse_args(argv)
    args.runs = args.runs or (SHORT_RUNS if args.short else 5)
    args.seconds = args.seconds or (SHORT_SECONDS if args.short else 0.5)
    args.peers = args.peers or (SHORT_PEERS if args.short else default_peers())
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    cases = [case for case in choose(args.only) if not args.short or case.name in SHORT]
    if args.list or not cases:
        print("\n".join(case.name for case in cases or all_cases()))
        return 0 if cases else 2
    peers = [Peer.parse(text) for text in args.peers.split(",")]
    result: dict[str, Any] = {**facts(peers), "runs": args.runs, "results": [], "failures": {}}
    started = time.monotonic()
    deadline = started + SHORT_LIMIT if args.short else math.inf
    table = Table(peers)
    table.head()
    for case in cases:
        try:
            rows = measure(case, peers, args.runs, args.seconds, deadline)
        except BenchError as error:
            result["failures"][case.name] = str(error)
            print(f"{case.name:<30}FAILED: {error}", flush=True)
            continue
        for row in rows:
            table.line(row)
            result["results"].append(row.as_json(table.base))
        table.absent(rows[0])
    result["seconds"] = round(time.monotonic() - started)
    print(f"{len(cases)} cases, {args.runs} runs, {result['seconds']} s")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
