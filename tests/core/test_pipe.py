# SPDX-License-Identifier: MPL-2.0
"""One end of a pipe: the whole state table, credits, high-water marks, hiccup, rollback, conflate, batches.

The two ends live in the threads of a fake context, which keeps their commands until the test delivers them; so every
order of events that two threads could produce can be written down here. Sections are those of internals 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.core.command import CommandType as C
from libzmq_py.core.pipe import State
from libzmq_py.endpoint import EndpointUriPair
from libzmq_py.msg import CREDENTIAL, DELIMITER, ROUTING_ID, Msg
from tests.core.fakes import Ends

A, DR, WD = State.ACTIVE, State.DELIMITER_RECEIVED, State.WAITING_FOR_DELIMITER
TA, R1, R2 = State.TERM_ACK_SENT, State.TERM_REQ_SENT1, State.TERM_REQ_SENT2


def drain(read: Callable[[], Any]) -> list[Any]:
    """Everything `read` gives until None."""
    return list(iter(read, None))


# --- 5.2 states ------------------------------------------------------------------------------------------------------


def ends_in(state: State) -> Ends:
    """Two ends, `a` in `state`, no command under way."""
    ends = Ends()
    a, b, ctx = ends.a, ends.b, ends.ctx
    if state is DR:
        b.terminate(True)  # the delimiter overtakes the command
        assert not a.check_read()
    elif state is WD:
        b.terminate(True)
        ctx.deliver()
    elif state is TA:
        a.set_nodelay()
        b.terminate(True)
        ctx.deliver(1)
    elif state is R1:
        a.terminate(False)
    elif state is R2:
        a.terminate(False)
        b.terminate(False)
        ctx.drop()
        a.process_pipe_term()
    ctx.drop()
    assert a._state is state
    return ends


def step(ends: Ends, event: str) -> list[C]:
    """Let `event` happen to end `a`; what it sends."""
    if event == "terminate, delay":
        ends.a.terminate(True)
    elif event == "terminate, no delay":
        ends.a.terminate(False)
    elif event == "pipe_term":
        ends.a.process_pipe_term()
    elif event == "pipe_term_ack":
        ends.a.process_pipe_term_ack()
    else:
        ends.b._out_queue.append(DELIMITER)
        assert not ends.a.check_read()
    return ends.ctx.drop()


TERM, ACK = C.PIPE_TERM, C.PIPE_TERM_ACK
TABLE: list[tuple[str, State, State, list[C]]] = [
    ("terminate, delay", A, R1, [TERM]),
    ("terminate, delay", DR, R1, [TERM]),
    ("terminate, delay", WD, WD, []),
    ("terminate, delay", TA, TA, []),
    ("terminate, delay", R1, R1, []),
    ("terminate, delay", R2, R2, []),
    ("terminate, no delay", A, R1, [TERM]),
    ("terminate, no delay", DR, R1, [TERM]),
    ("terminate, no delay", WD, TA, [ACK]),
    ("terminate, no delay", TA, TA, []),
    ("terminate, no delay", R1, R1, []),
    ("terminate, no delay", R2, R2, []),
    ("pipe_term", A, WD, []),
    ("pipe_term", DR, TA, [ACK]),
    ("pipe_term", R1, R2, [ACK]),
    ("delimiter", A, DR, []),
    ("delimiter", WD, TA, [ACK]),
    ("delimiter", DR, DR, []),
    ("delimiter", TA, TA, []),
    ("delimiter", R1, R1, []),
    ("delimiter", R2, R2, []),
]


@pytest.mark.parametrize(("event", "before", "after", "sent"), TABLE, ids=lambda value: getattr(value, "value", None))
def test_state_table(event: str, before: State, after: State, sent: list[C]) -> None:
    """Each event in each state leads to the state, and sends the commands, of libzmq's pipe_t."""
    ends = ends_in(before)
    assert step(ends, event) == sent
    assert ends.a._state is after


@pytest.mark.parametrize(
    ("event", "before"),
    [("pipe_term", state) for state in (WD, TA, R2)] + [("pipe_term_ack", state) for state in (A, DR, WD)],
)
def test_events_that_cannot_happen(event: str, before: State) -> None:
    """What the protocol rules out is an error of ours and says so."""
    with pytest.raises(AssertionError, match=f"{event} in state {before.value}"):
        step(ends_in(before), event)


