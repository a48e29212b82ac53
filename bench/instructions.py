# SPDX-License-Identifier: MPL-2.0
"""Instructions per message, counted by valgrind: what a busy machine does not change.

No libzmq twin: test support.

Times wander by a third on a shared machine, so a loss of 5 % per step goes unseen until there are ten of them.
Instructions do not wander: by 0.5 % at most from run to run, by up to 2 % where other code has moved things in memory.
They are not the whole truth either: a system call and a cache miss cost more than their instructions say.

The cases are those of `micro.py`, each in one thread. One process runs all of them, each N and then 2 N times; what is
counted is (I(2N) - I(N)) / N, so that what a case does once is not in it. The marks are calls of getppid(), at which
callgrind starts a new count.

    python bench/instructions.py                        beside the stored figures (bench/instructions.json)
    python bench/instructions.py --check 5              the same; fails where a case has grown by more than 5 %
    python bench/instructions.py --against main         beside those of another commit, counted on this machine
    python bench/instructions.py --save                 store the figures for this Python

The stored figures are those of one build of each Python: compilers and their options make a difference of a fifth.
Where this Python is another build, they are shown and nothing is judged; `--against` always can.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.trees import ROOT, NoSuchTree, checkout

STORED = ROOT / "bench" / "instructions.json"
WARM_UP = 3
"""Rounds before the count, after which the interpreter has adapted its code."""
ROUNDS = 4
"""Rounds of the first count (N); enough that credits, due every 500 messages, are in both."""
LIMIT = 300.0
"""Seconds after which valgrind is given up."""
MARKS = 3
"""Calls of getppid() per case: before N rounds, before 2 N, and after them."""


class CannotCount(Exception):
    """No valgrind, or it did not give what was expected."""


def count(tree: Path, only: str) -> dict[str, float]:
    """Return the instructions per message of each case, of the libzmq_py in `tree`.

    Raises:
        CannotCount: with the reason.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CannotCount("valgrind is needed to count instructions, and is not installed (apt-get install valgrind)")
    with tempfile.TemporaryDirectory(prefix="bench-callgrind-") as folder:
        out, names = Path(folder, "out"), Path(folder, "names.json")
        command = [valgrind, "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={out}"]
        command += [sys.executable, "-B", __file__, "--workload", str(names), "--tree", str(tree), "--only", only]
        # A hash that differs from run to run changes how dicts and sets collide.
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        try:
            ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise CannotCount(f"valgrind was not done after {LIMIT:.0f} s") from None
        if ended.returncode:
            raise CannotCount(f"status {ended.returncode}: {ended.stderr.strip()[-1000:]}")
        return per_message(json.loads(names.read_text(encoding="utf-8")), counts(out))


def counts(out: Path) -> list[int]:
    """Read the totals of callgrind's files `out.1`, `out.2` ..., in that order."""
    files = sorted(out.parent.glob(f"{out.name}.*"), key=lambda path: int(path.suffix[1:]))
    totals = []
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        totals += [int(line.split()[1]) for line in text.splitlines() if line.startswith("totals:")]
    return totals


def per_message(names: Sequence[str], totals: Sequence[int]) -> dict[str, float]:
    """Take the counts apart: per case that of what came before, of N rounds and of 2 N rounds.

    Raises:
        CannotCount: there are more or fewer of them; something else has called getppid().
    """
    from bench.micro import BATCH

    if len(totals) != MARKS * len(names):
        raise CannotCount(f"{len(totals)} counts for {len(names)} cases")
    return {
        name: round((totals[MARKS * index + 2] - totals[MARKS * index + 1]) / (ROUNDS * BATCH), 1)
        for index, name in enumerate(names)
    }


