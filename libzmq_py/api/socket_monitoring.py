# SPDX-License-Identifier: MPL-2.0
"""What a socket tells of its connections: its monitor, and the handshakes that failed.

Mirrors: zmq_socket_monitor, zmq_socket_monitor_versioned and zmq_socket_monitor_pipes_stats of src/zmq.cpp; pyzmq's
sugar/socket.py. A part of ``socket.py``; what the messages say, ``monitor.py`` reads.
Departs, from pyzmq: ``monitor`` takes ``version`` and ``type``; ``monitor_pipes_stats`` and ``last_handshake_failures``
are new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from libzmq_py.api.live import DeadSocket, SocketHandle
from libzmq_py.api.socket_endpoints import endpoint_text
from libzmq_py.constants import EVENT_ALL, PAIR

if TYPE_CHECKING:
    from typing_extensions import Self

    from libzmq_py.api.context import Context
    from libzmq_py.engines.i_engine import HandshakeFailure


class MonitorMethods(SocketHandle):
    """The part of ``Socket`` that has to do with its monitor."""

    _monitor_socket: Any = None
    context: Context[Any]

    def monitor(
        self, addr: str | bytes | None, events: int = EVENT_ALL, version: int = 1, type: int = PAIR
    ) -> None:
        """Send events of this socket to an inproc endpoint.

        Args:
            addr: ``inproc://name``, to which a socket of the given type then connects; None stops it.
            events: Which: EVENT_CONNECTED | EVENT_DISCONNECTED ...
            version: Of the message format: ``parse_monitor_message`` reads 1, ``parse_monitor_message_v2`` reads 2,
                which tells both ends of a connection and knows EVENT_PIPES_STATS. With another nothing is ever sent.
            type: Of the socket that sends them: PAIR, PUB or PUSH.

        Raises:
            ZMQError: EINVAL, another type, or version 1 with events it does not know; EPROTONOSUPPORT, not inproc;
                EADDRINUSE; EMFILE; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_socket_monitor, zmq_socket_monitor_versioned.
        """
        self._core.monitor(None if addr is None else endpoint_text(addr), events, version, type)

    def monitor_pipes_stats(self) -> None:
        """Have the monitor (version 2) send an EVENT_PIPES_STATS for each pipe.

        Raises:
            ZMQError: EINVAL, no monitor wants it; EAGAIN, there is no pipe; ENOTSOCK.

        zmq_socket_monitor_pipes_stats.
        """
        self._core.monitor_pipes_stats()

    def get_monitor_socket(self, events: int | None = None, addr: str | None = None) -> Self:
        """Start a monitor and return the PAIR socket that receives its messages; an open one is returned again.

        Args:
            events: Which; None is all.
            addr: The endpoint between the two; None makes one up.

        Raises:
            ZMQError: As ``monitor``.
        """
        existing = self._monitor_socket
        if existing is not None and not existing.closed:
            return cast("Self", existing)
        if addr is None:
            core = self._core
            if isinstance(core, DeadSocket):
                core.refuse()
            # The number that FD reads, without the cost of somebody watching it, and the socket's own: a descriptor is
            # used again at once, while the name of a monitor that was closed just before may still be bound.
            addr = f"inproc://monitor.s-{core.mailbox.fd}-{core.options.socket_id}"
        self.monitor(addr, EVENT_ALL if events is None else events)
        self._monitor_socket = receiver = self.context.socket(PAIR)
        receiver.connect(addr)
        return cast("Self", receiver)

    def disable_monitor(self) -> None:
        """Stop the monitor, and forget the socket of ``get_monitor_socket``, which stays open."""
        self._monitor_socket = None
        self.monitor(None, 0)

    @property
    def last_handshake_failures(self) -> list[HandshakeFailure]:
        """Why connections did not come to be, newest last: who the peer was, what was waited for, which event told of
        it, and the reason in words (``str`` makes a line of it). The last 32 are kept. (Not in pyzmq.)
        """
        core = self._core
        return [] if isinstance(core, DeadSocket) else list(core.handshake_failures)
