# SPDX-License-Identifier: MPL-2.0
"""`python -m fuzz`: run targets, and what was found before; see README.md here."""

from __future__ import annotations

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from fuzz import reached as keeper
from fuzz.targets import NAMES, ROOT, inputs, load, reached

CORPUS = ROOT / "corpus"
# Limits of every input: seconds, and MiB of the whole process, which grows when anything is kept from one to the next.
_TIMEOUT = 10
_RSS_LIMIT = 1024
_STATUS = re.compile(rb"cov: (\d+) ft: (\d+) corp: (\d+)")
_DONE = re.compile(rb"^Done (\d+) in (\d+) second", re.M)
_EXECUTED = re.compile(rb"stat::number_of_executed_units: (\d+)")
_PEAK = re.compile(rb"stat::peak_rss_mb: +(\d+)")


class Outcome(NamedTuple):
    """What came of fuzzing one target."""

    name: str
    executions: int
    seconds: float
    edges: int
    corpus: int
    peak_mb: int
    status: int
    artifacts: list[pathlib.Path]
    output: bytes

    def __str__(self) -> str:
        found = "" if self.status == 0 else f", FOUND {', '.join(map(str, self.artifacts)) or 'see above'}"
        return (
            f"{self.name}: {self.executions} executions in {self.seconds:.0f} s, {self.edges} edges, "
            f"corpus of {self.corpus}, {self.peak_mb} MiB{found}"
        )


def fuzz(name: str, runs: int, seconds: int, corpus: pathlib.Path, keep: bool = True) -> Outcome:
    """Fuzz one target in a process of its own, until `runs` or `seconds` are over (0: no such limit)."""
    target = load(name)
    with tempfile.TemporaryDirectory() as work:
        words = pathlib.Path(work, "words")
        words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.TOKENS))
        own = corpus / name if keep else pathlib.Path(work, "corpus")
        own.mkdir(parents=True, exist_ok=True)
        found = corpus / "found" / name if keep else pathlib.Path(work, "found")
        found.mkdir(parents=True, exist_ok=True)
        before = set(found.iterdir())
        start = pathlib.Path(work, "reached")
        start.mkdir()
        for number, data in enumerate(reached(name)):
            (start / str(number)).write_bytes(data)
        options = [
            f"-dict={words}" if target.TOKENS else "-verbosity=1",
            f"-max_len={target.MAX_LEN}",
            f"-timeout={_TIMEOUT}",
            f"-rss_limit_mb={_RSS_LIMIT}",
            f"-artifact_prefix={found}/",
            "-print_final_stats=1",
            f"-max_total_time={seconds}",
            # Its own option, as libFuzzer's -runs leaves the process before the statistics are printed.
            *([f"-atheris_runs={runs}"] if runs else []),
            str(own),
            str(start),
            *(str(folder) for kind in ("seeds", "saved") if (folder := ROOT / kind / name).is_dir()),
        ]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "fuzz.child", name, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT.parent,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=False,
        )
        spent = time.monotonic() - started
        artifacts = sorted(set(found.iterdir()) - before)
        if artifacts and not keep:
            artifacts = [pathlib.Path(shutil.copy(path, tempfile.gettempdir())) for path in artifacts]
    return _read_output(name, done.stdout, done.returncode, spent, artifacts)


def _read_output(
    name: str, output: bytes, status: int, spent: float, artifacts: list[pathlib.Path]
) -> Outcome:
    def last(pattern: re.Pattern[bytes], group: int = 1) -> int:
        found = list(pattern.finditer(output))
        return int(found[-1][group]) if found else 0

    executions = last(_EXECUTED) or last(_DONE) or _last_count(output)
    outcome = Outcome(
        name, executions, spent, last(_STATUS, 1), last(_STATUS, 3), last(_PEAK), status, artifacts, output
    )
    if status:
        sys.stdout.write(output[-6000:].decode("utf-8", "replace"))
    elif not executions:
        raise RuntimeError(f"{name}: nothing was executed\n{output[-3000:].decode('utf-8', 'replace')}")
    return outcome


def _last_count(output: bytes) -> int:
    found = re.findall(rb"^#(\d+)\t", output, re.M)
    return int(found[-1]) if found else 0


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


def replay(names: list[str], paths: list[pathlib.Path], corpus: pathlib.Path | None = None) -> int:
    """Run kept inputs and a corpus, or these files of one target, without atheris; how many there were."""
    count = 0
    for name in names:
        check = load(name).check
        gathered = sorted((corpus / name).glob("*")) if corpus is not None else []
        for path in paths or [*inputs(name, "seeds", "saved"), *gathered]:
            try:
                check(path.read_bytes())
            except Exception:
                print(f"{name}: {path}", file=sys.stderr)
                raise
            count += 1
        for data in reached(name) if not paths else []:
            try:
                check(data)
            except Exception:
                print(f"{name}: {data.hex()} of reached/{name}", file=sys.stderr)
                raise
            count += 1
    return count


