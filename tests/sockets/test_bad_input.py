# SPDX-License-Identifier: MPL-2.0
"""Wrong arguments, option values, states and endpoints: the exception is pyzmq's, class and errno.

Table-driven. Where libzmq_py promises more a table is used twice: once for class and errno, which pyzmq on libzmq gives
as well, and once (marked `departs`) for the text, which in libzmq_py also names what was wrong.
"""

import errno
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TARGET
from tests.sockets.helpers import MakeSocket, Sock, bind, is_quiet, link, raises_errno
from tests.support.target import zmq

# --- option values ---------------------------------------------------------------------------------------------------

LEAST = -(2**31)
MOST = 2**31 - 1

# Socket type, option, integers that are refused with EINVAL.
BAD_INTEGERS: list[tuple[str, str, tuple[int, ...]]] = [
    ("DEALER", "RATE", (LEAST, -1, 0)),
    ("DEALER", "RECOVERY_IVL", (LEAST, -1)),
    ("DEALER", "SNDBUF", (LEAST, -2)),
    ("DEALER", "RCVBUF", (LEAST, -2)),
    ("DEALER", "LINGER", (LEAST, -2)),
    ("DEALER", "RECONNECT_IVL", (LEAST, -2)),
    ("DEALER", "RECONNECT_IVL_MAX", (LEAST, -1)),
    ("DEALER", "BACKLOG", (LEAST, -1)),
    ("DEALER", "SNDHWM", (LEAST, -1)),
    ("DEALER", "RCVHWM", (LEAST, -1)),
    ("DEALER", "MULTICAST_HOPS", (LEAST, -1, 0)),
    ("DEALER", "MULTICAST_MAXTPDU", (LEAST, -1, 0)),
    ("DEALER", "RCVTIMEO", (LEAST, -2)),
    ("DEALER", "SNDTIMEO", (LEAST, -2)),
    ("DEALER", "IPV4ONLY", (-1, 2, MOST)),
    ("DEALER", "IPV6", (-1, 2, MOST)),
    ("DEALER", "IMMEDIATE", (-1, 2, MOST)),
    ("DEALER", "CONFLATE", (-1, 2, MOST)),
    ("DEALER", "PLAIN_SERVER", (-1, 2, MOST)),
    ("DEALER", "CURVE_SERVER", (-1, 2, MOST)),
    ("DEALER", "TCP_KEEPALIVE", (LEAST, -2, 2)),
    ("DEALER", "TCP_KEEPALIVE_CNT", (LEAST, -2)),
    ("DEALER", "TCP_KEEPALIVE_IDLE", (LEAST, -2)),
    ("DEALER", "TCP_KEEPALIVE_INTVL", (LEAST, -2)),
    ("DEALER", "TCP_MAXRT", (LEAST, -1)),
    ("DEALER", "TOS", (LEAST, -1)),
    ("DEALER", "HANDSHAKE_IVL", (LEAST, -1)),
    ("DEALER", "HEARTBEAT_IVL", (LEAST, -1)),
    ("DEALER", "HEARTBEAT_TIMEOUT", (LEAST, -1)),
    ("DEALER", "HEARTBEAT_TTL", (LEAST, -100, 6_553_600, MOST)),
    ("DEALER", "CONNECT_TIMEOUT", (LEAST, -1)),
    ("DEALER", "USE_FD", (LEAST, -2)),
    ("DEALER", "PROBE_ROUTER", (LEAST, -1)),
    ("ROUTER", "ROUTER_MANDATORY", (LEAST, -1)),
    ("ROUTER", "ROUTER_RAW", (LEAST, -1)),
    ("ROUTER", "ROUTER_HANDOVER", (LEAST, -1)),
    ("REQ", "REQ_CORRELATE", (LEAST, -1)),
    ("REQ", "REQ_RELAXED", (LEAST, -1)),
    ("XPUB", "XPUB_VERBOSE", (LEAST, -1)),
    ("XPUB", "XPUB_VERBOSER", (LEAST, -1)),
    ("XPUB", "XPUB_NODROP", (LEAST, -1)),
    ("XPUB", "XPUB_MANUAL", (LEAST, -1)),
    ("XPUB", "XPUB_MANUAL_LAST_VALUE", (LEAST, -1)),
    ("XPUB", "ONLY_FIRST_SUBSCRIBE", (LEAST, -1)),
]

# Socket type, option, byte strings that are refused with EINVAL.
BAD_BYTES: list[tuple[str, str, tuple[bytes, ...]]] = [
    ("DEALER", "ROUTING_ID", (b"", b"x" * 256)),
    ("DEALER", "PLAIN_USERNAME", (b"", b"x" * 256)),
    ("DEALER", "PLAIN_PASSWORD", (b"", b"x" * 256)),
    ("DEALER", "ZAP_DOMAIN", (b"", b"x" * 256)),
    ("DEALER", "SOCKS_PROXY", (b"",)),
    ("DEALER", "SOCKS_USERNAME", (b"x" * 256,)),
    ("DEALER", "SOCKS_PASSWORD", (b"x" * 256,)),
    ("DEALER", "BINDTODEVICE", (b"", b"x" * 17)),
    ("DEALER", "CURVE_PUBLICKEY", (b"", b"x" * 31, b"x" * 33, b"x" * 39, b"x" * 41, b"~" * 40)),
    ("DEALER", "CURVE_SECRETKEY", (b"", b"x" * 31, b"x" * 33, b"x" * 39, b"x" * 41, b"~" * 40)),
    ("DEALER", "CURVE_SERVERKEY", (b"", b"x" * 31, b"x" * 33, b"x" * 39, b"x" * 41, b"~" * 40)),
    ("DEALER", "TCP_ACCEPT_FILTER", (b"", b"x", b"localhost", b"10.0.0.0/33", b"10.0.0.0/x", b"10.0.0.0/-1", b"::1")),
    ("DEALER", "METADATA", (b"", b"x", b"a:b", b":b", b"X-a:", b"X-a")),
    ("ROUTER", "CONNECT_ROUTING_ID", (b"",)),
]

