"""The options that say how a candidate differs from the scoring in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from holdfast.errors import InvalidInput

__all__ = ["UnusableOption", "candidate_of", "with_candidate_options"]

_Command = TypeVar("_Command", bound=Callable[..., None])

_OPTIONS = (
    click.option("--weight", "weights", multiple=True, metavar="FACTOR=NUMBER", help="May be repeated; they sum to 1."),
    click.option(
        "--band", "bands", multiple=True, metavar="p0|p1|p2=SCORE", help="Lowest score of it; may be repeated."
    ),
    click.option("--rules", type=click.Path(path_type=Path), help="Rule file in the place of the one in force."),
    click.option("--package", default="", help="Installed package: NAME, or NAME@VERSION."),
)


class UnusableOption(InvalidInput):
    """A `NAME=NUMBER` that is neither."""


def with_candidate_options(command: _Command) -> _Command:
    """Give `command` the options; `candidate_of` reads them back."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def candidate_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The candidate a command's parameters describe. Raises UnusableOption, OSError."""
    rules: Path | None = options["rules"]
    return {
        "weights": _numbers(options["weights"], "--weight"),
        "bands": _numbers(options["bands"], "--band"),
        "rules": rules.read_text(encoding="utf-8") if rules is not None else None,
        "package": options["package"],
    }


def _numbers(given: tuple[str, ...], option: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise UnusableOption(f"{option}: expected NAME=NUMBER such as model=0.5, found {one[:60]!r}") from error
    return found
