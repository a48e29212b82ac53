# SPDX-License-Identifier: MPL-2.0
"""Options whose effect the other side sees, and the monitor's account of it; each role played by each library."""

from __future__ import annotations

import pytest
import zmq as real

from tests.interop.conftest import Endpoint
from tests.interop.sides import (
    Child,
    Frames,
    Side,
    bound_endpoint,
    drain,
    errno_of,
    free_tcp_endpoint,
    rebind,
)
from tests.support.raw_peer import RawListener, RawPeer, greeting_head, signature
from tests.support.waiting import SILENCE, Stopwatch, ms, seconds, wait_until

pytestmark = pytest.mark.interop

# A pause in which a heartbeat or a handshake timer of the lengths below would have fired.
BEAT = 50


# -- names and probes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routing_id", [b"A", b"name", b"\1\0\xff", b"x" * 255], ids=["short", "name", "binary", "255"])
@pytest.mark.parametrize("kind", ["DEALER", "REQ", "ROUTER"])
def test_routing_id_is_what_router_sees(
    two_sides: tuple[Side, Side], endpoint: Endpoint, kind: str, routing_id: bytes
) -> None:
    """ROUTING_ID of the connecting side arrives as the first frame at the ROUTER and routes the answer back."""
    client, server = two_sides
    router = server.socket("ROUTER", ROUTING_ID=b"server")
    peer = client.socket(kind, ROUTING_ID=routing_id, PROBE_ROUTER=1)
    peer.connect(bound_endpoint(router, endpoint("tcp")))
    assert router.recv_multipart() == [routing_id, b""]
    if kind == "REQ":
        peer.send(b"question")
        assert router.recv_multipart() == [routing_id, b"", b"question"]
    router.send_multipart([routing_id, *([b""] if kind == "REQ" else []), b"answer"])
    assert peer.recv_multipart() == [*([b"server"] if kind == "ROUTER" else []), b"answer"]


@pytest.mark.parametrize("prober", ["connecter", "binder"])
def test_probe_router_from_either_end(two_sides: tuple[Side, Side], endpoint: Endpoint, prober: str) -> None:
    """A ROUTER that probes shows itself to the ROUTER at the other end, whichever of them connected."""
    left, right = two_sides
    probing = left.socket("ROUTER", ROUTING_ID=b"prober", PROBE_ROUTER=1)
    probed = right.socket("ROUTER")
    binder, connecter = (probed, probing) if prober == "connecter" else (probing, probed)
    connecter.connect(bound_endpoint(binder, endpoint("ipc")))
    wait_until(lambda: (probing.poll(0), probed.poll(2))[1], "the probe")
    assert probed.recv_multipart() == [b"prober", b""]


