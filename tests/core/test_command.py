# SPDX-License-Identifier: MPL-2.0
"""The list of commands against the table of internals section 2."""

from __future__ import annotations

from libzmq_py.core.command import CommandType
from libzmq_py.core.object import ZmqObject


def test_the_list_is_libzmqs() -> None:
    """The kinds are those of libzmq's command_t, by name, without `own`, and one of our own."""
    names = """stop plug attach bind activate_read activate_write hiccup pipe_term pipe_term_ack pipe_hwm
        pipe_peer_stats pipe_stats_publish term_req term term_ack term_endpoint reap reaped inproc_connected
        conn_failed done"""
    names += " lend_input"
    assert {kind.value for kind in CommandType} == set(names.split())


def test_every_kind_but_done_has_a_handler() -> None:
    """`process_<kind>` exists for each; nobody dispatches `done`, the context waits for it."""
    for kind in CommandType:
        assert hasattr(ZmqObject, kind.handler) is (kind is not CommandType.DONE)


def test_the_counted_kinds() -> None:
    """Exactly the commands that any thread may send at any time carry a sequence number."""
    assert {kind.value for kind in CommandType if kind.counted} == {"plug", "attach", "bind", "inproc_connected"}
