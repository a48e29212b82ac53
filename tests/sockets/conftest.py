# SPDX-License-Identifier: MPL-2.0
"""Fixtures of the socket and spec tests, on top of those of tests/conftest.py.

No libzmq twin: test support.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sockets.helpers import MakeWatch, Sock, Watch


@pytest.fixture
def watch(ctx: Any) -> Iterator[MakeWatch]:
    """`events = watch(sock)` collects the monitor events of `sock` from now on; stopped at the end."""
    watches: list[Watch] = []

    def make(sock: Sock) -> Watch:
        watches.append(Watch(sock))
        return watches[-1]

    yield make
    for each in watches:
        each.close()
