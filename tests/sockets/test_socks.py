# SPDX-License-Identifier: MPL-2.0
"""SOCKS_PROXY, SOCKS_USERNAME, SOCKS_PASSWORD: tcp connections through a SOCKS 5 proxy (libzmq's test_socks.cpp)."""

import errno
import logging
import socket as pysocket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sockets.helpers import (
    LIMIT,
    QUIET,
    MakeSocket,
    MakeWatch,
    Sock,
    bind,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
)
from tests.support.raw_peer import frame, greeting, ready
from tests.support.socks_proxy import GRANTED, Conversation, Script, SocksProxy
from tests.support.target import zmq
from tests.support.waiting import ms, wait_until

MakeProxy = Callable[..., SocksProxy]

NAMES = {b"peer.invalid": "127.0.0.1"}


@pytest.fixture
def proxy() -> Iterator[MakeProxy]:
    """`proxy(script, ...)` runs a proxy; what its scripts found wrong fails the test."""
    made: list[SocksProxy] = []

    def make(*scripts: Script) -> SocksProxy:
        made.append(SocksProxy(*scripts))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for one in made:
        one.check()


def serve(
    username: bytes = b"", password: bytes = b"", bytewise: bool = False
) -> Callable[[Conversation], None]:
    """A script that does what a proxy is there for."""

    def script(conversation: Conversation) -> None:
        if conversation.negotiate(username, password, bytewise):
            conversation.relay(NAMES, bytewise)

    return script


def port_of(sock: Sock) -> int:
    return int(last_endpoint(sock).rpartition(":")[2])


# --- through the proxy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "asked_for"),
    [
        ("127.0.0.1", (1, bytes((127, 0, 0, 1)))),
        ("[::1]", (4, bytes(15) + b"\1")),
        ("peer.invalid", (3, b"peer.invalid")),
    ],
)
def test_messages_pass(socket: MakeSocket, proxy: MakeProxy, host: str, asked_for: tuple[int, bytes]) -> None:
    """Literals go to the proxy as numbers, a name as it is, to be resolved there; then all is as without a proxy."""
    middle = proxy(serve())
    pull, push = socket(zmq.PULL, ipv6=1), socket(zmq.PUSH, socks_proxy=middle.option)
    pull.bind("tcp://*:*")
    endpoint = f"tcp://{host}:{port_of(pull)}"
    push.connect(endpoint)
    assert last_endpoint(push) == endpoint
    for number in range(100):
        push.send_multipart([b"%d" % number, b"x" * number * 100])
    for number in range(100):
        assert pull.recv_multipart() == [b"%d" % number, b"x" * number * 100]
    (conversation,) = middle.conversations
    assert conversation.asked_for == (*asked_for, port_of(pull))
    assert conversation.credentials is None


@pytest.mark.parametrize("password", [b"secret", b"p" * 255])
def test_user_name_and_password(socket: MakeSocket, proxy: MakeProxy, password: bytes) -> None:
    """With SOCKS_USERNAME both are told to a proxy that asks for them."""
    middle = proxy(serve(b"me", password))
    pull = socket(zmq.PULL)
    push = socket(zmq.PUSH, socks_proxy=middle.option, socks_username=b"me", socks_password=password)
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    push.send(b"hello")
    assert pull.recv() == b"hello"
    assert middle.conversations[0].credentials == (b"me", password)


def test_a_password_alone_is_not_told(socket: MakeSocket, proxy: MakeProxy) -> None:
    """Without a user name no authentication is offered."""

    def script(conversation: Conversation) -> None:
        conversation.expect(b"\5\1\0")
        conversation.say(b"\5\0")
        conversation.expect(b"\5\1\0\1\x7f\0\0\1\0\x09")
        heard.append("request")
        conversation.hold()
        heard.append("end")

    heard: list[str] = []
    middle = proxy(script)
    push = socket(zmq.PUSH, socks_proxy=middle.option, socks_password=b"secret")
    push.connect("tcp://127.0.0.1:9")
    wait_until(lambda: heard)
    push.close()
    wait_until(lambda: heard == ["request", "end"])


@pytest.mark.departs
@pytest.mark.parametrize("username", [b"", b"me"])
def test_a_proxy_that_speaks_byte_by_byte(socket: MakeSocket, proxy: MakeProxy, username: bytes) -> None:
    """Every answer in pieces. (libzmq reads beyond a response that is cut behind its fifth byte.)"""
    middle = proxy(serve(username, b"secret", bytewise=True))
    pull = socket(zmq.PULL)
    push = socket(zmq.PUSH, socks_proxy=middle.option, socks_username=username, socks_password=b"secret")
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    push.send(b"hello")
    assert pull.recv() == b"hello"


