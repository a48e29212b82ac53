# SPDX-License-Identifier: MPL-2.0
"""Accepting connections on a unix domain socket.

Mirrors: src/ipc_listener.cpp, src/ipc_listener.hpp, and create_ipc_wildcard_address of src/ip.cpp.
Departs: the address is checked before a file in its way is removed, for an abstract name no file is removed, and a
wildcard directory goes again when the bind fails.

The file stays when the listener closes, and is removed by the next bind to it; only that of a wildcard bind goes, with
its directory.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, Final

from libzmq_py import ip
from libzmq_py.endpoint import make_unconnected_bind_endpoint_pair
from libzmq_py.logger import Logger
from libzmq_py.transports.address import SocketEnd, refused
from libzmq_py.transports.ipc.address import IpcAddress, get_socket_name, sockaddr_to_string
from libzmq_py.transports.stream_listener_base import StreamListenerBase

_LOG: Final = Logger("libzmq_py.transports")

#: Where a wildcard bind makes its directory: the first of these that names one, else the current directory.
_TMP_ENV_VARS: Final = ("TMPDIR", "TEMPDIR", "TMP")
_MKDTEMP_ATTEMPTS: Final = 100
#: struct ucred: pid, uid, gid.
_UCRED: Final = struct.Struct("=iII")


class IpcListener(StreamListenerBase):
    """`ipc_listener_t`."""

    #: Directory of a wildcard bind, as an absolute path, while it exists.
    _tmp_socket_dirname: str = ""

    def set_local_address(self, address: str) -> None:
        """Open, bind and listen; a file in the way is removed. With USE_FD adopt that descriptor and leave files alone.

        Raises:
            ZMQError: EINVAL, ENAMETOOLONG, ENOENT, EACCES, EADDRINUSE, EMFILE ...
        """
        try:
            if self.options.use_fd != -1:
                resolved = IpcAddress.resolve(address)
                self.endpoint = resolved.to_string()
                self._adopt_fd()
            else:
                self._create_socket(address)
        except OSError as error:
            self._remove_tmp_dir()
            raise refused(f"ipc://{address}", error) from error
        self._socket.event_listening(make_unconnected_bind_endpoint_pair(self.endpoint), self._listening.fileno())

    def _create_socket(self, address: str) -> None:
        if address.startswith("*"):
            directory = create_ipc_wildcard_directory()
            # The current directory may have changed when it is to be removed.
            self._tmp_socket_dirname = os.path.abspath(directory)
            address = directory + "/socket"
        resolved = IpcAddress.resolve(address)
        self.endpoint = resolved.to_string()
        if not resolved.is_abstract:
            # Left behind by a program that ran before. What cannot be removed, bind will complain about.
            with suppress(OSError):
                os.unlink(address)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._s = sock
        try:
            ip.unblock_socket(sock)
            sock.bind(resolved.sun_path)
            sock.listen(self._backlog)
        except OSError:
            # The event of the close comes first, then BIND_FAILED.
            super().close()
            raise

    def _remove_tmp_dir(self) -> None:
        """Undo a wildcard bind that failed."""
        if self._tmp_socket_dirname:
            with suppress(OSError):
                os.unlink(self._tmp_socket_dirname + "/socket")
            with suppress(OSError):
                os.rmdir(self._tmp_socket_dirname)
            self._tmp_socket_dirname = ""

    def close(self) -> None:
        """Close the listening descriptor, remove what a wildcard bind made, and say so."""
        if not self._tmp_socket_dirname:
            super().close()
            return
        sock = self._listening
        fd = sock.fileno()
        sock.close()
        self._s = None
        pair = make_unconnected_bind_endpoint_pair(self.endpoint)
        try:
            os.unlink(self._tmp_socket_dirname + "/socket")
            os.rmdir(self._tmp_socket_dirname)
        except OSError as error:
            _LOG.warning("%s: not removed: %s", self.endpoint, error)
            self._socket.event_close_failed(pair, error.errno or 0)
        else:
            self._socket.event_closed(pair, fd)
        self._tmp_socket_dirname = ""

    def get_socket_name(self, sock: socket.socket, end: SocketEnd) -> str:
        """`ipc://path` of one end."""
        return get_socket_name(sock, end)

    def get_own_name(self, sock: socket.socket) -> str:
        """The endpoint itself; with USE_FD it is only what the user calls it."""
        return self.endpoint if self.options.use_fd == -1 else super().get_own_name(sock)

    def get_peer_name(self, address: Any) -> str:
        """`ipc://`: who connects has no name, as a rule."""
        return sockaddr_to_string(address)

    def admit(self, sock: socket.socket, address: Any) -> None:
        """Apply the filters by user, group and process: the peer must pass one of them, if there are any."""
        options = self.options
        if options.ipc_uid_accept_filters or options.ipc_gid_accept_filters or options.ipc_pid_accept_filters:
            pid, uid, gid = _peer_credentials(sock)
            if not (
                uid in options.ipc_uid_accept_filters
                or gid in options.ipc_gid_accept_filters
                or pid in options.ipc_pid_accept_filters
                or _is_member(uid, options.ipc_gid_accept_filters)
            ):
                raise OSError(errno.EACCES, f"no IPC_FILTER admits process {pid}, user {uid}, group {gid}")


def _peer_credentials(sock: socket.socket) -> tuple[int, int, int]:
    """Process, user and group of the peer when it connected.

    Raises:
        OSError: ENOTSUP where the system does not tell in this way.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise OSError(errno.ENOTSUP, "no peer credentials on this system")
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return pid, uid, gid


def _is_member(uid: int, gids: frozenset[int]) -> bool:
    """True if the user is listed as a member of one of the groups."""
    if sys.platform == "win32":  # which has no peer credentials either
        return False
    import grp
    import pwd

    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        return False
    for gid in gids:
        with suppress(KeyError):
            if user in grp.getgrgid(gid).gr_mem:
                return True
    return False


def create_ipc_wildcard_directory() -> str:
    """Make a fresh directory, ours alone, for the file of a wildcard bind. Relative if it is in the current directory.

    Raises:
        OSError: it cannot be made.
    """
    parent = next((tmp for tmp in map(os.environ.get, _TMP_ENV_VARS) if tmp and os.path.isdir(tmp)), "")
    if parent and not parent.endswith("/"):
        parent += "/"
    for _ in range(_MKDTEMP_ATTEMPTS):
        path = f"{parent}tmp{os.urandom(3).hex()}"
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
            return path
    raise OSError(errno.EEXIST, f"no free name in {parent or os.curdir}")
