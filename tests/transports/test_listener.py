# SPDX-License-Identifier: MPL-2.0
"""Listeners: accepting, filters, running out of descriptors, adopted descriptors, and the end."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libzmq_py.constants import SocketOption
from libzmq_py.core.command import CommandType
from libzmq_py.endpoint import EndpointType, EndpointUriPair
from libzmq_py.transports import stream_listener_base
from libzmq_py.transports.stream_listener_base import StreamListenerBase
from tests.transports.conftest import World, errno_of


def dial(stack: ExitStack, endpoint: str) -> socket.socket:
    """Connect a raw socket to an endpoint."""
    scheme, _, address = endpoint.partition("://")
    if scheme == "ipc":
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.connect("\0" + address[1:] if address[0] == "@" else address)
        return client
    host, _, port = address.rpartition(":")
    return stack.enter_context(socket.create_connection((host.strip("[]"), int(port))))


@pytest.fixture(params=["tcp://127.0.0.1:*", "ipc://{}/s"])
def listener(request: pytest.FixtureRequest, world: World, short_tmp: Path) -> Any:
    return world.bind(request.param.format(short_tmp))


def test_listens_at_once(world: World, listener: StreamListenerBase) -> None:
    """LISTENING carries descriptor and resolved endpoint, before the listener has a thread."""
    assert world.socket.events == [("LISTENING", world.poller.handles[0].fd, listener.endpoint)]
    assert world.socket.pairs == [EndpointUriPair(listener.endpoint, "", EndpointType.BIND)]
    assert listener.get_local_address() == listener.endpoint
    assert repr(listener) == f"<{type(listener).__name__} {listener.endpoint}>"


def test_accepts_into_a_session(world: World, listener: StreamListenerBase, stack: ExitStack) -> None:
    """Each connection gets engine and session; the session is the listener's child, launched, then attached."""
    dial(stack, listener.endpoint)
    world.poller.wait()
    (session,) = world.socket.sessions
    (engine,) = world.engines
    assert list(listener._owned) == [session]
    kinds = [kind for destination, kind, _ in world.commands.commands if destination is session]
    assert kinds == [CommandType.PLUG, CommandType.ATTACH]
    assert world.attached() == [engine]
    # plug and attach: both counted, so that the session does not end before it has taken both
    assert session._sent_seqnum == 2
    assert engine.sock.getblocking() is False
    assert not os.get_inheritable(engine.sock.fileno())
    assert world.socket.events[1] == ("ACCEPTED", engine.sock.fileno(), listener.endpoint)
    assert world.socket.pairs[1] == engine.pair


def test_accepts_all_that_wait(world: World, listener: StreamListenerBase, stack: ExitStack) -> None:
    """One event empties the backlog: who finds it full would try again only after a long while."""
    clients = [dial(stack, listener.endpoint) for _ in range(20)]
    world.poller.wait()
    assert len(world.engines) == len(world.socket.sessions) == len(clients)
    assert world.socket.names == ["LISTENING"] + ["ACCEPTED"] * len(clients)
    assert world.attached() == world.engines


def test_accepts_so_many_and_no_more(
    monkeypatch: pytest.MonkeyPatch, world: World, listener: StreamListenerBase, stack: ExitStack
) -> None:
    """Other descriptors of the thread have their turn, however many want to connect."""
    monkeypatch.setattr(stream_listener_base, "_MAX_ACCEPTS", 3)
    for _ in range(5):
        dial(stack, listener.endpoint)
    world.poller.wait()
    assert len(world.engines) == 3
    world.poller.wait()
    assert len(world.engines) == 5


def test_names_both_ends(world: World, stack: ExitStack) -> None:
    """The pair of an accepted connection, by which its pipe is known."""
    listener = world.bind("tcp://127.0.0.1:*")
    client = dial(stack, listener.endpoint)
    world.poller.wait()
    host, port = client.getsockname()
    assert world.engines[0].pair == EndpointUriPair(listener.endpoint, f"tcp://{host}:{port}", EndpointType.BIND)


