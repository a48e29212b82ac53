# SPDX-License-Identifier: MPL-2.0
"""Warnings of what protects nobody: doors open to a network, and pickles from strangers.

Their category is ``SecurityWarning``; ``warnings.simplefilter("ignore", zmq.SecurityWarning)`` silences them.

No libzmq twin, nor one in pyzmq.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final
from warnings import warn

from libzmq_py.constants import SecurityMechanism
from libzmq_py.errors import SecurityWarning

if TYPE_CHECKING:
    from libzmq_py.sockets.socket_base import SocketBase

#: Addresses that listen on every interface. One interface by name or number is a choice.
_EVERY_INTERFACE: Final = re.compile(r"[a-z]+://(\*|0\.0\.0\.0|\[?::\]?):")
#: What Peer-Address says of peers on this machine: loopback, or for ipc user, group and process.
_LOCAL: Final = re.compile(r"(::ffff:)?127\.[0-9.]+|::1|(localhost)?:[0-9]+:[0-9]+:-?[0-9]+")

# Whether the one warning of an open door has been given.
_warned: Final = [False]


def warn_of_open_door(core: SocketBase, endpoint: str) -> None:
    """Warn, once in a process, that a socket without security listens on every interface."""
    options = core.options
    if _warned[0] or options.mechanism != SecurityMechanism.NULL or not _EVERY_INTERFACE.match(endpoint):
        return
    if options.zap_domain or options.tcp_accept_filters:
        return  # addresses, at least, are looked at
    _warned[0] = True
    warn(
        f"{endpoint} lets in everybody who can reach this machine (mechanism NULL). Set CURVE keys or ZAP_DOMAIN, or"
        " bind to 127.0.0.1. This is said once; to silence it: warnings.simplefilter('ignore', zmq.SecurityWarning)",
        SecurityWarning,
        stacklevel=_callers_level(),
    )


def warn_of_pickle(core: SocketBase) -> None:
    """Warn that what is about to be unpickled comes from a stranger: from another machine, and not authenticated."""
    metadata = core.last_metadata()
    if metadata is None or "User-Id" in metadata or _LOCAL.fullmatch(metadata.get("Peer-Address", "::1")):
        return
    options = core.options
    proves = options.mechanism == SecurityMechanism.CURVE or (
        options.mechanism == SecurityMechanism.GSSAPI and not options.gss_plaintext
    )
    if proves and not options.as_server:
        return  # the server has proved to be who we know
    warn(
        f"unpickling what {metadata['Peer-Address']} has sent, who is not authenticated: it can run any code here."
        " Authenticate peers (CURVE with an Authenticator), or use recv_json",
        SecurityWarning,
        stacklevel=_callers_level(),
    )


def _callers_level() -> int:
    """For `stacklevel`: the frame that called into the package."""
    level, frame = 1, sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level
