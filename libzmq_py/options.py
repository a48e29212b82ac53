# SPDX-License-Identifier: MPL-2.0
"""What can be set on a socket: the values, their defaults, which values are accepted, and how they are read back.

Every socket owns one ``Options``. ``bind`` and ``connect`` hand a copy to the listener or session they create, which is
why most options only act on endpoints made later. Options that belong to one kind of socket (SUBSCRIBE, REQ_RELAXED,
XPUB_VERBOSE, ...) are met by that socket's class first; here they are as unknown as any other number, and refused.

One table, ``_OPTIONS``, has a row per option: a row is built by ``_int``, ``_bool``, ``_text`` ... and says how to set,
how to get, and, for the error text, what is expected. A setter returns False to refuse a value.

Mirrors: src/options.cpp, src/options.hpp; tcp_address_mask_t of src/tcp_address.cpp (a stable build with CURVE and
without NORM, VMCI and WSS, as distributions and pyzmq make it: what those add is refused; with GSSAPI if the package
`gssapi` is there).
Departs: values are Python's, so nothing is refused for the size of a buffer, only for its kind or range; None is C's
(NULL, 0). Strings are bytes without a trailing NUL. Accept filters are networks of the standard library, so that no
transport is imported here. A key of 41 characters must end with the NUL and have no other. CURVE keys are read as the
32 raw bytes. No ``connected`` (unused in libzmq).
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Mapping
from errno import EINVAL, EMFILE, ENOMEM
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard

from libzmq_py import ip, z85
from libzmq_py.constants import NormMode, SecurityMechanism, SocketOption, SocketType
from libzmq_py.errors import ZMQError, strerror, zmq_error
from libzmq_py.late import LateImport

if TYPE_CHECKING:
    import ipaddress  # at run time only when a filter is set: the import takes milliseconds, and few need it

    #: One TCP_ACCEPT_FILTER: peers with an address in it are accepted.
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: What an option can be set to: a number, bytes, or None for C's (NULL, 0).
OptionValue = int | bytes | None

_INT_MAX = 2**31 - 1
_INT_MIN = -(2**31)
_UINT32_MASK = 2**32 - 1
_UINT64_MASK = 2**64 - 1
#: Longest of the strings and routing ids whose length is kept in one byte in C (UCHAR_MAX).
_LENGTH_MAX = 255
#: Longest name of a network interface (IFNAMSIZ).
_DEVICE_LENGTH_MAX = 16
_CURVE_KEY_SIZE = 32
#: Highest GSSAPI_NT_*: how a principal is written.
_GSSAPI_NT_MAX = 2
#: Mechanisms that are not libzmq's have numbers from here on, and are what MECHANISM can be set to (see `mechanisms`).
PLUG_IN_MECHANISM_MIN = 1000
PLUG_IN_MECHANISMS: set[int] = set()
_CURVE_KEY_SIZE_Z85 = 40
#: HEARTBEAT_TTL is set in milliseconds, kept and sent in tenths of a second.
_MS_PER_DECISECOND = 100
_HEARTBEAT_TTL_MAX = 0xFFFF

#: Never shown, neither by repr nor in an error text.
_SECRET_ATTRIBUTES = frozenset(
    {
        "plain_username",
        "plain_password",
        "socks_proxy_username",
        "socks_proxy_password",
        "curve_public_key",
        "curve_secret_key",
        "curve_server_key",
        "wss_key_pem",
    }
)
SECRET_OPTIONS = frozenset(
    {
        SocketOption.PLAIN_USERNAME,
        SocketOption.PLAIN_PASSWORD,
        SocketOption.SOCKS_USERNAME,
        SocketOption.SOCKS_PASSWORD,
        SocketOption.CURVE_PUBLICKEY,
        SocketOption.CURVE_SECRETKEY,
        SocketOption.CURVE_SERVERKEY,
        SocketOption.WSS_KEY_PEM,
    }
)


class Options:
    """The options of one socket, or of one listener or session of it.

    Belongs to one object and so to one thread at a time; the copy that goes to an I/O thread is made before it goes.
    The defaults are class attributes, so that a copy only carries what differs from them.
    """

    # -- queues and threads
    sndhwm: int = 1000  # messages to a peer that may wait; 0 is no limit
    rcvhwm: int = 1000
    affinity: int = 0  # bit i: I/O thread i may serve new connections; 0 is any
    type: int = -1  # SocketType, set by the socket's class
    socket_id: int = 0
    routing_id: bytes = b""  # announced to ROUTER peers; 0 to 255 bytes
    recv_routing_id: bool = False  # this type of socket wants its peers' routing ids
    linger: int = -1  # ms that unsent messages survive close; -1 is forever
    rcvtimeo: int = -1  # ms; -1 is forever
    sndtimeo: int = -1
    maxmsgsize: int = -1  # bytes of an inbound frame; negative is no limit
    conflate: bool = False  # keep the newest message only; see get_effective_conflate_option
    immediate: int = 0  # 1: a connecting pipe takes no messages until it is connected
    filter: bool = False  # this type of socket filters messages by subscription ((X)SUB)
    invert_matching: bool = False
    raw_socket: bool = False  # STREAM, ROUTER_RAW
    raw_notify: bool = True  # STREAM_NOTIFY
    router_notify: int = 0  # bits of RouterNotify

    # -- connections
    backlog: int = 100
    connect_timeout: int = 0  # ms; 0 leaves it to the OS
    reconnect_stop: int = 0  # bits of ReconnectStop
    reconnect_ivl: int = 100  # ms; 0 or less: never again
    reconnect_ivl_max: int = 0  # ms; 0: no back-off
    handshake_ivl: int = 30000  # ms; 0 is no limit
    heartbeat_ttl: int = 0  # tenths of a second
    heartbeat_interval: int = 0  # ms; 0 is off
    heartbeat_timeout: int = -1  # ms; -1 stands for heartbeat_interval
    use_fd: int = -1  # a listening descriptor to adopt; -1 is none
    in_batch_size: int = 8192  # bytes asked of one read
    out_batch_size: int = 8192  # bytes gathered for one write
    zero_copy: bool = True
    monitor_event_version: int = 1

    # -- ip and tcp; -1 leaves the operating system's value
    ipv6: bool = False
    sndbuf: int = -1
    rcvbuf: int = -1
    tos: int = 0
    priority: int = 0
    tcp_maxrt: int = 0
    tcp_keepalive: int = -1
    tcp_keepalive_cnt: int = -1
    tcp_keepalive_idle: int = -1
    tcp_keepalive_intvl: int = -1
    bound_device: bytes = b""
    loopback_fastpath: bool = False
    busy_poll: int = 0
    socks_proxy_address: bytes = b""
    socks_proxy_username: bytes = b""
    socks_proxy_password: bytes = b""

    # -- security
    mechanism: int = SecurityMechanism.NULL  # the last security option set decides
    as_server: int = 0
    zap_domain: bytes = b""
    zap_enforce_domain: bool = False
    plain_username: bytes = b""
    plain_password: bytes = b""
    curve_public_key: bytes = bytes(_CURVE_KEY_SIZE)
    curve_secret_key: bytes = bytes(_CURVE_KEY_SIZE)
    curve_server_key: bytes = bytes(_CURVE_KEY_SIZE)
    gss_principal: bytes = b""
    gss_service_principal: bytes = b""
    gss_principal_nt: int = 0
    gss_service_principal_nt: int = 0
    gss_plaintext: bool = False

    # -- messages made by the library itself (draft); the can_* flags are set by the socket's class
    hello_msg: bytes = b""
    can_send_hello_msg: bool = False
    disconnect_msg: bytes = b""
    can_recv_disconnect_msg: bool = False
    hiccup_msg: bytes = b""
    can_recv_hiccup_msg: bool = False

    # -- other transports
    rate: int = 100  # kbit/s, multicast
    recovery_ivl: int = 10000
    multicast_hops: int = 1
    multicast_maxtpdu: int = 1500
    multicast_loop: bool = True
    vmci_buffer_size: int = 0
    vmci_buffer_min_size: int = 0
    vmci_buffer_max_size: int = 0
    vmci_connect_timeout: int = -1
    wss_key_pem: bytes = b""
    wss_cert_pem: bytes = b""
    wss_trust_pem: bytes = b""
    wss_hostname: bytes = b""
    wss_trust_system: bool = False
    norm_mode: int = NormMode.CC
    norm_unicast_nacks: bool = False
    norm_buffer_size: int = 2048
    norm_segment_size: int = 1400
    norm_block_size: int = 16
    norm_num_parity: int = 4
    norm_num_autoparity: int = 0
    norm_push_enable: bool = False

    # -- filters of accepted peers; an empty one lets everybody in. (Immutable, as every connection has a copy.)
    tcp_accept_filters: tuple[Network, ...] = ()
    ipc_uid_accept_filters: frozenset[int] = frozenset()
    ipc_gid_accept_filters: frozenset[int] = frozenset()
    ipc_pid_accept_filters: frozenset[int] = frozenset()

    # -- "X-" properties this socket announces in its handshake (METADATA)
    app_metadata: Mapping[str, bytes] = MappingProxyType({})

    def copy(self) -> Options:
        """Return options that no longer follow this one's changes, nor it theirs."""
        twin = Options.__new__(Options)
        twin.__dict__.update(self.__dict__)
        return twin

    def is_set(self, attribute: str) -> bool:
        """Return whether the user has set an option, be it to its default."""
        return attribute in self.__dict__

    def setsockopt(self, option: int, value: OptionValue) -> None:
        """Set one option. (``zmq_setsockopt``)

        Args:
            option: A number of ``SocketOption``.
            value: The new value; None is C's (NULL, 0), which resets a filter, a user name or a proxy.

        Raises:
            ZMQError: EINVAL when the option is unknown here or read-only, or the value is refused; nothing is
                changed then. ENOMEM, EMFILE when there is no memory, or no descriptor, to parse an accept filter.
        """
        row = _OPTIONS.get(option)
        if row is None or row.set is None:
            raise refused_option(option, value, "no such option, or not one to set on this socket")
        if not row.set(self, value):
            raise refused_option(option, value, f"expected {row.expected}")

    def getsockopt(self, option: int) -> int | bytes:
        """Return the value of one option: bools as 0 or 1, strings as bytes without C's final NUL. (``zmq_getsockopt``)

        Raises:
            ZMQError: EINVAL when the option is unknown here or cannot be read.
        """
        row = _OPTIONS.get(option)
        if row is None or row.get is None:
            raise unreadable_option(option)
        return row.get(self)

    def __repr__(self) -> str:
        changed = [item for item in sorted(vars(self).items()) if _differs(*item)]
        return f"<Options {', '.join(f'{name}={_shown(name, value)}' for name, value in changed)}>"


