"""The reference package `triage-en`: built from the public encoder and the bundled tickets by `make demo`.

python -m holdfast.workbench.reference --out DIR --cache DIR
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import msgspec

from holdfast import __version__
from holdfast.digest import Digest, digest_value
from holdfast.errors import HoldfastError
from holdfast.manifest import Manifest
from holdfast.runtime.features import FEATURES_VERSION
from holdfast.store.package import open_package, write_package
from holdfast.workbench.bundled import BACKGROUND, BUNDLED, DATA_DIR, BundledHead, load_head, read_bundled, read_sums
from holdfast.workbench.hindsight import column_findings
from holdfast.workbench.plan import HeadPlan, Inputs, TrainingPlan
from holdfast.workbench.planning import head_from_split, report_dataset, training_digest
from holdfast.workbench.progress import watched
from holdfast.workbench.report import DatasetReport
from holdfast.workbench.tickets import LabelledTicket, Reading
from holdfast.workbench.training_list import TRAINING_LIST, read_training_list, text_digest
from holdfast.workbench.training_run import run, step_weights
from holdfast.workbench.weights import PUBLIC_PACKAGE, fetch_public_weights
from holdfast.workbench.written import ReportFiles, report_files, write_reports

__all__ = [
    "NAME",
    "VERSION",
    "LearntFromHeldOut",
    "ReferencePackage",
    "build_reference_package",
    "find_reference_package",
    "main",
    "reference_plan",
    "unseen_tickets",
]

_BAD_DATA = 65  # sysexits
NAME, VERSION = "triage-en", "1.0.0"
SEED = 20240630  # of hold-outs and training; recorded in the package's provenance
# Urgency of a CVE severity, and a lean towards the rarest one, chosen so that in seven windows of time the medians of
# the four severities' scores are apart; the last window overlaps the hold-out (ADR 0005).
_URGENCY = ("LOW=0.0", "MEDIUM=0.6", "HIGH=0.7", "CRITICAL=1.0")
_LIFT = {"LOW": 0.6}
_PRIORITY_ENCODER_ROWS = 6_000  # on severities the encoder adds nothing (ADR 0005); enough to measure that it does not


class LearntFromHeldOut(HoldfastError):
    """A held-out ticket is in the training list: no figure measured on it would mean anything."""


@dataclass(frozen=True, slots=True)
class ReferencePackage:
    """Where the reference package is, and what proves which tickets it has never seen."""

    package: Path
    digest: Digest
    manifest: Manifest
    reports: ReportFiles


def reference_plan(
    encoder_dir: Path | None, *, cache_dir: Path | None = None, directory: Path = DATA_DIR
) -> tuple[TrainingPlan, Inputs]:
    """The plan of `triage-en`; embeddings are kept under `cache_dir`. Raises BundledDamaged."""
    loaded = [load_head(name, directory=directory, seed=SEED) for name in BUNDLED]
    heads = tuple(_head(one) for one in loaded)
    background = read_bundled(BACKGROUND, directory=directory)
    plan = TrainingPlan(
        name=NAME,
        version=VERSION,
        description="English tickets: urgency learnt from vulnerability reports, route from IT help-desk tickets.",
        heads=heads,
        encoder_dir=encoder_dir,
        encoder_name=PUBLIC_PACKAGE,
        seed=SEED,
        background=(tuple(ticket.text for ticket in background.tickets),),
        cache=cache_dir / "embeddings" if cache_dir else None,
        datasets=(*(one.origin.source for one in loaded), f"{BACKGROUND.source} (domain gates only)"),
        licences=(*(one.origin.licence for one in loaded), BACKGROUND.licence),
        recipe={
            "plan": _plan_digest(directory),
            "seed": str(SEED),
            **{f"hold_out.{head.name}": head.split.sentence for head in heads},
            TRAINING_LIST: training_digest(heads),
        },
    )
    inputs = Inputs(
        datasets=(
            *(report_dataset(one.path, one.reading, licence=one.origin.licence) for one in loaded),
            msgspec.structs.replace(
                report_dataset(directory / BACKGROUND.file, background, licence=BACKGROUND.licence),
                heads=("gates only",),
            ),
        ),
        notices=tuple(finding for one in loaded for finding in column_findings(one.reading)),
    )
    return plan, inputs


def _background_report(background: Reading, directory: Path) -> DatasetReport:
    dataset = report_dataset(directory / BACKGROUND.file, background, licence=BACKGROUND.licence)
    return msgspec.structs.replace(dataset, heads=("domain gates only",))


def _plan_digest(directory: Path) -> Digest:
    """Stands for everything that this module decides: a package made from another plan is built again."""
    decided = (SEED, _URGENCY, _LIFT, _PRIORITY_ENCODER_ROWS, PUBLIC_PACKAGE, FEATURES_VERSION, read_sums(directory))
    return digest_value((__version__, decided))


def _head(one: BundledHead) -> HeadPlan:
    if one.origin.head == "route":
        return head_from_split("route", one.reading.tickets, split=one.split)
    head = head_from_split("priority", one.reading.tickets, split=one.split, urgency=_URGENCY)
    return replace(head, lift=_LIFT, encoder_rows=_PRIORITY_ENCODER_ROWS)


def build_reference_package(
    out_dir: Path, cache_dir: Path, *, progress: TextIO | None = None, directory: Path = DATA_DIR
) -> ReferencePackage:
    """Return the reference package under `out_dir`, building it when it is not there or is damaged.

    progress: where to show how far the build is: a bar on a terminal, lines elsewhere.

    Raises WeightsUnreachable, WeightsRefused, BundledDamaged, OSError.
    """
    found = find_reference_package(out_dir, directory=directory)
    if found is not None:
        return found
    if progress is not None:
        progress.write(f"building {NAME} {VERSION} once: the public encoder (83 MB), then {len(BUNDLED)} heads\n")
        progress.flush()
    plan, inputs = reference_plan(fetch_public_weights(cache_dir), cache_dir=cache_dir, directory=directory)
    if progress is None:
        finished = run(plan, inputs)
    else:
        with watched(progress, step_weights(plan)) as told:
            finished = run(plan, inputs, told=told)
    reports = write_reports(out_dir / "report", finished.report, plan)
    # The package comes last: where it is, everything is.
    digest = write_package(finished.trained.manifest, finished.trained.files, _path(out_dir))
    if plan.cache is not None:  # they let an interrupted build go on; 200 MB are too much to keep for nothing
        shutil.rmtree(plan.cache, ignore_errors=True)
    return ReferencePackage(_path(out_dir), digest, finished.trained.manifest, reports)


def find_reference_package(out_dir: Path, *, directory: Path = DATA_DIR) -> ReferencePackage | None:
    """Return the reference package under `out_dir` if it is whole and of this plan; else None: it is built again."""
    reports = report_files(out_dir / "report")
    try:
        with open_package(_path(out_dir)) as package:
            package.verify()
            recipe = package.manifest.provenance.recipe
            if recipe.get("plan") != _plan_digest(directory):
                return None
            read_training_list(reports.training_list, expected=Digest(recipe[TRAINING_LIST]))
            return ReferencePackage(_path(out_dir), package.digest, package.manifest, reports)
    except (HoldfastError, OSError):
        return None


def _path(out_dir: Path) -> Path:
    return out_dir / f"{NAME}-{VERSION}.tar"


def unseen_tickets(reference: ReferencePackage, *, directory: Path = DATA_DIR) -> list[LabelledTicket]:
    """Every bundled ticket that is held out, each proved by the training list not to have been learnt from."""
    expected = Digest(reference.manifest.provenance.recipe[TRAINING_LIST])
    learnt = read_training_list(reference.reports.training_list, expected=expected)
    held = []
    for name in BUNDLED:
        head = load_head(name, directory=directory, seed=SEED)
        held += [head.reading.tickets[i] for i in head.split.held]
    seen = [ticket.where for ticket in held if text_digest(ticket.text) in learnt]
    if seen:
        raise LearntFromHeldOut(f"{len(seen)} held-out tickets were learnt from, the first is {seen[0]}")
    return held


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the reference package from the command line; the exit code is 0, or 65 with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.workbench.reference", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory for the package and its report")
    parser.add_argument("--cache", type=Path, required=True, help="directory for the public encoder")
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="directory of the bundled tickets")
    options = parser.parse_args(arguments)
    try:
        reference = build_reference_package(options.out, options.cache, progress=sys.stderr, directory=options.data_dir)
    except (HoldfastError, OSError) as error:
        sys.stderr.write(f"holdfast: {error}\n")
        return _BAD_DATA
    sys.stdout.write(f"{reference.package} {reference.digest}\n{reference.reports.html}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
