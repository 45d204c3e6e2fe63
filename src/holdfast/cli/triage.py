"""`holdfast triage score`, `replay` and `rules`: ask the node, or try rules without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from holdfast.cli.candidate_options import with_candidate_options
from holdfast.cli.exits import Exit
from holdfast.cli.invocation import as_json, columns, invocation, print_json
from holdfast.cli.owner import call
from holdfast.cli.ticket_options import with_column_options
from holdfast.errors import InvalidInput

__all__ = ["replay", "rules", "score", "teams"]

_ID_PREFIX = "dec_"


class UnusableFile(InvalidInput):
    """A file given on the command line is not what the command reads."""


@click.command(
    help="Score the ticket in FILE (JSON as for /v1/triage/score; - for standard input) and record the decision.\n\n"
    "Without a running node the tiers that need no worker answer.\n\n"
    "Example: holdfast triage score --ticket ticket.json"
)
@click.option("--ticket", "source", required=True, type=click.File("rb"), metavar="FILE|-", help="The ticket.")
@as_json
def score(source: Any, *, as_json: bool) -> None:
    """Print one decision."""
    name = getattr(source, "name", "-")
    try:
        ticket = json.loads(source.read())
    except (ValueError, RecursionError) as error:
        raise UnusableFile(f"{name}: expected one ticket in JSON, found: {error}") from error
    if not isinstance(ticket, dict):
        raise UnusableFile(f"{name}: expected one ticket in JSON, found {type(ticket).__name__}")
    decision = call("triage.score", {"ticket": ticket})
    if as_json:
        print_json(decision)
    else:
        click.echo(_decision_page(decision))


@click.command(
    help="Derive past decisions again; or say what the node would have done with past tickets.\n\n"
    "Decisions: FILE holds replies of /v1/triage/score, one JSON object a line, or decision ids, one a line; an id "
    "will do. Ends with 65 when a decision comes out different, with 69 when something it needs is gone.\n\n"
    "Tickets: FILE is a tracker's export (.csv, .tsv or .jsonl, each also with .gz). Each is scored as of the time it "
    "was written and held against the priority and route it had; nothing is recorded. The options say which column "
    "is what, and how a candidate differs from the scoring in force.\n\n"
    "Example: holdfast triage replay export.csv --value priority:Blocker=P0 --metadata deadline_at=due --band p0=85"
)
@click.argument("source", metavar="FILE")
@with_column_options
@click.option("--metadata", multiple=True, metavar="KEY=COLUMN", help="As in the ticket: deadline_at, requester.role.")
@click.option("--team", default="", help="Whose package and rules; default: of the team each ticket names.")
@with_candidate_options
@as_json
@click.pass_context
def replay(context: click.Context, /, source: str, *, as_json: bool, **_options: object) -> None:
    """Print how each decision came out, or what would have been."""
    from holdfast.cli.triage_history import is_history, replay_history  # noqa: PLC0415  # numpy, for one command

    if is_history(source):
        replay_history(source, context.params)
        return
    results = [call("triage.replay", {"decision_id": one}) for one in _decision_ids(source)]
    if as_json:
        print_json(results)
    else:
        click.echo(columns((one["decision_id"], one["verdict"], one["sentence"]) for one in results))
    if any(one["verdict"] == "different" for one in results):
        context.exit(Exit.BAD_DATA)


@click.command(help="Show which package and rules answer each team's tickets.\n\nExample: holdfast triage teams")
@as_json
def teams(*, as_json: bool) -> None:
    """Print one line for each, the tickets of no team first."""
    found = call("triage.teams", {})
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["team"] or "(none)",
            f"{one['package']}@{one['version']}",
            one["best"],
            one["rules"],
            ", ".join(one["labels"]),
        )
        for one in found["teams"]
    ]
    click.echo(columns([("team", "package", "tier", "rules", "labels"), *rows]))


@click.group(help="Check rule files and try them on fixture tables.")
def rules() -> None:
    """Group of the two commands below."""


@rules.command(help="Check a rule file without putting it in force.\n\nExample: holdfast triage rules check rules.toml")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def check(file: Path, *, as_json: bool) -> None:
    """Print the rules in order."""
    from holdfast.apps.triage.rules_watch import read_rules  # noqa: PLC0415  # `--help` need not load the app

    found = read_rules(file)
    rows = [(rule.name, rule.action.text()) for rule in found.rules]
    if as_json:
        print_json({"digest": found.digest, "rules": [{"name": name, "action": action} for name, action in rows]})
    else:
        click.echo(f"{len(rows)} rules, {found.digest}")
        click.echo(columns(rows))


@rules.command(
    help="Run the [[case]] tables of FILE. The rules are in FILE itself, in the file it names with `rules = PATH`, "
    "or given by --rules. Ends with 65 when a case fails.\n\n"
    "Example: holdfast triage rules test rules.toml"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rules", "rules_file", type=click.Path(path_type=Path), help="The rule file to try.")
@as_json
@click.pass_context
def test(context: click.Context, file: Path, rules_file: Path | None, *, as_json: bool) -> None:
    """Print each case and what was wrong with it."""
    from holdfast.cli.rules_trial import run_table  # noqa: PLC0415  # as above

    results = run_table(file, rules_file, invocation().load().settings)
    failed = sum(bool(one.wrongs) for one in results)
    if as_json:
        print_json({"failed": failed, "cases": results})
    else:
        for one in results:
            click.echo(f"{'FAIL' if one.wrongs else 'ok  '}  {one.name}  {one.score:g} {one.priority} {one.route}")
            for wrong in one.wrongs:
                click.echo(f"        {wrong}")
        click.echo(f"{len(results)} cases, {failed} failed")
    if failed:
        context.exit(Exit.BAD_DATA)


def _decision_ids(source: str) -> list[str]:
    if source.startswith(_ID_PREFIX) and not Path(source).exists():
        return [source]
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UnusableFile(f"{source}: expected text in UTF-8, found: {error}") from error
    found = [
        _decision_id(line.strip(), where=f"{source}:{number}") for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not found:
        raise UnusableFile(f"{source}: expected decisions or their ids, one a line, found none")
    return found


def _decision_id(line: str, *, where: str) -> str:
    if line.startswith(_ID_PREFIX):
        return line
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    found = value.get("decision_id") if isinstance(value, Mapping) else None
    if not isinstance(found, str):
        raise UnusableFile(f"{where}: expected a decision in JSON or an id dec_…, found {line[:60]!r}")
    return found


def _decision_page(decision: Mapping[str, Any]) -> str:
    served, route = decision["served_by"], decision["route"]
    head = f"{decision['task_id']}  {decision['score']:g}  {decision['priority']}  {route['label']}"
    rows = [(f"  {c['points']:+.2f}", c["name"], c["source"]) for c in decision["contributions"]]
    unsigned = ", unsigned" if served["unsigned"] else ""
    approximate = ", approximate: the text was cut to what the model reads" if served["approximate"] else ""
    degraded = f", degraded: {', '.join(served['reasons'])}" if served["degraded"] else ""
    tail = f"  {served['tier']} tier, {served['package']}@{served['version']}{unsigned}{approximate}{degraded}"
    like = [
        f"  like {s['task_id']} ({s['similarity']:.2f}): {s['priority']}, {s['route']}" for s in decision["similar"]
    ]
    return "\n".join([head, columns(rows), *like, tail, f"  {decision['decision_id']}"])