# Options a socket type has none of, with a value that would be right elsewhere.
FOREIGN_OPTIONS: list[tuple[str, str, int | bytes]] = [
    ("PUSH", "SUBSCRIBE", b"x"),
    ("PUB", "SUBSCRIBE", b"x"),
    ("XSUB", "UNSUBSCRIBE", b"x"),
    ("DEALER", "ROUTER_MANDATORY", 1),
    ("DEALER", "ROUTER_HANDOVER", 1),
    ("DEALER", "ROUTER_RAW", 1),
    ("DEALER", "CONNECT_ROUTING_ID", b"x"),
    ("DEALER", "REQ_RELAXED", 1),
    ("REP", "REQ_CORRELATE", 1),
    ("PUSH", "PROBE_ROUTER", 1),
    ("SUB", "XPUB_VERBOSE", 1),
    ("SUB", "XPUB_VERBOSER", 1),
    ("XSUB", "XPUB_NODROP", 1),
    ("SUB", "XPUB_MANUAL", 1),
    ("SUB", "XPUB_WELCOME_MSG", b"x"),
    ("ROUTER", "STREAM_NOTIFY", 1),
    ("SUB", "ONLY_FIRST_SUBSCRIBE", 1),
]

READ_ONLY = ["TYPE", "RCVMORE", "FD", "EVENTS", "LAST_ENDPOINT", "MECHANISM", "THREAD_SAFE", "TOPICS_COUNT"]

WRITE_ONLY = [
    ("SUB", "SUBSCRIBE"),
    ("SUB", "UNSUBSCRIBE"),
    ("ROUTER", "ROUTER_MANDATORY"),
    ("ROUTER", "ROUTER_HANDOVER"),
    ("ROUTER", "CONNECT_ROUTING_ID"),
    ("DEALER", "PROBE_ROUTER"),
    ("REQ", "REQ_RELAXED"),
    ("REQ", "REQ_CORRELATE"),
    ("XPUB", "XPUB_VERBOSE"),
    ("XPUB", "XPUB_WELCOME_MSG"),
    ("DEALER", "TCP_ACCEPT_FILTER"),
    ("DEALER", "METADATA"),
]

UNKNOWN_OPTIONS = [-1, 0, 10, 20, 12345]


def flatten(table: list[tuple[str, str, tuple[Any, ...]]]) -> Iterator[Any]:
    for kind, option, values in table:
        for value in values:
            shown = value if isinstance(value, int) or len(value) < 20 else f"{len(value)} bytes"
            yield pytest.param(kind, option, value, id=f"{option}={shown}")


bad_values = pytest.mark.parametrize(("kind", "option", "value"), [*flatten(BAD_INTEGERS), *flatten([*BAD_BYTES])])


def value_of(sock: Sock, option: str) -> Any:
    """The present value, or None where it cannot be read."""
    try:
        return sock.getsockopt(getattr(zmq, option))
    except zmq.ZMQError:
        return None


@bad_values
def test_a_value_out_of_range_is_einval(socket: MakeSocket, kind: str, option: str, value: Any) -> None:
    """setsockopt fails with EINVAL and the option keeps its value."""
    sock = socket(getattr(zmq, kind))
    before = value_of(sock, option)
    with raises_errno(zmq.EINVAL):
        sock.setsockopt(getattr(zmq, option), value)
    assert value_of(sock, option) == before


@pytest.mark.departs
@bad_values
def test_the_text_names_the_option_and_its_value(socket: MakeSocket, kind: str, option: str, value: Any) -> None:
    """ "Invalid argument" alone does not say what was wrong. Secrets are not repeated."""
    sock = socket(getattr(zmq, kind))
    with pytest.raises(zmq.ZMQError, match="Invalid argument") as caught:
        sock.setsockopt(getattr(zmq, option), value)
    assert option in str(caught.value)
    if option in ("PLAIN_PASSWORD", "SOCKS_PASSWORD", "CURVE_SECRETKEY"):
        assert not value or repr(value) not in str(caught.value)
    elif isinstance(value, int):
        assert str(value) in str(caught.value)


@pytest.mark.parametrize(("kind", "option", "value"), FOREIGN_OPTIONS)
def test_an_option_of_another_socket_type_is_einval(
    socket: MakeSocket, kind: str, option: str, value: int | bytes
) -> None:
    """Each pattern's options belong to its own types."""
    with raises_errno(zmq.EINVAL):
        socket(getattr(zmq, kind)).setsockopt(getattr(zmq, option), value)


@pytest.mark.departs
@pytest.mark.parametrize(("kind", "option", "value"), FOREIGN_OPTIONS)
def test_the_text_names_the_foreign_option(socket: MakeSocket, kind: str, option: str, value: int | bytes) -> None:
    """The option's name is in the text."""
    with pytest.raises(zmq.ZMQError, match=option):
        socket(getattr(zmq, kind)).setsockopt(getattr(zmq, option), value)


@pytest.mark.parametrize("option", READ_ONLY)
def test_a_read_only_option_cannot_be_set(socket: MakeSocket, option: str) -> None:
    """EINVAL."""
    with raises_errno(zmq.EINVAL):
        socket(zmq.SUB).setsockopt(getattr(zmq, option), b"x" if option == "LAST_ENDPOINT" else 1)


@pytest.mark.parametrize(("kind", "option"), WRITE_ONLY)
def test_a_write_only_option_cannot_be_read(socket: MakeSocket, kind: str, option: str) -> None:
    """EINVAL, and AttributeError when it is read as an attribute."""
    sock = socket(getattr(zmq, kind))
    with raises_errno(zmq.EINVAL):
        sock.getsockopt(getattr(zmq, option))
    if "SUBSCRIBE" not in option:
        with pytest.raises(AttributeError):
            getattr(sock, option.lower())


