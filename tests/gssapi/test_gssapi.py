# SPDX-License-Identifier: MPL-2.0
"""GSSAPI between libzmq_py and a libzmq that has it, with real Kerberos: who comes in, what is said, what events tell.

Debian's libzmq is 4.3.4; what it does wrong (it lets in whom the ZAP handler refuses, and loses subscriptions) is not
asked of it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gssapi.conftest import PASSWORD
from tests.gssapi.kdc import Kdc, has_expired
from tests.interop.conftest import Endpoint
from tests.interop.sides import Monitor, Side, bound_endpoint
from tests.support.raw_peer import RawPeers, command, frame
from tests.support.waiting import PATIENCE, ms, wait_until
from tests.support.zap import ZapHandler, answer

Sides = tuple[Side, Side]
Options = dict[str, Any]

SERVER: Options = {"GSSAPI_SERVER": 1}
CLIENT: Options = {"GSSAPI_SERVICE_PRINCIPAL": b"zmq@localhost"}
ALICE = b"alice@ZMQ.TEST"
SIZES = (0, 1, 100, 220, 255, 256, 5000, 70_000, 1 << 20)
NO_DETAIL, PROTOCOL = "HANDSHAKE_FAILED_NO_DETAIL", "HANDSHAKE_FAILED_PROTOCOL"
FAILED_AUTH, SUCCEEDED, DISCONNECTED = "HANDSHAKE_FAILED_AUTH", "HANDSHAKE_SUCCEEDED", "DISCONNECTED"
FAILURES = (NO_DETAIL, PROTOCOL, FAILED_AUTH)
UNEXPECTED_COMMAND, MECHANISM_MISMATCH = 0x10000001, 0x11000002
#: libzmq leaves what it cannot go on with to this timer.
SOON: Options = {"HANDSHAKE_IVL": ms(300)}


@pytest.fixture(params=["ours-ours", "ours-real", "real-ours"])
def sides(request: pytest.FixtureRequest, ours: Side, theirs: Side) -> Sides:
    """Server and client: all pairs with libzmq_py in them."""
    server, client = request.param.split("-")
    if server == client:
        return ours, ours
    return (ours, theirs) if server == "ours" else (theirs, ours)


def is_ours(side: Side) -> bool:
    return side.name == "ours"


def connect(
    sides: Sides,
    endpoint: str,
    kinds: tuple[str, str] = ("REP", "REQ"),
    server: Options | None = None,
    client: Options | None = None,
    server_binds: bool = True,
) -> tuple[Any, Any]:
    """Two sockets, connected. Options are added to those of a server and a client."""
    bound = sides[0].socket(kinds[0], **{**SERVER, **(server or {})})
    connected = sides[1].socket(kinds[1], **{**CLIENT, **(client or {})})
    binder, connecter = (bound, connected) if server_binds else (connected, bound)
    connecter.connect(bound_endpoint(binder, endpoint))
    return bound, connected


def works(server: Any, client: Any) -> None:
    """A request and a reply."""
    client.send(b"hello")
    assert server.recv() == b"hello"
    server.send(b"world")
    assert client.recv() == b"world"


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server_binds", [True, False], ids=["server-binds", "client-binds"])
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("plaintext", [0, 1], ids=["sealed", "plaintext"])
def test_requests_and_replies(
    sides: Sides, endpoint: Endpoint, transport: str, plaintext: int, server_binds: bool
) -> None:
    """Messages of all sizes and in parts, both ways."""
    mode = {"GSSAPI_PLAINTEXT": plaintext}
    server, client = connect(sides, endpoint(transport), server=mode, client=mode, server_binds=server_binds)
    for size in SIZES:
        frames = [b"x" * size, b"", b"y" * (size // 3)]
        client.send_multipart(frames)
        assert server.recv_multipart() == frames
        server.send(b"z" * size)
        assert client.recv_multipart() == [b"z" * size]


@pytest.mark.parametrize("server_pushes", [True, False], ids=["server-pushes", "client-pushes"])
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("plaintext", [0, 1], ids=["sealed", "plaintext"])
def test_pipeline(sides: Sides, endpoint: Endpoint, transport: str, plaintext: int, server_pushes: bool) -> None:
    """Bulk: nothing is lost, nothing changes its place."""
    mode = {"GSSAPI_PLAINTEXT": plaintext}
    kinds = ("PUSH", "PULL") if server_pushes else ("PULL", "PUSH")
    server, client = connect(sides, endpoint(transport), kinds, server=mode, client=mode)
    push, pull = (server, client) if server_pushes else (client, server)
    messages = [[b"%d" % number, b"x" * (number * 7 % 3000)] for number in range(900)]
    for message in messages:
        push.send_multipart(message)
    assert [pull.recv_multipart() for _ in messages] == messages


@pytest.mark.parametrize("plaintext", [0, 1], ids=["sealed", "plaintext"])
def test_subscriptions(sides: Sides, endpoint: Endpoint, plaintext: int) -> None:
    """Ours reach a libzmq that loses those of its own; and are cancelled."""
    mode = {"GSSAPI_PLAINTEXT": plaintext}
    pub, sub = connect(sides, endpoint("tcp"), ("XPUB", "SUB"), server=mode, client=mode)
    sub.setsockopt(sides[1].lib.SUBSCRIBE, b"topic")
    if not plaintext and not is_ours(sides[1]) and sides[1].lib.zmq_version_info() < (4, 3, 6):
        # What the server is told of is a message that means nothing to it.
        assert pub.recv() == b"topic"
        return
    assert pub.recv() == b"\1topic"
    pub.send_multipart([b"topic", b"news"])
    assert sub.recv_multipart() == [b"topic", b"news"]
    sub.setsockopt(sides[1].lib.UNSUBSCRIBE, b"topic")
    assert pub.recv() == b"\0topic"


def test_routing_ids_and_properties(sides: Sides, endpoint: Endpoint) -> None:
    """What the peers tell of themselves is sealed as well, and arrives."""
    router, dealer = connect(sides, endpoint("tcp"), ("ROUTER", "DEALER"), client={"ROUTING_ID": b"me"})
    dealer.send(b"hello")
    assert router.recv_multipart() == [b"me", b"hello"]
    router.send_multipart([b"me", b"world"])
    frame = dealer.recv(copy=False)
    assert bytes(frame) == b"world"
    assert frame.get("Socket-Type") == "ROUTER"


def test_heartbeats(sides: Sides, endpoint: Endpoint) -> None:
    """PING and PONG understand each other: the connection outlives many time-outs."""
    beat = {"HEARTBEAT_IVL": 10, "HEARTBEAT_TIMEOUT": ms(1000), "HEARTBEAT_TTL": ms(1000)}
    server, client = connect(sides, endpoint("tcp"), ("PAIR", "PAIR"), server=beat, client=beat)
    monitor = sides[0].monitor(server)
    client.send(b"first")
    assert server.recv() == b"first"
    assert not server.poll(ms(1500))
    client.send(b"second")
    assert server.recv() == b"second"
    assert DISCONNECTED not in monitor.poll_all()


def test_a_server_that_comes_back(sides: Sides, endpoint: Endpoint) -> None:
    """Each connection has a context of its own, made with the same ticket."""
    address = endpoint("ipc")
    server, client = connect(sides, address, ("PULL", "PUSH"))
    client.send(b"first")
    assert server.recv() == b"first"
    monitor = sides[1].monitor(client)
    server.close()
    monitor.wait(DISCONNECTED)
    again = sides[0].socket("PULL", **SERVER)
    wait_until(lambda: _bound(again, address, sides[0]), "the address to be free")
    monitor.wait(SUCCEEDED)
    client.send(b"second")
    assert again.recv() == b"second"


def _bound(sock: Any, address: str, side: Side) -> bool:
    try:
        sock.bind(address)
    except side.lib.ZMQError:
        return False
    return True


# --- who is who ------------------------------------------------------------------------------------------------------

AS_SERVER = [
    {},
    {"GSSAPI_PRINCIPAL": b"zmq@localhost"},
    {"GSSAPI_PRINCIPAL": b"zmq@localhost\0"},
    {"GSSAPI_PRINCIPAL": b"zmq/localhost@ZMQ.TEST", "GSSAPI_PRINCIPAL_NAMETYPE": 2},
]
AS_CLIENT: list[tuple[bytes, Options]] = [
    (ALICE, {}),
    (ALICE, {"GSSAPI_SERVICE_PRINCIPAL": b"zmq/localhost@ZMQ.TEST", "GSSAPI_SERVICE_PRINCIPAL_NAMETYPE": 2}),
    (ALICE, {"GSSAPI_PRINCIPAL": b"alice", "GSSAPI_PRINCIPAL_NAMETYPE": 1}),
    (b"bob@ZMQ.TEST", {"GSSAPI_PRINCIPAL": b"bob@ZMQ.TEST", "GSSAPI_PRINCIPAL_NAMETYPE": 2}),
]


@pytest.mark.parametrize("as_server", AS_SERVER, ids=lambda options: " ".join(map(str, options.values())))
@pytest.mark.parametrize(("principal", "as_client"), AS_CLIENT, ids=lambda value: str(value)[:40])
def test_principals(
    sides: Sides,
    endpoint: Endpoint,
    handler: Callable[..., ZapHandler],
    kdc: Kdc,
    monkeypatch: pytest.MonkeyPatch,
    as_server: Options,
    principal: bytes,
    as_client: Options,
) -> None:
    """However they are written; the handler is told the client's."""
    # libzmq wants ticket and key of whoever is named. With this, Kerberos gets tickets with keys.
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", f"FILE:{kdc.keytab}")
    asked = handler(sides[0])
    works(*connect(sides, endpoint("tcp"), server=as_server, client=as_client))
    assert [request[6:] for request in asked.requests] == [[principal]]


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("plaintext", [0, 1], ids=["sealed", "plaintext"])
def test_the_zap_request(
    sides: Sides, endpoint: Endpoint, handler: Callable[..., ZapHandler], transport: str, plaintext: int
) -> None:
    """Domain, address, own routing id, mechanism and principal; what the handler says is with the messages."""
    asked = handler(sides[0], answer(user=b"alice", metadata=b"\4Role\0\0\0\5admin"))
    mode = {"GSSAPI_PLAINTEXT": plaintext}
    server, client = connect(
        sides,
        endpoint(transport),
        ("PULL", "PUSH"),
        server={"ZAP_DOMAIN": b"dom", "ROUTING_ID": b"SRV", **mode},
        client=mode,
    )
    client.send(b"who")
    frame = server.recv(copy=False)
    assert (frame.get("User-Id"), frame.get("Role")) == ("alice", "admin")
    ((*head, address, identity, mechanism, principal),) = asked.requests
    assert head == [b"1.0", b"1", b"dom"]
    end = b":%d:%d:%d" % (os.getuid(), os.getgid(), os.getpid())
    assert address == b"127.0.0.1" if transport == "tcp" else address.endswith(end)
    assert (identity, mechanism, principal) == (b"SRV", b"GSSAPI", ALICE)


