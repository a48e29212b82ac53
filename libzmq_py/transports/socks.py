# SPDX-License-Identifier: MPL-2.0
"""The client's half of SOCKS 5 (RFC 1928), with user name and password (RFC 1929): bytes in, bytes out.

Mirrors: src/socks.cpp, src/socks.hpp; the state machine of src/socks_connecter.cpp.
Departs:
- One object for the whole conversation, where libzmq has an encoder or decoder per message.
- A response that comes in pieces is put together (libzmq reads beyond its end when it is cut behind the fifth byte).

    GREETING ──"no authentication"──────────────────────▶ REQUEST ──granted──▶ DONE
        └─────"user name and password"──▶ AUTHENTICATION ────┘

One method is offered: user name and password if there is a user name, else none. A proxy may choose either all the
same, as libzmq lets it; if it wants a user name that we have not, it is told an empty one.

What follows the last byte of the response belongs to the peer behind the proxy, so nobody may read more than `needed`.
"""

from __future__ import annotations

import enum
import errno
from typing import Final

_VERSION: Final = 5
_AUTHENTICATION_VERSION: Final = 1
_CONNECT: Final = 1
_NO_AUTHENTICATION: Final = 0
_BASIC_AUTHENTICATION: Final = 2
_IPV4: Final = 1
_DOMAIN: Final = 3
_IPV6: Final = 4
#: Length of a response up to the byte that tells how long the rest is.
_RESPONSE_HEAD: Final = 5
#: Bytes of an address behind that byte; of a domain the byte itself is the length.
_ADDRESS_REST: Final = {_IPV4: 3, _IPV6: 15}
_PORT_SIZE: Final = 2
LENGTH_MAX: Final = 255

_REPLIES: Final = {
    1: ("general failure", errno.EIO),
    2: ("not allowed by the rules", errno.EACCES),
    3: ("network unreachable", errno.ENETUNREACH),
    4: ("host unreachable", errno.EHOSTUNREACH),
    5: ("connection refused", errno.ECONNREFUSED),
    6: ("TTL expired", errno.ETIMEDOUT),
    7: ("command not supported", errno.EOPNOTSUPP),
    8: ("kind of address not supported", errno.EAFNOSUPPORT),
}


class SocksError(OSError):
    """The proxy refuses, or does not speak SOCKS 5."""


class Stage(enum.Enum):
    """What we wait for."""

    GREETING = "greeting"
    AUTHENTICATION = "authentication"
    REQUEST = "request"
    DONE = "done"


class SocksClient:
    """One conversation with a proxy. Sans-I/O: no descriptor, no clock."""

    def __init__(self, address: bytes, port: int, username: bytes = b"", password: bytes = b"") -> None:
        """Ask for a connection to `address`: 4 or 16 bytes of an IP address as `ip_address` makes them, or a domain.

        Args:
            address: as `ip_address` or `domain` give it.
            port: 1 to 65535.
            username: of 0 to 255 bytes; empty offers no authentication.
            password: of 0 to 255 bytes.
        """
        self._request = bytes((_VERSION, _CONNECT, 0)) + address + port.to_bytes(_PORT_SIZE, "big")
        self._username = username
        self._password = password
        self._stage = Stage.GREETING
        self._received = b""
        self._size = 2
        method = _BASIC_AUTHENTICATION if username else _NO_AUTHENTICATION
        self._to_send = bytes((_VERSION, 1, method))

    def __repr__(self) -> str:
        return f"<SocksClient {self._stage.value}>"

    @property
    def done(self) -> bool:
        """True once the peer behind the proxy is at the other end."""
        return self._stage is Stage.DONE

    @property
    def needed(self) -> int:
        """So many bytes may be read now."""
        return 0 if self.done else self._size - len(self._received)

    def data_to_send(self) -> bytes:
        """What is to be sent before anything is read; each is given once."""
        data, self._to_send = self._to_send, b""
        return data

    def receive(self, data: bytes) -> None:
        """Take bytes from the proxy, `needed` at most.

        Raises:
            SocksError: it refuses, or what it says is no SOCKS 5.
        """
        if len(data) > self.needed:
            raise AssertionError("bytes beyond the proxy's message")
        self._received += data
        if self._stage is Stage.REQUEST:
            self._check_response()
        elif self._received:
            self._check_version(_VERSION if self._stage is Stage.GREETING else _AUTHENTICATION_VERSION)
        if self.needed:
            return
        received, self._received = self._received, b""
        if self._stage is Stage.GREETING:
            self._process_choice(received[1])
        elif self._stage is Stage.AUTHENTICATION:
            self._process_auth_response(received[1])
        else:
            self._process_response(received[1])

    def _check_version(self, version: int) -> None:
        if self._received[0] != version:
            raise SocksError(errno.EPROTO, f"version {self._received[0]} in place of {version}: no SOCKS 5 proxy")

    def _process_choice(self, method: int) -> None:
        if method == _BASIC_AUTHENTICATION:
            self._to_send = b"".join(
                (
                    bytes((_AUTHENTICATION_VERSION, len(self._username))),
                    self._username,
                    bytes((len(self._password),)),
                    self._password,
                )
            )
            self._stage = Stage.AUTHENTICATION
        elif method == _NO_AUTHENTICATION:
            self._begin_request()
        else:
            raise SocksError(errno.EACCES, f"the proxy wants authentication method {method:#x}")

    def _process_auth_response(self, status: int) -> None:
        if status:
            raise SocksError(errno.EACCES, f"the proxy refuses user name and password (status {status})")
        self._begin_request()

    def _begin_request(self) -> None:
        self._to_send = self._request
        self._stage = Stage.REQUEST
        self._size = _RESPONSE_HEAD

    def _check_response(self) -> None:
        """Look at what there is of the response, and learn its length."""
        data = self._received
        if data:
            self._check_version(_VERSION)
        if len(data) > 1 and data[1] and data[1] not in _REPLIES:
            raise SocksError(errno.EPROTO, f"unknown reply {data[1]} of the proxy")
        if len(data) > 2 and data[2]:
            raise SocksError(errno.EPROTO, "the reserved byte of the proxy's reply is not zero")
        if len(data) > 3 and data[3] not in (_IPV4, _DOMAIN, _IPV6):
            raise SocksError(errno.EPROTO, f"unknown kind of address {data[3]} in the proxy's reply")
        if len(data) == _RESPONSE_HEAD:
            self._size = _RESPONSE_HEAD + _ADDRESS_REST.get(data[3], data[4]) + _PORT_SIZE

    def _process_response(self, reply: int) -> None:
        if reply:
            text, number = _REPLIES[reply]
            raise SocksError(number, f"the proxy says: {text}")
        self._stage = Stage.DONE


def ip_address(packed: bytes) -> bytes:
    """4 or 16 bytes of an IP address as a request has them."""
    return bytes((_IPV4 if len(packed) == 4 else _IPV6,)) + packed


def domain(name: bytes) -> bytes:
    """A name of up to 255 bytes, for the proxy to resolve, as a request has it."""
    return bytes((_DOMAIN, len(name))) + name
