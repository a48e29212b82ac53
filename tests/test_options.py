# SPDX-License-Identifier: MPL-2.0
"""Options that are no socket type's own: defaults, what is accepted and refused, by a table and beside real libzmq."""

from __future__ import annotations

import ctypes
import errno
import importlib
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import zmq

from libzmq_py.constants import SecurityMechanism, SocketOption, SocketType
from libzmq_py.errors import ZMQError
from libzmq_py.options import Options, OptionValue, get_effective_conflate_option, has_gssapi

INT_MAX, INT_MIN = 2**31 - 1, -(2**31)
KEY = bytes(range(32))
KEY_Z85 = b"009c61o!#m2NH?C3>iWS5d]J*6CRx17-skh9337x"


class Case(NamedTuple):
    """An option: its default, values that read back as they were set, pairs where they do not, values refused."""

    name: str
    default: int | bytes | None  # None: cannot be read
    accepted: tuple[Any, ...]
    refused: tuple[Any, ...]
    changed: tuple[tuple[Any, Any], ...] = ()


def at_least(low: int) -> dict[str, Any]:
    return {"accepted": (low, low + 1, INT_MAX), "refused": (low - 1, INT_MIN)}


def strict_bool(**changed: Any) -> dict[str, Any]:
    return {"accepted": (1, 0), "refused": (2, -1), **changed}


RELAXED_BOOL: dict[str, Any] = {"accepted": (1, 0), "refused": (), "changed": ((7, 1), (-1, 1))}

