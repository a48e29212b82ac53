# SPDX-License-Identifier: MPL-2.0
"""The options of GSSAPI beside a libzmq that has them: every value, and which mechanism a sequence of them chooses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.sides import Side
from tests.interop.test_options_matrix import GSSAPI, answers_of_a_socket, is_too_long_for_pyzmq

STEPS: list[list[tuple[str, Any]]] = [
    [("GSSAPI_SERVER", 1), ("GSSAPI_SERVER", 0), ("GSSAPI_SERVER", 1)],
    [("GSSAPI_PLAINTEXT", 1), ("GSSAPI_PRINCIPAL_NAMETYPE", 2), ("GSSAPI_SERVICE_PRINCIPAL_NAMETYPE", 1)],
    [("GSSAPI_PRINCIPAL", b"me"), ("GSSAPI_SERVER", 1), ("GSSAPI_PRINCIPAL", b"you")],
    [("GSSAPI_SERVER", 1), ("GSSAPI_SERVICE_PRINCIPAL", b"zmq@host"), ("GSSAPI_SERVICE_PRINCIPAL", b"")],
    [("PLAIN_SERVER", 1), ("GSSAPI_PRINCIPAL", b"me"), ("PLAIN_SERVER", 0)],
    [("GSSAPI_SERVER", 1), ("PLAIN_USERNAME", b"me"), ("GSSAPI_PRINCIPAL", b"me")],
    [("CURVE_SERVER", 1), ("GSSAPI_SERVICE_PRINCIPAL", b"zmq@host"), ("CURVE_SECRETKEY", b"k" * 32)],
]


@pytest.mark.parametrize("kind", ["PAIR", "PUB", "SUB", "REQ", "ROUTER", "STREAM"])
def test_every_value(ours: Side, theirs: Side, kind: str) -> None:
    """Taken or refused, and read back, alike."""
    for number in sorted(GSSAPI):
        pairs = zip(answers_of_a_socket(ours, kind, number), answers_of_a_socket(theirs, kind, number), strict=True)
        assert [pair for pair in pairs if pair[0] != pair[1] and not is_too_long_for_pyzmq(pair[0])] == []


@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: " ".join(name for name, _ in steps))
def test_the_last_one_decides(ours: Side, theirs: Side, steps: list[tuple[str, Any]]) -> None:
    """Mechanism and side after every step."""
    found = []
    for side in (ours, theirs):
        sock = side.ctx.socket(side.lib.DEALER)
        found.append([])
        for name, value in steps:
            try:
                sock.setsockopt(getattr(side.lib, name), value)
            except side.lib.ZMQError as error:
                found[-1].append(error.errno)
            names = ("MECHANISM", "GSSAPI_SERVER", "PLAIN_SERVER", "CURVE_SERVER")
            found[-1].append([sock.getsockopt(getattr(side.lib, one)) for one in names])
        sock.close(0)
    assert found[0] == found[1]
