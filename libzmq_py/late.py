# SPDX-License-Identifier: MPL-2.0
"""Modules that are imported with the first call that needs them, in a process that has no descriptor left.

No libzmq twin. To import is to open files, and whoever makes a socket should not be told that a module does not exist.
"""

from __future__ import annotations

import errno
import os

from libzmq_py.errors import zmq_error
from libzmq_py.ip import find_shortage


class LateImport:
    """Import inside of `with LateImport():`; what is missing for want of a descriptor is just that.

    Raises:
        ZMQError: EMFILE, ENFILE; the import may be tried again.
    """

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Tell a shortage from a module that does not exist, or does not work."""
        if isinstance(error, (ImportError, OSError)):
            shortage = find_shortage(error)
            if shortage is not None:
                number = shortage.errno or errno.EMFILE
                raise zmq_error(number, f"{os.strerror(number)} (to import what is needed)") from error
