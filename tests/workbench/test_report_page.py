"""The report page stands alone, says what the figures say, and can be read without colour."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from holdfast.workbench.figures import measure
from holdfast.workbench.leakage import LeakageFinding
from holdfast.workbench.plots import Axis, Frame, Point, Series, axis_for, draw
from holdfast.workbench.report import (
    CascadeReport,
    DatasetReport,
    GateReport,
    HeadReport,
    LearningPoint,
    SplitReport,
    TierReport,
    TrainingReport,
)
from holdfast.workbench.report_page import page
from holdfast.workbench.report_text import as_json, as_text

LABELS = ("LOW", "<b>MEDIUM", "HIGH", "CRITICAL")
VOID = {"meta", "br", "img", "hr", "input", "link"}


def _tier(name: str, *, seed: int) -> TierReport:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, size=300)
    logits = rng.normal(size=(300, 4))
    logits[np.arange(300), truth] += 1.5
    odds = np.exp(logits)
    figures = measure(odds / odds.sum(axis=1, keepdims=True), truth, labels=LABELS, urgent=[("CRITICAL",)])
    return TierReport(
        tier=name,
        stage="encoder" if name == "full" else "ngram",
        figures=figures,
        cpu_ms=5.5 if name == "full" else 0.1,
    )


def _report() -> TrainingReport:
    finding = LeakageFinding(
        kind="near_copies",
        severity="warning",
        count=2,
        sentence="2 held-out tickets resemble <script>alert(1)</script>",
        next_step="look at them",
        rows=tuple(f"a.csv:{i} = a.csv:{i + 100}" for i in range(60)),
    )
    head = HeadReport(
        name="priority",
        task="priority",
        labels=LABELS,
        urgency=(0.1, 0.4, 0.7, 1.0),
        prior=(0.25,) * 4,
        split=SplitReport(kind="random", sentence="held out: 20%", train_rows=1200, held_rows=300, left_out_rows=3),
        leakage=(finding,),
        tiers=(_tier("full", seed=1), _tier("small", seed=2)),
        candidates={"ngram": 0.5, "both": 0.52},
        choice="the full tier serves both",
        learning_curve=(LearningPoint(rows=300, macro_f1=0.4), LearningPoint(rows=1200, macro_f1=0.5)),
        cascade=CascadeReport(margin=0.4, answered_share=0.7, macro_f1_loss=0.001, loss_budget=0.002),
        gate=GateReport(minimum=0.1, own_passed_share=0.99, other_passed_share=0.02, other="IT tickets"),
    )
    return TrainingReport(
        package="triage-x",
        version="1.0.0",
        made_at="2026-01-01",
        machine="2 cores",
        seconds=12.0,
        datasets=(
            DatasetReport(file="a & b.csv", sha256="sha256:" + "0" * 64, rows=1500, bad_rows=("a.csv:7: short",)),
        ),
        heads=(head,),
        promised={"priority": 0.5},
        trial_rows=100,
        encoder="none",
        recipe={"seed": "0"},
    )


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing_outside_itself() -> None:
    text = page(_report())
    parsed = _Page(text)
    assert parsed.open == []
    assert not re.search(r"https?:|//[a-z]|url\(|@import|src=|href=", text)
    assert not {"script", "link", "img", "iframe"} & set(parsed.tags)


def test_what_people_wrote_is_shown_and_never_run() -> None:
    text = page(_report())
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;b&gt;MEDIUM" in text


def test_every_plot_has_a_name_and_a_description_for_who_cannot_see_it() -> None:
    text = page(_report())
    svgs = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    ids = _Page(text).ids
    assert len(svgs) == 4
    assert all("<title" in svg and "<desc" in svg and 'role="img"' in svg for svg in svgs)
    assert len(ids) == len(set(ids))


def test_tiers_can_be_told_apart_without_colour() -> None:
    plot = re.search(r"<svg .*?</svg>", page(_report()), re.DOTALL)
    assert plot is not None
    assert 'class="mark c1"' in plot.group()
    assert '<rect class="mark c2"' in plot.group()


def test_every_figure_of_the_confusion_is_on_the_page() -> None:
    report = _report()
    text = page(report)
    for count in (n for row in report.heads[0].tiers[0].figures.confusion for n in row):
        assert f">{count:,}</span>" in text


def test_rows_are_named_and_a_long_list_says_where_the_rest_is() -> None:
    text = page(_report())
    assert "a.csv:0 = a.csv:100" in text
    assert "the JSON report names them" in text
    assert "a.csv:59 = a.csv:159" in as_json(_report()).decode()


def test_the_json_report_reads_back_as_the_same_report() -> None:
    report = _report()
    assert msgspec.json.decode(as_json(report), type=TrainingReport) == report


def test_the_text_report_names_heads_tiers_findings_and_bad_rows() -> None:
    text = as_text(_report())
    for part in ("priority  full", "priority  small", "warning: 2 held-out", "a.csv:0 = a.csv:100", "a.csv:7: short"):
        assert part in text


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [0.412, 0.4131], [1e-9, 3e6], [-3.0, 7.0]])
def test_an_axis_holds_all_its_values_between_round_ticks(values: list[float]) -> None:
    axis = axis_for("x", values)
    assert axis.low <= min(values)
    assert max(values) <= axis.high
    assert 2 <= len(axis.ticks) <= 7


def test_a_logarithmic_axis_puts_tenfold_steps_at_equal_distances() -> None:
    axis = axis_for("x", [0.05, 6.0], logarithmic=True)
    steps = [axis.place(value) for value, _ in axis.ticks]
    assert steps == pytest.approx(np.linspace(0.0, 1.0, len(steps)))


def test_a_plot_without_points_is_still_a_plot() -> None:
    axis = Axis("x", 0.0, 1.0, ((0.0, "0"), (1.0, "1")))
    assert draw(Frame("empty", "", axis, axis), [Series("none", ())]).endswith("</svg>")
    assert "circle" in draw(Frame("one", "", axis, axis), [Series("", (Point(2.0, -1.0),))])
