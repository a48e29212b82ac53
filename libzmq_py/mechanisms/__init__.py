# SPDX-License-Identifier: MPL-2.0
"""Security mechanisms: a table from the number of the option to what makes a connection's mechanism.

No libzmq twin: the choice of stream_engine_base_t and zmtp_engine_t by options.mechanism.

A package may bring a mechanism of its own: it calls `register` with a number from 1000 up, after which that number can
be set as the option MECHANISM (libzmq's own are chosen by PLAIN_SERVER, CURVE_SERVERKEY and so on).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from libzmq_py import options as _options
from libzmq_py.constants import SecurityMechanism
from libzmq_py.mechanisms.mechanism import Mechanism, MechanismHost
from libzmq_py.mechanisms.null import NullMechanism
from libzmq_py.options import Options

MechanismFactory = Callable[[Options, MechanismHost], Mechanism]

_MAX_NAME: Final = 20


class Entry(NamedTuple):
    """One mechanism: its name in the greeting, and what makes its two sides (the same where they are alike)."""

    name: bytes
    client: MechanismFactory
    server: MechanismFactory


# Imported with the first connection that needs them: libsodium takes longer to load than all the rest of the package.


def _plain_client(options: Options, host: MechanismHost) -> Mechanism:
    from libzmq_py.mechanisms.plain.client import PlainClient

    return PlainClient(options, host)


def _plain_server(options: Options, host: MechanismHost) -> Mechanism:
    from libzmq_py.mechanisms.plain.server import PlainServer

    return PlainServer(options, host)


def _curve_client(options: Options, host: MechanismHost) -> Mechanism:
    from libzmq_py.mechanisms.curve.client import CurveClient

    return CurveClient(options, host)


def _curve_server(options: Options, host: MechanismHost) -> Mechanism:
    from libzmq_py.mechanisms.curve.server import CurveServer

    return CurveServer(options, host)


def _gssapi_client(options: Options, host: MechanismHost) -> Mechanism:
    from libzmq_py.mechanisms.gssapi.client import GssapiClient

    return GssapiClient(options, host)


def _gssapi_server(options: Options, host: MechanismHost) -> Mechanism:
    from libzmq_py.mechanisms.gssapi.server import GssapiServer

    return GssapiServer(options, host)


MECHANISMS: Final[dict[int, Entry]] = {
    SecurityMechanism.NULL: Entry(b"NULL", NullMechanism, NullMechanism),
    SecurityMechanism.PLAIN: Entry(b"PLAIN", _plain_client, _plain_server),
    SecurityMechanism.CURVE: Entry(b"CURVE", _curve_client, _curve_server),
    SecurityMechanism.GSSAPI: Entry(b"GSSAPI", _gssapi_client, _gssapi_server),
}
"""Option value -> mechanism."""


def register(number: int, name: bytes, client: MechanismFactory, server: MechanismFactory | None = None) -> None:
    """Add a mechanism, or replace one.

    Args:
        number: What MECHANISM is set to; from 1000 up for one of your own.
        name: What both greetings must say, 1 to 20 bytes of ASCII.
        client: Makes the mechanism of a connection.
        server: The same where the option `as_server` is set; None: the sides are alike.

    Raises:
        ValueError: The name does not fit into a greeting.
    """
    if not 1 <= len(name) <= _MAX_NAME or not name.isascii() or b"\0" in name:
        raise ValueError(f"a mechanism's name has 1 to 20 bytes of ASCII, not {name!r}")
    MECHANISMS[number] = Entry(name, client, server or client)
    if number >= _options.PLUG_IN_MECHANISM_MIN:
        _options.PLUG_IN_MECHANISMS.add(number)


def greeting_name(number: int) -> bytes:
    """What a greeting says of a mechanism."""
    return MECHANISMS[number].name


def create_mechanism(options: Options, host: MechanismHost) -> Mechanism:
    """The mechanism of a new connection.

    Raises:
        MechanismError: it cannot be made.
        ImportError: a library is missing.
    """
    entry = MECHANISMS[options.mechanism]
    return (entry.server if options.as_server else entry.client)(options, host)
