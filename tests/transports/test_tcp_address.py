# SPDX-License-Identifier: MPL-2.0
"""tcp endpoints: what bind and connect take, refuse and make of them, side by side with real libzmq."""

from __future__ import annotations

import errno
import json
import re
import socket
import subprocess
import sys
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.errors import ZMQError
from libzmq_py.options import Options
from libzmq_py.transports.ip_resolver import IpResolver, IpResolverOptions
from libzmq_py.transports.tcp import TCP
from libzmq_py.transports.tcp.address import TcpAddress, _resolve_plain, canonical, check_connect
from libzmq_py.transports.tcp.socks_connecter import socks_destination
from tests.transports.conftest import RealSockets, World, errno_of

CONNECTABLE = ["127.0.0.1:1", "a-b.c_d:1", "[::1]:1", "::1:1", ":80", "host:0", "h:1x", "h:99999", "eth0:0;host:1"]
CONNECTABLE += ["h*:1", "1:2:3", "fe80::1%eth0:1", "[:1", "a;b:1"]
NOT_CONNECTABLE = ["host", "host:", "host:*", "host:x", "*:80", "-a:80", "_a:80", "a b:80", "a/b:80", "a@b:80", "a$:80"]
NOT_CONNECTABLE += ["host:80/", "host:80 ", "host:80\n", "hóst:80", ";a:1", "%a:1", "h:1:", "h: 1", "h:-1", "h:٣"]

# In a process of its own, which does not wait for the look-ups it starts: errno of each connect.
CONNECT_ALL = """
import json, os, sys, zmq
for address in json.load(sys.stdin):
    sock = zmq.Context.instance().socket(zmq.PUSH)
    try:
        sock.connect(f"tcp://{address}")
    except zmq.ZMQError as error:
        print(error.errno)
    else:
        print(0)
sys.stdout.flush()
os._exit(0)
"""


def test_connect_looks_at_characters_only() -> None:
    """connect() takes and refuses the texts that libzmq takes and refuses."""
    addresses = CONNECTABLE + NOT_CONNECTABLE
    child = subprocess.run(
        [sys.executable, "-c", CONNECT_ALL], input=json.dumps(addresses), capture_output=True, text=True, check=True
    )
    theirs = dict(zip(addresses, map(int, child.stdout.split()), strict=True))
    assert theirs == dict.fromkeys(CONNECTABLE, 0) | dict.fromkeys(NOT_CONNECTABLE, errno.EINVAL)
    assert {address: errno_of(partial(check_connect, address)) for address in addresses} == theirs


def test_connect_keeps_the_text() -> None:
    """Nothing is resolved at connect(): LAST_ENDPOINT is the text as given."""
    addr = check_connect("localhost:5")
    assert (addr.protocol, addr.address, addr.resolved) == ("tcp", "localhost:5", None)
    assert addr.to_string() == addr.uri == "tcp://localhost:5"
    assert repr(addr) == "<Address tcp://localhost:5>"
    addr.resolved = TcpAddress.resolve("127.0.0.1:5", False, False)
    assert addr.to_string() == "tcp://127.0.0.1:5"
    assert addr.uri == "tcp://localhost:5"


OCTETS = st.integers(0, 300).map(str) | st.sampled_from(["", "00", "010", "0x1", " 1", "1 ", "٣"])


@given(st.lists(OCTETS, min_size=3, max_size=5), st.integers(-1, 70000).map(str) | st.sampled_from(["080", "*", ""]))
def test_plain_numbers_are_what_the_resolver_says(octets: list[str], port: str) -> None:
    """The short way for "1.2.3.4:5" gives what the long one gives, and leaves to it what only it understands."""
    text = f"{'.'.join(octets)}:{port}"
    plain = _resolve_plain(text)
    if plain is not None:
        options = IpResolverOptions(expect_port=True)  # no names: numbers only
        assert plain == TcpAddress(IpResolver(options).resolve(text))


def test_plain_numbers_are_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of connections to one address share it."""
    monkeypatch.setattr(IpResolver, "resolve", None)
    assert TcpAddress.resolve("192.0.2.1:65535", False, False) is TcpAddress.resolve("192.0.2.1:65535", False, False)


def test_refusal_names_the_endpoint() -> None:
    """Text of the error: libzmq's, the endpoint, and what was wrong with it."""
    with pytest.raises(ZMQError) as refusal:
        check_connect("host:*")
    assert str(refusal.value) == "Invalid argument (endpoint 'tcp://host:*': no port number at the end)"


BINDS = [
    # address, IPv6, errno; the last but one part of the address keeps clear of what else runs on this machine
    ("127.0.0.1:*", False, 0),
    ("127.0.0.1:0", False, 0),
    ("*:*", False, 0),
    ("*:*", True, 0),
    ("lo:*", False, 0),
    ("lo:*", True, 0),
    ("localhost:*", False, 0),
    ("127.0.0.1:*", True, 0),
    ("[::1]:*", True, 0),
    ("::1:*", True, 0),
    ("[127.0.0.1]:*", False, 0),
    ("127.0.0.1%7:*", False, 0),
    ("127.3.5.7:99999", False, 0),
    ("127.3.5.7:8089a", False, 0),
    ("127.3.5.7:-1", False, 0),
    ("127.0.0.2:0;127.0.0.1:*", False, 0),
    ("127.0.0.1", False, errno.EINVAL),
    ("127.0.0.1:", False, errno.EINVAL),
    ("127.0.0.1:x", False, errno.EINVAL),
    ("127.0.0.1:00", False, errno.EINVAL),
    ("127.0.0.1:65536", False, errno.EINVAL),
    ("127.0.0.1%:*", False, errno.EINVAL),
    ("127.0.0.1%nosuch:*", False, errno.EINVAL),
    (":*", False, errno.ENODEV),
    ("[::1]:*", False, errno.ENODEV),
    ("256.0.0.1;127.0.0.1:*", False, errno.EINVAL),
    ("256.0.0.1:0;127.0.0.1:*", False, errno.ENODEV),
    ("203.0.113.77:*", False, errno.EADDRNOTAVAIL),
]


