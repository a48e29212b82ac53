# SPDX-License-Identifier: MPL-2.0
"""Monitors: starting, reading, stopping."""

import importlib
import struct
from typing import Any

import pytest

from tests.api.helpers import TARGET, MakeSocket, inproc_name, raises_errno
from tests.support.target import zmq
from tests.support.waiting import ms

# pyzmq keeps these in a module of their own, and libzmq_py has no utils.
_home: Any = zmq if TARGET == "libzmq_py" else importlib.import_module("zmq.utils.monitor")


def test_messages_are_parsed() -> None:
    """Six bytes and an endpoint give event, value and endpoint; event and value are of the enum."""
    message = [struct.pack("=hi", zmq.EVENT_LISTENING, 7), b"tcp://127.0.0.1:1"]
    parsed = _home.parse_monitor_message(message)
    assert parsed == {"event": zmq.EVENT_LISTENING, "value": 7, "endpoint": b"tcp://127.0.0.1:1"}
    assert isinstance(parsed["event"], zmq.Event)
    assert isinstance(parsed["value"], zmq.Event)


@pytest.mark.parametrize("bad", [[], [b"123456"], [b"12345", b""], [b"123456", b"", b""]])
def test_other_messages_are_refused(bad: list[bytes]) -> None:
    """What is not of that form is a RuntimeError."""
    with pytest.raises(RuntimeError, match="Invalid event message format"):
        _home.parse_monitor_message(bad)


def test_a_monitor_socket_receives_events(socket: MakeSocket) -> None:
    """get_monitor_socket gives a PAIR that tells of the connection; disable_monitor ends it."""
    server, client = socket(zmq.REP), socket(zmq.REQ)
    endpoint = f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"
    with client.get_monitor_socket() as events:
        assert events.type == zmq.PAIR
        assert client.get_monitor_socket() is events
        events.rcvtimeo = ms(5000)
        client.connect(endpoint)
        seen: list[Any] = []
        while not seen or seen[-1]["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED:
            seen.append(_home.recv_monitor_message(events))
        assert zmq.EVENT_CONNECTED in [each["event"] for each in seen]
        assert {each["endpoint"] for each in seen} == {endpoint.encode()}
        client.disable_monitor()
        assert _home.recv_monitor_message(events)["event"] == zmq.EVENT_MONITOR_STOPPED


def test_events_can_be_chosen(socket: MakeSocket) -> None:
    """Only the events asked for arrive; the endpoint can be chosen too."""
    server = socket(zmq.REP)
    name = inproc_name()
    with server.get_monitor_socket(zmq.EVENT_LISTENING | zmq.EVENT_CLOSED, name) as events:
        events.rcvtimeo = ms(5000)
        server.bind("tcp://127.0.0.1:*")
        endpoint = server.last_endpoint
        server.unbind(endpoint)
        assert [_home.recv_monitor_message(events)["event"] for _ in range(2)] == [
            zmq.EVENT_LISTENING,
            zmq.EVENT_CLOSED,
        ]
        server.monitor(None)


def test_a_new_monitor_socket_replaces_a_closed_one(socket: MakeSocket) -> None:
    """Once the socket returned is closed, and the monitor disabled, another can be had."""
    sock = socket(zmq.PULL)
    first = sock.get_monitor_socket()
    first.close()
    sock.disable_monitor()
    with sock.get_monitor_socket(addr=inproc_name()) as second:
        assert second is not first
        assert not second.closed


def test_monitors_are_inproc_only(socket: MakeSocket) -> None:
    """Another transport is EPROTONOSUPPORT, no text at all a TypeError."""
    sock = socket(zmq.PULL)
    with raises_errno(zmq.EPROTONOSUPPORT):
        sock.monitor("tcp://127.0.0.1:*")
    with pytest.raises(TypeError):
        sock.monitor(5)
    sock.monitor(None)
