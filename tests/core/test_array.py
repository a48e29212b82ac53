# SPDX-License-Identifier: MPL-2.0
"""The array whose items know their place, against a plain list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.core.array import Array


def check(array: Array[str], expected: list[str]) -> None:
    assert array.items == expected
    assert len(array) == len(expected)
    for index, item in enumerate(expected):
        assert array.index(item) == index
        assert item in array


def test_push_back_appends() -> None:
    """Items stand in the order in which they came."""
    array: Array[str] = Array()
    for item in "abc":
        array.push_back(item)
    check(array, ["a", "b", "c"])


def test_erase_moves_the_last_into_the_hole() -> None:
    """Removal costs one move, so order is not stable (array_t)."""
    array: Array[str] = Array()
    a, b, c, d = items = list("abcd")
    for item in items:
        array.push_back(item)
    array.erase(b)
    check(array, [a, d, c])
    array.erase(c)
    check(array, [a, d])


def test_swap_exchanges_two_places() -> None:
    """Both items know their new place; a swap with itself changes nothing."""
    array: Array[str] = Array()
    for item in "abc":
        array.push_back(item)
    array.swap(0, 2)
    array.swap(1, 1)
    check(array, ["c", "b", "a"])


def test_an_item_that_is_not_there() -> None:
    """index() and erase() of a stranger are errors and change nothing, whether the array is short or long."""
    array: Array[str] = Array()
    expected = []
    for number in range(40):
        array.push_back(f"item {number}")
        expected.append(f"item {number}")
        for call in (array.index, array.erase):
            with pytest.raises((KeyError, ValueError)):
                call("x")
        assert "x" not in array
        check(array, expected)


def test_removal_does_not_look_through_a_long_array() -> None:
    """Forty thousand connections end one by one, the last first and the first first."""

    class Item:
        compared = 0

        def __eq__(self, other: object) -> bool:
            Item.compared += 1
            return self is other

        __hash__ = object.__hash__

    array: Array[Item] = Array()
    items = [Item() for _ in range(40_000)]
    for item in items:
        array.push_back(item)
    for first, last in zip(items[:20_000], reversed(items[20_000:]), strict=True):
        array.erase(first)
        array.erase(last)
    assert len(array) == 0
    assert Item.compared < 1000


def test_clear() -> None:
    """A cleared array is empty and can be filled again."""
    array: Array[str] = Array()
    array.push_back("a")
    array.clear()
    check(array, [])
    array.push_back("a")
    check(array, ["a"])


@given(st.lists(st.tuples(st.sampled_from(["push", "erase", "swap"]), st.integers(0, 30), st.integers(0, 30))))
def test_any_operations_agree_with_a_list(steps: list[tuple[str, int, int]]) -> None:
    """Places and order are those of a list that is swapped and filled up by hand."""
    array: Array[str] = Array()
    model: list[str] = []
    for number, (step, i, j) in enumerate(steps):
        if step == "push":
            model.append(f"item {number}")
            array.push_back(model[-1])
        elif model and step == "erase":
            i %= len(model)
            array.erase(model[i])  # the very object: the array is one of pipes, which are what they are
            last = model.pop()
            if i < len(model):
                model[i] = last
        elif model:
            i, j = i % len(model), j % len(model)
            array.swap(i, j)
            model[i], model[j] = model[j], model[i]
        check(array, model)
