# SPDX-License-Identifier: MPL-2.0
"""The NULL mechanism: READY of every socket type, what READY a peer may send, ERROR, and what ends the handshake.

Vectors: wire-vectors 1.3 and 16; rules: mechanisms sections 2 and 3.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Attach, SocketFactory, bind
from tests.support.raw_peer import (
    RawPeers,
    command,
    frame,
    greeting,
    hx,
    prop,
    properties,
    ready,
)
from tests.support.target import zmq
from tests.wire.conftest import Watch
from tests.wire.events import (
    DISCONNECTED,
    HANDSHAKE_FAILED_AUTH,
    HANDSHAKE_FAILED_PROTOCOL,
    HANDSHAKE_SUCCEEDED,
    MALFORMED_COMMAND_ERROR,
    OUTCOMES,
    UNEXPECTED_COMMAND,
    EventLog,
)

READY_FRAMES = {
    "PAIR": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 50 41 49 52",
    "PUB": "04 19 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 50 55 42",
    "SUB": "04 19 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 53 55 42",
    "REQ": "04 26 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 52 45 51"
    "08 49 64 65 6e 74 69 74 79 00 00 00 00",
    "REP": "04 19 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 52 45 50",
    "DEALER": "04 29 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 44 45 41 4c 45 52"
    "08 49 64 65 6e 74 69 74 79 00 00 00 00",
    "ROUTER": "04 29 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 52 4f 55 54 45 52"
    "08 49 64 65 6e 74 69 74 79 00 00 00 00",
    "PULL": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 50 55 4c 4c",
    "PUSH": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 50 55 53 48",
    "XPUB": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 58 50 55 42",
    "XSUB": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 58 53 55 42",
}

DRAFT_READY_FRAMES = {
    "SERVER": "04 1c 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 53 45 52 56 45 52",
    "CLIENT": "04 1c 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 43 4c 49 45 4e 54",
    "RADIO": "04 1b 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 05 52 41 44 49 4f",
    "DISH": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 44 49 53 48",
    "GATHER": "04 1c 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 06 47 41 54 48 45 52",
    "SCATTER": "04 1d 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 07 53 43 41 54 54 45 52",
    "PEER": "04 1a 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 04 50 45 45 52",
    "CHANNEL": "04 1d 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 07 43 48 41 4e 4e 45 4c",
}

#: Which peers a socket type talks to; every other pair is refused.
PARTNERS = {
    "PAIR": {"PAIR"},
    "PUB": {"SUB", "XSUB"},
    "SUB": {"PUB", "XPUB"},
    "REQ": {"REP", "ROUTER"},
    "REP": {"REQ", "DEALER"},
    "DEALER": {"REP", "DEALER", "ROUTER"},
    "ROUTER": {"REQ", "DEALER", "ROUTER"},
    "PULL": {"PUSH"},
    "PUSH": {"PULL"},
    "XPUB": {"SUB", "XSUB"},
    "XSUB": {"PUB", "XPUB"},
}


# --- what the library says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("socket_type", READY_FRAMES)
def test_ready_of_every_socket_type(socket: SocketFactory, attach: Attach, socket_type: str) -> None:
    """READY holds Socket-Type, and Identity (even empty) for REQ, DEALER and ROUTER only; it waits for no command."""
    peer = attach(socket(getattr(zmq, socket_type)))
    peer.greet()
    peer.expect(READY_FRAMES[socket_type])
    peer.expect_silence()


@pytest.mark.draft
@pytest.mark.parametrize("socket_type", DRAFT_READY_FRAMES)
def test_ready_of_every_draft_socket_type(socket: SocketFactory, attach: Attach, socket_type: str) -> None:
    """The draft types have no Identity property."""
    peer = attach(socket(getattr(zmq, socket_type)))
    peer.greet()
    peer.expect(DRAFT_READY_FRAMES[socket_type])


@pytest.mark.parametrize("socket_type", ["PAIR", "REQ", "REP", "DEALER", "ROUTER", "PUSH", "SUB"])
def test_ready_carries_the_routing_id(socket: SocketFactory, attach: Attach, socket_type: str) -> None:
    """A routing id is told by REQ, DEALER and ROUTER; other types keep theirs to themselves."""
    peer = attach(socket(getattr(zmq, socket_type), routing_id=b"me\x00!"))
    peer.greet()
    peer.expect(ready(socket_type, b"me\x00!" if socket_type in ("REQ", "DEALER", "ROUTER") else None))


def test_ready_of_255_bytes_and_more(socket: SocketFactory, attach: Attach) -> None:
    """A READY that does not fit a short frame is sent as a large command, flags 06."""
    peer = attach(socket(zmq.DEALER, routing_id=b"i" * 255))
    peer.greet()
    wanted = b"\x05READY" + properties("DEALER", b"i" * 255)
    peer.expect("06", len(wanted).to_bytes(8, "big"), wanted)


def test_ready_carries_application_properties(socket: SocketFactory, attach: Attach) -> None:
    """METADATA adds properties behind the standard ones."""
    peer = attach(socket(zmq.PUB, metadata=b"X-foo:bar"))
    peer.greet()
    peer.expect(
        "04 26 05 52 45 41 44 59 0b 53 6f 63 6b 65 74 2d 54 79 70 65 00 00 00 03 50 55 42"
        "05 58 2d 66 6f 6f 00 00 00 03 62 61 72"
    )


def test_application_properties_stand_in_the_order_of_their_names(socket: SocketFactory, attach: Attach) -> None:
    """Several METADATA properties are written in byte order of the names, whatever order they were set in."""
    sock = socket(zmq.DEALER)
    for text in (b"X-b:2", b"X-a:1", b"X-C:3"):
        sock.setsockopt(zmq.METADATA, text)
    peer = attach(sock)
    peer.greet()
    peer.expect(ready("DEALER", b"", (b"X-C", b"3"), (b"X-a", b"1"), (b"X-b", b"2")))


# --- what a peer may say ---------------------------------------------------------------------------------------------

ACCEPTED = {
    "without Identity": command(b"READY", prop(b"Socket-Type", b"ROUTER")),
    "without Socket-Type": ready(None),
    "with unknown properties": ready("ROUTER", b"", (b"X-a", b"1"), (b"Resource", b"/x"), (b"a.b-c_d+e", b"")),
    "Identity first": command(b"READY", prop(b"Identity", b"") + prop(b"Socket-Type", b"ROUTER")),
    "property without a name": ready("ROUTER", b"", (b"", b"value")),
    "property without a value": ready("ROUTER", b"", (b"X-empty", b"")),
    "property name of 255 bytes": ready("ROUTER", b"", (b"n" * 255, b"v")),
    "property value of 65000 bytes": ready("ROUTER", b"", (b"X-big", b"v" * 65_000)),
    "as a message frame": frame(b"\x05READY" + properties("ROUTER")),
    "in a large frame": frame(b"\x05READY" + properties("ROUTER"), command=True, large=True),
    "with the MORE bit": frame(b"\x05READY" + properties("ROUTER"), command=True, more=True),
    "with lower-case names": ready(None, None, (b"socket-type", b"ROUTER"), (b"identity", b"")),
}


@pytest.mark.parametrize("stimulus", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted_ready(socket: SocketFactory, attach: Attach, watch: Watch, stimulus: bytes) -> None:
    """A READY that is unusual but well-formed completes the handshake, and messages flow both ways."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = attach(dealer)
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(stimulus)
    log.expect(HANDSHAKE_SUCCEEDED, 0)
    peer.send(frame(b"in"))
    assert dealer.recv() == b"in"
    dealer.send(b"out")
    peer.expect(frame(b"out"))


