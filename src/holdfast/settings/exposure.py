"""What settings may not say together about who reaches the node, and whom it may reach."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from holdfast.outbound.address import parse_address
from holdfast.outbound.refusals import NotAllowed
from holdfast.settings.tree import Settings

__all__ = ["is_loopback", "of_outbound", "of_server"]


def is_loopback(host: str) -> bool:
    """Say whether `host` is a name or literal that never leaves this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def of_server(settings: Settings) -> Iterator[tuple[str, str]]:
    """Return (key, sentence) for TLS that is half there, or missing where others listen."""
    server = settings.server
    if bool(server.tls_certificate) != bool(server.tls_key):
        given, missing = ("certificate", "key") if server.tls_certificate else ("key", "certificate")
        yield f"server.tls_{missing}", f"expected a file beside server.tls_{given}, found none"
    if server.tls_client_ca and not (server.tls_certificate and server.tls_clients):
        yield "server.tls_client_ca", "expected server.tls_certificate and names in server.tls_clients beside it"
    if server.tls_clients and not server.tls_client_ca:
        yield (
            "server.tls_clients",
            "expected server.tls_client_ca beside it, found none: nobody vouches for these names",
        )
    if server.tls_certificate and server.tls_elsewhere:
        yield "server.tls_elsewhere", "expected false beside server.tls_certificate: TLS ends here or elsewhere"
    if not (is_loopback(server.host) or server.tls_certificate or server.tls_elsewhere):
        sentence = (
            "expected a loopback address (127.0.0.1, ::1, localhost), or server.tls_certificate and server.tls_key, "
            f"or server.tls_elsewhere = true, found {server.host!r} without any; see docs/howto/lan.md"
        )
        yield "server.host", sentence


def of_outbound(settings: Settings) -> Iterator[tuple[str, str]]:
    """Return (key, sentence) for what names no host, or a proxy that cannot be one."""
    places = [("outbound.allow", f"http://{entry}/") for entry in settings.outbound.allow]
    places += [
        (f"connections.{name}.base_url", one.base_url) for name, one in settings.connections.items() if one.base_url
    ]
    for key, url in places:
        try:
            parse_address(url)
        except NotAllowed as error:
            yield key, str(error).partition(": ")[2]
    proxy = urlsplit(settings.outbound.proxy)
    if settings.outbound.proxy and (proxy.scheme != "http" or not proxy.hostname):
        yield "outbound.proxy", f"expected http://host:port, found {proxy.scheme or 'no'} scheme"
