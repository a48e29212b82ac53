# SPDX-License-Identifier: MPL-2.0
"""Command line: `python -m libzmq_py demo` moves messages through every pattern over every transport; `keygen` makes
key files for CURVE.

No libzmq twin: libzmq ships programs in perf/ and tools/, none of which shows what works.

The demo is a claim that can be checked on the spot: every message is compared with what was sent, in order, and the
exit status says whether all of them arrived. Where pyzmq can be imported, the other end of half the connections is the
real libzmq, once as the side that binds and once as the side that connects. Only the public face is used, so the same
lines also run with pyzmq in the place of libzmq_py (that is how the demo itself is tested).

How one cell of the table comes about: both sockets are made, bound and connected in the main thread; a second thread
plays the connecting side while the main thread plays the bound one; after both have ended both sockets are closed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import ntpath
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import libzmq_py

Frames = list[bytes]

PATIENCE = 3.0
"""Seconds one send or receive may take before its cell of the table fails."""

LIMIT = 30.0
"""Seconds after which no further cell is started, so that a library that loses everything still ends soon."""

MESSAGES = 500
"""Messages in each one-way cell, unless the command line says otherwise."""

TRANSPORTS = ("tcp", "ipc", "inproc")

TOPIC = b"weather."
SYNC = [TOPIC, b"sync"]


class DemoError(Exception):
    """Something did not arrive, or arrived changed; the text says what."""


@dataclasses.dataclass
class Exchange:
    """One cell while it runs: both sockets, how many messages, and the clock that starts with the first arrival."""

    library: Any
    bound: Any
    connected: Any
    count: int
    started: float | None = None
    joined: threading.Event = dataclasses.field(default_factory=threading.Event)

    def messages(self) -> Iterator[Frames]:
        """Yield what is sent: two frames, the second different in every message."""
        for index in range(self.count):
            yield [TOPIC, b"message %d " % index + b"." * (index % 100)]

    def receive(self, sock: Any, expected: Frames) -> Frames:
        """Receive one message, check it, and start the clock if it is the first."""
        return self.check(sock.recv_multipart(), expected)

    def check(self, frames: Frames, expected: Frames) -> Frames:
        if frames != expected:
            raise DemoError(f"received {frames!r:.80} instead of {expected!r:.80}")
        self.started = self.started or time.perf_counter()
        return frames

    def send_all(self, sock: Any) -> None:
        for frames in self.messages():
            sock.send_multipart(frames)

    def receive_all(self, sock: Any) -> None:
        for frames in self.messages():
            self.receive(sock, frames)


# What each side of a pattern does. The first argument tells everything, the second is this side's own socket.
Side = Callable[[Exchange, Any], None]


def send_then_receive(exchange: Exchange, sock: Any) -> None:
    exchange.send_all(sock)
    exchange.receive_all(sock)


def receive_then_send(exchange: Exchange, sock: Any) -> None:
    exchange.receive_all(sock)
    exchange.send_all(sock)


def ask(exchange: Exchange, sock: Any) -> None:
    """Send requests one at a time, each answered with the same frames."""
    for frames in exchange.messages():
        sock.send_multipart(frames)
        exchange.receive(sock, frames)


def ask_with_delimiter(exchange: Exchange, sock: Any) -> None:
    """Send what a REQ would send: the empty frame first."""
    for frames in exchange.messages():
        sock.send_multipart([b"", *frames])
        exchange.receive(sock, [b"", *frames])


def answer(exchange: Exchange, sock: Any) -> None:
    """Send every request back."""
    for frames in exchange.messages():
        sock.send_multipart(exchange.receive(sock, frames))


def answer_by_identity(exchange: Exchange, sock: Any) -> None:
    """Send every request of a DEALER back to where it came from."""
    for frames in exchange.messages():
        identity, *rest = sock.recv_multipart()
        sock.send_multipart([identity, *exchange.check(rest, frames)])


def answer_req_by_identity(exchange: Exchange, sock: Any) -> None:
    """Send every request of a REQ back to where it came from, past the empty frame."""
    for frames in exchange.messages():
        identity, *rest = sock.recv_multipart()
        sock.send_multipart([identity, *exchange.check(rest, [b"", *frames])])


def read_stream(exchange: Exchange, sock: Any, peer: bytes, expected: bytes) -> None:
    """Collect what a byte stream brings, in whatever pieces, until so many bytes are there."""
    received = b""
    while len(received) < len(expected):
        sender, data = sock.recv_multipart()
        received += data
        if sender != peer or not data:
            raise DemoError("the other end of the stream is gone")
    exchange.check([received], [expected])


def ask_by_stream(exchange: Exchange, sock: Any) -> None:
    """Write bytes into a plain connection and read the same ones back."""
    peer, _ = sock.recv_multipart()
    for frames in exchange.messages():
        data = b"".join(frames)
        sock.send_multipart([peer, data])
        read_stream(exchange, sock, peer, data)


def answer_by_stream(exchange: Exchange, sock: Any) -> None:
    """Read bytes from a plain connection and write them back."""
    peer, _ = sock.recv_multipart()
    for frames in exchange.messages():
        data = b"".join(frames)
        read_stream(exchange, sock, peer, data)
        sock.send_multipart([peer, data])


def publish(exchange: Exchange, sock: Any) -> None:
    """Repeat a first message until the subscriber has seen it, then publish, with noise nobody subscribed to."""
    give_up = time.monotonic() + PATIENCE
    while not exchange.joined.wait(0.002):
        if time.monotonic() > give_up:
            raise DemoError("nothing published reached the subscriber")
        sock.send_multipart(SYNC)
    for frames in exchange.messages():
        sock.send_multipart([b"noise", b"not for you"])
        sock.send_multipart(frames)


def subscribe(exchange: Exchange, sock: Any) -> None:
    """Subscribe to one topic and expect exactly the messages under it."""
    sock.setsockopt(exchange.library.SUBSCRIBE, TOPIC)
    receive_published(exchange, sock)


def subscribe_by_message(exchange: Exchange, sock: Any) -> None:
    """Subscribe the way an XSUB does: by a message."""
    sock.send(b"\x01" + TOPIC)
    receive_published(exchange, sock)


def receive_published(exchange: Exchange, sock: Any) -> None:
    exchange.check(sock.recv_multipart(), SYNC)
    exchange.joined.set()
    expected = exchange.messages()
    first = sock.recv_multipart()
    while first == SYNC:
        first = sock.recv_multipart()
    exchange.check(first, next(expected))
    for frames in expected:
        exchange.receive(sock, frames)


def publish_when_asked(exchange: Exchange, sock: Any) -> None:
    """Receive the subscription, as only an XPUB can, then publish."""
    if sock.recv() != b"\x01" + TOPIC:
        raise DemoError("the XPUB did not get the subscription first")
    publish(exchange, sock)


@dataclasses.dataclass(frozen=True)
class Pattern:
    """One row of the table: two socket types and what each side does."""

    name: str
    bound_type: str
    bound: Side
    connected_type: str
    connected: Side
    share: float = 1.0  # of the number of messages; patterns in lock-step get fewer
    per_message: int = 1  # how many times a message travels
    transports: tuple[str, ...] = TRANSPORTS
    proxied: bool = False


PATTERNS = (
    Pattern("PAIR <> PAIR", "PAIR", receive_then_send, "PAIR", send_then_receive, per_message=2),
    Pattern("PUSH > PULL", "PULL", Exchange.receive_all, "PUSH", Exchange.send_all),
    Pattern("PUB > SUB", "PUB", publish, "SUB", subscribe),
    Pattern("XPUB > XSUB", "XPUB", publish_when_asked, "XSUB", subscribe_by_message),
    Pattern("PUB > proxy > SUB", "PUB", publish, "SUB", subscribe, proxied=True),
    Pattern("REQ <> REP", "REP", answer, "REQ", ask, 0.2, 2),
    Pattern("DEALER <> ROUTER", "ROUTER", answer_by_identity, "DEALER", send_then_receive, per_message=2),
    Pattern("REQ <> ROUTER", "ROUTER", answer_req_by_identity, "REQ", ask, 0.2, 2),
    Pattern("DEALER <> REP", "REP", answer, "DEALER", ask_with_delimiter, 0.2, 2),
    # Over inproc there is no connection whose beginning could be told.
    Pattern("STREAM <> STREAM", "STREAM", answer_by_stream, "STREAM", ask_by_stream, 0.2, 2, ("tcp", "ipc")),
)


class Demo:
    """All cells of the table for one library and, where there is one, the other side's library."""

    def __init__(self, library: Any, other: Any, count: int) -> None:
        self.library = library
        self.other = other
        self.count = count
        self.moved = 0
        self.failures: list[str] = []
        self.labels = {id(library): "libzmq_py"} | ({id(other): "libzmq"} if other is not None else {})
        self.contexts = {id(each): each.Context() for each in (library, other) if each is not None}
        self.folder = tempfile.TemporaryDirectory(prefix="libzmq_py-")
        self.addresses = 0

    def directions(self) -> list[tuple[Any, Any]]:
        """Return who binds and who connects."""
        ours, other = self.library, self.other
        return [(ours, ours)] if other is None else [(ours, ours), (ours, other), (other, ours)]

    def run(self) -> bool:
        """Print the table row by row; return whether everything arrived."""
        begun = time.monotonic()
        print(f"\n{'pattern':<21}{'bound by':<11}{'connected by':<14}" + "".join(f"{name:>15}" for name in TRANSPORTS))
        for pattern in PATTERNS:
            for binder, connecter in self.directions():
                cells = [self.cell(pattern, name, binder, connecter, begun) for name in TRANSPORTS]
                names = f"{self.labels[id(binder)]:<11}{self.labels[id(connecter)]:<14}"
                print(f"{pattern.name:<21}{names}" + "".join(f"{cell:>15}" for cell in cells), flush=True)
        for failure in self.failures:
            print(f"FAILED: {failure}")
        print(f"\n{self.moved:,} messages checked in {time.monotonic() - begun:.1f} s, {len(self.failures)} failures.")
        return not self.failures

    def close(self) -> None:
        """End the contexts. Sockets of a cell that hung are still open, and would make it wait for ever."""
        for context in self.contexts.values():
            context.destroy(linger=0)
        self.folder.cleanup()

    def cell(self, pattern: Pattern, transport: str, binder: Any, connecter: Any, begun: float) -> str:
        """Run one cell and return what to print in it."""
        if transport not in pattern.transports or (transport == "inproc" and binder is not connecter):
            return "-"
        where = f"{pattern.name} over {transport}, {self.labels[id(binder)]} to {self.labels[id(connecter)]}"
        if time.monotonic() - begun > LIMIT:
            self.failures.append(f"{where}: not started, the demo has taken {LIMIT:.0f} s")
            return "not run"
        count = max(1, int(self.count * pattern.share))
        try:
            seconds = self.exchange(pattern, transport, binder, connecter, count)
        except Exception as error:  # noqa: BLE001 - whatever one cell raises must not hide the other cells
            self.failures.append(f"{where}: {type(error).__name__}: {error}")
            return "FAILED"
        total = count * pattern.per_message
        self.moved += total
        return f"{total / seconds:,.0f}/s"

    def exchange(self, pattern: Pattern, transport: str, binder: Any, connecter: Any, count: int) -> float:
        """Move all messages of one cell; return the seconds from the first arrival to the end of both sides."""
        with contextlib.ExitStack() as stack:
            near = self.socket(stack, binder, pattern.bound_type)
            far = self.socket(stack, connecter, pattern.connected_type)
            if pattern.proxied:
                # The binding library runs the proxy, so its publisher joins the other sockets that connect.
                stack.enter_context(Proxy(self, binder, transport, near, far))
            else:
                far.connect(self.bind(near, transport))
            exchange = Exchange(connecter, near, far, count)
            failures: list[Exception] = []
            thread = threading.Thread(target=run_far, args=(pattern, exchange, failures), name="demo", daemon=True)
            thread.start()
            try:
                pattern.bound(exchange, near)
            finally:
                exchange.joined.set()
                thread.join(2 * PATIENCE)
            if failures:
                raise failures[0]
            if thread.is_alive() or exchange.started is None:
                raise DemoError("the connecting side did not end")
            return time.perf_counter() - exchange.started

    def socket(self, stack: contextlib.ExitStack, library: Any, type_name: str) -> Any:
        """Make a socket that gives up after PATIENCE and is closed at the end of the cell."""
        sock = self.contexts[id(library)].socket(getattr(library, type_name))
        stack.callback(sock.close, linger=0)
        sock.hwm = 0  # at their high-water mark publishers and routers drop; here nothing may be lost
        sock.rcvtimeo = sock.sndtimeo = int(PATIENCE * 1000)
        return sock

    def bind(self, sock: Any, transport: str) -> str:
        """Bind to a fresh address and return it."""
        self.addresses += 1
        address = {
            "tcp": "tcp://127.0.0.1:*",
            "ipc": f"ipc://{self.folder.name}/{self.addresses}",
            "inproc": f"inproc://demo-{self.addresses}",
        }[transport]
        sock.bind(address)
        return str(sock.last_endpoint.decode())


