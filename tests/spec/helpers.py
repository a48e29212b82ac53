# SPDX-License-Identifier: MPL-2.0
"""What the tests of the pattern RFCs share, on top of the helpers of the socket tests.

No libzmq twin: test support.
"""

from collections.abc import Callable
from pathlib import Path

from tests.sockets.helpers import QUIET, MakeSocket, Sock, bind, fill, free_endpoint, settle
from tests.support.raw_peer import RawPeer, RawPeers, message
from tests.support.target import zmq
from tests.support.waiting import wait_until

#: So large that a few of them fill the kernel's buffers: over a network only then a limit can be met.
LARGE = bytes(200_000)

#: Frames that a filtering or modifying socket might stumble over.
ODD_PARTS = [b"", b"\x00", b"\x01", b"\x00\x01topic", b"", b"\xff" * 255, bytes(range(256)), b"x" * 70_000, b""]

Say = Callable[..., None]


def kind(name: str) -> int:
    """The socket type constant of this name."""
    value: int = getattr(zmq, name)
    return value


def connected_first(
    socket: MakeSocket, transport: str, directory: Path, connecter: str, binder: str
) -> tuple[Sock, Sock, Callable[[], None]]:
    """A connected socket, a socket yet to be bound, and what binds it: a connection that is not established."""
    near, far = socket(kind(connecter), reconnect_ivl=10), socket(kind(binder))
    endpoint = free_endpoint(transport, directory)
    near.connect(endpoint)
    return near, far, lambda: far.bind(endpoint)


def limited(socket: MakeSocket, transport: str, sender: str, receiver: str, prefix: list[bytes] | None = None) -> int:
    """How many messages a sender takes when its peer does not read: both sides with a limit of 2."""
    near, far = socket(kind(sender), sndhwm=2), socket(kind(receiver), rcvhwm=2)
    near.connect(bind(far, transport))
    frame = b"x" if transport == "inproc" else LARGE
    return fill(near, frame, prefix or [], most=1000)


def speakers(
    socket: MakeSocket, raw: RawPeers, receiver: Sock, transport: str, peer_type: str, count: int
) -> tuple[list[Say], Callable[[], None]]:
    """`count` peers of a bound receiver: what makes each send a message, and what waits until all has arrived.

    Over tcp they are raw peers: after their PING was answered everything they sent is in the receiver's queues.
    """
    endpoint = bind(receiver, transport)
    says: list[Say] = []
    fences: list[Callable[[], None]] = []
    for _ in range(count):
        if transport == "inproc":
            sock = socket(kind(peer_type))
            sock.connect(endpoint)
            settle(receiver)
            settle(sock)
            says.append(_say_through(sock))
        else:
            peer = raw.connect(endpoint)
            peer.handshake(peer_type)
            peer.fence()  # now the library, too, is through with the handshake
            settle(receiver)
            if peer_type in ("PUB", "XPUB"):
                peer.read_frame()  # the subscription
            says.append(_say_on_the_wire(peer))
            fences.append(peer.fence)

    def arrived() -> None:
        for fence in fences:
            fence()

    return says, arrived


def _say_through(sock: Sock) -> Say:
    return lambda *parts: sock.send_multipart(parts)


def _say_on_the_wire(peer: RawPeer) -> Say:
    return lambda *parts: peer.send(message(*parts))


def takes_turns(order: list[int], count: int) -> bool:
    """Whether in every round of `count` messages each peer appears once."""
    rounds = [order[start : start + count] for start in range(0, len(order), count)]
    return all(sorted(each) == list(range(count)) for each in rounds)


def has_peer(sock: Sock) -> None:
    """Wait until the socket could send."""
    wait_until(lambda: settle(sock) & zmq.POLLOUT, "a peer")


def has_no_peer(sock: Sock) -> None:
    """Wait until the socket could not send any more."""
    wait_until(lambda: not settle(sock) & zmq.POLLOUT, "the peer to be gone")


def hears_nothing(sock: Sock) -> bool:
    """Whether nothing can be received for a while."""
    return not sock.poll(QUIET)
