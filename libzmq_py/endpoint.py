# SPDX-License-Identifier: MPL-2.0
"""The two addresses of a connection, as text, and which of them names it.

Mirrors: src/endpoint.cpp, src/endpoint.hpp (endpoint_uri_pair_t).
"""

from __future__ import annotations

import enum
import functools
from typing import NamedTuple


class EndpointType(enum.Enum):
    """How our end of the connection came to be."""

    NONE = "none"  # neither bound nor connected (udp, inproc)
    BIND = "bind"
    CONNECT = "connect"


class EndpointUriPair(NamedTuple):
    """Our address and the peer's, each "" where there is none (yet). Immutable, so that threads may share it."""

    local: str = ""
    remote: str = ""
    local_type: EndpointType = EndpointType.NONE

    @property
    def identifier(self) -> str:
        """The address the user gave to bind or connect: what monitor events carry."""
        return self.local if self.local_type is EndpointType.BIND else self.remote

    def clash(self) -> bool:
        """Whether both ends have the same address: a TCP connection with itself."""
        return self.local == self.remote


@functools.lru_cache(maxsize=256)
def make_unconnected_connect_endpoint_pair(endpoint: str) -> EndpointUriPair:
    """Return the pair of a connect that has no connection yet; the same one each time, as many connect to one place."""
    return EndpointUriPair("", endpoint, EndpointType.CONNECT)


def make_unconnected_bind_endpoint_pair(endpoint: str) -> EndpointUriPair:
    """Return the pair of a bind, before anybody connects."""
    return EndpointUriPair(endpoint, "", EndpointType.BIND)
