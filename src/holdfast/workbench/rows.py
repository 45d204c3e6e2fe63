"""Rows out of ticket files: CSV, TSV and JSON lines, plain or gzipped, each with the line it starts on."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.errors import InvalidInput

__all__ = ["BadRow", "Row", "Table", "UnreadableTickets", "column_names", "open_table"]

_MAX_FIELD_CHARS = 1 << 20  # a ticket body is at most the 1 MiB that a node accepts
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = frozenset({".jsonl", ".ndjson"})
_DECODER = msgspec.json.Decoder(dict[str, object])
_NAMES_IN_MESSAGE = 20


class UnreadableTickets(InvalidInput):
    """A ticket file that cannot be read at all, or a mapping that does not fit it."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that was left out, and why."""

    where: str
    """`file:line`."""
    problem: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row as text by column name; a nested JSON field is named by its dotted path."""

    where: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A ticket file: its columns in order, its good rows and its bad ones."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    notes: tuple[str, ...]
    """What was assumed to read it, in sentences."""


def open_table(path: Path) -> Table:
    """Read `path` whole. Raises UnreadableTickets for a file that is missing, damaged or of an unknown kind."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in _DELIMITERS and suffix.lower() not in _JSON_LINES:
        raise UnreadableTickets(
            f"{path}: tickets come as .csv, .tsv or .jsonl, each also with .gz, found {path.name!r}; convert it"
        )
    text = _read_text(path)
    if not text.strip():
        raise UnreadableTickets(f"{path}: expected a header and tickets, found an empty file")
    if suffix.lower() in _JSON_LINES:
        return _json_table(path, text)
    return _delimited_table(path, text, _DELIMITERS[suffix.lower()])


def _read_text(path: Path) -> str:
    """The file as text; bytes that are not UTF-8 survive as surrogates, so that their row can be named."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except OSError as error:
        raise UnreadableTickets(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise UnreadableTickets(f"{path}: expected a whole gzip file, found a damaged one: {error}") from error
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise UnreadableTickets(f"{path}: expected UTF-8, found UTF-16; convert it with 'iconv -f UTF-16 -t UTF-8'")
    return raw.decode("utf-8-sig", errors="surrogateescape")


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)


# ---------------------------------------------------------------------------------------------------- CSV and TSV


def _delimited_table(path: Path, text: str, delimiter: str) -> Table:
    notes: list[str] = []
    header = text.split("\n", 1)[0]
    if delimiter == "," and "," not in header and ";" in header:
        delimiter = ";"
        notes.append(f"{path.name}: columns are separated by semicolons")
    rows: list[Row] = []
    bad: list[BadRow] = []
    with _wide_fields():
        lines = _delimited_lines(path, text, delimiter, bad)
        _, first = next(lines, ("", []))
        columns = _header(path, first)
        for where, cells in lines:
            if len(cells) != len(columns):
                bad.append(BadRow(where, f"expected {len(columns)} columns, found {len(cells)}"))
            elif not all(map(_is_utf8, cells)):
                bad.append(BadRow(where, "expected UTF-8, found bytes that are not"))
            else:
                rows.append(Row(where, dict(zip(columns, cells, strict=True))))
    return Table(path, columns, tuple(rows), tuple(bad), tuple(notes))


def _delimited_lines(path: Path, text: str, delimiter: str, bad: list[BadRow]) -> Iterator[tuple[str, list[str]]]:
    """Each record with the line it starts on; a record the csv module refuses goes to `bad` instead."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        where = f"{path.name}:{reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(BadRow(where, f"not readable as CSV: {error}"))
            continue
        if cells:  # a blank line between records is no record
            yield where, cells


@contextmanager
def _wide_fields() -> Iterator[None]:
    """Raise the csv module's 128 KiB field limit, which is global, for as long as one file is read."""
    before = csv.field_size_limit(_MAX_FIELD_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _header(path: Path, cells: list[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip() for cell in cells)
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise UnreadableTickets(f"{path}:1: expected every column name once, found {twice[0]!r} twice")
    if not all(map(_is_utf8, columns)):
        raise UnreadableTickets(f"{path}:1: expected a header in UTF-8, found bytes that are not")
    return columns


# ------------------------------------------------------------------------------------------------------ JSON lines


def _json_table(path: Path, text: str) -> Table:
    rows: list[Row] = []
    bad: list[BadRow] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            cells = dict(_flatten(_DECODER.decode(line.encode("utf-8"))))
        except UnicodeEncodeError:
            bad.append(BadRow(where, "expected UTF-8, found bytes that are not"))
        except (msgspec.DecodeError, RecursionError) as error:
            bad.append(BadRow(where, f"expected one JSON object, found {line[:40]!r}: {error}"))
        else:
            columns.update(dict.fromkeys(cells))
            rows.append(Row(where, cells))
    return Table(path, tuple(columns), tuple(rows), tuple(bad), ())


def _flatten(fields: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf as text under its dotted path; a list of plain values is joined by commas, others are left out."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            if all(isinstance(one, str | int | float) for one in value):
                yield prefix + name, ",".join(map(str, value))
        else:
            yield prefix + name, "" if value is None else str(value)


def column_names(columns: tuple[str, ...]) -> str:
    """The columns of a file as a sentence may list them."""
    shown = ", ".join(columns[:_NAMES_IN_MESSAGE])
    return shown if len(columns) <= _NAMES_IN_MESSAGE else f"{shown} and {len(columns) - _NAMES_IN_MESSAGE} more"
