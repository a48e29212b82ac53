# SPDX-License-Identifier: MPL-2.0
"""Bytes between a descriptor and a session: partial sends, back-pressure, and how a connection ends."""

from __future__ import annotations

import errno
import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import SocketType
from libzmq_py.endpoint import EndpointType, EndpointUriPair
from libzmq_py.engines import stream_engine_base
from libzmq_py.engines.i_engine import ErrorReason, ProtocolError
from libzmq_py.engines.make_engine import make_engine
from libzmq_py.engines.raw_engine import RawEngine
from libzmq_py.engines.zmtp_engine import ZmtpEngine
from libzmq_py.msg import Msg
from libzmq_py.options import Options
from tests.engines.fakes import GREETING, PAIR, Rig, frame, ready

MakeRig = Callable[..., Rig]
CONNECTION, PROTOCOL = ErrorReason.CONNECTION_ERROR, ErrorReason.PROTOCOL_ERROR


@pytest.fixture
def rig() -> Iterator[MakeRig]:
    """Make engines after their handshake; `small` gives the kernel little room."""
    made: list[Rig] = []

    def make(type_: SocketType = SocketType.PULL, peer: str = "PUSH", small: bool = False, **options: Any) -> Rig:
        one = Rig(ZmtpEngine, type_, **options)
        made.append(one)
        if small:
            one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        one.handshake(peer)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def push(rig: MakeRig) -> Rig:
    """A PUSH whose kernel has little room."""
    return rig(SocketType.PUSH, "PULL", small=True)


def wire(messages: list[Any]) -> bytes:
    """Messages as ZMTP frames."""
    out = b""
    for message in messages:
        frames = message if isinstance(message, tuple) else (message,)
        for index, part in enumerate(frames):
            out += frame(bytes(part), int(index < len(frames) - 1))
    return out


# --- out -------------------------------------------------------------------------------------------------------------

BATCHES: dict[str, list[Any]] = {
    "small": [b"%d" % n for n in range(5000)],
    "one size": [b"x" * 100] * 5000,
    "large": [bytes([n]) * 100_000 for n in range(10)],
    "huge": [b"x" * 5_000_000],
    "mixed": [b"a", b"b" * 50_000, (b"c", b"", b"d" * 20_000), b"", b"e" * 255, b"f" * 256] * 5,
    "many frames": [tuple(b"%d" % n * 3000 for n in range(700))],
    "views": [(memoryview(b"abc" * 10_000), Msg(memoryview(b"def" * 10_000))), Msg(b"g" * 10_000)],
    "empty": [b""] * 3000,
}


@pytest.mark.parametrize("gather", [True, False])
@pytest.mark.parametrize("name", BATCHES)
def test_everything_arrives_in_order(push: Rig, monkeypatch: pytest.MonkeyPatch, name: str, gather: bool) -> None:
    """Whatever part the kernel takes each time, and with or without sendmsg()."""
    monkeypatch.setattr(stream_engine_base, "_HAS_GATHER", gather)
    messages = BATCHES[name]
    push.session.to_send = list(messages)
    push.engine.restart_output()
    expected = wire(messages)
    assert push.recv(len(expected)) == expected
    if push.events & 2:
        push.engine.out_event()
    assert push.silent()
    assert push.events == 1, "POLLOUT only while there is something to send"


def test_a_full_kernel_is_waited_for(push: Rig) -> None:
    """POLLOUT is set while the kernel takes no more; restart_output() in that time changes nothing."""
    push.session.to_send = [b"x" * 100_000]
    push.engine.restart_output()
    assert push.events == 3
    pulled = len(push.session.limits)
    push.session.to_send = [b"y"]
    push.engine.restart_output()
    assert len(push.session.limits) == pulled
    expected = wire([b"x" * 100_000, b"y"])
    assert push.recv(len(expected)) == expected


def test_messages_that_come_while_it_sends_are_sent(push: Rig) -> None:
    """The session says so once (restart_output), at whatever moment; nothing stays behind."""
    sent: list[Any] = []
    for n in range(50):
        message = bytes([n]) * (n * 700)
        sent.append(message)
        push.session.to_send.append(message)
        push.engine.restart_output()
    expected = wire(sent)
    assert push.recv(len(expected)) == expected


