# SPDX-License-Identifier: MPL-2.0
"""Fair queueing against libzmq's swap rules (internals 6.1)."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.sockets.fq import FQ


class FakePipe:
    """A pipe that holds messages; an empty look puts it to sleep, as a real one."""

    # What the queue looks at by itself; no credit is ever due.
    _msgs_read = 0
    _credit_at = sys.maxsize

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: deque[bytes] = deque()
        self.asleep = False

    @property
    def _in_active(self) -> bool:
        return not self.asleep

    @property
    def _in_queue(self) -> deque[bytes]:
        return self.messages

    def _look_again(self) -> bool:
        self.asleep = not self.messages
        return not self.asleep

    def check_read(self) -> bool:
        return self._in_active and (bool(self.messages) or self._look_again())

    def __repr__(self) -> str:
        return self.name


class Model:
    """fq_t, written down from the table of operations; single-frame messages."""

    def __init__(self) -> None:
        self.pipes: list[FakePipe] = []
        self.active = self.current = 0

    def swap(self, i: int, j: int) -> None:
        self.pipes[i], self.pipes[j] = self.pipes[j], self.pipes[i]

    def attach(self, pipe: FakePipe) -> None:
        self.pipes.append(pipe)
        self.swap(self.active, len(self.pipes) - 1)
        self.active += 1

    def activated(self, pipe: FakePipe) -> None:
        self.swap(self.pipes.index(pipe), self.active)
        self.active += 1

    def terminated(self, pipe: FakePipe) -> None:
        index = self.pipes.index(pipe)
        if index < self.active:
            self.active -= 1
            self.swap(index, self.active)
            if self.current == self.active:
                self.current = 0
        index = self.pipes.index(pipe)
        last = self.pipes.pop()
        if last is not pipe:
            self.pipes[index] = last

    def look(self, take: bool) -> FakePipe | None:
        """The pipe that gives the next message."""
        while self.active:
            pipe = self.pipes[self.current]
            if not pipe.asleep and pipe.messages:
                if take:
                    self.current = (self.current + 1) % self.active
                return pipe
            pipe.asleep = True
            self.active -= 1
            self.swap(self.current, self.active)
            if self.current == self.active:
                self.current = 0
        return None


def make(*names: str) -> tuple[FQ, list[Any]]:
    fq = FQ()
    pipes: list[Any] = [FakePipe(name) for name in names]
    for pipe in pipes:
        fq.attach(pipe)
    return fq, pipes


def test_pipes_take_turns() -> None:
    """One message of each in turn, in the order in which the pipes came."""
    fq, pipes = make("a", "b", "c")
    for pipe in pipes:
        pipe.messages = deque([b"%s%d" % (pipe.name.encode(), n) for n in range(2)])
    assert [fq.recv() for _ in range(7)] == [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1", None]


def test_an_empty_pipe_loses_its_turn_until_activated() -> None:
    """A pipe that had nothing is not asked again before `activated`."""
    fq, (a, b) = make("a", "b")
    b.messages = deque([b"b0", b"b1", b"b2"])
    assert fq.recv() == b"b0"
    assert a.asleep
    a.messages, a.asleep = deque([b"a0"]), False
    assert fq.recv() == b"b1"
    fq.activated(a)
    assert {fq.recv(), fq.recv()} == {b"a0", b"b2"}


def test_has_in_takes_no_turn() -> None:
    """Looking leaves order and messages as they are."""
    fq, (a, b) = make("a", "b")
    a.messages, b.messages = deque([b"a0", b"a1"]), deque([b"b0"])
    for _ in range(3):
        assert fq.has_in()
    assert [fq.recv() for _ in range(3)] == [b"a0", b"b0", b"a1"]
    assert not fq.has_in()


def test_the_pipe_of_the_last_message() -> None:
    """last_in names it, and keeps it when nothing more comes."""
    fq, (a, b) = make("a", "b")
    b.messages = deque([b"x"])
    assert fq.recv() == b"x"
    assert fq.last_in is b
    assert fq.last_in is b
    assert fq.recv() is None


def test_nothing_to_receive_from() -> None:
    """Without pipes there is nothing."""
    fq, _ = make()
    assert fq.recv() is None
    assert not fq.has_in()


STEPS = ["attach", "terminate", "message", "message", "recv", "recv", "has_in"]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=80))
def test_order_is_libzmqs(steps: list[tuple[str, int]]) -> None:
    """Any history: the next message comes from the pipe that fq_t would ask."""
    fq, model = FQ(), Model()
    pipes: list[Any] = []
    for number, (step, which) in enumerate(steps):
        pipe = pipes[which % len(pipes)] if pipes else None
        if step == "attach":
            pipes.append(FakePipe(f"p{number}"))
            fq.attach(pipes[-1])
            model.attach(pipes[-1])
        elif step == "terminate" and pipe is not None:
            pipes.remove(pipe)
            fq.pipe_terminated(pipe)
            model.terminated(pipe)
        elif step == "message" and pipe is not None:
            pipe.messages.append(b"%d" % number)
            if pipe.asleep:
                pipe.asleep = False
                fq.activated(pipe)
                model.activated(pipe)
        elif step == "recv":
            source = model.look(take=True)
            expected = None if source is None else source.messages[0]
            assert fq.recv() == expected
            assert source is None or fq.last_in is source
        elif step == "has_in":
            assert fq.has_in() is (model.look(take=False) is not None)
        assert fq.items == model.pipes
        assert (fq._active, fq._current) == (model.active, model.current)
