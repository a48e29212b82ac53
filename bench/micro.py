# SPDX-License-Identifier: MPL-2.0
"""The hot functions by themselves: nanoseconds per message, in one thread.

No libzmq twin: libzmq's unit benchmarks (perf/benchmark_radix_tree.cpp) measure one structure only.

Every function that says `Hot path:` has a case here, so that a trick can be shown to gain what it claims: run this
before and after. Figures of a shared machine wander; the last column, against a bare deque in the same run, does less.

    python bench/micro.py [--only codec] [--repeat 7] [--json out.json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import timeit
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

if TYPE_CHECKING:
    from libzmq_py.core.pipe import Pipe

BATCH = 256
"""Messages per round; below the high-water mark of the pipes made here."""

HWM = 1000

# A case is built once and gives a function that moves BATCH messages; what it opens it leaves to the stack to close.
Case = Callable[[ExitStack], Callable[[], None]]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Register a case under a name."""

    def register(build: Case) -> Case:
        CASES[name] = build
        return build

    return register


class OneThread:
    """Stands for a context whose threads are all this one: a command is carried out where it is sent."""

    def send_command(self, tid: int, command: Any) -> None:
        command[0].process_command(command)


class Sink:
    """Stands for the socket or session at an end of a pipe; `users` are told what a socket would tell them."""

    def __init__(self, *users: Any) -> None:
        self.users = users

    def read_activated(self, pipe: Any) -> None:
        for user in self.users:
            user.activated(pipe)

    def write_activated(self, pipe: Any) -> None:
        for user in self.users:
            user.activated(pipe)


def pipes(count: int) -> list[tuple[Pipe, Pipe]]:
    """Make pairs of joined ends."""
    from libzmq_py.core.object import ZmqObject
    from libzmq_py.core.pipe import pipepair

    parent = ZmqObject(OneThread(), 0)
    return [pipepair((parent, parent), (HWM, HWM)) for _ in range(count)]


@case("deque")
def bare_deque(stack: ExitStack) -> Callable[[], None]:
    """The yardstick: what Python's own queue costs."""
    queue: deque[bytes] = deque()

    def run() -> None:
        append, popleft = queue.append, queue.popleft
        for _ in range(BATCH):
            append(b"message")
        for _ in range(BATCH):
            popleft()

    return run


@case("ypipe write, flush, read")
def ypipe(stack: ExitStack) -> Callable[[], None]:
    from libzmq_py.core.ypipe import YPipe

    queue: YPipe[bytes] = YPipe()

    def run() -> None:
        for _ in range(BATCH):
            queue.write(b"message")
            queue.flush()
        for _ in range(BATCH):
            queue.read()

    return run


@case("pipe send, read")
def pipe_one_by_one(stack: ExitStack) -> Callable[[], None]:
    [(writer, reader)] = pipes(1)
    writer.set_event_sink(Sink())  # type: ignore[arg-type]  # only what a living pipe calls
    reader.set_event_sink(Sink())  # type: ignore[arg-type]

    def run() -> None:
        send, read = writer.send, reader.read
        for _ in range(BATCH):
            send(b"message")
        for _ in range(BATCH):
            read()

    return run


@case("pipe send_batch, read_batch")
def pipe_batches(stack: ExitStack) -> Callable[[], None]:
    [(writer, reader)] = pipes(1)
    writer.set_event_sink(Sink())  # type: ignore[arg-type]  # as above
    reader.set_event_sink(Sink())  # type: ignore[arg-type]
    batch: list[Any] = [b"message"] * BATCH

    def run() -> None:
        writer.send_batch(batch)
        reader.read_batch(BATCH)

    return run


def balanced(count: int) -> Callable[[], None]:
    from libzmq_py.sockets.fq import FQ
    from libzmq_py.sockets.lb import LB

    lb, fq = LB(), FQ()
    for writer, reader in pipes(count):
        writer.set_event_sink(Sink(lb))  # type: ignore[arg-type]  # as above
        reader.set_event_sink(Sink(fq))  # type: ignore[arg-type]
        lb.attach(writer)
        fq.attach(reader)

    def run() -> None:
        send, recv = lb.send, fq.recv
        for _ in range(BATCH):
            send(b"message")
        for _ in range(BATCH):
            recv()

    return run


@case("lb send, fq recv, 1 pipe")
def balance_one(stack: ExitStack) -> Callable[[], None]:
    return balanced(1)


@case("lb send, fq recv, 10 pipes")
def balance_ten(stack: ExitStack) -> Callable[[], None]:
    return balanced(10)


