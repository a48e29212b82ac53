# SPDX-License-Identifier: MPL-2.0
"""Who takes part in a stress run: the threads, what they share, and the messages they exchange.

`stress` tells the story and runs it.
"""

from __future__ import annotations

import os
import queue
import random
import struct
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EADDRINUSE, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINVAL, ENOENT, ENOTSOCK, ENOTSUP, EOPNOTSUPP
from typing import Any

from tests.interop.sides import REAL, Child
from tests.stress.hostile import random_script
from tests.support.raw_peer import RawListener, RawPeer
from tests.support.target import zmq

# True for pyzmq on libzmq, not for pyzmq on our backend.
IS_REAL = zmq is REAL and not os.environ.get("PYZMQ_BACKEND", "").startswith("libzmq_py")
KINDS = ("PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB", "STREAM")
FITTING = {
    "PAIR": ("PAIR",),
    "PUB": ("SUB", "XSUB"),
    "SUB": ("PUB", "XPUB"),
    "REQ": ("REP", "ROUTER"),
    "REP": ("REQ", "DEALER"),
    "DEALER": ("REP", "DEALER", "ROUTER"),
    "ROUTER": ("REQ", "DEALER", "ROUTER"),
    "PULL": ("PUSH",),
    "PUSH": ("PULL",),
    "XPUB": ("SUB", "XSUB"),
    "XSUB": ("PUB", "XPUB"),
    "STREAM": (),
}
# Left out when the target is the real libzmq, which aborts, crashes or hangs otherwise (all seen with 4.3.5):
GENTLE = {
    "inproc": "pipe.cpp 'written': a pending inproc connection whose other end has gone",
    "STREAM": "crashes",
    "parts": "session_base.cpp 233: a multipart message cut by linger 0 before its connection breaks; fq.cpp '!_more'",
    "hwm": "stream_engine_base.cpp '_input_stopped', '!_io_error': a reconnect while the queue is full",
    "attackers": "fq.cpp '!_more', stream_engine_base.cpp '!_io_error'",
    "disconnect": "fq.cpp '!_more': poll has looked at the first part of a message, then its connection is ended",
    "immediate": "fq.cpp '!_more': the connection breaks between two parts that the user reads",
    "heartbeat": "stream_engine_base.cpp '!_io_error'",
    "relaxed": "fq.cpp '!_more'",
    "handover": "fq.cpp '!_more'",
    "watch": "an I/O thread blocks on a monitor socket that nobody reads",
}
# What a call may fail with in this turmoil. ENOTSUP: pyzmq's word for a context that has been terminated.
EXPECTED = {EAGAIN, EHOSTUNREACH, EADDRINUSE, ENOENT, ECONNREFUSED, ENOTSUP, EOPNOTSUPP, zmq.ETERM, zmq.EFSM, ENOTSOCK}
MARK = b"\xabSTRESS\xba"
HEADER = struct.Struct("=8sIHHI")  # mark, message number, part, parts, crc of the rest
MAX_SOCKETS = 6


@dataclass
class Settings:
    """What to run."""

    seconds: float = 60
    seed: int = 1
    threads: int = 8
    shared_contexts: int = 2
    children: bool = True
    attackers: bool = True
    # Leave out what libzmq 4.3.5 itself does not survive; see GENTLE.
    gentle: bool = IS_REAL


# -- messages that tell whether they are whole ------------------------------------------------------------------------


def sealed_message(rng: random.Random, parts: int) -> list[bytes]:
    """A message of marked parts, mostly small."""
    number = rng.getrandbits(32)
    frames = []
    for part in range(parts):
        body = rng.randbytes(rng.choice((0, 1, 20, 200, 300, 9000) if rng.random() < 0.99 else (100_000,)))
        frames.append(HEADER.pack(MARK, number, part, parts, zlib.crc32(body)) + body)
    return frames


