# SPDX-License-Identifier: MPL-2.0
"""Socket: making, endpoints, sending and receiving in all forms, shadows, closing."""

import copy
import errno
import gc
import json
import threading
from array import array
from typing import Any

import pytest

from tests.api.helpers import Context, MakePair, MakeSocket, inproc_name, raises_errno
from tests.support.target import zmq
from tests.support.waiting import wait_until

# -- making


def test_a_socket_needs_a_context_and_a_type(ctx: Context) -> None:
    """Socket() and Socket(ctx, -1) are TypeErrors, as is something that is no context."""
    with pytest.raises(TypeError, match="context must be specified"):
        zmq.Socket()
    with pytest.raises(TypeError, match="socket_type must be specified"):
        zmq.Socket(ctx, -1)
    with pytest.raises(TypeError):
        zmq.Socket("x", zmq.PUSH)
    with pytest.raises(TypeError):
        zmq.Socket(ctx, "PUSH")


def test_a_socket_knows_its_context_and_type(socket: MakeSocket, ctx: Context) -> None:
    """context and type are what it was made with; the type is a SocketType."""
    sock = socket(zmq.PUSH)
    assert sock.context is ctx
    assert sock.type is zmq.SocketType.PUSH
    assert sock.copy_threshold == zmq.COPY_THRESHOLD


