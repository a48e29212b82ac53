# SPDX-License-Identifier: MPL-2.0
"""The context: slots, threads, options, and an end that always comes."""

from __future__ import annotations

import errno
import gc
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from libzmq_py import ctx as ctx_module
from libzmq_py import sockets
from libzmq_py.constants import Errno, SocketOption, SocketType
from libzmq_py.core.command import CommandType
from libzmq_py.core.object import ZmqObject
from libzmq_py.ctx import (
    BLOCKY,
    IO_THREADS,
    IPV6,
    MAX_MSGSZ,
    MAX_SOCKETS,
    MSG_T_SIZE,
    SOCKET_LIMIT,
    THREAD_AFFINITY_CPU_ADD,
    THREAD_AFFINITY_CPU_REMOVE,
    THREAD_NAME_PREFIX,
    THREAD_PRIORITY,
    THREAD_SCHED_POLICY,
    ZERO_COPY_RECV,
    Ctx,
)
from libzmq_py.errors import Again, ContextTerminated, ZMQError
from libzmq_py.io_threads import io_thread as io_thread_module
from tests.support.waiting import PATIENCE, wait_until

PAIR, PUSH, PULL = SocketType.PAIR, SocketType.PUSH, SocketType.PULL


def terminate(ctx: Ctx) -> None:
    """End a context; fail if that hangs."""
    thread = threading.Thread(target=ctx.terminate, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "terminate() hangs"


@pytest.fixture
def make_ctx() -> Iterator[Callable[..., Ctx]]:
    """Make contexts; at the end their sockets are closed with linger 0 and they are terminated."""
    made: list[Ctx] = []

    def make(**options: int) -> Ctx:
        ctx = Ctx()
        made.append(ctx)
        for name, value in options.items():
            ctx.set(getattr(ctx_module, name), value)
        return ctx

    yield make
    for ctx in made:
        for socket in list(ctx._sockets):
            if not socket.closed:
                socket.options.linger = 0
                socket.close()
        terminate(ctx)


MakeCtx = Callable[..., Ctx]


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """At most so many descriptors can be opened here."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    plugs = []
    try:
        # Holes below the highest descriptor are plugged, so that exactly `count` numbers are free.
        while (fd := os.open("/dev/null", os.O_RDONLY)) < highest:
            plugs.append(fd)
        os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (fd + count, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in plugs:
            os.close(fd)


def refused(call: Callable[[], Any]) -> ZMQError:
    with pytest.raises(ZMQError) as caught:
        call()
    return caught.value


# --- options ---------------------------------------------------------------------------------------------------------


def test_defaults(make_ctx: MakeCtx) -> None:
    """As zmq_ctx_get's manual page gives them."""
    ctx = make_ctx()
    expected = {
        IO_THREADS: 1,
        MAX_SOCKETS: 1023,
        SOCKET_LIMIT: 65535,
        MAX_MSGSZ: 2**31 - 1,
        MSG_T_SIZE: 64,
        THREAD_SCHED_POLICY: -1,
        IPV6: 0,
        BLOCKY: 1,
        ZERO_COPY_RECV: 1,
    }
    assert {option: ctx.get(option) for option in expected} == expected


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (IO_THREADS, 0),
        (IO_THREADS, 5),
        (MAX_SOCKETS, 1),
        (MAX_SOCKETS, 65535),
        (MAX_SOCKETS, 65536),
        (MAX_SOCKETS, 2**31 - 1),
        (THREAD_NAME_PREFIX, -5),
        (MAX_MSGSZ, 0),
        (THREAD_SCHED_POLICY, 1),
        (THREAD_NAME_PREFIX, 17),
        (ZERO_COPY_RECV, 0),
        (IPV6, 1),
        (BLOCKY, 0),
    ],
)
def test_what_is_set_can_be_read(make_ctx: MakeCtx, option: int, value: int) -> None:
    """Every option that has a getter."""
    ctx = make_ctx()
    ctx.set(option, value)
    assert ctx.get(option) == value


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (IO_THREADS, -1),
        (MAX_SOCKETS, 0),
        (MAX_SOCKETS, -1),
        (MAX_MSGSZ, -1),
        (THREAD_SCHED_POLICY, -2),
        (THREAD_PRIORITY, -1),
        (THREAD_AFFINITY_CPU_REMOVE, 3),
        (IPV6, -1),
        (BLOCKY, -1),
        (MSG_T_SIZE, 1),
        (9999, 1),
    ],
)
def test_what_cannot_be_set(make_ctx: MakeCtx, option: int, value: int) -> None:
    """EINVAL, with the value in the text."""
    ctx = make_ctx()
    error = refused(lambda: ctx.set(option, value))
    assert error.errno == errno.EINVAL
    assert f" = {value}" in str(error)