def check_sealed(frames: list[bytes], mid_message: bool) -> str | None:
    """What is wrong with a received message, None when nothing is. Envelopes before the marked parts are passed over.

    `mid_message`: its first parts were read earlier.
    """
    # The mark alone is a topic (`subscribe`): an inproc name may have passed to a socket that is no publisher, and that
    # one is given the subscriptions of who connects as messages, by libzmq too (sockets/test_inproc.py).
    marked = [HEADER.unpack_from(frame) + (frame,) for frame in frames if frame.startswith(MARK) and frame != MARK]
    if not marked:
        return None
    for _, _, _, _, crc, frame in marked:
        if zlib.crc32(frame[HEADER.size :]) != crc:
            return f"a part of {len(frame)} bytes is damaged"
    numbers, parts = {entry[1] for entry in marked}, [entry[2] for entry in marked]
    total = marked[0][3]
    first = parts[0] if mid_message else 0
    if len(numbers) != 1 or parts != list(range(first, total)) or not frames[-1].startswith(MARK):
        return f"parts {parts} of {total} of messages {numbers} in {len(frames)} frames"
    return None


def warm_up() -> list[str]:
    """Use everything once, so that what the library keeps for good is there before we count; the types it has."""
    kinds, made = [], []
    ctx = zmq.Context()
    for kind in KINDS:
        try:
            sock = ctx.socket(getattr(zmq, kind))
        except zmq.ZMQError as error:
            if error.errno != EINVAL:
                raise
            continue
        made += [sock, sock.get_monitor_socket()]
        sock.bind("tcp://127.0.0.1:*")
        made[-1].poll(100)
        kinds.append(kind)
    for sock in made:
        sock.close(linger=0)
    ctx.term()
    return kinds


# -- what the threads share -------------------------------------------------------------------------------------------


class Hub:
    """Shared contexts, known addresses, sockets between two owners, and the book of what went wrong."""

    def __init__(self, settings: Settings, kinds: list[str]) -> None:
        self.settings = settings
        self.kinds = kinds
        self.stop = threading.Event()
        self.directory = tempfile.mkdtemp(prefix="zst")
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        # (address, type of socket bound there), newest last; old entries may be gone by now, which is part of the game.
        self.addresses: list[tuple[str, str]] = []
        self.exchange: queue.SimpleQueue[Holder] = queue.SimpleQueue()
        # thread -> (what it does, since when)
        self.activity: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._contexts: list[Any] = [zmq.Context(index % 2 + 1) for index in range(settings.shared_contexts)]
        self._leases: Counter[int] = Counter()
        self._names = 0

    def allows(self, what: str) -> bool:
        """Whether this may be done; the names are the keys of GENTLE."""
        return not (self.settings.gentle and what in GENTLE)

    def fail(self, text: str) -> None:
        """Note a failure; the run ends."""
        self.failures.append(text)
        self.stop.set()

    def name(self) -> int:
        """A number nobody else has."""
        with self._lock:
            self._names += 1
            return self._names

    def publish(self, address: str, kind: str) -> None:
        """Let others know an address."""
        with self._lock:
            self.addresses.append((address, kind))
            del self.addresses[:-60]

    @contextmanager
    def shared_context(self, rng: random.Random) -> Iterator[Any]:
        """Borrow one of the shared contexts to make a socket in it. It may be terminated at any moment."""
        with self._lock:
            ctx = rng.choice(self._contexts)
            self._leases[id(ctx)] += 1
        try:
            yield ctx
        finally:
            with self._lock:
                self._leases[id(ctx)] -= 1

    def replace_context(self, index: int) -> Any:
        """Put a new context in a shared place and return the old one."""
        with self._lock:
            old, self._contexts[index] = self._contexts[index], zmq.Context()
            return old

    def may_terminate(self, ctx: Any) -> bool:
        """Whether nobody is just making a socket in it: C code would touch freed memory, ours must cope."""
        with self._lock:
            return not IS_REAL or self._leases[id(ctx)] == 0

    def take_contexts(self) -> list[Any]:
        """All shared contexts, for the end."""
        with self._lock:
            taken, self._contexts = self._contexts, []
            return taken


