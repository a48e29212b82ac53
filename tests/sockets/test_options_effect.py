# SPDX-License-Identifier: MPL-2.0
"""Socket options that can be seen at work: defaults, timeouts, events, what reaches the operating system, and when.

reference/socket-options.csv. Options of one pattern are tested with their socket type; security options elsewhere.
"""

import errno
import os
import select
import socket as pysocket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sockets.helpers import (
    LIMIT,
    QUIET,
    MakeSocket,
    MakeWatch,
    Watch,
    bind,
    each_network,
    each_transport,
    free_endpoint,
    inproc_and_tcp,
    inproc_name,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
    takes,
)
from tests.support.raw_peer import RawPeers
from tests.support.target import zmq
from tests.support.waiting import ms, wait_until

TYPES = ["PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB"]

DEFAULTS = {
    "AFFINITY": 0,
    "BACKLOG": 100,
    "BINDTODEVICE": b"",
    "CONFLATE": 0,
    "CONNECT_TIMEOUT": 0,
    "HANDSHAKE_IVL": 30000,
    "HEARTBEAT_IVL": 0,
    "HEARTBEAT_TIMEOUT": -1,
    "HEARTBEAT_TTL": 0,
    "IMMEDIATE": 0,
    "INVERT_MATCHING": 0,
    "IPV4ONLY": 1,
    "IPV6": 0,
    "LAST_ENDPOINT": b"",
    "LOOPBACK_FASTPATH": 0,
    "MAXMSGSIZE": -1,
    "MECHANISM": 0,
    "MULTICAST_HOPS": 1,
    "MULTICAST_LOOP": 1,
    "MULTICAST_MAXTPDU": 1500,
    "PLAIN_PASSWORD": b"",
    "PLAIN_SERVER": 0,
    "PLAIN_USERNAME": b"",
    "CURVE_SERVER": 0,
    "RATE": 100,
    "RCVBUF": -1,
    "RCVHWM": 1000,
    "RCVMORE": 0,
    "RCVTIMEO": -1,
    "RECONNECT_IVL": 100,
    "RECONNECT_IVL_MAX": 0,
    "RECONNECT_STOP": 0,
    "RECOVERY_IVL": 10000,
    "ROUTING_ID": b"",
    "SNDBUF": -1,
    "SNDHWM": 1000,
    "SNDTIMEO": -1,
    "SOCKS_PASSWORD": b"",
    "SOCKS_PROXY": b"",
    "SOCKS_USERNAME": b"",
    "TCP_KEEPALIVE": -1,
    "TCP_KEEPALIVE_CNT": -1,
    "TCP_KEEPALIVE_IDLE": -1,
    "TCP_KEEPALIVE_INTVL": -1,
    "TCP_MAXRT": 0,
    "THREAD_SAFE": 0,
    "TOS": 0,
    "USE_FD": -1,
    "ZAP_DOMAIN": b"",
    "ZAP_ENFORCE_DOMAIN": 0,
}

