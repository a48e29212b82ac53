# SPDX-License-Identifier: MPL-2.0
"""The tables of the reference, as Markdown, made from the tables in spec/ and from the package itself.

No Sphinx here: the tests ask the same functions what the reference will say. ``{zmqname}`NAME``` defines a public name,
see ``extension.py``.

No libzmq twin: documentation.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import libzmq_py as zmq

SPEC = Path(__file__).resolve().parent.parent / "spec"

Row = dict[str, str]

#: Socket options by subject. Those that stand nowhere come under "Others", or "Not in this build".
GROUPS: dict[str, str] = {
    "Waiting, and the end": "RCVTIMEO SNDTIMEO LINGER IMMEDIATE HANDSHAKE_IVL",
    "Queues": "SNDHWM RCVHWM CONFLATE MAXMSGSIZE",
    "Facts about the socket": "TYPE EVENTS FD RCVMORE LAST_ENDPOINT MECHANISM THREAD_SAFE",
    "Connecting, and connecting again": (
        "RECONNECT_IVL RECONNECT_IVL_MAX RECONNECT_STOP CONNECT_TIMEOUT BACKLOG USE_FD AFFINITY"
        " HEARTBEAT_IVL HEARTBEAT_TTL HEARTBEAT_TIMEOUT METADATA"
    ),
    "REQ, REP, DEALER, ROUTER": (
        "ROUTING_ID CONNECT_ROUTING_ID REQ_CORRELATE REQ_RELAXED PROBE_ROUTER ROUTER_MANDATORY ROUTER_HANDOVER"
        " ROUTER_RAW ROUTER_NOTIFY STREAM_NOTIFY"
    ),
    "PUB, SUB, XPUB, XSUB": (
        "SUBSCRIBE UNSUBSCRIBE INVERT_MATCHING TOPICS_COUNT XPUB_VERBOSE XPUB_VERBOSER XPUB_NODROP XPUB_MANUAL"
        " XPUB_MANUAL_LAST_VALUE XPUB_WELCOME_MSG ONLY_FIRST_SUBSCRIBE XSUB_VERBOSE_UNSUBSCRIBE"
    ),
    "Security": (
        "CURVE_SERVER CURVE_PUBLICKEY CURVE_SECRETKEY CURVE_SERVERKEY PLAIN_SERVER PLAIN_USERNAME PLAIN_PASSWORD"
        " ZAP_DOMAIN ZAP_ENFORCE_DOMAIN TCP_ACCEPT_FILTER IPC_FILTER_PID IPC_FILTER_UID IPC_FILTER_GID"
    ),
    "tcp and ipc": (
        "IPV6 IPV4ONLY SNDBUF RCVBUF TCP_KEEPALIVE TCP_KEEPALIVE_IDLE TCP_KEEPALIVE_CNT TCP_KEEPALIVE_INTVL TCP_MAXRT"
        " TOS BINDTODEVICE SOCKS_PROXY SOCKS_USERNAME SOCKS_PASSWORD LOOPBACK_FASTPATH"
    ),
}
OTHERS = "Others"
ABSENT = "Not in this build"

_MOMENTS = {
    "-": "–",
    "at once": "at once",
    "bind, connect": "endpoints bound and connected later",
    "bind": "endpoints bound later",
    "connect": "endpoints connected later",
    "new peers": "peers that come later",
    "first socket": "before the first socket",
    "new sockets": "sockets made later",
}


def read(name: str) -> list[Row]:
    """A table of spec/, its rows as dicts."""
    with open(SPEC / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# -- options


def group_of(row: Row) -> str:
    """The heading under which a socket option stands."""
    for title, names in GROUPS.items():
        if row["name"] in names.split():
            return ABSENT if _is_absent(row) else title
    return ABSENT if _is_absent(row) else OTHERS


def _is_absent(row: Row) -> bool:
    return row["set_on"] == row["get_on"] == "-"


def options(scope: str, group: str | None = None) -> str:
    """The options of a context, or a group of those of a socket."""
    rows = [row for row in read("options.csv") if row["scope"] == scope and group in (None, group_of(row))]
    if group == ABSENT:
        head = ["option", "kind", "why"]
        return markdown(head, [[_option_name(row), row["kind"], row["effect"]] for row in rows])
    order = GROUPS.get(group or "", "").split()
    rows.sort(key=lambda row: order.index(row["name"]) if row["name"] in order else len(order))
    head = ["option", "value", "default", "accepts", "where", "a new value counts for", "meaning"]
    if scope == "context":
        head.remove("where")
    return markdown(head, [_option_row(row, scope) for row in rows])


def _option_row(row: Row, scope: str) -> list[str]:
    kind = row["kind"] + (f", {row['unit']}" if row["unit"] else "")
    where = [_where(row)] if scope == "socket" else []
    moment = _MOMENTS.get(row["when"], row["when"])
    return [_option_name(row), kind, _default(row), _accepts(row), *where, moment, row["effect"]]


def _option_name(row: Row) -> str:
    # Some options of a context have the name of one of a socket, and some have a number only.
    if row["scope"] == "context" and row["name"] not in zmq.ContextOption.__members__:
        return f"`{row['name']}`" if hasattr(zmq, row["name"]) else f"`{row['name']}` ({row['number']}, no name)"
    return define(row["name"])


def _default(row: Row) -> str:
    default = row["default"]
    if row["name"] == "TYPE":
        return "the type"
    return f"`{default}`" if default else "–"


def _accepts(row: Row) -> str:
    if row["set_on"] == "-":
        return "read only"
    if row["name"].startswith("CURVE_") and row["kind"] == "bytes":
        return "32 bytes, or 40 of Z85"
    accepts = row["range"].replace("..", " to ", 1)
    accepts = accepts.replace(" to  ", " or more ")
    if accepts.endswith(" to "):
        accepts = accepts.replace(" to ", " or more")
    if row["reads"] == "truth":
        accepts = "0 or 1 (any other number is 1)" if row["range"] == "any" else "0 (off), or more (on)"
    return accepts or {"TCP_ACCEPT_FILTER": "an address or network", "METADATA": "`X-name:value`"}.get(
        row["name"], "see the meaning"
    )


def _where(row: Row) -> str:
    set_on, get_on = (_types(row[column]) for column in ("set_on", "get_on"))
    if set_on == get_on or not get_on:
        return set_on + ("" if get_on else ", write only")
    return get_on if not set_on else f"{set_on}; read: {get_on}"


def _types(types: str) -> str:
    return {"-": "", "all": "all types"}.get(types, types.replace(" ", ", "))


# -- names


def define(name: str) -> str:
    """Where a public name is defined."""
    return f"{{zmqname}}`{name}`"


def _members(enum: type[IntEnum], prefix: str = "", skip: Callable[[str], bool] = lambda name: False) -> list[str]:
    return [name for name in (prefix + member for member in enum.__members__) if not skip(name)]


def aliases() -> str:
    """Options that have a second name."""
    named = {row["name"] for row in read("options.csv")}
    rows = [
        [define(name), f"`{option.name}`"]
        for name, option in zmq.SocketOption.__members__.items()
        if name not in named and option.name != name
    ]
    rows.append([define("HWM"), "`SNDHWM` and `RCVHWM` together; an attribute only (`sock.hwm`)"])
    return markdown(["older name", "is"], rows)


#: Module level names of an enum's members, where they are not those of the members.
PREFIXES = {"RouterNotify": "NOTIFY_", "NormMode": "NORM_", "ReconnectStop": "RECONNECT_STOP_"}
MEANINGS = {
    "PAIR": "one peer, both ways",
    "PUB": "publishes to whoever has subscribed",
    "SUB": "receives what it has subscribed to",
    "REQ": "sends a request, receives its reply, in turn",
    "REP": "receives a request, sends its reply, in turn",
    "DEALER": "to all peers in turn, from all in turn",
    "ROUTER": "a routing id before each message says which peer",
    "PULL": "receives from all peers in turn",
    "PUSH": "sends to all peers in turn",
    "XPUB": "PUB that receives the subscriptions",
    "XSUB": "SUB that sends its subscriptions as messages",
    "STREAM": "bytes of tcp peers that do not speak ZMTP",
    "MORE": "1 if more frames of the message follow",
    "SRCFD": "descriptor of the connection that it came from",
    "SHARED": "1 if its memory is shared",
    "DONTWAIT": "fail with EAGAIN rather than wait",
    "SNDMORE": "more frames of the message follow",
    "NOBLOCK": "older name of DONTWAIT",
    "POLLIN": "can be received from, or read",
    "POLLOUT": "can be sent to, or written",
    "POLLERR": "a descriptor has an error",
    "POLLPRI": "a descriptor has urgent data",
    "NULL": "no security",
    "PLAIN": "name and password, in clear",
    "CURVE": "keys; encrypted and authenticated",
    "GSSAPI": "Kerberos; not in this build",
    "RECONNECT_STOP_CONN_REFUSED": "no further attempt when the connection is refused",
    "RECONNECT_STOP_HANDSHAKE_FAILED": "no further attempt when the handshake fails",
    "RECONNECT_STOP_AFTER_DISCONNECT": "no further attempt once `disconnect` was called",
    "XREQ": "older name of DEALER",
    "XREP": "older name of ROUTER",
    "STREAMER": "PULL to PUSH",
    "FORWARDER": "SUB to PUB",
    "QUEUE": "ROUTER to DEALER",
    "NOTIFY_CONNECT": "draft: tell of peers that come",
    "NOTIFY_DISCONNECT": "draft: tell of peers that go",
    "EVENT_ALL": "all events of version 1",
    "EVENT_ALL_V1": "the same",
    "EVENT_ALL_V2": "those, and PIPES_STATS",
    "Enum": "as in the standard library's `enum`; exported as pyzmq does",
    "IntEnum": "the same",
    "IntFlag": "the same",
}


def constants(enum_name: str) -> str:
    """The members of an enum, by their names in the module."""
    enum: Any = getattr(zmq, enum_name)
    prefix = PREFIXES.get(enum_name, "")
    rows = []
    for member, value in enum.__members__.items():
        name = prefix + member
        number = f"{int(value):#x}" if enum_name == "ReconnectStop" else str(int(value))
        meaning = MEANINGS.get(name, "draft" if enum_name == "SocketType" and int(value) > int(zmq.STREAM) else "")
        rows.append([define(name), number, meaning])
    return markdown(["name", "value", ""], rows)


def reexports() -> str:
    """What `from libzmq_py import *` also gives."""
    return markdown(["name", ""], [[define(name), MEANINGS[name]] for name in ("Enum", "IntEnum", "IntFlag")])


# -- events and errors


def events() -> str:
    """The monitor's events."""
    rows = []
    for row in read("events.csv"):
        if row["name"].startswith("EVENT_"):
            number = int(getattr(zmq, row["name"]))
            rows.append([define(row["name"]), f"{number:#06x}", row["value"], row["endpoint"], row["when"]])
    return markdown(["event", "number", "value", "endpoint", "when"], rows)