def test_tunes_what_it_accepts(world: World, stack: ExitStack) -> None:
    """Options of the connection itself; those of the listener are not inherited."""
    options = world.options
    options.tos, options.priority, options.sndbuf, options.rcvbuf = 0x28, 3, 20000, 30000
    options.tcp_keepalive, options.tcp_keepalive_cnt, options.tcp_keepalive_idle = 1, 5, 60
    options.tcp_keepalive_intvl, options.tcp_maxrt, options.backlog = 7, 4000, 10
    listener = world.bind("tcp://127.0.0.1:*")
    dial(stack, listener.endpoint)
    world.poller.wait()
    sock = world.engines[0].sock
    tcp = socket.IPPROTO_TCP
    assert sock.getsockopt(tcp, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x28
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 3
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert sock.getsockopt(tcp, socket.TCP_KEEPCNT) == 5
    assert sock.getsockopt(tcp, socket.TCP_KEEPIDLE) == 60
    assert sock.getsockopt(tcp, socket.TCP_KEEPINTVL) == 7
    assert sock.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == 4000
    listening = listener._s  # type: ignore[attr-defined]
    assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 40000  # Linux doubles it
    assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 60000


def test_dual_stack(world: World, stack: ExitStack) -> None:
    """With IPV6=1 the wildcard takes IPv4 connections too."""
    world.options.ipv6 = True
    listener = world.bind("tcp://*:*")
    port = listener.endpoint.rpartition(":")[2]
    dial(stack, f"tcp://127.0.0.1:{port}")
    world.poller.wait()
    assert world.engines[0].pair.remote.startswith("tcp://[::ffff:127.0.0.1]:")


@pytest.mark.parametrize("backlog", [None, 5, 100])
def test_backlog(backlog: int | None, world: World, stack: ExitStack) -> None:
    """Set, it is obeyed; left alone, the system's queue is long enough for a burst that nobody accepts."""
    if backlog is not None:
        world.options.setsockopt(SocketOption.BACKLOG, backlog)
    name = f"@libzmq_py-backlog-{os.getpid()}"
    world.bind(f"ipc://{name}")
    assert world.options.backlog == (backlog or 100)
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as limit:
        room = min(300, int(limit.read()))
    connected = 0
    for _ in range(room):
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.setblocking(False)
        connected += client.connect_ex("\0" + name[1:]) == 0
    assert connected == (room if backlog is None else backlog + 1)


# -- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "ipv6", "admitted"),
    [
        (["127.0.0.0/8"], False, True),
        (["10.0.0.0/8", "127.0.0.1/32"], False, True),
        (["0.0.0.0/0"], False, True),
        (["10.0.0.0/8"], False, False),
        (["::1/128"], False, False),
        (["::ffff:127.0.0.0/104"], True, True),
        (["127.0.0.0/8"], True, False),  # another family: the peer's address is a mapped one
    ],
)
def test_tcp_accept_filter(
    networks: list[str], ipv6: bool, admitted: bool, world: World, stack: ExitStack
) -> None:
    """A peer must be in one of the networks; others are closed at once, with ACCEPT_FAILED."""
    world.options.ipv6 = ipv6
    world.options.tcp_accept_filters = [ipaddress.ip_network(network) for network in networks]
    listener = world.bind("tcp://*:*")
    client = dial(stack, "tcp://127.0.0.1:" + listener.endpoint.rpartition(":")[2])
    world.poller.wait()
    assert len(world.engines) == admitted
    if not admitted:
        assert world.socket.events[1:] == [("ACCEPT_FAILED", errno.EACCES, listener.endpoint)]
        client.settimeout(5)
        assert client.recv(1) == b""
        assert world.poller.handles[0].events == 1  # goes on accepting


@pytest.mark.parametrize(
    ("uids", "gids", "pids", "admitted"),
    [
        (set(), set(), set(), True),
        ({os.getuid()}, set(), set(), True),
        ({os.getuid() + 1}, set(), set(), False),
        ({os.getuid() + 1}, {os.getgid()}, set(), True),
        (set(), set(), {os.getpid()}, True),
        (set(), set(), {os.getpid() + 1}, False),
        ({os.getuid() + 1}, {os.getgid() + 12345}, {os.getpid()}, True),
        (set(), {os.getgid() + 12345}, set(), False),
    ],
)
def test_ipc_filters(
    uids: set[int], gids: set[int], pids: set[int], admitted: bool, world: World, stack: ExitStack
) -> None:
    """The peer must be in one of the sets; without any all are welcome."""
    options = world.options
    options.ipc_uid_accept_filters, options.ipc_gid_accept_filters = uids, gids
    options.ipc_pid_accept_filters = pids
    listener = world.bind(f"ipc://@libzmq_py-filter-{os.getpid()}")
    dial(stack, listener.endpoint)
    world.poller.wait()
    assert len(world.engines) == admitted
    assert world.socket.names[1:] == ["ACCEPTED" if admitted else "ACCEPT_FAILED"]


