# SPDX-License-Identifier: MPL-2.0
"""Applications that live on pyzmq, unchanged, on libzmq_py (``tox -e apps``): Jupyter, ipyparallel, locust, gevent.

Each runs in processes of its own with PYZMQ_BACKEND set. Outside `tox -e apps` these tests are not collected, see
`conftest.py`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.interop.sides import free_tcp_endpoint
from tests.support.waiting import seconds

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(seconds(180))]

ROOT = Path(__file__).parents[2]
BACKEND = "libzmq_py.pyzmq_backend"


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip where one of them is not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)} (tox -e apps)")


def environment(home: Path) -> dict[str, str]:
    """The environment of a program on libzmq_py that leaves nothing outside `home`."""
    return {
        **os.environ,
        "PYZMQ_BACKEND": BACKEND,
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }


def run(script: str, home: Path, *arguments: str) -> str:
    """Run a program to its end; return what it printed. It must end well."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=seconds(150),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs("ipykernel", "jupyter_client")
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_jupyter_kernel(tmp_path: Path, transport: str) -> None:
    """A kernel runs cells, is interrupted, restarted and shut down by a client; both are on libzmq_py."""
    script = """
        import sys, time
        import zmq
        from jupyter_client.manager import KernelManager

        manager = KernelManager(transport=sys.argv[1], ip=sys.argv[2])
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)

        def cell(code):
            printed = []
            def output(message):
                if message["msg_type"] == "stream":
                    printed.append(message["content"]["text"])
            # Else the kernel refuses what comes too soon after an error (on stock pyzmq, too).
            reply = client.execute_interactive(code, output_hook=output, timeout=30, stop_on_error=False)
            return reply["content"]["status"], "".join(printed)

        assert cell("import zmq; print(zmq.backend.Socket.__module__)") == ("ok", "libzmq_py.pyzmq_backend\\n")
        for number in range(20):
            assert cell(f"print({number} ** 2)") == ("ok", f"{number ** 2}\\n")
        assert cell("print('x' * 1_000_000)") == ("ok", "x" * 1_000_000 + "\\n")
        assert cell("1 / 0") == ("error", "")
        assert cell("kept = 5") == ("ok", "")

        asked = client.execute("print('busy', flush=True)\\nimport time\\ntime.sleep(60)", stop_on_error=False)
        while True:
            message = client.get_iopub_msg(timeout=30)
            if message["msg_type"] == "stream" and message["parent_header"]["msg_id"] == asked:
                break
        manager.interrupt_kernel()
        while True:
            reply = client.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == asked:
                break
        assert reply["content"]["ename"] == "KeyboardInterrupt", reply["content"]
        assert cell("print(kept)") == ("ok", "5\\n")

        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=60)
        assert cell("print(kept)") == ("error", "")
        assert cell("print('again')") == ("ok", "again\\n")
        client.stop_channels()
        manager.shutdown_kernel()
        assert not manager.is_alive()
        print("fine")
        """
    ip = "127.0.0.1" if transport == "tcp" else str(tmp_path / "kernel-ipc")
    assert run(script, tmp_path, transport, ip) == "fine\n"


@needs("ipykernel", "jupyter_client")
def test_an_asynchronous_jupyter_client(tmp_path: Path) -> None:
    """The same kernel by way of zmq.asyncio."""
    script = """
        import asyncio
        from jupyter_client.manager import start_new_async_kernel

        async def main():
            manager, client = await start_new_async_kernel(startup_timeout=60)
            replies = [await client.execute_interactive(f"print({n})", output_hook=lambda _: None, timeout=30)
                       for n in range(10)]
            assert [reply["content"]["status"] for reply in replies] == ["ok"] * 10
            client.stop_channels()
            await manager.shutdown_kernel()
            print("fine")

        asyncio.run(main())
        """
    assert run(script, tmp_path) == "fine\n"


@needs("ipyparallel")
def test_ipyparallel(tmp_path: Path) -> None:
    """A controller, two engines and a client: direct and balanced views, errors, data both ways."""
    script = """
        import os
        import ipyparallel

        def where():
            import os, zmq
            return zmq.backend.Socket.__module__, os.getpid()

        with ipyparallel.Cluster(n=2, log_level=30) as client:
            view = client[:]
            view.block = True
            places = view.apply_sync(where)
            assert {module for module, _ in places} == {"libzmq_py.pyzmq_backend"}, places
            assert len({pid for _, pid in places}) == 2
            assert sum(view.map_sync(lambda x: x * x, range(100))) == 328350
            balanced = client.load_balanced_view()
            assert balanced.map_sync(lambda x: x + 1, range(100)) == list(range(1, 101))
            try:
                view.apply_sync(lambda: 1 / 0)
            except ipyparallel.error.CompositeError as error:
                assert len(error.elist) == 2
            else:
                raise AssertionError("no error")
            view.push({"kept": list(range(1000))})
            assert view.pull("kept") == [list(range(1000))] * 2
            assert view.apply_sync(len, os.urandom(5_000_000)) == [5_000_000] * 2
        print("fine")
        """
    assert run(script, tmp_path).endswith("fine\n")


