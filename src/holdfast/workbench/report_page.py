"""The training report as one self-contained HTML page: no script, no outside asset, light or dark as the reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from holdfast.workbench.leakage import LeakageFinding
from holdfast.workbench.report import CascadeReport, DatasetReport, Figures, HeadReport, TierReport, TrainingReport
from holdfast.workbench.report_plots import cost_plot, learning_plot, reliability_plot, urgent_plot
from holdfast.workbench.report_style import STYLE

__all__ = ["page"]

_ROWS_SHOWN = 40  # of a finding's rows; the JSON report has them all
_NONE = "&ndash;"


def page(report: TrainingReport) -> str:
    """Write the whole report as one HTML document."""
    title = f"{report.package} {report.version}: training report"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>",
        _top(report),
        *(_head(head) for head in report.heads),
        _cost(report),
        _datasets(report),
        _promises(report),
        _recipe(report),
        "</main></body></html>\n",
    ]
    return "".join(parts)


# ---------------------------------------------------------------------------------------------------------- elements


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of markup cells; the first cell of each row is its header."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    spoken = f"<caption>{escape(caption)}</caption>"
    # A region that scrolls must be reachable by keyboard, and a reachable region needs a name.
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
    return f"{region}<table>{spoken}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _figure(title: str, svg: str, caption: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _section(title: str, *content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


# ---------------------------------------------------------------------------------------------------------- sections


def _top(report: TrainingReport) -> str:
    learnt = sum(head.split.train_rows for head in report.heads)
    judged = sum(head.split.held_rows for head in report.heads)
    rows = [
        (
            f"{escape(head.name)}, {escape(tier.tier)} tier",
            "encoder + n-grams" if tier.stage == "encoder" else "n-grams",
            f"{tier.figures.macro_f1:.3f} <small>± {tier.figures.macro_f1_error:.3f}</small>",
            _urgent_auc(tier.figures),
            f"{tier.figures.accuracy:.3f}",
            f"{tier.figures.calibration_error:.3f}",
            _NONE if tier.cpu_ms is None else f"{tier.cpu_ms:.2f}",
        )
        for head in report.heads
        for tier in head.tiers
    ]
    return (
        "<header><p class=eyebrow>Training report</p>"
        f"<h1>{escape(report.package)} <span>{escape(report.version)}</span></h1>"
        f"<p>Learnt from {learnt:,} tickets, judged on {judged:,} that it never saw. Made {escape(report.made_at)} on "
        f"{escape(report.machine)} in {report.seconds:,.0f} s.</p></header>"
        + _section(
            "At a glance",
            _table(
                "Held-out figures",
                (
                    "Head and tier",
                    "Answered by",
                    "Macro-F1",
                    "AUC of most urgent",
                    "Accuracy",
                    "Calibration error",
                    "CPU ms",
                ),
                rows,
            ),
            "<p class=note>Macro-F1 is the mean over labels, so that rare ones count; ± is one standard error. "
            "Accuracy is shown because people ask for it: guessing the commonest label often has more of it.</p>",
        )
    )


def _urgent_auc(figures: Figures) -> str:
    if not figures.urgent:
        return _NONE
    return f"{figures.urgent[0].auc:.3f} <small>{escape(', '.join(figures.urgent[0].labels))}</small>"


def _head(head: HeadReport) -> str:
    best = head.tiers[0]
    plots = [_figure("Reliability", reliability_plot(head), _reliability_caption(head))]
    if any(tier.figures.urgent for tier in head.tiers):
        plots.append(_figure("Finding the urgent", urgent_plot(head), _urgent_caption(best.figures)))
    if len(head.learning_curve) > 1:
        plots.append(_figure("Learning curve", learning_plot(head), _learning_caption(head)))
    return _section(
        f"Head: {head.name}",
        f"<p>{escape(_sentence(head.split.sentence))} {head.split.train_rows:,} tickets to learn from, "
        f"{head.split.held_rows:,} to judge on{_left_out(head)}.</p>",
        f"<p><strong>{escape(_sentence(head.choice))}</strong></p>",
        f'<div class="plots">{"".join(plots)}</div>',
        *(_tier(head, tier, folded=i > 0) for i, tier in enumerate(head.tiers)),
        _facts(head),
        "<h3>Leakage</h3>",
        _findings(head.leakage, nothing="No copied texts, no conflicting labels, no labels in the text were found."),
    )


def _left_out(head: HeadReport) -> str:
    return f", {head.split.left_out_rows:,} left out of both" if head.split.left_out_rows else ""


def _tier(head: HeadReport, tier: TierReport, *, folded: bool) -> str:
    name = tier.tier
    labels = _classes(tier.figures, f"Labels of {head.name}, {name} tier")
    content = f'<div class="beside">{_confusion(head, tier)}{labels}</div>'
    return (
        _folded(f"{name.capitalize()} tier: confusion and labels", content)
        if folded
        else f"<h3>{escape(name.capitalize())} tier</h3>{content}"
    )


def _confusion(head: HeadReport, tier: TierReport) -> str:
    labels = [escape(label) for label in head.labels]
    rows = []
    for label, counts in zip(labels, tier.figures.confusion, strict=True):
        total = max(sum(counts), 1)
        cells = (f'<span class=cell style="--share:{count / total:.3f}">{count:,}</span>' for count in counts)
        rows.append((label, *cells))
    caption = f"Confusion of {head.name}, {tier.tier} tier. Row: what people decided; column: what the head says"
    return f'<div class="confusion">{_table(caption, ("", *labels), rows)}</div>'


def _classes(figures: Figures, caption: str) -> str:
    rows = (
        (
            escape(one.label),
            f"{one.support:,}",
            f"{one.precision:.3f}",
            f"{one.recall:.3f}",
            f'<span class=bar style="--share:{one.f1:.3f}">{one.f1:.3f}</span>',
        )
        for one in figures.classes
    )
    return _table(caption, ("Label", "Held-out tickets", "Precision", "Recall", "F1"), rows)


def _facts(head: HeadReport) -> str:
    lines = []
    if head.candidates:
        tried = ", ".join(f"{name} {value:.3f}" for name, value in head.candidates.items())
        lines.append(("Macro-F1 of what was tried", tried))
    if head.cascade:
        lines.append(("Cascade", _cascade(head.cascade)))
    if head.gate:
        other = (
            "" if head.gate.other_passed_share is None else f"; {head.gate.other_passed_share:.1%} of {head.gate.other}"
        )
        lines.append(("Domain gate", f"{head.gate.own_passed_share:.1%} of held-out tickets pass{other}"))
    return _pairs(lines) if lines else ""


def _cascade(cascade: CascadeReport) -> str:
    return (
        f"n-grams answer {cascade.answered_share:.0%} of tickets alone (margin {cascade.margin:.2f}); that loses "
        f"{cascade.macro_f1_loss:.4f} macro-F1 on the hold-out; the budget, kept on training tickets, was "
        f"{cascade.loss_budget:.4f}"
    )


def _findings(findings: Sequence[LeakageFinding], *, nothing: str) -> str:
    if not findings:
        return f"<p>{escape(nothing)}</p>"
    items = []
    for finding in findings:
        rows = "".join(f"<li><code>{escape(row)}</code></li>" for row in finding.rows[:_ROWS_SHOWN])
        more = (
            ""
            if len(finding.rows) <= _ROWS_SHOWN
            else f"<p>{finding.count - _ROWS_SHOWN:,} more; the JSON report names them.</p>"
        )
        named = _folded("Which rows", f"<ol>{rows}</ol>{more}") if rows else ""
        items.append(
            f"<li class={finding.severity}><b>{escape(finding.severity)}</b> {escape(finding.sentence)}: "
            f"{escape(finding.next_step)}.{named}</li>"
        )
    return f'<ul class="findings">{"".join(items)}</ul>'


def _cost(report: TrainingReport) -> str:
    if not any(tier.cpu_ms for head in report.heads for tier in head.tiers):
        return ""
    caption = "Quality of each head and tier against what one ticket costs. Bars are one standard error."
    return _section(
        "Cost against quality", f'<div class="plots">{_figure("All heads and tiers", cost_plot(report), caption)}</div>'
    )


def _datasets(report: TrainingReport) -> str:
    rows = (
        (
            escape(one.file),
            f"{one.rows:,}",
            escape(", ".join(one.heads)),
            escape(one.licence or "not stated"),
            f"<code>{escape(one.sha256[:19])}…</code>",
        )
        for one in report.datasets
    )
    return _section(
        "Data",
        _table("Files", ("File", "Tickets", "Heads", "Licence", "Digest"), rows),
        _findings(report.notices, nothing="No column in use is filled in after the ticket was written."),
        *(_reading(one) for one in report.datasets),
    )


def _reading(one: DatasetReport) -> str:
    lines = [*one.assumed, *(f"left out: {row}" for row in one.bad_rows)]
    if one.unlabelled_rows:
        lines.append(f"{one.unlabelled_rows:,} rows carry no label and were left out")
    if one.unread_columns:
        lines.append(f"columns no model sees: {', '.join(one.unread_columns)}")
    if not lines:
        return ""
    shown = "".join(f"<li>{escape(line)}</li>" for line in lines[:_ROWS_SHOWN])
    return _folded(f"How {one.file} was read", f"<ul>{shown}</ul>")


def _promises(report: TrainingReport) -> str:
    if not report.promised:
        return ""
    lines = ((f"{head}", f"macro-F1 at least {value:.3f}") for head, value in report.promised.items())
    return _section(
        "Promises",
        f"<p>On the {report.trial_rows:,} tickets of its own trial set the package commits to:</p>",
        _pairs(lines),
    )


def _recipe(report: TrainingReport) -> str:
    return _section(
        "Recipe and provenance",
        _pairs([("encoder", report.encoder), *report.recipe.items()]),
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in report.provenance) + "</ul>"
        if report.provenance
        else "",
    )


def _reliability_caption(head: HeadReport) -> str:
    errors = ", ".join(f"{tier.tier} {tier.figures.calibration_error:.3f}" for tier in head.tiers)
    return f"On the dashed line the head is right as often as it says. Larger marks hold more tickets. Error: {errors}."


def _urgent_caption(figures: Figures) -> str:
    if not figures.urgent:
        return ""
    first = figures.urgent[0]
    return f"Telling {', '.join(first.labels)} ({first.support:,} tickets) from the rest, at every threshold."


def _learning_caption(head: HeadReport) -> str:
    last, before = head.learning_curve[-1], head.learning_curve[-2]
    gain = last.macro_f1 - before.macro_f1
    return f"Going from {before.rows:,} to {last.rows:,} tickets changed macro-F1 by {gain:+.3f} (small tier)."
