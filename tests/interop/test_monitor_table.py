# SPDX-License-Identifier: MPL-2.0
"""What a monitor tells, scenario by scenario: the same events, values and endpoints, in the same order, on both sides.

Each row of the table is a scenario with the whole of what the monitor must say, up to a moment of silence. It runs on
the library under test and on real libzmq; peers are scripted where it matters what they do. An event is written as
``NAME value endpoint``: descriptors are ``fd``, pauses ``ms``, numbers of errors their names; endpoints have the names
that the scenario gives them.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import zmq as real

from tests.conftest import pump
from tests.interop.sides import OURS, REAL, Child, Side, bound_endpoint, errno_of, free_tcp_endpoint
from tests.support.raw_peer import ZMTP_10, ZMTP_20, RawPeer, RawPeers, command, frame, greeting, hx, ready
from tests.support.waiting import SILENCE, ms

pytestmark = pytest.mark.interop

#: Events whose value is a descriptor, an errno, a pause in ms.
FD = {"CONNECTED", "LISTENING", "ACCEPTED", "CLOSED", "DISCONNECTED"}
ERRNO = {"CONNECT_DELAYED", "BIND_FAILED", "CLOSE_FAILED", "HANDSHAKE_FAILED_NO_DETAIL"}
#: Long enough that a second attempt does not get into the picture.
ONCE = 5000


class Stage:
    """One library, the socket that is watched, raw peers, and names for endpoints."""

    def __init__(self, side: Side, raw: RawPeers) -> None:
        self.side = side
        self.raw = raw
        self.names: dict[str, str] = {}
        self.monitor: Any = None
        self.story: list[str] = []

    def watched(self, kind: str, **options: Any) -> Any:
        """The socket whose events count."""
        sock = self.side.socket(kind, **{"RECONNECT_IVL": ONCE, **options})
        self.monitor = self.side.monitor(sock)
        return sock

    def bind(self, sock: Any, endpoint: str = "tcp://127.0.0.1:*") -> str:
        """Bind, and call that endpoint 'bound'."""
        found = bound_endpoint(sock, endpoint)
        self.names[found] = "bound"
        return found

    def bound_with_peer(self, kind: str = "PULL", **options: Any) -> tuple[Any, RawPeer]:
        """A watched socket with a scripted peer that has connected and said nothing yet."""
        sock = self.watched(kind, **options)
        return sock, self.raw.connect(self.bind(sock))

    def connected_to_peer(self, kind: str = "PUSH", transport: str = "tcp", **options: Any) -> tuple[Any, RawPeer]:
        """A watched socket that has connected to a scripted peer, which has said nothing yet."""
        sock = self.watched(kind, **options)
        listener = self.raw.listen(transport)
        self.names[listener.endpoint] = "peer"
        sock.connect(listener.endpoint)
        return sock, self.raw.accept(listener)

    def until(self, name: str) -> None:
        """Read on until this event has come."""
        seen = len(self.story)
        while len(self.story) == seen or not self.story[-1].startswith(name):
            event = self.monitor.next()
            assert event is not None, f"no {name}; so far: {self.story}"
            self.story.append(self.describe(*event))

    def told(self, wanted: int) -> list[str]:
        """What the monitor has said: as many events as are wanted, and what else comes in a moment."""
        while len(self.story) < wanted:
            event = self.monitor.next()
            if event is None:
                return [*self.story, "... and no more"]
            self.story.append(self.describe(*event))
        while (event := self.monitor.next(SILENCE)) is not None:
            self.story.append(self.describe(*event))
        return self.story

    def describe(self, name: str, value: int, endpoint: str) -> str:
        """An event as the table writes it."""
        if name in FD:
            shown = "fd" if 0 < value < 0x10000 else hex(value)
        elif name == "CONNECT_RETRIED":
            shown = "ms"
        elif name == "ACCEPT_FAILED":
            shown = "errno"  # libzmq tells whatever is left of an earlier error (spec/deviations.md)
        elif name in ERRNO:
            shown = errno.errorcode.get(value, str(value))
        elif name == "HANDSHAKE_FAILED_PROTOCOL":
            shown = str(real.Event(value).name)
        else:
            shown = str(value)
        place = self.names.get(endpoint, re.sub(r":\d+$", ":port", endpoint))
        return f"{name} {shown} {place}".rstrip()


Scenario = Callable[[Stage], None]


class Row(NamedTuple):
    """A scenario, and what the monitor says."""

    scenario: Scenario
    story: list[str]


TABLE: dict[str, Row] = {}


def row(*story: str) -> Callable[[Scenario], Scenario]:
    """Enter a scenario into the table, under its name."""

    def enter(scenario: Scenario) -> Scenario:
        TABLE[scenario.__name__] = Row(scenario, list(story))
        return scenario

    return enter


# -- binding


@row("LISTENING fd bound")
def bind(stage: Stage) -> None:
    """A listener is open."""
    stage.bind(stage.watched("PULL"))


@row("LISTENING fd bound")
def bind_ipc(stage: Stage) -> None:
    """The same for a path that the system chooses."""
    stage.bind(stage.watched("PULL"), "ipc://*")


@row()
def bind_inproc(stage: Stage) -> None:
    """inproc has no connections to tell of."""
    sock, peer = stage.watched("PULL"), stage.side.socket("PUSH")
    stage.bind(sock, "inproc://a")
    peer.connect("inproc://a")
    peer.send(b"x")
    assert sock.recv() == b"x"
    sock.unbind("inproc://a")


@row("CLOSED fd", "BIND_FAILED EADDRINUSE taken")
def bind_to_a_port_in_use(stage: Stage) -> None:
    """The listener that could not be opened is closed, then the failure is told."""
    taken = stage.bind(stage.side.socket("PULL"))
    stage.names[taken.removeprefix("tcp://")] = "taken"
    sock = stage.watched("PULL")
    assert errno_of(lambda: sock.bind(taken)) == errno.EADDRINUSE


@row("BIND_FAILED ENODEV nonsense:port")
def bind_to_an_interface_that_is_not_there(stage: Stage) -> None:
    """A name that is no interface and no address."""
    sock = stage.watched("PULL")
    errno_of(lambda: sock.bind("tcp://nonsense:5555"))


@row()
def bind_to_nonsense(stage: Stage) -> None:
    """Without a transport nothing is tried."""
    sock = stage.watched("PULL")
    errno_of(lambda: sock.bind("nonsense"))
    errno_of(lambda: sock.bind("nonsense://x"))


@row("LISTENING fd bound", "CLOSED fd bound")
def unbind(stage: Stage) -> None:
    """The listener is closed."""
    sock = stage.watched("PULL")
    sock.unbind(stage.bind(sock))


@row("LISTENING fd bound", "CLOSED fd bound")
def unbind_ipc(stage: Stage) -> None:
    """The listener is closed."""
    sock = stage.watched("PULL")
    sock.unbind(stage.bind(sock, "ipc://*"))


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_SUCCEEDED 0 bound", "CLOSED fd bound")
def unbind_with_a_peer(stage: Stage) -> None:
    """Connections that were accepted go with it, and that is not told."""
    sock, peer = stage.bound_with_peer()
    peer.handshake("PUSH")
    stage.until("HANDSHAKE_SUCCEEDED")
    sock.unbind(sock.last_endpoint.decode())
    pump(sock, peer)


# -- a peer connects


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_SUCCEEDED 0 bound", "DISCONNECTED fd bound")
def a_peer_comes_and_goes(stage: Stage) -> None:
    """The whole life of a connection."""
    sock, peer = stage.bound_with_peer()
    peer.handshake("PUSH")
    peer.send(frame(b"x"))
    assert sock.recv() == b"x"
    peer.close()


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_SUCCEEDED 0 bound", "DISCONNECTED fd bound")
def a_peer_resets(stage: Stage) -> None:
    """A reset is told as the end of stream is."""
    sock, peer = stage.bound_with_peer()
    peer.handshake("PUSH")
    peer.send(frame(b"x"))
    assert sock.recv() == b"x"
    peer.reset()


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EPIPE bound", "DISCONNECTED fd bound")
def a_peer_says_nothing_and_goes(stage: Stage) -> None:
    """The end of stream before a greeting."""
    stage.bound_with_peer()[1].half_close()


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EPIPE bound", "DISCONNECTED fd bound")
def a_peer_goes_after_its_greeting(stage: Stage) -> None:
    """The end of stream between greeting and READY."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.half_close()


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH bound",
    "DISCONNECTED fd bound",
)
def a_peer_with_another_mechanism(stage: Stage) -> None:
    """NULL here, PLAIN there."""
    _, peer = stage.bound_with_peer()
    peer.send(greeting(mechanism=b"PLAIN"))