def write_seeds(names: list[str]) -> None:
    """Write the seeds that the targets define, one file each."""
    for name in names:
        folder = ROOT / "seeds" / name
        folder.mkdir(parents=True, exist_ok=True)
        for title, data in load(name).SEEDS.items():
            (folder / title).write_bytes(data)


def save(name: str, path: pathlib.Path) -> pathlib.Path:
    """Keep an input that has found something; named by its content unless it has a name."""
    data = path.read_bytes()
    folder = ROOT / "saved" / name
    folder.mkdir(parents=True, exist_ok=True)
    nameless = path.name.startswith(("crash-", "timeout-", "oom-"))
    title = hashlib.sha256(data).hexdigest()[:12] if nameless else path.name
    (folder / title).write_bytes(data)
    return folder / title


def _run_all(names: list[str], runs: int, seconds: int, options: argparse.Namespace) -> int:
    outcomes = []
    for name in names:
        outcome = fuzz(name, runs, seconds, options.corpus, options.command != "smoke")
        print(outcome, flush=True)
        if options.log is not None:
            with options.log.open("a", encoding="utf-8") as log:
                now = time.strftime("%Y-%m-%d %H:%M")
                log.write(f"{now}\t{name}\t{outcome.executions}\t{outcome.seconds:.0f}\t{outcome.edges}\t")
                log.write(f"{outcome.corpus}\t{outcome.peak_mb}\t{outcome.status}\n")
        outcomes.append(outcome)
    total = sum(outcome.executions for outcome in outcomes)
    print(f"{total} executions of {len(outcomes)} targets in {sum(one.seconds for one in outcomes):.0f} s")
    return 1 if any(outcome.status for outcome in outcomes) else 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz the parsers of libzmq_py.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the targets, and what each says must hold")
    one = commands.add_parser("run", help="fuzz some targets one after another")
    one.add_argument("targets", nargs="+", choices=NAMES, metavar="TARGET")
    every = commands.add_parser("all", help="fuzz every target")
    smoke = commands.add_parser("smoke", help="replay, then fuzz every target for its share of the time; keep nothing")
    again = commands.add_parser("replay", help="kept inputs, or some files of one target, without atheris")
    again.add_argument("target", nargs="?", choices=NAMES, metavar="TARGET")
    again.add_argument("files", nargs="*", type=pathlib.Path)
    again.add_argument("--corpus", type=pathlib.Path, help="inputs gathered by earlier runs, too")
    commands.add_parser("seeds", help="write the seeds the targets define into fuzz/seeds")
    gather = commands.add_parser("keep", help="add what a corpus reaches to fuzz/reached")
    gather.add_argument("targets", nargs="*", choices=[*NAMES, []], metavar="TARGET")
    gather.add_argument("--corpus", type=pathlib.Path, default=CORPUS, help="inputs gathered by earlier runs")
    keep = commands.add_parser("save", help="keep an input that has found something in fuzz/saved")
    keep.add_argument("target", choices=NAMES, metavar="TARGET")
    keep.add_argument("file", type=pathlib.Path)
    for command, default in ((one, 60), (every, 60), (smoke, 120)):
        command.add_argument("--seconds", type=int, default=default, help="per target; of smoke, in all")
        command.add_argument("--runs", type=int, default=0, help="per target; 0 is no limit")
        command.add_argument("--corpus", type=pathlib.Path, default=CORPUS, help="where inputs are gathered")
        command.add_argument("--log", type=pathlib.Path, help="a file to append a line per target to")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says; 1 if something was found."""
    options = _arguments(argv)
    names = list(NAMES)
    if options.command == "list":
        for name in names:
            print(f"{name}\n    " + (load(name).__doc__ or "").strip().replace("\n", "\n    "))
    elif options.command == "seeds":
        write_seeds(names)
    elif options.command == "keep":
        for name in options.targets or names:
            print(f"{name}: {keeper.write(name, options.corpus)} inputs", flush=True)
    elif options.command == "save":
        print(save(options.target, options.file))
    elif options.command == "replay":
        count = replay([options.target] if options.target else names, options.files, options.corpus)
        print(f"{count} inputs")
    elif options.command == "smoke":
        started = time.monotonic()
        print(f"{replay(names, [])} inputs in {time.monotonic() - started:.0f} s", flush=True)
        left = options.seconds - (time.monotonic() - started)
        # A process takes about a second to start.
        return _run_all(names, options.runs, max(1, int(left / len(names) - 1)), options)
    else:
        return _run_all(options.targets if options.command == "run" else names, options.runs, options.seconds, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
