# SPDX-License-Identifier: MPL-2.0
"""Making TCP connections through a SOCKS 5 proxy (SOCKS_PROXY).

Mirrors: src/socks_connecter.cpp, src/socks_connecter.hpp.
Departs:
- CONNECT_TIMEOUT, where it is set, limits the conversation with the proxy, too (libzmq passes it over, and waits for a
  silent proxy for ever). TCP_MAXRT is set.
- A host name that no request can hold, and a source address in the endpoint, are refused by connect(): see
  `check_destination` (libzmq aborts the process for the one, and asks the proxy for a host of that name for the other).

Events name the proxy. RECONNECT_STOP does not apply, as in libzmq. The name of the peer is the proxy's to resolve.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from libzmq_py.logger import Logger
from libzmq_py.transports.address import Address, refused
from libzmq_py.transports.socks import LENGTH_MAX, SocksClient, domain, ip_address
from libzmq_py.transports.tcp.address import NAME, PORT_MAX
from libzmq_py.transports.tcp.connecter import TcpConnecter

if TYPE_CHECKING:
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.options import Options
    from libzmq_py.transports.transport import SessionHost

_LOG: Final = Logger("libzmq_py.transports")


class SocksConnecter(TcpConnecter):
    """`socks_connecter_t`."""

    def __init__(
        self, io_thread: IOThread, session: SessionHost, options: Options, addr: Address, delayed_start: bool
    ) -> None:
        super().__init__(io_thread, session, options, addr, delayed_start)
        # C's strings end at a NUL.
        proxy = options.socks_proxy_address.partition(b"\0")[0].decode("utf-8", "replace")
        self._proxy_addr = Address(NAME, proxy)
        self.endpoint = self._proxy_addr.to_string()
        # The conversation, once there is a connection to the proxy.
        self._client: SocksClient | None = None
        # What the kernel has not taken yet.
        self._out = b""

    def open(self) -> bool:
        """Connect to the proxy."""
        return self._connect_to(self._proxy_addr, fallback_to_ipv4=False)

    def give_up(self, error: OSError) -> bool:
        """Never: who knows whose refusal it was."""
        _LOG.info("%s: no connection to %s: %s", self.endpoint, self._addr.uri, error)
        return False

    def close(self) -> None:
        """Forget the conversation."""
        self._client = None
        self._out = b""
        super().close()

    # -- the conversation -------------------------------------------------------------------------------------------

    def out_event(self) -> None:
        """The proxy is there, or not, or takes more."""
        if self._client is None:
            self._rm_handle()
            self._finish_connecting()
        else:
            self._go_on(self._client)

    def in_event(self) -> None:
        """The proxy speaks."""
        if self._client is None:
            self.out_event()
            return
        try:
            data = self._s.recv(self._client.needed)
            if not data:
                raise OSError(errno.EPIPE, "closed by the proxy")
            self._client.receive(data)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._failed(error)
            return
        self._go_on(self._client)

    def _finish_connecting(self) -> None:
        """There is a connection to the proxy: tell it where we want to go."""
        options = self.options
        try:
            self._check_connection(self._s)
            address, port = socks_destination(self._addr.address)
            client = SocksClient(address, port, options.socks_proxy_username, options.socks_proxy_password)
            self._handle = self.add_fd(self._s.fileno())
            self.set_pollin(self._handle)
        except OSError as error:
            self._failed(error)
            return
        self._client = client
        if not self._connect_timer_started:  # the proxy was there at once
            self.add_connect_timer()
        self._go_on(client)

    def _go_on(self, client: SocksClient) -> None:
        """Say what is to be said, or hand the connection over."""
        self._out += client.data_to_send()
        try:
            if client.done:
                self.cancel_connect_timer()
                self._rm_handle()
                self._client = None
                self.create_engine(self._s, self.get_local_address(self._s))
            else:
                self._write()
        except OSError as error:
            self._failed(error)

    def _write(self) -> None:
        if self._out:
            try:
                self._out = self._out[self._s.send(self._out) :]
            except (BlockingIOError, InterruptedError):
                pass
        if self._handle is not None:
            (self.set_pollout if self._out else self.reset_pollout)(self._handle)

    def _failed(self, error: OSError) -> None:
        self.cancel_connect_timer()
        self._rm_handle()
        self._attempt_failed(error)


def check_destination(addr: Address) -> None:
    """See what connect() is given.

    Raises:
        ZMQError: EINVAL, no request can hold it.
    """
    if ";" in addr.address:
        raise refused(addr.uri, OSError(errno.EINVAL, "with SOCKS_PROXY a source address belongs to the proxy's"))
    if len(_split_port(addr.address)[0]) > LENGTH_MAX:
        raise refused(addr.uri, OSError(errno.EINVAL, f"SOCKS has no host names above {LENGTH_MAX} bytes"))


def _split_port(address: str) -> tuple[str, str]:
    """Host, without the brackets of IPv6, and port, as text."""
    host, _, port = address.rpartition(":")
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host, port


def socks_destination(address: str) -> tuple[bytes, int]:
    """Host and port as a SOCKS request wants them: a literal as a number, a name as it is.

    Raises:
        OSError: EINVAL, the port is no number from 1 to 65535.
    """
    host, port_text = _split_port(address)
    port = int(port_text) if port_text.isascii() and port_text.isdigit() else 0
    if not 1 <= port <= PORT_MAX:
        raise OSError(errno.EINVAL, f"no port number: {port_text!r}")
    name = os.fsencode(host)
    try:
        # Numbers only, so nothing is looked up; as bytes, or Python would put IDNA in between (see IpResolver).
        family, _, _, _, sockaddr = socket.getaddrinfo(name, None, flags=socket.AI_NUMERICHOST)[0]
    except socket.gaierror:
        return domain(name), port
    return ip_address(socket.inet_pton(family, str(sockaddr[0]).partition("%")[0])), port
