# SPDX-License-Identifier: MPL-2.0
"""What the project says about itself: README, spec/, setup.cfg and .ci/run agree with the tree."""

from __future__ import annotations

import configparser
import os
import pathlib
import re
import subprocess

import pytest

import libzmq_py

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "fuzz/README.md",
    "newsfragments/README.md",
    "spec/README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
)


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def modules() -> set[str]:
    """The modules of the package, as spec/modules.md names them; packages only where they hold code."""
    found = set()
    for path in (ROOT / "libzmq_py").rglob("*.py"):
        code = re.search(r"^(import|from (?!__future__)|def|class|\w+ *[:=])", path.read_text("utf-8"), re.M)
        if path.name != "__init__.py" or code:
            found.add(path.relative_to(ROOT / "libzmq_py").as_posix())
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every link of a page to another file of the project leads to a file that is there."""
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("https:")]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_modules_are_mapped_to_libzmq() -> None:
    """spec/modules.md has exactly one row for each module."""
    text = (ROOT / "spec/modules.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+\.py)` \|", text, re.M)
    assert sorted(rows) == sorted(set(rows))
    assert modules() - set(rows) == set()
    assert set(rows) - modules() == set()


def test_readme_has_two_commands() -> None:
    """The README sets the project up with two commands, one line each: one ends with the demo, one with the tests."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```sh (\w+)\n(.*?)^```$", text, re.M | re.S)
    assert [name for name, _ in blocks] == ["demo", "test"]
    assert [command.count("\n") for _, command in blocks] == [1, 1]
    assert blocks[0][1].endswith("-m libzmq_py demo\n")
    assert blocks[1][1].endswith("-m pytest\n")


def test_readme_example_works() -> None:
    """The ten lines in the README do what they say."""
    example, _secure = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    assert len(example.splitlines()) <= 10
    exec(compile(example, "README.md", "exec"), {})


def test_ci_runs_what_the_readme_says() -> None:
    """`.ci/run` is a program, has no syntax error, and takes both commands out of the README."""
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text("utf-8")
    assert "run_readme demo" in text
    assert "run_readme test" in text
    assert "-m pytest" not in text


def test_version_is_the_same_everywhere() -> None:
    """setup.cfg, the package and the changelog speak of the same version."""
    version = setup_cfg()["metadata"]["version"]
    assert libzmq_py.__version__ == version
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_tox_environments_are_described() -> None:
    """Each tox environment says what it is for."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    environments = [section for section in tox.sections() if section.startswith("testenv")]
    assert [section for section in environments if not tox[section].get("description")] == []


def test_sources_carry_the_licence() -> None:
    """Every Python file that is not empty starts with the licence identifier."""
    folders = ("libzmq_py", "tests", "bench", "docs", "fuzz")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    first = "# SPDX-License-Identifier: MPL-2.0\n"
    texts = {str(path): path.read_text("utf-8") for path in files}
    assert [path for path, text in texts.items() if text and not text.startswith(first)] == []
