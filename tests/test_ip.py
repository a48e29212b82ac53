# SPDX-License-Identifier: MPL-2.0
"""Tuning of real sockets, looked at through the operating system."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from libzmq_py import ip

TCP = socket.IPPROTO_TCP
SOL = socket.SOL_SOCKET


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def sock(stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.socket())


def connected(stack: ExitStack, family: int, address: object) -> tuple[socket.socket, socket.socket]:
    listener = stack.enter_context(socket.socket(family))
    listener.bind(address)  # type: ignore[arg-type]
    listener.listen()
    client = stack.enter_context(socket.socket(family))
    client.connect(listener.getsockname())
    return client, stack.enter_context(listener.accept()[0])


@contextmanager
def fails(number: int) -> Iterator[None]:
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == number


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not hasattr(socket, name), reason=f"no {name} here")


def test_unblock(sock: socket.socket) -> None:
    ip.unblock_socket(sock)
    assert sock.getblocking() is False


def test_nodelay(sock: socket.socket) -> None:
    ip.tune_tcp_socket(sock)
    assert sock.getsockopt(TCP, socket.TCP_NODELAY)


def test_type_of_service(sock: socket.socket) -> None:
    """An IPv4 socket takes the TOS byte although it has no traffic class."""
    ip.set_ip_type_of_service(sock, 0x28)
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x28


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_type_of_service_and_mapping_ipv6(stack: ExitStack) -> None:
    """An IPv6 socket gets the traffic class, and can be opened to IPv4."""
    try:
        sock = stack.enter_context(socket.socket(socket.AF_INET6))
    except OSError:
        pytest.skip("no IPv6 here")
    ip.set_ip_type_of_service(sock, 0x28)
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0x28
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    ip.enable_ipv4_mapping(sock)
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0


def test_buffers(sock: socket.socket) -> None:
    """The sizes reach the kernel, which may round them up (Linux doubles them)."""
    ip.set_tcp_send_buffer(sock, 20_000)
    ip.set_tcp_receive_buffer(sock, 30_000)
    assert 20_000 <= sock.getsockopt(SOL, socket.SO_SNDBUF) <= 60_000
    assert 30_000 <= sock.getsockopt(SOL, socket.SO_RCVBUF) <= 90_000


@needs("TCP_KEEPIDLE")
def test_keepalives(sock: socket.socket) -> None:
    ip.tune_tcp_keepalives(sock, 1, 3, 40, 5)
    assert sock.getsockopt(SOL, socket.SO_KEEPALIVE)
    found = [sock.getsockopt(TCP, name) for name in (socket.TCP_KEEPCNT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]
    assert found == [3, 40, 5]


@needs("TCP_KEEPIDLE")
@pytest.mark.parametrize(("keepalive", "on"), [(-1, False), (0, False), (1, True)])
def test_keepalive_settings_left_alone(sock: socket.socket, keepalive: int, on: bool) -> None:
    """-1 leaves each of the numbers to the system; as first value it leaves everything, whatever the numbers say."""
    names = (socket.TCP_KEEPCNT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)
    before = [sock.getsockopt(TCP, name) for name in names]
    ip.tune_tcp_keepalives(sock, keepalive, *((7, 7, 7) if keepalive == -1 else (-1, -1, -1)))
    assert [sock.getsockopt(TCP, name) for name in names] == before
    assert bool(sock.getsockopt(SOL, socket.SO_KEEPALIVE)) is on


@needs("TCP_KEEPIDLE")
def test_keepalive_refused_by_the_system(sock: socket.socket) -> None:
    """What the system refuses comes out as its OSError (0 passes the option's own check)."""
    with fails(errno.EINVAL):
        ip.tune_tcp_keepalives(sock, 1, 0, -1, -1)


@needs("TCP_USER_TIMEOUT")
def test_maxrt(sock: socket.socket) -> None:
    ip.tune_tcp_maxrt(sock, 0)
    assert sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT) == 0
    for timeout in (1234, 1):
        ip.tune_tcp_maxrt(sock, timeout)
        assert sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT) == timeout
    ip.tune_tcp_maxrt(sock, 0)
    assert sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT) == 1


@needs("SO_PRIORITY")
def test_priority(sock: socket.socket) -> None:
    ip.set_socket_priority(sock, 3)
    assert sock.getsockopt(SOL, socket.SO_PRIORITY) == 3


