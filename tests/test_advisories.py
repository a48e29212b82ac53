# SPDX-License-Identifier: MPL-2.0
"""Each advisory of libzmq has a test here that fails if its defect were ours.

The rows are those of the project's table of advisories, oldest first. What is asserted is what a safe implementation
does; whether an old libzmq does otherwise is nothing to be tried here.
"""

from __future__ import annotations

import contextlib
import struct
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from libzmq_py.codecs.v1_decoder import V1Decoder
from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.core.pipe import State
from libzmq_py.mechanisms.curve.client import CurveClient
from libzmq_py.mechanisms.curve.server import CurveServer
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismError, Status
from libzmq_py.mechanisms.null import NullMechanism
from libzmq_py.mechanisms.plain.server import PlainServer
from libzmq_py.sockets.pubsub.mtrie import MTrie
from tests.conftest import SocketFactory, bind
from tests.core.fakes import Ends
from tests.mechanisms.fakes import FakeHost, commands_of, options, reply
from tests.support.box import public_of
from tests.support.raw_peer import (
    RawPeer,
    RawPeers,
    cancel,
    command,
    frame,
    greeting,
    message,
    properties,
    signature,
    subscribe,
    v1_frame,
)
from tests.support.security import CurveClientScript, CurveServerScript
from tests.support.target import zmq
from tests.support.waiting import ms, wait_until
from tests.wire.conftest import Watch, watch  # noqa: F401 - a fixture
from tests.wire.events import (
    DISCONNECTED,
    HANDSHAKE_FAILED_PROTOCOL,
    HANDSHAKE_SUCCEEDED,
    MECHANISM_MISMATCH,
    OUTCOMES,
)

pytestmark = pytest.mark.departs

SECRET = b"Q" * 32
INVALID_SEQUENCE = 0x10000002


def curve_server(socket: SocketFactory, kind: int = zmq.DEALER, **more: Any) -> Any:
    return socket(kind, curve_server=1, curve_secretkey=SECRET, curve_publickey=public_of(SECRET), **more)


def curve_peer(raw: RawPeers, endpoint: str, metadata: bytes, minor: int = 1) -> tuple[RawPeer, CurveClientScript]:
    """A scripted client that has come through its handshake."""
    peer, script = raw.connect(endpoint), CurveClientScript(public_of(SECRET))
    peer.greet(minor, b"CURVE")
    peer.send(frame(script.hello(), command=True))
    script.take_welcome(peer.read_frame().body)
    peer.send(frame(script.initiate(metadata), command=True))
    script.take_ready(peer.read_frame().body)
    return peer, script


# --- the mechanism is our own choice ---------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [b"NULL", b"PLAIN", b"GSSAPI"])
def test_cve_2014_7202(socket: SocketFactory, raw: RawPeers, watch: Watch, offered: bytes) -> None:  # noqa: F811
    """A CURVE server does not fall back to the mechanism in a peer's greeting: not a command, not a message."""
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(greeting(mechanism=offered), command(b"READY", properties("DEALER")), frame(b"in clear"))
    log.expect(HANDSHAKE_FAILED_PROTOCOL, MECHANISM_MISMATCH)
    log.expect(DISCONNECTED)
    assert len(peer.read_to_end()) <= 64
    assert not dealer.poll(0)