def test_without_a_handler(sides: Sides, endpoint: Endpoint) -> None:
    """Everybody with a ticket comes in."""
    works(*connect(sides, endpoint("tcp"), server={"ZAP_DOMAIN": b"dom"}))


@pytest.fixture(params=["ours", "real"])
def our_server(request: pytest.FixtureRequest, ours: Side, theirs: Side) -> Sides:
    """Our server, and either client."""
    return ours, ours if request.param == "ours" else theirs


@pytest.mark.parametrize("plaintext", [0, 1], ids=["sealed", "plaintext"])
@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_refused_client(
    our_server: Sides, endpoint: Endpoint, handler: Callable[..., ZapHandler], status: int, plaintext: int
) -> None:
    """FAILED_AUTH at the server, nothing comes through; the client sees a connection that ends, and tries again.

    (libzmq 4.3.5 and before let it in.)
    """
    sides, mode = our_server, {"GSSAPI_PLAINTEXT": plaintext}
    handler(sides[0], answer(str(status).encode(), b"unwelcome"))
    server, client = sides[0].socket("PULL", **SERVER, **mode), sides[1].socket("PUSH", **CLIENT, **mode)
    monitors = sides[0].monitor(server), sides[1].monitor(client)
    client.connect(bound_endpoint(server, endpoint("tcp")))
    client.send(b"secret", sides[1].lib.NOBLOCK)
    for _ in range(2):
        assert monitors[0].wait(*FAILURES)[:2] == (FAILED_AUTH, status)
        monitors[0].wait(DISCONNECTED)
        assert monitors[1].wait(*FAILURES)[0] == NO_DETAIL
        monitors[1].wait(DISCONNECTED)
    assert not server.poll(0)
    assert SUCCEEDED not in [*monitors[0].names, *monitors[1].names]


