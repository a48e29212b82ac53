# SPDX-License-Identifier: MPL-2.0
"""Key files (auth/certs.py).

Any file gives a public key and perhaps a secret one, or a ValueError that shows nothing of it; what a parser written
here finds. Whatever the keys, `fingerprint` gives a text or a ValueError.
"""

from __future__ import annotations

import os
import tempfile

from fuzz.source import require
from libzmq_py.auth.certs import fingerprint, load_certificate

MAX_LEN = 300
_KEY = b'"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"'
TOKENS = (b"public-key", b"secret-key", b" = ", _KEY, b"\n", b"metadata\n", b"curve\n", b"    ", b"\r", b"'", b"#")
_GOOD = b"#   comment\n\nmetadata\n    name = me\ncurve\n    public-key = " + _KEY + b"\n"
SEEDS = {
    "public": _GOOD,
    "secret": _GOOD + b"    secret-key = " + _KEY + b"\n",
    "twice": _GOOD + b"    public-key = other\n",
    "no-quotes": b"public-key=" + _KEY[1:-1],
    "no-key": b"metadata\ncurve\n",
    "elsewhere": b"curve\n  secret-key = a\nmetadata\n  public-key = b\ncurve # again\n  public-key = c\n",
    "empty": b"",
    "equals": b"public-key = a=b\n",
    "bytes": b"public-key = \xff\xfe\0\n",
}


def check(data: bytes) -> None:
    """One input: the file."""
    expected: dict[bytes, bytes] = {}
    counts = True  # before any section, and in the section "curve"
    for line in data.split(b"\n"):
        name, equals, value = line.strip().partition(b"=")
        if not equals and not line[:1].isspace() and (section := line.split(b"#")[0].strip()):
            counts = section == b"curve"
        if counts and equals and name.strip() in (b"public-key", b"secret-key"):
            expected[name.strip()] = value.strip().strip(b" \t'\"")
    try:
        public, secret = _load(data)
    except ValueError as error:
        require(b"public-key" not in expected, "refused")
        shown = [value for value in expected.values() if len(value) > 8 and value.decode("latin-1") in str(error)]
        require(not shown, "a key in an error", shown)
        return
    require((public, secret) == (expected.get(b"public-key"), expected.get(b"secret-key")), "read otherwise", public)
    for key in (public, public.decode("latin-1")):
        try:
            text = fingerprint(key)
        except ValueError:
            continue
        require(len(public) == 40 and text.startswith("SHA256:"), "fingerprint", text)


def _load(data: bytes) -> tuple[bytes, bytes | None]:
    # A file without a name, which nothing has to delete.
    descriptor = os.memfd_create("certificate") if hasattr(os, "memfd_create") else tempfile.TemporaryFile().fileno()
    try:
        os.write(descriptor, data)
        return load_certificate(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
