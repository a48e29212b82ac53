# SPDX-License-Identifier: MPL-2.0
"""The helpers under pyzmq's names: jsonapi, z85, strtypes, interop, win32, monitor."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest

from tests.api.helpers import run_script
from tests.conftest import TARGET
from tests.support.target import zmq

#: An example of RFC 32, and the key in zmq_curve(7).
HELLO = (bytes.fromhex("864fd26fb559f75b"), b"HelloWorld")


def utils(name: str) -> ModuleType:
    return importlib.import_module(f"{TARGET}.utils.{name}")


def test_json_goes_through_bytes() -> None:
    """dumps gives UTF-8, loads takes it, or a str; keyword arguments are json's."""
    jsonapi = utils("jsonapi")
    thing = {"ä": [1, 2.5, None, True], "": {}}
    assert jsonapi.dumps(thing, ensure_ascii=False) == '{"ä": [1, 2.5, null, true], "": {}}'.encode()
    assert jsonapi.loads(jsonapi.dumps(thing)) == thing
    assert jsonapi.loads("[1]", parse_int=float) == [1.0]
    assert jsonapi.jsonmod.__name__ == "json"


def test_z85() -> None:
    """The RFC's example, str and bytes, empty; the table is complete."""
    z85 = utils("z85")
    raw, text = HELLO
    assert z85.encode(raw) == text and z85.encode(bytearray(raw)) == text and z85.encode(memoryview(raw)) == text
    assert z85.decode(text) == raw and z85.decode(text.decode()) == raw and z85.decode(bytearray(text)) == raw
    assert z85.encode(b"") == b"" == z85.decode("") == z85.decode(b"")
    assert len(z85.Z85CHARS) == 85 and all(z85.Z85CHARS[value] == digit for digit, value in z85.Z85MAP.items())


@pytest.mark.parametrize("text", ["1234", b"123456", "äääää"])
def test_z85_of_the_wrong_length(text: Any) -> None:
    """What cannot be Z85 is a ValueError."""
    with pytest.raises(ValueError, match=r"5|ASCII"):
        utils("z85").decode(text)
    with pytest.raises(ValueError, match="4"):
        utils("z85").encode(b"12345")


@pytest.mark.parametrize("wrong", [None, 0, 5, 20])
def test_z85_of_what_is_no_text(wrong: Any) -> None:
    """Numbers and None are TypeErrors, a str has no bytes to encode."""
    for call in (utils("z85").decode, utils("z85").encode):
        with pytest.raises(TypeError):
            call(wrong)
    for data in ("abcd", [1, 2, 3, 4]):
        with pytest.raises(TypeError, match="bytes-like"):
            utils("z85").encode(data)


@pytest.mark.departs
def test_z85_of_the_wrong_digits() -> None:
    """A character that is no digit, and five digits that exceed four bytes, are ValueErrors too."""
    for text in (b"1234~", b"#####"):
        with pytest.raises(ValueError, match="characters 0 to 4"):
            utils("z85").decode(text)


def test_strtypes_are_deprecated() -> None:
    """They work, and say that one should not use them."""
    strtypes = utils("strtypes")
    with pytest.warns(DeprecationWarning, match="deprecated in pyzmq 23|deprecated, as in pyzmq 23"):
        assert strtypes.cast_bytes("ä") == strtypes.b(b"\xc3\xa4") == strtypes.asbytes("ä") == b"\xc3\xa4"
    with pytest.warns(DeprecationWarning) as caught:
        assert strtypes.cast_unicode(b"\xe4", "latin1") == strtypes.u("ä") == "ä"
    assert caught[0].filename == __file__
    for cast in (strtypes.cast_bytes, strtypes.cast_unicode):
        with pytest.warns(DeprecationWarning), pytest.raises(TypeError, match="5"):
            cast(5)
    assert isinstance("", strtypes.basestring) and strtypes.unicode is str and strtypes.bytes is bytes


def test_cast_int_addr() -> None:
    """An int stays; what is no number is refused."""
    interop = utils("interop")
    assert interop.cast_int_addr(5) == 5
    with pytest.raises(ValueError, match="'x'"):
        interop.cast_int_addr("x")


def test_allow_interrupt_does_nothing_here() -> None:
    """The block runs; the action does not, unless on Windows Ctrl-C comes."""
    win32 = utils("win32")
    ran = []
    with win32.allow_interrupt(lambda: ran.append(1)), win32.allow_interrupt():
        pass
    assert ran == []


def test_monitor_messages(socket: Any) -> None:
    """utils.monitor has what reads a monitor."""
    monitor = utils("monitor")
    left = socket(zmq.PAIR)
    events = left.get_monitor_socket()
    left.bind("tcp://127.0.0.1:*")
    told = monitor.recv_monitor_message(events)
    assert told["event"] == zmq.EVENT_LISTENING and told["endpoint"] == left.last_endpoint
    left.disable_monitor()
    assert monitor.recv_monitor_message(events)["event"] == zmq.EVENT_MONITOR_STOPPED
    events.close()
    with pytest.raises(RuntimeError, match="nonsense"):
        monitor.parse_monitor_message([b"nonsense"])


@pytest.mark.departs
def test_modules_are_there_after_importing_the_package() -> None:
    """zmq.utils.monitor, zmq.devices, zmq.decorators and zmq.log need no import of their own."""
    done = run_script(
        """
        import sys
        assert "libzmq_py.utils" not in sys.modules
        zmq.utils.z85.encode, zmq.utils.monitor.parse_monitor_message, zmq.utils.win32, zmq.utils.interop
        zmq.utils.jsonapi, zmq.utils.strtypes, zmq.devices.ThreadDevice, zmq.decorators.socket, zmq.log.handlers
        for package in (zmq, zmq.utils, zmq.log):
            try:
                package.nonsense
            except AttributeError as error:
                assert "nonsense" in str(error)
            else:
                raise AssertionError(package)
        """
    )
    assert done.stderr == ""