def get_effective_conflate_option(options: Options) -> bool:
    """Return whether CONFLATE has an effect: it is stored by every socket but obeyed by five types only."""
    return options.conflate and options.type in (
        SocketType.DEALER,
        SocketType.PULL,
        SocketType.PUSH,
        SocketType.PUB,
        SocketType.SUB,
    )


# -- refusals (the socket classes use them for the options of their own)


def option_name(option: int) -> str:
    """Return the name of an option's number, or the number as text."""
    try:
        return SocketOption(option).name
    except ValueError:
        return str(option)


def refused_option(option: int, value: OptionValue, reason: str = "") -> ZMQError:
    """Build the EINVAL for a value that cannot be set; a key, a password or a user name is not quoted."""
    if option in SECRET_OPTIONS and value is not None:
        shown = "(not shown)"
    elif isinstance(value, bytes) and len(value) > 40:
        shown = f"{value[:32]!r}... ({len(value)} bytes)"
    else:
        shown = repr(value)
    because = f": {reason}" if reason else ""
    return zmq_error(EINVAL, f"{strerror(EINVAL)} (option {option_name(option)} = {shown}{because})")


def unreadable_option(option: int) -> ZMQError:
    """Build the EINVAL for an option that cannot be read."""
    return zmq_error(EINVAL, f"{strerror(EINVAL)} (option {option_name(option)}: not one to read on this socket)")


