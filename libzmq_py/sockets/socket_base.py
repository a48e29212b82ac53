# SPDX-License-Identifier: MPL-2.0
"""What all sockets share: options, pipes, the loops of send, recv and poll, and what a type decides.

Mirrors: src/socket_base.cpp, src/socket_base.hpp, with the other parts of `SocketBase`, each a class on the last:
- `runs.py`: messages that pass the socket by (ours);
- `commands.py`: the mailbox, waiting, the end;
- `monitor.py`: events;
- `endpoints.py`: bind, connect, and their undoing.
Departs:
- `xrecv` gives whole messages, as pipes carry them; `recv` deals them out frame by frame, `recv_multipart` at once.
- `xsend` takes a frame, or a tuple of frames as a whole message.
- Failures are exceptions (`ZMQError`), not return codes.

Threads: the caller's, one at a time, until `close`; then the reaper's. `tid` stays the same. Nothing else may touch a
socket, but for `inc_seqnum`, `stop` and the monitor's events.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from operator import index
from threading import RLock
from typing import Any, Final

from libzmq_py.constants import Errno, SocketOption
from libzmq_py.core.array import Array
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.pipe import Pipe
from libzmq_py.errors import Again, ZMQError, zmq_error
from libzmq_py.msg import Frame, Message, frames_of, message_of
from libzmq_py.options import Options, refused_option
from libzmq_py.sockets.endpoints import SocketEndpoints
from libzmq_py.sockets.lb import LostPipe

# Flags are made plain numbers (`index`) before they are looked at: the arithmetic of an enum's members is slow.
_DONTWAIT: Final = 1
_SNDMORE: Final = 2
_HWMS: Final = frozenset({int(SocketOption.SNDHWM), int(SocketOption.RCVHWM)})
_POLLIN: Final = 1
_POLLOUT: Final = 2
# Seconds of a wait that count as short, and how many of those in a row make a conversation; how many connections a
# socket's thread may read itself.
_SOON: Final = 0.005
_SOON_ENOUGH: Final = 4
_MAX_INPUTS: Final = 15
# What most sockets have of a message that was received in part. Never added to.
_NO_PARTS: Final[deque[Frame]] = deque()


class SocketBase(SocketEndpoints):
    """Base of the socket types, put together from the parts named above.

    Subclasses give the `x*` methods their meaning.
    """

    # Defaults on the class, here and in the other parts: what most sockets never change until they are closed, and what
    # no message asks for. An object of up to 30 attributes of its own needs no dict.
    thread_safe = False
    # True of types for whom nothing comes before they have sent something: REQ, REP.
    _converses = False
    # When the last message of a stream of large ones had been waited for; see `_came_soon`.
    _served = 0.0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Hot path: a wake-up passes no frame that only passes it on.
        cls.read_activated = cls.xread_activated  # type: ignore[method-assign]

    def __init__(self, ctx: Any, tid: int, sid: int, type_: int) -> None:
        """Use `ctx.create_socket`.

        Raises:
            OSError: no file descriptor for the mailbox.
        """
        options = Options()
        options.type = int(type_)  # a plain number, which the collector need not visit
        options.socket_id = sid
        options.ipv6 = ctx.default_ipv6
        options.linger = ctx.default_linger
        super().__init__(None, options, ctx, tid)
        self.mailbox = Mailbox()
        # Held during each call, but not while it waits: a socket may be used from several threads (libzmq: may not).
        self._sync = self.mailbox.input_sync = RLock()
        self._commands = self.mailbox.commands
        self._pipes: Array[Pipe] = Array()
        self._endpoints = {}
        self._inprocs = {}
        self.last_endpoint = ""
        # Frames of the current message that recv has not given yet.
        self._rcv_parts: deque[Frame] = _NO_PARTS
        self._fq = None
        self._straight_fq = None
        self._straight_out = None
        self.in_run = None
        self.out_run = None
        self._in_row = self._out_row = 0
        # Messages in a row that were not waited for long; see `_came_soon`.
        self._soon = 0
        self._single_connect = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} socket {self.options.socket_id}>"

    # -- what a type decides ----------------------------------------------------------------------------------------

    def xattach_pipe(self, pipe: Pipe, subscribe_to_all: bool, locally_initiated: bool) -> None:
        """A new pipe."""
        raise NotImplementedError

    def xsetsockopt(self, option: int, value: int | bytes | None) -> bool:
        """Set an option of this type; False if it is not one."""
        return False

    def xgetsockopt(self, option: int) -> int | bytes | None:
        """Read an option of this type; None if it is not one."""
        return None

    def xhas_out(self) -> bool:
        """True if `xsend` would not block."""
        return False

    def xsend(self, msg: Message | Frame, more: bool = False) -> bool:
        """Send a frame, or a tuple as a whole message; False if that would block."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (send on {type(self).__name__.upper()})")

    def xroom(self, limit: int) -> int:
        """How many messages, up to `limit`, fit where there is room for one."""
        return 1

    def xhas_in(self) -> bool:
        """True if `xrecv` would give a message."""
        return False

    def xrecv(self) -> Message | None:
        """The next whole message, or None if that would block."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (recv on {type(self).__name__.upper()})")

    def xread_activated(self, pipe: Pipe) -> None:
        """The pipe has something to read again."""
        raise AssertionError(f"{self!r} does not read")

    def xwrite_activated(self, pipe: Pipe) -> None:
        """The pipe has room again."""
        raise AssertionError(f"{self!r} does not write")

    def xhiccuped(self, pipe: Pipe) -> None:
        """The session of the pipe has started anew."""
        raise AssertionError(f"{self!r} does not expect a hiccup")

    def xpipe_terminated(self, pipe: Pipe) -> None:
        """The pipe is gone."""
        raise NotImplementedError

    def xcheck_connect(self, endpoint: str) -> None:
        """Refuse a connect that this type could not complete, before anything is made for it."""

    def xjoin(self, group: str) -> None:
        """Join a group (DISH)."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (join on {type(self).__name__.upper()})")

    def xleave(self, group: str) -> None:
        """Leave a group (DISH)."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (leave on {type(self).__name__.upper()})")

    # -- send and recv ----------------------------------------------------------------------------------------------

    def send(self, msg: Frame, flags: int = 0) -> None:
        """Send one frame (zmq_msg_send).

        Hot path: one truth test for commands, one call to the type.

        Args:
            msg: the frame; bytes, or a Msg with more to it.
            flags: SNDMORE if more frames of the message follow, DONTWAIT not to wait.

        Raises:
            ZMQError: EAGAIN, it could not be sent within SNDTIMEO or at once; ETERM; by type EFSM, ENOTSUP,
                EHOSTUNREACH.
        """
        with self._sync:
            if self.out_run is not None:
                self._settle_runs()
            if self._commands:
                self.process_commands(0)
            try:
                if flags:
                    if self.xsend(msg, bool(index(flags) & _SNDMORE)):
                        return
                elif self.xsend(msg):
                    if self._straight_out is not None:
                        self._sent_straight()
                    return
            except LostPipe:
                self._message_lost(flags)
                return
            self._send_wait(msg, flags)

    def send_multipart(self, frames: tuple[Frame, ...], flags: int = 0) -> None:
        """Send a whole message as one unit; SNDMORE leaves it open, so it goes frame by frame. Raises as `send`."""
        with self._sync:
            if len(frames) == 1:
                self.send(frames[0], flags)
            elif (flags and index(flags) & _SNDMORE) or not self._accepts_units():
                for frame in frames[:-1]:
                    self.send(frame, flags | _SNDMORE)
                self.send(frames[-1], flags)
            else:
                if self.out_run is not None:
                    self._settle_runs()
                if self._commands:
                    self.process_commands(0)
                if not self.xsend(frames):
                    self._send_wait(frames, flags)

    def _accepts_units(self) -> bool:
        """True if `xsend` may be given a tuple now, that is: not in the middle of a message."""
        return True

    def _message_lost(self, flags: int) -> None:
        """The pipe died in the middle of the message. libzmq: a blocking send drops the rest without a word."""
        if index(flags) & _DONTWAIT or self.options.sndtimeo == 0:
            raise zmq_error(Errno.EAGAIN)

    def _send_wait(self, msg: Any, flags: int) -> None:
        timeout = self.options.sndtimeo
        if index(flags) & _DONTWAIT or timeout == 0:
            raise zmq_error(Errno.EAGAIN)
        more = bool(index(flags) & _SNDMORE)
        deadline = time.monotonic() + timeout / 1000
        while True:
            self.process_commands(timeout)
            try:
                if self.xsend(msg, more):
                    return
            except LostPipe:
                self._message_lost(flags)
                return
            if timeout > 0:
                timeout = _remaining_ms(deadline)

    def recv(self, flags: int = 0) -> Frame:
        """The next frame (zmq_msg_recv); `rcvmore` then tells whether more of its message follow.

        Hot path: a message of one frame costs two truth tests and one call to the type.

        Raises:
            ZMQError: EAGAIN, nothing came within RCVTIMEO or at once (DONTWAIT); ETERM; EFSM, ENOTSUP by type.
        """
        with self._sync:
            if self.in_run is not None:
                self._settle_runs()
            if self._commands:
                self.process_commands(0)
            if self._rcv_parts:
                return self._rcv_parts.popleft()
            msg = self.xrecv()
            if msg is None:
                msg = self._recv_wait(flags)
            if type(msg) is tuple:
                if self._rcv_parts is _NO_PARTS:
                    self._rcv_parts = deque()
                self._rcv_parts.extend(msg)
                return self._rcv_parts.popleft()
            if self._straight_fq is not None:
                self._received_straight(self._straight_fq)
            return msg  # type: ignore[return-value]

    def recv_multipart(self, flags: int = 0) -> list[Frame]:
        """The next whole message, or the rest of the current one. Raises as `recv`."""
        with self._sync:
            if self.in_run is not None:
                self._settle_runs()
            if self._commands:
                self.process_commands(0)
            if self._rcv_parts:
                rest = list(self._rcv_parts)
                self._rcv_parts.clear()
                return rest
            msg = self.xrecv()
            if msg is None:
                msg = self._recv_wait(flags)
            return list(msg) if type(msg) is tuple else [msg]  # type: ignore[list-item]

    # -- many messages in one call (ours) ---------------------------------------------------------------------------

    def send_many(self, msgs: Sequence[Message], flags: int = 0) -> int:
        """Send whole messages; how many of them went, fewer than all if there was no room for the rest in time.

        Raises:
            ZMQError: as `send`; EAGAIN only if nothing was sent.
        """
        with self._sync:
            self._settle_runs()
            sent = 0
            while sent < len(msgs):
                if self._commands:
                    self.process_commands(0)
                batch = self._send_batch(msgs, sent)
                sent += batch
                if not batch:
                    try:
                        self.send_multipart(frames_of(msgs[sent]), flags)
                    except Again:
                        if not sent:
                            raise
                        break
                    sent += 1
            return sent

    def room(self, limit: int) -> int:
        """How many messages, up to `limit`, can be sent now without waiting."""
        with self._sync:
            return self.xroom(limit) if self._look(_POLLOUT) else 0

    def _send_batch(self, msgs: Sequence[Message], start: int) -> int:
        """As many of `msgs`, from `start` on, as may be put into the pipes at once. Hot path: a few calls for all."""
        if self._straight_out is None:
            return 0
        pipes = [pipe for pipe in self._straight_out() if pipe.check_write()]
        room = min((pipe.room for pipe in pipes), default=0)
        batch = list(msgs[start : start + room])
        for pipe in pipes:
            pipe.send_batch(batch)
        return len(batch)

    def recv_many(self, limit: int, flags: int = 0) -> list[Message]:
        """Wait for a message as `recv` does, and take what else is there, up to `limit` messages in all.

        Raises:
            ZMQError: as `recv`.
        """
        with self._sync:
            first = self.recv_multipart(flags)
            msgs: list[Message] = [message_of(tuple(first))]
            while len(msgs) < limit:
                straight = self._straight_fq if self._in_filter is None else None
                pipe = straight.only_pipe if straight is not None else None
                batch = [] if pipe is None else pipe.take_batch(limit - len(msgs))
                if not batch:
                    msg = self._recv_another()
                    if msg is None:
                        break
                    batch = [msg]
                msgs += batch
            return msgs

    def _recv_another(self) -> Message | None:
        try:
            return self.xrecv()
        except ZMQError:
            return None  # not this type's turn to receive: the next call says so

    def _recv_wait(self, flags: int) -> Message:
        timeout = self.options.rcvtimeo
        if index(flags) & _DONTWAIT or timeout == 0:
            if self.mailbox.inputs:
                self.mailbox.give_back_inputs()
            raise zmq_error(Errno.EAGAIN)
        start = time.monotonic()
        deadline = start + timeout / 1000
        while True:
            self.process_commands(timeout)
            msg = self.xrecv()
            if msg is not None:
                pipe = self._fq.last_in if self._fq is not None else None
                if pipe is not None and pipe.direct_input is not None:
                    self._came_soon(pipe, start)
                elif self._served:
                    self._still_soon(start)
                return msg
            if timeout > 0:
                timeout = _remaining_ms(deadline)

    def _came_soon(self, pipe: Pipe, start: float) -> None:
        """A message was waited for since `start`: when that goes on like this, this thread had better read it itself.

        Large messages of a stream (the engine says so) only while it does little but wait: nobody reads while it does
        something else.
        """
        now = time.monotonic()
        waited = now - start
        busy = 0.0
        if not self._converses:
            busy = start - self._served
            self._served = now
        if waited > _SOON or busy * 2 > waited:
            self._soon = 0
            return
        self._soon += 1
        if self._soon < _SOON_ENOUGH or len(self.mailbox.inputs) >= _MAX_INPUTS or pipe.direct_input is None:
            return
        self._soon = 0
        self.mailbox.defer_handlers()
        pipe.direct_input(self.mailbox)

    def _still_soon(self, start: float) -> None:
        """This thread reads a stream by itself: when it is busy, the I/O thread had better."""
        now = time.monotonic()
        busy = start - self._served
        self._served = now
        self._soon = self._soon + 1 if busy > now - start else 0
        if self._soon >= _SOON_ENOUGH:
            self._soon = 0
            self.mailbox.give_back_inputs()

    @property
    def rcvmore(self) -> bool:
        """True if frames of the message that recv is giving are left."""
        return bool(self._rcv_parts)

    def last_metadata(self) -> Mapping[str, str] | None:
        """Properties of the connection that gave the last message; None over inproc and from ZMTP 1 and 2 peers."""
        pipe = self._last_in_pipe()
        return None if pipe is None else pipe.metadata

    def last_remote_address(self) -> str:
        """The host that gave the last message, as its endpoint says; empty over inproc and ipc."""
        pipe = self._last_in_pipe()
        pair = None if pipe is None else pipe.endpoint_pair
        protocol, _, address = (pair.remote if pair is not None else "").partition("://")
        return "" if protocol == "ipc" else address.rpartition(":")[0].strip("[]")

    def last_fd(self) -> int:
        """Descriptor of the connection that gave the last message, -1 if it has none."""
        metadata = self.last_metadata()
        return int(metadata.get("__fd", -1)) if metadata is not None else -1

    def _last_in_pipe(self) -> Pipe | None:
        if self.in_run is not None:
            self._settle_runs()
        return None if self._fq is None else self._fq.last_in

    def has_in(self) -> bool:
        """True if recv would not block."""
        return bool(self._rcv_parts) or self.xhas_in()

    def has_out(self) -> bool:
        """True if send would not block."""
        return self.xhas_out()

    def events(self, wanted: int = _POLLIN | _POLLOUT) -> int:
        """Those of POLLIN and POLLOUT that are wanted, as they stand, commands processed first (ZMQ_EVENTS)."""
        with self._sync:
            if self.mailbox.inputs:
                self.mailbox.give_back_inputs()
            return self._look(wanted)

    def _look(self, wanted: int) -> int:
        self._in_row = self._out_row = 0  # who asks each time makes no runs
        if self._commands or self.mailbox.keep_armed:
            self.process_commands(0)
        elif self.in_run is not None or self.out_run is not None:
            self._settle_runs()
        events = _POLLOUT if wanted & _POLLOUT and self.xhas_out() else 0
        return events | _POLLIN if wanted & _POLLIN and (self._rcv_parts or self.xhas_in()) else events

    def poll(self, wanted: int, timeout: int) -> int:
        """Wait up to `timeout` milliseconds (0: only look, -1: for ever) for one of the events that are wanted.

        Hot path: zmq_poll of one socket is a wait on its mailbox as recv does it, so a conversation (`_came_soon`) may
        go on.

        Raises:
            ZMQError: ETERM; ENOTSOCK, another thread has closed the socket.
        """
        with self._sync:
            events = self._look(wanted)
            if events:
                return events
            if timeout == 0:
                if self.mailbox.inputs:
                    self.mailbox.give_back_inputs()
                return 0
            start = time.monotonic()
            deadline = start + timeout / 1000
            while True:
                self.process_commands(timeout)
                events = self._look(wanted)
                if events:
                    pipe = self._fq.only_pipe if self._fq is not None and events & _POLLIN else None
                    if pipe is not None and pipe.direct_input is not None:
                        self._came_soon(pipe, start)
                    elif self._served:
                        self._still_soon(start)
                    return events
                if timeout > 0:
                    timeout = int((deadline - time.monotonic()) * 1000 + 0.999)
                    if timeout <= 0:
                        return 0

    # -- options ----------------------------------------------------------------------------------------------------

    def setsockopt(self, option: int, value: int | bytes | None) -> None:
        """Set an option (zmq_setsockopt).

        Raises:
            ZMQError: EINVAL for an unknown option or a value it does not take; ETERM.
        """
        with self._sync:
            if self._commands or self.in_run is not None or self.out_run is not None:
                self._check_terminated()
            options = self._own_options() if self._options_shared else self.options
            if self.xsetsockopt(option, value):
                return
            options.setsockopt(option, value)
            if option in _HWMS:
                self._update_pipe_hwms()

    def _update_pipe_hwms(self) -> None:
        sndhwm, rcvhwm = self.options.sndhwm, self.options.rcvhwm
        for pipe in list(self._pipes.items):
            pipe.set_hwms(rcvhwm, sndhwm)
            pipe.send_hwms_to_peer(sndhwm, rcvhwm)

    def getsockopt(self, option: int) -> int | bytes:
        """Read an option (zmq_getsockopt). Strings come as bytes without a NUL.

        Raises:
            ZMQError: EINVAL for an unknown or write-only option; ETERM.
        """
        with self._sync:
            self._check_terminated()
            value = self.xgetsockopt(option)
            if value is not None:
                return value
            if option == SocketOption.EVENTS:
                return self.events()
            if option == SocketOption.RCVMORE:
                return int(self.rcvmore)
            if option == SocketOption.FD:
                self.arm_fd()
                return self.mailbox.fd
            if option == SocketOption.LAST_ENDPOINT:
                return self.last_endpoint.encode()
            if option == SocketOption.THREAD_SAFE:
                return int(self.thread_safe)
            return self.options.getsockopt(option)

    def join(self, group: str) -> None:
        """Join a group (zmq_join)."""
        with self._sync:
            self.xjoin(group)

    def leave(self, group: str) -> None:
        """Leave a group (zmq_leave)."""
        with self._sync:
            self.xleave(group)

    def get_peer_state(self, routing_id: bytes) -> int:
        """What can be done with one peer, which only a ROUTER tells (zmq_socket_get_peer_state)."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (peer state on {type(self).__name__.upper()})")

    def connect_peer(self, endpoint: str) -> int:
        """Connect and return the peer's routing id (PEER; zmq_connect_peer)."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (connect_peer on {type(self).__name__.upper()})")

    def disconnect_peer(self, routing_id: int) -> None:
        """Drop one peer (SERVER, PEER; zmq_disconnect_peer)."""
        raise zmq_error(Errno.ENOTSUP, f"Operation not supported (disconnect_peer on {type(self).__name__.upper()})")

    # -- pipes ------------------------------------------------------------------------------------------------------

    def attach_pipe(self, pipe: Pipe, subscribe_to_all: bool = False, locally_initiated: bool = False) -> None:
        """Use a new pipe."""
        pipe.set_event_sink(self)
        self._pipes.push_back(pipe)
        self.xattach_pipe(pipe, subscribe_to_all, locally_initiated)
        if self.is_terminating:
            self.register_term_acks(1)
            pipe.terminate(False)

    def read_activated(self, pipe: Pipe) -> None:
        """From the pipe: there is something to read."""
        self.xread_activated(pipe)

    def write_activated(self, pipe: Pipe) -> None:
        """From the pipe: there is room."""
        self.xwrite_activated(pipe)

    def hiccuped(self, pipe: Pipe) -> None:
        """From the pipe: its session has started anew."""
        if self.options.immediate:
            pipe.terminate(False)
        else:
            self.xhiccuped(pipe)

    def pipe_terminated(self, pipe: Pipe) -> None:
        """From the pipe: it is gone."""
        self.xpipe_terminated(pipe)
        for endpoint, pipes in list(self._inprocs.items()):
            if pipe in pipes:
                pipes.remove(pipe)
                if not pipes:
                    del self._inprocs[endpoint]
        self._pipes.erase(pipe)
        self._forget_endpoint_pipe(pipe)
        if self.is_terminating:
            self.unregister_term_ack()

    def _forget_endpoint_pipe(self, pipe: Pipe) -> None:
        entries = self._endpoints.get(pipe.endpoint_pair.identifier) if pipe.endpoint_pair is not None else None
        if entries is not None:
            entries[:] = [(child, None if entry_pipe is pipe else entry_pipe) for child, entry_pipe in entries]


def flag_value(option: int, value: int | bytes | None) -> bool:
    """The truth of a flag option's value: any int from 0 up.

    Raises:
        ZMQError: EINVAL, it is something else.
    """
    if not isinstance(value, int) or value < 0:
        raise refused_option(option, value, "an int of at least 0")
    return value != 0


def _remaining_ms(deadline: float) -> int:
    """Whole milliseconds until `deadline`, rounded up.

    Raises:
        Again: it has passed.
    """
    remaining = int((deadline - time.monotonic()) * 1000 + 0.999)
    if remaining <= 0:
        raise zmq_error(Errno.EAGAIN)
    return remaining
