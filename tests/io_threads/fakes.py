# SPDX-License-Identifier: MPL-2.0
"""What the tests of pollers and I/O threads share: a context of mailboxes, jobs for a thread, recording sinks.

No libzmq twin: test support.
"""

from __future__ import annotations

import importlib.util
import select
import selectors
import socket
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from libzmq_py.core.command import CommandType
from libzmq_py.core.mailbox import Mailbox
from libzmq_py.core.object import ZmqObject
from libzmq_py.io_threads import poller as poller_module
from tests.support.waiting import PATIENCE

SELECTORS = [name for name in ("EpollSelector", "PollSelector", "SelectSelector") if hasattr(selectors, name)]


def poller_module_with(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The poller module as it is on a system whose best selector is `name`."""
    if name == "EpollSelector":
        return poller_module
    monkeypatch.delattr(select, "epoll", raising=False)
    monkeypatch.setattr(selectors, "DefaultSelector", getattr(selectors, name))
    spec = importlib.util.spec_from_file_location(f"poller_with_{name}", poller_module.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Sink:
    """Records events as (kind, name); `then` runs within each."""

    def __init__(self, name: str, log: list[Any], then: Callable[[], object] | None = None) -> None:
        self.name = name
        self.log = log
        self.then = then

    def in_event(self) -> None:
        self._event("in")

    def out_event(self) -> None:
        self._event("out")

    def timer_event(self, id_: int) -> None:
        self._event(id_)

    def _event(self, kind: Any) -> None:
        self.log.append((kind, self.name))
        if self.then is not None:
            self.then()


class Context:
    """Routes commands to mailboxes by tid, as Ctx does."""

    def __init__(self) -> None:
        self.mailboxes: dict[int, Mailbox] = {}
        self.done: list[CommandType] = []
        self.reaper: Any = None

    def send_command(self, tid: int, command: Any) -> None:
        if tid == 0:
            self.done.append(command[1])
        else:
            self.mailboxes[tid].send(command)

    def post_command(self, tid: int, command: Any) -> Mailbox | None:
        mailbox = self.mailboxes[tid]
        mailbox.commands.append(command)
        return mailbox if mailbox._asleep else None


class Job(ZmqObject):
    """Something to do in the thread of a tid."""

    def __init__(self, ctx: Any, tid: int, what: Callable[[], Any]) -> None:
        super().__init__(ctx, tid)
        self.what = what
        self.finished = threading.Event()
        self.result: Any = None

    def process_plug(self) -> None:
        try:
            self.result = self.what()
        finally:
            self.finished.set()

    def process_seqnum(self) -> None:
        pass

    def start(self) -> Job:
        self.ctx.send_command(self.tid, (self, CommandType.PLUG, ()))
        return self

    def wait(self) -> Any:
        assert self.finished.wait(PATIENCE), "the thread does not answer"
        return self.result


def run_in(thread: Any, what: Callable[[], Any]) -> Any:
    """Run `what` in an I/O thread and return what it gives."""
    return Job(thread.open_ctx, thread.tid, what).start().wait()


class Pair:
    """Two joined sockets that do not block."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setblocking(False)

    def close(self) -> None:
        self.near.close()
        self.far.close()
