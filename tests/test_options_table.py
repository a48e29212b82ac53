# SPDX-License-Identifier: MPL-2.0
"""Every option of spec/options.csv on every socket type: read, set, read back, refused. The tests are the table's rows.

The same file runs against pyzmq (LIBZMQ_PY_TARGET=zmq), so the table says what libzmq does; where libzmq_py does
something else the row cannot say so, and a test elsewhere, marked `departs`, does. Columns of the table:

    kind      int, int64, fd or bytes: what kind of value
    default   by type where types differ, the others' first; empty where it is not the same everywhere
    set_on    types that take it, or "all", or "-"; get_on: types that give it (GSSAPI_*: where there is GSSAPI)
    range     numbers "low..high", or lengths "low..high bytes", either end may be missing; "any" number
    reads     what is read back: the same, truth (0 or 1), tenths (of a second, rounded down), raw (a key's 32 bytes;
              pyzmq cannot read keys, so their reading is left to tests/test_options.py)
    examples, refused    more values, as Python has them, for what a range cannot say
    when      from when on a new value counts
    shown_by  the test that sees it at work
"""

from __future__ import annotations

import ast
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.sockets.helpers import Background, inproc_name, raises_errno
from tests.support.target import zmq
from tests.support.waiting import wait_until

ROOT = Path(__file__).parent.parent
TYPES = ["PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB", "STREAM"]
BITS = {"int": 32, "fd": 32, "int64": 64}
#: pyzmq reads strings into a buffer of 255 bytes, so one of that length cannot be read with it.
LONGEST_READ = 254

Value = int | bytes


def value_of(text: str) -> Value:
    """A value of the table: a literal, or literals joined by + and *."""
    tree = ast.parse(text, mode="eval").body

    def compute(node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp):
            left, right = compute(node.left), compute(node.right)
            return left * right if isinstance(node.op, ast.Mult) else left + right
        return ast.literal_eval(node)

    value: Value = compute(tree)
    return value


class Row(NamedTuple):
    """One line of the table."""

    scope: str
    name: str
    number: int
    kind: str
    unit: str
    default: str
    set_on: str
    get_on: str
    range: str
    reads: str
    examples: str
    refused: str
    when: str
    effect: str
    shown_by: str

    @classmethod
    def read(cls, line: dict[str, str]) -> Row:
        return cls(**{**line, "number": int(line["number"])})  # type: ignore[arg-type]

    def is_on(self, types: str, kind: str) -> bool:
        if self.name.startswith("GSSAPI_") and not zmq.has("gssapi"):
            return False
        return types == "all" or kind in types.split()

    def default_on(self, kind: str) -> Value | None:
        """None where it is not the same everywhere."""
        common, *special = self.default.split(";")
        for part in [common, *special]:
            names, colon, text = part.rpartition(":")
            if colon and kind in names.split():
                return value_of(text.strip())
        return value_of(common) if common and ":" not in common else None

    def _bounds(self) -> tuple[int, int, bool] | None:
        """Lowest and highest number, or length (True)."""
        text, _, unit = self.range.partition(" ")
        low, dots, high = text.partition("..")
        if unit:
            return int(low), int(high) if high else 1000, True
        bits = BITS[self.kind] - 1 if self.kind in BITS else 0
        if text == "any":
            return -(2**bits), 2**bits - 1, False
        return (int(low), int(high) if high else 2**bits - 1, False) if dots else None

    def accepted(self) -> Iterator[Value]:
        """The ends of the range, what is next to them, and the examples."""
        bounds = self._bounds()
        if bounds is not None:
            low, high, lengths = bounds
            for number in dict.fromkeys((low, min(low + 1, high), max(high - 1, low), high)):
                yield b"x" * number if lengths else number
        yield from map(value_of, filter(None, self.examples.split(" | ")))

    def refusals(self) -> Iterator[Value]:
        """What is just out of the range, and more."""
        yield from map(value_of, filter(None, self.refused.split(" | ")))
        bounds = self._bounds()
        if bounds is None or self.range == "any":
            return
        low, high, lengths = bounds
        if lengths:
            if low:
                yield b"x" * (low - 1)
            if not self.range.startswith(f"{low}.. "):
                yield b"x" * (high + 1)
            return
        limit = 2 ** (BITS[self.kind] - 1)
        yield from (number for number in (low - 1 - 99 * (self.reads == "tenths"), -limit) if number < low)
        yield from (number for number in (high + 1, limit - 1) if high < number < limit)

    def read_back(self, value: Value) -> Value:
        """What is read after this was set."""
        if self.reads == "truth":
            return int(value != 0)
        if self.reads == "tenths":
            assert isinstance(value, int)
            return int(value / 100) * 100
        return value

    def wrong_kinds(self) -> list[Any]:
        common = ["text", 1.5, [], bytearray(b"x"), memoryview(b"x")]
        if self.kind == "bytes":
            return [*common, 1]
        # None clears a filter; pyzmq refuses it.
        return [*common, b"x"] if self.name.startswith("IPC_FILTER") else [*common, b"x", None]


