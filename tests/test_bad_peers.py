# SPDX-License-Identifier: MPL-2.0
"""A server of ours keeps serving its good client (real libzmq) whatever bad peers do, and its monitor tells of them.

Bad peers say wrong things (`tests.stress.hostile`), say nothing, say too much, hang up in the middle, or come in
crowds; and the process may have no descriptors left for them.
"""

from __future__ import annotations

import errno
import logging
import random
import socket as sockets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq as real

from tests.interop.sides import OURS, REAL, ROOT, Side, bound_endpoint, join
from tests.stress.hostile import ADMITTED, JOINED, OLD, PROTOCOL, SCRIPTS, WAITING, begin, hasty_speech
from tests.support.raw_peer import RawPeer, RawPeers, cancel, frame, greeting, message, ready, subscribe
from tests.support.waiting import SILENCE, Deadline, ms, seconds, wait_until

pytestmark = pytest.mark.interop

# The largest frame the server takes; some scripts try more.
LIMIT = 100_000


@pytest.fixture
def ours() -> Iterator[Side]:
    """The library under test."""
    with Side(OURS) as side:
        yield side


@pytest.fixture
def theirs() -> Iterator[Side]:
    """Real libzmq."""
    with Side(REAL) as side:
        yield side


@pytest.fixture(autouse=True)
def _nothing_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What a peer does wrong is never an internal error."""
    caplog.set_level(logging.ERROR, logger="libzmq_py")
    yield
    errors = [record.getMessage() for record in caplog.records if record.name.startswith("libzmq_py")]
    assert not errors, errors


class Service:
    """A bound socket of ours with one good client of real libzmq, and round trips between them that must not fail."""

    # server type -> type of the good client, and what else a peer may be
    CLIENTS = {
        "ROUTER": "DEALER",
        "REP": "REQ",
        "PULL": "PUSH",
        "XPUB": "SUB",
        "PUB": "SUB",
        "SUB": "PUB",
        "XSUB": "PUB",
        "DEALER": "DEALER",
        "PAIR": "PAIR",
    }

    def __init__(self, kind: str, ours: Side, theirs: Side, transport: str = "tcp", **options: Any) -> None:
        self.kind = kind
        self.client_kind = self.CLIENTS[kind]
        if kind == "SUB":
            options["SUBSCRIBE"] = b"good"
        self.server = ours.socket(kind, **{"MAXMSGSIZE": LIMIT, "HANDSHAKE_IVL": ms(300), **options})
        if kind == "XSUB":
            self.server.send(b"\1good")
        self.monitor = ours.monitor(self.server)
        self.address = bound_endpoint(self.server, "tcp://127.0.0.1:*" if transport == "tcp" else "ipc://*")
        self.client = theirs.socket(
            self.client_kind,
            **({"ROUTING_ID": b"good"} if self.client_kind in ("DEALER", "REQ") else {}),
            **({"SUBSCRIBE": b"good"} if self.client_kind == "SUB" else {}),
        )
        self.client_monitor = theirs.monitor(self.client)
        self.client.connect(self.address)
        self.client_monitor.wait("HANDSHAKE_SUCCEEDED")
        self._count = 0
        self._settle()

    def _settle(self) -> None:
        """Wait until publisher and subscriber know each other."""
        sender, receiver = (self.server, self.client) if self.client_kind == "SUB" else (self.client, self.server)
        if "PUB" in self.kind + self.client_kind:
            wait_until(lambda: (sender.send(b"good?"), receiver.poll(5))[1], "the subscription")
            self.round_trip()

    def round_trip(self) -> None:
        """The client's next message arrives, and the answer if there is one. Messages of strangers are passed over."""
        self._count += 1
        body = b"good %d" % self._count
        if self.client_kind == "SUB":
            if self.kind == "XPUB":
                while self.server.poll(0):
                    self.server.recv_multipart()
            self.server.send_multipart([body, b"tail"])
            self._receive(self.client, body)
            return
        self.client.send_multipart([body, b"tail"])
        envelope = self._receive(self.server, body)
        if self.kind in ("ROUTER", "REP", "PAIR"):
            self.server.send_multipart([*envelope, body, b"tail"])
            self._receive(self.client, body)

    def _receive(self, sock: Any, body: bytes) -> list[bytes]:
        """Read up to the expected message; what stands before its body."""
        deadline = Deadline()
        while not deadline.expired:
            frames: list[bytes] = sock.recv_multipart()
            if frames[-2:] == [body, b"tail"]:
                assert frames[:-2] == ([b"good"] if self.kind == "ROUTER" and sock is self.server else [])
                return frames[:-2]
            if sock is self.client:
                assert frames[0] == b"good?", f"the client got {frames!r}"
            elif self.kind == "REP":
                sock.send(b"to a stranger")
        raise AssertionError(f"{body!r} got lost")

    def lost_connections(self) -> int:
        """How many connections the monitor has seen go."""
        return self.monitor.poll_all().count("DISCONNECTED")


