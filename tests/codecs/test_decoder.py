# SPDX-License-Identifier: MPL-2.0
"""The collector of frames whose end has not come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libzmq_py.codecs.decoder import FrameCollector
from tests.codecs.strategies import cuts, pieces


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=200), st.binary(max_size=50), cuts)
def test_a_body_in_any_pieces(start: bytes, rest: bytes, behind: bytes, where: list[int]) -> None:
    """The body is given once, whole, together with what follows it; until then it says how much is missing."""
    collector = FrameCollector()
    collector.begin(start, len(rest))
    fed = 0
    for piece in pieces(rest + behind, where):
        assert collector.missing == len(rest) - fed
        body, left = collector.add(piece)
        fed += len(piece)
        if body is not None:
            assert body == start + rest
            assert left == (rest + behind)[len(rest) : fed]
            assert collector.missing == 0
            return
        assert left == b""
    raise AssertionError("the body was never whole")
