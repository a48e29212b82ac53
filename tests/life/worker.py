# SPDX-License-Identifier: MPL-2.0
"""What a process of multiprocessing does. No libzmq twin: test support."""

from __future__ import annotations

import libzmq_py as zmq


def work(port: int, number: int) -> None:
    """Send a number to the parent."""
    with zmq.Context.instance() as ctx, ctx.socket(zmq.PUSH) as push:
        push.connect(f"tcp://127.0.0.1:{port}")
        push.send(b"%d" % number)
