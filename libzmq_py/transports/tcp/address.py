# SPDX-License-Identifier: MPL-2.0
"""TCP addresses, and sockets made for them.

Mirrors: src/tcp_address.cpp, src/tcp_address.hpp, tcp_open_socket of src/tcp.cpp, and the check of tcp addresses in
socket_base_t::connect.
Departs: address masks are `ipaddress` networks and live in `options.py`.

    bind     [source;]host:port   host: "*", a literal, an interface, a name; port: a number, "0" or "*"
    connect  [source;]host:port   host: a literal or a name; source: a literal or an interface, with port
"""

from __future__ import annotations

import errno
import functools
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from libzmq_py import ip
from libzmq_py.transports.address import Address, SocketEnd, get_socket_address, refused
from libzmq_py.transports.ip_resolver import IpAddr, IpResolver, IpResolverOptions

if TYPE_CHECKING:
    from libzmq_py.options import Options

NAME: Final = "tcp"
PORT_MAX: Final = 65535

# All that connect looks at: which characters there are, and that a digit comes after the last colon.
_DIGITS: Final = frozenset("0123456789")
_FIRST: Final = _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz[:")
_CONNECTABLE: Final = _FIRST | frozenset(".-%;]_*")
# The numbers of an IPv4 address in the form in which they come out of a resolver, too: 010 is octal.
_OCTETS: Final = frozenset(map(str, range(256)))


class TcpAddress(NamedTuple):
    """`tcp_address_t`: a numeric address, and the one to connect from, if the text names one."""

    address: IpAddr
    source_address: IpAddr | None = None

    @classmethod
    def resolve(cls, name: str, local: bool, ipv6: bool) -> TcpAddress:
        """Resolve the part of an endpoint after the scheme. May block on names.

        Args:
            name: the text.
            local: it is to be bound.
            ipv6: look for IPv6 addresses (IPv4 ones are mapped).

        Raises:
            OSError: EINVAL, ENODEV, ENOMEM.
        """
        if not local and not ipv6:
            plain = _resolve_plain(name)
            if plain is not None:
                return plain
        source_name, semicolon, name = name.rpartition(";")
        source = None
        if semicolon:
            # Numbers and interfaces only: no look-ups for what must be an address of our own.
            source = IpResolver(
                IpResolverOptions(bindable=True, allow_nic_name=True, ipv6=ipv6, expect_port=True)
            ).resolve(source_name)
        resolver = IpResolver(
            IpResolverOptions(bindable=local, allow_nic_name=local, allow_dns=True, ipv6=ipv6, expect_port=True)
        )
        return cls(resolver.resolve(name), source)

    def to_string(self) -> str:
        """The endpoint: `tcp://1.2.3.4:5`, `tcp://[::1]:5`."""
        addr = self.address
        if addr.family != socket.AF_INET6:
            return f"tcp://{addr.host}:{addr.port}"
        host = addr.host
        if addr.scope_id:
            # As the C library writes it: "%eth0" for link-local addresses, "%2" for others.
            host = socket.getnameinfo(addr.sockaddr, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
        return f"tcp://[{host}]:{addr.port}"


@functools.lru_cache(maxsize=1024)
def _resolve_plain(name: str) -> TcpAddress | None:
    """What a number stands for, the same object each time; None for a text that needs a resolver.

    Thousands of connections, each attempt of them, go to few addresses.
    """
    host, _, port = name.rpartition(":")
    octets = host.split(".")
    if len(octets) != 4 or not _OCTETS.issuperset(octets):
        return None  # 1.2 is an address, too
    if not 1 <= len(port) <= 5 or port[0] == "0" or not _DIGITS.issuperset(port) or int(port) > PORT_MAX:
        return None
    return TcpAddress(IpAddr(socket.AF_INET, host, int(port)))


def get_socket_name(sock: socket.socket, end: SocketEnd) -> str:
    """The endpoint text of one end of a TCP socket, "" if it cannot be had."""
    return sockaddr_to_string(get_socket_address(sock, end))


def sockaddr_to_string(sockaddr: Any) -> str:
    """The endpoint text of an address in the form the socket module has it, "" if it is none of TCP's.

    The form tells the family; to ask for `sock.family` makes an enum, and costs more than all of this.
    """
    if not isinstance(sockaddr, tuple):
        return ""
    if len(sockaddr) == 2:
        return f"tcp://{sockaddr[0]}:{sockaddr[1]}"
    host, port, _, scope_id = sockaddr
    return TcpAddress(IpAddr(socket.AF_INET6, host.partition("%")[0], port, scope_id)).to_string()


def check_connect(address: str) -> Address:
    """Look at the characters of an address to connect to.

    Raises:
        ZMQError: EINVAL.
    """
    addr = Address(NAME, address)
    wrong = _find_fault(address)
    if wrong:
        raise refused(addr.uri, OSError(errno.EINVAL, wrong))
    return addr


@functools.lru_cache(maxsize=1024)
def _find_fault(address: str) -> str:
    """What is wrong with the characters of an address, "" if nothing is."""
    if address[:1] not in _FIRST or not _CONNECTABLE.issuperset(address):
        return "characters that no address has"
    _, colon, port = address.rpartition(":")
    return "" if colon and port[:1] in _DIGITS else "no port number at the end"


def canonical(address: str, options: Options) -> str | None:
    """What the address resolves to, as text: a bound socket is registered under it. May block on names.

    libzmq goes on to resolve the text as one to be bound when this is not registered either. That finds something else
    only for an interface that shares its name with a host.
    """
    try:
        return TcpAddress.resolve(address, False, options.ipv6).to_string()
    except OSError:
        return None


def tcp_open_socket(
    address: str, options: Options, local: bool, fallback_to_ipv4: bool
) -> tuple[socket.socket, TcpAddress]:
    """Resolve an address and make a socket for it, with the options that must be set before it is bound or connected.

    Args:
        address: the endpoint without its scheme.
        options: the socket's options.
        local: it is to be bound.
        fallback_to_ipv4: resolve to IPv4 where the system turns out to have no IPv6.

    Raises:
        OSError: not resolved, no descriptor, or an option that cannot be set.
    """
    resolved = TcpAddress.resolve(address, local, options.ipv6)
    try:
        sock = socket.socket(resolved.address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        is_ipv6 = resolved.address.family == socket.AF_INET6
        if not (fallback_to_ipv4 and is_ipv6 and error.errno == errno.EAFNOSUPPORT and options.ipv6):
            raise
        resolved = TcpAddress.resolve(address, local, False)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        ip.unblock_socket(sock)  # not by SOCK_NONBLOCK, of which gevent's sockets take no notice
        _tune_unconnected(sock, resolved.address.family, options)
    except OSError:
        sock.close()
        raise
    return sock, resolved


def _tune_unconnected(sock: socket.socket, family: int, options: Options) -> None:
    if family == socket.AF_INET6:
        ip.enable_ipv4_mapping(sock)
    set_tos_and_priority(sock, options)
    if options.loopback_fastpath:
        ip.tcp_tune_loopback_fast_path(sock)
    if options.bound_device:
        ip.bind_to_device(sock, options.bound_device)
    if options.sndbuf >= 0:
        ip.set_tcp_send_buffer(sock, options.sndbuf)
    if options.rcvbuf >= 0:
        ip.set_tcp_receive_buffer(sock, options.rcvbuf)
    if options.busy_poll:
        ip.tune_tcp_busy_poll(sock, options.busy_poll)


def set_tos_and_priority(sock: socket.socket, options: Options) -> None:
    """Set what marks the packets; an accepted connection does not inherit it."""
    if options.tos != 0:
        ip.set_ip_type_of_service(sock, options.tos)
    if options.priority != 0:
        ip.set_socket_priority(sock, options.priority)


def tune_connected(sock: socket.socket, options: Options) -> None:
    """Set what a connection, accepted or made, is to have."""
    ip.tune_tcp_socket(sock)
    if options.tcp_keepalive != -1:
        ip.tune_tcp_keepalives(
            sock,
            options.tcp_keepalive,
            options.tcp_keepalive_cnt,
            options.tcp_keepalive_idle,
            options.tcp_keepalive_intvl,
        )
    if options.tcp_maxrt > 0:
        ip.tune_tcp_maxrt(sock, options.tcp_maxrt)