def test_small_messages_take_few_pulls_and_few_calls(rig: MakeRig) -> None:
    """Some hundreds of small messages per pull once the engine has seen their size."""
    push = rig(SocketType.PUSH, "PULL")
    push.session.to_send = [b"x" * 10] * 4000
    push.session.limits.clear()
    push.engine.restart_output()
    push.recv(12 * 4000)
    assert len(push.session.limits) < 20


def test_large_messages_are_pulled_a_few_at_a_time(push: Rig) -> None:
    """What is pulled counts no longer against the high-water mark, so not much of it lies in the engine."""
    push.session.to_send = [b"x" * 1_000_000] * 100
    push.engine.restart_output()
    for _ in range(20):
        push.recv(1_000_000)
    assert len(push.session.to_send) >= 100 - 20 - 18


def test_many_batches_leave_others_their_turn(rig: MakeRig) -> None:
    """A session that never runs dry does not keep the thread: after some batches it waits for POLLOUT."""
    push = rig(SocketType.PUSH, "PULL")
    calls: list[int] = []

    def endless(limit: int) -> list[bytes]:
        calls.append(limit)
        push.peer.setblocking(False)
        try:
            push.peer.recv(1 << 20)
        except BlockingIOError:
            pass
        return [b"x"]

    push.session.pull_msgs = endless
    push.engine.restart_output()
    assert len(calls) < 100
    assert push.events & 2


def test_a_broken_connection_is_found_by_reading(push: Rig) -> None:
    """A failed send is not the end: what the peer sent before it went is still received."""
    push.peer.sendall(frame(b"last words"))
    push.peer.close()
    push.session.to_send = [b"x"] * 10
    push.engine.restart_output()
    while push.events & 2:
        push.engine.out_event()
    assert push.session.errors == []
    assert push.events == 1
    push.engine.in_event()
    assert push.session.received == [b"last words"]
    push.settle()
    assert push.session.errors == [(True, CONNECTION)]


# --- in --------------------------------------------------------------------------------------------------------------


def test_what_arrives_is_pushed(rig: MakeRig) -> None:
    """Messages of one frame as bytes, of several as tuples."""
    pull = rig()
    pull.send(wire([b"a", (b"b", b"c"), b"d" * 300_000]))
    assert pull.session.received == [b"a", (b"b", b"c"), b"d" * 300_000]


def test_a_large_body_is_read_on_at_once(rig: MakeRig) -> None:
    """The read that brings its header was full, so more of it is there: no wait lies in between."""
    pull = rig()
    pull.peer.sendall(frame(b"x" * 150_000))
    pull.engine.in_event()
    assert pull.session.received == [b"x" * 150_000]


def test_a_large_body_behind_what_ends_the_connection(rig: MakeRig) -> None:
    """Nothing more is read (fuzzing): the descriptor is closed, and its number may be somebody else's by now."""
    pull = rig()
    pull.peer.sendall(frame(b"\4PING", 4) + frame(b"x" * 150_000))
    sock, used = pull.sock, []

    class Watched:
        def recv_into(self, window: memoryview) -> int:
            used.append(len(window))
            return sock.recv_into(window)

        def __getattr__(self, name: str) -> Any:
            return getattr(sock, name)

    pull.engine._sock = Watched()
    pull.engine.in_event()
    assert len(pull.session.errors) == 1
    assert used == []


def test_a_window_into_which_nothing_comes(rig: MakeRig) -> None:
    """It is given up at once, as others may use it: a read that was full need not mean that more is there."""
    pull = rig()
    decoder = pull.engine._decoder = V2Decoder(-1).bodies()
    pull.peer.sendall(frame(b"x" * 100_000)[:8192])
    pull.engine.in_event()
    assert decoder.collector.direct
    assert decoder.collector._buffer is None
    assert len(decoder.collector.tail) == 8192


