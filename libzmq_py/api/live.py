# SPDX-License-Identifier: MPL-2.0
"""Which contexts and sockets exist in this process, and what becomes of them at a fork and at interpreter exit.

A user holds *faces* (``Context``, ``Socket``); several may show one core object (shadows). Each core object has one
*entry* here, from its creation to its end, found by a number: what pyzmq calls ``underlying``, a C pointer there.
Numbers are never given twice, so one kept too long names nothing rather than something else.

A face calls its core through bound methods that it keeps. When a core object ends, by whichever face, ``retire`` puts
``CLOSED`` in its place in all of them, so that no call has to ask first whether its socket is open.

*Fork*: the child has none of the threads. There every inherited face is given a stand-in that refuses with a clear
text; closing does nothing; a new context works.

*Exit*: sockets left open are closed and contexts terminated, which waits until what was sent is delivered (LINGER);
Ctrl-C ends the wait, and a program that ended by Ctrl-C does not wait at all. Sockets that another thread is using
are left alone, as closing them under that thread's feet could hang or fail where the user did nothing wrong. Under
pyzmq (``pyzmq_backend``) the wait has a limit: programs written for pyzmq may end with messages that nobody will ever
take, and pyzmq does not wait for them.

No libzmq twin: there a handle is a pointer, and a fork is noticed by comparing process ids in many places.
"""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakSet, ref

from libzmq_py.constants import Errno, SocketOption
from libzmq_py.ctx import Ctx
from libzmq_py.errors import ZMQError, strerror, zmq_error
from libzmq_py.logger import Logger
from libzmq_py.sockets.undelivered import describe

if TYPE_CHECKING:
    from typing_extensions import Self

    from libzmq_py.msg import Frame as CoreFrame
    from libzmq_py.sockets.socket_base import SocketBase

_LOG: Final = Logger("libzmq_py.ctx")

#: Pause between two looks for sockets whose last messages are still on their way (exit, some other socket in use).
_LOOK_AGAIN = 0.005
#: Seconds after which that wait is worth a word.
_SAY_AFTER = 1.0

#: In the name of every thread of the library, whatever THREAD_NAME_PREFIX is (names are cut at 15 characters).
_LIBRARY_THREAD = "ZMQb"

_keys: Final = itertools.count(1)


class DeadSocket:
    """Stands where a core socket was: every call raises."""

    __slots__ = ("_errno", "_text")

    closed: Final = True
    in_run: Final = None
    out_run: Final = None

    def __init__(self, errno: int, text: str | None = None) -> None:
        self._errno = errno
        self._text = text

    def refuse(self, *args: object, **kwargs: object) -> NoReturn:
        """Raise the error this stand-in was made for."""
        raise zmq_error(self._errno, self._text)

    send = recv = send_multipart = recv_multipart = send_many = recv_many = refuse
    setsockopt = getsockopt = bind = connect = term_endpoint = refuse
    monitor = monitor_pipes_stats = join = leave = last_metadata = poll = refuse
    get_peer_state = connect_peer = disconnect_peer = process_commands = refuse

    @property
    def rcvmore(self) -> bool:
        """As every other call."""
        self.refuse()


#: What a face has for a core before it is made and after it is closed.
CLOSED: Final = DeadSocket(Errno.ENOTSOCK)


class SocketHandle:
    """Base of ``Socket``: the reference to a core socket. The poller and the proxy ask no more of a socket than this.

    Hot path: the core's methods are kept bound, in slots, and are replaced when the core socket ends.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_core",
        "_core_recv",
        "_core_recv_multipart",
        "_core_send",
        "_core_send_multipart",
        "_entry",
    )

    _core: SocketBase | DeadSocket
    _core_send: Callable[[CoreFrame, int], None]
    _core_send_multipart: Callable[[tuple[CoreFrame, ...], int], None]
    _core_recv: Callable[[int], CoreFrame]
    _core_recv_multipart: Callable[[int], list[CoreFrame]]
    _entry: SocketEntry | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a face that is closed; ``__init__`` of a subclass may do much, and fail, before there is a core."""
        self = super().__new__(cls)
        object.__setattr__(self, "_entry", None)
        self._use(CLOSED)
        return self

    def _use(self, core: SocketBase | DeadSocket) -> None:
        """Call this core from now on."""
        store = object.__setattr__  # Socket has a __setattr__ that looks for options
        store(self, "_core", core)
        store(self, "_core_send", core.send)
        store(self, "_core_send_multipart", core.send_multipart)
        store(self, "_core_recv", core.recv)
        store(self, "_core_recv_multipart", core.recv_multipart)

    def _enter(self, entry: SocketEntry) -> None:
        """Become one of the faces of an entry."""
        entry.add_face(self)
        object.__setattr__(self, "_entry", entry)
        self._use(entry.core)