def be_a_peer(conversation: Conversation, response: bytes) -> None:
    """Say this and a PUSH's greeting in one piece, then what a PUSH says."""
    conversation.say(response + greeting() + ready("PUSH"))
    conversation.read(64 + len(ready("PULL")))
    conversation.say(frame(b"hello"))
    conversation.hold()


@pytest.mark.parametrize(
    "response", [GRANTED, b"\5\0\0\4" + bytes(18), b"\5\0\0\3\4host\0\0"], ids=["IPv4", "IPv6", "domain"]
)
def test_what_follows_the_response_is_the_peer_s(socket: MakeSocket, proxy: MakeProxy, response: bytes) -> None:
    """A proxy may pass on the peer's first bytes in one piece with its own last ones."""

    def script(conversation: Conversation) -> None:
        conversation.negotiate()
        be_a_peer(conversation, response)

    middle = proxy(script)
    pull = socket(zmq.PULL, socks_proxy=middle.option)
    pull.connect("tcp://peer.invalid:5555")
    assert pull.recv() == b"hello"


def test_a_proxy_that_speaks_early(socket: MakeSocket, proxy: MakeProxy) -> None:
    """Its choice may come before our greeting."""

    def script(conversation: Conversation) -> None:
        conversation.say(b"\5\0")
        conversation.expect(b"\5\1\0\5\1\0\3\x0cpeer.invalid\0\7")
        be_a_peer(conversation, GRANTED)

    middle = proxy(script)
    pull = socket(zmq.PULL, socks_proxy=middle.option)
    pull.connect("tcp://peer.invalid:7")
    assert pull.recv() == b"hello"


def test_a_stream_goes_through_too(socket: MakeSocket, proxy: MakeProxy) -> None:
    """The proxy stands below the protocol."""
    middle = proxy(serve())
    with pysocket.create_server(("127.0.0.1", 0)) as listener:
        stream = socket(zmq.STREAM, socks_proxy=middle.option)
        stream.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        peer, _ = listener.accept()
        with peer:
            routing_id, notice = stream.recv_multipart()
            assert notice == b""
            peer.sendall(b"plain bytes")
            assert stream.recv_multipart() == [routing_id, b"plain bytes"]


# --- when it counts --------------------------------------------------------------------------------------------------


def test_the_proxy_counts_when_connect_is_called(socket: MakeSocket, proxy: MakeProxy) -> None:
    """Earlier connections keep going without it."""
    middle = proxy(serve())
    pulls = [socket(zmq.PULL), socket(zmq.PULL)]
    push = socket(zmq.PUSH)
    for pull in pulls:
        bind(pull, "tcp")
    push.connect(last_endpoint(pulls[0]))
    push.setsockopt(zmq.SOCKS_PROXY, middle.option)
    push.connect(last_endpoint(pulls[1]))
    for _ in pulls:
        push.send(b"hello")
    assert [pull.recv() for pull in pulls] == [b"hello"] * 2
    (conversation,) = middle.conversations
    assert conversation.asked_for == (1, bytes((127, 0, 0, 1)), port_of(pulls[1]))


@pytest.mark.departs
def test_none_switches_the_proxy_off(socket: MakeSocket, proxy: MakeProxy) -> None:
    """setsockopt(SOCKS_PROXY, None) is C's (NULL, 0)."""
    middle = proxy(serve())
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, socks_proxy=middle.option)
    push.setsockopt(zmq.SOCKS_PROXY, None)
    link(pull, push, "tcp")
    push.send(b"x")
    assert pull.recv() == b"x"
    assert not middle.conversations


@pytest.mark.parametrize("transport", ["ipc", "inproc"])
def test_only_tcp_has_a_proxy(socket: MakeSocket, proxy: MakeProxy, transport: str) -> None:
    """And only connect."""
    middle = proxy(serve())
    pull, push = socket(zmq.PULL, socks_proxy=middle.option), socket(zmq.PUSH, socks_proxy=middle.option)
    link(pull, push, transport)
    push.send(b"x")
    assert pull.recv() == b"x"
    assert not middle.conversations


# --- refusals --------------------------------------------------------------------------------------------------------


def refuse_method(conversation: Conversation) -> None:
    conversation.read(3)
    conversation.say(b"\5\xff")
    assert conversation.closed_by_client()


def answer_request(reply: bytes) -> Script:
    def script(conversation: Conversation) -> None:
        conversation.negotiate()
        conversation.say(reply)
        assert conversation.closed_by_client()

    return script


def hang_up(after: int) -> Script:
    def script(conversation: Conversation) -> None:
        if after:
            conversation.read(3)
        if after > 1:
            conversation.say(b"\5\0")
            conversation.read(10)
        if after > 2:
            conversation.say(GRANTED[:7])

    return script


def say_first(data: bytes) -> Script:
    def script(conversation: Conversation) -> None:
        conversation.read(3)
        conversation.say(data)
        assert conversation.closed_by_client()

    return script


