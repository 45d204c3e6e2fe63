"""Columns that are filled in after the ticket was written: a model that read them would know the end of the story."""

from __future__ import annotations

import re

from holdfast.workbench.columns import Columns
from holdfast.workbench.leakage import LeakageFinding
from holdfast.workbench.tickets import Reading

__all__ = ["column_findings"]

_KNOWN_LATER = re.compile(
    r"^(post_|resol|closed|fixed|updated|modified|last_|status|state$|votes?$|watch|comments?$|n_comments|assignee|"
    r"time_to|duration|sla_|root_cause|kev$|exploitation)",
    re.IGNORECASE,
)


def column_findings(reading: Reading) -> tuple[LeakageFinding, ...]:
    """Findings about columns whose names say that they are filled in after the ticket was written."""
    used = {name for columns in reading.columns for name in _text_and_labels(columns) if _KNOWN_LATER.search(name)}
    later = tuple(name for name in reading.unread if _KNOWN_LATER.search(name))
    findings = []
    if used:
        findings.append(
            LeakageFinding(
                kind="known_later",
                severity="warning",
                count=len(used),
                sentence=f"the model reads columns that are known only later by their names: {', '.join(sorted(used))}",
                next_step="map a column that is filled in when the ticket is written",
            )
        )
    if later:
        findings.append(
            LeakageFinding(
                kind="known_later",
                severity="notice",
                count=len(later),
                sentence=f"columns that are known only later were left unread: {', '.join(later)}",
                next_step="nothing to do",
            )
        )
    return tuple(findings)


def _text_and_labels(columns: Columns) -> tuple[str, ...]:
    return tuple(name for name in (columns.title, columns.body, *columns.labels.values()) if name)
