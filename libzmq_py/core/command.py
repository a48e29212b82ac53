# SPDX-License-Identifier: MPL-2.0
"""The closed list of commands that objects of different threads send each other.

Mirrors: src/command.hpp.
Departs: a command is a plain tuple `(destination, kind, arguments)`.  `inproc_connected`, `conn_failed` and the other
kinds keep libzmq's names, so that a trace of either library reads the same.  There is no `own` (see `own.py`).
"""

from __future__ import annotations

import enum
from typing import Any


class CommandType(enum.Enum):
    """What a command asks of its receiver; the value names the receiver's method, `process_<value>`."""

    def __init__(self, value: str) -> None:
        # Hot path: attributes, as looking an enum member up in a dict runs its __hash__ in Python.
        self.handler = f"process_{value}"
        # Sent under a sequence number, as it may come from any thread at any time; see `own.py`.
        self.counted = value in ("plug", "attach", "bind", "inproc_connected")

    STOP = "stop"  # ctx -> socket, io thread, reaper: the context ends
    PLUG = "plug"  # parent -> io object: register with your io thread
    ATTACH = "attach"  # connecter, listener -> session: here is your engine
    BIND = "bind"  # session, inproc peer -> socket: here is your end of a pipe
    ACTIVATE_READ = "activate_read"  # pipe writer -> reader that slept: there is something to read
    ACTIVATE_WRITE = "activate_write"  # pipe reader -> writer: so many messages have been read in all
    LEND_INPUT = "lend_input"  # socket -> session (ours): let my thread read, or take the input back
    HICCUP = "hiccup"  # pipe reader -> writer: write to this new queue from now on
    PIPE_TERM = "pipe_term"  # pipe end -> its peer: let us end
    PIPE_TERM_ACK = "pipe_term_ack"  # pipe end -> its peer: agreed
    PIPE_HWM = "pipe_hwm"  # pipe end -> its peer: your new high-water marks
    PIPE_PEER_STATS = "pipe_peer_stats"  # socket's end -> session's end: how many messages do you hold
    PIPE_STATS_PUBLISH = "pipe_stats_publish"  # session's end -> socket: the two counts, for the monitor
    TERM_REQ = "term_req"  # child -> owner: I want to end
    TERM = "term"  # owner -> child: end, within this linger
    TERM_ACK = "term_ack"  # child -> owner: I have ended
    TERM_ENDPOINT = "term_endpoint"  # session -> socket: disconnect this endpoint
    REAP = "reap"  # closing socket -> reaper: take me over
    REAPED = "reaped"  # socket -> reaper: I am gone
    INPROC_CONNECTED = "inproc_connected"  # binder -> earlier connecter: balances a sequence number
    CONN_FAILED = "conn_failed"  # connecter -> session: give up
    DONE = "done"  # reaper -> ctx: no socket is left


Command = tuple[Any, CommandType, tuple[Any, ...]]
"""Destination (a `ZmqObject`, which this module need not know), kind, arguments of the handler."""
