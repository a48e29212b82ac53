# SPDX-License-Identifier: MPL-2.0
"""The proxy between two core sockets: both ways, captured, steered, and blocked."""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from libzmq_py.constants import SocketOption, SocketType
from libzmq_py.ctx import Ctx
from libzmq_py.errors import Again, ContextTerminated
from libzmq_py.msg import frame_bytes
from libzmq_py.proxy import proxy
from libzmq_py.socket_poller import POLLIN, zmq_poll
from tests.support.waiting import PATIENCE, SILENCE, ms, wait_until
from tests.test_ctx import terminate

T = SocketType


class Stage:
    """A context with sockets by name and one proxy in a thread of its own."""

    def __init__(self) -> None:
        self.ctx = Ctx()
        self.errors: list[BaseException] = []
        self.thread: threading.Thread | None = None

    def socket(self, type_: int, bind: str = "", connect: str = "", **options: int) -> Any:
        socket = self.ctx.create_socket(type_)
        for name, value in {"rcvtimeo": ms(5000), "sndtimeo": ms(5000), "linger": 0, **options}.items():
            socket.setsockopt(SocketOption[name.upper()], value)
        if bind:
            socket.bind(f"inproc://{bind}")
        if connect:
            socket.connect(f"inproc://{connect}")
        return socket

    def start(self, front: Any, back: Any, capture: Any = None, control: Any = None) -> None:
        for socket in {front, back, capture, control} - {None}:
            socket.setsockopt(SocketOption.RCVTIMEO, -1)
            socket.setsockopt(SocketOption.SNDTIMEO, -1)

        def run() -> None:
            try:
                proxy(front, back, capture, control)
            except BaseException as error:  # noqa: BLE001
                self.errors.append(error)
            finally:
                for socket in {front, back, capture, control} - {None}:
                    socket.close()

        self.thread = threading.Thread(target=run, name="proxy", daemon=True)
        self.thread.start()

    def join(self) -> None:
        assert self.thread is not None
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the proxy does not end"


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.ctx.shutdown()
    if made.thread is not None:
        made.join()
    for socket in list(made.ctx._sockets):
        if not socket.closed:
            socket.close()
    terminate(made.ctx)


def recv(socket: Any) -> list[bytes]:
    return [frame_bytes(frame) for frame in socket.recv_multipart()]


def silent(socket: Any) -> bool:
    return zmq_poll([(socket, POLLIN)], round(SILENCE * 1000)) == []


def test_messages_go_one_way(stage: Stage) -> None:
    """PULL to PUSH: every message, in order, single frames and several."""
    stage.start(stage.socket(T.PULL, bind="front"), stage.socket(T.PUSH, bind="back"))
    push, pull = stage.socket(T.PUSH, connect="front"), stage.socket(T.PULL, connect="back")
    for n in range(2500):
        push.send(b"%d" % n)
    push.send_multipart((b"a", b"", b"b"))
    assert [recv(pull) for _ in range(2500)] == [[b"%d" % n] for n in range(2500)]
    assert recv(pull) == [b"a", b"", b"b"]


def test_requests_and_replies(stage: Stage) -> None:
    """ROUTER and DEALER: the envelope finds its way back, for several clients."""
    stage.start(stage.socket(T.ROUTER, bind="front"), stage.socket(T.DEALER, bind="back"))
    clients = [stage.socket(T.REQ, connect="front") for _ in range(3)]
    server = stage.socket(T.REP, connect="back")
    for number in range(5):
        for n, client in enumerate(clients):
            client.send(b"%d %d" % (n, number))
        for _ in clients:
            server.send(b"re: " + frame_bytes(server.recv()))
        for n, client in enumerate(clients):
            assert recv(client) == [b"re: %d %d" % (n, number)]


def test_subscriptions_and_publications(stage: Stage) -> None:
    """XSUB and XPUB: subscriptions go up, messages come down."""
    stage.start(stage.socket(T.XSUB, bind="front"), stage.socket(T.XPUB, bind="back"))
    pub, sub = stage.socket(T.XPUB, connect="front"), stage.socket(T.SUB, connect="back")
    sub.setsockopt(SocketOption.SUBSCRIBE, b"news")
    assert recv(pub) == [b"\1news"]
    pub.send(b"weather")
    pub.send(b"news!")
    assert recv(sub) == [b"news!"]