def _differs(name: str, value: object) -> bool:
    return bool(value != getattr(Options, name))


def _shown(name: str, value: object) -> str:
    return "(not shown)" if name in _SECRET_ATTRIBUTES else repr(value)


# -- kinds of rows

_Setter = Callable[[Options, OptionValue], bool]
_Getter = Callable[[Options], int | bytes]


class _Row:
    """How one option is set and read; None where it cannot be."""

    __slots__ = ("expected", "get", "set")

    def __init__(self, setter: _Setter | None, getter: _Getter | None, expected: str = "") -> None:
        self.set = setter
        self.get = getter
        self.expected = expected


def _get_int(attribute: str) -> _Getter:
    def get(options: Options) -> int:
        return int(getattr(options, attribute))

    return get


def _get_bytes(attribute: str) -> _Getter:
    def get(options: Options) -> bytes:
        return bytes(getattr(options, attribute))

    return get


def _is_int(value: OptionValue, low: int = _INT_MIN, high: int = _INT_MAX) -> TypeGuard[int]:
    return isinstance(value, int) and low <= value <= high


def _int(attribute: str, low: int = _INT_MIN, high: int = _INT_MAX) -> _Row:
    """A C int from ``low`` to ``high``, both included."""

    def set_int(options: Options, value: OptionValue) -> bool:
        if not isinstance(value, int) or not low <= value <= high:
            return False
        setattr(options, attribute, int(value))
        return True

    return _Row(set_int, _get_int(attribute), f"an int from {low} to {high}")


