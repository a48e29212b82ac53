# SPDX-License-Identifier: MPL-2.0
"""Real sockets of each pattern, told at random to bind, connect, send, receive and go, beside a model of all of them.

No libzmq twin. The model keeps who is linked with whom and what is under way: what *must* arrive (its sender and all
who could get it have stayed), and what only *may* (somebody has gone in between). Whatever arrives was sent, by
somebody who was linked, arrives once, and in order between two sockets that were linked once. A send is refused exactly
if there is nobody to send to, or if it is not its turn. At the end all that must arrive has arrived.

Over inproc all of this happens in one thread and is known at once; over tcp messages need time, and a socket that binds
does not know when its peer is there, so a send may be refused there.
"""

from __future__ import annotations

import errno
import itertools
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.sockets.helpers import settle
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, seconds, wait_until

PICK = st.integers(0, 11)
_NAMES = itertools.count()
_MOST_SOCKETS = 6


@dataclass(eq=False)
class Peer:
    """A socket, and what the model knows of it."""

    sock: Any
    kind: int
    name: bytes
    # Its endpoints, and those it connects to.
    bound: list[Endpoint] = field(default_factory=list)
    connected: list[Endpoint] = field(default_factory=list)
    # Some peer has closed: whether the link is gone already is not known.
    uncertain: bool = False
    # REQ: the request that is to be answered; REP: that it answers.
    turn: Sent | None = None
    topics: list[bytes] = field(default_factory=list)


@dataclass(eq=False)
class Endpoint:
    """A name; whoever has connected before it is bound is linked then."""

    text: str
    owner: Peer | None = None
    # Who had it first: it stays linked when it unbinds.
    maker: Peer | None = None
    was_bound: bool = False


@dataclass(eq=False)
class Sent:
    """A message that a socket took."""

    sender: Peer
    number: int
    # Who must get it: all of them, or one of them.
    receivers: list[Peer]
    must: bool
    # Connects that wait for their bind: it may lie in one of those.
    waiting: list[Endpoint]
    topic: bytes = b""
    got: list[Peer] = field(default_factory=list)


