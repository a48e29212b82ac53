# SPDX-License-Identifier: MPL-2.0
"""The names of the package: all of pyzmq's, and how they come to be there."""

import importlib
import importlib.resources
import inspect
import subprocess
import sys
from typing import Any

import pytest

from tests.api.helpers import ROOT, TARGET, run_script
from tests.support.target import zmq

# What pyzmq's __all__ has only because its modules import it.
_STRAY = {"Enum", "IntEnum", "IntFlag"}


def _public_names(module: Any) -> set[str]:
    return set(module.__all__) - _STRAY


def test_all_names_exist() -> None:
    """Every name of __all__ is an attribute, listed by dir(), and none is listed twice."""
    assert [name for name in zmq.__all__ if not hasattr(zmq, name)] == []
    assert set(zmq.__all__) <= {*dir(zmq), *_STRAY}


def test_pyzmqs_names_are_all_there() -> None:
    """What pyzmq exports, libzmq_py exports, of the same kind and, for constants, the same value."""
    pyzmq = importlib.import_module("zmq")
    assert _public_names(pyzmq) - _public_names(zmq) == set()
    for name in _public_names(pyzmq):
        theirs, ours = getattr(pyzmq, name), getattr(zmq, name)
        assert inspect.isclass(theirs) == inspect.isclass(ours), name
        assert callable(theirs) == callable(ours), name
        if isinstance(theirs, int):
            assert theirs == ours, name


@pytest.mark.parametrize("class_name", ["Context", "Socket", "Frame", "Poller", "MessageTracker", "ZMQError"])
def test_the_classes_have_pyzmqs_members(class_name: str) -> None:
    """Every public method and attribute of pyzmq's classes exists."""
    pyzmq = importlib.import_module("zmq")
    theirs, ours = getattr(pyzmq, class_name), getattr(zmq, class_name)
    wanted = {name for name in dir(theirs) if not name.startswith("_")}
    if class_name == "Context":
        wanted.discard("shadow_pyczmq")  # pyczmq wraps the C library
    # Attributes of instances are annotated.
    annotated = {name for base in ours.__mro__ for name in getattr(base, "__annotations__", ())}
    assert wanted - set(dir(ours)) - annotated == set()


@pytest.mark.parametrize(
    "name",
    ["Socket.send", "Socket.recv", "Socket.send_multipart", "Socket.recv_multipart", "Socket.send_string"]
    + ["Socket.recv_string", "Socket.send_json", "Socket.recv_json", "Socket.recv_pyobj", "Socket.send_serialized"]
    + ["Socket.recv_serialized", "Socket.poll", "Socket.close", "Socket.bind", "Socket.connect", "Socket.set_string"]
    + ["Socket.bind_to_random_port", "Socket.get_monitor_socket", "Socket.disable_monitor", "Socket.get_string"]
    + ["Context.socket", "Context.destroy", "Context.term", "Context.instance", "Context.setsockopt"]
    + ["Poller.register", "Poller.modify", "Poller.unregister", "Poller.poll", "select", "MessageTracker.wait"],
)
def test_signatures_are_pyzmqs(name: str) -> None:
    """Parameters have the same names, order, kinds and defaults."""
    pyzmq = importlib.import_module("zmq")

    def parameters(module: Any) -> list[tuple[str, Any, Any]]:
        target = module
        for part in name.split("."):
            target = getattr(target, part)
        return [(p.name, p.kind, p.default) for p in inspect.signature(target).parameters.values()]

    assert parameters(zmq) == parameters(pyzmq)


def test_unknown_names_are_refused() -> None:
    """The module has no attribute that it has not."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = zmq.no_such_name


def test_star_import() -> None:
    """`from zmq import *` gives sockets and constants."""
    used = "Context, PUSH, ZMQError, Poller, zmq_poll, _FINISHED_TRACKER"
    done = run_script(f"from {TARGET} import *\n{used}\nprint('fine')")
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_errors_and_constants_are_modules() -> None:
    """zmq.error and zmq.constants have what their names say."""
    assert zmq.error.ZMQError is zmq.ZMQError
    assert zmq.constants.SocketType is zmq.SocketType


@pytest.mark.departs
def test_the_submodule_proxy_does_not_hide_the_function() -> None:
    """zmq.proxy is the function, before and after libzmq_py.proxy is imported, and whoever imports that."""
    done = run_script(
        """
        import libzmq_py.proxy
        from libzmq_py.proxy import proxy as core
        assert callable(zmq.proxy) and zmq.proxy is not core
        zmq.proxy = None
        assert zmq.proxy is None
        """
    )
    assert done.stderr == ""


#: What takes long to import and is used by few programs.
_HEAVY = {"json", "pickle", "random", "asyncio", "nacl", "cryptography", "logging", "inspect", "ipaddress"}
#: Messages over tcp and inproc need none of these.
_UNUSED = {
    "libzmq_py.api.functions",
    "libzmq_py.api.monitor",
    "libzmq_py.auth",
    "libzmq_py.decorators",
    "libzmq_py.devices",
    "libzmq_py.log",
    "libzmq_py.mechanisms.curve",
    "libzmq_py.mechanisms.plain",
    "libzmq_py.proxy",
    "libzmq_py.sockets.pubsub",
    "libzmq_py.sockets.reqrep",
    "libzmq_py.sockets.stream",
    "libzmq_py.transports.ipc",
    "libzmq_py.transports.socks",
    "libzmq_py.transports.tcp.socks_connecter",
    "libzmq_py.utils",
}


@pytest.mark.departs
@pytest.mark.parametrize("transport", ["none", "inproc", "tcp"])
def test_importing_the_package_loads_little(transport: str) -> None:
    """The package alone loads neither api nor core; and first messages nothing that only some programs need."""
    script = f"""
import sys
before = set(sys.modules)  # of whoever measures this process
import libzmq_py as zmq
transport = {transport!r}
unwanted = {sorted(_HEAVY | _UNUSED)}
unwanted += ["libzmq_py.ctx", "libzmq_py.api", "socket"] if transport == "none" else []
unwanted += ["libzmq_py.transports.tcp", "libzmq_py.engines.zmtp_engine"] if transport == "inproc" else []
if sys.version_info >= (3, 13):
    unwanted.append("re")  # `typing` has it, before
if transport != "none":
    with zmq.Context() as ctx, ctx.socket(zmq.PULL) as pull, ctx.socket(zmq.PUSH) as push:
        pull.bind("inproc://x" if transport == "inproc" else "tcp://127.0.0.1:*")
        push.connect(pull.last_endpoint)
        push.send(b"x")
        pull.recv()
print(sorted((set(unwanted) - before) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.departs
def test_importing_the_package_asks_for_nothing_that_few_need() -> None:
    """Not even whether it is there: gevent, asyncio, ctypes, cryptography, nacl."""
    script = """
import sys
asked = set()
class Watch:
    def find_spec(self, name, path=None, target=None):
        asked.add(name.partition(".")[0])
few = {"gevent", "asyncio", "ctypes", "cryptography", "nacl"}
before = few & set(sys.modules)  # of whoever measures this process
sys.meta_path.insert(0, Watch())
import libzmq_py
assert "libzmq_py" in asked
print(sorted(((asked | set(sys.modules)) & few) - before))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.departs
def test_py_typed_is_there() -> None:
    """The package says that it is typed."""
    assert (importlib.resources.files("libzmq_py") / "py.typed").is_file()
