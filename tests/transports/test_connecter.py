# SPDX-License-Identifier: MPL-2.0
"""Connecters: attempts, failures, back-off, time-outs, RECONNECT_STOP, and the end."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libzmq_py.core.command import CommandType
from libzmq_py.endpoint import EndpointType, EndpointUriPair
from libzmq_py.transports.stream_connecter_base import RECONNECT_TIMER_ID, StreamConnecterBase
from libzmq_py.transports.tcp.address import TcpAddress
from tests.transports.conftest import World

REFUSED_CYCLE = ["CONNECT_DELAYED", "CLOSED", "CONNECT_RETRIED"]


@pytest.fixture
def near() -> None:
    """The peers are on this machine, as they are."""


@pytest.fixture(autouse=True)
def far(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As over a network, where an attempt takes its time."""
    if "near" not in request.fixturenames:
        monkeypatch.setattr(StreamConnecterBase, "_came_through", lambda connecter, sock: False)


@pytest.fixture
def peer(stack: ExitStack) -> socket.socket:
    """A raw socket that listens."""
    peer = stack.enter_context(socket.socket())
    peer.bind(("127.0.0.1", 0))
    peer.listen()
    return peer


def endpoint_of(peer: socket.socket, host: str = "127.0.0.1") -> str:
    return f"tcp://{host}:{peer.getsockname()[1]}"


@pytest.fixture
def dead(stack: ExitStack) -> str:
    """An endpoint where nobody listens: bound, so that nobody else will."""
    taken = stack.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    return endpoint_of(taken)


# -- connections that are made ----------------------------------------------------------------------------------------


def test_tcp_connects(world: World, peer: socket.socket) -> None:
    """DELAYED, then CONNECTED; the engine goes to the session, and the connecter asks to be ended."""
    connecter = world.connecter(endpoint_of(peer))
    connecter.process_plug()
    assert world.socket.events == [("CONNECT_DELAYED", errno.EINPROGRESS, endpoint_of(peer))]
    world.poller.wait()
    (engine,) = world.engines
    host, port = engine.sock.getsockname()
    assert engine.pair == EndpointUriPair(f"tcp://{host}:{port}", endpoint_of(peer), EndpointType.CONNECT)
    assert world.socket.events[1:] == [("CONNECTED", engine.sock.fileno(), endpoint_of(peer))]
    assert world.socket.pairs[1] == engine.pair
    assert world.commands.sent(CommandType.ATTACH) == [(world.session, (engine,))]
    assert connecter not in world.session._owned
    assert engine.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not engine.sock.getblocking()
    assert world.poller.handles == []
    connecter.process_term(0)
    assert "CLOSED" not in world.socket.names


@pytest.mark.usefixtures("near")
def test_over_the_loopback_there_is_nothing_to_wait_for(world: World, peer: socket.socket) -> None:
    """The same events, and the engine is told who the peer is; no descriptor, no timer."""
    world.options.connect_timeout = 1234
    world.connecter(endpoint_of(peer)).process_plug()
    (engine,) = world.engines
    assert world.socket.names == ["CONNECT_DELAYED", "CONNECTED"]
    assert engine.peer == peer.getsockname()
    assert engine.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert (world.poller.handles, world.poller.delays) == ([], [])


@pytest.mark.usefixtures("near")
def test_a_refusal_over_the_loopback_is_waited_for(world: World, dead: str) -> None:
    """Who asks at once whether it is through learns that it is not."""
    world.connecter(dead).process_plug()
    assert world.socket.names == ["CONNECT_DELAYED"]
    world.poller.wait()
    assert world.socket.names == REFUSED_CYCLE


def test_ipc_connects_at_once(world: World, stack: ExitStack, short_tmp: Path) -> None:
    """No CONNECT_DELAYED: the system decides on the spot. The own end has no name."""
    peer = stack.enter_context(socket.socket(socket.AF_UNIX))
    peer.bind(f"{short_tmp}/s")
    peer.listen()
    world.connecter(f"ipc://{short_tmp}/s").process_plug()
    assert world.socket.names == ["CONNECTED"]
    assert world.engines[0].pair == EndpointUriPair("ipc://", f"ipc://{short_tmp}/s", EndpointType.CONNECT)
    assert world.attached() == world.engines


