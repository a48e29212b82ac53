# SPDX-License-Identifier: MPL-2.0
"""Either library comes back after the other restarts, closes or is killed, and says again what it has to say."""

from __future__ import annotations

from typing import Any

import pytest
import zmq as real

from tests.interop.conftest import Endpoint
from tests.interop.sides import Child, Side, bound_endpoint, errno_of, free_tcp_endpoint, rebind
from tests.support.waiting import SILENCE, wait_until

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_traffic_resumes_after_the_binder_restarts(
    two_sides: tuple[Side, Side], endpoint: Endpoint, transport: str
) -> None:
    """Messages sent while nobody listens wait in the queue and arrive first, time after time."""
    connecter, binder = two_sides
    pull = binder.socket("PULL")
    address = bound_endpoint(pull, endpoint(transport))
    push = connecter.socket("PUSH")
    monitor = connecter.monitor(push)
    push.connect(address)
    for number in range(3):
        push.send(b"up %d" % number)
        assert pull.recv() == b"up %d" % number
        pull.close()
        monitor.wait("DISCONNECTED")
        push.send_multipart([b"down", b"%d" % number])
        pull = rebind(lambda: binder.socket("PULL"), address)
        assert pull.recv_multipart() == [b"down", b"%d" % number]


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_connect_before_bind(two_sides: tuple[Side, Side], endpoint: Endpoint, transport: str) -> None:
    """A REQ that connected too early is served once somebody binds."""
    connecter, binder = two_sides
    address = free_tcp_endpoint() if transport == "tcp" else endpoint(transport)
    req = connecter.socket("REQ")
    monitor = connecter.monitor(req)
    req.connect(address)
    req.send(b"anybody?")
    monitor.wait("CONNECT_RETRIED")
    rep = binder.socket("REP")
    rep.bind(address)
    assert rep.recv() == b"anybody?"
    rep.send(b"yes")
    assert req.recv() == b"yes"


def _subscriptions_until(publisher: Any, subscriber: Any, last: bytes) -> set[bytes]:
    """Apply what an XPUB reads until `last` is subscribed; the topics then in force.

    The subscriber is polled meanwhile: it renews its subscriptions only in its own thread.
    """
    topics: set[bytes] = set()
    while last not in topics:
        wait_until(lambda: (subscriber.poll(0), publisher.poll(2))[1], f"subscription {last!r}")
        change = publisher.recv()
        (topics.add if change[0] else topics.discard)(change[1:])
    return topics


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("kind", ["SUB", "XSUB"])
def test_subscriptions_are_sent_again(
    two_sides: tuple[Side, Side], endpoint: Endpoint, kind: str, transport: str
) -> None:
    """A restarted publisher learns every subscription anew, with what changed while it was away."""
    connecter, binder = two_sides
    publisher = binder.socket("XPUB")
    address = bound_endpoint(publisher, endpoint(transport))
    subscriber = connecter.socket(kind)

    def subscribe(topic: bytes) -> None:
        subscriber.send(b"\1" + topic) if kind == "XSUB" else subscriber.setsockopt(real.SUBSCRIBE, topic)

    def unsubscribe(topic: bytes) -> None:
        subscriber.send(b"\0" + topic) if kind == "XSUB" else subscriber.setsockopt(real.UNSUBSCRIBE, topic)

    for topic in (b"twice", b"keep", b"old", b"twice"):
        subscribe(topic)
    monitor = connecter.monitor(subscriber)
    subscriber.connect(address)
    subscribe(b"last")
    assert _subscriptions_until(publisher, subscriber, b"last") == {b"twice", b"keep", b"old", b"last"}

    publisher.close()
    monitor.wait("DISCONNECTED")
    unsubscribe(b"old")
    unsubscribe(b"twice")
    subscribe(b"new")
    subscribe(b"very last")
    publisher = rebind(lambda: binder.socket("XPUB"), address)
    in_force = _subscriptions_until(publisher, subscriber, b"very last")
    assert in_force == {b"twice", b"keep", b"last", b"new", b"very last"}
    for topic in (b"old", b"new", b"twice", b"keep"):
        publisher.send(topic)
    assert [subscriber.recv() for _ in range(3)] == [b"new", b"twice", b"keep"]


def _await_forgotten(router: Any, name: bytes, witness: Any) -> None:
    """Wait until ROUTER has let go of a lost peer's name, so that a newcomer with the same name is not refused.

    EHOSTUNREACH comes earlier: the pipe lives on until the ROUTER has read up to its end (poll does) and both ends have
    acknowledged. Each round trip to a `witness` on the same I/O thread lets one more such command overtake nothing.
    """
    wait_until(lambda: errno_of(lambda: router.send_multipart([name, b"?"])) == real.EHOSTUNREACH, "the loss")
    for _ in range(3):
        router.poll(0)
        router.send_multipart([b"witness", b"ping"])
        witness.send(witness.recv())
        assert router.recv_multipart() == [b"witness", b"ping"]


