# SPDX-License-Identifier: MPL-2.0
"""XSUB: subscriptions go out as messages, and what was published comes in unfiltered (RFC 29).

Mirrors: src/xsub.cpp, src/xsub.hpp.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.constants import SocketOption, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.msg import SUBSCRIBE, Frame, Message, Msg, frame_bytes
from libzmq_py.sockets.fq import FQ
from libzmq_py.sockets.pubsub.dist import Dist
from libzmq_py.sockets.pubsub.trie import Trie
from libzmq_py.sockets.socket_base import SocketBase, flag_value


class XSub(SocketBase):
    """Keeps its subscriptions, to tell them to every new publisher and again after each reconnect."""

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int = SocketType.XSUB) -> None:
        super().__init__(ctx, tid, sid, type_)
        # Subscriptions are worth nothing once the socket is closed.
        self.options.linger = 0
        self._fq: FQ = FQ()
        self._dist = Dist()
        self._subscriptions = Trie()
        # Read by has_in and not yet given to recv.
        self._prefetched: Message | None = None
        self._verbose_unsubs = False
        self._only_first_subscribe = False
        # In the middle of an outgoing message; and whether its frames are looked at as subscriptions.
        self._more_send = False
        self._process_subscribe = False
        self._choose_recv()

    # -- pipes ------------------------------------------------------------------------------------------------------

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new publisher."""
        self._fq.attach(pipe)
        self._dist.attach(pipe)
        self._send_subscriptions(pipe)

    def xhiccuped(self, pipe: Pipe) -> None:
        """The publisher was lost and is being connected to again."""
        self._send_subscriptions(pipe)

    def _send_subscriptions(self, pipe: Pipe) -> None:
        # What finds no room is lost, as in libzmq.
        self._subscriptions.apply(lambda topic: pipe.write(Msg(topic, SUBSCRIBE)))
        pipe.flush()

    def xread_activated(self, pipe: Pipe) -> None:
        """Back in turn."""
        self._fq.activated(pipe)

    def xwrite_activated(self, pipe: Pipe) -> None:
        """Room for subscriptions."""
        self._dist.activated(pipe)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """A publisher less."""
        self._fq.pipe_terminated(pipe)
        self._dist.pipe_terminated(pipe)

    # -- send -------------------------------------------------------------------------------------------------------

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """A subscription (first byte 1), its end (0), or a message to the publishers. Never blocks."""
        frame: Any = msg
        first_part = not self._more_send
        self._more_send = more
        if first_part:
            self._process_subscribe = not self._only_first_subscribe
        elif not self._process_subscribe:
            self._dist.send_to_all(frame, more)
            return True
        subscribe, topic = _parse_subscription(frame)
        if subscribe is None:
            self._dist.send_to_all(frame, more)
            return True
        self._process_subscribe = True
        if subscribe:
            self._subscriptions.add(topic)
            self._choose_recv()
        else:
            last = self._subscriptions.rm(topic)
            self._choose_recv()
            if not last and not self._verbose_unsubs:
                return True
        self._dist.send_to_all(frame, more)
        return True

    def _accepts_units(self) -> bool:
        return False  # each frame may be a subscription

    def xhas_out(self) -> bool:
        """Always."""
        return True

    def xroom(self, limit: int) -> int:
        """Any number: subscriptions never wait."""
        return limit

    # -- recv -------------------------------------------------------------------------------------------------------

    def xrecv(self) -> Message | None:
        """The next message; a SUB drops what it has no subscription for.

        Hot path: where nothing would be dropped, `_choose_recv` puts the fair queue's own `recv` in this one's place.
        """
        if self._prefetched is not None:
            prefetched, self._prefetched = self._prefetched, None
            self._choose_recv()
            return prefetched
        msg = self._fq.recv()
        while msg is not None and not self._passes(msg):
            msg = self._fq.recv()
        return msg

    def _passes(self, msg: Message) -> bool:
        if not self.options.filter:
            return True
        first: Any = msg[0] if type(msg) is tuple else msg
        return self._subscriptions.check(frame_bytes(first)) is not self.options.invert_matching

    def _choose_recv(self) -> None:
        """Pass by the filter while it lets everything through and nothing is prefetched."""
        options = self.options
        open_ = not options.filter or (self._subscriptions.matches_all and not options.invert_matching)
        self.__dict__.pop("xrecv", None)
        self._straight_fq = None
        self._in_filter = None
        if self._prefetched is not None or (options.invert_matching and not open_):
            return
        self._straight_fq = self._fq
        if open_:
            self.xrecv = self._fq.recv  # type: ignore[method-assign]
        else:
            self._in_filter = self._subscriptions.check_all

    def xhas_in(self) -> bool:
        """True if a message is there; it is read, to be sure that it passes the filter."""
        if "xrecv" in self.__dict__:
            return self._fq.has_in()
        if self._prefetched is None:
            self._prefetched = self.xrecv()
        return self._prefetched is not None

    # -- options ----------------------------------------------------------------------------------------------------

    def setsockopt(self, option: int, value: int | bytes | None) -> None:
        """As every socket's; INVERT_MATCHING decides what passes."""
        super().setsockopt(option, value)
        if option == SocketOption.INVERT_MATCHING:
            self._choose_recv()

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """ONLY_FIRST_SUBSCRIBE."""
        if option == SocketOption.ONLY_FIRST_SUBSCRIBE:
            self._only_first_subscribe = flag_value(option, value)
            return True
        return False

    def xgetsockopt(self, option: int) -> int | bytes | None:
        """TOPICS_COUNT."""
        return len(self._subscriptions) if option == SocketOption.TOPICS_COUNT else None


def _parse_subscription(frame: Frame) -> tuple[bool | None, bytes]:
    """Whether the frame subscribes (True), cancels (False) or is a message (None), and the topic."""
    if isinstance(frame, Msg):
        if frame.is_subscribe or frame.is_cancel:
            return frame.is_subscribe, bytes(frame.data)
    data = frame_bytes(frame)
    if data[:1] in (b"\0", b"\1"):
        return data[0] == 1, data[1:]
    return None, b""