@pytest.mark.parametrize(
    ("size", "count", "offered"), [(100, 10_000, False), (50_000, 1, True), (1_000_000, 1, True)]
)
def test_a_stream_of_large_messages_is_offered(rig: MakeRig, size: int, count: int, offered: bool) -> None:
    """Not one of small messages, however many come at once."""
    pull = rig()
    pull.session.input_offered = False
    pull.send(wire([b"x" * size] * count))
    assert pull.session.input_offered == offered


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_the_peer_goes_in_the_middle_of_a_large_body(rig: MakeRig, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """The connection ends; nothing of the body is delivered."""
    pull = rig()
    pull.send(frame(b"x" * 1_000_000)[:100_000])
    if how == "closes":
        pull.peer.close()
        pull.settle()
    else:

        class Broken:
            def recv_into(self, _window: memoryview) -> int:
                raise OSError(errno.ECONNRESET, "reset")

            def __getattr__(self, name: str) -> Any:
                return getattr(pull.sock, name)

        monkeypatch.setattr(pull.engine, "_sock", Broken())
        pull.engine.in_event()
    assert pull.session.received == []
    assert pull.session.errors == [(True, CONNECTION)]


def test_a_full_session_stops_the_input(rig: MakeRig) -> None:
    """What it does not take is held, in order, and nothing more is read until it takes messages again."""
    pull = rig()
    pull.session.room = 3
    pull.peer.sendall(wire([b"%d" % n for n in range(10)]))
    pull.settle()
    assert pull.session.received == [b"0", b"1", b"2"]
    assert pull.events == 0
    pull.peer.sendall(wire([b"10"]))
    pull.session.room = 2
    pull.engine.restart_input()
    assert pull.session.received == [b"%d" % n for n in range(5)]
    assert pull.events == 0
    pull.session.room = 1 << 60
    pull.engine.restart_input()
    assert pull.session.received == [b"%d" % n for n in range(11)]
    assert pull.events == 1


def test_restart_input_without_need(rig: MakeRig) -> None:
    """An engine whose input runs is left alone."""
    pull = rig()
    pull.engine.restart_input()
    assert (pull.events, pull.session.received) == (1, [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["send", "room"]), st.integers(0, 5)), max_size=30))
def test_back_pressure_never_loses_or_reorders(steps: list[tuple[str, int]]) -> None:
    """Any sequence of arrivals and room: all messages, in order, and input runs in the end."""
    pull = Rig(ZmtpEngine)
    try:
        pull.handshake()
        pull.session.room = 0
        sent: list[bytes] = []
        for step, amount in steps:
            if step == "send":
                batch = [b"%d" % (len(sent) + n) for n in range(amount)]
                sent += batch
                pull.send(wire(batch))
            else:
                pull.session.room += amount
                pull.engine.restart_input()
        pull.session.room = 1 << 60
        pull.engine.restart_input()
        pull.settle()
        assert pull.session.received == sent
        assert pull.events == 1
    finally:
        pull.close()


def test_messages_before_an_error_come_first(rig: MakeRig) -> None:
    """The session is full when the peer breaks the framing: it gets the held messages, then the end."""
    pull = rig(maxmsgsize=100)
    pull.session.room = 1
    pull.send(wire([b"1", b"2", b"x" * 101]))
    assert pull.session.errors == []
    pull.session.room = 5
    pull.engine.restart_input()
    assert pull.session.received == [b"1", b"2"]
    assert pull.session.errors == [(True, PROTOCOL)]


def test_broken_framing_ends_the_connection(rig: MakeRig) -> None:
    """protocol_error; the event is DISCONNECTED only, as the handshake was over."""
    pull = rig(maxmsgsize=100)
    fd = pull.sock.fileno()
    pull.session.events.clear()
    pull.send(wire([b"1", b"x" * 101]))
    assert pull.session.received == [b"1"]
    assert pull.session.errors == [(True, PROTOCOL)]
    assert pull.session.events == [("disconnected", fd)]


def test_a_message_against_the_pattern_ends_the_connection(rig: MakeRig) -> None:
    """ProtocolError from the session (REQ, REP) is the peer's fault."""
    pull = rig()

    def refuse(msgs: list[Any]) -> int:
        raise ProtocolError("not now")

    pull.session.push_msgs = refuse  # type: ignore[method-assign]
    pull.send(wire([b"1"]))
    assert pull.session.errors == [(True, PROTOCOL)]


def test_a_connection_with_oneself_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP's simultaneous open on one port: garbage of our own is no protocol error but a lost connection."""
    same = EndpointUriPair("tcp://127.0.0.1:1", "tcp://127.0.0.1:1", EndpointType.CONNECT)
    one = Rig(ZmtpEngine, pair=same, maxmsgsize=100)
    try:
        one.handshake()
        one.send(wire([b"x" * 101]))
        assert one.session.errors == [(True, CONNECTION)]
    finally:
        one.close()


def test_the_size_of_a_read_follows_the_traffic(rig: MakeRig) -> None:
    """Small at rest; larger while reads come back full; small again afterwards."""
    pull = rig()
    at_rest = pull.engine._read_size
    sizes = set()

    def take(msgs: list[Any]) -> int:
        sizes.add(pull.engine._read_size)
        return len(msgs)

    pull.session.push_msgs = take  # type: ignore[method-assign]
    data = wire([b"x" * 1000] * 100)
    for _ in range(20):
        pull.send(data)
    assert max(sizes) > at_rest
    for _ in range(20):
        pull.send(wire([b"x"]))
    assert pull.engine._read_size == at_rest


