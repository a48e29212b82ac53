# SPDX-License-Identifier: MPL-2.0
"""GSSAPI with a Kerberos of its own, and with a libzmq that has it: `tox -e gssapi`."""
