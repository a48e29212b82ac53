# SPDX-License-Identifier: MPL-2.0
"""Frame: content, buffer, copies, properties."""

import array
import copy
import json
import operator
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.helpers import MakePair, raises_errno
from tests.support.target import zmq

# -- content

SOURCES = [b"asdf", bytearray(b"asdf"), memoryview(b"asdf"), array.array("b", b"asdf"), memoryview(b"a_s_d_f_"[:4])]


@pytest.mark.parametrize("how", [None, True, False])
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_a_frame_holds_the_bytes_of_any_buffer(source: Any, how: bool | None) -> None:
    """bytes, buffer, len and the buffer protocol agree, shared or copied."""
    wanted = bytes(source)
    frame = zmq.Frame(source, copy=how)
    assert len(frame) == len(wanted)
    assert frame.bytes == bytes(frame) == frame.buffer.tobytes() == memoryview(frame).tobytes() == wanted
    assert type(frame.bytes) is bytes
    assert frame.bytes is frame.bytes


def test_an_empty_frame_is_empty() -> None:
    """Frame() and Frame(b"") hold nothing, and are false."""
    for frame in (zmq.Frame(), zmq.Frame(b""), zmq.Frame(bytearray(), copy=False)):
        assert (len(frame), frame.bytes, bytes(frame), bool(frame), frame.more) == (0, b"", b"", False, False)
    assert zmq.Frame(b"x")


@pytest.mark.parametrize("bad", ["str", 5, object(), [b"x"]])
def test_what_has_no_buffer_makes_no_frame(bad: Any) -> None:
    """str, numbers and lists are TypeErrors."""
    with pytest.raises(TypeError):
        zmq.Frame(bad)


def test_scattered_memory_makes_no_frame() -> None:
    """A buffer that is not contiguous is a BufferError."""
    with pytest.raises(BufferError):
        zmq.Frame(memoryview(bytearray(10))[::2])


@pytest.mark.parametrize("how", [True, False])
def test_buffers_of_any_shape_and_format_are_bytes(how: bool) -> None:
    """Numbers and tables are taken as the bytes they are."""
    numbers = array.array("I", [1, 2, 3])
    assert zmq.Frame(numbers, copy=how).bytes == numbers.tobytes()
    table = memoryview(bytes(range(12))).cast("B", (3, 4))
    assert zmq.Frame(table, copy=how).bytes == bytes(range(12))
    assert len(zmq.Frame(table, copy=how)) == 12


def test_the_view_has_one_dimension_of_bytes() -> None:
    """memoryview(frame) is contiguous, of format B, and can be written to."""
    frame = zmq.Frame(bytearray(b"abcd"))
    for view in (frame.buffer, memoryview(frame)):
        assert (view.ndim, view.shape, view.format, view.itemsize, view.readonly) == (1, (4,), "B", 1, False)


def test_the_view_is_one_as_long_as_it_is_held() -> None:
    """frame.buffer is the same object each time."""
    frame = zmq.Frame(b"abcd")
    view = frame.buffer
    assert frame.buffer is view


def test_what_is_written_into_a_frame_is_sent(pair: MakePair) -> None:
    """Changing the view of a copied frame changes its content, and not the source."""
    a, b = pair()
    source = bytearray(b"abcd")
    frame = zmq.Frame(source, copy=True)
    frame.buffer[0:2] = b"XY"
    assert memoryview(frame) == b"XYcd"
    assert source == b"abcd"
    a.send(frame)
    assert b.recv() == b"XYcd"


def test_a_received_frame_can_be_written_to(pair: MakePair) -> None:
    """The views of received frames are writable, and do not touch other frames."""
    a, b = pair(tcp=True)
    sent = b"\0" * 64
    a.send(sent)
    a.send(sent)
    first, second = b.recv(copy=False), b.recv(copy=False)
    view = memoryview(first)
    view[:] = b"\xff" * 64
    assert memoryview(first) == b"\xff" * 64
    assert memoryview(second) == sent == b"\0" * 64


def test_frames_are_equal_by_identity() -> None:
    """Two frames of the same content differ; both can be keys of a dict."""
    first, second = zmq.Frame(b"x"), zmq.Frame(b"x")
    assert first != second
    assert first == first
    assert first != b"x"
    assert len({first, second}) == 2