CASES = [
    Case("AFFINITY", 0, (1, 2**63 - 1, -1, -(2**63)), ()),
    Case("ROUTING_ID", b"", (b"x", b"\0y\0", b"x" * 254), (b"", b"x" * 256)),
    Case("RATE", 100, **at_least(1)),
    Case("RECOVERY_IVL", 10000, **at_least(0)),
    Case("SNDBUF", -1, **at_least(-1)),
    Case("RCVBUF", -1, **at_least(-1)),
    Case("LINGER", -1, **at_least(-1)),
    Case("RECONNECT_IVL", 100, **at_least(-1)),
    Case("BACKLOG", 100, **at_least(0)),
    Case("RECONNECT_IVL_MAX", 0, **at_least(0)),
    Case("MAXMSGSIZE", -1, (0, -(2**63), 2**63 - 1, 2**40), ()),
    Case("SNDHWM", 1000, **at_least(0)),
    Case("RCVHWM", 1000, **at_least(0)),
    Case("MULTICAST_HOPS", 1, **at_least(1)),
    Case("RCVTIMEO", -1, **at_least(-1)),
    Case("SNDTIMEO", -1, **at_least(-1)),
    Case("IPV4ONLY", 1, **strict_bool()),
    Case("IPV6", 0, **strict_bool()),
    Case("TCP_KEEPALIVE", -1, (0, 1, -1), (2, -2)),
    Case("TCP_KEEPALIVE_CNT", -1, **at_least(-1)),
    Case("TCP_KEEPALIVE_IDLE", -1, **at_least(-1)),
    Case("TCP_KEEPALIVE_INTVL", -1, **at_least(-1)),
    Case("IMMEDIATE", 0, **strict_bool()),
    Case("PLAIN_SERVER", 0, **strict_bool()),
    Case("PLAIN_USERNAME", b"", (b"u", b"a\0b", b"u" * 254), (b"", b"u" * 256)),
    Case("PLAIN_PASSWORD", b"", (b"p", b"a\0b", b"p" * 254), (b"", b"p" * 256)),
    Case("CURVE_SERVER", 0, **strict_bool()),
    Case("CONFLATE", 0, **strict_bool()),
    Case("ZAP_DOMAIN", b"", (b"d", b"d" * 254), (b"", b"d" * 256)),
    Case("TOS", 0, **at_least(0)),
    Case("HANDSHAKE_IVL", 30000, **at_least(0)),
    Case("SOCKS_PROXY", b"", (b"x:1", b"nonsense", b"x" * 254), (b"",)),
    Case("INVERT_MATCHING", 0, **RELAXED_BOOL),
    Case("HEARTBEAT_IVL", 0, **at_least(0)),
    Case("HEARTBEAT_TTL", 0, (0, 100, 6553500), (-100, 6553600, INT_MAX), ((-99, 0), (99, 0), (6553599, 6553500))),
    Case("HEARTBEAT_TIMEOUT", -1, **at_least(0)),
    Case("CONNECT_TIMEOUT", 0, **at_least(0)),
    Case("TCP_MAXRT", 0, **at_least(0)),
    Case("MULTICAST_MAXTPDU", 1500, **at_least(1)),
    Case("USE_FD", -1, **at_least(-1)),
    Case("BINDTODEVICE", b"", (b"e", b"e" * 16), (b"", b"e" * 17)),
    Case("ZAP_ENFORCE_DOMAIN", 0, **RELAXED_BOOL),
    Case("LOOPBACK_FASTPATH", 0, **RELAXED_BOOL),
    Case("MULTICAST_LOOP", 1, **RELAXED_BOOL),
    Case("SOCKS_USERNAME", b"", (b"u", b"u" * 254, b""), (b"u" * 256,)),
    Case("SOCKS_PASSWORD", b"", (b"p", b"p" * 254, b""), (b"p" * 256,)),
    Case("RECONNECT_STOP", 0, (1, 7, -1, INT_MAX, INT_MIN), ()),
    Case("CURVE_PUBLICKEY", None, (KEY, KEY_Z85, KEY_Z85 + b"\0"), (b"", KEY_Z85 + b"0", KEY_Z85[:39] + b"~")),
    Case("CURVE_SECRETKEY", None, (KEY, KEY_Z85, KEY_Z85 + b"\0"), (b"", KEY[:31], KEY_Z85[:39], b"#" * 40)),
    Case("CURVE_SERVERKEY", None, (KEY, KEY_Z85, KEY_Z85 + b"\0"), (b"", KEY + b"\0", KEY_Z85 + b"\0\0")),
    Case("IPC_FILTER_PID", None, (1, 0, INT_MAX, -1), ()),
    Case("IPC_FILTER_UID", None, (1, 0, INT_MAX, -1), ()),
    Case("IPC_FILTER_GID", None, (1, 0, INT_MAX, -1), ()),
    Case(
        "METADATA",
        None,
        (b"X-a:b", b"X-:bc", b"X-a::", b"X-a:b:c", b"X-%s:b" % (b"n" * 253)),
        (b"", b"X-a:", b":X-a", b"X-ab", b"x-a:b", b"Y-a:b", b"X-:b", b"X-%s:b" % (b"n" * 254)),
    ),
    Case(
        "TCP_ACCEPT_FILTER",
        None,
        (b"1.2.3.4", b"1.2.3.4/0", b"1.2.3.4/1", b"1.2.3.4/32", b"1.2.3.4/8 x", b"1.2.3.4/+8", b"[1.2.3.4]", b"1.2/8")
        + (b"1.2.3.4\0/99",),
        (b"", b"\0", b"/8", b"1.2.3.4/", b"1.2.3.4/33", b"1.2.3.4/-1", b"1.2.3.4/x", b"1.2.3.4/00", b"localhost", b"*")
        + (b"::1", b"1.2.3.4:80", b"1.2.3.4/8/8", b"1.2.3.4/8" + b" " * 250, b"1.2.3.4%"),
    ),
]
SECRET = ("PLAIN_USERNAME", "PLAIN_PASSWORD", "SOCKS_USERNAME", "SOCKS_PASSWORD", "CURVE_PUBLICKEY", "CURVE_SECRETKEY")
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def real() -> Iterator[zmq.Socket[bytes]]:
    """A PAIR, which has no option of its own, of real libzmq."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as sock:
        yield sock


@contextmanager
def refused() -> Iterator[pytest.ExceptionInfo[ZMQError]]:
    """Expect EINVAL, in libzmq's words and with the option named."""
    with pytest.raises(ZMQError, match=r"^Invalid argument \(option ") as caught:
        yield caught
    assert caught.value.errno == errno.EINVAL


