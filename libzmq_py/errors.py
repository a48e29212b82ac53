# SPDX-License-Identifier: MPL-2.0
"""Exceptions, errno texts and the errno of the last failure: everything a call may raise.

The tree (names, constructors and attributes are those of ``zmq.error`` in pyzmq)::

    Exception
     +-- ZMQBaseError               root of what a socket, context or poller raises
     |    +-- ZMQError              a call failed: errno, strerror
     |    |    +-- Again                   EAGAIN: not now, or a time-out passed
     |    |    +-- ContextTerminated       ETERM: the context is being shut down
     |    |    +-- InterruptedSystemCall   EINTR (an InterruptedError too): only zmq_poll with a sigmask lets it out
     |    +-- ZMQBindError          no free port for bind_to_random_port
     |    +-- NotDone               MessageTracker.wait ran out of time
     +-- NotImplementedError
     |    +-- ZMQVersionError       a feature newer than the libzmq version we implement
     +-- Warning
          +-- RuntimeWarning
          |    +-- DraftFDWarning        FD asked of a thread-safe socket
          +-- UserWarning
               +-- SecurityWarning       what is done protects nobody on a network with strangers

Inside the package failures are made with ``zmq_error(errno, text)``, which picks the class by errno. Its text, when
given, contains libzmq's own and names the offending value: "Invalid argument (option LINGER = -7)".

Mirrors: src/err.cpp, src/err.hpp.
Departs: no zmq_assert or abort: what "cannot happen" raises AssertionError where it is found. The C library's errno
variable is replaced by a thread-local one, set by ``zmq_error``.
"""

from __future__ import annotations

import os
import threading
from errno import EINTR

from libzmq_py.constants import EAGAIN, EHOSTUNREACH, EMTHREAD, ENOCOMPATPROTO, ETERM, Errno

#: The version of libzmq whose behaviour this package has.
ZMQ_VERSION_INFO = (4, 3, 5)

#: Texts libzmq gives itself: its own errors, and one it words alike on every platform. (``zmq_strerror``)
_OWN_TEXTS: dict[int, str] = {
    Errno.EFSM: "Operation cannot be accomplished in current state",
    ENOCOMPATPROTO: "The protocol is not compatible with the socket type",
    ETERM: "Context was terminated",
    EMTHREAD: "No thread available",
    EHOSTUNREACH: "Host unreachable",
}


class _LastErrno(threading.local):
    """The errno variable: each thread sees its own; 0 until something fails."""

    value: int = 0


_last_errno = _LastErrno()


def zmq_errno() -> int:
    """Return the errno of the last call that failed in this thread, 0 if none did. (``zmq_errno``)"""
    return _last_errno.value


def strerror(errno: int) -> str:
    """Return libzmq's text for an error number, the C library's where libzmq has none. (``zmq_strerror``)"""
    return _OWN_TEXTS.get(errno) or os.strerror(errno)


class ZMQBaseError(Exception):
    """Root of the errors of this package."""


class ZMQError(ZMQBaseError):
    """A call failed.

    Args:
        errno: The error number; None takes ``zmq_errno()``. Anything that is no int has its ``str`` taken for the text.
        msg: The text; None takes ``strerror(errno)``.

    Attributes:
        errno: The error number, None when something else was given in its place.
        strerror: The text, also what ``str()`` returns. May be assigned, to add detail to an error on its way up.
    """

    errno: int | None = None
    strerror: str

    def __init__(self, errno: int | str | None = None, msg: str | None = None) -> None:
        if errno is None:
            errno = zmq_errno()
        if isinstance(errno, int):
            self.errno = errno
            self.strerror = strerror(errno) if msg is None else msg
        else:
            self.strerror = str(errno) if msg is None else msg

    def __str__(self) -> str:
        return self.strerror

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class Again(ZMQError):
    """EAGAIN: the call would have to wait and may not, or waited as long as it may. The arguments are ignored."""

    def __init__(self, errno: object = "ignored", msg: object = "ignored") -> None:
        super().__init__(EAGAIN)


