# SPDX-License-Identifier: MPL-2.0
"""REQ: a request, then its reply, in turn (RFC 28).

Mirrors: src/req.cpp, src/req.hpp.
Departs: whole messages, so the envelope is put on and taken off in one step.  The request id of REQ_CORRELATE moves on
only when the request is sent.

    sending ──last frame of a request──▶ receiving ──last frame of its reply──▶ sending
       ▲                                    │
       └────── REQ_RELAXED: a new request ──┘
"""

from __future__ import annotations

import struct
from typing import Any, Final

from libzmq_py.constants import Errno, SocketOption, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.engines.i_engine import ProtocolError
from libzmq_py.errors import zmq_error
from libzmq_py.msg import Frame, Message, frame_bytes, message_of, prepend
from libzmq_py.random import generate_random
from libzmq_py.session_base import SessionBase
from libzmq_py.sockets.reqrep.dealer import Dealer
from libzmq_py.sockets.socket_base import flag_value

# Host byte order, as libzmq copies it.
_REQUEST_ID: Final = struct.Struct("=I")


class ReqSession(SessionBase):
    """Refuses replies without an envelope: [request id,] empty frame, body."""

    def push_msgs(self, msgs: list[Message]) -> int:
        """Pass replies on, up to the first that is none.

        Raises:
            ProtocolError: a reply lacks its envelope.
        """
        for index, msg in enumerate(msgs):
            if not _is_reply(msg):
                super().push_msgs(msgs[:index])
                raise ProtocolError("reply without its envelope")
        pipe = self._pipe
        return len(msgs) if pipe is None else pipe.send_batch(msgs)


def _is_reply(msg: Message) -> bool:
    if type(msg) is not tuple:
        return False
    delimiter = 1 if len(msg[0]) == _REQUEST_ID.size else 0
    return delimiter + 1 < len(msg) and not len(msg[delimiter])


class Req(Dealer):
    """Talks to one of its peers at a time."""

    _converses = True

    session_class = ReqSession

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.REQ)
        # A request is out and its reply has not been taken.
        self._receiving_reply = False
        # The next frame to be sent is the first of a request.
        self._message_begins = True
        # Where the request went; None if that peer is gone, or nothing was sent.
        self._reply_pipe: Pipe | None = None
        self._request_id = generate_random()
        self._strict = True
        self._correlate = False

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """A frame of a request, or all of it."""
        if self._receiving_reply or self._rcv_parts:
            if self._strict:
                raise zmq_error(
                    Errno.EFSM, "Operation cannot be accomplished in current state (REQ waits for a reply)"
                )
            self._receiving_reply = False
            self._message_begins = True
            self._rcv_parts.clear()
        if self._message_begins:
            # Late replies to earlier requests must not be taken for this one's.
            fq = self._fq
            if fq._active and (fq._active > 1 or fq.items[0]._in_queue) and fq.has_queued() and self._lb.has_out():
                while fq.recv() is not None:
                    pass
            if more or self._correlate:
                return self._begin_request(msg, more)
            # Hot path: a whole request whose envelope is nothing but the empty frame.
            if not self._lb.send((b"", *msg) if type(msg) is tuple else (b"", msg)):  # type: ignore[arg-type]
                return False
            self._reply_pipe = self._lb.last_out
            self._receiving_reply = True
            return True
        if not self._lb.send(msg, more):  # type: ignore[arg-type]
            return False
        if not more:
            self._end_request()
        return True

    def _begin_request(self, msg: Message | Frame, more: bool) -> bool:
        envelope: tuple[Frame, ...] = (b"",)
        request_id = self._request_id
        if self._correlate:
            request_id = (request_id + 1) & 0xFFFFFFFF
            envelope = (_REQUEST_ID.pack(request_id), b"")
        if not more:
            if not self._lb.send(prepend(envelope, msg)):
                return False
        elif not self._lb.send(envelope[0], True):  # type: ignore[arg-type]
            return False
        else:
            for frame in (*envelope[1:], msg):
                self._lb.send(frame, True)  # type: ignore[arg-type]
        self._request_id = request_id
        self._reply_pipe = self._lb.last_out
        self._message_begins = False
        if not more:
            self._end_request()
        return True

    def _end_request(self) -> None:
        self._receiving_reply = True
        self._message_begins = True

    def _accepts_units(self) -> bool:
        return self._message_begins

    def xrecv(self) -> Message | None:
        """The reply, without its envelope; whatever else comes in is dropped."""
        if not self._receiving_reply:
            raise zmq_error(Errno.EFSM, "Operation cannot be accomplished in current state (REQ has sent no request)")
        while True:
            msg = self._fq.recv()
            if msg is None:
                return None
            if self._reply_pipe is not None and self._fq.last_in is not self._reply_pipe:
                continue
            if type(msg) is tuple and len(msg) == 2 and not len(msg[0]) and not self._correlate:
                body: Message | None = msg[1]  # type: ignore[assignment]  # Hot path: as `_open_reply` would find
            else:
                body = self._open_reply(msg)
            if body is not None:
                self._receiving_reply = False
                return body

    def _open_reply(self, msg: Message) -> Message | None:
        if type(msg) is not tuple:
            return None
        start = 0
        if self._correlate:
            if frame_bytes(msg[0]) != _REQUEST_ID.pack(self._request_id):
                return None
            start = 1
        if start + 1 >= len(msg) or len(msg[start]):
            return None
        return message_of(msg[start + 1 :])

    def xhas_in(self) -> bool:
        """True if something has come; it may turn out not to be the reply."""
        return self._receiving_reply and super().xhas_in()

    def xhas_out(self) -> bool:
        """True if a request may be sent now."""
        return not ((self._receiving_reply or self._rcv_parts) and self._strict) and super().xhas_out()

    def xroom(self, limit: int) -> int:
        """One at a time."""
        return 1

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """REQ_CORRELATE, REQ_RELAXED."""
        if option == SocketOption.REQ_CORRELATE:
            self._correlate = flag_value(option, value)
        elif option == SocketOption.REQ_RELAXED:
            self._strict = not flag_value(option, value)
        else:
            return super().xsetsockopt(option, value)
        return True

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Without its peer the reply may come from anybody, or never."""
        if pipe is self._reply_pipe:
            self._reply_pipe = None
        super().xpipe_terminated(pipe)
