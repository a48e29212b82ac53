# SPDX-License-Identifier: MPL-2.0
"""Peers that do not fit are refused by both libraries, quickly, quietly and without spinning."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq as real

from tests.interop.conftest import Endpoint
from tests.interop.sides import Monitor, Side, bound_endpoint, errno_of
from tests.interop.test_matrix import COMPATIBLE
from tests.support.waiting import seconds

pytestmark = pytest.mark.interop

MECHANISM_MISMATCH = 0x11000002
FAILURES = ("DISCONNECTED", "HANDSHAKE_FAILED_NO_DETAIL", "HANDSHAKE_FAILED_PROTOCOL", "HANDSHAKE_FAILED_AUTH")
# The share of one core that both libraries together may use while nothing but refusals and retries goes on.
IDLE_SHARE = 0.5


def refuses(monitor: Monitor) -> None:
    """Wait for the refusal; no handshake may have succeeded."""
    monitor.wait(*FAILURES)
    assert "HANDSHAKE_SUCCEEDED" not in monitor.names


def stays_quiet(monitors: list[Monitor], seen_at_most: int) -> None:
    """Watch for a moment: hardly any time is spent, and few events come, so that neither side is in a loop."""
    watched = 0.1
    before = time.process_time()
    time.sleep(seconds(watched))
    spent = time.process_time() - before
    assert spent < IDLE_SHARE * seconds(watched), f"{spent:.3f} s of processor time in {watched} s"
    for monitor in monitors:
        names = monitor.poll_all()
        assert len(names) <= seen_at_most, names


@pytest.mark.parametrize("ours_binds", [True, False], ids=["ours-binds", "real-binds"])
@pytest.mark.parametrize("kind", COMPATIBLE)
def test_wrong_socket_types_are_refused(ours: Side, theirs: Side, kind: str, ours_binds: bool) -> None:
    """Every type that does not go with ours: both ends drop the connection before it is one."""
    monitors = []
    for other in [other for other in COMPATIBLE if other not in COMPATIBLE[kind]]:
        # A retry after a reset that overtook the READY is legitimate, therefore slow ones.
        mine, peer = ours.socket(kind, RECONNECT_IVL=100), theirs.socket(other, RECONNECT_IVL=100)
        monitors += [ours.monitor(mine), theirs.monitor(peer)]
        binder, connecter = (mine, peer) if ours_binds else (peer, mine)
        connecter.connect(bound_endpoint(binder, "tcp://127.0.0.1:*"))
    for monitor in monitors:
        refuses(monitor)
    stays_quiet(monitors, 20)
    for monitor in monitors:
        assert "HANDSHAKE_SUCCEEDED" not in monitor.names


def test_no_message_reaches_a_wrong_type(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """A PUSH keeps its messages when a SUB listens where it connects, and a right peer beside it gets all of them."""
    left, right = two_sides
    wrong = left.socket("SUB", SUBSCRIBE=b"")
    fitting = left.socket("PULL")
    push = right.socket("PUSH", IMMEDIATE=1)
    monitor = left.monitor(wrong)
    push.connect(bound_endpoint(wrong, endpoint("tcp")))
    refuses(monitor)
    push.connect(bound_endpoint(fitting, endpoint("tcp")))
    for number in range(20):
        push.send(b"%d" % number)
    assert [fitting.recv() for _ in range(20)] == [b"%d" % number for number in range(20)]
    assert not wrong.poll(0)


PLAIN_SERVER = {"PLAIN_SERVER": 1}
PLAIN_CLIENT = {"PLAIN_USERNAME": b"admin", "PLAIN_PASSWORD": b"secret"}


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("plain", [PLAIN_SERVER, PLAIN_CLIENT], ids=["plain-server", "plain-client"])
@pytest.mark.parametrize("ours_binds", [True, False], ids=["ours-binds", "real-binds"])
def test_another_mechanism_is_refused(
    ours: Side, theirs: Side, endpoint: Endpoint, ours_binds: bool, plain: dict[str, Any], transport: str
) -> None:
    """NULL on our side, PLAIN on the real one: a mismatch, no connection, no endless retries."""
    mine, peer = ours.socket("DEALER", RECONNECT_IVL=100), theirs.socket("DEALER", RECONNECT_IVL=100, **plain)
    monitors = [ours.monitor(mine), theirs.monitor(peer)]
    binder, connecter = (mine, peer) if ours_binds else (peer, mine)
    connecter.connect(bound_endpoint(binder, endpoint(transport)))
    for monitor in monitors:
        # Whoever reads the other's greeting first hangs up; the other may see the loss before it has read so far.
        name, value, _ = monitor.wait(*FAILURES)
        assert (name, value) == ("HANDSHAKE_FAILED_PROTOCOL", MECHANISM_MISMATCH) or name.endswith("NO_DETAIL")
    assert any("HANDSHAKE_FAILED_PROTOCOL" in monitor.names for monitor in monitors)
    stays_quiet(monitors, 20)
    for monitor in monitors:
        assert "HANDSHAKE_SUCCEEDED" not in monitor.names


def test_a_refused_peer_does_not_disturb_others(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """A REP serves its REQ while wrong types and wrong mechanisms knock at the same door."""
    server, client = two_sides
    rep = server.socket("REP")
    address = bound_endpoint(rep, endpoint("tcp"))
    req = client.socket("REQ")
    req.connect(address)
    intruders: list[Any] = []
    for number in range(20):
        options = {} if number % 2 else PLAIN_CLIENT
        intruders.append(client.socket("PUSH", RECONNECT_IVL=5, **options))
        intruders[-1].connect(address)
        req.send(b"%d" % number)
        assert rep.recv() == b"%d" % number
        rep.send(b"re %d" % number)
        assert req.recv() == b"re %d" % number
    assert errno_of(lambda: rep.recv(real.DONTWAIT)) == real.EAGAIN