def outcome(call: Any, *arguments: Any) -> Any:
    """What a call returned, or the errno it failed with (as text, not to be taken for a value)."""
    try:
        return call(*arguments)
    except (ZMQError, zmq.ZMQError) as error:
        return f"errno {error.errno}"


# -- the table, by itself


@cases
def test_default_and_accepted_values(case: Case) -> None:
    """A new socket has the default; every accepted value reads back as the table says."""
    option, options = SocketOption[case.name], Options()
    if case.default is None:
        for value in case.accepted:
            options.setsockopt(option, value)
        return
    assert options.getsockopt(option) == case.default
    for value, read_back in (*zip(case.accepted, case.accepted, strict=True), *case.changed):
        options.setsockopt(option, value)
        result = options.getsockopt(option)
        assert (type(result), result) == (type(case.default), read_back)


@cases
def test_refused_values_change_nothing(case: Case) -> None:
    """A refused value is EINVAL naming the option, and leaves everything as it was; so does one of the wrong kind."""
    option, options = SocketOption[case.name], Options()
    options.setsockopt(option, case.accepted[0])
    before = repr(options), {name: getattr(options, name) for name in dir(options) if name.endswith(("key", "word"))}
    wrong_kind: tuple[Any, ...] = (b"\0\0\0\0", "1", 1.0) if isinstance(case.accepted[0], int) else (1, "1", 1.0)
    too_large = {
        "AFFINITY": (2**64, -(2**63) - 1),
        "MAXMSGSIZE": (2**63, -(2**63) - 1),
        "IPC_FILTER_UID": (2**32, INT_MIN - 1),
        "IPC_FILTER_GID": (2**32, INT_MIN - 1),
    }.get(case.name, (2**31, INT_MIN - 1, 10**400))
    for value in (*case.refused, *wrong_kind, *too_large):
        with refused() as caught:
            options.setsockopt(option, value)
        assert case.name in str(caught.value)
        assert before == (
            repr(options),
            {name: getattr(options, name) for name in dir(options) if name.endswith(("key", "word"))},
        )


def test_attributes_that_no_option_sets() -> None:
    """What socket classes, later transports and draft options work with starts as in libzmq."""
    expected = {
        **dict.fromkeys(("type",), -1),
        **dict.fromkeys(("socket_id", "router_notify", "priority", "busy_poll"), 0),
        **dict.fromkeys(("recv_routing_id", "filter", "raw_socket", "wss_trust_system", "gss_plaintext"), False),
        **dict.fromkeys(("can_send_hello_msg", "can_recv_disconnect_msg", "can_recv_hiccup_msg"), False),
        **dict.fromkeys(("hello_msg", "disconnect_msg", "hiccup_msg", "gss_principal", "gss_service_principal"), b""),
        **dict.fromkeys(("wss_key_pem", "wss_cert_pem", "wss_trust_pem", "wss_hostname"), b""),
        **dict.fromkeys(("vmci_buffer_size", "vmci_buffer_min_size", "vmci_buffer_max_size"), 0),
        **dict.fromkeys(("gss_principal_nt", "gss_service_principal_nt", "norm_num_autoparity"), 0),
        **dict.fromkeys(("norm_unicast_nacks", "norm_push_enable"), False),
        **dict.fromkeys(("in_batch_size", "out_batch_size"), 8192),
        **dict.fromkeys(("raw_notify", "zero_copy"), True),
        **dict.fromkeys(("norm_mode", "monitor_event_version"), 1),
        "vmci_connect_timeout": -1,
        "norm_buffer_size": 2048,
        "norm_segment_size": 1400,
        "norm_block_size": 16,
        "norm_num_parity": 4,
    }
    options = Options()
    assert {name: getattr(options, name) for name in expected} == expected