@pytest.mark.parametrize("local", PARTNERS)
def test_socket_types_that_talk_to_each_other(socket: SocketFactory, raw: RawPeers, watch: Watch, local: str) -> None:
    """A compatible Socket-Type completes the handshake; any other, known or not, brings DISCONNECTED alone."""
    sock = socket(getattr(zmq, local))
    log = watch(sock, OUTCOMES)
    endpoint = bind(sock)
    for remote in [*PARTNERS, "SERVER", "STREAM", "", "pair", "DEALERS"]:
        peer = raw.connect(endpoint)
        peer.greet()
        peer.expect(READY_FRAMES[local])
        peer.send(ready(remote))
        if remote in PARTNERS[local]:
            log.expect(HANDSHAKE_SUCCEEDED, 0)
            peer.close()
        else:
            peer.expect_close()
        log.expect(DISCONNECTED)


def _property(frame_: Any, name: str) -> object:
    """A message's property, or None: pyzmq reports an absent one as an error."""
    try:
        return frame_.get(name)
    except zmq.ZMQError as error:
        assert error.errno == zmq.EINVAL
        return None


def test_peer_properties_are_visible_on_messages(socket: SocketFactory, attach: Attach) -> None:
    """Messages tell the peer's address, type, identity and own properties; of one named twice the first value."""
    pull = socket(zmq.PULL)
    peer = attach(pull)
    peer.handshake("PUSH", b"who", 1, (b"X-a", b"first"), (b"X-a", b"second"), (b"X-A", b"other"))
    peer.send(frame(b"m"))
    got = pull.recv(copy=False)
    assert got.bytes == b"m"
    assert [_property(got, name) for name in ("Socket-Type", "Identity", "X-a", "X-A", "X-b")] == [
        "PUSH",
        "who",
        "first",
        "other",
        None,
    ]
    assert _property(got, "Peer-Address") == "127.0.0.1"


