# SPDX-License-Identifier: MPL-2.0
"""Options seen from outside: what /proc and the kernel's sockets say of threads, queues, interfaces and packets.

reference/socket-options.csv, context-options.csv. Linux only; elsewhere there is nothing to look at.
"""

import errno
import os
import socket as pysocket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from tests.sockets.helpers import (
    LIMIT,
    MakeSocket,
    MakeWatch,
    bind,
    is_quiet,
    last_endpoint,
    link,
    raises_errno,
    receive,
    settle,
)
from tests.support.raw_peer import RawPeers
from tests.support.target import zmq
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and Linux's socket options")

MakeContext = Callable[..., Any]


@contextmanager
def os_socket(fd: int) -> Iterator[pysocket.socket]:
    """The operating system's socket behind a descriptor of the library, borrowed."""
    with pysocket.socket(fileno=os.dup(fd)) as borrowed:
        yield borrowed


# --- threads ---------------------------------------------------------------------------------------------------------


class Thread(NamedTuple):
    """What /proc tells of a thread."""

    name: str
    niceness: int
    policy: int
    priority: int
    cpus: set[int]


def threads() -> dict[int, Thread]:
    """All threads of this process."""
    found = {}
    for tid in map(int, os.listdir("/proc/self/task")):
        try:
            with open(f"/proc/self/task/{tid}/stat") as stat:
                head, _, rest = stat.read().rpartition(")")
            cpus = os.sched_getaffinity(tid)
        except OSError:
            continue  # it has ended
        fields = rest.split()
        found[tid] = Thread(head.partition("(")[2], int(fields[16]), int(fields[38]), int(fields[37]), cpus)
    return found


@pytest.fixture
def context() -> Iterator[MakeContext]:
    """`ctx, threads = context(THREAD_NAME_PREFIX=7)`: a context with these options, its threads started."""
    made = []

    def make(**options: int) -> tuple[Any, list[Thread]]:
        before = threads()
        ctx = zmq.Context()
        made.append(ctx)
        for name, value in options.items():
            ctx.set(getattr(zmq, name), value)
        ctx.socket(zmq.PAIR).close(0)
        count = 1 + ctx.get(zmq.IO_THREADS)

        def started() -> list[Thread]:
            new = [thread for tid, thread in threads().items() if tid not in before]
            # The last thing a thread does before it runs is to take over the settings; then it waits.
            return sorted(new) if len(new) == count and all("ZMQ" in thread.name for thread in new) else []

        return ctx, wait_until(started, f"{count} threads")

    yield make
    for ctx in made:
        ctx.destroy(0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_io_threads_is_the_number_of_threads(context: MakeContext, count: int) -> None:
    """The reaper and so many others, under the names libzmq gives them, with the settings of this process."""
    own = threads()[threading.get_native_id()]
    _, started = context(IO_THREADS=count)
    assert [thread.name for thread in started] == [*(f"ZMQbg/IO/{number}" for number in range(count)), "ZMQbg/Reaper"]
    assert {thread[1:4] for thread in started} == {own[1:4]}
    assert all(thread.cpus == own.cpus for thread in started)


def test_io_threads_counts_before_the_first_socket(context: MakeContext) -> None:
    """A later change is stored and starts nothing."""
    ctx, _ = context(IO_THREADS=1)
    before = threads()
    ctx.set(zmq.IO_THREADS, 3)
    ctx.set(zmq.THREAD_NAME_PREFIX, 5)
    assert ctx.get(zmq.IO_THREADS) == 3
    ctx.socket(zmq.PAIR).close(0)
    assert threads().keys() == before.keys()
    assert {thread.name for thread in threads().values()} == {thread.name for thread in before.values()}


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        (0, ["0/ZMQbg/IO/0", "0/ZMQbg/Reaper"]),
        (42, ["42/ZMQbg/IO/0", "42/ZMQbg/Reaper"]),
        (1234567, ["1234567/ZMQbg/I", "1234567/ZMQbg/R"]),
        (-2147483648, ["-2147483648/ZMQ", "-2147483648/ZMQ"]),
    ],
)
def test_thread_name_prefix(context: MakeContext, prefix: int, names: list[str]) -> None:
    """In front of the names, as far as the system keeps them."""
    ctx, started = context(THREAD_NAME_PREFIX=prefix)
    assert [thread.name for thread in started] == names
    assert ctx.get(zmq.THREAD_NAME_PREFIX) == prefix