def test_ipc_connects_to_an_abstract_name(world: World, stack: ExitStack) -> None:
    """`@name`."""
    name = f"libzmq_py-connect-{os.getpid()}"
    peer = stack.enter_context(socket.socket(socket.AF_UNIX))
    peer.bind(f"\0{name}")
    peer.listen()
    world.connecter(f"ipc://@{name}").process_plug()
    assert world.socket.names == ["CONNECTED"]


def test_tunes_what_it_connects(world: World, peer: socket.socket) -> None:
    """Options of the connection, set before or after it is made."""
    options = world.options
    options.tos, options.sndbuf, options.rcvbuf = 0x28, 20000, 30000
    options.tcp_keepalive, options.tcp_keepalive_idle, options.tcp_maxrt = 1, 60, 4000
    world.connecter(endpoint_of(peer)).process_plug()
    world.poller.wait()
    sock = world.engines[0].sock
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x28
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 40000  # Linux doubles it
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 60000
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000


@pytest.mark.parametrize("source", ["127.0.0.5:0", "127.0.0.5:*", "lo:0"])
def test_source_address(source: str, world: World, peer: socket.socket) -> None:
    """The connection comes from where the endpoint says."""
    world.connecter(f"tcp://{source};{endpoint_of(peer)[len('tcp://') :]}").process_plug()
    world.poller.wait()
    expected = "127.0.0.1" if source.startswith("lo") else "127.0.0.5"
    assert world.engines[0].sock.getsockname()[0] == expected


def test_source_address_that_is_not_ours(world: World, peer: socket.socket) -> None:
    """An attempt that failed: closed, tried again later."""
    world.connecter(f"tcp://203.0.113.77:0;{endpoint_of(peer)[len('tcp://') :]}").process_plug()
    assert world.socket.names == ["CLOSED", "CONNECT_RETRIED"]


def test_mapped_literal(world: World, peer: socket.socket) -> None:
    """With IPV6=1 an IPv4 peer is reached through a mapped address."""
    world.options.ipv6 = True
    world.connecter(endpoint_of(peer)).process_plug()
    world.poller.wait()
    assert world.engines[0].pair.local.startswith("tcp://[::ffff:127.0.0.1]:")


def test_name_turns_into_a_number(world: World, peer: socket.socket) -> None:
    """A name is resolved by the attempt; events of the connecter after it carry the number, as in libzmq."""
    connecter = world.connecter(endpoint_of(peer, "localhost"))
    assert connecter.endpoint == endpoint_of(peer, "localhost")
    connecter.process_plug()
    world.poller.wait()
    assert {identifier for _, _, identifier in world.socket.events} == {endpoint_of(peer, "localhost")}
    assert connecter._addr.to_string() == endpoint_of(peer)
    assert connecter._addr.uri == endpoint_of(peer, "localhost")


def test_name_is_resolved_each_time(monkeypatch: pytest.MonkeyPatch, world: World, peer: socket.socket) -> None:
    """A name that is not known yet is retried, without CLOSED, as nothing was open."""
    answers: list[Any] = [
        OSError(errno.EINVAL, "unknown"),
        TcpAddress.resolve(endpoint_of(peer)[len("tcp://") :], False, False),
    ]

    def resolve(name: str, local: bool, ipv6: bool) -> TcpAddress:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        assert isinstance(answer, TcpAddress)
        return answer

    monkeypatch.setattr(TcpAddress, "resolve", resolve)
    connecter = world.connecter("tcp://late:1")
    connecter.process_plug()
    assert world.socket.names == ["CONNECT_RETRIED"]
    assert connecter._addr.to_string() == "tcp://late:1"
    world.poller.expire()
    world.poller.wait()
    assert world.socket.names == ["CONNECT_RETRIED", "CONNECT_DELAYED", "CONNECTED"]


# -- failures ---------------------------------------------------------------------------------------------------------


