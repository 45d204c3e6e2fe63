"""What training leaves on disk: a package source directory, and beside it the reports and the training list."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.digest import canonical
from holdfast.errors import InvalidInput
from holdfast.manifest import Manifest
from holdfast.workbench.plan import TrainingPlan
from holdfast.workbench.report import TrainingReport
from holdfast.workbench.report_page import page
from holdfast.workbench.report_text import as_json, as_text
from holdfast.workbench.training_list import write_training_list

__all__ = ["ReportFiles", "SourceOccupied", "report_files", "require_free", "write_reports", "write_source"]

_MANIFEST = "manifest.json"


class SourceOccupied(InvalidInput):
    """The directory to write to holds something that is no package source."""


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the reports of one training run are."""

    html: Path
    json: Path
    text: Path
    training_list: Path


def require_free(directory: Path) -> None:
    """Return if `directory` is absent, empty, or a package source that may be replaced. Raises SourceOccupied."""
    if directory.is_dir():
        names = {path.name for path in directory.iterdir()}
        if not names or _MANIFEST in names:
            return
    elif not directory.exists():
        return
    raise SourceOccupied(f"{directory}: expected nothing or a package source to replace, found something else")


def write_source(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write `manifest` and `files` as a directory that `holdfast package build` accepts, in one rename."""
    require_free(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        for path, content in {_MANIFEST: canonical(manifest), **files}.items():
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        partial.chmod(0o755)
        if directory.is_dir():
            shutil.rmtree(directory)
        partial.rename(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def report_files(directory: Path) -> ReportFiles:
    """The names of the reports under `directory`."""
    return ReportFiles(
        html=directory / "report.html",
        json=directory / "report.json",
        text=directory / "report.txt",
        training_list=directory / "training-list.txt",
    )


def write_reports(directory: Path, report: TrainingReport, plan: TrainingPlan) -> ReportFiles:
    """Write the report three ways, and the training list, under `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    files = report_files(directory)
    files.html.write_text(page(report), encoding="utf-8")
    files.json.write_bytes(as_json(report))
    files.text.write_text(as_text(report), encoding="utf-8")
    write_training_list(files.training_list, (ticket.text for head in plan.heads for ticket in head.train))
    return files