def test_ipc_filter_by_membership(monkeypatch: pytest.MonkeyPatch, world: World, stack: ExitStack) -> None:
    """A group counts for its listed members, not for their primary group only."""
    import grp
    import pwd

    me = pwd.getpwuid(os.getuid()).pw_name

    def getgrgid(gid: int) -> Any:
        if gid != 4242:
            raise KeyError(gid)
        return grp.struct_group(("friends", "x", gid, ["other", me]))

    monkeypatch.setattr(grp, "getgrgid", getgrgid)
    world.options.ipc_gid_accept_filters = {4241, 4242}
    listener = world.bind(f"ipc://@libzmq_py-member-{os.getpid()}")
    dial(stack, listener.endpoint)
    world.poller.wait()
    assert world.socket.names[1:] == ["ACCEPTED"]


def test_ipc_filter_where_peers_are_not_told(
    monkeypatch: pytest.MonkeyPatch, world: World, stack: ExitStack
) -> None:
    """A filter that cannot be applied admits nobody."""
    monkeypatch.delattr(socket, "SO_PEERCRED")
    world.options.ipc_uid_accept_filters = {os.getuid()}
    listener = world.bind(f"ipc://@libzmq_py-nocred-{os.getpid()}")
    dial(stack, listener.endpoint)
    world.poller.wait()
    assert world.socket.events[1:] == [("ACCEPT_FAILED", errno.ENOTSUP, listener.endpoint)]


# -- failures of accept -----------------------------------------------------------------------------------------------


class FailingSocket:
    """A listening socket whose accept fails as told (0: not this time), then works."""

    def __init__(self, sock: socket.socket, errors: list[int]) -> None:
        self._sock = sock
        self._errors = errors

    def accept(self) -> Any:
        number = self._errors.pop(0) if self._errors else 0
        if number:
            raise OSError(number, os.strerror(number))
        return self._sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


Fail = Callable[..., Any]


@pytest.fixture
def failing(world: World, stack: ExitStack) -> Fail:
    """A listener with a connection waiting whose accept fails with these errors first."""

    def make(*errors: int) -> Any:
        listener: Any = world.bind("tcp://127.0.0.1:*")
        listener._s = FailingSocket(listener._s, list(errors))
        dial(stack, listener.endpoint)
        return listener

    return make


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL])
def test_shortage_pauses(number: int, world: World, failing: Fail) -> None:
    """The connection waits in the backlog: accepting rests for 100 ms, and goes on then."""
    listener = failing(number)
    world.poller.wait()
    assert world.socket.events[1:] == [("ACCEPT_FAILED", number, listener.endpoint)]
    assert world.poller.handles[0].events == 0
    assert world.poller.delays == [100]
    world.poller.expire()
    world.poller.wait()
    assert world.socket.names == ["LISTENING", "ACCEPT_FAILED", "ACCEPTED"]
    assert world.poller.delays == []


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ECONNABORTED, errno.EPROTO])
def test_lost_connection_does_not_pause(number: int, world: World, failing: Fail) -> None:
    """The failure went with its connection; the next may be there already."""
    failing(number)
    world.poller.wait()
    world.poller.wait()
    assert world.socket.names == ["LISTENING", "ACCEPT_FAILED", "ACCEPTED"]


@pytest.mark.parametrize(("number", "pauses"), [(errno.EMFILE, True), (errno.ECONNABORTED, False)])
def test_what_came_before_a_failure_is_accepted(number: int, pauses: bool, world: World, failing: Fail) -> None:
    """The failure is reported after the connections that were accepted before it, and none is lost."""
    listener = failing(0, number)
    dial(world.stack, listener.endpoint)
    world.poller.wait()
    assert world.socket.names == ["LISTENING", "ACCEPTED", "ACCEPT_FAILED"]
    assert world.poller.delays == [100] * pauses
    if pauses:
        world.poller.expire()
    world.poller.wait()
    assert world.socket.names[3:] == ["ACCEPTED"]


def test_end_during_a_pause(world: World, failing: Fail) -> None:
    """The timer goes with the listener."""
    listener = failing(errno.EMFILE)
    world.poller.wait()
    listener.process_term(0)
    assert world.poller.delays == []
    assert world.poller.handles == []


