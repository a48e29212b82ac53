# SPDX-License-Identifier: MPL-2.0
"""What a program may do to itself: libzmq_py goes on, where stock pyzmq aborts, hangs or gets it wrong.

Each script runs twice, in a process of its own: on libzmq_py it must print ``fine``, on stock pyzmq it must fail in the
way the table says. Should a later pyzmq pass, the test says so, and the row goes. Only what a program does locally is
here, nothing that a peer could do.
"""

from __future__ import annotations

import signal

import pytest

from tests.life.harness import OURS, STOCK, Hang, is_fine, run

pytestmark = [pytest.mark.departs]

#: Seconds until stock pyzmq counts as hanging; whatever does not hang takes less than one.
HANGS_AFTER = 5

ABORT, HANG, WRONG = "abort", "hang", "wrong"

#: Name -> how stock pyzmq fails, and the script.
SITUATIONS: dict[str, tuple[str, str]] = {
    "all descriptors closed by other code": (
        ABORT,
        """
        ctx = zmq.Context()
        pull, push = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
        push.send(b"x")
        assert pull.recv() == b"x"
        import logging
        logging.disable(logging.CRITICAL)  # the threads say what they meet, and when depends
        os.closerange(3, 500)
        pull.rcvtimeo = 2000
        try:
            push.send(b"y")
            pull.recv()
        except zmq.ZMQError as error:
            assert "closed descriptors" in str(error), error
        else:
            raise AssertionError("no error")
        start = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - start < 0.2, "the threads spin"
        with zmq.Context() as fresh:
            a, b = inproc_pair(fresh, zmq.PAIR, zmq.PAIR)
            a.send(b"z")
            assert b.recv() == b"z"
            a.close()
            b.close()
        print("fine")
        """,
    ),
    "descriptor of ZMQ_FD closed": (
        ABORT,
        """
        ctx = zmq.Context()
        a, b = inproc_pair(ctx, zmq.PAIR, zmq.PAIR)
        os.close(a.getsockopt(zmq.FD))
        try:
            b.send(b"x")
            a.recv()
        except zmq.ZMQError as error:
            assert "closed descriptors" in str(error), error
        a.close(linger=0)
        b.close(linger=0)
        ctx.term()
        print("fine")
        """,
    ),
    "no descriptor to look up an interface": (
        ABORT,
        """
        import resource
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        pull.bind("tcp://127.0.0.1:*")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)  # of the numbers that are free
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            pull.bind("tcp://lo:*")
        except zmq.ZMQError as error:
            assert error.errno == 24, error
        else:
            raise AssertionError("no error")
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        pull.bind("tcp://lo:*")
        ctx.destroy()
        print("fine")
        """,
    ),
    "descriptor that does not listen": (
        ABORT,
        """
        import socket
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        one, other = socket.socketpair()
        one.close()
        pull.setsockopt(zmq.USE_FD, other.detach() + 50)
        try:
            pull.bind("tcp://127.0.0.1:*")
        except zmq.ZMQError:
            print("fine")
        """,
    ),
    "scheduling policy that does not exist": (
        ABORT,
        """
        ctx = zmq.Context()
        ctx.set(zmq.THREAD_SCHED_POLICY, 99)
        warnings.simplefilter("ignore")
        a, b = inproc_pair(ctx, zmq.PAIR, zmq.PAIR)
        a.send(b"z")
        assert b.recv() == b"z"
        ctx.destroy()
        print("fine")
        """,
    ),
    "CONNECT_ROUTING_ID in use": (
        ABORT,
        """
        ctx = zmq.Context()
        router = ctx.socket(zmq.ROUTER)
        router.linger = 0
        for port in (9, 10):
            router.connect_routing_id = b"same"
            try:
                router.connect(f"tcp://127.0.0.1:{port}")
            except zmq.ZMQError as error:
                assert port == 10 and error.errno == 22, error
        ctx.destroy()
        print("fine")
        """,
    ),
    "one socket, four threads": (
        WRONG,
        """
        ctx = zmq.Context()
        pull, push = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
        pull.rcvtimeo = 5000
        def work():
            for _ in range(5000):
                push.send_multipart([b"a", b"b", b"c"])
        threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(4 * 5000):
            message = pull.recv_multipart()
            assert message == [b"a", b"b", b"c"], message
        print("fine")
        """,
    ),
    "a signal handler that sends on the socket in use": (
        WRONG,
        """
        ctx = zmq.Context()
        pull, push = inproc_pair(ctx, zmq.PULL, zmq.PUSH)
        push.sndhwm = pull.rcvhwm = 0
        parts = [b"%d" % number for number in range(50)]
        signal.signal(signal.SIGALRM, lambda *_: push.send_multipart(parts))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            push.send_multipart(parts)
            message = pull.recv_multipart()
            assert message == parts, message
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("fine")
        """,
    ),
    "close while another thread receives": (
        WRONG,
        """
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        seen = []
        def wait():
            try:
                pull.recv()
            except zmq.ZMQError as error:
                seen.append(error.errno)
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        time.sleep(0.2)
        pull.close()
        thread.join(2)
        print("fine" if seen == [zmq.ENOTSOCK] else seen, flush=True)
        os._exit(0 if seen else 1)
        """,
    ),
    "a forked child sends on the parent's socket": (
        WRONG,
        """
        ctx = zmq.Context()
        push = ctx.socket(zmq.PUSH)
        push.linger = 0
        push.connect("tcp://127.0.0.1:9")
        def child():
            try:
                push.send(b"x")
            except zmq.ZMQError as error:
                assert "fork" in str(error), error
            else:
                raise AssertionError("taken, for nobody")
        assert in_child(child) == 0
        print("fine")
        """,
    ),
    "a forked child receives on the parent's socket": (
        HANG,
        """
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        pull.rcvtimeo = 500
        pull.bind("tcp://127.0.0.1:*")
        def child():
            try:
                pull.recv()
            except zmq.ZMQError as error:
                assert "fork" in str(error), error
        assert in_child(child) == 0
        print("fine")
        """,
    ),
    "a forked child polls the parent's socket": (
        HANG,
        """
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        pull.bind("tcp://127.0.0.1:*")
        poller = zmq.Poller()
        poller.register(pull, zmq.POLLIN)
        def child():
            try:
                poller.poll(300)
            except zmq.ZMQError as error:
                assert "fork" in str(error), error
        assert in_child(child) == 0
        print("fine")
        """,
    ),
    "a daemon asks the parent's socket": (
        HANG,
        """
        # Two forks, a new session, all descriptors closed: what makes a daemon.
        def daemon():
            os.setsid()
            if os.fork():
                return
            os.closerange(3, writer)
            with zmq.Context.instance() as ctx:
                pull, push = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
                push.send(b"works")
                os.write(writer, pull.recv() + b";")
                try:
                    inherited.recv()
                except zmq.ZMQError as error:
                    os.write(writer, b"fork" if "fork" in str(error) else str(error).encode())
                pull.close()
                push.close()
        inherited = zmq.Context.instance().socket(zmq.PULL)
        inherited.rcvtimeo = 500
        inherited.bind("tcp://127.0.0.1:*")
        reader, first_writer = os.pipe()
        writer = 300
        os.dup2(first_writer, writer)
        assert in_child(daemon) == 0
        os.close(writer)
        os.close(first_writer)
        said = b""
        while chunk := os.read(reader, 100):
            said += chunk
        assert said == b"works;fork", said
        print("fine")
        """,
    ),
    "context and socket are garbage together": (
        HANG,
        """
        warnings.simplefilter("ignore", ResourceWarning)
        class Owner:
            pass
        def forget():
            owner = Owner()
            owner.itself = owner
            owner.socket = zmq.Context().socket(zmq.PUSH)
            owner.context = owner.socket.context
            owner.socket.linger = 0
        forget()
        gc.collect()
        print("fine")
        """,
    ),
    "a closed socket in a Poller": (
        WRONG,
        """
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        poller = zmq.Poller()
        poller.register(pull, zmq.POLLIN)
        pull.close()
        try:
            answer = poller.poll(100)
        except zmq.ZMQError as error:
            assert error.errno == zmq.ENOTSOCK
            print("fine")
        """,
    ),
    "a monitor that nobody reads": (
        HANG,
        """
        ctx = zmq.Context()
        push = ctx.socket(zmq.PUSH)
        push.reconnect_ivl = 1
        push.linger = 0
        push.monitor("inproc://monitor", zmq.EVENT_ALL)
        deaf = ctx.socket(zmq.PAIR)
        deaf.rcvhwm = 1
        deaf.linger = 0
        deaf.connect("inproc://monitor")
        push.connect("tcp://127.0.0.1:9")
        time.sleep(1.5)
        other, peer = tcp_pair(ctx, zmq.PULL, zmq.PUSH)
        other.rcvtimeo = 3000
        peer.linger = 0
        peer.send(b"x")
        assert other.recv() == b"x"
        push.disable_monitor()
        for each in (deaf, push, other, peer):
            each.close()
        ctx.term()
        print("fine")
        """,
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_libzmq_py_goes_on(name: str) -> None:
    """No abort, no hang, the right result."""
    warned = ("the end of the program cannot deliver", "scheduling policy")
    is_fine(run(OURS, SITUATIONS[name][1]), *warned)


@pytest.mark.interop
@pytest.mark.parametrize("name", SITUATIONS)
def test_stock_pyzmq_does_not(name: str) -> None:
    """The same script really is too much for libzmq."""
    pytest.importorskip("zmq")
    how, script = SITUATIONS[name]
    try:
        done = run(STOCK, script, timeout=HANGS_AFTER)
    except Hang:
        assert how == HANG
        return
    assert how != HANG or done.returncode != 0, f"ends: {done.stdout}{done.stderr}"
    if how == ABORT:
        assert done.returncode == -signal.SIGABRT, f"{done.returncode} {done.stdout}{done.stderr}"
    else:
        assert (done.returncode, done.stdout) != (0, "fine\n")
