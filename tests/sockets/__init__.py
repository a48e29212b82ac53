# SPDX-License-Identifier: MPL-2.0
"""Each rule of the eleven socket types, seen through the public face; the same tests hold for the real libzmq."""