with open(ROOT / "spec" / "options.csv", newline="") as table:
    ROWS = [Row.read(line) for line in csv.DictReader(table)]
SOCKET_ROWS = [row for row in ROWS if row.scope == "socket"]
CONTEXT_ROWS = [row for row in ROWS if row.scope == "context"]

socket_rows = pytest.mark.parametrize("row", SOCKET_ROWS, ids=lambda row: row.name)
context_rows = pytest.mark.parametrize("row", CONTEXT_ROWS, ids=lambda row: row.name)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.scope}-{row.name}")


@pytest.fixture
def make(ctx: Any) -> Iterator[Callable[[str], Any]]:
    """Make a socket of a type by its name."""
    made = []

    def make_socket(kind: str) -> Any:
        made.append(ctx.socket(getattr(zmq, kind)))
        return made[-1]

    yield make_socket
    for sock in made:
        sock.close(0)


Make = Callable[[str], Any]


def read(row: Row, sock: Any) -> Value | None:
    """The present value, or None where it cannot be read."""
    try:
        value: Value = sock.getsockopt(row.number)
    except zmq.ZMQError:
        return None
    return value


def check(row: Row, sock: Any, value: Value) -> None:
    """Set a value and read it back, where it can be read."""
    sock.setsockopt(row.number, value)
    if row.get_on != "-" and row.reads != "raw" and (isinstance(value, int) or len(value) <= LONGEST_READ):
        assert sock.getsockopt(row.number) == row.read_back(value), value


# --- the table -------------------------------------------------------------------------------------------------------


def test_names_and_numbers() -> None:
    """Every option that has a name is in the table, under its number."""
    pseudo = {"HWM"}  # pyzmq's own, for SNDHWM and RCVHWM
    # THREAD_PRIORITY shares its number with SOCKET_LIMIT, IPV6 and BLOCKY are listed with the socket's options.
    for scope, rows in (("SocketOption", SOCKET_ROWS), ("ContextOption", CONTEXT_ROWS)):
        named = {name: int(option) for name, option in getattr(zmq, scope).__members__.items()}
        listed = {row.name: row.number for row in rows}
        newer = {"ZERO_COPY_RECV", "IPV6", "BLOCKY"} if scope == "ContextOption" else set()
        old_names = {name for name, option in named.items() if getattr(zmq, scope)(option).name != name}
        assert {name: number for name, number in listed.items() if name not in newer} == {
            name: number
            for name, number in named.items()
            if name not in pseudo and (name not in old_names or name in listed)
        }


@each_row
def test_every_option_says_where_it_is_seen_at_work(row: Row) -> None:
    """The test named is there; only what has no effect names none."""
    if not row.shown_by:
        assert row.when == "-"
        return
    path, _, function = row.shown_by.partition("::")
    text = (ROOT / "tests" / path).read_text()
    assert not function or f"def {function}(" in text


# --- sockets ---------------------------------------------------------------------------------------------------------


@socket_rows
def test_default(row: Row, make: Make) -> None:
    """A new socket's value, or EINVAL where it cannot be read."""
    for kind in TYPES:
        sock = make(kind)
        if row.reads == "raw":
            continue
        if not row.is_on(row.get_on, kind):
            with raises_errno(zmq.EINVAL):
                sock.getsockopt(row.number)
        elif row.name == "LINGER":
            with zmq.Context() as fresh, fresh.socket(getattr(zmq, kind)) as untouched:
                assert untouched.getsockopt(row.number) == row.default_on(kind), kind
        elif (default := row.default_on(kind)) is not None:
            found = sock.getsockopt(row.number)
            assert (type(found), found) == (type(default), default), kind


