# SPDX-License-Identifier: MPL-2.0
"""Socket: what a user sends and receives with.

``send`` and ``recv`` of bytes, and of messages made of bytes, cost one call here and go straight to the core; all else
(buffers, frames, tracking, strings, JSON, options ...) takes the longer way. A closed socket needs no test: its calls
to the core reach a stand-in that refuses (``live.CLOSED``).

Mirrors: the socket half of src/zmq.cpp; pyzmq's sugar/socket.py and backend Socket.
Departs, from pyzmq: ``send_multipart`` hands a message over as one unit and does not call ``send`` for each part, nor
``recv_multipart`` ``recv``, which matters to subclasses that override them; it takes any iterable. Options as
attributes are those of ``attrsettr.option_attributes``. ``setsockopt(option, None)`` is C's (NULL, 0) for options that
hold bytes. ``monitor`` takes ``version`` and ``type``. A shadow made from a number knows its context. A socket made by
``Socket(ctx, type)`` is closed by ``ctx.destroy()`` like one made by ``ctx.socket(type)``. A string option can be read
whatever its length, and CURVE keys can be read. Closing a socket in a forked child does nothing, and there ``closed``
is true.
"""

from __future__ import annotations

import builtins
import errno
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast, overload
from warnings import warn

from libzmq_py.api.attrsettr import OptionAttribute, OptValT, is_declared, option_attributes
from libzmq_py.api.frame import Frame, as_bytes, byte_view, package_setting, require_draft
from libzmq_py.api.live import CLOSED, SOCKETS, DeadSocket, SocketHandle, cast_int_addr
from libzmq_py.api.poll import Poller
from libzmq_py.api.security import warn_of_open_door, warn_of_pickle
from libzmq_py.api.tracker import _FINISHED_TRACKER, Hold, MessageTracker, keeper
from libzmq_py.constants import (
    EVENT_ALL,
    PAIR,
    POLLIN,
    SNDMORE,
    Errno,
    SocketOption,
    SocketType,
    _OptType,
)
from libzmq_py.errors import ZMQBindError, ZMQError, strerror, zmq_error
from libzmq_py.msg import Msg, frame_bytes, message_of
from libzmq_py.options import option_name

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

    from libzmq_py.api.context import Context
    from libzmq_py.engines.i_engine import HandshakeFailure
    from libzmq_py.msg import Frame as CoreFrame

_T = TypeVar("_T")
_RT = TypeVar("_RT")
_SocketT_co = TypeVar("_SocketT_co", bound="Socket[Any]", covariant=True)
_SocketReturnT_co = TypeVar("_SocketReturnT_co", covariant=True)

# What recv_json can give.
_JSON: TypeAlias = "dict[str, Any] | list[Any] | str | float"

_DEFAULT_PORTS = (49152, 65536)
#: Longest ipc path the platform takes, without the closing NUL (sizeof sun_path - 1).
IPC_PATH_MAX_LEN = 107 if sys.platform == "linux" else 103

_IPC_FILTERS = (SocketOption.IPC_FILTER_UID, SocketOption.IPC_FILTER_GID, SocketOption.IPC_FILTER_PID)
_TYPES: dict[int, SocketType] = {int(socket_type): socket_type for socket_type in SocketType}
#: Past `Socket.__setattr__`, which looks whether the name is that of an option.
_store = object.__setattr__
#: Kind of an option's value, by number. Unknown numbers are taken for int; that they do not exist, the core says.
_KINDS: dict[int, _OptType] = {int(option): option._opt_type for option in SocketOption}


class _SocketContext(Generic[_SocketT_co]):
    """What ``bind`` and ``connect`` return: as a context manager it undoes them at the end."""

    def __init__(self, socket: _SocketT_co, kind: Literal["bind", "connect"], addr: str) -> None:
        self.socket = socket
        self.kind = kind
        self.addr = addr

    def __repr__(self) -> str:
        return f"<SocketContext({self.kind}={self.addr!r})>"

    def __enter__(self) -> _SocketT_co:
        return self.socket

    def __exit__(self, *exc_info: object) -> None:
        if self.socket.closed:
            return
        if self.kind == "bind":
            self.socket.unbind(self.addr)
        else:
            self.socket.disconnect(self.addr)


