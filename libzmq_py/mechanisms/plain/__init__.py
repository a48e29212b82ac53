# SPDX-License-Identifier: MPL-2.0
"""PLAIN: a user name and a password, in clear (RFC 24).

Mirrors: src/plain_common.hpp.

    client  HELLO user password ─▶ server
            ◀─ WELCOME, or ERROR
            INITIATE metadata ─▶
            ◀─ READY metadata, or ERROR

It protects nothing on a network that others can listen to.
"""

from __future__ import annotations

from typing import Final

HELLO: Final = b"\x05HELLO"
WELCOME: Final = b"\x07WELCOME"
INITIATE: Final = b"\x08INITIATE"
READY: Final = b"\x05READY"
ERROR: Final = b"\x05ERROR"

#: What libzmq's PLAIN sends for ERROR, and the only form its client knows: in the C string "\\x5ERROR" the escape takes
#: the E as a digit. We send it too, or that client would not learn that it was refused; we understand both.
LIBZMQ_ERROR: Final = b"\x5eRROR"
