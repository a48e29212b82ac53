# SPDX-License-Identifier: MPL-2.0
"""Who may connect: ZAP handlers ready for use, and key files::

    from libzmq_py import auth
    from libzmq_py.auth.thread import ThreadAuthenticator

    auth.create_certificates("keys", "server")          # keys/server.key, keys/server.key_secret
    guard = ThreadAuthenticator(ctx)
    guard.start()
    guard.configure_curve(domain="*", location="keys/clients")

``ThreadAuthenticator`` answers in a thread of its own; ``Authenticator`` leaves it to you to receive on its socket.

Mirrors: pyzmq's zmq/auth/__init__.py.
Departs: no ``auth.asyncio`` yet.
"""

from __future__ import annotations

from libzmq_py.auth.base import CURVE_ALLOW_ANY, Authenticator
from libzmq_py.auth.certs import create_certificates, fingerprint, load_certificate, load_certificates

__all__ = [
    "CURVE_ALLOW_ANY",
    "Authenticator",
    "create_certificates",
    "fingerprint",
    "load_certificate",
    "load_certificates",
]
