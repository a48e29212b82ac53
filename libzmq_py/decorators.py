# SPDX-License-Identifier: MPL-2.0
"""Functions that are given a context and sockets, which live as long as the call::

    @context()
    @socket(zmq.PUSH)
    def work(ctx, push): ...

Without a name the object is the last positional argument, so decorators give theirs in the order in which they are
written; with a name (first argument, or ``name=``) it is that keyword argument.

No libzmq twin: pyzmq's decorators.py.
Departs: what a decorator needs is not kept on it, so one decorator may serve several functions at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, cast

from libzmq_py.api.context import Context

_CallableT = TypeVar("_CallableT", bound=Callable[..., object])


class _Decorator(Protocol):
    def __call__(self, func: _CallableT, /) -> _CallableT: ...


def context(*args: Any, **kwargs: Any) -> _Decorator:
    """Give the function a new context, destroyed when it returns.

    Args:
        *args: The name of the keyword argument, if it is to be one (or ``name=``); the rest goes to ``Context``.
        **kwargs: For ``Context``.
    """
    name, args = _take_name(args, kwargs)
    return _decorator(name, lambda *_args, **_kwargs: Context(*args, **kwargs))


def socket(*args: Any, **kwargs: Any) -> _Decorator:
    """Give the function a new socket, closed when it returns.

    Its context is the keyword argument ``context_name`` of the call, else the first positional argument that is one,
    else ``Context.instance()``.

    Args:
        *args: The name of the keyword argument, if it is to be one (or ``name=``); then the type of the socket, and
            what else ``Context.socket`` takes.
        **kwargs: ``context_name`` ("context" if not given); the rest for ``Context.socket``.
    """
    name, args = _take_name(args, kwargs)
    context_name = kwargs.pop("context_name", "context")

    def make(*call_args: Any, **call_kwargs: Any) -> AbstractContextManager[Any]:
        return cast("AbstractContextManager[Any]", _find(context_name, call_args, call_kwargs).socket(*args, **kwargs))

    return _decorator(name, make)


def _take_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str | None, tuple[Any, ...]]:
    """The name of the argument, if one is given, and what remains of `args`."""
    if isinstance(kwargs.get("name"), str):
        return kwargs.pop("name"), args
    if args and isinstance(args[0], str):
        return args[0], args[1:]
    return None, args


def _find(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Context[Any]:
    for candidate in (kwargs.get(name), *args):
        if isinstance(candidate, Context):
            return candidate
    return Context.instance()


def _decorator(name: str | None, make: Callable[..., AbstractContextManager[Any]]) -> _Decorator:
    def decorate(func: _CallableT) -> _CallableT:
        @functools.wraps(func)
        def call(*args: Any, **kwargs: Any) -> object:
            with make(*args, **kwargs) as made:
                if name is None:
                    return func(*args, made, **kwargs)
                if name in kwargs:
                    raise TypeError(f"{func.__name__}() got multiple values for argument {name!r}")
                return func(*args, **kwargs, **{name: made})

        return cast("_CallableT", call)

    return decorate


__all__ = ["context", "socket"]
