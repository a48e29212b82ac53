# SPDX-License-Identifier: MPL-2.0
"""libzmq, object for object, in pure Python, with pyzmq's public names::

    import libzmq_py as zmq

    ctx = zmq.Context()
    push, pull = ctx.socket(zmq.PUSH), ctx.socket(zmq.PULL)
    pull.bind("tcp://127.0.0.1:*")
    push.connect(pull.last_endpoint)
    push.send(b"hello")
    print(pull.recv())

The way of a message; read a side downwards to follow one out, upwards to follow one in. Each line is a package or
module here, and imports only those below it::

    application thread                              I/O thread

    api              arguments, exceptions
    sockets          which peer is next
    core.pipe        queue, high water mark  ~~~>   session_base     joins a pipe to an engine
                                                    transports       how connections come to exist
                                                    engines          fd <-> session, handshake
                                                    mechanisms       NULL, PLAIN, CURVE
                                                    codecs           messages <-> bytes
                                                    the peer

    ctx              makes sockets and threads
    io_threads       poll loops, the reaper
    core             how threads talk: mailboxes, commands (the ~~~>), signals, who owns whom
    options, msg, metadata, endpoint, ip, timers, z85, wire, clock, errors, constants

The classes are fetched from ``libzmq_py.api`` when they are first used: importing the package, or one of its lower
modules by itself, loads nothing else.

Mirrors: include/zmq.h, by way of pyzmq's ``zmq/__init__.py``.
Departs: see ``libzmq_py.api``.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from libzmq_py import constants, error, errors
from libzmq_py.constants import *  # noqa: F403 (both have a static __all__)
from libzmq_py.errors import *  # noqa: F403
from libzmq_py.errors import strerror, zmq_errno

if TYPE_CHECKING:
    from libzmq_py import decorators, devices, log, utils
    from libzmq_py.api.context import Context, SyncContext
    from libzmq_py.api.frame import Frame, Message
    from libzmq_py.api.functions import (
        Stopwatch,
        curve_keypair,
        curve_public,
        device,
        get_includes,
        get_library_dirs,
        has,
        proxy,
        proxy_steerable,
        pyzmq_version,
        pyzmq_version_info,
        zmq_version,
        zmq_version_info,
    )
    from libzmq_py.api.monitor import parse_monitor_message, parse_monitor_message_v2, recv_monitor_message
    from libzmq_py.api.poll import Poller, PollerEvent, SocketPoller, Timers, select, zmq_poll
    from libzmq_py.api.socket import Socket, SyncSocket
    from libzmq_py.api.socket_endpoints import IPC_PATH_MAX_LEN
    from libzmq_py.api.tracker import _FINISHED_TRACKER, MessageTracker

__version__ = "0.1.0"
__revision__ = ""

#: From how many bytes on ``copy=False`` shares memory; sockets and frames made later go by it. May be assigned.
COPY_THRESHOLD = 65536

#: Whether draft features (SERVER, RADIO, ``join`` ...) may be used: not yet.
DRAFT_API = False
PYZMQ_DRAFT_API = False

# Name -> module of the api. `__getattr__` fetches it once; afterwards it is a plain global.
_LAZY = {
    "Context": "context",
    "Frame": "frame",
    "IPC_PATH_MAX_LEN": "socket_endpoints",
    "Message": "frame",
    "MessageTracker": "tracker",
    "Poller": "poll",
    "PollerEvent": "poll",
    "Socket": "socket",
    "SocketPoller": "poll",
    "Stopwatch": "functions",
    "SyncContext": "context",
    "SyncSocket": "socket",
    "Timers": "poll",
    "_FINISHED_TRACKER": "tracker",
    "curve_keypair": "functions",
    "curve_public": "functions",
    "device": "functions",
    "get_includes": "functions",
    "get_library_dirs": "functions",
    "has": "functions",
    "parse_monitor_message": "monitor",
    "parse_monitor_message_v2": "monitor",
    "proxy": "functions",
    "proxy_steerable": "functions",
    "pyzmq_version": "functions",
    "pyzmq_version_info": "functions",
    "recv_monitor_message": "monitor",
    "select": "poll",
    "zmq_poll": "poll",
    "zmq_version": "functions",
    "zmq_version_info": "functions",
}

# Modules that one may use after `import libzmq_py` alone.
_LAZY_MODULES = ("decorators", "devices", "log", "utils")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Fetch a name of the api, or a module, the first time it is used."""
        from importlib import import_module

        if name in _LAZY_MODULES:
            return import_module(f"{__name__}.{name}")
        module_name = _LAZY.get(name)
        if module_name is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.api.{module_name}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LAZY, *_LAZY_MODULES})


class _Package(ModuleType):
    """This module's class: keeps the name ``proxy`` for the function.

    The import system makes a submodule an attribute of its package, proxy.py too, whenever it is imported.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name != "proxy" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

__all__ = [
    "COPY_THRESHOLD",
    "DRAFT_API",
    "IPC_PATH_MAX_LEN",
    "PYZMQ_DRAFT_API",
    "Context",
    "Frame",
    "Message",
    "MessageTracker",
    "Poller",
    "PollerEvent",
    "Socket",
    "SocketPoller",
    "Stopwatch",
    "SyncContext",
    "SyncSocket",
    "Timers",
    "_FINISHED_TRACKER",
    "__revision__",
    "__version__",
    "constants",
    "curve_keypair",
    "curve_public",
    "decorators",
    "device",
    "devices",
    "error",
    "errors",
    "get_includes",
    "get_library_dirs",
    "has",
    "log",
    "parse_monitor_message",
    "parse_monitor_message_v2",
    "proxy",
    "proxy_steerable",
    "pyzmq_version",
    "pyzmq_version_info",
    "recv_monitor_message",
    "select",
    "strerror",
    "utils",
    "zmq_errno",
    "zmq_poll",
    "zmq_version",
    "zmq_version_info",
]
__all__ += constants.__all__
__all__ += errors.__all__
