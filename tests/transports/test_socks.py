# SPDX-License-Identifier: MPL-2.0
"""The client's half of SOCKS 5, without a network (RFC 1928, RFC 1929)."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.errors import ZMQError
from libzmq_py.options import Options
from libzmq_py.transports.socks import SocksClient, SocksError, domain, ip_address
from libzmq_py.transports.tcp import resolve_connect
from libzmq_py.transports.tcp.socks_connecter import socks_destination

HERE = ip_address(bytes((127, 0, 0, 1)))
GRANTED = b"\5\0\0\1\0\0\0\0\0\0"


def answer(client: SocksClient, data: bytes, sizes: Sequence[int] = ()) -> bytes:
    """Let the proxy say this, in pieces of these sizes; what the client says then."""
    said = b""
    pieces = iter(sizes)
    while data:
        size = min(client.needed, next(pieces, len(data)))
        assert size, "the client wants no more"
        client.receive(data[:size])
        data = data[size:]
        said += client.data_to_send()
    return said


def asked(username: bytes = b"", password: bytes = b"", address: bytes = HERE, port: int = 5555) -> SocksClient:
    """A client that has been let in and waits for the answer to its request."""
    client = SocksClient(address, port, username, password)
    client.data_to_send()
    if username:
        answer(client, b"\5\2")
        answer(client, b"\1\0")
    else:
        answer(client, b"\5\0")
    return client


@pytest.mark.parametrize("username", [b"", b"me"])
def test_one_method_is_offered(username: bytes) -> None:
    """No authentication without a user name, user name and password with one; said once."""
    client = SocksClient(HERE, 1, username, b"secret")
    assert client.data_to_send() == (b"\5\1\2" if username else b"\5\1\0")
    assert client.data_to_send() == b""
    assert client.needed == 2


@pytest.mark.parametrize(
    ("address", "request_bytes"),
    [
        (HERE, b"\5\1\0\1\x7f\0\0\1\x15\xb3"),
        (ip_address(bytes(15) + b"\1"), b"\5\1\0\4" + bytes(15) + b"\1\x15\xb3"),
        (domain(b"example.org"), b"\5\1\0\3\x0bexample.org\x15\xb3"),
        (domain(b"x" * 255), b"\5\1\0\3\xff" + b"x" * 255 + b"\x15\xb3"),
    ],
    ids=["IPv4", "IPv6", "domain", "long domain"],
)
def test_the_request(address: bytes, request_bytes: bytes) -> None:
    """CONNECT, the address by its kind, the port in network order."""
    client = SocksClient(address, 5555)
    client.data_to_send()
    assert answer(client, b"\5\0") == request_bytes
    assert not client.done


@pytest.mark.parametrize(
    ("username", "password", "said"),
    [
        (b"me", b"secret", b"\1\2me\6secret"),
        (b"me", b"", b"\1\2me\0"),
        (b"u" * 255, b"p" * 255, b"\1\xff" + b"u" * 255 + b"\xff" + b"p" * 255),
    ],
)
def test_user_name_and_password(username: bytes, password: bytes, said: bytes) -> None:
    """Said when the proxy asks; the request follows when it is content."""
    client = SocksClient(HERE, 5555, username, password)
    client.data_to_send()
    assert answer(client, b"\5\2") == said
    assert answer(client, b"\1\0") == b"\5\1\0\1\x7f\0\0\1\x15\xb3"


def test_a_proxy_may_choose_what_was_not_offered() -> None:
    """As libzmq has it: no authentication though we offered a user name, and the other way round."""
    client = SocksClient(HERE, 5555, b"me", b"secret")
    client.data_to_send()
    assert answer(client, b"\5\0").startswith(b"\5\1\0")
    client = SocksClient(HERE, 5555)
    client.data_to_send()
    assert answer(client, b"\5\2") == b"\1\0\0"


RESPONSES = {
    "IPv4": b"\5\0\0\1\x0a\0\0\1\x1f\x90",
    "IPv6": b"\5\0\0\4" + bytes(range(16)) + b"\x1f\x90",
    "domain": b"\5\0\0\3\4host\x1f\x90",
    "empty domain": b"\5\0\0\3\0\x1f\x90",
    "long domain": b"\5\0\0\3\xff" + b"h" * 255 + b"\x1f\x90",
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@given(st.data())
def test_responses_in_any_pieces(response: bytes, data: st.DataObject) -> None:
    """Whatever address the proxy tells: done with its last byte, not earlier, and not a byte beyond is asked for."""
    client = asked()
    left = response
    while left:
        assert not client.done
        assert 0 < client.needed <= len(left)
        size = data.draw(st.integers(1, client.needed))
        client.receive(left[:size])
        left = left[size:]
    assert client.done
    assert client.needed == 0


@given(st.booleans(), st.lists(st.integers(1, 3), max_size=30))
def test_the_whole_conversation_in_pieces(basic: bool, sizes: list[int]) -> None:
    """The same words, however the proxy's bytes arrive."""
    client = SocksClient(HERE, 5555, b"me" if basic else b"", b"secret")
    said = [client.data_to_send()]
    said.append(answer(client, b"\5\2" if basic else b"\5\0", sizes))
    if basic:
        said.append(answer(client, b"\1\0", sizes))
    answer(client, GRANTED, sizes)
    auth = [b"\1\2me\6secret"] if basic else []
    assert said == [b"\5\1\2" if basic else b"\5\1\0", *auth, b"\5\1\0\1\x7f\0\0\1\x15\xb3"]
    assert client.done


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [1, 3, 0x7F, 0xFF])
def test_no_method_that_both_know(method: int) -> None:
    """0xFF says so; others we cannot speak."""
    client = SocksClient(HERE, 1)
    client.data_to_send()
    with pytest.raises(SocksError, match=f"{method:#x}") as refusal:
        answer(client, bytes((5, method)))
    assert refusal.value.errno == errno.EACCES


