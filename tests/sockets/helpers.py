# SPDX-License-Identifier: MPL-2.0
"""What the socket and spec tests share: endpoints, full and empty queues, calls in the background, monitor events.

No libzmq twin: test support (libzmq's tests keep theirs in testutil.hpp). Two times are all a test needs, both in
milliseconds: `LIMIT`, after which something that should have happened counts as broken, and `QUIET`, for which we
listen before we say that nothing happens.
"""

import itertools
import os
import socket as pysocket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.raw_peer import RawPeer
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, SILENCE, Deadline, seconds, wait_until

Sock = Any  # a zmq.Socket of the library under test
MakeSocket = Callable[..., Sock]
MakeWatch = Callable[[Sock], "Watch"]

LIMIT = round(PATIENCE * 1000)
QUIET = round(SILENCE * 1000)

each_transport = pytest.mark.parametrize("transport", ["inproc", "tcp", "ipc"])
each_network = pytest.mark.parametrize("transport", ["tcp", "ipc"])
inproc_and_tcp = pytest.mark.parametrize("transport", ["inproc", "tcp"])

_names = itertools.count(1)


# --- endpoints -------------------------------------------------------------------------------------------------------


def last_endpoint(sock: Sock) -> str:
    endpoint: str = sock.getsockopt(zmq.LAST_ENDPOINT).decode()
    return endpoint


def inproc_name() -> str:
    return f"inproc://test-{next(_names)}"


def bind(sock: Sock, transport: str = "inproc") -> str:
    """Bind `sock` to an endpoint nobody else uses and return its text for connect (ipc: abstract, leaves no file)."""
    abstract = f"ipc://@libzmq_py-test-{os.getpid()}-{next(_names)}"
    sock.bind({"inproc": inproc_name(), "tcp": "tcp://127.0.0.1:*", "ipc": abstract}[transport])
    return last_endpoint(sock)


def link(binder: Sock, connecter: Sock, transport: str = "inproc") -> str:
    """Bind the one, connect the other; returns the endpoint."""
    endpoint = bind(binder, transport)
    connecter.connect(endpoint)
    return endpoint


def free_endpoint(transport: str, directory: os.PathLike[str]) -> str:
    """An endpoint that nobody is bound to yet but that can be connected to first and bound later."""
    if transport == "inproc":
        return inproc_name()
    if transport == "ipc":
        return f"ipc://{directory}/s{next(_names)}"
    with pysocket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def bind_soon(sock: Sock, endpoint: str) -> None:
    """Bind to an endpoint whose last owner may still be closing: closing is done by another thread."""

    def bound() -> bool:
        try:
            sock.bind(endpoint)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            return False
        return True

    wait_until(bound, f"{endpoint} to be free")


# --- waiting ---------------------------------------------------------------------------------------------------------


def settle(sock: Sock) -> int:
    """Let `sock` handle what other threads told it (new pipes, credits, ended pipes); returns its EVENTS."""
    events: int = sock.getsockopt(zmq.EVENTS)
    return events


def is_quiet(sock: Sock, ms: int = QUIET) -> bool:
    """Whether nothing can be received for `ms` milliseconds."""
    return not sock.poll(ms)


def closes(sock: Sock, peer: RawPeer) -> None:
    """Wait for the end of the connection; ending its pipe takes the application's thread, so look at the socket."""

    def closed() -> bool:
        settle(sock)
        try:
            peer.expect_close(seconds(0.01))
        except AssertionError:
            return False
        return True

    wait_until(closed, "the connection to be closed")


def wait_writable(*socks: Sock) -> None:
    for sock in socks:
        assert sock.poll(LIMIT, zmq.POLLOUT), "no peer to send to"


def refuses_to_send(sock: Sock) -> bool:
    """Whether the socket is mute: neither an event nor a send in time."""
    if sock.poll(QUIET, zmq.POLLOUT):
        return False
    with pytest.raises(zmq.Again):
        sock.send(b"refused", zmq.DONTWAIT)
    return True


