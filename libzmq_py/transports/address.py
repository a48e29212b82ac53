# SPDX-License-Identifier: MPL-2.0
"""An endpoint on its way to a connection, and the names of a connection's two ends.

Mirrors: src/address.cpp, src/address.hpp.
Departs: the resolved form is any object with `to_string`, not a union of one pointer per transport. Failures inside the
transports are OSError, made into ZMQError by `refused` at the edge, where bind or connect is to fail.
"""

from __future__ import annotations

import enum
import errno
import socket
from typing import Any, Protocol

from libzmq_py.errors import ZMQError, strerror, zmq_error


class Resolved(Protocol):
    """An address in the form its transport connects with."""

    def to_string(self) -> str:
        """The endpoint text, scheme included."""


class Address:
    """`address_t`: where a session connects to. Made at connect(), then used by the I/O threads only."""

    __slots__ = ("address", "protocol", "resolved")

    def __init__(self, protocol: str, address: str, resolved: Resolved | None = None) -> None:
        self.protocol = protocol
        self.address = address
        # None until known. tcp: what the last attempt resolved to, so the text of an endpoint given by name changes
        # with the first attempt, as it does in libzmq.
        self.resolved = resolved

    def __repr__(self) -> str:
        return f"<Address {self.uri}>"

    @property
    def uri(self) -> str:
        """The text given to connect()."""
        return f"{self.protocol}://{self.address}"

    def to_string(self) -> str:
        """The resolved address as text, where there is one, otherwise the text given to connect()."""
        return self.uri if self.resolved is None else self.resolved.to_string()


class SocketEnd(enum.Enum):
    """`socket_end_t`: an end of a connection, as seen from here."""

    LOCAL = "local"
    REMOTE = "remote"


def get_socket_address(sock: socket.socket, end: SocketEnd) -> Any:
    """The address of one end in the form the socket module uses, None if the connection is gone already."""
    try:
        return sock.getsockname() if end is SocketEnd.LOCAL else sock.getpeername()
    except OSError:
        return None


def refused(endpoint: str, error: OSError) -> ZMQError:
    """The exception with which bind or connect refuses an endpoint: libzmq's text, the endpoint, and what was wrong."""
    number = error.errno or errno.EINVAL
    text = strerror(number)
    detail = f": {error.strerror}" if error.strerror and error.strerror != text else ""
    return zmq_error(number, f"{text} (endpoint {endpoint!r}{detail})")
