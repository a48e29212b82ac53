# SPDX-License-Identifier: MPL-2.0
"""Security contexts of Kerberos: whatever is done to a token, it is a ContextError, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import gssapi
import pytest

from libzmq_py.mechanisms.gssapi.context import ContextError
from libzmq_py.mechanisms.gssapi.kerberos import Kerberos, KerberosContext
from libzmq_py.options import Options
from tests.gssapi.conftest import PASSWORD
from tests.gssapi.kdc import REALM, Kdc, has_expired
from tests.support.waiting import wait_until


def options(**values: object) -> Options:
    made = Options()
    made.gss_service_principal = b"zmq@localhost"
    for name, value in values.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def established() -> tuple[KerberosContext, KerberosContext]:
    """Client and server."""
    client, server = Kerberos().initiate(options()), Kerberos().accept(options())
    ticket = client.step(b"")
    assert ticket and not client.complete
    answer = server.step(ticket)
    assert answer and server.complete
    assert client.step(answer) == b""
    assert client.complete
    return client, server


def test_the_whole_way() -> None:
    """Two tokens; then both seal for each other, and the server knows who the client is."""
    client, server = established()
    assert server.initiator == b"alice@" + REALM.encode()
    for size in (0, 1, 100, 1 << 20):
        payload = random.randbytes(size)
        for one, other in ((client, server), (server, client)):
            sealed = one.wrap(payload)
            assert size < 16 or payload not in sealed
            assert other.unwrap(sealed) == payload


@pytest.mark.parametrize("name", [b"zmq@localhost", b"zmq@localhost\0"])
def test_names_as_c_strings(name: bytes) -> None:
    """What C programs set ends with a NUL, and means the same."""
    server = Kerberos().accept(options(gss_principal=name))
    client = Kerberos().initiate(options(gss_service_principal=name))
    assert server.step(client.step(b""))


def test_each_side_needs_what_it_uses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client that is named needs a ticket and no key, a server a key and no ticket; libzmq wants both of both."""
    with monkeypatch.context() as without_keytab:
        without_keytab.setenv("KRB5_KTNAME", f"FILE:{tmp_path}/none")
        client = Kerberos().initiate(options(gss_principal=b"alice", gss_principal_nt=1))
        token = client.step(b"")
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/none")
    server = Kerberos().accept(options(gss_principal=b"zmq@localhost"))
    client.step(server.step(token))
    assert client.complete and server.complete


def test_altered_tokens() -> None:
    """A change of any byte of a sealed message is seen."""
    client, server = established()
    sealed = client.wrap(b"payload")
    for index in range(len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1 << index % 8
        with pytest.raises(ContextError):
            server.unwrap(bytes(altered))
    for size in range(len(sealed)):
        with pytest.raises(ContextError):
            server.unwrap(sealed[:size])


@pytest.mark.parametrize("order", [(0, 0), (0, 1, 1), (0, 1, 0), (1,), (0, 2)], ids=str)
def test_messages_out_of_turn(order: tuple[int, ...]) -> None:
    """Repeated, exchanged or left out: the last of these is refused."""
    client, server = established()
    sealed = [client.wrap(b"%d" % number) for number in range(3)]
    *good, bad = order
    for number in good:
        assert server.unwrap(sealed[number]) == b"%d" % number
    with pytest.raises(ContextError):
        server.unwrap(sealed[bad])


def test_what_is_only_signed() -> None:
    """Is refused; libzmq aborts the process."""
    client, server = established()
    signed, encrypted = client._context.wrap(b"payload", False)
    assert not encrypted
    with pytest.raises(ContextError, match="not encrypted"):
        server.unwrap(signed)


def test_messages_of_another_connection() -> None:
    """The same peers, another key."""
    client, _ = established()
    _, server = established()
    with pytest.raises(ContextError):
        server.unwrap(client.wrap(b"payload"))


def test_a_message_sent_back() -> None:
    """To the side that made it."""
    client, _ = established()
    with pytest.raises(ContextError):
        client.unwrap(client.wrap(b"payload"))


def test_a_token_sent_again() -> None:
    """Who has listened to a handshake cannot repeat it: the replay cache knows the token."""
    token = Kerberos().initiate(options()).step(b"")
    Kerberos().accept(options()).step(token)
    with pytest.raises(ContextError, match="replay"):
        Kerberos().accept(options()).step(token)


def test_any_bytes_as_a_first_token() -> None:
    """Garbage, cut or altered tickets."""
    token = Kerberos().initiate(options()).step(b"")
    rng = random.Random(38)
    garbage = [
        b"",
        b"\0",
        b"\x60",
        b"\x60\x84\xff\xff\xff\xff",
        *(rng.randbytes(rng.randrange(1, 200)) for _ in range(50)),
    ]
    cut = [token[: rng.randrange(len(token))] for _ in range(50)]
    altered = []
    for _ in range(200):
        changed = bytearray(token)
        changed[rng.randrange(len(token))] ^= rng.randrange(1, 256)
        altered.append(bytes(changed))
    accepted = 0
    for bad in garbage + cut + altered:
        context = Kerberos().accept(options())
        try:
            context.step(bad)
            accepted += 1
        except ContextError:
            assert not context._context._started
    # A bit here and there means nothing (it is not even read), and is changed in vain.
    assert accepted <= 5


def test_any_bytes_as_an_answer() -> None:
    """A server that cannot prove who it is."""
    rng = random.Random(39)
    answer = Kerberos().accept(options()).step(Kerberos().initiate(options()).step(b""))
    for bad in [answer, b"\x60", answer[:-1], *(rng.randbytes(rng.randrange(1, 200)) for _ in range(50))]:
        client = Kerberos().initiate(options())
        client.step(b"")
        with pytest.raises(ContextError):
            client.step(bad)


def test_a_client_that_does_not_ask_who_the_server_is() -> None:
    """Is no client of ours: both must know."""
    name = gssapi.Name("zmq@localhost", gssapi.NameType.hostbased_service)
    client = gssapi.SecurityContext(name=name, flags=[gssapi.RequirementFlag.integrity], usage="initiate")
    server = Kerberos().accept(options())
    server.step(client.step())
    with pytest.raises(ContextError, match="mutual"):
        assert server.complete


def test_negotiation_is_not_kerberos() -> None:
    """A token of SPNEGO is refused: a way more to get at the libraries behind it, that libzmq's peers never use."""
    name = gssapi.Name("zmq@localhost", gssapi.NameType.hostbased_service)
    spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
    token = gssapi.SecurityContext(name=name, mech=spnego, usage="initiate").step()
    with pytest.raises(ContextError):
        Kerberos().accept(options()).step(token)


# --- what is missing -------------------------------------------------------------------------------------------------


def test_no_ticket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The text says where it was looked for."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/none")
    with pytest.raises(ContextError, match="none"):
        Kerberos().initiate(options()).step(b"")