class Holder:
    """A socket with what its present owner has to know about it."""

    def __init__(self, sock: Any, kind: str, ctx: Any) -> None:
        self.sock = sock
        self.kind = kind
        self.ctx = ctx
        self.bound: list[str] = []
        self.connected: list[str] = []
        self.peers: list[bytes] = []
        self.monitor: Any = None
        self.mid_message = False
        self.mid_send = False

    def close(self, linger: int | None = 0) -> None:
        """Close it and its monitor."""
        if self.monitor is not None:
            self.monitor.close(linger=0)
        self.sock.close(linger=linger)


# -- the threads ------------------------------------------------------------------------------------------------------


class Actor(threading.Thread):
    """A thread that repeats `turn()` until the end, keeping to its own random decisions."""

    def __init__(self, hub: Hub, role: str, index: int) -> None:
        super().__init__(name=f"{role}-{index}", daemon=True)
        self.hub = hub
        self.rng = random.Random(f"{hub.settings.seed}/{self.name}")
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        """Take turns until the hub says stop."""
        try:
            while not self.hub.stop.is_set():
                self.turn()
        finally:
            self.doing("leave")
            self.leave()
            self.hub.activity.pop(self.name, None)

    def turn(self) -> None:
        """One thing to do."""
        raise NotImplementedError

    def leave(self) -> None:
        """Clean up at the end."""

    def doing(self, what: str) -> None:
        """Say what comes now, for the watchdog and the counts."""
        self.counts[what] += 1
        self.hub.activity[self.name] = (what, time.monotonic())

    def resting(self) -> None:
        """Say that what comes now may take for ever without being wrong."""
        self.hub.activity.pop(self.name, None)


