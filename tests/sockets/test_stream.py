# SPDX-License-Identifier: MPL-2.0
"""STREAM: plain TCP peers by routing id (reference/internals.md 8.4, zmq_socket ZMQ_STREAM)."""

import errno
import http.client
import http.server
import socket as pysocket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sockets.helpers import (
    QUIET,
    Background,
    MakeSocket,
    MakeWatch,
    Sock,
    bind,
    bind_soon,
    closes,
    each_network,
    each_transport,
    free_endpoint,
    is_quiet,
    link,
    raises_errno,
    settle,
    takes,
)
from tests.support.raw_peer import RawPeer, RawPeers, frame, greeting, ready
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, SILENCE, wait_until

#: What one read of the library brings at most (IN_BATCH_SIZE).
CHUNK = 8192

Attach = Callable[..., RawPeer]


def meet(stream: Sock) -> bytes:
    """The id of the peer that has just come, from the message that tells of it."""
    routing_id, announcement = stream.recv_multipart()
    assert announcement == b""
    return bytes(routing_id)


def read_bytes(stream: Sock, routing_id: bytes, size: int) -> bytes:
    """So many bytes of one peer; how many messages they come in is the kernel's choice."""
    data = b""
    while len(data) < size:
        sender, chunk = stream.recv_multipart()
        assert sender == routing_id
        assert 0 < len(chunk) <= CHUNK
        data += chunk
    return data


@pytest.fixture
def stream(socket: MakeSocket) -> Sock:
    """A STREAM that reconnects fast."""
    return socket(zmq.STREAM, reconnect_ivl=20)


# --- bytes in and out ------------------------------------------------------------------------------------------------


def test_nothing_is_on_the_wire_but_what_is_sent(stream: Sock, attach: Attach) -> None:
    """No greeting, no framing, whoever connects; each message out is its bytes, each read is a message in."""
    peer = attach(stream)
    peer.expect_silence()
    routing_id = meet(stream)
    assert (len(routing_id), routing_id[:1]) == (5, b"\0")
    peer.send(b"GET /")
    assert stream.recv_multipart() == [routing_id, b"GET /"]
    stream.send_multipart([routing_id, b"200 "])
    stream.send_multipart([routing_id, b"OK"])
    assert peer.read(6) == b"200 OK"


@each_network
def test_every_peer_has_an_id_of_its_own(stream: Sock, raw: RawPeers, transport: str) -> None:
    """Ids count up from a random start; they tell who sent and choose who gets."""
    endpoint = bind(stream, transport)
    peers = []
    for _ in range(5):
        peer = raw.connect(endpoint)
        peers.append((meet(stream), peer))
    numbers = [int.from_bytes(routing_id[1:], "big") for routing_id, _ in peers]
    assert [(number - numbers[0]) % 2**32 for number in numbers] == list(range(5))
    for routing_id, peer in reversed(peers):
        stream.send_multipart([routing_id, routing_id])
        peer.send(b"I am " + routing_id)
    for routing_id, peer in peers:
        assert peer.read(5) == routing_id
    seen = dict(stream.recv_multipart() for _ in peers)
    assert seen == {routing_id: b"I am " + routing_id for routing_id, _ in peers}


def test_much_data_comes_in_pieces_of_a_read(stream: Sock, raw: RawPeers) -> None:
    """No message is longer than IN_BATCH_SIZE (8192), however fast the peer sends; nothing is lost or reordered."""
    peer = raw.connect(bind(stream, "tcp"))
    routing_id = meet(stream)
    data = bytes(range(256)) * 8192
    sending = Background(lambda: peer.send(data))
    assert read_bytes(stream, routing_id, len(data)) == data
    sending.result()


def test_much_data_goes_out(stream: Sock, attach: Attach) -> None:
    """A message may be of any size."""
    peer = attach(stream)
    routing_id = meet(stream)
    data = bytes(range(256)) * 16384
    sending = Background(lambda: stream.send_multipart([routing_id, data]))
    assert peer.read(len(data)) == data
    sending.result()


@pytest.mark.parametrize("copy", [True, False])
def test_frames_that_share_memory(stream: Sock, raw: RawPeers, copy: bool) -> None:
    """send(copy=False) and recv(copy=False) work as everywhere; RCVMORE is set after the id and not after the bytes."""
    peer = raw.connect(bind(stream, "tcp"))
    routing_id = meet(stream)
    peer.send(b"question")
    frames = stream.recv_multipart(copy=False)
    assert [frame.bytes for frame in frames] == [routing_id, b"question"]
    stream.send(routing_id, zmq.SNDMORE, copy=copy)
    stream.send(memoryview(b"answer" * 20000), copy=copy)
    assert peer.read(6 * 20000) == b"answer" * 20000
    peer.send(b"more?")
    assert stream.recv() == routing_id
    assert stream.getsockopt(zmq.RCVMORE) == 1
    assert stream.recv() == b"more?"
    assert stream.getsockopt(zmq.RCVMORE) == 0


