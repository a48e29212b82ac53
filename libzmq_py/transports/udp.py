# SPDX-License-Identifier: MPL-2.0
"""The udp transport: so far its scheme only, so that socket types it does not fit are refused with ENOCOMPATPROTO.

Mirrors: the udp branches of socket_base_t::check_protocol.
Departs: the three draft types it is for do not exist yet; for them it would be EPROTONOSUPPORT.
"""

from __future__ import annotations

from typing import NoReturn

from libzmq_py.constants import EPROTONOSUPPORT, SocketType
from libzmq_py.errors import strerror, zmq_error
from libzmq_py.transports.transport import Transport


def _not_yet(*_: object) -> NoReturn:
    raise zmq_error(EPROTONOSUPPORT, f"{strerror(EPROTONOSUPPORT)} (udp)")


UDP = Transport(
    name="udp",
    resolve_connect=_not_yet,
    create_listener=_not_yet,
    create_connecter=_not_yet,
    socket_types=frozenset({SocketType.RADIO, SocketType.DISH, SocketType.DGRAM}),
    subscribe_to_all=True,
)
