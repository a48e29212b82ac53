# SPDX-License-Identifier: MPL-2.0
"""Tests of libzmq_py; they run unchanged against the real libzmq (LIBZMQ_PY_TARGET=zmq)."""
