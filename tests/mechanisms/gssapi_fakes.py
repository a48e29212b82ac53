# SPDX-License-Identifier: MPL-2.0
"""Security contexts without Kerberos: tokens are words, sealed is what begins with a number in its turn."""

from __future__ import annotations

from collections.abc import Sequence

from libzmq_py.mechanisms.gssapi.context import ContextError, ContextFactory, SecurityContext
from libzmq_py.options import Options

CLIENT_TOKENS = (b"ticket", b"")
SERVER_TOKENS = (b"answer",)


class FakeContext:
    """Gives its `tokens`, one a step, and is complete then; takes those of the peer, and none else."""

    def __init__(self, tokens: Sequence[bytes], expected: Sequence[bytes], key: bytes = b"K") -> None:
        self._tokens = list(tokens)
        self._expected = list(expected)
        self._key = key
        self._sent = 0
        self._received = 0
        self.broken = False
        self.initiator_error = False

    @property
    def complete(self) -> bool:
        return not self._tokens

    @property
    def initiator(self) -> bytes:
        if self.initiator_error:
            raise ContextError("no name")
        return b"alice@ZMQ.TEST"

    def step(self, token: bytes) -> bytes:
        if token != self._expected.pop(0):
            raise ContextError("defective token")
        return self._tokens.pop(0)

    def wrap(self, plaintext: bytes) -> bytes:
        if self.broken:
            raise ContextError("expired")
        self._sent += 1
        return self._key + self._sent.to_bytes(4, "big") + plaintext[::-1]

    def unwrap(self, token: bytes) -> bytes:
        self._received += 1
        head = self._key + self._received.to_bytes(4, "big")
        if not token.startswith(head):
            raise ContextError("a token that was sent before, or by somebody else")
        return token[len(head) :][::-1]


class FakeContexts:
    """Makes them, unless it `lacks` something; `contexts` are those made."""

    def __init__(
        self,
        client: Sequence[bytes] = CLIENT_TOKENS,
        server: Sequence[bytes] = SERVER_TOKENS,
        lacks: str = "",
        key: bytes = b"K",
    ) -> None:
        self.client = client
        self.server = server
        self.lacks = lacks
        self.key = key
        self.contexts: list[FakeContext] = []

    def initiate(self, options: Options) -> FakeContext:
        return self._make(self.client, (b"", *self.server))

    def accept(self, options: Options) -> FakeContext:
        return self._make(self.server, self.client)

    def _make(self, tokens: Sequence[bytes], expected: Sequence[bytes]) -> FakeContext:
        if self.lacks:
            raise ContextError(self.lacks)
        self.contexts.append(FakeContext(tokens, expected, self.key))
        return self.contexts[-1]


_: type[SecurityContext] = FakeContext
_factory: type[ContextFactory] = FakeContexts
