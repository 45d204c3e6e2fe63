"""Which team a ticket is for: by where it came from, else by what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["labels_of", "team_of"]


def team_of(metadata: Mapping[str, Any], names: Mapping[str, object], labels: Mapping[str, str]) -> str:
    """The team `metadata` is for: the one it names, else that of its first label that has one; empty where none is.

    `names` are the teams there are; `labels`: label without case -> team. A name that is no team's is a fact for
    rules, not an error: trackers have teams this node knows nothing of.
    """
    named = metadata.get("team")
    if isinstance(named, str) and named in names:
        return named
    found = metadata.get("labels")
    if labels and isinstance(found, list | tuple):
        for label in found:
            if isinstance(label, str) and (team := labels.get(label.casefold())) is not None:
                return team
    return ""


def labels_of(teams: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Team -> its labels, turned round; of two teams with one label the first in order of name has it."""
    found: dict[str, str] = {}
    for name, labels in sorted(teams.items()):
        for label in labels:
            found.setdefault(label.casefold(), name)
    return found
