# SPDX-License-Identifier: MPL-2.0
"""Moves bytes between a connected descriptor and a session: what ZMTP, raw and WebSocket engines share.

Mirrors: src/stream_engine_base.cpp, src/stream_engine_base.hpp.
Departs: a batch per step instead of a message.  Out: pull many messages, encode them, join or gather, one system call.
In: one large read, decode all of it, push all of it, wake the reader once.  Interest in POLLOUT is set only when the
kernel's buffer is full, as an idle connection usually takes the whole batch.  Outcomes are calls to `error` with a
reason, never an errno that somebody else may overwrite.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from libzmq_py.codecs.decoder import keep_pages
from libzmq_py.engines.i_engine import EngineHost, ErrorReason, ProtocolError
from libzmq_py.io_threads.io_object import IOObject
from libzmq_py.ip import UNIX_HOST, get_peer_ip_address
from libzmq_py.logger import Logger
from libzmq_py.msg import Message

if TYPE_CHECKING:
    from libzmq_py.codecs.decoder import Decoder
    from libzmq_py.codecs.encoder import Buffer, Encoder
    from libzmq_py.codecs.shared_encoder import Segments
    from libzmq_py.core.mailbox import Mailbox, Wakeable
    from libzmq_py.endpoint import EndpointUriPair
    from libzmq_py.io_threads.poller import Handle
    from libzmq_py.options import Options

_LOG: Final = Logger("libzmq_py.engine")

MIN_READ: Final = 8192
_MAX_READ: Final = 1 << 18
# Bytes of a frame from which on the socket's thread may read a stream of them.
_STREAM_MSG: Final = 1 << 14
# Aim of one batch out, in bytes; and its most messages.
_OUT_BATCH_BYTES: Final = 1 << 17
_OUT_BATCH_MSGS: Final = 512
# Batches in a row before other descriptors of the thread have their turn.
_OUT_BATCHES: Final = 8
# A batch of frames below this average size is joined, above it gathered by sendmsg.
JOIN_BELOW: Final = 4096
_MAX_GATHER: Final = 512
_WRITE: Final = selectors.EVENT_WRITE
# What the socket module makes of an IPv4 address: host and port.
_IPV4_SOCKADDR: Final = 2
_HAS_GATHER: Final = hasattr(socket.socket, "sendmsg")

HANDSHAKE_TIMER: Final = 0x40
HEARTBEAT_IVL_TIMER: Final = 0x80
HEARTBEAT_TIMEOUT_TIMER: Final = 0x81
HEARTBEAT_TTL_TIMER: Final = 0x82
LENT_TIMER: Final = 0x90
INTERRUPTED_TIMER: Final = 0x91
# Input that the socket's thread has not used for this long (milliseconds) is read by the I/O thread again.
_LENT_IVL: Final = 10


class MessageSource(Protocol):
    """A session, as far as messages are taken from it."""

    def pull_msgs(self, limit: int) -> list[Message]:
        """Up to `limit` messages to send."""


class _Nothing:
    """What there is to send before the handshake is over, and after the end."""

    def pull_msgs(self, limit: int) -> list[Message]:
        """None."""
        return []


_NOTHING: Final = _Nothing()


class StreamEngineBase(IOObject):
    """Runs in its session's I/O thread. Ends by `error`, which tells the session, or by `terminate`, which does not."""

    # Defaults on the class: of what is set when the engine starts, and of what most connections never need.
    _session: Any = None
    _handle: Handle | None = None
    _decoder: Decoder | None = None
    _encoder: Encoder | None = None
    # Held by the I/O thread while it works; see `Poller`.
    _turn: threading.Lock | None = None
    # What the engines of this thread have encoded last.
    _segments: Segments
    # Where the socket's thread waits for this connection, while it reads in place of the I/O thread.
    _lent_to: Mailbox | None = None
    _lent_used = False
    # Decoded, not yet taken by the session, which is full: input is stopped while there are any.
    _held: list[Message] | None = None
    _input_stopped = False
    # Why the connection ended, for the monitor.
    _errno = 0

    def __init__(
        self, sock: socket.socket, options: Options, endpoint_uri_pair: EndpointUriPair, peer: object = None
    ) -> None:
        """Own `sock`, which is connected, to `peer` (in the form of the socket module) if that is known."""
        self._sock = sock
        self._options = options
        self.endpoint_uri_pair = endpoint_uri_pair
        self.peer_address = _peer_address(sock, peer)
        # Encoded, not yet sent.
        self._out: Sequence[Buffer] = ()
        self._output_stopped = True
        self._read_size = MIN_READ
        self._pull_limit = 16
        # Frames of the engine's own, to be sent before the next messages.
        self._control: Sequence[Message] = ()
        # What takes the next bytes (None: `_process_batch`, as for most of a connection's life), and what gives the
        # next messages. As libzmq's pointers to members, they follow the stage of the connection.
        self._process_input: Callable[[bytes], None] | None = None
        self._source: MessageSource = _NOTHING
        # Those that run. A tuple, as after the handshake an idle connection has none.
        self._timers: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint_uri_pair.local} - {self.endpoint_uri_pair.remote}>"

    # -- what a protocol decides ------------------------------------------------------------------------------------

    def plug_internal(self) -> None:
        """Start talking."""
        raise NotImplementedError

    def has_handshake_stage(self) -> bool:
        """False if messages may flow at once."""
        return True

    def _peer_is_alive(self) -> None:
        """The peer has sent something while timers run."""

    def _process_commands(self, msgs: list[Message]) -> list[Message]:
        """Act on the command frames of a batch; what is left is pushed."""
        return msgs

    def zap_msg_available(self) -> None:
        """The ZAP handler has answered, or gone. Only a protocol that asks it hears of this."""

    def _handshake_failed(self) -> bool:
        """True if the connection ends before its handshake is complete."""
        return False

    # -- life -------------------------------------------------------------------------------------------------------

    def plug(self, io_thread: Any, session: EngineHost) -> None:
        """Start, in the session's thread."""
        self.poller = poller = io_thread.poller
        self._turn = poller.turn
        self._segments = io_thread.segments
        self._session = session
        self._handle = poller.add_fd(self._sock.fileno(), self)
        self.plug_internal()

    @property
    def plugged(self) -> bool:
        """False once the engine has ended."""
        return self._handle is not None

    def terminate(self) -> None:
        """Close the connection without telling anybody."""
        self._end_direct()
        if self._handle is not None:
            for timer in self._timers:
                self.cancel_timer(timer)
            self._timers = ()
            self.rm_fd(self._handle)
            self._handle = None
            self.unplug()
        self._session = None
        self._source = _NOTHING
        self._sock.close()
        # It may hold most of a large message, and only the collector frees an engine.
        self._decoder = None
        self._out = self._control = ()
        self._held = None

    def error(self, reason: ErrorReason, cause: object = "") -> None:
        """End because of `reason`; `cause` is for the log."""
        session = self._session
        if session is None:
            return
        self._end_direct()  # first of all: who hears of the end must not be able to write into it
        events = session.socket_events
        pair = self.endpoint_uri_pair
        fd = self._sock.fileno()
        _LOG.debug("= %r ends: %s (%s)", self, reason.value, cause)
        handshake_failed = self._handshake_failed()
        if reason is not ErrorReason.PROTOCOL_ERROR and handshake_failed:
            events.event_handshake_failed_no_detail(pair, self._errno)
            if self._options.reconnect_stop & 2:  # ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED
                reason = ErrorReason.PROTOCOL_ERROR
        events.event_disconnected(pair, fd)
        session.flush()
        handshaked = self._handshaked()
        self.terminate()
        session.engine_error(handshaked, reason)

    def _handshaked(self) -> bool:
        return True

    # -- timers -----------------------------------------------------------------------------------------------------

    def _start_timer(self, timeout: int, id_: int) -> None:
        self._timers += (id_,)
        self.poller.add_timer(timeout, self, id_)

    def _forget_timer(self, id_: int) -> None:
        timers = self._timers
        self._timers = () if len(timers) == 1 else tuple(timer for timer in timers if timer != id_)

    def _stop_timer(self, id_: int) -> None:
        if id_ in self._timers:
            self._forget_timer(id_)
            self.poller.cancel_timer(self, id_)

    # -- in ---------------------------------------------------------------------------------------------------------

    def in_event(self) -> None:
        """Read once and process it all.

        Hot path: the size of the read follows what the last one brought, so a busy connection needs few system calls
        and an idle one little memory. A body larger than that is read into its place.
        """
        size = self._read_size
        decoder = self._decoder
        if decoder is not None and decoder.collector.direct:
            self._read_body(decoder)
            return
        try:
            data = self._sock.recv(size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._read_failed(error.errno or errno.EIO, error)
            return
        if not data:
            self._read_failed(errno.EPIPE, "closed by the peer")
            return
        if len(data) == size:
            if size < _MAX_READ:
                self._read_size = min(size * 4, _MAX_READ)
                keep_pages(self._read_size)
        elif size > MIN_READ and len(data) * 8 < size:
            self._read_size = size >> 1
        if self._process_input is None:
            self._process_batch(data)
        else:
            self._process_input(data)

    def _read_body(self, decoder: Decoder) -> None:
        """Read of a large body what is there into its place."""
        try:
            with decoder.collector.window() as window:
                count = self._sock.recv_into(window)
        except (BlockingIOError, InterruptedError):
            decoder.collector.release()
            return
        except OSError as error:
            self._read_failed(error.errno or errno.EIO, error)
            return
        if not count:
            self._read_failed(errno.EPIPE, "closed by the peer in the middle of a frame")
            return
        # The next read brings a header, and should bring little of a body that would have to be copied out of it.
        self._read_size = MIN_READ
        msgs = decoder.received(count)
        self._process_msgs(decoder, msgs)
        if msgs:
            self._offer_stream()

    def _large_read(self, decoder: Decoder, msgs: Sequence[Message]) -> None:
        """Much was read at once, and gave `msgs`."""
        if decoder.collector.direct and not self._input_stopped:
            self._read_body(decoder)  # one has begun, and more of it is there
        elif msgs:
            last = msgs[-1]
            if len(last[-1] if isinstance(last, tuple) else last) >= _STREAM_MSG:
                self._offer_stream()

    def _offer_stream(self) -> None:
        """Messages so large are read by the I/O thread in less time than it takes to wake the socket's thread."""
        if self._lent_to is None and not self._input_stopped and self._session is not None:
            self._session.offer_input(True, always=True)

    def _read_failed(self, err: int, cause: object) -> None:
        self._errno = err
        self.error(ErrorReason.CONNECTION_ERROR, cause)

    def _process_batch(self, data: bytes) -> None:
        """Decode and push, once the handshake is over. Hot path."""
        decoder = self._decoder
        if decoder is None:
            raise AssertionError("made before the first batch")
        msgs = decoder.decode(data)
        self._process_msgs(decoder, msgs)
        if len(data) >= MIN_READ and decoder is self._decoder:  # the connection has not ended
            self._large_read(decoder, msgs)

    def _process_msgs(self, decoder: Decoder, msgs: list[Message]) -> None:
        if msgs:
            if self._timers:
                self._peer_is_alive()
            if decoder.has_commands:
                msgs = self._process_commands(msgs)
            session = self._session
            if session is not None:  # a command may have ended the connection
                try:
                    taken = session.push_msgs(msgs)
                except ProtocolError as error:
                    self._protocol_error(error)
                    return
                if taken < len(msgs):
                    self._hold(msgs[taken:])
            if self._control:
                # Answers come after what was sent before the question has been passed on.
                self._send_control()
        if decoder.error is not None and not self._held and self._session is not None:
            self._protocol_error(decoder.error)

    def _hold(self, msgs: list[Message]) -> None:
        """The session is full: keep what it did not take, and read no more until it asks."""
        self._held = msgs
        self._input_stopped = True
        if self._lent_to is not None:
            self._take_input()
            self._session.offer_input(True, always=True)
        elif self._handle is not None:
            self.reset_pollin(self._handle)

    def _protocol_error(self, cause: object) -> None:
        # A connection with oneself (TCP's simultaneous open on one port) reads its own greeting: try again.
        clash = self.endpoint_uri_pair.clash()
        self._errno = errno.EPROTO
        self.error(ErrorReason.CONNECTION_ERROR if clash else ErrorReason.PROTOCOL_ERROR, cause)

    def restart_input(self) -> None:
        """The session takes messages again: first those that are held."""
        if not self._input_stopped or self._handle is None:
            return
        held, self._held = self._held or [], None
        try:
            taken = self._session.push_msgs(held)
        except ProtocolError as error:
            self._protocol_error(error)
            return
        if taken < len(held):
            self._held = held[taken:]
            return
        decoder = self._decoder
        if decoder is not None and decoder.error is not None:
            self._protocol_error(decoder.error)
            return
        self._input_stopped = False
        self.set_pollin(self._handle)
        self.in_event()  # most likely there is something by now

    def _send_control(self) -> None:
        """Send the engine's own frames, unless something is being sent: they follow it then."""
        if not self._out and self._handle is not None:
            self._output_stopped = False
            self.out_event()

    # -- out --------------------------------------------------------------------------------------------------------

    def restart_output(self) -> None:
        """The session has messages again: send at once, as the kernel most likely takes them."""
        if self._output_stopped and self._handle is not None:
            self._output_stopped = False
            self.out_event()

    def out_event(self) -> None:
        """Send batches until there is nothing more or the kernel's buffer is full.

        Hot path.
        """
        for _ in range(_OUT_BATCHES):
            if not self._out:
                if self._control:
                    msgs, self._control = self._control, ()
                else:
                    msgs = self._source.pull_msgs(self._pull_limit)
                if not msgs:
                    self._output_stopped = True
                    if self._handle is not None and self._handle.events & _WRITE:
                        self.reset_pollout(self._handle)
                    return
                self._encode(msgs)
            if not self._write():
                break
        if self._handle is not None:
            self.set_pollout(self._handle)

    # -- in the socket's own thread ---------------------------------------------------------------------------------
    #
    # A request or a reply comes alone, so its time is the time of its wake-ups. Two of them are spared: the socket's
    # thread takes the I/O thread's turn and sends at once, and while it waits for the answer it waits for the
    # connection itself. Whatever else happens to the connection is still the I/O thread's business.

    def write_direct(self) -> bool:
        """Send what the session has, in the socket's thread; False leaves the rest to the I/O thread.

        Only while the output is stopped, so that nothing overtakes what waits.
        """
        turn = self._turn
        if turn is None or not turn.acquire(blocking=False):
            return False
        try:
            if not self._output_stopped or self._out or self._control or self._handle is None:
                return False
            msgs = self._source.pull_msgs(self._pull_limit)
            while msgs:
                self._encode(msgs)
                if not self._write():
                    return False
                msgs = self._source.pull_msgs(self._pull_limit)
            return True
        except BaseException:
            # Ctrl-C: nobody knows how many of these bytes have left, so the connection cannot go on.
            self._interrupted()
            raise
        finally:
            turn.release()

    def lend_input(self, mailbox: Mailbox, pipe: Wakeable) -> None:
        """Let the socket's thread read, while it waits for the next message (I/O thread)."""
        handle = self._handle
        if handle is None or self._lent_to is not None or self._input_stopped:
            return
        self.reset_pollin(handle)
        if not mailbox.add_input(handle.fd, self, pipe):
            self.set_pollin(handle)
            return
        self._lent_to = mailbox
        self._lent_used = True
        self._session.offer_input(False)
        self.add_timer(_LENT_IVL, LENT_TIMER)

    def reclaim_input(self) -> None:
        """Read in the I/O thread again."""
        if self._lent_to is not None and self._handle is not None:
            self._take_input()
            self.set_pollin(self._handle)
            self._session.offer_input(True, always=True)

    def _take_input(self) -> None:
        if self._lent_to is not None and self._handle is not None:
            self._lent_to.remove_input(self._handle.fd)
            self._lent_to = None
            self.cancel_timer(LENT_TIMER)

    def _end_direct(self) -> None:
        """The socket's thread neither reads nor writes any more."""
        self._take_input()
        if self._session is not None:
            self._session.set_direct_output(None)
            self._session.offer_input(False)

    def give_back_input(self) -> None:
        """The socket's thread will not read for a while."""
        session = self._session
        if session is not None:
            session.request_input(None)

    def read_direct(self) -> None:
        """`in_event` in the socket's thread. Hot path of a lone message."""
        if self._turn is None:
            raise AssertionError("only an engine that is plugged in lends its input")
        with self._turn:
            handle = self._handle
            if self._lent_to is None or handle is None:
                return  # taken back meanwhile
            self._lent_used = True
            try:
                self.in_event()
            except Exception:  # noqa: BLE001
                self.poller.failed(handle)
            except BaseException:
                # Ctrl-C: nobody knows which of these bytes have become messages.
                self._interrupted()
                raise

    def _interrupted(self) -> None:
        if self._handle is not None:
            self.add_timer(0, INTERRUPTED_TIMER)

    def timer_event(self, id_: int) -> None:
        """A look at what the socket's thread does with the connection (I/O thread)."""
        if id_ == INTERRUPTED_TIMER:
            self.error(ErrorReason.CONNECTION_ERROR, "interrupted in the middle of a message")
        elif self._lent_used:
            self._lent_used = False
            self.add_timer(_LENT_IVL, LENT_TIMER)
        else:
            self.reclaim_input()

    def _encode(self, msgs: Sequence[Message]) -> None:
        """Make the bytes of a batch: joined when frames are small, for the kernel to gather when they are large."""
        encoder = self._encoder
        if encoder is None:
            raise AssertionError("made before the first message")
        out = encoder.encode(msgs)
        if len(out) > 1:
            size = sum(map(len, out))
            if size < JOIN_BELOW * len(out):
                out = [b"".join(out)]
        else:
            size = len(out[0])
        self._out = out
        if len(msgs) == self._pull_limit or size > _OUT_BATCH_BYTES:
            # Messages of this size fill the next batch; large ones go out a few at a time, as what was pulled from the
            # pipe no longer counts against its high-water mark.
            self._pull_limit = max(1, min(_OUT_BATCH_BYTES * len(msgs) // (size + 1), _OUT_BATCH_MSGS))

    def _write(self) -> bool:
        """One system call; True if everything was sent."""
        out = self._out
        try:
            if len(out) == 1:
                sent = self._sock.send(out[0])
            elif _HAS_GATHER:
                sent = self._sock.sendmsg(out[:_MAX_GATHER])
            else:
                sent = self._sock.send(out[0])
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._write_failed(error)
            return False
        if len(out) == 1 and sent == len(out[0]):
            self._out = ()
            return True
        return self._drop_sent(sent)

    def _drop_sent(self, sent: int) -> bool:
        """Forget what the kernel took; True if nothing is left."""
        out = self._out = list(self._out)
        index = 0
        while index < len(out) and sent >= len(out[index]):
            sent -= len(out[index])
            index += 1
        del out[:index]
        if sent:
            out[0] = memoryview(out[0])[sent:]
        return not out

    def _write_failed(self, error: OSError) -> None:
        # The reading side acts on a broken connection, so that what has been received is not lost.
        _LOG.debug("= %r cannot send: %s", self, error)
        self._out = self._control = ()
        self._source = _NOTHING


def _peer_address(sock: socket.socket, peer: Any) -> str:
    """Peer-Address of messages: the IP address without its port; for ipc also `:uid:gid:pid` where the system tells."""
    if type(peer) is tuple and len(peer) == _IPV4_SOCKADDR:
        return str(peer[0])
    address = get_peer_ip_address(sock)
    if address == UNIX_HOST and hasattr(socket, "SO_PEERCRED"):
        try:
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        except OSError:
            return address
        pid, uid, gid = struct.unpack("iII", credentials)
        return f"{address}:{uid}:{gid}:{pid}"
    return address
