# SPDX-License-Identifier: MPL-2.0
"""XPUB: a message to every peer that has subscribed to it; subscriptions come in as messages (RFC 29).

Mirrors: src/xpub.cpp, src/xpub.hpp.
Departs: a message of one step (not frame by frame) goes to the pipes of its topic without passing through the zones of
`Dist`.  A CANCEL from a pipe that holds no subscription is not shown to the user, as nothing has changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any

from libzmq_py.constants import SocketOption, SocketType
from libzmq_py.core.pipe import Pipe
from libzmq_py.core.run import OutRun, grant_out_to_all
from libzmq_py.msg import Frame, Message, Msg, frame_bytes, frames_of, message_of
from libzmq_py.options import refused_option
from libzmq_py.sockets.pubsub.dist import Dist
from libzmq_py.sockets.pubsub.mtrie import MTrie, RmResult
from libzmq_py.sockets.socket_base import SocketBase, flag_value


class XPub(SocketBase):
    """A peer that is full misses messages, unless XPUB_NODROP makes send wait for it."""

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int = SocketType.XPUB) -> None:
        super().__init__(ctx, tid, sid, type_)
        self._dist = Dist()
        self._subscriptions: MTrie[Pipe] = MTrie()
        # What peers have asked for while the user decides (XPUB_MANUAL).
        self._manual_subscriptions: MTrie[Pipe] = MTrie()
        # For recv: notifications and messages from the peers, with the pipe a manual answer goes to.
        self._pending: deque[tuple[Message, Pipe | None]] = deque()
        self._last_pipe: Pipe | None = None
        self._last_in: Pipe | None = None
        self._more_send = False
        self._verbose_subs = False
        self._verbose_unsubs = False
        self._lossy = True
        self._manual = False
        self._send_last_pipe = False
        self._only_first_subscribe = False
        self._welcome_msg = b""
        self._straight_out = self._all_subscribers

    # -- pipes ------------------------------------------------------------------------------------------------------

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new subscriber; its subscriptions may be there already."""
        self._dist.attach(pipe)
        if subscribe_to_all:
            self._subscriptions.add(b"", pipe)
        if self._welcome_msg:
            pipe.send(self._welcome_msg)
        self.xread_activated(pipe)

    def xread_activated(self, pipe: Pipe) -> None:
        """Subscriptions and messages from a peer: take them all now."""
        msg = pipe.read()
        while msg is not None:
            self._process_upstream(msg, pipe)
            msg = pipe.read()

    def _process_upstream(self, msg: Message, pipe: Pipe) -> None:
        # What the user gets: frames that are no requests, and the requests that matter, each of which ends a message.
        user_frames: list[Frame] = []
        look = True
        for frame in frames_of(msg):
            subscribe, topic = _parse_request(frame) if look else (None, b"")
            if self._only_first_subscribe and subscribe is None:
                look = False
            if subscribe is None:
                user_frames.append(frame)
            elif self._process_request(subscribe, topic, pipe):
                user_frames.append((b"\1" if subscribe else b"\0") + topic)
                self._give(user_frames, pipe)
        self._give(user_frames, pipe)

    def _give(self, frames: list[Frame], pipe: Pipe) -> None:
        # A PUB has nobody to give these to; kept, they would only cost memory (GHSA-4p5v-h92w-6wxw).
        if frames and (self._manual or self.options.type != SocketType.PUB):
            self._pending.append((message_of(tuple(frames)), pipe))
        frames.clear()

    def _process_request(self, subscribe: bool, topic: bytes, pipe: Pipe) -> bool:
        """Act on a subscription or its end; True if the user is to be told."""
        if self._manual:
            if subscribe:
                self._manual_subscriptions.add(topic, pipe)
            else:
                self._manual_subscriptions.rm(topic, pipe)
            return True
        if subscribe:
            return self._subscriptions.add(topic, pipe) or self._verbose_subs
        return self._subscriptions.rm(topic, pipe) is RmResult.LAST_VALUE_REMOVED or self._verbose_unsubs

    def xwrite_activated(self, pipe: Pipe) -> None:
        """Room again."""
        self._dist.activated(pipe)

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """A subscriber less: tell the user which topics have lost their last."""
        if self._manual:
            self._manual_subscriptions.rm_pipe(pipe, self._send_unsubscription, False)
            self._subscriptions.rm_pipe(pipe, lambda topic: None, False)
            if pipe is self._last_pipe:
                self._last_pipe = None
        else:
            self._subscriptions.rm_pipe(pipe, self._send_unsubscription, not self._verbose_unsubs)
        # Its notifications stay: to look for them among many would cost more than to look at each that is read.
        self._dist.pipe_terminated(pipe)

    def _send_unsubscription(self, topic: bytes) -> None:
        if self.options.type != SocketType.PUB:
            self._pending.append((b"\0" + topic, None))

    # -- send -------------------------------------------------------------------------------------------------------

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """To the subscribers of the first frame; False only with XPUB_NODROP, when one of them is full.

        Hot path.
        """
        if more or self._more_send:
            return self._send_part(msg, more)  # type: ignore[arg-type]
        topic = msg if type(msg) is bytes else frame_bytes(msg[0] if type(msg) is tuple else msg)  # type: ignore[arg-type]
        if self.options.invert_matching or self._last_pipe is not None:
            return self._send_zoned(topic, msg, False)  # type: ignore[arg-type]
        pipes = self._subscriptions.matching(topic)
        if not self._lossy and not self._dist.have_room(pipes):
            return False
        self._dist.send_to(pipes, msg)  # type: ignore[arg-type]
        return True

    def _all_subscribers(self) -> Collection[Pipe]:
        """The pipes that get every message, whatever is in it; none if that depends."""
        if self._more_send or self._manual or self.options.invert_matching:
            return ()
        return self._subscriptions.always_matching()

    def _grant_out(self) -> OutRun | None:
        return grant_out_to_all(self._all_subscribers(), self._commands)

    def _send_part(self, frame: Frame, more: bool) -> bool:
        if not self._more_send:
            return self._send_zoned(frame_bytes(frame), frame, more)  # type: ignore[arg-type]
        self._dist.send_to_matching(frame, more)  # type: ignore[arg-type]
        self._end_part(more)
        return True

    def _send_zoned(self, topic: bytes, msg: Message, more: bool) -> bool:
        """As libzmq does it: mark who matches, then send to those."""
        self._dist.unmatch()
        last_pipe, self._last_pipe = (self._last_pipe, None) if self._send_last_pipe else (None, self._last_pipe)
        for pipe in self._subscriptions.matching(topic):
            if last_pipe is None or pipe is last_pipe:
                self._dist.match(pipe)
        if self.options.invert_matching:
            self._dist.reverse_match()
        if not self._lossy and not self._dist.check_hwm():
            return False
        self._dist.send_to_matching(msg, more)
        self._end_part(more)
        return True

    def _end_part(self, more: bool) -> None:
        self._more_send = more
        if not more:
            self._dist.unmatch()

    def _accepts_units(self) -> bool:
        return not self._more_send

    def xhas_out(self) -> bool:
        """Always."""
        return True

    def xroom(self, limit: int) -> int:
        """Any number, as what cannot be sent is dropped; with XPUB_NODROP it depends on the topic."""
        return limit if self._lossy else 1

    # -- recv -------------------------------------------------------------------------------------------------------

    def xrecv(self) -> Message | None:
        """The next notification, or message from a peer."""
        if not self._pending:
            return None
        message, pipe = self._pending.popleft()
        self._last_in = pipe if pipe is not None and self._dist.has_pipe(pipe) else None
        if self._manual:
            self._last_pipe = self._last_in
        return message

    def _last_in_pipe(self) -> Pipe | None:
        return self._last_in

    def xhas_in(self) -> bool:
        """True if there is one."""
        return bool(self._pending)

    # -- options ----------------------------------------------------------------------------------------------------

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """XPUB_*, ONLY_FIRST_SUBSCRIBE, and, in manual mode, SUBSCRIBE and UNSUBSCRIBE."""
        if option == SocketOption.XPUB_VERBOSE:
            self._verbose_subs = flag_value(option, value)
            self._verbose_unsubs = False
        elif option == SocketOption.XPUB_VERBOSER:
            self._verbose_subs = self._verbose_unsubs = flag_value(option, value)
        elif option == SocketOption.XPUB_MANUAL_LAST_VALUE:
            self._manual = self._send_last_pipe = flag_value(option, value)
        elif option == SocketOption.XPUB_NODROP:
            self._lossy = not flag_value(option, value)
        elif option == SocketOption.XPUB_MANUAL:
            self._manual = flag_value(option, value)
        elif option == SocketOption.ONLY_FIRST_SUBSCRIBE:
            self._only_first_subscribe = flag_value(option, value)
        elif option == SocketOption.XPUB_WELCOME_MSG:
            if isinstance(value, int):
                raise refused_option(option, value, "bytes")
            self._welcome_msg = value or b""
        elif option in (SocketOption.SUBSCRIBE, SocketOption.UNSUBSCRIBE) and self._manual:
            self._answer_request(option, value)
        else:
            return False
        return True

    def _answer_request(self, option: int, value: int | bytes | None) -> None:
        """(Un)subscribe the peer whose request was read last."""
        if isinstance(value, int):
            raise refused_option(option, value, "bytes")
        if self._last_pipe is None:
            return
        if option == SocketOption.SUBSCRIBE:
            self._subscriptions.add(value or b"", self._last_pipe)
        else:
            self._subscriptions.rm(value or b"", self._last_pipe)

    def xgetsockopt(self, option: int) -> int | bytes | None:
        """TOPICS_COUNT."""
        return len(self._subscriptions) if option == SocketOption.TOPICS_COUNT else None


def _parse_request(frame: Frame) -> tuple[bool | None, bytes]:
    """Whether the frame subscribes (True), cancels (False) or is a message (None), and the topic."""
    if isinstance(frame, Msg) and (frame.is_subscribe or frame.is_cancel):
        return frame.is_subscribe, bytes(frame.data)
    data = frame_bytes(frame)
    if data[:1] in (b"\0", b"\1"):
        return data[0] == 1, data[1:]
    return None, b""
