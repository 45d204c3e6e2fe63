"""`holdfast status`: the node at a glance."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import ask
from holdfast.cli.words import bytes_in_words, duration_in_words

__all__ = ["status"]


@click.command(help="Say how the node is, in plain words.\n\nExample: holdfast status")
@as_json
def status(*, as_json: bool) -> None:
    """Ask the running node; exits 69 when none runs."""
    shown = ask("/v1/node/status")
    if as_json:
        print_json(shown)
        return
    click.echo(columns(_rows(shown)))
    for alert in shown["alerts"]:
        click.echo(f"\n{alert['severity']}: {alert['sentence']}\n  next: {alert['next_step']}")


def _rows(shown: dict[str, Any]) -> list[tuple[str, str]]:
    health = shown["health"]
    signed = ", unsigned" if health["unsigned"] else ""
    answered = ", ".join(f"{count} {tier}" for tier, count in shown["answered"].items()) or "none yet"
    memory = ", ".join(f"{name} {bytes_in_words(size)}" for name, size in shown["memory_bytes"].items())
    return [
        ("state", health["status"] + (f": {'; '.join(health['reasons'])}" if health["reasons"] else "")),
        ("tier", health["tier"]),
        ("package", f"{health['package']} {health['version']}{signed}"),
        ("ledger", health["ledger"]),
        ("answered", answered),
        ("memory", memory),
        ("disk free", bytes_in_words(shown["disk_free_bytes"])),
        ("up", duration_in_words(shown["uptime_s"])),
        ("version", shown["version"]),
    ]
