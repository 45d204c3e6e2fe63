"""From tickets to a training plan: which labels can be learnt, what is held out, and what was found on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from holdfast.digest import Digest, digest_bytes
from holdfast.errors import InvalidInput
from holdfast.workbench.leakage import LeakageFinding, find_leakage, without_copies
from holdfast.workbench.plan import HeadPlan
from holdfast.workbench.report import DatasetReport, SplitReport
from holdfast.workbench.splits import SPLITS, ImpossibleSplit, Split
from holdfast.workbench.tickets import LabelledTicket, Reading
from holdfast.workbench.training_list import list_digest
from holdfast.workbench.urgency import order_labels, parse_urgency

__all__ = [
    "AUTO",
    "HoldOut",
    "NothingToLearn",
    "head_from_split",
    "head_names",
    "plan_head",
    "report_dataset",
    "training_digest",
]

AUTO = "auto"
"""Hold out by time if the tickets say when they were written, else at random."""
_MIN_PER_LABEL = 10  # fewer teach nothing and measure nothing: they are left out by name
_MIN_LEARNT = 5  # of them on the training side
_MIN_DATED_SHARE = 0.8
_ROWS_NAMED = 1000


class NothingToLearn(InvalidInput):
    """The tickets carry fewer than two labels that can be learnt."""


@dataclass(frozen=True, slots=True)
class HoldOut:
    """How tickets are held out."""

    kind: str = AUTO
    share: float = 0.2
    seed: int = 0


def head_names(tickets: Sequence[LabelledTicket]) -> tuple[Literal["priority", "route"], ...]:
    """The heads that some ticket has a label for."""
    found = {head for ticket in tickets for head in ticket.labels}
    tasks: tuple[Literal["priority", "route"], ...] = ("priority", "route")
    return tuple(task for task in tasks if task in found)


def plan_head(
    head: Literal["priority", "route"],
    tickets: Sequence[LabelledTicket],
    *,
    hold_out: HoldOut,
    urgency: Sequence[str] = (),
) -> HeadPlan:
    """Choose labels, hold tickets out, look for leakage. Raises NothingToLearn, ImpossibleSplit, UnknownUrgency."""
    labelled = [ticket for ticket in tickets if head in ticket.labels]
    usual, rare = _without_rare(head, labelled)
    chosen = [replace(ticket, labels={head: ticket.labels[head]}) for ticket in usual]
    return head_from_split(head, chosen, split=_split(chosen, hold_out), urgency=urgency, known=rare)


def head_from_split(
    head: Literal["priority", "route"],
    tickets: Sequence[LabelledTicket],
    *,
    split: Split,
    urgency: Sequence[str] = (),
    known: tuple[LeakageFinding, ...] = (),
) -> HeadPlan:
    """Plan a head whose hold-out is drawn; training copies of held-out texts are dropped.

    Raises NothingToLearn, UnknownUrgency.
    """
    findings = find_leakage(tickets, split)
    split = without_copies(tickets, split)
    counts = Counter(tickets[i].labels[head] for i in split.train)
    learnt = sorted(label for label, count in counts.items() if count >= _MIN_LEARNT)
    if len(learnt) < 2:
        raise NothingToLearn(
            f"{head}: expected two labels or more with {_MIN_PER_LABEL} tickets each, found {len(learnt)}; "
            "bring more tickets, or merge labels with --value"
        )
    labels, values = _ordered(head, learnt, urgency)
    train = [tickets[i] for i in split.train if tickets[i].labels[head] in learnt]
    held = [tickets[i] for i in split.held if tickets[i].labels[head] in learnt]
    return HeadPlan(
        name=head,
        task=head,
        labels=labels,
        urgency=values,
        train=train,
        held=held,
        split=SplitReport(
            kind=split.kind,
            sentence=split.sentence,
            train_rows=len(train),
            held_rows=len(held),
            left_out_rows=len(tickets) - len(train) - len(held),
            train_digest=list_digest(ticket.text for ticket in train),
        ),
        leakage=(*known, *findings),
    )


def training_digest(heads: Sequence[HeadPlan]) -> Digest:
    """Digest of the training list of all `heads` together: what a package's provenance names."""
    return list_digest(ticket.text for head in heads for ticket in head.train)


def _ordered(head: str, labels: Sequence[str], urgency: Sequence[str]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    if head == "route":
        return tuple(labels), ()
    return parse_urgency(urgency, labels) if urgency else order_labels(labels)


def _without_rare(
    head: str, tickets: Sequence[LabelledTicket]
) -> tuple[list[LabelledTicket], tuple[LeakageFinding, ...]]:
    counts = Counter(ticket.labels[head] for ticket in tickets)
    rare = {label for label, count in counts.items() if count < _MIN_PER_LABEL}
    if not rare:
        return list(tickets), ()
    dropped = [ticket for ticket in tickets if ticket.labels[head] in rare]
    finding = LeakageFinding(
        kind="rare_label",
        severity="notice",
        count=len(dropped),
        sentence=f"{len(dropped)} tickets were left out whose {head} fewer than {_MIN_PER_LABEL} tickets have: "
        f"{', '.join(sorted(rare))}",
        next_step="merge them into another label with --value, or bring more of them",
        rows=tuple(ticket.where for ticket in dropped[:_ROWS_NAMED]),
    )
    return [ticket for ticket in tickets if ticket.labels[head] not in rare], (finding,)


def _split(tickets: Sequence[LabelledTicket], hold_out: HoldOut) -> Split:
    if hold_out.kind != AUTO:
        return SPLITS[hold_out.kind](tickets, share=hold_out.share, seed=hold_out.seed)
    if not tickets:
        raise ImpossibleSplit("no ticket has a label that can be learnt; bring at least ten of each label")
    dated = sum(ticket.at is not None for ticket in tickets)
    kind = "chronological" if dated >= _MIN_DATED_SHARE * len(tickets) else "random"
    return SPLITS[kind](tickets, share=hold_out.share, seed=hold_out.seed)


def report_dataset(path: Path, reading: Reading, *, licence: str = "") -> DatasetReport:
    """What the report says of one file and how it was read."""
    return DatasetReport(
        file=path.name,
        sha256=digest_bytes(path.read_bytes()),
        rows=len(reading.tickets),
        licence=licence,
        heads=head_names(reading.tickets),
        assumed=reading.assumed,
        bad_rows=tuple(f"{row.where}: {row.problem}" for row in reading.bad[:_ROWS_NAMED]),
        unlabelled_rows=reading.unlabelled,
        unread_columns=reading.unread,
    )
