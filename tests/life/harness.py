# SPDX-License-Identifier: MPL-2.0
"""Run a script in a process of its own, on libzmq_py or on stock pyzmq.

Each script asserts what it claims and prints ``fine`` at its end. No libzmq twin: test support.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.support.waiting import seconds

ROOT = Path(__file__).parents[2]
OURS = "libzmq_py"
STOCK = "zmq"
# In the environment of a script and all that comes of it.
_MARK = "LIBZMQ_PY_LIFE"

#: What every script begins with.
PRELUDE = """
import gc, importlib, os, signal, sys, threading, time, warnings
zmq = importlib.import_module(sys.argv[1])

def tcp_pair(ctx, one, other):
    a, b = ctx.socket(one), ctx.socket(other)
    port = a.bind_to_random_port("tcp://127.0.0.1")
    b.connect(f"tcp://127.0.0.1:{port}")
    return a, b

def inproc_pair(ctx, one, other, name="inproc://pair"):
    a, b = ctx.socket(one), ctx.socket(other)
    a.bind(name)
    b.connect(name)
    return a, b

def ends(call, limit=5):
    '''Whether a call in another thread ends.'''
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(limit)
    return not thread.is_alive()

def in_child(call):
    '''Exit status of a forked child that calls this.'''
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
    if not child:
        try:
            call()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


class Hang(Exception):
    """The script did not end in time."""


def run(
    library: str, script: str, *options: str, arguments: Sequence[str] = (), timeout: float = 20
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, `options` being the interpreter's.

    Raises:
        Hang: It was killed after `timeout` seconds.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYZMQ_BACKEND", "PYTHONOPTIMIZE")}
    environment["PYTHONPATH"] = str(ROOT)
    environment[_MARK] = mark = uuid.uuid4().hex
    try:
        return subprocess.run(
            [sys.executable, *options, "-c", PRELUDE + textwrap.dedent(script), library, *arguments],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds(timeout),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Hang(f"{error.stdout!r} {error.stderr!r}") from error
    finally:
        _end_all(mark)


def _end_all(mark: str) -> None:
    """End what the script has left: children and daemons of stock pyzmq may go round in circles for ever."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(_MARK) == mark:
                process.kill()


def is_fine(done: subprocess.CompletedProcess[str], *warned: str) -> None:
    """Demand a good end, and nothing on standard error but what contains one of `warned`."""
    said = [line for line in done.stderr.splitlines() if not any(text in line for text in warned)]
    assert (done.returncode, done.stdout, said) == (0, "fine\n", []), done.stdout + done.stderr
