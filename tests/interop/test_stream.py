# SPDX-License-Identifier: MPL-2.0
"""STREAM and ROUTER_RAW: the same scenario on both libraries ends the same way, and they understand each other."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import zmq as real

from tests.interop.conftest import Endpoint
from tests.interop.sides import Monitor, Side, bound_endpoint, drain, errno_of
from tests.interop.test_side_by_side import on_both
from tests.support.waiting import PATIENCE, seconds, wait_until

pytestmark = pytest.mark.interop

raw_types = pytest.mark.parametrize("kind", ["STREAM", "ROUTER"])


def raw_socket(side: Side, kind: str, **options: Any) -> Any:
    return side.socket(kind, **({"ROUTER_RAW": 1} if kind == "ROUTER" else {}), **options)


def connect_plain(endpoint: str) -> socket.socket:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def read(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := peer.recv(size - len(data))):
        data += more
    return data


def anonymous(messages: list[list[bytes]]) -> list[list[bytes]]:
    """Generated ids are random: the same for all that have one shape."""
    return [[b"id" if len(routing_id) == 5 else routing_id, *rest] for routing_id, *rest in messages]


@raw_types
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_one_talks_to_the_other(two_sides: tuple[Side, Side], endpoint: Endpoint, transport: str, kind: str) -> None:
    """Bytes both ways, notices of the beginning and the end; one library binds, the other connects."""
    left, right = two_sides
    binder, connecter = raw_socket(left, kind), raw_socket(right, "STREAM", CONNECT_ROUTING_ID=b"name")
    connecter.connect(bound_endpoint(binder, endpoint(transport)))
    assert connecter.recv_multipart() == [b"name", b""]
    routing_id, notice = binder.recv_multipart()
    assert notice == b""
    data = bytes(range(256)) * 2000
    for sender, address, receiver in ((binder, routing_id, connecter), (connecter, b"name", binder)):
        sender.send_multipart([address, data])
        received = b""
        while len(received) < len(data):
            received += receiver.recv_multipart()[1]
        assert received == data
    binder.send_multipart([routing_id, b""])
    wait_until(lambda: (binder.poll(0), connecter.poll(1))[1], "the notice of the end")
    assert connecter.recv_multipart() == [b"name", b""]


@raw_types
def test_what_sends_do(kind: str) -> None:
    """Errnos, what arrives, and in which messages, for every shape of what is sent."""

    def scenario(side: Side) -> list[Any]:
        sock = raw_socket(side, kind)
        with connect_plain(bound_endpoint(sock, "tcp://127.0.0.1:*")) as peer:
            routing_id = sock.recv_multipart()[0]
            seen: list[Any] = []
            for frames in (
                [routing_id, b"1"],
                [b"nobody", b"x"],
                [routing_id, b"2", routing_id, b"3"],
                [routing_id, b"4", b"nobody", b"x"],
                [routing_id],
                [b"after one alone", b"x"],
                [routing_id, b"5"],
                [routing_id],
                [b"after another"],
                [routing_id, b"6"],
                [routing_id, b"7", b"third"],
                [b"fourth"],
                [routing_id, b"8"],
            ):
                seen.append(errno_of(lambda parts=frames: sock.send_multipart(parts)))  # type: ignore[misc]
            return [*seen, read_until_quiet(peer)]

    on_both(scenario)


def read_until_quiet(peer: socket.socket) -> bytes:
    data = b""
    peer.settimeout(seconds(0.1))
    try:
        while more := peer.recv(100):
            data += more
    except TimeoutError:
        return data
    raise AssertionError("the connection ended")


@raw_types
def test_what_the_monitor_says(kind: str) -> None:
    """Events, in order, of peers that go, are closed, or are there when the listener ends."""

    def scenario(side: Side) -> list[str]:
        sock = raw_socket(side, kind)
        monitor = side.monitor(sock)
        endpoint = bound_endpoint(sock, "tcp://127.0.0.1:*")
        connect_plain(endpoint).close()
        monitor.wait("DISCONNECTED")
        assert len(drain(sock)) == 2
        with connect_plain(endpoint) as closed, connect_plain(endpoint) as left:
            monitor.wait("ACCEPTED")
            monitor.wait("ACCEPTED")
            assert sock.poll(1000)
            sock.send_multipart([sock.recv_multipart()[0], b""])
            assert sock.poll(1000)
            wait_until(lambda: sock.poll(1) >= 0 and (is_closed(closed) or is_closed(left)), "the end of one")
            sock.recv_multipart()
            sock.unbind(endpoint)
            monitor.wait("CLOSED")
            wait_until(lambda: sock.poll(1) >= 0 and is_closed(closed) and is_closed(left), "the end of both")
        return monitor.poll_all(0.05)

    on_both(scenario)


def is_closed(peer: socket.socket) -> bool:
    peer.settimeout(0.005)
    try:
        return peer.recv(1) == b""
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    ("kind", "options"), [("STREAM", {"STREAM_NOTIFY": 0}), ("STREAM", {}), ("ROUTER", {})], ids=["0", "1", "ROUTER"]
)
@pytest.mark.parametrize("rcvhwm", [1, 2, 5])
def test_what_fits_into_a_queue(kind: str, options: dict[str, int], rcvhwm: int) -> None:
    """Chunks sent one at a time to a socket that does not read: which are messages of their own, which are joined."""

    def scenario(side: Side) -> list[list[bytes]]:
        sock = raw_socket(side, kind, RCVHWM=rcvhwm, **options)
        with connect_plain(bound_endpoint(sock, "tcp://127.0.0.1:*")) as peer:
            for number in range(9):
                peer.sendall(b"%d" % number)
                if number < rcvhwm + (options.get("STREAM_NOTIFY") == 0):  # one more is held by the engine
                    wait_until(lambda: is_read(peer), "the chunk to be read")
        return anonymous(drain(sock, 100))

    seen = on_both(scenario)
    assert b"".join(data for _, data in seen) == b"012345678"


def is_read(peer: socket.socket) -> bool:
    """True when the other side has taken all bytes out of the kernel."""
    return queued_bytes(peer) == 0


def queued_bytes(peer: socket.socket) -> int:
    """Bytes that wait in the kernel for whoever is connected with `peer` (the same machine)."""
    local, remote = peer.getsockname(), peer.getpeername()
    with open("/proc/net/tcp") as table:
        for line in table:
            fields = line.split()
            if fields[1] == _hex(remote) and fields[2] == _hex(local):
                return int(fields[4].partition(":")[2], 16)
    return 0


def _hex(address: tuple[str, int]) -> str:
    return f"{int.from_bytes(socket.inet_aton(address[0]), 'little'):08X}:{address[1]:04X}"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


@raw_types
def test_connections_of_our_own(kind: str, listener: socket.socket) -> None:
    """Lost, made again, closed, disconnected: what the user is told, what the monitor says, what the peer hears."""
    endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    def scenario(side: Side) -> list[Any]:
        sock = raw_socket(side, kind, CONNECT_ROUTING_ID=b"name")
        monitor = Monitor(side.lib, sock)
        seen: list[Any] = []
        try:
            sock.connect(endpoint)
            seen.append(errno_of(lambda: sock.send_multipart([b"name", b"early"])))
            with listener.accept()[0] as peer:
                first = sock.recv_multipart()
                sock.send_multipart([first[0], b"hello"])
                seen += [anonymous([first]), read(peer, 10)]
            seen.append(sock.recv_multipart() == first)
            with listener.accept()[0] as peer:
                second = sock.recv_multipart()
                seen += [anonymous([second]), second == first]
                sock.send_multipart([second[0], b""])
                wait_until(lambda: sock.poll(1) >= 0 and is_closed(peer), "the end")
            seen += [errno_of(lambda: sock.disconnect(endpoint)), errno_of(lambda: sock.disconnect(endpoint))]
            seen.append(monitor.poll_all(0.1))
        finally:
            sock.disable_monitor()
            monitor.socket.close(0)
        return seen

    on_both(scenario)


@pytest.mark.parametrize("kind", ["DEALER", "PAIR", "ROUTER", "STREAM"])
@pytest.mark.parametrize("order", ["bind first", "connect first"])
@pytest.mark.parametrize("role", ["binds", "connects"])
def test_inproc(kind: str, order: str, role: str) -> None:
    """Which messages go between a STREAM and a socket of another type in the same context."""

    def scenario(side: Side) -> list[Any]:
        stream, other = side.socket("STREAM"), side.socket(kind)
        binder, connecter = (stream, other) if role == "binds" else (other, stream)
        if order == "bind first":
            binder.bind("inproc://x")
        connecter.connect("inproc://x")
        if order == "connect first":
            binder.bind("inproc://x")
        assert stream.getsockopt(real.EVENTS) >= 0
        routing_id = stream.getsockopt(real.ROUTING_ID)
        seen: list[Any] = [len(routing_id), errno_of(lambda: stream.send_multipart([routing_id, b"one"]))]
        *sender, body = other.recv_multipart()
        seen += [anonymous([[*sender, body]]), errno_of(lambda: other.send_multipart([*sender, b"two"]))]
        seen += anonymous(drain(stream, 20))
        stream.send_multipart([routing_id, b""])
        wait_until(lambda: gone(stream, other, routing_id), "the end")
        return seen

    def gone(stream: Any, other: Any, routing_id: bytes) -> bool:
        other.getsockopt(real.EVENTS)
        stream.getsockopt(real.EVENTS)
        return errno_of(lambda: stream.send_multipart([routing_id, b"x"], real.DONTWAIT)) == real.EHOSTUNREACH

    on_both(scenario)