@pytest.mark.parametrize(("before", "sent"), [(TA, []), (R1, [ACK]), (R2, [])])
def test_pipe_term_ack_is_the_end(before: State, sent: list[C]) -> None:
    """The sink is told once, the other end gets its ack if it has none yet, and nothing is left to read or write."""
    ends = ends_in(before)
    ends.a._in_queue.append(b"unread")
    assert step(ends, "pipe_term_ack") == sent
    assert ends.sink_a.events == ["pipe_terminated"]
    assert ends.a.read() is None
    assert not ends.a.write(b"x")
    assert ends.a._peer is None


def test_without_delay_pipe_term_is_acknowledged_at_once() -> None:
    """set_nodelay(): what is left to read is not waited for."""
    ends = Ends()
    ends.a.set_nodelay()
    ends.b.send(b"unread")
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    assert ends.a._state is TA
    assert ends.a.read() is None


def test_terminate_overwrites_the_delay_even_when_it_does_nothing_else() -> None:
    """terminate() always sets the delay first, whatever the state."""
    ends = ends_in(R1)
    ends.a.terminate(True)
    assert ends.a._delay
    ends.a.terminate(False)
    assert not ends.a._delay


@pytest.mark.parametrize("state", [A, DR])
def test_terminate_writes_a_delimiter_behind_everything(state: State) -> None:
    """What was written before the end can still be read; the delimiter comes last, whatever the high-water mark."""
    ends = ends_in(state) if state is not A else Ends(hwms=(1, 1))
    ends.a._in_active = True
    if state is A:
        assert ends.a.send(b"last")
        assert not ends.a.send(b"too much")
    ends.a.terminate(False)
    assert ends.a._out_queue[-1] is DELIMITER


def test_no_delimiter_once_the_queue_is_given_up() -> None:
    """In waiting_for_delimiter, terminate without delay drops the outbound queue: the peer needs no delimiter."""
    ends = ends_in(WD)
    ends.a.terminate(False)
    assert DELIMITER not in ends.a._out_queue


@pytest.mark.parametrize("state", [DR, TA, R1, R2, WD])
def test_only_an_active_end_writes(state: State) -> None:
    """Every way of writing is refused in every state but active."""
    ends = ends_in(state)
    before = list(ends.a._out_queue)
    assert not ends.a.check_write()
    assert not ends.a.write(b"x")
    assert not ends.a.send(b"x")
    assert not ends.a.write_part(b"x", more=False)
    assert ends.a.send_batch([b"x"]) == 0
    ends.a.write_oob(Msg(b"id", ROUTING_ID))
    assert list(ends.a._out_queue) == before


@pytest.mark.parametrize("state", [DR, TA, R1, R2])
def test_only_active_and_waiting_ends_read(state: State) -> None:
    """Messages that wait in any other state are not given, and an activation does not change that."""
    ends = ends_in(state)
    ends.a._in_queue.append(b"late")
    ends.a.process_activate_read()
    assert not ends.a.check_read()
    assert ends.a.read() is None
    assert ends.a.read_batch(10) == []
    assert ends.sink_a.events == []


def test_waiting_for_delimiter_reads_on_to_the_delimiter() -> None:
    """After the peer's pipe_term everything it wrote before is still read, then the end acknowledges."""
    ends = Ends()
    for n in range(3):
        ends.b.send(b"%d" % n)
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    assert ends.a._state is WD
    assert drain(ends.a.read) == [b"0", b"1", b"2"]
    assert ends.a._state is TA
    assert ends.ctx.kinds == [ACK]


@pytest.mark.parametrize("state", [WD, TA, R1, R2])
def test_hiccup_belongs_to_active_ends(state: State) -> None:
    """Only an active end starts anew."""
    ends = ends_in(state)
    ends.a.hiccup()
    assert ends.ctx.kinds == []


def test_flush_of_an_acknowledged_end_wakes_nobody() -> None:
    """In term_ack_sent flush() does nothing: the peer may be gone."""
    ends = Ends()
    assert ends.b.read() is None  # asleep
    ends.a.set_nodelay()
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    ends.ctx.drop()
    assert ends.a._state is TA
    ends.a.flush()
    assert ends.ctx.kinds == []


@given(st.lists(st.sampled_from(["a ends", "a ends late", "b ends", "b ends late", "read", "write", "deliver"])))
def test_every_order_of_events_ends_both(steps: list[str]) -> None:
    """Whatever the two users do and whenever commands arrive: each end is told of the end once, and only then."""
    ends = Ends(hwms=(3, 2))
    a, b, ctx = ends.a, ends.b, ends.ctx
    for what in steps:
        if what == "deliver":
            ctx.deliver(1)
        elif what == "read":
            a.read()
            b.read_batch(2)
        elif what == "write":
            a.send(b"x")
            b.write_part(b"y", more=True)
        else:
            (a if what[0] == "a" else b).terminate("late" in what)
    if not any("ends" in what for what in steps):
        assert "pipe_terminated" not in ends.sink_a.events + ends.sink_b.events
    a.terminate(False)
    for _ in range(100):
        ctx.deliver()
        a.read_batch(2)
        b.read()
    ctx.deliver()
    assert ends.sink_a.events.count("pipe_terminated") == 1
    assert ends.sink_b.events.count("pipe_terminated") == 1
    assert ctx.kinds == []


