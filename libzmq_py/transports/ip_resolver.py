# SPDX-License-Identifier: MPL-2.0
"""From "host:port" text to an IP address: literals, interface names, names.

Mirrors: src/ip_resolver.cpp, src/ip_resolver.hpp.
Departs: failures are OSError with libzmq's errno and a text that says what was wrong. Addresses of an interface come
from ioctl and /proc, as Python has no getifaddrs; of several IPv6 addresses the one with the widest scope is taken,
where libzmq takes whichever the kernel lists first (which is that one, too).

Resolving a name may block for as long as the system's resolver does, in the thread that asks.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import sys
from typing import Any, Final, NamedTuple

from libzmq_py import ip

if sys.platform != "win32":
    import fcntl

# Blanks, sign, digits; of the digits, after zeros, as many as it takes to be out of range.
_INT_PREFIX: Final = re.compile(r"[ \t-\r]*([+-]?)0*([0-9]{0,20})")
_LONG_MAX: Final = 2**63 - 1
_IF_NAME_SIZE: Final = 16
_SIOCGIFADDR: Final = 0x8915 if sys.platform == "linux" else 0xC0206921
# Position of the IPv4 address in struct ifreq: after the name, and family and port of the sockaddr.
_IFREQ_IPV4: Final = slice(_IF_NAME_SIZE + 4, _IF_NAME_SIZE + 8)
_PROC_IF_INET6: Final = "/proc/net/if_inet6"
# The scope column of that file, widest first: global, site, link, host.
_SCOPES: Final = (0x00, 0x40, 0x20, 0x10)


class IpAddr(NamedTuple):
    """`ip_addr_t`: a numeric address with port and, for IPv6, scope."""

    family: int
    host: str
    port: int = 0
    scope_id: int = 0

    @classmethod
    def any(cls, family: int) -> IpAddr:
        """The wildcard address of a family."""
        # What "*" means; see api.security for the warning.
        return cls(family, "::" if family == socket.AF_INET6 else "0.0.0.0")  # noqa: S104

    @property
    def is_multicast(self) -> bool:
        """True for 224.0.0.0/4 and ff00::/8."""
        packed = socket.inet_pton(self.family, self.host)
        return packed[0] == 0xFF if self.family == socket.AF_INET6 else packed[0] >> 4 == 0xE

    @property
    def sockaddr(self) -> tuple[Any, ...]:
        """The form `bind` and `connect` of the socket module take; numeric, so nothing is looked up."""
        if self.family == socket.AF_INET6:
            return self.host, self.port, 0, self.scope_id
        return self.host, self.port


class IpResolverOptions(NamedTuple):
    """`ip_resolver_options_t`: what may stand in the text."""

    #: The address is to be bound: "*" stands for any host and any port, and failures are ENODEV rather than EINVAL.
    bindable: bool = False
    #: The name of an interface stands for its address, and goes before a name of a host.
    allow_nic_name: bool = False
    #: Look for IPv6 addresses, IPv4 ones being mapped into IPv6, rather than for IPv4 ones.
    ipv6: bool = False
    #: The text ends in ":port".
    expect_port: bool = False
    #: Names of hosts are allowed.
    allow_dns: bool = False
    #: A "/path" after the host is cut off.
    allow_path: bool = False


class IpResolver:
    """Resolves by one set of options."""

    def __init__(self, options: IpResolverOptions) -> None:
        self._options = options

    def resolve(self, name: str) -> IpAddr:
        """Find the address a text stands for.

        Raises:
            OSError: EINVAL, the text is malformed, or its host unknown; ENODEV, the host of an address to be bound is
                unknown; ENOMEM. The text of the error says what was wrong.
        """
        host, port = self._split_port(name) if self._options.expect_port else (name, 0)
        if self._options.allow_path:
            host = host.partition("/")[0]
        # Brackets keep the colons of an IPv6 address apart from the port's.
        if len(host) >= 2 and host[0] == "[" and host[-1] == "]":
            host = host[1:-1]
        host, zone_id = self._split_zone(host)
        family, numeric_host, _, _ = self._resolve_host(host)
        # libzmq sets the scope even when the text names none.
        return IpAddr(family, numeric_host, port, zone_id if family == socket.AF_INET6 else 0)

    def _split_port(self, name: str) -> tuple[str, int]:
        # The last colon: those of an IPv6 address come before it.
        host, colon, port_text = name.rpartition(":")
        if not colon:
            raise OSError(errno.EINVAL, "no port")
        if port_text == "*":
            if not self._options.bindable:
                raise OSError(errno.EINVAL, "port '*' is for binding only")
            return host, 0
        if port_text == "0":
            return host, 0
        # Read as atoi does and cut to 16 bits: "80a" is 80 and "-1" is 65535, but "65536" is no port.
        port = atoi(port_text) & 0xFFFF
        if port == 0:
            raise OSError(errno.EINVAL, f"no port number in {port_text!r}")
        return host, port

    def _split_zone(self, host: str) -> tuple[str, int]:
        """Take the zone off "address%zone" (RFC 4007); 0 if there is none."""
        address, percent, zone = host.rpartition("%")
        if not percent:
            return host, 0
        zone_id = 0
        if zone:
            is_name = zone[0].isascii() and zone[0].isalpha()
            zone_id = self.do_if_nametoindex(zone) if is_name else atoi(zone) & 0xFFFFFFFF
        if zone_id == 0:
            raise OSError(errno.EINVAL, f"no zone {zone!r}")
        return address, zone_id

    def _resolve_host(self, host: str) -> IpAddr:
        if self._options.bindable and host == "*":
            return IpAddr.any(socket.AF_INET6 if self._options.ipv6 else socket.AF_INET)
        if self._options.allow_nic_name:
            addr = self.resolve_nic_name(host)
            if addr is not None:
                return addr
        return self._resolve_getaddrinfo(host)

    def resolve_nic_name(self, nic: str) -> IpAddr | None:
        """The address of an interface of this name, None if there is no such interface or it has none.

        Raises:
            OSError: no descriptor is left to ask with.
        """
        name = os.fsencode(nic)
        if not name or len(name) >= _IF_NAME_SIZE or b"\0" in name:
            return None
        host = _nic_ipv6(nic) if self._options.ipv6 else _nic_ipv4(name)
        if host is None:
            return None
        return IpAddr(socket.AF_INET6 if self._options.ipv6 else socket.AF_INET, host)

    def _resolve_getaddrinfo(self, host: str) -> IpAddr:
        options = self._options
        family = socket.AF_INET6 if options.ipv6 else socket.AF_INET
        flags = socket.AI_PASSIVE if options.bindable else 0
        if not options.allow_dns:
            flags |= socket.AI_NUMERICHOST
        # Mapped addresses only where there are no IPv6 ones (no AI_ALL), which spares a look-up.
        mapped = getattr(socket, "AI_V4MAPPED", 0) if options.ipv6 else 0
        try:
            try:
                results = self.do_getaddrinfo(host, family, flags | mapped)
            except socket.gaierror as error:
                if error.errno != socket.EAI_BADFLAGS or not mapped:
                    raise
                results = self.do_getaddrinfo(host, family, flags)  # a system that has the flag but does not take it
        except (OSError, ValueError) as error:  # ValueError: a NUL inside
            raise self._not_found(host, error) from error
        result_family, _, _, _, sockaddr = results[0]
        return IpAddr(result_family, str(sockaddr[0]))

    def _not_found(self, host: str, error: Exception) -> OSError:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_MEMORY:
            return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        shortage = ip.find_shortage(error)
        if shortage is not None:
            return shortage
        number = errno.ENODEV if self._options.bindable else errno.EINVAL
        reason = error.strerror if isinstance(error, OSError) else error
        return OSError(number, f"host {host!r}: {reason}")

    # -- the system, apart for tests --------------------------------------------------------------------------------

    def do_getaddrinfo(self, host: str, family: int, flags: int) -> list[tuple[Any, ...]]:
        """Ask the system's resolver. May block."""
        # As bytes: given text, Python would put IDNA in between, and refuse names that resolvers know.
        return list(socket.getaddrinfo(os.fsencode(host), None, family, socket.SOCK_STREAM, 0, flags))

    def do_if_nametoindex(self, name: str) -> int:
        """Index of an interface, 0 if there is none of this name."""
        try:
            return socket.if_nametoindex(name)
        except (OSError, ValueError) as error:
            shortage = ip.find_shortage(error)
            if shortage is not None:
                raise shortage from error
            return 0


def atoi(text: str) -> int:
    """What C makes of the number a text starts with; 0 if there is none. The caller cuts it to the bits it wants."""
    match = _INT_PREFIX.match(text)
    if match is None or not match.group(2):
        return 0
    return max(-_LONG_MAX - 1, min(int(match.group(1) + match.group(2)), _LONG_MAX))


def _nic_ipv4(name: bytes) -> str | None:
    """The first IPv4 address of an interface, or of an alias ("eth0:1")."""
    if sys.platform == "win32":
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name))
        except OSError:
            return None
    return socket.inet_ntop(socket.AF_INET, answer[_IFREQ_IPV4])


def _nic_ipv6(nic: str) -> str | None:
    """The IPv6 address of an interface that has the widest scope."""
    try:
        with open(_PROC_IF_INET6, encoding="ascii", errors="surrogateescape") as table:
            rows = [line.split() for line in table]
    except OSError as error:
        if error.errno in ip.SHORTAGES:
            raise
        return None  # not Linux, or no IPv6
    found = {int(row[3], 16): row[0] for row in reversed(rows) if len(row) == 6 and row[5] == nic}
    for scope in _SCOPES:
        if scope in found:
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(found[scope]))
    return None
