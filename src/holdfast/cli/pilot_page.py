"""The pilot report as one self-contained HTML page: no script, no outside asset, light or dark as the reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from holdfast.report.bootstrap import Interval
from holdfast.report.kpis import Kpi
from holdfast.report.pilot import PilotReport
from holdfast.workbench.report_style import STYLE

__all__ = ["change_words", "interval_words", "page"]

_NONE = "&ndash;"
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_OWN_STYLE = """
.range{display:block;width:100%;min-width:9rem;height:2.4rem}
.range .c1,.range .c2{stroke-width:2.5;stroke-linecap:round}.range .c1{stroke:var(--c1)}.range .c2{stroke:var(--c2)}
.range .dot.c1{fill:var(--c1)}.range .dot.c2{fill:var(--c2)}.range .track{stroke:var(--line);stroke-width:1}
.range text{font-size:9px;fill:var(--soft)}
td small{white-space:nowrap}.good{color:var(--c3);font-weight:600}.bad{color:var(--warn);font-weight:600}
tbody th{white-space:normal;min-width:12rem}
"""


def page(report: PilotReport) -> str:
    """Write the whole report as one HTML document."""
    title = f"Pilot report, {report.since[:10]} to {report.until[:10]}"
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title><style>{STYLE}{_OWN_STYLE}</style></head><body><main>",
            _top(report),
            _figures(report),
            _missing(report),
            _tiers(report),
            _section("Read this with care", _list(report.notes)),
            "</main></body></html>\n",
        ]
    )


def interval_words(found: Interval | None, unit: str) -> str:
    """Return `12 min (10 to 15)` in plain text."""
    if found is None:
        return "not known"
    if unit == "ratio":
        return f"{found.estimate:.1%} ({found.low:.1%} to {found.high:.1%})"
    size, name = _scale(max(abs(found.low), abs(found.high)))
    return f"{found.estimate / size:.3g} {name} ({found.low / size:.3g} to {found.high / size:.3g})"


def change_words(kpi: Kpi) -> str:
    """Return how much it changed, and whether that can be told from chance."""
    if kpi.change is None:
        return "not known"
    words = interval_words(kpi.change, kpi.unit)
    if kpi.unit == "ratio":
        points = 100 * kpi.change.estimate, 100 * kpi.change.low, 100 * kpi.change.high
        words = f"{points[0]:+.1f} points ({points[1]:+.1f} to {points[2]:+.1f})"
    return words if kpi.change.excludes(0.0) else f"{words}, may be chance"


def _scale(seconds: float) -> tuple[float, str]:
    return next(((size, name) for size, name in _UNITS if seconds >= 2 * size), _UNITS[-1])


def _section(title: str, *content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
    return (
        f"{region}<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
        "</div>"
    )


def _top(report: PilotReport) -> str:
    whose = f" of team {report.team}" if report.team else ""
    compared = (
        f"{report.history_tasks:,} earlier tasks of the tracker's export are the before; {report.joined_tasks:,} of "
        f"the node's tasks were found in it, {report.unknown_tasks:,} tasks of these days never reached the node."
        if report.history_tasks or report.joined_tasks
        else "Nothing is known of the time before."
    )
    packages = ", ".join(f"{name} ({count:,})" for name, count in report.packages.items()) or "none"
    return (
        "<header><p class=eyebrow>Pilot report</p>"
        f"<h1>{escape(report.since[:10])} <span>to</span> {escape(report.until[:10])}</h1>"
        f"<p>{report.decisions:,} decisions on {report.tasks:,} tasks{escape(whose)}. {escape(compared)} "
        f"Packages by decisions: {escape(packages)}.</p></header>"
    )


def _figures(report: PilotReport) -> str:
    rows = (
        (
            escape(kpi.title),
            _cell(kpi.before, kpi.before_tasks, kpi.unit),
            _cell(kpi.after, kpi.after_tasks, kpi.unit),
            _change(kpi),
            _range(kpi),
        )
        for kpi in report.kpis
    )
    header = ("Figure", "Before", "After", "Change", "Ranges")
    return _section(
        "Before and after",
        _table("Key figures with 95 % intervals", header, rows),
        "<p class=note>The small figures are 95 % intervals: of shares by Wilson, of medians and changes by "
        "bootstrap. In the last column the upper line is before, the lower one after, on a scale from zero.</p>",
    )


def _cell(found: Interval | None, tasks: int, unit: str) -> str:
    if found is None:
        return _NONE
    words, _, rest = interval_words(found, unit).partition(" (")
    return f"{escape(words)}<br><small>{escape(rest.rstrip(')'))}<br>{tasks:,} tasks</small>"


def _change(kpi: Kpi) -> str:
    if kpi.change is None:
        return _NONE
    words, _, rest = change_words(kpi).partition(" (")
    kind = ""
    if kpi.change.excludes(0.0) and kpi.better != "neither":
        kind = "good" if (kpi.change.estimate < 0) == (kpi.better == "lower") else "bad"
    return f'<span class="{kind}">{escape(words)}</span><br><small>{escape(rest.replace(")", "", 1))}</small>'


def _range(kpi: Kpi) -> str:
    """Both intervals on one scale that begins at zero."""
    found = [one for one in (kpi.before, kpi.after) if one is not None]
    most = max((one.high for one in found), default=0.0)
    if len(found) < 2 or most <= 0:
        return _NONE
    marks = "".join(_line(one, most, place) for place, one in enumerate(found, 1))
    spoken = f"before {interval_words(kpi.before, kpi.unit)}, after {interval_words(kpi.after, kpi.unit)}"
    return f'<svg class="range" viewBox="0 0 150 32" role="img" aria-label="{escape(spoken)}">{marks}</svg>'


def _line(found: Interval, most: float, place: int) -> str:
    low, middle, high = (round(4 + 142 * one / most, 1) for one in (max(found.low, 0.0), found.estimate, found.high))
    y = 10 * place
    return (
        f'<path class="track" d="M4 {y}H146"/><path class="c{place}" d="M{low} {y}H{high}"/>'
        f'<circle class="dot c{place}" cx="{middle}" cy="{y}" r="3.5"/>'
    )


def _missing(report: PilotReport) -> str:
    lines = [f"{kpi.title}, {kpi.missing}." for kpi in report.kpis if kpi.missing]
    return _section("What could not be computed", _list(lines)) if lines else ""


def _tiers(report: PilotReport) -> str:
    rows = (
        (
            escape(one.tier),
            f"{one.answers:,}",
            f"{one.answer_ratio:.1%}",
            _NONE if one.time_ratio is None else f"{one.time_ratio:.1%}",
        )
        for one in report.tiers
    )
    header = ("Tier", "Answers", "Share of answers", "Share of time as the best")
    return _section("Tiers", _table("Who answered, and who could", header, rows))
