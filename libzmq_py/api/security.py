# SPDX-License-Identifier: MPL-2.0
"""Warnings of what protects nobody: doors open to a network, and pickles from strangers.

Their category is ``SecurityWarning``; ``warnings.simplefilter("ignore", zmq.SecurityWarning)`` silences them.

No libzmq twin, nor one in pyzmq.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final
from warnings import warn

from libzmq_py.constants import SecurityMechanism
from libzmq_py.errors import SecurityWarning

if TYPE_CHECKING:
    from libzmq_py.sockets.socket_base import SocketBase

#: Hosts that stand for every interface. One interface by name or number is a choice.
_EVERY_INTERFACE: Final = frozenset(("*", "0.0.0.0", "::", "[::]"))  # noqa: S104 - warned of
#: What is said of peers on this machine: nothing (inproc), loopback, or for ipc user, group and process.
_LOCAL: Final = r"|(::ffff:)?127\.[0-9.]+|::1|localhost|(localhost)?:[0-9]+:[0-9]+:-?[0-9]+"

# Whether the one warning of an open door has been given.
_warned: Final = [False]


def warn_of_open_door(core: SocketBase, endpoint: str) -> None:
    """Warn, once in a process, that a socket without security listens on every interface."""
    options = core.options
    if _warned[0] or options.mechanism != SecurityMechanism.NULL or _host_of(endpoint) not in _EVERY_INTERFACE:
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


def _host_of(endpoint: str) -> str:
    return endpoint.partition("://")[2].rpartition(":")[0]


def warn_of_pickle(core: SocketBase) -> None:
    """Warn that what is about to be unpickled comes from a stranger: from another machine, and not authenticated."""
    import re

    metadata, options = core.last_metadata(), core.options
    # There are none over inproc, nor from peers that speak ZMTP 1.0 or 2.0.
    peer = core.last_remote_address() if metadata is None else metadata.get("Peer-Address", "::1")
    if re.fullmatch(_LOCAL, peer):
        return
    # A handler that is asked about a NULL peer knows its address, which proves nothing.
    if metadata is not None and "User-Id" in metadata and options.mechanism != SecurityMechanism.NULL:
        return
    proves = options.mechanism == SecurityMechanism.CURVE or (
        options.mechanism == SecurityMechanism.GSSAPI and not options.gss_plaintext
    )
    if proves and not options.as_server:
        return  # the server has proved to be who we know
    warn(
        f"unpickling what {peer} has sent, who is not authenticated: it can run any code here."
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