def test_messages_tell_where_they_come_from(stream: Sock, attach: Attach) -> None:
    """Peer-Address is on both frames, of the notification too; there are no other properties without a handshake."""
    peer = attach(stream)
    for data in (b"", b"x"):
        if data:
            peer.send(data)
        for part in stream.recv_multipart(copy=False):
            assert part.get("Peer-Address") == "127.0.0.1"
            with pytest.raises(zmq.ZMQError):
                part.get("Socket-Type")


def test_several_streams_talk_to_each_other(socket: MakeSocket) -> None:
    """A STREAM is a plain TCP peer itself."""
    server, clients = socket(zmq.STREAM), [socket(zmq.STREAM) for _ in range(3)]
    endpoint = bind(server, "tcp")
    ids = []
    for client in clients:
        client.connect(endpoint)
        ids.append(client.getsockopt(zmq.ROUTING_ID))
        assert meet(client) == ids[-1]
    accepted = [meet(server) for _ in clients]
    for routing_id in accepted:
        server.send_multipart([routing_id, b"hello " + routing_id])
    greetings = [client.recv_multipart() for client in clients]
    assert [routing_id for routing_id, _ in greetings] == ids
    assert sorted(text for _, text in greetings) == sorted(b"hello " + routing_id for routing_id in accepted)


# --- what is sent must have two frames -------------------------------------------------------------------------------


@pytest.fixture
def pair(stream: Sock, raw: RawPeers) -> tuple[Sock, bytes, RawPeer]:
    """A bound STREAM, the id of its one peer, and the peer."""
    peer = raw.connect(bind(stream, "tcp"))
    return stream, meet(stream), peer


Pair = tuple[Sock, bytes, RawPeer]


def test_an_unknown_id_is_an_error(pair: Pair) -> None:
    """EHOSTUNREACH at the id, without any option; the socket is ready for the next message."""
    stream, routing_id, peer = pair
    for nobody in (b"nobody", b"", b"\0\0\0\0\0", b"x" * 300):
        for flags in (0, zmq.DONTWAIT):
            with raises_errno(zmq.EHOSTUNREACH):
                stream.send(nobody, zmq.SNDMORE | flags)
        with raises_errno(zmq.EHOSTUNREACH):
            stream.send_multipart([nobody, b"x"])
    stream.send_multipart([routing_id, b"hello"])
    peer.expect(b"hello")


def test_sndmore_on_the_bytes_is_ignored(pair: Pair) -> None:
    """The next frame is an id again, in one call or in several."""
    stream, routing_id, peer = pair
    stream.send_multipart([routing_id, b"1", routing_id, b"2"])
    stream.send(routing_id, zmq.SNDMORE)
    stream.send(b"3", zmq.SNDMORE)
    stream.send_multipart([routing_id, b"4"])
    with raises_errno(zmq.EHOSTUNREACH):
        stream.send_multipart([routing_id, b"5", b"no id", b"lost"])
    stream.send_multipart([routing_id, b"6"], zmq.SNDMORE)
    stream.send_multipart([routing_id, b"7"])
    peer.expect(b"1234567")


def test_an_id_alone_swallows_the_next_frame(pair: Pair) -> None:
    """Without SNDMORE it is dropped, known or not, and what follows is still taken for its bytes."""
    stream, routing_id, peer = pair
    for alone in (routing_id, b"nobody"):
        stream.send(alone)
        stream.send(b"swallowed")
        stream.send_multipart([routing_id, b"1", alone])
        stream.send_multipart([b"swallowed", routing_id, b"2"])
    peer.expect(b"1212")


def test_who_leaves_between_id_and_bytes(socket: MakeSocket, raw: RawPeers) -> None:
    """The bytes are dropped without an error."""
    stream = socket(zmq.STREAM)
    endpoint = bind(stream, "tcp")
    leaving, staying = raw.connect(endpoint), None
    leaving_id = meet(stream)
    staying = raw.connect(endpoint)
    staying_id = meet(stream)
    stream.send(leaving_id, zmq.SNDMORE)
    leaving.close()
    assert meet(stream) == leaving_id
    settle(stream)
    stream.send(b"lost")
    stream.send_multipart([staying_id, b"hello"])
    staying.expect(b"hello")


# --- peers come and go -----------------------------------------------------------------------------------------------


def test_an_accepted_peer_comes_and_goes(stream: Sock, raw: RawPeers) -> None:
    """[id, ""] when it comes, [id, ""] after its last bytes when it goes; then its id is unknown."""
    endpoint = bind(stream, "tcp")
    peer = raw.connect(endpoint)
    routing_id = meet(stream)
    peer.send(b"bye")
    peer.close()
    assert stream.recv_multipart() == [routing_id, b"bye"]
    assert stream.recv_multipart() == [routing_id, b""]

    def unknown() -> bool:
        settle(stream)
        try:
            stream.send_multipart([routing_id, b"x"], zmq.DONTWAIT)
        except zmq.Again:
            return False  # it is leaving
        except zmq.ZMQError as error:
            assert error.errno == zmq.EHOSTUNREACH
            return True
        return False

    wait_until(unknown, "the id to be unknown")
    assert meet_new(stream, raw, endpoint) != routing_id


