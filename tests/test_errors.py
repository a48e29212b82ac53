# SPDX-License-Identifier: MPL-2.0
"""Exceptions, texts and the errno of the last failure."""

from __future__ import annotations

import errno
import pickle
import threading
import warnings
from typing import Any

import pytest
import zmq.error

from libzmq_py import errors
from libzmq_py.constants import EFSM, EHOSTUNREACH, EMTHREAD, ENOCOMPATPROTO, ETERM, Errno
from libzmq_py.errors import (
    Again,
    ContextTerminated,
    InterruptedSystemCall,
    ZMQError,
    ZMQVersionError,
    _check_rc,
    _check_version,
    strerror,
    zmq_errno,
    zmq_error,
)

# What pyzmq does not have.
ADDED = {"SecurityWarning"}


def test_exports_what_pyzmq_exports() -> None:
    assert set(errors.__all__) - ADDED == set(zmq.error.__all__)


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - ADDED))
def test_tree_is_that_of_pyzmq(name: str) -> None:
    """Each class has the same ancestors, so the same except clauses catch it."""
    mine = [base.__name__ for base in getattr(errors, name).__mro__]
    assert mine == [base.__name__ for base in getattr(zmq.error, name).__mro__]


@pytest.mark.interop
@pytest.mark.parametrize("number", sorted({*range(1, 134), *map(int, Errno)}))
def test_text_is_that_of_libzmq(number: int) -> None:
    assert strerror(number) == zmq.strerror(number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (EFSM, "Operation cannot be accomplished in current state"),
        (ENOCOMPATPROTO, "The protocol is not compatible with the socket type"),
        (ETERM, "Context was terminated"),
        (EMTHREAD, "No thread available"),
        (EHOSTUNREACH, "Host unreachable"),
    ],
)
def test_own_texts(number: int, text: str) -> None:
    """libzmq's own errors, and the one it words differently, have its text on every platform."""
    assert strerror(number) == text


@pytest.mark.parametrize(
    "arguments", [(errno.EINVAL,), (errno.EINVAL, "why"), ("odd",), ("odd", "why"), (0,), (ETERM,), (errno.EAGAIN,)]
)
def test_zmq_error_attributes(arguments: tuple[Any, ...]) -> None:
    """errno, strerror, str and repr of a ZMQError are those of pyzmq's."""
    mine, reference = ZMQError(*arguments), zmq.ZMQError(*arguments)
    assert (mine.errno, mine.strerror, str(mine), repr(mine)) == (
        reference.errno,
        reference.strerror,
        str(reference),
        repr(reference),
    )


def test_strerror_may_be_extended() -> None:
    """What a caller appends to strerror is what str() shows."""
    error = ZMQError(errno.EADDRINUSE)
    error.strerror += " (addr='tcp://*:1')"
    assert str(error) == "Address already in use (addr='tcp://*:1')"


@pytest.mark.parametrize(
    ("cls", "number"), [(Again, errno.EAGAIN), (ContextTerminated, ETERM), (InterruptedSystemCall, errno.EINTR)]
)
@pytest.mark.parametrize("arguments", [(), (errno.EINVAL,), (errno.EINVAL, "why")])
def test_errors_of_one_errno_ignore_their_arguments(
    cls: type[Again], number: int, arguments: tuple[Any, ...]
) -> None:
    error = cls(*arguments)
    assert (error.errno, error.strerror) == (number, strerror(number))


@pytest.mark.parametrize(
    ("number", "cls"),
    [
        (errno.EAGAIN, Again),
        (ETERM, ContextTerminated),
        (errno.EINTR, InterruptedSystemCall),
        (errno.EINVAL, ZMQError),
        (EFSM, ZMQError),
    ],
)
def test_zmq_error_picks_the_class(number: int, cls: type[ZMQError]) -> None:
    error = zmq_error(number)
    assert type(error) is cls
    assert (error.errno, error.strerror) == (number, strerror(number))


def test_zmq_error_takes_a_text() -> None:
    assert str(zmq_error(errno.EINVAL, "Invalid argument (x = 1)")) == "Invalid argument (x = 1)"


def test_zmq_errno_is_the_last_one_of_the_thread() -> None:
    """A failure sets zmq_errno, in this thread alone; an error without a number takes it. A user's error sets none."""
    seen: list[int] = []

    def elsewhere() -> None:
        seen.append(zmq_errno())
        zmq_error(errno.EMFILE)
        seen.append(zmq_errno())

    zmq_error(errno.EINVAL)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [0, errno.EMFILE]
    assert zmq_errno() == errno.EINVAL
    assert ZMQError().errno == errno.EINVAL
    Again()
    ZMQError(errno.EPERM)
    pickle.loads(pickle.dumps(ZMQError(errno.EPERM)))
    assert zmq_errno() == errno.EINVAL
    zmq_error(errno.EAGAIN)
    assert zmq_errno() == errno.EAGAIN


@pytest.mark.parametrize(
    ("number", "cls"), [(errno.EAGAIN, Again), (ETERM, ContextTerminated), (errno.EINTR, InterruptedSystemCall)]
)
def test_check_rc_raises_by_errno(number: int, cls: type[ZMQError]) -> None:
    with pytest.raises(cls):
        _check_rc(-1, number)
    zmq_error(number)
    with pytest.raises(cls):
        _check_rc(-1)


def test_check_rc_lets_success_pass() -> None:
    """Only -1 is a failure; with errno 0 it is one only when the caller says so."""
    _check_rc(0, errno.EINVAL)
    _check_rc(1, errno.EINVAL)
    _check_rc(-1, 0, error_without_errno=False)
    with pytest.raises(ZMQError) as caught:
        _check_rc(-1, 0)
    assert caught.value.errno == 0


def test_check_version() -> None:
    """Versions up to libzmq's 4.3.5 pass, later ones do not."""
    for good in ((4,), (4, 3), (4, 3, 5)):
        _check_version(good)
    with pytest.raises(ZMQVersionError, match=r"^sockets requires libzmq >= 4\.3\.6, have 4\.3\.5$") as caught:
        _check_version((4, 3, 6), "sockets")
    assert (caught.value.msg, caught.value.min_version, caught.value.version) == ("sockets", "4.3.6", "4.3.5")


def test_draft_fd_warning_has_a_text() -> None:
    """The warning explains itself when nothing else is given."""
    assert "DraftFDWarning" in str(errors.DraftFDWarning())
    with pytest.warns(errors.DraftFDWarning, match="^mine$"):
        warnings.warn(errors.DraftFDWarning("mine"), stacklevel=1)


@pytest.mark.parametrize("error", [ZMQError(errno.EINVAL, "a"), Again(), ContextTerminated(), InterruptedSystemCall()])
def test_errors_can_be_pickled(error: ZMQError) -> None:
    """They cross processes (multiprocessing) whole."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.errno, str(copy)) == (type(error), error.errno, str(error))