@pytest.mark.parametrize("option", [THREAD_AFFINITY_CPU_ADD, THREAD_AFFINITY_CPU_REMOVE, 9999])
def test_what_cannot_be_read(make_ctx: MakeCtx, option: int) -> None:
    """EINVAL for unknown and write-only options."""
    assert refused(lambda: make_ctx().get(option)).errno == errno.EINVAL


def test_affinity_of_threads_is_added_and_removed(make_ctx: MakeCtx) -> None:
    """A CPU can be removed once for each time it is there."""
    ctx = make_ctx()
    ctx.set(THREAD_AFFINITY_CPU_ADD, 0)
    ctx.set(THREAD_AFFINITY_CPU_REMOVE, 0)
    assert refused(lambda: ctx.set(THREAD_AFFINITY_CPU_REMOVE, 0)).errno == errno.EINVAL


def test_options_that_new_sockets_start_with(make_ctx: MakeCtx) -> None:
    """BLOCKY 0 gives linger 0, IPV6 1 gives IPV6; sockets made before keep theirs."""
    ctx = make_ctx()
    before = ctx.create_socket(PUSH)
    ctx.set(BLOCKY, 0)
    ctx.set(IPV6, 1)
    after = ctx.create_socket(PUSH)
    assert (before.getsockopt(SocketOption.LINGER), before.getsockopt(SocketOption.IPV6)) == (-1, 0)
    assert (after.getsockopt(SocketOption.LINGER), after.getsockopt(SocketOption.IPV6)) == (0, 1)


def test_too_late_for_threads_and_sockets(make_ctx: MakeCtx) -> None:
    """Once the first socket is there IO_THREADS and MAX_SOCKETS can be set and have no effect."""
    ctx = make_ctx(IO_THREADS=1, MAX_SOCKETS=2)
    ctx.create_socket(PAIR)
    ctx.set(IO_THREADS, 3)
    ctx.set(MAX_SOCKETS, 9)
    ctx.create_socket(PAIR)
    assert refused(lambda: ctx.create_socket(PAIR)).errno == errno.EMFILE
    assert len(ctx._io_threads) == 1


# --- threads ---------------------------------------------------------------------------------------------------------


def background() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "ZMQbg" in thread.name}


def test_threads_start_with_the_first_socket(make_ctx: MakeCtx) -> None:
    """A context that nobody uses has none; then there are the reaper and the I/O threads, by name."""
    before = background()
    ctx = make_ctx(IO_THREADS=2, THREAD_NAME_PREFIX=4)
    assert background() == before
    ctx.create_socket(PAIR)
    assert background() - before == {"4/ZMQbg/Reaper", "4/ZMQbg/IO/0", "4/ZMQbg/IO/1"}


def test_without_io_threads_only_inproc_works(make_ctx: MakeCtx) -> None:
    """IO_THREADS 0: bind and connect over tcp have no thread (EMTHREAD); inproc needs none."""
    ctx = make_ctx(IO_THREADS=0)
    a, b = ctx.create_socket(PAIR), ctx.create_socket(PAIR)
    assert refused(lambda: a.bind("tcp://127.0.0.1:*")).errno == Errno.EMTHREAD
    assert refused(lambda: a.connect("tcp://127.0.0.1:1")).errno == Errno.EMTHREAD
    a.bind("inproc://a")
    b.connect("inproc://a")
    b.send(b"x")
    assert a.recv() == b"x"


def set_loads(ctx: Ctx, *loads: int) -> list[Any]:
    for io_thread, load in zip(ctx._io_threads, loads, strict=True):
        io_thread.poller.load = load
    return list(ctx._io_threads)


def test_the_least_loaded_thread_is_chosen(make_ctx: MakeCtx) -> None:
    """Least descriptors; of equals the first."""
    ctx = make_ctx(IO_THREADS=3)
    ctx.create_socket(PAIR)
    threads = set_loads(ctx, 3, 2, 2)
    assert ctx.choose_io_thread(0) is threads[1]
    set_loads(ctx, 1, 1, 1)
    assert ctx.choose_io_thread(0) is threads[0]