class Model(RuleBasedStateMachine):
    """What all patterns share: sockets, endpoints, links; messages that come once and in order."""

    transport: ClassVar[str]
    kinds: ClassVar[tuple[int, int]]
    # Every receiver gets it, not one of them.
    to_all: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.ctx = zmq.Context()
        self.peers: list[Peer] = []
        self.endpoints: list[Endpoint] = []
        self.links: set[frozenset[Peer]] = set()
        # How often two have been linked: between two links the order is not kept.
        self.ever: dict[frozenset[Peer], int] = {}
        self.sent: dict[int, Sent] = {}
        self.last: dict[tuple[Peer, Peer], int] = {}
        self.numbers = itertools.count()
        for kind in self.kinds:
            self.open(kind)
        self.bind(0)
        self.connect(1, 1)

    # -- sockets and links --------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.peers) < _MOST_SOCKETS)
    @rule(which=st.integers(0, 1))
    def open_socket(self, which: int) -> None:
        """A socket more."""
        self.open(self.kinds[which])

    def open(self, kind: int) -> Peer:
        sock = self.ctx.socket(kind)
        sock.linger = 0
        peer = Peer(sock, kind, b"peer-%d" % next(_NAMES))
        self.prepare(peer)
        self.peers.append(peer)
        return peer

    def prepare(self, peer: Peer) -> None:
        """Options of a new socket."""

    @precondition(lambda self: self.peers)
    @rule(which=PICK)
    def bind(self, which: int) -> None:
        """To a name somebody waits for, if there is one, else to a new one."""
        peer = self.peers[which % len(self.peers)]
        free = [endpoint for endpoint in self.endpoints if endpoint.owner is None and not endpoint.was_bound]
        waited = [endpoint for endpoint in free if any(endpoint in other.connected for other in self.peers)]
        if waited and self.may_bind(peer, waited[0]):
            endpoint = waited[0]
        elif len(self.endpoints) < 8:
            endpoint = Endpoint("tcp://127.0.0.1:*" if self.transport == "tcp" else f"inproc://model-{next(_NAMES)}")
            self.endpoints.append(endpoint)
        else:
            return
        peer.sock.bind(endpoint.text)
        endpoint.text = peer.sock.last_endpoint.decode()
        endpoint.owner = endpoint.maker = peer
        endpoint.was_bound = True
        peer.bound.append(endpoint)
        for other in self.peers:
            if endpoint in other.connected:
                self.link(peer, other)
        self.settle()

    def may_bind(self, peer: Peer, endpoint: Endpoint) -> bool:
        """Only if all who wait there are of the other kind, and not linked with it in another way."""
        waiting = [other for other in self.peers if endpoint in other.connected]
        return all(self.may_link(peer, other) for other in waiting)

    def may_link(self, one: Peer, other: Peer) -> bool:
        pair = frozenset((one, other))
        return len(pair) == 2 and pair not in self.links and {one.kind, other.kind} == set(self.kinds)

    @precondition(lambda self: self.peers)
    @rule(which=PICK, where=PICK)
    def connect(self, which: int, where: int) -> None:
        """To a bound endpoint, or (inproc) to a name that may be bound later."""
        peer = self.peers[which % len(self.peers)]
        choices = [e for e in self.endpoints if e.owner is not None and self.may_link(peer, e.owner)]
        if self.transport == "inproc" and len(self.endpoints) < 8 and not peer.connected and where % 3 == 0:
            choices = [Endpoint(f"inproc://model-{next(_NAMES)}")]
            self.endpoints += choices
        if not choices:
            return
        endpoint = choices[where % len(choices)]
        peer.sock.connect(endpoint.text)
        peer.connected.append(endpoint)
        if endpoint.owner is not None:
            self.link(endpoint.owner, peer)
        self.settle()

    @precondition(lambda self: any(peer.connected for peer in self.peers))
    @rule(which=PICK)
    def disconnect(self, which: int) -> None:
        """What is under way between the two may be lost."""
        peer = [one for one in self.peers if one.connected][which % sum(bool(one.connected) for one in self.peers)]
        endpoint = peer.connected.pop(which % len(peer.connected))
        try:
            peer.sock.disconnect(endpoint.text)
        except zmq.ZMQError as error:
            # Over inproc a connection that has ended is none, and nobody connects again.
            assert error.errno == errno.ENOENT
            assert self.transport == "inproc" and endpoint.was_bound
            assert endpoint.owner is None, "the peer is there"
            return
        self.weaken(peer, endpoint.maker, endpoint)
        if endpoint.maker is not None:
            self.unlink(peer, endpoint.maker)
        else:
            peer.uncertain = True  # its pipe ends when somebody binds the name, as in libzmq
        self.settle()

    @precondition(lambda self: any(peer.bound for peer in self.peers))
    @rule(which=PICK)
    def unbind(self, which: int) -> None:
        """Nobody new comes. Over inproc links stay; others are the listener's, and go with it (see zmq_unbind)."""
        peer = [one for one in self.peers if one.bound][which % sum(bool(one.bound) for one in self.peers)]
        endpoint = peer.bound.pop(which % len(peer.bound))
        peer.sock.unbind(endpoint.text)
        endpoint.owner = None
        for other in self.peers:
            if self.transport != "inproc" and endpoint in other.connected:
                self.weaken(peer, other, endpoint)
                self.unlink(peer, other)
        self.settle()

    @precondition(lambda self: len(self.peers) > 2)
    @rule(which=PICK)
    def close(self, which: int) -> None:
        """What it holds is gone, and what is on its way to or from it may be."""
        peer = self.peers.pop(which % len(self.peers))
        self.weaken(peer, None, None)
        for endpoint in peer.bound:
            endpoint.owner = None
        for pair in [pair for pair in self.links if peer in pair]:
            self.links.discard(pair)
            (other,) = pair - {peer}
            other.uncertain = True
        peer.sock.close(linger=0)
        self.settle()

    def link(self, one: Peer, other: Peer) -> None:
        pair = frozenset((one, other))
        self.links.add(pair)
        self.ever[pair] = self.ever.get(pair, 0) + 1

    def unlink(self, one: Peer, other: Peer) -> None:
        """Over inproc it is known at once; else messages may still be taken for a while."""
        self.links.discard(frozenset((one, other)))
        if self.transport != "inproc":
            one.uncertain = other.uncertain = True

    def linked(self, peer: Peer) -> list[Peer]:
        """Those it is linked with, in the order in which they were made."""
        return [other for other in self.peers if frozenset((peer, other)) in self.links]

    def waiting(self, peer: Peer) -> list[Endpoint]:
        """Where it has connected and nobody was ever bound."""
        return [endpoint for endpoint in peer.connected if not endpoint.was_bound]

    def weaken(self, peer: Peer, other: Peer | None, endpoint: Endpoint | None) -> None:
        """What is under way between two (or of one and everybody) must not arrive any more."""
        for sent in self.sent.values():
            ours = sent.sender is peer or peer in sent.receivers
            if ours and (other is None or other in (sent.sender, *sent.receivers) or endpoint in sent.waiting):
                sent.must = False

    def settle(self) -> None:
        """Let every socket hear what the others have told it, and they the answer."""
        for _ in range(3):
            for peer in self.peers:
                settle(peer.sock)

    # -- messages -----------------------------------------------------------------------------------------------------

    def post(self, peer: Peer, receivers: list[Peer], frames: list[bytes], topic: bytes = b"") -> Sent | None:
        """Send; None if the socket refuses, which it does only if there is nobody."""
        waiting = self.waiting(peer)
        number = next(self.numbers)
        try:
            peer.sock.send_multipart([*frames, topic + b"|%d" % number], zmq.DONTWAIT)
        except zmq.Again:
            possible = not receivers and not waiting
            assert possible or peer.uncertain or self.transport == "tcp", f"{peer} refuses to send to {receivers}"
            return None
        assert receivers or waiting or peer.uncertain or self.to_all or self.transport == "tcp", "sent to nobody"
        must = bool(receivers or waiting) and not peer.uncertain
        self.sent[number] = sent = Sent(peer, number, list(receivers), must, waiting, topic)
        return sent

    def take(self, peer: Peer, flags: int | None = None) -> tuple[Sent, list[bytes]] | None:
        """Receive; None if there is nothing."""
        try:
            frames = peer.sock.recv_multipart(zmq.DONTWAIT if flags is None else flags)
        except zmq.Again:
            return None
        number = int(frames[-1].rpartition(b"|")[2])
        assert number in self.sent, f"{frames} was never sent"
        sent = self.sent[number]
        pair = frozenset((peer, sent.sender))
        assert pair in self.ever, f"{frames} comes from a stranger"
        assert peer not in sent.got, f"{frames} comes twice"
        assert self.to_all or not sent.got, f"{frames} comes to two"
        sent.got.append(peer)
        if self.ever[pair] == 1:
            assert self.last.get((sent.sender, peer), -1) < number, f"{frames} comes out of order"
            self.last[sent.sender, peer] = number
        return sent, frames

    def missing(self) -> list[Sent]:
        """What must still arrive."""
        found = []
        for sent in self.sent.values():
            wanted = sent.receivers if self.to_all else sent.receivers[:1] or [sent.sender]
            if sent.must and all(e.was_bound for e in sent.waiting):
                if (not self.to_all and not sent.got) or (self.to_all and any(one not in sent.got for one in wanted)):
                    found.append(sent)
        return found

    def drain(self) -> bool:
        """Receive whatever there is; True if nothing is missing any more."""
        for peer in self.peers:
            while self.receive_at(peer):
                pass
        return not self.missing()

    def receive_at(self, peer: Peer) -> bool:
        """Receive one message there, if it can have one; True if it came."""
        return peer.kind != self.kinds[0] and self.take(peer) is not None

    def teardown(self) -> None:
        """All that must arrive does. Then everything goes, and nothing hangs."""
        try:
            # Over inproc it is there already.
            wait_until(self.drain, "what must arrive", PATIENCE if self.transport == "tcp" else seconds(0.5))
        finally:
            self.ctx.destroy(linger=0)


