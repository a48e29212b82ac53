# SPDX-License-Identifier: MPL-2.0
"""The table of transports, and those that other packages bring."""

from __future__ import annotations

import errno
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from libzmq_py import transports
from libzmq_py.constants import SocketType
from libzmq_py.errors import ZMQError
from libzmq_py.options import Options
from libzmq_py.transports import TRANSPORTS, Transport, find_transport, register
from libzmq_py.transports.tcp import TCP

PLUG_IN = Transport("carrier", TCP.resolve_connect, TCP.create_listener, TCP.create_connecter)


@pytest.fixture(autouse=True)
def _restore_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "TRANSPORTS", dict(TRANSPORTS))


def bring(monkeypatch: pytest.MonkeyPatch, value: str) -> list[str]:
    """Have an entry point lead to `value`; returns the schemes that were looked up."""
    asked = []

    def entry_points(group: str, name: str) -> list[Any]:
        assert group == "libzmq_py.transports"
        asked.append(name)
        return [EntryPoint(name, value, group)] if name == "carrier" else []

    monkeypatch.setattr(transports, "entry_points", entry_points)
    return asked


def test_table() -> None:
    """The transports that come with the package."""
    assert find_transport("tcp") is TCP
    found = find_transport("ipc")
    assert found is not None
    assert found.name == "ipc"
    for scheme in ("", "TCP", "nosuch", "inproc"):
        assert find_transport(scheme) is None


def test_udp_is_a_scheme_only() -> None:
    """No stable socket type fits it; the draft types are told that it is not there yet."""
    udp = find_transport("udp")
    assert udp is not None
    assert [socket_type for socket_type in SocketType if udp.fits(socket_type)] == [
        SocketType.RADIO,
        SocketType.DISH,
        SocketType.DGRAM,
    ]
    with pytest.raises(ZMQError) as refusal:
        udp.resolve_connect("127.0.0.1:5", Options())
    assert refusal.value.errno == errno.EPROTONOSUPPORT


def test_register() -> None:
    """A transport can be added, and replaced."""
    register(PLUG_IN)
    assert find_transport("carrier") is PLUG_IN


def test_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points are looked up for schemes that are not in the table, and once each."""
    asked = bring(monkeypatch, f"{__name__}:PLUG_IN")
    assert find_transport("tcp") is TCP
    assert asked == []
    assert find_transport("carrier") is PLUG_IN
    assert find_transport("carrier") is PLUG_IN
    assert asked == ["carrier"]
    assert find_transport("nosuch") is None


@pytest.mark.parametrize("value", ["no_such_module:X", f"{__name__}:NOTHING", f"{__name__}:find_transport"])
def test_broken_plug_in(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not lead to a transport is named in the error."""
    bring(monkeypatch, value)
    with pytest.raises(ZMQError) as refusal:
        find_transport("carrier")
    assert refusal.value.errno == errno.EPROTONOSUPPORT
    assert value in str(refusal.value)


def test_socket_types() -> None:
    """A transport may be for some types only."""
    some = Transport("x", TCP.resolve_connect, TCP.create_listener, TCP.create_connecter, socket_types=frozenset({1}))
    assert some.fits(1)
    assert not some.fits(2)
    assert some.canonical("x", Options()) is None
