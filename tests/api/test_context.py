# SPDX-License-Identifier: MPL-2.0
"""Context: making sockets, defaults, options, shadows, the instance, and the end."""

import copy
import gc
import threading
import weakref
from typing import Any

import pytest

from tests.api.helpers import Context, raises_errno
from tests.support.target import zmq
from tests.support.waiting import PATIENCE, seconds, wait_until

# -- construction and options


def test_negative_io_threads_are_refused() -> None:
    """Context(-1) fails with EINVAL."""
    with raises_errno(zmq.EINVAL, -1):
        zmq.Context(-1)


@pytest.mark.parametrize("value", ["x", None, b"2"])
def test_io_threads_must_be_an_int(value: Any) -> None:
    """Context("x") is a TypeError."""
    with pytest.raises((TypeError, ValueError)):
        zmq.Context(value)


def test_io_threads_are_set_by_the_constructor() -> None:
    """IO_THREADS reads what the constructor was given."""
    with zmq.Context(3) as ctx:
        assert ctx.io_threads == ctx.IO_THREADS == ctx.get(zmq.IO_THREADS) == 3


def test_context_options_are_attributes_in_any_case(ctx: Context) -> None:
    """max_sockets can be set and read as an attribute, in any mixture of cases."""
    ctx.max_sockets = 7
    assert ctx.get(zmq.MAX_SOCKETS) == ctx.Max_Sockets == ctx.MAX_SOCKETS == 7


def test_bad_context_options_are_refused(ctx: Context) -> None:
    """An unknown option is EINVAL, a wrong type TypeError, both for set and get."""
    with raises_errno(zmq.EINVAL, 7777):
        ctx.get(7777)
    with raises_errno(zmq.EINVAL, 7777):
        ctx.set(7777, 1)
    with pytest.raises(TypeError):
        ctx.get("x")
    with pytest.raises(TypeError, match="expected int, got: 'x'"):
        ctx.set(zmq.IO_THREADS, "x")
    with pytest.raises(OverflowError):
        ctx.set(zmq.IO_THREADS, 2**40)


def test_misspelt_attributes_raise_attribute_error(ctx: Context) -> None:
    """Neither reading nor setting nor deleting a name that is no option passes in silence."""
    with pytest.raises(AttributeError, match="FOO"):
        _ = ctx.foo
    with pytest.raises(AttributeError, match="FOO"):
        ctx.foo = 1
    with pytest.raises(AttributeError, match="FOO"):
        del ctx.foo
    with pytest.raises(AttributeError):
        ctx.again = 1  # a name of the module, but no option


def test_dir_names_the_options(ctx: Context) -> None:
    """dir() has methods and context options."""
    assert {"socket", "term", "IO_THREADS"} <= set(dir(ctx))


def test_subclasses_may_declare_attributes() -> None:
    """What a class declares is an attribute and no option."""

    class Mine(zmq.Context):
        colour = None
        size: int

    with Mine() as ctx:
        ctx.colour, ctx.size = "red", 3
        assert (ctx.colour, ctx.size) == ("red", 3)


# -- sockets and their defaults


def test_socket_defaults_apply_to_sockets_made_later(ctx: Context) -> None:
    """ctx.linger = 5 is the LINGER of every new socket, and of no old one."""
    before = ctx.socket(zmq.PUSH)
    ctx.linger = 5
    ctx.setsockopt(zmq.SNDHWM, 77)
    after = ctx.socket(zmq.PUSH)
    assert (before.linger, after.linger, after.sndhwm) == (-1, 5, 77)
    assert ctx.linger == ctx.getsockopt(zmq.LINGER) == 5
    assert ctx.sockopts == {zmq.LINGER: 5, zmq.SNDHWM: 77}
    before.close()
    after.close()


def test_a_default_that_does_not_fit_the_type_is_passed_over(ctx: Context) -> None:
    """SUBSCRIBE as a default does not keep a REQ from being made."""
    ctx.subscribe = b"topic"
    ctx.socket(zmq.REQ).close()
    ctx.socket(zmq.SUB).close()


@pytest.mark.parametrize("name", ["curve_secretkey", "curve_serverkey", "plain_password"])
def test_a_default_that_should_protect_is_not_passed_over(ctx: Context, name: str) -> None:
    """A key that is none would leave the socket open to everybody (pyzmq: does)."""
    setattr(ctx, name, b"x" * 300)
    with pytest.raises(zmq.ZMQError, match=name.upper()) as caught:
        ctx.socket(zmq.PUSH)
    assert caught.value.errno == zmq.EINVAL
    assert not ctx._sockets