# Option, value, what is read back.
ROUND_TRIPS: list[tuple[str, Any, Any]] = [
    ("AFFINITY", 0x4000_0000_0000_0001, 0x4000_0000_0000_0001),
    ("BACKLOG", 5, 5),
    ("BINDTODEVICE", b"lo", b"lo"),
    ("CONFLATE", 1, 1),
    ("CONNECT_TIMEOUT", 250, 250),
    ("HANDSHAKE_IVL", 0, 0),
    ("HEARTBEAT_IVL", 5, 5),
    ("HEARTBEAT_TIMEOUT", 7, 7),
    ("HEARTBEAT_TTL", 1234, 1200),
    ("IMMEDIATE", 1, 1),
    ("INVERT_MATCHING", 5, 1),
    ("IPV4ONLY", 0, 0),
    ("IPV6", 1, 1),
    ("LINGER", 12, 12),
    ("LINGER", -1, -1),
    ("MAXMSGSIZE", 1 << 40, 1 << 40),
    ("MULTICAST_HOPS", 3, 3),
    ("PLAIN_PASSWORD", b"secret", b"secret"),
    ("PLAIN_USERNAME", b"me", b"me"),
    ("RATE", 1, 1),
    ("RCVBUF", 4096, 4096),
    ("RCVHWM", 0, 0),
    ("RCVTIMEO", 0, 0),
    ("RECONNECT_IVL", -1, -1),
    ("RECONNECT_IVL_MAX", 99, 99),
    ("RECONNECT_STOP", 3, 3),
    ("ROUTING_ID", b"\x00\x01", b"\x00\x01"),
    ("ROUTING_ID", b"ends with zero\x00", b"ends with zero\x00"),
    ("SNDBUF", 0, 0),
    ("SNDHWM", 7, 7),
    ("SNDTIMEO", 7, 7),
    ("SOCKS_PROXY", b"127.0.0.1:1080", b"127.0.0.1:1080"),
    ("SOCKS_USERNAME", b"", b""),
    ("TCP_KEEPALIVE", 1, 1),
    ("TCP_KEEPALIVE_CNT", 3, 3),
    ("TCP_KEEPALIVE_IDLE", 30, 30),
    ("TCP_KEEPALIVE_INTVL", 4, 4),
    ("TCP_MAXRT", 5000, 5000),
    ("TOS", 0x28, 0x28),
    ("ZAP_DOMAIN", b"global", b"global"),
    ("ZAP_ENFORCE_DOMAIN", 1, 1),
]


@contextmanager
def os_socket(fd: int) -> Iterator[pysocket.socket]:
    """The operating system's socket behind a descriptor that a monitor event told, without taking it over."""
    with pysocket.socket(fileno=os.dup(fd)) as borrowed:
        yield borrowed


def accepted_and_connected(socket: MakeSocket, watch: MakeWatch, **options: Any) -> tuple[int, int]:
    """Descriptors of both ends of a tcp connection between sockets that have these options."""
    pull, push = socket(zmq.PULL, **options), socket(zmq.PUSH, **options)
    events: list[Watch] = [watch(pull), watch(push)]
    link(pull, push, "tcp")
    push.send(b"x")
    assert pull.recv() == b"x"
    return events[0].wait(zmq.EVENT_ACCEPTED), events[1].wait(zmq.EVENT_CONNECTED)


# --- reading and writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_defaults(ctx: Any, kind: str) -> None:
    """A new socket has libzmq's default values, whatever its type."""
    with ctx.socket(getattr(zmq, kind)) as sock:
        found = {name: sock.getsockopt(getattr(zmq, name)) for name in DEFAULTS}
        assert found == DEFAULTS
        assert sock.getsockopt(zmq.TYPE) == getattr(zmq, kind)


@pytest.mark.parametrize(("name", "value", "stored"), ROUND_TRIPS)
def test_values_are_read_back(socket: MakeSocket, name: str, value: Any, stored: Any) -> None:
    """What was set is what is read, after the rounding the option is known for."""
    sock = socket(zmq.DEALER)
    option = getattr(zmq, name)
    sock.setsockopt(option, value)
    assert sock.getsockopt(option) == stored


def test_ipv6_and_ipv4only_are_one_option(socket: MakeSocket) -> None:
    """Setting either turns the other."""
    sock = socket(zmq.DEALER)
    sock.setsockopt(zmq.IPV6, 1)
    assert sock.getsockopt(zmq.IPV4ONLY) == 0
    sock.setsockopt(zmq.IPV4ONLY, 1)
    assert sock.getsockopt(zmq.IPV6) == 0


