# SPDX-License-Identifier: MPL-2.0
"""A ZAP handler (RFC 27) that decides by addresses, passwords, key files, or a function of yours.

Until it is told otherwise it lets NULL peers in and refuses PLAIN and CURVE peers. ``allow`` and ``deny`` look at the
address first; a peer they let pass has still to prove who it is.

Mirrors: pyzmq's zmq/auth/base.py.
Departs, from pyzmq: ``"*"`` is what holds for domains that have no entry of their own, as pyzmq documents, and not only
for the empty domain. A directory of keys is looked at again when a file in it was added, removed or changed. A
mechanism that is not known is refused whatever the address, a CURVE key of other than 32 bytes whatever the policy. An
exception in a callback, a cancellation too, refuses the peer (500) and is logged; it does not end the handler.
Passwords are compared in constant time and never logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import inspect
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from libzmq_py import z85
from libzmq_py.auth.certs import load_certificate
from libzmq_py.constants import REP
from libzmq_py.errors import ZMQError

if TYPE_CHECKING:
    from libzmq_py.api.context import Context
    from libzmq_py.api.socket import Socket

CURVE_ALLOW_ANY: Final = "*"
VERSION: Final = b"1.0"
_ENDPOINT: Final = "inproc://zeromq.zap.01"
_ANY_DOMAIN: Final = "*"
_REQUEST_FRAMES: Final = 6
_KEY_SIZE: Final = 32

# What of a directory must stay the same for its keys to stay the same: names of files, and the mark of each.
_State = frozenset[tuple[str, tuple[int, ...]]]


class Authenticator:
    """Answers ZAP requests that somebody receives on ``zap_socket`` and hands to ``handle_zap_message``.

    Args:
        context: Of the sockets to guard; None is ``Context.instance()``.
        encoding: Of domains, addresses, names and passwords.
        log: A logger; None is ``libzmq_py.auth``.
    """

    context: Context[Any]
    encoding: str
    allow_any: bool
    credentials_providers: dict[str, Any]
    zap_socket: Socket[bytes] | None
    passwords: dict[str, dict[str, str]]
    certs: dict[str, dict[bytes, Any]]
    log: Any

    def __init__(self, context: Context[Any] | None = None, encoding: str = "utf-8", log: Any = None) -> None:
        from libzmq_py.api.context import Context

        self.context = context or Context.instance()
        self.encoding = encoding
        self.allow_any = False
        # Domain -> object with a `callback(domain, key)`.
        self.credentials_providers = {}
        self.zap_socket = None
        self._allowed: set[str] = set()
        self._denied: set[str] = set()
        # Domain -> user name -> password.
        self.passwords = {}
        # Domain -> public key in Z85 -> True.
        self.certs = {}
        # Domain -> directory of its keys, and how that looked when it was read.
        self._locations: dict[str, tuple[str, _State]] = {}
        self.log = log or logging.getLogger("libzmq_py.auth")

    def start(self) -> None:
        """Bind the handler's socket.

        Raises:
            ZMQError: EADDRINUSE, the context has a handler already; else as ``Context.socket``.
        """
        from libzmq_py.api.socket import Socket

        self.zap_socket = self.context.socket(REP, socket_class=Socket)
        self.zap_socket.linger = 1
        self.zap_socket.bind(_ENDPOINT)
        self.log.debug("Starting")

    def stop(self) -> None:
        """Close the handler's socket; stopping again does nothing."""
        if self.zap_socket is not None and not self.zap_socket.closed:
            # So that the next one can start at once: a closed socket gives its name up when the reaper comes to it.
            with contextlib.suppress(ZMQError):
                self.zap_socket.unbind(_ENDPOINT)
            self.zap_socket.close()
        self.zap_socket = None

    # -- policy -----------------------------------------------------------------------------------------------------

    def allow(self, *addresses: str) -> None:
        """Let in, or on to prove who they are, peers of these IP addresses only.

        Raises:
            ValueError: ``deny`` was used.
        """
        if self._denied:
            raise ValueError("Only use allow or deny, not both")
        self.log.debug("Allowing %s", ",".join(addresses))
        self._allowed.update(addresses)

    def deny(self, *addresses: str) -> None:
        """Refuse peers of these IP addresses.

        Raises:
            ValueError: ``allow`` was used.
        """
        if self._allowed:
            raise ValueError("Only use a allow or deny, not both")
        self.log.debug("Denying %s", ",".join(addresses))
        self._denied.update(addresses)

    def configure_plain(self, domain: str = "*", passwords: dict[str, str] | None = None) -> None:
        """Name the users of a domain, and their passwords; the dict may be changed later.

        Args:
            domain: ZAP_DOMAIN of the sockets it is for; ``"*"`` for all that have none of their own.
            passwords: User name -> password.
        """
        if passwords:
            self.passwords[domain] = passwords
        self.log.debug("Configure plain: %s", domain)

    def configure_curve(self, domain: str = "*", location: str | os.PathLike[str] = ".") -> None:
        """Name the directory whose ``*.key`` files hold the public keys of those who may come in.

        Keys may be added and removed while the handler runs: each handshake looks whether a file has changed.

        Args:
            domain: As for ``configure_plain``.
            location: The directory; ``CURVE_ALLOW_ANY`` lets in whoever has any key.
        """
        self.log.debug("Configure curve: %s[%s]", domain, location)
        if location == CURVE_ALLOW_ANY:
            self.allow_any = True
            return
        self.allow_any = False
        path = os.fspath(location)
        if not os.path.isdir(path):
            self.log.error("Failed to load CURVE certs from %s: Invalid certificate directory: %s", path, path)
            return
        self._locations[domain] = (path, frozenset())
        self.certs[domain] = {}
        self._reload(domain)

    def configure_curve_callback(self, domain: str = "*", credentials_provider: Any = None) -> None:
        """Let an object decide about public keys, say by a database.

        Args:
            domain: As for ``configure_plain``.
            credentials_provider: Has a method ``callback(domain, key)``, the key as Z85, that returns (or, if it is
                ``async``, gives) True for those who may come in.
        """
        self.allow_any = False
        if credentials_provider is not None:
            self.credentials_providers[domain] = credentials_provider
        else:
            self.log.error("None credentials_provider provided for domain:%s", domain)

    def configure_gssapi(self, domain: str = "*", location: str | None = None) -> None:
        """Do nothing: Kerberos has already decided."""

    def curve_user_id(self, client_public_key: bytes) -> str:
        """Return the User-Id of an accepted client: its public key as Z85, unless a subclass knows better."""
        return z85.encode(client_public_key).decode("ascii")

    # -- requests ---------------------------------------------------------------------------------------------------

    async def handle_zap_message(self, msg: list[bytes]) -> None:
        """Answer a request that was received on ``zap_socket``.

        Raises:
            asyncio.CancelledError: A callback, or the task that waits for this, was cancelled; the peer is refused.
        """
        if len(msg) < _REQUEST_FRAMES:
            self.log.error("Invalid ZAP message, not enough frames: %d", len(msg))
            if len(msg) < 2:
                self.log.error("Not enough information to reply")
            else:
                self._send_zap_reply(msg[1], b"400", b"Not enough frames")
            return
        version, request_id = msg[:2]
        if version != VERSION:
            self.log.error("Invalid ZAP version: %r", version)
            self._send_zap_reply(request_id, b"400", b"Invalid version")
            return
        try:
            allowed, reason, user_id = await self._decide(msg[2:_REQUEST_FRAMES], msg[_REQUEST_FRAMES:])
        except (Exception, asyncio.CancelledError) as error:
            # A defect of the application's must not keep others waiting, nor let anybody in.
            self.log.exception("The peer is refused, as deciding about it failed")
            self._send_zap_reply(request_id, b"500", b"Internal error")
            if isinstance(error, asyncio.CancelledError):
                raise  # it may be meant for the task that we run in
            return
        if allowed:
            self._send_zap_reply(request_id, b"200", b"OK", user_id)
        else:
            self._send_zap_reply(request_id, b"400", reason)

    async def _decide(self, request: list[bytes], credentials: list[bytes]) -> tuple[bool, bytes, str]:
        """Whether the peer may come in; if not, why; if so, as whom."""
        domain, address = (part.decode(self.encoding, "replace") for part in request[:2])
        mechanism = request[3]
        self.log.debug("ZAP request: domain=%r address=%r mechanism=%r", domain, address, mechanism)
        reason = self._refuse_address(address)
        if reason:
            return False, reason, ""
        if mechanism == b"NULL":
            self.log.debug("ALLOWED (NULL)")
            return True, b"", "anonymous"
        if mechanism == b"PLAIN" and len(credentials) == 2:
            username, password = (part.decode(self.encoding, "replace") for part in credentials)
            return *self._authenticate_plain(domain, username, password), username
        if mechanism == b"CURVE" and len(credentials) == 1:
            if len(credentials[0]) != _KEY_SIZE:
                self.log.error("Invalid credentials: a CURVE key of %d bytes", len(credentials[0]))
                return False, b"Invalid credentials", ""
            allowed, reason = await self._authenticate_curve(domain, credentials[0])
            return allowed, reason, self.curve_user_id(credentials[0]) if allowed else ""
        if mechanism == b"GSSAPI" and len(credentials) == 1:
            principal = credentials[0].decode("utf-8", "replace")
            return *self._authenticate_gssapi(domain, credentials[0]), principal
        known = mechanism in (b"PLAIN", b"CURVE", b"GSSAPI")
        self.log.error("Invalid credentials: %r with %d frames", mechanism, len(credentials))
        return False, b"Invalid credentials" if known else b"Unknown mechanism", ""

    def _refuse_address(self, address: str) -> bytes:
        """Why peers of this address are refused; empty if they are not."""
        if self._allowed and address not in self._allowed:
            self.log.debug("DENIED (not allowed) address=%s", address)
            return b"Address not allowed"
        if address in self._denied:
            self.log.debug("DENIED (denied) address=%s", address)
            return b"Address denied"
        return b""

    def _authenticate_plain(self, domain: str, username: str, password: str) -> tuple[bool, bytes]:
        if not self.passwords:
            self.log.debug("DENIED (PLAIN) No passwords defined")
            return False, b"No passwords defined"
        users = self._of_domain(self.passwords, domain)
        if users is None:
            reason = b"Invalid domain"
        elif username not in users:
            reason = b"Invalid username"
        elif hmac.compare_digest(password.encode(self.encoding), users[username].encode(self.encoding)):
            self.log.debug("ALLOWED (PLAIN) domain=%s username=%s", domain, username)
            return True, b""
        else:
            reason = b"Invalid password"
        self.log.debug("DENIED (PLAIN) domain=%s: %s", domain, reason.decode())
        return False, reason

    async def _authenticate_curve(self, domain: str, client_key: bytes) -> tuple[bool, bytes]:
        if self.allow_any:
            self.log.debug("ALLOWED (CURVE allow any client)")
            return True, b"OK"
        key = z85.encode(client_key)
        if self.credentials_providers:
            provider = self._of_domain(self.credentials_providers, domain)
            if provider is None:
                return False, b"Unknown domain"
            allowed = provider.callback(domain or _ANY_DOMAIN, key)
            if inspect.isawaitable(allowed):
                allowed = await allowed
        else:
            name = domain if domain in self.certs else _ANY_DOMAIN
            if name not in self.certs:
                return False, b"Unknown domain"
            self._reload(name)
            allowed = self.certs[name].get(key)
        self.log.debug("%s (CURVE) domain=%s client_key=%r", "ALLOWED" if allowed else "DENIED", domain, key)
        return bool(allowed), b"OK" if allowed else b"Unknown key"

    def _authenticate_gssapi(self, domain: str, principal: bytes) -> tuple[bool, bytes]:
        self.log.debug("ALLOWED (GSSAPI) domain=%s principal=%s", domain, principal)
        return True, b"OK"

    @staticmethod
    def _of_domain(entries: dict[str, Any], domain: str) -> Any:
        return entries.get(domain, entries.get(_ANY_DOMAIN))

    def _reload(self, domain: str) -> None:
        """Read the keys of a domain again if a file has changed. A file that holds no key is left out."""
        if domain not in self._locations:
            return  # `certs` was filled by the user
        directory, known = self._locations[domain]
        try:
            state = _state_of(directory)
        except OSError as error:
            self.log.error("Failed to load CURVE certs from %s: %s", directory, error)
            self.certs[domain] = {}  # whoever may have been removed must not come in
            self._locations[domain] = (directory, frozenset())
            return
        if state == known:
            return
        certs: dict[bytes, Any] = {}
        for name, _ in state:
            try:
                certs[load_certificate(os.path.join(directory, name))[0]] = True
            except (OSError, ValueError) as error:
                self.log.error("Failed to load CURVE cert: %s", error)
        self.certs[domain] = certs
        self._locations[domain] = (directory, state)

    def _send_zap_reply(
        self, request_id: bytes, status_code: bytes, status_text: bytes, user_id: str = "anonymous"
    ) -> None:
        user = user_id.encode(self.encoding, "replace") if status_code == b"200" else b""
        self.log.debug("ZAP reply code=%s text=%s", status_code, status_text)
        if self.zap_socket is None:
            raise AssertionError("requests come from the ZAP socket, so there is one")
        self.zap_socket.send_multipart([VERSION, request_id, status_code, status_text, user, b""])


def _state_of(directory: str) -> _State:
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".key") and not entry.name.startswith("."):
                found.append((entry.name, _mark_of(entry)))
    return frozenset(found)


def _mark_of(entry: os.DirEntry[str]) -> tuple[int, ...]:
    """What changes with a file. Size and time of change can be those of before in another file, or be set back."""
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere, say: reading it will fail, and be logged, while the other files are read
        return ()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


__all__ = ["CURVE_ALLOW_ANY", "Authenticator"]
