# SPDX-License-Identifier: MPL-2.0
"""Base of everything that lives in one thread and is sent commands by others.

Mirrors: src/object.cpp, src/object.hpp.
Departs: the dispatch is a table from command type to method name, and arguments are opaque here, so that this module
need not know the classes it serves.  The context is seen through the Protocol `Context` below.

An object's *tid* is the slot of the thread whose mailbox takes its commands.  Objects created by an object inherit it.
Commands to one tid arrive in the order they were sent; there is no order across tids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from libzmq_py.core.command import CommandType

if TYPE_CHECKING:
    from libzmq_py.core.command import Command
    from libzmq_py.core.ypipe import YPipe

TERM_TID: Final = 0
REAPER_TID: Final = 1
ACTIVATE_READ: Final = CommandType.ACTIVATE_READ
ACTIVATE_WRITE: Final = CommandType.ACTIVATE_WRITE
# The commands that every connection needs, as names of this module: to look a member up on its class costs.
_PLUG: Final = CommandType.PLUG
_ATTACH: Final = CommandType.ATTACH
_BIND: Final = CommandType.BIND
_TERM_REQ: Final = CommandType.TERM_REQ
_TERM: Final = CommandType.TERM
_TERM_ACK: Final = CommandType.TERM_ACK


class Context(Protocol):
    """What every object needs of the context (satisfied by `libzmq_py.ctx.Ctx`)."""

    def send_command(self, tid: int, command: Command) -> None:
        """Put a command into the mailbox of a thread."""

    def choose_io_thread(self, affinity: int) -> Any:
        """The least loaded I/O thread allowed by the mask, or None."""

    def find_endpoint(self, addr: str) -> Any:
        """The inproc endpoint of that name, its socket's sequence number incremented; None if there is none."""


