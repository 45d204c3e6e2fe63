"""Corrections as a ticket file: what `triage train --from-overrides` learns from beside, or instead of, other files."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.cli.triage_reports import corrected_tickets
from holdfast.errors import InvalidInput
from holdfast.workbench.columns import Columns

__all__ = ["NoCorrections", "write_corrections"]


class NoCorrections(InvalidInput):
    """Nobody has corrected a decision that can still be read."""


def write_corrections(path: Path, columns: Columns) -> int:
    """Write people's corrections to `path` under the names that `columns` gives; return how many. Raises NoCorrections.

    One mapping of columns reads all ticket files of a training, so this file follows the mapping of the others.
    """
    names = {
        "id": columns.id or "id",
        "title": columns.title or ("" if columns.body else "title"),
        "body": columns.body or ("" if columns.title else "body"),
        "created_at": columns.at or "created_at",
        "team": columns.group,
    }
    labels = dict(columns.labels) or {"priority": "priority", "route": "route"}
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for page in corrected_tickets():
            for row in page["rows"]:
                text = row if names["title"] and names["body"] else _joined(row)
                cells = {name: text[ours] for ours, name in names.items() if name}
                cells |= {column: row[head] or "" for head, column in labels.items()}
                file.write(json.dumps(cells, ensure_ascii=False) + "\n")
                count += 1
    if not count:
        path.unlink()
        raise NoCorrections("--from-overrides: expected decisions that people corrected, found none in the ledger")
    return count


def _joined(row: dict[str, str]) -> dict[str, str]:
    """Title and body in both places: the mapping knows only one of them."""
    text = "\n".join(part for part in (row["title"], row["body"]) if part)
    return {**row, "title": text, "body": text}
