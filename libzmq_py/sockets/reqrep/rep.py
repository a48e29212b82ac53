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
from libzmq_py.msg import Frame, Message, frame_bytes, message_of, prepend
from libzmq_py.sockets.reqrep.router import Router


class Rep(Router):
    """A ROUTER that takes the envelope off a request and puts it on the reply."""

    def __init__(self, ctx: Any, tid: int, sid: int) -> None:
        super().__init__(ctx, tid, sid, SocketType.REP)
        # A request was taken and its reply has not been sent.
        self._sending_reply = False
        # What stood before the request's body: routing id, whatever the path added, empty frame.
        self._envelope: tuple[Frame, ...] = ()
        # Where the request came from; None once that peer is gone.
        self._reply_pipe: Pipe | None = None

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
        pipe = self._reply_pipe
        if (
            pipe is not None
            and not more
            and not self._more_out
            and pipe.send(envelope[1:] + msg if type(msg) is tuple else (*envelope[1:], msg))  # type: ignore[arg-type]
        ):
            # Hot path: where the request came from is known, so the reply does not pass through the ROUTER.
            self._sending_reply = False
            return True
        if more or self._more_out:
            for frame in envelope:
                super().xsend(frame, True)
            super().xsend(msg, more)
        else:
            super().xsend(prepend(envelope, msg))
        if not more:
            self._sending_reply = False
        return True

    def xrecv(self) -> Message | None:
        """The body of the next request; a message without an envelope is dropped."""
        if self._sending_reply:
            raise zmq_error(Errno.EFSM, "Operation cannot be accomplished in current state (REP owes a reply)")
        while True:
            msg = Router.xrecv(self)
            if type(msg) is not tuple:
                return None
            # The envelope ends with the first empty frame behind the routing id, and a body must follow.
            for index in range(1, len(msg) - 1):
                if not len(msg[index]):
                    self._envelope = msg[: index + 1]
                    # A message that was prefetched may have another pipe's behind it, or its peer gone: look it up.
                    self._reply_pipe = self._out_pipes.get(frame_bytes(msg[0]))
                    self._sending_reply = True
                    return message_of(msg[index + 1 :])

    def xhas_in(self) -> bool:
        """True if a request may be taken."""
        return not self._sending_reply and self._has_request()

    def _has_request(self) -> bool:
        # Not Router.xhas_in, which would call this class's xrecv.
        if self._prefetched is None:
            self._prefetched = Router.xrecv(self)
        return self._prefetched is not None

    def xhas_out(self) -> bool:
        """True if a reply is owed."""
        return self._sending_reply and not self._rcv_parts and super().xhas_out()
