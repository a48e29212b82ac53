# SPDX-License-Identifier: MPL-2.0
"""Properties of a connection: as bytes in a handshake, and as what a user reads from a message.

On the wire (RFC 37, also in ZAP replies) a property is its name's length in one byte, the name, its value's length in
four bytes, the value; one follows another with nothing between. ``add_property`` writes one, ``parse_metadata`` reads
them all, ``Metadata`` holds what messages of a connection show (``zmq_msg_gets``).

Names are text here, decoded as UTF-8 with surrogate escapes, so that any bytes a peer sends survive a round trip.

Mirrors: src/metadata.cpp, src/metadata.hpp; the add_property and parse_metadata halves of src/mechanism.cpp.
Departs: parsing has no side effects: the mechanism goes through the list and gives Identity, Socket-Type and the rest
their meaning. No reference count: the collector frees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from libzmq_py.wire import get_uint32, put_uint8, put_uint32

_NAME_LENGTH_SIZE = 1
_VALUE_LENGTH_SIZE = 4
_NAME_MAX = 0xFF
_VALUE_MAX = 0x7FFFFFFF


def add_property(name: str, value: bytes) -> bytes:
    """Return one property as it goes on the wire.

    Raises:
        ValueError: The name exceeds 255 bytes, or the value 2**31-1.
    """
    name_bytes = _encode(name)
    if len(name_bytes) > _NAME_MAX or len(value) > _VALUE_MAX:
        raise ValueError(f"property {name[:40]!r} too long: name {len(name_bytes)} bytes, value {len(value)}")
    return b"".join((put_uint8(len(name_bytes)), name_bytes, put_uint32(len(value)), value))


def parse_metadata(data: bytes | bytearray | memoryview) -> list[tuple[str, bytes]]:
    """Return the properties in ``data``, in their order, repeated names and all (the first of a name is to count).

    Raises:
        ValueError: A length points beyond the end, or a single byte is left over (EPROTO in libzmq).
    """
    properties: list[tuple[str, bytes]] = []
    position, end = 0, len(data)
    while end - position > _NAME_LENGTH_SIZE:
        name_start = position + _NAME_LENGTH_SIZE
        name_end = name_start + data[position]
        value_start = name_end + _VALUE_LENGTH_SIZE
        if value_start > end:
            # libzmq asks afterwards whether anything is left. Nothing is when the data stop right behind a name, and
            # the half property is passed over in silence.
            if name_end == end:
                return properties
            raise ValueError(f"metadata end within a property: {end} bytes, {value_start} needed")
        value_end = value_start + get_uint32(data, name_end)
        if value_end > end:
            if value_start == end:  # the same, right behind the length of a value
                return properties
            raise ValueError(f"metadata end within a property: {end} bytes, {value_end} needed")
        properties.append((_decode(data[name_start:name_end]), bytes(data[value_start:value_end])))
        position = value_end
    if position != end:
        raise ValueError("one byte left over behind the last property")
    return properties


class Metadata(Mapping[str, str]):
    """What messages of one connection tell about it: names and values as text. Immutable; any thread may read it.

    Args:
        groups: Properties by origin. Where a name occurs twice the first stays, so the order of the groups is their
            precedence: the engine's own, then ZAP's, then the peer's.
    """

    __slots__ = ("_groups", "_shown")

    def __init__(self, *groups: Sequence[tuple[str, bytes]]) -> None:
        self._groups = groups
        # Made when somebody looks: every connection has properties, and few programs ask for them.
        self._shown: dict[str, str] | None = None

    @property
    def _properties(self) -> dict[str, str]:
        # In this order: another thread stores `_shown` before it drops the groups. Two may make it, and either will do.
        groups = self._groups
        shown = self._shown
        if shown is None:
            shown = {}
            for group in groups:
                for name, value in group:
                    # zmq_msg_gets returns a C string: the value ends at its first NUL.
                    shown.setdefault(name, _decode(value.partition(b"\0")[0]))
            self._shown = shown
            self._groups = ()
        return shown

    def __getitem__(self, name: str) -> str:
        # "Identity" is the older name of "Routing-Id"; libzmq looks it up in this direction only.
        if name == "Identity" and name not in self._properties:
            name = "Routing-Id"
        return self._properties[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._properties)

    def __len__(self) -> int:
        return len(self._properties)

    def __repr__(self) -> str:
        return f"Metadata({self._properties!r})"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes | bytearray | memoryview) -> str:
    return bytes(data).decode("utf-8", "surrogateescape")
