"""What is checked of every request's head before anything else: host, origin, forwarding, media type, length."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.http.problems import (
    BodyTooLarge,
    CrossSite,
    Forwarded,
    InvalidField,
    MalformedHead,
    UnknownHost,
    WrongMediaType,
)

__all__ = ["Gate", "check_direct", "check_length", "check_media_type", "check_single_host"]

_FORWARDING = frozenset(
    {
        b"via",
        b"cdn-loop",
        b"x-real-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"fastly-client-ip",
        b"x-cluster-client-ip",
    }
)
_FORWARDING_PREFIXES = (b"x-original-", b"x-envoy-", b"x-proxyuser-", b"cf-")
_HOST = re.compile(r"(?:\[([0-9a-f:.]*:[0-9a-f:.]*)\]|([^][:@/\s]+))(?::[0-9]{0,5})?")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REMEMBERED_HOSTS = 64  # a client repeats one or two; anything that keeps changing is not worth remembering


@dataclass(frozen=True, slots=True)
class Gate:
    """The checks of one listening address. `seen` keeps Host values that passed, to save parsing them."""

    hosts: frozenset[str]
    """Names, besides loopback literals, in lower case."""
    origins: frozenset[str]
    seen: set[bytes]

    def check(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Return if the request may come in. Raises UnknownHost or CrossSite."""
        host = headers.get(b"host", b"")
        if host not in self.seen:
            self._check_host(host)
        if method not in _SAFE_METHODS:
            self._check_site(headers, host)

    def _check_host(self, host: bytes) -> None:
        name = _host_name(host.decode("latin-1").strip(" \t").lower())
        if not (name in self.hosts or name == "localhost" or _is_loopback_literal(name)):
            raise UnknownHost(
                f"header Host: expected a loopback literal or a name in server.hosts, found {name[:80]!r}"
            )
        if len(self.seen) < _REMEMBERED_HOSTS:
            self.seen.add(host)

    def _check_site(self, headers: Mapping[bytes, bytes], host: bytes) -> None:
        site = headers.get(b"sec-fetch-site")
        origin = headers.get(b"origin")
        allowed = origin is not None and origin.decode("latin-1").lower() in self.origins
        if allowed:
            return
        if site is not None and site not in (b"same-origin", b"none"):
            raise CrossSite(f"header Sec-Fetch-Site: expected same-origin or none, found {site[:40].decode('latin-1')}")
        if origin is not None and origin not in (b"http://" + host, b"https://" + host):
            raise CrossSite(f"header Origin: expected this node's own pages, found {origin[:80].decode('latin-1')}")


def check_direct(headers: Iterable[bytes]) -> None:
    """Raises Forwarded for a request that came through a proxy: while there are no tokens it would let anybody in."""
    for name in headers:
        if b"forwarded" in name or name in _FORWARDING or name.startswith(_FORWARDING_PREFIXES):
            raise Forwarded(
                f"header {name.decode('latin-1')}: expected none while the node has no tokens, found one; "
                "a proxy would let anybody in"
            )


def check_single_host(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises MalformedHead for more than one Host: whoever stands in between may have read the other one."""
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1:
        raise MalformedHead(f"header Host: expected one, found {hosts}")


def check_length(headers: Mapping[bytes, bytes], limit_bytes: int) -> None:
    """Refuse a body that announces itself as too long. Raises BodyTooLarge."""
    announced = headers.get(b"content-length")
    if announced is None:
        return
    if not announced.isdigit():
        raise InvalidField(f"header Content-Length: expected a number, found {announced[:40]!r}")
    if int(announced) > limit_bytes:
        raise BodyTooLarge(f"body: expected at most {limit_bytes} bytes, found {int(announced)} announced")


def check_media_type(headers: Mapping[bytes, bytes], accepted: tuple[bytes, ...]) -> None:
    """Raises WrongMediaType unless Content-Type is one of `accepted`, in UTF-8 where it says a charset."""
    given = headers.get(b"content-type", b"")
    if given in accepted:
        return
    kind, _, rest = given.lower().partition(b";")
    charset = rest.replace(b" ", b"").replace(b'"', b"")
    if kind.strip() not in accepted or charset not in (b"", b"charset=utf-8", b"charset=us-ascii"):
        names = " or ".join(one.decode() for one in accepted if one)
        raise WrongMediaType(f"header Content-Type: expected {names} in UTF-8, found {given[:80].decode('latin-1')!r}")


def _host_name(host: str) -> str:
    """Return `host` without its port: `[::1]:8470` -> `::1`; empty if it is not written as RFC 9110, 7.2 says."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1] or found[2]


def _is_loopback_literal(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
