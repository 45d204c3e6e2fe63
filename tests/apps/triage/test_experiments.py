"""Who is drawn for an experiment, and how its arms compare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.arms import Judged, compare
from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.experiments import CANDIDATE, CONTROL, Candidate, candidate_policy, drawn
from holdfast.apps.triage.rubric import InvalidRubric
from holdfast.apps.triage.rules_file import InvalidRules


@given(st.text(max_size=20), st.text(max_size=40), st.floats(0, 1))
def test_a_task_has_the_same_arm_whenever_it_is_drawn_and_stays_when_the_share_grows(name, task, share) -> None:
    arm = drawn(name, task, share=share)
    assert drawn(name, task, share=share) == arm
    if arm == CANDIDATE:
        assert drawn(name, task, share=min(1.0, share + 0.1)) == CANDIDATE


def test_the_shares_and_the_first_draws_are_written_down() -> None:
    arms = [drawn("calmer", f"T-{n}", share=0.3) for n in range(10_000)]
    assert 0.28 < arms.count(CANDIDATE) / len(arms) < 0.32
    assert {drawn("calmer", f"T-{n}", share=0.0) for n in range(100)} == {CONTROL}
    assert {drawn("calmer", f"T-{n}", share=1.0) for n in range(100)} == {CANDIDATE}
    # What another node, or another version, must draw as well.
    assert "".join(arm[1] for arm in arms[:12]) == "oaaooooooooa"


def test_two_experiments_draw_independently() -> None:
    both = [(drawn("a", f"T-{n}", share=0.5), drawn("b", f"T-{n}", share=0.5)) for n in range(4_000)]
    assert 0.45 < sum(one == other for one, other in both) / len(both) < 0.55


def test_a_candidate_changes_what_it_names_and_nothing_else(policy) -> None:
    made = candidate_policy(policy, Candidate(weights={"model": 0.5, "keywords": 0.15}, bands={"p0": 80}))
    assert (made.rubric.weights.model, made.rubric.weights.deadline) == (0.5, 0.2)
    assert (made.rubric.bands.p0, made.rubric.bands.p1) == (80, 70)
    assert made.rules is policy.rules


@pytest.mark.parametrize("given_", [Candidate(weights={"model": 0.9}), Candidate(bands={"p0": 10})])
def test_a_candidate_that_cannot_be_is_refused(policy, given_) -> None:
    with pytest.raises(InvalidRubric):
        candidate_policy(policy, given_)
    with pytest.raises(InvalidRules):
        candidate_policy(policy, Candidate(rules="[[rule]]\nname='x'"))


def judged(arm, priority, person=None) -> Judged:
    corrected = person is not None
    return Judged(arm, 50.0, priority, "ops", person or priority, corrected=corrected, wrong=corrected)


def test_arms_that_differ_are_told_apart_and_arms_that_do_not_are_not() -> None:
    rows = [judged(CONTROL, Priority.P0 if n % 2 else Priority.P1) for n in range(400)]
    rows += [judged(CANDIDATE, Priority.P0 if n % 10 == 0 else Priority.P1) for n in range(400)]
    found = compare(rows, (), rng=np.random.default_rng(1)).differences
    assert found["p0_share"].excludes(0)
    assert found["p0_share"].high < -0.3
    assert not found["mean_score"].excludes(0)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(60):
        rows = [judged(CONTROL, Priority.P0 if rng.random() < 0.2 else Priority.P2) for _ in range(150)]
        share = compare(rows, (), rng=rng).arms[0].p0_share
        hits += share is not None and not share.excludes(0.2)
    assert 51 <= hits <= 60


def test_agreement_is_with_what_stands_in_the_end() -> None:
    rows = [judged(CONTROL, Priority.P2, Priority.P0 if n < 10 else None) for n in range(40)]
    control, candidate = compare(rows, (), rng=np.random.default_rng(1)).arms
    assert (control.judged, control.agreement.estimate, control.override_rate.estimate) == (10, 0.75, 0.25)
    assert candidate.agreement is None


def test_few_tickets_and_what_nobody_corrected_are_said() -> None:
    notes = compare([judged(CONTROL, Priority.P2)], (), rng=np.random.default_rng(1)).notes
    assert any("1 tickets are few" in note for note in notes)
    assert any("nobody has corrected" in note for note in notes)
