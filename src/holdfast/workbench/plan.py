"""The training plan: everything the trainer is given, so that equal plans give equal packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from holdfast.workbench.labelled import LabelledTicket
from holdfast.workbench.leakage import LeakageFinding
from holdfast.workbench.report import DatasetReport, SplitReport

__all__ = ["HeadPlan", "Inputs", "TrainingPlan"]


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """One head to train, and the tickets it learns from and is judged on."""

    name: str
    task: Literal["priority", "route"]
    labels: tuple[str, ...]
    """For `priority` from the least urgent to the most."""
    urgency: tuple[float, ...]
    """For `priority`: one number in [0, 1] per label; else empty."""
    train: Sequence[LabelledTicket]
    held: Sequence[LabelledTicket]
    """Never learnt from, in no step: not for weights, temperatures, gates, margins or the choice of stage."""
    split: SplitReport
    leakage: tuple[LeakageFinding, ...] = ()
    lift: Mapping[str, float] = field(default_factory=dict)
    """Added to a label's logits: how far the builder leans towards a label that regularisation holds down."""
    encoder_rows: int | None = None
    """Training tickets the encoder reads at most for this head, where that differs from the plan's."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """One package to train."""

    name: str
    version: str
    description: str
    heads: tuple[HeadPlan, ...]
    encoder_dir: Path | None
    """A BERT-family encoder; None trains the small tier alone."""
    encoder_name: str = ""
    seed: int = 0
    loss_budget: float = 0.002
    """Macro-F1 that the cascade may cost."""
    minimum_confidence: float = 0.0
    """Of a route; below it the label is `needs-triage`."""
    encoder_rows: int = 40_000
    """Training tickets per head that the encoder reads at most; the latest or, without dates, drawn by `seed`."""
    background: tuple[Sequence[str], ...] = ()
    """Other kinds of text, each a list: what the domain gates tell a head's own kind from, beside the other heads'."""
    cache: Path | None = None
    """Where embeddings are kept between runs."""
    trial_rows: int = 200
    """Held-out tickets of each head that become the package's own examination."""
    datasets: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    recipe: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan was made from, for the report."""

    datasets: tuple[DatasetReport, ...]
    notices: tuple[LeakageFinding, ...] = ()
    """Findings about columns, before any hold-out."""