# --- 5.3 reading and waking ------------------------------------------------------------------------------------------


def test_messages_arrive_in_order_whatever_they_are() -> None:
    """bytes, tuples of frames and Msg come out as they went in."""
    ends = Ends()
    special = Msg(b"with a hook")
    for msg in (b"one", (b"two", b"frames"), special, b""):
        assert ends.a.send(msg)
    assert drain(ends.b.read) == [b"one", (b"two", b"frames"), special, b""]


def test_a_sleeping_reader_is_activated_once() -> None:
    """One activate_read per sleep, at the first flush after it; the sink hears of it when it arrives."""
    ends = Ends()
    assert ends.b.read() is None
    for _ in range(3):
        ends.a.send(b"x")
    assert ends.ctx.kinds == [C.ACTIVATE_READ]
    assert ends.b.read() is None, "asleep until the command arrives"
    ends.ctx.deliver()
    assert ends.sink_b.events == ["read_activated"]
    assert len(drain(ends.b.read)) == 3


def test_a_reader_that_is_awake_is_not_activated() -> None:
    """Before its first empty look a reader needs no command, and an activation that finds it awake is ignored."""
    ends = Ends()
    ends.a.send(b"x")
    assert ends.ctx.kinds == []
    ends.b.process_activate_read()
    assert ends.sink_b.events == []


def test_write_wakes_nobody_until_flush() -> None:
    """write() and flush() are two steps, so many messages cost one wake-up."""
    ends = Ends()
    assert ends.b.read() is None
    ends.a.write(b"x")
    ends.a.write(b"y")
    assert ends.ctx.kinds == []
    ends.a.flush()
    assert ends.ctx.kinds == [C.ACTIVATE_READ]


def test_flush_with_nothing_written_wakes_nobody() -> None:
    """A flush that has nothing to show sends no command (ypipe_t::flush, w == f)."""
    ends = Ends()
    assert ends.b.read() is None
    ends.a.flush()
    assert ends.ctx.kinds == []


def test_credentials_are_swallowed() -> None:
    """A credential never reaches the reader, and does not count."""
    ends = Ends(hwms=(10, 10))
    ends.a.write_oob(Msg(b"user", CREDENTIAL))
    ends.a.send(b"x")
    assert ends.b.read() == b"x"
    assert ends.b._msgs_read == 1


def test_a_lone_credential_reads_as_nothing() -> None:
    """A reader that finds a credential only goes to sleep as for an empty queue."""
    ends = Ends()
    ends.a.write_oob(Msg(b"user", CREDENTIAL))
    assert ends.b.read() is None
    ends.a.send(b"x")
    assert ends.ctx.kinds == [C.ACTIVATE_READ]


def test_a_routing_id_is_given_and_not_counted() -> None:
    """The peer's routing id is read like a message but uses no credit, on either side."""
    ends = Ends(hwms=(1, 1))
    assert ends.a.write(Msg(b"id", ROUTING_ID))
    assert ends.a.send(b"x")
    first = ends.b.read()
    assert isinstance(first, Msg) and first.is_routing_id
    assert ends.b._msgs_read == 0
    assert ends.b.read() == b"x"
    assert ends.ctx.kinds == [C.ACTIVATE_WRITE]


def test_check_read_takes_the_delimiter_only() -> None:
    """check_read() leaves messages alone and consumes a delimiter that stands first."""
    ends = Ends()
    ends.b.send(b"x")
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    assert ends.a.check_read() and ends.a.check_read()
    assert ends.a.read() == b"x"
    assert not ends.a.check_read()
    assert ends.a._state is TA


# --- batches ---------------------------------------------------------------------------------------------------------


def test_read_batch_takes_up_to_its_limit() -> None:
    """As many as there are, or as many as were asked for."""
    ends = Ends()
    assert ends.a.send_batch([b"%d" % n for n in range(5)]) == 5
    assert ends.b.read_batch(2) == [b"0", b"1"]
    assert ends.b.read_batch(10) == [b"2", b"3", b"4"]
    assert ends.b.read_batch(10) == []


