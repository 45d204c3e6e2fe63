"""Judging a package on a user's labelled tickets: open, read, answer in every tier, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.digest import Digest
from holdfast.errors import InvalidInput
from holdfast.manifest import Manifest
from holdfast.store.package import VerifiedPackage, open_package
from holdfast.tier import Tier
from holdfast.workbench.columns import Columns
from holdfast.workbench.evaluation import NothingToJudge, answer, evaluate_head, tiers_of
from holdfast.workbench.gather import read_all
from holdfast.workbench.report import TierReport
from holdfast.workbench.tickets import LabelledTicket
from holdfast.workbench.training_list import TRAINING_LIST, read_training_list, text_digest

__all__ = ["Examination", "HeadJudgement", "Judgement", "TierMissing", "judge"]


class TierMissing(InvalidInput):
    """The package has no variant for a tier."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Which package is judged on which tickets."""

    package: Path
    tickets: Sequence[Path]
    columns: Columns
    tiers: Sequence[str] = ()
    """Empty: every tier the package has."""
    cascade: bool | None = None
    """Whether n-grams may answer easy texts of the full tier alone; None: as the package sets it."""
    training_list: Path | None = None
    max_bad_ratio: float = 0.01


class HeadJudgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One head's figures, tier by tier."""

    name: str
    labels: tuple[str, ...]
    tiers: tuple[TierReport, ...]


class Judgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a package scored on some tickets."""

    package: str
    version: str
    digest: str
    tickets: int
    learnt_from: int
    """Tickets left out because the package learnt from them; 0 without a training list."""
    assumed: tuple[str, ...]
    heads: tuple[HeadJudgement, ...]


def judge(examination: Examination) -> Judgement:
    """Answer every ticket in every tier with the code that serves it, and compare with what people decided.

    Raises PackageRefused, UnreadableTickets, TooManyBadRows, TierMissing, NothingToJudge.
    """
    readings = read_all(examination.tickets, examination.columns, max_bad_ratio=examination.max_bad_ratio)
    given = [ticket for _, reading in readings for ticket in reading.tickets]
    with open_package(examination.package) as package:
        tickets = _unlearnt(given, examination.training_list, package.manifest)
        tiers = _tiers(package, examination.tiers)
        files = {entry.path: package.read(entry.path) for entry in package.manifest.files}
        return Judgement(
            package=package.manifest.name,
            version=package.manifest.version,
            digest=package.digest,
            tickets=len(tickets),
            learnt_from=len(given) - len(tickets),
            assumed=tuple(note for _, reading in readings for note in reading.assumed),
            heads=_judge_heads(package.manifest, files, tickets=tickets, tiers=tiers, cascade=examination.cascade),
        )


def _unlearnt(tickets: list[LabelledTicket], training_list: Path | None, manifest: Manifest) -> list[LabelledTicket]:
    if training_list is None:
        return tickets
    expected = manifest.provenance.recipe.get(TRAINING_LIST)
    learnt = read_training_list(training_list, expected=Digest(expected) if expected else None)
    fresh = [ticket for ticket in tickets if text_digest(ticket.text) not in learnt]
    if not fresh:
        raise NothingToJudge(f"the package learnt from all {len(tickets)} tickets; judge it on others")
    return fresh


def _tiers(package: VerifiedPackage, wanted: Sequence[str]) -> tuple[Tier, ...]:
    there = tiers_of(package.manifest)
    missing = [name for name in wanted if Tier(name) not in there]
    if missing:
        raise TierMissing(f"{package.where}: expected a variant for tier {missing[0]}, found {', '.join(there)}")
    return tuple(tier for tier in there if not wanted or tier.value in wanted)


def _judge_heads(
    manifest: Manifest,
    files: Mapping[str, bytes],
    *,
    tickets: Sequence[LabelledTicket],
    tiers: Sequence[Tier],
    cascade: bool | None,
) -> tuple[HeadJudgement, ...]:
    heads = [head for head in manifest.heads if any(head.name in ticket.labels for ticket in tickets)]
    if not heads:
        names = ", ".join(head.name for head in manifest.heads)
        raise NothingToJudge(f"expected labels for head {names}, found none; name their column with --label")
    found: dict[str, list[TierReport]] = {head.name: [] for head in heads}
    texts = [ticket.text for ticket in tickets]
    for tier in tiers:
        answers, cpu_ms = answer(manifest, files, tier=tier, texts=texts, cascade=cascade)
        for head in heads:
            found[head.name].append(evaluate_head(head, tickets, answers=answers, tier=tier, cpu_ms=cpu_ms))
    return tuple(HeadJudgement(name=head.name, labels=head.labels, tiers=tuple(found[head.name])) for head in heads)
