# SPDX-License-Identifier: MPL-2.0
"""No protocol at all: bytes as they come (ZMQ_ROUTER_RAW, STREAM).

Mirrors: src/raw_engine.cpp, src/raw_engine.hpp.
"""

from __future__ import annotations

from libzmq_py.codecs.raw_decoder import RawDecoder
from libzmq_py.codecs.raw_encoder import RawEncoder
from libzmq_py.engines.i_engine import ErrorReason
from libzmq_py.engines.stream_engine_base import StreamEngineBase
from libzmq_py.metadata import Metadata


class RawEngine(StreamEngineBase):
    """Runs in its session's I/O thread."""

    def has_handshake_stage(self) -> bool:
        """Ready at once."""
        return False

    def plug_internal(self) -> None:
        """Say that the peer is there, if the socket wants to know, and let bytes flow."""
        self._decoder = RawDecoder(self._options.in_batch_size)
        self._encoder = RawEncoder()
        self._source = self._session
        if self._handle is None:
            raise AssertionError("plug() has registered the descriptor")
        if self.peer_address:
            properties = [("Peer-Address", self.peer_address.encode()), ("__fd", str(self._sock.fileno()).encode())]
            self._session.set_metadata(Metadata(properties))
        if self._options.raw_notify:
            self._session.push_msgs([b""])
            self._session.flush()
        self.set_pollin(self._handle)
        self.restart_output()

    def error(self, reason: ErrorReason, cause: object = "") -> None:
        """Say that the peer is gone, if the socket wants to know."""
        if self._options.raw_socket and self._options.raw_notify and self._session is not None:
            self._session.push_msgs([b""])
        super().error(reason, cause)

    def _handshake_failed(self) -> bool:
        # libzmq: 'no mechanism' counts as a handshake that was never completed.
        return True