def test_an_empty_batch_means_asleep() -> None:
    """Only after a batch of nothing the next message brings an activation: who has sent what it got asks for more."""
    ends = Ends()
    ends.a.send(b"x")
    assert ends.b.read_batch(16) == [b"x"]
    ends.a.send(b"y")
    assert ends.ctx.kinds == []
    assert ends.b.read_batch(16) == [b"y"]
    assert ends.b.read_batch(16) == []
    ends.a.send(b"z")
    assert ends.ctx.kinds == [C.ACTIVATE_READ]


def test_a_full_batch_leaves_the_reader_awake() -> None:
    """A batch that met its limit promises nothing, so the reader comes back by itself."""
    ends = Ends()
    ends.a.send_batch([b"x", b"y"])
    assert ends.b.read_batch(2) == [b"x", b"y"]
    ends.a.send(b"z")
    assert ends.ctx.kinds == []
    assert ends.b.read_batch(2) == [b"z"]


def test_a_message_between_the_looks_joins_the_batch() -> None:
    """What is written while the reader goes to sleep is in the batch, or its activation is under way."""
    ends = Ends()

    class Racing(list):  # type: ignore[type-arg]
        raced = False

        def append(self, token: bool) -> None:
            super().append(token)
            if not self.raced:
                self.raced = True
                ends.a.send(b"late")

    racing: Any = Racing()
    ends.b._in_asleep = ends.a._out_asleep = racing
    ends.a.send(b"early")
    got = ends.b.read_batch(16)
    ends.ctx.deliver()
    got += ends.b.read_batch(16)
    assert got == [b"early", b"late"]


def test_the_delimiter_ends_a_batch_and_is_not_part_of_it() -> None:
    """The state moves on when the messages before the delimiter have left, that is, at the next batch."""
    ends = Ends()
    ends.b.send_batch([b"1", b"2"])
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    assert ends.a.read_batch(16) == [b"1", b"2"]
    assert ends.a._state is WD
    assert ends.a.read_batch(16) == []
    assert ends.a._state is TA


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_batch_around_the_delimiter(limit: int) -> None:
    """Wherever the limit cuts: two messages, then the end, and never the delimiter."""
    ends = Ends()
    ends.b.send_batch([b"1", b"2"])
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    got: list[Any] = []
    for _ in range(5):
        got += ends.a.read_batch(limit)
    assert got == [b"1", b"2"]
    assert ends.a._state is TA


def test_a_batch_is_cut_at_the_high_water_mark() -> None:
    """send_batch() takes what there is room for, says how many, and the writer is told of room later."""
    ends = Ends(hwms=(3, 3))
    assert ends.a.send_batch([b"1", b"2", b"3", b"4", b"5"]) == 3
    assert ends.a.send_batch([b"4"]) == 0
    assert ends.b.read_batch(16) == [b"1", b"2", b"3"]
    ends.ctx.deliver()
    assert ends.sink_a.events == ["write_activated"]
    assert ends.a.send_batch([b"4", b"5"]) == 2


def test_an_empty_batch_wakes_nobody() -> None:
    """A batch of nothing is no reason to wake the reader."""
    ends = Ends()
    assert ends.b.read() is None
    assert ends.a.send_batch([]) == 0
    assert ends.ctx.kinds == []


# --- 5.4, 5.5 credits and high-water marks ---------------------------------------------------------------------------


@pytest.mark.parametrize(("hwm", "lwm"), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (1000, 500), (1001, 501)])
def test_credit_every_lwm_messages(hwm: int, lwm: int) -> None:
    """The reader reports its total every (hwm + 1) // 2 messages; without a limit never."""
    ends = Ends(hwms=(hwm, 0))
    reported = []
    for n in range(1, 3 * lwm + 1 if lwm else 100):
        assert ends.a.send(b"x")
        assert ends.b.read() == b"x"
        while ends.ctx.commands:
            reported.append((n, ends.ctx.commands[0][2][0]))
            ends.ctx.deliver(1)
    assert reported == ([(lwm * k, lwm * k) for k in (1, 2, 3)] if lwm else [])


@given(st.integers(0, 7), st.lists(st.integers(1, 6), max_size=30))
def test_credits_of_batches(hwm: int, sizes: list[int]) -> None:
    """A batch reports when it crosses a multiple of lwm: the writer is never behind by a whole lwm."""
    ends = Ends()
    ends.b.set_hwms(hwm, 0)
    lwm = (hwm + 1) // 2
    known = total = 0
    for size in sizes:
        ends.a.send_batch([b"x"] * size)
        total += len(ends.b.read_batch(size))
        for command in ends.ctx.commands:
            assert command[1] is C.ACTIVATE_WRITE
            known = command[2][0]
        ends.ctx.drop()
        assert known == 0 if not lwm else total - known < lwm


