"""History: past tickets out of a file, with what was made of them then, for asking what the node would have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

from holdfast.workbench.columns import Columns, InvalidColumns, resolve, resolve_text
from holdfast.workbench.dates import ISO, choose_format, parse_date
from holdfast.workbench.rows import Row, UnreadableTickets, open_table

__all__ = ["History", "Past", "parse_metadata", "read_history"]

_OWN = "metadata."
"""Columns of this prefix (a JSON file's nested fields) are metadata under their own name."""
_LISTS = frozenset({"labels"})


@dataclass(frozen=True, slots=True)
class Past:
    """One ticket of the file."""

    ticket: dict[str, Any]
    """As `/v1/triage/score` takes it."""
    priority: str
    """What it had then, in the file's words or as `--value` says; empty where the file does not tell."""
    route: str


@dataclass(frozen=True, slots=True)
class History:
    """What was read, what could not be, and what was assumed."""

    tickets: tuple[Past, ...]
    bad: tuple[str, ...]
    assumed: tuple[str, ...]


def parse_metadata(texts: Sequence[str]) -> dict[str, str]:
    """Read `deadline_at=due` and `requester.role=reporter_role`. Raises InvalidColumns."""
    found: dict[str, str] = {}
    for text in texts:
        key, _, column = text.partition("=")
        if not key.strip() or not column.strip():
            raise InvalidColumns(f"expected --metadata KEY=COLUMN, found {text!r}")
        found[key.strip()] = column.strip()
    return found


def read_history(path: Path, columns: Columns, metadata: Mapping[str, str]) -> History:
    """Read every ticket of `path`; a row without text is bad, one without labels is not. Raises UnreadableTickets."""
    table = open_table(path)
    try:
        mapping, assumed = resolve(columns, table.columns, where=path.name)
    except UnreadableTickets:
        mapping, assumed = resolve_text(columns, table.columns, where=path.name)
    missing = [column for column in metadata.values() if column not in table.columns]
    if missing:
        raise UnreadableTickets(f"{path}: expected a column {missing[0]!r}, found {', '.join(table.columns)[:300]}")
    if mapping.at and not mapping.date_format:
        written = [text for row in table.rows if (text := row.cells.get(mapping.at, "")).strip()]
        mapping = replace(mapping, date_format=choose_format(written, where=f"{path.name}: {mapping.at}"))
    own = {name.removeprefix(_OWN): name for name in table.columns if name.startswith(_OWN)}
    made = [_past(row, mapping, {**own, **metadata}) for row in table.rows]
    bad = [*(f"{one.where}: {one.problem}" for one in table.bad), *(one for one in made if isinstance(one, str))]
    tickets = tuple(one for one in made if isinstance(one, Past))
    if not tickets:
        raise UnreadableTickets(f"{path}: expected tickets, found none; {bad[0] if bad else 'it has no rows'}")
    notes = tuple(one.replace("is learnt as", "is read as") for one in (*table.notes, *assumed))
    return History(tickets, tuple(bad), notes)


def _past(row: Row, columns: Columns, metadata: Mapping[str, str]) -> Past | str:
    """The ticket in `row`, or what is wrong with it."""
    cells = row.cells
    title, body = cells.get(columns.title, "").strip(), cells.get(columns.body, "").strip()
    if not title and not body:
        return f"{row.where}: expected text, found none"
    about = _metadata(cells, metadata)
    ticket: dict[str, Any] = {
        "id": (cells.get(columns.id, "").strip() or row.where)[:256],
        "title": title,
        "description": body,
        "metadata": about,
    }
    written = cells.get(columns.at, "").strip() if columns.at else ""
    if written:
        moment = parse_date(written, columns.date_format or ISO)
        if moment is None:
            return f"{row.where}: expected a date ({columns.date_format}), found {written[:40]!r}"
        ticket["at"] = about.setdefault("created_at", moment.astimezone(UTC).isoformat())
    return Past(ticket, _label(cells, columns, "priority"), _label(cells, columns, "route"))


def _metadata(cells: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, column in columns.items():
        text = cells.get(column, "").strip()
        if not text:
            continue
        *sections, leaf = key.split(".")
        place = found
        for section in sections:
            place = place.setdefault(section, {})
        place[leaf] = [one.strip() for one in text.split(",") if one.strip()] if key in _LISTS else text
    return found


def _label(cells: Mapping[str, str], columns: Columns, head: str) -> str:
    value = cells.get(columns.labels.get(head, ""), "").strip()
    return columns.values.get(head, {}).get(value, value)
