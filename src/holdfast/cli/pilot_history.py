"""The history a tracker exports, for the pilot report: when tasks were opened, triaged, acknowledged, resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from holdfast.report.handled import Handled
from holdfast.workbench.dates import choose_format, parse_date
from holdfast.workbench.rows import Row, UnreadableTickets, column_names, open_table

__all__ = ["read_history"]

_INSTANTS = ("opened", "triaged", "acked", "resolved", "deadline")
_ROLES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "key", "number", "ticket_id", "issue_id", "issue_key"),
    "opened": ("opened", "opened_at", "created", "created_at"),
    "triaged": ("triaged", "triaged_at", "prioritised_at", "prioritized_at"),
    "acked": ("acked", "acked_at", "acknowledged_at", "first_response_at", "assigned_at"),
    "resolved": ("resolved", "resolved_at", "closed", "closed_at"),
    "deadline": ("deadline", "deadline_at", "due", "due_at", "sla_due_at"),
    "priority": ("priority", "first_priority"),
    "final_priority": ("final_priority", "last_priority"),
}
"""Role -> column names that are taken for it when the user names none."""
_BANDS = ("P0", "P1", "P2", "P3")


def read_history(path: Path, roles: Iterable[str], values: Iterable[str], date_format: str) -> tuple[Handled, ...]:
    """Read the file. roles: `opened=created`; values: `Blocker=P0`. Raises UnreadableTickets, UsageError."""
    table = open_table(path)
    columns = _columns(path, table.columns, _pairs(roles, "--column ROLE=COLUMN"))
    bands = _pairs(values, "--value WORD=P0")
    formats = {
        role: date_format or choose_format(_written(table.rows, columns[role]), where=f"{path.name}: {columns[role]}")
        for role in _INSTANTS
        if role in columns
    }
    return tuple(_handled(row, columns, formats, bands) for row in table.rows)


def _written(rows: Sequence[Row], column: str) -> list[str]:
    return [text for row in rows if (text := row.cells.get(column, "").strip())]


def _columns(path: Path, present: tuple[str, ...], named: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(named) - set(_ROLES))
    if unknown:
        raise click.UsageError(f"--column: expected one of {', '.join(_ROLES)}, found {unknown[0]!r}.")
    absent = [column for column in named.values() if column not in present]
    if absent:
        raise UnreadableTickets(f"{path}: expected a column {absent[0]!r}, found {column_names(present)}")
    by_name = {name.lower(): name for name in present}
    likely = {role: next((by_name[name] for name in names if name in by_name), "") for role, names in _ROLES.items()}
    found = {role: column for role, column in {**likely, **named}.items() if column}
    for role in ("id", "opened"):
        if role not in found:
            raise UnreadableTickets(
                f"{path}: expected a column that says each task's {role}, found {column_names(present)}; "
                f"name it with --column {role}=NAME"
            )
    return found


def _handled(row: Row, columns: Mapping[str, str], formats: Mapping[str, str], bands: Mapping[str, str]) -> Handled:
    cells = {role: row.cells.get(column, "").strip() for role, column in columns.items()}
    at = {role: _seconds(cells[role], formats[role], row.where) for role in formats}
    return Handled(
        task_id=cells["id"],
        opened_s=at.get("opened"),
        triaged_s=at.get("triaged"),
        acked_s=at.get("acked"),
        resolved_s=at.get("resolved"),
        deadline_s=at.get("deadline"),
        priority=_band(cells.get("priority", ""), bands),
        final_priority=_band(cells.get("final_priority", ""), bands),
    )


def _seconds(text: str, date_format: str, where: str) -> float | None:
    if not text:
        return None
    found = parse_date(text, date_format)
    if found is None:
        raise UnreadableTickets(f"{where}: expected a date ({date_format}), found {text[:40]!r}; see --date-format")
    return found.timestamp()


def _band(word: str, bands: Mapping[str, str]) -> str | None:
    """The band a word stands for; words that stand for none are unknown, not P3."""
    said = bands.get(word, word)
    return said if said in _BANDS else None


def _pairs(texts: Iterable[str], form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise click.UsageError(f"expected {form}, found {text!r}.")
        pairs[name.strip()] = value.strip()
    return pairs