@socket_rows
def test_accepted_values(row: Row, make: Make) -> None:
    """Are read back, on every type that takes the option; on others it is EINVAL."""
    for kind in TYPES:
        for value in row.accepted():
            sock = make(kind)
            if row.is_on(row.set_on, kind):
                check(row, sock, value)
            else:
                with raises_errno(zmq.EINVAL):
                    sock.setsockopt(row.number, value)


@socket_rows
def test_refused_values(row: Row, make: Make) -> None:
    """EINVAL, and the value stays."""
    for kind in TYPES:
        sock = make(kind)
        before = read(row, sock)
        for value in row.refusals():
            with raises_errno(zmq.EINVAL):
                sock.setsockopt(row.number, value)
            assert read(row, sock) == before, value


@socket_rows
def test_wrong_kinds(row: Row, make: Make) -> None:
    """TypeError, or OverflowError for an int that C cannot hold; the type of the socket does not matter."""
    if (row.name, row.set_on) == ("BLOCKY", "-"):
        return  # a context option: its number is no socket option's
    sock = make("DEALER")
    before = read(row, sock)
    for wrong in row.wrong_kinds():
        with pytest.raises(TypeError):
            sock.setsockopt(row.number, wrong)
    if row.kind in BITS:
        limit = 2 ** (BITS[row.kind] - 1)
        for number in (limit, -limit - 1, 2**64, -(2**64)):
            with pytest.raises(OverflowError):
                sock.setsockopt(row.number, number)
    assert read(row, sock) == before


@pytest.mark.departs
@socket_rows
def test_the_refusal_names_option_and_value(row: Row, make: Make) -> None:
    """What was wrong can be read in the exception; secrets cannot."""
    secret = row.name.startswith(("PLAIN_", "SOCKS_USER", "SOCKS_PASS", "CURVE_", "WSS_KEY")) and row.kind == "bytes"
    for value in row.refusals():
        with pytest.raises(zmq.ZMQError) as caught:
            make("DEALER").setsockopt(row.number, value)
        text = str(caught.value)
        assert row.name in text
        shown = repr(value if isinstance(value, int) else value[:30])
        assert (shown.strip("b'\"") in text) is not secret or len(shown.strip("b'\"")) == 0


@socket_rows
def test_options_may_be_set_at_any_time(row: Row, make: Make) -> None:
    """After bind and connect too, with the same answers; what that means for endpoints there are, `when` tells."""
    for kind in TYPES:
        sock = make(kind)
        sock.bind(inproc_name())
        sock.bind("tcp://127.0.0.1:*")
        sock.connect("tcp://127.0.0.1:9")
        for value in row.accepted():
            if row.is_on(row.set_on, kind):
                check(row, sock, value)
            else:
                with raises_errno(zmq.EINVAL):
                    sock.setsockopt(row.number, value)
        for value in row.refusals():
            with raises_errno(zmq.EINVAL):
                sock.setsockopt(row.number, value)
        sock.close(0)


@socket_rows
def test_a_closed_socket_has_no_options(row: Row, make: Make) -> None:
    """ENOTSOCK, whatever is asked."""
    sock = make("DEALER")
    sock.close()
    with raises_errno(zmq.ENOTSOCK):
        sock.getsockopt(row.number)
    for value in [*row.accepted(), *row.refusals()]:
        with raises_errno(zmq.ENOTSOCK):
            sock.setsockopt(row.number, value)


def is_told(sock: Any) -> bool:
    """The news reaches a socket when it next looks; EVENTS looks."""
    try:
        sock.getsockopt(zmq.EVENTS)
    except zmq.ContextTerminated:
        return True
    return False


@pytest.mark.parametrize("kind", TYPES)
def test_a_context_that_ends_takes_the_options(kind: str) -> None:
    """ETERM for every option, to set or to read."""
    context = zmq.Context()
    sock = context.socket(getattr(zmq, kind))
    terminating = Background(context.term)
    wait_until(lambda: is_told(sock), "the socket to be told")
    for row in SOCKET_ROWS:
        with raises_errno(zmq.ETERM):
            sock.getsockopt(row.number)
        for value in [*row.accepted(), *row.refusals()][:2]:
            with raises_errno(zmq.ETERM):
                sock.setsockopt(row.number, value)
    sock.close()
    terminating.result()