def test_hwm_counts_messages_that_were_not_reported_read() -> None:
    """Full at hwm messages ahead of the last report; room again when the report arrives, and not before."""
    ends = Ends(hwms=(2, 0))
    assert ends.a.send(b"1") and ends.a.send(b"2")
    assert not ends.a.check_write()
    assert not ends.a.send(b"3")
    assert ends.b.read() == b"1"
    assert not ends.a.send(b"3"), "the report is still under way"
    ends.ctx.deliver()
    assert ends.sink_a.events == ["write_activated"]
    assert ends.a.send(b"3")
    assert not ends.a.send(b"4")


def test_write_activated_only_after_being_full() -> None:
    """A report that finds the writer with room is no event."""
    ends = Ends(hwms=(4, 0))
    for _ in range(2):
        ends.a.send(b"x")
    drain(ends.b.read)
    ends.ctx.deliver()
    assert ends.sink_a.events == []


def test_check_hwm_has_no_side_effect() -> None:
    """check_hwm() looks; check_write() also closes the end until room is reported."""
    ends = Ends(hwms=(1, 0))
    assert ends.a.check_hwm()
    ends.a.send(b"x")
    assert not ends.a.check_hwm()
    assert ends.a._out_active
    assert not ends.a.check_write()
    assert not ends.a._out_active


def test_the_unit_is_the_message() -> None:
    """A multipart message counts once, however it was written, and is never cut by the limit."""
    ends = Ends(hwms=(2, 0))
    assert ends.a.send((b"1", b"2", b"3"))
    assert ends.a.write_part(b"a", more=True)
    assert ends.a.write_part(b"b", more=True)
    assert ends.a.write_part(b"c", more=False)
    assert not ends.a.write_part(b"d", more=True)
    assert drain(ends.b.read) == [(b"1", b"2", b"3"), (b"a", b"b", b"c")]


def test_unlimited_never_fills() -> None:
    """hwm 0: no limit and no credit commands."""
    ends = Ends()
    for _ in range(5000):
        assert ends.a.send(b"x")
    assert len(ends.b.read_batch(5000)) == 5000
    assert ends.ctx.kinds == []


@given(st.integers(1, 6), st.lists(st.sampled_from(["send", "part", "batch", "read", "read batch", "deliver"])))
def test_flow_control_never_stalls_and_never_overflows(hwm: int, steps: list[str]) -> None:
    """Any interleaving: at most hwm messages in the queue, and once the reader has caught up there is room again."""
    ends = Ends(hwms=(hwm, 0))
    a, b, ctx = ends.a, ends.b, ends.ctx
    sent: list[Any] = []
    got: list[Any] = []
    for what in steps:
        item = b"%d" % len(sent)
        if what == "send":
            sent += [item] if a.send(item) else []
        elif what == "part" and a.write_part(item, more=True):
            assert a.write_part(b"", more=False)
            a.flush()
            sent.append((item, b""))
        elif what == "batch":
            batch = [b"%d" % (len(sent) + n) for n in range(3)]
            sent += batch[: a.send_batch(list(batch))]
        elif what == "read":
            msg = b.read()
            got += [] if msg is None else [msg]
        elif what == "read batch":
            got += b.read_batch(2)
        elif what == "deliver":
            ctx.deliver(1)
        assert len(sent) - len(got) <= hwm
    for _ in range(hwm + 1):
        ctx.deliver()
        got += b.read_batch(2)
    ctx.deliver()
    assert got == sent
    assert a.send(b"more"), f"{a!r} is stalled"


def test_an_interrupted_credit_is_made_up_for() -> None:
    """Ctrl-C in the moment of the report: the next message read brings the report, so the writer does not stall."""
    ends = Ends(hwms=(3, 0))
    for _ in range(3):
        ends.a.send(b"x")
    ends.b.read()
    send_command = ends.ctx.send_command

    def interrupted(tid: int, command: Any) -> None:
        raise KeyboardInterrupt

    ends.ctx.send_command = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        ends.b.read()
    ends.ctx.send_command = send_command  # type: ignore[method-assign]
    ends.b.read()
    assert ends.ctx.kinds == [C.ACTIVATE_WRITE]


