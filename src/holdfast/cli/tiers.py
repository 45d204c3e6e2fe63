"""`holdfast tiers`: which tiers can answer, and what changed when."""

from __future__ import annotations

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import ask, call

__all__ = ["tiers"]


@click.group(help="Which tiers can answer, and what changed when.")
def tiers() -> None:
    """Group of the commands below."""


@tiers.command(help="Show every tier of the running node.\n\nExample: holdfast tiers show")
@as_json
def show(*, as_json: bool) -> None:
    """Ask the running node; exits 69 when none runs."""
    shown = ask("/v1/node/tiers")
    if as_json:
        print_json(shown)
        return
    click.echo(f"{shown['package']} {shown['version']}; best tier now: {shown['best']}")
    rows = [
        (
            view["tier"],
            "answers" if view["available"] else f"rests: {view['reason']}",
            view["variant"],
            view["runtime"],
            f"{view['depth']} waiting",
            f"{view['service_ms']} ms",
        )
        for view in shown["tiers"]
    ]
    click.echo(columns(rows))


@tiers.command(help="List changes of the best tier, newest first.\n\nExample: holdfast tiers history --limit 20")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many.")
@as_json
def history(*, limit: int, as_json: bool) -> None:
    """Read the durable history, from the running node or from the data directory."""
    found = call("tiers.history", {"limit": limit})
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["at"],
            one["package"],
            f"{one['before']} -> {one['after']}",
            one["reason"],
            "" if one["temperature_c"] is None else f"{one['temperature_c']:.0f} °C",
            f"queue {one['queue_depth']}",
        )
        for one in found["transitions"]
    ]
    click.echo(columns(rows) or "no transitions yet")
