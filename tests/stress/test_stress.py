# SPDX-License-Identifier: MPL-2.0
"""A few seconds of turmoil in the ordinary suite; `python -m tests.stress.stress` is the long form."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.interop.sides import ROOT
from tests.support.waiting import seconds

pytestmark = [pytest.mark.stress, pytest.mark.interop]

SEED = os.environ.get("LIBZMQ_PY_STRESS_SEED", "1")


@pytest.mark.timeout(120)
def test_nothing_hangs_raises_or_is_left_behind() -> None:
    """Threads, contexts, peers and processes come and go at random, in a process of its own so that it may hang."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.stress.stress", "--seconds", f"{seconds(5)}"]
        + ["--seed", SEED, "--threads", "6"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}"
    counts = {name: int(count) for name, count in re.findall(r"([a-z_ ]+) (\d+)(?:, |$)", done.stdout, re.MULTILINE)}
    # It did what it is for.
    for name in ("messages received", "connect", "terminate_own_context", "terminate_shared_context", "sleep", "breed"):
        assert counts[name] > 0, done.stdout
