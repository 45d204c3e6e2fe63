"""The `triage` section as the rubric the triage app scores with."""

from __future__ import annotations

import msgspec

from holdfast.apps.triage.rubric import Bands, Rubric, Weights
from holdfast.settings.flows import Team
from holdfast.settings.tree import Triage

__all__ = ["rubric_of", "weighted"]


def weighted(rubric: Rubric, team: Team) -> Rubric:
    """Return `rubric` with the team's weights in the place of its own. Raises InvalidRubric."""
    changed = msgspec.structs.asdict(rubric.weights) | dict(team.weights)
    return msgspec.structs.replace(rubric, weights=Weights(**changed))


def rubric_of(triage: Triage) -> Rubric:
    """Return the rubric in force. Raises InvalidRubric naming the key."""
    bands, weights = triage.bands, triage.weights
    builtin = Rubric()
    return Rubric(
        weights=Weights(
            model=weights.model, deadline=weights.deadline, requester=weights.requester, keywords=weights.keywords
        ),
        bands=Bands(p0=bands.p0, p1=bands.p1, p2=bands.p2),
        roles=triage.roles or builtin.roles,
        tiers=triage.customer_tiers or builtin.tiers,
        attachments=triage.attachments,
        timezone=triage.timezone,
        minimum_confidence=triage.minimum_confidence if triage.minimum_confidence >= 0 else None,
        languages=triage.languages,
        keywords=triage.keywords,
    )