REFUSALS: dict[str, Script] = {
    "no method": refuse_method,
    **{f"reply {code}": answer_request(bytes((5, code, 0, 1)) + bytes(6)) for code in (1, 2, 3, 4, 5, 6, 7, 8)},
    "unknown reply": answer_request(b"\5\x09\0\1" + bytes(6)),
    "reserved byte": answer_request(b"\5\0\1\1" + bytes(6)),
    "kind of address": answer_request(b"\5\0\0\2" + bytes(6)),
    "SOCKS 4": say_first(b"\4\0"),
    "a web server": say_first(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "end at once": hang_up(0),
    "end after the greeting": hang_up(1),
    "end after the request": hang_up(2),
    "end in the response": hang_up(3),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_tried_again(socket: MakeSocket, watch: MakeWatch, proxy: MakeProxy, refusal: str) -> None:
    """The connection to the proxy is closed, and after RECONNECT_IVL made anew; once it works messages flow."""
    middle = proxy(REFUSALS[refusal], REFUSALS[refusal], serve())
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, socks_proxy=middle.option, reconnect_ivl=10)
    events = watch(push)
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    push.send(b"patience")
    assert pull.recv() == b"patience"
    events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    failed = [zmq.EVENT_CONNECT_DELAYED, zmq.EVENT_CLOSED, zmq.EVENT_CONNECT_RETRIED]
    made = [zmq.EVENT_CONNECT_DELAYED, zmq.EVENT_CONNECTED, zmq.EVENT_HANDSHAKE_SUCCEEDED]
    assert [event for event, _ in events.seen] == [*failed, *failed, *made]


def test_a_wrong_password_is_tried_again(socket: MakeSocket, watch: MakeWatch, proxy: MakeProxy) -> None:
    """As any refusal; the proxy may be set right meanwhile."""
    middle = proxy(serve(b"me", b"old"), serve(b"me", b"new"))
    pull = socket(zmq.PULL)
    push = socket(
        zmq.PUSH, socks_proxy=middle.option, socks_username=b"me", socks_password=b"new", reconnect_ivl=10
    )
    events = watch(push)
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    push.send(b"patience")
    assert pull.recv() == b"patience"
    events.wait(zmq.EVENT_CONNECTED)
    assert len(events.values(zmq.EVENT_CONNECT_RETRIED)) == 1


def test_a_peer_that_is_not_there(socket: MakeSocket, proxy: MakeProxy, tmp_path: Any) -> None:
    """The proxy says 'connection refused', again and again, until the peer comes; RECONNECT_STOP does not apply."""
    middle = proxy(serve())
    with pysocket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        push = socket(zmq.PUSH, socks_proxy=middle.option, reconnect_ivl=10, reconnect_stop=1)
        push.connect(f"tcp://127.0.0.1:{port}")
        wait_until(lambda: len(middle.conversations) > 2)
    pull = socket(zmq.PULL)
    pull.bind(f"tcp://127.0.0.1:{port}")
    push.send(b"at last")
    assert pull.recv() == b"at last"


@pytest.mark.departs
def test_a_proxy_that_is_not_there(socket: MakeSocket, watch: MakeWatch) -> None:
    """Retried like a peer that is not there; RECONNECT_STOP does not apply.

    libzmq does the same, and aborts the process when the socket is closed between two attempts.
    """
    with pysocket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = b"127.0.0.1:%d" % taken.getsockname()[1]
        push = socket(zmq.PUSH, socks_proxy=nobody, reconnect_ivl=10, reconnect_stop=1)
        events = watch(push)
        push.connect("tcp://127.0.0.1:9")
        events.wait(zmq.EVENT_CONNECT_RETRIED, 2)
        assert set(events.values(zmq.EVENT_CONNECT_DELAYED)) == {errno.EINPROGRESS}


@pytest.mark.parametrize("nonsense", [b"nonsense", b"nobody.invalid:1080", b"127.0.0.1:x", b":::", b"\xff\xfe:1"])
def test_a_proxy_that_cannot_be(socket: MakeSocket, watch: MakeWatch, nonsense: bytes) -> None:
    """SOCKS_PROXY is not looked at before an attempt is made; then it is a failed attempt."""
    push = socket(zmq.PUSH, socks_proxy=nonsense, reconnect_ivl=10)
    events = watch(push)
    push.connect("tcp://127.0.0.1:9")
    events.wait(zmq.EVENT_CONNECT_RETRIED, 2)
    assert {event for event, _ in events.seen} == {zmq.EVENT_CONNECT_RETRIED}


@pytest.mark.departs
@pytest.mark.parametrize("endpoint", ["tcp://" + "h" * 256 + ":80", "tcp://127.0.0.1:0;host:80"])
def test_endpoints_that_no_proxy_can_reach(socket: MakeSocket, endpoint: str) -> None:
    """EINVAL at once. (libzmq aborts the process for a long name, and asks for a host called "127.0.0.1:0;host".)"""
    push = socket(zmq.PUSH, socks_proxy=b"127.0.0.1:9")
    with raises_errno(errno.EINVAL):
        push.connect(endpoint)


def test_events_name_the_proxy(socket: MakeSocket, proxy: MakeProxy) -> None:
    """Every event of the connecting side carries the proxy's endpoint."""
    middle = proxy(refuse_method, serve())
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, socks_proxy=middle.option, reconnect_ivl=10)
    monitor = push.get_monitor_socket()
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    seen = []
    while zmq.EVENT_HANDSHAKE_SUCCEEDED not in [event for event, _ in seen]:
        assert monitor.poll(LIMIT)
        head, endpoint = monitor.recv_multipart()
        seen.append((struct.unpack("=Hi", head)[0], endpoint.decode()))
    push.disable_monitor()
    monitor.close(0)
    assert {endpoint for _, endpoint in seen} == {f"tcp://{middle.address}"}