class Worker(Actor):
    """Uses sockets in every way."""

    def __init__(self, hub: Hub, index: int) -> None:
        super().__init__(hub, "worker", index)
        self.holders: list[Holder] = []
        self.own_ctx: Any = None
        self._actions: list[Callable[[Holder], None]] = []
        self._weights: list[int] = []
        for action, weight in (
            (self.send, 30),
            (self.send_in_parts, 4 * hub.allows("parts")),
            (self.receive, 30),
            (self.receive_one_part, 3 * hub.allows("parts")),
            (self.poll, 6),
            (self.bind, 5),
            (self.connect, 12),
            (self.unbind, 2),
            (self.disconnect, 3 * hub.allows("disconnect")),
            (self.set_options, 4 * hub.allows("hwm")),
            (self.subscribe, 4),
            (self.watch, 2 * hub.allows("watch")),
            (self.hand_on, 3),
            (self.close_one, 3),
        ):
            self._actions.append(action)
            self._weights.append(weight)

    def message(self) -> list[bytes]:
        """A message to send."""
        return sealed_message(self.rng, self.rng.choice((1, 1, 1, 2, 4)) if self.hub.allows("parts") else 1)

    def turn(self) -> None:
        """One action on one socket, now and then something with contexts."""
        roll = self.rng.random()
        if len(self.holders) < 2 or (roll < 0.05 and len(self.holders) < MAX_SOCKETS):
            self.attempt(self.create, None)
        elif roll < 0.06:
            self.terminate_own_context()
        elif roll < 0.09:
            self.take_over()
        else:
            holder = self.rng.choice(self.holders)
            self.attempt(self.rng.choices(self._actions, self._weights)[0], holder)

    def attempt(self, action: Callable[..., None], holder: Holder | None) -> None:
        """Do it; tell the failures that belong to the game from those that do not."""
        self.doing(action.__name__)
        try:
            action(holder) if holder is not None else action()
        except zmq.ZMQError as error:
            if error.errno not in EXPECTED:
                self.hub.fail(f"{self.name}: {action.__name__} {holder and holder.kind}: {error!r} ({error.errno})")
            elif error.errno == zmq.ETERM and holder is not None:
                self.drop(holder)
            self.counts[f"errno {error.errno}"] += 1

    def drop(self, holder: Holder, linger: int | None = 0) -> None:
        """Close a socket and forget it."""
        self.holders.remove(holder)
        holder.close(linger)

    def create(self) -> None:
        """A new socket, in the own context or in a shared one."""
        kind = self.rng.choice([kind for kind in self.hub.kinds if self.hub.allows(kind)])
        if self.rng.random() < 0.4:
            if self.own_ctx is None:
                self.own_ctx = zmq.Context(self.rng.choice((1, 1, 2)))
            self._create_in(self.own_ctx, kind)
        else:
            with self.hub.shared_context(self.rng) as ctx:
                self._create_in(ctx, kind)

    def _create_in(self, ctx: Any, kind: str) -> None:
        sock = ctx.socket(getattr(zmq, kind))
        holder = Holder(sock, kind, ctx)
        self.holders.append(holder)
        try:
            sock.setsockopt(zmq.LINGER, self.rng.choice((0, 0, 10, 100)))
            sock.setsockopt(zmq.RCVTIMEO, self.rng.choice((0, 1, 20)))
            sock.setsockopt(zmq.SNDTIMEO, self.rng.choice((0, 1, 20)))
            sock.setsockopt(zmq.RECONNECT_IVL, self.rng.choice((1, 10, 50)))
            sock.setsockopt(zmq.HANDSHAKE_IVL, self.rng.choice((50, 1000)))
            for option in (zmq.SNDHWM, zmq.RCVHWM):
                sock.setsockopt(option, self.rng.choice((0, 1, 2, 10, 1000) if self.hub.allows("hwm") else (0, 1000)))
            if self.rng.random() < 0.2 * self.hub.allows("immediate"):
                sock.setsockopt(zmq.IMMEDIATE, 1)
            if self.rng.random() < 0.2 * self.hub.allows("heartbeat"):
                sock.setsockopt(zmq.HEARTBEAT_IVL, self.rng.choice((5, 50)))
            if kind == "ROUTER":
                sock.setsockopt(zmq.ROUTER_MANDATORY, self.rng.choice((0, 1)))
                sock.setsockopt(zmq.ROUTER_HANDOVER, self.rng.choice((0, 1)) * self.hub.allows("handover"))
            if kind in ("DEALER", "REQ", "ROUTER") and self.rng.random() < 0.3:
                sock.setsockopt(zmq.ROUTING_ID, b"id%d" % self.rng.randrange(10))
            if kind == "REQ" and self.rng.random() < 0.5 * self.hub.allows("relaxed"):
                sock.setsockopt(zmq.REQ_RELAXED, 1)
                sock.setsockopt(zmq.REQ_CORRELATE, 1)
            self.subscribe(holder)
        except zmq.ZMQError:
            self.drop(holder)
            raise

    def bind(self, holder: Holder) -> None:
        """Bind to a fresh address, or to one that may be taken, and tell the others."""
        transports = ["tcp"] if holder.kind == "STREAM" else ["tcp", "tcp", "ipc", "inproc"]
        transport = self.rng.choice([name for name in transports if self.hub.allows(name)])
        number = self.hub.name() if self.rng.random() < 0.8 else self.rng.randrange(1, 50)
        address = {
            "tcp": "tcp://127.0.0.1:*",
            "ipc": f"ipc://{self.hub.directory}/{number}",
            "inproc": f"inproc://{number}",
        }[transport]
        holder.sock.bind(address)
        if transport == "tcp":
            address = holder.sock.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        holder.bound.append(address)
        self.hub.publish(address, holder.kind)

    def connect(self, holder: Holder) -> None:
        """Connect to somebody, mostly to somebody fitting."""
        known = self.hub.addresses[:]
        fitting = [address for address, kind in known if kind in FITTING[holder.kind] or kind == "evil"]
        if self.rng.random() < 0.1 or holder.kind == "STREAM":
            fitting = [address for address, _ in known if address.startswith("tcp:")]
        if not fitting or len(holder.connected) >= 4:
            return
        address = self.rng.choice(fitting)
        holder.sock.connect(address)
        holder.connected.append(address)

    def unbind(self, holder: Holder) -> None:
        """Give up an address."""
        if holder.bound:
            holder.sock.unbind(holder.bound.pop())

    def disconnect(self, holder: Holder) -> None:
        """Give up a connection."""
        if holder.connected:
            holder.sock.disconnect(holder.connected.pop())

    def send(self, holder: Holder) -> None:
        """A burst of messages."""
        if holder.kind in ("SUB", "PULL") or holder.mid_send:
            return
        for _ in range(self.rng.choice((1, 3, 30))):
            body = self.message()
            if holder.kind == "STREAM":
                # A peer may take these bytes for frames of ZMTP 1.0, one of which may begin with the mark by chance.
                body = [part.replace(MARK, b"unmarked") for part in body]
            if holder.kind in ("ROUTER", "STREAM"):
                if not holder.peers:
                    return
                body = [self.rng.choice(holder.peers), *(body if holder.kind == "ROUTER" else body[:1])]
            elif holder.kind == "DEALER" and self.rng.random() < 0.5:
                body = [b"", *body]
            elif holder.kind == "XSUB" and self.rng.random() < 0.3:
                body = [self.rng.choice((b"\0", b"\1")) + bytes([self.rng.randrange(256)])]
            holder.sock.send_multipart(body, zmq.DONTWAIT if self.rng.random() < 0.7 else 0)
            self.counts["messages sent"] += 1

    def send_in_parts(self, holder: Holder) -> None:
        """A message part by part; now and then the socket is closed in the middle of one."""
        if holder.kind in ("SUB", "PULL", "ROUTER", "STREAM", "XSUB", "REP") or holder.mid_send:
            return
        parts = self.message()
        holder.mid_send = True
        for part in parts[:-1]:
            holder.sock.send(part, zmq.SNDMORE)
            if self.rng.random() < 0.05:
                self.drop(holder, None)
                return
        holder.sock.send(parts[-1])
        holder.mid_send = False

    def receive(self, holder: Holder) -> None:
        """Messages until there is none, or enough."""
        if holder.kind in ("PUB", "PUSH"):
            return
        for _ in range(self.rng.choice((1, 10, 100))):
            frames = holder.sock.recv_multipart(zmq.DONTWAIT if self.rng.random() < 0.7 else 0)
            self.counts["messages received"] += 1
            if holder.kind in ("ROUTER", "STREAM"):
                holder.peers = [*holder.peers[-5:], frames[0]]
            if holder.kind != "STREAM":
                wrong = check_sealed(frames, holder.mid_message)
                if wrong:
                    self.hub.fail(f"{self.name}: {holder.kind} received {wrong}")
            holder.mid_message = False
            if holder.kind == "REP":
                holder.sock.send_multipart(self.message())

    def receive_one_part(self, holder: Holder) -> None:
        """Leave the rest of a message for later."""
        if holder.kind in ("PUB", "PUSH", "STREAM", "REP"):
            return
        if not holder.mid_message:
            holder.sock.recv(zmq.DONTWAIT)
            holder.mid_message = bool(holder.sock.getsockopt(zmq.RCVMORE))

    def poll(self, _holder: Holder) -> None:
        """Wait a little for any of the sockets."""
        poller = zmq.Poller()
        for holder in self.holders:
            poller.register(holder.sock, zmq.POLLIN)
        poller.poll(self.rng.choice((0, 1, 20)))

    def set_options(self, holder: Holder) -> None:
        """Options that act at once on live pipes."""
        option = self.rng.choice((zmq.SNDHWM, zmq.RCVHWM, zmq.LINGER))
        holder.sock.setsockopt(option, self.rng.choice((0, 1, 5, 100)))
        assert holder.sock.getsockopt(zmq.EVENTS) >= 0

    def subscribe(self, holder: Holder) -> None:
        """Subscribe to everything, to something, or no longer to something."""
        topic = self.rng.choice((b"", MARK, b"x", bytes([self.rng.randrange(256)])))
        if holder.kind == "SUB":
            holder.sock.setsockopt(self.rng.choice((zmq.SUBSCRIBE, zmq.SUBSCRIBE, zmq.UNSUBSCRIBE)), topic)
        elif holder.kind == "XSUB":
            holder.sock.send(self.rng.choice((b"\1", b"\1", b"\0")) + topic, zmq.DONTWAIT)

    def watch(self, holder: Holder) -> None:
        """Start monitoring, or read what a monitor says."""
        if holder.monitor is None:
            holder.monitor = holder.sock.get_monitor_socket()
            holder.monitor.setsockopt(zmq.LINGER, 0)
        elif self.rng.random() < 0.3:
            holder.sock.disable_monitor()
            holder.monitor.close(linger=0)
            holder.monitor = None
        else:
            while holder.monitor.poll(0):
                holder.monitor.recv_multipart()
                self.counts["events"] += 1

    def hand_on(self, holder: Holder) -> None:
        """Give the socket to whoever takes it. Those of the own context stay: their owner terminates it."""
        if holder.ctx is not self.own_ctx and not holder.mid_send and self.hub.exchange.qsize() < 10:
            self.holders.remove(holder)
            self.hub.exchange.put(holder)

    def take_over(self) -> None:
        """Take a socket that somebody handed on."""
        self.doing("take_over")
        try:
            self.holders.append(self.hub.exchange.get_nowait())
        except queue.Empty:
            pass

    def close_one(self, holder: Holder) -> None:
        """Close it with its own linger period."""
        self.drop(holder, self.rng.choice((None, 0, 5)))

    def terminate_own_context(self) -> None:
        """End the own context with all its sockets."""
        self.doing("terminate_own_context")
        ctx, self.own_ctx = self.own_ctx, None
        if ctx is None:
            return
        mine = [holder for holder in self.holders if holder.ctx is ctx]
        if self.rng.random() < 0.5:
            for holder in mine:
                self.drop(holder, self.rng.choice((None, 0)))
            ctx.term()
        else:
            for holder in mine:
                self.holders.remove(holder)
            ctx.destroy(linger=self.rng.choice((0, 20)))

    def leave(self) -> None:
        """Close everything."""
        for holder in self.holders[:]:
            self.drop(holder)
        self.terminate_own_context()


