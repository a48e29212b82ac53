# SPDX-License-Identifier: MPL-2.0
"""Devices with a third socket, which is sent a copy of every message.

No libzmq twin: pyzmq's devices/proxydevice.py.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.api.functions import proxy
from libzmq_py.api.socket import Socket
from libzmq_py.constants import PUB
from libzmq_py.devices.basedevice import Device, Plan, ProcessDevice, ThreadDevice


class ProxyBase(Device):
    """The third socket.

    Args:
        in_type: Type of the socket at the front.
        out_type: Type of the socket at the back; negative uses the one at the front for both.
        mon_type: Type of the one that is sent copies; PUB loses them when nobody listens, PUSH waits for somebody.
    """

    def __init__(self, in_type: int, out_type: int, mon_type: int = PUB) -> None:
        super().__init__(in_type=in_type, out_type=out_type)
        self.mon_type = mon_type
        self._mon = Plan()

    def bind_mon(self, addr: str) -> None:
        """Bind the monitor to an endpoint when it exists."""
        self._mon.binds.append(addr)

    def bind_mon_to_random_port(self, addr: str, *args: Any, **kwargs: Any) -> int:
        """Bind the monitor to a port that is free now; otherwise as ``Socket.bind_to_random_port``."""
        return self._bind_to_random_port(self._mon, addr, *args, **kwargs)

    def connect_mon(self, addr: str) -> None:
        """Connect the monitor to an endpoint when it exists."""
        self._mon.connects.append(addr)

    def setsockopt_mon(self, opt: int, value: Any) -> None:
        """Set an option of the monitor when it exists."""
        self._mon.sockopts.append((opt, value))

    def _setup_sockets(self) -> tuple[Socket[Any], ...]:
        sockets = super()._setup_sockets()
        monitor = self._make_socket(self.mon_type)
        self._mon.apply(monitor)
        return (*sockets, monitor)

    def run_device(self) -> None:
        """Make the sockets and pass messages until the context ends."""
        proxy(*self._setup_sockets())


class Proxy(ProxyBase, Device):
    """A device with a monitor, in the calling thread."""


class ThreadProxy(ProxyBase, ThreadDevice):
    """A device with a monitor, in a thread."""


class ProcessProxy(ProxyBase, ProcessDevice):
    """A device with a monitor, in a process."""


__all__ = ["ProcessProxy", "Proxy", "ThreadProxy"]
