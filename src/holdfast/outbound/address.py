"""Addresses: where a URL leads, and whether the node may go there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from holdfast.outbound.refusals import NotAllowed

__all__ = ["Address", "allow_list", "is_allowed", "parse_address"]

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[!-\[\]-~]+")  # ASCII without space, control characters and the backslash
_LONGEST_URL = 8192
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Address:
    """One URL taken apart."""

    scheme: str
    host: str
    """In lower case, IPv6 without brackets, no dot at the end."""
    port: int
    target: str
    """Path and query, as they are sent."""

    @property
    def authority(self) -> str:
        """`host:port`: the name of this host in budgets, alerts and metrics."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def host_header(self) -> str:
        """Value of the Host header: the port only where it is not the scheme's own."""
        return _bracketed(self.host) if self.port == _PORTS[self.scheme] else self.authority


def parse_address(url: str) -> Address:
    """Take `url` apart. Raises NotAllowed for anything but a plain http or https URL without credentials."""
    shown = url.partition("?")[0].rpartition("@")[2][:200]
    if len(url) > _LONGEST_URL or not _PRINTABLE.fullmatch(url):
        raise NotAllowed(f"outbound URL {shown!r}: expected printable ASCII of at most {_LONGEST_URL} characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAllowed(f"outbound URL {shown!r}: expected http(s)://host[:port]/path, found {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise NotAllowed(f"outbound URL {shown!r}: expected http(s)://host[:port]/path")
    if "@" in parts.netloc:
        raise NotAllowed(f"outbound URL {shown!r}: expected no user or password in it; they belong into a token file")
    host = parts.hostname.removesuffix(".")
    if not _HOST.fullmatch(host) or port == 0:
        raise NotAllowed(f"outbound URL {shown!r}: expected a host name or address, found {host[:80]!r}")
    query = f"?{parts.query}" if parts.query else ""
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], (parts.path or "/") + query)


def allow_list(entries: Iterable[str], urls: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Return the (host, port) pairs of `entries` (`name`: ports 80 and 443; `name:port`) and of base URLs.

    Raises NotAllowed for one that names no host.
    """
    found: set[tuple[str, int]] = set()
    for entry in entries:
        address = parse_address(f"http://{entry}/")
        named = bool(re.search(r":[0-9]+$", entry.rpartition("]")[2]))
        ports = (address.port,) if named else tuple(_PORTS.values())
        found |= {(address.host, port) for port in ports}
    for url in urls:
        address = parse_address(url)
        found.add((address.host, address.port))
    return frozenset(found)


def is_allowed(address: Address, allowed: frozenset[tuple[str, int]]) -> bool:
    """Say whether `address` is one of `allowed`, by name and port."""
    return (address.host, address.port) in allowed


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
