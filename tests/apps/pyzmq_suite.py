# SPDX-License-Identifier: MPL-2.0
"""pyzmq's own test suite under the backend, beside the same suite under stock pyzmq (``tox -e pyzmq-suite``).

The tests come from the source distribution of the pyzmq that is installed. They run twice in one interpreter's
environment: with pyzmq's compiled backend, and with ``PYZMQ_BACKEND=libzmq_py.pyzmq_backend``. The bar: nothing fails
under the backend that does not fail under stock pyzmq. The exit status is 1 if something does.

Tests that race with the library fail now and then under stock pyzmq too. Those in RACY run apart from the rest, several
times, and are reported as a count; of the others, one that fails only under the backend is run again by itself, and
counts as failed unless it then passes as often as under stock pyzmq.

No libzmq twin: test support.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

BACKEND = "libzmq_py.pyzmq_backend"

#: Test -> why its outcome is a matter of luck.
RACY = {
    "tests.test_log.TestPubLog::test_blank_root_topic": "publishes at once after subscribing over tcp",
}
RACY_RUNS = 5
#: A test that is stuck is given up after this many seconds; one that is run by itself, sooner.
TEST_TIMEOUT = 60
ALONE_TIMEOUT = 5
#: How often a test that failed only under the backend gets another chance, under either.
SECOND_CHANCES = 3

Outcomes = dict[str, str]  # test -> passed, skipped, failed, error


def fetch_tests(version: str, work: Path) -> Path:
    """Unpack the tests of pyzmq's source distribution; return the directory they are in."""
    suite = work / f"pyzmq-{version}-tests"
    if suite.exists():
        return suite
    archive = work / f"pyzmq-{version}.tar.gz"
    if not archive.exists():
        requirement = f"pyzmq=={version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pyzmq"]
        subprocess.run([*command, "--dest", str(work), requirement], check=True)
    unpacked = work / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    # Only what the tests need: beside the package's own source they would import that.
    source = unpacked / f"pyzmq-{version}"
    suite.mkdir()
    for name in ("tests", "mypy_tests", "examples", "mypy.ini", "pytest.ini"):
        if (source / name).exists():
            (source / name).rename(suite / name)
    shutil.rmtree(unpacked)
    return suite


def run(suite: Path, backend: str | None, tests: list[str], report: Path, options: list[str]) -> Outcomes:
    """Run tests (all that are not RACY if none are named) under a backend; None is pyzmq's own."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYZMQ_BACKEND", "PYTEST_ADDOPTS")}
    if backend is not None:
        environment["PYZMQ_BACKEND"] = backend
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT}"]
    command += [f"--junitxml={report}", *options, *(map(node, tests))]
    if not tests:
        command += [f"--deselect={node(test)}" for test in RACY]
    # Not beside this repository's conftest and package: pyzmq's tests are to see the installed ones.
    quiet = subprocess.DEVNULL if tests else None
    finished = subprocess.run(command, cwd=suite, env=environment, stdout=quiet, stderr=quiet, check=False)
    if report.exists():
        return outcomes(report)
    if tests:
        return dict.fromkeys(tests, "failed")
    sys.exit(f"pytest ended with status {finished.returncode} and no report")


def node(test: str) -> str:
    """pytest's name of a test that a report calls ``tests.test_x.TestX::test_y``."""
    names, _, function = test.partition("::")
    parts = names.split(".")
    return "::".join(["/".join(parts[:2]) + ".py", *parts[2:], function])


def outcomes(report: Path) -> Outcomes:
    """What became of each test, by a report of pytest's; an error in the teardown of a passed test is an error."""
    found: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcome = "passed"
        for child in case:
            outcome = {"failure": "failed", "error": "error", "skipped": "skipped"}.get(child.tag, outcome)
        if found.get(name, "passed") == "passed":
            found[name] = outcome
    return found


def summary(found: Outcomes) -> str:
    """Counts in words."""
    counts = Counter(found.values())
    return ", ".join(f"{counts[outcome]:4d} {outcome}" for outcome in ("passed", "skipped", "failed", "error"))


def bad(found: Outcomes, name: str) -> bool:
    """True if the test was run and did not pass."""
    return found.get(name) in ("failed", "error")


def compare(stock: Outcomes, ours: Outcomes) -> list[str]:
    """Tests that do worse under the backend: failed there only, not run there, or skipped there only."""
    worse = [name for name in ours if bad(ours, name) and not bad(stock, name)]
    worse += [name for name in stock if name not in ours]
    return worse + [name for name in ours if ours[name] == "skipped" and stock.get(name) == "passed"]


def passes(suite: Path, backend: str | None, name: str, times: int, work: Path, options: list[str]) -> int:
    """How often a test by itself passes."""
    report = work / "alone.xml"
    # By a thread, which ends the process: pyzmq's tests use the alarm signal themselves.
    options = [*options, f"--timeout={ALONE_TIMEOUT}", "--timeout-method=thread", "--no-summary"]
    options += ["-o", "addopts=--import-mode=importlib"]
    return sum(run(suite, backend, [name], report, options).get(name) == "passed" for _ in range(times))


def main() -> int:
    """Run both, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="directory for the download and the reports")
    parser.add_argument(
        "--only", choices=("stock", "ours"), help="run one of the two and compare with the last reports"
    )
    parser.add_argument("options", nargs="*", help="for pytest")
    arguments = parser.parse_args()
    work: Path = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    version = importlib.metadata.version("pyzmq")
    suite = fetch_tests(version, work)
    options = list(arguments.options)

    def whole(name: str, backend: str | None) -> Outcomes | None:
        report = work / f"{name}.xml"
        if arguments.only in (None, name):
            return run(suite, backend, [], report, options)
        return outcomes(report) if report.exists() else None

    stock, ours = whole("stock", None), whole("ours", BACKEND)
    if stock is None or ours is None:
        print(f"\npyzmq {version}, its own tests, {arguments.only} only: {summary(stock or ours or {})}")
        return 0
    print(f"\npyzmq {version}, its own tests\n  stock pyzmq   {summary(stock)}\n  libzmq_py     {summary(ours)}")
    for name, reason in RACY.items():
        counts = [passes(suite, backend, name, RACY_RUNS, work, options) for backend in (None, BACKEND)]
        print(f"  racy: {name} ({reason}): passes {counts[0]} times of {RACY_RUNS} (stock), {counts[1]} (libzmq_py)")
    lost = []
    for name in compare(stock, ours):
        counts = [passes(suite, backend, name, SECOND_CHANCES, work, options) for backend in (None, BACKEND)]
        verdict = "worse" if counts[1] < counts[0] else "not worse by itself"
        print(f"  {name}: {ours.get(name, 'not run')}, stock {stock.get(name, 'not run')};", end=" ")
        print(f"alone {counts[1]} of {SECOND_CHANCES}, stock {counts[0]}: {verdict}")
        if counts[1] < counts[0]:
            lost.append(name)
    for name in stock:
        if bad(stock, name):
            print(f"  stock pyzmq fails: {name} (libzmq_py: {ours.get(name)})")
    print("no test is worse under libzmq_py" if not lost else f"{len(lost)} tests are worse under libzmq_py")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