def test_real_shortage_of_descriptors(world: World, stack: ExitStack) -> None:
    """All descriptors taken: nothing breaks, and the connection is accepted when one is free again."""
    import resource

    listener = world.bind("tcp://127.0.0.1:*")
    dial(stack, listener.endpoint)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    taken = []
    try:
        while True:
            try:
                taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        world.poller.wait()
        assert errno_of(lambda: world.bind("tcp://127.0.0.1:*")) == errno.EMFILE
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert world.socket.events[1:] == [("ACCEPT_FAILED", errno.EMFILE, listener.endpoint)]
    world.poller.expire()
    world.poller.wait()
    assert len(world.engines) == 1


def test_unusable_connection_is_closed(monkeypatch: pytest.MonkeyPatch, world: World, stack: ExitStack) -> None:
    """A connection that cannot be tuned is no reason to stop listening."""

    def tune_connected(sock: socket.socket, options: object) -> None:
        raise OSError(errno.EINVAL, "gone")

    monkeypatch.setattr("libzmq_py.transports.tcp.listener.tune_connected", tune_connected)
    listener = world.bind("tcp://127.0.0.1:*")
    client = dial(stack, listener.endpoint)
    world.poller.wait()
    client.settimeout(5)
    assert client.recv(1) == b""
    assert world.socket.names == ["LISTENING", "ACCEPT_FAILED"]
    assert world.poller.delays == []


def test_peer_that_left_already(world: World, stack: ExitStack) -> None:
    """A connection that was reset before it was accepted is accepted, with what is known of it."""
    listener = world.bind("tcp://127.0.0.1:*")
    client = dial(stack, listener.endpoint)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    world.poller.wait()
    assert world.socket.names in (["LISTENING", "ACCEPTED"], ["LISTENING", "ACCEPT_FAILED"])


# -- USE_FD -----------------------------------------------------------------------------------------------------------


def test_use_fd_tcp(world: World, stack: ExitStack) -> None:
    """The descriptor is adopted, the address ignored."""
    prepared = socket.socket()
    prepared.bind(("127.0.0.1", 0))
    prepared.listen()
    port = prepared.getsockname()[1]
    world.options.use_fd = prepared.detach()
    listener = world.bind("tcp://ignored")
    assert listener.endpoint == f"tcp://127.0.0.1:{port}"
    dial(stack, listener.endpoint)
    world.poller.wait()
    assert len(world.engines) == 1


def test_use_fd_ipc(world: World, stack: ExitStack, short_tmp: Path) -> None:
    """The file is left alone, at bind and at the end."""
    prepared = socket.socket(socket.AF_UNIX)
    prepared.bind(f"{short_tmp}/s")
    prepared.listen()
    world.options.use_fd = prepared.detach()
    listener = world.bind(f"ipc://{short_tmp}/s")
    dial(stack, listener.endpoint)
    world.poller.wait()
    assert len(world.engines) == 1
    listener.process_term(0)
    assert world.socket.names == ["LISTENING", "ACCEPTED", "CLOSED"]
    assert (short_tmp / "s").exists()


def test_use_fd_that_does_not_listen(world: World, stack: ExitStack) -> None:
    """Refused at once, where libzmq would abort in the I/O thread; it stays the caller's."""
    sock = stack.enter_context(socket.socket())
    world.options.use_fd = sock.fileno()
    assert errno_of(lambda: world.bind("tcp://127.0.0.1:*")) == errno.EINVAL
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM


def test_use_fd_that_is_not_open(world: World, stack: ExitStack) -> None:
    """Not a descriptor, or not a socket."""
    world.options.use_fd = 99999
    assert errno_of(lambda: world.bind("tcp://127.0.0.1:*")) == errno.EBADF
    file = stack.enter_context(open(os.devnull))
    world.options.use_fd = file.fileno()
    assert errno_of(lambda: world.bind("ipc://x")) == errno.ENOTSOCK


# -- the end ----------------------------------------------------------------------------------------------------------


def test_end(world: World, listener: StreamListenerBase, stack: ExitStack) -> None:
    """The descriptor goes first, with CLOSED; then the sessions are told, with the same linger."""
    dial(stack, listener.endpoint)
    world.poller.wait()
    (session,) = world.socket.sessions
    fd = world.poller.handles[0].fd
    listener.process_term(77)
    assert world.poller.handles == []
    assert world.socket.events[-1] == ("CLOSED", fd, listener.endpoint)
    assert world.commands.sent(CommandType.TERM) == [(session, (77,))]
    assert listener.get_local_address() == ""
