# SPDX-License-Identifier: MPL-2.0
"""pyzmq on libzmq_py: each test is a small program in a process of its own, with PYZMQ_BACKEND set.

pyzmq's own test suite runs on it too (``tox -e pyzmq-suite``); here is what that does not ask.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytest.importorskip("zmq")

from libzmq_py.pyzmq_backend import EXIT_PATIENCE
from tests.support.waiting import PATIENCE, seconds

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[1]


def run(script: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program; what it says on stderr counts as failure."""
    finished = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYZMQ_BACKEND": "libzmq_py.pyzmq_backend", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds(30),
        check=False,
    )
    if check:
        assert finished.stderr == ""
        assert finished.returncode == 0
    return finished


def test_no_libzmq_in_c_is_loaded() -> None:
    """The whole of pyzmq's modules runs without its compiled library."""
    run(
        """
        import zmq, zmq.asyncio, zmq.auth, zmq.auth.thread, zmq.devices, zmq.decorators, zmq.log.handlers, sys
        assert zmq.backend.Socket.__module__ == "libzmq_py.pyzmq_backend"
        assert "zmq.backend.cython" not in sys.modules
        if sys.platform == "linux":
            maps = open("/proc/self/maps").read()
            assert "libzmq" not in maps.replace("libzmq_py", ""), maps
        assert zmq.zmq_version_info() == (4, 3, 5)
        """
    )


@pytest.mark.parametrize("first", ["libzmq_py.pyzmq_backend", "libzmq_py", "zmq.constants"])
def test_order_of_imports(first: str) -> None:
    """The backend may be imported before pyzmq, and libzmq_py used beside it."""
    run(
        f"""
        import {first}
        import zmq
        import libzmq_py
        with zmq.Context() as ctx, ctx.socket(zmq.PAIR) as a, ctx.socket(zmq.PAIR) as b:
            a.bind("inproc://a")
            b.connect("inproc://a")
            b.send(b"hello")
            assert a.recv() == b"hello"
        with libzmq_py.Context() as ctx:
            pass
        """
    )


def test_errors_are_pyzmqs() -> None:
    """Classes and numbers of pyzmq's; the texts name what was wrong."""
    run(
        """
        import errno, zmq

        def error_of(call, *args, **kwargs):
            try:
                call(*args, **kwargs)
            except zmq.ZMQError as error:
                assert type(error).__module__ == "zmq.error", type(error)
                assert error.__context__ is None or error.__suppress_context__
                return error
            raise AssertionError("no error")

        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        push = ctx.socket(zmq.PUSH)
        assert type(error_of(pull.recv, zmq.NOBLOCK)) is zmq.Again
        assert type(error_of(pull.recv_into, bytearray(1), flags=zmq.NOBLOCK)) is zmq.Again
        assert type(error_of(push.send, b"", zmq.NOBLOCK)) is zmq.Again
        assert type(error_of(push.send, b"", zmq.NOBLOCK, copy=False)) is zmq.Again
        assert error_of(pull.send, b"").errno == zmq.ENOTSUP
        assert "'nonsense'" in str(error_of(pull.bind, "nonsense"))
        assert error_of(pull.connect, "nonsense").errno == errno.EINVAL
        assert error_of(pull.unbind, "tcp://127.0.0.1:1").errno == errno.ENOENT
        assert error_of(pull.disconnect, "tcp://127.0.0.1:1").errno == errno.ENOENT
        assert "SNDHWM" in str(error_of(pull.set, zmq.SNDHWM, -1))
        assert error_of(pull.get, zmq.SUBSCRIBE).errno == errno.EINVAL
        assert error_of(pull.monitor, "tcp://127.0.0.1:*").errno == zmq.EPROTONOSUPPORT
        assert error_of(ctx.set, zmq.IO_THREADS, -1).errno == errno.EINVAL
        assert error_of(ctx.get, 4711).errno == errno.EINVAL
        assert error_of(zmq.Context, -1).errno == errno.EINVAL
        assert error_of(ctx.socket, 4711).errno == errno.EINVAL
        assert error_of(zmq.Frame(b"").get, "Peer-Address").errno == errno.EINVAL
        assert error_of(zmq.Frame(b"").set, "routing_id", 0).errno == errno.EINVAL
        for wrong in (None, 1.5, "5"):
            try:
                pull.set(zmq.RCVHWM, wrong)
            except TypeError as error:
                assert repr(wrong) in str(error) or "unicode" in str(error)
            else:
                raise AssertionError(wrong)
        push.close()
        assert error_of(push.send, b"").errno == zmq.ENOTSOCK
        assert error_of(push.recv).errno == zmq.ENOTSOCK
        assert error_of(zmq.zmq_poll, [(push, zmq.POLLIN)], 0).errno == zmq.ENOTSOCK
        assert error_of(zmq.proxy, push, pull).errno == zmq.ENOTSOCK
        pull.close()
        ctx.term()
        assert error_of(ctx.socket, zmq.PULL).errno == zmq.ENOTSUP
        assert zmq.zmq_errno() == zmq.ENOTSOCK  # the last of the library; ENOTSUP was pyzmq's own
        """
    )


