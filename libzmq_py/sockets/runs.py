# SPDX-License-Identifier: MPL-2.0
"""A socket's runs: when the next messages may pass it by, and how that ends.

No libzmq twin: see `core/run.py`, which has the runs themselves. First part of `SocketBase`; knows none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from libzmq_py.core.own import Own
from libzmq_py.core.pipe import Pipe
from libzmq_py.core.run import InRun, OutRun, grant_in
from libzmq_py.msg import Message
from libzmq_py.sockets.fq import FQ

# So many plain calls in a row, and the next ones are granted as a run.
_ROW: Final = 4
# Where a run is not to be had, so many plain calls go by before the next attempt to send in one.
_PAUSE: Final = 16
# Nobody used the run (a proxy, say, which does not go through the face): so many more calls first.
_NOT_SO_SOON: Final = -1000


class SocketRuns(Own):
    """The part of `SocketBase` that grants and settles runs."""

    # Says of messages that wait whether all of them pass, where not all do; who is told what went out in runs.
    _in_filter: Callable[[list[Message]], bool] | None = None
    _settle_out: Callable[[int], None] | None = None
    _fq: FQ | None
    # Where receiving is this and nothing else, and a way to ask which pipes every next message goes to: there the
    # socket may be passed by, in runs.
    _straight_fq: FQ | None
    _straight_out: Callable[[], Collection[Pipe]] | None
    in_run: InRun | None
    out_run: OutRun | None
    # Calls in a row that a run could have spared.
    _in_row: int
    _out_row: int

    def _settle_runs(self) -> None:
        """End what runs there are, before anything else is done with the pipes."""
        if self.in_run is not None:
            count = self.in_run.settle()
            if self._fq is not None:
                self._fq.ran(count)
            if not count:
                self._in_row = _NOT_SO_SOON
            self.in_run = None
        if self.out_run is not None:
            count = self.out_run.settle()
            if self._settle_out is not None:
                self._settle_out(count)
            if not count:
                self._out_row = _NOT_SO_SOON
            self.out_run = None

    def _received_straight(self, fq: FQ) -> None:
        self._in_row += 1
        if self._in_row >= _ROW:
            self.in_run = grant_in(fq.turn(), self._in_filter)
            if self.in_run is None:
                self._in_row = 0

    def _sent_straight(self) -> None:
        self._out_row += 1
        if self._out_row >= _ROW:
            self.out_run = self._grant_out()
            if self.out_run is None:
                self._out_row = -_PAUSE

    def _grant_out(self) -> OutRun | None:
        """Room for the next messages, where it is known which pipes they go to."""
        return None
