"""The `triage` section as the rubric the triage app scores with."""

from __future__ import annotations

from holdfast.apps.triage.rubric import Bands, Rubric, Weights
from holdfast.settings.tree import Triage

__all__ = ["rubric_of"]


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
