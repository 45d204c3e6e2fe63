"""Leakage: what would make held-out figures look better than the model will do, with the rows named; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from holdfast.workbench.labelled import LabelledTicket
from holdfast.workbench.shingles import near_twins
from holdfast.workbench.splits import Split, normalise

__all__ = ["NEAR", "LeakageFinding", "find_leakage", "without_copies"]

NEAR = 0.8
"""Jaccard resemblance of word triples from which two texts are near duplicates."""
_MAX_ROWS = 1000  # named in full up to here; the count is always whole
_MIN_LABEL_CHARS = 3
_MIN_LABEL_TICKETS = 20
_TELLING_SHARE, _TELLING_LIFT = 0.2, 4.0  # a label word this common in its own tickets and this rare elsewhere tells


class LeakageFinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which these tickets could flatter a model."""

    kind: Literal["exact_copies", "near_copies", "conflicting_labels", "known_later", "label_in_text", "rare_label"]
    severity: Literal["notice", "warning"]
    count: int
    sentence: str
    next_step: str
    rows: tuple[str, ...] = ()
    """The rows, as `file:line` or `file:line = file:line`; the first 1,000."""


def find_leakage(tickets: Sequence[LabelledTicket], split: Split) -> tuple[LeakageFinding, ...]:
    """Every finding about `tickets` under `split`, the gravest kinds first."""
    texts = [normalise(ticket.text) for ticket in tickets]
    copies = _copies(texts, split)
    findings = (
        _exact_finding(tickets, copies),
        _near_finding(tickets, texts, split=split, exact={held for held, _ in copies}),
        _conflict_finding(tickets, texts),
        *_label_findings(tickets, texts),
    )
    return tuple(finding for finding in findings if finding is not None)


def without_copies(tickets: Sequence[LabelledTicket], split: Split) -> Split:
    """The split with every training row dropped whose normalised text is also held out."""
    held = {normalise(tickets[i].text) for i in split.held}
    dropped = {i for i in split.train if normalise(tickets[i].text) in held}
    return Split(
        kind=split.kind,
        train=tuple(i for i in split.train if i not in dropped),
        held=split.held,
        left_out=(*split.left_out, *sorted(dropped)),
        sentence=split.sentence,
    )


def _copies(texts: Sequence[str], split: Split) -> list[tuple[int, int]]:
    """(held, train) positions of equal normalised texts, one training row per held row."""
    first: dict[str, int] = {}
    for i in split.train:
        first.setdefault(texts[i], i)
    return [(i, first[texts[i]]) for i in split.held if texts[i] in first]


def _exact_finding(tickets: Sequence[LabelledTicket], copies: Sequence[tuple[int, int]]) -> LeakageFinding | None:
    if not copies:
        return None
    return LeakageFinding(
        kind="exact_copies",
        severity="warning",
        count=len(copies),
        sentence=f"{len(copies)} held-out tickets have the same text as a training ticket",
        next_step="the training copies were dropped, so that the figures are of unseen texts; nothing to do",
        rows=_pairs(tickets, copies),
    )


def _near_finding(
    tickets: Sequence[LabelledTicket], texts: Sequence[str], *, split: Split, exact: set[int]
) -> LeakageFinding | None:
    held = [i for i in split.held if i not in exact]
    twins = near_twins([texts[i] for i in held], [texts[i] for i in split.train], threshold=NEAR)
    if not twins:
        return None
    pairs = [(held[twin.left], split.train[twin.right]) for twin in twins]
    share = len(pairs) / len(split.held)
    return LeakageFinding(
        kind="near_copies",
        severity="warning" if share > 0.02 else "notice",  # 2 %: less moves no figure by more than its error
        count=len(pairs),
        sentence=f"{len(pairs)} held-out tickets ({share:.1%}) resemble a training ticket by {NEAR:.0%} or more",
        next_step="the figures are those of a stream with such repeats; hold out by --split chronological or group "
        "if yours has none",
        rows=_pairs(tickets, pairs),
    )


def _pairs(tickets: Sequence[LabelledTicket], pairs: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    return tuple(f"{tickets[a].where} = {tickets[b].where}" for a, b in pairs[:_MAX_ROWS])


def _conflict_finding(tickets: Sequence[LabelledTicket], texts: Sequence[str]) -> LeakageFinding | None:
    alike: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        alike[text].append(i)
    conflicts = [rows for rows in alike.values() if len(rows) > 1 and _disagree([tickets[i] for i in rows])]
    if not conflicts:
        return None
    count = sum(map(len, conflicts))
    named = (" = ".join(_labelled(tickets[i]) for i in rows) for rows in conflicts)
    return LeakageFinding(
        kind="conflicting_labels",
        severity="notice",
        count=count,
        sentence=f"{count} tickets share their text with one that people labelled differently",
        next_step="no model can be right on all of them; agree on their labels, or take the figures as the ceiling",
        rows=tuple(named)[:_MAX_ROWS],
    )


def _disagree(tickets: Sequence[LabelledTicket]) -> bool:
    heads = {head for ticket in tickets for head in ticket.labels}
    return any(len({ticket.labels[head] for ticket in tickets if head in ticket.labels}) > 1 for head in heads)


def _labelled(ticket: LabelledTicket) -> str:
    return f"{ticket.where} ({', '.join(ticket.labels.values())})"


def _label_findings(tickets: Sequence[LabelledTicket], texts: Sequence[str]) -> Iterator[LeakageFinding]:
    for head in sorted({head for ticket in tickets for head in ticket.labels}):
        rows = [i for i, ticket in enumerate(tickets) if head in ticket.labels]
        for label in sorted({tickets[i].labels[head] for i in rows}):
            told = _told(label, [texts[i] for i in rows], [tickets[i].labels[head] == label for i in rows])
            if told:
                yield LeakageFinding(
                    kind="label_in_text",
                    # a group's name in a ticket is mostly its topic; a severity's name is mostly the decision itself
                    severity="warning" if head == "priority" else "notice",
                    count=len(told),
                    sentence=f"{len(told)} tickets with {head} {label!r} contain that very word, others hardly do",
                    next_step="if the word was written after the decision, take it out of the text column",
                    rows=tuple(tickets[rows[i]].where for i in told[:_MAX_ROWS]),
                )


def _told(label: str, texts: Sequence[str], own: Sequence[bool]) -> list[int]:
    """Positions of the label's own tickets that print the label, if that is telling; else none."""
    word = normalise(label)
    if len(word) < _MIN_LABEL_CHARS or sum(own) < _MIN_LABEL_TICKETS:
        return []
    holding = [f" {word} " in f" {text} " for text in texts]
    inside = [i for i, (has, mine) in enumerate(zip(holding, own, strict=True)) if has and mine]
    outside = sum(holding) - len(inside)
    share = len(inside) / sum(own)
    elsewhere = (outside + 1) / (len(texts) - sum(own) + 1)
    return inside if share >= _TELLING_SHARE and share >= _TELLING_LIFT * elsewhere else []
