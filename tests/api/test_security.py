# SPDX-License-Identifier: MPL-2.0
"""What the face adds: reasons of failed handshakes, and warnings."""

from __future__ import annotations

import pickle
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from libzmq_py.api import security
from tests.conftest import SocketFactory, bind
from tests.support.raw_peer import RawPeers, greeting, signature
from tests.support.target import zmq
from tests.support.waiting import ms, wait_until

pytestmark = pytest.mark.departs


# --- reasons ---------------------------------------------------------------------------------------------------------


def test_a_socket_tells_why_handshakes_failed(socket: SocketFactory, raw: RawPeers) -> None:
    """Who, what was offered, what was waited for, which event, and in words."""
    dealer = socket(zmq.DEALER)
    assert dealer.last_handshake_failures == []
    endpoint = bind(dealer)
    raw.connect(endpoint).send(greeting(mechanism=b"CURVE"))
    wait_until(lambda: dealer.last_handshake_failures, "the failure")
    (failure,) = dealer.last_handshake_failures
    assert failure.endpoint == endpoint
    assert failure.peer_address == "127.0.0.1"
    assert (failure.mechanism, failure.offered) == ("NULL", "CURVE")
    assert (failure.event, failure.value) == (
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH,
    )
    assert "mismatch" in failure.reason
    assert "NULL" in str(failure)
    assert "CURVE" in str(failure)


def test_a_peer_cannot_write_lines_of_our_log(
    socket: SocketFactory, raw: RawPeers, caplog: pytest.LogCaptureFixture
) -> None:
    """What it offers is shown on one line, without anything that a terminal would obey."""
    caplog.set_level("DEBUG", logger="libzmq_py")
    dealer = socket(zmq.DEALER)
    raw.connect(bind(dealer)).send(greeting(mechanism=b"A\nroot let in\x1b[31m"))
    wait_until(lambda: dealer.last_handshake_failures, "the failure")
    (failure,) = dealer.last_handshake_failures
    for text in [str(failure), repr(failure), *(record.getMessage() for record in caplog.records)]:
        assert text.isprintable(), text
    assert "\\nroot let in" in str(failure)


def test_only_so_many_are_kept(socket: SocketFactory, raw: RawPeers) -> None:
    """The newest 32, however many peers fail."""
    dealer = socket(zmq.DEALER)
    endpoint = bind(dealer)
    for number in range(40):
        raw.connect(endpoint).send(greeting(mechanism=b"X%d" % number))
    wait_until(
        lambda: dealer.last_handshake_failures and dealer.last_handshake_failures[-1].offered == "X39", "the last one"
    )
    assert len(dealer.last_handshake_failures) == 32


def test_both_sides_of_a_wrong_key(socket: SocketFactory) -> None:
    """The server says what the client wants, the client what the server lacks; no key is in either text."""
    public, secret = zmq.curve_keypair()
    other, _ = zmq.curve_keypair()
    own, own_secret = zmq.curve_keypair()
    server = socket(zmq.DEALER, curve_server=1, curve_secretkey=secret)
    client = socket(zmq.DEALER, curve_serverkey=other, curve_publickey=own, curve_secretkey=own_secret)
    client.connect(bind(server))
    wait_until(lambda: server.last_handshake_failures, "the server to refuse")
    failure = server.last_handshake_failures[0]
    assert (failure.mechanism, failure.role, failure.step) == ("CURVE", "server", "waiting for HELLO")
    assert "another key" in failure.reason
    wait_until(lambda: client.last_handshake_failures, "the client to lose its connection")
    shown = repr(server.last_handshake_failures + client.last_handshake_failures)
    for key in (public, secret, other, own, own_secret):
        assert key.decode() not in shown


def test_a_closed_socket_has_no_reasons(socket: SocketFactory) -> None:
    """An empty list, not an error."""
    dealer = socket(zmq.DEALER)
    dealer.close()
    assert dealer.last_handshake_failures == []


# --- warnings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process, and every warning is shown."""
    monkeypatch.setattr(security, "_warned", [False])
    with warnings.catch_warnings():
        warnings.simplefilter("always", zmq.SecurityWarning)
        yield


@pytest.mark.parametrize("endpoint", ["tcp://*:*", "tcp://0.0.0.0:*"])
def test_an_open_door(fresh: None, socket: SocketFactory, endpoint: str) -> None:
    """Once in a process, and it points at the line that binds."""
    with pytest.warns(zmq.SecurityWarning, match="everybody") as caught:
        socket(zmq.PULL).bind(endpoint)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        socket(zmq.PULL).bind(endpoint)