class SocketEntry:
    """One core socket and the faces that show it."""

    __slots__ = ("_face", "_shadows", "context", "core", "key", "thread")

    def __init__(self, core: SocketBase, context: ContextEntry) -> None:
        self.core = core
        self.context = context
        # Weakly: a face that is forgotten closes the socket. Most sockets have but one.
        self._face: ref[SocketHandle] | None = None
        self._shadows: WeakSet[SocketHandle] | None = None
        #: The thread that made the socket, likely the one that uses it.
        self.thread = threading.get_ident()
        self.key = next(_keys)
        SOCKETS[self.key] = self

    def add_face(self, face: SocketHandle) -> None:
        """Show the socket by one more face."""
        if self._face is None:
            self._face = ref(face)
        elif self._shadows is None:
            self._shadows = WeakSet((face,))
        else:
            self._shadows.add(face)

    @property
    def faces(self) -> list[SocketHandle]:
        """The faces that somebody has."""
        first = None if self._face is None else self._face()
        return ([] if first is None else [first]) + list(self._shadows or ())

    def close(self, linger: int | None = None) -> None:
        """Close the core socket; idempotent."""
        core = self.core
        if not core.closed:
            if linger is not None:
                try:
                    core.setsockopt(SocketOption.LINGER, linger)
                except ZMQError:
                    pass  # the context has ended: closing is all that is left, with the linger there was
            core.close()
        self.retire(CLOSED)

    def retire(self, stand_in: DeadSocket) -> None:
        """Take the core socket away from all its faces."""
        SOCKETS.pop(self.key, None)
        for face in self.faces:
            face._use(stand_in)


class ContextEntry:
    """One core context."""

    __slots__ = ("_ending", "_refusal", "core", "key", "terminated")

    def __init__(self) -> None:
        self.core = Ctx()
        #: True once the core context has ended.
        self.terminated = False
        #: Why the context cannot be used in this process, a fork of the one it was made in.
        self._refusal: str | None = None
        self._ending = threading.Lock()
        self.key = next(_keys)
        CONTEXTS[self.key] = self

    @property
    def usable(self) -> bool:
        """True until the context has ended, or the process is a fork that inherited it."""
        return not self.terminated and self._refusal is None

    def create_socket(self, socket_type: int) -> SocketEntry:
        """Make a core socket.

        Raises:
            ZMQError: ENOTSUP in a forked child; EFAULT, the context was terminated; EMFILE, ETERM, EINVAL.
        """
        if self._refusal is not None:
            raise zmq_error(Errno.ENOTSUP, self._refusal)
        if self.terminated:
            raise zmq_error(Errno.EFAULT, f"{strerror(Errno.EFAULT)} (the context was terminated)")
        return SocketEntry(self.core.create_socket(socket_type), self)

    def terminate(self) -> None:
        """Terminate the core context; idempotent, and nothing in a forked child.

        Two threads may call it: the second waits for the first, as only one can be told that the end has come.
        """
        if not self.usable:
            return
        with self._ending:
            if self.usable:
                self.core.terminate()
                self.terminated = True
        CONTEXTS.pop(self.key, None)

    def disown(self, refusal: str) -> None:
        """The process forked, and this is the child."""
        self._refusal = refusal
        CONTEXTS.pop(self.key, None)


#: All core sockets that are open, by ``underlying``. (dict operations are atomic: no lock.)
SOCKETS: Final[dict[int, SocketEntry]] = {}
#: All core contexts that have not ended, by ``underlying``.
CONTEXTS: Final[dict[int, ContextEntry]] = {}