@pytest.mark.parametrize("name", SCRIPTS)
def test_one_bad_peer(ours: Side, theirs: Side, raw: RawPeers, name: str) -> None:
    """The server refuses the peer at once if it has reason to and says so; its client notices nothing."""
    script = SCRIPTS[name]
    service = Service("ROUTER", ours, theirs)
    service.monitor.wait("HANDSHAKE_SUCCEEDED")
    service.monitor.seen.clear()
    peer = raw.connect(service.address)
    service.monitor.wait("ACCEPTED")
    begin(peer, script, "DEALER")
    peer.send(script.speech)
    service.round_trip()
    if script.refused:
        peer.read_to_end()
    elif script.outcome == WAITING:
        peer.read_to_end(seconds(2))
    else:
        assert "DISCONNECTED" not in service.monitor.poll_all(SILENCE)
        peer.reset()
    service.monitor.wait("DISCONNECTED")
    service.round_trip()
    assert script.outcome is None or script.outcome in service.monitor.names
    if script.stage != JOINED and script.outcome != ADMITTED:
        assert "HANDSHAKE_SUCCEEDED" not in service.monitor.names


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.departs] if kind == "REP" else []) for kind in Service.CLIENTS]
)
def test_a_crowd_of_bad_peers(ours: Side, theirs: Side, raw: RawPeers, kind: str) -> None:
    """All of them, twice over, some hanging up, some resetting, some staying: the client's messages all get through.

    libzmq's REP loses replies here, see test_a_malformed_request_of_a_dead_peer.
    """
    rng = random.Random(kind)
    service = Service(kind, ours, theirs)
    crowd = list(SCRIPTS.values()) * 2
    rng.shuffle(crowd)
    staying = []
    for script in crowd:
        peer = raw.connect(service.address)
        begin(peer, script, service.client_kind)
        data = script.speech
        cut = rng.randrange(len(data) + 1)
        for piece in (data[:cut], data[cut:]):
            try:
                peer.send(piece)
            except OSError:
                break  # refused already
        ending = rng.choice(["close", "reset", "stay"])
        if ending == "stay":
            staying.append(peer)
        else:
            peer.close() if ending == "close" else peer.reset()
        if rng.random() < 0.3:
            service.round_trip()
    for peer in staying:
        peer.close()
    for _ in range(10):
        service.round_trip()

    def all_gone() -> bool:
        service.server.getsockopt(real.EVENTS)
        return service.lost_connections() >= len(crowd)

    wait_until(all_gone, "the end of every bad connection")
    seen = Counter(service.monitor.poll_all(SILENCE))
    assert seen["ACCEPTED"] == len(crowd) + 1
    assert seen["DISCONNECTED"] == len(crowd)
    assert seen[PROTOCOL] > 0
    assert seen["HANDSHAKE_FAILED_NO_DETAIL"] > 0
    service.round_trip()
    assert "DISCONNECTED" not in service.client_monitor.poll_all()


@pytest.mark.departs
def test_a_malformed_request_of_a_dead_peer(ours: Side, theirs: Side, raw: RawPeers) -> None:
    """A request without an envelope from a peer that has gone is dropped; the next client gets its answer.

    libzmq's router_t::rollback forgets to reset its 'more' state when the pipe has gone, and swallows that answer.
    """
    service = Service("REP", ours, theirs)
    for _ in range(3):
        peer = raw.connect(service.address)
        peer.handshake("DEALER")
        service.monitor.wait("HANDSHAKE_SUCCEEDED")
        peer.send(message(b"no empty frame"))
        peer.close()
        service.monitor.wait("DISCONNECTED")
        service.round_trip()


