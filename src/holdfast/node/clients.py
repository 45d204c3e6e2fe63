"""Clients with a certificate: whom the node's own authorities vouch for, and what role each name has."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.access import Caller, Role
from holdfast.errors import InvalidInput

__all__ = ["ClientAuthorities", "ClientAuthoritiesUnusable"]

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME


class ClientAuthoritiesUnusable(InvalidInput):
    """The file of authorities holds none."""


class ClientAuthorities:
    """Authorities, revocation lists and the names that count. Without a file nobody is asked for a certificate."""

    def __init__(self, file: Path | None, roles: Mapping[str, str]) -> None:
        self._file = file
        self._callers = {
            name.lower(): Caller(name=f"certificate {name}", role=Role[role.upper()]) for name, role in roles.items()
        }

    def put_into(self, context: ssl.SSLContext) -> None:
        """Have `context` ask for a certificate, and refuse one that does not hold. Raises ClientAuthoritiesUnusable."""
        if self._file is None:
            return
        try:
            context.load_verify_locations(cafile=str(self._file))
            if b"-----BEGIN X509 CRL-----" in self._file.read_bytes():
                context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        except OSError as error:
            raise ClientAuthoritiesUnusable(
                f"server.tls_client_ca {self._file}: expected a PEM file of certificates the node can read, "
                f"found: {error.strerror or error}"
            ) from error
        context.verify_mode = ssl.CERT_OPTIONAL
        # A resumed session is not verified again: who is revoked must not come back with an old ticket.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0

    def judge_dates(self, context: ssl.SSLContext, *, trusted: bool) -> None:
        """Have the dates of certificates count, or not while the wall clock cannot be trusted."""
        if self._file is not None:
            context.verify_flags = (
                context.verify_flags & ~_NO_CHECK_TIME if trusted else context.verify_flags | _NO_CHECK_TIME
            )

    def caller_of(self, certificate: Mapping[str, Any] | None) -> Caller | None:
        """Who has this certificate (as `getpeercert` gives it, verified); None for nobody the settings name."""
        if not certificate:
            return None
        return next((self._callers[name] for name in _names(certificate) if name in self._callers), None)


def _names(certificate: Mapping[str, Any]) -> list[str]:
    """DNS names; the common name only where there are none (RFC 6125, 6.4.4)."""
    alternatives = [str(name).lower() for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS"]
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    return alternatives or [str(value).lower() for key, value in subject if key == "commonName"]
