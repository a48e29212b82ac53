# SPDX-License-Identifier: MPL-2.0
"""The pair of addresses of a connection."""

from __future__ import annotations

import pytest

from libzmq_py.endpoint import (
    EndpointType,
    EndpointUriPair,
    make_unconnected_bind_endpoint_pair,
    make_unconnected_connect_endpoint_pair,
)


@pytest.mark.parametrize(
    ("local_type", "identifier"),
    [(EndpointType.BIND, "tcp://a:1"), (EndpointType.CONNECT, "tcp://b:2"), (EndpointType.NONE, "tcp://b:2")],
)
def test_identifier_is_what_the_user_gave(local_type: EndpointType, identifier: str) -> None:
    """A bound end is known by its own address, any other by the peer's."""
    assert EndpointUriPair("tcp://a:1", "tcp://b:2", local_type).identifier == identifier


def test_clash_is_a_connection_with_itself() -> None:
    assert EndpointUriPair("tcp://a:1", "tcp://a:1", EndpointType.CONNECT).clash()
    assert not EndpointUriPair("tcp://a:1", "tcp://a:2", EndpointType.CONNECT).clash()


def test_unconnected_pairs() -> None:
    """Before a connection exists one side is empty, and the pair is already known by the user's address."""
    connecting = make_unconnected_connect_endpoint_pair("tcp://b:2")
    assert connecting == ("", "tcp://b:2", EndpointType.CONNECT)
    assert connecting.identifier == "tcp://b:2"
    bound = make_unconnected_bind_endpoint_pair("tcp://a:1")
    assert bound == ("tcp://a:1", "", EndpointType.BIND)
    assert bound.identifier == "tcp://a:1"
    assert EndpointUriPair() == ("", "", EndpointType.NONE)
