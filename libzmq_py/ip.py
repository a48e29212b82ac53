# SPDX-License-Identifier: MPL-2.0
"""Tuning of operating system sockets, and the address of a peer.

Every function takes a ``socket.socket`` and plain values: what the options are called, and when a value means "leave it
alone", is decided here; which socket gets which tuning is the transports' affair. A failure is the ``OSError`` of the
operating system, which the transport turns into a failed bind, or into a connection that ends.

Mirrors: src/ip.cpp, src/ip.hpp, and the tuning half of src/tcp.cpp.
Departs: OSError in place of asserting on errors a network cannot cause (libzmq aborts the process for a priority it may
not set). open_socket is ``socket.socket`` (close-on-exec already); set_nosigpipe is not needed, Python ignores SIGPIPE.
What the platform lacks is found by ``hasattr`` when called. Windows has no TCP_MAXRT through Python.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

#: What the C library's getnameinfo makes of any unix domain address; the start of Peer-Address over ipc.
UNIX_HOST = "localhost"
#: Windows: milliseconds that stand for "leave it alone" where time and interval can only be set together.
_WINDOWS_KEEPALIVE_TIME = 7200000
_WINDOWS_KEEPALIVE_INTERVAL = 1000
#: Python has no name for SO_BUSY_POLL; elsewhere than on Linux there is none to name.
_LINUX_SO_BUSY_POLL = 46 if sys.platform == "linux" else None
_LONG_MAX = 2**63 - 1


#: No descriptor, for this process or at all: says nothing of what was to be looked up.
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE})


def find_shortage(error: Exception) -> OSError | None:
    """Tell whether a look-up failed for want of a descriptor, which the C library reports as "not found".

    Args:
        error: What the look-up raised.

    Returns:
        The shortage, or None.
    """
    if isinstance(error, OSError) and error.errno in SHORTAGES:
        return error
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as probed:
        return probed if probed.errno in SHORTAGES else None
    return None


def unblock_socket(sock: socket.socket) -> None:
    """Make calls on the socket return at once with EAGAIN rather than wait."""
    sock.setblocking(False)


def enable_ipv4_mapping(sock: socket.socket) -> None:
    """Let an IPv6 socket take part in IPv4, by mapped addresses."""
    if hasattr(socket, "IPV6_V6ONLY"):
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)


def get_peer_ip_address(sock: socket.socket) -> str:
    """Return the peer's address as numeric text without port, "" if the socket is not connected (any more).

    Over a unix domain socket it is "localhost", as the C library has it.
    """
    try:
        address = sock.getpeername()
        if not isinstance(address, tuple):
            return UNIX_HOST
        if len(address) == 2:
            return str(address[0])
        # Asked of getnameinfo rather than read from the tuple: it adds the scope ("%eth0") of a link-local address.
        return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
    except OSError as error:
        if error.errno in (errno.EBADF, errno.ENOTSOCK):
            raise  # ours, not the network's
        return ""


def set_ip_type_of_service(sock: socket.socket, iptos: int) -> None:
    """Set the TOS byte of outgoing packets, in IPv6 the traffic class. (ZMQ_TOS)"""
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, iptos)
    if hasattr(socket, "IPV6_TCLASS"):
        try:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, iptos)
        except OSError as error:
            # Linux and macOS in this order say so of a socket that is not IPv6.
            if error.errno not in (errno.ENOPROTOOPT, errno.EINVAL):
                raise


def set_socket_priority(sock: socket.socket, priority: int) -> None:
    """Set SO_PRIORITY where there is one. (ZMQ_PRIORITY)"""
    if hasattr(socket, "SO_PRIORITY"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)


def bind_to_device(sock: socket.socket, bound_device: bytes) -> None:
    """Tie the socket to a network interface or VRF. (ZMQ_BINDTODEVICE)

    Raises:
        OSError: ENOTSUP where the operating system has no such thing; EPERM, ENODEV from where it has.
    """
    if not hasattr(socket, "SO_BINDTODEVICE"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bound_device)


def tune_tcp_socket(sock: socket.socket) -> None:
    """Switch Nagle's algorithm off: messages are batched by the encoder, and waiting for more only adds latency."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def set_tcp_send_buffer(sock: socket.socket, bufsize: int) -> None:
    """Set SO_SNDBUF, in bytes. (ZMQ_SNDBUF)"""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, bufsize)


