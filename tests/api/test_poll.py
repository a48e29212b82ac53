# SPDX-License-Identifier: MPL-2.0
"""Poller, zmq_poll, select and Socket.poll."""

import os
import socket as pysocket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.helpers import MakePair, MakeSocket, raises_errno
from tests.support.target import zmq
from tests.support.waiting import seconds


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of an operating system pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


# -- Poller


def test_poll_tells_what_can_be_done(pair: MakePair) -> None:
    """POLLOUT when there is room, POLLIN when there is a message, only where asked for."""
    a, b = pair()
    poller = zmq.Poller()
    poller.register(a)
    poller.register(b, zmq.POLLIN)
    assert dict(poller.poll(1000)) == {a: zmq.POLLOUT}
    b.send(b"x")
    assert dict(poller.poll(1000)) == {a: zmq.POLLIN | zmq.POLLOUT}
    a.send(b"y")
    assert poller.poll(1000) == [(a, zmq.POLLIN | zmq.POLLOUT), (b, zmq.POLLIN)]


def test_registering_again_changes_the_events(pair: MakePair) -> None:
    """register and modify replace; no events at all unregister."""
    a, b = pair()
    poller = zmq.Poller()
    poller.register(a, zmq.POLLIN)
    poller.register(b, 0)
    assert a in poller
    assert b not in poller
    poller.register(a, zmq.POLLOUT)
    assert poller.sockets == [(a, zmq.POLLOUT)]
    poller.modify(a, zmq.POLLIN)
    assert poller.sockets == [(a, zmq.POLLIN)]
    poller.register(a, 0)
    assert poller.sockets == []


def test_unregister_keeps_the_others(socket: MakeSocket) -> None:
    """What is registered after the one removed can still be modified and removed."""
    first, second, third = (socket(zmq.PAIR) for _ in range(3))
    poller = zmq.Poller()
    for sock in (first, second, third):
        poller.register(sock, zmq.POLLIN)
    poller.unregister(first)
    poller.modify(third, zmq.POLLOUT)
    assert poller.sockets == [(second, zmq.POLLIN), (third, zmq.POLLOUT)]
    poller.unregister(third)
    assert poller.sockets == [(second, zmq.POLLIN)]
    with pytest.raises(KeyError):
        poller.unregister(first)


def test_descriptors_and_files_are_polled(pipe: tuple[int, int]) -> None:
    """An int and an object with fileno() are answered by their number."""
    reader, writer = pipe
    with os.fdopen(os.dup(reader), "rb") as file:
        poller = zmq.Poller()
        poller.register(reader, zmq.POLLIN)
        poller.register(file, zmq.POLLIN)
        assert poller.poll(0) == []
        os.write(writer, b"x")
        assert dict(poller.poll(1000)) == {reader: zmq.POLLIN, file.fileno(): zmq.POLLIN}
    assert zmq.zmq_poll([(writer, zmq.POLLOUT)], 0) == [(writer, zmq.POLLOUT)]


def test_sockets_and_descriptors_are_polled_together(pair: MakePair, pipe: tuple[int, int]) -> None:
    """One poll waits for both kinds, and either ends it."""
    a, b = pair()
    reader, writer = pipe
    poller = zmq.Poller()
    poller.register(b, zmq.POLLIN)
    poller.register(reader, zmq.POLLIN)
    threading.Timer(seconds(0.05), a.send, (b"x",)).start()
    assert poller.poll(5000) == [(b, zmq.POLLIN)]
    threading.Timer(seconds(0.05), os.write, (writer, b"x")).start()
    b.recv()
    assert poller.poll(5000) == [(reader, zmq.POLLIN)]


def test_poll_keeps_its_timeout(pair: MakePair) -> None:
    """Milliseconds; fractions are dropped, 0 only looks."""
    a, _ = pair()
    poller = zmq.Poller()
    poller.register(a, zmq.POLLIN)
    for timeout, least, most in ((0, 0, 0.1), (0.9, 0, 0.1), (100, 0.09, 1)):
        start = time.monotonic()
        assert poller.poll(timeout) == []
        assert least <= time.monotonic() - start < seconds(most)


