# SPDX-License-Identifier: MPL-2.0
"""REP: a request, then its reply, in turn (RFC 28).

Mirrors: src/rep.cpp, src/rep.hpp.
Departs: whole messages, so the envelope is kept here until the reply; libzmq writes it back at once.

    receiving ──last frame of a request──▶ sending ──last frame of the reply──▶ receiving
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import Errno, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.errors import zmq_error
from libzmq_py.msg import Frame, Message, prepend
from libzmq_py.sockets.reqrep.router import Router


class Rep(Router):
    """A ROUTER that takes the envelope off a request and puts it on the reply."""

    _converses = True

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.REP)
        # A request was taken and its reply has not been sent.
        self._sending_reply = False
        # What stood before the request's body: whatever the path added, and the empty frame.
        self._envelope: tuple[Frame, ...] = ()
        # Where the request came from; None once that peer is gone.
        self._reply_pipe: Pipe | None = None
        self._reply_id = b""
        # The pipe of what `xhas_in` has read ahead; it may have ended since.
        self._prefetched_pipe: Pipe | None = None

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """Its reply is dropped."""
        if pipe is self._reply_pipe:
            self._reply_pipe = None
        super().xpipe_terminated(pipe)

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """A frame of the reply, or all of it. The reply to a peer that is gone is dropped."""
        if not self._sending_reply or self._rcv_parts:
            raise zmq_error(Errno.EFSM, "Operation cannot be accomplished in current state (REP has no request)")
        envelope, self._envelope = self._envelope, ()
        if not more:
            pipe = self._reply_pipe
            if (
                pipe is not None
                and not self._more_out
                and pipe.send(envelope + msg if type(msg) is tuple else (*envelope, msg))  # type: ignore[arg-type]
            ):
                # Hot path: where the request came from is known, so the reply does not pass through the ROUTER.
                self._sending_reply = False
                return True
        self._send_by_id(envelope, msg, more)
        if not more:
            self._sending_reply = False
        return True

    def _send_by_id(self, envelope: tuple[Frame, ...], msg: Message | Frame, more: bool) -> None:
        if more or self._more_out:
            if not self._more_out:
                envelope = (self._reply_id, *envelope)
            for frame in envelope:
                super().xsend(frame, True)
            super().xsend(msg, more)
        else:
            super().xsend((self._reply_id, *prepend(envelope, msg)))

    def xrecv(self) -> Message | None:
        """The body of the next request; a message without an envelope is dropped."""
        if self._sending_reply:
            raise zmq_error(Errno.EFSM, "Operation cannot be accomplished in current state (REP owes a reply)")
        while True:
            if self._prefetched is None:
                msg = self._fq.recv()
                pipe = self._fq.last_in
            else:
                msg, pipe = self._prefetched, self._prefetched_pipe
                self._prefetched = self._prefetched_pipe = None
            if msg is None or pipe is None:
                return None
            if type(msg) is not tuple:
                continue  # no envelope, or the id of a connection made again
            # The envelope ends with its first empty frame, and a body must follow.
            index, last = 0, len(msg) - 1
            while index < last and len(msg[index]):
                index += 1
            if index < last:
                self._envelope = msg[: index + 1]
                self._reply_pipe = pipe
                self._reply_id = pipe.router_socket_routing_id
                self._sending_reply = True
                # Hot path: one frame is not cut out first.
                return msg[last] if index + 1 == last else msg[index + 1 :]  # type: ignore[return-value]

    def xhas_in(self) -> bool:
        """True if a request may be taken."""
        if self._sending_reply:
            return False
        if self._prefetched is None:
            self._prefetched = self._fq.recv()
            self._prefetched_pipe = self._fq.last_in
        return self._prefetched is not None

    def xhas_out(self) -> bool:
        """True if a reply is owed."""
        return self._sending_reply and not self._rcv_parts and super().xhas_out()

    def xroom(self, limit: int) -> int:
        """One at a time."""
        return 1