def test_a_ticket_of_somebody_else() -> None:
    """GSSAPI_PRINCIPAL names who we are to be."""
    with pytest.raises(ContextError):
        Kerberos().initiate(options(gss_principal=b"carol", gss_principal_nt=1)).step(b"")


def test_a_ticket_that_has_expired(kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Is none; a context that was made with it goes on."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/short")
    kdc.kinit("alice", PASSWORD, "-l", "2s")
    client, server = established()

    wait_until(has_expired, "the ticket to expire", timeout=20)
    assert server.unwrap(client.wrap(b"still here")) == b"still here"


def test_no_keytab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor one that has another's key only."""
    monkeypatch.setenv("KRB5_KTNAME", f"FILE:{tmp_path}/none")
    with pytest.raises(ContextError, match="none"):
        Kerberos().accept(options())


def test_a_keytab_of_somebody_else(kdc: Kdc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, it is missing at once; else the ticket does not open."""
    monkeypatch.setenv("KRB5_KTNAME", f"FILE:{kdc.directory}/keytab-of-other")
    with pytest.raises(ContextError):
        Kerberos().accept(options(gss_principal=b"zmq@localhost"))
    with pytest.raises(ContextError):
        Kerberos().accept(options()).step(Kerberos().initiate(options()).step(b""))


def test_an_old_key(kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A keytab that was written before the service got a new key."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/fresh")
    monkeypatch.setenv("KRB5_KTNAME", f"FILE:{tmp_path}/old")
    kdc.add_service("rekeyed/localhost", tmp_path / "old")
    kdc.run("kadmin.local", "cpw", "-randkey", "rekeyed/localhost")
    kdc.kinit("alice", PASSWORD)
    token = Kerberos().initiate(options(gss_service_principal=b"rekeyed@localhost")).step(b"")
    with pytest.raises(ContextError):
        Kerberos().accept(options()).step(token)


@pytest.mark.parametrize("service", [b"nobody@localhost", b"", b"@", b"\0", b"\xff\xfe@localhost", b"x" * 255])
def test_a_service_that_is_none(service: bytes) -> None:
    """Unknown to the KDC, or no name at all."""
    with pytest.raises(ContextError):
        Kerberos().initiate(options(gss_service_principal=service)).step(b"")


def test_no_kdc(kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody answers."""
    config = (kdc.directory / "krb5.conf").read_text().replace(f":{kdc.port}", ":9")
    (tmp_path / "krb5.conf").write_text(config)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/fresh")
    kdc.kinit("alice", PASSWORD)
    monkeypatch.setenv("KRB5_CONFIG", str(tmp_path / "krb5.conf"))
    with pytest.raises(ContextError, match="KDC"):
        Kerberos().initiate(options()).step(b"")
