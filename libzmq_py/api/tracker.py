# SPDX-License-Identifier: MPL-2.0
"""Telling when the library has done with memory that it shares with the user.

A message sent with ``copy=False, track=True`` is not copied; its ``MessageTracker`` says when the memory may change
again. Behind it is one ``Hold`` per piece of memory. The frame that shares the memory refers to the hold, and so does
every message on its way; the last reference to go, in whatever thread, sets the event.

No libzmq twin: pyzmq's sugar/tracker.py; what zmq_msg_init_data's free function tells pyzmq's collector thread, the end
of the hold tells here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

from libzmq_py.errors import NotDone

if TYPE_CHECKING:
    from libzmq_py.api.frame import Frame

#: How long ``wait`` waits when told to wait for ever, in seconds: a week.
_FOR_EVER = 7 * 24 * 3600.0


class MessageTracker:
    """Watches any number of messages and tells when all are done with.

    Args:
        *towatch: Events, other trackers, and frames that have a tracker.

    Attributes:
        events: The events watched.
        peers: The trackers watched, those of the frames among them.

    Raises:
        ValueError: A frame has no tracker.
        TypeError: Something is neither event, tracker nor frame.
    """

    events: set[Event]
    peers: set[MessageTracker]

    def __init__(self, *towatch: Event | MessageTracker | Frame) -> None:
        self.events = set()
        self.peers = set()
        for each in towatch:
            self._watch(each)

    def _watch(self, each: Event | MessageTracker | Frame) -> None:
        if isinstance(each, Event):
            self.events.add(each)
        elif isinstance(each, MessageTracker):
            self.peers.add(each)
        else:
            from libzmq_py.api.frame import Frame  # which needs this module first

            if not isinstance(each, Frame):
                raise TypeError(f"Require Events or Message Frames, not {type(each)}")
            if each.tracker is None:
                raise ValueError(f"Not a tracked message: {each!r}")
            self.peers.add(each.tracker)

    @property
    def done(self) -> bool:
        """True if nothing watched is in use any more."""
        return all(event.is_set() for event in self.events) and all(peer.done for peer in self.peers)

    def wait(self, timeout: float = -1) -> None:
        """Wait until nothing watched is in use any more.

        Args:
            timeout: Seconds to wait at most, for all together; negative or False waits (a week).

        Raises:
            NotDone: The time is over.
        """
        if timeout is False or timeout < 0:  # type: ignore[redundant-expr]  # False is 0 to mypy
            timeout = _FOR_EVER
        deadline = time.monotonic() + timeout
        for event in self.events:
            if not event.wait(max(0.0, deadline - time.monotonic())):
                raise NotDone
        for peer in self.peers:
            peer.wait(max(0.0, deadline - time.monotonic()))


#: The tracker of everything that was copied, and so was done with at once.
_FINISHED_TRACKER = MessageTracker()


class Hold:
    """Shared memory in use. What refers to it uses the memory; its end sets the event."""

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        self.event = event

    def __del__(self) -> None:
        self.event.set()


def keeper(owner: object) -> Callable[[], object]:
    """A ``Msg(release=...)`` that keeps an owner of memory alive; that the core forgets it is what counts."""
    return lambda: owner


__all__ = ["_FINISHED_TRACKER", "MessageTracker"]
