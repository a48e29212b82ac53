# SPDX-License-Identifier: MPL-2.0
"""Reading what a socket's monitor sends, under the name of pyzmq's module.

No libzmq twin: pyzmq's utils/monitor.py; see ``libzmq_py.api.monitor``.
"""

from libzmq_py.api.monitor import (
    _MonitorMessage,
    _MonitorMessageV2,
    parse_monitor_message,
    parse_monitor_message_v2,
    recv_monitor_message,
)

__all__ = [
    "_MonitorMessage",
    "_MonitorMessageV2",
    "parse_monitor_message",
    "parse_monitor_message_v2",
    "recv_monitor_message",
]
