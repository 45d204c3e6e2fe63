"""The options that say how labelled ticket files are read, shared by the commands that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from holdfast.workbench.columns import Columns, InvalidColumns, parse_columns

__all__ = ["TicketOptions", "columns_of", "with_column_options", "with_ticket_options"]

_Command = TypeVar("_Command", bound=Callable[..., None])

_COLUMN_OPTIONS = (
    click.option(
        "--column",
        "roles",
        multiple=True,
        metavar="ROLE=COLUMN",
        help="Which column is the id, title, body, at (time of writing) or group. Left out: recognised by its name.",
    ),
    click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="HEAD=COLUMN",
        help="Which column is the label of head priority or route. Left out: recognised by its name.",
    ),
    click.option(
        "--value",
        "values",
        multiple=True,
        metavar="HEAD:VALUE=LABEL",
        help="Read LABEL where the file says VALUE: priority:Blocker=critical.",
    ),
    click.option("--date-format", default="", metavar="PATTERN", help="Of the time of writing: '%d/%m/%y'."),
)

_OPTIONS = (
    click.option(
        "--tickets",
        "paths",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Labelled tickets: .csv, .tsv or .jsonl, each also with .gz. Repeat for more files.",
    ),
    *_COLUMN_OPTIONS,
    click.option(
        "--max-bad-rows",
        type=click.FloatRange(0, 100),
        default=1.0,
        show_default=True,
        metavar="PERCENT",
        help="Refuse a file with a larger share of rows that cannot be used.",
    ),
)


def with_ticket_options(command: _Command) -> _Command:
    """Give `command` the options; TicketOptions.of reads them back."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_column_options(command: _Command) -> _Command:
    """Give `command` those of them that say which column is what; `columns_of` reads them back."""
    for option in reversed(_COLUMN_OPTIONS):
        command = option(command)
    return command


def columns_of(options: Mapping[str, Any]) -> Columns:
    """The mapping of columns that a command's parameters name. Raises UsageError."""
    try:
        return parse_columns(
            options["roles"], options["labels"], values=options["values"], date_format=options["date_format"]
        )
    except InvalidColumns as error:
        raise click.UsageError(str(error)) from error


@dataclass(frozen=True, slots=True)
class TicketOptions:
    """What a user said about the ticket files."""

    paths: tuple[Path, ...]
    roles: tuple[str, ...]
    labels: tuple[str, ...]
    values: tuple[str, ...]
    date_format: str
    max_bad_rows: float

    @classmethod
    def of(cls, context: click.Context) -> TicketOptions:
        """Take them out of a command's parameters. Raises UsageError where nothing names tickets."""
        if not context.params["paths"] and not context.params.get("from_overrides"):
            raise click.MissingParameter(ctx=context, param_hint="'--tickets'", param_type="option")
        return cls(**{one.name: context.params[one.name] for one in fields(cls)})

    @property
    def max_bad_ratio(self) -> float:
        """The share of rows that may be unusable, 0 to 1."""
        return self.max_bad_rows / 100

    def columns(self) -> Columns:
        """The mapping of columns. Raises UsageError."""
        names = ("roles", "labels", "values", "date_format")
        return columns_of({name: getattr(self, name) for name in names})
