# SPDX-License-Identifier: MPL-2.0
"""A connection that answers for the ZAP handler, and two mechanisms joined in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from libzmq_py.constants import SocketType
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, MechanismHost
from libzmq_py.options import Options

OK = (b"", b"1.0", b"1", b"200", b"OK", b"user", b"")


def reply(status: bytes = b"200", **changes: Any) -> tuple[bytes, ...]:
    """A reply of the ZAP handler, well-formed unless changed."""
    frames = {"delimiter": b"", "version": b"1.0", "id": b"1", "status": status, "text": b"why"}
    return tuple({**frames, "user": b"user", "metadata": b"", **changes}.values())


class FakeHost:
    """The connection. `handler` False: there is no ZAP handler; `replies` are given one by one, None: not yet."""

    peer_address = "192.0.2.1"

    def __init__(
        self, replies: Sequence[tuple[bytes, ...] | None | ConnectionError] = (), handler: bool = True
    ) -> None:
        self.handler = handler
        self.replies = list(replies)
        self.requests: list[tuple[bytes, ...]] = []
        self.refusals: list[tuple[int, str]] = []
        self.encoding_failures: list[str] = []

    def zap_connect(self) -> bool:
        return self.handler

    def write_zap_msg(self, frames: tuple[bytes, ...]) -> None:
        self.requests.append(frames)

    def read_zap_msg(self) -> list[bytes] | None:
        answer = self.replies.pop(0) if self.replies else None
        if isinstance(answer, ConnectionError):
            raise answer
        return None if answer is None else list(answer)

    def zap_refused(self, status: int, text: str) -> None:
        self.refusals.append((status, text))

    def encoding_failed(self, error: MechanismError) -> None:
        self.encoding_failures.append(str(error))


_: type[MechanismHost] = FakeHost


def options(type_: SocketType = SocketType.DEALER, **values: Any) -> Options:
    """Options of a socket of that type."""
    made = Options()
    made.type = type_
    for name, value in values.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def commands_of(mechanism: Mechanism) -> list[bytes]:
    """All it has to say now."""
    said = []
    command = mechanism.next_handshake_command()
    while command is not None:
        said.append(command)
        command = mechanism.next_handshake_command()
    return said


def converse(client: Mechanism, server: Mechanism) -> None:
    """Carry commands to and fro until neither has any."""
    for _ in range(10):
        for speaker, listener in ((client, server), (server, client)):
            for command in commands_of(speaker):
                listener.process_handshake_command(command)
