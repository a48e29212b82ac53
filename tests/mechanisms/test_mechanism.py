# SPDX-License-Identifier: MPL-2.0
"""What every mechanism does with the properties of the two peers."""

from __future__ import annotations

import pytest

from libzmq_py.constants import SocketType
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError
from libzmq_py.metadata import add_property, parse_metadata
from libzmq_py.options import Options

# RFC 28 and the RFCs of the patterns: who talks to whom (libzmq: mechanism_t::check_socket_type).
TALKS_TO = {
    "PAIR": "PAIR",
    "PUB": "SUB XSUB",
    "XPUB": "SUB XSUB",
    "SUB": "PUB XPUB",
    "XSUB": "PUB XPUB",
    "REQ": "REP ROUTER",
    "REP": "REQ DEALER",
    "DEALER": "REP DEALER ROUTER",
    "ROUTER": "REQ DEALER ROUTER",
    "PUSH": "PULL",
    "PULL": "PUSH",
}


def mechanism(type_: str, recv_routing_id: bool = False, routing_id: bytes = b"") -> Mechanism:
    options = Options()
    options.type = SocketType[type_]
    options.recv_routing_id = recv_routing_id
    options.routing_id = routing_id
    return Mechanism(options)


def metadata(**properties: bytes) -> bytes:
    """Properties as they come in READY; `_` in a name stands for `-`."""
    return b"".join(add_property(name.replace("_", "-"), value) for name, value in properties.items())


@pytest.mark.parametrize("peer", TALKS_TO)
@pytest.mark.parametrize("own", TALKS_TO)
def test_who_talks_to_whom(own: str, peer: str) -> None:
    """Exactly the pairs of the RFCs; the refusal names both and has no event of its own."""
    data = metadata(Socket_Type=peer.encode())
    if peer in TALKS_TO[own].split():
        mechanism(own).parse_peer_metadata(data)
        return
    with pytest.raises(MechanismError, match=f"{peer}.*{own}") as caught:
        mechanism(own).parse_peer_metadata(data)
    assert (caught.value.protocol_error, caught.value.auth_status) == (0, 0)


def test_the_table_is_symmetric() -> None:
    """If one side accepts, so does the other."""
    for own, peers in TALKS_TO.items():
        for peer in peers.split():
            assert own in TALKS_TO[peer].split()


@pytest.mark.parametrize("peer", [b"", b"push", b"PUSH ", b"SERVER", b"\xff\0", b"PUSH" * 60])
def test_types_that_nobody_has(peer: bytes) -> None:
    """The name is compared byte for byte."""
    with pytest.raises(MechanismError):
        mechanism("PULL").parse_peer_metadata(metadata(Socket_Type=peer))


def test_a_peer_without_a_type_is_accepted() -> None:
    """libzmq checks the type only if it is told one."""
    mechanism("PULL").parse_peer_metadata(b"")


@pytest.mark.parametrize("own", TALKS_TO)
def test_what_we_tell(own: str) -> None:
    """Socket-Type first; Identity, empty or not, from REQ, DEALER and ROUTER only."""
    properties = parse_metadata(mechanism(own, routing_id=b"me").basic_properties())
    expected = [("Socket-Type", own.encode())]
    if own in ("REQ", "DEALER", "ROUTER"):
        expected.append(("Identity", b"me"))
    assert properties == expected


def test_application_metadata_follows_in_order_of_name() -> None:
    """ZMQ_METADATA properties come last, sorted as libzmq's map has them."""
    made = mechanism("PULL")
    made.options.app_metadata = {"X-b": b"2", "X-a": b"1"}
    names = [name for name, _ in parse_metadata(made.basic_properties())]
    assert names == ["Socket-Type", "X-a", "X-b"]


def test_a_peers_routing_id_is_kept_by_those_who_want_it() -> None:
    """Identity is read when the socket type asks for it, and left alone otherwise."""
    data = metadata(Socket_Type=b"DEALER", Identity=b"peer")
    router = mechanism("ROUTER", recv_routing_id=True)
    router.parse_peer_metadata(data)
    assert router.peer_routing_id == b"peer"
    dealer = mechanism("DEALER")
    dealer.parse_peer_metadata(data)
    assert dealer.peer_routing_id == b""


@pytest.mark.parametrize("routing_id", [b"\0", b"\0\0\0\0\1", b"x" * 256])
def test_routing_ids_that_no_peer_may_have(routing_id: bytes) -> None:
    """RFC 37: up to 255 bytes, not beginning with a zero byte, which is how generated ones begin."""
    with pytest.raises(MechanismError):
        mechanism("ROUTER", recv_routing_id=True).parse_peer_metadata(metadata(Identity=routing_id))


def test_the_longest_routing_id() -> None:
    """255 bytes are accepted."""
    router = mechanism("ROUTER", recv_routing_id=True)
    router.parse_peer_metadata(metadata(Identity=b"x" * 255))
    assert router.peer_routing_id == b"x" * 255


def test_all_properties_are_kept() -> None:
    """Whatever the peer tells, unknown names too, is there for the messages' metadata."""
    made = mechanism("PULL")
    made.parse_peer_metadata(metadata(Socket_Type=b"PUSH", X_hello=b"world"))
    assert list(made.zmtp_properties) == [("Socket-Type", b"PUSH"), ("X-hello", b"world")]


def test_metadata_without_end() -> None:
    """More names than any peer has are refused before they become objects that stay."""
    many = b"".join(add_property(f"X-{number}", b"") for number in range(257))
    with pytest.raises(MechanismError, match="257"):
        mechanism("PULL").parse_peer_metadata(many)
    mechanism("PULL").parse_peer_metadata(many[: -len(add_property("X-256", b""))])


@pytest.mark.parametrize("data", [b"\1", b"\1X\0\0\0\5abc", b"\xffabc", b"\1X\xff\xff\xff\xffabc"])
def test_metadata_that_cannot_be_read(data: bytes) -> None:
    """A broken list is refused with the event value the mechanism gives; nothing of it is kept."""
    made = mechanism("PULL")
    with pytest.raises(MechanismError, match="metadata") as caught:
        made.parse_peer_metadata(metadata(Socket_Type=b"PUSH") + data, 0x123)
    assert caught.value.protocol_error == 0x123
    assert not made.zmtp_properties
