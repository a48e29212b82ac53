# SPDX-License-Identifier: MPL-2.0
"""One end of a two-way pipe of messages between two objects, usually of two threads.

Mirrors: src/pipe.cpp, src/pipe.hpp.
Departs: an item is a whole message (see `msg.py`), so what libzmq calls an incomplete tail stays with the writer until
the last frame comes (`write_part`, `rollback`).  `in_active` and `out_active` also say that the state allows reading
and writing, which spares the hot path a second test.  Memory of the queues is the collector's business.

States of an end (`_state`); every transition is made in this file:

    ACTIVE ──terminate()──────────────▶ TERM_REQ_SENT1 ──pipe_term_ack──▶ (ack the peer) end
      │  │                                   │
      │  │                              pipe_term: ack
      │  │                                   ▼
      │  │                              TERM_REQ_SENT2 ──pipe_term_ack──▶ end
      │  ├──pipe_term, delay────▶ WAITING_FOR_DELIMITER ──delimiter read, or terminate(no delay): ack──┐
      │  ├──pipe_term, no delay: ack──────────────────────────────────────────────────────────────────┤
      │  └──delimiter read──▶ DELIMITER_RECEIVED ──pipe_term: ack─────────────────────────────────────┤
      │                            └──terminate()──▶ TERM_REQ_SENT1                                   ▼
      └─────────────────────────────────────────────────────────────── TERM_ACK_SENT ──pipe_term_ack──▶ end

Credits: the reader reports the total it has read every `lwm` messages; the writer stops when it is `hwm` messages
ahead of the last report.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import ACTIVATE_READ, ZmqObject
from libzmq_py.core.ypipe import YPipe
from libzmq_py.core.ypipe_conflate import YPipeConflate
from libzmq_py.msg import CREDENTIAL, DELIMITER, ROUTING_ID, Frame, Message, Msg, message_of

if TYPE_CHECKING:
    from libzmq_py.endpoint import EndpointUriPair

_NO_LIMIT: Final = sys.maxsize
# Messages above this size (bytes) are read in batches of about sixteen times it.
_LARGE: Final = 8192


class PipeEvents(Protocol):
    """`i_pipe_events`: what a pipe tells the object that uses its end."""

    def read_activated(self, pipe: Pipe) -> None:
        """There is something to read again."""

    def write_activated(self, pipe: Pipe) -> None:
        """There is room to write again."""

    def hiccuped(self, pipe: Pipe) -> None:
        """The reader at the other end started anew."""

    def pipe_terminated(self, pipe: Pipe) -> None:
        """The end is gone; do not touch it any more."""


class State(enum.Enum):
    """Where an end is in its life; see the module docstring."""

    ACTIVE = "active"
    DELIMITER_RECEIVED = "delimiter_received"
    WAITING_FOR_DELIMITER = "waiting_for_delimiter"
    TERM_ACK_SENT = "term_ack_sent"
    TERM_REQ_SENT1 = "term_req_sent1"
    TERM_REQ_SENT2 = "term_req_sent2"


# Hot path: names of this module, as looking a member up on its class costs more than all of `read`.
_ACTIVE: Final = State.ACTIVE
_DELIMITER_RECEIVED: Final = State.DELIMITER_RECEIVED
_WAITING_FOR_DELIMITER: Final = State.WAITING_FOR_DELIMITER
_TERM_ACK_SENT: Final = State.TERM_ACK_SENT
_TERM_REQ_SENT1: Final = State.TERM_REQ_SENT1
_TERM_REQ_SENT2: Final = State.TERM_REQ_SENT2


class Pipe(ZmqObject):
    """One end. Used by the thread of its `tid` only; the other end is reached by commands and the two queues."""

    __slots__ = (
        "__weakref__",
        "_credit_at",
        "_delay",
        "_hwm",
        "_in_active",
        "_in_asleep",
        "_in_hwm_boost",
        "_in_queue",
        "_lwm",
        "_msgs_read",
        "_msgs_written",
        "_out_active",
        "_out_asleep",
        "_out_hwm_boost",
        "_out_open",
        "_out_parts",
        "_out_queue",
        "_own_hwms",
        "_peer",
        "_peers_msgs_read",
        "_sink",
        "_state",
        "_write_limit",
        "direct_input",
        "direct_output",
        "disconnect_msg",
        "endpoint_pair",
        "metadata",
        "router_socket_routing_id",
        "server_socket_routing_id",
    )

    def __init__(
        self, parent: ZmqObject, in_pipe: YPipe[Message], out_pipe: YPipe[Message], inhwm: int, outhwm: int
    ) -> None:
        """An end in the thread of `parent`; `inhwm` and `outhwm` in messages, 0: no limit. See `pipepair`."""
        # Two of these are made per connection: what methods here do later is written out.
        self.ctx = parent.ctx
        self.tid = parent.tid
        self._in_queue = in_pipe.queue
        self._in_asleep = in_pipe.asleep
        # Until this end has acknowledged the end (libzmq: _out_pipe is not null).
        self._out_open = True
        self._out_queue = out_pipe.queue
        self._out_asleep = out_pipe.asleep
        self._in_active = True
        self._out_active = True
        self._msgs_read = 0
        self._msgs_written = 0
        self._peers_msgs_read = 0
        self._in_hwm_boost = -1
        self._out_hwm_boost = -1
        self._own_hwms = (inhwm, outhwm)
        self._lwm = lwm = (inhwm + 1) // 2  # 0 means: no limit, hence no credits
        self._credit_at = lwm or _NO_LIMIT
        self._hwm = outhwm
        self._write_limit = outhwm if outhwm > 0 else _NO_LIMIT
        # Frames of the message that is being written; None between messages.
        self._out_parts: list[Frame] | None = None
        self._peer: Pipe | None = None
        self._sink: PipeEvents | None = None
        self._state = _ACTIVE
        # False: a pipe_term from the peer is acknowledged at once, without reading what is left.
        self._delay = True
        self.router_socket_routing_id = b""
        self.server_socket_routing_id = 0
        self.endpoint_pair: EndpointUriPair | None = None
        self.disconnect_msg = b""
        # Set by the session behind the other end where messages cannot come in batches (REQ, REP): empties the queue in
        # the writer's thread, in place of the sleeping reader. False: the reader must be woken after all.
        self.direct_output: Callable[[], bool] | None = None
        # Likewise: asks that the thread that waits for the next message be allowed to read it from the connection.
        self.direct_input: Callable[[Mailbox], None] | None = None
        # Properties of the connection behind this end (Socket-Type, Peer-Address ...); None for inproc.
        self.metadata: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"<Pipe {self._state.value} tid {self.tid} read {self._msgs_read} written {self._msgs_written}>"

    def _attach_in(self, in_pipe: YPipe[Message]) -> None:
        # Its two parts, and not itself: an object less per direction.
        self._in_queue = in_pipe.queue
        self._in_asleep = in_pipe.asleep

    def _attach_out(self, out_pipe: YPipe[Message]) -> None:
        self._out_open = True
        self._out_queue = out_pipe.queue
        self._out_asleep = out_pipe.asleep

    def set_peer(self, peer: Pipe) -> None:
        """Join the two ends; once."""
        self._peer = peer

    def set_event_sink(self, sink: PipeEvents) -> None:
        """Name the object to be told of events."""
        self._sink = sink

    def set_tid(self, tid: int) -> None:
        """Move a pipe end that nobody uses yet to another thread (inproc connect before bind)."""
        self.tid = tid

    @property
    def is_active(self) -> bool:
        """True until the end of this end begins."""
        return self._state is _ACTIVE

    # -- reading ----------------------------------------------------------------------------------------------------

    def check_read(self) -> bool:
        """True if `read` will give a message; False has put this end to sleep until `read_activated`."""
        if not self._in_active or not (self._in_queue or self._look_again()):
            return False
        if self._in_queue[0] is DELIMITER:
            self._in_queue.popleft()
            self._process_delimiter()
            return False
        return True

    def read(self) -> Message | None:
        """The next message, or None.

        Hot path: counts compare with the next credit instead of taking a modulo; what is neither bytes nor a tuple
        leaves for `_read_special`.
        """
        if not self._in_active or not (self._in_queue or self._look_again()):
            return None
        msg = self._in_queue.popleft()
        if type(msg) is Msg:
            return self._read_special(msg)
        n = self._msgs_read = self._msgs_read + 1
        if n >= self._credit_at:
            self._send_credit()
        return msg

    def _read_special(self, msg: Msg) -> Message | None:
        if msg is DELIMITER:
            self._process_delimiter()
            return None
        if msg.flags & CREDENTIAL:
            return self.read()
        if not msg.flags & ROUTING_ID:
            self.count_read(1)
        return msg

    def read_batch(self, limit: int) -> list[Message]:
        """Up to `limit` messages, fewer of large ones; an empty list has put this end to sleep.

        Hot path: the I/O thread's `read`. What it finds leaves at once; whether there is more is asked after that.
        """
        queue = self._in_queue
        if not self._in_active or not (queue or self._look_again()):
            return []
        head = queue[0]
        if head is DELIMITER:
            queue.popleft()
            self._process_delimiter()
            return []
        # Only this thread takes and the writer only appends: so many items are there.
        count = len(queue)
        if len(head) > _LARGE:
            limit = max(1, _LARGE * 16 // len(head))
        if count == 1:
            batch = [queue.popleft()]
        else:
            popleft = queue.popleft
            batch = [popleft() for _ in range(min(count, limit))]
            if batch[-1] is DELIMITER:
                # Not before the others have left for good: to read the delimiter ends the pipe, and with it the
                # connection. It is always the last item, so putting it back meets no writer.
                queue.append(batch.pop())
        self._msgs_read += len(batch)
        if self._msgs_read >= self._credit_at:
            self._send_credit()
        return batch

    def take_batch(self, limit: int) -> list[Message]:
        """Up to `limit` messages of those that are there, ending before what is more than frames (socket's thread).

        An empty list says nothing about the state of this end: ask `read`.
        """
        queue = self._in_queue
        if not self._in_active:
            return []
        popleft = queue.popleft
        batch = [popleft() for _ in range(min(len(queue), limit))]
        if Msg in set(map(type, batch)):
            plain = next(index for index, msg in enumerate(batch) if type(msg) is Msg)
            queue.extendleft(reversed(batch[plain:]))
            del batch[plain:]
        self.count_read(len(batch))
        return batch

    def count_read(self, count: int) -> None:
        """So many messages were taken from the queue."""
        self._msgs_read += count
        if self._msgs_read >= self._credit_at:
            self._send_credit()

    def _send_credit(self) -> None:
        if self._peer is not None:
            self.send_activate_write(self._peer, self._msgs_read)
            self._credit_at = self._msgs_read - self._msgs_read % self._lwm + self._lwm

    def _look_again(self) -> bool:
        """The queue looked empty: go to sleep, unless the writer was quicker. The protocol stands in `YPipe`."""
        queue, asleep = self._in_queue, self._in_asleep
        if queue:
            return True
        if not asleep:
            asleep.append(True)
        if queue:
            try:
                asleep.pop()
            except IndexError:
                pass  # the writer took it: an activate_read comes that finds us awake
            return True
        self._in_active = False
        return False

    def wake_up(self) -> None:
        """The reader's own thread is about to write: nobody need wake it, and if nothing comes it sleeps again."""
        if self._in_asleep:
            try:
                self._in_asleep.pop()
            except IndexError:
                pass  # the writer took it: an activate_read comes that finds us awake
        self.process_activate_read()

    # -- writing ----------------------------------------------------------------------------------------------------

    def check_write(self) -> bool:
        """True if a message may be written; False if this end is full (until `write_activated`) or ending."""
        if not self._out_active:
            return False
        if self._msgs_written >= self._write_limit:
            self._out_active = False
            return False
        return True

    def count_written(self, count: int) -> None:
        """So many messages were put into the queue, for which there was room."""
        self._msgs_written += count

    @property
    def room(self) -> int:
        """Messages that may still be written."""
        return self._write_limit - self._msgs_written

    def check_hwm(self) -> bool:
        """True if there is room, without the side effect of `check_write`."""
        return self._msgs_written < self._write_limit

    def write(self, msg: Message) -> bool:
        """Queue a whole message, to be seen by the reader at once and to wake it at `flush`; False if full."""
        if not self.check_write():
            return False
        if type(msg) is not Msg or not msg.flags & ROUTING_ID:
            self._msgs_written += 1
        self._out_queue.append(msg)
        return True

    def send(self, msg: Message) -> bool:
        """`write` and `flush` of a user's message in one.

        Hot path: called once per message and pipe, so both are written out here.
        """
        if not self._out_active:
            return False
        n = self._msgs_written
        if n >= self._write_limit:
            self._out_active = False
            return False
        self._msgs_written = n + 1
        self._out_queue.append(msg)
        if self._out_asleep:
            self.flush()
        return True

    def write_part(self, frame: Frame, more: bool) -> bool:
        """One frame of a message: it is admitted or refused at its first frame and visible after its last."""
        parts = self._out_parts
        if not parts and not self.check_write():
            return False
        if parts and not self._out_active:
            return False  # the pipe began to end in the middle of a message
        if parts is None:
            parts = self._out_parts = []
        parts.append(frame)
        if more:
            return True
        self._out_parts = None
        # Room was found at the first frame: a message that was begun is not cut by the limit.
        self._msgs_written += 1
        self._out_queue.append(message_of(tuple(parts)))
        return True

    def send_batch(self, msgs: list[Message]) -> int:
        """Queue as many whole messages as there is room for and wake the reader; how many that was (I/O thread).

        Hot path: once per read of a connection.
        """
        if not self._out_active:
            return 0
        room = self._write_limit - self._msgs_written
        count = len(msgs)
        if count > room:
            count = max(room, 0)
            self._out_active = False
            msgs = msgs[:count]
        self._msgs_written += count
        self._out_queue.extend(msgs)
        if self._out_asleep:
            self.flush()
        return count

    def take_over(self, read: Callable[[], bool]) -> bool:
        """Run `read` as the reader of this end, which sleeps: the caller holds the token, and so the reader's part.

        True if `read` has put this end back to sleep; otherwise it is to be woken.
        """
        if self._in_active or self._state is not _ACTIVE:
            return False
        self._in_active = True
        done = False
        try:
            done = read()
        finally:
            if not done:
                self._in_active = False  # as found: process_activate_read expects it
        return done

    def rollback(self) -> None:
        """Forget the frames of a message that was not finished."""
        self._out_parts = None

    def flush(self) -> None:
        """Wake the reader if it sleeps."""
        asleep, peer = self._out_asleep, self._peer
        if not asleep or peer is None or not self._out_open or not self._out_queue:
            return
        taken = 0
        try:
            taken = asleep.pop()
            if self.direct_output is None or not self.direct_output():
                self.ctx.send_command(peer.tid, (peer, ACTIVATE_READ, ()))
        except BaseException as error:
            if not taken and isinstance(error, IndexError):
                return  # the reader looked again and took its token up
            # Ctrl-C in the main thread between the two steps: the token is taken, so the reader must be woken.
            self.send_activate_read(peer)
            raise

    # -- commands from the other end --------------------------------------------------------------------------------

    def process_activate_read(self) -> None:
        """There is something to read."""
        if not self._in_active and self._state in (_ACTIVE, _WAITING_FOR_DELIMITER):
            self._in_active = True
            if self._sink is not None:
                self._sink.read_activated(self)

    def process_activate_write(self, msgs_read: int) -> None:
        """The reader has read `msgs_read` messages since the pipe began (a total, not a difference)."""
        self._peers_msgs_read = msgs_read
        self._update_write_limit()
        self._reopen()

    def _reopen(self) -> None:
        if not self._out_active and self._state is _ACTIVE:
            self._out_active = True
            if self._sink is not None:
                self._sink.write_activated(self)

    def hiccup(self) -> None:
        """Start reading anew from an empty queue (reader): what was written and not read is dropped by the writer."""
        if self._state is not _ACTIVE or self._peer is None:
            return
        fresh: YPipe[Message] = YPipe(self._in_queue.maxlen)
        self._attach_in(fresh)
        self._in_active = True
        self.send_hiccup(self._peer, fresh)

    def process_hiccup(self, pipe: YPipe[Message]) -> None:
        """The reader started anew (writer)."""
        if not self._out_open:
            return  # acknowledged already: the reader waits for nothing
        old = self._out_queue
        self._msgs_written -= sum(1 for msg in old if msg is not DELIMITER)
        old.clear()
        self._attach_out(pipe)
        if self._state is _TERM_REQ_SENT1:
            # The delimiter was in the old queue, and the reader may wait for it.
            self._out_queue.append(DELIMITER)
            self.flush()
        elif self._state is _ACTIVE:
            self._out_active = True
            if self._sink is not None:
                self._sink.hiccuped(self)

    # -- the end ----------------------------------------------------------------------------------------------------

    def set_nodelay(self) -> None:
        """Acknowledge the end at once when the peer asks for it, without reading what is left."""
        self._delay = False

    def terminate(self, delay: bool) -> None:
        """Begin the end; with `delay`, what the peer has sent may be read first."""
        self._delay = delay
        state = self._state
        if state in (_TERM_REQ_SENT1, _TERM_REQ_SENT2, _TERM_ACK_SENT):
            return
        if state in (_ACTIVE, _DELIMITER_RECEIVED):
            self._set_state(_TERM_REQ_SENT1)
            if self._peer is not None:
                self.send_pipe_term(self._peer)
        elif not delay:  # WAITING_FOR_DELIMITER
            self.rollback()
            self._acknowledge()
        # In WAITING_FOR_DELIMITER with delay the reader goes on until it meets the delimiter.
        self._out_active = False
        if self._out_open:
            self.rollback()
            # The high-water mark does not hold for the delimiter.
            self._out_queue.append(DELIMITER)
            self.flush()

    def process_pipe_term(self) -> None:
        """The peer begins the end."""
        state = self._state
        self._out_active = False
        if state is _ACTIVE:
            if self._delay:
                self._set_state(_WAITING_FOR_DELIMITER)
            else:
                self._acknowledge()
        elif state is _DELIMITER_RECEIVED:
            self._acknowledge()
        elif state is _TERM_REQ_SENT1:
            self._out_open = False
            self._set_state(_TERM_REQ_SENT2)
            if self._peer is not None:
                self.send_pipe_term_ack(self._peer)
        else:
            raise AssertionError(f"pipe_term in state {state.value}")

    def _process_delimiter(self) -> None:
        if self._state is _ACTIVE:
            self._set_state(_DELIMITER_RECEIVED)
        else:  # WAITING_FOR_DELIMITER: reading is possible in no other state
            self.rollback()
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._out_open = False
        self._set_state(_TERM_ACK_SENT)
        if self._peer is not None:
            self.send_pipe_term_ack(self._peer)

    def process_pipe_term_ack(self) -> None:
        """The peer agrees: nothing more will come from it."""
        if self._sink is not None:
            self._sink.pipe_terminated(self)
        if self._state is _TERM_REQ_SENT1 and self._peer is not None:
            self._out_open = False
            self.send_pipe_term_ack(self._peer)
        elif self._state not in (_TERM_ACK_SENT, _TERM_REQ_SENT2):
            raise AssertionError(f"pipe_term_ack in state {self._state.value}")
        # Each end frees its inbound queue only; the references between the two ends are what the collector needs gone.
        self._in_queue.clear()
        self._in_active = self._out_active = False
        self._sink = None
        self._peer = None
        self.direct_output = self.direct_input = None

    def _set_state(self, state: State) -> None:
        self._state = state
        if state is not _ACTIVE:
            self._out_active = False
            self.direct_output = self.direct_input = None  # the end of a pipe is the business of its two threads
            if state is not _WAITING_FOR_DELIMITER:
                self._in_active = False

    # -- high-water marks -------------------------------------------------------------------------------------------

    def _set_limits(self, inhwm: int, outhwm: int) -> None:
        self._lwm = (inhwm + 1) // 2
        self._credit_at = self._msgs_read - self._msgs_read % self._lwm + self._lwm if self._lwm else _NO_LIMIT
        self._hwm = outhwm
        self._update_write_limit()

    def _update_write_limit(self) -> None:
        self._write_limit = self._peers_msgs_read + self._hwm if self._hwm > 0 else _NO_LIMIT

    def set_hwms_boost(self, inhwmboost: int, outhwmboost: int) -> None:
        """What the other socket of an inproc pipe adds to the limits (0: the other side has no limit)."""
        self._in_hwm_boost = inhwmboost
        self._out_hwm_boost = outhwmboost
        self.set_hwms(*self._own_hwms)

    def set_hwms(self, inhwm: int, outhwm: int) -> None:
        """New limits of the own socket, in messages, 0 or less: no limit."""
        self._own_hwms = (inhwm, outhwm)
        in_sum = inhwm + max(self._in_hwm_boost, 0)
        out_sum = outhwm + max(self._out_hwm_boost, 0)
        if inhwm <= 0 or self._in_hwm_boost == 0:
            in_sum = 0
        if outhwm <= 0 or self._out_hwm_boost == 0:
            out_sum = 0
        self._set_limits(in_sum, out_sum)
        if self._lwm and self._msgs_read:
            # With a lower limit the writer may wait for a credit that is not due: say what has been read.
            self._send_credit()
        if self.check_hwm():
            self._reopen()

    def send_hwms_to_peer(self, inhwm: int, outhwm: int) -> None:
        """Tell the other end what this socket's limits are to it now."""
        if self._state is _ACTIVE and self._peer is not None:
            self.send_pipe_hwm(self._peer, inhwm, outhwm, self._in_hwm_boost >= 0)

    def process_pipe_hwm(self, inhwm: int, outhwm: int, boost: bool) -> None:
        """New limits, set at the other end.

        Departs: over inproc they are what the other socket adds to ours, so they replace the boost. libzmq takes them
        for our own and adds the old boost, which sums new and old values of the same socket.
        """
        if boost:
            self.set_hwms_boost(inhwm, outhwm)
        else:
            self.set_hwms(inhwm, outhwm)

    # -- counts for the monitor -------------------------------------------------------------------------------------

    def send_stats_to_peer(self, socket: Any) -> None:
        """Ask for a PIPES_STATS event."""
        if self._state is _ACTIVE and self._peer is not None:
            self.send_pipe_peer_stats(
                self._peer, self._msgs_written - self._peers_msgs_read, socket, self.endpoint_pair
            )

    def process_pipe_peer_stats(self, queue_count: int, socket: Any, endpoint_pair: Any) -> None:
        """Add the own count."""
        self.send_pipe_stats_publish(socket, queue_count, self._msgs_written - self._peers_msgs_read, endpoint_pair)

    # -- out-of-band messages ---------------------------------------------------------------------------------------

    def send_disconnect_msg(self) -> None:
        """Write the message that tells the peer's user of the end (ZMQ_DISCONNECT_MSG). The limit does not hold."""
        if self.disconnect_msg and self._state is _ACTIVE:
            self.rollback()
            self._out_queue.append(self.disconnect_msg)
            self.flush()

    def send_hiccup_msg(self, hiccup_msg: bytes) -> None:
        """Write the message that tells the peer's user of a lost connection (ZMQ_HICCUP_MSG)."""
        if hiccup_msg and self._state is _ACTIVE:
            self._out_queue.append(hiccup_msg)
            self.flush()

    def set_peer_direct_output(self, direct_output: Callable[[], bool] | None) -> None:
        """Let the writer at the other end empty this end's queue itself, or no longer."""
        if self._peer is not None:
            self._peer.direct_output = direct_output

    def set_peer_direct_input(self, direct_input: Callable[[Mailbox], None] | None) -> None:
        """Let the reader at the other end ask for the input, or no longer."""
        if self._peer is not None:
            self._peer.direct_input = direct_input

    @property
    def peer(self) -> Pipe | None:
        """The other end; None once it is gone."""
        return self._peer

    def set_peer_metadata(self, metadata: Mapping[str, str] | None) -> None:
        """Name the properties of the connection behind this end, for the reader at the other."""
        if self._peer is not None:
            self._peer.metadata = metadata

    def write_oob(self, msg: Msg) -> None:
        """Write an item that does not count as a message (a routing id)."""
        if self._out_open and self._state is _ACTIVE:
            self._out_queue.append(msg)


def pipepair(
    parents: tuple[ZmqObject, ZmqObject], hwms: tuple[int, int], conflate: tuple[bool, bool] = (False, False)
) -> tuple[Pipe, Pipe]:
    """Two joined ends in the threads of `parents`.

    `hwms[0]` limits what end 0 writes and end 1 reads, `hwms[1]` the other direction.  `conflate[i]` makes the queue
    that end i reads from keep the newest message only; its limit is then void.
    """
    upipe0: YPipe[Message] = YPipeConflate() if conflate[0] else YPipe()
    upipe1: YPipe[Message] = YPipeConflate() if conflate[1] else YPipe()
    class0: type[Pipe] = ConflatingPipe if conflate[1] else Pipe
    class1: type[Pipe] = ConflatingPipe if conflate[0] else Pipe
    end0 = class0(parents[0], upipe0, upipe1, hwms[1], hwms[0])
    end1 = class1(parents[1], upipe1, upipe0, hwms[0], hwms[1])
    end0.set_peer(end1)
    end1.set_peer(end0)
    return end0, end1


class ConflatingPipe(Pipe):
    """An end that writes into a queue of one place: frames of a multipart message replace each other (libzmq too)."""

    __slots__ = ()

    def write(self, msg: Message) -> bool:
        """Replace what waits."""
        return super().write(_last_frame(msg))

    def send(self, msg: Message) -> bool:
        """Replace what waits, and wake the reader."""
        return super().send(_last_frame(msg))

    def write_part(self, frame: Frame, more: bool) -> bool:
        """Every frame counts as a message of its own."""
        return super().write(_last_frame(frame))  # type: ignore[arg-type]

    def send_batch(self, msgs: list[Message]) -> int:
        """Replace what waits by the last of `msgs`."""
        if msgs:
            super().send_batch([_last_frame(msgs[-1])])
        return len(msgs)


def _last_frame(msg: Message) -> Message:
    return msg[-1] if type(msg) is tuple else msg  # type: ignore[return-value]