@pytest.mark.parametrize("option", UNKNOWN_OPTIONS)
def test_an_unknown_option_is_einval(socket: MakeSocket, option: int) -> None:
    """Neither settable nor gettable."""
    sock = socket(zmq.DEALER)
    with raises_errno(zmq.EINVAL):
        sock.setsockopt(option, 1)
    with raises_errno(zmq.EINVAL):
        sock.getsockopt(option)


@pytest.mark.departs
@pytest.mark.parametrize("option", UNKNOWN_OPTIONS)
def test_the_text_names_the_unknown_option(socket: MakeSocket, option: int) -> None:
    """The number is in the text of both errors."""
    sock = socket(zmq.DEALER)
    with pytest.raises(zmq.ZMQError, match=str(option)):
        sock.setsockopt(option, 1)
    with pytest.raises(zmq.ZMQError, match=str(option)):
        sock.getsockopt(option)


@pytest.mark.parametrize("value", ["1", b"1", 1.5, None, [1]])
@pytest.mark.parametrize("option", ["LINGER", "MAXMSGSIZE", "SNDHWM"])
def test_an_integer_option_takes_integers_only(socket: MakeSocket, option: str, value: Any) -> None:
    """Anything else is TypeError."""
    with pytest.raises(TypeError):
        socket(zmq.DEALER).setsockopt(getattr(zmq, option), value)


@pytest.mark.parametrize("value", ["text", 1, 1.5, bytearray(b"x"), memoryview(b"x")])
@pytest.mark.parametrize("option", ["ROUTING_ID", "PLAIN_USERNAME", "ZAP_DOMAIN"])
def test_a_bytes_option_takes_bytes_only(socket: MakeSocket, option: str, value: Any) -> None:
    """Anything else, text included, is TypeError; set_string is for text. (None: see test_options_effect.)"""
    with pytest.raises(TypeError):
        socket(zmq.DEALER).setsockopt(getattr(zmq, option), value)


@pytest.mark.parametrize(("option", "value"), [("LINGER", 2**31), ("LINGER", -(2**31) - 1), ("MAXMSGSIZE", 2**63)])
def test_an_integer_too_large_for_c_is_an_overflow(socket: MakeSocket, option: str, value: int) -> None:
    """Options have 32 bits, or 64: OverflowError beyond that."""
    with pytest.raises(OverflowError):
        socket(zmq.DEALER).setsockopt(getattr(zmq, option), value)


@pytest.mark.parametrize("option", ["x", b"x", None, []])
def test_an_option_is_a_number(socket: MakeSocket, option: Any) -> None:
    """Names as text are for attributes: TypeError."""
    sock = socket(zmq.DEALER)
    with pytest.raises(TypeError):
        sock.setsockopt(option, 1)
    with pytest.raises(TypeError):
        sock.getsockopt(option)


def test_the_string_setters_are_for_text(socket: MakeSocket) -> None:
    """set_string wants a bytes option and a str, get_string a bytes option: TypeError otherwise."""
    sock = socket(zmq.DEALER)
    with pytest.raises(TypeError):
        sock.set_string(zmq.LINGER, "1")
    with pytest.raises(TypeError):
        sock.set_string(zmq.ROUTING_ID, b"x")
    with pytest.raises(TypeError):
        sock.get_string(zmq.LINGER)


def test_attributes_that_are_no_options(socket: MakeSocket) -> None:
    """Reading or setting one: AttributeError."""
    sock = socket(zmq.DEALER)
    with pytest.raises(AttributeError):
        sock.no_such_option  # noqa: B018
    with pytest.raises(AttributeError):
        sock.no_such_option = 1
    with raises_errno(zmq.EINVAL):
        sock.rcvmore = 1


@pytest.mark.parametrize("topic", [1, None, 1.5, []])
def test_a_topic_is_bytes_or_text(socket: MakeSocket, topic: Any) -> None:
    """subscribe and unsubscribe of anything else: TypeError."""
    sub = socket(zmq.SUB)
    with pytest.raises(TypeError):
        sub.subscribe(topic)
    with pytest.raises(TypeError):
        sub.unsubscribe(topic)


# --- endpoints -------------------------------------------------------------------------------------------------------

MALFORMED = ["", "tcp", "tcp:", "tcp:/", "tcp://", "://", "://x", "tcp:127.0.0.1:80", "inproc", "inproc://", "ipc://"]
UNKNOWN_SCHEMES = ["foo://bar", "TCP://127.0.0.1:1", "pgm://x"]

# Endpoint, errno of bind.
BAD_BINDS: list[tuple[str, int]] = [
    *((endpoint, errno.EINVAL) for endpoint in MALFORMED),
    *((endpoint, errno.EPROTONOSUPPORT) for endpoint in UNKNOWN_SCHEMES),
    ("udp://127.0.0.1:5555", zmq.ENOCOMPATPROTO),
    ("tcp://127.0.0.1", errno.EINVAL),
    ("tcp://127.0.0.1:", errno.EINVAL),
    ("tcp://127.0.0.1:x", errno.EINVAL),
    ("tcp://127.0.0.1:00", errno.EINVAL),
    ("tcp://127.0.0.1:65536", errno.EINVAL),
    ("tcp://*", errno.EINVAL),
    ("tcp://*:x", errno.EINVAL),
    ("tcp:///", errno.EINVAL),
    ("tcp://127.0.0.1:\0", errno.EINVAL),
    ("tcp://:80", errno.ENODEV),
    ("tcp://1.2.3.4.5:80", errno.ENODEV),
    ("tcp://256.1.1.1:*", errno.ENODEV),
    ("tcp://no.such.host.invalid:*", errno.ENODEV),
    ("tcp://nosuchnic0:*", errno.ENODEV),
    ("tcp://[::1]:*", errno.ENODEV),
    ("tcp://a b:80", errno.ENODEV),
    ("tcp://8.8.8.8:*", errno.EADDRNOTAVAIL),
    ("ipc://@", errno.EINVAL),
    ("ipc:///no/such/directory/socket", errno.ENOENT),
    ("ipc:///proc", errno.EADDRINUSE),
    ("ipc://" + "x" * 108, errno.ENAMETOOLONG),
    ("ipc://" + "x" * 300, errno.ENAMETOOLONG),
]

