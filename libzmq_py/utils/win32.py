# SPDX-License-Identifier: MPL-2.0
"""Ctrl-C on Windows.

No libzmq twin: pyzmq's utils/win32.py.
Departs: every wait of libzmq_py is one that Python can interrupt, on Windows too, so nothing is installed; the action
runs when Ctrl-C has arrived.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


class allow_interrupt:
    """Context manager: on Windows, call something when Ctrl-C ends the block; elsewhere nothing.

    Args:
        action: Called without arguments, its result is ignored; None does nothing.
    """

    def __init__(self, action: Callable[[], Any] | None = None) -> None:
        self._action = action

    def __enter__(self) -> None:
        return None

    def __exit__(self, exc_type: type[BaseException] | None, *args: object) -> None:
        if os.name == "nt" and self._action is not None and exc_type is KeyboardInterrupt:
            self._action()


__all__ = ["allow_interrupt"]