def _witness(side: Side, router: Any, address: str) -> Any:
    """A DEALER known to `router` as "witness"."""
    witness = side.socket("DEALER", ROUTING_ID=b"witness")
    witness.connect(address)
    witness.send(b"here")
    assert router.recv_multipart() == [b"witness", b"here"]
    return witness


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_named_peer_may_come_back(two_sides: tuple[Side, Side], endpoint: Endpoint, transport: str) -> None:
    """ROUTER frees a name when its owner goes, and the next owner of the name gets the messages for it."""
    connecter, binder = two_sides
    router = binder.socket("ROUTER", ROUTER_MANDATORY=1)
    address = bound_endpoint(router, endpoint(transport))
    witness = _witness(connecter, router, address)
    for number in range(3):
        dealer = connecter.socket("DEALER", ROUTING_ID=b"name")
        dealer.connect(address)
        dealer.send(b"%d" % number)
        assert router.recv_multipart() == [b"name", b"%d" % number]
        router.send_multipart([b"name", b"re %d" % number])
        assert dealer.recv() == b"re %d" % number
        dealer.close()
        _await_forgotten(router, b"name", witness)


def test_a_relaxed_request_survives_the_death_of_its_server(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """With REQ_RELAXED and REQ_CORRELATE the request can be put again to the server's successor."""
    client, server = two_sides
    rep = server.socket("REP")
    address = bound_endpoint(rep, endpoint("tcp"))
    req = client.socket("REQ", REQ_RELAXED=1, REQ_CORRELATE=1)
    monitor = client.monitor(req)
    req.connect(address)
    req.send(b"first try")
    assert rep.recv() == b"first try"
    rep.close()
    monitor.wait("DISCONNECTED")
    rep = rebind(lambda: server.socket("REP"), address)
    req.send(b"second try")
    assert rep.recv() == b"second try"
    rep.send(b"answer")
    assert req.recv() == b"answer"


def test_no_reconnect_when_told_so(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """RECONNECT_IVL -1: a lost connection is not replaced."""
    connecter, binder = two_sides
    pull = binder.socket("PULL")
    address = bound_endpoint(pull, endpoint("tcp"))
    push = connecter.socket("PUSH", RECONNECT_IVL=-1)
    monitor = connecter.monitor(push)
    push.connect(address)
    monitor.wait("HANDSHAKE_SUCCEEDED")
    pull.close()
    monitor.wait("DISCONNECTED")
    pull = rebind(lambda: binder.socket("PULL"), address)
    assert not monitor.next(2 * SILENCE)
    assert not pull.poll(0)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_the_binder_process_is_killed(two_sides: tuple[Side, Side], endpoint: Endpoint, transport: str) -> None:
    """A connecter notices that the process at the other end died, and finds its successor at the same address."""
    connecter, binder = two_sides
    dealer = connecter.socket("DEALER")
    monitor = connecter.monitor(dealer)
    with Child(binder.lib, "DEALER", bind=endpoint(transport), do="echo") as child:
        address = child.line()
        dealer.connect(address)
        dealer.send(b"before")
        assert dealer.recv() == b"before"
        child.kill()
        monitor.wait("DISCONNECTED")
    dealer.send(b"into the dark")
    with Child(binder.lib, "DEALER", bind=address, do="echo"):
        assert dealer.recv() == b"into the dark"
        dealer.send(b"after")
        assert dealer.recv() == b"after"


def test_the_connecter_process_is_killed(two_sides: tuple[Side, Side], endpoint: Endpoint) -> None:
    """A binder notices: XPUB reports the subscriptions as gone, ROUTER frees the name; a successor is served."""
    binder, connecter = two_sides
    publisher = binder.socket("XPUB")
    monitor = binder.monitor(publisher)
    router = binder.socket("ROUTER", ROUTER_MANDATORY=1)
    publisher_address = bound_endpoint(publisher, endpoint("ipc"))
    router_address = bound_endpoint(router, endpoint("tcp"))
    witness = _witness(connecter, router, router_address)
    for _ in range(2):
        sub = Child(connecter.lib, "SUB", connect=publisher_address, options={"SUBSCRIBE": "news"}, do="print")
        dealer = Child(connecter.lib, "DEALER", connect=router_address, options={"ROUTING_ID": "name"}, do="echo")
        with sub, dealer:
            assert publisher.recv() == b"\1news"
            publisher.send(b"news!")
            assert (sub.line(), sub.line()) == (publisher_address, b"news!".hex())
            wait_until(lambda: not errno_of(lambda: router.send_multipart([b"name", b"hello"])), "the DEALER")
            assert router.recv_multipart() == [b"name", b"hello"]
            sub.kill()
            dealer.kill()
            assert publisher.recv() == b"\0news"
            monitor.wait("DISCONNECTED")
            _await_forgotten(router, b"name", witness)
