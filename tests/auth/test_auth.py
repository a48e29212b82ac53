# SPDX-License-Identifier: MPL-2.0
"""The authenticator in its thread, against real connections; what is not marked holds for pyzmq's too."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libzmq_py import z85
from tests.conftest import TARGET, SocketFactory
from tests.support.target import zmq
from tests.support.waiting import SILENCE, seconds, wait_until

auth = importlib.import_module(f"{TARGET}.auth")
thread = importlib.import_module(f"{TARGET}.auth.thread")

Connects = Callable[..., bool]


@pytest.fixture
def guard(ctx: Any) -> Iterator[Any]:
    """A running ThreadAuthenticator."""
    one = thread.ThreadAuthenticator(ctx)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def connects(socket: SocketFactory) -> Connects:
    """Whether a client with these options reaches a server with those."""

    def run(server_options: dict[str, Any], client_options: dict[str, Any]) -> bool:
        server, client = socket(zmq.PULL, **server_options), socket(zmq.PUSH, reconnect_ivl=-1, **client_options)
        server.bind("tcp://127.0.0.1:*")
        monitor = client.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        client.connect(server.last_endpoint.rstrip(b"\0").decode())
        monitor.rcvtimeo = 5000
        head, _ = monitor.recv_multipart()
        client.disable_monitor()
        monitor.close(linger=0)
        accepted = int.from_bytes(head[:2], "little") == zmq.EVENT_HANDSHAKE_SUCCEEDED
        if accepted:
            client.send(b"hello")
            assert server.recv() == b"hello"
        else:
            assert not server.poll(SILENCE * 1000)
        server.close()
        client.close()
        return accepted

    return run


PLAIN_SERVER = {"plain_server": 1}
PLAIN_CLIENT = {"plain_username": b"admin", "plain_password": b"secret"}


class Keys:
    """Key pairs of a server and a client, and directories with key files."""

    def __init__(self, folder: Path) -> None:
        self.server_public, self.server_secret = zmq.curve_keypair()
        self.public, self.secret = zmq.curve_keypair()
        self.folder = folder
        folder.mkdir()

    @property
    def server(self) -> dict[str, Any]:
        return {"curve_server": 1, "curve_secretkey": self.server_secret, "curve_publickey": self.server_public}

    @property
    def client(self) -> dict[str, Any]:
        return {
            "curve_serverkey": self.server_public,
            "curve_publickey": self.public,
            "curve_secretkey": self.secret,
        }

    def admit(self, key: bytes | None = None, name: str = "client") -> Path:
        path = self.folder / f"{name}.key"
        path.write_text(f'metadata\ncurve\n    public-key = "{(key or self.public).decode()}"\n')
        return path


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "clients")


# --- NULL and addresses ----------------------------------------------------------------------------------------------


def test_null_peers_are_let_in(guard: Any, connects: Connects) -> None:
    """With a domain they are asked about, and nothing speaks against them."""
    assert connects({"zap_domain": b"global"}, {})


@pytest.mark.parametrize(
    ("policy", "address", "accepted"),
    [
        ("allow", "127.0.0.1", True),
        ("allow", "192.0.2.1", False),
        ("deny", "127.0.0.1", False),
        ("deny", "192.0.2.1", True),
    ],
)
@pytest.mark.parametrize("mechanism", ["null", "plain"])
def test_addresses(
    guard: Any, connects: Connects, policy: str, address: str, accepted: bool, mechanism: str
) -> None:
    """They decide before, and besides, what a mechanism wants."""
    getattr(guard, policy)(address)
    if mechanism == "null":
        assert connects({"zap_domain": b"global"}, {}) == accepted
    else:
        assert not connects(PLAIN_SERVER, PLAIN_CLIENT)
        guard.configure_plain(passwords={"admin": "secret"})
        assert connects(PLAIN_SERVER, PLAIN_CLIENT) == accepted


def test_allow_and_deny_exclude_each_other(guard: Any) -> None:
    """Whichever came first."""
    guard.allow("127.0.0.1")
    with pytest.raises(ValueError, match="not both"):
        guard.deny("192.0.2.1")
    other = auth.Authenticator(guard.context)
    other.deny("127.0.0.1")
    with pytest.raises(ValueError, match="not both"):
        other.allow("192.0.2.1")


# --- PLAIN -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passwords", "accepted"),
    [
        (None, False),
        ({"admin": "secret"}, True),
        ({"admin": "wrong"}, False),
        ({"admin": "secret "}, False),
        ({"other": "secret"}, False),
    ],
)
def test_plain(guard: Any, connects: Connects, passwords: dict[str, str] | None, accepted: bool) -> None:
    """Name and password must both be there."""
    guard.configure_plain(passwords=passwords)
    assert connects(PLAIN_SERVER, PLAIN_CLIENT) == accepted


def test_passwords_may_be_changed_while_it_runs(guard: Any, connects: Connects) -> None:
    """The dict is looked at for each peer."""
    passwords = {"admin": "old"}
    guard.configure_plain(passwords=passwords)
    assert not connects(PLAIN_SERVER, PLAIN_CLIENT)
    passwords["admin"] = "secret"
    assert connects(PLAIN_SERVER, PLAIN_CLIENT)


def test_domains_have_users_of_their_own(guard: Any, connects: Connects) -> None:
    """One domain's password is no good in another."""
    guard.configure_plain("one", {"admin": "secret"})
    guard.configure_plain("two", {"admin": "other"})
    assert connects({**PLAIN_SERVER, "zap_domain": b"one"}, PLAIN_CLIENT)
    assert not connects({**PLAIN_SERVER, "zap_domain": b"two"}, PLAIN_CLIENT)
    assert not connects({**PLAIN_SERVER, "zap_domain": b"three"}, PLAIN_CLIENT)