def test_an_authenticator(our_server: Sides, endpoint: Endpoint) -> None:
    """pyzmq's, as it is: `configure_gssapi` lets everybody in, as who Kerberos says it is; addresses count."""
    from libzmq_py.auth.thread import ThreadAuthenticator

    ours, client_of = our_server
    guard = ThreadAuthenticator(ours.ctx)
    guard.start()
    try:
        guard.configure_gssapi(domain="*")
        server, client = connect(our_server, endpoint("tcp"), ("PULL", "PUSH"), server={"ZAP_DOMAIN": b"dom"})
        client.send(b"hello")
        assert server.recv(copy=False).get("User-Id") == ALICE.decode()
        guard.deny("127.0.0.1")
        other = ours.socket("PULL", **SERVER)
        monitor = ours.monitor(other)
        refused = client_of.socket("PUSH", **CLIENT)
        refused.connect(bound_endpoint(other, endpoint("tcp")))
        assert monitor.wait(*FAILURES)[:2] == (FAILED_AUTH, 400)
    finally:
        guard.stop()


def test_an_enforced_domain(our_server: Sides, endpoint: Endpoint) -> None:
    """Nobody comes in while there is no handler."""
    ours, client_of = our_server
    server = ours.socket("PULL", **SERVER, ZAP_DOMAIN=b"dom", ZAP_ENFORCE_DOMAIN=1)
    client = client_of.socket("PUSH", **CLIENT)
    monitor = ours.monitor(server)
    client.connect(bound_endpoint(server, endpoint("tcp")))
    assert monitor.wait(*FAILURES)[:2] == (NO_DETAIL, errno.EFAULT)


