# SPDX-License-Identifier: MPL-2.0
"""Fixtures and rules for every test.

* ``ctx`` and ``socket`` give a fresh context and its sockets and end them; a ``term()`` that hangs fails the test.
* ``raw`` gives raw peers and closes them; ``attach`` joins one to a library socket, once with the library binding and
  once with it connecting.
* After each test against libzmq_py the library's threads and all file descriptors must be gone.
* ``@pytest.mark.departs`` marks claims where libzmq_py is better than libzmq on purpose; they are deselected, not
  skipped, when the target is the real libzmq. ``@pytest.mark.draft`` marks those that need draft socket types; they
  are deselected without them.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.raw_peer import RawPeer, RawPeers
from tests.support.waiting import PATIENCE, ms, seconds, wait_until

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Whoever runs us in the background may have had Ctrl-C ignored, and processes that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The library under test is imported where it is used, and not here: tests of single modules must run even when the
# whole of it cannot be imported.
TARGET = os.environ.get("LIBZMQ_PY_TARGET", "libzmq_py")
#: The library under test is real libzmq: pyzmq, unless pyzmq itself was told to run on libzmq_py.
TARGET_IS_LIBZMQ = TARGET == "zmq" and not os.environ.get("PYZMQ_BACKEND", "").startswith("libzmq_py")
#: Thread names start as libzmq's do: ZMQbg/Reaper, ZMQbg/IO/0 ...
LIBRARY_THREADS = "ZMQbg"
EVENTS = 15  # ZMQ_EVENTS

SocketFactory = Callable[..., Any]
Attach = Callable[..., RawPeer]


# --- which tests run -------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "departs: libzmq_py differs from libzmq here on purpose; the docstring says how")
    config.addinivalue_line("markers", "draft: needs draft socket types or options")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    has_drafts = bool(getattr(sys.modules.get(TARGET), "DRAFT_API", False))
    for item in items:
        unwanted = (TARGET_IS_LIBZMQ and item.get_closest_marker("departs")) or (
            not has_drafts and item.get_closest_marker("draft")
        )
        (dropped if unwanted else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


# --- nothing is left behind ------------------------------------------------------------------------------------------


def _library_threads() -> set[str]:
    return {f"{t.name} ({t.ident})" for t in threading.enumerate() if t.name.startswith(LIBRARY_THREADS)}


def _open_fds() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the descriptor listdir itself used
    return found


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """Fail a test after which a library thread or a file descriptor is left."""
    if TARGET_IS_LIBZMQ or not os.path.isdir("/proc/self/fd"):
        yield
        return
    threads, fds = _library_threads(), _open_fds()
    yield

    def clean() -> bool:
        return _library_threads() <= threads and len(_open_fds()) <= len(fds)

    if not clean():
        gc.collect()  # what only the collector can close counts as closed: libzmq_py promises as much as pyzmq does
    try:
        wait_until(clean, timeout=seconds(2))
    except AssertionError:
        new_threads = sorted(_library_threads() - threads)
        new_fds = {fd: what for fd, what in _open_fds().items() if fds.get(fd) != what}
        pytest.fail(f"left behind: threads {new_threads}, {len(_open_fds()) - len(fds)} descriptors, among {new_fds}")


# --- contexts and sockets --------------------------------------------------------------------------------------------


def finish(context: Any, timeout: float = PATIENCE) -> None:
    """Close all sockets of ``context`` with linger 0 and terminate it; fail when that hangs."""
    # An exception in the thread reaches the test as pytest's warning about it, and warnings are errors.
    thread = threading.Thread(target=context.destroy, args=(0,), name="term watchdog", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        pytest.fail(f"Context.term() hangs: not done after {timeout:g} s")


@pytest.fixture
def ctx() -> Iterator[Any]:
    """A fresh context; at the end its sockets are closed with linger 0 and term() must return in time."""
    from tests.support.target import zmq

    context = zmq.Context()
    yield context
    finish(context)


@pytest.fixture
def socket(ctx: Any) -> Iterator[SocketFactory]:
    """Make sockets: ``socket(zmq.REQ, routing_id=b"me", maxmsgsize=8)``. All are closed with linger 0.

    Blocking calls on them give up after a while (RCVTIMEO, SNDTIMEO), so that a lost message is a failure and not a
    hang.
    """
    from tests.support.target import zmq

    made: list[Any] = []

    def make(socket_type: int, **options: Any) -> Any:
        sock = ctx.socket(socket_type)
        made.append(sock)
        settings = {"linger": 0, "rcvtimeo": ms(5000), "sndtimeo": ms(5000), **options}
        for name, value in settings.items():
            sock.setsockopt(getattr(zmq, name.upper()), value)
        return sock

    yield make
    for sock in made:
        sock.close(linger=0)


# --- raw peers -------------------------------------------------------------------------------------------------------


@pytest.fixture
def raw() -> Iterator[RawPeers]:
    """Make raw peers (``raw.connect(endpoint)``, ``raw.listen()``); all are closed."""
    peers = RawPeers()
    yield peers
    peers.close()


def bind(sock: Any, transport: str = "tcp") -> str:
    """Bind ``sock`` to an address of its own choice and return it."""
    sock.bind("tcp://127.0.0.1:*" if transport == "tcp" else "ipc://*")
    endpoint: bytes = sock.last_endpoint
    return endpoint.rstrip(b"\0").decode()


def join(raw: RawPeers, sock: Any, direction: str, transport: str = "tcp") -> RawPeer:
    """Give ``sock`` one raw peer; ``direction`` says what the library does: ``binds`` or ``connects``."""
    if direction == "binds":
        return raw.connect(bind(sock, transport))
    listener = raw.listen(transport)
    sock.connect(listener.endpoint)
    return raw.accept(listener)


def pump(sock: Any, peer: RawPeer) -> None:
    """Let ``sock`` do what other threads told it until ``peer`` has something to read.

    What a new or lost connection means to the socket (subscriptions to send again, say) is done by the thread that
    calls the socket, and not before it calls.
    """
    wait_until(lambda: sock.getsockopt(EVENTS) >= 0 and peer.readable(), "something for the peer to read")


@pytest.fixture(params=["binds", "connects"])
def attach(request: pytest.FixtureRequest, raw: RawPeers) -> Attach:
    """``peer = attach(sock)``: a raw peer of the socket; the test runs with the library binding, then connecting."""
    direction: str = request.param

    def make(sock: Any, transport: str = "tcp") -> RawPeer:
        return join(raw, sock, direction, transport)

    return make
