# SPDX-License-Identifier: MPL-2.0
"""The ipc transport: unix domain sockets.

No libzmq twin: one value that names its parts, for the table in `transports`.
"""

from __future__ import annotations

from libzmq_py.transports.ipc.address import resolve_connect
from libzmq_py.transports.ipc.connecter import IpcConnecter
from libzmq_py.transports.ipc.listener import IpcListener
from libzmq_py.transports.transport import Transport

IPC = Transport(
    name="ipc",
    resolve_connect=resolve_connect,
    create_listener=IpcListener,
    create_connecter=IpcConnecter,
)

__all__ = ["IPC"]