@needs("locust")
def test_locust(tmp_path: Path) -> None:
    """A master and two workers, on gevent with everything patched: users are spawned, their figures come in."""
    (tmp_path / "locustfile.py").write_text(
        textwrap.dedent(
            """
            import zmq
            from locust import User, constant, task

            assert zmq.backend.Socket.__module__ == "libzmq_py.pyzmq_backend"

            class Someone(User):
                wait_time = constant(0.05)

                @task
                def work(self):
                    self.environment.events.request.fire(
                        request_type="x", name="work", response_time=1, response_length=1, exception=None, context={}
                    )
            """
        )
    )
    port = free_tcp_endpoint().rpartition(":")[2]
    common = [sys.executable, "-m", "locust", "-f", "locustfile.py"]
    master = [*common, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--headless"]
    master += ["--users", "10", "--spawn-rate", "10", "--run-time", "2s", "--expect-workers", "2", "--csv", "figures"]
    worker = [*common, "--worker", "--master-host", "127.0.0.1", "--master-port", port]
    processes = []
    try:
        for command in (master, worker, worker):
            processes.append(
                subprocess.Popen(
                    command,
                    env=environment(tmp_path),
                    cwd=tmp_path,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        said = [process.communicate(timeout=seconds(90))[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0], said
    figures = (tmp_path / "figures_stats.csv").read_text()
    count = int(next(line for line in figures.splitlines() if line.startswith("x,work")).split(",")[2])
    assert count > 100, figures


GREEN = """
    import sys
    {imports}
    import gevent

    def scenario(zmq):
        context = zmq.Context()
        dealer, router = context.socket(zmq.DEALER), context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        dealer.connect(f"tcp://127.0.0.1:{{port}}")
        ticks = 0

        def tick():
            nonlocal ticks
            while True:
                gevent.sleep(0.005)
                ticks += 1

        def serve():
            for _ in range(20):
                message = router.recv_multipart()
                gevent.sleep(0.02)
                router.send_multipart(message)

        ticking, serving = gevent.spawn(tick), gevent.spawn(serve)
        with gevent.Timeout(20):
            for number in range(20):
                dealer.send(b"%d" % number)
                assert dealer.recv() == b"%d" % number
            serving.join()
            large = b"x" * 3_000_000
            dealer.send(large)
            assert router.recv_multipart()[1] == large
        ticking.kill()
        assert ticks > 20, ticks
        dealer.close()
        router.close()
        context.term()

    {scenarios}
    print("fine")
    """


@needs("gevent")
@pytest.mark.parametrize(
    ("imports", "scenarios"),
    [
        ("import zmq.green", "scenario(zmq.green)"),
        ("from gevent import monkey; monkey.patch_all(); import zmq.green", "scenario(zmq.green)"),
        # With its threads made greenlets and its waits patched, libzmq_py needs no green version.
        ("from gevent import monkey; monkey.patch_all(); import zmq", "scenario(zmq)"),
        ("from gevent import monkey; monkey.patch_all(); import libzmq_py", "scenario(libzmq_py)"),
    ],
    ids=["green", "patched-green", "patched-pyzmq", "patched-libzmq_py"],
)
def test_gevent(tmp_path: Path, imports: str, scenarios: str) -> None:
    """Greenlets go on while one of them waits for a message."""
    assert run(GREEN.format(imports=imports, scenarios=scenarios), tmp_path) == "fine\n"


@needs("gevent")
def test_gevent_that_patches_too_late(tmp_path: Path) -> None:
    """Patching after libzmq_py was imported cannot work, and says so rather than hang."""
    script = """
        import libzmq_py
        libzmq_py.Context  # loads what the package needs
        from gevent import monkey
        monkey.patch_all()
        try:
            libzmq_py.Context().socket(libzmq_py.PUSH)
        except libzmq_py.ZMQError as error:
            assert "patch_all" in str(error), error
            print("fine")
        """
    assert run(script, tmp_path) == "fine\n"