def test_a_default_can_be_deleted(ctx: Context) -> None:
    """After del ctx.linger it is no attribute, and new sockets have libzmq's."""
    ctx.linger = 5
    del ctx.linger
    with pytest.raises(AttributeError, match="LINGER"):
        _ = ctx.linger
    with pytest.raises(AttributeError, match="LINGER"):
        del ctx.linger
    sock = ctx.socket(zmq.REQ)
    assert sock.linger == -1
    sock.close()


def test_socket_class_and_kwargs_reach_the_constructor(ctx: Context) -> None:
    """ctx.socket(type, socket_class=C, **kwargs) calls C(ctx, type, **kwargs)."""

    class Mine(zmq.Socket):
        extra = None

        def __init__(self, *args: Any, extra: Any = None, **kwargs: Any) -> None:
            self.extra = extra
            super().__init__(*args, **kwargs)

    with ctx.socket(zmq.PUSH, socket_class=Mine, extra="x", copy_threshold=3) as sock:
        assert isinstance(sock, Mine)
        assert (sock.extra, sock.copy_threshold, sock.context) == ("x", 3, ctx)


def test_unknown_types_are_refused(ctx: Context) -> None:
    """A type that does not exist is EINVAL, a negative one a TypeError."""
    with raises_errno(zmq.EINVAL, 99):
        ctx.socket(99)
    with pytest.raises(TypeError):
        ctx.socket(-1)
    with pytest.raises(TypeError):
        ctx.socket("PUSH")


def test_max_sockets_is_a_limit() -> None:
    """One socket more than MAX_SOCKETS is EMFILE; after a close there is room again."""
    with zmq.Context() as ctx:
        ctx.max_sockets = 2
        socks = [ctx.socket(zmq.PAIR), ctx.socket(zmq.PAIR)]
        with raises_errno(24, 2):
            ctx.socket(zmq.PAIR)
        socks.pop().close()

        def room() -> Any:
            try:
                return ctx.socket(zmq.PAIR)
            except zmq.ZMQError:
                return None

        wait_until(room).close()
        socks.pop().close()


# -- the end


def test_leaving_a_with_block_closes_sockets_with_a_warning() -> None:
    """`with Context()` closes what was left open, warns of it, and terminates."""
    with pytest.warns(ResourceWarning, match="unclosed socket"):
        with zmq.Context() as ctx:
            sock = ctx.socket(zmq.PUSH)
    assert sock.closed
    assert ctx.closed


def test_destroy_closes_all_sockets_with_the_linger_given(ctx: Context) -> None:
    """destroy(linger=0) does not wait for a message that nobody takes."""
    sock = ctx.socket(zmq.PUSH)
    sock.connect("tcp://127.0.0.1:9")
    sock.send(b"never delivered")
    ctx.destroy(linger=0)
    assert sock.closed
    assert ctx.closed
    ctx.destroy()  # again: nothing


def test_term_waits_for_sockets_to_be_closed(ctx: Context) -> None:
    """term() returns only after the last socket is closed."""
    sock = ctx.socket(zmq.REQ)
    thread = threading.Thread(target=ctx.term)
    thread.start()
    thread.join(seconds(0.1))
    assert thread.is_alive()
    sock.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert ctx.closed


def test_term_ends_blocking_calls_of_other_threads(ctx: Context) -> None:
    """A recv that waits fails with ContextTerminated."""
    ready = threading.Event()
    caught: list[Exception] = []

    def block() -> None:
        with ctx.socket(zmq.PULL) as sock:
            ready.set()
            try:
                sock.recv()
            except zmq.ContextTerminated as error:
                caught.append(error)

    thread = threading.Thread(target=block)
    thread.start()
    ready.wait(PATIENCE)
    ctx.term()
    thread.join(PATIENCE)
    assert [error.errno for error in caught] == [zmq.ETERM]  # type: ignore[attr-defined]


def test_a_closed_context_refuses(ctx: Context) -> None:
    """socket() is ENOTSUP; set and get are RuntimeError; term, destroy and a second term do nothing."""
    ctx.term()
    with raises_errno(zmq.ENOTSUP):
        ctx.socket(zmq.PUSH)
    with pytest.raises(RuntimeError, match="destroyed"):
        ctx.get(zmq.IO_THREADS)
    with pytest.raises(RuntimeError, match="destroyed"):
        ctx.set(zmq.IO_THREADS, 1)
    ctx.term()
    ctx.destroy()
    assert ctx.underlying == 0
    assert "closed" in repr(ctx)


def test_a_forgotten_context_is_destroyed_with_a_warning() -> None:
    """A context that is collected warns, closes its sockets and ends."""
    with pytest.warns(ResourceWarning, match="Unclosed context"):
        ctx = zmq.Context()
        reference = weakref.ref(ctx)
        del ctx
        gc.collect()
    assert reference() is None


