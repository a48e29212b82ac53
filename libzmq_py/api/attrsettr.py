# SPDX-License-Identifier: MPL-2.0
"""Options as attributes: ``sock.linger = 0``, ``ctx.io_threads``.

Two ways, for two needs:

* ``AttributeSetter`` (Context) looks names up when they are used, through ``__getattr__``; any mixture of upper and
  lower case will do.
* ``OptionAttribute`` (Socket, Frame) is a descriptor, put on the class for every option in both cases by
  ``option_attributes``. A class with ``__getattr__`` pays about 0.1 µs for *every* attribute and method, ``send`` and
  ``recv`` included, up to CPython 3.12.

In both, what is neither an option nor declared by a class raises AttributeError when it is set, so that a misspelt
option does not pass in silence.

No libzmq twin: pyzmq's sugar/attrsettr.py.
Departs: on sockets and frames the descriptors know ``sock.linger`` and ``sock.LINGER``, but not ``sock.Linger``;
and only options, where pyzmq takes any constant for one (``sock.PAIR`` reads option 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from errno import EFAULT, EINVAL
from typing import Any, TypeVar

from libzmq_py import constants
from libzmq_py.errors import ZMQError

#: What an option's value can be.
OptValT = str | bytes | int

_T = TypeVar("_T")


def is_declared(cls: type, name: str) -> bool:
    """True if some class of the MRO has the name as an attribute or annotation."""
    return any(name in base.__dict__ or name in getattr(base, "__annotations__", ()) for base in cls.__mro__)


class AttributeSetter:
    """Mixin: attributes that are no attributes are options, for ``get`` and ``set``."""

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.__dict__ or is_declared(type(self), key):
            object.__setattr__(self, key, value)
        else:
            self._set_attr_opt(key.upper(), self._option_of(key), value)

    def __getattr__(self, key: str) -> OptValT:
        """Read an option; one that cannot be read is an attribute that does not exist (mock and others count on it)."""
        option = self._option_of(key)
        try:
            return self._get_attr_opt(key.upper(), option)
        except ZMQError as error:
            if error.errno in (EINVAL, EFAULT):
                raise AttributeError(f"{key} attribute is write-only") from error
            raise

    def _option_of(self, key: str) -> int:
        option = getattr(constants, key.upper(), None)
        if not isinstance(option, int):
            raise AttributeError(f"{type(self).__name__} has no such option: {key.upper()}")
        return option

    def _set_attr_opt(self, name: str, opt: int, value: Any) -> None:
        self.set(opt, value)

    def _get_attr_opt(self, name: str, opt: int) -> OptValT:
        return self.get(opt)

    def set(self, option: int, value: Any) -> None:
        """Set an option."""
        raise NotImplementedError

    def get(self, option: int) -> OptValT:
        """Read an option."""
        raise NotImplementedError


class OptionAttribute:
    """One option as an attribute, by way of the owner's ``get`` and ``set``."""

    def __init__(self, name: str, option: IntEnum) -> None:
        self._name = name
        self.option = option
        self.__doc__ = f"Option {option.name}."

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            return instance.get(self.option)
        except ZMQError as error:
            if error.errno in (EINVAL, EFAULT):
                raise AttributeError(f"{self._name} attribute is write-only") from error
            raise

    def __set__(self, instance: Any, value: Any) -> None:
        instance.set(self.option, value)


def option_attributes(options: Iterable[tuple[str, IntEnum]]) -> Callable[[type[_T]], type[_T]]:
    """Decorate a class: each option becomes an attribute, in lower and in upper case, where its name is still free."""

    def decorate(cls: type[_T]) -> type[_T]:
        taken = {name for base in cls.__mro__ for name in (*base.__dict__, *getattr(base, "__annotations__", ()))}
        for name, option in options:
            for spelling in (name.lower(), name):
                if spelling not in taken:
                    setattr(cls, spelling, OptionAttribute(spelling, option))
        return cls

    return decorate
