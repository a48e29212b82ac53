# SPDX-License-Identifier: MPL-2.0
"""One process of a benchmark: one role of one case, on one library.

No libzmq twin: libzmq's perf/ directory (local_thr, remote_thr, local_lat, ...) has a program per role; here they are
methods in one file, so that every role runs the same lines on pyzmq and on libzmq_py. The library is imported by name,
and nothing below asks which it is.

Everything measured is printed on standard output as JSON, one object per line. A role that binds prints
`{"endpoint": ...}` first. A role that sends stays until it reads a line (or the end) on standard input, because a peer
that closes an ipc connection takes away what a back-pressured libzmq has not read yet.
`run.py` starts the processes, reads what they print and lets them go; they can be run by hand as well:

    python bench/worker.py --lib libzmq_py --role pull --bind tcp://127.0.0.1:5555 --count 100000
    python bench/worker.py --lib zmq --role push --endpoint tcp://127.0.0.1:5555 --count 100000
"""

from __future__ import annotations

import argparse
import gc
import importlib
import itertools
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

# The checkout goes before whatever is installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SYNC = b"sync"
"""What the publisher repeats until every subscriber has been reached; shorter than any measured message."""

# Everybody's: they protect nothing.
SERVER_KEYS = (b"0nS9>SBc?x<r>?*}*vjXk+*Ou/=o[NwrZp5dZ)h@", b"Ny>M6=KvkxE7oJD]KKGqXbP}jye()n}q=#cwWDpk")
CLIENT_KEYS = (b"[ARkROOzB><Hm}qutU&1^0I^@dPiw*9IK-)XjdF>", b"neMpwY*C2c.XCEDkO?4UCNEz}&UU]2QhA>9r6:dh")

QUEUED_BYTES = 64 * 1024 * 1024
"""The high-water mark stays at libzmq's 1000 messages until that many would be more than this."""

CHUNK = 100
"""Messages taken from one subscriber before the next one's turn: below the high-water mark, so nobody can stall."""

MANY = 500
"""Messages handed over in one call by the cases that do so: half of what a queue may hold."""

WINDOW = 100
"""Requests under way at a time where a client does not wait for each reply."""

LIMIT_MS = 10_000
"""No single send or receive waits longer than this: a benchmark fails, it never hangs."""


def say(**fields: Any) -> None:
    """Print one line for the driver."""
    print(json.dumps(fields), flush=True)


