# SPDX-License-Identifier: MPL-2.0
"""The bench's JSON as pages of docs/performance: tables, and charts as SVG (no other package needed).

No libzmq twin: test support.

The folder holds what was measured: `results-3.11.json` (one per Python version, of `run.py`) and `budget.json` (of
`budget.py`). All pages and charts are made from these files.

    python bench/run.py --runs 7 --json out.json && python bench/publish.py out.json    take it in, make all pages
    python bench/publish.py                                                             make all pages
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "docs" / "performance"

_ROW = 20
_LEFT = 240
_WIDTH = 420
_BETTER = "#2a7f4f"
_WORSE = "#b5482f"
_GUEST = "#3b6ea5"
# From dark to light, so that they can be told apart without colours as well.
_STEPS = ("#1b4f72", "#2e86c1", "#85c1e9", "#7d6608", "#d4ac0d", "#f7dc6f", "#943126")

Json: TypeAlias = "dict[str, Any]"


def speed(row: Json, peer: str) -> float | None:
    """The median ratio as 'times as good as the base': inverted where less is better; None if there is none."""
    ratio = row["median_ratio"].get(peer)
    if ratio is None:
        return None
    return float(ratio) if row["higher_is_better"] else 1 / float(ratio)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def _svg(width: float, height: float, lines: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return "\n".join([head, _rect(0, 0, width, height, "white"), *lines, "</svg>", ""])


def chart(rows: Sequence[Json], peer: str, base: str, guest: str | None = None) -> str:
    """A bar per row on a logarithmic axis, from the line of `base` to the left (worse) or to the right.

    `guest`, a third peer, is a dot in each row that it has a figure for.
    """
    shown = []
    for row in rows:
        value = speed(row, peer)
        if value is not None:
            third = None if guest is None else speed(row, guest)
            shown.append((f"{row['case']} {row['unit']}".removesuffix(" msg/s"), value, third))
    reach = [math.log2(value) for _, *values in shown for value in values if value is not None]
    lowest, highest = min([-1.0, *reach]), max([1.0, *reach])
    height = _ROW * (len(shown) + 2)

    def place(value: float) -> float:
        return _LEFT + (math.log2(value) - lowest) / (highest - lowest) * _WIDTH

    title = f"{peer} against {base} (1.0)" + (f"; dots: {guest}" if guest else "")
    lines = [_text(place(1), 14, title, "middle")]
    for power in range(math.ceil(lowest), math.floor(highest) + 1):
        line = f'y1="{_ROW}" y2="{height - _ROW}" stroke="{"#555" if power == 0 else "#ddd"}"'
        lines.append(f'<line x1="{place(2.0**power):.1f}" x2="{place(2.0**power):.1f}" {line}/>')
    for index, (name, value, third) in enumerate(shown):
        top = _ROW * (index + 1) + 4
        start, end = sorted((place(1), place(value)))
        lines += [
            _text(_LEFT - 8, top + 11, name, "end"),
            _rect(start, top, max(1.0, end - start), _ROW - 6, _BETTER if value >= 1 else _WORSE),
            _text(_LEFT + _WIDTH + 8, top + 11, f"{value:.2f} ×"),
        ]
        if third is not None:
            lines.append(f'<circle cx="{place(third):.1f}" cy="{top + 7}" r="4" fill="{_GUEST}" stroke="white"/>')
    return _svg(_LEFT + _WIDTH + 80, height, lines)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _ratio(row: Json, peer: str) -> list[str]:
    ratios = row["ratios"].get(peer)
    if not ratios:
        return ["–", "–", "–"]
    return [f"{number:.2f}" for number in (row["median_ratio"][peer], min(ratios), max(ratios))]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join([*lines, ""])


def table(rows: Sequence[Json], peers: Sequence[str]) -> str:
    """The rows in Markdown; the first peer is the base of the ratios."""
    base, *others = peers
    head = ["case", "unit", *peers]
    for peer in others:
        head += [f"{peer} / {base}", "lowest", "highest"]
    body = []
    for row in rows:
        cells = [row["case"], row["unit"], *(_number(row["median"].get(peer)) for peer in peers)]
        body.append(cells + [cell for peer in others for cell in _ratio(row, peer)])
    return _markdown(head, body)


def absences(rows: Sequence[Json]) -> str:
    """Why a peer has no figure, with the cases it has none for."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for peer, reason in row.get("absent", {}).items():
            cases = reasons.setdefault(f"{peer}: {reason}", [])
            if row["case"] not in cases:
                cases.append(row["case"])
    lines = [f"- {reason} ({', '.join(cases)})" for reason, cases in reasons.items()]
    return "\n".join(["Not run:\n", *lines, ""]) if lines else ""


def by_version(measured: dict[str, Json]) -> str:
    """The median ratios of all versions side by side."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for version, one in measured.items():
        base, peer, *_ = (peer["label"] for peer in one["peers"])
        for row in one["results"]:
            rows.setdefault((row["case"], row["unit"]), {})[version] = _ratio(row, peer)[0]
    body = [[*key, *(cells.get(version, "–") for version in measured)] for key, cells in rows.items()]
    return _markdown(["case", "unit", *measured], body)


def section(version: str, one: Json) -> tuple[str, str]:
    """One version's part of the page, and its chart."""
    peers = [peer["label"] for peer in one["peers"]]
    base, peer, *guests = peers
    versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items())
    lasted = f", {one['seconds'] / 60:.0f} minutes" if one.get("seconds") else ""
    head = (
        f"{one['started']}, {one['runs']} runs{lasted}, CPython {one['python']}, {versions}, {one['cpus']} CPUs,"
        f" {one['system']}.\n"
    )
    parts = [f"## CPython {version}\n", head, f"![ratios](ratios-{version}.svg)\n", table(one["results"], peers)]
    return "\n".join([*parts, absences(one["results"])]), chart(one["results"], peer, base, next(iter(guests), None))


