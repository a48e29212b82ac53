# SPDX-License-Identifier: MPL-2.0
"""Functions of the module: versions, capabilities, keys, errors, proxies."""

import threading
from typing import Any

import pytest

from tests.api.helpers import TARGET, Context, MakeSocket, inproc_name, raises_errno
from tests.support.target import zmq
from tests.support.waiting import PATIENCE


def test_versions() -> None:
    """libzmq's version is 4.3.5, as text and numbers; pyzmq's is of the same form."""
    assert zmq.zmq_version() == "4.3.5"
    assert zmq.zmq_version_info() == (4, 3, 5)
    assert zmq.pyzmq_version() == ".".join(map(str, zmq.pyzmq_version_info()[:3]))
    assert zmq.pyzmq_version_info() >= (27, 0, 0)
    assert isinstance(zmq.__version__, str)


@pytest.mark.departs
def test_the_version_of_the_package_is_its_own() -> None:
    """__version__ is libzmq_py's. (pyzmq: equal to pyzmq_version().)"""
    assert zmq.__version__ == "0.1.0"


def test_capabilities() -> None:
    """What libzmq may lack, and nothing that is no capability."""
    assert zmq.has("ipc") is True
    assert zmq.has("curve") is True
    assert [zmq.has(name) for name in ("", "tcp", "IPC", "something weird", "pgm", "norm", "vmci")] == [False] * 7
    assert zmq.DRAFT_API is (zmq.has("draft") and zmq.PYZMQ_DRAFT_API)
    with pytest.raises(TypeError):
        zmq.has(5)


def test_error_texts() -> None:
    """strerror knows libzmq's own numbers and the system's."""
    assert zmq.strerror(zmq.EFSM) == "Operation cannot be accomplished in current state"
    assert zmq.strerror(zmq.EINVAL) == "Invalid argument"


def test_includes_are_lists() -> None:
    """Build help gives lists, empty for us."""
    assert isinstance(zmq.get_includes(), list)
    assert isinstance(zmq.get_library_dirs(), list)


# -- keys


def test_key_pairs_fit() -> None:
    """curve_public finds the public key of a pair, from bytes and str; each pair is new."""
    public, secret = zmq.curve_keypair()
    assert (type(public), len(public), type(secret), len(secret)) == (bytes, 40, bytes, 40)
    assert zmq.curve_public(secret) == zmq.curve_public(secret.decode()) == public
    assert zmq.curve_keypair() != (public, secret)


def test_the_keys_of_the_libzmq_manual() -> None:
    """The server key pair of zmq_curve(7)."""
    assert zmq.curve_public(b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6") == b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


@pytest.mark.parametrize("secret", [b"", b"x", "x" * 41])
def test_keys_have_40_characters(secret: Any) -> None:
    """Another length is a ValueError."""
    with pytest.raises(ValueError, match="40 byte"):
        zmq.curve_public(secret)


def test_what_is_no_key_is_refused_without_being_shown() -> None:
    """A character that is no Z85 is EINVAL, and the text has no part of the key."""
    with pytest.raises(zmq.ZMQError) as caught:
        zmq.curve_public(b"secret~~" + b"0" * 32)
    assert caught.value.errno == zmq.EINVAL
    assert "secret~" not in str(caught.value)


# -- proxies


@pytest.fixture
def proxied(ctx: Context, socket: MakeSocket) -> Any:
    """``client, server, capture, control = proxied(steered)``: two sockets with a proxy in a thread between them."""
    threads: list[threading.Thread] = []

    def start(steered: bool) -> tuple[Any, Any, Any, Any]:
        names = [inproc_name() for _ in range(4)]
        ready = threading.Event()

        def run() -> None:
            kinds = (zmq.ROUTER, zmq.DEALER, zmq.PUSH, zmq.PAIR)
            inner = [ctx.socket(kind) for kind in kinds]
            try:
                for sock, name in zip(inner, names, strict=True):
                    sock.linger = 0
                    sock.bind(name)
                ready.set()
                if steered:
                    zmq.proxy_steerable(*inner)
                else:
                    zmq.proxy(*inner[:3])
            except zmq.ContextTerminated:
                pass
            finally:
                for sock in inner:
                    sock.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert ready.wait(PATIENCE)
        outer = [socket(kind) for kind in (zmq.REQ, zmq.REP, zmq.PULL, zmq.PAIR)]
        for sock, name in zip(outer, names, strict=True):
            sock.connect(name)
        return outer[0], outer[1], outer[2], outer[3]

    yield start
    for sock in list(ctx._sockets):
        if sock.type in (zmq.REQ, zmq.REP, zmq.PULL):
            sock.close(0)
    ender = threading.Thread(target=ctx.term)
    ender.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    for sock in list(ctx._sockets):
        sock.close(0)
    ender.join(PATIENCE)


def test_a_proxy_passes_messages_both_ways(proxied: Any) -> None:
    """Requests and replies go through, copies go to the capture socket; the context's end ends it."""
    client, server, capture, _ = proxied(False)
    client.send_multipart([b"question", b"?"])
    assert server.recv_multipart() == [b"question", b"?"]
    server.send(b"answer")
    assert client.recv() == b"answer"
    assert capture.recv_multipart()[-2:] == [b"question", b"?"]
    assert capture.recv_multipart()[-1] == b"answer"


def test_a_proxy_is_steered(proxied: Any) -> None:
    """PAUSE, RESUME and STATISTICS do what they say; TERMINATE ends it."""
    if TARGET == "zmq":
        pytest.skip("pyzmq's wheels carry a libzmq built without steerable proxies")
    client, server, _, control = proxied(True)
    client.send(b"question")
    assert server.recv() == b"question"
    control.send(b"PAUSE")
    control.send(b"STATISTICS")
    assert [len(count) for count in control.recv_multipart()] == [8] * 8  # PAUSE has been obeyed by then
    server.send(b"answer")
    assert client.poll(50) == 0
    control.send(b"RESUME")
    assert client.recv() == b"answer"
    control.send(b"TERMINATE")


def test_device_is_a_proxy(ctx: Context) -> None:
    """device(type, frontend, backend) runs until the context ends."""
    ended = threading.Event()

    def run() -> None:
        with ctx.socket(zmq.PULL) as front, ctx.socket(zmq.PUSH) as back:
            try:
                zmq.device(zmq.STREAMER, front, back)
            except zmq.ContextTerminated:
                ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not ctx._sockets:
        pass
    ctx.term()
    thread.join(PATIENCE)
    assert ended.is_set()


def test_a_proxy_wants_sockets(socket: MakeSocket) -> None:
    """Something else is a TypeError."""
    with pytest.raises((TypeError, AttributeError)):
        zmq.proxy("x", socket(zmq.PUSH))


@pytest.mark.departs
def test_a_proxy_wants_open_sockets(socket: MakeSocket) -> None:
    """A closed socket is ENOTSOCK. (pyzmq: EFAULT.)"""
    sock = socket(zmq.PULL)
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        zmq.proxy(sock, socket(zmq.PUSH))


def test_stopwatch_is_deprecated() -> None:
    """It warns, and counts microseconds."""
    with pytest.warns(DeprecationWarning):
        watch = zmq.Stopwatch()
    watch.start()
    assert 0 <= watch.stop() < 10_000_000
