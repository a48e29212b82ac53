# SPDX-License-Identifier: MPL-2.0
"""How a byte stream comes to exist: the table of transports.

No libzmq twin: there, socket_base_t and session_base_t choose by an if-chain.

inproc is not in the table, as it has no listeners and connecters: see `inproc.py`. A package may bring a transport of
its own by an entry point of the group `libzmq_py.transports`, named for the scheme, that leads to a `Transport`::

    [options.entry_points]
    libzmq_py.transports =
        carrier = my_package.carrier:CARRIER
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from libzmq_py.constants import EPROTONOSUPPORT
from libzmq_py.errors import strerror, zmq_error
from libzmq_py.late import LateImport
from libzmq_py.transports.address import Address
from libzmq_py.transports.transport import Listener, SessionHost, SocketHost, Transport

ENTRY_POINT_GROUP = "libzmq_py.transports"

#: Scheme -> transport: those that are in use, and those that were registered.
TRANSPORTS: dict[str, Transport] = {}


# Imported with the first endpoint that needs them: engines, codecs and mechanisms come with them, half of the package.


def _tcp() -> Transport:
    from libzmq_py.transports.tcp import TCP

    return TCP


def _ipc() -> Transport:
    from libzmq_py.transports.ipc import IPC

    return IPC


def _udp() -> Transport:
    from libzmq_py.transports.udp import UDP

    return UDP


#: Scheme -> what fetches the transport.
BUILT_IN: dict[str, Callable[[], Transport]] = {"tcp": _tcp, "udp": _udp}
if sys.platform != "win32":  # whose Python has no unix domain sockets
    BUILT_IN["ipc"] = _ipc


def register(transport: Transport) -> None:
    """Add a transport, or put it in the place of the one that has its scheme."""
    TRANSPORTS[transport.name] = transport


def find_transport(scheme: str) -> Transport | None:
    """The transport of a scheme, None if there is none. Entry points are looked at only for schemes not in the table.

    Raises:
        ZMQError: EPROTONOSUPPORT, there is an entry point, but it does not lead to a transport; EMFILE, no descriptor
            to import it with.
    """
    transport = TRANSPORTS.get(scheme)
    if transport is None and scheme in BUILT_IN:
        with LateImport():
            transport = TRANSPORTS[scheme] = BUILT_IN[scheme]()
    return transport if transport is not None else _find_plug_in(scheme)


def entry_points(group: str, name: str) -> Iterable[Any]:
    """The entry points of installed packages. Imported when asked for: it takes 20 ms, and most programs never ask."""
    from importlib import metadata

    return metadata.entry_points(group=group, name=name)


def _find_plug_in(scheme: str) -> Transport | None:
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
        try:
            transport = entry_point.load()
        except (ImportError, AttributeError) as error:
            raise _unusable(scheme, entry_point.value, str(error)) from error
        if not isinstance(transport, Transport):
            raise _unusable(scheme, entry_point.value, f"a {type(transport).__name__}, not a Transport")
        TRANSPORTS[scheme] = transport
        return transport
    return None


def _unusable(scheme: str, value: str, reason: str) -> Exception:
    number = EPROTONOSUPPORT
    return zmq_error(number, f"{strerror(number)} (scheme {scheme!r}, entry point {value!r}: {reason})")


__all__ = [
    "BUILT_IN",
    "ENTRY_POINT_GROUP",
    "TRANSPORTS",
    "Address",
    "Listener",
    "SessionHost",
    "SocketHost",
    "Transport",
    "find_transport",
    "register",
]
