"""`holdfast triage evaluate`: what a package scores on labelled tickets."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.invocation import as_json, print_json
from holdfast.cli.ticket_options import TicketOptions, with_ticket_options
from holdfast.workbench.judging import Examination, Judgement, judge
from holdfast.workbench.report_text import figures_table

__all__ = ["evaluate"]

_FILE = click.Path(path_type=Path)


@click.command(
    help="Judge a package on labelled tickets, tier by tier, with the code that serves it.\n\n"
    "Example: holdfast triage evaluate --package triage-local-1.0.0.tar --tickets new-issues.csv "
    "--training-list triage-local.report/training-list.txt"
)
@click.option("--package", "package", type=_FILE, required=True, help="A package, as a directory or one file.")
@with_ticket_options
@click.option("--tier", "tiers", type=click.Choice(["full", "small"]), multiple=True, help="Default: all it has.")
@click.option("--cascade/--no-cascade", default=None, help="May n-grams answer alone? Default: as the package says.")
@click.option("--training-list", type=_FILE, help="Leave out tickets the package learnt from, by its training list.")
@as_json
@click.pass_context
def evaluate(context: click.Context, /, **_options: object) -> None:
    """Answer every ticket in every tier and compare with what people decided."""
    options = TicketOptions.of(context)
    judgement = judge(
        Examination(
            package=context.params["package"],
            tickets=options.paths,
            columns=options.columns(),
            tiers=context.params["tiers"],
            cascade=context.params["cascade"],
            training_list=context.params["training_list"],
            max_bad_ratio=options.max_bad_ratio,
        )
    )
    if context.params["as_json"]:
        print_json(judgement)
    else:
        _print(judgement)


def _print(judgement: Judgement) -> None:
    for sentence in judgement.assumed:
        click.echo(f"assumed: {sentence}", err=True)
    learnt = f", {judgement.learnt_from} more left out that it learnt from" if judgement.learnt_from else ""
    name = f"{judgement.package} {judgement.version} ({judgement.digest[:19]})"
    click.echo(f"{name} on {judgement.tickets} tickets{learnt}")
    click.echo(figures_table([(head.name, tier) for head in judgement.heads for tier in head.tiers]))
