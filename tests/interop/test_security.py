# SPDX-License-Identifier: MPL-2.0
"""NULL with ZAP, PLAIN and CURVE between libzmq_py and real libzmq: who comes in, and what both monitors tell of who
does not.

Each row of the table of failures was observed with real libzmq on both sides, and is run here with ours on either side
and on both.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq as real
from zmq.utils import z85

from tests.interop.conftest import Endpoint
from tests.interop.sides import OURS, REAL, Monitor, Side, bound_endpoint, errno_of
from tests.support.raw_peer import prop
from tests.support.waiting import Deadline, ms, seconds, wait_until
from tests.support.zap import Frames, ZapHandler, answer

pytestmark = pytest.mark.interop

Options = dict[str, Any]
Event = tuple[str, int]

SERVER, CLIENT, OTHER = (real.curve_keypair() for _ in range(3))
CURVE_SERVER: Options = {"CURVE_SERVER": 1, "CURVE_PUBLICKEY": SERVER[0], "CURVE_SECRETKEY": SERVER[1]}
CURVE_CLIENT: Options = {"CURVE_SERVERKEY": SERVER[0], "CURVE_PUBLICKEY": CLIENT[0], "CURVE_SECRETKEY": CLIENT[1]}
PLAIN_SERVER: Options = {"PLAIN_SERVER": 1}
PLAIN_CLIENT: Options = {"PLAIN_USERNAME": b"admin", "PLAIN_PASSWORD": b"secret"}
DOMAIN: Options = {"ZAP_DOMAIN": b"d"}
ENFORCED: Options = {"ZAP_DOMAIN": b"d", "ZAP_ENFORCE_DOMAIN": 1}

#: Mechanism -> options of the server and of the client, and the credentials a handler is shown.
MECHANISMS: dict[str, tuple[Options, Options, Frames]] = {
    "NULL": (DOMAIN, {}, []),
    "PLAIN": ({**PLAIN_SERVER, **DOMAIN}, PLAIN_CLIENT, [b"admin", b"secret"]),
    "CURVE": ({**CURVE_SERVER, **DOMAIN}, CURVE_CLIENT, [z85.decode(CLIENT[0])]),
}


@pytest.fixture
def handler() -> Iterator[Callable[..., ZapHandler]]:
    """Start a ZAP handler in a side's context: ``handler(side, reply)``."""
    made: list[ZapHandler] = []

    def make(side: Side, reply: Any = None) -> ZapHandler:
        made.append(ZapHandler(side.lib, side.ctx, reply))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- who comes in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("server_binds", [True, False], ids=["server-binds", "client-binds"])