class PushPull(Model):
    """Each message to one of those who pull; to nobody is refused."""

    kinds = (zmq.PUSH, zmq.PULL)

    @rule(which=PICK, times=st.integers(1, 5))
    def send(self, which: int, times: int) -> None:
        pushing = [peer for peer in self.peers if peer.kind == zmq.PUSH]
        if pushing:
            peer = pushing[which % len(pushing)]
            for _ in range(times):
                self.post(peer, self.linked(peer), [b""] * (times % 3))

    @rule(which=PICK)
    def receive(self, which: int) -> None:
        pulling = [peer for peer in self.peers if peer.kind == zmq.PULL]
        if pulling:
            self.take(pulling[which % len(pulling)])


class PubSub(Model):
    """Each message to every subscriber of its topic, whoever else there is; nothing to others."""

    kinds = (zmq.PUB, zmq.SUB)
    to_all = True
    TOPICS: ClassVar = (b"", b"a", b"ab", b"b", b"abc")

    def waiting(self, peer: Peer) -> list[Endpoint]:
        """A connect that waits has no subscriber."""
        return []

    @rule(which=PICK, topic=st.sampled_from(TOPICS))
    def subscribe(self, which: int, topic: bytes) -> None:
        subs = [peer for peer in self.peers if peer.kind == zmq.SUB]
        if subs:
            peer = subs[which % len(subs)]
            peer.sock.subscribe(topic)
            peer.topics.append(topic)
            self.settle()

    @rule(which=PICK)
    def unsubscribe(self, which: int) -> None:
        subs = [peer for peer in self.peers if peer.kind == zmq.SUB and peer.topics]
        if subs:
            peer = subs[which % len(subs)]
            topic = peer.topics.pop(which % len(peer.topics))
            peer.sock.unsubscribe(topic)
            for sent in self.sent.values():
                if peer in sent.receivers and not self.wants(peer, sent.topic):
                    sent.receivers.remove(peer)  # it may be filtered now, or was looked at before
            self.settle()

    @staticmethod
    def wants(peer: Peer, topic: bytes) -> bool:
        return any((topic + b"|").startswith(prefix) for prefix in peer.topics)

    @rule(which=PICK, topic=st.sampled_from(TOPICS))
    def send(self, which: int, topic: bytes) -> None:
        pubs = [peer for peer in self.peers if peer.kind == zmq.PUB]
        if pubs:
            peer = pubs[which % len(pubs)]
            wanting = [other for other in self.linked(peer) if self.wants(other, topic)]
            # A lost subscriber is nobody's loss: PUB knows no "nobody", so what it sends to others must arrive.
            peer.uncertain = False
            self.post(peer, wanting, [], topic)

    def take(self, peer: Peer, flags: int | None = None) -> tuple[Sent, list[bytes]] | None:
        taken = super().take(peer, flags)
        if taken is not None:
            sent = taken[0]
            linked_then = sent.sender in self.peers or not sent.must
            assert linked_then or peer in sent.receivers, f"{taken} was not subscribed to"
        return taken

    @rule(which=PICK)
    def receive(self, which: int) -> None:
        subs = [peer for peer in self.peers if peer.kind == zmq.SUB]
        if subs:
            self.take(subs[which % len(subs)])


