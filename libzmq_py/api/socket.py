# SPDX-License-Identifier: MPL-2.0
"""Socket: what a user sends and receives with; made and closed here.

Its methods are in five parts, each a base class:

* ``socket_messages.py``: send and recv;
* ``socket_formats.py``: strings, JSON, pickled objects;
* ``socket_endpoints.py``: bind, connect, and their undoing;
* ``socket_options.py``: set, get and attributes;
* ``socket_monitoring.py``: events.

A closed socket needs no test: its calls to the core reach a stand-in that refuses (``live.CLOSED``).

Mirrors: the socket half of src/zmq.cpp; pyzmq's sugar/socket.py and backend Socket.
Departs, from pyzmq: Options as attributes are those of ``attrsettr.option_attributes``. ``setsockopt(option, None)`` is
C's (NULL, 0) for options that hold bytes. A shadow made from a number knows its context. A socket made by
``Socket(ctx, type)`` is closed by ``ctx.destroy()`` like one made by ``ctx.socket(type)``. A string option can be read
whatever its length, and CURVE keys can be read. Closing a socket in a forked child does nothing, and there ``closed``
is true. More in the parts.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload
from warnings import warn

from libzmq_py.api.attrsettr import option_attributes
from libzmq_py.api.frame import package_setting, require_draft
from libzmq_py.api.live import CLOSED, SOCKETS, cast_int_addr
from libzmq_py.api.poll import Poller, event_mask, plain_int
from libzmq_py.api.socket_endpoints import EndpointMethods
from libzmq_py.api.socket_formats import FormatMethods
from libzmq_py.api.socket_messages import MessageMethods
from libzmq_py.api.socket_monitoring import MonitorMethods
from libzmq_py.api.socket_options import OptionMethods
from libzmq_py.constants import POLLIN, Errno, SocketOption, SocketType
from libzmq_py.errors import strerror, zmq_error

if TYPE_CHECKING:
    from typing_extensions import Self

    from libzmq_py.api.context import Context

_SocketReturnT_co = TypeVar("_SocketReturnT_co", covariant=True)

_TYPES: dict[int, tuple[int, str]] = {int(socket_type): (socket_type, socket_type.name) for socket_type in SocketType}
#: Past ``__setattr__``, which looks whether the name is that of an option.
_store = object.__setattr__


@option_attributes(SocketOption.__members__.items())
class Socket(
    FormatMethods, MessageMethods, EndpointMethods, OptionMethods, MonitorMethods, Generic[_SocketReturnT_co]
):
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
        known, name = _TYPES.get(socket_type) or (socket_type, str(socket_type))
        _store(self, "type", known)
        _store(self, "_type_name", name)

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

    @property
    def socket_type(self) -> int:
        """Older name of ``type``."""
        warn("Socket.socket_type is deprecated, use Socket.type", DeprecationWarning, stacklevel=2)
        return self.type

    # -- waiting, peers and groups ----------------------------------------------------------------------------------

    def poll(self, timeout: float | None = None, flags: int = POLLIN) -> int:
        """Wait until something happens on this socket.

        Args:
            timeout: Milliseconds; None or negative waits for ever, 0 only looks.
            flags: What to wait for: POLLIN, POLLOUT or both.

        Returns:
            What has happened, 0 if nothing did in time.

        Raises:
            ZMQError: ENOTSUP, the socket is closed; ETERM.
            TypeError: ``flags`` or ``timeout`` is no number.
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
        try:
            events_wanted = plain_int(flags)
        except TypeError:
            events_wanted = event_mask(flags)
        return self._core.poll(events_wanted, -1 if timeout is None or timeout < 0 else int(timeout))

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

    def join(self, group: str | bytes) -> None:
        """Receive messages of a group (DISH; draft). zmq_join."""
        require_draft("RADIO-DISH")
        self._core.join(group if isinstance(group, str) else group.decode())

    def leave(self, group: str | bytes) -> None:
        """Undo ``join``. zmq_leave."""
        require_draft("RADIO-DISH")
        self._core.leave(group if isinstance(group, str) else group.decode())


SyncSocket: TypeAlias = Socket[bytes]

__all__ = ["Socket", "SyncSocket"]
