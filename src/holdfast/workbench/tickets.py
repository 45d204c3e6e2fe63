"""Labelled tickets out of the files people have: any tracker's export, with the columns named or recognised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.inference import compose_text
from holdfast.workbench.columns import Columns, resolve, resolve_text
from holdfast.workbench.dates import ISO, choose_format, parse_date
from holdfast.workbench.labelled import LabelledTicket
from holdfast.workbench.rows import BadRow, Row, Table, UnreadableTickets, open_table

__all__ = ["LabelledTicket", "Reading", "read", "read_texts", "read_tickets"]

_NAMED_IN_ERROR = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from some files, what was left out, and what was assumed on the way."""

    tickets: tuple[LabelledTicket, ...]
    bad: tuple[BadRow, ...]
    unlabelled: int
    """Rows without any label of the heads that are learnt; they are no fault."""
    assumed: tuple[str, ...]
    columns: tuple[Columns, ...]
    """The mapping in use, one per file."""
    unread: tuple[str, ...]
    """Columns no model sees."""


def read_tickets(paths: Sequence[Path], columns: Columns | None = None) -> list[LabelledTicket]:
    """Read every labelled ticket of `paths`. Raises UnreadableTickets, naming rows, if any row is bad."""
    reading = read(paths, columns)
    if reading.bad:
        first = "; ".join(f"{one.where}: {one.problem}" for one in reading.bad[:_NAMED_IN_ERROR])
        raise UnreadableTickets(f"{len(reading.bad)} rows cannot be used: {first}")
    return list(reading.tickets)


def read(paths: Sequence[Path], columns: Columns | None = None) -> Reading:
    """Read the tickets of `paths`, leaving out bad rows by name.

    Raises UnreadableTickets for a file that cannot be read at all, or that has no usable ticket.
    """
    readings = [_read_one(path, columns or Columns()) for path in paths]
    joined = Reading(
        tickets=tuple(ticket for reading in readings for ticket in reading.tickets),
        bad=tuple(row for reading in readings for row in reading.bad),
        unlabelled=sum(reading.unlabelled for reading in readings),
        assumed=tuple(note for reading in readings for note in reading.assumed),
        columns=tuple(one for reading in readings for one in reading.columns),
        unread=tuple(dict.fromkeys(name for reading in readings for name in reading.unread)),
    )
    if not joined.tickets:
        raise UnreadableTickets("no ticket to learn from: --tickets names no file")
    return joined


def read_texts(path: Path, columns: Columns | None = None) -> list[tuple[str, str]]:
    """Id and text of every ticket of `path`, labelled or not. Raises UnreadableTickets."""
    table = open_table(path)
    mapping, _ = resolve_text(columns or Columns(), table.columns, where=path.name)
    texts = [
        (
            row.cells.get(mapping.id, "").strip() or row.where,
            compose_text(row.cells.get(mapping.title, ""), row.cells.get(mapping.body, "")),
        )
        for row in table.rows
    ]
    return [(identifier, text) for identifier, text in texts if text]


def _read_one(path: Path, columns: Columns) -> Reading:
    table = open_table(path)
    mapping, assumed = resolve(columns, table.columns, where=path.name)
    mapping, dating = _with_date_format(mapping, table)
    tickets: list[LabelledTicket] = []
    bad = list(table.bad)
    unlabelled = 0
    for row in table.rows:
        made = _ticket(row, mapping)
        if isinstance(made, LabelledTicket):
            tickets.append(made)
        elif made is None:
            unlabelled += 1
        else:
            bad.append(made)
    if not tickets:
        detail = f"{bad[0].where}: {bad[0].problem}" if bad else f"{unlabelled} rows without a label"
        raise UnreadableTickets(f"{path}: expected labelled tickets, found none; {detail}")
    return Reading(
        tickets=tuple(tickets),
        bad=tuple(bad),
        unlabelled=unlabelled,
        assumed=(*table.notes, *assumed, *dating),
        columns=(mapping,),
        unread=tuple(name for name in table.columns if name not in set(_used(mapping))),
    )


def _used(columns: Columns) -> Iterator[str]:
    yield from (columns.id, columns.title, columns.body, columns.at, columns.group)
    yield from columns.labels.values()


def _with_date_format(columns: Columns, table: Table) -> tuple[Columns, tuple[str, ...]]:
    if not columns.at or columns.date_format:
        return columns, ()
    texts = [row.cells.get(columns.at, "") for row in table.rows]
    date_format = choose_format([text for text in texts if text.strip()], where=f"{table.path.name}: {columns.at}")
    said = () if date_format == ISO else (f"{table.path.name}: dates in {columns.at!r} are read as {date_format}",)
    return replace(columns, date_format=date_format), said


def _ticket(row: Row, columns: Columns) -> LabelledTicket | BadRow | None:
    """The ticket in `row`; a BadRow if it cannot be used; None if it is fine but carries no label."""
    cells = row.cells
    text = compose_text(cells.get(columns.title, ""), cells.get(columns.body, ""))
    if not text:
        names = " and ".join(repr(name) for name in (columns.title, columns.body) if name)
        return BadRow(row.where, f"expected text in {names}, found none")
    at = None
    written = cells.get(columns.at, "").strip() if columns.at else ""
    if written:
        at = parse_date(written, columns.date_format)
        if at is None:
            return BadRow(
                row.where, f"expected a date ({columns.date_format}) in {columns.at!r}, found {written[:40]!r}"
            )
    labels = _labels(cells, columns)
    if not labels:
        return None
    return LabelledTicket(
        id=cells.get(columns.id, "").strip() or row.where,
        text=text,
        labels=labels,
        at=at,
        group=cells.get(columns.group, "").strip(),
        where=row.where,
    )


def _labels(cells: Mapping[str, str], columns: Columns) -> dict[str, str]:
    labels: dict[str, str] = {}
    for head, column in columns.labels.items():
        value = cells.get(column, "").strip()
        label = columns.values.get(head, {}).get(value, value)
        if label:
            labels[head] = label
    return labels