def test_set_hwms_changes_both_directions() -> None:
    """New limits hold from the next message on."""
    ends = Ends(hwms=(1, 1))
    ends.a.set_hwms(6, 3)
    for _ in range(3):
        assert ends.a.send(b"x")
    assert not ends.a.send(b"x")
    assert ends.a._lwm == 3


def test_a_higher_limit_opens_a_full_end() -> None:
    """Raising the mark of a full end tells the writer that there is room."""
    ends = Ends(hwms=(1, 0))
    ends.a.send(b"x")
    assert not ends.a.check_write()
    ends.a.set_hwms(0, 2)
    assert ends.sink_a.events == ["write_activated"]
    assert ends.a.send(b"x")


@pytest.mark.parametrize("old", [0, 1000])
def test_a_lower_limit_does_not_stall_the_writer(old: int) -> None:
    """After the mark was lowered, a reader that has read everything has said so: the writer finds room."""
    ends = Ends(hwms=(old, 0))
    for _ in range(7):
        ends.a.send(b"x")
    drain(ends.b.read)
    ends.a.set_hwms(0, 4)
    ends.a.send_hwms_to_peer(4, 0)
    ends.ctx.deliver()
    assert ends.a.send(b"x") or "write_activated" in ends.sink_a.events
    assert ends.a.send(b"x")


def test_new_limits_reach_the_other_end_as_a_command() -> None:
    """send_hwms_to_peer(sndhwm, rcvhwm): the peer reads under our sndhwm and writes under our rcvhwm."""
    ends = Ends(hwms=(1, 1))
    ends.a.send_hwms_to_peer(10, 4)
    assert ends.ctx.kinds == [C.PIPE_HWM]
    ends.ctx.deliver()
    assert (ends.b._lwm, ends.b._hwm) == (5, 4)


@pytest.mark.parametrize("state", [DR, WD, TA, R1, R2])
def test_limits_are_sent_by_active_ends_only(state: State) -> None:
    """An end that is ending tells its peer no limits and asks for no counts."""
    ends = ends_in(state)
    ends.a.send_hwms_to_peer(1, 1)
    ends.a.send_stats_to_peer(object())
    assert ends.ctx.kinds == []


