# SPDX-License-Identifier: MPL-2.0
"""SocketPoller (zmq_poller), zmq_poll with a mask of signals (zmq_ppoll), and what only some types know of a peer."""

from __future__ import annotations

import errno
import os
import signal
import socket as system_socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.helpers import MakePair, inproc_name, raises_errno, run_script
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, Stopwatch, ms, seconds, wait_until

# pyzmq has none of these.
pytestmark = pytest.mark.departs

IN, OUT, ERR, PRI = zmq.POLLIN, zmq.POLLOUT, zmq.POLLERR, zmq.POLLPRI


@pytest.fixture
def poller() -> Any:
    return zmq.SocketPoller()


@pytest.fixture
def plain() -> Iterator[tuple[system_socket.socket, system_socket.socket]]:
    """Two joined sockets of the system."""
    near, far = system_socket.socketpair()
    yield near, far
    near.close()
    far.close()


# -- the set


def test_what_is_registered(poller: Any, socket: Any, plain: Any) -> None:
    """Sockets and descriptors come and go; twice, or not at all, is EINVAL that names the thing."""
    sock, (near, _) = socket(zmq.PULL), plain
    assert poller.size() == len(poller) == 0
    poller.add(sock, IN)
    poller.add_fd(near, IN)
    assert poller.size() == 2
    with raises_errno(errno.EINVAL, "<Pull socket"):
        poller.add(sock, OUT)
    with raises_errno(errno.EINVAL, near.fileno()):
        poller.add_fd(near.fileno(), OUT)
    poller.modify(sock, OUT)
    poller.modify_fd(near.fileno(), 0)
    poller.remove(sock)
    poller.remove_fd(near)
    assert poller.size() == 0
    for call in (lambda: poller.modify(sock, IN), lambda: poller.remove(sock)):
        with raises_errno(errno.EINVAL, "<Pull socket"):
            call()
    for call in (lambda: poller.modify_fd(near, IN), lambda: poller.remove_fd(near)):
        with raises_errno(errno.EINVAL, near.fileno()):
            call()


def test_bad_arguments(poller: Any, socket: Any) -> None:
    """Events that do not exist, negative descriptors, closed sockets, and what is neither."""
    sock = socket(zmq.PULL)
    with raises_errno(errno.EINVAL, "0x10"):
        poller.add(sock, 16)
    with raises_errno(errno.EINVAL, "0x11"):
        poller.add_fd(0, 17)
    poller.add(sock)
    with raises_errno(errno.EINVAL, "0x20"):
        poller.modify(sock, 32)
    for call in (poller.add_fd, poller.remove_fd, lambda fd: poller.modify_fd(fd, IN)):
        with raises_errno(errno.EBADF, "-1"):
            call(-1)
    for bad in (5, "x", None):
        with pytest.raises(TypeError, match="to Socket"):
            poller.add(bad, IN)
    for bad in (sock, "x", None):
        with pytest.raises(TypeError):
            poller.add_fd(bad, IN)
    with raises_errno(errno.EINVAL, -1):
        poller.wait_all(-1, 0)
    with raises_errno(errno.EINVAL, "thread-safe"):
        _ = poller.fd
    sock.close()
    for call in (lambda: poller.add(sock), lambda: poller.modify(sock, IN)):
        with raises_errno(zmq.ENOTSOCK):
            call()


def test_a_closed_socket(poller: Any, socket: Any, plain: Any) -> None:
    """Waiting for it is ENOTSOCK; it can be removed, once, and the others go on."""
    sock, (near, far) = socket(zmq.PULL), plain
    poller.add(sock, IN)
    poller.add_fd(near, IN, "fd")
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        poller.wait(0)
    poller.remove(sock)
    with raises_errno(zmq.ENOTSOCK):
        poller.remove(sock)
    far.send(b"x")
    assert poller.wait(ms(1000)).user_data == "fd"


# -- waiting