def test_the_affinity_mask(make_ctx: MakeCtx) -> None:
    """Bit i allows thread i; bits beyond the threads allow none."""
    ctx = make_ctx(IO_THREADS=3)
    ctx.create_socket(PAIR)
    threads = set_loads(ctx, 1, 5, 3)
    assert ctx.choose_io_thread(0b110) is threads[2]
    assert ctx.choose_io_thread(0b010) is threads[1]
    assert ctx.choose_io_thread(0b1000) is None
    assert ctx.choose_io_thread(1 << 63) is None
    set_loads(ctx, 1, 1, 1)


def test_no_thread_for_the_sockets_affinity(make_ctx: MakeCtx) -> None:
    """A mask that allows no thread is EMTHREAD, as libzmq has it."""
    ctx = make_ctx(IO_THREADS=1)
    socket = ctx.create_socket(PUSH)
    socket.setsockopt(SocketOption.AFFINITY, 0b10)
    error = refused(lambda: socket.bind("tcp://127.0.0.1:*"))
    assert error.errno == Errno.EMTHREAD
    assert "tcp://127.0.0.1" in str(error)


# --- sockets and slots -----------------------------------------------------------------------------------------------


def test_slots_are_a_stack_with_the_lowest_on_top(make_ctx: MakeCtx) -> None:
    """0 is the context's, 1 the reaper's, then the I/O threads, then sockets; a freed slot is the next one taken."""
    ctx = make_ctx(IO_THREADS=2)
    made = [ctx.create_socket(PAIR) for _ in range(3)]
    assert [socket.tid for socket in made] == [4, 5, 6]
    assert [io_thread.tid for io_thread in ctx._io_threads] == [2, 3]
    made[1].close()
    wait_until(lambda: made[1] not in ctx._sockets)
    assert [ctx.create_socket(PAIR).tid for _ in range(2)] == [5, 7]


def test_socket_ids_are_unique_in_the_process(make_ctx: MakeCtx) -> None:
    """Ids go up, over contexts too."""
    ids = [ctx.create_socket(PAIR).options.socket_id for ctx in (make_ctx(), make_ctx()) for _ in range(2)]
    assert ids == list(range(ids[0], ids[0] + 4))


def test_too_many_sockets(make_ctx: MakeCtx) -> None:
    """EMFILE beyond MAX_SOCKETS, until one has ended."""
    ctx = make_ctx(MAX_SOCKETS=2)
    first, _ = ctx.create_socket(PAIR), ctx.create_socket(PAIR)
    error = refused(lambda: ctx.create_socket(PAIR))
    assert error.errno == errno.EMFILE
    assert "MAX_SOCKETS" in str(error)
    first.close()
    wait_until(lambda: first not in ctx._sockets)
    ctx.create_socket(PAIR)


@pytest.mark.parametrize("type_", [-1, 99, 12345])
def test_an_unknown_type(make_ctx: MakeCtx, type_: int) -> None:
    """EINVAL, and no thread is started for it."""
    ctx = make_ctx()
    error = refused(lambda: ctx.create_socket(type_))
    assert error.errno == errno.EINVAL
    assert str(type_) in str(error)
    assert ctx._starting


def test_every_type_can_be_made_and_closed(make_ctx: MakeCtx) -> None:
    """All of the table."""
    ctx = make_ctx()
    for type_ in sockets.BUILT_IN:
        socket = ctx.create_socket(type_)
        assert socket.options.type == type_
        socket.close()
    wait_until(lambda: not ctx._sockets)


def test_a_type_can_be_registered(make_ctx: MakeCtx) -> None:
    """register() adds to the table that create_socket() uses."""
    pair = sockets.find_socket_type(PAIR)
    assert pair is not None
    sockets.register(1000, pair)
    try:
        assert make_ctx().create_socket(1000).options.type == PAIR
    finally:
        del sockets.SOCKET_TYPES[1000]


def test_a_command_to_a_free_slot_is_dropped(make_ctx: MakeCtx) -> None:
    """Nobody is there any more."""
    ctx = make_ctx()
    socket = ctx.create_socket(PAIR)
    socket.close()
    wait_until(lambda: not ctx._sockets)
    ctx.send_command(socket.tid, (ZmqObject(ctx, socket.tid), CommandType.STOP, ()))


# --- running out of things -------------------------------------------------------------------------------------------


def fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("count", range(7))
def test_starting_without_descriptors_leaves_things_clean(make_ctx: MakeCtx, count: int) -> None:
    """EMFILE while threads are started gives back what was opened; later, with descriptors, all is well."""
    ctx = make_ctx(IO_THREADS=2)
    before = fds()
    with descriptors_left(count):
        error = refused(lambda: ctx.create_socket(PAIR))
    assert error.errno == errno.EMFILE
    if count < 6:  # with 6 the threads have started and only the socket's own mailbox fails
        assert fds() == before
    socket = ctx.create_socket(PAIR)
    socket.bind("inproc://a")
    other = ctx.create_socket(PAIR)
    other.connect("inproc://a")
    other.send(b"x")
    assert socket.recv() == b"x"


def test_a_context_without_descriptors() -> None:
    """A context cannot even be made: EMFILE, as for everything else that is missing."""
    with descriptors_left(0):
        error = refused(Ctx)
    assert error.errno == errno.EMFILE


def test_a_socket_without_descriptors_leaves_things_clean(make_ctx: MakeCtx) -> None:
    """EMFILE for a later socket: its slot is free again."""
    ctx = make_ctx(MAX_SOCKETS=2)
    ctx.create_socket(PAIR)
    gc.collect()  # what an earlier test has left to the collector must not be counted
    before = fds()
    with descriptors_left(0):
        for _ in range(3):
            error = refused(lambda: ctx.create_socket(PAIR))
            assert error.errno == errno.EMFILE
            assert "mailbox" in str(error)
    assert fds() <= before  # fewer: what earlier tests have left may go meanwhile
    ctx.create_socket(PAIR)


