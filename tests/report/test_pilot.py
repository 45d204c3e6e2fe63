"""The pilot report computes what the records hold, and names what they do not."""

from __future__ import annotations

import random
import statistics

import pytest
from msgspec import structs

from holdfast.cli.pilot_page import page
from holdfast.report.handled import Handled
from holdfast.report.kpis import Kpi, Stretch
from holdfast.report.pilot import PilotReport, Records, pilot_report

HOUR_S = 3600.0
SINCE_S, UNTIL_S = 1_000_000.0, 1_000_000.0 + 14 * 24 * HOUR_S


def history(count: int, *, start_s: float = 0.0, seed: int = 1) -> list[Handled]:
    rng = random.Random(seed)
    made = []
    for place in range(count):
        opened = start_s + rng.uniform(0, 900_000)
        priority = rng.choice(["P0", "P1", "P2"])
        made.append(
            Handled(
                task_id=f"B-{place}",
                opened_s=opened,
                triaged_s=opened + rng.expovariate(1 / HOUR_S),
                acked_s=opened + rng.expovariate(1 / (2 * HOUR_S)),
                resolved_s=opened + rng.expovariate(1 / (10 * HOUR_S)),
                deadline_s=opened + 12 * HOUR_S,
                priority=priority,
                final_priority="P2" if rng.random() < 0.3 else priority,
            )
        )
    return made


def decided(count: int, *, seconds: float = 2.0, overridden: int = 0) -> list[Handled]:
    return [
        Handled(
            task_id=f"A-{place}",
            opened_s=SINCE_S + place,
            triaged_s=SINCE_S + place + seconds,
            told_s=SINCE_S + place + seconds + 1,
            priority="P0",
            final_priority="P2" if place < overridden else "P0",
            overridden=place < overridden,
            tier="full" if place % 4 else "small",
        )
        for place in range(count)
    ]


def report(before: list[Handled], after: list[Handled], *stretches: Stretch) -> PilotReport:
    records = Records(
        since="2026-11-07T00:00:00Z",
        until="2026-11-21T00:00:00Z",
        since_s=SINCE_S,
        until_s=UNTIL_S,
        decided=after,
        history=before,
        stretches=stretches,
        packages={"triage-en 1.0.0": len(after)},
    )
    return pilot_report(records)


def figure(found: PilotReport, name: str) -> Kpi:
    return next(one for one in found.kpis if one.name == name)


def test_each_figure_is_what_a_recount_of_the_records_gives() -> None:
    before = history(200)
    found = report(before, decided(40, overridden=6))
    waits = [one.triaged_s - one.opened_s for one in before if one.triaged_s and one.opened_s is not None]
    p0 = [one for one in before if one.priority == "P0"]
    assert figure(found, "time_to_triage").before.estimate == pytest.approx(statistics.median(waits))
    assert figure(found, "time_to_triage").after.estimate == pytest.approx(2.0)
    assert figure(found, "false_p0_rate").before.estimate == pytest.approx(
        sum(one.final_priority != "P0" for one in p0) / len(p0)
    )
    assert figure(found, "false_p0_rate").after.estimate == figure(found, "override_rate").after.estimate == 0.15


def test_a_change_that_is_there_leaves_zero_out_of_its_interval() -> None:
    change = figure(report(history(200), decided(40)), "time_to_triage").change
    assert change.high < 0.0


def test_without_history_there_is_no_before_and_the_report_says_what_it_takes() -> None:
    found = report([], decided(40))
    assert all(one.before is None and one.change is None for one in found.kpis)
    assert "history column `acked`" in figure(found, "first_ack").missing
    assert any("--history" in note for note in found.notes)


def test_what_only_the_tracker_knows_is_joined_by_task_id() -> None:
    after = decided(10)
    known = [
        Handled(task_id=one.task_id, opened_s=one.opened_s, acked_s=one.opened_s + 60, resolved_s=one.opened_s + 90)
        for one in after
        if one.opened_s is not None
    ]
    found = report([*history(50), *known, Handled(task_id="never-seen", opened_s=SINCE_S + 5)], after)
    assert figure(found, "first_ack").after.estimate == pytest.approx(60.0)
    assert (found.history_tasks, found.joined_tasks, found.unknown_tasks) == (50, 10, 1)


def test_a_task_that_is_scored_twice_counts_once_with_its_last_word() -> None:
    first, again = decided(1)[0], decided(1, seconds=500.0, overridden=1)[0]
    found = report([], [*decided(9)[1:], first, again])
    assert (found.tasks, found.decisions) == (9, 10)
    assert figure(found, "override_rate").after.estimate == pytest.approx(1 / 9)
    assert figure(found, "time_to_triage").after.high == pytest.approx(2.0)


def test_a_tracker_whose_clock_is_ahead_gives_no_negative_time() -> None:
    odd = [Handled(task_id=str(i), opened_s=SINCE_S + 50, triaged_s=SINCE_S) for i in range(20)]
    assert figure(report([], odd), "time_to_triage").after is None


def test_the_time_of_tiers_is_counted_inside_the_window_from_the_first_record_on() -> None:
    middle = (SINCE_S + UNTIL_S) / 2
    found = report(
        [], decided(8), Stretch(SINCE_S - 500, "full"), Stretch(middle, "small"), Stretch(UNTIL_S + 5, "full")
    )
    assert [one.time_ratio for one in found.tiers] == [0.5, 0.5, 0.0]
    assert [one.answers for one in found.tiers] == [6, 2, 0]


def test_equal_records_give_equal_reports() -> None:
    assert report(history(60), decided(20)) == report(history(60), decided(20))


def test_the_page_fetches_nothing_and_says_what_is_missing() -> None:
    written = page(report(history(60), decided(20)))
    assert "http" not in written.replace("<!doctype html>", "")
    assert "<script" not in written
    assert "What could not be computed" in written
    assert written.count("<svg") == 3  # false P0, time to triage, share of P0: both sides are known


def test_tasks_of_two_teams_with_one_name_are_two_tasks() -> None:
    ours, theirs = (Handled(task_id="1", team=team, priority="P0", final_priority="P0") for team in ("office", "cloud"))
    assert report([], [ours, theirs]).tasks == 2


def test_a_persons_word_stands_when_the_task_is_scored_again() -> None:
    scored = decided(6, overridden=6)
    again = [structs.replace(one, final_priority="P0", overridden=False) for one in scored]
    rate = figure(report([], scored + again), "false_p0_rate").after
    assert rate is not None
    assert rate.estimate == 1.0
