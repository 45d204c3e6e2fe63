"""The node's own certificate: read at start and again at each reload, watched for its end."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import InvalidInput
from holdfast.finding import Finding, Severity
from holdfast.node.clients import ClientAuthorities
from holdfast.trust.certificate import CertificateFacts, CertificateUnreadable, read_certificate

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Tls", "TlsFilesUnusable"]

_SOON = timedelta(days=21)
_OTHERS_MAY_READ = 0o004


class TlsFilesUnusable(InvalidInput):
    """Certificate and key cannot be used together."""


class Tls:
    """Certificate and key of the listening address; without them `context` is None and the address speaks HTTP."""

    def __init__(self, node: Node) -> None:
        self._node = node
        server = node.loaded.settings.server
        self._files = (Path(server.tls_certificate), Path(server.tls_key)) if server.tls_certificate else None
        self.clients = ClientAuthorities(
            Path(server.tls_client_ca) if server.tls_client_ca else None, server.tls_clients
        )
        self.context: ssl.SSLContext | None = None
        self._facts: CertificateFacts | None = None

    def open(self) -> ssl.SSLContext | None:
        """Read the files and return the context to serve with. Raises TlsFilesUnusable, ClientAuthoritiesUnusable."""
        if self._files is not None:
            context = _new_context()
            self._facts = _load(context, *self._files)
            self.clients.put_into(context)
            self.context = context
            self.step()
        return self.context

    def step(self) -> None:
        """Judge the dates of clients' certificates by a clock that can be trusted only. Called by the sense loop."""
        if self.context is not None:
            self.clients.judge_dates(self.context, trusted=self._node.state.clock.wall_trusted())

    @property
    def names(self) -> tuple[str, ...]:
        """What the certificate calls the node; empty without one."""
        return self._facts.names if self._facts is not None else ()

    def start(self) -> None:
        """Nothing to begin: the server opens it before it listens."""

    def stop(self) -> None:
        """Nothing to end."""

    def reconfigure(self) -> None:
        """Read the same files again; connections from now on get what they say. Raises as `open`."""
        if self._files is not None and self.context is not None:
            trial = _new_context()  # a context that took a certificate and refused its key is spoilt
            _load(trial, *self._files)
            self.clients.put_into(trial)
            self._facts = _load(self.context, *self._files)
            self.clients.put_into(self.context)

    def findings(self) -> tuple[Finding, ...]:
        """A certificate that ends soon, or has; a key that others may read."""
        if self._facts is None or self._files is None:
            return ()
        found: list[Finding] = []
        if self._node.state.clock.wall_trusted():
            found += self._dates(self._facts)
        key = self._files[1]
        if key.exists() and key.stat().st_mode & _OTHERS_MAY_READ:
            found.append(
                Finding(
                    name="tls-key-exposed",
                    severity=Severity.WARNING,
                    sentence=f"Everybody on this machine may read the TLS key {key}.",
                    next_step=f"chmod 0600 {key}; if somebody may have read it, have a new certificate made.",
                    component="tls",
                )
            )
        return tuple(found)

    def _dates(self, facts: CertificateFacts) -> list[Finding]:
        now_at = self._node.state.clock.wall_at()
        if facts.not_before_at <= now_at < facts.not_after_at - _SOON:
            return []
        over = not facts.not_before_at <= now_at < facts.not_after_at
        name = "tls-certificate-invalid" if over else "tls-certificate-ends"
        return [
            Finding(
                name=name,
                severity=Severity.CRITICAL if over else Severity.WARNING,
                sentence=f"The node's certificate for {', '.join(facts.names) or 'no name'} is good from "
                f"{facts.not_before_at:%Y-%m-%d} to {facts.not_after_at:%Y-%m-%d}; "
                + ("clients refuse it now." if over else "after that clients refuse it."),
                next_step="Put a new one into the files of server.tls_…, then run `holdfast config reload`.",
                component="tls",
            )
        ]


def _new_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> CertificateFacts:
    """Put both files, each read once, into `context`. Raises TlsFilesUnusable."""
    pem, secret = _read(certificate, "server.tls_certificate"), _read(key, "server.tls_key")
    try:
        facts = read_certificate(pem)
    except CertificateUnreadable as error:
        raise TlsFilesUnusable(f"server.tls_certificate {certificate}: {error}") from error
    with _as_file(pem) as certificate_file, _as_file(secret) as key_file:
        try:
            # An encrypted key would make OpenSSL ask on the terminal: an empty password makes it fail instead.
            context.load_cert_chain(certificate_file, key_file, password="")
        except ssl.SSLError as error:
            raise TlsFilesUnusable(f"server.tls_key {key}: {_meaning(error)} {certificate}") from error
    return facts


def _meaning(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "expected the key that belongs to the certificate, found the key of another than"
    return f"expected an unencrypted PEM key, found none that can be read ({error.reason or 'encrypted'}), beside"


def _read(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsFilesUnusable(f"{key} {path}: expected a file the node can read, found: {error.strerror}") from error


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A name in /proc for `content` that never touches a disk: OpenSSL takes files only."""
    descriptor = os.memfd_create("tls")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
