# SPDX-License-Identifier: MPL-2.0
"""Numbers that nobody can guess, for routing ids, request ids and the jitter of reconnects.

Mirrors: src/random.cpp, src/random.hpp.
Departs: from the system's random source. libzmq draws from rand() without a seed: the same numbers in every process.
"""

from __future__ import annotations

import os


def generate_random() -> int:
    """A number of 32 bits."""
    return int.from_bytes(os.urandom(4), "little")
