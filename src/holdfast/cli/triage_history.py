"""`holdfast triage replay` of a ticket file: what the node would have done with a history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.history import HistoryReport, Then, report_history
from holdfast.apps.triage.preview import Preview
from holdfast.cli.candidate_options import candidate_of
from holdfast.cli.invocation import columns, print_json
from holdfast.cli.owner import call
from holdfast.cli.ticket_options import columns_of
from holdfast.report.bootstrap import Interval
from holdfast.workbench.columns import InvalidColumns
from holdfast.workbench.history import History, parse_metadata, read_history

__all__ = ["is_history", "replay_history"]

_AT_ONCE = 64
_SEED = 7  # the same intervals for the same file
_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".jsonl.gz")


def is_history(source: str) -> bool:
    """Say whether FILE holds tickets, not decisions: a table, or JSON lines that name no decision."""
    path = Path(source)
    if source.lower().endswith(_TABLES):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    try:
        found = json.loads(first)
    except ValueError:
        return False
    return isinstance(found, dict) and "decision_id" not in found and bool({"title", "summary", "text"} & set(found))


def replay_history(source: str, options: Mapping[str, Any]) -> None:
    """Score every ticket of FILE without recording it, and print what would have been."""
    try:
        metadata = parse_metadata(options["metadata"])
    except InvalidColumns as error:
        raise click.UsageError(str(error)) from error
    history = read_history(Path(source), columns_of(options), metadata)
    previews, bands = _previews(history, options)
    then = [Then(one.priority, one.route) for one in history.tickets]
    report = report_history(then, previews, bands, rng=np.random.default_rng(_SEED))
    if options["as_json"]:
        print_json({"report": report, "unusable": history.bad, "assumed": history.assumed, "tickets": previews})
    else:
        for sentence in history.assumed:
            click.echo(f"assumed: {sentence}", err=True)
        click.echo(_page(report, history))


def _previews(history: History, options: Mapping[str, Any]) -> tuple[list[Preview], dict[str, Priority]]:
    asked: dict[str, Any] = {"team": options["team"], "candidate": candidate_of(options)}
    found: list[Preview] = []
    bands: dict[str, Priority] = {}
    tickets = [one.ticket for one in history.tickets]
    for start in range(0, len(tickets), _AT_ONCE):
        part = tickets[start : start + _AT_ONCE]
        answer = call("triage.preview", {**asked, "tickets": part, "last": start + _AT_ONCE >= len(tickets)})
        found += msgspec.convert(answer["previews"], list[Preview])
        bands |= msgspec.convert(answer["bands"], dict[str, Priority])
    return found, bands


def _page(report: HistoryReport, history: History) -> str:
    bad = len(history.bad) + len(report.faults)
    lines = [f"{report.tickets} tickets{f', {bad} more cannot be used' if bad else ''}; nothing was recorded"]
    lines += [f"  {one}" for one in (*history.bad, *report.faults)[:5]]
    bands = list(Priority)
    rows = [("then", *(f"now {band}" for band in bands))]
    rows += [(was or "(not told)", *(str(now[band]) for band in bands)) for was, now in sorted(report.then.items())]
    rows.append(("all", *(str(report.priorities[band]) for band in bands)))
    lines.append(columns(rows))
    lines.append(f"same priority: {_share(report.same_priority, report.told, 'say what its words mean with --value')}")
    lines.append(f"same route: {_share(report.same_route, report.routed, 'the file tells none')}")
    lines.append(f"for a person to route: {report.needs_triage}")
    lines.append("tiers: " + ", ".join(f"{tier} {count}" for tier, count in report.tiers.items()))
    if report.degraded:
        lines.append(f"{report.degraded} were answered by a lower tier than the configured one")
    if report.changed:
        lines.append("largest changes:")
        lines.append(columns((f"  {one.task_id}", one.then, "->", one.now, f"{one.score:g}") for one in report.changed))
    return "\n".join(lines)


def _share(found: Interval | None, count: int, otherwise: str) -> str:
    if found is None:
        return f"- ({otherwise})"
    return f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] of the {count} tickets that tell theirs"