def _flag(attribute: str) -> _Row:
    """0 or 1, kept as that int."""
    return _int(attribute, 0, 1)


def _bool(attribute: str, strict: bool = True, inverse: bool = False) -> _Row:
    """A truth value; strict ones are 0 or 1, for the relaxed ones any int but 0 is true."""

    def set_bool(options: Options, value: OptionValue) -> bool:
        if not (_is_int(value, 0, 1) if strict else _is_int(value)):
            return False
        setattr(options, attribute, bool(value) is not inverse)
        return True

    def get_bool(options: Options) -> int:
        return int(getattr(options, attribute) is not inverse)

    return _Row(set_bool, get_bool, "0 or 1" if strict else "an int")


def _text(attribute: str, longest: int | None, *, none_clears: bool = False, empty_clears: bool = False) -> _Row:
    """A string of 1 to ``longest`` bytes. ``none_clears``: None makes it empty; ``empty_clears``: so does b""."""

    def set_text(options: Options, value: OptionValue) -> bool:
        if value is None and (none_clears or empty_clears):
            value = b""
        elif not isinstance(value, bytes) or not (value or empty_clears) or (longest and len(value) > longest):
            return False
        setattr(options, attribute, value)
        return True

    most = f"1 to {longest} bytes" if longest else "at least 1 byte"
    return _Row(set_text, _get_bytes(attribute), most + (", or None" if none_clears or empty_clears else ""))


def _id_filter(attribute: str, unsigned: bool) -> _Row:
    """A set of process, user or group ids: an int adds one, None empties it."""

    def set_filter(options: Options, value: OptionValue) -> bool:
        if value is None:
            setattr(options, attribute, frozenset())
            return True
        if not _is_int(value, _INT_MIN, _UINT32_MASK if unsigned else _INT_MAX):
            return False
        number = value & _UINT32_MASK if unsigned else value
        setattr(options, attribute, getattr(options, attribute) | {number})
        return True

    return _Row(set_filter, None, "an id, or None")


# -- rows with a meaning of their own


def _set_affinity(options: Options, value: OptionValue) -> bool:
    if not _is_int(value, -(2**63), _UINT64_MASK):
        return False
    options.affinity = value & _UINT64_MASK
    return True


def _get_affinity(options: Options) -> int:
    # Read as pyzmq reads it, as a signed number: what was set comes back.
    return options.affinity - 2**64 if options.affinity >> 63 else options.affinity


def _set_heartbeat_ttl(options: Options, value: OptionValue) -> bool:
    if not _is_int(value):
        return False
    deciseconds = int(value / _MS_PER_DECISECOND)  # towards zero as in C: -99 to -1 give 0
    if not 0 <= deciseconds <= _HEARTBEAT_TTL_MAX:
        return False
    options.heartbeat_ttl = deciseconds
    return True


def _get_heartbeat_ttl(options: Options) -> int:
    return options.heartbeat_ttl * _MS_PER_DECISECOND


def _set_metadata(options: Options, value: OptionValue) -> bool:
    # libzmq refuses any value of exactly four bytes (it takes it for an int).
    if not isinstance(value, bytes) or len(value) == 4:
        return False
    name, _, content = value.partition(b":")
    if not content or not name.startswith(b"X-") or len(name) > _LENGTH_MAX:
        return False
    # The first of a name stays.
    options.app_metadata = {name.decode("utf-8", "surrogateescape"): content, **options.app_metadata}
    return True


def _set_tcp_accept_filter(options: Options, value: OptionValue) -> bool:
    if value is None:
        options.tcp_accept_filters = ()
        return True
    if not isinstance(value, bytes) or not 1 <= len(value) <= _LENGTH_MAX:
        return False
    try:
        options.tcp_accept_filters += (_parse_network(value, options.ipv6),)
    except ValueError:
        return False
    return True


