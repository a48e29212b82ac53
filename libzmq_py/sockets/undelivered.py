# SPDX-License-Identifier: MPL-2.0
"""What a context that does not end is waiting for, in words.

No libzmq twin: there term() waits without a word.

Runs in the thread that waits, and looks at objects of other threads while they work: it only reads, each time through
one atomic step (a copy of a list, the length of a deque), so what it says may be a moment old, and it may not be wrong
in another way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from libzmq_py.msg import DELIMITER

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe
    from libzmq_py.sockets.socket_base import SocketBase

_HINT = (
    "A socket that is open is waited for until it is closed; one that was closed has messages to deliver for the time "
    "that its LINGER says. To end it: set LINGER (milliseconds) before close, close(linger=0), or "
    "Context.destroy(linger=0); Ctrl-C ends the wait, and term() may be called again."
)


def describe(sockets: Iterable[SocketBase]) -> str:
    """Say of each socket whether it is open, or what it holds for whom; "" if nothing keeps the context."""
    lines = [line for socket in sorted(sockets, key=_number) if (line := _describe_socket(socket))]
    return "\n".join([*lines, _HINT]) if lines else ""


def _number(socket: SocketBase) -> int:
    return socket.options.socket_id


def _describe_socket(socket: SocketBase) -> str:
    name = f"{type(socket).__name__.upper()} socket {_number(socket)}"
    if not socket.closed:
        return f"{name} is open"
    held = [_describe_pipe(socket, pipe) for pipe in list(socket._pipes.items)]
    if not held:
        return ""  # it is about to end
    linger = socket.options.linger
    limit = "without limit" if linger < 0 else f"{linger} ms"
    return f"{name} is closed (LINGER {limit}) and holds {', '.join(held)}"


def _describe_pipe(socket: SocketBase, pipe: Pipe) -> str:
    count = _count(pipe)
    # The queue is empty when the last of them are with the connection, which has not got rid of them yet.
    what = f"{count} message{'' if count == 1 else 's'}" if count else "what is being sent"
    return f"{what} for {_endpoint(socket, pipe)} ({_state(pipe)})"


def _count(pipe: Pipe) -> int:
    queue = pipe._out_queue
    try:
        return len(queue) - (queue[-1] is DELIMITER)
    except IndexError:
        return 0


def _endpoint(socket: SocketBase, pipe: Pipe) -> str:
    pair = pipe.endpoint_pair
    if pair is None:
        return next((name for name, pipes in list(socket._inprocs.items()) if pipe in pipes), "an inproc peer")
    return pair.remote or pair.identifier


def _state(pipe: Pipe) -> str:
    peer = pipe._peer
    session: Any = None if peer is None else peer._sink
    if session is None or not hasattr(session, "_engine"):
        return "not read by the peer"
    return "not connected" if session._engine is None else "connected, and slow to read"
