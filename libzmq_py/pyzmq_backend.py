# SPDX-License-Identifier: MPL-2.0
"""What pyzmq asks of a backend: with ``PYZMQ_BACKEND=libzmq_py.pyzmq_backend`` pyzmq runs on libzmq_py.

pyzmq's own classes derive from ``Context``, ``Socket`` and ``Frame`` here and put everything else on top (JSON,
``zmq.asyncio``, ``zmq.auth``, devices, ``zmq.green`` ...), so these have what pyzmq's compiled classes have, and no
more. They are as thin as ``libzmq_py.api`` and, like it, stand on ``api.live``.

Errors leave here as pyzmq's classes: ``except zmq.Again`` in a user's code means those. Their texts are ours.

pyzmq imports this module in the middle of its own import. So nothing of pyzmq is imported at the top, only in calls;
then importing this module before pyzmq works as well.

No libzmq twin: pyzmq's zmq/backend/cython/_zmq.py.
Departs, from that: contexts and sockets that are open when the interpreter ends are closed, and what they have sent is
given a moment to get out (``api.live``). ``monitored_queue`` obeys Ctrl-C. Otherwise as ``libzmq_py.api``; there is no
C API to compile against.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, NoReturn, ParamSpec, TypeVar

from libzmq_py import PYZMQ_DRAFT_API, errors
from libzmq_py.api import functions, poll
from libzmq_py.api.context import check_int
from libzmq_py.api.frame import Frame as _FaceFrame
from libzmq_py.api.frame import as_bytes, byte_view
from libzmq_py.api.functions import zmq_version_info
from libzmq_py.api.live import (
    CONTEXTS,
    SOCKETS,
    ContextEntry,
    DeadSocket,
    SocketHandle,
    exit_state,
    in_library_thread,
)
from libzmq_py.api.socket_endpoints import IPC_PATH_MAX_LEN, endpoint_text
from libzmq_py.api.socket_messages import store_frame, writable_view
from libzmq_py.api.socket_options import check_option_value
from libzmq_py.api.tracker import Hold, keeper
from libzmq_py.constants import EVENT_ALL, PAIR, ContextOption, Errno
from libzmq_py.errors import strerror, zmq_errno
from libzmq_py.msg import Msg, frame_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import zmq
    from typing_extensions import Buffer, Self

    from libzmq_py.msg import Frame as CoreFrame

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Seconds that the end of the interpreter waits for what was sent and is not delivered.
EXIT_PATIENCE: Final = 0.5

_Bytes = bytes  # inside Frame `bytes` is a property
_store: Final = object.__setattr__


def _as_pyzmq(error: errors.ZMQError) -> zmq.ZMQError:
    """The same error as pyzmq's class."""
    from zmq import error as theirs

    number = error.errno
    if number == Errno.EAGAIN:
        return theirs.Again()
    if number == Errno.ETERM:
        return theirs.ContextTerminated()
    return theirs.ZMQError(number, error.strerror)


