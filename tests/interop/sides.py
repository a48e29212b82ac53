# SPDX-License-Identifier: MPL-2.0
"""What the interop tests share: a side (one library and its sockets), monitors and child processes.

`OURS` is the library under test (`tests.support.target`), `REAL` is pyzmq on a real libzmq. Both have pyzmq's
public face, so a scenario takes a `Side` and does not know which of the two it drives.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import zmq as real

from tests.support.target import zmq as target
from tests.support.waiting import PATIENCE, Deadline, ms, wait_until

OURS: Any = target
REAL: Any = real
ROOT = Path(__file__).resolve().parents[2]
Frames = list[bytes]


def join(thread: threading.Thread, what: str, timeout: float = PATIENCE) -> None:
    """Join a thread, fail if it does not end."""
    thread.join(timeout)
    if thread.is_alive():
        raise AssertionError(f"{what} did not end within {timeout} s")


class Side:
    """One library, one context of it, and the sockets made from that context."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib
        self.name = "real" if lib is real else "ours"
        self.ctx = lib.Context()
        self._sockets: list[Any] = []

    def socket(self, kind: str, **options: Any) -> Any:
        """A socket that fails quickly (5 s timeouts), closes at once and reconnects fast; `options` by their names."""
        sock = self.ctx.socket(getattr(self.lib, kind))
        self._sockets.append(sock)
        defaults = {"LINGER": 0, "RCVTIMEO": ms(5000), "SNDTIMEO": ms(5000), "RECONNECT_IVL": 20}
        for name, value in {**defaults, **options}.items():
            for one in value if isinstance(value, list) else [value]:
                sock.setsockopt(getattr(self.lib, name), one)
        return sock

    def monitor(self, sock: Any) -> Monitor:
        """Start monitoring every event of `sock`."""
        monitor = Monitor(self.lib, sock)
        self._sockets.insert(0, monitor.socket)
        return monitor

    def close(self) -> None:
        """Close every socket with linger 0 and terminate; fail when that hangs."""
        for sock in self._sockets:
            sock.close(linger=0)
        self._sockets.clear()
        if not self.ctx.closed:
            terminator = threading.Thread(target=self.ctx.term, name="term", daemon=True)
            terminator.start()
            join(terminator, f"{self.name} context term()")

    def __enter__(self) -> Side:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def bound_endpoint(sock: Any, endpoint: str) -> str:
    """Bind and return where (LAST_ENDPOINT)."""
    sock.bind(endpoint)
    return str(sock.getsockopt(real.LAST_ENDPOINT).rstrip(b"\0").decode())


def rebind(make: Callable[[], Any], endpoint: str) -> Any:
    """Bind a fresh socket from `make` to an address whose former owner may still be closing."""

    def attempt() -> Any:
        sock = make()
        try:
            sock.bind(endpoint)
        except (real.ZMQError, OURS.ZMQError) as error:
            sock.close(linger=0)
            if error.errno != real.EADDRINUSE:
                raise
            return None
        return sock

    return wait_until(attempt, f"{endpoint} to be free again")


def send_routed(sock: Any, frames: Iterable[bytes]) -> None:
    """Send from a ROUTER with ROUTER_MANDATORY, waiting until the peer named by the first frame is known."""
    frames = list(frames)

    def attempt() -> bool:
        try:
            sock.send_multipart(frames)
        except (real.ZMQError, OURS.ZMQError) as error:
            if error.errno != real.EHOSTUNREACH:
                raise
            return False
        return True

    wait_until(attempt, f"a route to {frames[0]!r}")


def errno_of(call: Callable[[], Any]) -> int:
    """The errno a call fails with, 0 when it succeeds."""
    try:
        call()
    except (real.ZMQError, OURS.ZMQError) as error:
        return int(error.errno or 0)
    return 0


def drain(sock: Any, quiet_ms: int = 0) -> list[Frames]:
    """Every message there is, until none comes for `quiet_ms`."""
    messages = []
    while sock.poll(quiet_ms):
        messages.append(sock.recv_multipart())
    return messages


def publish_until_heard(publisher: Any, *subscribers: Any) -> None:
    """Wait until the subscriptions to everything of all `subscribers` are in force at a PUB that cannot tell us so."""
    for count in range(10_000):
        publisher.send(b"probe %d" % count)
        if all(sub.poll(5 if sub is subscribers[0] else 0) for sub in subscribers):
            break
    else:
        raise AssertionError("a subscription never took effect")
    publisher.send(b"go")
    for sub in subscribers:
        while sub.recv() != b"go":
            pass


# -- monitors -----------------------------------------------------------------------------------------------------

_EVENT_NAMES: dict[int, str] = {
    int(member.value): str(member.name)
    for member in real.Event
    if member.value < 0x10000 and member.name not in ("ALL", "ALL_V1", "ALL_V2")
}


class Monitor:
    """Reads a socket's monitor and keeps what it saw as (name, value, endpoint)."""

    def __init__(self, lib: Any, sock: Any) -> None:
        self.socket = sock.get_monitor_socket()
        self.seen: list[tuple[str, int, str]] = []

    def next(self, timeout: float = PATIENCE) -> tuple[str, int, str] | None:
        """The next event, None when none comes in time."""
        if not self.socket.poll(int(timeout * 1000)):
            return None
        head, endpoint = self.socket.recv_multipart()
        number, value = struct.unpack("=HI", head)
        event = (_EVENT_NAMES.get(number, hex(number)), value, endpoint.decode())
        self.seen.append(event)
        return event

    def wait(self, *names: str, timeout: float = PATIENCE, stir: Any = None) -> tuple[str, int, str]:
        """Read on until one of `names` comes and return it.

        `stir` is a socket whose thread we are and that has to take part (a pipe ends only when both its owners have
        looked at their commands): its events are asked for again and again meanwhile.
        """
        deadline = Deadline(timeout)
        while not deadline.expired:
            if stir is not None:
                stir.getsockopt(real.EVENTS)
            event = self.next(deadline.remaining() if stir is None else 0.005)
            if event is not None and event[0] in names:
                return event
        raise AssertionError(f"no {' or '.join(names)} within {timeout} s; saw {self.seen}")

    def poll_all(self, quiet: float = 0.0) -> list[str]:
        """Read what is there (until nothing comes for `quiet` seconds); the names of all events seen so far."""
        while self.next(quiet):
            pass
        return self.names

    @property
    def names(self) -> list[str]:
        """The names of all events read so far."""
        return [name for name, _, _ in self.seen]


def free_tcp_endpoint() -> str:
    """A tcp endpoint nobody listens on (at the moment it is asked for)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


# -- child processes ----------------------------------------------------------------------------------------------


class Child:
    """A process of its own with one socket (tests/interop/child.py); killed at the latest when the test ends."""

    def __init__(self, lib: Any, kind: str, **spec: Any) -> None:
        name = "zmq" if lib is real else OURS.__name__
        arguments = json.dumps({"lib": name, "type": kind, **spec})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.child", arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="child-stdout", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())
        self._lines.put(b"<end of output>")

    def line(self, timeout: float = 2 * PATIENCE) -> str:
        """The next line the child printed. The first is the endpoint it uses."""
        try:
            return self._lines.get(timeout=timeout).decode()
        except queue.Empty:
            raise AssertionError("the child said nothing") from None

    def stop(self) -> None:
        """SIGSTOP: the process keeps its connections but does nothing any more."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and reap."""
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()