@pytest.mark.parametrize("timeout", [None, -1, -0.5])
def test_poll_without_limit_waits(pair: MakePair, timeout: Any) -> None:
    """None and negative times wait for what comes."""
    a, b = pair()
    poller = zmq.Poller()
    poller.register(b, zmq.POLLIN)
    threading.Timer(seconds(0.05), a.send, (b"x",)).start()
    assert poller.poll(timeout) == [(b, zmq.POLLIN)]


def test_nothing_to_poll_is_answered_at_once() -> None:
    """An empty poller does not wait for ever."""
    assert zmq.Poller().poll() == []
    assert zmq.zmq_poll([]) == []
    assert zmq.select([], [], []) == ([], [], [])


class _BadFileno:
    def fileno(self) -> int:
        raise OSError("gone")


def test_bad_items_are_refused(socket: MakeSocket) -> None:
    """What has no fileno() is a TypeError, what fails to give one a ValueError."""
    with pytest.raises(TypeError, match="'x'"):
        zmq.zmq_poll([("x", zmq.POLLIN)], 0)
    with pytest.raises(ValueError, match="fileno"):
        zmq.zmq_poll([(_BadFileno(), zmq.POLLIN)], 0)


@pytest.mark.departs
def test_closed_sockets_are_not_polled(socket: MakeSocket) -> None:
    """A closed socket is ENOTSOCK. (pyzmq polls descriptor 0.)"""
    sock = socket(zmq.PULL)
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        zmq.zmq_poll([(sock, zmq.POLLIN)], 0)


# -- select


def test_select_sorts_by_direction(pair: MakePair) -> None:
    """The three lists have what can be read, written, and has failed."""
    a, b = pair()
    b.send(b"x")
    assert zmq.select([a, b], [b], [a, b], 5) == ([a], [b], [])
    assert zmq.select([b], [], [], 0.01) == ([], [], [])


def test_select_takes_seconds(pair: MakePair, pipe: tuple[int, int]) -> None:
    """The timeout is in seconds, and descriptors are welcome."""
    a, _ = pair()
    reader, writer = pipe
    start = time.monotonic()
    assert zmq.select([a, reader], [], [], 0.1) == ([], [], [])
    assert 0.09 <= time.monotonic() - start < seconds(1)
    os.write(writer, b"x")
    assert zmq.select([a, reader], [], []) == ([reader], [], [])
    left, right = pysocket.socketpair()
    with left, right:
        right.send(b"x")
        assert zmq.select([left], [], [], 1) == ([left.fileno()], [], [])


# -- Socket.poll


def test_a_socket_polls_itself(pair: MakePair) -> None:
    """poll returns the events, 0 for none; POLLIN is what it waits for."""
    a, b = pair()
    assert a.poll(10) == 0
    assert a.poll(10, zmq.POLLOUT) == zmq.POLLOUT
    b.send(b"x")
    assert a.poll() == a.poll(None) == a.poll(-1) == zmq.POLLIN
    assert a.poll(0, zmq.POLLIN | zmq.POLLOUT) == zmq.POLLIN | zmq.POLLOUT
    assert a.poll(0, 0) == 0


def test_a_subclass_may_have_its_own_poller(ctx: Any) -> None:
    """Socket.poll uses _poller_class."""

    class Mine(zmq.Poller):
        used = 0

        def poll(self, timeout: Any = None) -> Any:
            Mine.used += 1
            return super().poll(timeout)

    class Sock(zmq.Socket):
        _poller_class = Mine

    with Sock(ctx, zmq.PAIR) as sock:
        assert sock.poll(1) == 0
    assert Mine.used == 1


def test_the_descriptor_tells_of_events(pair: MakePair) -> None:
    """FD becomes readable when EVENTS may have changed; reading EVENTS quiets it."""
    a, b = pair(tcp=True)
    fd = b.fileno()
    b.get(zmq.EVENTS)
    while zmq.zmq_poll([(fd, zmq.POLLIN)], 50):
        b.get(zmq.EVENTS)
    a.send(b"x")
    for _ in range(100):
        assert zmq.zmq_poll([(fd, zmq.POLLIN)], 5000)
        if b.get(zmq.EVENTS) & zmq.POLLIN:
            break
    assert b.recv() == b"x"