def meet_new(stream: Sock, raw: RawPeers, endpoint: str) -> bytes:
    """Connect one more peer; its id."""
    raw.connect(endpoint)
    return meet(stream)


@pytest.mark.parametrize("how", ["half_close", "reset", "close"])
def test_every_way_to_go_is_one_message(pair: Pair, how: str) -> None:
    """End of stream and reset look the same; who only closes its sending side is cut off, as by libzmq."""
    stream, routing_id, peer = pair
    getattr(peer, how)()
    assert stream.recv_multipart() == [routing_id, b""]
    if how == "half_close":
        closes(stream, peer)
    assert is_quiet(stream)


def test_a_connection_of_our_own_comes_back(stream: Sock, raw: RawPeers) -> None:
    """The id stays the same; every loss and every new connection is told; what was sent meanwhile is delivered."""
    listener = raw.listen()
    stream.connect(listener.endpoint)
    routing_id = stream.getsockopt(zmq.ROUTING_ID)
    stream.send_multipart([routing_id, b"before the connection"])
    for sent in (b"before the connection", b"first gap", b"second gap"):
        peer = raw.accept(listener)
        assert meet(stream) == routing_id
        peer.expect(sent)
        peer.close()
        assert stream.recv_multipart() == [routing_id, b""]
        stream.send_multipart([routing_id, b"first gap" if sent.startswith(b"before") else b"second gap"])


def test_nobody_there_is_no_message(socket: MakeSocket, watch: MakeWatch, tmp_path: Any) -> None:
    """Refused attempts are the monitor's business; the peer may come later."""
    stream, server = socket(zmq.STREAM, reconnect_ivl=20), socket(zmq.STREAM)
    events = watch(stream)
    endpoint = free_endpoint("tcp", tmp_path)
    stream.connect(endpoint)
    events.wait(zmq.EVENT_CONNECT_RETRIED, 2)
    assert is_quiet(stream)
    bind_soon(server, endpoint)
    meet(stream)
    meet(server)


@pytest.mark.parametrize("binds", [True, False])
def test_without_notifications(socket: MakeSocket, raw: RawPeers, binds: bool) -> None:
    """STREAM_NOTIFY 0: bytes only. Whoever connects knows the id from ROUTING_ID."""
    stream = socket(zmq.STREAM, stream_notify=0)
    if binds:
        peer = raw.connect(bind(stream, "tcp"))
    else:
        listener = raw.listen()
        stream.connect(listener.endpoint)
        peer = raw.accept(listener)
    assert is_quiet(stream)
    peer.send(b"hello")
    routing_id, data = stream.recv_multipart()
    assert data == b"hello"
    assert stream.getsockopt(zmq.ROUTING_ID) == routing_id
    peer.close()
    assert is_quiet(stream)


def test_notifications_are_chosen_before_bind_or_connect(socket: MakeSocket, raw: RawPeers) -> None:
    """Endpoints keep the value they were made with."""
    stream = socket(zmq.STREAM)
    noisy = bind(stream, "tcp")
    stream.setsockopt(zmq.STREAM_NOTIFY, 0)
    silent = bind(stream, "tcp")
    raw.connect(silent)
    assert is_quiet(stream)
    raw.connect(noisy)
    assert meet(stream)


# --- closing a peer --------------------------------------------------------------------------------------------------


def test_an_empty_message_closes_the_connection(pair: Pair) -> None:
    """After what was sent before; no notification follows, and the id is unknown."""
    stream, routing_id, peer = pair
    stream.send_multipart([routing_id, b"bye"])
    stream.send_multipart([routing_id, b""])
    with raises_errno(zmq.EHOSTUNREACH):
        wait_until(lambda: [settle(stream), still_closing(stream, routing_id)] and False, "never true")
    assert peer.read_to_end() == b"bye"
    assert is_quiet(stream)


def still_closing(stream: Sock, routing_id: bytes) -> bool:
    """While the connection ends its pipe takes nothing more. (EHOSTUNREACH: it has ended.)"""
    with pytest.raises(zmq.Again):
        stream.send_multipart([routing_id, b"too late"], zmq.DONTWAIT)
    return True


def test_what_is_sent_before_the_end_arrives(pair: Pair) -> None:
    """However slow the peer reads: a whole large answer, then end of stream, as an HTTP server does it."""
    stream, routing_id, peer = pair
    answer = bytes(range(256)) * 40000
    stream.send_multipart([routing_id, answer])
    stream.send_multipart([routing_id, b""])
    settling = threading.Event()
    settler = Background(lambda: [settle(stream) for _ in iter(lambda: settling.wait(0.005), True)])
    try:
        assert peer.read_to_end() == answer
    finally:
        settling.set()
        settler.result()