@pytest.mark.departs
@pytest.mark.parametrize(
    ("option", "value", "read", "after"),
    [
        ("PLAIN_USERNAME", b"me", "MECHANISM", 0),
        ("PLAIN_PASSWORD", b"secret", "MECHANISM", 0),
        ("SOCKS_PROXY", b"127.0.0.1:1080", "SOCKS_PROXY", b""),
        ("BINDTODEVICE", b"lo", "BINDTODEVICE", b""),
    ],
)
def test_none_takes_a_value_back(socket: MakeSocket, option: str, value: bytes, read: str, after: Any) -> None:
    """setsockopt(option, None) is C's (NULL, 0), for which pyzmq has no way: the option is as if never set."""
    sock = socket(zmq.DEALER)
    sock.setsockopt(getattr(zmq, option), value)
    assert sock.getsockopt(getattr(zmq, read)) != after
    sock.setsockopt(getattr(zmq, option), None)
    assert sock.getsockopt(getattr(zmq, read)) == after


@pytest.mark.departs
@pytest.mark.parametrize("option", ["ROUTING_ID", "ZAP_DOMAIN", "METADATA", "CURVE_PUBLICKEY"])
def test_none_is_einval_where_nothing_can_be_taken_back(socket: MakeSocket, option: str) -> None:
    """Options that want at least one byte refuse (NULL, 0) as well."""
    with raises_errno(zmq.EINVAL):
        socket(zmq.DEALER).setsockopt(getattr(zmq, option), None)


@pytest.mark.parametrize("kind", TYPES)
def test_events_of_an_unconnected_socket(socket: MakeSocket, kind: str) -> None:
    """Those types that drop what nobody wants are writable from the start, the others are not."""
    expected = zmq.POLLOUT if kind in ("PUB", "XPUB", "XSUB", "ROUTER") else 0
    assert settle(socket(getattr(zmq, kind))) == expected


# --- timeouts --------------------------------------------------------------------------------------------------------