class ReqRep(Model):
    """One request at a time, answered to whom has asked; out of turn is EFSM."""

    kinds = (zmq.REQ, zmq.REP)

    @rule(which=PICK)
    def ask(self, which: int) -> None:
        asking = [peer for peer in self.peers if peer.kind == zmq.REQ]
        if not asking:
            return
        peer = asking[which % len(asking)]
        if peer.turn is not None:
            with pytest.raises(zmq.ZMQError) as caught:
                peer.sock.send(b"again", zmq.DONTWAIT)
            assert caught.value.errno == zmq.EFSM
        else:
            peer.turn = self.post(peer, self.linked(peer), [b"question"])

    @rule(which=PICK)
    def hear(self, which: int) -> None:
        answering = [peer for peer in self.peers if peer.kind == zmq.REP]
        if answering:
            self.receive_at(answering[which % len(answering)])

    @rule(which=PICK)
    def answer(self, which: int) -> None:
        answering = [peer for peer in self.peers if peer.kind == zmq.REP]
        if answering:
            self.reply(answering[which % len(answering)])

    @rule(which=PICK)
    def get_answer(self, which: int) -> None:
        asking = [peer for peer in self.peers if peer.kind == zmq.REQ]
        if asking:
            self.receive_at(asking[which % len(asking)])

    def reply(self, peer: Peer) -> None:
        if peer.turn is None:
            with pytest.raises(zmq.ZMQError) as caught:
                peer.sock.send(b"nothing was asked", zmq.DONTWAIT)
            assert caught.value.errno == zmq.EFSM
            return
        question, peer.turn = peer.turn, None
        asker = question.sender
        number = next(self.numbers)
        peer.sock.send_multipart([b"answer %d" % question.number, b"|%d" % number], zmq.DONTWAIT)
        linked = asker in self.linked(peer) and self.ever[frozenset((peer, asker))] == 1
        still = linked and question.must and not peer.uncertain and asker.turn is question
        self.sent[number] = Sent(peer, number, [asker], still, [])

    def receive_at(self, peer: Peer) -> bool:
        expects = peer.turn is not None if peer.kind == zmq.REQ else peer.turn is None
        if not expects:
            with pytest.raises(zmq.ZMQError) as caught:
                peer.sock.recv(zmq.DONTWAIT)
            assert caught.value.errno == zmq.EFSM
            return False
        taken = self.take(peer)
        if taken is None:
            return False
        sent, frames = taken
        if peer.kind == zmq.REP:
            assert frames[0] == b"question"
            peer.turn = sent
        else:
            assert peer.turn is not None and frames[0] == b"answer %d" % peer.turn.number
            peer.turn = None
        return True

    def drain(self) -> bool:
        """Answer, too, so that those who wait for their turn come on."""
        for peer in self.peers:
            while self.receive_at(peer):
                if peer.kind == zmq.REP:
                    self.reply(peer)
            if peer.kind == zmq.REP and peer.turn is not None:
                self.reply(peer)
        return not self.missing()