@pytest.mark.departs
def test_thread_name_prefix_as_text() -> None:
    """set_ext, which pyzmq does not have: 1 to 16 bytes."""
    before = threads()
    with zmq.Context() as ctx:
        for wrong in (b"", b"x" * 17):
            with raises_errno(errno.EINVAL):
                ctx.set_ext(zmq.THREAD_NAME_PREFIX, wrong)
        assert ctx.get_ext(zmq.THREAD_NAME_PREFIX) == b""
        ctx.set_ext(zmq.THREAD_NAME_PREFIX, "12 apes")
        assert ctx.get_ext(zmq.THREAD_NAME_PREFIX) == b"12 apes"
        assert ctx.get(zmq.THREAD_NAME_PREFIX) == 12
        with raises_errno(errno.EINVAL):
            ctx.set_ext(zmq.IO_THREADS, b"1")
        ctx.set_ext(zmq.IO_THREADS, 2)
        assert ctx.get_ext(zmq.IO_THREADS) == 2
        ctx.socket(zmq.PAIR).close(0)
        wanted = {"12 apes/ZMQbg/I", "12 apes/ZMQbg/R"}
        wait_until(lambda: {thread.name for tid, thread in threads().items() if tid not in before} == wanted)


def test_thread_affinity(context: MakeContext) -> None:
    """THREAD_AFFINITY_CPU_ADD and _REMOVE: the background threads stay on the CPUs added, the application does not."""
    own = os.sched_getaffinity(0)
    cpu = max(own)
    ctx = zmq.Context()
    with raises_errno(errno.EINVAL):
        ctx.set(zmq.THREAD_AFFINITY_CPU_REMOVE, cpu)
    ctx.set(zmq.THREAD_AFFINITY_CPU_ADD, cpu)
    ctx.set(zmq.THREAD_AFFINITY_CPU_REMOVE, cpu)
    with raises_errno(errno.EINVAL):
        ctx.set(zmq.THREAD_AFFINITY_CPU_REMOVE, cpu)
    ctx.term()
    _, started = context(THREAD_AFFINITY_CPU_ADD=cpu)
    wait_until(lambda: [thread.cpus for thread in library_threads()] == [{cpu}] * len(started))
    assert os.sched_getaffinity(0) == own


def library_threads() -> list[Thread]:
    return [thread for thread in threads().values() if "ZMQ" in thread.name]


@pytest.mark.parametrize(
    ("policy", "priority", "settings"),
    [
        (os.SCHED_BATCH, None, (os.SCHED_BATCH, 0)),
        (os.SCHED_IDLE, None, (os.SCHED_IDLE, 0)),
        (os.SCHED_OTHER, None, (os.SCHED_OTHER, 0)),
        (os.SCHED_FIFO, 3, (os.SCHED_FIFO, 3)),
        (os.SCHED_RR, 1, (os.SCHED_RR, 1)),
    ],
)
def test_thread_sched_policy(
    context: MakeContext, policy: int, priority: int | None, settings: tuple[int, int]
) -> None:
    """Policy and, for a real-time one, priority; who may not have that runs as before."""
    own = threads()[threading.get_native_id()]
    if priority is not None and not may_be_nice():
        settings = (own.policy, own.priority)
    options = {"THREAD_SCHED_POLICY": policy, **({} if priority is None else {"THREAD_PRIORITY": priority})}
    _, started = context(**options)
    wait_until(lambda: [thread[2:4] for thread in library_threads()] == [settings] * len(started))
    assert threads()[threading.get_native_id()] == own


