"""The training report as plain text for a terminal, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from holdfast.workbench.leakage import LeakageFinding
from holdfast.workbench.report import TierReport, TrainingReport

__all__ = ["as_json", "as_text", "figures_table"]

_ROWS_SHOWN = 5


def as_json(report: TrainingReport) -> bytes:
    """The whole report, indented, keys in the order of the struct."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def as_text(report: TrainingReport) -> str:
    """The figures, the findings and the choices, in a page of text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: TrainingReport) -> Iterator[str]:
    yield f"{report.package} {report.version}, made {report.made_at} on {report.machine} in {report.seconds:.0f} s"
    yield ""
    yield figures_table([(head.name, tier) for head in report.heads for tier in head.tiers])
    for head in report.heads:
        yield ""
        yield f"{head.name}: {head.split.sentence}"
        yield f"  {head.split.train_rows} tickets to learn from, {head.split.held_rows} to judge on"
        yield f"  {head.choice}"
        if head.cascade:
            yield (
                f"  cascade: n-grams answer {head.cascade.answered_share:.0%} alone, "
                f"which loses {head.cascade.macro_f1_loss:.4f} macro-F1 on the hold-out; "
                f"the budget, kept on training tickets, was {head.cascade.loss_budget:.4f}"
            )
        yield from _findings(head.leakage)
    if report.notices:
        yield ""
        yield from _findings(report.notices)
    bad = [row for one in report.datasets for row in one.bad_rows]
    if bad:
        yield ""
        yield f"{len(bad)} rows were left out: {'; '.join(bad[:_ROWS_SHOWN])}"


def _findings(findings: Iterable[LeakageFinding]) -> Iterator[str]:
    for finding in findings:
        yield f"  {finding.severity}: {finding.sentence}; {finding.next_step}"
        for row in finding.rows[:_ROWS_SHOWN] if finding.severity == "warning" else ():
            yield f"    {row}"


def figures_table(tiers: Sequence[tuple[str, TierReport]]) -> str:
    """The figures of each (head, tier), aligned."""
    header = ("head", "tier", "answered by", "macro-F1", "+-", "accuracy", "AUC urgent", "calibration", "CPU ms")
    rows = [header, *(_row(head, tier) for head, tier in tiers)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) if i < 3 else cell.rjust(width) for i, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _row(head: str, tier: TierReport) -> tuple[str, ...]:
    figures = tier.figures
    return (
        head,
        tier.tier,
        "encoder + n-grams" if tier.stage == "encoder" else "n-grams",
        f"{figures.macro_f1:.3f}",
        f"{figures.macro_f1_error:.3f}",
        f"{figures.accuracy:.3f}",
        f"{figures.urgent[0].auc:.3f}" if figures.urgent else "-",
        f"{figures.calibration_error:.3f}",
        "-" if tier.cpu_ms is None else f"{tier.cpu_ms:.2f}",
    )
