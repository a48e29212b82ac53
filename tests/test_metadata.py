# SPDX-License-Identifier: MPL-2.0
"""Properties on the wire, and as messages show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.metadata import Metadata, add_property, parse_metadata

READY_OF_A_DEALER = b"\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0"
names = st.binary(max_size=255).map(lambda name: name.decode("utf-8", "surrogateescape"))


def test_literal_bytes() -> None:
    """The properties a DEALER announces (wire-vectors), written and read."""
    assert add_property("Socket-Type", b"DEALER") + add_property("Identity", b"") == READY_OF_A_DEALER
    for data in (READY_OF_A_DEALER, bytearray(READY_OF_A_DEALER), memoryview(READY_OF_A_DEALER)):
        assert parse_metadata(data) == [("Socket-Type", b"DEALER"), ("Identity", b"")]


@given(st.lists(st.tuples(names, st.binary(max_size=40)), max_size=5))
def test_round_trip(properties: list[tuple[str, bytes]]) -> None:
    """Whatever is written is read again, in order, repeated and empty and non-text names too."""
    assert parse_metadata(b"".join(add_property(name, value) for name, value in properties)) == properties


@given(st.binary(max_size=60))
def test_any_bytes_give_properties_or_value_error(data: bytes) -> None:
    """No input does anything else than give a list or raise ValueError."""
    try:
        properties = parse_metadata(data)
    except ValueError:
        return
    written = b"".join(add_property(name, value) for name, value in properties)
    assert data.startswith(written)


@pytest.mark.parametrize(
    "tail",
    [
        b"\x01",  # one byte left over
        b"\0",
        b"\x02a",  # name cut
        b"\x01a\0\0\0",  # length of the value cut
        b"\x01a\0\0\0\x05four",  # value cut
        b"\x01a\xff\xff\xff\xff.",
        b"\0\0\0\0",
    ],
)
def test_cut_short(tail: bytes) -> None:
    """A length beyond the end and a single byte left over are errors, after good properties as well."""
    for data in (tail, READY_OF_A_DEALER + tail):
        with pytest.raises(ValueError, match=r"metadata end|left over"):
            parse_metadata(data)


@pytest.mark.parametrize("tail", [b"\x01a", b"\x01a\0\0\0\x05"])
def test_cut_right_behind_a_name_or_a_length(tail: bytes) -> None:
    """libzmq passes over a property that stops exactly behind its name or its length (tried with 4.3.5)."""
    assert parse_metadata(READY_OF_A_DEALER + tail) == parse_metadata(READY_OF_A_DEALER)


def test_limits_of_writing() -> None:
    """A name has 255 bytes at most, counted as bytes."""
    assert add_property("x" * 255, b"")[0] == 255
    for name in ("x" * 256, "é" * 128):
        with pytest.raises(ValueError, match="too long"):
            add_property(name, b"")


def test_metadata_shows_the_first_of_a_name() -> None:
    """Earlier groups, and within one the earlier property, take precedence; values end at a NUL."""
    metadata = Metadata([("Peer-Address", b"::1")], [("X-a", b"1\0tail"), ("Peer-Address", b"no"), ("X-a", b"2")])
    assert dict(metadata) == {"Peer-Address": "::1", "X-a": "1"}
    assert "User-Id" not in metadata
    assert metadata.get("User-Id") is None


def test_identity_falls_back_to_routing_id() -> None:
    """The old name finds the new one, as in metadata_t::get; not the other way round."""
    assert Metadata([("Routing-Id", b"me")])["Identity"] == "me"
    assert Metadata([("Identity", b"old"), ("Routing-Id", b"new")])["Identity"] == "old"
    assert "Routing-Id" not in Metadata([("Identity", b"me")])
