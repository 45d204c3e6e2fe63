"""The training report: every figure a person needs to decide whether to trust a package, as one frozen tree."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.workbench.leakage import LeakageFinding

__all__ = [
    "SCHEMA",
    "Bin",
    "CascadeReport",
    "ClassFigures",
    "CurvePoint",
    "DatasetReport",
    "Figures",
    "GateReport",
    "HeadReport",
    "LearningPoint",
    "SplitReport",
    "TierReport",
    "TrainingReport",
    "UrgentCurve",
]

SCHEMA = "holdfast.training-report/1"


class Bin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Held-out tickets of similar confidence: how sure the head was, and how often it was right."""

    confidence: float
    right: float
    count: int


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One label's held-out figures."""

    label: str
    support: int
    precision: float
    recall: float
    f1: float


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What calling everything at or above `threshold` urgent would find."""

    threshold: float
    precision: float
    recall: float


class UrgentCurve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well the most urgent label (or labels) can be told from the rest."""

    labels: tuple[str, ...]
    support: int
    auc: float
    average_precision: float
    points: tuple[CurvePoint, ...]


class Figures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is measured of one set of probabilities against what people decided."""

    rows: int
    macro_f1: float
    macro_f1_error: float
    """One standard error, by resampling the held-out tickets."""
    accuracy: float
    log_loss: float
    calibration_error: float
    """Expected calibration error over ten equal-width bins of confidence."""
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Row: what people decided; column: what the head says."""
    reliability: tuple[Bin, ...]
    urgent: tuple[UrgentCurve, ...] = ()


class TierReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One head in one tier on the hold-out."""

    tier: str
    stage: Literal["encoder", "ngram"]
    figures: Figures
    cpu_ms: float | None = None
    """CPU milliseconds per ticket on the machine that built it; null if not measured."""


class LearningPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Held-out quality after learning from this many tickets (small tier)."""

    rows: int
    macro_f1: float


class CascadeReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What answering easy tickets by n-grams alone saves and costs."""

    margin: float
    answered_share: float
    """Of held-out tickets, those n-grams answer alone."""
    macro_f1_loss: float
    loss_budget: float


class GateReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the domain gate treats the head's own kind of text and another kind."""

    minimum: float
    own_passed_share: float
    other_passed_share: float | None = None
    other: str = ""
    """Which texts the other kind was."""


class SplitReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the hold-out was made."""

    kind: str
    sentence: str
    train_rows: int
    held_rows: int
    left_out_rows: int
    train_digest: str = ""
    """Digest of the sorted row digests of the training list."""


class HeadReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One head: its labels, its hold-out, and what each tier scored on it."""

    name: str
    task: str
    labels: tuple[str, ...]
    urgency: tuple[float, ...] = ()
    prior: tuple[float, ...]
    split: SplitReport
    leakage: tuple[LeakageFinding, ...] = ()
    tiers: tuple[TierReport, ...]
    candidates: dict[str, float] = {}
    """Held-out macro-F1 of everything that was tried: `ngram`, `encoder`, `both`."""
    choice: str
    """Why the full tier serves what it serves, in one sentence."""
    learning_curve: tuple[LearningPoint, ...] = ()
    cascade: CascadeReport | None = None
    gate: GateReport | None = None


class DatasetReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file that was learnt from."""

    file: str
    sha256: str
    rows: int
    licence: str = ""
    heads: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    bad_rows: tuple[str, ...] = ()
    unlabelled_rows: int = 0
    unread_columns: tuple[str, ...] = ()


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about one training run."""

    schema: str = SCHEMA
    package: str
    version: str
    made_at: str
    machine: str
    seconds: float
    datasets: tuple[DatasetReport, ...]
    heads: tuple[HeadReport, ...]
    notices: tuple[LeakageFinding, ...] = ()
    """Findings about columns, before any split."""
    promised: dict[str, float] = {}
    """Head -> macro-F1 the package commits to on its own trial set."""
    trial_rows: int = 0
    encoder: str
    recipe: dict[str, str]
    provenance: tuple[str, ...] = ()