def test_thread_priority_alone(context: MakeContext) -> None:
    """Without a real-time policy any priority above 0 is the highest niceness, for who may have it."""
    own = threads()[threading.get_native_id()]
    _, started = context(THREAD_PRIORITY=1)
    niceness = max(own.niceness - 20, -20) if may_be_nice() else own.niceness
    wait_until(lambda: [thread.niceness for thread in library_threads()] == [niceness] * len(started))
    assert threads()[threading.get_native_id()] == own


def may_be_nice() -> bool:
    """True if this process may give a thread a higher priority than it has."""
    allowed = []

    def ask() -> None:
        try:
            os.nice(-1)
        except OSError:
            return
        allowed.append(True)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    return bool(allowed)


# --- other options of the context ------------------------------------------------------------------------------------


def test_ipv6_of_the_context_is_the_sockets_default() -> None:
    """For sockets made later."""
    with zmq.Context() as ctx:
        with ctx.socket(zmq.PAIR) as before:
            ctx.set(zmq.IPV6, 1)
            with ctx.socket(zmq.PAIR) as after:
                assert (before.getsockopt(zmq.IPV6), after.getsockopt(zmq.IPV6)) == (0, 1)
                after.bind("tcp://[::1]:*")


def test_blocky_of_the_context_is_the_sockets_linger() -> None:
    """BLOCKY 0: sockets made later do not linger, so that a context ends at once."""
    with zmq.Context() as ctx:
        with ctx.socket(zmq.PUSH) as before:
            ctx.set(zmq.BLOCKY, 0)
            with ctx.socket(zmq.PUSH) as after:
                assert (before.getsockopt(zmq.LINGER), after.getsockopt(zmq.LINGER)) == (-1, 0)


@pytest.mark.departs
def test_any_number_of_sockets_may_be_wished_for() -> None:
    """MAX_SOCKETS costs nothing for sockets that are not made. (libzmq allocates its table at the first socket.)"""
    with zmq.Context() as ctx:
        ctx.set(zmq.MAX_SOCKETS, 2**31 - 1)
        assert ctx.get(zmq.MAX_SOCKETS) == 2**31 - 1
        ctx.socket(zmq.PAIR).close()


def test_facts_of_the_context() -> None:
    """SOCKET_LIMIT and MSG_T_SIZE are read only; MAX_MSGSZ and ZERO_COPY_RECV are stored, and libzmq limits nothing."""
    with zmq.Context() as ctx, ctx.socket(zmq.PULL) as pull, ctx.socket(zmq.PUSH) as push:
        assert (ctx.get(zmq.SOCKET_LIMIT), ctx.get(zmq.MSG_T_SIZE)) == (65535, 64)
        with raises_errno(errno.EINVAL):
            ctx.set(zmq.MSG_T_SIZE, 64)
        ctx.set(zmq.MAX_MSGSZ, 3)
        assert ctx.get(zmq.MAX_MSGSZ) == 3
        link(pull, push, "tcp")
        push.send(b"more than three")
        assert pull.recv() == b"more than three"


# --- which thread serves what ----------------------------------------------------------------------------------------


