# SPDX-License-Identifier: MPL-2.0
"""What the tests of PLAIN, CURVE and ZAP share: scripted CURVE peers, on the plain implementation of `box`."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field

from tests.support.box import box_key, open_, public_of, seal


def nonce64(number: int) -> bytes:
    """A short nonce."""
    return struct.pack(">Q", number)


@dataclass
class CurveClientScript:
    """The commands of a CURVE client; every part may be altered before it is used."""

    server_key: bytes
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    cn_secret: bytes = field(default_factory=lambda: os.urandom(32))
    cn_server: bytes = b""
    cookie: bytes = b""
    key: bytes = b""

    @property
    def public(self) -> bytes:
        """C."""
        return public_of(self.secret)

    @property
    def cn_public(self) -> bytes:
        """C'."""
        return public_of(self.cn_secret)

    def hello(self, nonce: int = 1, version: bytes = b"\1\0") -> bytes:
        """The whole command."""
        box = seal(bytes(64), b"CurveZMQHELLO---" + nonce64(nonce), box_key(self.server_key, self.cn_secret))
        return b"\x05HELLO" + version + bytes(72) + self.cn_public + nonce64(nonce) + box

    def take_welcome(self, command: bytes) -> None:
        """Learn S' and the cookie."""
        assert command.startswith(b"\x07WELCOME"), command[:40]
        assert len(command) == 168
        content = open_(command[24:], b"WELCOME-" + command[8:24], box_key(self.server_key, self.cn_secret))
        self.cn_server, self.cookie = content[:32], content[32:]
        self.key = box_key(self.cn_server, self.cn_secret)

    def vouch(self, vouched: bytes | None = None, server_key: bytes | None = None, nonce: bytes = b"v" * 16) -> bytes:
        """Nonce and box."""
        content = (vouched or self.cn_public) + (server_key or self.server_key)
        return nonce + seal(content, b"VOUCH---" + nonce, box_key(self.cn_server, self.secret))

    def initiate(self, metadata: bytes, nonce: int = 2, vouch: bytes | None = None) -> bytes:
        """The whole command."""
        content = self.public + (vouch or self.vouch()) + metadata
        box = seal(content, b"CurveZMQINITIATE" + nonce64(nonce), self.key)
        return b"\x08INITIATE" + self.cookie + nonce64(nonce) + box

    def take_ready(self, command: bytes) -> bytes:
        """The server's metadata."""
        assert command.startswith(b"\x05READY"), command[:40]
        return open_(command[14:], b"CurveZMQREADY---" + command[6:14], self.key)

    def message(self, payload: bytes, nonce: int, flags: int = 0) -> bytes:
        """A MESSAGE command."""
        box = seal(bytes([flags]) + payload, b"CurveZMQMESSAGEC" + nonce64(nonce), self.key)
        return b"\x07MESSAGE" + nonce64(nonce) + box

    def take_message(self, command: bytes) -> tuple[int, int, bytes]:
        """Nonce, flags and payload of a MESSAGE command of the server's."""
        assert command.startswith(b"\x07MESSAGE"), command[:40]
        content = open_(command[16:], b"CurveZMQMESSAGES" + command[8:16], self.key)
        return int.from_bytes(command[8:16], "big"), content[0], content[1:]


@dataclass
class CurveServerScript:
    """The commands of a CURVE server."""

    secret: bytes = field(default_factory=lambda: os.urandom(32))
    cn_secret: bytes = field(default_factory=lambda: os.urandom(32))
    cookie_key: bytes = field(default_factory=lambda: os.urandom(32))
    cn_client: bytes = b""
    client: bytes = b""
    key: bytes = b""

    @property
    def public(self) -> bytes:
        """S."""
        return public_of(self.secret)

    def take_hello(self, command: bytes) -> None:
        """Learn C'."""
        assert len(command) == 200
        assert command[:8] == b"\x05HELLO\1\0"
        assert command[8:80] == bytes(72)
        self.cn_client = command[80:112]
        content = open_(command[120:], b"CurveZMQHELLO---" + command[112:120], box_key(self.cn_client, self.secret))
        assert content == bytes(64)

    def welcome(self) -> bytes:
        """The whole command."""
        cookie_nonce, nonce = os.urandom(16), os.urandom(16)
        cookie = cookie_nonce + seal(self.cn_client + self.cn_secret, b"COOKIE--" + cookie_nonce, self.cookie_key)
        content = public_of(self.cn_secret) + cookie
        return b"\x07WELCOME" + nonce + seal(content, b"WELCOME-" + nonce, box_key(self.cn_client, self.secret))

    def take_initiate(self, command: bytes) -> bytes:
        """Check all of it; the client's metadata."""
        assert command.startswith(b"\x08INITIATE")
        cookie = open_(command[25:105], b"COOKIE--" + command[9:25], self.cookie_key)
        assert cookie == self.cn_client + self.cn_secret
        self.key = box_key(self.cn_client, self.cn_secret)
        content = open_(command[113:], b"CurveZMQINITIATE" + command[105:113], self.key)
        self.client = content[:32]
        vouch = open_(content[48:128], b"VOUCH---" + content[32:48], box_key(self.client, self.cn_secret))
        assert vouch == self.cn_client + self.public
        return content[128:]

    def ready(self, metadata: bytes, nonce: int = 1) -> bytes:
        """The whole command."""
        return b"\x05READY" + nonce64(nonce) + seal(metadata, b"CurveZMQREADY---" + nonce64(nonce), self.key)

    def message(self, payload: bytes, nonce: int, flags: int = 0) -> bytes:
        """A MESSAGE command."""
        box = seal(bytes([flags]) + payload, b"CurveZMQMESSAGES" + nonce64(nonce), self.key)
        return b"\x07MESSAGE" + nonce64(nonce) + box

    def take_message(self, command: bytes) -> tuple[int, int, bytes]:
        """Nonce, flags and payload of a MESSAGE command of the client's."""
        assert command.startswith(b"\x07MESSAGE"), command[:40]
        content = open_(command[16:], b"CurveZMQMESSAGEC" + command[8:16], self.key)
        return int.from_bytes(command[8:16], "big"), content[0], content[1:]
