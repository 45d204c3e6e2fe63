"""`holdfast triage why`, `overrides`, `accuracy` and `drift`: what the node says about its own work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.output import OutputFile
from holdfast.cli.owner import call

__all__ = ["accuracy", "corrected_tickets", "drift", "overrides", "why"]

_LIKELY = 0.01


@click.command(
    help="Say why TASK has the priority it has: the package that answered and who let it in, the decision with its "
    "contributions, the weights and rules in force, corrections by people, and what was written to the tracker.\n\n"
    "Example: holdfast triage why acme/shop#12"
)
@click.argument("task", metavar="TASK")
@click.option("--team", help="Of this team only.")
@as_json
def why(task: str, *, team: str | None, as_json: bool) -> None:
    """Print one page about one task."""
    found = call("triage.why", {"task_id": task, "team": team})
    if as_json:
        print_json(found)
        return
    click.echo(found["sentence"])
    for one in found["decisions"][:1]:
        _print_decision(one)
    click.echo("in the ledger:")
    click.echo(columns((f"  {e['sequence']}", e["recorded_at"], e["kind"], e["summary"]) for e in found["events"]))


def _print_decision(traced: Mapping[str, Any]) -> None:
    decision, approval, policy = traced["decision"], traced["approval"], traced["policy"]
    rows = [(f"  {c['points']:+.2f}", c["name"], c["source"]) for c in decision["contributions"]]
    click.echo(columns(rows))
    signed = f"signed by {', '.join(approval['signers'])}" if approval["signers"] else "signed by nobody"
    click.echo(f"package: {approval['package']} {approval['version']} {approval['digest'][:19]}, {signed}")
    happened = [(f"  {one['at']}", one["event"], one["version"], one["detail"]) for one in approval["events"]]
    if happened:
        click.echo(columns(happened))
    click.echo(f"policy: {policy['digest'][:19]}, rules {policy['rules_digest'][:19]}")


@click.group(help="People's corrections of decisions, as labelled tickets.")
def overrides() -> None:
    """Group of the command below."""


@overrides.command(
    help="Write people's corrections as JSON lines, newest first: the file is what `holdfast triage train --tickets` "
    "reads. It holds the text of tickets.\n\nExample: holdfast triage overrides export -o overrides.jsonl"
)
@click.option("-o", "--output", type=OutputFile(), default="-", help="File, or - for standard output.")
@click.option("--team", help="Of this team only.")
def export(*, output: TextIO, team: str | None) -> None:
    """Fetch page after page, so that neither side holds everything."""
    count, erased = 0, 0
    for page in corrected_tickets(team=team):
        output.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in page["rows"])
        count, erased = count + len(page["rows"]), erased + page["erased"]
    gone = f", {erased} more can no longer be read" if erased else ""
    click.echo(f"{count} corrections{gone}", err=True)


def corrected_tickets(*, team: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Every page of corrections, newest first, from whoever owns the data directory."""
    before: int | None = None
    while True:
        page = call("triage.overrides", {"before": before, "team": team})
        yield page
        before = page["next_before"]
        if before is None:
            return


@click.command(
    help="Show how often people let a decision's priority stand, by package version and period. What nobody looked at "
    "counts as let stand.\n\nExample: holdfast triage accuracy --period month"
)
@click.option("--period", type=click.Choice(["day", "week", "month", "all"]), default="week", show_default=True)
@as_json
def accuracy(*, period: str, as_json: bool) -> None:
    """Print one line for each package and period."""
    found = call("triage.accuracy", {"period": period})
    if as_json:
        print_json(found)
        return
    rows = [
        (
            row["since"] or "all",
            f"{row['package'] or row['digest'][:19]} {row['version']}",
            row["team"],
            f"{row['accuracy']:.1%} ({row['low']:.1%} to {row['high']:.1%})",
            f"{row['changed']} changed, {row['judged']} judged of {row['decisions']}",
            " ".join(f"{change}: {count}" for change, count in row["changes"].items()),
        )
        for row in found["rows"]
    ]
    click.echo(columns(rows) or "no decision yet")


@click.command(
    help="Show whether each package is still asked, and still says, what it was made for: the population stability "
    "index of every feature against the package's own hold-out, the most unusual first. Nothing is said of fewer than "
    "340 tickets.\n\nExample: holdfast triage drift --json"
)
@click.option("--all", "every", is_flag=True, help="Every feature, not only the unusual ones.")
@as_json
def drift(*, every: bool, as_json: bool) -> None:
    """Print one paragraph for each package."""
    found = call("triage.drift", {})
    if as_json:
        print_json(found)
        return
    for one in found["packages"]:
        state = f"drifting since {one['raised_at']}" if one["drifting"] else "no drift"
        whose = f", team {one['team']}" if one["team"] else ""
        click.echo(f"{one['package']} {one['version']}{whose}: {state}, {one['samples']} tickets looked at")
        for head in one["unused"]:
            click.echo(
                f"  head {head}: most tickets here are not of its kind; it answers with its prior, and is not compared"
            )
        shown = [shift for shift in one["features"] if every or shift["chance"] < _LIKELY]
        rows = [(f"  {s['feature']}", f"PSI {s['psi']:.4f}", f"by chance: {s['chance']:.2g}") for s in shown]
        if rows:
            click.echo(columns(rows))
    if not found["packages"]:
        click.echo("no package is watched yet")
