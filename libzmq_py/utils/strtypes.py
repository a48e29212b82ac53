# SPDX-License-Identifier: MPL-2.0
"""Deprecated: str and bytes under names from the time of Python 2.

No libzmq twin: pyzmq's utils/strtypes.py.
"""

from __future__ import annotations

import warnings

bytes = bytes
unicode = str
basestring = (str,)


def _warn() -> None:
    warnings.warn("libzmq_py.utils.strtypes is deprecated, as in pyzmq 23.", DeprecationWarning, stacklevel=3)


def cast_bytes(s: str | bytes, encoding: str = "utf8", errors: str = "strict") -> bytes:
    """Encode a str; bytes stay.

    Raises:
        TypeError: It is neither.
    """
    _warn()
    if isinstance(s, bytes):
        return s
    if isinstance(s, str):
        return s.encode(encoding, errors)
    raise TypeError(f"Expected unicode or bytes, got {s!r}")


def cast_unicode(s: str | bytes, encoding: str = "utf8", errors: str = "strict") -> str:
    """Decode bytes; a str stays.

    Raises:
        TypeError: It is neither.
    """
    _warn()
    if isinstance(s, bytes):
        return s.decode(encoding, errors)
    if isinstance(s, str):
        return s
    raise TypeError(f"Expected unicode or bytes, got {s!r}")


b = asbytes = cast_bytes
u = cast_unicode

__all__ = ["asbytes", "b", "basestring", "bytes", "cast_bytes", "cast_unicode", "u", "unicode"]