def test_full_length_strings() -> None:
    """255 bytes are accepted and read whole (pyzmq can set but not read them: its buffer has no room for the NUL)."""
    options = Options()
    for name in ("ROUTING_ID", "PLAIN_USERNAME", "PLAIN_PASSWORD", "ZAP_DOMAIN", "SOCKS_USERNAME", "SOCKS_PASSWORD"):
        options.setsockopt(SocketOption[name], b"x" * 255)
        assert options.getsockopt(SocketOption[name]) == b"x" * 255
    options.setsockopt(SocketOption.SOCKS_PROXY, b"x" * 5000)
    assert options.getsockopt(SocketOption.SOCKS_PROXY) == b"x" * 5000


# -- None, which is C's (NULL, 0)

CLEARED_BY_NONE: dict[str, OptionValue] = {
    "SOCKS_PROXY": b"x:1",
    "SOCKS_USERNAME": b"u",
    "SOCKS_PASSWORD": b"p",
    "BINDTODEVICE": b"eth0",
    "TCP_ACCEPT_FILTER": b"1.2.3.4",
    "IPC_FILTER_PID": 1,
    "IPC_FILTER_UID": 1,
    "IPC_FILTER_GID": 1,
}
BACK_TO_NULL = ("PLAIN_USERNAME", "PLAIN_PASSWORD")


@pytest.mark.parametrize("name", CLEARED_BY_NONE)
def test_none_clears(name: str) -> None:
    """A filter, a device, a proxy or a proxy's credential is as never set."""
    options = Options()
    options.setsockopt(SocketOption[name], CLEARED_BY_NONE[name])
    assert repr(options) != repr(Options())
    options.setsockopt(SocketOption[name], None)
    values, fresh = vars(options), Options()
    assert {key: values[key] for key in values} == {key: getattr(fresh, key) for key in values}


@pytest.mark.parametrize("name", BACK_TO_NULL)
def test_none_as_credential_leads_back_to_null(name: str) -> None:
    """The mechanism is NULL again; the credential stays readable, as in libzmq."""
    options = Options()
    options.setsockopt(SocketOption[name], b"me")
    options.setsockopt(SocketOption[name], None)
    assert options.mechanism == SecurityMechanism.NULL
    assert options.getsockopt(SocketOption[name]) == b"me"


@pytest.mark.parametrize("name", [c.name for c in CASES if c.name not in (*CLEARED_BY_NONE, *BACK_TO_NULL)])
def test_none_is_refused_elsewhere(name: str) -> None:
    with refused():
        Options().setsockopt(SocketOption[name], None)


@pytest.mark.interop
@pytest.mark.parametrize("name", [*(case.name for case in CASES), "HELLO_MSG"])
def test_none_beside_libzmq(real: zmq.Socket[bytes], name: str) -> None:
    """(NULL, 0), said to libzmq in C, is accepted where None is."""
    try:
        setsockopt = ctypes.CDLL(importlib.import_module("zmq.backend.cython._zmq").__file__).zmq_setsockopt
    except (ImportError, AttributeError, OSError):
        pytest.skip("this pyzmq shows no C functions")
    setsockopt.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    theirs = setsockopt(real.underlying, SocketOption[name], None, 0)
    mine = outcome(Options().setsockopt, SocketOption[name], None)
    assert mine == (None if theirs == 0 else f"errno {errno.EINVAL}")


# -- side by side with real libzmq

#: pyzmq reads keys with a buffer of a size that libzmq refuses.
UNREADABLE_IN_PYZMQ = {SocketOption.CURVE_PUBLICKEY, SocketOption.CURVE_SECRETKEY, SocketOption.CURVE_SERVERKEY}
#: Those of GSSAPI are there where their package is; pyzmq's wheel is built without.
NOT_IN_BOTH = {
    option
    for option in SocketOption
    if option.name.startswith("GSSAPI_") and has_gssapi() is not bool(zmq.has("gssapi"))
}
#: Answered by the socket, which knows them; here they are unknown.
OF_THE_SOCKET = {
    SocketOption.RCVMORE,
    SocketOption.FD,
    SocketOption.EVENTS,
    SocketOption.LAST_ENDPOINT,
    SocketOption.THREAD_SAFE,
}


