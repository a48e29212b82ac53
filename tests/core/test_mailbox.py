# SPDX-License-Identifier: MPL-2.0
"""Many writers, one reader: nothing is lost, few signals are sent, and the descriptor tells the truth."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from libzmq_py.core import signaler as signaler_module
from libzmq_py.core.mailbox import Mailbox
from tests.core.fakes import is_ringing
from tests.support.waiting import PATIENCE, Deadline, Stopwatch, ms, seconds, wait_until


def command(number: int) -> Any:
    """Something that can be told apart; the mailbox does not look inside."""
    return ("destination", "kind", (number,))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def watched(mailbox: Mailbox) -> Mailbox:
    """A mailbox whose descriptor is watched from outside, as after getsockopt(FD)."""
    mailbox.keep_armed = True
    mailbox.recv_nothing()
    return mailbox


@pytest.fixture
def fast_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class CountingBell:
    """Stands before a mailbox's signaler and counts."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._real: Any = mailbox._signaler
        self.rings = 0
        self.waits = 0
        self.limit = 1 << 60
        mailbox._signaler = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self) -> None:
        self.rings += 1
        self._real.send()

    def wait(self, timeout: int) -> bool:
        self.waits += 1
        if self.waits > self.limit:
            raise AssertionError(f"the reader spins: {self.waits} waits")
        woken: bool = self._real.wait(timeout)
        return woken


def test_commands_come_out_in_order(mailbox: Mailbox) -> None:
    """Of one writer: first in, first out; then nothing."""
    for n in range(100):
        mailbox.send(command(n))
    assert [mailbox.recv(0) for _ in range(100)] == [command(n) for n in range(100)]
    assert mailbox.recv(0) is None


def test_recv_waits_its_time(mailbox: Mailbox) -> None:
    """None after the milliseconds given, and not before."""
    watch = Stopwatch()
    assert mailbox.recv(ms(30)) is None
    assert seconds(0.029) <= watch.elapsed < PATIENCE


def test_recv_is_woken_by_a_command(mailbox: Mailbox) -> None:
    """An endless wait ends with the command of another thread."""
    timer = threading.Timer(seconds(0.02), mailbox.send, (command(1),))
    timer.start()
    assert mailbox.recv(-1) == command(1)
    timer.join()


def test_a_reader_that_is_awake_costs_no_signal(mailbox: Mailbox) -> None:
    """Commands to a reader that does not sleep ring no bell."""
    bell = CountingBell(mailbox)
    for n in range(10):
        mailbox.send(command(n))
    assert bell.rings == 0


def test_a_sleeping_reader_costs_one_signal(mailbox: Mailbox) -> None:
    """The first of many commands rings, the others see that it has been done."""
    bell = CountingBell(mailbox)
    assert mailbox.arm()
    for n in range(10):
        mailbox.send(command(n))
    assert bell.rings == 1
    mailbox.silence()
    mailbox.disarm()
    assert not is_ringing(mailbox)
    assert mailbox.recv(0) == command(0)


def test_arm_finds_a_command_that_is_there(mailbox: Mailbox) -> None:
    """A reader may not wait when a command came before it lay down."""
    mailbox.send(command(1))
    assert not mailbox.arm()
    mailbox.disarm()
    assert mailbox.recv(0) == command(1)


def test_a_late_ring_does_not_make_the_reader_spin(mailbox: Mailbox) -> None:
    """A reader wakes by other means while a writer stands between taking the token and ringing.

    The ring that comes after the reader has looked may end its next wait for nothing, but not again and again until
    some later command.
    """
    assert mailbox.arm()
    in_between, go_on = threading.Event(), threading.Event()
    real_send = mailbox._signaler.send

    def slow_send() -> None:
        in_between.set()
        assert go_on.wait(PATIENCE)
        real_send()

    mailbox._signaler.send = slow_send
    writer = threading.Thread(target=mailbox.send, args=(command(1),))
    writer.start()
    assert in_between.wait(PATIENCE)
    threading.Timer(seconds(0.02), go_on.set).start()
    mailbox.disarm()  # a time-out, or another descriptor, has woken the reader
    assert mailbox.recv(0) == command(1)
    writer.join()
    bell = CountingBell(mailbox)
    bell.limit = 10
    assert mailbox.recv(ms(20)) is None


@pytest.mark.usefixtures("fast_switching")
@pytest.mark.parametrize("has_eventfd", [True, False])
def test_many_writers_lose_nothing(monkeypatch: pytest.MonkeyPatch, has_eventfd: bool) -> None:
    """8 threads, 5000 commands each: all arrive, each writer's in order, with at most one signal per sleep."""
    monkeypatch.setattr(signaler_module, "_HAS_EVENTFD", has_eventfd and signaler_module._HAS_EVENTFD)
    writers, count = 8, 5000
    mailbox = Mailbox()
    bell = CountingBell(mailbox)

    def write(writer: int) -> None:
        for n in range(count):
            mailbox.send(command(writer * count + n))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    last = [-1] * writers
    received = 0
    while received < writers * count:
        got = mailbox.recv(ms(5000))
        assert got is not None, f"lost wake-up after {received} commands"
        writer, n = divmod(got[2][0], count)  # type: ignore[call-overload]
        assert n == last[writer] + 1
        last[writer] = n
        received += 1
    for thread in threads:
        thread.join()
    assert mailbox.recv(0) is None
    assert bell.rings <= bell.waits
    mailbox.close()


