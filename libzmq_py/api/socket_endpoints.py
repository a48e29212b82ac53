# SPDX-License-Identifier: MPL-2.0
"""A socket's endpoints: bind, connect, and their undoing, by call or at the end of a ``with`` block.

Mirrors: zmq_bind, zmq_connect, zmq_unbind, zmq_disconnect, zmq_connect_peer and zmq_disconnect_peer of src/zmq.cpp;
pyzmq's sugar/socket.py. A part of ``socket.py``.
"""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from libzmq_py.api.live import DeadSocket
from libzmq_py.api.security import warn_of_open_door
from libzmq_py.api.socket_options import OptionMethods
from libzmq_py.constants import Errno, SocketOption
from libzmq_py.errors import ZMQBindError, ZMQError

if TYPE_CHECKING:
    from typing_extensions import Self

_SocketT_co = TypeVar("_SocketT_co", bound="EndpointMethods", covariant=True)

_DEFAULT_PORTS = (49152, 65536)
#: Longest ipc path the platform takes, without the closing NUL (sizeof sun_path - 1).
IPC_PATH_MAX_LEN = 107 if sys.platform == "linux" else 103


class _SocketContext(Generic[_SocketT_co]):
    """What ``bind`` and ``connect`` return: as a context manager it undoes them at the end."""

    def __init__(self, socket: _SocketT_co, kind: Literal["bind", "connect"], addr: str) -> None:
        self.socket = socket
        self.kind = kind
        self.addr = addr

    def __repr__(self) -> str:
        return f"<SocketContext({self.kind}={self.addr!r})>"

    def __enter__(self) -> _SocketT_co:
        return self.socket

    def __exit__(self, *exc_info: object) -> None:
        if self.socket.closed:
            return
        if self.kind == "bind":
            self.socket.unbind(self.addr)
        else:
            self.socket.disconnect(self.addr)


class EndpointMethods(OptionMethods):
    """The part of ``Socket`` that binds and connects."""

    if TYPE_CHECKING:  # of Socket

        @property
        def closed(self) -> bool: ...

    def bind(self, addr: str) -> _SocketContext[Self]:
        """Accept connections on an endpoint.

        Args:
            addr: ``tcp://interface:port``, ``ipc://path``, ``inproc://name``; a str, or bytes in UTF-8. Port 0 or
                ``*``, and the path ``*``, let the system choose; the attribute ``last_endpoint`` then tells.

        Returns:
            A context manager that unbinds at its end.

        Raises:
            ZMQError: EINVAL, malformed; EPROTONOSUPPORT; ENOCOMPATPROTO; EADDRINUSE; EADDRNOTAVAIL; ENODEV; EMTHREAD;
                ETERM; ENOTSOCK; ENAMETOOLONG and ENOENT for ipc.
            TypeError: ``addr`` is neither str nor bytes.

        Warns:
            SecurityWarning: Once in a process, where a socket without security listens on every interface.

        zmq_bind.
        """
        endpoint = endpoint_text(addr)
        core = self._core
        if not isinstance(core, DeadSocket):
            warn_of_open_door(core, endpoint)
        try:
            core.bind(endpoint)
        except ZMQError as error:
            _name_address(error, addr)
            raise
        return self._bind_cm(endpoint)

    def connect(self, addr: str) -> _SocketContext[Self]:
        """Connect to an endpoint, now or as soon as somebody is there.

        Args:
            addr: ``tcp://host:port``, ``ipc://path``, ``inproc://name``; a str, or bytes in UTF-8. A source address
                goes in front: ``tcp://source:0;host:port``.

        Returns:
            A context manager that disconnects at its end.

        Raises:
            ZMQError: EINVAL, malformed; EPROTONOSUPPORT; ENOCOMPATPROTO; EMTHREAD; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_connect.
        """
        endpoint = endpoint_text(addr)
        try:
            self._core.connect(endpoint)
        except ZMQError as error:
            _name_address(error, addr)
            raise
        return self._connect_cm(endpoint)

    def _bind_cm(self, addr: str) -> _SocketContext[Self]:
        try:
            # The real address where the system chose it.
            addr = cast(bytes, self.get(SocketOption.LAST_ENDPOINT)).decode()
        except (AttributeError, ZMQError, UnicodeDecodeError):
            pass
        return _SocketContext(self, "bind", addr)

    def _connect_cm(self, addr: str) -> _SocketContext[Self]:
        return _SocketContext(self, "connect", addr)

    def unbind(self, addr: str | bytes) -> None:
        """Undo ``bind``.

        Raises:
            ZMQError: ENOENT, not bound to it; EINVAL; EPROTONOSUPPORT; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_unbind.
        """
        self._core.term_endpoint(endpoint_text(addr))

    def disconnect(self, addr: str | bytes) -> None:
        """Undo ``connect``.

        Raises:
            ZMQError: ENOENT, not connected to it; EINVAL; EPROTONOSUPPORT; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_disconnect.
        """
        self._core.term_endpoint(endpoint_text(addr))

    def bind_to_random_port(
        self, addr: str, min_port: int = _DEFAULT_PORTS[0], max_port: int = _DEFAULT_PORTS[1], max_tries: int = 100
    ) -> int:
        """Bind to a port that is free.

        Args:
            addr: The address without port: ``tcp://*``.
            min_port: First port to try. With both left alone the system chooses.
            max_port: The port after the last to try.
            max_tries: How often to try.

        Returns:
            The port.

        Raises:
            ZMQBindError: No try found a free one.
            ZMQError: As ``bind``, EADDRINUSE excepted.
        """
        if (min_port, max_port) == _DEFAULT_PORTS:
            self.bind(f"{addr}:*")
            url = cast(bytes, self.get(SocketOption.LAST_ENDPOINT)).decode("ascii", "replace")
            return int(url.rpartition(":")[2])
        import random

        for _ in range(max_tries):
            port = random.randrange(min_port, max_port)  # noqa: S311 - no secret: whoever looks finds the port
            try:
                self.bind(f"{addr}:{port}")
            except ZMQError as error:
                windows_says_in_use = sys.platform == "win32" and error.errno == errno.EACCES
                if error.errno != Errno.EADDRINUSE and not windows_says_in_use:
                    raise
            else:
                return port
        raise ZMQBindError(f"Could not bind socket to random port ({addr}, {min_port} to {max_port - 1}).")

    def connect_peer(self, addr: str | bytes) -> int:
        """Connect, and return the routing id of the peer (PEER; draft).

        Raises:
            ZMQError: ENOTSUP, another type; else as ``connect``.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_connect_peer.
        """
        return self._core.connect_peer(endpoint_text(addr))

    def disconnect_peer(self, routing_id: int) -> None:
        """Drop the connection to one peer (SERVER, PEER; draft).

        Raises:
            ZMQError: ENOTSUP, another type; EHOSTUNREACH, no such peer; ETERM; ENOTSOCK.

        zmq_disconnect_peer.
        """
        self._core.disconnect_peer(routing_id)


def endpoint_text(addr: Any) -> str:
    if isinstance(addr, str):
        return addr
    if isinstance(addr, bytes):
        return addr.decode()
    raise TypeError(f"Expected addr to be str, got addr={addr!r}")


def _name_address(error: ZMQError, addr: object) -> None:
    """Make the text of a failed bind or connect say what was asked for."""
    if error.errno == errno.ENAMETOOLONG:
        error.strerror += f" (an ipc path has at most {IPC_PATH_MAX_LEN} bytes, zmq.IPC_PATH_MAX_LEN)"
    if repr(addr) not in error.strerror:
        error.strerror += f" (addr={addr!r})"
