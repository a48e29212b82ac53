# SPDX-License-Identifier: MPL-2.0
"""Fuzzing: any bytes give messages, a documented error, or a close, within bounds; see README.md here."""