class Sleeper(Actor):
    """Blocks in a shared context, without a timeout, until that is terminated."""

    def __init__(self, hub: Hub, index: int) -> None:
        super().__init__(hub, "sleeper", index)

    def turn(self) -> None:
        """Sleep in one of several calls."""
        self.doing("sleep")
        kinds = self.rng.choice((("PULL",), ("DEALER", "SUB"), ("PUSH",), ("ROUTER", "DEALER"), ("REP",)))
        made: list[Any] = []
        try:
            with self.hub.shared_context(self.rng) as ctx:
                for kind in kinds:
                    made.append(ctx.socket(getattr(zmq, kind)))
                    made[-1].setsockopt(zmq.LINGER, 0)
            for sock, kind in zip(made, kinds, strict=True):
                if self.rng.random() < 0.5:
                    sock.bind("tcp://127.0.0.1:*")
                    self.hub.publish(sock.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode(), kind)
            self.resting()
            self._sleep(kinds, made)
        except zmq.ZMQError as error:
            if error.errno not in EXPECTED:
                self.hub.fail(f"{self.name}: {error!r} ({error.errno})")
        finally:
            self.doing("close")
            for sock in made:
                sock.close()

    def _sleep(self, kinds: tuple[str, ...], made: list[Any]) -> None:
        if kinds == ("ROUTER", "DEALER"):
            zmq.proxy(*made)
        elif kinds == ("PUSH",):
            while True:
                made[0].send(b"from a sleeper")
        elif kinds == ("DEALER", "SUB"):
            poller = zmq.Poller()
            for sock in made:
                poller.register(sock, zmq.POLLIN)
            while True:
                for sock, _ in poller.poll():
                    sock.recv_multipart()
        else:
            while True:
                made[0].recv_multipart()
                if kinds == ("REP",):
                    made[0].send(b"")