class ContextTerminated(ZMQError):
    """ETERM: the socket's context was shut down; all that is left is to close. The arguments are ignored."""

    def __init__(self, errno: object = "ignored", msg: object = "ignored") -> None:
        super().__init__(ETERM)


class InterruptedSystemCall(ZMQError, InterruptedError):
    """EINTR: a signal was handled during ``zmq_poll`` with a ``sigmask``. Other calls go on by themselves.

    The arguments are ignored.
    """

    # Said again for type checkers: ZMQError comes before OSError in the MRO, so these are plain attributes.
    errno: int | None = EINTR
    strerror: str

    def __init__(self, errno: object = "ignored", msg: object = "ignored") -> None:
        super().__init__(EINTR)

    def __str__(self) -> str:
        return f"{self.strerror} (by a signal that sigmask lets through)"


class ZMQBindError(ZMQBaseError):
    """``Socket.bind_to_random_port`` found no free port."""


class NotDone(ZMQBaseError):
    """``MessageTracker.wait`` ran out of time: the message is still in use."""


class ZMQVersionError(NotImplementedError):
    """A feature is newer than the libzmq version implemented here.

    Attributes:
        min_version: The version that has it, as text.
        msg: What was wanted.
        version: The version implemented here, as text.
    """

    min_version: str
    msg: str
    version: str

    def __init__(self, min_version: str, msg: str = "Feature") -> None:
        self.msg = msg
        self.min_version = min_version
        self.version = _dotted(ZMQ_VERSION_INFO)

    def __repr__(self) -> str:
        return f"ZMQVersionError({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.msg} requires libzmq >= {self.min_version}, have {self.version}"


class DraftFDWarning(RuntimeWarning):
    """FD of a thread-safe (draft) socket was read, which libzmq itself does not offer."""

    def __init__(self, msg: str = "") -> None:
        super().__init__(
            msg
            or "FD of a thread-safe socket is an experimental addition and may go away. To silence this warning:"
            " warnings.simplefilter('ignore', DraftFDWarning)"
        )


class SecurityWarning(UserWarning):
    """What is done protects nobody on a network with strangers. (Not in pyzmq.)"""


_CLASS_OF: dict[int, type[Again | ContextTerminated | InterruptedSystemCall]] = {
    EAGAIN: Again,
    ETERM: ContextTerminated,
    EINTR: InterruptedSystemCall,
}


def zmq_error(errno: int, msg: str | None = None) -> ZMQError:
    """Build, for the caller to raise, the exception that belongs to an error number, and let ``zmq_errno`` tell it.

    Args:
        errno: The error number.
        msg: The text, for the errors that have no class of their own; None takes ``strerror(errno)``.
    """
    _last_errno.value = int(errno)
    own_class = _CLASS_OF.get(errno)
    return own_class() if own_class is not None else ZMQError(errno, msg)


def _check_rc(rc: int, errno: int | None = None, error_without_errno: bool = True) -> None:
    """Raise what belongs to a C-style result: nothing unless ``rc`` is -1, then by ``errno`` or ``zmq_errno()``."""
    if rc != -1:
        return
    if errno is None:
        errno = zmq_errno()
    if errno == 0 and not error_without_errno:
        return
    raise zmq_error(errno)


def _check_version(min_version_info: tuple[int, ...], msg: str = "Feature") -> None:
    """Raise ZMQVersionError if the libzmq version implemented here is below ``min_version_info``."""
    if min_version_info > ZMQ_VERSION_INFO:
        raise ZMQVersionError(_dotted(min_version_info), msg)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


__all__ = [
    "Again",
    "ContextTerminated",
    "DraftFDWarning",
    "InterruptedSystemCall",
    "NotDone",
    "SecurityWarning",
    "ZMQBaseError",
    "ZMQBindError",
    "ZMQError",
    "ZMQVersionError",
]