class Background:
    """A call running in a thread of its own; `result()` gives what it returned or raises what it raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self.ended = 0.0  # time.monotonic() when the call came back
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asks for the result
            self._error = error
        self.ended = time.monotonic()

    def blocks(self, ms: int = QUIET) -> bool:
        """Whether the call is still not back after `ms` milliseconds."""
        self._thread.join(ms / 1000)
        return self._thread.is_alive()

    def result(self, limit: int = LIMIT) -> Any:
        self._thread.join(limit / 1000)
        assert not self._thread.is_alive(), f"the call did not come back within {limit} ms"
        if self._error is not None:
            raise self._error
        return self._value


@contextmanager
def takes(at_least: int, at_most: int = LIMIT) -> Iterator[None]:
    """The block must last so many milliseconds (with a little allowance for coarse clocks)."""
    start = time.monotonic()
    yield
    spent = (time.monotonic() - start) * 1000
    assert at_least * 0.9 <= spent < at_most, f"took {spent:.0f} ms, expected {at_least}..{at_most}"


@contextmanager
def raises_errno(errno: int) -> Iterator[Any]:
    """The block must raise ZMQError (or a subclass) with this errno."""
    with pytest.raises(zmq.ZMQError) as caught:
        yield caught
    assert caught.value.errno == errno, f"{caught.value!r}: errno {caught.value.errno}, expected {errno}"


# --- messages --------------------------------------------------------------------------------------------------------


def receive(sock: Sock, count: int) -> list[bytes]:
    """The next `count` single-frame messages."""
    return [sock.recv() for _ in range(count)]


def drain(sock: Sock, ms: int = QUIET) -> list[list[bytes]]:
    """Every message that comes until the socket is quiet for `ms` milliseconds."""
    messages = []
    while sock.poll(ms):
        messages.append(sock.recv_multipart())
    return messages


def fill(sock: Sock, frame: bytes = b"x", prefix: Sequence[bytes] = (), most: int = 100_000) -> int:
    """Send until the socket refuses; how many messages it took."""
    for count in range(most):
        try:
            sock.send_multipart([*prefix, frame], zmq.DONTWAIT)
        except zmq.Again:
            if not sock.poll(QUIET, zmq.POLLOUT):
                return count
            sock.send_multipart([*prefix, frame])
    pytest.fail(f"{most} messages were sent without meeting a limit")


def reach(sender: Sock, receivers: Sequence[Sock]) -> None:
    """Send until every receiver got something and all was received: afterwards all connections are known to be up.

    For senders that deal messages out and lose none (PUSH, DEALER); works over every transport.
    """
    sent = 0
    received = [0 for _ in receivers]

    def all_reached() -> bool:
        nonlocal sent
        if not all(received) and sender.poll(0, zmq.POLLOUT):
            sender.send(b"reach", zmq.DONTWAIT)
            sent += 1
        for number, sock in enumerate(receivers):
            if sock.poll(1):
                sock.recv()
                received[number] += 1
        return all(received) and sum(received) == sent

    wait_until(all_reached, "every receiver to be reached")


# --- monitor ---------------------------------------------------------------------------------------------------------


class Watch:
    """A socket's monitor events as a growing list that can be waited on."""

    def __init__(self, sock: Sock) -> None:
        self._sock = sock
        self._monitor = sock.get_monitor_socket()
        self.seen: list[tuple[int, int]] = []  # event, value

    def _read(self, milliseconds: int) -> bool:
        if not self._monitor.poll(milliseconds):
            return False
        self.seen.append(struct.unpack("=Hi", self._monitor.recv_multipart()[0]))
        return True

    def values(self, event: int) -> list[int]:
        """The values of every `event` reported so far."""
        while self._read(0):
            pass
        return [value for seen, value in self.seen if seen == event]

    def wait(self, event: int, times: int = 1) -> int:
        """Wait until `event` was reported `times` times altogether; the value of the last of them."""
        wait_until(lambda: len(self.values(event)) >= times, f"{times} x {zmq.Event(event)!r}")
        return self.values(event)[times - 1]

    def forget(self) -> None:
        """Start over: what was reported so far no longer counts."""
        while self._read(0):
            pass
        self.seen.clear()

    def is_quiet(self, event: int, milliseconds: int = QUIET) -> bool:
        """Whether `event` has not been reported and is not within so many milliseconds."""
        deadline = Deadline(milliseconds / 1000)
        while not deadline.expired:
            self._read(deadline.remaining_ms())
        return not self.values(event)

    def close(self) -> None:
        if not self._sock.closed:
            self._sock.disable_monitor()
        self._monitor.close(linger=0)