def test_identity_names_the_peer_of_a_router(socket: SocketFactory, attach: Attach) -> None:
    """A ROUTER takes the Identity property as the peer's routing id, both ways."""
    router = socket(zmq.ROUTER)
    peer = attach(router)
    peer.handshake("DEALER", b"\x01any bytes\xff")
    peer.send(frame(b"hello"))
    assert router.recv_multipart() == [b"\x01any bytes\xff", b"hello"]
    router.send_multipart([b"\x01any bytes\xff", b"hi", b"there"])
    peer.expect("01 02 68 69 00 05 74 68 65 72 65")


@pytest.mark.parametrize("given", [b"", None], ids=["empty", "absent"])
def test_router_makes_up_a_name_for_a_nameless_peer(socket: SocketFactory, raw: RawPeers, given: bytes | None) -> None:
    """Without an identity the peer gets 5 bytes, the first of them 00; two peers get different ones."""
    router = socket(zmq.ROUTER)
    endpoint = bind(router)
    names = set()
    for _ in range(2):
        peer = raw.connect(endpoint)
        peer.handshake("REQ" if given is not None else "DEALER", given)
        peer.send(frame(b"x"))
        name, body = router.recv_multipart()
        assert (len(name), name[:1], body) == (5, b"\0", b"x")
        names.add(name)
    assert len(names) == 2


def test_identity_of_255_bytes(socket: SocketFactory, attach: Attach) -> None:
    """255 bytes is the longest identity there is."""
    router = socket(zmq.ROUTER)
    peer = attach(router)
    peer.handshake("DEALER", b"i" * 255)
    peer.send(frame(b"x"))
    assert router.recv_multipart() == [b"i" * 255, b"x"]


