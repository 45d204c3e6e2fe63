"""`holdfast triage train`: labelled tickets in, a package source and its report out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from holdfast.cli.corrections_file import write_corrections
from holdfast.cli.invocation import as_json, print_json
from holdfast.cli.ticket_options import TicketOptions, with_ticket_options
from holdfast.workbench.gather import Wishes, gather
from holdfast.workbench.plan import Inputs, TrainingPlan
from holdfast.workbench.planning import HoldOut
from holdfast.workbench.progress import watched
from holdfast.workbench.report_text import as_text
from holdfast.workbench.training_run import Finished, run, step_weights, write
from holdfast.workbench.weights import PUBLIC_PACKAGE, fetch_public_weights
from holdfast.workbench.written import ReportFiles, require_free

__all__ = ["train"]

_DEFAULT_CACHE = Path("~/.cache/holdfast")
_FILE = click.Path(path_type=Path)


@click.command(
    help="Learn from labelled tickets and write a package source, with a report beside it (SRC.report/).\n\n"
    "Example: holdfast triage train --tickets issues.csv --label priority=severity -o ./triage-local\n\n"
    "Again: holdfast triage train --tickets issues.csv --from-overrides -o ./triage-again\n\n"
    "Then: holdfast package build ./triage-local -o triage-local-1.0.0.tar"
)
@with_ticket_options
@click.option(
    "--from-overrides",
    is_flag=True,
    help="Learn from people's corrections too, as the ledger of this data directory has them; alone or beside "
    "--tickets. They are written to SRC.overrides.jsonl, with the text of the tickets.",
)
@click.option("-o", "--out", type=_FILE, required=True, metavar="SRC", help="Package source directory to write.")
@click.option("--name", help="Of the package; default: the name of SRC.")
@click.option("--version", default="1.0.0", show_default=True, help="Of the package, a semantic version.")
@click.option(
    "--split",
    type=click.Choice(["auto", "chronological", "group", "random"]),
    default="auto",
    show_default=True,
    help="How tickets are held out to judge by. auto: by time where tickets say it, else at random.",
)
@click.option("--holdout", type=click.FloatRange(0.05, 0.5), default=0.2, show_default=True, help="Share held out.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Equal seeds, equal packages.")
@click.option("--urgency", multiple=True, metavar="LABEL=NUMBER", help="0 to 1; well-known priority words need none.")
@click.option(
    "--encoder",
    default="public",
    show_default=True,
    metavar="public|none|DIR",
    help="Of the full tier: the public MiniLM (downloaded once), none, or a directory with a BERT-family model.",
)
@click.option(
    "--cache", type=_FILE, default=_DEFAULT_CACHE, show_default=True, help="Where the public encoder is kept."
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 0.1),
    default=0.002,
    show_default=True,
    help="Macro-F1 that letting n-grams answer easy tickets alone may cost.",
)
@click.option("--licence", default="", help="Of the tickets, for the package's provenance.")
@as_json
@click.pass_context
def train(context: click.Context, /, **_options: object) -> None:
    """Read, plan, train, write, report."""
    tickets = TicketOptions.of(context)
    out: Path = context.params["out"]
    require_free(out)
    plan, inputs = gather(_paths(context, tickets), tickets.columns(), _wishes(context, tickets))
    _say_assumptions(plan, inputs)
    with watched(sys.stderr, step_weights(plan)) as told:
        finished = run(plan, inputs, told=told)
    files = write(finished, out, reports=out.with_name(out.name + ".report"))
    if context.params["as_json"]:
        print_json({"source": str(out), "reports": str(files.html.parent), "report": finished.report})
    else:
        _print(finished, files, out=out)


def _paths(context: click.Context, tickets: TicketOptions) -> tuple[Path, ...]:
    """The named files and, where it is wished, the corrections."""
    if not context.params["from_overrides"]:
        return tickets.paths
    out: Path = context.params["out"]
    path = out.with_name(out.name + ".overrides.jsonl")
    count = write_corrections(path, tickets.columns())
    click.echo(f"corrections: {count}, in {path}", err=True)
    return (*tickets.paths, path)


def _wishes(context: click.Context, tickets: TicketOptions) -> Wishes:
    options = context.params
    directory, encoder_name = _encoder(str(options["encoder"]), Path(options["cache"]).expanduser())
    return Wishes(
        name=options["name"] or Path(options["out"]).resolve().name,
        version=options["version"],
        hold_out=HoldOut(kind=options["split"], share=options["holdout"], seed=options["seed"]),
        urgency=options["urgency"],
        encoder_dir=directory,
        encoder_name=encoder_name,
        loss_budget=options["max_loss"],
        licence=options["licence"],
        max_bad_ratio=tickets.max_bad_ratio,
    )


def _encoder(wanted: str, cache: Path) -> tuple[Path | None, str]:
    if wanted == "none":
        return None, ""
    if wanted == "public":
        return fetch_public_weights(cache), PUBLIC_PACKAGE
    if not Path(wanted).is_dir():
        raise click.UsageError(f"--encoder: expected public, none or a directory with a model, found {wanted!r}.")
    return Path(wanted), Path(wanted).resolve().name


def _say_assumptions(plan: TrainingPlan, inputs: Inputs) -> None:
    for dataset in inputs.datasets:
        for sentence in dataset.assumed:
            click.echo(f"assumed: {sentence}", err=True)
        if dataset.bad_rows:
            click.echo(f"left out: {len(dataset.bad_rows)} rows of {dataset.file}: {dataset.bad_rows[0]}", err=True)
    for head in plan.heads:
        click.echo(f"{head.name}: {', '.join(head.labels)}; {head.split.sentence}", err=True)


def _print(finished: Finished, files: ReportFiles, *, out: Path) -> None:
    click.echo(as_text(finished.report))
    click.echo(f"report: {files.html}")
    click.echo(f"next: holdfast package build {out} -o {out.name}-{finished.report.version}.tar")
