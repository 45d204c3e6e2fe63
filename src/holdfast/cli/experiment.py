"""`holdfast triage experiment`: try another way to score beside the one in force, compare, and put it in force."""

from __future__ import annotations

from collections.abc import Mapping
from getpass import getuser
from typing import Any

import click

from holdfast.cli.candidate_options import candidate_of, with_candidate_options
from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call, tell

__all__ = ["experiment"]

_FIGURES = ("p0_share", "mean_score", "needs_triage_share", "override_rate", "agreement")


@click.group(help="Try another way to score beside the one in force, and compare them.")
def experiment() -> None:
    """Group of the commands below."""


@experiment.command(
    help="Start experiment NAME. In shadow the candidate scores every ticket and decides none; in ab it decides its "
    "share of the tasks, always the same ones.\n\n"
    "Example: holdfast triage experiment start calmer --mode shadow --weight model=0.5 --weight keywords=0.15"
)
@click.argument("name")
@click.option("--mode", type=click.Choice(["shadow", "ab"]), default="shadow", help="Default: shadow.")
@click.option("--share", type=click.FloatRange(0, 1), default=0.5, help="Of tasks, for the candidate; default 0.5.")
@click.option("--team", default="", help="Whose tickets; default: those of no team.")
@with_candidate_options
@as_json
def start(name: str, *, as_json: bool, **options: Any) -> None:
    """Begin one."""
    candidate = candidate_of(options)
    asked = {"name": name, "candidate": candidate, "by": getuser()} | {
        key: options[key] for key in ("mode", "share", "team")
    }
    _told(call("experiment.start", asked), as_json=as_json)


@experiment.command(
    help="Show experiment NAME with both arms' figures and 95 % intervals; without NAME, all of them.\n\n"
    "Example: holdfast triage experiment status calmer"
)
@click.argument("name", required=False)
@as_json
def status(name: str | None, *, as_json: bool) -> None:
    """Print the comparison."""
    if name is None:
        found = call("experiment.list", {})
        rows = [
            (one["name"], one["state"], one["mode"], one["team"], one["started_at"]) for one in found["experiments"]
        ]
        if as_json:
            print_json(found)
        else:
            click.echo(columns([("experiment", "state", "mode", "team", "started"), *rows]))
        return
    found = call("experiment.status", {"name": name})
    if as_json:
        print_json(found)
    else:
        click.echo(_page(found))


@experiment.command(
    help="Stop experiment NAME; nothing else changes.\n\nExample: holdfast triage experiment stop calmer"
)
@click.argument("name")
@as_json
def stop(name: str, *, as_json: bool) -> None:
    """End one."""
    _told(call("experiment.stop", {"name": name, "by": getuser()}), as_json=as_json)


@experiment.command(
    help="Put the candidate of NAME in force, for good: its settings go to promoted.toml in the data directory, a "
    "version it names becomes the active one. Needs the running node.\n\n"
    "Example: holdfast triage experiment promote calmer"
)
@click.argument("name")
@as_json
def promote(name: str, *, as_json: bool) -> None:
    """Put one in force."""
    _told(tell("experiment.promote", {"name": name, "by": getuser()}), as_json=as_json)


@experiment.command(help="Take the latest promotion back.\n\nExample: holdfast triage experiment rollback")
@as_json
def rollback(*, as_json: bool) -> None:
    """Have what was before."""
    _told(tell("experiment.rollback", {"by": getuser()}), as_json=as_json)


def _told(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['name']}: {found['state']}")


def _page(found: Mapping[str, Any]) -> str:
    about, comparison = found["experiment"], found["comparison"]
    head = f"{about['name']}  {about['state']}  {about['mode']}  {found['tasks']} tasks since {about['started_at']}"
    arms = comparison["arms"]
    rows: list[tuple[str, ...]] = [("", *(one["arm"] for one in arms), "candidate - control")]
    rows.append(("decisions", *(str(one["decisions"]) for one in arms), ""))
    rows.append(("judged by people", *(str(one["judged"]) for one in arms), ""))
    for figure in _FIGURES:
        cells = [_interval(one[figure]) for one in arms]
        rows.append((figure, *cells, _interval(comparison["differences"].get(figure))))
    same = comparison["same_priority"]
    notes = [*([f"same priority: {_interval(same)}"] if same else []), *comparison["notes"]]
    return "\n".join([head, columns(rows), *notes])


def _interval(found: Mapping[str, float] | None) -> str:
    return f"{found['estimate']:.3g} [{found['low']:.3g}, {found['high']:.3g}]" if found else "-"