@pytest.mark.parametrize("status", [1, 2, 0xFF])
def test_wrong_password(status: int) -> None:
    """Any status but 0; neither user name nor password is in the text."""
    client = SocksClient(HERE, 1, b"the user", b"the password")
    client.data_to_send()
    answer(client, b"\5\2")
    with pytest.raises(SocksError) as refusal:
        answer(client, bytes((1, status)))
    assert "the user" not in str(refusal.value) + repr(client)
    assert "the password" not in str(refusal.value) + repr(client)


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        (1, errno.EIO),
        (2, errno.EACCES),
        (3, errno.ENETUNREACH),
        (4, errno.EHOSTUNREACH),
        (5, errno.ECONNREFUSED),
        (6, errno.ETIMEDOUT),
        (7, errno.EOPNOTSUPP),
        (8, errno.EAFNOSUPPORT),
        (9, errno.EPROTO),
        (255, errno.EPROTO),
    ],
)
def test_refused_requests(reply: int, number: int) -> None:
    """Each reason has its errno, and a text."""
    with pytest.raises(SocksError) as refusal:
        answer(asked(), bytes((5, reply, 0, 1)) + bytes(6))
    assert refusal.value.errno == number


@pytest.mark.parametrize(
    ("stage", "wrong"),
    [
        ("greeting", b"\4"),
        ("greeting", b"H"),
        ("authentication", b"\5"),
        ("request", b"\4"),
        ("request", b"\5\x09"),
        ("request", b"\5\0\1"),
        ("request", b"\5\0\0\2"),
        ("request", b"\5\0\0\0"),
    ],
)
def test_what_is_no_socks_5(stage: str, wrong: bytes) -> None:
    """Found out at the first wrong byte."""
    client = SocksClient(HERE, 1, b"me", b"secret")
    client.data_to_send()
    if stage != "greeting":
        answer(client, b"\5\2")
    if stage == "request":
        answer(client, b"\1\0")
    answer(client, wrong[:-1])
    with pytest.raises(SocksError) as refusal:
        client.receive(wrong[-1:])
    assert refusal.value.errno == errno.EPROTO


@given(st.binary(max_size=600), st.binary(max_size=3))
def test_any_bytes_are_an_answer_or_an_error(data: bytes, username: bytes) -> None:
    """Fuzz: nothing but SocksError, and never more is asked for than there can be."""
    client = SocksClient(HERE, 1, username, b"p")
    while data and not client.done:
        assert 0 < client.needed <= 262
        size = min(client.needed, len(data))
        try:
            client.receive(data[:size])
        except SocksError:
            return
        data = data[size:]
        client.data_to_send()


def test_bytes_of_the_peer_are_not_taken() -> None:
    """Who hands over more than was asked for has read what is not ours: a defect."""
    client = asked()
    with pytest.raises(AssertionError):
        client.receive(GRANTED)  # the head only is asked for at first


# -- where to ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("1.2.3.4:80", (ip_address(bytes((1, 2, 3, 4))), 80)),
        ("[::1]:65535", (ip_address(bytes(15) + b"\1"), 65535)),
        ("::1:1", (ip_address(bytes(15) + b"\1"), 1)),
        ("example.org:5555", (domain(b"example.org"), 5555)),
        ("1.2.3.4.5:1", (domain(b"1.2.3.4.5"), 1)),
        ("lo:1", (domain(b"lo"), 1)),
    ],
)
def test_destinations(address: str, wanted: tuple[bytes, int]) -> None:
    """A literal goes as a number, a name as it is, not looked up."""
    assert socks_destination(address) == wanted


@pytest.mark.parametrize("address", ["host:0", "host:65536", "host:1x", "host:"])
def test_destinations_without_a_port(address: str) -> None:
    """EINVAL; as without a proxy, that is a failed attempt."""
    with pytest.raises(OSError) as refusal:
        socks_destination(address)
    assert refusal.value.errno == errno.EINVAL


def test_what_connect_refuses() -> None:
    """A name that no request can hold, and a source address, which only the proxy's own address can have."""
    options = Options()
    for address in ("h" * 256 + ":80", "127.0.0.1:0;host:80"):
        resolve_connect(address, options)
        options.socks_proxy_address = b"proxy:1080"
        with pytest.raises(ZMQError) as refusal:
            resolve_connect(address, options)
        assert refusal.value.errno == errno.EINVAL
        options.socks_proxy_address = b""
    options.socks_proxy_address = b"proxy:1080"
    assert resolve_connect("h" * 255 + ":80", options).to_string() == f"tcp://{'h' * 255}:80"
