# SPDX-License-Identifier: MPL-2.0
"""Out of file descriptors in any call: ZMQError, and the same call works when there are some again.

libzmq aborts the process in many of these places (the resolver, mailboxes of threads, interface names). Each case runs
in a process of its own, with no descriptor left, then one, two, three ..., so that each place where one is taken fails
in turn. tests/test_bad_peers.py has accepting and connecting, which nobody calls.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.target import zmq
from tests.test_bad_peers import Scarcity

pytestmark = pytest.mark.departs
ROOT = Path(__file__).parent.parent

Step = Callable[[Any], Any]
_NUMBERS = itertools.count()


def bind(endpoint: str, **options: Any) -> Step:
    """Bind a socket to an endpoint; gives back what undoes that."""

    def act(sock: Any) -> None:
        for name, value in options.items():
            sock.setsockopt(getattr(zmq, name), value)
        # The listener is closed by another thread: the next one needs a name of its own.
        sock.bind(endpoint.format(f"{os.getpid()}-{next(_NUMBERS)}"))
        sock.unbind(sock.getsockopt(zmq.LAST_ENDPOINT))

    return act


def connect(endpoint: str, **options: Any) -> Step:
    """Connect a socket to an endpoint, and disconnect it."""

    def act(sock: Any) -> None:
        for name, value in options.items():
            sock.setsockopt(getattr(zmq, name), value)
        sock.connect(endpoint)
        sock.disconnect(endpoint)

    return act


def make_socket(kind: str) -> Step:
    """Make and close a socket in the context of another."""
    return lambda sock: sock.context.socket(getattr(zmq, kind)).close(0)


def make_context(sock: Any) -> None:
    """A context with a socket that does something, and its end."""
    with zmq.Context() as context, context.socket(zmq.PULL) as other:
        other.bind("tcp://127.0.0.1:*")


def make_context_for_many(sock: Any) -> None:
    """Threads that take descriptors each."""
    context = zmq.Context(io_threads=4)
    try:
        context.socket(zmq.PULL).close(0)
    finally:
        context.term()


def monitor(sock: Any) -> None:
    """The monitor is a socket of its own, and reading it another."""
    try:
        reader = sock.get_monitor_socket()
    finally:
        sock.disable_monitor()
    reader.close(0)


def talk(sock: Any) -> None:
    """Messages over what is there need no descriptor."""
    with sock.context.socket(zmq.PAIR) as one, sock.context.socket(zmq.PAIR) as other:
        endpoint = f"inproc://talk-{next(_NUMBERS)}"
        one.bind(endpoint)
        other.connect(endpoint)
        one.send_multipart([b"a", b"b"])
        assert other.recv_multipart() == [b"a", b"b"]


def poll(sock: Any) -> None:
    """Poll and select, on sockets and descriptors."""
    poller = zmq.Poller()
    poller.register(sock, zmq.POLLIN)
    poller.register(0, zmq.POLLIN)
    poller.poll(0)
    sock.poll(1)
    zmq.select([sock], [sock], [], 0)


def options(sock: Any) -> None:
    """Options that need modules, files or descriptors."""
    for name, value in {
        "TCP_ACCEPT_FILTER": b"127.0.0.1%lo/8",
        "METADATA": b"X-a:b",
        "CURVE_SERVERKEY": b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    }.items():
        sock.setsockopt(getattr(zmq, name), value)
    for option in (zmq.FD, zmq.EVENTS, zmq.LAST_ENDPOINT):
        sock.getsockopt(option)


CASES: dict[str, Step] = {
    **{f"socket {kind}": make_socket(kind) for kind in ("PAIR", "REQ", "ROUTER", "XPUB", "STREAM")},
    "context": make_context,
    "context with threads": make_context_for_many,
    "bind tcp": bind("tcp://127.0.0.1:*"),
    "bind tcp any": bind("tcp://*:*"),
    "bind tcp IPv6": bind("tcp://[::1]:*", IPV6=1),
    "bind tcp interface": bind("tcp://lo:*"),
    "bind tcp interface IPv6": bind("tcp://lo:*", IPV6=1),
    "bind tcp name": bind("tcp://localhost:*"),
    "bind ipc": bind("ipc://exhausted-{}"),
    "bind ipc any": bind("ipc://*"),
    "bind ipc abstract": bind("ipc://@libzmq_py-exhausted-{}"),
    "bind inproc": bind("inproc://exhausted-{}"),
    "connect tcp": connect("tcp://127.0.0.1:9"),
    "connect tcp name": connect("tcp://localhost:9"),
    "connect tcp source": connect("tcp://lo:0;localhost:9"),
    "connect tcp proxy": connect("tcp://localhost:9", SOCKS_PROXY=b"localhost:9"),
    "connect ipc": connect("ipc://nobody"),
    "connect inproc": connect("inproc://nobody"),
    "monitor": monitor,
    "talk": talk,
    "poll": poll,
    "options": options,
}


def run(name: str, first: int | None = None) -> None:
    """The case, in this process; `first`: the first call of its kind finds so many descriptors left."""
    os.chdir(tempfile.mkdtemp())
    logging.basicConfig(level=logging.WARNING)
    failures = []
    threading.excepthook = failures.append
    act = CASES[name]
    context = zmq.Context()
    sock = context.socket(zmq.PUSH)
    sock.linger = 0
    if first is None:
        act(sock)  # once with enough, so that what is imported late is there
    scarcity = Scarcity()
    refused = 0
    for leave in range(12) if first is None else (first,):
        scarcity.take(leave)
        try:
            act(sock)
        except zmq.ZMQError as error:
            assert error.errno == errno.EMFILE, f"{leave} left: {error!r}"
            refused += 1
        finally:
            scarcity.give_back()
        act(sock)
    sock.close()
    context.term()
    assert not failures, failures
    print(f"refused {refused} times")




#: Cases that can do without a descriptor of their own: nothing is ever refused.
CONTENT = {"bind inproc", "connect tcp", "connect ipc", "connect inproc", "poll", "connect tcp name"}
CONTENT |= {"connect tcp source", "connect tcp proxy"}


def in_a_process(*arguments: Any) -> int:
    """Run a case in a fresh process; how often it was refused."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-X", "faulthandler", "-c"]
        + [f"from tests.test_exhaustion import run; run(*{arguments!r})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return int(done.stdout.split()[1])


@pytest.mark.parametrize("name", CASES)
def test_calls_without_descriptors(name: str) -> None:
    """EMFILE or success, nothing on the log, and afterwards all is well."""
    assert bool(in_a_process(name)) is (name not in CONTENT)


@pytest.mark.parametrize("left", [0, 1, 3])
@pytest.mark.parametrize(
    "name", ["socket STREAM", "context", "bind tcp", "bind ipc any", "connect tcp", "options", "talk"]
)
def test_first_calls_without_descriptors(name: str, left: int) -> None:
    """The first of their kind import what they need, which takes descriptors, too."""
    assert in_a_process(name, left) <= 1
