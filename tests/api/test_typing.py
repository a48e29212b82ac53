# SPDX-License-Identifier: MPL-2.0
"""The hints of the public face, as mypy sees them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.helpers import ROOT
from tests.support.waiting import seconds

pytestmark = [pytest.mark.slow, pytest.mark.departs]


@pytest.mark.timeout(300)
def test_hints_are_as_promised(tmp_path: Path) -> None:
    """mypy agrees with every line of typing_cases.py, strictly. (pyzmq's contexts from instance() make Never.)"""
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--python-version=3.11"]
        + [f"--cache-dir={tmp_path}", "tests/api/typing_cases.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds(280),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
