# SPDX-License-Identifier: MPL-2.0
"""Joins one pipe to one engine, and on the connecting side makes a new engine when the old one is lost.

Mirrors: src/session_base.cpp, src/session_base.hpp.
Departs: pipes carry whole messages, so a lost connection never leaves half of one behind and `incomplete_in` is not
needed; the frames of a message that the peer did not finish stay in the decoder that dies with the engine.  A connecter
lives in its session's thread, not in the one that is least loaded at the time: it works for a moment, and what the two
say to each other then wakes nobody.

The connecting side has its pipe from connect() on (not with IMMEDIATE), so messages queue before there is a connection;
the accepting side gets it when the handshake is over, so a socket never sees an unauthenticated peer (CVE-2020-15166).

    engine lost       connecting side                                accepting side
    ----------------  ---------------------------------------------  --------------
    connection,       reconnect: keep the pipe (SUB, XSUB: hiccup);  terminate
    timeout           IMMEDIATE: give the pipe up
    protocol error    terminate, never again                         terminate
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from libzmq_py import transports
from libzmq_py.constants import SecurityMechanism, SocketType
from libzmq_py.core.command import CommandType
from libzmq_py.core.own import Own
from libzmq_py.core.pipe import Pipe, PipeEvents, pipepair
from libzmq_py.engines.i_engine import Engine, EngineHost, ErrorReason, SocketEvents
from libzmq_py.io_threads.io_object import IOObject
from libzmq_py.msg import ROUTING_ID, Message, Msg, frame_bytes, frames_of
from libzmq_py.options import get_effective_conflate_option

if TYPE_CHECKING:
    from libzmq_py.core.mailbox import Mailbox
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.options import Options
    from libzmq_py.transports.address import Address

_LINGER_TIMER: Final = 0x20
_ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
_LOCK_STEP: Final = frozenset({SocketType.REQ, SocketType.REP})
_SUBSCRIBERS: Final = frozenset({SocketType.SUB, SocketType.XSUB, SocketType.DISH})
_LONE_WRITERS: Final = _LOCK_STEP | {SocketType.SUB, SocketType.XSUB}

_NO_PIPES: Final[frozenset[Pipe]] = frozenset()


class SessionBase(Own, IOObject):
    """Lives in an I/O thread. Subclasses check what a pattern's peers may send."""

    # Defaults on the class, as most sessions change one or two of these.
    _pipe: Pipe | None = None
    # To the ZAP handler, while and after it is asked about the peer.
    _zap_pipe: Pipe | None = None
    # Pipes given up, whose other ends have not agreed yet.
    _terminating_pipes: frozenset[Pipe] = _NO_PIPES
    # The end has begun and waits for the pipes.
    _pending = False
    _engine: Engine | None = None
    _has_linger_timer = False

    def __init__(
        self, io_thread: IOThread, active: bool, socket: Any, options: Options, addr: Address | None
    ) -> None:
        """`active`: the connecting side, to `addr`."""
        Own.__init__(self, io_thread, options)
        self.plug_into(io_thread)
        self._active = active
        self._io_thread = io_thread
        self._socket = socket
        self._addr = addr

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._socket!r} {self._addr or 'accepted'}>"

    # -- what connecters, engines and the socket ask ----------------------------------------------------------------

    @property
    def socket(self) -> Any:
        """The socket the session belongs to."""
        return self._socket

    @property
    def socket_events(self) -> SocketEvents:
        """The socket's monitor."""
        events: SocketEvents = self._socket
        return events

    @property
    def zap_enabled(self) -> bool:
        """True if peers must say who they are, which ZMTP 1 and 2 peers cannot."""
        return self.options.mechanism != SecurityMechanism.NULL or bool(self.options.zap_domain)

    def zap_connect(self) -> bool:
        """Open a pipe to the ZAP handler, if there is none yet; False if there is no handler."""
        if self._zap_pipe is not None:
            return True
        peer = self.ctx.find_endpoint(_ZAP_ENDPOINT)
        if peer is None:
            return False
        mine, theirs = pipepair((self, peer.socket), (0, 0))
        self._zap_pipe = mine
        mine.set_nodelay()
        mine.set_event_sink(self)
        if peer.options.recv_routing_id:
            mine.write(Msg(b"", ROUTING_ID))
        # find_endpoint has counted this command already.
        self.send_bind(peer.socket, theirs, inc_seqnum=False)
        return True

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        """Ask the ZAP handler."""
        if self._zap_pipe is not None:
            self._zap_pipe.write(frames)
            self._zap_pipe.flush()

    def read_zap_msg(self) -> list[bytes] | None:
        """The ZAP handler's reply, None if there is none yet.

        Raises:
            ConnectionError: it has gone and will not answer.
        """
        pipe = self._zap_pipe
        msg = pipe.read() if pipe is not None else None
        if msg is not None:
            return [frame_bytes(frame) for frame in frames_of(msg)]
        if pipe is None or not pipe.is_active:
            raise ConnectionError("the ZAP handler has closed its socket")
        return None

    def _drop_zap_pipe(self) -> None:
        """An answer that comes now is not for the next connection."""
        if self._zap_pipe is not None:
            self._terminating_pipes |= {self._zap_pipe}
            pipe, self._zap_pipe = self._zap_pipe, None
            pipe.terminate(False)

    def attach_pipe(self, pipe: Pipe) -> None:
        """The session's end of the pipe that connect() made (socket's thread, before the session is launched)."""
        self._pipe = pipe
        pipe.set_event_sink(self)

    # -- data path --------------------------------------------------------------------------------------------------

    def pull_msgs(self, limit: int) -> list[Message]:
        """What the socket sends. Hot path: once per batch."""
        pipe = self._pipe
        return [] if pipe is None else pipe.read_batch(limit)

    def push_msgs(self, msgs: list[Message]) -> int:
        """What the peer sends; the socket is woken. Hot path: once per batch."""
        pipe = self._pipe
        return len(msgs) if pipe is None else pipe.send_batch(msgs)

    def push_routing_id(self, routing_id: bytes) -> bool:
        """The peer's routing id, for sockets that want it."""
        return self._pipe is not None and self._pipe.write(Msg(routing_id, ROUTING_ID))

    def flush(self) -> None:
        """Wake the socket if it sleeps."""
        if self._pipe is not None:
            self._pipe.flush()

    def set_metadata(self, metadata: Mapping[str, str] | None) -> None:
        """Show the connection's properties with the messages that follow."""
        if self._pipe is not None:
            self._pipe.set_peer_metadata(metadata)

    def set_direct_output(self, write: Callable[[], bool] | None) -> None:
        """Let the socket's thread send at once what it writes while this thread sleeps (REQ, REP, SUB, XSUB).

        A request, reply or subscription is mostly alone in its pipe, so there is nothing to be gathered into a batch,
        and to wake this thread would only delay it.
        """
        pipe = self._pipe
        if pipe is not None and self.options.type in _LONE_WRITERS:
            pipe.set_peer_direct_output(None if write is None else functools.partial(pipe.take_over, write))

    def offer_input(self, offered: bool, always: bool = False) -> None:
        """Let the socket's thread ask for the input (REQ and REP only, or `always`), or no longer."""
        if self._pipe is not None and (always or not offered or self.options.type in _LOCK_STEP):
            self._pipe.set_peer_direct_input(self.request_input if offered else None)

    def request_input(self, mailbox: Mailbox | None) -> None:
        """Ask that the socket's thread may read while it waits, or (None) that this thread read again. Any thread."""
        # By the socket's context, as the session's own (`Courier`) is for the I/O thread alone.
        self._socket.ctx.send_command(self.tid, (self, CommandType.LEND_INPUT, (mailbox,)))

    def process_lend_input(self, mailbox: Mailbox | None) -> None:
        """The socket asks for the input, or gives it back."""
        if self._engine is None:
            return
        if mailbox is None:
            self._engine.reclaim_input()
        elif self._pipe is not None and self._pipe.peer is not None:
            self._engine.lend_input(mailbox, self._pipe.peer)

    def read_activated(self, pipe: Pipe) -> None:
        """From the pipe: the socket has sent something."""
        if pipe is not self._pipe:
            if pipe is self._zap_pipe and self._engine is not None:
                self._engine.zap_msg_available()
            return  # or one that was given up
        if self._engine is None:
            pipe.check_read()  # to notice a delimiter that stands alone
        else:
            self._engine.restart_output()

    def write_activated(self, pipe: Pipe) -> None:
        """From the pipe: the socket has read something."""
        if pipe is self._pipe and self._engine is not None:
            self._engine.restart_input()

    def hiccuped(self, pipe: Pipe) -> None:
        """Never: hiccups go from session to socket."""
        raise AssertionError("a session does not expect a hiccup")

    def pipe_terminated(self, pipe: Pipe) -> None:
        """From the pipe: it is gone."""
        if pipe is self._pipe:
            self._pipe = None
            self._cancel_linger_timer()
            if not self.is_terminating and self.options.raw_socket:
                self._close_raw_peer()
            elif not self.is_terminating and not self._pending and self._engine is not None:
                # The socket has no place for the peer, so what it sends is dropped. It is still to be read: else nobody
                # would notice when it goes, and a peer that comes again and again would take all descriptors.
                self._engine.restart_input()
        elif pipe is self._zap_pipe:
            self._zap_pipe = None
            if self._engine is not None and not self._pending:
                self._engine.zap_msg_available()
        else:
            # One that IMMEDIATE gave up. (libzmq: of a raw socket it takes the next connection with it.)
            self._terminating_pipes -= {pipe}
        if self._pending and self._no_pipes():
            self._pending = False
            Own.process_term(self, 0)

    def _close_raw_peer(self) -> None:
        """The user has closed the peer by an empty frame."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.terminate()
        self.terminate()

    # -- connecting -------------------------------------------------------------------------------------------------

    def process_plug(self) -> None:
        """Start connecting, on the connecting side."""
        if self._active:
            self._start_connecting(wait=False)

    def _start_connecting(self, wait: bool) -> None:
        """Launch a connecter, in this thread; with `wait` it pauses first."""
        if self._addr is None:
            raise AssertionError("a session that connects has an address")
        transport = transports.find_transport(self._addr.protocol)
        if transport is None:
            raise AssertionError("connect() has found it")
        self.launch_child(transport.create_connecter(self._io_thread, self, self.options, self._addr, wait))

    def process_attach(self, engine: Engine) -> None:
        """A connection has been made or accepted."""
        self._engine = engine
        if not engine.has_handshake_stage():
            self.engine_ready()
        engine.plug(self._io_thread, self)

    def engine_ready(self) -> None:
        """The peer may be shown to the socket: make the pipe, if there is none."""
        if self._pipe is not None or self.is_terminating:
            return
        options = self.options
        conflate = get_effective_conflate_option(options)
        hwms = (-1, -1) if conflate else (options.rcvhwm, options.sndhwm)
        mine, theirs = pipepair((self, self._socket), hwms, (conflate, conflate))
        mine.set_event_sink(self)
        self._pipe = mine
        if self._engine is not None:
            mine.endpoint_pair = theirs.endpoint_pair = self._engine.endpoint_uri_pair
        self.send_bind(self._socket, theirs)

    def engine_error(self, handshaked: bool, reason: ErrorReason) -> None:
        """The engine has ended."""
        self._engine = None
        self._drop_zap_pipe()
        if reason is not ErrorReason.PROTOCOL_ERROR and self._active:
            self._reconnect()
        elif self._pending:
            if self._pipe is not None:
                self._pipe.terminate(False)
        else:
            self.terminate()
        if self._pipe is not None:
            self._pipe.check_read()  # a delimiter may stand alone now

    def _reconnect(self) -> None:
        pipe = self._pipe
        # IMMEDIATE: without a connection there is no pipe.
        if pipe is not None and self.options.immediate and not self._subscribe_to_all():
            pipe.hiccup()
            pipe.terminate(False)
            self._terminating_pipes |= {pipe}
            self._pipe = None
            self._cancel_linger_timer()
        self.reset()
        if self.options.reconnect_ivl > 0:
            self._start_connecting(wait=True)
        else:
            if self._addr is None:
                raise AssertionError("a session that connects has an address")
            self.send_term_endpoint(self._socket, self._addr.uri)
        # Subscriptions are the new connection's first messages: the socket sends them again.
        if self._pipe is not None and self.options.type in _SUBSCRIBERS:
            self._pipe.hiccup()

    def _subscribe_to_all(self) -> bool:
        transport = transports.find_transport(self._addr.protocol) if self._addr is not None else None
        return transport is not None and transport.subscribe_to_all

    def reset(self) -> None:
        """A new connection: forget what was known of the last one's messages."""

    def process_conn_failed(self) -> None:
        """The connecter has given up (RECONNECT_STOP): disconnect the endpoint."""
        if self._addr is None:
            raise AssertionError("a session that connects has an address")
        self.send_term_endpoint(self._socket, self._addr.uri)

    # -- the end ----------------------------------------------------------------------------------------------------

    def process_term(self, linger: int) -> None:
        """End once the pipe has: what it holds may be sent for `linger` milliseconds (-1: no limit)."""
        self._drop_zap_pipe()
        if self._no_pipes():
            Own.process_term(self, 0)
            return
        self._pending = True
        if self._pipe is None:
            return
        if linger > 0:
            self.add_timer(linger, _LINGER_TIMER)
            self._has_linger_timer = True
        self._pipe.terminate(delay=linger != 0)
        if self._engine is None and self._pipe is not None:
            self._pipe.check_read()

    def _no_pipes(self) -> bool:
        return self._pipe is None and not self._terminating_pipes

    def timer_event(self, id_: int) -> None:
        """Linger is over: what is left is dropped."""
        self._has_linger_timer = False
        if self._pipe is not None:
            self._pipe.terminate(False)

    def _cancel_linger_timer(self) -> None:
        if self._has_linger_timer:
            self.cancel_timer(_LINGER_TIMER)
            self._has_linger_timer = False

    def process_destroy(self) -> None:
        """Close the connection, without a word on the monitor."""
        self._cancel_linger_timer()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.terminate()
        self.unplug()
        super().process_destroy()


if TYPE_CHECKING:
    _host: type[EngineHost] = SessionBase
    _sink: type[PipeEvents] = SessionBase
