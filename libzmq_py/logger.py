# SPDX-License-Identifier: MPL-2.0
"""Loggers that cost nothing until there is something to log.

`logging` and what it imports take a tenth of the time from start to first socket. A program that has not imported it
has no handler, so nobody would see what is below WARNING; for what is worth a warning the import is worth it, too.

No libzmq twin.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging

# The record names the caller of the methods here, not the method.
_CALLER: Final = 2


class Logger:
    """`logging.Logger`, as far as this library uses it. Any thread."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, *args: object) -> None:
        """What helps to find an error."""
        if "logging" in sys.modules:
            self._fetch().debug(message, *args, stacklevel=_CALLER)

    def info(self, message: str, *args: object) -> None:
        """What an operator may want to know."""
        if "logging" in sys.modules:
            self._fetch().info(message, *args, stacklevel=_CALLER)

    def warning(self, message: str, *args: object) -> None:
        """What was not done as asked. Without a descriptor to import `logging` with nobody can be told."""
        try:
            logger = self._fetch()
        except (ImportError, OSError):
            return
        logger.warning(message, *args, stacklevel=_CALLER)

    def exception(self, message: str, *args: object) -> None:
        """What cannot happen, with the exception that is being handled."""
        self._fetch().exception(message, *args, stacklevel=_CALLER)

    def _fetch(self) -> logging.Logger:
        import logging

        return logging.getLogger(self._name)
