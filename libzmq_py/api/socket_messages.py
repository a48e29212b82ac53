# SPDX-License-Identifier: MPL-2.0
"""How messages come and go: send and recv, frame by frame, message by message, and many at once.

``send`` and ``recv`` of bytes, and of messages made of bytes, cost one call here and go straight to the core; all else
(buffers, frames, tracking ...) takes the longer way.

Mirrors: zmq_msg_send, zmq_msg_recv, zmq_send and zmq_recv of src/zmq.cpp; pyzmq's sugar/socket.py and backend Socket.
Departs, from pyzmq: ``send_multipart`` hands a message over as one unit and does not call ``send`` for each part, nor
``recv_multipart`` ``recv``, which matters to subclasses that override them; it takes any iterable. ``send_many`` and
``recv_many`` are new. A part of ``socket.py``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, overload

from libzmq_py.api.frame import Frame, as_bytes, byte_view
from libzmq_py.api.live import DeadSocket, SocketHandle
from libzmq_py.api.tracker import _FINISHED_TRACKER, Hold, MessageTracker, keeper
from libzmq_py.constants import SNDMORE
from libzmq_py.errors import zmq_error
from libzmq_py.msg import Msg, frame_bytes, message_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from libzmq_py.msg import Frame as CoreFrame


class MessageMethods(SocketHandle):
    """The part of ``Socket`` that messages pass through."""

    copy_threshold: int

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
            TypeError: There is no buffer, or ``nbytes`` is no int.
            ZMQError: As ``recv``.

        zmq_recv.
        """
        core = self._core
        if isinstance(core, DeadSocket):
            core.refuse()
        view = writable_view(buffer, nbytes)
        return store_frame(self._core_recv(flags), view)


def writable_view(buffer: Buffer, nbytes: int) -> memoryview:
    """The memory that a frame is to be received into: all of `buffer` if `nbytes` is 0.

    Raises:
        ValueError: ``nbytes`` is negative, or more than ``buffer`` holds.
        BufferError: The buffer is read-only or not contiguous.
        TypeError: There is no buffer, or ``nbytes`` is no int.
    """
    view = byte_view(buffer)
    if view.readonly:
        raise BufferError(f"memoryview: underlying buffer is not writable ({type(buffer).__name__})")
    try:
        if nbytes < 0:
            raise ValueError(f"{nbytes=} must be non-negative")
        if nbytes > len(view):
            raise ValueError(f"{nbytes=} too big for memoryview of {len(view)}B")
        return view[:nbytes] if nbytes else view
    except TypeError as error:
        raise TypeError(f"an integer is required, got: {nbytes=}") from error


def store_frame(item: CoreFrame, view: memoryview) -> int:
    """Copy as much of a frame as there is room for; return the size of the whole frame."""
    data = item.data if isinstance(item, Msg) else item
    size = len(data)
    stored = min(size, len(view))
    view[:stored] = memoryview(data)[:stored]
    return size


def _check_part(index: int, part: object) -> None:
    if isinstance(part, (bytes, memoryview, Frame)):
        return
    try:
        memoryview(part)  # type: ignore[arg-type]
    except TypeError as error:
        shown = repr(part)
        shown = shown if len(shown) <= 32 else f"{shown[:32]}..."
        raise TypeError(f"Frame {index} ({shown}) does not support the buffer interface.") from error
