# SPDX-License-Identifier: MPL-2.0
"""Situations that stress runs brought up and in which libzmq 4.3.5 can abort the process or hang: ours goes on.

Those that libzmq fails every time are marked; the others are races that it mostly wins.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import zmq as real

from tests.interop.sides import OURS, REAL, Side, bound_endpoint, drain, errno_of, join, rebind
from tests.support.raw_peer import RawPeers
from tests.support.waiting import ms, wait_until

pytestmark = pytest.mark.interop


@pytest.fixture
def ours() -> Iterator[Side]:
    """The library under test."""
    with Side(OURS) as side:
        yield side


@pytest.fixture
def theirs() -> Iterator[Side]:
    """Real libzmq."""
    with Side(REAL) as side:
        yield side


TCP = "tcp://127.0.0.1:*"


@pytest.mark.departs
@pytest.mark.parametrize("kind", ["SUB", "ROUTER", "PULL"])
def test_a_connection_ends_when_half_of_its_message_has_been_read(ours: Side, theirs: Side, kind: str) -> None:
    """The rest of that message is gone; the next message comes whole and from its first part (fq.cpp '!_more')."""
    sink = ours.socket(kind, **({"SUBSCRIBE": b""} if kind == "SUB" else {}))
    source_kind = {"SUB": "XPUB", "ROUTER": "DEALER", "PULL": "PUSH"}[kind]
    first, second = theirs.socket(source_kind), theirs.socket(source_kind)
    address, other = bound_endpoint(first, TCP), bound_endpoint(second, TCP)
    for source, where in ((first, address), (second, other)):
        sink.connect(where)
        if kind == "SUB":
            assert source.recv() == b"\1"
    first.send_multipart([b"head", b"body", b"tail"])
    assert sink.poll(ms(5000))
    if kind == "PULL":
        assert sink.recv() == b"head"
    sink.disconnect(address)
    second.send_multipart([b"new", b"message"])

    def whole() -> bool:
        # What was read before may or may not still be completed; nothing may be mixed.
        frames: list[bytes] = sink.recv_multipart()[-2:]
        assert frames in ([b"new", b"message"], [b"body", b"tail"]), frames
        return frames == [b"new", b"message"]

    wait_until(whole, "the next message")


def test_a_relaxed_request_while_half_of_the_answer_has_been_read(ours: Side, theirs: Side) -> None:
    """The old answer is forgotten, the new one comes whole (fq.cpp '!_more')."""
    req = ours.socket("REQ", REQ_RELAXED=1, REQ_CORRELATE=1)
    rep = theirs.socket("REP")
    req.connect(bound_endpoint(rep, TCP))
    for number in range(5):
        req.send(b"%d" % number)
        assert rep.recv() == b"%d" % number
        rep.send_multipart([b"%d" % number, b"second part", b"third part"])
        assert req.recv() == b"%d" % number
    req.send(b"last")
    wait_until(lambda: rep.poll(10) and rep.recv() == b"last", "the last request")
    rep.send_multipart([b"last", b"part"])
    assert req.recv_multipart() == [b"last", b"part"]


def test_a_connection_lost_while_a_message_is_half_read_with_immediate(ours: Side, theirs: Side) -> None:
    """IMMEDIATE drops the pipe at once; reading goes on with the next connection's messages (fq.cpp '!_more')."""
    pull = ours.socket("PULL", IMMEDIATE=1)
    monitor = ours.monitor(pull)
    push = theirs.socket("PUSH")
    address = bound_endpoint(push, TCP)
    pull.connect(address)
    push.send_multipart([b"head", b"body"])
    assert pull.recv() == b"head"
    push.close()
    monitor.wait("DISCONNECTED")
    push = rebind(lambda: theirs.socket("PUSH"), address)
    push.send_multipart([b"new", b"message"])
    frames = pull.recv_multipart()
    assert frames in ([b"new", b"message"], [b"body"])
    if frames == [b"body"]:
        assert pull.recv_multipart() == [b"new", b"message"]


def test_close_while_a_large_message_is_half_sent_and_the_peer_resets(ours: Side) -> None:
    """Linger ends in the middle of a multipart message, then the connection breaks (session_base.cpp 233)."""
    raw = RawPeers()
    for _ in range(10):
        push = ours.socket("PUSH", SNDBUF=4096)
        peer = raw.connect(bound_endpoint(push, TCP))
        peer.handshake("PULL")
        for _ in range(5):
            push.send_multipart([bytes(300_000)] * 4)
        peer.read(1000)
        push.close(linger=1)
        peer.reset()
    raw.close()


