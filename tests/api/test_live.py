# SPDX-License-Identifier: MPL-2.0
"""What becomes of contexts and sockets at interpreter exit and in forked children."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.api.helpers import ROOT, TARGET, MakeSocket, run_script
from tests.support.target import zmq
from tests.support.waiting import ms, seconds, wait_until

pytestmark = pytest.mark.departs

# -- exit: pyzmq does not wait for what is undelivered


@pytest.fixture
def endpoint(socket: MakeSocket) -> str:
    """An endpoint with nobody there, bound once to know that it is free."""
    sock = socket(zmq.PULL)
    port = sock.bind_to_random_port("tcp://127.0.0.1")
    sock.close()
    return f"tcp://127.0.0.1:{port}"


SEND_ALL = """
ctx = zmq.Context()
push = ctx.socket(zmq.PUSH)
push.sndhwm = 0
push.connect("{endpoint}")
for number in range(50):
    push.send(b"%d" % number * 100_000)
"""


def _receive(pull: object) -> list[int]:
    return [len(pull.recv()) for _ in range(50)]  # type: ignore[attr-defined]


SIZES = [len(b"%d" % number * 100_000) for number in range(50)]


def test_a_script_that_sends_and_ends_delivers(socket: MakeSocket) -> None:
    """Nothing is closed, nothing terminated, and all messages arrive."""
    pull = socket(zmq.PULL, rcvhwm=0, rcvtimeo=ms(10_000))
    endpoint = f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}"
    done = run_script(SEND_ALL.format(endpoint=endpoint))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _receive(pull) == SIZES


def test_a_script_waits_for_a_late_peer(socket: MakeSocket, endpoint: str) -> None:
    """It ends only once the messages are taken."""
    code = f"import {TARGET} as zmq\n{SEND_ALL.format(endpoint=endpoint)}"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as script:
        with pytest.raises(subprocess.TimeoutExpired):
            script.wait(seconds(1))
        pull = socket(zmq.PULL, rcvhwm=0)
        pull.bind(endpoint)
        assert _receive(pull) == SIZES
        assert script.wait(seconds(5)) == 0


def _interrupted(script: str, endpoint: str) -> "tuple[int, str]":
    code = f"import {TARGET} as zmq, time\n{SEND_ALL.format(endpoint=endpoint)}\nprint('sent', flush=True)\n{script}"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "sent\n"
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(seconds(0.5))
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=seconds(5))
        return child.returncode, errors


def test_ctrl_c_ends_the_wait(endpoint: str) -> None:
    """A script that waits at its end for a peer that never comes goes away in silence."""
    assert _interrupted("", endpoint) == (0, "")


def test_ctrl_c_in_the_script_leaves_no_wait(endpoint: str) -> None:
    """After a KeyboardInterrupt of the program itself nothing is waited for: one Ctrl-C is enough."""
    code, errors = _interrupted("time.sleep(60)", endpoint)
    assert code != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("made_in", ["thread", "main"])
def test_daemon_threads_that_wait_do_not_keep_a_script(socket: MakeSocket, made_in: str) -> None:
    """A daemon thread in recv is left alone, without a word; what the main thread sent is still delivered."""
    pull = socket(zmq.PULL, rcvhwm=0, rcvtimeo=ms(10_000))
    endpoint = f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}"
    script = SEND_ALL.format(endpoint=endpoint) + textwrap.dedent(
        f"""
        import threading
        def serve(sock=None):
            sock = sock or ctx.socket(zmq.PULL)
            sock.bind("inproc://x")
            ready.set()
            sock.recv()
        ready = threading.Event()
        args = () if {made_in!r} == "thread" else (ctx.socket(zmq.PULL),)
        threading.Thread(target=serve, args=args, daemon=True).start()
        ready.wait()
        """
    )
    done = run_script(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _receive(pull) == SIZES


def test_a_daemon_thread_that_polls_does_not_keep_a_script() -> None:
    """Nor does one that waits for several sockets."""
    done = run_script(
        """
        import threading, time
        ctx = zmq.Context()
        socks = [ctx.socket(zmq.PULL), ctx.socket(zmq.PULL)]
        def serve(poller):
            poller.poll()
        poller = zmq.Poller()
        for sock in socks:
            poller.register(sock, zmq.POLLIN)
        threading.Thread(target=serve, args=(poller,), daemon=True).start()
        time.sleep(0.1)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_instance_ends_with_the_script(socket: MakeSocket) -> None:
    """Context.instance() is no exception."""
    pull = socket(zmq.PULL)
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    done = run_script(
        f"""
        push = zmq.Context.instance().socket(zmq.PUSH)
        push.connect("tcp://127.0.0.1:{port}")
        push.send(b"last words")
        """,
        "-W",
        "error",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert pull.recv() == b"last words"


# -- fork

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


@needs_fork
def test_a_forked_child_is_told() -> None:
    """Inherited sockets and contexts refuse, naming the fork; closing is harmless, and a new context works."""
    done = run_script(
        """
        import os, sys, threading
        ctx = zmq.Context.instance()
        push, pull = ctx.socket(zmq.PUSH), ctx.socket(zmq.PULL)
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        push.connect(f"tcp://127.0.0.1:{port}")
        pull.rcvtimeo = 5000
        push.send(b"before")
        child = os.fork()
        if not child:
            refused = 0
            for call in (
                lambda: push.send(b"x"),
                lambda: push.send(b"x", copy=False),
                lambda: push.send_multipart([b"x"]),
                lambda: pull.recv(),
                lambda: pull.poll(0),
                lambda: pull.linger,
                lambda: zmq.zmq_poll([(pull, 1)], 0),
                lambda: zmq.Socket(ctx, zmq.PUSH),
                lambda: ctx.socket(zmq.PUSH),
            ):
                try:
                    call()
                except zmq.ZMQError as error:
                    refused += "is a fork" in str(error) and str(os.getppid()) in str(error)
            push.close()
            ctx.destroy()
            fresh = zmq.Context.instance()
            assert fresh is not ctx
            with fresh.socket(zmq.PUSH) as sock:
                sock.connect(f"tcp://127.0.0.1:{port}")
                sock.send(b"%d" % refused)
            sys.exit(0)
        print(pull.recv(), pull.recv())
        push.send(b"after")
        print(pull.recv(), os.waitpid(child, 0)[1])
        """,
        "-W",
        "error",
    )
    assert done.stdout == "b'before' b'9'\nb'after' 0\n"
    assert "fork() may lead to deadlocks" in done.stderr or done.stderr == ""


@needs_fork
def test_a_child_that_never_touches_zmq_ends_quietly() -> None:
    """A child that ends normally neither hangs nor warns."""
    done = run_script(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        ctx = zmq.Context()
        sock = ctx.socket(zmq.PUSH)
        sock.connect("tcp://127.0.0.1:9")
        sock.linger = 0
        sock.send(b"x")
        if not os.fork():
            sys.exit(0)
        print(os.wait()[1])
        """,
        "-W",
        "error::ResourceWarning",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


# -- registry


def test_what_has_ended_is_forgotten() -> None:
    """Neither contexts nor sockets that ended are kept."""
    from libzmq_py.api.live import CONTEXTS, SOCKETS

    before = set(CONTEXTS), set(SOCKETS)
    ctx = zmq.Context()
    socks = [ctx.socket(zmq.PUSH) for _ in range(3)]
    assert len(SOCKETS) == len(before[1]) + 3
    ctx.destroy()
    assert socks[0].closed
    wait_until(lambda: (set(CONTEXTS), set(SOCKETS)) == before)


def test_a_context_may_be_collected_by_an_io_thread() -> None:
    """Garbage that the collector finds in a library thread is ended without making that thread wait."""
    done = run_script(
        """
        import gc, threading, time, warnings
        from libzmq_py.api.live import CONTEXTS
        from libzmq_py.io_threads.io_thread import IOThread
        warnings.simplefilter("ignore")

        def forget():
            ctx = zmq.Context()
            sock = ctx.socket(zmq.PULL)
            sock.loop = sock  # only the collector finds it

        zmq.Socket.loop = None
        gc.disable()
        forget()
        process = IOThread.in_event
        def in_event(self):
            gc.collect()
            process(self)
        IOThread.in_event = in_event
        with zmq.Context() as ctx, ctx.socket(zmq.PUSH) as sock:
            sock.connect("tcp://127.0.0.1:9")
            sock.linger = 0
            for _ in range(500):
                if len(CONTEXTS) == 1:
                    break
                time.sleep(0.01)
            print(len(CONTEXTS))
        """
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
