# SPDX-License-Identifier: MPL-2.0
"""What a SOCKS 5 proxy says (transports/socks.py).

Any bytes give a connection or a SocksError with an errno, the same in any pieces; no more is read than the proxy's own
messages, which are 264 bytes at most, and what is sent is what RFC 1928 and 1929 say.
"""

from __future__ import annotations

from fuzz.source import Source, bytewise, cut, require
from libzmq_py.transports.socks import SocksClient, SocksError, domain, ip_address

MAX_LEN = 300
TOKENS = (b"\5\0", b"\5\2", b"\1\0", b"\5\0\0\1", b"\5\0\0\3", b"\5\0\0\4")
SEEDS = {
    "open": b"\0\0" + b"\5\0" + b"\5\0\0\1\x7f\0\0\1\x1f\x90" + b"rest",
    "password": b"\1\1" + b"\5\2\1\0" + b"\5\0\0\3\4name\0\x50",
    "ipv6": b"\2\0" + b"\5\0" + b"\5\0\0\4" + bytes(18),
    "refused": b"\0\0" + b"\5\0" + b"\5\5\0\1\0\0\0\0\0\0",
    "bad-password": b"\1\1" + b"\5\2\1\1",
    "no-method": b"\0\0" + b"\5\xff",
    "socks4": b"\0\0" + b"\0\x5a",
    "longest": b"\0\0" + b"\5\0" + b"\5\0\0\3\xff" + b"x" * 255 + b"\0\0",
}
_LONGEST = 2 + 2 + 4 + 256 + 2
_ADDRESSES = (ip_address(b"\x7f\0\0\1"), domain(b"example.org"), ip_address(bytes(15) + b"\1"))


def check(data: bytes) -> None:
    """One input: address, credentials, and what the proxy says."""
    source = Source(data)
    address = source.pick(_ADDRESSES)
    username, password = source.pick(((b"", b""), (b"user", b"secret"), (b"u" * 255, b"")))
    stream = source.rest()
    results = []
    for pieces in ([stream], cut(stream), bytewise(stream)):
        client = SocksClient(address, 5555, username, password)
        results.append(_converse(client, pieces))
    for result in results[1:]:
        require(result == results[0], "two ways, two results", results[0], result)
    done, _, sent, used = results[0]
    require(used <= _LONGEST, "reads", used)
    require(sent.startswith(b"\5\1\2" if username else b"\5\1\0"), "greets", sent)
    request = b"\5\1\0" + address + b"\x15\xb3"
    require(not done or sent.endswith(request), "connected without a request", sent)
    require(len(sent) <= 3 + 3 + len(username) + len(password) + len(request), "sends", sent)


def _converse(client: SocksClient, pieces: list[bytes]) -> tuple[bool, object, bytes, int]:
    """Whether it is connected, the error, what was sent, and how much was read."""
    sent, used = client.data_to_send(), 0
    for piece in pieces:
        while piece and client.needed:
            part, piece = piece[: client.needed], piece[client.needed :]
            used += len(part)
            try:
                client.receive(part)
            except SocksError as error:
                require(error.errno, "an error without a number")
                require(repr(client), "no repr")
                # How much was read by then depends on the pieces.
                return client.done, (error.errno, error.strerror), sent, 0
            sent += client.data_to_send()
    return client.done, None, sent, used