def test_copy_threshold_starts_as_the_module_says(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """zmq.COPY_THRESHOLD is looked up when a socket is made."""
    monkeypatch.setattr(zmq, "COPY_THRESHOLD", 5)
    with ctx.socket(zmq.PUSH) as sock:
        assert sock.copy_threshold == 5
        sock.copy_threshold = 6
        assert sock.copy_threshold == 6


def test_repr_tells_type_and_state(socket: MakeSocket) -> None:
    """repr has the type, and says so when the socket is closed; a subclass shows its own name."""
    sock = socket(zmq.PUSH)
    assert "Socket(zmq.PUSH)" in repr(sock)
    assert "closed" not in repr(sock)
    sock.close()
    assert repr(sock).endswith(" closed>")

    class Mine(zmq.Socket):
        pass

    with Mine(sock.context, zmq.SUB) as mine:
        assert ".Mine(zmq.SUB)" in repr(mine)


# -- endpoints


def test_bind_and_connect_are_context_managers(socket: MakeSocket) -> None:
    """Leaving the `with` unbinds and disconnects; repr tells which it is."""
    name = inproc_name()
    a, b = socket(zmq.PUSH, sndtimeo=0), socket(zmq.PULL)
    bound = a.bind(name)
    assert f"bind={name!r}" in repr(bound)
    with bound as same:
        assert same is a
        connected = b.connect(name)
        assert f"connect={name!r}" in repr(connected)
        with connected as other:
            assert other is b
            a.send(b"x")
            assert b.recv() == b"x"
        wait_until(lambda: not a.poll(0, zmq.POLLOUT))
    with socket(zmq.PAIR) as other:
        other.bind(name)  # free again


def test_leaving_after_close_does_nothing(socket: MakeSocket) -> None:
    """A socket closed inside the `with` is not unbound."""
    sock = socket(zmq.PUSH)
    with sock.bind(inproc_name()):
        sock.close()


def test_a_port_of_the_systems_choice_is_unbound(socket: MakeSocket) -> None:
    """`with sock.bind("tcp://127.0.0.1:0")` knows the real port."""
    push, pull = socket(zmq.PUSH), socket(zmq.PULL)
    bound = push.bind("tcp://127.0.0.1:0")
    assert bound.addr == push.last_endpoint.decode()
    with bound:
        pull.connect(push.last_endpoint)
        push.send(b"x")
        assert pull.recv() == b"x"
    with raises_errno(errno.ENOENT):
        push.unbind(bound.addr)


def test_bytes_are_endpoints_too(socket: MakeSocket) -> None:
    """bind, connect, disconnect and unbind take bytes."""
    a, b = socket(zmq.PUSH), socket(zmq.PULL)
    a.bind(b"tcp://127.0.0.1:*")
    endpoint = a.last_endpoint
    b.connect(endpoint)
    b.disconnect(endpoint)
    a.unbind(endpoint)


@pytest.mark.parametrize("call", ["bind", "connect", "unbind", "disconnect"])
@pytest.mark.parametrize("addr", [5, None, ["tcp://127.0.0.1:1"]])
def test_endpoints_are_text(socket: MakeSocket, call: str, addr: Any) -> None:
    """Anything but str and bytes is a TypeError."""
    with pytest.raises(TypeError):
        getattr(socket(zmq.PUSH), call)(addr)


@pytest.mark.parametrize(
    ("addr", "number"),
    [
        ("tcp://", errno.EINVAL),
        ("tcp", errno.EINVAL),
        ("", errno.EINVAL),
        ("ftl://a", errno.EPROTONOSUPPORT),
    ],
)
@pytest.mark.parametrize("call", ["bind", "connect"])
def test_bad_endpoints_are_named(socket: MakeSocket, call: str, addr: str, number: int) -> None:
    """The error has libzmq's number and shows the address."""
    with pytest.raises(zmq.ZMQError) as caught:
        getattr(socket(zmq.PUSH), call)(addr)
    assert caught.value.errno == number
    assert repr(addr) in str(caught.value)
    assert zmq.strerror(number) in str(caught.value)


def test_long_ipc_paths_are_explained(socket: MakeSocket) -> None:
    """The error of a path that is too long tells how long it may be."""
    assert 30 < zmq.IPC_PATH_MAX_LEN < 1025
    with pytest.raises(zmq.ZMQError) as caught:
        socket(zmq.PUSH).bind("ipc:///tmp/" + "a" * zmq.IPC_PATH_MAX_LEN)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert str(zmq.IPC_PATH_MAX_LEN) in str(caught.value)


def test_missing_ipc_folders_are_explained(socket: MakeSocket) -> None:
    """The error of a path without folder shows the path."""
    with pytest.raises(zmq.ZMQError) as caught:
        socket(zmq.PUSH).bind("ipc:///no/such/folder")
    assert caught.value.errno == errno.ENOENT
    assert "/no/such/folder" in str(caught.value)
    assert "no such file or directory" in str(caught.value).lower()


def test_unbinding_what_is_not_bound_is_enoent(socket: MakeSocket) -> None:
    """So is disconnecting what is not connected."""
    sock = socket(zmq.PUSH)
    with raises_errno(errno.ENOENT, "tcp://127.0.0.1:5"):
        sock.unbind("tcp://127.0.0.1:5")
    with raises_errno(errno.ENOENT):
        sock.disconnect("tcp://127.0.0.1:5")


def test_random_ports(socket: MakeSocket) -> None:
    """bind_to_random_port returns the port; a range is kept to."""
    a, b = socket(zmq.PUSH), socket(zmq.PULL)
    port = a.bind_to_random_port("tcp://127.0.0.1")
    assert a.last_endpoint == f"tcp://127.0.0.1:{port}".encode()
    other = b.bind_to_random_port("tcp://127.0.0.1", min_port=port - 20, max_port=port + 20)
    assert port - 20 <= other < port + 20
    assert other != port


def test_random_ports_can_run_out(socket: MakeSocket) -> None:
    """ZMQBindError is raised when every try finds the port in use, and other errors at once."""
    a, b = socket(zmq.PUSH), socket(zmq.PULL)
    port = a.bind_to_random_port("tcp://127.0.0.1")
    with pytest.raises(zmq.ZMQBindError):
        b.bind_to_random_port("tcp://127.0.0.1", min_port=port, max_port=port + 1, max_tries=3)
    with raises_errno(errno.EINVAL):
        b.bind_to_random_port("tcp:*")
    with raises_errno(errno.EPROTONOSUPPORT):
        b.bind_to_random_port("rand://*")


# -- sending and receiving

BUFFERS = [b"data", bytearray(b"data"), memoryview(b"data"), array("b", b"data"), memoryview(bytearray(b"data"))]


@pytest.mark.parametrize("how", [True, False])
@pytest.mark.parametrize("data", BUFFERS, ids=lambda data: type(data).__name__)
def test_anything_with_a_buffer_can_be_sent(pair: MakePair, data: Any, how: bool) -> None:
    """send takes any buffer, copied or not; recv gives bytes."""
    a, b = pair()
    a.copy_threshold = 0
    a.send(data, copy=how)
    a.send_multipart([data, b"x", data], copy=how)
    received = b.recv()
    assert type(received) is bytes
    assert [received, *b.recv_multipart()] == [b"data", b"data", b"x", b"data"]


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("how", [True, False])
def test_large_messages_arrive_whole(pair: MakePair, tcp: bool, how: bool) -> None:
    """A megabyte goes through, as one frame and between others, from any memory."""
    a, b = pair(tcp=tcp)
    data = bytes(range(256)) * 4096
    table = memoryview(bytearray(data)).cast("B", (1024, 1024))
    a.send(data, copy=how)
    a.send_multipart([b"head", table, b"tail"], copy=how)
    assert b.recv() == data
    frames = b.recv_multipart(copy=False)
    assert [frame.bytes for frame in frames] == [b"head", data, b"tail"]
    assert memoryview(frames[1]) == data


def test_buffers_are_copied_when_sent(pair: MakePair) -> None:
    """What happens to a bytearray after a copying send does not matter."""
    a, b = pair()
    data = bytearray(b"before")
    a.send(data)
    a.send_multipart([data, data])
    data[:] = b"after!"
    assert b.recv() == b"before"
    assert b.recv_multipart() == [b"before", b"before"]


@pytest.mark.parametrize("how", [True, False])
@pytest.mark.parametrize("bad", ["text", 5, None, object(), ["x"]])
def test_what_has_no_buffer_is_not_sent(pair: MakePair, bad: Any, how: bool) -> None:
    """It is a TypeError, and nothing is sent, not even the parts before it."""
    a, b = pair()
    with pytest.raises(TypeError):
        a.send(bad, copy=how)
    with pytest.raises(TypeError):
        a.send_multipart([b"good", bad], copy=how)
    assert b.poll(0) == 0


def test_the_bad_part_is_named(pair: MakePair) -> None:
    """send_multipart tells which part has no buffer."""
    a, _ = pair()
    with pytest.raises(TypeError, match=r"Frame 1 \('text'\) does not support the buffer interface"):
        a.send_multipart([b"x", "text"])
    with pytest.raises(IndexError):
        a.send_multipart([])


def test_scattered_memory_is_not_sent(pair: MakePair) -> None:
    """A buffer that is not contiguous is a BufferError."""
    a, _ = pair()
    for how in (True, False):
        with pytest.raises(BufferError):
            a.send(memoryview(bytearray(10))[::2], copy=how)


def test_frames_go_out_as_they_came_in(pair: MakePair) -> None:
    """A received Frame can be sent on, several times, alone and among bytes."""
    a, b = pair()
    a.send(b"payload")
    frame = b.recv(copy=False)
    b.send(frame)
    b.send(frame, copy=False)
    b.send_multipart([b"head", frame])
    assert [a.recv(), a.recv()] == [b"payload", b"payload"]
    assert a.recv_multipart() == [b"head", b"payload"]


def test_sndmore_joins_frames(pair: MakePair) -> None:
    """Frames sent with SNDMORE and the first without are one message, however they are sent."""
    a, b = pair()
    a.send(b"1", zmq.SNDMORE)
    a.send_multipart([b"2", b"3"], zmq.SNDMORE)
    a.send_multipart([b"4", b"5"])
    a.send(b"alone")
    assert b.recv_multipart() == [b"1", b"2", b"3", b"4", b"5"]
    assert b.recv_multipart() == [b"alone"]


def test_rcvmore_tells_of_further_frames(pair: MakePair) -> None:
    """RCVMORE is 1 until the last frame; recv_multipart gives the rest."""
    a, b = pair()
    a.send_multipart([b"1", b"2", b"3"])
    assert (b.recv(), b.getsockopt(zmq.RCVMORE)) == (b"1", 1)
    assert (b.recv(), b.rcvmore) == (b"2", 1)
    assert b.recv_multipart() == [b"3"]
    assert b.rcvmore == 0


def test_dontwait_raises_again(pair: MakePair, socket: MakeSocket) -> None:
    """With DONTWAIT an empty queue, and no peer, are Again (EAGAIN), for every form of recv and send."""
    _, b = pair()
    lonely = socket(zmq.PUSH)
    calls: list[Any] = [
        lambda: b.recv(zmq.DONTWAIT),
        lambda: b.recv(zmq.NOBLOCK, copy=False),
        lambda: b.recv_multipart(zmq.DONTWAIT),
        lambda: b.recv_multipart(zmq.DONTWAIT, copy=False),
        lambda: b.recv_into(bytearray(1), flags=zmq.DONTWAIT),
        lambda: b.recv_json(zmq.DONTWAIT),
        lambda: lonely.send(b"x", zmq.DONTWAIT),
        lambda: lonely.send(bytearray(b"x"), zmq.DONTWAIT),
        lambda: lonely.send_multipart([b"x", b"y"], zmq.DONTWAIT),
        lambda: lonely.send_string("x", zmq.DONTWAIT),
    ]
    for call in calls:
        with pytest.raises(zmq.Again) as caught:
            call()
        assert caught.value.errno == zmq.EAGAIN


def test_extra_keywords_of_send_multipart_are_ignored(pair: MakePair) -> None:
    """pyzmq takes and drops them."""
    a, b = pair()
    a.send_multipart([b"x"], no_such_thing=1)
    assert b.recv() == b"x"


# -- recv_into


def test_recv_into_fills_memory(pair: MakePair) -> None:
    """The frame lands in the buffer; the size returned is the frame's, even where it did not fit."""
    a, b = pair()
    a.send_multipart([b"hello", b"there world", b"part 3", b"rest"])
    numbers = array("Q", [0])
    assert b.recv_into(numbers) == 5
    assert numbers.tobytes()[:5] == b"hello"
    short = bytearray(4)
    assert b.recv_into(short) == 11
    assert short == b"ther"
    part = bytearray(10)
    assert b.recv_into(part, nbytes=4) == 6
    assert part == b"part" + bytes(6)
    assert b.rcvmore
    assert b.recv_into(bytearray()) == 4
    assert not b.rcvmore


def test_recv_into_takes_large_frames(pair: MakePair) -> None:
    """A megabyte over tcp lands in the buffer."""
    a, b = pair(tcp=True)
    data = bytes(range(256)) * 4096
    a.send(data)
    memory = bytearray(len(data))
    assert b.recv_into(memory) == len(data)
    assert memory == data


@pytest.mark.parametrize(
    ("memory", "nbytes", "error"),
    [
        (bytearray(3), -1, ValueError),
        (bytearray(3), 4, ValueError),
        (b"readonly", 0, BufferError),
        (memoryview(bytearray(10))[::2], 0, BufferError),
        (5, 0, TypeError),
        ("text", 0, TypeError),
    ],
)
def test_recv_into_refuses(pair: MakePair, memory: Any, nbytes: int, error: type[Exception]) -> None:
    """A bad size, memory that cannot be written, and what is no memory are refused, and nothing is received."""
    a, b = pair()
    a.send(b"x")
    with pytest.raises(error):
        b.recv_into(memory, nbytes=nbytes)
    assert b.recv() == b"x"


# -- serialization


def test_strings_travel_encoded(pair: MakePair) -> None:
    """send_string and recv_string, under both names, use UTF-8 or what is asked for."""
    a, b = pair()
    a.send_string("çπ§")
    a.send_unicode("çé", encoding="latin-1")
    a.send_string("x", zmq.SNDMORE)
    a.send_string("y", copy=False)
    assert b.recv_string() == "çπ§"
    assert b.recv_unicode(encoding="latin-1") == "çé"
    assert [b.recv_string(), b.rcvmore, b.recv_string()] == ["x", 1, "y"]
    with pytest.raises(TypeError, match="str objects only"):
        a.send_string(b"bytes")


def test_json_travels(pair: MakePair) -> None:
    """send_json and recv_json pass keywords on to json."""
    a, b = pair()
    a.send_json({"a": [1, "é", None]})
    a.send_json({"b": 1, "a": 2}, sort_keys=True, separators=(",", ":"))
    assert b.recv_json() == {"a": [1, "é", None]}
    assert b.recv() == b'{"a":2,"b":1}'
    a.send(b'"caf\xc3\xa9"')
    a.send(b"1.5")
    assert b.recv_json() == "café"
    assert b.recv_json(parse_float=str) == "1.5"
    with pytest.raises(TypeError):
        a.send_json(object())
    a.send(b"{")
    with pytest.raises(json.JSONDecodeError):
        b.recv_json()


def test_objects_travel_pickled(pair: MakePair) -> None:
    """send_pyobj and recv_pyobj use pickle, of any protocol."""
    a, b = pair()
    thing = {"a": (1, 2), b"b": {3}}
    a.send_pyobj(thing)
    a.send_pyobj(thing, protocol=0)
    a.send_pyobj(thing, 0, -1)
    assert [b.recv_pyobj() for _ in range(3)] == [thing] * 3


def test_own_serialization(pair: MakePair) -> None:
    """send_serialized and recv_serialized go through frames, bytes or Frames."""
    a, b = pair()
    words = ["to", "be"]
    for how in (True, False):
        a.send_serialized(words, lambda each: [word.encode() for word in each], copy=how)
    assert b.recv_serialized(lambda frames: [frame.decode() for frame in frames]) == words
    assert b.recv_serialized(lambda frames: [frame.bytes.decode() for frame in frames], copy=False) == words


def test_draft_arguments_need_drafts(pair: MakePair) -> None:
    """routing_id, group, join and leave are RuntimeErrors as long as DRAFT_API is off."""
    if zmq.DRAFT_API:
        pytest.skip("drafts are on")
    a, _ = pair()
    calls: list[Any] = [
        lambda: a.send(b"x", routing_id=1),
        lambda: a.send(b"x", group="g"),
        lambda: a.send_json(1, routing_id=1),
        lambda: a.join("g"),
        lambda: a.leave(b"g"),
    ]
    for call in calls:
        with pytest.raises(RuntimeError):
            call()


# -- shadows


def test_copies_of_sockets_are_shadows(socket: MakeSocket) -> None:
    """copy, deepcopy, shadow(number), shadow(socket) and Socket(socket) show the same socket."""
    a, b = socket(zmq.PAIR), socket(zmq.PAIR)
    a.bind("inproc://shadows")
    b.connect("inproc://shadows")
    for twin in (
        copy.copy(a),
        copy.deepcopy(a),
        zmq.Socket.shadow(a.underlying),
        zmq.Socket.shadow(a),
        zmq.Socket(a),
        zmq.Socket(shadow=a),
    ):
        assert twin.underlying == a.underlying != b.underlying
        assert (twin.type, twin.closed) == (zmq.PAIR, False)
        twin.send(b"hi")
        assert b.recv() == b"hi"
    del twin
    gc.collect()
    assert not a.closed  # collecting a shadow closes nothing


def test_a_shadow_of_a_socket_keeps_it(socket: MakeSocket) -> None:
    """Its context is the socket's."""
    sock = socket(zmq.PUSH)
    twin = zmq.Socket(sock)
    assert twin.context is sock.context
    assert twin._shadow_obj is sock


def test_only_sockets_and_numbers_can_be_shadowed() -> None:
    """A str is no address."""
    with pytest.raises(ValueError, match="Cannot cast 'x' to int"):
        zmq.Socket(shadow="x")


@pytest.mark.departs
def test_a_closed_socket_cannot_be_reached_through_a_shadow(socket: MakeSocket) -> None:
    """Closing either face closes the other, and its number means nothing any more. (pyzmq: a wild pointer.)"""
    sock = socket(zmq.PUSH)
    number = sock.underlying
    twin = zmq.Socket.shadow(number)
    assert twin.context is sock.context
    twin.close()
    assert sock.closed
    with raises_errno(zmq.ENOTSOCK):
        sock.send(b"x")
    with raises_errno(zmq.ENOTSOCK, number):
        zmq.Socket.shadow(number)


# -- closing


def test_a_closed_socket_refuses_everything(socket: MakeSocket) -> None:
    """Every call is ENOTSOCK, but poll, which is ENOTSUP."""
    sock = socket(zmq.DEALER)
    sock.close()
    assert sock.closed
    assert sock.underlying == 0
    calls: list[Any] = [
        lambda: sock.send(b""),
        lambda: sock.send("text"),
        lambda: sock.send(b"", copy=False),
        lambda: sock.send_multipart([b"", b""]),
        lambda: sock.send_json(1),
        lambda: sock.recv(),
        lambda: sock.recv(copy=False),
        lambda: sock.recv_multipart(),
        lambda: sock.recv_into(bytearray(1)),
        lambda: sock.set(zmq.LINGER, 0),
        lambda: sock.get(zmq.LINGER),
        lambda: sock.linger,
        lambda: sock.rcvmore,
        lambda: setattr(sock, "linger", 0),
        lambda: sock.fileno(),
        lambda: sock.bind("tcp://127.0.0.1:*"),
        lambda: sock.connect("tcp://127.0.0.1:1"),
        lambda: sock.unbind("tcp://127.0.0.1:1"),
        lambda: sock.monitor(None),
        lambda: sock.get_monitor_socket(),
    ]
    for call in calls:
        with raises_errno(zmq.ENOTSOCK):
            call()
    with raises_errno(zmq.ENOTSUP):
        sock.poll(0)
    sock.close()
    sock.close(linger=0)


def test_a_socket_is_a_context_manager(ctx: Context) -> None:
    """Leaving the `with` closes it."""
    with ctx.socket(zmq.PUSH) as sock:
        assert not sock.closed
    assert sock.closed


def test_a_forgotten_socket_is_closed_with_a_warning(ctx: Context) -> None:
    """A socket that is collected warns and closes."""
    with pytest.warns(ResourceWarning, match="Unclosed socket"):
        ctx.socket(zmq.PUSH)
        gc.collect()
    ctx.term()  # nothing is open


def test_linger_must_be_a_number(socket: MakeSocket) -> None:
    """close(linger="x") is a TypeError and closes nothing."""
    sock = socket(zmq.PUSH)
    with pytest.raises(TypeError):
        sock.close(linger="x")
    assert not sock.closed


def test_close_drops_what_linger_says(ctx: Context) -> None:
    """close(linger=0) lets term() return though a message has nowhere to go."""
    sock = ctx.socket(zmq.PUSH)
    sock.connect("tcp://127.0.0.1:9")
    sock.send(b"x")
    sock.close(linger=0)
    ctx.term()


def test_close_after_the_context_has_shut_down(ctx: Context) -> None:
    """A socket whose context is being terminated can be closed, and nothing else."""
    sock = ctx.socket(zmq.PULL)
    thread = threading.Thread(target=ctx.term)
    thread.start()
    with pytest.raises(zmq.ContextTerminated):
        sock.recv()
    with pytest.raises(zmq.ContextTerminated):
        sock.getsockopt(zmq.EVENTS)
    assert not sock.closed
    sock.close(linger=0)
    thread.join()
    assert sock.closed
