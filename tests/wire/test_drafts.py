# SPDX-License-Identifier: MPL-2.0
"""Draft patterns on a 3.1 connection: what RADIO, DISH and CLIENT add to the wire.

Vectors: wire-vectors 5, captured from a draft build. Needs draft socket types in the library under test.
"""

from __future__ import annotations

import pytest

from tests.conftest import Attach, SocketFactory
from tests.support.raw_peer import command
from tests.support.target import zmq
from tests.wire.conftest import send_until_heard

pytestmark = pytest.mark.draft


def test_dish_joins_and_leaves_by_command(socket: SocketFactory, attach: Attach) -> None:
    """A DISH tells each group it joins or leaves with a JOIN or LEAVE command."""
    dish = socket(zmq.DISH)
    dish.join("grp1")
    peer = attach(dish)
    peer.handshake("RADIO")
    dish.poll(0)
    peer.expect("04 09 04 4a 4f 49 4e 67 72 70 31")
    dish.leave("grp1")
    peer.expect("04 0a 05 4c 45 41 56 45 67 72 70 31")


def test_radio_message_is_group_and_body(socket: SocketFactory, attach: Attach) -> None:
    """A RADIO sends the group as a first frame, to peers that joined it."""
    radio = socket(zmq.RADIO)
    peer = attach(radio)
    peer.handshake("DISH")
    peer.send(command(b"JOIN", b"gg"))

    class Group:
        """Sends to the group what :func:`send_until_heard` wants sent."""

        @staticmethod
        def send(body: bytes) -> None:
            radio.send(body, group="gg")

    send_until_heard(Group, peer, b"body")
    peer.expect("01 02 67 67 00 04 62 6f 64 79")


def test_client_message_is_a_single_frame(socket: SocketFactory, attach: Attach) -> None:
    """A CLIENT sends its messages as they are."""
    client = socket(zmq.CLIENT)
    peer = attach(client)
    peer.handshake("SERVER")
    client.send(b"req")
    peer.expect("00 03 72 65 71")
