# SPDX-License-Identifier: MPL-2.0
"""The whole public face beside pyzmq's: names, kinds, parameters with their defaults, in every module.

Each difference stands in a table below with its reason; a difference that is not there fails, and so does an entry for
which there is no difference any more.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

pyzmq = pytest.importorskip("zmq")

pytestmark = [pytest.mark.interop, pytest.mark.departs]

#: Modules that both have, below `zmq` and `libzmq_py`.
MODULES = [
    "",
    "auth",
    "auth.base",
    "auth.certs",
    "auth.thread",
    "constants",
    "curve_keygen",
    "decorators",
    "devices",
    "devices.basedevice",
    "devices.monitoredqueue",
    "devices.monitoredqueuedevice",
    "devices.proxydevice",
    "devices.proxysteerabledevice",
    "error",
    "log",
    "log.handlers",
    "utils",
    "utils.interop",
    "utils.jsonapi",
    "utils.monitor",
    "utils.strtypes",
    "utils.win32",
    "utils.z85",
]

#: Modules of pyzmq that are not here.
MISSING_MODULES = {
    "asyncio": "to come",
    "backend": "how pyzmq reaches the C library",
    "eventloop": "for tornado, whose programs run on pyzmq with libzmq_py as its backend",
    "green": "for gevent, whose programs run on pyzmq with libzmq_py as its backend",
    "ssh": "no library this one is built on can open a tunnel; `ssh -L` does the same (docs/security.md)",
    "sugar": "how pyzmq is made; its classes are those of the package",
    "tests": "pyzmq's own",
    "utils.garbage": "serves pyzmq's compiled code",
}

#: Names of pyzmq's that are not here, or not the same.
DIFFERENCES = {
    "Context.shadow_pyczmq": "pyczmq wraps the C library",
    "Frame.__init__": "pyzmq's is compiled and shows (*args, **kwargs)",
    "Message.__init__": "the same class",
    "Socket.monitor": "also takes version and type (zmq_socket_monitor_versioned)",
    "zmq_poll": "also takes sigmask (zmq_ppoll)",
    "Socket.send_pyobj": "None stands for pickle.DEFAULT_PROTOCOL, so that pickle is imported only where it is used",
}


def modules(name: str) -> tuple[ModuleType, ModuleType]:
    """pyzmq's and ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dotted = f".{name}" if name else ""
        return importlib.import_module(f"zmq{dotted}"), importlib.import_module(f"libzmq_py{dotted}")


def public(thing: Any) -> set[str]:
    """Names without underscore, of attributes and annotations."""
    bases = thing.__mro__ if inspect.isclass(thing) else [thing]
    names = {*dir(thing), *(name for base in bases for name in inspect.get_annotations(base))}
    return {name for name in names if not name.startswith("_")}


def exported(module: ModuleType) -> set[str]:
    """What a module is for: __all__, else what it defines itself."""
    if hasattr(module, "__all__"):
        return {name for name in module.__all__ if not name.startswith("__")}
    return {name for name in public(module) if getattr(getattr(module, name), "__module__", None) == module.__name__}


def parameters(function: Any) -> list[tuple[str, Any, Any]] | None:
    """Name, kind and default of each parameter; None if there is nothing to tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return [(each.name, each.kind, each.default) for each in signature.parameters.values()]


def differences(name: str) -> Iterator[str]:
    """Dotted names that differ, in one module."""
    theirs, ours = modules(name)
    prefix = f"{name}." if name else ""
    for each in sorted(exported(theirs)):
        if not hasattr(ours, each):
            yield prefix + each
            continue
        their, our = getattr(theirs, each), getattr(ours, each)
        if inspect.isclass(their) != inspect.isclass(our) or callable(their) != callable(our):
            yield prefix + each
        elif inspect.isclass(their):
            yield from (prefix + each + "." + member for member in class_differences(their, our))
        elif callable(their) and parameters(their) != parameters(our):
            yield prefix + each
        elif isinstance(their, (int, str, bytes)) and their != our:
            yield prefix + each


def class_differences(their: type, our: type) -> Iterator[str]:
    """Names of members that differ."""
    yield from sorted(public(their) - public(our))
    for member in sorted((public(their) & public(our)) | {"__init__"}):
        their_member, our_member = getattr(their, member, None), getattr(our, member, None)
        # Compiled methods do not tell their parameters before 3.13, and enum members are no functions.
        if inspect.isroutine(their_member) and parameters(their_member) not in (None, parameters(our_member)):
            yield member


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_exports(name: str) -> None:
    """The names of a module of pyzmq are there, with the same parameters, but for the differences listed."""
    # Those of the package itself begin with no module.
    if name:
        known = {each for each in DIFFERENCES if each.startswith(f"{name}.")}
    else:
        known = {each for each in DIFFERENCES if each.partition(".")[0] not in MODULES}
    assert set(differences(name)) == known


def test_all_modules_are_there() -> None:
    """Every module of pyzmq is here, but for those listed."""
    found = {each.name for each in pkgutil.iter_modules(pyzmq.__path__)}
    found |= {f"utils.{each.name}" for each in pkgutil.iter_modules(modules("utils")[0].__path__)}
    found |= {f"devices.{each.name}" for each in pkgutil.iter_modules(modules("devices")[0].__path__)}
    found |= {f"log.{each.name}" for each in pkgutil.iter_modules(modules("log")[0].__path__)}
    wanted = {each for each in found if not each.rpartition(".")[2].startswith("_")}
    assert wanted - {each for each in MODULES if each} == set(MISSING_MODULES)
