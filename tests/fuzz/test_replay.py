# SPDX-License-Identifier: MPL-2.0
"""What fuzzing started from and what it has found, once more and without atheris; and a few mutations of it.

No libzmq twin. See `fuzz/README.md`; `python -m fuzz` fuzzes in earnest.
"""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys
import time
from typing import Any

import pytest

from fuzz import __main__ as runner
from fuzz import source
from fuzz.mutate import mutations
from fuzz.reached import worth_keeping
from fuzz.source import Broken, Source, bytewise, cut, require, turns, ways
from fuzz.targets import NAMES, ROOT, inputs, load, reached
from tests.support.waiting import seconds

# Of each target, so that all of them take a few seconds.
MUTATIONS = 800
# Of one input; the slowest takes some milliseconds.
LIMIT = seconds(2)


@pytest.mark.parametrize("name", NAMES)
def test_kept_inputs(name: str) -> None:
    """Whatever fuzzing started from, and whatever it has found, holds now."""
    paths = inputs(name, "seeds", "saved")
    assert paths
    for path in paths:
        started = time.monotonic()
        load(name).check(path.read_bytes())
        assert time.monotonic() - started < LIMIT, path


@pytest.mark.parametrize("name", NAMES)
def test_what_fuzzing_has_reached(name: str) -> None:
    """Inputs that run the package in ways that nothing shorter does, each in all ways of the target."""
    for data in reached(name):
        started = time.monotonic()
        try:
            load(name).check(data)
        except Exception:
            print(f"input: {data!r}")
            raise
        assert time.monotonic() - started < LIMIT, data


@pytest.mark.parametrize("name", NAMES)
def test_mutations_of_them(name: str) -> None:
    """Some hundred inputs near them, always the same."""
    target = load(name)
    kept = [path.read_bytes() for path in inputs(name, "seeds", "saved")]
    for data in mutations(kept, target.TOKENS, target.MAX_LEN, MUTATIONS, seed=1):
        started = time.monotonic()
        try:
            target.check(data)
        except Exception:
            print(f"input: {data!r}")
            raise
        assert time.monotonic() - started < LIMIT, data


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_those_of_the_target(name: str) -> None:
    """`python -m fuzz seeds` has been run; every target says what must hold."""
    target = load(name)
    assert {path.name: path.read_bytes() for path in inputs(name, "seeds")} == target.SEEDS
    assert all(len(token) > 0 for token in target.TOKENS)
    assert "\n\n" in target.__doc__


def test_only_one_file_needs_atheris() -> None:
    """All else runs where there is no wheel of it."""
    importers = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if "atheris" in names or (isinstance(node, ast.ImportFrom) and node.module == "atheris"):
                importers.add(path.relative_to(ROOT).as_posix())
    assert importers == {"child.py"}


def test_every_folder_belongs_to_a_target() -> None:
    """No input is left behind that nothing replays."""
    for kind in ("seeds", "saved", "reached"):
        assert {path.name for path in (ROOT / kind).iterdir()} <= set(NAMES)


# --- the tools themselves --------------------------------------------------------------------------------------------


def test_a_broken_invariant_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """A decoder that loses a byte when it is cut does not pass: the targets can fail."""
    from libzmq_py.codecs.v2_decoder import V2Decoder

    whole = V2Decoder.decode

    def forgetful(self: Any, data: bytes) -> Any:
        if 0 < len(self.collector.tail) and len(data) > 1:
            self.collector.tail = self.collector.tail[:-1]
        return whole(self, data)

    monkeypatch.setattr(V2Decoder, "decode", forgetful)
    with pytest.raises(Broken):
        for name in ("v2_decoder", "curve_messages", "zmtp_engine"):
            runner.replay([name], [])


def test_a_source_never_runs_dry() -> None:
    """Zeros follow the input."""
    source = Source(b"\5ab")
    assert (source.chunk(), source.byte(), source.take(3), bool(source)) == (b"ab", 0, b"", False)
    assert Source(b"\1\2\3").number(2) == 0x102
    assert Source(b"\7").pick("abc") == "b"


@pytest.mark.parametrize("data", [b"", b"x", b"hello world", bytes(range(256)) * 4])
def test_pieces_are_the_whole(data: bytes) -> None:
    """However a stream is cut, and always the same way."""
    for pieces in [*ways(data), cut(data, 9), bytewise(data)]:
        assert b"".join(pieces) == data
        assert b"" not in pieces
    assert cut(data) == cut(data)


def test_one_way_while_fuzzing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the same data; over some inputs, all of them. Else all ways at once."""
    assert list(turns(b"data", 4)) == [0, 1, 2, 3]
    monkeypatch.setattr(source, "_one_way", True)
    taken = {data: list(turns(data, 4)) for data in (b"%d" % number for number in range(60))}
    assert all(len(one) == 1 for one in taken.values())
    assert {one for (one,) in taken.values()} == {0, 1, 2, 3}
    assert all(list(turns(data, 4)) == one for data, one in taken.items())
    assert len(list(ways(b"data"))) == 1


def test_what_is_worth_keeping() -> None:
    """The shortest input for each way through the package, and none that only repeats."""
    check = load("z85").check
    few = worth_keeping(check, [], [b"\0" * 20, b"\0" * 20, b"\0" * 24, b"\0"])
    assert few == [b"\0", b"\0" * 20][: len(few)]
    assert few
    assert worth_keeping(check, few, [b"\0" * 20, b"\0"]) == []


def test_require() -> None:
    """It fails with what it was told, cut to a size that can be read."""
    require(True, "not this")
    with pytest.raises(Broken, match="this, 5"):
        require(0, "this", 5)
    with pytest.raises(Broken) as caught:
        require(False, bytes(100_000))
    assert len(str(caught.value)) < 2000


def test_the_runner_lists_and_replays() -> None:
    """`python -m fuzz list` names every target, `replay` runs every input of one."""
    command = [sys.executable, "-m", "fuzz"]
    listed = subprocess.run([*command, "list"], cwd=ROOT.parent, capture_output=True, text=True, check=True, timeout=50)
    assert [line for line in listed.stdout.splitlines() if not line.startswith(" ")] == list(NAMES)
    again = subprocess.run(
        [*command, "replay", "z85"], cwd=ROOT.parent, capture_output=True, text=True, check=True, timeout=50
    )
    assert again.stdout == f"{len(inputs('z85', 'seeds', 'saved')) + len(reached('z85'))} inputs\n"


def test_what_was_found_is_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m fuzz save` names an input by its content, so that it is kept once."""
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    found = tmp_path / "crash-0123"
    found.write_bytes(b"input")
    first, second = runner.save("z85", found), runner.save("z85", found)
    assert first == second
    assert first.read_bytes() == b"input"
    assert not first.name.startswith("crash-")
