# SPDX-License-Identifier: MPL-2.0
"""What a transport offers, and what it needs of the socket and the session that use it.

No libzmq twin: there, socket_base_t::bind and connect, and session_base_t::start_connecting, choose by an if-chain.

A transport is one `Transport` value. The socket asks it for a listener (bind) or an address (connect); the session asks
it for a connecter, in an I/O thread, each time a connection is to be made. Both get back objects of the ownership tree,
which hand finished connections to sessions by the command `attach`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from libzmq_py.core.own import Own

if TYPE_CHECKING:
    from libzmq_py.endpoint import EndpointUriPair
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.options import Options
    from libzmq_py.transports.address import Address


class SocketHost(Protocol):
    """What listeners and connecters need of the socket (satisfied by `SocketBase`). Called by I/O threads."""

    @property
    def is_disconnected(self) -> bool:
        """True once an endpoint was taken from the socket by `term_endpoint`."""

    def create_session(self, io_thread: IOThread, options: Options) -> Own:
        """A session for a connection that was accepted; the listener launches it."""

    def event_connected(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection was made."""

    def event_connect_delayed(self, pair: EndpointUriPair, err: int) -> None:
        """A connect is under way."""

    def event_connect_retried(self, pair: EndpointUriPair, interval: int) -> None:
        """The next attempt comes in `interval` milliseconds."""

    def event_listening(self, pair: EndpointUriPair, fd: int) -> None:
        """A listener is open."""

    def event_accepted(self, pair: EndpointUriPair, fd: int) -> None:
        """A connection was accepted."""

    def event_accept_failed(self, pair: EndpointUriPair, err: int) -> None:
        """A connection could not be accepted, or was refused by a filter."""

    def event_closed(self, pair: EndpointUriPair, fd: int) -> None:
        """A listener, or an attempt to connect, was closed."""

    def event_close_failed(self, pair: EndpointUriPair, err: int) -> None:
        """What a listener left on the file system could not be removed."""


class SessionHost(Protocol):
    """What a connecter needs of its session (satisfied by `SessionBase`), besides being sent commands."""

    @property
    def socket(self) -> SocketHost:
        """The socket the session belongs to."""


class Listener(Own):
    """What bind launches: opened in the caller's thread, plugged into an I/O thread afterwards."""

    #: The bound address as text, with the real port; "" before `set_local_address`. Names the listener in events.
    endpoint: str = ""

    def set_local_address(self, address: str) -> None:
        """Open, bind and listen; the LISTENING event is sent. Called once, in the thread that binds.

        Args:
            address: the endpoint without its scheme.

        Raises:
            ZMQError: with libzmq's errno; nothing is left open and the object may be dropped.
        """
        raise NotImplementedError

    def get_local_address(self) -> str:
        """The address the operating system reports: the text for LAST_ENDPOINT and for unbind."""
        return self.endpoint


def _same_text(address: str, options: Options) -> str | None:
    return None


class Transport:
    """One way to make connections, by the scheme of its endpoints."""

    def __init__(
        self,
        name: str,
        resolve_connect: Callable[[str, Options], Address],
        create_listener: Callable[[IOThread, SocketHost, Options], Listener],
        create_connecter: Callable[[IOThread, SessionHost, Options, Address, bool], Own],
        canonical: Callable[[str, Options], str | None] = _same_text,
        socket_types: frozenset[int] | None = None,
        subscribe_to_all: bool = False,
    ) -> None:
        #: The scheme, without "://".
        self.name = name
        #: (address, options) -> Address. The check at connect(): raises ZMQError for a text that can never work; what
        #: may come to work later (a name that does not resolve now) is left to the connecter.
        self.resolve_connect = resolve_connect
        #: (I/O thread, socket, options) -> Listener.
        self.create_listener = create_listener
        #: (I/O thread, session, options, address, delayed start) -> the connecter, to be launched by the session.
        self.create_connecter = create_connecter
        #: (address, options) -> another text the endpoint may be registered under, for unbind and disconnect, or None.
        self.canonical = canonical
        #: The socket types that can use it; None is all.
        self.socket_types = socket_types
        #: True if peers do not send subscriptions: a publisher sends everything, and the pipe exists from connect() on.
        self.subscribe_to_all = subscribe_to_all

    def fits(self, socket_type: int) -> bool:
        """True if sockets of this type can use the transport."""
        return self.socket_types is None or socket_type in self.socket_types
