# SPDX-License-Identifier: MPL-2.0
"""Handshakes and messages captured from real libzmq (wire-vectors 11); both implementations of the box against them.

Secret keys are one byte repeated: s "Q", c "C", c' "c", s' "s" (second capture), cookie key 0x22.
"""

from __future__ import annotations

import pytest

from libzmq_py.codecs.v2_decoder import V2Decoder
from libzmq_py.constants import SocketType
from libzmq_py.mechanisms.curve import client as client_module
from libzmq_py.mechanisms.curve.client import CurveClient
from libzmq_py.mechanisms.curve.crypto import Secret, beforenm, open_box, public_key, seal_box
from libzmq_py.mechanisms.curve.server import CurveServer
from libzmq_py.mechanisms.mechanism import Status
from libzmq_py.mechanisms.zap_client import State
from libzmq_py.metadata import add_property
from libzmq_py.msg import COMMAND, Msg
from tests.mechanisms.fakes import FakeHost, commands_of, options
from tests.support import box
from tests.support.security import CurveClientScript, CurveServerScript

S_SECRET, C_SECRET, CN_SECRET, SN_SECRET, COOKIE_KEY = b"Q" * 32, b"C" * 32, b"c" * 32, b"s" * 32, b"\x22" * 32
S_PUBLIC = bytes.fromhex("ad908a8a708aca07588cda7c4ed3e44d4966a80a9abb2f1e4bbac53c67414e34")
C_PUBLIC = bytes.fromhex("cdefd8783a91b446640e2e1f95599db35e484a0071bd2182b3b60d0812c10c70")
CN_PUBLIC = bytes.fromhex("815fb6314405e007d04ed215c223d5cd4b799d07bb7189ad10dbf324ea534271")
SN_PUBLIC = bytes.fromhex("0cd33b7ae5d4f23a1e820949c543157d3d24408b196ff9ce29a9ce715c6d2139")
K_1 = bytes.fromhex("cb974025449d23d0b6d55087bc83356cadaf4f736262fda1902f12f69d447fd7")
K_2 = bytes.fromhex("0df136104e144c084f97d9b4944b40f57dd59cc8cee02bffb9305257075569db")

