# SPDX-License-Identifier: MPL-2.0
"""The event loop of an I/O thread or the reaper: file descriptors, timers, and the thread's own mailbox.

Mirrors: src/poller_base.cpp, src/epoll.cpp, src/poller.hpp, src/i_poll_events.hpp.
Departs: where there is no epoll, `selectors` picks kqueue or whatever the system has.  A descriptor whose events are
all off is not registered with it, so a hang-up shows when interest returns.  The mailbox is armed just before each wait
and disarmed after, so commands sent to a busy thread cost no system call.  A handler that raises is logged and loses
its own descriptor; the thread goes on.  Threads that a round of events gives something to are woken once for all of it
(`Waker`).  The thread holds a lock, its *turn*, except while it waits: whoever takes the turn acts in its place for as
long (see `StreamEngineBase.write_direct`).
"""

from __future__ import annotations

import heapq
import itertools
import select
import selectors
import threading
import time
from collections.abc import Collection
from typing import Any, Final, Protocol

from libzmq_py.clock import now_ms
from libzmq_py.logger import Logger

_LOG: Final = Logger("libzmq_py.poller")

_READ: Final = selectors.EVENT_READ
_WRITE: Final = selectors.EVENT_WRITE
# As libzmq's max_io_events.
_MAX_EVENTS: Final = 256
# Seconds that a wake-up may wait for the rest of a round of events: some fifty small messages.
_HOLD: Final = 0.0005


class PollEvents(Protocol):
    """`i_poll_events`: an object with descriptors or timers in a poller."""

    def in_event(self) -> None:
        """The descriptor can be read, or is broken."""

    def out_event(self) -> None:
        """The descriptor can be written."""

    def timer_event(self, id_: int) -> None:
        """The timer of that id has expired."""


# When, in milliseconds; a number that counts up, so that of two at one moment the first armed goes first; whose (None:
# cancelled); which.
_Timer = list[Any]


class WaitGuard(Protocol):
    """A mailbox, as far as the loop needs it."""

    def arm(self) -> bool:
        """About to wait; False if there is something to do first."""

    def disarm(self) -> None:
        """Awake again."""

    def ring(self) -> None:
        """End a wait."""

    @property
    def fd(self) -> int:
        """Becomes readable when there is something to do."""


class Waker(Protocol):
    """Who wakes other threads for this one; see `io_thread.Courier`."""

    @property
    def to_wake(self) -> Collection[object]:
        """Empty if nobody is to be woken."""

    def hold(self) -> None:
        """Wake nobody until `wake` or `release`."""

    def wake(self) -> None:
        """Wake whoever is to be woken."""

    def release(self) -> None:
        """The same, and from now on at once."""


class Handle:
    """A descriptor in a poller."""

    __slots__ = ("events", "fd", "retired", "sink")

    def __init__(self, fd: int, sink: PollEvents) -> None:
        self.fd = fd
        self.sink = sink
        self.events = 0
        self.retired = False


class _Selector(Protocol):
    """What the loop needs of the system."""

    # True if a signal is told of once, so that the bell need not be silenced.
    edge_triggered: bool

    def register(self, fd: int, events: int, handle: Handle) -> object:
        """Take a descriptor in."""

    def modify(self, fd: int, events: int, handle: Handle) -> object:
        """Wait for other events."""

    def unregister(self, fd: int) -> object:
        """Let a descriptor go."""

    def make_edge_triggered(self, fd: int) -> None:
        """Tell of `fd` once per signal, where that is possible."""

    def wait(self, timeout: float | None) -> list[tuple[Handle, int]]:
        """The descriptors with events, after `timeout` seconds (None: no limit) at the latest."""

    def close(self) -> None:
        """Free what the system holds."""


class _DefaultSelector(selectors.DefaultSelector):
    """Whatever the system has."""

    edge_triggered = False

    def make_edge_triggered(self, fd: int) -> None:
        """Not everywhere."""

    def wait(self, timeout: float | None) -> list[tuple[Handle, int]]:
        """Wait."""
        return [(key.data, mask) for key, mask in self.select(timeout)]


def _new_selector() -> _Selector:
    return _Epoll() if hasattr(select, "epoll") else _DefaultSelector()