def _parse_network(text: bytes, ipv6: bool) -> Network:
    """Read "address" or "address/bits", the address numeric and of the family that ``ipv6`` says.

    With ``ipv6`` an IPv4 address becomes the v4-mapped one, and ``bits`` counts from the front of its 128.

    Raises:
        ValueError: It is no such thing.
        ZMQError: ENOMEM, EMFILE.
    """
    with LateImport():
        import ipaddress

    text = text.partition(b"\0")[0]  # a C string from here on
    if not text:
        raise ValueError("empty address")
    address, slash, bits = text.rpartition(b"/")
    if not slash:
        address, bits = bits, b""
    elif not bits:
        raise ValueError("no number of bits after the slash")
    numeric = _parse_numeric_address(address, ipv6)
    if not slash:
        count: int = numeric.max_prefixlen
    elif bits == b"0":
        count = 0
    else:
        count = ip.atoi(bits.decode("latin-1"))
        if not 1 <= count <= numeric.max_prefixlen:
            raise ValueError("number of bits out of range")
    return ipaddress.ip_network((numeric, count), strict=False)


def _parse_numeric_address(address: bytes, ipv6: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    import ipaddress  # its caller has imported it

    if len(address) >= 2 and address.startswith(b"[") and address.endswith(b"]"):
        address = address[1:-1]
    address, percent, zone = address.rpartition(b"%")
    if not percent:
        address = zone
    elif not _is_zone(zone):  # which must exist, but takes no part in the comparison of addresses
        raise ValueError("no such zone")
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    flags = socket.AI_NUMERICHOST | (socket.AI_V4MAPPED if ipv6 else 0)
    try:
        found = socket.getaddrinfo(address, None, family, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        if error.errno == socket.EAI_MEMORY:
            raise zmq_error(ENOMEM) from error
        raise ValueError("not a numeric address") from error
    return ipaddress.ip_address(found[0][4][0])


def _is_zone(zone: bytes) -> bool:
    """Tell whether this is the name of an interface, or starts with a number other than 0."""
    if not zone[:1].isalpha():
        return ip.atoi(zone.decode("latin-1")) != 0
    try:
        return socket.if_nametoindex(os.fsdecode(zone)) != 0
    except OSError as error:
        shortage = ip.find_shortage(error)
        if shortage is not None:
            raise zmq_error(shortage.errno or EMFILE) from error
        return False


def _set_mechanism(options: Options, value: OptionValue) -> bool:
    # Read-only in libzmq, whose mechanisms are chosen by setting what they need.
    if not isinstance(value, int) or value not in PLUG_IN_MECHANISMS:
        return False
    options.mechanism = value
    return True


def _security_server(mechanism: SecurityMechanism) -> _Row:
    """PLAIN_SERVER, CURVE_SERVER: 1 chooses the mechanism and the server's side, 0 goes back to NULL."""

    def set_server(options: Options, value: OptionValue) -> bool:
        if not _is_int(value, 0, 1):
            return False
        options.as_server = int(value)
        options.mechanism = mechanism if value else SecurityMechanism.NULL
        return True

    def get_server(options: Options) -> int:
        return int(bool(options.as_server) and options.mechanism == mechanism)

    return _Row(set_server, get_server, "0 or 1")


def _plain_credential(attribute: str) -> _Row:
    """PLAIN_USERNAME, PLAIN_PASSWORD: bytes choose PLAIN and the client's side; None goes back to NULL.

    What was set before stays readable after None, as in libzmq.
    """

    def set_credential(options: Options, value: OptionValue) -> bool:
        if value is None:
            options.mechanism = SecurityMechanism.NULL
            return True
        if not isinstance(value, bytes) or not 1 <= len(value) <= _LENGTH_MAX:
            return False
        setattr(options, attribute, value)
        options.as_server = 0
        options.mechanism = SecurityMechanism.PLAIN
        return True

    return _Row(set_credential, _get_bytes(attribute), f"1 to {_LENGTH_MAX} bytes, or None")


def _curve_key(attribute: str, client_side: bool = False) -> _Row:
    """A CURVE key, raw or as Z85 text (with or without a final NUL); ``client_side``: setting it makes a client."""

    def set_key(options: Options, value: OptionValue) -> bool:
        key = _read_curve_key(value) if isinstance(value, bytes) else None
        if key is None:
            return False
        setattr(options, attribute, key)
        options.mechanism = SecurityMechanism.CURVE
        if client_side:
            options.as_server = 0
        return True

    return _Row(set_key, _get_bytes(attribute), "32 bytes, or 40 characters of Z85")


def _read_curve_key(value: bytes) -> bytes | None:
    if len(value) == _CURVE_KEY_SIZE:
        return value
    if len(value) == _CURVE_KEY_SIZE_Z85 + 1 and value.endswith(b"\0"):
        value = value[:-1]
    if len(value) != _CURVE_KEY_SIZE_Z85:
        return None
    try:
        return z85.decode(value)
    except ValueError:
        return None


def has_gssapi() -> bool:
    """Return whether there is GSSAPI: the package of that name, and the Kerberos library it needs.

    Only to import it is to know; whoever asks wants it.

    Raises:
        ZMQError: EMFILE when there is no descriptor to look for it.
    """
    with LateImport():
        try:
            importlib.import_module("gssapi")
        except ImportError as error:
            if ip.find_shortage(error) is not None:
                raise
            return False
    return True


def _gssapi(option: SocketOption, row: _Row, *, chooses: bool = True, as_server: int | None = None) -> _Row:
    """An option of a libzmq built with GSSAPI.

    ``chooses``: to set it chooses the mechanism; ``as_server``: and the client's side.
    """

    def set_gssapi(options: Options, value: OptionValue) -> bool:
        if not has_gssapi():
            raise refused_option(option, value, "GSSAPI needs the package gssapi")
        if row.set is None or not row.set(options, value):
            return False
        if chooses:
            options.mechanism = SecurityMechanism.GSSAPI
        if as_server is not None:
            options.as_server = as_server
        return True

    def get_gssapi(options: Options) -> int | bytes:
        if row.get is None or not has_gssapi():
            raise unreadable_option(option)
        return row.get(options)

    return _Row(set_gssapi, get_gssapi, row.expected)


def _get_gssapi_server(options: Options) -> int:
    return int(bool(options.as_server) and options.mechanism == SecurityMechanism.GSSAPI)


_O = SocketOption
_OPTIONS: dict[int, _Row] = {
    _O.AFFINITY: _Row(_set_affinity, _get_affinity, "a 64-bit int"),
    _O.ROUTING_ID: _text("routing_id", _LENGTH_MAX),
    _O.RATE: _int("rate", 1),
    _O.RECOVERY_IVL: _int("recovery_ivl", 0),
    _O.SNDBUF: _int("sndbuf", -1),
    _O.RCVBUF: _int("rcvbuf", -1),
    _O.TYPE: _Row(None, _get_int("type")),
    _O.LINGER: _int("linger", -1),
    _O.RECONNECT_IVL: _int("reconnect_ivl", -1),
    _O.BACKLOG: _int("backlog", 0),
    _O.RECONNECT_IVL_MAX: _int("reconnect_ivl_max", 0),
    _O.MAXMSGSIZE: _int("maxmsgsize", -(2**63), 2**63 - 1),
    _O.SNDHWM: _int("sndhwm", 0),
    _O.RCVHWM: _int("rcvhwm", 0),
    _O.MULTICAST_HOPS: _int("multicast_hops", 1),
    _O.RCVTIMEO: _int("rcvtimeo", -1),
    _O.SNDTIMEO: _int("sndtimeo", -1),
    _O.IPV4ONLY: _bool("ipv6", inverse=True),
    _O.TCP_KEEPALIVE: _int("tcp_keepalive", -1, 1),
    _O.TCP_KEEPALIVE_CNT: _int("tcp_keepalive_cnt", -1),
    _O.TCP_KEEPALIVE_IDLE: _int("tcp_keepalive_idle", -1),
    _O.TCP_KEEPALIVE_INTVL: _int("tcp_keepalive_intvl", -1),
    _O.TCP_ACCEPT_FILTER: _Row(_set_tcp_accept_filter, None, "a numeric address, with or without /bits, or None"),
    _O.IMMEDIATE: _flag("immediate"),
    _O.IPV6: _bool("ipv6"),
    _O.MECHANISM: _Row(_set_mechanism, _get_int("mechanism"), "the number of a registered plug-in"),
    _O.PLAIN_SERVER: _security_server(SecurityMechanism.PLAIN),
    _O.PLAIN_USERNAME: _plain_credential("plain_username"),
    _O.PLAIN_PASSWORD: _plain_credential("plain_password"),
    _O.CURVE_SERVER: _security_server(SecurityMechanism.CURVE),
    _O.CURVE_PUBLICKEY: _curve_key("curve_public_key"),
    _O.CURVE_SECRETKEY: _curve_key("curve_secret_key"),
    _O.CURVE_SERVERKEY: _curve_key("curve_server_key", client_side=True),
    # Unlike those of PLAIN and CURVE, 0 does not go back to NULL.
    _O.GSSAPI_SERVER: _gssapi(
        _O.GSSAPI_SERVER, _Row(_flag("as_server").set, _get_gssapi_server, _flag("as_server").expected)
    ),
    _O.GSSAPI_PRINCIPAL: _gssapi(_O.GSSAPI_PRINCIPAL, _text("gss_principal", _LENGTH_MAX)),
    _O.GSSAPI_SERVICE_PRINCIPAL: _gssapi(
        _O.GSSAPI_SERVICE_PRINCIPAL, _text("gss_service_principal", _LENGTH_MAX), as_server=0
    ),
    _O.GSSAPI_PLAINTEXT: _gssapi(_O.GSSAPI_PLAINTEXT, _bool("gss_plaintext"), chooses=False),
    _O.GSSAPI_PRINCIPAL_NAMETYPE: _gssapi(
        _O.GSSAPI_PRINCIPAL_NAMETYPE, _int("gss_principal_nt", 0, _GSSAPI_NT_MAX), chooses=False
    ),
    _O.GSSAPI_SERVICE_PRINCIPAL_NAMETYPE: _gssapi(
        _O.GSSAPI_SERVICE_PRINCIPAL_NAMETYPE, _int("gss_service_principal_nt", 0, _GSSAPI_NT_MAX), chooses=False
    ),
    _O.CONFLATE: _bool("conflate"),
    _O.ZAP_DOMAIN: _text("zap_domain", _LENGTH_MAX),
    _O.TOS: _int("tos", 0),
    _O.HANDSHAKE_IVL: _int("handshake_ivl", 0),
    _O.SOCKS_PROXY: _text("socks_proxy_address", None, none_clears=True),
    _O.INVERT_MATCHING: _bool("invert_matching", strict=False),
    _O.HEARTBEAT_IVL: _int("heartbeat_interval", 0),
    _O.HEARTBEAT_TTL: _Row(_set_heartbeat_ttl, _get_heartbeat_ttl, "milliseconds from 0 to 6553599"),
    _O.HEARTBEAT_TIMEOUT: _int("heartbeat_timeout", 0),
    _O.CONNECT_TIMEOUT: _int("connect_timeout", 0),
    _O.TCP_MAXRT: _int("tcp_maxrt", 0),
    _O.MULTICAST_MAXTPDU: _int("multicast_maxtpdu", 1),
    _O.USE_FD: _int("use_fd", -1),
    _O.BINDTODEVICE: _text("bound_device", _DEVICE_LENGTH_MAX, none_clears=True),
    # Draft by their place in the header, yet served by stable builds too:
    _O.ZAP_ENFORCE_DOMAIN: _bool("zap_enforce_domain", strict=False),
    _O.LOOPBACK_FASTPATH: _bool("loopback_fastpath", strict=False),
    _O.METADATA: _Row(_set_metadata, None, "b'X-name:value'"),
    _O.MULTICAST_LOOP: _bool("multicast_loop", strict=False),
    _O.SOCKS_USERNAME: _text("socks_proxy_username", _LENGTH_MAX, empty_clears=True),
    _O.SOCKS_PASSWORD: _text("socks_proxy_password", _LENGTH_MAX, empty_clears=True),
    _O.RECONNECT_STOP: _int("reconnect_stop"),
}

# ipc peers can be filtered where the operating system names them.
if hasattr(socket, "SO_PEERCRED") or hasattr(socket, "LOCAL_PEERCRED"):
    _OPTIONS[_O.IPC_FILTER_UID] = _id_filter("ipc_uid_accept_filters", unsigned=True)
    _OPTIONS[_O.IPC_FILTER_GID] = _id_filter("ipc_gid_accept_filters", unsigned=True)
if hasattr(socket, "SO_PEERCRED"):
    _OPTIONS[_O.IPC_FILTER_PID] = _id_filter("ipc_pid_accept_filters", unsigned=False)
