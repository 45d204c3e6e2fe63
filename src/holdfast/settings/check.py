"""What no single setting can say about itself: which values contradict each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from holdfast.apps.triage.rubric import InvalidRubric
from holdfast.settings.rubric import rubric_of, weighted
from holdfast.settings.tree import Settings

__all__ = ["contradictions", "is_loopback"]


def contradictions(settings: Settings) -> list[tuple[str, str]]:
    """Return (key, sentence) for every value that cannot stand beside another, or outside this machine."""
    return [*_of_server(settings), *_of_triage(settings), *_of_teams(settings), *_of_tiers(settings)]


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
    try:
        rubric_of(settings.triage)
    except InvalidRubric as error:
        yield error.field, str(error).removeprefix(f"{error.field}: ")


def _of_teams(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, team in settings.teams.items():
        try:
            weighted(rubric_of(settings.triage), team)
        except InvalidRubric as error:
            yield f"teams.{name}.weights", str(error).replace("triage.weights", f"teams.{name}.weights")
    for name, connection in settings.connections.items():
        if connection.team and connection.team not in settings.teams:
            known = ", ".join(sorted(settings.teams)) or "none"
            yield f"connections.{name}.team", f"expected a name under [teams] ({known}), found {connection.team!r}"


def _of_tiers(settings: Settings) -> Iterator[tuple[str, str]]:
    tiers = settings.tiers
    if tiers.temperature_low_c >= tiers.temperature_high_c:
        yield "tiers.temperature_low_c", f"expected less than temperature_high_c ({tiers.temperature_high_c:g})"
    if tiers.memory_ok_mib <= tiers.memory_low_mib:
        yield "tiers.memory_ok_mib", f"expected more than memory_low_mib ({tiers.memory_low_mib})"