def pollers_of(fd: int) -> set[int]:
    """The epoll descriptors of this process that watch a descriptor."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}") != "anon_inode:[eventpoll]":
                continue
            with open(f"/proc/self/fdinfo/{number}") as info:
                watched = {int(line.split()[1]) for line in info if line.startswith("tfd:")}
        except OSError:
            continue
        if fd in watched:
            found.add(int(number))
    return found


def test_affinity_chooses_the_thread() -> None:
    """Listeners and connections of sockets with one bit of AFFINITY live in one thread, with another bit in another."""
    with zmq.Context(io_threads=3) as ctx:
        used: dict[int, set[int]] = {}
        for bit in (0b001, 0b010, 0b100, 0b010, 0b001):
            with ctx.socket(zmq.PULL) as pull, ctx.socket(zmq.PUSH) as push:
                for sock in (pull, push):
                    sock.setsockopt(zmq.AFFINITY, bit)
                    sock.setsockopt(zmq.LINGER, 0)
                pull.setsockopt(zmq.RCVTIMEO, LIMIT)
                monitors = [pull.get_monitor_socket(), push.get_monitor_socket()]
                link(pull, push, "tcp")
                push.send(b"x")
                assert pull.recv() == b"x"
                for monitor in monitors:
                    while monitor.poll(20):
                        event, fd = struct.unpack("=Hi", monitor.recv_multipart()[0])
                        if event in (zmq.EVENT_LISTENING, zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
                            used.setdefault(bit, set()).update(pollers_of(fd))
                pull.disable_monitor()
                push.disable_monitor()
                for monitor in monitors:
                    monitor.close(0)
        assert [len(pollers) for pollers in used.values()] == [1, 1, 1]
        assert len(set.union(*used.values())) == 3


def test_listeners_are_spread_over_the_threads() -> None:
    """AFFINITY 0: each new endpoint goes to the thread that watches the fewest descriptors at that moment."""
    with zmq.Context(io_threads=2) as ctx, ctx.socket(zmq.PULL) as pull:
        monitor = pull.get_monitor_socket()
        pollers = []
        for _ in range(4):
            pull.bind("tcp://127.0.0.1:*")
            fd = struct.unpack("=Hi", monitor.recv_multipart()[0])[1]
            pollers.append(wait_until(lambda fd=fd: pollers_of(fd), "the listener to be watched"))  # type: ignore[misc]
        pull.disable_monitor()
        monitor.close(0)
        assert [len(one) for one in pollers] == [1, 1, 1, 1]
        assert pollers[0] == pollers[2] != pollers[1] == pollers[3]


# --- the kernel's sockets --------------------------------------------------------------------------------------------


def backlog(sock: pysocket.socket) -> int:
    """The length of a listening tcp socket's queue (tcpi_sacked of struct tcp_info)."""
    info = sock.getsockopt(pysocket.IPPROTO_TCP, pysocket.TCP_INFO, 104)
    return int(struct.unpack_from("I", info, 28)[0])


@pytest.mark.parametrize("length", [0, 1, 7, 1000])
def test_backlog(socket: MakeSocket, watch: MakeWatch, length: int) -> None:
    """BACKLOG is the queue of the listening socket, and counts for binds to come."""
    pull = socket(zmq.PULL, backlog=length)
    events = watch(pull)
    bind(pull, "tcp")
    pull.setsockopt(zmq.BACKLOG, 50)
    bind(pull, "tcp")
    events.wait(zmq.EVENT_LISTENING, 2)
    found = []
    for fd in events.values(zmq.EVENT_LISTENING):
        with os_socket(fd) as sock:
            found.append(backlog(sock))
    with open("/proc/sys/net/core/somaxconn") as limit:
        somaxconn = int(limit.read())
    assert found == [min(length, somaxconn), 50]


@pytest.mark.parametrize("tos", [0x10, 0xB8])
def test_tos_of_ipv6(socket: MakeSocket, watch: MakeWatch, tos: int) -> None:
    """It is the traffic class there; on the accepted end, too."""
    options = {"ipv6": 1, "tos": tos}
    pull, push = socket(zmq.PULL, **options), socket(zmq.PUSH, **options)
    events = [watch(pull), watch(push)]
    pull.bind("tcp://[::1]:*")
    push.connect(last_endpoint(pull))
    push.send(b"x")
    assert pull.recv() == b"x"
    fds = [events[0].wait(zmq.EVENT_LISTENING), events[0].wait(zmq.EVENT_ACCEPTED), events[1].wait(zmq.EVENT_CONNECTED)]
    for fd in fds:
        with os_socket(fd) as sock:
            assert sock.getsockopt(pysocket.IPPROTO_IPV6, pysocket.IPV6_TCLASS) == tos


def test_bind_to_device(socket: MakeSocket, watch: MakeWatch) -> None:
    """BINDTODEVICE ties what is opened later to the interface; None unties."""
    pull, push = socket(zmq.PULL, bindtodevice=b"lo"), socket(zmq.PUSH, bindtodevice=b"lo")
    events = [watch(pull), watch(push)]
    link(pull, push, "tcp")
    push.send(b"x")
    assert pull.recv() == b"x"
    for fd in (events[0].wait(zmq.EVENT_LISTENING), events[1].wait(zmq.EVENT_CONNECTED)):
        with os_socket(fd) as sock:
            device = sock.getsockopt(pysocket.SOL_SOCKET, pysocket.SO_BINDTODEVICE, 16)
            assert device.rstrip(b"\0") == b"lo"


