# SPDX-License-Identifier: MPL-2.0
"""The constants are pyzmq's: same names, numbers, enums and kinds of option values."""

from __future__ import annotations

import enum

import pytest
import zmq.constants as theirs

from libzmq_py import constants as ours

ENUMS = sorted({name for name in theirs.__all__ if isinstance(getattr(theirs, name), type)} - set(dir(enum)))
NAMES = sorted(name for name in theirs.__all__ if isinstance(getattr(theirs, name), int))


def test_exports_the_same_names() -> None:
    """``__all__`` holds what pyzmq's holds, once each."""
    assert sorted(ours.__all__) == sorted(theirs.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_name_has_the_same_value(name: str) -> None:
    """A module level name is the member of the same name and number of the same enum."""
    mine, reference = getattr(ours, name), getattr(theirs, name)
    assert mine == reference
    assert (type(mine).__name__, mine.name) == (type(reference).__name__, reference.name)


@pytest.mark.parametrize("name", ENUMS)
def test_enum_has_the_same_members(name: str) -> None:
    """An enum has the same kind, members, aliases and values."""
    mine, reference = getattr(ours, name), getattr(theirs, name)
    assert {member: int(value) for member, value in mine.__members__.items()} == {
        member: int(value) for member, value in reference.__members__.items()
    }
    assert issubclass(mine, enum.IntFlag) == issubclass(reference, enum.IntFlag)


def test_options_tell_the_same_type() -> None:
    """``_opt_type``, which decides what a socket option may be set to, agrees for every option."""
    mine = {option.name: option._opt_type.value for option in ours.SocketOption}
    assert mine == {option.name: option._opt_type.value for option in theirs.SocketOption}


def test_the_foot_of_the_file_follows_the_enums() -> None:
    """No member lacks its module level name, and every name is of the right member."""
    prefixes = {"Event": "EVENT_", "RouterNotify": "NOTIFY_", "NormMode": "NORM_", "ReconnectStop": "RECONNECT_STOP_"}
    for enum_name in ENUMS:
        for name, member in getattr(ours, enum_name).__members__.items():
            prefix = "" if name.startswith("PROTOCOL_ERROR_") else prefixes.get(enum_name, "")
            assert getattr(ours, prefix + name) is member
