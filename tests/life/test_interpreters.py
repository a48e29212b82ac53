# SPDX-License-Identifier: MPL-2.0
"""Interpreters run in other ways: options, tracers, debuggers, other processes; signals and descriptors."""

from __future__ import annotations

import sys
import textwrap

import pytest

from tests.life.harness import OURS, is_fine, run

pytestmark = [pytest.mark.departs]

WORKOUT = "from tests.life.workout import main\nmain(zmq, ['tcp', 'ipc', 'inproc'])\n"

#: Options of the interpreter.
OPTIONS: dict[str, list[str]] = {
    "without assert": ["-O"],
    "without docstrings": ["-OO"],
    "warnings are errors": ["-W", "error"],
    "developer mode": ["-X", "dev", "-W", "error"],
    "tracemalloc": ["-X", "tracemalloc=5"],
    "fault handler": ["-X", "faulthandler"],
    "isolated from bytecode": ["-B"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_the_interpreter(name: str) -> None:
    """Nothing rests on assert or docstrings, nothing warns."""
    is_fine(run(OURS, WORKOUT, *OPTIONS[name]))


TRACERS: dict[str, str] = {
    "profiler": """
        import cProfile, io, pstats
        profile = cProfile.Profile()
        profile.runcall(main, zmq, ["tcp", "inproc"])
        """,
    "tracer in every thread": """
        lines = [0]
        def trace(frame, event, argument):
            lines[0] += 1
            return trace
        threading.settrace(trace)
        sys.settrace(trace)
        main(zmq, ["tcp", "inproc"])
        sys.settrace(None)
        assert lines[0] > 10_000
        """,
    "profile function in every thread": """
        threads = set()
        def profile(frame, event, argument):
            threads.add(threading.get_ident())
        threading.setprofile(profile)
        sys.setprofile(profile)
        main(zmq, ["tcp", "inproc"])
        sys.setprofile(None)
        assert len(threads) > 2, "not in the I/O threads"
        """,
    "debugger": """
        import io, pdb
        said = io.StringIO()
        pdb.Pdb(stdin=io.StringIO("continue\\n"), stdout=said, nosigint=True).runcall(main, zmq, ["tcp", "inproc"])
        """,
    "collector at every allocation": """
        gc.set_threshold(1)
        main(zmq, ["inproc"])
        """,
}


@pytest.mark.parametrize("name", TRACERS)
def test_what_looks_on(name: str) -> None:
    """Tracers and debuggers see the library's threads, and nothing comes to grief."""
    is_fine(run(OURS, "from tests.life.workout import main\n" + textwrap.dedent(TRACERS[name])))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str) -> None:
    """Workers, however they are started, have contexts of their own and talk to the parent."""
    script = f"""
    import multiprocessing
    from tests.life.worker import work
    warnings.simplefilter("ignore", DeprecationWarning)
    ctx = zmq.Context.instance()
    pull = ctx.socket(zmq.PULL)
    pull.rcvtimeo = 10_000
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    push, own = inproc_pair(ctx, zmq.PUSH, zmq.PULL)
    processes = multiprocessing.get_context({method!r})
    workers = [processes.Process(target=work, args=(port, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    assert sorted(pull.recv() for _ in range(3)) == [b"0", b"1", b"2"]
    for worker in workers:
        worker.join(10)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    push.send(b"alive")
    assert own.recv() == b"alive"
    print("fine")
    """
    is_fine(run(OURS, script))


def test_a_fork_while_other_threads_are_busy() -> None:
    """Whatever locks the I/O threads and users hold at that moment: the child can do everything, logging included."""
    script = """
    import logging
    logging.basicConfig(level=logging.ERROR)
    ctx = zmq.Context(io_threads=2)
    pull, push = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
    stop = threading.Event()
    def send():
        while not stop.is_set():
            try:
                push.send_multipart([b"x", b"y"], zmq.DONTWAIT)
            except zmq.Again:
                pass
            with zmq.Context() as other:
                other.socket(zmq.PAIR).close()
    def receive():
        while not stop.is_set():
            if pull.poll(10):
                pull.recv_multipart()
    threads = [threading.Thread(target=each) for each in (send, receive)]
    for thread in threads:
        thread.start()
    def child():
        logging.getLogger("libzmq_py").error("from the child")
        with zmq.Context.instance() as own:
            a, b = tcp_pair(own, zmq.REP, zmq.REQ)
            b.rcvtimeo = a.rcvtimeo = 10_000
            b.send(b"question")
            a.send(a.recv())
            assert b.recv() == b"question"
            a.close()
            b.close()
    for _ in range(20):
        assert in_child(child) == 0
    stop.set()
    for thread in threads:
        thread.join()
    ctx.destroy(linger=0)
    print("fine")
    """
    is_fine(run(OURS, script, timeout=40), "from the child")


def test_no_descriptor_survives_exec() -> None:
    """Programs started with close_fds=False inherit nothing."""
    script = """
    import subprocess
    ctx = zmq.Context()
    pull, push = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
    ipc, other = ctx.socket(zmq.REP), ctx.socket(zmq.REQ)
    ipc.bind("ipc://*")
    other.connect(ipc.last_endpoint)
    other.send(b"x")
    ipc.recv()
    push.send(b"x")
    pull.recv()
    pull.poll(1)
    monitor = pull.get_monitor_socket()
    code = "import os; print(len(os.listdir('/proc/self/fd')))"
    done = subprocess.run([sys.executable, "-c", code], close_fds=False, capture_output=True, text=True, check=True)
    assert done.stdout == "4\\n", done.stdout  # three, and the one listdir uses
    ctx.destroy(linger=0)
    print("fine")
    """
    is_fine(run(OURS, script, "-W", "ignore"))


#: What a handler does with the socket that waits; what the wait then does.
HANDLERS: dict[str, tuple[str, str]] = {
    "raises": ("raise KeyError", "KeyError"),
    "closes it": ("sock.close()", "zmq.ZMQError"),
    "ends the context": ("ctx.destroy(linger=0)", "zmq.ZMQError"),
    "receives": ("assert sock.recv() == b'first'", ""),
    "polls": ("assert sock.poll(10_000)", ""),
    "sends": ("sock.send(b'answer')", ""),
    "sets an option": ("sock.rcvhwm = 5; sock.events", ""),
    "makes a socket": ("ctx.socket(zmq.PULL).close()", ""),
}


@pytest.mark.parametrize("call", ["recv", "recv_multipart"])
@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_of_a_signal_that_interrupts_a_wait(name: str, call: str) -> None:
    """It may use the very socket: the wait goes on, or ends with an error, and term() works."""
    handler, error = HANDLERS[name]
    script = f"""
    ctx = zmq.Context()
    sock, peer = inproc_pair(ctx, zmq.PAIR, zmq.PAIR)
    sock.linger = peer.linger = 0
    handled = []
    def handle(*_):
        handled.append(1)
        {handler}
    signal.signal(signal.SIGUSR1, handle)
    def later():
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGUSR1)
        if not {error!r}:
            time.sleep(0.1)
            peer.send(b"first")
            time.sleep(0.05)
            peer.send(b"second")
    thread = threading.Thread(target=later)
    thread.start()
    try:
        got = sock.{call}()
        assert not {error!r}, got
        assert got in (b"first", b"second", [b"first"], [b"second"]), got
    except ({error or 'ZeroDivisionError'}) as error:
        assert not isinstance(error, zmq.ZMQError) or error.errno == zmq.ENOTSOCK, error
    thread.join()
    assert handled
    sock.close()
    peer.close()
    ctx.term()
    print("fine")
    """
    is_fine(run(OURS, script))


def test_the_wakeup_descriptor_is_the_programs_own() -> None:
    """signal.set_wakeup_fd is left alone by every wait."""
    script = """
    import socket
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    signal.signal(signal.SIGUSR1, lambda *_: None)
    ctx = zmq.Context()
    pull = ctx.socket(zmq.PULL)
    pull.rcvtimeo = 200
    for wait in (pull.recv, lambda: pull.poll(200)):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        try:
            wait()
        except zmq.Again:
            pass
        assert reader.recv(10) == bytes([signal.SIGUSR1])
    assert signal.set_wakeup_fd(-1) == writer.fileno()
    pull.close()
    ctx.term()
    reader.close()
    writer.close()
    print("fine")
    """
    is_fine(run(OURS, script))


def test_an_ignored_interrupt_is_ignored() -> None:
    """With SIGINT ignored (nohup, background jobs) a wait goes on."""
    script = """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctx = zmq.Context()
    pull = ctx.socket(zmq.PULL)
    pull.rcvtimeo = 300
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        pull.recv()
    except zmq.Again:
        print("fine")
    pull.close()
    ctx.term()
    """
    is_fine(run(OURS, script))


def test_a_daemon_that_frees_what_it_inherited() -> None:
    """Descriptors of a forked child's own are not closed by what it inherited and has closed (see `live`)."""
    script = """
    inherited = [tcp_pair(zmq.Context.instance(), zmq.PULL, zmq.PUSH) for _ in range(3)]
    def child():
        os.closerange(3, 100)
        with zmq.Context.instance() as ctx:
            pull, push = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
            pull.rcvtimeo = 5000
            inherited.clear()
            gc.collect()
            for number in range(10):
                push.send(b"%d" % number)
                assert pull.recv() == b"%d" % number
            pull.close()
            push.close()
    assert in_child(child) == 0
    print("fine")
    """
    is_fine(run(OURS, script, "-W", "ignore"))


def test_a_subinterpreter_is_told() -> None:
    """Daemon threads are not to be had there: a ZMQError says so, and the main interpreter goes on."""
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    script = f"""
    import {module} as interpreters
    code = '''
    import sys
    sys.path[:0] = PATH
    import libzmq_py as zmq
    ctx = zmq.Context()
    try:
        ctx.socket(zmq.PAIR)
    except zmq.ZMQError as error:
        assert "thread" in str(error), error
    else:
        with ctx.socket(zmq.PAIR):
            pass
    '''.replace("PATH", repr(sys.path))
    other = interpreters.create()
    failure = interpreters.run_string(other, code)
    assert failure is None, failure
    with zmq.Context() as ctx:
        a, b = inproc_pair(ctx, zmq.PAIR, zmq.PAIR)
        a.send(b"x")
        assert b.recv() == b"x"
        a.close()
        b.close()
    print("fine", flush=True)
    os._exit(0)  # CPython 3.12 and 3.13 can crash when they free an interpreter with many modules, pure Python or not
    """
    is_fine(run(OURS, script, "-S"))  # without what measures coverage, which no subinterpreter takes
