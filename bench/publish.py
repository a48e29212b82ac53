# SPDX-License-Identifier: MPL-2.0
"""The bench's JSON as a page: a table, and a chart of the ratios (SVG, no other package needed).

No libzmq twin: test support.

    python bench/run.py --runs 7 --json out.json && python bench/publish.py out.json
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent.parent / "docs" / "performance"

_ROW = 20
_LEFT = 240
_WIDTH = 420
_BETTER = "#2a7f4f"
_WORSE = "#b5482f"


def speed(row: dict[str, Any], peer: str) -> float:
    """The median ratio as 'times as good as the base': inverted where less is better."""
    ratio = float(row["median_ratio"][peer])
    return ratio if row["higher_is_better"] else 1 / ratio


def chart(rows: list[dict[str, Any]], peer: str, base: str) -> str:
    """A bar per row on a logarithmic axis, from the line of `base` to the left (worse) or to the right."""
    shown = [(f"{row['case']} {row['unit']}".removesuffix(" msg/s"), speed(row, peer)) for row in rows]
    reach = max([1.0, *(abs(math.log2(value)) for _, value in shown)])
    middle = _LEFT + _WIDTH / 2
    height = _ROW * (len(shown) + 2)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{middle}" y="14" text-anchor="middle">{escape(peer)} against {escape(base)} (1.0)</text>',
        f'<line x1="{middle}" y1="{_ROW}" x2="{middle}" y2="{height - _ROW}" stroke="#555"/>',
    ]
    for index, (name, value) in enumerate(shown):
        top = _ROW * (index + 1) + 4
        length = max(1.0, abs(math.log2(value)) / reach * _WIDTH / 2)
        left = middle if value >= 1 else middle - length
        lines += [
            f'<text x="{_LEFT - 8}" y="{top + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{_ROW - 6}"'
            f' fill="{_BETTER if value >= 1 else _WORSE}"/>',
            f'<text x="{_LEFT + _WIDTH + 8}" y="{top + 11}">{value:.2f} ×</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def table(rows: list[dict[str, Any]], peer: str, base: str) -> str:
    """The rows in Markdown."""
    lines = [f"| case | unit | {base} | {peer} | median ratio | lowest | highest |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        ratios = row["ratios"][peer]
        cells = [row["case"], row["unit"], f"{row['median'][base]:,.4g}", f"{row['median'][peer]:,.4g}"]
        cells += [f"{number:.2f}" for number in (row["median_ratio"][peer], min(ratios), max(ratios))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def publish(measured: dict[str, Any], target: Path) -> None:
    """Write `results.md` and `ratios.svg`."""
    base, *peers = (peer["label"] for peer in measured["peers"])
    peer = peers[0]
    rows = measured["results"]
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    head = (
        f"Made by `bench/publish.py` from one run of `bench/run.py`: {measured['started']}, {measured['runs']} runs,"
        f" CPython {measured['python']}, {versions}, {measured['cpus']} CPUs, {measured['system']}.\n"
    )
    target.mkdir(parents=True, exist_ok=True)
    page = ["# Results\n", head, "![ratios](ratios.svg)\n", table(rows, peer, base)]
    (target / "results.md").write_text("\n".join(page), encoding="utf-8")
    (target / "ratios.svg").write_text(chart(rows, peer, base), encoding="utf-8")


def main() -> None:
    """Read the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", help="what bench/run.py --json has written")
    parser.add_argument("--to", type=Path, default=HERE, help="the folder of the page")
    args = parser.parse_args()
    publish(json.loads(Path(args.json).read_text(encoding="utf-8")), args.to)


if __name__ == "__main__":
    main()