@needs("SO_BINDTODEVICE")
def test_bind_to_device(sock: socket.socket) -> None:
    """The interface is set, or refused by the system for want of privilege; an unknown one is an error either way."""
    try:
        ip.bind_to_device(sock, b"lo")
    except PermissionError:
        return
    assert sock.getsockopt(SOL, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
    with fails(errno.ENODEV):
        ip.bind_to_device(sock, b"no-such-device")


def test_platform_without_an_option(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a name is missing the tuning is left out; only BINDTODEVICE, which one must be able to rely on, fails."""
    for name in ("SO_PRIORITY", "TCP_USER_TIMEOUT", "SO_BINDTODEVICE", "TCP_KEEPCNT", "TCP_KEEPINTVL", "IPV6_TCLASS"):
        monkeypatch.delattr(socket, name, raising=False)
    ip.set_socket_priority(sock, 3)
    ip.tune_tcp_maxrt(sock, 1234)
    ip.tune_tcp_keepalives(sock, 1, 3, -1, 5)
    ip.set_ip_type_of_service(sock, 0x28)
    with fails(errno.ENOTSUP):
        ip.bind_to_device(sock, b"lo")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_busy_poll(sock: socket.socket) -> None:
    """The microseconds reach the kernel, which wants a privilege to raise them; 0 leaves them be."""
    try:
        ip.tune_tcp_busy_poll(sock, 1)
    except PermissionError:
        return
    ip.tune_tcp_busy_poll(sock, 0)
    assert sock.getsockopt(SOL, 46) == 1  # 46: asm-generic/socket.h


class WindowsSocket(socket.socket):
    """Notes the calls that only Windows has."""

    controls: list[tuple[object, object]]

    def ioctl(self, control: object, value: object) -> None:
        self.controls.append((control, value))
        if control == "LOOPBACK":
            raise OSError(errno.EOPNOTSUPP, "version too old")


def test_on_windows(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alive is one call there, in milliseconds and with stand-ins for -1; an old version's refusal is ignored."""
    sock = stack.enter_context(WindowsSocket())
    sock.controls = []
    ip.tcp_tune_loopback_fast_path(sock)
    assert sock.controls == []
    monkeypatch.setattr(socket, "SIO_KEEPALIVE_VALS", "KEEPALIVE", raising=False)
    monkeypatch.setattr(socket, "SIO_LOOPBACK_FAST_PATH", "LOOPBACK", raising=False)
    for keepalive in ((1, 3, 40, 5), (0, -1, -1, -1), (-1, 3, 40, 5)):
        ip.tune_tcp_keepalives(sock, *keepalive)
    ip.tcp_tune_loopback_fast_path(sock)
    assert sock.controls == [
        ("KEEPALIVE", (1, 40_000, 5_000)),
        ("KEEPALIVE", (0, 7_200_000, 1_000)),
        ("LOOPBACK", True),
    ]


def test_peer_address(stack: ExitStack) -> None:
    """The address of the peer, without port."""
    client, server = connected(stack, socket.AF_INET, ("127.0.0.1", 0))
    assert ip.get_peer_ip_address(client) == ip.get_peer_ip_address(server) == "127.0.0.1"


def test_peer_address_ipv6(stack: ExitStack) -> None:
    try:
        client, _ = connected(stack, socket.AF_INET6, ("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    assert ip.get_peer_ip_address(client) == "::1"


@needs("AF_UNIX")
def test_peer_address_ipc(stack: ExitStack) -> None:
    """Over ipc the host is "localhost": what libzmq's Peer-Address starts with."""
    for end in socket.socketpair(socket.AF_UNIX):
        assert ip.get_peer_ip_address(stack.enter_context(end)) == "localhost"


def test_peer_address_without_peer(sock: socket.socket) -> None:
    """No connection, no address; a closed descriptor is a mistake of ours and not hidden."""
    assert ip.get_peer_ip_address(sock) == ""
    sock.close()
    with fails(errno.EBADF):
        ip.get_peer_ip_address(sock)


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 0), ("x", 0), ("-", 0), ("7", 7), ("+7", 7), ("-7x", -7), ("\t 7", 7), ("0x10", 0)]
    + [("9" * 9999, 2**63 - 1), ("-" + "9" * 30, -(2**63)), ("٣", 0), ("0" * 30 + "5", 5)],
)
def test_atoi(text: str, number: int) -> None:
    """Numbers as C reads them."""
    assert ip.atoi(text) == number