@case("mtrie matching, dist send_to 10")
def distribute(stack: ExitStack) -> Callable[[], None]:
    """The receiving end counts too: ten messages are read for each one sent."""
    from libzmq_py.sockets.pubsub.dist import Dist
    from libzmq_py.sockets.pubsub.mtrie import MTrie

    dist, mtrie = Dist(), MTrie[Any]()
    ends = pipes(10)
    for writer, reader in ends:
        writer.set_event_sink(Sink(dist))  # type: ignore[arg-type]  # as above
        reader.set_event_sink(Sink())  # type: ignore[arg-type]
        dist.attach(writer)
        mtrie.add(b"mess", writer)

    def run() -> None:
        for _ in range(BATCH):
            dist.send_to(mtrie.matching(b"message"), b"message")
        for _, reader in ends:
            reader.read_batch(BATCH)

    return run


@case("trie check, 100 subscriptions")
def check(stack: ExitStack) -> Callable[[], None]:
    """A subscriber's filter."""
    from libzmq_py.sockets.pubsub.trie import Trie

    trie = Trie()
    for index in range(100):
        trie.add(b"%02d." % index + b"x" * (index % 5))

    def run() -> None:
        check = trie.check
        for _ in range(BATCH):
            check(b"77.xxxx")

    return run


def shapes() -> Iterator[tuple[str, list[Any]]]:
    """Yield batches as they come out of a pipe: all alike, and as unlike as real traffic."""
    yield "10 B", [b"x" * 10] * BATCH
    yield "100 B", [b"x" * 100] * BATCH
    yield "20..180 B", [b"x" * (20 + 37 * index % 161) for index in range(BATCH)]
    yield "1 KB", [b"x" * 1000] * BATCH
    yield "4 x 100 B", [(b"x" * 100,) * 4] * BATCH


def encoding(batch: list[Any]) -> Case:
    def build(stack: ExitStack) -> Callable[[], None]:
        from libzmq_py.codecs.v2_encoder import V2Encoder

        encode = V2Encoder().encode

        def run() -> None:
            b"".join(encode(batch))

        return run

    return build


def decoding(batch: list[Any]) -> Case:
    def build(stack: ExitStack) -> Callable[[], None]:
        from libzmq_py.codecs.v2_decoder import V2Decoder
        from libzmq_py.codecs.v2_encoder import V2Encoder

        data = b"".join(V2Encoder().encode(batch))
        decoder = V2Decoder(-1)
        if decoder.decode(data) != batch:
            raise AssertionError("the decoder does not give back what was encoded")

        def run() -> None:
            decoder.decode(data)

        return run

    return build


def curve_codecs() -> tuple[Any, Callable[[], Any]]:
    """An encoder of CURVE's MESSAGE commands, and what makes decoders of what it writes first."""
    from libzmq_py.codecs.v2_decoder import V2Decoder
    from libzmq_py.mechanisms.curve.base import CurveDecoder, CurveEncoder, Nonces
    from libzmq_py.mechanisms.curve.boxes import BoxKey
    from libzmq_py.mechanisms.curve.crypto import Secret

    key = BoxKey(Secret(b"k" * 32), b"CurveZMQMESSAGEC")
    return CurveEncoder(key, Nonces(), False), lambda: CurveDecoder(V2Decoder(-1), key, 0)


def sealing(batch: list[Any]) -> Case:
    def build(stack: ExitStack) -> Callable[[], None]:
        encode = curve_codecs()[0].encode

        def run() -> None:
            b"".join(encode(batch))

        return run

    return build


def opening(batch: list[Any]) -> Case:
    """Nonces count up, so each round has a new decoder."""

    def build(stack: ExitStack) -> Callable[[], None]:
        encoder, new_decoder = curve_codecs()
        data = b"".join(encoder.encode(batch))
        if new_decoder().decode(data) != batch:
            raise AssertionError("the decoder does not give back what was encoded")

        def run() -> None:
            new_decoder().decode(data)

        return run

    return build


for label, messages in shapes():
    CASES[f"codec encode {label}"] = encoding(messages)
    CASES[f"codec decode {label}"] = decoding(messages)
for label, messages in [*shapes(), ("64 KiB", [b"x" * 65536] * BATCH)]:
    CASES[f"curve encode {label}"] = sealing(messages)
    CASES[f"curve decode {label}"] = opening(messages)


def reading_curve(stack: ExitStack) -> Callable[[], None]:
    """Large messages as an engine reads them."""
    encoder, new_decoder = curve_codecs()
    data = b"".join(encoder.encode([b"x" * 65536] * BATCH))

    def run() -> None:
        decoder = new_decoder()
        decoder.decode(data[:30_000])
        place, collector = 30_000, decoder.collector
        while place < len(data):
            with collector.window() as window:
                count = min(len(window), len(data) - place)
                window[:count] = memoryview(data)[place : place + count]
            decoder.received(count)
            place += count

    return run