def event_masks() -> str:
    """Events together."""
    names = ("EVENT_ALL", "EVENT_ALL_V1", "EVENT_ALL_V2")
    return markdown(
        ["mask", "number", ""], [[define(name), f"{int(getattr(zmq, name)):#x}", MEANINGS[name]] for name in names]
    )


def protocol_errors() -> str:
    """What HANDSHAKE_FAILED_PROTOCOL can have for its value."""
    rows = [
        [define(row["name"]), f"{int(getattr(zmq, row['name'])):#x}", row["when"]]
        for row in read("events.csv")
        if not row["name"].startswith("EVENT_")
    ]
    return markdown(["value", "number", "what the peer did"], rows)


def errors(with_names: bool = True) -> str:
    """Error numbers and the exceptions that carry them."""
    rows = []
    for row in read("errors.csv"):
        name = row["errno"]
        shown = define(name) if with_names and name in zmq.Errno.__members__ else f"`{name}`"
        rows.append([shown, f"{{exc}}`~libzmq_py.{row['exception']}`", row["when"], row["what_to_do"]])
    return markdown(["errno", "exception", "when", "what to do"], rows)


# -- functions of C


def functions() -> str:
    """Every function of libzmq, and what to call instead."""
    rows = []
    for row in read("functions.csv"):
        calls = ", ".join(reference(name) for name in row["python"].split("; ") if name)
        state = {"yes": "", "not yet": "**not yet**", "no need": "no need"}[row["state"]]
        python = " ".join(part for part in (calls, state) if part)
        rows.append([f"`{row['function']}`", row["status"], python, row["note"], row["errors"]])
    return markdown(["function", "status", "here", "", "errors in C"], rows)


