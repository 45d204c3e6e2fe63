"""What is written on a task as it was just read, and what is left to people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.task import Mark, Standing, Task, Values
from holdfast.apps.triage.writing import Judgement, Keep, Order, Said, Verdict, Write, Written, Yield, decide

P0, P1, P2, P3 = Priority
OLD, NEW = "dec_00000000000000000000000001", "dec_00000000000000000000000002"
KEY, OTHER = "a" * 64, "b" * 64
VALUES = Values(decision_id=NEW, score=82.0, priority=P1, route="network", reason="model", explanation="by SMALL")
ORDER = Order(key=KEY, sequence=20, revision="r1")
TASK = Task(id="7", title="printer on fire", revision="r1")
SAID = Said(decision_id=OLD, sequence=10, priority=P2, route="desk", key=OTHER)


def _task(**standing: object) -> Task:
    return replace(TASK, standing=Standing(**standing))  # type: ignore[arg-type]  # each test names its fields


def _decide(task: Task, known: Written | None = None, *, order: Order = ORDER, values: Values = VALUES) -> Verdict:
    return decide(task, values, known or Written(), order)


def test_a_task_nobody_has_judged_is_written() -> None:
    assert _decide(TASK) == Write(VALUES)


def test_a_persons_priority_is_left_alone_and_told() -> None:
    verdict = _decide(_task(priority=P3, raw_priority="P3"))
    assert verdict == Yield(Judgement(priority=P3, reason="P3 was chosen in the tracker"))


def test_a_persons_word_that_is_none_of_ours_is_left_alone_too() -> None:
    verdict = _decide(_task(raw_priority="Showstopper", foreign=True))
    assert isinstance(verdict, Yield)
    assert (verdict.judged.priority, "Showstopper" in verdict.judged.reason) == (None, True)


def test_what_we_wrote_ourselves_is_written_anew() -> None:
    task = _task(priority=P2, raw_priority="P2", route="desk", labels=("desk", "vip"))
    assert _decide(task, Written(said=SAID)) == Write(replace(VALUES, former_route="desk"))


def test_what_a_person_changed_after_us_is_theirs() -> None:
    verdict = _decide(_task(priority=P0, raw_priority="P0", route="desk"), Written(said=SAID))
    assert isinstance(verdict, Yield)
    assert verdict.judged.priority is P0


def test_a_priority_that_a_person_took_back_does_not_come_back() -> None:
    verdict = _decide(TASK, Written(said=SAID))
    assert verdict == Yield(Judgement(reason="somebody took P2 back in the tracker"))


def test_the_word_for_none_that_we_wrote_ourselves_is_ours() -> None:
    said = replace_said(raw_priority="2 normal", route="")
    assert isinstance(_decide(_task(raw_priority="2 normal"), Written(said=said)), Write)
    assert isinstance(_decide(_task(raw_priority="1 low"), Written(said=said)), Yield)


def test_a_route_that_a_person_chose_stays_beside_our_priority() -> None:
    verdict = _decide(_task(route="storage"))
    judged = Judgement(route="storage", reason="storage was chosen in the tracker")
    assert verdict == Write(replace(VALUES, route=""), judged)


def test_a_label_that_a_person_removed_does_not_come_back() -> None:
    known = Written(said=replace_said(route="network"))
    assert _decide(_task(priority=P2, raw_priority="P2", labels=("vip",)), known) == Write(replace(VALUES, route=""))


def test_a_route_that_a_person_moved_is_told_even_if_the_priority_stays() -> None:
    known = Written(said=replace_said(priority=P1, route="network"))
    verdict = _decide(_task(priority=P1, raw_priority="P1", route="storage", labels=("storage",)), known)
    assert verdict == Yield(Judgement(route="storage", reason="storage was chosen in the tracker"))


def test_a_write_whose_answer_was_lost_is_found_and_not_repeated() -> None:
    intended = Said(decision_id=NEW, sequence=20, priority=P1, route="network", key=KEY)
    verdict = _decide(_task(priority=P1, raw_priority="P1", labels=("network",)), Written(intended=intended))
    assert verdict == Keep("it was written before, and the answer lost", applied=intended)


def test_a_write_that_was_begun_and_not_applied_is_done() -> None:
    intended = Said(decision_id=NEW, sequence=20, priority=P1, route="network", key=KEY)
    assert _decide(TASK, Written(intended=intended)) == Write(VALUES)


def test_a_peers_write_for_the_same_revision_is_known_by_its_mark() -> None:
    mark = Mark(decision_id=OLD, priority=P3, route="", key=KEY[:16])
    verdict = _decide(_task(priority=P3, raw_priority="P3", mark=mark))
    assert verdict == Keep("it was written before, and the answer lost", applied=mark)


def test_a_peers_older_write_is_no_persons() -> None:
    mark = Mark(decision_id=OLD, priority=P3, route="", key=OTHER[:16])
    assert _decide(_task(priority=P3, raw_priority="P3", mark=mark)) == Write(VALUES)


def test_a_peers_newer_write_is_not_undone() -> None:
    mark = Mark(decision_id="dec_00000000000000000000000003", priority=P3, route="", key=OTHER[:16])
    assert _decide(_task(priority=P3, raw_priority="P3", mark=mark)) == Keep("a newer decision was written before")


def test_what_a_person_changed_after_a_peer_is_theirs() -> None:
    mark = Mark(decision_id=OLD, priority=P3, route="", key=OTHER[:16])
    assert isinstance(_decide(_task(priority=P0, raw_priority="P0", mark=mark)), Yield)


def test_an_older_decision_never_follows_a_newer_one() -> None:
    said = replace_said(sequence=30)
    verdict = _decide(_task(priority=P2, raw_priority="P2"), Written(said=said))
    assert verdict == Keep("a newer decision was written before")


def test_a_corrected_decision_is_not_followed_by_the_next_one() -> None:
    task = _task(priority=P2, raw_priority="P2", route="desk")
    verdict = _decide(task, Written(said=SAID), order=replace(ORDER, overruled=True))
    assert verdict == Keep("a person corrected what was written before")


def test_a_person_who_agrees_gets_the_route_if_nobody_touched_the_task_since() -> None:
    assert _decide(_task(priority=P1, raw_priority="P1")) == Write(VALUES)
    later = replace(_task(priority=P1, raw_priority="P1"), revision="r2")
    assert _decide(later) == Keep("it is P1 already")


def test_a_closed_task_is_left() -> None:
    assert _decide(replace(TASK, closed=True)) == Keep("the task is closed")


def replace_said(**changes: object) -> Said:
    fields = {name: getattr(SAID, name) for name in SAID.__struct_fields__}
    return Said(**{**fields, **changes})


ROUTES = st.sampled_from(["", "network", "desk", "storage"])
STANDINGS = st.builds(
    Standing,
    priority=st.none() | st.sampled_from(Priority),
    route=ROUTES,
    labels=st.lists(ROUTES.filter(bool), unique=True).map(tuple),
)
SAIDS = st.builds(
    Said,
    decision_id=st.just(OLD),
    sequence=st.integers(1, 40),
    priority=st.sampled_from(Priority),
    route=ROUTES,
    key=st.sampled_from([KEY, OTHER]),
)


@given(STANDINGS, st.none() | SAIDS, st.none() | SAIDS)
def test_a_priority_that_no_write_of_ours_explains_is_never_replaced(
    standing: Standing, said: Said | None, intended: Said | None
) -> None:
    verdict = _decide(replace(TASK, standing=standing), Written(said=said, intended=intended))
    ours = {one.priority for one in (said, intended) if one is not None}
    if isinstance(verdict, Write) and standing.priority is not None:
        assert standing.priority in ours | {VALUES.priority}


@given(STANDINGS, st.none() | SAIDS)
def test_after_a_write_the_next_attempt_writes_nothing(standing: Standing, said: Said | None) -> None:
    verdict = _decide(replace(TASK, standing=standing), Written(said=said))
    if not isinstance(verdict, Write):
        return
    said_now = Said(decision_id=NEW, sequence=20, priority=P1, route=verdict.values.route, key=KEY)
    labels = tuple(one for one in standing.labels if one != verdict.values.former_route)
    applied = replace(standing, priority=P1, route=verdict.values.route or standing.route, labels=labels)
    assert isinstance(_decide(replace(TASK, standing=applied), Written(said=said_now)), Keep)
    assert not isinstance(_decide(replace(TASK, standing=applied), Written(said=said, intended=said_now)), Write)


@pytest.mark.parametrize("order", [replace(ORDER, key=OTHER), replace(ORDER, sequence=5)])
def test_neither_a_repeated_nor_an_older_write_ever_goes_out(order: Order) -> None:
    for priority in (None, *Priority):
        assert not isinstance(_decide(_task(priority=priority), Written(said=SAID), order=order), Write)