@pytest.mark.departs
def test_any_domain(guard: Any, connects: Connects) -> None:
    """The entry "*" holds for every domain that has none; pyzmq, against its word, means the empty domain only."""
    guard.configure_plain("*", {"admin": "secret"})
    guard.configure_plain("two", {"admin": "other"})
    assert connects({**PLAIN_SERVER, "zap_domain": b"one"}, PLAIN_CLIENT)
    assert not connects({**PLAIN_SERVER, "zap_domain": b"two"}, PLAIN_CLIENT)


@pytest.mark.departs
def test_no_password_in_the_log(guard: Any, connects: Connects, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is logged at whatever level; pyzmq logs accepted passwords."""
    caplog.set_level(logging.DEBUG)
    guard.configure_plain(passwords={"admin": "secret"})
    assert connects(PLAIN_SERVER, PLAIN_CLIENT)
    assert not connects(PLAIN_SERVER, {**PLAIN_CLIENT, "plain_password": b"secret2"})
    assert "ALLOWED (PLAIN)" in caplog.text
    assert "secret" not in caplog.text


# --- CURVE -----------------------------------------------------------------------------------------------------------


def test_curve_without_a_policy(guard: Any, connects: Connects, keys: Keys) -> None:
    """Refused."""
    assert not connects(keys.server, keys.client)


def test_curve_allow_any(guard: Any, connects: Connects, keys: Keys) -> None:
    """Whoever knows the server's key."""
    guard.configure_curve(location=auth.CURVE_ALLOW_ANY)
    assert connects(keys.server, keys.client)
    assert not connects(keys.server, {**keys.client, "curve_serverkey": keys.public})


@pytest.mark.parametrize("known", [True, False])
def test_curve_directory(guard: Any, connects: Connects, keys: Keys, known: bool) -> None:
    """Whose public key is in a file there."""
    keys.admit(keys.public if known else keys.server_public)
    guard.configure_curve(location=keys.folder)
    assert connects(keys.server, keys.client) == known


@pytest.mark.departs
def test_keys_come_and_go_while_it_runs(guard: Any, connects: Connects, keys: Keys) -> None:
    """A file that is added, changed or removed counts from the next handshake on; pyzmq has to be told."""
    guard.configure_curve(location=keys.folder)
    assert not connects(keys.server, keys.client)
    path = keys.admit()
    assert connects(keys.server, keys.client)
    keys.admit(keys.server_public)
    assert not connects(keys.server, keys.client)
    keys.admit()
    assert connects(keys.server, keys.client)
    path.unlink()
    assert not connects(keys.server, keys.client)


@pytest.mark.departs
@pytest.mark.parametrize("how", ["another file", "in place"])
def test_a_key_is_changed_behind_our_back(guard: Any, ctx: Any, keys: Keys, how: str) -> None:
    """Of equal size and with the old time of change, as `cp -p` and `rsync -t` leave it: it is noticed all the same."""
    path = keys.admit(keys.server_public)
    guard.configure_curve(location=keys.folder)

    def statuses() -> list[bytes]:
        request = [b"1.0", b"1", b"", b"a", b"", b"CURVE"]
        pair = (keys.server_public, keys.public)
        return [reply[2] for reply in replies_to(guard, ctx, *([*request, z85.decode(key)] for key in pair))]

    assert statuses() == [b"200", b"400"]
    before = path.stat()

    def change() -> bool:
        new = path if how == "in place" else path.with_name("new")
        new.write_text(path.read_text().replace(keys.server_public.decode(), keys.public.decode()))
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
        new.replace(path)
        return path.stat().st_ctime_ns != before.st_ctime_ns

    wait_until(change, "the system's clock of files to go on")
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert statuses() == [b"400", b"200"]


@pytest.mark.departs
def test_a_link_to_nowhere_harms_nobody_else(
    guard: Any, connects: Connects, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out and logged once; when it leads somewhere, its key counts."""
    keys.admit(keys.server_public, "other")
    target = keys.folder / "client"
    (keys.folder / "link.key").symlink_to(target)
    guard.configure_curve(location=keys.folder)
    other = {**keys.client, "curve_publickey": keys.server_public, "curve_secretkey": keys.server_secret}
    assert connects(keys.server, other)
    assert not connects(keys.server, keys.client)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "link.key" in record.getMessage()
    keys.admit().rename(target)
    assert connects(keys.server, keys.client)


@pytest.mark.departs
def test_a_file_without_a_key_harms_nobody_else(guard: Any, connects: Connects, keys: Keys) -> None:
    """It is left out and logged; pyzmq gives the whole directory up."""
    keys.admit()
    (keys.folder / "notes.key").write_text("no key here")
    guard.configure_curve(location=keys.folder)
    assert connects(keys.server, keys.client)


@pytest.mark.departs
def test_a_directory_that_goes_away_lets_nobody_in(guard: Any, connects: Connects, keys: Keys) -> None:
    """What cannot be read admits nobody."""
    path = keys.admit()
    guard.configure_curve(location=keys.folder)
    assert connects(keys.server, keys.client)
    path.unlink()
    keys.folder.rmdir()
    assert not connects(keys.server, keys.client)


def test_a_directory_that_is_none(guard: Any, connects: Connects, keys: Keys) -> None:
    """Logged, not raised, as in pyzmq; nobody comes in."""
    guard.configure_curve(location=keys.folder / "missing")
    assert not connects(keys.server, keys.client)


@pytest.mark.parametrize("kind", ["plain function", "coroutine"])
@pytest.mark.parametrize("known", [True, False])
def test_curve_callback(guard: Any, connects: Connects, keys: Keys, kind: str, known: bool) -> None:
    """It is given the domain and the key as Z85, and may be async."""
    asked = []

    class Provider:
        def callback(self, domain: str, key: bytes) -> bool:
            asked.append((domain, key))
            return known

    class AsyncProvider(Provider):
        async def callback(self, domain: str, key: bytes) -> bool:  # type: ignore[override]
            await asyncio.sleep(0.001)
            return super().callback(domain, key)

    guard.configure_curve_callback("dom", Provider() if kind == "plain function" else AsyncProvider())
    assert connects({**keys.server, "zap_domain": b"dom"}, keys.client) == known
    assert asked == [("dom", keys.public)]
    assert not connects({**keys.server, "zap_domain": b"other"}, keys.client)


@pytest.mark.departs
def test_a_callback_that_fails(
    guard: Any, connects: Connects, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    """That peer is refused, the reason is logged, and the handler goes on; pyzmq's thread ends."""

    class Provider:
        fails = True

        def callback(self, domain: str, key: bytes) -> bool:
            if self.fails:
                raise RuntimeError("database is down")
            return True

    provider = Provider()
    guard.configure_curve_callback(credentials_provider=provider)
    assert not connects(keys.server, keys.client)
    assert "database is down" in caplog.text
    provider.fails = False
    assert connects(keys.server, keys.client)


@pytest.mark.departs
@pytest.mark.parametrize("kind", ["raises", "is async", "cancels its task"])
def test_a_callback_that_is_cancelled(
    guard: Any, ctx: Any, connects: Connects, keys: Keys, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """As one that fails: 500, logged, and the handler goes on. CancelledError is no Exception."""

    class Provider:
        def callback(self, domain: str, key: bytes) -> Any:
            if kind == "raises":
                raise asyncio.CancelledError("too slow")
            return self.wait()

        async def wait(self) -> bool:
            if kind == "is async":
                raise asyncio.CancelledError("too slow")
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
            return True

    guard.configure_curve_callback(credentials_provider=Provider())
    request = [b"1.0", b"7", b"", b"a", b"", b"CURVE", bytes(32)]
    bad, good = replies_to(guard, ctx, request, [*request[:5], b"NULL"])
    assert (bad[2], good[2]) == (b"500", b"200")
    assert "CancelledError" in caplog.text
    assert guard.is_alive()


@pytest.mark.departs
def test_the_cancellation_of_our_own_task(ctx: Any, keys: Keys) -> None:
    """Where the handler is driven by a task of the user's, cancelling that ends it; the peer is refused."""
    one = auth.Authenticator(ctx)
    one.start()

    class Provider:
        async def callback(self, domain: str, key: bytes) -> bool:
            await asyncio.Event().wait()
            return True

    async def drive() -> None:
        task = asyncio.create_task(one.handle_zap_message(one.zap_socket.recv_multipart()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    one.configure_curve_callback(credentials_provider=Provider())
    with ctx.socket(zmq.REQ) as req:
        req.linger = 0
        req.connect("inproc://zeromq.zap.01")
        req.send_multipart([b"1.0", b"1", b"d", b"a", b"", b"CURVE", bytes(32)])
        asyncio.run(drive())
        assert req.recv_multipart()[2] == b"500"
    one.stop()


@pytest.mark.departs
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_callback_that_ends_the_thread(
    ctx: Any, connects: Connects, keys: Keys, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """The handler's name is free then, so that peers are not left waiting, and the next one can start."""

    class Provider:
        def callback(self, domain: str, key: bytes) -> bool:
            raise error

    one, other = thread.ThreadAuthenticator(ctx), thread.ThreadAuthenticator(ctx)
    one.start()
    one.configure_curve_callback(credentials_provider=Provider())
    assert not connects(keys.server, keys.client)
    wait_until(lambda: not one.is_alive(), "the thread to end")
    assert "nobody is asked" in caplog.text
    other.start()
    assert connects({"zap_domain": b"d"}, {})
    other.stop()
    one.stop()


def test_the_user_id(guard: Any, socket: SocketFactory, keys: Keys) -> None:
    """The key as Z85, or what `curve_user_id` makes of it; the user's name for PLAIN."""
    guard.configure_curve(location=auth.CURVE_ALLOW_ANY)
    guard.configure_plain(passwords={"admin": "secret"})

    def user_of(server_options: dict[str, Any], client_options: dict[str, Any]) -> str:
        server, client = socket(zmq.PULL, **server_options), socket(zmq.PUSH, **client_options)
        server.bind("tcp://127.0.0.1:*")
        client.connect(server.last_endpoint.rstrip(b"\0").decode())
        client.send(b"x")
        return str(server.recv(copy=False).get("User-Id"))

    assert user_of(keys.server, keys.client) == keys.public.decode()
    guard.curve_user_id = lambda key: f"client {len(key)}"
    assert user_of(keys.server, keys.client) == "client 32"
    assert user_of(PLAIN_SERVER, PLAIN_CLIENT) == "admin"


# --- requests that nobody makes --------------------------------------------------------------------------------------


def replies_to(guard: Any, ctx: Any, *requests: list[bytes]) -> list[list[bytes]]:
    """What the handler answers to hand-made requests."""
    with ctx.socket(zmq.REQ) as req:
        req.linger = 0
        req.rcvtimeo = 5000
        req.connect("inproc://zeromq.zap.01")
        found = []
        for request in requests:
            req.send_multipart(request)
            found.append(req.recv_multipart())
        return found


def test_requests_that_are_none(guard: Any, ctx: Any) -> None:
    """400, with the request's id; the handler goes on."""
    full = [b"1.0", b"7", b"d", b"a", b"i", b"NULL"]
    short, old, good = replies_to(guard, ctx, full[:3], [b"2.0", *full[1:]], full)
    assert short[:3] == [b"1.0", b"7", b"400"]
    assert old[:3] == [b"1.0", b"7", b"400"]
    assert good == [b"1.0", b"7", b"200", b"OK", b"anonymous", b""]


@pytest.mark.parametrize(
    ("mechanism", "credentials"),
    [(b"PLAIN", [b"admin"]), (b"PLAIN", [b"admin", b"secret", b""]), (b"CURVE", []), (b"GSSAPI", [])],
)
def test_credentials_that_are_none(guard: Any, ctx: Any, mechanism: bytes, credentials: list[bytes]) -> None:
    """400."""
    guard.configure_plain(passwords={"admin": "secret"})
    guard.configure_curve(location=auth.CURVE_ALLOW_ANY)
    ((*_, status, _text, user, _),) = replies_to(guard, ctx, [b"1.0", b"1", b"", b"a", b"", mechanism, *credentials])
    assert (status, user) == (b"400", b"")


@pytest.mark.departs
@pytest.mark.parametrize("policy", ["any", "directory", "callback"])
@pytest.mark.parametrize("size", [0, 1, 31, 33, 36, 40])
def test_a_key_of_another_size(
    guard: Any, ctx: Any, keys: Keys, caplog: pytest.LogCaptureFixture, policy: str, size: int
) -> None:
    """400, whoever may come in, and a line in the log; of a key that is no Z85 pyzmq's handler dies."""

    class Provider:
        def callback(self, domain: str, key: bytes) -> bool:
            return True

    if policy == "any":
        guard.configure_curve(location=auth.CURVE_ALLOW_ANY)
    elif policy == "directory":
        guard.configure_curve(location=keys.folder)
    else:
        guard.configure_curve_callback("*", Provider())
    request = [b"1.0", b"7", b"", b"a", b"", b"CURVE", bytes(size)]
    bad, good = replies_to(guard, ctx, request, [*request[:5], b"NULL"])
    assert bad == [b"1.0", b"7", b"400", b"Invalid credentials", b"", b""]
    assert good[2] == b"200"
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    assert record.getMessage() == f"Invalid credentials: a CURVE key of {size} bytes"


@pytest.mark.parametrize("configure", [True, False])
def test_principals_come_in(guard: Any, ctx: Any, configure: bool) -> None:
    """Whom Kerberos vouches for, from an address that is not denied; the user is the principal."""
    if configure:
        guard.configure_gssapi(domain="*", location=None)
    guard.deny("192.0.2.1")
    request = [b"1.0", b"1", b"", b"192.0.2.2", b"", b"GSSAPI", b"alice@REALM"]
    good, denied = replies_to(guard, ctx, request, [*request[:3], b"192.0.2.1", *request[4:]])
    assert (good[2], good[4]) == (b"200", b"alice@REALM")
    assert denied[2] == b"400"


@pytest.mark.departs
@pytest.mark.parametrize("allowed", [True, False])
def test_mechanisms_that_nobody_knows(guard: Any, ctx: Any, allowed: bool) -> None:
    """Refused; pyzmq lets them in from an allowed address."""
    if allowed:
        guard.allow("192.0.2.1")
    ((_, _, status, _, _, _),) = replies_to(guard, ctx, [b"1.0", b"1", b"", b"192.0.2.1", b"", b"FANCY"])
    assert status == b"400"


# --- life ------------------------------------------------------------------------------------------------------------


@pytest.mark.departs
def test_start_and_stop(ctx: Any, connects: Connects) -> None:
    """It can be started again at once, and stopped twice. pyzmq's name is in use for a moment after `stop`."""
    one = thread.ThreadAuthenticator(ctx)
    for _ in range(3):
        one.start()
        assert one.is_alive()
        assert connects({"zap_domain": b"d"}, {})
        one.stop()
        assert not one.is_alive()
        one.stop()


@pytest.mark.departs
def test_the_end_of_the_context_ends_it() -> None:
    """A program that forgets to stop it can still terminate its context."""
    context = zmq.Context()
    one = thread.ThreadAuthenticator(context)
    one.start()
    worker = one.thread
    one.pipe.close()
    context.term()
    wait_until(lambda: not worker.is_alive(), "the thread to end", seconds(5))


def test_without_a_thread(ctx: Any) -> None:
    """`Authenticator` leaves receiving to its user."""
    one = auth.Authenticator(ctx)
    one.start()
    one.deny("192.0.2.1")
    with ctx.socket(zmq.REQ) as req:
        req.linger = 0
        req.connect("inproc://zeromq.zap.01")
        for address, status in ((b"192.0.2.1", b"400"), (b"192.0.2.2", b"200")):
            req.send_multipart([b"1.0", b"1", b"d", address, b"", b"NULL"])
            asyncio.run(one.handle_zap_message(one.zap_socket.recv_multipart()))
            assert req.recv_multipart()[2] == status
    one.stop()


def test_the_default_context() -> None:
    """That of `Context.instance`."""
    one = auth.Authenticator()
    assert one.context is zmq.Context.instance()
    assert one.encoding == "utf-8"
    zmq.Context.instance().term()


def test_names() -> None:
    """What pyzmq has, but for what needs asyncio sockets."""
    theirs = importlib.import_module("zmq.auth")
    assert set(theirs.__all__ if hasattr(theirs, "__all__") else ()) <= set(dir(auth))
    for name in ("Authenticator", "CURVE_ALLOW_ANY", "create_certificates", "load_certificate", "load_certificates"):
        assert hasattr(auth, name)
    wanted = {name for name in dir(theirs.Authenticator) if not name.startswith("_")}
    assert wanted <= set(dir(auth.Authenticator))


def test_ipc_peers(guard: Any, socket: SocketFactory, tmp_path: Path) -> None:
    """Their address names user, group and process."""
    guard.allow(f"localhost:{os.getuid()}:{os.getgid()}:{os.getpid()}", f":{os.getuid()}:{os.getgid()}:{os.getpid()}")
    server, client = socket(zmq.PULL, zap_domain=b"d"), socket(zmq.PUSH)
    server.bind(f"ipc://{tmp_path}/s")
    client.connect(f"ipc://{tmp_path}/s")
    client.send(b"x")
    assert server.recv() == b"x"