@row("LISTENING fd bound", "ACCEPTED fd bound", "DISCONNECTED fd bound")
def a_peer_of_the_wrong_type(stage: Stage) -> None:
    """A SUB at a PULL."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(ready("SUB"))


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND bound",
    "DISCONNECTED fd bound",
)
def a_peer_with_an_unknown_command(stage: Stage) -> None:
    """A handshake command that NULL does not have."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(command(b"NONSENSE"))


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_SUCCEEDED 0 bound")
def a_peer_with_a_malformed_ready(stage: Stage) -> None:
    """Metadata that ends in the middle of a property."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(command(b"READY", b"\x0bSocket-Type"))


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR bound",
    "DISCONNECTED fd bound",
)
def a_peer_with_a_malformed_error(stage: Stage) -> None:
    """An ERROR whose reason is shorter than it says."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(command(b"ERROR", b"\x05abc"))


@row("LISTENING fd bound", "ACCEPTED fd bound", "DISCONNECTED fd bound")
def a_peer_sends_an_error(stage: Stage) -> None:
    """An ERROR with a reason that is no status of ZAP."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(command(b"ERROR", b"\x05dance"))


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_AUTH 300 bound", "DISCONNECTED fd bound")
def a_peer_sends_an_error_300(stage: Stage) -> None:
    """An ERROR with a status of ZAP."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(command(b"ERROR", b"\x03300"))


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND bound",
    "DISCONNECTED fd bound",
)
def a_peer_sends_a_message_instead_of_ready(stage: Stage) -> None:
    """A message where a command is due."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(frame(b"hello"))


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND bound",
    "DISCONNECTED fd bound",
)
def a_peer_sends_a_command_frame_without_a_name(stage: Stage) -> None:
    """An empty command frame in the handshake."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(frame(b"", command=True))


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND bound",
    "DISCONNECTED fd bound",
)
def a_peer_with_reserved_flags(stage: Stage) -> None:
    """A frame whose flags mean nothing."""
    _, peer = stage.bound_with_peer()
    peer.greet()
    peer.send(hx("f8 00"))


