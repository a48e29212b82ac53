# SPDX-License-Identifier: MPL-2.0
"""GSSAPI as a user sees it, but without Kerberos: options, messages, refusals, and connections that are tried again."""

from __future__ import annotations

import errno
import importlib
import sys
import types
from typing import Any

import pytest

import libzmq_py as zmq
from libzmq_py import mechanisms
from libzmq_py.constants import SecurityMechanism
from libzmq_py.mechanisms.gssapi.client import GssapiClient
from libzmq_py.mechanisms.gssapi.server import GssapiServer
from tests.conftest import SocketFactory, bind
from tests.engines.test_direct_output import io_thread_rests
from tests.mechanisms.gssapi_fakes import FakeContexts
from tests.support.waiting import wait_until
from tests.support.zap import ZapHandler, answer
from tests.wire.conftest import Watch, watch
from tests.wire.events import (
    DISCONNECTED,
    HANDSHAKE_FAILED_AUTH,
    HANDSHAKE_FAILED_NO_DETAIL,
    HANDSHAKE_FAILED_PROTOCOL,
    HANDSHAKE_SUCCEEDED,
    OUTCOMES,
)

__all__ = ["watch"]

CRYPTOGRAPHIC = 0x11000001
OPTIONS = [option for option in zmq.SocketOption if option.name.startswith("GSSAPI_")]


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> tuple[FakeContexts, FakeContexts]:
    """What makes the contexts of clients and of servers. The package is there, but not asked."""
    client, server = FakeContexts(), FakeContexts()
    entry = mechanisms.Entry(
        b"GSSAPI",
        lambda options, host: GssapiClient(options, host, client),
        lambda options, host: GssapiServer(options, host, server),
    )
    monkeypatch.setitem(mechanisms.MECHANISMS, SecurityMechanism.GSSAPI, entry)
    monkeypatch.setitem(sys.modules, "gssapi", types.ModuleType("gssapi"))
    return client, server


Contexts = tuple[FakeContexts, FakeContexts]


def pair(
    socket: SocketFactory, server: int = zmq.REP, client: int = zmq.REQ, transport: str = "tcp", **options: Any
) -> tuple[Any, Any]:
    """Two sockets, connected."""
    bound = socket(server, gssapi_server=1, **options)
    connected = socket(client, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=10)
    connected.connect(bind(bound, transport))
    return bound, connected


# --- options ---------------------------------------------------------------------------------------------------------


