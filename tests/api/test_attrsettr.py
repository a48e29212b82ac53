# SPDX-License-Identifier: MPL-2.0
"""Socket options: set and get, types, strings, attributes."""

from typing import Any
from unittest import mock

import pytest

from tests.api.helpers import MakeSocket, raises_errno
from tests.support.target import zmq

# -- set and get


def test_options_are_set_and_read(socket: MakeSocket) -> None:
    """An int, an int64 and a bytes option come back as they were set, by every spelling of set and get."""
    sock = socket(zmq.DEALER)
    sock.set(zmq.LINGER, 11)
    sock.setsockopt(zmq.MAXMSGSIZE, 2**40)
    sock.setsockopt(zmq.ROUTING_ID, b"me\0\0")
    assert sock.get(zmq.LINGER) == sock.getsockopt(zmq.LINGER) == 11
    assert sock.get(zmq.MAXMSGSIZE) == 2**40
    assert sock.get(zmq.IDENTITY) == sock.routing_id == b"me\0\0"
    assert sock.get(zmq.TYPE) == sock.type == zmq.DEALER


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (zmq.LINGER, "1"),
        (zmq.LINGER, b"1"),
        (zmq.LINGER, 1.5),
        (zmq.LINGER, None),
        (zmq.MAXMSGSIZE, b"1"),
        (zmq.ROUTING_ID, "me"),
        (zmq.ROUTING_ID, 5),
        (zmq.ROUTING_ID, bytearray(b"me")),
        (zmq.SUBSCRIBE, "topic"),
        (9999, b"5"),
        ("LINGER", 5),
    ],
)
def test_values_of_the_wrong_type_are_refused(socket: MakeSocket, option: Any, value: Any) -> None:
    """What is not of the option's type is a TypeError before libzmq sees it."""
    with pytest.raises(TypeError):
        socket(zmq.SUB).set(option, value)


def test_numbers_too_large_for_c_are_refused(socket: MakeSocket) -> None:
    """An int option takes 32 bits, an int64 option 64."""
    sock = socket(zmq.PUSH)
    for value in (2**31, -(2**31) - 1):
        with pytest.raises(OverflowError):
            sock.set(zmq.LINGER, value)
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            sock.set(zmq.MAXMSGSIZE, value)
    sock.set(zmq.SNDTIMEO, 2**31 - 1)
    sock.set(zmq.MAXMSGSIZE, 2**63 - 1)


def test_unknown_options_are_einval(socket: MakeSocket) -> None:
    """A number that is no option, or none of this type, fails with EINVAL and is named."""
    sock = socket(zmq.PUB)
    with raises_errno(zmq.EINVAL, 9999, 5):
        sock.set(9999, 5)
    with raises_errno(zmq.EINVAL, 9999):
        sock.get(9999)
    with raises_errno(zmq.EINVAL, "SUBSCRIBE"):
        sock.set(zmq.SUBSCRIBE, b"topic")
    with raises_errno(zmq.EINVAL, "LINGER", -7):
        sock.set(zmq.LINGER, -7)
    with raises_errno(zmq.EINVAL, "EVENTS"):
        sock.set(zmq.EVENTS, 1)


def test_get_wants_a_number(socket: MakeSocket) -> None:
    """A name is a TypeError."""
    with pytest.raises(TypeError):
        socket(zmq.PUSH).get("LINGER")


@pytest.mark.departs
def test_none_resets_what_holds_bytes(socket: MakeSocket) -> None:
    """None is C's (NULL, 0): it removes the SOCKS proxy. (pyzmq: TypeError.)"""
    sock = socket(zmq.PUSH)
    sock.set(zmq.SOCKS_PROXY, b"127.0.0.1:1080")
    sock.set(zmq.SOCKS_PROXY, None)
    assert sock.get(zmq.SOCKS_PROXY) == b""


# -- strings


def test_strings_are_encoded_and_decoded(socket: MakeSocket) -> None:
    """set_string and get_string, under all their names, take an encoding."""
    sock = socket(zmq.DEALER)
    sock.set_string(zmq.ROUTING_ID, "tést")
    assert sock.get(zmq.ROUTING_ID) == "tést".encode()
    assert sock.get_string(zmq.ROUTING_ID) == "tést"
    sock.setsockopt_unicode(zmq.ROUTING_ID, "tést", "utf16")
    assert sock.getsockopt_unicode(zmq.ROUTING_ID, "utf16") == "tést"
    sock.setsockopt_string(zmq.ROUTING_ID, "x", encoding="ascii")
    assert sock.getsockopt_string(zmq.ROUTING_ID, encoding="ascii") == "x"


