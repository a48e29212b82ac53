# SPDX-License-Identifier: MPL-2.0
"""Frame: one part of a message, with what is known about it, sent and received without copies where possible.

``recv(copy=False)`` gives frames; ``send`` takes them. A frame shows its content through the buffer protocol
(``memoryview(frame)``, ``bytes(frame)``, ``numpy.frombuffer(frame)``), and the view can be written to.

How a class in Python can have a buffer depends on the version:

* From 3.12 on, ``__buffer__``. A frame keeps what it was given: the bytes that came from the pipe, the buffer a large
  frame was received into, a view of memory shared by ``copy=False``. The first view of a frame that holds immutable
  ``bytes`` copies them once, so that it can be written to; ``frame.bytes`` copies nothing then.
* Before, only a subclass of a built-in type has one. A frame is a ``bytearray``, and its content is copied into it when
  it is made. The methods of ``bytearray`` are hidden, and frames compare and hash by identity all the same.

``send(data, copy=False)`` makes no frame, so that it copies nothing in any version.

Mirrors: the message half of src/zmq.cpp (zmq_msg_get, zmq_msg_gets, ...); pyzmq's sugar/frame.py.
Departs, from pyzmq: memory shared by ``Frame(b"...", copy=False)`` shows read-only when the object is immutable.
Before 3.12 such frames share nothing (their tracker works as if they did), ``copy.copy`` copies the content, and
``isinstance(frame, bytearray)`` is true. ``get("routing_id")`` and ``get("group")`` of a frame that has none raise
EINVAL and give ``""`` (pyzmq: whatever errno there was, and a crash).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from errno import EINVAL
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, overload
from weakref import ref

from libzmq_py.api.attrsettr import option_attributes
from libzmq_py.api.tracker import _FINISHED_TRACKER, Hold, MessageTracker, keeper
from libzmq_py.constants import MessageOption
from libzmq_py.errors import _check_version, strerror, zmq_error
from libzmq_py.msg import Msg

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

    from libzmq_py.msg import Frame as CoreFrame

# Inside the class `bytes` is a property.
_Bytes = bytes

_GROUP_MAX_LENGTH: Final = 255
_UINT32_MAX: Final = 2**32 - 1
#: A repr shows the whole content up to here, and this much of a longer one.
_REPR_WHOLE: Final = 16
_REPR_START: Final = 12


def package_setting(name: str) -> Any:
    """What the user sees, and may assign, as ``zmq.COPY_THRESHOLD`` and ``zmq.DRAFT_API``."""
    return getattr(sys.modules[__name__.partition(".")[0]], name)


def require_draft(feature: str) -> None:
    """Raise RuntimeError unless draft features are on. (``zmq.DRAFT_API``)"""
    _check_version((4, 2), feature)
    if not package_setting("DRAFT_API"):
        raise RuntimeError(f"libzmq_py has no draft features here: {feature} needs zmq.DRAFT_API")


def byte_view(data: Buffer) -> memoryview:
    """The memory of an object as bytes: one dimension, format B, in the order in which it lies in memory.

    Raises:
        TypeError: The object has no buffer.
        BufferError: Its memory is not contiguous.
    """
    view = memoryview(data)
    if view.format == "B" and view.ndim == 1 and view.c_contiguous:
        return view
    if not view.contiguous:
        raise BufferError(f"memoryview: underlying buffer is not contiguous (strides {view.strides})")
    # Unlike memoryview.cast this also takes Fortran order and any format.
    from pickle import PickleBuffer

    return PickleBuffer(view).raw()


def as_bytes(data: Buffer) -> bytes:
    """A copy of the memory of an object; the object itself if it is bytes.

    Raises:
        TypeError: The object has no buffer.
        BufferError: Its memory is not contiguous.
    """
    return data if type(data) is bytes else bytes(byte_view(data))


if TYPE_CHECKING or sys.version_info >= (3, 12):

    class _Content:
        """The bytes of a frame."""

        __slots__ = ("_content", "_private")

        def _fill(self, content: bytes | memoryview, private: bool) -> None:
            """Take the content; nobody else has the memory if it is ``private``."""
            self._content = content
            self._private = private

        def __len__(self) -> int:
            return len(self._content)

        def __buffer__(self, flags: int, /) -> memoryview:
            """Show the content, writable if it belongs to this frame."""
            content = self._content
            if self._private and (not isinstance(content, memoryview) or content.readonly):
                content = self._content = memoryview(bytearray(content))
            return memoryview(content)

        def _content_for(self, copy: Self) -> None:
            copy._fill(self._content, self._private)

        def _content_now(self) -> bytes | memoryview:
            return self._content

else:

    class _Content(bytearray):
        """The bytes of a frame."""

        __slots__ = ()

        def _fill(self, content: bytes | memoryview, private: bool) -> None:
            """Copy the content."""
            bytearray.__init__(self, content)

        def _content_for(self, copy: Self) -> None:
            copy._fill(memoryview(self), True)

        def _content_now(self) -> bytes | memoryview:
            return memoryview(self)

        __eq__ = object.__eq__
        __ne__ = object.__ne__
        __lt__ = __le__ = __gt__ = __ge__ = object.__lt__
        __hash__ = object.__hash__
        __str__ = object.__str__
        # None: Python answers that frames cannot do it.
        __iter__ = __contains__ = __reversed__ = None

        # For these it would try to call the None.
        def _cannot(self, other: object) -> Any:
            return NotImplemented

        __add__ = __iadd__ = __mul__ = __imul__ = __rmul__ = __mod__ = __rmod__ = _cannot

        def __setitem__(self, key: object, value: object) -> None:
            raise TypeError(f"{type(self).__name__!r} object does not support item assignment")

        def __delitem__(self, key: object) -> None:
            raise TypeError(f"{type(self).__name__!r} object does not support item deletion")

    class _Hidden:
        """In the place of a method of bytearray: there is no such attribute."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
            raise AttributeError(f"'Frame' object has no attribute {self._name!r} (its content has: frame.bytes)")

    for _name in vars(bytearray):
        if not _name.startswith("_"):
            setattr(_Content, _name, _Hidden(_name))


