"""`holdfast ledger`: show, verify, export and erase what the node has recorded."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TextIO

import click

from holdfast.cli.exits import Exit
from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.output import OutputFile
from holdfast.cli.owner import call

__all__ = ["ledger"]


@click.group(help="Show, verify, export and erase what the node has recorded.")
def ledger() -> None:
    """Group of the commands below."""


@ledger.command(
    help="Show entries, newest first; with REFERENCE (a decision id or a sequence) that one with its payload.\n\n"
    "Example: holdfast ledger show --priority P0 --limit 20"
)
@click.argument("reference", required=False)
@click.option("--kind", "kinds", multiple=True, help="Only this kind (decision, override, …); may be repeated.")
@click.option("--since", type=click.DateTime(), help="Recorded at or after this time (UTC).")
@click.option("--until", type=click.DateTime(), help="Recorded before this time (UTC).")
@click.option("--tier", type=click.Choice(["full", "small", "rules"]), help="Answered by this tier.")
@click.option("--priority", "band", help="Only this priority (P0 … P3).")
@click.option("--task", "subject", help="About this task id.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--before", type=click.IntRange(1), help="Only entries with a smaller sequence.")
@as_json
def show(*, as_json: bool, **conditions: Any) -> None:
    """Ask the owner; payloads are printed only for one entry or as JSON."""
    asked = {name: _plain(value) for name, value in conditions.items() if value not in (None, ())}
    found = call("ledger.show", asked)
    if as_json or conditions["reference"]:
        print_json(found["entries"][0] if conditions["reference"] else found)
        return
    click.echo(columns(_row(entry) for entry in found["entries"]) or "nothing recorded that matches")
    if found["next_before"] is not None:
        click.echo(f"more: --before {found['next_before']}")


@ledger.command(
    help="Walk the whole chain and hold it against the anchor; exits 65 when it does not hold.\n\n"
    "Example: holdfast ledger verify"
)
@click.option(
    "--accept-loss", is_flag=True, help="Record that you know what is missing (after a restore), then verify."
)
@as_json
@click.pass_context
def verify(ctx: click.Context, *, accept_loss: bool, as_json: bool) -> None:
    """Print the verdict; the first sequence that does not hold is named."""
    verdict = call("ledger.accept_loss" if accept_loss else "ledger.verify", {})
    if as_json:
        print_json(verdict)
    else:
        _say(verdict)
    if not verdict["ok"]:
        ctx.exit(Exit.BAD_DATA)


@ledger.command(
    help="Write every entry as JSON lines, sealed, for a verifier of your own (docs/spec/ledger.md).\n\n"
    "Example: holdfast ledger export -o ledger.jsonl"
)
@click.option("-o", "--output", type=OutputFile(), default="-", help="File, or - for standard output.")
@click.option("--after", type=click.IntRange(0), default=0, show_default=True, help="Begin after this sequence.")
def export(*, output: TextIO, after: int) -> None:
    """Fetch page after page, so that neither side holds the whole ledger."""
    count = 0
    while entries := call("ledger.export", {"after": after})["entries"]:
        output.writelines(json.dumps(entry, separators=(",", ":"), sort_keys=True) + "\n" for entry in entries)
        after = entries[-1]["sequence"]
        count += len(entries)
    click.echo(f"{count} entries written", err=True)


@ledger.command(
    help="Erase for ever what the ledger keeps about one task; headers stay, and say nothing about a person.\n\n"
    "Example: holdfast ledger erase --task TASK-4711 --yes"
)
@click.option("--task", "subject", required=True, help="The task id, as it was sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def erase(*, subject: str, yes: bool, as_json: bool) -> None:
    """Destroy the keys of the task's records."""
    if not yes:
        click.confirm(f"Erase everything recorded about {subject}? This cannot be undone", abort=True)
    erased = call("ledger.erase", {"subject": subject})
    if as_json:
        print_json(erased)
        return
    click.echo(f"{erased['entries']} entries erased, recorded as entry {erased['sequence']}")
    if not erased["purged"]:
        click.echo("a reader kept the write-ahead log from being cut; the node goes on trying")


def _plain(value: Any) -> Any:
    return value.isoformat() + "Z" if isinstance(value, datetime) else value


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    header = entry["header"]
    return (
        header["sequence"],
        header["recorded_at"],
        header["kind"],
        header["tier"] or "",
        "" if header["score"] is None else f"{header['score']:.1f}",
        header["band"] or "",
        entry["state"],
    )


def _say(verdict: dict[str, Any]) -> None:
    click.echo(
        f"{verdict['entries']} entries: {verdict['sealed']} sealed, {verdict['erased']} erased, "
        f"{verdict['headers_only']} headers only"
    )
    click.echo(f"anchor: {verdict['anchor']}")
    for sequence, why in verdict["breaks"]:
        click.echo(f"entry {sequence}: {why}")
    click.echo("the ledger holds" if verdict["ok"] else "the ledger does NOT hold")
