# SPDX-License-Identifier: MPL-2.0
"""Devices in threads and processes: queue, proxy with monitor, monitored queue, steerable proxy."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

import pytest

from tests.conftest import TARGET
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, SILENCE, ms

devices = importlib.import_module(f"{TARGET}.devices")

TCP = "tcp://127.0.0.1"


@contextmanager
def running(device: Any) -> Iterator[Any]:
    """A device in a thread, with a context of its own that is ended."""
    context = zmq.Context()
    device.context_factory = lambda: context
    device.start()
    try:
        yield device
    finally:
        end(context, device)


def end(context: Any, device: Any) -> None:
    ending = threading.Thread(target=context.term)
    ending.start()
    device.join(PATIENCE)
    ending.join(PATIENCE)
    assert device.done and not ending.is_alive()


@pytest.mark.parametrize("device_type", [zmq.QUEUE, zmq.FORWARDER, zmq.STREAMER])
def test_attributes(device_type: int) -> None:
    """A device knows what it was told; both types must be given."""
    device = devices.Device(device_type, zmq.PULL, zmq.PUSH)
    assert (device.device_type, device.in_type, device.out_type) == (device_type, zmq.PULL, zmq.PUSH)
    assert device.daemon is True and device.done is False
    for given in ({}, {"in_type": zmq.PULL}, {"out_type": zmq.PULL}):
        with pytest.raises(TypeError, match="must be specified"):
            devices.Device(device_type, **given)


def test_a_queue_in_a_thread(socket: Any) -> None:
    """Options first, then binds and connects, of both sides; it ends with its context."""
    device = devices.ThreadDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    front = device.bind_in_to_random_port(TCP)
    rep, req = socket(zmq.REP), socket(zmq.REQ)
    back = rep.bind_to_random_port(TCP)
    device.setsockopt_in(zmq.ROUTER_MANDATORY, 1)
    device.setsockopt_out(zmq.ROUTING_ID, b"queue")
    device.connect_out(f"{TCP}:{back}")
    with running(device):
        req.connect(f"{TCP}:{front}")
        req.send(b"question")
        assert rep.recv() == b"question"
        rep.send(b"answer")
        assert req.recv() == b"answer"


def test_one_socket_for_both_sides(socket: Any) -> None:
    """A negative type for the back uses the front for both: an echo."""
    device = devices.ThreadDevice(zmq.QUEUE, zmq.REP, -1)
    port = device.bind_in_to_random_port(TCP)
    with running(device):
        req = socket(zmq.REQ)
        req.connect(f"{TCP}:{port}")
        req.send(b"x")
        assert req.recv() == b"x"


def test_a_proxy_shows_what_passes(socket: Any) -> None:
    """The monitor gets a copy of each message."""
    device = devices.ThreadProxy(zmq.PULL, zmq.PUSH, zmq.PUSH)
    ports = [getattr(device, f"bind_{side}_to_random_port")(TCP) for side in ("in", "out", "mon")]
    device.setsockopt_mon(zmq.SNDHWM, 5)
    with running(device):
        push, pull, monitor = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PULL)
        for sock, port in zip((push, pull, monitor), ports, strict=True):
            sock.connect(f"{TCP}:{port}")
        push.send_multipart([b"a", b"b"])
        assert pull.recv_multipart() == monitor.recv_multipart() == [b"a", b"b"]


def test_a_monitored_queue_says_which_way(socket: Any) -> None:
    """Copies have a prefix by direction."""
    device = devices.ThreadMonitoredQueue(zmq.PAIR, zmq.PAIR, zmq.PUSH, b"to", b"from")
    ports = [getattr(device, f"bind_{side}_to_random_port")(TCP) for side in ("in", "out", "mon")]
    with running(device):
        front, back, monitor = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.PULL)
        for sock, port in zip((front, back, monitor), ports, strict=True):
            sock.connect(f"{TCP}:{port}")
        front.send_multipart([b"a", b"b"])
        assert back.recv_multipart() == [b"a", b"b"] and monitor.recv_multipart() == [b"to", b"a", b"b"]
        back.send(b"c")
        assert front.recv_multipart() == [b"c"] and monitor.recv_multipart() == [b"from", b"c"]


@pytest.mark.parametrize("bad", ["in", None, 5, bytearray(b"in")])
def test_a_monitored_queue_takes_bytes_for_prefixes(socket: Any, bad: Any) -> None:
    """What is no bytes is refused at once, before a message is moved."""
    client, front, back, monitor = (socket(zmq.PAIR) for _ in range(4))
    front.bind(f"inproc://prefix-{id(front)}")
    client.connect(front.last_endpoint)
    client.send(b"x")
    for prefixes in ((bad, b"out"), (b"in", bad)):
        with pytest.raises(TypeError, match="prefix"):
            devices.monitored_queue(front, back, monitor, *prefixes)
    assert front.recv() == b"x"


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("bad", [1, "x", None])
def test_a_monitored_queue_takes_sockets(socket: Any, place: int, bad: Any) -> None:
    """Anything else is refused at once, descriptors too."""
    sockets: list[Any] = [socket(zmq.PAIR) for _ in range(3)]
    sockets[place] = bad
    with pytest.raises(TypeError, match=r"[sS]ocket"):
        devices.monitored_queue(*sockets)


def test_a_monitored_queue_between_routers(socket: Any) -> None:
    """The first two frames change places: to whom, then from whom."""
    device = devices.ThreadMonitoredQueue(zmq.ROUTER, zmq.ROUTER, zmq.PUSH)
    ports = [getattr(device, f"bind_{side}_to_random_port")(TCP) for side in ("in", "out", "mon")]
    with running(device):
        ann, bob = socket(zmq.DEALER, routing_id=b"ann"), socket(zmq.DEALER, routing_id=b"bob")
        monitor = socket(zmq.PULL)
        ann.connect(f"{TCP}:{ports[0]}")
        bob.connect(f"{TCP}:{ports[1]}")
        monitor.connect(f"{TCP}:{ports[2]}")
        # A message for somebody who has not connected yet is dropped, and shown all the same.
        sent = 0
        while not bob.poll(50):
            ann.send_multipart([b"bob", b"hello"])
            sent += 1
        assert bob.recv_multipart() == [b"ann", b"hello"]
        assert [monitor.recv_multipart() for _ in range(sent)] == [[b"in", b"bob", b"ann", b"hello"]] * sent
        bob.send_multipart([b"ann", b"hi"])
        assert ann.recv_multipart() == [b"bob", b"hi"]
        assert monitor.recv_multipart() == [b"out", b"ann", b"bob", b"hi"]


@pytest.mark.departs
@pytest.mark.parametrize("control_type", [zmq.PAIR, zmq.REP], ids=["PAIR", "REP"])
def test_a_steerable_proxy(socket: Any, control_type: int) -> None:
    """It pauses, resumes, counts and ends when told to; a REP answers each command, and only a REP does."""
    device = devices.ThreadProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUSH, control_type)
    ports = [getattr(device, f"bind_{side}_to_random_port")(TCP) for side in ("in", "out", "mon", "ctrl")]
    device.setsockopt_ctrl(zmq.LINGER, 0)
    with running(device):
        push, pull, monitor = socket(zmq.PUSH), socket(zmq.PULL), socket(zmq.PULL)
        control = socket(zmq.PAIR if control_type == zmq.PAIR else zmq.REQ)
        for sock, port in zip((push, pull, monitor, control), ports, strict=True):
            sock.connect(f"{TCP}:{port}")

        def command(text: bytes) -> list[bytes]:
            control.send(text)
            return control.recv_multipart() if control_type == zmq.REP or text == b"STATISTICS" else [b""]  # type: ignore[no-any-return]

        push.send(b"one")
        assert pull.recv() == monitor.recv() == b"one"
        assert command(b"PAUSE") == [b""]
        counts = [int.from_bytes(frame, sys.byteorder) for frame in command(b"STATISTICS")]
        assert counts == [1, 3, 0, 0, 0, 0, 1, 3]
        push.send(b"two")
        assert not pull.poll(round(SILENCE * 1000))
        assert command(b"RESUME") == [b""]
        assert pull.recv() == monitor.recv() == b"two"
        assert command(b"TERMINATE") == [b""]
        device.join(PATIENCE)
        assert device.done


@pytest.mark.departs
def test_a_steerable_proxy_needs_a_control() -> None:
    """Without a type for it start raises, rather than make a PAIR that nobody can reach."""
    device = devices.ProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUSH)
    context = zmq.Context()
    device.context_factory = lambda: context
    with pytest.raises(TypeError, match="ctrl_type must be specified"):
        device.start()
    assert device.done
    context.term()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_queue_in_a_process(socket: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the process is started, it has a context of its own and works; a monitored queue too."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    process = multiprocessing.get_context(method).Process  # type: ignore[attr-defined]
    for kind in (devices.ProcessProxy, devices.ProcessMonitoredQueue):
        monkeypatch.setattr(kind, "_launch_class", process)
        device = kind(zmq.ROUTER, zmq.DEALER, zmq.PUB)
        front, back = device.bind_in_to_random_port(TCP), device.bind_out_to_random_port(TCP)
        device.setsockopt_in(zmq.LINGER, 0)
        device.start()
        req, rep = socket(zmq.REQ, rcvtimeo=ms(20_000)), socket(zmq.REP, rcvtimeo=ms(20_000))
        req.connect(f"{TCP}:{front}")
        rep.connect(f"{TCP}:{back}")
        req.send(b"question")
        assert rep.recv() == b"question"
        rep.send(b"answer")
        assert req.recv() == b"answer"
        device.launcher.terminate()
        device.join(PATIENCE)
        assert device.launcher.exitcode is not None
        device.launcher.close()
    # Processes that are spawned have somebody to look after what they share, who stays.
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def test_a_device_in_this_thread() -> None:
    """Device.start runs it here, and returns when its context has ended; join then returns at once."""
    context = zmq.Context()
    device = devices.Device(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    device.context_factory = lambda: context
    device.join(0.01)
    assert not device.done
    ending = threading.Timer(0.1, context.term)
    ending.start()
    device.start()
    assert device.done
    device.join()
    ending.join()


def test_ports_of_a_device_differ() -> None:
    """Random ports lie in the range given, and when it is used up ZMQBindError is raised."""
    low = 20_000 + os.getpid() % 9_000
    limits = {"min_port": low, "max_port": low + 10}
    device = devices.ThreadProxy(zmq.PULL, zmq.PUSH)
    first, second = device.bind_in_to_random_port(TCP, **limits), device.bind_out_to_random_port(TCP, **limits)
    assert {first, second} < set(range(low, low + 10)) and first != second
    with pytest.raises(zmq.ZMQBindError):
        for _ in range(9):
            device.bind_mon_to_random_port(TCP, **limits)
