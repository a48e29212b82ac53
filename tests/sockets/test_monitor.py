# SPDX-License-Identifier: MPL-2.0
"""Monitors of version 2: their messages, the types of socket they go through, statistics of pipes, and refusals.

Version 1, with what it tells and when, is in interop/test_monitor_table.py. The real libzmq that pyzmq carries does not
give its users version 2, so this is held to its source and manual alone.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import pytest

from libzmq_py import parse_monitor_message_v2 as parse
from tests.api.helpers import raises_errno
from tests.support.target import zmq
from tests.support.waiting import SILENCE, ms, seconds, wait_until

pytestmark = pytest.mark.departs

Sock = Any
_names = itertools.count(1)


@pytest.fixture
def watch(socket: Any) -> Any:
    """``reader = watch(sock, events)``: a monitor of version 2 and who reads it."""

    def make(sock: Sock, events: int = zmq.EVENT_ALL_V2, type: int = zmq.PAIR) -> Sock:
        name = f"inproc://watch-{next(_names)}"
        sock.monitor(name, events, version=2, type=type)
        reader = socket({zmq.PAIR: zmq.PAIR, zmq.PUB: zmq.SUB, zmq.PUSH: zmq.PULL}[type])
        if type == zmq.PUB:
            reader.subscribe(b"")
        reader.connect(name)
        return reader

    return make


def number(value: int) -> bytes:
    return value.to_bytes(8, sys.byteorder)


def told(reader: Sock) -> Any:
    return parse(reader.recv_multipart())


@pytest.mark.parametrize("type_", [zmq.PAIR, zmq.PUB, zmq.PUSH], ids=["PAIR", "PUB", "PUSH"])
def test_both_ends_are_told(socket: Any, watch: Any, type_: int) -> None:
    """Each event has its numbers in 8 bytes, and the local and the remote end of what it is about."""
    server, client = socket(zmq.PULL), socket(zmq.PUSH)
    server_events, client_events = watch(server, type=type_), watch(client, type=type_)
    server.bind("tcp://127.0.0.1:*")
    bound = server.last_endpoint
    if type_ == zmq.PUB:
        # LISTENING may have come before the subscription; what comes later does not.
        while server_events.poll(round(SILENCE * 1000)):
            server_events.recv_multipart()
    else:
        frames = server_events.recv_multipart()
        assert len(frames) == 5 and {len(frame) for frame in frames[:3]} == {8}
        listening = parse(frames)
        assert (listening["event"], listening["local"], listening["remote"]) == (zmq.EVENT_LISTENING, bound, b"")
    client.connect(bound)
    if type_ != zmq.PUB:
        assert told(client_events)["event"] == zmq.EVENT_CONNECT_DELAYED
        connected, accepted = told(client_events), told(server_events)
        assert (connected["event"], accepted["event"]) == (zmq.EVENT_CONNECTED, zmq.EVENT_ACCEPTED)
        assert connected["remote"] == accepted["local"] == bound
        assert connected["local"] == accepted["remote"] != bound
        for events in (server_events, client_events):
            handshake = told(events)
            assert (handshake["event"], handshake["values"]) == (zmq.EVENT_HANDSHAKE_SUCCEEDED, [0])
    server.monitor(None)
    wait_until(lambda: told(server_events)["event"] == zmq.EVENT_MONITOR_STOPPED)


def test_pipes_are_counted(socket: Any, watch: Any) -> None:
    """monitor_pipes_stats: per pipe what waits to go out and to come in, as far as its reader has told."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    left.bind("inproc://counted")
    right.connect("inproc://counted")
    events = watch(left, zmq.EVENT_PIPES_STATS)
    for _ in range(5):
        left.send(b"x")
    for _ in range(3):
        right.send_multipart([b"a", b"b"])

    def statistics() -> list[int]:
        left.monitor_pipes_stats()
        # Both ends answer when they look at their commands next.
        right.poll(0)
        left.poll(0)
        found = told(events)
        assert found["event"] == zmq.EVENT_PIPES_STATS
        assert isinstance(found["values"], list)
        return found["values"]  # type: ignore[no-any-return]

    assert statistics() == [5, 3]
    right.close()
    wait_until(lambda: left.poll(0) >= 0 and not left.poll(0, zmq.POLLOUT))


def test_a_pipe_per_connection_is_counted(socket: Any, watch: Any) -> None:
    """Two peers, two events; over tcp the endpoint tells which."""
    push = socket(zmq.PUSH)
    pulls = [socket(zmq.PULL, rcvhwm=1) for _ in range(2)]
    ends = set()
    for pull in pulls:
        pull.bind("tcp://127.0.0.1:*")
        push.connect(pull.last_endpoint)
        ends.add(pull.last_endpoint)
    events = watch(push, zmq.EVENT_PIPES_STATS)
    push.monitor_pipes_stats()
    found = []
    for _ in range(2):
        wait_until(lambda: push.poll(0, zmq.POLLIN) == 0 and events.poll(5))
        found.append(told(events))
    assert {each["remote"] for each in found} == ends
    assert [each["values"] for each in found] == [[0, 0]] * 2