@pytest.mark.parametrize("kind", ["ROUTER", "DEALER", "PAIR", "REP"])
def test_bind_finds_a_parked_connect_whose_socket_is_closed(ours: Side, kind: str) -> None:
    """The name can be bound although dead connecters wait there first (pipe.cpp 'written')."""
    for _ in range(20):
        for hwm in (0, 1):
            gone = ours.socket("ROUTER", SNDHWM=hwm, RCVHWM=hwm)
            gone.connect("inproc://name")
            gone.close()
        binder = ours.socket(kind)
        binder.bind("inproc://name")
        binder.poll(0)
        binder.unbind("inproc://name")
        binder.close()


def test_a_living_connecter_behind_dead_ones(ours: Side) -> None:
    """What waits under a name besides closed sockets is served when the name is bound."""
    gone = [ours.socket("DEALER", SNDHWM=1, RCVHWM=1) for _ in range(5)]
    live = ours.socket("DEALER")
    for sock in [*gone[:3], live, *gone[3:]]:
        sock.connect("inproc://name")
    for sock in gone:
        sock.close()
    live.send(b"alive")
    binder = ours.socket("ROUTER", ROUTER_MANDATORY=1)
    binder.bind("inproc://name")
    routing_id, body = binder.recv_multipart()
    assert body == b"alive"
    binder.send_multipart([routing_id, b"good"])
    assert live.recv() == b"good"


@pytest.mark.departs
@pytest.mark.parametrize("kind", ["PUSH", "DEALER", "SUB"])
def test_connects_to_unbound_names_while_the_context_ends(kind: str) -> None:
    """term() also ends when other threads go on parking connects under names that nobody binds."""
    for _ in range(10):
        ctx = OURS.Context()
        ready = threading.Barrier(4)

        def connect_on_and_on(ctx: Any = ctx, ready: threading.Barrier = ready) -> None:
            sock = ctx.socket(getattr(OURS, kind))
            sock.setsockopt(OURS.LINGER, 0)
            ready.wait()
            # Until ETERM; the limit only keeps a slow term() from getting too much to do.
            names = iter([f"inproc://nobody-{number}" for number in range(500)])
            while not errno_of(lambda: sock.connect(next(names, "inproc://nobody"))):
                pass
            sock.close()

        threads = [threading.Thread(target=connect_on_and_on, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        ready.wait()
        terminator = threading.Thread(target=ctx.term, daemon=True)
        terminator.start()
        for thread in [*threads, terminator]:
            join(thread, "term()")


def test_a_reconnect_while_the_receiving_queue_is_full(ours: Side, theirs: Side) -> None:
    """The new connection takes over where the queue has room again (stream_engine_base.cpp '_input_stopped')."""
    pull = ours.socket("PULL", RCVHWM=2)
    monitor = ours.monitor(pull)
    push = theirs.socket("PUSH")
    address = bound_endpoint(push, TCP)
    pull.connect(address)
    for round_number in range(5):
        for number in range(20):
            push.send(b"%d.%d" % (round_number, number))
        assert pull.poll(ms(5000))
        push.close(linger=0)
        push = rebind(lambda: theirs.socket("PUSH"), address)
        while not monitor.poll_all(0.01).count("HANDSHAKE_SUCCEEDED") == round_number + 2:
            drain(pull)
    push.send(b"end")
    while pull.recv() != b"end":
        pass


@pytest.mark.departs
def test_closing_peers_while_a_monitor_overflows(ours: Side, theirs: Side) -> None:
    """disable_monitor() returns although nobody read the monitor and it is full (libzmq: deadlock)."""
    push = ours.socket("PUSH", RECONNECT_IVL=1)
    push.monitor("inproc://full", real.EVENT_ALL)
    deaf = ours.socket("PAIR", RCVHWM=1)
    deaf.connect("inproc://full")
    raw = RawPeers()
    listener = raw.listen()
    push.connect(listener.endpoint)
    for _ in range(300):
        raw.accept(listener).close()
    raw.close()
    push.disable_monitor()
    pull = theirs.socket("PULL")
    push.connect(bound_endpoint(pull, TCP))
    wait_until(lambda: (push.send(b"x"), pull.poll(5))[1], "a message")