# --- what goes wrong, on both libraries ------------------------------------------------------------------------------


def failing(
    sides: Sides, endpoint: str, server: Options, client: Options, kinds: tuple[str, str] = ("PULL", "PUSH")
) -> tuple[Monitor, Monitor, Any, Any]:
    """Connect a pair that will not come together, and watch it."""
    bound, connected = sides[0].socket(kinds[0], **server), sides[1].socket(kinds[1], **client)
    monitors = sides[0].monitor(bound), sides[1].monitor(connected)
    connected.connect(bound_endpoint(bound, endpoint))
    return *monitors, bound, connected


def test_success(sides: Sides, endpoint: Endpoint) -> None:
    """The events of a handshake that comes to its end, the same on both libraries."""
    server, client, bound, connected = failing(sides, endpoint("tcp"), SERVER, CLIENT)
    server.wait(SUCCEEDED)
    client.wait(SUCCEEDED)
    assert server.names == ["LISTENING", "ACCEPTED", SUCCEEDED]
    assert client.names == ["CONNECT_DELAYED", "CONNECTED", SUCCEEDED]


def outcome(monitor: Monitor) -> tuple[str, int]:
    """How the handshake has failed; the connection ends after it."""
    failure = monitor.wait(*FAILURES)
    monitor.wait(DISCONNECTED)
    return failure[:2]


