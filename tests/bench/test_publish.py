# SPDX-License-Identifier: MPL-2.0
"""The pages made from the bench's figures."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from bench import budget
from bench.publish import HERE, main, speed
from tests.bench.test_budget import END, NEW, STEPS

SVG = "{http://www.w3.org/2000/svg}"


def row(case: str, unit: str, higher: bool, base: float, ours: float, guest: float | None = None) -> dict[str, Any]:
    ratio = ours / base
    third = None if guest is None else guest / base
    return {
        "case": case,
        "unit": unit,
        "higher_is_better": higher,
        "median": {"pyzmq": base, "libzmq_py": ours, "pyomq": guest},
        "ratios": {"libzmq_py": [ratio / 2, ratio, ratio * 2], "pyomq": [] if third is None else [third]},
        "median_ratio": {"libzmq_py": ratio, "pyomq": third},
        "absent": {"pyomq": "cannot"} if guest is None else {},
    }


ROWS = [row("pushpull <&>", "msg/s", True, 100, 150, 400), row("reqrep", "us p50", False, 100, 200)]


def measured(python: str) -> dict[str, Any]:
    return {
        "python": python,
        "cpus": 2,
        "system": "Linux",
        "started": "2026-11-22T12:00:00Z",
        "runs": 3,
        "seconds": 600,
        "versions": {"pyzmq": "27"},
        "peers": [{"label": "pyzmq"}, {"label": "libzmq_py"}, {"label": "pyomq"}],
        "results": ROWS,
    }


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def elements(path: Path, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(path.read_text(encoding="utf-8")).iter(SVG + tag))


def texts(path: Path) -> set[str | None]:
    return {text.text for text in elements(path, "text")}


def test_less_is_better_is_turned_round() -> None:
    assert [speed(each, "libzmq_py") for each in ROWS] == [1.5, 0.5]
    assert [speed(each, "pyomq") for each in ROWS] == [4.0, None]


def test_table_and_chart_show_every_row(tmp_path: Path) -> None:
    page = tmp_path / "page"
    assert main([write(tmp_path / "out.json", measured("3.11.7")), "--to", str(page)]) == 0
    text = (page / "results.md").read_text(encoding="utf-8")
    assert "| pushpull <&> | msg/s | 100 | 150 | 400 | 1.50 | 0.75 | 3.00 | 4.00 | 4.00 | 4.00 |" in text
    assert "10 minutes, CPython 3.11.7, pyzmq 27, 2 CPUs" in text
    svg = page / "ratios-3.11.svg"
    assert {"pushpull <&>", "reqrep us p50", "1.50 ×", "0.50 ×"} <= texts(svg)


def test_bars_start_at_the_base_and_dots_lie_on_the_same_axis(tmp_path: Path) -> None:
    """Half as good is as far to the left as twice as good is to the right; a guest without a figure has no dot."""
    rows = [row("twice", "msg/s", True, 100, 200, 400), row("half", "msg/s", True, 100, 50)]
    main([write(tmp_path / "out.json", measured("3.11.7") | {"results": rows}), "--to", str(tmp_path)])
    svg = tmp_path / "ratios-3.11.svg"
    _, twice, half = [(float(r.get("x") or 0), float(r.get("width") or 0)) for r in elements(svg, "rect")]
    assert twice[0] == half[0] + half[1]
    assert twice[1] == half[1]
    [dot] = elements(svg, "circle")
    assert float(dot.get("cx") or 0) == twice[0] + 2 * twice[1]


def test_a_dash_has_its_reason_below(tmp_path: Path) -> None:
    """What a guest cannot run is a dash in the table, and the list below says why."""
    main([write(tmp_path / "out.json", measured("3.11.7")), "--to", str(tmp_path)])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| reqrep | us p50 | 100 | 200 | – | 2.00 | 1.00 | 4.00 | – | – | – |" in text
    assert "- pyomq: cannot (reqrep)" in text


def test_versions_stand_side_by_side(tmp_path: Path) -> None:
    """With several versions the page begins with their ratios; 3.9 comes before 3.13."""
    files = [write(tmp_path / f"{index}.json", measured(python)) for index, python in enumerate(("3.13.0", "3.9.1"))]
    main([*files, "--to", str(tmp_path)])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| case | unit | 3.9 | 3.13 |" in text
    assert "| pushpull <&> | msg/s | 1.50 | 1.50 |" in text
    assert text.index("## CPython 3.9") < text.index("## CPython 3.13")
    assert {path.name for path in tmp_path.glob("*.svg")} == {"ratios-3.9.svg", "ratios-3.13.svg"}


@pytest.fixture
def budget_folder(tmp_path: Path) -> Path:
    """Give a folder with the budget of two states, made from known figures."""
    measured_budget = {
        "python": "3.11.7",
        "system": "Linux",
        "cpus": 2,
        "started": "2026-11-22T12:00:00Z",
        "size": 100,
        "batch": 500,
        "rounds": 1,
        "states": {
            "before": budget.combine([{"steps": STEPS, "end_to_end": END}]),
            "now": budget.combine([{"steps": STEPS | NEW, "end_to_end": END}]),
        },
    }
    write(tmp_path / "budget.json", measured_budget)
    assert main(["--to", str(tmp_path)]) == 0
    return tmp_path


def test_budget_table(budget_folder: Path) -> None:
    """A column per state and mode, a row per step, and the sums."""
    text = (budget_folder / "budget.md").read_text(encoding="utf-8")
    assert "| the sending process | before, one by one | now, one by one | now, run | now, many |" in text
    assert "| SocketBase.send | 50 | 50 | – | – |" in text
    assert "| **sum** | 280 | 280 | 120 | 82 |" in text
    assert "| now, single | 600 | 700 | 100 |" in text


def test_budget_chart_stacks_the_steps(budget_folder: Path) -> None:
    """The parts of a bar follow each other without a gap, and bars are as long as their sums."""
    svg = budget_folder / "budget.svg"
    rects = [{key: float(r.get(key) or 0) for key in ("x", "y", "width", "height")} for r in elements(svg, "rect")]
    rows: dict[float, list[dict[str, float]]] = {}
    for rect in rects:
        if rect["height"] == 18:
            rows.setdefault(rect["y"], []).append(rect)
    sums = [280.0, 280.0, 120.0, 82.0, 183.0, 183.0, 98.0, 83.0]
    assert len(rows) == len(sums)
    scale = sum(part["width"] for part in next(iter(rows.values()))) / sums[0]
    for parts, total in zip(rows.values(), sums, strict=True):
        ordered = sorted(parts, key=lambda part: part["x"])
        for part, following in zip(ordered, ordered[1:], strict=False):
            assert part["x"] + part["width"] == pytest.approx(following["x"], abs=0.2)
        assert sum(part["width"] for part in parts) == pytest.approx(total * scale, abs=0.5)
    assert {"Socket.send", "wake-up", "before, one by one", "now, many", "280"} <= texts(svg)


def test_pages_agree_with_the_figures(tmp_path: Path) -> None:
    """What is in docs/performance is what its JSON gives: nobody has edited a page, or forgotten to make it."""
    for path in HERE.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    main(["--to", str(tmp_path)])
    made = {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in HERE.iterdir()} == made | {"README.md"}
    assert [name for name in sorted(made) if (HERE / name).read_bytes() != (tmp_path / name).read_bytes()] == []
