# SPDX-License-Identifier: MPL-2.0
"""Context: makes sockets, and ends when they have.

Mirrors: the context half of src/zmq.cpp; pyzmq's sugar/context.py and backend Context.
Departs, from pyzmq: at interpreter exit contexts left open are terminated, after their sockets (live.py); pyzmq does
not wait there for what is undelivered. ``term`` that Ctrl-C has broken may be called again. ``closed`` of a shadow is
true once the context it shows has ended. ``shutdown`` is new.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast, overload
from warnings import warn
from weakref import WeakSet

from libzmq_py.api.attrsettr import AttributeSetter, OptValT
from libzmq_py.api.live import CONTEXTS, ContextEntry, cast_int_addr, exit_state, in_library_thread
from libzmq_py.api.socket import Socket, SyncSocket
from libzmq_py.constants import ContextOption, Errno, SocketOption
from libzmq_py.errors import ZMQError, strerror, zmq_error
from libzmq_py.options import SECRET_OPTIONS

if TYPE_CHECKING:
    from typing_extensions import Self
    from typing_extensions import TypeVar as TypeVarWithDefault

    # Plain `Context` is a context of plain sockets.
    _SocketT_co = TypeVarWithDefault("_SocketT_co", bound=Socket[Any], covariant=True, default=Socket[bytes])
else:
    _SocketT_co = TypeVar("_SocketT_co", bound="Socket[Any]", covariant=True)

_OtherT = TypeVar("_OtherT", bound="Socket[Any]")

_INT_MAX = 2**31 - 1


class Context(AttributeSetter, Generic[_SocketT_co]):
    """Where sockets live. Any thread may use it.

    Context options are attributes (``ctx.io_threads``), and so are socket options: they become the defaults of the
    sockets made later (``ctx.linger = 0``).

    As a context manager it closes its sockets at the end, with a ResourceWarning for each that was open, and
    terminates.

    Args:
        io_threads: How many threads do the I/O; or a Context, to shadow it.
        shadow: A Context, or the ``underlying`` of one, to be another face of. A shadow does not end it when it is
            collected, only by ``term`` and ``destroy``.

    Attributes:
        sockopts: The defaults for new sockets, option to value.

    Raises:
        ZMQError: EINVAL, negative ``io_threads``; EFAULT, no context has the number given as ``shadow``.

    zmq_ctx_new.
    """

    sockopts: dict[int, Any]
    _entry: ContextEntry
    _closed = False
    _instance: Any = None
    _instance_lock = Lock()
    _instance_pid: int | None = None
    _shadow = False
    _shadow_obj: Context[Any] | int | None = None
    _warn_destroy_close = False
    _sockets: WeakSet[Any]
    _socket_class: type[_SocketT_co] = Socket  # type: ignore[assignment]
    _repr_cls = "zmq.Context"

    @overload
    def __init__(self: SyncContext, io_threads: int = 1) -> None: ...
    @overload
    def __init__(self: SyncContext, io_threads: Context[Any], /) -> None: ...
    @overload
    def __init__(self: SyncContext, *, shadow: Context[Any] | int) -> None: ...
    def __init__(self: SyncContext, io_threads: int | Context[Any] = 1, shadow: Context[Any] | int = 0) -> None:
        if isinstance(io_threads, Context):
            shadow, io_threads = io_threads, 1
        self.sockopts = {}
        self._sockets = WeakSet()
        if shadow:
            self._shadow = True
            self._shadow_obj = shadow
            self._entry = _entry_of(shadow)
        else:
            check_int(io_threads, "io_threads")
            entry = ContextEntry()
            try:
                entry.core.set(ContextOption.IO_THREADS, io_threads)
            except ZMQError:
                entry.terminate()
                raise
            self._entry = entry

    # -- the end ----------------------------------------------------------------------------------------------------

    def __del__(self) -> None:
        """Destroy a context that was forgotten, with its sockets. A shadow leaves it alone."""
        # There is no entry if __init__ failed, and no `warn` when the interpreter ends.
        if "_entry" not in self.__dict__ or self._shadow or exit_state.exiting or self.closed:
            return
        self._warn_destroy_close = True
        if warn is not None:
            warn(f"Unclosed context {self}", ResourceWarning, stacklevel=2, source=self)
        self._entry.close_orphans()
        if in_library_thread():
            # The collector happens to run in a thread that may be the very one term() waits for.
            Thread(target=self.destroy, name="end of a context", daemon=True).start()
        else:
            self.destroy()

    def term(self) -> None:
        """End the context.

        Calls on its sockets that wait fail with ContextTerminated, as does everything but ``close`` from now on. Then
        wait until all sockets are closed, and all they sent is delivered or has outlasted its LINGER.

        After a second, and then ten times as long each time, the logger ``libzmq_py.ctx`` says what the wait is for.
        Ctrl-C breaks the wait; the call may be repeated. In a forked child nothing is done.

        zmq_ctx_term.
        """
        if not self._closed:
            self._entry.terminate()
        self._closed = True

    def shutdown(self) -> None:
        """Fail all calls that wait on sockets of the context, and those to come, with ContextTerminated; do not wait.

        Only ``close`` of the sockets, and ``term``, are left to do.

        zmq_ctx_shutdown.
        """
        if self._entry.usable:
            self._entry.core.shutdown()

    def destroy(self, linger: int | None = None) -> None:
        """Close all sockets made by this face of the context, then ``term``.

        No other thread may be using them.

        Args:
            linger: Milliseconds, set as LINGER on each first.
        """
        if self.closed:
            return
        for socket in list(self._sockets):
            if socket.closed:
                continue
            if self._warn_destroy_close and warn is not None:
                warn(f"Destroying context with unclosed socket {socket}", ResourceWarning, stacklevel=3, source=socket)
            socket.close(linger)
        self.term()

    @property
    def closed(self) -> bool:
        """True once the context has ended, and in a fork of the process that made it."""
        return self._closed or not self._entry.usable

    @property
    def underlying(self) -> int:
        """The number of the context, for ``shadow``; 0 once it has ended."""
        return 0 if self.closed else self._entry.key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._warn_destroy_close = True
        self.destroy()

    def __repr__(self) -> str:
        cls = self.__class__
        # A subclass without a name of its own shows where it comes from.
        name = cls.__dict__.get("_repr_cls", f"{cls.__module__}.{cls.__name__}")
        count = len(self._sockets)
        sockets = f"{count} socket{'s' if count > 1 else ''}" if count else ""
        closed = " closed" if self.closed else ""
        return f"<{name}({sockets}) at {hex(id(self))}{closed}>"

    # -- shadows and the instance -----------------------------------------------------------------------------------

    @classmethod
    def shadow(cls, address: int | Context[Any]) -> Self:
        """Make another face of a context, given as a Context or as the ``underlying`` of one."""
        return cls(shadow=address)

    def __copy__(self, memo: Any = None) -> Self:
        """A copy is a shadow."""
        return self.__class__.shadow(self.underlying)

    __deepcopy__ = __copy__

    @classmethod
    def instance(cls, io_threads: int = 1) -> Self:
        """The context of the whole process, made when there is none, or it has ended, or the process is a fork.

        Args:
            io_threads: For the case that it is made now.

        Raises:
            ZMQError: As the constructor.
        """
        if cls._instance_is_usable():
            return cast("Self", cls._instance)
        with cls._instance_lock:
            if not cls._instance_is_usable():
                cls._instance = cls(io_threads=io_threads)
                cls._instance_pid = os.getpid()
            return cast("Self", cls._instance)

    @classmethod
    def _instance_is_usable(cls) -> bool:
        return cls._instance is not None and cls._instance_pid == os.getpid() and not cls._instance.closed

    # -- sockets ----------------------------------------------------------------------------------------------------

    @overload
    def socket(self, socket_type: int, socket_class: None = None, **kwargs: Any) -> _SocketT_co: ...
    @overload
    def socket(self, socket_type: int, socket_class: Callable[[Any, int], _OtherT], **kwargs: Any) -> _OtherT: ...
    def socket(self, socket_type: int, socket_class: Callable[[Any, int], Any] | None = None, **kwargs: Any) -> Any:
        """Make a socket.

        Args:
            socket_type: ``zmq.PUSH``, ``zmq.REP`` ...
            socket_class: Its class, if not the usual one of this class of contexts.
            **kwargs: For the constructor of that class.

        Raises:
            ZMQError: ENOTSUP, the context is closed; else as the constructor of Socket.
        """
        if self._closed or (self.closed and not self._shadow):
            self._refuse()
        make: Callable[..., Any] = self._socket_class if socket_class is None else socket_class
        socket = make(self, socket_type, **kwargs)
        for option, value in self.sockopts.items():
            try:
                socket.setsockopt(option, value)
            except ZMQError:
                if option in SECRET_OPTIONS:
                    # Every type has these, so the value is wrong, and the socket would be open to everybody.
                    socket.close()
                    raise
                # else most likely an option that this type does not have, SUBSCRIBE say
        if not isinstance(socket, Socket) or socket.context is not self:  # else it has been
            self._add_socket(socket)
        return socket

    def _refuse(self) -> None:
        if self._entry.usable or self._entry.terminated:
            raise zmq_error(Errno.ENOTSUP, f"{strerror(Errno.ENOTSUP)} (socket of the closed {self!r})")
        self._entry.create_socket(0)  # a fork: has the better text

    def _add_socket(self, socket: Any) -> None:
        """Remember a socket for ``destroy``, weakly."""
        self._sockets.add(socket)

    def _rm_socket(self, socket: Any) -> None:
        """Forget a socket."""
        self._sockets.discard(socket)

    # -- options ----------------------------------------------------------------------------------------------------

    def set(self, option: int, optval: int) -> None:
        """Set an option of the context.

        Args:
            option: ``zmq.IO_THREADS``, ``zmq.MAX_SOCKETS``, ``zmq.BLOCKY``, ``zmq.IPV6`` ... Most act before the first
                socket only.
            optval: The value.

        Raises:
            ZMQError: EINVAL, no such option, or no such value.
            TypeError: One of the two is no int.
            OverflowError: An int is too large for C.
            RuntimeError: The context has ended.

        zmq_ctx_set.
        """
        self._check_open()
        check_int(option, "option")
        if not isinstance(optval, int):
            raise TypeError(f"expected int, got: {optval!r}")
        check_int(optval, "optval")
        self._entry.core.set(option, optval)

    def get(self, option: int) -> int:
        """Read an option of the context.

        Raises:
            ZMQError: EINVAL, no such option, or it cannot be read.
            TypeError: ``option`` is no int.
            RuntimeError: The context has ended.

        zmq_ctx_get.
        """
        self._check_open()
        check_int(option, "option")
        return self._entry.core.get(option)

    def set_ext(self, option: int, optval: int | bytes | str) -> None:
        """Set an option of the context, THREAD_NAME_PREFIX to a text of 1 to 16 bytes.

        Raises:
            ZMQError: EINVAL, no such option, or no such value.
            TypeError: The option is no int, or the value neither int, bytes nor str.
            RuntimeError: The context has ended.

        zmq_ctx_set_ext.
        """
        if isinstance(optval, str):
            optval = optval.encode()
        if not isinstance(optval, bytes):
            self.set(option, optval)
            return
        self._check_open()
        check_int(option, "option")
        self._entry.core.set(option, optval)

    def get_ext(self, option: int) -> int | bytes:
        """Read an option of the context, THREAD_NAME_PREFIX as bytes.

        Raises:
            As ``get``.

        zmq_ctx_get_ext.
        """
        self._check_open()
        check_int(option, "option")
        return self._entry.core.get_ext(option)

    def _check_open(self) -> None:
        if self.closed:
            raise RuntimeError("Context has been destroyed")

    def setsockopt(self, opt: int, value: Any) -> None:
        """Set a default for the sockets made from now on, by this face of the context."""
        self.sockopts[opt] = value

    def getsockopt(self, opt: int) -> OptValT:
        """Read such a default.

        Raises:
            KeyError: There is none.
        """
        return cast("OptValT", self.sockopts[opt])

    def _set_attr_opt(self, name: str, opt: int, value: Any) -> None:
        if name in ContextOption.__members__:
            self.set(opt, value)
        elif name in SocketOption.__members__:
            self.sockopts[opt] = value
        else:
            raise AttributeError(f"No such context or socket option: {name}")

    def _get_attr_opt(self, name: str, opt: int) -> OptValT:
        if name in ContextOption.__members__:
            return self.get(opt)
        if opt not in self.sockopts:
            raise AttributeError(name)
        return cast("OptValT", self.sockopts[opt])

    def __delattr__(self, key: str) -> None:
        """Forget a default: ``del ctx.linger``."""
        if key in self.__dict__:
            del self.__dict__[key]
            return
        name = key.upper()
        if name not in SocketOption.__members__:
            raise AttributeError(f"No such socket option: {name!r}")
        if SocketOption[name] not in self.sockopts:
            raise AttributeError(name)
        del self.sockopts[SocketOption[name]]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *ContextOption.__members__]


def _entry_of(shadow: Context[Any] | int) -> ContextEntry:
    if isinstance(shadow, Context):
        return shadow._entry
    key = cast_int_addr(shadow)
    entry = CONTEXTS.get(key)
    if entry is None:
        raise zmq_error(Errno.EFAULT, f"{strerror(Errno.EFAULT)} (no context has the number {key})")
    return entry


def check_int(value: object, name: str) -> None:
    """Take what fits into a C int.

    Raises:
        TypeError, OverflowError: It does not.
    """
    if not isinstance(value, int):
        raise TypeError(f"an integer is required, got {name} = {value!r}")
    if not -_INT_MAX - 1 <= value <= _INT_MAX:
        raise OverflowError(f"value too large to convert to int: {name} = {value}")


def _after_fork_in_child() -> None:
    # Another thread of the parent may have held it.
    Context._instance_lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


SyncContext: TypeAlias = Context[SyncSocket]

__all__ = ["Context", "SyncContext"]