def test_right_credentials(
    two_sides: tuple[Side, Side],
    endpoint: Endpoint,
    handler: Callable[..., ZapHandler],
    mechanism: str,
    transport: str,
    server_binds: bool,
) -> None:
    """Messages of all sizes go both ways; the handler saw the credentials, and what it said is with the message."""
    server_side, client_side = two_sides
    asked = handler(server_side, answer(user=b"bob"))
    server_options, client_options, credentials = MECHANISMS[mechanism]
    server = server_side.socket("DEALER", ROUTING_ID=b"SRV", **server_options)
    client = client_side.socket("DEALER", **client_options)
    binder, connecter = (server, client) if server_binds else (client, server)
    connecter.connect(bound_endpoint(binder, endpoint(transport)))
    messages = [[b"x" * size, b"", b"y" * (size // 3)] for size in (0, 1, 30, 200, 255, 256, 5000, 70_000)] * 3
    for message in messages:
        client.send_multipart(message)
    assert [server.recv_multipart() for _ in messages] == messages
    for message in messages:
        server.send_multipart(message)
    assert [client.recv_multipart() for _ in messages] == messages
    client.send(b"who")
    assert server.recv(copy=False).get("User-Id") == "bob"
    (request,) = asked.requests
    assert request[:3] == [b"1.0", b"1", b"d"]
    assert request[4:6] == [b"SRV", mechanism.encode()]
    assert request[6:] == credentials
    if transport == "tcp":
        assert request[3] == b"127.0.0.1"


@pytest.mark.parametrize("kind", ["PUB", "PUSH", "REQ"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "CURVE"])
def test_patterns(
    two_sides: tuple[Side, Side],
    endpoint: Endpoint,
    handler: Callable[..., ZapHandler],
    mechanism: str,
    kind: str,
) -> None:
    """Subscriptions, bulk and lock-step, secured, both ways around."""
    server_side, client_side = two_sides
    handler(server_side)
    server_options, client_options, _ = MECHANISMS[mechanism]
    other = {"PUB": "SUB", "PUSH": "PULL", "REQ": "REP"}[kind]
    extra: Options = {"SUBSCRIBE": [b"a", b"c"]} if kind == "PUB" else {}
    server = server_side.socket(other, **server_options, **extra)
    client = client_side.socket(kind, **client_options)
    client.connect(bound_endpoint(server, endpoint("tcp")))
    if kind == "PUB":
        wait_until(lambda: client.send(b"a") or server.poll(5), "the subscription")  # type: ignore[func-returns-value]
        for topic in (b"b", b"c", b"end") * 2:
            client.send(topic)
        client.send(b"a end")
        got = []
        while not got or got[-1] != b"a end":
            got.append(server.recv())
        assert [topic for topic in got if topic != b"a"] == [b"c", b"c", b"a end"]
        return
    for number in range(500):
        client.send(b"%d" % number)
        if kind == "REQ":
            assert server.recv() == b"%d" % number
            server.send(b"re")
            assert client.recv() == b"re"
    if kind == "PUSH":
        assert [server.recv() for _ in range(500)] == [b"%d" % number for number in range(500)]


def test_heartbeats(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """PING and PONG travel inside CURVE in both directions."""
    server_side, client_side = two_sides
    beats = {"HEARTBEAT_IVL": ms(20), "HEARTBEAT_TIMEOUT": ms(1000), "HEARTBEAT_TTL": ms(1000)}
    server = server_side.socket("DEALER", **CURVE_SERVER, **beats)
    client = client_side.socket("DEALER", **CURVE_CLIENT, **beats)
    monitors = [server_side.monitor(server), client_side.monitor(client)]
    client.connect(bound_endpoint(server, endpoint("tcp")))
    for monitor in monitors:
        monitor.wait("HANDSHAKE_SUCCEEDED")
    for monitor in monitors:
        assert "DISCONNECTED" not in monitor.poll_all(seconds(0.15))
    client.send(b"x")
    assert server.recv() == b"x"


@pytest.mark.parametrize("enforced", [0, 1])
@pytest.mark.parametrize("domain", [b"", b"d"])
@pytest.mark.parametrize("with_handler", [True, False])
def test_when_curve_asks(
    two_sides: tuple[Side, Side],
    endpoint: Endpoint,
    handler: Callable[..., ZapHandler],
    domain: bytes,
    enforced: int,
    with_handler: bool,
) -> None:
    """The table of domain, enforcing and handler: the same for both libraries."""
    server_side, client_side = two_sides
    asked = handler(server_side) if with_handler else None
    options: Options = {"ZAP_DOMAIN": domain} if domain else {}
    server = server_side.socket("DEALER", **CURVE_SERVER, ZAP_ENFORCE_DOMAIN=enforced, **options)
    client = client_side.socket("DEALER", **CURVE_CLIENT, RECONNECT_IVL=-1)
    monitor = server_side.monitor(server)
    client.connect(bound_endpoint(server, endpoint("tcp")))
    name, value, _ = monitor.wait("HANDSHAKE_SUCCEEDED", "HANDSHAKE_FAILED_NO_DETAIL")
    if domain and enforced and not with_handler:
        assert (name, value) == ("HANDSHAKE_FAILED_NO_DETAIL", errno.EFAULT)
    else:
        assert name == "HANDSHAKE_SUCCEEDED"
    if asked is not None:
        assert bool(asked.requests) == bool(domain or not enforced)


def test_inproc_knows_no_security(side: Side, handler: Callable[..., ZapHandler]) -> None:
    """As in libzmq: sockets of one context talk whatever their options say, and nobody is asked."""
    asked = handler(side, answer(b"400"))
    server = side.socket("DEALER", **CURVE_SERVER, **ENFORCED)
    client = side.socket("DEALER", **PLAIN_CLIENT)
    server.bind("inproc://open")
    client.connect("inproc://open")
    client.send(b"x")
    assert server.recv() == b"x"
    assert asked.requests == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"PLAIN_USERNAME": b""}, errno.EINVAL),
        ({"PLAIN_USERNAME": b"x" * 256}, errno.EINVAL),
        ({"PLAIN_SERVER": 2}, errno.EINVAL),
        ({"CURVE_SERVER": -1}, errno.EINVAL),
        ({"CURVE_PUBLICKEY": b"x" * 31}, errno.EINVAL),
        ({"CURVE_PUBLICKEY": b"~" * 40}, errno.EINVAL),
        ({"CURVE_SERVERKEY": b""}, errno.EINVAL),
        ({"ZAP_DOMAIN": b"x" * 256}, errno.EINVAL),
        ({"ZAP_DOMAIN": b""}, errno.EINVAL),
        ({"MECHANISM": 1}, errno.EINVAL),
        ({"CURVE_SECRETKEY": b"x" * 32}, 0),
        ({"ZAP_ENFORCE_DOMAIN": 1}, 0),
    ],
)
def test_options_that_are_refused(side: Side, options: Options, expected: int) -> None:
    """The same errno from both."""
    assert errno_of(lambda: side.socket("DEALER", **options)) == expected


