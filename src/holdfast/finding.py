"""Finding: one plain sentence about the node's state, and the next step."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Finding", "Severity"]


class Severity(StrEnum):
    """How soon a person should look."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something a component wants a person to know; an alert while it lasts."""

    name: str
    """Stable name, the `alerts_active{name}` label: `package-unverified`, `audit-headers-only`."""
    severity: Severity
    sentence: str
    next_step: str
    component: str
