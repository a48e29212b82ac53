# SPDX-License-Identifier: MPL-2.0
"""The end of things: term, destroy, close, the end of the process, Ctrl-C, fork.

reference/internals.md 4 (ETERM, EINTR) and 9; design.md 3 (exit and fork). LINGER itself: tests/sockets/test_linger.py.
What has to do with the main thread, signals and the interpreter's exit runs in child processes.
"""

import gc
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sockets.helpers import (
    LIMIT,
    QUIET,
    Background,
    MakeSocket,
    Sock,
    bind,
    each_transport,
    link,
    raises_errno,
    receive,
    takes,
)
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, ms, wait_until

ROOT = Path(__file__).parent.parent


@pytest.fixture
def doomed() -> Iterator[Any]:
    """A context of its own for each test to terminate."""
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def quick(context: Any, kind: str, **options: int) -> Sock:
    """A socket of `context` that does not linger and waits for ever."""
    sock = context.socket(getattr(zmq, kind))
    for name, value in {"linger": 0, **options}.items():
        sock.setsockopt(getattr(zmq, name.upper()), value)
    return sock


# --- term and calls under way ----------------------------------------------------------------------------------------


def poller_of(*socks: Sock) -> Any:
    poller = zmq.Poller()
    for sock in socks:
        poller.register(sock, zmq.POLLIN)
    return poller


#: What waits, by name: socket types, and the call made with those sockets. None of them has a peer.
WAITING_CALLS: dict[str, tuple[list[str], Callable[..., Any]]] = {
    "recv": (["PULL"], lambda sock: sock.recv()),
    "recv_multipart": (["DEALER"], lambda sock: sock.recv_multipart()),
    "recv_into": (["PAIR"], lambda sock: sock.recv_into(bytearray(9))),
    "recv of a SUB": (["SUB"], lambda sock: sock.recv()),
    "recv of a ROUTER": (["ROUTER"], lambda sock: sock.recv()),
    "recv of a REP": (["REP"], lambda sock: sock.recv()),
    "send": (["PUSH"], lambda sock: sock.send(b"x")),
    "send_multipart": (["DEALER"], lambda sock: sock.send_multipart([b"x", b"y"])),
    "send of a REQ": (["REQ"], lambda sock: sock.send(b"x")),
    "Socket.poll": (["PULL"], lambda sock: sock.poll()),
    "Socket.poll for output": (["PUSH"], lambda sock: sock.poll(None, zmq.POLLOUT)),
    "Poller.poll": (["PULL", "SUB"], lambda *socks: poller_of(*socks).poll()),
    "select": (["PULL", "PUSH"], lambda pull, push: zmq.select([pull], [push], [])),
    "proxy": (["ROUTER", "DEALER"], lambda front, back: zmq.proxy(front, back)),
    "proxy_steerable": (
        ["ROUTER", "DEALER", "PAIR"],
        lambda front, back, control: zmq.proxy_steerable(front, back, None, control),
    ),
}


@pytest.mark.parametrize("call", WAITING_CALLS)
def test_term_wakes_every_waiting_call(doomed: Any, call: str) -> None:
    """A call that waits in another thread ends with ContextTerminated; term itself ends when the sockets are closed."""
    kinds, wait = WAITING_CALLS[call]
    socks = [quick(doomed, kind) for kind in kinds]
    waiting = Background(lambda: wait(*socks))
    assert waiting.blocks()
    terminating = Background(doomed.term)
    with pytest.raises(zmq.ContextTerminated) as caught:
        waiting.result()
    assert caught.value.errno == zmq.ETERM
    assert terminating.blocks()
    for sock in socks:
        sock.close()
    terminating.result()
    assert doomed.closed