@pytest.mark.parametrize(
    ("server", "client"),
    [
        (SERVER, {}),
        ({}, CLIENT),
        (SERVER, {"PLAIN_USERNAME": b"me", "PLAIN_PASSWORD": b"me"}),
        ({"PLAIN_SERVER": 1}, CLIENT),
        (SERVER, {"CURVE_SERVERKEY": b"k" * 32}),
        ({"CURVE_SERVER": 1, "CURVE_SECRETKEY": b"k" * 32}, CLIENT),
    ],
    ids=["client NULL", "server NULL", "client PLAIN", "server PLAIN", "client CURVE", "server CURVE"],
)
def test_another_mechanism(sides: Sides, endpoint: Endpoint, server: Options, client: Options) -> None:
    """MECHANISM_MISMATCH on both sides, on both libraries. (Whoever closes first may take it from the other.)"""
    monitors = failing(sides, endpoint("tcp"), server, client)[:2]
    outcomes = [outcome(monitor) for monitor in monitors]
    assert (PROTOCOL, MECHANISM_MISMATCH) in outcomes
    assert {name for name, _ in outcomes} <= {PROTOCOL, NO_DETAIL}


@pytest.mark.parametrize("plaintext", [("server", 1, 0), ("client", 0, 1)], ids=lambda value: value[0])
def test_one_side_in_plaintext_mode(sides: Sides, endpoint: Endpoint, plaintext: tuple[str, int, int]) -> None:
    """UNEXPECTED_COMMAND at the client, whom the server's READY reaches first; the connection ends on both sides."""
    _, of_server, of_client = plaintext
    server, client, *_ = failing(
        sides, endpoint("tcp"), {**SERVER, "GSSAPI_PLAINTEXT": of_server}, {**CLIENT, "GSSAPI_PLAINTEXT": of_client}
    )
    assert outcome(client) == (PROTOCOL, UNEXPECTED_COMMAND)
    assert outcome(server)[0] == NO_DETAIL


def test_two_clients(sides: Sides, endpoint: Endpoint) -> None:
    """Neither has what the other's token is for, or waits for one."""
    for monitor in failing(sides, endpoint("tcp"), {**CLIENT, **SOON}, {**CLIENT, **SOON})[:2]:
        assert outcome(monitor)[0] in (PROTOCOL, NO_DETAIL)


def test_two_servers(sides: Sides, endpoint: Endpoint) -> None:
    """Neither speaks; the handshake timer ends it."""
    for monitor in failing(sides, endpoint("tcp"), {**SERVER, **SOON}, {**SERVER, **SOON})[:2]:
        assert outcome(monitor)[0] == NO_DETAIL


def test_a_ticket_for_another_server(sides: Sides, endpoint: Endpoint) -> None:
    """The server cannot read it, and ends the connection at once; libzmq waits for its timer."""
    other = {"GSSAPI_SERVICE_PRINCIPAL": b"other@localhost"}
    server, client, bound, _ = failing(sides, endpoint("tcp"), {**SERVER, **SOON}, {**other, **SOON})
    found = outcome(server)
    assert found == (NO_DETAIL, errno.EACCES if is_ours(sides[0]) else found[1])
    assert outcome(client)[0] == NO_DETAIL
    assert not bound.poll(0)


