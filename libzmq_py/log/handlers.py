# SPDX-License-Identifier: MPL-2.0
"""PUBHandler: publishes log messages, so that subscribers choose by level and topic::

    handler = PUBHandler("tcp://127.0.0.1:12345")
    handler.root_topic = "shop"
    logging.getLogger().addHandler(handler)
    logging.warning("cellar.door::it is open")  # topic b"shop.WARNING.cellar.door"

``python -m libzmq_py.log tcp://127.0.0.1:12345`` shows them.

No libzmq twin: pyzmq's log/handlers.py.
Departs: the methods of TopicLogger log at their own level (in pyzmq 27 all log as CRITICAL), records of levels without
a format of their own are shown as they are rather than dropped; a root topic that is no text is reported by logging.
"""

from __future__ import annotations

import copy
import logging
from typing import Any, Final

from libzmq_py.api.context import Context
from libzmq_py.api.socket import Socket
from libzmq_py.constants import PUB

#: What ends the topic at the front of a message.
TOPIC_DELIM: Final = "::"

_WITH_PLACE = "%(levelname)s %(filename)s:%(lineno)d - %(message)s\n"


class PUBHandler(logging.Handler):
    """Sends each record as two frames: topic, and text.

    The topic is the root topic, the name of the level, and what the message has before ``::``, joined by dots.

    Args:
        interface_or_socket: A PUB socket, bound or connected already, or the endpoint to bind one to.
        context: For the latter; None makes a new one.
        root_topic: First part of all topics; "" for none.

    Attributes:
        socket: The socket.
        ctx: Its context.
        formatters: Formatter by level.
    """

    formatters: dict[int, logging.Formatter | None]
    ctx: Context[Any]
    socket: Socket[Any]

    def __init__(
        self, interface_or_socket: str | Socket[Any], context: Context[Any] | None = None, root_topic: str = ""
    ) -> None:
        super().__init__()
        self.root_topic = root_topic
        self.formatters = {
            logging.DEBUG: logging.Formatter(_WITH_PLACE),
            logging.INFO: logging.Formatter("%(message)s\n"),
            logging.WARNING: logging.Formatter(_WITH_PLACE),
            logging.ERROR: logging.Formatter(_WITH_PLACE.replace("\n", " - %(exc_info)s\n")),
            logging.CRITICAL: logging.Formatter(_WITH_PLACE),
        }
        if isinstance(interface_or_socket, Socket):
            self.socket = interface_or_socket
            self.ctx = self.socket.context
        else:
            self.ctx = context or Context()
            self.socket = self.ctx.socket(PUB)
            self.socket.bind(interface_or_socket)

    @property
    def root_topic(self) -> str:
        """First part of all topics."""
        return self._root_topic

    @root_topic.setter
    def root_topic(self, value: str | bytes) -> None:
        self.setRootTopic(value)

    def setRootTopic(self, root_topic: str | bytes) -> None:
        """Set the first part of all topics; "" for none, so that they begin with the level."""
        self._root_topic = root_topic.decode() if isinstance(root_topic, bytes) else root_topic

    def setFormatter(self, fmt: logging.Formatter | None, level: int = logging.NOTSET) -> None:
        """Set the formatter of a level; of all that have one, if none is given."""
        for each in list(self.formatters) if level == logging.NOTSET else [level]:
            self.formatters[each] = fmt

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record, by the formatter of its level."""
        formatter = self.formatters.get(record.levelno)
        return super().format(record) if formatter is None else formatter.format(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Publish a record.

        Raises:
            ZMQError: As ``Socket.send_multipart``.
        """
        topic, delimiter, text = str(record.msg).partition(TOPIC_DELIM)
        if delimiter:
            record = copy.copy(record)  # other handlers see the whole message
            record.msg = text
        else:
            topic = ""
        try:
            body = self.format(record).encode()
            topic = ".".join(part for part in (self.root_topic, record.levelname, topic) if part)
        except Exception:  # noqa: BLE001
            # The arguments do not fit the message, or the root topic is no text: logging has its own way to tell.
            self.handleError(record)
            return
        self.socket.send_multipart([topic.encode("utf8", "replace"), body])


class TopicLogger(logging.Logger):
    """A logger whose methods take a topic before the message: ``logger.debug("cellar.door", "it is open")``."""

    def log(self, level: int, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at a level, with a topic; otherwise as ``logging.Logger.log``."""
        super().log(level, _with_topic(topic, msg), *args, **kwargs)

    def debug(self, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at DEBUG, with a topic."""
        super().debug(_with_topic(topic, msg), *args, **kwargs)

    def info(self, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at INFO, with a topic."""
        super().info(_with_topic(topic, msg), *args, **kwargs)

    def warning(self, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at WARNING, with a topic."""
        super().warning(_with_topic(topic, msg), *args, **kwargs)

    warn = warning  # type: ignore[assignment]

    def error(self, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at ERROR, with a topic."""
        super().error(_with_topic(topic, msg), *args, **kwargs)

    def exception(self, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at ERROR, with a topic and the exception that is being handled."""
        kwargs.setdefault("exc_info", True)
        super().error(_with_topic(topic, msg), *args, **kwargs)

    def critical(self, topic: str, msg: object, *args: object, **kwargs: Any) -> None:  # type: ignore[override]
        """Log at CRITICAL, with a topic."""
        super().critical(_with_topic(topic, msg), *args, **kwargs)

    fatal = critical  # type: ignore[assignment]


def _with_topic(topic: str, msg: object) -> str:
    return f"{topic}{TOPIC_DELIM}{msg}"


__all__ = ["TOPIC_DELIM", "PUBHandler", "TopicLogger"]