@pytest.mark.parametrize("name", ["decode", "append", "hex", "clear", "find", "foo"])
def test_frames_have_no_methods_of_bytes(name: str) -> None:
    """A frame is no bytes, and an unknown name no option: AttributeError to read and to set."""
    frame = zmq.Frame(b"x")
    assert not hasattr(frame, name)
    with pytest.raises(AttributeError):
        setattr(frame, name, 1)


def test_frames_are_not_iterated() -> None:
    """There is no going through the bytes of the frame itself."""
    with pytest.raises((TypeError, zmq.ZMQError)):
        list(zmq.Frame(b"abc"))


def test_repr_shows_the_start_of_a_long_frame() -> None:
    """Up to 16 bytes in full; of more the first 12 and the size."""
    assert repr(zmq.Frame(b"")).endswith("Frame(b'')>")
    assert repr(zmq.Frame(b"0123456789abcdef")).endswith("Frame(b'0123456789abcdef')>")
    assert repr(zmq.Frame(b"0123456789abcdefg")).endswith("Frame(b'0123456789ab'...17B)>")
    assert repr(zmq.Frame(b"x" * 2000)).endswith("...2kB)>")
    assert repr(zmq.Frame(b"x" * 2_000_000)).endswith("...2MB)>")
    assert str(zmq.Frame(b"x")) == repr(zmq.Frame(b"x"))


def test_copies_hold_the_same() -> None:
    """copy.copy gives a frame of the same content."""
    frame = zmq.Frame(b"content")
    twin = copy.copy(frame)
    assert twin is not frame
    assert twin.bytes == frame.bytes == bytes(twin)


def test_frames_are_not_pickled() -> None:
    """pickle refuses."""
    with pytest.raises(TypeError):
        pickle.dumps(zmq.Frame(b"x"))


def test_subclasses_may_have_attributes() -> None:
    """A class of one's own, with attributes, works as a frame does."""

    class Mine(zmq.Frame):
        tag = None

    frame = Mine(b"abc")
    frame.tag = 3
    assert (frame.tag, frame.bytes, copy.copy(frame).bytes) == (3, b"abc", b"abc")


def test_the_copy_threshold_decides_about_sharing() -> None:
    """Without copy= memory is shared from copy_threshold bytes on, and then has a tracker that is not done."""
    small = zmq.Frame(b"x" * 10, track=True, copy_threshold=11)
    large = zmq.Frame(b"x" * 10, track=True, copy_threshold=10)
    assert small.tracker.done
    assert not large.tracker.done
    assert not zmq.Frame(b"", track=True, copy_threshold=0).tracker.done


# -- properties


def test_more_tells_of_further_frames(pair: MakePair) -> None:
    """more, get(MORE) and item MORE are 1 for all frames of a message but the last."""
    a, b = pair()
    a.send_multipart([b"1", b"2", b"3"])
    frames = [b.recv(copy=False), *b.recv_multipart(copy=False)]
    assert [frame.more for frame in frames] == [True, True, False]
    assert [frame.get(zmq.MORE) for frame in frames] == [frame[zmq.MORE] for frame in frames] == [1, 1, 0]
    assert [frame.bytes for frame in frames] == [b"1", b"2", b"3"]


def test_a_received_frame_knows_its_peer(pair: MakePair) -> None:
    """Peer-Address, Socket-Type and the descriptor are those of the connection."""
    a, b = pair(zmq.PUSH, zmq.PULL, tcp=True)
    a.send(b"x")
    frame = b.recv(copy=False)
    assert frame["Peer-Address"] == frame.get(b"Peer-Address") == "127.0.0.1"
    assert frame["Socket-Type"] == "PUSH"
    assert frame.get(zmq.SRCFD) > 2


def test_every_frame_of_a_message_knows_its_peer(pair: MakePair) -> None:
    """recv_multipart(copy=False) gives all frames the properties."""
    a, b = pair(zmq.PUSH, zmq.PULL, tcp=True)
    a.send_multipart([b"x", b"y"])
    assert [frame["Peer-Address"] for frame in b.recv_multipart(copy=False)] == ["127.0.0.1"] * 2


@pytest.mark.parametrize("name", ["Peer-Address", b"Foo", zmq.SRCFD, 77])
def test_a_frame_of_our_own_has_no_properties(name: Any) -> None:
    """Unknown properties are EINVAL."""
    with raises_errno(zmq.EINVAL):
        zmq.Frame(b"x").get(name)


