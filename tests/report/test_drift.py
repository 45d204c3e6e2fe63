"""The statistics of drift, and that the watch keeps quiet and speaks up when it should, on real tickets."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from scipy.stats import chi2

from holdfast.inference import Domain, HeadOutput, Stage, TextOutput
from holdfast.report.drift import (
    HeadReference,
    Histogram,
    Observation,
    Reference,
    chi_square_tail,
    compare,
    observations,
    read_reference,
)
from holdfast.report.drift_watch import WINDOW, Watch
from holdfast.report.shift import MIN_SAMPLES
from holdfast.workbench.bundled import load_head
from tests.report.drifting import Watched, doubled, trained

EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
QUARTERS = Histogram(edges=EDGES, shares=(0.25, 0.25, 0.25, 0.25))
WORDS = Histogram(edges=(0, 10, 20, 40), shares=(0.5, 0.3, 0.2))
HEAD = HeadReference(rows=4_000, labels={"a": 0.7, "b": 0.3}, confidence=QUARTERS, words=WORDS, outside=0.1)
REFERENCE = Reference(heads={"route": HEAD})
OUTSIDE = Observation(label="a", confidence=0.7, words=9, outside=True)
UNSEEN_FROM = 9_000


def _drawn(rng: np.random.Generator, *, b_share: float = 0.3) -> Observation:
    return Observation(
        label="b" if rng.random() < b_share else "a",
        confidence=float(rng.random()),
        words=int(rng.choice([5, 15, 30], p=[0.5, 0.3, 0.2])),
        outside=bool(rng.random() < 0.1),
    )


@pytest.mark.parametrize("freedom", [1, 2, 3, 6, 9, 22])
def test_the_tail_of_chi_square_is_scipys(freedom: int) -> None:
    for value in (0.01, 1.0, 8.0, 40.0, 150.0):
        assert chi_square_tail(value, freedom) == pytest.approx(chi2.sf(value, freedom), rel=1e-9)


def test_the_index_of_unchanged_features_follows_chi_square_as_claimed() -> None:
    rng = np.random.default_rng(1)
    low = 0
    for _ in range(400):
        now = [Observation(label="a", confidence=c, words=5, outside=False) for c in rng.random(500).tolist()]
        then = Histogram(edges=EDGES, shares=tuple((np.histogram(rng.random(1_000), EDGES)[0] / 1_000).tolist()))
        reference = msgspec.structs.replace(HEAD, rows=1_000, confidence=then)
        shifts = compare(Reference(heads={"route": reference}), {"route": now})
        (one,) = (shift for shift in shifts if shift.feature == "route.confidence")
        low += one.chance / len(shifts) < 0.05
    assert 8 <= low <= 34  # 20 are expected


@pytest.mark.parametrize(("lowest", "is_found"), [(0.0, False), (0.6, False), (-0.6, True)])
def test_only_a_loss_of_confidence_counts_against_the_package(lowest: float, is_found: bool) -> None:
    rng = np.random.default_rng(7)
    confidences = np.clip(rng.random(600) + lowest, 0.0, 1.0).tolist()
    seen = [msgspec.structs.replace(_drawn(rng), confidence=one) for one in confidences]
    (shift,) = (one for one in compare(REFERENCE, {"route": seen}) if one.feature == "route.confidence")
    assert (shift.chance < 1e-9) == is_found


def test_below_340_tickets_nothing_is_said() -> None:
    rng = np.random.default_rng(2)
    seen = [_drawn(rng, b_share=1.0) for _ in range(MIN_SAMPLES)]
    assert compare(REFERENCE, {"route": seen[1:]}) == ()
    assert min(shift.chance for shift in compare(REFERENCE, {"route": seen})) < 1e-9


def test_the_alarm_names_what_changed_and_clears_when_it_is_over() -> None:
    rng, watch = np.random.default_rng(3), Watch(REFERENCE)
    for _ in range(WINDOW):
        watch.add({"route": _drawn(rng, b_share=0.6)}, 50.0)
    assert watch.drifting
    assert watch.shifts[0].feature in {"route.label", "route.label:a", "route.label:b"}
    for _ in range(WINDOW):
        watch.add({"route": _drawn(rng)}, 50.0)
    assert not watch.drifting


def test_a_head_for_other_tickets_is_left_alone_while_another_head_is_used() -> None:
    rng = np.random.default_rng(6)
    watch = Watch(Reference(heads={"route": HEAD, "priority": HEAD}))
    for _ in range(800):
        watch.add({"route": _drawn(rng), "priority": OUTSIDE}, 50.0)
    assert (watch.drifting, watch.unused) == (False, {"route": False, "priority": True})


def test_a_package_none_of_whose_heads_fits_from_the_first_ticket_on_is_found() -> None:
    watch = Watch(REFERENCE)
    for _ in range(400):
        watch.add({"route": OUTSIDE}, 50.0)
    assert (watch.drifting, watch.unused) == (True, {"route": True})


def test_scores_are_held_against_the_first_thousand_of_this_node() -> None:
    rng, watch = np.random.default_rng(4), Watch(REFERENCE)
    for mean in (50.0, 62.0):
        for _ in range(1_500):
            watch.add({"route": _drawn(rng)}, float(rng.normal(mean, 15)))
    assert (watch.drifting, watch.shifts[0].feature) == (True, "score")
    watch.forget_scores()
    assert watch.baseline is None


@pytest.mark.parametrize("content", [b"{}", b'{"priority": [0.75, 0.25]}', b"not json", b'{"heads": {"a": 1}}'])
def test_a_package_with_another_reference_is_served_and_not_watched(content: bytes) -> None:
    assert read_reference(content).heads == {}


def test_an_observation_is_the_winning_label_its_confidence_and_the_expected_urgency() -> None:
    said = HeadOutput(probabilities=(0.2, 0.8), stage=Stage.NGRAM, domain=Domain.OUT)
    found = observations(TextOutput(heads={"priority": said}), "two words", heads={"priority": (("a", "b"), (0, 1))})
    assert found["priority"] == Observation(label="b", confidence=0.8, words=2, outside=True, urgency=0.8)


@pytest.fixture(scope="module")
def it_tickets() -> list:
    """The bundled IT tickets, shuffled."""
    tickets = load_head("route").reading.tickets
    return [tickets[place] for place in np.random.default_rng(20).permutation(len(tickets)).tolist()]


@pytest.fixture(scope="module")
def watched(it_tickets: list) -> tuple[Watched, list]:
    """A package that learnt from the first IT tickets, and what it says of those it never saw.

    Like the reference package it has a second head, for tickets of which this node gets none.
    """
    reports = load_head("priority").reading.tickets[::24]
    watched = Watched(trained(route=it_tickets[:UNSEEN_FROM], priority=reports))
    return watched, watched.said([ticket.text for ticket in it_tickets[UNSEEN_FROM:]])


def test_thirty_days_of_a_thousand_unchanged_tickets_raise_at_most_one_alarm(watched: tuple[Watched, list]) -> None:
    package, said = watched
    days = np.random.default_rng(5).integers(0, len(said), 30_000).tolist()
    assert len(package.alarms([said[place] for place in days])) <= 1


@pytest.mark.parametrize("label", ["Access", "HR Support", "Hardware", "Miscellaneous", "Purchase", "Storage"])
def test_a_group_of_tickets_that_doubles_is_found_within_2000(
    watched: tuple[Watched, list], it_tickets: list, label: str, request: pytest.FixtureRequest
) -> None:
    package, said = watched
    later = doubled(it_tickets[UNSEEN_FROM:], label, count=2_000, rng=np.random.default_rng(6))
    (alarm,) = package.alarms(said[:2_500] + [said[place] for place in later], after=2_500)
    request.node.user_properties.append(("found_after", alarm.after))
    assert 0 < alarm.after <= 2_000


def test_vulnerability_reports_among_it_tickets_are_found_within_400(
    watched: tuple[Watched, list], request: pytest.FixtureRequest
) -> None:
    package, said = watched
    reports = package.said([ticket.text for ticket in load_head("priority").reading.tickets[-1_000:]])
    alarm, *_ = package.alarms(said[:2_500] + reports, after=2_500)
    request.node.user_properties.append(("found_after", alarm.after))
    assert 0 < alarm.after <= 400
