# SPDX-License-Identifier: MPL-2.0
"""The tcp transport.

No libzmq twin: one value that names its parts, for the table in `transports`; the choice of a connecter is made in
session_base_t.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libzmq_py.late import LateImport
from libzmq_py.transports.tcp.address import canonical, check_connect
from libzmq_py.transports.tcp.connecter import TcpConnecter
from libzmq_py.transports.tcp.listener import TcpListener
from libzmq_py.transports.transport import Transport

if TYPE_CHECKING:
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.options import Options
    from libzmq_py.transports.address import Address
    from libzmq_py.transports.transport import SessionHost


def resolve_connect(address: str, options: Options) -> Address:
    """Check the text given to connect(), quickly: names are resolved at each attempt, not here.

    Raises:
        ZMQError: EINVAL; EMFILE, no descriptor to import what a proxy needs.
    """
    addr = check_connect(address)
    if options.socks_proxy_address:
        with LateImport():
            from libzmq_py.transports.tcp.socks_connecter import check_destination
        check_destination(addr)
    return addr


def create_connecter(
    io_thread: IOThread, session: SessionHost, options: Options, addr: Address, delayed_start: bool
) -> TcpConnecter:
    """A connecter, through the proxy if there is one (libzmq: session_base_t::create_connecter_tcp)."""
    if options.socks_proxy_address:
        from libzmq_py.transports.tcp.socks_connecter import SocksConnecter  # imported by connect() already

        return SocksConnecter(io_thread, session, options, addr, delayed_start)
    return TcpConnecter(io_thread, session, options, addr, delayed_start)


TCP = Transport(
    name="tcp",
    resolve_connect=resolve_connect,
    create_listener=TcpListener,
    create_connecter=create_connecter,
    canonical=canonical,
)

__all__ = ["TCP"]
