"""Preview: what would be said of a ticket that nobody asked to have scored."""

from __future__ import annotations

import msgspec

from holdfast.apps.triage.decision import NEEDS_TRIAGE, Priority
from holdfast.tier import Tier

__all__ = ["Preview"]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be said of one ticket; nothing is recorded. `fault` says why it cannot be scored, else it is empty."""

    task_id: str
    score: float = 0.0
    priority: Priority = Priority.P3
    route: str = NEEDS_TRIAGE
    tier: Tier = Tier.RULES
    degraded: bool = False
    team: str = ""
    fault: str = ""