@pytest.mark.parametrize("count", [10])
def test_term_wakes_many_threads(doomed: Any, count: int) -> None:
    """Each waiting thread gets its own ContextTerminated and can close its own socket."""

    def serve(sock: Sock) -> str:
        with sock:
            try:
                sock.recv()
            except zmq.ContextTerminated:
                return "woken"
        return "message"

    threads = [Background(lambda: serve(quick(doomed, "PULL"))) for _ in range(count)]
    assert all(thread.blocks(1) for thread in threads)
    with takes(0):
        doomed.term()
    assert [thread.result() for thread in threads] == ["woken"] * count


@each_transport
def test_term_wakes_a_reader_whose_peer_is_alive(doomed: Any, transport: str) -> None:
    """Connections do not matter: the wait ends all the same."""
    pull, push = quick(doomed, "PULL"), quick(doomed, "PUSH")
    link(pull, push, transport)
    push.send(b"x")
    assert pull.recv() == b"x"
    waiting = Background(pull.recv)
    assert waiting.blocks()
    terminating = Background(doomed.term)
    with pytest.raises(zmq.ContextTerminated):
        waiting.result()
    pull.close()
    push.close()
    terminating.result()


AFTER_TERM: dict[str, Callable[[Sock], Any]] = {
    "recv": lambda sock: sock.recv(),
    "recv without waiting": lambda sock: sock.recv(zmq.DONTWAIT),
    "send": lambda sock: sock.send(b"x"),
    "send without waiting": lambda sock: sock.send(b"x", zmq.DONTWAIT),
    "poll": lambda sock: sock.poll(0),
    "bind": lambda sock: sock.bind("inproc://too late"),
    "connect": lambda sock: sock.connect("tcp://127.0.0.1:9"),
    "unbind": lambda sock: sock.unbind("inproc://too late"),
    "setsockopt": lambda sock: sock.setsockopt(zmq.LINGER, 0),
    "getsockopt": lambda sock: sock.getsockopt(zmq.LINGER),
    "events": lambda sock: sock.getsockopt(zmq.EVENTS),
    "monitor": lambda sock: sock.monitor("inproc://monitor"),
}


@pytest.mark.parametrize("call", AFTER_TERM)
def test_after_term_began_only_close_works(doomed: Any, call: str) -> None:
    """Every other call fails with ContextTerminated, even a recv with messages queued."""
    sock, peer = quick(doomed, "PAIR"), quick(doomed, "PAIR")
    link(sock, peer)
    peer.send(b"queued")
    assert sock.poll(LIMIT)
    terminating = Background(doomed.term)
    # The news reaches a socket when it next looks; EVENTS looks.
    wait_until(lambda: is_told(sock), "the socket to be told")
    with raises_errno(zmq.ETERM):
        AFTER_TERM[call](sock)
    assert not sock.closed
    sock.close()
    peer.close()
    terminating.result()


def is_told(sock: Sock) -> bool:
    try:
        sock.getsockopt(zmq.EVENTS)
    except zmq.ContextTerminated:
        return True
    return False


