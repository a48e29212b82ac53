# SPDX-License-Identifier: MPL-2.0
"""What the mechanism needs of GSSAPI (RFC 2743), as protocols: `kerberos` has the real thing, tests have their own.

No libzmq twin; it calls libgssapi_krb5 itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from libzmq_py.options import Options


class ContextError(Exception):
    """GSSAPI refuses; the text says why, and holds no key."""


class SecurityContext(Protocol):
    """One side of one connection. Every method may raise `ContextError`, and nothing else whatever the peer sends."""

    @property
    def complete(self) -> bool:
        """True once both sides are sure of each other, as far as this side can tell."""

    @property
    def initiator(self) -> bytes:
        """The client's principal, as text; once complete."""

    def step(self, token: bytes) -> bytes:
        """Take the peer's token (empty: there is none yet), give the next one to send (empty: none)."""

    def wrap(self, plaintext: bytes) -> bytes:
        """Seal."""

    def unwrap(self, token: bytes) -> bytes:
        """Open; an error too if it is not encrypted, or was sent before."""


class ContextFactory(Protocol):
    """Makes contexts. Raises `ContextError` where this side lacks what it needs: a ticket, a keytab."""

    def initiate(self, options: Options) -> SecurityContext:
        """The client's side."""

    def accept(self, options: Options) -> SecurityContext:
        """The server's side."""