class ZmqObject:
    """`object_t`. All `send_*` may be called by the object's own thread; `process_*` are called by it."""

    __slots__ = ("ctx", "tid")

    def __init__(self, ctx: Any, tid: int) -> None:
        self.ctx = ctx
        self.tid = tid

    # -- dispatch ---------------------------------------------------------------------------------------------------

    def process_command(self, command: Command) -> None:
        """Run the handler of a command addressed to this object."""
        kind = command[1]
        getattr(self, kind.handler)(*command[2])
        if kind.counted:
            self.process_seqnum()

    def process_seqnum(self) -> None:
        """A command sent under a sequence number has been processed."""
        self._unexpected("with a sequence number")

    def _send_command(self, destination: ZmqObject, kind: CommandType, *args: Any) -> None:
        # Where commands leave an object (the frequent ones do so by themselves).
        self.ctx.send_command(destination.tid, (destination, kind, args))

    def choose_io_thread(self, affinity: int) -> Any:
        """The least loaded I/O thread allowed by the mask, or None."""
        return self.ctx.choose_io_thread(affinity)

    # -- senders ----------------------------------------------------------------------------------------------------

    def send_stop(self) -> None:
        """To this object itself, from any thread."""
        self.ctx.send_command(self.tid, (self, CommandType.STOP, ()))

    def send_plug(self, destination: Any, inc_seqnum: bool = True) -> None:
        """Ask a new I/O object to register with its thread."""
        if inc_seqnum:
            destination.inc_seqnum()
        self.ctx.send_command(destination.tid, (destination, _PLUG, ()))

    def send_attach(self, destination: Any, engine: Any, inc_seqnum: bool = True) -> None:
        """Hand an engine to a session."""
        if inc_seqnum:
            destination.inc_seqnum()
        self.ctx.send_command(destination.tid, (destination, _ATTACH, (engine,)))

    def send_bind(self, destination: Any, pipe: Any, inc_seqnum: bool = True) -> None:
        """Hand a pipe end to a socket."""
        if inc_seqnum:
            destination.inc_seqnum()
        self.ctx.send_command(destination.tid, (destination, _BIND, (pipe,)))

    def send_activate_read(self, destination: ZmqObject) -> None:
        """Wake the reading end of a pipe. Hot path: not through `_send_command`."""
        self.ctx.send_command(destination.tid, (destination, ACTIVATE_READ, ()))

    def send_activate_write(self, destination: ZmqObject, msgs_read: int) -> None:
        """Tell the writing end how many messages have been read in all. Hot path: not through `_send_command`."""
        self.ctx.send_command(destination.tid, (destination, ACTIVATE_WRITE, (msgs_read,)))

    def send_hiccup(self, destination: ZmqObject, pipe: YPipe[Any]) -> None:
        """Give the writing end a new queue."""
        self._send_command(destination, CommandType.HICCUP, pipe)

    def send_pipe_peer_stats(self, destination: ZmqObject, queue_count: int, socket: Any, endpoint_pair: Any) -> None:
        """Ask the other end for its count."""
        self._send_command(destination, CommandType.PIPE_PEER_STATS, queue_count, socket, endpoint_pair)

    def send_pipe_stats_publish(
        self, destination: ZmqObject, outbound: int, inbound: int, endpoint_pair: Any
    ) -> None:
        """Hand both counts to the socket that asked."""
        self._send_command(destination, CommandType.PIPE_STATS_PUBLISH, outbound, inbound, endpoint_pair)

    def send_pipe_term(self, destination: ZmqObject) -> None:
        """Ask the other end of a pipe to end."""
        self._send_command(destination, CommandType.PIPE_TERM)

    def send_pipe_term_ack(self, destination: ZmqObject) -> None:
        """Agree to end."""
        self._send_command(destination, CommandType.PIPE_TERM_ACK)

    def send_pipe_hwm(self, destination: ZmqObject, inhwm: int, outhwm: int, boost: bool) -> None:
        """Tell the other end its new high-water marks, or (`boost`) what to add to them."""
        self._send_command(destination, CommandType.PIPE_HWM, inhwm, outhwm, boost)

    def send_term_req(self, destination: ZmqObject, child: Any) -> None:
        """Ask the owner to end me."""
        self.ctx.send_command(destination.tid, (destination, _TERM_REQ, (child,)))

    def send_term(self, destination: ZmqObject, linger: int) -> None:
        """Tell a child to end within `linger` milliseconds (-1: no limit)."""
        self.ctx.send_command(destination.tid, (destination, _TERM, (linger,)))

    def send_term_ack(self, destination: ZmqObject) -> None:
        """Tell the owner that I have ended."""
        self.ctx.send_command(destination.tid, (destination, _TERM_ACK, ()))

    def send_term_endpoint(self, destination: ZmqObject, endpoint: str) -> None:
        """Ask a socket to disconnect an endpoint."""
        self._send_command(destination, CommandType.TERM_ENDPOINT, endpoint)

    def send_reap(self, socket: Any) -> None:
        """Hand a closed socket to the reaper."""
        reaper = self.ctx.reaper
        self.ctx.send_command(REAPER_TID, (reaper, CommandType.REAP, (socket,)))

    def send_reaped(self) -> None:
        """Tell the reaper that this socket is gone."""
        reaper = self.ctx.reaper
        self.ctx.send_command(REAPER_TID, (reaper, CommandType.REAPED, ()))

    def send_inproc_connected(self, destination: ZmqObject) -> None:
        """Balance the sequence number taken when the connect was parked."""
        self._send_command(destination, CommandType.INPROC_CONNECTED)

    def send_conn_failed(self, destination: ZmqObject) -> None:
        """Tell a session that its connecter has given up."""
        self._send_command(destination, CommandType.CONN_FAILED)

    def send_done(self) -> None:
        """Tell the context that the last socket is gone. Nobody dispatches this one: term() waits for it."""
        self.ctx.send_command(TERM_TID, (self, CommandType.DONE, ()))

    # -- handlers that only some classes override -------------------------------------------------------------------

    def _unexpected(self, command: str) -> NoReturn:
        # Commands are made by our own objects only: one that nobody handles is an error in this library.
        raise AssertionError(f"{type(self).__name__} was sent the command {command}, which it does not take")

    def process_stop(self) -> None:
        """The context ends."""
        self._unexpected("stop")

    def process_plug(self) -> None:
        """Register with the I/O thread."""
        self._unexpected("plug")

    def process_attach(self, engine: Any) -> None:
        """Adopt an engine."""
        self._unexpected("attach")

    def process_bind(self, pipe: Any) -> None:
        """Adopt a pipe."""
        self._unexpected("bind")

    def process_activate_read(self) -> None:
        """There is something to read again."""
        self._unexpected("activate_read")

    def process_activate_write(self, msgs_read: int) -> None:
        """There is room to write again."""
        self._unexpected("activate_write")

    def process_lend_input(self, mailbox: Any) -> None:
        """Let the thread of a mailbox read, or (None) read again."""
        self._unexpected("lend_input")

    def process_hiccup(self, pipe: YPipe[Any]) -> None:
        """Write to a new queue."""
        self._unexpected("hiccup")

    def process_pipe_peer_stats(self, queue_count: int, socket: Any, endpoint_pair: Any) -> None:
        """Add the own count and publish both."""
        self._unexpected("pipe_peer_stats")

    def process_pipe_stats_publish(self, outbound: int, inbound: int, endpoint_pair: Any) -> None:
        """Show the counts on the monitor."""
        self._unexpected("pipe_stats_publish")

    def process_pipe_term(self) -> None:
        """The other end of the pipe wants to end."""
        self._unexpected("pipe_term")

    def process_pipe_term_ack(self) -> None:
        """The other end of the pipe agrees to end."""
        self._unexpected("pipe_term_ack")

    def process_pipe_hwm(self, inhwm: int, outhwm: int, boost: bool) -> None:
        """Adopt new high-water marks."""
        self._unexpected("pipe_hwm")

    def process_term_req(self, child: Any) -> None:
        """A child wants to end."""
        self._unexpected("term_req")

    def process_term(self, linger: int) -> None:
        """End."""
        self._unexpected("term")

    def process_term_ack(self) -> None:
        """A child has ended."""
        self._unexpected("term_ack")

    def process_term_endpoint(self, endpoint: str) -> None:
        """Disconnect an endpoint."""
        self._unexpected("term_endpoint")

    def process_reap(self, socket: Any) -> None:
        """Take a closed socket over."""
        self._unexpected("reap")

    def process_reaped(self) -> None:
        """A socket is gone."""
        self._unexpected("reaped")

    def process_inproc_connected(self) -> None:
        """A parked inproc connect found its peer."""
        self._unexpected("inproc_connected")

    def process_conn_failed(self) -> None:
        """The connecter has given up."""
        self._unexpected("conn_failed")
