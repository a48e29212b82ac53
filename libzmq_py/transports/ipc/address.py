# SPDX-License-Identifier: MPL-2.0
"""Unix domain addresses.

Mirrors: src/ipc_address.cpp, src/ipc_address.hpp.

A path, or "@name" for a name in Linux's abstract namespace, which leaves no file: there the first byte is NUL.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from libzmq_py.transports.address import Address, SocketEnd, get_socket_address, refused

if TYPE_CHECKING:
    from libzmq_py.options import Options

NAME: Final = "ipc"

#: Size of sun_path in struct sockaddr_un, the NUL at the end included.
SUN_PATH_SIZE: Final = 108 if sys.platform in ("linux", "win32", "cygwin") else 104


class IpcAddress(NamedTuple):
    """`ipc_address_t`."""

    #: What `bind` and `connect` of the socket module take.
    sun_path: bytes

    @classmethod
    def resolve(cls, path: str) -> IpcAddress:
        """Check the part of an endpoint after the scheme.

        Raises:
            OSError: ENAMETOOLONG; EINVAL for "@" alone.
        """
        name = os.fsencode(path)
        if len(name) >= SUN_PATH_SIZE:
            raise OSError(errno.ENAMETOOLONG, f"{len(name)} bytes, at most {SUN_PATH_SIZE - 1}")
        if name == b"@":
            raise OSError(errno.EINVAL, "no name after '@'")
        if b"\0" in name:
            raise OSError(errno.EINVAL, "NUL in the path")
        return cls(b"\0" + name[1:] if name[:1] == b"@" else name)

    @property
    def is_abstract(self) -> bool:
        """True if there is no file to it."""
        return self.sun_path[:1] == b"\0"

    def to_string(self) -> str:
        """The endpoint; just `ipc://` for a socket without a name, as the connecting end has it."""
        name = b"@" + self.sun_path[1:].partition(b"\0")[0] if self.is_abstract else self.sun_path
        return f"ipc://{os.fsdecode(name)}"


def get_socket_name(sock: socket.socket, end: SocketEnd) -> str:
    """The endpoint text of one end of a unix domain socket, "" if it cannot be had."""
    return sockaddr_to_string(get_socket_address(sock, end))


def sockaddr_to_string(sockaddr: Any) -> str:
    """The endpoint text of an address in the form the socket module has it, "" if it is of another family: a tuple."""
    return IpcAddress(os.fsencode(sockaddr)).to_string() if isinstance(sockaddr, (str, bytes)) else ""


def resolve_connect(address: str, options: Options) -> Address:
    """Check the text given to connect(); whether there is such a file is seen at each attempt.

    Raises:
        ZMQError: ENAMETOOLONG, EINVAL.
    """
    try:
        return Address(NAME, address, IpcAddress.resolve(address))
    except OSError as error:
        raise refused(f"ipc://{address}", error) from error
