# SPDX-License-Identifier: MPL-2.0
"""A SOCKS 5 proxy for tests: says what a script tells it, or does the real work.

No libzmq twin: test support. Each connection is served by a thread of its own. What a script asserts and finds wrong is
raised by `check`, which the fixture calls at the end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.support.waiting import PATIENCE

GRANTED = b"\5\0\0\1\0\0\0\0\0\0"


class Conversation:
    """One connection to the proxy."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        #: What the client has asked for, once it is known: (kind, host, port).
        self.asked_for: tuple[int, bytes, int] | None = None
        self.credentials: tuple[bytes, bytes] | None = None

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the client closed")
            data += more
        return data

    def expect(self, data: bytes) -> None:
        """The client must say this."""
        got = self.read(len(data))
        assert got == data, f"wanted {data!r}, got {got!r}"

    def say(self, data: bytes, bytewise: bool = False) -> None:
        """Say this, in one piece or byte by byte."""
        for piece in [data[i : i + 1] for i in range(len(data))] if bytewise else [data]:
            self.sock.sendall(piece)
            if bytewise:
                # Nothing to wait for: the pieces must not be joined by the kernel.
                threading.Event().wait(0.002)

    def closed_by_client(self) -> bool:
        """Whether the client closes, saying no more."""
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def hold(self) -> None:
        """Read and say nothing until the client closes."""
        while self.sock.recv(1000):
            pass

    # -- the real work

    def negotiate(self, username: bytes = b"", password: bytes = b"", bytewise: bool = False) -> bool:
        """Do what a proxy does until it has a request; False if it has refused the user."""
        method = 2 if username else 0
        version, count = self.read(2)
        offered = self.read(count)
        assert version == 5
        if method not in offered:
            self.say(b"\5\xff")
            return False
        self.say(bytes((5, method)), bytewise)
        if method == 2:
            assert self.read(1) == b"\1"
            name = self.read(self.read(1)[0])
            secret = self.read(self.read(1)[0])
            self.credentials = name, secret
            right = self.credentials == (username, password)
            self.say(bytes((1, 0 if right else 1)), bytewise)
            if not right:
                return False
        version, command, reserved, kind = self.read(4)
        assert (version, command, reserved) == (5, 1, 0)
        host = self.read({1: 4, 4: 16}.get(kind) or self.read(1)[0])
        self.asked_for = kind, host, int.from_bytes(self.read(2), "big")
        return True

    def relay(self, names: dict[bytes, str] | None = None, bytewise: bool = False) -> None:
        """Connect to what was asked for and pass everything on, both ways, until one side closes."""
        assert self.asked_for is not None
        kind, host, port = self.asked_for
        families = {1: socket.AF_INET, 4: socket.AF_INET6}
        target = (names or {})[host] if kind == 3 else socket.inet_ntop(families[kind], host)
        try:
            peer = socket.create_connection((target, port), timeout=PATIENCE)
        except OSError:
            self.say(b"\5\5" + GRANTED[2:], bytewise)
            return
        with peer:
            self.say(GRANTED, bytewise)
            back = threading.Thread(target=_pump, args=(peer, self.sock))
            back.start()
            _pump(self.sock, peer)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends, then end both."""
    source.settimeout(None)
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for sock in (source, sink):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


Script = Callable[[Conversation], Any]


class SocksProxy:
    """Listens; serves each connection with the next of `scripts`, all further ones with the last."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.conversations: list[Conversation] = []
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="proxy")
        self._accepting.start()

    @property
    def option(self) -> bytes:
        """For SOCKS_PROXY."""
        return self.address.encode()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # closed
            script = self._scripts[min(len(self.conversations), len(self._scripts) - 1)]
            conversation = Conversation(sock)
            self.conversations.append(conversation)
            thread = threading.Thread(target=self._serve, args=(conversation, script), name="proxy connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, conversation: Conversation, script: Script) -> None:
        with conversation.sock:
            try:
                script(conversation)
            except OSError:
                pass  # the client is gone: the end of a test, or its point
            except BaseException as error:  # noqa: BLE001 - raised by check()
                self._failures.append(error)

    def stop_listening(self) -> None:
        """Nobody can connect any more; conversations go on."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._accepting.join()

    def cut(self) -> None:
        """Drop all conversations."""
        for conversation in self.conversations:
            try:
                conversation.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """Stop and drop everything."""
        self.stop_listening()
        self.cut()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise what a script found wrong."""
        if self._failures:
            raise self._failures[0]
