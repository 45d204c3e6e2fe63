"""`holdfast demo`: build the reference package, serve it, score tickets it never saw, kill its worker half-way."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from holdfast.cli.exits import Exit
from holdfast.cli.invocation import as_json, columns, print_json
from holdfast.rehearse.demo import Demonstration, Outcome, demonstrate
from holdfast.workbench.reference import build_reference_package

__all__ = ["demo"]


@click.command(
    help="Show what a node does: score real tickets it never saw, lose its model worker half-way, fail none.\n\n"
    "The first run downloads public encoder weights and builds the reference package; later runs start at once.\n\n"
    "Example: holdfast demo --exit"
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".cache"),
    show_default=True,
    help="Where weights, the built package and the demo's state are kept.",
)
@click.option("--exit", "stop", is_flag=True, help="Stop after the scoring instead of serving on.")
@as_json
def demo(cache: Path, *, stop: bool, as_json: bool) -> None:
    """Exit 0 only when a worker was killed, nothing failed and the package kept its promises."""
    reference = build_reference_package(cache / "reference", cache / "weights", progress=sys.stderr)
    setup = Demonstration(reference, cache / "demo", say=lambda line: click.echo(line, err=True))

    def show(outcome: Outcome) -> None:
        if as_json:
            print_json({"passed": outcome.passed, **_plain(outcome)})
        else:
            click.echo(_page(outcome))
            click.echo(f"report of the training: {reference.reports.html}")
        if not stop:
            click.echo(f"serving at {outcome.address} until Ctrl-C", err=True)

    outcome = demonstrate(setup, keep_serving=not stop, show=show)
    if not outcome.passed:
        raise SystemExit(Exit.BAD_DATA)


def _plain(outcome: Outcome) -> dict[str, object]:
    import msgspec  # noqa: PLC0415  # only --json pays for it

    plain: dict[str, object] = msgspec.to_builtins(outcome)
    return plain


def _page(outcome: Outcome) -> str:
    board = outcome.board
    rows: list[tuple[str, object]] = [
        ("tickets", board.tickets),
        ("failed", f"failed={board.failed}"),
        ("throughput", f"{board.tickets_per_s} tickets/s"),
        ("latency", f"P50 {board.p50_ms} ms, P95 {board.p95_ms} ms"),
        ("tiers", ", ".join(f"{count} {tier}" for tier, count in board.tiers.items())),
        ("stages", ", ".join(f"{count} {stage}" for stage, count in board.stages.items())),
        ("priorities", ", ".join(f"{count} {band}" for band, count in board.priorities.items())),
        ("killed", f"{outcome.killed_workers} worker, full tier back after {outcome.recovered_s} s"),
    ]
    for head, one in board.agreement.items():
        promised = "" if one.promised is None else f", promised {one.promised:.3f}: {'kept' if one.kept else 'BROKEN'}"
        rows.append((head, f"{one.figure} {one.measured:.3f} on {one.tickets} tickets labelled by people{promised}"))
    return columns(rows)
