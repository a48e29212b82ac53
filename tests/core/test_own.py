# SPDX-License-Identifier: MPL-2.0
"""The ownership tree: nobody ends before its children, and nobody ends while a counted command is on its way."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.core.command import CommandType as C
from libzmq_py.core.own import Own
from libzmq_py.options import Options
from tests.core.fakes import FakeContext


class Node(Own):
    """An object that notes its end and the linger it was given."""

    def __init__(
        self, parent: Any, name: str = "", ctx: Any = None, tid: int = 0, log: list[str] | None = None
    ) -> None:
        super().__init__(parent, Options(), ctx, tid)
        self.name = name
        self.log: list[str] = log if log is not None else parent.log
        self.linger: int | None = None

    def process_plug(self) -> None:
        self.log.append(f"{self.name} plugged")

    def process_bind(self, pipe: Any) -> None:
        pass

    def process_term(self, linger: int) -> None:
        self.linger = linger
        super().process_term(linger)

    def process_destroy(self) -> None:
        super().process_destroy()
        self.log.append(f"{self.name} ended")


def root(linger: int = -1) -> Node:
    """A socket, so to speak: it has no owner."""
    node = Node(None, "root", FakeContext(), 5, [])
    node.options.linger = linger
    return node


def test_a_child_is_owned_and_plugged() -> None:
    """launch_child: plug goes to the child through its mailbox; it is the parent's at once."""
    parent = root()
    child = Node(parent, "child")
    parent.launch_child(child)
    assert parent.ctx.kinds == [C.PLUG]
    assert child.tid == parent.tid
    parent.ctx.deliver()
    assert parent.log == ["child plugged"]


def test_a_lone_object_ends_at_once() -> None:
    """Without owner and children terminate() is the end, with the own linger."""
    node = root(linger=7)
    node.terminate()
    assert node.linger == 7
    assert node.is_terminating
    assert node.log == ["root ended"]
    assert node.ctx.kinds == []


def test_terminate_twice_is_terminate_once() -> None:
    """The second call does nothing."""
    node = root()
    node.register_term_acks(1)
    node.terminate()
    node.terminate()
    node.unregister_term_ack()
    assert node.log == ["root ended"]


def test_children_end_first_with_the_linger_they_are_given() -> None:
    """term goes down the tree, acknowledgements come up; each passes its own linger on."""
    parent = root(linger=50)
    child = Node(parent, "child")
    parent.launch_child(child)
    grandchild = Node(child, "grandchild")
    child.launch_child(grandchild)
    parent.ctx.deliver()
    parent.terminate()
    parent.ctx.deliver()
    assert parent.log[2:] == ["grandchild ended", "child ended", "root ended"]
    assert (child.linger, grandchild.linger) == (50, 50)


def test_a_child_asks_its_owner() -> None:
    """terminate() of an owned object: term_req up, term with the owner's linger down, ack up; the owner lives on."""
    parent = root(linger=9)
    child = Node(parent, "child")
    child.options.linger = 1
    parent.launch_child(child)
    parent.ctx.deliver()
    child.terminate()
    assert parent.ctx.kinds == [C.TERM_REQ]
    parent.ctx.deliver()
    assert child.linger == 9
    assert parent.log == ["child plugged", "child ended"]
    parent.terminate()
    assert parent.log[-1] == "root ended"


def test_term_child_is_the_owners_wish() -> None:
    """term_child() ends one child and leaves the others."""
    parent = root()
    children = [Node(parent, f"child {n}") for n in range(2)]
    for child in children:
        parent.launch_child(child)
    parent.ctx.deliver()
    parent.term_child(children[0])
    parent.ctx.deliver()
    assert parent.log[-1] == "child 0 ended"
    assert not children[1].is_terminating


def test_a_request_that_crosses_the_owners_end_is_ignored() -> None:
    """term_req while term is on its way: the child is told once and acknowledges once."""
    parent = root()
    child = Node(parent, "child")
    parent.launch_child(child)
    parent.ctx.deliver()
    child.terminate()
    parent.terminate()
    parent.ctx.deliver()
    assert parent.log == ["child plugged", "child ended", "root ended"]


