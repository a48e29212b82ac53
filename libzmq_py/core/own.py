# SPDX-License-Identifier: MPL-2.0
"""The ownership tree and its orderly end.

Mirrors: src/own.cpp, src/own.hpp.
Departs: no destructor.  The collector frees; what remains of own_t is the handshake: an object has ended when it was
told to, every command sent to it under a sequence number has been processed, and every child has acknowledged.  No
command `own`: libzmq's parent sends it to itself, ours owns the child at once.

    terminate() ──term_req──▶ owner ──term(linger)──▶ child: process_term
                                ▲                        │ (its own children first)
                                └────────term_ack────────┘ process_destroy

The sequence number counts commands that may come from any thread (plug, attach, bind, inproc_connected).  The
sender increments it before it queues the command, so an object that might still be sent one never ends.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.core.object import ZmqObject

if TYPE_CHECKING:
    from libzmq_py.options import Options

# `x += 1` is not atomic. The number moves a few times in a connection's life, so one lock serves all objects.
_SEQNUM_LOCK: Final = threading.Lock()
# What most objects own. Never added to.
_NO_CHILDREN: Final[dict[Own, None]] = {}


class Own(ZmqObject):
    """`own_t`: an object in the tree of socket, listeners, sessions and connecters.

    All methods but `inc_seqnum` belong to the object's own thread.
    """

    # Defaults on the class: there are two or three of these per connection, and few of them change anything of it.
    _owner: Own | None = None
    _owned: dict[Own, None] = _NO_CHILDREN
    _terminating = False
    _sent_seqnum = 0
    _processed_seqnum = 0
    _term_acks = 0

    def __init__(self, parent: ZmqObject | None, options: Options, ctx: Any = None, tid: int = 0) -> None:
        """Live in the thread of `parent` (an I/O thread, or any object of it), or under `ctx` and `tid`."""
        if parent is not None:
            ctx, tid = parent.ctx, parent.tid
        self.ctx = ctx
        self.tid = tid
        self.options = options

    @property
    def is_terminating(self) -> bool:
        """True once the end has begun."""
        return self._terminating

    def inc_seqnum(self) -> None:
        """One more command is on its way to this object. Any thread."""
        with _SEQNUM_LOCK:
            self._sent_seqnum += 1

    def process_seqnum(self) -> None:
        """One of the counted commands has been processed."""
        self._processed_seqnum += 1
        if self._terminating:
            self._check_term_acks()

    def launch_child(self, child: Own) -> None:
        """Plug a new object into its I/O thread and own it."""
        child._owner = self
        child._sent_seqnum += 1  # without the lock, as nobody else knows the child yet
        self.send_plug(child, inc_seqnum=False)
        if self._terminating:
            self.register_term_acks(1)
            self.send_term(child, 0)  # too late: ended at once
        elif self._owned is _NO_CHILDREN:
            self._owned = {child: None}
        else:
            self._owned[child] = None

    def term_child(self, child: Own) -> None:
        """End one child."""
        self.process_term_req(child)

    def terminate(self) -> None:
        """Begin the end: ask the owner, or, without one, end at once with the own linger."""
        if self._terminating:
            return
        if self._owner is None:
            self.process_term(self.options.linger)
            return
        self.send_term_req(self._owner, self)

    def depart(self) -> None:
        """`terminate` for an object that has nothing left to end: no commands where the owner is in this thread."""
        owner = self._owner
        if owner is None or owner.tid != self.tid or self._owned:
            self.terminate()
        elif self in owner._owned:
            del owner._owned[self]
            self._owner = None
        # Else it has been told to end, and will hear of it.

    def process_term_req(self, child: Own) -> None:
        """End a child that asks for it, unless it is on its way already."""
        if self._terminating or child not in self._owned:
            return
        del self._owned[child]
        self.register_term_acks(1)
        # The own linger: a session may have options copied before the user changed the socket's.
        self.send_term(child, self.options.linger)

    def process_term(self, linger: int) -> None:
        """End the children, then, when all have acknowledged, this object."""
        if self._terminating:
            raise AssertionError(f"{type(self).__name__} was told to end twice")
        for child in self._owned:
            self.send_term(child, linger)
        self.register_term_acks(len(self._owned))
        self._owned.clear()
        self._terminating = True
        self._check_term_acks()

    def register_term_acks(self, count: int) -> None:
        """Wait for so many more acknowledgements."""
        self._term_acks += count

    def unregister_term_ack(self) -> None:
        """One acknowledgement has come."""
        if self._term_acks <= 0:
            raise AssertionError(f"{type(self).__name__} got an acknowledgement it does not wait for")
        self._term_acks -= 1
        self._check_term_acks()

    def process_term_ack(self) -> None:
        """A child has ended."""
        self.unregister_term_ack()

    def _check_term_acks(self) -> None:
        if self._terminating and self._processed_seqnum == self._sent_seqnum and self._term_acks == 0:
            if self._owner is not None:
                self.send_term_ack(self._owner)
            self.process_destroy()

    def process_destroy(self) -> None:
        """The end. Subclasses let go of what they hold."""
        self._owner = None
