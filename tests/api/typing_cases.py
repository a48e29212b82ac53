# SPDX-License-Identifier: MPL-2.0
"""What a type checker makes of the public face. Checked by mypy in test_typing.py, and never run.

No libzmq twin: test support.
"""

from typing import assert_type

import libzmq_py as zmq


def contexts_make_sockets() -> None:
    """A plain context makes plain sockets, however it was come by."""
    ctx = zmq.Context()
    assert_type(ctx, zmq.Context[zmq.Socket[bytes]])
    assert_type(ctx.socket(zmq.PUSH), zmq.Socket[bytes])
    assert_type(zmq.Context.instance().socket(zmq.REQ), zmq.Socket[bytes])
    assert_type(zmq.Context.shadow(ctx), zmq.Context[zmq.Socket[bytes]])
    assert_type(zmq.Socket(ctx, zmq.PUSH), zmq.Socket[bytes])
    with zmq.Context(io_threads=2) as own, own.socket(zmq.PAIR) as sock, sock.bind("inproc://x") as same:
        assert_type(same, zmq.Socket[bytes])


def subclasses_stay_what_they_are() -> None:
    """A context of one's own makes sockets of one's own."""

    class Mine(zmq.Socket[bytes]):
        pass

    class Factory(zmq.Context[Mine]):
        _socket_class = Mine

    assert_type(Factory().socket(zmq.PUSH), Mine)
    assert_type(zmq.Context().socket(zmq.PUSH, socket_class=Mine), Mine)


def copy_decides_about_the_result(sock: zmq.Socket[bytes], copy: bool) -> None:
    """copy=False receives Frames, and returns a tracker from send."""
    assert_type(sock.recv(), bytes)
    assert_type(sock.recv(zmq.DONTWAIT), bytes)
    assert_type(sock.recv(copy=False), zmq.Frame)
    assert_type(sock.recv(0, False), zmq.Frame)
    assert_type(sock.recv(copy=copy), bytes | zmq.Frame)
    assert_type(sock.recv_multipart(), list[bytes])
    assert_type(sock.recv_multipart(copy=False), list[zmq.Frame])
    assert_type(sock.recv_multipart(0, copy), list[bytes] | list[zmq.Frame])
    assert_type(sock.send(b"x", copy=False, track=True), zmq.MessageTracker)
    assert_type(sock.send(zmq.Frame(b"x")), zmq.MessageTracker)
    assert_type(sock.send(b"x", 0, copy), zmq.MessageTracker | None)
    assert_type(sock.send_multipart([b"x"]), zmq.MessageTracker | None)


def anything_with_a_buffer_can_be_sent(sock: zmq.Socket[bytes]) -> None:
    """bytes, bytearray, memoryview and Frame are buffers; str is not."""
    sock.send(b"x")
    sock.send(bytearray(b"x"))
    sock.send(memoryview(b"x"))
    sock.send_multipart([b"x", bytearray(b"y"), memoryview(b"z"), zmq.Frame(b"f")])
    memoryview(zmq.Frame(b"x"))
    sock.send("text")  # type: ignore[call-overload]
    sock.send_multipart(["text"])  # type: ignore[list-item]


def the_rest(sock: zmq.Socket[bytes]) -> None:
    """Results of the other calls."""
    assert_type(sock.recv_string(), str)
    assert_type(sock.poll(), int)
    assert_type(sock.hwm, int)
    assert_type(sock.get(zmq.LINGER), int | bytes)
    assert_type(sock.last_endpoint, str | bytes | int)
    assert_type(zmq.recv_monitor_message(sock)["endpoint"], bytes)
    assert_type(zmq.curve_keypair(), tuple[bytes, bytes])
    assert_type(zmq.zmq_version_info(), tuple[int, int, int])
    poller = zmq.Poller()
    poller.register(sock, zmq.POLLIN)
    dict(poller.poll(3))
    sock.linger = 0
