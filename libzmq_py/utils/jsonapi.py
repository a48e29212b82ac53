# SPDX-License-Identifier: MPL-2.0
"""JSON as bytes in UTF-8, as ``Socket.send_json`` sends it.

No libzmq twin: pyzmq's utils/jsonapi.py.
"""

from __future__ import annotations

import json
from typing import Any, cast

#: The module that does it.
jsonmod = json


def dumps(o: object, **kwargs: Any) -> bytes:
    """Write an object as JSON; keyword arguments are those of ``json.dumps``."""
    return json.dumps(o, **kwargs).encode()


def loads(s: bytes | str, **kwargs: Any) -> dict[str, Any] | list[Any] | str | float:
    """Read JSON; keyword arguments are those of ``json.loads``."""
    text = s.decode() if isinstance(s, bytes) else s
    return cast("dict[str, Any] | list[Any] | str | float", json.loads(text, **kwargs))


__all__ = ["dumps", "loads"]