def test_one_socket_on_both_sides(stage: Stage) -> None:
    """frontend and backend may be the same socket: an echo."""
    front = stage.socket(T.PAIR, bind="front")
    stage.start(front, front)
    pair = stage.socket(T.PAIR, connect="front")
    for n in range(5):
        pair.send(b"%d" % n)
        assert recv(pair) == [b"%d" % n]


def test_capture_gets_a_copy_of_both_directions(stage: Stage) -> None:
    """Whole messages, requests and replies."""
    stage.start(
        stage.socket(T.ROUTER, bind="front"),
        stage.socket(T.DEALER, bind="back"),
        stage.socket(T.PUSH, bind="capture"),
    )
    client, server = stage.socket(T.REQ, connect="front"), stage.socket(T.REP, connect="back")
    capture = stage.socket(T.PULL, connect="capture")
    client.send(b"question")
    server.recv()
    server.send(b"answer")
    assert recv(client) == [b"answer"]
    assert [recv(capture)[1:], recv(capture)[1:]] == [[b"", b"question"], [b"", b"answer"]]


def steered(stage: Stage, control_type: int = T.PAIR) -> tuple[Any, Any, Any]:
    """A steerable proxy; its push, pull and control from outside."""
    peer = {T.PAIR: T.PAIR, T.REP: T.REQ, T.SUB: T.PUB, T.PULL: T.PUSH}[SocketType(control_type)]
    control = stage.socket(control_type, bind="control")
    stage.start(stage.socket(T.PULL, bind="front"), stage.socket(T.PUSH, bind="back"), control=control)
    push, pull = stage.socket(T.PUSH, connect="front"), stage.socket(T.PULL, connect="back")
    return push, pull, stage.socket(peer, connect="control")


def test_terminate_ends_it(stage: Stage) -> None:
    """TERMINATE: proxy() returns."""
    push, pull, control = steered(stage)
    push.send(b"x")
    assert recv(pull) == [b"x"]
    control.send(b"TERMINATE")
    stage.join()
    assert stage.errors == []


def test_pause_and_resume(stage: Stage) -> None:
    """Between PAUSE and RESUME nothing passes; nothing is lost."""
    push, pull, control = steered(stage, T.REP)
    for command in (b"PAUSE", b"RESUME"):
        control.send(command)
        assert recv(control) == [b""], "REP answers, so that the requester knows"
        push.send(command)
        if command == b"PAUSE":
            assert silent(pull)
    assert [recv(pull), recv(pull)] == [[b"PAUSE"], [b"RESUME"]]
    control.send(b"TERMINATE")
    assert recv(control) == [b""]
    stage.join()


def test_a_paused_proxy_can_be_terminated(stage: Stage) -> None:
    """PAUSE, then TERMINATE, without messages in between."""
    _, _, control = steered(stage)
    control.send(b"PAUSE")
    control.send(b"TERMINATE")
    stage.join()


@pytest.mark.parametrize("control_type", [T.PAIR, T.REP])
def test_statistics(stage: Stage, control_type: int) -> None:
    """Eight numbers: frames and bytes received and sent, by the frontend and then by the backend."""
    push, pull, control = steered(stage, control_type)
    push.send(b"12345")
    push.send_multipart((b"1", b"22"))
    recv(pull)
    recv(pull)

    def statistics() -> tuple[int, ...]:
        control.send(b"STATISTICS")
        return tuple(struct.unpack("=Q", frame)[0] for frame in recv(control))

    assert statistics() == (3, 8, 0, 0, 0, 0, 3, 8)


def test_an_unknown_command_changes_nothing(stage: Stage) -> None:
    """It is ignored; a REP control answers, so that it can be asked again."""
    push, pull, control = steered(stage, T.REP)
    control.send(b"DANCE")
    assert recv(control) == [b""]
    push.send(b"x")
    assert recv(pull) == [b"x"]


