"""Folds: every ticket is a stranger once, and time is respected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from holdfast.workbench.lesson import Lesson
from holdfast.workbench.plan import HeadPlan
from holdfast.workbench.report import SplitReport
from holdfast.workbench.tickets import LabelledTicket

START = datetime(2024, 1, 1, tzinfo=UTC)


def _plan(kind: str, rows: int = 101) -> HeadPlan:
    order = np.random.default_rng(3).permutation(rows)
    tickets = [
        LabelledTicket(
            id=str(i),
            text=f"text {i}",
            labels={"route": "ab"[i % 2]},
            at=START + timedelta(days=int(day)) if day else None,
            group="",
            where=f"f:{i}",
        )
        for i, day in enumerate(order.tolist())
    ]
    split = SplitReport(kind=kind, sentence="", train_rows=rows, held_rows=0, left_out_rows=0)
    return HeadPlan(name="route", task="route", labels=("a", "b"), urgency=(), train=tickets, held=[], split=split)


@pytest.mark.parametrize("kind", ["random", "chronological"])
def test_every_ticket_is_in_exactly_one_fold_of_about_equal_size(kind: str) -> None:
    lesson = Lesson.of(_plan(kind), seed=0)
    sizes = np.bincount(lesson.fold, minlength=lesson.folds)
    assert sizes.sum() == 101
    assert sizes.max() - sizes.min() <= 1


def test_time_is_checked_on_the_latest_tickets_only() -> None:
    lesson = Lesson.of(_plan("chronological"), seed=0)
    at = np.array([ticket.at.timestamp() if ticket.at else 0.0 for ticket in lesson.head.train])
    assert at[lesson.check].min() > np.delete(at, lesson.check).max()


def test_without_time_every_ticket_checks() -> None:
    lesson = Lesson.of(_plan("random"), seed=0)
    assert lesson.check.tolist() == list(range(101))
    assert not np.array_equal(lesson.fold, Lesson.of(_plan("random"), seed=1).fold)


def test_a_sample_is_what_came_just_before_the_check_and_a_quarter_of_it() -> None:
    lesson = Lesson.of(_plan("chronological"), seed=0)
    at = np.array([ticket.at.timestamp() if ticket.at else 0.0 for ticket in lesson.head.train])
    chosen = lesson.sample(20, seed=0)
    checked = np.isin(chosen, lesson.check)
    left = np.setdiff1d(np.arange(101), np.concatenate([chosen, lesson.check]))
    assert checked.sum() == 5
    assert at[chosen[~checked]].min() > at[left].max()
    assert len(lesson.sample(500, seed=0)) == 101


def test_without_time_a_sample_is_drawn() -> None:
    lesson = Lesson.of(_plan("random"), seed=0)
    assert len(set(lesson.sample(20, seed=0).tolist())) == 20
    assert lesson.sample(20, seed=0).tolist() != lesson.sample(20, seed=1).tolist()