@pytest.mark.parametrize(("address", "ipv6", "expected"), BINDS)
def test_bind_takes_what_libzmq_takes(address: str, ipv6: bool, expected: int, real: RealSockets, world: World) -> None:
    """Addresses to be bound: the same errno as libzmq's, or the same LAST_ENDPOINT but for the port."""
    theirs = real.make(ipv6)
    assert errno_of(lambda: theirs.bind(f"tcp://{address}")) == expected
    their_endpoint = theirs.last_endpoint.decode()
    real.end()
    world.options.ipv6 = ipv6
    assert errno_of(lambda: world.bind(f"tcp://{address}")) == expected
    if not expected:
        listener = world.bind("tcp://127.0.0.1:*")  # for the pattern of events only
        assert world.socket.events[-1][2] == listener.endpoint
        ours = world.socket.events[0][2]
        assert re.sub(r":\d+$", "", ours) == re.sub(r":\d+$", "", their_endpoint)
        assert not ours.endswith(":0")


def test_taken_port_is_refused(world: World) -> None:
    """EADDRINUSE, with the endpoint in the text; what was opened is closed again, with its event."""
    listener = world.bind("tcp://127.0.0.1:*")
    with pytest.raises(ZMQError) as refusal:
        world.bind(listener.endpoint)
    assert refusal.value.errno == errno.EADDRINUSE
    assert str(refusal.value) == f"Address already in use (endpoint {listener.endpoint!r})"
    assert world.socket.names == ["LISTENING", "CLOSED"]


def test_unknown_device_is_refused(world: World) -> None:
    """BINDTODEVICE that cannot be set fails the bind."""
    world.options.bound_device = b"nosuch0"
    assert errno_of(lambda: world.bind("tcp://127.0.0.1:*")) in (errno.ENODEV, errno.EPERM)
    assert world.socket.names == []


@pytest.mark.parametrize(
    ("text", "local", "ipv6", "expected"),
    [
        ("127.0.0.1:5", False, False, "tcp://127.0.0.1:5"),
        ("127.0.0.1:5", False, True, "tcp://[::ffff:127.0.0.1]:5"),
        ("[::1]:5", False, True, "tcp://[::1]:5"),
        ("fe80::1%lo:5", False, True, "tcp://[fe80::1%lo]:5"),
        ("fd00::1%1:5", False, True, "tcp://[fd00::1%1]:5"),
        ("lo:*;127.0.0.1:5", False, False, "tcp://127.0.0.1:5"),
        ("*:*", True, True, "tcp://[::]:0"),
    ],
)
def test_text_of_resolved(text: str, local: bool, ipv6: bool, expected: str) -> None:
    """The numeric text, as LAST_ENDPOINT and events have it."""
    assert TcpAddress.resolve(text, local, ipv6).to_string() == expected


def test_source_address() -> None:
    """What comes before the last semicolon is where to connect from."""
    resolved = TcpAddress.resolve("lo:7;127.0.0.1:5", False, False)
    assert resolved.source_address is not None
    assert resolved.source_address.sockaddr == ("127.0.0.1", 7)


def test_canonical() -> None:
    """The other text of an endpoint, by which unbind finds what was bound; none for what cannot be connected to."""
    assert canonical("localhost:5", Options()) == "tcp://127.0.0.1:5"
    assert canonical("*:5", Options()) is None
    assert canonical("nonsense", Options()) is None
    options = Options()
    options.ipv6 = True
    assert canonical("127.0.0.1:5", options) == "tcp://[::ffff:127.0.0.1]:5"


def test_falls_back_where_ipv6_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6 in the system, a bind with IPV6=1 is one to IPv4."""
    real_socket = socket.socket

    class NoIpv6(real_socket):  # type: ignore[valid-type, misc]
        def __init__(self, family: int = socket.AF_INET, *args: object, **kwargs: object) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *args, **kwargs)

    monkeypatch.setattr(socket, "socket", NoIpv6)
    world.options.ipv6 = True
    assert world.bind("tcp://*:*").endpoint.startswith("tcp://0.0.0.0:")


def test_every_type_can_use_it() -> None:
    """tcp is for all socket types."""
    assert all(TCP.fits(socket_type) for socket_type in range(21))


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64, "x" * 250])
def test_a_name_goes_to_the_proxy_as_it_is(host: str) -> None:
    """Python's IDNA refuses these, and would do so in the I/O thread; whether they exist, the proxy knows (fuzzing)."""
    assert socks_destination(f"{host}:80") == (bytes((3, len(host))) + host.encode(), 80)


def test_a_number_goes_to_the_proxy_as_a_number() -> None:
    """IPv4 and IPv6, with brackets or without."""
    assert socks_destination("192.0.2.1:80") == (b"\1\xc0\0\2\1", 80)
    assert socks_destination("[::1]:81") == (b"\4" + bytes(15) + b"\1", 81)