def test_a_timeout_of_zero_is_dontwait(socket: MakeSocket) -> None:
    """RCVTIMEO = 0 and SNDTIMEO = 0: EAGAIN at once."""
    pair = socket(zmq.PAIR, rcvtimeo=0, sndtimeo=0)
    with takes(0, LIMIT // 2):
        with pytest.raises(zmq.Again):
            pair.recv()
        with pytest.raises(zmq.Again):
            pair.send(b"x")


def test_a_timeout_acts_at_once(socket: MakeSocket) -> None:
    """RCVTIMEO is read at every call."""
    left, right = socket(zmq.PAIR, rcvtimeo=QUIET), socket(zmq.PAIR)
    link(left, right)
    with takes(QUIET), pytest.raises(zmq.Again):
        left.recv()
    left.setsockopt(zmq.RCVTIMEO, 2 * QUIET)
    with takes(2 * QUIET), pytest.raises(zmq.Again):
        left.recv()
    right.send(b"x")
    assert left.recv() == b"x"


def test_dontwait_comes_before_a_timeout(socket: MakeSocket) -> None:
    """DONTWAIT does not wait, however long the timeout."""
    pair = socket(zmq.PAIR, rcvtimeo=LIMIT, sndtimeo=LIMIT)
    with takes(0, LIMIT // 2):
        with pytest.raises(zmq.Again):
            pair.recv(zmq.DONTWAIT)
        with pytest.raises(zmq.Again):
            pair.send(b"x", zmq.DONTWAIT)


# --- FD and EVENTS ---------------------------------------------------------------------------------------------------


@each_transport
def test_fd_becomes_readable_when_something_happens(socket: MakeSocket, transport: str) -> None:
    """ZMQ_FD can be waited for with select; EVENTS then tells what it was and makes the descriptor quiet again."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    link(pull, push, transport)
    fd = pull.getsockopt(zmq.FD)
    assert pull.fileno() == fd
    push.send(b"first")
    assert pull.recv() == b"first"
    wait_until(lambda: not settle(pull) and not select.select([fd], [], [], QUIET / 1000)[0], "the descriptor to rest")
    push.send(b"second")
    assert select.select([fd], [], [], LIMIT / 1000)[0]
    wait_until(lambda: settle(pull) == zmq.POLLIN, "the message")
    assert pull.recv() == b"second"
    assert settle(pull) == 0


def test_fd_stays_the_same(socket: MakeSocket) -> None:
    """A socket has one descriptor for its whole life."""
    pull = socket(zmq.PULL)
    fd = pull.getsockopt(zmq.FD)
    bind(pull)
    assert pull.getsockopt(zmq.FD) == fd
    assert fd >= 0


# --- LAST_ENDPOINT ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "beginning"),
    [
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:"),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:"),
        ("tcp://*:*", "tcp://0.0.0.0:"),
        ("tcp://localhost:*", "tcp://127.0.0.1:"),
        ("tcp://lo:*", "tcp://127.0.0.1:"),
        ("ipc://@libzmq_py-last-endpoint", "ipc://@libzmq_py-last-endpoint"),
        ("inproc://some name", "inproc://some name"),
    ],
)
def test_last_endpoint_tells_where_bind_went(socket: MakeSocket, given: str, beginning: str) -> None:
    """The numeric address and the real port, so that a peer can connect to it."""
    pull = socket(zmq.PULL)
    pull.bind(given)
    endpoint = last_endpoint(pull)
    assert endpoint.startswith(beginning)
    if given.startswith("tcp"):
        assert int(endpoint.rpartition(":")[2]) > 0
    pull.unbind(endpoint)
    assert last_endpoint(pull) == endpoint


def test_last_endpoint_of_an_ipc_wildcard(socket: MakeSocket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ipc://* binds a socket file in a new directory under TMPDIR, and removes both at the end."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    pull.bind("ipc://*")
    endpoint = last_endpoint(pull)
    path = Path(endpoint.removeprefix("ipc://"))
    assert path.is_socket()
    assert path.name == "socket"
    assert path.parent.parent == tmp_path
    push.connect(endpoint)
    push.send(b"x")
    assert pull.recv() == b"x"
    pull.unbind(endpoint)
    wait_until(lambda: not path.parent.exists(), "the file and its directory to be removed")


@pytest.mark.parametrize("given", ["tcp://127.0.0.1:9", "tcp://localhost:9", "ipc://nowhere", "inproc://nobody"])
def test_last_endpoint_after_connect_is_the_text_given(socket: MakeSocket, given: str) -> None:
    """connect sets LAST_ENDPOINT too."""
    push = socket(zmq.PUSH)
    bind(push)
    push.connect(given)
    assert last_endpoint(push) == given


def test_a_failed_bind_leaves_last_endpoint_alone(socket: MakeSocket) -> None:
    """LAST_ENDPOINT is of the last success."""
    first, second = socket(zmq.PULL), socket(zmq.PULL)
    taken = bind(first, "tcp")
    own = bind(second)
    with raises_errno(zmq.EADDRINUSE):
        second.bind(taken)
    assert last_endpoint(second) == own


# --- limits of context and threads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["bind", "connect"])
def test_affinity_must_name_an_io_thread(socket: MakeSocket, call: str) -> None:
    """AFFINITY with no bit of an existing I/O thread: EMTHREAD; inproc does not care."""
    sock = socket(zmq.PUSH, affinity=0b10)
    with raises_errno(zmq.EMTHREAD):
        getattr(sock, call)("tcp://127.0.0.1:9999")
    getattr(sock, call)(inproc_name())
    sock.setsockopt(zmq.AFFINITY, 0b01)
    sock.connect("tcp://127.0.0.1:9")


@pytest.mark.parametrize("affinity", [0b01, 0b10, 0b11, 0])
def test_any_io_thread_can_serve_a_connection(affinity: int) -> None:
    """With two I/O threads each of them, or both, can be chosen."""
    with zmq.Context(io_threads=2) as ctx, ctx.socket(zmq.PULL) as pull, ctx.socket(zmq.PUSH) as push:
        for sock in (pull, push):
            sock.setsockopt(zmq.AFFINITY, affinity)
            sock.setsockopt(zmq.LINGER, 0)
        pull.setsockopt(zmq.RCVTIMEO, LIMIT)
        link(pull, push, "tcp")
        push.send(b"x")
        assert pull.recv() == b"x"


def test_the_number_of_sockets_is_limited() -> None:
    """MAX_SOCKETS: one more is EMFILE, and when one was closed there is room again."""
    with zmq.Context() as ctx:
        ctx.set(zmq.MAX_SOCKETS, 3)
        socks = [ctx.socket(zmq.PAIR) for _ in range(3)]
        with raises_errno(errno.EMFILE):
            ctx.socket(zmq.PAIR)
        socks.pop().close()

        def made() -> bool:
            try:
                socks.append(ctx.socket(zmq.PAIR))
            except zmq.ZMQError as error:
                assert error.errno == errno.EMFILE
                return False
            return True

        wait_until(made, "the closed socket's place")
        for sock in socks:
            sock.close()


# --- what peers may send ---------------------------------------------------------------------------------------------


@each_network
def test_a_frame_over_maxmsgsize_ends_the_connection(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """MAXMSGSIZE bounds each received frame; a larger one is not delivered and its sender is cut off."""
    pull, push = socket(zmq.PULL, maxmsgsize=100), socket(zmq.PUSH)
    events = watch(pull)
    link(pull, push, transport)
    push.send_multipart([bytes(100), bytes(100)])
    assert [len(part) for part in pull.recv_multipart()] == [100, 100]
    push.send(bytes(101))
    events.wait(zmq.EVENT_DISCONNECTED)
    assert is_quiet(pull)


@each_network
def test_only_the_frames_before_the_large_one_are_lost_with_it(socket: MakeSocket, transport: str) -> None:
    """Of a message that contains a frame over MAXMSGSIZE nothing is delivered; complete messages before it are."""
    pull, push = socket(zmq.PULL, maxmsgsize=100), socket(zmq.PUSH)
    link(pull, push, transport)
    push.send(b"before")
    push.send_multipart([b"small", bytes(101)])
    assert pull.recv_multipart() == [b"before"]
    assert is_quiet(pull)


def test_maxmsgsize_is_not_for_inproc(socket: MakeSocket) -> None:
    """Within a process frames of any size pass."""
    pull, push = socket(zmq.PULL, maxmsgsize=10), socket(zmq.PUSH)
    link(pull, push)
    push.send(bytes(1000))
    assert len(pull.recv()) == 1000


@each_network
def test_a_silent_peer_is_cut_off_after_handshake_ivl(socket: MakeSocket, raw: RawPeers, transport: str) -> None:
    """HANDSHAKE_IVL bounds the time a peer may take to greet."""
    pull = socket(zmq.PULL, handshake_ivl=ms(40))
    peer = raw.connect(bind(pull, transport))
    with takes(ms(30)):
        peer.read_to_end()


@each_network
def test_handshake_ivl_does_not_end_finished_handshakes(socket: MakeSocket, raw: RawPeers, transport: str) -> None:
    """A connection that is up may be silent as long as it likes."""
    pull = socket(zmq.PULL, handshake_ivl=ms(60))
    peer = raw.connect(bind(pull, transport))
    peer.handshake("PUSH")
    peer.expect_silence(ms(100) / 1000)


@each_network
def test_a_peer_that_does_not_answer_pings_is_cut_off(socket: MakeSocket, raw: RawPeers, transport: str) -> None:
    """HEARTBEAT_IVL and HEARTBEAT_TIMEOUT: no PONG in time ends the connection."""
    pull = socket(zmq.PULL, heartbeat_ivl=ms(20), heartbeat_timeout=ms(40))
    peer = raw.connect(bind(pull, transport))
    peer.handshake("PUSH")
    with takes(ms(50)):
        assert b"\x04PING" in peer.read_to_end()


@each_network
def test_peers_that_answer_pings_stay(socket: MakeSocket, watch: MakeWatch, transport: str) -> None:
    """Two sockets with heartbeats keep an idle connection, for longer than an unanswered PING would let it live."""
    heartbeats = {"heartbeat_ivl": ms(20), "heartbeat_timeout": ms(100)}
    pull, push = socket(zmq.PULL, **heartbeats), socket(zmq.PUSH, **heartbeats)
    events = watch(pull)
    link(pull, push, transport)
    push.send(b"x")
    assert pull.recv() == b"x"
    assert events.is_quiet(zmq.EVENT_DISCONNECTED, ms(250))
    push.send(b"y")
    assert pull.recv() == b"y"


# --- who may connect -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "admitted"),
    [
        ([], True),
        ([b"127.0.0.1"], True),
        ([b"127.0.0.0/8"], True),
        ([b"10.0.0.1", b"127.0.0.1/32"], True),
        ([b"127.0.0.2"], False),
        ([b"10.0.0.0/8", b"192.168.0.0/16"], False),
        ([b"0.0.0.0/0"], True),
    ],
)
def test_tcp_accept_filter(socket: MakeSocket, raw: RawPeers, filters: list[bytes], admitted: bool) -> None:
    """With TCP_ACCEPT_FILTER only peers in one of the ranges get as far as a greeting."""
    pull = socket(zmq.PULL)
    for text in filters:
        pull.setsockopt(zmq.TCP_ACCEPT_FILTER, text)
    peer = raw.connect(bind(pull, "tcp"))
    if admitted:
        peer.handshake("PUSH")
    else:
        peer.expect_close()


@pytest.mark.departs
@pytest.mark.parametrize(
    ("option", "transport", "value"),
    [("TCP_ACCEPT_FILTER", "tcp", b"127.0.0.2"), ("IPC_FILTER_UID", "ipc", 54321)],
)
def test_none_clears_a_filter(
    socket: MakeSocket, raw: RawPeers, option: str, transport: str, value: int | bytes
) -> None:
    """After setsockopt(filter, None) everybody is admitted again."""
    pull = socket(zmq.PULL)
    pull.setsockopt(getattr(zmq, option), value)
    pull.setsockopt(getattr(zmq, option), None)
    raw.connect(bind(pull, transport)).handshake("PUSH")


def test_a_filtered_peer_is_reported(socket: MakeSocket, watch: MakeWatch, raw: RawPeers) -> None:
    """The monitor tells ACCEPT_FAILED."""
    pull = socket(zmq.PULL, tcp_accept_filter=b"127.0.0.2")
    events = watch(pull)
    raw.connect(bind(pull, "tcp"))
    events.wait(zmq.EVENT_ACCEPT_FAILED)


@pytest.mark.parametrize("kind", ["uid", "gid", "pid"])
def test_ipc_filters(socket: MakeSocket, raw: RawPeers, kind: str) -> None:
    """Only processes of the user, the group or with the id given are admitted."""
    option, own = f"IPC_FILTER_{kind.upper()}", {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}[kind]
    for value in (own, own + 12345):
        pull = socket(zmq.PULL)
        pull.setsockopt(getattr(zmq, option), value)
        peer = raw.connect(bind(pull, "ipc"))
        if value == own:
            peer.handshake("PUSH")
        else:
            peer.expect_close()


# --- the operating system's socket -----------------------------------------------------------------------------------


def test_tcp_sends_without_delay(socket: MakeSocket, watch: MakeWatch) -> None:
    """TCP_NODELAY is on for accepted and for own connections."""
    for fd in accepted_and_connected(socket, watch):
        with os_socket(fd) as sock:
            assert sock.getsockopt(pysocket.IPPROTO_TCP, pysocket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("options", "level", "name", "expected"),
    [
        ({"tos": 0x28}, pysocket.IPPROTO_IP, pysocket.IP_TOS, 0x28),
        ({"tcp_keepalive": 1}, pysocket.SOL_SOCKET, pysocket.SO_KEEPALIVE, 1),
        ({"tcp_keepalive": 0}, pysocket.SOL_SOCKET, pysocket.SO_KEEPALIVE, 0),
        ({"tcp_keepalive": 1, "tcp_keepalive_cnt": 4}, pysocket.IPPROTO_TCP, pysocket.TCP_KEEPCNT, 4),
        ({"tcp_keepalive": 1, "tcp_keepalive_idle": 50}, pysocket.IPPROTO_TCP, pysocket.TCP_KEEPIDLE, 50),
        ({"tcp_keepalive": 1, "tcp_keepalive_intvl": 6}, pysocket.IPPROTO_TCP, pysocket.TCP_KEEPINTVL, 6),
        ({"tcp_maxrt": 7000}, pysocket.IPPROTO_TCP, 18, 7000),  # TCP_USER_TIMEOUT
        ({"sndbuf": 30_000}, pysocket.SOL_SOCKET, pysocket.SO_SNDBUF, 60_000),  # Linux doubles what was asked for
        ({"rcvbuf": 30_000}, pysocket.SOL_SOCKET, pysocket.SO_RCVBUF, 60_000),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_options_reach_the_operating_system(
    socket: MakeSocket, watch: MakeWatch, options: dict[str, int], level: int, name: int, expected: int
) -> None:
    """The option is set on the tcp sockets of both sides."""
    for fd in accepted_and_connected(socket, watch, **options):
        with os_socket(fd) as sock:
            assert sock.getsockopt(level, name) == expected


def test_options_count_when_bind_is_called(socket: MakeSocket, watch: MakeWatch) -> None:
    """A bound endpoint keeps the options it was bound with, also for connections accepted later."""
    pull, push = socket(zmq.PULL, tos=0x20), socket(zmq.PUSH)
    events = watch(pull)
    endpoint = bind(pull, "tcp")
    pull.setsockopt(zmq.TOS, 0x40)
    push.connect(endpoint)
    push.send(b"x")
    assert pull.recv() == b"x"
    with os_socket(events.wait(zmq.EVENT_ACCEPTED)) as sock:
        assert sock.getsockopt(pysocket.IPPROTO_IP, pysocket.IP_TOS) == 0x20


@inproc_and_tcp
def test_a_routing_id_counts_when_connect_is_called(socket: MakeSocket, transport: str) -> None:
    """Each connection announces the ROUTING_ID the socket had at its connect."""
    dealer = socket(zmq.DEALER, routing_id=b"first")
    routers = [socket(zmq.ROUTER) for _ in range(2)]
    link(routers[0], dealer, transport)
    dealer.setsockopt(zmq.ROUTING_ID, b"second")
    link(routers[1], dealer, transport)
    for _ in routers:
        dealer.send(b"hello")
    assert routers[0].recv_multipart() == [b"first", b"hello"]
    assert routers[1].recv_multipart() == [b"second", b"hello"]


def test_a_connection_may_have_a_source_address(socket: MakeSocket, watch: MakeWatch) -> None:
    """tcp://source:port;target:port connects from the source given."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    events = watch(pull)
    target = bind(pull, "tcp").removeprefix("tcp://")
    push.connect(f"tcp://127.0.0.5:0;{target}")
    push.send(b"x")
    assert pull.recv() == b"x"
    with os_socket(events.wait(zmq.EVENT_ACCEPTED)) as sock:
        assert sock.getpeername()[0] == "127.0.0.5"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_listening_descriptor_can_be_handed_over(socket: MakeSocket, transport: str, tmp_path: Path) -> None:
    """USE_FD: bind adopts a socket that is already listening, as socket activation gives it."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    if transport == "tcp":
        with pysocket.create_server(("127.0.0.1", 0)) as listening:
            fd = os.dup(listening.fileno())
            endpoint = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    else:
        with pysocket.socket(pysocket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "s"))
            listening.listen()
            fd = os.dup(listening.fileno())
            endpoint = f"ipc://{tmp_path}/s"
    pull.setsockopt(zmq.USE_FD, fd)
    pull.bind(endpoint)
    assert last_endpoint(pull) == endpoint
    push.connect(endpoint)
    push.send(b"x")
    assert pull.recv() == b"x"


def test_connect_timeout_gives_up_an_attempt(socket: MakeSocket, watch: MakeWatch) -> None:
    """CONNECT_TIMEOUT: an attempt that hangs is closed and tried again later."""
    with pysocket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(4):  # fill the backlog, so that the next attempt gets no answer
            waiting.append(pysocket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        push = socket(zmq.PUSH, connect_timeout=ms(20), reconnect_ivl=5)
        events = watch(push)
        push.connect(f"tcp://127.0.0.1:{full.getsockname()[1]}")
        events.wait(zmq.EVENT_CLOSED)
        events.wait(zmq.EVENT_CONNECT_RETRIED)
        assert not events.values(zmq.EVENT_CONNECTED)
        for sock in waiting:
            sock.close()


# --- addresses and metadata ------------------------------------------------------------------------------------------


def test_ipv6_needs_the_option(socket: MakeSocket) -> None:
    """Binding an IPv6 address without IPV6 is ENODEV; with it, it works like any tcp endpoint."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, ipv6=1)
    with raises_errno(errno.ENODEV):
        pull.bind("tcp://[::1]:*")
    pull.setsockopt(zmq.IPV6, 1)
    pull.bind("tcp://[::1]:*")
    assert last_endpoint(pull).startswith("tcp://[::1]:")
    push.connect(last_endpoint(pull))
    push.send(b"x")
    assert pull.recv() == b"x"


def test_ipv6_wildcards_take_ipv4_peers_too(socket: MakeSocket) -> None:
    """With IPV6 the wildcard binds both families."""
    pull = socket(zmq.PULL, ipv6=1)
    pull.bind("tcp://*:*")
    endpoint = last_endpoint(pull)
    assert endpoint.startswith("tcp://[::]:")
    port = endpoint.rpartition(":")[2]
    for host, ipv6 in (("127.0.0.1", 0), ("[::1]", 1)):
        push = socket(zmq.PUSH, ipv6=ipv6)
        push.connect(f"tcp://{host}:{port}")
        push.send(host.encode())
        assert pull.recv() == host.encode()


@each_network
def test_application_metadata_reaches_the_peer(socket: MakeSocket, transport: str) -> None:
    """METADATA properties travel in the handshake and can be read from each message."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    push.setsockopt(zmq.METADATA, b"X-one:1")
    push.setsockopt(zmq.METADATA, b"X-two:2:2")
    link(pull, push, transport)
    push.send(b"x")
    frame = pull.recv(copy=False)
    assert frame.get("X-one") == "1"
    assert frame.get("X-two") == "2:2"
    assert frame.get("Socket-Type") == "PUSH"
    with raises_errno(zmq.EINVAL):
        frame.get("X-three")


def test_the_peer_s_address_is_metadata(socket: MakeSocket, raw: RawPeers) -> None:
    """Peer-Address of a tcp message is the address of its sender."""
    pull = socket(zmq.PULL)
    peer = raw.connect(bind(pull, "tcp"))
    peer.handshake("PUSH")
    peer.send(b"\x00\x01x")
    assert pull.recv(copy=False).get("Peer-Address") == "127.0.0.1"


def test_several_endpoints_of_several_transports(socket: MakeSocket, tmp_path: Path) -> None:
    """One socket may be bound and connected many times, over different transports at once."""
    pull = socket(zmq.PULL)
    later = free_endpoint("tcp", tmp_path)
    pull.connect(later)
    for transport in ("inproc", "tcp", "ipc", "tcp"):
        push = socket(zmq.PUSH)
        push.connect(bind(pull, transport))
        push.send(transport.encode())
    last = socket(zmq.PUSH)
    last.bind(later)
    last.send(b"connected")
    assert sorted(receive(pull, 5)) == [b"connected", b"inproc", b"ipc", b"tcp", b"tcp"]
