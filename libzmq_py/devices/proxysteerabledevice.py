# SPDX-License-Identifier: MPL-2.0
"""Devices that obey a fourth socket: PAUSE, RESUME, TERMINATE, STATISTICS.

No libzmq twin: pyzmq's devices/proxysteerabledevice.py.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.api.functions import proxy_steerable
from libzmq_py.api.socket import Socket
from libzmq_py.constants import PUB
from libzmq_py.devices.basedevice import Plan
from libzmq_py.devices.proxydevice import ProcessProxy, Proxy, ProxyBase, ThreadProxy


class ProxySteerableBase(ProxyBase):
    """The fourth socket.

    Args:
        in_type: Type of the socket at the front.
        out_type: Type of the socket at the back; negative uses the one at the front for both.
        mon_type: Type of the one that is sent copies.
        ctrl_type: Type of the one that commands come from: PAIR, PULL, SUB, or REP, which answers each.
    """

    def __init__(self, in_type: int, out_type: int, mon_type: int = PUB, ctrl_type: int | None = None) -> None:
        super().__init__(in_type=in_type, out_type=out_type, mon_type=mon_type)
        self.ctrl_type = ctrl_type
        self._ctrl = Plan()

    def bind_ctrl(self, addr: str) -> None:
        """Bind the control to an endpoint when it exists."""
        self._ctrl.binds.append(addr)

    def bind_ctrl_to_random_port(self, addr: str, *args: Any, **kwargs: Any) -> int:
        """Bind the control to a port that is free now; otherwise as ``Socket.bind_to_random_port``."""
        return self._bind_to_random_port(self._ctrl, addr, *args, **kwargs)

    def connect_ctrl(self, addr: str) -> None:
        """Connect the control to an endpoint when it exists."""
        self._ctrl.connects.append(addr)

    def setsockopt_ctrl(self, opt: int, value: Any) -> None:
        """Set an option of the control when it exists."""
        self._ctrl.sockopts.append((opt, value))

    def _setup_sockets(self) -> tuple[Socket[Any], ...]:
        sockets = super()._setup_sockets()
        if self.ctrl_type is None:
            raise TypeError("ctrl_type must be specified")
        control = self._make_socket(self.ctrl_type)
        self._ctrl.apply(control)
        return (*sockets, control)

    def run_device(self) -> None:
        """Make the sockets and pass messages until TERMINATE, or until the context ends."""
        proxy_steerable(*self._setup_sockets())


class ProxySteerable(ProxySteerableBase, Proxy):
    """A device that can be steered, in the calling thread."""


class ThreadProxySteerable(ProxySteerableBase, ThreadProxy):
    """A device that can be steered, in a thread."""


class ProcessProxySteerable(ProxySteerableBase, ProcessProxy):
    """A device that can be steered, in a process."""


__all__ = ["ProcessProxySteerable", "ProxySteerable", "ThreadProxySteerable"]
