# SPDX-License-Identifier: MPL-2.0
"""A little of everything in a second or two; prints ``fine``. Run by other tests in interpreters set up in odd ways.

No libzmq twin: test support.
"""

from __future__ import annotations

import itertools
import sys
import threading
from typing import Any


def check(condition: object, *what: object) -> None:
    """`assert` that -O leaves alone."""
    if not condition:
        raise AssertionError(what)


_names = itertools.count()


def endpoint(transport: str) -> str:
    """Where to bind."""
    return {"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://*"}.get(transport, f"inproc://{transport}-{next(_names)}")


def pair(ctx: Any, one: int, other: int, transport: str, **options: Any) -> tuple[Any, Any]:
    """Two sockets with a connection."""
    a, b = ctx.socket(one), ctx.socket(other)
    for sock in (a, b):
        sock.rcvtimeo = sock.sndtimeo = 10_000
        for name, value in options.items():
            sock.set(name, value)
    a.bind(endpoint(transport))
    b.connect(a.last_endpoint)
    return a, b


def patterns(zmq: Any, ctx: Any, transport: str) -> None:
    """Each pattern once."""
    pull, push = pair(ctx, zmq.PULL, zmq.PUSH, transport)
    for number in range(300):
        push.send_multipart([b"%d" % number, b"x" * number])
    for number in range(300):
        check(pull.recv_multipart() == [b"%d" % number, b"x" * number], number)
    push.send(b"y" * 1_000_000, copy=False)
    check(len(pull.recv(copy=False)) == 1_000_000)
    pull.close()
    push.close()

    rep, req = pair(ctx, zmq.REP, zmq.REQ, transport)
    for number in range(30):
        req.send_json({"number": number})
        rep.send_pyobj(rep.recv_json())
        check(req.recv_pyobj() == {"number": number})
    rep.close()
    req.close()

    router, dealer = pair(ctx, zmq.ROUTER, zmq.DEALER, transport)
    dealer.send(b"hello")
    router.send_multipart(router.recv_multipart())
    check(dealer.recv() == b"hello")
    router.close()
    dealer.close()

    xpub, sub = pair(ctx, zmq.XPUB, zmq.SUB, transport)
    sub.subscribe("topic")
    check(xpub.recv() == b"\1topic")
    xpub.send(b"other")
    xpub.send(b"topic!")
    check(sub.recv() == b"topic!")
    xpub.close()
    sub.close()


def waits(zmq: Any, ctx: Any, transport: str) -> None:
    """Time-outs, polls, a thread that is woken, a monitor."""
    pull, push = pair(ctx, zmq.PULL, zmq.PUSH, transport)
    events = pull.get_monitor_socket()
    events.rcvtimeo = 10_000
    poller = zmq.Poller()
    poller.register(pull, zmq.POLLIN)
    check(not poller.poll(20))
    timer = threading.Timer(0.05, push.send, (b"late",))
    timer.start()
    check(dict(poller.poll(10_000)) == {pull: zmq.POLLIN})
    timer.join()
    check(pull.recv() == b"late")
    check(zmq.select([pull], [push], [], 1) == ([], [push], []))
    timer = threading.Timer(0.05, push.send, (b"later",))
    timer.start()
    check(pull.recv() == b"later")
    timer.join()
    try:
        pull.recv(zmq.DONTWAIT)
    except zmq.Again:
        pass
    else:
        check(False, "no Again")
    push.close()
    if transport != "inproc":
        event = zmq.recv_monitor_message(events)
        while event["event"] != zmq.EVENT_DISCONNECTED:
            event = zmq.recv_monitor_message(events)
    pull.disable_monitor()
    events.close()
    pull.close()


def late_peer(zmq: Any, ctx: Any) -> None:
    """A connect that has to be tried again."""
    probe = ctx.socket(zmq.PULL)
    where = f"tcp://127.0.0.1:{probe.bind_to_random_port('tcp://127.0.0.1')}"
    probe.unbind(where)
    probe.close()
    push = ctx.socket(zmq.PUSH)
    push.reconnect_ivl = 10
    push.connect(where)
    push.send(b"patience")
    pull = ctx.socket(zmq.PULL)
    pull.rcvtimeo = 10_000
    for attempt in range(1000):
        try:
            pull.bind(where)
            break
        except zmq.ZMQError:
            check(attempt < 999)
            threading.Event().wait(0.005)
    check(pull.recv() == b"patience")
    pull.close()
    push.close()


def encrypted(zmq: Any, ctx: Any) -> None:
    """CURVE."""
    public, secret = zmq.curve_keypair()
    server, client = ctx.socket(zmq.PULL), ctx.socket(zmq.PUSH)
    server.curve_server = True
    server.curve_secretkey = secret
    client.curve_serverkey = public
    client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
    server.rcvtimeo = 10_000
    server.bind("tcp://127.0.0.1:*")
    client.connect(server.last_endpoint)
    client.send(b"secret")
    check(server.recv() == b"secret")
    server.close()
    client.close()


def end(zmq: Any) -> None:
    """term() wakes a thread that waits."""
    ctx = zmq.Context()
    pull = ctx.socket(zmq.PULL)
    seen = []

    def wait() -> None:
        try:
            pull.recv()
        except zmq.ContextTerminated as error:
            seen.append(error.errno)
        pull.close()

    thread = threading.Thread(target=wait)
    thread.start()
    ctx.term()
    thread.join()
    check(seen == [zmq.ETERM], seen)


def main(zmq: Any, transports: list[str]) -> None:
    """All of it."""
    with zmq.Context() as ctx:
        for transport in transports:
            patterns(zmq, ctx, transport)
            waits(zmq, ctx, transport)
        if "tcp" in transports:
            late_peer(zmq, ctx)
            encrypted(zmq, ctx)
    end(zmq)
    print("fine")


if __name__ == "__main__":
    import libzmq_py

    main(libzmq_py, sys.argv[1].split(","))