@row("LISTENING fd bound", "ACCEPTED fd bound", "DISCONNECTED fd bound")
def a_frame_too_long(stage: Stage) -> None:
    """More than MAXMSGSIZE, after the handshake."""
    _, peer = stage.bound_with_peer(MAXMSGSIZE=10)
    peer.handshake("PUSH")
    peer.send(frame(b"x" * 11))


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EAGAIN bound", "DISCONNECTED fd bound")
def a_handshake_that_takes_too_long(stage: Stage) -> None:
    """HANDSHAKE_IVL passes."""
    stage.bound_with_peer(HANDSHAKE_IVL=ms(50))


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_SUCCEEDED 0 bound", "DISCONNECTED fd bound")
def a_heartbeat_without_an_answer(stage: Stage) -> None:
    """HEARTBEAT_TIMEOUT passes."""
    _, peer = stage.bound_with_peer(HEARTBEAT_IVL=ms(20), HEARTBEAT_TIMEOUT=ms(40))
    peer.handshake("PUSH")


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EPIPE bound", "DISCONNECTED fd bound")
def a_peer_of_zmtp_1(stage: Stage) -> None:
    """Its handshake has no end that could be told."""
    sock, peer = stage.bound_with_peer()
    ZMTP_10.open(peer, "PUSH", b"")
    ZMTP_10.send(peer, b"x")
    assert sock.recv() == b"x"
    peer.close()


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EPIPE bound", "DISCONNECTED fd bound")
def a_peer_of_zmtp_2(stage: Stage) -> None:
    """Nor has that of ZMTP 2."""
    sock, peer = stage.bound_with_peer()
    ZMTP_20.open(peer, "PUSH", b"")
    ZMTP_20.send(peer, b"x")
    assert sock.recv() == b"x"
    peer.close()


