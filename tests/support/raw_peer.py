# SPDX-License-Identifier: MPL-2.0
"""A scripted peer: a plain blocking socket that says literal bytes and demands literal bytes back.

It shares no code with the library under test, so that a mistake there cannot hide here. Three layers:

* functions that build bytes: :func:`hx`, :func:`greeting`, :func:`frame`, :func:`v1_frame`, :func:`ready` ...;
* :class:`RawPeer` (one connection) and :class:`RawListener` (where the library connects to), with deadlines on every
  wait;
* :class:`Dialect` and its instances (ZMTP 3.1, 3.0, 2.0, 1.0 with and without revision): how to greet, send and
  receive.

Bytes may be given as ``bytes`` or as a string of hex digits with spaces, as the wire vectors write them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tests.support.waiting import PATIENCE, SILENCE, Deadline

Bytes = bytes | str

MORE = 1
LARGE = 2
COMMAND = 4

#: Socket types as ZMTP 2.0 writes them in byte 11 of the greeting; also libzmq's option values.
TYPE_NUMBERS = {
    "PAIR": 0,
    "PUB": 1,
    "SUB": 2,
    "REQ": 3,
    "REP": 4,
    "DEALER": 5,
    "ROUTER": 6,
    "PULL": 7,
    "PUSH": 8,
    "XPUB": 9,
    "XSUB": 10,
}

#: Types that put an Identity property into their READY command.
TYPES_WITH_IDENTITY = frozenset({"REQ", "DEALER", "ROUTER"})


# --- bytes -----------------------------------------------------------------------------------------------------------


def hx(text: Bytes) -> bytes:
    """Return the bytes that ``text`` spells in hex; ``bytes`` pass through."""
    return text if isinstance(text, bytes) else bytes.fromhex(text)


def show(data: bytes, limit: int = 96) -> str:
    """Return ``data`` as hex for an error message, shortened."""
    text = data[:limit].hex(" ")
    return text if len(data) <= limit else f"{text} ... ({len(data)} bytes)"


def signature(identity_size: int = 0, last: int = 0x7F) -> bytes:
    """Return the first 10 bytes of a versioned greeting: a ZMTP 1.0 long header of an identity of that size."""
    return b"\xff" + struct.pack(">Q", identity_size + 1) + bytes([last])


def greeting(
    minor: int = 1, mechanism: bytes = b"NULL", *, major: int = 3, as_server: int = 0, identity_size: int = 0
) -> bytes:
    """Return a whole 64-byte ZMTP 3.x greeting."""
    return greeting_head(minor, major, identity_size) + mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31)


def greeting_head(minor: int = 1, major: int = 3, identity_size: int = 0) -> bytes:
    """Return the first 12 bytes of a ZMTP 3.x greeting."""
    return signature(identity_size) + bytes([major, minor])


def frame(body: Bytes = b"", *, more: bool = False, command: bool = False, large: bool | None = None) -> bytes:
    """Return a v2 frame (ZMTP 2.0 to 3.1); ``large`` forces the size field's form."""
    body = hx(body)
    use_large = len(body) > 255 if large is None else large
    flags = (MORE if more else 0) | (LARGE if use_large else 0) | (COMMAND if command else 0)
    size = struct.pack(">Q", len(body)) if use_large else bytes([len(body)])
    return bytes([flags]) + size + body


def message(*parts: bytes) -> bytes:
    """Return a multipart message as v2 frames."""
    return b"".join(frame(part, more=True) for part in parts[:-1]) + frame(parts[-1])


def v1_frame(body: Bytes = b"", *, more: bool = False, long: bool | None = None) -> bytes:
    """Return a v1 frame (ZMTP 1.0): the length counts the flags byte; ``long`` forces the length field's form."""
    body = hx(body)
    length = len(body) + 1
    use_long = length >= 255 if long is None else long
    size = b"\xff" + struct.pack(">Q", length) if use_long else bytes([length])
    return size + bytes([MORE if more else 0]) + body


def v1_message(*parts: bytes) -> bytes:
    """Return a multipart message as v1 frames."""
    return b"".join(v1_frame(part, more=True) for part in parts[:-1]) + v1_frame(parts[-1])


def command(name: bytes, data: Bytes = b"") -> bytes:
    """Return a command frame: name with its length, then ``data``."""
    return frame(bytes([len(name)]) + name + hx(data), command=True)