def test_refused_tcp(world: World, dead: str) -> None:
    """DELAYED, CLOSED, RETRIED with the delay; and again."""
    world.connecter(dead).process_plug()
    fd = world.poller.handles[0].fd
    world.poller.wait()
    (delay,) = world.poller.delays
    assert world.socket.events[1:] == [("CLOSED", fd, dead), ("CONNECT_RETRIED", delay, dead)]
    assert 100 <= delay < 200
    world.poller.expire()
    world.poller.wait()
    assert world.socket.names == REFUSED_CYCLE * 2
    assert world.attached() == []


def test_missing_file(world: World, short_tmp: Path) -> None:
    """ipc: CLOSED, RETRIED."""
    world.connecter(f"ipc://{short_tmp}/none").process_plug()
    assert world.socket.names == ["CLOSED", "CONNECT_RETRIED"]
    assert world.poller.handles == []


def test_error_event(world: World, dead: str) -> None:
    """Some systems report a failed connect as readable."""
    connecter = world.connecter(dead)
    connecter.process_plug()
    connecter.in_event()
    assert world.socket.names == REFUSED_CYCLE


def test_no_descriptor_left(world: World, monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    """An attempt that failed, with nothing to close."""

    def no_socket(*args: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    for endpoint in (dead, "ipc:///x"):
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", no_socket)
            world.connecter(endpoint).process_plug()
    assert world.socket.names == ["CONNECT_RETRIED"] * 2


def test_poller_out_of_room(world: World, monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    """The poller cannot take another descriptor: an attempt that failed."""

    def set_events(handle: object, events: int) -> None:
        if events:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(world.poller, "_set_events", set_events)
    world.connecter(dead).process_plug()
    assert world.socket.names == REFUSED_CYCLE
    assert world.poller.handles == []


def test_connection_that_cannot_be_tuned(world: World, monkeypatch: pytest.MonkeyPatch, peer: socket.socket) -> None:
    """Closed and tried again."""

    def tune_connected(sock: socket.socket, options: object) -> None:
        raise OSError(errno.EINVAL, "gone")

    monkeypatch.setattr("libzmq_py.transports.tcp.connecter.tune_connected", tune_connected)
    world.connecter(endpoint_of(peer)).process_plug()
    world.poller.wait()
    assert world.socket.names == REFUSED_CYCLE


def test_connect_timeout(world: World, peer: socket.socket) -> None:
    """CONNECT_TIMEOUT ends the attempt, and the next one comes."""
    world.options.connect_timeout = 1234
    world.connecter(endpoint_of(peer)).process_plug()
    assert world.poller.delays == [1234]
    world.poller.expire()
    assert world.socket.names == REFUSED_CYCLE
    assert world.poller.handles == []


def test_connect_timeout_goes_with_the_attempt(world: World, peer: socket.socket) -> None:
    """A connection in time cancels it; so does the end."""
    world.options.connect_timeout = 1234
    world.connecter(endpoint_of(peer)).process_plug()
    world.poller.wait()
    assert world.poller.delays == []
    connecter = world.connecter(endpoint_of(peer))
    connecter.process_plug()
    connecter.process_term(0)
    assert world.poller.delays == []


# -- RECONNECT_STOP ---------------------------------------------------------------------------------------------------


def test_stop_when_refused(world: World, dead: str) -> None:
    """RECONNECT_STOP_CONN_REFUSED: the session is told, and the connecter ends."""
    world.options.reconnect_stop = 1
    connecter = world.connecter(dead)
    connecter.process_plug()
    world.poller.wait()
    assert world.socket.names == ["CONNECT_DELAYED", "CLOSED"]
    assert world.commands.sent(CommandType.CONN_FAILED) == [(world.session, ())]
    assert world.commands.sent(CommandType.TERM_REQ) == [(world.session, (connecter,))]
    assert world.poller.delays == []


@pytest.mark.parametrize(
    ("reconnect_stop", "disconnected", "stops"), [(4, True, True), (4, False, False), (1, True, False)]
)
def test_stop_after_disconnect(
    reconnect_stop: int, disconnected: bool, stops: bool, world: World, stack: ExitStack, short_tmp: Path
) -> None:
    """RECONNECT_STOP_AFTER_DISCONNECT, ipc only: a refusal after a disconnect ends trying, and nobody is told."""
    taken = stack.enter_context(socket.socket(socket.AF_UNIX))
    taken.bind(f"{short_tmp}/s")  # and does not listen: refused
    world.options.reconnect_stop = reconnect_stop
    world.socket.is_disconnected = disconnected
    world.connecter(f"ipc://{short_tmp}/s").process_plug()
    assert world.socket.names == (["CLOSED"] if stops else ["CLOSED", "CONNECT_RETRIED"])
    assert world.commands.sent(CommandType.CONN_FAILED) == []


# -- back-off ---------------------------------------------------------------------------------------------------------


def delays(world: World, count: int) -> list[int]:
    connecter = world.connecter("ipc:///none")
    return [connecter.get_new_reconnect_ivl() for _ in range(count)]


@pytest.mark.parametrize(
    ("ivl", "ivl_max", "expected"),
    [
        (100, 350, [100, 200, 350, 350]),
        (100, 400, [100, 200, 400, 400]),
        (100, 50, [50, 50, 50]),
        (1, 1, [1, 1]),
        (2**30, 2**31 - 1, [2**30, 2**31 - 1, 2**31 - 1]),
    ],
)
def test_back_off_doubles(ivl: int, ivl_max: int, expected: list[int], world: World) -> None:
    """With RECONNECT_IVL_MAX: doubled up to it, without jitter."""
    world.options.reconnect_ivl, world.options.reconnect_ivl_max = ivl, ivl_max
    assert delays(world, len(expected)) == expected


def test_back_off_with_jitter(world: World) -> None:
    """Without RECONNECT_IVL_MAX: from one RECONNECT_IVL to two, anew each time."""
    world.options.reconnect_ivl = 100
    seen = delays(world, 200)
    assert min(seen) >= 100
    assert max(seen) <= 199
    assert len(set(seen)) > 20


def test_back_off_stays_an_int(world: World) -> None:
    """As long as an option can say, and not longer."""
    world.options.reconnect_ivl = 2**31 - 1
    assert set(delays(world, 5)) == {2**31 - 1}
    world.options.reconnect_ivl = 1
    assert set(delays(world, 5)) == {1}


@pytest.mark.parametrize("ivl", [0, -1])
def test_no_retry(ivl: int, world: World, dead: str) -> None:
    """RECONNECT_IVL below 1: one attempt; the endpoint stays."""
    world.options.reconnect_ivl = ivl
    connecter = world.connecter(dead)
    connecter.process_plug()
    world.poller.wait()
    assert world.socket.names == ["CONNECT_DELAYED", "CLOSED"]
    assert world.poller.delays == []
    assert world.commands.sent(CommandType.TERM_REQ) == []


def test_delayed_start(world: World, peer: socket.socket) -> None:
    """After a connection that was lost, the first attempt waits too."""
    world.connecter(endpoint_of(peer), delayed_start=True).process_plug()
    assert world.socket.names == ["CONNECT_RETRIED"]
    assert world.poller.timers[0][2] == RECONNECT_TIMER_ID
    world.poller.expire()
    world.poller.wait()
    assert world.socket.names == ["CONNECT_RETRIED", "CONNECT_DELAYED", "CONNECTED"]


# -- the end ----------------------------------------------------------------------------------------------------------


def test_end_during_an_attempt(world: World, peer: socket.socket) -> None:
    """The descriptor is closed, with its event."""
    connecter = world.connecter(endpoint_of(peer))
    connecter.process_plug()
    connecter.process_term(0)
    assert world.socket.names == ["CONNECT_DELAYED", "CLOSED"]
    assert world.poller.handles == []


def test_end_while_waiting(world: World, short_tmp: Path) -> None:
    """The timer goes."""
    connecter = world.connecter(f"ipc://{short_tmp}/none")
    connecter.process_plug()
    connecter.process_term(0)
    assert world.poller.delays == []
    assert world.socket.names == ["CLOSED", "CONNECT_RETRIED"]


def test_strange_calls_are_defects(world: World) -> None:
    """What cannot happen says so."""
    connecter = world.connecter("ipc:///none")
    assert repr(connecter) == "<IpcConnecter ipc:///none>"
    with pytest.raises(AssertionError):
        connecter.timer_event(99)
    connecter._addr.resolved = None
    with pytest.raises(AssertionError):
        connecter.process_plug()
