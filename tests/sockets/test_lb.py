# SPDX-License-Identifier: MPL-2.0
"""Load balancing against libzmq's swap rules (internals 6.2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.sockets.lb import LB, LostPipe


class FakePipe:
    """A pipe with room for so many messages; whole messages end up in `got`."""

    # So the balancer calls `send`, and does not write it out for this pipe.
    _out_active = False
    _msgs_written = 0

    def __init__(self, name: str, room: int = 1 << 30) -> None:
        self.name = name
        self.room = room
        self.got: list[Any] = []
        self.parts: list[bytes] = []
        self.ending = False
        self.flushes = 0

    def check_write(self) -> bool:
        return not self.ending and (bool(self.parts) or self.room > 0)

    def send(self, msg: Any) -> bool:
        if not self.check_write():
            return False
        assert not self.parts, f"{msg!r} in the middle of {self.parts}"
        self.room -= 1
        self.got.append(msg)
        self.flushes += 1
        return True

    def write_part(self, frame: bytes, more: bool) -> bool:
        if not self.check_write():
            return False
        self.parts.append(frame)
        if not more:
            self.room -= 1
            self.got.append(tuple(self.parts))
            self.parts = []
        return True

    def flush(self) -> None:
        self.flushes += 1

    def rollback(self) -> None:
        self.parts = []

    def __repr__(self) -> str:
        return self.name


def make(*rooms: int) -> tuple[LB, list[Any]]:
    lb = LB()
    pipes: list[Any] = [FakePipe(f"p{n}", room) for n, room in enumerate(rooms)]
    for pipe in pipes:
        lb.attach(pipe)
    return lb, pipes


def test_pipes_take_turns() -> None:
    """One message to each in turn."""
    lb, pipes = make(9, 9, 9)
    for n in range(6):
        assert lb.send(b"%d" % n)
    assert [pipe.got for pipe in pipes] == [[b"0", b"3"], [b"1", b"4"], [b"2", b"5"]]


def test_a_full_pipe_loses_its_turn_until_activated() -> None:
    """The others go on; without any there is no room."""
    lb, (a, b) = make(0, 2)
    assert lb.send(b"0") and lb.send(b"1")
    assert not lb.send(b"2")
    assert not lb.has_out()
    a.room = 1
    lb.activated(a)
    assert lb.has_out()
    assert lb.send(b"2")
    assert (a.got, b.got) == ([b"2"], [b"0", b"1"])


def test_a_message_stays_with_its_pipe() -> None:
    """All frames go to one pipe, woken once at the end; the next message goes to the next."""
    lb, (a, b) = make(9, 9)
    assert lb.send(b"1", more=True)
    assert lb.in_message
    assert lb.send(b"2", more=True)
    assert a.flushes == 0
    assert lb.send(b"3", more=False)
    assert not lb.in_message
    assert lb.send(b"whole")
    assert (a.got, b.got) == ([(b"1", b"2", b"3")], [b"whole"])
    assert a.flushes == 1


def test_a_tuple_is_one_step() -> None:
    """A message that comes as a unit takes one turn."""
    lb, (a, b) = make(9, 9)
    assert lb.send((b"1", b"2"))
    assert lb.send(b"3")
    assert (a.got, b.got) == ([(b"1", b"2")], [b"3"])


def test_has_out_within_a_message() -> None:
    """A message that was begun can always be finished."""
    lb, _ = make(1)
    assert lb.send(b"1", more=True)
    assert lb.has_out()


def test_the_rest_of_a_lost_message_is_dropped() -> None:
    """The pipe goes in the middle of a message: its rest is accepted and dropped, the next message goes elsewhere."""
    lb, (a, b) = make(9, 9)
    assert lb.send(b"1", more=True)
    lb.pipe_terminated(a)
    assert lb.send(b"2", more=True)
    assert lb.send(b"3", more=False)
    assert lb.send(b"next")
    assert b.got == [b"next"]


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_the_turn_goes_on_after_a_lost_message(turn: int) -> None:
    """Whichever pipe it was that went with half a message, the others take turns afterwards."""
    lb, pipes = make(9, 9, 9)
    for _ in range(turn):
        assert lb.send(b"before")
    assert lb.send(b"1", more=True)
    lost = pipes.pop(turn)
    lb.pipe_terminated(lost)
    assert lb.send(b"2", more=False)
    for _ in range(2):
        assert lb.send(b"next")
    assert [pipe.got[-1] for pipe in pipes] == [b"next"] * 2
    assert lost.got == []


def test_a_pipe_that_refuses_in_the_middle() -> None:
    """LostPipe, once: the frames it had are rolled back."""
    lb, (a, b) = make(9, 9)
    assert lb.send(b"1", more=True)
    a.ending = True
    with pytest.raises(LostPipe):
        lb.send(b"2", more=True)
    assert a.parts == []


@pytest.mark.parametrize("rest", [[], [b"3"], [b"3", b"4"]])
def test_the_rest_is_dropped_after_a_refusal_too(rest: list[bytes]) -> None:
    """Frames behind the refused one, the last included, do not reach another peer as a message of their own."""
    lb, (a, b) = make(9, 9)
    assert lb.send(b"1", more=True)
    a.ending = True
    with pytest.raises(LostPipe):
        lb.send(b"2", more=bool(rest))
    for index, frame in enumerate(rest):
        assert lb.send(frame, more=index < len(rest) - 1)
    lb.pipe_terminated(a)
    assert lb.send(b"next")
    assert b.got == [b"next"]


@pytest.mark.parametrize("other", [0, 1])
def test_the_end_of_another_pipe_does_not_move_a_message(other: int) -> None:
    """A message that was begun goes on to its own pipe, whichever other pipe ends meanwhile.

    libzmq: when the current pipe is the last of the active ones it is swapped into the hole and the rest of the message
    goes to the first pipe.
    """
    lb, pipes = make(9, 9, 9)
    assert lb.send(b"x") and lb.send(b"y")  # the turn is the third pipe's
    assert lb.send(b"1", more=True)
    lb.pipe_terminated(pipes[other])
    assert lb.send(b"2", more=False)
    assert pipes[2].got == [(b"1", b"2")]


def test_the_pipe_of_the_last_frame() -> None:
    """last_out names it as long as it lives."""
    lb, (a, b) = make(9, 9)
    lb.send(b"x")
    assert lb.last_out is a
    lb.pipe_terminated(a)
    assert lb.last_out is None


def test_nobody_to_send_to() -> None:
    """Without pipes there is no room, for a first frame neither."""
    lb, _ = make()
    assert not lb.send(b"x")
    assert not lb.send(b"x", more=True)
    assert not lb.has_out()
    assert not lb.in_message


EVENTS = ["attach", "terminate", "end", "room", "frame", "frame", "frame", "last", "last", "whole"]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9)), max_size=80))
def test_nobody_gets_half_a_message(steps: list[tuple[str, int]]) -> None:
    """Whatever happens to pipes between the frames of a message: what arrives is whole messages, each once, or none."""
    lb, pipes = make(9, 9, 9)
    everybody = list(pipes)
    sent: list[Any] = []
    begun: list[bytes] = []
    for number, (step, which) in enumerate(steps):
        pipe = pipes[which % len(pipes)] if pipes else None
        data = b"%d" % number
        if step == "attach":
            pipes.append(FakePipe(f"p{number}", which % 4 + 1))
            everybody.append(pipes[-1])
            lb.attach(pipes[-1])
        elif step in ("frame", "last") and (step == "frame" or begun):
            try:
                accepted = lb.send(data, more=step == "frame")
            except LostPipe:
                accepted = True  # as a blocking send takes it: the rest of the message follows and is dropped
            assert accepted or not begun, "a message that was begun can be finished"
            if accepted:
                begun.append(data)
            if step == "last":
                sent.append(tuple(begun))
                begun = []
        elif step == "whole" and not begun:
            if lb.send(data):
                sent.append(data)
        elif pipe is None:
            continue
        elif step == "terminate":
            pipes.remove(pipe)
            pipe.rollback()
            lb.pipe_terminated(pipe)
        elif step == "end":
            pipe.ending = True
        elif step == "room" and not pipe.ending:
            pipe.room += which
            if pipe.room and lb.index(pipe) >= lb._active:
                lb.activated(pipe)
        assert lb._current < max(lb._active, 1)
    got = [message for pipe in everybody for message in pipe.got]
    assert len(got) == len(set(got))
    assert set(got) <= set(sent)


class Model:
    """lb_t, written down from the table of operations; messages of one frame."""

    def __init__(self) -> None:
        self.pipes: list[FakePipe] = []
        self.active = self.current = 0

    def swap(self, i: int, j: int) -> None:
        self.pipes[i], self.pipes[j] = self.pipes[j], self.pipes[i]

    def attach(self, pipe: FakePipe) -> None:
        self.pipes.append(pipe)
        self.activated(pipe)

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
        while self.active:
            pipe = self.pipes[self.current]
            if pipe.check_write():
                if take:
                    self.current = (self.current + 1) % self.active
                return pipe
            self.active -= 1
            if self.current < self.active:
                self.swap(self.current, self.active)
            else:
                self.current = 0
        return None


STEPS = ["attach", "terminate", "room", "fill", "send", "send", "multipart", "has_out"]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=80))
def test_order_is_libzmqs(steps: list[tuple[str, int]]) -> None:
    """Any history between messages: the next one goes to the pipe that lb_t would choose."""
    lb, model = LB(), Model()
    pipes: list[Any] = []
    for number, (step, which) in enumerate(steps):
        pipe = pipes[which % len(pipes)] if pipes else None
        if step == "attach":
            pipes.append(FakePipe(f"p{number}", which % 4 + 1))
            lb.attach(pipes[-1])
            model.attach(pipes[-1])
        elif pipe is None:
            continue
        elif step == "terminate":
            pipes.remove(pipe)
            lb.pipe_terminated(pipe)
            model.terminated(pipe)
        elif step == "fill":
            pipe.room = 0
        elif step == "room":
            pipe.room += which
            if pipe.room and model.pipes.index(pipe) >= model.active:
                lb.activated(pipe)
                model.activated(pipe)
        elif step == "has_out":
            assert lb.has_out() is (model.look(take=False) is not None)
        else:
            target = model.look(take=True)
            data = b"%d" % number
            if step == "send":
                assert lb.send(data) is (target is not None)
            elif lb.send(data, more=True):
                assert lb.send(b"", more=False)
                data = (data, b"")  # type: ignore[assignment]
            if target is not None:
                assert target.got[-1] == data
                assert lb.last_out is target
        assert lb.items == model.pipes
        assert (lb._active, lb._current) == (model.active, model.current)
