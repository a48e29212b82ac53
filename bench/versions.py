# SPDX-License-Identifier: MPL-2.0
"""The bench on several Python versions, one after the other, and the pages made from that.

No libzmq twin: test support.

For each interpreter an environment is made in `.venv-bench-X.Y` (kept for the next time), the bench's packages are
installed into it, and `bench/run.py` runs in it. What follows `--` goes to `run.py`.

    python bench/versions.py python3.11 ~/.pyenv/versions/3.12.1/bin/python -- --runs 7
    python bench/versions.py --publish python3.11 python3.12 -- --runs 7      and makes the pages of docs/performance
    python bench/versions.py --script instructions.py python3.12 -- --save    another script of bench/
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import publish
from bench.trees import ROOT


def call(*command: str | Path) -> None:
    """Run a command and show its output; raise CalledProcessError where it fails."""
    print("+", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT)


def version_of(python: str) -> str:
    """Ask an interpreter for its version, as `3.12`."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def environment(python: str, version: str) -> Path:
    """Return the interpreter of the environment of a version, which is made if there is none."""
    folder = ROOT / f".venv-bench-{version}"
    if not (folder / "bin" / "python").exists():
        call(python, "-m", "venv", folder)
    call(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "-e", f"{ROOT}[bench]")
    return folder / "bin" / "python"


def parse_args(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Tell the own words from those behind `--`."""
    words = list(argv)
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="+", help="interpreters")
    parser.add_argument("--script", default="run.py", help="which script of bench/ to run")
    parser.add_argument("--publish", action="store_true", help="make the pages of docs/performance (run.py only)")
    return parser.parse_args(words[:split]), words[split + 1 :]


def main(argv: Sequence[str] | None = None) -> int:
    args, rest = parse_args(sys.argv[1:] if argv is None else argv)
    if args.publish and args.script != "run.py":
        print("--publish is for run.py", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-versions-") as folder:
        measured = []
        try:
            for python in args.python:
                version = version_of(python)
                command: list[str | Path] = [environment(python, version), ROOT / "bench" / args.script, *rest]
                if args.publish:
                    measured.append(f"{folder}/{version}.json")
                    command += ["--json", measured[-1]]
                call(*command)
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
        return publish.main(measured) if args.publish else 0


if __name__ == "__main__":
    sys.exit(main())