def _raises_pyzmq(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate: errors come out as pyzmq's classes. (The calls that messages take do so by themselves.)"""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except errors.ZMQError as error:
            raise _as_pyzmq(error) from None

    return call


def _refuse_closed(core: object) -> None:
    if isinstance(core, DeadSocket):
        core.refuse()


def _require_draft(feature: str) -> None:
    import zmq
    from zmq.error import _check_version

    _check_version((4, 2), feature)
    if not zmq.DRAFT_API:
        raise RuntimeError(f"libzmq_py has no draft features here: {feature} needs zmq.DRAFT_API")


# -- frames


class _Registered(Hold):
    """Memory that a frame shares with its user, listed in pyzmq's register (``zmq.utils.garbage``) while in use.

    Only listed: the thread that pyzmq keeps for it is not needed here, as any thread may let go of an object.
    """

    __slots__ = ("_key", "_refs")

    def __init__(self, memory: object, event: Event | None) -> None:
        from zmq.utils.garbage import gc, gcref

        self.event: Event | None = event  # type: ignore[assignment]
        entry = gcref(memory, event)
        self._refs = gc.refs
        self._key = id(entry)
        self._refs[self._key] = entry

    def __del__(self) -> None:
        self._refs.pop(self._key, None)
        if self.event is not None:
            self.event.set()


class Frame(_FaceFrame):
    """One part of a message; see ``libzmq_py.Frame``."""

    __slots__ = ("_data",)

    #: The user's object, while its memory is shared.
    _data: object

    def __init__(
        self,
        data: Buffer | None = None,
        track: bool = False,
        copy: bool | None = None,
        copy_threshold: int | None = None,
        **kwargs: Any,
    ) -> None:
        import zmq

        if copy_threshold is None:
            copy_threshold = zmq.COPY_THRESHOLD
        _store(self, "_data", data)
        # A view: the face would keep bytes as they are even when told to copy, and who counts references would see it.
        view = byte_view(data) if data is not None and not isinstance(data, str) else data
        super().__init__(view, track, copy, copy_threshold)
        if track and self.tracker_event is None:
            self.tracker = zmq._FINISHED_TRACKER  # type: ignore[assignment]
        if self._hold is None:
            _store(self, "_data", None)

    def _reset(self) -> None:
        # pyzmq's __setattr__ looks through all classes for each attribute; a frame has many.
        for name in ("tracker", "tracker_event", "_hold", "_metadata", "_buffer", "_bytes"):
            _store(self, name, None)
        _store(self, "more", False)
        _store(self, "_routing_id", 0)
        _store(self, "_group", "")

    def _share(self, track: bool) -> None:
        import zmq

        event = None
        if track:
            event = self.tracker_event = Event()
            self.tracker = zmq.MessageTracker(event)  # type: ignore[assignment]
        # The view that all copies of the frame show, or before Python 3.12 the object itself.
        self._hold = _Registered(getattr(self, "_content", self._data), event)

    @classmethod
    def _received(cls, item: CoreFrame, more: bool, metadata: Mapping[str, str] | None, track: bool) -> Self:
        frame = super()._received(item, more, metadata, False)
        _store(frame, "_data", None)
        if track:
            import zmq

            frame.tracker = zmq._FINISHED_TRACKER  # type: ignore[assignment]
        return frame

    def fast_copy(self) -> Self:
        """A frame of the same content and tracker."""
        twin = super().fast_copy()
        _store(twin, "_data", self._data)
        return twin

    __copy__ = fast_copy

    @_raises_pyzmq
    def get(self, option: int | str | _Bytes) -> int | str:  # type: ignore[override]
        """Read an option or a property of the frame. zmq_msg_get, zmq_msg_gets."""
        return super().get(option)

    @_raises_pyzmq
    def set(self, option: int | str, value: int | str | _Bytes) -> None:
        """Set ``"routing_id"`` or ``"group"``. zmq_msg_set_routing_id, zmq_msg_set_group."""
        super().set(option, value)  # type: ignore[arg-type]


Message = Frame


# -- contexts


class Context:
    """Where sockets live; see ``libzmq_py.Context``.

    Args:
        io_threads: How many threads do the I/O.
        shadow: The ``underlying`` of a context to be another face of.
    """

    _entry: ContextEntry | None = None
    _terminated = False
    _shadow = False

    @_raises_pyzmq
    def __init__(self, io_threads: int = 1, shadow: int = 0) -> None:
        if shadow:
            self._shadow = True
            entry = CONTEXTS.get(shadow)
            if entry is None:
                raise errors.zmq_error(Errno.EFAULT, f"{strerror(Errno.EFAULT)} (no context has the number {shadow})")
            self._entry = entry
            return
        check_int(io_threads, "io_threads")
        entry = ContextEntry()
        try:
            entry.core.set(ContextOption.IO_THREADS, io_threads)
        except errors.ZMQError:
            entry.terminate()
            raise
        self._entry = entry

    @property
    def _live(self) -> ContextEntry:
        """The entry of a context that can be used."""
        entry = self._entry
        if entry is None or self._terminated:
            raise RuntimeError("Context has been destroyed")
        if entry.terminated:
            raise errors.zmq_error(Errno.EFAULT, f"{strerror(Errno.EFAULT)} (the context was terminated)")
        return entry

    @property
    def closed(self) -> bool:
        """True after ``term`` of this very face, as in the compiled backend."""
        return self._terminated or self._entry is None

    @property
    def underlying(self) -> int:
        """The number of the context, for ``shadow``; 0 once it is closed."""
        return 0 if self._terminated or self._entry is None else self._entry.key

    handle = underlying

    def term(self) -> None:
        """End the context; see ``libzmq_py.Context.term``. zmq_ctx_term."""
        entry = self._entry
        if entry is not None and not self._terminated:
            if in_library_thread():
                # The collector runs a __del__ in a thread that may be the very one this would wait for.
                Thread(target=entry.terminate, name="end of a context", daemon=True).start()
            else:
                entry.terminate()
        self._terminated = True

    @_raises_pyzmq
    def set(self, option: int, optval: int) -> None:
        """Set an option of the context. zmq_ctx_set."""
        entry = self._live
        check_int(option, "option")
        if not isinstance(optval, int):
            raise TypeError(f"expected int, got: {optval!r}")
        check_int(optval, "optval")
        entry.core.set(option, optval)

    @_raises_pyzmq
    def get(self, option: int) -> int:
        """Read an option of the context. zmq_ctx_get."""
        entry = self._live
        check_int(option, "option")
        return entry.core.get(option)


# -- sockets


class Socket(SocketHandle):
    """A socket; see ``libzmq_py.Socket``.

    Args:
        context: A context of pyzmq's.
        socket_type: ``zmq.PUSH``, ``zmq.REP`` ...
        shadow: The ``underlying`` of a socket to be another face of.
        copy_threshold: From how many bytes on ``send(copy=False)`` shares memory.
    """

    context: Any = None
    copy_threshold: int = 0
    _shadow = False

    @_raises_pyzmq
    def __init__(
        self,
        context: Context | None = None,
        socket_type: int = -1,
        shadow: int = 0,
        copy_threshold: int | None = None,
    ) -> None:
        import zmq

        self.context = context
        self.copy_threshold = zmq.COPY_THRESHOLD if copy_threshold is None else copy_threshold
        if shadow:
            self._shadow = True
            entry = SOCKETS.get(shadow)
            if entry is None:
                raise errors.zmq_error(
                    Errno.ENOTSOCK, f"{strerror(Errno.ENOTSOCK)} (no open socket has the number {shadow})"
                )
        else:
            entry = _create_socket(context, socket_type)
        self._enter(entry)

    @property
    def closed(self) -> bool:
        """True once the socket is closed, through whichever face."""
        return self._core.closed

    _closed = closed

    @property
    def underlying(self) -> int:
        """The number of the socket, for ``shadow``; 0 once it is closed."""
        entry = self._entry
        return 0 if entry is None or self._core.closed else entry.key

    handle = underlying

    def close(self, linger: int | None = None) -> None:
        """Close the socket; idempotent, and nothing in a forked child. zmq_close."""
        if linger is not None and not isinstance(linger, int):
            raise TypeError(f"an integer is required, got linger={linger!r}")
        entry = self._entry
        if entry is not None and not self._core.closed:
            entry.close(linger)

    # -- options and endpoints

    @_raises_pyzmq
    def set(self, option: int, optval: int | bytes) -> None:
        """Set an option. zmq_setsockopt."""
        _refuse_closed(self._core)
        if optval is None:
            raise TypeError(f"expected bytes or int, got: {optval!r}")
        check_option_value(option, optval)
        self._core.setsockopt(option, optval)

    @_raises_pyzmq
    def get(self, option: int) -> int | bytes:
        """Read an option. zmq_getsockopt."""
        if not isinstance(option, int):
            raise TypeError(f"an integer is required, got option {option!r}")
        return self._core.getsockopt(option)

    @_raises_pyzmq
    def bind(self, addr: str | bytes) -> None:
        """Accept connections on an endpoint. zmq_bind."""
        endpoint = endpoint_text(addr)
        try:
            self._core.bind(endpoint)
        except errors.ZMQError as error:
            path = endpoint.partition("://")[2]
            if error.errno == errno.ENAMETOOLONG:
                error.strerror = (
                    f'ipc path "{path}" is longer than {IPC_PATH_MAX_LEN} bytes, the most that the system takes '
                    "(zmq.IPC_PATH_MAX_LEN)."
                )
            elif error.errno == errno.ENOENT:
                error.strerror = f'No such file or directory for ipc path "{path}".'
            raise

    @_raises_pyzmq
    def connect(self, addr: str | bytes) -> None:
        """Connect to an endpoint, now or as soon as somebody is there. zmq_connect."""
        self._core.connect(endpoint_text(addr))

    @_raises_pyzmq
    def unbind(self, addr: str | bytes) -> None:
        """Undo ``bind``. zmq_unbind."""
        self._core.term_endpoint(endpoint_text(addr))

    @_raises_pyzmq
    def disconnect(self, addr: str | bytes) -> None:
        """Undo ``connect``. zmq_disconnect."""
        self._core.term_endpoint(endpoint_text(addr))

    @_raises_pyzmq
    def monitor(self, addr: str | bytes | None, events: int = EVENT_ALL) -> None:
        """Send events of this socket to an inproc endpoint; None stops it. zmq_socket_monitor."""
        self._core.monitor(None if addr is None else endpoint_text(addr), events, 1, PAIR)

    @_raises_pyzmq
    def join(self, group: str | bytes) -> None:
        """Receive messages of a group (DISH; draft). zmq_join."""
        _require_draft("RADIO-DISH")
        self._core.join(group if isinstance(group, str) else group.decode())

    @_raises_pyzmq
    def leave(self, group: str | bytes) -> None:
        """Undo ``join``. zmq_leave."""
        _require_draft("RADIO-DISH")
        self._core.leave(group if isinstance(group, str) else group.decode())

    # -- messages

    def send(self, data: Any, flags: int = 0, copy: bool = True, track: bool = False) -> zmq.MessageTracker | None:
        """Send one frame. zmq_msg_send.

        Hot path: bytes go to the core in one call.
        """
        tracker: zmq.MessageTracker | None
        try:
            if copy and type(data) is bytes:
                return self._core_send(data, flags)  # type: ignore[func-returns-value]
            item, tracker = self._outgoing(data, copy, track)
            self._core_send(item, flags)
        except errors.ZMQError as error:
            raise _as_pyzmq(error) from None
        return tracker

    def _outgoing(self, data: Any, copy: bool, track: bool) -> tuple[CoreFrame, Any]:
        """What to give to the core, and what to return to the user."""
        _refuse_closed(self._core)
        if isinstance(data, str):
            raise TypeError("unicode not allowed, use send_string")
        if isinstance(data, Frame):
            if track and not data.tracker:
                raise ValueError("Not a tracked message")
            return data._to_send(), data.tracker
        if copy:
            return as_bytes(data), None
        import zmq

        content = data if type(data) is bytes else byte_view(data)
        if len(content) < self.copy_threshold:
            return as_bytes(content), zmq._FINISHED_TRACKER
        if not track:
            return content, None
        event = Event()
        return Msg(content, release=keeper(Hold(event))), zmq.MessageTracker(event)

    def recv(self, flags: int = 0, copy: bool = True, track: bool = False) -> bytes | zmq.Frame:
        """Receive one frame. zmq_msg_recv.

        Hot path: the bytes the core gives are passed on as they are.
        """
        try:
            item = self._core_recv(flags)
        except errors.ZMQError as error:
            raise _as_pyzmq(error) from None
        if copy:
            return item if type(item) is bytes else frame_bytes(item)
        import zmq

        core = self._core
        received: Any = zmq.Frame  # which derives from the class above
        frame: zmq.Frame = received._received(item, core.rcvmore, core.last_metadata(), track)
        return frame

    @_raises_pyzmq
    def recv_into(self, buffer: Buffer, /, *, nbytes: int = 0, flags: int = 0) -> int:
        """Receive one frame into memory that is there already. zmq_recv."""
        _refuse_closed(self._core)
        view = writable_view(buffer, nbytes)
        return store_frame(self._core_recv(flags), view)


def _create_socket(context: Context | None, socket_type: int) -> Any:
    if context is None:
        raise TypeError("context must be specified")
    if not isinstance(socket_type, int):
        raise TypeError(f"an integer is required, got socket_type={socket_type!r}")
    if socket_type < 0:
        raise TypeError("socket_type must be specified")
    entry = getattr(context, "_entry", None)
    if entry is None:
        raise TypeError(f"Cannot convert {type(context).__name__} to Context: {context!r}")
    return entry.create_socket(socket_type)


# -- functions


@_raises_pyzmq
def zmq_poll(sockets: Sequence[tuple[Any, int]], timeout: int = -1) -> list[tuple[Any, int]]:
    """Wait until something happens on a socket or descriptor; see ``libzmq_py.zmq_poll``. zmq_poll."""
    return poll.zmq_poll(sockets, timeout)


def _socket_or_none(socket: Any) -> Any:
    return socket if isinstance(socket, SocketHandle) else None


@_raises_pyzmq
def proxy(frontend: Socket, backend: Socket, capture: Socket | None = None) -> int:
    """Pass messages between two sockets, both ways, until the context ends. zmq_proxy."""
    return functions.proxy(frontend, backend, _socket_or_none(capture))  # type: ignore[arg-type]


@_raises_pyzmq
def proxy_steerable(
    frontend: Socket, backend: Socket, capture: Socket | None = None, control: Socket | None = None
) -> int:
    """As ``proxy``, and obey a control socket. zmq_proxy_steerable."""
    return functions.proxy_steerable(
        frontend,  # type: ignore[arg-type]
        backend,  # type: ignore[arg-type]
        _socket_or_none(capture),
        _socket_or_none(control),
    )


has = functions.has
curve_keypair = _raises_pyzmq(functions.curve_keypair)
curve_public = _raises_pyzmq(functions.curve_public)

# Programs written for pyzmq expect to end when they end. (Stock pyzmq does not wait at all, but its threads in C go on
# delivering while the interpreter shuts down, and ours stop.)
exit_state.patience = EXIT_PATIENCE

#: None: pyzmq has one in Python.
monitored_queue: Callable[..., NoReturn] | None = None

__all__ = [
    "IPC_PATH_MAX_LEN",
    "PYZMQ_DRAFT_API",
    "Context",
    "Frame",
    "Message",
    "Socket",
    "curve_keypair",
    "curve_public",
    "has",
    "monitored_queue",
    "proxy",
    "proxy_steerable",
    "strerror",
    "zmq_errno",
    "zmq_poll",
    "zmq_version_info",
]