def test_a_context_lives_as_long_as_its_sockets() -> None:
    """A socket keeps its context alive."""
    sock = zmq.Context().socket(zmq.PUSH)
    gc.collect()
    assert not sock.context.closed
    context = sock.context
    sock.close()
    context.term()


def test_repr_counts_sockets(ctx: Context) -> None:
    """repr tells how many sockets are open."""
    assert "Context()" in repr(ctx)
    with ctx.socket(zmq.PUSH):
        assert "Context(1 socket)" in repr(ctx)
        with ctx.socket(zmq.PUSH):
            assert "Context(2 sockets)" in repr(ctx)
    assert "Context()" in repr(ctx)
    assert "closed" not in repr(ctx)


@pytest.mark.departs
def test_shutdown_fails_calls_but_does_not_wait(ctx: Context) -> None:
    """After shutdown() sockets fail with ETERM and can be closed; term() is still to come. (pyzmq has no shutdown.)"""
    sock = ctx.socket(zmq.PULL)
    ctx.shutdown()
    with pytest.raises(zmq.ContextTerminated):
        sock.recv()
    with pytest.raises(zmq.ContextTerminated):
        ctx.socket(zmq.PULL)
    assert not ctx.closed
    sock.close()
    ctx.term()


@pytest.mark.departs
def test_sockets_made_without_ctx_socket_are_destroyed_too() -> None:
    """Socket(ctx, type) is known to its context. (pyzmq: destroy() would wait for it for ever.)"""
    ctx = zmq.Context()
    sock = zmq.Socket(ctx, zmq.PUSH)
    ctx.destroy()
    assert sock.closed


# -- shadows


def test_copies_are_shadows(ctx: Context) -> None:
    """copy and deepcopy give other faces of the same context."""
    for twin in (copy.copy(ctx), copy.deepcopy(ctx), zmq.Context(ctx), zmq.Context.shadow(ctx.underlying)):
        assert twin is not ctx
        assert twin.underlying == ctx.underlying
    del twin
    gc.collect()
    assert not ctx.closed  # collecting a shadow ends nothing


def test_a_shadow_makes_sockets_of_its_own(ctx: Context) -> None:
    """Sockets of a shadow talk with those of the context; closing one side leaves the other open."""
    twin = zmq.Context.shadow(ctx)
    with ctx.socket(zmq.PAIR) as ours:
        ours.bind("inproc://shadow")
        with twin.socket(zmq.PAIR) as theirs:
            theirs.connect("inproc://shadow")
            theirs.send(b"hi")
            assert ours.recv() == b"hi"
        assert theirs.closed
        assert not ours.closed


def test_a_shadow_of_an_ended_context_makes_no_sockets(ctx: Context) -> None:
    """After term() of the context, socket() of a shadow is EFAULT."""
    twin = zmq.Context.shadow(ctx)
    ctx.term()
    with raises_errno(zmq.EFAULT):
        twin.socket(zmq.PUSH)


def test_only_numbers_and_contexts_can_be_shadowed() -> None:
    """A str is no address."""
    with pytest.raises(ValueError, match="Cannot cast 'x' to int"):
        zmq.Context(shadow="x")


@pytest.mark.departs
def test_an_unknown_number_is_no_context() -> None:
    """A number that is not (or no longer) the underlying of a context is EFAULT. (pyzmq: a wild pointer.)"""
    with raises_errno(zmq.EFAULT, 123456789):
        zmq.Context.shadow(123456789)


# -- the instance


@pytest.fixture
def no_instance() -> Any:
    """No global context before and after."""
    zmq.Context.instance().term()
    yield
    zmq.Context.instance().term()


@pytest.mark.usefixtures("no_instance")
def test_instance_is_one_until_it_is_closed() -> None:
    """instance() gives the same context each time, and a new one once that is closed."""
    first = zmq.Context.instance()
    assert zmq.Context.instance(io_threads=2) is first
    first.term()
    second = zmq.Context.instance()
    assert second is not first
    assert not second.closed


@pytest.mark.usefixtures("no_instance")
def test_instance_belongs_to_its_class() -> None:
    """A subclass inherits an instance that exists, unless it declares its own."""

    class Own(zmq.Context):
        _instance = None

    class Heir(zmq.Context):
        pass

    base = zmq.Context.instance()
    own = Own.instance()
    assert type(own) is Own
    assert Heir.instance() is base
    own.term()


@pytest.mark.usefixtures("no_instance")
def test_threads_get_one_instance() -> None:
    """Threads that ask at once get the same context."""
    barrier = threading.Barrier(8)
    found: list[Any] = []

    def ask() -> None:
        barrier.wait()
        found.append(zmq.Context.instance())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each is found[0] for each in found)