def test_a_wrong_type_is_refused_among_good_ones(ours: Side, theirs: Side) -> None:
    """Real sockets of types that do not fit come and go; no handshake of theirs succeeds."""
    service = Service("PULL", ours, theirs)
    for kind in ("PULL", "SUB", "REQ", "DEALER", "ROUTER", "PAIR", "XPUB"):
        intruder = theirs.socket(kind, RECONNECT_IVL=10_000)
        intruder.connect(service.address)
        service.round_trip()
        service.monitor.wait("DISCONNECTED")
    assert service.monitor.names.count("HANDSHAKE_SUCCEEDED") == 1


def test_oversized_messages_of_a_real_peer(ours: Side, theirs: Side) -> None:
    """A PUSH that insists on a message over MAXMSGSIZE is thrown out each time; the other PUSH is not touched."""
    service = Service("PULL", ours, theirs)
    rude = theirs.socket("PUSH", RECONNECT_IVL=10)
    rude.connect(service.address)
    for number in range(5):
        rude.send_multipart([b"first part", bytes(LIMIT + 1)])
        service.monitor.wait("DISCONNECTED")
        service.monitor.wait("HANDSHAKE_SUCCEEDED")
        rude.send_multipart([b"rude", b"%d" % number])
        assert service.server.recv_multipart() == [b"rude", b"%d" % number]
        service.round_trip()


def test_an_endless_message(ours: Side, theirs: Side, raw: RawPeers) -> None:
    """A message that never ends is never delivered, not a part of it, and holds nobody else up."""
    service = Service("PULL", ours, theirs)
    peer = raw.connect(service.address)
    peer.handshake("PUSH")
    parts = frame(b"part", more=True) * 1000
    for _ in range(50):
        peer.send(parts)
        service.round_trip()
    peer.reset()
    service.monitor.wait("DISCONNECTED")
    service.round_trip()
    assert not service.server.poll(ms(20))


@pytest.mark.parametrize("kind", ["ROUTER", "PULL", "XPUB", "REP"])
def test_connections_cut_in_the_middle_of_a_message(ours: Side, theirs: Side, raw: RawPeers, kind: str) -> None:
    """However far a message got when its connection broke, no part of it reaches the user."""
    service = Service(kind, ours, theirs)
    socket_type = service.client_kind
    whole = message(b"", b"first part", b"x" * 300, b"last part")
    for cut in range(1, len(whole), 37):
        peer = raw.connect(service.address)
        peer.handshake(socket_type)
        peer.send(whole[:cut])
        service.round_trip()
        peer.close() if cut % 2 else peer.reset()
    for _ in range(3):
        service.round_trip()
    wait_until(lambda: service.lost_connections() == len(range(1, len(whole), 37)), "all to be gone")
    if kind != "XPUB":
        assert not service.server.poll(ms(20))


def test_slow_talkers(ours: Side, theirs: Side, raw: RawPeers) -> None:
    """Peers that greet byte by byte are served if they come to the point in time, and do not slow down others."""
    service = Service("ROUTER", ours, theirs, HANDSHAKE_IVL=ms(3000))
    speech = greeting() + ready("DEALER") + message(b"slow", b"but sure")
    talkers = [raw.connect(service.address) for _ in range(5)]
    for start in range(len(speech)):
        for talker in talkers:
            talker.send(speech[start : start + 1])
        if start % 10 == 0:
            service.round_trip()
    assert [service.server.recv_multipart()[1:] for _ in talkers] == [[b"slow", b"but sure"]] * 5
    service.round_trip()


