# SPDX-License-Identifier: MPL-2.0
"""The server of `test_hostile_peers`: a process of its own, so that its memory is its own.

    python -m tests.stress.hostile_server KIND '{"OPTION": value}'

Three sockets: one of type KIND that strangers may reach, a ROUTER that serves the good client, and a monitor.  Whatever
the ROUTER gets goes back, and what comes in on the other is read and dropped; if KIND can send, a copy of each of the
client's messages goes out there as well.  Each line on standard input asks for a report, a line of JSON:

    rss, peak   KiB of memory now, and the most since the last report
    events      monitor event -> how often so far
    reasons     of the last handshake failures
    slowest     the longest turn of the loop since the last report, in seconds
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections import Counter
from time import perf_counter
from typing import Any

import libzmq_py as zmq

SENDERS = {"PUB", "XPUB", "PUSH"}


def _memory(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


class Server:
    """See the module."""

    def __init__(self, kind: str, options: dict[str, Any]) -> None:
        self.kind = kind
        self.events: Counter[str] = Counter()
        self.slowest = 0.0
        self.ctx = zmq.Context()
        self.open = self._socket(kind, **options)
        self.monitor = self.open.get_monitor_socket()
        # The good client uses the open door where that is a ROUTER; it knows what is asked of everybody.
        self.home = self.open if kind == "ROUTER" else self._socket("ROUTER")

    def _socket(self, kind: str, **options: Any) -> Any:
        sock = self.ctx.socket(getattr(zmq, kind))
        for name, value in {"LINGER": 0, "BACKLOG": 2000, "SNDTIMEO": 0, **options}.items():
            sock.setsockopt(getattr(zmq, name), value.encode() if isinstance(value, str) else value)
        sock.bind("tcp://127.0.0.1:*")
        return sock

    def run(self) -> None:
        """Serve until standard input ends."""
        endpoints = [sock.last_endpoint.rstrip(b"\0").decode() for sock in (self.open, self.home)]
        print(json.dumps(endpoints), flush=True)
        poller = zmq.Poller()
        for source in {self.open, self.monitor, self.home}:
            poller.register(source, zmq.POLLIN)
        poller.register(sys.stdin.fileno(), zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            started = perf_counter()
            if self.monitor in ready:
                self._count_events()
            if self.home in ready:
                self._serve()
            if self.open in ready and self.open is not self.home:
                self._drop()
            self.slowest = max(self.slowest, perf_counter() - started)
            if sys.stdin.fileno() in ready and not self._report():
                break
        self.ctx.destroy(linger=0)

    def _count_events(self) -> None:
        while self.monitor.poll(0):
            head, _ = self.monitor.recv_multipart()
            self.events[zmq.Event(struct.unpack("=HI", head)[0]).name or "?"] += 1

    def _serve(self) -> None:
        for _ in range(100):
            if not self.home.poll(0):
                return
            frames = self.home.recv_multipart()
            self.home.send_multipart(frames)
            if self.kind in SENDERS:
                try:
                    self.open.send_multipart(frames[1:])
                except zmq.Again:
                    pass  # nobody there, or all are full

    def _drop(self) -> None:
        for _ in range(1000):
            if not self.open.poll(0):
                return
            self.open.recv_multipart()

    def _report(self) -> bool:
        if not os.read(0, 1):
            return False
        reasons = [failure.reason for failure in self.open.last_handshake_failures]
        report = {"rss": _memory("VmRSS"), "peak": _memory("VmHWM"), "slowest": self.slowest}
        print(json.dumps({**report, "events": self.events, "reasons": reasons}), flush=True)
        self.slowest = 0.0
        with open("/proc/self/clear_refs", "w", encoding="ascii") as reset:
            reset.write("5")  # the peak begins anew
        return True


if __name__ == "__main__":
    Server(sys.argv[1], json.loads(sys.argv[2])).run()