def test_without_the_package_there_are_no_options(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """EINVAL, as a libzmq built without GSSAPI has it, and the text says what is missing."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    assert zmq.has("gssapi") is False
    sock = socket(zmq.REQ)
    for option in OPTIONS:
        with pytest.raises(zmq.ZMQError) as caught:
            sock.getsockopt(option)
        assert caught.value.errno == errno.EINVAL
        value = b"me" if option.name.endswith("PRINCIPAL") else 1
        with pytest.raises(zmq.ZMQError, match=f"{option.name}.*package gssapi") as caught:
            sock.setsockopt(option, value)
        assert caught.value.errno == errno.EINVAL
    assert sock.mechanism == SecurityMechanism.NULL


def test_without_a_descriptor_to_look_for_it(socket: SocketFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE, and not that there is none."""

    def import_module(name: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    sock = socket(zmq.REQ)
    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(zmq.ZMQError) as caught:
        sock.gssapi_server = 1
    assert caught.value.errno == errno.EMFILE


def test_with_the_package_there_are(contexts: Contexts, socket: SocketFactory) -> None:
    """Every one can be read."""
    assert zmq.has("gssapi") is True
    assert [socket(zmq.REQ).getsockopt(option) for option in OPTIONS] == [0, b"", b"", 0, 0, 0]


def test_the_last_option_decides(contexts: Contexts, socket: SocketFactory) -> None:
    """Which mechanism, and which side of it: principals choose GSSAPI, that of the service the client's side."""
    sock = socket(zmq.REQ)
    sides = []
    for name, value in (
        ("gssapi_plaintext", 1),
        ("gssapi_principal_nametype", 2),
        ("gssapi_principal", b"alice"),
        ("gssapi_server", 1),
        ("gssapi_principal", b"bob"),
        ("gssapi_service_principal", b"zmq@localhost"),
        ("gssapi_server", 0),
        ("plain_server", 1),
        ("gssapi_server", 1),
        ("plain_username", b"me"),
    ):
        setattr(sock, name, value)
        sides.append((SecurityMechanism(sock.mechanism).name, sock.gssapi_server))
    gssapi = SecurityMechanism.GSSAPI.name
    assert sides == [
        *[("NULL", 0)] * 2,
        (gssapi, 0),
        *[(gssapi, 1)] * 2,
        *[(gssapi, 0)] * 2,
        ("PLAIN", 0),
        (gssapi, 1),
        ("PLAIN", 0),
    ]


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("plaintext", [0, 1])
def test_messages(contexts: Contexts, socket: SocketFactory, transport: str, plaintext: int) -> None:
    """There and back, of any size and in parts."""
    bound = socket(zmq.REP, gssapi_server=1, gssapi_plaintext=plaintext)
    connected = socket(zmq.REQ, gssapi_service_principal=b"zmq@localhost", gssapi_plaintext=plaintext)
    connected.connect(bind(bound, transport))
    for frames in ([b""], [b"hello"], [b"a", b"", b"c" * 300], [b"x" * 1_000_000]):
        connected.send_multipart(frames)
        assert bound.recv_multipart() == frames
        bound.send_multipart(frames * 2)
        assert connected.recv_multipart() == frames * 2


def test_subscriptions(contexts: Contexts, socket: SocketFactory) -> None:
    """Come through and are cancelled."""
    xpub, sub = pair(socket, zmq.XPUB, zmq.SUB)
    sub.subscribe = b"topic"
    assert xpub.recv() == b"\1topic"
    xpub.send_multipart([b"topic", b"news"])
    assert sub.recv_multipart() == [b"topic", b"news"]
    sub.unsubscribe = b"topic"
    assert xpub.recv() == b"\0topic"


def test_a_subscription_is_no_message(contexts: Contexts, socket: SocketFactory) -> None:
    """Neither as a command nor as later libzmq marks it: a socket that does not publish drops it."""
    client, _ = contexts
    bound, connected = pair(socket, zmq.PULL, zmq.PUSH)
    connected.send(b"first")
    assert bound.recv() == b"first"
    context = client.contexts[0]
    wrap, flags = context.wrap, iter([b"\4", b"\x08", b"\0"])
    context.wrap = lambda plaintext: wrap(next(flags) + plaintext[1:])  # type: ignore[method-assign]
    for payload in (b"subscription", b"cancellation", b"message"):
        connected.send(payload)
    assert bound.recv() == b"message"


def test_heartbeats(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """PING and PONG are sealed as messages are, and keep a silent connection."""
    bound, connected = pair(socket, zmq.PAIR, zmq.PAIR, heartbeat_ivl=10, heartbeat_timeout=5000)
    client, server = contexts
    wait_until(lambda: server.contexts and server.contexts[0]._received > 3, "several PONGs")
    connected.send(b"still here")
    assert bound.recv() == b"still here"


def test_who_the_peer_is(contexts: Contexts, socket: SocketFactory, ctx: Any) -> None:
    """The handler is given the principal; what it calls the user is the User-Id of every message."""
    with ZapHandler(zmq, ctx, lambda request: answer(user=request[-1])) as handler:
        bound, connected = pair(socket, zmq.PULL, zmq.PUSH, zap_domain=b"dom")
        connected.send(b"hi")
        frame = bound.recv(copy=False)
        assert frame.get("User-Id") == "alice@ZMQ.TEST"
        assert handler.requests[0][2] == b"dom"
        assert handler.requests[0][5:] == [b"GSSAPI", b"alice@ZMQ.TEST"]


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_refused_peer(contexts: Contexts, socket: SocketFactory, ctx: Any, watch: Watch, status: int) -> None:
    """FAILED_AUTH and the end of the connection at the server; the client sees the end only, and tries again."""
    with ZapHandler(zmq, ctx, answer(str(status).encode(), b"unwelcome")):
        bound = socket(zmq.PULL, gssapi_server=1)
        connected = socket(zmq.PUSH, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=10)
        server_log, client_log = watch(bound, OUTCOMES), watch(connected, OUTCOMES)
        connected.connect(bind(bound))
        for _ in range(2):
            server_log.expect(HANDSHAKE_FAILED_AUTH, status)
            server_log.expect(DISCONNECTED)
            client_log.expect(HANDSHAKE_FAILED_NO_DETAIL)
            client_log.expect(DISCONNECTED)
        assert "unwelcome" in str(bound.last_handshake_failures[0])


def test_a_ticket_that_comes_later(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """Nothing has to be done but to get it: the connection is tried again."""
    client, _ = contexts
    client.lacks = "no credentials cache found"
    bound = socket(zmq.REP, gssapi_server=1)
    connected = socket(zmq.REQ, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=10)
    log = watch(connected, OUTCOMES)
    connected.connect(bind(bound))
    for _ in range(2):
        log.expect(HANDSHAKE_FAILED_NO_DETAIL, errno.EACCES)
        log.expect(DISCONNECTED)
    failure = connected.last_handshake_failures[0]
    assert (failure.mechanism, failure.role, failure.event) == ("GSSAPI", "client", HANDSHAKE_FAILED_NO_DETAIL)
    assert "no credentials cache found" in failure.reason
    client.lacks = ""
    log.until(HANDSHAKE_SUCCEEDED)
    connected.send(b"now")
    assert bound.recv() == b"now"


def test_without_a_ticket_and_told_not_to_try_again(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """RECONNECT_STOP_HANDSHAKE_FAILED: it is not."""
    client, _ = contexts
    client.lacks = "no ticket"
    bound = socket(zmq.REP, gssapi_server=1)
    connected = socket(zmq.REQ, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=1, reconnect_stop=2)
    log = watch(connected)
    connected.connect(bind(bound))
    log.until(HANDSHAKE_FAILED_NO_DETAIL)
    log.expect(DISCONNECTED)
    log.expect_silence()


def test_a_key_that_is_missing(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """The server says so, and works as soon as it is there."""
    _, server = contexts
    server.lacks = "keytab not found"
    bound = socket(zmq.REP, gssapi_server=1)
    connected = socket(zmq.REQ, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=10)
    log = watch(bound, OUTCOMES)
    connected.connect(bind(bound))
    log.expect(HANDSHAKE_FAILED_NO_DETAIL, errno.EACCES)
    log.expect(DISCONNECTED)
    assert "keytab not found" in bound.last_handshake_failures[0].reason
    server.lacks = ""
    log.until(HANDSHAKE_SUCCEEDED)


def test_a_token_that_is_refused(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """The end of the connection, at once."""
    client, _ = contexts
    client.client = (b"expired", b"")
    bound = socket(zmq.REP, gssapi_server=1)
    connected = socket(zmq.REQ, gssapi_service_principal=b"zmq@localhost")
    log = watch(bound, OUTCOMES)
    connected.connect(bind(bound))
    log.expect(HANDSHAKE_FAILED_NO_DETAIL, errno.EACCES)
    log.expect(DISCONNECTED)
    assert "defective token" in bound.last_handshake_failures[0].reason


def test_a_server_that_is_not_who_it_should_be(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """Is tried again, as it may have its key later; nothing is sent to it meanwhile."""
    _, server = contexts
    server.server = (b"imposter",)
    bound = socket(zmq.REP, gssapi_server=1)
    connected = socket(zmq.REQ, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=10)
    log = watch(connected, OUTCOMES)
    connected.connect(bind(bound))
    for _ in range(2):
        log.expect(HANDSHAKE_FAILED_NO_DETAIL, errno.EACCES)
        log.expect(DISCONNECTED)
    server.server = (b"answer",)
    log.until(HANDSHAKE_SUCCEEDED)


def test_a_message_that_does_not_open(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """CRYPTOGRAPHIC and the end of the connection."""
    client, _ = contexts
    bound = socket(zmq.PULL, gssapi_server=1)
    connected = socket(zmq.PUSH, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=-1)
    log = watch(bound, OUTCOMES)
    connected.connect(bind(bound))
    log.expect(HANDSHAKE_SUCCEEDED)
    connected.send(b"good")
    assert bound.recv() == b"good"
    client.contexts[0]._key = b"X"
    connected.send(b"bad")
    log.expect(HANDSHAKE_FAILED_PROTOCOL, CRYPTOGRAPHIC)
    log.expect(DISCONNECTED)


def test_a_message_that_cannot_be_sealed(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """The connection ends, and a new one takes its place."""
    client, _ = contexts
    bound = socket(zmq.PULL, gssapi_server=1)
    connected = socket(zmq.PUSH, gssapi_service_principal=b"zmq@localhost", reconnect_ivl=10)
    log = watch(connected, OUTCOMES)
    connected.connect(bind(bound))
    log.expect(HANDSHAKE_SUCCEEDED)
    connected.send(b"good")
    assert bound.recv() == b"good"
    client.contexts[0].broken = True
    connected.send(b"lost")
    log.expect(DISCONNECTED)
    log.expect(HANDSHAKE_SUCCEEDED)
    connected.send(b"again")
    assert bound.recv() == b"again"


def test_a_request_that_cannot_be_sealed(contexts: Contexts, socket: SocketFactory, watch: Watch) -> None:
    """It is sealed in the socket's own thread, which is not hurt."""
    client, _ = contexts
    bound, connected = pair(socket)
    log = watch(connected, OUTCOMES)
    connected.send(b"good")
    assert bound.recv() == b"good"
    bound.send(b"good")
    assert connected.recv() == b"good"
    io_thread_rests(connected)
    client.contexts[0].broken = True
    connected.send(b"lost")
    log.until(DISCONNECTED)
    log.expect(HANDSHAKE_SUCCEEDED)