@option_attributes(MessageOption.__members__.items())
class Frame(_Content):
    """One part of a message.

    Properties of the connection it came from are read as items: ``frame["Peer-Address"]``, ``frame["User-Id"]``.

    Args:
        data: The content: any object with a contiguous buffer; None is empty.
        track: Give the frame a ``tracker`` (see MessageTracker).
        copy: True copies the content, False shares the memory; None shares it from ``copy_threshold`` bytes on.
        copy_threshold: In bytes; None is ``zmq.COPY_THRESHOLD``, 0 shares everything.

    Attributes:
        more: True if the frame was received and more frames of its message follow.
        tracker: Done when neither the library nor a frame uses the memory any more; None if ``track`` was not set.
        tracker_event: The event behind the tracker of shared memory.

    Raises:
        TypeError: ``data`` is a str, or has no buffer.
        BufferError: The buffer is not contiguous.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_bytes",
        "_group",
        "_hold",
        "_metadata",
        "_routing_id",
        "more",
        "tracker",
        "tracker_event",
    )

    more: bool
    tracker: MessageTracker | None
    tracker_event: Event | None
    # What must live as long as the frame: the Hold of shared memory, or the message that owns received memory.
    _hold: object
    _metadata: Mapping[str, str] | None
    _buffer: ref[memoryview] | None
    _bytes: _Bytes | None
    _routing_id: int
    _group: str

    def __init__(
        self,
        data: Buffer | None = None,
        track: bool = False,
        copy: bool | None = None,
        copy_threshold: int | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(data, str):
            raise TypeError(f"Str objects not allowed. Only: bytes, buffer interfaces. (data {data[:32]!r})")
        self._reset()
        if track:
            self.tracker = _FINISHED_TRACKER
        if data is None:
            self._fill(b"", True)
            return
        content = data if type(data) is bytes else byte_view(data)
        if copy is None:
            if copy_threshold is None:
                copy_threshold = package_setting("COPY_THRESHOLD")
            copy = len(content) < copy_threshold
        if copy:
            self._fill(content if type(content) is bytes else bytes(content), True)
        else:
            self._fill(content, False)
            self._share(track)

    def _reset(self) -> None:
        self.more = False
        self.tracker = self.tracker_event = None
        self._hold = self._metadata = self._buffer = self._bytes = None
        self._routing_id = 0
        self._group = ""

    def _share(self, track: bool) -> None:
        if track:
            self.tracker_event = Event()
            self.tracker = MessageTracker(self.tracker_event)
            self._hold = Hold(self.tracker_event)

    @classmethod
    def _received(cls, item: CoreFrame, more: bool, metadata: Mapping[str, str] | None, track: bool) -> Self:
        """Make a frame of what the core gave. Hot path: `_reset` is written out."""
        frame = cls.__new__(cls)
        frame.more = more
        frame._metadata = metadata
        frame.tracker = _FINISHED_TRACKER if track else None
        frame.tracker_event = frame._buffer = frame._bytes = None
        if isinstance(item, Msg):
            frame._hold = item  # its memory may be the sender's: not before the frame goes is that told
            frame._routing_id = item.routing_id
            frame._group = item.group
            item = item.data
        else:
            frame._hold = None
            frame._routing_id = 0
            frame._group = ""
        frame._fill(item, True)
        return frame

    def _to_send(self) -> CoreFrame:
        """What to give to the core for this frame."""
        content = self._content_now()
        if type(content) is memoryview and len(content) < package_setting("COPY_THRESHOLD"):
            # Small: a copy is cheaper than keeping track of memory, and the core's fast path is for bytes.
            content = bytes(content)
        hold = self._hold
        if hold is None and not self._routing_id and not self._group:
            return content
        release = None if hold is None else keeper(hold)
        return Msg(content, release=release, routing_id=self._routing_id, group=self._group)

    # -- content ----------------------------------------------------------------------------------------------------

    @property
    def bytes(self) -> _Bytes:
        """The content as bytes, the same object each time."""
        if self._bytes is None:
            content = self._content_now()
            self._bytes = content if type(content) is _Bytes else _Bytes(content)
        return self._bytes

    @property
    def buffer(self) -> memoryview:
        """A view of the content; the same object as long as somebody has it."""
        view = None if self._buffer is None else self._buffer()
        if view is None:
            view = memoryview(self)
            self._buffer = ref(view)
        return view

    def fast_copy(self) -> Self:
        """A frame of the same content and tracker; from Python 3.12 on it shares the memory."""
        twin = self.__class__.__new__(self.__class__)
        twin._reset()
        self._content_for(twin)
        twin.tracker, twin.tracker_event, twin._hold = self.tracker, self.tracker_event, self._hold
        twin._bytes, twin._metadata = self._bytes, self._metadata
        twin._routing_id, twin._group = self._routing_id, self._group
        return twin

    __copy__ = fast_copy

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse: a frame belongs to this process. Pickle ``frame.bytes``."""
        raise TypeError(f"cannot pickle {type(self).__name__!r} object; pickle its bytes")

    def __repr__(self) -> str:
        size = len(self)
        if size <= _REPR_WHOLE:
            shown = repr(_Bytes(self._content_now()))
        else:
            shown = f"{_Bytes(memoryview(self._content_now())[:_REPR_START])!r}...{_size_text(size)}"
        cls = type(self)
        module = "zmq" if cls.__module__ == __name__ else cls.__module__
        return f"<{module}.{cls.__name__}({shown})>"

    # -- properties -------------------------------------------------------------------------------------------------

    @overload
    def get(self, option: int | Literal["routing_id"]) -> int: ...
    @overload
    def get(self, option: _Bytes | Literal["group"]) -> str: ...
    @overload
    def get(self, option: str) -> int | str: ...
    def get(self, option: int | str | _Bytes) -> int | str:
        """Read an option or a property of the frame.

        Args:
            option: ``zmq.MORE``, ``zmq.SRCFD``, ``zmq.SHARED``; ``"routing_id"`` or ``"group"``; or the name of a
                property of the connection, such as ``"Socket-Type"``, ``"Peer-Address"``, ``"User-Id"``.

        Raises:
            ZMQError: EINVAL, unknown here.
            TypeError: ``option`` is neither int nor text.

        zmq_msg_get, zmq_msg_gets, zmq_msg_routing_id, zmq_msg_group.
        """
        if isinstance(option, int):
            return self._get_option(option)
        if option == "routing_id":
            if not self._routing_id:
                raise self._unknown(option)
            return self._routing_id
        if option == "group":
            return self._group
        if isinstance(option, _Bytes):
            option = option.decode()
        if not isinstance(option, str):
            raise TypeError(f"expected str, got: {option!r}")
        value = None if self._metadata is None else self._metadata.get(option)
        if value is None:
            raise self._unknown(option)
        return value

    def _get_option(self, option: int) -> int:
        if option == MessageOption.MORE:
            return int(self.more)
        if option == MessageOption.SHARED:
            return int(isinstance(self._hold, Hold))
        if option == MessageOption.SRCFD and self._metadata is not None:
            # libzmq keeps the descriptor under this name too; inproc and some transports have none.
            fd = int(self._metadata.get("__fd", -1))
            if fd >= 0:
                return fd
        raise self._unknown(option)

    def _unknown(self, option: object) -> Exception:
        return zmq_error(EINVAL, f"{strerror(EINVAL)} (frame property {option!r})")

    @overload
    def set(self, option: Literal["routing_id"], value: int) -> None: ...
    @overload
    def set(self, option: Literal["group"], value: str | _Bytes) -> None: ...
    @overload
    def set(self, option: int, value: int) -> None: ...
    def set(self, option: int | str, value: int | str | _Bytes) -> None:
        """Set ``"routing_id"`` (SERVER) or ``"group"`` (RADIO); no other option can be set.

        Raises:
            ZMQError: EINVAL, another option, routing id 0, or a group of more than 255 bytes.
            TypeError: The option or the value is of the wrong kind.
            OverflowError: The routing id is no unsigned 32 bit number.
        """
        if option == "routing_id":
            if not isinstance(value, int):
                raise TypeError(f"an integer is required, got: {value!r}")
            if not 0 <= value <= _UINT32_MAX:
                raise OverflowError(f"routing id {value} is no unsigned 32 bit number")
            if value == 0:
                raise zmq_error(EINVAL, f"{strerror(EINVAL)} (routing id 0)")
            self._routing_id = value
        elif option == "group":
            if isinstance(value, int):
                raise TypeError(f"expected str, got: {value!r}")
            group = value.encode() if isinstance(value, str) else value
            if len(group) > _GROUP_MAX_LENGTH:
                limit = f"{_GROUP_MAX_LENGTH} at most"
                raise zmq_error(EINVAL, f"{strerror(EINVAL)} (group of {len(group)} bytes, {limit})")
            self._group = group.decode()
        else:
            for given in (option, value):
                if not isinstance(given, int):
                    raise TypeError(f"an integer is required, got: {given!r}")
            raise self._unknown(option)

    @overload
    def __getitem__(self, key: int | Literal["routing_id"]) -> int: ...
    @overload
    def __getitem__(self, key: _Bytes | Literal["group"]) -> str: ...
    @overload
    def __getitem__(self, key: str) -> int | str: ...
    def __getitem__(self, key: int | str | _Bytes) -> int | str:
        """As ``get``."""
        return self.get(key)

    @property
    def group(self) -> str:
        """The group of a RADIO or DISH message."""
        require_draft("RADIO-DISH")
        return self.get("group")

    @group.setter
    def group(self, group: str | _Bytes) -> None:
        require_draft("RADIO-DISH")
        self.set("group", group)

    @property
    def routing_id(self) -> int:
        """The client a SERVER message comes from or goes to."""
        require_draft("CLIENT-SERVER")
        return self.get("routing_id")

    @routing_id.setter
    def routing_id(self, routing_id: int) -> None:
        require_draft("CLIENT-SERVER")
        self.set("routing_id", routing_id)


def _size_text(size: int) -> str:
    """A size for people, rounded down: "20B", "2kB", "3MB"."""
    if size >= 1e9:
        return f"{size // 1e9:.0f}GB"
    if size >= 2**20:
        return f"{size // 1e6:.0f}MB"
    if size >= 1e3:
        return f"{size // 1e3:.0f}kB"
    return f"{size}B"


#: Older name of Frame.
Message = Frame

__all__ = ["Frame", "Message"]