def test_events_of_sockets(poller: Any, pair: MakePair) -> None:
    """wait tells one, wait_all all, in the order of registration, with the user's data."""
    left, right = pair()
    poller.add(left, IN | OUT, "left")
    poller.add(right, IN, ["right"])
    assert poller.wait() == (left, -1, "left", OUT)
    right.send(b"x")
    left.send(b"y")
    wait_until(lambda: right.poll(0) and left.poll(0))
    found = poller.wait_all()
    assert [(event.socket, event.user_data, event.events) for event in found] == [
        (left, "left", IN | OUT),
        (right, ["right"], IN),
    ]
    assert poller.wait().socket is left
    assert len(poller.wait_all(1)) == 1
    poller.modify(left, 0)
    assert [event.socket for event in poller.wait_all(5, 0)] == [right]


def test_events_of_descriptors(poller: Any, plain: Any) -> None:
    """A descriptor is told by its number; without user data None comes back."""
    near, far = plain
    poller.add_fd(near, IN)
    with pytest.raises(zmq.Again):
        poller.wait(0)
    far.send(b"x")
    assert poller.wait(ms(1000)) == (None, near.fileno(), None, IN)
    poller.modify_fd(near, IN | OUT)
    assert poller.wait_all(timeout=0) == [(None, near.fileno(), None, IN | OUT)]
    far.close()
    near.recv(1)
    assert poller.wait(ms(1000)).events & IN


def test_waiting_is_woken(poller: Any, pair: MakePair, plain: Any) -> None:
    """A message, or bytes, that come while it waits end the wait."""
    left, right = pair(tcp=True)
    near, far = plain
    poller.add(left, IN)
    poller.add_fd(near, IN)
    for send, socket, fd in ((lambda: right.send(b"x"), left, -1), (lambda: far.send(b"x"), None, near.fileno())):
        timer = threading.Timer(seconds(0.05), send)
        timer.start()
        event = poller.wait(ms(5000))
        assert (event.socket, event.fd, event.events) == (socket, fd, IN)
        timer.join()
        if socket is not None:
            left.recv()


def test_nothing_happens(poller: Any, socket: Any) -> None:
    """EAGAIN when the time is over, not earlier; EFAULT if it could only wait for nothing, for ever."""
    for timeout in (0, ms(30)):
        watch = Stopwatch()
        with pytest.raises(zmq.Again):
            poller.wait(timeout)
        assert watch.elapsed >= timeout / 1000
    with raises_errno(errno.EFAULT):
        poller.wait()
    sock = socket(zmq.PULL)
    poller.add(sock, 0)
    with raises_errno(errno.EFAULT):
        poller.wait(-1)
    poller.modify(sock, IN)
    watch = Stopwatch()
    with pytest.raises(zmq.Again):
        poller.wait(ms(30))
    assert watch.elapsed >= seconds(0.03)


def test_the_end_of_the_context(poller: Any) -> None:
    """ETERM ends the wait."""
    ctx = zmq.Context()
    sock = ctx.socket(zmq.PULL)
    poller.add(sock, IN)
    timer = threading.Timer(seconds(0.05), ctx.shutdown)
    timer.start()
    with pytest.raises(zmq.ContextTerminated):
        poller.wait(ms(5000))
    timer.join()
    sock.close()
    ctx.term()


# -- signals

needs_masks = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """Which SIGUSR1 and SIGUSR2 were handled."""
    seen: list[int] = []
    before = [
        (number, signal.signal(number, lambda n, _: seen.append(n))) for number in (signal.SIGUSR1, signal.SIGUSR2)
    ]
    yield seen
    for number, handler in before:
        signal.signal(number, handler)


def kill_soon(number: int) -> threading.Timer:
    """Send a signal to the calling thread, and not to whichever thread does not block it."""
    timer = threading.Timer(seconds(0.05), signal.pthread_kill, (threading.get_ident(), number))
    timer.start()
    return timer


@needs_masks
def test_a_signal_ends_a_wait_with_a_mask(socket: Any, handled: list[int]) -> None:
    """EINTR, after the handler has run; without a mask the wait goes on."""
    sock = socket(zmq.PULL)
    timer = kill_soon(signal.SIGUSR1)
    with pytest.raises(zmq.error.InterruptedSystemCall) as caught:
        zmq.zmq_poll([(sock, IN)], ms(5000), sigmask=())
    assert str(caught.value) == "Interrupted system call (by a signal that sigmask lets through)"
    assert handled == [signal.SIGUSR1]
    timer.join()
    timer = kill_soon(signal.SIGUSR1)
    watch = Stopwatch()
    assert zmq.zmq_poll([(sock, IN)], ms(150)) == []
    assert watch.elapsed >= seconds(0.15) and handled == [signal.SIGUSR1] * 2
    timer.join()


