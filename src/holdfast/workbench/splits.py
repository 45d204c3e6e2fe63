"""Hold-outs: which tickets a model learns from and which it is judged on; pure, and the same for the same seed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.errors import InvalidInput
from holdfast.workbench.labelled import LabelledTicket

__all__ = ["SPLITS", "ImpossibleSplit", "Split", "at_random", "by_group", "chronological", "normalise"]

_MIN_SIDE = 10  # fewer tickets on either side measure nothing
_MAX_UNDATED_SHARE = 0.2  # above it a chronological hold-out would judge on a different kind of ticket
_NOT_WORD = re.compile(r"[\W_]+")


class ImpossibleSplit(InvalidInput):
    """These tickets cannot be held out in the way that was asked."""


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of tickets: learnt from, judged on, and left out of both."""

    kind: str
    """`chronological`, `group` or `random`."""
    train: tuple[int, ...]
    held: tuple[int, ...]
    left_out: tuple[int, ...]
    sentence: str
    """What was done, for the report: the cut, the groups or the seed."""


def normalise(text: str) -> str:
    """Fold case, and every run of anything but letters and digits into one space: what makes two texts the same."""
    return _NOT_WORD.sub(" ", text.casefold()).strip()


def chronological(tickets: Sequence[LabelledTicket], *, share: float, seed: int = 0) -> Split:
    """Hold out the latest `share`; what was written at the instant of the cut is held out together.

    Tickets without a time are left out of both sides. `seed` changes nothing. Raises ImpossibleSplit.
    """
    del seed  # the signature that every split shares
    _require_share(share)
    dated = [(ticket.at, i) for i, ticket in enumerate(tickets) if ticket.at is not None]
    undated = tuple(i for i, ticket in enumerate(tickets) if ticket.at is None)
    if not dated or len(undated) > _MAX_UNDATED_SHARE * len(tickets):
        raise ImpossibleSplit(
            f"a chronological hold-out needs the time of each ticket, found {len(undated)} of {len(tickets)} without; "
            "name the column with --column at=NAME, or hold out with --split group or --split random"
        )
    cut = _cut(sorted(at for at, _ in dated), share)
    return _checked(
        Split(
            kind="chronological",
            train=tuple(i for at, i in dated if at < cut),
            held=tuple(i for at, i in dated if at >= cut),
            left_out=undated,
            sentence=f"held out: everything from {cut:%Y-%m-%d %H:%M} UTC on; learnt from: everything before",
        )
    )


def _cut(instants: Sequence[datetime], share: float) -> datetime:
    """The instant closest to the wanted share at which the order of time can be cut."""
    wanted = len(instants) - round(len(instants) * share)
    at = instants[min(max(wanted, 0), len(instants) - 1)]
    later = next((one for one in instants[wanted:] if one > at), None)
    before = sum(one < at for one in instants)
    through = sum(one <= at for one in instants)
    return later if later is not None and abs(through - wanted) < abs(before - wanted) else at


def by_group(tickets: Sequence[LabelledTicket], *, share: float, seed: int = 0) -> Split:
    """Hold out whole groups, drawn by `seed`, until `share` is about reached. Raises ImpossibleSplit."""
    _require_share(share)
    sizes: dict[str, int] = {}
    for ticket in tickets:
        sizes[ticket.group] = sizes.get(ticket.group, 0) + 1
    if len(sizes) < 2:
        raise ImpossibleSplit(
            f"a group hold-out needs two groups or more, found {len(sizes)}; name the column with --column group=NAME"
        )
    held_groups = _draw_groups(sizes, round(len(tickets) * share), seed)
    return _checked(
        Split(
            kind="group",
            train=tuple(i for i, ticket in enumerate(tickets) if ticket.group not in held_groups),
            held=tuple(i for i, ticket in enumerate(tickets) if ticket.group in held_groups),
            left_out=(),
            sentence=f"held out: the groups {', '.join(sorted(held_groups))} of {len(sizes)}, drawn with seed {seed}",
        )
    )


def _draw_groups(sizes: Mapping[str, int], wanted: int, seed: int) -> set[str]:
    """Take groups in drawn order as long as each brings the total closer to `wanted`; at least one, never all."""
    drawn: set[str] = set()
    total = 0
    for group in sorted(sizes, key=lambda name: _rank(name, seed)):
        closer = abs(total + sizes[group] - wanted) < abs(total - wanted)
        if closer and len(drawn) < len(sizes) - 1:
            drawn.add(group)
            total += sizes[group]
    return drawn or {min(sizes, key=lambda name: (sizes[name], name))}


def at_random(tickets: Sequence[LabelledTicket], *, share: float, seed: int = 0) -> Split:
    """Hold out `share` of each label, drawn by `seed`; equal texts stay on one side. Raises ImpossibleSplit.

    A ticket's rank depends on its text and the seed alone, so that new rows move few of the old ones.
    """
    _require_share(share)
    texts: dict[str, list[int]] = {}
    for i, ticket in enumerate(tickets):
        texts.setdefault(normalise(ticket.text), []).append(i)
    strata: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for text, members in texts.items():
        strata.setdefault(tuple(sorted(tickets[members[0]].labels.items())), []).append(text)
    held: set[int] = set()
    for alike in strata.values():
        drawn = sorted(alike, key=lambda text: _rank(text, seed))[: round(len(alike) * share)]
        held.update(i for text in drawn for i in texts[text])
    return _checked(
        Split(
            kind="random",
            train=tuple(i for i in range(len(tickets)) if i not in held),
            held=tuple(sorted(held)),
            left_out=(),
            sentence=f"held out: {share:.0%} of each label, drawn with seed {seed}; equal texts stay on one side",
        )
    )


def _rank(text: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{text}".encode("utf-8", "surrogatepass")).digest()


def _require_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ImpossibleSplit(f"the held-out share is between 0 and 1, found {share}", field="holdout")


def _checked(split: Split) -> Split:
    if min(len(split.train), len(split.held)) < _MIN_SIDE:
        raise ImpossibleSplit(
            f"a {split.kind} hold-out needs {_MIN_SIDE} tickets on each side, found {len(split.train)} to learn "
            f"from and {len(split.held)} to judge on; bring more tickets or another --split"
        )
    return split


SPLITS: Mapping[str, Callable[..., Split]] = {"chronological": chronological, "group": by_group, "random": at_random}
"""Kind -> the function that makes it, each `(tickets, *, share, seed) -> Split`."""
