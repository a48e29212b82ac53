# SPDX-License-Identifier: MPL-2.0
"""A queue between two sockets whose monitor tells which way each message went, and that knows ROUTER to ROUTER.

No libzmq twin: pyzmq's devices/monitoredqueue.py.
"""

from __future__ import annotations

from typing import Any, NoReturn

from libzmq_py.api.poll import Poller, core_of
from libzmq_py.api.socket import Socket
from libzmq_py.constants import DONTWAIT, POLLIN, ROUTER
from libzmq_py.errors import Again

#: Messages in one direction before the other has its turn.
_BURST = 1000


def monitored_queue(
    in_socket: Socket[Any],
    out_socket: Socket[Any],
    mon_socket: Socket[Any],
    in_prefix: bytes = b"in",
    out_prefix: bytes = b"out",
) -> NoReturn:
    """Pass messages between two sockets, both ways, until the context ends.

    Between two ROUTERs the first two frames change places: whom it is for comes first when it arrives, then whom it is
    from.

    Args:
        in_socket: The front.
        out_socket: The back.
        mon_socket: Is sent a copy of every message, with a prefix before it.
        in_prefix: The prefix of messages that came in at the front.
        out_prefix: The prefix of those that came in at the back.

    Raises:
        ContextTerminated: How it ends.
        TypeError: One is no Socket, or a prefix is no bytes.
        ZMQError: ENOTSOCK, a socket is closed; as ``Socket.recv_multipart`` and ``Socket.send_multipart``.
    """
    for socket in (in_socket, out_socket, mon_socket):
        core_of(socket)
    for name, prefix in (("in_prefix", in_prefix), ("out_prefix", out_prefix)):
        if not isinstance(prefix, bytes):
            raise TypeError(f"{name} must be bytes, got: {prefix!r}")
    swap = in_socket.type == ROUTER and out_socket.type == ROUTER
    poller = Poller()
    poller.register(in_socket, POLLIN)
    poller.register(out_socket, POLLIN)
    while True:
        ready = dict(poller.poll())
        if in_socket in ready:
            _relay(in_socket, out_socket, mon_socket, in_prefix, swap)
        if out_socket in ready:
            _relay(out_socket, in_socket, mon_socket, out_prefix, swap)


def _relay(source: Socket[Any], target: Socket[Any], monitor: Socket[Any], prefix: bytes, swap: bool) -> None:
    """Pass what there is, up to a burst."""
    for _ in range(_BURST):
        try:
            frames = source.recv_multipart(DONTWAIT)
        except Again:
            return
        if swap:
            frames[:2] = frames[1::-1]
        target.send_multipart(frames)
        monitor.send_multipart([prefix, *frames])


__all__ = ["monitored_queue"]
