"""What no single setting can say about itself: which values contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.apps.triage.rubric import InvalidRubric
from holdfast.settings.exposure import of_outbound, of_server
from holdfast.settings.rubric import rubric_of, weighted
from holdfast.settings.tree import Settings

__all__ = ["contradictions"]


def contradictions(settings: Settings) -> list[tuple[str, str]]:
    """Return (key, sentence) for every value that cannot stand beside another, or outside this machine."""
    return [
        *of_server(settings),
        *of_outbound(settings),
        *_of_triage(settings),
        *_of_teams(settings),
        *_of_tiers(settings),
    ]


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
