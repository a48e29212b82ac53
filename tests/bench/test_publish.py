# SPDX-License-Identifier: MPL-2.0
"""The page made from the bench's figures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from bench.publish import publish, speed


def row(case: str, unit: str, higher: bool, base: float, ours: float) -> dict[str, Any]:
    ratio = ours / base
    return {
        "case": case,
        "unit": unit,
        "higher_is_better": higher,
        "median": {"pyzmq": base, "libzmq_py": ours},
        "ratios": {"libzmq_py": [ratio / 2, ratio, ratio * 2]},
        "median_ratio": {"libzmq_py": ratio},
    }


MEASURED = {
    "python": "3.11.7",
    "cpus": 2,
    "system": "Linux",
    "started": "2026-11-22T12:00:00Z",
    "runs": 3,
    "versions": {"pyzmq": "27"},
    "peers": [{"label": "pyzmq"}, {"label": "libzmq_py"}],
    "results": [row("pushpull <&>", "msg/s", True, 100, 150), row("reqrep", "us p50", False, 100, 200)],
}


def test_less_is_better_is_turned_round() -> None:
    assert [speed(each, "libzmq_py") for each in MEASURED["results"]] == [1.5, 0.5]  # type: ignore[attr-defined]


def test_table_and_chart_show_every_row(tmp_path: Path) -> None:
    publish(MEASURED, tmp_path / "page")
    page = (tmp_path / "page" / "results.md").read_text(encoding="utf-8")
    assert "| pushpull <&> | msg/s | 100 | 150 | 1.50 | 0.75 | 3.00 |" in page
    assert "CPython 3.11.7, pyzmq 27, 2 CPUs" in page
    svg = ET.fromstring((tmp_path / "page" / "ratios.svg").read_text(encoding="utf-8"))
    texts = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"pushpull <&>", "reqrep us p50", "1.50 ×", "0.50 ×"} <= set(texts)