@pytest.mark.parametrize(
    ("own", "boost", "expected"),
    [
        ((10, 20), (-1, -1), (10, 20)),
        ((10, 20), (5, 7), (15, 27)),
        ((10, 20), (0, 7), (0, 27)),
        ((10, 20), (5, 0), (15, 0)),
        ((0, 20), (5, 7), (0, 27)),
        ((10, 0), (5, 7), (15, 0)),
        ((-1, -1), (-1, -1), (0, 0)),
    ],
)
def test_inproc_limits_add_up(own: tuple[int, int], boost: tuple[int, int], expected: tuple[int, int]) -> None:
    """Own limit plus the other socket's; either one without limit means none."""
    ends = Ends()
    if boost != (-1, -1):
        ends.a.set_hwms_boost(*boost)
    ends.a.set_hwms(*own)
    assert (ends.a._lwm, ends.a._hwm) == ((expected[0] + 1) // 2, expected[1])


def test_a_later_change_replaces_the_boost() -> None:
    """Over inproc the peer's new limits take the place of its old ones in the sum (libzmq adds them to the old)."""
    ends = Ends()
    ends.b.set_hwms(10, 20)
    ends.b.set_hwms_boost(1, 2)
    ends.a.set_hwms_boost(20, 10)
    ends.a.send_hwms_to_peer(100, 200)
    ends.ctx.deliver()
    assert (ends.b._lwm, ends.b._hwm) == ((10 + 100 + 1) // 2, 20 + 200)


# --- unfinished messages ---------------------------------------------------------------------------------------------


def test_frames_are_seen_when_the_message_is_complete() -> None:
    """The reader never meets half a message."""
    ends = Ends()
    ends.a.write_part(b"1", more=True)
    ends.a.flush()
    assert ends.b.read() is None
    ends.a.write_part(b"2", more=False)
    ends.a.flush()
    ends.ctx.deliver()
    assert ends.b.read() == (b"1", b"2")


def test_rollback_forgets_the_unfinished_message_only() -> None:
    """What is complete stays; the next message begins afresh and no credit is lost."""
    ends = Ends(hwms=(2, 0))
    ends.a.write(b"whole")
    ends.a.write_part(b"half", more=True)
    ends.a.rollback()
    assert ends.a.write_part(b"new", more=False)
    assert drain(ends.b.read) == [b"whole", b"new"]
    assert ends.a._msgs_written == 2


def test_the_end_rolls_back() -> None:
    """terminate() in the middle of a message: the reader gets what was complete, then the delimiter."""
    ends = Ends()
    ends.a.write(b"whole")
    ends.a.write_part(b"half", more=True)
    ends.a.terminate(True)
    assert list(ends.b._in_queue) == [b"whole", DELIMITER]


def test_the_rest_of_a_message_is_refused_when_the_end_begins() -> None:
    """A pipe that begins to end between two frames takes no more of that message."""
    ends = Ends()
    assert ends.a.write_part(b"1", more=True)
    ends.b.terminate(True)
    ends.ctx.deliver(1)
    assert not ends.a.write_part(b"2", more=False)
    ends.a.rollback()
    assert b"1" not in ends.b._in_queue


# --- 5.7 hiccup ------------------------------------------------------------------------------------------------------


def test_hiccup_gives_the_reader_a_fresh_queue() -> None:
    """What was written and not read is dropped and given back as room; the writer's user is told and writes again."""
    ends = Ends(hwms=(3, 0))
    for _ in range(3):
        ends.a.send(b"old")
    assert not ends.a.check_write()
    ends.b.hiccup()
    assert ends.b.read() is None
    ends.ctx.deliver()
    assert ends.sink_a.events == ["hiccuped"]
    for _ in range(3):
        assert ends.a.send(b"new")
    assert not ends.a.send(b"new")
    ends.ctx.deliver()
    assert drain(ends.b.read) == [b"new"] * 3


def test_messages_written_before_the_hiccup_arrives_are_dropped() -> None:
    """Until the command arrives the writer still fills the old queue; none of that is seen or counted."""
    ends = Ends(hwms=(10, 0))
    ends.a.send(b"read")
    assert ends.b.read() == b"read"
    ends.b.hiccup()
    ends.a.send(b"lost")
    ends.ctx.deliver()
    assert ends.a._msgs_written == 1
    ends.a.send(b"new")
    ends.ctx.deliver()
    assert drain(ends.b.read) == [b"new"]


def test_after_a_hiccup_the_reader_sleeps_and_wakes_as_ever() -> None:
    """The fresh queue has its own token."""
    ends = Ends()
    assert ends.b.read() is None
    ends.b.hiccup()
    ends.ctx.deliver()
    assert ends.b.read() is None
    ends.a.send(b"x")
    ends.ctx.deliver()
    assert ends.sink_b.events == ["read_activated"]
    assert ends.b.read() == b"x"


def test_hiccup_of_a_conflating_queue_stays_conflating() -> None:
    """The fresh queue is of the same kind."""
    ends = Ends(conflate=(True, True))
    ends.b.hiccup()
    ends.ctx.deliver()
    for n in range(3):
        ends.a.send(b"%d" % n)
    ends.ctx.deliver()
    assert drain(ends.b.read) == [b"2"]


@pytest.mark.parametrize("state", [R1, R2, WD, TA])
def test_a_hiccup_does_not_bring_an_ending_writer_back(state: State) -> None:
    """A hiccup that arrives after the end has begun is no event, and nothing can be written any more."""
    ends = Ends()
    ends.b.hiccup()
    hiccup = ends.ctx.commands.pop()
    if state is R1:
        ends.a.terminate(False)
    elif state is R2:
        ends.a.terminate(False)
        ends.a.process_pipe_term()
    elif state is WD:
        ends.a.process_pipe_term()
    else:
        ends.a.set_nodelay()
        ends.a.process_pipe_term()
    ends.ctx.drop()
    ends.a.process_command(hiccup)
    assert ends.a._state is state
    assert ends.sink_a.events == []
    assert not ends.a.check_write()
    assert not ends.a.send(b"lost")


def test_a_hiccup_keeps_a_message_that_was_begun() -> None:
    """Frames that wait for the rest of their message go to the new queue, whole."""
    ends = Ends()
    ends.a.write_part(b"1", more=True)
    ends.b.hiccup()
    ends.ctx.deliver()
    ends.a.write_part(b"2", more=False)
    ends.a.flush()
    ends.ctx.deliver()
    assert drain(ends.b.read) == [(b"1", b"2")]


# --- conflate --------------------------------------------------------------------------------------------------------


def test_conflate_keeps_the_newest() -> None:
    """An unread message is replaced, by every way of writing; there is no limit."""
    ends = Ends(hwms=(-1, -1), conflate=(True, True))
    for n in range(2000):
        assert ends.a.send(b"%d" % n)
    assert drain(ends.b.read) == [b"1999"]
    ends.a.write(b"written")
    ends.a.flush()
    ends.ctx.deliver()
    assert drain(ends.b.read) == [b"written"]
    assert ends.a.send_batch([b"1", b"2", b"3"]) == 3
    ends.ctx.deliver()
    assert drain(ends.b.read) == [b"3"]


def test_conflate_is_for_single_frames() -> None:
    """Frames of a multipart message replace each other, as in libzmq."""
    ends = Ends(conflate=(True, True))
    ends.a.send((b"1", b"2"))
    assert drain(ends.b.read) == [b"2"]
    ends.a.write_part(b"3", more=True)
    ends.a.write_part(b"4", more=False)
    ends.a.flush()
    ends.ctx.deliver()
    assert drain(ends.b.read) == [b"4"]


def test_conflate_is_per_direction() -> None:
    """conflate[i] is about the queue that end i reads from."""
    ends = Ends(conflate=(True, False))
    for n in range(3):
        ends.a.send(b"%d" % n)
        ends.b.send(b"%d" % n)
    assert drain(ends.b.read) == [b"0", b"1", b"2"]
    assert drain(ends.a.read) == [b"2"]


def test_conflate_wakes_the_reader_once_per_sleep() -> None:
    """Replacing a value that waits costs no further command."""
    ends = Ends(conflate=(True, True))
    assert ends.b.read() is None
    for n in range(3):
        ends.a.send(b"%d" % n)
    assert ends.ctx.kinds == [C.ACTIVATE_READ]


# --- routing of commands, counts, out-of-band messages ---------------------------------------------------------------


def test_commands_go_to_the_peers_thread() -> None:
    """Each end's commands carry the tid of the other, also after it was moved."""
    ends = Ends(hwms=(1, 1))
    ends.a.send(b"x")
    ends.b.read()
    assert ends.ctx.tids == [3]
    ends.b.set_tid(9)
    ends.a.terminate(False)
    assert ends.ctx.tids == [3, 9]


def test_counts_for_the_monitor() -> None:
    """Both ends' numbers of messages not reported read reach the socket that asked, with its endpoint pair."""

    class Publisher:
        tid = 3

        def __init__(self) -> None:
            self.got: list[Any] = []

        def process_command(self, command: Any) -> None:
            self.got.append(command[2])

    ends = Ends()
    pair = EndpointUriPair("local", "remote")
    ends.a.endpoint_pair = pair
    ends.a.send_batch([b"x"] * 3)
    ends.b.send_batch([b"x"] * 2)
    socket = Publisher()
    ends.a.send_stats_to_peer(socket)
    ends.ctx.deliver()
    assert socket.got == [(3, 2, pair)]


def test_the_disconnect_message_ignores_the_limit() -> None:
    """DISCONNECT_MSG comes before the delimiter, in a full pipe too, and drops an unfinished message."""
    ends = Ends(hwms=(1, 1))
    ends.a.disconnect_msg = b"bye"
    ends.a.send(b"x")
    ends.a.send_disconnect_msg()
    ends.a.terminate(True)
    assert list(ends.b._in_queue) == [b"x", b"bye", DELIMITER]


def test_nothing_is_written_behind_the_delimiter() -> None:
    """Out-of-band messages of an end that is ending are dropped: the delimiter stays the last item."""
    ends = Ends()
    ends.a.disconnect_msg = b"bye"
    ends.a.terminate(True)
    ends.a.send_disconnect_msg()
    ends.a.send_hiccup_msg(b"hic")
    assert list(ends.b._in_queue)[-1] is DELIMITER


def test_metadata_is_shown_to_the_reader_at_the_other_end() -> None:
    """set_peer_metadata() names the connection for the peer, and does nothing when the peer is gone."""
    ends = Ends()
    ends.a.set_peer_metadata({"Peer-Address": "::1"})
    assert ends.b.metadata == {"Peer-Address": "::1"}
    ends.a.terminate(False)
    ends.b.terminate(False)
    ends.ctx.deliver()
    ends.a.set_peer_metadata(None)


def test_ctrl_c_in_the_moment_of_a_wake_up_loses_none() -> None:
    """Interrupted between taking the token and sending the command, flush() sends it before it raises."""
    ends = Ends()
    assert ends.b.read() is None

    class Interrupting(list):  # type: ignore[type-arg]
        def pop(self, *_: Any) -> Any:
            super().pop()
            raise KeyboardInterrupt

    token: Any = Interrupting([True])
    ends.b._in_asleep = ends.a._out_asleep = token
    with pytest.raises(KeyboardInterrupt):
        ends.a.send(b"x")
    ends.ctx.deliver()
    assert ends.b.read() == b"x"
