"""`holdfast triage drift`: what the node says about its own work."""

from __future__ import annotations

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call

__all__ = ["drift"]

_LIKELY = 0.01


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
        shown = [shift for shift in one["features"] if every or shift["chance"] < _LIKELY]
        rows = [(f"  {s['feature']}", f"PSI {s['psi']:.4f}", f"by chance: {s['chance']:.2g}") for s in shown]
        if rows:
            click.echo(columns(rows))
    if not found["packages"]:
        click.echo("no package is in service: nothing to watch")
