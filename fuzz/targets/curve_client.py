# SPDX-License-Identifier: MPL-2.0
"""CURVE, the side that knows the other's public key (mechanisms/curve/client.py), its peer knowing all keys.

Any commands, in any order, give progress or a MechanismError with its monitor event. WELCOME and READY are accepted in
their turn, without a defect and from the server whose key is known only; INITIATE is sent to no other, and holds what
it must hold.
"""

from __future__ import annotations

from fuzz.curve import CLIENT, CONNECTION, SERVER, STRANGER, flip, number, public, seal, shared, unseal
from fuzz.mechanism import attempt, commands_of, metadata_of, options_of
from fuzz.source import Source, require
from libzmq_py.mechanisms.curve.client import CurveClient
from libzmq_py.mechanisms.mechanism import Status
from libzmq_py.options import Options

MAX_LEN = 100
TOKENS = (b"\7WELCOME", b"\5READY", b"\5ERROR\x03400", b"\x0bSocket-Type\0\0\0\3REP")
_GOOD = b"\0" + b"\1\0\0" + b"\0" + b"\2\0\1\0\0"
SEEDS = {
    "accepted": b"\0" + _GOOD,
    "refused": b"\0" + b"\0" + b"\3\4\x03400",
    "refused-later": b"\0" + b"\0" + b"\1\0\0" + b"\0" + b"\3\4\x03500",
    "out-of-turn": b"\0" + b"\2\0\1\0\0",
    "raw": b"\0" + b"\0" + b"\4\x08\7WELCOME",
    "type": b"\0" + b"\0" + b"\1\0\0" + b"\0" + b"\2\0\1\0\2\4NONE",
    **{f"welcome-{defect}": b"\0\0" + b"\1" + bytes((defect,)) + b"\7" for defect in range(1, 6)},
    **{f"ready-{defect}": b"\0\0\1\0\0\0" + b"\2" + bytes((defect,)) + b"\1\7\0" for defect in range(1, 5)},
}
_COOKIE = bytes(range(96))


def check(data: bytes) -> None:
    """One input: options, then what happens."""
    source = Source(data)
    options, _ = options_of(source)
    options.curve_public_key, options.curve_secret_key = public(CLIENT), CLIENT
    options.curve_server_key = public(SERVER)
    peer = _Server(CurveClient(options), options)
    while source and peer.going:
        kind = source.byte() % 5
        if kind == 0:
            peer.listen()
        elif kind == 1:
            peer.welcome(source)
        elif kind == 2:
            peer.ready(source)
        else:
            peer.say((b"\5ERROR" if kind == 3 else b"") + source.chunk(), False)
    if peer.mechanism.status is Status.READY:
        require(peer.welcomed and peer.made_ready, "ready without READY")
    peer.mechanism.destroy()


class _Server:
    """The peer of a client, who writes down what it may expect."""

    def __init__(self, mechanism: CurveClient, options: Options) -> None:
        self.mechanism = mechanism
        self.going = True
        self.welcomed = self.made_ready = False
        self._options = options
        self._said: list[bytes] = []
        # C'.
        self._client = public(STRANGER)

    def listen(self) -> None:
        """Let the client speak."""
        said: list[bytes] = []
        self.going = attempt(self.mechanism, lambda: said.extend(commands_of(self.mechanism)))
        self._said += said
        for command in said:
            if command.startswith(b"\5HELLO"):
                self._client = command[80:112]
                key = shared(self._client, SERVER)
                zeros = unseal(command[120:], b"CurveZMQHELLO---" + command[112:120], key)
                require(len(command) == 200 and zeros == bytes(64), "HELLO")
            else:
                self._check_initiate(command)

    def _check_initiate(self, command: bytes) -> None:
        require(self.welcomed and command.startswith(b"\x08INITIATE" + _COOKIE), "INITIATE", command)
        key = shared(self._client, CONNECTION)
        content = unseal(command[113:], b"CurveZMQINITIATE" + command[105:113], key)
        vouch_key = shared(content[:32], CONNECTION)
        vouch = unseal(content[48:128], b"VOUCH---" + content[32:48], vouch_key)
        require(content[:32] == public(CLIENT) and vouch == self._client + public(SERVER), "the vouch")

    def say(self, command: bytes, may_pass: bool) -> bool:
        """A command; one with a defect is not accepted."""
        self.going = attempt(self.mechanism, lambda: self.mechanism.process_handshake_command(command))
        require(may_pass or not self.going, "accepted", command)
        return self.going

    def welcome(self, source: Source) -> None:
        """WELCOME: defects of box, size, key, and S'."""
        defect, where = source.byte() % 6, source.byte()
        secret = STRANGER if defect == 1 else SERVER
        own = (bytes(32), b"\1" + bytes(31))[where % 2] if defect == 2 else public(CONNECTION)
        nonce = b"WELCOME-" + bytes(16)
        box = seal(own + _COOKIE, nonce, shared(self._client, secret))
        if defect == 3:
            box = flip(box, where)
        command = b"\7WELCOME" + nonce[8:] + box
        if defect == 4:
            command += b"x"
        elif defect == 5:
            command = command[: where % 168]
        in_turn = len(self._said) == 1 and not self.welcomed
        if self.say(command, not defect and in_turn):
            self.welcomed = True
        else:
            require(defect or not in_turn, "a good WELCOME is refused")

    def ready(self, source: Source) -> None:
        """READY: defects of box, size and key."""
        defect, nonce, where = source.byte() % 5, source.number(1), source.byte()
        metadata = metadata_of(source, self._options.type)
        key = shared(self._client, STRANGER if defect == 1 else CONNECTION)
        box = seal(metadata, b"CurveZMQREADY---" + number(nonce), key)
        if defect == 2:
            box = flip(box, where)
        command = b"\5READY" + number(nonce) + box
        if defect == 3:
            command += b"x"
        elif defect == 4:
            command = command[: where % 30]
        if self.say(command, not defect and len(self._said) == 2 and not self.made_ready):
            self.made_ready = True
