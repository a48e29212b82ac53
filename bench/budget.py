# SPDX-License-Identifier: MPL-2.0
"""Where a message's time goes: nanoseconds for each step of the plain path, PUSH to PULL over tcp, 100 bytes.

No libzmq twin: test support.

A step is measured by itself, in one thread. The layers of an application thread are told apart by calling each of them
(`Socket.send`, `SocketBase.send`, `LB.send`) and subtracting what it calls. What the I/O thread does is measured in
batches of 500, and divided. The sum leaves out what threads cost each other: waiting for the interpreter lock, caches.
So the time that a message takes from end to end stands beside it, and the processor time of both processes together.

    python bench/budget.py                                  the present state
    python bench/budget.py --against 9ff293d                an earlier commit and the present state, in turns
    python bench/budget.py --against 9ff293d --json docs/performance/budget.json && python bench/publish.py
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import run
from bench.trees import ROOT, NoSuchTree, checkout

SIZE = 100
BATCH = 500
"""Messages between two looks at the clock: below the high-water mark, and about what an I/O thread takes at once."""
MESSAGE = b"x" * SIZE
SAMPLES = 15
TURNS = 12
"""Every step has so many turns of so many samples; the machine's drift falls on all of them alike."""
MESSAGES = 200_000
"""From end to end."""
ROUNDS = 3
LIMIT = 120.0

Figures: TypeAlias = "dict[str, float]"
# A step is built once and gives a function that returns the nanoseconds that BATCH messages took.
Step = Callable[[ExitStack], Callable[[], int]]
STEPS: dict[str, Step] = {}

SENDING = ("Socket.send", "SocketBase.send", "LB.send, queue", "read_batch", "encode", "send (system)")
RECEIVING = ("recv (system)", "decode", "send_batch", "wake-up", "FQ.recv, queue", "SocketBase.recv", "Socket.recv")
MODES = ("one by one", "run", "many")


def step(name: str) -> Callable[[Step], Step]:
    """Register a step under a name."""

    def register(build: Step) -> Step:
        STEPS[name] = build
        return build

    return register


def clocked(work: Callable[[], object], after: Callable[[], object] | None = None) -> Callable[[], int]:
    """Return a function that times `work` and then does `after`, which does not count."""
    clock = time.perf_counter_ns

    def timed() -> int:
        started = clock()
        work()
        taken = clock() - started
        if after is not None:
            after()
        return taken

    return timed


class Pair:
    """A PUSH and a PULL over inproc, both used by this thread; nobody else takes part."""

    def __init__(self, stack: ExitStack) -> None:
        import libzmq_py as zmq

        ctx = stack.enter_context(zmq.Context())
        self.pull: Any = stack.enter_context(ctx.socket(zmq.PULL))
        self.push: Any = stack.enter_context(ctx.socket(zmq.PUSH))
        self.pull.rcvtimeo = self.push.sndtimeo = 10_000
        self.pull.bind("inproc://budget")
        self.push.connect("inproc://budget")
        self.again = zmq.Again
        self.fill()
        self.drain()

    def without_runs(self) -> Pair:
        """Let every message pass through all layers, as all of them did before there were runs."""
        for core, straight in ((self.push._core, "_straight_out"), (self.pull._core, "_straight_fq")):
            if hasattr(core, "_settle_runs"):
                core._settle_runs()
                setattr(core, straight, None)
        return self

    # The commands are looked at here because `LB.send` and `FQ.recv` by themselves do not.

    def fill(self) -> None:
        send = self.push.send
        for _ in range(BATCH):
            send(MESSAGE)
        self.pull._core.process_commands(0)

    def drain(self) -> None:
        recv = self.pull.recv
        for _ in range(BATCH):
            recv()
        self.push._core.process_commands(0)


def calls(function: Callable[..., object], *args: object) -> Callable[[], None]:
    """Return a function that calls `function` BATCH times."""

    def repeat() -> None:
        for _ in range(BATCH):
            function(*args)

    return repeat


