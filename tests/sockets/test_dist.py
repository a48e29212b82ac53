# SPDX-License-Identifier: MPL-2.0
"""Fan-out and its four nested zones against libzmq's rules (internals 6.3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.core.command import CommandType
from libzmq_py.sockets.pubsub.dist import Dist
from tests.core.fakes import Ends
from tests.sockets.test_lb import FakePipe as LbPipe


class FakePipe(LbPipe):
    """A pipe with room for so many messages."""

    # As a pipe that is full looks to `send_to`, which then asks `send`.
    _out_active = False
    _msgs_written = _write_limit = 0

    def check_hwm(self) -> bool:
        return self.room > 0


def make(*rooms: int) -> tuple[Dist, list[Any]]:
    dist = Dist()
    pipes: list[Any] = [FakePipe(f"p{n}", room) for n, room in enumerate(rooms)]
    for pipe in pipes:
        dist.attach(pipe)
    return dist, pipes


def zones(dist: Dist) -> tuple[set[Any], set[Any], set[Any]]:
    """Matching, active and eligible pipes."""
    items = dist._items
    return set(items[: dist._matching]), set(items[: dist._active]), set(items[: dist._eligible])


def test_to_all() -> None:
    """Every pipe gets every message, of one frame, of several, or as a unit."""
    dist, pipes = make(9, 9, 9)
    dist.send_to_all(b"1")
    dist.send_to_all((b"2", b"3"))
    dist.send_to_all(b"4", more=True)
    dist.send_to_all(b"5")
    for pipe in pipes:
        assert pipe.got == [b"1", (b"2", b"3"), (b"4", b"5")]
        assert pipe.flushes == 3


def test_to_those_that_match() -> None:
    """Only the marked pipes get the message; marking twice is marking once."""
    dist, (a, b, c) = make(9, 9, 9)
    dist.match(c)
    dist.match(a)
    dist.match(c)
    dist.send_to_matching(b"x")
    assert (a.got, b.got, c.got) == ([b"x"], [], [b"x"])
    dist.unmatch()
    dist.send_to_matching(b"y")
    assert a.got == [b"x"]


def test_to_those_that_do_not_match() -> None:
    """reverse_match() for INVERT_MATCHING."""
    dist, (a, b, c) = make(9, 9, 9)
    dist.match(b)
    dist.reverse_match()
    dist.send_to_matching(b"x")
    assert (a.got, b.got, c.got) == ([b"x"], [], [b"x"])


def test_a_full_pipe_misses_messages_until_activated() -> None:
    """The others get them; room alone is not enough, the activation counts."""
    dist, (a, b) = make(1, 9)
    for n in range(3):
        dist.send_to_all(b"%d" % n)
    assert (a.got, b.got) == ([b"0"], [b"0", b"1", b"2"])
    a.room = 9
    dist.send_to_all(b"3")
    dist.activated(a)
    dist.send_to_all(b"4")
    assert a.got == [b"0", b"4"]


def test_a_full_pipe_does_not_match() -> None:
    """match() of a pipe without room does nothing."""
    dist, (a, b) = make(0, 9)
    dist.send_to_all(b"fills")
    dist.unmatch()
    dist.match(a)
    assert zones(dist)[0] == set()


@pytest.mark.parametrize("how", ["attach", "activated"])
def test_a_pipe_that_comes_in_the_middle_waits_for_the_next_message(how: str) -> None:
    """No pipe gets half a message."""
    dist, (a, b) = make(9, 0)
    late: Any = b
    dist.send_to_all(b"1", more=True)
    if how == "attach":
        late = FakePipe("late")
        dist.attach(late)
    else:
        b.room = 9
        dist.activated(b)
    dist.send_to_all(b"2")
    assert late.got == []
    dist.send_to_all(b"3")
    assert late.got == [b"3"]
    assert a.got == [(b"1", b"2"), b"3"]


def test_a_pipe_that_goes_in_the_middle() -> None:
    """The others get the whole message."""
    dist, (a, b, c) = make(9, 9, 9)
    dist.send_to_all(b"1", more=True)
    dist.pipe_terminated(b)
    dist.send_to_all(b"2")
    assert a.got == c.got == [(b"1", b"2")]
    assert not dist.has_pipe(b)


def test_check_hwm_is_about_the_matching_pipes() -> None:
    """Room in every pipe that would get the message; XPUB_NODROP asks."""
    dist, (a, b) = make(9, 9)
    dist.match(a)
    b.room = 0
    assert dist.check_hwm()
    dist.match(b)
    assert not dist.check_hwm()
    dist.unmatch()
    assert dist.check_hwm()


def test_there_is_always_room() -> None:
    """What nobody takes is dropped."""
    dist, _ = make()
    assert dist.has_out()
    dist.send_to_all(b"x")
    dist.send_to_matching(b"x", more=True)
    dist.send_to_matching(b"y")


def test_send_to_names_its_pipes() -> None:
    """A whole message to these; a full one leaves the zones as by any other way."""
    dist, (a, b, c) = make(9, 0, 9)
    dist.send_to([c, b], b"x")
    assert (a.got, b.got, c.got) == ([], [], [b"x"])
    assert zones(dist)[1:] == ({a, c}, {a, c})
    dist.send_to([b], b"y")
    b.room = 1
    dist.activated(b)
    dist.send_to([a, b, c], b"z")
    assert a.got[-1:] == b.got[-1:] == c.got[-1:] == [b"z"]


@pytest.mark.parametrize("how", ["send_to", "send_to_matching"])
def test_real_pipes_wake_their_readers_and_fill_up(how: str) -> None:
    """Message, wake-up and high-water mark are those of Pipe.send, whichever way a message takes."""
    dist = Dist()
    made = [Ends(hwms=(hwm, 0)) for hwm in (1, 2)]
    for ends in made:
        dist.attach(ends.a)
        assert ends.b.read() is None

    def send(msg: Any) -> None:
        if how == "send_to":
            dist.send_to([ends.a for ends in made], msg)
        else:
            dist.send_to_all(msg)

    send((b"1", b"2"))
    for ends in made:
        assert ends.ctx.kinds == [CommandType.ACTIVATE_READ]
        ends.ctx.deliver()
    send(b"3")
    send(b"4")
    assert [list(iter(ends.b.read, None)) for ends in made] == [[(b"1", b"2")], [(b"1", b"2"), b"3"]]
    assert zones(dist)[2] == set()


@pytest.mark.parametrize("how", ["send_to", "send_to_matching"])
def test_conflating_pipes_keep_the_last_frame(how: str) -> None:
    """As for every way of writing into a conflating pipe."""
    dist, ends = Dist(), Ends(conflate=(True, True))
    dist.attach(ends.a)
    for msg in (b"old", (b"1", b"2")):
        if how == "send_to":
            dist.send_to([ends.a], msg)
        else:
            dist.send_to_all(msg)
    assert ends.b.read() == b"2"


class Model:
    """dist_t, written down from the table of operations."""

    def __init__(self) -> None:
        self.pipes: list[Any] = []
        self.matching = self.active = self.eligible = 0
        self.more = False

    def swap(self, i: int, j: int) -> None:
        self.pipes[i], self.pipes[j] = self.pipes[j], self.pipes[i]

    def attach(self, pipe: Any) -> None:
        self.pipes.append(pipe)
        last = len(self.pipes) - 1
        if self.more:
            self.swap(self.eligible, last)
            self.eligible += 1
        else:
            self.swap(self.active, last)
            self.active += 1
            self.eligible += 1

    def match(self, pipe: Any) -> None:
        index = self.pipes.index(pipe)
        if self.matching <= index < self.eligible:
            self.swap(index, self.matching)
            self.matching += 1

    def reverse_match(self) -> None:
        previous, self.matching = self.matching, 0
        for index in range(previous, self.eligible):
            self.swap(index, self.matching)
            self.matching += 1

    def activated(self, pipe: Any) -> None:
        if self.eligible < len(self.pipes):
            self.swap(self.pipes.index(pipe), self.eligible)
            self.eligible += 1
        if not self.more and self.active < len(self.pipes):
            self.swap(self.eligible - 1, self.active)
            self.active += 1

    def terminated(self, pipe: Any) -> None:
        for zone in ("matching", "active", "eligible"):
            size = getattr(self, zone)
            if self.pipes.index(pipe) < size:
                self.swap(self.pipes.index(pipe), size - 1)
                setattr(self, zone, size - 1)
        index, last = self.pipes.index(pipe), self.pipes.pop()
        if last is not pipe:
            self.pipes[index] = last

    def send(self, more: bool) -> set[Any]:
        """The pipes that take the frame."""
        taken, index = set(), 0
        while index < self.matching:
            pipe = self.pipes[index]
            if pipe.check_write():
                taken.add(pipe)
                index += 1
                continue
            self.swap(index, self.matching - 1)
            self.matching -= 1
            self.swap(self.pipes.index(pipe), self.active - 1)
            self.active -= 1
            self.swap(self.active, self.eligible - 1)
            self.eligible -= 1
        if not more:
            self.active = self.eligible
        self.more = more
        return taken


STEPS = ["attach", "terminate", "fill", "room", "match", "match", "reverse", "to matching", "to all", "part", "part"]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=80))
def test_zones_are_libzmqs(steps: list[tuple[str, int]]) -> None:
    """Any history: zones and order are those of dist_t, and each frame goes to the same pipes."""
    dist, model = Dist(), Model()
    pipes: list[Any] = []
    for number, (step, which) in enumerate(steps):
        pipe = pipes[which % len(pipes)] if pipes else None
        data = b"%d" % number
        if step == "attach":
            pipes.append(FakePipe(f"p{number}", which % 4))
            dist.attach(pipes[-1])
            model.attach(pipes[-1])
        elif pipe is None:
            continue
        elif step == "terminate":
            pipes.remove(pipe)
            dist.pipe_terminated(pipe)
            model.terminated(pipe)
        elif step == "fill":
            pipe.room = 0
        elif step == "room":
            pipe.room = which % 3
            if pipe.room and model.pipes.index(pipe) >= model.eligible:
                dist.activated(pipe)
                model.activated(pipe)
        elif step == "match" and not model.more:
            dist.match(pipe)
            model.match(pipe)
        elif step == "reverse" and not model.more:
            dist.reverse_match()
            model.reverse_match()
        elif step == "to all" and not model.more:
            model.matching = model.active
            taken = model.send(False)
            dist.send_to_all(data)
            assert all((other.got[-1:] == [data]) is (other in taken) for other in pipes)
        elif step in ("to matching", "part"):
            more = step == "part" and which % 2 == 0
            taken = model.send(more)
            dist.send_to_matching(data, more)
            if not more:
                ends = [other.got[-1][-1] if type(other.got[-1]) is tuple else other.got[-1] for other in taken]
                assert ends == [data] * len(taken)
                dist.unmatch()
                model.matching = 0
        assert dist._items == model.pipes
        assert (dist._matching, dist._active, dist._eligible) == (model.matching, model.active, model.eligible)
        assert dist._matching <= dist._eligible and dist._active <= dist._eligible <= len(dist._items)