def test_context_terminated() -> None:
    """A call that waits while the context ends raises pyzmq's ContextTerminated."""
    run(
        """
        import threading, zmq
        ctx = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        ending = threading.Thread(target=ctx.term)
        threading.Timer(0.1, ending.start).start()
        for _ in range(2):
            try:
                pull.recv()
            except zmq.ContextTerminated as error:
                assert error.errno == zmq.ETERM
            else:
                raise AssertionError("no error")
        pull.close()
        ending.join()
        """
    )


def test_frames_tell_where_they_come_from() -> None:
    """recv(copy=False) gives pyzmq's Frame, with its properties, on either side of `more`."""
    run(
        """
        import zmq
        with zmq.Context() as ctx, ctx.socket(zmq.PUSH) as push, ctx.socket(zmq.PULL) as pull:
            pull.bind("tcp://127.0.0.1:*")
            push.connect(pull.last_endpoint.decode())
            push.send_multipart([b"one", zmq.Frame(b"two"), memoryview(b"three")])
            frames = pull.recv_multipart(copy=False)
            assert [type(frame) for frame in frames] == [zmq.Frame] * 3
            assert [frame.bytes for frame in frames] == [b"one", b"two", b"three"]
            assert [frame.more for frame in frames] == [True, True, False]
            assert frames[0]["Socket-Type"] == "PUSH"
            assert frames[0]["Peer-Address"] == "127.0.0.1"
            assert bytes(memoryview(frames[2])) == b"three"
            try:
                frames[0].nonsense = 1
            except AttributeError:
                pass
            else:
                raise AssertionError("a misspelt option passes")
        """
    )


def test_shared_memory_is_tracked() -> None:
    """copy=False from the threshold on: the tracker is done when the message has left and the frame is gone."""
    run(
        """
        import zmq
        from zmq.utils.garbage import gc
        with zmq.Context() as ctx, ctx.socket(zmq.PUSH) as push, ctx.socket(zmq.PULL) as pull:
            pull.bind("tcp://127.0.0.1:*")
            push.connect(pull.last_endpoint.decode())
            assert push.send(b"small", copy=False, track=True) is zmq._FINISHED_TRACKER
            pull.recv()
            data = bytearray(b"x" * zmq.COPY_THRESHOLD)
            assert push.send(data, copy=False) is None
            pull.recv()
            tracker = push.send(data, copy=False, track=True)
            assert type(tracker) is zmq.MessageTracker
            assert pull.recv() == data
            tracker.wait(5)
            frame = zmq.Frame(data, copy=False, track=True)
            assert len(gc.refs) == 1
            assert push.send(frame) is frame.tracker
            assert pull.recv() == data
            assert not frame.tracker.done
            tracker = frame.tracker
            del frame
            tracker.wait(5)
            assert not gc.refs and not gc.is_alive()
        """
    )


def test_shadows() -> None:
    """`underlying` leads back to the socket, whatever face closes it; to nothing once it is closed."""
    run(
        """
        import zmq
        ctx = zmq.Context()
        socket = ctx.socket(zmq.PAIR)
        number = socket.underlying
        shadow = zmq.Socket.shadow(number)
        assert shadow.underlying == number and shadow.context is None
        assert zmq.Socket(socket).context is ctx
        socket.rcvtimeo = 123
        assert shadow.rcvtimeo == 123
        del shadow
        assert not socket.closed
        shadow = zmq.Socket.shadow(number)
        shadow.close()
        assert socket.closed and socket.underlying == 0 and socket not in []
        try:
            zmq.Socket.shadow(number)
        except zmq.ZMQError as error:
            assert error.errno == zmq.ENOTSOCK
        else:
            raise AssertionError("a closed socket has a shadow")
        again = zmq.Context.shadow(ctx.underlying)
        again.term()
        try:
            ctx.socket(zmq.PAIR)
        except zmq.ZMQError as error:
            assert error.errno == zmq.EFAULT
        else:
            raise AssertionError("the context has ended")
        ctx.term()
        """
    )


def test_asyncio_misses_no_edge() -> None:
    """Many short and long exchanges over one event loop, whoever is awaited first: FD rings for each change."""
    run(
        """
        import asyncio, zmq, zmq.asyncio

        async def main():
            ctx = zmq.asyncio.Context()
            router, dealers = ctx.socket(zmq.ROUTER), [ctx.socket(zmq.DEALER) for _ in range(5)]
            port = router.bind_to_random_port("tcp://127.0.0.1")
            for dealer in dealers:
                dealer.connect(f"tcp://127.0.0.1:{port}")

            async def serve():
                while True:
                    await router.send_multipart(await router.recv_multipart())

            async def ask(dealer, count):
                for number in range(count):
                    size = (1, 10, 1000, 100_000)[number % 4]
                    await dealer.send_multipart([b"%d" % number, b"x" * size])
                    if number % 7 == 3:
                        await asyncio.sleep(0)
                    got = await asyncio.wait_for(dealer.recv_multipart(), 10)
                    assert got == [b"%d" % number, b"x" * size]
                # A burst: more messages than events.
                for number in range(100):
                    await dealer.send(b"%d" % number)
                for number in range(100):
                    assert await asyncio.wait_for(dealer.recv(), 10) == b"%d" % number

            server = asyncio.ensure_future(serve())
            await asyncio.gather(*(ask(dealer, 100) for dealer in dealers))
            poller = zmq.asyncio.Poller()
            poller.register(dealers[0], zmq.POLLIN)
            assert await poller.poll(10) == []
            await dealers[0].send(b"x")
            assert await poller.poll(10_000) == [(dealers[0], zmq.POLLIN)]
            server.cancel()
            ctx.destroy(linger=0)

        asyncio.run(main())
        """
    )