def cast_int_addr(address: object) -> int:
    """The number behind what a user gives to ``shadow``: an int, or anything with ``underlying``.

    Raises:
        ValueError: It is neither.
    """
    number = getattr(address, "underlying", address)
    if not isinstance(number, int):
        raise ValueError(f"Cannot cast {address!r} to int")
    return number


def in_library_thread() -> bool:
    """True in an I/O thread or the reaper, where the collector may run a __del__, and nothing may wait."""
    return _LIBRARY_THREAD in threading.current_thread().name


# -- fork


def _after_fork_in_child() -> None:
    where = f"made in process {os.getppid()}, of which this process, {os.getpid()}, is a fork: make a new context"
    not_here = DeadSocket(Errno.ENOTSOCK, f"{strerror(Errno.ENOTSOCK)} (socket {where})")
    for socket in list(SOCKETS.values()):
        socket.retire(not_here)
    for context in list(CONTEXTS.values()):
        context.disown(f"{strerror(Errno.ENOTSUP)} (context {where})")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


# -- exit


class _ExitState:
    """Whether the interpreter is about to end; __del__ methods keep quiet then."""

    exiting = False
    #: Seconds to wait at most for what is undelivered; None is as long as LINGER says.
    patience: float | None = None


exit_state: Final = _ExitState()


def _at_exit() -> None:
    exit_state.exiting = True
    # Set by the interpreter when it has printed the exception that ended the program.
    if getattr(sys, "last_type", None) is KeyboardInterrupt:
        return
    deadline = None if exit_state.patience is None else time.monotonic() + exit_state.patience
    try:
        busy = _sockets_in_use_elsewhere()
        for context in list(CONTEXTS.values()):
            _finish(context, busy, deadline)
    except KeyboardInterrupt:
        pass  # the user will not wait for what is undelivered


def _finish(context: ContextEntry, busy: set[int], deadline: float | None) -> None:
    entries = [entry for entry in list(SOCKETS.values()) if entry.context is context]
    idle = [entry for entry in entries if entry.key not in busy]
    # Those that were closed before, too, may still be delivering.
    left_alone = {entry.core for entry in entries if entry.key in busy}
    closing = [core for core in context.core.sockets() if core not in left_alone]
    for entry in idle:
        entry.close()
    if len(idle) == len(entries) and deadline is None:
        context.terminate()
        return
    # The context cannot end, or not in time; wait until the sockets that were closed have delivered.
    say_at = time.monotonic() + _SAY_AFTER
    while any(_is_lingering(core) for core in closing) and (deadline is None or time.monotonic() < deadline):
        time.sleep(_LOOK_AGAIN)
        if time.monotonic() >= say_at and (reasons := describe(closing)):
            say_at = float("inf")
            _LOG.warning("the end of the program has been waiting for %g s:\n%s", _SAY_AFTER, reasons)


def _is_lingering(core: SocketBase) -> bool:
    # The descriptor of its mailbox is the last thing a socket gives back.
    return core.mailbox.fd >= 0


def _sockets_in_use_elsewhere() -> set[int]:
    """Keys of the sockets that other threads made, or have in a variable of a function they are in."""
    me = threading.get_ident()
    library_threads = {thread.ident for thread in threading.enumerate() if _LIBRARY_THREAD in thread.name}
    others = {
        ident: frame for ident, frame in sys._current_frames().items() if ident != me and ident not in library_threads
    }
    found = {key for key, entry in list(SOCKETS.items()) if entry.thread in others}
    for frame in others.values():
        found.update(_sockets_in_frames(frame))
    return found


def _sockets_in_frames(frame: Any) -> Iterator[int]:
    while frame is not None:
        yield from _socket_keys(list(frame.f_locals.values()))
        frame = frame.f_back


def _socket_keys(values: Iterable[object]) -> Iterator[int]:
    for value in values:
        if isinstance(value, SocketHandle) and value._entry is not None:
            yield value._entry.key
        elif isinstance(value, (list, tuple)) and len(value) < 100:
            # Poll lists: items are sockets, or pairs with a socket in front.
            yield from _socket_keys(item[0] if isinstance(item, tuple) and item else item for item in list(value))


atexit.register(_at_exit)