def test_a_connection_of_our_own_is_not_made_again(stream: Sock, raw: RawPeers) -> None:
    """An empty message ends the endpoint too, so that disconnect finds nothing to do but forget it."""
    listener = raw.listen()
    stream.connect(listener.endpoint)
    routing_id = meet(stream)
    peer = raw.accept(listener)
    stream.send_multipart([routing_id, b""])
    closes(stream, peer)
    listener.expect_no_connection(SILENCE * 3)
    stream.disconnect(listener.endpoint)
    with raises_errno(errno.ENOENT):
        stream.disconnect(listener.endpoint)


def test_a_connection_to_come_is_closed_at_once(stream: Sock, raw: RawPeers, watch: MakeWatch, tmp_path: Any) -> None:
    """An empty message to a peer that is not there yet: it is still reached, gets what was sent before, and is left."""
    events = watch(stream)
    endpoint = free_endpoint("tcp", tmp_path)
    stream.connect(endpoint)
    routing_id = stream.getsockopt(zmq.ROUTING_ID)
    events.wait(zmq.EVENT_CONNECT_RETRIED)
    stream.send_multipart([routing_id, b"hello and goodbye"])
    stream.send_multipart([routing_id, b""])
    with pytest.raises(zmq.Again):
        stream.send_multipart([routing_id, b"too late"], zmq.DONTWAIT)
    port = int(endpoint.rpartition(":")[2])
    with server_socket(port) as listener:
        peer = raw.adopt(RawPeer(listener.accept()[0]))
        peer.expect(b"hello and goodbye")
        closes(stream, peer)
    with raises_errno(zmq.EHOSTUNREACH):
        stream.send_multipart([routing_id, b"too late"])


def server_socket(port: int) -> pysocket.socket:
    listener = pysocket.create_server(("127.0.0.1", port))
    listener.settimeout(PATIENCE)
    return listener


def test_disconnect_closes_without_a_message(stream: Sock, raw: RawPeers) -> None:
    """The user knows."""
    listener = raw.listen()
    stream.connect(listener.endpoint)
    routing_id = meet(stream)
    peer = raw.accept(listener)
    stream.disconnect(listener.endpoint)
    closes(stream, peer)
    assert is_quiet(stream)
    with raises_errno(zmq.EHOSTUNREACH):
        stream.send_multipart([routing_id, b"x"])


def test_unbind_closes_accepted_connections(pair: Pair) -> None:
    """Without a message either."""
    stream, _, peer = pair
    stream.unbind(stream.getsockopt(zmq.LAST_ENDPOINT))
    closes(stream, peer)
    assert is_quiet(stream)


def test_closing_the_socket_delivers_and_closes(socket: MakeSocket, raw: RawPeers) -> None:
    """What was sent arrives (LINGER), then the connections end."""
    stream = socket(zmq.STREAM, linger=-1)
    endpoint = bind(stream, "tcp")
    peers = [(raw.connect(endpoint), meet(stream)) for _ in range(3)]
    data = b"last words" * 100000
    for _, routing_id in peers:
        stream.send_multipart([routing_id, data])
    stream.close()
    for peer, _ in peers:
        assert peer.read_to_end() == data


# --- ROUTING_ID and CONNECT_ROUTING_ID -------------------------------------------------------------------------------


def test_routing_id_shows_the_last_peer(stream: Sock, raw: RawPeers) -> None:
    """Empty at first; then the id of the latest peer, connected or accepted."""
    assert stream.getsockopt(zmq.ROUTING_ID) == b""
    listener = raw.listen()
    stream.connect(listener.endpoint)
    own = stream.getsockopt(zmq.ROUTING_ID)
    assert len(own) == 5
    assert meet(stream) == own
    accepted = meet_new(stream, raw, bind(stream, "tcp"))
    assert stream.getsockopt(zmq.ROUTING_ID) == accepted != own


@pytest.mark.parametrize("value", [b"", b"x" * 256])
def test_unfit_routing_ids_are_refused(stream: Sock, value: bytes) -> None:
    """As on any socket: 1 to 255 bytes. STREAM has no use for it."""
    with raises_errno(zmq.EINVAL):
        stream.setsockopt(zmq.ROUTING_ID, value)
    stream.setsockopt(zmq.ROUTING_ID, b"me")
    assert stream.getsockopt(zmq.ROUTING_ID) == b"me"


@pytest.mark.parametrize(
    "name", [b"n", b"\0\1\2\3\4", b"x" * 255, b"x" * 300], ids=["short", "form", "long", "too long"]
)
def test_the_peer_of_a_connect_may_be_named(stream: Sock, raw: RawPeers, name: bytes) -> None:
    """CONNECT_ROUTING_ID is the peer's id from the moment of connect; ROUTING_ID does not show it."""
    listener = raw.listen()
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, name)
    stream.connect(listener.endpoint)
    assert stream.getsockopt(zmq.ROUTING_ID) == b""
    stream.send_multipart([name, b"early"])
    peer = raw.accept(listener)
    peer.expect(b"early")
    assert meet(stream) == name
    peer.send(b"answer")
    assert stream.recv_multipart() == [name, b"answer"]