@row("LISTENING fd bound", "ACCEPT_FAILED errno bound")
def a_peer_that_is_filtered(stage: Stage) -> None:
    """TCP_ACCEPT_FILTER does not let it in."""
    _, peer = stage.bound_with_peer(TCP_ACCEPT_FILTER=b"10.0.0.1")
    peer.expect_close()


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EPIPE bound", "DISCONNECTED fd bound")
def a_browser_at_the_door(stage: Stage) -> None:
    """Something that is no ZMTP at all."""
    _, peer = stage.bound_with_peer()
    peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    peer.half_close()


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_SUCCEEDED 0 bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_SUCCEEDED 0 bound",
    "DISCONNECTED fd bound",
)
def two_peers(stage: Stage) -> None:
    """Each has its events."""
    sock, first = stage.bound_with_peer()
    first.handshake("PUSH")
    stage.until("HANDSHAKE_SUCCEEDED")
    second = stage.raw.connect(sock.last_endpoint.decode())
    second.handshake("PUSH")
    second.send(frame(b"x"))
    assert sock.recv() == b"x"
    first.close()


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_SUCCEEDED 0 bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_SUCCEEDED 0 bound",
)
def a_second_peer_of_a_pair(stage: Stage) -> None:
    """PAIR accepts it and shakes hands; that it then does not listen is not told."""
    sock, first = stage.bound_with_peer("PAIR")
    first.handshake("PAIR")
    first.send(frame(b"x"))
    assert sock.recv() == b"x"
    stage.until("HANDSHAKE_SUCCEEDED")
    second = stage.raw.connect(sock.last_endpoint.decode())
    second.handshake("PAIR")
    stage.until("HANDSHAKE_SUCCEEDED")
    sock.getsockopt(real.EVENTS)


@row(
    "LISTENING fd bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_SUCCEEDED 0 bound",
    "ACCEPTED fd bound",
    "HANDSHAKE_SUCCEEDED 0 bound",
)
def an_identity_twice_at_a_router(stage: Stage) -> None:
    """The second of two peers with one name is not let in (no handover)."""
    sock, first = stage.bound_with_peer("ROUTER")
    first.handshake("DEALER", b"me")
    first.send(frame(b"x"))
    assert sock.recv_multipart() == [b"me", b"x"]
    stage.until("HANDSHAKE_SUCCEEDED")
    second = stage.raw.connect(sock.last_endpoint.decode())
    second.handshake("DEALER", b"me")
    stage.until("HANDSHAKE_SUCCEEDED")
    sock.getsockopt(real.EVENTS)


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_FAILED_NO_DETAIL EPIPE bound", "DISCONNECTED fd bound")
def a_peer_of_a_stream(stage: Stage) -> None:
    """STREAM has no handshake, and says so when the connection ends."""
    sock, peer = stage.bound_with_peer("STREAM")
    assert sock.recv_multipart()[1] == b""
    peer.close()


