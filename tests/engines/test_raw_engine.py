# SPDX-License-Identifier: MPL-2.0
"""The engine without a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py.constants import SocketType
from libzmq_py.engines.i_engine import ErrorReason
from libzmq_py.engines.raw_engine import RawEngine
from libzmq_py.msg import Msg
from tests.engines.fakes import Rig

MakeRig = Callable[..., Rig]


@pytest.fixture
def rig() -> Iterator[MakeRig]:
    made: list[Rig] = []

    def make(**options: Any) -> Rig:
        one = Rig(RawEngine, SocketType.ROUTER, raw_socket=True, **options)
        made.append(one)
        one.plug()
        return one

    yield make
    for one in made:
        one.close()


def test_it_is_ready_at_once(rig: MakeRig) -> None:
    """No handshake stage: nothing is sent, nothing is waited for."""
    one = rig(raw_notify=False)
    assert not one.engine.has_handshake_stage()
    assert one.silent()
    assert (one.events, one.session.received) == (1, [])


def test_a_new_peer_is_an_empty_message(rig: MakeRig) -> None:
    """With RAW_NOTIFY, before anything it sends."""
    one = rig(raw_notify=True)
    one.send(b"GET / HTTP/1.0\r\n\r\n")
    assert one.session.received == [b"", b"GET / HTTP/1.0\r\n\r\n"]


def test_bytes_go_out_as_they_are(rig: MakeRig) -> None:
    """Frames of any kind, without headers; an empty message is nothing."""
    one = rig(raw_notify=False)
    one.session.to_send = [b"abc", b"", (b"d", memoryview(b"e")), Msg(b"f")]
    one.engine.restart_output()
    assert one.recv(6) == b"abcdef"
    one.session.to_send = [b""]
    one.engine.restart_output()
    assert one.silent()
    assert one.events == 1


def test_what_waits_is_sent_at_plug() -> None:
    """A pipe that was filled before there was a connection."""
    one = Rig(RawEngine, SocketType.ROUTER, raw_socket=True, raw_notify=False)
    one.session.to_send = [b"early"]
    one.plug()
    assert one.recv(5) == b"early"
    one.close()


@pytest.mark.parametrize("notify", [True, False])
def test_a_lost_peer_is_an_empty_message(rig: MakeRig, notify: bool) -> None:
    """With RAW_NOTIFY; the events are those of libzmq, where a raw connection never completed a handshake."""
    one = rig(raw_notify=notify)
    fd = one.sock.fileno()
    one.session.received.clear()
    one.peer.close()
    one.settle()
    assert one.session.received == ([b""] if notify else [])
    assert [name for name, _ in one.session.events] == ["handshake_failed_no_detail", "disconnected"]
    assert one.session.events[1][1] == fd
    assert [reason for _, reason in one.session.errors] == [ErrorReason.CONNECTION_ERROR]


def test_a_full_session_holds_bytes_back(rig: MakeRig) -> None:
    """Back-pressure as for any engine."""
    one = rig(raw_notify=False)
    one.session.room = 0
    one.send(b"abc")
    assert one.events == 0
    one.session.room = 9
    one.engine.restart_input()
    assert one.session.received == [b"abc"]


def test_messages_name_their_peer(rig: MakeRig) -> None:
    """Peer-Address and __fd."""
    one = rig()
    if one.engine.peer_address:
        assert one.session.metadata is not None
        assert one.session.metadata["Peer-Address"] == one.engine.peer_address
        assert one.session.metadata["__fd"] == str(one.sock.fileno())
