"""Operator verb: earlier tickets that resemble one."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.access import Role
from holdfast.node.similar import SimilarQuestion
from holdfast.node.verb import Verb

__all__ = ["SIMILAR_VERBS"]

SIMILAR_VERBS: Mapping[str, Verb] = {
    "triage.similar": Verb(SimilarQuestion, Role.VIEWER, lambda node, asked: node.parts.similar.find(asked)),
}
"""For the table in `verbs`."""
