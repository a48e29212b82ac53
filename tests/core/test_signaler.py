# SPDX-License-Identifier: MPL-2.0
"""The alarm bell, with eventfd and poll and with what stands in for them elsewhere."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from libzmq_py.core import signaler as signaler_module
from libzmq_py.core.signaler import Signaler
from tests.support.waiting import PATIENCE, Stopwatch, ms, seconds


@pytest.fixture(params=["eventfd", "socketpair"])
def bell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Signaler]:
    """A signaler of either kind."""
    if request.param == "socketpair":
        monkeypatch.setattr(signaler_module, "_HAS_EVENTFD", False)
    elif not hasattr(os, "eventfd"):
        pytest.skip("this system has no eventfd")
    signaler = Signaler()
    yield signaler
    signaler.close()


def test_a_fresh_bell_is_silent(bell: Signaler) -> None:
    """A signaler that nobody rang is not readable."""
    assert not bell.wait(0)


def is_readable(bell: Signaler) -> bool:
    return bool(select.select([bell.fd], [], [], 0)[0])


def test_ringing_makes_it_readable_until_drained(bell: Signaler) -> None:
    """After send() whoever watches the descriptor finds it readable, until drain()."""
    bell.send()
    assert is_readable(bell)
    assert is_readable(bell)
    bell.drain()
    assert not is_readable(bell)


def test_a_wait_takes_the_signal(bell: Signaler) -> None:
    """One signal ends one wait; the next one needs another."""
    bell.send()
    assert bell.wait(-1)
    assert not bell.wait(0)
    bell.send()
    assert bell.wait(-1)


def test_a_wait_without_a_descriptor_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bell that cannot open its epoll waits all the same."""

    def no_epoll() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(select, "epoll", no_epoll)
    bell = Signaler()
    try:
        bell.send()
        assert bell.wait(-1)
        assert not bell.wait(0)
    finally:
        bell.close()


def test_one_drain_silences_any_number_of_rings(bell: Signaler) -> None:
    """Signals do not pile up: a thousand are gone with one drain()."""
    for _ in range(1000):
        bell.send()
    bell.drain()
    assert not bell.wait(0)


def test_draining_a_silent_bell_does_nothing(bell: Signaler) -> None:
    """drain() neither blocks nor raises when nobody rang."""
    bell.drain()
    assert not bell.wait(0)


def test_the_descriptor_can_be_polled_from_outside(bell: Signaler) -> None:
    """`fd` is what ZMQ_FD needs: readable exactly while the bell rings."""
    assert select.select([bell.fd], [], [], 0)[0] == []
    bell.send()
    assert select.select([bell.fd], [], [], 0)[0] == [bell.fd]


def test_a_wait_ends_at_its_time(bell: Signaler) -> None:
    """wait() gives up after its milliseconds, and not before."""
    watch = Stopwatch()
    assert not bell.wait(ms(30))
    assert seconds(0.029) <= watch.elapsed < PATIENCE


def test_a_wait_ends_with_the_signal_of_another_thread(bell: Signaler) -> None:
    """A sleeping waiter is woken by another thread's send()."""
    timer = threading.Timer(seconds(0.02), bell.send)
    timer.start()
    assert bell.wait(ms(5000))
    timer.join()


def test_a_wait_without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no poll(), select() does the same."""
    monkeypatch.delattr(select, "poll")
    monkeypatch.delattr(select, "epoll")
    bell = Signaler()
    try:
        assert not bell.wait(0)
        assert not bell.wait(5)
        bell.send()
        assert bell.wait(-1)
        assert not bell.wait(0)
    finally:
        bell.close()


def test_ctrl_c_ends_a_wait_at_once(bell: Signaler) -> None:
    """A signal whose handler raises ends even an endless wait."""
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(seconds(0.05), signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        bell.wait(-1)
    timer.join()


def test_a_full_buffer_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socketpair full of signals is readable, so one more changes nothing and does not block."""
    monkeypatch.setattr(signaler_module, "_HAS_EVENTFD", False)
    bell = Signaler()
    try:
        assert bell._writer is not None
        with pytest.raises(BlockingIOError):
            while True:
                bell._writer.send(b"\0" * 65536)
        bell.send()
        assert bell.wait(0)
    finally:
        bell.close()


def test_close_gives_the_descriptors_back_once(bell: Signaler) -> None:
    """close() may be called again; the descriptor is closed by the first."""
    fd = bell.fd
    bell.close()
    bell.close()
    assert bell.fd == -1
    with pytest.raises(OSError):
        os.fstat(fd)


@pytest.mark.parametrize("has_eventfd", [True, False])
def test_no_descriptor_left_is_an_oserror(monkeypatch: pytest.MonkeyPatch, has_eventfd: bool) -> None:
    """Running out of descriptors is an OSError of its kind and leaves nothing open."""
    monkeypatch.setattr(signaler_module, "_HAS_EVENTFD", has_eventfd and hasattr(os, "eventfd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Signaler()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(os.listdir("/proc/self/fd")) == before