# Endpoint, errno of connect.
BAD_CONNECTS: list[tuple[str, int]] = [
    *((endpoint, errno.EINVAL) for endpoint in MALFORMED),
    *((endpoint, errno.EPROTONOSUPPORT) for endpoint in UNKNOWN_SCHEMES),
    ("udp://127.0.0.1:5555", zmq.ENOCOMPATPROTO),
    ("tcp://127.0.0.1", errno.EINVAL),
    ("tcp://127.0.0.1:", errno.EINVAL),
    ("tcp://127.0.0.1:x", errno.EINVAL),
    ("tcp://127.0.0.1:*", errno.EINVAL),
    ("tcp://127.0.0.1:-1", errno.EINVAL),
    ("tcp://127.0.0.1:\0", errno.EINVAL),
    ("tcp://*", errno.EINVAL),
    ("tcp://*:80", errno.EINVAL),
    ("tcp://-a:80", errno.EINVAL),
    ("tcp://a b:80", errno.EINVAL),
    ("tcp://a/b:80", errno.EINVAL),
    ("tcp://a@b:80", errno.EINVAL),
    ("tcp:///", errno.EINVAL),
    ("tcp://;127.0.0.1:2", errno.EINVAL),
    ("ipc://@", errno.EINVAL),
    ("ipc://" + "x" * 108, errno.ENAMETOOLONG),
    ("ipc://" + "x" * 300, errno.ENAMETOOLONG),
]

# Endpoint, errno of unbind and disconnect.
BAD_ENDS: list[tuple[str, int]] = [
    *((endpoint, errno.EINVAL) for endpoint in MALFORMED),
    *((endpoint, errno.EPROTONOSUPPORT) for endpoint in UNKNOWN_SCHEMES),
    ("udp://127.0.0.1:5555", zmq.ENOCOMPATPROTO),
    ("tcp://127.0.0.1:1", errno.ENOENT),
    ("tcp://127.0.0.1:x", errno.ENOENT),
    ("tcp://127.0.0.1:*", errno.ENOENT),
    ("ipc:///nobody/is/here", errno.ENOENT),
    ("inproc://nobody is here", errno.ENOENT),
]


def shown(value: Any) -> str | None:
    return f"{len(value)} characters" if isinstance(value, str) and len(value) > 60 else None


@pytest.mark.parametrize(("endpoint", "number"), BAD_BINDS, ids=shown)
def test_bind_refuses(socket: MakeSocket, endpoint: str, number: int) -> None:
    """The errno says why, the text names the address."""
    with pytest.raises(zmq.ZMQError) as caught:
        socket(zmq.DEALER).bind(endpoint)
    assert caught.value.errno == number
    assert repr(endpoint) in str(caught.value)


@pytest.mark.parametrize(("endpoint", "number"), BAD_CONNECTS, ids=shown)
def test_connect_refuses(socket: MakeSocket, endpoint: str, number: int) -> None:
    """The errno says why, the text names the address; whether somebody is there is not checked."""
    with pytest.raises(zmq.ZMQError) as caught:
        socket(zmq.DEALER).connect(endpoint)
    assert caught.value.errno == number
    assert repr(endpoint) in str(caught.value)


@pytest.mark.parametrize("call", ["unbind", "disconnect"])
@pytest.mark.parametrize(("endpoint", "number"), BAD_ENDS, ids=shown)
def test_unbind_and_disconnect_refuse(socket: MakeSocket, call: str, endpoint: str, number: int) -> None:
    """The errno says why."""
    with raises_errno(number):
        getattr(socket(zmq.DEALER), call)(endpoint)


@pytest.mark.departs
@pytest.mark.parametrize("call", ["unbind", "disconnect"])
@pytest.mark.parametrize(("endpoint", "number"), BAD_ENDS, ids=shown)
def test_the_text_names_the_endpoint_that_could_not_be_ended(
    socket: MakeSocket, call: str, endpoint: str, number: int
) -> None:
    """As for bind and connect, the address is in the text."""
    with pytest.raises(zmq.ZMQError) as caught:
        getattr(socket(zmq.DEALER), call)(endpoint)
    assert caught.value.errno == number
    assert repr(endpoint) in str(caught.value)


@pytest.mark.parametrize("transport", ["inproc", "tcp", "ipc"])
def test_an_address_in_use_is_refused(socket: MakeSocket, transport: str) -> None:
    """A second bind of the same address: EADDRINUSE, and the first owner keeps it."""
    owner, other, push = socket(zmq.PULL), socket(zmq.PULL), socket(zmq.PUSH)
    endpoint = bind(owner, transport)
    with pytest.raises(zmq.ZMQError) as caught:
        other.bind(endpoint)
    assert caught.value.errno == errno.EADDRINUSE
    assert endpoint in str(caught.value)
    push.connect(endpoint)
    push.send(b"x")
    assert owner.recv() == b"x"


def test_an_ipc_path_that_is_too_long_is_explained(socket: MakeSocket) -> None:
    """bind says how long a path may be."""
    with pytest.raises(zmq.ZMQError, match=str(zmq.IPC_PATH_MAX_LEN)):
        socket(zmq.PULL).bind("ipc://" + "x" * (zmq.IPC_PATH_MAX_LEN + 1))


