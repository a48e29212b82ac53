# SPDX-License-Identifier: MPL-2.0
"""Helpers shared by the tests: the library under test, scripted peers, waiting."""
