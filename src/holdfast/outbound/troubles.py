"""Troubles: what a person should know about the way out, one finding per kind whatever the number of hosts. Pure."""

from __future__ import annotations

from holdfast.finding import Finding, Severity
from holdfast.outbound.standing import Standing

__all__ = ["troubles"]

_COMPONENT = "outbound"


def troubles(standing: Standing) -> tuple[Finding, ...]:
    """Return the findings."""
    found: list[Finding] = []
    if untrusted := [one.reason for one in standing.hosts if one.state == "untrusted"]:
        found.append(
            Finding(
                name="outbound-tls-refused",
                severity=Severity.CRITICAL,
                sentence=f"Nothing is sent to a host that cannot prove who it is: {'; '.join(untrusted)}.",
                next_step="Renew its certificate, or name its authority in outbound.ca_file; what waits is sent then.",
                component=_COMPONENT,
            )
        )
    if silent := [f"{one.host} ({one.reason})" for one in standing.hosts if one.state == "rests"]:
        found.append(
            Finding(
                name="outbound-unreachable",
                severity=Severity.WARNING,
                sentence=f"Several exchanges in a row came to nothing: {'; '.join(silent)}.",
                next_step="Look at the link, the proxy and the host; the node goes on trying, and what waits is kept.",
                component=_COMPONENT,
            )
        )
    if standing.refused:
        found.append(
            Finding(
                name="outbound-not-allowed",
                severity=Severity.WARNING,
                sentence=f"Something on this node wanted to talk to {standing.refused}, which is not allowed.",
                next_step="If that was meant, name the host in outbound.allow; else find out who asked.",
                component=_COMPONENT,
            )
        )
    if standing.bytes_today >= standing.bytes_per_day:
        found.append(
            Finding(
                name="outbound-budget-spent",
                severity=Severity.WARNING,
                sentence="The bytes that may leave and come in a day (outbound.mib_per_day) are used up.",
                next_step="Wait for tomorrow, or raise outbound.mib_per_day.",
                component=_COMPONENT,
            )
        )
    return tuple(found)