def test_statistics_nobody_wants(socket: Any, watch: Any) -> None:
    """Without a monitor that asks for them EINVAL, without a pipe EAGAIN."""
    sock = socket(zmq.PAIR)
    with raises_errno(zmq.EINVAL):
        sock.monitor_pipes_stats()
    sock.monitor("inproc://one", zmq.EVENT_LISTENING)
    with raises_errno(zmq.EINVAL):
        sock.monitor_pipes_stats()
    watch(sock, zmq.EVENT_PIPES_STATS)
    with raises_errno(zmq.EAGAIN):
        sock.monitor_pipes_stats()
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        sock.monitor_pipes_stats()


def test_refusals(socket: Any) -> None:
    """Events above the 16th with version 1, other transports, other types, names in use."""
    sock, other = socket(zmq.PAIR), socket(zmq.PAIR)
    with raises_errno(zmq.EINVAL, "0x1ffff"):
        sock.monitor("inproc://x", zmq.EVENT_ALL_V2)
    with raises_errno(zmq.EPROTONOSUPPORT, "tcp://127.0.0.1:5555"):
        sock.monitor("tcp://127.0.0.1:5555", version=2)
    with raises_errno(zmq.EPROTONOSUPPORT, "dance://x"):
        sock.monitor("dance://x", version=2)
    with raises_errno(zmq.EINVAL, "'nonsense'"):
        sock.monitor("nonsense", version=2)
    for type_ in (zmq.SUB, zmq.REQ, zmq.ROUTER, 4711):
        with raises_errno(zmq.EINVAL, type_):
            sock.monitor("inproc://x", version=2, type=type_)
    other.bind("inproc://taken")
    with raises_errno(zmq.EADDRINUSE, "inproc://taken"):
        sock.monitor("inproc://taken", version=2)
    sock.monitor("inproc://x", version=2)
    sock.monitor(None)


def test_a_version_that_is_not_known_tells_nothing(socket: Any) -> None:
    """As libzmq has it: accepted, and then silent."""
    sock, reader = socket(zmq.PULL), socket(zmq.PAIR)
    sock.monitor("inproc://three", version=3)
    reader.connect("inproc://three")
    sock.bind("tcp://127.0.0.1:*")
    sock.monitor(None)
    assert not reader.poll(round(SILENCE * 1000))


def test_events_of_a_version_1_monitor_are_not_parsed_as_2() -> None:
    """What has not the form is a RuntimeError that shows it."""
    parse([number(1), number(1), number(7), b"", b"tcp://x:1"])
    for bad in (
        [],
        [b"123456", b"tcp://x:1"],
        [number(1), number(2), number(7), b"", b""],
        [number(1), number(0), b"7", b"", b""],
        [number(1), b"", b""],
    ):
        with pytest.raises(RuntimeError, match="Invalid event message format"):
            parse(bad)


def test_another_monitor_takes_over(socket: Any, watch: Any) -> None:
    """The old one says that it ends; the new one has its own version."""
    sock = socket(zmq.PULL)
    first = watch(sock)
    second = watch(sock, zmq.EVENT_LISTENING, zmq.PUSH)
    assert told(first)["event"] == zmq.EVENT_MONITOR_STOPPED
    sock.bind("tcp://127.0.0.1:*")
    assert told(second)["event"] == zmq.EVENT_LISTENING
    assert not first.poll(0)


def test_a_subscriber_may_come_and_go(socket: Any) -> None:
    """With PUB nobody has to listen; several may."""
    sock = socket(zmq.PULL)
    name = f"inproc://watch-{next(_names)}"
    sock.monitor(name, zmq.EVENT_LISTENING | zmq.EVENT_CLOSED, version=2, type=zmq.PUB)
    sock.bind("tcp://127.0.0.1:*")
    subs = [socket(zmq.SUB, rcvtimeo=ms(200)) for _ in range(2)]
    for sub in subs:
        sub.subscribe(number(zmq.EVENT_LISTENING))
        sub.connect(name)
    for _ in range(3):
        sock.bind("tcp://127.0.0.1:*")
        sock.unbind(sock.last_endpoint)
    wait_until(lambda: all(sub.poll(20) for sub in subs), timeout=seconds(2))
    assert {told(sub)["event"] for sub in subs} == {zmq.EVENT_LISTENING}
