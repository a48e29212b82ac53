# SPDX-License-Identifier: MPL-2.0
"""Reading what a socket's monitor sends.

No libzmq twin: the format is that of version 1 events in src/socket_base.cpp (``zmq_socket_monitor``); pyzmq's
utils/monitor.py. Versions 2 and up are not parsed here.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, overload

from libzmq_py.constants import Event

if TYPE_CHECKING:
    from libzmq_py.api.socket import Socket

# Event and value, in the machine's byte order, without padding.
_EVENT = struct.Struct("=hi")


class _MonitorMessage(TypedDict):
    event: int
    value: int
    endpoint: bytes


def parse_monitor_message(msg: Sequence[bytes]) -> _MonitorMessage:
    """Decode one monitor message.

    Args:
        msg: Its two frames: event with value, and endpoint.

    Returns:
        A dict of ``event``, ``value`` (a descriptor, an errno, milliseconds, a protocol error: by event; see
        zmq_socket_monitor) and ``endpoint``.

    Raises:
        RuntimeError: It is no such message.
    """
    if len(msg) != 2 or len(msg[0]) != _EVENT.size:
        raise RuntimeError(f"Invalid event message format: {msg}")
    event, value = _EVENT.unpack(msg[0])
    # In C both are unsigned; the high bit only occurs in values that mean -1.
    return {"event": Event(event), "value": Event(value), "endpoint": msg[1]}


@overload
def recv_monitor_message(socket: Socket[bytes], flags: int = 0) -> _MonitorMessage: ...
@overload
def recv_monitor_message(socket: Any, flags: int = 0) -> _MonitorMessage | Awaitable[_MonitorMessage]: ...
def recv_monitor_message(socket: Any, flags: int = 0) -> _MonitorMessage | Awaitable[_MonitorMessage]:
    """Receive and decode one monitor message.

    Args:
        socket: The PAIR socket connected to the monitor (``Socket.get_monitor_socket``); an asynchronous one gives an
            awaitable.
        flags: As for ``Socket.recv``.

    Raises:
        ZMQError: As ``Socket.recv_multipart``.
        RuntimeError: Something else was received.
    """
    msg = socket.recv_multipart(flags)
    if isinstance(msg, Awaitable):
        return _parse_later(msg)
    return parse_monitor_message(msg)


async def _parse_later(msg: Awaitable[list[bytes]]) -> _MonitorMessage:
    return parse_monitor_message(await msg)


__all__ = ["parse_monitor_message", "recv_monitor_message"]