# --- who does not ----------------------------------------------------------------------------------------------------

AUTH, PROTOCOL, NO_DETAIL = "HANDSHAKE_FAILED_AUTH", "HANDSHAKE_FAILED_PROTOCOL", "HANDSHAKE_FAILED_NO_DETAIL"
#: The peer has hung up. When it has left something unread, the kernel says so by a reset.
LOST = (NO_DETAIL, errno.EPIPE)
TOO_SLOW = (NO_DETAIL, errno.EAGAIN)
CRYPTOGRAPHIC = (PROTOCOL, 0x11000001)
NOBODY_TO_ASK = (NO_DETAIL, errno.EFAULT)


class Failure:
    """A row: options of both sides, the handler's reply (None: no handler), the events before DISCONNECTED, and a word
    of our reason on each side (None: that side cannot know more than that the connection was lost)."""

    def __init__(
        self,
        server: Options,
        client: Options,
        reply: Frames | Callable[[Frames], Frames | None] | None,
        server_event: Event,
        client_event: Event,
        server_reason: str,
        client_reason: str | None = None,
        handler: str = "REP",
    ) -> None:
        self.server, self.client, self.reply = server, client, reply
        self.events = (server_event, client_event)
        self.reasons = (server_reason, client_reason)
        self.handler = handler


def _failures() -> dict[str, Failure]:
    rows: dict[str, Failure] = {}
    for status in (300, 400, 500):
        for mechanism, (server, client, _) in MECHANISMS.items():
            told = LOST if status == 300 else (AUTH, status)
            reason = None if status == 300 else "refused"
            reply = answer(b"%d" % status, b"because")
            rows[f"{mechanism} {status}"] = Failure(
                server, client, reply, (AUTH, status), told, f"{status} because", reason
            )
    bad = {
        "version": (answer(version=b"2.0"), 0x20000003),
        "id": (answer(id=b"9"), 0x20000002),
        "status": (answer(b"201"), 0x20000004),
        "frames": (answer()[:3], 0x20000001),
        "status without a number": (answer(b"OK"), 0x20000004),
        "status that is empty": (answer(b""), 0x20000004),
        "status of another class": (answer(b"600"), 0x20000004),
        "metadata": (answer(metadata=b"x"), 0x20000005),
        "metadata of another type": (answer(metadata=prop(b"Socket-Type", b"PUB")), 0x20000005),
        "end": ([*answer(), b""], 0x20000001),
    }
    for mechanism, (server, client, _) in MECHANISMS.items():
        for name, (reply, code) in bad.items():
            rows[f"{mechanism} bad {name}"] = Failure(server, client, reply, (PROTOCOL, code), LOST, "bad ZAP reply")
        rows[f"{mechanism} bad delimiter"] = Failure(
            server,
            client,
            lambda request: [request[0], b"no delimiter", *answer()],
            (PROTOCOL, 0x20000000),
            LOST,
            "no delimiter",
            handler="ROUTER",
        )
    rows["PLAIN no handler"] = Failure(PLAIN_SERVER, PLAIN_CLIENT, None, NOBODY_TO_ASK, LOST, "no ZAP handler")
    rows["PLAIN silent handler"] = Failure(
        PLAIN_SERVER, PLAIN_CLIENT, lambda request: None, TOO_SLOW, LOST, "timer"
    )
    for name, options in {"PLAIN": PLAIN_SERVER, "CURVE": CURVE_SERVER}.items():
        rows[f"{name} servers"] = Failure(options, options, None, TOO_SLOW, LOST, "timer")
    rows["CURVE wrong server key"] = Failure(
        CURVE_SERVER, {**CURVE_CLIENT, "CURVE_SERVERKEY": OTHER[0]}, None, CRYPTOGRAPHIC, LOST, "another key"
    )
    rows["CURVE server without keys"] = Failure(
        {"CURVE_SERVER": 1}, CURVE_CLIENT, None, CRYPTOGRAPHIC, LOST, "another key"
    )
    rows["CURVE client without keys"] = Failure(
        CURVE_SERVER, {"CURVE_SERVERKEY": SERVER[0]}, None, CRYPTOGRAPHIC, LOST, "secret key"
    )
    rows["CURVE client with keys that do not belong together"] = Failure(
        CURVE_SERVER, {**CURVE_CLIENT, "CURVE_SECRETKEY": OTHER[1]}, None, CRYPTOGRAPHIC, LOST, "secret key"
    )
    return rows