@step("loop")
def loop(stack: ExitStack) -> Callable[[], int]:
    """What the loops here cost by themselves; subtracted."""

    def repeat() -> None:
        for _ in range(BATCH):
            pass

    return clocked(repeat)


def sending(find: Callable[[Pair], Callable[..., object]]) -> Step:
    def build(stack: ExitStack) -> Callable[[], int]:
        pair = Pair(stack).without_runs()
        return clocked(calls(find(pair), MESSAGE), pair.drain)

    return build


def receiving(find: Callable[[Pair], Callable[..., object]]) -> Step:
    def build(stack: ExitStack) -> Callable[[], int]:
        pair = Pair(stack).without_runs()
        pair.fill()
        return clocked(calls(find(pair)), pair.fill)

    return build


STEPS["to Socket.send"] = sending(lambda pair: pair.push.send)
STEPS["to SocketBase.send"] = sending(lambda pair: pair.push._core.send)
STEPS["to LB.send"] = sending(lambda pair: pair.push._core._lb.send)
STEPS["from Socket.recv"] = receiving(lambda pair: pair.pull.recv)
STEPS["from SocketBase.recv"] = receiving(lambda pair: pair.pull._core.recv)
STEPS["from FQ.recv"] = receiving(lambda pair: pair.pull._core._fq.recv)


@step("send in runs")
def send_in_runs(stack: ExitStack) -> Callable[[], int]:
    pair = Pair(stack)
    return clocked(calls(pair.push.send, MESSAGE), pair.drain)


@step("recv in runs")
def recv_in_runs(stack: ExitStack) -> Callable[[], int]:
    pair = Pair(stack)
    pair.fill()
    return clocked(calls(pair.pull.recv), pair.fill)


@step("send_many")
def send_many(stack: ExitStack) -> Callable[[], int]:
    pair = Pair(stack)
    send, batch = pair.push.send_many, [MESSAGE] * BATCH
    return clocked(lambda: send(batch), pair.drain)


@step("recv_many")
def recv_many(stack: ExitStack) -> Callable[[], int]:
    pair = Pair(stack)
    pair.fill()
    recv = pair.pull.recv_many
    return clocked(lambda: recv(BATCH), pair.fill)


def ends(stack: ExitStack) -> tuple[Any, Any, Callable[[], object]]:
    """Return the two ends of a pipe, the writer's and the reader's, and what makes the writer see its credits."""
    pair = Pair(stack).without_runs()
    writer, reader = (sock._core._pipes.items[0] for sock in (pair.push, pair.pull))
    return writer, reader, lambda: pair.push._core.process_commands(0)


@step("read_batch")
def read_batch(stack: ExitStack) -> Callable[[], int]:
    """What the session takes from its pipe; here the end of a PULL takes it."""
    writer, reader, see_credits = ends(stack)
    batch = [MESSAGE] * BATCH

    def fill() -> None:
        see_credits()
        writer.send_batch(batch)

    fill()
    return clocked(lambda: reader.read_batch(BATCH), fill)


@step("send_batch")
def send_batch(stack: ExitStack) -> Callable[[], int]:
    """What the session gives to its pipe, its reader awake."""
    writer, reader, see_credits = ends(stack)
    batch = [MESSAGE] * BATCH
    writer.send(MESSAGE)  # one is always left, so that the reader does not fall asleep

    def take() -> None:
        reader.read_batch(BATCH)
        see_credits()

    return clocked(lambda: writer.send_batch(batch), take)


@step("wake-up")
def wake_up(stack: ExitStack) -> Callable[[], int]:
    """A reader that sleeps is told, once per batch, and looks at its commands."""
    pair = Pair(stack).without_runs()
    pull, send = pair.pull._core, pair.push._core._lb.send
    waking, awake = clocked(lambda: send(MESSAGE)), clocked(lambda: send(MESSAGE))
    looking = clocked(lambda: pull.process_commands(0))

    def once() -> int:
        with contextlib.suppress(pair.again):
            while True:
                pair.pull.recv(1)
        return max(0, waking() - awake() + looking())

    return once