MISSING = {
    "no ticket": {"KRB5CCNAME": "FILE:{tmp}/none"},
    "no such service": {},
    "no keytab": {"KRB5_KTNAME": "FILE:{tmp}/none"},
    "another's keytab": {"KRB5_KTNAME": "FILE:{kdc}/keytab-of-other"},
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing(
    sides: Sides, endpoint: Endpoint, kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    """NO_DETAIL where it is missing: at once with us (EACCES), with libzmq when the handshake timer has run out.

    (libzmq's value is whatever errno was left behind.)
    """
    for name, value in MISSING[what].items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path, kdc=kdc.directory))
    principal = b"nobody@localhost" if what == "no such service" else b"zmq@localhost"
    as_server = {**SERVER, "GSSAPI_PRINCIPAL": b"zmq@localhost", **SOON} if "keytab" in what else {**SERVER, **SOON}
    monitors = failing(sides, endpoint("tcp"), as_server, {"GSSAPI_SERVICE_PRINCIPAL": principal, **SOON})
    missing = 0 if "keytab" in what else 1
    found = outcome(monitors[missing])
    assert found == (NO_DETAIL, errno.EACCES if is_ours(sides[missing]) else found[1])
    assert outcome(monitors[1 - missing])[0] == NO_DETAIL
    if is_ours(sides[missing]):
        assert "GSSAPI" in monitors[2 + missing].last_handshake_failures[0].reason


def test_a_ticket_that_comes_later(
    sides: Sides, endpoint: Endpoint, kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """kinit, and the connection comes to be by itself."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/later")
    _, client, bound, connected = failing(sides, endpoint("tcp"), {**SERVER, **SOON}, {**CLIENT, **SOON})
    outcome(client)
    kdc.kinit("alice", PASSWORD)
    client.wait(SUCCEEDED)
    connected.send(b"now")
    assert bound.recv() == b"now"


def test_a_ticket_that_expires(
    sides: Sides, endpoint: Endpoint, kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The connection it has made goes on; there is no new one."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/short")
    kdc.kinit("alice", PASSWORD, "-l", "2s")
    server, client = connect(sides, endpoint("tcp"), server=SOON, client=SOON)
    works(server, client)
    wait_until(has_expired, "the ticket to expire", timeout=4 * PATIENCE)
    works(server, client)
    _, late, *_ = failing(sides, endpoint("tcp"), {**SERVER, **SOON}, {**CLIENT, **SOON})
    assert outcome(late)[0] == NO_DETAIL


# --- strangers -------------------------------------------------------------------------------------------------------


def token(data: bytes) -> bytes:
    """An INITIATE frame."""
    return command(b"INITIATE", len(data).to_bytes(4, "big") + data)


@pytest.mark.parametrize(
    "said",
    [
        token(b"garbage"),
        token(b"\x60\x84\xff\xff\xff\xff"),
        token(bytes(60_000)),
        token(b""),
        frame(b"", command=True),
        command(b"READY", b""),
        command(b"MESSAGE", b"\0\0\0\1x"),
    ],
    ids=["garbage", "DER without end", "zeros", "nothing", "empty", "READY", "MESSAGE"],
)
def test_strangers(ours: Side, endpoint: Endpoint, raw: RawPeers, said: bytes) -> None:
    """Are shown out at once, and told nothing; those who have a ticket come in as before."""
    server = ours.socket("REP", **SERVER)
    address = bound_endpoint(server, endpoint("tcp"))
    monitor = ours.monitor(server)
    peer = raw.connect(address)
    peer.greet(1, b"GSSAPI")
    peer.send(said)
    peer.expect_close()
    assert monitor.wait(*FAILURES)[0] in (PROTOCOL, NO_DETAIL)
    client = ours.socket("REQ", **CLIENT)
    client.connect(address)
    works(server, client)


def test_a_token_without_end(ours: Side, endpoint: Endpoint, raw: RawPeers) -> None:
    """Nobody who is not known yet may have us keep more than 64 KiB."""
    server = ours.socket("REP", **SERVER)
    peer = raw.connect(bound_endpoint(server, endpoint("tcp")))
    peer.greet(1, b"GSSAPI")
    peer.send(token(bytes(1 << 20))[:80_000])
    peer.expect_close()
