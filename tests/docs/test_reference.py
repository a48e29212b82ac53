# SPDX-License-Identifier: MPL-2.0
"""The reference is complete, and its tables are true.

Sphinx checks the same names again when it builds the pages (docs/extension.py); here the sources are looked at, so that
no Sphinx is needed.
"""

from __future__ import annotations

import csv
import importlib.util
import inspect
import re
import sys
import threading
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import libzmq_py as zmq
from libzmq_py.api.attrsettr import OptionAttribute
from libzmq_py.core.command import CommandType
from libzmq_py.errors import zmq_error

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# Not automodule, which shows the text of a module that is defined elsewhere on the page.
_KINDS = "class|function|method|property|exception|data"
_DIRECTIVE = re.compile(rf"^\.\. (?:py:module|(?:py:|auto)(?:{_KINDS})):: (\S+)", re.M)
_TABLE = re.compile(r"^```\{zmq-table\} (.+)$", re.M)
_NAME = re.compile(r"\{zmqname\}`(\w+)`")


def load(path: str) -> ModuleType:
    """A module of docs/, which is no package."""
    name = f"docs_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, DOCS / path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load("tables.py")


def read(name: str) -> list[dict[str, str]]:
    with open(ROOT / "spec" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pages() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md")}


def documented() -> Counter[str]:
    """What the pages of the reference define, as full names."""
    found: Counter[str] = Counter()
    for text in pages().values():
        for name in _DIRECTIVE.findall(text):
            name = name.partition("(")[0]
            found[name if name.startswith("libzmq_py") else f"libzmq_py.{name}"] += 1
        for table in _TABLE.findall(text):
            found.update(f"libzmq_py.{name}" for name in _NAME.findall(tables.TABLES[table]()))
    return found


@pytest.mark.parametrize("name", sorted(zmq.__all__))
def test_public_names_are_documented(name: str) -> None:
    """Each name that the package exports has an entry."""
    assert documented()[f"libzmq_py.{name}"] >= 1


def test_names_are_defined_once() -> None:
    """Of two places one would grow old."""
    assert {name for name, count in documented().items() if count > 1} == set()


def test_every_method_of_a_socket_is_documented() -> None:
    """The page of Socket is put in order by hand; nothing may be forgotten."""
    methods = {
        name
        for name in dir(zmq.Socket)
        if not name.startswith("_") and not isinstance(inspect.getattr_static(zmq.Socket, name), OptionAttribute)
    }
    attributes = {"copy_threshold"}  # stands with the class
    assert {f"libzmq_py.Socket.{name}" for name in methods - attributes} - set(documented()) == set()


def test_tables_are_shown() -> None:
    """Each table is on a page, and no page asks for one that there is not."""
    texts = [path.read_text("utf-8") for path in DOCS.rglob("*.md")]
    assert {name for text in texts for name in _TABLE.findall(text)} == set(tables.TABLES)


@pytest.mark.parametrize("row", read("options.csv"), ids=lambda row: f"{row['scope']}-{row['name']}")
def test_options_are_documented(row: dict[str, str]) -> None:
    """Each row of spec/options.csv is a row of one table, with its meaning and default."""
    shown = [tables.TABLES[name]() for name in _TABLE.findall(pages()["options.md"]) if name.startswith(row["scope"])]
    lines = [line for table in shown for line in table.splitlines() if re.search(rf"`{row['name']}`", line[:60])]
    assert len(lines) == 1
    assert row["effect"] in lines[0]
    if row["default"] and row["name"] != "TYPE" and row["set_on"] + row["get_on"] != "--":
        assert f"`{row['default']}`" in lines[0]


def test_option_groups_name_options() -> None:
    """A misspelt name would put the option under "Others"."""
    names = [name for group in tables.GROUPS.values() for name in group.split()]
    assert len(names) == len(set(names))
    assert set(names) <= {row["name"] for row in read("options.csv")}


# --- events and errors -----------------------------------------------------------------------------------------------


def test_events_are_those_there_are() -> None:
    """spec/events.csv has each event and each protocol error, once."""
    masks = {"ALL", "ALL_V1", "ALL_V2"}
    there = {
        name if name.startswith("PROTOCOL_ERROR") else f"EVENT_{name}"
        for name in zmq.Event.__members__
        if name not in masks
    }
    assert sorted(row["name"] for row in read("events.csv")) == sorted(there)
    assert [row["name"] for row in read("events.csv") if not row["when"]] == []


def test_errors_are_those_there_are() -> None:
    """spec/errors.csv has each errno of the public enum, and names the class that is raised for it."""
    import errno

    rows = read("errors.csv")
    assert set(zmq.Errno.__members__) <= {row["errno"] for row in rows}
    for row in rows:
        number = getattr(zmq.Errno, row["errno"], None) or getattr(errno, row["errno"])
        assert type(zmq_error(number)).__name__ == row["exception"]


# --- functions of libzmq ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", read("functions.csv"), ids=lambda row: row["function"])
def test_functions_have_a_counterpart(row: dict[str, str]) -> None:
    """What stands beside a function of libzmq exists; where nothing does, the note says what to do."""
    names = [name for name in row["python"].split("; ") if name]
    for name in names:
        tables.resolve(name)
    assert row["state"] in ("yes", "not yet", "no need")
    assert names or (row["state"] == "no need" and row["note"])


def test_functions_are_complete() -> None:
    """The 97 functions of zmq.h and zmq_draft.h, each once; docstrings of the face name no other."""
    names = [row["function"] for row in read("functions.csv")]
    assert len(names) == len(set(names)) == 97
    sources = [path.read_text("utf-8") for path in (ROOT / "libzmq_py" / "api").glob("*.py")]
    endings = re.compile(r"^ +(zmq_\w+(?:, zmq_\w+)*)(?: \([A-Z_]+\))?\.$", re.M)
    named = {name for text in sources for found in endings.findall(text) for name in found.split(", ")}
    assert len(named) > 30
    assert named <= set(names)


def test_what_is_not_there_yet() -> None:
    """Is what needs socket types that cannot be made; when they can, the table has to change."""
    missing = {row["function"] for row in read("functions.csv") if row["state"] == "not yet"}
    with zmq.Context() as ctx:

        def lacks(kind: int) -> bool:
            try:
                ctx.socket(kind).close()
            except zmq.ZMQError:
                return True
            return False

        needs = {
            "zmq_connect_peer": lacks(zmq.PEER),
            "zmq_disconnect_peer": lacks(zmq.SERVER),
            "zmq_join": lacks(zmq.DISH),
            "zmq_leave": lacks(zmq.DISH),
            "zmq_poller_fd": lacks(zmq.CLIENT),
        }
    assert missing == {name for name, is_missing in needs.items() if is_missing}


# --- internals -------------------------------------------------------------------------------------------------------


def test_commands_are_explained() -> None:
    """The page on threads has every command."""
    text = (DOCS / "internals" / "threads.md").read_text("utf-8")
    rows = "".join(re.findall(r"^\| (`.*?) \|", text, re.M))
    assert {kind.value for kind in CommandType} <= set(re.findall(r"`(\w+)`", rows))


def test_the_trace_is_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """The commands on the page are those that are sent; threads run at different speeds, so their order may differ."""
    text = (DOCS / "internals" / "threads.md").read_text("utf-8")
    shown = re.search(r":name: trace\n\n(.*?)^```$", text, re.M | re.S)
    assert shown is not None
    trace: Any = load("internals/trace.py")
    thread = threading.current_thread()
    name, thread.name = thread.name, "MainThread"
    try:
        trace.life_of_a_connection()
    finally:
        thread.name = name
    assert Counter(capsys.readouterr().out.splitlines()) == Counter(shown[1].splitlines())
