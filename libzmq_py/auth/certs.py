# SPDX-License-Identifier: MPL-2.0
"""Key files, in the format of czmq's zcert and of pyzmq: `name.key` for everybody, `name.key_secret` for nobody::

    #   ****  Generated on 2026-11-22 12:00:00 by libzmq_py  ****
    metadata
        name = "value"
    curve
        public-key = "40 characters of Z85"
        secret-key = "40 characters of Z85"

Mirrors: pyzmq's zmq/auth/certs.py; czmq's zcert.c.
Departs, from pyzmq: the secret file is readable by its owner only from its first moment on, whatever the umask, and
takes the place of an old one in one step. Metadata that would add lines of its own, or that is named like a key, is
refused. Keys are read from the section `curve`, or from before any section; pyzmq reads them anywhere.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
from collections.abc import Iterable, Mapping
from typing import Final

from libzmq_py import z85

_PUBLIC_BANNER: Final = """\
#   ****  Generated on {} by libzmq_py  ****
#   ZeroMQ CURVE Public Certificate
#   Give it to whom you like, over a way that cannot be tampered with; compare
#   fingerprints if in doubt.

"""
_SECRET_BANNER: Final = """\
#   ****  Generated on {} by libzmq_py  ****
#   ZeroMQ CURVE **Secret** Certificate
#   DO NOT GIVE THIS FILE TO ANYBODY, nor change its permissions.

"""  # noqa: S105 - it heads a file of a key, and is none
_KEY_SIZE: Final = 32
_KEY_NAMES: Final = ("public-key", "secret-key")
_PUBLIC_MODE: Final = 0o644
_SECRET_MODE: Final = 0o600


def create_certificates(
    key_dir: str | os.PathLike[str], name: str, metadata: Mapping[str | bytes, str | bytes] | None = None
) -> tuple[str, str]:
    """Make a key pair and write it to `name.key` and `name.key_secret`; files of these names are replaced.

    Args:
        key_dir: The directory, which must exist.
        name: Of the files, without suffix.
        metadata: Goes into the secret file, for people.

    Returns:
        The paths of the public and of the secret file.

    Raises:
        ValueError: Metadata holds a line break, or a name an equals sign, or it begins as those of the keys.
        OSError: The files cannot be written.
        ZMQError: ENOTSUP, PyNaCl is not installed.
    """
    from libzmq_py.api.functions import curve_keypair

    lines = _metadata_lines(metadata or {})
    public_key, secret_key = (key.decode("ascii") for key in curve_keypair())
    now = datetime.datetime.now()
    base = os.path.join(key_dir, name)
    public_file, secret_file = f"{base}.key", f"{base}.key_secret"
    public = f'curve\n    public-key = "{public_key}"\n'
    _write(public_file, _PUBLIC_BANNER.format(now) + "metadata\n" + public, _PUBLIC_MODE)
    secret = f'{public}    secret-key = "{secret_key}"\n'
    _write(secret_file, _SECRET_BANNER.format(now) + "metadata\n" + lines + secret, _SECRET_MODE)
    return public_file, secret_file


def _metadata_lines(metadata: Mapping[str | bytes, str | bytes]) -> str:
    lines = ""
    for key, value in metadata.items():
        name, text = (part.decode("utf-8") if isinstance(part, bytes) else str(part) for part in (key, value))
        if "=" in name or any(character in name + text for character in "\r\n"):
            raise ValueError(f"metadata {name!r} = {text!r} does not fit on one line")
        if name.strip().startswith(_KEY_NAMES):  # pyzmq would take its value for the key
            raise ValueError(f"metadata must not be named {name!r}, as a key is")
        lines += f"    {name} = {text}\n"
    return lines


def _write(path: str, text: str, mode: int) -> None:
    """Write a file that nobody can see half written, or with another mode."""
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path) or ".")  # mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def load_certificate(filename: str | os.PathLike[str]) -> tuple[bytes, bytes | None]:
    """Read a key file.

    Returns:
        Public and secret key as Z85; None for the secret one of a public file.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It holds no public key, or not in the section ``curve``.
    """
    if not os.path.exists(filename):
        raise OSError(f"Invalid certificate file: {os.fspath(filename)}")
    with open(filename, "rb") as file:
        keys = _keys_of(file)
    if "public-key" not in keys:
        raise ValueError(f"No public key found in {os.fspath(filename)}")
    return keys["public-key"], keys.get("secret-key")


def _keys_of(lines: Iterable[bytes]) -> dict[str, bytes]:
    """The keys by name. Of several the last one counts, as for pyzmq."""
    section = b""
    keys: dict[str, bytes] = {}
    for line in lines:
        name, equals, value = line.partition(b"=")
        if not equals:
            header = line.partition(b"#")[0].rstrip()
            if header and not header[:1].isspace():
                section = header
        elif section in (b"", b"curve"):
            for key in _KEY_NAMES:
                if name.strip() == key.encode():
                    keys[key] = value.strip().strip(b" \t'\"")
    return keys


def load_certificates(directory: str | os.PathLike[str] = ".") -> dict[bytes, bool]:
    """Read the public keys of all `*.key` files of a directory, as a dict of Z85 keys to True.

    Raises:
        OSError: There is no such directory, or a file cannot be read.
        ValueError: A file holds no public key.
    """
    if not os.path.isdir(directory):
        raise OSError(f"Invalid certificate directory: {os.fspath(directory)}")
    names = sorted(name for name in os.listdir(directory) if name.endswith(".key") and not name.startswith("."))
    return {load_certificate(os.path.join(directory, name))[0]: True for name in names}


def fingerprint(public_key: bytes | str) -> str:
    """What two people compare to be sure that they have the same public key (Z85): SHA-256 of it, in the way of ssh.

    Raises:
        ValueError: It is no key. (Not in pyzmq.)
    """
    import base64
    import hashlib

    text = public_key.encode("ascii") if isinstance(public_key, str) else public_key
    key = z85.decode(text)
    if len(key) != _KEY_SIZE:
        raise ValueError(f"a key has 40 characters of Z85, not {len(text)}")
    digest = hashlib.sha256(key).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


__all__ = ["create_certificates", "fingerprint", "load_certificate", "load_certificates"]
