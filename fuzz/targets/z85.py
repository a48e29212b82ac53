# SPDX-License-Identifier: MPL-2.0
"""Z85 (z85.py, utils/z85.py).

Any text gives bytes or a ValueError that does not quote it, as big numbers say; what was read is written as it was, and
any bytes of a fitting length come back from their text.
"""

from __future__ import annotations

from fuzz.source import Source, require
from libzmq_py import z85
from libzmq_py.utils import z85 as utils_z85

MAX_LEN = 64
TOKENS = (b"%nSc0", b"%nSc1", b"#####", b"00000")
SEEDS = {
    "rfc": b"\0HelloWorld",
    "key": b"\0rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    "largest": b"\0%nSc0",
    "too-large": b"\0%nSc1",
    "digit": b'\0Hell"World',
    "bytes": b"\1\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b",
    "length": b"\0Hell",
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def check(data: bytes) -> None:
    """One input: text or bytes."""
    source = Source(data)
    if source.flag():
        _check_bytes(source.rest())
    else:
        _check_text(source.rest())


def _check_bytes(data: bytes) -> None:
    try:
        text = z85.encode(data)
    except ValueError:
        require(len(data) % 4, "refused")
        return
    require(len(text) == len(data) // 4 * 5, "another length")
    require(utils_z85.encode(data) == text, "utils writes otherwise")
    if data:
        require(z85.decode(text) == data, "does not come back")


def _check_text(text: bytes) -> None:
    expected = _by_hand(text)
    try:
        data = z85.decode(text)
    except ValueError as error:
        require(expected is None, "refused")
        require(len(text) < 12 or text.decode("latin-1") not in str(error), "the text is quoted")
        data = None
    require(data == expected, "read otherwise")
    if data is not None:
        require(z85.encode(data) == text, "written otherwise")
        require(utils_z85.decode(text) == utils_z85.decode(text.decode()) == data, "utils reads otherwise")


def _by_hand(text: bytes) -> bytes | None:
    digits = [_DIGITS.find(chr(character)) for character in text]
    if not text or len(text) % 5 or -1 in digits:
        return None
    data = b""
    for start in range(0, len(text), 5):
        number = 0
        for digit in digits[start : start + 5]:
            number = number * 85 + digit
        if number >= 2**32:
            return None
        data += number.to_bytes(4, "big")
    return data
