# SPDX-License-Identifier: MPL-2.0
"""Every option number with every kind of value on every socket type, on both libraries: the same answers.

tests/test_options_table.py asks what the table of options says; this asks what nobody thought of. The differences that
are meant stand in `MEANT`, and in spec/deviations.md with their reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import zmq as real

from tests.interop.sides import OURS, REAL, Side
from tests.test_options_table import TYPES

pytestmark = pytest.mark.interop

#: Those of GSSAPI are there where their package is; pyzmq's wheel is built without.
GSSAPI = {int(option) for option in real.SocketOption if option.name.startswith("GSSAPI_")}
NOT_IN_BOTH = set() if OURS.has("gssapi") is bool(real.has("gssapi")) else GSSAPI
NUMBERS = [number for number in range(131) if number != real.FD and number not in NOT_IN_BOTH]
INTS: list[Any] = [0, 1, -1, 2, -2, 3, 7, 100, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1]
INTS += [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, True]
BYTES: list[Any] = [b"", b"x", b"ab\0c", b"abcd", b"12345678", b"x" * 32, b"0" * 40, b"0" * 41, b"0" * 40 + b"\0"]
BYTES += [b"x" * 254, b"x" * 300, b"X-a:b", b"127.0.0.1", b"10.0.0.0/8"]
OTHERS: list[Any] = ["text", 1.5, [], bytearray(b"x"), memoryview(b"x")]
VALUES = [*INTS, *BYTES, *OTHERS]

#: CURVE keys can be read; pyzmq cannot read them.
MEANT = {int(option) for option in (real.CURVE_PUBLICKEY, real.CURVE_SECRETKEY, real.CURVE_SERVERKEY)}


def answer(call: Callable[[], Any]) -> tuple[Any, ...]:
    """What a call gives: a value with its type, or an exception's class and errno."""
    try:
        value = call()
    except (real.ZMQError, OURS.ZMQError) as error:
        return type(error).__name__, error.errno
    except (TypeError, OverflowError, ValueError) as error:
        return (type(error).__name__,)
    return type(value).__name__, value


def answers_of_a_socket(side: Side, kind: str, number: int) -> list[Any]:
    """The default, and for each value in turn the answer to it and what is read then."""
    sock = side.ctx.socket(getattr(side.lib, kind))

    def read() -> tuple[Any, ...]:
        return () if number in MEANT else answer(lambda: sock.getsockopt(number))

    found: list[Any] = [read()]
    for value in VALUES:
        found += [answer(lambda value=value: sock.setsockopt(number, value)), read()]  # type: ignore[misc]
    sock.close(0)
    return found


@pytest.mark.parametrize("kind", TYPES)
def test_sockets_answer_alike(kind: str) -> None:
    """Every number, every value."""
    with Side(OURS) as ours, Side(REAL) as theirs:
        different = {}
        for number in NUMBERS:
            mine, wanted = answers_of_a_socket(ours, kind, number), answers_of_a_socket(theirs, kind, number)
            different.update(
                {
                    (number, *what_was_asked(place)): pair
                    for place, pair in enumerate(zip(mine, wanted, strict=True))
                    if pair[0] != pair[1] and not is_too_long_for_pyzmq(pair[0])
                }
            )
    assert not different


def what_was_asked(place: int) -> tuple[str, Any]:
    """For whom the test fails."""
    if not place:
        return "default", None
    return "set" if place % 2 else "read after", VALUES[(place - 1) // 2]


def is_too_long_for_pyzmq(mine: tuple[Any, ...]) -> bool:
    """pyzmq reads strings of up to 254 bytes; we read all."""
    return mine[0] == "bytes" and len(mine[1]) > 254


def answers_of_a_context(lib: Any, number: int) -> list[Any]:
    found: list[Any] = []
    with lib.Context() as context:
        for value in VALUES:
            if (number, value) == (real.THREAD_NAME_PREFIX, -1) or number == real.THREAD_SCHED_POLICY and not found:
                continue  # pyzmq takes a -1 for an error, if there was one before
            found += [answer(lambda value=value: context.set(number, value)), answer(lambda: context.get(number))]  # type: ignore[misc]
    return found


def test_contexts_answer_alike() -> None:
    """The same for contexts that have no socket."""
    for number in [*range(100), -1, 1000]:
        assert answers_of_a_context(OURS, number) == answers_of_a_context(REAL, number), number
