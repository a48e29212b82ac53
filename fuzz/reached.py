# SPDX-License-Identifier: MPL-2.0
"""What is worth keeping of a corpus: the inputs that run lines of the package in an order that no shorter one does.

One file per target in `reached/`, an input per line, in hexadecimal: git need not hold a thousand small files.
"""

from __future__ import annotations

import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import libzmq_py
from fuzz.targets import ROOT, inputs, load, reached

_PACKAGE = str(pathlib.Path(libzmq_py.__file__).parent)
# Code, a line, the next one, and how often: the number of bits of that, as libFuzzer tells 3 times from 4.
Arc = tuple[Any, int, int, int]


def arcs_of(check: Callable[[bytes], None], data: bytes) -> set[Arc]:
    """Which line of the package followed which in the same call, and how often, while an input was checked."""
    found: Counter[tuple[Any, int, int]] = Counter()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "call" and not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        found[frame.f_code, last.get(frame, 0), frame.f_lineno] += 1
        if event == "return":
            last.pop(frame, None)
        else:
            last[frame] = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        check(data)
    finally:
        sys.settrace(None)
    return {(*arc, times.bit_length()) for arc, times in found.items()}


def worth_keeping(check: Callable[[bytes], None], kept: Iterable[bytes], gathered: Iterable[bytes]) -> list[bytes]:
    """Those of `gathered`, the shortest first, that reach what nothing before them and none of `kept` reaches."""
    seen: set[Arc] = set()
    for data in kept:
        seen |= arcs_of(check, data)
    chosen = []
    for data in sorted(set(gathered), key=lambda one: (len(one), one)):
        arcs = arcs_of(check, data)
        if not arcs <= seen:
            seen |= arcs
            chosen.append(data)
    return chosen


def write(name: str, corpus: pathlib.Path) -> int:
    """Keep of a target's corpus, and of what was kept before, what is worth it; how many inputs that is."""
    kept = [path.read_bytes() for path in inputs(name, "seeds", "saved")]
    gathered = [*reached(name), *(path.read_bytes() for path in (corpus / name).glob("*") if path.is_file())]
    chosen = worth_keeping(load(name).check, kept, gathered)
    if chosen:
        (ROOT / "reached").mkdir(exist_ok=True)
        (ROOT / "reached" / name).write_text("".join(data.hex() + "\n" for data in chosen), "ascii")
    return len(chosen)
