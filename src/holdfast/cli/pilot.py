"""`holdfast triage pilot`: what some days of the node's work did for a team."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.cli.output import create
from holdfast.cli.owner import call
from holdfast.cli.pilot_history import read_history
from holdfast.cli.pilot_page import change_words, interval_words, page
from holdfast.report.handled import Handled
from holdfast.report.kpis import Kpi, Stretch
from holdfast.report.pilot import PilotReport, Records, pilot_report

__all__ = ["pilot"]

_FILE = click.Path(path_type=Path)


@click.command(
    help="Report what the node did for a team in some days: time to triage, first acknowledgement, false P0, SLA "
    "adherence, override rate, time in each tier; before against after with 95 % intervals; local records only.\n\n"
    "HISTORY is the tracker's export (.csv, .tsv, .jsonl) of tasks before the pilot, best also of those in it: what "
    "the node cannot know (when somebody acknowledged or resolved a task) comes from there.\n\n"
    "Example: holdfast triage pilot --days 14 --history export.csv --column opened=created -o pilot.html"
)
@click.option("--days", type=click.IntRange(1, 3650), default=14, show_default=True, help="How long, up to --until.")
@click.option("--until", type=click.DateTime(), help="End (UTC); default: now.")
@click.option("--team", help="Of this team only.")
@click.option("--history", type=_FILE, help="The tracker's export.")
@click.option(
    "--column",
    "roles",
    multiple=True,
    metavar="ROLE=COLUMN",
    help="Which column is the id, opened, triaged, acked, resolved, deadline, priority or final_priority. Left out: "
    "recognised by its name.",
)
@click.option("--value", "values", multiple=True, metavar="WORD=BAND", help="What a priority means: Blocker=P0.")
@click.option("--date-format", default="", metavar="PATTERN", help="Of the history's dates: '%d/%m/%y'.")
@click.option("-o", "--output", type=_FILE, metavar="FILE", help="Write one self-contained HTML page, JSON beside it.")
@as_json
@click.pass_context
def pilot(context: click.Context, /, *, as_json: bool, output: Path | None, **_options: object) -> None:
    """Gather, compute, tell."""
    report = pilot_report(_records(context.params))
    if output is not None:
        create(output, page(report).encode())
        create(output.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(report), indent=2))
    if as_json:
        print_json(report)
        return
    click.echo(_text(report))
    if output is not None:
        click.echo(f"report: {output} and {output.with_suffix('.json')}")


def _records(options: dict[str, Any]) -> Records:
    until = (options["until"] or datetime.now(UTC)).replace(tzinfo=UTC)
    since = until - timedelta(days=options["days"])
    history: tuple[Handled, ...] = ()
    if options["history"] is not None:
        history = read_history(options["history"], options["roles"], options["values"], options["date_format"])
    decided: list[Handled] = []
    packages: Counter[str] = Counter()
    erased = 0
    asked = {"since": _text_of(since), "until": _text_of(until), "team": options["team"], "before": None}
    while True:
        found = call("triage.handled", asked)
        decided += msgspec.convert(found["tasks"], list[Handled])
        packages.update(found["packages"])
        erased += found["erased"]
        asked["before"] = found["next_before"]
        if asked["before"] is None:
            break
    return Records(
        since=_text_of(since),
        until=_text_of(until),
        since_s=since.timestamp(),
        until_s=until.timestamp(),
        decided=decided[::-1],
        history=history,
        stretches=_stretches(packages if options["team"] else None),
        packages=dict(packages.most_common()),
        erased=erased,
        team=options["team"],
    )


def _stretches(packages: Iterable[str] | None) -> list[Stretch]:
    """Changes of tier, oldest first; of these `packages` only, where a team's time must not be that of the others."""
    changes = call("tiers.history", {"limit": 1000})["transitions"]
    if packages is not None:
        names = {package.partition(" ")[0] for package in packages}
        changes = [one for one in changes if one["package"] in names]
    return [Stretch(datetime.fromisoformat(one["at"]).timestamp(), one["after"]) for one in reversed(changes)]


def _text_of(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _text(report: PilotReport) -> str:
    counted = f"{report.decisions} decisions on {report.tasks} tasks; compared with {report.history_tasks} earlier ones"
    figures = columns(_row(kpi) for kpi in report.kpis)
    missing = [f"not computed: {kpi.title}, {kpi.missing}" for kpi in report.kpis if kpi.missing]
    head = f"{report.since} to {report.until}: {counted}"
    return "\n".join([head, figures, *_tiers(report), *missing, *report.notes])


def _row(kpi: Kpi) -> Sequence[str]:
    before, after = (interval_words(one, kpi.unit) for one in (kpi.before, kpi.after))
    return (kpi.title, f"before: {before}", f"after: {after}", f"change: {change_words(kpi)}")


def _tiers(report: PilotReport) -> list[str]:
    return [
        f"{one.tier} tier: {one.answers} answers ({one.answer_ratio:.1%})"
        + ("" if one.time_ratio is None else f", the best that could answer {one.time_ratio:.1%} of the time")
        for one in report.tiers
    ]
