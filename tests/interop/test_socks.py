# SPDX-License-Identifier: MPL-2.0
"""Through a SOCKS 5 proxy to a socket of the other library; tests/sockets/test_socks.py has the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.conftest import Endpoint
from tests.interop.sides import Side, bound_endpoint
from tests.support.socks_proxy import Conversation, SocksProxy

pytestmark = pytest.mark.interop


def serve(conversation: Conversation) -> None:
    wants_a_name = conversation.negotiate(b"user", b"password")
    if wants_a_name:
        conversation.relay({b"peer.invalid": "127.0.0.1"})


@pytest.fixture
def proxy() -> Iterator[SocksProxy]:
    middle = SocksProxy(serve)
    yield middle
    middle.close()
    middle.check()


@pytest.mark.parametrize("host", ["127.0.0.1", "peer.invalid"])
def test_requests_and_replies(two_sides: tuple[Side, Side], endpoint: Endpoint, proxy: SocksProxy, host: str) -> None:
    """Both directions, large and small, with a user name and a password."""
    client, server = two_sides
    rep = server.socket("REP")
    address = bound_endpoint(rep, endpoint("tcp")).replace("127.0.0.1", host)
    req = client.socket(
        "REQ", SOCKS_PROXY=proxy.option, SOCKS_USERNAME=b"user", SOCKS_PASSWORD=b"password", RECONNECT_IVL=10
    )
    req.connect(address)
    for size in (0, 1, 1000, 300_000):
        req.send_multipart([b"x" * size, b"question"])
        assert rep.recv_multipart() == [b"x" * size, b"question"]
        rep.send(b"y" * size)
        assert req.recv() == b"y" * size
    (conversation,) = proxy.conversations
    assert conversation.asked_for is not None
    assert conversation.asked_for[1] == (b"peer.invalid" if host == "peer.invalid" else bytes((127, 0, 0, 1)))