# --- the end ---------------------------------------------------------------------------------------------------------


def test_the_peer_closes(rig: MakeRig) -> None:
    """DISCONNECTED with the descriptor, engine_error(connection), and everything is given back."""
    pull = rig(heartbeat_interval=100, heartbeat_timeout=50)
    fd = pull.sock.fileno()
    pull.session.events.clear()
    pull.peer.close()
    pull.settle()
    assert pull.session.events == [("disconnected", fd)]
    assert pull.session.errors == [(True, CONNECTION)]
    assert pull.sock.fileno() == -1
    assert (pull.poller.handles, pull.poller.timers) == ([], [])
    assert not pull.engine.plugged


def test_the_peer_resets(rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of recv() is a lost connection too."""
    pull = rig()

    class Broken:
        def recv(self, _size: int) -> bytes:
            raise OSError(errno.ECONNRESET, "reset")

        def __getattr__(self, name: str) -> Any:
            return getattr(pull.sock, name)

    pull.engine._sock = Broken()
    pull.engine.in_event()
    assert pull.session.errors == [(True, CONNECTION)]


def test_terminate_tells_nobody(rig: MakeRig) -> None:
    """Closed, no event, no engine_error; again and late calls do nothing."""
    pull = rig(heartbeat_interval=100)
    pull.session.events.clear()
    pull.engine.terminate()
    pull.engine.terminate()
    pull.engine.restart_input()
    pull.engine.restart_output()
    pull.engine.error(CONNECTION)
    assert (pull.session.events, pull.session.errors) == ([], [])
    assert pull.sock.fileno() == -1
    assert (pull.poller.handles, pull.poller.timers) == ([], [])
    pull.peer.settimeout(5)
    assert pull.peer.recv(1) == b""


def test_a_large_message_that_does_not_end_is_forgotten(rig: MakeRig) -> None:
    """With the connection, not when the collector comes (fuzzing)."""
    pull = rig()
    pull.send(b"\2" + (1 << 20).to_bytes(8, "big") + b"x")
    body = weakref.ref(pull.engine._decoder.collector._body)
    assert body() is not None
    gc.disable()
    try:
        pull.hang_up()
        assert body() is None
    finally:
        gc.enable()


def test_terminate_before_plug() -> None:
    """An engine that no session ever took closes its socket."""
    one = Rig(ZmtpEngine)
    one.engine.terminate()
    assert one.sock.fileno() == -1
    one.close()


def test_an_error_while_messages_are_held(rig: MakeRig) -> None:
    """A connection that is lost while the session is full: found when input runs again, the held messages first."""
    pull = rig()
    pull.session.room = 1
    pull.send(wire([b"1", b"2"]))
    pull.peer.close()
    pull.session.room = 9
    pull.engine.restart_input()
    assert pull.session.received == [b"1", b"2"]
    assert pull.session.errors == [(True, CONNECTION)]


# --- engines/__init__.py ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("raw", "expected"), [(False, ZmtpEngine), (True, RawEngine)])
def test_the_choice_of_an_engine(raw: bool, expected: type) -> None:
    """Raw sockets (STREAM, ROUTER_RAW) get the engine without a protocol."""
    near, far = socket.socketpair()
    options = Options()
    options.raw_socket = raw
    engine = make_engine(near, options, PAIR)
    assert type(engine) is expected
    assert PAIR.remote in repr(engine)
    engine.terminate()
    far.close()


def test_the_address_of_an_ipc_peer(rig: MakeRig) -> None:
    """uid, gid and pid, where the system tells them."""
    import os

    if not hasattr(socket, "SO_PEERCRED"):
        pytest.skip("this system does not tell")
    assert rig().engine.peer_address.endswith(f":{os.getuid()}:{os.getgid()}:{os.getpid()}")


def test_greeting_and_ready_are_all_that_a_handshake_takes() -> None:
    """The literal bytes the rig plays are accepted one by one as well."""
    one = Rig(ZmtpEngine)
    try:
        one.plug()
        for byte in GREETING + ready("PUSH"):
            one.send(bytes([byte]))
        assert one.session.readies == 1
    finally:
        one.close()
