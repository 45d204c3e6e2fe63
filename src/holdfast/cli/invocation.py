"""One run of the command line: which configuration, which data directory, how to print."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from holdfast.errors import HoldfastError
from holdfast.settings.loading import Loaded, Sources, load
from holdfast.settings.place import promoted_file

__all__ = ["Invocation", "OwnerError", "as_json", "columns", "invocation", "print_json"]

_SYSTEM_FILE = Path("/etc/holdfast/holdfast.toml")
_USER_FILE = Path("holdfast.toml")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option every reporting command has."""


class OwnerError(HoldfastError):
    """What the owner of the data directory answered when it refused a call."""

    def __init__(self, message: str, *, kinds: Sequence[str]) -> None:
        super().__init__(message)
        self.kinds = tuple(kinds)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The common options."""

    config: Path | None = None
    directory: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """The configuration files of this run, in order: the named one, or the usual place, then its conf.d."""
        named = self.config or (Path(value) if (value := os.environ.get("HOLDFAST_CONFIG")) else None)
        usual = [_SYSTEM_FILE] if os.geteuid() == 0 else [_USER_FILE, _SYSTEM_FILE]
        main = named or next((path for path in usual if path.is_file()), None)
        if main is None:
            return ()
        return (main, *sorted(main.parent.glob("conf.d/*.toml")))

    def load(self, flags: Mapping[str, object] | None = None) -> Loaded:
        """Read the settings. Raises InvalidSettings."""
        given: dict[str, object] = dict(flags or {})
        if self.directory is not None:
            given["data.directory"] = str(self.directory)
        sources = Sources(self.files(), environment=os.environ, flags=given)
        loaded = load(sources)
        promoted = promoted_file(loaded.settings, os.environ)
        return loaded if promoted is None else load(replace(sources, promoted=promoted))


def invocation() -> Invocation:
    """The run this command belongs to."""
    found = click.get_current_context().find_object(Invocation)
    return found or Invocation()


def print_json(value: Any) -> None:
    """Print `value`, msgspec types included, as indented JSON."""
    import msgspec  # noqa: PLC0415  # a command that prints text must not pay for it

    click.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def columns(rows: Iterable[Sequence[object]]) -> str:
    """Return `rows` as left-aligned columns, two spaces apart."""
    table = [[str(cell) for cell in row] for row in rows]
    if not table:
        return ""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)
