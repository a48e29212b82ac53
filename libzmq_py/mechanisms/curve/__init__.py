# SPDX-License-Identifier: MPL-2.0
"""CURVE: every byte after the greeting secret, both sides sure of each other (RFC 25, 26).

No libzmq twin of its own.

    client (knows S)                              server
      HELLO     C', Box[zeros](C'->S) ─▶
                                        ◀─ WELCOME   Box[S', cookie](S->C')
      INITIATE  cookie, Box[C, vouch, metadata](C'->S') ─▶
                                        ◀─ READY     Box[metadata](S'->C'), or ERROR in clear
      MESSAGE   Box[flags, payload] ◀──▶            under K, made of C' and S'

C/c and S/s are the long-term key pairs, C'/c' and S'/s' those of the connection; cookie = SecretBox[C', s'](t) with a
key t that the server keeps for one connection; vouch = Box[C', S](C->S').
"""