@pytest.mark.interop
@cases
def test_values_beside_libzmq(real: zmq.Socket[bytes], case: Case) -> None:
    """Set one after the other, every value of the table does the same in both: the outcome, and what is then read."""
    option, options = SocketOption[case.name], Options()
    readable = option not in UNREADABLE_IN_PYZMQ
    for value in (*case.accepted, *case.refused, *(value for value, _ in case.changed)):
        assert outcome(options.setsockopt, option, value) == outcome(real.set, option, value), value
        if readable:
            assert outcome(options.getsockopt, option) == outcome(real.get, option), value
        assert options.getsockopt(SocketOption.MECHANISM) == real.get(zmq.MECHANISM), value


@pytest.mark.interop
def test_every_number_beside_libzmq(real: zmq.Socket[bytes]) -> None:
    """From 0 to beyond the last: the same options can be read, with the same defaults; the same can be set."""
    options = Options()
    options.type = SocketType.PAIR
    for number in {*range(140), -1, INT_MAX} - OF_THE_SOCKET - UNREADABLE_IN_PYZMQ - NOT_IN_BOTH:
        assert outcome(options.getsockopt, number) == outcome(real.get, number), number
    for number in {*range(140), -1, INT_MAX} - NOT_IN_BOTH:
        takes_bytes = number in list(SocketOption) and SocketOption(number)._opt_type.value == "bytes"
        for value in (b"1.2.3.4", KEY) if takes_bytes else (0, 1):
            assert outcome(options.setsockopt, number, value) == outcome(real.set, number, value), (number, value)


@pytest.mark.parametrize("option", sorted(OF_THE_SOCKET | {SocketOption.TYPE, SocketOption.MECHANISM}))
def test_read_only_options_cannot_be_set(option: SocketOption) -> None:
    with refused():
        Options().setsockopt(option, 1)


@pytest.mark.interop
@pytest.mark.parametrize(
    "steps",
    [
        (("PLAIN_SERVER", 1), ("PLAIN_SERVER", 0)),
        (("PLAIN_SERVER", 1), ("PLAIN_USERNAME", b"u"), ("PLAIN_PASSWORD", b"p")),
        (("PLAIN_USERNAME", b"u"), ("PLAIN_SERVER", 1), ("PLAIN_USERNAME", b"")),
        (("CURVE_SERVER", 1), ("CURVE_SECRETKEY", KEY), ("CURVE_PUBLICKEY", KEY_Z85), ("CURVE_SERVERKEY", KEY)),
        (("CURVE_SECRETKEY", KEY), ("CURVE_SERVER", 1), ("CURVE_SERVER", 0)),
        (("PLAIN_SERVER", 1), ("CURVE_SECRETKEY", KEY), ("PLAIN_SERVER", 0)),
        (("PLAIN_SERVER", 1), ("CURVE_PUBLICKEY", b"short"), ("CURVE_PUBLICKEY", KEY), ("PLAIN_PASSWORD", b"p")),
    ],
    ids=lambda steps: " ".join(name for name, _ in steps),
)
def test_security_options_beside_libzmq(real: zmq.Socket[bytes], steps: tuple[tuple[str, OptionValue], ...]) -> None:
    """After every step mechanism, server sides and credentials are the same in both: the last one set decides."""
    options = Options()
    for name, value in steps:
        option = SocketOption[name]
        assert outcome(options.setsockopt, option, value) == outcome(real.set, option, value)
        for read in ("MECHANISM", "PLAIN_SERVER", "CURVE_SERVER", "PLAIN_USERNAME", "PLAIN_PASSWORD"):
            assert options.getsockopt(SocketOption[read]) == real.get(SocketOption[read]), (name, read)


