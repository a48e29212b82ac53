# SPDX-License-Identifier: MPL-2.0
"""What the documentation shows is run, and prints what it says.

On each page, in order: a ``python`` block is run, in one program for the whole page; a ``text`` block behind it is what
it prints; a ``code-block`` with a caption is a file of that name; in a ``console`` block the lines with ``$`` are
commands, and the others what they print. The port 5555 is replaced by one that is free.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
#: Those with something to run.
SHOWN = [page for page in PAGES if re.search(r"^```(python|console)$", (ROOT / page).read_text("utf-8"), re.M)]
PORT = "5555"
#: Printed between the blocks of a page.
MARK = "--- next block ---"
#: Pages whose programs are parts of larger ones.
FRAGMENTS = {"docs/security.md"}

_BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S)
_CAPTION = re.compile(r":caption: (\S+)\n\n")


class Block(NamedTuple):
    """A fenced block: ``python``, ``text``, ``console``, or the name of a file."""

    kind: str
    body: str


def blocks_of(page: str, port: int) -> list[Block]:
    text = (ROOT / page).read_text("utf-8").replace(PORT, str(port))
    blocks = []
    for match in _BLOCK.finditer(text):
        kind, body = match["kind"], match["body"]
        caption = _CAPTION.match(body)
        if kind == "{code-block} python" and caption:
            kind, body = caption[1], body[caption.end() :]
        blocks.append(Block(kind, body))
    return blocks


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def run(command: list[str], folder: Path) -> str:
    """What a command prints, which must be nothing on stderr."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE * 6, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def expected_output(blocks: list[Block]) -> list[str]:
    """What each python block prints: the text block behind it, or nothing."""
    following = [*blocks[1:], Block("", "")]
    return [
        after.body if after.kind == "text" else ""
        for block, after in zip(blocks, following, strict=True)
        if block.kind == "python"
    ]


@pytest.mark.parametrize("page", [page for page in SHOWN if page not in FRAGMENTS])
def test_a_page(page: str, free_port: int, tmp_path: Path) -> None:
    """Its programs run, without a warning, and print what stands there."""
    blocks = blocks_of(page, free_port)
    for block in blocks:
        if block.kind.endswith(".py"):
            (tmp_path / block.kind).write_text(block.body, "utf-8")
    programs = [block.body for block in blocks if block.kind == "python"]
    if programs:
        program = tmp_path / "the_page.py"
        program.write_text(f"\nprint({MARK!r}, flush=True)\n".join(programs), "utf-8")
        printed = run([sys.executable, str(program)], tmp_path).split(f"{MARK}\n")
        assert printed == expected_output(blocks)
    for block in blocks:
        if block.kind == "console":
            lines = block.body.splitlines(keepends=True)
            commands = "".join(line[2:] for line in lines if line.startswith("$ "))
            assert run(["bash", "-c", commands + "wait\n"], tmp_path) == "".join(
                line for line in lines if not line.startswith("$ ")
            )


def test_there_is_something_to_run() -> None:
    """The pages that teach have programs, and every text block stands behind one."""
    kinds = {page: [block.kind for block in blocks_of(page, 1)] for page in PAGES}
    assert kinds["docs/getting-started.md"].count("python") > 8
    assert "console" in kinds["docs/getting-started.md"]
    for page, of_page in kinds.items():
        pairs = zip(["", *of_page], of_page, strict=False)
        assert [before for before, kind in pairs if kind == "text" and before != "python"] == [], page