@row("LISTENING fd bound", "ACCEPTED fd bound")
def a_stream_closes_a_peer(stage: Stage) -> None:
    """An empty message closes the connection."""
    sock, peer = stage.bound_with_peer("STREAM")
    identity, _ = sock.recv_multipart()
    sock.send_multipart([identity, b""])
    pump(sock, peer)


# -- connecting


@row("CONNECT_DELAYED EINPROGRESS peer", "CONNECTED fd peer", "HANDSHAKE_SUCCEEDED 0 peer")
def connect(stage: Stage) -> None:
    """The way to a handshake."""
    _, peer = stage.connected_to_peer()
    peer.handshake("PULL")


@row("CONNECTED fd peer", "HANDSHAKE_SUCCEEDED 0 peer")
def connect_ipc(stage: Stage) -> None:
    """ipc connects at once."""
    _, peer = stage.connected_to_peer(transport="ipc")
    peer.handshake("PULL")


@row("CONNECT_DELAYED EINPROGRESS nobody", "CLOSED fd nobody", "CONNECT_RETRIED ms nobody")
def connect_is_refused(stage: Stage) -> None:
    """Nobody listens."""
    sock = stage.watched("PUSH")
    endpoint = free_tcp_endpoint()
    stage.names[endpoint] = "nobody"
    sock.connect(endpoint)


@row(*["CONNECT_DELAYED EINPROGRESS nobody", "CLOSED fd nobody", "CONNECT_RETRIED ms nobody"] * 3)
def connect_is_refused_again_and_again(stage: Stage) -> None:
    """Three attempts; RECONNECT_IVL_MAX makes each pause longer than the one before."""
    sock = stage.watched("PUSH", RECONNECT_IVL=ms(50), RECONNECT_IVL_MAX=ms(100_000))
    endpoint = free_tcp_endpoint()
    stage.names[endpoint] = "nobody"
    sock.connect(endpoint)


@row("CONNECT_DELAYED EINPROGRESS nobody", "CLOSED fd nobody")
def connect_is_refused_and_not_tried_again(stage: Stage) -> None:
    """RECONNECT_IVL is -1."""
    sock = stage.watched("PUSH", RECONNECT_IVL=-1)
    endpoint = free_tcp_endpoint()
    stage.names[endpoint] = "nobody"
    sock.connect(endpoint)


@row("CLOSED fd nobody", "CONNECT_RETRIED ms nobody")
def connect_ipc_without_a_listener(stage: Stage) -> None:
    """The path does not exist."""
    sock = stage.watched("PUSH")
    stage.names["ipc:///nowhere/at/all"] = "nobody"
    sock.connect("ipc:///nowhere/at/all")


@row("CONNECT_RETRIED ms nobody")
def connect_to_a_name_that_does_not_resolve(stage: Stage) -> None:
    """Nobody has that name."""
    sock = stage.watched("PUSH")
    stage.names["tcp://name.invalid:5555"] = "nobody"
    sock.connect("tcp://name.invalid:5555")