def test_the_same_request_twice_counts_once() -> None:
    """A child that asks twice is told once."""
    parent = root()
    child = Node(parent, "child")
    parent.launch_child(child)
    parent.ctx.deliver()
    child.terminate()
    child.terminate()
    parent.ctx.deliver()
    assert parent.log == ["child plugged", "child ended"]
    parent.terminate()
    assert parent.log[-1] == "root ended"


def test_a_child_that_comes_too_late_is_ended_at_once() -> None:
    """Launched after the end has begun: term with linger 0, and the end waits for its acknowledgement."""
    parent = root(linger=-1)
    parent.register_term_acks(1)
    parent.terminate()
    child = Node(parent, "child")
    parent.launch_child(child)
    parent.unregister_term_ack()
    assert parent.log == []
    parent.ctx.deliver()
    assert child.linger == 0
    assert parent.log == ["child plugged", "child ended", "root ended"]


def test_who_has_nothing_left_to_end_departs() -> None:
    """Without a command, and the owner does not wait for it."""
    parent = root()
    child = Node(parent, "child")
    parent.launch_child(child)
    parent.ctx.deliver()
    child.depart()
    assert parent.ctx.kinds == []
    parent.terminate()
    assert parent.log == ["child plugged", "root ended"]


def test_who_was_told_to_end_does_not_depart() -> None:
    """The owner waits for its acknowledgement."""
    parent = root()
    child = Node(parent, "child")
    parent.launch_child(child)
    parent.ctx.deliver()
    parent.terminate()
    child.depart()
    assert parent.log == ["child plugged"]
    parent.ctx.deliver()
    assert parent.log == ["child plugged", "child ended", "root ended"]


def test_who_lives_elsewhere_asks() -> None:
    """An owner in another thread is the only one who may touch its list."""
    parent = root()
    child = Node(parent, "child")
    child.tid = parent.tid + 1
    parent.launch_child(child)
    parent.ctx.deliver()
    child.depart()
    assert parent.ctx.kinds == [C.TERM_REQ]
    parent.ctx.deliver()
    assert parent.log == ["child plugged", "child ended"]


def test_no_end_while_a_counted_command_is_on_its_way() -> None:
    """An object lives until every command sent under a sequence number has been processed."""
    node = root()
    node.inc_seqnum()
    node.terminate()
    assert node.log == []
    node.send_bind(node, object(), inc_seqnum=False)
    node.ctx.deliver()
    assert node.log == ["root ended"]


def test_no_end_before_every_acknowledgement() -> None:
    """Acknowledgements registered by the object itself (its pipes) count like those of children."""
    node = root()
    node.register_term_acks(2)
    node.terminate()
    node.process_term_ack()
    assert node.log == []
    node.unregister_term_ack()
    assert node.log == ["root ended"]


def test_an_acknowledgement_too_many_is_an_error_of_ours() -> None:
    """The count never goes below zero."""
    with pytest.raises(AssertionError, match="does not wait for"):
        root().unregister_term_ack()


def test_told_to_end_twice_is_an_error_of_ours() -> None:
    """process_term() is once in a life."""
    node = root()
    node.register_term_acks(1)
    node.process_term(0)
    with pytest.raises(AssertionError, match="told to end twice"):
        node.process_term(0)


def test_sequence_numbers_of_many_threads_add_up() -> None:
    """inc_seqnum() may be called by any thread; none is lost."""
    node = root()
    threads = [threading.Thread(target=lambda: [node.inc_seqnum() for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert node._sent_seqnum == 20_000


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_any_tree_ends_from_the_leaves_up(seed: int, size: int) -> None:
    """Trees of any shape, ended from any side at any moment: everyone ends once, children before parents."""
    rng = random.Random(seed)
    top = root()
    nodes = [top]
    parents: dict[str, str] = {}
    for n in range(size):
        parent = rng.choice(nodes)
        if parent.is_terminating:
            continue
        node = Node(parent, f"node {n}")
        parents[node.name] = parent.name
        parent.launch_child(node)
        nodes.append(node)
        if rng.random() < 0.3:
            rng.choice(nodes[1:]).terminate()
        top.ctx.deliver(rng.randrange(4))
    top.terminate()
    top.ctx.deliver()
    ended = [line.removesuffix(" ended") for line in top.log if line.endswith("ended")]
    assert sorted(ended) == sorted(node.name for node in nodes)
    for child, owner in parents.items():
        assert ended.index(child) < ended.index(owner)
