# SPDX-License-Identifier: MPL-2.0
"""Z85, as 32/Z85 and zmq_z85_encode / zmq_z85_decode have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85 as reference

from libzmq_py import z85

#: The test case of 32/Z85; nothing; the first, last and 85th number of a group; a key of the libzmq manual.
VECTORS = [
    ("864fd26fb559f75b", b"HelloWorld"),
    ("", b""),
    ("00000000", b"00000"),
    ("ffffffff", b"%nSc0"),
    ("00000054", b"0000#"),
    ("bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518", b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"),
]


@pytest.mark.parametrize(("data", "text"), VECTORS)
def test_vectors(data: str, text: bytes) -> None:
    assert z85.encode(bytes.fromhex(data)) == text
    if text:
        assert z85.decode(text) == bytes.fromhex(data)


@given(st.binary(min_size=1, max_size=64).map(lambda data: data * 4))
def test_round_trip_agrees_with_pyzmq(data: bytes) -> None:
    """Any multiple of four bytes survives, by the text pyzmq writes."""
    text = z85.encode(data)
    assert text == reference.encode(data)
    assert z85.decode(text) == data


@pytest.mark.parametrize("length", [1, 2, 3, 5, 33])
def test_encode_refuses_other_lengths(length: int) -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        z85.encode(bytes(length))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"0000",
        b"000000",
        b"0000 ",
        b"00000" b"0000~",
        b"0000\0",
        b"0000\x80",
        b'0000"',
        b"%nSc1",  # 2**32
        b"#####",
    ],
)
def test_decode_refuses(text: bytes) -> None:
    """Wrong lengths, characters outside the alphabet and groups above 2**32-1 are refused."""
    with pytest.raises(ValueError, match=r"Z85|exceed"):
        z85.decode(text)


def test_error_does_not_quote_the_text() -> None:
    """The text may be a secret key."""
    with pytest.raises(ValueError) as caught:
        z85.decode(b"SecretKey~")
    assert "Secret" not in str(caught.value)
