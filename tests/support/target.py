# SPDX-License-Identifier: MPL-2.0
"""The library under test: libzmq_py, or the real libzmq through pyzmq with LIBZMQ_PY_TARGET=zmq.

No libzmq twin: test support. A test that imports `zmq` from here states something of libzmq itself, checked on both.
"""

import importlib
import os

zmq = importlib.import_module(os.environ.get("LIBZMQ_PY_TARGET", "libzmq_py"))
