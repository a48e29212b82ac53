# SPDX-License-Identifier: MPL-2.0
"""Decorators that give contexts and sockets to functions."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.conftest import TARGET
from tests.support.target import zmq

decorators = importlib.import_module(f"{TARGET}.decorators")
context, socket = decorators.context, decorators.socket


def test_positional_arguments() -> None:
    """Context and sockets come behind the caller's arguments, in the order in which the decorators are written."""
    seen = []

    @context()
    @socket(zmq.PUSH)
    @socket(zmq.PULL)
    def work(first: int, ctx: Any, push: Any, pull: Any, *, last: int) -> str:
        """What it does."""
        seen.extend([ctx, push, pull])
        assert isinstance(ctx, zmq.Context) and push.context is ctx and pull.context is ctx
        assert (push.type, pull.type) == (zmq.PUSH, zmq.PULL)
        push.bind("inproc://a")
        pull.connect("inproc://a")
        push.send(b"x")
        assert pull.recv() == b"x"
        return f"{first} {last}"

    assert work(1, last=2) == "1 2"
    assert all(each.closed for each in seen)
    assert (work.__name__, work.__doc__) == ("work", "What it does.")


def test_each_call_has_its_own() -> None:
    """Nothing is shared between calls."""

    @context()
    def work(ctx: Any) -> Any:
        return ctx

    first, second = work(), work()
    assert first is not second and first.closed and second.closed


@pytest.mark.parametrize(
    ("context_args", "context_kwargs", "socket_args", "socket_kwargs"),
    [
        (("ctx",), {}, ("sock", zmq.PUB), {"context_name": "ctx"}),
        ((), {"name": "ctx"}, (zmq.PUB,), {"name": "sock", "context_name": "ctx"}),
    ],
)
def test_keyword_arguments(context_args: Any, context_kwargs: Any, socket_args: Any, socket_kwargs: Any) -> None:
    """A name makes it a keyword argument; the socket finds its context under `context_name`."""

    @context(*context_args, **context_kwargs)
    @socket(*socket_args, **socket_kwargs)
    def work(*, ctx: Any, sock: Any) -> None:
        assert sock.context is ctx and sock.type == zmq.PUB

    work()
    with pytest.raises(TypeError, match="multiple values for argument 'ctx'"):
        work(ctx=None)


def test_arguments_of_the_constructors() -> None:
    """What is left over goes to Context and to Context.socket."""

    class Own(zmq.Socket):  # type: ignore[misc, name-defined]
        pass

    @context(io_threads=2)
    @socket(zmq.PUSH, socket_class=Own, copy_threshold=5)
    def work(ctx: Any, push: Any) -> None:
        assert ctx.get(zmq.IO_THREADS) == 2
        assert type(push) is Own and push.copy_threshold == 5

    work()


def test_without_a_context_the_instance_is_used() -> None:
    """A socket alone lives in Context.instance(), or in a context among the arguments."""

    @socket(zmq.PUSH)
    def work(*args: Any) -> Any:
        return args[-1].context

    try:
        assert work() is zmq.Context.instance()
        with zmq.Context() as ctx:
            assert work(1, ctx) is ctx
            assert work(zmq.Context.instance(), ctx) is zmq.Context.instance()
    finally:
        zmq.Context.instance().term()


def test_closed_when_the_function_fails() -> None:
    """An exception comes out, and everything is closed."""
    seen = []

    @context()
    @socket(zmq.PUSH)
    def work(ctx: Any, push: Any) -> None:
        seen.extend([ctx, push])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert all(each.closed for each in seen)