def test_a_storm_of_connections(ours: Side, theirs: Side) -> None:
    """Hundreds of connections that are reset at once cost the good client nothing and leave nothing behind."""
    service = Service("ROUTER", ours, theirs, BACKLOG=1000)
    for number in range(300):
        peer = RawPeer.connect(service.address)
        if number % 3 == 1:
            peer.send(greeting()[: number % 64])
        peer.reset() if number % 2 else peer.close()
        if number % 30 == 0:
            service.round_trip()

    def settled() -> bool:
        service.round_trip()
        seen = Counter(service.monitor.poll_all())
        return seen["ACCEPTED"] + seen["ACCEPT_FAILED"] >= 301 and seen["DISCONNECTED"] == seen["ACCEPTED"] - 1

    # A connection that was reset before it was accepted may show as accepted, as a failure to accept, or not at all.
    deadline = Deadline(seconds(1))
    while not deadline.expired and not settled():
        time.sleep(0.01)
    seen = Counter(service.monitor.poll_all())
    assert seen["DISCONNECTED"] == seen["ACCEPTED"] - 1 > 100


def test_a_flood_does_not_drown_the_others(ours: Side, theirs: Side, raw: RawPeers) -> None:
    """Fair queueing: while one peer sends all it can, the other's messages come through one after the other."""
    service = Service("PULL", ours, theirs)
    flooder = raw.connect(service.address)
    flooder.handshake("PUSH")
    batch = message(b"flood", bytes(50)) * 200
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            try:
                flooder.send(batch)
            except OSError:
                return

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(20):
            service.round_trip()
    finally:
        stop.set()
        flooder.half_close()
        join(thread, "the flood")


def test_wild_subscriptions(ours: Side, theirs: Side, raw: RawPeers) -> None:
    """Enormous, empty, odd and repeated topics, cancelled or not, from a peer that vanishes."""
    service = Service("XPUB", ours, theirs)
    topics = [b"", b"\0", b"\1good", b"x" * 255, b"x" * 256, bytes(90_000), *(b"%d" % n for n in range(2000))]
    peer = raw.connect(service.address)
    peer.handshake("SUB")
    peer.send(*map(subscribe, topics), *map(subscribe, topics[:100]))
    service.round_trip()
    peer.send(*map(cancel, topics[:1000]), *(message(b"\0" + topic) for topic in topics[:10]), cancel(b"unknown"))
    for _ in range(5):
        service.round_trip()
    peer.reset()
    service.monitor.wait("DISCONNECTED")
    for _ in range(5):
        service.round_trip()


def test_bad_listeners(ours: Side, theirs: Side, raw: RawPeers) -> None:
    """A connecting socket meets listeners that say wrong things or hang up, and works on with the one that is right."""
    push = ours.socket("PUSH", RECONNECT_IVL=5, HANDSHAKE_IVL=ms(100), IMMEDIATE=1)
    monitor = ours.monitor(push)
    # Not those that take part as ZMTP 1.0 peers or get through with an odd READY: they would get messages.
    speeches = [hasty_speech(script, "PULL") for script in SCRIPTS.values() if script.outcome not in (OLD, ADMITTED)]
    speeches = [speech for speech in speeches if speech[:1] in (b"", b"\xff") and ready("PULL") not in speech]
    listeners = [raw.listen() for _ in speeches]
    for listener in listeners:
        push.connect(listener.endpoint)
    for speech, listener in zip(speeches, listeners, strict=True):
        peer = raw.accept(listener)
        try:
            peer.send(speech)
        except OSError:
            pass
        peer.close()
    pull = theirs.socket("PULL")
    push.connect(bound_endpoint(pull, "tcp://127.0.0.1:*"))
    for number in range(20):
        push.send(b"%d" % number)
    assert [pull.recv() for _ in range(20)] == [b"%d" % number for number in range(20)]
    wait_until(lambda: monitor.poll_all(0.01).count("DISCONNECTED") >= len(speeches), "the refusals")
    assert monitor.names.count("HANDSHAKE_SUCCEEDED") == 1


# -- out of file descriptors ------------------------------------------------------------------------------------------


def in_a_process(function: Callable[[], None]) -> None:
    """Run a function of this module in a fresh process; it must end well, and soon."""
    code = f"from tests.test_bad_peers import {function.__name__} as run; run()"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, ""), f"exit status {done.returncode}\n{done.stdout}{done.stderr}"