def resident_kib() -> float:
    """Return this process's resident memory in KiB, after a full collection."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:
        pages = int(statm.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def allow_descriptors(count: int) -> None:
    """Raise the soft limit of open files as far as it must go; end the process if the hard limit is too low."""
    needed = count + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            sys.exit(f"{needed} open files are needed, `ulimit -Hn` allows {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def percentile(ordered: list[int], part: float) -> int:
    """Return the value below which `part` (0 to 1) of the ordered samples lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Worker:
    """The library under test, a context of it, and one method per role."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.zmq = importlib.import_module(args.lib)
        self.ctx = self.zmq.Context(args.io_threads)
        self.sender_type, _, self.receiver_type = args.types.partition("/")

    def socket(self, type_name: str) -> Any:
        """Make a socket that never waits for ever and never queues more than QUEUED_BYTES."""
        sock = self.ctx.socket(getattr(self.zmq, type_name))
        sock.rcvtimeo = sock.sndtimeo = sock.linger = LIMIT_MS
        sock.hwm = max(16, min(1000, QUEUED_BYTES // max(1, self.args.size * self.args.parts)))
        return sock

    def bound(self, type_name: str) -> Any:
        """Make a socket, bind it, and tell the driver where."""
        sock = self.socket(type_name)
        if self.args.curve:
            sock.curve_publickey, sock.curve_secretkey = SERVER_KEYS
            sock.curve_server = 1
        sock.bind(self.args.bind)
        say(endpoint=sock.last_endpoint.decode())
        return sock

    def connected(self, type_name: str) -> Any:
        """Make a socket connected to where the other role listens."""
        sock = self.socket(type_name)
        if self.args.curve:
            sock.curve_publickey, sock.curve_secretkey = CLIENT_KEYS
            sock.curve_serverkey = SERVER_KEYS[0]
        sock.connect(self.args.endpoint)
        return sock

    def finish(self, sockets: Iterable[Any], **results: Any) -> None:
        """Close everything, then report: what is still in flight counts for nobody."""
        for sock in sockets:
            sock.close()
        self.ctx.term()
        if results:
            say(**results)

    # One way, to one receiver: throughput as the receiver sees it. PUSH and PULL, or what --types says.

    def push(self) -> None:
        sockets = [self.connected(self.sender_type) for _ in range(self.args.peers)]
        self._send_all(sockets)
        sys.stdin.readline()
        self.finish(sockets)

    def pull(self) -> None:
        sock = self.bound(self.receiver_type)
        seconds = self._receive_all([sock])
        self.finish([sock], **self._rate(seconds))

    def push_pull_threads(self) -> None:
        """Both ends in one process, a thread each: the only way to use inproc."""
        pull = self.socket(self.receiver_type)
        pull.bind(self.args.bind)
        sockets = [self.socket(self.sender_type) for _ in range(self.args.peers)]
        for sock in sockets:
            sock.connect(self.args.bind)
        sender = threading.Thread(target=self._send_all, args=(sockets,), name="sender")
        sender.start()
        seconds = self._receive_all([pull])
        sender.join()
        self.finish([*sockets, pull], **self._rate(seconds))

    # One way, to many receivers: what all of them together receive. PUB and SUB, or PUSH and PULL (--types). The sender
    # repeats SYNC until each of them has been reached.

    def pub(self) -> None:
        sock = self._publisher()
        say(endpoint=sock.last_endpoint.decode())
        reached = threading.Event()

        def wait_for_driver() -> None:
            sys.stdin.readline()
            reached.set()

        threading.Thread(target=wait_for_driver, name="stdin", daemon=True).start()
        self._sync_until(sock, reached)
        self._send_all([sock])
        sys.stdin.readline()
        self.finish([sock])

    def subs(self) -> None:
        sockets = [self._subscriber(self.args.endpoint, index) for index in range(self.args.peers)]
        for sock in sockets:
            sock.recv()
        say(ready=True)
        self.finish(sockets, **self._receive_spread(sockets))

    def pub_subs_threads(self) -> None:
        pub = self._publisher()
        sockets = [self._subscriber(self.args.bind, index) for index in range(self.args.peers)]
        reached = threading.Event()

        def publish() -> None:
            self._sync_until(pub, reached)
            self._send_all([pub])

        sender = threading.Thread(target=publish, name="sender")
        sender.start()
        for sock in sockets:
            sock.recv()
        reached.set()
        results = self._receive_spread(sockets)
        sender.join()
        self.finish([pub, *sockets], **results)

    def _publisher(self) -> Any:
        sock = self.socket(self.sender_type)
        if self.sender_type == "PUB":
            sock.setsockopt(self.zmq.XPUB_NODROP, 1)
        sock.bind(self.args.bind)
        return sock

    def _subscriber(self, endpoint: str, index: int) -> Any:
        sock = self.socket(self.receiver_type)
        if self.receiver_type == "SUB":
            for topic in (SYNC, self._topic(index)) if self.args.topics else (b"",):
                sock.setsockopt(self.zmq.SUBSCRIBE, topic)
        sock.connect(endpoint)
        return sock

    def _topic(self, index: int) -> bytes:
        return b"weather.%03d." % index

    def _sync_until(self, sock: Any, reached: threading.Event) -> None:
        while not reached.wait(0.005):
            sock.send(SYNC)

    def _receive_spread(self, sockets: list[Any]) -> dict[str, float]:
        first = [self._first_message(sock) for sock in sockets]
        if self.receiver_type == "SUB":
            return self._rate(self._receive_all(sockets, first), 1 if self.args.topics else self.args.peers)
        return self._rate(self._receive_shared(sockets, sum(first)))

    def _first_message(self, sock: Any) -> int:
        """Skip the sync messages that are left over; return how many measured messages were taken (one)."""
        while len(sock.recv()) == len(SYNC):
            pass
        return 1

    def _receive_shared(self, sockets: list[Any], taken: int) -> float:
        """Take messages from whichever socket has some: who gets how many is the sender's choice."""
        poller = self.zmq.Poller()
        for sock in sockets:
            poller.register(sock, self.zmq.POLLIN)
        self._drain_ready(poller, self.args.warmup - taken)
        started = time.perf_counter()
        self._drain_ready(poller, self.args.count)
        return time.perf_counter() - started

    def _drain_ready(self, poller: Any, count: int) -> None:
        while count > 0:
            ready = poller.poll(LIMIT_MS)
            if not ready:
                sys.exit(f"{count} messages are missing after {LIMIT_MS} ms")
            for sock, _ in ready:
                count -= self._take_ready(sock.recv, min(CHUNK, count))

    def _take_ready(self, receive: Callable[[int], Any], most: int) -> int:
        dontwait = self.zmq.DONTWAIT
        for taken in range(most):
            try:
                receive(dontwait)
            except self.zmq.Again:
                return taken
        return most

    # REQ and REP: the time of one round trip.

    def rep(self) -> None:
        sock = self.bound("REP")
        self._echo(sock)
        sys.stdin.readline()
        self.finish([sock])

    def req(self) -> None:
        sock = self.connected("REQ")
        results = self._round_trips(sock)
        self.finish([sock], **results)

    def req_rep_threads(self) -> None:
        rep = self.socket("REP")
        rep.bind(self.args.bind)
        echo = threading.Thread(target=self._echo, args=(rep,), name="echo")
        echo.start()
        req = self.socket("REQ")
        req.connect(self.args.bind)
        results = self._round_trips(req)
        echo.join()
        self.finish([req, rep], **results)

    def _echo(self, sock: Any) -> None:
        send, recv = sock.send, sock.recv
        for _ in range(self.args.warmup + self.args.count):
            send(recv())

    def _round_trips(self, sock: Any) -> dict[str, float]:
        send, recv, clock = sock.send, sock.recv, time.perf_counter_ns
        body = bytes(self.args.size)
        for _ in range(self.args.warmup):
            send(body)
            recv()
        samples = []
        started = clock()
        for _ in range(self.args.count):
            before = clock()
            send(body)
            recv()
            samples.append(clock() - before)
        seconds = (clock() - started) / 1e9
        samples.sort()
        return {
            "seconds": seconds,
            "rate": self.args.count / seconds,
            "p50": percentile(samples, 0.50) / 1000,
            "p99": percentile(samples, 0.99) / 1000,
        }

    # DEALER and ROUTER: requests and replies, WINDOW of them under way.

    def echo_server(self) -> None:
        sock = self.bound("ROUTER")
        self._answer(sock, self.args.warmup + self.args.count)
        sys.stdin.readline()
        self.finish([sock])

    def echo_client(self) -> None:
        sock = self.connected("DEALER")
        seconds = self._pipelined(sock)
        self.finish([sock], **self._rate(seconds))

    def echo_threads(self) -> None:
        server = self.socket("ROUTER")
        server.bind(self.args.bind)
        total = self.args.warmup + self.args.count
        echo = threading.Thread(target=self._answer, args=(server, total), name="echo")
        echo.start()
        client = self.socket("DEALER")
        client.connect(self.args.bind)
        seconds = self._pipelined(client)
        echo.join()
        self.finish([client, server], **self._rate(seconds))

    def _pipelined(self, sock: Any) -> float:
        """Send a request for each reply; return the seconds between the last warm-up reply and the last one."""
        send, recv, body = sock.send, sock.recv, b"x" * self.args.size
        total = self.args.warmup + self.args.count
        window = min(WINDOW, total)
        started = time.perf_counter()
        for _ in range(window):
            send(body)
        for index in range(total):
            recv()
            if index < total - window:
                send(body)
            if index == self.args.warmup - 1:
                started = time.perf_counter()
        return time.perf_counter() - started

    # Many connections: how long they take and what they weigh. The first one is not counted; it starts the threads.

    def many_server(self) -> None:
        sock = self.bound("ROUTER")
        sock.send_multipart(sock.recv_multipart())
        before = resident_kib()
        waiting = [sock.recv_multipart() for _ in range(self.args.peers)]
        for message in waiting:
            sock.send_multipart(message)
        sock.recv_multipart()
        weight = (resident_kib() - before) / self.args.peers
        sys.stdin.readline()
        self.finish([sock], server_kib=weight)

    def many_clients(self) -> None:
        warm = self.connected("DEALER")
        warm.send(b"hello")
        warm.recv()
        before = resident_kib()
        started = time.perf_counter()
        sockets = [self.connected("DEALER") for _ in range(self.args.peers)]
        for sock in sockets:
            sock.send(b"hello")
        for sock in sockets:
            sock.recv()
        seconds = time.perf_counter() - started
        weight = (resident_kib() - before) / self.args.peers
        warm.send(b"measure")
        say(seconds=seconds, connect_ms=seconds * 1000, client_kib=weight)
        sys.stdin.readline()
        self.finish([warm, *sockets])

    # Thousands of connections at once, all in use. The clients are spread over processes, as each needs descriptors.

    def live_server(self) -> None:
        """Answer everybody; the first message of each client process is not counted, as it starts the threads."""
        allow_descriptors(self.args.peers)
        sock = self.socket("ROUTER")
        sock.backlog = self.args.peers
        sock.bind(self.args.bind)
        say(endpoint=sock.last_endpoint.decode())
        self._answer(sock, self.args.clients)
        before = resident_kib()
        self._answer(sock, self.args.peers)
        say(server_kib=(resident_kib() - before) / self.args.peers)
        self._answer(sock, self.args.peers * self.args.count)
        sys.stdin.readline()
        self.finish([sock])

    def _answer(self, sock: Any, count: int) -> None:
        send, recv = sock.send_multipart, sock.recv_multipart
        for _ in range(count):
            send(recv())

    def live_clients(self) -> None:
        """Connect and be answered on every connection; then `count` rounds, each with a message on every connection."""
        peers = self.args.peers
        # libzmq and libzmq_py each have a descriptor to be woken by per socket, and libzmq_py may wait by an epoll.
        allow_descriptors(3 * peers)
        if hasattr(self.ctx, "max_sockets"):
            self.ctx.max_sockets = peers + 10
        warm = self.connected("DEALER")
        self._one_round([warm], b"hello")
        say(ready=True)
        sys.stdin.readline()
        before = resident_kib()
        started = time.perf_counter()
        sockets = [self.connected("DEALER") for _ in range(peers)]
        self._one_round(sockets, b"hello")
        seconds = time.perf_counter() - started
        say(seconds=seconds, client_kib=(resident_kib() - before) / peers)
        sys.stdin.readline()
        body = bytes(self.args.size)
        started = time.perf_counter()
        for _ in range(self.args.count):
            self._one_round(sockets, body)
        say(seconds=time.perf_counter() - started)
        sys.stdin.readline()
        self.finish([warm, *sockets])

    def _one_round(self, sockets: list[Any], body: bytes) -> None:
        for sock in sockets:
            sock.send(body)
        for sock in sockets:
            sock.recv()

    # The two loops every throughput case consists of.

    def _send_all(self, sockets: list[Any]) -> None:
        """Send every message of the case, from the sockets in turn."""
        messages = self._messages()
        total = self.args.warmup + self.args.count
        name = "send_multipart" if self.args.parts > 1 else "send"
        if len(sockets) > 1:
            sends = itertools.cycle([getattr(sock, name) for sock in sockets])
            for message, send in zip(itertools.islice(itertools.cycle(messages), total), sends, strict=False):
                send(message)
        elif self.args.many and hasattr(sockets[0], "send_many"):
            send_many, batch = sockets[0].send_many, messages * MANY
            for start in range(0, total, MANY):
                send_many(batch[: total - start])
        else:
            send = getattr(sockets[0], name)
            for message in itertools.islice(itertools.cycle(messages), total):
                send(message)

    def _messages(self) -> list[Any]:
        """Return the messages of the case, to be sent in turn."""
        frames = [b"x" * size for size in self._sizes()]
        if self.args.topics:
            return [self._topic(index).ljust(self.args.size, b"x") for index in range(self.args.peers)]
        return frames if self.args.parts == 1 else [[frame] * self.args.parts for frame in frames]

    def _sizes(self) -> list[int]:
        """Return the sizes of the messages in turn: all alike, or between a fifth and nine fifths of `size`."""
        size = self.args.size
        return [size * (20 + 37 * index % 161) // 100 for index in range(64)] if self.args.mixed else [size]

    def _receive_all(self, sockets: list[Any], first: list[int] | None = None) -> float:
        """Drain every socket in turn; return the seconds from the last warm-up message to the last message.

        Each socket gets all messages, or with --topics its share of them.
        """
        if self.args.many and hasattr(sockets[0], "recv_many"):
            return self._receive_many(sockets[0].recv_many)
        share = len(sockets) if self.args.topics else 1
        warmup, count = self.args.warmup // share, self.args.count // share
        name = "recv_multipart" if self.args.parts > 1 or self.receiver_type == "ROUTER" else "recv"
        receives: list[Callable[[], Any]] = [getattr(sock, name) for sock in sockets]
        taken = first or [0] * len(sockets)
        for receive, already in zip(receives, taken, strict=True):
            for _ in range(min(CHUNK, warmup) - already):
                receive()
        self._drain(receives, warmup - min(CHUNK, warmup))
        started = time.perf_counter()
        self._drain(receives, count)
        return time.perf_counter() - started

    def _receive_many(self, recv_many: Callable[[int], list[Any]]) -> float:
        started = time.perf_counter()
        for count in (self.args.warmup, self.args.count):
            started = time.perf_counter()
            while count > 0:
                count -= len(recv_many(min(MANY, count)))
        return time.perf_counter() - started

    def _drain(self, receives: list[Callable[[], Any]], count: int) -> None:
        if len(receives) == 1:
            receive = receives[0]
            for _ in range(count):
                receive()
            return
        while count > 0:
            now = min(CHUNK, count)
            for receive in receives:
                for _ in range(now):
                    receive()
            count -= now

    def _rate(self, seconds: float, receivers: int = 1) -> dict[str, float]:
        return {"seconds": seconds, "rate": self.args.count * receivers / seconds}


def import_time(args: argparse.Namespace) -> None:
    """Report how long the import takes in a fresh process, in milliseconds, and how long until there is a socket."""
    started = time.perf_counter()
    zmq = importlib.import_module(args.lib)
    imported = time.perf_counter()
    # A package may put off its work until it is used.
    ctx = zmq.Context()
    sock = ctx.socket(zmq.PAIR)
    ready = time.perf_counter()
    sock.close()
    ctx.term()
    say(import_ms=(imported - started) * 1000, ready_ms=(ready - started) * 1000)


ROLES: dict[str, Callable[[Worker], None]] = {
    "push": Worker.push,
    "pull": Worker.pull,
    "push-pull-threads": Worker.push_pull_threads,
    "pub": Worker.pub,
    "subs": Worker.subs,
    "pub-subs-threads": Worker.pub_subs_threads,
    "req": Worker.req,
    "rep": Worker.rep,
    "req-rep-threads": Worker.req_rep_threads,
    "echo-server": Worker.echo_server,
    "echo-client": Worker.echo_client,
    "echo-threads": Worker.echo_threads,
    "many-server": Worker.many_server,
    "many-clients": Worker.many_clients,
    "live-server": Worker.live_server,
    "live-clients": Worker.live_clients,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", required=True, help="module to import as zmq: zmq, libzmq_py, ...")
    parser.add_argument("--role", required=True, choices=[*ROLES, "import"])
    parser.add_argument("--bind", default="tcp://127.0.0.1:*", help="where a binding role listens")
    parser.add_argument("--endpoint", default="", help="where a connecting role goes")
    parser.add_argument("--count", type=int, default=10_000, help="measured messages")
    parser.add_argument("--warmup", type=int, default=1_000, help="messages before them")
    parser.add_argument("--size", type=int, default=100, help="bytes in a frame")
    parser.add_argument("--curve", type=int, default=0, help="1: encrypt (the binding side is the server)")
    parser.add_argument("--mixed", type=int, default=0, help="1: sizes vary around --size")
    parser.add_argument("--parts", type=int, default=1, help="frames in a message")
    parser.add_argument("--types", default="", metavar="SENDER/RECEIVER", help="socket types of a one-way role")
    parser.add_argument("--many", type=int, default=0, help="1: send_many and recv_many, where the library has them")
    parser.add_argument("--topics", type=int, default=0, help="1: each subscriber wants one message out of --peers")
    parser.add_argument("--peers", type=int, default=1, help="subscribers, connections, or sockets of the many side")
    parser.add_argument("--clients", type=int, default=1, help="processes the connections come from")
    parser.add_argument("--io-threads", type=int, default=1, help="I/O threads of the context")
    args = parser.parse_args()
    args.types = args.types or ("PUB/SUB" if args.role in ("pub", "subs", "pub-subs-threads") else "PUSH/PULL")
    if args.topics:
        args.warmup, args.count = (-(-number // args.peers) * args.peers for number in (args.warmup, args.count))
    if args.role == "import":
        import_time(args)
    else:
        ROLES[args.role](Worker(args))


if __name__ == "__main__":
    main()