def test_connect_routing_id_names_the_next_connection(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """CONNECT_ROUTING_ID overrides the name the peer gives itself, for one connect only."""
    left, right = two_sides
    router = left.socket("ROUTER", CONNECT_ROUTING_ID=b"chosen")
    dealers = [right.socket("DEALER", ROUTING_ID=b"own name") for _ in range(2)]
    for dealer in dealers:
        router.connect(bound_endpoint(dealer, endpoint("tcp")))
    router.send_multipart([b"chosen", b"hello"])
    assert dealers[0].recv() == b"hello"
    for dealer, name in zip(dealers, (b"chosen", b"own name"), strict=True):
        dealer.send(b"who am I?")
        assert router.recv_multipart() == [name, b"who am I?"]


@pytest.mark.parametrize("handover", [0, 1])
def test_two_peers_of_one_name(two_sides: tuple[Side, Side], endpoint: Endpoint, handover: int) -> None:
    """The second peer of a name is ignored; with ROUTER_HANDOVER it takes the name over."""
    left, right = two_sides
    router = left.socket("ROUTER", ROUTER_HANDOVER=handover)
    address = bound_endpoint(router, endpoint("tcp"))
    first, second = (right.socket("DEALER", ROUTING_ID=b"name", RECONNECT_IVL=-1) for _ in range(2))
    first.connect(address)
    first.send(b"first")
    assert router.recv_multipart() == [b"name", b"first"]
    monitor = right.monitor(second)
    second.connect(address)
    second.send(b"second")
    monitor.wait("HANDSHAKE_SUCCEEDED")
    if handover:
        assert router.recv_multipart() == [b"name", b"second"]
    else:
        assert not router.poll(ms(30))
    router.send_multipart([b"name", b"for the owner"])
    owner, other = (second, first) if handover else (first, second)
    assert owner.recv() == b"for the owner"
    assert not other.poll(0)


def test_req_correlate_on_the_wire(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """A correlated request carries a fresh 4-byte id before the delimiter; an answer with another id is passed over."""
    client, server = two_sides
    router = server.socket("ROUTER")
    req = client.socket("REQ", REQ_CORRELATE=1, REQ_RELAXED=1)
    req.connect(bound_endpoint(router, endpoint("tcp")))
    req.send(b"one")
    routing_id, first, empty, body = router.recv_multipart()
    assert (len(first), empty, body) == (4, b"", b"one")
    req.send(b"two")
    # A relaxed REQ that gives up its request closes that connection, so the second one comes from a new peer.
    routing_id, second, empty, body = router.recv_multipart()
    assert (empty, body) == (b"", b"two")
    assert first != second
    router.send_multipart([routing_id, first, b"", b"late answer"])
    router.send_multipart([routing_id, second, b"", b"answer"])
    assert req.recv() == b"answer"


def test_metadata_travels(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """Each message tells the peer's socket type, address, name and its own X- property."""
    left, right = two_sides
    dealer = left.socket("DEALER", ROUTING_ID=b"me", METADATA=b"X-colour:blue")
    router = right.socket("ROUTER")
    dealer.connect(bound_endpoint(router, endpoint("tcp")))
    dealer.send(b"x")
    frame = router.recv_multipart(copy=False)[-1]
    properties = [frame.get(name) for name in ("Socket-Type", "Identity", "Peer-Address", "X-colour")]
    assert properties == ["DEALER", "me", "127.0.0.1", "blue"]


# -- heartbeats and timers --------------------------------------------------------------------------------------------


def test_heartbeats_keep_an_idle_connection(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """Both ends ping, both answer: nothing is lost over many intervals in which the user sends nothing."""
    left, right = two_sides
    options = {"HEARTBEAT_IVL": ms(BEAT // 5), "HEARTBEAT_TIMEOUT": ms(2000), "HEARTBEAT_TTL": ms(2000)}
    one, two = left.socket("PAIR", **options), right.socket("PAIR", **options)
    monitors = [left.monitor(one), right.monitor(two)]
    two.connect(bound_endpoint(one, endpoint("tcp")))
    for monitor in monitors:
        monitor.wait("HANDSHAKE_SUCCEEDED")
        assert not monitor.next(seconds(BEAT * 2 / 1000)), monitor.seen
    one.send(b"still there?")
    assert two.recv() == b"still there?"


def _stopped_peer_scenario(
    watcher: Side, other: Side, endpoint: Endpoint, watcher_options: dict[str, int], child_options: dict[str, int]
) -> None:
    """Stop the peer's process: the connection goes within the timeout; let it go on: it comes back."""
    router = watcher.socket("ROUTER", ROUTER_HANDOVER=1, **watcher_options)
    monitor = watcher.monitor(router)
    address = bound_endpoint(router, endpoint("tcp"))
    options = {"RECONNECT_IVL": 20, "ROUTING_ID": "child", "PROBE_ROUTER": 1, **child_options}
    with Child(other.lib, "DEALER", connect=address, options=options, do="echo") as child:
        child.line()
        assert router.recv_multipart() == [b"child", b""]
        # Longer than the timeout: heartbeats keep the connection of a healthy peer.
        assert not {"DISCONNECTED", "ACCEPT_FAILED"} & set(monitor.poll_all(seconds(0.25)))
        watch = Stopwatch()
        child.stop()
        monitor.wait("DISCONNECTED")
        assert watch.elapsed < seconds(2)
        child.resume()
        # The child finds its connection closed and connects anew.
        monitor.wait("HANDSHAKE_SUCCEEDED", stir=router)
        wait_until(lambda: (router.send_multipart([b"child", b"back?"]), router.poll(20))[1], "the answer")
        assert router.recv_multipart() == [b"child", b"back?"]


def test_a_stopped_peer_is_noticed_by_heartbeat_timeout(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """HEARTBEAT_IVL and HEARTBEAT_TIMEOUT at the watching side: no PONG means the peer is gone."""
    watcher, other = two_sides
    _stopped_peer_scenario(watcher, other, endpoint, {"HEARTBEAT_IVL": ms(BEAT), "HEARTBEAT_TIMEOUT": ms(200)}, {})


def test_a_stopped_peer_is_noticed_by_its_own_ttl(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """HEARTBEAT_TTL in the peer's PINGs makes the other side close when the PINGs stop, with no option of its own."""
    watcher, other = two_sides
    _stopped_peer_scenario(watcher, other, endpoint, {}, {"HEARTBEAT_IVL": ms(BEAT), "HEARTBEAT_TTL": ms(200)})


def test_a_connecter_leaves_a_stopped_binder(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """Heartbeats of the connecting side: it drops the dead connection and tries again until the binder goes on."""
    watcher, other = two_sides
    dealer = watcher.socket("DEALER", HEARTBEAT_IVL=ms(BEAT), HEARTBEAT_TIMEOUT=ms(150), HANDSHAKE_IVL=ms(150))
    monitor = watcher.monitor(dealer)
    with Child(other.lib, "DEALER", bind=endpoint("tcp"), do="echo") as child:
        dealer.connect(child.line())
        monitor.wait("HANDSHAKE_SUCCEEDED")
        child.stop()
        monitor.wait("DISCONNECTED")
        # The kernel still accepts for the stopped process, so the next attempt hangs in the handshake.
        monitor.wait("CONNECTED")
        monitor.wait("HANDSHAKE_FAILED_NO_DETAIL")
        child.resume()
        monitor.wait("HANDSHAKE_SUCCEEDED")
        dealer.send(b"hello")
        assert dealer.recv() == b"hello"


@pytest.mark.parametrize("said", [b"", signature(), greeting_head()], ids=["nothing", "signature", "half-greeting"])
@pytest.mark.parametrize("role", ["binds", "connects"])
def test_handshake_ivl_ends_a_silent_connection(side: Side, role: str, said: bytes) -> None:
    """A peer that does not get on with the greeting is dropped after HANDSHAKE_IVL; a connecter then tries again."""
    sock = side.socket("DEALER", HANDSHAKE_IVL=ms(100))
    monitor = side.monitor(sock)
    listener = RawListener()
    if role == "binds":
        peer = RawPeer.connect(bound_endpoint(sock, "tcp://127.0.0.1:*"))
    else:
        sock.connect(listener.endpoint)
        peer = listener.accept()
    watch = Stopwatch()
    peer.send(said)
    peer.read_to_end()
    assert seconds(0.08) <= watch.elapsed < seconds(1)
    peer.close()
    monitor.wait("HANDSHAKE_FAILED_NO_DETAIL")
    monitor.wait("DISCONNECTED")
    if role == "connects":
        listener.accept().close()
    listener.close()


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limited", ["binder", "connecter"])
def test_maxmsgsize(two_sides: tuple[Side, Side], endpoint: Endpoint, limited: str) -> None:
    """A frame of MAXMSGSIZE bytes passes, a larger one ends the connection; only a sender that connected comes back."""
    left, right = two_sides
    sink = left.socket("PULL", MAXMSGSIZE=1000)
    source = right.socket("PUSH")
    monitor = left.monitor(sink)
    binder, connecter = (sink, source) if limited == "binder" else (source, sink)
    connecter.connect(bound_endpoint(binder, endpoint("tcp")))
    source.send_multipart([bytes(1000), bytes(1000), b"ok"])
    assert sink.recv_multipart() == [bytes(1000), bytes(1000), b"ok"]
    source.send_multipart([b"head", bytes(1001)])
    monitor.wait("DISCONNECTED")
    if limited == "binder":
        monitor.wait("HANDSHAKE_SUCCEEDED")
        source.send(b"after")
        assert sink.recv() == b"after"
    else:
        assert not monitor.next(2 * SILENCE)
    assert not sink.poll(0)


def test_conflate_of_the_receiver(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """CONFLATE on PULL and SUB: of many messages only the newest waits to be read."""
    left, right = two_sides
    source = right.socket("PUSH", LINGER=-1)
    sink = left.socket("PULL", CONFLATE=1)
    monitor = left.monitor(sink)
    sink.connect(bound_endpoint(source, endpoint("tcp")))
    for number in range(100):
        source.send(b"%d" % number)
    source.close()
    # The connection ends after all of it was read; the connecting side keeps its queue.
    monitor.wait("DISCONNECTED")
    assert drain(sink, 20) == [[b"99"]]


def test_conflate_of_the_sender(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """CONFLATE on PUSH: while there is no connection only the newest message is kept."""
    left, right = two_sides
    address = endpoint("ipc")
    source = left.socket("PUSH", CONFLATE=1)
    source.connect(address)
    for number in range(100):
        source.send(b"%d" % number)
    sink = right.socket("PULL")
    sink.bind(address)
    assert sink.recv() == b"99"
    assert not sink.poll(20)


def test_immediate(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """IMMEDIATE=1: nothing can be sent while there is no connection, before the first one and after it is lost."""
    left, right = two_sides
    address = free_tcp_endpoint()
    source = left.socket("PUSH", IMMEDIATE=1)
    source.connect(address)
    assert errno_of(lambda: source.send(b"too early", real.DONTWAIT)) == real.EAGAIN
    for _ in range(2):
        sink = rebind(lambda: right.socket("PULL"), address)
        source.send(b"now")
        assert sink.recv() == b"now"
        sink.close()
        wait_until(lambda: errno_of(lambda: source.send(b"lost", real.DONTWAIT)) == real.EAGAIN, "EAGAIN")


def test_invert_matching(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """With INVERT_MATCHING on both ends a subscription keeps its topic away and lets everything else pass."""
    left, right = two_sides
    publisher = left.socket("XPUB", INVERT_MATCHING=1)
    subscriber = right.socket("SUB", INVERT_MATCHING=1, SUBSCRIBE=b"no")
    subscriber.connect(bound_endpoint(publisher, endpoint("tcp")))
    assert publisher.recv() == b"\1no"
    for topic in (b"no", b"yes", b"nobody", b"n"):
        publisher.send(topic)
    assert [subscriber.recv(), subscriber.recv()] == [b"yes", b"n"]


# -- XPUB -------------------------------------------------------------------------------------------------------------

# Both subscribe to "a", the second does so twice; the first adds "b", cancels "a", the second cancels "a" twice, the
# first goes away. What the publisher reads in turn:
XPUB_VIEWS: dict[str, Frames] = {
    "": [b"\1a", b"\1b", b"\0a", b"\0b"],
    "XPUB_VERBOSE": [b"\1a", b"\1a", b"\1a", b"\1b", b"\0a", b"\0b"],
    "XPUB_VERBOSER": [b"\1a", b"\1a", b"\1a", b"\1b", b"\0a", b"\0a", b"\0b"],
}


@pytest.mark.parametrize("option", XPUB_VIEWS, ids=["plain", "verbose", "verboser"])
def test_what_xpub_reports(two_sides: tuple[Side, Side], endpoint: Endpoint, option: str) -> None:
    """Which subscriptions and cancellations reach the publisher's user, by the option that asks for more of them."""
    left, right = two_sides
    publisher = left.socket("XPUB", **({option: 1} if option else {}))
    address = bound_endpoint(publisher, endpoint("tcp"))
    first, second = right.socket("SUB"), right.socket("SUB")
    seen: Frames = []

    def read_until(last: bytes) -> None:
        while (report := publisher.recv()) != last:
            seen.append(report)

    steps = [
        (first, real.SUBSCRIBE, b"a"),
        (second, real.SUBSCRIBE, b"a"),
        (second, real.SUBSCRIBE, b"a"),
        (first, real.SUBSCRIBE, b"b"),
        (first, real.UNSUBSCRIBE, b"a"),
        (second, real.UNSUBSCRIBE, b"a"),
        (second, real.UNSUBSCRIBE, b"a"),
    ]
    for number, (sub, change, topic) in enumerate(steps):
        sub.setsockopt(change, topic)
        if number < 2:
            sub.connect(address)
        # A topic of its own behind each step, so that the next one, from the other peer, cannot overtake it.
        sub.setsockopt(real.SUBSCRIBE, b"mark%d" % number)
        read_until(b"\1mark%d" % number)
    first.close()
    wait_until(lambda: publisher.poll(5), "the reports of the lost peer")
    read_until(b"\0mark4")
    while b"\0b" not in seen:
        seen.append(publisher.recv())
    assert [report for report in seen if not report[1:].startswith(b"mark")] == XPUB_VIEWS[option]


def test_xpub_manual(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """XPUB_MANUAL: a peer's request is only reported; what it gets is what the publisher subscribes it to."""
    left, right = two_sides
    publisher = left.socket("XPUB", XPUB_MANUAL=1)
    subscriber = right.socket("XSUB")
    subscriber.connect(bound_endpoint(publisher, endpoint("tcp")))
    subscriber.send(b"\1asked")
    assert publisher.recv() == b"\1asked"
    publisher.setsockopt(real.SUBSCRIBE, b"given")
    publisher.send(b"asked")
    publisher.send(b"given")
    assert subscriber.recv() == b"given"
    subscriber.send(b"\0asked")
    assert publisher.recv() == b"\0asked"
    publisher.setsockopt(real.UNSUBSCRIBE, b"given")
    publisher.send(b"given")
    assert not subscriber.poll(20)


def test_xpub_manual_last_value(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """XPUB_MANUAL_LAST_VALUE: the first message after a request was read goes to that peer only."""
    left, right = two_sides
    publisher = left.socket("XPUB", XPUB_MANUAL_LAST_VALUE=1)
    address = bound_endpoint(publisher, endpoint("tcp"))
    subscribers = [right.socket("SUB", SUBSCRIBE=b"t") for _ in range(2)]
    for sub in subscribers:
        sub.connect(address)
        assert publisher.recv() == b"\1t"
        publisher.setsockopt(real.SUBSCRIBE, b"t")
        publisher.send(b"t: last value")
        assert sub.recv() == b"t: last value"
    publisher.send(b"t: to all")
    assert [sub.recv() for sub in subscribers] == [b"t: to all"] * 2


def test_welcome_message(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """XPUB_WELCOME_MSG greets every new subscriber that would accept it."""
    left, right = two_sides
    publisher = left.socket("XPUB", XPUB_VERBOSE=1, XPUB_WELCOME_MSG=b"welcome")
    address = bound_endpoint(publisher, endpoint("tcp"))
    for _ in range(2):
        subscriber = right.socket("SUB", SUBSCRIBE=b"w")
        subscriber.connect(address)
        assert publisher.recv() == b"\1w"
        assert subscriber.recv() == b"welcome"


# -- monitor ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_the_life_of_a_connection_in_events(two_sides: tuple[Side, Side], endpoint: Endpoint, transport: str) -> None:
    """Bind, accept, handshake and loss on one side; connect, handshake, loss and retries on the other."""
    left, right = two_sides
    binder, connecter = left.socket("PULL"), right.socket("PUSH", RECONNECT_IVL=10, RECONNECT_IVL_MAX=25)
    binder_monitor, connecter_monitor = left.monitor(binder), right.monitor(connecter)
    address = bound_endpoint(binder, endpoint(transport))
    connecter.connect(address)
    connecter_monitor.wait("HANDSHAKE_SUCCEEDED")
    binder_monitor.wait("HANDSHAKE_SUCCEEDED")
    binder.close()
    binder_monitor.wait("MONITOR_STOPPED")
    for _ in range(4):
        connecter_monitor.wait("CONNECT_RETRIED")
    connecter.close()
    connecter_monitor.wait("MONITOR_STOPPED")

    expected = ["LISTENING", "ACCEPTED", "HANDSHAKE_SUCCEEDED", "CLOSED", "MONITOR_STOPPED"]
    assert binder_monitor.names == expected
    delayed = ["CONNECT_DELAYED"] if transport == "tcp" else []
    attempt = [*delayed, "CLOSED", "CONNECT_RETRIED"]
    expected = [*delayed, "CONNECTED", "HANDSHAKE_SUCCEEDED", "DISCONNECTED", "CONNECT_RETRIED", *attempt * 3]
    seen, rest = connecter_monitor.names[: len(expected)], connecter_monitor.names[len(expected) :]
    assert seen == expected
    # More attempts may have come, and one may have been under way, when the socket was closed.
    while rest[: len(attempt)] == attempt:
        rest = rest[len(attempt) :]
    assert rest in (["MONITOR_STOPPED"], [*delayed, "CLOSED", "MONITOR_STOPPED"])

    values = [value for name, value, _ in connecter_monitor.seen if name == "CONNECT_RETRIED"]
    assert values[:4] == [10, 20, 25, 25]
    for monitor in (binder_monitor, connecter_monitor):
        for name, value, where in monitor.seen:
            assert where == ("" if name == "MONITOR_STOPPED" else address), name
            if name in ("LISTENING", "ACCEPTED", "CONNECTED", "DISCONNECTED", "CLOSED"):
                assert value > 2, name
            if name in ("HANDSHAKE_SUCCEEDED", "MONITOR_STOPPED"):
                assert value == 0


def test_the_peer_goes_in_events(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """A binder sees its peer go; who disconnects by itself sees no DISCONNECTED; unbind shows CLOSED."""
    left, right = two_sides
    binder, connecter = left.socket("PULL"), right.socket("PUSH")
    binder_monitor, connecter_monitor = left.monitor(binder), right.monitor(connecter)
    address = bound_endpoint(binder, endpoint("tcp"))
    connecter.connect(address)
    connecter_monitor.wait("HANDSHAKE_SUCCEEDED")
    connecter.disconnect(address)
    binder_monitor.wait("DISCONNECTED", stir=connecter)
    binder.unbind(address)
    binder_monitor.wait("CLOSED")
    for side_socket, monitor in ((binder, binder_monitor), (connecter, connecter_monitor)):
        side_socket.disable_monitor()
        monitor.wait("MONITOR_STOPPED")
    life = ["LISTENING", "ACCEPTED", "HANDSHAKE_SUCCEEDED", "DISCONNECTED", "CLOSED", "MONITOR_STOPPED"]
    assert binder_monitor.names == life
    assert connecter_monitor.names == ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED", "MONITOR_STOPPED"]


def test_a_failed_bind_in_events(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """The address is taken: EADDRINUSE from bind, and the events of a listener that never was."""
    left, right = two_sides
    address = bound_endpoint(right.socket("PULL"), endpoint("tcp"))
    sock = left.socket("PULL")
    monitor = left.monitor(sock)
    assert errno_of(lambda: sock.bind(address)) == real.EADDRINUSE
    assert monitor.wait("BIND_FAILED")[1:] == (real.EADDRINUSE, address.removeprefix("tcp://"))
    assert monitor.names == ["CLOSED", "BIND_FAILED"]


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("said", [b"", signature(), b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "signature", "http"])
def test_an_aborted_handshake_in_events(side: Side, said: bytes, ending: str) -> None:
    """A peer that goes in the middle of the handshake shows as failed without detail, then disconnected."""
    sock = side.socket("ROUTER")
    monitor = side.monitor(sock)
    peer = RawPeer.connect(bound_endpoint(sock, "tcp://127.0.0.1:*"))
    monitor.wait("ACCEPTED")
    peer.send(said)
    peer.read(10)
    peer.close() if ending == "close" else peer.reset()
    monitor.wait("DISCONNECTED")
    assert monitor.names == ["LISTENING", "ACCEPTED", "HANDSHAKE_FAILED_NO_DETAIL", "DISCONNECTED"]
