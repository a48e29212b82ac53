# SPDX-License-Identifier: MPL-2.0
"""An earlier state of the project in a folder of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import trees


def git(*words: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, "-C", str(trees.ROOT), *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository whose file `state` was `old` in the commit tagged so and is `new` now."""
    monkeypatch.setattr(trees, "ROOT", tmp_path)
    git("init")
    (tmp_path / "state").write_text("old", encoding="utf-8")
    git("add", "state")
    git("commit", "-m", "first")
    git("tag", "old")
    (tmp_path / "state").write_text("new", encoding="utf-8")
    return tmp_path


def test_checkout_gives_the_files_of_the_commit(repository: Path) -> None:
    """The earlier file is in the folder, the present one stays, and the folder goes."""
    with trees.checkout("old") as folder:
        assert (folder / "state").read_text(encoding="utf-8") == "old"
        assert (repository / "state").read_text(encoding="utf-8") == "new"
    assert not folder.exists()


def test_unknown_commit_is_refused_with_gits_words(repository: Path) -> None:
    """What git says about it is kept."""
    with pytest.raises(trees.NoSuchTree, match="nonsense"), trees.checkout("nonsense"):
        pass
