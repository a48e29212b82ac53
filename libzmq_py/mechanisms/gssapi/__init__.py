# SPDX-License-Identifier: MPL-2.0
"""GSSAPI: Kerberos decides who the peers are, and gives them a key.

RFC 38 has little more than the name; what goes over the wire is what libzmq sends.  No libzmq twin of its own.

    client (has a ticket)                         server (has a keytab)
      INITIATE  token ─▶
                                        ◀─ INITIATE  token            until both say that it is complete
      (an empty command) ─▶
                                           asks the ZAP handler about the principal, if there is one
                                        ◀─ READY     metadata
      READY     metadata ─▶
      MESSAGE   sealed flags and payload ◀──▶

READY goes as a MESSAGE too, unless GSSAPI_PLAINTEXT is set: then nothing is sealed after the tokens.
"""
