"""Which plots the training report has, and what each says to somebody who cannot see it."""

from __future__ import annotations

from typing import Literal

from holdfast.workbench.plots import Axis, Frame, Point, Series, axis_for, draw
from holdfast.workbench.report import HeadReport, TrainingReport

__all__ = ["cost_plot", "learning_plot", "reliability_plot", "urgent_plot"]

_SHARES = tuple((i / 5, f"{i * 20}%") for i in range(6))
_COLOURS: dict[str, Literal[1, 2, 3]] = {"full": 1, "small": 2}


def _share_axis(name: str) -> Axis:
    return Axis(name, 0.0, 1.0, _SHARES)


def _colour(tier: str) -> Literal[1, 2, 3]:
    return _COLOURS.get(tier, 3)


def reliability_plot(head: HeadReport) -> str:
    """How often each tier is right against how sure it is."""
    series = [
        Series(
            f"{tier.tier} tier",
            tuple(Point(b.confidence, b.right, weight=b.count) for b in tier.figures.reliability),
            colour=_colour(tier.tier),
            joined=True,
        )
        for tier in head.tiers
    ]
    spoken = "; ".join(
        f"{tier.tier} tier: "
        + ", ".join(f"{b.confidence:.0%} sure, {b.right:.0%} right" for b in tier.figures.reliability)
        for tier in head.tiers
    )
    frame = Frame(
        f"Reliability of {head.name}",
        spoken,
        _share_axis("how sure the head is"),
        _share_axis("how often it is right"),
        ideal=True,
    )
    return draw(frame, series)


def urgent_plot(head: HeadReport) -> str:
    """Precision against recall for the most urgent label, tier by tier."""
    curves = [(tier.tier, tier.figures.urgent[0]) for tier in head.tiers if tier.figures.urgent]
    series = [
        Series(
            f"{name} tier",
            tuple(Point(p.recall, p.precision) for p in curve.points),
            _colour(name),
            joined=True,
            marked=False,
        )
        for name, curve in curves
    ]
    spoken = "; ".join(f"{name} tier: average precision {curve.average_precision:.3f}" for name, curve in curves)
    frame = Frame(
        f"Finding {', '.join(curves[0][1].labels)} ({head.name})",
        spoken,
        _share_axis("recall: urgent tickets that are found"),
        _share_axis("precision: alarms that are right"),
    )
    return draw(frame, series)


def learning_plot(head: HeadReport) -> str:
    """Held-out quality against how many tickets were learnt from."""
    points = tuple(Point(float(point.rows), point.macro_f1) for point in head.learning_curve)
    frame = Frame(
        f"Learning curve of {head.name}",
        ", ".join(f"{point.rows} tickets: {point.macro_f1:.3f}" for point in head.learning_curve),
        axis_for("tickets learnt from", [0.0, *(point.x for point in points)]),
        axis_for("macro-F1 on the hold-out", [point.y for point in points]),
    )
    return draw(frame, [Series("small tier", points, _colour("small"), joined=True)])


def cost_plot(report: TrainingReport) -> str:
    """Quality against CPU cost, one point per head and tier."""
    measured = [(head, tier, tier.cpu_ms) for head in report.heads for tier in head.tiers if tier.cpu_ms]
    tiers = dict.fromkeys(tier.tier for _, tier, _ in measured)
    series = [
        Series(
            f"{name} tier",
            tuple(
                Point(cost, tier.figures.macro_f1, error=tier.figures.macro_f1_error, label=head.name)
                for head, tier, cost in measured
                if tier.tier == name
            ),
            _colour(name),
        )
        for name in tiers
    ]
    spread = [tier.figures.macro_f1 + sign * tier.figures.macro_f1_error for _, tier, _ in measured for sign in (-1, 1)]
    spoken = "; ".join(
        f"{head.name}, {tier.tier} tier: {tier.figures.macro_f1:.3f} at {cost:.2f} ms" for head, tier, cost in measured
    )
    frame = Frame(
        "Cost against quality",
        spoken,
        axis_for("CPU milliseconds per ticket", [cost for _, _, cost in measured], logarithmic=True),
        axis_for("macro-F1 on the hold-out", spread),
    )
    return draw(frame, series)
