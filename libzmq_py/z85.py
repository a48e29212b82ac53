# SPDX-License-Identifier: MPL-2.0
"""Z85: binary as printable text, four bytes to five characters (how CURVE keys are written).

Each group of four bytes is a big-endian number, written in base 85 with the digits below, most significant first.

Mirrors: src/zmq_utils.cpp (zmq_z85_encode, zmq_z85_decode); 32/Z85 in the ZeroMQ RFCs.
Departs: ValueError in place of NULL with errno EINVAL; the text is bytes with a length, so a NUL is a bad character
where C would see the end of the string.
"""

from __future__ import annotations

_DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_VALUE_OF = {digit: value for value, digit in enumerate(_DIGITS)}
_POWERS = tuple(85**power for power in range(4, -1, -1))


def encode(data: bytes) -> bytes:
    """Write ``data`` as Z85 text.

    Raises:
        ValueError: The length is no multiple of 4. (Empty data gives empty text, as in libzmq.)
    """
    if len(data) % 4:
        raise ValueError(f"Z85 writes multiples of 4 bytes, not {len(data)}")
    text = bytearray()
    for start in range(0, len(data), 4):
        number = int.from_bytes(data[start : start + 4], "big")
        text += bytes(_DIGITS[number // power % 85] for power in _POWERS)
    return bytes(text)


def decode(text: bytes) -> bytes:
    """Read Z85 text.

    Raises:
        ValueError: The text is empty or its length no multiple of 5, a character is no Z85 digit, or five digits
            exceed four bytes. The message never quotes the text, which may be a secret key.
    """
    if not text or len(text) % 5:
        raise ValueError(f"Z85 text has a positive multiple of 5 characters, not {len(text)}")
    data = bytearray()
    for start in range(0, len(text), 5):
        try:
            digits = [_VALUE_OF[character] for character in text[start : start + 5]]
        except KeyError:
            raise ValueError(f"not a Z85 digit within characters {start} to {start + 4}") from None
        number = sum(digit * power for digit, power in zip(digits, _POWERS, strict=True))
        if number > 0xFFFFFFFF:
            raise ValueError(f"characters {start} to {start + 4} exceed four bytes")
        data += number.to_bytes(4, "big")
    return bytes(data)
