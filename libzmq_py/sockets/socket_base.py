# SPDX-License-Identifier: MPL-2.0
"""What all sockets share: endpoints, pipes, the send and recv loops, commands, and the end.

Mirrors: src/socket_base.cpp, src/socket_base.hpp.
Departs:
- `xrecv` gives whole messages, as pipes carry them; `recv` deals them out frame by frame, `recv_multipart` at once.
- `xsend` takes a frame, or a tuple of frames as a whole message.
- Commands are looked for before every send and recv (a truth test of the mailbox), not every 100th time or millisecond,
  so a credit that has arrived is never overlooked.
- Failures are exceptions (`ZMQError`), not return codes.

Threads: the caller's, one at a time, until `close`; then the reaper's. `tid` stays the same. Nothing else may touch a
socket, but for `inc_seqnum`, `stop` and the monitor's events.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import index
from threading import Condition, Lock, RLock, get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from libzmq_py import transports
from libzmq_py.constants import Errno, SocketOption
from libzmq_py.core.array import Array
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import ACTIVATE_READ
from libzmq_py.core.own import Own
from libzmq_py.core.pipe import Pipe, pipepair
from libzmq_py.core.run import InRun, OutRun, grant_in
from libzmq_py.core.signaler import bell_lost
from libzmq_py.endpoint import (
    EndpointUriPair,
    make_unconnected_bind_endpoint_pair,
    make_unconnected_connect_endpoint_pair,
)
from libzmq_py.errors import Again, ZMQError, zmq_error
from libzmq_py.logger import Logger
from libzmq_py.msg import Frame, Message, frames_of, message_of
from libzmq_py.options import Options, get_effective_conflate_option, refused_option
from libzmq_py.session_base import SessionBase
from libzmq_py.sockets.fq import FQ
from libzmq_py.sockets.lb import LostPipe
from libzmq_py.sockets.monitor import Monitor
from libzmq_py.transports.inproc import InprocEndpoint, PendingConnection, send_hello_msg, send_routing_id

if TYPE_CHECKING:
    from libzmq_py.engines.i_engine import HandshakeFailure
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.io_threads.poller import Handle, Poller
    from libzmq_py.transports.address import Address

_LOG: Final = Logger("libzmq_py.socket")
_MAX_FAILURES: Final = 32
# Flags are made plain numbers (`index`) before they are looked at: the arithmetic of an enum's members is slow.
_DONTWAIT: Final = 1
_SNDMORE: Final = 2
_POLLIN: Final = 1
_POLLOUT: Final = 2
# Seconds of a wait that count as short, and how many of those in a row make a conversation; how many connections a
# socket's thread may read itself.
_SOON: Final = 0.005
_SOON_ENOUGH: Final = 4
_MAX_INPUTS: Final = 15
# So many plain calls in a row, and the next ones are granted as a run.
_ROW: Final = 4
# Where a run is not to be had, so many plain calls go by before the next attempt to send in one.
_PAUSE: Final = 16
# Nobody used the run (a proxy, say, which does not go through the face): so many more calls first.
_NOT_SO_SOON: Final = -1000
# Stands in for the mailbox's deque once the context ends or the socket is closed: always true, so every call takes the
# path that checks.
_ALWAYS: Final = deque([None])


# What sockets have that nobody watches: wants no event, and is never started.
_NO_MONITOR: Final = Monitor()
_FAILURES_LOCK: Final = Lock()


class SocketBase(Own):
    """Base of the socket types. Subclasses give the `x*` methods their meaning."""

    # Set by the pattern modules that need more than the plain session (libzmq: session_base_t::create).
    session_class: ClassVar[type[SessionBase]] = SessionBase

    # Defaults on the class: what most sockets never change until they are closed, and what no message asks for. An
    # object of up to 30 attributes of its own needs no dict.
    _condition: Condition | None = None
    # The thread that waits on the mailbox (0: none does); those that wait to be told, or poll its descriptor.
    _watcher = 0
    _others: frozenset[int] = frozenset()
    # Says of messages that wait whether all of them pass, where not all do; who is told what went out in runs.
    _in_filter: Callable[[list[Message]], bool] | None = None
    _settle_out: Callable[[int], None] | None = None
    _ctx_terminated = False
    _closed = False
    _destroyed = False
    _monitor = _NO_MONITOR
    # The newest, for people.
    handshake_failures: tuple[HandshakeFailure, ...] = ()
    _reaper_poller: Poller | None = None
    _reaper_handle: Handle | None = None
    thread_safe = False
    # zmq_disconnect was called while RECONNECT_STOP had AFTER_DISCONNECT; read by connecters.
    is_disconnected = False

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
        # Hot path: what send and recv test before anything else.
        self._commands: deque[Any] = self.mailbox.commands
        self._pipes: Array[Pipe] = Array()
        # Endpoint text -> what was made for it, with the pipe if it was made by connect.
        self._endpoints: dict[str, list[tuple[Own, Pipe | None]]] = {}
        self._inprocs: dict[str, list[Pipe]] = {}
        self.last_endpoint = ""
        # Frames of the current message that recv has not given yet.
        self._rcv_parts: deque[Frame] = deque()
        self._fq: FQ | None = None
        # Where receiving is this and nothing else, and a way to ask which pipes every next message goes to: there the
        # socket may be passed by, in runs. See `core/run.py`.
        self._straight_fq: FQ | None = None
        self._straight_out: Callable[[], Collection[Pipe]] | None = None
        self.in_run: InRun | None = None
        self.out_run: OutRun | None = None
        # Calls in a row that a run could have spared.
        self._in_row = self._out_row = 0
        # Messages in a row that were not waited for long; see `_came_soon`.
        self._soon = 0
        # Hot path: a wake-up passes no frame that only passes it on.
        self.read_activated = self.xread_activated  # type: ignore[method-assign]
        # connect() to an endpoint already connected does nothing (DEALER, SUB, PUB, REQ).
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

    # -- commands ---------------------------------------------------------------------------------------------------

    def process_commands(self, timeout: int) -> None:
        """Process what is in the mailbox, waiting up to `timeout` ms (-1: for ever) for something to process.

        The wait may end early. Meanwhile other threads may use the socket; one at a time waits on the mailbox, and
        tells the others. While it waits it may run a signal handler, which may do anything with the socket: wait for
        something else, close it.

        Hot path: nothing lies between a wait and the command that ended it.

        Raises:
            ContextTerminated: the context has ended.
            ZMQError: ENOTSOCK, another thread, or a signal handler, has closed the socket.
        """
        if self._closed:
            self._refuse_closed()
        if self.in_run is not None or self.out_run is not None:
            self._settle_runs()
        mailbox = self.mailbox
        commands = mailbox.commands
        if timeout and not commands:
            watcher: int = self._watcher
            me = get_ident()
            if watcher not in (0, me):
                self._wait_to_be_told(timeout)
            else:
                self._watcher = me
                # As Condition.wait does it: the lock may be held several times over.
                held = self._sync._release_save()  # type: ignore[attr-defined]
                try:
                    mailbox.wait(timeout)
                except OSError as error:
                    if not self._closed:
                        raise bell_lost(error) from error
                finally:
                    self._sync._acquire_restore(held)  # type: ignore[attr-defined]
                    self._watcher = watcher
                    if watcher or self._others or self._closed:
                        self._tell_others()
                if self._closed:
                    self._refuse_closed()
        elif commands and (self._watcher or self._others):
            self._tell_others()
        while commands or (mailbox.keep_armed and not mailbox.rearm()):
            while commands:
                command = commands.popleft()
                if command[1] is ACTIVATE_READ:  # Hot path: the frequent one
                    command[0].process_activate_read()
                else:
                    command[0].process_command(command)
        if self._ctx_terminated:
            raise zmq_error(Errno.ETERM)

    def _wait_to_be_told(self, timeout: int) -> None:
        me = get_ident()
        self._others |= {me}
        try:
            self._changed.wait(None if timeout < 0 else timeout / 1000)
        finally:
            self._others -= {me}
            if self._others or self._closed:
                self._changed.notify_all()
        if self._closed:
            self._refuse_closed()

    def _refuse_closed(self) -> NoReturn:
        raise zmq_error(Errno.ENOTSOCK, "Socket operation on non-socket (closed meanwhile)")

    @property
    def _changed(self) -> Condition:
        """What threads wait for while another one waits on the mailbox; under `_sync`, made when it is needed."""
        if self._condition is None:
            self._condition = Condition(self._sync)
        return self._condition

    def _tell_others(self) -> None:
        """What other threads wait for may have come: they look themselves."""
        self._changed.notify_all()
        self.mailbox.ring()

    def begin_poll(self) -> None:
        """This thread is about to wait on the mailbox's descriptor, with others; until `end_poll` it is told of things.

        Raises:
            ZMQError: ENOTSOCK, another thread has closed the socket.
        """
        with self._sync:
            if self._closed:
                self._refuse_closed()
            self._others |= {get_ident()}

    def end_poll(self, rang: bool) -> None:
        """The wait is over, or did not begin; `rang`: the descriptor was readable."""
        me, mailbox = get_ident(), self.mailbox
        with self._sync:
            if me not in self._others:
                return
            self._others -= {me}
            if self._closed:
                self._changed.notify_all()
            elif mailbox.keep_armed:
                mailbox.recv_nothing()
            elif not self._others:  # else they still have to see the bell, and the token is theirs too
                if rang:
                    mailbox.silence()
                if not self._watcher:
                    mailbox.disarm()

    def stop(self) -> None:
        """The context ends. Any thread."""
        self.send_stop()

    def process_stop(self) -> None:
        """Every call fails with ETERM from now on, messages left or not; close() alone works."""
        self._monitor.stop()
        self._ctx_terminated = True
        self._commands = _ALWAYS

    def process_bind(self, pipe: Pipe) -> None:
        """A session or an inproc peer brings a pipe."""
        self.attach_pipe(pipe)

    def process_term_endpoint(self, endpoint: str) -> None:
        """A session asks to be disconnected. The user may have done that already."""
        try:
            self._term_endpoint(endpoint)
        except ZMQError as error:
            _LOG.debug("= %r cannot give up %s: %s", self, endpoint, error)

    def process_inproc_connected(self) -> None:
        """A parked connect found its peer; only the sequence number matters."""

    def process_pipe_stats_publish(self, outbound: int, inbound: int, endpoint_pair: EndpointUriPair) -> None:
        """Both counts of a pipe are known."""
        self._monitor.event(endpoint_pair, 0x10000, outbound, inbound)

    # -- runs -------------------------------------------------------------------------------------------------------

    def _settle_runs(self) -> None:
        """End what runs there are, before anything else is done with the pipes."""
        if self.in_run is not None:
            count = self.in_run.settle()
            if self._fq is not None:
                self._fq.ran(count)
            if not count:
                self._in_row = _NOT_SO_SOON
            self.in_run = None
        if self.out_run is not None:
            count = self.out_run.settle()
            if self._settle_out is not None:
                self._settle_out(count)
            if not count:
                self._out_row = _NOT_SO_SOON
            self.out_run = None

    def _received_straight(self, fq: FQ) -> None:
        self._in_row += 1
        if self._in_row >= _ROW:
            self.in_run = grant_in(fq.turn(), self._in_filter)
            if self.in_run is None:
                self._in_row = 0

    def _sent_straight(self) -> None:
        self._out_row += 1
        if self._out_row >= _ROW:
            self.out_run = self._grant_out()
            if self.out_run is None:
                self._out_row = -_PAUSE

    def _grant_out(self) -> OutRun | None:
        """Room for the next messages, where it is known which pipes they go to."""
        return None

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
            raise Again

    def _send_wait(self, msg: Any, flags: int) -> None:
        timeout = self.options.sndtimeo
        if index(flags) & _DONTWAIT or timeout == 0:
            raise Again
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
            raise Again
        start = time.monotonic()
        deadline = start + timeout / 1000
        while True:
            self.process_commands(timeout)
            msg = self.xrecv()
            if msg is not None:
                pipe = self._fq.last_in if self._fq is not None else None
                if pipe is not None and pipe.direct_input is not None:
                    self._came_soon(pipe, time.monotonic() - start)
                return msg
            if timeout > 0:
                timeout = _remaining_ms(deadline)

    def _came_soon(self, pipe: Pipe, waited: float) -> None:
        """A lone message was waited for: when that goes on like this, this thread had better read it itself."""
        if waited > _SOON:
            self._soon = 0
            return
        self._soon += 1
        if self._soon >= _SOON_ENOUGH and len(self.mailbox.inputs) < _MAX_INPUTS and pipe.direct_input is not None:
            self._soon = 0
            pipe.direct_input(self.mailbox)


    @property
    def rcvmore(self) -> bool:
        """True if frames of the message that recv is giving are left."""
        return bool(self._rcv_parts)

    def last_metadata(self) -> Mapping[str, str] | None:
        """Properties of the connection that gave the last message; None over inproc and from ZMTP 1 and 2 peers."""
        pipe = self._last_in_pipe()
        return None if pipe is None else pipe.metadata

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
                        self._came_soon(pipe, time.monotonic() - start)
                    return events
                if timeout > 0:
                    timeout = int((deadline - time.monotonic()) * 1000 + 0.999)
                    if timeout <= 0:
                        return 0

    def arm_fd(self) -> None:
        """From now on the mailbox's descriptor is watched from outside: ring it for every command."""
        with self._sync:
            self.mailbox.keep_armed = True
            self.mailbox.recv_nothing()

    # -- options ----------------------------------------------------------------------------------------------------

    def setsockopt(self, option: int, value: int | bytes | None) -> None:
        """Set an option (zmq_setsockopt).

        Raises:
            ZMQError: EINVAL for an unknown option or a value it does not take; ETERM.
        """
        with self._sync:
            self._check_terminated()
            if self.xsetsockopt(option, value):
                return
            self.options.setsockopt(option, value)
            if option in (SocketOption.SNDHWM, SocketOption.RCVHWM):
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

    def _check_terminated(self) -> None:
        if self._closed:
            self._refuse_closed()
        self._settle_runs()
        if self._ctx_terminated:
            raise zmq_error(Errno.ETERM)

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

    # -- bind and connect -------------------------------------------------------------------------------------------

    def bind(self, endpoint: str) -> None:
        """Accept connections on an endpoint (zmq_bind).

        Raises:
            ZMQError: EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, EMTHREAD, ETERM, or what the system says.
        """
        with self._sync:
            transport, address = self._open_call(endpoint)
            if transport is None:
                self.ctx.register_endpoint(endpoint, InprocEndpoint(self, self.options.copy()))
                self.ctx.connect_pending(endpoint, self)
                self.last_endpoint = endpoint
                return
            listener = transport.create_listener(self._need_io_thread(endpoint), self, self.options.copy())
            try:
                listener.set_local_address(address)
            except ZMQError as error:
                self.event_bind_failed(make_unconnected_bind_endpoint_pair(address), error.errno or 0)
                raise
            self.last_endpoint = listener.endpoint
            self._add_endpoint(make_unconnected_bind_endpoint_pair(self.last_endpoint), listener, None)

    def connect(self, endpoint: str) -> None:
        """Start connecting to an endpoint; asynchronous but for inproc (zmq_connect).

        Raises:
            ZMQError: EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, EMTHREAD, ETERM.
        """
        with self._sync:
            transport, address = self._open_call(endpoint)
            self.xcheck_connect(endpoint)
            if transport is None:
                self._connect_inproc(endpoint)
                return
            if self._single_connect and endpoint in self._endpoints:
                return
            io_thread = self._need_io_thread(endpoint)
            options = self.options.copy()
            addr = transport.resolve_connect(address, options)
            session = self._create_session(io_thread, True, options, addr)
            pipe: Pipe | None = None
            if not options.immediate or transport.subscribe_to_all:
                pipe = self._connect_pipe(session, options, transport.subscribe_to_all)
            self.last_endpoint = addr.to_string()
            self._add_endpoint(make_unconnected_connect_endpoint_pair(endpoint), session, pipe)

    def _open_call(self, endpoint: str) -> tuple[transports.Transport | None, str]:
        """The checks that bind, connect and term_endpoint share: transport (None: inproc) and address."""
        self._check_terminated()
        self.process_commands(0)
        return self._parse_endpoint(endpoint)

    def _parse_endpoint(self, endpoint: str) -> tuple[transports.Transport | None, str]:
        protocol, separator, address = endpoint.partition("://")
        if not separator or not protocol or not address:
            raise zmq_error(errno.EINVAL, f"Invalid argument (endpoint {endpoint!r})")
        if protocol == "inproc":
            return None, address
        transport = transports.find_transport(protocol)
        if transport is None:
            raise zmq_error(Errno.EPROTONOSUPPORT, f"Protocol not supported (endpoint {endpoint!r})")
        if not transport.fits(self.options.type):
            raise zmq_error(
                Errno.ENOCOMPATPROTO,
                f"The protocol is not compatible with the socket type ({type(self).__name__.upper()}, {endpoint!r})",
            )
        return transport, address

    def _need_io_thread(self, endpoint: str) -> IOThread:
        io_thread: IOThread | None = self.choose_io_thread(self.options.affinity)
        if io_thread is None:
            raise zmq_error(Errno.EMTHREAD, f"No thread available (I/O thread for {endpoint!r})")
        return io_thread

    def _create_session(
        self, io_thread: IOThread, active: bool, options: Options, addr: Address | None
    ) -> SessionBase:
        return self.session_class(io_thread, active, self, options, addr)

    def create_session(self, io_thread: IOThread, options: Options) -> SessionBase:
        """The session of an accepted connection (called by a listener, in its thread)."""
        return self._create_session(io_thread, False, options, None)

    def _connect_pipe(self, session: SessionBase, options: Options, subscribe_to_all: bool) -> Pipe:
        conflate = get_effective_conflate_option(options)
        hwms = (-1, -1) if conflate else (options.sndhwm, options.rcvhwm)
        mine, theirs = pipepair((self, session), hwms, (conflate, conflate))
        self.attach_pipe(mine, subscribe_to_all, locally_initiated=True)
        session.attach_pipe(theirs)
        return mine

    def _add_endpoint(self, pair: EndpointUriPair, endpoint: Own, pipe: Pipe | None) -> None:
        self.launch_child(endpoint)
        self._endpoints.setdefault(pair.identifier, []).append((endpoint, pipe))
        if pipe is not None:
            pipe.endpoint_pair = pair

    def _connect_inproc(self, endpoint: str) -> None:
        # libzmq limits the pipe by the sum of what the two sockets allow, as there is no network in between.
        peer: InprocEndpoint | None = self.ctx.find_endpoint(endpoint)
        options = self.options.copy()
        conflate = get_effective_conflate_option(options)
        sndhwm = rcvhwm = -1
        if not conflate:
            sndhwm, rcvhwm = options.sndhwm, options.rcvhwm
            if peer is not None:
                sndhwm = sndhwm + peer.options.rcvhwm if sndhwm and peer.options.rcvhwm else 0
                rcvhwm = rcvhwm + peer.options.sndhwm if rcvhwm and peer.options.sndhwm else 0
        peer_parent: Any = self if peer is None else peer.socket
        mine, theirs = pipepair((self, peer_parent), (sndhwm, rcvhwm), (conflate, conflate))
        if peer is None:
            self._pend_inproc(endpoint, options, mine, theirs)
        else:
            self._join_inproc(peer, options, mine, theirs, conflate)
        self.attach_pipe(mine, locally_initiated=True)
        self.last_endpoint = endpoint
        self._inprocs.setdefault(endpoint, []).append(mine)

    def _pend_inproc(self, endpoint: str, options: Options, mine: Pipe, theirs: Pipe) -> None:
        """The name is not bound yet: park the other end."""
        # Always: whether the binder wants it is not known yet.
        send_routing_id(mine, options)
        if options.can_send_hello_msg and options.hello_msg:
            send_hello_msg(mine, options)
        self.ctx.pend_connection(endpoint, PendingConnection(InprocEndpoint(self, options), mine, theirs))

    def _join_inproc(self, peer: InprocEndpoint, options: Options, mine: Pipe, theirs: Pipe, conflate: bool) -> None:
        if not conflate:
            mine.set_hwms(options.rcvhwm, options.sndhwm)
            mine.set_hwms_boost(peer.options.sndhwm, peer.options.rcvhwm)
            theirs.set_hwms(peer.options.rcvhwm, peer.options.sndhwm)
            theirs.set_hwms_boost(options.sndhwm, options.rcvhwm)
        if options.recv_routing_id:
            send_routing_id(theirs, peer.options)
        if peer.options.recv_routing_id:
            send_routing_id(mine, options)
        if options.can_send_hello_msg and options.hello_msg:
            send_hello_msg(mine, options)
        if peer.options.can_send_hello_msg and peer.options.hello_msg:
            send_hello_msg(theirs, peer.options)
        if peer.options.can_recv_disconnect_msg and peer.options.disconnect_msg:
            mine.disconnect_msg = peer.options.disconnect_msg
        # find_endpoint has counted this command already.
        self.send_bind(peer.socket, theirs, inc_seqnum=False)

    def term_endpoint(self, endpoint: str) -> None:
        """Remove everything registered under an endpoint (zmq_unbind, zmq_disconnect).

        Raises:
            ZMQError: ENOENT, nothing is; EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, ETERM.
        """
        with self._sync:
            self._check_terminated()
            self._term_endpoint(endpoint)

    def _term_endpoint(self, endpoint: str) -> None:
        transport, address = self._open_call(endpoint)
        if transport is None:
            if not self.ctx.unregister_endpoint(endpoint, self):
                self._disconnect_inproc(endpoint)
            return
        key = endpoint if endpoint in self._endpoints else transport.canonical(address, self.options) or endpoint
        entries = self._endpoints.pop(key, None)
        if entries is None:
            raise zmq_error(errno.ENOENT, f"No such file or directory (endpoint {endpoint!r} is not in use)")
        for child, pipe in entries:
            if pipe is not None:
                pipe.terminate(False)
            self.term_child(child)
        self.is_disconnected = True

    def _disconnect_inproc(self, endpoint: str) -> None:
        pipes = self._inprocs.pop(endpoint, None)
        if pipes is None:
            raise zmq_error(errno.ENOENT, f"No such file or directory (endpoint {endpoint!r} is not in use)")
        for pipe in pipes:
            pipe.send_disconnect_msg()
            pipe.terminate(True)  # the peer may read what is under way

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

    # -- the end ----------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """True once `close` was called."""
        return self._closed

    def close(self) -> None:
        """Hand the socket to the reaper (zmq_close). Returns at once; the socket must not be used any more."""
        with self._sync:
            self._closed = True
            self._settle_runs()
            me = get_ident()
            while {self._watcher, *self._others} - {0, me}:
                self._tell_others()
                self._changed.wait(0.01)
            # Who still has this socket (a proxy in another thread, say) learns of it at its next call.
            self._commands = _ALWAYS
            if self._watcher == me:
                # In a signal handler. The wait that it interrupts must end when the handler returns, although the
                # reaper reads the mailbox from now on.
                self.mailbox.forsake()
        self.send_reap(self)

    def start_reaping(self, poller: Poller) -> None:
        """The reaper takes over (reaper thread)."""
        self._reaper_poller = poller
        self.mailbox.mend()
        self._reaper_handle = poller.add_fd(self.mailbox.fd, self)
        poller.set_pollin(self._reaper_handle)
        self.mailbox.keep_armed = True
        self.terminate()
        self.in_event()

    def in_event(self) -> None:
        """Commands for a closed socket (reaper thread)."""
        mailbox = self.mailbox
        mailbox.disarm()
        command = mailbox.recv(0)
        while command is not None:
            try:
                command[0].process_command(command)
            except Exception:  # noqa: BLE001
                # A defect of ours must not keep the socket, and with it term(), from ending.
                _LOG.exception("command %s to %r failed", command[1].value, command[0])
            command = None if self._destroyed else mailbox.recv(0)
        self._check_destroy()

    def out_event(self) -> None:
        """Never: the mailbox is only read."""
        raise AssertionError("a socket does not wait to write")

    def timer_event(self, id_: int) -> None:
        """Never: sockets have no timers."""
        raise AssertionError("a socket has no timers")

    def process_term(self, linger: int) -> None:
        """End the pipes first, so that a session sees its pipe end before it is told to end itself."""
        self.ctx.unregister_endpoints(self)
        pipes = list(self._pipes.items)
        self.register_term_acks(len(pipes))
        for pipe in pipes:
            pipe.send_disconnect_msg()
            pipe.terminate(False)
        super().process_term(linger)

    def process_destroy(self) -> None:
        """Everything has acknowledged; the reaper does the rest."""
        self._destroyed = True

    def _check_destroy(self) -> None:
        if not self._destroyed or self._reaper_poller is None or self._reaper_handle is None:
            return
        self._reaper_poller.rm_fd(self._reaper_handle)
        self._reaper_poller = self._reaper_handle = None
        self._monitor.stop()
        self.ctx.destroy_socket(self)
        self.send_reaped()
        self.mailbox.close()
        self._endpoints.clear()
        self._rcv_parts.clear()

    # -- monitor ----------------------------------------------------------------------------------------------------

    def monitor(self, endpoint: str | None, events: int, version: int = 1, type_: int = 0) -> None:
        """Send events to an inproc endpoint; None ends the monitor (zmq_socket_monitor).

        Raises:
            ZMQError: ETERM; EINVAL for event bits above 15 with version 1 and a wrong socket type; EPROTONOSUPPORT.
        """
        with self._sync:
            self._check_terminated()
            if version == 1 and events >> 16:
                raise zmq_error(errno.EINVAL, f"Invalid argument (events {events:#x} need monitor version 2)")
            if endpoint is None:
                self._monitor.stop()
                return
            transport, _ = self._parse_endpoint(endpoint)
            if transport is not None:
                raise zmq_error(Errno.EPROTONOSUPPORT, f"Protocol not supported (monitor endpoint {endpoint!r})")
            if self._monitor is _NO_MONITOR:
                self._monitor = Monitor()
            self._monitor.start(self.ctx, endpoint, events, version, type_)

    def monitor_pipes_stats(self) -> None:
        """Ask for one PIPES_STATS event per pipe (zmq_socket_monitor_pipes_stats).

        Raises:
            ZMQError: EINVAL, no monitor of version 2 wants the event; EAGAIN, there is no pipe.
        """
        with self._sync:
            if self._monitor.version != 2 or not self._monitor.events & 0x10000:
                raise zmq_error(errno.EINVAL, "Invalid argument (no monitor for PIPES_STATS)")
            if not len(self._pipes):
                raise Again
            for pipe in list(self._pipes.items):
                pipe.send_stats_to_peer(self)

    def event_connected(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection was made."""
        self._monitor.event(pair, 0x1, fd)

    def event_connect_delayed(self, pair: EndpointUriPair, err: int) -> None:
        """A connect is under way."""
        self._monitor.event(pair, 0x2, err)

    def event_connect_retried(self, pair: EndpointUriPair, interval: int) -> None:
        """The next attempt comes in `interval` milliseconds."""
        self._monitor.event(pair, 0x4, interval)

    def event_listening(self, pair: EndpointUriPair, fd: int) -> None:
        """A listener is open."""
        self._monitor.event(pair, 0x8, fd)

    def event_bind_failed(self, pair: EndpointUriPair, err: int) -> None:
        """A listener could not be opened."""
        self._monitor.event(pair, 0x10, err)

    def event_accepted(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection was accepted."""
        self._monitor.event(pair, 0x20, fd)

    def event_accept_failed(self, pair: EndpointUriPair, err: int) -> None:
        """A connection could not be accepted, or was refused by a filter."""
        self._monitor.event(pair, 0x40, err)

    def event_closed(self, pair: EndpointUriPair, fd: int) -> None:
        """A listener, or an attempt to connect, was closed."""
        self._monitor.event(pair, 0x80, fd)

    def event_close_failed(self, pair: EndpointUriPair, err: int) -> None:
        """What a listener left on the file system could not be removed."""
        self._monitor.event(pair, 0x100, err)

    def event_disconnected(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection has ended."""
        self._monitor.event(pair, 0x200, fd)

    def event_handshake_failed_no_detail(self, pair: EndpointUriPair, err: int) -> None:
        """A handshake ended with the connection."""
        self._monitor.event(pair, 0x800, err)

    def event_handshake_succeeded(self, pair: EndpointUriPair, err: int) -> None:
        """A handshake is complete."""
        self._monitor.event(pair, 0x1000, err)

    def event_handshake_failed_protocol(self, pair: EndpointUriPair, code: int) -> None:
        """The peer broke the protocol."""
        self._monitor.event(pair, 0x2000, code)

    def event_handshake_failed_auth(self, pair: EndpointUriPair, code: int) -> None:
        """The ZAP handler refused."""
        self._monitor.event(pair, 0x4000, code)

    def handshake_failure(self, failure: HandshakeFailure) -> None:
        """A connection did not come to be. Any thread."""
        with _FAILURES_LOCK:
            self.handshake_failures = (*self.handshake_failures, failure)[-_MAX_FAILURES:]


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
        raise Again
    return remaining