def test_the_name_is_used_up_by_one_connect(stream: Sock, raw: RawPeers) -> None:
    """Neither accepted connections nor the next connect get it."""
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    assert len(meet_new(stream, raw, bind(stream, "tcp"))) == 5
    listeners = [raw.listen(), raw.listen()]
    for listener in listeners:
        stream.connect(listener.endpoint)
    assert {len(meet(stream)) for _ in listeners} == {4, 5}


def test_a_named_peer_keeps_its_name(stream: Sock, raw: RawPeers) -> None:
    """Over reconnects."""
    listener = raw.listen()
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    stream.connect(listener.endpoint)
    for _ in range(2):
        peer = raw.accept(listener)
        assert meet(stream) == b"name"
        peer.close()
        assert meet(stream) == b"name"


@pytest.mark.departs
@pytest.mark.parametrize("transport", ["tcp", "inproc"])
def test_a_name_in_use_is_refused(socket: MakeSocket, transport: str) -> None:
    """connect with a CONNECT_ROUTING_ID that another peer has raises and leaves that peer alone.

    libzmq aborts the process (assertion).
    """
    stream, first, second = (socket(zmq.STREAM) for _ in range(3))
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    link(first, stream, transport)
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, b"name")
    with raises_errno(zmq.EINVAL):
        link(second, stream, transport)
    stream.send_multipart([b"name", b"hello"])
    assert drop_notice(first)[1] == b"hello"
    assert is_quiet(second)


@pytest.mark.departs
def test_a_generated_id_as_name_is_refused(stream: Sock, raw: RawPeers) -> None:
    """The id of an accepted peer cannot be given to another. (libzmq aborts.)"""
    endpoint = bind(stream, "tcp")
    routing_id = meet_new(stream, raw, endpoint)
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, routing_id)
    with raises_errno(zmq.EINVAL):
        stream.connect(endpoint)


@pytest.mark.departs
def test_a_taken_number_is_passed_over(stream: Sock, raw: RawPeers) -> None:
    """An id that connect() has given to a peer is not generated for another. (libzmq aborts.)"""
    endpoint = bind(stream, "tcp")
    number = int.from_bytes(meet_new(stream, raw, endpoint)[1:], "big")
    listener = raw.listen()
    taken = b"\0" + ((number + 1) % 2**32).to_bytes(4, "big")
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, taken)
    stream.connect(listener.endpoint)
    assert meet(stream) == taken
    assert int.from_bytes(meet_new(stream, raw, endpoint)[1:], "big") == (number + 2) % 2**32


def drop_notice(stream: Sock) -> list[bytes]:
    """The next message that is no notification (inproc peers send none)."""
    while True:
        frames: list[bytes] = stream.recv_multipart()
        if frames[1]:
            return frames


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_full_peer_blocks_only_itself(socket: MakeSocket, raw: RawPeers) -> None:
    """EAGAIN for a peer that does not read; others take messages; POLLOUT says nothing about it."""
    stream = socket(zmq.STREAM, sndhwm=2, sndbuf=8192)
    endpoint = bind(stream, "tcp")
    slow = raw.connect(endpoint)
    slow_id = meet(stream)
    quick = raw.connect(endpoint)
    quick_id = meet(stream)
    sent = fill(stream, slow_id)
    assert settle(stream) == zmq.POLLOUT
    timeout = stream.getsockopt(zmq.SNDTIMEO)
    stream.setsockopt(zmq.SNDTIMEO, QUIET)
    with takes(QUIET), pytest.raises(zmq.Again):
        stream.send_multipart([slow_id, b"refused"])
    stream.setsockopt(zmq.SNDTIMEO, timeout)
    stream.send_multipart([quick_id, b"not refused"])
    quick.expect(b"not refused")
    waiting = Background(lambda: stream.send_multipart([slow_id, b"end"]))
    assert slow.read(sent * len(BLOCK) + 3)[-3:] == b"end"
    waiting.result()


BLOCK = bytes(100_000)


def fill(stream: Sock, routing_id: bytes) -> int:
    """Send until all queues, the kernel's too, are full; how many blocks went."""
    patience = stream.getsockopt(zmq.SNDTIMEO)
    stream.setsockopt(zmq.SNDTIMEO, QUIET * 3)
    for sent in range(1000):
        try:
            stream.send_multipart([routing_id, BLOCK])
        except zmq.Again:
            stream.setsockopt(zmq.SNDTIMEO, patience)
            return sent
    pytest.fail("no limit")


def test_a_full_socket_stops_its_peer(socket: MakeSocket, raw: RawPeers) -> None:
    """RCVHWM counts chunks; beyond it bytes wait in the kernel, and none is lost when the reader comes."""
    stream = socket(zmq.STREAM, rcvhwm=2, rcvbuf=16384)
    peer = raw.connect(bind(stream, "tcp"))
    routing_id = meet(stream)
    data = bytes(range(256)) * 20000
    sending = Background(lambda: peer.send(data))
    assert sending.blocks()
    assert read_bytes(stream, routing_id, len(data)) == data
    sending.result()