def test_properties_have_names_or_numbers() -> None:
    """Anything else is a TypeError."""
    with pytest.raises(TypeError):
        zmq.Frame(b"x").get(3.5)


def test_plain_options_cannot_be_set() -> None:
    """set() knows routing_id and group only."""
    with raises_errno(zmq.EINVAL):
        zmq.Frame(b"x").set(zmq.MORE, 1)


@pytest.mark.parametrize(("option", "value"), [("x", 1), (b"routing_id", 1), (None, 1), (zmq.MORE, "y")])
def test_options_are_numbers(option: Any, value: Any) -> None:
    """Of the names set() knows those two, and values of other options are numbers."""
    with pytest.raises(TypeError, match="an integer is required"):
        zmq.Frame(b"x").set(option, value)


@pytest.mark.parametrize(("value", "error"), [("x", TypeError), (2**40, OverflowError), (-1, OverflowError)])
def test_a_routing_id_is_an_unsigned_number(value: Any, error: type[Exception]) -> None:
    """Other values are refused."""
    with pytest.raises(error):
        zmq.Frame(b"x").set("routing_id", value)


def test_draft_properties_need_drafts() -> None:
    """The attributes group and routing_id are RuntimeErrors as long as DRAFT_API is off."""
    if zmq.DRAFT_API:
        pytest.skip("drafts are on")
    frame = zmq.Frame(b"x")
    with pytest.raises(RuntimeError, match="RADIO-DISH"):
        _ = frame.group
    with pytest.raises(RuntimeError, match="CLIENT-SERVER"):
        frame.routing_id = 1


# -- what a frame is not


@pytest.mark.parametrize(
    ("sign", "operation", "other"),
    [
        ("+", operator.add, b"x"),
        ("*", operator.mul, 2),
        ("*", lambda frame, n: n * frame, 2),
        ("%", operator.mod, 1),
        ("%", lambda frame, n: n % frame, 1),
        ("+=", operator.iadd, b"x"),
        ("*=", operator.imul, 2),
        ("+", lambda frame, other: frame + other, [1]),
    ],
)
def test_frames_have_no_operators(sign: str, operation: Callable[[Any, Any], Any], other: object) -> None:
    """The TypeError is Python's own, in all its versions."""
    with pytest.raises(TypeError, match=rf"unsupported operand type\(s\) for {re.escape(sign)}: .*'Frame'"):
        operation(zmq.Frame(b"ab"), other)


def test_items_of_a_frame_cannot_be_set() -> None:
    """Nor deleted."""
    frame = zmq.Frame(b"ab")
    with pytest.raises(TypeError, match=r"'Frame' object does not support item assignment"):
        frame[0] = 1
    with pytest.raises(TypeError, match=r"'Frame' object does(n't| not) support item deletion"):
        del frame[0]
    assert frame.bytes == b"ab"


@pytest.mark.departs
def test_a_frame_is_no_json() -> None:
    """The error says what to do. (Before Python 3.12 a frame is a bytearray to json, hence an AttributeError.)"""
    wanted = (TypeError, "not Frame") if sys.version_info >= (3, 12) else (AttributeError, r"'Frame'.*frame\.bytes")
    with pytest.raises(wanted[0], match=wanted[1]):
        json.loads(zmq.Frame(b"1"))


# -- what pyzmq cannot


@pytest.mark.departs
def test_memory_of_immutable_objects_stays_immutable() -> None:
    """A shared bytes object is never changed through a frame. (pyzmq: the view of it is writable.)"""
    source = b"immutable"
    view = memoryview(zmq.Frame(source, copy=False))
    if not view.readonly:
        view[:] = b"overwrite"
    assert source == b"immutable"


@pytest.mark.departs
def test_group_and_routing_id_are_kept() -> None:
    """What set() was given can be read back; "" is no group. (pyzmq without drafts: 0, and a crash.)"""
    frame = zmq.Frame(b"x")
    assert frame.get("group") == ""
    frame.set("group", b"weather")
    frame.set("routing_id", 7)
    assert frame["group"] == copy.copy(frame)["group"] == "weather"
    assert frame["routing_id"] == copy.copy(frame).get("routing_id") == 7
    with raises_errno(zmq.EINVAL, 256):
        frame.set("group", "x" * 256)
    with raises_errno(zmq.EINVAL):
        frame.set("routing_id", 0)
