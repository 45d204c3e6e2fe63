"""Handled: one task as it was handled, by people or by the node. Apart from the arithmetic, which loads numpy."""

from __future__ import annotations

import msgspec

__all__ = ["Handled"]


class Handled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task as it was handled, by people or by the node. Instants in seconds since 1970, None where unknown."""

    task_id: str
    team: str = ""
    """Of the node's work: two teams may call different tasks the same."""
    opened_s: float | None = None
    triaged_s: float | None = None
    """When its priority was first set."""
    told_s: float | None = None
    """When the tracker had taken the node's priority."""
    acked_s: float | None = None
    """When a person first acted on it."""
    resolved_s: float | None = None
    deadline_s: float | None = None
    priority: str | None = None
    """As first set."""
    final_priority: str | None = None
    """As it ended; for the node's work the person's word, else its own."""
    overridden: bool | None = None
    """Whether a person corrected the node; None where there was no node."""
    tier: str | None = None
