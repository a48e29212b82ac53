# SPDX-License-Identifier: MPL-2.0
"""zmq_poll on core sockets and descriptors."""

from __future__ import annotations

import select
import socket as pysocket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py import socket_poller
from libzmq_py.constants import SocketOption, SocketType
from libzmq_py.ctx import Ctx
from libzmq_py.errors import Again, ContextTerminated
from libzmq_py.socket_poller import POLLERR, POLLIN, POLLOUT, POLLPRI, SocketPoller, zmq_poll, zmq_ppoll
from tests.support.waiting import PATIENCE, Stopwatch, ms, seconds, wait_until
from tests.test_ctx import terminate

PAIR, PUSH, PULL, PUB = SocketType.PAIR, SocketType.PUSH, SocketType.PULL, SocketType.PUB


@pytest.fixture(params=["poll", "select"], autouse=True)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test also as on a system without poll()."""
    name: str = request.param
    if name == "select":
        monkeypatch.delattr(select, "poll", raising=False)
    return name


@pytest.fixture
def ctx() -> Iterator[Ctx]:
    made = Ctx()
    yield made
    for socket in list(made._sockets):
        if not socket.closed:
            socket.options.linger = 0
            socket.close()
    terminate(made)


@pytest.fixture
def pair(ctx: Ctx) -> tuple[Any, Any]:
    """Two joined PAIR sockets."""
    a, b = ctx.create_socket(PAIR), ctx.create_socket(PAIR)
    a.bind("inproc://pair")
    b.connect("inproc://pair")
    return a, b


@pytest.fixture
def plain() -> Iterator[tuple[pysocket.socket, pysocket.socket]]:
    """Two joined sockets of the system."""
    near, far = pysocket.socketpair()
    yield near, far
    near.close()
    far.close()


def later(call: Callable[[], Any], delay: float = 0.02) -> threading.Timer:
    timer = threading.Timer(seconds(delay), call)
    timer.start()
    return timer


def test_nothing_to_poll() -> None:
    """No items: the time passes, or nothing happens."""
    assert zmq_poll([], 0) == []
    watch = Stopwatch()
    assert zmq_poll([], ms(20)) == []
    assert watch.elapsed >= seconds(0.019)


def test_readiness_of_sockets(pair: tuple[Any, Any]) -> None:
    """Index and events, of what was asked for only."""
    a, b = pair
    assert zmq_poll([(a, POLLIN), (b, POLLIN)], 0) == []
    assert zmq_poll([(a, POLLIN | POLLOUT), (b, 0)], 0) == [(0, POLLOUT)]
    a.send(b"x")
    assert zmq_poll([(a, POLLIN), (b, POLLIN | POLLOUT)], 0) == [(1, POLLIN | POLLOUT)]
    assert b.recv() == b"x"
    assert zmq_poll([(b, POLLIN)], 0) == []


def test_readiness_of_descriptors(plain: tuple[Any, Any]) -> None:
    """Numbers are descriptors of the system."""
    near, far = plain
    assert zmq_poll([(near.fileno(), POLLIN)], 0) == []
    assert zmq_poll([(near.fileno(), POLLIN | POLLOUT)], 0) == [(0, POLLOUT)]
    far.send(b"x")
    assert zmq_poll([(near.fileno(), POLLIN | POLLOUT)], 0) == [(0, POLLIN | POLLOUT)]


def test_order_is_that_of_the_items(pair: tuple[Any, Any], plain: tuple[Any, Any]) -> None:
    """Sockets and descriptors mixed, one of them twice."""
    a, b = pair
    near, far = plain
    a.send(b"x")
    far.send(b"x")
    items = [(near.fileno(), POLLIN), (b, POLLIN), (far.fileno(), POLLIN), (near.fileno(), POLLOUT), (b, POLLOUT)]
    assert zmq_poll(items, -1) == [(0, POLLIN), (1, POLLIN), (3, POLLOUT), (4, POLLOUT)]


def test_it_waits_for_a_message(pair: tuple[Any, Any]) -> None:
    """An endless wait ends when one of the sockets can be read."""
    a, b = pair
    timer = later(lambda: a.send(b"x"))
    assert zmq_poll([(b, POLLIN)], -1) == [(0, POLLIN)]
    timer.join()


def test_it_waits_for_room(ctx: Ctx) -> None:
    """POLLOUT of a full socket comes when its reader has read."""
    push, pull = ctx.create_socket(PUSH), ctx.create_socket(PULL)
    push.setsockopt(SocketOption.SNDHWM, 1)
    pull.setsockopt(SocketOption.RCVHWM, 1)
    pull.bind("inproc://a")
    push.connect("inproc://a")
    while zmq_poll([(push, POLLOUT)], 0):
        push.send(b"x")
    timer = later(lambda: (pull.recv(), pull.recv()))
    assert zmq_poll([(push, POLLOUT)], ms(5000)) == [(0, POLLOUT)]
    timer.join()


def test_it_waits_for_a_descriptor(pair: tuple[Any, Any], plain: tuple[Any, Any]) -> None:
    """A descriptor among sockets ends the wait."""
    near, far = plain
    timer = later(lambda: far.send(b"x"))
    assert zmq_poll([(pair[1], POLLIN), (near.fileno(), POLLIN)], -1) == [(1, POLLIN)]
    timer.join()


def test_it_gives_up_in_time(pair: tuple[Any, Any]) -> None:
    """The milliseconds given, though commands that bring nothing arrive in between."""
    a, b = pair
    watch = Stopwatch()
    assert zmq_poll([(a, POLLIN), (b, POLLIN)], ms(40)) == []
    assert seconds(0.039) <= watch.elapsed < PATIENCE


def test_a_subscriber_is_not_ready_for_what_it_filters(ctx: Ctx) -> None:
    """Messages that no subscription lets through wake the socket and are no event."""
    pub, sub = ctx.create_socket(PUB), ctx.create_socket(SocketType.SUB)
    sub.setsockopt(SocketOption.SUBSCRIBE, b"a")
    sub.setsockopt(SocketOption.INVERT_MATCHING, 0)
    pub.bind("inproc://a")
    sub.connect("inproc://a")

    def publish() -> None:
        pub.send(b"b")
        pub.send(b"abc")

    wait_until(lambda: (pub.send(b"a0"), zmq_poll([(sub, POLLIN)], 5))[1])
    while zmq_poll([(sub, POLLIN)], 0):
        sub.recv()
    timer = later(publish)
    assert zmq_poll([(sub, POLLIN)], ms(5000)) == [(0, POLLIN)]
    assert sub.recv() == b"abc"
    timer.join()


def test_the_end_of_the_context(ctx: Ctx, pair: tuple[Any, Any]) -> None:
    """A wait ends with ETERM; so does every later one."""
    timer = later(ctx.shutdown)
    for _ in range(2):
        with pytest.raises(ContextTerminated):
            zmq_poll([(pair[0], POLLIN)], -1)
    timer.join()


def test_a_broken_descriptor(plain: tuple[Any, Any], system: str) -> None:
    """A hang-up shows as readable; POLLERR comes unasked where poll() tells of it."""
    near, far = plain
    far.close()
    events = dict(zmq_poll([(near.fileno(), POLLIN)], ms(1000)))[0]
    assert events & POLLIN
    if system == "poll":
        assert events & POLLERR


def test_urgent_data(system: str) -> None:
    """POLLPRI for out-of-band bytes, where the system has poll(); select() as used here does not tell of them."""
    expected = [(0, POLLPRI)] if system == "poll" else []
    with pysocket.create_server(("127.0.0.1", 0)) as server:
        with pysocket.create_connection(server.getsockname()) as client, server.accept()[0] as accepted:
            assert zmq_poll([(accepted.fileno(), POLLPRI)], 0) == []
            client.send(b"!", pysocket.MSG_OOB)
            assert zmq_poll([(accepted.fileno(), POLLPRI)], ms(5000) if expected else ms(20)) == expected


def test_a_polled_socket_stays_cheap(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between polls a command rings no bell: the mailbox is armed for the wait only."""
    a, b = pair
    zmq_poll([(b, POLLIN)], 1)
    rings: list[bool] = []
    real = b.mailbox._signaler.send
    b.mailbox._signaler.send = lambda: (rings.append(True), real())
    assert b.xrecv() is None
    a.send(b"x")
    assert rings == []
    assert zmq_poll([(b, POLLIN)], 0) == [(0, POLLIN)]