@pytest.mark.departs
def test_refusals_are_logged(
    socket: MakeSocket, watch: MakeWatch, proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """With the endpoint, the proxy and the reason, and without the password."""
    middle = proxy(serve(b"somebody", b"else"))
    push = socket(
        zmq.PUSH, socks_proxy=middle.option, socks_username=b"the user", socks_password=b"the secret", reconnect_ivl=10
    )
    events = watch(push)
    with caplog.at_level(logging.DEBUG, "libzmq_py"):
        push.connect("tcp://127.0.0.1:9")
        events.wait(zmq.EVENT_CONNECT_RETRIED)
    assert middle.address in caplog.text
    assert "tcp://127.0.0.1:9" in caplog.text
    assert "refuses user name and password" in caplog.text
    assert "the secret" not in caplog.text
    assert "the user" not in caplog.text


# --- the end ---------------------------------------------------------------------------------------------------------


def test_a_proxy_that_dies_takes_the_connection_with_it(
    socket: MakeSocket, watch: MakeWatch, proxy: MakeProxy
) -> None:
    """The connection is made again, through the proxy, as soon as there is one."""
    middle = proxy(serve())
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, socks_proxy=middle.option, reconnect_ivl=10)
    events = watch(push)
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    for number in range(3):
        push.send(b"%d" % number)
        assert pull.recv() == b"%d" % number
        middle.cut()
        events.wait(zmq.EVENT_DISCONNECTED, number + 1)
        events.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED, number + 2)
    assert len(middle.conversations) == 4


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("how", ["close", "disconnect"])
def test_an_attempt_under_way_is_dropped(socket: MakeSocket, proxy: MakeProxy, stage: int, how: str) -> None:
    """close and disconnect end the conversation at whatever point it is; nothing is tried again."""
    reached, ended = [], []

    def script(conversation: Conversation) -> None:
        if stage:
            conversation.read(3)
        if stage > 1:
            conversation.say(b"\5\0")
            conversation.read(10)
        reached.append(True)
        conversation.hold()
        ended.append(True)

    middle = proxy(script)
    push = socket(zmq.PUSH, socks_proxy=middle.option, reconnect_ivl=10)
    push.connect("tcp://127.0.0.1:9")
    wait_until(lambda: reached)
    if how == "close":
        push.close()
    else:
        push.disconnect("tcp://127.0.0.1:9")
    # The end of a pipe takes the socket's thread, too.
    wait_until(lambda: [push.closed or settle(push), ended][1])
    assert len(middle.conversations) == 1


@pytest.mark.departs
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_silent_proxy_is_given_up(
    socket: MakeSocket, watch: MakeWatch, proxy: MakeProxy, stage: int
) -> None:
    """CONNECT_TIMEOUT limits the conversation. (libzmq waits for ever.)"""

    def hang(conversation: Conversation) -> None:
        if stage:
            conversation.read(3)
        if stage > 1:
            conversation.say(b"\5\0")
        conversation.hold()

    middle = proxy(hang, hang, serve())
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, socks_proxy=middle.option, reconnect_ivl=10, connect_timeout=ms(50))
    events = watch(push)
    bind(pull, "tcp")
    push.connect(last_endpoint(pull))
    push.send(b"patience")
    assert pull.recv() == b"patience"
    assert len(middle.conversations) == 3
    assert len(events.values(zmq.EVENT_CONNECT_RETRIED)) == 2
    # The time-out is for the conversation, not for the connection that it makes.
    assert is_quiet(pull, max(QUIET, ms(100)))
    push.send(b"still there")
    assert receive(pull, 1) == [b"still there"]