def test_an_open_door_by_random_port(fresh: None, socket: SocketFactory) -> None:
    """The warning points at the caller all the same."""
    with pytest.warns(zmq.SecurityWarning) as caught:
        socket(zmq.PULL).bind_to_random_port("tcp://*")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [
        ("tcp://127.0.0.1:*", {}),
        ("ipc://*", {}),
        ("inproc://here", {}),
        ("tcp://*:*", {"curve_server": 1}),
        ("tcp://*:*", {"plain_server": 1}),
        ("tcp://*:*", {"zap_domain": b"d"}),
        ("tcp://*:*", {"tcp_accept_filter": b"127.0.0.1"}),
    ],
)
def test_doors_that_are_not_open(fresh: None, socket: SocketFactory, endpoint: str, options: dict[str, Any]) -> None:
    """Loopback, other transports, any security: nothing to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        socket(zmq.PULL, **options).bind(endpoint)


def test_the_warning_can_be_an_error(fresh: None, socket: SocketFactory) -> None:
    """Then the socket is not bound."""
    pull = socket(zmq.PULL)
    with warnings.catch_warnings():
        warnings.simplefilter("error", zmq.SecurityWarning)
        with pytest.raises(zmq.SecurityWarning):
            pull.bind("tcp://*:*")
    assert pull.last_endpoint in (b"", b"\0")


def test_pickles_of_friends(fresh: None, socket: SocketFactory, raw: RawPeers) -> None:
    """Loopback, ipc and inproc peers are trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for endpoint in ("tcp://127.0.0.1:*", "ipc://*", "inproc://pickles"):
            pull, push = socket(zmq.PULL), socket(zmq.PUSH)
            pull.bind(endpoint)
            push.connect(pull.last_endpoint.rstrip(b"\0").decode())
            push.send_pyobj({"a": 1})
            assert pull.recv_pyobj() == {"a": 1}


@pytest.mark.parametrize(
    ("remote", "warned"),
    [
        ("tcp://192.0.2.1:5000", True),
        ("tcp://[2001:db8::1]:5000", True),
        ("tcp://example.test:5000", True),
        ("tcp://127.0.0.1:5000", False),
        ("tcp://[::1]:5000", False),
        ("tcp://localhost:5000", False),
        ("ipc://", False),
    ],
)
@pytest.mark.parametrize("hello", [b"\1\0", signature() + b"\1\x08\0\0"], ids=["ZMTP 1.0", "ZMTP 2.0"])
def test_pickles_of_old_strangers(
    fresh: None, socket: SocketFactory, raw: RawPeers, hello: bytes, remote: str, warned: bool
) -> None:
    """Peers without metadata are known by their address."""
    pull = socket(zmq.PULL)
    peer = raw.connect(bind(pull))
    peer.send(hello)
    pickled = pickle.dumps(1)
    peer.send((bytes((len(pickled) + 1, 0)) if hello[0] == 1 else bytes((0, len(pickled)))) + pickled)
    assert pull.poll(ms(5000))
    (pipe,) = pull._core._pipes.items
    pipe.endpoint_pair = pipe.endpoint_pair._replace(remote=remote)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert pull.recv_pyobj() == 1
    assert [warning.category for warning in caught] == [zmq.SecurityWarning] * warned


@pytest.mark.parametrize(
    ("metadata", "options", "warned"),
    [
        ({"Peer-Address": "192.0.2.1"}, {}, True),
        ({"Peer-Address": "2001:db8::1"}, {}, True),
        ({"Peer-Address": "::12:34:56"}, {}, True),
        ({"Peer-Address": "2001:db8::1:2:3"}, {}, True),
        ({"Peer-Address": "192.0.2.1", "User-Id": "bob"}, {}, True),
        ({"Peer-Address": "192.0.2.1", "User-Id": "bob"}, {"plain_server": 1}, False),
        ({"Peer-Address": "192.0.2.1", "User-Id": ""}, {"curve_server": 1}, False),
        ({"Peer-Address": "127.0.0.2"}, {}, False),
        ({"Peer-Address": "::1"}, {}, False),
        ({"Peer-Address": "::ffff:127.0.0.1"}, {}, False),
        ({"Peer-Address": "localhost:0:0:123"}, {}, False),
        ({"Peer-Address": ":1000:1000:123"}, {}, False),
        ({"Peer-Address": "192.0.2.1"}, {"curve_server": 1}, True),
        ({"Peer-Address": "192.0.2.1"}, {"curve_serverkey": b"k" * 32}, False),
        ({"Peer-Address": "192.0.2.1"}, {"plain_username": b"u"}, True),
        ({"Peer-Address": "192.0.2.1"}, {"gssapi_server": 1}, True),
        ({"Peer-Address": "192.0.2.1"}, {"gssapi_service_principal": b"zmq@host"}, False),
        ({"Peer-Address": "192.0.2.1"}, {"gssapi_service_principal": b"zmq@host", "gssapi_plaintext": 1}, True),
        (None, {}, False),
    ],
)
def test_pickles_of_strangers(
    fresh: None,
    socket: SocketFactory,
    monkeypatch: pytest.MonkeyPatch,
    metadata: dict[str, str] | None,
    options: dict[str, Any],
    warned: bool,
) -> None:
    """Whoever is on another machine, unless it was authenticated, or is the server that we know."""
    monkeypatch.setitem(sys.modules, "gssapi", types.ModuleType("gssapi"))  # for the options' sake
    pull = socket(zmq.PULL, **options)
    push = socket(zmq.PUSH)
    pull.bind("inproc://strangers")
    push.connect("inproc://strangers")
    monkeypatch.setattr(pull._core, "last_metadata", lambda: metadata)
    push.send_pyobj(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert pull.recv_pyobj() == 1
    assert [warning.category for warning in caught] == [zmq.SecurityWarning] * warned
    if warned:
        assert caught[0].filename == __file__