def workload(tree: str, only: str, names: Path) -> None:
    """What runs under valgrind: every case whose name contains `only`, with the marks; then their names."""
    from bench import micro  # this checkout's, which puts itself first in the path and imports libzmq_py later

    sys.path.insert(0, tree)
    import libzmq_py

    if not Path(libzmq_py.__file__ or "").is_relative_to(tree):
        raise CannotCount(f"{libzmq_py.__file__} is not the one in {tree}")

    mark = os.getppid
    measured = []
    # Whether a collection falls between two marks is chance.
    gc.disable()
    for name, build in micro.CASES.items():
        if only not in name:
            continue
        # One stack per case: threads of the last one would ask for the interpreter lock now and then.
        with ExitStack() as stack, contextlib.suppress(ImportError, AttributeError):  # an earlier tree lacks some
            run = build(stack)
            repeat(run, WARM_UP)
            mark()
            repeat(run, ROUNDS)
            mark()
            repeat(run, 2 * ROUNDS)
            mark()
            measured.append(name)
    names.write_text(json.dumps(measured), encoding="utf-8")


def repeat(run: Any, rounds: int) -> None:
    for _ in range(rounds):
        run()


def version() -> str:
    """Return the Python version that figures are stored under."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def build_of_python() -> str:
    """Describe what instructions per message depend on, apart from the code."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    flags = [flag for flag in ("--enable-optimizations", "--with-lto", "--with-pydebug") if flag in options]
    return " ".join([platform.python_version(), platform.python_compiler(), platform.machine(), *flags])


def load(path: Path) -> dict[str, Any]:
    """Return the stored figures by Python version; none if there are none."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return stored


def growth(now: float, before: float) -> float:
    """Return the growth in percent."""
    return (now / before - 1) * 100


def show(figures: dict[str, float], base: dict[str, float], label: str) -> None:
    """Print a line per case."""
    print(f"{'case':<34}{'instructions':>14}{label:>24}{'growth':>10}")
    for name, now in figures.items():
        before = base.get(name)
        beside = f"{'–':>24}{'–':>10}" if not before else f"{before:>24,.0f}{growth(now, before):>+9.1f}%"
        print(f"{name:<34}{now:>14,.0f}{beside}")


def grown(figures: dict[str, float], base: dict[str, float], percent: float) -> list[str]:
    """Return the cases that have grown by more than `percent`."""
    return [name for name, now in figures.items() if base.get(name) and growth(now, base[name]) > percent]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="cases whose name contains WORD")
    parser.add_argument("--check", type=float, metavar="PERCENT", help="fail where a case has grown by more")
    parser.add_argument("--against", metavar="COMMIT", help="compare with that commit, not with what is stored")
    parser.add_argument("--save", action="store_true", help="store the figures for this Python")
    parser.add_argument("--stored", type=Path, default=STORED, metavar="FILE", help="where figures are stored")
    parser.add_argument("--tree", default=str(ROOT), help=argparse.SUPPRESS)
    parser.add_argument("--workload", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def base_of(args: argparse.Namespace) -> tuple[dict[str, float], str, bool]:
    """Return what to compare with, what to call it, and whether it may be judged by."""
    if args.against:
        with checkout(args.against) as tree:
            return count(tree, args.only), args.against[:20], True
    stored = load(args.stored).get(version())
    if stored is None:
        print(f"Nothing is stored for Python {version()} (--save stores it).")
        return {}, "stored", False
    same = stored["build"] == build_of_python()
    if not same:
        print(f"Stored figures are of another build: {stored['build']}\nThis one is {build_of_python()}: not judged.")
    return stored["instructions"], "stored", same


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if args.workload:
        workload(args.tree, args.only, args.workload)
        return 0
    try:
        figures = count(Path(args.tree), args.only)
        base, label, comparable = base_of(args)
    except (CannotCount, NoSuchTree) as error:
        print(error, file=sys.stderr)
        return 2
    show(figures, base, label)
    if args.save:
        stored = load(args.stored)
        stored[version()] = {"build": build_of_python(), "instructions": figures}
        args.stored.write_text(json.dumps(dict(sorted(stored.items())), indent=1) + "\n", encoding="utf-8")
    bad = grown(figures, base, args.check) if args.check is not None and comparable else []
    if bad:
        print(f"More than {args.check:g} % more instructions: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
