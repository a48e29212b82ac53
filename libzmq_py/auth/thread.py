# SPDX-License-Identifier: MPL-2.0
"""A ZAP handler that answers in a thread of its own.

Mirrors: pyzmq's zmq/auth/thread.py.
Departs, from pyzmq: the thread polls with a plain ``Poller``, and runs its asyncio loop only to answer a request. The
end of the context ends it. A cancelled callback does not; what does end it closes the handler's socket.
"""

from __future__ import annotations

import asyncio
import contextlib
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.auth.base import Authenticator
from libzmq_py.constants import NOBLOCK, PAIR, POLLIN
from libzmq_py.errors import Again, ContextTerminated, ZMQError

if TYPE_CHECKING:
    from libzmq_py.api.context import Context
    from libzmq_py.api.poll import Poller
    from libzmq_py.api.socket import Socket

_START_PATIENCE: Final = 10


class AuthenticationThread(Thread):
    """The thread of a ``ThreadAuthenticator``: it owns ``pipe``, and uses ``authenticator.zap_socket``."""

    pipe: Socket[bytes] | None
    authenticator: Authenticator
    poller: Poller | None = None

    def __init__(self, authenticator: Authenticator, pipe: Socket[bytes]) -> None:
        super().__init__(name="ZAP authenticator", daemon=True)
        self.authenticator = authenticator
        self.log = authenticator.log
        self.pipe = pipe
        self.started = Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        """Answer requests until told to end, or until the context ends."""
        try:
            self._serve()
        except ContextTerminated:
            self.log.debug("The context has ended")
        except BaseException as error:
            self.log.critical("The ZAP handler ends, nobody is asked about peers any more: %r", error)
            raise
        finally:
            self._close()

    def _close(self) -> None:
        # Whatever has ended us: peers must not wait for the answer of a handler that is gone.
        with contextlib.ExitStack() as stack:
            if self.loop is not None:
                stack.callback(self.loop.close)
            if self.pipe is not None:
                stack.callback(self.pipe.close)
            self.pipe = None
            stack.callback(Authenticator.stop, self.authenticator)

    def _serve(self) -> None:
        from libzmq_py.api.poll import Poller

        pipe, zap_socket = self.pipe, self.authenticator.zap_socket
        if pipe is None or zap_socket is None:
            raise AssertionError("start() makes both before it starts the thread")
        self.poller = poller = Poller()
        poller.register(pipe, POLLIN)
        poller.register(zap_socket, POLLIN)
        self.started.set()
        while True:
            events = dict(poller.poll())
            if pipe in events and self._handle_pipe_message(pipe.recv_multipart()):
                return
            if zap_socket in events:
                self._answer(zap_socket.recv_multipart())

    def _answer(self, request: list[bytes]) -> None:
        # Callbacks may be async and want a loop.
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
        # The task is ours, so it is a callback that was cancelled; the peer has its answer.
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.authenticator.handle_zap_message(request))

    def _handle_pipe_message(self, msg: list[bytes]) -> bool:
        """Obey; True ends the thread."""
        command = msg[0]
        self.log.debug("auth received API command %r", command)
        if command == b"TERMINATE":
            return True
        self.log.error("Invalid auth command from API: %r", command)
        if self.pipe is not None:
            self.pipe.send(b"ERROR")
        return False


class ThreadAuthenticator(Authenticator):
    """An ``Authenticator`` that runs in the background from ``start`` to ``stop``."""

    pipe: Socket[bytes] | None
    pipe_endpoint: str = ""
    thread: AuthenticationThread | None

    def __init__(self, context: Context[Any] | None = None, encoding: str = "utf-8", log: Any = None) -> None:
        super().__init__(context=context, encoding=encoding, log=log)
        self.pipe = None
        self.pipe_endpoint = f"inproc://{id(self)}.inproc"
        self.thread = None

    def start(self) -> None:
        """Start the thread; when this returns, peers are asked about.

        Raises:
            ZMQError: As ``Authenticator.start``.
            RuntimeError: The thread does not start.
        """
        from libzmq_py.api.socket import Socket

        super().start()
        self.pipe = self.context.socket(PAIR, socket_class=Socket)
        self.pipe.linger = 1
        self.pipe.bind(self.pipe_endpoint)
        thread_pipe = self.context.socket(PAIR, socket_class=Socket)
        thread_pipe.linger = 1
        thread_pipe.connect(self.pipe_endpoint)
        self.thread = AuthenticationThread(authenticator=self, pipe=thread_pipe)
        self.thread.start()
        if not self.thread.started.wait(timeout=_START_PATIENCE):
            raise RuntimeError("Authenticator thread failed to start")

    def stop(self) -> None:
        """End the thread; stopping again does nothing."""
        if self.pipe is not None:
            if self.thread is not None and self.thread.is_alive():
                with contextlib.suppress(Again):  # it is ending, and has closed its side
                    self.pipe.send(b"TERMINATE", NOBLOCK)
                self.thread.join()
            self.thread = None
            if not self.pipe.closed:
                with contextlib.suppress(ZMQError):
                    self.pipe.unbind(self.pipe_endpoint)
            self.pipe.close()
            self.pipe = None
        super().stop()

    def is_alive(self) -> bool:
        """True while the thread runs."""
        return self.thread is not None and self.thread.is_alive()

    def __del__(self) -> None:
        if hasattr(self, "thread"):  # not if `__init__` failed
            self.stop()


__all__ = ["ThreadAuthenticator"]