class Proxy:
    """An XSUB and an XPUB with a proxy between them in a thread, both ends of the cell connected to it."""

    def __init__(self, demo: Demo, library: Any, transport: str, publisher: Any, subscriber: Any) -> None:
        self.demo, self.library, self.transport = demo, library, transport
        self.publisher, self.subscriber = publisher, subscriber
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> Proxy:
        with contextlib.ExitStack() as stack:
            front, back, control, steering = (
                self.demo.socket(stack, self.library, name) for name in ("XSUB", "XPUB", "PAIR", "PAIR")
            )
            self.publisher.connect(self.demo.bind(front, self.transport))
            self.subscriber.connect(self.demo.bind(back, self.transport))
            steering.connect(self.demo.bind(control, "inproc"))
            arguments = (front, back, None, control)
            thread = threading.Thread(target=self.library.proxy_steerable, args=arguments, name="proxy", daemon=True)
            thread.start()
            stack.callback(thread.join, PATIENCE)
            stack.callback(steering.send, b"TERMINATE")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stack.close()


def run_far(pattern: Pattern, exchange: Exchange, failures: list[Exception]) -> None:
    """Play the connecting side; whatever it raises is raised again by the thread that waits for it."""
    try:
        pattern.connected(exchange, exchange.connected)
    except Exception as error:  # noqa: BLE001 - carried to the main thread
        failures.append(error)
        exchange.joined.set()