if hasattr(select, "epoll"):
    _EPOLLIN: Final = select.EPOLLIN
    _EPOLLOUT: Final = select.EPOLLOUT
    _MASKS: Final = {_READ: _EPOLLIN, _WRITE: _EPOLLOUT, _READ | _WRITE: _EPOLLIN | _EPOLLOUT}

    class _Epoll:
        """epoll itself, for what `selectors.EpollSelector` costs: keys, look-ups, rounding, a limit.

        Hot path: `wait` runs once per wake-up, and a lone message is mostly wake-ups; the others a few times per
        connection.
        """

        edge_triggered = True

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._handles: dict[int, Handle] = {}

        def register(self, fd: int, events: int, handle: Handle) -> None:
            """Take a descriptor in."""
            self._epoll.register(fd, _MASKS[events])
            self._handles[fd] = handle

        def modify(self, fd: int, events: int, handle: Handle) -> None:
            """Wait for other events."""
            self._epoll.modify(fd, _MASKS[events])

        def unregister(self, fd: int) -> None:
            """Let a descriptor go; it may be closed already, in which case epoll has forgotten it."""
            del self._handles[fd]
            try:
                self._epoll.unregister(fd)
            except OSError:
                pass

        def make_edge_triggered(self, fd: int) -> None:
            """Told of once, a signal need not be read: a system call less per wake-up."""
            self._epoll.modify(fd, _EPOLLIN | select.EPOLLET)

        def wait(self, timeout: float | None) -> list[tuple[Handle, int]]:
            """Wait."""
            handles = self._handles
            ready = []
            for fd, event in self._epoll.poll(-1 if timeout is None else timeout, _MAX_EVENTS):
                handle = handles.get(fd)  # another thread, in its turn, may take it out any moment
                if handle is not None:
                    mask = (_READ if event & _EPOLLIN else 0) | (_WRITE if event & _EPOLLOUT else 0)
                    if event & ~(_EPOLLIN | _EPOLLOUT):
                        # An error or a hang-up is found by who reads, or, where nobody does, by who writes.
                        mask |= (handle.events & _READ) or _WRITE
                    ready.append((handle, mask))
            return ready

        def close(self) -> None:
            """Free it."""
            self._epoll.close()