class Scarcity:
    """Takes all file descriptors that the process may still have, and gives them back."""

    def __init__(self, limit: int = 100) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self._taken: list[sockets.socket] = []

    def take(self, leave: int = 0) -> None:
        """Leave this many free."""
        while True:
            try:
                self._taken.append(sockets.socket())
            except OSError:
                break
        for _ in range(leave):
            self._taken.pop().close()

    def give_back(self) -> None:
        """Close what was taken."""
        for sock in self._taken:
            sock.close()
        self._taken.clear()


def _library_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("ZMQbg")}


def _sockets_until_emfile(ctx: Any) -> list[Any]:
    made: list[Any] = []
    try:
        # Sockets closed before may still give back a descriptor meanwhile; there are not so many of them.
        while len(made) < 50:
            made.append(ctx.socket(OURS.PULL))
    except OURS.ZMQError as error:
        assert error.errno == errno.EMFILE, error
        return made
    raise AssertionError(f"{len(made)} sockets out of nothing")


def _no_descriptor_for_a_socket() -> None:
    ctx = OURS.Context()
    first = ctx.socket(OURS.PAIR)
    threads = _library_threads()
    scarcity = Scarcity()
    for leave in range(4):
        scarcity.take(leave)
        for sock in _sockets_until_emfile(ctx):
            sock.close()
        scarcity.give_back()
        late = ctx.socket(OURS.PULL)
        late.bind(f"inproc://{leave}")
        late.close()
    assert _library_threads() == threads
    first.close()
    ctx.term()


def test_no_descriptor_for_a_socket() -> None:
    """Creating a socket without a free descriptor is EMFILE, and works again when there is one."""
    in_a_process(_no_descriptor_for_a_socket)


def _no_descriptor_for_a_context() -> None:
    scarcity = Scarcity()
    ctx = OURS.Context()
    for leave in range(20):
        scarcity.take(leave)
        made = _sockets_until_emfile(ctx)
        scarcity.give_back()
        for sock in made:
            sock.close()
        if made:
            break
        assert len(_library_threads()) in (0, 2), "something half started is left"
    sock = ctx.socket(OURS.PULL)
    sock.bind("tcp://127.0.0.1:*")
    sock.close()
    ctx.term()
    assert not _library_threads()


@pytest.mark.departs
def test_no_descriptor_for_a_context() -> None:
    """The first socket starts the threads: with too few descriptors it is EMFILE, and the context can try again.

    libzmq aborts the process when a thread's mailbox or poller gets no descriptor.
    """
    in_a_process(_no_descriptor_for_a_context)


def _bind_without_a_descriptor(scarcity: Scarcity, sock: Any, address: str) -> None:
    scarcity.take()
    try:
        sock.bind(address)
    except OURS.ZMQError as error:
        assert error.errno == errno.EMFILE, error
    else:
        raise AssertionError("bind() succeeded without a descriptor")
    finally:
        scarcity.give_back()


def _no_descriptor_for_bind() -> None:
    ctx = OURS.Context()
    scarcity = Scarcity()
    # All of them first, and closed last: what is being closed gives back its descriptors at any time.
    made = [ctx.socket(kind) for kind in (OURS.PULL, OURS.PUSH, OURS.PULL, OURS.PUSH)]
    addresses = ("tcp://127.0.0.1:*", f"ipc://@bad-peers-{time.monotonic_ns()}")
    for pull, push, address in zip(made[::2], made[1::2], addresses, strict=True):
        _bind_without_a_descriptor(scarcity, pull, address)
        pull.bind(address)
        push.connect(pull.getsockopt(OURS.LAST_ENDPOINT).rstrip(b"\0").decode())
        push.send(b"works")
        pull.setsockopt(OURS.RCVTIMEO, 5000)
        assert pull.recv() == b"works"
    for sock in made:
        sock.close()
    ctx.term()


@pytest.mark.departs
def test_no_descriptor_for_bind() -> None:
    """bind() without a free descriptor is EMFILE; the same socket can bind later. libzmq aborts (ip_resolver)."""
    in_a_process(_no_descriptor_for_bind)


