# SPDX-License-Identifier: MPL-2.0
"""ipc endpoints: paths, abstract names and what is refused, side by side with real libzmq."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from libzmq_py.options import Options
from libzmq_py.transports.address import SocketEnd
from libzmq_py.transports.ipc.address import SUN_PATH_SIZE, IpcAddress, get_socket_name, resolve_connect
from tests.transports.conftest import RealSockets, World, errno_of


@pytest.mark.parametrize(
    ("path", "sun_path"),
    [("/tmp/x", b"/tmp/x"), ("x", b"x"), ("*", b"*"), ("@x", b"\0x"), ("a@x", b"a@x"), ("ö", "ö".encode())],
)
def test_resolves(path: str, sun_path: bytes) -> None:
    """The system's form of an address, and back."""
    resolved = IpcAddress.resolve(path)
    assert resolved.sun_path == sun_path
    assert resolved.is_abstract == (path[0] == "@")
    assert resolved.to_string() == f"ipc://{path}"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x" * (SUN_PATH_SIZE - 1), 0),
        ("x" * SUN_PATH_SIZE, errno.ENAMETOOLONG),
        ("ö" * 60, errno.ENAMETOOLONG),
        ("@" + "x" * (SUN_PATH_SIZE - 1), errno.ENAMETOOLONG),
        ("@", errno.EINVAL),
        ("no/such/file", 0),
        ("*", 0),
    ],
)
def test_connect_checks_form_only(path: str, expected: int, real: RealSockets) -> None:
    """connect() refuses what cannot be an address; whether there is such a file is seen later."""
    theirs = real.make()
    assert errno_of(lambda: theirs.connect(f"ipc://{path}")) == expected
    assert errno_of(lambda: resolve_connect(path, Options())) == expected


def test_nul_is_refused() -> None:
    """A text that C would cut short is not connected to by its first part."""
    assert errno_of(lambda: resolve_connect("/tmp/x\0y", Options())) == errno.EINVAL


def test_connect_keeps_the_path() -> None:
    """LAST_ENDPOINT of a connect."""
    assert resolve_connect("/tmp/x", Options()).to_string() == "ipc:///tmp/x"


