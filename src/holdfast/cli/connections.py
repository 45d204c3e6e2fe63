"""`holdfast connections`: the trackers the node speaks with."""

from __future__ import annotations

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call

__all__ = ["connections"]


@click.group(help="The trackers the node speaks with.")
def connections() -> None:
    """Group of the command below."""


@connections.command(
    "list",
    help="Show each connection: its dialect, what it may do, what came on it.\n\nExample: holdfast connections list",
)
@as_json
def list_connections(*, as_json: bool) -> None:
    """Ask the owner."""
    found = call("connections.list", {})["connections"]
    if as_json:
        print_json({"connections": found})
        return
    head = ("connection", "dialect", "built from", "mode", "writes", "deliveries", "fault")
    rows = [
        (
            one["name"],
            one["dialect"],
            one["built_from"],
            one["mode"],
            "yes" if one["writes"] else "no",
            ", ".join(f"{count} {outcome}" for outcome, count in sorted(one["deliveries"].items())) or "none",
            one["fault"],
        )
        for one in found
    ]
    click.echo(columns([head, *rows]) if rows else "no connection is configured")
