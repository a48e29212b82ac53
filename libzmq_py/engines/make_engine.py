# SPDX-License-Identifier: MPL-2.0
"""Which engine a new connection gets.

No libzmq twin: the choice in stream_listener_base_t::create_engine and stream_connecter_base_t::create_engine.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from libzmq_py.engines.raw_engine import RawEngine
from libzmq_py.engines.stream_engine_base import StreamEngineBase
from libzmq_py.engines.zmtp_engine import ZmtpEngine

if TYPE_CHECKING:
    from libzmq_py.endpoint import EndpointUriPair
    from libzmq_py.options import Options


def make_engine(
    sock: socket.socket, options: Options, endpoint_uri_pair: EndpointUriPair, peer: object = None
) -> StreamEngineBase:
    """The engine for a connected socket that does not block; `peer`: the address at its other end, if that is known."""
    engine_class = RawEngine if options.raw_socket else ZmtpEngine
    return engine_class(sock, options, endpoint_uri_pair, peer)