class DealerRouter(Model):
    """To one of the routers; from a router to whom it names, and to nobody else."""

    kinds = (zmq.DEALER, zmq.ROUTER)

    def may_link(self, one: Peer, other: Peer) -> bool:
        """Not for a second time: a router may still read from the first link, which has the name."""
        return super().may_link(one, other) and frozenset((one, other)) not in self.ever

    def prepare(self, peer: Peer) -> None:
        peer.sock.routing_id = peer.name
        if peer.kind == zmq.ROUTER:
            peer.sock.router_mandatory = 1

    @rule(which=PICK, times=st.integers(1, 4))
    def deal(self, which: int, times: int) -> None:
        dealers = [peer for peer in self.peers if peer.kind == zmq.DEALER]
        if dealers:
            peer = dealers[which % len(dealers)]
            for _ in range(times):
                self.post(peer, self.linked(peer), [b""] * (times % 3))

    @rule(which=PICK, to=PICK)
    def route(self, which: int, to: int) -> None:
        routers = [peer for peer in self.peers if peer.kind == zmq.ROUTER]
        dealers = [peer for peer in self.peers if peer.kind == zmq.DEALER]
        if not routers or not dealers:
            return
        router, dealer = routers[which % len(routers)], dealers[to % len(dealers)]
        linked = dealer in self.linked(router)
        number = next(self.numbers)
        try:
            router.sock.send_multipart([dealer.name, b"|%d" % number], zmq.DONTWAIT)
        except zmq.ZMQError as error:
            assert error.errno == zmq.EHOSTUNREACH
            assert not linked or router.uncertain or self.transport == "tcp", "a peer that is there"
            return
        assert linked or router.uncertain or frozenset((router, dealer)) in self.ever, "a peer that is not there"
        self.sent[number] = Sent(router, number, [dealer], linked and not router.uncertain, [])

    @rule(which=PICK)
    def receive(self, which: int) -> None:
        self.receive_at(self.peers[which % len(self.peers)])

    def receive_at(self, peer: Peer) -> bool:
        taken = self.take(peer)
        if taken is not None and peer.kind == zmq.ROUTER:
            assert taken[1][0] == taken[0].sender.name, "another's name"
        return taken is not None


