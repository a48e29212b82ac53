# SPDX-License-Identifier: MPL-2.0
"""The exceptions, under the name of pyzmq's module: ``from libzmq_py.error import ZMQError``.

No libzmq twin: they live in ``errors.py``.
"""

from libzmq_py.errors import (
    Again,
    ContextTerminated,
    DraftFDWarning,
    InterruptedSystemCall,
    NotDone,
    ZMQBaseError,
    ZMQBindError,
    ZMQError,
    ZMQVersionError,
    _check_rc,
    _check_version,
)

__all__ = [
    "Again",
    "ContextTerminated",
    "DraftFDWarning",
    "InterruptedSystemCall",
    "NotDone",
    "ZMQBaseError",
    "ZMQBindError",
    "ZMQError",
    "ZMQVersionError",
    "_check_rc",
    "_check_version",
]
