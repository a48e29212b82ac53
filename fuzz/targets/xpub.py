# SPDX-License-Identifier: MPL-2.0
"""Subscriptions and messages as an XPUB or PUB takes them from its peers (sockets/pubsub/xpub.py, dist.py).

Any messages of any peers, peers that come and go, and messages to them give what plain sets give: the notifications
that the user reads, and who gets which message. A PUB keeps nothing of what its peers say; of a peer that is gone
nothing is kept.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from fuzz.source import Source, require
from libzmq_py.constants import SocketOption, SocketType
from libzmq_py.core.object import ZmqObject
from libzmq_py.core.pipe import Pipe, pipepair
from libzmq_py.msg import CANCEL, SUBSCRIBE, Msg
from libzmq_py.sockets.pubsub.pub import Pub
from libzmq_py.sockets.pubsub.xpub import XPub

MAX_LEN = 150
TOKENS = (b"\0\0\1\2\1a", b"\0\0\1\2\0a", b"\5\2ab", b"\4\1", b"\3")
SEEDS = {
    "one": b"\0" + b"\0\0\1\2\1a" + b"\5\2ab" + b"\0\0\1\2\0a" + b"\5\2ab",
    "pub": b"\1" + b"\0\0\1\2\1a" + b"\0\1\1\5hello" + b"\5\2ab",
    "verbose": b"\2" + b"\0\0\1\2\1a" + b"\0\1\1\2\1a",
    "verboser": b"\4" + b"\0\0\1\2\1a" + b"\0\1\1\2\0a",
    "first-only": b"\x08" + b"\0\0\3\1x\2\1a\2\1b",
    "command": b"\0" + b"\1\0\1a" + b"\2\0\1a",
    "ends": b"\0" + b"\0\0\1\2\1a" + b"\0\1\1\2\1a" + b"\4\0" + b"\5\1a" + b"\4\1",
    "parts": b"\0" + b"\0\0\3\2\1a\1x\2\0b" + b"\6\1a\1b" + b"\5\1a",
    "user": b"\0" + b"\0\2\1\5hello",
}


class _Context:
    """Takes commands, and delivers them when told; all threads are the target."""

    default_ipv6 = False
    default_linger = -1

    def __init__(self) -> None:
        self._commands: deque[Any] = deque()

    def send_command(self, tid: int, command: Any) -> None:
        self._commands.append(command)

    def deliver(self) -> None:
        turns = 0
        while self._commands:
            turns += 1
            require(turns < 1000, "commands without an end")
            command = self._commands.popleft()
            command[0].process_command(command)


class _Peer:
    """The other end of a pipe."""

    def __init__(self, ctx: _Context, xpub: XPub) -> None:
        self.topics: set[bytes] = set()
        self.expected: list[Any] = []
        mine, self.pipe = pipepair((xpub, ZmqObject(ctx, 7)), (0, 0), (False, False))
        self.pipe.set_event_sink(self)
        xpub.attach_pipe(mine)

    def read_activated(self, pipe: Pipe) -> None: ...

    def write_activated(self, pipe: Pipe) -> None: ...

    def pipe_terminated(self, pipe: Pipe) -> None: ...

    def read_all(self) -> list[Any]:
        got = []
        while (message := self.pipe.read()) is not None:
            got.append(message)
        return got


def check(data: bytes) -> None:
    """One input: type and options, then what happens."""
    source = Source(data)
    how = source.byte()
    ctx = _Context()
    xpub = (Pub if how & 1 else XPub)(ctx, 3, 1)
    try:
        _Run(ctx, xpub, how).run(source)
    finally:
        xpub.mailbox.close()


class _Run:
    """A publisher, its peers, and what they should know of each other."""

    def __init__(self, ctx: _Context, xpub: XPub, how: int) -> None:
        self._ctx, self._xpub = ctx, xpub
        self._verbose, self._verboser, self._first_only = bool(how & 6), bool(how & 4), bool(how & 8)
        for bit, option in ((2, "XPUB_VERBOSE"), (4, "XPUB_VERBOSER"), (8, "ONLY_FIRST_SUBSCRIBE")):
            if how & bit:
                xpub.setsockopt(SocketOption[option], 1)
        self._peers = [_Peer(ctx, xpub) for _ in range(3)]
        self._pending: list[Any] = []

    def run(self, source: Source) -> None:
        while source:
            kind = source.byte() % 7
            if kind == 3:
                if len(self._peers) < 6:
                    self._peers.append(_Peer(self._ctx, self._xpub))
            elif kind >= 5:
                parts = [source.chunk() for _ in range(1 + (kind == 6) * 2)]
                self._publish(tuple(parts) if len(parts) > 1 else parts[0])
            elif self._peers:
                peer = self._peers[source.byte() % len(self._peers)]
                if kind == 4:
                    self._end(peer)
                else:
                    self._hear(peer, source, kind)
            self._ctx.deliver()
            self._compare()
        for peer in list(self._peers):
            self._end(peer)
        self._ctx.deliver()
        self._compare()
        require(len(self._xpub._subscriptions) == 0 and len(self._xpub._pipes) == 0, "something is left")

    def _hear(self, peer: _Peer, source: Source, kind: int) -> None:
        """A peer says something: a message, or a command."""
        if kind == 0:
            frames: list[Any] = [source.chunk() for _ in range(1 + source.byte() % 4)]
        else:
            frames = [Msg(source.chunk(), SUBSCRIBE if kind == 1 else CANCEL)]
        shown: list[Any] = []
        look = True
        for frame in frames:
            wish, topic = _request(frame) if look else (None, b"")
            if wish is None:
                look = look and not self._first_only
                shown.append(frame)
            elif wish:
                first = not any(topic in one.topics for one in self._peers)
                peer.topics.add(topic)
                if first or self._verbose:
                    self._tell([*shown, b"\1" + topic])
                    shown = []
            else:
                known = topic in peer.topics
                peer.topics.discard(topic)
                if self._verboser or (known and not any(topic in one.topics for one in self._peers)):
                    self._tell([*shown, b"\0" + topic])
                    shown = []
        self._tell(shown)
        require(peer.pipe.send(tuple(frames) if len(frames) > 1 else frames[0]), "a pipe without a limit is full")
        peer.pipe.flush()

    def _tell(self, frames: list[Any]) -> None:
        if frames and self._xpub.options.type != SocketType.PUB:
            self._pending.append(tuple(frames) if len(frames) > 1 else frames[0])

    def _publish(self, message: Any) -> None:
        topic = message[0] if isinstance(message, tuple) else message
        for peer in self._peers:
            if any(topic.startswith(prefix) for prefix in peer.topics):
                peer.expected.append(message)
        require(self._xpub.xsend(message), "refused")

    def _end(self, peer: _Peer) -> None:
        self._peers.remove(peer)
        for topic in sorted(peer.topics):
            if self._verboser or not any(topic in one.topics for one in self._peers):
                self._tell([b"\0" + topic])
        peer.pipe.terminate(False)

    def _compare(self) -> None:
        shown = []
        if self._xpub.options.type != SocketType.PUB:
            while (message := self._xpub.xrecv()) is not None:
                shown.append(message)
        require(len(self._xpub._pending) == 0, "kept")
        require(shown == self._pending, "shown", shown, self._pending)
        self._pending = []
        for peer in self._peers:
            got = peer.read_all()
            require(got == peer.expected, "published", got, peer.expected)
            peer.expected = []


def _request(frame: Any) -> tuple[bool | None, bytes]:
    if isinstance(frame, Msg):
        return frame.flags == SUBSCRIBE, bytes(frame.data)
    return (frame[0] == 1, frame[1:]) if frame[:1] in (b"\0", b"\1") else (None, b"")
