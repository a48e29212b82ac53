# SPDX-License-Identifier: MPL-2.0
"""One module per parser: `check(data)` raises when the invariant in its docstring does not hold.

Beside it `MAX_LEN` (bytes of an input that atheris makes), `TOKENS` (what a mutation may put in) and `SEEDS`.
Nothing here needs atheris.
"""

from __future__ import annotations

import importlib
import pathlib
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAMES = tuple(
    sorted(path.stem for path in pathlib.Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
)


def load(name: str) -> Any:
    """The module of a target."""
    if name not in NAMES:
        raise ValueError(f"no target {name!r}; there are {', '.join(NAMES)}")
    return importlib.import_module(f"fuzz.targets.{name}")


def inputs(name: str, *kinds: str) -> list[pathlib.Path]:
    """The kept inputs of a target: `seeds`, and `saved` ones that have found something."""
    return sorted(path for kind in kinds for path in (ROOT / kind / name).glob("*") if path.is_file())


def reached(name: str) -> list[bytes]:
    """What fuzzing a target has gathered, less what reaches nothing new; see `fuzz/reached.py`."""
    path = ROOT / "reached" / name
    return list(map(bytes.fromhex, path.read_text("ascii").splitlines())) if path.exists() else []
