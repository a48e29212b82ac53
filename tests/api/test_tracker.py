# SPDX-License-Identifier: MPL-2.0
"""MessageTracker, and when shared memory counts as done with."""

import copy
import gc
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.helpers import MakePair, MakeSocket
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, seconds, wait_until


def test_a_tracker_of_nothing_is_done() -> None:
    """MessageTracker() and _FINISHED_TRACKER are done and do not wait."""
    assert zmq.MessageTracker().done
    assert zmq._FINISHED_TRACKER.done
    assert zmq._FINISHED_TRACKER.wait() is None


def test_a_tracker_watches_events_and_trackers() -> None:
    """It is done when all it watches are."""
    first, second = threading.Event(), threading.Event()
    inner = zmq.MessageTracker(second)
    outer = zmq.MessageTracker(first, inner)
    assert (outer.events, outer.peers) == ({first}, {inner})
    first.set()
    assert not outer.done
    second.set()
    assert outer.done


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_wait_gives_up_after_its_timeout(timeout: float) -> None:
    """NotDone is raised when the time is over, be it at once."""
    with pytest.raises(zmq.NotDone):
        zmq.MessageTracker(threading.Event()).wait(timeout)


def test_wait_returns_when_done() -> None:
    """A wait without limit ends when the event comes."""
    event = threading.Event()
    threading.Timer(seconds(0.05), event.set).start()
    assert zmq.MessageTracker(zmq.MessageTracker(event)).wait() is None


def test_the_timeout_is_for_all_together() -> None:
    """Several events share one timeout."""
    tracker = zmq.MessageTracker(*(zmq.MessageTracker(threading.Event()) for _ in range(5)))
    start = time.monotonic()
    with pytest.raises(zmq.NotDone):
        tracker.wait(0.05)
    assert time.monotonic() - start < 0.2


def test_only_what_can_be_tracked_is_watched() -> None:
    """A frame without tracker is a ValueError, anything else a TypeError."""
    with pytest.raises(ValueError, match="Not a tracked message"):
        zmq.MessageTracker(zmq.Frame(b"x"))
    with pytest.raises(TypeError):
        zmq.MessageTracker(b"x")


# -- frames


def test_copied_frames_are_done_at_once() -> None:
    """A tracked frame that was copied has the finished tracker; an untracked one has none."""
    assert zmq.Frame(b"x", track=True).tracker is zmq._FINISHED_TRACKER
    assert zmq.Frame(b"x", track=True, copy=True).tracker is zmq._FINISHED_TRACKER
    assert zmq.Frame(b"x").tracker is None
    assert zmq.Frame(b"x", copy=False).tracker is None


def test_a_shared_frame_is_done_when_it_is_gone() -> None:
    """The tracker of shared memory is done once the last copy of the frame is collected."""
    frame = zmq.Frame(b"asdf", copy=False, track=True)
    twin = copy.copy(frame)
    assert twin.tracker is frame.tracker
    assert twin.tracker_event is frame.tracker_event
    tracker = zmq.MessageTracker(frame)
    assert not tracker.done
    del frame
    gc.collect()
    assert not tracker.done
    del twin
    gc.collect()
    tracker.wait(PATIENCE)


# -- sending


def test_small_messages_are_copied_whatever_is_asked(pair: MakePair) -> None:
    """copy=False of less than copy_threshold bytes returns the finished tracker."""
    a, b = pair()
    assert a.send(b"small", copy=False, track=True) is zmq._FINISHED_TRACKER
    assert a.send(bytearray(b"small"), copy=False) is zmq._FINISHED_TRACKER
    assert a.send_multipart([b"small", b"too"], copy=False, track=True) is zmq._FINISHED_TRACKER
    assert [b.recv_multipart() for _ in range(3)] == [[b"small"], [b"small"], [b"small", b"too"]]


def test_copying_sends_return_none(pair: MakePair) -> None:
    """Without copy=False there is nothing to track, whatever is sent."""
    a, b = pair()
    assert a.send(b"x") is None
    assert a.send(bytearray(b"x"), track=True) is None
    assert a.send_multipart([b"x", memoryview(b"y")]) is None
    for _ in range(3):
        b.recv_multipart()


@pytest.mark.parametrize("make", [bytes, bytearray, lambda data: memoryview(bytearray(data))])
def test_shared_memory_is_done_once_it_is_sent(socket: MakeSocket, make: Any, tmp_path: Path) -> None:
    """The tracker of a large message is not done before there is a peer, and is when the peer has it."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    endpoint = f"ipc://{tmp_path}/s"
    push.connect(endpoint)
    data = make(b"x" * 200_000)
    tracker = push.send(data, copy=False, track=True)
    assert not tracker.done
    with pytest.raises(zmq.NotDone):
        tracker.wait(0.01)
    pull.bind(endpoint)
    assert pull.recv() == bytes(data)
    del data
    tracker.wait(PATIENCE)


def test_the_last_part_is_tracked(socket: MakeSocket, tmp_path: Path) -> None:
    """send_multipart returns the tracker of its last part; with copy_threshold 0 everything is shared."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    push.copy_threshold = 0
    endpoint = f"ipc://{tmp_path}/s"
    push.connect(endpoint)
    tracker = push.send_multipart([b"one", b"two"], copy=False, track=True)
    assert not tracker.done
    pull.bind(endpoint)
    assert pull.recv_multipart() == [b"one", b"two"]
    wait_until(lambda: tracker.done)


def test_a_frame_sent_twice_is_done_after_both_and_itself(pair: MakePair) -> None:
    """Sending a tracked frame returns its own tracker, which waits for the frame too."""
    a, b = pair(tcp=True)
    frame = zmq.Frame(b"again", copy=False, track=True)
    first, second = a.send(frame, copy=False), a.send(frame)
    assert first is second is frame.tracker
    assert b.recv() == b.recv() == b"again"
    assert not first.done
    del frame
    gc.collect()
    wait_until(lambda: first.done)


def test_an_untracked_frame_cannot_be_tracked(pair: MakePair) -> None:
    """send(frame, track=True) of a frame without tracker is a ValueError, and sends nothing."""
    a, b = pair()
    with pytest.raises(ValueError, match="Not a tracked message"):
        a.send(zmq.Frame(b"x"), copy=False, track=True)
    assert b.poll(0) == 0


def test_shared_without_track_returns_none(pair: MakePair) -> None:
    """copy=False of a large message without track has nothing to return."""
    a, b = pair()
    assert a.send(b"x" * 100_000, copy=False) is None
    assert len(b.recv()) == 100_000


def test_messages_dropped_at_close_are_done(socket: MakeSocket) -> None:
    """What close(linger=0) drops is done with."""
    push = socket(zmq.PUSH)
    push.connect("tcp://127.0.0.1:9")
    tracker = push.send(b"x" * 100_000, copy=False, track=True)
    assert not tracker.done
    push.close(linger=0)
    tracker.wait(PATIENCE)
