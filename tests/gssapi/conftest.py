# SPDX-License-Identifier: MPL-2.0
"""Collected where there is Kerberos for both libraries, which `tox -e gssapi` sees to; and a realm for the tests."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq as real

from tests.gssapi.kdc import Kdc
from tests.interop.conftest import endpoint, ours, theirs, two_sides
from tests.interop.sides import Side
from tests.support.zap import ZapHandler

collect_ignore_glob = [] if importlib.util.find_spec("gssapi") and real.has("gssapi") else ["test_*.py"]

__all__ = ["endpoint", "ours", "theirs", "two_sides"]

PASSWORD = "of-a-user-that-lives-for-minutes"


@pytest.fixture(scope="session")
def kdc_of_session() -> Iterator[Kdc]:
    """Started once; its files go with it."""
    with tempfile.TemporaryDirectory(prefix="zg") as directory:
        kdc = Kdc(Path(directory))
        kdc.add_service("zmq/localhost")
        kdc.add_service("other/localhost", kdc.directory / "keytab-of-other")
        for user in ("alice", "bob"):
            kdc.add_user(user, PASSWORD)
            kdc.add_key(user)
        kdc.kinit("alice", PASSWORD)
        yield kdc
        kdc.close()


@pytest.fixture(autouse=True)
def kdc(kdc_of_session: Kdc, monkeypatch: pytest.MonkeyPatch) -> Kdc:
    """The realm: `zmq/localhost` has a key in the keytab, `alice` a ticket."""
    for name, value in kdc_of_session.environment.items():
        monkeypatch.setenv(name, value)
    return kdc_of_session


@pytest.fixture
def handler() -> Iterator[Callable[..., ZapHandler]]:
    """Start a ZAP handler in a side's context: ``handler(side, reply)``."""
    made: list[ZapHandler] = []

    def make(side: Side, reply: Any = None) -> ZapHandler:
        made.append(ZapHandler(side.lib, side.ctx, reply))
        return made[-1]

    yield make
    for one in made:
        one.close()
