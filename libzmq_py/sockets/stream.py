# SPDX-License-Identifier: MPL-2.0
"""STREAM: plain TCP. Every peer has a routing id; a message is the id and some bytes, as one read gave them.

Mirrors: src/stream.cpp, src/stream.hpp.
Departs: a multipart message of an inproc peer is given chunk by chunk (libzmq aborts the process).

An empty chunk from a peer says that it is there, or that it is gone (STREAM_NOTIFY); one sent to a peer closes the
connection to it. What is sent takes two frames, id and bytes, whatever SNDMORE says on the second; so longer messages
go frame by frame, and their third frame is an id again.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from libzmq_py.constants import Errno, SocketOption, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.errors import zmq_error
from libzmq_py.msg import Frame, Message, frame_bytes
from libzmq_py.options import refused_option
from libzmq_py.sockets.fq import FQ
from libzmq_py.sockets.routing_socket_base import RoutingSocketBase


class Stream(RoutingSocketBase):
    """No handshake and no frames on the wire; the engine is the raw one."""

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int = SocketType.STREAM) -> None:
        super().__init__(ctx, tid, sid, type_)
        self.options.raw_socket = True
        self._fq: FQ = FQ()
        # Read and not yet given to recv, each chunk with its peer's id: by has_in, or the rest of a multipart message.
        self._chunks: deque[Message] = deque()
        # The next frame is a body, and where it goes (None: it is dropped).
        self._more_out = False
        self._current_out: Pipe | None = None

    # -- pipes ------------------------------------------------------------------------------------------------------

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new peer."""
        self._identify_peer(pipe, locally_initiated)
        self._fq.attach(pipe)

    def _identify_peer(self, pipe: Pipe, locally_initiated: bool) -> None:
        """Give the peer an id: ours to choose, as nothing on the wire tells one."""
        routing_id = self._extract_connect_routing_id() if locally_initiated else b""
        if not routing_id:
            # Readable as ROUTING_ID: how a caller of connect() learns it without waiting for the connection.
            self._own_options().routing_id = routing_id = self._generate_routing_id()
        self._add_out_pipe(routing_id, pipe)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Forget the peer; a body on its way to it is dropped."""
        self._erase_out_pipe(pipe)
        self._fq.pipe_terminated(pipe)
        if pipe is self._current_out:
            self._current_out = None

    def xread_activated(self, pipe: Pipe) -> None:
        """A peer has sent something."""
        self._fq.activated(pipe)

    # -- send -------------------------------------------------------------------------------------------------------

    def send_multipart(self, frames: tuple[Frame, ...], flags: int = 0) -> None:
        """Send id and bytes as one unit, anything else frame by frame. Raises as `send`."""
        if len(frames) == 2:
            super().send_multipart(frames, flags)
            return
        for frame in frames[:-1]:
            self.send(frame, flags | 2)  # SNDMORE
        self.send(frames[-1], flags)

    def _accepts_units(self) -> bool:
        return not self._more_out

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """An id, a body, or both as a tuple; False if the peer's pipe is full.

        Raises:
            ZMQError: EHOSTUNREACH, no such peer.
        """
        if type(msg) is tuple:
            pipe = self._find_pipe(msg[0])
            if not pipe.check_write():
                return False
            self._send_body(pipe, msg[1])
        elif self._more_out:
            self._more_out = False
            current, self._current_out = self._current_out, None
            if current is not None:
                self._send_body(current, msg)  # type: ignore[arg-type]
        else:
            if more:
                pipe = self._find_pipe(msg)  # type: ignore[arg-type]
                if not pipe.check_write():
                    return False
                self._current_out = pipe
            # An id that says to be the whole message is dropped, and so is the body that follows, as in libzmq.
            self._more_out = True
        return True

    def _find_pipe(self, routing_id: Frame) -> Pipe:
        key = frame_bytes(routing_id)
        pipe = self._out_pipes.get(key)
        if pipe is None:
            raise zmq_error(Errno.EHOSTUNREACH, f"Host unreachable (no peer with routing id {key[:32]!r})")
        return pipe

    @staticmethod
    def _send_body(pipe: Pipe, frame: Frame) -> None:
        if len(frame):
            pipe.send(frame)  # type: ignore[arg-type]
        else:
            # What was sent before goes out first, for as long as our end of the pipe takes to end.
            pipe.terminate(False)

    def xhas_out(self) -> bool:
        """Always: whether there is room depends on the peer."""
        return True

    # -- recv -------------------------------------------------------------------------------------------------------

    def xrecv(self) -> Message | None:
        """The next chunk, its peer's routing id before it."""
        if self._chunks:
            return self._chunks.popleft()
        msg = self._fq.recv()
        pipe = self._fq.last_in
        if msg is None or pipe is None:
            return None
        routing_id = pipe.router_socket_routing_id
        if type(msg) is not tuple:
            return (routing_id, msg)  # type: ignore[return-value]
        self._chunks.extend((routing_id, frame) for frame in msg)
        return self._chunks.popleft()

    def xhas_in(self) -> bool:
        """True if a chunk is there; it is read to be sure, which makes room for one more in its pipe."""
        if not self._chunks:
            msg = self.xrecv()
            if msg is None:
                return False
            self._chunks.appendleft(msg)
        return True

    # -- options ----------------------------------------------------------------------------------------------------

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """STREAM_NOTIFY, CONNECT_ROUTING_ID."""
        if option != SocketOption.STREAM_NOTIFY:
            return super().xsetsockopt(option, value)
        if not isinstance(value, int) or value not in (0, 1):
            raise refused_option(option, value, "expected 0 or 1")
        self.options.raw_notify = bool(value)
        return True
