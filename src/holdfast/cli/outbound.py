"""`holdfast outbound`: whom the node talks to, and how that goes."""

from __future__ import annotations

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import ask

__all__ = ["outbound"]

_MIB = 1 << 20


@click.command(
    help="Show whom the running node may talk to, and how each of them fares.\n\nExample: holdfast outbound --json"
)
@as_json
def outbound(*, as_json: bool) -> None:
    """Ask the running node; exits 69 when none runs."""
    shown = ask("/v1/node/outbound")
    if as_json:
        print_json(shown)
        return
    click.echo(
        f"allowed  {', '.join(shown['allowed']) or 'nobody: no connection has a base_url, outbound.allow is empty'}"
    )
    click.echo(f"today    {shown['bytes_today'] / _MIB:.1f} of {shown['bytes_per_day'] / _MIB:.0f} MiB")
    if shown["refused"]:
        click.echo(f"refused  {shown['refused']}, within the hour")
    rows = [
        (one["host"], one["state"], f"{one['failures']} failures in a row", one["reason"]) for one in shown["hosts"]
    ]
    if rows:
        click.echo(columns(rows))
