# SPDX-License-Identifier: MPL-2.0
"""Devices: a proxy that makes its own sockets, in this thread, a thread of its own, or a process of its own.

A device is told the *types* of its sockets, and what to set, bind and connect, beforehand; it makes them where it runs,
as sockets belong to one thread::

    device = ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    device.bind_in("tcp://127.0.0.1:5555")
    device.bind_out("tcp://127.0.0.1:5556")
    device.start()

No libzmq twin: pyzmq's zmq/devices.
"""

from libzmq_py.api.functions import proxy
from libzmq_py.constants import DeviceType
from libzmq_py.devices.basedevice import Device, ProcessDevice, ThreadDevice
from libzmq_py.devices.monitoredqueue import monitored_queue
from libzmq_py.devices.monitoredqueuedevice import MonitoredQueue, ProcessMonitoredQueue, ThreadMonitoredQueue
from libzmq_py.devices.proxydevice import ProcessProxy, Proxy, ThreadProxy
from libzmq_py.devices.proxysteerabledevice import ProcessProxySteerable, ProxySteerable, ThreadProxySteerable

__all__ = [
    "Device",
    "DeviceType",
    "MonitoredQueue",
    "ProcessDevice",
    "ProcessMonitoredQueue",
    "ProcessProxy",
    "ProcessProxySteerable",
    "Proxy",
    "ProxySteerable",
    "ThreadDevice",
    "ThreadMonitoredQueue",
    "ThreadProxy",
    "ThreadProxySteerable",
    "monitored_queue",
    "proxy",
]