def test_a_device_that_is_not_there(socket: MakeSocket, watch: MakeWatch) -> None:
    """bind fails with the system's ENODEV; connect is tried again and again."""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH, bindtodevice=b"nodev0", reconnect_ivl=10)
    endpoint = bind(pull, "tcp")
    pull.setsockopt(zmq.BINDTODEVICE, b"nodev0")
    with raises_errno(errno.ENODEV):
        pull.bind("tcp://127.0.0.1:*")
    events = watch(push)
    push.connect(endpoint)
    events.wait(zmq.EVENT_CONNECT_RETRIED, 2)
    assert is_quiet(pull)


def test_buffers_count_before_the_connection(socket: MakeSocket, watch: MakeWatch) -> None:
    """RCVBUF of a listener is inherited by what it accepts, so that the window is right from the first packet."""
    pull, push = socket(zmq.PULL, rcvbuf=20_000), socket(zmq.PUSH)
    events = watch(pull)
    link(pull, push, "tcp")
    for event in (zmq.EVENT_LISTENING, zmq.EVENT_ACCEPTED):
        with os_socket(events.wait(event)) as sock:
            assert sock.getsockopt(pysocket.SOL_SOCKET, pysocket.SO_RCVBUF) == 40_000


def test_the_default_leaves_buffers_to_the_system(socket: MakeSocket, watch: MakeWatch) -> None:
    """-1 sets nothing."""
    pull = socket(zmq.PULL)
    events = watch(pull)
    bind(pull, "tcp")
    with os_socket(events.wait(zmq.EVENT_LISTENING)) as sock, pysocket.socket() as plain:
        for name in (pysocket.SO_SNDBUF, pysocket.SO_RCVBUF):
            assert sock.getsockopt(pysocket.SOL_SOCKET, name) == plain.getsockopt(pysocket.SOL_SOCKET, name)


@pytest.mark.departs
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_descriptor_that_does_not_listen(socket: MakeSocket, transport: str) -> None:
    """USE_FD with a descriptor that is closed: bind fails, and the socket goes on without it. (libzmq aborts.)"""
    pull, push = socket(zmq.PULL), socket(zmq.PUSH)
    with pysocket.socket() as closed:
        fd = closed.fileno()
    pull.setsockopt(zmq.USE_FD, fd)
    with pytest.raises(zmq.ZMQError):
        pull.bind({"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://@nobody"}[transport])
    pull.setsockopt(zmq.USE_FD, -1)
    link(pull, push, transport)
    push.send(b"x")
    assert receive(pull, 1) == [b"x"]


def test_ipc_filters_add_up(socket: MakeSocket, raw: RawPeers) -> None:
    """A peer that passes one of all filters is admitted; of each kind there may be several."""
    pull = socket(zmq.PULL)
    pull.setsockopt(zmq.IPC_FILTER_UID, os.getuid() + 1)
    pull.setsockopt(zmq.IPC_FILTER_GID, os.getgid() + 1)
    raw.connect(bind(pull, "ipc")).expect_close()
    pull.setsockopt(zmq.IPC_FILTER_PID, os.getpid())
    pull.setsockopt(zmq.IPC_FILTER_PID, os.getpid() + 1)
    raw.connect(bind(pull, "ipc")).handshake("PUSH")


def test_filters_count_when_bind_is_called(socket: MakeSocket, raw: RawPeers) -> None:
    """A bound endpoint keeps the filters it was bound with."""
    pull = socket(zmq.PULL)
    open_to_all = bind(pull, "tcp")
    pull.setsockopt(zmq.TCP_ACCEPT_FILTER, b"127.0.0.2")
    raw.connect(bind(pull, "tcp")).expect_close()
    raw.connect(open_to_all).handshake("PUSH")
    assert settle(pull) == 0
