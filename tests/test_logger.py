# SPDX-License-Identifier: MPL-2.0
"""Loggers that import `logging` late."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from libzmq_py.logger import Logger


def run(code: str) -> subprocess.CompletedProcess[str]:
    """In a process that has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_messages_reach_the_logger_of_that_name(caplog: pytest.LogCaptureFixture) -> None:
    """Each level arrives as itself, under the name, and names the line that logged."""
    log = Logger("libzmq_py.nothing")
    with caplog.at_level(logging.DEBUG, "libzmq_py"):
        log.debug("%d", 1)
        log.info("%d", 2)
        log.warning("%d", 3)
        try:
            raise ValueError("four")
        except ValueError:
            log.exception("%d", 4)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "1"),
        ("INFO", "2"),
        ("WARNING", "3"),
        ("ERROR", "4"),
    ]
    assert {(record.name, record.filename) for record in caplog.records} == {("libzmq_py.nothing", "test_logger.py")}
    assert "ValueError: four" in caplog.text


def test_a_socket_does_not_import_logging() -> None:
    """Nor do messages that nobody would see."""
    code = """
import sys
import libzmq_py as zmq
from libzmq_py.logger import Logger
zmq.Context.instance().socket(zmq.PAIR).close()
Logger("x").debug("nobody listens")
Logger("x").info("nobody listens")
print("logging" in sys.modules)
"""
    assert run(code).stdout == "False\n"


def test_a_warning_is_seen_without_any_set_up() -> None:
    """As with any logger, on standard error."""
    result = run('from libzmq_py.logger import Logger; Logger("x").warning("look %s", "here")')
    assert result.stderr == "look here\n"
