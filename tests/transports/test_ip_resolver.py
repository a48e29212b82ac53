# SPDX-License-Identifier: MPL-2.0
"""What "host:port" texts stand for, by the resolver's options. Names and zones are answered by a fake system."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from libzmq_py.transports.ip_resolver import IpAddr, IpResolver, IpResolverOptions

V4, V6 = socket.AF_INET, socket.AF_INET6
NAMES: dict[tuple[str, int], str] = {
    ("host", V4): "10.0.0.1",
    ("host", V6): "fd00::1",
    ("v4only", V4): "10.0.0.2",
    ("eth0", V4): "10.0.0.3",
}
NICS = {("eth0", False): "192.0.2.9", ("eth0", True): "fd00::9"}
ZONES = {"eth0": 4}


class FakeResolver(IpResolver):
    """A system with a few names, interfaces and zones."""

    def do_getaddrinfo(self, host: str, family: int, flags: int) -> list[tuple[Any, ...]]:
        if (host, family) in NAMES and not flags & socket.AI_NUMERICHOST:
            return [(family, 0, 0, "", (NAMES[host, family], 0))]
        return super().do_getaddrinfo(host, family, flags | socket.AI_NUMERICHOST)

    def do_if_nametoindex(self, name: str) -> int:
        return ZONES.get(name, 0)

    def resolve_nic_name(self, nic: str) -> IpAddr | None:
        host = NICS.get((nic, self._options.ipv6))
        return None if host is None else IpAddr(V6 if self._options.ipv6 else V4, host)


def resolve(text: str, **options: bool) -> IpAddr:
    return FakeResolver(IpResolverOptions(**options)).resolve(text)


BIND = {"bindable": True, "allow_nic_name": True, "allow_dns": True, "expect_port": True}
CONNECT = {"allow_dns": True, "expect_port": True}
V6_BIND = BIND | {"ipv6": True}
V6_CONNECT = CONNECT | {"ipv6": True}


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("1.2.3.4:5", CONNECT, IpAddr(V4, "1.2.3.4", 5)),
        ("1.2.3.4:0", CONNECT, IpAddr(V4, "1.2.3.4", 0)),
        ("127.1:80", CONNECT, IpAddr(V4, "127.0.0.1", 80)),
        ("host:5", CONNECT, IpAddr(V4, "10.0.0.1", 5)),
        ("eth0:5", CONNECT, IpAddr(V4, "10.0.0.3", 5)),  # a name of a host, as interfaces are not asked for
        ("eth0:5", BIND, IpAddr(V4, "192.0.2.9", 5)),
        ("*:5", BIND, IpAddr(V4, "0.0.0.0", 5)),
        ("*:*", BIND, IpAddr(V4, "0.0.0.0", 0)),
        ("1.2.3.4:*", BIND, IpAddr(V4, "1.2.3.4", 0)),
        ("1.2.3.4:0", BIND, IpAddr(V4, "1.2.3.4", 0)),
        ("[1.2.3.4]:5", BIND, IpAddr(V4, "1.2.3.4", 5)),
        ("1.2.3.4%7:5", BIND, IpAddr(V4, "1.2.3.4", 5)),  # a zone is of no use to IPv4, but may stand there
        ("*:5", V6_BIND, IpAddr(V6, "::", 5)),
        ("eth0:5", V6_BIND, IpAddr(V6, "fd00::9", 5)),
        ("[::1]:5", V6_BIND, IpAddr(V6, "::1", 5)),
        ("::1:5", V6_BIND, IpAddr(V6, "::1", 5)),
        ("fe80::1%7:5", V6_BIND, IpAddr(V6, "fe80::1", 5, 7)),
        ("[fe80::1%eth0]:5", V6_CONNECT, IpAddr(V6, "fe80::1", 5, 4)),
        ("host:5", V6_CONNECT, IpAddr(V6, "fd00::1", 5)),
        ("127.0.0.1:5", V6_CONNECT, IpAddr(V6, "::ffff:127.0.0.1", 5)),
        ("1.2.3.4", {}, IpAddr(V4, "1.2.3.4", 0)),
        ("1.2.3.4/path", {"allow_path": True}, IpAddr(V4, "1.2.3.4", 0)),
        # port texts, as C reads them
        ("1.2.3.4:99999", BIND, IpAddr(V4, "1.2.3.4", 34463)),
        ("1.2.3.4:80a", BIND, IpAddr(V4, "1.2.3.4", 80)),
        ("1.2.3.4:-1", BIND, IpAddr(V4, "1.2.3.4", 65535)),
        ("1.2.3.4: 7", BIND, IpAddr(V4, "1.2.3.4", 7)),
        ("1.2.3.4:00080", BIND, IpAddr(V4, "1.2.3.4", 80)),
        ("1.2.3.4:" + "9" * 5000, BIND, IpAddr(V4, "1.2.3.4", 65535)),
    ],
)
def test_resolves(text: str, options: dict[str, bool], expected: IpAddr) -> None:
    """Texts that are addresses."""
    assert resolve(text, **options) == expected


@pytest.mark.parametrize(
    ("text", "options", "number"),
    [
        ("1.2.3.4", CONNECT, errno.EINVAL),
        ("1.2.3.4:", CONNECT, errno.EINVAL),
        ("1.2.3.4:*", CONNECT, errno.EINVAL),
        ("1.2.3.4:x", CONNECT, errno.EINVAL),
        ("1.2.3.4:00", BIND, errno.EINVAL),
        ("1.2.3.4:65536", BIND, errno.EINVAL),
        ("1.2.3.4:-" + "9" * 5000, BIND, errno.EINVAL),
        ("*:5", CONNECT, errno.EINVAL),
        ("nobody:5", CONNECT, errno.EINVAL),
        ("nobody:5", BIND, errno.ENODEV),
        (":5", BIND, errno.ENODEV),
        (":5", CONNECT, errno.EINVAL),
        ("::1:5", BIND, errno.ENODEV),
        ("v4only:5", V6_BIND, errno.ENODEV),
        ("fe80::1%:5", V6_BIND, errno.EINVAL),
        ("fe80::1%nope:5", V6_BIND, errno.EINVAL),
        ("fe80::1%0:5", V6_BIND, errno.EINVAL),
        ("host:5", {"expect_port": True}, errno.EINVAL),
        ("host\0:5", BIND, errno.ENODEV),
    ],
)
def test_refuses(text: str, options: dict[str, bool], number: int) -> None:
    """Texts that are none, with libzmq's errno: that of an unknown host depends on what the address is for."""
    with pytest.raises(OSError) as refusal:
        resolve(text, **options)
    assert refusal.value.errno == number


