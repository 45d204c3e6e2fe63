"""Dialects: the trackers Holdfast speaks with, one per file, by the name a connection gives in `dialect`."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.apps.triage.dialect import Dialect
from holdfast.apps.triage.dialects.github import GitHub

__all__ = ["DIALECTS"]

DIALECTS: Mapping[str, Dialect] = {
    "github": GitHub(),
}
"""One row per tracker. Rows are instances: a dialect holds no state."""
