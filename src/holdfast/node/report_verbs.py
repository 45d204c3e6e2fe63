"""Operator verbs of the reports: what the node says about its own work."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.access import Role
from holdfast.node.verb import NoArguments, Verb

__all__ = ["REPORT_VERBS"]

REPORT_VERBS: Mapping[str, Verb] = {
    "triage.drift": Verb(NoArguments, Role.VIEWER, lambda node, _: node.parts.drift.current()),
}
"""For the table in `verbs`."""
