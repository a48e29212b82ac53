# SPDX-License-Identifier: MPL-2.0
"""Log messages of the standard library's ``logging``, published on a PUB socket.

No libzmq twin: pyzmq's zmq/log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libzmq_py.log import handlers

__all__ = ["handlers"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import the handlers when they are first used."""
        if name != "handlers":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
