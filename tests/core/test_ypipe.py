# SPDX-License-Identifier: MPL-2.0
"""The queue of one writer and one reader, its 'asleep' token, and the queue of one place."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.core.ypipe import YPipe
from libzmq_py.core.ypipe_conflate import YPipeConflate
from tests.support.waiting import PATIENCE


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads change places as often as the interpreter can manage, to meet every interleaving."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_items_come_out_in_order() -> None:
    """First in, first out."""
    pipe: YPipe[int] = YPipe()
    for item in range(1000):
        pipe.write(item)
    assert [pipe.read() for _ in range(1000)] == list(range(1000))


def test_a_fresh_queue_counts_as_reader_awake() -> None:
    """The first flush asks for no wake-up, as no reader has found the queue empty yet."""
    pipe: YPipe[int] = YPipe()
    pipe.write(1)
    assert pipe.flush()
    assert pipe.check_read()


def test_an_empty_look_puts_the_reader_to_sleep() -> None:
    """After a read that found nothing exactly one flush hands over the duty to wake the reader."""
    pipe: YPipe[int] = YPipe()
    assert pipe.read() is None
    pipe.write(1)
    assert not pipe.flush()
    assert pipe.flush()
    pipe.write(2)
    assert pipe.flush()


def test_looking_twice_leaves_one_token() -> None:
    """A reader that looks again and again owes its writer one wake-up only."""
    pipe: YPipe[int] = YPipe()
    for _ in range(3):
        assert not pipe.check_read()
    assert len(pipe.asleep) == 1


def test_check_read_takes_nothing() -> None:
    """check_read() leaves the item where it is."""
    pipe: YPipe[int] = YPipe()
    pipe.write(7)
    assert pipe.check_read() and pipe.check_read()
    assert pipe.read() == 7


def test_a_writer_between_token_and_second_look_is_seen() -> None:
    """An item that arrives while the reader goes to sleep is found by its second look, and its token is gone."""

    class Racing(list):  # type: ignore[type-arg]
        def append(self, token: bool) -> None:
            super().append(token)
            pipe.write(1)

    pipe: YPipe[int] = YPipe()
    pipe.asleep = Racing()
    assert pipe.check_read()
    assert pipe.asleep == []
    assert pipe.flush(), "no wake-up for a reader that is awake"


def test_the_quicker_thread_takes_the_token() -> None:
    """A writer that saw the token but finds it gone owes no wake-up."""

    class Vanishing(list):  # type: ignore[type-arg]
        def __bool__(self) -> bool:
            return True

    pipe: YPipe[int] = YPipe()
    pipe.asleep = Vanishing()
    assert pipe.flush()


@given(st.lists(st.sampled_from(["write", "flush", "read", "check"]), max_size=60))
def test_any_order_of_steps_agrees_with_the_protocol(steps: list[str]) -> None:
    """Against a model: a flush is False exactly once after each empty look, and nothing is lost or doubled."""
    pipe: YPipe[int] = YPipe()
    model: list[int] = []
    asleep = False
    count = 0
    for step in steps:
        if step == "write":
            count += 1
            pipe.write(count)
            model.append(count)
        elif step == "flush":
            assert pipe.flush() is not asleep
            asleep = False
        elif step == "read":
            assert pipe.read() == (model.pop(0) if model else None)
            asleep = bool(pipe.asleep)
        else:
            assert pipe.check_read() is bool(model)
            asleep = asleep or not model
        assert bool(pipe.asleep) is asleep


@pytest.mark.usefixtures("fast_switching")
def test_two_threads_lose_nothing_and_wake_once_per_sleep() -> None:
    """100 000 items through two threads: all arrive in order, each sleep gets exactly one wake-up."""
    total = 100_000
    pipe: YPipe[int] = YPipe()
    wake = threading.Semaphore(0)
    signals = sleeps = 0
    received: list[int] = []

    def write() -> None:
        nonlocal signals
        for item in range(total):
            pipe.write(item)
            if not pipe.flush():
                signals += 1
                wake.release()

    writer = threading.Thread(target=write)
    writer.start()
    while len(received) < total:
        item = pipe.read()
        if item is not None:
            received.append(item)
            continue
        sleeps += 1
        assert wake.acquire(timeout=PATIENCE), f"lost wake-up after {len(received)} items"
    writer.join()
    assert received == list(range(total))
    assert signals == sleeps
    assert not wake.acquire(blocking=False)


def test_conflate_keeps_the_newest_only() -> None:
    """A queue of one place gives the last item written."""
    pipe: YPipeConflate[int] = YPipeConflate()
    for item in range(5):
        pipe.write(item)
    assert pipe.read() == 4
    assert pipe.read() is None


def test_conflate_wakes_a_sleeping_reader_once() -> None:
    """The token works as in the ordinary queue."""
    pipe: YPipeConflate[int] = YPipeConflate()
    assert pipe.read() is None
    pipe.write(1)
    assert not pipe.flush()
    pipe.write(2)
    assert pipe.flush()
    assert pipe.read() == 2


@pytest.mark.usefixtures("fast_switching")
def test_conflate_with_two_threads_ends_with_the_newest() -> None:
    """Whatever the reader misses, values only go forward and the last one is seen."""
    total = 50_000
    pipe: YPipeConflate[int] = YPipeConflate()
    wake = threading.Semaphore(0)

    def write() -> None:
        for item in range(total):
            pipe.write(item)
            if not pipe.flush():
                wake.release()

    writer = threading.Thread(target=write)
    writer.start()
    last = -1
    while last < total - 1:
        item = pipe.read()
        if item is None:
            assert wake.acquire(timeout=PATIENCE), f"lost wake-up after {last}"
        else:
            assert item > last
            last = item
    writer.join()
