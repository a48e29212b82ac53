# SPDX-License-Identifier: MPL-2.0
"""A ZAP handler in a thread of its own, of either library, that answers as it is told."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tests.support.waiting import PATIENCE, wait_until

ENDPOINT = "inproc://zeromq.zap.01"
Frames = Sequence[bytes]


def answer(
    status: bytes = b"200", text: bytes = b"OK", user: bytes = b"user-1", metadata: bytes = b"", **changes: bytes
) -> list[bytes]:
    """The frames of a reply, as a REP socket sends them."""
    return [changes.get("version", b"1.0"), changes.get("id", b"1"), status, text, user, metadata]


class ZapHandler:
    """Bound as soon as it is made. `reply`: frames for every request, or a function of the request (None: silence).

    A ROUTER (`kind`) sees and sends what a REP has around its frames: the id of the connection and the delimiter.
    """

    def __init__(
        self, lib: Any, ctx: Any, reply: Frames | Callable[[Frames], Frames | None] | None = None, kind: str = "REP"
    ) -> None:
        self.requests: list[Frames] = []
        self._reply = answer() if reply is None else reply
        self._lib = lib
        self._socket = ctx.socket(getattr(lib, kind))
        self._socket.setsockopt(lib.LINGER, 0)
        wait_until(self._bind, "the endpoint of a handler that is closing to be free")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ZAP handler", daemon=True)
        self._thread.start()

    def _bind(self) -> bool:
        try:
            self._socket.bind(ENDPOINT)
        except self._lib.ZMQError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    def _run(self) -> None:
        with self._socket as sock:
            while not self._stop.is_set():
                if not sock.poll(5):
                    continue
                request = sock.recv_multipart()
                self.requests.append(request)
                reply = self._reply(request) if callable(self._reply) else self._reply
                if reply is not None:
                    sock.send_multipart(list(reply))
                else:
                    self._stop.wait(PATIENCE)  # REP can do nothing else until it has answered

    def close(self) -> None:
        """End the thread and its socket."""
        self._stop.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise AssertionError("the ZAP handler did not end")

    def __enter__(self) -> ZapHandler:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