def test_no_thread_to_be_had(make_ctx: MakeCtx, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that gives no more threads is a ZMQError that leaves nothing behind; later all is well."""
    ctx = make_ctx(IO_THREADS=1)
    real = io_thread_module.start_thread
    started: list[str] = []

    def start_thread(name: str, *args: Any) -> threading.Thread:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(name)
        return real(name, *args)

    before = fds()
    monkeypatch.setattr(io_thread_module, "start_thread", start_thread)
    refused(lambda: ctx.create_socket(PAIR))
    wait_until(lambda: fds() == before, "what was opened is given back")
    monkeypatch.undo()
    ctx.create_socket(PAIR)


# --- the end ---------------------------------------------------------------------------------------------------------


def test_an_unused_context_ends_at_once() -> None:
    """No threads, nothing to wait for; then no socket can be made."""
    ctx = Ctx()
    terminate(ctx)
    assert refused(lambda: ctx.create_socket(PAIR)).errno == Errno.ETERM


def test_term_twice(make_ctx: MakeCtx) -> None:
    """The second call does nothing."""
    ctx = make_ctx()
    ctx.create_socket(PAIR).close()
    terminate(ctx)
    terminate(ctx)
    assert refused(lambda: ctx.create_socket(PAIR)).errno == Errno.ETERM


def test_term_ends_the_threads(make_ctx: MakeCtx) -> None:
    """Nothing of the context runs afterwards."""
    before = background()
    ctx = make_ctx(IO_THREADS=2)
    ctx.create_socket(PAIR).close()
    terminate(ctx)
    assert background() == before


def test_term_waits_for_sockets_to_be_closed(make_ctx: MakeCtx) -> None:
    """It fails their calls and then waits for close()."""
    ctx = make_ctx()
    socket = ctx.create_socket(PULL)
    socket.bind("inproc://a")
    ending = threading.Thread(target=ctx.terminate, daemon=True)
    ending.start()
    with pytest.raises(ContextTerminated):
        socket.recv()
    assert ending.is_alive()
    for call in (
        lambda: socket.recv(1),
        lambda: socket.getsockopt(SocketOption.TYPE),
        lambda: socket.setsockopt(SocketOption.LINGER, 0),
        lambda: socket.bind("inproc://b"),
        lambda: ctx.create_socket(PAIR),
    ):
        assert refused(call).errno == Errno.ETERM
    socket.close()
    ending.join(PATIENCE)
    assert not ending.is_alive()


def test_term_interrupts_calls_that_wait(make_ctx: MakeCtx) -> None:
    """recv() and send() of other threads end with ETERM."""
    ctx = make_ctx()
    errors: list[int | None] = []

    def wait(type_: int, call: Callable[[Any], Any]) -> None:
        socket = ctx.create_socket(type_)
        ready.release()
        try:
            call(socket)
        except ZMQError as error:
            errors.append(error.errno)
        finally:
            socket.close()

    ready = threading.Semaphore(0)
    threads = [
        threading.Thread(target=wait, args=(PULL, lambda socket: socket.recv())),
        threading.Thread(target=wait, args=(PUSH, lambda socket: socket.send(b"x"))),
    ]
    for thread in threads:
        thread.start()
        ready.acquire(timeout=PATIENCE)
    terminate(ctx)
    for thread in threads:
        thread.join(PATIENCE)
    assert errors == [Errno.ETERM] * 2


def test_shutdown_fails_calls_and_does_not_wait(make_ctx: MakeCtx) -> None:
    """shutdown() returns at once; close and term are left to do. It may be called again."""
    ctx = make_ctx()
    socket = ctx.create_socket(PULL)
    ctx.shutdown()
    ctx.shutdown()
    assert refused(socket.recv).errno == Errno.ETERM
    assert refused(lambda: ctx.create_socket(PAIR)).errno == Errno.ETERM
    socket.close()
    terminate(ctx)


def test_shutdown_before_the_first_socket(make_ctx: MakeCtx) -> None:
    """No socket can be made any more, and term has nothing to wait for."""
    ctx = make_ctx()
    ctx.shutdown()
    assert refused(lambda: ctx.create_socket(PAIR)).errno == Errno.ETERM
    terminate(ctx)


@pytest.mark.parametrize("close_first", [True, False])
def test_shutdown_then_term(make_ctx: MakeCtx, close_first: bool) -> None:
    """Whether sockets are closed before or after shutdown, term ends."""
    ctx = make_ctx()
    socket = ctx.create_socket(PAIR)
    if close_first:
        socket.close()
    ctx.shutdown()
    if not close_first:
        socket.close()
    terminate(ctx)


def test_the_last_socket_ends_while_term_begins_after_shutdown(
    make_ctx: MakeCtx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """shutdown(), then term() in the very moment in which the reaper ends the last socket: term does not hang."""
    ctx = make_ctx()
    socket = ctx.create_socket(PAIR)
    ctx.shutdown()
    real = ctx.inproc.pending_names

    def pending_names() -> list[str]:
        if not socket.closed:
            socket.close()
            try:
                wait_until(lambda: not ctx._sockets, timeout=0.2)
            except AssertionError:
                pass  # the reaper is held up until term() has made up its mind: as good
        return real()

    monkeypatch.setattr(ctx.inproc, "pending_names", pending_names)
    thread = threading.Thread(target=ctx.terminate, daemon=True)
    thread.start()
    thread.join(PATIENCE / 2)
    hung = thread.is_alive()
    if hung:  # let it end, so that this is the only failure
        assert ctx.reaper is not None
        ctx.reaper.stop()
        thread.join(PATIENCE)
    assert not hung, "nobody told the reaper that the last socket is gone"


def test_no_socket_can_be_made_while_term_begins_after_shutdown(
    make_ctx: MakeCtx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After shutdown() no thread gets a socket any more, at no moment of term(): it would never be told to stop."""
    ctx = make_ctx()
    ctx.create_socket(PAIR).close()
    ctx.shutdown()
    real = ctx.inproc.pending_names
    made: list[Any] = []

    def create() -> None:
        try:
            made.append(ctx.create_socket(PAIR))
        except ZMQError as error:
            assert error.errno == Errno.ETERM

    threads: list[threading.Thread] = []

    def pending_names() -> list[str]:
        thread = threading.Thread(target=create)
        thread.start()
        thread.join(0.1)
        threads.append(thread)
        return real()

    monkeypatch.setattr(ctx.inproc, "pending_names", pending_names)
    thread = threading.Thread(target=ctx.terminate, daemon=True)
    thread.start()
    wait_until(lambda: threads)
    threads[0].join(PATIENCE)
    for socket in made:
        socket.close()
    thread.join(PATIENCE)
    assert made == []


def test_parked_inproc_connects_do_not_keep_it(make_ctx: MakeCtx) -> None:
    """A connect whose name nobody bound ends with the context, whatever waits in it and whatever the linger."""
    ctx = make_ctx()
    socket = ctx.create_socket(PUSH)
    socket.connect("inproc://nobody")
    socket.send(b"x")
    socket.close()
    terminate(ctx)


@pytest.mark.parametrize("shutdown", [True, False])
def test_parked_inproc_connects_of_open_sockets(make_ctx: MakeCtx, shutdown: bool) -> None:
    """The same while the socket is still open, and after shutdown()."""
    ctx = make_ctx()
    socket = ctx.create_socket(PUSH)
    socket.connect("inproc://nobody")
    if shutdown:
        ctx.shutdown()
    ending = threading.Thread(target=ctx.terminate, daemon=True)
    ending.start()
    with pytest.raises(ContextTerminated):
        while True:
            try:
                socket.send(b"x", 1)
            except Again:
                pass
    socket.close()
    ending.join(PATIENCE)
    assert not ending.is_alive()


def test_parked_inproc_connects_when_no_socket_is_left(make_ctx: MakeCtx) -> None:
    """With MAX_SOCKETS used up a parked connect does not keep term() from ending (libzmq: abort)."""
    ctx = make_ctx(MAX_SOCKETS=1)
    socket = ctx.create_socket(PUSH)
    socket.connect("inproc://nobody")
    socket.close()
    failed: list[BaseException] = []

    def end() -> None:
        try:
            ctx.terminate()
        except ZMQError as error:
            failed.append(error)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    hung = thread.is_alive()
    if failed:  # let it end, so that this is the only failure
        ctx._empty_slots.append(len(ctx._slots))
        ctx._slots.append(None)
    assert not failed and not hung


def test_term_waits_for_the_linger(make_ctx: MakeCtx) -> None:
    """Messages to nobody hold term() for their LINGER, and not longer."""
    ctx = make_ctx()
    socket = ctx.create_socket(PUSH)
    socket.setsockopt(SocketOption.LINGER, 50)
    socket.connect("tcp://127.0.0.1:1")
    socket.send(b"x")
    socket.close()
    terminate(ctx)


def test_ctrl_c_breaks_the_wait_and_term_can_be_repeated(make_ctx: MakeCtx, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyboardInterrupt while waiting for a socket leaves the context ending; the next call ends it."""
    ctx = make_ctx()
    socket = ctx.create_socket(PULL)
    real_wait = ctx._term_mailbox._signaler

    class Interrupting:
        fd = real_wait.fd

        def wait(self, timeout: int) -> bool:
            raise KeyboardInterrupt

        def __getattr__(self, name: str) -> Any:
            return getattr(real_wait, name)

    monkeypatch.setattr(ctx._term_mailbox, "_signaler", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        ctx.terminate()
    monkeypatch.undo()
    assert refused(socket.recv).errno == Errno.ETERM
    assert refused(lambda: ctx.create_socket(PAIR)).errno == Errno.ETERM
    socket.close()
    terminate(ctx)


def test_ctrl_c_just_after_the_wait(make_ctx: MakeCtx, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the moment in which `done` has been taken, term() can be repeated all the same."""
    ctx = make_ctx()
    ctx.create_socket(PAIR).close()
    mailbox = ctx._term_mailbox
    real = type(mailbox).wait
    interrupted: list[bool] = []

    def wait(self: Any, timeout: int) -> None:
        real(self, timeout)
        if self is mailbox and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(type(mailbox), "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        ctx.terminate()
    monkeypatch.undo()
    thread = threading.Thread(target=ctx.terminate, daemon=True)
    thread.start()
    thread.join(PATIENCE / 2)
    hung = thread.is_alive()
    if hung:
        mailbox.send((ZmqObject(ctx, 0), CommandType.DONE, ()))
        thread.join(PATIENCE)
    assert not hung, "`done` was lost"


def test_contexts_do_not_share_inproc_names(make_ctx: MakeCtx) -> None:
    """A name is known in its own context only, and free again when its socket has closed."""
    one, two = make_ctx(), make_ctx()
    first, second = one.create_socket(PAIR), two.create_socket(PAIR)
    first.bind("inproc://name")
    second.bind("inproc://name")
    assert refused(lambda: one.create_socket(PAIR).bind("inproc://name")).errno == errno.EADDRINUSE
    first.close()
    wait_until(lambda: one.inproc._endpoints == {})
    one.create_socket(PAIR).bind("inproc://name")


def test_many_threads_make_and_close_sockets(make_ctx: MakeCtx) -> None:
    """Slots and sockets are kept right under contention; in the end every slot is free."""
    ctx = make_ctx(MAX_SOCKETS=16)

    def churn() -> None:
        for _ in range(50):
            try:
                ctx.create_socket(PAIR).close()
            except ZMQError as error:
                assert error.errno == errno.EMFILE

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: not ctx._sockets)
    assert sorted(ctx._empty_slots) == list(range(3, len(ctx._slots)))
    assert len(ctx._slots) <= 3 + 16
