# SPDX-License-Identifier: MPL-2.0
"""Every byte on the wire: transcripts of ZMTP 3.1, 3.0, 2.0 and 1.0 and of the NULL mechanism, and how errors end."""
