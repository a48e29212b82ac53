# SPDX-License-Identifier: MPL-2.0
"""Values of options (options.py): accept filters, metadata, keys, names, numbers.

Any value of any option is taken or refused with a ZMQError and changes nothing then; what can be read after that is a
number or bytes. No repr and no error shows a password or a secret key.
"""

from __future__ import annotations

import errno
from typing import Any

from fuzz.source import Source, require
from libzmq_py.constants import SocketOption
from libzmq_py.errors import ZMQError
from libzmq_py.options import Options

MAX_LEN = 120
_ALL = tuple(SocketOption)
TOKENS = (b"127.0.0.1/8", b"::1/128", b"[fe80::1%lo]", b"/0", b"X-name:value")
TOKENS += (b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", b"domain", b"127.0.0.1:1080", b"0.0.0.0/33")
TOKENS += (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")
_SECRET = b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


def _seed(option: SocketOption, value: bytes) -> bytes:
    return bytes((_ALL.index(option), 0, len(value))) + value


SEEDS = {
    "filter": _seed(SocketOption.TCP_ACCEPT_FILTER, b"127.0.0.1/8"),
    "filter-ipv6": bytes((_ALL.index(SocketOption.IPV6), 1, 1)) + _seed(SocketOption.TCP_ACCEPT_FILTER, b"[::1%lo]/64"),
    "filter-bits": _seed(SocketOption.TCP_ACCEPT_FILTER, b"1.2.3.4/99"),
    "metadata": _seed(SocketOption.METADATA, b"X-name:value"),
    "key": _seed(SocketOption.CURVE_SECRETKEY, _SECRET),
    "key-raw": _seed(SocketOption.CURVE_SECRETKEY, bytes(range(32))),
    "password": _seed(SocketOption.PLAIN_PASSWORD, b"aSecretThatNobodyMaySee"),
    "routing-id": _seed(SocketOption.ROUTING_ID, b"me"),
    "routing-id-zero": _seed(SocketOption.ROUTING_ID, b"\0me"),
    "none": bytes((_ALL.index(SocketOption.TCP_ACCEPT_FILTER), 3)),
    "number": bytes((_ALL.index(SocketOption.LINGER), 2)) + b"\xff\xff\xff\xff\xff\xff\xff\xff",
    "proxy": _seed(SocketOption.SOCKS_PROXY, b"127.0.0.1:1080"),
}


def check(data: bytes) -> None:
    """One input: option, kind of value, value; again and again."""
    source = Source(data)
    options = Options()
    while source:
        option, kind = source.pick(_ALL), source.byte() % 5
        value: Any = None
        if kind == 0:
            value = source.chunk()
        elif kind == 1:
            value = source.byte()
        elif kind == 2:
            value = int.from_bytes(source.take(9), "big", signed=True)
        elif kind == 4:
            value = source.byte() - 128
        _set(options, option, value)


def _set(options: Options, option: SocketOption, value: Any) -> None:
    before = dict(vars(options))
    try:
        options.setsockopt(option, value)
    except ZMQError as error:
        require(error.errno in (errno.EINVAL, errno.ENOMEM), "errno", error.errno)
        require(vars(options) == before, "refused, and changed all the same", option, value)
        shown = str(error)
        secret = value if option in _SECRETS and isinstance(value, bytes) and len(value) > 8 else None
        require(secret is None or secret.decode("latin-1") not in shown, "a secret in an error", shown)
        return
    twin = options.copy()
    for one in (options, twin):
        try:
            read = one.getsockopt(option)
        except ZMQError as error:
            require(error.errno == errno.EINVAL, "errno", error.errno)
        else:
            require(isinstance(read, (int, bytes)), "read", read)
    if option in _SECRETS and isinstance(value, bytes) and len(value) > 8:
        require(value.decode("latin-1") not in repr(options), "a secret in a repr")


_SECRETS = (SocketOption.PLAIN_PASSWORD, SocketOption.CURVE_SECRETKEY, SocketOption.SOCKS_PASSWORD)
