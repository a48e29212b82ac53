# SPDX-License-Identifier: MPL-2.0
"""No key and no password gets out: not by the log at any level, not by the `repr` of any object, not by an exception, a
monitor event or a reason; and what need not be kept is overwritten.

Handshakes of each mechanism succeed and fail with everything logged; then all that was said is searched.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import logging
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libzmq_py.mechanisms.curve.client import CurveClient
from libzmq_py.mechanisms.curve.crypto import Secret
from libzmq_py.mechanisms.curve.server import CurveServer
from libzmq_py.mechanisms.mechanism import MechanismError
from libzmq_py.options import Options
from libzmq_py.utils import z85
from tests.conftest import SocketFactory, bind
from tests.mechanisms.fakes import FakeHost, commands_of, converse, options
from tests.support.box import public_of
from tests.support.security import CurveClientScript
from tests.support.socks_proxy import SocksProxy
from tests.support.target import zmq
from tests.support.waiting import wait_until

pytestmark = pytest.mark.departs

PASSWORD, WRONG_PASSWORD = b"correct horse battery staple", b"Tr0ub4dor&3-and-more"
SERVER, CLIENT, OTHER = (zmq.curve_keypair() for _ in range(3))


def forms(secret: bytes) -> list[str]:
    """How a secret might be written."""
    raw = z85.decode(secret) if len(secret) == 40 else secret
    written = {raw.hex(), raw.hex(" "), raw.hex(":"), base64.b64encode(raw).decode()}
    written |= {repr(raw)[2:-1], repr(bytearray(raw))[len("bytearray(b'") : -2]}  # they escape quotes differently
    written |= {secret.decode("latin-1"), raw.decode("latin-1"), str(list(raw))[1:-1]}
    if len(raw) % 4 == 0:
        written.add(z85.encode(raw).decode())
    return [form.lower() for form in written]


def has_secret(text: str, secrets: list[bytes]) -> bool:
    """Whether one of them is in it, in any form."""
    text = text.lower()
    return any(form in text for secret in secrets for form in forms(secret))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Every key that the library makes or derives while the test runs."""
    keys: list[bytes] = []
    original = Secret.__init__

    def remember(self: Secret, key: bytes) -> None:
        keys.append(bytes(key))
        original(self, key)

    monkeypatch.setattr(Secret, "__init__", remember)
    yield keys


