# SPDX-License-Identifier: MPL-2.0
"""Fixtures of the tests of the public face, on top of those of tests/conftest.py.

No libzmq twin: test support.
"""

import pytest

from tests.api.helpers import MakePair, MakeSocket, Sock, inproc_name
from tests.support.target import zmq


@pytest.fixture
def pair(socket: MakeSocket) -> MakePair:
    """``a, b = pair()``: two connected sockets, PAIR unless types are given; over inproc, or tcp with ``tcp=True``."""

    def make(first: int = zmq.PAIR, second: int = zmq.PAIR, tcp: bool = False) -> tuple[Sock, Sock]:
        left, right = socket(first), socket(second)
        if tcp:
            port = left.bind_to_random_port("tcp://127.0.0.1")
            right.connect(f"tcp://127.0.0.1:{port}")
        else:
            name = inproc_name()
            left.bind(name)
            right.connect(name)
        return left, right

    return make
