# SPDX-License-Identifier: MPL-2.0
"""The tcp transport.

No libzmq twin: one value that names its parts, for the table in `transports`.
"""

from __future__ import annotations

from libzmq_py.transports.tcp.address import canonical, resolve_connect
from libzmq_py.transports.tcp.connecter import TcpConnecter
from libzmq_py.transports.tcp.listener import TcpListener
from libzmq_py.transports.transport import Transport

TCP = Transport(
    name="tcp",
    resolve_connect=resolve_connect,
    create_listener=TcpListener,
    create_connecter=TcpConnecter,
    canonical=canonical,
)

__all__ = ["TCP"]
