# SPDX-License-Identifier: MPL-2.0
"""Our library talking to a real libzmq (pyzmq), and both put through the same scenarios side by side."""
