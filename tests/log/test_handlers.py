# SPDX-License-Identifier: MPL-2.0
"""PUBHandler and TopicLogger: what is published, and what shows it."""

from __future__ import annotations

import importlib
import itertools
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.helpers import ROOT
from tests.conftest import TARGET
from tests.support.target import zmq
from tests.support.waiting import wait_until

handlers = importlib.import_module(f"{TARGET}.log.handlers")

_names = itertools.count(1)
Publish = Callable[..., tuple[logging.Logger, Any, Any]]


@pytest.fixture
def publish(socket: Any) -> Iterator[Publish]:
    """``logger, handler, sub = publish(topic)``: a logger whose messages arrive at `sub`, by pairs of frames."""
    made = []

    def make(topic: str = "", logger: logging.Logger | None = None) -> tuple[logging.Logger, Any, Any]:
        name = f"inproc://log-{next(_names)}"
        pub, sub = socket(zmq.XPUB), socket(zmq.SUB)
        pub.bind(name)
        sub.subscribe(b"")
        sub.connect(name)
        pub.recv()  # the subscription
        handler = handlers.PUBHandler(pub, root_topic=topic)
        logger = logger or logging.Logger(f"test.{next(_names)}", logging.DEBUG)
        logger.addHandler(handler)
        made.append((logger, handler))
        return logger, handler, sub

    yield make
    for logger, handler in made:
        logger.removeHandler(handler)
        handler.close()


def test_topic_and_text(publish: Publish) -> None:
    """The topic is root, level and subtopic; the text has a form by level."""
    logger, handler, sub = publish("root")
    logger.info("plain %d", 5)
    assert sub.recv_multipart() == [b"root.INFO", b"plain 5\n"]
    logger.debug("a.b::text with :: in it")
    topic, text = sub.recv_multipart()
    assert topic == b"root.DEBUG.a.b"
    assert text.startswith(b"DEBUG test_handlers.py:") and text.endswith(b" - text with :: in it\n")
    handler.root_topic = ""
    logger.warning("tøpic::ünicode")
    topic, text = sub.recv_multipart()
    assert topic == "WARNING.tøpic".encode() and text.endswith(" - ünicode\n".encode())
    handler.setRootTopic(b"bytes")
    assert handler.root_topic == "bytes"
    logger.error("::no topic")
    assert sub.recv_multipart()[0] == b"bytes.ERROR"


@pytest.mark.departs
def test_a_root_topic_that_is_no_text(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application does not notice; logging is told. (pyzmq 27: TypeError into whoever logs.)"""
    logger, handler, sub = publish()
    told: list[Any] = []
    monkeypatch.setattr(handler, "handleError", lambda record: told.append((record.msg, sys.exc_info()[0])))
    handler.setRootTopic(3)
    logger.info("text")
    assert told == [("text", TypeError)]
    handler.setRootTopic("root")
    logger.info("next")
    assert sub.recv_multipart() == [b"root.INFO", b"next\n"]


def test_the_record_stays_as_it_is(publish: Publish) -> None:
    """Other handlers see the whole message, topic included; a message may be any object."""
    logger, _, sub = publish()
    seen: list[str] = []
    other = logging.Handler()
    other.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(other)
    logger.info("topic::text")
    logger.info(5)
    assert seen == ["topic::text", "5"]
    assert sub.recv_multipart() == [b"INFO.topic", b"text\n"] and sub.recv_multipart() == [b"INFO", b"5\n"]


def test_formatters(publish: Publish) -> None:
    """setFormatter is for one level, or for all."""
    logger, handler, sub = publish()
    handler.setFormatter(logging.Formatter("debug %(message)s"), logging.DEBUG)
    logger.debug("x")
    logger.info("x")
    assert [sub.recv_multipart()[1] for _ in range(2)] == [b"debug x", b"x\n"]
    handler.setFormatter(logging.Formatter("all %(message)s"))
    logger.debug("x")
    logger.critical("x")
    assert [sub.recv_multipart()[1] for _ in range(2)] == [b"all x", b"all x"]
    handler.formatters[logging.INFO] = logging.Formatter("info %(message)s")
    logger.info("x")
    assert sub.recv_multipart()[1] == b"info x"


def test_arguments_that_do_not_fit(publish: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    """logging tells on stderr; nothing is published, nothing is raised."""
    logger, _, sub = publish()
    logger.info("%d", "no number")
    assert "no number" in capsys.readouterr().err
    logger.info("next")
    assert sub.recv_multipart()[1] == b"next\n"


def test_an_endpoint_instead_of_a_socket(ctx: Any) -> None:
    """The handler makes and binds a PUB socket, in the context given or in one of its own."""
    handler = handlers.PUBHandler("inproc://x", ctx)
    assert handler.ctx is ctx and handler.socket.type == zmq.PUB and handler.socket.context is ctx
    handler.socket.close()
    own = handlers.PUBHandler("inproc://x")
    assert own.ctx is not ctx
    own.ctx.destroy()


@pytest.mark.departs
def test_a_level_without_a_formatter(publish: Publish) -> None:
    """Records of a level of one's own are published (pyzmq drops them and complains)."""
    logger, _, sub = publish()
    logger.log(25, "between")
    assert sub.recv_multipart() == [b"Level 25", b"between"]


def test_topic_logger_by_level(publish: Publish) -> None:
    """log(level, topic, message) publishes under the topic."""
    logger, _, sub = publish("", handlers.TopicLogger("topics", logging.DEBUG))
    logger.log(logging.INFO, "a.b", "hello %s", "you")  # type: ignore[arg-type]
    assert sub.recv_multipart() == [b"INFO.a.b", b"hello you\n"]


@pytest.mark.departs
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical", "exception"])
def test_topic_logger_by_method(publish: Publish, level: str) -> None:
    """Each method logs at its own level (in pyzmq 27 all of them as CRITICAL)."""
    logger, _, sub = publish("", handlers.TopicLogger("topics", logging.DEBUG))
    getattr(logger, level)("a.b", "hello %s", "you")
    topic, text = sub.recv_multipart()
    assert topic == b"%s.a.b" % {"exception": "error"}.get(level, level).upper().encode() and b"hello you" in text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C for one process")
def test_the_watcher_shows_messages(socket: Any) -> None:
    """python -m libzmq_py.log prints topic and text, aligned, and ends by Ctrl-C."""
    pub = socket(zmq.XPUB)
    pub.bind("tcp://127.0.0.1:*")
    command = [sys.executable, "-u", "-m", f"{TARGET}.log", pub.last_endpoint.decode(), "--align", "--topic", "r"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as watcher:
        assert watcher.stdout is not None
        assert wait_until(lambda: pub.poll(100) and pub.recv()) == b"\1r"
        pub.send_multipart([b"root.WARNING.topic", b"first\n"])
        pub.send_multipart([b"root.INFO", b"second\n"])
        assert watcher.stdout.readline() == "root.WARNING.topic | first\n"
        assert watcher.stdout.readline() == "root.INFO   .      | second\n"
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(10) == 0
