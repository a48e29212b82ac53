# SPDX-License-Identifier: MPL-2.0
"""Shows every command that objects of different threads send each other: ``python docs/internals/trace.py``.

All of them pass through ``Ctx.send_command`` or, where an I/O thread wakes nobody until its round ends,
``Ctx.post_command``. For as long as ``tracing`` lasts, two that note them stand in their places.

No libzmq twin: documentation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libzmq_py as zmq
from libzmq_py.core.command import Command
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.ctx import Ctx


@contextmanager
def tracing(lines: list[str]) -> Iterator[None]:
    """Note each command: the thread that sends it, what it is, and for whom (slot and class)."""
    send_command, post_command = Ctx.send_command, Ctx.post_command

    def note(tid: int, command: Command) -> None:
        destination, kind, _arguments = command
        sender = threading.current_thread().name.replace("MainThread", "application").replace("ZMQbg/", "")
        lines.append(f"{sender:<11} {kind.value:<14} to {tid} {type(destination).__name__}")

    def noted_send(self: Ctx, tid: int, command: Command) -> None:
        note(tid, command)
        send_command(self, tid, command)

    def noted_post(self: Ctx, tid: int, command: Command) -> Mailbox | None:
        note(tid, command)
        return post_command(self, tid, command)

    Ctx.send_command, Ctx.post_command = noted_send, noted_post  # type: ignore[method-assign]
    try:
        yield
    finally:
        Ctx.send_command, Ctx.post_command = send_command, post_command  # type: ignore[method-assign]


def until_quiet(lines: list[str], last: tuple[str, ...], pause: float = 0.3, patience: float = 10.0) -> None:
    """Wait until these have been sent, and then nothing for a while."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not all(any(words in line for line in lines) for words in last):
        time.sleep(0.01)
    seen = -1
    while seen != len(lines):
        seen = len(lines)
        time.sleep(pause)


def tell(title: str, lines: list[str], *last: str) -> None:
    """Print what has happened meanwhile, at least up to what is to come last."""
    until_quiet(lines, last)
    print(f"-- {title}", *lines, sep="\n")
    lines.clear()


def life_of_a_connection() -> None:
    """A PUSH and a PULL over tcp: bind, connect, one message, and the end of both."""
    lines: list[str] = []
    with tracing(lines):
        ctx: Any = zmq.Context()
        pull = ctx.socket(zmq.PULL)
        pull.bind("tcp://127.0.0.1:*")
        tell("pull.bind", lines, "to 3 Pull")
        push = ctx.socket(zmq.PUSH)
        push.connect(pull.last_endpoint)
        tell("push.connect", lines, "to 3 Pull")
        push.send(b"hello")
        tell("push.send", lines)
        pull.recv()
        tell("pull.recv", lines)
        push.close()
        tell("push.close", lines, "reaped", "to 3 Pipe")
        pull.poll(0)
        tell("pull.poll", lines, "to 3 Pipe")
        pull.close()
        tell("pull.close", lines, "reaped")
        ctx.term()
        tell("ctx.term", lines)


if __name__ == "__main__":
    life_of_a_connection()
