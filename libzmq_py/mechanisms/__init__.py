# SPDX-License-Identifier: MPL-2.0
"""Security mechanisms: a table from the number of the option to what makes a connection's mechanism.

No libzmq twin: the choice of stream_engine_base_t and zmtp_engine_t by options.mechanism.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libzmq_py.constants import SecurityMechanism
from libzmq_py.mechanisms.mechanism import Mechanism
from libzmq_py.mechanisms.null import NullMechanism
from libzmq_py.options import Options

MechanismFactory = Callable[[Options], Mechanism]

MECHANISMS: Final[dict[int, tuple[bytes, MechanismFactory]]] = {
    SecurityMechanism.NULL: (NullMechanism.name, NullMechanism),
}
"""Option value -> (name in the greeting, factory)."""

NAMES: Final[dict[int, bytes]] = {
    SecurityMechanism.NULL: b"NULL",
    SecurityMechanism.PLAIN: b"PLAIN",
    SecurityMechanism.CURVE: b"CURVE",
    SecurityMechanism.GSSAPI: b"GSSAPI",
}


def register(number: int, name: bytes, factory: MechanismFactory) -> None:
    """Add a mechanism, or replace one."""
    MECHANISMS[number] = (name, factory)
