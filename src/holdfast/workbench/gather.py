"""From a user's files and wishes to a training plan, with everything that was assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.errors import InvalidInput
from holdfast.workbench.columns import Columns
from holdfast.workbench.hindsight import column_findings
from holdfast.workbench.plan import Inputs, TrainingPlan
from holdfast.workbench.planning import HoldOut, head_names, plan_head, report_dataset, training_digest
from holdfast.workbench.tickets import LabelledTicket, Reading, read
from holdfast.workbench.training_list import TRAINING_LIST

__all__ = ["TooManyBadRows", "Wishes", "gather", "read_all"]


class TooManyBadRows(InvalidInput):
    """More rows cannot be used than the user allows."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user asks of one training run; the defaults are those of the command line."""

    name: str
    version: str = "1.0.0"
    hold_out: HoldOut = field(default_factory=HoldOut)
    urgency: Sequence[str] = ()
    """`LABEL=NUMBER` for each priority label; empty: known from the words."""
    encoder_dir: Path | None = None
    encoder_name: str = ""
    loss_budget: float = 0.002
    licence: str = ""
    max_bad_ratio: float = 0.01


def read_all(paths: Sequence[Path], columns: Columns, *, max_bad_ratio: float) -> list[tuple[Path, Reading]]:
    """Read every file. Raises UnreadableTickets, TooManyBadRows."""
    readings = [(path, read([path], columns)) for path in paths]
    for path, reading in readings:
        rows = len(reading.bad) + len(reading.tickets) + reading.unlabelled
        if len(reading.bad) > max_bad_ratio * rows:
            named = "; ".join(f"{row.where}: {row.problem}" for row in reading.bad[:3])
            raise TooManyBadRows(
                f"{path}: expected at most {max_bad_ratio:.1%} of {rows} rows that cannot be used, found "
                f"{len(reading.bad)}: {named}; mend them, or allow more with --max-bad-rows"
            )
    return readings


def gather(paths: Sequence[Path], columns: Columns, wishes: Wishes) -> tuple[TrainingPlan, Inputs]:
    """Read `paths` and plan a head for every label there is.

    Raises UnreadableTickets, TooManyBadRows, NothingToLearn, ImpossibleSplit, UnknownUrgency.
    """
    readings = read_all(paths, columns, max_bad_ratio=wishes.max_bad_ratio)
    tickets: list[LabelledTicket] = [ticket for _, reading in readings for ticket in reading.tickets]
    heads = tuple(
        plan_head(head, tickets, hold_out=wishes.hold_out, urgency=wishes.urgency if head == "priority" else ())
        for head in head_names(tickets)
    )
    plan = TrainingPlan(
        name=wishes.name,
        version=wishes.version,
        description=f"Triage trained on {len(tickets):,} tickets from {', '.join(path.name for path in paths)}.",
        heads=heads,
        encoder_dir=wishes.encoder_dir,
        encoder_name=wishes.encoder_name,
        seed=wishes.hold_out.seed,
        loss_budget=wishes.loss_budget,
        datasets=tuple(path.name for path in paths),
        licences=tuple(wishes.licence or "not stated" for _ in paths),
        recipe={
            "seed": str(wishes.hold_out.seed),
            **{f"hold_out.{head.name}": head.split.sentence for head in heads},
            TRAINING_LIST: training_digest(heads),
        },
    )
    return plan, Inputs(
        datasets=tuple(report_dataset(path, reading, licence=wishes.licence) for path, reading in readings),
        notices=tuple(finding for _, reading in readings for finding in column_findings(reading)),
    )
