# SPDX-License-Identifier: MPL-2.0
"""Devices that run a monitored queue.

No libzmq twin: pyzmq's devices/monitoredqueuedevice.py.
"""

from __future__ import annotations

from libzmq_py.constants import PUB
from libzmq_py.devices.monitoredqueue import monitored_queue
from libzmq_py.devices.proxydevice import ProcessProxy, Proxy, ProxyBase, ThreadProxy


class MonitoredQueueBase(ProxyBase):
    """A monitored queue in place of the proxy.

    Args:
        in_type: Type of the socket at the front.
        out_type: Type of the socket at the back.
        mon_type: Type of the one that is sent copies.
        in_prefix: The prefix of messages that came in at the front.
        out_prefix: The prefix of those that came in at the back.
    """

    def __init__(
        self, in_type: int, out_type: int, mon_type: int = PUB, in_prefix: bytes = b"in", out_prefix: bytes = b"out"
    ) -> None:
        super().__init__(in_type=in_type, out_type=out_type, mon_type=mon_type)
        self._in_prefix = in_prefix
        self._out_prefix = out_prefix

    def run_device(self) -> None:
        """Make the sockets and pass messages until the context ends."""
        front, back, monitor = self._setup_sockets()
        monitored_queue(front, back, monitor, self._in_prefix, self._out_prefix)


class MonitoredQueue(MonitoredQueueBase, Proxy):
    """A monitored queue, in the calling thread."""


class ThreadMonitoredQueue(MonitoredQueueBase, ThreadProxy):
    """A monitored queue, in a thread."""


class ProcessMonitoredQueue(MonitoredQueueBase, ProcessProxy):
    """A monitored queue, in a process."""


__all__ = ["MonitoredQueue", "ProcessMonitoredQueue", "ThreadMonitoredQueue"]