def publish_results(folder: Path) -> None:
    """Write `results.md` and a chart per version."""
    measured: dict[str, Json] = {}
    for path in sorted(folder.glob("results-*.json"), key=lambda path: [int(n) for n in path.stem[8:].split(".")]):
        measured[path.stem[8:]] = json.loads(path.read_text(encoding="utf-8"))
    if not measured:
        return
    page = ["# Results\n", "Made by `bench/publish.py` from what `bench/run.py` has measured; do not edit.\n"]
    if len(measured) > 1:
        page += ["## Median ratios by Python version\n", by_version(measured)]
    for version, one in measured.items():
        text, svg = section(version, one)
        page.append(text)
        (folder / f"ratios-{version}.svg").write_text(svg, encoding="utf-8")
    (folder / "results.md").write_text("\n".join(page), encoding="utf-8")


# -- the budget -----------------------------------------------------------------------------------------------------

_SIDES = {"send": "the sending process", "receive": "the receiving process"}


def steps_of(budget: Json, side: str) -> list[str]:
    """The names of the steps of a side, in the order in which a message passes them."""
    # Messages that go one by one pass all of them.
    return list(dict.fromkeys(name for _, figures in bars_of(budget, side) for name in figures))


def bars_of(budget: Json, side: str) -> list[tuple[str, dict[str, float]]]:
    """A bar per state and mode: its label and the nanoseconds of its steps."""
    return [
        (f"{label}, {mode}", figures)
        for label, state in budget["states"].items()
        for mode, figures in state["sides"][side].items()
    ]


def budget_chart(budget: Json) -> str:
    """Stacked bars: a group per process, a bar per state and mode, a part per step."""
    left, width, high = 190, 520, 22
    longest = max(sum(figures.values()) for side in _SIDES for _, figures in bars_of(budget, side))
    scale = width / longest
    lines: list[str] = []
    top = 0.0
    for side, title in _SIDES.items():
        names = steps_of(budget, side)
        colours = dict(zip(names, _STEPS, strict=False))
        lines.append(_text(left, top + 16, f"{title}: nanoseconds per message of {budget['size']} bytes"))
        top += 24
        for label, figures in bars_of(budget, side):
            lines.append(_text(left - 8, top + 15, label, "end"))
            x = float(left)
            for name in names:
                length = figures.get(name, 0.0) * scale
                lines.append(_rect(x, top, length, high - 4, colours[name]))
                x += length
            lines.append(_text(x + 6, top + 15, f"{sum(figures.values()):.0f}"))
            top += high
        top += 4
        for index, name in enumerate(names):
            x, y = left + index % 4 * 150, top + index // 4 * 18
            lines += [_rect(x, y, 12, 12, colours[name]), _text(x + 17, y + 11, name)]
        top += 18 * math.ceil(len(names) / 4) + 14
    return _svg(left + width + 60, top, lines)


def budget_page(budget: Json) -> str:
    """The same in Markdown, and what a message takes from end to end."""
    page = [
        "# Budget\n",
        "Made by `bench/publish.py` from what `bench/budget.py` has measured; do not edit.\n",
        f"{budget['started']}, CPython {budget['python']}, {budget['cpus']} CPUs, {budget['system']}; medians of"
        f" {budget['rounds']} measurements. Nanoseconds per message of {budget['size']} bytes, PUSH to PULL over tcp;"
        f" what I/O threads do, in batches of {budget['batch']}.\n",
        "![budget](budget.svg)\n",
    ]
    for side, title in _SIDES.items():
        bars = bars_of(budget, side)
        names = steps_of(budget, side)
        body = [[name, *(_nanoseconds(figures.get(name)) for _, figures in bars)] for name in names]
        body.append(["**sum**", *(_nanoseconds(sum(figures.values())) for _, figures in bars)])
        page.append(_markdown([title, *(label for label, _ in bars)], body))
    rows = [
        [f"{label}, {mode}", *(_nanoseconds(figures[name]) for name in ("time", "user", "system"))]
        for label, state in budget["states"].items()
        for mode, figures in state["end_to_end"].items()
    ]
    head = ["from end to end", "time", "processor, user, both processes", "processor, system, both processes"]
    return "\n".join([*page, _markdown(head, rows)])


def _nanoseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def publish_budget(folder: Path) -> None:
    """Write `budget.md` and `budget.svg`."""
    path = folder / "budget.json"
    if path.exists():
        budget = json.loads(path.read_text(encoding="utf-8"))
        (folder / "budget.md").write_text(budget_page(budget), encoding="utf-8")
        (folder / "budget.svg").write_text(budget_chart(budget), encoding="utf-8")


def take_in(path: Path, folder: Path) -> None:
    """Keep what `run.py` has measured, as the figures of its Python version."""
    python = json.loads(path.read_text(encoding="utf-8"))["python"]
    target = folder / f"results-{'.'.join(python.split('.')[:2])}.json"
    if path.resolve() != target.resolve():
        shutil.copyfile(path, target)


def main(argv: Sequence[str] | None = None) -> int:
    """Take in the files named on the command line and make the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", nargs="*", type=Path, help="what bench/run.py --json has written")
    parser.add_argument("--to", type=Path, default=HERE, help="the folder of the pages")
    args = parser.parse_args(argv)
    args.to.mkdir(parents=True, exist_ok=True)
    for path in args.json:
        take_in(path, args.to)
    publish_results(args.to)
    publish_budget(args.to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