def test_names_of_ends(short_tmp: Path) -> None:
    """A connecting end has no name, and neither has one that is not connected."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(f"{short_tmp}/s")
        listener.listen()
        client.connect(f"{short_tmp}/s")
        assert get_socket_name(listener, SocketEnd.LOCAL) == f"ipc://{short_tmp}/s"
        assert get_socket_name(listener, SocketEnd.REMOTE) == ""
        assert get_socket_name(client, SocketEnd.LOCAL) == "ipc://"
        assert get_socket_name(client, SocketEnd.REMOTE) == f"ipc://{short_tmp}/s"
    with socket.socket() as other:
        assert get_socket_name(other, SocketEnd.LOCAL) == ""


@pytest.mark.parametrize("path", ["{}/s", "{}", "{}/no/s", "@libzmq_py-{pid}", "@", "{}/" + "x" * 100])
def test_bind_fails_as_libzmq_does(path: str, short_tmp: Path, real: RealSockets, world: World) -> None:
    """The same errno, or the same LAST_ENDPOINT."""
    endpoint = "ipc://" + path.format(short_tmp, pid=os.getpid())
    theirs = real.make()
    expected = errno_of(lambda: theirs.bind(endpoint))
    their_endpoint = theirs.last_endpoint.decode()
    real.end()
    assert errno_of(lambda: world.bind(endpoint)) == expected
    if not expected:
        assert world.socket.events[0][2] == their_endpoint


def test_abstract_name_is_taken_once(world: World) -> None:
    """There is no file that the second bind could remove."""
    world.bind(f"ipc://@libzmq_py-{os.getpid()}")
    assert errno_of(lambda: world.bind(f"ipc://@libzmq_py-{os.getpid()}")) == errno.EADDRINUSE


def test_file_in_the_way_is_removed(short_tmp: Path, world: World) -> None:
    """Left behind by a program that ran before, or in use: libzmq does not ask."""
    (short_tmp / "s").write_text("")
    world.bind(f"ipc://{short_tmp}/s")
    world.bind(f"ipc://{short_tmp}/s")
    assert world.socket.names == ["LISTENING", "LISTENING"]


def test_too_long_a_path_removes_nothing(short_tmp: Path, world: World) -> None:
    """libzmq removes the file before it sees that the path will not do."""
    file = short_tmp / ("x" * 110)
    file.write_text("precious")
    assert errno_of(lambda: world.bind(f"ipc://{file}")) == errno.ENAMETOOLONG
    assert file.exists()


def test_file_stays(short_tmp: Path, world: World) -> None:
    """The end of a listener leaves its file."""
    world.bind(f"ipc://{short_tmp}/s").process_term(0)
    assert (short_tmp / "s").exists()
    assert world.socket.names == ["LISTENING", "CLOSED"]


@pytest.fixture
def tmp_env(monkeypatch: pytest.MonkeyPatch, short_tmp: Path) -> Path:
    """TMPDIR names no directory, TEMPDIR one."""
    monkeypatch.setenv("TMPDIR", f"{short_tmp}/none")
    monkeypatch.setenv("TEMPDIR", str(short_tmp))
    monkeypatch.setenv("TMP", "/")
    return short_tmp


def test_wildcard_makes_a_directory_and_removes_it(tmp_env: Path, world: World) -> None:
    """`ipc://*`, or anything that begins with it."""
    listener = world.bind("ipc://*whatever")
    directory, file = os.path.split(listener.endpoint[len("ipc://") :])
    assert file == "socket"
    assert os.path.dirname(directory) == str(tmp_env)
    assert os.path.basename(directory).startswith("tmp")
    assert len(os.path.basename(directory)) == 9
    assert os.stat(directory).st_mode & 0o777 == 0o700
    assert listener.get_local_address() == listener.endpoint
    listener.process_term(0)
    assert os.listdir(tmp_env) == []
    assert world.socket.names == ["LISTENING", "CLOSED"]


def test_wildcard_in_the_current_directory(monkeypatch: pytest.MonkeyPatch, short_tmp: Path, world: World) -> None:
    """Without a directory for temporary files the address is relative, and is removed wherever we are then."""
    for name in ("TMPDIR", "TEMPDIR", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(short_tmp)
    listener = world.bind("ipc://*")
    assert listener.endpoint.startswith("ipc://tmp")
    monkeypatch.chdir("/")
    listener.process_term(0)
    assert os.listdir(short_tmp) == []


def test_wildcard_that_cannot_be_removed(tmp_env: Path, world: World) -> None:
    """Somebody else's file in our directory: CLOSE_FAILED in place of CLOSED."""
    listener = world.bind("ipc://*")
    directory = os.path.dirname(listener.endpoint[len("ipc://") :])
    Path(directory, "other").write_text("")
    listener.process_term(0)
    assert world.socket.events[1:] == [("CLOSE_FAILED", errno.ENOTEMPTY, listener.endpoint)]


def test_wildcard_leaves_nothing_when_it_fails(
    monkeypatch: pytest.MonkeyPatch, short_tmp: Path, world: World
) -> None:
    """A directory whose name leaves no room for the file goes again."""
    long = short_tmp / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    assert errno_of(lambda: world.bind("ipc://*")) == errno.ENAMETOOLONG
    assert os.listdir(long) == []


def test_wildcard_without_a_place(monkeypatch: pytest.MonkeyPatch, short_tmp: Path, world: World) -> None:
    """The directory cannot be made."""
    monkeypatch.setenv("TMPDIR", "/proc")
    assert errno_of(lambda: world.bind("ipc://*")) in (errno.EACCES, errno.ENOENT, errno.EPERM)
