# SPDX-License-Identifier: MPL-2.0
"""Addresses of TCP, without names (transports/tcp/address.py, ip_resolver.py).

Any text gives a numeric address, or EINVAL (ENODEV where it is to be bound); what an address is written as resolves to
the same address. A text that connect accepts has a port, and no text makes a SOCKS request of another form.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from fuzz.source import Source, require
from libzmq_py.errors import ZMQError
from libzmq_py.ip import atoi
from libzmq_py.options import Options
from libzmq_py.transports.ip_resolver import IpResolver, IpResolverOptions
from libzmq_py.transports.tcp import resolve_connect
from libzmq_py.transports.tcp.address import TcpAddress
from libzmq_py.transports.tcp.socks_connecter import socks_destination

MAX_LEN = 80
TOKENS = (b"127.0.0.1", b"[::1]", b":5555", b":*", b":0", b"*", b"lo", b"eth0", b";", b"%lo", b"%1", b"::ffff:1.2.3.4")
TOKENS += (b":65535", b":65536", b"0x7f.1", b"[", b"]", b"-", b"fe80::1", b"localhost", b"\0", b"/")
SEEDS = {
    "ipv4": b"\0" + b"127.0.0.1:5555",
    "wildcard": b"\1" + b"*:*",
    "ipv6": b"\2" + b"[::1]:5555",
    "ipv6-bare": b"\3" + b":::80",
    "mapped": b"\x02" + b"1.2.3.4:5",
    "zone": b"\2" + b"[fe80::1%lo]:5",
    "zone-number": b"\2" + b"fe80::1%1:5",
    "zone-none": b"\2" + b"fe80::1%:5",
    "interface": b"\1" + b"lo:5555",
    "source": b"\x00" + b"192.0.2.1:5;127.0.0.1:6",
    "octal": b"\x00" + b"010.1.1.1:1",
    "short": b"\0" + b"127.1:99999",
    "port": b"\0" + b"127.0.0.1:-1",
    "port-text": b"\0" + b"127.0.0.1: +80x",
    "name": b"\0" + b"example.org:80",
    "brackets": b"\0" + b"[]:1",
    "nothing": b"\0",
    "nul": b"\x00" + b"1.2.3.4\0x:1",
    "path": b"\4" + b"127.0.0.1/path",
}


class _NumbersOnly(IpResolver):
    """Asks the system without a look-up."""

    def do_getaddrinfo(self, host: str, family: int, flags: int) -> list[tuple[Any, ...]]:
        return super().do_getaddrinfo(host, family, flags | socket.AI_NUMERICHOST)


def check(data: bytes) -> None:
    """One input: bound or not, IPv6 or not; then the text."""
    source = Source(data)
    how = source.byte()
    local, ipv6 = bool(how & 1), bool(how & 2)
    text = source.rest().decode("utf-8", "surrogateescape")
    if how & 4:
        _check_resolver(text, how)
        return
    address = _resolve(text, local, ipv6)
    if address is not None:
        _check_address(address, local, ipv6)
    _check_connect(text, ipv6)


def _resolve(text: str, local: bool, ipv6: bool) -> TcpAddress | None:
    import libzmq_py.transports.tcp.address as module

    whole = module.IpResolver
    module.IpResolver = _NumbersOnly  # type: ignore[misc]
    try:
        return TcpAddress.resolve(text, local, ipv6)
    except OSError as error:
        require(error.errno in (errno.EINVAL, errno.ENODEV, errno.ENOMEM), "errno", error.errno)
        require(error.strerror, "no reason")
        return None
    finally:
        module.IpResolver = whole  # type: ignore[misc]


def _check_address(address: TcpAddress, local: bool, ipv6: bool) -> None:
    for addr in (address.address, address.source_address):
        if addr is None:
            continue
        require(addr.family == (socket.AF_INET6 if ipv6 else socket.AF_INET), "family", addr)
        require(0 <= addr.port <= 65535 and 0 <= addr.scope_id < 2**32, "numbers", addr)
        packed = socket.inet_pton(addr.family, addr.host.partition("%")[0])
        require(addr.is_multicast == (packed[0] == 0xFF if ipv6 else 224 <= packed[0] < 240), "multicast", addr)
    text = address.to_string()
    require(text.startswith("tcp://"), "text", text)
    if address.address.port and not address.address.scope_id:
        again = _resolve(text.removeprefix("tcp://"), local, ipv6)
        require(again is not None and again.address == address.address, "another address", text, again)


def _check_connect(text: str, ipv6: bool) -> None:
    options = Options()
    options.ipv6 = ipv6
    options.socks_proxy_address = b"127.0.0.1:1080"
    for options.socks_proxy_address in (b"", b"127.0.0.1:1080"):
        try:
            resolve_connect(text, options)
        except ZMQError as error:
            require(error.errno == errno.EINVAL and "endpoint" in str(error), "errno", error)
        else:
            require(text.isascii() and text.rpartition(":")[2][:1].isdigit(), "accepted", text)
    if not text.isascii() or ";" in text or len(text) > 255:
        return
    try:
        host, port = socks_destination(text)
    except OSError as error:
        require(error.errno == errno.EINVAL, "errno", error)
        return
    require(1 <= port <= 65535, "port", port)
    sizes = {1: 5, 4: 17, 3: 2 + (host[1] if len(host) > 1 else 0)}
    require(len(host) == sizes.get(host[0]), "a request of another form", host)


def _check_resolver(text: str, how: int) -> None:
    """All that the resolver can be asked for, but names."""
    options = IpResolverOptions(
        bindable=bool(how & 1),
        ipv6=bool(how & 2),
        allow_nic_name=bool(how & 8),
        expect_port=bool(how & 16),
        allow_path=bool(how & 32),
    )
    require(-(2**63) <= atoi(text) < 2**63, "atoi")
    try:
        addr = _NumbersOnly(options).resolve(text)
    except OSError as error:
        require(error.errno in (errno.EINVAL, errno.ENODEV, errno.ENOMEM), "errno", error.errno)
        return
    require(0 <= addr.port <= 65535 and (addr.port == 0 or options.expect_port), "port", addr)
    socket.inet_pton(addr.family, addr.host.partition("%")[0])
