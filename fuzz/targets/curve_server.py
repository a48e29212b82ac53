# SPDX-License-Identifier: MPL-2.0
"""CURVE, the side that everybody knows (mechanisms/curve/server.py), its peer knowing all keys.

Any commands, in any order, give progress or a MechanismError with its monitor event. HELLO and INITIATE are accepted
without a defect only: a box, cookie or vouch that is altered, made for another server, by another client or for another
connection, an old nonce, a size, a version. READY is reached by both in turn, and where a handler is asked, with the
very key that was vouched for and after its 200 only.
"""

from __future__ import annotations

from fuzz.curve import CLIENT, CONNECTION, SERVER, STRANGER, flip, number, public, seal, shared, unseal
from fuzz.mechanism import Host, accepts, attempt, commands_of, metadata_of, options_of, reply_of
from fuzz.source import Source, require
from libzmq_py.mechanisms.curve.server import CurveServer
from libzmq_py.mechanisms.mechanism import Status
from libzmq_py.options import Options

MAX_LEN = 120
TOKENS = (b"\5HELLO\1\0", b"\x08INITIATE", b"\7MESSAGE", b"\x0bSocket-Type\0\0\0\3REP")
_GOOD = b"\1\0\1\0" + b"\0" + b"\2\0\2\0\0"
SEEDS = {
    "accepted": b"\0" + _GOOD + b"\0",
    "asked": b"\xa0" + _GOOD + b"\4\0" + b"\0",
    "denied": b"\xa0" + _GOOD + b"\4\2" + b"\0",
    "later": b"\xa0" + _GOOD + b"\4\1" + b"\0",
    "enforced": b"\x60" + _GOOD,
    "identity": b"\1" + b"\1\0\1\0" + b"\0" + b"\2\0\2\0\1\2id\0" + b"\0",
    "raw": b"\0" + b"\3\x08\5HELLO\1\0",
    "forgotten": b"\0" + b"\1\0\1\0" + b"\0" + b"\5" + b"\2\0\2\0\0",
    **{f"hello-{defect}": b"\0" + b"\1" + bytes((defect,)) + b"\1\7" for defect in range(1, 6)},
    **{f"initiate-{defect}": b"\0" + b"\1\0\1\0\0" + b"\2" + bytes((defect,)) + b"\2\7\0" for defect in range(1, 11)},
}


def check(data: bytes) -> None:
    """One input: options, then what happens."""
    source = Source(data)
    options, host = options_of(source)
    options.curve_secret_key = SERVER
    options.curve_public_key = public(SERVER)
    peer = _Client(CurveServer(options, host), options, host)
    while source and peer.going:
        kind = source.byte() % 6
        if kind == 0:
            peer.listen()
        elif kind == 1:
            peer.hello(source)
        elif kind == 2:
            peer.initiate(source)
        elif kind == 4:
            peer.answer(source)
        elif kind == 5:
            peer.forgotten |= peer.mechanism.holds_cookie
            peer.mechanism.forget_cookie()
        else:
            peer.say(source.chunk(), True, True)
    peer.judge()
    peer.mechanism.destroy()


