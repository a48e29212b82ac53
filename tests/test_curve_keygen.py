# SPDX-License-Identifier: MPL-2.0
"""python -m libzmq_py.curve_keygen."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.api.helpers import ROOT
from tests.conftest import TARGET
from tests.support.target import zmq


def keygen(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"{TARGET}.curve_keygen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False)


def test_a_pair() -> None:
    """Two keys that belong together, as text and as JSON."""
    lines = keygen().stdout.splitlines()
    assert lines[0] == "== CURVE PUBLIC KEY ==" and lines[3] == "== CURVE SECRET KEY =="
    assert zmq.curve_public(lines[4]) == lines[1].encode()
    keys = json.loads(keygen("--json").stdout)
    assert zmq.curve_public(keys["secret"]) == keys["public"].encode()


def test_the_public_key_of_a_secret_one() -> None:
    """--secret gives the pair that belongs to it."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    assert json.loads(keygen("--secret", secret, "--json").stdout) == {"public": public, "secret": secret}


@pytest.mark.departs
@pytest.mark.parametrize("secret", ["short", "~" * 40])
def test_no_key(secret: str) -> None:
    """Something that is no key ends with a line that does not repeat it, not with a traceback."""
    done = keygen("--secret", secret)
    assert done.returncode == 2 and "Traceback" not in done.stderr and secret not in done.stderr
