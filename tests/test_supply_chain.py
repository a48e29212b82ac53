# SPDX-License-Identifier: MPL-2.0
"""`.ci/supply_chain.py`: an audit that could not ask about everything is no clean audit.

`tox -e audit` itself needs a service on the internet, so pip-audit is played here by a script.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import sys
from types import ModuleType
from typing import Any

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / ".ci" / "supply_chain.py"

ADVISORY = {"id": "PYSEC-0-0", "fix_versions": ["9.9"]}


@pytest.fixture
def supply_chain(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, which sees two packages in every environment."""
    spec = importlib.util.spec_from_file_location("supply_chain", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parts = [{"name": name, "version": "1.0"} for name in ("one", "two", "libzmq-py")]
    monkeypatch.setattr(module, "run", lambda *command: json.dumps(parts))
    return module


def answer(name: str, **rest: Any) -> dict[str, Any]:
    """What pip-audit says of a package."""
    return {"name": name, **({"version": "1.0", "vulns": []} if "skip_reason" not in rest else {}), **rest}


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ([answer("one"), answer("two")], 0, "no advisory"),
        ([answer("one"), answer("two", vulns=[ADVISORY])], 1, "two 1.0: PYSEC-0-0"),
        ([answer("one"), answer("two", skip_reason="cannot ask")], 2, "NOT AUDITED"),
        ([answer("one")], 2, "NOT AUDITED"),
        (None, 2, "NOT AUDITED"),
    ],
    ids=["clean", "an advisory", "one is skipped", "one is left out", "pip-audit falls over"],
)
def test_audit(
    supply_chain: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    answers: Any,
    status: int,
    said: str,
) -> None:
    """0 if all is known and clean, 1 if something is found, 2 and a clear word if something is not known."""
    fake = tmp_path / "pip-audit"
    printed = "" if answers is None else json.dumps({"dependencies": answers})
    fake.write_text(f"#!{sys.executable}\nprint({printed!r})\n")
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert supply_chain.audit("python") == status
    out, err = capsys.readouterr()
    assert said in out + err
    assert ("no advisory" in out) == (status == 0)