def test_high_water_mark_in_asyncio() -> None:
    """A send that has to wait for room is woken when there is some."""
    run(
        """
        import asyncio, zmq, zmq.asyncio

        async def main():
            ctx = zmq.asyncio.Context()
            push, pull = ctx.socket(zmq.PUSH), ctx.socket(zmq.PULL)
            push.hwm = pull.hwm = 2
            pull.bind("inproc://a")
            push.connect("inproc://a")

            async def produce():
                for number in range(500):
                    await asyncio.wait_for(push.send(b"%d" % number), 10)

            producer = asyncio.ensure_future(produce())
            for number in range(500):
                assert await asyncio.wait_for(pull.recv(), 10) == b"%d" % number
            await producer
            ctx.destroy(linger=0)

        asyncio.run(main())
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork() -> None:
    """In the child what was inherited raises a clear error, and a new context works."""
    run(
        """
        import os, warnings, zmq
        warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads (3.12)
        ctx = zmq.Context.instance()
        pair = ctx.socket(zmq.PAIR)
        pair.bind("inproc://a")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for call in (pair.recv, lambda: ctx.socket(zmq.PAIR)):
                    try:
                        call()
                    except zmq.ZMQError as error:
                        assert "fork" in str(error), error
                pair.close()
                ctx.term()
                new = zmq.Context.instance()
                assert new is not ctx
                a, b = new.socket(zmq.PAIR), new.socket(zmq.PAIR)
                a.bind("tcp://127.0.0.1:*")
                b.connect(a.last_endpoint.decode())
                b.send(b"hello")
                assert a.recv() == b"hello"
                new.destroy()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        other = ctx.socket(zmq.PAIR)
        other.connect("inproc://a")
        other.send(b"alive")
        assert pair.recv() == b"alive"
        ctx.destroy()
        """
    )


def test_a_script_that_sends_and_ends_delivers() -> None:
    """Messages of sockets that live as long as the interpreter reach a peer that is there."""
    script = """
        import os, subprocess, sys, zmq
        if len(sys.argv) > 1:
            push = zmq.Context.instance().socket(zmq.PUSH)
            push.connect(sys.argv[1])
            for number in range(1000):
                push.send(b"%d" % number)
            sys.exit()
        with zmq.Context() as ctx, ctx.socket(zmq.PULL) as pull:
            pull.rcvtimeo = 10_000
            pull.bind("tcp://127.0.0.1:*")
            child = subprocess.Popen([sys.executable, "-c", SCRIPT, pull.last_endpoint.decode()])
            assert [pull.recv() for _ in range(1000)] == [b"%d" % number for number in range(1000)]
            assert child.wait() == 0
        """
    script = textwrap.dedent(script)
    run(script.replace("SCRIPT", repr(script)))


def test_a_script_does_not_wait_for_a_peer_that_is_not_there() -> None:
    """LINGER is for ever by default; under pyzmq the end of the interpreter waits for a moment only."""
    start = time.monotonic()
    run(
        """
        import zmq
        ctx = zmq.Context.instance()
        opened, closed = ctx.socket(zmq.PUSH), ctx.socket(zmq.PUSH)
        for socket in (opened, closed):
            socket.connect("tcp://127.0.0.1:1")
            socket.send(b"never taken")
        closed.close()
        """
    )
    assert time.monotonic() - start < EXIT_PATIENCE + PATIENCE


def test_devices() -> None:
    """A proxy in a thread and a queue in a process pass messages."""
    run(
        """
        import zmq
        from zmq import devices

        def ask(front, back):
            with zmq.Context() as ctx, ctx.socket(zmq.REQ) as req, ctx.socket(zmq.REP) as rep:
                req.rcvtimeo = rep.rcvtimeo = 10_000
                req.connect(f"tcp://127.0.0.1:{front}")
                rep.connect(f"tcp://127.0.0.1:{back}")
                req.send(b"question")
                assert rep.recv() == b"question"
                rep.send(b"answer")
                assert req.recv() == b"answer"

        thread = devices.ThreadProxy(zmq.ROUTER, zmq.DEALER)
        process = devices.ProcessDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
        for device in (thread, process):
            device.daemon = True
            front = device.bind_in_to_random_port("tcp://127.0.0.1")
            back = device.bind_out_to_random_port("tcp://127.0.0.1")
            device.start()
            ask(front, back)
        process.launcher.terminate()
        process.launcher.join()
        """
    )
