# SPDX-License-Identifier: MPL-2.0
"""The pattern RFCs, clause by clause; the same tests hold for the real libzmq."""
