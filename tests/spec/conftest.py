# SPDX-License-Identifier: MPL-2.0
"""The fixtures of the socket tests serve the spec tests too. No libzmq twin: test support."""

from tests.sockets.conftest import watch

__all__ = ["watch"]
