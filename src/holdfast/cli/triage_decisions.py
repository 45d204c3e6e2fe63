"""`holdfast triage decisions`: what the node decided lately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call

__all__ = ["decisions"]

_HEAD = ("recorded", "task", "score", "priority", "route", "tier", "team", "decision")


@click.command(
    help="List past decisions, newest first. A priority that a person corrected shows as `P0 (was P2)`; a tier that "
    "read only part of a text as `full, approximate`.\n\n"
    "Example: holdfast triage decisions --priority P0 --limit 50"
)
@click.option("--priority", type=click.Choice(["P0", "P1", "P2", "P3"]), help="The node's own word.")
@click.option("--tier", type=click.Choice(["full", "small", "rules"]))
@click.option("--task", "task_id", help="Of one task only.")
@click.option("--team", help="Of one team only; '' for those of none.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--cursor", default="", help="`next_cursor` of the page before.")
@as_json
def decisions(*, as_json: bool, **given: Any) -> None:
    """Print one line for each."""
    page = call("triage.decisions", given)
    if as_json:
        print_json(page)
        return
    click.echo(columns([_HEAD, *(_row(one) for one in page["decisions"])]))
    if page["next_cursor"]:
        click.echo(f"more: --cursor {page['next_cursor']}")


def _row(listed: Mapping[str, Any]) -> tuple[object, ...]:
    decision = listed["decision"]
    if decision is None:
        return (listed["recorded_at"], f"({listed['state']})", "", "", "", "", "", "")
    override, served = decision["override"], decision["served_by"]
    priority = decision["priority"]
    if override is not None and override["node_priority"] != priority:
        priority = f"{priority} (was {override['node_priority']})"
    tier = served["tier"] + (", approximate" if served["approximate"] else "")
    route, team = decision["route"]["label"], decision["arm"] or decision["team"]
    identity = decision["decision_id"]
    return (listed["recorded_at"], decision["task_id"], f"{decision['score']:g}", priority, route, tier, team, identity)
