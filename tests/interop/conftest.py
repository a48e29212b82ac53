# SPDX-License-Identifier: MPL-2.0
"""Fixtures of the interop tests: both libraries as `Side` objects, a short-named directory for ipc."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interop.sides import OURS, REAL, Side

Endpoint = Callable[[str], str]


@pytest.fixture
def ours() -> Iterator[Side]:
    """The library under test."""
    with Side(OURS) as side:
        yield side


@pytest.fixture
def theirs() -> Iterator[Side]:
    """Real libzmq."""
    with Side(REAL) as side:
        yield side


@pytest.fixture
def real_ctx(theirs: Side) -> Any:
    """A context of real libzmq."""
    return theirs.ctx


@pytest.fixture
def real_socket(theirs: Side) -> Callable[..., Any]:
    """Factory for sockets of real libzmq: `real_socket("PUSH", SNDHWM=3)`; closed at the end."""
    return theirs.socket


@pytest.fixture(params=["ours-real", "real-ours"])
def two_sides(request: pytest.FixtureRequest, ours: Side, theirs: Side) -> tuple[Side, Side]:
    """Both sides in both orders, for scenarios with two roles; which role is ours shows in the test's id."""
    return (ours, theirs) if request.param == "ours-real" else (theirs, ours)


@pytest.fixture(params=["ours", "real"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Each library by itself, for scenarios that must end the same way on both."""
    with Side(OURS if request.param == "ours" else REAL) as one:
        yield one


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Factory for addresses to bind: `endpoint("tcp")` takes any port, `endpoint("ipc")` a new short path."""
    directory = tempfile.mkdtemp(prefix="zi")
    count = 0

    def make(transport: str) -> str:
        nonlocal count
        count += 1
        return {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{directory}/{count}", "inproc": f"inproc://{count}"}[transport]

    yield make
    shutil.rmtree(directory, ignore_errors=True)
