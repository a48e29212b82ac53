# SPDX-License-Identifier: MPL-2.0
"""What a ZAP handler answers (mechanisms/zap_client.py).

Any frames give a permission, a refusal with its status, or a MechanismError whose event says which frame was wrong. The
user id comes from its own frame, whatever the metadata say; a routing id or socket type in them is looked at as a
peer's own.
"""

from __future__ import annotations

from fuzz.mechanism import Host, attempt
from fuzz.source import Source, require
from libzmq_py.constants import Event, SocketType
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.mechanisms.null import NullMechanism
from libzmq_py.metadata import Metadata
from libzmq_py.options import Options

MAX_LEN = 200
TOKENS = (b"\3\x31.0", b"\1\x31", b"\x03200", b"\x03400", b"\7User-Id\0\0\0\2me", b"\x0bSocket-Type\0\0\0\6DEALER")
SEEDS = {
    "accepted": b"\7" + b"\0\3\x31.0\1\x31\x03200\2OK\4user\0",
    "refused": b"\7" + b"\0\3\x31.0\1\x31\x03400\2No\0\0",
    "temporary": b"\7" + b"\0\3\x31.0\1\x31\x03300\5Later\0\0",
    "metadata": b"\7" + b"\0\3\x31.0\1\x31\x03200\2OK\4user\x0e\7User-Id\0\0\0\2me",
    "frames": b"\6" + b"\0\3\x31.0\1\x31\x03200\2OK\4user",
    "delimiter": b"\7" + b"\1x\3\x31.0\1\x31\x03200\2OK\4user\0",
    "version": b"\7" + b"\0\3\x32.0\1\x31\x03200\2OK\4user\0",
    "id": b"\7" + b"\0\3\x31.0\1\x32\x03200\2OK\4user\0",
    "status": b"\7" + b"\0\3\x31.0\1\x31\x03201\2OK\4user\0",
    "text": b"\7" + b"\0\3\x31.0\1\x31\x03500\4\xff\xfe\0\n\0\0",
}
_CODES = {
    0: Event.PROTOCOL_ERROR_ZAP_UNSPECIFIED,
    1: Event.PROTOCOL_ERROR_ZAP_BAD_VERSION,
    2: Event.PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID,
    3: Event.PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE,
}


def check(data: bytes) -> None:
    """One input: number of frames, frames."""
    source = Source(data)
    frames = tuple(source.chunk() for _ in range(source.byte() % 10))
    options = Options()
    options.type = SocketType.ROUTER
    options.recv_routing_id = True
    options.zap_domain = b"domain"
    host = Host(True)
    mechanism = NullMechanism(options, host)
    mechanism.next_handshake_command()
    host.replies.append(frames)
    failed: list[MechanismError] = []

    def give() -> None:
        try:
            mechanism.zap_msg_available()
        except MechanismError as error:
            failed.append(error)
            raise

    attempt(mechanism, give)
    expected = _first_defect(frames)
    if failed:
        allowed = {expected} if expected else {Event.PROTOCOL_ERROR_ZAP_INVALID_METADATA}
        require(failed[0].protocol_error in allowed, "another event", failed[0].protocol_error, expected)
        require(mechanism.next_handshake_command() is None, "it goes on")
        return
    require(not expected, "accepted", frames)
    require(host.refusals == ([] if frames[3] == b"200" else [int(frames[3])]), "refusals", host.refusals)
    shown = Metadata(mechanism.zap_properties)
    user = frames[5].split(b"\0")[0]
    require(shown["User-Id"].encode("utf-8", "surrogateescape") == user, "another user", shown)
    command = mechanism.next_handshake_command()
    if frames[3] == b"200":
        require(command is not None and command.startswith(b"\5READY"), "not ready", command)
    else:
        require(command == (None if frames[3] == b"300" else b"\5ERROR\3" + frames[3]), "not refused", command)


def _first_defect(frames: tuple[bytes, ...]) -> int:
    if len(frames) != 7:
        return Event.PROTOCOL_ERROR_ZAP_MALFORMED_REPLY
    good = (frames[0] == b"", frames[1] == b"1.0", frames[2] == b"1", frames[3] in (b"200", b"300", b"400", b"500"))
    return _CODES[good.index(False)] if False in good else 0
