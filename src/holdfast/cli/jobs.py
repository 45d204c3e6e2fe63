"""`holdfast jobs`: what waits to be done, what was given up, and what to do about it."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.owner import call

__all__ = ["jobs"]

_DAY_S = 86_400.0
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_SHOWN_REASON = 60  # characters of a line; the whole is in --json


@click.group(help="What waits to be done, what was given up, and what to do about it.")
def jobs() -> None:
    """Group of the commands below."""


@jobs.command(
    help="Show how every queue is: depth, age of the oldest, rate, dead letters.\n\nExample: holdfast jobs queues"
)
@as_json
def queues(*, as_json: bool) -> None:
    """Read them, from the running node or from the data directory."""
    found = call("jobs.queues", {})
    if as_json:
        print_json(found)
        return
    head = ("queue", "ready", "waiting", "running", "dead", "oldest", "done/min", "lanes")
    rows = [
        (
            one["queue"],
            one["ready"] - one["waiting"],
            one["waiting"],
            one["leased"],
            one["dead"],
            _age(one["oldest_s"]),
            f"{one['done_per_minute']:.0f}",
            one["lanes"],
        )
        for one in found["queues"]
    ]
    click.echo(columns([head, *rows]))


@jobs.command(
    "list",
    help="List jobs, newest first, with how their last run failed.\n\nExample: holdfast jobs list --state dead",
)
@click.option("--queue", default="", help="Only of this queue.")
@click.option("--state", type=click.Choice(["ready", "leased", "done", "dead"]), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--before", type=click.IntRange(1), help="Only jobs with a smaller number.")
@as_json
def list_jobs(*, as_json: bool, **conditions: Any) -> None:
    """Ask the owner."""
    found = call("jobs.list", {name: value for name, value in conditions.items() if value})
    if as_json:
        print_json(found)
        return
    head = ("job", "queue", "kind", "state", "runs", "age", "next run", "key", "last failure")
    rows = [
        (
            one["id"],
            one["queue"],
            one["kind"],
            one["state"],
            one["attempts"],
            _age(one["age_s"]),
            f"in {_age(one['due_in_s'])}" if one["due_in_s"] else "",
            one["key"],
            " ".join(one["reason"].split())[:_SHOWN_REASON],
        )
        for one in found["jobs"]
    ]
    click.echo(columns([head, *rows]) if rows else "no job matches")
    if found["next_before"] is not None:
        click.echo(f"more: --before {found['next_before']}")


@jobs.command(
    help="Try a dead or waiting job again, now and from the start; with --queue every dead letter of it.\n\n"
    "Example: holdfast jobs retry --queue write-back"
)
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--queue", default="", help="Every dead letter of this queue.")
@as_json
def retry(*, number: int | None, queue: str, as_json: bool) -> None:
    """Have the owner do it; it is recorded in the ledger."""
    if (number is None) == (not queue):
        raise click.UsageError("expected the number of a job, or --queue; `holdfast jobs list` shows both.")
    _say(call("jobs.retry", {"id": number} if number else {"queue": queue}), "to be tried again", as_json=as_json)


@jobs.command(
    help="Delete jobs of a queue for good.\n\nExample: holdfast jobs purge --queue write-back --older-days 30 --yes"
)
@click.option("--queue", required=True, help="Of which queue.")
@click.option(
    "--state", type=click.Choice(["dead", "done", "ready"]), default="dead", show_default=True, help="In which state."
)
@click.option("--older-days", type=click.FloatRange(0), default=0.0, help="In that state for at least so many days.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def purge(*, queue: str, state: str, older_days: float, yes: bool, as_json: bool) -> None:
    """Have the owner do it; it is recorded in the ledger."""
    if not yes:
        click.confirm(f"Delete the {state} jobs of {queue}? What they were to do is then never done", abort=True)
    purged = call("jobs.purge", {"queue": queue, "state": state, "older_s": older_days * _DAY_S})
    _say(purged, "deleted", as_json=as_json)


def _say(changed: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(changed)
        return
    count = changed["jobs"]
    click.echo(f"{count} job{'' if count == 1 else 's'} {what}, recorded as entry {changed['sequence']}")


def _age(seconds: float) -> str:
    for unit, size_s in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if seconds >= size_s:
            return f"{seconds / size_s:.1f} {unit}"
    return f"{seconds:.0f} s"
