# SPDX-License-Identifier: MPL-2.0
"""Key files: what is written, how it is protected, and that pyzmq's and ours can be exchanged."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import zmq.auth as theirs

import libzmq_py
from libzmq_py import auth as ours
from libzmq_py import z85


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Any:
    """Generous and strict."""
    old = os.umask(request.param)
    yield
    os.umask(old)


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_pair(tmp_path: Path, umask: None) -> None:
    """Two files, the secret one for its owner alone whatever the umask; the keys belong together."""
    metadata: dict[str | bytes, str | bytes] = {"name": "Bob", b"mail": b"bob@example.org"}
    public_file, secret_file = ours.create_certificates(tmp_path, "server", metadata)
    assert (public_file, secret_file) == (str(tmp_path / "server.key"), str(tmp_path / "server.key_secret"))
    assert mode(public_file) == 0o644
    assert mode(secret_file) == 0o600
    public, nothing = ours.load_certificate(public_file)
    same_public, secret = ours.load_certificate(secret_file)
    assert nothing is None
    assert secret is not None
    assert public == same_public == libzmq_py.curve_public(secret)
    text = Path(secret_file).read_text()
    assert "    name = Bob\n    mail = bob@example.org\n" in text
    assert secret.decode() not in Path(public_file).read_text()
    assert sorted(os.listdir(tmp_path)) == ["server.key", "server.key_secret"]


def test_a_pair_takes_the_place_of_another(tmp_path: Path) -> None:
    """With the mode it must have, even if the old file had another."""
    _, secret_file = ours.create_certificates(tmp_path, "server")
    os.chmod(secret_file, 0o644)
    before = ours.load_certificate(secret_file)
    _, secret_file = ours.create_certificates(tmp_path, "server")
    assert mode(secret_file) == 0o600
    assert ours.load_certificate(secret_file) != before


@pytest.mark.parametrize(
    "metadata", [{"a": "b\n    public-key = x"}, {"a\n": "b"}, {"a": "b\rc"}, {"public-key = x": "y"}]
)
def test_metadata_that_would_add_lines(tmp_path: Path, metadata: dict[str, str]) -> None:
    """Refused, and nothing is written."""
    with pytest.raises(ValueError, match="line"):
        ours.create_certificates(tmp_path, "server", metadata)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["public-key", "secret-key", " public-key", "secret-key-2", b"public-key"])
def test_metadata_named_like_a_key(tmp_path: Path, name: str | bytes) -> None:
    """Refused, and nothing is written: readers that do not look at sections would take its value for the key."""
    with pytest.raises(ValueError, match="as a key is"):
        ours.create_certificates(tmp_path, "server", {name: "x" * 40})
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """The system's error."""
    with pytest.raises(OSError, match="missing"):
        ours.create_certificates(tmp_path / "missing", "server")
    with pytest.raises(OSError, match="missing"):
        ours.load_certificates(tmp_path / "missing")
    with pytest.raises(OSError, match="missing"):
        ours.load_certificate(tmp_path / "missing")


@pytest.mark.parametrize(("writer", "reader"), [(ours, theirs), (theirs, ours)])
def test_files_can_be_exchanged_with_pyzmq(tmp_path: Path, writer: Any, reader: Any) -> None:
    """Either reads what the other has written, one by one and by directory."""
    public_file, secret_file = writer.create_certificates(tmp_path, "a", {"name": "Bob"})
    writer.create_certificates(tmp_path, "b")
    assert reader.load_certificate(public_file) == writer.load_certificate(public_file)
    assert reader.load_certificate(secret_file) == writer.load_certificate(secret_file)
    found = reader.load_certificates(tmp_path)
    assert found == writer.load_certificates(tmp_path)
    assert len(found) == 2


def test_files_of_czmq(tmp_path: Path) -> None:
    """ZPL as zcert_save writes it."""
    path = tmp_path / "czmq.key"
    public, _ = libzmq_py.curve_keypair()
    path.write_text(
        "#   ****  Generated on 2013-01-01 by CZMQ  ****\n#   public-key = \"not this one\"\n\n"
        f'metadata\n    name = "public-key = nor this"\ncurve\n    public-key = "{public.decode()}"\n'
    )
    assert ours.load_certificate(path) == (public, None)


def test_keys_outside_their_section(tmp_path: Path) -> None:
    """They are none, whether before or after; of two in the section the last one counts, as for pyzmq."""
    path = tmp_path / "a.key"
    wrong = 'metadata\n    public-key = "wrong"\n    secret-key = "wrong"\n'
    for text in (wrong + 'curve\n    public-key = "right"\n', 'curve # keys\n    public-key = "right"\n\n#\n' + wrong):
        path.write_text(text)
        assert ours.load_certificate(path) == (b"right", None)
    path.write_text('curve\n    public-key = "old"\n    public-key = "right"\n')
    assert ours.load_certificate(path) == theirs.load_certificate(path) == (b"right", None)
    path.write_text(wrong)
    with pytest.raises(ValueError, match="No public key"):
        ours.load_certificate(path)


@pytest.mark.parametrize(
    "text", ['public-key = "a"\nsecret-key = "b"\n', "curve\r\npublic-key=a\r\n\tsecret-key=b\r\n"]
)
def test_files_of_another_look(tmp_path: Path, text: str) -> None:
    """Without sections, without indentation, with other line ends: read as by pyzmq."""
    path = tmp_path / "a.key_secret"
    path.write_bytes(text.encode())
    assert ours.load_certificate(path) == theirs.load_certificate(path) == (b"a", b"b")


@pytest.mark.parametrize("text", ["", "curve\n", "metadata\n    secret-key = \"x\"\n", "#public-key = \"x\"\n"])
def test_files_without_a_public_key(tmp_path: Path, text: str) -> None:
    """ValueError that names the file."""
    path = tmp_path / "bad.key"
    path.write_text(text)
    with pytest.raises(ValueError, match="bad.key"):
        ours.load_certificate(path)


def test_fingerprints() -> None:
    """SHA-256 of the 32 bytes, as ssh writes it; str and bytes."""
    public, _ = libzmq_py.curve_keypair()
    digest = base64.b64encode(hashlib.sha256(z85.decode(public)).digest()).decode().rstrip("=")
    assert ours.fingerprint(public) == ours.fingerprint(public.decode()) == f"SHA256:{digest}"
    for wrong in (b"short", b"", public[:-5], public + b"00000", b"x" * 39 + b"~"):
        with pytest.raises(ValueError, match="Z85"):
            ours.fingerprint(wrong)