def set_tcp_receive_buffer(sock: socket.socket, bufsize: int) -> None:
    """Set SO_RCVBUF, in bytes. (ZMQ_RCVBUF)"""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, bufsize)


def tune_tcp_keepalives(
    sock: socket.socket, keepalive: int, keepalive_cnt: int, keepalive_idle: int, keepalive_intvl: int
) -> None:
    """Set up TCP keep-alive; -1 leaves a setting to the operating system. (ZMQ_TCP_KEEPALIVE and its kin)

    Args:
        sock: A TCP socket.
        keepalive: 0 off, 1 on; with -1 the other three are left alone as well.
        keepalive_cnt: Probes without an answer that end the connection.
        keepalive_idle: Seconds of silence before the first probe.
        keepalive_intvl: Seconds between probes.
    """
    if keepalive == -1:
        return
    if hasattr(socket, "SIO_KEEPALIVE_VALS"):
        time = keepalive_idle * 1000 if keepalive_idle != -1 else _WINDOWS_KEEPALIVE_TIME
        interval = keepalive_intvl * 1000 if keepalive_intvl != -1 else _WINDOWS_KEEPALIVE_INTERVAL
        sock.ioctl(socket.SIO_KEEPALIVE_VALS, (keepalive, time, interval))  # type: ignore[attr-defined]
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive)
    # macOS calls TCP_KEEPIDLE TCP_KEEPALIVE.
    idle_name = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for name, value in (
        ("TCP_KEEPCNT", keepalive_cnt),
        (idle_name, keepalive_idle),
        ("TCP_KEEPINTVL", keepalive_intvl),
    ):
        if value != -1 and hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def tune_tcp_maxrt(sock: socket.socket, timeout: int) -> None:
    """End a connection whose data go unacknowledged for ``timeout`` milliseconds; 0 leaves it be. (ZMQ_TCP_MAXRT)"""
    if timeout > 0 and hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)


def tune_tcp_busy_poll(sock: socket.socket, busy_poll: int) -> None:
    """Let the kernel spin ``busy_poll`` microseconds for data; 0 leaves it be. (ZMQ_BUSY_POLL)"""
    so_busy_poll: int | None = getattr(socket, "SO_BUSY_POLL", _LINUX_SO_BUSY_POLL)
    if busy_poll > 0 and so_busy_poll is not None:
        sock.setsockopt(socket.SOL_SOCKET, so_busy_poll, busy_poll)


def tcp_tune_loopback_fast_path(sock: socket.socket) -> None:
    """Windows: send through the loopback by the short way, where the version has one. (ZMQ_LOOPBACK_FASTPATH)"""
    if hasattr(socket, "SIO_LOOPBACK_FAST_PATH"):
        try:
            sock.ioctl(socket.SIO_LOOPBACK_FAST_PATH, True)  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise


def atoi(text: str) -> int:
    """What C makes of the number a text starts with; 0 if there is none. The caller cuts it to the bits it wants."""
    text = text.lstrip(" \t\n\v\f\r")
    digits = text[1:] if text[:1] in ("+", "-") else text
    count = next((at for at, character in enumerate(digits) if character not in "0123456789"), len(digits))
    # After zeros, as many digits as it takes to be out of range.
    number = int(digits[:count].lstrip("0")[:20] or "0")
    return max(-_LONG_MAX - 1, min(-number if text[:1] == "-" else number, _LONG_MAX))
