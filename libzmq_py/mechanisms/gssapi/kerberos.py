# SPDX-License-Identifier: MPL-2.0
"""Security contexts of Kerberos 5, by the package `gssapi`.

Mirrors: acquire_credentials and the calls of GSSAPI in src/gssapi_mechanism_base.cpp, src/gssapi_client.cpp and
src/gssapi_server.cpp.
Departs: each side acquires what it uses, a client a ticket and a server a key; libzmq wants both of both.  Contexts are
of Kerberos itself, without negotiation.  The client asks that messages be in sequence, too, and not only that none
comes twice.  What the peer has not encrypted is an error; libzmq aborts the process.

Where tickets and keys are is for the Kerberos library to know (KRB5CCNAME, KRB5_KTNAME, krb5.conf).  It reads files,
and asks the KDC for a service's ticket, while it is called: this is the one mechanism that may keep its thread waiting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from libzmq_py.mechanisms.gssapi.context import ContextError

if TYPE_CHECKING:
    from libzmq_py.mechanisms.gssapi.context import ContextFactory, SecurityContext
    from libzmq_py.options import Options

# Not a dependency, so not there for a type checker either.
gssapi: Any = importlib.import_module("gssapi")
_errors: Any = importlib.import_module("gssapi.exceptions")
_GSS_ERRORS: Final[tuple[type[Exception], ...]] = (_errors.GSSError, _errors.GeneralError)
_MECH: Final = gssapi.MechType.kerberos
_FLAGS: Final = (
    gssapi.RequirementFlag.mutual_authentication,
    gssapi.RequirementFlag.replay_detection,
    gssapi.RequirementFlag.out_of_sequence_detection,
    gssapi.RequirementFlag.integrity,
    gssapi.RequirementFlag.confidentiality,
)
#: GSSAPI_PRINCIPAL_NAMETYPE: how a name is to be read.
_NAME_TYPES: Final = (
    gssapi.NameType.hostbased_service,
    gssapi.NameType.user,
    gssapi.NameType.kerberos_principal,
)


class KerberosContext:
    """A `SecurityContext`."""

    def __init__(self, context: Any) -> None:
        # Else an error that comes with a token for the peer would be told with the next call only.
        context.__DEFER_STEP_ERRORS__ = False
        self._context = context

    @property
    def complete(self) -> bool:
        """See `SecurityContext`; a client is not sure of a server that has not answered."""
        try:
            if not self._context.complete:
                return False
            flags = self._context.actual_flags
        except _GSS_ERRORS as error:
            raise _context_error(error) from error
        if gssapi.RequirementFlag.mutual_authentication not in flags:
            raise ContextError("the peers are not sure of each other: no mutual authentication")
        return True

    @property
    def initiator(self) -> bytes:
        """See `SecurityContext`."""
        try:
            return bytes(self._context.initiator_name)
        except _GSS_ERRORS as error:
            raise _context_error(error) from error

    def step(self, token: bytes) -> bytes:
        """See `SecurityContext`."""
        try:
            return self._context.step(token or None) or b""
        except _GSS_ERRORS as error:
            raise _context_error(error) from error

    def wrap(self, plaintext: bytes) -> bytes:
        """See `SecurityContext`."""
        try:
            sealed: bytes
            sealed, encrypted = self._context.wrap(plaintext, True)
        except _GSS_ERRORS as error:
            raise _context_error(error) from error
        if not encrypted:
            raise ContextError("this context cannot encrypt")
        return sealed

    def unwrap(self, token: bytes) -> bytes:
        """See `SecurityContext`."""
        try:
            plaintext: bytes
            plaintext, encrypted, _ = self._context.unwrap(token)
        except _GSS_ERRORS as error:
            raise _context_error(error) from error
        if not encrypted:
            raise ContextError("signed, but not encrypted")
        return plaintext


class Kerberos:
    """A `ContextFactory`."""

    def initiate(self, options: Options) -> KerberosContext:
        """With a ticket for GSSAPI_SERVICE_PRINCIPAL, as GSSAPI_PRINCIPAL or, if that is not set, as kinit was told.

        Raises:
            ContextError: there is no ticket, or one of the names is none.
        """
        try:
            service = _name(options.gss_service_principal, options.gss_service_principal_nt)
            credentials = _credentials(options, "initiate")
            context = gssapi.SecurityContext(
                name=service, creds=credentials, mech=_MECH, flags=_FLAGS, usage="initiate"
            )
        except _GSS_ERRORS as error:
            raise _context_error(error) from error
        return KerberosContext(context)

    def accept(self, options: Options) -> KerberosContext:
        """With the key of GSSAPI_PRINCIPAL or, if not set, with any key of the keytab.

        Raises:
            ContextError: the keytab does not have it.
        """
        try:
            context = gssapi.SecurityContext(creds=_credentials(options, "accept"), usage="accept")
        except _GSS_ERRORS as error:
            raise _context_error(error) from error
        return KerberosContext(context)


def _name(text: bytes, name_type: int) -> Any:
    # As a C string: what C programs set ends with a NUL.
    return gssapi.Name(text.partition(b"\0")[0], _NAME_TYPES[name_type])


def _credentials(options: Options, usage: str) -> Any:
    principal = _name(options.gss_principal, options.gss_principal_nt) if options.gss_principal else None
    return gssapi.Credentials(name=principal, usage=usage, mechs=[_MECH])


def _context_error(error: Exception) -> ContextError:
    return ContextError(f"GSSAPI: {error}")


if TYPE_CHECKING:
    _factory: type[ContextFactory] = Kerberos
    _context: type[SecurityContext] = KerberosContext
