# SPDX-License-Identifier: MPL-2.0
"""What a ZAP handler is asked (auth/base.py).

Any frames get one answer, or none if there is nobody to give it to: 200 exactly for those whom the policy lets in, 400
for others. No log shows a password, or a traceback.
"""

from __future__ import annotations

import logging
from typing import Any

from fuzz.mechanism import SECRET
from fuzz.source import Source, require
from libzmq_py import z85
from libzmq_py.auth.base import Authenticator

MAX_LEN = 200
TOKENS = (b"\3\x31.0", b"\4NULL", b"\5PLAIN", b"\5CURVE", b"\6GSSAPI", b"\4user", b"\x0b192.0.2.2.2", b"\6domain")
TOKENS += (bytes((len(SECRET),)) + SECRET, b"\x20" + b"k" * 32)
_HEAD = b"\3\x31.0\1\x31\6domain\x09192.0.2.2\0"
SEEDS = {
    "null": b"\0\6" + _HEAD + b"\4NULL",
    "plain": b"\0\x08" + _HEAD + b"\5PLAIN" + b"\4user" + bytes((len(SECRET),)) + SECRET,
    "plain-wrong": b"\0\x08" + _HEAD + b"\5PLAIN" + b"\4user" + b"\5wrong",
    "curve-any": b"\1\7" + _HEAD + b"\5CURVE" + b"\x20" + b"k" * 32,
    "curve-known": b"\2\7" + _HEAD + b"\5CURVE" + b"\x20" + b"k" * 32,
    "curve-asked": b"\3\7" + _HEAD + b"\5CURVE" + b"\x20" + b"k" * 32,
    "curve-short": b"\2\7" + _HEAD + b"\5CURVE" + b"\x03key",
    "gssapi": b"\0\7" + _HEAD + b"\6GSSAPI" + b"\4user",
    "unknown": b"\0\6" + _HEAD + b"\5OTHER",
    "denied": b"\x04\6" + _HEAD + b"\4NULL",
    "allowed": b"\x08\6" + _HEAD + b"\4NULL",
    "short": b"\0\3" + b"\3\x31.0\1\x31\6domain",
    "empty": b"\0\0",
    "version": b"\0\6" + b"\3\x32.0" + _HEAD[4:] + b"\4NULL",
    "bytes": b"\0\x08" + _HEAD + b"\5PLAIN" + b"\2\xff\xfe" + b"\2\xff\xfe",
}
_KEY = b"k" * 32


class _Log(logging.Handler):
    """Everything that is logged, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)


class _Socket:
    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []

    def send_multipart(self, frames: list[bytes]) -> None:
        self.sent.append(frames)


class _Provider:
    def callback(self, domain: str, key: bytes) -> bool:
        return domain == "domain" and key == z85.encode(_KEY)


_LOGGER = logging.Logger("fuzz.auth", logging.DEBUG)


def check(data: bytes) -> None:
    """One input: policy, number of frames, frames."""
    source = Source(data)
    policy = source.byte()
    frames = [source.chunk() for _ in range(source.byte() % 12)]
    log, answered = _Log(), _Socket()
    _LOGGER.handlers = [log]
    authenticator = _authenticator(policy, answered)
    call = authenticator.handle_zap_message(frames)
    try:
        call.send(None)
    except StopIteration:
        pass
    else:
        require(False, "it waits")
    require("Traceback" not in log.text, "a traceback")
    require(SECRET.decode() not in log.text or SECRET in b"".join(frames[:7]), "a password in the log")
    _check_answer(policy, frames, answered.sent)


def _authenticator(policy: int, answered: Any) -> Authenticator:
    authenticator = Authenticator(context=True, log=_LOGGER)  # type: ignore[arg-type]
    authenticator.zap_socket = answered
    authenticator.configure_plain("domain", {"user": SECRET.decode(), "\ufffd\ufffd": "\ufffd\ufffd"})
    kind = policy & 3
    if kind == 1:
        authenticator.allow_any = True
    elif kind == 2:
        authenticator.certs["domain"] = {z85.encode(_KEY): True}
    elif kind == 3:
        authenticator.configure_curve_callback("*", _Provider())
    if policy & 4:
        authenticator.deny("192.0.2.2", "192.0.2.3")
    elif policy & 8:
        authenticator.allow("192.0.2.2", "::1")
    return authenticator


def _check_answer(policy: int, frames: list[bytes], sent: list[list[bytes]]) -> None:
    if len(frames) < 2:
        require(sent == [], "an answer to nobody", sent)
        return
    require(len(sent) == 1 and len(sent[0]) == 6, "answers", sent)
    version, request_id, status, _, user, metadata = sent[0]
    require(version == b"1.0" and request_id == frames[1] and metadata == b"", "answer", sent)
    expected = _policy(policy, frames)
    require(status == expected, "status", status, expected, frames)
    require(status == b"200" or user == b"", "a user who was refused", user)


def _policy(policy: int, frames: list[bytes]) -> bytes:
    """Who comes in, in other words."""
    if len(frames) < 6 or frames[0] != b"1.0":
        return b"400"
    domain, address, mechanism, credentials = frames[2], frames[3], frames[5], frames[6:]
    if policy & 4 and address in (b"192.0.2.2", b"192.0.2.3"):
        return b"400"
    if not policy & 4 and policy & 8 and address not in (b"192.0.2.2", b"::1"):
        return b"400"
    if mechanism == b"NULL" or (mechanism == b"GSSAPI" and len(credentials) == 1):
        return b"200"
    if mechanism == b"PLAIN" and len(credentials) == 2 and domain == b"domain":
        texts = [part.decode("utf-8", "replace") for part in credentials]
        return b"200" if texts in (["user", SECRET.decode()], ["\ufffd\ufffd", "\ufffd\ufffd"]) else b"400"
    if mechanism == b"CURVE" and len(credentials) == 1:
        return _curve_policy(policy & 3, domain, credentials[0])
    return b"400"


def _curve_policy(kind: int, domain: bytes, key: bytes) -> bytes:
    if len(key) != 32:
        return b"400"
    if kind == 1:
        return b"200"
    known = key == _KEY and domain == b"domain" and kind != 0
    return b"200" if known else b"400"