@pytest.mark.interop
@pytest.mark.parametrize(
    "text",
    [b"::1", b"[::1]/128", b"::1/129", b"1.2.3.4", b"1.2.3.4/120", b"1.2.3.4/129", b"fe80::/0", b"::g", b"[::1"]
    + [b"fe80::1%1", b"fe80::1%", b"fe80::1%0", b"fe80::1%1x", b"fe80::1%lo", b"fe80::1%no-such-device", b"fe80::%1/8"],
)
def test_accept_filter_ipv6_beside_libzmq(real: zmq.Socket[bytes], text: bytes) -> None:
    options = Options()
    options.setsockopt(SocketOption.IPV6, 1)
    real.set(zmq.IPV6, 1)
    option = SocketOption.TCP_ACCEPT_FILTER
    assert outcome(options.setsockopt, option, text) == outcome(real.set, option, text)


# -- what the values become


@pytest.mark.parametrize(
    ("ipv6", "text", "network"),
    [
        (0, b"10.1.2.3/8", "10.0.0.0/8"),
        (0, b"10.1.2.3", "10.1.2.3/32"),
        (0, b"10.1.2.3/0", "0.0.0.0/0"),
        (1, b"[fe80::1]/10", "fe80::/10"),
        (1, b"::1", "::1/128"),
        (1, b"10.1.2.3/104", "::ffff:10.0.0.0/104"),
    ],
)
def test_accept_filter_is_a_network(ipv6: int, text: bytes, network: str) -> None:
    """Each filter is kept as the network it names, in the family of IPV6 at that time; a second one is added."""
    options = Options()
    options.setsockopt(SocketOption.IPV6, ipv6)
    options.setsockopt(SocketOption.TCP_ACCEPT_FILTER, text)
    options.setsockopt(SocketOption.TCP_ACCEPT_FILTER, text)
    assert options.tcp_accept_filters == (ipaddress.ip_network(network),) * 2


def test_ipc_filters_are_sets_of_ids() -> None:
    """uid and gid are unsigned in C, pid is not."""
    options = Options()
    for value in (5, 5, -1):
        for name in ("IPC_FILTER_PID", "IPC_FILTER_UID", "IPC_FILTER_GID"):
            options.setsockopt(SocketOption[name], value)
    assert options.ipc_pid_accept_filters == {5, -1}
    assert options.ipc_uid_accept_filters == options.ipc_gid_accept_filters == {5, 2**32 - 1}


def test_metadata_keeps_the_first_of_a_name() -> None:
    options = Options()
    for value in (b"X-a:1:2", b"X-b:x\0y", b"X-a:3"):
        options.setsockopt(SocketOption.METADATA, value)
    assert options.app_metadata == {"X-a": b"1:2", "X-b": b"x\0y"}


def test_metadata_of_four_bytes_is_refused() -> None:
    """libzmq takes any four bytes for an int, whatever they say."""
    with refused():
        Options().setsockopt(SocketOption.METADATA, b"X-:a")


@pytest.mark.parametrize("value", [KEY, KEY_Z85, KEY_Z85 + b"\0"])
@pytest.mark.parametrize("name", ["PUBLICKEY", "SECRETKEY", "SERVERKEY"])
def test_curve_keys_are_kept_raw(name: str, value: bytes) -> None:
    """A key is 32 bytes however it was given."""
    options = Options()
    options.setsockopt(SocketOption[f"CURVE_{name}"], value)
    assert options.getsockopt(SocketOption[f"CURVE_{name}"]) == KEY
    keys = {"PUBLICKEY": options.curve_public_key, "SECRETKEY": options.curve_secret_key}
    assert keys.get(name, options.curve_server_key) == KEY


def test_affinity_is_a_bitmap() -> None:
    """All 64 bits can be set, by either sign, and read unsigned from the attribute."""
    options = Options()
    for value in (-1, 2**64 - 1):
        options.setsockopt(SocketOption.AFFINITY, value)
        assert options.affinity == 2**64 - 1
        assert options.getsockopt(SocketOption.AFFINITY) == -1