def real_libzmq() -> Any:
    """Return pyzmq, or None where it is not installed."""
    try:
        return importlib.import_module("zmq")
    except ImportError:
        return None


def demo(library: Any = libzmq_py, *, other: Any = None, count: int = MESSAGES) -> int:
    """Run the demo of `library`, against `other` as well where it is given; return the exit status."""
    print(f"libzmq_py {libzmq_py.__version__}, which behaves as libzmq {library.zmq_version()}")
    if other is None:
        print("pyzmq cannot be imported: nothing is checked against the real libzmq")
    else:
        print(f"other side: the real libzmq {other.zmq_version()} in pyzmq {other.pyzmq_version()}")
    table = Demo(library, other, count)
    try:
        return 0 if table.run() else 1
    finally:
        table.close()


def keygen(names: Sequence[str], directory: str, force: bool, metadata: Sequence[str]) -> int:
    """Make a pair of key files per name; return the exit status."""
    from libzmq_py.auth import create_certificates, fingerprint, load_certificate

    pairs = [item.partition("=") for item in metadata]
    if not all(equals for _, equals, _ in pairs):
        print("--metadata wants name=value", file=sys.stderr)
        return 2
    there = [file for name in names for file in (f"{name}.key", f"{name}.key_secret")]
    there = [path for path in (os.path.join(directory, file) for file in there) if os.path.exists(path)]
    if there and not force:
        print(f"there already, and kept (--force replaces them): {' '.join(there)}", file=sys.stderr)
        return 1
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        for name in names:
            public, secret = create_certificates(directory, name, {key: value for key, _, value in pairs})
            print(f"{public}  for everybody, {fingerprint(load_certificate(public)[0])}")
            print(f"{secret}  for nobody but its owner (mode 600)")
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def key_name(text: str) -> str:
    """Check a name for key files.

    Raises:
        argparse.ArgumentTypeError: It is no plain name of a file.
    """
    if not text or text.startswith("."):  # hidden files are not looked at for keys
        raise argparse.ArgumentTypeError(f"{text!r} is no name for key files: it is empty or begins with a dot")
    if ntpath.basename(text) != text:  # both kinds of slashes, on every system
        raise argparse.ArgumentTypeError(f"{text!r} is a path, not a name: use --directory to say where to")
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m libzmq_py", description="libzmq in pure Python")
    parser.add_argument("--version", action="version", version=f"libzmq_py {libzmq_py.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    show = commands.add_parser("demo", help="move messages through every pattern over every transport, and check them")
    show.add_argument("--messages", type=int, default=MESSAGES, help=f"messages in each one-way cell ({MESSAGES})")
    show.add_argument("--alone", action="store_true", help="leave out the real libzmq even where pyzmq is installed")
    keys = commands.add_parser("keygen", help="make key files for CURVE: NAME.key and NAME.key_secret")
    keys.add_argument("names", nargs="+", type=key_name, metavar="NAME", help="server, client, ...")
    keys.add_argument("--directory", default=".", help="where to, made if missing (.)")
    keys.add_argument("--force", action="store_true", help="replace files that are there")
    keys.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE", help="for the secret file")
    arguments = parser.parse_args(argv)
    if arguments.command == "keygen":
        if len(set(arguments.names)) < len(arguments.names):
            keys.error("a NAME is given twice, but there is one pair of key files for each")
        return keygen(arguments.names, arguments.directory, arguments.force, arguments.metadata)
    return demo(other=None if arguments.alone else real_libzmq(), count=arguments.messages)


if __name__ == "__main__":
    sys.exit(main())
