"""`holdfast bench`: replay your own tickets against the running node, and compare with the last run."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from holdfast.cli.invocation import as_json, columns, invocation, print_json
from holdfast.cli.owner import NoOwner, ask
from holdfast.rehearse.replay import Run, last_run, remember, replay
from holdfast.settings.place import data_directory
from holdfast.workbench.tickets import read_texts

__all__ = ["bench"]


@click.command(
    help="Replay the tickets of FILE against the running node; print its figures and those of the last run.\n\n"
    "FILE: CSV, TSV or JSON lines, as for `holdfast triage train`; labels are not needed. Every replayed ticket is "
    "scored and recorded like any other, with `bench-` before its id.\n\n"
    "Example: holdfast bench --tickets export.csv"
)
@click.option(
    "--tickets",
    "path",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File of tickets.",
)
@click.option("--callers", type=click.IntRange(1, 256), default=4, show_default=True, help="Connections at once.")
@click.option("--limit", type=click.IntRange(1), default=2000, show_default=True, help="Tickets to replay at most.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the node, where it is not the configured one.")
@as_json
def bench(path: Path, callers: int, limit: int, port: int | None, *, as_json: bool) -> None:
    """Exits 69 when no node runs."""
    settings = invocation().load().settings
    ask("/v1/node/status")  # no node: say so before reading a long file
    bodies = [_body(identifier, text) for identifier, text in read_texts(path)[:limit]]
    where = (settings.server.host, port or settings.server.port)
    run = replay(where, _owner(data_directory(settings, os.environ)), bodies, callers=callers)
    kept = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "holdfast" / "bench.json"
    before = last_run(kept)
    remember(kept, run)
    if as_json:
        print_json({"run": run, "last": before})
    else:
        click.echo(_page(run, before))


def _body(identifier: str, text: str) -> bytes:
    title, _, description = text.partition("\n")
    return msgspec.json.encode({"id": f"bench-{identifier}", "title": title, "description": description})


def _owner(directory: Path) -> int:
    try:
        return int((directory / "lock").read_text())
    except (OSError, ValueError) as error:
        raise NoOwner(f"{directory}/lock: expected the running node's process id, found none") from error


def _page(run: Run, before: Run | None) -> str:
    old = {} if before is None else msgspec.to_builtins(before)
    rows: list[tuple[object, ...]] = [("", "now", "last run" if before else "")]
    for name, value in msgspec.to_builtins(run).items():
        rows.append((name, _shown(value), _shown(old.get(name)) if before else ""))
    return columns(rows)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return "not measured here" if value is None else str(value)
