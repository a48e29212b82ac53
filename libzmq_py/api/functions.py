# SPDX-License-Identifier: MPL-2.0
"""The functions of the public face that belong to no class: proxies, CURVE keys, versions, capabilities.

Mirrors: zmq_proxy, zmq_proxy_steerable, zmq_device, zmq_has and zmq_version of src/zmq.cpp; zmq_curve_keypair and
zmq_curve_public of src/zmq_utils.cpp; pyzmq's sugar/version.py and sugar/stopwatch.py.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from warnings import warn

from libzmq_py import z85
from libzmq_py.api.poll import core_of
from libzmq_py.constants import Errno
from libzmq_py.errors import ZMQ_VERSION_INFO, strerror, zmq_error

if TYPE_CHECKING:
    from libzmq_py.api.socket import Socket

#: The version of pyzmq whose public names this package has.
PYZMQ_VERSION_INFO = (27, 3, 0)

_KEY_SIZE_Z85 = 40


# -- proxies


def proxy(frontend: Socket[Any], backend: Socket[Any], capture: Socket[Any] | None = None) -> int:
    """Pass messages between two sockets, both ways, until the context ends.

    Args:
        frontend: Where requests come from.
        backend: Where they go to.
        capture: A socket that is sent a copy of every message.

    Raises:
        ZMQError: ETERM (ContextTerminated), how it usually ends; ENOTSOCK, a socket is closed.
        TypeError: One is no Socket.

    zmq_proxy.
    """
    return proxy_steerable(frontend, backend, capture)


def proxy_steerable(
    frontend: Socket[Any],
    backend: Socket[Any],
    capture: Socket[Any] | None = None,
    control: Socket[Any] | None = None,
) -> int:
    """As ``proxy``, and obey a control socket.

    Args:
        frontend: Where requests come from.
        backend: Where they go to.
        capture: A socket that is sent a copy of every message.
        control: A socket on which PAUSE, RESUME, TERMINATE and STATISTICS come in: PAIR, PULL, SUB or REP.

    Returns:
        0, after TERMINATE.

    Raises as ``proxy``.

    zmq_proxy_steerable.
    """
    from libzmq_py.proxy import proxy as core_proxy

    core_proxy(
        core_of(frontend),
        core_of(backend),
        None if capture is None else core_of(capture),
        None if control is None else core_of(control),
    )
    return 0


def device(device_type: int, frontend: Socket[Any], backend: Socket[Any]) -> int:
    """Older name of ``proxy``; the type means nothing. zmq_device."""
    return proxy(frontend, backend)


# -- CURVE keys


def curve_keypair() -> tuple[bytes, bytes]:
    """Make a key pair for CURVE: public and secret key, each as 40 characters of Z85.

    Raises:
        ZMQError: ENOTSUP, PyNaCl is not installed.

    zmq_curve_keypair.
    """
    public, secret = _nacl().crypto_box_keypair()
    return z85.encode(public), z85.encode(secret)


def curve_public(secret_key: str | bytes) -> bytes:
    """Compute the public key, as 40 characters of Z85, that belongs to a secret key.

    Args:
        secret_key: 40 characters of Z85.

    Raises:
        ValueError: It does not have 40 characters.
        ZMQError: EINVAL, it is no Z85; ENOTSUP, PyNaCl is not installed.

    zmq_curve_public.
    """
    text = secret_key.encode() if isinstance(secret_key, str) else secret_key
    if len(text) != _KEY_SIZE_Z85:
        raise ValueError(f"secret key must be a 40 byte z85 encoded string, not {len(text)} bytes")
    try:
        secret = z85.decode(bytes(text))
    except ValueError as error:  # which does not quote the key
        raise zmq_error(Errno.EINVAL, f"{strerror(Errno.EINVAL)} (secret key: {error})") from error
    return z85.encode(_nacl().crypto_scalarmult_base(secret))


def _nacl() -> Any:
    try:
        # Takes some 20 ms to import: only for those who need it.
        from nacl import bindings
    except ImportError as error:
        raise zmq_error(Errno.ENOTSUP, f"{strerror(Errno.ENOTSUP)} (CURVE needs PyNaCl)") from error
    return bindings


# -- what there is


def has(capability: str) -> bool:
    """Tell whether there is a transport, mechanism or other capability, by the names that libzmq has for those that it
    may lack: ``ipc``, ``pgm``, ``tipc``, ``norm``, ``vmci``, ``curve``, ``gssapi``, ``WS``, ``WSS``, ``draft``.

    Raises:
        TypeError: ``capability`` is no str.

    zmq_has.
    """
    if not isinstance(capability, str):
        raise TypeError(f"capability must be a str, got: {capability!r}")
    if capability == "ipc":
        import socket

        return hasattr(socket, "AF_UNIX")
    if capability == "curve":
        from importlib.util import find_spec

        return find_spec("nacl") is not None
    if capability == "gssapi":
        from libzmq_py.options import has_gssapi

        return has_gssapi()
    return False


def zmq_version_info() -> tuple[int, int, int]:
    """The version of libzmq whose behaviour this is, as numbers. zmq_version."""
    return ZMQ_VERSION_INFO


def zmq_version() -> str:
    """The version of libzmq whose behaviour this is."""
    return ".".join(map(str, ZMQ_VERSION_INFO))


def pyzmq_version_info() -> tuple[int, int, int]:
    """The version of pyzmq whose public names these are, as numbers."""
    return PYZMQ_VERSION_INFO


def pyzmq_version() -> str:
    """The version of pyzmq whose public names these are."""
    return ".".join(map(str, PYZMQ_VERSION_INFO))


def get_includes() -> list[str]:
    """Directories to compile C code against: none."""
    return []


def get_library_dirs() -> list[str]:
    """Directories to link C code against: none."""
    return []


class Stopwatch:
    """Deprecated: use ``time.monotonic``. zmq_stopwatch_start."""

    def __init__(self) -> None:
        warn("zmq.Stopwatch is deprecated. Use time.monotonic instead", DeprecationWarning, stacklevel=2)
        self._start = 0.0

    def start(self) -> None:
        """Start counting."""
        self._start = time.monotonic()

    def stop(self) -> int:
        """Return the microseconds since ``start``."""
        return int((time.monotonic() - self._start) * 1e6)


__all__ = [
    "Stopwatch",
    "curve_keypair",
    "curve_public",
    "device",
    "get_includes",
    "get_library_dirs",
    "has",
    "proxy",
    "proxy_steerable",
    "pyzmq_version",
    "pyzmq_version_info",
    "zmq_version",
    "zmq_version_info",
]
