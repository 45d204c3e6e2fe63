"""What no single setting can say about itself: which values contradict each other."""

from __future__ import annotations

import ipaddress
import zoneinfo
from collections.abc import Iterator

from holdfast.settings.tree import Settings

__all__ = ["contradictions", "is_loopback"]


def contradictions(settings: Settings) -> list[tuple[str, str]]:
    """Return (key, sentence) for every value that cannot stand beside another, or outside this machine."""
    return [*_of_server(settings), *_of_triage(settings), *_of_tiers(settings)]


def is_loopback(host: str) -> bool:
    """Say whether `host` is a name or literal that never leaves this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _of_server(settings: Settings) -> Iterator[tuple[str, str]]:
    host = settings.server.host
    if not is_loopback(host):
        yield (
            "server.host",
            f"expected a loopback address (127.0.0.1, ::1, localhost) while no users are configured, found {host!r}",
        )


def _of_triage(settings: Settings) -> Iterator[tuple[str, str]]:
    bands, weights = settings.triage.bands, settings.triage.weights
    if not bands.p0 > bands.p1 > bands.p2:
        yield "triage.bands", f"expected p0 > p1 > p2, found {bands.p0:g}, {bands.p1:g}, {bands.p2:g}"
    total = weights.model + weights.deadline + weights.requester + weights.keywords
    if not 0.999 <= total <= 1.001:  # a sum of decimal fractions, rounded
        yield "triage.weights", f"expected weights that sum to 1, found {total:g}"
    try:
        zoneinfo.ZoneInfo(settings.triage.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield "triage.timezone", f"expected an IANA time zone like Europe/Berlin, found {settings.triage.timezone!r}"


def _of_tiers(settings: Settings) -> Iterator[tuple[str, str]]:
    tiers = settings.tiers
    if tiers.temperature_low_c >= tiers.temperature_high_c:
        yield "tiers.temperature_low_c", f"expected less than temperature_high_c ({tiers.temperature_high_c:g})"
    if tiers.memory_ok_mib <= tiers.memory_low_mib:
        yield "tiers.memory_ok_mib", f"expected more than memory_low_mib ({tiers.memory_low_mib})"