@pytest.mark.departs
@pytest.mark.parametrize("identity", [b"\0", b"\0abcd", b"i" * 256], ids=["00", "like-generated", "256-bytes"])
def test_unfit_identity_is_refused(socket: SocketFactory, raw: RawPeers, watch: Watch, identity: bytes) -> None:
    """A ROUTER refuses a peer whose identity starts with 00 or exceeds 255 bytes.

    libzmq accepts both, so that a peer can take the place of one with a generated id.
    """
    router = socket(zmq.ROUTER)
    log = watch(router, DISCONNECTED | HANDSHAKE_SUCCEEDED)
    peer = raw.connect(bind(router))
    peer.greet()
    peer.expect(ready("ROUTER"))
    peer.send(ready("DEALER", identity))
    peer.expect_close()
    log.expect(DISCONNECTED)


# --- what ends the handshake -----------------------------------------------------------------------------------------

REFUSED_QUIETLY = {
    "2 bytes after the properties": command(b"READY", properties("ROUTER") + b"xy"),
    "name longer than the frame": command(b"READY", properties("ROUTER") + hx("20 61 62")),
    "no room for the value length": command(b"READY", properties("ROUTER") + hx("01 61 00 00 00")),
    "value longer than the frame": command(b"READY", properties("ROUTER") + hx("01 61 00 00 00 02 62")),
    "value length of 4 GiB": command(b"READY", properties("ROUTER") + hx("01 61 ff ff ff ff 62")),
    "value length negative": command(b"READY", properties("ROUTER") + hx("01 61 80 00 00 00 62")),
    "wrong Socket-Type before a good one": command(
        b"READY", prop(b"Socket-Type", b"PUB") + prop(b"Socket-Type", b"ROUTER")
    ),
    "wrong Socket-Type after a good one": command(
        b"READY", prop(b"Socket-Type", b"ROUTER") + prop(b"Socket-Type", b"PUB")
    ),
}


@pytest.mark.parametrize("stimulus", REFUSED_QUIETLY.values(), ids=REFUSED_QUIETLY.keys())
def test_bad_metadata_just_disconnects(socket: SocketFactory, raw: RawPeers, watch: Watch, stimulus: bytes) -> None:
    """READY with metadata that cannot be parsed or accepted: DISCONNECTED and no other event, no ERROR command."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(stimulus)
    log.expect(DISCONNECTED)
    peer.expect_close()


def test_one_byte_after_the_properties(socket: SocketFactory, attach: Attach, watch: Watch) -> None:
    """A single byte behind the last property is refused like more of them."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = attach(dealer)
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(command(b"READY", properties("ROUTER") + b"x"))
    log.expect(DISCONNECTED)


UNEXPECTED = {
    "HELLO": command(b"HELLO"),
    "empty command": frame(b"", command=True),
    "lower-case ready": command(b"ready", properties("ROUTER")),
    "ready cut short": frame(b"\x05READ", command=True),
    "PING": command(b"PING", b"\0\0"),
    "a message": frame(b"hello"),
    "an empty message": frame(b""),
    "SUBSCRIBE": command(b"SUBSCRIBE", b"A"),
}


@pytest.mark.parametrize("stimulus", UNEXPECTED.values(), ids=UNEXPECTED.keys())
def test_anything_but_ready_or_error_is_unexpected(
    socket: SocketFactory, raw: RawPeers, watch: Watch, stimulus: bytes
) -> None:
    """Another frame where READY is due: UNEXPECTED_COMMAND, DISCONNECTED."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(stimulus)
    log.expect(HANDSHAKE_FAILED_PROTOCOL, UNEXPECTED_COMMAND)
    log.expect(DISCONNECTED)
    peer.expect_close()


@pytest.mark.parametrize("early", [ready("ROUTER"), frame(b"hello")], ids=["ready", "message"])
def test_peer_must_wait_for_our_ready(socket: SocketFactory, raw: RawPeers, watch: Watch, early: bytes) -> None:
    """What follows READY before ours was even sent still belongs to the handshake, and is UNEXPECTED_COMMAND there."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(greeting(), ready("ROUTER"), early)
    log.expect(HANDSHAKE_FAILED_PROTOCOL, UNEXPECTED_COMMAND)
    log.expect(DISCONNECTED)