class Terminator(Actor):
    """Terminates a shared context now and then, with everybody still in it."""

    def __init__(self, hub: Hub, index: int) -> None:
        super().__init__(hub, "terminator", index)
        self._index = index

    def turn(self) -> None:
        """Wait for the right moment, then replace and terminate."""
        self.resting()
        if self.hub.stop.wait(self.rng.uniform(0.1, 1.0)):
            return
        self.terminate(self.hub.replace_context(self._index))

    def terminate(self, ctx: Any) -> None:
        """Terminate while others notice; sockets that are between two owners are closed here."""
        self.doing("terminate_shared_context")
        while not self.hub.may_terminate(ctx):
            time.sleep(0.001)
        janitor = threading.Thread(target=self._sweep, args=(ctx,), name=f"{self.name}-janitor", daemon=True)
        janitor.start()
        ctx.term()
        janitor.join()

    def _sweep(self, ctx: Any) -> None:
        # Sockets go on being handed on while term() waits, so look again until it is through.
        while not ctx.closed:
            for _ in range(self.hub.exchange.qsize()):
                try:
                    holder = self.hub.exchange.get_nowait()
                except queue.Empty:
                    break
                if holder.ctx is ctx:
                    holder.close()
                else:
                    self.hub.exchange.put(holder)
            time.sleep(0.005)