# Whole frames. First capture: a scripted client against libzmq's server; second: libzmq's client against a scripted
# server.
HELLO_1 = bytes.fromhex(
    "04c80548454c4c4f01000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000815fb6314405e007d04ed215c223"
    "d5cd4b799d07bb7189ad10dbf324ea534271000000000000000180b387e0450f336cc95b0e473c385e7a3300e6bfc9a5"
    "61007dda6e909fed4dc2220f8849bdbc23461dcaf953d9bdc13b2aee3691c12a317defe75a88f0b6db0115b9146339bb"
    "86718723c1f1fcfcbb48"
)
WELCOME_1 = bytes.fromhex(
    "04a80757454c434f4d453e6b048639379e5a4327d32de94ceca36f9dd422830252c6b770c2e371971c593f574f17b2f2"
    "40572b78ee25d66cf5dac56c2a1e922d1b9f9c8ddb9ebafa785ee05abf76455f31864bfc75af4924bc48ebfd0091e251"
    "8cb19bea756eb6c0831f3b71f0da0552457fa5b7bd5725e664feb845d545d0ff3897f770122da417d170bf2894c26d1b"
    "fca3df447e7cdca0678ef8a2b4b2445d78b55fc3fe73b9715a00"
)
INITIATE_1 = bytes.fromhex(
    "06000000000000012708494e49544941544587166f84a3cdfe3008eb5b4e0e35f8ed9099c5e9e10a5c600bf4080f06ef"
    "004770912a95cab8f68c6ed9e8d2c2af8fa65b5824fa54a43d88925823915bf6ecc0cd555a810d44344b1de0c9a7f954"
    "b8a11f562c3150f910946dc8bcaa9072b120000000000000000293dc3a42567e3c4631c10d8400b626091190a12cd18b"
    "ef0d2ac2cfd3494a5a095f715d4e2425e93e53327108642b0ec29a9ee5a0de572cd74086c3fefdbc3de9eb66f2fbe467"
    "139d8863e3a43df11819decff897b96f21ee7a163966ba90e20fa4b3e9a1ae4153ca8504a5bbd988ce15ca78a0795b37"
    "2fd7d07d6168cb427ca4e96b7b590f07aed183ca7fc91058ba0cc84b2721a1e5a0c41154ac5554937802905f2696ab47"
    "fe32f01df697ed3646365e82cdb9c562"
)
READY_1 = bytes.fromhex(
    "04410552454144590000000000000001aead112545d4567e8277c952d5a74dc09b0ef19324767cd45b87bafe06aabd7b"
    "07ed775e37bc206cee807316b2c8c55c0d3a68"
)
HELLO_2 = bytes.fromhex(
    "04c80548454c4c4f01000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000bf1e4c950c81035c62a39322ec7d"
    "070d439cea194bbad3e5234d595dbe17d5790000000000000001f2a9bc692d193fae41748e97bf59671cbd3b821b988a"
    "f891492d0516f321372348211f580ada9601950c8a65692fd893447cdd36c16466ed380ca428bfec11545c9b914702ea"
    "ba1e92acabce5f1eb500"
)
WELCOME_2 = bytes.fromhex(
    "04a80757454c434f4d4533333333333333333333333333333333795be2c13306f13fbcb9cf813d55e02cb40b1797251e"
    "0392647b07c30610365899e0318e6ae61f4b7e5804bf252c17354b7668c5b3b8e24db4ed22182c48216966e84b6a1a70"
    "e7ec3e824c37563800c499fb5143205f65347eb863f025e5a7ae6b59b286752bc553d6f039cacbb9144db8ef361145ee"
    "3e29fd6b498d9571c2f5097e2171346a614e87ec7889088f41d7"
)
INITIATE_2 = bytes.fromhex(
    "06000000000000011408494e49544941544511111111111111111111111111111111594b7586ac9f8e6efdfe0ba9f6e0"
    "757d2d2fb16438ee384cbe030c79a426d8bad428192924e4f0877ddf0320d0ce197ca2b5cd1db3e3b6c30c9eb1b199fe"
    "e74c7c339ceb2733efa0ae68552f81510d5800000000000000027ae72df8f08b11dd81b279ad19ab05f8f2fa2d7dedb4"
    "b43414c4f08852eac3d3c09413c926be94198a1061dfd5d88e968090e01b32ca778fb8466a820346e2bca9eb220be2d8"
    "5853c929e990cc17a5d155515a784fb83b881773d9262f05d7ccc21289454a5d7a1ba4e2b5764f0eff1877deb0a23d66"
    "d2fa9c3b411fbff5728e243597b9c014fba3431e1a8b8929cab981b58c1a5c0192e115ccbaa837e86bc98d242f"
)
READY_2 = bytes.fromhex(
    "04310552454144590000000000000001c40c1574ad4100108f221456fa8e01368d09af301ee27ecd944908079b102944"
    "6a3d00"
)
MESSAGE_FROM_CLIENT = bytes.fromhex(
    "0026074d45535341474500000000000000033f6cc6255ed195c7b0cfeef794d9ceee9458a75c18f5"
)
MESSAGES_FROM_SERVER = bytes.fromhex(
    "0022074d45535341474500000000000000022211c24c33fb4a0071ee16080fedf8f1201a"
    "0023074d455353414745000000000000000315a25789e58715eb11754081" "78b72f8dbbc2eb"
)
PING_FROM_CLIENT = bytes.fromhex(
    "002a074d4553534147450000000000000004a1d49be066bb5c1fb334c94a74d29fbac75e96303463f09aa7e8"
)
PONG_FROM_SERVER = bytes.fromhex(
    "0028074d455353414745000000000000000460c76d7bb2630a7d7ac067e918a294a3cefec8109dac4b18"
)
SUBSCRIPTION = bytes.fromhex(
    "002c074d4553534147450000000000000003e3b96978ab9b2f84397d18943a226fa67579"
    "8da1dfb47f768c50b344"
)


def body(frame: bytes) -> bytes:
    """The command in a frame."""
    return frame[9:] if frame[0] & 2 else frame[2:]


@pytest.mark.parametrize(
    ("secret", "public"), [(S_SECRET, S_PUBLIC), (C_SECRET, C_PUBLIC), (CN_SECRET, CN_PUBLIC), (SN_SECRET, SN_PUBLIC)]
)
def test_public_keys(secret: bytes, public: bytes) -> None:
    """By libsodium, and by `cryptography`."""
    assert public_key(secret) == public
    assert box.public_of(secret) == public


