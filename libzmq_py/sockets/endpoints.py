# SPDX-License-Identifier: MPL-2.0
"""A socket's endpoints: bind, connect, unbind and disconnect, over any transport and inproc.

Mirrors: of src/socket_base.cpp: bind, connect, term_endpoint, parse_uri, check_protocol, add_endpoint, inprocs_t.
Departs: what depends on the transport is asked of `transports`, where libzmq has an if-chain.

Fourth part of `SocketBase`, on top of `monitor.py`, as endpoints have events.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, ClassVar, Final

from libzmq_py import transports
from libzmq_py.constants import Errno
from libzmq_py.core.own import Own
from libzmq_py.core.pipe import Pipe, pipepair
from libzmq_py.endpoint import (
    EndpointUriPair,
    make_unconnected_bind_endpoint_pair,
    make_unconnected_connect_endpoint_pair,
)
from libzmq_py.errors import ZMQError, zmq_error
from libzmq_py.logger import Logger
from libzmq_py.options import Options, get_effective_conflate_option
from libzmq_py.session_base import SessionBase
from libzmq_py.sockets.monitor import SocketMonitoring
from libzmq_py.transports.inproc import InprocEndpoint, PendingConnection, send_hello_msg, send_routing_id

if TYPE_CHECKING:
    from libzmq_py.io_threads.io_thread import IOThread
    from libzmq_py.transports.address import Address

_LOG: Final = Logger("libzmq_py.socket")


class SocketEndpoints(SocketMonitoring):
    """The part of `SocketBase` that binds and connects."""

    # Set by the pattern modules that need more than the plain session (libzmq: session_base_t::create).
    session_class: ClassVar[type[SessionBase]] = SessionBase

    # Endpoint text -> what was made for it, with the pipe if it was made by connect.
    _endpoints: dict[str, list[tuple[Own, Pipe | None]]]
    _inprocs: dict[str, list[Pipe]]
    last_endpoint: str
    # connect() to an endpoint already connected does nothing (DEALER, SUB, PUB, REQ).
    _single_connect: bool
    # The options are a session's, too: whoever changes one makes new ones first.
    _options_shared = False
    # zmq_disconnect was called while RECONNECT_STOP had AFTER_DISCONNECT; read by connecters.
    is_disconnected = False

    if TYPE_CHECKING:  # of SocketBase

        def attach_pipe(
            self, pipe: Pipe, subscribe_to_all: bool = False, locally_initiated: bool = False
        ) -> None: ...

        def xcheck_connect(self, endpoint: str) -> None: ...

    def bind(self, endpoint: str) -> None:
        """Accept connections on an endpoint (zmq_bind).

        Raises:
            ZMQError: EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, EMTHREAD, ETERM, or what the system says.
        """
        with self._sync:
            transport, address = self._open_call(endpoint)
            if transport is None:
                self.ctx.register_endpoint(endpoint, InprocEndpoint(self, self.options.copy()))
                self.ctx.connect_pending(endpoint, self)
                self.last_endpoint = endpoint
                return
            listener = transport.create_listener(self._need_io_thread(endpoint), self, self.options.copy())
            try:
                listener.set_local_address(address)
            except ZMQError as error:
                self.event_bind_failed(make_unconnected_bind_endpoint_pair(address), error.errno or 0)
                raise
            self.last_endpoint = listener.endpoint
            self._add_endpoint(make_unconnected_bind_endpoint_pair(self.last_endpoint), listener, None)

    def connect(self, endpoint: str) -> None:
        """Start connecting to an endpoint; asynchronous but for inproc (zmq_connect).

        Raises:
            ZMQError: EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, EMTHREAD, ETERM.
        """
        with self._sync:
            transport, address = self._open_call(endpoint)
            self.xcheck_connect(endpoint)
            if transport is None:
                self._connect_inproc(endpoint)
                return
            if self._single_connect and endpoint in self._endpoints:
                return
            io_thread = self._need_io_thread(endpoint)
            options = self._share_options()
            addr = transport.resolve_connect(address, options)
            session = self._create_session(io_thread, True, options, addr)
            pipe: Pipe | None = None
            if not options.immediate or transport.subscribe_to_all:
                pipe = self._connect_pipe(session, options, transport.subscribe_to_all)
            self.last_endpoint = addr.to_string()
            self._add_endpoint(make_unconnected_connect_endpoint_pair(endpoint), session, pipe)

    def _share_options(self) -> Options:
        """The options as they are now, for a session: not a copy, which most sockets would make for nothing."""
        self._options_shared = True
        return self.options

    def _own_options(self) -> Options:
        """The options, to be changed: what was given to sessions stays as it was."""
        if self._options_shared:
            self.options = self.options.copy()
            self._options_shared = False
        return self.options

    def _open_call(self, endpoint: str) -> tuple[transports.Transport | None, str]:
        """The checks that bind, connect and term_endpoint share: transport (None: inproc) and address."""
        self._check_terminated()
        if self._commands or self.mailbox.keep_armed:
            self.process_commands(0)
        return self._parse_endpoint(endpoint)

    def _parse_endpoint(self, endpoint: str) -> tuple[transports.Transport | None, str]:
        protocol, separator, address = endpoint.partition("://")
        if not separator or not protocol or not address:
            raise zmq_error(errno.EINVAL, f"Invalid argument (endpoint {endpoint!r})")
        if protocol == "inproc":
            return None, address
        transport = transports.find_transport(protocol)
        if transport is None:
            raise zmq_error(Errno.EPROTONOSUPPORT, f"Protocol not supported (endpoint {endpoint!r})")
        if not transport.fits(self.options.type):
            raise zmq_error(
                Errno.ENOCOMPATPROTO,
                f"The protocol is not compatible with the socket type ({type(self).__name__.upper()}, {endpoint!r})",
            )
        return transport, address

    def _need_io_thread(self, endpoint: str) -> IOThread:
        io_thread: IOThread | None = self.choose_io_thread(self.options.affinity)
        if io_thread is None:
            raise zmq_error(Errno.EMTHREAD, f"No thread available (I/O thread for {endpoint!r})")
        return io_thread

    def _create_session(
        self, io_thread: IOThread, active: bool, options: Options, addr: Address | None
    ) -> SessionBase:
        return self.session_class(io_thread, active, self, options, addr)

    def create_session(self, io_thread: IOThread, options: Options) -> SessionBase:
        """The session of an accepted connection (called by a listener, in its thread)."""
        return self._create_session(io_thread, False, options, None)

    def _connect_pipe(self, session: SessionBase, options: Options, subscribe_to_all: bool) -> Pipe:
        conflate = get_effective_conflate_option(options)
        hwms = (-1, -1) if conflate else (options.sndhwm, options.rcvhwm)
        mine, theirs = pipepair((self, session), hwms, (conflate, conflate))
        self.attach_pipe(mine, subscribe_to_all, locally_initiated=True)
        session.attach_pipe(theirs)
        return mine

    def _add_endpoint(self, pair: EndpointUriPair, endpoint: Own, pipe: Pipe | None) -> None:
        self.launch_child(endpoint)
        self._endpoints.setdefault(pair.identifier, []).append((endpoint, pipe))
        if pipe is not None:
            pipe.endpoint_pair = pair

    def term_endpoint(self, endpoint: str) -> None:
        """Remove everything registered under an endpoint (zmq_unbind, zmq_disconnect).

        Raises:
            ZMQError: ENOENT, nothing is; EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO, ETERM.
        """
        with self._sync:
            self._check_terminated()
            self._term_endpoint(endpoint)

    def _term_endpoint(self, endpoint: str) -> None:
        transport, address = self._open_call(endpoint)
        if transport is None:
            if not self.ctx.unregister_endpoint(endpoint, self):
                self._disconnect_inproc(endpoint)
            return
        key = endpoint if endpoint in self._endpoints else transport.canonical(address, self.options) or endpoint
        entries = self._endpoints.pop(key, None)
        if entries is None:
            raise zmq_error(errno.ENOENT, f"No such file or directory (endpoint {endpoint!r} is not in use)")
        for child, pipe in entries:
            if pipe is not None:
                pipe.terminate(False)
            self.term_child(child)
        self.is_disconnected = True

    def process_bind(self, pipe: Pipe) -> None:
        """A session or an inproc peer brings a pipe."""
        self.attach_pipe(pipe)

    def process_term_endpoint(self, endpoint: str) -> None:
        """A session asks to be disconnected. The user may have done that already."""
        try:
            self._term_endpoint(endpoint)
        except ZMQError as error:
            _LOG.debug("= %r cannot give up %s: %s", self, endpoint, error)

    def process_inproc_connected(self) -> None:
        """A parked connect found its peer; only the sequence number matters."""

    # -- inproc -----------------------------------------------------------------------------------------------------

    def _connect_inproc(self, endpoint: str) -> None:
        # libzmq limits the pipe by the sum of what the two sockets allow, as there is no network in between.
        peer: InprocEndpoint | None = self.ctx.find_endpoint(endpoint)
        options = self._share_options()
        conflate = get_effective_conflate_option(options)
        sndhwm = rcvhwm = -1
        if not conflate:
            sndhwm, rcvhwm = options.sndhwm, options.rcvhwm
            if peer is not None:
                sndhwm = sndhwm + peer.options.rcvhwm if sndhwm and peer.options.rcvhwm else 0
                rcvhwm = rcvhwm + peer.options.sndhwm if rcvhwm and peer.options.sndhwm else 0
        peer_parent: Any = self if peer is None else peer.socket
        mine, theirs = pipepair((self, peer_parent), (sndhwm, rcvhwm), (conflate, conflate))
        if peer is None:
            self._pend_inproc(endpoint, options, mine, theirs)
        else:
            self._join_inproc(peer, options, mine, theirs, conflate)
        self.attach_pipe(mine, locally_initiated=True)
        self.last_endpoint = endpoint
        self._inprocs.setdefault(endpoint, []).append(mine)

    def _pend_inproc(self, endpoint: str, options: Options, mine: Pipe, theirs: Pipe) -> None:
        """The name is not bound yet: park the other end."""
        # Always: whether the binder wants it is not known yet.
        send_routing_id(mine, options)
        if options.can_send_hello_msg and options.hello_msg:
            send_hello_msg(mine, options)
        self.ctx.pend_connection(endpoint, PendingConnection(InprocEndpoint(self, options), mine, theirs))

    def _join_inproc(self, peer: InprocEndpoint, options: Options, mine: Pipe, theirs: Pipe, conflate: bool) -> None:
        if not conflate:
            mine.set_hwms(options.rcvhwm, options.sndhwm)
            mine.set_hwms_boost(peer.options.sndhwm, peer.options.rcvhwm)
            theirs.set_hwms(peer.options.rcvhwm, peer.options.sndhwm)
            theirs.set_hwms_boost(options.sndhwm, options.rcvhwm)
        if options.recv_routing_id:
            send_routing_id(theirs, peer.options)
        if peer.options.recv_routing_id:
            send_routing_id(mine, options)
        if options.can_send_hello_msg and options.hello_msg:
            send_hello_msg(mine, options)
        if peer.options.can_send_hello_msg and peer.options.hello_msg:
            send_hello_msg(theirs, peer.options)
        if peer.options.can_recv_disconnect_msg and peer.options.disconnect_msg:
            mine.disconnect_msg = peer.options.disconnect_msg
        # find_endpoint has counted this command already.
        self.send_bind(peer.socket, theirs, inc_seqnum=False)

    def _disconnect_inproc(self, endpoint: str) -> None:
        pipes = self._inprocs.pop(endpoint, None)
        if pipes is None:
            raise zmq_error(errno.ENOENT, f"No such file or directory (endpoint {endpoint!r} is not in use)")
        for pipe in pipes:
            pipe.send_disconnect_msg()
            pipe.terminate(True)  # the peer may read what is under way