@needs_masks
def test_a_signal_that_waited_ends_it_at_once(socket: Any, handled: list[int]) -> None:
    """What was blocked and came before the wait is not lost: the point of ppoll."""
    sock = socket(zmq.PULL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        assert handled == []
        watch = Stopwatch()
        with pytest.raises(zmq.error.InterruptedSystemCall):
            zmq.zmq_poll([(sock, IN)], -1, sigmask=())
        assert handled == [signal.SIGUSR1] and watch.elapsed < PATIENCE
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR1}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


@needs_masks
def test_signals_in_the_mask_wait(pair: MakePair, handled: list[int]) -> None:
    """They are handled after the wait, whose result stands; the mask is then what it was."""
    left, right = pair()
    timer = kill_soon(signal.SIGUSR2)
    assert zmq.zmq_poll([(left, IN)], ms(150), {signal.SIGUSR2}) == []
    timer.join()
    assert handled == [signal.SIGUSR2]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    right.send(b"x")
    assert zmq.zmq_poll([(left, IN)], ms(5000), {signal.SIGUSR2}) == [(left, IN)]
    assert zmq.zmq_poll([], 0, {signal.SIGUSR2}) == []


def take(number: int) -> None:
    """Let the calling thread take a signal."""
    signal.pthread_kill(threading.get_ident(), number)


@needs_masks
def test_a_signal_in_the_mask_that_another_thread_takes(pair: MakePair, handled: list[int]) -> None:
    """Its handler runs, whoever watches for it is told, and the wait goes on for the rest of its time."""
    left, right = pair()
    near, far = system_socket.socketpair()
    near.setblocking(False)
    before = signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=False)
    try:
        timer = threading.Timer(seconds(0.05), take, (signal.SIGUSR1,))
        timer.start()
        watch = Stopwatch()
        assert zmq.zmq_poll([(left, IN)], ms(200), {signal.SIGUSR1}) == []
        assert watch.elapsed >= seconds(0.2) and handled == [signal.SIGUSR1]
        assert far.recv(10) == bytes([signal.SIGUSR1])
        timer.join()
        actions = [(take, signal.SIGUSR1), (right.send, b"x")]
        timer = threading.Timer(seconds(0.05), lambda: [act(argument) for act, argument in actions])
        timer.start()
        assert zmq.zmq_poll([(left, IN)], -1, {signal.SIGUSR1}) == [(left, IN)]
        timer.join()
        left.recv()
        timer = threading.Timer(seconds(0.05), lambda: [take(n) for n in (signal.SIGUSR1, signal.SIGUSR2)])
        timer.start()
        with pytest.raises(zmq.error.InterruptedSystemCall):
            zmq.zmq_poll([(left, IN)], -1, {signal.SIGUSR1})
        timer.join()
    finally:
        signal.set_wakeup_fd(before)
        near.close()
        far.close()


@needs_masks
def test_ctrl_c_ends_a_wait_with_a_mask(socket: Any) -> None:
    """A handler that raises does so out of the call; the mask and the wake-up descriptor are as before."""
    sock = socket(zmq.PULL)
    near, far = system_socket.socketpair()
    near.setblocking(False)
    before = signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=False)
    try:
        timer = kill_soon(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            zmq.zmq_poll([(sock, IN)], ms(5000), sigmask=())
        timer.join()
        assert far.recv(10) == bytes([signal.SIGINT])  # whoever watches that descriptor is told
    finally:
        assert signal.set_wakeup_fd(before) == near.fileno()
        near.close()
        far.close()


@needs_masks
def test_a_mask_in_another_thread(socket: Any, handled: list[int]) -> None:
    """There Python handles no signals: the mask holds, and the wait is not ended."""
    sock = socket(zmq.PULL)
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append((zmq.zmq_poll([(sock, IN)], ms(100), {signal.SIGUSR1}), _blocked()))
    )
    thread.start()
    os.kill(os.getpid(), signal.SIGUSR1)
    thread.join(PATIENCE)
    assert found == [([], set())]
    assert handled == [signal.SIGUSR1]