@row()
def connect_to_nonsense(stage: Stage) -> None:
    """What cannot be an endpoint is refused at once."""
    sock = stage.watched("PUSH")
    for endpoint in ("nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "dance://x"):
        assert errno_of(lambda endpoint=endpoint: sock.connect(endpoint))


@row("CONNECT_DELAYED EINPROGRESS nobody", "CLOSED fd nobody", "CONNECT_RETRIED ms nobody")
def disconnect_while_waiting_to_retry(stage: Stage) -> None:
    """Nothing more is told."""
    sock = stage.watched("PUSH")
    endpoint = free_tcp_endpoint()
    stage.names[endpoint] = "nobody"
    sock.connect(endpoint)
    stage.until("CONNECT_RETRIED")
    sock.disconnect(endpoint)


@row("CONNECT_DELAYED EINPROGRESS peer", "CONNECTED fd peer", "HANDSHAKE_SUCCEEDED 0 peer")
def disconnect(stage: Stage) -> None:
    """The end of a connection that one asked for oneself is not told."""
    sock, peer = stage.connected_to_peer()
    peer.handshake("PULL")
    stage.until("HANDSHAKE_SUCCEEDED")
    sock.disconnect(sock.last_endpoint.decode())
    pump(sock, peer)


@row("CONNECT_DELAYED EINPROGRESS peer", "CONNECTED fd peer")
def disconnect_during_the_handshake(stage: Stage) -> None:
    """Nor is it before there is a connection."""
    sock, peer = stage.connected_to_peer()
    peer.read(10)
    sock.disconnect(sock.last_endpoint.decode())
    pump(sock, peer)


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_SUCCEEDED 0 peer",
    "DISCONNECTED fd peer",
    "CONNECT_RETRIED ms peer",
)
def the_other_side_goes(stage: Stage) -> None:
    """A connection is lost, and tried anew."""
    _, peer = stage.connected_to_peer()
    peer.handshake("PULL")
    stage.until("HANDSHAKE_SUCCEEDED")
    peer.close()


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_SUCCEEDED 0 peer",
    "DISCONNECTED fd peer",
    "CONNECT_RETRIED ms peer",
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_SUCCEEDED 0 peer",
)
def the_other_side_goes_and_comes_back(stage: Stage) -> None:
    """Lost, tried anew, found."""
    sock = stage.watched("PUSH", RECONNECT_IVL=ms(20))
    listener = stage.raw.listen()
    stage.names[listener.endpoint] = "peer"
    sock.connect(listener.endpoint)
    first = stage.raw.accept(listener)
    first.handshake("PULL")
    stage.until("HANDSHAKE_SUCCEEDED")
    first.close()
    stage.raw.accept(listener).handshake("PULL")


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_FAILED_NO_DETAIL EPIPE peer",
    "DISCONNECTED fd peer",
    "CONNECT_RETRIED ms peer",
)
def the_other_side_goes_during_the_handshake(stage: Stage) -> None:
    """Nothing is known but that it has gone."""
    stage.connected_to_peer()[1].half_close()


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_FAILED_PROTOCOL PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH peer",
    "DISCONNECTED fd peer",
)
def the_other_side_has_another_mechanism(stage: Stage) -> None:
    """NULL here, CURVE there."""
    _, peer = stage.connected_to_peer()
    peer.send(greeting(mechanism=b"CURVE", as_server=1))


@row("CONNECT_DELAYED EINPROGRESS peer", "CONNECTED fd peer", "DISCONNECTED fd peer")
def the_other_side_is_of_the_wrong_type(stage: Stage) -> None:
    """There is no second attempt."""
    _, peer = stage.connected_to_peer(RECONNECT_IVL=ms(20))
    peer.greet()
    peer.send(ready("REP"))


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_FAILED_AUTH 400 peer",
    "DISCONNECTED fd peer",
)
def the_other_side_sends_an_error(stage: Stage) -> None:
    """An ERROR with a status of ZAP."""
    _, peer = stage.connected_to_peer()
    peer.greet()
    peer.send(command(b"ERROR", b"\x03400"))


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_SUCCEEDED 0 peer",
    "DISCONNECTED fd peer",
    "CONNECT_RETRIED ms peer",
)
def the_other_side_is_killed(stage: Stage) -> None:
    """A process ends without a word."""
    with Child(stage.side.lib, "PULL", bind="tcp://127.0.0.1:*") as child:
        endpoint = child.line()
        stage.names[endpoint] = "peer"
        stage.watched("PUSH").connect(endpoint)
        stage.until("HANDSHAKE_SUCCEEDED")


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_FAILED_NO_DETAIL EPIPE peer",
    "DISCONNECTED fd peer",
    "CONNECT_RETRIED ms peer",
)
def connect_a_stream(stage: Stage) -> None:
    """STREAM to a TCP server that hangs up."""
    sock, peer = stage.connected_to_peer("STREAM")
    assert sock.recv_multipart()[1] == b""
    peer.close()