def test_maxmsgsize_does_not_hold(socket: MakeSocket, raw: RawPeers) -> None:
    """There are no messages whose size could be known."""
    stream = socket(zmq.STREAM, maxmsgsize=3)
    peer = raw.connect(bind(stream, "tcp"))
    routing_id = meet(stream)
    peer.send(b"more than three")
    assert stream.recv_multipart() == [routing_id, b"more than three"]


@pytest.mark.parametrize("interval", [50])
def test_handshake_and_heartbeat_timers_do_not_run(socket: MakeSocket, raw: RawPeers, interval: int) -> None:
    """A peer may be silent for ever, and hears nothing."""
    stream = socket(zmq.STREAM, handshake_ivl=interval, heartbeat_ivl=interval, heartbeat_timeout=interval)
    peer = raw.connect(bind(stream, "tcp"))
    routing_id = meet(stream)
    peer.expect_silence(interval * 3 / 1000)
    peer.send(b"still here")
    assert stream.recv_multipart() == [routing_id, b"still here"]


def test_immediate_makes_the_peer_with_the_connection(socket: MakeSocket, raw: RawPeers) -> None:
    """IMMEDIATE: no id before the connection is up, and CONNECT_ROUTING_ID is not given to it."""
    stream = socket(zmq.STREAM, immediate=1, connect_routing_id=b"name", reconnect_ivl=20)
    listener = raw.listen()
    stream.connect(listener.endpoint)
    with raises_errno(zmq.EHOSTUNREACH):
        stream.send_multipart([b"name", b"x"])
    peer = raw.accept(listener)
    routing_id = meet(stream)
    assert stream.getsockopt(zmq.ROUTING_ID) == routing_id != b"name"
    stream.send_multipart([routing_id, b"hello"])
    peer.expect(b"hello")


@pytest.mark.departs
def test_immediate_and_a_lost_connection(socket: MakeSocket, raw: RawPeers) -> None:
    """The next connection is a new peer with a new id, and stays; the loss may go unsaid, as the pipe goes with it.

    libzmq closes the new connection when the old pipe has ended.
    """
    stream = socket(zmq.STREAM, immediate=1, reconnect_ivl=20)
    listener = raw.listen()
    stream.connect(listener.endpoint)
    ids = set()
    for _ in range(3):
        peer = raw.accept(listener)
        routing_id = meet(stream)
        if routing_id in ids:  # that was the end of the last one
            routing_id = meet(stream)
        ids.add(routing_id)
        settle(stream)
        peer.expect_silence()
        settle(stream)
        stream.send_multipart([routing_id, b"hello"])
        peer.expect(b"hello")
        peer.close()
    assert len(ids) == 3


# --- options that are not its own ------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["ROUTER_MANDATORY", "ROUTER_HANDOVER", "ROUTER_RAW", "PROBE_ROUTER", "REQ_RELAXED"])
def test_options_of_other_types_are_refused(stream: Sock, option: str) -> None:
    """STREAM names peers as ROUTER does, but has none of its options."""
    with raises_errno(zmq.EINVAL):
        stream.setsockopt(getattr(zmq, option), 1)


@pytest.mark.parametrize("value", [-1, 2])
def test_stream_notify_is_zero_or_one(stream: Sock, value: int) -> None:
    """And cannot be read."""
    with raises_errno(zmq.EINVAL):
        stream.setsockopt(zmq.STREAM_NOTIFY, value)
    with raises_errno(zmq.EINVAL):
        stream.getsockopt(zmq.STREAM_NOTIFY)
    with raises_errno(zmq.EINVAL):
        stream.getsockopt(zmq.CONNECT_ROUTING_ID)
    with raises_errno(zmq.EINVAL):
        stream.setsockopt(zmq.CONNECT_ROUTING_ID, b"")


# --- monitor ---------------------------------------------------------------------------------------------------------