FAILURES = _failures()
SIDES = {"real-real": (REAL, REAL), "ours-real": (OURS, REAL), "real-ours": (REAL, OURS), "ours-ours": (OURS, OURS)}


def end_of(monitor: Monitor) -> list[Event]:
    """What a monitor tells of the handshake until DISCONNECTED."""
    monitor.wait("DISCONNECTED")
    return [(name, value) for name, value, _ in monitor.seen if name.startswith("HANDSHAKE")]


def same(event: Event, expected: Event) -> bool:
    """A lost connection shows as EPIPE or, if there was something unread, ECONNRESET."""
    return event == expected or (expected == LOST and event == (NO_DETAIL, errno.ECONNRESET))


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES.keys())
@pytest.mark.parametrize("row", FAILURES.values(), ids=FAILURES.keys())
def test_wrong_credentials(row: Failure, sides: tuple[Any, Any]) -> None:
    """Both monitors tell the same, whichever library they belong to; ours says why."""
    _refuse(row, sides, "tcp://127.0.0.1:*")


@pytest.mark.parametrize("sides", list(SIDES.values())[1:3], ids=list(SIDES)[1:3])
@pytest.mark.parametrize("row", FAILURES.values(), ids=FAILURES.keys())
def test_wrong_credentials_over_ipc(row: Failure, sides: tuple[Any, Any], endpoint: Endpoint) -> None:
    """The same table, with one library on either side."""
    _refuse(row, sides, endpoint("ipc"))


def _refuse(row: Failure, sides: tuple[Any, Any], address: str) -> None:
    with Side(sides[0]) as server_side, Side(sides[1]) as client_side, contextlib.ExitStack() as stack:
        if row.reply is not None:
            stack.enter_context(ZapHandler(server_side.lib, server_side.ctx, row.reply, row.handler))
        server = server_side.socket("DEALER", HANDSHAKE_IVL=ms(250), RECONNECT_IVL=-1, **row.server)
        client = client_side.socket("DEALER", HANDSHAKE_IVL=ms(2000), RECONNECT_IVL=-1, **row.client)
        monitors = [server_side.monitor(server), client_side.monitor(client)]
        client.connect(bound_endpoint(server, address))
        for side, monitor, expected in zip((server_side, client_side), monitors, row.events, strict=True):
            events = end_of(monitor)
            if side.name == "real" and (expected == NOBODY_TO_ASK or expected[1] >> 28 == 2):
                events = events[:1]  # the event may cost libzmq its errno: then it hangs, and tells of that too
            assert len(events) == 1, events
            assert same(events[0], expected), (events, expected)
        for side, sock, expected, reason in zip(
            (server_side, client_side), (server, client), row.events, row.reasons, strict=True
        ):
            if side.name == "ours":
                (failure,) = sock.last_handshake_failures
                assert same((real.Event(failure.event).name, failure.value), expected)
                assert (reason or "") in failure.reason


CLASHES: dict[str, tuple[Options, Options, int]] = {
    "PLAIN clients": (PLAIN_CLIENT, PLAIN_CLIENT, 0x10000001),
    "CURVE clients": (CURVE_CLIENT, CURVE_CLIENT, 0x10000001),
    **{
        f"{name} and {other}": (options, others, 0x11000002)
        for name, options in {"NULL": {}, "PLAIN client": PLAIN_CLIENT, "PLAIN server": PLAIN_SERVER}.items()
        for other, others in {
            "PLAIN server": PLAIN_SERVER,
            "CURVE client": CURVE_CLIENT,
            "CURVE server": CURVE_SERVER,
        }.items()
        if name.partition(" ")[0] != other.partition(" ")[0]
    },
}


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES.keys())
@pytest.mark.parametrize(("one", "other", "code"), CLASHES.values(), ids=CLASHES.keys())
def test_clashing_options(
    one: Options, other: Options, code: int, sides: tuple[Any, Any], endpoint: Endpoint, transport: str
) -> None:
    """Two mechanisms, or one role twice: whoever notices first says so and hangs up, at once."""
    with Side(sides[0]) as left, Side(sides[1]) as right:
        server = left.socket("DEALER", RECONNECT_IVL=-1, **one)
        client = right.socket("DEALER", RECONNECT_IVL=-1, **other)
        monitors = [left.monitor(server), right.monitor(client)]
        client.connect(bound_endpoint(server, endpoint(transport)))
        ends = [end_of(monitor) for monitor in monitors]
        assert all(len(events) == 1 for events in ends), ends
        assert all(same(events[0], (PROTOCOL, code)) or same(events[0], LOST) for events in ends), ends
        assert [(PROTOCOL, code)] in ends