def prop(name: bytes, value: bytes) -> bytes:
    """Return one metadata property."""
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def properties(socket_type: str | None, identity: bytes | None = None, *extra: tuple[bytes, bytes]) -> bytes:
    """Return metadata in libzmq's order. ``identity=None`` means: as libzmq does for that type."""
    data = b"" if socket_type is None else prop(b"Socket-Type", socket_type.encode())
    if identity is None and socket_type in TYPES_WITH_IDENTITY:
        identity = b""
    if identity is not None:
        data += prop(b"Identity", identity)
    return data + b"".join(prop(name, value) for name, value in extra)


def ready(socket_type: str | None, identity: bytes | None = None, *extra: tuple[bytes, bytes]) -> bytes:
    """Return the READY command of the NULL mechanism."""
    return command(b"READY", properties(socket_type, identity, *extra))


def ping(ttl: int = 0, context: bytes = b"") -> bytes:
    """Return a PING command; ``ttl`` is in tenths of a second."""
    return command(b"PING", struct.pack(">H", ttl) + context)


def pong(context: bytes = b"") -> bytes:
    """Return a PONG command."""
    return command(b"PONG", context)


def subscribe(topic: bytes) -> bytes:
    """Return the ZMTP 3.1 SUBSCRIBE command."""
    return command(b"SUBSCRIBE", topic)


def cancel(topic: bytes) -> bytes:
    """Return the ZMTP 3.1 CANCEL command."""
    return command(b"CANCEL", topic)


