"""`holdfast triage similar`: earlier tickets that resemble one, and how they ended."""

from __future__ import annotations

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call

__all__ = ["similar"]


@click.command(
    help="Print earlier tickets that resemble that of a decision, or a text, and how they ended.\n\n"
    'Example: holdfast triage similar --text "VPN drops after login"'
)
@click.argument("decision_id", required=False)
@click.option("--text", help="What to look for, in place of a decision.")
@click.option("--team", default="", help="With --text: whose tickets to look among.")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 50), help="How many at most.")
@as_json
def similar(decision_id: str | None, *, text: str | None, team: str, limit: int, as_json: bool) -> None:
    """Print one line for each."""
    found = call("triage.similar", {"decision_id": decision_id, "text": text, "team": team, "limit": limit})
    if as_json:
        print_json(found)
        return
    click.echo(
        columns(
            (f"{one['similarity']:.2f}", one["task_id"], one["priority"], one["route"], "judged" * one["judged"])
            for one in found["similar"]
        )
        or "nothing alike"
    )
    click.echo(f"{found['searched']} tickets searched" + ("" if found["complete"] else ", more are still being read"))
