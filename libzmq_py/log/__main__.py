# SPDX-License-Identifier: MPL-2.0
"""Shows what a PUBHandler publishes: ``python -m libzmq_py.log tcp://127.0.0.1:12345``.

No libzmq twin: pyzmq's log/__main__.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import ModuleType

from libzmq_py.api.context import Context
from libzmq_py.constants import SUB

_COLOURS = {
    "DEBUG": "LIGHTCYAN_EX",
    "INFO": "LIGHTWHITE_EX",
    "WARNING": "YELLOW",
    "ERROR": "LIGHTRED_EX",
    "CRITICAL": "LIGHTRED_EX",
}


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m libzmq_py.log", description="Show the log messages that a PUBHandler publishes."
    )
    parser.add_argument("zmq_pub_url", help="endpoint of the publisher")
    parser.add_argument("-t", "--topic", default="", help="only messages whose topic begins like this")
    parser.add_argument("--timestamp", action="store_true", help="show the local time")
    parser.add_argument("--separator", default=" | ", help="between topic and message")
    parser.add_argument("--dateformat", default="%Y-%d-%m %H:%M", help="of the time, as strftime has it")
    parser.add_argument("--align", action="store_true", help="align messages by the width of their topics")
    parser.add_argument("--color", action="store_true", help="by level; needs the package colorama")
    return parser.parse_args(argv)


class Lines:
    """Makes a line of each message; remembers how wide the parts of the topics are."""

    def __init__(self, options: argparse.Namespace, colours: Mapping[str, str], reset: str) -> None:
        self._options = options
        self._colours = colours
        self._reset = reset
        self._widths: list[int] = []

    def line(self, topic: bytes, text: bytes) -> str:
        """The line for one message."""
        options = self._options
        parts = topic.decode("utf8", "replace").strip().split(".")
        # With a root topic the level comes second.
        level = parts[0] if len(parts) == 1 else parts[1]
        time = datetime.now().strftime(options.dateformat) + " " if options.timestamp else ""
        shown = self._aligned(parts) if options.align else ".".join(parts)
        message = text.decode("utf8", "replace").strip()
        return f"{time}{self._colours.get(level, '')}{shown}{options.separator}{message}{self._reset}"

    def _aligned(self, parts: list[str]) -> str:
        parts = parts + [" "] * (len(self._widths) - len(parts))
        self._widths += [0] * (len(parts) - len(self._widths))
        self._widths = [max(width, len(part)) for width, part in zip(self._widths, parts, strict=True)]
        return ".".join(part.ljust(width) for part, width in zip(parts, self._widths, strict=True))


def _colorama() -> ModuleType:
    import colorama  # type: ignore[import-untyped, import-not-found, unused-ignore]

    colorama.init()
    return colorama  # type: ignore[no-any-return, unused-ignore]


def main(argv: Sequence[str] | None = None) -> None:
    """Show messages until Ctrl-C."""
    options = _parse(argv)
    colours, reset = {}, ""
    if options.color:
        fore = _colorama().Fore
        colours, reset = {level: getattr(fore, name) for level, name in _COLOURS.items()}, fore.RESET
    lines = Lines(options, colours, reset)
    with Context() as context, context.socket(SUB) as sub:
        sub.subscribe(options.topic)
        sub.connect(options.zmq_pub_url)
        try:
            while True:
                topic, text = sub.recv_multipart()
                print(lines.line(topic, text), flush=True)
        except KeyboardInterrupt:
            sys.stdout.flush()


if __name__ == "__main__":
    main()