def test_memory_shortage_is_told_apart() -> None:
    """EAI_MEMORY is ENOMEM, whatever the address is for."""

    class Poor(FakeResolver):
        def do_getaddrinfo(self, host: str, family: int, flags: int) -> list[tuple[Any, ...]]:
            raise socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure")

    with pytest.raises(OSError) as refusal:
        Poor(IpResolverOptions(bindable=True)).resolve("x")
    assert refusal.value.errno == errno.ENOMEM


def test_flag_the_system_does_not_take_is_left_out() -> None:
    """A resolver that refuses AI_V4MAPPED is asked again without it."""
    asked = []

    class Old(FakeResolver):
        def do_getaddrinfo(self, host: str, family: int, flags: int) -> list[tuple[Any, ...]]:
            asked.append(flags)
            if flags & socket.AI_V4MAPPED:
                raise socket.gaierror(socket.EAI_BADFLAGS, "Bad value for ai_flags")
            return super().do_getaddrinfo(host, family, flags)

    assert Old(IpResolverOptions(ipv6=True)).resolve("::1").host == "::1"
    assert len(asked) == 2


@pytest.mark.parametrize(("ipv6", "host"), [(False, "127.0.0.1"), (True, "::1")])
def test_real_interface_has_an_address(ipv6: bool, host: str) -> None:
    """The loopback interface, asked of this machine."""
    resolver = IpResolver(IpResolverOptions(bindable=True, allow_nic_name=True, ipv6=ipv6))
    addr = resolver.resolve("lo")
    assert addr.host == host


@pytest.mark.parametrize("name", ["", "no-such-interface-name", "nosuch", "lo\0x"])
def test_real_interfaces_do_not_include(name: str) -> None:
    """Names of no interface, or that cannot be one."""
    for ipv6 in (False, True):
        assert IpResolver(IpResolverOptions(ipv6=ipv6)).resolve_nic_name(name) is None


def test_real_zones() -> None:
    """Interfaces of this machine are zones."""
    resolver = IpResolver(IpResolverOptions())
    assert resolver.do_if_nametoindex("lo") == socket.if_nametoindex("lo")
    assert resolver.do_if_nametoindex("nosuch") == 0


@pytest.mark.parametrize(
    ("family", "host", "expected"),
    [
        (V4, "223.255.255.255", False),
        (V4, "224.0.0.1", True),
        (V4, "240.0.0.1", False),
        (V6, "ff02::1", True),
        (V6, "fe80::1", False),
    ],
)
def test_multicast(family: int, host: str, expected: bool) -> None:
    """Which addresses are groups."""
    assert IpAddr(family, host).is_multicast is expected


def test_sockaddr() -> None:
    """The forms the socket module takes."""
    assert IpAddr.any(V4).sockaddr == ("0.0.0.0", 0)
    assert IpAddr(V6, "::1", 5, 7).sockaddr == ("::1", 5, 0, 7)