# --- ERROR -----------------------------------------------------------------------------------------------------------


def _after_error(socket: SocketFactory, raw: RawPeers, watch: Watch, stimulus: bytes) -> EventLog:
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(stimulus)
    return log


@pytest.mark.parametrize("code", [300, 400, 500])
def test_error_with_a_zap_code(socket: SocketFactory, raw: RawPeers, watch: Watch, code: int) -> None:
    """ERROR with reason 300, 400 or 500 is reported as HANDSHAKE_FAILED_AUTH with that value, then DISCONNECTED."""
    log = _after_error(socket, raw, watch, command(b"ERROR", b"\x03%d" % code))
    log.expect(HANDSHAKE_FAILED_AUTH, code)
    log.expect(DISCONNECTED)


@pytest.mark.parametrize(
    "reason", [b"", b"no", b"200", b"404", b"4000", b"Invalid client"], ids=["none", "2", "200", "404", "4000", "text"]
)
def test_error_with_another_reason(socket: SocketFactory, raw: RawPeers, watch: Watch, reason: bytes) -> None:
    """ERROR with any other reason: DISCONNECTED only."""
    log = _after_error(socket, raw, watch, command(b"ERROR", bytes([len(reason)]) + reason))
    log.expect(DISCONNECTED)


def test_error_with_bytes_after_the_reason(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """Bytes behind the reason are ignored."""
    log = _after_error(socket, raw, watch, command(b"ERROR", b"\x03400 and more"))
    log.expect(HANDSHAKE_FAILED_AUTH, 400)
    log.expect(DISCONNECTED)


@pytest.mark.parametrize("data", ["", "09 34 30 30", "01", "ff"], ids=["no-length", "9-of-3", "1-of-0", "255-of-0"])
def test_malformed_error(socket: SocketFactory, raw: RawPeers, watch: Watch, data: str) -> None:
    """ERROR whose reason is missing or longer than the frame: MALFORMED_COMMAND_ERROR, DISCONNECTED."""
    log = _after_error(socket, raw, watch, command(b"ERROR", data))
    log.expect(HANDSHAKE_FAILED_PROTOCOL, MALFORMED_COMMAND_ERROR)
    log.expect(DISCONNECTED)


FINAL = {
    "ERROR 400": command(b"ERROR", b"\x03400"),
    "ERROR with text": command(b"ERROR", b"\x02no"),
    "wrong type": ready("PUB"),
    "bad metadata": command(b"READY", properties("ROUTER") + b"xy"),
    "unexpected command": command(b"HELLO"),
}


@pytest.mark.parametrize("stimulus", FINAL.values(), ids=FINAL.keys())
def test_connecting_socket_does_not_come_back_after_a_refusal(
    socket: SocketFactory, raw: RawPeers, watch: Watch, stimulus: bytes
) -> None:
    """A handshake that failed by protocol is final: the connecting side does not try again."""
    dealer = socket(zmq.DEALER, reconnect_ivl=1)
    log = watch(dealer)
    listener = raw.listen()
    dealer.connect(listener.endpoint)
    peer = raw.accept(listener)
    peer.greet()
    peer.expect(ready("DEALER"))
    peer.send(stimulus)
    log.until(DISCONNECTED)
    peer.expect_close()
    log.expect_silence()
    listener.expect_no_connection()


@pytest.mark.departs
def test_a_handshake_command_that_does_not_end(socket: SocketFactory, raw: RawPeers, watch: Watch) -> None:
    """A command announced with 2 MiB ends the connection once 1 MiB has come; libzmq (by its source) sets no limit."""
    dealer = socket(zmq.DEALER)
    log = watch(dealer, OUTCOMES)
    peer = raw.connect(bind(dealer))
    peer.send(greeting(), b"\x06" + (2 << 20).to_bytes(8, "big"), b"\x05READY", bytes((1 << 20) + 1024))
    log.expect(DISCONNECTED)