class _Client:
    """The peer of a server, who writes down what it may expect."""

    def __init__(self, mechanism: CurveServer, options: Options, host: Host) -> None:
        self.mechanism = mechanism
        self.going = True
        self.forgotten = self.allowed = self.greeted = self.initiated = False
        self._options = options
        self._host = host
        self._said: list[bytes] = []
        self._nonce = 0
        # S', and the cookie.
        self._server, self._cookie = public(STRANGER), bytes(96)

    def listen(self) -> None:
        """Let the server speak."""
        said: list[bytes] = []
        self.going = attempt(self.mechanism, lambda: said.extend(commands_of(self.mechanism)))
        self._said += said
        for command in said:
            if command.startswith(b"\7WELCOME"):
                key = shared(public(SERVER), CONNECTION)
                content = unseal(command[24:], b"WELCOME-" + command[8:24], key)
                self._server, self._cookie = content[:32], content[32:]
                require(len(command) == 168, "WELCOME", len(command))

    def say(self, command: bytes, may_pass: bool, must_fail: bool = False) -> bool:
        """A command; without a defect and in its turn it is accepted."""
        self.going = attempt(self.mechanism, lambda: self.mechanism.process_handshake_command(command))
        require(may_pass or not self.going, "accepted", command)
        require(not (must_fail and self.going), "accepted", command)
        return self.going

    def hello(self, source: Source) -> None:
        """HELLO: defects of version, box, size and key."""
        defect, nonce, where = source.byte() % 6, source.number(1), source.byte()
        box = seal(bytes(64), b"CurveZMQHELLO---" + number(nonce), shared(public(SERVER), CONNECTION))
        version, own = b"\1\0", public(CONNECTION)
        if defect == 1:
            version = bytes((where, 1))
        elif defect == 2:
            box = flip(box, where)
        elif defect == 3:
            box += b"x"
        elif defect == 4:
            box = box[: where % len(box)]
        elif defect == 5:
            own = (bytes(32), b"\1" + bytes(31), b"\xff" * 32)[where % 3]
        in_turn = not self.greeted
        if self.say(b"\5HELLO" + version + bytes(72) + own + number(nonce) + box, defect == 0 and in_turn):
            self.greeted, self._nonce = True, nonce
        else:
            require(defect or not in_turn, "a good HELLO is refused")

    def initiate(self, source: Source) -> None:
        """INITIATE: defects of cookie, boxes, vouch, nonce and size."""
        defect, nonce, where = source.byte() % 11, source.number(1), source.byte()
        metadata = metadata_of(source, self._options.type)
        key = shared(self._server, CONNECTION)
        vouched, server, by, cookie = public(CONNECTION), public(SERVER), CLIENT, self._cookie
        if defect == 1:
            vouched = public(STRANGER)
        elif defect == 2:
            server = public(STRANGER)
        elif defect == 3:
            by = STRANGER
        elif defect == 4:
            cookie = flip(cookie, where)
        vouch = seal(vouched + server, b"VOUCH---" + bytes(16), shared(self._server, by))
        if defect == 5:
            vouch = flip(vouch, where)
        content = public(CLIENT) + bytes(16) + vouch + metadata
        if defect == 6:
            content = content[: where % 128]
        box = seal(content, b"CurveZMQINITIATE" + number(nonce), key)
        if defect == 7:
            box = flip(box, where)
        command = b"\x08INITIATE" + cookie + number(nonce) + box
        if defect == 8:
            command = command[: where % 257]
        elif defect == 9:
            command += b"x"
        elif defect == 10:
            command = command.replace(b"INITIATE", b"INITIATF")
        in_turn = b"\7WELCOME" == b"".join(self._said)[:8] and not self.initiated and not self.forgotten
        if self.say(command, not defect and in_turn and nonce > self._nonce):
            self.initiated = True

    def answer(self, source: Source) -> None:
        """The handler answers."""
        reply = reply_of(source)
        self._host.replies.append(reply)
        self.going = attempt(self.mechanism, self.mechanism.zap_msg_available)
        self._host.replies.clear()
        self.allowed |= accepts(reply) and self.going and bool(self._host.requests)

    def judge(self) -> None:
        """What must hold at the end."""
        for request in self._host.requests:
            require(request[7:] == (public(CLIENT),), "asked about another key", request)
        require(len(self._host.requests) <= 1, "asked twice")
        if self.going and self.mechanism.status is Status.READY:
            require(self.greeted and self.initiated, "ready without INITIATE")
            # Without a handler nobody is asked; a domain that is enforced but not set asks nobody either.
            must_ask = self._host.handler and (self._options.zap_domain or not self._options.zap_enforce_domain)
            require(not must_ask or self.allowed, "a peer that nobody has let in")
            enforced = self._options.zap_domain and self._options.zap_enforce_domain
            require(not enforced or self._host.handler, "a peer that nobody could be asked about")
            ready = self._said[-1]
            content = unseal(ready[14:], b"CurveZMQREADY---" + ready[6:14], shared(self._server, CONNECTION))
            require(content.startswith(b"\x0bSocket-Type"), "READY", content)