def pieces(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Cut ``data`` into pieces of the given sizes, over and over until it is used up."""
    found: list[bytes] = []
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(data):
            return found
        found.append(data[start : start + size])
        start += size
    raise AssertionError("no sizes given")


# --- one connection --------------------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """A v2 frame as received."""

    flags: int
    body: bytes


class RawPeer:
    """One raw connection to the library under test. Every wait has a deadline; every surprise is an AssertionError."""

    def __init__(self, sock: socket.socket, patience: float = PATIENCE) -> None:
        self._sock = sock
        self._patience = patience
        self._fences = itertools.count(1)
        if sock.family != socket.AF_UNIX:
            # Without this the kernel would join the pieces a test sends one by one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def connect(cls, endpoint: str, patience: float = PATIENCE) -> RawPeer:
        """Connect to a ``tcp://address:port`` or ``ipc://path`` where the library listens."""
        family, address = _parse(endpoint)
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(patience)
        try:
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return cls(sock, patience)

    @property
    def name(self) -> str:
        """This end as the library's endpoint text (tcp only)."""
        host, port = self._sock.getsockname()[:2]
        return f"tcp://{host}:{port}"

    # Speaking

    def send(self, *data: Bytes) -> None:
        """Send all of ``data`` in one write."""
        self._sock.settimeout(self._patience)
        self._sock.sendall(b"".join(map(hx, data)))

    def send_pieces(self, data: Bytes, sizes: Iterable[int]) -> None:
        """Send ``data`` in several writes of the given sizes (repeated as needed)."""
        for piece in pieces(hx(data), sizes):
            self.send(piece)

    def half_close(self) -> None:
        """Send end of stream, keep reading."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; idempotent."""
        self._sock.close()

    def reset(self) -> None:
        """Close with a TCP reset instead of end of stream."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    # Listening

    def take_little(self, size: int = 10_000) -> None:
        """Let the kernel keep about this many bytes that are not read."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes."""
        data = self._read_up_to(size, Deadline(self._patience))
        if len(data) < size:
            raise AssertionError(f"wanted {size} bytes, got only: {show(data)}")
        return data

    def expect(self, *wanted: Bytes) -> None:
        """Demand exactly these bytes next; what may follow them stays unread."""
        data = b"".join(map(hx, wanted))
        got = self._read_up_to(len(data), Deadline(self._patience))
        if got != data:
            raise AssertionError(f"wire differs\n  wanted: {show(data)}\n  got:    {show(got)}")

    def readable(self) -> bool:
        """Return whether something, end of stream included, can be read at once."""
        return bool(select.select([self._sock], [], [], 0)[0])

    def expect_silence(self, duration: float = SILENCE) -> None:
        """Demand that nothing arrives, and that the connection stays, for a short while."""
        self._sock.settimeout(duration)
        try:
            data = self._sock.recv(4096)
        except TimeoutError:
            return
        except OSError as error:
            raise AssertionError(f"wanted silence, the connection ended: {error}") from error
        raise AssertionError(f"wanted silence, got {show(data)}" if data else "wanted silence, the peer closed")

    def expect_close(self, timeout: float | None = None) -> None:
        """Demand that the library closes the connection and says nothing more before."""
        left = self.read_to_end(timeout)
        if left:
            raise AssertionError(f"wanted end of stream, got {show(left)}")

    def read_to_end(self, timeout: float | None = None) -> bytes:
        """Return everything until the library closes the connection."""
        deadline = Deadline(self._patience if timeout is None else timeout)
        found = bytearray()
        while True:
            self._sock.settimeout(max(deadline.remaining(), 0.001))
            try:
                data = self._sock.recv(65536)
            except TimeoutError:
                raise AssertionError(
                    f"the connection was not closed; received meanwhile: {show(bytes(found))}"
                ) from None
            except ConnectionError:
                return bytes(found)
            if not data:
                return bytes(found)
            found += data

    def read_frame(self) -> Frame:
        """Return the next v2 frame."""
        flags = self.read(1)[0]
        size = int.from_bytes(self.read(8 if flags & LARGE else 1), "big")
        return Frame(flags, self.read(size))

    def read_message(self) -> list[bytes]:
        """Return the parts of the next message in v2 frames; a command in between is a failure."""
        parts: list[bytes] = []
        while True:
            got = self.read_frame()
            if got.flags & COMMAND:
                raise AssertionError(f"wanted a message, got command {got.body!r}")
            parts.append(got.body)
            if not got.flags & MORE:
                return parts

    def read_v1_frame(self) -> Frame:
        """Return the next v1 frame; its length must be in the shortest form."""
        size = self.read(1)[0]
        if size == 0xFF:
            size = int.from_bytes(self.read(8), "big")
        flags = self.read(1)[0]
        return Frame(flags, self.read(size - 1))

    def read_v1_message(self) -> list[bytes]:
        """Return the parts of the next message in v1 frames."""
        parts: list[bytes] = []
        while True:
            got = self.read_v1_frame()
            parts.append(got.body)
            if not got.flags & MORE:
                return parts

    def _read_up_to(self, size: int, deadline: Deadline) -> bytes:
        found = bytearray()
        while len(found) < size:
            self._sock.settimeout(max(deadline.remaining(), 0.001))
            try:
                data = self._sock.recv(size - len(found))
            except (TimeoutError, ConnectionError):
                break
            if not data:
                break
            found += data
        return bytes(found)

    # ZMTP 3

    def greet(self, minor: int = 1, mechanism: bytes = b"NULL", major: int = 3) -> bytes:
        """Exchange greetings; return the library's 64 bytes."""
        self.send(greeting(minor, mechanism, major=major))
        return self.read(64)

    def handshake(
        self, socket_type: str, identity: bytes | None = None, minor: int = 1, *extra: tuple[bytes, bytes]
    ) -> bytes:
        """Do the whole NULL handshake as a ``socket_type``; return the body of the library's READY."""
        self.greet(minor)
        self.send(ready(socket_type, identity, *extra))
        got = self.read_frame()
        if got.flags & ~LARGE != COMMAND or not got.body.startswith(b"\x05READY"):
            raise AssertionError(f"wanted READY, got {got}")
        return got.body

    def fence(self) -> None:
        """Demand that everything sent so far brought nothing back and left the connection usable.

        A PING with a fresh context goes out and its PONG must be the very next thing to arrive: a 'nothing happens'
        check that needs no waiting. It sees what the I/O thread does with the peer's bytes, not what an application
        thread does later.
        """
        context = b"fence%d" % next(self._fences)
        self.send(ping(0, context))
        self.expect(pong(context))


class RawListener:
    """A raw listening socket for the library to connect to."""

    def __init__(self, transport: str = "tcp", patience: float = PATIENCE) -> None:
        self._patience = patience
        self._folder: str | None = None
        if transport == "tcp":
            self._sock = socket.create_server(("127.0.0.1", 0), backlog=16)
            self.endpoint = f"tcp://127.0.0.1:{self._sock.getsockname()[1]}"
        else:
            self._folder = tempfile.mkdtemp(prefix="zw")
            path = os.path.join(self._folder, "s")
            self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._sock.bind(path)
            self._sock.listen(16)
            self.endpoint = f"ipc://{path}"

    def accept(self, timeout: float | None = None) -> RawPeer:
        """Return the library's next connection."""
        self._sock.settimeout(self._patience if timeout is None else timeout)
        try:
            sock, _ = self._sock.accept()
        except TimeoutError:
            raise AssertionError("the library did not connect") from None
        return RawPeer(sock, self._patience)

    def expect_no_connection(self, duration: float = SILENCE) -> None:
        """Demand that the library does not connect for a while."""
        self._sock.settimeout(duration)
        try:
            sock, _ = self._sock.accept()
        except TimeoutError:
            return
        sock.close()
        raise AssertionError("the library connected again")

    def close(self) -> None:
        """Close and remove the path; idempotent."""
        self._sock.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class RawPeers:
    """Makes raw peers and listeners and closes them all; the ``raw`` fixture."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()

    def connect(self, endpoint: str) -> RawPeer:
        return self.adopt(RawPeer.connect(endpoint))

    def listen(self, transport: str = "tcp") -> RawListener:
        listener = RawListener(transport)
        self._open.callback(listener.close)
        return listener

    def adopt(self, peer: RawPeer) -> RawPeer:
        """Take over closing ``peer`` and return it."""
        self._open.callback(peer.close)
        return peer

    def accept(self, listener: RawListener, timeout: float | None = None) -> RawPeer:
        return self.adopt(listener.accept(timeout))

    def close(self) -> None:
        self._open.close()


def _parse(endpoint: str) -> tuple[int, tuple[str, int] | str]:
    scheme, _, address = endpoint.partition("://")
    if scheme == "ipc":
        return socket.AF_UNIX, "\0" + address[1:] if address.startswith("@") else address
    host, _, port = address.rpartition(":")
    if host.startswith("["):
        return socket.AF_INET6, (host.strip("[]"), int(port))
    return socket.AF_INET, ("127.0.0.1" if host == "0.0.0.0" else host, int(port))


# --- dialects --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dialect:
    """One generation of ZMTP, spoken by a raw peer: how it opens, sends, receives and subscribes."""

    name: str
    #: (peer, own socket type, own identity) -> the library's identity
    open: Callable[[RawPeer, str, bytes], bytes]
    encode: Callable[..., bytes]
    receive: Callable[[RawPeer], list[bytes]]
    #: subscriptions are commands (ZMTP 3.1) rather than messages
    commands: bool = False
    #: identities and socket types travel as metadata, and the handshake has an end (ZMTP 3)
    metadata: bool = False

    def send(self, peer: RawPeer, *parts: bytes) -> None:
        """Send one message."""
        peer.send(self.encode(*parts))

    def subscribe(self, topic: bytes) -> bytes:
        """Return the bytes that subscribe to ``topic``."""
        return subscribe(topic) if self.commands else self.encode(b"\1" + topic)

    def cancel(self, topic: bytes) -> bytes:
        """Return the bytes that cancel the subscription to ``topic``."""
        return cancel(topic) if self.commands else self.encode(b"\0" + topic)

    def __str__(self) -> str:
        return self.name


def _open_3(minor: int) -> Callable[[RawPeer, str, bytes], bytes]:
    def open_(peer: RawPeer, socket_type: str, identity: bytes) -> bytes:
        given = identity if socket_type in TYPES_WITH_IDENTITY else None
        body = peer.handshake(socket_type, given, minor)
        _, found, rest = body.partition(b"\x08Identity")
        return rest[4 : 4 + int.from_bytes(rest[:4], "big")] if found else b""

    return open_


def _open_2(peer: RawPeer, socket_type: str, identity: bytes) -> bytes:
    peer.send(signature(len(identity)), b"\x01", bytes([TYPE_NUMBERS[socket_type]]), frame(identity))
    peer.read(12)
    return peer.read_frame().body


def _open_1_rev0(peer: RawPeer, socket_type: str, identity: bytes) -> bytes:
    peer.send(signature(len(identity)), b"\x00", bytes([TYPE_NUMBERS[socket_type]]), v1_frame(identity))
    peer.read(12)
    return peer.read_v1_frame().body


def _open_1(peer: RawPeer, socket_type: str, identity: bytes) -> bytes:
    peer.send(v1_frame(identity))
    return peer.read_v1_frame().body


ZMTP_31 = Dialect("zmtp-3.1", _open_3(1), message, RawPeer.read_message, commands=True, metadata=True)
ZMTP_30 = Dialect("zmtp-3.0", _open_3(0), message, RawPeer.read_message, metadata=True)
ZMTP_20 = Dialect("zmtp-2.0", _open_2, message, RawPeer.read_message)
ZMTP_10_REV0 = Dialect("zmtp-1.0-revision-0", _open_1_rev0, v1_message, RawPeer.read_v1_message)
ZMTP_10 = Dialect("zmtp-1.0", _open_1, v1_message, RawPeer.read_v1_message)

DIALECTS = (ZMTP_31, ZMTP_30, ZMTP_20, ZMTP_10_REV0, ZMTP_10)