def test_the_end_of_the_context_ends_it(stage: Stage) -> None:
    """ETERM comes out of proxy()."""
    stage.start(stage.socket(T.PULL, bind="front"), stage.socket(T.PUSH, bind="back"))
    stage.ctx.shutdown()
    stage.join()
    assert [type(error) for error in stage.errors] == [ContextTerminated]


def test_a_blocked_side_holds_messages_back(stage: Stage) -> None:
    """With nobody behind it the proxy reads no more than it can pass on; with a reader everything comes."""
    stage.start(stage.socket(T.PULL, bind="front", rcvhwm=2), stage.socket(T.PUSH, bind="back", sndhwm=2))
    push = stage.socket(T.PUSH, connect="front", sndhwm=2)
    sent = 0
    with pytest.raises(Again):
        while True:
            push.setsockopt(SocketOption.SNDTIMEO, 30)
            push.send(b"%d" % sent)
            sent += 1
    assert sent <= 2 + 2
    pull = stage.socket(T.PULL, connect="back", rcvhwm=2)
    assert [recv(pull) for _ in range(sent)] == [[b"%d" % n] for n in range(sent)]


def test_a_blocked_side_does_not_spin(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Input that cannot be passed on is not looked at again and again."""
    # By its name: the package has a function of the same name.
    proxy_module = sys.modules["libzmq_py.proxy"]
    waits: list[int] = []
    real = proxy_module.zmq_poll

    def counting(items: Any, timeout: int) -> Any:
        waits.append(timeout)
        return real(items, timeout)

    monkeypatch.setattr(proxy_module, "zmq_poll", counting)
    stage.start(stage.socket(T.PULL, bind="front"), stage.socket(T.PUSH, bind="back"))
    push = stage.socket(T.PUSH, connect="front")
    for _ in range(3):
        push.send(b"x")
    wait_until(lambda: waits)
    threading.Event().wait(SILENCE)
    count = len(waits)
    threading.Event().wait(SILENCE)
    assert len(waits) - count <= 1


def test_one_blocked_direction_leaves_the_other_open(stage: Stage) -> None:
    """Requests that no server takes do not hold up what comes the other way."""
    front, back = stage.socket(T.PAIR, bind="front", rcvhwm=1), stage.socket(T.PAIR, bind="back", sndhwm=1)
    stage.start(front, back)
    left, right = stage.socket(T.PAIR, connect="front", sndhwm=1), stage.socket(T.PAIR, connect="back", rcvhwm=1)
    left.setsockopt(SocketOption.SNDTIMEO, 50)
    with pytest.raises(Again):
        while True:
            left.send(b"unread")
    for n in range(20):
        right.send(b"%d" % n)
        assert recv(left) == [b"%d" % n]


def test_one_rep_on_both_sides(stage: Stage) -> None:
    """A REP that is both frontend and backend echoes, though it cannot send before it has received."""
    rep = stage.socket(T.REP, bind="both")
    stage.start(rep, rep)
    req = stage.socket(T.REQ, connect="both")
    for number in range(3):
        req.send_multipart((b"hello", b"%d" % number))
        assert recv(req) == [b"hello", b"%d" % number]


@pytest.mark.parametrize("control_type", [T.PAIR, T.REP])
def test_commands_in_one_message(stage: Stage, control_type: int) -> None:
    """Each frame is a command; a REP answers the message once, and others only STATISTICS."""
    push, pull, control = steered(stage, control_type)
    push.send(b"one")
    assert recv(pull) == [b"one"]
    control.send_multipart((b"PAUSE", b"STATISTICS"))
    assert len(recv(control)) == 8
    push.send(b"two")
    assert silent(pull)
    control.send_multipart((b"RESUME", b"KILL", b"nonsense"))
    if control_type == T.REP:
        assert recv(control) == [b""]
    assert recv(pull) == [b"two"]
    control.send_multipart((b"PAUSE", b"TERMINATE"))
    stage.join()
