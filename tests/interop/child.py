# SPDX-License-Identifier: MPL-2.0
"""A peer in a process of its own, for tests that kill or stop it: `python -m tests.interop.child '<json>'`.

The JSON object holds `lib` (module name), `type`, `bind` or `connect` (endpoint), `options` (by name; text becomes
bytes), and `do`: "echo" sends every message back, "print" prints every message's frames in hex, "swallow" only reads,
"idle" (default) does nothing. The first line printed is the endpoint. The process ends when its standard input does.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import Any


def _open_socket(lib: Any, spec: dict[str, Any]) -> Any:
    sock = lib.Context.instance().socket(getattr(lib, spec["type"]))
    sock.setsockopt(lib.LINGER, 0)
    for name, value in spec.get("options", {}).items():
        sock.setsockopt(getattr(lib, name), value.encode() if isinstance(value, str) else value)
    if "bind" in spec:
        sock.bind(spec["bind"])
    else:
        sock.connect(spec["connect"])
    return sock


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Run the child described by the first argument."""
    spec = json.loads(sys.argv[1])
    lib = importlib.import_module(spec["lib"])
    sock = _open_socket(lib, spec)
    print(sock.getsockopt(lib.LAST_ENDPOINT).rstrip(b"\0").decode(), flush=True)
    action = spec.get("do", "idle")
    if action == "idle":
        _end_with_parent()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        frames = sock.recv_multipart()
        if action == "echo":
            sock.send_multipart(frames)
        elif action == "print":
            print(" ".join(frame.hex() or "-" for frame in frames), flush=True)


if __name__ == "__main__":
    main()