@step("encode")
def encode(stack: ExitStack) -> Callable[[], int]:
    from libzmq_py.codecs.v2_encoder import V2Encoder

    encoder, batch = V2Encoder(), [MESSAGE] * BATCH
    return clocked(lambda: b"".join(encoder.encode(batch)))


@step("decode")
def decode(stack: ExitStack) -> Callable[[], int]:
    from libzmq_py.codecs.v2_decoder import V2Decoder

    decoder, data = V2Decoder(-1), wire()
    return clocked(lambda: decoder.decode(data))


def wire() -> bytes:
    from libzmq_py.codecs.v2_encoder import V2Encoder

    return b"".join(V2Encoder().encode([MESSAGE] * BATCH))


def connection(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a tcp connection whose buffers hold a batch."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = stack.enter_context(socket.create_connection(server.getsockname()))
        far = stack.enter_context(server.accept()[0])
    for end in (near, far):
        end.settimeout(10)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, buffer, 1 << 20)
    return near, far


def receive_all(sock: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(sock.recv(count))


@step("send (system)")
def send_call(stack: ExitStack) -> Callable[[], int]:
    near, far = connection(stack)
    data = wire()
    return clocked(lambda: near.sendall(data), lambda: receive_all(far, len(data)))


@step("recv (system)")
def recv_call(stack: ExitStack) -> Callable[[], int]:
    near, far = connection(stack)
    data = wire()
    near.sendall(data)
    return clocked(lambda: receive_all(far, len(data)), lambda: near.sendall(data))


def measure_steps(turns: int = TURNS, samples: int = SAMPLES) -> Figures:
    """Return the median of each step in nanoseconds per message; steps that this libzmq_py has not are left out."""
    taken: dict[str, list[int]] = {}
    with ExitStack() as stack:
        ready: dict[str, Callable[[], int]] = {}
        for name, build in STEPS.items():
            with contextlib.suppress(AttributeError):  # an earlier commit has no send_many
                ready[name] = build(stack)
        for _ in range(turns):
            for name, once in ready.items():
                once()  # what another step has left in the caches
                taken.setdefault(name, []).extend(once() for _ in range(samples))
    return {name: statistics.median(values) / BATCH for name, values in taken.items()}


def from_end_to_end(tree: Path, messages: int = MESSAGES) -> dict[str, Figures]:
    """Return the nanoseconds per message between two processes, by single calls and, where there are any, by many.

    `time` passes at the receiver; `user` and `system` are processor time of both processes together.
    """
    run.WORKER = str(tree / "bench" / "worker.py")
    modes: dict[str, dict[str, int]] = {"single": {}, "many": {"many": 1}}
    if "--many" not in Path(run.WORKER).read_text(encoding="utf-8"):
        del modes["many"]
    return {mode: _end_to_end(messages, options) for mode, options in modes.items()}


def _end_to_end(messages: int, options: dict[str, int]) -> Figures:
    peer = run.Peer.parse("libzmq_py")
    spent: list[tuple[float, float]] = []
    taken = 0.0
    for count in (messages, 2 * messages):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shape = {"size": SIZE, "count": count, "warmup": messages // 5, **options}
        report = run.run_pushpull(peer, "tcp://127.0.0.1:*", shape)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append((after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime))
        taken = report["seconds"] / count
    # The difference leaves out what the processes do before and after; the receiver's clock does not run then.
    user, system = ((more - less) / messages for less, more in zip(*spent, strict=True))
    return {"time": taken * 1e9, "user": user * 1e9, "system": system * 1e9}


def split(steps: Figures) -> dict[str, dict[str, Figures]]:
    """Make the figures of layers into those of steps: side, mode, step. A mode that was not measured is left out.

    Noise may make a small step negative; it counts as nothing.
    """

    def less(name: str, inner: str) -> float:
        return max(0.0, steps[name] - steps[inner])

    out = {name: steps[name] for name in ("read_batch", "encode", "send (system)")}
    into = {name: steps[name] for name in ("recv (system)", "decode", "send_batch", "wake-up")}
    sent: dict[str, Figures] = {
        "one by one": {
            "Socket.send": less("to Socket.send", "to SocketBase.send"),
            "SocketBase.send": less("to SocketBase.send", "to LB.send"),
            "LB.send, queue": less("to LB.send", "loop"),
        }
    }
    received: dict[str, Figures] = {
        "one by one": {
            "FQ.recv, queue": less("from FQ.recv", "loop"),
            "SocketBase.recv": less("from SocketBase.recv", "from FQ.recv"),
            "Socket.recv": less("from Socket.recv", "from SocketBase.recv"),
        }
    }
    if "send_many" in steps:
        sent |= {"run": {"Socket.send": less("send in runs", "loop")}, "many": {"Socket.send": steps["send_many"]}}
        received |= {"run": {"Socket.recv": less("recv in runs", "loop")}, "many": {"Socket.recv": steps["recv_many"]}}
    return {
        "send": {mode: {**figures, **out} for mode, figures in sent.items()},
        "receive": {mode: {**into, **figures} for mode, figures in received.items()},
    }


def combine(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several measurements of one state."""
    steps = {name: statistics.median(one["steps"][name] for one in measured) for name in measured[0]["steps"]}
    total = {
        mode: {name: statistics.median(one["end_to_end"][mode][name] for one in measured) for name in figures}
        for mode, figures in measured[0]["end_to_end"].items()
    }
    return {"measured": steps, "sides": split(steps), "end_to_end": total}


def measure_tree(tree: Path) -> dict[str, Any]:
    """Measure the libzmq_py of a folder, in a process of its own."""
    command = [sys.executable, __file__, "--tree", str(tree)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if ended.returncode:
        raise run.BenchError(f"{tree}: {ended.stderr.strip()[-1000:]}")
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


@contextlib.contextmanager
def states(against: str | None) -> Iterator[dict[str, Path]]:
    """Give the states to be measured, in the order of time."""
    if against is None:
        yield {"now": ROOT}
        return
    with checkout(against) as tree:
        yield {against: tree, "now": ROOT}


def measure_all(against: str | None, rounds: int) -> dict[str, Any]:
    """Measure the states in turns."""
    with states(against) as trees:
        measured: dict[str, list[dict[str, Any]]] = {label: [] for label in trees}
        for _ in range(rounds):
            for label, tree in trees.items():
                measured[label].append(measure_tree(tree))
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "size": SIZE,
        "batch": BATCH,
        "rounds": rounds,
        "states": {label: combine(values) for label, values in measured.items()},
    }


def show(result: dict[str, Any]) -> None:
    """Print a table per side."""
    columns = [(label, mode) for label, state in result["states"].items() for mode in state["sides"]["send"]]
    for side, names in (("send", SENDING), ("receive", RECEIVING)):
        print(f"{side + ', ns per message':<26}" + "".join(f"{f'{label}, {mode}':>22}" for label, mode in columns))
        for name in names:
            cells = [result["states"][label]["sides"][side][mode].get(name) for label, mode in columns]
            print(f"{name:<26}" + "".join(f"{'–' if cell is None else f'{cell:.0f}':>22}" for cell in cells))
        sums = [sum(result["states"][label]["sides"][side][mode].values()) for label, mode in columns]
        print(f"{'sum':<26}" + "".join(f"{value:>22.0f}" for value in sums))
    for label, state in result["states"].items():
        for mode, figures in state["end_to_end"].items():
            print(f"{label}, {mode}, from end to end: " + ", ".join(f"{k} {v:.0f} ns" for k, v in figures.items()))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="COMMIT", help="an earlier commit to measure beside the present state")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each state, of which the median")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--tree", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.tree:
        sys.path.insert(0, str(args.tree))
        print(json.dumps({"steps": measure_steps(), "end_to_end": from_end_to_end(args.tree)}))
        return 0
    try:
        result = measure_all(args.against, args.rounds)
    except (NoSuchTree, run.BenchError) as error:
        print(error, file=sys.stderr)
        return 2
    show(result)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
