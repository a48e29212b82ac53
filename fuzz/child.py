# SPDX-License-Identifier: MPL-2.0
"""The process that atheris fuzzes in: `python -m fuzz.child TARGET LIBFUZZER-OPTIONS...`.

The only file that imports atheris. What runs is decided by `fuzz/__main__.py`.
"""

from __future__ import annotations

import logging
import sys

import atheris  # type: ignore[import-not-found]


def main() -> None:
    """Instrument the package, and only it; then fuzz one target."""
    name, *options = sys.argv[1:]
    # What the package logs is formatted, as it would be for somebody who listens, and goes nowhere.
    logging.getLogger("libzmq_py").addHandler(_Formats(level=logging.DEBUG))
    logging.getLogger("libzmq_py").propagate = False
    with atheris.instrument_imports(include=["libzmq_py"]):
        from fuzz.source import take_one_way
        from fuzz.targets import load

        target = load(name)
    take_one_way()
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


class _Formats(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


if __name__ == "__main__":
    main()
