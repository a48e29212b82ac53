# SPDX-License-Identifier: MPL-2.0
"""Tests of libzmq_py.devices; they run unchanged against pyzmq (LIBZMQ_PY_TARGET=zmq)."""
