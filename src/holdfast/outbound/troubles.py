"""Troubles: what a person should know about the way out, one finding per kind whatever the number of hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.finding import Finding, Severity

__all__ = ["HostTrouble", "troubles"]

_COMPONENT = "outbound"


@dataclass(frozen=True, slots=True)
class HostTrouble:
    """How one host fares; empty strings where it fares well."""

    name: str
    unreachable: str
    tls_fault: str


def troubles(hosts: Iterable[HostTrouble], *, refused: str, spent: bool) -> tuple[Finding, ...]:
    """Return the findings. `refused`: the last destination that was not allowed; `spent`: the day's bytes are."""
    hosts = tuple(hosts)
    found: list[Finding] = []
    if untrusted := [host.tls_fault for host in hosts if host.tls_fault]:
        found.append(
            Finding(
                name="outbound-tls-refused",
                severity=Severity.CRITICAL,
                sentence=f"Nothing is sent to a host that cannot prove who it is: {'; '.join(untrusted)}.",
                next_step="Renew its certificate, or name its authority in outbound.ca_file; what waits is sent then.",
                component=_COMPONENT,
            )
        )
    if silent := [f"{host.name} ({host.unreachable})" for host in hosts if host.unreachable and not host.tls_fault]:
        found.append(
            Finding(
                name="outbound-unreachable",
                severity=Severity.WARNING,
                sentence=f"Several exchanges in a row came to nothing: {'; '.join(silent)}.",
                next_step="Look at the link, the proxy and the host; the node goes on trying, and what waits is kept.",
                component=_COMPONENT,
            )
        )
    if refused:
        found.append(
            Finding(
                name="outbound-not-allowed",
                severity=Severity.WARNING,
                sentence=f"Something on this node wanted to talk to {refused}, which is not allowed; it was refused.",
                next_step="If that was meant, name the host in outbound.allow; else find out who asked.",
                component=_COMPONENT,
            )
        )
    if spent:
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