def test_term_returns_at_once_without_sockets(doomed: Any) -> None:
    """Nothing to wait for."""
    with takes(0, LIMIT // 2):
        doomed.term()
    assert doomed.closed


def test_term_returns_when_the_last_socket_is_closed(doomed: Any) -> None:
    """Closing is all that the sockets have to do."""
    socks = [quick(doomed, "PUSH") for _ in range(3)]
    terminating = Background(doomed.term)
    for sock in socks:
        assert terminating.blocks(QUIET // 4)
        sock.close()
    terminating.result()


def test_term_returns_within_the_linger_time(doomed: Any) -> None:
    """With messages for nobody term takes LINGER milliseconds, no more."""
    push = quick(doomed, "PUSH", linger=ms(80))
    push.connect("tcp://127.0.0.1:9")
    push.send(b"x")
    push.close()
    with takes(ms(80), LIMIT // 2):
        doomed.term()


@each_transport
def test_contexts_end_independently(doomed: Any, socket: MakeSocket, transport: str) -> None:
    """Terminating one context leaves the sockets of another alone."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    link(pull, push, transport)
    quick(doomed, "PULL").close()
    doomed.term()
    push.send(b"x")
    assert pull.recv() == b"x"


def test_many_sockets_closed_at_once(doomed: Any) -> None:
    """A context with many connections, all of them in use, ends quickly."""
    pull = quick(doomed, "PULL")
    endpoint = bind(pull, "tcp")
    pushes = [quick(doomed, "PUSH") for _ in range(30)]
    for push in pushes:
        push.connect(endpoint)
        push.send(b"x")
    assert receive(pull, 30) == [b"x"] * 30
    with takes(0):
        doomed.destroy(linger=0)
    assert all(push.closed for push in pushes)


# --- shutdown --------------------------------------------------------------------------------------------------------


@pytest.mark.departs
def test_shutdown_wakes_and_returns(doomed: Any) -> None:
    """Context.shutdown is term without the wait (pyzmq has no such method)."""
    pull = quick(doomed, "PULL")
    waiting = Background(pull.recv)
    assert waiting.blocks()
    with takes(0, LIMIT // 2):
        doomed.shutdown()
    with pytest.raises(zmq.ContextTerminated):
        waiting.result()
    with pytest.raises(zmq.ContextTerminated):
        doomed.socket(zmq.PAIR)
    pull.close()
    doomed.term()


# --- destroy, with, the collector ------------------------------------------------------------------------------------


def test_destroy_closes_all_sockets(doomed: Any) -> None:
    """destroy closes what is open and terminates."""
    socks = [doomed.socket(kind) for kind in (zmq.PUSH, zmq.SUB, zmq.ROUTER)]
    doomed.destroy()
    assert all(sock.closed for sock in socks)
    assert doomed.closed


def test_leaving_the_with_block_closes_a_socket(doomed: Any) -> None:
    """`with ctx.socket(...) as sock` closes it, also when the block raised."""
    with doomed.socket(zmq.PAIR) as sock:
        assert not sock.closed
    assert sock.closed
    with pytest.raises(RuntimeError, match="boom"), doomed.socket(zmq.PAIR) as sock:
        raise RuntimeError("boom")
    assert sock.closed


def test_leaving_the_with_block_ends_a_context() -> None:
    """`with zmq.Context() as ctx` terminates it."""
    with zmq.Context() as context, context.socket(zmq.PAIR):
        pass
    assert context.closed


def test_leaving_the_with_block_closes_forgotten_sockets_with_a_warning() -> None:
    """Sockets still open are closed too, but a ResourceWarning tells of each."""
    with pytest.warns(ResourceWarning, match="PAIR"), zmq.Context() as context:
        sock = context.socket(zmq.PAIR)
    assert sock.closed
    assert context.closed


def test_a_forgotten_socket_is_closed_by_the_collector(doomed: Any) -> None:
    """With a ResourceWarning; it does not keep term waiting."""
    sock = doomed.socket(zmq.PAIR)
    with pytest.warns(ResourceWarning):
        del sock
        gc.collect()
    with takes(0):
        doomed.term()


def test_a_forgotten_context_is_ended_by_the_collector() -> None:
    """With a ResourceWarning for the context."""
    context = zmq.Context()
    context.socket(zmq.PAIR).close()
    with pytest.warns(ResourceWarning):
        del context
        gc.collect()


def test_the_shared_context_is_made_anew_after_its_end() -> None:
    """Context.instance() is the same object until it was terminated."""
    first = zmq.Context.instance()
    assert zmq.Context.instance() is first
    first.term()
    second = zmq.Context.instance()
    assert second is not first
    assert not second.closed
    second.term()


def test_a_closed_socket_cannot_be_used_by_another_thread(doomed: Any) -> None:
    """Closed is closed for everybody: ENOTSOCK."""
    sock = quick(doomed, "PAIR")
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        Background(sock.recv).result()


# --- child processes -------------------------------------------------------------------------------------------------


@contextmanager
def child(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python script in a process of its own, with the same library under test; killed at the end if need be."""
    prelude = "import os, signal, sys, threading, time\nfrom tests.support.target import zmq\n"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", prelude + script, *arguments],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ends_well(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end of the process, which must be a good one; its output."""
    output, errors = process.communicate(timeout=PATIENCE * 2)
    assert process.returncode == code, f"exit code {process.returncode}\n{output}\n{errors}"
    return output


def main_thread_sleeps(process: subprocess.Popen[str]) -> bool:
    """Whether the child's main thread is in a system call that waits."""
    stat = Path(f"/proc/{process.pid}/task/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"


#: More than queues and kernel buffers hold, so most of it is still in the process when the script ends.
FRAMES = [b"%d" % number + bytes(200_000) for number in range(100)]

OPEN = """
push = context.socket(zmq.PUSH)
push.connect(sys.argv[1])
"""
SEND = """
for number in range(100):
    push.send(b"%d" % number + bytes(200_000))
"""
IN_A_FUNCTION = """
def main():
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.connect(sys.argv[1])
    for number in range(100):
        push.send(b"%d" % number + bytes(200_000))
main()
"""
IN_A_THREAD = """
def work():
    for number in range(100):
        push.send(b"%d" % number + bytes(200_000))
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

#: How the script ends, and its exit code. Only the first is sure to deliver with pyzmq on libzmq, which does not
#: terminate contexts that are still referred to when the interpreter ends.
ENDINGS = [
    pytest.param(IN_A_FUNCTION, 0, id="locals of a function"),
    *(
        pytest.param(script, code, id=name, marks=pytest.mark.departs)
        for name, script, code in [
            ("global objects", "context = zmq.Context()" + OPEN + SEND, 0),
            ("a global socket", "push = zmq.Context().socket(zmq.PUSH)\npush.connect(sys.argv[1])" + SEND, 0),
            ("the shared context", "context = zmq.Context.instance()" + OPEN + SEND, 0),
            ("a closed socket", "context = zmq.Context.instance()" + OPEN + SEND + "push.close()", 0),
            ("sent by a thread", "context = zmq.Context.instance()" + OPEN + IN_A_THREAD, 0),
            ("sys.exit", "context = zmq.Context()" + OPEN + SEND + "sys.exit(5)", 5),
            ("an exception", "context = zmq.Context()" + OPEN + SEND + "raise RuntimeError('boom')", 1),
        ]
    ),
]


@pytest.mark.parametrize(("script", "code"), ENDINGS)
def test_a_script_that_sends_and_ends_delivers(socket: MakeSocket, script: str, code: int) -> None:
    """Without close or term, the process stays until everything sent before the end of the script was taken."""
    pull = socket(zmq.PULL, rcvhwm=1)
    with child(script, bind(pull, "tcp")) as process:
        assert pull.poll(LIMIT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2 * QUIET / 1000)
        for frame in FRAMES:
            assert pull.recv() == frame
        ends_well(process, code)


def test_a_script_with_linger_zero_does_not_wait() -> None:
    """LINGER = 0 ends the process at once although nobody took the message."""
    script = """
push = zmq.Context.instance().socket(zmq.PUSH)
push.linger = 0
push.connect("tcp://127.0.0.1:9")
push.send(b"x")
"""
    with child(script) as process:
        ends_well(process)


def test_a_script_that_only_receives_ends() -> None:
    """Open sockets that have nothing to send do not keep the process."""
    script = """
context = zmq.Context()
socks = [context.socket(kind) for kind in (zmq.PULL, zmq.SUB, zmq.REP, zmq.ROUTER, zmq.XPUB)]
for sock in socks:
    sock.bind("tcp://127.0.0.1:*")
"""
    with child(script) as process:
        ends_well(process)


# Calls that wait for ever in the main thread: socket types, and the call.
INTERRUPTED = {
    "recv": "context.socket(zmq.PULL).recv()",
    "recv_multipart": "context.socket(zmq.DEALER).recv_multipart()",
    "recv with a timeout": "sock = context.socket(zmq.PULL); sock.rcvtimeo = 100_000; sock.recv()",
    "send": "context.socket(zmq.PUSH).send(b'x')",
    "send_multipart": "context.socket(zmq.DEALER).send_multipart([b'x', b'y'])",
    "send with a timeout": "sock = context.socket(zmq.PUSH); sock.sndtimeo = 100_000; sock.send(b'x')",
    "Socket.poll": "context.socket(zmq.PULL).poll()",
    "Socket.poll with a timeout": "context.socket(zmq.PULL).poll(100_000)",
    "Poller.poll": "p = zmq.Poller(); p.register(context.socket(zmq.PULL)); p.register(0, zmq.POLLIN); p.poll()",
    "select": "zmq.select([context.socket(zmq.PULL)], [], [])",
    "proxy": "zmq.proxy(context.socket(zmq.ROUTER), context.socket(zmq.DEALER))",
    "proxy_steerable": "zmq.proxy_steerable(*(context.socket(zmq.PAIR) for _ in range(3)), context.socket(zmq.PAIR))",
    "term": "sock = context.socket(zmq.PUSH); context.term()",
    "term that lingers": (
        "sock = context.socket(zmq.PUSH); sock.connect('tcp://127.0.0.1:9'); sock.send(b'x'); sock.close(); "
        "context.term()"
    ),
}


@pytest.mark.parametrize("call", INTERRUPTED)
def test_ctrl_c_interrupts_every_waiting_call(call: str) -> None:
    """SIGINT raises KeyboardInterrupt in the call that waits, at once."""
    script = f"""
context = zmq.Context()
print("ready", flush=True)
try:
    {INTERRUPTED[call]}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(0)
os._exit(3)
"""
    with child(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wait_until(lambda: main_thread_sleeps(process), "the call to wait")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(QUIET / 1000)
        with takes(0, LIMIT // 2):
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
        ends_well(process)


def test_ctrl_c_ends_a_script_that_waits_in_recv() -> None:
    """Uncaught, the interrupt ends the process, sockets open or not."""
    script = """
pull = zmq.Context.instance().socket(zmq.PULL)
pull.bind("tcp://127.0.0.1:*")
print("ready", flush=True)
pull.recv()
"""
    with child(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wait_until(lambda: main_thread_sleeps(process), "the call to wait")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode in (1, -signal.SIGINT)
        assert "KeyboardInterrupt" in errors


def test_term_can_be_called_again_after_an_interrupt() -> None:
    """Ctrl-C breaks the wait of term; once the socket is closed a second term ends it properly."""
    script = """
context = zmq.Context()
sock = context.socket(zmq.PUSH)
print("ready", flush=True)
try:
    context.term()
except KeyboardInterrupt:
    pass
else:
    sys.exit(3)
sock.close()
context.term()
print("closed" if context.closed else "open", flush=True)
"""
    with child(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wait_until(lambda: main_thread_sleeps(process), "term to wait")
        process.send_signal(signal.SIGINT)
        assert ends_well(process) == "closed\n"


@pytest.mark.departs
def test_ctrl_c_ends_the_wait_at_the_end_of_a_script() -> None:
    """A script that lingers for ever for a peer that is not there is ended by Ctrl-C."""
    script = """
push = zmq.Context.instance().socket(zmq.PUSH)
push.connect("tcp://127.0.0.1:9")
push.send(b"x")
print("ready", flush=True)
"""
    with child(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2 * QUIET / 1000)
        wait_until(lambda: main_thread_sleeps(process), "the end to wait")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def test_a_signal_that_is_handled_does_not_end_a_wait(socket: MakeSocket) -> None:
    """A handler that returns is run while recv waits, and recv goes on waiting (PEP 475)."""
    push = socket(zmq.PUSH)
    script = """
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
pull = zmq.Context.instance().socket(zmq.PULL)
pull.connect(sys.argv[1])
print("ready", flush=True)
print(pull.recv().decode(), flush=True)
"""
    with child(script, bind(push, "tcp")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(3):
            wait_until(lambda: main_thread_sleeps(process), "recv to wait")
            process.send_signal(signal.SIGUSR1)
            assert process.stdout.readline() == "handled\n"
        push.send(b"message")
        assert ends_well(process) == "message\n"


@pytest.mark.parametrize(
    "call",
    [
        "sock.poll(200)",
        pytest.param("sock.recv()", marks=pytest.mark.departs),
        pytest.param("sock.send(b'x')", marks=pytest.mark.departs),
    ],
)
def test_handled_signals_do_not_prolong_a_timeout(call: str) -> None:
    """A timeout counts from the call, however many signals come meanwhile.

    pyzmq starts RCVTIMEO and SNDTIMEO anew after each signal.
    """
    script = f"""
signal.signal(signal.SIGUSR1, lambda *_: None)
sock = zmq.Context.instance().socket(zmq.PAIR)
sock.rcvtimeo = sock.sndtimeo = 200
stop = False
def shoot():
    while not stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        threading.Event().wait(0.02)
thread = threading.Thread(target=shoot)
thread.start()
start = time.monotonic()
try:
    {call}
except zmq.Again:
    pass
print(time.monotonic() - start, flush=True)
stop = True
thread.join()
"""
    with child(script) as process:
        assert 0.1 < float(ends_well(process)) < 2


# --- fork ------------------------------------------------------------------------------------------------------------


def test_a_forked_child_can_make_a_context_of_its_own(socket: MakeSocket) -> None:
    """Parent and child both go on sending, each with its own context."""
    pull = socket(zmq.PULL)
    script = """
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.connect(sys.argv[1])
push.send(b"parent before")
pid = os.fork()
if pid == 0:
    own = zmq.Context()
    sock = own.socket(zmq.PUSH)
    sock.connect(sys.argv[1])
    sock.send(b"child")
    sock.close()
    own.term()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
push.send(b"parent after")
"""
    with child(script, bind(pull, "tcp")) as process:
        received = sorted(receive(pull, 3))
        ends_well(process)
    assert received == [b"child", b"parent after", b"parent before"]


def test_an_inherited_socket_can_be_closed_without_harm(socket: MakeSocket) -> None:
    """close and term of inherited objects in a forked child do nothing to the parent's."""
    pull = socket(zmq.PULL)
    script = """
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.connect(sys.argv[1])
push.send(b"before")
pid = os.fork()
if pid == 0:
    push.close()
    context.term()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
push.send(b"after")
"""
    with child(script, bind(pull, "tcp")) as process:
        assert receive(pull, 2) == [b"before", b"after"]
        ends_well(process)


def test_the_shared_context_is_renewed_after_a_fork(socket: MakeSocket) -> None:
    """Context.instance() gives a forked child one of its own."""
    pull = socket(zmq.PULL)
    script = """
before = zmq.Context.instance()
pid = os.fork()
if pid == 0:
    context = zmq.Context.instance()
    assert context is not before
    push = context.socket(zmq.PUSH)
    push.connect(sys.argv[1])
    push.send(b"child")
    push.close()
    context.term()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert zmq.Context.instance() is before
"""
    with child(script, bind(pull, "tcp")) as process:
        assert pull.recv() == b"child"
        ends_well(process)


@pytest.mark.departs
@pytest.mark.parametrize(
    "use",
    ["push.send(b'x')", "push.poll(0)", "push.connect('tcp://127.0.0.1:9')", "context.socket(zmq.PUSH)"],
)
def test_using_what_was_inherited_is_a_clear_error(use: str) -> None:
    """A forked child that uses the parent's socket or context gets an exception that speaks of the fork.

    libzmq leaves this undefined: the I/O threads did not come along, so messages would wait for ever.
    """
    script = f"""
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.linger = 0
push.connect("tcp://127.0.0.1:9")
pid = os.fork()
if pid == 0:
    try:
        {use}
    except (zmq.ZMQError, RuntimeError) as error:
        print(error, flush=True)
        os._exit(0)
    os._exit(3)
assert os.waitpid(pid, 0)[1] == 0
"""
    with child(script) as process:
        assert "fork" in ends_well(process)