def test_both_implementations_agree() -> None:
    """On the shared key and on boxes of many lengths."""
    key = box.box_key(S_PUBLIC, C_SECRET)
    assert key == bytes(beforenm(S_PUBLIC, C_SECRET)) == bytes(beforenm(C_PUBLIC, S_SECRET))
    nonce = bytes(range(24))
    for size in (*range(70), 127, 128, 129, 255, 256, 1000):
        message = bytes(range(256)) * 4
        sealed = seal_box(message[:size], nonce, Secret(key))
        assert sealed == box.seal(message[:size], nonce, key)
        assert box.open_(sealed, nonce, key) == open_box(sealed, nonce, Secret(key)) == message[:size]


def our_client(monkeypatch: pytest.MonkeyPatch) -> CurveClient:
    """The client of the first capture."""
    monkeypatch.setattr(client_module, "keypair", lambda: (CN_PUBLIC, Secret(CN_SECRET)))
    monkeypatch.setattr(client_module, "random_bytes", lambda count: b"\x99" * count)
    keys = {"curve_public_key": C_PUBLIC, "curve_secret_key": C_SECRET, "curve_server_key": S_PUBLIC}
    return CurveClient(options(SocketType.DEALER, routing_id=b"cli", **keys), FakeHost())


def test_our_client_in_the_place_of_the_scripted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its keys and its nonce it says what it said, byte for byte, and understands what libzmq answered."""
    client = our_client(monkeypatch)
    assert commands_of(client) == [body(HELLO_1)]
    client.process_handshake_command(body(WELCOME_1))
    assert commands_of(client) == [body(INITIATE_1)]
    client.process_handshake_command(body(READY_1))
    assert client.status is Status.READY
    assert client.precom is not None
    assert bytes(client.precom) == K_1
    assert list(client.zmtp_properties) == [("Socket-Type", b"DEALER"), ("Identity", b"")]
    encoder, decoder = client.secure(None, V2Decoder(-1), downgrade_sub=False)
    assert b"".join(encoder.encode([b"hello"])) == MESSAGE_FROM_CLIENT
    assert decoder.decode(MESSAGES_FROM_SERVER) == [(b"A", b"BB")]
    assert b"".join(encoder.encode([Msg(b"\4PING\0\0ab", COMMAND)])) == PING_FROM_CLIENT
    (pong,) = decoder.decode(PONG_FROM_SERVER)
    assert isinstance(pong, Msg)
    assert bytes(pong.data) == b"\4PONGab"


def test_our_server_in_the_place_of_the_scripted_one() -> None:
    """Given its secrets, it understands what libzmq's client said to it."""
    host = FakeHost(handler=False)
    server = CurveServer(options(SocketType.PUB, as_server=1, curve_secret_key=S_SECRET), host)
    server.process_handshake_command(body(HELLO_2))
    server._cn_public, server._cn_secret = SN_PUBLIC, Secret(SN_SECRET)
    server._cookie_key = Secret(COOKIE_KEY)
    server.state = State.WAITING_FOR_INITIATE
    server.process_handshake_command(body(INITIATE_2))
    assert commands_of(server) == [body(READY_2)]
    assert server.precom is not None
    assert bytes(server.precom) == K_2
    assert list(server.zmtp_properties) == [("Socket-Type", b"SUB")]
    _, decoder = server.secure(None, V2Decoder(-1), downgrade_sub=False)
    (subscription,) = decoder.decode(SUBSCRIPTION)
    assert isinstance(subscription, Msg)
    assert bytes(subscription.data) == b"\x09SUBSCRIBET"


def test_the_scripts_of_the_tests_agree_with_the_captures() -> None:
    """What other tests use as their peers is itself held against real libzmq."""
    client = CurveClientScript(S_PUBLIC, C_SECRET, CN_SECRET)
    assert client.hello() == body(HELLO_1)
    client.take_welcome(body(WELCOME_1))
    metadata = add_property("Socket-Type", b"DEALER") + add_property("Identity", b"cli")
    assert client.initiate(metadata, vouch=client.vouch(nonce=b"\x99" * 16)) == body(INITIATE_1)
    client.take_ready(body(READY_1))
    assert client.key == K_1
    assert client.message(b"hello", 3) == body(MESSAGE_FROM_CLIENT)
    server = CurveServerScript(S_SECRET, SN_SECRET, COOKIE_KEY)
    server.take_hello(body(HELLO_2))
    assert server.take_initiate(body(INITIATE_2)) == add_property("Socket-Type", b"SUB")
    assert server.ready(add_property("Socket-Type", b"PUB")) == body(READY_2)
    assert server.take_message(body(SUBSCRIPTION)) == (3, 2, b"\x09SUBSCRIBET")