def resolve(name: str) -> object:
    """The public object of that name: ``Socket.send``, ``utils.z85.encode``.

    Raises:
        AttributeError: There is none.
    """
    found: object = zmq
    for part in name.split("."):
        found = getattr(found, part)
    return found


def reference(name: str) -> str:
    """A link to a public object."""
    found = resolve(name)
    if isinstance(found, type):
        role = "class"
    elif "." in name and isinstance(resolve(name.rpartition(".")[0]), type):
        role = "meth" if callable(found) else "attr"
    else:
        role = "func"
    return f"{{{role}}}`{name} <libzmq_py.{name}>`"


TABLES: dict[str, Callable[[], str]] = {
    "context-options": lambda: options("context"),
    **{
        f"socket-options {title}": (lambda title=title: options("socket", title))  # type: ignore[misc]
        for title in (*GROUPS, OTHERS, ABSENT)
    },
    "option-aliases": aliases,
    "events": events,
    "event-masks": event_masks,
    "protocol-errors": protocol_errors,
    "errors": errors,
    "errors-again": lambda: errors(with_names=False),
    "functions": functions,
    "reexports": reexports,
    **{
        f"constants {name}": (lambda name=name: constants(name))  # type: ignore[misc]
        for name in (
            "SocketType",
            "MessageOption",
            "Flag",
            "PollEvent",
            "SecurityMechanism",
            "ReconnectStop",
            "RouterNotify",
            "NormMode",
            "DeviceType",
        )
    },
}
"""Table by its name in the pages' ``{zmq-table}``."""