def test_units_and_truth_values() -> None:
    """HEARTBEAT_TTL is kept in tenths of a second; truth values are bools, and IPV4ONLY is IPV6 turned round."""
    options = Options()
    options.setsockopt(SocketOption.HEARTBEAT_TTL, 1250)
    assert options.heartbeat_ttl == 12
    options.setsockopt(SocketOption.IPV4ONLY, 0)
    assert options.ipv6 is True
    options.setsockopt(SocketOption.INVERT_MATCHING, 7)
    assert options.invert_matching is True


def test_conflate_has_an_effect_on_five_types() -> None:
    effective = set()
    for socket_type in SocketType:
        options = Options()
        options.type = socket_type
        assert not get_effective_conflate_option(options)
        options.setsockopt(SocketOption.CONFLATE, 1)
        if get_effective_conflate_option(options):
            effective.add(socket_type.name)
    assert effective == {"DEALER", "PULL", "PUSH", "PUB", "SUB"}


# -- copies, and what is shown


def test_copies_part_ways() -> None:
    """A copy has every value, and neither side sees the other's later changes, in containers either."""
    values: list[tuple[str, Any, Any]] = [
        ("LINGER", 1, 2),
        ("TCP_ACCEPT_FILTER", b"1.1.1.1", b"2.2.2.2"),
        ("IPC_FILTER_PID", 1, 2),
        ("IPC_FILTER_UID", 1, 2),
        ("IPC_FILTER_GID", 1, 2),
        ("METADATA", b"X-one:1", b"X-two:2"),
        ("CURVE_SECRETKEY", KEY, bytes(32)),
    ]
    original = Options()
    original.recv_routing_id = True
    for name, first, _ in values:
        original.setsockopt(SocketOption[name], first)
    copy = original.copy()
    assert vars(copy) == vars(original)
    before = {name: repr(value) for name, value in vars(original).items()}
    for name, _, second in values:
        copy.setsockopt(SocketOption[name], second)
    assert {name: repr(value) for name, value in vars(original).items()} == before
    again = original.copy()
    for name, _, second in values:
        original.setsockopt(SocketOption[name], second)
    assert {name: repr(value) for name, value in vars(again).items()} == before
    assert vars(Options()) == vars(Options().copy())


def test_repr_shows_what_was_changed() -> None:
    options = Options()
    assert repr(options) == "<Options >"
    options.setsockopt(SocketOption.LINGER, 5)
    options.setsockopt(SocketOption.METADATA, b"X-a:b")
    assert repr(options) == "<Options app_metadata={'X-a': b'b'}, linger=5>"


@pytest.mark.parametrize("name", [*SECRET, "CURVE_SERVERKEY"])
def test_secrets_are_never_shown(name: str) -> None:
    """Keys, passwords and user names are in no repr and in no error text."""
    secret = b"SecretSecretSecretSecretSecret32"
    options = Options()
    options.setsockopt(SocketOption[name], secret)
    assert "Secret" not in repr(options)
    assert "(not shown)" in repr(options)
    with refused() as caught:
        options.setsockopt(SocketOption[name], secret * 9)
    assert "Secret" not in str(caught.value)


def test_error_names_option_value_and_range() -> None:
    """The text tells a person what was wrong."""
    options = Options()
    with pytest.raises(ZMQError, match=r"option LINGER = -7: expected an int from -1 to "):
        options.setsockopt(SocketOption.LINGER, -7)
    with pytest.raises(ZMQError, match=r"option 4711 = 1: no such option"):
        options.setsockopt(4711, 1)
    with pytest.raises(ZMQError, match=r"option SUBSCRIBE: not one to read"):
        options.getsockopt(SocketOption.SUBSCRIBE)
    with pytest.raises(ZMQError, match=r"option ROUTING_ID = b'x{32}'\.\.\. \(300 bytes\)"):
        options.setsockopt(SocketOption.ROUTING_ID, b"x" * 300)
