# SPDX-License-Identifier: MPL-2.0
"""The moment an option takes effect, for every row of spec/options.csv that says "bind, connect", "bind" or "connect".

Seen from inside: what a listener or session was given when it was made is what it keeps. That it also *does* what it
was given is the business of the tests that the rows name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from libzmq_py import has
from libzmq_py.constants import SocketType
from libzmq_py.ctx import Ctx
from libzmq_py.errors import ZMQError
from libzmq_py.options import Options
from libzmq_py.sockets.socket_base import SocketBase
from tests.test_options_table import SOCKET_ROWS, Row

KEPT = [
    row
    for row in SOCKET_ROWS
    if row.when in ("bind, connect", "bind", "connect") and row.set_on == "all"
    # Without the package gssapi there is nothing to keep.
    and (has("gssapi") or not row.name.startswith("GSSAPI_"))
]


@pytest.fixture
def socket() -> Iterator[SocketBase]:
    ctx = Ctx()
    sock = ctx.create_socket(SocketType.DEALER)
    sock.setsockopt(17, 0)  # LINGER
    yield sock
    sock.close()
    ctx.terminate()


def shown(row: Row, options: Options) -> Any:
    """The value there, also of what a user cannot read."""
    try:
        return options.getsockopt(row.number)
    except ZMQError:
        attributes = vars(options)
        return {name: repr(attributes[name]) for name in attributes if "filter" in name or name == "app_metadata"}


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row.name)
def test_endpoints_keep_what_they_were_made_with(row: Row, socket: SocketBase) -> None:
    """A later change is for later endpoints."""
    values = [value for value in row.accepted() if row.name != "USE_FD" or value == -1]
    for value in values:
        socket.setsockopt(row.number, value)
        before = shown(row, socket.options)
        made = []
        for call, endpoint in ((socket.bind, "tcp://127.0.0.1:*"), (socket.connect, "tcp://127.0.0.1:9")):
            try:
                call(endpoint)
            except ZMQError:
                continue  # a device that does not exist, a thread that does not exist
            ((child, _),) = socket._endpoints[socket.last_endpoint]
            made.append(child)
        for other in values:
            socket.setsockopt(row.number, other)
            for child in made:
                assert shown(row, child.options) == before
        for child in made:
            socket.term_child(child)
        socket._endpoints.clear()
