# SPDX-License-Identifier: MPL-2.0
"""The same scenario on our library and on real libzmq must end the same way: queue limits, blocking, drops, linger."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq as real

from tests.interop.conftest import Endpoint
from tests.interop.sides import OURS, REAL, Side, bound_endpoint, drain, errno_of, free_tcp_endpoint, join, rebind
from tests.interop.test_matrix import COMPATIBLE
from tests.support.waiting import Stopwatch, ms, seconds, wait_until

pytestmark = pytest.mark.interop

# What may take longer than it should on a loaded machine, in seconds.
SLACK = seconds(1)


def on_both(scenario: Callable[[Side], Any]) -> Any:
    """Run `scenario` with each library; the results must be equal. Returns them."""
    results = []
    for lib in (OURS, REAL):
        with Side(lib) as side:
            results.append(scenario(side))
    assert results[0] == results[1], f"ours {results[0]}, real {results[1]}"
    return results[0]


def fill(sock: Any, body: list[bytes], limit: int = 5000, flags: int = real.DONTWAIT) -> int:
    """Send `body` until EAGAIN, by default without blocking; how many times it went."""
    for count in range(limit):
        if errno_of(lambda: sock.send_multipart(body, flags)):
            return count
    return limit


def pair_of(side: Side, sender: str, receiver: str, order: str, **hwm: int) -> tuple[Any, Any]:
    """Two inproc sockets joined in the given order, with snd and rcv as the two limits that matter."""
    source = side.socket(sender, SNDHWM=hwm["snd"])
    sink = side.socket(receiver, RCVHWM=hwm["rcv"])
    first, second = (sink, source) if order == "sink binds" else (source, sink)
    if order == "connects first":
        second.connect("inproc://x")
        first.bind("inproc://x")
    else:
        first.bind("inproc://x")
        second.connect("inproc://x")
    return source, sink


# -- queue limits over inproc: exact --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["sink binds", "source binds", "connects first"])
@pytest.mark.parametrize(("snd", "rcv"), [(1, 1), (2, 3), (10, 1), (1, 10), (100, 7), (0, 5), (5, 0)])
@pytest.mark.parametrize(("sender", "receiver"), [("PUSH", "PULL"), ("PAIR", "PAIR"), ("DEALER", "DEALER")])
def test_an_inproc_queue_holds_the_sum_of_both_limits(
    sender: str, receiver: str, snd: int, rcv: int, order: str
) -> None:
    """SNDHWM + RCVHWM messages fit, the next is EAGAIN; either limit 0 means none. Parts do not count, messages do."""

    def scenario(side: Side) -> tuple[int, int]:
        source, sink = pair_of(side, sender, receiver, order, snd=snd, rcv=rcv)
        if order == "connects first":
            sink.poll(0)  # both look at the news of the late bind before the count begins
        sent = fill(source, [b"a", b"b", b"c"], 300)
        return sent, len(drain(sink))

    expected = 300 if 0 in (snd, rcv) else snd + rcv
    assert on_both(scenario) == (expected, expected)


@pytest.mark.parametrize(("snd", "rcv"), [(1, 1), (2, 3), (5, 5), (8, 1), (50, 50)])
def test_a_full_inproc_queue_reopens_at_the_low_water_mark(snd: int, rcv: int) -> None:
    """After how many reads a full queue takes messages again, and how many it then takes."""

    def scenario(side: Side) -> list[tuple[int, int]]:
        source, sink = pair_of(side, "PUSH", "PULL", "sink binds", snd=snd, rcv=rcv)
        fill(source, [b"x"])
        rounds = []
        for _ in range(3):
            reads = 0
            while not source.getsockopt(real.EVENTS) & real.POLLOUT:
                sink.recv()
                reads += 1
            rounds.append((reads, fill(source, [b"x"])))
        return rounds

    low_water = (snd + rcv + 1) // 2
    assert on_both(scenario)[0] == (low_water, low_water)


def test_a_blocked_send_goes_on_when_the_reader_reads() -> None:
    """A blocking send on a full queue returns once there is room; with SNDTIMEO it gives up in time."""

    def scenario(side: Side) -> list[bool]:
        source, sink = pair_of(side, "PUSH", "PULL", "sink binds", snd=1, rcv=1)
        fill(source, [b"x"])
        source.setsockopt(real.SNDTIMEO, ms(50))
        watch = Stopwatch()
        gave_up = errno_of(lambda: source.send(b"y")) == real.EAGAIN and seconds(0.05) <= watch.elapsed < SLACK
        source.setsockopt(real.SNDTIMEO, ms(5000))
        sender = threading.Thread(target=source.send, args=(b"z",))
        sender.start()
        sender.join(0.03)
        blocked = sender.is_alive()
        received = [sink.recv(), sink.recv(), sink.recv()]
        join(sender, "the blocked send")
        return [gave_up, blocked, received == [b"x", b"x", b"z"]]

    assert on_both(scenario) == [True, True, True]


@pytest.mark.parametrize(("snd", "rcv"), [(1, 1), (3, 3), (10, 4)])
@pytest.mark.parametrize("publisher", ["PUB", "XPUB"])
def test_a_publisher_drops_what_does_not_fit(publisher: str, snd: int, rcv: int) -> None:
    """Of a burst exactly the first SNDHWM + RCVHWM stay; after a full read-out as many of the next burst."""

    def scenario(side: Side) -> list[list[bytes]]:
        source, sink = pair_of(side, publisher, "SUB", "source binds", snd=snd, rcv=rcv)
        sink.setsockopt(real.SUBSCRIBE, b"")
        source.getsockopt(real.EVENTS)
        bursts = []
        for burst in range(3):
            for number in range(2 * (snd + rcv)):
                source.send(b"%d.%d" % (burst, number))
            bursts.append([frames[0] for frames in drain(sink)])
            source.getsockopt(real.EVENTS)
        return bursts

    kept = range(snd + rcv)
    assert on_both(scenario) == [[b"%d.%d" % (burst, number) for number in kept] for burst in range(3)]


def test_a_publisher_resumes_when_a_slow_reader_reaches_the_low_water_mark() -> None:
    """What a subscriber sees when it reads k of a full queue between two sends, for each k; others are not affected."""

    def scenario(side: Side) -> list[tuple[list[bytes], int]]:
        seen = []
        for reads in range(7):
            source, slow = pair_of(side, "PUB", "SUB", "source binds", snd=3, rcv=3)
            fast = side.socket("SUB", SUBSCRIBE=b"", RCVHWM=100)
            fast.connect("inproc://x")
            slow.setsockopt(real.SUBSCRIBE, b"")
            source.getsockopt(real.EVENTS)
            for number in range(10):
                source.send(b"%d" % number)
            early = [slow.recv() for _ in range(reads)]
            source.getsockopt(real.EVENTS)
            for number in range(10, 20):
                source.send(b"%d" % number)
            seen.append((early + [frames[0] for frames in drain(slow)], len(drain(fast))))
            source.unbind("inproc://x")
        return seen

    assert on_both(scenario)[0] == ([b"%d" % number for number in range(6)], 20)


def test_a_publisher_that_must_not_drop_says_eagain() -> None:
    """XPUB_NODROP: a full subscriber makes send fail for everybody; nobody gets the refused message."""

    def scenario(side: Side) -> tuple[int, int, int]:
        source, slow = pair_of(side, "XPUB", "SUB", "source binds", snd=2, rcv=2)
        fast = side.socket("SUB", SUBSCRIBE=b"", RCVHWM=100)
        fast.connect("inproc://x")
        slow.setsockopt(real.SUBSCRIBE, b"")
        source.setsockopt(real.XPUB_NODROP, 1)
        source.getsockopt(real.EVENTS)
        return fill(source, [b"x"], 100), len(drain(slow)), len(drain(fast))

    assert on_both(scenario) == (4, 4, 4)


@pytest.mark.parametrize("mandatory", [0, 1])
def test_a_router_with_a_full_peer(mandatory: int) -> None:
    """ROUTER drops for a full peer; with ROUTER_MANDATORY it says EAGAIN instead, and EHOSTUNREACH for a stranger."""

    def scenario(side: Side) -> tuple[int, int, int, int]:
        router = side.socket("ROUTER", SNDHWM=2, ROUTER_MANDATORY=mandatory)
        dealer = side.socket("DEALER", RCVHWM=3, ROUTING_ID=b"peer")
        router.bind("inproc://x")
        dealer.connect("inproc://x")
        router.getsockopt(real.EVENTS)
        sent = fill(router, [b"peer", b"x"], 20)
        writable = router.getsockopt(real.EVENTS) & real.POLLOUT
        stranger = errno_of(lambda: router.send_multipart([b"nobody", b"x"]))
        return sent, writable, stranger, len(drain(dealer))

    expected = (5, 0, real.EHOSTUNREACH, 5) if mandatory else (20, real.POLLOUT, 0, 5)
    assert on_both(scenario) == expected


@pytest.mark.parametrize("kind", COMPATIBLE)
def test_a_socket_without_peers(kind: str) -> None:
    """The errno of a non-blocking send, a first part, and a receive on a fresh socket, and what EVENTS says."""

    def scenario(side: Side) -> list[int]:
        one, two, three, four = (side.socket(kind) for _ in range(4))
        return [
            errno_of(lambda: one.send(b"x", real.DONTWAIT)),
            errno_of(lambda: two.send(b"x", real.DONTWAIT | real.SNDMORE)),
            errno_of(lambda: three.recv(real.DONTWAIT)),
            four.getsockopt(real.EVENTS),
        ]

    on_both(scenario)


@pytest.mark.parametrize("blocked", ["send", "recv"])
def test_a_timeout_is_kept(blocked: str) -> None:
    """RCVTIMEO and SNDTIMEO end a hopeless call with EAGAIN, not earlier and not much later."""

    def scenario(side: Side) -> tuple[int, bool]:
        sock = side.socket("DEALER", RCVTIMEO=ms(60), SNDTIMEO=ms(60))
        watch = Stopwatch()
        errno = errno_of(sock.recv if blocked == "recv" else lambda: sock.send(b""))
        return errno, seconds(0.06) <= watch.elapsed < SLACK

    assert on_both(scenario) == (real.EAGAIN, True)


# -- queue limits over tcp: the kernel holds some too ----------------------------------------------------------------


def test_a_tcp_sender_blocks_when_all_queues_are_full(endpoint: Endpoint) -> None:
    """With a peer that does not read, SNDHWM + RCVHWM messages plus what the kernel and the engines hold go out."""
    frame = bytes(16 * 1024)
    counts = {}
    for sender_lib, receiver_lib in itertools.product((OURS, REAL), repeat=2):
        with Side(sender_lib) as left, Side(receiver_lib) as right:
            sink = right.socket("PULL", RCVHWM=10, RCVBUF=32768)
            source = left.socket("PUSH", SNDHWM=10, SNDBUF=32768, SNDTIMEO=ms(200))
            source.connect(bound_endpoint(sink, endpoint("tcp")))
            count = fill(source, [frame], flags=0)
            assert len([sink.recv() for _ in range(count)]) == count
            assert not sink.poll(20)
            counts[left.name, right.name] = count
    reference = counts["real", "real"]
    # The engines of both libraries hold a batch or so beyond the queues; the kernel's buffers are the same for all.
    assert all(20 <= count <= reference + 40 for count in counts.values()), counts


def test_a_tcp_publisher_never_blocks(endpoint: Endpoint) -> None:
    """A subscriber that does not read keeps the first SNDHWM of a burst, loses others, and recovers when it reads."""
    frame = bytes(16 * 1024)

    def scenario(side: Side) -> list[bool]:
        with Side(REAL) as other:
            sub = other.socket("SUB", SUBSCRIBE=b"", RCVHWM=10, RCVBUF=32768)
            pub = side.socket("XPUB", SNDHWM=10, SNDBUF=32768)
            sub.connect(bound_endpoint(pub, endpoint("tcp")))
            assert pub.recv() == b"\1"
            for number in range(300):
                pub.send_multipart([b"%d" % number, frame])
            numbers = [int(frames[0]) for frames in drain(sub, 100)]
            pub.getsockopt(real.EVENTS)
            pub.send_multipart([b"300", frame])
            recovered = sub.recv_multipart() == [b"300", frame]
            return [numbers[:10] == list(range(10)), numbers == sorted(set(numbers)), len(numbers) < 300, recovered]

    assert on_both(scenario) == [True, True, True, True]


# -- linger -----------------------------------------------------------------------------------------------------------


def closing(side: Side, sock: Any, linger: int | None = None) -> tuple[threading.Thread, Stopwatch]:
    """Close the socket and terminate the context in a thread."""
    watch = Stopwatch()
    sock.close(linger=linger)
    assert watch.elapsed < SLACK, "close() must not wait"
    terminator = threading.Thread(target=side.ctx.term, daemon=True)
    terminator.start()
    return terminator, watch


@pytest.mark.parametrize("how", ["option", "argument"])
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("linger", [0, 200])
def test_term_waits_for_the_linger_period(endpoint: Endpoint, linger: int, transport: str, how: str) -> None:
    """With messages for a peer that cannot be reached, term() takes as long as LINGER says."""
    address = free_tcp_endpoint() if transport == "tcp" else endpoint(transport)

    def scenario(side: Side) -> bool:
        push = side.socket("PUSH", LINGER=-1 if how == "argument" else ms(linger))
        push.connect(address)
        push.send(b"never arrives")
        terminator, watch = closing(side, push, ms(linger) if how == "argument" else None)
        join(terminator, "term()")
        return seconds(linger / 1000) <= watch.elapsed + 0.002 < seconds(linger / 1000) + SLACK / 2

    assert on_both(scenario)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_infinite_linger_delivers_late(endpoint: Endpoint, transport: str) -> None:
    """LINGER -1: the closed socket keeps trying; when the peer appears it gets everything, and term() returns."""
    address = free_tcp_endpoint() if transport == "tcp" else endpoint(transport)

    def scenario(side: Side) -> list[bytes]:
        push = side.socket("PUSH", LINGER=-1)
        push.connect(address)
        for number in range(5):
            push.send(b"%d" % number)
        terminator, _ = closing(side, push)
        terminator.join(0.15)
        assert terminator.is_alive()
        with Side(REAL) as other:
            pull = rebind(lambda: other.socket("PULL"), address)
            received = [pull.recv() for _ in range(5)]
            join(terminator, "term()")
        return received

    assert on_both(scenario) == [b"0", b"1", b"2", b"3", b"4"]


def test_linger_while_the_peer_does_not_read(endpoint: Endpoint) -> None:
    """The period also ends for a peer that is connected but takes nothing more."""

    def scenario(side: Side) -> bool:
        with Side(REAL) as other:
            pull = other.socket("PULL", RCVHWM=1, RCVBUF=8192)
            push = side.socket("PUSH", SNDHWM=1000, SNDBUF=8192, LINGER=ms(150))
            push.connect(bound_endpoint(pull, endpoint("tcp")))
            for _ in range(100):
                push.send(bytes(16 * 1024))
            assert pull.recv()
            terminator, watch = closing(side, push)
            join(terminator, "term()")
            return seconds(0.15) <= watch.elapsed + 0.002 < seconds(0.15) + SLACK / 2

    assert on_both(scenario)


def test_a_healthy_peer_gets_everything_sent_before_close(endpoint: Endpoint) -> None:
    """Close right after a burst: all of it arrives although the sender is gone, and term() ends as soon as it has."""

    def scenario(side: Side) -> int:
        with Side(REAL) as other:
            pull = other.socket("PULL", RCVHWM=0)
            push = side.socket("PUSH", SNDHWM=0, LINGER=-1)
            push.connect(bound_endpoint(pull, endpoint("tcp")))
            for number in range(2000):
                push.send_multipart([b"%d" % number, bytes(500)])
            terminator, _ = closing(side, push)
            received: int = sum(pull.recv_multipart()[0] == b"%d" % number for number in range(2000))
            join(terminator, "term()")
            return received

    assert on_both(scenario) == 2000


def test_linger_of_a_binder_without_peers() -> None:
    """Nothing is queued for peers that never came, so nothing lingers: PUB drops, a bound ROUTER drops."""

    def scenario(side: Side) -> bool:
        for kind in ("PUB", "ROUTER", "XPUB"):
            sock = side.socket(kind, LINGER=-1)
            sock.bind("tcp://127.0.0.1:*")
            sock.send_multipart([b"to", b"nobody"])
            sock.close()
        watch = Stopwatch()
        terminator = threading.Thread(target=side.ctx.term, daemon=True)
        terminator.start()
        join(terminator, "term()")
        return watch.elapsed < SLACK / 2

    assert on_both(scenario)


def test_linger_of_a_disconnected_endpoint(endpoint: Endpoint) -> None:
    """disconnect() lingers in the background: the socket is usable at once, and what was queued still arrives."""
    address = endpoint("ipc")

    def scenario(side: Side) -> list[bytes]:
        push = side.socket("PUSH", LINGER=-1)
        push.connect(address)
        push.send(b"queued")
        push.disconnect(address)
        assert errno_of(lambda: push.send(b"no peer any more", real.DONTWAIT)) == real.EAGAIN
        with Side(REAL) as other:
            pull = other.socket("PULL")
            pull.bind(address)
            return [pull.recv()]

    assert on_both(scenario) == [b"queued"]


def test_term_waits_for_the_application_to_close_its_sockets() -> None:
    """term() makes every call on a socket fail with ETERM, a blocked one too, and returns once all are closed."""

    def scenario(side: Side) -> list[int]:
        idle, blocked = side.socket("PUSH"), side.socket("PULL", RCVTIMEO=-1)
        errors: list[int] = []
        reader = threading.Thread(target=lambda: errors.append(errno_of(blocked.recv)))
        reader.start()
        terminator = threading.Thread(target=side.ctx.term, daemon=True)
        time.sleep(0.02)
        terminator.start()
        join(reader, "the blocked recv()")
        wait_until(lambda: errno_of(lambda: idle.send(b"", real.DONTWAIT)) == real.ETERM, "ETERM")
        errors += [
            errno_of(lambda: idle.bind("inproc://a")),
            errno_of(lambda: idle.setsockopt(real.SNDHWM, 3)),
            errno_of(lambda: idle.getsockopt(real.EVENTS)),
        ]
        terminator.join(0.02)
        assert terminator.is_alive()
        idle.close()
        blocked.close()
        join(terminator, "term()")
        return errors

    assert on_both(scenario) == [real.ETERM] * 4
