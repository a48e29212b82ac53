# SPDX-License-Identifier: MPL-2.0
"""What the log says while term() waits."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libzmq_py import ctx as ctx_module
from tests.sockets.helpers import Background, bind, free_endpoint, inproc_name
from tests.support.raw_peer import RawPeers
from tests.support.target import zmq
from tests.support.waiting import wait_until

pytestmark = pytest.mark.departs
ROOT = Path(__file__).parent.parent.parent

Ending = Callable[[], str]


@pytest.fixture
def context() -> Iterator[Any]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def ending(context: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Ending]:
    """`text = ending()`: terminate the context in a thread; the first thing said of it. Its end is waited for."""
    monkeypatch.setattr(ctx_module, "_TERM_PATIENCE", 30)
    threads: list[Background] = []

    def end() -> str:
        with caplog.at_level(logging.WARNING, "libzmq_py"):
            threads.append(Background(context.term))
            wait_until(lambda: caplog.records, "a word on the log")
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("libzmq_py.ctx", logging.WARNING)
        return record.getMessage()

    yield end
    for thread in threads:
        thread.result()


def test_nobody_is_there(context: Any, ending: Ending, tmp_path: Path) -> None:
    """How many messages for which endpoint, how long, and what can be done."""
    endpoint = free_endpoint("tcp", tmp_path)
    push = context.socket(zmq.PUSH)
    push.linger = 300
    push.connect(endpoint)
    for _ in range(5):
        push.send(b"never arrives")
    push.close()
    text = ending()
    assert "PUSH socket" in text
    assert f"is closed (LINGER 300 ms) and holds 5 messages for {endpoint} (not connected)" in text
    assert "close(linger=0)" in text
    assert "destroy(linger=0)" in text
    assert "Ctrl-C" in text


def test_a_socket_is_open(context: Any, ending: Ending) -> None:
    """Which one; the end comes when it is closed."""
    pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    push.close()
    text = ending()
    assert "PULL socket" in text
    assert "is open" in text
    assert "PUSH" not in text
    pull.close()


def test_a_peer_does_not_read(context: Any, ending: Ending, raw: RawPeers) -> None:
    """It is connected; what the queue holds is counted, what the kernel holds is gone."""
    push = context.socket(zmq.PUSH)
    push.linger = 300
    push.sndbuf = 8192
    peer = raw.connect(bind(push, "tcp"))
    peer.handshake("PULL")
    for _ in range(100):
        push.send(bytes(100_000))
    push.close()
    text = ending()
    assert f"for {peer.name} (connected, and slow to read)" in text
    assert "is closed (LINGER 300 ms) and holds " in text


def test_two_sockets_and_two_peers(context: Any, ending: Ending, tmp_path: Path) -> None:
    """Each is named."""
    endpoints = [free_endpoint("tcp", tmp_path), free_endpoint("ipc", tmp_path), free_endpoint("tcp", tmp_path)]
    push, dealer = context.socket(zmq.PUSH), context.socket(zmq.DEALER)
    for sock, wanted in ((push, endpoints[:2]), (dealer, endpoints[2:])):
        sock.linger = 300
        for endpoint in wanted:
            sock.connect(endpoint)
        for _ in wanted:
            sock.send(b"x")  # to each in turn
        sock.close()
    text = ending()
    for endpoint in endpoints:
        assert f"1 message for {endpoint}" in text
    assert "PUSH socket" in text and "DEALER socket" in text


def test_an_inproc_peer_that_nobody_reads(context: Any, ending: Ending) -> None:
    """The one that is open keeps the context; nothing lingers over inproc."""
    name = inproc_name()
    pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    pull.bind(name)
    push.connect(name)
    push.send(b"x")
    push.close()
    text = ending()
    assert "PULL socket" in text
    pull.close()


def test_nothing_is_said_of_a_quick_end(
    context: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Within the second."""
    with caplog.at_level(logging.DEBUG, "libzmq_py.ctx"):
        sock = context.socket(zmq.PUSH)
        sock.linger = 0
        sock.connect("tcp://127.0.0.1:9")
        sock.send(b"x")
        sock.close()
        context.term()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_it_is_said_again_and_less_often(
    context: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After ten times as long."""
    monkeypatch.setattr(ctx_module, "_TERM_PATIENCE", 1)
    pull = context.socket(zmq.PULL)
    with caplog.at_level(logging.WARNING, "libzmq_py"):
        terminating = Background(context.term)
        wait_until(lambda: len(caplog.records) == 3)
        start = time.monotonic()
        pull.close()
        terminating.result()
        assert time.monotonic() - start < 0.8  # the fourth comes a second after the beginning
    assert len(caplog.records) == 3


def test_the_end_of_a_program_with_a_socket_in_use() -> None:
    """A thread still uses a socket, so the context cannot end; what others have to deliver is waited for, and said."""
    program = """
import os, signal, threading
import libzmq_py as zmq
ctx = zmq.Context()
sock = ctx.socket(zmq.PUSH)
sock.connect("tcp://127.0.0.1:9")
sock.send(b"x")
made = threading.Event()
def wait_for_ever():
    pull = ctx.socket(zmq.PULL)
    made.set()
    pull.recv()
threading.Thread(target=wait_for_ever, daemon=True).start()
made.wait()
timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
timer.daemon = True
timer.start()
"""
    done = subprocess.run([sys.executable, "-uc", program], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert "the end of the program has been waiting for 1 s" in done.stderr
    assert "1 message for tcp://127.0.0.1:9 (not connected)" in done.stderr
    assert "PULL socket" not in done.stderr


def test_a_program_that_says_nothing_of_logging() -> None:
    """Reads it on standard error; Ctrl-C ends the wait, as it says."""
    program = """
import os, signal, threading, time
import libzmq_py as zmq
ctx = zmq.Context()
sock = ctx.socket(zmq.PUSH)
sock.connect("tcp://127.0.0.1:9")
sock.send(b"x")
sock.close()
timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
timer.start()
try:
    ctx.term()
except KeyboardInterrupt:
    print("interrupted")
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-uc", program], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.stdout == "interrupted\n"
    assert "term() has been waiting for 1 s" in done.stderr
    assert "1 message for tcp://127.0.0.1:9" in done.stderr
