# SPDX-License-Identifier: MPL-2.0
"""Endpoints, and the addresses of ipc and inproc (sockets/endpoints.py, transports/ipc/address.py, endpoint.py).

Any text gives a transport with an address, or a ZMQError with libzmq's errno. An ipc address fits into a sockaddr_un
and is written as the text it was read from.
"""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any

from fuzz.source import Source, require
from libzmq_py import transports
from libzmq_py.constants import Errno, SocketType
from libzmq_py.endpoint import EndpointType, EndpointUriPair
from libzmq_py.errors import ZMQError
from libzmq_py.options import Options
from libzmq_py.sockets.socket_base import SocketBase
from libzmq_py.transports.ipc.address import SUN_PATH_SIZE, IpcAddress, resolve_connect, sockaddr_to_string

MAX_LEN = 160
TOKENS = (b"tcp://", b"ipc://", b"inproc://", b"udp://", b"ws://", b"://", b"@", b"\0", b"*", b"x" * 107)
SEEDS = {
    "tcp": b"\0" + b"tcp://127.0.0.1:5555",
    "ipc": b"\0" + b"ipc:///tmp/socket",
    "abstract": b"\0" + b"ipc://@name",
    "abstract-empty": b"\0" + b"ipc://@",
    "longest": b"\0" + b"ipc://" + b"x" * 107,
    "too-long": b"\0" + b"ipc://" + b"x" * 108,
    "nul": b"\0" + b"ipc://a\0b",
    "wildcard": b"\0" + b"ipc://*",
    "inproc": b"\0" + b"inproc://name",
    "nothing": b"\0" + b"://",
    "no-address": b"\0" + b"tcp://",
    "no-scheme": b"\0" + b"127.0.0.1:5",
    "unknown": b"\0" + b"carrier://pigeon",
    "bytes": b"\0" + b"ipc:///tmp/\xff\xfe",
    "stream-udp": b"\1" + b"udp://127.0.0.1:5",
}
_ERRNOS = (errno.EINVAL, Errno.EPROTONOSUPPORT, Errno.ENOCOMPATPROTO)
_TYPES = (SocketType.DEALER, SocketType.STREAM)


def check(data: bytes) -> None:
    """One input: the socket's type, then the text."""
    source = Source(data)
    options = Options()
    options.type = source.pick(_TYPES)
    text = source.rest().decode("utf-8", "surrogateescape")
    socket: Any = SimpleNamespace(options=options)
    ask, transports.entry_points = transports.entry_points, lambda group, name: ()
    try:
        transport, address = SocketBase._parse_endpoint(socket, text)
    except ZMQError as error:
        require(error.errno in _ERRNOS, "errno", error.errno)
        require(str(error), "no text")
    else:
        name = "inproc" if transport is None else transport.name
        require(f"{name}://{address}" == text and address, "taken apart otherwise", name, address)
    finally:
        transports.entry_points = ask
    _check_ipc(text.removeprefix("ipc://"), options)
    _check_pair(text)


def _check_ipc(path: str, options: Options) -> None:
    name = path.encode("utf-8", "surrogateescape")
    good = len(name) < SUN_PATH_SIZE and name != b"@" and b"\0" not in name
    try:
        address = IpcAddress.resolve(path)
    except OSError as error:
        require(not good and error.errno in (errno.ENAMETOOLONG, errno.EINVAL), "refused", error)
        try:
            resolve_connect(path, options)
        except ZMQError as refused:
            require(refused.errno == error.errno, "errno", refused.errno)
        else:
            require(False, "connect accepts what cannot be resolved")
        return
    require(good, "accepted", path)
    require(len(address.sun_path) < SUN_PATH_SIZE, "too long")
    require(address.is_abstract == (name[:1] == b"@"), "abstract")
    require(address.to_string() == f"ipc://{path}", "written otherwise", address.to_string())
    require(sockaddr_to_string(address.sun_path) == address.to_string(), "the system's form")
    require(resolve_connect(path, options).to_string() == address.to_string(), "connect")


def _check_pair(text: str) -> None:
    for kind in EndpointType:
        pair = EndpointUriPair(text, "other", kind)
        require(pair.identifier == (text if kind is EndpointType.BIND else "other"), "identifier")
        require(pair.clash() == (text == "other"), "clash")