class Listener:
    """Gathers what a program can see."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        self._caplog = caplog
        self._said: list[str] = []
        self._monitors: list[Any] = []

    def watch(self, sock: Any) -> Any:
        """Monitor a socket."""
        self._monitors.append(sock.get_monitor_socket())
        return self._monitors[-1]

    def drain(self, *sockets: Any) -> None:
        """What monitors and sockets tell, and every object of the library, as of now."""
        for monitor in self._monitors:
            while monitor.poll(0):
                self._said += [frame.decode("latin-1") + repr(frame) for frame in monitor.recv_multipart()]
        for sock in sockets:
            self._said += [f"{failure} {failure!r}" for failure in sock.last_handshake_failures]
        self._said += self._reprs()

    @staticmethod
    def _reprs() -> list[str]:
        found = []
        for one in gc.get_objects():
            module = type(one).__module__  # of some types of other modules it is no str
            if isinstance(module, str) and module.startswith("libzmq_py") and not isinstance(one, (type, weakref.ref)):
                with contextlib.suppress(AttributeError):  # one that was never whole, left by some other test
                    found += [repr(one), str(one)]
        return found

    def add(self, text: str) -> None:
        """Something else that was said."""
        self._said.append(text)

    def text(self) -> str:
        """All of it."""
        for record in self._caplog.records:
            self._said.append(f"{record.getMessage()} {record.args!r} {record.exc_text}")
        return "\n".join(self._said)


@pytest.fixture
def listener(caplog: pytest.LogCaptureFixture) -> Listener:
    return Listener(caplog)


@pytest.fixture
def guard(ctx: Any, tmp_path: Any) -> Iterator[Any]:
    """An authenticator that knows one user and one key."""
    from libzmq_py import auth
    from libzmq_py.auth.thread import ThreadAuthenticator

    folder = tmp_path / "keys"
    folder.mkdir()
    auth.create_certificates(folder, "somebody")
    one = ThreadAuthenticator(ctx)
    one.start()
    one.configure_plain(passwords={"admin": PASSWORD.decode()})
    one.configure_curve_callback(credentials_provider=_Provider())
    yield one
    one.stop()


class _Provider:
    def callback(self, domain: str, key: bytes) -> bool:
        return key == CLIENT[0]


PLAIN_SERVER = {"plain_server": 1}
CURVE_SERVER = {"curve_server": 1, "curve_publickey": SERVER[0], "curve_secretkey": SERVER[1]}
CURVE_CLIENT = {"curve_serverkey": SERVER[0], "curve_publickey": CLIENT[0], "curve_secretkey": CLIENT[1]}

HANDSHAKES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "NULL": ({"zap_domain": b"d"}, {}, True),
    "PLAIN": (PLAIN_SERVER, {"plain_username": b"admin", "plain_password": PASSWORD}, True),
    "PLAIN, wrong password": (PLAIN_SERVER, {"plain_username": b"admin", "plain_password": WRONG_PASSWORD}, False),
    "PLAIN, wrong user": (PLAIN_SERVER, {"plain_username": b"root", "plain_password": WRONG_PASSWORD}, False),
    "PLAIN clients": (
        {"plain_username": b"admin", "plain_password": WRONG_PASSWORD},
        {"plain_username": b"admin", "plain_password": PASSWORD},
        False,
    ),
    "PLAIN to CURVE": (CURVE_SERVER, {"plain_username": b"admin", "plain_password": PASSWORD}, False),
    "CURVE": (CURVE_SERVER, CURVE_CLIENT, True),
    "CURVE, wrong server key": (CURVE_SERVER, {**CURVE_CLIENT, "curve_serverkey": OTHER[0]}, False),
    "CURVE, unknown client": (
        CURVE_SERVER,
        {**CURVE_CLIENT, "curve_publickey": OTHER[0], "curve_secretkey": OTHER[1]},
        False,
    ),
    "CURVE, keys of two pairs": (CURVE_SERVER, {**CURVE_CLIENT, "curve_secretkey": OTHER[1]}, False),
    "CURVE clients": (CURVE_CLIENT, {**CURVE_CLIENT, "curve_secretkey": OTHER[1]}, False),
    "CURVE to NULL": ({}, CURVE_CLIENT, False),
}


@pytest.mark.parametrize(("server", "client", "good"), HANDSHAKES.values(), ids=HANDSHAKES.keys())
def test_handshakes(
    socket: SocketFactory,
    guard: Any,
    made: list[bytes],
    kept: list[Secret],
    listener: Listener,
    server: dict[str, Any],
    client: dict[str, Any],
    good: bool,
) -> None:
    """Everything that is said of a handshake, during it and after it, holds no secret of it."""
    secrets = [PASSWORD, WRONG_PASSWORD, SERVER[1], CLIENT[1], OTHER[1]]
    bound = socket(zmq.DEALER, **server)
    connected = socket(zmq.DEALER, reconnect_ivl=-1, **client)
    monitors = [listener.watch(bound), listener.watch(connected)]
    connected.connect(bind(bound))
    listener.drain(bound, connected)
    if good:
        connected.send(b"hello")
        assert bound.recv() == b"hello"
    else:
        wait_until(lambda: bound.last_handshake_failures and connected.last_handshake_failures, "the failures")
    listener.drain(bound, connected)
    made += map(bytes, kept)  # some are made in their place
    made = [key for key in made if any(key)]
    text = listener.text()
    assert "ZmtpEngine" in text or "handshake failed" in text
    assert len(made) >= 4 or "curve" not in str(server) + str(client) or not good
    assert not has_secret(text, secrets + made)
    for sock, monitor in zip((bound, connected), monitors, strict=True):
        sock.disable_monitor()
        monitor.close(linger=0)


def test_the_search_finds_secrets() -> None:
    """Or the tests here would prove nothing."""
    raw = z85.decode(SERVER[1])
    written = [f"key {raw!r}", raw.hex(), raw.hex().upper(), SERVER[1].decode(), repr(list(raw)), repr(bytearray(raw))]
    for text in written:
        assert has_secret(f"x{text}y", [SERVER[1]])
        assert has_secret(f"x{text}y", [raw])
    assert has_secret(repr({"password": PASSWORD}), [PASSWORD])
    assert not has_secret("nothing", [PASSWORD, SERVER[1]])


SECRET_OPTIONS = {
    "CURVE_SECRETKEY": z85.decode(SERVER[1])[:31],
    "CURVE_PUBLICKEY": SERVER[1] + b"x",
    "CURVE_SERVERKEY": b"\0" + SERVER[1],
    "PLAIN_PASSWORD": PASSWORD * 10,
    "PLAIN_USERNAME": PASSWORD * 10,
    "SOCKS_PASSWORD": PASSWORD * 10,
}


@pytest.mark.parametrize("name", SECRET_OPTIONS)
def test_options_that_are_refused(socket: SocketFactory, name: str) -> None:
    """An error names the option and not the value, nor does its traceback."""
    value = SECRET_OPTIONS[name]
    sock = socket(zmq.DEALER)
    with pytest.raises(zmq.ZMQError, match=name) as caught:
        sock.setsockopt(getattr(zmq, name), value)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    pieces = [value[start : start + 12] for start in range(min(len(value), 40) - 11)]
    assert not any(piece.decode("latin-1") in text or repr(piece)[2:-1] in text for piece in pieces)


@pytest.mark.parametrize("name", sorted(SECRET_OPTIONS))
@pytest.mark.parametrize("wrap", [bytearray, lambda value: (b"public", value), lambda value: [value]])
def test_secrets_of_the_wrong_type(socket: SocketFactory, name: str, wrap: Callable[[bytes], object]) -> None:
    """A certificate that was not unpacked, say: its two keys are a tuple."""
    value = SECRET_OPTIONS[name]
    with pytest.raises(TypeError, match=name) as caught:
        socket(zmq.DEALER).setsockopt(getattr(zmq, name), wrap(value))
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert repr(value[:12])[2:-1] not in text


def test_options_do_not_show_themselves() -> None:
    """A repr of all the options, which logs may hold."""
    made = Options()
    for name, value in {**CURVE_CLIENT, "plain_password": PASSWORD, "socks_password": PASSWORD}.items():
        made.setsockopt(getattr(zmq, name.upper()), value)
    assert "not shown" in repr(made)
    assert not has_secret(repr(made), [PASSWORD, *CLIENT])


def test_the_password_of_a_proxy(socket: SocketFactory, listener: Listener) -> None:
    """It goes to the proxy, and nowhere else, whether the proxy likes it or not."""
    password = PASSWORD

    def refuse(conversation: Any) -> None:
        conversation.negotiate(b"user", WRONG_PASSWORD)

    proxy = SocksProxy(refuse)
    try:
        push = socket(zmq.PUSH, socks_proxy=proxy.option, socks_username=b"user", socks_password=password)
        monitor = listener.watch(push)
        push.connect("tcp://127.0.0.1:5555")
        wait_until(lambda: proxy.conversations and proxy.conversations[0].credentials, "the password at the proxy")
        assert proxy.conversations[0].credentials == (b"user", password)
        assert monitor.poll(5000)
        listener.drain(push)
        push.disable_monitor()
        monitor.close(linger=0)
    finally:
        proxy.close()
    assert not has_secret(listener.text(), [password])


# --- what is overwritten ---------------------------------------------------------------------------------------------


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Secret]]:
    """Every `Secret` there was."""
    found: list[Secret] = []
    original = Secret.__init__

    def remember(self: Secret, key: bytes) -> None:
        found.append(self)
        original(self, key)

    monkeypatch.setattr(Secret, "__init__", remember)
    yield found


def curve_pair(**changes: Any) -> tuple[CurveClient, CurveServer]:
    own, other = b"C" * 32, b"Q" * 32
    keys = {"curve_public_key": public_of(own), "curve_secret_key": own, "curve_server_key": public_of(other)}
    client = CurveClient(options(**{**keys, **changes}), FakeHost())
    return client, CurveServer(options(as_server=1, curve_secret_key=other), FakeHost(handler=False))


def overwritten(secret: Secret) -> bool:
    return bytes(secret) == bytes(32)


def test_what_is_left_after_a_handshake(kept: list[Secret]) -> None:
    """The key of the connection alone, on each side; and that goes with the connection."""
    client, server = curve_pair()
    converse(client, server)
    assert [secret for secret in kept if not overwritten(secret)] == [
        secret for secret in kept if secret in (client.precom, server.precom)
    ]
    assert sum(not overwritten(secret) for secret in kept) == 2
    for mechanism in (client, server):
        mechanism.destroy()
    assert all(map(overwritten, kept))


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_what_is_left_of_a_handshake_that_ends_early(kept: list[Secret], steps: int) -> None:
    """Nothing, wherever it ends."""
    client, server = curve_pair()
    speakers: list[tuple[Any, Any]] = [(client, server), (server, client), (client, server)]
    for speaker, hearer in speakers[:steps]:
        for command in commands_of(speaker):
            hearer.process_handshake_command(command)
    for mechanism in (client, server):
        mechanism.destroy()
    assert kept
    assert all(map(overwritten, kept))


FAILING: dict[str, Callable[[], bytes]] = {
    "another server's HELLO": lambda: CurveClientScript(public_of(b"X" * 32)).hello(),
    "a HELLO of a key of low order": lambda: b"\5HELLO\1\0" + bytes(192),
    "noise": lambda: b"\5HELLO\1\0" + b"n" * 192,
}


@pytest.mark.parametrize("make", FAILING.values(), ids=FAILING.keys())
def test_what_is_left_of_a_handshake_that_fails(kept: list[Secret], make: Callable[[], bytes]) -> None:
    """Nothing, also of keys that were made on the way to the failure."""
    _, server = curve_pair()
    with pytest.raises(MechanismError):
        server.process_handshake_command(make())
    server.destroy()
    assert all(map(overwritten, kept[1:])), "the first is the other mechanism's"


def test_a_connection_that_ends_forgets_its_keys(socket: SocketFactory, kept: list[Secret]) -> None:
    """In whole sockets: after both are closed nothing is left."""
    server, client = socket(zmq.PULL, **CURVE_SERVER), socket(zmq.PUSH, **CURVE_CLIENT)
    client.connect(bind(server))
    client.send(b"x")
    assert server.recv() == b"x"
    # On either side the shared key, and what each direction derives from it, where libsodium lets it.
    assert sum(not overwritten(secret) for secret in kept) in (2, 2 * 3)
    client.close()
    server.close()
    wait_until(lambda: all(map(overwritten, kept)), "all keys to be overwritten")


# --- constant time ---------------------------------------------------------------------------------------------------


def test_comparisons_take_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cookie and both halves of the vouch go through `hmac.compare_digest`, and passwords do."""
    import hmac

    compared: list[tuple[Any, Any]] = []
    original = hmac.compare_digest

    def compare(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return original(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    client, server = curve_pair()
    converse(client, server)
    assert [len(left) for left, _ in compared] == [64, 32, 32]
    from libzmq_py.auth import Authenticator

    with zmq.Context() as context:
        guard = Authenticator(context)
        guard.configure_plain(passwords={"admin": PASSWORD.decode()})
        for password, allowed in ((PASSWORD, True), (WRONG_PASSWORD, False), (PASSWORD[:-1], False)):
            compared.clear()
            assert guard._authenticate_plain("d", "admin", password.decode())[0] is allowed
            assert compared == [(password, PASSWORD)]