def test_a_socket_whose_fd_is_watched_stays_watched(pair: tuple[Any, Any]) -> None:
    """After a poll, one that was interrupted too, ZMQ_FD rings for the next message."""
    a, b = pair
    fd = b.getsockopt(SocketOption.FD)
    assert zmq_poll([(b, POLLIN)], 5) == []
    assert b.getsockopt(SocketOption.EVENTS) & POLLIN == 0
    a.send(b"1")
    assert select.select([fd], [], [], PATIENCE)[0] == [fd]
    assert b.recv() == b"1"


def test_ctrl_c_leaves_a_watched_fd_watched(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that Ctrl-C ends leaves ZMQ_FD as it was."""
    a, b = pair
    fd = b.getsockopt(SocketOption.FD)
    assert b.getsockopt(SocketOption.EVENTS) & POLLIN == 0
    real = socket_poller._poll_fds
    with monkeypatch.context() as patch:

        def interrupted(fds: Any, timeout: int) -> Any:
            if timeout:
                raise KeyboardInterrupt
            return real(fds, timeout)

        patch.setattr(socket_poller, "_poll_fds", interrupted)
        with pytest.raises(KeyboardInterrupt):
            zmq_poll([(b, POLLIN), (a, POLLIN)], -1)
    a.send(b"x")
    assert select.select([fd], [], [], 0.5)[0] == [fd]


def test_polling_while_many_write(ctx: Ctx) -> None:
    """One poller, several writers: every message is seen, without a poll that waits in vain."""
    total, writers = 500, 3
    pulls = [ctx.create_socket(PULL) for _ in range(writers)]
    for n, pull in enumerate(pulls):
        pull.bind(f"inproc://{n}")

    def write(n: int) -> None:
        push = ctx.create_socket(PUSH)
        push.connect(f"inproc://{n}")
        for _ in range(total):
            push.send(b"x")
        push.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    received = 0
    while received < total * writers:
        ready = zmq_poll([(pull, POLLIN) for pull in pulls], ms(5000))
        assert ready, f"silent after {received}"
        for index, _ in ready:
            pulls[index].recv()
            received += 1
    for thread in threads:
        thread.join()


# -- SocketPoller (more of it by way of the face, in api/test_socket_poller.py)


def test_a_poller_finds_sockets_and_descriptors(pair: tuple[Any, Any], plain: Any) -> None:
    """Each is told with its user data, in the order of registration; a limit cuts the rest off."""
    (a, b), (near, far) = pair, plain
    poller = SocketPoller()
    poller.add_fd(near.fileno(), "fd", POLLIN | POLLOUT)
    poller.add(a, "a", POLLIN)
    poller.add(b, "b", 0)
    assert poller.wait(5, 0) == [(None, near.fileno(), "fd", POLLOUT)]
    poller.modify_fd(near.fileno(), POLLIN)
    with pytest.raises(Again):
        poller.wait(5, ms(10))
    b.send(b"x")
    far.send(b"x")
    wait_until(lambda: len(poller.wait(5, ms(1000))) == 2)
    assert poller.wait(1, 0) == [(None, near.fileno(), "fd", POLLIN)]
    poller.remove_fd(near.fileno())
    assert poller.wait(5, 0) == [(a, -1, "a", POLLIN)]
    poller.remove(a)
    assert poller.size() == 1


def test_signals_and_a_mask(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """zmq_ppoll gives what zmq_poll does when no signal comes."""
    a, b = pair
    assert zmq_ppoll([(a, POLLIN)], ms(10), set()) == []
    b.send(b"x")
    assert zmq_ppoll([(a, POLLIN)], ms(1000), set()) == [(0, POLLIN)]