@row(
    "CONNECT_DELAYED EINPROGRESS peer",
    "CONNECTED fd peer",
    "HANDSHAKE_SUCCEEDED 0 peer",
    "DISCONNECTED fd peer",
    "CONNECT_RETRIED ms peer",
)
def connect_with_immediate(stage: Stage) -> None:
    """IMMEDIATE changes nothing of it."""
    _, peer = stage.connected_to_peer(IMMEDIATE=1)
    peer.handshake("PULL")
    stage.until("HANDSHAKE_SUCCEEDED")
    peer.close()


# -- ends


@row("LISTENING fd bound", "MONITOR_STOPPED 0")
def the_monitor_is_disabled(stage: Stage) -> None:
    """Its last word."""
    sock = stage.watched("PULL")
    stage.bind(sock)
    sock.disable_monitor()


@row("LISTENING fd bound", "MONITOR_STOPPED 0")
def the_monitor_is_replaced(stage: Stage) -> None:
    """The old one ends."""
    sock = stage.watched("PULL")
    stage.bind(sock)
    sock.monitor("inproc://another", real.EVENT_LISTENING)  # nobody reads it, so it must have nothing to tell


@row("LISTENING fd bound", "CLOSED fd bound", "MONITOR_STOPPED 0")
def the_socket_is_closed(stage: Stage) -> None:
    """Without peers: the listener closes, then the monitor ends."""
    sock = stage.watched("PULL")
    stage.bind(sock)
    sock.close()


@row("LISTENING fd bound", "ACCEPTED fd bound", "HANDSHAKE_SUCCEEDED 0 bound", "CLOSED fd bound", "MONITOR_STOPPED 0")
def the_socket_is_closed_with_a_peer(stage: Stage) -> None:
    """The end of the connection is not told."""
    sock, peer = stage.bound_with_peer()
    peer.handshake("PUSH")
    stage.until("HANDSHAKE_SUCCEEDED")
    sock.close()


@row("CONNECT_DELAYED EINPROGRESS nobody", "CLOSED fd nobody", "CONNECT_RETRIED ms nobody", "MONITOR_STOPPED 0")
def the_socket_is_closed_while_it_tries(stage: Stage) -> None:
    """An attempt that waits for its turn."""
    sock = stage.watched("PUSH")
    endpoint = free_tcp_endpoint()
    stage.names[endpoint] = "nobody"
    sock.connect(endpoint)
    stage.until("CONNECT_RETRIED")
    sock.close()


@row("CONNECT_DELAYED EINPROGRESS peer", "CONNECTED fd peer", "HANDSHAKE_SUCCEEDED 0 peer", "MONITOR_STOPPED 0")
def a_closed_socket_delivers(stage: Stage) -> None:
    """LINGER keeps the connection until the last message has gone."""
    sock, peer = stage.connected_to_peer()
    peer.handshake("PULL")
    stage.until("HANDSHAKE_SUCCEEDED")
    sock.send(b"last")
    sock.close(linger=-1)
    peer.expect(frame(b"last"))


@pytest.fixture(params=["ours", "real"])
def stage(request: pytest.FixtureRequest, raw: RawPeers) -> Any:
    """A stage for each library."""
    with Side(OURS if request.param == "ours" else REAL) as side:
        yield Stage(side, raw)


@pytest.mark.parametrize("name", TABLE)
def test_story(stage: Stage, name: str) -> None:
    """A scenario has the story that the table tells."""
    scenario, story = TABLE[name]
    scenario(stage)
    assert stage.told(len(story)) == story
