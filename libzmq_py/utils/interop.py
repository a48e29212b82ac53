# SPDX-License-Identifier: MPL-2.0
"""What a user gives to ``shadow``, as a number.

No libzmq twin: pyzmq's utils/interop.py.
Departs: there are no pointers here, so cffi's are not taken.
"""

from __future__ import annotations

from typing import Any

from libzmq_py.api import live


def cast_int_addr(n: Any) -> int:
    """The number: an int as it is, or the ``underlying`` of a socket or context.

    Raises:
        ValueError: It is neither.
    """
    return live.cast_int_addr(n)


__all__ = ["cast_int_addr"]