class Poller:
    """Everything but `load` belongs to the thread that runs `loop`, or to who holds `turn`."""

    def __init__(self) -> None:
        """Open the selector.

        Raises:
            OSError: no file descriptor is left.
        """
        self._selector = _new_selector()
        # A heap, by time and then by the order of arming. A cancelled timer stays in it, without its sink.
        self._timers: list[_Timer] = []
        self._armed: dict[tuple[PollEvents, int], list[_Timer]] = {}
        self._cancelled = 0
        self._timer_seq = itertools.count()
        self._stopping = False
        self._guard: WaitGuard | None = None
        self._guard_sink: PollEvents | None = None
        self._courier: Waker | None = None
        # Held by the thread while it works. Others take it without waiting, or while it sleeps for certain.
        self.turn = threading.Lock()
        self._thread = 0
        # Number of descriptors; read by any thread to choose the least loaded I/O thread.
        self.load = 0

    def set_guard(self, guard: WaitGuard, sink: PollEvents) -> Handle:
        """Name the thread's mailbox; `sink.in_event` is called when it must be looked at."""
        self._guard = guard
        self._guard_sink = sink
        handle = self.add_fd(guard.fd, sink)
        self.set_pollin(handle)
        self._selector.make_edge_triggered(guard.fd)
        return handle

    def set_courier(self, courier: Waker) -> None:
        """Have other threads woken once per round of events, not once per event."""
        self._courier = courier

    @property
    def edge_triggered(self) -> bool:
        """True if the mailbox's bell is told of once per ring, so that it need not be silenced."""
        return self._selector.edge_triggered

    # -- descriptors ------------------------------------------------------------------------------------------------

    def add_fd(self, fd: int, sink: PollEvents) -> Handle:
        """Take a descriptor in, with no events yet."""
        self.load += 1
        return Handle(fd, sink)

    def rm_fd(self, handle: Handle) -> None:
        """Let a descriptor go; events of the current batch that are still to be handled are dropped."""
        self._set_events(handle, 0)
        handle.retired = True
        self.load -= 1

    def set_pollin(self, handle: Handle) -> None:
        """Wait for readability."""
        if not handle.events & _READ:
            self._set_events(handle, handle.events | _READ)

    def reset_pollin(self, handle: Handle) -> None:
        """Do not wait for readability any more."""
        if handle.events & _READ:
            self._set_events(handle, handle.events & ~_READ)

    def set_pollout(self, handle: Handle) -> None:
        """Wait for room to write."""
        if not handle.events & _WRITE:
            self._set_events(handle, handle.events | _WRITE)

    def reset_pollout(self, handle: Handle) -> None:
        """Do not wait for room to write any more."""
        if handle.events & _WRITE:
            self._set_events(handle, handle.events & ~_WRITE)

    def _set_events(self, handle: Handle, events: int) -> None:
        if handle.events == events:
            return
        if not handle.events:
            self._selector.register(handle.fd, events, handle)
        elif not events:
            self._selector.unregister(handle.fd)
        else:
            self._selector.modify(handle.fd, events, handle)
        handle.events = events

    # -- timers -----------------------------------------------------------------------------------------------------

    def add_timer(self, timeout: int, sink: PollEvents, id_: int) -> None:
        """Call `sink.timer_event(id_)` once, `timeout` milliseconds from now."""
        timer: _Timer = [now_ms() + timeout, next(self._timer_seq), sink, id_]
        heapq.heappush(self._timers, timer)
        self._armed.setdefault((sink, id_), []).append(timer)
        if self._guard is not None and self._thread not in (0, threading.get_ident()):
            self._guard.ring()  # somebody else's turn: the thread sleeps, and for too long perhaps

    def cancel_timer(self, sink: PollEvents, id_: int) -> None:
        """Forget the first timer of that sink and id; nothing happens if there is none.

        Takes the same time whatever else is armed: each of a thousand handshakes has a timer, and cancels it.
        """
        timers = self._armed.get((sink, id_))
        if timers is None:
            return
        if len(timers) == 1:
            timer = timers[0]
            del self._armed[sink, id_]
        else:
            timer = min(timers)
            timers.remove(timer)
        timer[2] = None
        self._cancelled += 1
        if self._cancelled * 2 > len(self._timers):
            self._purge()

    def _disarm(self, timer: _Timer, timers: list[_Timer], sink: PollEvents, id_: int) -> None:
        timers.remove(timer)
        if not timers:
            del self._armed[sink, id_]

    def _purge(self) -> None:
        self._timers = [timer for timer in self._timers if timer[2] is not None]
        heapq.heapify(self._timers)
        self._cancelled = 0

    def _execute_timers(self) -> float | None:
        """Run what is due; seconds until the next one, or None."""
        newest = next(self._timer_seq)
        while self._timers:
            timer = self._timers[0]
            when, seq, sink, id_ = timer
            if sink is None:
                heapq.heappop(self._timers)
                self._cancelled -= 1
                continue
            delay: int = when - now_ms()
            if delay > 0:
                return delay / 1000
            if seq > newest:
                return 0  # armed by one of these handlers, and due already: the descriptors have their turn first
            # Before the call: the handler may arm it again.
            heapq.heappop(self._timers)
            self._disarm(timer, self._armed[sink, id_], sink, id_)
            self._call_timer(sink, id_)
        return None

    @staticmethod
    def _call_timer(sink: PollEvents, id_: int) -> None:
        try:
            sink.timer_event(id_)
        except Exception:  # noqa: BLE001
            _LOG.exception("timer %#x of %r failed", id_, sink)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Leave the loop after the current batch."""
        self._stopping = True

    def close(self) -> None:
        """Free the selector of a loop that never ran."""
        self._selector.close()

    def loop(self) -> None:
        """Run until `stop`, then free the selector."""
        self._thread = threading.get_ident()
        with self.turn:
            try:
                while True:
                    timeout = self._execute_timers() if self._timers else None
                    if self._stopping:
                        break
                    self._dispatch(self._wait(timeout))
            except OSError as error:
                # There is nothing left to wait on. What the user's calls need of this thread raises EBADF there.
                _LOG.warning("a thread of the library ends: other code has closed its descriptors (%s)", error)
            finally:
                self._selector.close()

    def _wait(self, timeout: float | None) -> list[tuple[Handle, int]]:
        """Wait for events, the mailbox armed; commands that are there already come first. Hot path."""
        guard = self._guard
        if guard is None:
            return self._selector.wait(timeout)
        if guard.arm():
            self.turn.release()
            try:
                ready = self._selector.wait(timeout)
            finally:
                guard.disarm()
                self.turn.acquire()
            return ready
        guard.disarm()
        self._call_guard()
        return self._selector.wait(0)  # the descriptors have their turn too

    def _dispatch(self, ready: list[tuple[Handle, int]]) -> None:
        """Hand events out. Hot path: a lone event, which somebody may wait for, has its wake-ups at once."""
        courier = self._courier if len(ready) > 1 else None
        until = 0.0
        if courier is not None:
            courier.hold()
            until = time.monotonic() + _HOLD
        for handle, mask in ready:
            try:
                if mask & _WRITE and not handle.retired:
                    handle.sink.out_event()
                if mask & _READ and not handle.retired:
                    handle.sink.in_event()
            except Exception:  # noqa: BLE001
                self.failed(handle)
            if courier is not None and courier.to_wake and time.monotonic() > until:
                courier.wake()
                until = time.monotonic() + _HOLD
        if courier is not None:
            courier.release()

    def _call_guard(self) -> None:
        if self._guard_sink is not None:
            try:
                self._guard_sink.in_event()
            except Exception:  # noqa: BLE001
                _LOG.exception("a command failed")

    def failed(self, handle: Handle) -> None:
        """The handler of a descriptor has raised what it must not."""
        # 'Cannot happen', so the cause is a defect here. The thread serves other connections and must live on; this
        # descriptor would otherwise fire again for ever.
        _LOG.exception("event handler of %r failed", handle.sink)
        if not handle.retired:
            self._set_events(handle, 0)