@pytest.mark.parametrize("sides", list(SIDES.values())[1:], ids=list(SIDES)[1:])
@pytest.mark.parametrize("mechanism", ["NULL", "CURVE"])
def test_an_enforced_domain_without_a_handler(
    mechanism: str, sides: tuple[Any, Any], endpoint: Endpoint
) -> None:
    """EFAULT, and DISCONNECTED; a monitored libzmq says more than once that it has nobody to ask, and hangs till its
    handshake timer."""
    server_options, client_options, _ = MECHANISMS[mechanism]
    with Side(sides[0]) as left, Side(sides[1]) as right:
        server = left.socket("DEALER", HANDSHAKE_IVL=ms(250), **{**server_options, **ENFORCED})
        client = right.socket("DEALER", RECONNECT_IVL=-1, **client_options)
        monitors = [left.monitor(server), right.monitor(client)]
        client.connect(bound_endpoint(server, endpoint("tcp")))
        told = end_of(monitors[0])
        assert told[0] == NOBODY_TO_ASK
        if left.name == "ours":
            assert told == [NOBODY_TO_ASK]
        (lost,) = end_of(monitors[1])
        assert same(lost, LOST)


@pytest.mark.parametrize(("status", "again"), [(300, True), (400, False), (500, False)])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_who_tries_again(
    two_sides: tuple[Side, Side],
    endpoint: Endpoint,
    handler: Callable[..., ZapHandler],
    mechanism: str,
    status: int,
    again: bool,
) -> None:
    """A client that was refused for the time being comes back, one that was refused for good does not.

    (libzmq's NULL client may: what it does depends on whether its READY or the ERROR was first.)
    """
    server_side, client_side = two_sides
    replies = [answer(b"%d" % status)]
    handler(server_side, lambda request: replies.pop() if replies else answer())
    server_options, client_options, _ = MECHANISMS[mechanism]
    server = server_side.socket("DEALER", HANDSHAKE_IVL=ms(150), **server_options)
    client = client_side.socket("DEALER", RECONNECT_IVL=ms(10), **client_options)
    monitor = client_side.monitor(client)
    client.connect(bound_endpoint(server, endpoint("tcp")))
    monitor.wait("DISCONNECTED")
    if again:
        monitor.wait("HANDSHAKE_SUCCEEDED")
        client.send(b"x")
        assert server.recv() == b"x"
    elif mechanism != "NULL" or client_side.name == "ours":
        assert "CONNECT_RETRIED" not in monitor.poll_all(seconds(0.05))


def test_a_good_client_among_bad_ones(
    two_sides: tuple[Side, Side], endpoint: Endpoint, handler: Callable[..., ZapHandler]
) -> None:
    """It is served while others are refused for each reason, again and again."""
    server_side, client_side = two_sides
    admitted = z85.decode(CLIENT[0])
    handler(server_side, lambda request: answer() if request[-1] == admitted else answer(b"400"))
    server = server_side.socket("ROUTER", **CURVE_SERVER)
    address = bound_endpoint(server, endpoint("tcp"))
    good = client_side.socket("DEALER", **CURVE_CLIENT)
    good.connect(address)
    stranger = {**CURVE_CLIENT, "CURVE_PUBLICKEY": OTHER[0], "CURVE_SECRETKEY": OTHER[1]}
    wrong_server = {**CURVE_CLIENT, "CURVE_SERVERKEY": OTHER[0]}
    deadline = Deadline(seconds(20))
    for number in range(30):
        wrong: Options = (stranger, wrong_server, PLAIN_CLIENT, {})[number % 4]
        bad = client_side.socket("DEALER", RECONNECT_IVL=ms(5), **wrong)
        bad.connect(address)
        bad.send(b"let me in")
        good.send(b"%d" % number)
        identity, message = server.recv_multipart()
        assert message == b"%d" % number
        server.send_multipart([identity, message])
        assert good.recv() == message
        assert not deadline.expired