def test_cve_2014_7203(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:  # noqa: F811
    """A message of CURVE is taken once: nonces only grow, in both directions."""
    dealer = curve_server(socket)
    log = watch(dealer, OUTCOMES)
    peer, script = curve_peer(raw, bind(dealer), properties("DEALER"))
    log.expect(HANDSHAKE_SUCCEEDED)
    recorded = [frame(script.message(b"%d" % number, number)) for number in range(3, 60)]
    peer.send(*recorded)
    assert [dealer.recv() for _ in recorded] == [b"%d" % number for number in range(3, 60)]
    for number in range(20):
        dealer.send(b"%d" % number)
    nonces = [script.take_message(peer.read_frame().body)[0] for _ in range(20)]
    assert nonces == sorted(set(nonces))
    peer.send(*recorded)
    log.expect(HANDSHAKE_FAILED_PROTOCOL, INVALID_SEQUENCE)
    log.expect(DISCONNECTED)
    assert not dealer.poll(0)


@pytest.mark.parametrize("version", ["1.0", "1.0 with a greeting", "2.0"])
@pytest.mark.parametrize("security", [{"plain_server": 1}, {"zap_domain": b"d"}, {"curve_server": 1}], ids=str)
def test_cve_2014_9721(
    socket: SocketFactory,
    raw: RawPeers,
    watch: Watch,  # noqa: F811
    version: str,
    security: dict[str, Any],
) -> None:
    """A peer whose version of ZMTP knows no security does not get around ours."""
    opening = {
        "1.0": v1_frame(b"id") + v1_frame(b"in clear"),
        "1.0 with a greeting": signature() + b"\0\5" + v1_frame(b"id") + v1_frame(b"in clear"),
        "2.0": signature() + b"\1\5" + frame(b"id") + frame(b"in clear"),
    }[version]
    dealer = socket(zmq.DEALER, **security)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(opening)
    log.expect(DISCONNECTED)
    peer.read_to_end()
    assert not dealer.poll(0)


# --- sizes -----------------------------------------------------------------------------------------------------------

HUGE = [2**63 - 1, 2**63, 2**64 - 1, 2**64 - 9, 2**64 - 8192, 2**62]


def growth(call: Callable[[], object]) -> int:
    """The most memory that Python has held during a call, beyond what it held before, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("limit", [-1, 1000])
@pytest.mark.parametrize("size", HUGE)
@pytest.mark.parametrize("before", [0, 1, 300])
def test_cve_2019_6250(size: int, limit: int, before: int) -> None:
    """A size near the end of 64 bits overflows nothing: it is refused by its header, whatever stands before and after.

    The frames before it are whole and stay whole.
    """
    decoder = V2Decoder(limit)
    good = [b"x" * 100] * before
    data = b"".join(map(frame, good)) + bytes([2]) + struct.pack(">Q", size) + b"y" * 500
    got: list[Any] = []
    assert growth(lambda: got.extend(decoder.decode(data))) < 200_000 + 4 * len(data)
    assert got == good
    assert decoder.error is not None
    assert decoder.decode(b"z" * 1000) == []


@pytest.mark.parametrize("size", HUGE)
def test_cve_2019_6250_in_a_connection(socket: SocketFactory, raw: RawPeers, size: int) -> None:
    """Also without MAXMSGSIZE: that connection ends, the next one is served."""
    pull = socket(zmq.PULL)
    endpoint = bind(pull)
    peer = raw.connect(endpoint)
    peer.handshake("PUSH")
    peer.send(frame(b"good"), bytes([2]), struct.pack(">Q", size), b"y" * 500)
    peer.read_to_end()
    assert pull.recv() == b"good"
    other = raw.connect(endpoint)
    other.handshake("PUSH")
    other.send(frame(b"still here"))
    assert pull.recv() == b"still here"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 500, 2000, 8192, 40_000, 60_000])
def test_cve_2019_13132(socket: SocketFactory, raw: RawPeers, size: int) -> None:
    """The metadata of an authenticated client's INITIATE may have any size that a handshake may have."""
    pull = curve_server(socket, zmq.PULL)
    peer, script = curve_peer(raw, bind(pull), properties("PUSH", None, (b"X-size", b"m" * size)))
    peer.send(frame(script.message(b"hi", 3)))
    got = pull.recv(copy=False)
    assert bytes(got) == b"hi"
    assert len(got.get("X-size")) == size


def test_cve_2019_13132_beyond_every_size(socket: SocketFactory, raw: RawPeers) -> None:
    """Above 64 KiB a handshake command is refused, and nobody else is harmed."""
    pull = curve_server(socket, zmq.PULL)
    endpoint = bind(pull)
    peer, script = raw.connect(endpoint), CurveClientScript(public_of(SECRET))
    peer.greet(1, b"CURVE")
    peer.send(frame(script.hello(), command=True))
    script.take_welcome(peer.read_frame().body)
    opening = frame(b"\x08INITIATE" + bytes(10_000_000), command=True)
    try:
        peer.send(opening)
    except OSError:
        pass  # cut before all was said
    peer.read_to_end()
    good, good_script = curve_peer(raw, endpoint, properties("PUSH"))
    good.send(frame(good_script.message(b"hi", 3)))
    assert pull.recv() == b"hi"


def curve_server_mechanism() -> CurveServer:
    return CurveServer(options(as_server=1, curve_secret_key=SECRET), FakeHost(handler=False))


def welcomed_server() -> tuple[CurveServer, CurveClientScript]:
    server, script = curve_server_mechanism(), CurveClientScript(public_of(SECRET))
    server.process_handshake_command(script.hello())
    script.take_welcome(commands_of(server)[0])
    return server, script


def greeted_client() -> tuple[CurveClient, CurveServerScript]:
    own = b"C" * 32
    keys = {"curve_public_key": public_of(own), "curve_secret_key": own, "curve_server_key": public_of(SECRET)}
    client, script = CurveClient(options(**keys), FakeHost()), CurveServerScript(SECRET)
    script.take_hello(commands_of(client)[0])
    return client, script


def welcomed_client() -> tuple[CurveClient, CurveServerScript]:
    client, script = greeted_client()
    client.process_handshake_command(script.welcome())
    script.take_initiate(commands_of(client)[0])
    return client, script


HELLO = CurveClientScript(public_of(SECRET)).hello()
STEPS: dict[str, Callable[[], tuple[Mechanism, bytes]]] = {
    "HELLO": lambda: (curve_server_mechanism(), HELLO),
    "INITIATE": lambda: (lambda made: (made[0], made[1].initiate(b"")))(welcomed_server()),
    "WELCOME": lambda: (lambda made: (made[0], made[1].welcome()))(greeted_client()),
    "READY": lambda: (lambda made: (made[0], made[1].ready(b"")))(welcomed_client()),
}


@pytest.mark.parametrize("name", STEPS)
def test_issue_2681(name: str) -> None:
    """A command of CURVE's handshake that is cut at any byte is refused as such: nothing is subtracted from its length
    before that is known to be large enough."""
    mechanism, whole = STEPS[name]()
    fresh = name == "HELLO"  # the others cost several X25519 each, so one mechanism sees all the cuts
    for length in range(len(whole)):
        with pytest.raises(MechanismError):
            (STEPS[name]()[0] if fresh else mechanism).process_handshake_command(whole[:length])
        assert mechanism.status is not Status.READY


@pytest.mark.parametrize("limit", [-1, 50_000])
@pytest.mark.parametrize("step", [1, 7, 100, 8192, 9000, 131_072, 10**6])
def test_ghsa_fc3w_qxf5_7hp6(step: int, limit: int) -> None:
    """A body that is read into its place in ZMTP 1.0 leaves the next reads their own room: what comes out is what went
    in, and no place offered is larger than what the frame lacks."""
    bodies = [b"a", b"b" * 20_000, b"", b"c" * 253, b"d" * 254, b"e" * 49_000, b"f", b"g" * 8193] * 2
    if step == 1:
        bodies = bodies[:5]
    data = b"".join(map(v1_frame, bodies))
    decoder, got, pos = V1Decoder(limit), [], 0
    while pos < len(data):
        collector = decoder.collector
        if collector.missing:
            with collector.window() as window:
                assert 0 < len(window) <= collector.missing
                count = min(step, len(window), len(data) - pos)
                window[:count] = data[pos : pos + count]
            got += decoder.received(count)
        else:
            count = min(step, len(data) - pos)
            got += decoder.decode(data[pos : pos + count])
        pos += count
    assert decoder.error is None
    assert got == bodies


# --- who is shown to the socket --------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", [{}, {"plain_server": 1}, {"curve_server": 1}], ids=str)
def test_cve_2020_15166(
    socket: SocketFactory,
    raw: RawPeers,
    watch: Watch,  # noqa: F811
    security: dict[str, Any],
) -> None:
    """And GHSA-25wp-cf8g-938m: peers that are only connected get no messages, hold up nobody, and are cut in time."""
    push = socket(zmq.PUSH, handshake_ivl=ms(300), sndtimeo=ms(50), **security)
    log = watch(push, OUTCOMES)
    endpoint = bind(push)
    silent = [raw.connect(endpoint) for _ in range(20)]
    for peer in silent[:10]:
        peer.send(greeting())
    with pytest.raises(zmq.Again):
        push.send(b"there is nobody")
    if not security:
        good = raw.connect(endpoint)
        good.handshake("PULL")
        log.until(HANDSHAKE_SUCCEEDED)
        for number in range(200):
            push.send(b"%d" % number)
        assert [good.read_frame().body for _ in range(200)] == [b"%d" % number for number in range(200)]
    for peer in silent:
        assert len(peer.read_to_end()) < 200
    with pytest.raises(zmq.Again) if security else contextlib.nullcontext():
        push.send(b"still nobody")


def test_handshake_ivl_is_set_by_default(socket: SocketFactory) -> None:
    """The other half of CVE-2020-15166: nobody may stay undecided for ever."""
    assert socket(zmq.PULL).handshake_ivl == 30_000


# --- subscriptions ---------------------------------------------------------------------------------------------------


def test_ghsa_qq65_x72m_9wr8() -> None:
    """Nothing recurses as deep as a topic is long."""
    subscriptions: MTrie[int] = MTrie()
    topics = [b"t" * length for length in (200_000, 100_000, 5000, 5001)]
    limit = sys.getrecursionlimit()
    depth = 0
    here = sys._getframe()
    while here is not None:
        depth, here = depth + 1, here.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(depth + 30)
    try:
        for topic in topics:
            subscriptions.add(topic, 1)
            subscriptions.add(topic, 2)
        assert list(subscriptions.matching(b"t" * 300_000)) == [1, 2]
        subscriptions.rm(topics[0], 1)
        gone: list[bytes] = []
        subscriptions.rm_pipe(1, gone.append, False)
        subscriptions.rm_pipe(2, gone.append, True)
    finally:
        sys.setrecursionlimit(limit)
    assert sorted(set(gone)) == sorted(topics)
    assert len(subscriptions) == 0


def test_ghsa_qq65_x72m_9wr8_in_a_connection(socket: SocketFactory, raw: RawPeers) -> None:
    """Topics of 200 000 bytes are subscribed to, cancelled, and dropped with their peer; the publisher lives."""
    xpub = socket(zmq.XPUB)
    endpoint = bind(xpub)
    topics = [b"t" * length for length in (200_000, 199_999, 70_000, 1)]
    peer = raw.connect(endpoint)
    peer.handshake("SUB")
    peer.send(*map(subscribe, topics))
    assert [xpub.recv() for _ in topics] == [b"\1" + topic for topic in topics]
    peer.send(cancel(topics[0]))
    assert xpub.recv() == b"\0" + topics[0]
    peer.close()
    assert sorted(xpub.recv() for _ in topics[1:]) == sorted(b"\0" + topic for topic in topics[1:])


def test_ghsa_4p5v_h92w_6wxw(socket: SocketFactory, raw: RawPeers) -> None:
    """Messages that a subscriber sends to a PUB are dropped whole: nothing of them is kept."""
    pub = socket(zmq.PUB, rcvhwm=0)
    peer = raw.connect(bind(pub))
    peer.handshake("SUB")
    batch = message(b"user message", bytes(1000)) * 100

    def flood() -> None:
        for _ in range(100):
            peer.send(batch)
            pub.getsockopt(zmq.EVENTS)  # the publisher's thread looks at what has come when it does something
        peer.fence()
        pub.getsockopt(zmq.EVENTS)

    flood()
    tracemalloc.start()
    try:
        flood()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000, "of 10 MB that have come in"


# --- ends of pipes ---------------------------------------------------------------------------------------------------


def test_ghsa_wfr2_29gj_5w87(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:  # noqa: F811
    """The parts of a message that was not finished when its peer went are given back."""
    part = bytes(200_000)
    free = sys.getrefcount(part)
    push = socket(zmq.PUSH, sndtimeo=ms(100))
    log = watch(push, OUTCOMES)
    peer = raw.connect(bind(push))
    peer.handshake("PULL")
    log.expect(HANDSHAKE_SUCCEEDED)
    for _ in range(3):
        push.send(part, zmq.SNDMORE)
    assert sys.getrefcount(part) > free
    peer.reset()
    log.until(DISCONNECTED)
    wait_until(lambda: push.getsockopt(zmq.EVENTS) >= 0 and sys.getrefcount(part) == free, "the parts to be free")


def test_ghsa_wfr2_29gj_5w87_on_every_way_out() -> None:
    """Whichever end begins, and however: a pipe that has left its active state holds no part of a message."""
    ways: dict[str, Callable[[Ends], None]] = {
        "terminate with delay": lambda ends: ends.a.terminate(True),
        "terminate": lambda ends: ends.a.terminate(False),
        "the peer terminates": lambda ends: ends.b.terminate(False),
        "the peer terminates with delay": lambda ends: ends.b.terminate(True),
        "both": lambda ends: (ends.a.terminate(False), ends.b.terminate(False))[0],
    }
    for name, way in ways.items():
        ends = Ends()
        part = bytes(1000)
        free = sys.getrefcount(part)
        assert ends.a.write_part(part, True)
        way(ends)
        ends.ctx.deliver()
        ends.a.check_read()
        ends.ctx.deliver()
        ends.b.check_read()
        ends.ctx.deliver()
        assert ends.a._state is not State.ACTIVE, name
        assert sys.getrefcount(part) == free, name


def test_master_acef50b8() -> None:
    """The inbound queue of a pipe is given back once, whichever ends begin, and with whatever is left in it."""
    for first, second in (("a", "b"), ("b", "a"), ("a", "a"), ("b", "b")):
        ends = Ends()
        for end in (ends.a, ends.b):
            for number in range(5):
                assert end.write(b"%d" % number)
            end.flush()
        getattr(ends, first).terminate(False)
        getattr(ends, second).terminate(False)
        for _ in range(5):
            ends.ctx.deliver()
            for end in (ends.a, ends.b):
                while end.read() is not None:
                    pass
        assert ends.sink_a.events.count("pipe_terminated") == 1
        assert ends.sink_b.events.count("pipe_terminated") == 1
        assert ends.a.peer is None
        assert ends.b.peer is None
        assert not ends.a.check_read()
        assert not ends.b.check_write()


# --- of GSSAPI, but of the others here; its own are in mechanisms/test_gssapi.py and test_gssapi_messages.py ---------

NULL_READY = b"\5READY" + properties("DEALER")


def asked(mechanism: str, host: FakeHost) -> Mechanism:
    """A server whose handler has been asked."""
    made: Mechanism
    if mechanism == "NULL":
        made = NullMechanism(options(zap_domain=b"d"), host)
        made.process_handshake_command(NULL_READY)
        commands_of(made)
    elif mechanism == "PLAIN":
        made = PlainServer(options(as_server=1), host)
        made.process_handshake_command(b"\5HELLO\5admin\6secret")
    else:
        server = CurveServer(options(as_server=1, curve_secret_key=SECRET), host)
        script = CurveClientScript(public_of(SECRET))
        server.process_handshake_command(script.hello())
        script.take_welcome(commands_of(server)[0])
        server.process_handshake_command(script.initiate(properties("DEALER")))
        made = server
    assert len(host.requests) == 1
    return made


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
@pytest.mark.parametrize("status", [b"300", b"400", b"500"])
@pytest.mark.parametrize("mechanism", ["NULL", "PLAIN", "CURVE"])
def test_master_ba63f037(mechanism: str, status: bytes, at_once: bool) -> None:
    """Only 200 leads on, whether the handler's answer is there at once or comes later: after any other the server says
    ERROR or nothing, and whatever the peer says is refused."""
    answer = reply(status)
    host = FakeHost([answer] if at_once else [None, answer])
    made = asked(mechanism, host)
    if not at_once:
        made.zap_msg_available()
    assert host.refusals == [(int(status), "why")]
    said = commands_of(made)
    assert all(b"RROR" in one[:6] for one in said)
    assert len(said) == (status != b"300") or mechanism == "NULL"
    assert made.status is not Status.READY
    for more in (NULL_READY, b"\x08INITIATE" + properties("DEALER"), b"\5READY"):
        with pytest.raises(MechanismError):
            made.process_handshake_command(more)
        assert commands_of(made) == []
        assert made.status is not Status.READY


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("mechanism", ["NULL", "CURVE"])
def test_master_ccfe5082(socket: SocketFactory, raw: RawPeers, mechanism: str, minor: int) -> None:
    """Subscriptions and their ends are still such after they were sealed and opened."""
    if mechanism == "CURVE":
        xpub = curve_server(socket, zmq.XPUB)
        peer, script = curve_peer(raw, bind(xpub), properties("SUB"), minor)
        flags = 2 if minor else 0

        def say(number: int, said: bytes) -> None:
            peer.send(frame(script.message(said, number, flags=flags)))
    else:
        xpub = socket(zmq.XPUB)
        peer = raw.connect(bind(xpub))
        peer.handshake("SUB", minor=minor)

        def say(number: int, said: bytes) -> None:
            peer.send(frame(said, command=bool(minor)))

    say(3, b"\x09SUBSCRIBEtopic" if minor else b"\1topic")
    assert xpub.recv() == b"\1topic"
    xpub.send(b"topic 1")
    got = peer.read_frame().body
    assert (script.take_message(got)[2] if mechanism == "CURVE" else got) == b"topic 1"
    say(4, b"\x06CANCELtopic" if minor else b"\0topic")
    assert xpub.recv() == b"\0topic"


# --- udp -------------------------------------------------------------------------------------------------------------


def test_master_af11df08_e357cd32_3be093c2(socket: SocketFactory) -> None:
    """There is no udp yet that could send or take a datagram of the wrong size.

    When there is, this fails: replace it by tests of oversize sends, group lengths above 127 and cut datagrams.
    """
    for kind in (zmq.PUSH, zmq.PULL, zmq.DEALER):
        for attach in (socket(kind).bind, socket(kind).connect):
            with pytest.raises(zmq.ZMQError):
                attach("udp://127.0.0.1:5555")
    assert not zmq.has("draft")