def test_string_calls_want_strings(socket: MakeSocket) -> None:
    """No str, or an option that holds none, is a TypeError; an unknown option a ValueError."""
    sock = socket(zmq.DEALER)
    with pytest.raises(TypeError, match="strings only"):
        sock.set_string(zmq.ROUTING_ID, b"x")
    with pytest.raises(TypeError):
        sock.get_string(zmq.LINGER)
    with pytest.raises(ValueError, match="9999"):
        sock.get_string(9999)


# -- attributes


def test_options_are_attributes(socket: MakeSocket) -> None:
    """sock.linger and sock.LINGER set and read the option."""
    sock = socket(zmq.DEALER)
    sock.linger = 7
    assert sock.linger == sock.LINGER == sock.get(zmq.LINGER) == 7
    sock.RCVTIMEO = 8
    assert sock.rcvtimeo == 8
    sock.identity = b"me"
    assert sock.routing_id == b"me"
    assert sock.fd == sock.FD == sock.fileno() == sock.get(zmq.FD)


def test_write_only_options_are_no_attributes(socket: MakeSocket) -> None:
    """Reading what cannot be read is an AttributeError, as if it were not there."""
    sock = socket(zmq.SUB)
    with pytest.raises(AttributeError, match="write-only"):
        _ = sock.SUBSCRIBE
    assert not hasattr(sock, "tcp_accept_filter")


@pytest.mark.parametrize("name", ["apple", "Linge", "send_", "POLLIN_"])
def test_misspelt_options_are_refused(socket: MakeSocket, name: str) -> None:
    """A name that is no option is an AttributeError, to read and to set."""
    sock = socket(zmq.PUSH)
    with pytest.raises(AttributeError):
        getattr(sock, name)
    with pytest.raises(AttributeError):
        setattr(sock, name, 1)


def test_declared_attributes_are_no_options(ctx: Any) -> None:
    """A subclass may declare attributes by value or annotation, and set them before the socket exists."""

    class Mine(zmq.Socket):
        label = None
        count: int

        def __init__(self, *args: Any) -> None:
            self.label, self.count = "early", 1
            super().__init__(*args)

    with Mine(ctx, zmq.PUSH) as sock:
        assert (sock.label, sock.count) == ("early", 1)
        sock.count += 1
        assert sock.count == 2


def test_options_go_through_set_and_get_of_a_subclass(ctx: Any) -> None:
    """Attributes use the overridden set and get."""
    calls: list[Any] = []

    class Mine(zmq.Socket):
        def set(self, option: int, value: Any) -> None:
            calls.append((option, value))
            super().set(option, value)

    with Mine(ctx, zmq.PUSH) as sock:
        sock.linger = 3
    assert (zmq.LINGER, 3) in calls


def test_topics_can_be_assigned(socket: MakeSocket) -> None:
    """sub.subscribe is a method, and assigning to it subscribes; str is UTF-8."""
    pub, sub = socket(zmq.XPUB), socket(zmq.SUB)
    pub.bind("inproc://topics")
    sub.connect("inproc://topics")
    sub.subscribe("é")
    sub.subscribe = "b"
    sub.SUBSCRIBE = b"c"
    sub.unsubscribe("é")
    sub.unsubscribe = b"b"
    assert [pub.recv() for _ in range(5)] == [b"\1\xc3\xa9", b"\1b", b"\1c", b"\0\xc3\xa9", b"\0b"]
    with pytest.raises(TypeError):
        sub.subscribe(5)


@pytest.mark.parametrize("kind", [zmq.PUB, zmq.SUB, zmq.ROUTER, zmq.PUSH, zmq.PULL])
def test_hwm_is_both_marks(socket: MakeSocket, kind: int) -> None:
    """hwm, set_hwm and get_hwm stand for SNDHWM and RCVHWM."""
    sock = socket(kind)
    sock.hwm = 33
    assert sock.hwm == sock.get_hwm() == sock.sndhwm == sock.rcvhwm == 33
    sock.set_hwm(44)
    assert (sock.sndhwm, sock.rcvhwm) == (44, 44)
    with pytest.raises(zmq.ZMQError):
        sock.hwm = -1


def test_dir_names_methods_and_options(socket: MakeSocket) -> None:
    """dir() is good for completion."""
    assert {"send", "recv_json", "LINGER", "IDENTITY", "FD"} <= set(dir(socket(zmq.PUSH)))


@pytest.mark.filterwarnings("ignore:Socket.socket_type:DeprecationWarning")
def test_sockets_can_be_mocked(socket: MakeSocket) -> None:
    """mock.Mock(spec=sock) has the methods and refuses others."""
    fake = mock.Mock(spec=socket(zmq.SUB))
    fake.send(b"x")
    with pytest.raises(AttributeError):
        fake.no_such_method()


def test_socket_type_is_deprecated(socket: MakeSocket) -> None:
    """socket_type is type, with a warning."""
    sock = socket(zmq.SUB)
    with pytest.warns(DeprecationWarning):
        assert sock.socket_type == zmq.SUB
