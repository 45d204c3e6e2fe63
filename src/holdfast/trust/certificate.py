"""Certificates: what one says about itself, for people; the judgement is TLS's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.errors import InvalidInput

__all__ = ["CertificateFacts", "CertificateUnreadable", "read_certificate"]


class CertificateUnreadable(InvalidInput):
    """The file holds no certificate."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Of the first certificate in a file."""

    names: tuple[str, ...]
    """DNS names and addresses it is for."""
    not_before_at: datetime
    not_after_at: datetime


def read_certificate(pem: bytes) -> CertificateFacts:
    """Read the first certificate of `pem`. Raises CertificateUnreadable."""
    from cryptography import x509  # noqa: PLC0415  # 0.1 s of a cold start that a node without TLS need not spend

    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateUnreadable(f"expected a PEM certificate, found none that can be read ({error})") from error
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))
    except (x509.ExtensionNotFound, ValueError):
        names = ()
    return CertificateFacts(names, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
