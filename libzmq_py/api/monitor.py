# SPDX-License-Identifier: MPL-2.0
"""Reading what a socket's monitor sends.

No libzmq twin: the formats are those of src/socket_base.cpp (``zmq_socket_monitor_versioned``); pyzmq's
utils/monitor.py for version 1.
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
# Each number of version 2.
_NUMBER = struct.Struct("=Q")


class _MonitorMessage(TypedDict):
    event: int
    value: int
    endpoint: bytes


class _MonitorMessageV2(TypedDict):
    event: int
    values: list[int]
    local: bytes
    remote: bytes


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


def parse_monitor_message_v2(msg: Sequence[bytes]) -> _MonitorMessageV2:
    """Decode one message of a monitor of version 2 (``Socket.monitor(..., version=2)``).

    Args:
        msg: Its frames: event, number of values, the values, local and remote endpoint.

    Returns:
        A dict of ``event``, ``values`` (one, as in version 1; for EVENT_PIPES_STATS two: messages that wait to go out,
        and to come in), ``local`` and ``remote``: the two ends of the connection, of which one may be empty.

    Raises:
        RuntimeError: It is no such message.

    zmq_socket_monitor_versioned.
    """
    if len(msg) < 4 or any(len(frame) != _NUMBER.size for frame in msg[:-2]):
        raise RuntimeError(f"Invalid event message format: {msg}")
    event, count, *values = (_NUMBER.unpack(frame)[0] for frame in msg[:-2])
    if count != len(values):
        raise RuntimeError(f"Invalid event message format: {msg}")
    return {"event": Event(event), "values": values, "local": msg[-2], "remote": msg[-1]}


@overload
def recv_monitor_message(socket: Socket[bytes], flags: int = 0) -> _MonitorMessage: ...
@overload
def recv_monitor_message(socket: Any, flags: int = 0) -> _MonitorMessage | Awaitable[_MonitorMessage]: ...
def recv_monitor_message(socket: Any, flags: int = 0) -> _MonitorMessage | Awaitable[_MonitorMessage]:
    """Receive and decode one monitor message, of version 1.

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


__all__ = ["parse_monitor_message", "parse_monitor_message_v2", "recv_monitor_message"]