@pytest.mark.usefixtures("fast_switching")
def test_ping_pong_between_two_mailboxes() -> None:
    """Two threads that always wait for each other: 5000 rounds without a lost wake-up."""
    rounds = 5000
    here, there = Mailbox(), Mailbox()

    def answer() -> None:
        for _ in range(rounds):
            got = there.recv(ms(5000))
            if got is None:
                return
            here.send(got)

    thread = threading.Thread(target=answer)
    thread.start()
    for n in range(rounds):
        there.send(command(n))
        assert here.recv(ms(5000)) == command(n), f"lost in round {n}"
    thread.join()
    here.close()
    there.close()


# --- ZMQ_FD: keep_armed ----------------------------------------------------------------------------------------------


def test_a_watched_descriptor_is_silent_when_there_is_nothing(watched: Mailbox) -> None:
    """Armed and empty: not readable."""
    assert not is_ringing(watched)


def test_a_watched_descriptor_rings_for_a_command(watched: Mailbox) -> None:
    """Each command that finds the mailbox watched and empty makes the descriptor readable."""
    for n in range(3):
        watched.send(command(n))
        assert is_ringing(watched)
        assert watched.recv(0) == command(n)
        assert watched.recv(0) is None
        assert not is_ringing(watched)


def test_it_rings_at_once_for_what_came_before(mailbox: Mailbox) -> None:
    """A command that was there before the descriptor was asked for is not overlooked."""
    mailbox.send(command(1))
    mailbox.keep_armed = True
    mailbox.recv_nothing()
    assert is_ringing(mailbox)


def test_it_stays_watched_after_a_blocking_recv(watched: Mailbox) -> None:
    """A recv that waited and found nothing leaves the descriptor armed."""
    assert watched.recv(5) is None
    watched.send(command(1))
    assert is_ringing(watched)


def test_it_stays_watched_after_a_blocking_recv_that_found_something(watched: Mailbox) -> None:
    """Once everything has been read, the next command rings again."""
    timer = threading.Timer(seconds(0.01), watched.send, (command(1),))
    timer.start()
    assert watched.recv(-1) == command(1)
    timer.join()
    assert watched.recv(0) is None
    watched.send(command(2))
    assert is_ringing(watched)


def test_it_stays_watched_after_ctrl_c_in_a_wait(watched: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recv that Ctrl-C ends leaves the descriptor as it was: the next command rings."""

    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    bell = CountingBell(watched)
    bell.wait = interrupted  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        watched.recv(-1)
    watched._signaler = bell._real
    watched.send(command(1))
    assert is_ringing(watched)


def test_a_watcher_outside_misses_nothing(watched: Mailbox) -> None:
    """An event loop that waits on the descriptor only, and then reads to the end, gets every command."""
    total = 3000

    def write() -> None:
        for n in range(total):
            watched.send(command(n))

    writer = threading.Thread(target=write)
    writer.start()
    received = 0
    deadline = Deadline()
    while received < total:
        assert watched._signaler.wait(deadline.remaining_ms()), f"silent after {received} commands"
        while watched.recv(0) is not None:
            received += 1
    writer.join()


# --- interruptions and the end ---------------------------------------------------------------------------------------


def test_ctrl_c_between_token_and_bell_rings_all_the_same(mailbox: Mailbox) -> None:
    """A writer interrupted after it took the token rings before it raises: the reader is not left asleep."""

    class Interrupting(list):  # type: ignore[type-arg]
        def pop(self, *_: Any) -> Any:
            super().pop()
            raise KeyboardInterrupt

    mailbox._asleep = Interrupting()
    assert mailbox.arm()
    with pytest.raises(KeyboardInterrupt):
        mailbox.send(command(1))
    assert is_ringing(mailbox)


def test_ctrl_c_behind_the_append_rings_all_the_same(mailbox: Mailbox) -> None:
    """A writer interrupted after it queued the command wakes the reader before it raises.

    The interpreter looks for signals when a call returns, so just behind `append` is where Ctrl-C strikes.
    """

    class Interrupting:
        def __init__(self) -> None:
            self.items: list[Any] = []

        def append(self, item: Any) -> None:
            self.items.append(item)
            raise KeyboardInterrupt

        def clear(self) -> None:
            self.items.clear()

        def __bool__(self) -> bool:
            return bool(self.items)

    mailbox.commands = Interrupting()  # type: ignore[assignment]
    assert mailbox.arm()
    with pytest.raises(KeyboardInterrupt):
        mailbox.send(command(1))
    assert is_ringing(mailbox), "the command waits and nobody will come for it"


def test_a_command_to_a_closed_mailbox_is_dropped() -> None:
    """A sender that is late by a moment does not touch a descriptor that is gone."""
    mailbox = Mailbox()
    mailbox.arm()
    mailbox.close()
    mailbox.send(command(1))
    mailbox.close()
    assert mailbox.fd == -1


def test_close_waits_for_a_sender_that_is_ringing(mailbox: Mailbox) -> None:
    """The descriptor is not closed under a writer between token and bell (it might be another file by then)."""
    mailbox.arm()
    in_between, go_on = threading.Event(), threading.Event()
    real_send = mailbox._signaler.send
    fds: list[int] = []

    def slow_send() -> None:
        in_between.set()
        assert go_on.wait(PATIENCE)
        fds.append(mailbox.fd)
        real_send()

    mailbox._signaler.send = slow_send
    writer = threading.Thread(target=mailbox.send, args=(command(1),))
    writer.start()
    assert in_between.wait(PATIENCE)
    closer = threading.Thread(target=mailbox.close)
    closer.start()
    go_on.set()
    closer.join(PATIENCE)
    writer.join(PATIENCE)
    assert fds and fds[0] >= 0
    wait_until(lambda: mailbox.fd == -1)