def test_the_longest_ipc_path_works(socket: MakeSocket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IPC_PATH_MAX_LEN characters are not too many."""
    monkeypatch.chdir(tmp_path)
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    endpoint = "ipc://" + "x" * zmq.IPC_PATH_MAX_LEN
    pull.bind(endpoint)
    push.connect(endpoint)
    push.send(b"x")
    assert pull.recv() == b"x"


@pytest.mark.parametrize("call", ["bind", "connect", "unbind", "disconnect"])
@pytest.mark.parametrize("endpoint", [None, 1, 1.5, []])
def test_an_endpoint_is_text(socket: MakeSocket, call: str, endpoint: Any) -> None:
    """str or bytes; anything else is TypeError."""
    with pytest.raises(TypeError):
        getattr(socket(zmq.DEALER), call)(endpoint)


def test_an_endpoint_may_be_bytes(socket: MakeSocket) -> None:
    """bind and connect take bytes as well as str."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    pull.bind(b"tcp://127.0.0.1:*")
    endpoint = pull.getsockopt(zmq.LAST_ENDPOINT)
    push.connect(endpoint)
    push.send(b"x")
    assert pull.recv() == b"x"
    push.disconnect(endpoint)
    pull.unbind(endpoint)


@pytest.mark.parametrize("call", ["bind", "connect"])
def test_a_refused_endpoint_leaves_the_socket_usable(socket: MakeSocket, call: str) -> None:
    """After each refusal the socket works as before."""
    sock, peer = socket(zmq.PAIR), socket(zmq.PAIR)
    for endpoint, _ in BAD_BINDS if call == "bind" else BAD_CONNECTS:
        with pytest.raises(zmq.ZMQError):
            getattr(sock, call)(endpoint)
    link(sock, peer, "tcp")
    peer.send(b"x")
    assert sock.recv() == b"x"


def test_bind_to_random_port_gives_up(socket: MakeSocket) -> None:
    """All ports of the range taken: ZMQBindError; a bad address: ZMQError at once."""
    owner, sock = socket(zmq.PULL), socket(zmq.PULL)
    port = int(bind(owner, "tcp").rpartition(":")[2])
    with pytest.raises(zmq.ZMQBindError):
        sock.bind_to_random_port("tcp://127.0.0.1", port, port + 1, 3)
    with raises_errno(errno.ENODEV):
        sock.bind_to_random_port("tcp://no.such.host.invalid")


# --- sending and receiving -------------------------------------------------------------------------------------------


@pytest.fixture
def pair(socket: MakeSocket) -> tuple[Sock, Sock]:
    """Two PAIR sockets that are connected."""
    left, right = socket(zmq.PAIR), socket(zmq.PAIR)
    link(left, right)
    return left, right


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("data", ["text", 1, 1.5, None, [], [b"x"], {}])
def test_only_buffers_can_be_sent(pair: tuple[Sock, Sock], data: Any, copy: bool) -> None:
    """TypeError, text included, and nothing was sent."""
    left, right = pair
    with pytest.raises(TypeError):
        left.send(data, copy=copy)
    assert is_quiet(right, 1)


def test_only_contiguous_buffers_can_be_sent(pair: tuple[Sock, Sock]) -> None:
    """A memoryview with gaps: BufferError."""
    with pytest.raises(BufferError):
        pair[0].send(memoryview(b"abcdef")[::2])


@pytest.mark.parametrize(
    ("parts", "named"),
    [([b"a", "b"], "1 ('b')"), ([b"a", b"b", 7], "2 (7)"), ([None], "0 (None)"), ("ab", "0 ('a')"), (b"ab", "0 (97)")],
)
def test_a_bad_part_is_named_before_anything_is_sent(pair: tuple[Sock, Sock], parts: Any, named: str) -> None:
    """send_multipart checks all parts first: TypeError with the part's number and value."""
    left, right = pair
    with pytest.raises(TypeError) as caught:
        left.send_multipart(parts)
    assert named in str(caught.value)
    left.send(b"whole")
    assert right.recv_multipart() == [b"whole"]


@pytest.mark.parametrize("parts", [None, 1])
def test_parts_are_a_sequence(pair: tuple[Sock, Sock], parts: Any) -> None:
    """Anything that cannot be iterated over: TypeError."""
    with pytest.raises(TypeError):
        pair[0].send_multipart(parts)


def test_flags_are_a_number(pair: tuple[Sock, Sock]) -> None:
    """TypeError for anything else."""
    left, _ = pair
    with pytest.raises(TypeError):
        left.send(b"x", "1")
    with pytest.raises(TypeError):
        left.recv("1")


def test_what_the_converters_cannot_convert(pair: tuple[Sock, Sock]) -> None:
    """send_string, send_json and their counterparts raise what the conversion raises."""
    left, right = pair
    with pytest.raises(TypeError):
        left.send_string(b"bytes")
    with pytest.raises(TypeError):
        left.send_json(object())
    left.send(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        right.recv_string()
    left.send(b"{")
    with pytest.raises(ValueError, match="Expecting"):
        right.recv_json()


@pytest.mark.parametrize(
    ("buffer", "nbytes", "error"),
    [
        (b"read-only", 0, BufferError),
        (memoryview(bytearray(8))[::2], 0, BufferError),
        ("text", 0, TypeError),
        (1, 0, TypeError),
        (bytearray(4), -1, ValueError),
        (bytearray(4), 5, ValueError),
        (bytearray(4), "x", TypeError),
        (bytearray(4), None, TypeError),
    ],
    ids=["read-only", "gaps", "text", "number", "negative", "too many", "no number", "none"],
)
def test_recv_into_needs_a_fitting_buffer(
    pair: tuple[Sock, Sock], buffer: Any, nbytes: int, error: type[Exception]
) -> None:
    """The buffer is checked before anything is received."""
    left, right = pair
    left.send(b"x")
    with pytest.raises(error):
        right.recv_into(buffer, nbytes=nbytes)
    assert right.recv() == b"x"


@pytest.mark.departs
@pytest.mark.parametrize("nbytes", ["x", b"1", [], 1.0])
def test_recv_into_names_what_is_no_size(pair: tuple[Sock, Sock], nbytes: Any) -> None:
    """The text has the value. (pyzmq takes 1.0 for 1.)"""
    with pytest.raises(TypeError, match=re.escape(f"an integer is required, got: nbytes={nbytes!r}")):
        pair[0].recv_into(bytearray(4), nbytes=nbytes)


def test_a_frame_that_is_not_tracked_cannot_be_tracked_by_send(pair: tuple[Sock, Sock]) -> None:
    """track=True with such a Frame: ValueError."""
    with pytest.raises(ValueError, match="track"):
        pair[0].send(zmq.Frame(b"x"), copy=False, track=True)


@pytest.mark.parametrize("data", ["text", 1, 1.5, []])
def test_a_frame_holds_a_buffer(data: Any) -> None:
    """Anything else: TypeError."""
    with pytest.raises(TypeError):
        zmq.Frame(data)


def test_what_a_frame_does_not_have() -> None:
    """Unknown properties are EINVAL, unknown attributes AttributeError, other keys TypeError."""
    frame = zmq.Frame(b"x")
    for key in ("no such property", 99):
        with raises_errno(zmq.EINVAL):
            frame.get(key)
    with raises_errno(zmq.EINVAL):
        frame["no such property"]
    with raises_errno(zmq.EINVAL):
        frame.set(zmq.MORE, 1)
    with pytest.raises(TypeError):
        frame.get(None)
    with pytest.raises(AttributeError):
        frame.no_such_attribute  # noqa: B018


# --- closed sockets --------------------------------------------------------------------------------------------------

ON_A_CLOSED_SOCKET: dict[str, Callable[[Sock], Any]] = {
    "send": lambda sock: sock.send(b"x"),
    "recv": lambda sock: sock.recv(),
    "recv_into": lambda sock: sock.recv_into(bytearray(1)),
    "send_multipart": lambda sock: sock.send_multipart([b"x", b"y"]),
    "recv_multipart": lambda sock: sock.recv_multipart(),
    "bind": lambda sock: sock.bind("inproc://closed"),
    "connect": lambda sock: sock.connect("inproc://closed"),
    "unbind": lambda sock: sock.unbind("inproc://closed"),
    "disconnect": lambda sock: sock.disconnect("inproc://closed"),
    "bind_to_random_port": lambda sock: sock.bind_to_random_port("tcp://127.0.0.1"),
    "setsockopt": lambda sock: sock.setsockopt(zmq.LINGER, 0),
    "getsockopt": lambda sock: sock.getsockopt(zmq.LINGER),
    "attribute": lambda sock: sock.linger,
    "subscribe": lambda sock: sock.subscribe(b""),
    "fileno": lambda sock: sock.fileno(),
    "monitor": lambda sock: sock.monitor("inproc://monitor"),
    "get_monitor_socket": lambda sock: sock.get_monitor_socket(),
}


@pytest.mark.parametrize("call", ON_A_CLOSED_SOCKET)
def test_a_closed_socket_is_no_socket(socket: MakeSocket, call: str) -> None:
    """Every call fails with ENOTSOCK."""
    sock = socket(zmq.SUB)
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        ON_A_CLOSED_SOCKET[call](sock)


def test_polling_a_closed_socket(socket: MakeSocket) -> None:
    """Socket.poll: ENOTSUP."""
    sock = socket(zmq.PAIR)
    sock.close()
    with raises_errno(zmq.ENOTSUP):
        sock.poll(0)


@pytest.mark.departs
def test_a_poller_does_not_take_a_closed_socket_for_a_descriptor(socket: MakeSocket) -> None:
    """A registered socket that was closed: ENOTSOCK, as zmq_poll documents.

    pyzmq polls descriptor 0 instead.
    """
    sock, poller = socket(zmq.PAIR), zmq.Poller()
    poller.register(sock)
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        poller.poll(0)


def test_closing_twice_is_no_error(socket: MakeSocket) -> None:
    """close is idempotent, and `closed` tells."""
    sock = socket(zmq.PAIR)
    assert not sock.closed
    sock.close()
    sock.close()
    sock.close(linger=0)
    assert sock.closed


# --- contexts --------------------------------------------------------------------------------------------------------

BAD_CONTEXT_VALUES = [
    ("IO_THREADS", -1),
    ("MAX_SOCKETS", 0),
    ("MAX_SOCKETS", -5),
    ("MAX_MSGSZ", -1),
    ("IPV6", -1),
    ("BLOCKY", -1),
    ("THREAD_PRIORITY", -1),
    ("THREAD_SCHED_POLICY", -1),
    ("THREAD_AFFINITY_CPU_ADD", -1),
    ("THREAD_AFFINITY_CPU_REMOVE", 3),
    ("MSG_T_SIZE", 1),
]


@pytest.mark.parametrize(("option", "value"), BAD_CONTEXT_VALUES)
def test_a_context_value_out_of_range_is_einval(ctx: Any, option: str, value: int) -> None:
    """Context.set fails with EINVAL."""
    with raises_errno(zmq.EINVAL):
        ctx.set(getattr(zmq, option), value)


@pytest.mark.departs
@pytest.mark.parametrize(("option", "value"), BAD_CONTEXT_VALUES)
def test_the_text_names_the_context_option_and_its_value(ctx: Any, option: str, value: int) -> None:
    """THREAD_PRIORITY shares its number with SOCKET_LIMIT, so either name will do."""
    with pytest.raises(zmq.ZMQError, match="Invalid argument") as caught:
        ctx.set(getattr(zmq, option), value)
    names = ("THREAD_PRIORITY", "SOCKET_LIMIT") if option == "THREAD_PRIORITY" else (option,)
    assert any(name in str(caught.value) for name in names)
    assert str(value) in str(caught.value)


@pytest.mark.parametrize("option", [-1, 0, 11, 12345])
def test_an_unknown_context_option_is_einval(ctx: Any, option: int) -> None:
    """Neither settable nor gettable."""
    with raises_errno(zmq.EINVAL):
        ctx.set(option, 1)
    with raises_errno(zmq.EINVAL):
        ctx.get(option)


@pytest.mark.parametrize("option", ["THREAD_AFFINITY_CPU_ADD", "THREAD_AFFINITY_CPU_REMOVE"])
def test_a_write_only_context_option_cannot_be_read(ctx: Any, option: str) -> None:
    """EINVAL."""
    with raises_errno(zmq.EINVAL):
        ctx.get(getattr(zmq, option))


def test_context_options_are_numbers(ctx: Any) -> None:
    """TypeError for anything else, on either side."""
    for option, value in ((zmq.IO_THREADS, "1"), ("x", 1)):
        with pytest.raises(TypeError):
            ctx.set(option, value)
    with pytest.raises(TypeError):
        ctx.get("x")


def test_attributes_a_context_does_not_have(ctx: Any) -> None:
    """Neither option of the context nor default for its sockets: AttributeError."""
    with pytest.raises(AttributeError):
        ctx.no_such_option  # noqa: B018
    with pytest.raises(AttributeError):
        ctx.no_such_option = 1
    with pytest.raises(AttributeError):
        ctx.linger  # noqa: B018 - a default that was not set


def test_a_context_needs_a_number_of_threads() -> None:
    """Negative: EINVAL; not a number: TypeError."""
    with raises_errno(zmq.EINVAL):
        zmq.Context(-1)
    for value in ("1", None):
        with pytest.raises(TypeError):
            zmq.Context(value)


@pytest.mark.parametrize("number", [21, 99, 10_000])
def test_an_unknown_socket_type_is_einval(ctx: Any, number: int) -> None:
    """Numbers beyond the last type."""
    with raises_errno(zmq.EINVAL):
        ctx.socket(number)


@pytest.mark.departs
@pytest.mark.parametrize("number", [21, 99, 10_000])
def test_the_text_names_the_unknown_socket_type(ctx: Any, number: int) -> None:
    """The number is in the text."""
    with pytest.raises(zmq.ZMQError, match=str(number)):
        ctx.socket(number)


@pytest.mark.parametrize("kind", ["PAIR", None, -1])
def test_a_socket_type_is_a_number(ctx: Any, kind: Any) -> None:
    """TypeError for anything else, and for a negative one."""
    with pytest.raises(TypeError):
        ctx.socket(kind)


def test_a_socket_needs_a_context() -> None:
    """Socket() without one, or with something else: TypeError."""
    for context in (None, "context"):
        with pytest.raises(TypeError):
            zmq.Socket(context, zmq.PAIR)


def test_a_terminated_context_makes_no_sockets() -> None:
    """socket: ENOTSUP; get and set: RuntimeError; term and destroy again: no error."""
    context = zmq.Context()
    context.term()
    with raises_errno(zmq.ENOTSUP):
        context.socket(zmq.PAIR)
    with pytest.raises(RuntimeError):
        context.get(zmq.IO_THREADS)
    with pytest.raises(RuntimeError):
        context.set(zmq.IO_THREADS, 1)
    context.term()
    context.destroy()
    assert context.closed


# --- what pyzmq's own build of libzmq takes --------------------------------------------------------------------------


@pytest.mark.departs
@pytest.mark.parametrize("endpoint", ["tipc://{5560,0,0}", "tipc://{5560,0}@0.0.0", "tipc://<*>"])
def test_there_is_no_tipc(socket: MakeSocket, endpoint: str) -> None:
    """has() says so, and both calls do."""
    sock = socket(zmq.PULL)
    assert zmq.has("tipc") is False
    for call in (sock.bind, sock.connect):
        with pytest.raises(zmq.ZMQError, match="tipc") as caught:
            call(endpoint)
        assert caught.value.errno == zmq.EPROTONOSUPPORT


@pytest.mark.departs
@pytest.mark.parametrize("name", "SERVER CLIENT RADIO DISH GATHER SCATTER DGRAM PEER CHANNEL".split())
def test_draft_types_cannot_be_made(name: str) -> None:
    """EINVAL that names the type, as in a libzmq without drafts, which zmq.has("draft") says this is."""
    assert zmq.has("draft") is False
    with zmq.Context() as ctx, pytest.raises(zmq.ZMQError, match=name) as caught:
        ctx.socket(getattr(zmq, name))
    assert caught.value.errno == zmq.EINVAL


FLOATS: dict[str, Callable[[Sock], object]] = {
    "recv flags": lambda sock: sock.recv(1.0),
    "send flags": lambda sock: sock.send(b"x", 1.0),
    "recv_into": lambda sock: sock.recv_into(bytearray(4), nbytes=1.0, flags=zmq.DONTWAIT),
    "option": lambda sock: sock.get(27.0),
    "context": lambda _sock: zmq.Context(2.0),
    "type": lambda sock: sock.context.socket(7.0),
}


@pytest.mark.departs
@pytest.mark.parametrize("call", FLOATS.values(), ids=list(FLOATS))
def test_floats_are_no_integers(pair: tuple[Sock, Sock], call: Callable[[Sock], object]) -> None:
    """TypeError, as for the values of options; pyzmq drops the fraction."""
    with pytest.raises(TypeError, match="integer"):
        call(pair[0])


@pytest.mark.departs
def test_a_nul_in_an_inproc_name_counts(socket: MakeSocket) -> None:
    """It ends the string in C only: two names that differ behind it are two."""
    left, right, other = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PAIR)
    left.bind("inproc://nul\0left")
    assert left.last_endpoint == b"inproc://nul\0left"
    right.bind("inproc://nul\0right")
    other.connect("inproc://nul\0right")
    other.send(b"x")
    assert right.recv() == b"x" and is_quiet(left)


# --- polling, proxies, monitors, the rest ----------------------------------------------------------------------------


class BadFileno:
    def fileno(self) -> str:
        return "x"


@pytest.mark.parametrize("item", ["x", 1.5, None, object()], ids=lambda item: type(item).__name__)
def test_what_cannot_be_polled(item: Any) -> None:
    """Neither socket nor descriptor: TypeError."""
    with pytest.raises(TypeError):
        zmq.zmq_poll([(item, zmq.POLLIN)], 0)


def test_a_fileno_must_give_a_descriptor() -> None:
    """fileno() that returns something else: ValueError."""
    with pytest.raises(ValueError, match="fileno"):
        zmq.zmq_poll([(BadFileno(), zmq.POLLIN)], 0)


def test_what_was_not_registered_cannot_be_unregistered(socket: MakeSocket) -> None:
    """KeyError."""
    with pytest.raises(KeyError):
        zmq.Poller().unregister(socket(zmq.PAIR))


@pytest.mark.parametrize("events", ["x", "5", b"1"])
def test_poll_events_are_a_number(socket: MakeSocket, events: Any) -> None:
    """TypeError for anything else, text of digits too; libzmq_py names it."""
    one, two, poller = socket(zmq.PAIR), socket(zmq.PAIR), zmq.Poller()
    text = re.escape(repr(events)) if TARGET == "libzmq_py" else "integer"
    for sock in (one, two):
        poller.register(sock, events)
        with pytest.raises(TypeError, match=text):
            poller.poll(0)
    with pytest.raises(TypeError, match=text):
        one.poll(0, events)
    for items in ([(one, events)], [(one, zmq.POLLIN), (two, events)]):
        with pytest.raises(TypeError, match=text):
            zmq.zmq_poll(items, 0)


@pytest.mark.parametrize("events", [1, True, zmq.POLLIN, zmq.POLLIN | zmq.POLLOUT, 1.0])
def test_poll_events_are_any_number(pair: tuple[Sock, Sock], events: Any) -> None:
    """Kinds of int, and, as in pyzmq, floats."""
    left, right = pair
    right.send(b"x")
    poller = zmq.Poller()
    poller.register(left, events)
    assert poller.poll(1000) == zmq.zmq_poll([(left, events)], 1000) == [(left, int(events))]
    assert left.poll(1000, events) == int(events)


@pytest.mark.parametrize("timeout", ["1", []])
def test_a_poll_timeout_is_a_number(socket: MakeSocket, timeout: Any) -> None:
    """TypeError for anything else."""
    sock, poller = socket(zmq.PAIR), zmq.Poller()
    poller.register(sock)
    with pytest.raises(TypeError):
        poller.poll(timeout)
    with pytest.raises(TypeError):
        sock.poll(timeout)


@pytest.mark.parametrize("wrong", ["frontend", "backend", "capture"])
def test_a_proxy_is_between_sockets(socket: MakeSocket, wrong: str) -> None:
    """Anything else in a socket's place: TypeError."""
    arguments: dict[str, Any] = {name: socket(zmq.DEALER) for name in ("frontend", "backend", "capture")}
    arguments[wrong] = "no socket"
    with pytest.raises(TypeError):
        zmq.proxy(*arguments.values())


def test_a_proxy_needs_open_sockets(socket: MakeSocket) -> None:
    """A closed socket: ZMQError at once."""
    sock, closed = socket(zmq.DEALER), socket(zmq.DEALER)
    closed.close()
    with pytest.raises(zmq.ZMQError):
        zmq.proxy(sock, closed)


@pytest.mark.parametrize(
    ("endpoint", "number"),
    [
        ("tcp://127.0.0.1:5555", errno.EPROTONOSUPPORT),
        ("ipc://@monitor", errno.EPROTONOSUPPORT),
        ("foo://x", errno.EPROTONOSUPPORT),
        ("udp://127.0.0.1:1", zmq.ENOCOMPATPROTO),
        ("inproc", errno.EINVAL),
        ("inproc://", errno.EINVAL),
    ],
)
def test_a_monitor_needs_an_inproc_endpoint(socket: MakeSocket, endpoint: str, number: int) -> None:
    """Any other transport is refused."""
    with raises_errno(number):
        socket(zmq.PAIR).monitor(endpoint)


def test_a_monitor_s_name_must_be_free(socket: MakeSocket) -> None:
    """EADDRINUSE."""
    taken = bind(socket(zmq.PAIR))
    with raises_errno(errno.EADDRINUSE):
        socket(zmq.PAIR).monitor(taken)


@pytest.mark.parametrize("events", [1 << 17, -1])
def test_a_monitor_has_sixteen_events(socket: MakeSocket, events: int) -> None:
    """Bits beyond them: EINVAL."""
    with raises_errno(zmq.EINVAL):
        socket(zmq.PAIR).monitor("inproc://monitor", events)


def test_a_curve_key_has_forty_characters() -> None:
    """curve_public: another length ValueError, other characters EINVAL."""
    with pytest.raises(ValueError, match="40"):
        zmq.curve_public(b"x")
    with raises_errno(zmq.EINVAL):
        zmq.curve_public(b"~" * 40)


def test_unknown_error_numbers_and_features() -> None:
    """strerror has a text for every number; has() of something unknown is False."""
    assert zmq.strerror(99_999) == "Unknown error 99999"
    assert zmq.strerror(zmq.EFSM) == "Operation cannot be accomplished in current state"
    assert zmq.has("no such feature") is False
    with pytest.raises(TypeError):
        zmq.strerror("x")
    with pytest.raises(TypeError):
        zmq.has(1)
