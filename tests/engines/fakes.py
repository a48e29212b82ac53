# SPDX-License-Identifier: MPL-2.0
"""A session that the test looks into, and an engine on one end of a real pair of sockets.

No libzmq twin: test support. The poller's clock is the test, its descriptors are real (`tests.transports.fakes`).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any

from libzmq_py.constants import SocketType
from libzmq_py.endpoint import EndpointType, EndpointUriPair
from libzmq_py.engines.i_engine import ErrorReason, HandshakeFailure
from libzmq_py.metadata import add_property
from libzmq_py.options import Options
from tests.transports.fakes import FakeIOThread, FakePoller

PAIR = EndpointUriPair("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", EndpointType.BIND)
SIGNATURE = b"\xff" + bytes(7) + b"\1\x7f"
GREETING = SIGNATURE + b"\3\1" + b"NULL".ljust(20, b"\0") + bytes(32)
GREETING_3_0 = SIGNATURE + b"\3\0" + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    """A ZMTP 2 or 3 frame."""
    if len(body) > 255:
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def ready(type_: str, **properties: bytes) -> bytes:
    """The READY command of a peer."""
    data = add_property("Socket-Type", type_.encode())
    data += b"".join(add_property(name, value) for name, value in properties.items())
    return frame(b"\5READY" + data, 4)


class FakeSession:
    """Gives what is in `to_send`, takes `room` messages, and records everything."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.to_send: list[Any] = []
        self.limits: list[int] = []
        self.received: list[Any] = []
        self.room = 1 << 60
        self.routing_ids: list[bytes] = []
        self.takes_routing_id = True
        self.metadata: Mapping[str, str] | None = None
        self.readies = 0
        self.flushes = 0
        self.errors: list[tuple[bool, ErrorReason]] = []
        self.events: list[tuple[str, int]] = []
        self.zap_enabled = False
        # None: there is no ZAP handler. What it has been asked, and will answer (a ConnectionError: it goes).
        self.zap_replies: list[Any] | None = None
        self.zap_requests: list[tuple[bytes, ...]] = []
        self.failures: list[HandshakeFailure] = []
        self.direct_output: Any = None
        self.input_offered = False
        self.input_requests: list[Any] = []

    @property
    def socket_events(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("event_"):
            raise AttributeError(name)
        return lambda pair, value: self.events.append((name.removeprefix("event_"), value))

    def engine_ready(self) -> None:
        self.readies += 1

    def handshake_failure(self, failure: HandshakeFailure) -> None:
        self.failures.append(failure)

    def zap_connect(self) -> bool:
        return self.zap_replies is not None

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        self.zap_requests.append(frames)

    def read_zap_msg(self) -> list[bytes] | None:
        if not self.zap_replies:
            return None
        reply = self.zap_replies.pop(0)
        if isinstance(reply, ConnectionError):
            raise reply
        return list(reply)

    def engine_error(self, handshaked: bool, reason: ErrorReason) -> None:
        self.errors.append((handshaked, reason))

    def set_metadata(self, metadata: Mapping[str, str] | None) -> None:
        self.metadata = metadata

    def set_direct_output(self, write: Any) -> None:
        self.direct_output = write

    def offer_input(self, offered: bool, always: bool = False) -> None:
        self.input_offered = offered

    def request_input(self, mailbox: Any) -> None:
        self.input_requests.append(mailbox)

    def pull_msgs(self, limit: int) -> list[Any]:
        self.limits.append(limit)
        msgs, self.to_send = self.to_send[:limit], self.to_send[limit:]
        return msgs

    def push_msgs(self, msgs: list[Any]) -> int:
        taken = msgs[: self.room]
        self.received += taken
        self.room -= len(taken)
        return len(taken)

    def push_routing_id(self, routing_id: bytes) -> bool:
        if self.takes_routing_id:
            self.routing_ids.append(routing_id)
        return self.takes_routing_id

    def flush(self) -> None:
        self.flushes += 1


class Rig:
    """An engine, its session and its peer."""

    def __init__(
        self, engine_class: Any, type_: SocketType = SocketType.PULL, pair: EndpointUriPair = PAIR, **options: Any
    ) -> None:
        sock, self.peer = socket.socketpair()
        sock.setblocking(False)
        self.peer.settimeout(5)
        self.options = Options()
        self.options.type = type_
        for name, value in options.items():
            assert hasattr(self.options, name)
            setattr(self.options, name, value)
        self.io_thread: Any = FakeIOThread()
        self.session = FakeSession(self.options)
        self.sock = sock
        self.engine = engine_class(sock, self.options, pair)

    @property
    def poller(self) -> FakePoller:
        poller: FakePoller = self.io_thread.poller
        return poller

    def plug(self) -> None:
        self.engine.plug(self.io_thread, self.session)

    def close(self) -> None:
        self.engine.terminate()
        self.peer.close()

    # -- the peer -----------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """The peer sends, and the engine reads it all (unless its input has stopped)."""
        rest = memoryview(data)
        self.peer.setblocking(False)
        while rest:
            try:
                rest = rest[self.peer.send(rest) :]
            except BlockingIOError:
                assert self.events & 1, "the engine does not read"
            except BrokenPipeError:
                break  # it has ended the connection
            self.settle()
        self.peer.settimeout(5)
        self.settle()

    def settle(self) -> None:
        """Let the engine read all there is."""
        while self.engine.plugged and self.events & 1:
            try:
                self.sock.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except ConnectionResetError:
                pass  # which the engine shall see
            self.engine.in_event()

    def recv(self, size: int) -> bytes:
        """So many bytes of what the engine has sent, the engine writing on as the peer makes room."""
        data = b""
        while len(data) < size:
            self.peer.setblocking(False)
            try:
                got = self.peer.recv(min(size - len(data), 1 << 16))
            except BlockingIOError:
                got = b""
            assert got or self.events & 2, f"the engine has nothing more to send: {data[:100]!r} of {size} bytes"
            data += got
            if self.events & 2:
                self.engine.out_event()
        self.peer.settimeout(5)
        return data

    def hang_up(self) -> None:
        """The peer reads what there is and closes; the engine notices."""
        self.peer.setblocking(False)
        try:
            while self.peer.recv(1 << 16):
                pass
        except BlockingIOError:
            pass
        self.peer.close()
        self.settle()

    def silent(self) -> bool:
        """Nothing is there to be read by the peer."""
        self.peer.setblocking(False)
        try:
            return not self.peer.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self.peer.settimeout(5)

    def handshake(self, peer_type: str = "PUSH", **properties: bytes) -> None:
        """Plug and go through greeting and READY of ZMTP 3.1; what the engine said is read."""
        self.plug()
        self.send(GREETING + ready(peer_type, **properties))
        assert self.session.readies == 1, self.session.errors
        self.recv(64)
        header = self.recv(2)
        assert header[0] == 4
        self.recv(header[1])

    @property
    def events(self) -> int:
        """What the engine waits for: 1 to read, 2 to write."""
        handles = self.poller.handles
        return handles[0].events if handles else 0

    @property
    def timers(self) -> dict[int, int]:
        """Id and milliseconds of the timers that run."""
        return {id_: timeout for timeout, _, id_ in self.poller.timers}

    def expire(self, id_: int) -> None:
        """Let a timer expire."""
        timer = next(timer for timer in self.poller.timers if timer[2] == id_)
        self.poller.timers.remove(timer)
        self.engine.timer_event(id_)