def _no_descriptor_for_connect() -> None:
    ctx = OURS.Context()
    pull, push = ctx.socket(OURS.PULL), ctx.socket(OURS.PUSH)
    push.setsockopt(OURS.RECONNECT_IVL, 20)
    for sock in (pull, push):
        sock.setsockopt(OURS.RCVTIMEO, 5000)
        sock.setsockopt(OURS.LINGER, 0)
    pull.bind("tcp://127.0.0.1:*")
    monitor = push.get_monitor_socket()
    threads = _library_threads()
    scarcity = Scarcity()
    scarcity.take()
    push.connect(pull.getsockopt(OURS.LAST_ENDPOINT).rstrip(b"\0").decode())
    push.send(b"patience")
    for _ in range(3):
        assert monitor.poll(5000), "it keeps trying"
        monitor.recv_multipart()
    scarcity.give_back()
    assert pull.recv() == b"patience"
    assert _library_threads() == threads
    push.disable_monitor()
    for sock in (monitor, push, pull):
        sock.close()
    ctx.term()


def test_no_descriptor_for_connect() -> None:
    """connect() succeeds, as always; the attempts go on until there is a descriptor."""
    in_a_process(_no_descriptor_for_connect)


# A client that says when its connection stands (in the kernel: nobody needs to have accepted it), then is served.
_CLIENT = """
import sys, zmq
sock = zmq.Context().socket(zmq.REQ)
monitor = sock.get_monitor_socket(zmq.EVENT_CONNECTED)
sock.connect(sys.argv[1])
monitor.recv_multipart()
print("connected", flush=True)
sock.send(b"x")
print(sock.recv().decode(), flush=True)
"""


def _accept_late(watched: bool) -> None:
    ctx = OURS.Context()
    rep = ctx.socket(OURS.REP)
    rep.setsockopt(OURS.RCVTIMEO, 5000)
    rep.setsockopt(OURS.LINGER, 0)
    rep.bind("tcp://127.0.0.1:*")
    monitor = rep.get_monitor_socket(OURS.EVENT_ACCEPT_FAILED) if watched else None
    address = rep.getsockopt(OURS.LAST_ENDPOINT).rstrip(b"\0").decode()
    scarcity = Scarcity()
    client = subprocess.Popen([sys.executable, "-c", _CLIENT, address], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    scarcity.take()
    assert client.stdout.readline() == "connected\n"
    threads = _library_threads()
    if monitor is not None:
        assert monitor.poll(5000), "no ACCEPT_FAILED"
        spent = time.process_time()
        time.sleep(0.3)
        spent = time.process_time() - spent
        assert spent < 0.1, f"{spent:.2f} s of processor time in 0.3 s: the listener spins"
        monitor.close()
    scarcity.give_back()
    assert rep.recv() == b"x"
    rep.send(b"served")
    assert client.stdout.read() == "served\n"
    client.wait(5)
    assert _library_threads() == threads
    rep.close()
    ctx.term()


def _accept_late_unwatched() -> None:
    _accept_late(watched=False)


def _accept_late_watched() -> None:
    _accept_late(watched=True)


def test_no_descriptor_for_accept() -> None:
    """A peer that cannot be accepted is served once descriptors are free again."""
    in_a_process(_accept_late_unwatched)


@pytest.mark.departs
def test_waiting_for_a_descriptor_is_told_and_costs_nothing() -> None:
    """ACCEPT_FAILED tells of it, and the listener pauses.

    libzmq's I/O thread spins on the listening descriptor, and stands still for ever when its events fill the monitor.
    """
    in_a_process(_accept_late_watched)


@pytest.mark.departs
def test_a_monitor_that_nobody_reads_stops_nothing(ours: Side, theirs: Side) -> None:
    """More events than the monitor's queue holds: the surplus is dropped, the server goes on.

    libzmq's I/O thread blocks on the full monitor socket.
    """
    server = ours.socket("ROUTER")
    server.monitor("inproc://monitor", real.EVENT_ALL)
    deaf = ours.socket("PAIR", RCVHWM=1)
    deaf.connect("inproc://monitor")
    address = bound_endpoint(server, "tcp://127.0.0.1:*")
    client = theirs.socket("DEALER")
    client.connect(address)
    # Three events each, and room for 1001.
    for number in range(350):
        RawPeer.connect(address).reset()
        if number % 50 == 0:
            client.send(b"still there?")
            server.send_multipart(server.recv_multipart())
            assert client.recv() == b"still there?"