class Attacker(Actor):
    """Raw peers that misbehave, as clients and as servers."""

    def __init__(self, hub: Hub, index: int) -> None:
        super().__init__(hub, "attacker", index)
        self._peers: list[RawPeer] = []
        self._listener: RawListener | None = None

    def turn(self) -> None:
        """Attack somebody, or receive somebody badly."""
        self.doing("attack")
        try:
            self._visit() if self.rng.random() < 0.8 else self._receive()
        except (OSError, AssertionError):
            self.counts["attack repelled"] += 1
        while len(self._peers) > 10:
            self._end(self._peers.pop(self.rng.randrange(len(self._peers))))
        self.hub.stop.wait(0.005)

    def _visit(self) -> None:
        targets = [(address, kind) for address, kind in self.hub.addresses[:] if address.startswith("tcp:")]
        if not targets:
            return
        address, kind = self.rng.choice(targets)
        if kind in FITTING:
            peer = RawPeer.connect(address, patience=0.5)
            self._peers.append(peer)
            peer.send(random_script(self.rng, self.rng.choice(FITTING[kind] or ("DEALER",))))

    def _receive(self) -> None:
        if self._listener is None:
            self._listener = RawListener(patience=0.02)
            self.hub.publish(self._listener.endpoint, "evil")
        peer = self._listener.accept()
        self._peers.append(peer)
        peer.send(random_script(self.rng, self.rng.choice(KINDS)))

    def _end(self, peer: RawPeer) -> None:
        peer.reset() if self.rng.random() < 0.5 else peer.close()

    def leave(self) -> None:
        """Hang up."""
        for peer in self._peers:
            self._end(peer)
        if self._listener is not None:
            self._listener.close()


class Breeder(Actor):
    """Child processes that join in and die."""

    def __init__(self, hub: Hub, index: int) -> None:
        super().__init__(hub, "breeder", index)

    def turn(self) -> None:
        """One short life."""
        self.doing("breed")
        kind = self.rng.choice(("DEALER", "SUB", "REP", "PULL", "ROUTER", "XPUB"))
        options: dict[str, Any] = {"SUBSCRIBE": ""} if kind == "SUB" else {}
        action = "echo" if kind in ("DEALER", "REP", "ROUTER") else "swallow"
        targets = [a for a, k in self.hub.addresses[:] if k in FITTING[kind] and not a.startswith("inproc")]
        if self.rng.random() < 0.3 or not targets:
            path = f"ipc://{self.hub.directory}/c{self.hub.name()}"
            child = Child(REAL, kind, bind=path, do=action, options=options)
            self.hub.publish(path, kind)
        else:
            child = Child(REAL, kind, connect=self.rng.choice(targets), do=action, options=options)
        try:
            self.hub.stop.wait(self.rng.uniform(0.1, 0.6))
        finally:
            child.kill()
