# SPDX-License-Identifier: MPL-2.0
"""Device: sockets that are described before they are made, and a proxy between them.

Each socket of a device has a ``Plan``: what to set, bind and connect once it exists. Subclasses add sockets (a monitor,
a control) by adding plans.

No libzmq twin: pyzmq's devices/basedevice.py.
Departs: a random port that was reserved for the device is not given to another socket of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing import Process
from threading import Thread
from typing import Any

from libzmq_py.api.context import Context
from libzmq_py.api.functions import proxy
from libzmq_py.api.socket import Socket
from libzmq_py.constants import ENOTSOCK, ETERM, PUSH, QUEUE
from libzmq_py.errors import ZMQBindError, ZMQError

#: How often to look for a random port that the device does not have yet.
_PORT_TRIES = 5
#: Seconds between two looks whether a device that is run elsewhere has ended.
_LOOK_AGAIN = 0.001


class Plan:
    """What is to be done with a socket that does not exist yet, in this order: options, binds, connects."""

    def __init__(self) -> None:
        self.binds: list[str] = []
        self.connects: list[str] = []
        self.sockopts: list[tuple[int, Any]] = []

    def set_options(self, socket: Socket[Any]) -> None:
        """Set the options (first of all, as ROUTING_ID and others act on what is bound and connected later)."""
        for option, value in self.sockopts:
            socket.setsockopt(option, value)

    def apply(self, socket: Socket[Any]) -> None:
        """Do all of it."""
        self.set_options(socket)
        self.bind(socket)
        self.connect(socket)

    def bind(self, socket: Socket[Any]) -> None:
        """Do the binds."""
        for address in self.binds:
            socket.bind(address)

    def connect(self, socket: Socket[Any]) -> None:
        """Do the connects."""
        for address in self.connects:
            socket.connect(address)


class Device:
    """A proxy between two sockets that it makes itself, run by ``start`` in the calling thread.

    Args:
        device_type: ``zmq.QUEUE``, ``zmq.FORWARDER`` or ``zmq.STREAMER``; all do the same.
        in_type: Type of the socket at the front.
        out_type: Type of the socket at the back; negative uses the one at the front for both.

    Attributes:
        daemon: Whether a thread or process it runs in is a daemon; true at first.
        done: True when it has ended.
        context_factory: Makes, or finds, the context; an attribute of the class.

    Raises:
        TypeError: A type is missing.
    """

    context_factory: Callable[[], Context[Any]] = Context.instance

    daemon: bool
    device_type: int
    done: bool
    in_type: int
    out_type: int

    def __init__(self, device_type: int = QUEUE, in_type: int | None = None, out_type: int | None = None) -> None:
        if in_type is None:
            raise TypeError("in_type must be specified")
        if out_type is None:
            raise TypeError("out_type must be specified")
        self.device_type = device_type
        self.in_type = in_type
        self.out_type = out_type
        self.daemon = True
        self.done = False
        self._in, self._out = Plan(), Plan()
        self._random_addrs: list[str] = []
        self._sockets: list[Socket[Any]] = []
        self._context: Context[Any] | None = None

    # -- what is to be done with the sockets

    def bind_in(self, addr: str) -> None:
        """Bind the front to an endpoint when it exists."""
        self._in.binds.append(addr)

    def bind_in_to_random_port(self, addr: str, *args: Any, **kwargs: Any) -> int:
        """Bind the front to a port that is free now; otherwise as ``Socket.bind_to_random_port``."""
        return self._bind_to_random_port(self._in, addr, *args, **kwargs)

    def connect_in(self, addr: str) -> None:
        """Connect the front to an endpoint when it exists."""
        self._in.connects.append(addr)

    def setsockopt_in(self, opt: int, value: Any) -> None:
        """Set an option of the front when it exists."""
        self._in.sockopts.append((opt, value))

    def bind_out(self, addr: str) -> None:
        """Bind the back to an endpoint when it exists."""
        self._out.binds.append(addr)

    def bind_out_to_random_port(self, addr: str, *args: Any, **kwargs: Any) -> int:
        """Bind the back to a port that is free now; otherwise as ``Socket.bind_to_random_port``."""
        return self._bind_to_random_port(self._out, addr, *args, **kwargs)

    def connect_out(self, addr: str) -> None:
        """Connect the back to an endpoint when it exists."""
        self._out.connects.append(addr)

    def setsockopt_out(self, opt: int, value: Any) -> None:
        """Set an option of the back when it exists."""
        self._out.sockopts.append((opt, value))

    def _bind_to_random_port(self, plan: Plan, addr: str, *args: Any, **kwargs: Any) -> int:
        port = self._reserve_random_port(addr, *args, **kwargs)
        plan.binds.append(f"{addr}:{port}")
        return port

    def _reserve_random_port(self, addr: str, *args: Any, **kwargs: Any) -> int:
        """Find a free port that no other socket of this device is to have."""
        with Context() as context, context.socket(PUSH) as binder:
            for _ in range(_PORT_TRIES):
                port = binder.bind_to_random_port(addr, *args, **kwargs)
                address = f"{addr}:{port}"
                if address not in self._random_addrs:
                    self._random_addrs.append(address)
                    return port
        raise ZMQBindError(f"Could not reserve a random port ({addr}).")

    # -- running

    def _make_socket(self, socket_type: int) -> Socket[Any]:
        if self._context is None:
            raise AssertionError("set before the first socket is made")
        socket: Socket[Any] = self._context.socket(socket_type)
        self._sockets.append(socket)
        return socket

    def _setup_sockets(self) -> tuple[Socket[Any], ...]:
        """Make the sockets; a subclass adds its own behind these two."""
        self._context = self.context_factory()
        front = self._make_socket(self.in_type)
        back = front if self.out_type < 0 else self._make_socket(self.out_type)
        # One may be the other: all options before all binds.
        self._in.set_options(front)
        self._out.set_options(back)
        self._in.bind(front)
        self._out.bind(back)
        self._in.connect(front)
        self._out.connect(back)
        return front, back

    def run_device(self) -> None:
        """Make the sockets and pass messages until the context ends. ``start`` calls it, by way of ``run``."""
        proxy(*self._setup_sockets())

    def run(self) -> None:
        """Call ``run_device``; that the context ends, or a socket is closed, is the usual end and no error."""
        try:
            self.run_device()
        except ZMQError as error:
            if error.errno not in (ETERM, ENOTSOCK):
                raise
        finally:
            self.done = True
            self._close_sockets()

    def _close_sockets(self) -> None:
        for socket in self._sockets:
            if not socket.closed:
                socket.close()

    def start(self) -> None:
        """Run it; returns when it has ended."""
        self.run()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, for ``timeout`` seconds at most."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.done and (deadline is None or time.monotonic() < deadline):
            time.sleep(_LOOK_AGAIN)


class BackgroundDevice(Device):
    """A device that ``start`` runs somewhere else.

    Attributes:
        launcher: The thread or process it runs in.
    """

    launcher: Any = None
    _launch_class: Any = None

    def start(self) -> None:
        """Start it; returns at once."""
        launcher = self._launch_class(target=self.run)
        launcher.daemon = self.daemon
        # A process is given a copy of the device, which has no launcher yet.
        launcher.start()
        self.launcher = launcher

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, for ``timeout`` seconds at most."""
        self.launcher.join(timeout=timeout)


class ThreadDevice(BackgroundDevice):
    """A device in a thread of its own, with the context of the process."""

    _launch_class = Thread


class ProcessDevice(BackgroundDevice):
    """A device in a process of its own, with a context of its own."""

    _launch_class = Process
    context_factory = Context


__all__ = ["Device", "ProcessDevice", "ThreadDevice"]