def _blocked() -> Any:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_system_without_masks(socket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOTSUP, as libzmq built without ppoll."""
    monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
    sock = socket(zmq.PULL)
    with raises_errno(zmq.ENOTSUP):
        zmq.zmq_poll([(sock, IN)], 0, sigmask=())


@needs_masks
def test_asyncio_keeps_its_signals() -> None:
    """A loop's own signal handlers run although the call borrowed its wake-up descriptor."""
    done = run_script(
        """
        import asyncio, signal, threading

        async def main():
            loop = asyncio.get_running_loop()
            seen = asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, seen.set)
            with zmq.Context() as ctx, ctx.socket(zmq.PULL) as sock:
                threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1)).start()
                try:
                    zmq.zmq_poll([(sock, zmq.POLLIN)], 5000, sigmask=())
                except zmq.error.InterruptedSystemCall:
                    await asyncio.wait_for(seen.wait(), 5)
                    print("fine")

        asyncio.run(main())
        """
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")


# -- timers


def test_timers_with_a_poll(socket: Any) -> None:
    """Timers tell how long to poll, and run what is due."""
    watch = Stopwatch()
    timers = zmq.Timers()
    ran: list[Any] = []
    timer = timers.add(ms(20), lambda timer_id, arg: ran.append((timer_id, arg)), "x")
    sock = socket(zmq.PULL)
    while not ran:
        sock.poll(timers.timeout())
        timers.execute()
    assert ran == [(timer, "x")] and watch.elapsed >= seconds(0.019)  # timers count whole milliseconds
    timers.set_interval(timer, ms(10_000))
    timers.reset(timer)
    timers.cancel(timer)
    assert timers.timeout() == -1
    with raises_errno(errno.EINVAL, timer):
        timers.cancel(timer)


# -- peers


def test_the_state_of_a_peer(socket: Any) -> None:
    """A ROUTER says whether a peer has room: POLLOUT, 0, or EHOSTUNREACH for strangers."""
    router, dealer = socket(zmq.ROUTER, sndhwm=1, router_mandatory=1), socket(zmq.DEALER, rcvhwm=1, routing_id=b"me")
    name = inproc_name()
    router.bind(name)
    dealer.connect(name)
    assert router.peer_state(b"me") == OUT
    with pytest.raises(zmq.Again):
        while True:
            router.send_multipart([b"me", b"x"], zmq.DONTWAIT)
    assert router.peer_state(b"me") == 0
    while dealer.poll(0):
        dealer.recv()
    assert router.peer_state(b"me") == OUT
    with raises_errno(zmq.EHOSTUNREACH, "b'you'"):
        router.peer_state(b"you")
    router.close()
    with raises_errno(zmq.ENOTSOCK):
        router.peer_state(b"me")


@pytest.mark.parametrize(
    "kind", ["PUSH", "PULL", "PUB", "SUB", "REQ", "DEALER", "PAIR", "XPUB", "XSUB", "ROUTER", "REP"]
)
def test_types_that_know_no_peers(socket: Any, kind: str) -> None:
    """connect_peer and disconnect_peer are for PEER and SERVER, peer_state for ROUTER and REP: else ENOTSUP."""
    sock = socket(getattr(zmq, kind))
    with raises_errno(zmq.ENOTSUP, kind):
        sock.connect_peer("tcp://127.0.0.1:1")
    with raises_errno(zmq.ENOTSUP, kind):
        sock.disconnect_peer(1)
    if kind not in ("ROUTER", "REP"):
        with raises_errno(zmq.ENOTSUP, kind):
            sock.peer_state(b"x")
    with pytest.raises(RuntimeError, match="draft"):
        sock.join("group")
    with pytest.raises(RuntimeError, match="draft"):
        sock.leave("group")