# --- contexts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def context() -> Iterator[Any]:
    """A context of its own."""
    with zmq.Context() as fresh:
        yield fresh


def writable(row: Row) -> bool:
    return row.set_on != "-"


@context_rows
def test_default_of_a_context(row: Row, context: Any) -> None:
    """A new context's value, or EINVAL where it cannot be read."""
    if row.name == "THREAD_SCHED_POLICY":
        return  # pyzmq takes the -1 for an error, if there was one before
    if row.get_on == "-" and row.name != "THREAD_PRIORITY":  # which reads SOCKET_LIMIT
        with raises_errno(zmq.EINVAL):
            context.get(row.number)
    elif (default := row.default_on("")) is not None:
        assert context.get(row.number) == default


@context_rows
def test_accepted_values_of_a_context(row: Row, context: Any) -> None:
    """Are read back."""
    for value in row.accepted() if writable(row) else ():
        context.set(row.number, value)
        if row.get_on != "-" and row.read_back(value) != -1:
            assert context.get(row.number) == row.read_back(value)
    if row.name == "IO_THREADS":
        context.set(row.number, 1)


@context_rows
def test_refused_values_of_a_context(row: Row, context: Any) -> None:
    """EINVAL, and the value stays."""
    if row.name == "SOCKET_LIMIT":
        return  # to set it is to set THREAD_PRIORITY
    before = None if row.get_on == "-" or row.name == "THREAD_SCHED_POLICY" else context.get(row.number)
    for value in row.refusals():
        with raises_errno(zmq.EINVAL):
            context.set(row.number, value)
    assert before is None or context.get(row.number) == before


@context_rows
def test_wrong_kinds_of_a_context(row: Row, context: Any) -> None:
    """TypeError, or OverflowError for an int that C cannot hold."""
    for wrong in ("text", 1.5, [], b"x", None, bytearray(b"x")):
        with pytest.raises(TypeError):
            context.set(row.number, wrong)
    for number in (2**31, -(2**31) - 1, 2**64):
        with pytest.raises(OverflowError):
            context.set(row.number, number)


@context_rows
def test_options_of_a_context_may_be_set_at_any_time(row: Row, context: Any) -> None:
    """With its threads running too: stored, and what was for the first socket has no effect any more."""
    with context.socket(zmq.PAIR) as sock:
        sock.bind("tcp://127.0.0.1:*")
        for value in row.accepted() if writable(row) else ():
            context.set(row.number, value)
        for value in row.refusals() if row.name != "SOCKET_LIMIT" else ():
            with raises_errno(zmq.EINVAL):
                context.set(row.number, value)


@context_rows
def test_a_context_that_has_ended_has_no_options(row: Row) -> None:
    """pyzmq's RuntimeError, whatever is asked."""
    context = zmq.Context()
    context.term()
    with pytest.raises(RuntimeError):
        context.get(row.number)
    for value in row.accepted():
        with pytest.raises(RuntimeError):
            context.set(row.number, value)


# --- numbers that are no options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [-(2**31), -1, 0, 1, 2, 3, 10, 20, 26, 29, 30, 67, 82, 83, 125, 200, 2**31 - 1])
def test_numbers_that_are_no_options(number: int, make: Make) -> None:
    """EINVAL on every type. (1, 2 and 3 were options of libzmq 2.)"""
    for kind in TYPES:
        sock = make(kind)
        for value in (0, 1, -1):
            with raises_errno(zmq.EINVAL):
                sock.setsockopt(number, value)
        with raises_errno(zmq.EINVAL):
            sock.getsockopt(number)


@pytest.mark.parametrize("number", [-(2**31), -1, 0, 11, 41, 43, 69, 71, 100, 2**31 - 1])
def test_numbers_that_are_no_options_of_a_context(number: int, context: Any) -> None:
    """EINVAL."""
    with raises_errno(zmq.EINVAL):
        context.set(number, 1)
    with raises_errno(zmq.EINVAL):
        context.get(number)