CASES["curve read, decode 64 KiB"] = reading_curve


def one_curve_message(stack: ExitStack) -> Callable[[], None]:
    """A request or a reply: each by itself, there and back."""
    encoder, new_decoder = curve_codecs()
    encode, decode = encoder.encode, new_decoder().decode
    message = [(b"", b"x" * 10)]

    def run() -> None:
        for _ in range(BATCH):
            decode(bytes(encode(message)[0]))

    return run


CASES["curve encode, decode lone 10 B"] = one_curve_message


def pair(stack: ExitStack, near_type: str, far_type: str) -> tuple[Any, Any]:
    """Make a socket that is bound and one that is connected to it, over inproc."""
    import libzmq_py as zmq

    ctx = stack.enter_context(zmq.Context())
    near = stack.enter_context(ctx.socket(getattr(zmq, near_type)))
    far = stack.enter_context(ctx.socket(getattr(zmq, far_type)))
    near.rcvtimeo = near.sndtimeo = far.rcvtimeo = far.sndtimeo = 10_000  # fail rather than hang
    near.bind("inproc://micro")
    far.connect("inproc://micro")
    return near, far


def face(sender: str, receiver: str, message: list[bytes]) -> Case:
    """All layers of an application thread, the public face included, over inproc; no other thread takes part."""

    def build(stack: ExitStack) -> Callable[[], None]:
        near, far = pair(stack, receiver, sender)
        if receiver == "SUB":
            import libzmq_py as zmq

            far.setsockopt(zmq.XPUB_NODROP, 1)  # commands are not looked at before every message: credits come late
            near.setsockopt(zmq.SUBSCRIBE, b"")
            while not near.poll(1):
                far.send(b"sync")
            while near.poll(1):
                near.recv()

        def run_frames() -> None:
            send, recv, frame = far.send, near.recv, message[0]
            for _ in range(BATCH):
                send(frame)
            for _ in range(BATCH):
                recv()

        def run_messages() -> None:
            send, recv = far.send_multipart, near.recv_multipart
            for _ in range(BATCH):
                send(message)
            for _ in range(BATCH):
                recv()

        return run_frames if len(message) == 1 and receiver != "ROUTER" else run_messages

    return build


CASES["socket PUSH, PULL"] = face("PUSH", "PULL", [b"message"])
CASES["socket PUSH, PULL, 4 frames"] = face("PUSH", "PULL", [b"message"] * 4)
CASES["socket PUB, SUB"] = face("PUB", "SUB", [b"message"])
CASES["socket DEALER, ROUTER"] = face("DEALER", "ROUTER", [b"message"])


@case("socket PUSH, PULL, send_many")
def many(stack: ExitStack) -> Callable[[], None]:
    pull, push = pair(stack, "PULL", "PUSH")
    batch = [b"message"] * BATCH

    def run() -> None:
        push.send_many(batch)
        pull.recv_many(BATCH)

    return run


@case("socket REQ, REP, round trip")
def round_trip(stack: ExitStack) -> Callable[[], None]:
    """Both ends are in this thread, so nobody waits and nobody is woken."""
    rep, req = pair(stack, "REP", "REQ")

    def run() -> None:
        for _ in range(BATCH):
            req.send(b"question")
            rep.send(rep.recv())
            req.recv()

    return run


def measure(build: Case, repeat: int) -> float:
    """Return the nanoseconds of one message: the best of `repeat` measurements, the others were disturbed."""
    with ExitStack() as stack:
        timer = timeit.Timer(build(stack))
        # autorange goes on until 0.2 s; a quarter of that is enough here.
        number = max(1, timer.autorange()[0] // 4)
        return min(timer.repeat(repeat, number)) / number / BATCH * 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="cases whose name contains WORD")
    parser.add_argument("--repeat", type=int, default=7, help="measurements, of which the best counts")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    yardstick = measure(bare_deque, args.repeat)
    figures: dict[str, float] = {}
    failed = False
    print(f"{'case':<34}{'ns/message':>12}{'x deque':>10}")
    for name, build in CASES.items():
        if args.only not in name:
            continue
        try:
            figures[name] = measure(build, args.repeat)
        except (ImportError, AttributeError) as error:
            # A renamed or missing hot function must be noticed, but the others still count.
            failed = True
            print(f"{name:<34}cannot be measured: {error}")
            continue
        print(f"{name:<34}{figures[name]:>12.1f}{figures[name] / yardstick:>10.1f}", flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"python": sys.version, "nanoseconds": figures}, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
