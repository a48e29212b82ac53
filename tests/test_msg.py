# SPDX-License-Identifier: MPL-2.0
"""What travels through pipes."""

from __future__ import annotations

import gc

import pytest

from libzmq_py import msg as msg_module
from libzmq_py.msg import (
    CANCEL,
    CLOSE_CMD,
    CMD_TYPE_MASK,
    COMMAND,
    DELIMITER,
    PING,
    PONG,
    ROUTING_ID,
    SUBSCRIBE,
    Msg,
    frame_bytes,
    frames_of,
    message_of,
    prepend,
)


def test_flags_have_libzmqs_values() -> None:
    """As msg_t::more, command, credential, routing_id, and the field of the command's type."""
    expected = {"MORE": 1, "COMMAND": 2, "CREDENTIAL": 32, "ROUTING_ID": 64, "CMD_TYPE_MASK": 0x1C}
    assert {name: getattr(msg_module, name) for name in expected} == expected
    assert (PING, PONG, SUBSCRIBE, CANCEL, CLOSE_CMD) == (4, 8, 12, 16, 20)


@pytest.mark.parametrize("kind", [PING, PONG, SUBSCRIBE, CANCEL, CLOSE_CMD])
def test_the_command_type_is_a_field(kind: int) -> None:
    """Compared for equality: SUBSCRIBE shares bits with PING and PONG and is neither (CVE-like trap in libzmq)."""
    assert kind & ~CMD_TYPE_MASK == 0
    message = Msg(b"", kind | COMMAND)
    assert message.is_subscribe is (kind == SUBSCRIBE)
    assert message.is_cancel is (kind == CANCEL)


def test_a_plain_msg() -> None:
    """No flag, no hook, the data as given."""
    message = Msg(b"abc")
    assert (len(message), bytes(message), message.flags) == (3, b"abc", 0)
    assert not message.is_subscribe and not message.is_cancel and not message.is_routing_id
    assert Msg(b"", ROUTING_ID).is_routing_id
    assert repr(Msg(memoryview(b"abc"), 3)) == "<Msg 3 bytes, flags 0x3>"


def test_the_hook_is_called_once_when_the_message_is_let_go() -> None:
    """`release` tells the owner of the buffer that nobody reads it any more."""
    calls: list[str] = []
    message: Msg | None = Msg(b"abc", release=lambda: calls.append("released"))
    other = message
    message = None
    assert calls == []
    del other
    gc.collect()
    assert calls == ["released"]


def test_the_content_of_a_frame() -> None:
    """frame_bytes() copies only what is not bytes yet."""
    data = b"data"
    assert frame_bytes(data) is data
    assert frame_bytes(Msg(data)) is data
    assert frame_bytes(memoryview(data)) == data
    assert frame_bytes(Msg(memoryview(data)[1:])) == b"ata"


def test_messages_and_frames() -> None:
    """One frame is itself, several are a tuple; either way back again."""
    message = Msg(b"x")
    assert message_of((b"a",)) == b"a"
    assert message_of((message,)) is message
    assert message_of((b"a", b"b")) == (b"a", b"b")
    assert frames_of(b"a") == (b"a",)
    assert frames_of(message) == (message,)
    assert frames_of((b"a", b"b")) == (b"a", b"b")


def test_prepend() -> None:
    """An envelope before a message of one frame or of several."""
    assert prepend((b"id",), b"a") == (b"id", b"a")
    assert prepend((b"id", b""), (b"a", b"b")) == (b"id", b"", b"a", b"b")
    message = Msg(b"x")
    assert prepend((), message) == (message,)


def test_the_delimiter_is_one_object() -> None:
    """It is told by identity: an empty message of a user's is not it."""
    assert Msg() is not DELIMITER
    assert DELIMITER.flags == 0
