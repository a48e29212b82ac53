# SPDX-License-Identifier: MPL-2.0
"""What messages may say: strings, JSON, pickled objects, and formats of one's own.

No libzmq twin: pyzmq's sugar/socket.py. A part of ``socket.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, overload

from libzmq_py.api.frame import Frame
from libzmq_py.api.live import DeadSocket
from libzmq_py.api.security import warn_of_pickle
from libzmq_py.api.socket_messages import MessageMethods
from libzmq_py.api.tracker import MessageTracker

if TYPE_CHECKING:
    from typing_extensions import Buffer

_T = TypeVar("_T")
_RT = TypeVar("_RT")

# What recv_json can give.
_JSON: TypeAlias = "dict[str, Any] | list[Any] | str | float"


class FormatMethods(MessageMethods):
    """The part of ``Socket`` that turns objects into frames and back."""

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
