# SPDX-License-Identifier: MPL-2.0
"""Small helpers, under the names of pyzmq's modules.

No libzmq twin: pyzmq's zmq/utils.
Departs: no ``garbage``, which serves pyzmq's compiled code, and no ``zmq_compat.h``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libzmq_py.utils import interop, jsonapi, monitor, strtypes, win32, z85

__all__ = ["interop", "jsonapi", "monitor", "strtypes", "win32", "z85"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a module of the package when it is first used."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
