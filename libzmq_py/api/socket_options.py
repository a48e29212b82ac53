# SPDX-License-Identifier: MPL-2.0
"""A socket's options: set and get, as methods and as attributes; topics.

Mirrors: zmq_setsockopt and zmq_getsockopt of src/zmq.cpp; pyzmq's sugar/socket.py.
Departs, from pyzmq: as ``socket.py``, of which this is a part, says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from libzmq_py.api.attrsettr import OptionAttribute, OptValT, is_declared
from libzmq_py.api.live import DeadSocket, SocketHandle
from libzmq_py.constants import SocketOption, _OptType
from libzmq_py.errors import ZMQError
from libzmq_py.options import SECRET_OPTIONS, option_name

_IPC_FILTERS = (SocketOption.IPC_FILTER_UID, SocketOption.IPC_FILTER_GID, SocketOption.IPC_FILTER_PID)
#: Kind of an option's value, by number. Unknown numbers are taken for int; that they do not exist, the core says.
_KINDS: dict[int, _OptType] = {int(option): option._opt_type for option in SocketOption}
#: Those whose value is an int; the types a number comes in; what fits into C's int.
_INTS = frozenset(number for number, kind in _KINDS.items() if kind is not _OptType.bytes)
_NUMBERS = frozenset({int, SocketOption})
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


class OptionMethods(SocketHandle):
    """The part of ``Socket`` that has to do with options."""

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
        # A number for an option that is one, as most often, is fine.
        plain = type(optval) is int and _INT_MIN <= optval <= _INT_MAX and type(option) in _NUMBERS and option in _INTS
        if not plain:
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
            # Most bytes are names and topics, but some are keys and passwords.
            shown = type(optval).__name__ if option in SECRET_OPTIONS else repr(optval)
            raise TypeError(f"expected bytes, got: {shown} (option {option_name(option)})")
    elif optval is None and option in _IPC_FILTERS:
        pass  # clears the filter
    elif not isinstance(optval, int):
        raise TypeError(f"expected int, got: {optval!r} (option {option_name(option)})")
    elif optval.bit_length() >= (bits := 64 if kind is _OptType.int64 else 32) and optval != -(1 << bits - 1):
        raise OverflowError(f"value too large to convert to {kind.value}: {optval} (option {option_name(option)})")
    if not isinstance(option, int):
        raise TypeError(f"an integer is required, got option {option!r}")