class Pair(Model):
    """Two and no third; both may talk."""

    kinds = (zmq.PAIR, zmq.PAIR)

    def may_link(self, one: Peer, other: Peer) -> bool:
        return one is not other and self.is_alone(one) and self.is_alone(other)

    def may_bind(self, peer: Peer, endpoint: Endpoint) -> bool:
        (waiting,) = [other for other in self.peers if endpoint in other.connected]
        return waiting is not peer and self.is_alone(peer) and not waiting.uncertain

    def is_alone(self, peer: Peer) -> bool:
        """It has no pipe, not even one that waits for its other end."""
        return not (self.linked(peer) or self.waiting(peer) or peer.uncertain)

    def unlink(self, one: Peer, other: Peer) -> None:
        """Each keeps its pipe until it has read what is in it, and takes nobody else before."""
        super().unlink(one, other)
        one.uncertain = other.uncertain = True

    @precondition(lambda self: self.peers)
    @rule(which=PICK, where=PICK)
    def connect(self, which: int, where: int) -> None:
        """One that has a peer, or waits for one, takes no other: leave it alone."""
        peer = self.peers[which % len(self.peers)]
        if not self.linked(peer) and not peer.connected and not peer.uncertain:
            super().connect(which, where)

    @rule(which=PICK)
    def intrude(self, which: int) -> None:
        """A third connects to one of two: it has nobody to talk to, and they do not notice."""
        taken = [peer for peer in self.peers if peer.bound and self.linked(peer)]
        if not taken:
            return
        with self.ctx.socket(zmq.PAIR) as third:
            third.linger = 0
            third.connect(taken[which % len(taken)].bound[0].text)
            self.settle()
            settle(third)
            if self.transport == "inproc":
                with pytest.raises(zmq.Again):
                    third.send(b"intruder", zmq.DONTWAIT)

    @rule(which=PICK, times=st.integers(1, 4))
    def send(self, which: int, times: int) -> None:
        if self.peers:
            peer = self.peers[which % len(self.peers)]
            for _ in range(times):
                self.post(peer, self.linked(peer), [b""] * (times % 3))

    @rule(which=PICK)
    def receive(self, which: int) -> None:
        self.take(self.peers[which % len(self.peers)])

    def receive_at(self, peer: Peer) -> bool:
        return self.take(peer) is not None


# The same runs every time: a failure here is one everywhere.
def profile(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("pattern", [PushPull, PubSub, ReqRep, DealerRouter, Pair])
def test_a_pattern_over_inproc(pattern: type[Model]) -> None:
    """Many random lives of a few sockets, each as the model says."""
    run_state_machine_as_test(type(pattern.__name__, (pattern,), {"transport": "inproc"}), settings=profile(120))


@pytest.mark.parametrize("pattern", [PushPull, ReqRep, DealerRouter, Pair])
def test_a_pattern_over_tcp(pattern: type[Model]) -> None:
    """The same with real connections, where what must arrive takes its time."""
    run_state_machine_as_test(type(pattern.__name__, (pattern,), {"transport": "tcp"}), settings=profile(25))




class Lossy(PushPull):
    """Says that it has sent what it has not."""

    transport = "inproc"

    def post(self, peer: Peer, receivers: list[Peer], frames: list[bytes], topic: bytes = b"") -> Sent | None:
        number = next(self.numbers)
        self.sent[number] = Sent(peer, number, receivers, bool(receivers), [])
        return self.sent[number]


def test_the_model_misses_what_is_lost() -> None:
    """A message that must arrive and does not is a failure: the model can fail."""
    with pytest.raises(AssertionError, match="what must arrive"):
        run_state_machine_as_test(Lossy, settings=settings(profile(5), phases=[Phase.generate]))
