"""One training run from plan to files: train, report, write."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import InvalidInput
from holdfast.workbench.labelled import LabelledTicket
from holdfast.workbench.plan import Inputs, TrainingPlan
from holdfast.workbench.progress import Told
from holdfast.workbench.report import TrainingReport
from holdfast.workbench.written import ReportFiles, require_free, write_reports, write_source

if TYPE_CHECKING:
    from holdfast.workbench.trainer import TrainedPackage

__all__ = ["Finished", "TrainingNotInstalled", "run", "step_weights", "write"]

_BUILD_EXTRA = frozenset({"onnx", "safetensors", "scipy", "sklearn", "threadpoolctl"})
# Seconds of each step of a head, measured on two cores; they only shape the estimate of the time that is left.
_NGRAMS_S, _NETWORKS_S, _GATE_S = 0.9, 0.5, 0.2  # per 1,000 training tickets
_ENCODER_S = 8.0  # per million characters read
_MOST_CHARACTERS = 1_200  # of one text: about the encoder's window
_CURVE_RATIO = 0.4  # of the n-grams' time: the learning curve fits them on a tenth and on three tenths
_FIXED_S = 6.0


class TrainingNotInstalled(InvalidInput):
    """The Python packages that training needs, and a node does not, are missing."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A trained package, with its report."""

    plan: TrainingPlan
    trained: TrainedPackage
    report: TrainingReport


def run(plan: TrainingPlan, inputs: Inputs, *, told: Told | None = None, now: datetime | None = None) -> Finished:
    """Train `plan` and report on it. `now` dates the report; nothing else depends on it."""
    started_s = time.monotonic()
    trained = _train(plan, told)
    manifest = trained.manifest
    report = TrainingReport(
        package=manifest.name,
        version=manifest.version,
        made_at=f"{now or datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=_machine(),
        seconds=round(time.monotonic() - started_s, 1),
        datasets=inputs.datasets,
        heads=trained.heads,
        notices=inputs.notices,
        promised=dict(manifest.trial.promise.quality),
        trial_rows=trained.files[manifest.trial.file].count(b"\n"),
        encoder=manifest.provenance.encoder,
        recipe=dict(manifest.provenance.recipe),
        provenance=tuple(
            f"{dataset}, {licence}"
            for dataset, licence in zip(manifest.provenance.datasets, manifest.provenance.licences, strict=False)
        ),
    )
    return Finished(plan, trained, report)


def step_weights(plan: TrainingPlan) -> dict[str, float]:
    """About how long each step of training `plan` takes, in seconds on two cores."""
    weights = {"encoder graph": _FIXED_S if plan.encoder_dir else 0.0, "trial set": _FIXED_S}
    for head in plan.heads:
        rows = len(head.train) / 1000
        weights[f"{head.name}: n-grams"] = _NGRAMS_S * rows
        weights[f"{head.name}: gate"] = _GATE_S * rows
        weights[f"{head.name}: hold-out"] = _CURVE_RATIO * _NGRAMS_S * rows
        if plan.encoder_dir:
            ratio = min(1.0, (head.encoder_rows or plan.encoder_rows) / max(len(head.train), 1))
            weights[f"{head.name}: encoder"] = ratio * _encoder_s(head.train)
            weights[f"{head.name}: networks"] = ratio * _NETWORKS_S * rows
            weights[f"{head.name}: hold-out"] += _encoder_s(head.held)
    return weights


def _encoder_s(tickets: Sequence[LabelledTicket]) -> float:
    return _ENCODER_S * sum(min(len(ticket.text), _MOST_CHARACTERS) for ticket in tickets) / 1_000_000


def _train(plan: TrainingPlan, told: Told | None) -> TrainedPackage:
    try:
        from holdfast.workbench.trainer import train  # noqa: PLC0415  # the build extra is on no node: say so in words
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _BUILD_EXTRA:
            raise
        raise TrainingNotInstalled(
            f"training needs the Python package {missing!r}, which a node does not have; install it with "
            "'pip install holdfast[build]'"
        ) from error
    return train(plan, told)


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"


def write(finished: Finished, source: Path, *, reports: Path) -> ReportFiles:
    """Write the package source to `source` and the reports to `reports`. Raises SourceOccupied, OSError."""
    require_free(source)
    write_source(source, finished.trained.manifest, _files(finished.trained.files))
    return write_reports(reports, finished.report, finished.plan)


def _files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: bytes(content) for path, content in files.items()}