def test_events_of_accepted_connections(stream: Sock, raw: RawPeers, watch: MakeWatch) -> None:
    """No handshake succeeds, so every end but our own is also a failed handshake; our own is no event at all."""
    events = watch(stream)
    endpoint = bind(stream, "tcp")
    peer = raw.connect(endpoint)
    meet(stream)
    peer.close()
    meet(stream)
    events.wait(zmq.EVENT_DISCONNECTED)
    peer = raw.connect(endpoint)
    stream.send_multipart([meet(stream), b""])
    closes(stream, peer)
    assert events.is_quiet(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    assert [event for event, _ in events.seen] == [
        zmq.EVENT_LISTENING,
        zmq.EVENT_ACCEPTED,
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        zmq.EVENT_DISCONNECTED,
        zmq.EVENT_ACCEPTED,
    ]


def test_events_of_a_connection_of_our_own(stream: Sock, raw: RawPeers, watch: MakeWatch) -> None:
    """The same, and the retry."""
    events = watch(stream)
    listener = raw.listen()
    stream.connect(listener.endpoint)
    raw.accept(listener).close()
    raw.accept(listener)
    events.wait(zmq.EVENT_CONNECTED, 2)
    assert [event for event, _ in events.seen] == [
        zmq.EVENT_CONNECT_DELAYED,
        zmq.EVENT_CONNECTED,
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        zmq.EVENT_DISCONNECTED,
        zmq.EVENT_CONNECT_RETRIED,
        zmq.EVENT_CONNECT_DELAYED,
        zmq.EVENT_CONNECTED,
    ]


def test_a_handshake_that_cannot_succeed_may_end_the_attempts(
    socket: MakeSocket, raw: RawPeers, watch: MakeWatch
) -> None:
    """RECONNECT_STOP_HANDSHAKE_FAILED: the loss of a connection counts, so it is not made again."""
    stream = socket(zmq.STREAM, reconnect_ivl=20, reconnect_stop=2)
    listener = raw.listen()
    stream.connect(listener.endpoint)
    peer = raw.accept(listener)
    routing_id = meet(stream)
    peer.close()
    assert meet(stream) == routing_id
    listener.expect_no_connection(SILENCE * 2)


# --- other transports ------------------------------------------------------------------------------------------------


@each_transport
def test_any_byte_stream_will_do(socket: MakeSocket, transport: str) -> None:
    """ipc as tcp; over inproc, where nothing connects, there are no notifications."""
    server, client = socket(zmq.STREAM), socket(zmq.STREAM)
    link(server, client, transport)
    routing_id = client.getsockopt(zmq.ROUTING_ID)
    client.send_multipart([routing_id, b"hello"])
    accepted, data = drop_notice(server)
    assert data == b"hello"
    server.send_multipart([accepted, b"welcome"])
    assert drop_notice(client) == [routing_id, b"welcome"]
    client.send_multipart([routing_id, b""])
    if transport != "inproc":
        wait_until(lambda: settle(client) and server.poll(1), "the end of the connection")
        assert meet(server) == accepted

    def gone() -> bool:
        settle(client)
        settle(server)
        try:
            server.send_multipart([accepted, b"x"], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError:
            return True
        return False

    wait_until(gone, "the peer to be gone")


def test_udp_is_refused(stream: Sock) -> None:
    """No byte stream."""
    with raises_errno(zmq.ENOCOMPATPROTO):
        stream.bind("udp://127.0.0.1:*")


@pytest.mark.parametrize("kind", ["DEALER", "PAIR", "ROUTER"])
def test_inproc_peers_of_other_types(socket: MakeSocket, kind: str) -> None:
    """Nothing forbids it: a message of one frame is a chunk, and a chunk a message of one frame."""
    stream, other = socket(zmq.STREAM), socket(getattr(zmq, kind), routing_id=b"other")
    link(stream, other, "inproc")
    settle(stream)
    routing_id = stream.getsockopt(zmq.ROUTING_ID)
    stream.send_multipart([routing_id, b"to the other"])
    *sender, body = other.recv_multipart()
    assert body == b"to the other"
    other.send_multipart([*sender, b"to the stream"])
    assert stream.recv_multipart() == [routing_id, b"to the stream"]


@pytest.mark.departs
def test_a_multipart_message_comes_chunk_by_chunk(socket: MakeSocket) -> None:
    """From an inproc peer, each frame with the id before it. (libzmq aborts the process.)"""
    stream, dealer = socket(zmq.STREAM), socket(zmq.DEALER)
    link(stream, dealer, "inproc")
    dealer.send_multipart([b"1", b"2", b"", b"3"])
    dealer.send(b"4")
    seen = []
    for _ in range(5):
        assert stream.poll(1000)
        seen.append(stream.recv_multipart())
    routing_id = stream.getsockopt(zmq.ROUTING_ID)
    assert seen == [[routing_id, data] for data in (b"1", b"2", b"", b"3", b"4")]
    assert is_quiet(stream)


# --- peers that speak something --------------------------------------------------------------------------------------


def test_a_stream_speaks_zmtp_by_hand(stream: Sock, socket: MakeSocket) -> None:
    """A DEALER takes it for a peer when it says what a peer says (libzmq's test_stream.cpp)."""
    dealer = socket(zmq.DEALER)
    link(dealer, stream, "tcp")
    routing_id = meet(stream)
    stream.send_multipart([routing_id, greeting()])
    stream.send_multipart([routing_id, ready("DEALER")])
    dealer.send(b"hello")
    data = b""
    while not data.endswith(frame(b"hello")):
        data += stream.recv_multipart()[1]
    assert b"READY" in data[64:]
    stream.send_multipart([routing_id, frame(b"welcome")])
    assert dealer.recv() == b"welcome"


def test_a_zmtp_peer_that_is_met_by_silence(socket: MakeSocket, watch: MakeWatch) -> None:
    """Its handshake times out, not ours (libzmq's test_stream_timeout.cpp)."""
    stream, dealer = socket(zmq.STREAM), socket(zmq.DEALER, handshake_ivl=100, reconnect_ivl=-1)
    events = watch(dealer)
    link(stream, dealer, "tcp")
    routing_id = meet(stream)
    events.wait(zmq.EVENT_DISCONNECTED)
    assert len(stream.recv_multipart()[1]) > 0  # the signature
    assert stream.recv_multipart() == [routing_id, b""]


def serve_http(stream: Sock, requests: int) -> list[bytes]:
    """Answer requests as the guide's STREAM example does; what was asked."""
    asked = []
    pending: dict[bytes, bytes] = {}
    while len(asked) < requests:
        routing_id, data = stream.recv_multipart()
        if not data:
            pending.pop(routing_id, None)
            continue
        pending[routing_id] = pending.get(routing_id, b"") + data
        if not pending[routing_id].endswith(b"\r\n\r\n"):
            continue
        asked.append(pending.pop(routing_id).split()[1])
        body = asked[-1] * 10000
        head = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n" % len(body)
        stream.send_multipart([routing_id, head + body])
        try:
            stream.send_multipart([routing_id, b""], zmq.DONTWAIT)
        except zmq.ZMQError as error:
            # The client has its answer, and may be gone already.
            assert error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH)
    return asked


def test_an_http_server(stream: Sock) -> None:
    """A real HTTP client gets whole answers and the end of the connection."""
    port = int(bind(stream, "tcp").rpartition(":")[2])

    def get(path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            with connection.getresponse() as response:
                return response.status, response.read()
        finally:
            connection.close()

    clients = [Background(lambda path=f"/{number}": get(path)) for number in range(5)]  # type: ignore[misc]
    assert sorted(serve_http(stream, 5)) == [b"/%d" % number for number in range(5)]
    wait_until(lambda: settle(stream) and not any(client.blocks(1) for client in clients), "the clients")
    for number, client in enumerate(clients):
        assert client.result() == (200, b"/%d" % number * 10000)


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.path.encode() * 5000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def http_port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_an_http_client(stream: Sock, http_port: int) -> None:
    """A request of ours to a real HTTP server; it closes (HTTP/1.0), and we are told."""
    stream.setsockopt(zmq.CONNECT_ROUTING_ID, b"server")
    stream.connect(f"tcp://127.0.0.1:{http_port}")
    stream.send_multipart([b"server", b"GET /abc HTTP/1.0\r\n\r\n"])
    assert meet(stream) == b"server"
    answer = b""
    while True:
        routing_id, data = stream.recv_multipart()
        assert routing_id == b"server"
        if not data:
            break
        answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert body == b"/abc" * 5000


# --- ROUTER_RAW ------------------------------------------------------------------------------------------------------


def test_a_raw_router_connects(socket: MakeSocket, raw: RawPeers) -> None:
    """ROUTER_RAW does what STREAM does: notifications, ids, reconnects; but strangers' messages are dropped."""
    router = socket(zmq.ROUTER, router_raw=1, reconnect_ivl=20)
    listener = raw.listen()
    router.connect(listener.endpoint)
    peer = raw.accept(listener)
    routing_id = meet(router)
    assert (len(routing_id), routing_id[:1]) == (5, b"\0")
    assert router.getsockopt(zmq.ROUTING_ID) == b""
    router.send_multipart([b"nobody", b"dropped"])
    router.send_multipart([routing_id, b"1", routing_id, b"2", routing_id])
    peer.expect(b"12")
    peer.close()
    assert meet(router) == routing_id
    raw.accept(listener)
    assert meet(router) == routing_id


def test_a_raw_router_with_mandatory(socket: MakeSocket, raw: RawPeers) -> None:
    """ROUTER_MANDATORY holds there too."""
    router = socket(zmq.ROUTER, router_raw=1, router_mandatory=1)
    with raises_errno(zmq.EHOSTUNREACH):
        router.send_multipart([b"nobody", b"x"])
    peer = raw.connect(bind(router, "tcp"))
    routing_id = meet(router)
    router.send_multipart([routing_id, b"x"])
    peer.expect(b"x")


@pytest.mark.departs
def test_raw_mode_cannot_be_left(socket: MakeSocket, raw: RawPeers) -> None:
    """ROUTER_RAW 0 after 1: connections are still raw, but an empty message no longer closes one, and is nothing.

    libzmq aborts the process (assertion in its encoder).
    """
    router = socket(zmq.ROUTER, router_raw=1)
    router.setsockopt(zmq.ROUTER_RAW, 0)
    peer = raw.connect(bind(router, "tcp"))
    routing_id = meet(router)
    router.send_multipart([routing_id, b""])
    router.send_multipart([routing_id, b"1", routing_id, b"2"])
    peer.expect(b"12")
    peer.expect_silence()


def test_a_raw_router_names_the_peer_of_a_connect(socket: MakeSocket, raw: RawPeers) -> None:
    """CONNECT_ROUTING_ID."""
    router = socket(zmq.ROUTER, router_raw=1, connect_routing_id=b"name")
    listener = raw.listen()
    router.connect(listener.endpoint)
    raw.accept(listener)
    assert meet(router) == b"name"