@option_attributes(SocketOption.__members__.items())
class Socket(SocketHandle, Generic[_SocketReturnT_co]):
    """A ZeroMQ socket. Usually made by ``Context.socket``.

    Options are attributes: ``sock.linger = 0``, ``sock.RCVTIMEO``.

    Several threads may use it (in libzmq only one at a time): each call is whole, a call that waits does not keep
    others out, and ``close`` ends those of other threads with ENOTSOCK. The frames of one message that are sent or
    received one by one are the business of one thread.

    Args:
        ctx_or_socket: The context, or a socket to shadow.
        socket_type: ``zmq.PUSH``, ``zmq.REP`` ...
        shadow: A socket, or the ``underlying`` of one, to be another face of. A shadow does not close it when it is
            collected, only by ``close``.
        copy_threshold: From how many bytes on ``send(copy=False)`` shares memory rather than copies; None is
            ``zmq.COPY_THRESHOLD``, 0 shares always.

    Attributes:
        context: The Context.
        type: The SocketType.
        copy_threshold: As given.

    Raises:
        TypeError: No context, or no type.
        ZMQError: EMFILE, too many sockets; EINVAL, no such type; ETERM, the context has ended; EFAULT, the context
            shadowed has; ENOTSOCK, no socket has the number given as ``shadow``.

    zmq_socket.
    """

    _shadow = False
    _shadow_obj: Socket[Any] | int | None = None
    _monitor_socket: Any = None
    _type_name = "UNKNOWN"
    _repr_cls = "zmq.Socket"
    _poller_class: builtins.type[Any] = Poller

    context: Context[Any]
    copy_threshold: int
    type: int

    @overload
    def __init__(
        self: Socket[bytes], ctx_or_socket: Context[Any], socket_type: int, *, copy_threshold: int | None = None
    ) -> None: ...
    @overload
    def __init__(
        self: Socket[bytes], *, shadow: Socket[Any] | int, copy_threshold: int | None = None
    ) -> None: ...
    @overload
    def __init__(self: Socket[bytes], ctx_or_socket: Socket[Any]) -> None: ...
    def __init__(
        self: Socket[bytes],
        ctx_or_socket: Context[Any] | Socket[Any] | None = None,
        socket_type: int = 0,
        *,
        shadow: Socket[Any] | int = 0,
        copy_threshold: int | None = None,
    ) -> None:
        if isinstance(ctx_or_socket, Socket):
            shadow, ctx_or_socket = ctx_or_socket, None
        _store(self, "copy_threshold", package_setting("COPY_THRESHOLD") if copy_threshold is None else copy_threshold)
        if shadow:
            self._shadow = True
            self._shadow_obj = shadow
            self._open_shadow(shadow)
        else:
            self._open(ctx_or_socket, socket_type)

    def _open(self, context: Context[Any] | None, socket_type: int) -> None:
        if context is None:
            raise TypeError("context must be specified")
        if not isinstance(socket_type, int):
            raise TypeError(f"an integer is required, got socket_type={socket_type!r}")
        if socket_type < 0:
            raise TypeError(f"socket_type must be specified, got {socket_type}")
        try:
            create = context._entry.create_socket
        except AttributeError:
            raise TypeError(f"Cannot convert {type(context).__name__} to Context: {context!r}") from None
        _store(self, "context", context)
        self._enter(create(socket_type))
        self._set_type(socket_type)
        context._add_socket(self)

    def _open_shadow(self, shadow: Socket[Any] | int) -> None:
        key = cast_int_addr(shadow)
        if not key:
            raise TypeError(f"cannot shadow a closed socket: {shadow!r}")
        entry = SOCKETS.get(key)
        if entry is None:
            raise zmq_error(Errno.ENOTSOCK, f"{strerror(Errno.ENOTSOCK)} (no open socket has the number {key})")
        for face in [shadow, *entry.faces]:
            if isinstance(face, Socket):
                self.context = face.context
                break
        self._enter(entry)
        self._set_type(entry.core.options.type)

    def _set_type(self, socket_type: int) -> None:
        known = _TYPES.get(socket_type, socket_type)
        _store(self, "type", known)
        _store(self, "_type_name", known.name if isinstance(known, SocketType) else str(socket_type))

    # -- the end ----------------------------------------------------------------------------------------------------

    def __del__(self) -> None:
        # Attributes may be missing, and `warn` None, when the interpreter ends or a subclass failed to initialize.
        if self._shadow or self.closed:
            return
        if warn is not None:
            warn(f"Unclosed socket {self}", ResourceWarning, stacklevel=2, source=self)
        self.close()

    def close(self, linger: int | None = None) -> None:
        """Close the socket; closing it again does nothing. In a forked child it does nothing at all.

        What was sent and not yet delivered goes on being sent for the time that LINGER says, and
        ``Context.term`` waits for that.

        Args:
            linger: Milliseconds, set as LINGER first; -1 is without limit, 0 drops what is left.

        zmq_close.
        """
        if linger is not None and not isinstance(linger, int):
            raise TypeError(f"an integer is required, got linger={linger!r}")
        context = getattr(self, "context", None)
        if context is not None:
            context._rm_socket(self)
        entry = self._entry
        if entry is not None and not self.closed:
            entry.close(linger)

    @property
    def closed(self) -> bool:
        """True once the socket is closed, through whichever face."""
        return self._core.closed

    @property
    def underlying(self) -> int:
        """The number of the socket, for ``shadow``; 0 once it is closed."""
        entry = self._entry
        return 0 if entry is None or self.closed else entry.key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        cls = self.__class__
        # A subclass without a name of its own shows where it comes from.
        name = cls.__dict__.get("_repr_cls", f"{cls.__module__}.{cls.__name__}")
        closed = " closed" if self.closed else ""
        return f"<{name}(zmq.{self._type_name}) at {hex(id(self))}{closed}>"

    # -- shadows ----------------------------------------------------------------------------------------------------

    @classmethod
    def shadow(cls, address: int | Socket[Any]) -> Self:
        """Make another face of a socket, given as a Socket or as the ``underlying`` of one."""
        return cls(shadow=address)

    def __copy__(self, memo: Any = None) -> Self:
        """A copy is a shadow."""
        return self.__class__.shadow(self.underlying)

    __deepcopy__ = __copy__

    # -- endpoints --------------------------------------------------------------------------------------------------

    def bind(self, addr: str) -> _SocketContext[Self]:
        """Accept connections on an endpoint.

        Args:
            addr: ``tcp://interface:port``, ``ipc://path``, ``inproc://name``; a str, or bytes in UTF-8. Port 0 or
                ``*``, and the path ``*``, let the system choose; the attribute ``last_endpoint`` then tells.

        Returns:
            A context manager that unbinds at its end.

        Raises:
            ZMQError: EINVAL, malformed; EPROTONOSUPPORT; ENOCOMPATPROTO; EADDRINUSE; EADDRNOTAVAIL; ENODEV; EMTHREAD;
                ETERM; ENOTSOCK; ENAMETOOLONG and ENOENT for ipc.
            TypeError: ``addr`` is neither str nor bytes.

        Warns:
            SecurityWarning: Once in a process, where a socket without security listens on every interface.

        zmq_bind.
        """
        endpoint = endpoint_text(addr)
        core = self._core
        if not isinstance(core, DeadSocket):
            warn_of_open_door(core, endpoint)
        try:
            core.bind(endpoint)
        except ZMQError as error:
            _name_address(error, addr)
            raise
        return self._bind_cm(endpoint)

    def connect(self, addr: str) -> _SocketContext[Self]:
        """Connect to an endpoint, now or as soon as somebody is there.

        Args:
            addr: ``tcp://host:port``, ``ipc://path``, ``inproc://name``; a str, or bytes in UTF-8. A source address
                goes in front: ``tcp://source:0;host:port``.

        Returns:
            A context manager that disconnects at its end.

        Raises:
            ZMQError: EINVAL, malformed; EPROTONOSUPPORT; ENOCOMPATPROTO; EMTHREAD; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_connect.
        """
        endpoint = endpoint_text(addr)
        try:
            self._core.connect(endpoint)
        except ZMQError as error:
            _name_address(error, addr)
            raise
        return self._connect_cm(endpoint)

    def _bind_cm(self, addr: str) -> _SocketContext[Self]:
        try:
            # The real address where the system chose it.
            addr = cast(bytes, self.get(SocketOption.LAST_ENDPOINT)).decode()
        except (AttributeError, ZMQError, UnicodeDecodeError):
            pass
        return _SocketContext(self, "bind", addr)

    def _connect_cm(self, addr: str) -> _SocketContext[Self]:
        return _SocketContext(self, "connect", addr)

    def unbind(self, addr: str | bytes) -> None:
        """Undo ``bind``.

        Raises:
            ZMQError: ENOENT, not bound to it; EINVAL; EPROTONOSUPPORT; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_unbind.
        """
        self._core.term_endpoint(endpoint_text(addr))

    def disconnect(self, addr: str | bytes) -> None:
        """Undo ``connect``.

        Raises:
            ZMQError: ENOENT, not connected to it; EINVAL; EPROTONOSUPPORT; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_disconnect.
        """
        self._core.term_endpoint(endpoint_text(addr))

    def bind_to_random_port(
        self, addr: str, min_port: int = _DEFAULT_PORTS[0], max_port: int = _DEFAULT_PORTS[1], max_tries: int = 100
    ) -> int:
        """Bind to a port that is free.

        Args:
            addr: The address without port: ``tcp://*``.
            min_port: First port to try. With both left alone the system chooses.
            max_port: The port after the last to try.
            max_tries: How often to try.

        Returns:
            The port.

        Raises:
            ZMQBindError: No try found a free one.
            ZMQError: As ``bind``, EADDRINUSE excepted.
        """
        if (min_port, max_port) == _DEFAULT_PORTS:
            self.bind(f"{addr}:*")
            url = cast(bytes, self.get(SocketOption.LAST_ENDPOINT)).decode("ascii", "replace")
            return int(url.rpartition(":")[2])
        import random

        for _ in range(max_tries):
            port = random.randrange(min_port, max_port)  # noqa: S311 - no secret: whoever looks finds the port
            try:
                self.bind(f"{addr}:{port}")
            except ZMQError as error:
                windows_says_in_use = sys.platform == "win32" and error.errno == errno.EACCES
                if error.errno != Errno.EADDRINUSE and not windows_says_in_use:
                    raise
            else:
                return port
        raise ZMQBindError(f"Could not bind socket to random port ({addr}, {min_port} to {max_port - 1}).")

    # -- options ----------------------------------------------------------------------------------------------------

    def set(self, option: int, optval: int | bytes | None) -> None:
        """Set an option. Most act on endpoints bound or connected afterwards.

        Args:
            option: ``zmq.LINGER``, ``zmq.SUBSCRIBE`` ...
            optval: An int or bytes, as the option has it; None, for bytes options and ipc filters, is C's (NULL, 0).

        Raises:
            ZMQError: EINVAL, no such option here or no such value; ETERM; ENOTSOCK.
            TypeError: The value is of the wrong kind; a str belongs to ``set_string``.
            OverflowError: An int is too large for C.

        zmq_setsockopt.
        """
        core = self._core
        if isinstance(core, DeadSocket):
            core.refuse()
        check_option_value(option, optval)
        core.setsockopt(option, optval)

    def get(self, option: int) -> int | bytes:
        """Read an option.

        Raises:
            ZMQError: EINVAL, no such option here, or it cannot be read; ETERM; ENOTSOCK.
            TypeError: ``option`` is no int.

        zmq_getsockopt.
        """
        if not isinstance(option, int):
            raise TypeError(f"an integer is required, got option {option!r}")
        return self._core.getsockopt(option)

    setsockopt = set
    getsockopt = get

    def set_string(self, option: int, optval: str, encoding: str = "utf-8") -> None:
        """Set an option that holds bytes to an encoded str.

        Raises:
            TypeError: ``optval`` is no str.
            ZMQError: As ``set``.
        """
        if not isinstance(optval, str):
            raise TypeError(f"strings only, not {type(optval)}: {optval!r}")
        self.set(option, optval.encode(encoding))

    def get_string(self, option: int, encoding: str = "utf-8") -> str:
        """Read an option that holds bytes, decoded.

        Raises:
            TypeError: The option holds no bytes.
            ValueError: There is no such option.
            ZMQError: As ``get``.
        """
        if SocketOption(option)._opt_type is not _OptType.bytes:
            raise TypeError(f"option {option_name(option)} will not return a string to be decoded")
        return cast(bytes, self.get(option)).decode(encoding)

    setsockopt_string = setsockopt_unicode = set_string
    getsockopt_string = getsockopt_unicode = get_string

    def __setattr__(self, key: str, value: Any) -> None:
        declared = getattr(self.__class__, key, None)
        if type(declared) is OptionAttribute:
            self.set(declared.option, value)
            return
        lowered = key.lower()
        if lowered in ("subscribe", "unsubscribe"):
            # Methods, to which one may all the same assign.
            self._set_topic(SocketOption[key.upper()], value)
        elif declared is not None or is_declared(self.__class__, key) or key in self.__dict__:
            # The first is quick, the second exact; whoever asks for `__dict__` makes the object have a dict.
            object.__setattr__(self, key, value)
        elif key.upper() in SocketOption.__members__:
            self.set(SocketOption[key.upper()], value)
        else:
            raise AttributeError(f"{type(self).__name__} has no such option: {key.upper()}")

    if TYPE_CHECKING:

        def __getattr__(self, key: str) -> OptValT: ...

    def subscribe(self, topic: str | bytes) -> None:
        """Receive messages that begin with ``topic`` (SUB); a str is encoded as UTF-8, an empty one means all messages.

        ``sock.subscribe = topic`` does the same. Subscriptions are counted: two of one topic are undone by two
        ``unsubscribe``.

        Raises:
            ZMQError: EINVAL, not a SUB (nor an XPUB or PUB in manual mode); ETERM; ENOTSOCK.
            TypeError: ``topic`` is neither str nor bytes.

        zmq_setsockopt (ZMQ_SUBSCRIBE).
        """
        self._set_topic(SocketOption.SUBSCRIBE, topic)

    def unsubscribe(self, topic: str | bytes) -> None:
        """Undo one ``subscribe`` of the same topic; nothing happens if there is none.

        Raises:
            As ``subscribe``.

        zmq_setsockopt (ZMQ_UNSUBSCRIBE).
        """
        self._set_topic(SocketOption.UNSUBSCRIBE, topic)

    def _set_topic(self, option: SocketOption, topic: str | bytes) -> None:
        if topic is None:
            raise TypeError("expected str or bytes, got: None (topic)")
        self.set(option, topic.encode() if isinstance(topic, str) else topic)

    @property
    def hwm(self) -> int:
        """The high water mark: reads SNDHWM, sets SNDHWM and RCVHWM."""
        return self.get_hwm()

    @hwm.setter
    def hwm(self, value: int) -> None:
        self.set_hwm(value)

    def get_hwm(self) -> int:
        """SNDHWM."""
        return cast(int, self.get(SocketOption.SNDHWM))

    def set_hwm(self, value: int) -> None:
        """Set SNDHWM and RCVHWM."""
        failure: Exception | None = None
        for option in (SocketOption.SNDHWM, SocketOption.RCVHWM):
            try:
                self.set(option, value)
            except (ZMQError, TypeError, OverflowError) as error:
                failure = error  # a type may have one and not the other: try both
        if failure is not None:
            raise failure

    def fileno(self) -> int:
        """The descriptor (FD) that becomes readable when EVENTS may have changed: read EVENTS until it is drained.

        For event loops. Readable does not mean that there is a message, and a message that was there before may not
        make it readable again: look at EVENTS after each call that sends or receives.

        zmq_getsockopt (ZMQ_FD).
        """
        return cast(int, self.get(SocketOption.FD))

    @property
    def socket_type(self) -> int:
        """Older name of ``type``."""
        warn("Socket.socket_type is deprecated, use Socket.type", DeprecationWarning, stacklevel=2)
        return self.type

    # -- sending ----------------------------------------------------------------------------------------------------

    @overload  # before the rest, as a Frame is a Buffer too
    def send(  # type: ignore[overload-overlap]
        self,
        data: Frame,
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> MessageTracker: ...
    @overload  # copies (the default)
    def send(
        self,
        data: Buffer,
        flags: int = 0,
        copy: Literal[True] = True,
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> None: ...
    @overload  # does not, by keyword
    def send(
        self,
        data: Buffer,
        flags: int = 0,
        *,
        copy: Literal[False],
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> MessageTracker: ...
    @overload  # does not, by position
    def send(
        self,
        data: Buffer,
        flags: int,
        copy: Literal[False],
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> MessageTracker: ...
    @overload  # decided at run time
    def send(
        self,
        data: Buffer,
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> MessageTracker | None: ...
    def send(
        self,
        data: Any,
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> MessageTracker | None:
        """Send one frame.

        Hot path: bytes go to the core in one call.

        Args:
            data: bytes, a Frame, or anything with a buffer.
            flags: SNDMORE, more frames of the message follow; DONTWAIT, fail rather than wait.
            copy: False shares the memory of ``data`` with the library if it has ``copy_threshold`` bytes or more; it
                must not change until it is sent.
            track: With ``copy=False``, return a tracker that tells when.
            routing_id: The client (SERVER; draft).
            group: The group (RADIO; draft).

        Returns:
            The tracker of a Frame, or with ``copy=False`` (a finished one if the data was copied after all, None if
            it was shared without ``track``); else None.

        Raises:
            ZMQError: EAGAIN (Again), there is no room, at once with DONTWAIT or for SNDTIMEO; ENOTSUP; EFSM;
                EHOSTUNREACH; ETERM (ContextTerminated); ENOTSOCK.
            TypeError: ``data`` is a str, or has no buffer.
            ValueError: ``track`` with a Frame that has no tracker.

        zmq_msg_send.
        """
        if type(data) is bytes and copy and routing_id is None and group is None:
            run = self._core.out_run
            if run is not None and not flags and not run.commands:
                for put, asleep, flush in run.room:
                    put(data)
                    if asleep:
                        flush()
                    return None
            return self._core_send(data, flags)  # type: ignore[func-returns-value]
        item, tracker = self._outgoing(data, copy, track, routing_id, group)
        self._core_send(item, flags)
        return tracker

    def _outgoing(
        self, data: Any, copy: bool, track: bool, routing_id: int | None = None, group: str | None = None
    ) -> tuple[CoreFrame, MessageTracker | None]:
        """What to give to the core for one frame, and what to return to the user."""
        core = self._core
        if isinstance(core, DeadSocket):
            core.refuse()
        if isinstance(data, str):
            raise TypeError(f"unicode not allowed, use send_string (data {data[:32]!r})")
        if routing_id is not None or group is not None:
            data = self._addressed(data, copy, track, routing_id, group)
        if isinstance(data, Frame):
            if track and data.tracker is None:
                raise ValueError(f"Not a tracked message: {data!r}")
            return data._to_send(), data.tracker
        if copy:
            return as_bytes(data), None
        return self._outgoing_shared(data, track)

    def _outgoing_shared(self, data: Any, track: bool) -> tuple[CoreFrame, MessageTracker | None]:
        content = data if type(data) is bytes else byte_view(data)
        if len(content) < self.copy_threshold:
            return as_bytes(content), _FINISHED_TRACKER
        if not track:
            return content, None
        event = Event()
        return Msg(content, release=keeper(Hold(event))), MessageTracker(event)

    def _addressed(self, data: Any, copy: bool, track: bool, routing_id: int | None, group: str | None) -> Frame:
        frame = (
            data
            if isinstance(data, Frame)
            else Frame(data, track=track, copy=copy or None, copy_threshold=self.copy_threshold)
        )
        if routing_id is not None:
            frame.routing_id = routing_id
        if group is not None:
            frame.group = group
        return frame

    def send_multipart(
        self,
        msg_parts: Iterable[Frame | Buffer],
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        **kwargs: Any,
    ) -> MessageTracker | None:
        """Send a message of several frames.

        Hot path: parts that are all bytes go to the core as one unit, in one call.

        Args:
            msg_parts: The frames, at least one: bytes, Frames, or anything with a buffer.
            flags: As for ``send``; SNDMORE is seen to, and if given leaves the message open.
            copy: As for ``send``.
            track: As for ``send``.
            **kwargs: Ignored.

        Returns:
            What ``send`` would for the last part.

        Raises:
            TypeError: A part has no buffer; nothing has been sent then.
            IndexError: There is no part.
            ZMQError, ValueError: As ``send``.
        """
        parts: tuple[Any, ...] = tuple(msg_parts)
        if copy:
            for part in parts:
                if type(part) is not bytes:
                    break
            else:
                if parts:
                    return self._core_send_multipart(parts, flags)  # type: ignore[func-returns-value]
        return self._send_parts(parts, flags, copy, track)

    def _send_parts(self, parts: tuple[Any, ...], flags: int, copy: bool, track: bool) -> MessageTracker | None:
        if not parts:
            raise IndexError("a message has at least one frame, got none")
        for index, part in enumerate(parts):
            _check_part(index, part)
        outgoing = [self._outgoing(part, copy, track) for part in parts]
        self._core_send_multipart(tuple(item for item, _ in outgoing), flags)
        return outgoing[-1][1]

    def send_many(
        self, messages: Iterable[Buffer | Frame | Sequence[Buffer | Frame]], flags: int = 0, copy: bool = True
    ) -> int:
        """Send many messages in one call (libzmq_py only; for whoever receives there is no difference).

        Hot path: where a message costs more to hand over than to send, hundreds at once cost a fraction.

        Args:
            messages: Each one frame, as for ``send``, or a list or tuple of frames, as for ``send_multipart``.
            flags: DONTWAIT, do not wait for room.
            copy: As for ``send``.

        Returns:
            How many were sent: all, or those for which there was room, at once with DONTWAIT or each within SNDTIMEO.

        Raises:
            ZMQError: As ``send``; EAGAIN (Again) only if not even one was sent; EINVAL for SNDMORE.
            TypeError: Something is neither a frame nor frames; nothing has been sent then.
            IndexError: A message has no frame; nothing has been sent then.
        """
        if flags & SNDMORE:
            raise zmq_error(errno.EINVAL, f"Invalid argument (flags {flags:#x}: SNDMORE, and messages are whole)")
        batch: list[Any] = list(messages)
        if not copy or set(map(type, batch)) - {bytes}:
            batch = [self._outgoing_message(message, copy) for message in batch]
        return self._core.send_many(batch, flags)

    def _outgoing_message(self, message: Any, copy: bool) -> Any:
        if not isinstance(message, (list, tuple)):
            return self._outgoing(message, copy, False)[0]
        if not message:
            raise IndexError("a message has at least one frame, got none")
        for index, part in enumerate(message):
            _check_part(index, part)
        return message_of(tuple(self._outgoing(part, copy, False)[0] for part in message))

    def send_serialized(
        self,
        msg: _T,
        serialize: Callable[[_T], Sequence[Frame | Buffer]],
        flags: int = 0,
        copy: bool = True,
        **kwargs: Any,
    ) -> MessageTracker | None:
        """Send the frames that ``serialize(msg)`` gives, as ``send_multipart`` does."""
        return self.send_multipart(serialize(msg), flags=flags, copy=copy, **kwargs)

    def send_string(
        self, u: str, flags: int = 0, copy: bool = True, encoding: str = "utf-8", **kwargs: Any
    ) -> MessageTracker | None:
        """Send a str, encoded; otherwise as ``send``.

        Raises:
            TypeError: ``u`` is no str.
        """
        if not isinstance(u, str):
            raise TypeError(f"str objects only, got: {u!r}")
        return self.send(u.encode(encoding), flags, copy, **kwargs)

    send_unicode = send_string

    def send_pyobj(
        self, obj: object, flags: int = 0, protocol: int | None = None, **kwargs: Any
    ) -> MessageTracker | None:
        """Send any object, pickled; otherwise as ``send``.

        Args:
            protocol: Of pickle; None is ``pickle.DEFAULT_PROTOCOL``.
        """
        import pickle

        data: bytes = pickle.dumps(obj, protocol)
        tracker: MessageTracker | None = self.send(data, flags, **kwargs)
        return tracker

    def send_json(self, obj: object, flags: int = 0, **kwargs: Any) -> MessageTracker | None:
        """Send an object as JSON in UTF-8.

        Args:
            **kwargs: ``routing_id`` and ``group`` go to ``send``, the rest to ``json.dumps``.
        """
        import json

        send_kwargs = {name: kwargs.pop(name) for name in ("routing_id", "group") if name in kwargs}
        tracker: MessageTracker | None = self.send(json.dumps(obj, **kwargs).encode(), flags, **send_kwargs)
        return tracker

    # -- receiving --------------------------------------------------------------------------------------------------

    @overload  # copies (the default)
    def recv(self, flags: int = 0, copy: Literal[True] = True, track: bool = False) -> bytes: ...
    @overload  # does not, by keyword
    def recv(self, flags: int = 0, *, copy: Literal[False], track: bool = False) -> Frame: ...
    @overload  # does not, by position
    def recv(self, flags: int, copy: Literal[False], track: bool = False) -> Frame: ...
    @overload  # decided at run time
    def recv(self, flags: int = 0, copy: bool = True, track: bool = False) -> bytes | Frame: ...
    def recv(self, flags: int = 0, copy: bool = True, track: bool = False) -> bytes | Frame:
        """Receive one frame.

        Hot path: the bytes the core gives are passed on as they are.

        Args:
            flags: DONTWAIT, fail rather than wait.
            copy: False gives a Frame, which spares large frames a copy and knows where it came from.
            track: Give the Frame a (finished) tracker.

        Raises:
            ZMQError: EAGAIN (Again), there is nothing, at once with DONTWAIT or for RCVTIMEO; ENOTSUP; EFSM; ETERM
                (ContextTerminated); ENOTSOCK.

        zmq_msg_recv.
        """
        run = self._core.in_run
        if run is not None and (copy or run.pipe is not None):
            try:
                data = run.take()
                if type(data) is bytes:
                    return data if copy else Frame._received(data, False, run.metadata, track)
                run.put_back(data)
            except StopIteration:
                pass
        data = self._core_recv(flags)
        if copy:
            return data if type(data) is bytes else frame_bytes(data)
        core = self._core
        return Frame._received(data, core.rcvmore, core.last_metadata(), track)

    @overload  # copies (the default)
    def recv_multipart(self, flags: int = 0, copy: Literal[True] = True, track: bool = False) -> list[bytes]: ...
    @overload  # does not, by keyword
    def recv_multipart(self, flags: int = 0, *, copy: Literal[False], track: bool = False) -> list[Frame]: ...
    @overload  # does not, by position
    def recv_multipart(self, flags: int, copy: Literal[False], track: bool = False) -> list[Frame]: ...
    @overload  # decided at run time
    def recv_multipart(self, flags: int = 0, copy: bool = True, track: bool = False) -> list[bytes] | list[Frame]: ...
    def recv_multipart(self, flags: int = 0, copy: bool = True, track: bool = False) -> list[Any]:
        """Receive all frames of a message, or those that are left of it.

        Hot path: the core's list of bytes is passed on as it is.

        Args and errors as of ``recv``.
        """
        items: list[Any] = self._core_recv_multipart(flags)
        if copy:
            for item in items:
                if type(item) is not bytes:
                    return [frame_bytes(each) for each in items]
            return items
        metadata: Mapping[str, str] | None = self._core.last_metadata()
        last = len(items) - 1
        return [Frame._received(item, index < last, metadata, track) for index, item in enumerate(items)]

    def recv_many(self, max_messages: int = 1000, flags: int = 0) -> list[bytes | list[bytes]]:
        """Receive what is there, many messages in one call (libzmq_py only).

        Waits for the first message as ``recv`` does, and for no other.

        Args:
            max_messages: How many to take at most.
            flags: DONTWAIT, fail rather than wait for the first.

        Returns:
            At least one message: bytes if it has one frame, else the list of its frames.

        Raises:
            ZMQError: As ``recv``.
            ValueError: ``max_messages`` is below 1.
        """
        if max_messages < 1:
            raise ValueError(f"max_messages must be at least 1, got {max_messages}")
        messages: list[Any] = self._core.recv_many(max_messages, flags)
        if set(map(type, messages)) == {bytes}:
            return messages
        return [
            [frame_bytes(frame) for frame in message] if type(message) is tuple else frame_bytes(message)
            for message in messages
        ]

    def recv_into(self, buffer: Buffer, /, *, nbytes: int = 0, flags: int = 0) -> int:
        """Receive one frame into memory that is there already.

        Args:
            buffer: Anything with a contiguous, writable buffer; an empty one drops the frame.
            nbytes: Bytes to store at most; 0 is what ``buffer`` holds. What is beyond is lost.
            flags: As for ``recv``.

        Returns:
            The size of the frame, which may exceed what was stored.

        Raises:
            ValueError: ``nbytes`` is negative, or more than ``buffer`` holds.
            BufferError: The buffer is read-only or not contiguous.
            TypeError: There is no buffer.
            ZMQError: As ``recv``.

        zmq_recv.
        """
        core = self._core
        if isinstance(core, DeadSocket):
            core.refuse()
        view = writable_view(buffer, nbytes)
        return store_frame(self._core_recv(flags), view)

    def _deserialize(self, recvd: _T, load: Callable[[_T], _RT]) -> _RT:
        """Turn what ``recv`` gave into what is returned; asynchronous subclasses wait for it first."""
        return load(recvd)

    # What follows is overloaded for mypy, which does not infer the argument of `deserialize` without.
    @overload
    def recv_serialized(
        self, deserialize: Callable[[list[bytes]], _RT], flags: int = 0, copy: bool = True
    ) -> _RT: ...
    @overload
    def recv_serialized(
        self, deserialize: Callable[[list[Frame]], _RT], flags: int = 0, copy: bool = True
    ) -> _RT: ...
    def recv_serialized(self, deserialize: Callable[[list[Any]], _RT], flags: int = 0, copy: bool = True) -> _RT:
        """Receive a message and return ``deserialize(frames)``; otherwise as ``recv_multipart``."""
        return self._deserialize(self.recv_multipart(flags, copy), deserialize)

    def recv_string(self, flags: int = 0, encoding: str = "utf-8") -> str:
        """Receive one frame, decoded; otherwise as ``recv``.

        Raises:
            UnicodeDecodeError: It is not in that encoding; the frame is gone.
            ZMQError: As ``recv``.
        """
        return self._deserialize(self.recv(flags), lambda data: data.decode(encoding))

    recv_unicode = recv_string

    def recv_pyobj(self, flags: int = 0) -> Any:
        """Receive one frame and unpickle it; otherwise as ``recv``.

        Unpickling runs whatever code the sender wants to: use it only where every peer that can connect is known, by
        CURVE and an authenticator say. ``recv_json`` has no such danger.

        Warns:
            SecurityWarning: The sender is on another machine and was not authenticated.
        """
        return self._deserialize(self.recv(flags), self._unpickle)

    def _unpickle(self, data: bytes) -> Any:
        import pickle

        core = self._core
        if not isinstance(core, DeadSocket):
            warn_of_pickle(core)
        return pickle.loads(data)  # noqa: S301 - what the method is for; it warns, and its docstring does

    def recv_json(self, flags: int = 0, **kwargs: Any) -> _JSON:
        """Receive one frame of JSON in UTF-8 and return what it says; otherwise as ``recv``.

        Args:
            **kwargs: For ``json.loads``.

        Raises:
            ValueError: It is no JSON; the frame is gone.
            ZMQError: As ``recv``.
        """
        import json

        return self._deserialize(self.recv(flags), lambda data: cast("_JSON", json.loads(data.decode(), **kwargs)))

    # -- waiting and watching ---------------------------------------------------------------------------------------

    def poll(self, timeout: float | None = None, flags: int = POLLIN) -> int:
        """Wait until something happens on this socket.

        Args:
            timeout: Milliseconds; None or negative waits for ever, 0 only looks.
            flags: What to wait for: POLLIN, POLLOUT or both.

        Returns:
            What has happened, 0 if nothing did in time.

        Raises:
            ZMQError: ENOTSUP, the socket is closed; ETERM.
        """
        if self._core is CLOSED:
            raise zmq_error(Errno.ENOTSUP, f"{strerror(Errno.ENOTSUP)} (poll of {self!r})")
        if self._poller_class is not Poller:
            poller = self._poller_class()
            poller.register(self, flags)
            events: dict[Any, int] = dict(poller.poll(timeout))
            return events.get(self, 0)
        if not flags:
            return 0
        return self._core.poll(int(flags), -1 if timeout is None or timeout < 0 else int(timeout))

    def monitor(
        self, addr: str | bytes | None, events: int = EVENT_ALL, version: int = 1, type: int = PAIR
    ) -> None:
        """Send events of this socket to an inproc endpoint.

        Args:
            addr: ``inproc://name``, to which a socket of the given type then connects; None stops it.
            events: Which: EVENT_CONNECTED | EVENT_DISCONNECTED ...
            version: Of the message format: ``parse_monitor_message`` reads 1, ``parse_monitor_message_v2`` reads 2,
                which tells both ends of a connection and knows EVENT_PIPES_STATS. With another nothing is ever sent.
            type: Of the socket that sends them: PAIR, PUB or PUSH.

        Raises:
            ZMQError: EINVAL, another type, or version 1 with events it does not know; EPROTONOSUPPORT, not inproc;
                EADDRINUSE; EMFILE; ETERM; ENOTSOCK.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_socket_monitor, zmq_socket_monitor_versioned.
        """
        self._core.monitor(None if addr is None else endpoint_text(addr), events, version, type)

    def monitor_pipes_stats(self) -> None:
        """Have the monitor (version 2) send an EVENT_PIPES_STATS for each pipe.

        Raises:
            ZMQError: EINVAL, no monitor wants it; EAGAIN, there is no pipe; ENOTSOCK.

        zmq_socket_monitor_pipes_stats.
        """
        self._core.monitor_pipes_stats()

    def get_monitor_socket(self, events: int | None = None, addr: str | None = None) -> Self:
        """Start a monitor and return the PAIR socket that receives its messages; an open one is returned again.

        Args:
            events: Which; None is all.
            addr: The endpoint between the two; None makes one up.

        Raises:
            ZMQError: As ``monitor``.
        """
        existing = self._monitor_socket
        if existing is not None and not existing.closed:
            return cast("Self", existing)
        if addr is None:
            core = self._core
            if isinstance(core, DeadSocket):
                core.refuse()
            # The number that FD reads, without the cost of somebody watching it, and the socket's own: a descriptor is
            # used again at once, while the name of a monitor that was closed just before may still be bound.
            addr = f"inproc://monitor.s-{core.mailbox.fd}-{core.options.socket_id}"
        self.monitor(addr, EVENT_ALL if events is None else events)
        self._monitor_socket = receiver = self.context.socket(PAIR)
        receiver.connect(addr)
        return cast("Self", receiver)

    def disable_monitor(self) -> None:
        """Stop the monitor, and forget the socket of ``get_monitor_socket``, which stays open."""
        self._monitor_socket = None
        self.monitor(None, 0)

    def connect_peer(self, addr: str | bytes) -> int:
        """Connect, and return the routing id of the peer (PEER; draft).

        Raises:
            ZMQError: ENOTSUP, another type; else as ``connect``.
            TypeError: ``addr`` is neither str nor bytes.

        zmq_connect_peer.
        """
        return self._core.connect_peer(endpoint_text(addr))

    def disconnect_peer(self, routing_id: int) -> None:
        """Drop the connection to one peer (SERVER, PEER; draft).

        Raises:
            ZMQError: ENOTSUP, another type; EHOSTUNREACH, no such peer; ETERM; ENOTSOCK.

        zmq_disconnect_peer.
        """
        self._core.disconnect_peer(routing_id)

    def peer_state(self, routing_id: bytes) -> int:
        """Tell what can be done with one peer (ROUTER and REP).

        Returns:
            POLLOUT if it has room for a message, else 0.

        Raises:
            ZMQError: ENOTSUP, another type; EHOSTUNREACH, no such peer; ETERM; ENOTSOCK.

        zmq_socket_get_peer_state.
        """
        self._core.process_commands(0)  # as the credits of the peer are there
        return self._core.get_peer_state(routing_id)

    @property
    def last_handshake_failures(self) -> list[HandshakeFailure]:
        """Why connections did not come to be, newest last: who the peer was, what was waited for, which event told of
        it, and the reason in words (``str`` makes a line of it). The last 32 are kept. (Not in pyzmq.)
        """
        core = self._core
        return [] if isinstance(core, DeadSocket) else list(core.handshake_failures)

    def join(self, group: str | bytes) -> None:
        """Receive messages of a group (DISH; draft). zmq_join."""
        require_draft("RADIO-DISH")
        self._core.join(group if isinstance(group, str) else group.decode())

    def leave(self, group: str | bytes) -> None:
        """Undo ``join``. zmq_leave."""
        require_draft("RADIO-DISH")
        self._core.leave(group if isinstance(group, str) else group.decode())


def check_option_value(option: int, optval: object) -> None:
    """Refuse a value that is not of the kind the option has in C.

    Raises:
        TypeError: The value is of the wrong kind, or the option is no int.
        OverflowError: An int is too large for C.
    """
    if isinstance(optval, str):
        raise TypeError(f"unicode not allowed, use setsockopt_string (option {option_name(option)})")
    kind = _KINDS.get(option, _OptType.int)
    if kind is _OptType.bytes:
        if optval is not None and not isinstance(optval, bytes):
            raise TypeError(f"expected bytes, got: {optval!r} (option {option_name(option)})")
    elif optval is None and option in _IPC_FILTERS:
        pass  # clears the filter
    elif not isinstance(optval, int):
        raise TypeError(f"expected int, got: {optval!r} (option {option_name(option)})")
    elif optval.bit_length() >= (bits := 64 if kind is _OptType.int64 else 32) and optval != -(1 << bits - 1):
        raise OverflowError(f"value too large to convert to {kind.value}: {optval} (option {option_name(option)})")
    if not isinstance(option, int):
        raise TypeError(f"an integer is required, got option {option!r}")


def writable_view(buffer: Buffer, nbytes: int) -> memoryview:
    """The memory that a frame is to be received into: all of `buffer` if `nbytes` is 0.

    Raises:
        ValueError: ``nbytes`` is negative, or more than ``buffer`` holds.
        BufferError: The buffer is read-only or not contiguous.
        TypeError: There is no buffer.
    """
    view = byte_view(buffer)
    if view.readonly:
        raise BufferError(f"memoryview: underlying buffer is not writable ({type(buffer).__name__})")
    if nbytes < 0:
        raise ValueError(f"{nbytes=} must be non-negative")
    if nbytes > len(view):
        raise ValueError(f"{nbytes=} too big for memoryview of {len(view)}B")
    return view[:nbytes] if nbytes else view


def store_frame(item: CoreFrame, view: memoryview) -> int:
    """Copy as much of a frame as there is room for; return the size of the whole frame."""
    data = item.data if isinstance(item, Msg) else item
    size = len(data)
    stored = min(size, len(view))
    view[:stored] = memoryview(data)[:stored]
    return size


def endpoint_text(addr: Any) -> str:
    if isinstance(addr, str):
        return addr
    if isinstance(addr, bytes):
        return addr.decode()
    raise TypeError(f"Expected addr to be str, got addr={addr!r}")


def _name_address(error: ZMQError, addr: object) -> None:
    """Make the text of a failed bind or connect say what was asked for."""
    if error.errno == errno.ENAMETOOLONG:
        error.strerror += f" (an ipc path has at most {IPC_PATH_MAX_LEN} bytes, zmq.IPC_PATH_MAX_LEN)"
    if repr(addr) not in error.strerror:
        error.strerror += f" (addr={addr!r})"


def _check_part(index: int, part: object) -> None:
    if isinstance(part, (bytes, memoryview, Frame)):
        return
    try:
        memoryview(part)  # type: ignore[arg-type]
    except TypeError as error:
        shown = repr(part)
        shown = shown if len(shown) <= 32 else f"{shown[:32]}..."
        raise TypeError(f"Frame {index} ({shown}) does not support the buffer interface.") from error


SyncSocket: TypeAlias = Socket[bytes]

__all__ = ["Socket", "SyncSocket"]
