# SPDX-License-Identifier: MPL-2.0
"""What the tests of the public face share.

No libzmq twin: test support. With few exceptions (marked `departs`) each test also holds for pyzmq
(LIBZMQ_PY_TARGET=zmq).
"""

import itertools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.target import zmq
from tests.support.waiting import seconds

Sock = Any  # a zmq.Socket of the library under test
Context = Any
MakeSocket = Callable[..., Sock]
MakePair = Callable[..., tuple[Sock, Sock]]

ROOT = Path(__file__).parents[2]
TARGET = os.environ.get("LIBZMQ_PY_TARGET", "libzmq_py")

_names = itertools.count(1)


def inproc_name() -> str:
    """An inproc endpoint that nobody has used."""
    return f"inproc://api-{next(_names)}"


@contextmanager
def raises_errno(errno: int, *named: object) -> Iterator[None]:
    """Demand a ZMQError of this number; libzmq_py must also name the offending values in its text."""
    with pytest.raises(zmq.ZMQError) as caught:
        yield
    assert caught.value.errno == errno, f"wanted {zmq.strerror(errno)}, got {caught.value}"
    if TARGET == "libzmq_py":
        for value in named:
            assert str(value) in str(caught.value)


def run_script(script: str, *options: str, timeout: float = 15) -> "subprocess.CompletedProcess[str]":
    """Run a script in a fresh interpreter, with `zmq` being the library under test."""
    code = f"import importlib\nzmq = importlib.import_module({TARGET!r})\n{textwrap.dedent(script)}"
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        timeout=seconds(timeout),
        cwd=ROOT,
        check=False,
    )
