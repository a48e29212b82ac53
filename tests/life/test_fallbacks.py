# SPDX-License-Identifier: MPL-2.0
"""What Windows, macOS and the BSDs lack, taken away here: the library does without, from end to end.

In a child process the names are deleted before anything is imported, and a little of everything is run.
"""

from __future__ import annotations

import pytest

from tests.life.harness import OURS, is_fine, run

pytestmark = [pytest.mark.departs]

#: What a system may lack, and how to take it away. `selectors` and `socket` look at these when they are imported.
WITHOUT: dict[str, str] = {
    "epoll": "import select; del select.epoll",
    "epoll and poll": "import select; del select.epoll, select.poll",
    "eventfd": "del os.eventfd, os.eventfd_read, os.eventfd_write",
    "AF_UNIX": "import _socket; del _socket.AF_UNIX, _socket.socketpair",
    "SO_REUSEPORT": "import _socket; del _socket.SO_REUSEPORT",
    "fork": "del os.fork, os.register_at_fork",
    "signal masks": "import _signal; del _signal.pthread_sigmask",
    "scheduling": "del os.sched_setscheduler, os.sched_setaffinity, os.nice",
}
#: Systems, roughly.
SYSTEMS: dict[str, list[str]] = {
    **{f"no {lack}": [lack] for lack in WITHOUT},
    "macOS": ["epoll", "eventfd", "scheduling"],
    "Windows": list(WITHOUT)[1:],
}

SCRIPT = """
for module in ("select", "selectors", "socket", "signal", "threading", "libzmq_py"):
    sys.modules.pop(module, None)
{deletions}
import libzmq_py
from libzmq_py.core.signaler import Signaler
from libzmq_py.io_threads.poller import Poller

bell, poller = Signaler(), Poller()
print(bell.counts, poller.edge_triggered, type(poller._selector).__mro__[1].__name__, file=sys.stderr)
bell.close()
poller.close()
from tests.life.workout import main

main(libzmq_py, {transports})
"""


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_that_lacks_something(system: str) -> None:
    """Every pattern, time-outs, polls, monitors, reconnecting, CURVE and term() work."""
    lacks = SYSTEMS[system]
    transports = ["tcp", "inproc"] if "AF_UNIX" in lacks else ["tcp", "ipc", "inproc"]
    deletions = "\n".join(WITHOUT[lack] for lack in lacks)
    # The library is named only here, as what is to be missing must be so from its start.
    done = run("os", SCRIPT.format(deletions=deletions, transports=transports))
    used = done.stderr.splitlines()[0].split()
    assert used[0] == str("eventfd" not in lacks)
    no_epoll = "epoll" in lacks or "epoll and poll" in lacks
    assert used[1] == str(not no_epoll)
    if no_epoll:
        assert used[2] == "SelectSelector" if "epoll and poll" in lacks else "PollSelector"
    is_fine(done, " ".join(used))


def test_ipc_without_unix_sockets_is_refused() -> None:
    """As libzmq does where it is built without: EPROTONOSUPPORT."""
    script = """
    import _socket
    sys.modules.pop("socket", None)
    del _socket.AF_UNIX, _socket.socketpair
    import libzmq_py as zmq
    with zmq.Context() as ctx, ctx.socket(zmq.PULL) as pull:
        for call in (pull.bind, pull.connect):
            try:
                call("ipc:///tmp/nowhere")
            except zmq.ZMQError as error:
                assert error.errno == zmq.EPROTONOSUPPORT, error
            else:
                raise AssertionError("no error")
    print("fine")
    """
    is_fine(run("os", script))


def test_everything_is_there_by_default() -> None:
    """The workout by itself."""
    is_fine(run(OURS, "from tests.life.workout import main\nmain(zmq, ['tcp', 'ipc', 'inproc'])"))
